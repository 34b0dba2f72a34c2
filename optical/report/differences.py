"""Differences between systems as every table shows them: two columns of tests, and what they mean in words."""

from collections.abc import Mapping

from optical.evaluation.comparison import Gain, compared_pairs
from optical.evaluation.notation import title
from optical.evaluation.protocols.base import EvaluationConfig
from optical.evaluation.significance import SIGNIFICANT

SMALLEST_P = 1e-4


def format_p(p_value: float | None) -> str:
    """A p-value with four decimals, ``<0.0001`` below that, ``-`` where there is none.

    >>> format_p(0.00004), format_p(0.03)
    ('<0.0001', '0.0300')
    """
    if p_value is None:
        return "-"
    return "<0.0001" if p_value < SMALLEST_P else f"{p_value:.4f}"


def difference_header(protocol: EvaluationConfig, gains: Mapping[str, Gain]) -> tuple[str, ...]:
    """The headers of the tests: p against the baseline; the subject's gain over the row's system, and p of that."""
    baseline, subject = protocol.label(protocol.baseline), protocol.label(protocol.subject)
    return (f"p vs {baseline}", *((f"{subject}'s gain", f"p vs {subject}") if gains else ()))


def difference_cells(
    name: str, p: Mapping[str, float], gains: Mapping[str, Gain], intervals: bool = False
) -> tuple[str, ...]:
    """The cells of a system below ``difference_header``, with the interval of the gain if ``intervals``."""
    if not gains:
        return (format_p(p.get(name)),)
    if (gain := gains.get(name)) is None:
        return (format_p(p.get(name)), "-", "-")
    ends = f" ({gain.interval.low:+.3f}, {gain.interval.high:+.3f})" if intervals else ""
    return (format_p(p.get(name)), f"{gain.difference:+.3f}{ends}", format_p(gain.p))


def named_test(protocol: EvaluationConfig, p: Mapping[str, float], gains: Mapping[str, Gain]) -> str:
    """The test behind the columns, with the number of comparisons for which it is corrected."""
    names = {*p, *gains, protocol.baseline, *([protocol.subject] if gains else [])}
    comparisons = len(compared_pairs(protocol, names)) if gains else len(p)
    return protocol.test.format(resamples=protocol.resamples, comparisons=comparisons)


def differences_in_words(protocol: EvaluationConfig, p: Mapping[str, float], gains: Mapping[str, Gain]) -> str:
    """Which measure is tested and how, and which systems each column compares."""
    baseline, subject = protocol.label(protocol.baseline), protocol.label(protocol.subject)
    said = f"p belongs to {title(protocol.tested)}: {named_test(protocol, p, gains)}."
    if gains:
        said += (
            f" p vs {baseline} tests each system against {baseline}. {subject.capitalize()}'s gain is the mean of the "
        )
        said += f"{subject} minus that of the row's system, and p vs {subject} tests it."
    return said


def doubt(subject: str, other: str, difference: float, p: float | None) -> str:
    """A sentence with a space before it where the subject is not clearly better than another system; else nothing.

    >>> doubt("student", "zero-shot", -0.1, 0.2), doubt("student", "zero-shot", 0.1, 0.001)
    (' The student is not better than zero-shot.', '')
    """
    if difference <= 0:
        return f" The {subject} is not better than {other}."
    if p is not None and p >= SIGNIFICANT:
        return f" Chance alone could explain its gain over {other}."
    return ""
