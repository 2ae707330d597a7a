"""Values of one JSON object, each checked where it is taken out."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from whorl.records import Interval


class Unfit(Exception):
    """A line that says nothing; `torn` if it is not even JSON."""

    def __init__(self, what: str, *, torn: bool = False) -> None:
        super().__init__(what)
        self.torn = torn


def interval(value: object, name: str) -> Interval | None:
    """Return an interval from [estimate, low, high]; nothing where one of the three is not known."""
    if value is None:
        return None
    if not isinstance(value, list) or len(value) != 3:
        raise Unfit(f"{name}: expected [estimate, low, high]")
    found = [number(end, name) for end in value]
    known = [end for end in found if end is not None]
    return Interval(*known) if len(known) == 3 else None


def number(value: object, name: str) -> float | None:
    """Return a number; nothing for null and what is not finite."""
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or abs(value) > 1e300:
        raise Unfit(f"{name}: expected a number")
    return float(value)


def share(line: Mapping[str, Any], name: str) -> float | None:
    """Return a number between 0 and 1, or nothing."""
    value = number(line.get(name), name)
    if value is not None and not 0 <= value <= 1:
        raise Unfit(f"{name}: expected a number between 0 and 1")
    return value


def whole(line: Mapping[str, Any], name: str) -> int | None:
    """Return a whole number, or nothing."""
    value = line.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or abs(value) > 1e18:
        raise Unfit(f"{name}: expected a whole number")
    return value


def text(line: Mapping[str, Any], name: str, default: str | None = None) -> str:
    """Return text, not empty unless a default is given."""
    value = line.get(name, default)
    if value is None and default is not None:
        return default
    if not isinstance(value, str) or (default is None and not value):
        raise Unfit(f"has no {name}")
    return value


def mapping(line: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """Return an object, empty where there is none."""
    value = line.get(name, {})
    if not isinstance(value, dict):
        raise Unfit(f"{name}: expected an object")
    return value


def sequence(line: Mapping[str, Any], name: str) -> Sequence[Any]:
    """Return a list, empty where there is none."""
    value = line.get(name, [])
    if not isinstance(value, list):
        raise Unfit(f"{name}: expected a list")
    return value
