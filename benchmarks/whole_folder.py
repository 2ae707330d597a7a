"""A whole folder of the challenge, end to end: `python benchmarks/whole_folder.py --folder FOLDER`.

Draws real pictures as phantoms and generated ones from a generator fitted to half of them, once, and times
the command line on them: wall, processor and peak of memory. A folder of 2024 has 4,000 and 7,200 pictures.
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

from PIL import Image

from whorl.forge import generators
from whorl.forge.phantom import draw_hospital

AT_ONCE = 400


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
    program = "import sys; from whorl.cli import main; sys.exit(main(sys.argv[1:]))"
    command = [sys.executable, "-c", program, *words, "--out", str(out)]
    code = subprocess.run(command, stdout=subprocess.DEVNULL, check=False).returncode
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return {
        "exit_code": code,
        "minutes": (time.perf_counter() - start) / 60,
        "processor_minutes": (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime) / 60,
        "peak_gb": after.ru_maxrss / 2**20,
    }


def measured(folder: Path, real: int, generated: int, size: int, commands: list[str]) -> dict[str, Any]:
    """Time the commands on one folder."""
    make(folder, real, generated, size)
    known = {
        "run": ["run", "m23-vcmi.ssim-max", str(folder)],
        "audit": [
            *("audit", str(folder / "test" / "generated"), "--members", str(folder / "members")),
            *("--holdout", str(folder / "holdout"), "--patient-from", "^(p[0-9]+)_"),
        ],
    }
    lines = {name: told(known[name], folder / f"whorl-{name}") for name in commands}
    return {"real": real, "generated": generated, "size": size, "commands": lines}


def main() -> None:
    """Make the folder, run what is asked, print what it took."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--real", type=int, default=4000)
    parser.add_argument("--generated", type=int, default=7200)
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--commands", nargs="+", choices=["run", "audit"], default=["run", "audit"])
    given = parser.parse_args()
    found = measured(given.folder, given.real, given.generated, given.size, given.commands)
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
