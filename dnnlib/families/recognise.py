"""Which generator a file holds and which reader it belongs to, told by the content; what holds none
is named.

A generator may stand alone or among other networks, which are never looked into. It comes in one of
four containers:

    tensorflow   a network of TensorFlow's programs: Gs of a tuple (G, D, Gs), G of (G, D), or one
                 network by itself
    modules      a module of PyTorch's persistent classes: by itself, as G_ema in a dict, or the
                 only Generator there
    state_dict   arrays by their dotted names, perhaps all behind a common prefix, in a dict or in
                 dicts of dicts
    saved_model  TensorFlow's, as TF Hub gives them out

In each of them, the reader is the one of whose marks, names of arrays, the generator has one.
"""

import itertools
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

from dnnlib.containers.safe_pickle import Array, Memory, brief
from dnnlib.containers.saved_model import SavedModel
from dnnlib.containers.tensorflow_network import NETWORKS, TensorFlowNetwork
from dnnlib.containers.torch_file import CHECKPOINTS, Tensor
from dnnlib.containers.torch_modules import MODULES, Module, PlainModule
from dnnlib.errors import InputError
from dnnlib.families.interface import Reader
from dnnlib.text import one_line

ALLOWED = {**CHECKPOINTS, **NETWORKS, **MODULES}

_DEEPEST = 4  # dicts in dicts
_OF_NAME = 300  # bytes that an array's full name takes, and its place in two dicts
_DISCRIMINATOR = re.compile(
    r"(^|\.)(final_conv\.0|final_linear\.0|convs\.0\.0|b4\.out|b\d+\.fromrgb)\.weight$"
)
_ENCODER = re.compile(r"(^|\.)encoder\.")
_AVERAGED = re.compile(r"(?<![a-z])ema(?![a-z])|generator_smooth", re.IGNORECASE)
_EXPECTED = (
    "expected TensorFlow networks (G, D, Gs), a PyTorch generator, alone or as G_ema in a dict, "
    "or the state dict of one: docs/formats.md lists them"
)


class Found(NamedTuple):
    """The generator of a file, and the reader that makes a record of it."""

    reader: Reader
    generator: Any
    notes: tuple[str, ...] = ()  # lines for people about which one it is


def find_generator(content: Any, memory: Memory, readers: Sequence[Reader]) -> Found:
    """The averaged generator in what a file holds.

    Raises InputError, naming what it holds, if there is none, or several of which none is said to
    be averaged.
    """
    if isinstance(content, SavedModel):
        return Found(next(each for each in readers if each.container == "saved_model"), content)
    if isinstance(content, Module):
        return Found(_reader_of_module(content, readers), content)
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
        network, notes = _averaged_network(content)
        return Found(_reader_of_network(network, readers), network, notes)
    modules = {
        key: value
        for key, value in content.items()
        if isinstance(value, Module) and isinstance(key, str)
    }
    if modules:
        return _module(modules, readers)
    return _state_dict(
        content, memory, [each for each in readers if each.container == "state_dict"]
    )


def _choose_reader(readers: Sequence[Reader], container: str, has: Callable[[str], bool]) -> Reader:
    """The reader of this container one of whose marks the generator has; if none, the first, which
    says what is not known."""
    fitting = [reader for reader in readers if reader.container == container]
    return next((reader for reader in fitting if any(map(has, reader.marks))), fitting[0])


# TensorFlow ---------------------------------------------------------------------------------------


def _reader_of_network(network: TensorFlowNetwork, readers: Sequence[Reader]) -> Reader:
    def has(name: str) -> bool:
        part, _, variable = name.partition("/")
        component = network.state.get("components", {}).get(part)
        if isinstance(component, TensorFlowNetwork):
            return any(each[0] == variable for each in component.state.get("variables", ()))
        return any(each[0] == name for each in network.state.get("variables", ()))

    return _choose_reader(readers, "tensorflow", has)


