"""Headers and numbers of .npy files, compared with what NumPy writes and reads."""

import io

import numpy as np
import pytest

from dnnlib.containers.npy import NpyFile, read_header, read_numbers


@pytest.mark.parametrize("version", [(1, 0), (2, 0)])
@pytest.mark.parametrize(
    "array",
    [
        np.arange(24, dtype="f4").reshape(2, 3, 4),
        np.asfortranarray(np.arange(6.0).reshape(2, 3)),
        np.arange(3, dtype=">i2"),
        np.array(2.5),
        np.zeros((0, 3)),
    ],
    ids=lambda array: f"{array.dtype}{list(array.shape)}",
)
def test_numbers(tmp_path, array, version):
    """The whole array is NumPy's, part of it in the order of the file, and what follows is
    counted."""
    path = tmp_path / "a.npy"
    with open(path, "wb") as file:
        np.lib.format.write_array(file, array, version)
        file.write(b"more")
    with NpyFile(path, "numbers") as file:
        assert (file.shape, file.dtype, file.spare) == (array.shape, array.dtype, 4)
        np.testing.assert_array_equal(file.read_all(), array)
        first = min(1, array.size)
        np.testing.assert_array_equal(file.read(first), array.ravel(order="K")[first:])


def test_numbers_of_another_type():
    """More numbers than are read at once become those of the type that is asked for."""
    array = np.arange(600_000, dtype="i4")
    file = io.BytesIO()
    np.save(file, array)
    header = read_header(io.BytesIO(file.getvalue()), len(file.getvalue()))
    file.seek(header.begin)
    values = np.empty(array.size, np.float64)
    read_numbers(file, header.dtype, values)
    np.testing.assert_array_equal(values, array)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "magic"),
        (b"\x93NUMPY\3\0" + bytes(100), r"\(3, 0\)"),
        (b"\x93NUMPY\2\0\xff\xff\xff\xff{", "a header of 4294967295 bytes"),
        (b"\x93NUMPY\1\0\xe7\3" + b"(" * 999, "EOF"),
    ],
    ids=["empty", "version", "length", "brackets"],
)
def test_no_header(content, words):
    with pytest.raises(ValueError, match=words):
        read_header(io.BytesIO(content), len(content))
