"""Sections: a report's content as blocks of text, tables and pictures, in reading order."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from optical.artefacts import write_whole
from optical.evaluation.measures import MEASURES, Measured
from optical.report.content import ReportContent, TopicText
from optical.report.definitions import meanings
from optical.report.particulars import changed_settings, data, repetition, settings
from optical.report.plans import plan_svg
from optical.report.plots import plot_measures, plot_training, system_order
from optical.report.render import Block, Heading, Paragraph, Picture, Table, Terms

_EXTREMES = 5
_SMALLEST_P = 1e-4


@dataclass(frozen=True)
class TopicGain:
    """What the student gained on one topic, in AP."""

    qid: str
    zero_shot: float
    student: float

    @property
    def gain(self) -> float:
        """Student minus zero-shot."""
        return self.student - self.zero_shot


def build(content: ReportContent, folder: Path) -> list[Block]:
    """All sections of the report; pictures are drawn into ``folder``."""
    return [
        *_head(content),
        *_measures(content, folder),
        *_topics(content.systems, content.topics),
        *_training(content, folder),
        *_plans(content, folder),
        *data(content.data),
        *repetition(content),
        *settings(content),
    ]


def gain_sentence(content: ReportContent) -> str:
    """One sentence with what the student gained over zero-shot and its share of the ceiling."""
    before, after, ceiling = (
        content.systems[name].mean["AP"] if name in content.systems else None
        for name in ("zero_shot", "student", "english_ceiling")
    )
    if after is None or before is None:
        return "The student and zero-shot were not both measured, so no gain is stated."
    p_value = content.p_values.get("student")
    sentence = f"The student reaches MAP {after:.3f}, {after - before:+.3f} against zero-shot ({before:.3f}"
    sentence += ")" if p_value is None else f", p {format_p(p_value, relation=True)})"
    if ceiling:
        sentence += f"; that is {after / ceiling:.0%} of the English ceiling ({ceiling:.3f})"
        if ceiling > before:
            sentence += f", and {(after - before) / (ceiling - before):.0%} of the gap between the two"
    return sentence + "."


def format_p(p_value: float | None, relation: bool = False) -> str:
    """A p-value with four decimals, ``<0.0001`` below that, ``-`` where there is none.

    >>> format_p(0.00004), format_p(0.03, relation=True)
    ('<0.0001', '= 0.0300')
    """
    if p_value is None:
        return "-"
    if p_value < _SMALLEST_P:
        return "< 0.0001" if relation else "<0.0001"
    return f"= {p_value:.4f}" if relation else f"{p_value:.4f}"


def topic_gains(zero_shot: Measured, student: Measured) -> list[TopicGain]:
    """The topics both systems were measured on, largest gain first, ties in the qrels' order."""
    before, after = zero_shot.per_topic["AP"], student.per_topic["AP"]
    gains = [TopicGain(qid, value, after[qid]) for qid, value in before.items() if qid in after]
    return sorted(gains, key=lambda topic: -topic.gain)


def _head(content: ReportContent) -> list[Block]:
    """The answer a reader came for, and what it is an answer to."""
    said = [f"Recipe {content.recipe.get('name', 'run')}{_changes(content)}."]
    if content.work:
        said.append(f"Finished {max(work.finished for work in content.work)} UTC.")
    if facts := content.collection:
        topics = f"{_judged(content.systems):,} judged topics of {facts.topics:,} in {facts.language}"
        judgements = f"{facts.judgements:,} judgements of which {facts.relevant:,} say relevant"
        said.append(f"Collection {facts.name}: {topics}, {facts.passages:,} passages, {judgements}.")
    said.append("This is one training run; another seed would give somewhat other numbers.")
    return [Paragraph(gain_sentence(content), lead=True), Paragraph(" ".join(said))]


def _changes(content: ReportContent) -> str:
    if content.registered is None:
        return ""
    count = len(changed_settings(content))
    return f" with {count} changed setting{'' if count == 1 else 's'}" if count else ""


def _judged(systems: Mapping[str, Measured]) -> int:
    return max((len(system.topics) for system in systems.values()), default=0)


