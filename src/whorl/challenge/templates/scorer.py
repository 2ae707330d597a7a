"""Check and score run files on a challenge platform; the standard library of Python 3.7 is all it needs.

Codabench runs `scorer.py INPUT OUTPUT` (answers in INPUT/ref/reference.json, a run in INPUT/res) and reads
OUTPUT/scores.json; EvalAI calls `evaluate`. With several models a run is one file each, named ..._model1.csv.
"""

from __future__ import annotations

import json
import re
import sys
import zipfile
from pathlib import Path
from typing import Any

LISTED = 20
LARGEST = 1 << 28
SPLIT = "test_split"
MODEL = re.compile(r"(?i)(?:.*[^a-z0-9])?m(?:odel)?[ _-]?([0-9]{1,2})\.csv")
GROUP = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}")
NO_GROUP = re.compile(r"(?i)nan|none|null|na|inf|infinity|[0-9]*\.[0-9]*")
BLANKS = " \t"


def evaluate(
    test_annotation_file: str, user_annotation_file: str, phase_codename: str, **kwargs: object
) -> dict[str, object]:
    """Score one run (a CSV file, or a ZIP with one for each model) as EvalAI asks."""
    reference = read_reference(test_annotation_file)
    scores = score(reference, uploaded_files(user_annotation_file))
    return {"result": [{SPLIT: scores}], "submission_result": scores}


def main(arguments: list[str]) -> int:
    """Score the run in a folder as Codabench asks; a run that breaks the rules ends with code 1."""
    source, target = arguments
    reference = read_reference(str(Path(source) / "ref" / "reference.json"))
    try:
        scores = score(reference, folder_files(Path(source) / "res"))
    except ValueError as error:
        sys.stderr.write(str(error) + "\n")
        return 1
    (Path(target) / "scores.json").write_text(json.dumps(scores, indent=2), encoding="utf-8")
    return 0


def read_reference(path: str) -> dict[str, Any]:
    """Read the answers: task, headers that may stand first, and for each model id and answer."""
    reference: dict[str, Any] = json.loads(Path(path).read_text(encoding="utf-8"))
    if reference.get("schema") != "whorl.reference/1":
        raise ValueError("the reference data are of an unknown format")
    return reference


def folder_files(folder: Path) -> dict[str, bytes]:
    """Return the CSV files of a folder by name."""
    return {path.name: beginning(path) for path in sorted(folder.rglob("*")) if wanted(path.name)}


def uploaded_files(path: str) -> dict[str, bytes]:
    """Return an uploaded CSV file, or those of an archive; nothing is unpacked onto the disk."""
    if not zipfile.is_zipfile(path):
        return {"run.csv": beginning(Path(path))}
    found = {}
    with zipfile.ZipFile(path) as archive:
        for member in archive.infolist():
            name = member.filename.replace("\\", "/").rpartition("/")[2]
            if wanted(name):
                with archive.open(member) as file:
                    found[name] = file.read(LARGEST + 1)
    return found


def beginning(path: Path) -> bytes:
    """Return what a file holds, of an endless one only so much that it is refused."""
    with path.open("rb") as file:
        return file.read(LARGEST + 1)


def wanted(name: str) -> bool:
    """Say whether a file can be a run."""
    return name.lower().endswith(".csv") and not name.startswith(".")


def score(reference: dict[str, Any], files: dict[str, bytes]) -> dict[str, float]:
    """Return all scores of one run, means over models first."""
    models = sorted(reference["models"])
    data = by_model(files, models)
    found = {}
    for model in models:
        answers = read_run(data[model], reference, reference["models"][model])
        measured = membership if reference["task"] == "membership" else attribution
        found[model] = measured(reference["models"][model], answers)
    scores = {}
    for name in reference["means"]:
        scores["mean_" + name] = sum(found[model][name] for model in models) / len(models)
    for model in models:
        for name, value in found[model].items():
            scores["model_" + model + "_" + name] = value
    return scores


def by_model(files: dict[str, bytes], models: list[str]) -> dict[str, bytes]:
    """Return which file answers for which model."""
    if len(files) != len(models):
        raise ValueError(f"a run has {len(models)} CSV file(s), not {len(files)}")
    if len(models) == 1:
        return {models[0]: next(iter(files.values()))}
    found = {}
    for name, data in files.items():
        match = MODEL.fullmatch(name)
        if match is not None:
            found[str(int(match.group(1)))] = data
    if sorted(found) != models:
        raise ValueError("name the files ..._model1.csv, ..._model2.csv and so on, one for each model")
    return found


