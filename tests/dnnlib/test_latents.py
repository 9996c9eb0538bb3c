"""Latent codes are read from whatever encoders, projectors and scripts write, and nothing in a file
is believed."""

import contextlib
import io
import os
import pickle
import time
import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import pytest
from torch_files import Numbers, archive, dumps, stream, tensor, written

from dnnlib import InputError, read_latents
from dnnlib.containers import array_file, safe_pickle
from dnnlib.describe import describe

WP = (
    np.random.Generator(np.random.PCG64(0)).standard_normal((3, 6, 4)).astype(np.float32)
)  # 3 codes of 6 layers
TORCH = [stream, archive]


class Hostile:
    """Pickled as a call of os.system."""

    def __reduce__(self):
        return os.system, ("touch marker",)


def npy(content) -> bytes:
    """A .npy file as NumPy writes it; what is no array is pickled."""
    file = io.BytesIO()
    np.save(file, content, allow_pickle=True)
    return file.getvalue()


def npz(save=np.savez, **arrays) -> bytes:
    """A .npz file as NumPy writes it."""
    file = io.BytesIO()
    save(file, **arrays)
    return file.getvalue()


def header(shape, descr="<f4") -> bytes:
    """The beginning of a .npy file."""
    file = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        file, {"descr": descr, "fortran_order": False, "shape": shape}
    )
    return file.getvalue()


@pytest.mark.parametrize(
    "save",
    [
        npy,
        *TORCH,
        lambda array: archive({"dlatents": array}),
        lambda array: npz(latents=array),
        lambda array: npz(np.savez_compressed, w=array),
    ],
)
@pytest.mark.parametrize(
    "array",
    [
        WP,
        WP[:1],
        WP[0],
        WP[0, 0],
        WP.astype(np.float64),
        np.asfortranarray(WP),
        WP.astype(np.float16),
    ],
    ids=lambda array: f"{array.dtype}{list(array.shape)}",
)
def test_array(tmp_path, save, array):
    """An array of any of the shapes is read as it was saved, as a writable copy, from every
    format."""
    found = read_latents(written(tmp_path / "file", save(array))).values
    np.testing.assert_array_equal(found, array)
    assert found.dtype == (np.float64 if array.dtype == np.float64 else np.float32)
    found += 1


def test_big_endian_and_integers(tmp_path):
    """Numbers of other types keep their values."""
    for array in (
        WP.astype(">f4"),
        WP.astype(">f8"),
        np.arange(-12, 12, dtype=np.int16).reshape(6, 4),
    ):
        np.testing.assert_array_equal(
            read_latents(written(tmp_path / "file", npy(array))).values, array
        )


@pytest.mark.parametrize("save", [npy, pickle.dumps, *TORCH])
@pytest.mark.parametrize(
    ("shape", "read"),
    [
        ((1, 1, 4), None),
        ((3, 1, 4), None),
        ((1, 6, 4), None),
        ((3, 6, 1, 4), (3, 6, 4)),
        ((3, 4, 1, 1), (3, 4)),
        ((1, 3, 6, 4), (3, 6, 4)),
        ((1, 1, 6, 4), (1, 6, 4)),
        ((4, 1), (4,)),
        ((1, 1, 1, 1, 4), (1, 1, 4)),
    ],
)
def test_axes_of_length_1(tmp_path, save, shape, read):
    """Axes that encoders leave are kept where three dimensions have room for them, and left out
    elsewhere."""
    array = WP.ravel()[: np.prod(shape)].reshape(shape)
    found = read_latents(written(tmp_path / "file", save(array))).values
    np.testing.assert_array_equal(found, array.reshape(shape if read is None else read))


@pytest.mark.parametrize("save", [stream, archive])
def test_bfloat16(tmp_path, save):
    """PyTorch's bfloat16, which NumPy does not have, are the upper halves of float32."""
    halves = WP.view("<u4") >> 16
    found = read_latents(written(tmp_path / "file", save(halves.astype("<u2").view("V2")))).values
    np.testing.assert_array_equal(found, (halves << 16).view("<f4"))


