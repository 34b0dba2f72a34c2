"""A small product of every maker: when one changes, its version in ``pipelines/graph`` must be raised.

Searching and measuring (``run``) have their tests against brute force and ir_measures, and ``export`` copies files.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tokenizers import Tokenizer

from optical.artefacts import fingerprint
from optical.data.batches.negatives import mined_negatives
from optical.data.batches.token_shards import open_tokens, read_split
from optical.data.bitext.config import BitextConfig, CleaningConfig
from optical.data.bitext.readers import read_pairs
from optical.data.bitext.screen import Limits, SentencePair
from optical.data.bitext.shards import CHECKED
from optical.data.cleaning.predicates import Cleaning, clean
from optical.data.collections.opening import open_collection
from optical.index.embed import PassageEncoder
from optical.index.embeddings import Embeddings
from optical.index.kinds import faiss
from optical.model.encoder import Encoder
from optical.model.scratch import scratch_encoder
from optical.model.vocabulary.tokenizer import learn_wordpiece
from optical.model.vocabulary.translation import extended_student
from optical.objectives.ot import Config as OTConfig
from optical.recipe import ScratchConfig
from optical.tracking.journal import rows
from optical.train.config import TrainConfig
from optical.train.encode_targets import TargetEncoder
from optical.train.job import TrainJob
from tests.doors.recipes import nodes
from tests.train.ranks import train

PAIRS = [
    ("Maji ni uhai wa kila kiumbe.", "Water is the life of every creature."),
    ("Mtoto anasoma kitabu.", "The child reads a book."),
    ("mtoto  anasoma kitabu", "The child reads a book!"),
    ("", "An empty side."),
    ("Nairobi", "Nairobi"),
    ("Это не суахили.", "This is not Swahili."),
    ("Bei ni &quot;juu&quot; sana", "The price is &quot;high&quot; \u2013 very"),
    ("Mwalimu\u00a0wa shule", "The cafe\u0301 of the school"),
]
SHAPE = ScratchConfig(pairs=("toy",), hidden=16, layers=1, heads=2, dim=8)
SOURCES = ["maji mtoto", "maji", "mtoto shule", "shule maji", "uhai मुले", "uhai maji"]
TARGETS = ["water child", "water", "child school", "school water", "life child", "life water"]
SENTENCES = ["Maji ni uhai", "Éléphant naïf ŵ मुले मूल", "child water [SEP] school", "nyumba 12.5 kg"]


VERSIONS = {node.kind: node.version for node in nodes()}


@dataclass(frozen=True)
class World:
    """What the products are made from: a folder to write in, tokens, and an encoder's folder."""

    folder: Path
    tokens: Path
    encoder: Path


Product = tuple[str, list[float]]
"""What is the same on every machine, as a hash, and what is the same within rounding."""


def bitext(world: World) -> Product:
    file = world.folder / "pairs.tsv"
    file.write_text("".join(f"{source}\t{target}\n" for source, target in PAIRS))
    limits = Limits.of(BitextConfig(datasets=("toy",)))
    read = [
        {"position": pair.position, **({"source": pair.source, "target": pair.target} if accepted else {})}
        | {"reason": None if accepted else pair.reason}
        for pair in read_pairs([file], "tsv", "swa", "eng", limits)
        for accepted in [isinstance(pair, SentencePair)]
    ]
    cleaned = clean(pa.Table.from_pylist(read, CHECKED), "swa", "eng", Cleaning(CleaningConfig()))
    columns = ["position", "source", "target", "reason", "near_key"]
    return _hash(cleaned.select(columns).to_pylist()), []


def collection(world: World) -> Product:
    (world.folder / "passages.tsv").write_text("p1\tThe  Nile flows.\np2\tcafe\u0301\n")
    (world.folder / "topics.tsv").write_text("t1\tMto gani?\tWhich river?\n")
    (world.folder / "qrels.txt").write_text("t1 0 p1 1\n")
    found = open_collection(str(world.folder), world.folder)
    parts = (found.passages, found.topics, found.qrels)
    return _hash([[[getattr(row, name) for name in row.__slots__] for row in part] for part in parts]), []


def teacher_start(_: World) -> Product:
    tokenizer = learn_wordpiece(SENTENCES * 3, 120)
    return _vocabulary(tokenizer), _norms(scratch_encoder(SHAPE, tokenizer, 0))[1:6]


def student_start(_: World) -> Product:
    teacher = scratch_encoder(SHAPE, learn_wordpiece(TARGETS * 3, 60), 0)
    student = extended_student(teacher, SOURCES, TARGETS, 90)
    return _vocabulary(student.tokenizer), _norms(student)[-6:]


def tokens(world: World) -> Product:
    dev, files = read_split(world.tokens, "dev"), ("lengths.parquet", "train-00000.parquet")
    written = [pq.read_table(world.tokens / name).to_pydict() for name in files]
    return _hash([written, dev.source_ids.to_pylist(), dev.target_ids.to_pylist()]), []


