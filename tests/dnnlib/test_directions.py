"""Directions are read in every form in which they are published, and what is none is named."""

import contextlib
import io
import pickle
import re

import numpy as np
import pytest
from torch_files import archive, dumps, stream, written

from dnnlib import InputError
from dnnlib.directions import expect_fit, read_directions

ROWS = np.linalg.qr(np.random.Generator(np.random.PCG64(0)).standard_normal((24, 24)))[0].astype(
    np.float32
)
PLUS = 3 * np.random.Generator(np.random.PCG64(1)).standard_normal((18, 24))  # a direction of w+


def npy(content) -> bytes:
    """A .npy file as NumPy writes it; what is no array is pickled."""
    file = io.BytesIO()
    np.save(file, content, allow_pickle=True)
    return file.getvalue()


def npz(**arrays) -> bytes:
    """A .npz file as NumPy writes it."""
    file = io.BytesIO()
    np.savez(file, **arrays)
    return file.getvalue()


GANSPACE = {"act_comp": np.ones((4, 8, 2, 2)), "act_stdev": np.ones(4), "lat_comp": ROWS[:4, None]}


@pytest.mark.parametrize(
    "save",
    [
        npy,
        pickle.dumps,
        dumps,
        stream,
        archive,
        lambda array: npz(age=array),
        lambda array: archive({"boundary": array}),
        lambda array: pickle.dumps([*array]),
    ],
)
@pytest.mark.parametrize(
    ("array", "rows"),
    [
        (ROWS[:5], ROWS[:5]),
        (ROWS[:1], ROWS[:1]),
        (ROWS[:3, None], ROWS[:3]),
        (ROWS[:1, :, None, None], ROWS[:1]),
        (np.stack([ROWS[:6], ROWS[6:12]]), np.stack([ROWS[:6], ROWS[6:12]])),
        (ROWS[None, :6, None], ROWS[None, :6]),
    ],
    ids=lambda array: str(list(array.shape)),
)
def test_form(tmp_path, save, array, rows):
    """Directions in files of every format, with axes of length 1 wherever a program left them."""
    np.testing.assert_array_equal(
        read_directions(written(tmp_path / "file", save(array))).rows, rows
    )


@pytest.mark.parametrize(
    ("content", "rows", "key", "space", "note"),
    [
        (
            npz(**GANSPACE, lat_stdev=np.array([2.0, 1.5, 1.2, 0.9])),
            ROWS[:4],
            "lat_comp",
            "w",
            "its lat_comp is read, of",
        ),
        (
            npz(**GANSPACE, lat_stdev=np.ones(4)),
            ROWS[:4],
            "lat_comp",
            "z",
            "the keys 'act_comp', 'act_stdev', 'lat_comp'",
        ),
        (
            pickle.dumps(GANSPACE | {"name": "age", "latent_space": "W"}),
            ROWS[:4],
            "lat_comp",
            "w",
            "its lat_comp",
        ),
        (
            archive({"comp": ROWS[:9, None], "mean": ROWS[:1], "std": ROWS[0]}),
            ROWS[:9],
            "comp",
            None,
            "of the keys 'comp'",
        ),
        (
            archive({"ckpt": "a.pt", "eigvec": ROWS}),
            ROWS.T,
            "eigvec",
            None,
            "its columns are the directions",
        ),
        (npy(ROWS[0]), ROWS[:1], None, None, None),
        (archive({"age": ROWS[:1]}), ROWS[:1], "age", None, None),
        (
            npy(np.repeat(ROWS[:1], 18, axis=0)),
            ROWS[:1],
            None,
            None,
            "18 equal rows, read as one direction",
        ),
        (
            npy(np.repeat(ROWS[:2, None], 18, axis=1)),
            ROWS[:2],
            None,
            None,
            "its 18 layers are equal, read as one for all",
        ),
        (npy(2 * ROWS[:3]), 2 * ROWS[:3], None, None, "rows of length 2, not 1, which is kept"),
        (npy(PLUS), PLUS, None, None, "rows of length 9.22 to 16.8, not 1"),
        (npy(ROWS[:2].astype(np.float16)), ROWS[:2].astype(np.float16), None, None, None),
        (
            npy(np.random.RandomState(0).randn(9, 512)),
            None,
            None,
            None,
            "if these are latent codes, `latent_path`",
        ),
    ],
)
def test_what_is_told(tmp_path, content, rows, key, space, note):
    """The key, the space if the file says it, and what a user should know; rows keep their
    lengths."""
    found = read_directions(written(tmp_path / "file", content))
    if rows is not None:
        np.testing.assert_array_equal(found.rows, rows)
    assert (found.key, found.space) == (key, space)
    assert (note in "; ".join(found.notes)) if note else (found.notes == [])


