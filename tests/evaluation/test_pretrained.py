"""Pretrained encoders to compare with: their specs, their names in tables and files, their place among the systems."""

import pytest

from optical.errors import UserError
from optical.evaluation.pretrained import Pretrained, distinct_names, file_name, parse_pretrained
from optical.evaluation.protocols.crosslingual import Config

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.mark.parametrize(
    ("spec", "expected", "name"),
    [
        ("dense:all-minilm-l6-v2", Pretrained(True, "all-minilm-l6-v2"), "dense:all-minilm-l6-v2"),
        ("late:/home/me@work/e5/", Pretrained(False, "/home/me@work/e5/"), "late:e5"),
        ("late:runs/x/student/encoder", Pretrained(False, "runs/x/student/encoder"), "late:encoder"),
        (f"dense:owner/model@{COMMIT}", Pretrained(True, "owner/model", COMMIT), "dense:owner/model@0123456"),
        ("dense:owner/model@main", Pretrained(True, "owner/model@main"), "dense:model@main"),
    ],
)
def test_a_spec_is_a_kind_and_weights(spec, expected, name):
    assert parse_pretrained(spec) == expected
    assert (parse_pretrained(spec).name, parse_pretrained(spec).spec) == (name, spec)


@pytest.mark.parametrize("spec", ["", "all-minilm-l6-v2", "sparse:all-minilm-l6-v2", "dense:", "late: ", "DENSE:x"])
def test_a_spec_without_a_kind_or_weights_is_refused(spec):
    with pytest.raises(UserError, match=r"^evaluation.pretrained: has .*; write dense:<weights> .* or late:<weights>"):
        Config(pretrained=(spec,))


@pytest.mark.parametrize(
    ("system", "file"),
    [
        (f"dense:owner/model@{COMMIT[:7]}", "dense-owner-model-0123456"),
        ("late:my folder/..", "late-my-folder-.."),
        ("late:mfano-mdogo-é", "late-mfano-mdogo-é"),
        ("zero_shot", "zero_shot"),
        ("late:" + 300 * "x", "late-" + 95 * "x"),
    ],
)
def test_a_name_is_safe_for_files(system, file):
    assert file_name(system) == file


def test_systems_whose_files_would_be_one_are_numbered():
    wanted = [
        "late:a",
        "late:a",
        "late:A",
        "late:a-2",
        "dense:a/b",
        "dense:a-b",
        "late:" + 300 * "x",
        "late:" + 300 * "x",
    ]
    names = distinct_names(wanted, ["zero_shot"])
    assert names[:6] == ["late:a", "late:a-2", "late:A-3", "late:a-2-2", "dense:a/b", "dense:a-b-2"]
    assert len({file_name(name).casefold() for name in names}) == len(names)


def test_pretrained_encoders_stand_behind_the_baseline_and_can_always_be_measured():
    protocol = Config(pretrained=("late:x/e5", "late:y/e5", "dense:all-minilm-l6-v2"))
    names = [system.name for system in protocol.possible({"teacher", "student"}, {"query"})]
    assert names == ["zero_shot", "late:e5", "late:e5-2", "dense:all-minilm-l6-v2", "student"]
    assert protocol.ordered(["student", "late:e5-2", "zero_shot"]) == ["zero_shot", "late:e5-2", "student"]
    second = protocol.compared[2]
    assert (second.made_by, second.is_added, second.label) == (Pretrained(False, "y/e5"), True, "late:e5-2")
    assert "one vector for each token, and MaxSim" in second.meaning
