"""A campaign on Ray Tune: artefacts that trials share are made once, then ASHA stops the worst trials."""

import os
from dataclasses import asdict, replace
from pathlib import Path

from ray import tune
from ray.tune.schedulers import ASHAScheduler
from ray.tune.search.basic_variant import BasicVariantGenerator

from optical.artefacts import fingerprint
from optical.cluster import connect
from optical.data.batches.schedule import Schedule
from optical.data.batches.token_shards import TokenShards, open_tokens
from optical.errors import InfrastructureError
from optical.recipe import Recipe
from optical.tracking.mlflow_mirror import default_uri
from optical.tracking.progress import LineWriter
from pipelines.environment import Settings
from pipelines.graph.student import STUDENT, TOKENS
from pipelines.graph.workspace import Workspace
from pipelines.session import Session
from tune.space import CampaignConfig, applied
from tune.summary import Trial, write_campaign
from tune.trial import TRIAL_CPUS, TrialMaker
from tune.watch import CampaignWatch, child_mirror


def search(recipe: Recipe, campaign: CampaignConfig, where: Settings) -> list[Trial]:
    """Run the campaign and return its trials, best first.

    Bitext, teacher, start and tokens are made once and shared; the test collection is never read. A rerun samples the
    same points, skips the trials that ended, and resumes the others from their checkpoints.

    Raises:
        InfrastructureError: no trial gave a result.
    """
    campaign.searched(recipe)
    base = Workspace(recipe, where)
    made_from = fingerprint([base.fingerprint, asdict(campaign)])
    name = where.run_name or f"{recipe.name}-campaign-{made_from[:12]}"
    settings = replace(where, run_name=name)
    with Session(Workspace(recipe, settings)) as session:
        LineWriter().show(f"tune {recipe.name}  {campaign.trials} trials  in {session.run_dir}", final=True)
        # The first connection decides the size of a local Ray: room for every trial at once.
        workers = (settings.resources.num_workers + 1) * campaign.max_concurrent
        connect(replace(settings.resources, num_workers=workers, use_gpu=False))
        session.make(*session.workspace.parents(STUDENT))
        trials = _tuned(session, campaign, settings)
        write_campaign(session.run_dir / "report", recipe, trials, settings)
        session.mirror.log_metrics({"best_dev_spearman": trials[0].dev_spearman}, step=0)
        session.mirror.log_artifacts(session.run_dir / "report")
    return trials


def _tuned(session: Session, campaign: CampaignConfig, settings: Settings) -> list[Trial]:
    # Tune's own tables would mix with the output that programs read.
    os.environ["RAY_AIR_NEW_OUTPUT"] = "0"
    workspace = session.workspace
    recipe = workspace.recipe
    maker = TrialMaker(recipe, _absolute(settings), (session.run_dir / "trials").absolute(), workspace.compared)
    runs_dir = settings.runs_dir
    children = child_mirror(default_uri(runs_dir), recipe.name, session.mirror)
    tokens = open_tokens(workspace.path(TOKENS))
    num_steps = max(Schedule(tokens, corner.train).num_steps for corner in campaign.corners(recipe))
    grace = min(num_steps, campaign.grace_looks * recipe.train.dev_steps)
    tuner = tune.Tuner(
        tune.with_resources(maker.__call__, {"cpu": TRIAL_CPUS}),
        param_space=campaign.space(recipe),
        tune_config=tune.TuneConfig(
            metric="dev_spearman",
            mode="max",
            num_samples=campaign.trials,
            max_concurrent_trials=campaign.max_concurrent,
            search_alg=BasicVariantGenerator(random_state=campaign.seed, max_concurrent=campaign.max_concurrent),
            scheduler=ASHAScheduler(
                time_attr="step", max_t=num_steps + 1, grace_period=grace, reduction_factor=campaign.reduction_factor
            ),
        ),
        run_config=tune.RunConfig(
            storage_path=str((session.run_dir / "ray").absolute()),
            verbose=0,
            callbacks=[CampaignWatch(campaign.trials, maker, children)],
        ),
    )
    results = tuner.fit()
    trials = [_trial(results[number], recipe, tokens) for number in range(len(results))]
    if all(trial.status == "failed" or not trial.steps for trial in trials):
        raise InfrastructureError(session.run_dir, "no trial gave a result", "rerun with --verbose to see why")
    return sorted(trials, key=lambda trial: -trial.dev_spearman)


def _trial(result: tune.Result, recipe: Recipe, tokens: TokenShards) -> Trial:
    metrics, point = result.metrics or {}, result.config or {}
    num_steps = Schedule(tokens, applied(recipe, point).train).num_steps
    steps = int(metrics.get("step", 0))
    status = "failed" if result.error else "ended" if steps >= num_steps else "stopped"
    return Trial(
        trial=str(metrics.get("trial_id", "-")),
        point=point,
        steps=steps,
        dev_spearman=float(metrics.get("dev_spearman", 0.0)) if not result.error else 0.0,
        status=status,
    )


def _absolute(settings: Settings) -> Settings:
    mirror = settings.mirror
    if mirror and "://" not in mirror:
        mirror = str(Path(mirror).absolute())
    return replace(settings, runs_dir=settings.runs_dir.absolute(), cache=settings.cache.absolute(), mirror=mirror)
