"""Is a panel of attacks better than chance? Permutations of whole patients, corrected for the panel."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from math import comb, floor

import numpy as np
from numpy.typing import NDArray

from whorl.metrics import mid_ranks
from whorl.records import Array, BadInput

TAIL = 0.05
SLAB_BYTES = 24 << 20
EQUAL = 1e-9  # z values closer than this are ties: they differ by rounding only


@dataclass(frozen=True, eq=False)
class PanelTest:
    """Evidence of each attack against the same permutations; every array is (attacks,) unless said.

    `p_adjusted` and `p_below` (AUC below chance: a shift, not a memory) pay for the whole panel.
    `null_maximum` (permutations,) is the largest statistic over attacks, falling; `exact` says
    that every labelling was tried.
    """

    auc: Array
    z_auc: Array
    z_tail: Array
    p_value: Array
    p_adjusted: Array
    p_below: Array
    null_sd: Array
    null_maximum: Array
    exact: bool

    def critical(self, alpha: float = 0.05) -> float:
        """Return the z that an attack has to exceed for `p_adjusted` of at most `alpha`."""
        # p = (1 + exceedances) / (1 + permutations), so this many may reach the observed value.
        exceedances = floor(alpha * (1 + len(self.null_maximum)) + EQUAL) - 1
        if exceedances < 0:
            return float("inf")
        if exceedances >= len(self.null_maximum):
            return float("-inf")
        return float(self.null_maximum[exceedances])


@dataclass(frozen=True, eq=False)
class _Sums:
    """What the statistics need, summed per patient: all whole numbers, so that sums are exact.

    `table` is (patients, 1 + 2 attacks): pictures, doubled rank sums, scaled tail weights;
    `tail_total` (attacks,) is the scaled weight of the whole tail.
    """

    table: Array
    tail_total: Array
    pictures: int

    def statistics(self, selection: NDArray[np.bool_]) -> Array:
        """Return AUC and tail excess of labellings (rows, patients) as (rows, 2, attacks)."""
        sums = selection.astype(np.float64) @ self.table
        attacks = len(self.tail_total)
        count = sums[:, :1]
        rank_sums, tail = sums[:, 1 : attacks + 1] / 2, sums[:, attacks + 1 :]
        auc = (rank_sums - count * (count + 1) / 2) / (count * (self.pictures - count))
        return np.stack([auc, tail / self.tail_total - count / self.pictures], axis=1)


def permutation_test(
    values: Array, members: Array, patients: Sequence[str], draws: int = 9999, seed: int = 0
) -> PanelTest:
    """Test (n, attacks) scores, higher = more likely a member, by relabelling whole patients.

    An attack's statistic is the larger z of its AUC and of the share of members in its top 5 %.
    """
    scores = np.asarray(values)
    if scores.ndim != 2 or len(scores) != len(members) or len(members) != len(patients):
        raise ValueError(f"expected (pictures, attacks) scores for {len(members)} pictures")
    if np.isnan(scores).any():
        raise ValueError("scores must not contain NaN")
    if draws < 1:
        raise ValueError("at least one permutation is needed")
    patient, is_member = member_patients(members, patients)
    sums = _sums(scores, patient)
    slabs = [sums.statistics(slab) for slab in _labellings(is_member, draws, seed)]
    return _compare(np.concatenate(slabs), exact=_enumerable(is_member, draws))


def member_patients(members: Array, patients: Sequence[str]) -> tuple[Array, NDArray[np.bool_]]:
    """Return each picture's patient as a number, and for each patient whether it is a member."""
    member = np.asarray(members, np.bool_)
    names, patient = np.unique(np.asarray(patients), return_inverse=True)
    pictures = np.bincount(patient, minlength=len(names))
    used = np.bincount(patient[member], minlength=len(names))
    both = (used > 0) & (used < pictures)
    if both.any():
        raise BadInput(
            f"patient {names[both][0]} has member and holdout pictures ({both.sum()} such patients): "
            "put all pictures of a patient on one side"
        )
    is_member = used > 0
    if is_member.all() or not is_member.any():
        raise BadInput("patients: all are on one side; give both member and holdout patients")
    return patient, is_member


