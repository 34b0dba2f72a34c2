"""The report says what it is: the trained problem, the command that repeats it, the words of others as words."""

import re
import shlex
import subprocess
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
import torch

import optical
from optical.data.batches.batch import padded
from optical.data.batches.token_shards import read_split
from optical.evaluation.measures import Measured
from optical.evaluation.notation import MEASURES
from optical.evaluation.significance import Interval
from optical.model.encoder import Encoder
from optical.model.scratch import scratch_encoder
from optical.objectives.ot import Config as OTConfig
from optical.objectives.ot import TransportDistillation
from optical.ot.loss import transport_loss
from optical.recipe import Recipe
from optical.report.build import write_report
from optical.report.content import CollectionFacts, ReportContent, TopicText, Work
from optical.report.plans import PlanPicture, plan_svg, visible
from optical.resources import Resources
from optical.train.config import TrainConfig
from pipelines import circumstances
from pipelines.circumstances import note_work
from pipelines.cli.parse import parse
from pipelines.cli.repeat import repeat_command
from pipelines.facts import work_done
from pipelines.pictures import plan_pictures, problem_in_words
from pipelines.recipes import recipe

EVIL = "<script>alert('x')</script>"


def _changed(base: Recipe, changes: dict[str, object]) -> Recipe:
    """The recipe with dotted fields set."""
    for name, value in changes.items():
        *path, last = name.split(".")
        parts = [base]
        for step in path:
            parts.append(getattr(parts[-1], step))
        new = replace(parts.pop(), **{last: value})
        for step in reversed(path):
            new = replace(parts.pop(), **{step: new})
        base = new
    return base


# plan pictures


@pytest.fixture
def student(tiny, tokenizer) -> Encoder:
    return scratch_encoder(tiny, tokenizer, seed=1).eval()


@pytest.mark.parametrize(
    "config",
    [
        OTConfig(method="partial", mass=0.6, cost="angular", epsilon=0.02),
        OTConfig(method="unbalanced", penalty=0.2, cost="angular"),
        OTConfig(method="exact", cost="angular", special_tokens="keep"),
        OTConfig(method="ipot", cost="squared_euclidean", order_weight=0.5, epsilon=0.3),
        OTConfig(epsilon=0.02, special_tokens="keep", tolerance=1e-6),
        OTConfig(epsilon=0.05, epsilon_unit="mean_cost", tolerance=1e-6),
    ],
    ids=lambda config: f"{config.method}-{config.cost}-{config.epsilon_unit}",
)
def test_a_picture_shows_the_plan_of_the_problem_that_was_trained(encoder, student, tokens, config):
    train = TrainConfig(source_length=5, target_length=6)
    pictures = plan_pictures(student, TransportDistillation(encoder, config), tokens, train)
    batch = padded(read_split(tokens, "dev").cut(5, 6))
    masks = [side.scored if config.special_tokens == "keep" else side.inner for side in (batch.source, batch.target)]
    fields = {"method", "cost", "order_weight", "epsilon", "epsilon_unit", "tolerance", "max_iterations"}
    fields |= {"penalty", "mass"}
    with torch.no_grad():
        sides = student(batch.source.ids, batch.source.mask), encoder(batch.target.ids, batch.target.mask)
        trained = transport_loss(*sides, *masks, **{name: getattr(config, name) for name in fields})
        plain = transport_loss(*sides, batch.source.inner, batch.target.inner)
    words = [tokenizer_words(encoder, ids[mask]) for ids, mask in zip(batch.source.ids, masks[0], strict=True)]
    assert len(pictures) == 3
    for picture in pictures:
        pair = words.index(picture.source_tokens)
        cells = masks[0][pair].unsqueeze(1) & masks[1][pair]
        np.testing.assert_allclose(picture.plan.flatten(), trained.plan.matrix[pair][cells], atol=1e-5)
        other = plain.plan.matrix[pair][cells].numpy()
        assert np.abs(picture.plan.flatten() - other).max() > 1e-3
        assert f"= {trained.value[pair]:.3f}, marginal error" in picture.title
        assert ", converged" in picture.title


def tokenizer_words(encoder: Encoder, ids: torch.Tensor) -> tuple[str, ...]:
    return tuple(encoder.tokenizer.id_to_token(number) for number in ids.tolist())


