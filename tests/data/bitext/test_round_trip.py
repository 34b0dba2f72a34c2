"""What is written in any format under any codec is read back, pair for pair."""

import bz2
import csv
import gzip
import io
import json
import lzma
import tarfile
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from xml.sax.saxutils import escape

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from optical.data.bitext.readers import read_pairs
from optical.data.bitext.screen import Limits, SentencePair, normalise
from optical.data.bitext.sources import parse_source

Pairs = list[tuple[str, str]]
LIMITS = Limits(max_length_ratio=1e9)
# Without what reads as an escape, a tag, or a letter that was encoded twice: those are repaired or refused.
UNLIKE_TEXT = "<&@\ufffd\u00c2\u00c3\u00d0\u00d1\u00d8\u00d9" + "".join(map(chr, range(0xE0, 0xF0)))
CHARACTER = st.characters(codec="utf-8", exclude_categories=["C", "Z"], exclude_characters=UNLIKE_TEXT)
WORD = st.text(CHARACTER, min_size=1, max_size=6)
SEPARATOR = st.sampled_from([" ", ", ", '" ', " '", "\u2028", "\u0085", "\u00a0 "])


@st.composite
def sentences(draw: st.DrawFn) -> str:
    words = draw(st.lists(WORD, min_size=1, max_size=4))
    # A side of digits alone would be taken for a column of numbers.
    return "".join(word + draw(SEPARATOR) for word in ["ya", *words])


def as_csv(pairs: Pairs) -> bytes:
    out = io.StringIO()
    csv.writer(out).writerows([("source", "target"), *pairs])
    return out.getvalue().encode()


def as_tmx(pairs: Pairs) -> bytes:
    units = (
        f'<tu><tuv xml:lang="en"><seg>{escape(target)}</seg></tuv>'
        f'<tuv xml:lang="sw"><seg>{escape(source)}</seg></tuv></tu>'
        for source, target in pairs
    )
    return f'<?xml version="1.0"?><tmx version="1.4"><body>{"".join(units)}</body></tmx>'.encode()


def as_parquet(pairs: Pairs) -> bytes:
    out = io.BytesIO()
    source, target = ([pair[side] for pair in pairs] for side in (0, 1))
    pq.write_table(pa.table({"en": pa.array(target, pa.string()), "sw": pa.array(source, pa.string())}), out)
    return out.getvalue()


def as_squad(pairs: Pairs) -> bytes:
    paragraphs = [{"context": target, "qas": [{"id": "x", "question": source}]} for source, target in pairs]
    return json.dumps({"data": [{"paragraphs": paragraphs}]}).encode()


FORMATS: dict[str, Callable[[Pairs], bytes]] = {
    ".tsv": lambda pairs: "".join(f"{source}\t{target}\n" for source, target in pairs).encode(),
    ".csv": as_csv,
    ".jsonl": lambda pairs: "".join(json.dumps({"sw": a, "en": b}) + "\n" for a, b in pairs).encode(),
    ".tmx": as_tmx,
    ".parquet": as_parquet,
    ".json": as_squad,
}
CODECS: dict[str, Callable[[bytes], bytes]] = {
    "": bytes,
    ".gz": gzip.compress,
    ".bz2": bz2.compress,
    ".xz": lzma.compress,
    ".zst": zstandard.ZstdCompressor().compress,
}


def packed(folder: Path, name: str, content: bytes, container: str) -> str:
    path = folder / f"x{container}"
    if container == "":
        (folder / name).write_bytes(content)
        return str(folder / name)
    if container == ".zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(f"d/{name}", content)
            archive.writestr("README", b"")
    else:
        with tarfile.open(path, "w:gz") as archive:
            info = tarfile.TarInfo(f"d/{name}")
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return f"{path}!d/{name}"


@pytest.mark.parametrize("container", ["", ".zip", ".tar.gz"])
@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("suffix", FORMATS)
@settings(max_examples=6, deadline=None)
@given(pairs=st.lists(st.tuples(sentences(), sentences()), max_size=8))
def test_every_format_under_every_codec(suffix: str, codec: str, container: str, pairs: Pairs):
    with tempfile.TemporaryDirectory() as folder:
        spec = packed(Path(folder), f"c{suffix}{codec}", CODECS[codec](FORMATS[suffix](pairs)), container)
        source = parse_source(spec)
        found = list(read_pairs(source.paths, source.reader, "swa", "eng", LIMITS))
    assert found == [SentencePair(n, normalise(a), normalise(b)) for n, (a, b) in enumerate(pairs)]
