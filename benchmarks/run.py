"""What the toolkit costs, as ratios in one run: prints tables, writes them to benchmarks/README.md,
draws the plot.

make bench                                       about 40 minutes on two quiet cores
python benchmarks/run.py jacobian_1024           one part only, nothing written
"""

import contextlib
import importlib.util
import json
import math
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import numpy as np

from benchmarks.cost_model import total
from benchmarks.make_network import random_network
from benchmarks.plot import Line, save_log_log
from benchmarks.published_solver import published_solver
from benchmarks.random_stylegan3 import random_stylegan3
from demo.initial_biggan import initial_biggan
from demo.tensorflow_pickle import write_network
from dnnlib import load_generator, read_network, select_device
from dnnlib.families.biggan.record import BigGANRecord
from dnnlib.families.stylegan2.record import StyleGAN2Record
from dnnlib.record import NetworkRecord
from utils.editing.codes import random_codes
from utils.files.writing import replacing
from utils.method.directions import default_lamb, gram_matrices
from utils.method.low_rank import factorize
from utils.method.subspace import Subspace
from utils.method.workers import worker_processes
from utils.regions.region import region_mask

if TYPE_CHECKING:
    from dnnlib.generator import Generator

DEMO, DIRECTION = ROOT / "demo/demo128.pkl", ROOT / "directions/demo128/eyes.npy"
TRAINED = (
    ROOT / "benchmarks/gram_trained512.npz"
)  # M_f, M_b of `demo/train.py --w_dim 512`, sample 0 of seed 4, eyes
PUBLISHED = (
    ROOT / "benchmarks/published_solver.json"
)  # how the published solver ends on both samples
TIMED_STEPS = 30  # of it


class Row(NamedTuple):
    """One line of the table."""

    what: str
    measured: str
    limit: str
    how: str


def best_times(*functions: Callable[[], object], repeats: int = 3) -> list[float]:
    """Seconds of the fastest of several calls of each, in turns, so that what else goes on meets
    all of them alike."""
    seconds: list[list[float]] = []
    for _ in range(1 + repeats):
        seconds.append([])
        for function in functions:
            start = time.perf_counter()
            function()
            seconds[-1].append(time.perf_counter() - start)
    return [min(times) for times in zip(*seconds[1:], strict=True)]  # the first calls do not count


def make_generator(record: NetworkRecord) -> "Generator":
    from dnnlib.generator import (
        Generator,
    )  # imports TensorFlow, which the workers of a factorization do not need

    return Generator(record)


def codes(generator: "Generator", number: int = 1) -> np.ndarray:
    labels = None
    if generator.label_dim:
        labels = np.tile(np.eye(1, generator.label_dim, dtype=np.float32), (number, 1))
    return generator.mapping(random_codes(4, number, generator.z_dim), labels)


def image_and_sample_times(
    generator: "Generator", image_size: int, batches: tuple[int, ...], tangents: int
) -> tuple[dict[int, float], dict[int, float], dict[int, float]]:
    """By batch: seconds an image of plain synthesis, seconds a tangent, and seconds for the
    Jacobian of a sample.

    The last two come from the first batch of tangents and the first few.
    """
    ws = codes(generator, max(batches))
    whole = {
        batch: math.ceil(generator.edit_dim / batch) for batch in batches
    }  # batches of tangents
    few = {batch: min(1 + math.ceil(tangents / batch), whole[batch]) for batch in batches}

    directions = np.eye(generator.edit_dim)

    def push(batch: int, number: int) -> np.ndarray:
        return generator.linearize(ws[:1], image_size).push(directions[: number * batch], batch)

    images = [partial(generator.synthesis, ws[:batch]) for batch in batches]
    first = [partial(push, batch, 1) for batch in batches]
    part = [partial(push, batch, few[batch]) for batch in batches]
    seconds = np.reshape(best_times(*images, *first, *part), (3, len(batches)))
    times: tuple[dict[int, float], dict[int, float], dict[int, float]] = {}, {}, {}
    for batch, an_image, a_first, a_part in zip(batches, *seconds, strict=True):
        a_batch = (a_part - a_first) / (few[batch] - 1) if few[batch] > 1 else a_first
        times[0][batch], times[1][batch] = an_image / batch, a_batch / batch
        times[2][batch] = a_first + (whole[batch] - 1) * a_batch
    return times


