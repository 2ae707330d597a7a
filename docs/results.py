"""Write results.md and results-editions.md from docs/data/lidc64.json, the lines of a bench.

`python docs/results.py` writes them, `--check` says whether one is stale; `--take RUNS.jsonl …` makes the
data from the runs of `whorl bench`, less what no table here shows.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pages
from absences import absent, failures, trained
from pages import table

from whorl import ledger, standings
from whorl.installation import versions
from whorl.placings import Edition, Placing
from whorl.records import Interval
from whorl.report.bench_words import bare, best_sentence, comparison_sentence, headline
from whorl.standings import Standings

HERE = Path(__file__).parent
PAGE, DETAILS = HERE / "results.md", HERE / "results-editions.md"
PROSE = HERE / "results.md.in"
DATA = HERE / "data" / "lidc64.json"
REPEATED = HERE / "data" / "lidc64_repeated.json"
PROBED = HERE / "data" / "real_or_generated.json"
KEPT = (
    "key",
    "edition",
    "model",
    "task",
    "generator",
    "kind",
    "dials",
    "recipe",
    "system",
    "fidelity",
    "untrained",
)
KEPT += (
    "effort",
    "digest",
    "seed",
    "seeded",
    "device",
    "count",
    "share_used",
    "p_value",
    "measures",
    "chance",
)
KEPT += ("development", "seconds", "failed", "quality")
SHOWN = ("auc", "tpr_at_1_percent_fpr", "f1", "adjusted_rand_index", "hungarian_accuracy")
HEADER = (
    "recipe",
    "fidelity",
    "AUC",
    "found at 1 %",
    "F1",
    "F1 of “used”",
    "says used",
    "q",
    "seconds",
    "device",
)


def take(runs: Sequence[Path]) -> None:
    """Write the data from the lines of one bench, or of several on the same editions."""
    rows = [row for file in runs for row in file.read_text(encoding="utf-8").splitlines()]
    lines = [json.loads(row) for row in rows if row.endswith("}")]
    last = {line["key"]: line for line in lines}
    rows = [json.dumps(_trimmed(line), ensure_ascii=False) for line in sorted(last.values(), key=_order)]
    head = json.dumps({"schema": "whorl.bench/1", "versions": versions()}, indent=1).removesuffix("\n}")
    DATA.write_text(head + ',\n "lines": [\n  ' + ",\n  ".join(rows) + "\n ]\n}\n", encoding="utf-8")


def _order(line: Mapping[str, Any]) -> tuple[str, str, str, int]:
    return line["edition"], line["model"], line.get("recipe", ""), line.get("seed", 0)


def _trimmed(line: Mapping[str, Any]) -> dict[str, Any]:
    found = {key: line[key] for key in KEPT if key in line}
    if "measures" in found:
        found["measures"] = {key: value for key, value in found["measures"].items() if key in SHOWN}
        found["chance"] = {
            "f1": {"always used": found.get("chance", {}).get("f1", {}).get("always used", 0.0)}
        }
        found["development"] = [gap for gap in found["development"] if gap[1] in ("auc", "f1")]
    if found.get("effort") and not found["recipe"].endswith("-effort"):
        found["recipe"] += f"+{found['effort']}-effort"
    return {key: _rounded(value) for key, value in found.items()}


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return round(value, 4)
    if isinstance(value, dict):
        return {key: _rounded(one) for key, one in value.items()}
    return [_rounded(one) for one in value] if isinstance(value, list) else value


def read(content: Mapping[str, Any]) -> Standings:
    """Return what the lines say together."""
    return standings.standings(ledger.gathered(content["lines"]))


def page(content: Mapping[str, Any]) -> str:
    """Return the page of all editions together."""
    found = read(content)
    fields = {
        "headline": headline(found),
        "best": best_sentence(found),
        "generators": generators(found.membership),
        "table": matrix(found),
        "ranks": comparison_sentence(found.comparison, "recipe"),
        "dials": dials(found),
        "repeated": repeated(json.loads(REPEATED.read_text(encoding="utf-8"))),
        "probed": probed(json.loads(PROBED.read_text(encoding="utf-8"))),
        "failed": failures(found),
        "absent": absent(found),
        "trained": trained(found),
        "recipes": len({bare(row.recipe) for row in found.overall}),
        "editions": len(found.membership),
        "versions": ", ".join(f"{name} {version}" for name, version in content["versions"].items()),
    }
    return PROSE.read_text(encoding="utf-8").format(**fields).rstrip("\n") + "\n"


def details(content: Mapping[str, Any]) -> str:
    """Return the page with a whole table of every edition."""
    top = (
        "<!-- Written by docs/results.py from data/lidc64.json: change those, then run `make docs`. -->\n"
        "# Every edition of results.md in full\n\n"
        "How the editions were made, how to read the columns: [results.md](results.md). Seconds are of a\n"
        "busy machine with two cores, less what another recipe of the bench had computed before.\n"
    )
    return "\n".join([top, *(section(edition) for edition in read(content).membership)]).rstrip("\n") + "\n"


def generators(editions: Sequence[Edition]) -> str:
    """One row an edition: its generator, how good it is, what published systems and ours see of it."""
    rows = []
    for edition in editions:
        rows_of = [[row for row in edition.rows if row.own is own and row.main] for own in (False, True)]
        published, ours = (max(rows, key=lambda row: row.main.estimate) for rows in rows_of)
        seen = sum(row.outcome == "better" for row in rows_of[0])
        good = edition.quality
        rows.append(
            [
                edition.title,
                f"`{edition.generator}`",
                f"{good.kid.estimate:.2f}" if good and good.kid else "",
                f"{good.precision:.2f}, {good.recall:.2f}" if good else "",
                f"{seen} of {len(rows_of[0])}",
                f"`{published.recipe}` {interval(published.main)}",
                f"`{ours.recipe}` {interval(ours.main)}",
            ]
        )
    header = ("edition", "generator", "KID", "precision, recall", "published recipes above chance (q ≤ 5 %)")
    return table((*header, "highest AUC, published", "highest AUC, our own"), rows)


def matrix(found: Standings) -> str:
    """One row a recipe, one column an edition."""
    by_name = {edition.title: {row.recipe: row for row in edition.rows} for edition in found.membership}
    rows = []
    for row in found.overall:
        cells = [_cell(known.get(row.recipe)) for known in by_name.values()]
        rank = "" if row.rank is None else f"{row.rank:.1f}"
        rows.append([f"`{row.recipe}`", rank, interval(row.auc), *cells])
    return table(("recipe", "mean rank", "mean AUC", *by_name), rows)


def dials(found: Standings) -> str:
    """What turning a dial does to the attacks that see most, and to the published mean."""
    rows = []
    for turn in found.turns:
        named = sorted(turn.aucs.items(), key=lambda pair: -max(p.estimate for p in pair[1] if p is not None))
        leading = [f"`{name}` {_curve(points)}" for name, points in named[:2]]
        kind = " ".join(filter(None, (turn.kind, str(turn.others.get("objective", "")))))
        values = (f"{one:g}" if isinstance(one, float) else one for one in turn.values)
        rows.append([kind, turn.dial, ", ".join(values), *leading])
    return (
        table(("generator", "dial", "values", "AUC of the two that see most", ""), rows) if rows else "None."
    )


def repeated(content: Mapping[str, Any]) -> str:
    """AUC of the members that were shown more often, and of those that were not."""
    rows = [
        [
            run["edition"],
            f"`{run['recipe']}`",
            *(f"{run[key]['auc']:.3f}" for key in ("all", "repeated", "others")),
        ]
        for run in content["runs"]
    ]
    return table(("edition", "recipe", "all used", "the repeated half", "the others"), rows)


def section(edition: Edition) -> str:
    """The table of one edition, highest AUC first."""
    rows = [_row(row) for row in edition.rows]
    made = f"`{edition.generator}`, {edition.count} pictures asked about."
    return f"## {edition.title}\n\n{made}\n\n{table(HEADER, rows)}\n"


def _row(row: Placing) -> list[str]:
    measures = [interval(row.measures.get(key)) for key in ("auc", "tpr_at_1_percent_fpr", "f1")]
    said = ["" if row.constant is None else f"{row.constant:.3f}", f"{row.share_used or 0.0:.0%}"]
    q_value = "" if row.q_value is None else f"{row.q_value:.2g}"
    marked = f"`{row.recipe}`" + (" untrained features" if row.untrained else "")
    return [marked, row.fidelity, *measures, *said, q_value, f"{row.seconds:.1f}", " ".join(row.devices)]


def _cell(row: Placing | None) -> str:
    if row is None or row.main is None:
        return ""
    return f"**{row.main.estimate:.2f}**" if row.outcome == "better" else f"{row.main.estimate:.2f}"


def _curve(points: Sequence[Interval | None]) -> str:
    return " → ".join("?" if point is None else f"{point.estimate:.2f}" for point in points)


def probed(content: Mapping[str, Any]) -> str:
    """How well a plain classifier tells generated pictures from real ones, and halves of these apart."""
    rows = [
        [line["edition"], *(interval(Interval(**line[key])) for key in ("generated", "halves"))]
        for line in content["runs"]
    ]
    return table(("edition", "generated or real", "two halves of the real ones"), rows)


def interval(found: Interval | None) -> str:
    """Return an estimate with its 95 % interval."""
    return "" if found is None else f"{found.estimate:.3f} [{found.low:.3f}, {found.high:.3f}]"


if __name__ == "__main__":
    if sys.argv[1:2] == ["--take"]:
        take([Path(name) for name in sys.argv[2:]])
        sys.exit(0)
    done = [pages.main(to, DATA, make, sys.argv[1:]) for to, make in ((PAGE, page), (DETAILS, details))]
    sys.exit(max(done))
