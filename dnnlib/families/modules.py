"""What the readers of pickled PyTorch generators share: their modules and settings checked, and the
layers that all of them have.

Of dense layers, weight [out, in] times weight_gain and bias [out] times bias_gain are used; of
convolutions, weight [out, in, k, k].
"""

import math
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from dnnlib.containers.named_arrays import LONGEST_NAME, NamedArrays, expect_name
from dnnlib.containers.safe_pickle import brief
from dnnlib.containers.torch_modules import Module
from dnnlib.errors import InputError
from dnnlib.families.layout import Row, read_rows
from dnnlib.record import IgnoredSettings, NetworkRecord, check_first_layer, check_mapping_layers

# What PyTorch and its persistence keep in any module and that changes nothing when it runs; hooks
# must be empty.
_HARMLESS = {
    "training",
    "_non_persistent_buffers_set",
    "_init_args",
    "_init_kwargs",
    "_compiled_call_impl",
}


def expect_same(main: dict, part: dict, names: Iterable[str]) -> None:
    """Raises InputError if the generator and a part of it disagree on one of these settings."""
    for name in names:
        if whole(part, name) != whole(main, name):
            raise InputError(
                f"its networks disagree on the setting {name}: {whole(main, name)} and "
                f"{whole(part, name)}; expected a file as its program wrote it"
            )


def whole(state: dict, name: str) -> int:
    value = state[name]
    if type(value) is not int or value < 0:
        raise InputError(f"its setting {name} is {brief(value)}; expected a whole number")
    return value


class ModuleTree:
    """The modules of a network by their dotted names, their settings checked; `tensors` are all
    arrays likewise."""

    def __init__(
        self,
        generator: Module,
        ignored: IgnoredSettings,
        family: str,
        settings: Mapping[str, str],
        advice: str,
    ) -> None:
        """`settings` are the names of those of each class; `advice` is what was expected."""
        self._ignored, self._family = ignored, family
        self._settings, self._advice = settings, advice
        self._modules: dict[str, Module] = {}
        self._states: set[int] = set()  # the id of each
        self.tensors: dict[str, Any] = {}
        self._add("", generator)
        self._left = dict(self._modules)

    def _add(self, name: str, module: Any) -> None:
        prefix = name + "." if name else ""
        if not isinstance(module, Module) or module.class_name not in self._settings:
            found = brief(getattr(module, "class_name", type(module).__name__))
            raise InputError(f"its module {name} is a {found}; {self._advice}")
        # Many modules, or arrays under many names, that are one in the file, would take any amount
        # of time and memory.
        if name.count(".") > 3 or id(module.state) in self._states or len(name) > LONGEST_NAME:
            raise InputError(
                f"its module {name[:80]} is not part of a {self._family} generator; {self._advice}"
            )
        self._modules[name] = module
        self._states.add(id(module.state))
        known = self._settings[module.class_name].split()
        for key, value in module.state.items():
            if key in ("_parameters", "_buffers"):
                for part, array in value.items():
                    if array is not None:
                        expect_name(
                            len(self.tensors), prefix + part
                        )  # before many prefixes are kept
                        self.tensors[prefix + part] = array
            elif key == "_modules":
                for part, child in value.items():
                    self._add(prefix + part, child)
            elif not (
                key in known
                or key in _HARMLESS
                or (key.startswith("_") and "hook" in key and not value)
            ):
                self._ignored.expect_covered(f"{prefix}{key}", value, self._advice)

    def state(self, name: str) -> dict:
        """The settings of a module."""
        if name not in self._modules:
            raise InputError(f"lacks the module {name}; {self._advice}")
        return self._modules[name].state

    def has(self, name: str) -> bool:
        """Whether there is a module of this name."""
        return name in self._modules

    def take(self, name: str, class_name: str | tuple[str, ...], **settings: Any) -> dict:
        """The settings of a module, which must be of this class, or one of these, and have these
        settings; a float may differ by rounding."""
        state = self.state(name)
        if isinstance(class_name, str):
            class_name = (class_name,)
        if self._modules[name].class_name not in class_name:
            found = self._modules[name].class_name
            raise InputError(
                f"its module {name} is a {found}, not a {class_name[0]}; {self._advice}"
            )
        for key, expected in settings.items():
            value = state[key]
            if isinstance(expected, float) and isinstance(value, (int, float)):
                same = math.isclose(value, expected, rel_tol=1e-6)
            else:
                same = type(value) is type(expected) and value == expected
            if not same:
                raise InputError(
                    f"its setting {name}.{key} is {brief(value)}; expected {expected!r}, as the "
                    f"rest of a {self._family} generator needs"
                )
        del self._left[name]
        return state

    def expect_none_left(self) -> None:
        if self._left:
            raise InputError(
                f"its module {next(iter(self._left))} is not part of a {self._family} generator of "
                f"these settings; {self._advice}"
            )


