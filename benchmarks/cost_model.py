"""What a forward pass and a tangent should cost: multiply-adds and bytes of each layer.

python benchmarks/cost_model.py f 1024 256   the table of config-f at 1024, resized to 256
"""

import sys
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.make_network import random_network
from dnnlib.families.stylegan2.record import StyleGAN2Record


class Cost(NamedTuple):
    """Of one layer, for one image or one tangent."""

    layer: str
    forward: float  # multiply-adds
    tangent: float
    forward_bytes: float  # activations read and written, where each pass over memory is made once
    tangent_bytes: float


def layer_costs(record: StyleGAN2Record, image_size: int) -> list[Cost]:
    """The convolutions and the elementwise passes between them; the tangent at every step-th pixel
    at the end."""
    costs = []
    for size in record.resolutions:
        step = (
            record.resolution // min(image_size, record.resolution)
            if size == record.resolution
            else 1
        )
        for name in ("conv0", "conv1", "rgb"):
            if f"{size}/{name}/weight" not in record.arrays:
                continue
            kernel, _, inputs, outputs = record.arrays[f"{size}/{name}/weight"].shape
            pixels = size**2
            if name == "conv0":  # from half the size, then the filter of 16 taps
                macs = kernel**2 * inputs * outputs * pixels / 4 + 16 * outputs * pixels
                # Scale the input; read it; write and read what the filter takes; write; activate.
                floats = 3 * inputs * pixels / 4 + 5 * outputs * pixels
                costs.append(Cost(f"{size}/{name}", macs, macs, 4 * floats, 4 * floats))
            else:
                macs = kernel**2 * inputs * outputs * pixels
                kept = (
                    macs / step**2 / (outputs if name == "rgb" else 1)
                )  # one channel: the mean over RGB
                floats = (3 * inputs + 3 * outputs) * pixels
                kept_floats = (
                    (3 if name == "conv1" else 1) * inputs + 3 * outputs / step**2
                ) * pixels
                costs.append(Cost(f"{size}/{name}", macs, kept, 4 * floats, 4 * kept_floats))
    return costs


def total(record: StyleGAN2Record, image_size: int) -> Cost:
    columns = list(zip(*layer_costs(record, image_size), strict=True))
    return Cost("sum", *(sum(column) for column in columns[1:]))


def main() -> None:
    config, resolution, image_size = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    record = random_network(config, resolution)
    print(
        "| layer | forward, multiply-adds | tangent | forward, MB moved | tangent "
        "|\n|---|---|---|---|---|"
    )
    for cost in [*layer_costs(record, image_size), total(record, image_size)]:
        print(
            f"| {cost.layer} | {cost.forward / 1e9:.2f} G | {cost.tangent / 1e9:.2f} G | "
            f"{cost.forward_bytes / 1e6:.0f} | {cost.tangent_bytes / 1e6:.0f} |"
        )


if __name__ == "__main__":
    main()