def _sums(scores: Array, patient: Array) -> _Sums:
    """Rank every attack's scores once and add up ranks and tail weights by patient."""
    ranks = [mid_ranks(column) for column in scores.T]
    tails = [_tail_weights(each) for each in ranks]
    columns = np.stack([np.ones(len(scores)), *(2 * each for each in ranks), *tails], axis=1)
    order = np.argsort(patient, kind="stable")
    starts = np.flatnonzero(np.diff(patient[order], prepend=-1))
    table = np.add.reduceat(columns[order], starts, axis=0)
    return _Sums(table, np.array([each.sum() for each in tails]), len(scores))


def _tail_weights(ranks: Array) -> Array:
    """Weight the top 5 % of the pictures; ties at the border share what is left.

    Scaled by the number of tied pictures, so that every weight is a whole number.
    """
    size = max(1, round(TAIL * len(ranks)))
    border = np.sort(ranks)[-size]
    above, tied = ranks > border, ranks == border
    weights = above * float(tied.sum()) + tied * float(size - above.sum())
    return np.asarray(weights, np.float64)


def _enumerable(is_member: NDArray[np.bool_], draws: int) -> bool:
    return comb(len(is_member), int(is_member.sum())) <= draws


def _labellings(is_member: NDArray[np.bool_], draws: int, seed: int) -> Iterator[NDArray[np.bool_]]:
    """Yield slabs of labellings (rows, patients): the observed one first, then the others."""
    yield is_member[None, :]
    patients, chosen = len(is_member), int(is_member.sum())
    rows = max(1, SLAB_BYTES // (8 * patients))
    if _enumerable(is_member, draws):
        every = np.array(list(combinations(range(patients), chosen)))
        others = _mark(every, patients)
        others = others[(others != is_member).any(axis=1)]
        yield from (others[start : start + rows] for start in range(0, len(others), rows))
        return
    generator = np.random.default_rng(seed)
    for start in range(0, draws, rows):
        # Random keys are drawn row by row: how many rows a slab has changes nothing.
        keys = generator.random((min(rows, draws - start), patients))
        yield _mark(np.argpartition(keys, chosen, axis=1)[:, :chosen], patients)


def _mark(chosen: Array, patients: int) -> NDArray[np.bool_]:
    """Turn chosen patient numbers (rows, chosen) into labellings (rows, patients)."""
    marks = np.zeros((len(chosen), patients), np.bool_)
    np.put_along_axis(marks, chosen, True, axis=1)
    return marks


def _compare(statistics: Array, exact: bool) -> PanelTest:
    """Turn statistics (1 + permutations, 2, attacks), the observed ones first, into p-values."""
    # The observed labelling is studentised like all others: only then are all rows exchangeable.
    z = _studentised(statistics)
    largest = z.max(axis=1)
    below = -z[:, 0]
    null = largest[1:].max(axis=1)
    return PanelTest(
        auc=statistics[0, 0],
        z_auc=z[0, 0],
        z_tail=z[0, 1],
        p_value=_p_values(largest[0], largest[1:]),
        p_adjusted=_p_values(largest[0], null[:, None]),
        p_below=_p_values(below[0], below[1:].max(axis=1)[:, None]),
        null_sd=statistics[1:, 0].std(axis=0),
        null_maximum=np.sort(null)[::-1],
        exact=exact,
    )


def _studentised(statistics: Array) -> Array:
    centred = statistics - statistics.mean(axis=0)
    spread = np.sqrt((centred**2).mean(axis=0))
    varies = spread > 1e-12  # a constant score has no spread, only rounding
    studentised: Array = np.where(varies, centred, 0.0) / np.where(varies, spread, 1.0)
    return studentised


def _p_values(observed: Array, null: Array) -> Array:
    """Share of permutations, the observed labelling included, that reach the observed value."""
    reached = (null >= observed - EQUAL).sum(axis=0)
    share: Array = (1 + reached) / (1 + len(null))
    return share
