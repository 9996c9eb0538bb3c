"""Write a StyleGAN2 pickle with random weights, in the public layout, of any size: for benchmarks
and memory tests.

python benchmarks/make_network.py /tmp/f1024.pkl --config f
python benchmarks/make_network.py /tmp/e256.pkl --config e --resolution 256 --ada
"""

import argparse
import dataclasses
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np

from demo.initial import initial_network
from demo.tensorflow_pickle import write_network
from dnnlib.families.stylegan2.record import StyleGAN2Record

FMAP_BASE = {"e": 8192, "f": 16384}
CONV_CLAMP = 256.0  # StyleGAN2-ADA's


def random_network(
    config: str, resolution: int, w_dim: int = 512, ada: bool = False, seed: int = 1
) -> StyleGAN2Record:
    """Config e or f with random weights and noise inputs of random strength."""
    record = initial_network(resolution, w_dim, w_dim, 8, FMAP_BASE[config], 512, seed)
    generator = np.random.Generator(np.random.PCG64(seed))
    for name, array in record.arrays.items():
        if name.endswith("/noise"):
            record.arrays[name] = generator.normal(0, 0.1, array.shape).astype(np.float32)
    return dataclasses.replace(record, conv_clamp=CONV_CLAMP) if ada else record


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("path", help="network file to write")
    parser.add_argument(
        "--config", choices=FMAP_BASE, default="f", help="width of the layers (default: f)"
    )
    parser.add_argument(
        "--resolution", type=int, default=1024, choices=[2**r for r in range(2, 12)]
    )
    parser.add_argument("--w_dim", type=int, default=512, help="width of z and w (default: 512)")
    parser.add_argument("--ada", action="store_true", help="the StyleGAN2-ADA layout, with clamps")
    parser.add_argument("--seed", type=int, default=1, help="seed of the weights (default: 1)")
    args = parser.parse_args()
    write_network(
        random_network(args.config, args.resolution, args.w_dim, args.ada, args.seed), args.path
    )
    print(args.path)


if __name__ == "__main__":
    main()
