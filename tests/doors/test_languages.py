"""Languages come in by codes, tags and names: understood with their script, or refused with what was meant."""

import json
from pathlib import Path

import numpy as np
import pytest

from optical.data.bitext.config import BitextConfig, CleaningConfig
from optical.data.bitext.readers import read_pairs
from optical.data.bitext.screen import Limits
from optical.data.bitext.shards import CHECKED
from optical.data.bitext.sources import parse_source, source_language, split_language, understood
from optical.data.cleaning.codepoints import script_shares
from optical.data.cleaning.predicates import Cleaning, clean
from optical.data.registry.datasets import datasets
from optical.data.registry.languages import canonical, known, language, languages
from optical.errors import UserError
from pipelines.cli.listing import listed
from pipelines.cli.parse import parse
from pipelines.environment import Settings
from pipelines.graph.bitext import BITEXT
from pipelines.graph.workspace import Workspace

SAMPLES = {
    "Adlm": "\U0001e900\U0001e92b\U0001e924\U0001e922\U0001e925",
    "Arab": "\u0643\u062a\u0627\u0628 \u0645\u0641\u064a\u062f",
    "Armn": "\u0562\u0561\u0580\u0587 \u0541\u0565\u0566",
    "Bali": "\u1b05\u1b13\u1b44\u1b31\u1b2d",
    "Beng": "\u0986\u09ae\u09be\u09b0 \u09b8\u09cb\u09a8\u09be\u09b0",
    "Bugi": "\u1a05\u1a01\u1a12\u1a17\u1a0c",
    "Cans": "\u1403\u14c4\u1483\u144e\u1450\u1466",
    "Cher": "\u13e3\u13b3\u13a9",
    "Cyrl": "\u041c\u0430\u043c\u0430 \u043c\u044b\u043b\u0430",
    "Deva": "\u092e\u0941\u0932\u0947 \u0936\u093e\u0933\u0947\u0924",
    "Ethi": "\u1230\u120b\u121d \u1208\u12d3\u1208\u121d",
    "Geor": "\u10d2\u10d0\u10db\u10d0\u10e0\u10ef\u10dd\u10d1\u10d0",
    "Goth": "\U00010330\U00010344\U00010344\U00010330",
    "Grek": "\u03ba\u03b1\u03bb\u03b7\u03bc\u03ad\u03c1\u03b1",
    "Gujr": "\u0aa8\u0aae\u0ab8\u0acd\u0aa4\u0ac7",
    "Guru": "\u0a38\u0a24 \u0a38\u0a4d\u0a30\u0a40",
    "Hang": "\uc548\ub155\ud558\uc138\uc694",
    "Hans": "\u4f60\u597d\u4e16\u754c",
    "Hant": "\u4f60\u597d\u4e16\u754c\u5ee3\u6771\u8a71",
    "Hebr": "\u05e9\u05dc\u05d5\u05dd \u05e2\u05d5\u05dc\u05dd",
    "Jpan": "\u3053\u3093\u306b\u3061\u306f\u30b3\u30fc\u30d2\u30fc\u3092\u98f2\u3080",
    "Khmr": "\u179f\u17bd\u179f\u17d2\u178f\u17b8",
    "Knda": "\u0ca8\u0cae\u0cb8\u0ccd\u0c95\u0cbe\u0cb0",
    "Laoo": "\u0eaa\u0eb0\u0e9a\u0eb2\u0e8d\u0e94\u0eb5",
    "Latn": "na\u00efve \u1ecd\u0300r\u1ecd\u0300 \u01b4",
    "Mlym": "\u0d28\u0d2e\u0d38\u0d4d\u0d15\u0d3e\u0d30\u0d02",
    "Mong": "\u182e\u1823\u1829\u182d\u1823\u182f",
    "Mtei": "\uabc3\uabe4\uabc7\uabe9",
    "Mymr": "\u1019\u1004\u103a\u1039\u1002\u101c\u102c\u1015\u102b",
    "Nkoo": "\u07cc\u07d0\u07d5\u07de\u07cf",
    "Olck": "\u1c65\u1c5f\u1c71\u1c5b\u1c5f\u1c72",
    "Orya": "\u0b28\u0b2e\u0b38\u0b4d\u0b15\u0b3e\u0b30",
    "Sinh": "\u0d86\u0dba\u0dd4\u0db6\u0ddd\u0dc0\u0db1\u0dca",
    "Taml": "\u0bb5\u0ba3\u0b95\u0bcd\u0b95\u0bae\u0bcd",
    "Telu": "\u0c28\u0c2e\u0c38\u0c4d\u0c15\u0c3e\u0c30\u0c02",
    "Tfng": "\u2d30\u2d63\u2d53\u2d4d",
    "Thaa": "\u0787\u07a6\u0790\u07b0\u0790\u07a6\u078d\u07a7\u0789\u07b0",
    "Thai": "\u0e2a\u0e27\u0e31\u0e2a\u0e14\u0e35",
    "Tibt": "\u0f56\u0f40\u0fb2\u0f0b\u0f64\u0f72\u0f66\u0f0b",
}
FLORES_200 = (
    "ace acm acq aeb afr ajp aka amh apc arb ars ary arz asm ast awa ayr azb azj bak bam ban bel bem ben bho bjn bod "
    "bos bug bul cat ceb ces cjk ckb crh cym dan deu dik dyu dzo ell eng epo est eus ewe fao pes fij fin fon fra fur "
    "fuv gla gle glg grn guj hat hau heb hin hne hrv hun hye ibo ilo ind isl ita jav jpn kab kac kam kan kas kat knc "
    "kaz kbp kea khm kik kin kir kmb kon kor kmr lao lvs lij lim lin lit lmo ltg ltz lua lug luo lus mag mai mal mar "
    "min mkd plt mlt mni khk mos mri zsm mya nld nno nob npi nso nus nya oci gaz ory pag pan pap pol por prs pbt quy "
    "ron run rus sag san sat scn shn sin slk slv smo sna snd som sot spa als srd srp ssw sun swe swh szl tam tat tel "
    "tgk tgl tha tir taq tpi tsn tso tuk tum tur twi tzm uig ukr umb urd uzn vec vie war wol xho ydd yor yue zho zul"
)
XTREME_R = (
    "af ar az bg bn de el en es et eu fa fi fr gu he hi ht hu id it ja jv ka kk ko lt ml mr ms my nl pa pl pt qu ro ru "
    "sw ta te th tl tr uk ur vi wo yo zh"
)


