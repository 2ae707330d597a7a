"""Executors: the same results here and in processes, and a killed worker costs only its own job."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import pytest

from whorl.executors import Executor, InProcess, Processes, executor
from whorl.records import BadInput

VICTIM = 2


class Counted:
    """Leaves a file behind every time it is unpickled."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        (self.folder / f"unpickled {os.getpid()} {time.monotonic_ns()}").touch()


def add(shared: int, job: int) -> tuple[int, int]:
    return shared + job, os.getpid()


def count_visits(_shared: Counted, job: int) -> int:
    return job


def note(folder: Path, job: int) -> None:
    """Leave one more file behind for this job."""
    (folder / f"{job:02d} {os.getpid()} {time.monotonic_ns()}").touch()


def dies_once(folder: Path, job: int) -> int:
    """One job kills its worker the first time, when four others are done."""
    note(folder, job)
    if job == VICTIM and not (folder / "died").exists():
        while len(list(folder.glob("done *"))) < 4:
            time.sleep(0.01)
        time.sleep(0.2)
        (folder / "died").touch()
        os.kill(os.getpid(), 9)
    if not (folder / "died").exists() and len(list(folder.glob("done *"))) >= 4:
        time.sleep(0.6)  # nothing more is finished before the worker dies
    (folder / f"done {job}").touch()
    return job * job


def dies_always(_folder: Path, job: int) -> int:
    if job == VICTIM:
        os.kill(os.getpid(), 9)
    return job


def refuses(_shared: None, job: int) -> int:
    if job == 1:
        raise BadInput("job 1: not today")
    return job


def test_both_give_the_same_results() -> None:
    jobs = list(range(7))
    for engine in (InProcess(), executor("here"), executor("processes", 2)):
        found = dict(engine.run(add, 10, jobs))
        assert {place: value for place, (value, _) in found.items()} == {job: job + 10 for job in jobs}
        elsewhere = {process for _, process in found.values()} - {os.getpid()}
        assert bool(elsewhere) == isinstance(engine, Processes)


@pytest.mark.parametrize("engine", [InProcess(), Processes(2)])
def test_no_jobs_are_no_results(engine: Executor) -> None:
    assert list(engine.run(add, 1, [])) == []


def test_what_is_shared_travels_once_to_every_worker(tmp_path: Path) -> None:
    assert len(dict(Processes(2).run(count_visits, Counted(tmp_path), list(range(9))))) == 9
    assert 1 <= len(list(tmp_path.glob("unpickled *"))) <= 2


def test_a_killed_worker_costs_only_unfinished_jobs(tmp_path: Path) -> None:
    found = list(Processes(2).run(dies_once, tmp_path, list(range(8))))
    assert sorted(found) == [(job, job * job) for job in range(8)], "every job is answered once"
    visits = [len(list(tmp_path.glob(f"{job:02d} *"))) for job in range(8)]
    assert visits[VICTIM] == 2
    assert sum(count == 1 for count in visits) >= 4, "what was finished does not run again"
    assert max(visits) == 2


def test_a_worker_that_always_dies_ends_the_run_in_words(tmp_path: Path) -> None:
    started = time.monotonic()
    with pytest.raises(BadInput, match=r"workers were killed 2 times .*--executor here"):
        list(Processes(2, attempts=2).run(dies_always, tmp_path, list(range(4))))
    assert time.monotonic() - started < 60


@pytest.mark.parametrize("engine", [InProcess(), Processes(2)])
def test_an_error_of_a_job_is_the_error_of_the_run(engine: Executor) -> None:
    with pytest.raises(BadInput, match="job 1: not today"):
        list(engine.run(refuses, None, [0, 1, 2]))


def test_a_run_can_be_left_early() -> None:
    run = iter(Processes(1).run(add, 0, list(range(50))))
    place, (value, _) = next(run)
    assert place == value
    run.close()  # type: ignore[attr-defined]


def test_an_unknown_executor_names_the_known_ones() -> None:
    with pytest.raises(BadInput, match="no executor is called 'proceses'; known: here, processes"):
        executor("proceses")


def test_scores_do_not_depend_on_who_makes_them() -> None:
    # Imported here: every worker of the other tests imports this file.
    from contracts import problems
    from whorl import auditing, recipes
    from whorl.pipeline import Settings

    chosen = [recipes.load(name) for name in ("whorl.thumbnail", "m24-cao.gaussian-noise", "whorl.subspace")]
    shared = (problems.membership().problem, Settings())
    here, there = (
        dict(engine.run(auditing.score_job, shared, chosen)) for engine in (InProcess(), Processes(2))
    )
    for place, table in here.items():
        assert there[place].values.tobytes() == table.values.tobytes()
        assert there[place].nearest.tobytes() == table.nearest.tobytes()
