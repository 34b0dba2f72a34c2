"""The report: exact table, true sentences, escaped data, pages that stand alone."""

import base64
import re
import tomllib
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from optical.evaluation.comparison import Gain
from optical.evaluation.measures import Measured
from optical.evaluation.notation import MEASURES, title
from optical.evaluation.protocols.crosslingual import Config as CrossLingual
from optical.evaluation.significance import Interval
from optical.report.build import write_report
from optical.report.content import DataFacts, DatasetFact, ReportContent, TopicText, Work
from optical.report.plans import PlanPicture
from optical.report.results import gain_sentence, topic_gains
from pipelines.cli.print import measures_table

EVIL = "<script>alert('x')</script> & \"q\" | `c` [l](u)"


def _measured(*values: float, missing: tuple[str, ...] = ()) -> Measured:
    """The same values per topic for every measure."""
    topics = {f"q{place}": value for place, value in enumerate(values)}
    mean = sum(values) / len(values)
    return Measured({name: topics for name in MEASURES}, dict.fromkeys(MEASURES, mean), missing)


def _content(**changes: object) -> ReportContent:
    zero, student = [0.2] * 12, [0.2 + place / 20 for place in range(12)]
    fields = {
        "recipe": {"name": EVIL, "train": {"seed": 7, EVIL: EVIL}},
        "fingerprint": "abc123",
        "systems": {"student": _measured(*student), "zero_shot": _measured(*zero, missing=("q3", EVIL))},
        "intervals": {"student": {"AP": Interval(0.111, 0.999)}},
        "p_values": {"student": 0.0123},
        "training": [{"step": 1, "loss": 0.5}, {"step": 2, "loss": 0.4}],
        "plans": [PlanPicture((EVIL,), ("b",), np.ones((1, 1)), np.ones(1), EVIL)],
        "data": DataFacts(900, {EVIL: 75, "empty": 25}, datasets=(DatasetFact(EVIL, EVIL, EVIL, EVIL),)),
        "work": [Work(EVIL, 61.5, EVIL, EVIL, EVIL), Work("train", 1000.0, "2026-01-01 10:00", "m", "v")],
        "topics": {f"q{place}": TopicText(f"swali {place} {EVIL}", EVIL) for place in range(12)},
    }
    return ReportContent(**(fields | changes))


class _Page(HTMLParser):
    """Checks that tags close in order and collects tags, image sources and text."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: set[str] = set()
        self.images: list[str] = []
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        if tag == "img":
            self.images.append(dict(attrs)["src"] or "")
        elif tag != "meta":
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)

    def handle_endtag(self, tag: str) -> None:
        if self.open.pop() != tag:
            raise ValueError(f"</{tag}> closes another tag")

    def handle_data(self, data: str) -> None:
        self.text.append(data)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A written report full of hostile text."""
    return write_report(tmp_path_factory.mktemp("report") / "new" / "run", _content()).parent


def test_the_table_has_its_exact_shape() -> None:
    zero = Measured({}, {"AP": 0.207, "RR@10": 0.215, "nDCG@10": 0.25, "R@100": 0.49}, ())
    student = Measured({}, {"AP": 0.482, "RR@10": 0.5, "nDCG@10": 0.5126, "R@100": 1.0}, ())
    systems = {"zero_shot": zero, "student": student, "english_ceiling": zero}
    assert measures_table(systems, {"student": 9.9e-5}, {}, CrossLingual()) == (
        "system           MAP    MRR@10  nDCG@10  R@100   p vs zero-shot\n"
        "zero_shot        0.207  0.215   0.250    0.490   -\n"
        "student          0.482  0.500   0.513    1.000   <0.0001\n"
        "english_ceiling  0.207  0.215   0.250    0.490   -"
    )
    gains = {"zero_shot": Gain(0.275, Interval(0.2, 0.3), 9.9e-5), "english_ceiling": Gain(-0.01, Interval(-1, 1), 1.0)}
    assert measures_table(systems, {"student": 9.9e-5, "english_ceiling": 1.0}, gains, CrossLingual()) == (
        "system           MAP    MRR@10  nDCG@10  R@100   p vs zero-shot   student's gain   p vs student\n"
        "zero_shot        0.207  0.215   0.250    0.490   -                +0.275           <0.0001\n"
        "student          0.482  0.500   0.513    1.000   <0.0001          -                -\n"
        "english_ceiling  0.207  0.215   0.250    0.490   1.0000           -0.010           1.0000"
    )


