"""Collections at the door: what people have is read right, or refused with file, line and remedy."""

import gzip
import sys
import types
from pathlib import Path
from typing import NamedTuple

import pyarrow.parquet as pq
import pytest
import pytrec_eval

from optical.artefacts import read
from optical.data.collections.opening import Passage, Qrel, Topic, collection_identity, open_collection
from optical.errors import DataError, InfrastructureError, UserError
from optical.evaluation.measures import measure
from optical.evaluation.runs import Run, ScoredDoc, read_qrels
from optical.report.build import write_report
from optical.report.content import ReportContent
from pipelines.__main__ import main
from pipelines.cleaning import first_topics, topics_table
from pipelines.environment import Settings
from pipelines.graph.bitext import BITEXT
from pipelines.graph.collection import COLLECTION
from pipelines.graph.passages import CANDIDATES, EMBEDDINGS
from pipelines.graph.runs import RUNS
from pipelines.graph.student import STUDENT
from pipelines.graph.workspace import Workspace
from pipelines.recipes import recipe
from pipelines.session import Session
from pipelines.verbs import run as run_verb
from pipelines.verbs.search import collection_info

PASSAGES, TOPICS, QRELS = "d1\tone\nd2\ttwo\n", "q1\tmoja\tone\nq2\tmbili\ttwo\n", "q1 0 d1 1\nq2 0 d2 1\n"
USUAL = {"passages.tsv": PASSAGES, "topics.tsv": TOPICS, "qrels.txt": QRELS}


def laid(folder: Path, files: dict[str, str | bytes]) -> str:
    """A folder of files; what ends in .gz is compressed."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        data = content if isinstance(content, bytes) else content.encode()
        path.write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
    return str(folder)


def opened(folder: Path, files: dict[str, str | bytes], suffix: str = ""):
    return open_collection(laid(folder, files) + suffix, folder / "cache")


def parts(found) -> tuple:
    passages = {passage.docid: passage.text for passage in found.passages}
    topics = {topic.qid: (topic.query, topic.english) for topic in found.topics}
    return passages, topics, {(qrel.qid, qrel.docid): qrel.relevance for qrel in found.qrels}


PLAIN = (
    {"d1": "one", "d2": "two"},
    {"q1": ("moja", "one"), "q2": ("mbili", "two")},
    {("q1", "d1"): 1, ("q2", "d2"): 1},
)
NEUCLIR_TOPIC = (
    '{"topic_id": "q1", "languages_with_qrels": ["fas"], "topics": ['
    '{"lang": "fas", "source": "google translation", "topic_title": "machine"},'
    '{"lang": "eng", "source": "original", "topic_title": "Asteroids", "topic_description": "x"},'
    '{"lang": "fas", "source": "human translation", "topic_title": "sayyarak"}]}\n'
)
TREC_TOPICS = """<top>
<num> Number: q1
<title> Topic: moja &amp; mbili

