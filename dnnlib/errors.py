"""What is raised when the trouble is in a user's file or arguments, not in the code."""

from dnnlib.text import one_line


class InputError(ValueError):
    """A file or an argument that cannot be used.

    The message is one line: what was found, what was expected, what to do. `option` names the
    argument at fault where there is one, as a parameter of a function: the command line puts its
    flag in front of the message. A message that names an option itself has it in backticks,
    `mani_layers`, which the command line replaces by --mani_layers.
    """

    def __init__(self, message: str, option: str | None = None) -> None:
        """What the message quotes from a file may be anything: see dnnlib/text.py."""
        super().__init__(one_line(message))
        self.option = option
