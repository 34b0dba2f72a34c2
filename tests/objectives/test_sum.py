"""A weighted sum of objectives: its terms, how they are typed, what is encoded, its name, its words."""

import dataclasses
import json
import pickle

import pytest
import torch

from optical.errors import UserError
from optical.objectives import argmax, contrastive, greedy, ot, pooled
from optical.objectives.sum import Config
from optical.recipe import decisive
from optical.resources import Resources
from pipelines.cli.parse import parse
from pipelines.cli.repeat import repeat_command
from pipelines.recipes import recipe
from pipelines.recipes.from_file import recipe_from_file
from tests.objectives.by_hand import Lookup, batch, loss_and_gradients, random_pairs
from tune.space import CampaignConfig

TABLE = torch.tensor([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [0.6, 0.8]])
SHARP = "0.5*ot(epsilon=0.05,epsilon_unit=mean_cost)"


def with_terms(*terms: str):
    return dataclasses.replace(recipe("demo"), objective=Config(terms=terms))


def test_loss_gradient_and_measurements_are_those_of_the_terms(fresh_seed):
    table, pairs = random_pairs(fresh_seed)
    terms = ((1.0, ot.Config()), (0.3, pooled.Config()), (2.0, greedy.Config()))
    made = Config(terms=("ot", "0.3*pooled", "2*greedy")).build(None)
    total, *gradients = loss_and_gradients(made, table, pairs)
    parts = [(weight, *loss_and_gradients(config.build(None), table, pairs)) for weight, config in terms]
    for place, found in enumerate((total, *gradients)):
        torch.testing.assert_close(found, sum(part[0] * part[place + 1] for part in parts), atol=1e-6, rtol=1e-5)
    observed = made.losses(Lookup(table), pairs).observed
    for (_, config), (_, value, *_) in zip(terms, parts, strict=True):
        torch.testing.assert_close(observed[f"{config.name}_loss"], value)
        own = config.build(None).losses(Lookup(table), pairs).observed
        assert {f"{config.name}_{name}" for name in own} <= observed.keys()
    assert torch.equal(
        observed["ot_iterations"], ot.Config().build(None).losses(Lookup(table), pairs).observed["iterations"]
    )


def test_each_side_is_encoded_once(encoder, monkeypatch):
    pairs = batch([[5, 6, 7]], [[8, 9, 0]])
    asked = []
    forward = encoder.forward
    monkeypatch.setattr(encoder, "forward", lambda ids, mask: asked.append(ids) or forward(ids, mask))
    student = Lookup(torch.nn.functional.normalize(torch.randn(20, encoder.dim), dim=1))
    objective = Config(terms=("ot", "pooled", "argmax", "score_kl", "contrastive")).build(encoder)
    assert objective.losses(student, pairs).value.isfinite().all()
    assert student.calls == 1
    assert len(asked) == 1
    # Without a teacher the trained encoder reads both sides, each once.
    alone = Lookup(student.table)
    Config(terms=("greedy", "pooled", "argmax")).build(None).losses(alone, pairs)
    assert alone.calls == 2


def test_terms_are_read():
    made = Config(terms=("ot", " 0.3 * pooled ", SHARP, "1e-1*argmax(direction=source, special_tokens=keep)"))
    configs = [(term.weight, term.config, term.label) for term in made.parsed]
    sharp = ot.Config(epsilon=0.05, epsilon_unit="mean_cost")
    assert configs == [
        (1.0, ot.Config(), "ot"),
        (0.3, pooled.Config(), "pooled"),
        (0.5, sharp, "ot_2"),
        (0.1, argmax.Config(direction="source", special_tokens="keep"), "argmax"),
    ]
    assert Config(terms=("ot(max_iterations=5)",)).parsed[0].config.max_iterations == 5


@pytest.mark.parametrize(
    ("term", "said"),
    [
        ("ott", "the objective is 'ott'; did you mean ot?"),
        ("base", "the objective is 'base'; choose one of: argmax, "),
        ("_terms", "the objective is '_terms'; choose one of: argmax, "),
        ("sum", "is a sum in a sum; write its terms beside the others"),
        ("-1*ot", "the weight is -1; set a positive number, or leave the term out"),
        ("0*ot", "the weight is 0; set a positive"),
        ("nan*ot", "the weight is nan; set a positive"),
        ("inf*ot", "the weight is inf; set a positive"),
        ("x*ot", "the weight 'x' is no number; write "),
        ("*ot", "the weight '' is no number; write "),
        ("ot*0.3", "has another form; write [WEIGHT*]OBJECTIVE[(FIELD=VALUE,...)], such as ot, "),
        ("0.3*", "has another form; write "),
        ("", "has another form; write "),
        ("ot+pooled", "has another form; write "),
        ("ot(epsilon=0.1", "has another form; write "),
        ("ot(epsilon)", "'epsilon' sets no field; write "),
        ("ot(epsilon=0.1,)", "'' sets no field; write "),
        ("ot(epsilom=0.1)", "epsilom is no field of this objective; did you mean epsilon?"),
        ("ot(name=pooled)", "name is no field of this objective; "),
        ("ot(epsilon=small)", "epsilon is 'small'; give a number"),
        ("ot(epsilon=-1)", "epsilon is -1.0; set a finite number above 0, such as 0.1"),
        ("ot(max_iterations=1.5)", "max_iterations is '1.5'; give a whole number"),
        ("ot(epsilon=0.1,epsilon=0.2)", "epsilon is set twice; set it once"),
        ("ot(method=sinkorn)", "method is 'sinkorn'; choose from sinkhorn, "),
        ("contrastive(temperature=0)", "temperature is 0.0; set a positive number"),
    ],
)
def test_a_term_that_cannot_be_read_is_refused_in_one_line_that_names_it(unchecked, term, said):
    with pytest.raises(UserError) as caught:
        Config(terms=("pooled", term))
    line = str(caught.value)
    assert line.startswith(f"objective.terms, {term!r}: ")
    assert said in line
    assert "\n" not in line


