"""The Jacobian against the original program's, reverse mode, and central differences."""

import functools
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf
from tensorflow_files import image_channels

from dnnlib import InputError, load_generator, read_network
from dnnlib.families.stylegan2.network import StyleGAN2
from dnnlib.linear_map import nearest_pixels

STEP = 1e-6  # of central differences, in float64


def close(a, b, tolerance=1e-4):
    """max |a - b| <= tolerance max |b|, for arrays of one shape."""
    return a.shape == b.shape and np.abs(a - b).max() <= tolerance * np.abs(b).max()


def close_but_for_kinks(a, b):
    """Equal within 1e-5 of the largest value at 99 of 100 places: elsewhere a step may cross an
    activation's kink."""
    return a.shape == b.shape and np.mean(np.abs(a - b) <= 1e-5 * np.abs(b).max()) >= 0.99


@functools.cache
def layered(path):
    """A network in float64."""
    return load_generator(path, "float64")


def random(*shape, seed=7):
    return np.random.Generator(np.random.PCG64(seed)).standard_normal(shape)


def first_code(seed=4, z_dim=32):
    """The z that the golden Jacobians belong to."""
    return np.random.RandomState(seed).randn(2, z_dim)[:1]


@pytest.mark.parametrize(
    ("key", "method", "size", "fused"),
    [
        ("jacobian_w", "jacobian", 64, True),
        ("jacobian_w_32", "jacobian", 32, True),
        ("jacobian_w_32_rgb", "jacobian", 32, False),
        ("jacobian_z", "jacobian_z", 64, True),
    ],
)
def test_golden(generator, golden, key, method, size, fused):
    """The Jacobians are those of the original reverse-mode program."""
    g, z = generator("tf_skip_64"), first_code()
    code = g.mapping(z) if method == "jacobian" else z
    jacobian = getattr(g, method)(code, image_size=size, fused_channel=fused)
    assert jacobian.dtype == np.float32
    assert close(jacobian, golden("tf_skip_64")[key][0])


def test_reverse_mode(generator, golden, data, tensorflow_network):
    """Rows of the Jacobian are the gradients that TensorFlow's reverse mode gives for single output
    values."""
    network = tensorflow_network
    ws = golden(network)["w"][:1].astype(np.float64)
    jacobian = generator(network, "float64").jacobian(ws, fused_channel=False)[
        :, :, :, 0
    ]  # [C, H, W, D]
    synthesis = StyleGAN2(read_network(data / f"{network}.pkl"), "float64")
    shift = tf.zeros([ws.shape[2]], tf.float64)
    places = np.random.Generator(np.random.PCG64(3)).integers(0, jacobian.shape[:3], (6, 3))
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(shift)
        image = synthesis.primal(ws + shift)[0][0]
        values = [image[row, column, channel] for channel, row, column in places]
    rows = np.stack([tape.gradient(value, shift).numpy() for value in values])
    assert close(jacobian[tuple(places.T)], rows, 1e-9)
    assert (np.abs(rows).max(axis=1) > 0).sum() >= 3  # a clamp may hold some still


def test_central_differences(generator, golden, network):
    """J t is the derivative of the image along t, channel by channel."""
    g = generator(network, "float64")
    ws, t = golden(network)["w"][1:2].astype(np.float64), random(g.w_dim)
    along = g.jacobian(ws, fused_channel=False)[:, :, :, 0] @ t  # [C, H, W]
    difference = (g.synthesis(ws + STEP * t) - g.synthesis(ws - STEP * t))[0] / (2 * STEP)
    assert close_but_for_kinks(along, difference.transpose(2, 0, 1))


def test_central_differences_in_z(generator, golden, network):
    """J_z t is the derivative of the image along t in z, through the mapping network, labels and
    all."""
    g, numbers = generator(network, "float64"), golden(network)
    z, label, t = numbers["z"][1:2], numbers["label"][1:2], random(g.z_dim)
    along = g.jacobian_z(z, label, fused_channel=False)[:, :, :, 0] @ t
    images = [g.synthesis(g.mapping(z + sign * STEP * t, label)) for sign in (1, -1)]
    assert close_but_for_kinks(along, (images[0] - images[1])[0].transpose(2, 0, 1) / (2 * STEP))


@pytest.mark.parametrize("name", ["tf_skip_64", "ada_clamp_64"])
def test_different_w_in_each_layer(generator, name):
    """At a W+ code, the Jacobian is with respect to a shift common to all layers."""
    g = generator(name, "float64")
    ws, t = random(1, g.num_layers, g.w_dim, seed=1), random(g.w_dim, seed=2)
    along = g.jacobian(ws)[:, :, 0] @ t
    difference = (g.synthesis(ws + STEP * t) - g.synthesis(ws - STEP * t))[0].mean(axis=2) / (
        2 * STEP
    )
    assert close_but_for_kinks(along, difference)


