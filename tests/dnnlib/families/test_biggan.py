"""BigGAN: its readers and its network against the golden numbers, and what is refused."""

import io
import json
import re
import shutil
import tarfile

import numpy as np
import pytest
from conftest import DATA
from scipy.stats import truncnorm
from torch_files import plain, stream, written

from dnnlib import InputError, load_generator, read_network
from dnnlib.containers import torch_file
from dnnlib.containers.torch_file import CHECKPOINTS
from dnnlib.families.biggan import network
from dnnlib.families.biggan.spectral_norm import power_iteration

FILES = {
    "biggan_ajb_64": "biggan_ajb_64.pth",
    "biggan_ajb_flat_32_old": "biggan_ajb_flat_32_old.pth",
    "biggan_ajbdeep_64": "biggan_ajbdeep_64.pth",
    "biggan_hf_32": "biggan_hf_32",
    "biggan_hub_32": "biggan_hub_32",
    "biggan_hub_deep_32": "biggan_hub_deep_32",
}


def golden(name):
    """The reference's numbers."""
    return np.load(DATA / f"{name}.npz")


IMAGES = [
    (name, sample, truncation)
    for name in FILES
    for sample, truncation in enumerate(
        golden(name).get("truncation", np.ones(len(golden(name)["z"])))
    )
]


@pytest.fixture(scope="module")
def generators():
    """Golden networks by name, truncation and dtype, each made once."""
    made = {}

    def make(name, truncation=1.0, dtype="float32"):
        key = name, float(truncation), dtype
        if key not in made:
            made[key] = load_generator(DATA / FILES[name], dtype, truncation=key[1])
        return made[key]

    return make


def channels_last(images):
    return images.transpose(0, 2, 3, 1)


def close(a, b, tolerance=1e-4):
    """max |a - b| <= tolerance max |b|, for arrays of one shape."""
    return a.shape == b.shape and np.abs(a - b).max() <= tolerance * np.abs(b).max()


@pytest.mark.parametrize(("name", "sample", "truncation"), IMAGES)
def test_image(generators, name, sample, truncation):
    """Each format's image of a z, a class and a truncation is the reference's."""
    numbers, g = golden(name), generators(name, truncation)
    one = slice(sample, sample + 1)
    images = g.synthesis(g.mapping(numbers["z"][one], numbers["label"][one]))
    assert close(images, channels_last(numbers["image"][one]))


@pytest.mark.parametrize("name", FILES)
def test_jacobian(generators, name):
    """The Jacobian with respect to z, of every channel and of their mean, is the reference's."""
    numbers = golden(name)
    g = generators(name, numbers["truncation"][0] if "truncation" in numbers else 1.0)
    codes = g.mapping(numbers["z"][:1], numbers["label"][:1])
    size = g.resolution // int(numbers["jacobian_step"])
    expected = numbers["jacobian"]
    assert close(g.jacobian(codes, size, fused_channel=False)[:, :, :, 0], expected)
    assert close(g.jacobian(codes, size)[:, :, 0], expected.mean(axis=0))


@pytest.mark.parametrize("name", [name for name in FILES if "z_layers" in golden(name)])
def test_each_layer_reads_its_own_z(generators, name):
    """A code with another z in each layer gives the reference's image of these."""
    numbers = golden(name)
    g = generators(name, numbers["truncation"][0] if "truncation" in numbers else 1.0)
    codes = g.mapping(numbers["z"][:1], numbers["label"][:1])
    codes[0, :, : g.z_dim] = numbers["z_layers"][0]
    assert close(g.synthesis(codes), channels_last(numbers["image_layers"]))


@pytest.mark.parametrize("name", ["biggan_ajb_64", "biggan_hf_32"])
def test_tangent_against_central_differences(generators, name):
    """In float64, at a mixture of two classes, tangents are central differences of images."""
    g, numbers = generators(name, dtype="float64"), golden(name)
    labels = np.full((1, g.label_dim), 1 / g.label_dim)
    codes = g.mapping(numbers["z"][:1], labels)
    tangent = np.random.Generator(np.random.PCG64(3)).standard_normal((1, g.z_dim))
    moved = np.zeros_like(codes)
    moved[..., : g.z_dim] = 1e-6 * tangent
    expected = (g.synthesis(codes + moved) - g.synthesis(codes - moved)) / 2e-6
    found = g.linearize(codes, g.resolution, fused_channel=False).push(tangent)
    # A step may cross the kink of a ReLU, or another pixel become the largest of its window.
    assert np.mean(np.abs(found - expected) <= 1e-5 * np.abs(expected).max()) >= 0.99


