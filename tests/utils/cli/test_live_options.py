"""The options of a live session."""

import pytest

from dnnlib.errors import InputError
from utils.cli.edit_options import add_edit_options
from utils.cli.live_options import LiveOptions, add_live_options
from utils.cli.parser import Parser


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--live", "--contact_sheet"], "--contact_sheet with --live"),
        (["--live", "--animate", "gif"], "--animate with --live"),
        (["--live", "--keep", "a"], "--keep without --state"),
        (["--port", "1"], "--port without --live"),
        ([], "no directions; expected a file of them, a name"),
    ],
)
def test_no_effect(arguments, words):
    """An option that would have no effect is an error that names it."""
    parser = Parser("", "")
    add_edit_options(parser, "")
    add_live_options(parser)
    with pytest.raises(InputError, match=words):
        LiveOptions.from_arguments(parser.parse_args(["net.pkl", *arguments]))
