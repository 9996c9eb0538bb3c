"""python -m dnnlib inspect says of a file what it is, and says it soon."""

import json
import os
import pickle
import re
import subprocess
import sys

import numpy as np
import pytest
from torch_files import archive, plain

from dnnlib import InputError, __main__, read_latents, read_network
from dnnlib.containers import safe_pickle, torch_file
from dnnlib.containers.tensorflow_network import NETWORKS
from dnnlib.containers.torch_file import CHECKPOINTS
from dnnlib.containers.torch_modules import MODULES
from dnnlib.describe import describe
from dnnlib.latents import fit_codes
from utils.cli.parser import run as run_command


@pytest.fixture
def inspect(monkeypatch, capsys):
    """inspect(*arguments): the status, stdout and stderr of python -m dnnlib, in this process."""

    def run(*arguments):
        monkeypatch.setattr("sys.argv", ["dnnlib", *map(str, arguments)])
        status = 0
        try:
            run_command(__main__.main)
        except SystemExit as stop:
            status = stop.code
        return status, *capsys.readouterr()

    return run


def trained(path):
    """All trained arrays of a golden network by their names in the file, read without the readers
    of networks."""
    with open(path, "rb") as file:
        if path.suffix == ".pt":
            generator = plain(torch_file.parse(file, CHECKPOINTS))["g_ema"]
            return {
                name: a for name, a in generator.items() if not re.search("noises|kernel", name)
            }
        content = safe_pickle.unpickle(file, NETWORKS | MODULES)
    if isinstance(content, dict):
        return dict(torch_parameters(content["G_ema"].state))
    parts = content[2].state["components"].items()
    arrays = {
        f"{part}/{name}": getattr(a, "values", a)
        for part, network in parts
        for name, a in network.state["variables"]
    }
    return {
        name: np.asarray(a)
        for name, a in arrays.items()
        if not re.search(r"noise\d|lod$|lod[1-9]", name)
    }


def torch_parameters(state, prefix=""):
    for name, tensor in state["_parameters"].items():
        if tensor is not None:
            yield prefix + name, plain(tensor)
    for name, module in state["_modules"].items():
        yield from torch_parameters(module.state, f"{prefix}{name}.")


OFFSETS = {
    "Conv": -4,
    "Conv0_up": -5,
    "Conv1": -4,
    "ToRGB": -3,
    "conv0": -5,
    "conv1": -4,
    "torgb": -3,
}


