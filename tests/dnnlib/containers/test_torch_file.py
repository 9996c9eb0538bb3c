"""PyTorch's two file formats are read without PyTorch, and nothing in them is believed
unchecked."""

import contextlib
import io
import re
import time
import tracemalloc
import zipfile

import numpy as np
import pytest
from torch_files import Call, Global, Numbers, archive, dumps, plain, stream, tensor, written

from dnnlib import InputError, read_network
from dnnlib.containers import array_file, safe_pickle, torch_file
from dnnlib.containers.torch_file import CHECKPOINTS
from dnnlib.families import recognise

FOUR = np.arange(4, dtype=np.float32)
SYSTEM = Call(Global("os", "system"), ("true",))


def in_bytes(content):
    """A storage as a pickle holds it: a call, with these bytes."""
    return Call(Global("torch.storage", "_load_from_bytes"), (content,))


@contextlib.contextmanager
def load(path):
    """What is in a file of torch.save, which is open while that is used."""
    with open(path, "rb") as file:
        yield torch_file.load(file, path)


@pytest.mark.parametrize("form", [stream, archive])
@pytest.mark.parametrize(
    "array",
    [
        np.arange(6, dtype="f4").reshape(2, 3),
        np.arange(24, dtype="f8").reshape(2, 3, 4).transpose(2, 0, 1),
        np.array(2.5, "f4"),
        np.zeros((0, 3), "f4"),
        np.arange(3, dtype="f2"),
        np.arange(-3, 3),
        np.array([True, False]),
        np.arange(5, dtype="u1"),
        np.arange(5, dtype="i1"),
        np.arange(5, dtype="i2"),
        np.arange(5, dtype="i4"),
    ],
    ids=lambda array: f"{array.dtype}{list(array.shape)}",
)
def test_tensor(tmp_path, form, array):
    """Tensors of every type, shape and memory order are read from both formats."""
    with load(written(tmp_path / "file.pt", form({"a": array}))) as content:
        read = content["a"]
        assert read.shape == array.shape
        np.testing.assert_array_equal(read.values, array)


@pytest.mark.parametrize("form", [stream, archive])
def test_shared_storage(tmp_path, form):
    """Tensors that share a storage are views of it, each with its offset and strides."""
    numbers = Numbers(np.arange(10, dtype=np.float32))
    content = [
        tensor(numbers, 0, (10,), (1,)),
        tensor(numbers, 4, (2, 3), (3, 1)),
        tensor(numbers, 1, (3,), (4,)),
        tensor(numbers, 8, (3, 2), (0, 1)),
    ]
    with load(written(tmp_path / "file.pt", form(content))) as (whole, part, steps, expanded):
        np.testing.assert_array_equal(whole.values, np.arange(10))
        np.testing.assert_array_equal(part.values, [[4, 5, 6], [7, 8, 9]])
        np.testing.assert_array_equal(steps.values, [1, 5, 9])
        np.testing.assert_array_equal(expanded.values, [[8, 9]] * 3)


