"""What a run costs, said before it begins."""

from utils.cli.parser import duration_text, say
from utils.files.writing import size_text


def announce(seconds: float, space: int, what: str, at_most: bool = False) -> None:
    """Print how long `what` takes and how many bytes of disk, if any; `at_most`: or fewer."""
    disk = f" and {'up to ' * at_most}{size_text(space)} of disk" if space else ""
    say(f"expected: {duration_text(seconds)}{disk} for {what}")
