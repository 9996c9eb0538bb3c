"""A live session: what a page asks for, answered with a network. It knows nothing of HTTP."""

import functools
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from dnnlib.errors import InputError
from utils.cli.edit_options import CHANGE, FARTHEST
from utils.cli.options import CodeOptions
from utils.editing.codes import Codes, FittedCodes, MappingNetwork
from utils.editing.edits import DirectionFile
from utils.editing.measure import MeasuredChange, absolute_change, heat, measure, outline_path
from utils.editing.walk import Edit, Walker, expect_layers
from utils.live.finding import IMAGE_SIZE, Differentiable, Finder, Found, Progress
from utils.live.state import (
    Face,
    Find,
    Region,
    Slider,
    State,
    decode_mask,
    encode_mask,
    find_from_json,
)
from utils.method.directions import default_lamb
from utils.pictures.images import encode, on_paper, thumbnail, to_picture, to_uint8
from utils.regions.masks import Drawn
from utils.regions.masks import resize as resize_mask
from utils.regions.region import BOXES, RegionSource, frame_of, region_mask, region_source
from utils.results.page import data_url

SHOWN_SIZE = 1024  # pixels, at most, of the large picture
SMALL_SIZE = 96  # of thumbnails
HEAT_SIZE = 128
REACH = 4.0  # times the distance of that change: the ends of a slider
SOON = 3.0  # seconds
FEW = 64  # random codes that are drawn at once
KEPT_NUMBERS = 4096


class LiveNetwork(MappingNetwork, Differentiable, Protocol):
    """What a session needs of a generator."""

    z_dim: int
    size: tuple[int, int]

    @property
    def default_edit_layers(self) -> Sequence[int]: ...

    def synthesis(self, codes: np.ndarray) -> np.ndarray: ...

    def jacobian_size(self, image_size: int) -> tuple[int, int]: ...


@dataclass(frozen=True)
class LiveInputs:
    """What a session is about, as the command line has settled it."""

    network: Path
    codes: CodeOptions
    directions: Sequence[DirectionFile] = ()
    layers: tuple[int, ...] | None = None  # of --mani_layers
    latents: FittedCodes | None = None  # of --latent_path
    network_sha256: str = ""
    output_dir: Path = Path("outputs/live")
    device: str = "CPU"
    options: dict[str, Any] = field(default_factory=dict)  # of the command line


