"""Write classical.md from docs/data/lidc.json, which `benchmarks/lidc_editions.py` makes.

`python docs/classical.py` writes it, `python docs/classical.py --check` says whether it is stale.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pages
from pages import table

from whorl import recipes
from whorl.evidence.exact import benjamini_hochberg

PAGE = Path(__file__).with_name("classical.md")
PROSE = Path(__file__).with_name("classical.md.in")
DATA = Path(__file__).parent / "data" / "lidc.json"
TITLES = {
    "components": "Principal components (100) of the used pictures",
    "near-copies": "Near copies of used pictures: 5 % of what is generated",
    "kernels": "Kernel mixture around the used pictures",
}
HEADER = ("recipe", "fidelity", "AUC", "found at 1 %", "F1", "says used", "q", "F1 on dev", "lost since dev")
Run = Mapping[str, Any]


def page(content: Mapping[str, Any]) -> str:
    """Return the whole page: the prose with every number put in."""
    runs: list[Run] = [run for run in content["runs"] if "failed" not in run]
    names = list(content["commands"])
    by_edition = {name: [run for run in runs if run["edition"] == name] for name in names}
    fields = {
        "recipes": len({run["recipe"] for run in runs}),
        "runs": len(runs),
        "seed": content["seed"],
        "test": runs[0]["count"],
        "summary": summary(by_edition),
        "tables": "\n\n".join(section(name, by_edition[name]) for name in names),
        "commands": "\n".join(content["commands"].values()),
        "failed": failures([run for run in content["runs"] if "failed" in run]),
        "versions": ", ".join(f"{name} {version}" for name, version in content["versions"].items()),
    }
    return PROSE.read_text(encoding="utf-8").format(**fields).rstrip("\n") + "\n"


def summary(by_edition: Mapping[str, Sequence[Run]]) -> str:
    """One row for every edition: how many recipes see anything, and which sees most."""
    rows = []
    for name, runs in by_edition.items():
        published = [run for run in runs if not run["recipe"].startswith("whorl.")]
        above = [run for run in published if run["q"] <= 0.05 and run["auc"][0] > 0.5] if ready(runs) else []
        beaten = [run for run in published if run["f1"][1] > constant(run)]
        best, ours = (max(group, key=auc) for group in (published, [r for r in runs if r not in published]))
        rows.append(
            [
                TITLES.get(name, name),
                f"{len(above)} of {len(published)}",
                f"{len(beaten)} of {len(published)}",
                f"{best['recipe']} {interval(best['auc'])}",
                f"{ours['recipe']} {interval(ours['auc'])}",
            ]
        )
    header = (
        "generator",
        "published variants better than chance (q ≤ 0.05)",
        "whose F1 is above the constant's (whole interval)",
        "highest AUC, published",
        "highest AUC, our own",
    )
    return table(header, rows)


def ready(runs: Sequence[Run]) -> bool:
    """Put the adjusted p-value of every run of an edition beside it."""
    for run, q in zip(runs, benjamini_hochberg([run["p_value"] for run in runs]), strict=True):
        run["q"] = float(q)  # type: ignore[index]
    return bool(runs)


def section(name: str, runs: Sequence[Run]) -> str:
    """The table of one edition, highest AUC first."""
    ready(runs)
    rows = []
    for run in sorted(runs, key=auc, reverse=True):
        promised = next((gap for gap in run["development"] if gap[1] == "f1"), None)
        rows.append(
            [
                f"`{run['recipe']}`",
                str(recipes.load(run["recipe"]).about["fidelity"]),
                *(interval(run[key]) for key in ("auc", "tpr_at_1_percent_fpr", "f1")),
                f"{run['share_used']:.0%}",
                f"{run['q']:.2g}",
                f"{promised[2][0]:.3f}" if promised else "",
                interval(promised[4], signed=True) if promised and promised[4] else "",
            ]
        )
    first = runs[0]
    chance = f'{first["count"]} pictures; the constant answer "used" has F1 {constant(first):.3f}, AUC 0.5.'
    return f"## {TITLES.get(name, name)}\n\n{chance}\n\n{table(HEADER, rows)}"


def failures(runs: Sequence[Run]) -> str:
    """Say which runs ended without a figure, and why."""
    if not runs:
        return "Every run ended with a figure."
    return "Ended without a figure:\n\n" + "\n".join(
        f"- `{run['recipe']}` on {run['edition']}: {run['failed']}" for run in runs
    )


def auc(run: Run) -> float:
    """Return the estimate that sorts."""
    return float(run["auc"][0])


def constant(run: Run) -> float:
    """Return the F1 of the answer "used" for every picture."""
    return float(run["chance_f1"]["always used"])


def interval(found: Sequence[float], signed: bool = False) -> str:
    """Return an estimate with its 95 % interval."""
    estimate, low, high = (f"{value:+.3f}" if signed else f"{value:.3f}" for value in found)
    return f"{estimate} [{low}, {high}]"


if __name__ == "__main__":
    sys.exit(pages.main(PAGE, DATA, page, sys.argv[1:]))
