"""Definitions: what the systems, the measures, p and the intervals of a report mean, in a line each."""

from collections.abc import Mapping

from optical.evaluation.measures import MEASURES
from optical.report.content import ReportContent
from optical.report.plots import system_order

_SYSTEMS = {
    "zero_shot": "the English teacher reads the query in its own language: what there was before any training",
    "student_start": "the student before its first step: the teacher with word pieces of the query's language added, "
    "each placed where its translations are",
    "student": "the trained query encoder, on the same queries and the same index",
    "english_ceiling": "the teacher reads the human English translation of the query. It is a yardstick and no bound: "
    "a student may pass it",
}
_MEASURES = {
    "AP": "mean average precision: the precision at the rank of each relevant passage, averaged",
    "RR@10": "one over the rank of the first relevant passage, 0 below rank 10",
    "nDCG@10": "gain of the first ten passages by grade and rank, as a share of the best possible",
    "R@100": "share of the relevant passages among the first hundred",
}


def meanings(content: ReportContent) -> dict[str, str]:
    """What is shown and what it means; of the systems only those that were measured."""
    told = {name: _SYSTEMS[name] for name in system_order(content.systems) if name in _SYSTEMS}
    told |= {title: _MEASURES[measure] for measure, title in MEASURES.items()}
    index, evaluation = content.recipe.get("index"), content.recipe.get("evaluation")
    if isinstance(index, Mapping) and index["depth"] < 100:
        told[MEASURES["R@100"]] += f"; but a run of this recipe ends at rank {index['depth']}"
    drawn = f"{evaluation['resamples']:,}" if isinstance(evaluation, Mapping) else "many"
    if content.p_values:
        told["p vs zero-shot"] = (
            "how often luck alone would make a difference in MAP as large, were both systems equally good: a two-sided "
            f"randomisation test over topics (every assignment of signs where few topics differ, else {drawn} random "
            f"ones), Holm-corrected for {len(content.p_values)} comparison(s)"
        )
    if content.intervals:
        told["interval"] = (
            f"holds 95 % of {drawn} means over topics drawn with replacement: how far the mean depends on which topics "
            "were asked. Intervals of two systems may overlap although p is small, for p compares topic by topic"
        )
    return {term: f"{meaning}." for term, meaning in told.items()}
