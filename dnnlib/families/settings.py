"""Settings of a network file, by name: each is used, known to be harmless, or an error that names
it."""

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

from dnnlib.containers.named_arrays import MOST_TAPS
from dnnlib.containers.safe_pickle import brief
from dnnlib.errors import InputError
from dnnlib.record import IgnoredSettings

Settings = TypeVar("Settings")


def settle(
    kind: type[Settings],
    given: Mapping[str, Any],
    ignored: IgnoredSettings,
    expected: str,
    harmless: Iterable[str] = (),
    fixed: Mapping[str, tuple] | None = None,
) -> Settings:
    """The dataclass of settings, what is not `given` with its default.

    A setting that is `harmless` is left out of account, as is one of `fixed` with one of its
    values. Raises InputError for another value of these, a field of another type than its default,
    and a setting that is not known, unless it is `ignored`.
    """
    fields = {field.name: field.default for field in dataclasses.fields(kind)}  # type: ignore[arg-type]
    used, harmless, fixed = {}, set(harmless), fixed or {}
    for name, value in given.items():
        if name in fields:
            expect_plain(name, value)
            _expect_like(name, value, fields[name])
            used[name] = value
        elif name in fixed:
            expect_plain(name, value)
            if not any(_are_equal(value, each) for each in fixed[name]):
                raise InputError(
                    f"its setting {name} is {brief(value)}; expected {brief(fixed[name][0])}: "
                    f"{expected}"
                )
        elif name not in harmless:
            ignored.expect_covered(name, value, expected)
    return kind(**used)


def _are_equal(value: Any, other: Any) -> bool:
    if isinstance(value, (list, tuple)) and isinstance(other, (list, tuple)):
        return list(value) == list(other)
    return value == other and isinstance(value, bool) == isinstance(other, bool)


def _expect_like(name: str, value: Any, default: Any) -> None:
    """Raises InputError unless a value is None, or of the kind of the default."""
    if value is None or default is None:
        return
    kinds = {
        bool: (bool,),
        int: (int,),
        float: (int, float),
        str: (str, bool),
        tuple: (list, tuple),
    }
    kind = kinds.get(type(default), (object,))
    if not isinstance(value, kind) or (isinstance(value, bool) and bool not in kind):
        raise InputError(
            f"its setting {name} is {brief(value)}; expected one such as {brief(default)}"
        )


def expect_plain(name: str, value: Any) -> None:
    """Raises InputError unless a setting is a number, a text or a few of them: others may take
    forever to compare."""
    values = value if isinstance(value, (list, tuple)) and len(value) <= MOST_TAPS else [value]
    if not all(v is None or isinstance(v, (bool, int, float, str)) for v in values):
        raise InputError(f"its setting {name} is {brief(value)}; expected a number, a text or None")
