"""Lines for a shell that make again what is shown."""

import shlex

import numpy as np

from utils.cli.commands import command_of_step
from utils.cli.edit_options import EditOptions, add_edit_options
from utils.cli.options import plain_options
from utils.cli.parser import Parser
from utils.editing.walk import Edit

PLAIN = ["net.pkl", "my eyes.npy"]


def options_of(arguments):
    parser = Parser("", "")
    add_edit_options(parser, "")
    return plain_options(EditOptions.from_arguments(parser.parse_args(arguments)))


def test_command_of_a_step():
    """The command of a step, read again, has the options of its run, with this step alone."""
    given = [
        *("--seed", "7", "--class_index", "3,1", "--trunc_psi", "0.7", "--trunc_layers", "3"),
        *("--mani_layers", "0-3", "--box", "9,9,4,4", "--invert", "--ignore_setting", "a"),
        *("--translate=-0.1,0.2", "--per_layer"),
    ]
    edit = Edit(
        "my_eyes", 2, np.zeros(4), np.zeros(1), None, layers=(0, 1, 2, 3), path="my eyes.npy"
    )
    made = command_of_step(options_of([*PLAIN, *given]), edit, 5, -0.1)
    walk = ["--total_num", "6", "--start", "2", "--start_distance=-0.1", "--end_distance=-0.1"]
    assert options_of(shlex.split(made)[2:]) == options_of([*PLAIN, *given, *walk, "--step", "1"])