@pytest.mark.parametrize(
    "content",
    [
        pickle.dumps(WP),
        pickle.dumps(list(WP)),
        pickle.dumps({"w": WP}, 2),
        pickle.dumps((WP,)),
        dumps(WP),
        dumps(list(WP)),
        dumps([{"latent": WP[i : i + 1]} for i in range(3)]),
        npy({"latents": {"a": WP[0], "b": WP[1], "c": WP[2]}}),
        npz(codes=np.array([*WP, None], object)[:3]),
        archive({"w": list(WP)}),
    ],
)
def test_containers(tmp_path, content):
    """Pickled arrays and tensors, lists and tuples of them, and dicts one level in others, are
    read."""
    np.testing.assert_array_equal(read_latents(written(tmp_path / "file", content)).values, WP)


def test_what_was_chosen(tmp_path):
    """Of several arrays, and of iterations, it is told which were read."""
    assert (
        read_latents(written(tmp_path / "file", npz(w=WP, images=WP))).choice
        == "of the keys 'w', 'images'"
    )
    assert (
        read_latents(written(tmp_path / "file", npy({"a.jpg": list(WP)}))).choice
        == "the last of 3 iterations"
    )
    assert read_latents(written(tmp_path / "file", npz(w=WP))).choice is None


@pytest.mark.parametrize(
    ("content", "key"),
    [
        (npz(w=WP), "w"),
        (npz(dlatents=WP, z=WP[:, 0]), "dlatents"),
        (npz(latents=WP, other=WP), "latents"),
        (npz(latent=WP + 2, w=WP, latents=WP + 1), "w"),
        (npz(arr_0=WP), "arr_0"),
        (npz(mine=WP), "mine"),
        (npy(WP), None),
        (npz(**{"codes.v1": WP}), "codes.v1"),
        (npz(z=WP, other=WP), "z"),
        (stream({"latent": WP, "img": WP[0]}), "latent"),
        (archive({"codes": WP}), "codes"),
        (stream(WP), None),
        (npy({"w": WP, "noise": 0}), "w"),
    ],
)
def test_key(tmp_path, content, key):
    """One of the known keys is read, in their order, or else the only one; it is told."""
    found = read_latents(written(tmp_path / "file", content))
    assert (found.key, found.names) == (key, None)
    np.testing.assert_array_equal(found.values, WP)


@pytest.mark.parametrize(
    "save", [npy, *TORCH, lambda content: npz(codes=np.array(content, object))]
)
@pytest.mark.parametrize(
    ("content", "key"),
    [
        ({"a.jpg": WP[0], "b.jpg": WP[1]}, None),
        ({"a.jpg": WP[:1], "b.jpg": WP[1:2]}, None),
        ({"a.jpg": [WP[2], WP[0]], "b.jpg": [WP[2], WP[2], WP[1]]}, None),
        ({"a.jpg": (WP[2:], WP[:1]), "b.jpg": WP[:2]}, None),
        (
            {"a.jpg": {"img": WP, "latent": WP[0], "noise": [WP]}, "b.jpg": {"latent": WP[1]}},
            "latent",
        ),
    ],
)
def test_dict_of_names(tmp_path, save, content, key):
    """Of a dict of name to codes the last iteration of each, in its order."""
    found = read_latents(written(tmp_path / "file", save(content)))
    np.testing.assert_array_equal(found.values, WP[:2])
    assert (found.key, found.names) == (key, ["a.jpg", "b.jpg"])


@pytest.mark.parametrize(
    ("name", "value"),
    [("a.jpg", [WP[0], WP[1]]), ("a", [WP[0], WP[1]]), ("a.jpg", WP[1]), ("a.jpg", WP[:2])],
)
def test_one_name(tmp_path, name, value):
    """A dict of a single name is one, too, if it holds iterations, or the name is that of a
    file."""
    found = read_latents(written(tmp_path / "file", npy({name: value})))
    np.testing.assert_array_equal(found.values, WP[1:2])
    assert found.names == [name]


def test_expanded_tensor(tmp_path):
    """Codes that torch keeps once for all layers are read in full, if the memory allows."""
    one = Numbers(WP[0, 0])
    found = read_latents(written(tmp_path / "file", stream(tensor(one, 0, (2, 6, 4), (0, 0, 1)))))
    np.testing.assert_array_equal(found.values, np.broadcast_to(WP[0, 0], (2, 6, 4)))
    with pytest.raises(InputError, match="more memory"):
        read_latents(written(tmp_path / "file", stream(tensor(one, 0, (2**40, 6, 4), (0, 0, 1)))))


