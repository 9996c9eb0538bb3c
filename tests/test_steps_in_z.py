"""The three scripts on BigGANs, which have no w: everything is of z, and of a class."""

import json

import numpy as np
import pytest
from conftest import DATA

from dnnlib import load_generator
from utils.editing.walk import walk

NETWORKS = {
    "biggan_ajb_64.pth": 1,
    "biggan_ajb_flat_32_old.pth": 1,
    "biggan_hf_32": 0.4,
}
JACOBIAN = "outputs/jacobian_seed_4/z_dataset_objects.npy"
DIRECTIONS = "outputs/directions/directions_img_00_region_center0_lowrankgan.npy"


@pytest.fixture
def found(run_script):
    """found(network, psi): directions of one sample of class 3, by steps 1 and 2."""

    def make(network, psi=1.0):
        made = run_script(
            *("compute_jacobian", DATA / network, "--class_index", 3, "--total_num", 1),
            *("--d_name", "objects", "--trunc_psi", psi),
        )
        assert made.status == 0, made.err
        made = run_script("compute_directions", JACOBIAN, "--region", "center0", "--lamb", 2)
        assert made.status == 0, made.err

    return make


@pytest.mark.parametrize(("network", "psi"), NETWORKS.items())
def test_three_steps(run_script, found, tmp_path, network, psi):
    """On each kind the steps run one after the other, and what they write is said to be of z; the
    Jacobian is that of the sample's own code."""
    found(network, psi)
    for path in (JACOBIAN, DIRECTIONS):
        facts = json.loads((tmp_path / path).with_suffix(".json").read_text())
        assert facts["latent_space"] == "z"
    g = load_generator(DATA / network, truncation=psi)
    z = g.sample(np.random.RandomState(4), 1, psi)
    codes = g.mapping(z, np.eye(g.label_dim, dtype=np.float32)[3:4])
    np.testing.assert_array_equal(np.load(tmp_path / JACOBIAN)[0], g.jacobian(codes))
    made = run_script(
        *("manipulate", DATA / network, DIRECTIONS, "--class_index", 5, "--total_num", 2),
        *("--trunc_psi", psi),
    )
    assert made.status == 0, made.err
    assert "WARNING" not in made.err


def test_finished_run_is_seen(run_script, found):
    """The same command again finds its Jacobian of z complete, without loading the network."""
    found("biggan_ajb_64.pth")
    again = run_script(
        *("compute_jacobian", DATA / "biggan_ajb_64.pth", "--class_index", 3, "--total_num", 1),
        *("--d_name", "objects"),
    )
    assert "complete, with 1 sample;" in again.out


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ((), "--class_index: no class; expected one of 0 to 9"),
        (("--class", "dog"), "--class: dog: the names of the 10 classes are not known"),
        (("--class", "dog", "--class_index", 1), "--class with --class_index; expected one"),
        (("--class_index", 10), "--class_index: 10 is not a class of this network"),
        (("--class_index", 3, "--compute_z"), "--compute_z: this network has no w"),
        (("--class_index", 3, "--trunc_psi", 1.5), "--trunc_psi: truncation 1.5"),
        (("--class_index", 3, "--trunc_psi", 0.5, "--trunc_layers", 2), "--trunc_layers: this"),
    ],
)
def test_wrong_options_of_step_1(run_script, options, words):
    """What a network without w cannot do is one line that names the option."""
    run = run_script("compute_jacobian", DATA / "biggan_ajb_64.pth", *options)
    assert run.status == 2
    assert words in run.err
    assert run.err.count("\n") == 1


def test_directions_of_w_are_refused(run_script, tmp_path):
    """Directions found in w are no directions of a network without w, whatever their size."""
    np.save(tmp_path / "w.npy", np.eye(10, dtype=np.float32)[:2])
    (tmp_path / "w.json").write_text('{"latent_space": "w"}')
    run = run_script("manipulate", DATA / "biggan_ajb_64.pth", "w.npy", "--class_index", 3)
    assert run.status == 2
    assert "w.npy was found in w, which this network does not have" in run.err


def test_other_truncation_is_said(run_script, found):
    """Editing at another truncation than the Jacobian's is warned of."""
    found("biggan_hf_32", 0.4)
    run = run_script("manipulate", DATA / "biggan_hf_32", DIRECTIONS, "--class_index", 3)
    assert "was found at truncation 0.4, not at 1" in run.err


def test_latent_codes_are_z(run_script, tmp_path):
    """Codes of a file are z for a network without w, and w cannot be asked for."""
    np.save(tmp_path / "z.npy", np.full((2, 10), 0.1, np.float32))
    command = "compute_jacobian", DATA / "biggan_ajb_64.pth", "--class_index", 3
    run = run_script(*command, "--latent_path", "z.npy")
    assert run.status == 0, run.err
    assert "latent codes: 2 of z" in run.out
    run = run_script(*command, "--latent_path", "z.npy", "--latent_space", "w", "--output_dir", "w")
    assert "--latent_space: w; expected z" in run.err


def test_class_does_not_move():
    """A walk moves the first numbers of the chosen layers, and neither the class nor others."""
    codes, direction = np.zeros((1, 3, 5), np.float32), np.ones(2)
    edited = walk(codes, direction, [0, 2], np.array([2.0]))
    expected = np.zeros((1, 1, 3, 5))
    expected[..., [0, 2], :2] = 2
    np.testing.assert_array_equal(edited, expected)
