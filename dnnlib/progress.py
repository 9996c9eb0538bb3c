"""How far long work is: a bar on a terminal; elsewhere, as in a log, a line a minute."""

import io
import sys
from typing import Any, TextIO

from tqdm import tqdm

INTERVAL = 60.0  # seconds between two lines where there is no terminal


class ProgressBar(tqdm):
    """tqdm's bar, with its arguments. Where stderr is no terminal, a line of the same each minute:
    none for work that is done before."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        self._lines = _has_lines(options.get("file"))
        if self._lines:
            # Looked at more often, so that a line is not much later than its minute.
            options |= {"mininterval": INTERVAL / 12, "maxinterval": INTERVAL / 12}
            options["bar_format"] = "{desc}: {n_fmt} of {total_fmt} {unit}s, {remaining} left"
        self._said = 0.0
        super().__init__(*arguments, **options)

    @staticmethod
    def status_printer(file: TextIO) -> Any:
        if not _has_lines(file):
            return tqdm.status_printer(file)

        def say_line(text: str) -> None:
            if text:
                file.write(f"{text}\n")
                file.flush()

        return say_line

    def display(self, msg: str | None = None, pos: int | None = None) -> bool | None:
        if self._lines:
            elapsed = self.format_dict["elapsed"]
            if elapsed - self._said < INTERVAL:
                return None
            self._said = elapsed
        return super().display(msg, 0 if self._lines else pos)

    def close(self) -> None:
        if self._lines:
            self.fp = io.StringIO()  # where tqdm ends its line
        super().close()

    def clear(self, *arguments: Any, **options: Any) -> None:
        if not self._lines:
            super().clear(*arguments, **options)


def _has_lines(file: TextIO | None) -> bool:
    return not (file or sys.stderr).isatty()
