"""The terms of a weighted sum of objectives, as a user types them: ``ot``, ``0.3*pooled``, ``0.5*ot(epsilon=0.05)``."""

from __future__ import annotations

import dataclasses
import re
import typing
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from math import inf
from typing import Any, Literal

from optical import components
from optical.errors import OpticalError, UserError, suggest
from optical.objectives.base import ObjectiveConfig

FORM = "write [WEIGHT*]OBJECTIVE[(FIELD=VALUE,...)], such as ot, 0.3*pooled or 0.5*ot(epsilon=0.05)"
_FIELD = "objective.terms"
_PACKAGE = "optical.objectives"
_SUM = "sum"
_PARTS = re.compile(r"(?:(?P<weight>[^*()]*)\*)?(?P<name>\w+)(?:\((?P<fields>[^()]*)\))?")
_TRUTH = {"true": True, "false": False}
_READERS: dict[type, tuple[Callable[[str], object], str]] = {
    bool: (lambda text: _TRUTH[text.lower()], "true or false"),
    int: (int, "a whole number"),
    float: (float, "a number"),
}


@dataclass(frozen=True)
class Term:
    """One objective of a sum.

    Args:
        weight: its factor in the loss.
        config: the objective.
        label: its name in what is observed: that of the objective, with a number from the second of that name on.
    """

    weight: float
    config: ObjectiveConfig
    label: str

    def decisive(self) -> dict[str, object]:
        """What decides its results, as plain values: weight, fields that are not idle, version."""
        fields = dataclasses.asdict(self.config)
        kept = {name: value for name, value in fields.items() if name not in self.config.idle()}
        return {"weight": self.weight, **kept, **components.code_of(self.config)}


def parsed(texts: Sequence[str]) -> tuple[Term, ...]:
    """The terms that ``texts`` describe.

    Raises:
        UserError: no term; or a term of another form, with an unknown objective or field, or a value that its field
            cannot have. Names the term.
    """
    if not texts:
        raise UserError(_FIELD, "names no objective", FORM)
    seen: Counter[str] = Counter()
    terms = []
    for text in texts:
        weight, config = _term(text)
        seen[config.name] += 1
        number = seen[config.name]
        terms.append(Term(weight, config, config.name if number == 1 else f"{config.name}_{number}"))
    return tuple(terms)


def _term(text: str) -> tuple[float, ObjectiveConfig]:
    """The weight and the configuration of one term."""
    where = f"{_FIELD}, {text!r}"
    found = _PARTS.fullmatch("".join(text.split()))
    if not found:
        raise UserError(where, "has another form", FORM)
    weight, name, fields = found["weight"], found["name"], found["fields"]
    if name == _SUM:
        raise UserError(where, "is a sum in a sum", "write its terms beside the others")
    try:
        kind = components.config_class(_PACKAGE, name, "the objective")
        config = kind(**dict(_values(kind, fields or "")))
    except OpticalError as error:
        field, what, advice = error.parts
        raise UserError(where, f"{field.removeprefix('objective.')} {what}", advice) from None
    return 1.0 if weight is None else _weight(weight, where), config


def _weight(text: str, where: str) -> float:
    try:
        weight = float(text)
    except ValueError:
        raise UserError(where, f"the weight {text!r} is no number", FORM) from None
    if not 0 < weight < inf:
        raise UserError(where, f"the weight is {text}", "set a positive number, or leave the term out")
    return weight


def _values(kind: type[ObjectiveConfig], text: str) -> Iterator[tuple[str, object]]:
    """The fields that a term sets, each with its value in the field's type."""
    hints = typing.get_type_hints(kind)
    known = {item.name: item.default for item in dataclasses.fields(kind) if item.name != "name"}
    given = [part.partition("=") for part in text.split(",")] if text else []
    for name, equals, value in given:
        if not (name and equals and value):
            raise UserError(repr(name + equals + value), "sets no field", FORM)
        if name not in known:
            advice = suggest(name, known, f"choose from {', '.join(known)}")
            raise UserError(name, "is no field of this objective", advice)
        if [other for other, _, _ in given].count(name) > 1:
            raise UserError(name, "is set twice", "set it once")
        yield name, _value(hints[name], name, value)


def _value(hint: Any, name: str, text: str) -> object:
    """A word as a value of a field of this type."""
    if hint is str or typing.get_origin(hint) is Literal:
        return text
    if hint not in _READERS:
        raise UserError(name, "takes no single value", "leave it out")
    read, kind = _READERS[hint]
    try:
        return read(text)
    except (ValueError, KeyError):
        raise UserError(name, f"is {text!r}", f"give {kind}") from None
