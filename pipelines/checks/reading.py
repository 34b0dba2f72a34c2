"""Checks of how teacher and student read texts: prefixes, and lengths that leave room for a text."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from optical.errors import UserError
from optical.model.formats.layout import read_layout
from optical.model.text.reader import TextReader, load_reader
from optical.model.text.roles import ROLES, Roles
from optical.recipe import Recipe
from pipelines.checks.lengths import Reader, cuts

_AROUND, _TOKENS_PER_LETTER = 16, 4


def reading_faults(recipe: Recipe, taught: Path | None, own: Path | None) -> Iterator[UserError]:
    """Impossible prefixes, and lengths that special tokens, marker and prefix fill.

    Args:
        recipe: the recipe.
        taught: folder of the teacher's pretrained weights, if they are here.
        own: folder of the student's own weights, if it has some and they are here.
    """
    if not (taught or own) or (recipe.student.weights and own is None):
        return
    teacher, own_prefix = recipe.teacher, recipe.student.query_prefix
    given, own_roles = (read_layout(folder).roles if folder else Roles() for folder in (taught, own))
    prefixes = {"query": teacher.query_prefix, "document": teacher.document_prefix}
    empty = [f"teacher.{role}_prefix" for role in ROLES if prefixes[role] == "" and given.of(role).overwrites]
    if own_prefix == "" and own_roles.query.overwrites:
        empty.append("student.query_prefix")
    if empty:
        what = "is empty, and the marker takes the place of its first token"
        yield UserError(empty[0], what, "leave it out")
        return
    longest = max(len(prefix or "") for prefix in (*prefixes.values(), own_prefix, *_written(given, own_roles)))
    # A tokenizer of 250,000 pieces takes a second to open.
    if min(cut.length for cut in cuts(recipe)) <= _AROUND + _TOKENS_PER_LETTER * longest:
        readers: dict[Reader, TextReader] = {}
        if taught:
            settings = (teacher.query_prefix, teacher.document_prefix, teacher.query_tokens)
            readers["teacher"] = load_reader(taught).adapted(*settings)
        readers["student"] = load_reader(own).adapted(own_prefix, None, None) if own else readers["teacher"]
        yield from _narrow(recipe, readers)


def _narrow(recipe: Recipe, readers: Mapping[Reader, TextReader]) -> Iterator[UserError]:
    """Lengths at which nothing of a text is left. What a teacher reads that the run makes is not looked at."""
    around, lengths = dict[str, int](), dict[str, int]()
    for cut in cuts(recipe):
        if cut.reader in readers:
            around[cut.field] = max(around.get(cut.field, 0), readers[cut.reader].frames[cut.role].size)
            lengths[cut.field] = cut.length
    for where, size in around.items():
        if (length := lengths[where]) <= size:
            what = f"is {length}, and {size} tokens stand around every text (special tokens, marker, prefix)"
            yield UserError(where, what, f"set at least {size + 1}")


def _written(*roles: Roles) -> Iterator[str]:
    yield from (both.of(role).prefix for both in roles for role in ROLES)
