"""One picture of samples: real pictures, then a row of each edition's generated ones.

`python benchmarks/sample_sheet.py EDITIONS --out docs/images/lidc64.png` takes the first pictures of every
edition of a folder of `whorl forge editions`; no picture is chosen.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

COLUMNS, ROWS, MARGIN, LABEL = 12, 2, 6, 14


def strip(folder: Path, side: int) -> np.ndarray:
    """Return the first pictures of a folder, (ROWS x side, COLUMNS x side)."""
    files = sorted(folder.glob("*.png"))[: COLUMNS * ROWS]
    sheet = np.full((ROWS * side, COLUMNS * side), 255, np.uint8)
    for place, file in enumerate(files):
        row, column = divmod(place, COLUMNS)
        with Image.open(file) as picture:
            sheet[row * side : (row + 1) * side, column * side : (column + 1) * side] = np.asarray(picture)
    return sheet


def main() -> None:
    """Write the sheet."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("editions", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    chosen = parser.parse_args()
    folders = sorted(
        path for path in chosen.editions.iterdir() if (path / "edition" / "test" / "generated").is_dir()
    )
    first = next(iter(sorted((folders[0] / "edition" / "test" / "real_unknown").glob("*.png"))))
    with Image.open(first) as picture:
        side = picture.width
    strips = {"real pictures, used or not": strip(folders[0] / "edition" / "test" / "real_unknown", side)}
    strips |= {folder.name: strip(folder / "edition" / "test" / "generated", side) for folder in folders}
    height = LABEL + ROWS * side + MARGIN
    sheet = Image.new("L", (COLUMNS * side, height * len(strips)), 255)
    draw = ImageDraw.Draw(sheet)
    for place, (name, pixels) in enumerate(strips.items()):
        draw.text((2, place * height + 1), name, fill=0)
        sheet.paste(Image.fromarray(pixels), (0, place * height + LABEL))
    chosen.out.parent.mkdir(parents=True, exist_ok=True)
    sheet.save(chosen.out, optimize=True)


if __name__ == "__main__":
    main()
