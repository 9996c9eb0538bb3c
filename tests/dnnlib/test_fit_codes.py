"""What the latent codes of a file are to a network: told by key, shape, numbers, or asked for."""

import numpy as np
import pytest

from dnnlib.errors import InputError
from dnnlib.latents import Latents, fit_codes

Z_DIM, W_DIM, LAYERS = SIZES = 5, 4, 6


@pytest.mark.parametrize(
    ("key", "choice", "said"),
    [
        ("w", "of the keys w, z", ", under w, of the keys w, z"),
        ("w", None, ""),
        ("styles", None, ", under styles"),
        (None, "the last of 3 iterations", ", the last of 3 iterations"),
    ],
)
def test_which_array(key, choice, said):
    """Of several arrays in a file, it is told which was read, and so is a key that does not tell
    what lies under it."""
    values = np.ones((2, LAYERS, W_DIM))
    latents = Latents(values, key, None, choice)
    assert fit_codes("codes.npy", latents, "auto", *SIZES).note == f"latent codes: 2 of w+{said}"


def codes_of(shape, space="auto", key=None, names=None, value=None, z_dim=Z_DIM):
    """Codes of this shape, which are 1, 2, 3 ... or all of a value, for a network of the sizes
    above."""
    values = (
        np.arange(1.0, 1 + np.prod(shape)).reshape(shape)
        if value is None
        else np.full(shape, value)
    )
    latents = Latents(values, key, names)
    return values, fit_codes("codes.npy", latents, space, z_dim, W_DIM, LAYERS)


@pytest.mark.parametrize(
    ("shape", "asked", "key", "space", "said"),
    [
        (
            (3, 5),
            "auto",
            None,
            "z",
            "3 of z, assumed from the shape [3, 5]; `latent_space` w reads codes of w",
        ),
        (
            (6, 5),
            "auto",
            None,
            "z",
            "6 of z, assumed from the shape [6, 5]; `latent_space` wp reads one code of w+",
        ),
        (
            (5,),
            "auto",
            "latents",
            "z",
            "1 of z, assumed from the shape [5]; `latent_space` w reads codes of w",
        ),
        ((1, 5), "z", "w", "z", "1 of z"),
        (
            (6, 4),
            "auto",
            "latent",
            "wp",
            "1 of w+, assumed from the key latent and the shape [6, 4]; `latent_space` w ",
        ),
        (
            (2, 4),
            "auto",
            "w",
            "w",
            "2 of w, assumed from the key w and the shape [2, 4]; `latent_space` z reads",
        ),
        (
            (4,),
            "auto",
            "dlatents",
            "w",
            "1 of w, assumed from the key dlatents and the shape [4]; `latent_space` z",
        ),
        ((2, 6, 4), "auto", None, "wp", "2 of w+"),
        ((1, 6, 4), "auto", "latents", "wp", "1 of w+"),
        ((6, 4), "wp", None, "wp", "1 of w+"),
        ((6, 4), "w", "w", "w", "6 of w"),
        ((4,), "w", None, "w", "1 of w"),
        (
            (3, 1, 4),
            "auto",
            None,
            "w",
            "3 of w, assumed from the shape [3, 1, 4]; `latent_space` z reads codes of z",
        ),
        ((1, 3, 4), "w", None, "w", "3 of w"),
        ((1, 1, 5), "auto", None, "z", "1 of z, assumed from the shape [1, 1, 5]; "),
        ((4,), "auto", None, "w", "1 of w, assumed from the shape [4]; `latent_space` z"),
        (
            (6, 4),
            "auto",
            None,
            "wp",
            "1 of w+, assumed from the shape [6, 4]; `latent_space` w reads codes of w",
        ),
        ((3, 1, 4), "w", None, "w", "3 of w"),
        ((3, 1, 5), "z", None, "z", "3 of z"),
        (
            (3, 1, 5),
            "auto",
            "z",
            "z",
            "3 of z, assumed from the key z and the shape [3, 1, 5]; `latent_space` w reads",
        ),
        (
            (2, 5),
            "auto",
            "z",
            "z",
            "2 of z, assumed from the key z and the shape [2, 5]; `latent_space` w reads",
        ),
    ],
)
def test_fit_codes(shape, asked, key, space, said):
    """Codes of each shape are taken as what they are or are said to be; what was assumed is
    told."""
    values, found = codes_of(shape, asked, key)
    codes = found.values
    assert found.space == space
    assert found.note.startswith(f"latent codes: {said}")
    assert ("assumed" in found.note) == ("assumed" in said)
    if space == "z":
        np.testing.assert_array_equal(codes, values.reshape(-1, Z_DIM))
    elif space == "wp":
        np.testing.assert_array_equal(codes, values.reshape(-1, LAYERS, W_DIM))
    else:
        assert codes.shape[1] == LAYERS
        for layer in range(LAYERS):
            np.testing.assert_array_equal(codes[:, layer], values.reshape(-1, W_DIM))


def test_names():
    """The codes of a dict are one for each name, also if there are as many as layers; the first
    names are told."""
    found = codes_of((6, 4), key="latent", names=list("abcdef"))[1]
    assert (found.values.shape, found.names) == ((6, LAYERS, W_DIM), list("abcdef"))
    assert found.note.startswith("latent codes: 6 of w (a, b, c, ...), assumed")