def test_a_picture_says_when_its_plan_did_not_converge(encoder, student, tokens):
    config = OTConfig(epsilon=0.005, tolerance=1e-7, max_iterations=1)
    pictures = plan_pictures(student, TransportDistillation(encoder, config), tokens, TrainConfig())
    assert all(picture.title.endswith("NOT converged after 1 iterations") for picture in pictures)


def test_no_sentence_is_pictured_twice_and_all_were_held_out(encoder, student, tokens):
    pictures = plan_pictures(student, TransportDistillation(encoder, OTConfig()), tokens, TrainConfig())
    held_out = read_split(tokens, "dev").source_ids.to_pylist()
    shown = [picture.source_tokens for picture in pictures]
    assert len(set(shown)) == 3
    assert set(shown) <= {tokenizer_words(encoder, torch.tensor(ids[1:-1])) for ids in held_out}


@pytest.mark.parametrize(
    ("changes", "said", "unsaid"),
    [
        ({}, ["Method sinkhorn, cosine cost, epsilon 0.1, tolerance 0.001", "special tokens left out"], ["mass 1,"]),
        (
            {
                "objective.method": "partial",
                "objective.mass": 0.7,
                "objective.cost": "angular",
                "train.source_length": 9,
            },
            ["Method partial, angular cost, mass 0.7, epsilon 0.1", "cut to 9 source and 64 target"],
            ["penalty"],
        ),
        (
            {"objective.method": "exact", "objective.order_weight": 0.3, "objective.special_tokens": "keep"},
            ["Method exact, cosine cost + 0.3 |i/n - j/m|; uniform", "special tokens taking part"],
            ["epsilon", "tolerance"],
        ),
        ({"objective.method": "unbalanced", "objective.penalty": 2.0}, ["penalty 2, epsilon"], ["mass 1", "mean cost"]),
        (
            {"objective.method": "unbalanced", "objective.epsilon_unit": "mean_cost"},
            ["penalty 1 of each pair's mean cost, epsilon 0.1 of each pair's mean cost, tolerance"],
            ["mass 1"],
        ),
        ({"objective.method": "exact", "objective.epsilon_unit": "mean_cost"}, ["Method exact"], ["mean cost"]),
    ],
)
def test_the_caption_names_the_problem_with_the_settings_its_method_reads(changes, said, unsaid):
    told = problem_in_words(_changed(recipe("demo"), changes), pictures=True)
    assert [words for words in said if words not in told] == []
    assert [words for words in unsaid if words in told] == []


# plans as SVG


def _picture(source: tuple[str, ...], target: tuple[str, ...], plan: np.ndarray | None = None) -> PlanPicture:
    shape = len(source), len(target)
    mass = np.full(shape[0], 1 / shape[0])
    return PlanPicture(source, target, np.full(shape, 1 / shape[0] / shape[1]) if plan is None else plan, mass, "pair")


def _texts(svg: str) -> list[str]:
    return ["".join(text.itertext()) for text in ElementTree.fromstring(svg).iter("{http://www.w3.org/2000/svg}text")]


@pytest.mark.parametrize(
    "token",
    [
        EVIL,
        "&amp;",
        "שלום",
        "##كتاب",
        "\u202eabc",
        "ni\u0303n\u0303o",
        "मुले",
        "👩‍🌾",
        "$x_2$",
        "a\x00b",
        "\ud800",
        "\x1b[0m",
    ],
)
def test_any_token_is_a_label_and_nothing_else(token):
    svg = plan_svg(_picture((token, "a"), ("b", token)))
    assert _texts(svg).count(visible(token) if len(token) < 25 else visible(token)[:23] + "…") == 2
    assert "<script" not in svg


def test_a_mark_that_begins_a_token_stands_on_a_circle():
    assert _texts(plan_svg(_picture(("##ि", "\u0301"), ("b",))))[:2] == ["##\u25ccि", "\u25cc\u0301"]


def test_sixty_four_tokens_keep_legible_labels_that_do_not_overlap():
    long = tuple(f"token{place}" for place in range(64))
    svg = plan_svg(_picture(long, long))
    root = ElementTree.fromstring(svg)
    assert float(root.get("font-size")) >= 11
    places = [float(text.get("y")) for text in root.iter("{http://www.w3.org/2000/svg}text") if text.get("text-anchor")]
    assert len(places) == 64 and np.diff(places).min() >= 1.2 * float(root.get("font-size"))
    assert 900 < float(root.get("width")) < 1300


