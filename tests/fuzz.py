"""Damaged and hostile files for every reader: each is refused in one line or read rightly, in
bounded time and memory.

    python tests/fuzz.py --seconds 3600 --seed 1
    python tests/fuzz.py --seed 1 --case 48210      that one again, with what the reader says

Case i of a seed is the same file wherever the same versions are installed; it is made by
tests/damage.py. The file of every finding stays in --folder. Exit status 1 if there is a finding.
"""

import argparse
import contextlib
import faulthandler
import functools
import io
import json
import os
import pickle
import shutil
import signal
import subprocess
import sys
import tarfile
import time
import warnings
from collections.abc import Callable, Iterable
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "dnnlib")]

import numpy as np
from damage import damaged
from PIL import Image
from tensorflow_files import edited_pickle, image_channels, settings
from torch_files import archive, arrays_of, dumps, plain, stream

from dnnlib import InputError, read_latents, read_network
from dnnlib.class_names import read_class_names
from dnnlib.containers import safe_pickle, torch_file
from dnnlib.containers.torch_file import CHECKPOINTS
from dnnlib.containers.torch_modules import MODULES
from dnnlib.describe import describe
from dnnlib.directions import read_directions
from dnnlib.families.biggan.record import BigGANRecord
from dnnlib.families.progan.record import ProGANRecord
from dnnlib.families.stylegan1.record import StyleGAN1Record
from dnnlib.families.stylegan2.record import StyleGAN2Record
from dnnlib.families.stylegan3.record import StyleGAN3Record
from dnnlib.latents import fit_codes
from dnnlib.record import NetworkRecord
from utils.cli.options import JacobianOptions
from utils.files.arrays import read_npy
from utils.files.output_folder import is_same_run
from utils.files.sidecar import FACTS_MEMORY, Facts, read_json
from utils.regions import masks as mask_files
from utils.regions import segmentations as label_maps
from utils.regions.region import region_from_facts
from utils.results.jacobian_run import JacobianRun

MOST_SECONDS = 10  # of processor time, for a case
LONGEST_MESSAGE = 1500  # characters
SLACK = 24 << 20  # bytes of memory beside what a reader states: the interpreter's own
# What no reader does, by the names of Python's audit events.
FORBIDDEN = (
    "os.system",
    "os.exec",
    "os.posix_spawn",
    "os.fork",
    "subprocess.Popen",
    "pickle.find_class",
)


class Finding(Exception):
    """What a reader must not do."""


def expect(condition: Any, finding: str) -> None:
    if not condition:
        raise Finding(finding)


# Good files ---------------------------------------------------------------------------------------


def written(write: Callable[..., Any], *arguments: Any, **more: Any) -> bytes:
    file = io.BytesIO()
    write(file, *arguments, **more)
    return file.getvalue()


def npy(array: Any) -> bytes:
    return written(np.save, array)


def png(image: Image.Image) -> bytes:
    return written(image.save, "PNG", compress_level=0)


DATA = ROOT / "tests" / "data"
CODES = np.linspace(-2, 2, 3 * 6 * 24, dtype=np.float32).reshape(3, 6, 24)


def packed(folder: str) -> bytes:
    """A .tar.gz of a folder, not compressed: else hardly any damage would get past gzip."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:gz", compresslevel=0) as archive:
        archive.add(DATA / folder, ".")
    return file.getvalue()


def networks() -> dict[str, bytes]:
    """Those of the golden data, and their networks in other forms."""
    files = {path.name: path.read_bytes() for path in sorted(DATA.glob("*.p[kt]*"))}
    with open(DATA / "ros_old_16.pt", "rb") as file:
        rosinality_16 = plain(torch_file.parse(file, CHECKPOINTS))
    with open(DATA / "pt_label_orig_16.pkl", "rb") as file:
        ada_16 = plain(safe_pickle.unpickle(file, MODULES))["G_ema"]
    files |= {
        "ros_zip_16.pt": archive(rosinality_16),
        "ros_bare_16.pt": stream(rosinality_16["g_ema"]),
        "pt_alone_16.pkl": dumps(ada_16),
        "pt_tuned_16.pt": archive(ada_16),
        "pt_arrays_16.pt": archive({"G_ema": dict(arrays_of(ada_16)), "G": {}}),
        "biggan_hub_32.tar.gz": packed("biggan_hub_32"),
        "biggan_hub_deep_32.tar.gz": packed("biggan_hub_deep_32"),
    }
    return files


def forks() -> dict[str, bytes]:
    """Networks of programs that were made from StyleGAN's."""
    changes = {
        "diffaugment": ("tf_label_32", settings(impl="cuda", epochs=0.0), lambda network: network),
        "skyflynil": (
            "tf_orig_16",
            settings(min_h=4, min_w=4, res_log2=2),
            lambda network: (network, network),
        ),
        "eps696": (
            "ada_label_16",
            settings(init_res=[4, 4], output_shape=[None, 3, 16, 16], square=True),
            None,
        ),
        "alpha": ("tf_orig_16", image_channels(4), None),
    }
    files = {}
    for name, (source, edit, pack) in changes.items():
        more = {"pack": pack} if pack else {}
        files[f"{name}.pkl"] = edited_pickle(DATA / f"{source}.pkl", edit, 4, **more)
    return files


