"""Facts of a run for its report and its model card: its data, and the work of its verbs."""

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from optical import components
from optical.data.batches.token_shards import read_lengths
from optical.data.bitext.config import BitextConfig
from optical.data.bitext.screen import REASONS
from optical.data.bitext.sources import source_language
from optical.data.registry.datasets import datasets
from optical.data.registry.languages import known
from optical.evaluation.pretrained import parse_pretrained
from optical.evaluation.runs import read_qrels
from optical.model.weights import PACKAGED
from optical.recipe import Recipe, components_of
from optical.report.content import CollectionFacts, DataFacts, DatasetFact, Work
from optical.tracking.journal import read_journal
from pipelines.checks.baselines import translators
from pipelines.circumstances import WORK
from pipelines.graph.bitext import BITEXT, QUESTIONS, rejects
from pipelines.graph.collection import COLLECTION
from pipelines.graph.student import STUDENT_START, TOKENS, other_prefix
from pipelines.graph.teacher import TEACHER
from pipelines.graph.workspace import Workspace
from pipelines.public import public_weights
from pipelines.recipes import known as registered_recipe

_WEIGHTS = "pretrained weights"


def collection_facts(workspace: Workspace) -> CollectionFacts:
    """The test collection in numbers."""
    info = workspace.info(COLLECTION)
    qrels = list(read_qrels(workspace.path(COLLECTION) / "qrels.txt"))
    name = workspace.recipe.evaluation.collection
    relevant = sum(qrel.relevance > 0 for qrel in qrels)
    return CollectionFacts(name, _topic_language(name), info["passages"], info["topics"], len(qrels), relevant)


def data_facts(workspace: Workspace, called: Callable[[str], str] = str) -> DataFacts:
    """The counts of the sentence pairs, and every data set and model that the run used.

    Args:
        workspace: the run's.
        called: gives the name of a data set that the reader sees.
    """
    bitext = workspace.info(BITEXT)
    collection = workspace.info(COLLECTION)
    name = workspace.recipe.evaluation.collection
    counts = f"{collection['topics']:,} topics over {collection['passages']:,} passages"
    size = "; ".join([counts, *collection["remarks"]])
    facts = [
        *_bitext(bitext, workspace.recipe.bitext),
        *_questions(workspace),
        DatasetFact(name, collection["licence"], "evaluation", size, _topic_language(name)),
    ]
    return DataFacts(
        accepted=sum(bitext["accepted"].values()),
        rejects=rejects(bitext),
        meanings=REASONS | {"accepted": "clean pairs, to learn from", "all pairs": "every pair that was read"},
        datasets=[*(replace(fact, name=called(fact.name)) for fact in facts), *_weights(workspace)],
        notes=[_split(workspace), *_comparisons(workspace, called), *_encoders(workspace)],
    )


def registered_settings(recipe: Recipe) -> dict | None:
    """The recipe registered under a recipe's name as plain values, or None where there is none.

    Where ``recipe`` has another component, that component's own defaults stand for its fields, so that a report counts
    the choice as one changed setting.
    """
    if (base := registered_recipe(recipe.name)) is None:
        return None
    plain = base.as_dict()
    for section, config in components_of(base).items():
        kind = components.kind_of(type(config))
        chosen = getattr(getattr(recipe, section), kind.field, "") if kind else ""
        if kind and chosen in components.names(kind.package):
            other: Any = components.replaced(config, kind, chosen, f"{section}.{kind.field}")
            settings = replace(base, **{section: other}).as_dict()[section]
            plain[section] = settings | {kind.field: getattr(config, kind.field)}
    return plain


def work_done(run_dir: Path) -> list[Work]:
    """The work of each verb on each machine, ordered by the end of its first session; empty without a record."""
    path = run_dir / WORK
    done: dict[tuple[str, str, str], Work] = {}
    for row in read_journal(path) if path.exists() else []:
        key = row["verb"], row["machine"], row["versions"]
        before = done[key].seconds if key in done else 0.0
        finished = time.strftime("%Y-%m-%d %H:%M", time.gmtime(row["time"]))
        done[key] = Work(row["verb"], round(before + row["seconds"], 2), finished, row["machine"], row["versions"])
    return list(done.values())


def language_and_tier(code: str) -> str:
    """The name of a language and its resource tier.

    >>> language_and_tier("swa"), language_and_tier("zzz")
    ('Swahili (low resource)', 'zzz')
    """
    found = known(code)
    return f"{found.name} ({found.tier} resource)" if found else code


