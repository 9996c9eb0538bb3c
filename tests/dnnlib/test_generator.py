"""The generator computes what the reference implementations compute."""

import numpy as np
import pytest

from dnnlib import InputError, load_generator


def close(a, b, tolerance=1e-4):
    """max |a - b| <= tolerance max |b|, for arrays of one shape."""
    return a.shape == b.shape and np.abs(a - b).max() <= tolerance * np.abs(b).max()


def test_facts(generator, golden, network):
    """The facts that G.z_dim and the like state are those of the golden arrays."""
    g, numbers = generator(network), golden(network)
    assert (g.z_dim, g.label_dim) == (numbers["z"].shape[1], numbers["label"].shape[1])
    assert (g.num_layers, g.w_dim) == numbers["w"].shape[1:]
    assert (g.num_channels, g.resolution, g.resolution) == numbers["image"].shape[1:]
    assert g.w_avg.shape == (g.w_dim,)
    assert g.w_avg.dtype == np.float32
    assert (g.family, g.space, g.edit_dim) == ("stylegan2", "w", g.w_dim)


def test_mapping(generator, golden, network):
    """w of z and labels is the reference's."""
    numbers = golden(network)
    assert close(generator(network).mapping(numbers["z"], numbers["label"]), numbers["w"])


def test_synthesis(generator, golden, network):
    """The image of w is the reference's."""
    numbers = golden(network)
    assert close(generator(network).synthesis(numbers["w"]), numbers["image"].transpose(0, 2, 3, 1))


def test_truncation(generator, golden, network):
    """The image of w truncated with psi 0.7 on the first layers is the reference's."""
    numbers, g = golden(network), generator(network)
    ws = g.truncate(numbers["w"], 0.7, cutoff=8 if network.startswith("tf") else 4)
    assert close(g.synthesis(ws), numbers["image_truncated"].transpose(0, 2, 3, 1))


def test_truncation_identities(generator, golden):
    """psi 1 keeps w, psi 0 gives w_avg, layers from the cutoff on are untouched, and so is the
    argument."""
    g, ws = generator("tf_skip_64"), golden("tf_skip_64")["w"]
    before = ws.copy()
    np.testing.assert_allclose(g.truncate(ws, 1), ws, rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(g.truncate(ws, 0), np.broadcast_to(g.w_avg, ws.shape))
    np.testing.assert_array_equal(g.truncate(ws, 0, cutoff=3)[:, 3:], ws[:, 3:])
    np.testing.assert_array_equal(
        g.truncate(ws, 0, cutoff=3)[:, :3], np.broadcast_to(g.w_avg, ws[:, :3].shape)
    )
    np.testing.assert_array_equal(ws, before)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("size", [1e38, 1e154])
@pytest.mark.parametrize("method", ["synthesis", "jacobian"])
def test_overflow(generator, method, size):
    """Codes so far off that numbers overflow are an error, not pictures of NaN, and no warning
    comes before it."""
    g = generator("tf_orig_16")
    with pytest.raises(InputError, match="holds NaN or infinity"):
        getattr(g, method)(g.truncate(np.full((1, 6, 24), size), 2))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    ("method", "codes", "expected"),
    [
        ("synthesis", (0, 6, 24), (0, 16, 16, 3)),
        ("mapping", (0, 24), (0, 6, 24)),
        ("truncate", (0, 6, 24), (0, 6, 24)),
    ],
)
def test_no_codes(generator, dtype, method, codes, expected):
    """No codes are no images and no w, of the right shape and type."""
    result = getattr(generator("tf_orig_16", dtype), method)(
        np.zeros(codes), *[0.5] * (method == "truncate")
    )
    assert result.shape == expected
    assert result.dtype == dtype


def test_float64_agrees(generator, golden):
    """The float64 network gives the float32 one's images, more exactly."""
    numbers = golden("tf_orig_16")
    images = generator("tf_orig_16", "float64").synthesis(numbers["w"])
    assert images.dtype == np.float64
    assert close(images, generator("tf_orig_16").synthesis(numbers["w"]), 1e-5)


def test_no_labels_means_zeros(generator, golden):
    """labels=None is a row of zeros, which differs from a class."""
    g, z = generator("tf_label_32"), golden("tf_label_32")["z"]
    np.testing.assert_array_equal(g.mapping(z), g.mapping(z, np.zeros((len(z), 5))))
    assert not close(g.mapping(z), g.mapping(z, np.eye(5)[: len(z)]), 1e-2)


def test_images_do_not_depend_on_the_batch(generator, golden, network):
    """An image made alone is the image made in a batch, within 1e-5."""
    g, ws = generator(network), golden(network)["w"]
    assert close(np.concatenate([g.synthesis(w[None]) for w in ws]), g.synthesis(ws), 1e-5)


def test_second_call_gives_the_same_bytes(generator, golden, network):
    """Mapping and synthesis repeat themselves to the last bit."""
    g, numbers = generator(network), golden(network)
    np.testing.assert_array_equal(g.synthesis(numbers["w"]), g.synthesis(numbers["w"]))
    np.testing.assert_array_equal(g.mapping(numbers["z"]), g.mapping(numbers["z"]))


@pytest.mark.parametrize(
    ("method", "shapes", "words"),
    [
        ("mapping", [(2, 23)], r"z codes of shape \[2, 23\]; expected \[N, 24\]"),
        ("mapping", [(24,)], r"z codes of shape \[24\]"),
        ("mapping", [(2, 24), (2, 1)], r"labels of shape \[2, 1\]; expected \[2, 0\]"),
        ("mapping", [(2, 24), (3, 0)], r"labels of shape \[3, 0\]; expected \[2, 0\]"),
        ("synthesis", [(2, 6, 23)], r"w\+ codes of shape \[2, 6, 23\]; expected \[N, 6, 24\]"),
        ("synthesis", [(2, 7, 24)], r"w\+ codes of shape \[2, 7, 24\]"),
        ("synthesis", [(2, 24)], r"w\+ codes of shape \[2, 24\]"),
        ("jacobian", [(2, 6, 24)], r"w\+ codes of shape \[2, 6, 24\]; expected \[1, 6, 24\]"),
        ("jacobian", [(1, 6, 25)], r"expected \[1, 6, 24\]"),
        ("jacobian_z", [(2, 24)], "2 z codes; expected one"),
        ("jacobian_z", [(1, 25)], r"z codes of shape \[1, 25\]"),
        ("chain_to_z", [(16, 16, 1, 24), (2, 24)], "2 z codes; expected one"),
    ],
)
def test_wrong_shape(generator, method, shapes, words):
    """An array of the wrong shape is a InputError that says which shape was expected."""
    with pytest.raises(InputError, match=words):
        getattr(generator("tf_orig_16"), method)(*map(np.zeros, shapes))


@pytest.mark.parametrize(
    "settings",
    [
        {"resample_kernel": None},
        {"resample_kernel": [1, 2, 1]},
        {"nonlinearity": "relu"},
        {"nonlinearity": "linear"},
        {"mapping_nonlinearity": "relu"},
        {"normalize_latents": False},
    ],
    ids=str,
)
def test_setting_changes_the_image(edited, generator, golden, settings):
    """A network with one setting changed still makes images, and other ones."""
    z = golden("tf_orig_16")["z"]

    def edit(state):
        for network in (state, *state["components"].values()):
            network["static_kwargs"].update(settings)

    changed, original = load_generator(edited("tf_orig_16", edit)), generator("tf_orig_16")
    images = changed.synthesis(changed.mapping(z))
    assert np.isfinite(images).all()
    assert not close(images, original.synthesis(original.mapping(z)), 1e-2)