def latents() -> dict[str, bytes]:
    """Latent codes in every form."""
    by_name = {"a.png": [CODES[0], CODES[1]], "b.png": [CODES[2]]}
    return {
        "z.npy": npy(CODES[0]),
        "w_plus.npy": npy(CODES.astype(float)),
        "half.npy": npy(CODES.astype(np.float16)),
        "names.npy": npy(by_name),
        "list.npy": npy(np.array([{"latent": CODES[0]}, None], object)),
        "w.npz": written(np.savez, w=CODES),
        "more.npz": written(np.savez, dlatents=CODES, images=CODES[:1]),
        "compressed.npz": written(np.savez_compressed, latents=CODES),
        "objects.npz": written(np.savez, w=np.array(by_name)),
        "stream.pt": stream({"latent": CODES}),
        "zip.pt": archive({"w": CODES, "other": [CODES[0]]}),
        "array.pkl": pickle.dumps({"w": CODES, "z": None}),
        "tensors.pkl": dumps([CODES[:1], CODES[1:2]]),
        "half.pt": archive(CODES.view("<u2")[..., ::2].view("V2")),
        "projected.pt": stream(
            {"a.png": {"img": CODES[0], "latent": CODES[1, 0], "noise": [CODES[2]]}}
        ),
    }


def directions() -> dict[str, bytes]:
    """Directions in every form."""
    rows = np.eye(24, dtype=np.float32)[:, None]
    return {
        "rows.npy": npy(rows[:3]),
        "layers.npy": npy(CODES),
        "list.pkl": pickle.dumps([*rows[:3]]),
        "age.pt": stream(rows),
        "ganspace.npz": written(
            np.savez_compressed, act_comp=CODES, lat_comp=rows, lat_stdev=rows[:, 0, 0]
        ),
        "factor.pt": archive({"ckpt": "a.pt", "eigvec": rows[:, 0]}),
        "named.pkl": dumps({"comp": rows, "name": "a"}),
    }


def arrays() -> dict[str, bytes]:
    """Arrays of every kind."""
    numbers = np.arange(-60, 60, dtype=np.float32).reshape(2, 3, 4, 1, 5)
    return {
        "float.npy": npy(numbers),
        "double.npy": npy(numbers[0, 0, :, 0].astype(float)),
        "empty.npy": npy(numbers[:0]),
        "integer.npy": npy(numbers.astype(np.int16)),
        "big_endian.npy": npy(numbers.astype(">f4")),
        "columns.npy": npy(np.asfortranarray(numbers[0, 0, :, 0])),
        "objects.npy": npy(np.array([{"a": 1}], object)),
    }


def masks() -> dict[str, bytes]:
    """Masks and label maps."""
    inside = np.zeros((12, 16), np.uint8)
    inside[3:7, 4:11] = 5
    grey = Image.fromarray(inside)
    palette = grey.convert("P")
    palette.putpalette([value for i in range(256) for value in (i, 0, 255 - i)])
    in_code = grey.copy()
    in_code.putpalette(bytes.fromhex(label_maps.COLOURS["celebamask"].replace(" ", "")))
    return {
        "grey.png": png(grey),
        "bit.png": png(grey.point(lambda value: 255 * (value > 0), "1")),
        "palette.png": png(palette),
        "colour.png": png(palette.convert("RGBA")),
        "labels.png": png(in_code),
        "coded.png": png(in_code.convert("RGB")),
        "grey3.png": png(grey.convert("RGB")),
        "one.npy": npy(inside[None]),
        "colours.npy": npy(np.asarray(in_code.convert("RGB"))),
        "deep.png": png(Image.fromarray(inside.astype(np.uint16) * 9999)),
        "map.npy": npy(inside),
        "flags.npy": npy(inside > 0),
        "long.npy": npy(inside.astype(np.longdouble)),
    }


