"""A whole folder of the challenge, end to end: `python benchmarks/whole_folder.py --folder FOLDER`.

Draws real pictures as phantoms and generated ones from a generator fitted to half of them, once, and times
the command line on them: wall, processor and peak of memory. A folder of 2024 has 4,000 and 7,200 pictures.
`--growth` times an audit of more and more real pictures, and of more and more generated ones.
"""

from __future__ import annotations

import argparse
import json
import resource
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from whorl.forge import generators
from whorl.forge.phantom import draw_hospital

AT_ONCE = 400
# The peak of the program itself: what the system reports of children is the largest of all so far.
PROGRAM = """
import sys
from pathlib import Path
from whorl.cli import main
peak = Path(sys.argv.pop())
code = main(sys.argv[1:])
peak.write_text(Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0])
sys.exit(code)
"""
GROWING, FIXED, MEMORY = (500, 1000, 2000, 4000, 8000), 2000, "1GB"


def make(folder: Path, real: int, generated: int, size: int) -> None:
    """Write an edition, members and holdout unless they are there."""
    if (folder / "test" / "generated").is_dir():
        return
    pixels = draw_hospital(patients=-(-real // 2), slices=2, size=size, seed=3).pixels[:real]
    half = real // 2
    for name, part in (("members", pixels[:half]), ("holdout", pixels[half:]), ("test/real_unknown", pixels)):
        (folder / name).mkdir(parents=True, exist_ok=True)
        for place, picture in enumerate(part):
            number = place + (half if name == "holdout" else 0)
            file = folder / name / f"p{number // 2:04d}_{number % 2}.png"
            Image.fromarray(picture).save(file, compress_level=1)
    fitted = generators.make("components:components=200", background=pixels[:AT_ONCE]).fit(pixels[:half], 1)
    unfinished = folder / "test" / "unfinished"
    unfinished.mkdir(parents=True, exist_ok=True)
    for start in range(0, generated, AT_ONCE):
        for place, picture in enumerate(fitted.sample(min(AT_ONCE, generated - start), start + 2)):
            Image.fromarray(picture).save(unfinished / f"g{start + place:05d}.png", compress_level=1)
    unfinished.rename(folder / "test" / "generated")


def told(words: list[str], out: Path) -> dict[str, Any]:
    """Run one command with a fresh folder for results; return what it took."""
    shutil.rmtree(out, ignore_errors=True)
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    peak = out.with_suffix(".peak")
    command = [sys.executable, "-c", PROGRAM, *words, "--out", str(out), str(peak)]
    code = subprocess.run(command, stdout=subprocess.DEVNULL, check=False).returncode
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return {
        "exit_code": code,
        "minutes": (time.perf_counter() - start) / 60,
        "processor_minutes": (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime) / 60,
        "peak_gb": int(peak.read_text(encoding="ascii")) / 2**20,
    }


def measured(
    folder: Path, real: int, generated: int, size: int, commands: list[str], memory: str | None = None
) -> dict[str, Any]:
    """Time the commands on one folder, with the usual memory or with so much."""
    make(folder, real, generated, size)
    known = {
        "run": ["run", "m23-vcmi.ssim-max", str(folder)],
        "audit": [
            *("audit", str(folder / "test" / "generated"), "--members", str(folder / "members")),
            *("--holdout", str(folder / "holdout"), "--patient-from", "^(p[0-9]+)_"),
        ],
    }
    bound = ["--memory", memory] if memory else []
    lines = {name: told([*known[name], *bound], folder / f"whorl-{name}") for name in commands}
    return {"real": real, "generated": generated, "size": size, "commands": lines}


def growth(folder: Path, size: int) -> dict[str, Any]:
    """Time audits of more and more pictures on one side, in bounded memory; exponents of time, and peaks."""
    found = {}
    for side in ("real", "generated"):
        lines = []
        for count in GROWING:
            real, generated = (count, FIXED) if side == "real" else (FIXED, count)
            own = folder / f"{real}-{generated}"
            lines.append(measured(own, real, generated, size, ["audit"], MEMORY)["commands"]["audit"])
        spent = [line["processor_minutes"] for line in lines]
        found[side] = {
            "sizes": list(GROWING),
            "others": FIXED,
            "memory": MEMORY,
            "processor_minutes": spent,
            "peak_gb": [line["peak_gb"] for line in lines],
            "exponent": float(np.polyfit(np.log(GROWING), np.log(spent), 1)[0]),
        }
    return found


def main() -> None:
    """Make the folder, run what is asked, print what it took."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--real", type=int, default=4000)
    parser.add_argument("--generated", type=int, default=7200)
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--commands", nargs="+", choices=["run", "audit"], default=["run", "audit"])
    parser.add_argument("--growth", action="store_true", help="audits of 500 to 8,000 pictures on a side")
    given = parser.parse_args()
    if given.growth:
        found = growth(given.folder, given.size)
    else:
        found = measured(given.folder, given.real, given.generated, given.size, given.commands)
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
