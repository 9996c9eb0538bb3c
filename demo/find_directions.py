"""Find the ready directions of directions/demo128/ with the toolkit's own steps, measure them,
write the table.

python demo/find_directions.py                   about a minute on two cores
"""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import numpy as np

from dnnlib import load_generator
from utils.cli.parser import layer_list
from utils.editing.codes import random_codes
from utils.editing.strength import Probe
from utils.editing.walk import Edit, Walker
from utils.files.arrays import write_npy
from utils.files.sidecar import DirectionFacts, read_facts, write_facts
from utils.files.writing import replacing
from utils.regions.region import region_source

NETWORK = "demo/demo128.pkl"
JACOBIAN_COMMAND = f"compute_jacobian.py {NETWORK} --d_name demo"
JACOBIAN = "outputs/jacobian_seed_4/w_dataset_demo.npy"
FOLDER = Path("directions/demo128")
FRESH_SEED, FRESH_FACES = 1000, 50  # not used for choosing
CHANGE_INSIDE = 0.1  # mean absolute change, of images in [-1, 1], at the distance to use


class Choice(NamedTuple):
    """A direction that proved good: where it came from, and the layers it is used on."""

    name: str
    effect: str
    region: str
    lamb: float
    sample: int
    row: int
    layers: str


ALL = "0,1,2,3,4,5,6,7,8,9,10,11"
CHOICES = (
    Choice("eyes", "opens and closes the eyes", "eyes", 12, 4, 1, ALL),
    Choice("gaze", "looks left and right", "eyes", 12, 1, 0, ALL),
    Choice("brows", "raises the brows", "brows", 12, 1, 1, "4,5,6,7,8,9"),
    Choice("nose", "lengthens the nose", "nose", 12, 1, 1, ALL),
    Choice("mouth", "opens the mouth", "mouth", 12, 1, 2, ALL),
    Choice("smile", "bends the mouth", "mouth", 12, 3, 2, ALL),
    Choice("hair", "raises the hair", "hair", 12, 3, 2, ALL),
)


def run_step(command: str) -> None:
    print(f"python {command}", flush=True)
    subprocess.run([sys.executable, *command.split()], check=True, stdout=subprocess.DEVNULL)


def main() -> None:
    os.chdir(ROOT)
    run_step(JACOBIAN_COMMAND)
    generator = load_generator(NETWORK)
    ws = generator.mapping(random_codes(FRESH_SEED, FRESH_FACES, generator.z_dim))
    commands = {
        choice: f"compute_directions.py {JACOBIAN} --region {choice.region} --lamb "
        f"{choice.lamb:g} --name demo"
        for choice in CHOICES
    }
    for command in dict.fromkeys(commands.values()):  # once a region
        run_step(command)
    lines = []
    for choice, command in commands.items():
        stem = f"directions_img_{choice.sample:02d}_region_{choice.region}_demo_projected"
        source = Path("outputs/directions") / f"{stem}.npy"
        direction = np.load(source)[choice.row]
        layers = layer_list(choice.layers)
        probe = Probe(generator.synthesis, generator.batch_size, Walker(ws, layers))
        region = region_source(region=choice.region)
        edit = Edit(choice.name, choice.row, direction, np.zeros(1), region)
        effect = probe.effect_of_change(edit, CHANGE_INSIDE)
        write_npy(FOLDER / f"{choice.name}.npy", direction[None])
        facts = read_facts(source.with_suffix(".json"), DirectionFacts, "its region is")
        assert facts
        facts = replace(
            facts,
            command=["python", *command.split()],
            row=choice.row,
            layers=layers,
            distance=effect.distance,
            change_inside=effect.change_inside,
            change_outside=effect.change_outside,
        )
        write_facts(FOLDER / f"{choice.name}.json", facts)
        lines.append(
            f"| [`{choice.name}.npy`](demo128/{choice.name}.npy) | {choice.effect} | "
            f"{choice.region} | {choice.sample}, {choice.row} | {choice.layers} | "
            f"±{effect.distance:g} | `--region {choice.region} --lamb {choice.lamb:g}` | "
            f"{effect.change_inside:.3f} | {effect.change_outside:.4f} | {effect.ratio:.1f} |"
        )
        print(lines[-1], flush=True)
    write_table(lines)


def write_table(lines: list[str]) -> None:
    """Put the rows between the markers of directions/README.md."""
    path = Path("directions/README.md")
    before, rest = path.read_text(encoding="utf-8").split("<!-- table -->\n")[:2]
    head = (
        "| file | changes | region | sample, row | layers | distance | found with | inside | "
        "outside | ratio |\n"
        "|---|---|---|---|---|---|---|---|---|---|\n"
    )
    after = rest.split("<!-- end -->")[1]
    with replacing(path) as partial:
        partial.write_text(
            before + "<!-- table -->\n" + head + "\n".join(lines) + "\n<!-- end -->" + after,
            encoding="utf-8",
        )


if __name__ == "__main__":
    main()
