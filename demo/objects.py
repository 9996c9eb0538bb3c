"""Drawn objects of six classes, and where each stands: what the demo's BigGAN learns from.

An object has nine attributes, smooth functions of z. As in a BigGAN, whose first layer alone can
move things about, those of place and pose come from the first chunk of z, colours from later ones.

Geometry is written in the frame of painting.py. Shapes of arrays: N objects, R x R pixels.
"""

import math
from typing import NamedTuple

import numpy as np

from demo.painting import FRAME, Canvas, Window, colours, mix, palette

CLASSES = ("apple", "mug", "car", "house", "fish", "tree")
CHUNKS, CHUNK_SIZE = 5, 8
Z_DIM = CHUNKS * CHUNK_SIZE
# Each attribute and the chunk of z that it is a function of.
ATTRIBUTES = {
    "column": 0,
    "row": 0,
    "size": 0,
    "turn": 0,
    "build": 1,  # of each class its own: a leaf, a handle, a cabin, a roof, a tail, a crown
    "hue": 2,
    "shade": 2,
    "background_hue": 3,
    "background_lightness": 4,
}
BACKGROUND, OBJECT = 0, 1


class Place(NamedTuple):
    """Where an object stands: one number an object, [N, 1, 1]."""

    column: np.ndarray  # of its centre, from the middle of the frame
    row: np.ndarray
    size: np.ndarray
    turn: np.ndarray  # anticlockwise, in radians


def attribute_vectors() -> np.ndarray:
    """The fixed orthonormal rows v_k that tie attribute k to its chunk of z: [9, 40]."""
    random = np.random.RandomState(6)
    bases = [
        np.linalg.qr(random.standard_normal((CHUNK_SIZE, CHUNK_SIZE)))[0] for _ in range(CHUNKS)
    ]
    vectors = np.zeros((len(ATTRIBUTES), CHUNKS, CHUNK_SIZE))
    for k, chunk in enumerate(ATTRIBUTES.values()):
        vectors[k, chunk] = bases[chunk][k % CHUNK_SIZE]
    return vectors.reshape(len(ATTRIBUTES), Z_DIM)


VECTORS = attribute_vectors()


def attributes(z: np.ndarray) -> np.ndarray:
    """Attributes of latent vectors, Phi(v_k . z): [N, 40] -> [N, 9] in (0, 1), each uniform for
    normal z."""
    scores = np.asarray(z, dtype=np.float64) @ VECTORS.T
    return 0.5 * np.vectorize(math.erfc, otypes=[float])(-scores / math.sqrt(2))


def draw(attributes: np.ndarray, classes: np.ndarray, resolution: int = 64) -> np.ndarray:
    """Objects of the given attributes [N, 9] in (0, 1) and classes [N]: [N, R, R, 3] float32 in
    [-1, 1]."""
    canvas = paint_objects(attributes, classes, resolution)
    return np.ascontiguousarray(np.moveaxis(canvas.colours, 0, -1)) * 2 - 1


def draw_masks(attributes: np.ndarray, classes: np.ndarray, resolution: int = 64) -> np.ndarray:
    """Where the same objects are: bool [N, R, R], true where one covers more than half of the
    pixel."""
    return paint_objects(attributes, classes, resolution).labels == OBJECT


def objects(z: np.ndarray, classes: np.ndarray, resolution: int = 64) -> np.ndarray:
    """Objects of latent vectors [N, 40] and classes [N]: [N, R, R, 3] float32 in [-1, 1]."""
    return draw(attributes(z), classes, resolution)


def paint_objects(attributes: np.ndarray, classes: np.ndarray, resolution: int) -> Canvas:
    values, classes = np.asarray(attributes, dtype=np.float32), np.asarray(classes)
    size = len(values), resolution, resolution
    canvas = Canvas(np.empty((3, *size), dtype=np.float32), np.full(size, BACKGROUND, np.uint8))
    for index, name in enumerate(CLASSES):
        members = np.flatnonzero(classes == index)
        if not len(members):
            continue
        of_class = Canvas(canvas.colours[:, members], canvas.labels[members])
        thing = {key: values[members, k, None, None] for k, key in enumerate(ATTRIBUTES)}
        paint_background(of_class, thing)
        place = Place(
            mix(thing["column"], -30, 30),
            mix(thing["row"], 108, 152),
            mix(thing["size"], 0.7, 1.2),
            mix(thing["turn"], -0.35, 0.35),
        )
        colour = shaded(palette(thing["hue"], HUES), thing["shade"])
        PAINTERS[name](Spot(of_class, place), colour, thing["build"])
        canvas.colours[:, members], canvas.labels[members] = of_class
    return canvas