class ModuleReader:
    """Reads the layers of a file into a record."""

    def __init__(self, modules: ModuleTree, tensors: NamedArrays, record: NetworkRecord) -> None:
        self.modules, self.tensors = modules, tensors
        self.record, self.arrays = record, record.arrays

    def read_mapping(self, num_layers: int, w_dim: int, activation: str) -> None:
        record, inputs = self.record, self.record.z_dim
        self.arrays["w_avg"] = self.tensors.take("mapping.w_avg", (w_dim,))
        if record.label_dim:
            inputs += self.read_dense(
                "mapping.embed", "mapping/embed", (record.label_dim, None), "linear"
            )
        else:
            check_first_layer(self.tensors.sizes("mapping.fc0.weight", 2)[1], record.z_dim)
        self.read_dense_layers(num_layers, inputs, w_dim, activation)

    def read_dense_layers(self, num_layers: int, inputs: int, w_dim: int, activation: str) -> None:
        """Those from z, and the embedding, to w."""
        check_mapping_layers(num_layers)
        for i in range(num_layers):
            shape = (inputs, w_dim if i == num_layers - 1 else None)
            inputs = self.read_dense(f"mapping.fc{i}", f"mapping/{i}", shape, activation)

    def read_kernel(
        self,
        name: str,
        layer: str,
        size: int,
        inputs: int,
        outputs: int | None,
        scale: float = 1.0,
    ) -> int:
        """A convolution's weight; gives the number of its output channels."""
        shape = (outputs, inputs, size, size)
        rows = [Row("weight", "weight", shape, scale, lambda weight: weight.transpose(2, 3, 1, 0))]
        read_rows(rows, self.tensors, f"{name}.", self.arrays, layer)
        return self.arrays[f"{layer}/weight"].shape[3]

    def read_dense(
        self,
        name: str,
        layer: str,
        shape: tuple[int, int | None],
        activation: str,
        prefix: str = "",
    ) -> int:
        """A FullyConnectedLayer [in, out], as {layer}/{prefix}weight and bias; gives the number of
        its outputs."""
        state = self.modules.take(name, "FullyConnectedLayer", activation=activation)
        gain, weight_name = number(state, name, "weight_gain"), f"{prefix}weight"
        weight = Row(weight_name, "weight", shape[::-1], gain, np.transpose)
        read_rows([weight], self.tensors, f"{name}.", self.arrays, layer)
        outputs = self.arrays[f"{layer}/{weight_name}"].shape[1]
        bias = np.zeros(outputs, np.float32)
        if state.get("bias", ...) is not None:
            bias_gain = number(state, name, "bias_gain")
            bias = self.tensors.take(f"{name}.bias", (outputs,), bias_gain)
        self.arrays[f"{layer}/{prefix}bias"] = bias
        return outputs


def number(state: dict, name: str, key: str) -> float:
    value = state[key]
    if not isinstance(value, (int, float)) or not math.isfinite(value):
        raise InputError(f"its setting {name}.{key} is {brief(value)}; expected a finite number")
    return float(value)