def test_tokens_after_the_sixty_fourth_are_left_out_and_the_title_says_so():
    cut = _picture(tuple(map(str, range(70))), tuple(map(str, range(65)))).cut()
    assert cut.plan.shape == (64, 64)
    assert cut.title == "pair; the first 64 of 70 source and 64 of 65 target tokens are shown"


def test_a_square_is_as_dark_as_the_share_of_its_tokens_own_mass():
    """Half of the first token's mass is moved, all of the second's: the first must not look like the second."""
    svg = plan_svg(_picture(("a", "b"), ("c", "d"), np.array([[0.25, 0.0], [0.0, 0.5]])))
    assert re.findall(r'fill-opacity="([\d.]+)"><title>(.*?)</title>', svg) == [
        ("0.71", "a → c: 50.0%"),
        ("1.00", "b → d: 100.0%"),
    ]
    assert _texts(svg)[4:7] == ["mass sent", "50%", "100%"]
    assert "mass sent" not in plan_svg(_picture(("a",), ("b",)))


# the page


def _measured(*values: float) -> Measured:
    topics = {f"q{place}": value for place, value in enumerate(values)}
    return Measured({name: topics for name in MEASURES}, dict.fromkeys(MEASURES, sum(values) / len(values)), ())


def _content(**fields: object) -> ReportContent:
    base = {
        "recipe": recipe("demo").as_dict(),
        "registered": recipe("demo").as_dict(),
        "fingerprint": "abc",
        "systems": {"zero_shot": _measured(0.1, 0.2), "student": _measured(0.4, 0.6)},
        "p_values": {"student": 0.01},
    }
    return ReportContent(**(base | fields))


def _page(folder: Path, **fields: object) -> str:
    return write_report(folder, _content(**fields)).read_text()


def test_a_topic_named_like_markup_is_text_on_both_pages(tmp_path):
    work = [Work(EVIL, 1.0, EVIL, EVIL, EVIL)]
    facts = CollectionFacts(EVIL, EVIL, 1, 2, 3, 2)
    plans = [_picture((EVIL,), (EVIL,))]
    fields = {
        "topics": {"q0": TopicText(EVIL, EVIL)},
        "command": EVIL,
        "work": work,
        "collection": facts,
        "problem": EVIL,
    }
    page = _page(tmp_path, plans=plans, **fields)
    assert "<script" not in page
    assert page.count("&lt;script&gt;") >= 9
    outside_fences = re.sub(r"^```$.*?^```$", "", (tmp_path / "report.md").read_text(), flags=re.M | re.S)
    assert "<script" not in outside_fences


def test_the_page_reads_on_a_telephone_and_fetches_nothing(tmp_path):
    page = _page(tmp_path, plans=[_picture(("a",), ("b",))])
    assert '<meta name="viewport" content="width=device-width, initial-scale=1">' in page
    assert len(re.findall(r'<div class="scroll" tabindex="0"><table', page)) == page.count("<table") > 2
    assert len(re.findall(r'<figure><div tabindex="0"><(img|svg)', page)) == page.count("<figure") == 2
    assert re.search(r"\.scroll, figure > div \{ overflow-x: auto; \}", page)
    assert not re.search(r'(src|href)="(?!data:)|url\(|@import|<script|<link', page)


def test_only_the_systems_that_were_measured_are_defined(tmp_path):
    page = _page(tmp_path)
    assert "<dt>zero_shot</dt><dd>the teacher reads the query in its own language" in page
    assert (
        "<dt>student</dt>" in page and "<dt>student_start</dt>" not in page and "<dt>english_ceiling</dt>" not in page
    )
    everything = dict.fromkeys(("zero_shot", "student_start", "student", "english_ceiling"), _measured(0.5, 0.5))
    assert re.findall("<dt>([a-z_]+)</dt>", _page(tmp_path, systems=everything))[:4] == list(everything)


def test_p_and_intervals_say_what_they_mean(tmp_path):
    page = _page(tmp_path, intervals={"student": {"AP": Interval(0.3, 0.7)}})
    assert "0.500 (0.300, 0.700)" in page
    assert re.search(r"<dt>p vs zero-shot</dt><dd>.*10,000 random.*Holm-corrected for 1 comparison", page)
    assert re.search(r"<dt>interval</dt><dd>holds 95 % of 10,000 means over topics", page)
    assert "<dt>interval</dt>" not in _page(tmp_path)


