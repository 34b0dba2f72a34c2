"""Sides at the door: swapped or foreign sides stop the run, and good data never does."""

import json
import os
from itertools import islice
from pathlib import Path
from types import SimpleNamespace

import pyarrow as pa
import pytest

from optical.data.bitext import sides
from optical.data.bitext.config import BitextConfig, CleaningConfig
from optical.data.bitext.readers import read_pairs
from optical.data.bitext.screen import Limits
from optical.data.bitext.shards import CHECKED, write_bitext
from optical.data.bitext.sides import judge
from optical.data.bitext.stream import BitextSource
from optical.data.fetch.resolve import Resolved, resolve
from optical.data.registry.datasets import dataset, datasets
from optical.errors import DataError
from pipelines.cleaning import first_pairs, report_cleaning, sides_table
from pipelines.graph.bitext import BITEXT, _sides, _without_gaps

ENG = """Where are you going now?|The children are playing behind the house.|I have not seen him since he left.
|What is the name of this village?|They were waiting for the rain.|She gave it to her mother.|Who built the bridge?
|You should not drink that water.|We will meet at the market.|When did they arrive?|This is the book of my father.
|There is a snake in the kitchen.""".replace("\n", "").split("|")
SWA = """Unakwenda wapi sasa?|Watoto wanacheza nyuma ya nyumba.|Sijamwona tangu aondoke.|Jina la kijiji hiki ni nini?
|Walikuwa wakingoja mvua.|Alimpa mama yake.|Nani alijenga daraja?|Usinywe maji hayo.|Tutakutana katika soko.
|Walifika lini?|Hiki ni kitabu cha baba yangu.|Kuna nyoka katika jiko.""".replace("\n", "").split("|")
SOM = """Xaggee ayaad u socotaa hadda?|Carruurtu waxay ku ciyaarayaan guriga gadaashiisa.|Ma aan arag ilaa uu ka tagay.
|Waa maxay magaca tuuladan?|Waxay sugayeen in roobka uu da'o.|Waxay siisay hooyadeed oo ah macallin.
|Kumaa dhisay buundada oo dheer?|Waa inaad cabin biyahaas.|Waxaan ku kulmi doonnaa suuqa.|Goorma ayay yimaadeen?
|Kani waa buugga aabbahay.|Waxaa jira mas ku jira jikada.""".replace("\n", "").split("|")
MAR = """तू आता कुठे जात आहेस?|मुले घरामागे खेळत आहेत.|मी त्याला पाहिले नाही.|या गावाचे नाव काय?
|ते पावसाची वाट पाहत होते.""".replace("\n", "").split("|")
ARA = """إلى أين أنت ذاهب الآن؟|الأطفال يلعبون خلف المنزل.|لم أره منذ رحيله.|ما اسم هذه القرية؟
|كانوا ينتظرون المطر.""".replace("\n", "").split("|")
FRA = """Où est-ce que vous allez avec le chien ?|Les enfants jouent dans la cour de l'école.|Je ne sais pas où il est.
|Quel est le nom de cette ville ?|Ils sont dans la maison du roi.|Elle est avec sa mère et son frère.
|Qui est cet homme dans la rue ?|Vous ne devez pas boire de cette eau.|Il est au marché avec les autres.
|C'est le livre de mon père.|Nous sommes dans le train pour Paris.|La femme qui est là est une amie.""".replace(
    "\n", ""
).split("|")


YOR = ["Ọmọ náà lọ sí ọjà láti ra ẹja", "Bàbá mi kò sí nílé ní àná rárá"]


def pairs(source: list[str], target: list[str]) -> list[tuple[str, str]]:
    return list(zip(source, target, strict=False))


