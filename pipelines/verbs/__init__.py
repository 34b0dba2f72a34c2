"""The verbs, one file each. A verb makes what it needs, skips what is done, and returns facts for its table."""

from dataclasses import dataclass

from pipelines.cli.commands import Command, CompareCommand, ExportCommand, ListCommand, MachineCommand


@dataclass(frozen=True)
class Alone:
    """What a verb does without a recipe: the command, when it is meant, and its sentence if that is another.

    Args:
        command: the class of the command.
        flag: the first word that asks for it; empty where the lack of a recipe does.
        words: the field that takes the words before the first flag, if any.
        sentence: its help; empty for that of the verb.
    """

    command: type[MachineCommand]
    flag: str = ""
    words: str = ""
    sentence: str = ""


@dataclass(frozen=True)
class Verb:
    """A verb: its sentence, the fields (or groups of fields) that its help shows first, and its commands.

    ``command`` is that of a recipe, None for a verb that takes no recipe; ``alone`` what it does without one.
    ``in_session`` says whether it works on the folder of a run.
    """

    sentence: str
    fields: tuple[str, ...]
    command: type[Command] | None = Command
    alone: Alone | None = None
    in_session: bool = True


_DATA = ("recipe.bitext.datasets", "recipe.bitext.source", "recipe.evaluation.collection", "recipe.teacher.weights")

VERBS = {
    "prepare": Verb(
        "fetch bitext, passages, topics and qrels; check, clean and count them (--list: every data set there is)",
        ("recipe.bitext", "recipe.bitext.cleaning", "recipe.evaluation.collection"),
        alone=Alone(
            ListCommand,
            flag="--list",
            sentence="every registered data set: languages, pairs, size, where it can be read now, licence",
        ),
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
        command=ExportCommand,
    ),
    "run": Verb(
        "all of it, skipping what is done, and a report",
        (*_DATA, "recipe.bitext.max_pairs", "recipe.student", "recipe.objective", "recipe.train", "recipe.index"),
    ),
    "doctor": Verb(
        "what this machine has, and what the recipe would miss on it; without a recipe, the machine alone",
        (*_DATA, "recipe.teacher.revision"),
        alone=Alone(MachineCommand),
        in_session=False,
    ),
    "compare": Verb(
        "finished runs beside each other: seeds averaged, every pair tested; a page, a LaTeX table, a picture",
        (),
        command=None,
        alone=Alone(CompareCommand, words="runs"),
        in_session=False,
    ),
}
