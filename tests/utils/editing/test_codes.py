"""Latent codes and labels."""

import numpy as np
import pytest

from dnnlib.errors import InputError
from dnnlib.latents import Latents
from utils.cli.options import CodeOptions
from utils.editing.codes import Codes, class_labels, codes_for_network, random_codes

Z_DIM, W_DIM, LAYERS = 5, 4, 6


@pytest.mark.parametrize("seed", [0, 4, 2**32 - 1])
def test_random_codes(seed):
    """The codes of a seed are those of NumPy's RandomState, so those of the original program."""
    codes = random_codes(seed, 3, 5)
    np.testing.assert_array_equal(codes, np.random.RandomState(seed).randn(3, 5))
    np.testing.assert_array_equal(random_codes(seed, 7, 5)[:3], codes)


def test_golden_codes(golden):
    """The golden latent codes of a seed are found again."""
    z = golden("tf_skip_64")["z"]
    assert any(np.array_equal(random_codes(seed, len(z), z.shape[1]), z) for seed in range(100))


def test_which_array(capsys):
    """Of several arrays in a file, it is told which was read."""
    codes_for_network(
        "codes.npy",
        Latents(np.ones((2, LAYERS, W_DIM)), "w", None, "of the keys w, z"),
        "auto",
        Z_DIM,
        W_DIM,
        LAYERS,
    )
    assert capsys.readouterr().out == "latent codes: 2 of w+, under w, of the keys w, z\n"


def codes_of(shape, space="auto", key=None, names=None, value=None, z_dim=Z_DIM):
    """Codes of this shape, which are 1, 2, 3 ... or all of a value, for a network of the sizes
    above."""
    values = (
        np.arange(1.0, 1 + np.prod(shape)).reshape(shape)
        if value is None
        else np.full(shape, value)
    )
    return values, *codes_for_network(
        "codes.npy", Latents(values, key, names), space, z_dim, W_DIM, LAYERS
    )


@pytest.mark.parametrize(
    ("shape", "asked", "key", "space", "said"),
    [
        (
            (3, 5),
            "auto",
            None,
            "z",
            "3 of z, assumed from the shape [3, 5]; --latent_space w reads codes of w",
        ),
        (
            (6, 5),
            "auto",
            None,
            "z",
            "6 of z, assumed from the shape [6, 5]; --latent_space wp reads one code of w+",
        ),
        (
            (5,),
            "auto",
            "latents",
            "z",
            "1 of z, assumed from the shape [5]; --latent_space w reads codes of w",
        ),
        ((1, 5), "z", "w", "z", "1 of z"),
        (
            (6, 4),
            "auto",
            "latent",
            "wp",
            "1 of w+, assumed from the key latent and the shape [6, 4]; --latent_space w ",
        ),
        (
            (2, 4),
            "auto",
            "w",
            "w",
            "2 of w, assumed from the key w and the shape [2, 4]; --latent_space z reads",
        ),
        (
            (4,),
            "auto",
            "dlatents",
            "w",
            "1 of w, assumed from the key dlatents and the shape [4]; --latent_space z",
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
            "3 of w, assumed from the shape [3, 1, 4]; --latent_space z reads codes of z",
        ),
        ((1, 3, 4), "w", None, "w", "3 of w"),
        ((1, 1, 5), "auto", None, "z", "1 of z, assumed from the shape [1, 1, 5]; "),
        ((4,), "auto", None, "w", "1 of w, assumed from the shape [4]; --latent_space z"),
        (
            (6, 4),
            "auto",
            None,
            "wp",
            "1 of w+, assumed from the shape [6, 4]; --latent_space w reads codes of w",
        ),
        ((3, 1, 4), "w", None, "w", "3 of w"),
        ((3, 1, 5), "z", None, "z", "3 of z"),
        (
            (3, 1, 5),
            "auto",
            "z",
            "z",
            "3 of z, assumed from the key z and the shape [3, 1, 5]; --latent_space w reads",
        ),
        (
            (2, 5),
            "auto",
            "z",
            "z",
            "2 of z, assumed from the key z and the shape [2, 5]; --latent_space w reads",
        ),
    ],
)
def test_codes_for_network(capsys, shape, asked, key, space, said):
    """Codes of each shape are taken as what they are or are said to be; what was assumed is
    told."""
    values, found, codes = codes_of(shape, asked, key)
    out = capsys.readouterr().out
    assert found == space
    assert out.startswith(f"latent codes: {said}")
    assert ("assumed" in out) == ("assumed" in said)
    if space == "z":
        np.testing.assert_array_equal(codes, values.reshape(-1, Z_DIM))
    elif space == "wp":
        np.testing.assert_array_equal(codes, values.reshape(-1, LAYERS, W_DIM))
    else:
        assert codes.shape[1] == LAYERS
        for layer in range(LAYERS):
            np.testing.assert_array_equal(codes[:, layer], values.reshape(-1, W_DIM))


def test_names(capsys):
    """The codes of a dict are one for each name, also if there are as many as layers; the first
    names are told."""
    assert codes_of((6, 4), key="latent", names=list("abcdef"))[2].shape == (6, LAYERS, W_DIM)
    assert capsys.readouterr().out.startswith("latent codes: 6 of w (a, b, c, ...), assumed")


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
        return codes_for_network("codes.npy", Latents(values, key, None), "auto", dim, dim, layers)[
            0
        ]
    except InputError as error:
        assert error.option == "latent_space"
        return None


