"""The drawn faces and objects that the demo networks learn from."""

import math

import numpy as np
import pytest
from PIL import Image

from demo import draw_regions, faces, objects
from utils.regions.region import region_mask

MEAN = np.full((1, 24), 0.5)


def changed(name, low=0.1, high=0.9, resolution=256):
    """How much each pixel of a mean face changes when one attribute goes from low to high: [R,
    R]."""
    values = np.repeat(MEAN, 2, axis=0)
    values[:, faces.ATTRIBUTES.index(name)] = low, high
    drawn = faces.draw(values, resolution)
    return np.abs(drawn[1] - drawn[0]).sum(axis=-1)


def test_attribute_vectors():
    """The 24 vectors are orthonormal, named, and always the same."""
    assert faces.VECTORS.shape == (24, faces.Z_DIM)
    assert len(set(faces.ATTRIBUTES)) == 24
    np.testing.assert_allclose(faces.VECTORS @ faces.VECTORS.T, np.eye(24), atol=1e-12)
    np.testing.assert_array_equal(faces.VECTORS, faces.attribute_vectors())


def test_attributes_are_phi_of_the_projections():
    """Attribute k is Phi(v_k . z / rms(z))."""
    z = np.random.RandomState(0).randn(20, faces.Z_DIM)
    values = faces.attributes(z)
    for n, k in np.ndindex(values.shape):
        score = faces.VECTORS[k] @ z[n] / math.sqrt(np.mean(z[n] ** 2))
        assert values[n, k] == pytest.approx(0.5 * (1 + math.erf(score / math.sqrt(2))), abs=1e-12)
    assert ((values > 0) & (values < 1)).all()


def test_attributes_do_not_depend_on_the_length_of_z():
    """Only the direction of z counts, as for a network that normalizes z."""
    z = np.random.RandomState(1).randn(5, faces.Z_DIM)
    np.testing.assert_allclose(faces.attributes(3 * z), faces.attributes(z), atol=1e-12)


def test_attributes_are_uniform():
    """For normal z every attribute is uniform: mean 1/2, variance 1/12, and attributes are
    uncorrelated."""
    values = faces.attributes(np.random.RandomState(2).randn(20000, faces.Z_DIM))
    np.testing.assert_allclose(values.mean(axis=0), 1 / 2, atol=0.01)
    np.testing.assert_allclose(values.var(axis=0), 1 / 12, atol=0.004)
    np.testing.assert_allclose(np.corrcoef(values.T), np.eye(24), atol=0.03)


@pytest.mark.parametrize("resolution", [4, 16, 32, 64, 128, 256])
def test_range_and_shape(resolution):
    """Faces are float32 [N, R, R, 3] within [-1, 1], also at extreme attributes."""
    values = np.concatenate(
        [np.zeros((1, 24)), np.ones((1, 24)), np.random.RandomState(3).rand(4, 24)]
    )
    drawn = faces.draw(values, resolution)
    assert (drawn.shape, drawn.dtype) == ((6, resolution, resolution, 3), np.float32)
    assert drawn.min() >= -1 - 1e-6
    assert drawn.max() <= 1 + 1e-6
    assert drawn.std() > 0.1


def test_faces_are_the_drawings_of_their_attributes():
    """faces(z) draws attributes(z), each face for itself."""
    z = np.random.RandomState(4).randn(3, faces.Z_DIM)
    drawn = faces.faces(z, 64)
    np.testing.assert_array_equal(drawn, faces.draw(faces.attributes(z), 64))
    for n in range(3):
        np.testing.assert_allclose(faces.faces(z[n : n + 1], 64)[0], drawn[n], atol=1e-6)


@pytest.mark.parametrize(
    ("coarse", "fine", "tolerance"),
    [(4, 64, 1e-5), (16, 64, 1e-5), (32, 64, 1e-5), (64, 128, 0.02), (128, 256, 0.01)],
)
def test_resolutions_agree(coarse, fine, tolerance):
    """A coarse drawing is the fine one averaged in blocks: exactly below 64, but for anti-aliasing
    above."""
    z = np.random.RandomState(5).randn(4, faces.Z_DIM)
    block = fine // coarse
    averaged = faces.faces(z, fine).reshape(4, coarse, block, coarse, block, 3).mean(axis=(2, 4))
    assert np.abs(faces.faces(z, coarse) - averaged).mean() <= tolerance


@pytest.mark.parametrize("name", faces.ATTRIBUTES)
def test_every_attribute_shows(name):
    """Each attribute changes the picture, visibly, and smoothly: half the way changes less than all
    of it."""
    assert changed(name).max() > 0.2
    assert 0 < changed(name, 0.5, 0.51).mean() < changed(name).mean()


