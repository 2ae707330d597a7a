"""Write speed.md from docs/data/speed.json, which `benchmarks/speed.py` makes.

`python docs/speed.py` writes it, `python docs/speed.py --check` says whether it is stale.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pages
from pages import table

PAGE = Path(__file__).with_name("speed.md")
PROSE = Path(__file__).with_name("speed.md.in")
DATA = Path(__file__).parent / "data" / "speed.json"


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
        "same": f"{sum(same)} of {len(same)} runs",
        "roofline": roofline(found["roofline"]),
        "scaling": scaling(found["scaling"]),
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


if __name__ == "__main__":
    sys.exit(pages.main(PAGE, DATA, page, sys.argv[1:]))