def negatives(world: World) -> Product:
    questions = ["which child reads a book", "which river flows", "which river flows"]
    passages = ["The child reads.", "A river, a child, a book.", "The Nile is a river."]
    return _hash(mined_negatives(questions, passages).tolist()), []


def teacher(world: World) -> Product:
    return _trained(world, "teacher")


def student(world: World) -> Product:
    return _trained(world, "student")


def teacher_cache(world: World) -> Product:
    encode = TargetEncoder(world.encoder, open_tokens(world.tokens), 6, 1, False)
    return _summed(row["embeddings"] for table in encode(pa.table({"group": [0]})) for row in table.to_pylist())


def embeddings(world: World) -> Product:
    passages = pa.table({"docid": ["a", "b"], "text": ["child water school", "river"]})
    return _summed(PassageEncoder(world.encoder, 4, 1, False)(passages)["embeddings"].to_pylist())


def candidates(world: World) -> Product:
    draw = np.random.default_rng(0).standard_normal((200, 4)).astype(np.float16)
    passages = Embeddings(world.folder, "f" * 64, ("a",), draw, np.array([0, 200]))
    config = faiss.Config(factory="IVF4,SQ8", num_probes=1)
    config.build(passages, world.folder)
    scores, found = config.open(passages, world.folder).tokens.search(draw[:3].astype(np.float32), 2)
    return _hash(found.tolist()), scores.ravel().tolist()


MAKERS = {
    "bitext": bitext,
    "questions": bitext,
    "collection": collection,
    "teacher-start": teacher_start,
    "question-tokens": tokens,
    "negatives": negatives,
    "teacher": teacher,
    "student-start": student_start,
    "tokens": tokens,
    "teacher-cache": teacher_cache,
    "student": student,
    "embeddings": embeddings,
    "candidates": candidates,
}
PRODUCTS = {
    "bitext": (2, "112fd3ec7e55", []),
    "questions": (2, "112fd3ec7e55", []),
    "collection": (2, "f3bb314d6990", []),
    "teacher-start": (2, "615d64cfbd10", [0.0776, 0.0731, 0.0987, 0.0835, 0.0705]),
    "question-tokens": (3, "6dd75ee09e4c", []),
    "negatives": (1, "f4f156038965", []),
    "teacher": (2, "", [2.8596, 1.556, 0.8422, 0.4449, 0.1311]),
    "student-start": (3, "ec48e7aa7c08", [0.0315, 0.039, 0.0365, 0.0115, 0.0115, 0.0366]),
    "tokens": (3, "6dd75ee09e4c", []),
    "teacher-cache": (1, "f626051bc944", [54.7693, 75.8566, 95.8467, 3.8172, -177.8618]),
    "student": (1, "", [0.3141, 0.1949, 0.1493, 0.0983, 0.0818]),
    "embeddings": (2, "7902699be42c", [0.2257, 1.1031, 1.0959, 0.7132, -3.0851]),
    "candidates": (1, "1030db80c100", [1.6538, 1.4094, 5.0492, 3.7157, 4.4495, 4.3519]),
}


@pytest.mark.parametrize("kind", MAKERS)
def test_what_a_maker_makes_changes_with_its_version_alone(kind, tmp_path, request):
    world = World(tmp_path, request.getfixturevalue("tokens"), request.getfixturevalue("encoder_folder"))
    version, exact, numbers = PRODUCTS[kind]
    made, found = MAKERS[kind](world)
    same = made == exact and found == pytest.approx(numbers, rel=5e-3, abs=5e-4)
    line = f'"{kind}": ({VERSIONS[kind]}, "{made}", {[round(number, 4) for number in found]}),'
    told = f"the maker of {kind} makes something else: raise its version in pipelines/graph, and write here"
    assert same and version == VERSIONS[kind], f"{told}\n    {line}"


def test_every_kind_has_a_product_but_those_that_only_measure_and_copy():
    assert VERSIONS.keys() - MAKERS.keys() == {"run", "export"}


def _hash(content: object) -> str:
    return fingerprint(content)[:12]


def _vocabulary(tokenizer: Tokenizer) -> str:
    return _hash([tokenizer.get_vocab(), [encoding.ids for encoding in tokenizer.encode_batch(SENTENCES)]])


def _norms(encoder: Encoder) -> list[float]:
    return encoder.backbone.get_input_embeddings().weight.detach().norm(dim=1).tolist()


def _trained(world: World, stage: str) -> Product:
    """The losses of five steps."""
    job = TrainJob(
        fingerprint="2" * 64,
        tokens=world.tokens,
        start=world.encoder,
        teacher=world.encoder if stage == "student" else None,
        folder=world.folder / stage,
        train=TrainConfig(epochs=1, batch_pairs=16, learning_rate=5e-3),
        objective=OTConfig() if stage == "student" else SHAPE.objective,
    )
    train(job)
    return "", [row["loss"] for row in rows(job.journal) if row["event"] == "step"]


def _summed(embeddings: Iterable[bytes]) -> Product:
    table = np.frombuffer(b"".join(embeddings), np.float16).reshape(-1, 16).astype(np.float64)
    return _hash(len(table)), table.sum(0)[:5].tolist()
