"""Which generator a file holds and which reader it belongs to, told by the content; what holds none
is named.

A generator may stand alone or in a dict, among other networks, which are never looked into. In
PyTorch it is a module of StyleGAN2-ADA-PyTorch, or a state dict: arrays by their dotted names,
perhaps all behind a common prefix, which are rosinality's or StyleGAN2-ADA-PyTorch's for the names
that they have.
"""

import itertools
import re
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from dnnlib.containers.safe_pickle import Array, Memory, brief
from dnnlib.containers.tensorflow_network import NETWORKS, TensorFlowNetwork
from dnnlib.containers.torch_file import CHECKPOINTS, Tensor
from dnnlib.containers.torch_modules import MODULES, Module, PlainModule
from dnnlib.errors import InputError
from dnnlib.families.stylegan2 import pytorch as pytorch_pickle
from dnnlib.families.stylegan2 import rosinality
from dnnlib.families.stylegan2 import state_dict as pytorch_state_dict
from dnnlib.families.stylegan2 import tensorflow as tensorflow_pickle
from dnnlib.record import IgnoredSettings, NetworkRecord
from dnnlib.text import one_line

ALLOWED = {**CHECKPOINTS, **NETWORKS, **MODULES}

_DEEPEST = 4  # dicts in dicts
_OF_NAME = 300  # bytes that an array's full name takes, and its place in two dicts
# Arrays that a generator of each program has, and few others: one is enough to know it by.
_ROSINALITY = ("style.1.weight", "input.input", "conv1.conv.weight", "to_rgb1.bias")
_ADA = ("synthesis.b4.const", "synthesis.b4.conv1.weight", "synthesis.b4.conv1.bias")
_DISCRIMINATOR = re.compile(
    r"(^|\.)(final_conv\.0|final_linear\.0|convs\.0\.0|b4\.out|b\d+\.fromrgb)\.weight$"
)
_ENCODER = re.compile(r"(^|\.)encoder\.")
_AVERAGED = re.compile(r"(?<![a-z])ema(?![a-z])", re.IGNORECASE)
_EXPECTED = (
    "expected a tuple (G, D, Gs) of TensorFlow networks, a generator of StyleGAN2-ADA-PyTorch, by "
    "itself or as G_ema in a dict, or the state dict of one or of rosinality's"
)

ToRecord = Callable[[Any, Memory, IgnoredSettings], NetworkRecord]


class Found(NamedTuple):
    """The generator of a file, and what makes a record of it."""

    to_record: ToRecord
    generator: Any
    notes: tuple[str, ...] = ()  # lines for people about which one it is


def find_generator(content: Any, memory: Memory) -> Found:
    """The averaged generator in what a file holds.

    Raises InputError, naming what it holds, if there is none, or several of which none is said to
    be averaged.
    """
    if isinstance(content, Module):
        return Found(pytorch_pickle.to_record, content)
    if isinstance(content, PlainModule):
        raise InputError(
            f"is a whole PyTorch module, a {content.class_name}; {_EXPECTED}: save its state_dict "
            "instead"
        )
    if isinstance(content, (Tensor, Array)):
        raise InputError(
            f"holds {_array(content)}: directions, latent codes or a Jacobian; {_EXPECTED}"
        )
    if isinstance(content, (list, tuple)) and content and isinstance(content[0], (Tensor, Array)):
        raise InputError(
            f"holds a list of {len(content)}, first {_array(content[0])}: directions or latent "
            f"codes; {_EXPECTED}"
        )
    if not isinstance(content, dict) or any(
        isinstance(value, TensorFlowNetwork) for value in content.values()
    ):
        return Found(tensorflow_pickle.to_record, tensorflow_pickle.averaged_generator(content))
    modules = {
        key: value
        for key, value in content.items()
        if isinstance(value, Module) and isinstance(key, str)
    }
    if modules:
        return _module(modules)
    return _state_dict(content, memory)


def _module(modules: dict[str, Module]) -> Found:
    """G_ema, or the only generator."""
    if "G_ema" in modules:
        return Found(pytorch_pickle.to_record, modules["G_ema"])
    key, notes = _choose(
        [key for key, module in modules.items() if module.class_name == "Generator"]
    )
    if key is None:
        listed = ", ".join(
            f"{one_line(key, 40)}, a {one_line(module.class_name, 40)}"
            for key, module in [*modules.items()][:4]
        )
        raise InputError(f"holds {listed}, and no G_ema; {_EXPECTED}")
    return Found(pytorch_pickle.to_record, modules[key], notes)