@pytest.mark.parametrize(
    ("source", "target", "codes", "what", "how"),
    [
        (SWA, ENG, "swa eng", "right", "function words of English (12 of 12 pairs)"),
        (ENG, SWA, "swa eng", "swapped", "function words of English (12 of 12 pairs, and 0 the other way)"),
        (ENG[:5], SWA[:5], "swa eng", "swapped", "English"),
        (ENG[:4], SWA[:4], "swa eng", "unknown", "nothing tells"),
        (SWA[:6] + ENG[6:], ENG[:6] + SWA[6:], "swa eng", "mixed", "6 of 12 pairs, and 6 the other way"),
        (SWA * 7 + ENG[:6], ENG * 7 + SWA[:6], "swa eng", "mixed", "84 of 90 pairs, and 6 the other way"),
        (SWA * 12 + ENG[:6], ENG * 12 + SWA[:6], "swa eng", "right", "144 of 150 pairs"),
        (MAR + ENG[:5], ENG[:5] + MAR, "mar eng", "mixed", "the script (5 of 10 pairs, and 5 the other way)"),
        (ENG, SOM, "som eng", "swapped", "English"),
        (MAR, ENG, "mar eng", "right", "the script (5 of 5 pairs)"),
        (ENG, MAR, "mar eng", "swapped", "the script (5 of 5 pairs, and 0 the other way)"),
        (ENG, ARA, "ar en", "swapped", "the script"),
        (SWA, FRA, "swa fra", "right", "function words of French"),
        (FRA, SWA, "swa fra", "swapped", "function words of French"),
        (SOM, ENG, "swa eng", "other", "the source side should be swa and reads like Somali"),
        (ENG, ENG, "swa eng", "other", "the source side should be swa and reads like English"),
        (ENG, ENG, "zul eng", "other", "the source side should be zul and reads like English"),
        (SWA, FRA, "swa eng", "other", "the target side should be eng and reads like French"),
        (SWA * 2, YOR * 12, "swa eng", "other", "should be eng and does not read like it (0 of 24 texts"),
        (SWA, YOR * 6, "swa eng", "right", "function words of Swahili"),
        (FRA, ENG, "oci eng", "right", "English"),
        (ENG, ENG, "eng eng", "unknown", "both sides are eng"),
        ([f"https://a.org/{n}" for n in range(9)], ENG, "swa eng", "other", "the source side holds addresses"),
        (SWA, [f"0.{n}" for n in range(9)], "swa eng", "other", "the target side holds numbers"),
    ],
)
def test_verdicts(source: list[str], target: list[str], codes: str, what: str, how: str):
    verdict = judge(pairs(source, target), *codes.split())
    assert verdict.what == what
    assert how in verdict.how


@pytest.mark.parametrize(
    ("source", "target", "code"),
    [
        (["maji", "nyumba", "mto", "jua", "mti", "shule"], ["water", "house", "river", "sun", "tree", "school"], "swa"),
        (["Amina", "Juma", "Nairobi", "Mombasa", "Kenya", "Uhuru"], ["Amina", "Juma"] * 3, "swa"),
        (["he", "on", "me", "i", "is", "in"], ["they", "is", "we", "I", "ice", "in"], "fin"),
        (["Nani?", "Nini?", "Wapi?", "Lini?", "Gani?", "Vipi?"], ["Who?", "What?", "Where?", "When?"] * 2, "swa"),
        (
            ["谁唱了 The Sound of Silence", "谁写了 The Lord of the Rings"] * 6,
            ["Who sang it?", "Who wrote it?"] * 6,
            "zho",
        ),
        (["Siapa menyanyikan The Sound of the Sea"] * 5 + SWA, ["Who sang The Sound of the Sea?"] * 5 + ENG, "msa"),
        (["bin", "was", "die", "war", "so", "in"], ["am", "what", "the", "was", "so", "in"], "deu"),
        (["COVID-19", "H1N1", "SARS", "MERS", "HIV", "TB"], ["COVID-19", "H1N1", "SARS", "MERS", "HIV", "TB"], "swa"),
    ],
)
def test_words_names_and_titles_stop_nothing(source: list[str], target: list[str], code: str):
    assert judge(pairs(source, target), code, "eng").what in ("right", "unknown")


@pytest.mark.parametrize(
    ("reader", "name", "remedy"),
    [
        ("tsv", "a.tsv", "say that English comes first, tsv-english-first:a.tsv, or name the columns, tsv:SOURCE,TARG"),
        ("tsv:3,4", "tsv:3,4:a.tsv", "give the columns the other way round, tsv:4,3:a.tsv"),
        ("csv", "a.csv", "name the columns, source first, csv:SOURCE,TARGET:a.csv"),
        ("moses", "a.sw+a.en", "rename the two files by what they hold"),
        ("tmx", "a.tmx", "check the file and bitext.source"),
    ],
)
def test_the_run_stops_with_the_first_pair_the_remedy_and_the_flag(reader: str, name: str, remedy: str):
    with pytest.raises(DataError) as stopped:
        sides.check(name, reader, pairs(ENG, SWA), "swa", "eng")
    said = str(stopped.value)
    assert f"{name}: the two sides look swapped by function words of English" in said
    assert "the pair is read as swa 'Where are you going now?' | 'Unakwenda wapi sasa?'" in said
    assert remedy in said
    assert said.endswith("if it is right as it is, --bitext.cleaning.no-check-sides")
    assert stopped.value.exit_code == 3


