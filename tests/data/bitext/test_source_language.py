"""Several query languages in one run: each data set may have its own."""

import pytest

from optical.data.bitext.sources import parse_source, source_language, split_language
from optical.data.fetch.resolve import Resolved
from optical.data.registry.datasets import datasets
from optical.errors import UserError


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ("pairs.tsv@som", ("pairs.tsv", "som")),
        ("a.som+a.eng@som", ("a.som+a.eng", "som")),
        ("pairs.tsv", ("pairs.tsv", None)),
        ("hf://datasets/who/what@0a1b2c/pairs.tsv", ("hf://datasets/who/what@0a1b2c/pairs.tsv", None)),
        ("pairs.tsv@so", ("pairs.tsv", "som")),
        ("x@swa/pairs.tsv", ("x@swa/pairs.tsv", None)),
    ],
)
def test_a_suffix_is_a_language_at_the_end(spec, expected):
    assert split_language(spec) == expected


def test_a_suffix_goes_before_the_recipe_and_the_registry_answers_a_star():
    registered = next(entry for entry in datasets().values() if entry.kind == "bitext" and entry.source != "swa")
    assert source_language("pairs.tsv@so", "swa") == source_language("pairs.tsv@som", "*") == "som"
    assert source_language("pairs.tsv", "swa") == "swa"
    assert source_language(registered.name, "*") == registered.source
    with pytest.raises(UserError, match=r"names no language, and bitext.source is \*; give pairs.tsv@ and its ISO"):
        source_language("pairs.tsv", "*")


def test_the_file_is_found_without_the_suffix(tmp_path):
    (tmp_path / "pairs.tsv").write_text("maji\twater\n")
    found = parse_source(f"{tmp_path}/pairs.tsv@swa")
    assert isinstance(found, Resolved)
    assert [str(path) for path in found.paths] == [f"{tmp_path}/pairs.tsv"]
