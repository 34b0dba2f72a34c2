"""Components by flags: ``--index.search faiss`` puts the ``Config`` of that component in place of the section."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import pairwise
from typing import Any, TypeVar

from optical import components
from optical.errors import UserError, suggest
from pipelines.cli.fields import Section, fields_of, flag_of, sections_of

_Config = TypeVar("_Config", bound=Any)


def with_components(config: _Config, given: Mapping[str, str], prefix: str = "") -> _Config:
    """The configuration with the components that flags name.

    Args:
        config: an instance of a dataclass.
        given: values by flag, see ``fields.given_values``.
        prefix: the start of the flags of ``config``.

    Raises:
        UserError: a flag names a component that does not exist.
    """
    changes = {}
    for section in sections_of(config, prefix=prefix):
        value = section.value
        if section.kind and given.get(section.selector):
            value = components.replaced(value, section.kind, given[section.selector], section.selector)
        value = with_components(value, given, section.prefix)
        if value is not section.value:
            changes[section.path.rpartition(".")[0]] = value
    return replace(config, **changes) if changes else config


def check_flags(config: Any, given: Mapping[str, str], program: str) -> None:
    """Refuse a flag that no field has; the advice names the nearest flag, or the component that has the field.

    Raises:
        UserError: for the first unknown flag.
    """
    known = [flag for field in fields_of(config) for flag in field.flags]
    for flag in given:
        if flag not in known:
            _refuse_other_component(config, flag)
            nearest = suggest(flag, [f"--{name}" for name in known], "see --help", likeness=0.4)
            raise UserError(f"--{flag}", f"`{program}` has no such field", nearest)


def _refuse_other_component(config: Any, flag: str) -> None:
    for section, kind in component_sections(config):
        for name in components.names(kind.package) if flag.startswith(section.prefix) else ():
            other = components.config_class(kind.package, name, section.selector)()
            if flag in (known for field in fields_of(other, prefix=section.prefix) for known in field.flags):
                present = getattr(section.value, kind.field)
                what = f"is a field of {section.selector} {name}, and {section.selector} is {present} here"
                raise UserError(f"--{flag}", what, f"add --{section.selector} {name}, or leave --{flag} out")


def without_choices(config: Any, flags: list[str]) -> list[str]:
    """The flags without those that name components, whose sections ``config`` holds already: the last one counts."""
    selectors = {section.selector for section, _ in component_sections(config)}
    rest: list[str] = []
    skip = False
    for word, following in pairwise([*flags, "--"]):
        flag, equals, value = word.removeprefix("--").partition("=")
        chosen = word.startswith("--") and flag_of(flag) in selectors
        given = value if equals else "" if following.startswith("--") else following
        if not skip and not (chosen and given):
            rest.append(word)
        skip = bool(chosen and given and not equals)
    return rest


def component_sections(config: Any, prefix: str = "") -> Iterator[tuple[Section, components.Kind]]:
    """The sections of a configuration, at any depth, that hold a component."""
    for section in sections_of(config, prefix=prefix):
        if section.kind:
            yield section, section.kind
        yield from component_sections(section.value, section.prefix)
