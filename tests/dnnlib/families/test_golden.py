"""StyleGAN3, StyleGAN1, ProGAN and genforce's checkpoints against their own programs' numbers."""

from pathlib import Path

import numpy as np
import pytest

from dnnlib import load_generator, winograd

DATA = Path(__file__).parent.parent.parent / "data"
NETWORKS = {
    "sg3_t_32.pkl": "stylegan3",
    "sg3_r_label_32.pkl": "stylegan3",
    "genforce_hammer_sg3_16.pth": "stylegan3",
    "sg1_32.pkl": "stylegan1",
    "sg1_auto_label_128.pkl": "stylegan1",
    "genforce_sg1_16.pth": "stylegan1",
    "sg1_progan_32.pkl": "progan",
    "genforce_pggan_16.pth": "progan",
    "genforce_sg2_32.pth": "stylegan2",
    "genforce_hammer_sg2_label_32.pth": "stylegan2",
    "genforce_hammer_sg2_resnet_16.pth": "stylegan2",
}
CUTOFFS = {"sg1_32.pkl": 8}  # of the truncated images; 4 of the others
TOLERANCE = 1e-4


@pytest.fixture(scope="module", params=NETWORKS)
def case(request):
    """The name of a network's file, its generator, and what is known of it."""
    known = dict(np.load(DATA / f"{Path(request.param).stem}.npz"))
    return request.param, load_generator(DATA / request.param), known


def expect_close(found, expected):
    assert found.shape == expected.shape
    assert np.abs(found - expected).max() <= TOLERANCE * np.abs(expected).max()


def test_images(case):
    """w, images, and images truncated at psi 0.7 on the first layers."""
    name, generator, known = case
    codes = generator.mapping(known["z"], known.get("label"))
    assert generator.family == NETWORKS[name]
    if "w" in known:
        expect_close(codes, known["w"])
    expect_close(generator.synthesis(codes).transpose(0, 3, 1, 2), known["image"])
    if "image_truncated" in known:
        truncated = generator.truncate(codes, 0.7, CUTOFFS.get(name, 4))
        expect_close(generator.synthesis(truncated).transpose(0, 3, 1, 2), known["image_truncated"])


def test_jacobians(case):
    """Jacobians at the untruncated w, or z, of sample 0, whole, resized and of each channel."""
    _, generator, known = case
    expect_jacobians(linear_maps(generator, known))


def linear_maps(generator, known):
    """The golden Jacobians of the first sample, each with the network linearized there."""
    label = known["label"][:1] if "label" in known else None
    codes = generator.mapping(known["z"][:1], label)
    keys = [key for key in known if key.startswith("jacobian")]
    assert keys
    for key in keys:
        size = 16 if key.endswith("_16") else generator.resolution
        yield generator.linearize(codes, size, not key.endswith("_rgb")), known[key]


def expect_jacobians(maps):
    """They are the golden ones."""
    for linear, expected in maps:
        jacobian = linear.jacobian()  # [C, H, W, 1, D], where C is 1 for the mean
        expect_close(jacobian if len(jacobian) == 1 else jacobian[None], expected)


@pytest.mark.parametrize(
    "name", ["sg3_t_32.pkl", "genforce_sg2_32.pth", "genforce_sg1_16.pth", "sg1_progan_32.pkl"]
)
def test_winograd(monkeypatch, name):
    """With the convolution that large networks have, images are the same, and tangents where the
    network was linearized without it: rounding may turn the slope of an activation at its kink."""
    known = dict(np.load(DATA / f"{Path(name).stem}.npz"))
    generator = load_generator(DATA / name)
    maps = list(linear_maps(generator, known))
    monkeypatch.setattr(winograd, "FEWEST_CHANNELS", 1)
    monkeypatch.setattr(winograd, "FEWEST_PRODUCTS", 1)
    codes = generator.mapping(known["z"])
    expect_close(generator.synthesis(codes).transpose(0, 3, 1, 2), known["image"])
    expect_jacobians(maps)


@pytest.mark.parametrize(
    "name", ["sg3_r_label_32.pkl", "genforce_sg1_16.pth", "genforce_pggan_16.pth"]
)
def test_central_differences(name):
    """In float64, tangents of each channel are central differences of images, at another sample
    than the golden one. The step is short, as a StyleGAN3 has a kink at each of many pixels."""
    known = dict(np.load(DATA / f"{Path(name).stem}.npz"))
    generator = load_generator(DATA / name, "float64")
    label = known["label"][-1:] if "label" in known else None
    codes = generator.mapping(known["z"][-1:], label)
    tangents = np.random.RandomState(0).randn(2, generator.edit_dim)
    pushed = generator.linearize(codes, 16, fused_channel=False).push(tangents)
    for tangent, found in zip(tangents, pushed, strict=True):
        moved = np.zeros_like(codes)
        moved[..., : generator.edit_dim] = 1e-8 * tangent
        ahead, behind = generator.synthesis(np.concatenate([codes + moved, codes - moved]))
        step = generator.resolution // 16
        expected = ((ahead - behind) / 2e-8)[::step, ::step]
        assert np.abs(found - expected).max() <= 1e-5 * np.abs(expected).max()
