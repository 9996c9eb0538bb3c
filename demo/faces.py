"""Cartoon portraits drawn from 24 attributes, and which part each pixel shows: what the demo
network learns from.

Geometry is written in the 256 x 256 frame of the region boxes (x to the right, y down), whatever
the resolution. Shapes of arrays: N faces, R x R pixels, h x w pixels of a window. Inside this file
one number per face is [N, 1, 1], a colour per face is [3, N, 1, 1] in 0..1, a coverage is [N, h, w]
in 0..1.
"""

import math

import numpy as np

from demo.painting import FRAME, Canvas, Window, colours, mix, palette

Z_DIM = 64
ATTRIBUTES = (
    "background_hue",
    "background_lightness",
    "skin_tone",
    "hair_colour",
    "hair_height",
    "fringe",
    "face_width",
    "chin_length",
    "eye_opening",
    "eye_width",
    "gaze",
    "iris_colour",
    "brow_height",
    "brow_angle",
    "brow_thickness",
    "nose_length",
    "nose_width",
    "mouth_opening",
    "mouth_width",
    "smile",
    "lip_colour",
    "blush",
    "clothes_hue",
    "clothes_lightness",
)
EYE_OFFSET = 32  # from the axis to the centre of an eye
# The labels of CelebAMask-HQ that occur, left and right as in the picture.
(
    BACKGROUND,
    SKIN,
    NOSE,
    L_EYE,
    R_EYE,
    L_BROW,
    R_BROW,
    L_EAR,
    R_EAR,
    MOUTH,
    U_LIP,
    L_LIP,
    HAIR,
    NECK,
    CLOTH,
) = 0, 1, 2, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 17, 18


def attribute_vectors() -> np.ndarray:
    """The fixed orthonormal rows v_k that tie attribute k to z: [24, 64]."""
    normal = np.random.RandomState(24).standard_normal((Z_DIM, len(ATTRIBUTES)))
    return np.linalg.qr(normal)[0].T


VECTORS = attribute_vectors()


def attributes(z: np.ndarray) -> np.ndarray:
    """Attributes of latent vectors, Phi(v_k . z / rms(z)): [N, 64] -> [N, 24] in (0, 1), each
    uniform for normal z."""
    z = np.asarray(z, dtype=np.float64)
    scores = z @ VECTORS.T / np.sqrt(np.mean(z**2, axis=1, keepdims=True))
    return 0.5 * np.vectorize(math.erfc, otypes=[float])(-scores / math.sqrt(2))


