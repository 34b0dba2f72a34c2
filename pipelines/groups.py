"""Groups of runs: replicates, which differ in nothing but seeds, and short names by what the groups differ in."""

import glob
import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from optical.errors import UserError
from pipelines.environment import Settings
from pipelines.finished import Finished, open_finished

Settled = Mapping[str, str]
"""Settings as text, by their path in the recipe."""

_SEED = "seed"
_NO_SETTING = ("name", "evaluation")
"""Parts of a recipe that change no ranking; only the code of a user's own protocol may."""
_IDLE = ("checkpoint_steps", "dev_steps")
"""Fields that decide nothing; records from before ``decisive`` hold them."""
_MOST_FIELDS = 3
"""More differing fields make a name that nobody reads; then the recipe's name stands for them."""
_NAMED = re.compile(r"((?:\([^()]*\)|[^=(])*)=(.*)")
"""``NAME=FOLDER``; what stands in parentheses is of the name, as in ``ot(epsilon=0.1)=FOLDER``."""
_ABSENT = "-"
_NONE = "none"


@dataclass(frozen=True)
class Group:
    """Runs of one recipe with different seeds; ``name`` is what the user calls it, or empty."""

    name: str
    settings: Settled
    runs: tuple[Finished, ...]


def open_groups(words: Sequence[str], settings: Settings) -> list[Group]:
    """The groups of the runs on a command line, in the order of their first run.

    Args:
        words: folders of runs, each alone or as ``NAME=FOLDER``, where FOLDER may be a pattern in quotes.
        settings: see ``open_finished``.

    Raises:
        UserError: a run twice, one name for different recipes, or an unfinished run.
        DataError: a word that is no run.
    """
    found: dict[tuple[str, str], list[Finished]] = {}
    seen: dict[str, Path] = {}
    for name, folder in _folders(words):
        run = open_finished(folder, settings)
        identity = run.record["fingerprint"]
        if identity in seen:
            raise UserError(folder, f"is the same run as {seen[identity]}", "name each run once")
        seen[identity] = folder
        found.setdefault((name, json.dumps(settled(run), sort_keys=True)), []).append(run)
    counts = Counter(name for name, _ in found if name)
    groups = [Group(name, json.loads(key), tuple(runs)) for (name, key), runs in found.items()]
    for name, count in counts.items():
        if count > 1:
            _refuse_name(name, [group for group in groups if group.name == name])
    return groups


def named_group(name: str, folders: Sequence[Path], settings: Settings) -> Group:
    """The runs in some folders as one group; they are known to differ in seeds alone.

    Raises:
        UserError, DataError: see ``open_finished``.
    """
    runs = tuple(open_finished(folder, settings) for folder in folders)
    return Group(name, settled(runs[0]), runs)


def settled(run: Finished) -> dict[str, str]:
    """Everything that decides the rankings of a run except its seeds, as text."""
    recipe = run.record.get("decisive", run.recipe)
    parts = {
        **{name: value for name, value in recipe.items() if name not in _NO_SETTING},
        "code of the protocol": recipe["evaluation"].get("code"),
        **{f"data of {kind}": identity[:12] for kind, identity in run.record.get("origin", {}).items()},
        **{f"version of {kind}": version for kind, version in run.record.get("versions", {}).items()},
    }
    # A record from before a field existed lacks it, and such a field is none by default.
    flat = {path: text for path, text in _flat(parts) if text != _NONE}
    return {path: text for path, text in flat.items() if path.rpartition(".")[2] not in (_SEED, *_IDLE)}


def seeds(run: Finished) -> dict[str, str]:
    """The seeds of a run's trainings."""
    parts = {name: value for name, value in run.recipe.items() if name not in _NO_SETTING}
    return {path: text for path, text in _flat(parts) if path.rpartition(".")[2] == _SEED}


def given_name(groups: Sequence[Group]) -> str:
    """What the user calls some groups; empty where they have no names."""
    return " + ".join(dict.fromkeys(group.name for group in groups if group.name))