def test_a_long_system_name_keeps_the_columns_aligned() -> None:
    lines = measures_table(
        {"a_name_of_twenty_five_let": _measured(0.5), "b": _measured(0.25)}, {"b": 0.0001}, {}, CrossLingual()
    ).split("\n")
    assert len({line.index(cell) for line, cell in zip(lines, ("MAP", "0.500", "0.250"), strict=True)}) == 1
    assert lines[2].endswith("0.0001")


def test_the_gain_sentence_states_gain_and_both_shares() -> None:
    systems = {"zero_shot": _measured(0.2), "student": _measured(0.5), "english_ceiling": _measured(0.6)}
    sentence = gain_sentence(_content(systems=systems))
    assert sentence == (
        "The student reaches MAP 0.500, +0.300 against zero-shot (0.200, p = 0.0123); "
        "that is 83% of the English ceiling (0.600), and 75% of the gap between the two."
    )


def test_the_gain_sentence_of_a_loss_or_without_ceiling() -> None:
    systems = {"zero_shot": _measured(0.5), "student": _measured(0.4), "english_ceiling": _measured(0.4)}
    assert gain_sentence(_content(systems=systems, p_values={})) == (
        "The student reaches MAP 0.400, -0.100 against zero-shot (0.500); that is 100% of the English ceiling (0.400). "
        "The student is not better than zero-shot."
    )
    assert gain_sentence(_content(systems={"student": _measured(0.4)})).endswith("no gain is stated.")
    assert gain_sentence(_content(p_values={"student": 0.0})).endswith("p < 0.0001).")


@pytest.mark.parametrize(
    ("dense", "late", "gain", "said"),
    [
        (
            *(0.45, 0.4, Gain(0.05, Interval(0.01, 0.09), 0.02)),
            " The strongest rival beside it is dense:e5 (0.450): the student has +0.050 against it "
            "(95 % interval +0.010 to +0.090, p = 0.0200).",
        ),
        (
            *(0.45, 0.5, Gain(0.0, Interval(-0.04, 0.04), 1.0)),
            " The strongest rival beside it is late:e5 (0.500): the student has +0.000 against it "
            "(95 % interval -0.040 to +0.040, p = 1.0000). The student is not better than it.",
        ),
        (
            *(0.625, 0.625, Gain(-0.125, Interval(-0.2, -0.1), 0.00001)),
            " The strongest rival beside it is dense:e5 (0.625): the student has -0.125 against it "
            "(95 % interval -0.200 to -0.100, p < 0.0001). The student is not better than it.",
        ),
        (
            *(0.4, 0.45, Gain(0.05, Interval(-0.01, 0.09), 0.05)),
            " The strongest rival beside it is late:e5 (0.450): the student has +0.050 against it "
            "(95 % interval -0.010 to +0.090, p = 0.0500). Chance alone could explain its gain over it.",
        ),
    ],
)
def test_the_gain_sentence_names_the_strongest_rival(dense, late, gain, said) -> None:
    systems = {"zero_shot": 0.2, "dense:e5": dense, "late:e5": late, "student": 0.5}
    content = _content(
        systems={name: _measured(value) for name, value in systems.items()},
        protocol=CrossLingual(pretrained=("dense:e5", "late:models/e5")),
        gains={"dense:e5": gain, "late:e5": gain},
    )
    first = "The student reaches MAP 0.500, +0.300 against zero-shot (0.200, p = 0.0123)."
    assert gain_sentence(content) == first + said


