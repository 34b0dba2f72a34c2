"""Sections: a report's content as blocks of text, tables and pictures, in reading order."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from optical.evaluation.content import DataFacts, ReportContent, TopicText
from optical.evaluation.measures import MEASURES, Measured
from optical.evaluation.plots import plot_measures, plot_plans, plot_training, system_order
from optical.evaluation.render import Block, Heading, Paragraph, Picture, Table

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
        *_measures(content, folder),
        *_topics(content.systems, content.topics),
        *_training(content, folder),
        *_plans(content, folder),
        *_data(content.data),
        *_seconds(content.seconds),
        Heading("Recipe"),
        Table(("setting", "value"), flatten(content.recipe)),
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


def flatten(settings: Mapping[str, object], prefix: str = "") -> list[tuple[str, str]]:
    """Nested settings as ``(dotted name, value)`` rows.

    >>> flatten({"train": {"seed": 0, "steps": [1, 2]}})
    [('train.seed', '0'), ('train.steps', '1, 2')]
    """
    rows = []
    for name, value in settings.items():
        if isinstance(value, Mapping) and value:
            rows += flatten(value, f"{prefix}{name}.")
        elif isinstance(value, list | tuple):
            rows.append((f"{prefix}{name}", ", ".join(map(str, value)) or "none"))
        else:
            rows.append((f"{prefix}{name}", str(value)))
    return rows


def topic_gains(zero_shot: Measured, student: Measured) -> list[TopicGain]:
    """The topics both systems were measured on, largest gain first, ties in the qrels' order."""
    before, after = zero_shot.per_topic["AP"], student.per_topic["AP"]
    gains = [TopicGain(qid, value, after[qid]) for qid, value in before.items() if qid in after]
    return sorted(gains, key=lambda topic: -topic.gain)


def _measures(content: ReportContent, folder: Path) -> list[Block]:
    if not content.systems:
        return [Paragraph("Nothing was measured: the collection has no judgements.", lead=True)]
    names = system_order(content.systems)
    rows = []
    for name in names:
        cells = [_mean_cell(content, name, measure) for measure in MEASURES]
        rows.append((name, *cells, format_p(content.p_values.get(name))))
    header = ("system", *MEASURES.values(), "p vs zero-shot")
    topics = max((len(system.topics) for system in content.systems.values()), default=0)
    caption = f"Means over all {topics} judged topics; a topic without results counts 0. "
    if content.intervals:
        caption += "In brackets the bootstrap interval of the mean. "
    blocks = [
        Paragraph(gain_sentence(content), lead=True),
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
    return blocks


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
    title = f"Training of {content.recipe.get('name', 'run')}"
    picture = plot_training(folder / "training.png", content.training, title)
    caption = "Faint: every row of the metrics. Strong: their mean over a window that grows with the step."
    return [Heading("Training"), Picture(picture, caption)]


def _plans(content: ReportContent, folder: Path) -> list[Block]:
    if not content.plans:
        return []
    caption = "Where each source token's mass goes; rows are source tokens, columns target tokens."
    return [Heading("Transport plans"), Picture(plot_plans(folder / "plans.png", content.plans), caption, wide=True)]


def _data(facts: DataFacts | None) -> list[Block]:
    if facts is None:
        return []
    rejected = sum(facts.rejects.values())
    physical = facts.accepted + rejected
    rows = [(reason, f"{count:,}", _share(count, physical)) for reason, count in sorted(facts.rejects.items())]
    rows = [("accepted", f"{facts.accepted:,}", _share(facts.accepted, physical)), *rows]
    rows.append(("all pairs", f"{physical:,}", _share(physical, physical)))
    header, caption = ("sentence pairs", "count", "share"), "Every physical pair, by what became of it."
    blocks: list[Block] = [Heading("Data"), Table(header, rows, caption, frozenset({1, 2}))]
    if facts.datasets:
        sets = [(fact.name, fact.use, fact.size, fact.licence) for fact in facts.datasets]
        blocks.append(Table(("data set", "used for", "size", "licence"), sets))
    return blocks


def _share(count: int, total: int) -> str:
    return f"{count / total:.1%}" if total else "-"


def _seconds(seconds: Mapping[str, float]) -> list[Block]:
    if not seconds:
        return []
    rows: Sequence[tuple[str, str]] = [(verb, f"{value:,.1f}") for verb, value in seconds.items()]
    total = ("all verbs", f"{sum(seconds.values()):,.1f}")
    return [Heading("Time"), Table(("verb", "seconds"), [*rows, total], numeric=frozenset({1}))]
