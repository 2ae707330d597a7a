"""Bundles for platforms: the scorer inside, run alone with plain Python, scores as whorl does."""

from __future__ import annotations

import ast
import io
import json
import subprocess
import sys
import zipfile

import numpy as np
import pytest

from whorl.challenge import exporters, scoring
from whorl.challenge.submissions import FORMS, Rejected, check
from whorl.challenge.templates import scorer
from whorl.metrics import hungarian_accuracy
from whorl.records import BadInput

CHALLENGE = exporters.Challenge("Fingerprints & <b>traces</b>", "2026-03-01", "2026-06-30", 7)
# Isolated and without installed packages: the standard library is all there is.
PYTHON = [sys.executable, "-I", "-S"]
CALL = (
    "import sys, json; sys.path.insert(0, sys.argv[1]); import evaluation_script; "
    "print(json.dumps(evaluation_script.evaluate(sys.argv[2], sys.argv[3], 'test', submission_metadata={})))"
)


class Case:
    """Answers and a run for one or two models, whorl's own scores of it, and both bundles."""

    def __init__(self, folder, task, models, form="2023"):
        generator = np.random.default_rng(7)
        self.form, self.task = FORMS[form], task
        kinds, end = (2 if task == "membership" else 4), ".png" if form == "2025" else ""
        self.runs, self.truths = {}, []
        for model in range(1, models + 1):
            labels = generator.integers(kinds, size=150)
            said = np.where(generator.random(150) < 0.4, labels, generator.integers(kinds, size=150))
            names = [f"p{model}_{number:04d}" for number in generator.permutation(150)]
            file = folder / f"answers_{model}.csv"
            rows = (f"{name}.png,{label}\n" for name, label in zip(names, labels, strict=True))
            file.write_text("file,label\n" + "".join(rows))
            self.truths.append(scoring.read_truth(file, task, self.form))
            rows = (f"{name}{end},{answer}\n" for name, answer in zip(names, said, strict=True))
            self.runs[f"team_run1_model{model}.csv"] = "".join(rows).encode()
        for name, data in self.runs.items():
            (folder / name).write_bytes(data)
        checked = [
            check(folder / name, truth.ids, self.form, task)
            for name, truth in zip(self.runs, self.truths, strict=True)
        ]
        pairs = enumerate(zip(self.truths, checked, strict=True), start=1)
        self.scores = scoring.flat(task, [scoring.score(t, run, str(n)) for n, (t, run) in pairs])
        self.out = folder / "bundle"

    def codabench(self, tmp_path, runs):
        """Unpack the Codabench bundle as the platform does and run its scorer."""
        work = tmp_path / "app"
        bundle = zipfile.ZipFile(exporters.codabench(self.out, self.truths, self.form, CHALLENGE))
        for name, place in (("scoring_program", "program"), ("reference_data", "input/ref")):
            zipfile.ZipFile(io.BytesIO(bundle.read(f"{name}.zip"))).extractall(work / place)
        (work / "input" / "res").mkdir()
        (work / "output").mkdir()
        for name, data in runs.items():
            (work / "input" / "res" / name).write_bytes(data)
        command = (work / "program" / "metadata.yaml").read_text().split()
        assert command[:2] == ["command:", "python3"]
        arguments = [word.replace("/app", str(work)) for word in command[2:]]
        return subprocess.run([*PYTHON, *arguments], capture_output=True, text=True), work / "output"

    def evalai(self, tmp_path, file):
        """Unpack the evaluation script and call `evaluate`."""
        bundle = zipfile.ZipFile(exporters.evalai(self.out, self.truths, self.form, CHALLENGE))
        script = zipfile.ZipFile(io.BytesIO(bundle.read("evaluation_script.zip")))
        script.extractall(tmp_path / "worker" / "evaluation_script")
        bundle.extract("annotations/test.json", tmp_path)
        arguments = [tmp_path / "worker", tmp_path / "annotations" / "test.json", file]
        done = subprocess.run([*PYTHON, "-c", CALL, *map(str, arguments)], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)


CASES = [
    ("membership", 1, "2023"),
    ("membership", 2, "2023"),
    ("membership", 1, "2025"),
    ("attribution", 1, "2023"),
]


def entries_of(yaml: bytes) -> dict[str, object]:
    """Read the plain YAML of a bundle: a key a line, lists one entry a line, JSON inside."""
    found: dict[str, object] = {}
    key = ""
    for line in yaml.decode().splitlines():
        if line.startswith("  - "):
            found[key].append(json.loads(line[4:]))
        else:
            key, _, value = line.partition(":")
            found[key] = json.loads(value) if value else []
    return found


@pytest.mark.parametrize(("task", "models", "form"), CASES)
def test_the_codabench_scorer_scores_as_whorl_does(tmp_path, task, models, form):
    case = Case(tmp_path, task, models, form)
    done, output = case.codabench(tmp_path, case.runs)
    assert (done.returncode, done.stderr) == (0, "")
    scores = json.loads((output / "scores.json").read_text())
    assert scores == pytest.approx(case.scores)
    bundle = zipfile.ZipFile(case.out / "bundle.zip")
    configuration = entries_of(bundle.read("competition.yaml"))
    columns = configuration["leaderboards"][0]["columns"]
    assert {column["key"] for column in columns} == scores.keys()
    ranked = {"attribution": "mean_adjusted_rand_index", "membership": "mean_f1"}[task]
    assert columns[0]["key"] == ("mean_kappa" if form == "2025" else ranked)
    assert configuration["version"] == 2 and configuration["title"] == CHALLENGE.title
    named = {
        configuration["image"],
        configuration["terms"],
        *(page["file"] for page in configuration["pages"]),
    }
    named |= {configuration["tasks"][0][name] for name in ("reference_data", "scoring_program")}
    assert named <= set(bundle.namelist())
    assert configuration["phases"][0]["max_submissions"] == 7