def test_mixed_directions_stop_the_run_with_the_first_pair_the_other_way():
    with pytest.raises(DataError) as stopped:
        sides.check("a.tsv", "tsv", pairs(SWA[:6] + ENG[6:], ENG[:6] + SWA[6:]), "swa", "eng")
    said = str(stopped.value)
    assert "a.tsv: some pairs are the other way round by function words of English" in said
    assert f"the pair is read as swa {ENG[6]!r} | {SWA[6]!r}; put the source side first in every pair" in said


def source_of(path: Path, rows: list[tuple[str, str]]) -> BitextSource:
    path.write_text("".join(f"{a}\t{b}\n" for a, b in rows))
    return BitextSource(Resolved(str(path), "tsv", (path,), ("0",)), "swa", "eng")


def test_prepare_looks_before_it_reads(tmp_path: Path):
    assert CleaningConfig().check_sides, "on unless a flag says otherwise"
    swapped = source_of(tmp_path / "a.tsv", pairs(ENG, SWA))
    with pytest.raises(DataError, match="the two sides look swapped"):
        _sides(swapped, Limits(), check_sides=True)
    assert len(_sides(swapped, Limits(), check_sides=False)["decided"]) == 1
    assert _sides(source_of(tmp_path / "b.tsv", pairs(SWA, ENG)), Limits(), check_sides=True) == {
        "source": "swa",
        "target": "eng",
        "decided": [
            "source swa in column 1, target eng in column 2: the only two",
            "the sides are in their languages by function words of English (12 of 12 pairs)",
        ],
    }


def test_the_first_three_accepted_pairs_are_shown(tmp_path: Path):
    rows = [
        {"dataset": name, "position": n, "source": f"{name} neno {n}", "target": f"word {n}", "reason": reason}
        for name in ("a", "b")
        for n, reason in enumerate(["ratio", None, None, "script", None, None])
    ]
    side = {"source": "swa", "target": "eng", "decided": ["column 1 and column 2"]}
    facts = {"licences": {"a": "x", "b": "x"}, "sides": {"a": side, "b": side}}
    config = BitextConfig(datasets=("a", "b"), max_reject_share=1.0)
    write_bitext(tmp_path / "bitext", "f" * 64, [pa.Table.from_pylist(rows, CHECKED)], config, facts)
    shown = [[f"b neno {n}", f"word {n}"] for n in (1, 2, 4)]
    assert first_pairs(tmp_path / "bitext")["b"] == side | {"pairs": shown}
    places = {BITEXT: tmp_path / "bitext"}
    workspace = SimpleNamespace(
        path=places.get,
        has=places.__contains__,
        recipe=SimpleNamespace(name="toy"),
        fingerprint="f" * 64,
        run_dir=tmp_path / "run",
    )
    assert "b\n  column 1 and column 2\n    swa  b neno 1\n    eng  word 1\n    swa  b neno 2\n" in sides_table(
        workspace
    )
    page = report_cleaning(workspace).read_text()
    assert "| source (swa) | target (eng) |\n| --- | --- |\n| b neno 1 | word 1 |\n| b neno 2 | word 2 |" in page
    json.dumps(first_pairs(tmp_path / "bitext"))


def test_a_pair_lost_between_reader_and_shards_stops_the_run():
    def table(*positions: int) -> pa.Table:
        return pa.table({"dataset": ["a"] * len(positions), "position": positions})

    whole = [table(0, 1), table(2)]
    assert list(_without_gaps(whole)) == whole
    with pytest.raises(DataError, match="a: the pair of position 2 got lost on its way"):
        list(_without_gaps([table(0, 1), table(3)]))


@pytest.mark.slow
@pytest.mark.skipif("OPTICAL_MIRROR" not in os.environ, reason="needs the mirror of real data")
def test_no_registered_bitext_is_stopped_and_nearly_all_are_when_swapped(tmp_path: Path):
    mirror = Path(os.environ["OPTICAL_MIRROR"])
    names = [name for name, entry in datasets().items() if entry.kind == "bitext"]
    names = [name for name in names if all((mirror / file.mirror).exists() for file in dataset(name).files)]
    stopped, unseen = {}, []
    for name in names:
        entry = dataset(name)
        found = resolve(entry, tmp_path, str(mirror))
        read = read_pairs(found.paths, found.reader, entry.source, entry.target, Limits())
        first = [(pair.source, pair.target) for pair in islice(read, sides.SAMPLE) if pair.reason is None]
        verdict = judge(first, entry.source, entry.target)
        if verdict.what in ("swapped", "other"):
            stopped[name] = verdict.how
        if judge([pair[::-1] for pair in first], entry.source, entry.target).what != "swapped":
            unseen.append(name)
    assert len(names) > 100
    assert stopped == {}
    assert all(name.startswith("gatitos-") for name in unseen), "lists of single words in Latin letters"
