"""Write attribution.md from what `benchmarks/attribution.py`, `_networks.py` and `_size.py` measured.

`python docs/attribution.py` writes it, `python docs/attribution.py --check` says whether it is stale.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

import pages
from pages import table
from scipy.stats import binomtest, t

PAGE = Path(__file__).with_name("attribution.md")
PROSE = Path(__file__).with_name("attribution.md.in")
DATA = Path(__file__).parent / "data" / "attribution.json"
NETWORKS = DATA.with_name("attribution_networks.json")
SIZE = DATA.with_name("attribution_size.json")
COUNTED = ("bags with the right number", "one generator called one", "real pictures called one")


def page(content: Mapping[str, Any]) -> str:
    """Return the whole page: the prose with every number put in."""
    kinds = {name: part for name, part in content.items() if isinstance(part, dict)}
    told = json.loads(NETWORKS.read_text(encoding="utf-8"))
    large = json.loads(SIZE.read_text(encoding="utf-8"))
    fields = {
        "seed": content["seed"],
        "changes": changes(kinds),
        "more": more(content["more"]),
        "more_seeds": seeds(content["more"]),
        "again": others(content["again"], interval=True),
        "again_seeds": seeds(content["again"]),
        "others": others(content["others"]),
        "others_seeds": seeds(content["others"]),
        "counts": counts(kinds),
        "bags": bags(kinds),
        "saved": saved(content["saved"]),
        "saved_seeds": seeds(content["saved"]),
        "recognised": recognised(kinds),
        "large": sizes(large),
        "large_pictures": f"{large['pictures']:,}",
        "large_size": large["size"],
        "large_cores": large["cores"],
        "large_generators": large["generators"],
        "networks": networks(told),
        "network_generators": len(told["generators"]),
        "network_each": told["each"],
        "network_size": told["size"],
        "network_seed": told["seed"],
        "network_changes": " ".join(f'"{name}"' if " " in name else name for name in asked(told)),
    }
    return PROSE.read_text(encoding="utf-8").format(**fields).rstrip("\n") + "\n"


def changes(kinds: Mapping[str, Any]) -> str:
    """The adjusted Rand index after every change, by kind of content and number of pictures."""
    sizes = list(dict.fromkeys(row["each"] for part in kinds.values() for row in part["changes"]))

    def line(name: str, key: str, change: str) -> list[str]:
        found = {
            (kind, row["each"]): f"{row['ari']:.3f}"
            for kind, part in kinds.items()
            for row in part[key]
            if row["change"] == change
        }
        return [name, *(found[kind, size] for kind in kinds for size in sizes)]

    names = list(dict.fromkeys(row["change"] for part in kinds.values() for row in part["changes"]))
    rows = [line(change, "changes", change) for change in names]
    rows.append(line("two that differ in the seed of their filters only, clean", "pair", "clean"))
    return table(["every picture", *(f"{kind}, {size} of each" for kind in kinds for size in sizes)], rows)


def more(rows: Sequence[Mapping[str, Any]]) -> str:
    """The adjusted Rand index by the number of pictures: the mean of the draws, the least and the largest."""
    sizes = list(dict.fromkeys(row["each"] for row in rows))
    lines = []
    for change in dict.fromkeys(row["change"] for row in rows):
        cells = []
        for size in sizes:
            found = [row["ari"] for row in rows if (row["change"], row["each"]) == (change, size)]
            cells.append(f"{fmean(found):.3f} ({min(found):.3f} to {max(found):.3f})")
        lines.append([change, *cells])
    return table(["every picture", *(f"{size} of each" for size in sizes)], lines)


def others(rows: Sequence[Mapping[str, Any]], interval: bool = False) -> str:
    """The adjusted Rand index of many draws, in how many of them it is high, the interval of their mean."""
    lines = []
    for change in dict.fromkeys(row["change"] for row in rows):
        found = [row["ari"] for row in rows if row["change"] == change]
        high = f"{sum(ari >= 0.95 for ari in found)} of {len(found)}"
        mean = f"{fmean(found):.3f}" + (f" [{within(found)}]" if interval else "")
        lines.append([change, mean, f"{min(found):.3f}", f"{max(found):.3f}", high])
    return table(["every picture", "mean", "least", "largest", "0.95 or more"], lines)


def within(found: Sequence[float]) -> str:
    """The 95 % interval of a mean (Student's t)."""
    reach = t.ppf(0.975, len(found) - 1) * stdev(found) / len(found) ** 0.5
    return f"{fmean(found) - reach:.3f}, {min(fmean(found) + reach, 1.0):.3f}"


def seeds(rows: Sequence[Mapping[str, Any]]) -> str:
    """The seeds of some rows, as they are given to the benchmark."""
    return " ".join(str(seed) for seed in dict.fromkeys(row["seed"] for row in rows))


def counts(kinds: Mapping[str, Any]) -> str:
    """How often the number was right, with the interval of so few bags."""
    return table(["content", *COUNTED], [[kind, *count(part["counted"])] for kind, part in kinds.items()])


def saved(rows: Sequence[Mapping[str, Any]]) -> str:
    """The same after a change of every picture, and how many generators were found of how many in all."""
    lines = []
    for row in rows:
        true = sum(len(one["generators"]) for one in row["bags"])
        found = sum(one["found"] for one in row["bags"])
        lines.append([row["change"], *count(row), f"{found} of {true}"])
    return table(["every picture", *COUNTED, "generators found in all bags"], lines)


def count(part: Mapping[str, Any]) -> list[str]:
    """The columns COUNTED: bags, generators alone and real pictures whose number was right."""
    alone = {name: draws for name, draws in part["alone"].items() if name != "real"}
    right = sum(one["found"] == len(one["generators"]) for one in part["bags"])
    whole = sum(found == 1 for draws in alone.values() for found in draws)
    real = part["alone"]["real"]
    return [
        share(right, len(part["bags"])),
        share(whole, sum(map(len, alone.values()))),
        share(sum(found == 1 for found in real), len(real)),
    ]


def bags(kinds: Mapping[str, Any]) -> str:
    """Every bag whose number was wrong or whose groups are not right."""
    rows = [
        [kind, ", ".join(one["generators"]), str(one["pictures"]), str(one["found"]), f"{one['ari']:.3f}"]
        for kind, part in kinds.items()
        for one in part["counted"]["bags"]
        if one["found"] != len(one["generators"]) or one["ari"] < 0.99
    ]
    split = [
        [kind, name, "", ", ".join(map(str, draws)), ""]
        for kind, part in kinds.items()
        for name, draws in part["counted"]["alone"].items()
        if any(count > 1 for count in draws)
    ]
    if not rows + split:
        return "No bag was counted wrongly, and none divided with an adjusted Rand index below 0.99."
    return table(["content", "generators", "pictures", "found", "ARI"], rows + split)


def recognised(kinds: Mapping[str, Any]) -> str:
    """Each generator left out in turn: area under the curve, strangers found, own pictures refused."""
    rows = [
        [kind, name, f"{area:.3f}", f"{found:.1%}", f"{refused:.2%}"]
        for kind, part in kinds.items()
        for name, area, found, refused in part["recognised"]["left_out"]
    ]
    for kind, part in kinds.items():
        left = part["recognised"]["left_out"]
        means = [sum(row[place] for row in left) / len(left) for place in (1, 2, 3)]
        rows.append([kind, "**mean**", f"{means[0]:.3f}", f"{means[1]:.1%}", f"{means[2]:.2%}"])
    header = [
        "content",
        "left out",
        "AUROC",
        "strangers called unknown at 1 %",
        "enrolled called unknown at 1 %",
    ]
    return table(header, rows)


def sizes(content: Mapping[str, Any]) -> str:
    """Time and memory of a large bag, without the number and with it."""
    rows = [
        [
            "told" if run["told"] else "estimated",
            f"{run['minutes']:.1f}",
            f"{run['peak_gb']:.1f}",
            str(run["found"]),
            f"{run['ari']:.3f}",
        ]
        for run in content["runs"]
    ]
    return table(["their number is", "minutes", "GB at most", "groups", "adjusted Rand index"], rows)


def asked(content: Mapping[str, Any]) -> list[str]:
    """The changes of processing that networks were asked about, in order."""
    return list(dict.fromkeys(row["change"] for row in content["rows"]))


def networks(content: Mapping[str, Any]) -> str:
    """The adjusted Rand index of features of networks beside others, one column for each change."""
    found = {(row["recipe"], row["change"]): row["ari"] for row in content["rows"]}
    named = {row["recipe"]: row["features"] for row in content["rows"]}
    rows = [
        [said, f"`{recipe}`", *(f"{found[recipe, change]:.3f}" for change in asked(content))]
        for recipe, said in named.items()
    ]
    return table(["features and grouping", "recipe", *asked(content)], rows)


def share(right: int, total: int) -> str:
    """A share with its 95 % interval."""
    found = binomtest(right, total).proportion_ci(method="wilson")
    return f"{right} of {total} [{found.low:.0%}, {found.high:.0%}]"


if __name__ == "__main__":
    sys.exit(pages.main(PAGE, DATA, page, sys.argv[1:]))
