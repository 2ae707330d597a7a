"""Functions compiled on their first call; what they become is kept on disk for the next process."""

from __future__ import annotations

import gc
from collections.abc import Callable
from functools import cache
from typing import Any


@cache
def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile on the first call and keep the machine code where that is possible; other threads can run."""
    lean = {"nogil": True, "error_model": "numpy", "no_cfunc_wrapper": True}
    made: Callable[..., Any]
    try:
        made = _numba().njit(function, cache=True, **lean)
    except RuntimeError:  # no folder to keep it in
        made = _numba().njit(function, **lean)
    return made


def part(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile a piece of a kernel, which is woven into the kernel that calls it: nobody else calls it."""
    woven = {"error_model": "numpy", "no_cpython_wrapper": True, "no_cfunc_wrapper": True}
    made: Callable[..., Any] = _numba().njit(function, **woven)
    return made


@cache
def _numba() -> Any:
    """The compiler; garbage is not looked for while it is at work, which would take a seventh of the time."""
    import numba
    from numba.core import event

    class Pause(event.Listener):  # type: ignore[misc]
        """Numba tells of compilations, which may begin others, with its lock in hand."""

        def __init__(self) -> None:
            self.within: list[bool] = []

        def on_start(self, _heard: Any) -> None:
            self.within.append(gc.isenabled())
            gc.disable()

        def on_end(self, _heard: Any) -> None:
            if self.within.pop():
                gc.enable()

    event.register("numba:compile", Pause())
    return numba