# Colours ------------------------------------------------------------------------------------------

HUES = colours("d8342c f0b429 2f9e58 2e6fd0")
BACKGROUNDS = colours("efc9a8 b9d9a4 9fc4ee c9b2e4")
WHITE, INK, WOOD, LEAF, GLASS, STEEL = colours("ffffff 1e1b22 6b4226 3d8b3d cfeaf5 c9ced6").reshape(
    6, 3, 1, 1, 1
)


def shaded(colour: np.ndarray, lightness: np.ndarray | float) -> np.ndarray:
    """A colour from deep (0) to pale (1)."""
    return mix(lightness, colour * 0.72, mix(0.35, colour, WHITE))


def paint_background(canvas: Canvas, thing: dict) -> None:
    """A wall, and a floor of the same hue."""
    window = Window(canvas, 0, FRAME, 0, FRAME)
    colour = palette(thing["background_hue"], BACKGROUNDS)
    colour = colour * mix(thing["background_lightness"], 0.62, 1.06)
    floor = window.fill(196 - window.y)
    canvas.colours[:] = np.clip(mix(floor, colour, colour * 0.8), 0, 1)


# Shapes -------------------------------------------------------------------------------------------


class Spot(Window):
    """The canvas in the frame of an object: its centre is (0, 0), turned and scaled with it.

    Shapes are signed distances, negative inside; of two, the smaller is their union, the larger
    their intersection.
    """

    def __init__(self, canvas: Canvas, place: Place) -> None:
        super().__init__(canvas, 0, FRAME, 0, FRAME)
        x, y = self.x - place.column, self.y - place.row
        cosine, sine = np.cos(place.turn), np.sin(place.turn)
        self.x = (cosine * x - sine * y) / place.size  # [N, R, R]
        self.y = (sine * x + cosine * y) / place.size
        self.pixel = self.pixel / place.size

    def put(self, distance: np.ndarray, colour: np.ndarray) -> None:
        """Paint a shape of the object."""
        self.paint(self.fill(distance), colour, OBJECT)

    def ellipse(
        self,
        x: np.ndarray | float,
        y: np.ndarray | float,
        half_width: np.ndarray | float,
        half_height: np.ndarray | float,
    ) -> np.ndarray:
        u, v = (self.x - x) / half_width, (self.y - y) / half_height
        level = u**2 + v**2
        slope = 2 * np.sqrt((u / half_width) ** 2 + (v / half_height) ** 2) + 1e-6
        return (level - 1) / slope  # to first order

    def box(
        self,
        x: np.ndarray | float,
        y: np.ndarray | float,
        half_width: np.ndarray | float,
        half_height: np.ndarray | float,
        lean: float = 0,
    ) -> np.ndarray:
        """A rectangle, its sides leaning inwards at the top by `lean` columns a row."""
        u, v = abs(self.x - x), self.y - y
        sides = (u - half_width - lean * (v - half_height)) / math.hypot(1, lean)
        return np.maximum(sides, abs(v) - half_height)


# Objects, each about 140 wide or high -------------------------------------------------------------


def paint_apple(spot: Spot, colour: np.ndarray, build: np.ndarray) -> None:
    """Two round halves, a stem, and a leaf that is small or large."""
    spot.put(spot.box(2, -52, 4, 18), WOOD)
    size = mix(build, 10, 27)
    leaf = spot.ellipse(6 + size, -56 - 0.3 * size, size, 0.5 * size)
    spot.put(leaf, LEAF)
    halves = np.minimum(spot.ellipse(-20, 8, 41, 49), spot.ellipse(20, 8, 41, 49))
    spot.put(np.minimum(halves, spot.ellipse(0, 14, 46, 46)), colour)
    spot.put(spot.ellipse(-32, -12, 9, 14), mix(0.6, colour, WHITE))


