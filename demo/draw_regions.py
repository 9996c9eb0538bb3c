"""The regions of what step 1 finds for the demo networks: what is drawn is known.

python demo/draw_regions.py        writes demo/label_maps/ and demo/object_masks/, in a second
"""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import numpy as np
from PIL import Image

from demo import faces, objects
from utils.editing.codes import random_codes
from utils.regions.segmentations import COLOURS

LABEL_MAPS, MASKS = ROOT / "demo" / "label_maps", ROOT / "demo" / "object_masks"
SEED, FACES, OBJECTS = 4, 5, len(objects.CLASSES)  # of compute_jacobian.py; an object a class


def draw_label_maps() -> np.ndarray:
    """Which part each pixel of a face shows: uint8 [5, R, R]."""
    return faces.draw_labels(faces.attributes(random_codes(SEED, FACES, faces.Z_DIM)))


def draw_masks() -> np.ndarray:
    """Where an object of each class is: bool [6, R, R]."""
    z = random_codes(SEED, OBJECTS, objects.Z_DIM)
    return objects.draw_masks(objects.attributes(z), np.arange(OBJECTS))


def main() -> None:
    palette = bytes.fromhex(COLOURS["celebamask"].replace(" ", ""))
    for folder, drawn in ((LABEL_MAPS, draw_label_maps()), (MASKS, draw_masks())):
        folder.mkdir(exist_ok=True)
        for sample, values in enumerate(drawn):
            if folder == MASKS:
                picture = Image.fromarray(np.where(values, 255, 0).astype(np.uint8))
            else:
                picture = Image.fromarray(values.astype(np.uint8))
                picture.putpalette(palette)
            picture.save(folder / f"{sample:04d}.png", optimize=True)


if __name__ == "__main__":
    main()
