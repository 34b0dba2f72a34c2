"""Real Swahili, small: needs the mirror and the packaged MiniLM weights."""

import json
import os

import pytest

from pipelines.__main__ import main

pytestmark = [pytest.mark.model, pytest.mark.slow, pytest.mark.filterwarnings("ignore")]


@pytest.mark.timeout(1800)
@pytest.mark.skipif("OPTICAL_MIRROR" not in os.environ, reason="the mirror is not here (OPTICAL_MIRROR)")
def test_a_student_of_two_thousand_pairs_is_far_above_zero_shot(tmp_path, capsys):
    flags = ["--bitext.max-pairs", "2000", "--teacher.document-length", "64", "--runs-dir", str(tmp_path), "--json"]
    assert main(["run", "swahili_minilm", *flags]) == 0
    summary = json.loads(capsys.readouterr().out.strip().splitlines()[-1])
    measures = summary["measures"]
    assert measures["student"]["RR@10"] > 1.5 * measures["zero_shot"]["RR@10"]
    assert measures["student"]["RR@10"] > measures["student_start"]["RR@10"]
    assert summary["p"]["student"] < 0.01