def facts() -> dict[str, bytes]:
    """What stands in the JSON beside an output."""
    of_directions = {
        "options": {"seed": 4, "image_size": 16, "start": 0, "end": 1, "d_name": "x"},
        "network_sha256": "0" * 64,
        "directions_sha256": ["1" * 64],
        "latents_sha256": None,
        "batch_size": 8,
        "device": "CPU",
        "samples": 2,
        "region": "eyes",
        "region_options": {"box": [120, 128, 20, 115], "invert": True},
        "latent_space": "w",
        "sample": 0,
        "projected": True,
        "converged": True,
        "foreground": {"rank": 1},
        "background": {"rank": 3},
        "norm_kept": [0.5],
        "after_projection": {"inside": [2.0], "outside": [1.0], "ratio": [2.0]},
    }
    labels = {"region_options": {"segmentation": "map.png", "labels": [4, 5]}, "options": {}}
    names = {
        "region_options": {"segmentation": "map.png", "labels": ["hair"], "parser": "bisenet"},
        "options": {},
    }
    return {
        "facts.json": json.dumps(of_directions).encode(),
        "labels.json": json.dumps(labels).encode(),
        "names.json": json.dumps(names).encode(),
    }


@functools.cache
def originals() -> dict[str, dict[str, bytes]]:
    """By the kind of reader and name; most are small, so that a case is quick."""
    good = {
        "network": networks() | forks(),
        "latents": latents(),
        "directions": directions(),
        "npy": arrays(),
    }
    everything = good["latents"] | good["directions"] | good["npy"] | good["network"]
    config = {"config.json": (DATA / "biggan_hf_32" / "config.json").read_bytes()}
    return good | {
        "inspect": everything,
        "facts": facts(),
        "mask": masks(),
        "settings": config,
    }


# What is right: each reads a file, and raises the error of its refusal, or Finding ----------------


class Untaken:
    """The arrays of a record that were not checked yet."""

    def __init__(self, record: StyleGAN2Record) -> None:
        self.arrays = dict(record.arrays)

    def take(self, name: str, *shape: int | None) -> tuple[int, ...]:
        """The shape of an array, which must be finite and float32, and fit."""
        values = self.arrays.pop(name, None)
        if not isinstance(values, np.ndarray) or values.dtype != np.float32:
            raise Finding(f"{name} is no float32 array")
        same = len(values.shape) == len(shape) and all(
            map(lambda n, e: e in (None, n), values.shape, shape)
        )
        expect(same, f"{name} has shape {values.shape}, not {shape}")
        expect(np.isfinite(values).all(), f"{name} is not finite")
        return values.shape


def check_network(path: Path) -> None:
    """The arrays are finite, fit one another, and are those of the settings."""
    record = read_network(path)
    for name in ("z_dim", "label_dim", "resolution", "num_channels"):
        expect(type(getattr(record, name)) is int, f"{name} is no whole number")
    expect(
        all(note.isprintable() and len(note) < 300 for note in record.notes),
        f"notes {record.notes}",
    )
    expect(record.num_channels <= 64, f"{record.num_channels} channels of images")
    check = {
        "biggan": check_biggan,
        "progan": check_progan,
        "stylegan1": check_stylegan1,
        "stylegan2": check_stylegan2,
        "stylegan3": check_stylegan3,
    }
    check[record.family](record)


def check_biggan(record: BigGANRecord) -> None:
    """Every layer takes what the one before gives, and reads what its slot has."""
    arrays = record.at_truncation(0.5).arrays
    expect(all(np.isfinite(values).all() for values in arrays.values()), "an array is not finite")
    expect(record.resolution == record.layers[-1].size, "the blocks do not end in the image's size")
    classes = record.embedding_dim
    channels, deep = arrays["linear/bias"].size // 16, record.variant == "deep"
    for i, slot in enumerate(record.slots[1:]):
        condition, x = slot.stop - slot.start + classes * slot.reads_class, channels
        for k in range(4 if deep else 2):
            for part in ("gain", "bias"):
                shape = arrays[f"{i}/norm{k}/{part}"].shape
                expect(shape == (condition, x), f"block {i}: {part} of shape {shape}")
            for part in ("mean", "variance"):
                expect(arrays[f"{i}/norm{k}/{part}"].shape == (x,), f"block {i}: {part}")
            _, _, inputs, outputs = arrays[f"{i}/conv{k}/weight"].shape
            expect(inputs == x, f"block {i}: convolution {k} takes {inputs} channels, not {x}")
            x = outputs
        expect(not deep or x <= channels, f"block {i} has more channels than before")
        channels = x
    expect(arrays["output/weight"].shape[2:] == (channels, 3), "the last convolution")


