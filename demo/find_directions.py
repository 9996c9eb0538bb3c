"""Find the ready directions of directions/demo128/ and directions/objects64/ with the toolkit's own
steps, measure them, write the tables.

python demo/find_directions.py                   about two minutes on two cores
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import numpy as np

from demo import objects
from dnnlib import load_generator
from dnnlib.generator import Generator
from utils.cli.parser import layer_list
from utils.editing.strength import Effect, Probe
from utils.editing.walk import Edit, Walker
from utils.files.arrays import write_npy
from utils.files.names import DirectionNames
from utils.files.sidecar import DirectionFacts, read_facts, write_facts
from utils.files.writing import replacing
from utils.regions.region import RegionSource, region_source

FRESH_SEED = 1000  # of samples that were not used for choosing
HEADS = (
    *("file", "changes", "region", "sample, row", "layers", "distance"),
    *("found with", "inside", "outside", "ratio"),
)
CHANGE = 0.1  # mean absolute change of faces, in [-1, 1], at the distance to use


class Choice(NamedTuple):
    """A direction that proved good: where it came from, and the layers it is used on."""

    name: str
    effect: str
    region: str  # as step 2 names it
    found_with: str  # options of step 2
    sample: int
    row: int
    layers: str
    projected: bool = True


class Demo(NamedTuple):
    """A network with ready directions."""

    name: str  # of the folders and of the table
    network: str
    jacobian_options: str
    jacobian: str
    choices: tuple[Choice, ...]
    classes: int  # that samples have in turn
    fresh: int  # samples for measuring
    change: float  # of the region's pixels in [-1, 1], at the distance to use


FACES = Demo(
    "demo128",
    "demo/demo128.pkl",
    "--d_name demo",
    "outputs/jacobian_seed_4/w_dataset_demo.npy",
    tuple(
        Choice(name, effect, region, f"--region {region} --lamb 12", sample, row, layers)
        for name, effect, region, sample, row, layers in (
            ("eyes", "opens and closes the eyes", "eyes", 4, 1, "0-11"),
            ("gaze", "looks left and right", "eyes", 1, 0, "0-11"),
            ("brows", "raises the brows", "brows", 1, 1, "4-9"),
            ("nose", "lengthens the nose", "nose", 1, 1, "0-11"),
            ("mouth", "opens the mouth", "mouth", 1, 2, "0-11"),
            ("smile", "bends the mouth", "mouth", 3, 2, "0-11"),
            ("hair", "raises the hair", "hair", 3, 2, "0-11"),
        )
    ),
    classes=0,
    fresh=50,
    change=CHANGE,
)
_OBJECT = "--region center2 --method resefa"
_BACKGROUND = "--mask demo/object_masks --invert --method resefa"
OBJECTS = Demo(
    "objects64",
    "demo/objects64.pth",
    "--d_name objects --class_index 0-5 --total_num 6",
    "outputs/jacobian_seed_4/z_dataset_objects.npy",
    (
        Choice("size", "makes it larger and smaller", "center2", _OBJECT, 3, 2, "0-4"),
        Choice("turn", "turns it", "center2", _OBJECT, 3, 3, "0-4"),
        Choice("column", "moves it left and right", "center2", _OBJECT, 3, 0, "0-4"),
        Choice("row", "moves it up and down", "center2", _OBJECT, 3, 1, "0-4"),
        Choice(
            "background",
            "darkens and lightens the background",
            "not_object_masks",
            _BACKGROUND,
            sample=5,
            row=0,
            layers="3-4",
            projected=False,
        ),
    ),
    classes=len(objects.CLASSES),
    fresh=48,
    change=CHANGE / 2,
)
DEMOS = (FACES, OBJECTS)


def run_step(command: str) -> None:
    print(f"python {command}", flush=True)
    subprocess.run([sys.executable, *command.split()], check=True, stdout=subprocess.DEVNULL)


class Measured(NamedTuple):
    """What a direction changes on fresh samples."""

    effect: Effect
    of_classes: tuple[float, ...]  # the ratio, of each class


def layers_of(choice: Choice) -> list[int]:
    """Those that a direction is edited on."""
    layers = layer_list(choice.layers)
    return layers if isinstance(layers, list) else []


def measure(demo: Demo, generator: Generator, choice: Choice, direction: np.ndarray) -> Measured:
    """At the distance at which all of them change by so much inside the region."""
    z = generator.sample(np.random.RandomState(FRESH_SEED), demo.fresh)
    classes = np.arange(demo.fresh) % max(demo.classes, 1)
    labels = np.eye(max(demo.classes, 1))[classes][:, : demo.classes]
    codes, layers = generator.mapping(z, labels), layers_of(choice)

    def effect_of(samples: np.ndarray, change: Callable[[Probe, Edit], Effect]) -> Effect:
        probe = Probe(generator.synthesis, generator.batch_size, Walker(codes[samples], layers))
        with fresh_region(choice, z[samples], classes[samples]) as region:
            return change(probe, Edit(choice.name, choice.row, direction, np.zeros(1), region))

    everything = np.arange(demo.fresh)
    effect = effect_of(everything, lambda probe, edit: probe.effect_of_change(edit, demo.change))
    each = [
        effect_of(
            np.flatnonzero(classes == index),
            lambda probe, edit: probe.effect(edit, effect.distance),
        )
        for index in range(demo.classes)
    ]
    return Measured(effect, tuple(one.ratio for one in each))


@contextmanager
def fresh_region(choice: Choice, z: np.ndarray, classes: np.ndarray) -> Iterator[RegionSource]:
    """The region of a choice in other samples: that of a box, or what is not the object drawn."""
    if "--mask" not in choice.found_with:
        yield region_source(region=choice.region)
        return
    with tempfile.TemporaryDirectory() as folder:
        for i, mask in enumerate(objects.draw_masks(objects.attributes(z), classes)):
            np.save(Path(folder, f"{i:04d}.npy"), mask)
        yield region_source(mask=folder, invert=True)


def main() -> None:
    os.chdir(ROOT)
    for demo in DEMOS:
        run_step(f"compute_jacobian.py {demo.network} {demo.jacobian_options}")
        commands = {
            choice: f"compute_directions.py {demo.jacobian} {choice.found_with} --name demo"
            for choice in demo.choices
        }
        for command in dict.fromkeys(commands.values()):  # once a region
            run_step(command)
        generator = load_generator(demo.network)
        lines = [save_choice(demo, generator, *pair) for pair in commands.items()]
        write_table(demo, lines)


def save_choice(demo: Demo, generator: Generator, choice: Choice, command: str) -> str:
    """A direction of its own; gives its row of the table."""
    names = DirectionNames(choice.region, "demo", pool=False)
    source = Path("outputs/directions") / names.directions(choice.sample, choice.projected)
    direction = np.load(source)[choice.row]
    effect, of_classes = measure(demo, generator, choice, direction)
    folder = Path("directions") / demo.name
    write_npy(folder / f"{choice.name}.npy", direction[None])
    facts = read_facts(source.with_suffix(".json"), DirectionFacts, "its region is")
    assert facts and facts.region_options
    options = dict(facts.region_options)
    if mask := options.get("mask"):  # not this machine's: step 3 is run where the demo is
        options["mask"] = Path(mask).relative_to(ROOT).as_posix()
    facts = replace(
        facts,
        region_options=options,
        command=["python", *command.split()],
        row=choice.row,
        layers=layers_of(choice),
        distance=effect.distance,
        change_inside=effect.change_inside,
        change_outside=effect.change_outside,
    )
    write_facts(folder / f"{choice.name}.json", facts)
    ratios = "".join(f"{ratio:.1f} | " for ratio in (effect.ratio, *of_classes))
    line = (
        f"| [`{choice.name}.npy`]({demo.name}/{choice.name}.npy) | {choice.effect} | "
        f"{choice.region} | {choice.sample}, {choice.row} | {choice.layers} | "
        f"±{effect.distance:g} | `{choice.found_with}` | {effect.change_inside:.3f} | "
        f"{effect.change_outside:.4f} | {ratios}"
    ).rstrip()
    print(line, flush=True)
    return line


def write_table(demo: Demo, lines: list[str]) -> None:
    """Put the rows between the demo's markers of directions/README.md."""
    path = Path("directions/README.md")
    start, end = f"<!-- {demo.name} -->\n", "<!-- end -->"
    before, rest = path.read_text(encoding="utf-8").split(start)
    heads = [*HEADS]
    heads += objects.CLASSES[: demo.classes]
    head = f"| {' | '.join(heads)} |\n{'|---' * len(heads)}|\n"
    with replacing(path) as partial:
        partial.write_text(
            f"{before}{start}{head}" + "\n".join(lines) + f"\n{end}" + rest.split(end, 1)[1],
            encoding="utf-8",
        )


if __name__ == "__main__":
    main()
