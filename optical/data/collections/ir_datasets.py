"""Collections of the ir_datasets catalogue (``ir_datasets:<name>``), which that library downloads and reads itself."""

from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from optical.data.collections.passages import gather_passages
from optical.data.collections.qrels import parse_qrels, repeated
from optical.data.collections.records import Collection
from optical.data.collections.rows import Row
from optical.data.collections.topics import gather_topics
from optical.errors import InfrastructureError, UserError, suggest

PREFIX = "ir_datasets:"
_INSTALL = "pip install 'optical-clir[collections]'"


def is_ir_datasets(spec: str) -> bool:
    """Whether a specification names a data set of ir_datasets."""
    return spec.startswith(PREFIX)


def ir_datasets_identity(spec: str) -> dict:
    """What a name stands for: the library pins its files by hash, so its version says which.

    Raises:
        UserError: ir_datasets is not installed.
    """
    try:
        return {"name": spec, "version": version("ir-datasets")}
    except PackageNotFoundError:
        raise UserError(spec, "ir_datasets is not installed", _INSTALL) from None


def read_ir_datasets(spec: str) -> Collection:
    """The passages, topics and judgements of a data set; what it does not have stays empty.

    Raises:
        UserError: ir_datasets is not installed, or has no such data set.
        DataError: a record that TREC files cannot hold, or a pair judged in two ways.
        InfrastructureError: it could not be downloaded.
    """
    try:
        import ir_datasets
    except ImportError:
        raise UserError(spec, "ir_datasets is not installed", _INSTALL) from None
    name = spec.removeprefix(PREFIX)
    try:
        found = ir_datasets.load(name)
    except KeyError:
        known = list(ir_datasets.registry)
        advice = suggest(name, known, "see https://ir-datasets.com for the names", most=3, likeness=0.5)
        raise UserError(spec, "ir_datasets has no such data set", advice) from None
    try:
        passages, remarks = gather_passages(_passages(spec, found))
        topics = gather_topics(_topics(spec, found))
        qrels = parse_qrels(_qrels(spec, found))
    except (OSError, RuntimeError, EOFError) as error:
        what = f"ir_datasets could not fetch or read it ({error})"
        raise InfrastructureError(spec, what, "see https://ir-datasets.com for it, or give a folder") from error
    return Collection(passages, topics, qrels.judgements, remarks=(*remarks, *repeated(qrels)))


def _passages(spec: str, dataset: Any) -> Iterator[Row]:
    for number, doc in enumerate(dataset.docs_iter() if dataset.has_docs() else (), start=1):
        fields = {"text": doc.text, "title": getattr(doc, "title", None)} if hasattr(doc, "text") else {}
        yield f"{spec}, passage {number}", {"id": doc.doc_id} | (fields or {"text": doc.default_text()})


def _topics(spec: str, dataset: Any) -> Iterator[Row]:
    for number, query in enumerate(dataset.queries_iter() if dataset.has_queries() else (), start=1):
        yield f"{spec}, topic {number}", {"id": query.query_id, "text": query.default_text()}


def _qrels(spec: str, dataset: Any) -> Iterator[tuple[str, str]]:
    """Judgements as lines of a file, so that the rules for files hold for them too."""
    for number, qrel in enumerate(dataset.qrels_iter() if dataset.has_qrels() else (), start=1):
        yield f"{spec}, judgement {number}", f"{qrel.query_id} 0 {qrel.doc_id} {qrel.relevance}"
