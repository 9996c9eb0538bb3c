"""Which device TensorFlow runs on, and its import without the chatter."""

import contextlib
import os
import sys
from collections.abc import Iterator
from typing import NamedTuple

from dnnlib.errors import InputError


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Drop what is written to stderr: TensorFlow's start-up lines come before its own log level
    applies."""
    if os.environ.get("TF_CPP_MIN_LOG_LEVEL", "3") != "3":
        yield
        return
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    stderr = os.dup(2)
    with open(os.devnull, "wb") as nowhere:
        os.dup2(nowhere.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(stderr, 2)
        os.close(stderr)


@contextlib.contextmanager
def _without_keras() -> Iterator[None]:
    """Let TensorFlow's import find no Keras, which it would load where it is installed; nothing
    here needs it, and tf.keras still loads it on first use."""
    if "keras" in sys.modules:
        yield
        return
    sys.modules["keras"] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        del sys.modules["keras"]


def import_tensorflow(allow_tf32: bool = False) -> None:
    """Import TensorFlow, quietly unless the user sets TF_CPP_MIN_LOG_LEVEL. TensorFloat-32, less
    exact, goes off unless allowed."""
    with _quiet(), _without_keras():
        import tensorflow as tf

        tf.config.list_physical_devices()
    if os.environ["TF_CPP_MIN_LOG_LEVEL"] == "3":
        # Networks of several sizes are no mistake, though TensorFlow warns of them.
        tf.get_logger().setLevel("ERROR")
    tf.config.experimental.enable_tensor_float_32_execution(allow_tf32)


class Device(NamedTuple):
    """What TensorFlow runs on."""

    name: str
    hint: str = ""  # how to get a faster one

    def __str__(self) -> str:
        """The line that people read."""
        return f"device: {self.name}{f' ({self.hint})' if self.hint else ''}"


def select_device(gpu_id: str | None) -> Device:
    """Make TensorFlow run on that GPU, or on several ("0,1"), or on the CPU for "cpu"; None: GPU 0
    if there is one.

    Call it before anything runs. Raises InputError for a GPU that is not there.
    """
    import_tensorflow()
    import tensorflow as tf

    gpus = tf.config.list_physical_devices("GPU")
    if gpu_id == "cpu" or (gpu_id is None and not gpus):
        tf.config.set_visible_devices([], "GPU")
        hint = (
            "leave out `gpu_id` to use the GPU"
            if gpus
            else "on Linux with an NVIDIA driver, pip install 'tensorflow[and-cuda]' gets a GPU "
            "working, see README.md"
        )
        return Device(f"CPU, {os.cpu_count()} cores", hint)
    chosen = (gpu_id or "0").split(",")
    if len(set(chosen)) < len(chosen) or not all(
        each.isdecimal() and int(each) < len(gpus) for each in chosen
    ):
        known = ", ".join([*map(str, range(len(gpus))), "cpu"])
        raise InputError(
            f"{gpu_id} is not there; expected one of {known}"
            + (", or several such as 0,1" if len(gpus) > 1 else "")
            + ("" if gpus else " (TensorFlow finds no GPU: see README.md for the set-up)"),
            option="gpu_id",
        )
    gpus = [gpus[int(each)] for each in chosen]
    tf.config.set_visible_devices(gpus, "GPU")
    for gpu in gpus:
        tf.config.experimental.set_memory_growth(gpu, True)
    names = {
        tf.config.experimental.get_device_details(gpu).get("device_name", "unknown model")
        for gpu in gpus
    }
    return Device(f"GPU {', '.join(chosen)}, {', '.join(sorted(names))}")