def test_recall_at_a_hundred_says_where_shorter_runs_end(tmp_path):
    shallow = _changed(recipe("demo"), {"index.depth": 50})
    assert "first hundred; but a run of this recipe ends at rank 50." in _page(tmp_path, recipe=shallow.as_dict())
    assert "ends at rank" not in _page(tmp_path)


def test_work_that_was_not_noted_is_said_to_be_missing(tmp_path):
    assert "is not on record" in _page(tmp_path, command="python -m pipelines run demo")


def test_changed_settings_stand_first_and_the_others_are_folded(tmp_path):
    changed = _changed(recipe("demo"), {"objective.epsilon": 0.05, "train.mixture.weights": (1.0,)})
    page = _page(tmp_path, recipe=changed.as_dict())
    shown, folded = page.split("<details>")
    assert '<td dir="auto">objective.epsilon</td><td dir="auto">0.05</td><td dir="auto">0.1</td>' in shown
    assert "train.mixture.weights" in shown and "objective.tolerance" not in shown
    others = int(re.search(r"<summary>The (\d+) other settings</summary>", folded).group(1))
    assert others == folded.count("<tr>") - 1 > 60
    assert ">objective.epsilon<" not in folded


def test_an_unchanged_and_an_unregistered_recipe_say_so(tmp_path):
    assert "Every setting is the registered recipe" in _page(tmp_path)
    assert re.search(r"<summary>All \d+ settings</summary>", _page(tmp_path, registered=None))


def test_the_date_the_machine_and_the_versions_of_each_part_of_the_work(tmp_path):
    here, there = ("2 cores", "torch 2.13"), ("8 cores, 1 x H200", "torch 2.14")
    work = [Work("prepare", 1.5, "2026-01-01 10:00", *here), Work("train", 60.0, "2026-01-02 11:30", *there)]
    page = _page(tmp_path, work=work, command="python -m pipelines run demo --objective.epsilon 0.05")
    for said in ("2026-01-01 10:00 UTC", "2026-01-02 11:30 UTC", *here, *there, ">61.5<"):
        assert said in page
    assert "<pre><code>python -m pipelines run demo --objective.epsilon 0.05</code></pre>" in page
    assert "<p>train:</p>" in page
    assert "<p>train:</p>" not in _page(tmp_path, work=[replace(part, machine="m", versions="v") for part in work])


def test_plans_of_an_earlier_report_do_not_stay_beside_a_new_one(tmp_path):
    for name in ("plans.png", "plan-3.svg"):
        (tmp_path / name).write_text("old")
    _page(tmp_path, plans=[_picture(("a",), ("b",))])
    assert sorted(path.name for path in tmp_path.glob("plan*")) == ["plan-1.svg"]


def test_the_share_of_problems_that_did_not_converge_is_said(tmp_path):
    page = _page(tmp_path, training=[{"step": 1, "loss": 1.0, "unconverged": 0.5}, {"step": 2, "unconverged": 0.0}])
    assert "2 steps; 25.00% of their transport problems did not converge." in page
    page = _page(tmp_path, training=[{"step": 1, "loss": 1.0, "ot_2_unconverged": 0.5, "ot_2_marginal_error": 0.1}])
    assert "1 steps; 50.00% of the transport problems of the term ot_2 did not converge." in page


# the command


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("demo", {}),
        ("demo", {"objective.epsilon": 0.1 + 0.2, "train.learning_rate": 1e-5}),
        ("demo", {"teacher.scratch.train.epochs": 2, "teacher.scratch.pairs": ("demo-questions", "other")}),
        ("swahili", {"bitext.datasets": ("my data/a b.tsv@swa", "it's $HOME.tsv"), "bitext.source": "*"}),
        ("swahili", {"bitext.max_pairs": 160, "bitext.cleaning.drop_identical": False, "teacher.cache": True}),
        ("swahili", {"evaluation.seed": 3, "evaluation.collection": "topics; rm x"}),
        ("swahili", {"train.mixture.weights": (0.25, 0.75), "objective.method": "partial", "objective.mass": 0.7}),
        ("swahili", {"teacher.weights": "owner/model", "teacher.revision": "f" * 40, "student.vocabulary": 0}),
    ],
)
def test_the_printed_command_gives_the_same_recipe(name, changes):
    made, resources = _changed(recipe(name), changes), Resources(num_workers=2, use_gpu=True)
    line = repeat_command(made, resources)
    words = shlex.split(line)
    assert words[:5] == ["python", "-m", "pipelines", "run", name]
    verb, command = parse(words[3:])
    assert (verb, command.recipe, command.settings.resources) == ("run", made, resources)
    assert len(words) < 5 + 2 * len(changes) + 5