@pytest.mark.parametrize("array", [PLUS, PLUS[None], PLUS[:, None]])
def test_per_layer(tmp_path, array):
    """Rows [L, D] are one direction if that is asked for."""
    np.testing.assert_array_equal(
        read_directions(written(tmp_path / "file", npy(array)), True).rows, PLUS[None]
    )


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (npz(w=PLUS), "holds latent codes, under the key w."),
        (npz(a=ROWS, b=ROWS), "holds 'a', 'b', of which none"),
        (
            archive({"state_dict": {}, "opts": {}}),
            "holds 'state_dict', 'opts', of which none is known to be directions",
        ),
        (
            npy(np.zeros((2, 3, 4, 1, 5))),
            r"as a Jacobian has, in which compute_directions.py finds directions",
        ),
        (b"\x89PNG\r\n\x1a\n", "is a PNG picture"),
        (b"", "is empty"),
        (npy(ROWS[:0]), r"has shape \[0, 24\]"),
        (
            npy(np.ones((6048, 8), np.int8)),
            "has 6048 rows, one for each channel of StyleSpace, as StyleCLIP's fs3.npy",
        ),
        (
            pickle.dumps([ROWS[0], ROWS[1, :3], ROWS[:4, 0], ROWS[0, :2], ROWS[0, :5]]),
            "as codes of StyleSpace have",
        ),
        (npy(ROWS * np.nan), "holds NaN"),
        (npy([[1e154, 1]]), "numbers beyond float32"),
        (npy(ROWS * 0), "holds nothing but zeros in float32, which change no image"),
        (
            npy(ROWS * np.float32(1e-44)),
            "holds nothing but zeros in float32, which change no image",
        ),
        (
            npy(ROWS.astype(float) * 1e-60),
            "holds nothing but zeros in float32, which change no image",
        ),
        (npy(["a"]), "of type <U1"),
        (npy(ROWS)[:-1], "truncated or damaged"),
        (npz(eigvec=ROWS[:4]), r"an eigvec of shape \[4, 24\], which is not sq"),
        (
            b"\x80\x02cposix\nsystem\nU\x01a\x85R.",
            "asks for posix.system; refused, nothing was executed",
        ),
        (pickle.dumps({"a": {"b": ROWS}}), "holds 'a', of which none"),
        (pickle.dumps([]), "holds no arrays"),
    ],
)
def test_unusable(tmp_path, recwarn, content, words):
    """What holds no directions is one line that says what was found and expected, and no warning
    before it."""
    with pytest.raises(InputError, match=f"file .*{words}.*Expected directions") as error:
        read_directions(written(tmp_path / "file", content))
    assert "\n" not in str(error.value)
    assert not recwarn.list


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        (
            PLUS,
            "has 18 rows, not of length 1, as one direction of w+ in a network of 1024 x 1024 "
            "pixels has; ",
        ),
        (
            PLUS[None],
            "has 18 vectors for a direction; expected 6, .*18 are those of a network of 1024 x "
            "1024 pixels",
        ),
        (PLUS[None, :3], "has 3 vectors for a direction; expected 6, .* or leave out `per_layer`"),
        (ROWS[:2, :5], "has directions of 5 dimensions; expected 24"),
        (ROWS[:18], None),
        (PLUS[:17], None),
        (PLUS[None, :6], None),
        (PLUS[:4], None),
    ],
)
def test_number_of_layers(rows, words):
    """A direction of w+ of a larger network is told as one; as many rows of length 1 are
    directions."""
    with (
        pytest.raises(InputError, match=words.replace("+", "[+]"))
        if words
        else contextlib.nullcontext()
    ):
        expect_fit("d.npy", rows, 24, 6)


@pytest.mark.parametrize("name", ["tf_orig_16.pkl", "pt_skip_64.pkl", "ros_64.pt"])
def test_network(data, name):
    """A network in place of directions is told."""
    with pytest.raises(InputError, match=rf"{re.escape(name)} is a network.*Expected directions"):
        read_directions(data / name)
