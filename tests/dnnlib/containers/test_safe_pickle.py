"""Nothing in a network file is executed, and whatever is wrong with one ends in a InputError of one
line."""

import io
import itertools
import pickle
import re
import time
import tracemalloc
from typing import Any

import numpy as np
import pytest

from dnnlib import InputError, read_network
from dnnlib.containers import safe_pickle, torch_file
from dnnlib.containers.safe_pickle import AllowList
from dnnlib.containers.tensorflow_network import NETWORKS, TensorFlowNetwork
from dnnlib.containers.torch_modules import MODULES

PROTOCOL = b"\x80\x04"


def text(value: str) -> bytes:
    """The opcode that pushes a string."""
    return b"\x8c" + bytes([len(value.encode())]) + value.encode()


def by_stack_global(module: str, name: str, argument: str) -> bytes:
    """A pickle that calls module.name(argument), the name taken from the stack."""
    return PROTOCOL + text(module) + text(name) + b"\x93" + text(argument) + b"\x85R."


def by_global(module: str, name: str, argument: str) -> bytes:
    """A pickle that calls module.name(argument), the old way."""
    return f"c{module}\n{name}\n(S{argument!r}\ntR.".encode()


@pytest.mark.parametrize("form", [by_stack_global, by_global])
@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("os", "system"),
        ("posix", "system"),
        ("builtins", "eval"),
        ("builtins", "exec"),
        ("builtins", "getattr"),
        ("builtins", "open"),
        ("numpy", "load"),
        ("numpy", "frombuffer"),
        ("numpy.core.multiarray", "fromfile"),
        ("numpy", "core.multiarray.scalar"),
        ("numpy.testing", "runstring"),
        ("dnnlib.tflib.network", "Network.state"),
        ("dnnlib.containers.safe_pickle", "load"),
        ("torch._utils", "_rebuild_tensor"),
        ("torch", "load"),
        ("torch", "FloatStorage"),
        ("collections", "defaultdict"),
    ],
)
def test_foreign_callable_is_refused(tmp_path, form, module, name):
    """A callable outside the allow-list is refused by its name, and is not called."""
    marker = tmp_path / "marker"
    command = (
        f"open({str(marker)!r}, 'w')"
        if module == "builtins" and name != "open"
        else f"touch {marker}"
    )
    path = tmp_path / "hostile.pkl"
    path.write_bytes(form(module, name, command))
    with pytest.raises(
        InputError, match=re.escape(f"{path} asks for {module}.{name}; refused")
    ) as caught:
        read_network(path)
    assert "\n" not in str(caught.value)
    assert not marker.exists()


@pytest.mark.parametrize("form", [by_stack_global, by_global])
def test_these_pickles_are_dangerous(tmp_path, form):
    """Python's own unpickler executes the hostile pickles of this file, so that their refusal is no
    accident."""
    pickle.loads(form("os", "system", f"touch {tmp_path / 'marker'}"))
    assert (tmp_path / "marker").exists()


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("sys\ntem", "os.sys tem; refused"),
        ("\x1b[2Jsystem", "os.?[2Jsystem; refused"),
        ("s" * 255, "s" * 200 + "; refused"),
    ],
)
def test_name_cannot_spoil_the_message(tmp_path, name, shown):
    """Whatever a hostile file calls things, the error is one line of printable text."""
    path = tmp_path / "hostile.pkl"
    path.write_bytes(by_stack_global("os", name, "true"))
    with pytest.raises(InputError, match=re.escape(shown)) as caught:
        read_network(path)
    assert str(caught.value).isprintable()


def load(content: bytes, allowed: AllowList) -> Any:
    with safe_pickle.naming("file", "truncated or damaged", "Expected a pickle of the test"):
        return safe_pickle.unpickle(io.BytesIO(content), allowed)