def draw(attributes: np.ndarray, resolution: int = 128) -> np.ndarray:
    """Faces with the given attributes: [N, 24] in (0, 1) -> [N, R, R, 3] float32 in [-1, 1]."""
    # Below 64 pixels the features are thinner than a pixel: draw them finer, then average.
    finer = max(64 // resolution, 1)
    canvas = paint_faces(attributes, resolution * finer)[0]
    if finer > 1:
        canvas = canvas.reshape(3, len(attributes), resolution, finer, resolution, finer).mean(
            (3, 5)
        )
    return np.ascontiguousarray(np.moveaxis(canvas, 0, -1)) * 2 - 1


def draw_labels(attributes: np.ndarray, resolution: int = 128) -> np.ndarray:
    """The parts of the same faces: uint8 [N, R, R], each pixel the label of what covers more than
    half of it."""
    return paint_faces(attributes, resolution)[1]


def paint_faces(attributes: np.ndarray, resolution: int) -> "Canvas":
    values = np.asarray(attributes, dtype=np.float32)
    face = {name: values[:, k, None, None] for k, name in enumerate(ATTRIBUTES)}
    size = len(values), resolution, resolution
    canvas = Canvas(np.empty((3, *size), dtype=np.float32), np.full(size, BACKGROUND, np.uint8))
    for paint in (
        paint_background,
        paint_hair_behind,
        paint_body,
        paint_head,
        paint_hair_in_front,
        paint_nose,
        paint_mouth,
        paint_eyes,
        paint_brows,
    ):
        paint(canvas, face)
    return canvas


def faces(z: np.ndarray, resolution: int = 128) -> np.ndarray:
    """Faces of latent vectors: [N, 64] -> [N, R, R, 3] float32 in [-1, 1]."""
    return draw(attributes(z), resolution)


# Colours ------------------------------------------------------------------------------------------


# Few stops and near-linear paths: a small network learns smooth functions of an attribute sooner
# than winding ones.
HUES = colours("e8705b 8fb08a 4a86d6")
SHADES_OF_SKIN = colours("ffe0cc c98f68 6e442c")
SHADES_OF_HAIR = colours("221a1c 8a4a26 f0cf7c")
IRIS = colours("5a2c12 4f9a4a 2f6fe0")
LIPS = colours("f79aa8 b01a48")
RUDDY = np.array([0.86, 0.55, 0.48], dtype=np.float32).reshape(3, 1, 1, 1)
WHITE, INK, BROWN, THROAT, TONGUE, BLUSH = colours(
    "ffffff 241a22 2e1710 5a1220 e0707a f0506a"
).reshape(6, 3, 1, 1, 1)


def tinted(hue: np.ndarray, lightness: np.ndarray) -> np.ndarray:
    """A hue from deep (lightness 0) to pale (lightness 1): [3, N, 1, 1]."""
    pure = palette(hue, HUES)
    return mix(lightness, pure * 0.55, mix(0.6, pure, WHITE))


def egg(y: np.ndarray, above: np.ndarray | float, below: np.ndarray | float) -> np.ndarray:
    """The half height of an oval whose upper and lower halves differ."""
    return np.where(y < 0, above, below)


# Parts of the picture, from back to front ---------------------------------------------------------


def head_size(face: dict) -> tuple[np.ndarray, np.ndarray]:
    """Half width of the head, and the row of its chin."""
    return mix(face["face_width"], 59, 77), mix(face["chin_length"], 211, 238)


def head_shape(window: Window, face: dict) -> np.ndarray:
    """Coverage of the head without ears and hair."""
    width, chin = head_size(face)
    y = window.y - 128
    return window.oval(window.x, y, width, egg(y, 82, chin - 128), 2.35)


def paint_background(canvas: Canvas, face: dict) -> None:
    """A plain colour, lighter towards the top."""
    window = Window(canvas, 0, FRAME, 0, FRAME)
    colour = tinted(face["background_hue"], face["background_lightness"])
    canvas.colours[:] = mix(1 - window.y / FRAME, colour * 0.86, mix(0.22, colour, WHITE))


def paint_hair_behind(canvas: Canvas, face: dict) -> None:
    """The hair seen beside the head."""
    window = Window(canvas, 40, 162, 30, 226)
    width, _ = head_size(face)
    y = window.y - 115
    colour = palette(face["hair_colour"], SHADES_OF_HAIR) * 0.72
    window.paint(window.oval(window.x, y, width + 10, egg(y, 70, 42), 2.6), colour, HAIR)


def paint_body(canvas: Canvas, face: dict) -> None:
    """Neck with the chin's shadow, shoulders and collar."""
    skin = palette(face["skin_tone"], SHADES_OF_SKIN)
    cloth = tinted(face["clothes_hue"], face["clothes_lightness"])
    window = Window(canvas, 170, FRAME, 0, FRAME)
    window.paint(window.oval(window.x, window.y - 275, 118, 61, 2.6), cloth, CLOTH)
    window.paint(window.oval(window.x, window.y - 214, 47, 34), cloth * 0.72, CLOTH)
    neck = np.maximum(
        window.oval(window.x, window.y - 214, 40, 27),
        window.oval(window.x, window.y - 190, 35, 38, 5.0),
    )
    _, chin = head_size(face)
    shadow = 0.42 * np.exp(-((np.maximum(window.y - chin, 0) / 9) ** 2))
    window.paint(neck, mix(shadow, skin * 0.94, skin * 0.45), NECK)


def paint_head(canvas: Canvas, face: dict) -> None:
    """Ears, face and blush."""
    width, _ = head_size(face)
    skin = palette(face["skin_tone"], SHADES_OF_SKIN)
    window = Window(canvas, 108, 168, 34, 222)
    ear_x, ear_y = abs(window.x) - width, window.y - 138
    ear = np.where(window.x < 0, L_EAR, R_EAR)
    window.paint(window.oval(ear_x, ear_y, 13, 20), skin * 0.92, ear)
    window.paint(window.oval(ear_x - 2, ear_y, 6, 12), skin * 0.76, ear)

    window = Window(canvas, 40, 244, 44, 212)
    cheeks = window.glow(abs(window.x) - 43, window.y - 163, 16, 13)
    window.paint(head_shape(window, face), mix(0.7 * face["blush"] * cheeks, skin, BLUSH), SKIN)


def paint_hair_in_front(canvas: Canvas, face: dict) -> None:
    """The hair on top: a cap from which the face is cut out along a swept hairline."""
    window = Window(canvas, 8, 134, 34, 222)
    width, _ = head_size(face)
    colour = palette(face["hair_colour"], SHADES_OF_HAIR)
    y = window.y - 110
    top = mix(face["hair_height"], 66, 97)
    cap = window.oval(window.x, y, width + 9, egg(y, top, 24), 2.5)
    swept = window.y - 86 - 0.08 * window.x
    hairline = mix(face["fringe"], 39, 14)
    cut = window.oval(window.x, swept, width - 3, egg(swept, hairline, 90), 2.5) * head_shape(
        window, face
    )
    shine = window.glow(window.x + 22, y + 0.7 * top + 15, 34, 9)
    window.paint(cap * (1 - cut), mix(0.35 * shine, colour, WHITE), HAIR)


def paint_nose(canvas: Canvas, face: dict) -> None:
    """A nose redder and darker than the face, with a shadow below and a light tip."""
    window = Window(canvas, 112, 170, 102, 154)
    skin = palette(face["skin_tone"], SHADES_OF_SKIN)
    width = mix(face["nose_width"], 8, 20)
    y = window.y - mix(face["nose_length"], 138, 153)
    window.paint(window.oval(window.x, y - 2.5, width, egg(y - 2.5, 22, 9)), skin * 0.42, NOSE)
    window.paint(window.oval(window.x, y, width, egg(y, 22, 9)), skin * RUDDY, NOSE)
    window.paint(0.5 * window.glow(window.x + 1, y + 2, 0.4 * width, 4), WHITE, NOSE)


def paint_mouth(canvas: Canvas, face: dict) -> None:
    """Lips around an opening with teeth and tongue, bent by the smile."""
    window = Window(canvas, 164, 206, 90, 166)
    lips = palette(face["lip_colour"], LIPS)
    width = mix(face["mouth_width"], 20, 35)
    opening = mix(face["mouth_opening"], 1.2, 8.5)
    bend = mix(face["smile"], -13, 13)
    y = window.y - 184 - bend * (0.4 - (window.x / width) ** 2)
    window.paint(
        window.oval(window.x, y, width, opening + 4.2), lips, np.where(y < 0, U_LIP, L_LIP)
    )
    inside = window.oval(window.x, y, width - 4, opening)
    window.paint(inside, THROAT, MOUTH)
    window.paint(inside * window.fill(0.45 * opening - y), TONGUE, MOUTH)
    window.paint(inside * window.fill(y + 0.25 * opening + 1), WHITE, MOUTH)


def paint_eyes(canvas: Canvas, face: dict) -> None:
    """Eyes under a dark upper lid, with iris, pupil and a highlight."""
    window = Window(canvas, 104, 134, 70, 186)
    iris = palette(face["iris_colour"], IRIS)
    width = mix(face["eye_width"], 13.5, 21)
    height = mix(face["eye_opening"], 4, 10.5)
    x, y = window.x - EYE_OFFSET * np.sign(window.x), window.y - 121
    eye = np.where(window.x < 0, L_EYE, R_EYE)
    window.paint(window.oval(x, y + 2.5, width + 1.5, height + 0.6), INK, eye)
    white = window.oval(x, y, width, height)
    window.paint(white, WHITE, eye)
    x = x - mix(face["gaze"], -1, 1) * (width - 6)
    window.paint(white * window.oval(x, y, 9.5, 9.5), iris, eye)
    window.paint(white * window.oval(x, y, 4.5, 4.5), INK, eye)
    window.paint(white * window.oval(x + 3, y + 3.2, 2.4, 2.4), WHITE, eye)


def paint_brows(canvas: Canvas, face: dict) -> None:
    """Arched brows, mirrored, tapering outwards."""
    window = Window(canvas, 84, 116, 70, 186)
    colour = mix(0.8, palette(face["hair_colour"], SHADES_OF_HAIR), BROWN)
    along = abs(window.x) - EYE_OFFSET
    centre = (
        mix(face["brow_height"], 104, 95.5)
        - mix(face["brow_angle"], -0.3, 0.3) * along
        + 0.008 * along**2
    )
    window.paint(
        window.oval(along, window.y - centre, 19, mix(face["brow_thickness"], 1.8, 5), 2.6),
        colour,
        np.where(window.x < 0, L_BROW, R_BROW),
    )
