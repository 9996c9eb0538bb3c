"""Images to files: [N, H, W, C] in about -1 to 1, and picture grids."""

import io
import math
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageChops, ImageDraw, ImageEnhance, ImageFilter, ImageFont

from utils.files.writing import replacing

PICTURE_SIZE = 256  # pixels, at most, on the page and in the grids
HEAD, GAP = 30, 4  # height of the column heads and space between pictures, in pixels
PAPER, INK = (255, 255, 255), (60, 60, 60)


def to_uint8(images: np.ndarray) -> np.ndarray:
    """-1 to 1 -> 0 to 255, rounded and clipped: [N, H, W, 3], or [N, H, W, 4] of RGB and alpha. Of
    one or two channels, the first in grey is shown; of five or more, the first three."""
    count = images.shape[-1]
    channels = images if count == 4 else images[..., :3] if count > 2 else images[..., :1]
    pixels = np.rint((np.clip(channels, -1, 1) + 1) * 127.5).astype(np.uint8)
    return np.repeat(pixels, 3, axis=-1) if pixels.shape[-1] == 1 else pixels


def on_paper(pixels: np.ndarray) -> np.ndarray:
    """uint8 [..., 3], or [..., 4] with alpha, as it looks on white: uint8 [..., 3]."""
    if pixels.shape[-1] == 3:
        return pixels
    alpha = pixels[..., 3:] / np.float32(255)
    paper = np.array(PAPER, np.float32)
    return np.rint(pixels[..., :3] * alpha + paper * (1 - alpha)).astype(np.uint8)


def to_picture(image: np.ndarray) -> np.ndarray:
    """An image [H, W, C] in about -1 to 1 as the page and the grids show it: uint8 [h, w, 3], at
    most PICTURE_SIZE."""
    return thumbnail(on_paper(to_uint8(image)), PICTURE_SIZE)


def save_png(path: str | Path, image: np.ndarray) -> None:
    """uint8 [H, W, 3], or [H, W, 4] with alpha, to a PNG file."""
    with replacing(path) as partial:
        # Runs only, after PNG's own filters: as small as level 3 of the default, in 60 percent of
        # the time.
        Image.fromarray(image).save(
            partial, format="PNG", compress_level=1, compress_type=zlib.Z_RLE
        )


