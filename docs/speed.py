"""Write speed.md from docs/data/speed.json, which `benchmarks/speed.py` makes.

`python docs/speed.py` writes it, `python docs/speed.py --check` says whether it is stale.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pages
from pages import table

from whorl.report import svg
from whorl.report.svg import Scale

PAGE = Path(__file__).with_name("speed.md")
PROSE = Path(__file__).with_name("speed.md.in")
DATA = Path(__file__).parent / "data" / "speed.json"
PLOT = Path(__file__).parent / "images" / "speed-scaling.svg"
STYLE = "text{font:12px sans-serif;fill:#1b1f24}.tick{fill:#5b6570}"


def page(found: Mapping[str, Any]) -> str:
    """Return the whole page: the prose with every number put in."""
    lines = found["kernels"].values()
    same = [line["same_winners"] for line in lines if "same_winners" in line]
    fields = {
        **{name: found[name] for name in ("rounds", "size", "queries", "generated")},
        **found["machine"],
        "half": found["size"] // 2,
        "kernels": kernels(found["kernels"]),
        "gap": f"{max(line.get('largest_difference', 0.0) for line in lines):.0e}",
        "summed": summed(found["kernels"]),
        "panel": panel(found.get("panel")),
        "folder": folder(found.get("folder")),
        "same": f"{sum(same)} of {len(same)} runs",
        "roofline": roofline(found["roofline"]),
        "scaling": scaling(found["scaling"]),
        "growth": "\n\n".join(filter(None, [growth(found.get("growth")), found.get("growth_note")])),
        "first_use": first_use(found.get("first_use")),
    }
    return PROSE.read_text(encoding="utf-8").format(**fields).rstrip("\n") + "\n"


def kernels(found: Mapping[str, Any]) -> str:
    """Each kernel and its rival."""
    rows = [
        [
            name,
            f"{line['own_processor_ms']:.3g}",
            f"{line['rival_processor_ms']:.3g} ({line['rival']})",
            f"{line['ratio']:.3g} ×",
            f"{line['ratio_free']:.3g} ×",
            f"{line['peak_mb']:.0f}",
        ]
        for name, line in found.items()
    ]
    header = ["kernel", "processor ms each", "rival", "ratio, wall", "ratio, free machine", "peak MB so far"]
    return table(header, rows)


def summed(found: Mapping[str, Any]) -> str:
    """Which share of the cells a search summed."""
    shares = [
        f"{line['share_summed']:.0%} ({name.rpartition(', ')[2]})"
        for name, line in found.items()
        if "share_summed" in line
    ]
    return f" Of all cells of all pairs it summed {' and '.join(shares)}." if shares else ""


def panel(found: Mapping[str, Any] | None) -> str:
    """What a picture costs to read and to describe for a panel, where it was measured."""
    if found is None:
        return "Measured by `python benchmarks/panel_features.py`."
    rows = [
        [name, f"{found[f'{key}_ms']:.2f}", f"{found[f'{key}_processor_ms']:.2f}"]
        for name, key in (("reading a PNG file", "reading"), (f"{found['steps']} features", "features"))
    ]
    told = (
        f"Reading {found['pictures']} pictures and taking every features step of the panel "
        f"`{found['panel']}` on them: features come at {found['ratio']:.2f} times the rate of reading."
    )
    return told + "\n\n" + table(["each picture", "ms", "of the processor"], rows)


def folder(found: Mapping[str, Any] | None) -> str:
    """What a whole folder of the challenge took, where it was measured."""
    if found is None:
        return "Measured when asked for: `python benchmarks/speed.py --full FOLDER`."
    rows = [
        [
            f"`whorl {name}`",
            f"{line['minutes']:.1f}",
            f"{line['processor_minutes']:.1f}",
            f"{line['peak_gb']:.1f}",
        ]
        for name, line in found["commands"].items()
    ]
    pictures = f"{found['real']} real and {found['generated']} generated pictures"
    told = f"{pictures} of {found['size']} × {found['size']}."
    return told + "\n\n" + table(["command", "minutes", "of the processor", "peak GB"], rows)


def roofline(found: Mapping[str, float]) -> str:
    """Copying and multiplying by NumPy."""
    return table(
        ["by NumPy", "rate"],
        [
            ["bytes copied, read and written", f"{found['copy_gb_per_s']:.1f} GB/s"],
            ["float32 product of matrices", f"{found['gemm_gflop_per_s']:.0f} GFLOP/s"],
        ],
    )


def scaling(found: Mapping[str, Any]) -> str:
    """Seconds for each size, and the exponent."""
    sizes = next(iter(found.values()))["sizes"]
    rows = [
        [name, *(f"{value:.3g} s" for value in line["seconds"]), f"{line['exponent']:.2f}"]
        for name, line in found.items()
    ]
    return table(["kernel", *(f"n = {size}" for size in sizes), "exponent"], rows)


def plot(found: Mapping[str, Any]) -> str:
    """Draw seconds against the number of pictures, both logarithmic, beside what grows as they do."""
    lines = found["scaling"]
    sizes = np.asarray(next(iter(lines.values()))["sizes"], np.float64)
    seconds = np.asarray([line["seconds"] for line in lines.values()])
    x = Scale(sizes[0] / 1.2, sizes[-1] * 1.2, 60, 420, log=True)
    y = Scale(seconds.min() / 2, seconds.max() * 2, 300, 40, log=True)
    parts = [svg.element("style", STYLE), svg.axes(x, y, ("pictures", "seconds of the processor"))]
    entries = []
    for number, (name, line) in enumerate(lines.items()):
        colour, dash = svg.style_of(number)
        parts.append(svg.stroke(svg.path_of(x(sizes), y(np.asarray(line["seconds"]))), colour, 2, dash))
        sample = svg.line(0, 0, 26, 0, colour, 2, dash)
        entries.append((f"{name}, exponent {line['exponent']:.2f}", sample))
    straight = seconds.min() / 1.5 * sizes / sizes[0]
    parts.append(svg.stroke(svg.path_of(x(sizes), y(straight)), svg.MUTED, 1, "2 4"))
    entries.append(("in step with the pictures", svg.line(0, 0, 26, 0, svg.MUTED, 1, "2 4")))
    drawn = svg.picture("Time against the number of pictures", 720, 350, *parts, svg.legend(entries, 450, 60))
    return str(drawn).replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" ', 1) + "\n"


def growth(found: Mapping[str, Any] | None) -> str:
    """What audits of more and more pictures took, where it was measured."""
    if found is None:
        return "Measured when asked for: `python benchmarks/speed.py --full FOLDER`."
    rows = []
    for side, line in found.items():
        other = "generated" if side == "real" else "real"
        spent = [f"{value:.2f} min" for value in line["processor_minutes"]]
        rows.append([f"{side}, {line['others']} {other}", *spent, f"{line['exponent']:.2f}"])
        rows.append(["peak of memory", *(f"{value:.2f} GB" for value in line["peak_gb"]), ""])
    first = next(iter(found.values()))
    shown = table(["audit", *(f"{size}" for size in first["sizes"]), "exponent"], rows)
    bound = first.get("memory")
    return f"{shown}\n\nAll with `--memory {bound}`." if bound else shown


def first_use(found: Mapping[str, Any] | None) -> str:
    """What is compiled, and for how long."""
    if found is None:
        return "Measured by `python benchmarks/first_use.py`."
    longest = sorted(found["seconds"]["8 bits"].items(), key=lambda one: -one[1])[:3]
    named = ", ".join(f"`{name}` {seconds:.1f} s" for name, seconds in longest)
    bits, fractions = (found["totals"][kind] for kind in ("8 bits", "fractions"))
    return (
        f"All of them together took {bits:.1f} s to compile for pictures of 8 bits (longest {named}), and "
        f"{fractions:.1f} s more where pictures of 16 bits or fractions come; a second process compiled for "
        f"{found['again']:.1f} s."
    )


if __name__ == "__main__":
    sys.exit(pages.main(PAGE, DATA, page, sys.argv[1:], {PLOT: plot}))
