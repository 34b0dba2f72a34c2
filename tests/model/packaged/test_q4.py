"""The four-bit file: every number is where its description says, and another file is refused."""

import numpy as np
import pytest

from optical.errors import DataError
from optical.model.packaged.q4 import _dequantised, read_q4
from tests.model.packaged import conftest as tiny


def test_a_block_computed_by_hand():
    block = np.float16(0.5).tobytes() + bytes([0x2F, *[0x88] * 14, 0x0A])
    # Low halves are weights 0 to 15, high halves 16 to 31; 8 stands for zero.
    expected = np.zeros(32)
    expected[[0, 15, 16, 31]] = [(15 - 8) / 2, (10 - 8) / 2, (2 - 8) / 2, (0 - 8) / 2]
    np.testing.assert_array_equal(_dequantised(np.frombuffer(block, "u1").reshape(1, 18)), expected)


def test_sizes_pieces_and_tensors(q4_file):
    found = read_q4(q4_file)
    assert vars(found.sizes) == {
        "hidden": 32,
        "layers": 2,
        "heads": 2,
        "inner": 64,
        "vocabulary": 24,
        "positions": 40,
        "types": 2,
        "epsilon": pytest.approx(1e-12),
    }
    assert [piece for piece, _ in found.pieces.pieces] == tiny.PIECES
    assert found.pieces.pieces[4:7] == [("▁maji", -4.0), ("▁", -5.0), ("ma", -6.0)]
    assert (found.pieces.begin, found.pieces.padding, found.pieces.end, found.pieces.unknown) == (0, 1, 2, 3)
    for name, values in tiny.tensors().items():
        exact = not (name == "emb.word" or (values.ndim == 2 and not name.startswith("emb")))
        error = np.abs(found.tensors[name] - values.reshape(-1))
        # Half a step of a scale of max / 7, or the rounding to float16.
        assert error.max() <= np.abs(values).max() * (2**-11 if exact else 0.52 / 7), name
    assert set(found.tensors) == set(tiny.tensors())


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "requires a buffer of at least"),
        (b"GGUF" + tiny.q4_bytes()[4:], "begins with b'GGUF', version 1, not with b'E5S1', version 1"),
        (tiny.q4_bytes(version=2), "begins with b'E5S1', version 2"),
        (tiny.q4_bytes(block=64), "blocks of 64 weights, not of 32"),
        (tiny.q4_bytes()[:900], "buffer"),
        (tiny.q4_bytes()[:-1], "buffer is smaller than requested size"),
    ],
)
def test_another_file_is_refused(content, reason, tmp_path):
    path = tmp_path / "other.bin"
    path.write_bytes(content)
    with pytest.raises(
        DataError, match=f"other.bin: is not a four-bit encoder .*{reason}.*; install its package again"
    ):
        read_q4(path)