def test_a_shell_reads_the_command_as_it_is_meant():
    made = _changed(recipe("swahili"), {"bitext.datasets": ("a b$HOME*`id`'\".tsv",)})
    line = repeat_command(made, Resources()).replace("python -m pipelines", "printf '%s\\n'")
    ran = subprocess.run(["sh", "-c", line], capture_output=True, text=True, check=True)
    assert ran.stdout.splitlines() == ["run", "swahili", "--bitext.datasets", "a b$HOME*`id`'\".tsv"]


@pytest.mark.parametrize(
    "made", [replace(recipe("demo"), name="mine"), replace(recipe("swahili"), teacher=recipe("demo").teacher)]
)
def test_a_recipe_that_no_command_line_can_say_gets_none(made):
    assert repeat_command(made, Resources()) is None


# the circumstances


def test_work_is_noted_where_it_was_done(tmp_path, monkeypatch):
    monkeypatch.setattr(circumstances, "versions", lambda: ["Python 3", "torch 2"])
    monkeypatch.setattr(circumstances, "machine", lambda resources: "small")
    note_work(tmp_path, "search", 1.25, Resources())
    note_work(tmp_path, "search", 2.0, Resources())
    monkeypatch.setattr(circumstances, "machine", lambda resources: "large")
    note_work(tmp_path, "search", 4.0, Resources())
    done = work_done(tmp_path)
    assert [(work.verb, work.seconds, work.machine, work.versions) for work in done] == [
        ("search", 3.25, "small", "Python 3, torch 2"),
        ("search", 4.0, "large", "Python 3, torch 2"),
    ]
    assert all(re.fullmatch(r"20\d\d-\d\d-\d\d \d\d:\d\d", work.finished) for work in done)
    assert work_done(tmp_path / "nowhere") == []


def test_a_machine_and_its_versions_are_described():
    told = circumstances.machine(Resources(num_workers=3))
    assert re.search(r"\d+ cores, \d+ GiB of memory, (no GPU|\d x )", told) and told.endswith("3 worker(s) on CPUs")
    found = circumstances.versions()
    assert f"torch {torch.__version__.partition('+')[0]}" in ", ".join(found)
    assert found[0].startswith("Python 3.") and found[1].startswith(f"optical {optical.__version__}")


def test_a_cluster_is_not_told_as_the_machine_that_drives_it(monkeypatch):
    import ray

    monkeypatch.setenv("RAY_ADDRESS", "somewhere")
    have = {"CPU": 24.0, "GPU": 4.0, "accelerator_type:A10G": 4.0, "memory": 1e9}
    monkeypatch.setattr(ray, "cluster_resources", lambda: have)
    monkeypatch.setattr(ray, "nodes", lambda: [{"Alive": True}, {"Alive": True}, {"Alive": False}])
    told = circumstances.machine(Resources(num_workers=4, use_gpu=True))
    assert told.endswith("driving a Ray cluster of 2 machine(s) with 24 CPUs and 4 GPUs (A10G)")


def test_the_commit_of_somebody_elses_repository_is_not_ours(tmp_path, monkeypatch):
    package = tmp_path / "venv" / "optical"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("")
    git = ["git", "-C", str(tmp_path), "-c", "user.name=a", "-c", "user.email=a@b"]
    subprocess.run([*git, "init", "-q"], check=True)
    subprocess.run([*git, "commit", "-q", "--allow-empty", "-m", "theirs"], check=True)
    monkeypatch.setattr(optical, "__file__", str(package / "__init__.py"))
    assert circumstances.commit() is None
    subprocess.run([*git, "add", "."], check=True)
    subprocess.run([*git, "commit", "-q", "-m", "ours"], check=True)
    assert re.fullmatch("[0-9a-f]{12}", circumstances.commit())
    (package / "__init__.py").write_text("changed = 1")
    assert circumstances.commit().endswith(" with local changes")
