"""Write leaderboards.md: what the published figures of 2023 and 2024 say when they are taken at their word.

`python docs/leaderboards.py` writes it, `python docs/leaderboards.py --check` says whether it is stale.
"""

from __future__ import annotations

import csv
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from whorl.challenge.figures import published
from whorl.challenge.findings import Finding
from whorl.challenge.integrity import Integrity, check_table
from whorl.challenge.worth import Worth

PAGE = Path(__file__).with_name("leaderboards.md")
PROSE = Path(__file__).with_name("leaderboards.md.in")
OVERVIEW_2024, OVERVIEW_2023 = "overview 2024, table 2", "overview 2023, table 2"
CROSS_VALIDATION, SUBMISSIONS = "PicusLabMed 2023, table 1", "PicusLabMed 2023, table 2"
VOTES = ("majority against its members", "unanimity against its members", "unanimity above majority")
Fields = dict[str, object]


def main(arguments: Sequence[str]) -> int:
    """Write the page, or with `--check` say whether it is stale."""
    if arguments not in ([], ["--check"]):
        sys.stderr.write("usage: python docs/leaderboards.py [--check]\n")
        return 2
    text = page()
    if not arguments:
        PAGE.write_text(text, encoding="utf-8", newline="\n")
        return 0
    if PAGE.is_file() and PAGE.read_text(encoding="utf-8") == text:
        return 0
    sys.stderr.write("docs/leaderboards.md is stale: run `make docs`\n")
    return 1


def page() -> str:
    """Return the whole page: the prose with every number put in."""
    membership, attribution = (check_table(published(name)) for name in ("membership", "attribution"))
    with published("sources").open(newline="", encoding="utf-8") as file:
        header, *sources = csv.reader(file)
    parts = (summary_2024, tables_2024, edition_2023, cross_validation)
    fields = {name: value for part in parts for name, value in part(membership).items()}
    bounds = attribution.by_check("rand index bounds")
    fields |= {
        "rand_count": len(bounds),
        "table_rand": contradictions(bounds),
        "table_sources": table(header, sources),
    }
    return PROSE.read_text(encoding="utf-8").format(**fields).rstrip("\n") + "\n"


def summary_2024(found: Integrity) -> Fields:
    """What the table of 2024 amounts to."""
    outcomes = found.of_table("2024", OVERVIEW_2024)
    runs = by_run(found, outcomes)
    beating = [each for each in outcomes if each.beats_chance]
    models = Counter(each.model for each in beating)
    margins = [each for each in outcomes if each.beats_chance_given_margins and not each.beats_chance]
    above = [each for each in outcomes if (each.f1 or 0) > (each.constant_f1 or 1)]
    sizes = [each for each in found.sizes if OVERVIEW_2024 in each.origin]
    return {
        "runs": len(runs),
        "outcomes": len(outcomes),
        "reached": sum(dict(found.runs)[each[0].row] for each in runs),
        "best": max(printed(found, each[0], "mean_f1") for each in runs),
        "above_count": len(above),
        "above": names(found, above, "f1"),
        "beating": len(beating),
        "models": listed(f"{models[model]} on model {model}" for model in sorted(models)),
        "some": sum(any(one.beats_chance for one in each) for each in runs),
        "both": listed(run(found, each[0]) for each in runs if all(one.beats_chance for one in each)),
        "margins_count": sum(each.beats_chance_given_margins for each in outcomes),
        "margins": names(found, margins),
        "below": names(found, [each for each in outcomes if each.below_chance], "accuracy"),
        "with_share": correlation(found, runs, "share_used"),
        "with_accuracy": correlation(found, runs, "accuracy"),
        "best_accuracy": best_accuracy(found, runs),
        "shares": listed(
            f"{each.used[0]:,} to {each.used[1]:,} of {each.total:,}{each.origin.rpartition(',')[2]}"
            for each in sizes
        ).replace(" model", " on model"),
        "digits_2024": digits(found, OVERVIEW_2024),
    }