def _averaged_network(content: Any) -> tuple[TensorFlowNetwork, tuple[str, ...]]:
    """Gs of what is in the file, or the network that stands for it, and what there is to say of it.

    Raises InputError if there is none.
    """
    if isinstance(content, TensorFlowNetwork):
        name = content.state.get("name")
        note = (
            f"holds one network, named {brief(name)}: it is used, whether it is an averaged "
            "generator or not"
        )
        return content, () if name == "Gs" else (note,)
    if isinstance(content, tuple) and all(isinstance(each, TensorFlowNetwork) for each in content):
        if len(content) == 2:
            return content[0], (
                "holds G and D, and no averaged generator Gs: G is used, whose images are worse",
            )
        if len(content) == 3:
            return content[2], ()
    size = f" of {len(content)}" if isinstance(content, (tuple, list)) else ""
    raise InputError(
        f"holds a {type(content).__name__}{size}; expected a tuple (G, D, Gs) of networks, (G, D) "
        "or Gs alone: use a TensorFlow pickle as its program saves it"
    )


# Modules ------------------------------------------------------------------------------------------


def _reader_of_module(module: Module, readers: Sequence[Reader]) -> Reader:
    def has(name: str) -> bool:
        *path, last = name.split(".")
        state = module.state
        for part in path:
            child = state.get("_modules", {}).get(part)
            if not isinstance(child, Module):
                return False
            state = child.state
        return any(last in state.get(kind, {}) for kind in ("_parameters", "_buffers"))

    return _choose_reader(readers, "modules", has)


def _module(modules: dict[str, Module], readers: Sequence[Reader]) -> Found:
    """G_ema, or the only generator."""
    if "G_ema" in modules:
        return Found(_reader_of_module(modules["G_ema"], readers), modules["G_ema"])
    key, notes = _choose(
        [key for key, module in modules.items() if module.class_name == "Generator"]
    )
    if key is None:
        listed = ", ".join(
            f"{one_line(key, 40)}, a {one_line(module.class_name, 40)}"
            for key, module in [*modules.items()][:4]
        )
        raise InputError(f"holds {listed}, and no G_ema; {_EXPECTED}")
    return Found(_reader_of_module(modules[key], readers), modules[key], notes)


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


def _state_dict(content: dict, memory: Memory, readers: Sequence[Reader]) -> Found:
    """The arrays of a generator by their names in it."""
    arrays = dict(_leaves(content, "", memory))
    prefixes = _prefixes(arrays, readers)
    prefix, notes = _choose(list(prefixes))
    if prefix is None:
        raise InputError(f"holds {_listed(content, arrays)}; {_EXPECTED}")
    generator = {
        name[len(prefix) :]: value for name, value in arrays.items() if name.startswith(prefix)
    }
    reader = prefixes[prefix]
    if reader.beside:
        parts = prefix.split(".")
        beside = [".".join([*parts[:i], reader.beside]) for i in range(len(parts))]
        values = [arrays[name] for name in beside if arrays.get(name) is not None]
        generator.pop(reader.beside, None)
        if values:
            generator[reader.beside] = values[-1]
    if reader.settings_key:
        start = f"{reader.settings_key}.{prefix.rstrip('.').rpartition('.')[2]}."
        settings = {
            name.removeprefix(start): value
            for name, value in arrays.items()
            if name.startswith(start)
        }
        if settings:
            generator[reader.settings_key] = settings
    return Found(reader, generator, notes)


def _prefixes(arrays: dict[str, Any], readers: Sequence[Reader]) -> dict[str, Reader]:
    """What the names of each generator's arrays begin with, and its reader. Raises InputError for
    an encoder without one."""
    prefixes: dict[str, Reader] = {}
    for reader in readers:
        for name in arrays:
            marks = (end for end in reader.marks if name == end or name.endswith("." + end))
            if mark := next(marks, None):
                prefixes.setdefault(name.removesuffix(mark), reader)
    # What begins within another generator is a part of it; a discriminator may have the same names.
    prefixes = {
        prefix: reader
        for prefix, reader in prefixes.items()
        if not any(prefix != other and prefix.startswith(other) for other in prefixes)
        and not prefix.endswith("discriminator.")
    }
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
    return prefixes


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
        return (
            "the arrays of a StyleGAN3 generator alone, which do not say how it filters, as its "
            "pickle does"
        )
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