@pytest.mark.parametrize("dim", [64, 512])
def test_random_z_is_never_w(dim):
    """Random codes of z, few or many, are z, or asked for; few are asked for where they are long
    enough to tell."""
    found = [
        taken_for(np.random.RandomState(seed).randn(n, dim))
        for seed in range(200)
        for n in (1, 2, 5, 30)
    ]
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
def test_space_by_length(capsys, values, space):
    """Rows as long as random ones and not lopsided are z, others w, or w+ if as many as layers;
    else it is asked."""
    assert taken_for(values) == space
    assert ("assumed from the shape" in capsys.readouterr().out) == bool(space)


@pytest.mark.parametrize(
    ("values", "key", "space"),
    [
        (z_of(3, 512), "w", "z"),
        (w_of((3, 512), 9), "z", "w"),
        (z_of(3, 512), "z", None),
        (w_of((3, 512), 9), "w", None),
    ],
)
def test_key_and_lengths_disagree(capsys, values, key, space):
    """The key decides, but what speaks against it is told."""
    assert taken_for(values, key=key) == key
    warning = (
        f"WARNING: codes.npy has codes under the key {key} that are as long as those of {space}"
    )
    assert (warning in capsys.readouterr().err) == bool(space)


def test_z_of_length_1():
    """z may be of length 1, if the user says that it is z."""
    assert codes_of((2, 4), "z", z_dim=4, value=0.5)[2].shape == (2, 4)


class Network:
    """Maps z to w+ by repeating the first numbers, plus the label; truncates towards 0."""

    z_dim, w_dim, num_layers, label_dim = Z_DIM, W_DIM, LAYERS, 2

    def mapping(self, z, labels):
        return np.repeat(z[:, None, :W_DIM] + labels[:, None, :1], LAYERS, axis=1)

    def truncate(self, ws, psi, cutoff):
        return (
            np.concatenate([psi * ws[:, :cutoff], ws[:, cutoff:]], axis=1) if cutoff else psi * ws
        )


def options(**given):
    """Those of class 0, unless another is given."""
    return CodeOptions(**{"class_index": 0, **given})


def test_random_run():
    """Without a file the codes are those of the seed, as many as asked for, mapped and truncated as
    asked for."""
    codes = Codes(options(total_num=3, trunc_psi=0.5, trunc_layers=2), Network())
    z = random_codes(4, 3, Z_DIM)
    ws = np.repeat(z[:, None, :W_DIM] + 1, LAYERS, axis=1)
    ws[:, :2] /= 2
    np.testing.assert_array_equal(codes.w_plus(), ws)
    np.testing.assert_array_equal(codes.w_plus(slice(1, 2)), ws[1:2])
    assert (codes.space, len(codes)) == ("z", 3)


@pytest.mark.parametrize("total_num", [None, 2, 3])
def test_run_of_a_file(total_num):
    """Codes of w+ are taken as they are, all or the first of them; z goes through the network."""
    wp, z = (
        np.random.RandomState(0).randn(3, LAYERS, W_DIM),
        np.random.RandomState(1).randn(3, Z_DIM),
    )
    for values, expected in ((wp, wp), (z, np.repeat(z[:, None, :W_DIM] + 1, LAYERS, axis=1))):
        chosen = options(total_num=total_num, class_index=None if values is wp else 0)
        codes = Codes(chosen, Network(), Latents(values, None, None))
        np.testing.assert_array_equal(codes.w_plus(), expected[:total_num])
        assert len(codes) == (total_num or 3)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"total_num": 4}, "4 of codes.npy; expected at most 3, the number of its codes"),
        (
            {"trunc_psi": 0.7},
            r"not with the w\+ codes of codes.npy; expected z codes with it: leave",
        ),
        ({"class_index": 0}, r"not with the w\+ codes"),
    ],
)
def test_options_that_w_does_not_have(given, words):
    """What only z has is refused with codes of w, not ignored."""
    chosen = options(**{"class_index": None, "latent_path": "codes.npy", **given})
    with pytest.raises(InputError, match=words) as caught:
        Codes(chosen, Network(), Latents(np.ones((3, LAYERS, W_DIM)), None, None))
    assert caught.value.option == next(iter(given))


def test_truncation_of_layers():
    """More layers than the network has are refused, not ignored."""
    with pytest.raises(InputError, match=f"{LAYERS + 1} layers; expected {LAYERS} at most"):
        Codes(options(trunc_layers=LAYERS + 1, trunc_psi=0.5, total_num=5), Network())


@pytest.mark.parametrize(("index", "said"), [(None, True), (0, False), (2, False)])
def test_class_labels(capsys, index, said):
    """One-hot for a class; without one zeros, which is said aloud."""
    labels = class_labels(index, 2, 3)
    np.testing.assert_array_equal(
        labels, np.zeros((2, 3)) if index is None else np.eye(3)[[index, index]]
    )
    assert ("no --class_index" in capsys.readouterr().out) == said


def test_network_without_labels(capsys):
    """Without classes the labels are of width 0, and nothing is said."""
    assert class_labels(None, 2, 0).shape == (2, 0)
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("index", "label_dim", "words"), [(3, 3, "expected 0 to 2"), (0, 0, "has no classes")]
)
def test_unknown_class(index, label_dim, words):
    """A class that the network lacks is an error that says which there are."""
    with pytest.raises(InputError, match=words):
        class_labels(index, 2, label_dim)
