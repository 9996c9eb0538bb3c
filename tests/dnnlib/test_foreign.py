"""Files that are something else are told by their first bytes."""

import gzip
import io
import pickle
import re
import tarfile
import zipfile

import numpy as np
import pytest
from PIL import Image

from dnnlib.foreign import START_SIZE, name_of_folder, name_of_foreign, name_of_old_pickle


def picture(form):
    """A picture of this format, as Pillow writes it."""
    file = io.BytesIO()
    Image.new("RGB", (9, 9)).save(file, form)
    return file.getvalue()


def tar():
    """A tar archive with a file."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        archive.add(__file__, "a.pkl")
    return file.getvalue()


def empty_zip():
    """A zip archive of nothing."""
    file = io.BytesIO()
    zipfile.ZipFile(file, "w").close()
    return file.getvalue()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "empty"),
        (b"<!DOCTYPE html><html><head>", "a web page"),
        (b"\r\n <html lang=en>", "a web page"),
        (b"<!-- saved --> <HTML>", "a web page"),
        (b'<?xml version="1.0"?><Error>', "an XML or SVG"),
        (
            b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n",
            "a Git LFS pointer: .*git lfs pull",
        ),
        (gzip.compress(b"a", mtime=0), "a gzip archive: unpack"),
        (tar(), "a tar archive"),
        (b"7z\xbc\xaf\x27\x1c\0\4", "a 7z"),
        (b"Rar!\x1a\x07\x01\0", "a RAR archive"),
        (empty_zip(), "an empty zip"),
        *((picture(form), f"a {form}") for form in ("PNG", "JPEG", "GIF", "WebP", "TIFF", "BMP")),
        (b"\x89HDF\r\n\x1a\n\0", "an HDF5"),
        (b'\x20\0\0\0\0\0\0\0{"w":{"dtype":"F32"}}', "a safetensors"),
        (b"\x08\x07\x12\x07pytorch\x1a\x051.9", "an ONNX model"),
        (b"\x08\x01\x12\xa3\x04\x0a", "a TensorFlow SavedModel"),
        (b"MZ\x90\0\3\0", "a Windows program"),
        (bytes(4096), "a file that begins with zeros only"),
        (b"Rate limit exceeded\n", "text that begins with 'Rate limit exceeded'"),
        ("é".encode() * START_SIZE, "text that begins with 'éé"),
        (("\ufeff" + "é" * START_SIZE).encode(), "text that begins"),
    ],
)
def test_named(content, words):
    """Each kind of file is named by what its own program writes first."""
    name = name_of_foreign(content[:START_SIZE])
    assert re.match(words, name)
    assert name.isprintable()


def saved(write):
    """What `write` writes into a file."""
    file = io.BytesIO()
    write(file)
    return file.getvalue()


@pytest.mark.parametrize(
    "content",
    [
        *(pickle.dumps({"a": 1}, protocol) for protocol in (0, 2, 3, 4, 5)),
        saved(lambda file: np.save(file, np.zeros(3))),
        saved(lambda file: np.savez(file, w=np.zeros(3))),
        b"\x01\x02\x03",
        b"\x93\xff\xfe",
        b"\n \n",
    ],
)
def test_not_foreign(content):
    """What a reader of this toolkit has to look into is not called something else."""
    assert name_of_foreign(content[:START_SIZE]) is None


@pytest.mark.parametrize("protocol", [0, 1])
@pytest.mark.parametrize(
    "content",
    [np.zeros(3), [np.zeros(3)], {"w": np.zeros(3)}, (np.zeros(3),), {}, [], np.float64(1)],
    ids=str,
)
def test_old_pickle(protocol, content):
    """A pickle of an old protocol is named by that protocol; of today's, and text, by none."""
    words = f"a pickle of protocol {protocol}, as Python 2 wrote them: load it in Python, and num"
    assert name_of_old_pickle(pickle.dumps(content, protocol)).startswith(words)
    assert name_of_old_pickle(pickle.dumps(content, protocol + 2)) is None
    assert name_of_old_pickle(b"}question") is None


def test_folder(tmp_path):
    """A folder is named by what is in it."""
    assert name_of_folder(tmp_path) == "a folder"
    (tmp_path / "saved_model.pb").touch()
    assert name_of_folder(tmp_path) == "the folder of a TensorFlow SavedModel"
