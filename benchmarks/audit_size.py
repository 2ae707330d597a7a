"""Time and memory of a whole audit, 1,000 generated × 400 real at 256 px: `python benchmarks/audit_size.py`.

Draws a made-up hospital in a temporary folder, runs `whorl audit` with the default panel with blocks of
the usual size and with small ones, and prints wall seconds, peak memory and whether both gave the same bytes.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from saving import keep

from whorl.forge import editions

BLOCKS = {"usual blocks": 131072, "small blocks": 900}
# The peak of the program itself: what the system reports of a child counts its parent's memory too.
PROGRAM = """
import sys
from pathlib import Path
from whorl.cli import main
code = main(sys.argv[1:])
status = Path("/proc/self/status").read_text()
print("peak KiB", status.partition("VmHWM:")[2].split()[0], file=sys.stderr)
sys.exit(code)
"""


def audit(folder: Path, name: str, block_kib: int) -> tuple[float, int, bytes]:
    """Run one audit as a process of its own; return its wall time, peak memory (KiB) and scores."""
    out = folder / f"out-{name.replace(' ', '-')}"
    command = [
        *(sys.executable, "-c", PROGRAM),
        *("audit", str(folder / "generated" / "leaking"), "--members", str(folder / "members")),
        *("--holdout", str(folder / "holdout"), "--patients", str(folder / "patients.csv")),
        *("--block-kib", str(block_kib), "--out", str(out)),
    ]
    started = time.perf_counter()
    done = subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    seconds = time.perf_counter() - started
    return seconds, int(done.stderr.split("peak KiB")[1]), (out / "scores.csv").read_bytes()


def main() -> None:
    """Make the pictures, run, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--generated", type=int, default=1000)
    parser.add_argument("--patients", type=int, default=200)
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--blocks", choices=list(BLOCKS), nargs="+", default=list(BLOCKS))
    parser.add_argument("--results", type=Path)
    chosen = parser.parse_args()
    plan = editions.Plan(chosen.patients, 2, chosen.generated, chosen.size, seed=4)
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        editions.write_hospital(editions.make(plan), folder)
        runs = {name: audit(folder, name, kib) for name, kib in BLOCKS.items() if name in chosen.blocks}
    found = {
        "generated": chosen.generated,
        "real": 2 * chosen.patients,
        "size": chosen.size,
        "cores": len(os.sched_getaffinity(0)),
        "seconds": {name: round(run[0], 1) for name, run in runs.items()},
        "peak_memory_mib": {name: round(run[1] / 1024) for name, run in runs.items()},
        "same_scores": len({run[2] for run in runs.values()}) == 1,
    }
    keep(found, chosen.results)


if __name__ == "__main__":
    main()
