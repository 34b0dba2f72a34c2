"""The registry and the languages table."""

import re

import pytest

from optical.data.bitext.readers import formats
from optical.data.collections.opening import READERS as COLLECTION_READERS
from optical.data.fetch.resolve import cached_path
from optical.data.registry.datasets import dataset, datasets
from optical.data.registry.entry import BUILT_IN, DataFile
from optical.data.registry.families import entries
from optical.data.registry.languages import canonical, language, languages
from optical.errors import UserError


def test_aliases_regions_and_case_lead_to_one_language():
    for code in ("swa", "sw", "swh", "SW", "sw-KE", "swh_Latn"):
        assert language(code).name == "Swahili"
    assert language("nso").name == "Northern Sotho"


def test_no_code_means_two_languages():
    codes = [code for entry in languages().values() for code in (entry.code, *entry.aliases)]
    assert len(codes) == len(set(codes))


def test_tiers_of_the_seven_languages_are_declared():
    assert {language(code).tier for code in ("swa", "som", "tgl", "mar")} == {"low"}
    assert language("fin").tier == "medium"
    assert {language(code).tier for code in ("deu", "fra", "eng")} == {"high"}


def test_unknown_language_names_near_ones():
    with pytest.raises(UserError, match=r"swx.*did you mean .*sw"):
        language("swx")
    assert canonical("XX-yy") == "xx"


def test_unknown_data_set_names_near_ones():
    with pytest.raises(UserError, match="did you mean .*globalvoices-swa"):
        dataset("globalvoice-swa")


def test_registry_holds_what_the_recipes_name():
    wanted = {"demo", "demo-questions", "demo-topics", "globalvoices-swa", "tico19-swa", "afriqa-swa", "xquad-deu"}
    assert wanted | {"afriqa-questions-swa", "tico19-som", "tico19-mar", "tico19-tgl", "tico19-fra"} <= set(datasets())


def test_every_entry_is_licensed_and_read_by_a_reader():
    for entry in datasets().values():
        assert language(entry.source).code == entry.source
        assert entry.licence and entry.attribution and entry.files
        assert (entry.reader in COLLECTION_READERS) if entry.kind == "collection" else (entry.reader in formats())


def test_everything_but_the_web_is_pinned_by_commit_and_hash():
    for entry in datasets().values():
        if entry.name.startswith(("opus-", "webfaq-", "xor-tydi-questions-")):
            assert all(file.sha256 is None for file in entry.files)
        elif entry.origin != BUILT_IN:
            assert re.fullmatch("[0-9a-f]{40}", entry.commit), entry.name
            assert all(re.fullmatch("[0-9a-f]{64}", file.sha256) for file in entry.files), entry.name
            assert entry.count, entry.name


def test_no_name_is_given_twice():
    names = [entry.name for entry in entries()]
    assert len(names) == len(set(names))


def test_every_language_of_the_mirror_has_bitext():
    with_bitext = {entry.source for entry in datasets().values() if entry.kind == "bitext"}
    assert {"swa", "som", "tgl", "mar", "fin", "deu", "fra"} <= with_bitext


def test_a_cached_file_is_one_place_for_one_hash():
    hashes: dict[str, set] = {}
    for entry in datasets().values():
        for file in entry.files:
            hashes.setdefault(str(cached_path(entry, file, "")), set()).add((file.sha256, file.mirror))
    assert max(map(len, hashes.values())) == 1


@pytest.mark.parametrize(
    ("name", "url"),
    [
        ("opus-ccaligned-deu", "https://object.pouta.csc.fi/OPUS-CCAligned/v1/moses/de-en.txt.zip"),
        ("opus-tatoeba-fin", "https://object.pouta.csc.fi/OPUS-Tatoeba/v2023-04-12/moses/en-fi.txt.zip"),
        ("webfaq-swa", "https://huggingface.co/datasets/PaDaS-Lab/webfaq-v2-bitexts/resolve/main/data/eng.jsonl.gz"),
        ("xor-tydi-questions-fin", "https://nlp.cs.washington.edu/xorqa/XORQA_site/data/fi-en.zip"),
        ("medquad", None),
        ("demo", None),
    ],
)
def test_origins_other_than_github(name: str, url: str | None):
    entry = dataset(name)
    assert entry.url(entry.files[0]) == url


def test_non_commercial_licences_are_known_as_such():
    assert not dataset("opus-ted2020-swa").commercial
    assert dataset("opus-tatoeba-swa").commercial and dataset("tico19-swa").commercial


@pytest.mark.parametrize("prefix", ["xquad", "afriqa", "ntrex-headlines", "tatoeba-v1", "belebele", "xor-tydi-dev"])
def test_no_file_of_a_collection_with_judgements_is_bitext(prefix: str):
    tested = {file.path for entry in datasets().values() for file in entry.files if entry.name.startswith(f"{prefix}-")}
    trained = {file.path for entry in datasets().values() for file in entry.files if entry.kind == "bitext"}
    if prefix == "afriqa":
        tested = {path for path in tested if "gold_passages" in path}
    assert not tested & trained


def test_url_is_pinned_to_the_commit():
    entry = dataset("globalvoices-swa")
    url = entry.url(DataFile("a/b.txt", None, ""))
    assert url == f"https://raw.githubusercontent.com/masakhane-io/lafand-mt/{entry.commit}/a/b.txt"


def test_the_swahili_test_questions_are_in_no_bitext():
    for entry in datasets().values():
        if entry.kind == "bitext":
            assert not any("afriqa.swa.en.test" in file.path for file in entry.files)