def read_run(data: bytes, reference: dict[str, Any], truth: dict[str, str]) -> dict[str, str]:
    """Return the answers of a run by id; what breaks a rule is told, the first 20 with their lines."""
    if len(data) > LARGEST:
        raise ValueError(f"the file is larger than {LARGEST:,} bytes")
    if data.startswith(b"\xef\xbb\xbf"):
        raise ValueError("line 1: the file begins with a byte order mark; save as UTF-8 without one")
    lines = data.decode("utf-8", "backslashreplace").split("\n")
    if lines[-1] == "":
        lines.pop()
    if not lines:
        raise ValueError("line 1: the file is empty; one line for each id is needed")
    answers: dict[str, str] = {}
    faults = []
    for number, line in enumerate(lines, start=1):
        line = line[:-1] if line.endswith("\r") else line
        if number == 1 and re.sub(r"[ \t]", "", line).lower() in reference["headers"]:
            continue
        fields = [field.strip(BLANKS) for field in line.split(",")]
        rule = broken_rule(fields, reference["task"], truth, answers)
        if rule:
            faults.append(f"line {number}: {line[:60]!a}: {rule}")
        else:
            answers[fields[0]] = fields[1]
    if not faults:
        missing = (name for name in truth if name not in answers)
        faults = [f"no line: {name!a}: this id is missing" for name in missing]
    if faults:
        more = [] if len(faults) <= LISTED else [f"and {len(faults) - LISTED} more"]
        raise ValueError("\n".join(faults[:LISTED] + more))
    return answers


def broken_rule(fields: list[str], task: str, truth: dict[str, str], answers: dict[str, str]) -> str:
    """Return the rule that a line breaks, or nothing."""
    if len(fields) != 2:
        return "every line is <id>,<answer>"
    name, answer = fields
    if name not in truth:
        return "the id is not in the test list"
    if name in answers:
        return "this id was answered already"
    if task == "membership":
        return "" if answer in ("0", "1") else "the answer must be 0 or 1 exactly"
    if GROUP.fullmatch(answer) and not NO_GROUP.fullmatch(answer):
        return ""
    return "the answer must be the name or number of a group"


def membership(truth: dict[str, str], answers: dict[str, str]) -> dict[str, float]:
    """Return the verdict metrics of one model; 1 is used, a share of nothing is 0."""
    cells = {"11": 0, "10": 0, "01": 0, "00": 0}
    for name, label in truth.items():
        cells[label + answers[name]] += 1
    tp, fn, fp, tn = cells["11"], cells["10"], cells["01"], cells["00"]
    recall, specificity = share(tp, tp + fn), share(tn, tn + fp)
    lean = 2.0 * (tp * tn - fp * fn)
    spread = float((tp + fp) * (tn + fn)) ** 0.5 * float((tp + fn) * (tn + fp)) ** 0.5
    return {
        "accuracy": share(tp + tn, len(truth)),
        "precision": share(tp, tp + fp),
        "recall": recall,
        "specificity": specificity,
        "f1": share(2 * tp, 2 * tp + fp + fn),
        "kappa": share(lean, (tp + fn) * (fn + tn) + (tp + fp) * (fp + tn)),
        "balanced_accuracy": (recall + specificity) / 2,
        "mcc": share(lean / 2, spread),
        "share_used": share(tp + fp, len(truth)),
    }


def attribution(truth: dict[str, str], answers: dict[str, str]) -> dict[str, float]:
    """Return the adjusted Rand index and the accuracy under the best naming of the groups."""
    kinds, groups = sorted(set(truth.values())), sorted(set(answers.values()))
    table = [[0] * len(groups) for _ in kinds]
    for name, label in truth.items():
        table[kinds.index(label)][groups.index(answers[name])] += 1
    columns = [sum(row[place] for row in table) for place in range(len(groups))]
    together = sum(pairs(cell) for row in table for cell in row)
    one, other = sum(pairs(sum(row)) for row in table), sum(pairs(size) for size in columns)
    expected, highest = one * other / max(pairs(len(truth)), 1), (one + other) / 2
    index = 1.0 if highest == expected else (together - expected) / (highest - expected)
    return {
        "adjusted_rand_index": index,
        "hungarian_accuracy": best_matching(table) / len(truth),
        "groups": float(len(groups)),
    }


def best_matching(table: list[list[int]]) -> int:
    """Return the largest sum of cells with no two in one row or column (Hungarian method)."""
    if len(table) > len(table[0]):
        table = [[row[place] for row in table] for place in range(len(table[0]))]
    width = len(table[0])
    row_price, column_price = [0.0] * (len(table) + 1), [0.0] * (width + 1)
    owner = [0] * (width + 1)  # the row that each column is given to; column 0 holds the row in hand
    for row in range(1, len(table) + 1):
        owner[0] = row
        column, path = 0, [0] * (width + 1)
        slack, done = [float("inf")] * (width + 1), [False] * (width + 1)
        while owner[column]:
            done[column] = True
            in_hand, nearest, step = owner[column], 0, float("inf")
            for place in range(1, width + 1):
                if done[place]:
                    continue
                cost = -table[in_hand - 1][place - 1] - row_price[in_hand] - column_price[place]
                if cost < slack[place]:
                    slack[place], path[place] = cost, column
                if slack[place] < step:
                    step, nearest = slack[place], place
            for place in range(width + 1):
                if done[place]:
                    row_price[owner[place]] += step
                    column_price[place] -= step
                else:
                    slack[place] -= step
            column = nearest
        while column:
            owner[column], column = owner[path[column]], path[column]
    return sum(table[owner[place] - 1][place - 1] for place in range(1, width + 1) if owner[place])


def pairs(count: int) -> float:
    """Return how many pairs there are among so many."""
    return count * (count - 1) / 2


def share(part: float, whole: float) -> float:
    """Divide; a share of nothing is 0."""
    return part / whole if whole else 0.0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
