"""The demonstration: a made-up hospital, three generators, three audits, one attribution, one page."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from whorl import exports
from whorl.api import Running, attribute, audit
from whorl.deliverables import AttributionReport
from whorl.forge import editions
from whorl.forge.editions import GENERATORS, Part, Plan
from whorl.report import page
from whorl.store import write_text

TRUTH = {
    "leaking": "leaks: half of its pictures are near copies of members",
    "interpolating": "leaks softly: it mixes the members' principal components",
    "clean": "does not leak: it never saw a member",
}
MIXED = 100


@dataclass(frozen=True, eq=False)
class Shown:
    """What the demonstration found: a row per generator, the attribution, the page to open."""

    rows: tuple[Mapping[str, Any], ...]
    attribution: Mapping[str, Any]
    page: Path
    seconds: float


def demo(out: Path, *, plan: Plan | None = None, running: Running | None = None) -> Shown:
    """Make the hospital, audit each generator, attribute the mixture, write index.html."""
    plan, running = plan or Plan(), running or Running()
    started = time.monotonic()
    running.progress("drawing the hospital", 0, 1)
    part = editions.make(plan)
    hospital = out / "hospital"
    editions.write_hospital(part, hospital)
    running.progress("drawing the hospital", 1, 1)
    rows = [_audit_one(name, hospital, out, running) for name in GENERATORS]
    report = _attribute_mixture(part, out, plan, running)
    found = _attribution_row(report)
    content = page.index_page("A made-up hospital, three generators", rows, found, running.command)
    write_text(out / "index.html", content)
    exports.write_json(out / "demo.json", {"schema": "whorl.demo/1", "audits": rows, "attribution": found})
    return Shown(tuple(rows), found, out / "index.html", time.monotonic() - started)


def _audit_one(name: str, hospital: Path, out: Path, running: Running) -> dict[str, Any]:
    command = (
        f"whorl audit {hospital / 'generated' / name} --members {hospital / 'members'} "
        f"--holdout {hospital / 'holdout'} --patients {hospital / 'patients.csv'} --with-images"
    )
    report = audit(
        hospital / "generated" / name,
        hospital / "members",
        hospital / "holdout",
        patients=hospital / "patients.csv",
        running=replace(
            running,
            store=out / name / ".store",
            command=command,
            progress=lambda label, done, total: running.progress(f"{name}: {label}", done, total),
        ),
    )
    report.save(out / name, with_images=True)
    best = min(report.record.attacks, key=lambda attack: (attack.p_adjusted, -attack.auc.estimate))
    return {
        "name": name,
        "truth": TRUTH[name],
        "verdict": report.verdict,
        "sentence": report.record.sentence,
        "best_attack": best.recipe,
        "auc": best.auc,
        "p_value": best.p_adjusted,
        "detectable_auc": report.record.detectable_auc,
        "href": f"{name}/report.html",
    }


def _attribute_mixture(part: Part, out: Path, plan: Plan, running: Running) -> AttributionReport:
    """Mix the three generators' pictures under neutral names and take them apart again, k given."""
    each = min(MIXED, plan.generated)
    pixels = np.concatenate([made[:each] for made in part.generated.values()])
    truth = [name for name, made in part.generated.items() for _ in made[:each]]
    order = np.random.default_rng(plan.seed).permutation(len(pixels))
    folder = out / "attribution"
    names = editions.numbered("unknown", len(pixels))
    editions.write_pictures(folder / "images", names, pixels[order])
    lines = [f"{names[row]},{truth[place]}" for row, place in enumerate(order)]
    write_text(folder / "answers.csv", "\n".join(["file,label", *lines]) + "\n")
    command = f"whorl attribute {folder / 'images'} -k {len(GENERATORS)} --answers {folder / 'answers.csv'}"
    report = attribute(
        folder / "images",
        count=len(GENERATORS),
        answers=folder / "answers.csv",
        running=replace(running, store=folder / ".store", command=command),
    )
    report.save(folder)
    return report


def _attribution_row(report: AttributionReport) -> dict[str, Any]:
    ari = next(measure for measure in report.record.measures if measure.name == "adjusted_rand_index")
    return {
        "pictures": len(report.record.ids),
        "count": report.record.count,
        "count_given": report.record.count_given,
        "truth": len(GENERATORS),
        "ari": ari.interval,
        "href": "attribution/report.html",
    }
