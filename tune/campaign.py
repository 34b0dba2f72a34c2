"""A campaign: what its trainings share is made once, a plan says what is trained, and the best recipe is tested."""

from dataclasses import dataclass, replace
from pathlib import Path

from optical.artefacts import fingerprint
from optical.cluster import connect
from optical.data.batches.schedule import Schedule
from optical.data.batches.token_shards import open_tokens
from optical.errors import NumericalError
from optical.evaluation.comparison import Comparison
from optical.recipe import Recipe
from optical.tracking.mlflow_mirror import default_uri
from optical.tracking.progress import LineWriter
from pipelines.environment import Settings
from pipelines.graph.student import STUDENT, TOKENS
from pipelines.graph.workspace import Workspace
from pipelines.session import Session
from pipelines.studies.kinds.objectives import MEASURE
from pipelines.verbs.evaluate import evaluate
from tune.plan import Ranked, Training, halving, rungs
from tune.space import CampaignConfig
from tune.summary import Summary, write_summary
from tune.table import Table
from tune.trial import TrialMaker
from tune.watch import CampaignWatch, child_mirror
from tune.work import Trainings


@dataclass(frozen=True)
class _Campaign:
    """A campaign at work.

    Args:
        session: of its folder.
        config: its size and its space.
        maker: of the runs.
        table: what has come to its end.
    """

    session: Session
    config: CampaignConfig
    maker: TrialMaker
    table: Table


def search(recipe: Recipe, campaign: CampaignConfig, where: Settings) -> Summary:
    """Run the campaign to its end, and return what it has found.

    Bitext, teacher, start and tokens are made once and shared. Held-out bitext decides; the test collection is searched
    once, with the best recipe. A rerun reads the table and trains what is missing; with more trials it goes on from
    those that there are.

    Raises:
        InfrastructureError: a training was lost for good, so that there is no winner.
        NumericalError: every training failed, or every finalist's.
    """
    points = campaign.points(recipe)
    base = Workspace(recipe, where)
    name = where.run_name or f"{recipe.name}-campaign-{fingerprint([base.fingerprint, campaign.identity])[:12]}"
    settings = _absolute(replace(where, run_name=name))
    with Session(Workspace(recipe, settings)) as session:
        LineWriter().show(f"tune {recipe.name}  {campaign.trials} trials  in {session.run_dir}", final=True)
        # The first connection decides the size of a local Ray: room for every training at once.
        workers = (settings.resources.num_workers + 1) * campaign.max_concurrent
        connect(replace(settings.resources, num_workers=workers, min_workers=settings.resources.fewest_workers))
        session.make(*session.workspace.parents(STUDENT))
        maker = TrialMaker(recipe, points, settings, session.workspace.compared)
        found = _Campaign(session, campaign, maker, Table(session.run_dir / "table.jsonl"))
        ranked = _trained(found, recipe)
        summary = Summary(recipe, settings, points, ranked, _tested(found, ranked[0]) if campaign.test else ())
        write_summary(session.run_dir / "report", summary)
        session.mirror.log_metrics({f"best_{MEASURE}": ranked[0].dev}, step=0)
        session.mirror.log_artifacts(session.run_dir / "report")
    return summary


def _trained(campaign: _Campaign, recipe: Recipe) -> list[Ranked]:
    """All trials, the best first."""
    session, config, maker = campaign.session, campaign.config, campaign.maker
    mirror = child_mirror(default_uri(session.workspace.settings.runs_dir), recipe.name, session.mirror)
    watch = CampaignWatch(maker, MEASURE, mirror)
    trainings = Trainings(session, maker, campaign.table, MEASURE, config.max_concurrent, watch)
    tokens = open_tokens(session.workspace.path(TOKENS))
    steps = rungs(Schedule(tokens, recipe.train).num_steps, config.first_share, config.keep)
    plan = halving(config.trials, steps, config.keep, config.finalists, config.seeds)
    wanted = next(plan)
    try:
        while True:
            wanted = plan.send(trainings.results(wanted))
    except StopIteration as end:
        ranked: list[Ranked] = end.value
    except KeyboardInterrupt:
        told = f"{len(campaign.table)} trainings are done and kept; the same command goes on"
        LineWriter().show(f"tune  interrupted, so there is no winner yet: {told}", final=True)
        raise
    finally:
        watch.close()
    best = ranked[0]
    if best.reason or not best.devs:
        failed = next(one for one in ranked if one.reason)
        what = f"there is no winner, for no finalist was trained to the end; trial {failed.trial}: {failed.reason}"
        raise NumericalError(session.run_dir, what, "narrow the ranges, or try more trials")
    return ranked


def _tested(campaign: _Campaign, best: Ranked) -> tuple[tuple[Path, Comparison], ...]:
    """The run of each seed of the best trial, and what it measures on the test collection."""
    found = []
    for seed in range(len(best.devs)):
        with Session(campaign.maker.workspace(Training(best.trial, None, seed))) as session:
            session.make(STUDENT)
            found.append((session.run_dir, evaluate(session)))
    return tuple(found)


def _absolute(settings: Settings) -> Settings:
    mirror = settings.mirror
    if mirror and "://" not in mirror:
        mirror = str(Path(mirror).absolute())
    return replace(settings, runs_dir=settings.runs_dir.absolute(), cache=settings.cache.absolute(), mirror=mirror)