def tables_2024(found: Integrity) -> Fields:
    """The table of 2024 with the honest columns, shared outcomes, constants and votes."""
    outcomes = found.of_table("2024", OVERVIEW_2024)
    here = {each.row + 1: each for each in outcomes}
    constant = [each for each in found.by_check("nearly constant answers") if each.rows[0] in here]
    equal = [here[each.rows[0]] for each in found.by_check("four equal figures")]
    mostly = sum((here[each.rows[0]].share_used or 0) > 0.5 for each in constant)
    header = ["rank", "team", "run", "mean F1"]
    header += [f"{name} {model}" for model in "12" for name in ("accuracy", "MCC", "used", "p", "q")]
    across = found.by_check("identical outcomes across teams")
    teams = (sorted({found.table.rows[row - 1]["team"] for row in each.rows}) for each in across)
    pairs = Counter(" and ".join(each) for each in teams)
    shared = [[each.printed, *reversed(each.who.split("; "))] for each in across]
    return {
        "table_2024": table(header, [honest(found, each) for each in by_run(found, outcomes)]),
        "sharing": listed(f"{pair} share {count} outcomes" for pair, count in pairs.items()),
        "table_shared": table(["accuracy/precision/recall/F1", "model", "runs"], shared),
        "mostly": mostly,
        "seldom": len(constant) - mostly,
        "equal_count": len(equal),
        "equal": listed(dict.fromkeys(run(found, each) for each in equal)),
        "table_constant": table(
            ["run", "printed", "implied"], [[each.who, each.printed, each.implied] for each in constant]
        ),
        "table_votes": contradictions([each for check in VOTES for each in found.by_check(check)]),
    }


def edition_2023(found: Integrity) -> Fields:
    """The first edition: only F1 was printed, which bounds everything else."""
    outcomes, own = found.of_table("2023", OVERVIEW_2023), found.of_table("2023", SUBMISSIONS)
    reached = [each for each in outcomes if dict(found.runs).get(each.row)]
    constant = [each for each in own if printed(found, each, "f1") == f"{each.constant_f1:.4f}"]
    header = ["rank", "team", "run", "F1", "matrices", "accuracy", "p", "q"]
    return {
        "runs_2023": len(outcomes),
        "reached_count": len(reached),
        "reached_2023": names(found, reached, "f1"),
        "beating_2023": names(found, [each for each in outcomes if each.beats_chance], "f1"),
        "own": len(own),
        "own_beating": sum(each.beats_chance for each in own),
        "own_p": f"{min(each.p_above for each in own):.2f}",
        "own_constant": names(found, constant, "f1"),
        "digits_2023": digits(found, OVERVIEW_2023),
        "table_2023": table(header, [bounded(found, each) for each in outcomes]),
    }


def cross_validation(found: Integrity) -> Fields:
    """The cross-validation table of one team."""
    sizes = [each for each in found.denominators if CROSS_VALIDATION in each.origin]
    rows = {each.row + 1 for each in found.of_table("2023", CROSS_VALIDATION)}
    formula = [each for each in found.by_check("f1 from accuracy and recall") if each.rows[0] in rows]
    near = [e for e in found.by_check("granularity") if e.weight == "notable" and e.rows[0] in rows]
    methods = [[f"{e.size} + {e.size}", str(len(e.rows)), networks(found, e.rows)] for e in sizes]
    return {
        "rows_cv": len(rows),
        "sets_cv": len(sizes),
        "table_sets": table(["used + not used", "rows", "networks"], methods),
        "formula_cv": len(formula),
        "near_cv": len(near),
        "table_formula": contradictions(formula),
    }


def by_run(found: Integrity, outcomes: Iterable[Worth]) -> list[list[Worth]]:
    """Return the outcomes of each run, in the order of the table."""
    runs: dict[str, list[Worth]] = {}
    for each in outcomes:
        runs.setdefault(run(found, each), []).append(each)
    return list(runs.values())