def test_pieces_of_attention_are_the_whole(generators, monkeypatch):
    """Attention whose rows are cut into pieces gives the same image and Jacobian."""
    whole, numbers = generators("biggan_ajb_64"), golden("biggan_ajb_64")
    codes = whole.mapping(numbers["z"], numbers["label"])
    monkeypatch.setattr(network, "_SCORES_AT_ONCE", 5000)
    cut = load_generator(DATA / FILES["biggan_ajb_64"])
    assert close(cut.synthesis(codes), whole.synthesis(codes), 1e-6)
    assert close(cut.jacobian(codes, 32), whole.jacobian(codes, 32), 1e-6)


def test_z_is_the_programs(generators):
    """HuggingFace's z is SciPy's truncated normal times psi, BigGAN-PyTorch's a normal one."""
    random = np.random.RandomState
    found = generators("biggan_hf_32").sample(random(4), 3, 0.4)
    expected = 0.4 * truncnorm.rvs(-2, 2, size=(3, 5), random_state=random(4))
    np.testing.assert_allclose(found, expected, rtol=1e-6)
    found = generators("biggan_ajb_64").sample(random(4), 3, 0.5)
    np.testing.assert_allclose(found, 0.5 * random(4).randn(3, 10))


@pytest.mark.parametrize("psi", [0.0, 1.01, -1.0])
def test_truncation_out_of_range(psi):
    """A truncation that no statistics belong to is an error."""
    with pytest.raises(InputError, match="expected above 0, and 1 at most"):
        load_generator(DATA / "biggan_hf_32", truncation=psi)


def test_power_iteration_of_a_diagonal():
    """For u along a singular vector, sigma is its singular value."""
    weight = np.diag([3.0, 2.0]).astype(np.float32)
    assert power_iteration(weight, np.array([0.0, 0.5])) == pytest.approx(2)


def same_record(a, b):
    """Whether two records are equal in all settings and arrays."""
    return a.facts() == b.facts() and all(
        np.array_equal(a.arrays[name], b.arrays[name]) for name in a.arrays | b.arrays
    )


def test_archive_is_the_folder(tmp_path):
    """A .tar.gz of a TF Hub module is read as its folder is, and nothing is unpacked."""
    with tarfile.open(tmp_path / "module.tar.gz", "w:gz") as archive:
        archive.add(DATA / "biggan_hub_32", ".")
    found = read_network(tmp_path / "module.tar.gz")
    assert same_record(found, read_network(DATA / "biggan_hub_32"))
    assert [path.name for path in tmp_path.iterdir()] == ["module.tar.gz"]


@pytest.mark.parametrize("prefix", ["", "biggan-deep-32-"])
@pytest.mark.parametrize("given", ["pytorch_model.bin", "config.json"])
def test_either_file_of_two(tmp_path, prefix, given):
    """HuggingFace's network is found by either of its files, also with a name before it."""
    for name in ("pytorch_model.bin", "config.json"):
        shutil.copy(DATA / "biggan_hf_32" / name, tmp_path / (prefix + name))
    found = read_network(tmp_path / (prefix + given))
    assert same_record(found, read_network(DATA / "biggan_hf_32"))


def edited_state_dict(tmp_path, edit, name="biggan_ajb_64.pth"):
    """A copy of a golden file whose arrays have gone through edit(arrays)."""
    with open(DATA / name, "rb") as file:
        arrays = plain(torch_file.parse(file, CHECKPOINTS))
    edit(arrays)
    return written(tmp_path / "edited.pth", stream(arrays))


def renamed(old, new):
    """An edit that names arrays otherwise."""

    def edit(arrays):
        for name in list(arrays):
            arrays[name.replace(old, new)] = arrays.pop(name)

    return edit


def without(part):
    """An edit that removes the arrays with this in their names."""

    def edit(arrays):
        for name in [name for name in arrays if part in name]:
            del arrays[name]

    return edit


def add(name, values):
    """An edit that adds an array."""
    return lambda arrays: arrays.update({name: np.float32(values)})


