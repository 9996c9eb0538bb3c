"""Latent codes are read from whatever encoders, projectors and scripts write, and nothing in a file is believed."""

import io
import os
import time
import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import pytest
from torch_files import Numbers, archive, stream, tensor, written

from dnnlib import InputError, read_latents
from dnnlib.formats import safe_pickle

WP = np.random.Generator(np.random.PCG64(0)).standard_normal((3, 6, 4)).astype(np.float32)  # 3 codes of 6 layers
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
    np.lib.format.write_array_header_1_0(file, {"descr": descr, "fortran_order": False, "shape": shape})
    return file.getvalue()


@pytest.mark.parametrize("save", [npy, *TORCH, lambda array: archive({"dlatents": array}),
                                  lambda array: npz(latents=array), lambda array: npz(np.savez_compressed, w=array)])
@pytest.mark.parametrize("array", [
    WP, WP[:1], WP[0], WP[0, 0], WP.astype(np.float64), np.asfortranarray(WP), WP.astype(np.float16),
], ids=lambda array: f"{array.dtype}{list(array.shape)}")
def test_array(tmp_path, save, array):
    """An array of any of the shapes is read as it was saved, as a writable copy, from every format."""
    found = read_latents(written(tmp_path / "file", save(array))).values
    np.testing.assert_array_equal(found, array)
    assert found.dtype == (np.float64 if array.dtype == np.float64 else np.float32)
    found += 1


def test_big_endian_and_integers(tmp_path):
    """Numbers of other types keep their values."""
    for array in (WP.astype(">f4"), WP.astype(">f8"), np.arange(-12, 12, dtype=np.int16).reshape(6, 4)):
        np.testing.assert_array_equal(read_latents(written(tmp_path / "file", npy(array))).values, array)


@pytest.mark.parametrize(("content", "key"), [
    (npz(w=WP), "w"), (npz(dlatents=WP, z=WP[:, 0]), "dlatents"), (npz(latents=WP, other=WP), "latents"),
    (npz(latent=WP + 2, w=WP, latents=WP + 1), "w"), (npz(arr_0=WP), "arr_0"), (npz(mine=WP), "mine"), (npy(WP), None),
    (npz(**{"codes.v1": WP}), "codes.v1"), (npz(z=WP, other=WP), "z"),
    (stream({"latent": WP, "img": WP[0]}), "latent"), (archive({"codes": WP}), "codes"), (stream(WP), None),
    (npy({"w": WP, "noise": 0}), "w"),
])
def test_key(tmp_path, content, key):
    """One of the known keys is read, in their order, or else the only one; it is told."""
    found = read_latents(written(tmp_path / "file", content))
    assert (found.key, found.names) == (key, None)
    np.testing.assert_array_equal(found.values, WP)


@pytest.mark.parametrize("save", [npy, *TORCH, lambda content: npz(codes=np.array(content, object))])
@pytest.mark.parametrize(("content", "key"), [
    ({"a.jpg": WP[0], "b.jpg": WP[1]}, None),
    ({"a.jpg": WP[:1], "b.jpg": WP[1:2]}, None),
    ({"a.jpg": [WP[2], WP[0]], "b.jpg": [WP[2], WP[2], WP[1]]}, None),
    ({"a.jpg": (WP[2:], WP[:1]), "b.jpg": WP[:2]}, None),
    ({"a.jpg": {"img": WP, "latent": WP[0], "noise": [WP]}, "b.jpg": {"latent": WP[1]}}, "latent"),
])
def test_dict_of_names(tmp_path, save, content, key):
    """Of a dict of name to codes the last iteration of each, in its order."""
    found = read_latents(written(tmp_path / "file", save(content)))
    np.testing.assert_array_equal(found.values, WP[:2])
    assert (found.key, found.names) == (key, ["a.jpg", "b.jpg"])


@pytest.mark.parametrize(("name", "value"), [("a.jpg", [WP[0], WP[1]]), ("a", [WP[0], WP[1]]), ("a.jpg", WP[1]),
                                             ("a.jpg", WP[:2])])
