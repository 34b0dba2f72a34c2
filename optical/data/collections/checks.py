"""Checks that the parts of a collection belong together, and remarks for the readers of its measures."""

import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import replace

from optical.data.bitext import sides
from optical.data.bitext.columns import NO_TEXT, kind
from optical.data.bitext.screen import excerpt
from optical.data.collections.records import Collection, Qrel
from optical.data.registry.languages import canonical
from optical.errors import DataError

_MOST_DANGLING = 0.5
"""Share of the relevant judgements above which those that name something absent are a mistake, not a loss."""

_FEWEST_TEXTS = 5
_UNKNOWN, _ANOTHER = "und", "mis"
"""Two unknown languages: they differ, and neither is English."""


def checked(where: str, collection: Collection) -> Collection:
    """The collection with remarks on its judgements, once its ids are unique and its judgements mostly meet them.

    Raises:
        DataError: an id is repeated, the judgements name other ids, or none of them is relevant.
    """
    docids = _unique(where, "docid", (passage.docid for passage in collection.passages))
    qids = _unique(where, "qid", (topic.qid for topic in collection.topics))
    if collection.qrels:
        _check_judgements(where, collection, docids, qids)
    return replace(collection, remarks=(*collection.remarks, *_remarks(collection, docids, qids)))


def languages_checked(where: str, collection: Collection, language: str | None) -> Collection:
    """The collection with a remark where its queries read like English, once they are not swapped with translations.

    Args:
        where: the folder or the file of topics.
        collection: a collection that is not checked yet.
        language: its query language, where the user named it.

    Raises:
        DataError: the query and its English translation look swapped.
    """
    source, topics = language or _UNKNOWN, collection.topics[: sides.SAMPLE]
    translated = [(topic.query, topic.english) for topic in topics if topic.english]
    if translated and (verdict := sides.judge(translated, source, "eng")).what == "swapped":
        how = verdict.how.replace("the two sides look", "the query and its translation look")
        shown = " | ".join(repr(excerpt(text)) for text in translated[0])
        what = f"{how}; the first topic is read as query {shown}"
        raise DataError(where, what, "name the columns in a header: qid, query, english")
    if not topics or canonical(source) == "eng":
        return collection
    alone = sides.judge([(topic.query, topic.query) for topic in topics], _UNKNOWN, _ANOTHER)
    if alone.what != "other":
        return collection
    remark = f"the queries read like English by their function words, as {excerpt(topics[0].query)!r} does"
    return replace(collection, remarks=(*collection.remarks, remark))


def check_texts(where: str, name: str, texts: Sequence[str]) -> None:
    """Refuse numbers, addresses and the like where queries or passages should be; few texts prove nothing.

    Raises:
        DataError: nearly all of them are such.
    """
    if len(texts) >= _FEWEST_TEXTS and (held := kind(texts)) in NO_TEXT:
        what = f"the {name} hold {held}, not text: {_examples(texts)}"
        raise DataError(where, what, "name the columns in a header")


def dangling(collection: Collection) -> tuple[Qrel, ...]:
    """The judgements that name a passage or a topic that is not there.

    They are kept: a relevant passage that cannot be found stays in the denominators, as in trec_eval.
    """
    docids = {passage.docid for passage in collection.passages}
    qids = {topic.qid for topic in collection.topics}
    return tuple(qrel for qrel in collection.qrels if qrel.docid not in docids or qrel.qid not in qids)


def unjudged(collection: Collection) -> tuple[str, ...]:
    """The topics without a judgement, of a collection that has judgements: they are searched for, and not measured."""
    judged = {qrel.qid for qrel in collection.qrels}
    return tuple(topic.qid for topic in collection.topics if judged and topic.qid not in judged)


def _unique(where: str, name: str, values: Iterable[str]) -> set[str]:
    seen: set[str] = set()
    for value in values:
        if value in seen or value.split() != [value]:
            raise DataError(where, f"{name} {value!r} is repeated, empty or contains a space", "give each its own")
        seen.add(value)
    return seen


def _check_judgements(where: str, collection: Collection, docids: set[str], qids: set[str]) -> None:
    relevant = [qrel for qrel in collection.qrels if qrel.relevance > 0]
    if not relevant:
        what = "no judgement is above 0, so every measure would be 0"
        raise DataError(where, what, "check the relevance column: qid 0 docid relevance")
    for name, ids, asked in (
        ("docid", docids, [qrel.docid for qrel in relevant]),
        ("qid", qids, [qrel.qid for qrel in relevant]),
    ):
        absent = [value for value in asked if value not in ids]
        _refuse_other_forms(where, name, ids, absent)
        if len(absent) > _MOST_DANGLING * len(asked):
            what = f"{len(absent):,} of {len(asked):,} relevant judgements have a {name} that is not there"
            what += f": {_examples(absent)}, where the collection has {_examples(sorted(ids))}"
            advice = "give qrels and texts of one collection, with the columns qid 0 docid relevance"
            raise DataError(where, what, advice)


def _refuse_other_forms(where: str, name: str, ids: set[str], absent: Sequence[str]) -> None:
    """Refuse ids that look the same and are not: composed letters on one side, combining marks on the other."""
    if all(value.isascii() for value in absent):
        return
    composed = {unicodedata.normalize("NFC", value) for value in ids}
    for value in absent:
        if unicodedata.normalize("NFC", value) in composed:
            what = f"{name} {value!r} of the qrels is written in another Unicode form in the collection"
            raise DataError(where, what, "write ids in one form (NFC) in all files")


def _examples(values: Sequence[str]) -> str:
    return ", ".join(repr(value) for value in dict.fromkeys(values[:3])) or "none"


def _remarks(collection: Collection, docids: set[str], qids: set[str]) -> list[str]:
    """Remarks on missing parts, a clause each."""
    topics, qrels = collection.topics, collection.qrels
    judged = dict.fromkeys(qrel.qid for qrel in qrels)
    absent = [qrel for qrel in qrels if qrel.docid not in docids]
    unasked = [qid for qid in judged if qid not in qids]
    unmeasured = unjudged(collection)
    untranslated = sum(not topic.english for topic in topics)
    remarks = []
    if not topics:
        remarks.append("there are no topics, so there is nothing to search for")
    elif not qrels:
        remarks.append("there are no judgements, so nothing is measured")
    if absent:
        relevant = sum(qrel.relevance > 0 for qrel in absent)
        what = f"{len(absent):,} of {len(qrels):,} judgements name absent passages ({_named(q.docid for q in absent)})"
        remarks.append(f"{what}; {relevant:,} of them are relevant and count as never found")
    if unasked:
        remarks.append(
            f"{len(unasked):,} of {len(judged):,} judged topics have no query ({_named(unasked)}) and count 0"
        )
    if unmeasured:
        what = f"{len(unmeasured):,} of {len(topics):,} topics have no judgement ({_named(unmeasured)})"
        remarks.append(f"{what} and are not measured")
    if untranslated:
        what = f"{untranslated:,} of {len(topics):,} topics have no English translation"
        remarks.append(f"{what}, so there is no english_ceiling")
    return remarks


def _named(values: Iterable[str]) -> str:
    names = list(dict.fromkeys(values))
    return ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")
