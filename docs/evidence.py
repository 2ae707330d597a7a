"""Write evidence.md from docs/data/evidence_nulls.json and evidence_power.json, which the benchmarks make.

`python docs/evidence.py` writes it, `python docs/evidence.py --check` says whether it is stale.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pages
from pages import table
from scipy.stats import binomtest

PAGE = Path(__file__).with_name("evidence.md")
PROSE = Path(__file__).with_name("evidence.md.in")
DATA = Path(__file__).parent / "data" / "evidence_power.json"
SCRUB = Path(__file__).parent / "data" / "evidence_scrub.json"
SPEED = Path(__file__).parent / "data" / "speed.json"
NULLS = Path(__file__).parent / "data" / "evidence_nulls.json"
# Files of pictures of others, as the tables call them.
NAMES = {
    "vae-tolerance-32-steps-2500-threads-1": "VAE, 437 members",
    "gan-threads-1-steps-5000": "DCGAN, 437 members",
    "vae-none-1": "VAE, 200 members",
    "gan-none-1": "DCGAN, 200 members",
}


def page(power: Mapping[str, Any]) -> str:
    """Return the whole page: the prose with every number put in."""
    nulls = json.loads(NULLS.read_text(encoding="utf-8"))
    fields = {
        "patients": nulls["patients"],
        "generated": power["generated"],
        "seeds": len({run["seed"] for run in power["runs"]}),
        "on_scores": simulated(nulls["scores"]),
        "on_pictures": silent(nulls["pictures"]),
        "power": found(power),
        "attacks": attacks(power),
        "robust": robust(power["robust"]),
        "copies": copies(power["copies"]),
        "plain": plain(power),
        "scrub": scrub(json.loads(SCRUB.read_text(encoding="utf-8"))),
        "cost": cost(json.loads(SPEED.read_text(encoding="utf-8"))),
        "planted": planted(power),
    }
    return PROSE.read_text(encoding="utf-8").format(**fields).rstrip("\n") + "\n"


def share(value: float, runs: int) -> str:
    """A share of runs with its interval (Wilson)."""
    hits = round(value * runs)
    limits = binomtest(hits, runs).proportion_ci(method="wilson")
    return f"{hits / runs:.1%} [{limits.low:.1%}, {limits.high:.1%}]"


def simulated(scores: Mapping[str, Any]) -> str:
    """What happened on scores; shares of lists are means, all others shares of runs."""
    rows = []
    for name, line in scores.items():
        for figure, value in line.items():
            if figure in ("patients", "runs"):
                continue
            mean = figure.startswith(("false share", "found,"))
            rows.append(
                [name.replace("_", " "), figure, f"{value:.1%}" if mean else share(value, line["runs"])]
            )
    return table(["world", "figure", "share"], rows)


def silent(kinds: Mapping[str, Any]) -> str:
    """What audits of pictures without a leak said, and all kinds together."""
    names = [name for name in next(iter(kinds.values())) if name != "runs"]
    runs = sum(line["runs"] for line in kinds.values())
    rows = []
    for name in names:
        whole = sum(line[name] * line["runs"] for line in kinds.values()) / runs
        rows.append(
            [name, *(f"{line[name]:.1%}" for line in kinds.values()), share(whole, runs)]
            if "per attack" not in name
            else [name, *(f"{line[name]:.1%}" for line in kinds.values()), f"{whole:.1%}"]
        )
    return table(
        ["share of audits", *(f"{name} ({line['runs']})" for name, line in kinds.items()), "all"], rows
    )


def _by_generator(power: Mapping[str, Any]) -> dict[str, list[Mapping[str, Any]]]:
    kinds: dict[str, list[Mapping[str, Any]]] = {}
    for run in power["runs"]:
        kinds.setdefault(_name(run), []).append(run)
    return kinds


def _name(run: Mapping[str, Any]) -> str:
    return NAMES.get(run["generator"], run["generator"])


def _mean(runs: list[Mapping[str, Any]], recipe: str, figure: str = "auc") -> float:
    known = [run["found"][recipe][figure][0] for run in runs if figure in run["found"].get(recipe, {})]
    return float(np.mean(known)) if known else float("nan")


def found(power: Mapping[str, Any]) -> str:
    """All attacks together beside the best published recipe, chosen after the fact in its favour."""
    rows, gains = [], []
    for name, runs in _by_generator(power).items():
        best = max(power["published"], key=lambda recipe: _mean(runs, recipe))
        own, other = _mean(runs, "combined"), _mean(runs, best)
        gains.append(own - other)
        spans = [run["found"]["combined"]["auc"] for run in runs]
        span = f"[{min(one[1] for one in spans):.3f}, {max(one[2] for one in spans):.3f}]"
        verdicts = ", ".join(sorted({run["verdict"] for run in runs}))
        rows.append(
            [
                name,
                str(len(runs)),
                f"{own:.3f} {span}",
                f"{_mean(runs, 'combined', 'found at 1 %'):.2f}",
                f"`{best}` {other:.3f} ({_mean(runs, best, 'found at 1 %'):.2f})",
                f"{own - other:+.3f}",
                verdicts,
            ]
        )
    rows.append(["**mean**", "", "", "", "", f"{np.mean(gains):+.3f}", ""])
    header = [
        "generator",
        "runs",
        "AUC, all together",
        "found at 1 %",
        "best published",
        "difference",
        "verdict",
    ]
    return table(header, rows)


def attacks(power: Mapping[str, Any]) -> str:
    """The mean AUC of every attack and published recipe on every generator."""
    kinds = _by_generator(power)
    names = dict.fromkeys(recipe for run in power["runs"] for recipe in run["found"])
    rows = [[f"`{name}`", *(f"{_mean(runs, name):.3f}" for runs in kinds.values())] for name in names]
    return table(["AUC, mean over runs", *kinds], rows)


def robust(kinds: Mapping[str, Any]) -> str:
    """The verdict in every case."""
    cases = list(next(iter(kinds.values())))
    rows = [[case, *(found[case]["verdict"] for found in kinds.values())] for case in cases]
    reason = next(iter(kinds.values()))[cases[-1]]["sentence"]
    return table(["sides", *(f"generator {name}" for name in kinds)], rows) + f"\n\n> {reason}"


def copies(lines: list[Mapping[str, Any]]) -> str:
    """Named near copies, and of all draws together."""
    rows = [
        [str(one[name]) for name in ("seed", "copies", "named", "others named", "verdict")] for one in lines
    ]
    sums = [str(sum(one[name] for one in lines)) for name in ("copies", "named", "others named")]
    return table(["seed", "copies hidden", "named", "others named", "verdict"], [*rows, ["all", *sums, ""]])


def plain(power: Mapping[str, Any]) -> str:
    """All attacks together beside the plain stack of texture scores."""
    rows = [
        [
            _name(run),
            f"{_mean([run], 'combined'):.3f} ({_mean([run], 'combined', 'found at 1 %'):.2f})",
            f"{run['plain stack']['auc']:.3f} ({run['plain stack']['found at 1 %']:.2f})",
        ]
        for run in power["runs"]
        if "plain stack" in run
    ]
    return table(["generator", "all together", "plain stack"], rows)


def scrub(found: Mapping[str, Any]) -> str:
    """What was removed, and what the patients without a say showed before and after."""
    rows = [
        [
            str(run["seed"]),
            f"{run['copies removed']} of {run['copies']}",
            f"{run['others removed']} of {run['others']}",
            *(
                f"{said['verdict']}, {said['near copies']} near copies" if said else "nothing removed"
                for said in (run["before"], run["after"])
            ),
        ]
        for run in found["runs"]
    ]
    return table(["seed", "copies removed", "others removed", "before", "after"], rows)


def cost(speed: Mapping[str, Any]) -> str:
    """Time and memory of one audit, of the run that the page of speed is made from."""
    folder, cores = speed["folder"], speed["machine"]["cores"]
    took = folder["commands"]["audit"]
    size = f"{folder['real']:,} real × {folder['generated']:,} generated, {folder['size']} px"
    row = [size, f"{took['minutes']:.1f} min", f"{took['peak_gb']:.1f} GB"]
    return table(["audit", f"time, {cores} cores", "peak memory"], [row])


def planted(power: Mapping[str, Any]) -> str:
    """What the audits' own planted copies say."""
    rows: dict[str, list[Mapping[str, Any]]] = {}
    for run in power["runs"]:
        for one in run["planted"]:
            rows.setdefault(one["altered"], []).append(one)
    lines = [
        [words, f"{sum(one['found'] for one in found)} of {sum(one['planted'] for one in found)}"]
        for words, found in rows.items()
    ]
    return table(["copy", "named"], lines)


if __name__ == "__main__":
    sys.exit(pages.main(PAGE, DATA, page, sys.argv[1:]))