def test_a_gain_that_chance_could_explain_is_called_so() -> None:
    sentence = gain_sentence(_content(p_values={"student": 0.06}))
    assert sentence.endswith("(0.200, p = 0.0600). Chance alone could explain its gain over zero-shot.")


def test_both_tests_are_named_in_words_on_the_page(tmp_path: Path) -> None:
    gains = {"zero_shot": Gain(0.275, Interval(0.2, 0.3), 0.0123)}
    page = write_report(tmp_path, _content(gains=gains)).read_text()
    for expected in (
        *("<th>p vs zero-shot</th>", "<th>student&#39;s gain</th>", "<th>p vs student</th>"),
        *(
            "+0.275 (+0.200, +0.300)",
            "p vs zero-shot tests each system against zero-shot. Student&#39;s gain is the mean",
        ),
        "of the student minus that of the row&#39;s system, and p vs student tests it.",
        "Holm-corrected for 1 comparison(s)",
        "the comparisons of both columns are corrected together.",
    ):
        assert re.search(re.escape(expected).replace("<th>", "<th[^>]*>"), page), expected


def test_measures_and_tests_are_tables_of_their_own_so_that_neither_is_wider_than_the_page(tmp_path: Path) -> None:
    gains = {"zero_shot": Gain(0.275, Interval(0.2, 0.3), 0.0123)}
    written = write_report(tmp_path, _content(gains=gains)).with_suffix(".md").read_text().splitlines()
    measures, tests = (place for place, line in enumerate(written) if line.startswith("| system |"))
    assert written[measures] == f"| {' | '.join(['system', *map(title, MEASURES)])} |"
    assert written[tests : tests + 4] == [
        "| system | p vs zero-shot | student's gain | p vs student |",
        "| --- | ---: | ---: | ---: |",
        "| zero\\_shot | - | +0.275 (+0.200, +0.300) | 0.0123 |",
        "| student | 0.0123 | - | - |",
    ]
    assert written[measures - 2].endswith("In brackets the bootstrap interval of the mean.")
    assert written[tests - 2].startswith("p belongs to MAP: ")


def test_a_system_that_no_test_compares_has_no_row_among_the_tests(tmp_path: Path) -> None:
    written = write_report(tmp_path, _content()).with_suffix(".md").read_text()
    assert "| system | p vs zero-shot |\n| --- | ---: |\n| student | 0.0123 |\n\n" in written
    untested = write_report(tmp_path, _content(p_values={})).with_suffix(".md").read_text()
    assert untested.count("| system |") == 1 and "p belongs" not in untested


def test_topics_are_ordered_by_gain() -> None:
    before, after = _measured(0.5, 0.5, 0.1, 0.5), _measured(0.5, 0.0, 1.0, 0.5)
    gains = topic_gains(before.per_topic["AP"], after.per_topic["AP"])
    assert list(gains.items()) == [("q2", 0.9), ("q0", 0.0), ("q3", 0.0), ("q1", -0.5)]


def test_the_page_is_well_formed_stands_alone_and_runs_nothing(folder: Path) -> None:
    text = (folder / "report.html").read_text()
    page = _Page()
    page.feed(text)
    assert page.open == []
    assert not page.tags & {"script", "link", "iframe", "a", "i"}
    assert not re.search(r"(src|href)=\"(?!data:)", text)
    assert (folder / "plan-1.svg").read_text() in text
    names = ("measures.png", "training.png")
    assert [base64.b64decode(image.split(",")[1]) for image in page.images] == [
        (folder / n).read_bytes() for n in names
    ]


