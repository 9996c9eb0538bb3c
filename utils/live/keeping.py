"""What a live session keeps: the picture, the way to it as a moving picture, the edited code, the
region, and the directions that were found, exactly as steps 1 and 2 write them."""

import base64
import os
import shlex
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from dnnlib.errors import InputError
from dnnlib.text import file_name_part
from utils.cli.commands import changed_options, shell_line
from utils.cli.options import CodeOptions, DirectionsOptions, JacobianOptions, RegionOptions
from utils.cli.parser import say
from utils.files.arrays import write_npy
from utils.files.output_folder import claim_folder, is_same_run
from utils.files.sidecar import Facts, sha256, write_facts
from utils.live.finding import IMAGE_SIZE
from utils.live.session import LiveSession
from utils.live.state import Find, State, decode_mask
from utils.pictures.images import on_paper, save_animation, save_png, thumbnail, to_uint8
from utils.results.direction_set import plan_sets
from utils.results.jacobian_run import JacobianRun

FRAMES = 13  # of the moving picture, from the original to the edit
MOVING_SIZE = 512  # pixels, at most


@dataclass(frozen=True, kw_only=True)
class LiveFacts(Facts):
    """Beside what is kept."""

    network_sha256: str
    directions_sha256: list[str]
    latents_sha256: str | None


@dataclass(frozen=True)
class Kept:
    """A file, for people, and a line for a shell that makes it again."""

    path: Path
    what: str
    command: str


def keep(session: LiveSession, state: State, name: str) -> list[Kept]:
    """Write all that is to be kept of a state to a folder of this name, or one with a number after
    it if that holds something else. Raises InputError if it cannot be made."""
    inputs = session.inputs
    path = inputs.codes.latent_path
    facts = LiveFacts.of_run(
        changed_options(inputs.options) | {"state": state.to_text(), "keep": name},
        network_sha256=inputs.network_sha256,
        directions_sha256=[file.sha256 for file in inputs.directions],
        latents_sha256=sha256(path) if path else None,
    )
    record = f"{name}.json"

    def is_taken(folder: Path) -> bool:
        there = any(not name.startswith(".") for name in os.listdir(folder))  # but for the lock
        return there and not is_same_run(folder / record, facts)

    with claim_folder(inputs.output_dir / name, is_taken) as folder:
        write_facts(folder / record, facts)
        kept = [*keep_edit(session, state, folder, name), *keep_found(session, state, folder, name)]
    for each in kept:
        say(f"{each.path}: {each.what}")
    return kept


def command_of(session: LiveSession, state: State, name: str) -> str:
    """The line that keeps the same again."""
    inputs = session.inputs
    options = changed_options(inputs.options)
    for measured in ("region", "box", "mask", "segmentation", "labels", "parser", "invert"):
        options.pop(measured, None)
    layers = inputs.options.get("mani_layers")
    files = [str(inputs.network), *(str(file.path) for file in inputs.directions)]
    more = {"mani_layers": layers, "output_dir": inputs.options.get("output_dir")}
    last = {"live": True, "keep": name, "state": state.to_text()}
    return shell_line("manipulate.py", files, options | more | last)


def keep_edit(session: LiveSession, state: State, folder: Path, name: str) -> Iterator[Kept]:
    """The picture, the moving picture, the code and the region."""
    command = command_of(session, state, name)
    code = session.code(state)
    image = session.generator.synthesis(code[None])[0]
    save_png(folder / f"{name}.png", to_uint8(image))
    yield Kept(folder / f"{name}.png", "the picture", command)
    moved = [slider for slider in state.sliders if slider.distance]
    if moved:
        parts = np.linspace(0, 1, FRAMES)
        codes = [session.code(_scaled(state, part)) for part in parts[:-1]] + [code]
        frames = [
            thumbnail(on_paper(to_uint8(image)), MOVING_SIZE)
            for image in session.synthesis(np.stack(codes))
        ]
        save_animation(folder / f"{name}.webp", frames)
        yield Kept(folder / f"{name}.webp", "the moving picture", command)
    saved = edited_code(session, state, code)
    if saved is not None:
        write_npy(folder / f"{name}_code.npy", saved)
        yield Kept(folder / f"{name}_code.npy", "the edited code, for --latent_path", command)
    if state.region:
        path = folder / f"{name}_region.png"
        save_mask(path, session.region(state.region).mask(0, *session.mask_size))
        yield Kept(path, "the region, for --mask", command)


def _scaled(state: State, part: float) -> State:
    sliders = (replace(each, distance=each.distance * part) for each in state.sliders)
    return replace(state, sliders=tuple(sliders))


def edited_code(session: LiveSession, state: State, code: np.ndarray) -> np.ndarray | None:
    """The code as step 3 reads it: w+ [1, L, D], or z [1, z_dim] of a network without w; None if
    no z makes it."""
    if session.generator.space == "w":
        return code[None]
    layers = range(session.generator.num_layers)
    moved = [slider for slider in state.sliders if slider.distance]
    edits = [session.edit(slider, state) for slider in moved]
    if any(slider.layers != tuple(layers) for slider in moved) or any(
        edit.direction.ndim > 1 for edit in edits
    ):
        return None
    z = session.codes(state.face).values[state.face.number].astype(np.float64)
    for slider, edit in zip(moved, edits, strict=True):
        z = z + slider.distance * edit.direction
    return z[None]


def save_mask(path: Path, mask: np.ndarray) -> None:
    """White inside and black outside."""
    save_png(path, np.repeat(mask[..., None] * np.uint8(255), 3, axis=-1))


