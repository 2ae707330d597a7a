"""Lines as a bench writes them, with planted values whose standings are known."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

CONSTANT = 2 / 3


def line(edition: str, recipe: str, auc: float = 0.5, *, seed: int = 0, **more: Any) -> dict[str, Any]:
    """Return one finished run of membership."""
    own = recipe.startswith("whorl")
    made: dict[str, Any] = {
        "edition": edition,
        "model": "",
        "task": "membership",
        "generator": "copies:rate=0.2",
        "kind": "copies",
        "dials": {},
        "recipe": recipe,
        "system": recipe.partition(".")[0],
        "fidelity": "own" if own else "from the text",
        "untrained": False,
        "digest": "d",
        "seed": seed,
        "seeded": True,
        "seconds": 2.0,
        "device": "cpu",
        "problem": "p",
        "count": 400,
        "share_used": 0.5,
        "p_value": 0.5,
        "measures": {
            "auc": [auc, max(0.0, auc - 0.05), min(1.0, auc + 0.05)],
            "tpr_at_1_percent_fpr": [0.02, 0.0, 0.05],
            "f1": [0.5, 0.45, 0.55],
        },
        "chance": {"f1": {"always used": CONSTANT, "coin, same share": 0.5}},
        "development": [["on itself", "auc", [0.7, 0.6, 0.8], [auc, auc, auc], [0.7 - auc, 0.0, 0.3]]],
    }
    return made | more


def grouping(edition: str, recipe: str, ari: float) -> dict[str, Any]:
    """Return one finished run of attribution."""
    measures = {
        name: [ari, ari - 0.1, ari + 0.1]
        for name in ("adjusted_rand_index", "normalised_mutual_information", "hungarian_accuracy")
    }
    return line(edition, recipe, task="attribution", measures=measures, chance={}, development=[]) | {
        "share_used": None,
        "p_value": 0.001,
    }


def failed(edition: str, recipe: str, reason: str, seed: int = 0) -> dict[str, Any]:
    """Return a run that could not be made."""
    return line(edition, recipe, seed=seed) | {"failed": reason}


def quality(edition: str, count: int = 16) -> dict[str, Any]:
    """Return what a bench says of a generator's pictures."""
    frequencies = np.linspace(0.01, 0.5, count).tolist()
    spectrum = {
        "frequencies": frequencies,
        "generated": [-9 * value for value in frequencies],
        "real": [-6 * value for value in frequencies],
    }
    return {
        "edition": edition,
        "model": "",
        "quality": {
            "kid": [0.02, 0.01, 0.03],
            "kid_real": [0.0, -0.01, 0.01],
            "precision": 0.6,
            "recall": 0.5,
            "precision_real": 0.9,
            "recall_real": 0.8,
            "spectrum": spectrum,
            "pictures": 300,
        },
    }


def field(seed: int = 3) -> list[dict[str, Any]]:
    """Return a bench of several systems on five editions, one dial, one attribution edition, failures."""
    random = np.random.default_rng(seed)
    rates = {"rate-0": 0.0, "rate-20": 0.2, "rate-50": 0.5}
    lines = []
    for edition in (*rates, "vae", "gan"):
        dials = {"rate": rates[edition]} if edition in rates else {"steps": 100, "duplication": "high"}
        kind = "copies" if edition in rates else edition
        for place, recipe in enumerate(
            ("m1.a", "m1.b", "m1.c", "m2.a", "m3.a", "m3.b", "whorl.x", "whorl.y")
        ):
            auc = 0.5 + 0.04 * place * dials.get("rate", 0.1) + 0.02 * float(random.random())
            more = {"dials": dials, "kind": kind, "p_value": 0.0001 if auc > 0.55 else 0.6}
            for run in range(2):
                seconds = 0.2 * (place + 1) ** 2
                lines.append(line(edition, recipe, auc + 0.01 * run, seed=run, seconds=seconds, **more))
        lines.append(quality(edition))
    lines.append(failed("gan", "m4.net", "needs torch: install whorl[deep]"))
    lines.append(line("vae", "m4.net", 0.6, untrained=True, kind="vae"))
    return [*lines, grouping("who", "a1.gmm", 0.4), grouping("who", "whorl-fingerprint.consensus", 0.6)]


def write(file: Path, lines: Iterable[Mapping[str, Any]]) -> Path:
    """Write lines as a bench does."""
    file.write_text("".join(json.dumps(each) + "\n" for each in lines), encoding="utf-8")
    return file
