"""The real pictures of an audit, and the neutral order and names under which methods see them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from whorl.arrays import SPILL_BYTES, allocate
from whorl.kernels.slabs import release, slabs
from whorl.records import Array, BadInput, ImageSet, Problem


@dataclass(frozen=True, eq=False)
class Cohort:
    """Members and holdout: names, roles and patients (n,), and `queries`, which lie in the order `order`."""

    ids: tuple[str, ...]
    roles: tuple[str, ...]
    patients: tuple[str, ...]
    order: Array
    queries: ImageSet

    @property
    def members(self) -> Array:
        """Which pictures are members, (n,) of bool."""
        return np.asarray([role == "member" for role in self.roles])

    @property
    def sides(self) -> tuple[int, int]:
        """How many patients are members, how many holdout."""
        pairs = set(zip(self.roles, self.patients, strict=True))
        members = sum(role == "member" for role, _ in pairs)
        return members, len(pairs) - members

    def restored(self, columns: Sequence[Array]) -> Array:
        """Bring columns in the order of the queries back into that of the cohort, (n, columns)."""
        table = np.empty((len(self.order), len(columns)), columns[0].dtype)
        table[self.order] = np.column_stack(columns)
        return table


def cohort(members: ImageSet, holdout: ImageSet, spill_bytes: int = SPILL_BYTES) -> Cohort:
    """Lay members and holdout together in an order and under names that tell nothing of their role.

    Patients are known to methods as neutral names where they are known at all: pictures of one patient
    must not vouch for one another.
    """
    if members.pixels.shape[1:] != holdout.pixels.shape[1:]:
        Problem("membership", members, {holdout.name: holdout})  # raises the error that names the sizes
    ids = (*members.ids, *holdout.ids)
    roles = ("member",) * len(members) + ("holdout",) * len(holdout)
    known = members.patients is not None and holdout.patients is not None
    if members.patients is None or holdout.patients is None:
        patients = tuple(f"{role}/{name}" for role, name in zip(roles, ids, strict=True))
    else:
        patients = (*members.patients, *holdout.patients)
    digests = (*members.digests, *holdout.digests)
    order = np.asarray(sorted(range(len(ids)), key=lambda place: (digests[place], patients[place])))
    kind = np.result_type(members.pixels, holdout.pixels)
    pixels = allocate((len(ids), *members.pixels.shape[1:]), kind, spill_bytes)
    for part, rows in slabs(pixels, kind.itemsize):
        for row, place in zip(rows, order[part], strict=True):
            inside = place < len(members)
            row[:] = members.pixels[place] if inside else holdout.pixels[place - len(members)]
        release(members.pixels)
        release(holdout.pixels)
    neutral = tuple(f"query {row:07d}" for row in range(len(ids)))
    codes: dict[str, str] = {}
    for place in order:
        codes.setdefault(patients[place], f"patient {len(codes):07d}")
    owners = tuple(codes[patients[place]] for place in order) if known else None
    queries = ImageSet("real pictures", neutral, pixels, tuple(digests[place] for place in order), owners)
    return Cohort(ids, roles, patients, order, queries)


def check_disjoint(members: ImageSet, holdout: ImageSet) -> None:
    """Refuse two sets of real pictures that have any in common."""
    names = dict(zip(members.digests, members.ids, strict=True))
    shared = [
        (names[digest], name)
        for digest, name in zip(holdout.digests, holdout.ids, strict=True)
        if digest in names
    ]
    if shared:
        first, second = shared[0]
        raise BadInput(
            f"{members.name} and {holdout.name} share {len(shared)} of {len(holdout)} pictures, "
            f"first '{first}' = '{second}': they must have none in common"
        )