def test_persistent_id_is_refused():
    """A reference to an object outside the file is refused by its name."""
    with pytest.raises(InputError, match="external object 'secret'"):
        load(PROTOCOL + text("secret") + b"Q.", NETWORKS)


@pytest.mark.parametrize(
    ("module", "name", "stand_in"),
    [
        ("dnnlib.tflib.network", "Network", TensorFlowNetwork),
        ("dnnlib.util", "EasyDict", safe_pickle.Dict),
        ("numpy", "ndarray", safe_pickle.Array),
        ("numpy", "dtype", safe_pickle._DType),
        ("collections", "OrderedDict", safe_pickle.Dict),
        ("torch._utils", "_rebuild_tensor_v2", torch_file.Tensor),
    ],
)
@pytest.mark.parametrize(
    "state",
    [
        text("values") + b"N",  # a dict of attributes
        b"slots",
    ],
    ids=["attributes", "slots"],
)
def test_build_cannot_alter_a_class(module, name, stand_in, state):
    """BUILD pointed at a class of the allow-list changes nothing there: neither by __dict__ nor by
    setattr."""
    before = dict(vars(stand_in))
    pairs = b"}" + text("values") + text("changed") + b"s"
    argument = b"N" + pairs + b"\x86" if state == b"slots" else pairs
    with pytest.raises(InputError) as caught:
        content = PROTOCOL + text(module) + text(name) + b"\x93" + argument + b"b."
        load(content, MODULES)
    assert "\n" not in str(caught.value)
    assert dict(vars(stand_in)) == before


class ForgedArray:
    """Pickled as a NumPy array with this state, whatever it claims."""

    def __init__(self, *state):
        self.state = state

    def __reduce__(self):
        return np.zeros(0).__reduce__()[0], (np.ndarray, (0,), b"b"), self.state


class ForgedBuffer:
    """Pickled as protocol 5 pickles an array."""

    def __init__(self, *arguments):
        self.arguments = arguments

    def __reduce__(self):
        return np.zeros(1).__reduce_ex__(5)[0], self.arguments


FLOAT = np.dtype("f4")


@pytest.mark.parametrize(
    ("forged", "words"),
    [
        (ForgedArray(1, (4,), FLOAT, False, b"\0" * 12), r"shape \(4,\) that does not fit"),
        (ForgedArray(1, (2,), FLOAT, False, b"\0" * 12), r"shape \(2,\) that does not fit"),
        (
            ForgedArray(1, (2**60,), FLOAT, False, b"\0" * 12),
            r"shape \(1152921504606846976,\) that does not fit",
        ),
        (ForgedArray(1, (2**60, 16), FLOAT, False, b""), "does not fit"),
        (ForgedArray(1, (-1, -3), FLOAT, False, b"\0" * 12), "damaged"),
        (ForgedArray(1, ("a",), FLOAT, False, b"\0" * 12), "damaged"),
        (ForgedArray(1, (3,), FLOAT, False, "text"), "does not fit"),
        (ForgedArray(1, (3,), FLOAT, False, [1.0, 2.0, 3.0]), "does not fit"),
        (ForgedArray(1, (1,), np.dtype("O"), False, [print]), "type 'O8'"),
        (ForgedArray(1, (1,), np.dtype("V8"), False, b"\0" * 8), "type 'V8'"),
        (ForgedArray(1, (1,), "no dtype", False, b"\0" * 8), "damaged"),
        (ForgedArray(1, (1,)), "damaged"),
        (ForgedBuffer(b"\0" * 12, FLOAT, (4,), "C"), r"shape \(4,\) that does not fit"),
        (ForgedBuffer(b"\0" * 12, FLOAT, (2**60,), "F"), "does not fit"),
        (ForgedBuffer(b"\0" * 8, np.dtype("O"), (1,), "C"), "type 'O8'"),
        (np.array([{}], dtype=object), "type 'O8'"),
        (np.zeros(2, "U3"), "type 'U3'"),
    ],
)
def test_forged_array_is_refused(forged, words):
    """An array whose shape does not fit its bytes, or that holds no plain numbers, is refused."""
    with pytest.raises(InputError, match=words) as caught:
        load(pickle.dumps(forged, protocol=4), NETWORKS)
    assert "\n" not in str(caught.value)


