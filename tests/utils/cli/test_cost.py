"""What a run costs, as it is announced."""

import time

import pytest

from utils.cli.cost import announce


@pytest.mark.parametrize(
    ("cost", "line"),
    [
        ((30, 4_200_000, "1 sample"), "expected: about 40 s and 4.2 MB of disk for 1 sample"),
        ((710, 0, "7 images", True), "expected: about 12 min for 7 images"),
        (
            (1, 900, "2 images", True),
            "expected: about 11 s and up to 900 bytes of disk for 2 images",
        ),
    ],
)
def test_announce(cost, line, capsys, monkeypatch) -> None:
    """Time from the start on, disk if any is needed, and what for, in one line."""
    monkeypatch.setattr("utils.cli.cost.STARTED", time.monotonic() - 10)
    announce(*cost)
    assert capsys.readouterr().out == f"{line}\n"