def jacobian_row(
    record: StyleGAN2Record,
    name: str,
    image_size: int,
    limit: str,
    batches: tuple[int, ...],
    tangents: int,
) -> tuple[Row, float]:
    """The ratio to plain forward passes, and the seconds of a whole sample. The toolkit's own batch
    is among them."""
    generator = make_generator(record)
    images, tangent_times, samples = image_and_sample_times(
        generator, image_size, batches, tangents
    )
    costs = total(record, image_size)
    for batch in batches:
        image, tangent = images[batch], tangent_times[batch]
        print(
            f"{name}, batch {batch}: forward {image * 1e3:.1f} ms, "
            f"{2e-9 * costs.forward / image:.0f} GFLOP/s; tangents {tangent * 1e3:.1f} ms, "
            f"{2e-9 * costs.tangent / tangent:.0f} GFLOP/s",
            flush=True,
        )
    batch, forward = min(images.items(), key=lambda item: item[1])
    seconds, tangent = samples[generator.batch_size], tangent_times[generator.batch_size]
    how = (
        f"{seconds:.1f} s a sample, from {min(tangents + generator.batch_size, generator.w_dim)} "
        f"of {generator.w_dim} tangents; a tangent {tangent * 1e3:.1f} ms in batches of "
        f"{generator.batch_size} ({2e-9 * costs.tangent / tangent:.0f} GFLOP/s), an image "
        f"{forward * 1e3:.1f} ms in batches of {batch} ({2e-9 * costs.forward / forward:.0f} "
        "GFLOP/s)"
    )
    return Row(
        f"Jacobian of a sample over w_dim plain forward passes, {name}",
        f"{seconds / (forward * generator.w_dim):.2f}",
        limit,
        how,
    ), seconds


