"""What the tests share: the golden networks, the scripts run in this process, network files with
something changed."""

import functools
import importlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

os.environ["CUDA_VISIBLE_DEVICES"] = "-1"  # the golden numbers are a CPU's
# pytest-xdist starts as many processes as there are cores.
os.environ.update(
    dict.fromkeys(
        [
            "TF_NUM_INTRAOP_THREADS",
            "TF_NUM_INTEROP_THREADS",
            "OMP_NUM_THREADS",
            "OPENBLAS_NUM_THREADS",
        ],
        "1",
    )
)

from tensorflow_files import edited_pickle

from dnnlib import load_generator
from utils.cli import parser as command_line

ROOT = Path(__file__).resolve().parent.parent
DATA = ROOT / "tests" / "data"
TENSORFLOW = [
    "tf_skip_64",
    "tf_label_32",
    "tf_resnet_32",
    "tf_orig_16",
    "tf_revised_16",
    "ada_clamp_64",
    "ada_label_16",
]
PYTORCH = ["pt_skip_64", "pt_label_resnet_16", "pt_label_orig_16", "ros_64", "ros_old_16"]


def network_path(name: str) -> Path:
    """The file of a golden network."""
    return DATA / f"{name}{'.pt' if name.startswith('ros') else '.pkl'}"


class Run(NamedTuple):
    """What a script left behind."""

    status: int
    out: str
    err: str


@pytest.fixture(scope="session")
def root() -> Path:
    """The folder of the three scripts."""
    return ROOT


@pytest.fixture(scope="session")
def data() -> Path:
    """The folder of the golden files."""
    return DATA


@pytest.fixture(params=TENSORFLOW + PYTORCH)
def network(request) -> str:
    """The name of each golden network in turn."""
    return request.param


@pytest.fixture(params=TENSORFLOW)
def tensorflow_network(request) -> str:
    """The name of each golden TensorFlow network in turn, for what is slow and the same in every
    format."""
    return request.param


@pytest.fixture
def path(network) -> Path:
    """The file of `network`."""
    return network_path(network)


@pytest.fixture(scope="session")
def golden() -> Callable:
    """golden(name): what the reference implementation computes, by key."""
    return functools.cache(lambda name: dict(np.load(DATA / f"{name}.npz")))


@pytest.fixture(scope="session")
def generator() -> Callable:
    """generator(name, dtype): a golden network, loaded once a session."""
    return functools.cache(lambda name, dtype="float32": load_generator(network_path(name), dtype))


@pytest.fixture
def edited(tmp_path) -> Callable:
    """edited(name, edit, protocol, pack): a file of edited_pickle, of a golden pickle."""

    def make(
        name: str,
        edit: Callable[[dict], None] = lambda state: None,
        protocol: int = 4,
        pack: Callable[[Any], Any] = lambda gs: (gs, gs, gs),
    ) -> Path:
        path = tmp_path / f"edited_{name}.pkl"
        path.write_bytes(edited_pickle(DATA / f"{name}.pkl", edit, protocol, pack))
        return path

    return make


@pytest.fixture
def run_script(tmp_path, monkeypatch, capsys) -> Callable:
    """run_script("manipulate", *arguments): run a script in this process, with tmp_path as working
    directory."""
    monkeypatch.chdir(tmp_path)

    def run(script: str, *arguments: object) -> Run:
        monkeypatch.setattr("sys.argv", [f"{script}.py", *map(str, arguments)])
        capsys.readouterr()
        status = 0
        try:
            command_line.run(importlib.import_module(script).main)
        except SystemExit as stop:
            status = stop.code
        return Run(status, *capsys.readouterr())

    return run