def place_of(name, resolution):
    """(w, size) of a layer by its modulation's name: 2r-5, 2r-4, 2r-3 at 2^r; rosinality's count
    from the first."""
    if match := re.fullmatch(
        r"synthesis/(\d+)x\d+/(\w+)/mod_weight|synthesis\.b(\d+)\.(\w+)\.affine\.weight", name
    ):
        size, layer = int(match[1] or match[3]), match[2] or match[4]
        return 2 * (size.bit_length() - 1) + OFFSETS[layer], size
    if match := re.fullmatch(r"(convs|to_rgbs)\.(\d+)\.conv\.modulation\.weight", name):
        k = int(match[2])
        return (k + 1, 8 << k // 2) if match[1] == "convs" else (2 * k + 3, 8 << k)
    last = 2 * (resolution.bit_length() - 1) - 3
    return {
        "conv1.conv.modulation.weight": (0, 4),
        "to_rgb1.conv.modulation.weight": (1, 4),
        "synthesis/ToRGB_lod0/mod_weight": (last, resolution),
    }.get(name)


def test_layers(path):
    """w, resolution and input channels of each layer are those of the modulations in the file."""
    record = read_network(path)
    expected = [
        (*place, (set(array.shape) - {record.w_dim}).pop())
        for name, array in trained(path).items()
        if (place := place_of(name, record.resolution))
    ]
    assert sorted(
        (layer.code, layer.size, layer.inputs) for layer in record.layers if layer.code is not None
    ) == sorted(expected)


def test_whole_table(data):
    """The whole table of a small network, by hand."""
    conv, up, rgb = "convolution", "up-sampling convolution", "to RGB"
    assert [layer[:5] for layer in read_network(data / "ros_old_16.pt").layers] == [
        (0, 4, conv, 12, 12),
        (1, 4, rgb, 12, 3),
        (1, 8, up, 12, 12),
        (2, 8, conv, 12, 12),
        (3, 8, rgb, 12, 3),
        (3, 16, up, 12, 12),
        (4, 16, conv, 12, 12),
        (5, 16, rgb, 12, 3),
    ]


def test_all_of_w_plus(golden, network, path):
    """The table has each w that the reference network takes, and no other."""
    indices = {layer.code for layer in read_network(path).layers} - {None}
    assert indices == set(range(golden(network)["w"].shape[1]))


def test_layers_are_in_the_order_of_w(path):
    """w never falls from one row to the next, and at most two layers share one."""
    indices = [layer.code for layer in read_network(path).layers if layer.code is not None]
    assert indices == sorted(indices)
    assert max(indices.count(w) for w in indices) <= 2


@pytest.mark.parametrize(
    ("name", "words"),
    [
        (
            "tf_label_32.pkl",
            [
                "StyleGAN2 TensorFlow",
                "32 x 32, 3 channels",
                "8 layers of 32",
                "5 (--class_index 0 to 4",
            ],
        ),
        ("ada_clamp_64.pkl", ["StyleGAN2-ADA TensorFlow pickle", "clamp         2", "w+ [10, 32]"]),
        (
            "pt_label_resnet_16.pkl",
            ["StyleGAN2-ADA-PyTorch pickle", "resnet", "residual", "clamp         0.6"],
        ),
        (
            "ros_64.pt",
            [
                "rosinality-style PyTorch checkpoint",
                "w_avg         in the file",
                "labels        none",
            ],
        ),
    ],
)
def test_network(inspect, data, name, words):
    """What is said of a network: its format, sizes and layers, in 100 columns."""
    status, out, err = inspect("inspect", data / name)
    assert (status, err) == (0, "")
    assert out.startswith(f"{data / name}: a network\n")
    assert all(word in out for word in words), out
    assert max(map(len, out.splitlines()[1:])) <= 100


def test_the_example_of_the_docs(inspect, root, monkeypatch):
    """docs/formats.md shows the lines that inspect prints."""
    monkeypatch.chdir(root)
    block = (
        (root / "docs/formats.md")
        .read_text(encoding="utf-8")
        .split("    demo/demo128.pkl: a network\n")[1]
    )
    shown = [line[4:] for line in block.split("       ...\n")[0].splitlines()]
    assert inspect("inspect", "demo/demo128.pkl")[1].splitlines()[1 : len(shown) + 1] == shown
    assert len(shown) > 10


@pytest.fixture
def found(tmp_path, root):
    """A directions file with facts as compute_directions.py writes them, and a Jacobian with its
    own."""
    facts = json.loads((root / "directions/demo128/eyes.json").read_text(encoding="utf-8"))
    del facts["row"], facts["layers"], facts["distance"]
    facts["norm_kept"] = [0.75, 0.5]
    facts["after_projection"] = {
        "inside": [0.5, 0.25],
        "outside": [0.125, 0.0],
        "ratio": [4.0, None],
    }  # null: infinite
    np.save(tmp_path / "eyes.npy", np.eye(24)[:2])
    (tmp_path / "eyes.json").write_text(json.dumps(facts), encoding="utf-8")
    np.save(tmp_path / "w_dataset_x.npy", np.zeros((3, 16, 8, 1, 24), np.float32))
    np.save(tmp_path / "rgb.npy", np.zeros((3, 2, 16, 8, 1, 24), np.float32))
    (tmp_path / "rgb.json").write_text(
        '{"latent_space": "z", "seed": 7, "network_sha256": "0123456789abcdef"}'
    )
    return tmp_path


def test_directions(inspect, found):
    """Directions: their facts, and the numbers of each row."""
    status, out, err = inspect("inspect", found / "eyes.npy")
    assert (status, err) == (0, "")
    for words in (
        "2 of 24 dimensions",
        "length 1\n",
        "region        eyes",
        "w, sample 4, seed 4",
        "lowrank, projected",
        "12 inside, 13 outside\n",
        "SHA-256 2545f510a50a",
        f"manipulate.py NETWORK {found / 'eyes.npy'}",
    ):
        assert words in out
    assert [line.split() for line in out.splitlines()[-2:]] == [
        ["0", "0.5", "0.125", "4.0", "0.750"],
        ["1", "0.25", "0", "-", "0.500"],
    ]


def test_a_chosen_direction(inspect, root):
    """A ready direction is shown with the layers and the distance that it was chosen for."""
    out = inspect("inspect", root / "directions/demo128/eyes.npy")[1]
    distance = json.loads((root / "directions/demo128/eyes.json").read_text())["distance"]
    assert f"--mani_layers 0,1,2,3,4,5,6,7,8,9,10,11 --distance {distance:g}" in out
    assert "norm kept" not in out  # of the file that it was taken from


@pytest.mark.parametrize(
    "chosen",
    [{"layers": ["4; echo harm"]}, {"distance": "1; echo harm"}, {"layers": 4}, {"distance": None}],
)
def test_nothing_from_a_file_is_run(inspect, found, chosen):
    """The command that is shown has numbers from facts, no text."""
    facts = (
        json.loads((found / "eyes.json").read_text(encoding="utf-8"))
        | {"layers": [1], "distance": 2}
        | chosen
    )
    (found / "eyes.json").write_text(json.dumps(facts), encoding="utf-8")
    status, out, _ = inspect("inspect", found / "eyes.npy")
    assert (status, "harm" in out, "not as compute_directions.py writes it" in out) == (
        0,
        False,
        True,
    )
    assert "eyes.npy --start 0\n" in out


def test_direction_with_a_vector_for_each_layer(inspect, tmp_path):
    """Vectors of length 1 are directions, also one for each layer."""
    np.save(tmp_path / "d.npy", np.eye(12)[None])
    out = inspect("inspect", tmp_path / "d.npy")[1]
    assert "d.npy: directions\n  rows          1 of 12 x 12 dimensions" in out


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        (
            "factor.pt",
            archive({"ckpt": "x", "eigvec": np.eye(24)}),
            ["24 of 24 dimensions", "key           eigvec"],
        ),
        (
            "pca.npz",
            {"lat_comp": np.eye(24)[:2, None], "act_comp": [], "lat_stdev": np.ones(2)},
            ["space         z"],
        ),
        (
            "named.npz",
            {"age": np.eye(24)[:1]},
            ["key           age", "assumed       directions, for the length"],
        ),
        (
            "age.pt",
            archive(np.eye(24)[:1]),
            ["1 of 24 dimensions", "assumed       directions, for the length"],
        ),
        ("smile.pkl", pickle.dumps(np.eye(24)[3]), ["1 of 24 dimensions"]),
        (
            "long.pt",
            archive({"comp": 3 * np.eye(24)}),
            ["length 3", "to know       rows of length 3, not 1"],
        ),
        ("plus.npy", np.full((18, 24), 0.1), ["1 of 24 dimensions", "18 equal rows, read as one"]),
    ],
)
def test_published_directions(inspect, tmp_path, name, content, words):
    """Directions in other forms than this toolkit's are told as directions."""
    if isinstance(content, bytes):
        (tmp_path / name).write_bytes(content)
    elif isinstance(content, dict):
        np.savez(tmp_path / name, **content)
    else:
        np.save(tmp_path / name, content)
    status, out, err = inspect("inspect", tmp_path / name)
    assert (status, err) == (0, "")
    assert out.startswith(f"{tmp_path / name}: directions\n")
    assert all(word in out for word in words), out