def _choose(keys: list[str]) -> tuple[str | None, tuple[str, ...]]:
    """Under which of these keys the averaged generator is, and what there is to say of it; None if
    there is no key."""
    averaged = [key for key in keys if _AVERAGED.search(key)]
    if len(averaged) == 1 or len(keys) == 1:
        (key,) = averaged or keys
        shown = one_line(key.rstrip("."), 80)
        return key, () if averaged or not key else (
            f"the weights are those of {shown}: nothing in the file says that they are the "
            "averaged ones",
        )
    if keys:
        listed = ", ".join(one_line(key.rstrip(".") or "one by itself", 40) for key in keys[:4])
        raise InputError(
            f"holds several generators ({listed}) of which not one alone is said to be the "
            "averaged one, by a name such as g_ema; expected one: save it by itself"
        )
    return None, ()


# State dicts --------------------------------------------------------------------------------------


def _state_dict(content: dict, memory: Memory) -> Found:
    """The arrays of a generator by their names in it."""
    arrays = dict(_leaves(content, "", memory))
    prefixes: dict[str, ToRecord] = {}
    for to_record, anchors in (
        (pytorch_state_dict.to_record, _ADA),
        (rosinality.to_record, _ROSINALITY),
    ):
        for name in arrays:
            if anchor := next(
                (end for end in anchors if name == end or name.endswith("." + end)), None
            ):
                prefixes.setdefault(name.removesuffix(anchor), to_record)
    if any(map(_ENCODER.search, arrays)):
        prefixes = {
            prefix: reader for prefix, reader in prefixes.items() if not prefix.endswith("decoder.")
        }
        if not prefixes:
            raise InputError(
                "is an encoder's checkpoint (its arrays are named encoder. ...), as e4e, pSp and "
                "ReStyle save them; expected the network that the encoder was made for: use its "
                "own file, or save the state_dict of the checkpoint's decoder by itself"
            )
    prefix, notes = _choose(list(prefixes))
    if prefix is None:
        raise InputError(f"holds {_listed(content, arrays)}; {_EXPECTED}")
    generator = {
        name[len(prefix) :]: value for name, value in arrays.items() if name.startswith(prefix)
    }
    if prefixes[prefix] is rosinality.to_record:  # the mean w may stand beside it
        parts = prefix.split(".")
        beside = [".".join([*parts[:i], "latent_avg"]) for i in range(len(parts))]
        latent_avg = [arrays[name] for name in beside if arrays.get(name) is not None]
        generator.pop("latent_avg", None)
        if latent_avg:
            generator["latent_avg"] = latent_avg[-1]
    return Found(prefixes[prefix], generator, notes)


def _leaves(
    content: dict, prefix: str, memory: Memory, depth: int = 0
) -> Iterator[tuple[str, Any]]:
    """All that is no dict, by the keys on the way there."""
    for key, value in content.items():
        name = prefix + (key if isinstance(key, str) else brief(key))
        memory.take(_OF_NAME + 4 * len(name))
        if isinstance(value, dict) and depth < _DEEPEST:
            yield from _leaves(value, name + ".", memory, depth + 1)
        else:
            yield name, value


def _listed(content: dict, arrays: dict[str, Any]) -> str:
    """What a dict without a generator holds."""
    if any(map(_DISCRIMINATOR.search, arrays)):
        return "a discriminator and no generator"
    if any(name.endswith("synthesis.input.weight") for name in arrays):
        return "a StyleGAN3 generator, whose architecture is not supported"
    if (
        content
        and len(content) <= 3
        and all(isinstance(value, (Tensor, Array)) for value in content.values())
    ):
        shown = "; ".join(
            f"{one_line(name, 60)}, {_array(value)}" for name, value in content.items()
        )
        return f"{shown}: directions or latent codes"
    keys = ", ".join(one_line(brief(key), 60) for key in itertools.islice(content, 6))
    more = " ..." if len(content) > 6 else ""
    return f"a dict of {keys or 'nothing'}{more}, and no generator that is known"


def _array(value: Tensor | Array) -> str:
    shape = value.shape if isinstance(value, Tensor) else getattr(value.values, "shape", ())
    return f"an array {list(shape)[:6]}"
