"""TensorFlow pickles made of golden ones: with a setting, an array or a function changed."""

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from demo.tensorflow_pickle import stand_in_class
from dnnlib.containers.safe_pickle import Array, load
from dnnlib.containers.tensorflow_network import NETWORKS, TensorFlowNetwork


def edited_pickle(
    source: Path,
    edit: Callable[[dict], None] = lambda state: None,
    protocol: int = 4,
    pack: Callable[[Any], Any] = lambda gs: (gs, gs, gs),
) -> bytes:
    """A pickle of pack(Gs), where the Gs of a pickle has gone through edit(state).

    There the state of a component, and the variables of each network, are plain dicts.
    """
    with open(source, "rb") as file:
        state = _plain(load(file, source, NETWORKS)[2])
    edit(state)
    with stand_in_class() as stand_in:

        def dressed(state: dict) -> Any:
            instance = stand_in()
            instance.__dict__ = dict(state)
            if "components" in state:
                instance.components = {
                    name: dressed(part) for name, part in state["components"].items()
                }
            if "variables" in state:
                instance.variables = list(state["variables"].items())
            return instance

        return pickle.dumps(pack(dressed(state)), protocol=protocol)


def _plain(value: Any) -> Any:
    if isinstance(value, TensorFlowNetwork):
        components = {name: _plain(part) for name, part in value.state["components"].items()}
        variables = {name: _plain(array) for name, array in value.state["variables"]}
        return {
            **value.state,
            "static_kwargs": dict(value.state["static_kwargs"]),
            "components": components,
            "variables": variables,
        }
    return np.array(value.values) if isinstance(value, Array) else value


def settings(**values: Any) -> Callable[[dict], None]:
    """An edit that changes settings, in all networks that repeat them."""

    def edit(state: dict) -> None:
        for network in (state, *state["components"].values()):
            network["static_kwargs"].update(values)

    return edit


def image_channels(count: int) -> Callable[[dict], None]:
    """An edit that gives the images `count` channels: those that they have, over and over, the new
    ones halved."""

    def edit(state: dict) -> None:
        variables = state["components"]["synthesis"]["variables"]
        for name, values in variables.items():
            if "ToRGB" in name and name.endswith(("/weight", "/bias")):
                repeated = np.resize(np.moveaxis(values, -1, 0), (count, *values.shape[:-1]))
                repeated[values.shape[-1] :] /= 2
                variables[name] = np.ascontiguousarray(np.moveaxis(repeated, 0, -1))
        settings(num_channels=count)(state)

    return edit