@pytest.mark.parametrize(
    "content",
    [
        stream(list(WP)),
        archive([WP[i : i + 1] for i in range(3)]),
        archive(tuple(WP)),
        archive({"latent": list(WP)}),
    ],
)
def test_list(tmp_path, content):
    """A list of tensors has a code in each."""
    np.testing.assert_array_equal(read_latents(written(tmp_path / "file", content)).values, WP)


def test_names_steer_no_terminal(tmp_path):
    """Names and keys are plain short text, whatever a file says."""
    found = read_latents(written(tmp_path / "file", npy({"\x1b[31m" + "a" * 1000: [WP[0]]})))
    assert found.names[0].startswith("?[31maaa")
    assert len(found.names[0]) == 80


def other_zip() -> bytes:
    """A zip file of something else."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as written:
        written.writestr("page.xml", "<page/>")
    return file.getvalue()


def altered(content: bytes, old: bytes, new: bytes) -> bytes:
    assert old in content
    return content.replace(old, new)


UNUSABLE = [
    (b"", "is empty"),
    (b"hello, this is some text", "is text that begins with 'hello"),
    (b"\0\1\2", "is no .npy, .npz, .pt or .pkl file"),
    (b"\xff\xd8\xff\xe0", "is a JPEG picture"),
    (npz(), "is an empty zip archive"),
    (other_zip(), "is a zip file of 'page.xml', of which none is an array"),
    (
        pickle.dumps(WP, 0),
        "is a pickle of protocol 0, as Python 2 wrote them: load it in Python, and numpy.save",
    ),
    (npy(WP) + npy(WP), "has [0-9]+ bytes behind its array, as a file of several arrays has"),
    (npy(np.zeros((2, 3, 4, 1, 5))), r"has shape \[2, 3, 4, 1, 5\], as a Jacobian has"),
    (npz(lat_comp=WP, lat_stdev=WP), "holds directions, under the key lat_comp"),
    (npy(np.ones(9000)), "than the 8192"),
    (
        pickle.dumps([WP[0], WP[0, 0], WP[:, 0], WP[0, :3], WP[0, :2]]),
        "not all alike, as codes of StyleSpace have",
    ),
    (npy({"w": {"w": {"w": WP}}}), "holds a dict in a dict"),
    (pickle.dumps(WP.tolist()), "holds plain numbers, or"),
    (b"\x80\x02U\x04\xff\x00\xff\x00.", "is a pickle of Python 2: load it there"),
    (pickle.dumps([1.0]), "holds plain numbers, or"),
    (pickle.dumps(WP.astype(complex)), "holds an array of type 'c16'; save its numbers as float32"),
    (npz(a=WP, b=WP), "holds 'a', 'b', of which none is known to be latent codes"),
    (archive({"a": 1, "b": WP}), "holds 'a', 'b', which are no latent codes"),
    (archive({}), "holds no arrays"),
    (stream([]), "holds no arrays"),
    (npy({"a": []}), "holds 'a', which are no latent codes"),
    (stream("text"), "holds an object of type str"),
    (npy({"a": {"img": 1, "noise": 2}}), "holds 'a', which are no"),
    (npy(np.float32(1)), r"has shape \[\]"),
    (npy(WP[:0]), r"has shape \[0, 6, 4\]"),
    (stream([WP, WP]), r"has shape \[2, 3, 6, 4\]"),
    (npy({"a": WP[0], "b": WP[1, :5]}), r"holds arrays of shapes \[6, 4\] and \[5, 4\]"),
    (npy(WP > 0), "values of type bool"),
    (npy(WP.astype(complex)), "values of type complex128"),
    (npy(np.array(["a"])), "values of type <U1"),
    (npy(np.zeros(3, "f4,f4")), "values of type"),
    (npy(np.zeros((2, 4), "V2")), r"values of type \|V2; save them as float32"),
    (npy(WP * np.nan), "NaN, infinity"),
    (npy(WP + np.inf), "NaN, infinity"),
    (npy([[1e39, 1e154]]), "beyond float32"),
    (npy(np.full((1, 2), 1e400, np.longdouble)), "beyond float32"),
    (npy(WP)[:-1], "truncated or damaged"),
    (npy(WP)[:50], "truncated or damaged"),
    (b"\x93NUMPY", "truncated"),
    (npz(w=WP)[:-30], "truncated or damaged"),
    (stream(WP)[:-1], "truncated or damaged"),
    (archive(WP)[:-1], "truncated or damaged"),
    (npy({"a": WP[0]})[:-40], "truncated or damaged"),
    (altered(npz(w=WP), WP.tobytes()[:4], b"abcd"), r"damaged \(Bad CRC"),
    (header((2**60, 2**60)) + bytes(99), "truncated or damaged"),
    (header((-2, -4)) + bytes(99), "truncated or"),
    (header((2**60,), "|O") + bytes(99), "truncated or damaged"),
    (header((2, 4), "|O") + b"\x80\x04.", "truncated"),
    (npy({"a": Hostile()}), "asks for posix.system; refused, nothing was executed"),
    (npy(np.array([Hostile()])), "asks for posix.system; refused, nothing was executed"),
    (npz(w=np.array(Hostile())), "asks for posix.system; refused, nothing was executed"),
]


@pytest.mark.parametrize(("content", "words"), UNUSABLE, ids=range(len(UNUSABLE)))
def test_unusable(tmp_path, monkeypatch, content, words):
    """What holds no codes is an error of one line that says what was found and expected, in little
    time and memory."""
    monkeypatch.chdir(tmp_path)
    path, start = written(tmp_path / "file", content), time.monotonic()
    tracemalloc.start()
    with pytest.raises(InputError, match=f"file .*{words}.*Expected latent codes") as error:
        read_latents(path)
    assert tracemalloc.get_traced_memory()[1] < 2 * len(content) + (4 << 20)
    tracemalloc.stop()
    assert "\n" not in str(error.value)
    assert time.monotonic() - start < 2
    assert not Path("marker").exists()


def test_compressed(tmp_path, monkeypatch):
    """What a compressed array may grow to is bounded; what is not compressed may be of any size."""
    monkeypatch.setattr(safe_pickle, "BOUND", 1 << 15)
    codes = np.zeros((2050, 1, 4), np.float32)
    path = written(tmp_path / "file", npz(np.savez_compressed, w=codes))
    with pytest.raises(InputError, match="would take more memory than twice its size"):
        read_latents(path)
    assert read_latents(written(path, npz(w=codes))).values.shape == (2050, 1, 4)
    assert read_latents(written(path, npz(np.savez_compressed, w=codes[:1900]))).values.shape == (
        1900,
        1,
        4,
    )


@pytest.mark.parametrize(
    "content",
    [
        npz(np.savez_compressed, w=np.zeros((1 << 15, 256), np.float32)),
        npz(np.savez_compressed, w=np.array({"a.jpg": np.zeros((1 << 15, 256), np.float32)})),
        npy(np.zeros((1 << 14, 256), np.int8)),
        npy(np.asfortranarray(np.zeros((1 << 14, 256)))),
        stream(np.zeros((1 << 14, 256), np.float16)),
        pickle.dumps(np.zeros((1 << 14, 256), np.float32)),
    ],
)
def test_memory(tmp_path, content):
    """What is read takes at most twice the file and 64 MiB, also while it is read, or is
    refused."""
    path = written(tmp_path / "file", content)
    tracemalloc.start()
    with contextlib.suppress(InputError):
        describe(path)
    taken = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert taken < 2 * len(content) + safe_pickle.BOUND


def test_a_file_that_is_cut_while_it_is_read(tmp_path, monkeypatch):
    """Another program that shortens the file leaves an error, and no signal that ends the
    process."""
    path = written(tmp_path / "file", npy(np.ones((1 << 10, 512), np.float32)))
    fill = array_file.NpyArray.fill
    monkeypatch.setattr(
        array_file.NpyArray, "fill", lambda *given: (os.truncate(path, 1 << 12), fill(*given))
    )
    with pytest.raises(InputError, match="file is truncated or damaged"):
        read_latents(path)


@pytest.mark.parametrize("save", TORCH)
def test_the_same_tensor_many_times(tmp_path, monkeypatch, save):
    """A small file that would take any amount of memory is refused."""
    monkeypatch.setattr(safe_pickle, "BOUND", 1 << 16)
    path = written(tmp_path / "file", save([np.zeros((6, 400), np.float32)] * 100))
    assert path.stat().st_size < 20000
    with pytest.raises(InputError, match="would take more memory than twice its size"):
        read_latents(path)


@pytest.mark.parametrize("name", ["tf_orig_16.pkl", "pt_skip_64.pkl", "ros_64.pt", "ros_old_16.pt"])
def test_network(data, name):
    """A network in place of latent codes is told."""
    with pytest.raises(InputError, match=r"is a network.*Expected latent codes"):
        read_latents(data / name)