def several(name: str, arguments: bytes, calls: bytes) -> bytes:
    """A pickle that makes a function and its arguments once, and then calls with them: h0 h1 R."""
    return PROTOCOL + f"c{name}\n".encode() + b"\x94" + arguments + b"\x94" + calls + b"."


def nested(content: bytes) -> bytes:
    """A tuple of a PyTorch stream that makes this content, and gives an empty storage."""
    system = b"\x80\x02}" + text("little_endian") + b"\x88s."
    storage = (
        b"(" + text("storage") + b"ctorch\nFloatStorage\n" + text("0") + text("cpu") + b"K\x00tQ."
    )
    stream = (
        torch_file._STREAM_START
        + b"\x80\x02M\xe9\x03."
        + system
        + PROTOCOL
        + content
        + b"0"
        + storage
        + PROTOCOL
        + b"]("
        + text("0")
        + b"e."
        + bytes(8)
    )
    return b"B" + len(stream).to_bytes(4, "little") + stream + b"\x85"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (
            b"}N" + b"\x85" * 30_000 + b"Ns.",
            "key that is no name",
        ),  # a hash of it takes all of the stack
        (b"})" + b"2\x86" * 100 + b"Ns.", "key that is no name"),  # and of this, forever
        (b"\x8f()" + b"2\x86" * 100 + b"\x90.", "key that is no name"),
        (b"})" + b"2\x86" * 100 + b"N\x86\x94(h\x00Nu.", "key that is no name"),
        (
            several("builtins\nset", b"]()" + b"2\x86" * 100 + b"e\x85", b"h\x00h\x01R"),
            "key that is no name",
        ),
        (b"}\x8a\x09" + b"\xff" * 8 + b"\x00Ns.", "key that is no name"),  # large ones collide
        (
            b"}(" + b"".join(b"J%bN" % i.to_bytes(4, "little") for i in range(10_001)) + b"u.",
            "too many whole numbers",
        ),
        (
            b"}" + b"".join(b"J%bNs" % i.to_bytes(4, "little") for i in range(10_001)) + b".",
            "too many whole numbers",
        ),
        (b"\x8f(K\x01\x90.", "too many whole numbers"),
        (several("builtins\nset", b"](K\x01e\x85", b"h\x00h\x01R"), "too many whole numbers"),
        (
            several(
                "torch.storage\n_load_from_bytes",
                nested(
                    b"}(" + b"".join(b"J%bN" % i.to_bytes(4, "little") for i in range(9_000)) + b"u"
                ),
                b"h\x00h\x01R0" * 2 + b"N",
            ),
            "too many whole numbers",
        ),  # in all that is read, together
        # What is called with the memory besides its arguments is no functools.partial, which would
        # take this for its state.
        (b"cbuiltins\nset\nq\x00(h\x00)}}tb)R.", "change a _Bound"),
        (b"}X\x00\x20\0\0" + b"a" * 8192 + b"Ns.", "key that is no name"),
        (b"\x8a\xff" + b"\x7f" * 255 + b".", "whole number of 255 bytes"),
        (b"I" + b"9" * 4000 + b"\n.", "opcode b'I'"),
        (b"Np" + b"9" * 4000 + b"\n.", "opcode b'p'"),
        (b"(\x91.", "opcode"),
        (b"\x82\x01.", "opcode"),
        (b"\x97.", "opcode"),
        (b"(S'a'\nios\nsystem\n.", "opcode"),
        *(
            (opcode * 1_000_000 + b".", "more memory than twice")
            for opcode in (b"}", b"]", b"(", b"\x8f", b"N\x94")
        ),
        (
            several(
                "builtins\nset", b"](" + b"\x8c\x01a" * 50_000 + b"e\x85", b"h\x00h\x01R" * 50_000
            ),
            "more memory",
        ),
        (
            several(
                "collections\nOrderedDict",
                b"](" + b"K\x01K\x02\x86" * 5000 + b"e\x85",
                b"h\x00h\x01R",
            ),
            "positional",
        ),
        (several("dnnlib.util\nEasyDict", b"}\x85", b"h\x00h\x01\x81"), "made from arguments"),
        (
            several(
                "_codecs\nencode",
                b"X\0\0\x10\0" + b"a" * (1 << 20) + text("latin1") + b"\x86",
                b"h\x00h\x01R" * 50_000,
            ),
            "more memory",
        ),
        (
            several(
                "torch.storage\n_load_from_bytes",
                b"B\xff\xff\0\0" + bytes(65535) + b"\x85",
                b"h\x00h\x01R",
            ),
            "opcode",
        ),
        (text("é" + "😀" * 50) * 50_000 + b".", "more memory"),
        (b"X\0\0\0\x01" + b"a" * ((1 << 24) - 4) + "😀".encode() + b".", "more memory"),
        (several("numpy\ndtype", b"(" + b"K\x01" * 1000 + b"t", b"h\x00h\x01R"), "too many"),
        (
            several(
                "numpy\ndtype",
                b"]\x94" + b"".join(b"](h%ch%ce\x94" % (i, i) for i in range(1, 60)) + b"\x85",
                b"h\x00h\x3dR",
            ),
            "array of type",
        ),
    ],
    ids=itertools.count(),
)
def test_bombs(tmp_path, monkeypatch, content, words):
    """A small file that would take any amount of time, stack or memory is refused within twice its
    size and BOUND."""
    monkeypatch.setattr(safe_pickle, "BOUND", 1 << 22)
    path = tmp_path / "hostile.pkl"
    path.write_bytes(content if content.startswith(PROTOCOL) else PROTOCOL + content)
    tracemalloc.start()
    start = time.perf_counter()
    with pytest.raises(InputError, match=words) as caught:
        read_network(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(str(caught.value)) < 1500
    assert str(caught.value).isprintable()
    assert peak < 2 * len(content) + safe_pickle.BOUND
    assert time.perf_counter() - start < 5


@pytest.mark.parametrize(
    ("start", "repeated"),
    [
        *(
            (b"", code)
            for code in (
                b"}",
                b"]",
                b"\x8f",
                b")",
                b"N",
                b"J\xff\xff\xff\x7f",
                b"G" + b"?" * 8,
                b"C\x02ab",
                b"\x8a\x10" + b"\x7f" * 16,
                b"T\x02\0\0\0ab",
                text("ab"),
                text("é"),
                text("😀"),
                b"\x96\x01" + bytes(7) + b"a",
                b"}\x8c\x01aK\x01s",
                b"\x8f(\x8c\x01a\x90",
                b"](Ne",
                b"]Na",
            )
        ),
        (b"(" * 20_000, b"Nt"),
        (b"", b"("),
        (b"N", b"\x85"),
        (b"N", b"2"),
        (b"N", b"\x94"),
        (b"N", b"q\x01"),
        (b"", b"c_codecs\nencode\n"),
        (b"cdnnlib.util\nEasyDict\n\x94", b"h\x00)\x81"),
        (b"ccollections\nOrderedDict\n\x94", b"h\x00)R\x8c\x01aK\x01s"),
        (b"cdnnlib.tflib.network\nNetwork\n\x94}\x94", b"h\x00)\x81h\x01b"),
        (b"cnumpy\ndtype\n\x94" + text("f4") + b"\x85\x94", b"h\x00h\x01R"),
        (
            b"cbuiltins\nset\n\x94]("
            + b"".join(b"\x8c\x01%c" % i for i in b"abcde")
            + b"e\x85\x94",
            b"h\x00h\x01R",
        ),
        (
            b"cnumpy.core.numeric\n_frombuffer\n\x94(C\x04abcdcnumpy\ndtype\n"
            + text("f4")
            + b"\x85RK\x01\x85"
            + text("C")
            + b"t\x94",
            b"h\x00h\x01R",
        ),
    ],
    ids=itertools.count(),
)
def test_every_opcode_asks_for_what_it_takes(start, repeated):
    """No object takes more memory than was asked for when it was made: that is what bounds the
    memory of a file."""
    file, memory = (
        io.BytesIO(PROTOCOL + start + repeated * 20_000 + b"N."),
        safe_pickle.Memory(1 << 40),
    )
    before = memory._left
    allowed = NETWORKS | MODULES
    tracemalloc.start()
    safe_pickle.unpickle(file, allowed, None, memory)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < before - memory._left + 10_000


@pytest.mark.parametrize(
    "fraction", [*np.linspace(0, 1, 48, endpoint=False).round(4), 0.999, 0.99999]
)
def test_truncated_file(tmp_path, data, fraction):
    """A golden file cut anywhere is a InputError of one line that names the file."""
    content = (data / "tf_orig_16.pkl").read_bytes()
    path = tmp_path / "cut.pkl"
    path.write_bytes(content[: int(fraction * len(content))])
    with pytest.raises(InputError, match=re.escape(str(path))) as caught:
        read_network(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "content",
    [
        b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR",
        b"hello, this is text\n",
        b"",
        b"\x80\x04K\x01.",
        pickle.dumps([1, 2, 3]),
        pickle.dumps((1, 2, 3)),
        b"PK\x03\x04",
        b"\x80\x09.",
    ],
)
def test_foreign_file(tmp_path, content):
    """A file that is no pickle of three networks is a InputError that says what was expected."""
    path = tmp_path / "foreign.pkl"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"[Ee]xpected (a generator|a tuple|TensorFlow)") as caught:
        read_network(path)
    assert "\n" not in str(caught.value)