def language_name(code: str) -> str:
    """The name of a language.

    >>> language_name("swa"), language_name("zzz")
    ('Swahili', 'zzz')
    """
    found = known(code)
    return found.name if found else code


def query_languages(config: BitextConfig) -> list[str]:
    """The query language of each data set, each once."""
    return list(dict.fromkeys(source_language(spec, config.source) for spec in config.datasets))


def _topic_language(collection: str) -> str:
    registered = datasets().get(collection)
    return language_and_tier(registered.source) if registered else "a language that the collection does not name"


def _bitext(info: Mapping, config: BitextConfig) -> list[DatasetFact]:
    facts = []
    for name, licence in info["licences"].items():
        size, language = (
            f"{info['accepted'].get(name, 0):,} pairs",
            language_and_tier(source_language(name, config.source)),
        )
        facts.append(DatasetFact(name, licence, "bitext", size, language))
    return facts


def _questions(workspace: Workspace) -> list[DatasetFact]:
    """What a teacher that the run trains learns from."""
    if not workspace.has(QUESTIONS):
        return []
    info = workspace.info(QUESTIONS)
    sizes = {name: f"{info['accepted'].get(name, 0):,} question-passage pairs" for name in info["licences"]}
    return [DatasetFact(name, info["licences"][name], "teacher", size, "English") for name, size in sizes.items()]


def _weights(workspace: Workspace) -> list[DatasetFact]:
    """The pretrained weights that the teacher is or starts from; those of the student; models to compare with."""
    recipe = workspace.recipe
    compared = dict.fromkeys(
        [parse_pretrained(spec).weights for spec in recipe.evaluation.pretrained]
        + [by.weights for by in translators(recipe)]
    )
    uses = [
        *([] if recipe.teacher.scratch else [("teacher", recipe.teacher.weights)]),
        *([("student", recipe.student.weights)] if recipe.student.weights else []),
        *(("comparison", name) for name in compared),
    ]
    return [_weights_fact(use, name) for use, name in uses]


def _weights_fact(use: str, weights: str) -> DatasetFact:
    licence, languages = "see where it comes from", "see its card"
    if packaged := PACKAGED.get(weights):
        licence, languages = packaged.licence, packaged.languages
    return DatasetFact(public_weights(weights), licence, use, _WEIGHTS, languages)


def _split(workspace: Workspace) -> str:
    """The split of the accepted pairs, and the share of sentences that training cuts."""
    info = workspace.info(TOKENS)
    train = workspace.recipe.train
    lengths = read_lengths(workspace.path(TOKENS))
    sides = (("source", lengths.source, train.source_length), ("target", lengths.target, train.target_length))
    cut = [f"{np.mean(tokens > most):.1%} of the {side} sides to {most} tokens" for side, tokens, most in sides]
    return (
        f"Of the accepted pairs {info['train']:,} were trained on, {info['dev']:,} held out for the dev measures, and "
        f"{info['no_tokens']:,} left out because a side had no token. Training cut {' and '.join(cut)}."
    )


def _encoders(workspace: Workspace) -> list[str]:
    """How the teacher was centred, how the student came into its space, and what a student of its own reads."""
    recipe, told = workspace.recipe, []
    if recipe.teacher.centre != "off":
        told.append(f"Centring of the teacher: {workspace.info(TEACHER)['centring']}.")
    if recipe.student.is_fitted:
        told.append(f"Start of the student: {workspace.info(STUDENT_START)['start']}.")
    if prefix := other_prefix(workspace):
        told.append(f"The student {prefix}.")
    return told


def _comparisons(workspace: Workspace, called: Callable[[str], str]) -> list[str]:
    """The test collections that the pairs of the student, and those of a trained teacher, were compared with."""
    pairs = {BITEXT: "The pairs", QUESTIONS: "The question-passage pairs of the teacher"}
    return [_comparison(workspace.info(node), what, called) for node, what in pairs.items() if workspace.has(node)]


def _comparison(info: Mapping, pairs: str, called: Callable[[str], str]) -> str:
    if "compared_with" not in info:
        return f"{pairs} were not compared with any test collection (bitext.cleaning.drop_test_leaks is off)."
    told = f"{pairs} were compared with the test collections {', '.join(map(called, info['compared_with']))}."
    missed = [f"{called(name)} ({why})" for name, why in info["not_compared_with"].items()]
    return told + (f" Not compared with {', '.join(missed)}." if missed else "")
