"""Arrays in .npy files are read with plain errors, and nothing in them is executed."""

import io
import os
from pathlib import Path

import numpy as np
import pytest

from dnnlib.containers.npy import NpyFile
from dnnlib.errors import InputError
from utils.files.arrays import read_npy, write_npy


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8", ">f4", "i8", "u1"])
def test_npy(tmp_path, dtype):
    """Numbers of any kind are written and read back, whole or a part."""
    array = np.arange(12).reshape(3, 4).astype(dtype)
    write_npy(tmp_path / "a.npy", array)
    np.testing.assert_array_equal(read_npy(tmp_path / "a.npy", "numbers"), array)
    with NpyFile(tmp_path / "a.npy", "numbers") as file:
        np.testing.assert_array_equal(file.read(5, 3), [5, 6, 7])


def test_npy_that_becomes_shorter(tmp_path):
    """What another program cuts off while it is read is an error of one line, not the end of the
    process."""
    write_npy(tmp_path / "a.npy", np.arange(12))
    with NpyFile(tmp_path / "a.npy", "numbers") as file:
        os.truncate(tmp_path / "a.npy", 150)
        with pytest.raises(InputError, match="shorter while it was read"):
            file.read(8, 4)


def npy(array, **options) -> bytes:
    """The bytes of a .npy file."""
    buffer = io.BytesIO()
    np.save(buffer, array, **options)
    return buffer.getvalue()


def claiming(shape) -> bytes:
    """A .npy file whose header claims a shape that its 8 bytes do not have."""
    buffer = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        buffer, {"descr": "<f8", "fortran_order": False, "shape": shape}
    )
    return buffer.getvalue() + bytes(8)


WHOLE = npy(np.zeros((5, 4)))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "no .npy file"),
        (b"hello", "no .npy file"),
        (b"\x89PNG\r\n\x1a\n" + bytes(100), "no .npy file"),
        (b"PK\x03\x04" + bytes(100), "no .npy file"),
        (WHOLE[:5], "truncated"),
        (WHOLE[:20], "truncated"),
        (WHOLE[:-1], "287 bytes where 288 are needed"),
        (WHOLE[:-100], "truncated"),
        (WHOLE.replace(b"(5, 4)", b"(9, 4)"), "288 bytes where 416 are needed"),
        (claiming((2**60, 4)), "36893488147419103360 are needed"),
        (claiming((-1, 4)), "no .npy file"),
        (claiming((-1,)), "no .npy file"),
        (claiming((0, 2**70)), "no .npy file"),
        (WHOLE[:8] + b"\xff\x7f" + b"{" * 32767, r"\(a header of 32767 bytes\)"),
        (WHOLE[:8] + b"\xe7\x03" + b"-" * 999, "header"),
        (npy(np.array([{}], dtype=object), allow_pickle=True), "[Oo]bject"),
        (npy(np.array(["a"])), "<U1"),
        (npy(np.array([True])), "bool"),
        (npy(np.array([1j])), "complex128"),
        (npy(np.zeros(2, "f4,i4")), "f0"),
    ],
    ids=range(20),
)
def test_unusable_npy(tmp_path, content, words):
    """A file that is truncated, foreign, or not of numbers is an error of one line: which, and what
    was expected."""
    path = tmp_path / "bad.npy"
    path.write_bytes(content)
    with pytest.raises(InputError, match=words) as caught:
        read_npy(path, "z codes of the test")
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value)
    assert "expected z codes of the test" in str(caught.value)


def test_objects_in_npy_are_not_executed(tmp_path):
    """A pickle inside a .npy file is not loaded."""

    class Hostile:
        def __reduce__(self):
            return Path.touch, (tmp_path / "marker",)

    (tmp_path / "bad.npy").write_bytes(npy(np.array([Hostile()], dtype=object), allow_pickle=True))
    with pytest.raises(InputError):
        read_npy(tmp_path / "bad.npy", "numbers")
    assert not (tmp_path / "marker").exists()
    np.load(tmp_path / "bad.npy", allow_pickle=True)
    assert (tmp_path / "marker").exists()  # the file is hostile indeed
