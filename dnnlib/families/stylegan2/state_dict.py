"""State dicts of StyleGAN2-ADA-PyTorch's generators: the arrays of pytorch.py by their dotted
names, no settings.

Sizes, labels, architecture, noise and filter are read off names and arrays. What they do not tell
is taken as StyleGAN2-ADA-PyTorch's train.py sets it, and the record says so.
"""

import dataclasses
import math
import re
from typing import Any

from dnnlib.containers.named_arrays import NamedArrays
from dnnlib.containers.safe_pickle import Memory
from dnnlib.containers.torch_modules import Module
from dnnlib.errors import InputError
from dnnlib.families.stylegan2 import pytorch as pytorch_pickle
from dnnlib.families.stylegan2.record import StyleGAN2Record
from dnnlib.record import IgnoredSettings, check_first_layer

_LR_MAPPING = 0.01  # the learning rate of the mapping network, over that of the others
_CONV_CLAMP = 256
_NOTE = (
    f"a state dict does not hold all settings: a clamp of {_CONV_CLAMP} and lrelu are taken for "
    "granted, as StyleGAN2-ADA-PyTorch's train.py sets them"
)
_CLASSES = (  # of modules, by their full names
    (r"", "Generator"),
    (r"mapping", "MappingNetwork"),
    (r"synthesis", "SynthesisNetwork"),
    (r"mapping\.(fc\d+|embed)", "FullyConnectedLayer"),
    (r"synthesis\.b\d{1,4}", "SynthesisBlock"),
    (r"synthesis\.b\d+\.conv[01]", "SynthesisLayer"),
    (r"synthesis\.b\d+\.torgb", "ToRGBLayer"),
    (r"synthesis\.b\d+\.skip", "Conv2dLayer"),
    (r"synthesis\.b\d+\.(conv[01]|torgb)\.affine", "FullyConnectedLayer"),
)


def to_record(
    generator: dict[str, Any], memory: Memory, ignored: IgnoredSettings
) -> StyleGAN2Record:
    """The record of a state dict, whose `notes` say what was taken for granted.

    Raises InputError for an array that this reader does not know, or that is lacking.
    """
    record = pytorch_pickle.to_record(_as_module(generator, memory), memory, ignored)
    return dataclasses.replace(record, format="StyleGAN2-ADA-PyTorch state dict", notes=(_NOTE,))


def _as_module(generator: dict[str, Any], memory: Memory) -> Module:
    """The generator as a pickle would hold it."""
    arrays = NamedArrays(generator.items(), memory)
    modules: dict[str, Module] = {}
    for name, values in generator.items():
        parts = name.split(".")
        for i in range(len(parts)):
            path = ".".join(parts[:i])
            if path not in modules:
                modules[path] = Module(
                    {
                        "type": "class",
                        "class_name": _class_name(path),
                        "state": {"_parameters": {}, "_modules": {}},
                    }
                )
                if path:
                    modules[".".join(parts[: i - 1])].state["_modules"][parts[i - 1]] = modules[
                        path
                    ]
        modules[path].state["_parameters"][parts[-1]] = values
    sizes = _sizes(arrays, modules)
    for name, module in modules.items():
        known = pytorch_pickle.SETTINGS[module.class_name].split()
        module.state.update({key: value for key, value in sizes.items() if key in known})
        module.state.update(_settings(name, module.class_name, arrays, modules))
    return modules[""]


def _class_name(name: str) -> str:
    for pattern, class_name in _CLASSES:
        if re.fullmatch(pattern, name):
            return class_name
    raise InputError(
        f"its arrays {name[:80]}. ... are not part of a StyleGAN2 generator; expected those of "
        "StyleGAN2-ADA-PyTorch's alone"
    )


def _sizes(arrays: NamedArrays, modules: dict[str, Module]) -> dict[str, int]:
    """The settings of the whole network."""
    size = max(
        int(name[len("synthesis.b") :])
        for name in modules
        if modules[name].class_name == "SynthesisBlock"
    )
    w_dim = arrays.sizes("synthesis.b4.conv1.affine.weight", 2)[1]
    z_dim, c_dim = arrays.sizes("mapping.fc0.weight", 2)[1], 0
    if "mapping.embed" in modules:
        embedding, c_dim = arrays.sizes("mapping.embed.weight", 2)
        z_dim -= embedding
    else:
        check_first_layer(z_dim, w_dim)
    channels = arrays.sizes(f"synthesis.b{size}.torgb.bias", 1)[0]
    return {
        "z_dim": z_dim,
        "c_dim": c_dim,
        "w_dim": w_dim,
        "img_resolution": size,
        "img_channels": channels,
        "num_ws": 2 * size.bit_length() - 4,
    }


def _settings(
    name: str, class_name: str, arrays: NamedArrays, modules: dict[str, Module]
) -> dict[str, Any]:
    """Those of a module besides the sizes."""

    def gain(dimensions: int) -> float:
        """1 / sqrt(fan_in) of its weight [out, in, ...]."""
        return 1 / math.sqrt(max(1, math.prod(arrays.sizes(f"{name}.weight", dimensions)[1:])))

    match class_name:
        case "MappingNetwork":
            return {
                "num_layers": sum(part.startswith("fc") for part in modules[name].state["_modules"])
            }
        case "SynthesisBlock":
            has_skip = any(module.class_name == "Conv2dLayer" for module in modules.values())
            plain = "resnet" if has_skip else "orig"
            return {"architecture": "skip" if "synthesis.b4.torgb" in modules else plain}
        case "SynthesisLayer":
            return {
                "up": 2 if name.endswith("conv0") else 1,
                "use_noise": f"{name}.noise_const" in arrays,
                "activation": "lrelu",
                "act_gain": math.sqrt(2),
                "conv_clamp": _CONV_CLAMP,
                "padding": 1,
            }
        case "ToRGBLayer":
            return {"conv_clamp": _CONV_CLAMP, "weight_gain": gain(4)}
        case "Conv2dLayer":
            return {
                "activation": "linear",
                "act_gain": 1.0,
                "conv_clamp": None,
                "padding": 0,
                "up": 2,
                "down": 1,
                "weight_gain": gain(4),
            }
        case "FullyConnectedLayer":
            is_mapping = name.startswith("mapping.fc")
            rate = _LR_MAPPING if is_mapping else 1
            return {
                "activation": "lrelu" if is_mapping else "linear",
                "weight_gain": rate * gain(2),
                "bias_gain": rate,
            }
    return {}