@pytest.mark.parametrize("form", [stream, archive])
@pytest.mark.parametrize(
    ("content", "words"),
    [
        (tensor(Numbers(FOUR), 0, (5,), (1,)), "does not fit its storage of 4 numbers"),
        (tensor(Numbers(FOUR), 1, (4,), (1,)), "does not fit its storage"),
        (tensor(Numbers(FOUR), 0, (2, 2), (3, 1)), "does not fit its storage"),
        (tensor(Numbers(FOUR), 4, (2**60,), (0,)), "does not fit its storage"),
        (tensor(Numbers(FOUR), 2**63, (1,), (1,)), "does not fit its storage"),
        (tensor(Numbers(FOUR), 0, (2,), (2**62,)), "does not fit its storage"),
        (tensor(Numbers(FOUR), 3, (2,), (-1,)), "(-1,) where the shape of an array is expected"),
        (tensor(Numbers(FOUR), -1, (2,), (1,)), "(-1,) where the shape"),
        (tensor(Numbers(FOUR), 0, (-2,), (1,)), "(-2,) where the shape"),
        (tensor(Numbers(FOUR), 0, (2.0,), (1,)), "(2.0,) where the shape"),
        (tensor(Numbers(FOUR), 0, (2, 2), (1,)), "damaged"),
        (tensor(b"1234", 0, (1,), (1,)), "not made of a storage alone"),
        (tensor(Numbers(FOUR), 0, (4,), (1,), {"neg": True}), "not made of a storage alone"),
        (tensor(Numbers(FOUR, 5), 0, (5,), (1,)), "storage"),
        (tensor(Numbers(FOUR, 2**60), 0, (2**60,), (1,)), "storage"),
        (tensor(Numbers(FOUR, -1), 0, (0,), (1,)), "count is no whole number"),
        (tensor(Numbers(FOUR, kind="module"), 0, (4,), (1,)), "is no storage of numbers"),
        (SYSTEM, "asks for os.system; refused"),
        (Call(Global("torch", "load"), ("file",)), "asks for torch.load; refused"),
        (Call(Global("torch", "FloatStorage"), ()), "damaged"),
        (in_bytes(dumps(SYSTEM)), "os.system"),
        (in_bytes(stream(SYSTEM)), "os.system"),
        (in_bytes(stream(FOUR)), "asks for torch._utils._rebuild_tensor_v2"),
        (in_bytes(stream([1, 2])), "data are something else"),
        (in_bytes(stream(Numbers(FOUR, 3))), "3 are declared"),
    ],
)
def test_forged_content(tmp_path, form, content, words):
    """A tensor outside its storage or larger than it, a storage that lies, or a foreign call, is
    refused."""
    path = written(tmp_path / "forged.pt", form({"g_ema": content}))
    with pytest.raises(InputError, match=re.escape(words)) as caught, load(path):
        pass
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ({"shape": (2**40,), "strides": (0,)}, "change a Tensor"),
        ((None, {"offset": -8}), "change a Tensor"),
    ],
)
def test_build_cannot_alter_a_tensor(tmp_path, state, words):
    """A tensor that was checked cannot be changed afterwards."""
    head, pickled = dumps(tensor(Numbers(FOUR), 0, (4,), (1,))), dumps(state, 2)
    path = written(tmp_path / "forged.pkl", head[:-1] + pickled[2:-1] + b"b.")
    with pytest.raises(InputError, match=words):
        read_network(path)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (archive(FOUR, compression=zipfile.ZIP_DEFLATED), "compressed"),
        (archive(FOUR, byteorder=b"big"), "big-endian"),
        (archive(FOUR, leave_out="data/"), "damaged"),
        (archive(FOUR, leave_out="data.pkl"), "is a zip archive of archive"),
        (stream(FOUR, little_endian=False), "big-endian"),
        (stream(FOUR, keys=[]), "a storage without data"),
        (stream(FOUR, keys=["1"]), "damaged"),
        (stream(FOUR)[:-1], "does not fit its data"),
        (stream(FOUR).replace(b"M\xe9\x03", b"M\xe8\x03"), "version 1001"),
        (archive(FOUR)[:-1], "damaged"),
        (b"PK\x03\x04", "damaged"),
        (torch_file._STREAM_START, "damaged"),
    ],
)
def test_damaged_file(tmp_path, content, words):
    """A file whose parts are missing, compressed, or of another byte order is refused in one
    line."""
    with (
        pytest.raises(InputError, match=words) as caught,
        load(written(tmp_path / "damaged.pt", content)),
    ):
        pass
    assert "\n" not in str(caught.value)


def test_checksum(tmp_path):
    """Numbers that changed after a zip file was written are an error, not another network."""
    content = bytearray(archive(FOUR))
    content[content.index(FOUR.tobytes())] ^= 1
    path = written(tmp_path / "damaged.pt", bytes(content))
    with load(path) as read, pytest.raises(InputError, match="checksum"):
        _ = read.values


@pytest.mark.parametrize("form", [stream, archive])
def test_shortened_file(tmp_path, form):
    """A file that becomes shorter between the reading of its pickle and that of its numbers is one
    plain line."""
    path = written(tmp_path / "short.pt", form(np.zeros(100_000, np.float32)))
    with load(path) as read:
        path.write_bytes(path.read_bytes()[:50_000])
        with pytest.raises(InputError, match="became shorter while it was read; expected"):
            _ = read.values


@pytest.mark.parametrize("form", [stream, archive])
def test_memory_of_numbers(tmp_path, form):
    """Only the numbers in use take memory, are asked for before that, and are given back when they
    are not used."""
    path = written(
        tmp_path / "large.pt", form([np.zeros(1 << 20, np.float32), np.zeros(1 << 22, np.float32)])
    )
    with open(path, "rb") as file:
        tracemalloc.start()
        memory = safe_pickle.Memory(0)
        small, large = torch_file.parse(file, torch_file.TENSORS, memory)
        before = memory._left
        values = small.values
        assert before - memory._left == values.nbytes
        assert values.nbytes < tracemalloc.get_traced_memory()[1] < values.nbytes + (1 << 21)
        del values
        assert memory._left == before
        memory.take(before - (1 << 23))
        with pytest.raises(InputError, match="more memory"):
            _ = large.values
        tracemalloc.stop()


def test_numbers_far_apart(tmp_path):
    """Tensors of few numbers whose storage would be read as a whole for each are refused when they
    are used."""
    content = tensor(Numbers(np.zeros(1 << 20, np.float32)), 0, (2,), ((1 << 20) - 1,))
    with (
        load(written(tmp_path / "apart.pt", stream(content))) as read,
        pytest.raises(InputError, match="far apart"),
    ):
        _ = read.values


@pytest.mark.parametrize("name", ["pt_label_orig_16.pkl", "ros_64.pt", "ros_old_16.pt"])
def test_truncated_file(tmp_path, data, name):
    """A golden file cut anywhere is a InputError of one line that names the file."""
    content = (data / name).read_bytes()
    for fraction in [*np.linspace(0, 1, 40, endpoint=False), 0.999, 0.99999]:
        path = written(tmp_path / "cut", content[: int(fraction * len(content))])
        with pytest.raises(InputError, match=re.escape(str(path))) as caught:
            read_network(path)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["pt_label_orig_16.pkl", "ros_64.pt", "ros_old_16.pt"])