def reverse_row_time(record: StyleGAN2Record, rows: int) -> float:
    """Seconds for one row of the Jacobian by reverse mode, a pixel at a time, as the published
    program does it."""
    import tensorflow as tf

    from dnnlib.families.stylegan2.network import StyleGAN2

    network = StyleGAN2(record, "float32")

    @tf.function
    def row(w: tf.Tensor, y: tf.Tensor, x: tf.Tensor) -> tf.Tensor:
        with tf.GradientTape() as tape:
            tape.watch(w)
            image, _ = network.primal(tf.repeat(w[:, None], record.num_layers, axis=1))
            value = tf.reduce_mean(image[0, y, x])
        return tape.gradient(value, w)

    w = tf.constant(random_codes(4, 1, record.w_dim), tf.float32)
    middle = tf.constant(record.resolution // 2)
    return (
        best_times(lambda: [row(w, middle, tf.constant(i)) for i in range(rows)], repeats=2)[0]
        / rows
    )


def jacobian_256() -> list[Row]:
    record = random_network("e", 256)
    row, seconds = jacobian_row(record, "config-e, 256 x 256", 256, "1.0", (4, 16, 32), 32)
    reverse = reverse_row_time(record, 5) * 256**2
    return [
        row,
        Row(
            "the same over reverse mode, 256 x 256 outputs",
            f"1 / {reverse / seconds:.0f}",
            "1 / 200",
            f"reverse mode {reverse / 3600:.1f} hours, from 5 of 65,536 rows",
        ),
    ]


def jacobian_1024() -> list[Row]:
    row, _ = jacobian_row(
        random_network("f", 1024), "config-f, 1024 x 1024 at 256", 256, "0.85", (1, 2, 4), 8
    )
    return [row]


def convolution_seconds(record: StyleGAN2Record, batch: int) -> float:
    """Of an image: what TensorFlow's own convolutions of a pass take, and nothing else."""
    import tensorflow as tf

    seconds, inputs = 0.0, record.arrays["const"].shape[2]
    for height in record.resolutions:
        for name in ("conv0", "conv1"):
            if (values := record.arrays.get(f"{height}/{name}/weight")) is None:
                continue
            weight, outputs = tf.constant(values), values.shape[3]
            side = height // 2 if name == "conv0" else height
            x = tf.random.stateless_normal([batch, side, side, inputs], [4, height])
            shape = [batch, 2 * side + 1, 2 * side + 1, outputs]
            turned = tf.transpose(weight, [0, 1, 3, 2])
            run = (
                partial(tf.nn.conv2d_transpose, x, turned, shape, 2, "VALID")
                if name == "conv0"
                else partial(tf.nn.conv2d, x, weight, 1, "SAME")
            )
            seconds += best_times(tf.function(run))[0]
            inputs = outputs
    return seconds / batch


def image_and_tangent_times(generator: "Generator", batch: int) -> tuple[float, float]:
    """Seconds of an image, and of a tangent resized to 256, in batches."""
    ws, tangents = codes(generator, batch), np.eye(generator.edit_dim)[:batch]
    linear = generator.linearize(ws[:1], 256)
    image, tangent = best_times(
        partial(generator.synthesis, ws), partial(linear.push, tangents, batch)
    )
    return image / batch, tangent / batch


def convolutions() -> list[Row]:
    """A forward pass and a tangent over the convolutions of a pass."""
    rows = []
    for config, resolution, batch, limits in (
        ("e", 256, 16, ("0.85", "0.75")),
        ("f", 256, 8, ("0.85", "0.75")),
        ("f", 1024, 2, ("0.85", "0.65")),
    ):
        record = random_network(config, resolution)
        bare, generator = convolution_seconds(record, batch), make_generator(record)
        image, tangent = image_and_tangent_times(generator, batch)
        name = f"of TensorFlow's own convolutions of a pass, config-{config}, {resolution}"
        how = f"{bare * 1e3:.0f} ms an image, all of it {image * 1e3:.0f}, a tangent "
        how += f"{tangent * 1e3:.0f}, in batches of {batch}"
        rows.append(
            Row(f"a forward pass over the time {name}", f"{image / bare:.2f}", limits[0], how)
        )
        rows.append(Row("a tangent at 256, likewise", f"{tangent / bare:.2f}", limits[1], ""))
    return rows


def rounding() -> list[Row]:
    """How far images of a large network are from those in double precision, with Winograd's
    convolutions and with TensorFlow's."""
    from dnnlib.generator import Generator

    record = random_network("f", 1024)
    exact = Generator(record, "float64")
    code = codes(exact, 1)
    expected = exact.synthesis(code)
    del exact

    def error(generator: "Generator") -> float:
        return float(np.abs(generator.synthesis(code) - expected).max() / np.abs(expected).max())

    winograd = error(make_generator(record))
    with plain_convolutions():
        plain = error(make_generator(record))
    name = "largest error of an image against float64, config-f, 1024, all 18 layers"
    return [Row(name, f"{winograd:.1e}", "1e-4", f"{plain:.1e} with TensorFlow's convolutions")]


@contextlib.contextmanager
def plain_convolutions() -> Iterator[None]:
    """Graphs that are first run in here have TensorFlow's convolutions."""
    from dnnlib import winograd

    fewest, winograd.FEWEST_CHANNELS = winograd.FEWEST_CHANNELS, 1 << 30
    try:
        yield
    finally:
        winograd.FEWEST_CHANNELS = fewest


def pytorch() -> list[Row]:
    """Images and Jacobians of the same network in PyTorch, where that is installed."""
    config = "e"
    generator = make_generator(random_network(config, 256))
    theirs = pytorch_times(config, 256, generator, compiles=True)
    if not theirs:
        return []
    image, tangent = image_and_tangent_times(generator, min(generator.batch_size, 16))
    compiled = f"{1 / theirs['compiled']:.1f} compiled" if "compiled" in theirs else "not compiled"
    eager, jvp = theirs["eager"], theirs["jvp"]
    return [
        Row(
            "images per second over PyTorch's in eager mode, config-e, 256",
            f"{eager / image:.2f}",
            "1.5 (at least)",
            f"{1 / image:.1f} and {1 / eager:.1f}; {compiled}; each in its best batch",
        ),
        Row(
            "tangents per second over PyTorch's, config-e, 256",
            f"{jvp / tangent:.2f}",
            "3 (at least)",
            f"{1 / tangent:.1f} and {1 / jvp:.1f}, by torch.func.jvp under vmap",
        ),
    ]


def pytorch_times(
    config: str, resolution: int, generator: "Generator", compiles: bool = False
) -> dict[str, float]:
    """Seconds an image in eager mode and compiled, and a tangent, each in the best batch; in
    another process, as PyTorch and TensorFlow do not bear each other. Empty without PyTorch."""
    if not importlib.util.find_spec("torch"):
        print("PyTorch is not installed, so it is left out: pip install torch")
        return {}
    ws = codes(generator, min(generator.batch_size, 16))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "w.npy"
        np.save(path, ws[:, 0])
        script = ["benchmarks/pytorch_stylegan2.py", config, str(resolution), str(path)]
        done = subprocess.run(
            [sys.executable, *script, *["compile"] * compiles],
            check=True,
            capture_output=True,
            text=True,
            cwd=ROOT,
        )
        theirs, ours = np.load(path.with_suffix(".image.npy")), generator.synthesis(ws[:1])
    if not np.abs(theirs - ours).max() < 1e-4 * np.abs(ours).max():
        raise RuntimeError("PyTorch's images are others than ours")
    return json.loads(done.stdout.splitlines()[-1])


def random_biggan() -> BigGANRecord:
    """BigGAN 256 with random weights, ch 96."""
    channels = tuple(96 * multiple for multiple in (16, 16, 8, 8, 4, 2, 1))
    return initial_biggan(channels, 20, 1000, 128, attention_after=4, seed=1)


def jacobian_biggan() -> list[Row]:
    """BigGAN 256, whose Jacobian has 140 columns; without the counts of operations of the rest."""
    generator = make_generator(random_biggan())
    some, columns, batch = codes(generator, 4), generator.edit_dim, 4
    linear = generator.linearize(some[:1], 256)
    linear.push(np.eye(columns)[:batch], batch)  # compiles it
    start = time.perf_counter()
    linear.jacobian(batch)
    seconds = time.perf_counter() - start
    *times, linearization = best_times(
        *(partial(generator.synthesis, some[:count]) for count in (2, 4)),
        partial(generator.linearize, some[:1], 256),
    )
    seconds += linearization
    forward = min(times[0] / 2, times[1] / 4)
    how = (
        f"{seconds:.0f} s a sample in batches of {batch}, an image {forward:.2f} s in the better "
        "of batches of 2 and 4"
    )
    ratio = f"{seconds / (forward * columns):.2f}"
    name = f"Jacobian of a sample over {columns} plain forward passes, BigGAN 256, ch 96"
    return [Row(name, ratio, "1.0", how)]


def jacobian_stylegan3() -> list[Row]:
    """StyleGAN3-T at 1024, from a few of its 512 columns: all would take hours."""
    generator = make_generator(random_stylegan3(1024))
    code = codes(generator, 1)
    linear, batch = generator.linearize(code, 256), generator.batch_size
    tangents = np.eye(generator.edit_dim)[:batch]
    forward, seconds = best_times(
        partial(generator.synthesis, code), partial(linear.push, tangents, batch)
    )
    how = f"an image {forward:.1f} s, a tangent {seconds / batch:.1f} s in batches of {batch}"
    name = "a tangent over a plain forward pass, StyleGAN3-T at 1024, resized to 256"
    return [Row(name, f"{seconds / batch / forward:.2f}", "1.0", how)]


def jacobian_demo() -> list[Row]:
    record = read_network(DEMO)
    assert isinstance(record, StyleGAN2Record)
    row, _ = jacobian_row(record, "demo, 128 x 128, w of 64", 128, "none", (1, 4, 16, 32, 64), 64)
    return [row]


def factorization() -> list[Row]:
    published = json.loads(PUBLISHED.read_text(encoding="utf-8"))
    return [
        factorization_row(name, matrices, published[name])
        for name, matrices in gram_cases().items()
    ]


def gram_cases() -> dict[str, list[np.ndarray]]:
    """M_f and M_b of two 512-d samples."""
    generator = make_generator(random_network("e", 128))
    jacobian = generator.jacobian(codes(generator))
    with np.load(TRAINED) as trained:
        return {
            "random weights": list(gram_matrices(jacobian, region_mask("eyes", 128, 128))),
            "trained": [trained["foreground"].astype(float), trained["background"].astype(float)],
        }


def factorization_row(
    name: str, matrices: list[np.ndarray], published: list[dict[str, float]]
) -> Row:
    lamb = default_lamb(512)
    with worker_processes() as workers:
        list(workers.map(abs, range(2)))  # they have started

        def both() -> list[Subspace]:
            return list(workers.map(factorize, matrices, [lamb] * 2))

        ours, a_part, svd = best_times(
            both,
            lambda: published_solver(matrices[0], lamb, TIMED_STEPS),
            lambda: list(workers.map(np.linalg.svd, matrices[:1])),
        )
        results = both()
        exact = list(workers.map(exact_solution, matrices, [lamb] * 2))
    theirs = a_part / TIMED_STEPS * sum(end["steps"] for end in published)
    lines = [
        f"{part}: rank {result.rank} (converged {truth.rank}, published {end['rank']}), "
        f"{result.stats['steps']} steps (published {end['steps']:,}), "
        f"{angle_text(angle(result.principal.T, truth))} from the converged principal "
        f"space (published {angle_text(end['angle'])})"
        for part, result, truth, end in zip(
            ("foreground", "background"), results, exact, published, strict=True
        )
    ]
    return Row(
        f"both factorizations of a 512-d sample over the published solver, {name}",
        f"1 / {theirs / ours:.0f}",
        "1 / 50",
        f"{ours:.1f} s, {ours / svd:.0f} full SVDs (12 asked for), and {theirs:.0f} s from "
        f"{TIMED_STEPS} of its steps; " + "; ".join(lines),
    )


def exact_solution(matrix: np.ndarray, lamb: float) -> Subspace:
    """The same problem, ten thousand times as exact."""
    return factorize(matrix, lamb, error_limit=1e-9)


def published_steps() -> list[Row]:
    """Runs the published solver to its end, by faster decompositions, and keeps what came of it for
    `factorization`."""
    lamb, cases = default_lamb(512), gram_cases()
    with worker_processes() as workers:
        matrices = [matrix for pair in cases.values() for matrix in pair]
        exact = list(workers.map(exact_solution, matrices, [lamb] * len(matrices)))
        ends = list(workers.map(published_end, matrices, [lamb] * len(matrices)))
    parts = [
        {"steps": steps, "rank": rank, "angle": angle(np.linalg.svd(low)[0][:, :rank], truth)}
        for (low, rank, steps), truth in zip(ends, exact, strict=True)
    ]
    PUBLISHED.write_text(
        json.dumps({name: parts[2 * i : 2 * i + 2] for i, name in enumerate(cases)}, indent=2)
        + "\n",
        encoding="utf-8",
    )
    return []


def published_end(matrix: np.ndarray, lamb: float) -> tuple[np.ndarray, int, int]:
    return published_solver(matrix, lamb, full_svd=False)


def angle(space: np.ndarray, truth: Subspace) -> float | None:
    """The largest angle between the columns of `space` and the true principal space, in radians;
    None: another rank."""
    if space.shape[1] != truth.rank:
        return None
    return float(np.arcsin(min(1.0, float(np.linalg.norm(truth.complement @ space, 2)))))


def angle_text(radians: float | None) -> str:
    return "not comparable" if radians is None else f"{radians:.0e} rad"


def run_script(*arguments: object) -> None:
    subprocess.run(
        [sys.executable, *map(str, arguments)], check=True, capture_output=True, cwd=ROOT
    )


def manipulate() -> list[Row]:
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        network, plain = Path(folder) / "e256.pkl", Path(folder) / "plain.npy"
        write_network(random_network("e", 256), network)
        np.save(plain, np.eye(1, 512))
        np.save(
            Path(folder) / "eyes.npy", np.load(DIRECTION)
        )  # nothing beside it that names a region
        for name, path, direction, more, few, many, batch in (
            ("demo", DEMO, DIRECTION, "heat maps", 10, 210, 64),
            ("demo", DEMO, Path(folder) / "eyes.npy", "no region", 10, 210, 64),
            ("demo", DEMO, Path(folder) / "eyes.npy", "--save_raw", 10, 210, 64),
            ("config-e, 256 x 256", network, plain, "no region", 2, 14, 32),
            ("config-e, 256 x 256", network, plain, "--save_raw", 2, 14, 32),
        ):
            generator = load_generator(path)
            with plain_convolutions():
                generator.synthesis(codes(generator, batch))  # builds the graph
            edit = partial(edit_images, path, direction, folder, more == "--save_raw")
            bare, a_few, a_many = best_times(
                partial(generator.synthesis, codes(generator, batch)),
                partial(edit, few),
                partial(edit, many),
                repeats=2,
            )
            forward, an_image = (
                bare / batch,
                (a_many - a_few) / ((many - few) * 8),
            )  # the difference: without the start
            rows.append(
                Row(
                    f"images of manipulate.py per second over bare synthesis with TensorFlow's "
                    f"convolutions, {name}, {more}",
                    f"{forward / an_image:.2f}",
                    "none" if more == "--save_raw" else "1.0",
                    f"{1 / an_image:.1f} and {1 / forward:.1f} images/s",
                )
            )
    return rows


def edit_images(path: Path, direction: Path, folder: str, raw: bool, total_num: int) -> None:
    run_script(
        "manipulate.py",
        path,
        direction,
        "--total_num",
        total_num,
        "--output_dir",
        tempfile.mkdtemp(dir=folder),
        *["--save_raw"] * raw,
    )


MEMORY = """
import re, sys
import numpy as np
from dnnlib import load_generator, select_device
select_device("cpu")
from dnnlib.generator import Generator
from benchmarks.random_stylegan3 import random_stylegan3
from benchmarks.run import random_biggan
def peak():
    # Not of who started it.
    return int(re.search(r"VmHWM:\\s+(\\d+)", open("/proc/self/status").read())[1]) / 2**20
imports = peak()
made = {"biggan": random_biggan, "stylegan3": lambda: random_stylegan3(1024)}.get(sys.argv[1])
generator = Generator(made()) if made else load_generator(sys.argv[1])
loaded = peak()
labels = np.eye(generator.label_dim)[:1] if made and generator.label_dim else None
ws = generator.mapping(np.random.RandomState(4).randn(1, generator.z_dim), labels)
# The part of it that is timed leaves most untouched.
whole = np.ones((256, 256, 1, generator.edit_dim), np.float32)
generator.linearize(ws, 256).push(np.eye(generator.edit_dim)[: 3 * generator.batch_size])
print(loaded - imports, peak() - imports)
"""


def memory() -> list[Row]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "f1024.pkl"
        record = random_network("f", 1024)
        write_network(record, path)
        loading, jacobian = jacobian_memory(path)
        bound = (
            2 * sum(array.nbytes for array in record.arrays.values()) + path.stat().st_size
        ) / 2**30
        few, many = (sample_memory(folder, total_num) for total_num in (2, 40))
    biggan, stylegan3 = (jacobian_memory(name)[1] for name in ("biggan", "stylegan3"))
    return [
        Row(
            "memory over the imports, loading config-f 1024",
            f"{loading:.2f} GiB",
            f"{bound:.2f} GiB",
            "twice the averaged generator, and the file",
        ),
        Row(
            "memory over the imports, Jacobian of config-f 1024 at 256",
            f"{jacobian:.1f} GiB",
            "6 GiB",
            "3 batches of tangents",
        ),
        Row(
            "the same of BigGAN 256, and of StyleGAN3-T at 1024",
            f"{biggan:.1f}, {stylegan3:.1f} GiB",
            "6, 8 GiB",
            "the same",
        ),
        Row(
            "memory of compute_jacobian.py, 40 samples over 2, demo",
            f"{many / few:.2f}",
            "1 (flat)",
            f"{many:.2f} and {few:.2f} GiB",
        ),
    ]


def jacobian_memory(network: str | Path) -> tuple[float, float]:
    """GiB over the imports, of loading a network and of a few batches of its Jacobian."""
    done = subprocess.run(
        [sys.executable, "-c", MEMORY, network],
        check=True,
        cwd=ROOT,
        text=True,
        capture_output=True,
    )
    loading, jacobian = map(float, done.stdout.split())
    return loading, jacobian


def sample_memory(folder: str, total_num: int) -> float:
    """Peak memory in GiB of compute_jacobian.py on the demo."""
    code = (
        "import resource, subprocess, sys; subprocess.run([sys.executable, *sys.argv[1:]], "
        "check=True, stdout=subprocess.DEVNULL); "
        "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 2**20)"
    )
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            code,
            "compute_jacobian.py",
            DEMO,
            "--total_num",
            str(total_num),
            "--output_dir",
            f"{folder}/{total_num}",
            "--gpu_id",
            "cpu",
        ],
        check=True,
        cwd=ROOT,
        text=True,
        capture_output=True,
    )
    return float(done.stdout)