@pytest.mark.parametrize(
    ("region", "names"),
    [
        ("eyes", ["eye_opening", "eye_width", "gaze", "iris_colour"]),
        ("mouth", ["mouth_opening", "mouth_width", "smile", "lip_colour"]),
        ("nose", ["nose_length", "nose_width"]),
        ("brows", ["brow_height", "brow_angle", "brow_thickness"]),
    ],
)
def test_attributes_are_local(region, names):
    """What belongs to a part of the face changes its box, and hardly anything outside."""
    mask = region_mask(region, 256, 256)
    for name in names:
        change = changed(name)
        assert change[~mask].sum() <= 0.15 * change.sum(), name
        assert change[mask].max() > 0.2, name


@pytest.mark.parametrize(
    ("name", "labels"),
    [
        ("iris_colour", [4, 5]),
        ("lip_colour", [11, 12]),
        ("hair_colour", [6, 7, 13]),
        ("clothes_hue", [18]),
        ("skin_tone", [1, 2, 8, 9, 17]),
        ("background_hue", [0]),
    ],
)
def test_labels_are_where_the_parts_are(name, labels):
    """What changes the colour of a part shows where the labels of that part are."""
    change, drawn = changed(name), faces.draw_labels(MEAN, 256)[0]
    assert change[np.isin(drawn, labels)].sum() > 0.9 * change.sum()


def test_regions_of_step_1():
    """The label maps and masks that are shipped are those of what step 1 finds."""
    shipped = (
        (draw_regions.LABEL_MAPS, draw_regions.draw_label_maps()),
        (draw_regions.MASKS, 255 * draw_regions.draw_masks()),
    )
    for folder, drawn in shipped:
        for sample, values in enumerate(drawn):
            stored = np.asarray(Image.open(folder / f"{sample:04d}.png"))
            np.testing.assert_array_equal(stored, values)


def test_background_is_not_local():
    """The test above can fail: the background changes the picture mostly outside the eyes."""
    change, mask = changed("background_hue"), region_mask("eyes", 256, 256)
    assert change[~mask].sum() > 0.9 * change.sum()


def test_place_of_the_eyes():
    """The eyes stand at the centres of their boxes, 32 columns to the left and right of the
    axis."""
    opening = changed("eye_opening").sum(axis=0)
    left, right = opening[:128], opening[128:][::-1]
    assert (
        np.abs(left - right).sum() < 0.05 * opening.sum()
    )  # but for the highlights, on the same side in both
    assert abs(np.average(np.arange(128), weights=left) - 96) < 2


# Objects ------------------------------------------------------------------------------------------

KINDS = np.arange(len(objects.CLASSES))
MEANS = np.full((len(KINDS), len(objects.ATTRIBUTES)), 0.5)


def test_vectors_of_objects():
    """Each attribute has a unit vector in its chunk of z alone, orthogonal to the others."""
    vectors = objects.VECTORS
    np.testing.assert_allclose(vectors @ vectors.T, np.eye(len(vectors)), atol=1e-12)
    for vector, chunk in zip(vectors, objects.ATTRIBUTES.values(), strict=True):
        size = objects.CHUNK_SIZE
        assert np.linalg.norm(vector[chunk * size : (chunk + 1) * size]) == pytest.approx(1)


@pytest.mark.parametrize("name", objects.ATTRIBUTES)
def test_every_attribute_of_objects_shows(name):
    """Each attribute changes the picture of every class, visibly, and smoothly."""
    values = np.repeat(MEANS[None], 4, axis=0)
    values[:, :, list(objects.ATTRIBUTES).index(name)] = np.array([0.1, 0.9, 0.5, 0.51])[:, None]
    low, high, middle, near = (objects.draw(each, KINDS) for each in values)
    assert low.dtype == np.float32
    assert np.abs(values).max() <= 1
    assert (np.abs(high - low).max(axis=(1, 2, 3)) > 0.2).all()
    change = np.abs(near - middle).mean(axis=(1, 2, 3))
    assert ((change > 0) & (change < np.abs(high - low).mean(axis=(1, 2, 3)))).all()


@pytest.mark.parametrize(
    ("name", "is_inside"),
    [("hue", True), ("shade", True), ("background_hue", False), ("background_lightness", False)],
)
def test_masks_are_where_the_objects_are(name, is_inside):
    """What changes the object's colour shows inside its mask, the background's outside."""
    values = np.repeat(MEANS[None], 2, axis=0)
    values[:, :, list(objects.ATTRIBUTES).index(name)] = np.array([0.1, 0.9])[:, None]
    low, high = (objects.draw(each, KINDS) for each in values)
    change, masks = np.abs(high - low).sum(axis=-1), objects.draw_masks(MEANS, KINDS)
    assert change[masks == is_inside].sum() > 0.9 * change.sum()


def test_objects_by_class():
    """An object is drawn by its class and z, whatever is drawn beside it."""
    z, classes = np.random.RandomState(3).randn(6, objects.Z_DIM), KINDS[::-1]
    drawn = objects.objects(z, classes, 64)
    for n in KINDS:
        alone = objects.objects(z[n : n + 1], classes[n : n + 1], 64)[0]
        np.testing.assert_allclose(alone, drawn[n], atol=1e-6)
    assert np.abs(drawn).max() <= 1 + 1e-6
