"""Measures by their notation in ir_measures, such as ``nDCG@10``: which are known, how deep they look, their titles."""

import inspect
import re
from collections.abc import Sequence

from optical.errors import UserError, require, suggest

MEASURES = ("AP", "RR@10", "nDCG@10", "R@100")
"""The measures of a recipe that names no others."""

_MEANINGS = {
    "AP": "mean average precision: the precision at the rank of each relevant passage, averaged",
    "RR@10": "one over the rank of the first relevant passage, 0 below rank 10",
    "nDCG@10": "gain of the first ten passages by grade and rank, as a share of the best possible",
    "R@100": "share of the relevant passages among the first hundred",
}


def check_notation(where: str, measures: Sequence[str]) -> None:
    """Refuse measures that ir_measures cannot compute here, and notations that are not its own.

    Raises:
        UserError: no measure, one twice, or one that is unknown, incomplete, no mean over topics, or not installed.
    """
    require(len(measures) > 0, where, "names no measure", f"try {' '.join(MEASURES)}")
    for place, measure in enumerate(measures):
        require(measure not in measures[:place], where, f"names {measure} twice", "name it once")
        # The import costs time that a command with the usual measures does not need to spend.
        if measure not in MEASURES and (fault := _fault(measure)):
            raise UserError(where, *fault)


def cutoff(measure: str) -> int | None:
    """The number of passages that a measure looks at; None for those that look at all.

    >>> cutoff("nDCG@10"), cutoff("AP")
    (10, None)
    """
    found = re.search(r"@(\d+)$", measure)
    return int(found[1]) if found else None


def title(measure: str) -> str:
    """The name of a measure's mean: MAP and MRR by the field's custom, else the notation itself.

    >>> title("AP"), title("RR@10"), title("nDCG@20")
    ('MAP', 'MRR@10', 'nDCG@20')
    """
    return f"M{measure}" if _name(measure) in ("AP", "RR") else measure


def meaning(measure: str) -> str:
    """What a measure means, without a full stop; in the words of ir_measures where there are none of ours."""
    if measure in _MEANINGS:
        return _MEANINGS[measure]
    import ir_measures

    text = inspect.getdoc(type(ir_measures.parse_measure(measure))) or "see the documentation of ir_measures"
    return " ".join(text.split(".. cite")[0].split("\n\n")[0].split()).removesuffix(".")


def _name(measure: str) -> str:
    return re.split(r"[@(]", measure)[0]


def _fault(measure: str) -> tuple[str, str] | None:
    """What is wrong with a notation, and the advice."""
    import ir_measures
    from ir_measures.measures import MeanAgg, registry

    advice = "give a measure of ir_measures with its cutoff, such as nDCG@20 or 'P(rel=2)@5'"
    try:
        parsed = ir_measures.parse_measure(measure)
        parsed.validate_params()
    except NameError:
        return f"{measure!r} is not a measure of ir_measures", suggest(_name(measure), registry, advice)
    except (ValueError, AssertionError, TypeError, KeyError):
        return f"{measure!r} is not a complete measure of ir_measures", advice
    if cutoff(measure) == 0:
        return f"{measure!r} looks at no passage", advice
    if str(parsed) != measure:
        return f"{measure!r} is written {parsed} in ir_measures", f"write {parsed}"
    if not isinstance(parsed.aggregator(), MeanAgg):
        return f"{measure!r} is a sum over topics, and the report shows means", advice
    if not ir_measures.DefaultPipeline.supports(parsed):
        return f"{measure!r} needs a program or package that is not installed", "see the documentation of ir_measures"
    return None