def test_one_name(tmp_path, name, value):
    """A dict of a single name is one, too, if it holds iterations, or the name is that of a file."""
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


@pytest.mark.parametrize("content", [stream(list(WP)), archive([WP[i:i + 1] for i in range(3)]), archive(tuple(WP)),
                                     archive({"latent": list(WP)})])
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
    (b"", "is no .npy, .npz or .pt file"), (b"hello, this is some text", "is no .npy, .npz or .pt file"),
    (npz(), "is no .npy, .npz or .pt file"), (other_zip(), "holds 'page.xml', of which none"),
    (npz(a=WP, b=WP), "holds 'a', 'b', of which none is known to be latent codes"),
    (archive({"a": 1, "b": WP}), "holds 'a', 'b', which are no latent codes"), (archive({}), "holds no codes"),
    (stream([]), "holds no codes"), (npy({"a": []}), "holds 'a', which are no latent codes"),
    (stream("text"), "holds an object of type str"), (npy({"a": {"img": 1, "noise": 2}}), "holds 'a', which are no"),
    (npy(np.float32(1)), r"has shape \[\]"), (npy(WP[:0]), r"has shape \[0, 6, 4\]"),
    (npy(WP[..., None]), r"has shape \[3, 6, 4, 1\]"), (stream([WP, WP]), r"has shape \[2, 3, 6, 4\]"),
    (npy({"a": WP[0], "b": WP[1, :5]}), r"holds codes of shapes \[6, 4\] and \[5, 4\]"),
    (npy(WP > 0), "values of type bool"), (npy(WP.astype(complex)), "values of type complex128"),
    (npy(np.array(["a"])), "values of type <U1"), (npy(np.zeros(3, "f4,f4")), "values of type"),
    (stream(np.zeros((2, 4), "V2")), "values of type bfloat16"),
    (npy(WP * np.nan), "NaN or infinity"), (npy(WP + np.inf), "NaN or infinity"), (npy([[1e39]]), "NaN or inf"),
    (npy(WP)[:-1], "truncated or damaged"), (npy(WP)[:50], "truncated or damaged"), (b"\x93NUMPY", "truncated"),
    (npz(w=WP)[:-30], "truncated or damaged"), (stream(WP)[:-1], "truncated or damaged"),
    (archive(WP)[:-1], "truncated or damaged"), (npy({"a": WP[0]})[:-40], "truncated or damaged"),
    (altered(npz(w=WP), WP.tobytes()[:4], b"abcd"), r"damaged \(Bad CRC"),
    (header((2**60, 2**60)) + bytes(99), "truncated or damaged"), (header((-2, -4)) + bytes(99), "truncated or"),
    (header((2**60,), "|O") + bytes(99), "truncated or damaged"), (header((2, 4), "|O") + b"\x80\x04.", "truncated"),
    (npy({"a": Hostile()}), "asks for posix.system; refused, nothing was executed"),
    (npy(np.array([Hostile()])), "asks for posix.system; refused, nothing was executed"),
    (npz(w=np.array(Hostile())), "asks for posix.system; refused, nothing was executed"),
]


@pytest.mark.parametrize(("content", "words"), UNUSABLE, ids=range(len(UNUSABLE)))
def test_unusable(tmp_path, monkeypatch, content, words):
    """What holds no codes is an error of one line that says what was found and expected, in little time and memory."""
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
    codes = np.zeros((4097, 1), np.float32)
    path = written(tmp_path / "file", npz(np.savez_compressed, w=codes))
    with pytest.raises(InputError, match="would take more memory than twice its size"):
        read_latents(path)
    assert read_latents(written(path, npz(w=codes))).values.shape == (4097, 1)
    assert read_latents(written(path, npz(np.savez_compressed, w=codes[:2000]))).values.shape == (2000, 1)


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
    with pytest.raises(InputError, match=r"(is a pickle, as networks are|holds 'g_ema').*Expected latent codes"):
        read_latents(data / name)
