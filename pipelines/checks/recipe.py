"""Checks of the recipe: languages, data, collection, teacher and fields. Nothing is fetched."""

from collections.abc import Iterator
from pathlib import Path

from optical.data.bitext.sources import parse_source, source_language, understood
from optical.data.collections.opening import open_collection
from optical.data.fetch.availability import availability, reachable
from optical.data.registry.datasets import datasets
from optical.data.registry.entry import DataSet
from optical.data.registry.languages import language
from optical.errors import OpticalError
from optical.evaluation.baselines import FIELD, Translation
from optical.evaluation.pretrained import parse_pretrained
from optical.model.translators.folder import check_translator, find_translator
from optical.model.weights import find_weights, hub_address
from optical.recipe import Recipe
from pipelines.checks import Finding, findings
from pipelines.checks.baselines import translators
from pipelines.checks.faults import check_pretrained, faults
from pipelines.environment import Settings
from pipelines.graph.compared import compared_with
from pipelines.graph.workspace import Workspace


def languages(recipe: Recipe, settings: Settings) -> Iterator[Finding]:
    """Whether every language is in the table of languages and agrees with the registered data sets."""
    config = understood(recipe.bitext)
    codes = [*(source_language(spec, config.source) for spec in config.datasets), config.target]
    yield Finding("languages", True, ", ".join(dict.fromkeys(language(code).name for code in codes)))


def bitext(recipe: Recipe, settings: Settings) -> Iterator[Finding]:
    """Whether every source of pairs exists, or can be fetched."""
    trained = recipe.teacher.trained
    for spec in (*recipe.bitext.datasets, *(trained.pairs if trained else ())):
        try:
            found = parse_source(spec)
        except OpticalError as error:
            yield Finding(f"data {spec}", False, str(error))
            continue
        if isinstance(found, DataSet):
            yield _registered(found, settings)
        else:
            yield Finding(f"data {spec}", True, f"{len(found.paths)} file(s), read as {found.reader}")


def collection(recipe: Recipe, settings: Settings) -> Iterator[Finding]:
    """Whether the test collection exists, or can be fetched; a local one is read."""
    spec = recipe.evaluation.collection
    if spec in datasets():
        yield _registered(datasets()[spec], settings)
        return
    found = open_collection(spec, settings.cache, settings.mirror)
    counts = {part: len(getattr(found, part) or ()) for part in ("passages", "topics", "qrels")}
    seen = [f"{count:,} {part}" for part, count in counts.items()]
    lacking = [] if all(counts.values()) else ["so there is nothing to measure"]
    yield Finding(f"data {spec}", counts["passages"] > 0, ", ".join([*seen, *lacking, *found.remarks]))


def compared(recipe: Recipe, settings: Settings) -> Iterator[Finding]:
    """Which test collections the pairs of a run on this machine are compared with; other machines may have others."""
    if not all(finding.fine for finding in findings(languages, recipe, settings)):
        return
    found = compared_with(Workspace(recipe, settings), questions=False)
    if found is None:
        yield Finding("test leaks", True, "the pairs are compared with no test collection")
        return
    missed = [f"{name} ({why})" for name, why in found.missed.items()]
    seen = f"the pairs are compared with {', '.join(found.names)}"
    yield Finding("test leaks", True, f"{seen}; not with {', '.join(missed)}" if missed else seen)


def teacher(recipe: Recipe, settings: Settings) -> Iterator[Finding]:
    """Whether the teacher's weights, or those that its training starts from, exist or can be fetched."""
    config = recipe.teacher
    if config.weights == "scratch":
        yield Finding("teacher", True, "trained by the run")
    else:
        yield _weights("teacher", config.weights, config.revision, settings)


def student(recipe: Recipe, settings: Settings) -> Iterator[Finding]:
    """Whether the student's own weights exist, or can be fetched, if it has some."""
    if recipe.student.weights:
        yield _weights("student", recipe.student.weights, recipe.student.revision, settings)


def pretrained(recipe: Recipe, settings: Settings) -> Iterator[Finding]:
    """Whether every pretrained encoder to compare with exists, or can be fetched, and reads texts as its spec says."""
    for spec in recipe.evaluation.pretrained:
        encoder = parse_pretrained(spec)
        try:
            address = hub_address(encoder.weights, encoder.revision)
            if address:
                yield _fetchable(spec, address)
            else:
                yield Finding(spec, True, str(check_pretrained(spec, settings.cache)))
        except OpticalError as error:
            yield Finding(spec, False, str(error))


def translation_models(recipe: Recipe, settings: Settings) -> Iterator[Finding]:
    """Whether every translation model exists, or can be fetched, and knows its languages."""
    for by in translators(recipe):
        spec = Translation(by).name
        try:
            if address := hub_address(by.weights, by.revision):
                yield _fetchable(spec, address)
                continue
            folder = find_translator(by.weights, by.revision, FIELD)
            check_translator(folder, by.codes, FIELD)
            yield Finding(spec, True, str(folder))
        except OpticalError as error:
            yield Finding(spec, False, str(error))


def fields(recipe: Recipe, settings: Settings) -> Iterator[Finding]:
    """Whether the recipe's fields are possible with these weights, as far as they are available."""
    teacher, student = recipe.teacher, recipe.student
    folder = None if teacher.scratch else _here(teacher.weights, teacher.revision, settings)
    own = _here(student.weights, student.revision, settings) if student.weights else None
    found = list(faults(recipe, folder, own))
    yield from (Finding(fault.where, False, str(fault)) for fault in found)
    if not found:
        yield Finding("fields", True, "nothing is out of range")


CHECKS = (languages, bitext, collection, compared, teacher, student, pretrained, translation_models, fields)


def _weights(section: str, weights: str, revision: str | None, settings: Settings) -> Finding:
    if address := hub_address(weights, revision):
        return _fetchable(section, address)
    return Finding(section, True, str(find_weights(weights, revision, settings.cache, section)))


def _here(weights: str, revision: str | None, settings: Settings) -> Path | None:
    """The folder of pretrained weights; None without them (another check reports why)."""
    if hub_address(weights, revision):
        return None
    try:
        return find_weights(weights, revision, settings.cache)
    except OpticalError:
        return None


def _fetchable(what: str, address: str) -> Finding:
    fine = reachable(address)
    seen = f"to be fetched from {address}" if fine else f"not on this machine, and {address} does not answer"
    return Finding(what, fine, seen)


def _registered(entry: DataSet, settings: Settings) -> Finding:
    place = availability([entry], settings.cache, settings.mirror)[entry.name]
    where = {
        "no": f"neither in the cache nor in the mirror, and {entry.origin} does not answer",
        "origin": f"to be fetched from {entry.origin}",
        "built in": "generated here",
    }.get(place, f"in the {place}")
    return Finding(f"data {entry.name}", place != "no", f"{where}, {entry.licence}")
