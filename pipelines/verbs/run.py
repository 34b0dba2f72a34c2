"""run: every verb in order, skipping what is done, and a report of what came out."""

from dataclasses import dataclass

import pyarrow.parquet as pq

from optical import artefacts
from optical.evaluation.comparison import Comparison
from optical.evaluation.measures import Measured
from optical.model.storage import load_encoder
from optical.report.build import write_report
from optical.report.content import ReportContent, TopicText
from optical.tracking.journal import rows
from pipelines.cli.repeat import repeat_command
from pipelines.facts import collection_facts, data_facts, work_done
from pipelines.pictures import plan_pictures, problem_in_words
from pipelines.recipes import known
from pipelines.session import Session
from pipelines.verbs.evaluate import evaluate
from pipelines.verbs.export import export
from pipelines.verbs.index import index
from pipelines.verbs.prepare import collection_of
from pipelines.verbs.search import search
from pipelines.verbs.train import student_job, train


@dataclass(frozen=True)
class Summary:
    """What ``run`` tells: measures by system, p-values, and how the pairs and the time were spent.

    There are no systems where the collection has no judgements; ``remarks`` say so.
    """

    recipe: str
    fingerprint: str
    systems: dict[str, Measured]
    p: dict[str, float]
    remarks: tuple[str, ...]
    pairs: int
    rejected: dict[str, int]
    seconds: dict[str, float]
    report: str

    def as_dict(self) -> dict:
        """The ``--json`` line."""
        return {
            "recipe": self.recipe,
            "fingerprint": self.fingerprint,
            "measures": {name: dict(measured.mean) for name, measured in self.systems.items()},
            "p": self.p,
            "remarks": list(self.remarks),
            "pairs": self.pairs,
            "rejected": self.rejected,
            "seconds": self.seconds,
            "report": self.report,
        }


def run(session: Session) -> Summary:
    """Do everything, write ``report/report.html`` and mirror measures and report to MLflow."""
    verdict = _verdict(session)
    export(session)
    content = report_content(session, verdict)
    page = write_report(session.run_dir / "report", content)
    for name, measured in verdict.systems.items():
        named = {f"{name}/{key.replace('@', '_at_')}": value for key, value in measured.mean.items()}
        session.mirror.log_metrics(named, step=0)
    session.mirror.log_artifacts(page.parent)
    summary = Summary(
        recipe=session.workspace.recipe.name,
        fingerprint=session.workspace.fingerprint,
        systems=verdict.systems,
        p=verdict.p,
        remarks=verdict.remarks,
        pairs=content.data.accepted,
        rejected=dict(content.data.rejects),
        seconds=session.seconds,
        report=str(page),
    )
    artefacts.write_json(session.run_dir / "summary.json", summary.as_dict())
    return summary


def _verdict(session: Session) -> Comparison:
    """The measures; without judgements none, after all that can be done without them."""
    info = collection_of(session)
    if info["topics"] and info["judgements"]:
        return evaluate(session)
    if info["topics"]:
        search(session)
    else:
        train(session)
        index(session)
    return Comparison({}, {}, {}, tuple(info["remarks"]))


def report_content(session: Session, verdict: Comparison) -> ReportContent:
    """Everything the report of a finished run shows."""
    workspace, recipe = session.workspace, session.workspace.recipe
    topics = pq.read_table(workspace.collection / "topics.parquet").to_pylist()
    return ReportContent(
        recipe=recipe.as_dict(),
        registered=base.as_dict() if (base := known(recipe.name)) else None,
        fingerprint=workspace.fingerprint,
        protocol=recipe.evaluation,
        systems=verdict.systems,
        intervals=verdict.intervals,
        p_values=verdict.p,
        training=rows(workspace.student_training / "metrics.jsonl"),
        plans=plan_pictures(
            load_encoder(workspace.student).eval(),
            student_job(workspace, workspace.student_training).build_objective(),
            workspace.tokens,
            recipe.train,
        ),
        problem=problem_in_words(recipe),
        collection=collection_facts(workspace),
        data=data_facts(workspace),
        work=work_done(session.run_dir),
        command=repeat_command(recipe, workspace.settings.resources, workspace.settings.recipe) or "",
        topics={topic["qid"]: TopicText(topic["query"], topic["english"]) for topic in topics},
    )
