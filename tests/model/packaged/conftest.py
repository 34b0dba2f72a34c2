"""A four-bit file of a tiny encoder, written here by hand."""

import struct

import numpy as np
import pytest

HIDDEN, LAYERS, HEADS, INNER, ROWS, POSITIONS, TYPES = 32, 2, 2, 64, 24, 40, 2
PIECES = ["<s>", "<pad>", "</s>", "<unk>", "▁maji", "▁", "ma", "ji", "m", "a", "j", "i", "q", "u", "e", "r", "y", ":"]
PIECES += ["<", "s", ">", "<mask>"]


def quantised(weights: np.ndarray) -> bytes:
    """Blocks of 32 weights: scale, then sixteen bytes with two numbers each."""
    content = b""
    for block in weights.reshape(-1, 32):
        scale = np.float16(np.abs(block).max() / 7)
        numbers = np.clip(np.round(block / np.float32(scale)) + 8, 0, 15).astype(int).tolist()
        content += scale.tobytes() + bytes(
            low | high << 4 for low, high in zip(numbers[:16], numbers[16:], strict=True)
        )
    return content


def tensors() -> dict[str, np.ndarray]:
    draw = np.random.default_rng(3)
    shapes = {"emb.word": (ROWS, HIDDEN), "emb.pos": (POSITIONS, HIDDEN), "emb.type": (TYPES, HIDDEN)}
    shapes |= {"emb.ln.w": (HIDDEN,), "emb.ln.b": (HIDDEN,)}
    for layer in range(LAYERS):
        wide = {"q": (HIDDEN, HIDDEN), "k": (HIDDEN, HIDDEN), "v": (HIDDEN, HIDDEN), "ao": (HIDDEN, HIDDEN)}
        wide |= {"fi": (INNER, HIDDEN), "fo": (HIDDEN, INNER), "aln": (HIDDEN,), "oln": (HIDDEN,)}
        for name, shape in wide.items():
            shapes |= {f"l{layer}.{name}.w": shape, f"l{layer}.{name}.b": shape[:1]}
    return {name: draw.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}


def q4_bytes(version: int = 1, block: int = 32) -> bytes:
    head = struct.pack("<4sI", b"E5S1", version)
    head += struct.pack("<7ifi", HIDDEN, LAYERS, HEADS, INNER, ROWS, POSITIONS, TYPES, 1e-12, block)
    text = "".join(PIECES).encode()
    ends = np.cumsum([len(piece.encode()) for piece in PIECES])
    head += struct.pack("<5iQ", len(PIECES), 0, 2, 1, 3, len(text))
    head += np.array([0, *ends], "<u4").tobytes()
    scores = [
        0.0 if piece.startswith("<") and len(piece) > 1 else -float(number) for number, piece in enumerate(PIECES)
    ]
    head += np.array(scores, "<f4").tobytes() + text
    table = struct.pack("<IBI", 0xA0, 1, 0x20)
    head += struct.pack("<iI", 1, len(table)) + table
    found = {name: (values, values.ndim == 2 and name.split(".")[0] != "emb") for name, values in tensors().items()}
    found["emb.word"] = (found["emb.word"][0], True)
    stored = {
        name: (quantised(values) if small else values.tobytes(), small) for name, (values, small) in found.items()
    }
    directory = struct.pack("<i", len(stored))
    at = len(head) + len(directory) + sum(2 + len(name) + struct.calcsize("<BIQQ") for name in stored)
    for name, (data, small) in stored.items():
        directory += struct.pack("<H", len(name)) + name.encode()
        directory += struct.pack("<BIQQ", small, found[name][0].size, at, len(data))
        at += len(data)
    return head + directory + b"".join(data for data, _ in stored.values())


@pytest.fixture
def q4_file(tmp_path):
    path = tmp_path / "tiny-q4.bin"
    path.write_bytes(q4_bytes())
    return path