def start() -> list[Row]:
    with tempfile.TemporaryDirectory() as folder:
        run_script("compute_jacobian.py", DEMO, "--output_dir", folder, "--total_num", 1)
        helping, directions = best_times(
            partial(run_script, "compute_jacobian.py", "--help"),
            partial(
                run_script,
                "compute_directions.py",
                f"{folder}/w_dataset_demo128.npy",
                "--output_dir",
                folder,
            ),
        )
    return [
        Row("compute_jacobian.py --help", f"{helping:.2f} s", "1 s", ""),
        Row("compute_directions.py, one sample of the demo", f"{directions:.1f} s", "3 s", ""),
    ]


def plot() -> list[Row]:
    """Seconds of a sample against image size and w_dim, with plain forward passes and reverse
    mode."""
    sizes, widths = (32, 64, 128), (64, 128, 256, 512)
    panels = []
    for title, records in (
        ("image size, w of 512", {size: random_network("e", size) for size in sizes}),
        ("w_dim, 64 x 64", {width: random_network("e", 64, width) for width in widths}),
    ):
        ours, forward, reverse, pytorch = {}, {}, {}, {}
        for x, record in records.items():
            generator = make_generator(record)
            batch = min(generator.batch_size, 16)
            images, _, samples = image_and_sample_times(generator, record.resolution, (batch,), 16)
            ours[x], forward[x] = samples[batch], images[batch] * record.w_dim
            reverse[x] = reverse_row_time(record, 5) * record.resolution**2
            if times := pytorch_times("e", record.resolution, generator):
                pytorch[x] = times["jvp"] * record.w_dim
            print(
                f"{title}, {x}: Jacobian {ours[x]:.2f} s, forward {forward[x]:.2f} s, reverse "
                f"{reverse[x]:.0f} s",
                flush=True,
            )
        panels.append(
            (
                title,
                [
                    Line("reverse mode, a row at a time", reverse, "#b5532a"),
                    *([Line("PyTorch, jvp in batches", pytorch, "#c99a2e")] if pytorch else []),
                    Line("w_dim forward passes", forward, "#8a8f98"),
                    Line("this toolkit", ours, "#1f6fb2"),
                ],
            )
        )
    save_log_log(
        ROOT / "benchmarks/jacobian_time.png",
        "seconds for the Jacobian of a sample, config-e",
        panels,
    )
    return []