@pytest.mark.parametrize(("task", "models", "form"), CASES)
def test_the_evalai_scorer_scores_as_whorl_does(tmp_path, task, models, form):
    case = Case(tmp_path, task, models, form)
    file = tmp_path / "team_run1_model1.csv"
    if models > 1:
        file = tmp_path / "run.zip"
        with zipfile.ZipFile(file, "w") as archive:
            for name, data in case.runs.items():
                archive.writestr(f"folder/{name}", data)
    found = case.evalai(tmp_path, file)
    assert found["result"] == [{"test_split": pytest.approx(case.scores)}]
    bundle = zipfile.ZipFile(case.out / "challenge_config.zip")
    configuration = entries_of(bundle.read("challenge_config.yaml"))
    schema = configuration["leaderboard"][0]["schema"]
    assert set(schema["labels"]) == case.scores.keys() and schema["default_order_by"] == schema["labels"][0]
    assert configuration["dataset_splits"][0]["codename"] in found["result"][0]
    phase = configuration["challenge_phases"][0]
    pages = {key for key in configuration if str(configuration[key]).startswith("templates/")}
    named = {configuration[key] for key in pages | {"image", "evaluation_script"}}
    assert {*named, phase["description"], phase["test_annotation_file"]} <= set(bundle.namelist())


def test_what_whorl_refuses_the_scorer_refuses(tmp_path):
    case = Case(tmp_path, "membership", 1)
    good = next(iter(case.runs.values()))
    lines = good.splitlines(keepends=True)
    bad = {
        "missing": b"".join(lines[1:]),
        "twice": good + lines[0],
        "label": good.replace(b",1\n", b",2\n", 1),
        "mark": b"\xef\xbb\xbf" + good,
        "header": b"figure_id,score\n" + good,
        "empty": b"",
        "fields": good.replace(b"\n", b",0.5\n"),
    }
    names = dict.fromkeys((name.decode() for name in case.truths[0].ids.tolist()), "1")
    for data in bad.values():
        (tmp_path / "bad.csv").write_bytes(data)
        with pytest.raises(Rejected):
            check(tmp_path / "bad.csv", case.truths[0].ids, case.form)
        with pytest.raises(ValueError, match="line"):
            scorer.read_run(data, {"task": "membership", "headers": []}, names)
    done, output = case.codabench(tmp_path, {"run.csv": bad["label"]})
    assert done.returncode == 1 and "0 or 1 exactly" in done.stderr and not list(output.iterdir())


def test_models_are_not_mixed_up(tmp_path):
    case = Case(tmp_path, "membership", 2)
    one, two = case.runs.values()
    done, _ = case.codabench(tmp_path, {"run_m1.csv": two, "run_m2.csv": one})
    assert done.returncode == 1 and "not in the test list" in done.stderr
    with pytest.raises(ValueError, match=r"model1\.csv"):
        scorer.by_model({"a.csv": one, "b.csv": two}, ["1", "2"])
    with pytest.raises(ValueError, match="2 CSV"):
        scorer.by_model({"a.csv": one}, ["1", "2"])


def test_the_scorer_matches_groups_as_scipy_does():
    generator = np.random.default_rng(0)
    for kinds, groups in ((4, 4), (4, 7), (5, 2), (1, 3)):
        truth, said = generator.integers(kinds, size=60), generator.integers(groups, size=60)
        names = [f"p{number}" for number in range(60)]
        labels, answers = (dict(zip(names, map(str, each.tolist()), strict=True)) for each in (truth, said))
        found = scorer.attribution(labels, answers)["hungarian_accuracy"]
        assert found == pytest.approx(hungarian_accuracy(truth, said))


def test_the_scorer_is_python_of_the_platforms():
    source = exporters._template("scorer.py").decode()
    tree = ast.parse(source, feature_version=(3, 7))
    imported = {node.names[0].name for node in ast.walk(tree) if isinstance(node, ast.Import)}
    imported |= {str(node.module) for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert imported <= set(sys.stdlib_module_names)


def test_bundles_are_the_same_bytes_and_stay_in_their_folder(tmp_path):
    case = Case(tmp_path, "membership", 1)
    before = set(tmp_path.iterdir())
    for export, archive in ((exporters.codabench, "bundle.zip"), (exporters.evalai, "challenge_config.zip")):
        one, two = (export(case.out / str(n), case.truths, case.form, CHALLENGE) for n in (1, 2))
        assert one.read_bytes() == two.read_bytes() and one.name == archive
    assert set(tmp_path.iterdir()) - before == {case.out}
    page = (case.out / "1" / "templates" / "description.html").read_text()
    assert "<b>traces" not in page and "&lt;b&gt;traces" in page and "<code>" in page


def test_challenges_that_cannot_be_are_refused():
    for words in (("", "2026-01-01", "2026-02-01"), ("a\nb", "2026-01-01", "2026-02-01")):
        with pytest.raises(BadInput, match="--title"):
            exporters.Challenge(*words)
    with pytest.raises(BadInput, match="--start"):
        exporters.Challenge("a", "1 May", "2026-02-01")
    with pytest.raises(BadInput, match="end after it starts"):
        exporters.Challenge("a", "2026-03-01", "2026-02-01")
