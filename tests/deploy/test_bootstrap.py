"""The bootstrap's decisions: which torch for which machine, and what is there already."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def bootstrap():
    spec = importlib.util.spec_from_file_location("bootstrap", ROOT / "scripts" / "bootstrap.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("environment", "system", "gpu", "build"),
    [
        ({}, "Linux", False, "cpu"),
        ({}, "Linux", True, "cuda"),
        ({"OPTICAL_TORCH": "cpu"}, "Linux", True, "cpu"),
        ({"OPTICAL_TORCH": "cuda"}, "Linux", False, "cuda"),
        ({}, "Darwin", False, "plain"),
    ],
)
def test_the_machine_or_the_user_decides_the_torch_build(bootstrap, environment, system, gpu, build):
    assert bootstrap.wanted_torch(environment, system, lambda: gpu) == build


def test_another_word_is_refused_with_advice(bootstrap):
    with pytest.raises(bootstrap.BootstrapError, match="OPTICAL_TORCH: is 'rocm'.*unset"):
        bootstrap.wanted_torch({"OPTICAL_TORCH": "rocm"}, "Linux", lambda: False)


@pytest.mark.parametrize(
    ("version", "build", "serves"),
    [
        ("2.13.0+cpu", "cpu", True),
        ("2.13.0+cpu", "cuda", False),
        ("2.13.0", "cuda", True),
        ("2.13.0+cu130", "cuda", True),
        ("2.13.0", "cpu", True),
        ("2.12.0+cpu", "cpu", False),
        (None, "cpu", False),
    ],
)
def test_an_installed_torch_is_kept_when_it_serves(bootstrap, version, build, serves):
    assert bootstrap.torch_serves(version, build) is serves


def test_the_plain_build_is_the_last_resort_and_announced(bootstrap, monkeypatch, capsys):
    tried = []

    def no_wheel(*arguments):
        tried.append(arguments[-1])
        return subprocess.CompletedProcess(arguments, 1, "", "no matching distribution")

    monkeypatch.setattr(bootstrap, "pip", no_wheel)
    with pytest.raises(bootstrap.BootstrapError, match="no matching distribution"):
        bootstrap.install_torch("cpu")
    assert tried == ["torch==2.13.0+cpu", bootstrap.CPU_INDEX, "torch===2.13.0"]
    assert "several gigabytes" in capsys.readouterr().out


def test_every_pin_of_the_lock_is_read(bootstrap):
    text = (ROOT / "requirements.lock").read_text()
    pins = bootstrap.locked(text)
    assert len(pins) == sum(not line.startswith((" ", "#")) for line in text.splitlines() if line.strip())
    assert bootstrap.locked("Foo_Bar==1.0 \\\n    --hash=sha256:00==11\n") == {"foo-bar": "1.0"}


def test_an_old_python_is_told_so(bootstrap, monkeypatch, capsys):
    monkeypatch.setattr(sys, "version_info", (3, 10, 0))
    assert bootstrap.main() == 2
    assert "use 3.11 or newer" in capsys.readouterr().err