def test_changed_byte(tmp_path, data, name):
    """A golden file with a byte changed anywhere is read, or is a InputError of one line: nothing
    else is raised."""
    content = (data / name).read_bytes()
    random = np.random.Generator(np.random.PCG64(5))
    for place in random.integers(0, len(content), 60):
        changed = bytearray(content)
        changed[place] ^= 1 << random.integers(8)
        try:
            read_network(written(tmp_path / "changed", bytes(changed)))
        except InputError as error:
            assert "\n" not in str(error)


@pytest.mark.parametrize(
    "content",
    [
        b"\x80\x04Nr\xff\xff\xff\xff0N.",  # LONG_BINPUT 2^32 - 1
        b"\x80\x04Nr\xff\xff\xff\x0f0N.",
        b"\x80\x04\x8e" + (1 << 60).to_bytes(8, "little") + b"bytes.",  # BINBYTES8
        b"\x80\x05\x96" + (1 << 33).to_bytes(8, "little") + b"bytes.",  # BYTEARRAY8
        b"\x80\x04\x95" + (1 << 33).to_bytes(8, "little") + b"N.",  # FRAME
        b"\x80\x04\x8d" + (1 << 33).to_bytes(8, "little") + b"text.",  # BINUNICODE8
        b"\x80\x02\x8b\xff\xff\xff\x7f\x01.",  # LONG4
    ],
    ids=["memo", "memo256M", "bytes", "bytearray", "frame", "text", "integer"],
)
def test_announced_size(tmp_path, content):
    """A few bytes that announce gigabytes, or number an object in the billions, take neither memory
    nor time."""
    path = written(tmp_path / "hostile.pkl", content)
    tracemalloc.start()
    start = time.perf_counter()
    with pytest.raises(InputError):
        read_network(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1 << 22
    assert time.perf_counter() - start < 2


def test_endless_text(tmp_path):
    """An object whose text would be endless, of a few bytes, does not get into a message."""
    doubled = (
        b"\x80\x02]"
        + b"q\x000"
        + b"".join(
            b"]q" + bytes([i]) + b"(h" + bytes([i - 1]) + b"h" + bytes([i - 1]) + b"e0"
            for i in range(1, 60)
        )
        + b"h\x3b"
    )
    with pytest.raises(InputError, match=r"external object \[\["):
        read_network(written(tmp_path / "hostile.pkl", doubled + b"Q."))


def test_one_array_under_many_names(tmp_path, data, monkeypatch):
    """A small file that gives the same numbers many names is refused before they take memory."""
    with open(data / "ros_old_16.pt", "rb") as file:
        content = plain(torch_file.load(file, "file", CHECKPOINTS))
    monkeypatch.setattr(safe_pickle, "BOUND", 1 << 20)
    numbers = Numbers(np.ones(24 * 24, np.float32))
    for i in range(9, 1000):
        content["g_ema"][f"style.{i}.weight"] = tensor(numbers, 0, (24, 24), (24, 1))
        content["g_ema"][f"style.{i}.bias"] = tensor(numbers, 0, (24,), (1,))
    with pytest.raises(InputError, match="would take more memory than twice its size"):
        read_network(written(tmp_path / "hostile.pt", stream(content)))


LISTS = [recognise.ALLOWED, array_file._ALLOWED, torch_file._STORAGE_CLASSES]


@pytest.mark.parametrize("allowed", LISTS)
def test_allow_lists_are_of_exact_objects(allowed):
    """An allow-list is a table of full names, and all that it hands out is text or made here."""
    for (module, name), value in allowed.items():
        assert isinstance(module, str)
        assert isinstance(name, str)
        value = value.function if isinstance(value, safe_pickle.Metered) else value
        assert isinstance(value, str) or value.__module__.startswith("dnnlib.")


@pytest.mark.parametrize("allowed", LISTS)
@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("numpy.core.multiarray", "fromstring"),
        ("numpy", "frombuffer"),
        ("collections", "namedtuple"),
        ("argparse", "FileType"),
        ("argparse", "_os.system"),
        ("torch", "load"),
        ("torch.storage", "_new_dtypes"),
        ("torch._utils", "_rebuild_wrapper_subclass"),
        ("builtins", "eval"),
        ("builtins", "set.pop"),
        ("_codecs", "lookup"),
        ("torch_utils.persistence", "_src_to_module"),
        ("dnnlib.util", "open_url"),
        ("numpy", "core.multiarray.scalar"),
    ],
)
def test_neighbours_are_refused(allowed, module, name):
    """What stands beside an allowed object, or is reached from it by a dot, is refused in every
    reader."""
    for content in (
        dumps(Global(module, name)),
        b"\x80\x04" + dumps(module)[2:-1] + dumps(name)[2:-1] + b"\x93.",
    ):
        with pytest.raises(InputError, match=re.escape(f"asks for {module}.{name}; refused")):
            safe_pickle.unpickle(io.BytesIO(content), allowed)
