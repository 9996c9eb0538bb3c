"""What the toolkit costs, as ratios in one run: prints a table and writes it to benchmarks/README.md.

    make bench                                       about two minutes on two cores; nothing else should run
"""

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import numpy as np
from published_solver import published_solver

from dnnlib import load_generator, read_network, select_device
from utils.files import replacing
from utils.low_rank import factorize
from utils.regions import region_mask
from utils.sampling import random_codes
from utils.subspaces import default_lamb, gram_matrix

if TYPE_CHECKING:
    from dnnlib.generator import Generator

NETWORK = ROOT / "demo/demo128.pkl"
DIRECTION = ROOT / "directions/demo128/eyes.npy"


class Row(NamedTuple):
    """One line of the table."""

    what: str
    measured: str
    limit: str
    how: str


def best_time(function: Callable[[], object], repeats: int = 3) -> float:
    """Seconds of the fastest of several calls, after one that does not count."""
    function()
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        function()
        seconds.append(time.perf_counter() - start)
    return min(seconds)


def forward_time(generator: "Generator") -> tuple[float, int]:
    """Seconds an image of plain synthesis, in its best batch."""
    times = {}
    for batch in (1, 2, 4, 8, 16, 32, 64):
        ws = generator.mapping(random_codes(0, batch, generator.z_dim))
        times[batch] = best_time(lambda ws=ws: generator.synthesis(ws)) / batch
    best = min(times, key=times.get)
    return times[best], best


def jacobian_rows(generator: "Generator", ws: np.ndarray) -> list[Row]:
    forward, batch = forward_time(generator)
    seconds = best_time(lambda: generator.jacobian(ws))
    passes = forward * generator.w_dim
    reverse = reverse_row_time(ws) * generator.resolution**2
    return [
        Row("Jacobian of a sample, over w_dim plain forward passes", f"{seconds / passes:.2f}", "1.0 (at 256 and up)",
            f"{seconds:.2f} s; {generator.w_dim} passes {passes:.2f} s in batches of {batch}"),
        Row("Jacobian of a sample, over reverse mode", f"1 / {reverse / seconds:.0f}", "1 / 200 (256 x 256 outputs)",
            f"reverse mode {reverse:.0f} s, from 20 of {generator.resolution**2} rows"),
    ]


def reverse_row_time(ws: np.ndarray) -> float:
    """Seconds for one row of the Jacobian by reverse mode, a pixel at a time, as the published program does it."""
    import tensorflow as tf

    from dnnlib.networks import SynthesisNetwork

    synthesis = SynthesisNetwork(read_network(NETWORK), "float32")

    @tf.function
    def row(w: tf.Tensor, y: tf.Tensor, x: tf.Tensor) -> tf.Tensor:
        with tf.GradientTape() as tape:
            tape.watch(w)
            image, _ = synthesis.primal(tf.repeat(w[:, None], ws.shape[1], axis=1))
            value = tf.reduce_mean(image[0, y, x])
        return tape.gradient(value, w)

    w = tf.constant(ws[:, 0])
    return best_time(lambda: [row(w, tf.constant(64), tf.constant(4 * i)) for i in range(20)]) / 20


def factorization_row(jacobian: np.ndarray) -> Row:
    mask = region_mask("eyes", *jacobian.shape[:2])
    lamb = default_lamb(jacobian.shape[-1])
    matrices = [gram_matrix(jacobian, mask), gram_matrix(jacobian, ~mask)]
    ours = best_time(lambda: [factorize(m, lamb) for m in matrices])
    published = best_time(lambda: [published_solver(m, lamb) for m in matrices], repeats=1)
    ranks = [(factorize(m, lamb).rank, published_solver(m, lamb)[1]) for m in matrices]
    return Row("both factorizations of a sample, over the published solver", f"1 / {published / ours:.1f}",
               "1 / 50 (512-d)", f"64-d: {ours:.2f} s and {published:.2f} s; ranks ours, theirs: {ranks}")


def script_time(*arguments: str) -> float:
    start = time.perf_counter()
    subprocess.run([sys.executable, *arguments], check=True, capture_output=True, cwd=ROOT)
    return time.perf_counter() - start


def script_rows(generator: "Generator") -> list[Row]:
    forward, _ = forward_time(generator)
    with tempfile.TemporaryDirectory() as folder:
        def manipulate(total_num: int) -> float:
            return script_time("manipulate.py", str(NETWORK), str(DIRECTION), "--output_dir", f"{folder}/{total_num}",
                               "--total_num", str(total_num))

        seconds = (manipulate(110) - manipulate(10)) / (100 * 8)  # the difference leaves out the start
        script_time("compute_jacobian.py", str(NETWORK), "--output_dir", folder, "--total_num", "1")
        directions = script_time("compute_directions.py", f"{folder}/w_dataset_ffhq.npy", "--output_dir", folder)
    return [
        Row("images of manipulate.py per second, over bare synthesis", f"{forward / seconds:.2f}", "0.9",
            f"{1 / seconds:.0f} and {1 / forward:.0f} images/s"),
        Row("compute_jacobian.py --help", f"{script_time('compute_jacobian.py', '--help'):.2f} s", "1 s", ""),
        Row("compute_directions.py, one sample of the demo", f"{directions:.1f} s", "3 s", ""),
    ]


def main() -> None:
    device = select_device(None)
    print(device)
    generator = load_generator(NETWORK)
    ws = generator.mapping(random_codes(4, 1, generator.z_dim))
    rows = [*jacobian_rows(generator, ws), factorization_row(generator.jacobian(ws)), *script_rows(generator)]
    table = "| what | measured | limit | how |\n|---|---|---|---|\n"
    table += "".join(f"| {row.what} | {row.measured} | {row.limit} | {row.how} |\n" for row in rows)
    print(table)
    path = ROOT / "benchmarks/README.md"
    before, rest = path.read_text(encoding="utf-8").split("<!-- table -->\n")
    with replacing(path) as partial:
        partial.write_text(f"{before}<!-- table -->\n{device.split(' (')[0]}\n\n{table}<!-- end -->"
                           + rest.split("<!-- end -->")[1], encoding="utf-8")


if __name__ == "__main__":
    main()
