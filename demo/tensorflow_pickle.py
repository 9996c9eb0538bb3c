"""Writes StyleGAN2 generators as TensorFlow pickles, as StyleGAN2 and StyleGAN2-ADA do.

For the demo network, benchmarks and tests; the toolkit itself reads networks only.
"""

import contextlib
import pickle
import sys
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from dnnlib.families.stylegan2.record import StyleGAN2Record
from dnnlib.families.tensorflow import equalized_scale

_NAMES = {"conv0": "Conv0_up", "conv1": "Conv1", "rgb": "ToRGB", "skip": "Skip"}
_FLIPPED = ("conv0", "skip")  # stored for a correlation, used in a transposed convolution


def write_network(record: StyleGAN2Record, path: str | Path, mapping_lrmul: float = 0.01) -> None:
    """Write a generator without labels: the inverse of `read_network`, within rounding.

    Its channels must be min(fmap_base / 2^(r-1), fmap_max) at resolution 2^r for some fmap_base and
    fmap_max. G and Gs are the same network, D is an empty one. A conv_clamp makes it a
    StyleGAN2-ADA pickle. Raises ValueError for a record with labels.
    """
    if record.label_dim:
        raise ValueError("writing networks with labels is not supported")
    is_ada, settings = record.conv_clamp is not None, _settings(record, mapping_lrmul)
    with stand_in_class() as network:

        def dressed(name: str, function: str, variables: dict, components: dict) -> object:
            instance = network()
            instance.__dict__ = {
                "version": 5 if is_ada else 4,
                "name": name,
                "static_kwargs": settings,
                "components": components,
                "build_module_src": "# not needed to read this file\n",
                "build_func_name": function,
                "variables": [
                    (key, np.array(value, np.float32)) for key, value in variables.items()
                ],
            }
            return instance

        synthesis = "G_synthesis" if is_ada else "G_synthesis_stylegan2"
        components = {
            "synthesis": dressed("G_synthesis", synthesis, _synthesis(record), {}),
            "mapping": dressed("G_mapping", "G_mapping", _mapping(record, mapping_lrmul), {}),
        }
        w_avg = {"dlatent_avg": record.arrays["w_avg"]}
        generator = dressed("Gs", "G_main", w_avg, components)
        networks = (generator, dressed("D", "D_stylegan2", {}, {}), generator)
        content = pickle.dumps(networks, protocol=4)
    Path(path).write_bytes(content)


def _settings(record: StyleGAN2Record, mapping_lrmul: float) -> dict[str, Any]:
    channels = [record.arrays[f"{size}/conv1/weight"].shape[3] for size in record.resolutions]
    settings = {
        "num_channels": record.num_channels,
        "resolution": record.resolution,
        "fmap_max": max(channels),
        "fmap_base": channels[-1] * record.resolution // 2,
        "latent_size": record.z_dim,
        "dlatent_size": record.w_dim,
        "mapping_fmaps": record.arrays["mapping/0/weight"].shape[1],
        "mapping_layers": record.mapping_layers,
        "mapping_lrmul": mapping_lrmul,
        "architecture": record.architecture,
        "normalize_latents": record.normalize_z,
        "resample_kernel": list(record.resample_kernel),
        "nonlinearity": record.activation,
        "mapping_nonlinearity": record.mapping_activation,
    }
    return settings if record.conv_clamp is None else settings | {"conv_clamp": record.conv_clamp}


def _mapping(record: StyleGAN2Record, lrmul: float) -> dict[str, np.ndarray]:
    """The variables of the mapping network."""
    variables = {}
    for i in range(record.mapping_layers):
        weight = record.arrays[f"mapping/{i}/weight"]
        variables[f"Dense{i}/weight"] = weight / equalized_scale(weight.shape, lrmul)
        variables[f"Dense{i}/bias"] = record.arrays[f"mapping/{i}/bias"] / lrmul
    return variables


def _synthesis(record: StyleGAN2Record) -> dict[str, np.ndarray]:
    """The variables of the synthesis network."""
    arrays = record.arrays
    noises: dict[str, np.ndarray] = {}
    variables = {"4x4/Const/const": arrays["const"].transpose(2, 0, 1)[None]}
    for size in record.resolutions:
        for key, last in _NAMES.items():
            target = f"{size}/{key}"
            if f"{target}/weight" not in arrays:
                continue
            name = f"{size}x{size}/{'Conv' if target == '4/conv1' else last}"
            weight = arrays[f"{target}/weight"]
            stored = weight / equalized_scale(weight.shape)
            variables[f"{name}/weight"] = stored[::-1, ::-1] if key in _FLIPPED else stored
            if key == "skip":
                continue
            style_weight = arrays[f"{target}/style_weight"]
            variables[f"{name}/mod_weight"] = style_weight / equalized_scale(style_weight.shape)
            variables[f"{name}/mod_bias"] = arrays[f"{target}/style_bias"] - 1
            variables[f"{name}/bias"] = arrays[f"{target}/bias"]
            if key != "rgb":
                noise = arrays[f"{target}/noise"]
                variables[f"{name}/noise_strength"] = np.array(noise.any(), np.float32)
                noises[f"noise{len(noises)}"] = noise[None, None]
    return noises | variables


@contextlib.contextmanager
def stand_in_class() -> Iterator[type]:
    """An empty class that pickle writes as dnnlib.tflib.network.Network."""
    network = type("Network", (), {"__module__": "dnnlib.tflib.network", "__qualname__": "Network"})
    modules = {name: types.ModuleType(name) for name in ("dnnlib.tflib", "dnnlib.tflib.network")}
    vars(modules["dnnlib.tflib.network"])["Network"] = network
    sys.modules.update(modules)
    try:
        yield network
    finally:
        for name in modules:
            del sys.modules[name]
