"""All recipes that need no network, side by side on editions of real pictures with known answers.

`python benchmarks/lidc_editions.py FOLDER/images.csv --out WORK` makes three editions with `whorl forge
edition` (a principal-component generator, planted near copies, a kernel mixture), runs every recipe on each
and writes one line a run to WORK/runs.jsonl; a run that is there already is not made again. With
`--results FILE.json` the finished table is written where `python docs/results.py` reads it.

The table has the columns file and patient, and perhaps one_per_patient (1 = take it); files lie beside it or
in images/.
"""

from __future__ import annotations

import argparse
import csv
import json
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from functools import cache
from pathlib import Path
from typing import Any

from whorl import api, cli, recipes
from whorl.challenge import editions
from whorl.compare import DEFAULT_BLOCK_BYTES
from whorl.pipeline import Settings
from whorl.protocols import protocols
from whorl.records import BadInput, Recipe
from whorl.store import Store, write_text
from whorl.trials import Trial, trial

GENERATORS = {
    "components": "components:components=100",
    "near-copies": "copies:rate=0.05",
    "kernels": "kernels",
}
KEPT = ("auc", "tpr_at_1_percent_fpr", "f1", "accuracy")


def chosen_pictures(table: Path, out: Path) -> Path:
    """Write a table of one picture of every patient, with paths that hold from where it lies."""
    with table.open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row.get("one_per_patient", "1") == "1"]
    folder = table.parent / "images" if (table.parent / "images").is_dir() else table.parent
    pictures = out / "real"
    pictures.mkdir(parents=True, exist_ok=True)
    lines = ["file,patient"]
    for row in {row["patient"]: row for row in reversed(rows)}.values():
        target = pictures / row["file"]
        if not target.exists():
            target.write_bytes((folder / row["file"]).read_bytes())
        lines.append(f"{row['file']},{row['patient']}")
    write_text(out / "patients.csv", "\n".join(lines) + "\n")
    return pictures


def make_editions(table: Path, out: Path, seed: int) -> dict[str, str]:
    """Make the editions that are not there yet; return the command of each."""
    pictures = chosen_pictures(table, out)
    commands = {}
    for name, generator in GENERATORS.items():
        target = out / "editions" / name
        words = ["forge", "edition", "--real", str(pictures), "--patients", str(out / "patients.csv")]
        words += ["--generator", generator, "--seed", str(seed), "--out", str(target)]
        commands[name] = " ".join(["whorl", *words]).replace(str(out), "WORK")
        if not (target / "edition" / "edition.toml").is_file() and cli.main(words) != 0:
            raise SystemExit(f"{name}: the edition could not be made")
    return commands


def runnable() -> list[Recipe]:
    """Return the membership recipes that need no network, recipes of one digest once."""
    known = [recipes.load(name) for name in recipes.names()]
    free = [one for one in known if not recipes.needs_weights(one) and not recipes.learns(one)]
    found = [one for one in free if one.task == "membership"]
    return list({recipe.digest: recipe for recipe in reversed(found)}.values())[::-1]


@cache
def _edition(folder: Path) -> editions.Edition:
    return editions.read(folder / "edition", answers=folder / "sealed" / "answers.csv")


def run(folder: Path, name: str, seed: int) -> dict[str, Any]:
    """Run one recipe on one edition and return its line."""
    recipe, edition = recipes.load(name), _edition(folder)
    settings = Settings(seed, DEFAULT_BLOCK_BYTES, Store(folder.parent.parent / "store"))
    started = time.perf_counter()
    line: dict[str, Any] = {"edition": folder.name, "recipe": name, "digest": recipe.digest, "seed": seed}
    try:
        found = trial(recipe, edition, settings, ways=protocols(0, "membership"))
    except BadInput as error:
        return {**line, "failed": str(error)}
    return {**line, **_figures(found), "seconds": round(time.perf_counter() - started, 1)}


def _figures(found: Trial) -> dict[str, Any]:
    result = found.result
    assert result is not None
    measures = {measure.name: measure for measure in result.measures}
    figures = {name: list(vars(measures[name].interval).values()) for name in KEPT}
    return {
        "problem": found.edition.problem.digest,
        "count": result.count,
        "share_used": result.share_used,
        "p_value": result.p_value,
        "chance_f1": dict(measures["f1"].chance),
        **figures,
        "development": [
            [gap.protocol, gap.metric, *(list(vars(one).values()) if one else None for one in parts)]
            for gap in found.development
            for parts in [(gap.development, gap.test, gap.gap)]
        ],
    }


def finished(file: Path) -> dict[tuple[str, str, str, int], dict[str, Any]]:
    """Return the lines that are there, the last one of every run."""
    if not file.is_file():
        return {}
    lines = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines() if line.endswith("}")]
    return {(one["edition"], one["recipe"], one["digest"], one["seed"]): one for one in lines}


def missing(out: Path, seed: int, wanted: list[Recipe]) -> Iterator[tuple[Path, str]]:
    """Yield the runs that have no line yet."""
    there = finished(out / "runs.jsonl")
    for name in GENERATORS:
        for recipe in wanted:
            if (name, recipe.name, recipe.digest, seed) not in there:
                yield out / "editions" / name, recipe.name


def _text(content: dict[str, Any]) -> str:
    """One line for every run, numbers to five decimals."""
    runs = [json.dumps(_rounded(run), allow_nan=False) for run in content.pop("runs")]
    head = json.dumps(content, indent=1, allow_nan=False).rstrip("}\n")
    return head + ',\n "runs": [\n  ' + ",\n  ".join(runs) + "\n ]\n}\n"


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return round(value, 5)
    if isinstance(value, dict):
        return {key: _rounded(one) for key, one in value.items()}
    return [_rounded(one) for one in value] if isinstance(value, list) else value


def main() -> None:
    """Make the editions, run what is missing, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("table", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--results", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--only", default="", help="recipes whose name begins so")
    chosen = parser.parse_args()
    commands = make_editions(chosen.table, chosen.out, chosen.seed)
    wanted = [recipe for recipe in runnable() if recipe.name.startswith(chosen.only)]
    todo = list(missing(chosen.out, chosen.seed, wanted))
    with ProcessPoolExecutor(chosen.workers) as pool, (chosen.out / "runs.jsonl").open("a") as log:
        futures = [pool.submit(run, folder, name, chosen.seed) for folder, name in todo]
        for place, future in enumerate(as_completed(futures), start=1):
            line = future.result()
            log.write(json.dumps(line) + "\n")
            log.flush()
            said = line.get("failed") or f"AUC {line['auc'][0]:.3f}, {line['seconds']} s"
            sys.stderr.write(f"{place}/{len(todo)} {line['edition']} {line['recipe']}: {said}\n")
    if chosen.results:
        there = finished(chosen.out / "runs.jsonl")
        keys = [(name, one.name, one.digest, chosen.seed) for name in GENERATORS for one in wanted]
        content = {
            "schema": "whorl.results/1",
            "versions": api.versions(),
            "commands": commands,
            "seed": chosen.seed,
            "runs": [there[key] for key in keys if key in there],
        }
        write_text(chosen.results, _text(content))


if __name__ == "__main__":
    main()
