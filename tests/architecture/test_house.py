"""Is it still this house?"""

import ast
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from pipelines.cli.parse import VERBS, parse
from tune.command_line import parse as parse_search

ROOT = Path(__file__).resolve().parents[2]
CODE = [file for room in ("optical", "pipelines", "tune", "scripts") for file in sorted((ROOT / room).rglob("*.py"))]
PAGES = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md")] + sorted((ROOT / "docs").glob("*.md"))


def _commands(page: Path) -> list[str]:
    blocks = re.findall(r"```(?:bash|sh|console)\n(.*?)```", page.read_text(), flags=re.S)
    joined = [line.strip() for block in blocks for line in block.replace("\\\n", " ").splitlines()]
    return [line.split("#")[0].strip() for line in joined]


def test_imports_point_down():
    script = "import sys; sys.path.insert(0, '.'); from importlinter.cli import lint_imports_command as run; run()"
    ran = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stdout


@pytest.mark.parametrize("file", CODE, ids=lambda file: str(file.relative_to(ROOT)))
def test_files_are_small_enough_to_read_at_one_sitting(file):
    assert len(file.read_text().splitlines()) <= 300


@pytest.mark.parametrize("file", CODE, ids=lambda file: str(file.relative_to(ROOT)))
def test_functions_are_short_and_nothing_asserts(file):
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.FunctionDef):
            assert node.end_lineno - node.lineno < 60, node.name
        assert not isinstance(node, ast.Assert)


def test_style():
    ran = subprocess.run([sys.executable, "-m", "ruff", "check", "."], cwd=ROOT, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stdout


def test_format():
    check = [sys.executable, "-m", "ruff", "format", "--check", "."]
    ran = subprocess.run(check, cwd=ROOT, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stdout


def test_commands_in_the_papers_parse():
    seen = 0
    for page in PAGES:
        for line in _commands(page):
            for module, parser in (("pipelines", parse), ("tune.search", parse_search)):
                if f"-m {module} " in line:
                    parser(shlex.split(line.split(f"-m {module} ", 1)[1]))
                    seen += 1
    assert seen >= 5


def test_make_targets_in_the_papers_exist():
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), flags=re.M))
    named = {name for page in PAGES for line in _commands(page) for name in re.findall(r"\bmake ([a-z-]+)", line)}
    assert {"demo", "test"} <= named <= targets


def test_links_lead_somewhere():
    for page in PAGES:
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_every_verb_has_its_file():
    files = {file.stem for file in (ROOT / "pipelines" / "verbs").glob("*.py")} - {"__init__"}
    assert files == set(VERBS)
