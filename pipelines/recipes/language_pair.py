"""The recipe of a language pair, such as ``som-eng``: all that the registry has for Somali and English.

It uses the data sets whose pairs the registry has counted, which are those whose files it knows by their hashes. So
the recipe depends on the registry alone, not on which hosts answer today; ``doctor`` says which data set is missing.
"""

from optical.data.bitext.config import BitextConfig
from optical.data.registry.datasets import datasets
from optical.data.registry.entry import BUILT_IN, DataSet, Kind
from optical.data.registry.languages import Language, known, language
from optical.errors import UserError
from optical.evaluation.protocols.crosslingual import Config as CrossLingual
from optical.objectives import divergence
from optical.recipe import Recipe, StudentConfig
from pipelines.recipes.parts import extended_student, multilingual_teacher, multilingual_training

EXAMPLE = "som-eng"
SENTENCE = (
    "Somali; likewise every language of prepare --list: its bitext with eng, its collection, multilingual-e5-small."
)
_ENGLISH = "eng"
_PAIRS_TO_SEE = 30_000
_MOST_EPOCHS = 10
_PAIRS_FOR_PIECES = 1_000
"""With less bitext the student keeps its own vocabulary: new pieces are learned too poorly (docs/results.md, 4)."""
_SENTENCE_SEARCH = ("tatoeba-v1-", "ntrex-headlines-")
_NEEDED = ""
"""Stands for a data set that the registry lacks and the user must give."""


def is_pair(name: str) -> bool:
    """Whether a recipe's name is that of a language pair: anything, a hyphen, and a language.

    >>> is_pair("som-eng"), is_pair("swahili"), is_pair("my-recipe")
    (True, False, False)
    """
    source, _, target = name.rpartition("-")
    return bool(source) and known(target) is not None


def pair_recipe(name: str) -> Recipe:
    """The recipe of ``name``, a language and ``eng``; epochs are set so that training sees about 30,000 pairs.

    Raises:
        UserError: an unknown language, or a pair whose second language is not English.
    """
    source, _, target = name.rpartition("-")
    found = language(source, f"recipe {name}, language")
    if found.code == _ENGLISH:
        other = known(target)
        swapped = f"{other.tag}-{_ENGLISH}" if other and other.code != _ENGLISH else EXAMPLE
        advice = f"the query language comes first: {swapped}"
        raise UserError(f"recipe {name}", "has English as its query language", advice)
    if (english := known(target)) is None or english.code != _ENGLISH:
        what = "pairs a language with another one than English, which the teacher reads"
        raise UserError(f"recipe {name}", what, f"use {found.tag}-{_ENGLISH}, or write a recipe of your own (--recipe)")
    bitext, collections = _registered(found, "bitext"), _registered(found, "collection")
    pairs = sum(entry.count or 0 for entry in bitext)
    epochs = max(1, min(_MOST_EPOCHS, round(_PAIRS_TO_SEE / pairs))) if pairs else 1
    specs = tuple(entry.name for entry in bitext) or (_NEEDED,)
    return Recipe(
        name=f"{found.tag}-{_ENGLISH}",
        bitext=BitextConfig(datasets=specs, source=found.tag, target=_ENGLISH),
        teacher=multilingual_teacher(),
        student=StudentConfig() if 0 < pairs < _PAIRS_FOR_PIECES else extended_student(),
        objective=divergence.Config(),
        train=multilingual_training(epochs),
        evaluation=CrossLingual(collection=collections[0].name if collections else _NEEDED),
    )


def found_words(recipe: Recipe) -> str:
    """What the registry gave for the recipe of a language pair, as one line."""
    return f"bitext {', '.join(recipe.bitext.datasets)}; collection {recipe.evaluation.collection}"


def check_complete(recipe: Recipe) -> None:
    """Refuse the recipe of a language pair while a data set is missing that the registry lacks.

    Raises:
        UserError: names the field to give.
    """
    spoken = language(recipe.bitext.source, "bitext.source").name if recipe.bitext.source != "*" else "these languages"
    if _NEEDED in recipe.bitext.datasets:
        what, advice = f"the registry has no bitext of {spoken} and English", "give files: --bitext.datasets pairs.tsv"
        raise UserError("bitext.datasets", what, advice)
    if recipe.evaluation.collection == _NEEDED:
        advice = "give a folder with passages.tsv, topics.tsv and qrels.txt: --evaluation.collection my-topics/"
        raise UserError("evaluation.collection", f"the registry has no test collection in {spoken}", advice)


def _registered(found: Language, kind: Kind) -> list[DataSet]:
    """The counted data sets of a language and English, in the registry's order; generated ones are left out.

    Collections of questions come before those whose topics are sentences to find again in English.
    """
    wanted = (kind, found.code, _ENGLISH)
    entries = [entry for entry in datasets().values() if (entry.kind, entry.source, entry.target) == wanted]
    usable = [entry for entry in entries if entry.count and entry.origin != BUILT_IN]
    return sorted(usable, key=lambda entry: entry.name.startswith(_SENTENCE_SEARCH))
