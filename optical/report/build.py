"""The report of a run: the order of its sections, and the files it consists of."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from optical.artefacts import write_whole
from optical.report.blocks import Block, Heading, Paragraph, Picture, write_page
from optical.report.content import ReportContent
from optical.report.figures import plot_training
from optical.report.plans import plan_svg
from optical.report.provenance import changed_settings, data, repetition, settings
from optical.report.results import gain_sentence, measures, topics

_UNCONVERGED = "unconverged"


def write_report(folder: Path, content: ReportContent) -> Path:
    """Write ``report.html`` (self-contained), ``report.md`` and its pictures; return the HTML's path."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    # A reader would take plans of an earlier report for plans of this one.
    for old in (folder / "plans.png", *folder.glob("plan-*.svg")):
        old.unlink(missing_ok=True)
    blocks = [
        *_head(content),
        *measures(content, folder),
        *topics(content),
        *_training(content, folder),
        *_plans(content, folder),
        *data(content.data),
        *repetition(content),
        *settings(content),
    ]
    return write_page(folder / "report.html", f"OPTICAL: {content.name}", content.fingerprint, blocks)


def _head(content: ReportContent) -> list[Block]:
    """The result in a sentence; recipe, date and collection."""
    changed = len(changed_settings(content)) if content.registered is not None else 0
    changes = f" with {changed} changed setting{'' if changed == 1 else 's'}" if changed else ""
    said = [f"Recipe {content.name}{changes}."]
    if content.work:
        said.append(f"Finished {max(work.finished for work in content.work)} UTC.")
    if facts := content.collection:
        topics = f"{content.judged:,} judged topics of {facts.topics:,} in {facts.language}"
        judgements = f"{facts.judgements:,} judgements of which {facts.relevant:,} say relevant"
        said.append(f"Collection {facts.name}: {topics}, {facts.passages:,} passages, {judgements}.")
    said.append("This is one training run; another seed would give somewhat other numbers.")
    return [Paragraph(gain_sentence(content), lead=True), Paragraph(" ".join(said))]


def _training(content: ReportContent, folder: Path) -> list[Block]:
    if not content.training:
        return []
    picture = plot_training(folder / "training.png", content.training, f"Training of {content.name}")
    caption = "Faint: every row of the metrics. Strong: their mean over a window that grows with the step."
    return [Heading("Training"), *_convergence(content.training), Picture(picture, caption)]


def _convergence(training: Sequence[Mapping[str, float]]) -> Iterator[Block]:
    """How many of the transport problems did not reach the tolerance; the term of a sum has its name in front."""
    names = dict.fromkeys(name for row in training for name in row if name.endswith(_UNCONVERGED))
    for name in names:
        term = name.removesuffix(_UNCONVERGED).removesuffix("_")
        shares = [row[name] for row in training if row.get(name) is not None]
        if shares:
            share = sum(shares) / len(shares)
            whose = f"the transport problems of the term {term}" if term else "their transport problems"
            yield Paragraph(f"{len(shares):,} steps; {share:.2%} of {whose} did not converge.")


def _plans(content: ReportContent, folder: Path) -> list[Block]:
    if not content.plans:
        return [Heading("Objective"), Paragraph(content.problem)] if content.problem else []
    heading, darkness = (
        ("Transport plans", "the larger the share of its row's mass that goes to its column")
        if content.plans[0].is_transport
        else ("Token alignments", "the larger its weight in the loss, relative to the weight of the heaviest row")
    )
    explained = f"Rows are source tokens, columns target tokens. The darker a square, {darkness}."
    pictures = []
    for number, plan in enumerate(content.plans, 1):
        shown = plan.cut()
        pictures.append(Picture(write_whole(folder / f"plan-{number}.svg", plan_svg(shown).encode()), shown.title))
    return [Heading(heading), Paragraph(f"{content.problem} {explained}".strip()), *pictures]