def honest(found: Integrity, outcomes: Sequence[Worth]) -> list[str]:
    """One run of 2024: accuracy, MCC, share used, p and q of each of its outcomes."""
    cells = [printed(found, outcomes[0], name) for name in ("rank", "team", "run", "mean_f1")]
    for one in outcomes:
        cells.append(f"**{one.accuracy:.3f}**" if one.beats_chance else f"{one.accuracy:.3f}")
        cells += [signed(one.mcc or 0.0), f"{100 * (one.share_used or 0.0):.1f} %"]
        cells += [small(one.p_above), small(one.adjusted_above)]
    return cells


def bounded(found: Integrity, one: Worth) -> list[str]:
    """One run of 2023 with the accuracies that its F1 allows."""
    counts = found.counts[one.row]
    right = np.array([one.accuracy]) if counts is None else counts.metric("accuracy")
    cells = [printed(found, one, name) for name in ("rank", "team", "run", "f1")]
    between = f"{right.min():.3f} to {right.max():.3f}"
    return [*cells, str(len(right)), between, small(one.p_above), small(one.adjusted_above)]


def correlation(found: Integrity, runs: Sequence[Sequence[Worth]], what: str) -> str:
    """Spearman's correlation of the mean F1 with another mean over models."""
    from scipy.stats import spearmanr

    f1 = [float(printed(found, each[0], "mean_f1")) for each in runs]
    other = [np.mean([getattr(one, what) for one in each]) for each in runs]
    return signed(spearmanr(f1, other).statistic)


def best_accuracy(found: Integrity, runs: Sequence[Sequence[Worth]], most: int = 4) -> str:
    """The runs with the highest mean accuracy, and how they were ranked."""
    means = [(-float(np.mean([one.accuracy for one in each])), place) for place, each in enumerate(runs)]
    chosen = [(-mean, runs[place][0]) for mean, place in sorted(means)[:most]]
    return listed(
        f"{run(found, one)} {mean:.4f} (rank {printed(found, one, 'rank')})" for mean, one in chosen
    )


def networks(found: Integrity, rows: Iterable[int]) -> str:
    """Count the networks behind some rows of the cross-validation table."""
    methods = [found.table.rows[row]["method"] for row in rows]
    counted = Counter(method.partition(" REAL")[0].partition(" FULL")[0] for method in methods)
    return listed(f"{name} ({count})" for name, count in counted.items())


def digits(found: Integrity, origin: str) -> str:
    """Say how a table's figures were cut."""
    one = next(each for each in found.printed if origin in each.origin)
    explained = f"truncation explains {one.truncated} of {one.rows} rows, rounding {one.rounded}"
    return f"The figures are {one.verdict}: {explained}."


def names(found: Integrity, outcomes: Iterable[Worth], column: str = "") -> str:
    """Name outcomes, each with one printed figure."""
    said = []
    for each in outcomes:
        model = f" model {each.model}" if each.model else ""
        said.append(run(found, each) + model + (f" ({printed(found, each, column)})" if column else ""))
    return listed(said)


def contradictions(chosen: Sequence[Finding]) -> str:
    """Findings as a table."""
    rows = [[each.who, each.printed, each.implied, each.rule] for each in chosen]
    return table(["who", "printed", "implied", "rule"], rows)


def run(found: Integrity, one: Worth) -> str:
    """Team and run of an outcome."""
    return f"{printed(found, one, 'team')} {printed(found, one, 'run')}"


def printed(found: Integrity, one: Worth, column: str) -> str:
    """One cell as printed."""
    return found.table.rows[one.row][column]


def listed(words: Iterable[str]) -> str:
    """Words in a row, or "none"."""
    return ", ".join(words) or "none"


def signed(value: float) -> str:
    """A correlation with its sign, 0.00 without."""
    return f"{round(value, 2) + 0.0:+.2f}".replace("-", "−").replace("+0.00", "0.00")


def small(value: float) -> str:
    """A probability in few digits."""
    return f"{value:.2f}" if value >= 0.1 else f"{value:.3f}" if value >= 0.0095 else f"{value:.0e}"


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [header, ["---"] * len(header), *rows]
    return "".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |\n" for line in lines)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