def check_layers(record: NetworkRecord, layers: Iterable[str], channels: int) -> None:
    """Each convolution takes what the one before gives, and so does to RGB."""
    arrays = record.arrays
    expect(all(np.isfinite(values).all() for values in arrays.values()), "an array is not finite")
    for layer in layers:
        if f"{layer}/weight" in arrays:
            _, _, inputs, outputs = arrays[f"{layer}/weight"].shape
            expect(inputs == channels, f"{layer} takes {inputs} channels, not {channels}")
            channels = outputs
        expect(arrays[f"{layer}/bias"].shape == (channels,), f"the bias of {layer}")
    if "rgb/weight" in arrays:
        expect(arrays["rgb/weight"].shape == (channels, record.num_channels), "to RGB")
        expect(arrays["rgb/bias"].shape == (record.num_channels,), "the bias of to RGB")


def check_mapping(record: StyleGAN1Record | StyleGAN3Record) -> None:
    """From z, and the embedding of labels, to w."""
    arrays, inputs = record.arrays, record.z_dim
    if record.label_dim:
        labels, size = arrays["mapping/embed/weight"].shape
        expect(labels == record.label_dim, f"{labels} labels, not {record.label_dim}")
        inputs += size
    for i in range(record.mapping_layers):
        rows, columns = arrays[f"mapping/{i}/weight"].shape
        expect(rows == inputs, f"mapping layer {i} takes {rows} numbers, not {inputs}")
        inputs = columns
    expect(inputs == record.w_dim == len(arrays["w_avg"]), "the mapping does not end in w")


