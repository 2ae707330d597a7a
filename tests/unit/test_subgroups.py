"""Groups of patients: found where a leak is, silent where it is not, nothing told of the few."""

from __future__ import annotations

import numpy as np
import pytest

from whorl import tables
from whorl.subgroups import FEWEST, subgroups

COUNT = 120


def world(effect: float = 3.0, seed: int = 0):
    """Two pictures of each of 60 patients a side; only women among the members are remembered."""
    random = np.random.default_rng(seed)
    patients = [f"p{number:03d}" for number in range(COUNT)]
    members = np.repeat(np.arange(COUNT) < COUNT // 2, 2)
    told = {
        "sex": {name: "FM"[place % 2] for place, name in enumerate(patients)},
        "age": {name: str(20 + place % 60) for place, name in enumerate(patients)},
        "rare": {name: "yes" if place in (0, 1, 70) else "no" for place, name in enumerate(patients)},
        "alike": dict.fromkeys(patients, "same"),
        "note": {name: f"text {place}" for place, name in enumerate(patients)},
    }
    owners = np.repeat(patients, 2)
    women = np.asarray([told["sex"][owner] == "F" for owner in owners])
    scores = random.normal(size=len(owners)) + effect * (members & women)
    return scores, members, owners.tolist(), told


def found(told=None, remembered=(), **how):
    scores, members, owners, known = world(**how)
    groups = subgroups(scores, members, owners, told or known, remembered, draws=400, seed=1)
    return {(one.column, one.value): one for one in groups}


def test_a_leak_is_found_where_it_is_and_nowhere_else():
    worlds = [found(seed=seed) for seed in range(10)]
    assert all(groups["sex", "F"].auc.low > 0.8 for groups in worlds)
    assert sum(groups["sex", "M"].auc.low < 0.5 < groups["sex", "M"].auc.high for groups in worlds) >= 8
    assert (worlds[0]["sex", "F"].members, worlds[0]["sex", "F"].holdout) == (30, 30)


def test_numbers_are_cut_into_thirds_that_hold_everybody():
    ages = [one for (column, _), one in found().items() if column == "age"]
    assert len(ages) == 3 and sum(one.members + one.holdout for one in ages) == COUNT


def test_nothing_is_told_of_a_group_of_few():
    groups = found(remembered=["p000", "p002"])
    few, many = groups["rare", "yes"], groups["rare", "no"]
    assert few.members < FEWEST and few.auc is None and few.remembered is None
    assert many.auc is not None and many.remembered == 1


def test_columns_that_make_no_groups_are_left_out():
    assert {column for column, _ in found()} == {"sex", "age", "rare"}
    assert found({"sex": {"p000": "F"}}) == {}


@pytest.mark.parametrize("cell", ["nan", "inf", "1e400", "='x'", "\u202e"])
def test_hostile_cells_make_no_groups_of_numbers(cell):
    ages = {f"p{number:03d}": str(number) for number in range(COUNT)} | {"p007": cell}
    assert found({"age": ages}) == {}


def test_tables_tell_of_patients_and_contradict_themselves_in_nothing(tmp_path):
    table = tmp_path / "patients.csv"
    table.write_text("file,patient,sex,side\na.png,A,f,left\nb.png,A,f,right\nc.png,B,m,left\n")
    assert tables.attributes(table) == {"sex": {"A": "f", "B": "m"}, "side": {"A": "", "B": "left"}}
    plain = tmp_path / "plain.csv"
    plain.write_text("file,sex\na.png,f\n")
    assert tables.attributes(plain, tmp_path, None, tmp_path / "gone.csv", np.zeros(3)) == {}
