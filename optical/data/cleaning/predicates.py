"""Predicates on blocks of well-formed pairs; each names the reason for which it drops a pair the ones before kept."""

from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from optical.data.bitext.config import CleaningConfig
from optical.data.cleaning.codepoints import script_shares
from optical.data.cleaning.keys import hashes, pair_keys
from optical.data.cleaning.language import other_language
from optical.data.cleaning.leaks import HeldOut
from optical.data.cleaning.minhash import band_keys
from optical.data.cleaning.side import Side
from optical.data.registry.languages import language

EXACT, NEAR = "exact_key", "near_key"


@dataclass(frozen=True)
class Cleaning:
    """What blocks are cleaned by.

    Args:
        config: the rules of the recipe.
        held_out: texts of the test collections.
        passages: the targets are passages, which a collection may hold as well: only its queries are held out.
    """

    config: CleaningConfig = CleaningConfig()
    held_out: HeldOut = field(default_factory=lambda: HeldOut.of({}))
    passages: bool = False


def clean(checked: pa.Table, source: str, target: str, cleaning: Cleaning) -> pa.Table:
    """Give a reason to every well-formed pair that is to be dropped, and to all pairs the keys of their texts.

    Args:
        checked: pairs of one data set in the schema ``CHECKED``.
        source: the query language, see ``languages.known``.
        target: the collection's language.
        cleaning: the rules.

    Returns:
        The same rows with ``exact_key`` and ``near_key`` (0 for rows that were rejected before); for ``minhash`` the
        latter is a list of the same length everywhere.
    """
    rows = np.flatnonzero(pc.is_null(checked["reason"]))
    well_formed = checked.take(rows)
    sources, targets = Side(well_formed["source"].to_pylist(), source), Side(well_formed["target"].to_pylist(), target)
    found = {"reason": np.full(len(rows), None), "detail": np.full(len(rows), None)}
    if len(rows):
        _judge(sources, targets, cleaning, found)
    for column, values in found.items():
        whole = checked[column].to_numpy().copy()
        whole[rows] = values
        checked = checked.set_column(checked.schema.get_field_index(column), column, pa.array(whole, pa.string()))
    for column, values in _keys(sources, targets, cleaning.config).items():
        whole = np.zeros((len(checked), *values.shape[1:]), np.uint64)
        whole[rows] = values
        checked = checked.append_column(column, _column(whole))
    return checked


def _judge(source: Side, target: Side, cleaning: Cleaning, found: dict[str, np.ndarray]) -> None:
    config = cleaning.config
    if config.drop_identical:
        _mark(found, source.keys == target.keys, "identical")
    if config.min_script_share:
        _mark(found, _foreign(source, config) | _foreign(target, config), "script")
    if config.check_language:
        foreign = [other_language(side.texts, side.language) for side in (source, target)]
        _mark(found, foreign[0] | foreign[1], "language")
    if config.drop_test_leaks:
        collections = cleaning.held_out.leaks(source, None if cleaning.passages else target)
        _mark(found, collections != None, "contaminated")  # noqa: E711 - element by element
        found["detail"] = np.where(found["reason"] == "contaminated", collections, np.array(None))


def _mark(found: dict[str, np.ndarray], bad: np.ndarray, reason: str) -> None:
    reasons = found["reason"]
    reasons[bad & (reasons == None)] = reason  # noqa: E711 - element by element


def _foreign(side: Side, config: CleaningConfig) -> np.ndarray:
    """Which sentences are in none of their language's scripts, or not in the one that was named."""
    return script_shares(side.texts, *language(side.language).scripts) < config.min_script_share


def _keys(source: Side, target: Side, config: CleaningConfig) -> dict[str, np.ndarray]:
    """The keys that the search for duplicates needs; pairs that share any of a kind are duplicates of that kind."""
    exact = hashes(f"{a}\n{b}" for a, b in zip(source.texts, target.texts, strict=True))
    if config.duplicates == "minhash":
        return {EXACT: exact, NEAR: band_keys(source.skeletons, target.skeletons)}
    return {EXACT: exact, NEAR: exact if config.duplicates == "exact" else pair_keys(source.keys, target.keys)}


def _column(keys: np.ndarray) -> pa.Array:
    return pa.array(keys) if keys.ndim == 1 else pa.FixedSizeListArray.from_arrays(keys.ravel(), keys.shape[1])