def _measures(content: ReportContent, folder: Path) -> list[Block]:
    if not content.systems:
        return [Paragraph("Nothing was measured: the collection has no judgements.", lead=True)]
    names = system_order(content.systems)
    rows = []
    for name in names:
        cells = [_mean_cell(content, name, measure) for measure in MEASURES]
        rows.append((name, *cells, format_p(content.p_values.get(name))))
    header = ("system", *MEASURES.values(), "p vs zero-shot")
    caption = f"Means over all {_judged(content.systems)} judged topics; a topic without results counts 0. "
    if content.intervals:
        caption += "In brackets the bootstrap interval of the mean. "
    blocks: list[Block] = [
        Heading("Measures"),
        Table(header, rows, caption + "p belongs to MAP.", frozenset(range(1, len(header)))),
    ]
    for name in names:
        if missing := content.systems[name].missing:
            listed = ", ".join(missing[:10]) + (", ..." if len(missing) > 10 else "")
            blocks.append(Paragraph(f"{name}: {len(missing)} judged topics without results ({listed})."))
    bars = {name: {m: (content.systems[name].mean[m], *_ends(content, name, m)) for m in MEASURES} for name in names}
    if bars:
        caption = "Mean of each measure" + (" with its interval." if content.intervals else ".")
        blocks.append(Picture(plot_measures(folder / "measures.png", bars), caption))
    return [*blocks, Terms(meanings(content))]


def _ends(content: ReportContent, system: str, measure: str) -> tuple[float, float]:
    interval = content.intervals.get(system, {}).get(measure)
    mean = content.systems[system].mean[measure]
    return (interval.low, interval.high) if interval else (mean, mean)


def _mean_cell(content: ReportContent, system: str, measure: str) -> str:
    text = f"{content.systems[system].mean[measure]:.3f}"
    if measure in content.intervals.get(system, {}):
        low, high = _ends(content, system, measure)
        text += f" ({low:.3f}, {high:.3f})"
    return text


def _topics(systems: Mapping[str, Measured], texts: Mapping[str, TopicText]) -> list[Block]:
    if "zero_shot" not in systems or "student" not in systems:
        return []
    gains = topic_gains(systems["zero_shot"], systems["student"])
    wins, losses = sum(topic.gain > 0 for topic in gains), sum(topic.gain < 0 for topic in gains)
    best = gains[: min(_EXTREMES, (len(gains) + 1) // 2)]
    worst = gains[len(best) :][-_EXTREMES:][::-1]
    counts = f"The student is better on {wins} topics, worse on {losses}, equal on {len(gains) - wins - losses} (AP)."
    blocks: list[Block] = [Heading("Topics"), Paragraph(counts)]
    for title, topics in (("Largest gains over zero-shot", best), ("Smallest gains, or losses", worst)):
        if topics:
            rows = [_topic_row(topic, texts.get(topic.qid, TopicText(""))) for topic in topics]
            header = ("topic", "query", "in English", "zero_shot AP", "student AP", "gain")
            blocks.append(Table(header, rows, title, frozenset({3, 4, 5})))
    return blocks


def _topic_row(topic: TopicGain, text: TopicText) -> tuple[str, ...]:
    values = (f"{topic.zero_shot:.3f}", f"{topic.student:.3f}", f"{topic.gain:+.3f}")
    return (topic.qid, text.source, text.target, *values)


def _training(content: ReportContent, folder: Path) -> list[Block]:
    if not content.training:
        return []
    picture = plot_training(
        folder / "training.png", content.training, f"Training of {content.recipe.get('name', 'run')}"
    )
    caption = "Faint: every row of the metrics. Strong: their mean over a window that grows with the step."
    return [Heading("Training"), *_convergence(content.training), Picture(picture, caption)]


def _convergence(training: Sequence[Mapping[str, float]]) -> list[Block]:
    """How many of the transport problems were solved to the tolerance."""
    shares = [row["unconverged"] for row in training if row.get("unconverged") is not None]
    if not shares:
        return []
    share = sum(shares) / len(shares)
    return [Paragraph(f"{len(shares):,} steps; {share:.2%} of their transport problems did not converge.")]


def _plans(content: ReportContent, folder: Path) -> list[Block]:
    if not content.plans:
        return []
    explained = (
        "Rows are source tokens, columns target tokens. The darker a square, the larger the share of its row's mass "
        "that goes to its column."
    )
    pictures = []
    for number, plan in enumerate(content.plans, 1):
        shown = plan.cut()
        pictures.append(Picture(write_whole(folder / f"plan-{number}.svg", plan_svg(shown).encode()), shown.title))
    return [Heading("Transport plans"), Paragraph(f"{content.problem} {explained}".strip()), *pictures]
