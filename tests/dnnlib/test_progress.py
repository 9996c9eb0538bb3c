"""How far long work is, without a terminal."""

import io

from dnnlib import progress
from dnnlib.progress import ProgressBar


def test_line_a_minute(monkeypatch):
    """In a log, a line each interval with what is done and the time left, and none for work that is
    done before."""
    clock = iter(range(1000))
    for interval, lines in ((4.0, 3), (1000.0, 0)):
        monkeypatch.setattr(progress, "INTERVAL", interval)
        log = io.StringIO()
        with ProgressBar(total=20, desc="editing", unit="image", file=log) as bar:
            bar._time = lambda: next(clock)
            bar.start_t = bar.last_print_t = next(clock)
            for _ in range(20):
                bar.update()
        found = log.getvalue().splitlines()
        assert (len(found) >= lines) if lines else not found
        assert all(line.startswith("editing: ") and line.endswith(" left") for line in found)
