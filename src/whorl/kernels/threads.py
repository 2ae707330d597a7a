"""How many threads the libraries of linear algebra take."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module


@contextmanager
def one_thread() -> Iterator[None]:
    """Keep libraries of linear algebra from sharing out one product; on busy cores their threads wait."""
    from threadpoolctl import threadpool_limits

    for late in ("scipy.linalg", "sklearn.neighbors"):  # what is loaded inside would have its threads again
        import_module(late)
    with threadpool_limits(1):
        yield