def test_a_sum_of_nothing_is_refused():
    with pytest.raises(UserError, match="^objective.terms: names no objective; write "):
        Config(terms=())


def test_it_is_typed_on_the_command_line_and_repeated():
    words = ["--objective.name", "sum", "--objective.terms", "ot", "0.3*pooled", SHARP]
    made = parse(["run", "demo", *words])[1].recipe
    assert made.objective == Config(terms=("ot", "0.3*pooled", SHARP))
    assert repeat_command(made, Resources()) == (
        f"python -m pipelines run demo --objective.name sum --objective.terms ot '0.3*pooled' '{SHARP}'"
    )
    with pytest.raises(UserError, match=r"objective.terms, 'ott'.* did you mean ot"):
        parse(["run", "demo", "--objective.name", "sum", "--objective.terms", "ott"])


def test_it_comes_back_from_the_record_of_a_run_and_from_a_pickle(tmp_path):
    made = with_terms("ot", SHARP)
    (tmp_path / "run.json").write_text(json.dumps({"recipe": made.as_dict()}))
    assert recipe_from_file(str(tmp_path / "run.json")) == made
    assert pickle.loads(pickle.dumps(made)) == made


def test_its_name_follows_what_decides_the_terms(monkeypatch):
    plain = decisive(with_terms("ot", "0.3*pooled"))
    assert plain == decisive(with_terms("1*ot( epsilon = 0.10 )", "3e-1*pooled"))
    # The penalty is idle for sinkhorn.
    assert plain == decisive(with_terms("ot(penalty=3)", "0.3*pooled"))
    assert plain["objective"]["terms"][0]["epsilon"] == 0.1
    for other in (("ot", "0.4*pooled"), ("ot",), ("ot(epsilon=0.2)", "0.3*pooled"), ("0.3*pooled", "ot")):
        assert plain != decisive(with_terms(*other))
    json.dumps(plain)
    monkeypatch.setattr(ot.Config, "version", 7)
    raised = decisive(with_terms("ot", "0.3*pooled"))
    assert raised != plain
    assert raised["objective"]["terms"][0]["version"] == 7
    assert decisive(with_terms("greedy")) == decisive(with_terms("greedy"))


def test_the_name_of_pooled_distillation_is_that_of_before_its_field():
    made = decisive(dataclasses.replace(recipe("demo"), objective=pooled.Config()))
    assert made["objective"] == {"name": "pooled"}
    kept = decisive(dataclasses.replace(recipe("demo"), objective=pooled.Config(special_tokens="keep")))
    assert kept["objective"] == {"name": "pooled", "special_tokens": "keep"}


def test_parts_and_workers_are_those_of_the_terms(monkeypatch):
    assert Config(terms=("ot", "pooled")).divisible
    whole = Config(terms=("ot", "contrastive"))
    assert (whole.divisible, whole.gathers, whole.takes_workers) == (False, True, True)
    monkeypatch.setattr(contrastive.Config, "gathers", False)
    assert not Config(terms=("ot", "contrastive")).takes_workers
    demo = recipe("demo")
    with pytest.raises(UserError, match=r"^train.accumulate: is 2, and the objective sum compares"):
        dataclasses.replace(demo, objective=whole, train=dataclasses.replace(demo.train, accumulate=2))


def test_the_first_term_that_aligns_is_shown():
    pairs = batch([[1, 2]], [[1, 3]])
    shown = Config(terms=("pooled", "greedy", "argmax")).build(None).alignment(Lookup(TABLE), pairs)
    own = greedy.Config().build(None).alignment(Lookup(TABLE), pairs)
    assert torch.equal(shown.plan, own.plan)
    assert shown.captions == (f"greedy: {own.captions[0]}",)
    assert Config(terms=("pooled", "score_kl")).build(None).alignment(Lookup(TABLE), pairs) is None


def test_its_words_name_every_term():
    made = Config(terms=("ot", "0.3*pooled"))
    assert made.in_words().startswith("Term ot, weight 1: Method sinkhorn, ")
    assert made.in_words().endswith(f"Term pooled, weight 0.3: {pooled.Config().in_words()}")
    assert made.means() == f"a weighted sum: 1 times {ot.Config().means()}, and 0.3 times {pooled.Config().means()}"


def test_a_search_refuses_its_terms():
    with pytest.raises(UserError, match="fields: objective.terms is .* no number, word or switch"):
        CampaignConfig(fields=("objective.terms=ot,pooled",)).searched(with_terms("ot"))
    found = CampaignConfig().searched(with_terms("ot"))
    assert [field.path for field in found] == ["train.learning_rate"]


def test_help_names_every_objective():
    text = parse(["run", "demo", "--help-all"])[1].text
    shown = " ".join(text.split())
    assert "[argmax, contrastive, divergence, greedy, intersection, ot, pooled, score_kl, sum]" in shown