def test_command_with_an_odd_path(inspect, tmp_path):
    """The command that is shown can be run as it is, also with a blank in the path."""
    np.save(tmp_path / "my codes.npy", np.full((2, 4), 3.0))
    quote = '"' if os.name == "nt" else "'"
    path = f"{quote}{tmp_path / 'my codes.npy'}{quote}"
    assert f"--latent_path {path}\n" in inspect("inspect", tmp_path / "my codes.npy")[1]


@pytest.mark.parametrize(
    "facts",
    [
        "",
        "[]",
        "{",
        "[" * 100000,
        '{"region": "eyes"}',
        '{"latent_space": [], "seed": 1}',
        '{"region": "eyes", "sample": 0, "foreground": 3, "background": {}}',
        '{"region": {"a": []}, "norm_kept": "x"}',
    ],
)
def test_foreign_facts(inspect, found, facts):
    """Whatever lies beside an array, the array is described."""
    (found / "eyes.json").write_text(facts)
    (found / "w_dataset_x.json").write_text(facts)
    status, out, err = inspect("inspect", found / "eyes.npy")
    assert (status, err) == (0, "")
    assert "2 of 24 dimensions" in out
    assert ("assumed" in out) != ("not as compute_directions.py writes it" in out)
    status, out, err = inspect("inspect", found / "w_dataset_x.npy")
    assert (status, err) == (0, "")
    assert "d image / d w" in out