def reasons(code: str, *texts: str, target: str = "eng") -> list[str | None]:
    rows = [{"dataset": "x", "position": n, "source": text, "target": "One two"} for n, text in enumerate(texts)]
    cleaned = clean(pa_table(rows), code, target, Cleaning(CleaningConfig()))
    return cleaned["reason"].to_pylist()


def pa_table(rows: list[dict]):
    import pyarrow as pa

    return pa.Table.from_pylist(rows, schema=CHECKED)


@pytest.mark.parametrize(
    ("word", "tag", "scripts"),
    [
        ("sw", "swa", ("Latn",)),
        ("swh", "swa", ("Latn",)),
        ("SWA", "swa", ("Latn",)),
        ("sw-KE", "swa", ("Latn",)),
        ("Swahili", "swa", ("Latn",)),
        ("Somali", "som", ("Latn",)),
        ("haitian_creole", "hat", ("Latn",)),
        ("eng_Latn", "eng", ("Latn",)),
        ("srp", "srp", ("Cyrl", "Latn")),
        ("srp_Latn", "srp_Latn", ("Latn",)),
        ("sr-Cyrl-RS", "srp_Cyrl", ("Cyrl",)),
        ("zh", "zho", ("Hans", "Hant")),
        ("zh-Hant", "zho_Hant", ("Hant",)),
        ("zh-TW", "zho_Hant", ("Hant",)),
        ("zh_cn", "zho_Hans", ("Hans",)),
        ("fil", "tgl", ("Latn",)),
        ("tgl", "tgl", ("Latn",)),
        ("hin_Latn", "hin_Latn", ("Latn",)),
        ("kor_Kore", "kor", ("Hang",)),
        ("es-419", "spa", ("Latn",)),
        ("qaa_Ethi", "qaa_Ethi", ("Ethi",)),
    ],
)
def test_a_code_a_tag_or_a_name_is_understood_and_its_script_kept(word: str, tag: str, scripts: tuple[str, ...]):
    found = language(word)
    assert (found.tag, found.scripts) == (tag, scripts)
    assert language(found.tag) == found


