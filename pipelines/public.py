"""Recipes for publication: local files and folders are named without their paths."""

import re
from dataclasses import replace
from pathlib import Path

from optical.data.registry.datasets import datasets
from optical.evaluation.baselines import Translation, is_fusion, parse_baseline
from optical.evaluation.pretrained import parse_pretrained
from optical.model.weights import PACKAGED, is_hub_id
from optical.recipe import Recipe


def public_name(spec: str) -> str:
    """The public name of a data set: a registered name, an address, or the file's name without its folders.

    >>> public_name("/home/me/data/pairs.tsv@som"), public_name("x/a.swa+x/a.eng"), public_name("../topics/")
    ('pairs.tsv@som', 'a.swa+a.eng', 'topics')
    """
    if spec in datasets() or re.match("(s3|gs|hf|ir_datasets):", spec):
        return spec
    name = re.sub(r"[^+!:]*/", "", re.sub(r"^file://", "", spec).rstrip("/"))
    # A file with the name of a registered data set stays recognisable as a file.
    return f"./{name}" if name in datasets() else name


def public_weights(name: str) -> str:
    """The public name of an encoder: a registered model, a hub id, or the folder's name without its path.

    >>> public_weights("/home/me/teacher"), public_weights("scratch")
    ('teacher', 'scratch')
    """
    return name if name in PACKAGED or is_hub_id(name) else Path(name).name


def public_recipe(recipe: Recipe) -> Recipe:
    """The recipe without local paths."""
    bitext, teacher, student, evaluation = recipe.bitext, recipe.teacher, recipe.student, recipe.evaluation
    teacher = replace(teacher, weights=public_weights(teacher.weights))
    if teacher.scratch:
        teacher = replace(teacher, scratch=replace(teacher.scratch, pairs=_public(teacher.scratch.pairs)))
    if teacher.training:
        teacher = replace(teacher, training=replace(teacher.training, pairs=_public(teacher.training.pairs)))
    return replace(
        recipe,
        bitext=replace(bitext, datasets=_public(bitext.datasets)),
        teacher=teacher,
        student=replace(student, weights=student.weights and public_weights(student.weights)),
        evaluation=replace(
            evaluation,
            collection=public_name(evaluation.collection),
            pretrained=tuple(map(public_pretrained, evaluation.pretrained)),
            baselines=tuple(map(public_baseline, evaluation.baselines)),
        ),
    )


def public_pretrained(spec: str) -> str:
    """The public spec of a pretrained encoder: a folder is named without its path.

    >>> public_pretrained("late:/home/me/e5/")
    'late:e5'
    """
    encoder = parse_pretrained(spec)
    return spec if encoder.revision else f"{encoder.kind}:{public_weights(encoder.weights)}"


def public_baseline(spec: str) -> str:
    """The public spec of a baseline: the folder of a translation model is named without its path.

    >>> public_baseline("translate:/home/me/nllb:swh_Latn-eng_Latn"), public_baseline("fusion:student+bm25:query")
    ('translate:nllb:swh_Latn-eng_Latn', 'fusion:student+bm25:query')
    """
    if is_fusion(spec):
        return spec
    baseline = parse_baseline(spec, ())
    named = isinstance(baseline, Translation) and baseline.by and not is_hub_id(baseline.by.weights)
    return baseline.name if named else spec


def _public(specs: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(map(public_name, specs))
