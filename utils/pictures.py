"""Images to files: [N, H, W, C] in about -1 to 1, and picture grids."""

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageChops, ImageDraw, ImageEnhance, ImageFilter, ImageFont

from .files import replacing

HEAD, GAP = 30, 4  # height of the column heads and space between pictures, in pixels
PAPER, INK = (255, 255, 255), (60, 60, 60)


def to_uint8(images: np.ndarray) -> np.ndarray:
    """-1 to 1 -> 0 to 255, rounded and clipped; one channel becomes three."""
    pixels = np.clip(np.rint((images + 1) * 127.5), 0, 255).astype(np.uint8)
    return np.repeat(pixels, 3, axis=-1) if pixels.shape[-1] == 1 else pixels


def save_png(path: str | Path, image: np.ndarray) -> None:
    """uint8 [H, W, 3] to a PNG file."""
    with replacing(path) as partial:
        Image.fromarray(image).save(partial, format="PNG", compress_level=3)  # a third faster than 6, a quarter larger


def thumbnail(image: np.ndarray, size: int) -> np.ndarray:
    """uint8 [H, W, 3], averaged down to at most size x size."""
    if image.shape[0] <= size:
        return image
    return np.asarray(Image.fromarray(image).resize((size, size), Image.Resampling.BOX))


def encode_jpeg(image: np.ndarray) -> bytes:
    """uint8 [H, W, 3] as a JPEG of high quality."""
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, format="JPEG", quality=92, subsampling=0)
    return buffer.getvalue()


def grid(rows: Sequence[Sequence[np.ndarray]], heads: Sequence[str]) -> np.ndarray:
    """Pictures [h, w, 3] of one size side by side in rows, a head above each column: uint8 [H, W, 3]."""
    height, width = rows[0][0].shape[:2]
    canvas = Image.new("RGB", (GAP + len(heads) * (width + GAP), HEAD + len(rows) * (height + GAP)), PAPER)
    draw = ImageDraw.Draw(canvas)
    font = ImageFont.load_default(min(18, max(10, width // 7)))
    for column, head in enumerate(heads):
        left = GAP + column * (width + GAP)
        draw.text((left + width / 2, HEAD / 2), head, fill=INK, font=font, anchor="mm")
        for row, pictures in enumerate(rows):
            canvas.paste(Image.fromarray(pictures[column]), (left, HEAD + row * (height + GAP)))
    return np.asarray(canvas)


def region_picture(picture: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """A region laid over a picture, uint8 [H, W, 3]: dimmed outside the mask [h, w], outlined, 512 pixels or more."""
    scale = -(-512 // min(picture.shape[:2]))
    height, width = picture.shape[0] * scale, picture.shape[1] * scale
    large = Image.fromarray(picture).resize((width, height), Image.Resampling.BICUBIC)
    inside = Image.fromarray(mask).convert("L").resize((width, height), Image.Resampling.NEAREST)
    grey = ImageEnhance.Brightness(ImageEnhance.Color(large).enhance(0.3)).enhance(0.5)
    result = Image.composite(large, grey, inside)
    # Around the region, so that none of it is covered: white, and dark beyond, to be seen on any ground.
    border = max(height // 256, 2)
    around = [inside.filter(ImageFilter.MaxFilter(2 * margin + 1)) for margin in (border, border + 1)]
    result.paste((30, 30, 30), mask=ImageChops.subtract(around[1], inside))
    result.paste((255, 255, 255), mask=ImageChops.subtract(around[0], inside))
    return np.asarray(result)
