"""The registry and the languages table."""

import re

import pytest

from optical.data.entry import GENERATOR, DataFile
from optical.data.languages import canonical, language, languages
from optical.data.registry import dataset, datasets
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


def test_every_fetched_entry_is_pinned_and_licensed():
    for entry in datasets().values():
        assert language(entry.source).code == entry.source
        assert entry.licence and entry.attribution and entry.files
        if entry.origin != GENERATOR:
            assert re.fullmatch("[0-9a-f]{40}", entry.commit), entry.name
            assert all(re.fullmatch("[0-9a-f]{64}", file.sha256) for file in entry.files), entry.name


def test_one_sha256_belongs_to_one_file():
    files = {file for entry in datasets().values() for file in entry.files if file.sha256}
    assert len({file.sha256 for file in files}) == len(files)


def test_url_is_pinned_to_the_commit():
    entry = dataset("globalvoices-swa")
    url = entry.url(DataFile("a/b.txt", None, ""))
    assert url == f"https://raw.githubusercontent.com/masakhane-io/lafand-mt/{entry.commit}/a/b.txt"


def test_the_swahili_test_questions_are_in_no_bitext():
    for entry in datasets().values():
        if entry.kind == "bitext":
            assert not any("afriqa.swa.en.test" in file.path for file in entry.files)
