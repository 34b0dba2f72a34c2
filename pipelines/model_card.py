"""The model card of an exported student: use, measures, data, limits and training."""

from collections.abc import Mapping

from huggingface_hub import ModelCardData

from optical.data.registry.datasets import datasets
from optical.data.registry.entry import HUB
from optical.data.registry.languages import known
from optical.evaluation.comparison import Gain
from optical.model.weights import is_hub_id
from optical.recipe import Recipe, TeacherConfig
from optical.report.blocks import Block, Code, Heading, Paragraph, render_blocks
from optical.report.content import DataFacts
from optical.report.differences import differences_in_words
from optical.report.provenance import datasets_table, flatten
from optical.report.results import measures_block
from optical.resources import Resources
from pipelines.cli.repeat import repeat_command
from pipelines.facts import language_name, query_languages

_LOADING = """import torch
from transformers import AutoModel, AutoTokenizer
{imports}
folder = "."  # where this file is
tokenizer, model = AutoTokenizer.from_pretrained(folder), AutoModel.from_pretrained(folder)
query = tokenizer("{query}", truncation=True, max_length={length}, return_tensors="pt")
with torch.no_grad():
    vectors = model(**query).last_hidden_state[0]
{projection}vectors = torch.nn.functional.normalize(vectors, dim=-1)  # one unit vector for each token
# The score of a passage: each query vector's largest inner product with a passage vector, summed."""
_PROJECTION = 'vectors = vectors @ load_file(f"{folder}/1_Dense/model.safetensors")["linear.weight"].T\n'


def model_card(
    recipe: Recipe, fingerprint: str, dim: int, projected: bool, data: DataFacts, evaluation: Mapping | None
) -> str:
    """The card as Markdown with YAML front matter.

    Args:
        recipe: the recipe that trained the student, from ``public.public_recipe``.
        fingerprint: identity of the run.
        dim: dimension of the token vectors.
        projected: whether a linear map follows the last layer.
        data: data sets and licences, with names from ``public.public_name``.
        evaluation: the content of ``evaluation.json``; None before ``evaluate``.
    """
    languages = query_languages(recipe.bitext)
    spoken = ", ".join(map(language_name, languages))
    teacher = _teacher(recipe.teacher)
    blocks: list[Block] = [
        Paragraph(
            f"A query encoder for {spoken}, distilled from {teacher} by {recipe.objective.means()}. "
            f"It gives one vector per token, {dim} dimensions. Documents are encoded by the teacher, and one index of "
            "them serves the student as it serves the teacher."
        ),
        Heading("How to load it"),
        Code(_loading(recipe, projected), "python"),
        *_measured(recipe, evaluation),
        *_data(data),
        *_limits(recipe, spoken, data),
        *_training(recipe, fingerprint),
    ]
    title = f"# OPTICAL student for {spoken} queries"
    return f"---\n{_front(recipe, languages)}\n---\n{title}\n\n{render_blocks(blocks)}\n"


def _teacher(teacher: TeacherConfig) -> str:
    """What the student is distilled from, inside a sentence."""
    if teacher.scratch:
        return "a small English teacher"
    if teacher.training:
        return f"an English teacher trained from {teacher.weights} on questions and passages"
    return f"the English teacher {teacher.weights}"


def _front(recipe: Recipe, languages: list[str]) -> str:
    """The front matter that the hub reads. The publisher decides the licence, which the data sets below restrict."""
    registered = [datasets()[spec] for spec in recipe.bitext.datasets if spec in datasets()]
    on_hub = [entry.origin.removeprefix(HUB) for entry in registered if entry.origin.startswith(HUB)]
    weights = recipe.teacher.weights
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


def _loading(recipe: Recipe, projected: bool) -> str:
    return _LOADING.format(
        imports="from safetensors.torch import load_file\n" if projected else "",
        query="...",
        length=recipe.teacher.query_length,
        projection=_PROJECTION if projected else "",
    )


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
    caption = f"On {protocol.collection}; in brackets 95 % bootstrap intervals over topics; "
    caption += differences_in_words(protocol, p, gains)
    return [heading, measures_block(protocol, means, evaluation["intervals"], p, gains, caption)]


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


def _limits(recipe: Recipe, spoken: str, data: DataFacts) -> list[Block]:
    teacher = recipe.teacher
    closed = [fact.name for fact in data.datasets if fact.name in datasets() and not datasets()[fact.name].commercial]
    limits = [
        f"It encodes queries in {spoken}, of at most {teacher.query_length} tokens; the rest is cut. Every token "
        "scores, [CLS] and [SEP] included; there is no marker and no query augmentation.",
        f"Passages must be encoded by its own teacher, which reads {teacher.document_length} tokens of each; with "
        "another teacher's index the scores mean nothing."
        + (" That teacher was trained by the same run and is not in this folder." if teacher.trained else ""),
        "The figures come from one training run and one collection; other topics, domains and seeds give others.",
    ]
    if closed:
        limits.append(f"The licence of {', '.join(closed)} forbids commercial use.")
    return [Heading("Limits"), *map(Paragraph, limits)]


def _training(recipe: Recipe, fingerprint: str) -> list[Block]:
    heading, identity = Heading("Training"), Paragraph(f"Recipe {recipe.name}, fingerprint {fingerprint}.")
    if command := repeat_command(recipe, Resources()):
        note = "This command trains it again. Files of one's own are named without their folders."
        return [heading, identity, Paragraph(note), Code(command, "sh")]
    listed = "\n".join(f"{name}: {value}" for name, value in flatten(recipe.as_dict()))
    return [heading, identity, Paragraph("No registered recipe has that name; these are its settings."), Code(listed)]
