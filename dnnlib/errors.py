"""What is raised when the trouble is in a user's file or arguments, not in the code."""

from dnnlib.text import one_line


class InputError(ValueError):
    """A file or an argument that cannot be used. The message is one line: found, expected, what to
    do."""

    def __init__(self, message: str) -> None:
        """What the message quotes from a file may be anything: see dnnlib/text.py."""
        super().__init__(one_line(message))
