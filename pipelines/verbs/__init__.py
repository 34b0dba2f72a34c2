"""The verbs, one file each. A verb makes what it needs, skips what is done, and returns facts for its table."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Verb:
    """The help of a verb: a sentence, and the fields (or groups of fields) that are shown first."""

    sentence: str
    fields: tuple[str, ...]


ExportFormat = Literal["transformers", "colbert"]
"""What ``export`` writes a folder for."""

_DATA = ("recipe.bitext.datasets", "recipe.bitext.source", "recipe.evaluation.collection", "recipe.teacher.weights")

VERBS = {
    "prepare": Verb(
        "fetch bitext, passages, topics and qrels; check, clean and count them (--list: every data set there is)",
        ("recipe.bitext", "recipe.bitext.cleaning", "recipe.evaluation.collection"),
    ),
    "cache": Verb(
        "encode the teacher's side of the bitext once, for many epochs or trials",
        ("recipe.teacher", "recipe.train.target_length"),
    ),
    "train": Verb(
        "distil the student; the same line again resumes",
        ("recipe.teacher.weights", "recipe.teacher.cache", "recipe.student", "recipe.objective", "recipe.train"),
    ),
    "index": Verb(
        "encode the English passages with the teacher, once for every student",
        ("recipe.teacher", "recipe.evaluation.collection", "recipe.index"),
    ),
    "search": Verb(
        "rank the passages for every topic, a TREC run for each system that is compared",
        ("recipe.evaluation.collection", "recipe.index"),
    ),
    "evaluate": Verb("measure the runs: means with intervals, and tests of the differences", ("recipe.evaluation",)),
    "export": Verb(
        "write the student as a folder that AutoModel and AutoTokenizer load (--format colbert: ColBERT too)",
        ("recipe.teacher.weights", "recipe.student"),
    ),
    "run": Verb(
        "all of it, skipping what is done, and a report",
        (*_DATA, "recipe.bitext.max_pairs", "recipe.student", "recipe.objective", "recipe.train", "recipe.index"),
    ),
    "doctor": Verb(
        "what this machine has, and what the recipe would miss on it; without a recipe, the machine alone",
        (*_DATA, "recipe.teacher.revision"),
    ),
}