<desc> Description:
ignored
</top>
<top><num> q2 </num><title>tatu</title></top>
"""


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({}, PLAIN),
        ({"passages.tsv": "docid\ttext\n" + PASSAGES}, PLAIN),
        ({"passages.tsv": "\ufeffid\tpassage\n" + PASSAGES}, PLAIN),
        ({"passages.tsv": "doc_id\tBody\n" + PASSAGES.replace("\n", "\r\n")}, PLAIN),
        ({"passages.tsv": "text\turl\t_id\none\tu\td1\ntwo\tu\td2\n"}, PLAIN),
        ({"topics.tsv": "qid\tquery\tenglish\n" + TOPICS}, PLAIN),
        ({"topics.tsv": "query_id\tquestion\ttranslation\n" + TOPICS}, PLAIN),
        ({"topics.tsv": "english\tid\tquery\none\tq1\tmoja\ntwo\tq2\tmbili\n"}, PLAIN),
        ({"topics.tsv": "id\tSwahili\tEnglish\n" + TOPICS}, PLAIN),
        ({"topics.tsv": "id\ten\tsw\nq1\tone\tmoja\nq2\ttwo\tmbili\n"}, PLAIN),
        ({"topics.tsv": TOPICS + "\n\n", "passages.tsv": "\n" + PASSAGES}, PLAIN),
        ({"qrels.txt": "qid iteration docid relevance\n" + QRELS}, PLAIN),
        ({"qrels.txt": "query-id\tcorpus-id\tscore\nq1\td1\t1\nq2\td2\t1\n"}, PLAIN),
        ({"qrels.txt": "corpus-id\tquery-id\tscore\nd1\tq1\t1.0\nd2\tq2\t+1\n"}, PLAIN),
        ({"qrels.txt": "q1\tQ0\td1\t1.0\r\nq2\tQ0\td2\t2.00\r\n"}, (*PLAIN[:2], {("q1", "d1"): 1, ("q2", "d2"): 2})),
        ({"qrels.txt": QRELS + "q1 0 d2 -2\n"}, (*PLAIN[:2], PLAIN[2] | {("q1", "d2"): -2})),
        ({"qrels.txt": QRELS + "q1 0 d1 1.0\n"}, PLAIN),
    ],
)
def test_tables_are_read_by_their_headers(tmp_path: Path, changed: dict, expected: tuple):
    assert parts(opened(tmp_path, USUAL | changed)) == expected


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        pytest.param(
            {
                "corpus.jsonl": '{"_id": "d1", "title": "Lamu", "text": "A town."}\n{"_id": 2, "text": "b"}\n',
                "queries.jsonl": '{"_id": "q1", "text": "moja", "metadata": {}}\n',
                "qrels/test.tsv": "query-id\tcorpus-id\tscore\nq1\td1\t2\nq1\t2\t0\n",
                "qrels/._test.tsv": b"\x00\x05left by a file manager",
            },
            ({"d1": "Lamu. A town.", "2": "b"}, {"q1": ("moja", "")}, {("q1", "d1"): 2, ("q1", "2"): 0}),
            id="BEIR",
        ),
        pytest.param(
            {
                "corpus/docs-10.jsonl.gz": '{"docid": "7#2", "title": "c", "text": "three"}\n',
                "corpus/docs-2.jsonl.gz": '{"docid": "7#0", "title": "a", "text": "one"}\n',
                "topics/topics.miracl-v1.0-sw-dev.tsv": "10\tmoja\n",
                "topics/topics.miracl-v1.0-sw-train.tsv": "20\tmbili\n",
                "qrels/qrels.miracl-v1.0-sw-dev.tsv": "10\tQ0\t7#0\t1\n",
                "qrels/qrels.miracl-v1.0-sw-train.tsv": "20\tQ0\t7#2\t1\n",
            },
            ({"7#0": "a. one", "7#2": "c. three"}, {"10": ("moja", "")}, {("10", "7#0"): 1}),
            id="MIRACL",
        ),
        pytest.param(
            {
                "docs.jsonl": '{"id": "d1", "title": "t", "text": "x", "url": "u"}\n',
                "topics.jsonl": NEUCLIR_TOPIC,
                "qrels.txt": "q1 0 d1 3\n",
            },
            ({"d1": "t. x"}, {"q1": ("sayyarak", "Asteroids")}, {("q1", "d1"): 3}),
            id="NeuCLIR",
        ),
        pytest.param(
            {
                "documents.jsonl": '{"id": "d1", "contents": "x"}\n',
                "topics.txt": TREC_TOPICS,
                "qrels.trec": "q1 0 d1 1\n",
            },
            ({"d1": "x"}, {"q1": ("moja & mbili", ""), "q2": ("tatu", "")}, {("q1", "d1"): 1}),
            id="TREC",
        ),
        pytest.param(
            {
                "passages.tsv.gz": PASSAGES,
                "topics.xml": '<topics><topic number="q1"><query>moja</query></topic></topics>',
                "qrels.txt.gz": "q1 0 d1 1\n",
            },
            (PLAIN[0], {"q1": ("moja", "")}, {("q1", "d1"): 1}),
            id="compressed, XML topics",
        ),
    ],
)
def test_known_layouts_are_read(tmp_path: Path, files: dict, expected: tuple):
    found = opened(tmp_path, files)
    assert parts(found) == expected
    assert list(parts(found)[0]) == list(expected[0]), "numbered files come in their numbers' order"


def test_topics_of_other_splits_are_left_out_and_said(tmp_path: Path):
    files = {
        "corpus.jsonl": '{"_id": "d1", "text": "a"}\n',
        "queries.jsonl": "".join(f'{{"_id": "{qid}", "text": "{qid}?"}}\n' for qid in ("trained", "tested", "neither")),
        "qrels/train.tsv": "query-id\tcorpus-id\tscore\ntrained\td1\t1\n",
        "qrels/test.tsv": "query-id\tcorpus-id\tscore\ntested\td1\t1\n",
    }
    found = opened(tmp_path, files)
    assert [topic.qid for topic in found.topics] == ["tested", "neither"]
    assert found.qrels == (Qrel("tested", "d1", 1),)
    assert found.remarks[0] == "judged by test.tsv; 1 topics that only train.tsv judge are left out"
    assert "1 of 2 topics have no judgement (neither) and are not measured" in found.remarks


def test_one_language_of_several_is_named_after_the_folder(tmp_path: Path):
    topics = {"topics.tsv": "id\tsw\tyo\ten\nq1\tmoja\tokan\tone\nq2\tmbili\teji\ttwo\n"}
    with pytest.raises(DataError, match=r"topics\.tsv, line 1: a header .* no text; .*FOLDER@swa"):
        opened(tmp_path, USUAL | topics)
    assert opened(tmp_path, {}, "@yor").topics[0] == Topic("q1", "okan", "one")
    identities = {str(collection_identity(f"{tmp_path}{suffix}", tmp_path)) for suffix in ("@yor", "@swa")}
    assert len(identities) == 2
    several = NEUCLIR_TOPIC.replace("]}", ', {"lang": "rus", "source": "x", "topic_title": "asteroid"}]}')
    (tmp_path / "topics.tsv").unlink()
    with pytest.raises(DataError, match=r"topics\.jsonl, line 1: queries in eng, fas, rus; .*FOLDER@swa"):
        opened(tmp_path, {"topics.jsonl": several})
    (tmp_path / "qrels.txt").write_text("q1 0 d1 1\n")
    assert opened(tmp_path, {}, "@rus").topics == (Topic("q1", "asteroid", "Asteroids"),)
    with pytest.raises(DataError, match="not in swa"):
        opened(tmp_path, {}, "@swa")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('{"docid": "d3", "text": null}', "text is null, not text"),
        ('{"docid": "d3", "text": ["a"]}', r'text is \["a"\], not text'),
        ('{"docid": "d3", "text": "a", "title": 5}', "title is 5, not text"),
        ('{"docid": true, "text": "a"}', "id True is not one word"),
        ('{"docid": null, "text": "a"}', "id None is not one word"),
        ('{"docid": 1.0, "text": "a"}', r"id 1\.0 is not one word"),
        ('{"docid": "d 3", "text": "a"}', "id 'd 3' is not one word"),
        ('{"docid": "", "text": "a"}', "id '' is not one word"),
        ('{"docid": "d1", "text": "b"}', r"docid 'd1' is repeated, first in .*line 1"),
        ('{"docid": "d3", "inhalt": "a"}', "its keys docid, inhalt name no text"),
        ('{"docid": "d3", "text": "\\ud800"}', "a lone surrogate"),
        ('{"docid": "d3"', "not JSON"),
        ('[{"docid": "d3", "text": "a"}]', "a JSON list, not an object"),
    ],
)
def test_a_damaged_json_passage_is_refused_with_its_line(tmp_path: Path, line: str, message: str):
    files = {"passages.jsonl": '{"docid": "d1", "text": "a"}\n' + line + "\n"}
    with pytest.raises(DataError, match=rf"passages\.jsonl, line 2: {message}"):
        opened(tmp_path, files)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("passages.tsv", "docno\tinhalt\n" + PASSAGES, r"line 1: a header .* that names no text"),
        ("passages.tsv", "nummer\ttext\n" + PASSAGES, r"line 1: a header .* that names no id"),
        ("passages.tsv", "kennung\tinhalt\n" + PASSAGES, "line 1: the first id has no digit and all others have"),
        ("passages.tsv", "id\ttext\n" + PASSAGES + "d3\tthree\tmore\n", r"line 4: 3 columns .*, expected 2"),
        ("passages.tsv", "id\ttext\nd1\tone\nid\ttext\nd2\ttwo\n", r"line 3: the header \['id', 'text'\] once more"),
        ("topics.tsv", "qid\tquery\n" + TOPICS, r"line 2: 3 columns .*, expected 2"),
        ("topics.tsv", "q1\t\tone\n", r"line 1: the query of topic 'q1' is empty"),
        ("topics.tsv", "q1\tmoja\rq2\tmbili\n", r"line 1: a carriage return"),
        ("topics.tsv", TOPICS + "q1\ttatu\n", r"line 3: qid 'q1' is repeated, first in .*topics\.tsv, line 1"),
        ("topics.tsv", "", r"topics\.tsv: the file holds nothing"),
        ("qrels.txt", "\n", r"qrels\.txt: the file holds nothing"),
        ("qrels.txt", "q1 0 d1 0.5\n", r"qrels\.txt, line 1: relevance '0\.5' is not a whole number"),
        ("qrels.txt", "q1 0 d1 1_0\n", r"line 1: relevance '1_0' is not a whole number"),
        ("qrels.txt", "q1 0 d1 nan\n", r"line 1: relevance 'nan' is not a whole number"),
        ("qrels.txt", "q1 0 1 400123\n", r"line 1: relevance 400123 is beyond 1000; check the order"),
        ("qrels.txt", "q1 d1 1\n", r"line 1: 3 fields where 4 are expected; write: qid 0 docid relevance"),
        ("qrels.txt", "q1 0 d1 1\nq1 0 d1 0\n", r"line 2: .*judged 0 here and 1 in .*qrels\.txt, line 1"),
        ("qrels.txt", "q1 0 d1 0\nq2 0 d2 -1\n", "no judgement is above 0, so every measure would be 0"),
        ("qrels.txt", "q1 0 x1 1\nq2 0 x2 1\n", r"2 of 2 relevant .* docid .*'x1', 'x2', where .* 'd1', 'd2'"),
        ("qrels.txt", "d1 0 q1 1\nd2 0 q2 1\n", r"2 of 2 relevant judgements have a docid that is not there"),
        ("qrels.txt", "t1 0 d1 1\nt2 0 d2 1\n", r"2 of 2 relevant .* qid .*'t1', 't2', where .* 'q1', 'q2'"),
        ("qrels.dev.txt", QRELS, r"2 files of qrels \(qrels\.dev\.txt, qrels\.txt\)"),
        ("passages.jsonl", "{}", r"2 files of passages \(passages\.jsonl, passages\.tsv\)"),
        ("topics.jsonl", "{}", r"2 files of topics"),
    ],
)
def test_damaged_tables_are_refused_with_file_line_and_remedy(tmp_path: Path, name: str, content: str, message: str):
    with pytest.raises(DataError, match=message):
        opened(tmp_path, USUAL | {name: content})


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("<top><num>1<title>a</top>\n<top><num>2<title>b\n", "1 whole topics <top>...</top> where 2 begin"),
        ("\n<top><num>1</top>", "line 2: the topic has no <title>"),
        ("<top><title>a</title></top>", "line 1: the topic has no <num>"),
        ("<html></html>", "0 whole topics"),
    ],
)
def test_damaged_trec_topics_are_refused(tmp_path: Path, content: str, message: str):
    with pytest.raises(DataError, match=message):
        opened(tmp_path, {"passages.tsv": PASSAGES, "topics.txt": content})


def test_ids_stay_as_they_are_written_on_all_sides(tmp_path: Path):
    composed, marked = "\u00e9", "e\u0301"
    both = {"passages.tsv": f"{marked}\tone\n{composed}\ttwo\n", "topics.tsv": "q\tmoja\n"}
    found = opened(tmp_path, both | {"qrels.txt": f"q 0 {marked} 1\n"})
    assert [passage.docid for passage in found.passages] == [marked, composed]
    assert found.qrels == (Qrel("q", marked, 1),)
    one = {"passages.tsv": f"{composed}\tone\nd\ttwo\n", "qrels.txt": f"q 0 {marked} 1\nq 0 d 1\n"}
    with pytest.raises(DataError, match="another Unicode form"):
        opened(tmp_path, one)


def test_absent_passages_and_topics_are_counted_and_stay_in_the_denominators(tmp_path: Path):
    files = {
        "passages.tsv": "d1\tone\nd2\ttwo\n",
        "topics.tsv": "q1\tmoja\tone\nq2\tmbili\ttwo\nq4\tnne\tfour\n",
        "qrels.txt": "q1 0 d1 1\nq1 0 gone 1\nq1 0 lost 0\nq2 0 d2 1\nq3 0 d1 1\n",
    }
    found = opened(tmp_path, files)
    assert found.remarks == (
        "2 of 5 judgements name absent passages (gone, lost); 1 of them are relevant and count as never found",
        "1 of 3 judged topics have no query (q3) and count 0",
        "1 of 3 topics have no judgement (q4) and are not measured",
    )
    run = Run([ScoredDoc("q1", "d2", 2.0), ScoredDoc("q1", "d1", 1.0), ScoredDoc("q2", "d2", 1.0)])
    measured = measure(run, found.qrels)
    # q1: d1 at rank 2 is one of two relevant passages; q3 was never asked.
    assert measured.per_topic["AP"] == {"q1": pytest.approx((1 / 2) / 2), "q2": 1.0, "q3": 0.0}
    assert measured.per_topic["R@100"] == {"q1": 0.5, "q2": 1.0, "q3": 0.0}
    assert measured.mean["AP"] == pytest.approx((0.25 + 1 + 0) / 3)
    assert measured.missing == ("q3",)
    judged: dict = {}
    for qrel in found.qrels:
        judged.setdefault(qrel.qid, {})[qrel.docid] = qrel.relevance
    scores = {qid: {doc.docid: doc.score for doc in run.rankings[qid]} for qid in ("q1", "q2")}
    reference = pytrec_eval.RelevanceEvaluator(judged, {"map", "recall.100"}).evaluate(scores)
    for qid, values in reference.items():
        assert values["map"] == pytest.approx(measured.per_topic["AP"][qid])
        assert values["recall_100"] == pytest.approx(measured.per_topic["R@100"][qid])


def test_half_of_the_relevant_judgements_may_dangle_and_no_more(tmp_path: Path):
    half = USUAL | {"qrels.txt": "q1 0 d1 1\nq2 0 gone 1\n"}
    assert len(opened(tmp_path, half).qrels) == 2
    with pytest.raises(DataError, match="2 of 3 relevant judgements"):
        opened(tmp_path, half | {"qrels.txt": "q1 0 d1 1\nq2 0 gone 1\nq2 0 lost 1\nq1 0 d2 0\nq2 0 d1 0\n"})


def test_titles_empty_passages_and_repeats_are_counted(tmp_path: Path):
    corpus = (
        '{"_id": 1, "title": "Lamu", "text": ""}\n{"_id": 2, "title": null, "text": " "}\n{"_id": 3, "text": "a  b"}\n'
    )
    found = opened(tmp_path, {"corpus.jsonl": corpus, "topics.tsv": "q\tm\te\n", "qrels.txt": "q 0 3 1\n" * 3})
    assert found.passages == (Passage("1", "Lamu"), Passage("3", "a b"))
    assert found.qrels == (Qrel("q", "3", 1),)
    assert found.remarks == (
        "1 of 2 passages begin with their title",
        "1 passages without text are left out",
        "2 judgements repeat an earlier one and count once",
    )


def test_a_collection_may_lack_qrels_or_topics_but_not_what_they_need(tmp_path: Path):
    found = opened(tmp_path, {"passages.tsv": PASSAGES})
    assert parts(found) == (PLAIN[0], {}, {})
    assert found.remarks == ("there are no topics, so there is nothing to search for",)
    found = opened(tmp_path, {"topics.tsv": "q1\tmoja\n"})
    assert (len(found.topics), found.qrels) == (1, ())
    assert found.remarks == (
        "there are no judgements, so nothing is measured",
        "1 of 1 topics have no English translation, so there is no english_ceiling",
    )
    (tmp_path / "topics.tsv").rename(tmp_path / "fragen.tsv")
    with pytest.raises(DataError, match=r"it has no topics; not read: fragen\.tsv; name the file topics\|queries"):
        opened(tmp_path, {"qrels.txt": QRELS})
    (tmp_path / "passages.tsv").rename(tmp_path / "passages.csv")
    with pytest.raises(DataError, match=r"it has no passages; not read: fragen\.tsv, passages\.csv"):
        opened(tmp_path, {})


def test_a_mistyped_folder_and_a_file_are_named(tmp_path: Path):
    with pytest.raises(DataError, match="no such file or folder"):
        open_collection(str(tmp_path / "absent"), tmp_path)
    laid(tmp_path, USUAL)
    with pytest.raises(DataError, match="is a file; a collection is a folder"):
        open_collection(str(tmp_path / "passages.tsv"), tmp_path)
    with pytest.raises(UserError, match="did you mean"):
        open_collection("afriqa-sw", tmp_path)


def test_a_collection_is_known_by_the_files_that_are_read(tmp_path: Path):
    spec = laid(tmp_path, USUAL | {"notes.md": "a", ".DS_Store": "b"})
    before = collection_identity(spec, tmp_path)
    laid(tmp_path, {"notes.md": "changed"})
    assert collection_identity(spec, tmp_path) == before
    (tmp_path / "qrels.txt").unlink()
    laid(tmp_path, {"qrels/test.tsv": QRELS})
    moved = collection_identity(spec, tmp_path)
    laid(tmp_path, {"qrels/test.tsv": QRELS + "q1 0 d2 1\n"})
    assert collection_identity(spec, tmp_path) not in (before, moved)


class Doc(NamedTuple):
    """A document as ir_datasets gives it."""

    doc_id: str
    title: str
    text: str


class Query(NamedTuple):
    """A query as ir_datasets gives it."""

    query_id: str
    text: str

    def default_text(self):
        return self.text


class Judgement(NamedTuple):
    """A qrel as ir_datasets gives it."""

    query_id: str
    doc_id: str
    relevance: int


class DataSet:
    """A data set as ir_datasets gives it; without records of a kind it has none of that kind."""

    def __init__(self, docs=(), queries=(), qrels=(), failure=None):
        self.records = {"docs": docs, "queries": queries, "qrels": qrels}
        self.failure = failure

    def __getattr__(self, name):
        verb, _, rest = name.partition("_")
        if verb == "has":
            return lambda: bool(self.records[rest] or self.failure)
        return lambda: self._iterate(verb)

    def _iterate(self, kind):
        if self.failure:
            raise self.failure
        return iter(self.records[kind])


@pytest.fixture
def catalogue(monkeypatch):
    known: dict = {}
    module = types.SimpleNamespace(load=known.__getitem__, registry=known)
    monkeypatch.setitem(sys.modules, "ir_datasets", module)
    return known


def test_ir_datasets_names_are_collections(catalogue, tmp_path: Path):
    catalogue["tiny/test"] = DataSet([Doc("d1", "Lamu", "A town.")], [Query("q1", "moja")], [Judgement("q1", "d1", 1)])
    found = open_collection("ir_datasets:tiny/test", tmp_path)
    assert parts(found) == ({"d1": "Lamu. A town."}, {"q1": ("moja", "")}, {("q1", "d1"): 1})
    catalogue["tiny"] = DataSet([Doc("d1", "", "a")])
    assert open_collection("ir_datasets:tiny", tmp_path).topics == ()
    catalogue["asked"] = DataSet((), [Query("q1", "moja")])
    with pytest.raises(DataError, match="it has no passages"):
        open_collection("ir_datasets:asked", tmp_path)
    catalogue["bad"] = DataSet(
        [Doc("d1", "", "a")], [Query("q1", "b")], [Judgement("q1", "d1", 1), Judgement("q1", "d1", 0)]
    )
    with pytest.raises(DataError, match="judgement 2: .* judged 0 here and 1 in ir_datasets:bad, judgement 1"):
        open_collection("ir_datasets:bad", tmp_path)


def test_ir_datasets_failures_are_told_apart(catalogue, tmp_path: Path, monkeypatch):
    catalogue["miracl/sw"] = DataSet(failure=ConnectionError("no route"))
    with pytest.raises(InfrastructureError, match=r"could not fetch or read it \(no route\)"):
        open_collection("ir_datasets:miracl/sw", tmp_path)
    with pytest.raises(UserError, match=r"did you mean miracl/sw\?"):
        open_collection("ir_datasets:miracl/swa", tmp_path)
    monkeypatch.setitem(sys.modules, "ir_datasets", None)
    with pytest.raises(UserError, match=r"ir_datasets is not installed; pip install 'optical-clir\[collections\]'"):
        open_collection("ir_datasets:miracl/sw", tmp_path)


def flags(tmp_path: Path, folder: str) -> list[str]:
    runs, cache = str(tmp_path / "runs"), str(tmp_path / "cache")
    return ["demo", "--evaluation.collection", folder, "--runs-dir", runs, "--cache", cache]


def session_over(tmp_path: Path, files: dict) -> Session:
    folder = laid(tmp_path / "mine", files)
    base = recipe("demo")
    settings = Settings(runs_dir=tmp_path / "runs", cache=tmp_path / "cache", mirror=None)
    changed = base.__class__(**{**vars(base), "evaluation": base.evaluation.__class__(collection=folder)})
    return Session(Workspace(changed, settings))


@pytest.mark.parametrize(
    ("verb", "files", "message"),
    [
        ("search", {"passages.tsv": PASSAGES}, "the collection has no topics; add topics.tsv to search"),
        ("evaluate", {"passages.tsv": PASSAGES}, "the collection has no topics"),
        ("evaluate", {"passages.tsv": PASSAGES, "topics.tsv": TOPICS}, "has no judgements; add qrels.txt to measure"),
        ("prepare", USUAL | {"qrels.txt": "q1 0 x 1\n"}, "1 of 1 relevant judgements have a docid that is not there"),
    ],
)
def test_a_verb_says_what_it_lacks_before_any_work(tmp_path, monkeypatch, capsys, verb, files, message):
    def worked(*_):
        raise AssertionError("work was begun")

    monkeypatch.setattr(BITEXT, "make", worked)
    assert main([verb, *flags(tmp_path, laid(tmp_path / "mine", files))]) == DataError.exit_code
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("files", "done"),
    [
        ({"passages.tsv": PASSAGES}, [STUDENT, EMBEDDINGS, CANDIDATES]),
        ({"passages.tsv": PASSAGES, "topics.tsv": TOPICS}, [RUNS]),
        (USUAL, ["evaluate"]),
    ],
)
def test_run_does_what_the_collection_allows(tmp_path, monkeypatch, files, done):
    called: list[object] = []
    monkeypatch.setattr(run_verb, "evaluate", lambda _: called.append("evaluate"))
    with session_over(tmp_path, files) as session:
        session.make(COLLECTION)
        monkeypatch.setattr(session, "make", lambda *wanted: called.extend(wanted))
        verdict = run_verb._verdict(session)
    called.remove(COLLECTION)
    assert called == done
    if "evaluate" not in done:
        assert (verdict.systems, len(verdict.remarks)) == ({}, 1)


def test_a_report_without_measures_says_so(tmp_path: Path):
    page = write_report(tmp_path, ReportContent(recipe={"name": "demo"}, fingerprint="f" * 64, systems={}))
    assert "Nothing was measured: the collection has no judgements." in page.read_text()


def test_run_without_judgements_tells_what_was_not_done(tmp_path, monkeypatch, capsys):
    summary = run_verb.Summary("demo", "f", {}, {}, {}, ("there are no judgements",), 9, {}, {}, "report.html")
    monkeypatch.setattr(run_verb, "run", lambda _: summary)
    files = {"passages.tsv": PASSAGES, "topics.tsv": TOPICS}
    assert main(["run", *flags(tmp_path, laid(tmp_path / "mine", files))]) == 0
    said = capsys.readouterr().out
    assert "note: there are no judgements\n" in said
    assert "MAP" not in said


def test_the_artefact_lists_what_dangles_and_what_is_unjudged(tmp_path: Path):
    files = USUAL | {"qrels.txt": "q1 0 d1 1\nq1 0 gone 1\n"}
    with session_over(tmp_path, files) as session:
        info = collection_info(session, "topics", "judgements")
        folder = session.workspace.path(COLLECTION)
    assert (info["passages"], info["topics"], info["judgements"]) == (2, 2, 2)
    assert len(info["remarks"]) == 2
    assert read_qrels(folder / "dangling.txt") == (Qrel("q1", "gone", 1),)
    assert (folder / "unjudged.txt").read_text() == "q2\n"
    assert read(folder, "collection").info == info


def test_a_collection_of_passages_alone_is_written_with_empty_topics(tmp_path: Path):
    with session_over(tmp_path, {"passages.tsv": PASSAGES}) as session:
        collection_info(session)
        topics = pq.read_table(session.workspace.path(COLLECTION) / "topics.parquet")
    assert (topics.num_rows, topics.column_names) == (0, ["qid", "query", "english"])
    assert str(topics.schema.field("qid").type) == "string"


SWAHILI = ("habari za mji wa Lamu ni nini", "vita katika nchi ya Kongo", "ni nani na ni wapi", "bei ya mafuta")
ENGLISH = ("what is the news of the town", "the war in the Congo", "who are they and where", "the price of oil")


def asked(first: str, *rest: str, header: str = "", count: int = 12) -> dict[str, str]:
    """A folder without judgements whose topics have columns of Swahili or English sentences, each its own."""
    words = {"swa": SWAHILI, "eng": ENGLISH}
    rows = ["\t".join([f"q{n}", *(f"{words[c][n % 4]} {n}" for c in (first, *rest))]) for n in range(count)]
    return {"passages.tsv": PASSAGES, "topics.tsv": header + "".join(f"{row}\n" for row in rows)}


@pytest.mark.parametrize("header", ["", "qid\tquestion\ttranslation\n", "qid\tquery\tenglish\n"])
@pytest.mark.parametrize("suffix", ["", "@swa"])
def test_swapped_topics_are_refused(tmp_path: Path, header: str, suffix: str):
    message = r"topics\.tsv: the query and its translation look swapped .* English .*'what is .*qid, query, english"
    with pytest.raises(DataError, match=message):
        opened(tmp_path, asked("eng", "swa", header=header), suffix)
    found = opened(tmp_path, asked("swa", "eng", header=header), suffix)
    assert (found.topics[0].query, found.topics[0].english) == (f"{SWAHILI[0]} 0", f"{ENGLISH[0]} 0")
    assert found.remarks == ("there are no judgements, so nothing is measured",)


def test_few_topics_and_names_are_no_evidence_of_a_swap(tmp_path: Path):
    assert len(opened(tmp_path, asked("eng", "swa", count=3)).topics) == 3
    names = "".join(f"q{n}\tLamu Nairobi\tMombasa Kongo\n" for n in range(30))
    assert len(opened(tmp_path, {"topics.tsv": names}).topics) == 30


@pytest.mark.parametrize("columns", [("eng",), ("eng", "eng")])
def test_english_queries_are_remarked_unless_they_are_meant(tmp_path: Path, columns: tuple[str, ...]):
    remark = "the queries read like English by their function words"
    assert any(said.startswith(remark) for said in opened(tmp_path, asked(*columns)).remarks)
    assert not any(said.startswith(remark) for said in opened(tmp_path, {}, "@eng").remarks)
    assert not any(said.startswith(remark) for said in opened(tmp_path, asked("swa")).remarks)


def test_topics_of_ir_datasets_are_looked_at_too(catalogue, tmp_path: Path):
    queries = [Query(f"q{n}", f"{ENGLISH[n % 4]} {n}") for n in range(12)]
    catalogue["english"] = DataSet([Doc("d1", "", "a")], queries)
    assert any("read like English" in said for said in open_collection("ir_datasets:english", tmp_path).remarks)


@pytest.mark.parametrize(
    ("header", "suffix", "expected"),
    [
        ("qid\tquery\tswahili\n", "", ("B1", "")),
        ("id\tquestion\tsw\n", "", ("B1", "")),
        ("qid\tquery\tenglish\tswahili\n", "", ("C1", "B1")),
        ("id\tquery\tyor\tsom\n", "@yor", ("B1", "")),
        ("id\tquery\tyor\tsom\n", "@som", ("C1", "")),
        ("qid\tquery\tid\n", "", ("A1", "")),
        ("qid\tquery\tenglish\n", "@swa", ("A1", "B1")),
    ],
)
def test_a_column_named_by_its_language_is_the_query(tmp_path: Path, header: str, suffix: str, expected: tuple):
    row = "\t".join(("q1", "A1", "B1", "C1")[: len(header.split("\t"))])
    found = opened(tmp_path, {"passages.tsv": PASSAGES, "topics.tsv": header + row + "\n"}, suffix)
    assert (found.topics[0].query, found.topics[0].english) == expected


@pytest.mark.parametrize("suffix", ["", "@hau"])
def test_a_bare_query_beside_other_languages_is_not_taken(tmp_path: Path, suffix: str):
    topics = {"topics.tsv": "id\tquery\tyor\tsom\nq1\tA1\tB1\tC1\n"}
    with pytest.raises(DataError, match=r"topics\.tsv, line 1: a header .* that names no text"):
        opened(tmp_path, {"passages.tsv": PASSAGES} | topics, suffix)


LABELLED = {
    "topics.jsonl": '{"id": "q1", "lang": "en", "text": "one"}\n{"id": "q1", "lang": "sw", "text": "moja"}\n',
    "topics.tsv": "id\tlanguage\tquery\nq1\teng\tone\nq1\tswahili\tmoja\n",
    "topics.xml": '<topic number="q1" lang="en"><title>one</title></topic>\n'
    "<topic number='q1' xml:lang='sw'><title>moja</title></topic>",
}


@pytest.mark.parametrize("name", LABELLED)
def test_rows_that_carry_their_language_are_chosen_by_it(tmp_path: Path, name: str):
    files = {"passages.tsv": PASSAGES, name: LABELLED[name]}
    found = opened(tmp_path, files, "@swa")
    assert found.topics == (Topic("q1", "moja", ""),)
    assert "1 topics in eng are left out" in found.remarks
    with pytest.raises(DataError, match=rf"{name}: queries in eng, swa; .*FOLDER@swa"):
        opened(tmp_path, {})
    with pytest.raises(DataError, match=rf"{name}: queries in eng, swa, not in hau"):
        opened(tmp_path, {}, "@hau")
    one = next(line for line in LABELLED[name].splitlines() if "moja" in line)
    head = LABELLED[name].splitlines()[0] + "\n" if name.endswith("tsv") else ""
    assert opened(tmp_path, {name: f"{head}{one}\n"}).topics == (Topic("q1", "moja", ""),)


@pytest.mark.parametrize(
    ("name", "header", "repeated"),
    [
        ("topics.tsv", "qid\tquery\tenglish\tquery", "query"),
        ("topics.tsv", "qid\tQuery\tquery", "query"),
        ("passages.tsv", "id\ttext\ttext", "text"),
    ],
)
def test_a_header_that_repeats_a_name_is_refused(tmp_path: Path, name: str, header: str, repeated: str):
    row = "\t".join(f"a{n}" for n, _ in enumerate(header.split("\t")))
    with pytest.raises(DataError, match=rf"{name}, line 1: a header .* that has {repeated} more than once"):
        opened(tmp_path, USUAL | {name: f"{header}\n{row}\n"})


@pytest.mark.parametrize(
    ("inside", "query"),
    [
        ("<num>q1</num><title>Habari <i>za mji</i></title>", "Habari za mji"),
        ("<num>q1\n<title>Vita < amani\n\n<desc> maelezo\n", "Vita < amani"),
        ("<num>q1<title>Vita <amani<desc>maelezo", "Vita <amani"),
        ("<num>q1</num>\n<!-- <title>zamani</title>\n -->\n<title>sasa</title>", "sasa"),
        ("<num>q1</num><title>habari\nza mji</title><desc>x</desc>", "habari za mji"),
        ("<num>q1</num><title><![CDATA[a < b & c]]></title>", "a < b & c"),
        ("<num>q1</num><title>a &lt;i&gt; b</title>", "a <i> b"),
    ],
)
def test_trec_queries_are_read_whole(tmp_path: Path, inside: str, query: str):
    files = {"passages.tsv": PASSAGES, "topics.txt": f"<!-- <top> -->\n<top>{inside}</top>\n"}
    assert opened(tmp_path, files).topics == (Topic("q1", query, ""),)


@pytest.mark.parametrize(
    ("name", "cell", "message"),
    [
        ("topics.tsv", "{n}", "topics.tsv: the queries hold numbers, not text: '0', '1', '2'"),
        ("passages.tsv", "{n}", "passages.tsv: the passages hold numbers, not text"),
        ("passages.tsv", "https://example.org/{n}", "passages.tsv: the passages hold addresses, not text"),
    ],
)
def test_queries_and_passages_without_text_are_refused(tmp_path: Path, name: str, cell: str, message: str):
    rows = "".join(f"{n}\t{cell.format(n=n)}\t{SWAHILI[n % 4]}\n" for n in range(8))
    rows = rows if name == "topics.tsv" else "id\ttext\tother\n" + rows
    files = {"passages.tsv": PASSAGES, "topics.tsv": TOPICS} | {name: rows}
    with pytest.raises(DataError, match=message):
        opened(tmp_path, files)


def test_unread_files_are_named_where_nothing_is_judged(tmp_path: Path):
    files = {"passages.tsv": PASSAGES, "topics.tsv": TOPICS, "qrels.csv": "q1,d1,1\n"}
    assert "qrels.csv is not read; judgements are qrels.txt or qrels.tsv" in opened(tmp_path, files).remarks


def test_prepare_shows_the_first_topics(tmp_path: Path):
    topics = "".join(f"q{n}\tswali {n}\tquestion {n}\n" for n in range(5))
    with session_over(tmp_path, {"passages.tsv": PASSAGES, "topics.tsv": topics}) as session:
        collection_info(session)
        workspace = session.workspace
    expected = [{"qid": f"q{n}", "query": f"swali {n}", "english": f"question {n}"} for n in range(3)]
    assert first_topics(workspace.path(COLLECTION)) == expected
    table = topics_table(workspace)
    assert "the first of 5 topics\n    query    swali 0\n    english  question 0\n    query    swali 1\n" in table
    assert "swali 3" not in table