class LiveSession:
    """Faces, edits and searches of one network. Its methods are called one after another, but for
    those of `progress`."""

    def __init__(
        self, generator: LiveNetwork, inputs: LiveInputs, workers: ProcessPoolExecutor
    ) -> None:
        self.generator, self.inputs = generator, inputs
        self.progress = Progress()
        self._finder = Finder(generator, workers, self.progress)
        self._found: dict[Find, Found] = {}
        self.kept: list[Any] = []  # the files that were kept last
        self._random_codes: dict[tuple[int | None, int | None], Codes] = {}
        self._numbers: dict[tuple[Face, Slider, Region | None], list[float | None]] = {}
        self._original = functools.lru_cache(32)(self._make_original)
        self.mask_size = generator.jacobian_size(IMAGE_SIZE)
        self.in_z = generator.space == "w"  # directions of z are walked there

    def warm_up(self) -> None:
        """Pay for building graphs and starting processes now; of a network whose Jacobian takes
        seconds only, also for the first one."""
        self._finder.start_workers()
        face = State.from_json({"face": self.start()["face"]}).face
        self.original(face)
        start = time.perf_counter()
        self.synthesis(self.face_code(face)[None])
        if (time.perf_counter() - start) * self.generator.edit_dim < SOON:
            self.jacobian(self.face_code(face))

    # What a page asks for ------------------------------------------------------------------------

    def start(self) -> dict[str, Any]:
        """What a page must know from the beginning."""
        generator, inputs = self.generator, self.inputs
        first = inputs.codes.class_index
        label = first[0] if isinstance(first, tuple) else first
        if label is None and generator.label_dim and generator.space == "z":
            label = 0
        of_file = inputs.latents is not None
        face = Face(0, None if of_file else inputs.codes.seed, label)
        height, width = self.mask_size
        return {
            "network": inputs.network.stem,
            "face": {"number": face.number, "seed": face.seed, "label": face.label},
            "codes": len(self.codes(face)) if of_file else None,
            "names": self.codes(face).names if of_file else None,
            "classes": [
                generator.describe_class(i) or f"class {i}" for i in range(generator.label_dim)
            ],
            "size": list(generator.size),
            "mask_size": [height, width],
            "layers": generator.num_layers,
            "lamb": default_lamb(generator.edit_dim),
            "regions": {
                name: encode_mask(mask)
                for name in BOXES
                if (mask := region_mask(name, height, width)).any() and not mask.all()
            },
            "directions": [self._describe(i, file) for i, file in enumerate(inputs.directions)],
        }

    def image(self, content: Any) -> dict[str, Any]:
        """The picture of a state, what has changed, and what each slider changes by itself."""
        state = State.from_json(content.get("state"))
        is_quick = content.get("quick") is True
        moved = [slider for slider in state.sliders if slider.distance]
        alone = [] if is_quick or len(moved) < 2 else self._missing(state, moved)
        codes = [self.code(state)] + [
            self.code(replace(state, sliders=(slider,))) for slider in alone
        ]
        images = self.synthesis(np.stack(codes))
        original = self.original(state.face)
        for slider, image in zip(alone, images[1:], strict=True):
            self._keep_numbers(state, slider, to_picture(image), original)
        picture = to_picture(images[0])
        if len(moved) == 1:
            self._keep_numbers(state, moved[0], picture, original)
        region = self._region_measured(state)
        change = absolute_change(picture[None], original)
        mask = region.mask(0, *picture.shape[:2]) if region else None
        return {
            "picture": as_url(shown(images[0])),
            "original": self._original(state.face)[1],
            "heat": as_url(thumbnail(heat(change)[0], HEAT_SIZE)),
            "change": None if mask is None else numbers_of(measure(change, mask)),
            "outline": None
            if mask is None
            else {"size": list(mask.shape), "path": outline_path(mask)},
            "alone": [
                self._numbers.get((state.face, slider, state.region)) if slider.distance else None
                for slider in state.sliders
            ],
        }

    def find(self, content: Any) -> dict[str, Any]:
        """The directions of a region: a picture of each at equal strength, and its numbers."""
        find = find_from_json(content.get("find"))
        found, region = self.found(find), self.region(find.region)
        rows = found.directions.projected
        code, picture = self.code(State(find.face)), self.original(find.face)
        mask = region.mask(0, *picture.shape[:2])
        distances = CHANGE / np.maximum(found.directions.projected_change.inside, 1e-6)
        # A prediction is of root mean squares, and for small steps: it is corrected once.
        for attempt in range(2):
            codes = np.repeat(code[None], len(rows), axis=0)
            codes[..., : rows.shape[1]] += (distances[:, None] * rows)[:, None].astype(codes.dtype)
            pictures = np.stack([to_picture(image) for image in self.synthesis(codes)])
            change = measure(absolute_change(pictures, picture), mask)
            if not attempt:
                distances *= np.clip(CHANGE / np.maximum(change.change_inside, 1e-6), 0.2, 5)
        return {
            "rows": [
                {
                    "picture": as_url(thumbnail(each, SMALL_SIZE)),
                    "reach": float(f"{REACH * distance:.2g}"),
                    "numbers": numbers_of(MeasuredChange(*(part[i : i + 1] for part in change))),
                }
                for i, (each, distance) in enumerate(zip(pictures, distances, strict=True))
            ]
        }

    def thumbnail(self, content: Any) -> dict[str, Any]:
        """A small picture of a face."""
        face = State.from_json({"face": content.get("face")}).face
        return {"picture": as_url(thumbnail(self.original(face), SMALL_SIZE))}

    # Faces and codes -----------------------------------------------------------------------------

    def codes(self, face: Face) -> Codes:
        """Those among which a face is. Raises InputError if it is not."""
        inputs = self.inputs
        if (inputs.latents is not None) == (face.seed is not None):
            raise InputError("a face of other latent codes; expected one of this session")
        key = face.seed, face.label
        known = self._random_codes.get(key)
        if known is None or (face.number >= len(known) and not inputs.latents):
            count = -(-(face.number + 1) // FEW) * FEW
            label = {} if face.label is None else {"class_index": face.label, "class_name": None}
            seed = inputs.codes.seed if face.seed is None else face.seed
            total = None if inputs.latents else count
            options = replace(inputs.codes, seed=seed, total_num=total, **label)  # type: ignore[arg-type]
            known = self._random_codes[key] = Codes(options, self.generator, inputs.latents)
        if face.number >= len(known):
            raise InputError(f"face {face.number}; expected 0 to {len(known) - 1}")
        return known

    def face_code(self, face: Face) -> np.ndarray:
        """Its code [L, D + E]."""
        return self.codes(face).w_plus(slice(face.number, face.number + 1))[0]

    def code(self, state: State) -> np.ndarray:
        """code + sum of a_k d_k, each on its layers: [L, D + E]."""
        face, codes = state.face, self.codes(state.face)
        start = code = self.face_code(face)
        z = None if codes.z is None else codes.z[face.number : face.number + 1]

        def map_z(moved: np.ndarray, _: int) -> np.ndarray:
            return codes.w_plus_of(moved, face.number)

        for slider in state.sliders:
            edit = self.edit(slider, state)
            here = start if edit.in_z else code
            walker = Walker(here[None], list(slider.layers), z, map_z)
            expect_layers(walker.layers, len(here))
            moved = walker.steps(edit, 0, np.array([slider.distance]))[0]
            code = code + (moved - start) if edit.in_z else moved
        return code

    def edit(self, slider: Slider, state: State) -> Edit:
        """The walk of a slider. Raises InputError if there is no such direction."""
        kind, number = slider.source[0], int(slider.source[1:])
        sources: Sequence[Any] = self.inputs.directions if kind == "d" else state.finds
        if number >= len(sources):
            raise InputError(f"{slider.source} is not there; expected directions of this session")
        if kind == "d":
            file = self.inputs.directions[number]
            rows, name, region = file.rows, file.path.stem, self._recorded_region(number)
            in_z = self.in_z and file.is_of_z
        else:
            find = state.finds[number]
            rows, name = self.found(find).directions.projected, slider.source
            region, in_z = self.region(find.region), False
        if slider.row >= len(rows):
            raise InputError(f"row {slider.row} of {name}; expected 0 to {len(rows) - 1}")
        distances = np.array([slider.distance])
        return Edit(name, slider.row, rows[slider.row], distances, region, in_z)

    def synthesis(self, codes: np.ndarray) -> np.ndarray:
        """Images, as many at once as fit."""
        at_once = self.generator.batch_size
        return np.concatenate(
            [
                self.generator.synthesis(codes[first : first + at_once])
                for first in range(0, len(codes), at_once)
            ]
        )

    def original(self, face: Face) -> np.ndarray:
        """The picture of a face as changes are measured on it: uint8 [h, w, 3]."""
        return self._original(face)[0]

    def _make_original(self, face: Face) -> tuple[np.ndarray, str]:
        image = self.generator.synthesis(self.face_code(face)[None])[0]
        return to_picture(image), as_url(shown(image))

    # Regions and searches ------------------------------------------------------------------------

    def region(self, region: Region) -> RegionSource:
        """That of the page. Raises InputError if it cannot be."""
        if region.name is not None:
            return region_source(region=region.name)
        mask = decode_mask(region.runs or "", *self.mask_size)
        return RegionSource("painted", {}, lambda _, h, w: Drawn(resize_mask(mask, h, w)))

    def found(self, find: Find) -> Found:
        """What a search finds, from memory if it was made before."""
        if find not in self._found:
            region = self.region(find.region)
            masks = [region.mask(i, *self.mask_size) for i in range(find.faces)]
            faces = [replace(find.face, number=find.face.number + i) for i in range(find.faces)]
            codes = np.stack([self.face_code(face) for face in faces])
            self._found[find] = self._finder.find(codes, masks, find.method, find.lamb)
        return self._found[find]

    def jacobian(self, code: np.ndarray) -> np.ndarray:
        """That at a code [L, D]: [H, W, 1, D]."""
        self.progress.start()
        return self._finder.jacobian(code[None])

    @functools.lru_cache(None)  # noqa: B019, a session lives as long as its process
    def _recorded_region(self, number: int) -> RegionSource | None:
        return self.inputs.directions[number].region(1, frame_of(*self.generator.size))

    def _region_measured(self, state: State) -> RegionSource | None:
        """The painted one, or else that of the first slider that has been moved."""
        if state.region:
            return self.region(state.region)
        moved = [slider for slider in state.sliders if slider.distance]
        regions = (self.edit(slider, state).region for slider in moved)
        return next(filter(None, regions), None)

    def _missing(self, state: State, moved: Sequence[Slider]) -> list[Slider]:
        if len(self._numbers) > KEPT_NUMBERS:
            self._numbers.clear()
        return [each for each in moved if (state.face, each, state.region) not in self._numbers]

    def _keep_numbers(
        self, state: State, slider: Slider, picture: np.ndarray, original: np.ndarray
    ) -> None:
        region = self.edit(slider, state).region or self._region_measured(state)
        if region:
            mask = region.mask(0, *picture.shape[:2])
            change = measure(absolute_change(picture[None], original), mask)
            self._numbers[state.face, slider, state.region] = numbers_of(change)

    def _describe(self, number: int, file: DirectionFile) -> dict[str, Any]:
        """A file for the page: its title, and the ends and layers of a slider for each row."""
        facts, rows = file.facts, range(len(file.rows))
        layers = (
            self.inputs.layers or (facts and facts.layers) or self.generator.default_edit_layers
        )
        change = facts and (facts.after_projection if facts.projected else facts.before_projection)
        inside = change.get("inside") if isinstance(change, dict) else None
        reaches = [FARTHEST for _ in rows]
        if isinstance(inside, list) and len(inside) == len(rows):
            reaches = [REACH * CHANGE / max(float(each), 0.02) for each in inside]
        elif facts and len(rows) == 1 and isinstance(facts.distance, (int, float)):
            reaches = [REACH * facts.distance]
        return {
            "titles": [file.title_of(row) if len(rows) > 1 else file.title for row in rows],
            "layers": list(layers),
            "reaches": [float(f"{reach:.2g}") for reach in reaches],
        }


def shown(image: np.ndarray) -> np.ndarray:
    """An image [H, W, C] in about -1 to 1 as the large picture."""
    return thumbnail(on_paper(to_uint8(image)), SHOWN_SIZE)


def as_url(picture: np.ndarray) -> str:
    """A picture for the page."""
    return data_url(encode(picture))


def numbers_of(change: MeasuredChange) -> list[float | None]:
    """Change inside and outside of the first step, and their ratio."""
    inside, outside = float(change.change_inside[0]), float(change.change_outside[0])
    return [inside, outside, inside / outside if outside else None]
