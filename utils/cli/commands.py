"""Lines for a shell that make again what is shown."""

import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from utils.editing.walk import Edit

# Of manipulate.py, what changes a picture, and the value that need not be said.
OF_PICTURES: dict[str, Any] = {
    "seed": 4,
    "latent_path": None,
    "latent_space": "auto",
    "class_index": None,
    "class_name": None,
    "trunc_psi": 1.0,
    "trunc_layers": None,
    "ignore_setting": [],
    "rotate": None,
    "translate": None,
    "region": None,
    "box": None,
    "mask": None,
    "segmentation": None,
    "labels": None,
    "parser": None,
    "invert": False,
    "per_layer": False,
}
FLAGS = {"class_name": "class"}  # where it is not the name
REPEATED = ("ignore_setting",)


def shell_line(script: str, arguments: Sequence[str], options: Mapping[str, Any]) -> str:
    """A call of a script: an option that is None or False is left out, a list stands behind its
    flag with commas."""
    words = ["python", script, *arguments]
    for name, value in options.items():
        flag = f"--{FLAGS.get(name, name)}"
        if name in REPEATED:
            words += [word for each in value for word in (flag, str(each))]
        elif value is True:
            words.append(flag)
        elif value is not None and value is not False:
            text = ",".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)
            # What begins with a dash and is no number would be taken for an option.
            words += [f"{flag}={text}"] if text.startswith("-") else [flag, text]
    return shlex.join(words)


def changed_options(options: Mapping[str, Any]) -> dict[str, Any]:
    """The options of manipulate.py that change a picture and are not what they are by default."""
    return {
        name: options[name]
        for name, default in OF_PICTURES.items()
        if options.get(name, default) not in (default, None)
    }


def command_of_step(options: Mapping[str, Any], edit: Edit, sample: int, distance: float) -> str:
    """The line that makes one step of a sample along an edit again, beside the samples before it;
    `options` are those of the run."""
    walk = {
        "total_num": sample + 1,
        "start": edit.row,
        "mani_layers": list(edit.layers) if edit.layers else None,
        "start_distance": distance,
        "end_distance": distance,
        "step": 1,
    }
    arguments = [str(options.get("restore_path", "NETWORK")), edit.path or edit.file]
    return shell_line("manipulate.py", arguments, changed_options(options) | walk)
