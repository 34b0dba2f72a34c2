"""Plots: pictures show the numbers, odd input is drawn or refused, nothing global changes."""

import logging
import subprocess
import sys
from pathlib import Path

import matplotlib
import numpy as np
import pytest
from matplotlib.image import imread

from optical.errors import DataError
from optical.evaluation.protocols.crosslingual import Config
from optical.report.figures import plot_measures, plot_training
from optical.report.plans import PlanPicture

BLUE, GREY, GREEN = (0x00, 0x72, 0xB2), (0x9A, 0xA3, 0xAD), (0x00, 0x9E, 0x73)


def _pixels(path: Path, colour: tuple[int, int, int]) -> np.ndarray:
    """Where a picture has exactly this colour."""
    picture = np.round(imread(path)[..., :3] * 255).astype(int)
    return (picture == colour).all(axis=2)


def test_bars_are_as_high_as_their_means_and_stand_in_the_order_given(tmp_path: Path) -> None:
    systems = {"zero_shot": {"AP": (0.4, 0.4, 0.4)}, "student": {"AP": (0.8, 0.8, 0.8)}}
    path = plot_measures(tmp_path / "measures.png", systems)
    blue, grey = _pixels(path, BLUE), _pixels(path, GREY)
    below = slice(blue.shape[0] // 8, None)  # leaves the legend out
    heights = [int(mask[below].sum(axis=0).max()) for mask in (blue, grey)]
    assert heights[0] == pytest.approx(2 * heights[1], abs=6)
    assert np.argwhere(grey[below])[:, 1].max() < np.argwhere(blue[below])[:, 1].min()


def test_other_systems_come_last_and_lack_measures(tmp_path: Path) -> None:
    systems = {"mt_then_teacher": {"AP": (0.3, 0.2, 0.4)}, "english_ceiling": {}, "student": {}, "zero_shot": {}}
    assert Config(collection="c").ordered(systems) == ["zero_shot", "student", "english_ceiling", "mt_then_teacher"]
    systems = {"student": {"R@100": (0.5, 0.4, 0.6)}, "bm25": {"AP": (0.3, 0.2, 0.4)}}
    assert _pixels(plot_measures(tmp_path / "measures.png", systems), GREEN).sum() > 1000


def test_nothing_to_measure_is_refused(tmp_path: Path) -> None:
    for systems in ({}, {"student": {}}):
        with pytest.raises(DataError, match="no measures to draw"):
            plot_measures(tmp_path / "measures.png", systems)


@pytest.mark.parametrize(
    "rows",
    [
        [],
        [{"step": 1, "loss": 0.5}],
        [{"step": 1, "loss": float("nan"), "marginal_error": 0.0, "dev_mrr": None}],
        [{"step": step, "loss": 1 / step, "marginal_error": 10.0**-step, "dev_mrr": 0.1} for step in range(1, 9)],
    ],
)
def test_training_is_drawn_with_whatever_was_measured(tmp_path: Path, rows: list[dict]) -> None:
    path = plot_training(tmp_path / "training.png", rows, "cost $5_")
    drawn = {"loss": _pixels(path, BLUE).any(), "dev": _pixels(path, GREEN).any()}
    assert drawn == {"loss": bool(rows and rows[0]["loss"] == rows[0]["loss"]), "dev": len(rows) == 8}


def test_training_rows_may_come_in_any_order(tmp_path: Path) -> None:
    rows = [{"step": step, "loss": 1 / step} for step in range(1, 40)]
    first = plot_training(tmp_path / "a.png", rows, "run").read_bytes()
    assert plot_training(tmp_path / "b.png", rows[::-1], "run").read_bytes() == first


def test_letters_without_a_font_cost_one_log_line(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        plot_training(tmp_path / "training.png", [{"step": 1, "loss": 1.0}], "\U00013000 \U00013001")
    assert [record.getMessage().split(" path=")[0] for record in caplog.records] == ["letters drawn as boxes"]


def test_impossible_plans_are_refused() -> None:
    ones = np.ones((2, 2))
    for tokens, plan, mass, said in (
        ((("a",), ("b", "c")), ones, np.ones(1), r"shape \(2, 2\) for 1 source and 2 target"),
        ((("a", "d"), ("b", "c")), ones, np.ones(1), "shape"),
        (((), ("b",)), np.ones((0, 1)), np.ones(0), "shape"),
        ((("a",), ("b",)), np.array([[np.nan]]), np.ones(1), "negative or not finite"),
        ((("a",), ("b",)), np.array([[-0.1]]), np.ones(1), "negative or not finite"),
        ((("a",), ("b",)), np.ones((1, 1)), np.zeros(1), "negative or not finite"),
    ):
        with pytest.raises(DataError, match=said):
            PlanPicture(*tokens, plan, mass, "pair")


def test_no_global_state_and_no_scratch_files(tmp_path: Path) -> None:
    before = dict(matplotlib.rcParams)
    plot_training(tmp_path / "training.png", [{"step": 1, "loss": 1.0}], "run")
    assert dict(matplotlib.rcParams) == before
    assert [entry.name for entry in tmp_path.iterdir()] == ["training.png"]
    code = "import sys, optical.report.figures; sys.exit('matplotlib.pyplot' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False, cwd=Path(__file__).parents[2]).returncode == 0


def test_many_long_names_fit_and_no_two_of_the_first_systems_share_a_colour(tmp_path: Path) -> None:
    names = ["zero_shot", *(f"{kind}:multilingual-e5-small" for kind in ("dense", "late")), "student_start", "student"]
    bars = {name: {key: (0.5, 0.5, 0.5) for key in ("AP", "RR@10")} for name in names}
    path = plot_measures(tmp_path / "measures.png", bars)
    picture = imread(path)
    assert (picture[:, [0, -1], :3] > 0.99).all()  # nothing is cut off at the sides
    below = slice(picture.shape[0] // 4, None)  # leaves the legend out
    columns = np.flatnonzero(_pixels(path, GREEN)[below].any(axis=0))
    assert (np.diff(columns) > 10).sum() == 1  # one green bar for each measure
