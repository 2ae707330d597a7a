"""The folders of an edition: pictures under names whose order tells nothing, answers and origins sealed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from whorl.compare import Progress
from whorl.exports import write_csv
from whorl.forge import sealing
from whorl.forge.editions import numbered, write_pictures
from whorl.forge.phantom import Pixels
from whorl.forge.sealing import Home, Value
from whorl.forge.splits import stream

Row = tuple[str, ...]
STEP = 64  # pictures between two reports of progress


@dataclass(frozen=True, eq=False)
class Half:
    """Real pictures (n, h, w) of dev or test with side, neutral patient and origin; and generated ones."""

    pixels: Pixels
    used: NDArray[np.bool_]
    patients: tuple[str, ...]
    origins: tuple[str, ...]
    owners: tuple[str, ...]
    generated: Pixels

    def row(self, name: str, place: int) -> Row:
        """Return the line of a picture in the table of origins."""
        return name, self.origins[place], self.patients[place], self.owners[place]


@dataclass(frozen=True)
class Publication:
    """Writes one edition into its home; edition.toml last, when all else is there."""

    home: Home
    seed: int
    progress: Progress
    facts: Mapping[str, Value] = field(default_factory=dict)

    def membership(self, name: str, dev: Half | None, test: Half) -> dict[str, int]:
        """Write dev/generated, real_used, real_not_used; test/generated, real_unknown; return the counts."""
        origins = self._labelled(dev) if dev is not None else []
        stem = f"real_unknown_{self.home.number}" if self.home.number else "real_unknown"
        names, order = self._shuffled(stem, len(test.pixels), "test")
        self._write("test/generated", numbered("g", len(test.generated)), test.generated)
        self._write("test/real_unknown", names, test.pixels[order])
        pairs = list(zip(names, order, strict=True))
        answers = [
            (one, "used" if test.used[place] else "not_used", test.patients[place]) for one, place in pairs
        ]
        origins += [test.row(f"test/real_unknown/{one}", place) for one, place in pairs]
        counts = {"test_generated": len(test.generated), "test_real_unknown": len(test.pixels)}
        if dev is not None:
            used = int(dev.used.sum())
            known = {"dev_generated": len(dev.generated), "dev_real_used": used}
            counts = {**known, "dev_real_not_used": len(dev.used) - used, **counts}
        sealing.write_origins(self.home, origins)
        self._finish(name, "membership", answers, counts, test.pixels)
        return {f"{self.home.edition.name}/{key}" if self.home.number else key: counts[key] for key in counts}

    def attribution(self, name: str, dev: Mapping[str, Pixels], test: Mapping[str, Pixels]) -> dict[str, int]:
        """Write dev/MODEL and test/images; return the counts."""
        for model, made in dev.items():
            self._write(f"dev/{model}", numbered("g", len(made)), made)
        answers, mixed = self._mixed("test/images", test)
        counts = {f"dev_{model}": len(made) for model, made in dev.items()} | {"test_images": len(mixed)}
        self._finish(name, "attribution", answers, counts, mixed, {"generators": len(test)})
        return counts

    def subsets(self, name: str, dev: Mapping[str, Half], test: Mapping[str, Pixels]) -> dict[str, int]:
        """Write dev/real/SUBSET, dev/generated/SUBSET and test/generated_unknown; return the counts."""
        names, order = self._shuffled("real", sum(len(half.pixels) for half in dev.values()), "dev")
        everyone = [(subset, place) for subset, half in dev.items() for place in range(len(half.pixels))]
        own: dict[str, list[tuple[str, int]]] = {subset: [] for subset in dev}
        for one, row in zip(names, order, strict=True):
            subset, place = everyone[row]
            own[subset].append((one, place))
        origins: list[Row] = []
        counts: dict[str, int] = {}
        for subset, half in dev.items():
            folder, rows = f"dev/real/{subset}", [place for _, place in own[subset]]
            self._write(folder, [one for one, _ in own[subset]], half.pixels[rows])
            self._write(f"dev/generated/{subset}", numbered("g", len(half.generated)), half.generated)
            origins += [half.row(f"{folder}/{one}", place) for one, place in own[subset]]
            counts |= {f"dev_real_{subset}": len(rows), f"dev_generated_{subset}": len(half.generated)}
        self._patients(origins)
        sealing.write_origins(self.home, origins)
        answers, mixed = self._mixed("test/generated_unknown", test)
        counts["test_generated_unknown"] = len(mixed)
        self._finish(name, "subsets", answers, counts, mixed, {"generators": len(test)})
        return counts

    def _labelled(self, dev: Half) -> list[Row]:
        """Write the development part of a membership edition; return the origins of its pictures."""
        names, order = self._shuffled("real", len(dev.pixels), "dev")
        self._write("dev/generated", numbered("g", len(dev.generated)), dev.generated)
        origins = []
        for folder, side in (("dev/real_used", True), ("dev/real_not_used", False)):
            here = [(one, place) for one, place in zip(names, order, strict=True) if dev.used[place] == side]
            self._write(folder, [one for one, _ in here], dev.pixels[[place for _, place in here]])
            origins += [dev.row(f"{folder}/{one}", place) for one, place in here]
        self._patients(origins)
        return origins

    def _mixed(self, folder: str, test: Mapping[str, Pixels]) -> tuple[list[Row], Pixels]:
        """Write generated pictures of all groups in one random order; return the answers."""
        everything = np.concatenate(list(test.values()))
        labels = [group for group, made in test.items() for _ in made]
        names, order = self._shuffled("unknown", len(everything), "test")
        self._write(folder, names, everything[order])
        return [(one, labels[place]) for one, place in zip(names, order, strict=True)], everything

    def _shuffled(self, stem: str, count: int, part: str) -> tuple[tuple[str, ...], NDArray[np.int64]]:
        """Return names in order and the picture that each gets."""
        order = stream(self.seed, f"names of {part} {self.home.number}").permutation(count)
        return numbered(stem, count), order

    def _write(self, folder: str, names: Sequence[str], pixels: Pixels) -> None:
        for start in range(0, len(names), STEP):
            self.progress(f"writing {folder}", start, len(names))
            write_pictures(self._path(folder), names[start : start + STEP], pixels[start : start + STEP])
        self.progress(f"writing {folder}", len(names), len(names))

    def _patients(self, origins: Sequence[Row]) -> None:
        """Write the neutral patient of every real picture of the development part."""
        rows = sorted((name.removeprefix("dev/"), patient) for name, _, patient, _ in origins)
        write_csv(self._path("dev") / "patients.csv", ("file", "patient"), rows)

    def _finish(
        self,
        name: str,
        task: str,
        answers: Sequence[Row],
        counts: Mapping[str, int],
        pixels: Pixels,
        more: Mapping[str, Value] | None = None,
    ) -> None:
        header = ("file", "label", "patient")[: len(answers[0])]
        commitment = sealing.write_answers(self.home, header, answers, self.seed)
        usual = f"{task}-{commitment[:8]}"
        size = {"width": pixels.shape[2], "height": pixels.shape[1]}
        about = {"name": name or usual, "task": task, **self.facts, **(more or {}), **size, **counts}
        sealing.write_about(self.home.edition, {**about, "answers_sha256": commitment})

    def _path(self, folder: str) -> Path:
        return self.home.edition / folder