def keep_found(session: LiveSession, state: State, folder: Path, name: str) -> Iterator[Kept]:
    """The directions of each search that a slider uses, as steps 1 and 2 leave them."""
    used = {int(each.source[1:]) for each in state.sliders if each.source.startswith("f")}
    for number in sorted(used):
        part = name if len(used) == 1 else f"{name}_{number}"
        yield from keep_search(session, state.finds[number], folder, part)


def keep_search(session: LiveSession, find: Find, folder: Path, name: str) -> Iterator[Kept]:
    """Codes, Jacobian and directions of one search."""
    found, codes_path = session.found(find), folder / f"{name}_faces.npy"
    write_npy(codes_path, faces_of(session, find, found.codes))
    one = jacobian_options(session, find, codes_path, folder, name)
    run = JacobianRun(one, session.inputs.network_sha256, sha256(codes_path))
    region = region_options(session, find, folder, name)
    two = DirectionsOptions(
        str(run.names.jacobian(session.generator.space)),
        folder,
        find.lamb,
        method=find.method,
        pool=find.faces > 1,
        name=name,
        region=region,
    )
    lines = command_of_step_1(session, one), command_of_step_2(two)
    run.facts = replace(run.facts, command=shlex.split(lines[0]))
    write_jacobian(session, run, found.codes)
    sets = plan_sets(two, region.expect_source(), range(find.faces), session.mask_size)
    each = replace(sets[0], facts=replace(sets[0].facts, command=shlex.split(lines[1])))
    each.save(folder, found.directions, found.matrices)
    for projected, what in ((True, "the directions"), (False, "the same before projection")):
        path = folder / each.names.directions(0, projected)
        yield Kept(path, what, " && ".join(lines))


def faces_of(session: LiveSession, find: Find, codes: np.ndarray) -> np.ndarray:
    """The codes [N, L, D] as --latent_path of step 1 reads them."""
    if session.generator.space == "w":
        return codes
    first = find.face.number
    return session.codes(find.face).values[first : first + find.faces]


def jacobian_options(
    session: LiveSession, find: Find, codes_path: Path, folder: Path, name: str
) -> JacobianOptions:
    """Those of step 1 for the faces of a search."""
    inputs, in_w = session.inputs, session.generator.space == "w"
    options = inputs.options
    codes = CodeOptions(
        latent_path=str(codes_path),
        latent_space="wp" if in_w else "z",
        class_index=None if in_w else find.face.label,
        trunc_psi=1.0 if in_w else inputs.codes.trunc_psi,
    )
    return JacobianOptions(
        str(inputs.network),
        folder,
        image_size=IMAGE_SIZE,
        d_name=name,
        ignore_setting=tuple(options.get("ignore_setting") or ()) or None,
        rotate=options.get("rotate"),
        translate=options.get("translate"),
        codes=codes,
        overwrite=True,
    )


def region_options(session: LiveSession, find: Find, folder: Path, name: str) -> RegionOptions:
    """Those of step 2: by name, or by a mask that is written."""
    if find.region.name is not None:
        return RegionOptions(region=find.region.name)
    path = folder / f"{name}_mask.png"
    save_mask(path, decode_mask(find.region.runs or "", *session.mask_size))
    return RegionOptions(mask=str(path))


def write_jacobian(session: LiveSession, run: JacobianRun, codes: np.ndarray) -> None:
    """The Jacobians of codes [N, L, D], and the pictures beside, as step 1 leaves them."""
    space, generator = session.generator.space, session.generator
    run.set_network(space, range(generator.num_layers))
    shape = (*session.mask_size, 1, generator.edit_dim)
    with run.resumed(session.inputs.device, generator.batch_size, {space: shape}, len(codes)):
        for i, code in enumerate(codes):
            save_png(run.names.picture(i), to_uint8(generator.synthesis(code[None]))[0])
            run.append({space: session.jacobian(code)})


def command_of_step_1(session: LiveSession, options: JacobianOptions) -> str:
    """The line."""
    codes = options.codes
    named = {
        "latent_path": codes.latent_path,
        "latent_space": codes.latent_space,
        "class_index": codes.class_index,
        "trunc_psi": codes.trunc_psi if codes.trunc_psi != 1 else None,
        "ignore_setting": list(options.ignore_setting or ()),
        "rotate": options.rotate,
        "translate": options.translate,
        "d_name": options.d_name,
        "output_dir": options.output_dir,
        "overwrite": True,
    }
    return shell_line("compute_jacobian.py", [options.restore_path], named)


def command_of_step_2(options: DirectionsOptions) -> str:
    """The line."""
    named = {
        "region": options.region.region,
        "mask": options.region.mask,
        "method": options.method,
        "lamb": options.lamb,
        "pool": options.pool,
        "name": options.name,
        "output_dir": options.output_dir,
    }
    return shell_line("compute_directions.py", [options.jaco_path], named)


# For the page ---------------------------------------------------------------------------------


def keep_for_page(session: LiveSession, content: Any) -> dict[str, Any]:
    """Keep the page's state under the name that its user has given it."""
    name = content.get("name")
    if not isinstance(name, str) or name != file_name_part(name) or name.startswith("-"):
        raise InputError("that cannot be a name; expected a short part of a file name")
    session.kept = keep(session, State.from_json(content.get("state")), name)
    return {
        "files": [
            {"path": str(each.path), "what": each.what, "command": each.command}
            for each in session.kept
        ]
    }


def kept_file(session: LiveSession, content: Any) -> dict[str, Any]:
    """One of the files that were kept last, by its number."""
    number = content.get("number")
    if type(number) is not int or not 0 <= number < len(session.kept):
        raise InputError("no such file; expected one that was kept last")
    path = session.kept[number].path
    return {"name": path.name, "content": base64.b64encode(path.read_bytes()).decode()}
