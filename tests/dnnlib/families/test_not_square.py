"""Networks of images that are not square: StyleGAN-Human's and those of TensorFlow forks."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tensorflow_files import settings

from dnnlib import InputError, load_generator, read_network
from dnnlib.generator import Generator

DATA = Path(__file__).parent.parent.parent / "data"


def modules_of(module):
    yield module
    for part in module.state["_modules"].values():
        yield from modules_of(part)


def narrow(find):
    """A square network's layers in one whose images are half as wide."""
    for module in modules_of(find("")):
        state = module.state
        state["square"] = False
        buffers, parameters = state["_buffers"], state["_parameters"]
        for arrays, name in ((parameters, "const"), (buffers, "noise_const")):
            if name in arrays:
                arrays[name] = arrays[name][..., : arrays[name].shape[-1] // 2].copy()


@pytest.fixture(params=["pt_skip_64", "pt_label_resnet_16"])
def human(request, edited_modules):
    """The file of a narrow StyleGAN2."""
    return edited_modules(request.param, narrow)


def test_images(human):
    """They are half as wide as high, and so is what inspect says."""
    generator = load_generator(human)
    codes = generator.mapping(np.zeros((2, generator.z_dim)))
    height, width = generator.size
    assert width * 2 == height == generator.resolution
    assert generator.synthesis(codes).shape == (2, height, width, 3)
    layers = read_network(human).layers
    assert {(layer.size, layer.width) for layer in layers} >= {(4, 2), (height, width)}


@pytest.mark.parametrize("size", [256, 6])
def test_central_differences(edited_modules, size):
    """In float64, tangents are central differences, at pixels that keep the proportions."""
    generator = load_generator(edited_modules("pt_label_resnet_16", narrow), "float64")
    codes = generator.mapping(np.random.RandomState(0).randn(1, generator.z_dim))
    height, width = generator.jacobian_size(size)
    assert (height, width) == (
        min(size, generator.resolution),
        min(size, generator.resolution) // 2,
    )
    tangent = np.random.RandomState(1).randn(1, generator.edit_dim)
    found = generator.linearize(codes, size, fused_channel=False).push(tangent)[0]
    step = 1e-8 * tangent[:, None]
    ahead, behind = generator.synthesis(np.concatenate([codes + step, codes - step]))
    expected = (ahead - behind) / 2e-8
    rows = np.arange(height) * generator.size[0] // height
    columns = np.arange(width) * generator.size[1] // width
    expected = expected[rows[:, None], columns]
    assert np.abs(found - expected).max() <= 1e-5 * np.abs(expected).max()


def test_mirror_image(edited_modules):
    """With constant, noise and kernels mirrored the image is the mirrored one: all that is done
    along rows keeps to the image's own width."""
    record = read_network(edited_modules("pt_skip_64", narrow))
    mirrored = dict(record.arrays)
    for name, array in record.arrays.items():
        is_kernel = name.endswith("/weight") and array.ndim == 4
        if is_kernel or name == "const" or name.endswith("/noise"):
            mirrored[name] = array[:, ::-1]
    images = []
    for arrays in (record.arrays, mirrored):
        generator = Generator(dataclasses.replace(record, arrays=arrays))
        codes = generator.mapping(np.random.RandomState(0).randn(1, generator.z_dim))
        images.append(generator.synthesis(codes))
    scale = np.abs(images[0]).max()
    assert np.abs(images[0][:, :, ::-1] - images[1]).max() <= 1e-5 * scale
    assert np.abs(images[0] - images[1]).max() > 0.1 * scale


def cut(by_size, **more):
    """A square TensorFlow network's layers in one with a constant of 3 x 2, whose layers are called
    by their own size, and no resolution is given, or as in the square one."""

    def edit(state):
        settings(**more)(state)
        for network in (state, *state["components"].values()) if by_size else ():
            network["static_kwargs"].pop("resolution", None)
        synthesis = state["components"]["synthesis"]
        arrays = {}
        for name, values in synthesis["variables"].items():
            if name.startswith("noise") or name.endswith("/const"):
                times = values.shape[-1] // 4
                values = values[..., : 3 * times, : 2 * times]
            size, _, layer = name.partition("/")
            if by_size and layer:
                times = int(size.partition("x")[0]) // 4
                name = f"{3 * times}x{2 * times}/{layer}"
            arrays[name] = values
        synthesis["variables"] = arrays

    return edit


@pytest.mark.parametrize(
    "edit",
    [
        cut(False, init_res=[3, 2], size=None, square=False),
        cut(True, min_h=3, min_w=2, res_log2=3),
        cut(True, resolution_h=24, resolution_w=16),
    ],
    ids=["eps696", "skyflynil", "tpu"],
)
def test_tensorflow_fork(edited, edit):
    """With constant, noise and kernels turned over their diagonal the image is the turned one: the
    settings and the constant say what is a row."""
    record = read_network(edited("tf_resnet_32", edit))
    turned = dict(record.arrays)
    for name, array in record.arrays.items():
        if name == "const" or name.endswith("/noise") or array.ndim == 4:
            turned[name] = array.swapaxes(0, 1)
    upright = Generator(record)
    lying = Generator(dataclasses.replace(record, arrays=turned, start=record.start[::-1]))
    codes = upright.mapping(np.random.RandomState(0).randn(2, record.z_dim))
    images = upright.synthesis(codes)
    assert images.shape == (2, 24, 16, 3)
    expected = lying.synthesis(codes).swapaxes(1, 2)
    assert np.abs(images - expected).max() <= 1e-5 * np.abs(expected).max()


def narrow_stylegan3():
    """The golden one with columns left out of its input and borders, so that each layer is as much
    narrower as its sampling rate says."""
    record = read_network(DATA / "sg3_t_32.pkl")
    heights = [record.input_size[0], *(height for height, _ in record.sizes)]
    rates = [min(height - 20, record.resolution) for height in heights[:-2]]
    rates += [record.resolution] * 2
    widths = [height - rate // 2 for height, rate in zip(heights, rates, strict=True)]
    filterings, width = [], widths[0]
    for i, (filtering, wanted) in enumerate(zip(record.filterings, widths[1:], strict=True)):
        left, right, top, bottom = filtering.padding
        entering = width + record.arrays[f"{i}/weight"].shape[0] - 1
        right -= record._resampled(i, entering, left + right) * filtering.down
        right += wanted * filtering.down
        filterings.append(filtering._replace(padding=(left, right, top, bottom)))
        width = wanted
    return dataclasses.replace(
        record,
        input_size=(record.input_size[0], widths[0]),
        filterings=tuple(filterings),
        is_half_as_wide=True,
    )


def test_stylegan3():
    """A narrow StyleGAN3 makes narrow images, and its tangents are central differences."""
    record = narrow_stylegan3()
    record.check_sizes()
    generator = Generator(record, "float64")
    codes = generator.mapping(np.random.RandomState(0).randn(1, generator.z_dim))
    assert generator.synthesis(codes).shape == (1, 32, 16, 3)
    tangent = np.random.RandomState(1).randn(1, generator.edit_dim)
    found = generator.linearize(codes, 16, fused_channel=False).push(tangent)[0]
    step = 1e-8 * tangent[:, None]
    ahead, behind = generator.synthesis(np.concatenate([codes + step, codes - step]))
    expected = ((ahead - behind) / 2e-8)[::2, ::2]
    assert np.abs(found - expected).max() <= 1e-5 * np.abs(expected).max()


@pytest.mark.parametrize(
    ("square", "words"),
    [(True, "square is True, but its constant is 2 x 4"), ("no", "square is 'no'")],
)
def test_disagreement(edited_modules, square, words):
    """A setting that its arrays contradict is refused."""

    def edit(find):
        narrow(find)
        find("").state["square"] = square

    with pytest.raises(InputError, match=words):
        read_network(edited_modules("pt_skip_64", edit))


def test_steps(edited_modules, run_script, tmp_path):
    """The three steps run, and what they write keeps the proportions; a box is one in the frame of
    the image."""
    path = edited_modules("pt_skip_64", narrow)
    jacobian = ("compute_jacobian", path, "--total_num", 1, "--d_name", "n", "--output_dir", "j")
    assert run_script(*jacobian, "--image_size", 32).status == 0
    assert np.load("j/w_dataset_n.npy").shape == (1, 32, 16, 1, 32)
    box = ("--box", "64,32,64,64", "--lamb", 8)
    run = run_script("compute_directions", "j/w_dataset_n.npy", *box, "--output_dir", "d")
    assert run.status == 0, run.err
    assert "region box_64_32_64_64: 12 % of the picture" in run.out
    (direction,) = tmp_path.glob("d/*lowrankgan_projected.npy")
    run = run_script("manipulate", path, direction, "--total_num", 2, "--output_dir", "m")
    assert run.status == 0, run.err
    (grid,) = tmp_path.glob("m/*direction_00_lowrankgan.png")
    width, height = Image.open(grid).size
    assert height > 2 * 64
    assert width < 8 * 40
    page = Path("m/manipulate_results_lowrankgan.html").read_text(encoding="utf-8")
    assert "aspect-ratio: 32 / 64" in page