def test_the_page_shows_every_part_of_the_content(folder: Path) -> None:
    page = _Page()
    page.feed((folder / "report.html").read_text())
    cells = [text for text in page.text if text.strip()]
    for expected in (
        *(
            f"OPTICAL: {EVIL}",
            "fingerprint abc123",
            "0.0123",
            "0.475 (0.111, 0.999)",
            "train.seed",
            f"train.{EVIL}",
            "7",
        ),
        *("accepted", "900", "90.0%", "7.5%", "1,000", EVIL, "all verbs", "1,061.5"),
        *("The student is better on 11 topics, worse on 0, equal on 1 (AP).", f"swali 11 {EVIL}", "+0.550"),
        f"zero_shot: 2 judged topics without results (q3, {EVIL}).",
    ):
        assert expected in cells, expected


def test_best_and_worst_five_topics_do_not_overlap(folder: Path) -> None:
    rows = re.findall(r"^\| (q\d+) \|", (folder / "report.md").read_text(), re.MULTILINE)
    assert rows == ["q11", "q10", "q9", "q8", "q7", "q0", "q1", "q2", "q3", "q4"]


def test_markdown_links_its_pictures_and_escapes_its_data(folder: Path) -> None:
    text = (folder / "report.md").read_text()
    links = re.findall(r"!\[(?:\\.|[^\]\\])*\]\(([^)]*)\)", text)
    assert links == ["measures.png", "training.png", "plan-1.svg"]
    assert all((folder / link).is_file() for link in links)
    assert "<script" not in text
    assert "](u)" not in text.replace("\\](u)", "")
    tables = [line for line in text.splitlines() if line.startswith("| ")]
    header = 0
    for previous, line in zip(["", *text.splitlines()], text.splitlines(), strict=False):
        if line.startswith("| "):
            columns = len(re.findall(r"(?<!\\)\|", line))
            header = header if previous.startswith("| ") else columns
            assert columns == header, line
    assert len(tables) > 20


def test_an_installed_package_holds_every_file_that_is_not_python() -> None:
    root = Path(__file__).resolve().parents[2]
    patterns = tomllib.loads((root / "pyproject.toml").read_text())["tool"]["setuptools"]["package-data"]["optical"]
    files = [path.relative_to(root / "optical") for path in (root / "optical").rglob("*") if path.is_file()]
    others = [path for path in files if path.suffix not in (".py", ".pyc")]
    assert len(others) >= 3
    assert [path for path in others if not any(path.match(pattern) for pattern in patterns)] == []


def test_an_almost_empty_report_is_still_a_report(tmp_path: Path) -> None:
    path = write_report(
        tmp_path, ReportContent(recipe={"name": "demo"}, fingerprint="f", systems={"student": _measured(0.3)})
    )
    assert "no gain is stated" in path.read_text()
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["measures.png", "report.html", "report.md"]


def test_an_objective_without_plans_is_told_in_words(tmp_path: Path) -> None:
    page = write_report(tmp_path, _content(plans=[], problem="In-batch contrastive MaxSim.")).with_suffix(".md")
    assert "## Objective\n\nIn-batch contrastive MaxSim." in page.read_text()
    assert "## Transport plans" not in page.read_text()


def test_an_alignment_without_transport_is_no_plan(tmp_path: Path) -> None:
    weights, heaviest = np.array([[1 / 3, 1 / 3], [1 / 3, 0], [0, 0]]), np.full(3, 2 / 3)
    picture = PlanPicture(("a", "b", "c"), ("d", "e"), weights, heaviest, "3 aligned cells", is_transport=False)
    page = write_report(tmp_path, _content(plans=[picture], problem="Squared distance.")).with_suffix(".md").read_text()
    assert "## Token alignments" in page
    assert not re.search("transport|plans?[^-]|mass", page[page.index("## Token alignments") :].split("\n## ")[0])
    svg = (tmp_path / "plan-1.svg").read_text()
    assert "mass sent" not in svg
    assert [re.search(f">{said}<", svg) is not None for said in ("weight", "100%", "0%")] == [True] * 3


def test_the_same_content_gives_the_same_bytes_over_an_old_report(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "report.html").write_text("old")
    write_report(tmp_path, _content())
    for entry in folder.iterdir():
        assert (tmp_path / entry.name).read_bytes() == entry.read_bytes(), entry.name