@pytest.mark.parametrize("layers", [[0], [1, 2], [-1]])
@pytest.mark.parametrize(
    "name",
    [
        "tf_resnet_32.pkl",
        "genforce_sg1_16.pth",
        "genforce_hammer_sg3_16.pth",
        "biggan_ajb_64.pth",
        "biggan_hf_32/pytorch_model.bin",
    ],
)
def test_shift_of_some_layers(data, name, layers):
    """In every family, a tangent may shift the codes of some layers only: w, or chunks of z."""
    g = layered(data / name)
    layers = [layer % g.num_layers for layer in layers]
    layers = [layer for layer in layers if layer < g.num_layers]
    codes = g.mapping(random(1, g.z_dim, seed=1), np.eye(max(g.label_dim, 1))[:1, : g.label_dim])
    tangents, moved = random(2, g.edit_dim, seed=2), np.zeros_like(codes)
    moved[:, layers, : g.edit_dim] = 1e-7 * tangents[1]
    difference = (g.synthesis(codes + moved) - g.synthesis(codes - moved))[0] / 2e-7
    linear = g.linearize(codes, g.resolution, fused_channel=False, layers=layers)
    assert np.abs(difference).max() > 0
    assert close_but_for_kinks(linear.push(tangents)[1], difference)


def test_shift_of_all_layers(generator, golden):
    """All layers by name are all layers; one that is not there is an error."""
    g, ws = generator("tf_orig_16"), golden("tf_orig_16")["w"][:1]
    np.testing.assert_array_equal(g.jacobian(ws, layers=range(g.num_layers)), g.jacobian(ws))
    with pytest.raises(InputError, match=r"layer 6; expected 0 to 5"):
        g.jacobian(ws, layers=[1, 6])


@pytest.mark.parametrize(
    ("name", "acts"),
    [
        ("ada_clamp_64", True),
        ("pt_label_resnet_16", True),
        ("pt_label_orig_16", True),
        ("pt_skip_64", False),
        ("tf_skip_64", False),
    ],
)
def test_clamp_acts(golden, data, name, acts):
    """Three networks do clamp, in their layers and in their RGB outputs, so that the tests above
    see slopes of 0."""
    network = StyleGAN2(read_network(data / f"{name}.pkl"), "float64")
    kept = network.primal(tf.constant(golden(name)["w"][:2], tf.float64))[1]()
    for layers in (kept.convs, kept.rgbs):
        assert any((layer.slope.numpy() == 0).any() for layer in layers) == acts


def test_fused_is_the_mean_over_channels(generator, golden, tensorflow_network):
    """[H, W, 1, D] is the mean of [C, H, W, 1, D]."""
    g, ws = generator(tensorflow_network), golden(tensorflow_network)["w"][:1]
    fused, each = g.jacobian(ws), g.jacobian(ws, fused_channel=False)
    assert each.shape == (3, g.resolution, g.resolution, 1, g.w_dim)
    assert close(fused, each.mean(axis=0), 1e-6)


@pytest.mark.parametrize("name", ["tf_orig_16", "ada_clamp_64"])
def test_alpha_is_left_out_of_the_mean(edited, golden, name):
    """Of RGB and alpha the mean is over RGB, also where a clamp acts; each channel by itself has
    alpha too."""
    g, ws = load_generator(edited(name, image_channels(4))), golden(name)["w"][:1]
    fused, each = g.jacobian(ws, 16), g.jacobian(ws, 16, fused_channel=False)
    assert each.shape == (4, 16, 16, 1, g.w_dim)
    assert close(fused, each[:3].mean(axis=0), 1e-6)
    assert "RGB and alpha" in g.notes[0]


@pytest.mark.parametrize("size", [1, 5, 24, 32, 63])
@pytest.mark.parametrize("method", ["jacobian", "jacobian_z"])
def test_smaller_image(generator, golden, method, size):
    """A smaller image_size picks the pixels floor(i 64 / size) of the full Jacobian."""
    g = generator("tf_skip_64")
    code = golden("tf_skip_64")["w" if method == "jacobian" else "z"][:1]
    pixels = [int(np.floor(i * 64 / size)) for i in range(size)]
    full, small = (getattr(g, method)(code, image_size=each) for each in (64, size))
    assert close(small, full[pixels][:, pixels], 1e-6)