@pytest.mark.parametrize(
    ("word", "advice"),
    [
        ("swq", r"did you mean swa \(Swahili\)"),
        ("xxx", "give an ISO 639 code or English name"),
        ("Somaly", r"did you mean som \(Somali\)"),
        ("srp_Latm", "did you mean srp[?]"),
        ("en-sw", "did you mean eng[?]"),
        ("id_question", "did you mean ind[?]"),
        ("qaa", "."),
        ("", "."),
        ("*", "."),
    ],
)
def test_an_unknown_word_is_refused_with_what_was_meant(word: str, advice: str):
    assert known(word) is None
    with pytest.raises(UserError, match=f"not in the languages table; {advice}"):
        language(word)


def test_every_name_finds_its_own_language_and_a_code_stays_a_code():
    lost = {name for entry in languages().values() for name in entry.names if language(name).code != entry.code}
    assert lost == set()
    assert [language(word).code for word in ("Ga", "ga", "GA", "gaa")] == ["gaa", "gle", "gle", "gaa"]


def test_a_file_may_name_a_region_that_is_none():
    assert [canonical(code) for code in ("en-UK", "EN_us", "xx-YY")] == ["eng", "eng", "xx"]


def test_the_table_has_the_languages_of_every_benchmark():
    registered = {code for entry in datasets().values() for code in (entry.source, entry.target)}
    assert len(languages()) > 380
    assert registered <= set(languages())
    assert [code for code in f"{FLORES_200} {XTREME_R}".split() if known(code) is None] == []
    codes = [code for entry in languages().values() for code in (entry.code, *entry.aliases)]
    names = [name for entry in languages().values() for name in entry.names]
    assert (len(set(codes)), len(set(names))) == (len(codes), len(names))


@pytest.mark.parametrize("code", languages())
def test_every_language_can_be_cleaned(code: str):
    found = language(code)
    foreign = SAMPLES["Thai"] if "Thai" not in found.scripts else SAMPLES["Latn"]
    texts = [*(SAMPLES[script] for script in found.scripts), foreign]
    assert reasons(code, *texts) == [None] * len(found.scripts) + ["script"]
    for script in found.scripts:
        assert reasons(f"{code}_{script}", SAMPLES[script]) == [None]


@pytest.mark.parametrize("script", SAMPLES)
def test_a_sample_is_in_its_script_and_in_no_other(script: str):
    alike = {"Hans", "Hant", "Jpan", "Hang"}
    for other in SAMPLES:
        share = script_shares([SAMPLES[script]], other)[0]
        assert share == 1 if other == script else share == 0 or {script, other} <= alike


def test_a_named_script_is_the_only_one_that_passes():
    serbian = ["\u0417\u0434\u0440\u0430\u0432\u043e \u0441\u0432\u0435\u0442\u0435", "Zdravo svete"]
    assert reasons("srp", *serbian) == [None, None]
    assert reasons("srp_Latn", *serbian) == ["script", None]
    assert reasons("sr-Cyrl", *serbian) == [None, "script"]
    mixed = "\u0417\u0434\u0440\u0430 Zdra \u4f60\u597d\u4e16\u754c"
    assert script_shares([mixed], "Cyrl", "Latn") == pytest.approx(np.array([1 / 3])), "in one of them, not in both"


