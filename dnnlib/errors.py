"""What is raised when the trouble is in a user's file or arguments, not in the code."""


class InputError(ValueError):
    """A file or an argument that cannot be used. The message is one line: found, expected, what to do."""
