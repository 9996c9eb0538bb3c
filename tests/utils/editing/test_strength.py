"""Directions measured on a few faces."""

import json

import numpy as np
import pytest
from PIL import Image

from utils.editing.strength import Probe, measure_strengths, with_strength
from utils.editing.walk import Edit, Walker
from utils.files.sidecar import ResultFacts
from utils.regions.region import region_source
from utils.results.contact_sheet import write_contact_sheets

EYES = region_source(region="eyes")
INSIDE = EYES.mask(0, 32, 32)
WS = np.zeros((3, 4, 2), np.float32)


def synthesis(codes):
    """A picture that is w[0] inside the eyes and w[1] outside, of layer 1."""
    inside, outside = codes[:, 1, 0], codes[:, 1, 1]
    return np.where(
        INSIDE[..., None], inside[:, None, None, None], outside[:, None, None, None]
    ).repeat(3, axis=-1)


def probe():
    return Probe(synthesis, 2, Walker(WS, [1, 2]))


def edit(direction, row=0):
    """A direction to measure in the eyes."""
    return Edit("eyes", row, np.array(direction), np.zeros(3), EYES)


def test_effect():
    """Means over the samples and both signs, and the pictures at minus and plus the distance."""
    effect = probe().effect(edit([0.4, 0.1]), 2)
    assert effect.change_inside == pytest.approx(0.8, abs=1 / 127.5)
    assert effect.change_outside == pytest.approx(0.2, abs=1 / 127.5)
    assert effect.ratio == pytest.approx(4, rel=0.05)
    assert effect.pictures.shape == (3, 2, 32, 32, 3)
    np.testing.assert_allclose(effect.pictures[:, :, INSIDE][0, :, 0, 0], [25.5, 229.5], atol=1)


@pytest.mark.parametrize("direction", [[0.4, 0.1], [3.0, 0.0], [0.01, 0.01]])
def test_effect_of_change(direction):
    """Directions of any strength are brought to the same change inside."""
    effect = probe().effect_of_change(edit(direction), 0.2)
    assert effect.reached
    assert effect.change_inside == pytest.approx(0.2, rel=0.05)
    assert effect.distance == pytest.approx(0.2 / direction[0], rel=0.05)


def test_change_out_of_reach():
    """A direction that does not change the region is measured as far as was tried, and says so."""
    effect = probe().effect_of_change(edit([0.0, 0.01]), 0.2)
    assert (effect.reached, effect.distance, effect.change_inside) == (False, 64, 0)


def test_with_strength():
    """An edit goes from minus to plus the distance of its effect, in as many steps as before."""
    ((found, effect),) = measure_strengths(probe(), [edit([0.4, 0.1])], 0.2)
    np.testing.assert_allclose(
        with_strength(found, effect).distances, [-effect.distance, 0, effect.distance]
    )


def test_contact_sheet(tmp_path):
    """The sheet holds a row for each direction, its pairs beside its words; the numbers are in the
    record."""
    edits = [edit([1, 0.1], 3), edit([2, 1], 4)]
    effects = list(measure_strengths(probe(), edits, 0.2))
    facts = ResultFacts(
        command=[],
        options={},
        versions={},
        seed=4,
        network_sha256="n",
        directions_sha256="d",
        latents_sha256=None,
        regions_sha256=[],
        names=None,
    )
    write_contact_sheets(tmp_path / "sheets.json", "n", probe().originals, effects, facts)
    facts = json.loads((tmp_path / "sheets.json").read_text())
    numbers = facts["directions"]
    assert facts["seed"] == 4
    assert [(line["file"], line["row"], line["region"], line["reached"]) for line in numbers] == [
        ("eyes", 3, "eyes", True),
        ("eyes", 4, "eyes", True),
    ]
    assert numbers[0]["ratio"] == pytest.approx(10, rel=0.2)
    assert numbers[1]["ratio"] == pytest.approx(2, rel=0.1)
    sheet = np.asarray(Image.open(tmp_path / "eyes_contact_sheet_n.png"))
    gap, size = 32 // 7, 32
    assert sheet.shape[0] == gap + 3 * (size + gap)
    last = sheet[-gap - size : -gap, -gap - size : -gap]  # the last pair's plus
    np.testing.assert_array_equal(last, effects[1][1].pictures[2, 1])