def check_progan(record: ProGANRecord) -> None:
    inputs, outputs = record.arrays["4/dense/weight"].shape
    expect(inputs == record.z_dim + record.label_dim, f"the first layer takes {inputs} numbers")
    layers = [f"{size}/conv{k}" for size in record.resolutions for k in (0, 1)]
    check_layers(record, layers[1:], outputs // 16)


def check_stylegan1(record: StyleGAN1Record) -> None:
    check_mapping(record)
    layers = [f"{size}/conv{k}" for size in record.resolutions for k in (0, 1)]
    check_layers(record, layers, record.arrays["const"].shape[2])
    for layer in layers:
        size, channels = int(layer.split("/")[0]), len(record.arrays[f"{layer}/bias"])
        expect(record.arrays[f"{layer}/noise"].shape == (size, size), f"the noise of {layer}")
        style = record.arrays[f"{layer}/style_weight"].shape
        expect(style == (record.w_dim, 2 * channels), f"the style of {layer}")


def check_stylegan3(record: StyleGAN3Record) -> None:
    check_mapping(record)
    layers = [str(i) for i in range(len(record.filterings))]
    check_layers(record, layers, record.arrays["input/weight"].shape[1])
    expect(record.sizes[-1] == (record.resolution, record.resolution), "the image's size")
    for layer in layers:
        inputs = record.arrays[f"{layer}/weight"].shape[2]
        style = record.arrays[f"{layer}/style_weight"].shape
        expect(style == (record.w_dim, inputs), f"the style of {layer}")


def check_stylegan2(record: StyleGAN2Record) -> None:
    """The layers of all resolutions fit the settings."""
    expect(type(record.w_dim) is int, "w_dim is no whole number")
    expect(record.conv_clamp is None or record.conv_clamp > 0, f"conv_clamp is {record.conv_clamp}")
    expect(
        np.isfinite(record.resample_kernel).all(), f"resample_kernel is {record.resample_kernel}"
    )
    untaken = Untaken(record)
    untaken.take("w_avg", record.w_dim)
    inputs = record.z_dim
    if record.label_dim:
        inputs += untaken.take("mapping/embed/weight", record.label_dim, None)[1]
        untaken.take("mapping/embed/bias", inputs - record.z_dim)
    for i in range(record.mapping_layers):
        inputs = untaken.take(f"mapping/{i}/weight", inputs, None)[1]
        untaken.take(f"mapping/{i}/bias", inputs)
    expect(inputs == record.w_dim, "the mapping network does not end in w")
    channels = untaken.take("const", 4, 4, None)[2]
    for size in record.resolutions:
        channels = check_block(record, untaken, size, channels)
    expect(not untaken.arrays, f"arrays besides: {list(untaken.arrays)[:3]}")


def check_block(record: StyleGAN2Record, untaken: Untaken, size: int, inputs: int) -> int:
    """The channels that the layers of a resolution give."""
    layers = ["conv0"] * (size > 4) + ["conv1"]
    layers += ["rgb"] * (record.architecture == "skip" or size == record.resolution)
    channels = inputs
    for layer in layers:
        kernel = 1 if layer == "rgb" else 3
        outputs = untaken.take(f"{size}/{layer}/weight", kernel, kernel, channels, None)[3]
        untaken.take(f"{size}/{layer}/style_weight", record.w_dim, channels)
        untaken.take(f"{size}/{layer}/style_bias", channels)
        untaken.take(f"{size}/{layer}/bias", outputs)
        if layer == "rgb":
            expect(outputs == record.num_channels, "the image has other channels")
        else:
            untaken.take(f"{size}/{layer}/noise", size, size)
            channels = outputs
    if record.architecture == "resnet" and size > 4:
        untaken.take(f"{size}/skip/weight", 1, 1, inputs, channels)
    return channels


def check_latents(path: Path) -> None:
    """The codes are finite floats, and a network takes them or it is an InputError."""
    latents = values, key, names, choice = read_latents(path)
    expect(
        values.dtype in (np.float32, np.float64) and np.isfinite(values).all(),
        "codes that are no finite floats",
    )
    expect(1 <= values.ndim <= 3 and values.size, f"codes of shape {values.shape}")
    expect(names is None or len(names) == len(values), f"{names} for codes of shape {values.shape}")
    expect(
        all(text.isprintable() for text in (key or "", choice or "", *(names or []))),
        "a name of several lines",
    )
    for space in ("auto", "z", "w", "wp"):
        with contextlib.suppress(InputError):
            codes = fit_codes(path, latents, space, 24, 24, 6).values
            expect(codes.shape[1:] in ((24,), (6, 24)), f"{space} codes of shape {codes.shape}")


def check_directions(path: Path) -> None:
    """The directions are finite floats in rows, and what is told of them is text."""
    for per_layer in (False, True):
        rows, key, space, notes = read_directions(path, per_layer)
        expect(
            rows.dtype in (np.float32, np.float64) and np.isfinite(rows).all(),
            "rows that are no finite floats",
        )
        expect(2 <= rows.ndim <= 3 and rows.size, f"directions of shape {rows.shape}")
        expect(space in ("z", "w", None), f"the space {space}")
        expect(
            all(text.isprintable() and len(text) < 1000 for text in (key or "", *notes)),
            "a note that is no text",
        )


def check_inspect(path: Path) -> None:
    """The lines are text, and not endless."""
    lines = describe(path).splitlines()
    expect(all(line.isprintable() for line in lines), "a line that is no text")
    expect(
        len(lines) < 1000 and max(map(len, lines)) < 2000, f"{len(lines)} lines, or very long ones"
    )


def check_npy(path: Path) -> None:
    """The array is what NumPy reads."""
    values = read_npy(path, "numbers")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        same = np.load(path, allow_pickle=False)
    expect(
        values.dtype.kind in "fiu"
        and values.dtype == same.dtype
        and values.shape == same.shape
        and values.tobytes() == same.tobytes(),
        "not what NumPy reads",
    )


def check_all(*uses: Callable[[], None]) -> None:
    """Each may refuse the file; the last refusal is that of all."""
    refusal = None
    for use in uses:
        try:
            use()
        except (InputError, OSError) as error:
            expect_line(error)
            refusal = error
    if refusal:
        raise refusal


def check_mask(path: Path) -> None:
    """A mask is of booleans, of which some are true; so is what has a number or a colour in a label
    map."""

    def check_with(read: Callable[..., mask_files.Drawn], *labels: list) -> None:
        inside, doubts = read(path, *labels)
        expect(inside.dtype == bool and inside.ndim == 2 and inside.any(), "no mask")
        expect(all(doubt.isprintable() for doubt in doubts), "a doubt of several lines")

    check_all(
        lambda: check_with(mask_files.read_mask),
        lambda: check_with(label_maps.read_labels, [5, 49995, 1, 255]),
        lambda: check_with(label_maps.read_labels, ["#cc00cc", "#050505"]),
    )


def check_facts(path: Path) -> None:
    """What the scripts and inspect make of the facts beside directions, a Jacobian and results."""

    def region() -> None:
        facts = read_json(path) or {}
        if source := region_from_facts(facts.get("region"), facts.get("region_options")):
            expect(len(source.name) <= 120, f"a region of {len(source.name)} characters")
            expect(source.mask(0, 16, 16).shape == (16, 16), "no mask")

    for name, shape in (("w_dataset_x", (2, 3, 4, 1, 5)), ("directions", (1, 5))):
        path.with_name(f"{name}.json").write_bytes(path.read_bytes())
        path.with_name(f"{name}.npy").write_bytes(npy(np.ones(shape, np.float32)))
        check_inspect(path.with_name(f"{name}.npy"))
    options = JacobianOptions("net.pkl", path.parent, image_size=16, d_name="x")
    check_all(
        region, lambda: JacobianRun(options, "0" * 64), lambda: is_same_run(path, Facts.of_run({}))
    )


def check_settings(path: Path) -> None:
    """What a HuggingFace BigGAN's reader makes of its settings, and a network of its names."""
    weights = DATA / "biggan_hf_32" / "pytorch_model.bin"
    folder = path.with_name("hf")
    folder.mkdir(exist_ok=True)
    shutil.copyfile(weights, folder / weights.name)
    shutil.copyfile(path, folder / "config.json")
    path.with_name("net.classes.txt").write_bytes(path.read_bytes())
    check_all(lambda: check_network(folder), lambda: read_class_names(path.with_name("net.pth"), 7))


class Reader(NamedTuple):
    check: Callable[[Path], None]
    bound: int  # bytes of memory beside twice the file's
    share: int  # of the cases


READERS = {
    "network": Reader(check_network, safe_pickle.BOUND, 45),
    "latents": Reader(check_latents, safe_pickle.BOUND, 15),
    "directions": Reader(check_directions, safe_pickle.BOUND, 5),
    "inspect": Reader(check_inspect, safe_pickle.BOUND, 8),
    "npy": Reader(check_npy, 0, 10),
    "mask": Reader(check_mask, mask_files.BYTES_A_PIXEL * mask_files.MOST_PIXELS, 10),
    "facts": Reader(check_facts, FACTS_MEMORY, 10),
    "settings": Reader(check_settings, FACTS_MEMORY, 5),
}


# A case -------------------------------------------------------------------------------------------


class Case(NamedTuple):
    reader: str
    name: str  # of the file that was damaged; its suffix is that of the damaged one
    content: bytes


def make_case(seed: int, number: int) -> Case:
    """The same whatever was made before."""
    r = Random(seed << 40 | number)
    (reader,) = r.choices(list(READERS), [reader.share for reader in READERS.values()])
    same = originals()[reader]
    others = same if r.random() < 0.8 else originals()[r.choice(list(READERS))]
    small = [name for name, content in same.items() if len(content) < 140_000]
    name = r.choice(small if r.random() < 0.95 else list(same))
    return Case(reader, name, damaged(r, same[name], others[r.choice(list(others))]))


def memory(field: str) -> int:
    """Of this process, in bytes: VmRSS, what it has, or VmHWM, the most that it had since
    `forget_peak`."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) << 10 for line in lines if line.startswith(field))


def forget_peak() -> None:
    Path("/proc/self/clear_refs").write_text("5")


events: list[str] = []


def watch(event: str, _: tuple) -> None:
    if event in FORBIDDEN:
        events.append(event)
        raise RuntimeError(f"{event} in a reader")


def expect_line(error: Exception) -> None:
    """A user's error is one line; the scripts print that of an InputError so that it cannot steer a
    terminal."""
    message = str(error)
    printable = message.isprintable() or not isinstance(error, InputError)
    expect(
        "\n" not in message and printable, f"a message that is no line of text: {message[:300]!r}"
    )
    expect(0 < len(message) < LONGEST_MESSAGE, f"a message of {len(message)} characters")
    expect(
        "llocate" not in message and "(MemoryError)" not in message,
        f"too much memory asked for: {message}",
    )


def check(case: Case, path: Path) -> str | None:
    """Reads the case from a file: None, or how it was refused. Raises Finding; a hang or a crash
    ends the process."""
    path.write_bytes(case.content)
    reader, refusal, on_linux = READERS[case.reader], None, sys.platform == "linux"
    events.clear()
    Path("canary").unlink(missing_ok=True)
    if on_linux:
        forget_peak()
        before = memory("VmRSS")
    signal.setitimer(signal.ITIMER_PROF, MOST_SECONDS)
    try:
        with warnings.catch_warnings(record=True) as warned:
            warnings.simplefilter("always")
            reader.check(path)
    except (InputError, OSError) as error:
        expect_line(error)
        refusal = str(error)
    except Finding:
        raise
    except BaseException as error:
        raise Finding(f"{type(error).__name__}: {str(error)[:300]}") from error
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
    if on_linux:
        taken, allowed = memory("VmHWM") - before, 2 * len(case.content) + reader.bound + SLACK
        expect(taken <= allowed, f"{taken >> 20} MiB of memory where {allowed >> 20} are allowed")
    expect(not warned, f"warns: {warned and warned[0].message}")
    expect(not events, f"calls {events}")
    expect(not os.path.exists("canary"), "ran a command")
    return refusal


# The program --------------------------------------------------------------------------------------


def run_cases(args: argparse.Namespace) -> int:
    """Checks cases in this process, prints the findings and leaves their files. Returns how many
    there are."""
    os.chdir(args.folder)
    sys.addaudithook(watch)
    faulthandler.enable()
    faulthandler.register(signal.SIGPROF, chain=True)  # shows where it hangs, and ends the process
    findings = read = count = 0
    start, slowest = time.monotonic(), (0.0, 0)
    while count < args.cases and time.monotonic() < start + args.seconds:
        number = args.start + count
        count += 1
        case = make_case(args.seed, number)
        path = args.folder / f"case_{number}_{case.name}"
        began = time.monotonic()
        try:
            refusal = check(case, path)
            read += refusal is None
            path.unlink()
            if args.case is not None:
                print(f"case {number}, {case.reader}: {refusal or 'is read'}")
        except Finding as finding:
            findings += 1
            print(f"case {number}, {case.reader}: {finding}\n  {path}", flush=True)
        slowest = max(slowest, (time.monotonic() - began, number))
    print(
        f"seed {args.seed}: {count} cases from {args.start} in {time.monotonic() - start:.0f} s, "
        f"{read} are read, {findings} findings; the slowest, {slowest[1]}, took {slowest[0]:.1f} s",
        flush=True,
    )
    return findings


def supervise(args: argparse.Namespace) -> int:
    """Runs the cases in a process of their own, and goes on behind one that ends it. Returns
    whether one is found."""
    found, end, until = 0, args.start + args.cases, time.monotonic() + args.seconds
    while args.start < end and time.monotonic() < until:
        before = set(args.folder.iterdir())
        options = {
            "seed": args.seed,
            "start": args.start,
            "cases": end - args.start,
            "seconds": until - time.monotonic(),
            "folder": args.folder,
        }
        run = subprocess.run(
            [
                sys.executable,
                __file__,
                "--worker",
                *(f"--{name}={value}" for name, value in options.items()),
            ]
        )
        if run.returncode in (0, 1):
            return found or run.returncode
        names = [path.name for path in set(args.folder.iterdir()) - before]
        last = max(
            (int(name.split("_")[1]) for name in names if name.startswith("case_")),
            default=args.start,
        )
        print(f"case {last} ended the process, status {run.returncode}", flush=True)
        found, args.start = 1, last + 1
    return found


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--seed", type=int, default=1, help="which cases (default: 1)")
    add("--seconds", type=float, default=60, help="for how long (default: 60)")
    add("--cases", type=int, default=1 << 32, help="how many at the most")
    add("--start", type=int, default=0, help="the first of them (default: 0)")
    add("--case", type=int, help="only this one")
    add(
        "--folder",
        type=Path,
        default=Path("outputs/fuzz"),
        help="for the files (default: outputs/fuzz)",
    )
    add("--worker", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    args.folder = args.folder.absolute()
    args.folder.mkdir(parents=True, exist_ok=True)
    if args.case is not None:
        args.start, args.cases = args.case, 1
    alone = args.worker or args.case is not None
    sys.exit(int(bool(run_cases(args) if alone else supervise(args))))


if __name__ == "__main__":
    main()
