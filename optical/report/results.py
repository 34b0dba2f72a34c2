"""The results of a report: the measures with their definitions, and the topics that gained or lost most."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from optical.evaluation.comparison import Gain
from optical.evaluation.notation import cutoff, meaning, title
from optical.evaluation.protocols.base import EvaluationConfig
from optical.evaluation.systems import rivals
from optical.report.blocks import Block, Heading, Paragraph, Picture, Table, Terms
from optical.report.content import ReportContent, TopicText
from optical.report.differences import (
    SMALLEST_P,
    difference_cells,
    difference_header,
    differences_in_words,
    doubt,
    format_p,
    named_test,
)
from optical.report.figures import plot_measures

_EXTREMES = 5

Ends = Mapping[str, Mapping[str, tuple[float, float]]]
"""Low and high end of an interval, by system and measure."""


def gain_sentence(content: ReportContent) -> str:
    """The gain of the protocol's subject over the baseline and over its strongest rival.

    The share of the ceiling is added where there is one, and a sentence where the subject is not clearly better.
    """
    protocol, systems = content.protocol, content.systems
    subject, baseline = protocol.label(protocol.subject), protocol.label(protocol.baseline)
    if protocol.subject not in systems or protocol.baseline not in systems:
        return f"The {subject} and {baseline} were not both measured, so no gain is stated."
    after, before = (systems[name].mean[protocol.tested] for name in (protocol.subject, protocol.baseline))
    p_value = content.p_values.get(protocol.subject)
    sentence = f"The {subject} reaches {title(protocol.tested)} {after:.3f}, {after - before:+.3f} against {baseline}"
    sentence += f" ({before:.3f}{_said(p_value)})"
    ceiling = systems[protocol.ceiling].mean[protocol.tested] if protocol.ceiling in systems else 0.0
    if ceiling:
        sentence += f"; that is {after / ceiling:.0%} of the {protocol.label(protocol.ceiling)} ({ceiling:.3f})"
        if ceiling > before:
            sentence += f", and {(after - before) / (ceiling - before):.0%} of the gap between the two"
    return f"{sentence}.{doubt(subject, baseline, after - before, p_value)}{_beside_the_strongest(content)}"


def strongest(content: ReportContent) -> str | None:
    """Name of the rival with the largest mean of the tested measure; None where none was measured.

    Rivals are the pretrained encoders, and the baselines that have neither the student nor a person's translation.
    """
    protocol = content.protocol
    names = [name for name in rivals(protocol.compared) if name in content.systems]
    return max(names, key=lambda name: content.systems[name].mean[protocol.tested], default=None)


def _beside_the_strongest(content: ReportContent) -> str:
    """The subject beside the strongest rival, with a space before.

    It is empty where none was measured, and where that is the baseline, with which the sentence before has dealt.
    """
    protocol, name = content.protocol, strongest(content)
    if name is None or name == protocol.baseline:
        return ""
    gain = content.gains.get(name)
    after, other = (content.systems[system].mean[protocol.tested] for system in (protocol.subject, name))
    more = f"95 % interval {gain.interval.low:+.3f} to {gain.interval.high:+.3f}{_said(gain.p)}" if gain else ""
    told = f"{name} ({other:.3f}): the {protocol.label(protocol.subject)} has {after - other:+.3f} against it"
    told += f" ({more})" if more else ""
    last = doubt(protocol.label(protocol.subject), "it", after - other, gain.p if gain else None)
    return f" The strongest rival beside it is {told}.{last}"


def _said(p_value: float | None) -> str:
    if p_value is None:
        return ""
    return f", p {'<' if p_value < SMALLEST_P else '='} {format_p(p_value).lstrip('<')}"


def measures_tables(
    protocol: EvaluationConfig,
    means: Mapping[str, Mapping[str, float]],
    ends: Ends,
    p: Mapping[str, float],
    gains: Mapping[str, Gain],
    caption: str,
) -> list[Table]:
    """The measures as tables of a page: the means with their intervals, then the tests where there are some.

    One table of both would be wider than a page, and its last column is the one that matters most.

    Args:
        protocol: what was compared with what.
        means: of each measure, by system.
        ends: of the interval of each mean.
        p: p-value of each system against the baseline.
        gains: of the subject over each other system.
        caption: of the means.
    """
    names = protocol.ordered(means)
    header = ("system", *map(title, next(iter(means.values()))))
    rows = [(name, *_means(means[name], ends.get(name, {}))) for name in names]
    tested = [(name, *difference_cells(name, p, gains, intervals=True)) for name in names if name in {*p, *gains}]
    found = [_table(header, rows, caption)]
    if tested:
        said = differences_in_words(protocol, p, gains) + (" In brackets the interval of the gain." if gains else "")
        found.append(_table(("system", *difference_header(protocol, gains)), tested, said))
    return found


def _table(header: tuple[str, ...], rows: Sequence[tuple[str, ...]], caption: str) -> Table:
    """A table with the names of systems in its first column, and numbers in all others."""
    return Table(header, rows, caption, frozenset(range(1, len(header))))


def _means(means: Mapping[str, float], ends: Mapping[str, tuple[float, float]]) -> list[str]:
    return [f"{mean:.3f}{_interval(ends.get(key))}" for key, mean in means.items()]


def measures(content: ReportContent, folder: Path) -> list[Block]:
    """The tables of measures and tests, their bars (drawn into ``folder``) and what every name in it means."""
    systems, protocol = content.systems, content.protocol
    if not systems:
        return [Paragraph("Nothing was measured: the collection has no judgements.", lead=True)]
    means = {name: systems[name].mean for name in protocol.ordered(systems)}
    ends = {
        name: {key: (interval.low, interval.high) for key, interval in by_measure.items()}
        for name, by_measure in content.intervals.items()
    }
    caption = f"Means over all {content.judged} judged topics; a topic without results counts 0."
    if ends:
        caption += " In brackets the bootstrap interval of the mean."
    bars = {
        name: {key: (mean, *ends.get(name, {}).get(key, (mean, mean))) for key, mean in by_measure.items()}
        for name, by_measure in means.items()
    }
    picture = plot_measures(folder / "measures.png", bars)
    return [
        Heading("Measures"),
        *measures_tables(protocol, means, ends, content.p_values, content.gains, caption),
        *(_missing(name, systems[name].missing) for name in means if systems[name].missing),
        Picture(picture, f"Mean of each measure{' with its interval' if ends else ''}."),
        Terms(definitions(content)),
    ]


def definitions(content: ReportContent) -> dict[str, str]:
    """Each system that was measured, each measure, p and interval, with its meaning."""
    protocol = content.protocol
    found = {system.name: system.meaning for system in protocol.compared if system.name in content.systems}
    index = content.recipe.get("index")
    for measure in next(iter(content.systems.values())).mean:
        found[title(measure)] = meaning(measure)
        if isinstance(index, Mapping) and index["depth"] < (cutoff(measure) or 0):
            found[title(measure)] += f"; but a run of this recipe ends at rank {index['depth']}"
    found |= _differences(content)
    if content.intervals:
        found["interval"] = (
            f"holds 95 % of {protocol.resamples:,} means over topics drawn with replacement: how far the mean depends "
            "on the choice of topics. Intervals of two systems may overlap although p is small, for p compares topic "
            "by topic"
        )
    return {term: f"{text}." for term, text in found.items()}


def _differences(content: ReportContent) -> dict[str, str]:
    """What the columns of the tests mean, by their headers."""
    protocol, subject = content.protocol, content.protocol.label(content.protocol.subject)
    if not content.p_values:
        return {}
    tested = title(protocol.tested)
    meanings = [
        f"how often chance alone would make a difference in {tested} as large, were the row's system and "
        f"{protocol.label(protocol.baseline)} equally good: {named_test(protocol, content.p_values, content.gains)}",
        f"the {tested} of the {subject} minus that of the row's system. Its interval holds 95 % of the differences "
        "over topics drawn with replacement, the same topics for both; it is not corrected for the number of "
        "comparisons, as p is",
        f"the same test of the {subject} against the row's system; the comparisons of both columns are corrected "
        "together",
    ]
    return dict(zip(difference_header(protocol, content.gains), meanings, strict=False))


def topics(content: ReportContent) -> Iterator[Block]:
    """How many topics gained and lost against the baseline, and the topics that did so most."""
    protocol = content.protocol
    if protocol.baseline not in content.systems or protocol.subject not in content.systems:
        return
    key = protocol.tested
    before, after = (content.systems[name].per_topic[key] for name in (protocol.baseline, protocol.subject))
    gains = topic_gains(before, after)
    wins, losses = sum(gain > 0 for gain in gains.values()), sum(gain < 0 for gain in gains.values())
    counts = f"better on {wins} topics, worse on {losses}, equal on {len(gains) - wins - losses} ({key})"
    yield Heading("Topics")
    yield Paragraph(f"The {protocol.label(protocol.subject)} is {counts}.")
    order = list(gains)
    best = order[: min(_EXTREMES, (len(order) + 1) // 2)]
    worst = order[len(best) :][-_EXTREMES:][::-1]
    header = ("topic", "query", "in English", f"{protocol.baseline} {key}", f"{protocol.subject} {key}", "gain")
    label = protocol.label(protocol.baseline)
    for caption, chosen in ((f"Largest gains over {label}", best), ("Smallest gains, or losses", worst)):
        if chosen:
            texts = {qid: content.topics.get(qid, TopicText("")) for qid in chosen}
            rows = [
                (qid, text.source, text.target, f"{before[qid]:.3f}", f"{after[qid]:.3f}", f"{gains[qid]:+.3f}")
                for qid, text in texts.items()
            ]
            yield Table(header, rows, caption, frozenset({3, 4, 5}))


def topic_gains(before: Mapping[str, float], after: Mapping[str, float]) -> dict[str, float]:
    """The gain on each topic that both systems were measured on, largest first, ties in the qrels' order."""
    gains = {qid: after[qid] - value for qid, value in before.items() if qid in after}
    return dict(sorted(gains.items(), key=lambda item: -item[1]))


def _missing(name: str, missing: tuple[str, ...]) -> Paragraph:
    listed = ", ".join(missing[:10]) + (", ..." if len(missing) > 10 else "")
    return Paragraph(f"{name}: {len(missing)} judged topics without results ({listed}).")


def _interval(ends: tuple[float, float] | None) -> str:
    return f" ({ends[0]:.3f}, {ends[1]:.3f})" if ends else ""