@pytest.mark.parametrize(
    ("edit", "words"),
    [
        (renamed("bn1.stored_", "bn1.bn.running_"), "--cross_replica"),
        (without("stored_"), "lacks the statistics of its batch norms"),
        (add("blocks.0.0.bn1.bn.accumulation_counter", [3]), "sums in its statistics"),
        (without("blocks.2.0.conv2.bias"), "lacks the array blocks.2.0.conv2.bias"),
        (add("blocks.9.0.conv1.weight", [1]), "blocks.9.0.conv1.weight is not part"),
        (add("linear.u0", np.zeros((1, 512))), "spectral norm"),
        (add("shared.weight", [[np.nan] * 5] * 10), "shared.weight holds NaN"),
        (add("blocks.1.1.gamma", [1, 2]), "gamma has 2 numbers"),
    ],
)
def test_refused_state_dict(tmp_path, edit, words):
    """What a reader does not know, or lacks, is an error that names it."""
    with pytest.raises(InputError, match=re.escape(words)):
        read_network(edited_state_dict(tmp_path, edit))


def test_odd_deep_network(tmp_path):
    """A BigGANdeep of an odd number of blocks is refused by name."""
    path = edited_state_dict(tmp_path, without("blocks.7."), "biggan_ajbdeep_64.pth")
    with pytest.raises(InputError, match="has 7 deep blocks"):
        read_network(path)


def test_statistics_of_its_own_batch_norm(tmp_path):
    """Statistics as --mybn names them, with a counter of 0, are read as the plain ones."""

    def edit(arrays):
        renamed(".stored_", ".bn.stored_")(arrays)
        add("blocks.0.0.bn1.bn.accumulation_counter", [0])(arrays)

    found = read_network(edited_state_dict(tmp_path, edit))
    assert same_record(found, read_network(DATA / "biggan_ajb_64.pth"))


def test_epsilon_of_a_converted_file(tmp_path):
    """Without any sv0 a file was converted from TensorFlow: its epsilon is 1e-4 in the blocks."""
    found = read_network(edited_state_dict(tmp_path, without(".sv0")))
    assert (found.epsilon, found.output_epsilon) == (1e-4, 1e-5)


def test_missing_settings(tmp_path):
    """Weights of HuggingFace without config.json beside them are an error that names it."""
    shutil.copy(DATA / "biggan_hf_32" / "pytorch_model.bin", tmp_path)
    with pytest.raises(InputError, match=r"expected config\.json beside it"):
        read_network(tmp_path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"eps": 0}, "its eps is 0"),
        ({"layers": [[True, 16]]}, "expected \\[up-samples, in, out\\]"),
        ({"layers": [[True, 16, 16]] * 5}, "by its settings"),
        ({"n_stats": 50}, "expected \\[50, 64\\]"),
        ({"dilation": 2}, "setting dilation = 2 is not known"),
        ({"z_dim": 6}, "expected"),
    ],
)
def test_wrong_settings(tmp_path, change, message):
    """A setting that does not fit the arrays, or is not known, is an error that names it."""
    shutil.copytree(DATA / "biggan_hf_32", tmp_path, dirs_exist_ok=True)
    settings = json.loads((tmp_path / "config.json").read_text()) | change
    (tmp_path / "config.json").write_text(json.dumps(settings))
    with pytest.raises(InputError, match=message):
        read_network(tmp_path)


@pytest.mark.parametrize(
    "file",
    ["saved_model.pb", "variables/variables.index", "variables/variables.data-00000-of-00001"],
)
def test_damaged_module(tmp_path, file):
    """A module with a file cut or lacking is an error, whichever it is."""
    shutil.copytree(DATA / "biggan_hub_deep_32", tmp_path, dirs_exist_ok=True)
    content = (tmp_path / file).read_bytes()
    (tmp_path / file).write_bytes(content[: len(content) // 2])
    with pytest.raises(InputError, match="expected"):
        read_network(tmp_path)
    (tmp_path / file).unlink()
    with pytest.raises(InputError, match="expected"):
        read_network(tmp_path)


def test_archive_of_something_else(tmp_path):
    """A .tar.gz without a module is named so."""
    with tarfile.open(tmp_path / "other.tar.gz", "w:gz") as archive:
        archive.addfile(tarfile.TarInfo("notes.txt"), io.BytesIO())
    with pytest.raises(InputError, match=r"archive without saved_model\.pb"):
        read_network(tmp_path / "other.tar.gz")