PARTS = {
    part.__name__: part
    for part in (
        convolutions,
        rounding,
        pytorch,
        jacobian_256,
        jacobian_1024,
        jacobian_biggan,
        jacobian_stylegan3,
        jacobian_demo,
        factorization,
        manipulate,
        memory,
        start,
        plot,
    )
}
ONCE = {part.__name__: part for part in (published_steps,)}  # too long for `make bench`


def table(rows: list[Row]) -> str:
    lines = "".join(f"| {row.what} | {row.measured} | {row.limit} | {row.how} |\n" for row in rows)
    head = "| what | measured | at most (images per second: at least) | how |"
    return f"{head}\n|---|---|---|---|\n{lines}"


def main() -> None:
    device = select_device(None)
    print(device)
    chosen = sys.argv[1:] or list(PARTS)
    parts = PARTS | ONCE
    if unknown := set(chosen) - set(parts):
        sys.exit(f"error: no part {', '.join(unknown)}; expected some of {', '.join(parts)}")
    rows = []
    for name in chosen:
        rows += parts[name]()
        print(table(rows), flush=True)
    if sys.argv[1:]:
        return
    path = ROOT / "benchmarks/README.md"
    before, rest = path.read_text(encoding="utf-8").split("<!-- table -->\n")
    with replacing(path) as partial:
        partial.write_text(
            f"{before}<!-- table -->\ndevice: {device.name}\n\n{table(rows)}<!-- end -->"
            + rest.split("<!-- end -->")[1],
            encoding="utf-8",
        )


if __name__ == "__main__":
    os.chdir(ROOT)
    main()
