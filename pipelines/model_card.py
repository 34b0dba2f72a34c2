"""The model card of an exported student: use, measures, data, limits and training."""

import json
from collections.abc import Mapping
from dataclasses import dataclass

from huggingface_hub import ModelCardData

from optical.data.registry.datasets import datasets
from optical.data.registry.entry import HUB
from optical.data.registry.languages import known
from optical.evaluation.comparison import Gain
from optical.model.elsewhere import limits_elsewhere
from optical.model.formats.layout import DenseLayer, Layer, Layout
from optical.model.text.frame import Frame
from optical.model.weights import is_hub_id
from optical.recipe import Recipe, TeacherConfig
from optical.report.blocks import Block, Code, Heading, Paragraph, render_blocks
from optical.report.content import DataFacts
from optical.report.provenance import datasets_table, flatten
from optical.report.results import measures_tables
from optical.resources import Resources
from pipelines.cli.repeat import repeat_command
from pipelines.facts import language_name, query_languages

_LOADING = """import torch
{imports}from transformers import AutoModel, AutoTokenizer

folder = "."  # where this file is
tokenizer, model = AutoTokenizer.from_pretrained(folder), AutoModel.from_pretrained(folder)
query = tokenizer({prefix}"{query}", truncation=True, max_length={length}, return_tensors="pt")
with torch.no_grad():
    vectors = model(**query).last_hidden_state[0]
{head}vectors = torch.nn.functional.normalize(vectors, dim=-1)  # one unit vector for each token
{inner}# The score of a passage: each query vector's largest inner product with a passage vector, summed."""
_LOADING_HERE = """from pathlib import Path

from optical.model.encode import encode_texts  # the project that trained it
from optical.model.storage import load_encoder

folder = Path(".")  # where this file is
[vectors] = encode_texts(load_encoder(folder).eval(), ["{query}"], "query", {length})
# The score of a passage: each query vector's largest inner product with a passage vector, summed."""
_NORMALISED = "vectors = torch.nn.functional.normalize(vectors, dim=-1)\n"


@dataclass(frozen=True, kw_only=True)
class CardEncoder:
    """What a card says about the student's folder."""

    dim: int
    """Dimension of the token vectors."""
    layout: Layout
    """How it reads texts, and what follows the transformer."""
    frame: Frame
    """Of its queries."""


def model_card(
    recipe: Recipe, fingerprint: str, encoder: CardEncoder, data: DataFacts, evaluation: Mapping | None
) -> str:
    """The card as Markdown with YAML front matter.

    Args:
        recipe: the recipe that trained the student, from ``public.public_recipe``.
        fingerprint: identity of the run.
        encoder: the student's folder.
        data: data sets and licences, with names from ``public.public_name``.
        evaluation: the content of ``evaluation.json``; None before ``evaluate``.
    """
    languages = query_languages(recipe.bitext)
    spoken = ", ".join(map(language_name, languages))
    teacher = _teacher(recipe.teacher)
    blocks: list[Block] = [
        Paragraph(
            f"A query encoder for {spoken}, distilled from {teacher} by {recipe.objective.means()}. "
            f"{_start(recipe)}It gives one vector per token, {encoder.dim} dimensions. Documents are encoded by the "
            "teacher, and one index of them serves the student as it serves the teacher."
        ),
        Heading("How to load it"),
        Code(_loading(recipe, encoder), "python"),
        *_elsewhere(encoder.layout),
        *_measured(recipe, evaluation),
        *_data(data),
        *_limits(recipe, encoder, spoken, data),
        *_training(recipe, fingerprint),
    ]
    title = f"# OPTICAL student for {spoken} queries"
    return f"---\n{_front(recipe, languages)}\n---\n{title}\n\n{render_blocks(blocks)}\n"


def _teacher(teacher: TeacherConfig) -> str:
    """What the student is distilled from, inside a sentence."""
    if teacher.scratch:
        return "a small teacher trained on English"
    if teacher.training:
        return f"a teacher trained from {teacher.weights} on English questions and passages"
    return f"the teacher {teacher.weights}"


def _start(recipe: Recipe) -> str:
    """Where a student with weights of its own comes from; empty for a copy of the teacher."""
    student = recipe.student
    return f"It started from {student.weights}, not from the teacher. " if student.weights else ""


def _front(recipe: Recipe, languages: list[str]) -> str:
    """The front matter that the hub reads. The publisher decides the licence, which the data sets below restrict."""
    registered = [datasets()[spec] for spec in recipe.bitext.datasets if spec in datasets()]
    on_hub = [entry.origin.removeprefix(HUB) for entry in registered if entry.origin.startswith(HUB)]
    weights = recipe.student.weights or recipe.teacher.weights
    return ModelCardData(
        language=list(dict.fromkeys(map(_hub_code, [*languages, recipe.bitext.target]))),
        license="unknown",
        library_name="transformers",
        pipeline_tag="feature-extraction",
        tags=["late-interaction", "colbert", "cross-lingual", "optical"],
        datasets=list(dict.fromkeys(on_hub)) or None,
        base_model=weights if is_hub_id(weights) else None,
    ).to_yaml()


def _hub_code(code: str) -> str:
    """The hub's code of a language: ISO 639-1 where it exists, else ISO 639-3."""
    found = known(code)
    if found is None:
        return code
    return next((alias for alias in found.aliases if len(alias) == 2), found.code)