def thumbnail(image: np.ndarray, size: int) -> np.ndarray:
    """uint8 [H, W, 3] or [H, W], averaged down so that its longer side is `size` at most."""
    height, width = image.shape[:2]
    longer = max(height, width)
    if longer <= size:
        return image
    picture, factor = Image.fromarray(image), longer // size
    # The same averages, in half the time where the factor is whole.
    if longer % size == height % factor == width % factor == 0:
        return np.asarray(picture.reduce(factor))
    small = max(width * size // longer, 1), max(height * size // longer, 1)
    return np.asarray(picture.resize(small, Image.Resampling.BOX))


def encode(image: np.ndarray) -> bytes:
    """uint8 [H, W, 3], or grey [H, W], as a lossy file for the page: WebP from 256 pixels on, JPEG
    below.

    WebP takes half the bytes and several times the time of JPEG, which a small network does not
    leave.
    """
    buffer = io.BytesIO()
    if image.shape[0] >= 256:
        Image.fromarray(image).save(buffer, format="WEBP", quality=78, method=1)
    else:
        Image.fromarray(image).save(
            buffer, format="JPEG", quality=88, subsampling=0 if image.ndim == 3 else -1
        )
    return buffer.getvalue()


def save_jpeg(path: str | Path, image: np.ndarray) -> None:
    """uint8 [H, W, 3] to a JPEG file of high quality."""
    with replacing(path) as partial:
        Image.fromarray(image).save(partial, format="JPEG", quality=90)


def save_animation(path: str | Path, frames: Sequence[np.ndarray]) -> None:
    """Frames uint8 [H, W, 3] to a GIF or WebP, by the ending of the path: there and back, over and
    over."""
    there_and_back = [*frames, *frames[-2:0:-1]]
    duration = min(
        max(2400 // len(there_and_back), 50), 250
    )  # milliseconds a frame, about 2.4 s for a turn
    if Path(path).suffix == ".gif":
        pictures, more = one_palette(there_and_back), {"disposal": 1, "optimize": False}
    else:
        pictures, more = (
            [Image.fromarray(frame) for frame in there_and_back],
            {"quality": 85, "method": 2},
        )
    with replacing(path) as partial:
        pictures[0].save(
            partial,
            format=Path(path).suffix[1:].upper(),
            save_all=True,
            append_images=pictures[1:],
            duration=duration,
            loop=0,
            **more,
        )


def one_palette(frames: Sequence[np.ndarray]) -> list[Image.Image]:
    """Frames in 256 colours that suit all of them, so that what does not move does not flicker
    either."""
    palette = Image.fromarray(np.concatenate([frame[::2, ::2] for frame in frames])).quantize(256)
    return [
        Image.fromarray(frame).quantize(palette=palette, dither=Image.Dither.NONE)
        for frame in frames
    ]


def font(size: float) -> ImageFont.FreeTypeFont:
    """The letters of all pictures, `size` pixels high."""
    letters = ImageFont.load_default(size)
    assert isinstance(letters, ImageFont.FreeTypeFont)  # as it is wherever a size is given
    return letters


def mosaic(pictures: Sequence[np.ndarray], width: int = 1280) -> np.ndarray:
    """Pictures [h, w, 3] of one size in rows, as wide as high or wider, at most `width` pixels:
    uint8 [H, W, 3]."""
    root = math.ceil(math.sqrt(len(pictures)))
    columns = min(
        range(root, 2 * root), key=lambda columns: -len(pictures) % columns
    )  # few gaps in the last row
    size = min(pictures[0].shape[0], (width - GAP) // columns - GAP)
    canvas = Image.new(
        "RGB",
        (GAP + columns * (size + GAP), GAP + -(-len(pictures) // columns) * (size + GAP)),
        PAPER,
    )
    for i, picture in enumerate(pictures):
        canvas.paste(
            Image.fromarray(thumbnail(picture, size)),
            (GAP + i % columns * (size + GAP), GAP + i // columns * (size + GAP)),
        )
    return np.asarray(canvas)


def grid(rows: Sequence[Sequence[np.ndarray]], heads: Sequence[str]) -> np.ndarray:
    """Pictures [h, w, 3] of one size side by side in rows, a head above each column, or where they
    are too narrow above every second, third, ...: uint8 [H, W, 3]."""
    height, width = rows[0][0].shape[:2]
    canvas = Image.new(
        "RGB", (GAP + len(heads) * (width + GAP), HEAD + len(rows) * (height + GAP)), PAPER
    )
    draw = ImageDraw.Draw(canvas)
    letters = font(min(18, max(10, width // 7)))
    every = math.ceil((max(map(letters.getlength, heads)) + 2 * GAP) / (width + GAP))
    for column, head in enumerate(heads):
        left = GAP + column * (width + GAP)
        if column % every == 0:
            x = max(left + width / 2, letters.getlength(head) / 2 + GAP)
            draw.text((x, HEAD / 2), head, fill=INK, font=letters, anchor="mm")
        for row, pictures in enumerate(rows):
            canvas.paste(Image.fromarray(pictures[column]), (left, HEAD + row * (height + GAP)))
    return np.asarray(canvas)


def contact_sheet(
    originals: np.ndarray, rows: Sequence[np.ndarray], words: Sequence[Sequence[str]]
) -> np.ndarray:
    """A head row of the originals [N, H, W, 3]; below, for each row [N, 2, H, W, 3], its words and
    a pair an original.

    The first of a row's words is large. -> uint8 [height, width, 3]
    """
    size = min(originals.shape[1], 144)
    gap, large, small = size // 7, font(size / 5), font(max(size / 8.5, 10))
    indent = (
        gap
        + int(
            max(
                large.getlength(max(texts, key=len)) if i == 0 else small.getlength(text)
                for texts in words
                for i, text in enumerate(texts)
            )
        )
        + 2 * gap
    )
    pair = 2 * size + GAP + gap
    canvas = Image.new(
        "RGB", (indent + len(originals) * pair, gap + (1 + len(rows)) * (size + gap)), PAPER
    )
    draw = ImageDraw.Draw(canvas)

    def paste(picture: np.ndarray, left: int, top: int) -> None:
        canvas.paste(Image.fromarray(thumbnail(picture, size)), (left, top))

    draw.text((gap, gap + size / 2), "original", fill=INK, font=small, anchor="lm")
    for n, original in enumerate(originals):
        paste(original, indent + n * pair + (size + GAP) // 2, gap)
    for k, (pictures, texts) in enumerate(zip(rows, words, strict=True)):
        top = gap + (1 + k) * (size + gap)
        for n, step in np.ndindex(pictures.shape[:2]):
            paste(pictures[n, step], indent + n * pair + step * (size + GAP), top)
        lines = [(text, large if i == 0 else small) for i, text in enumerate(texts)]
        y = top + (size - sum(letters.size * 1.35 for _, letters in lines)) / 2
        for text, letters in lines:
            draw.text((gap, y), text, fill=INK, font=letters)
            y += letters.size * 1.35
    return np.asarray(canvas)


def region_picture(picture: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """A region laid over a picture, uint8 [H, W, 3]: dimmed outside the mask [h, w], outlined, 512
    pixels or more."""
    scale = -(-512 // min(picture.shape[:2]))
    height, width = picture.shape[0] * scale, picture.shape[1] * scale
    large = Image.fromarray(picture).resize((width, height), Image.Resampling.BICUBIC)
    inside = Image.fromarray(mask).convert("L").resize((width, height), Image.Resampling.NEAREST)
    grey = ImageEnhance.Brightness(ImageEnhance.Color(large).enhance(0.3)).enhance(0.5)
    result = Image.composite(large, grey, inside)
    # Around the region, so that none of it is covered: white, and dark beyond, to be seen on any
    # ground.
    border = max(height // 256, 2)
    around = [
        inside.filter(ImageFilter.MaxFilter(2 * margin + 1)) for margin in (border, border + 1)
    ]
    result.paste((30, 30, 30), mask=ImageChops.subtract(around[1], inside))
    result.paste((255, 255, 255), mask=ImageChops.subtract(around[0], inside))
    return np.asarray(result)