@pytest.mark.parametrize("fused_channel", [True, False])
@pytest.mark.parametrize("name", ["tf_orig_16", "tf_resnet_32", "ada_clamp_64"])
def test_smaller_image_of_other_networks(generator, golden, name, fused_channel):
    """Where the image is smaller by a whole factor, what only the dropped pixels need is left out,
    in any network."""
    g, ws = generator(name), golden(name)["w"][:1]
    full, small = (
        g.jacobian(ws, size, fused_channel) for size in (g.resolution, g.resolution // 4)
    )
    assert close(small, full[..., ::4, ::4, :, :], 1e-6)


@pytest.mark.parametrize("size", [65, 256, 100000])
def test_larger_image(generator, golden, size):
    """An image_size above the network's resolution gives the Jacobian at that resolution."""
    g, ws = generator("tf_skip_64"), golden("tf_skip_64")["w"][:1]
    np.testing.assert_array_equal(g.jacobian(ws, size), g.jacobian(ws, 64))


@pytest.mark.parametrize("batch_size", [1, 7, 31, 1000])
def test_batch_size_does_not_matter(generator, golden, batch_size):
    """However many tangents are pushed at once, the Jacobian is the same within 1e-5."""
    g, numbers = generator("tf_skip_64"), golden("tf_skip_64")
    ws, z = numbers["w"][:1], numbers["z"][:1]
    assert close(g.jacobian(ws, batch_size=batch_size), g.jacobian(ws), 1e-5)
    assert close(g.jacobian_z(z, batch_size=batch_size), g.jacobian_z(z), 1e-5)


def test_chain_rule(generator, golden):
    """A Jacobian in w that is there already gives the one in z."""
    g, z = generator("tf_skip_64"), golden("tf_skip_64")["z"][:1]
    np.testing.assert_array_equal(g.chain_to_z(g.jacobian(g.mapping(z)), z), g.jacobian_z(z))


@pytest.mark.parametrize("fused_channel", [True, False])
def test_linear_map(generator, golden, fused_channel):
    """Tangents pushed through the linear map are products with the Jacobian, at a smaller size
    too."""
    g, ws = generator("ada_clamp_64"), golden("ada_clamp_64")["w"][:1]
    linear, tangents = g.linearize(ws, 24, fused_channel), random(3, g.edit_dim)
    jacobian = g.jacobian(ws, 24, fused_channel).reshape(-1, 24, 24, g.edit_dim)  # [C', H, W, D]
    derivatives = linear.push(tangents, batch_size=2)
    assert derivatives.dtype == np.float32
    assert close(derivatives, np.einsum("chwd,td->thwc", jacobian, tangents))
    assert linear.push(np.zeros((0, g.edit_dim))).shape == (0, *linear.shape)


def test_tangents_of_the_wrong_shape(generator, golden):
    """Tangents of another network's dimension are an error."""
    g, ws = generator("tf_orig_16"), golden("tf_orig_16")["w"][:1]
    with pytest.raises(InputError, match=r"tangents of shape \[2, 23\]; expected \[T, 24\]"):
        g.linearize(ws).push(np.zeros((2, 23)))


@pytest.mark.parametrize("batch_size", [1, 5, 32, None])
def test_progress_counts_batches(generator, golden, batch_size):
    """`progress` is told the tangents of each batch."""
    g, seen = generator("tf_skip_64"), []
    g.jacobian(golden("tf_skip_64")["w"][:1], batch_size=batch_size, progress=seen.append)
    assert sum(seen) == 32
    assert len(seen) == -(-32 // (batch_size or g.batch_size))


def test_nearest_pixels():
    """Source indices are floor(i in / out) for every pair of sizes."""
    for size in range(1, 40):
        for new_size in range(1, 40):
            expected = [i * size // new_size for i in range(new_size)]
            assert nearest_pixels(size, new_size).tolist() == expected


TWO_DEVICES = """
import sys
import numpy as np
from dnnlib import load_generator
from dnnlib.device import import_tensorflow
import_tensorflow()
import tensorflow as tf
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
generator = load_generator(sys.argv[1])
print(len(tf.config.list_logical_devices("CPU")))
ws = generator.mapping(np.random.RandomState(4).randn(1, generator.z_dim))
np.save(sys.argv[2], generator.jacobian(ws, batch_size=5))
"""


def test_two_devices(root, data, tmp_path):
    """Tangents shared among two (logical) devices give the Jacobian of one device."""
    network = data / "tf_orig_16.pkl"
    run = subprocess.run(
        [sys.executable, "-c", TWO_DEVICES, network, tmp_path / "two.npy"],
        cwd=root,
        text=True,
        capture_output=True,
        timeout=100,
    )
    assert run.returncode == 0, run.stderr
    assert run.stdout.split() == ["2"]
    generator = load_generator(network)
    ws = generator.mapping(np.random.RandomState(4).randn(1, generator.z_dim))
    assert close(np.load(tmp_path / "two.npy"), generator.jacobian(ws, batch_size=5), 1e-5)