def short_names(classes: Sequence[Sequence[Group]]) -> list[str]:
    """A name for each class of groups, by what the classes differ in; an empty one where there is one class.

    What the user calls a group comes first. Then come the fields in which the classes differ, or the name of the
    recipe where these are many, or the folder of the first run where nothing else tells the classes apart.
    """
    if len(classes) == 1:
        return [""]
    given = [given_name(groups) for groups in classes]
    telling = _telling([_agreed(groups) for groups in classes])
    by_field = _named_by(telling)
    recipes = [
        " + ".join(dict.fromkeys(run.recipe["name"] for group in groups for run in group.runs)) for groups in classes
    ]
    folders = [groups[0].runs[0].folder.name for groups in classes]
    many = max(map(len, telling)) > _MOST_FIELDS
    own = by_field if not many else recipes if _tell_apart(recipes) else folders
    names = [word or other for word, other in zip(given, own if _tell_apart(own) else folders, strict=True)]
    return names if _tell_apart(names) else folders


def differing(groups: Sequence[Group]) -> list[tuple[str, ...]]:
    """The settings in which groups differ: the path, then the value in each group, ``-`` where it has no such field."""
    paths = dict.fromkeys(path for group in groups for path in group.settings)
    rows = [(path, *(group.settings.get(path, _ABSENT) for group in groups)) for path in paths]
    return [row for row in rows if len(set(row[1:])) > 1]


def _folders(words: Iterable[str]) -> Iterator[tuple[str, Path]]:
    for word in words:
        named = _NAMED.fullmatch(word)
        if named is None or Path(word).exists():
            yield "", Path(word)
            continue
        name, rest = named.groups()
        if not name.strip():
            raise UserError(word, "has no name before =", "write NAME=FOLDER")
        else:
            matching = sorted(glob.glob(rest)) if glob.has_magic(rest) else [rest]
            if not matching:
                raise UserError(word, f"nothing matches {rest}", "give folders of finished runs")
            yield from ((name.strip(), Path(folder)) for folder in matching)


def _refuse_name(name: str, groups: Sequence[Group]) -> None:
    first, other = groups[0].runs[0].folder, groups[1].runs[0].folder
    rows = [f"{path}: {mine} and {theirs}" for path, mine, theirs in differing(groups[:2])]
    raise UserError(name, f"{first} and {other} differ in more than seeds ({'; '.join(rows[:3])})", "give two names")


def _flat(values: Mapping, path: str = "") -> Iterator[tuple[str, str]]:
    """Fields as text. A section has a line of its own, so that one that is none differs from one that is there."""
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield f"{path}{name}", "given"
            yield from _flat(value, f"{path}{name}.")
        elif isinstance(value, list) and value and all(isinstance(item, Mapping) for item in value):
            yield from _flat({f"{name} {number}": item for number, item in enumerate(value, start=1)}, path)
        else:
            yield f"{path}{name}", _text(value)


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, list):
        return " ".join(map(_text, value)) or _NONE
    return _NONE if value is None else str(value)


def _agreed(groups: Sequence[Group]) -> dict[str, str]:
    """The settings that all groups of a class have with one value."""
    first, *others = (group.settings for group in groups)
    return {path: value for path, value in first.items() if all(other.get(path) == value for other in others)}


def _telling(classes: Sequence[Settled]) -> list[dict[str, str]]:
    """Of each class the settings that tell it from others: first by fields that both have, else by absent ones too."""
    paths = list(dict.fromkeys(path for settings in classes for path in settings))
    # What a component is called comes before its settings.
    paths.sort(key=lambda path: not path.endswith(".name"))
    for absent in (None, _ABSENT):
        values = {path: [settings.get(path, absent) for settings in classes] for path in paths}
        telling = [path for path in paths if len(set(values[path]) - {None}) > 1]
        found = [
            {path: text for path in telling if (text := values[path][place]) is not None}
            for place in range(len(classes))
        ]
        if len({json.dumps(settings) for settings in found}) == len(classes):
            return found
    return found


def _named_by(telling: Sequence[Settled]) -> list[str]:
    """The settings as one line, each by the last part of its path where that is enough; folders without their paths."""
    ends = Counter(_end(path) for path in dict.fromkeys(path for settings in telling for path in settings))
    return [
        ", ".join(
            f"{_end(path) if ends[_end(path)] == 1 else path} {value.rstrip('/').rpartition('/')[2]}"
            for path, value in settings.items()
        )
        for settings in telling
    ]


def _end(path: str) -> str:
    """The last part of a path in words; of ``objective.name`` and its like the section, which the name is of.

    >>> _end("train.learning_rate"), _end("objective.name")
    ('learning rate', 'objective')
    """
    section, _, name = path.rpartition(".")
    return (section.rpartition(".")[2] if name == "name" else name).replace("_", " ")


def _tell_apart(names: Sequence[str]) -> bool:
    return len(set(names)) == len(names) and all(names)