def _loading(recipe: Recipe, encoder: CardEncoder) -> str:
    """Code that computes the vectors of a query: of transformers alone, where that can say how the query is read."""
    settings, length = encoder.layout.roles.query, recipe.teacher.query_length
    if settings.marker or settings.expand_to or settings.silent:
        return _LOADING_HERE.format(query="...", length=length)
    head = "".join(_layer(number, layer) for number, layer in enumerate(encoder.layout.head))
    before, after = len(encoder.frame.before), -len(encoder.frame.after) or None
    inner = f"vectors = vectors[{before}:{after or ''}]  # only the text's own tokens score\n"
    return _LOADING.format(
        imports="from safetensors.torch import load_file\n" if "load_file" in head else "",
        prefix=f"{json.dumps(settings.prefix)} + " if settings.prefix else "",
        query="...",
        length=length,
        head=head,
        inner=inner if settings.scored == "inner" else "",
    )


def _elsewhere(layout: Layout) -> list[Block]:
    """Which other programs load the folder, where it has their keys."""
    if layout.format != "colbert":
        return []
    said = "The folder has ColBERT's keys too: ColBERT since August 2024 loads it as a checkpoint of its own"
    return [Paragraph(f"{said}, and so does PLAID-X where the backbone is BERT.")]


def _layer(number: int, layer: Layer) -> str:
    """Code that applies a layer of the head."""
    if not isinstance(layer, DenseLayer):
        return _NORMALISED
    name, bias = f"layer_{number}", f' + layer_{number}["{layer.bias}"]' if layer.bias else ""
    applied = f'vectors @ {name}["{layer.weight}"].T{bias}'
    if layer.activation != "Identity":
        applied = f"torch.nn.{layer.activation}()({applied})"
    return f'{name} = load_file(f"{{folder}}/{layer.weights}")\nvectors = {applied}\n'


def _reading(encoder: CardEncoder) -> str:
    """How a query is read, in sentences."""
    settings = encoder.layout.roles.query
    said = [f"A query is read with {json.dumps(settings.prefix)} in front."] if settings.prefix else []
    if settings.marker:
        said.append(f"The marker {settings.marker} stands before it.")
    if settings.expand_to:
        said.append(f"A shorter query is filled up to {settings.expand_to} tokens, which score too.")
    if settings.scored == "inner":
        said.append("Only the tokens of the text itself score.")
    else:
        but = f" but {len(encoder.frame.silent)} that are silent" if settings.silent else ""
        said.append(f"Every token scores, special tokens included{but}.")
    return " ".join(said)


def _measured(recipe: Recipe, evaluation: Mapping | None) -> list[Block]:
    heading = Heading("What was measured")
    if evaluation is None:
        return [
            heading,
            Paragraph("Nothing yet: the verb evaluate measures it, and export then writes the figures here."),
        ]
    protocol = recipe.evaluation
    # The file sorts its keys; the table has the order of the recipe.
    means = {
        system: {name: values[name] for name in protocol.measures} for system, values in evaluation["measures"].items()
    }
    p, gains = evaluation["p"], {name: Gain.of(gain) for name, gain in evaluation.get("gains", {}).items()}
    caption = f"On {protocol.collection}; in brackets 95 % bootstrap intervals over topics."
    return [heading, *measures_tables(protocol, means, evaluation["intervals"], p, gains, caption)]


def _data(data: DataFacts) -> list[Block]:
    return [
        Heading("Data and licences"),
        datasets_table(data.datasets),
        Paragraph(
            "The licence field above says unknown, because whoever publishes this model has to choose one that these "
            "allow."
        ),
        *map(Paragraph, data.notes),
    ]


def _limits(recipe: Recipe, encoder: CardEncoder, spoken: str, data: DataFacts) -> list[Block]:
    teacher = recipe.teacher
    closed = [fact.name for fact in data.datasets if fact.name in datasets() and not datasets()[fact.name].commercial]
    limits = [
        f"It encodes queries in {spoken}, of at most {teacher.query_length} tokens; the rest is cut. "
        + _reading(encoder),
        f"Passages must be encoded by its own teacher, which reads {teacher.document_length} tokens of each; with "
        "another teacher's index the scores mean nothing." + _other_than_its_weights(teacher),
        "The figures come from one training run and one collection; other topics, domains and seeds give others.",
    ]
    limits += limits_elsewhere(encoder.layout.roles, encoder.layout.head)
    if closed:
        limits.append(f"The licence of {', '.join(closed)} forbids commercial use.")
    return [Heading("Limits"), *map(Paragraph, limits)]


def _other_than_its_weights(teacher: TeacherConfig) -> str:
    """What tells the teacher apart from the weights that it is named by."""
    if teacher.trained:
        return " That teacher was trained by the same run and is not in this folder."
    if teacher.centre != "off":
        return " That teacher may be centred (see the data), by a vector that is not in this folder."
    return ""


def _training(recipe: Recipe, fingerprint: str) -> list[Block]:
    heading, identity = Heading("Training"), Paragraph(f"Recipe {recipe.name}, fingerprint {fingerprint}.")
    if command := repeat_command(recipe, Resources()):
        note = "This command trains it again. Files of one's own are named without their folders."
        return [heading, identity, Paragraph(note), Code(command, "sh")]
    listed = "\n".join(f"{name}: {value}" for name, value in flatten(recipe.as_dict()))
    return [heading, identity, Paragraph("No registered recipe has that name; these are its settings."), Code(listed)]