def test_nothing_from_a_file_steers_the_terminal(inspect, found):
    """Control characters in facts are not printed."""
    facts = json.loads((found / "eyes.json").read_text(encoding="utf-8"))
    (found / "eyes.json").write_text(
        json.dumps(facts | {"region": "\x1b[2J\nnext"}), encoding="utf-8"
    )
    assert "region        ?[2J next\n" in inspect("inspect", found / "eyes.npy")[1]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        (
            "w_dataset_x.npy",
            [
                "d image / d w",
                "3, 0.0 MB each, float32",
                "16 x 8, mean over the channels",
                "24 dimensions (or z",
                "compute_directions.py",
            ],
        ),
        (
            "rgb.npy",
            [
                "d image / d z",
                "dimensions\n",
                "16 x 8, 2 channels",
                "seed          7",
                "SHA-256 0123456789ab...",
            ],
        ),
    ],
)
def test_jacobian(inspect, found, name, words):
    """A Jacobian: its samples, size and space."""
    status, out, err = inspect("inspect", found / name)
    assert (status, err) == (0, "")
    assert all(word in out for word in words), out


CODES = np.random.RandomState(4).randn(2, 6, 512)


@pytest.mark.parametrize(
    ("name", "content", "space", "words"),
    [
        ("z.npy", CODES[0], "z", ["[6, 512], float64", "must be said if the network has 6 layers"]),
        ("one.npy", CODES[0, 0], "z", ["[512]"]),
        ("wp.npy", CODES, "w+", ["[2, 6, 512]", "one of 16 x 16 pixels, as there are 6 layers"]),
        ("w.npy", 3 * CODES[:, :1], "w", ["[2, 1, 512]"]),
        (
            "long.npy",
            3 * CODES[0],
            "w",
            ["w, by the length of its rows; w+ if the network has 6 layers"],
        ),
        ("pickled.pkl", CODES, "w+", ["[2, 6, 512]"]),
        (
            "projected_w.npz",
            {"w": CODES[:1], "x": CODES},
            "w+",
            ["key           w, of the keys 'w', 'x'\n", "16 x 16"],
        ),
        (
            "wrong.npz",
            {"z": 3 * CODES[:, :1]},
            "z",
            ["z, for the key, but as long as w: --latent_space w if so"],
        ),
        ("latents.npz", {"latents": CODES[0, :5]}, "z", ["key           latents\n"]),
        ("dlatents.npz", {"dlatents": CODES[:, 0]}, "w", ["key           dlatents\n"]),
        ("z.npz", {"z": CODES[:, :1]}, "z", ["key           z\n"]),
        ("latents.pt", CODES, "w+", ["[2, 6, 512]", "16 x 16"]),
        (
            "photo.pt",
            {"a.png": {"img": CODES, "latent": CODES[0, 0]}},
            "w",
            ["of            a.png\n"],
        ),
        (
            "names.npy",
            {f"{i}.png": [CODES[0], CODES[1]] for i in range(5)},
            "w+",
            ["[5, 6, 512]", "of            0.png, 1.png, 2.png, ...\n"],
        ),
    ],
)
def test_latent_codes(inspect, tmp_path, name, content, space, words):
    """Latent codes of each format: their shape, key and names, and the space that the scripts take
    them for."""
    if name.endswith(".pt"):
        (tmp_path / name).write_bytes(archive(content))
    elif name.endswith(".npz"):
        np.savez(tmp_path / name, **content)
    elif name.endswith(".pkl"):
        (tmp_path / name).write_bytes(pickle.dumps(content))
    else:
        np.save(tmp_path / name, content)
    status, out, err = inspect("inspect", tmp_path / name)
    assert (status, err) == (0, "")
    assert out.startswith(f"{tmp_path / name}: latent codes\n")
    assert re.search(rf"taken for     {re.escape(space)}\W*( |$)", out, re.M), out
    assert all(word in out for word in [*words, f"--latent_path {tmp_path / name}"]), out
    layers = 7 if len(content) == 6 else 6  # a network for which [6, 512] are six codes
    taken = fit_codes(name, read_latents(tmp_path / name), "auto", 512, 512, layers).space
    assert {"wp": "w+"}.get(taken, taken) == space


