"""What a run costs, as it is announced."""

import pytest

from utils.cli.cost import announce


@pytest.mark.parametrize(
    ("cost", "line"),
    [
        ((40, 4_200_000, "1 sample"), "expected: about 40 s and 4.2 MB of disk for 1 sample"),
        ((720, 0, "7 images", True), "expected: about 12 min for 7 images"),
        (
            (1, 900, "2 images", True),
            "expected: about 1 s and up to 900 bytes of disk for 2 images",
        ),
    ],
)
def test_announce(cost, line, capsys) -> None:
    """Time, disk if any is needed, and what for, in one line."""
    announce(*cost)
    assert capsys.readouterr().out == f"{line}\n"
