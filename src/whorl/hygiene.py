"""What is wrong with the pictures themselves: doubles, patients on both sides, names left in files."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Literal

from whorl import duplicates, leftovers
from whorl.folders import shown
from whorl.headers import Header
from whorl.records import ImageSet

Severity = Literal["stop", "warn", "note"]
EXAMPLES = 20
_ORDER: tuple[Severity, ...] = ("stop", "warn", "note")
_WORDS = {
    "generated": "the generated set",
    "members": "the members",
    "holdout": "the holdout",
    "reference": "the reference",
}


@dataclass(frozen=True)
class Finding:
    """One kind of trouble: how grave, how often, a plain line, and the first files (role/file) concerned.

    `stop` makes the answer of an audit or the release itself wrong, `warn` may do so, `note` should be
    known. The second of a pair is empty, or the reason, where only one file is concerned.
    """

    kind: str
    severity: Severity
    count: int
    sentence: str
    examples: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, eq=False)
class _Pool:
    """All real pictures one after the other: role, name, patient and content of each."""

    roles: tuple[str, ...]
    names: tuple[str, ...]
    patients: tuple[str | None, ...]
    digests: tuple[str, ...]

    @classmethod
    def of(cls, sets: Mapping[str, ImageSet]) -> _Pool:
        """Lay sets together, by role."""
        every = [(role, images) for role, images in sets.items()]
        return cls(
            tuple(role for role, images in every for _ in images.ids),
            tuple(f"{role}/{name}" for role, images in every for name in images.ids),
            tuple(owner for _, images in every for owner in images.patients or [None] * len(images)),
            tuple(digest for _, images in every for digest in images.digests),
        )

    def strangers(self, one: int, other: int) -> bool:
        """Whether two pictures are known to have different patients."""
        owners = self.patients[one], self.patients[other]
        return None not in owners and owners[0] != owners[1]

    def pair(self, one: int, other: int) -> tuple[str, str]:
        """Return the names of two pictures."""
        return self.names[one], self.names[other]


def hygiene(
    *,
    generated: ImageSet,
    members: ImageSet,
    holdout: ImageSet,
    reference: ImageSet | None = None,
    files: Mapping[str, Mapping[str, Path]] | None = None,
    headers: Mapping[str, Sequence[Header | None]] | None = None,
) -> tuple[Finding, ...]:
    """List what is wrong with the sets, the gravest first.

    `files` (role → id → path) and, if they were read before, `headers` (role → one a picture) let the files
    themselves be looked at; roles are those of the arguments.
    """
    real = {"members": members, "holdout": holdout}
    if reference is not None:
        real["reference"] = reference
    sets = {"generated": generated, **real}
    pool = _Pool.of(real)
    stacks = [images.pixels for images in real.values() if len(images)]
    twins = [(one.first, one.second) for one in duplicates.near(stacks, pool.digests, pool.patients)]
    same = [pair for group in duplicates.exact(pool.digests) for pair in combinations(group, 2)]
    found = [
        *_copied(generated, pool),
        *_doubles("exact duplicates", same, pool, "pixel by pixel"),
        *_repeated(generated),
        *_doubles("near duplicates", twins, pool, "but for a shift, brightness, noise or compression"),
        *_shared(pool),
        *_two_names([*same, *twins], pool),
        *_metadata(sets, files or {}, headers or {}),
        *_unreadable(sets),
    ]
    return tuple(sorted(found, key=lambda one: _ORDER.index(one.severity)))


def _copied(generated: ImageSet, pool: _Pool) -> Iterator[Finding]:
    """Generated pictures that are real ones."""
    by_digest: dict[str, int] = {}
    for place, digest in enumerate(pool.digests):
        by_digest.setdefault(digest, place)
    pairs = [
        (f"generated/{name}", by_digest[digest])
        for name, digest in zip(generated.ids, generated.digests, strict=True)
        if digest in by_digest
    ]
    for role in dict.fromkeys(pool.roles):
        some = [(name, pool.names[place]) for name, place in pairs if pool.roles[place] == role]
        if some:
            sentence = (
                f"{_counted(len(some), 'generated picture')} of {len(generated):,} "
                f"{_are(some)} also in {_WORDS[role]}, pixel by pixel"
            )
            yield _finding("generated identical to real", "stop", some, sentence)


def _repeated(generated: ImageSet) -> Iterator[Finding]:
    """Generated pictures that are there more than once."""
    groups = duplicates.exact(generated.digests)
    some = [(f"generated/{generated.ids[one[0]]}", f"generated/{generated.ids[one[1]]}") for one in groups]
    extra = sum(len(group) - 1 for group in groups)
    if some:
        sentence = (
            f"{_counted(extra, 'generated picture')} of {len(generated):,} repeat others, pixel by pixel"
        )
        yield _finding("exact duplicates", "note", some, sentence, extra)


def _doubles(kind: str, pairs: Sequence[tuple[int, int]], pool: _Pool, how: str) -> Iterator[Finding]:
    """Real pictures that are there twice, for every pair of sets."""
    roles = list(dict.fromkeys(pool.roles))
    for first, second in [*combinations(roles, 2), *((role, role) for role in roles)]:
        some = [pair for pair in pairs if [pool.roles[one] for one in pair] == [first, second]]
        if not some:
            continue
        across, named = first != second, [pool.pair(*pair) for pair in some]
        where = f"{_WORDS[first]} and {_WORDS[second]}" if across else f"{_WORDS[first]} alone"
        grave: Severity = "stop" if across and kind == "exact duplicates" else "warn"
        if not across and not any(pool.strangers(*pair) for pair in some):
            grave = "note"
        sentence = f"{_counted(len(some), 'pair')} of pictures in {where} {_are(some)} the same {how}"
        yield _finding(kind, grave, named, sentence)


def _shared(pool: _Pool) -> Iterator[Finding]:
    """Patients with pictures in more than one set."""
    first: dict[tuple[str, str], int] = {}
    for place, (role, owner) in enumerate(zip(pool.roles, pool.patients, strict=True)):
        if owner is not None:
            first.setdefault((role, owner), place)
    for one, other in combinations(dict.fromkeys(pool.roles), 2):
        owners = [owner for role, owner in first if role == one and (other, owner) in first]
        pairs = [pool.pair(first[one, owner], first[other, owner]) for owner in owners]
        if pairs:
            where = f"{_WORDS[one]} and {_WORDS[other]}"
            sentence = f"{_counted(len(pairs), 'patient')} {_has(pairs)} pictures in both {where}"
            yield _finding("patient on both sides", "stop", pairs, sentence)


def _two_names(pairs: Sequence[tuple[int, int]], pool: _Pool) -> Iterator[Finding]:
    """Patients of different names who share a picture."""
    first: dict[frozenset[str | None], tuple[int, int]] = {}
    for one, other in pairs:
        if pool.strangers(one, other):
            first.setdefault(frozenset((pool.patients[one], pool.patients[other])), (one, other))
    for across in (True, False):
        some = [pair for pair in first.values() if (pool.roles[pair[0]] != pool.roles[pair[1]]) == across]
        if some:
            where = "one in each of two sets" if across else "both in one set"
            sentence = (
                f"{_counted(len(some), 'pair')} of patients, {where}, may be one patient under two names: "
                "they share a picture"
            )
            named = [pool.pair(*pair) for pair in some]
            yield _finding("patient under two names", "warn", named, sentence)


def _metadata(
    sets: Mapping[str, ImageSet],
    files: Mapping[str, Mapping[str, Path]],
    headers: Mapping[str, Sequence[Header | None]],
) -> Iterator[Finding]:
    """Fields left in files, by role and field; what stands in them is never shown."""
    for role, images in sets.items():
        known = headers.get(role) or [None] * len(images)
        found: dict[str, list[tuple[str, str]]] = {}
        for name, one in zip(images.ids, known, strict=True):
            if path := files.get(role, {}).get(name):
                for field in leftovers.fields(path, one):
                    found.setdefault(field, []).append((f"{role}/{name}", ""))
        for field, some in sorted(found.items()):
            grave = _ORDER[int(field not in leftovers.IDENTITY) + int(role != "generated")]
            files_of = f"{_counted(len(some), 'file')} of {_WORDS[role]}"
            yield _finding("metadata", grave, some, f"{files_of} still {_has(some)} metadata: {field}")


def _unreadable(sets: Mapping[str, ImageSet]) -> Iterator[Finding]:
    """Files that were left out."""
    for role, images in sets.items():
        some = [(f"{role}/{entry.file}", entry.reason) for entry in images.quarantined]
        if some:
            left = "was left out: it" if len(some) == 1 else "were left out: they"
            sentence = f"{_counted(len(some), 'file')} of {_WORDS[role]} {left} could not be read"
            yield _finding("unreadable", "warn", some, sentence)


def _finding(
    kind: str, severity: Severity, pairs: Sequence[tuple[str, str]], sentence: str, count: int | None = None
) -> Finding:
    """Round a finding off: its count, the first file in its line, and examples."""
    first, second = pairs[0]
    named = f"'{shown(first)}'" + (f" ({shown(second)})" if second else "")
    return Finding(
        kind,
        severity,
        len(pairs) if count is None else count,
        f"{sentence}, first {named}.",
        tuple(pairs[:EXAMPLES]),
    )


def _counted(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def _are(some: Sequence[object]) -> str:
    return "is" if len(some) == 1 else "are"


def _has(some: Sequence[object]) -> str:
    return "has" if len(some) == 1 else "have"