@pytest.mark.parametrize(
    ("shape", "more", "words"),
    [
        ((2, 7), {}, "codes of 7 dimensions; expected 5 of z or 4 of w for this"),
        ((2, 7), {"z_dim": 4}, "codes of 7 dimensions; expected 4 for this"),
        (
            (2, 7),
            {"key": "w"},
            r"w codes of 7 dimensions \(assumed from the key w .*\); expected 4 for this network",
        ),
        ((2, 6, 5), {}, "w\\+ codes of 5 dimensions; expected 4"),
        ((2, 7), {"space": "w"}, "7 dimensions; expected 4"),
        (
            (2, 18, 4),
            {},
            "codes of 18 layers, as a network of 1024 x 1024 pixels has; expected 6: use codes",
        ),
        ((2, 7, 4), {}, "codes of 7 layers; expected 6"),
        ((1, 10**5, 4), {}, "codes of 100000 layers; expected 6"),
        ((5, 4), {"space": "wp"}, "codes of 5 layers; expected 6"),
        (
            (2, 6, 4),
            {"space": "z"},
            r"shape \[2, 6, 4\]; expected z codes \[N, 5\]: choose another",
        ),
        (
            (2, 6, 4),
            {"space": "w"},
            r"shape \[2, 6, 4\]; expected w codes \[N, 4\]: choose another",
        ),
        (
            (4,),
            {"space": "wp"},
            r"shape \[4\]; expected w\+ codes \[N, 6, 4\]: choose another",
        ),
        (
            (6, 4),
            {"space": "wp", "names": list("abcdef")},
            r"shape \[6, 4\]; expected w\+ codes \[N, 6, 4\]",
        ),
        ((2, 6, 5), {"key": "z"}, r"shape \[2, 6, 5\]; expected z codes \[N, 5\]: choose another"),
        (
            (2, 4),
            {"z_dim": 4, "value": 0.5},
            "rows no longer than 1, as directions have; .*say which",
        ),
        ((2, 6, 4), {"value": 0.1}, "rows no longer than 1, as directions have"),
        (
            (1, 3, 4),
            {},
            "codes of 3 layers; expected 6: use codes of this network, or choose z or w",
        ),
    ],
)
def test_codes_of_another_network(shape, more, words):
    """What does not fit the network is an error with both numbers."""
    with pytest.raises(InputError, match=f"^codes.npy has .*{words}"):
        codes_of(shape, **more)


def w_of(shape, length, seed=1):
    """Rows as a leaky ReLU leaves them, which are as long as published ones."""
    x = np.random.RandomState(seed).randn(*shape)
    x = np.where(x > 0, x, 0.2 * x)
    return x * length / np.linalg.norm(x, axis=-1, keepdims=True)


def z_of(*shape):
    return np.random.RandomState(0).randn(*shape)


def taken_for(values, layers=18, key=None):
    """What auto makes of these codes where z and w have the same dimensions; None: it asks."""
    dim = values.shape[-1]
    try:
        return fit_codes("codes.npy", Latents(values, key, None), "auto", dim, dim, layers)
    except InputError as error:
        assert error.option == "latent_space"
        return None


@pytest.mark.parametrize("dim", [64, 512])
def test_random_z_is_never_w(dim):
    """Random codes of z, few or many, are z, or asked for; few are asked for where they are long
    enough to tell."""
    taken = [
        taken_for(np.random.RandomState(seed).randn(n, dim))
        for seed in range(200)
        for n in (1, 2, 5, 30)
    ]
    found = [each and each.space for each in taken]
    assert found.count("w") == found.count("wp") == 0
    assert found.count("z") > (0.6 if dim == 64 else 0.97) * len(found)


@pytest.mark.parametrize(
    ("values", "space"),
    [
        (z_of(10_000, 512), "z"),
        (z_of(3, 1, 512), "z"),
        (z_of(18, 512), None),
        (z_of(512), "z"),
        (z_of(18, 1, 512), "z"),
        (w_of((18, 1, 512), 9), "w"),
        (z_of(5, 512) * 22.627 / np.linalg.norm(z_of(5, 512), axis=1, keepdims=True), "z"),
        *((w_of((n, 512), length), "w") for n in (1, 5, 40) for length in (1.3, 9, 16, 30, 77)),
        *((w_of((18, 512), length), "wp") for length in (1.3, 9, 18, 27, 77)),
        (w_of((18, 512), np.linspace(4, 60, 18)[:, None]), "wp"),
        (w_of((5, 512), 22.6), None),
        (w_of((512,), 22), None),
        (w_of((6, 512), np.array([[12], [33]] * 3)), None),
        (np.repeat(w_of((1, 512), 22.6), 18, axis=0), "wp"),
        (z_of(1, 64) * 1.2, None),
        (w_of((5, 64), 10.5), "w"),
        (w_of((18, 64), 9.5), "wp"),
    ],
)
def test_space_by_length(values, space):
    """Rows as long as random ones and not lopsided are z, others w, or w+ if as many as layers;
    else it is asked."""
    found = taken_for(values)
    assert (found and found.space) == space
    assert found is None or "assumed from the shape" in found.note


@pytest.mark.parametrize(
    ("values", "key", "space"),
    [
        (z_of(3, 512), "w", "z"),
        (w_of((3, 512), 9), "z", "w"),
        (z_of(3, 512), "z", None),
        (w_of((3, 512), 9), "w", None),
    ],
)
def test_key_and_lengths_disagree(values, key, space):
    """The key decides, but what speaks against it is told."""
    found = taken_for(values, key=key)
    assert found.space == key
    doubt = f"codes.npy has codes under the key {key} that are as long as those of {space}"
    assert [text[: len(doubt)] for text in found.doubts] == [doubt] * bool(space)


def test_z_of_length_1():
    """z may be of length 1, if the user says that it is z."""
    assert codes_of((2, 4), "z", z_dim=4, value=0.5)[1].values.shape == (2, 4)
