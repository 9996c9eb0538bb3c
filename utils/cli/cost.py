"""What a run costs, said before it begins."""

import time

from utils.cli.parser import duration_text, say
from utils.files.writing import size_text

STARTED = time.monotonic()  # about when the run began: what is imported later takes longer


def announce(seconds: float, space: int, what: str, at_most: bool = False) -> None:
    """Print how long a run takes from its start on, if `what` is left to do and takes so many
    seconds; and how many bytes of disk, if any; `at_most`: or fewer."""
    seconds += time.monotonic() - STARTED
    disk = f" and {'up to ' * at_most}{size_text(space)} of disk" if space else ""
    say(f"expected: {duration_text(seconds)}{disk} for {what}")
