"""What baselines need: a lexicon of the run's bitext, translation models, and the translated queries.

A translation model is known by its files and not by its path, so every run that needs its translations shares them.
"""

from functools import cache
from pathlib import Path

import pyarrow.parquet as pq

from optical.evaluation import translations
from optical.evaluation.baselines import FIELD, LEXICON, Bm25, Fusion, Translation, Translator
from optical.evaluation.systems import Maker
from optical.model.translators.folder import find_translator, translator_fingerprint
from optical.tracking.progress import Progress
from pipelines.graph.bitext import BITEXT, texts
from pipelines.graph.collection import COLLECTION
from pipelines.graph.milestones import CHECKED_DATA
from pipelines.graph.node import Node
from pipelines.graph.workspace import Context, Workspace


def _learn(session: Context, path: Path, identity: str) -> None:
    from optical.data.lexicon.lexicon import write_lexicon

    with session.work("lexicon"):
        sources, targets = (texts(session.workspace, BITEXT, side) for side in ("source", "target"))
        write_lexicon(path, identity, sources, targets)


LEXICON_OF_BITEXT = Node(
    kind="lexicon", version=1, after=(CHECKED_DATA,), made_from=lambda workspace: [BITEXT], make=_learn
)
"""The most probable English words of every word of the bitext's source side."""


@cache
def translator_node(weights: str, revision: str | None) -> Node:
    """A translation model, used where it lies."""
    node = Node(
        kind="translator",
        made_from=lambda workspace: [translator_fingerprint(workspace.path(node))],
        folder=lambda workspace: find_translator(weights, revision, FIELD),
    )
    return node


@cache
def translations_node(by: Translator | None) -> Node:
    """The queries of the collection in English, by a translation model; None: by the lexicon.

    It is always the same node for the same translator.
    """
    if by is None:
        made_from: list[object] = [COLLECTION, LEXICON_OF_BITEXT]
    else:
        made_from = [COLLECTION, translator_node(by.weights, by.revision), by.codes, by.num_beams]

    def make(session: Context, path: Path, identity: str) -> None:
        workspace = session.workspace
        topics = pq.read_table(workspace.path(COLLECTION) / "topics.parquet", columns=["qid", "query"])
        qids, queries = topics["qid"].to_pylist(), topics["query"].to_pylist()
        with session.work("translate"):
            found = _translated(workspace, by, queries)
        rows = zip(qids, queries, found, strict=True)
        translations.write_translations(path, identity, rows, {"by": by.name if by else LEXICON})

    return Node(
        kind=translations.KIND,
        version=1,
        after=(CHECKED_DATA,),
        made_from=lambda workspace: made_from,
        make=make,
    )


def translated_by(made_by: Maker) -> Node | None:
    """The translated queries that a system reads, if it reads some."""
    if isinstance(made_by, Translation):
        return translations_node(made_by.by)
    return translations_node(None) if isinstance(made_by, Bm25) and made_by.reads == LEXICON else None


def baselines_made_from(workspace: Workspace) -> list[object]:
    """Everything that decides the runs of the baselines: kinds, settings, and the translations that they read.

    A fusion is known by the places of its systems among all, since a name may come from a folder.
    """
    found: list[object] = []
    compared = workspace.recipe.evaluation.compared
    places = {system.name: place for place, system in enumerate(compared)}
    for made_by in (system.made_by for system in compared):
        if isinstance(made_by, Bm25):
            found += ["bm25", made_by.reads, made_by.k1, made_by.b]
        elif isinstance(made_by, Translation):
            found += ["translation"]
        elif isinstance(made_by, Fusion):
            found += ["fusion", made_by.k, *(places[name] for name in made_by.systems)]
        if node := translated_by(made_by):
            found.append(node)
    return found


def _translated(workspace: Workspace, by: Translator | None, queries: list[str]) -> list[str]:
    if by is None:
        from optical.data.lexicon.lexicon import read_lexicon, word_by_word

        lexicon = read_lexicon(workspace.path(LEXICON_OF_BITEXT))
        return [word_by_word(query, lexicon) for query in queries]
    from optical.model.translators.translate import translate

    folder, use_gpu = workspace.path(translator_node(by.weights, by.revision)), workspace.settings.resources.use_gpu
    with Progress(f"translate {by.name}", len(queries), "queries") as progress:
        return translate(folder, queries, by.codes, by.num_beams, FIELD, use_gpu, progress.advance)
