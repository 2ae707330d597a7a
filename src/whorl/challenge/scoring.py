"""Score runs as the challenge does: five metrics a model and mean F1; kappa; the adjusted Rand index."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from whorl.challenge import editions
from whorl.challenge.lines import Ids, arrange
from whorl.challenge.submissions import Form, Submission
from whorl.metrics import VERDICT_METRICS, adjusted_rand_index, hungarian_accuracy
from whorl.records import Array, BadInput, Task

FIVE = ("accuracy", "precision", "recall", "specificity", "f1")
MEMBERSHIP = (*FIVE, "kappa", "balanced_accuracy", "mcc", "share_used")
ATTRIBUTION = ("adjusted_rand_index", "hungarian_accuracy", "groups")
MEANS: Mapping[Task, tuple[str, ...]] = {
    "membership": ("f1", "kappa", "accuracy"),
    "attribution": ("adjusted_rand_index", "hungarian_accuracy"),
}
ERRATUM = (
    "F1 is 2PR/(P+R). Both overviews (2023, 2024) print PR/(P+R), without the factor 2; "
    "their tables are computed with it, as here."
)
TITLES = {
    "f1": "F1",
    "mcc": "MCC",
    "share_used": "share used",
    "adjusted_rand_index": "ARI",
    "hungarian_accuracy": "accuracy, best naming",
}


@dataclass(frozen=True, eq=False)
class Truth:
    """The answers of one model: sorted ids, (n,) labels (1 used, 0 not; or a group's number), patients.

    `patients` is empty where none are known; `groups` are the names of the groups.
    """

    task: Task
    ids: Ids
    labels: NDArray[np.int16]
    patients: tuple[str, ...]
    groups: tuple[str, ...]
    digest: str

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def used(self) -> int:
        """How many pictures were used."""
        return int((self.labels == 1).sum())


@dataclass(frozen=True)
class Score:
    """One run on one model: metrics by name, and (tp, fp, fn, tn) for membership."""

    model: str
    values: Mapping[str, float]
    counts: tuple[int, int, int, int] | None


def read_truth(file: Path, task: Task, form: Form) -> Truth:
    """Read the answers of one model: a table with columns file, label and perhaps patient."""
    answers = editions.read_answers(file, task)
    names = list(answers.labels)
    ids, order = arrange(names, form.extension, str(file))
    ordered = [names[place] for place in order]
    words = [answers.labels[name] for name in ordered]
    groups = ("not_used", "used") if task == "membership" else tuple(sorted(set(words)))
    number = {group: place for place, group in enumerate(groups)}
    labels = np.array([number[word] for word in words], np.int16)
    if len(np.unique(labels)) < 2:
        raise BadInput(f"{file}: all pictures have the label '{words[0]}'; at least two labels are needed")
    unknown = [name for name in ordered if name not in answers.patients]
    if unknown and len(unknown) < len(ordered):
        raise BadInput(f"{file}: {len(unknown)} pictures have no patient; give all of them or none")
    patients = () if unknown else tuple(answers.patients[name] for name in ordered)
    seal = hashlib.sha256(ids.tobytes() + labels.tobytes() + repr((groups, patients)).encode())
    return Truth(task, ids, labels, patients, groups, seal.hexdigest()[:32])


def counts(truth: Truth, values: Array) -> Array:
    """Return tp, fp, fn and tn of answers (n,) or of several runs (runs, n), along the first axis."""
    used, said = truth.labels == 1, np.asarray(values) == 1
    tp = (said & used).sum(axis=-1)
    fp = said.sum(axis=-1) - tp
    fn = truth.used - tp
    return np.stack([tp, fp, fn, len(truth) - truth.used - fp])


def score(truth: Truth, run: Submission, model: str = "1") -> Score:
    """Compare one run with the answers."""
    if truth.task == "attribution":
        found = {
            "adjusted_rand_index": adjusted_rand_index(truth.labels, run.values),
            "hungarian_accuracy": hungarian_accuracy(truth.labels, run.values),
            "groups": float(len(run.groups)),
        }
        return Score(model, found, None)
    cells = counts(truth, run.values)
    values = {name: float(VERDICT_METRICS[name](*cells)) for name in MEMBERSHIP[:-1]}
    share = float(cells[:2].sum() / len(truth))
    tp, fp, fn, tn = (int(cell) for cell in cells)
    return Score(model, {**values, "share_used": share}, (tp, fp, fn, tn))


def flat(task: Task, scores: Sequence[Score]) -> dict[str, float]:
    """Return means over models and each model's metrics under the keys that leaderboards use."""
    means = {f"mean_{name}": float(np.mean([one.values[name] for one in scores])) for name in MEANS[task]}
    return means | {
        f"model_{one.model}_{name}": value for one in scores for name, value in one.values.items()
    }


def columns(task: Task, models: Sequence[str]) -> dict[str, str]:
    """Return the keys of `flat` with a title for each, in the same order."""
    found = {f"mean_{name}": f"Mean {title(name)}" for name in MEANS[task]}
    metrics = MEMBERSHIP if task == "membership" else ATTRIBUTION
    for model in models:
        found |= {f"model_{model}_{name}": f"Model {model} {title(name)}" for name in metrics}
    return found


def title(metric: str) -> str:
    """Return what people call a metric."""
    return TITLES.get(metric, metric.replace("_", " "))
