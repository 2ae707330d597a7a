"""Run jobs one after another in this process, or spread over processes; one interface for both.

A task is a plain function of (shared, job); `shared` travels once to every worker, results come back as
they are ready. Another engine joins by offering the same `run`.
"""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from typing import Any, Protocol

from whorl.records import BadInput

Task = Callable[[Any, Any], Any]
_SHARED: list[Any] = []


class Executor(Protocol):
    """Runs a task over jobs and yields (place of the job, its result) in any order."""

    def run(self, task: Task, shared: Any, jobs: Sequence[Any]) -> Iterator[tuple[int, Any]]:
        """Yield the place and the result of every job."""
        ...


@dataclass(frozen=True)
class InProcess:
    """One job after another, here."""

    def run(self, task: Task, shared: Any, jobs: Sequence[Any]) -> Iterator[tuple[int, Any]]:
        """Yield the results in order."""
        for place, job in enumerate(jobs):
            yield place, task(shared, job)


@dataclass(frozen=True)
class Processes:
    """A pool of processes, made anew when a worker is killed; only unfinished jobs run again."""

    workers: int = 0
    attempts: int = 3

    def run(self, task: Task, shared: Any, jobs: Sequence[Any]) -> Iterator[tuple[int, Any]]:
        """Yield the results as they are ready."""
        left = set(range(len(jobs)))
        deaths = 0
        while left:
            try:
                for place, result in self._round(task, shared, jobs, sorted(left)):
                    left.discard(place)
                    yield place, result
            except BrokenProcessPool:
                deaths += 1
                if deaths >= self.attempts:
                    message = f"workers were killed {deaths} times (out of memory?): try --executor here"
                    raise BadInput(message) from None

    def _round(
        self, task: Task, shared: Any, jobs: Sequence[Any], places: Sequence[int]
    ) -> Iterator[tuple[int, Any]]:
        count = min(self.workers or (os.cpu_count() or 1), len(places))
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(count, context, initializer=_receive, initargs=(shared,)) as pool:
            futures: dict[Future[Any], int] = {}
            for place in places:
                futures[pool.submit(_call, task, jobs[place])] = place
            try:
                for future in as_completed(futures):
                    yield futures[future], future.result()
            finally:
                pool.shutdown(wait=False, cancel_futures=True)


def executor(name: str, workers: int = 0) -> Executor:
    """Return the executor called `here` or `processes`."""
    if workers < 0:
        raise BadInput(f"--workers {workers}: give 0 or more")
    if name == "here":
        return InProcess()
    if name == "processes":
        return Processes(workers)
    raise BadInput(f"no executor is called '{name}'; known: here, processes")


def _receive(shared: Any) -> None:
    """Keep what all jobs share; one thread of linear algebra a worker, or they wait for one another."""
    from threadpoolctl import threadpool_limits

    threadpool_limits(1)
    _SHARED[:] = [shared]


def _call(task: Task, job: Any) -> Any:
    return task(_SHARED[0], job)
