"""run: every artefact in order, as far as it is missing, and a report of the results."""

from dataclasses import dataclass

import pyarrow.parquet as pq

from optical import artefacts
from optical.evaluation.comparison import Comparison, Gain
from optical.evaluation.measures import Measured
from optical.evaluation.pretrained import file_name
from optical.model.storage import load_encoder
from optical.report.build import write_report
from optical.report.content import ReportContent, TopicText
from optical.tracking.journal import rows
from pipelines.cli.repeat import repeat_command
from pipelines.facts import collection_facts, data_facts, registered_settings, work_done
from pipelines.graph.bitext import BITEXT, rejects
from pipelines.graph.collection import COLLECTION
from pipelines.graph.model_folder import MODEL_FOLDER
from pipelines.graph.passages import CANDIDATES, EMBEDDINGS
from pipelines.graph.runs import RUNS
from pipelines.graph.student import STUDENT, TOKENS, student_job
from pipelines.pictures import plan_pictures, problem_in_words
from pipelines.session import Session
from pipelines.verbs.evaluate import evaluate
from pipelines.verbs.search import collection_info


@dataclass(frozen=True)
class Summary:
    """The facts that ``run`` returns: measures by system, tests, counts of pairs, seconds by verb.

    There are no systems if the collection has no judgements; ``remarks`` say so.
    """

    recipe: str
    fingerprint: str
    systems: dict[str, Measured]
    p: dict[str, float]
    gains: dict[str, Gain]
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
            "gains": {name: gain.as_dict() for name, gain in self.gains.items()},
            "remarks": list(self.remarks),
            "pairs": self.pairs,
            "rejected": self.rejected,
            "seconds": self.seconds,
            "report": self.report,
        }


def run(session: Session) -> Summary:
    """Do everything, write ``report/report.html`` and mirror measures and report to MLflow."""
    verdict = _verdict(session)
    session.make(MODEL_FOLDER)
    content = report_content(session, verdict)
    page = write_report(session.run_dir / "report", content)
    for name, measured in verdict.systems.items():
        named = {f"{file_name(name)}/{key.replace('@', '_at_')}": value for key, value in measured.mean.items()}
        session.mirror.log_metrics(named, step=0)
    session.mirror.log_artifacts(page.parent)
    bitext = session.workspace.info(BITEXT)
    summary = Summary(
        recipe=session.workspace.recipe.name,
        fingerprint=session.workspace.fingerprint,
        systems=verdict.systems,
        p=verdict.p,
        gains=verdict.gains,
        remarks=verdict.remarks,
        pairs=sum(bitext["accepted"].values()),
        rejected=rejects(bitext),
        seconds=session.seconds,
        report=str(page),
    )
    artefacts.write_json(session.run_dir / "summary.json", summary.as_dict())
    return summary


def _verdict(session: Session) -> Comparison:
    """The measures. A collection without judgements has none; then everything else is made."""
    info = collection_info(session)
    if info["topics"] and info["judgements"]:
        return evaluate(session)
    session.make(*([RUNS] if info["topics"] else [STUDENT, EMBEDDINGS, CANDIDATES]))
    return Comparison({}, {}, {}, tuple(info["remarks"]))


def report_content(session: Session, verdict: Comparison) -> ReportContent:
    """Everything the report of a finished run shows."""
    workspace, recipe = session.workspace, session.workspace.recipe
    job = student_job(workspace, workspace.folder(STUDENT))
    topics = pq.read_table(workspace.path(COLLECTION) / "topics.parquet").to_pylist()
    student = load_encoder(workspace.path(STUDENT)).eval()
    plans = plan_pictures(student, job.build_objective(), workspace.path(TOKENS), recipe.train)
    return ReportContent(
        recipe=recipe.as_dict(),
        registered=registered_settings(recipe),
        fingerprint=workspace.fingerprint,
        protocol=recipe.evaluation,
        systems=verdict.systems,
        intervals=verdict.intervals,
        p_values=verdict.p,
        gains=verdict.gains,
        training=rows(job.journal),
        plans=plans,
        problem=problem_in_words(recipe, bool(plans)),
        collection=collection_facts(workspace),
        data=data_facts(workspace),
        work=work_done(session.run_dir),
        command=repeat_command(recipe, workspace.settings.resources, workspace.settings.recipe) or "",
        topics={topic["qid"]: TopicText(topic["query"], topic["english"]) for topic in topics},
    )