HUGE = (
    b"{'descr': '<f4', 'fortran_order': False, 'shape': (1152921504606846976,), }".ljust(117)
    + b"\n"
)
BAD = {
    "empty": (b"", "is empty"),
    "text.txt": (b"hello", "is text that begins with 'hello'"),
    "picture.png": (b"\x89PNG\r\n\x1a\n", "is a PNG picture"),
    "hostile.pkl": (
        b"\x80\x04cposix\nsystem\n(S'touch marker'\ntR.",
        "asks for posix.system; refused",
    ),
    "cut.npy": (b"\x93NUMPY\x01\x00v\x00", "truncated"),
    "huge.npy": (b"\x93NUMPY\x01\x00\x76\x00" + HUGE, "truncated"),
    "archive.zip": (b"PK\x03\x04" + bytes(30), "damaged"),
    "archive.npz": (b"PK\x03\x04" + bytes(30), "Expected a network, latent codes"),
    "encoder.pt": (
        archive({"state_dict": {"weight": CODES, "bias": CODES}, "opts": {}}),
        "no generator",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_file(inspect, tmp_path, monkeypatch, name):
    """A file of no known kind, or a damaged one, is one line on stderr that says what was expected,
    and status 2."""
    content, words = BAD[name]
    monkeypatch.chdir(tmp_path)
    (tmp_path / name).write_bytes(content)
    status, out, err = inspect("inspect", name)
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert err.startswith(f"error: {name}")
    assert words in err
    assert "xpected " in err
    assert [path.name for path in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (np.zeros((2, 3, 4, 5)), "has shape [2, 3, 4, 5]"),
        (np.zeros((0, 24)), "has shape [0, 24]"),
        (np.full((2, 24), np.nan), "NaN"),
        (np.eye(3) > 0, "of type bool"),
        (np.array(["text"]), "of type <U4"),
        (np.array(3.0), "has shape []"),
    ],
)
def test_bad_array(tmp_path, values, words):
    """An array that can be nothing of this toolkit is refused by what it is."""
    np.save(tmp_path / "array.npy", values)
    with pytest.raises(InputError) as caught:
        describe(tmp_path / "array.npy")
    assert words in str(caught.value).removeprefix(str(tmp_path))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["inspect", "missing.pkl"], "missing.pkl is not there; expected a file"),
        (["inspect", "."], ". is a folder; expected a file"),
        (["inspect"], "see python -m dnnlib inspect --help"),
        (["explain"], "see python -m dnnlib --help"),
        ([], "see python -m dnnlib --help"),
        (["inspect", "a\x1b[31m.pkl"], "a?[31m.pkl is not there"),
        (["inspect", "\udcff.pkl"], "?.pkl is not there"),
    ],
)
def test_bad_command(inspect, arguments, words):
    """A wrong command is one line and status 2, too."""
    status, out, err = inspect(*arguments)
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert err.startswith("error: ")
    assert words in err


def test_by_name(inspect, data, tmp_path, monkeypatch):
    """A name of the catalogue is looked up in the cache folder, of networks as well as of
    directions."""
    monkeypatch.setenv("LOWRANKGAN_CACHE", str(tmp_path))
    (tmp_path / "ffhq").mkdir()
    (tmp_path / "ffhq/stylegan2-ffhq-config-f.pkl").write_bytes(
        (data / "tf_skip_64.pkl").read_bytes()
    )
    (tmp_path / "ffhq1024").mkdir()
    np.save(tmp_path / "ffhq1024/nose.npy", np.eye(1, 512))
    assert "ffhq-config-f.pkl: a network" in inspect("inspect", "ffhq")[1]
    assert "nose.npy: directions" in inspect("inspect", "ffhq1024/nose")[1]


def test_without_tensorflow(root, data):
    """The command, from a terminal: no TensorFlow, and no complaint if its reader stops reading."""
    program = (
        "import runpy, sys; sys.argv = ['dnnlib', 'inspect', sys.argv[1]]; "
        "runpy.run_module('dnnlib', run_name='__main__'); assert 'tensorflow' not in sys.modules"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, data / "tf_skip_64.pkl"],
        cwd=root,
        text=True,
        capture_output=True,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "up-sampling convolution" in done.stdout
    with subprocess.Popen(
        [sys.executable, "-m", "dnnlib", "inspect", data / "tf_skip_64.pkl"],
        cwd=root,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        process.stdout.close()
        assert (process.stderr.read(), process.wait(60)) == ("", 141)


def test_unreadable_facts(inspect, found):
    """A JSON file that is there but tells nothing is not taken for none."""
    for name in ("w_dataset_x", "rgb", "eyes"):
        (found / f"{name}.json").write_text("{")
        status, out, _ = inspect("inspect", found / f"{name}.npy")
        assert (status, out.splitlines()[-1]) == (0, "  JSON file     beside it, but not readable")
