"""The sample lines of each file format, as the README shows them, are read as it says."""

from pathlib import Path

import pytest

from optical.data.bitext.readers import read_pairs
from optical.data.bitext.screen import Limits, SentencePair
from optical.data.bitext.sources import open_source
from optical.data.collections.opening import open_collection

PAIRS = [
    ("Mtoto anasoma kitabu.", "The child is reading a book."),
    ("Mvua inanyesha leo.", "It is raining today."),
    ("Soko liko karibu, upande wa kushoto.", "The market is near, on the left."),
]
BITEXT = {
    "pairs.tsv": "Mtoto anasoma kitabu.\tThe child is reading a book.\n"
    "Mvua inanyesha leo.\tIt is raining today.\n"
    "Soko liko karibu, upande wa kushoto.\tThe market is near, on the left.\n",
    "pairs.csv": "source,target\n"
    "Mtoto anasoma kitabu.,The child is reading a book.\n"
    "Mvua inanyesha leo.,It is raining today.\n"
    '"Soko liko karibu, upande wa kushoto.","The market is near, on the left."\n',
    "pairs.jsonl": '{"source": "Mtoto anasoma kitabu.", "target": "The child is reading a book."}\n'
    '{"source": "Mvua inanyesha leo.", "target": "It is raining today."}\n'
    '{"source": "Soko liko karibu, upande wa kushoto.", "target": "The market is near, on the left."}\n',
    "corpus.tmx": '<tmx version="1.4"><header srclang="sw"/><body>\n'
    '<tu><tuv xml:lang="sw"><seg>Mtoto anasoma kitabu.</seg></tuv>'
    '<tuv xml:lang="en"><seg>The child is reading a book.</seg></tuv></tu>\n'
    '<tu><tuv xml:lang="sw"><seg>Mvua inanyesha leo.</seg></tuv>'
    '<tuv xml:lang="en"><seg>It is raining today.</seg></tuv></tu>\n'
    '<tu><tuv xml:lang="sw"><seg>Soko liko karibu, upande wa kushoto.</seg></tuv>'
    '<tuv xml:lang="en"><seg>The market is near, on the left.</seg></tuv></tu>\n'
    "</body></tmx>\n",
}
COLLECTION = {
    "passages.tsv": "p1\tThe Nile is 6,650 kilometres long.\n"
    "p2\tMount Kenya is the highest mountain of Kenya.\n"
    "p3\tDodoma has been the capital of Tanzania since 1974.\n",
    "topics.tsv": "q1\tMto Nile una urefu gani?\tHow long is the Nile?\n"
    "q2\tMlima mrefu wa Kenya ni upi?\tWhich is Kenya's highest mountain?\n"
    "q3\tMji mkuu wa Tanzania ni upi?\tWhat is the capital of Tanzania?\n",
    "qrels.txt": "q1 0 p1 1\nq2 0 p2 1\nq3 0 p3 1\n",
}


def read(spec: str, folder: Path) -> list[tuple[str, str]]:
    source = open_source(spec, folder / "cache")
    pairs = list(read_pairs(source.paths, source.reader, "swa", "eng", Limits()))
    assert all(isinstance(pair, SentencePair) for pair in pairs)
    return [(pair.source, pair.target) for pair in pairs]


@pytest.mark.parametrize("name", BITEXT)
def test_bitext_in_one_file(name, tmp_path):
    (tmp_path / name).write_text(BITEXT[name])
    assert read(str(tmp_path / name), tmp_path) == PAIRS


def test_bitext_in_two_moses_files(tmp_path):
    for name, side in (("corpus.swa", 0), ("corpus.eng", 1)):
        (tmp_path / name).write_text("".join(f"{pair[side]}\n" for pair in PAIRS))
    assert read(f"{tmp_path / 'corpus.swa'}+{tmp_path / 'corpus.eng'}", tmp_path) == PAIRS


def test_a_collection_is_a_folder_of_three_files(tmp_path):
    for name, text in COLLECTION.items():
        (tmp_path / name).write_text(text)
    found = open_collection(str(tmp_path), tmp_path / "cache")
    assert [passage.docid for passage in found.passages] == ["p1", "p2", "p3"]
    assert found.passages[2].text == "Dodoma has been the capital of Tanzania since 1974."
    topic = found.topics[0]
    assert (topic.qid, topic.query, topic.english) == ("q1", "Mto Nile una urefu gani?", "How long is the Nile?")
    assert [(qrel.qid, qrel.docid, qrel.relevance) for qrel in found.qrels] == [
        (f"q{n}", f"p{n}", 1) for n in (1, 2, 3)
    ]
