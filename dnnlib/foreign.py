"""Files that are something else than what was expected, told by their first bytes so that a message
can name them.

Pickles of protocol 2 and later, zip files (PyTorch's and NumPy's are some) and .npy files are not
told here: their readers say what they hold.
"""

import os
import re
from pathlib import Path

START_SIZE = 512  # bytes of a file that are looked at

_UNPACK = ": unpack it and use what is inside"
_PAGE = "a web page, not the file that it offers: open the address in a browser and download that"
# (place, bytes there, what such a file is); the first that fits counts.
_MARKS = (
    (0, b"version https://git-lfs", "a Git LFS pointer: fetch the file itself with git lfs pull"),
    (0, b"\x1f\x8b", f"a gzip archive{_UNPACK}"),
    (0, b"BZh", f"a bzip2 archive{_UNPACK}"),
    (0, b"\xfd7zXZ\0", f"an xz archive{_UNPACK}"),
    (0, b"\x28\xb5\x2f\xfd", f"a Zstandard archive{_UNPACK}"),
    (0, b"7z\xbc\xaf\x27\x1c", f"a 7z archive{_UNPACK}"),
    (0, b"Rar!\x1a\x07", f"a RAR archive{_UNPACK}"),
    (257, b"ustar", f"a tar archive{_UNPACK}"),
    (0, b"PK\5\6", "an empty zip archive"),
    (0, b"\x89PNG", "a PNG picture"),
    (0, b"\xff\xd8\xff", "a JPEG picture"),
    (0, b"GIF8", "a GIF picture"),
    (8, b"WEBP", "a WebP picture"),
    (0, b"II*\0", "a TIFF picture"),
    (0, b"MM\0*", "a TIFF picture"),
    (4, b"ftypheic", "a HEIC picture"),
    (4, b"ftypavif", "an AVIF picture"),
    (4, b"ftyp", "an MP4 film"),
    (0, b"RIFF", "a film or a sound"),
    (0, b"\x1aE\xdf\xa3", "a Matroska film"),
    (0, b"%PDF", "a PDF document"),
    (0, b"\x89HDF", "an HDF5 file, as Keras saves weights"),
    (0, b"MATLAB 5.0", "a MATLAB file"),
    (0, b"GGUF", "a GGUF model"),
    (4, b"TFL3", "a TensorFlow Lite model"),
    (0, b"model_checkpoint_path:", "the index of a TensorFlow checkpoint"),
    (0, b"SQLite format 3", "a SQLite database"),
    (0, b"MZ", "a Windows program"),
    (0, b"\x7fELF", "a Linux program"),
    (0, b"\xcf\xfa\xed\xfe", "a macOS program"),
)
_PATTERNS = (
    (rb"(\xef\xbb\xbf)?\s*(<!--.*?-->\s*)?<(!doctype html|html|head|body)", _PAGE),
    (rb"(\xef\xbb\xbf)?\s*<[?!a-z]", "an XML or SVG document"),
    (rb".{5}\0{3}\{", "a safetensors file"),  # 8 bytes with the length of a header, which is JSON
    (rb"\x08\x01\x12", "a TensorFlow SavedModel"),
    # Its version, then the program, the graph or the operators.
    (rb"\x08[\x02-\x20][\x12\x3a\x42]", "an ONNX model"),
    (rb"BM.{4}\0{4}", "a BMP picture"),
    (
        rb"\0{16,}\Z",
        "a file that begins with zeros only, as one does whose download was not finished",
    ),
)
# What such a pickle begins with, up to the letter by which it numbers its first object: p in
# protocol 0, q in protocol 1.
_OLD_PICKLE = re.compile(rb"\(*(?:c[\w.]+\n[\w.]+\n|[dl](?=p\d+\n)|[]}](?=q[\0-\x08]))([pq]?)")
# (a file in a folder, what that folder is)
_FOLDERS = (
    ("saved_model.pb", "the folder of a TensorFlow SavedModel"),
    ("checkpoint", "the folder of a TensorFlow checkpoint"),
    ("data.pkl", "the folder of an unpacked PyTorch file: use the file as it was before"),
)


def name_of_foreign(start: bytes) -> str | None:
    """What a file is that begins with these bytes (START_SIZE are enough), as a message says it
    after "is".

    None if it is none of the kinds that are told here. Text of no known kind is quoted.
    """
    if not start:
        return "empty"
    start = start[:START_SIZE]
    for place, mark, name in _MARKS:
        if start.startswith(mark, place):
            return name
    for pattern, name in _PATTERNS:
        if re.match(pattern, start, re.DOTALL | re.IGNORECASE):
            return name
    return _name_of_text(start)


def name_of_old_pickle(start: bytes) -> str | None:
    """The same for a pickle of protocol 0 or 1, which are not read."""
    if not (found := _OLD_PICKLE.match(start)):
        return None
    again = (
        "load it with the program that wrote it, and pickle it with protocol 2"
        if b"dnnlib" in start or b"copy_reg" in start  # a network
        else "load it in Python, and numpy.save the array"
    )
    return f"a pickle of protocol {int(found[1] == b'q')}, as Python 2 wrote them: {again}"


def _name_of_text(start: bytes) -> str | None:
    if name_of_old_pickle(start):
        return None
    try:
        text = start.decode()
    except UnicodeDecodeError as error:
        if error.start < len(start) - 3:  # not only the last character, which may be cut
            return None
        text = start[: error.start].decode()
    text = text.removeprefix("\ufeff")
    if (
        not all(character.isprintable() or character in "\t\n\r\f" for character in text)
        or not text.strip()
    ):
        return None
    first = " ".join(text.split())
    return f"text that begins with {first[:40]!r}"


def name_of_folder(path: str | Path) -> str:
    """What a folder is, as a message says it after "is"."""
    return next(
        (name for file, name in _FOLDERS if os.path.isfile(os.path.join(path, file))), "a folder"
    )