def paint_mug(spot: Spot, colour: np.ndarray, build: np.ndarray) -> None:
    """A mug with coffee, a white band, and a handle that is narrow or wide."""
    reach = mix(build, 20, 42)
    ring = np.maximum(spot.ellipse(38, 4, reach, 34), -spot.ellipse(38, 4, mix(build, 8, 29), 21))
    spot.put(np.maximum(ring, 30 - spot.x), colour * 0.85)
    spot.put(np.minimum(spot.box(-4, 4, 44, 50), spot.ellipse(-4, 54, 44, 10)), colour)
    spot.put(spot.box(-4, 18, 44, 10), WHITE)
    spot.put(spot.ellipse(-4, -46, 44, 12), mix(0.45, colour, WHITE))
    spot.put(spot.ellipse(-4, -45, 36, 8), WOOD)


def paint_car(spot: Spot, colour: np.ndarray, build: np.ndarray) -> None:
    """A car on two wheels, its cabin low or high."""
    height = mix(build, 14, 30)
    y = -4 - height
    spot.put(spot.box(-4, y, 44, height, 0.45), colour * 0.9)
    spot.put(spot.box(-4, y + 2, 35, height - 7, 0.45), GLASS)
    spot.put(spot.box(-4, y, 3, height), colour * 0.9)
    spot.put(np.minimum(spot.box(0, 14, 66, 20), spot.ellipse(56, 14, 18, 20)), colour)
    spot.put(spot.ellipse(66, 8, 6, 6), mix(0.8, colour, WHITE))
    for x in (-38, 38):
        spot.put(spot.ellipse(x, 36, 20, 20), INK)
        spot.put(spot.ellipse(x, 36, 9, 9), STEEL)


def paint_house(spot: Spot, colour: np.ndarray, build: np.ndarray) -> None:
    """Walls with a door and a window under a roof that is flat or steep."""
    height = mix(build, 18, 42)
    spot.put(spot.box(32, -40, 8, 24), WOOD)
    slope = 66 / (2 * height)
    eaves = spot.y + 14
    sides = (abs(spot.x) - 66 - slope * eaves) / np.sqrt(1 + slope**2)
    spot.put(spot.box(0, 24, 54, 40), mix(0.75, colour, WHITE))
    spot.put(np.maximum(sides, eaves), colour)
    spot.put(spot.box(-22, 40, 14, 24), WOOD)
    spot.put(spot.box(24, 20, 16, 14), INK)
    spot.put(spot.box(24, 20, 12, 10), GLASS)


def paint_fish(spot: Spot, colour: np.ndarray, build: np.ndarray) -> None:
    """A fish that looks left, its tail small or large."""
    length = mix(build, 20, 44)
    u = spot.x - 36
    tail = np.maximum(abs(spot.y) - 6 - 0.75 * u, u - length) / 1.25
    spot.put(np.maximum(tail, -u), colour * 0.82)
    spot.put(np.maximum(spot.ellipse(0, -22, 30, 26), spot.y + 14), colour * 0.82)
    spot.put(spot.ellipse(-8, 0, 58, 36), colour)
    spot.put(np.maximum(spot.ellipse(-8, 0, 58, 36), 10 - spot.y), mix(0.55, colour, WHITE))
    spot.put(spot.ellipse(-40, -8, 10, 10), WHITE)
    spot.put(spot.ellipse(-42, -8, 5, 5), INK)


def paint_tree(spot: Spot, colour: np.ndarray, build: np.ndarray) -> None:
    """A trunk under a crown of three rounds, narrow or wide."""
    spot.put(spot.box(0, 42, 10, 28, 0.1), WOOD)
    width = mix(build, 12, 34)
    spot.put(spot.ellipse(-width, 0, 34, 30), colour * 0.85)
    spot.put(spot.ellipse(width, 0, 34, 30), colour * 0.85)
    spot.put(spot.ellipse(0, -28, 38, 40), colour)
    spot.put(spot.ellipse(-12, -42, 12, 12), mix(0.4, colour, WHITE))


PAINTERS = {
    "apple": paint_apple,
    "mug": paint_mug,
    "car": paint_car,
    "house": paint_house,
    "fish": paint_fish,
    "tree": paint_tree,
}
