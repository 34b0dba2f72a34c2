"""The map between two clouds of token vectors: against POT, on clouds whose map is known, and as a student's start."""

import ot
import pytest
import torch
from torch import nn

from optical.errors import DataError, NumericalError, UserError
from optical.model.centring import centred, moments
from optical.model.config import StartConfig
from optical.model.encode import encode_texts
from optical.model.encoder import Encoder
from optical.model.gaussian import Gaussian, _cloud, bures_wasserstein, gaussian_map, gaussian_start
from optical.model.starting import student_start
from optical.model.storage import load_encoder, save_encoder
from tests.model.formats import folders

WORDS = folders.WORDS
ENGLISH = [f"{one} {other} {third}" for one in WORDS for other in WORDS[:6] for third in WORDS[3:5] if one != other]


def drawn(seed: int, size: int = 400, dim: int = 6) -> torch.Tensor:
    draw = torch.Generator().manual_seed(seed)
    mixed = torch.randn(dim, dim, dtype=torch.float64, generator=draw)
    return torch.randn(size, dim, dtype=torch.float64, generator=draw) @ mixed + mixed[0]


def cloud(vectors: torch.Tensor) -> Gaussian:
    return Gaussian(vectors.mean(0), vectors.T.cov(correction=0), len(vectors))


def test_the_map_is_that_of_pot():
    source, target = drawn(1), drawn(2, 300)
    weight, bias = gaussian_map(cloud(source), cloud(target))
    expected = ot.gaussian.empirical_bures_wasserstein_mapping(source.numpy(), target.numpy(), reg=0)
    torch.testing.assert_close(weight, torch.from_numpy(expected[0]), atol=1e-8, rtol=1e-8)
    torch.testing.assert_close(bias, torch.from_numpy(expected[1]).flatten(), atol=1e-8, rtol=1e-8)


def test_the_distance_is_that_of_pot_and_of_the_map_zero():
    source, target = cloud(drawn(3)), cloud(drawn(4))
    parts = (side.numpy() for side in (source.mean, target.mean, source.covariance, target.covariance))
    assert bures_wasserstein(source, target) == pytest.approx(float(ot.gaussian.bures_wasserstein_distance(*parts)))
    assert bures_wasserstein(source.mapped(*gaussian_map(source, target)), target) < 1e-6


def test_mapped_vectors_have_the_moments_of_the_target():
    source, target = drawn(5), drawn(6)
    weight, bias = gaussian_map(cloud(source), cloud(target))
    moved = cloud(source @ weight.T + bias)
    torch.testing.assert_close(moved.mean, cloud(target).mean)
    torch.testing.assert_close(moved.covariance, cloud(target).covariance)


def test_equal_clouds_are_left_where_they_are():
    weight, bias = gaussian_map(cloud(drawn(7)), cloud(drawn(7)))
    torch.testing.assert_close(weight, torch.eye(6, dtype=torch.float64))
    torch.testing.assert_close(bias, torch.zeros(6, dtype=torch.float64), atol=1e-9, rtol=0)


def test_shrinkage_keeps_the_trace_and_gives_a_flat_cloud_an_inverse():
    flat = cloud(drawn(8).index_fill(1, torch.tensor([2]), 1.0))
    assert torch.linalg.matrix_rank(flat.covariance) == 5
    shrunk = flat.shrunk(0.01)
    torch.testing.assert_close(shrunk.covariance.trace(), flat.covariance.trace())
    weight, _ = gaussian_map(shrunk, cloud(drawn(9)).shrunk(0.01))
    assert weight.isfinite().all()


def test_a_vector_that_is_not_finite_is_refused():
    broken = cloud(drawn(1).index_fill(0, torch.tensor([3]), torch.nan))
    with pytest.raises(NumericalError, match="^gaussian start: a token vector is not finite"):
        gaussian_map(broken, cloud(drawn(2)))


@pytest.fixture(scope="module")
def teacher(tmp_path_factory):
    """BERT with a projection to 16 dimensions."""
    return folders.pylate(tmp_path_factory.mktemp("teacher"))


def started(teacher, sources=ENGLISH, english=ENGLISH, own=None, **config):
    return student_start(StartConfig(start="gaussian", **config), teacher, own, sources, english)


def before(facts) -> float:
    return float(facts["start"].split("before ")[1].rstrip(")"))


def test_a_copy_that_reads_the_same_starts_as_the_teacher(teacher):
    student, facts = started(teacher)
    guide = load_encoder(teacher).eval()
    for one, other in zip(*(encode_texts(each, ENGLISH[:4], "query", 30) for each in (student, guide)), strict=True):
        torch.testing.assert_close(one, other, atol=1e-4, rtol=0)
    assert len(student.head) == len(guide.head) + 1
    assert facts["cloud_distance"] < 0.01


def test_a_copy_that_reads_other_texts_comes_nearer_and_is_loaded_again(teacher, tmp_path):
    others = [" ".join(text.split()[:1] * 3) for text in ENGLISH]
    student, facts = started(teacher, others)
    assert facts["cloud_distance"] < 0.75 * before(facts)
    assert facts["start"].startswith(f"gaussian on {facts['source_tokens']:,} source and ")
    save_encoder(student, tmp_path)
    again = load_encoder(tmp_path).eval()
    for one, other in zip(*(encode_texts(each, others[:4], "query", 30) for each in (student, again)), strict=True):
        torch.testing.assert_close(one, other, atol=1e-6, rtol=0)


def test_a_cloud_holds_the_texts_own_tokens_alone(teacher):
    encoder = load_encoder(teacher).eval()
    own = sum(len(encoder.reader.tokenizer.encode(text, add_special_tokens=False).ids) for text in ENGLISH[:50])
    assert _cloud(encoder, ENGLISH[:50], "query").tokens == own


def test_the_order_of_sentences_does_not_matter_and_they_need_no_partner(teacher):
    one, other = started(teacher)[0], started(teacher, ENGLISH, ENGLISH[::-1][: len(ENGLISH) - 7])[0]
    torch.testing.assert_close(one.head[-1].linear.weight, other.head[-1].linear.weight, atol=0.2, rtol=0)


def test_a_student_of_its_own_keeps_its_head_before_the_layer(teacher, tmp_path):
    own = folders.xlm_roberta(tmp_path)
    bare = load_encoder(own).eval()
    guide = load_encoder(teacher).eval()
    if bare.dim != guide.dim:
        with pytest.raises(UserError, match=r"^student.start: is gaussian, and the student has .* the teacher 16"):
            started(teacher, own=own, weights="x")
    narrow = Encoder(bare.backbone, bare.reader, nn.Sequential(type(guide.head[0])(bare.dim, guide.dim)))
    layer, facts = gaussian_start(narrow, guide, ENGLISH, ENGLISH)
    assert layer.linear.weight.shape == (16, 16) and facts["cloud_distance"] < before(facts)


def test_a_centred_copy_is_mapped_in_the_centred_space(teacher, tmp_path):
    encoder = load_encoder(teacher).eval()
    save_encoder(centred(encoder, moments(encode_texts(encoder, ENGLISH[:50], "document", 30))), tmp_path)
    assert len(started(tmp_path)[0].head) == 4


def test_too_few_sentences_are_refused(teacher):
    with pytest.raises(DataError, match=r"^gaussian start: the source side has \d+ tokens, and 16 are needed"):
        started(teacher, ["the", "the"])