def test_missing_file(tmp_path):
    """A file that is not there is Python's own error, which names it."""
    with pytest.raises(FileNotFoundError, match="nowhere"):
        read_network(tmp_path / "nowhere.pkl")


@pytest.mark.parametrize("protocol", [3, 4, 5])
@pytest.mark.parametrize(
    "array",
    [
        np.arange(6, dtype="<f4").reshape(2, 3),
        np.asfortranarray(np.arange(6, dtype="<f8").reshape(2, 3)),
        np.arange(4, dtype=">f4"),
        np.array(2.5, "f4"),
        np.array([True, False]),
        np.zeros((0, 3), "f2"),
        np.float32(1.5),
        np.int64(-3),
    ],
    ids=lambda array: f"{array.dtype.str}{list(array.shape)}",
)
def test_arrays_of_newer_files(array, protocol):
    """Arrays and scalars under numpy._core names are read, in every protocol and memory order."""
    content = pickle.dumps(array, protocol=protocol)
    if np.__version__ >= "2":
        assert b"numpy._core" in content
    read = load(content, NETWORKS)
    values = read.values if isinstance(read, safe_pickle.Array) else np.array(read)
    np.testing.assert_array_equal(values, array)
    assert values.shape == array.shape


@pytest.mark.parametrize("protocol", [3, 4, 5])
def test_network_of_newer_files(edited, data, protocol):
    """A network pickled again by today's NumPy, in any protocol, is the same record."""
    record, original = (
        read_network(edited("tf_label_32", protocol=protocol)),
        read_network(data / "tf_label_32.pkl"),
    )
    assert record.arrays.keys() == original.arrays.keys()
    for name, array in original.arrays.items():
        np.testing.assert_array_equal(record.arrays[name], array, err_msg=name)
