"""Label maps of the faces that step 1 finds for the demo network: the drawn faces know their parts.

python demo/draw_label_maps.py        writes demo/label_maps/0000.png to 0004.png, in a second
"""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import numpy as np
from PIL import Image

from demo import faces
from utils.editing.codes import random_codes
from utils.regions.segmentations import COLOURS

FOLDER = ROOT / "demo" / "label_maps"
SEED, SAMPLES = 4, 5  # those of compute_jacobian.py


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    palette = bytes.fromhex(COLOURS["celebamask"].replace(" ", ""))
    labels = faces.draw_labels(faces.attributes(random_codes(SEED, SAMPLES, faces.Z_DIM)))
    for sample, values in enumerate(labels.astype(np.uint8)):
        picture = Image.fromarray(values)
        picture.putpalette(palette)
        picture.save(FOLDER / f"{sample:04d}.png", optimize=True)


if __name__ == "__main__":
    main()