def with_bitext(*flags: str) -> Workspace:
    _, command = parse(["prepare", "demo", *flags])
    return Workspace(command.recipe, Settings())


def test_aliases_share_a_fingerprint_and_a_named_script_has_its_own(tmp_path: Path):
    (tmp_path / "p.tsv").write_text("a\tb\n")
    data = ("--bitext.datasets", f"{tmp_path}/p.tsv")
    prints = {
        word: with_bitext(*data, "--bitext.source", word).fingerprint_of(BITEXT)
        for word in ("swa", "sw", "sw-KE", "Swahili", "srp", "sr", "srp_Latn", "sr-Latn-RS", "srp_Cyrl")
    }
    assert len({prints[word] for word in ("swa", "sw", "sw-KE", "Swahili")}) == 1
    assert prints["srp"] == prints["sr"] and prints["srp_Latn"] == prints["sr-Latn-RS"]
    assert len(set(prints.values())) == 4
    suffixed = {with_bitext("--bitext.datasets", f"{data[1]}@{word}").fingerprint_of(BITEXT) for word in ("so", "som")}
    assert len(suffixed) == 1
    assert with_bitext(*data, "--bitext.source", "sw").recipe.bitext.source == "swa"


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (("--bitext.source", "swq"), "bitext.source 'swq': not in the languages table; did you mean swa"),
        (("--bitext.target", "englisch"), "bitext.target 'englisch': .* did you mean eng"),
        (("--bitext.target", "*"), "bitext.target '[*]'"),
        (("--bitext.datasets", "pairs.tsv@xxx"), "pairs.tsv@xxx: language 'xxx': not in the languages table"),
        (("--bitext.datasets", "hornmt-som"), "bitext.source: is swa, and that of hornmt-som is som; .* or '[*]'"),
        (("--bitext.source", "fon", "--bitext.datasets", "afriqa-questions-fon"), "bitext.target: is eng, .* is fra"),
    ],
)
def test_no_run_begins_with_a_language_that_nobody_knows(flags: tuple[str, ...], message: str):
    with pytest.raises(UserError, match=message):
        with_bitext(*flags)


def test_a_suffix_is_any_word_for_a_language_and_a_file_may_have_an_at(tmp_path: Path):
    assert split_language("p.tsv@srp_Latn") == ("p.tsv", "srp_Latn")
    assert split_language("p.tsv@Somali") == ("p.tsv", "som")
    (tmp_path / "me@home").write_text("a\tb\n")
    assert split_language(f"{tmp_path}/me@home") == (f"{tmp_path}/me@home", None)
    with pytest.raises(UserError, match="names the language of a registered data set, which has its own; give demo"):
        parse_source("demo@som")
    assert source_language("hornmt-som", "so") == "so"
    config = BitextConfig(datasets=("p.tsv@so", "hornmt-som"), source="*")
    assert understood(config) == config


def test_the_list_understands_the_same_words():
    names = [{line.name for line in listed(Settings(), word)} for word in ("som", "so", "Somali", "som_Latn")]
    assert names[0] and names.count(names[0]) == 4
    with pytest.raises(UserError, match="did you mean som"):
        listed(Settings(), "Somaly")


def test_rows_of_webfaq_name_their_languages_in_any_way(tmp_path: Path):
    rows = [
        {"language1": one, "language2": other, "question1": "q", "question2": "Q", "answer1": "a", "answer2": "A"}
        for one, other in (("srp", "eng"), ("en", "sr-Latn"), ("swq", "eng"))
    ]
    (tmp_path / "w.jsonl").write_text("\n".join(map(json.dumps, rows)))
    found = list(read_pairs([tmp_path / "w.jsonl"], "webfaq", "srp_Latn", "eng", Limits()))
    assert [(pair.source, pair.target) for pair in found] == [("q", "Q"), ("a", "A"), ("Q", "q"), ("A", "a")]
