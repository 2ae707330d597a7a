"""Write docs/leaderboards.md, what the 2023 and 2024 leaderboards really say; with --check only compare."""

from __future__ import annotations

import csv
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from whorl.challenge.figures import published, where
from whorl.challenge.findings import Finding
from whorl.challenge.granularity import Counts
from whorl.challenge.integrity import Integrity, check_table
from whorl.challenge.worth import Worth

PAGE = Path(__file__).with_name("leaderboards.md")
OVERVIEW_2024, OVERVIEW_2023 = "overview 2024, table 2", "overview 2023, table 2"
CROSS_VALIDATION = "PicusLabMed 2023, table 1"
INTRODUCTION = """\
<!-- Written by docs/leaderboards.py; change that file, not this one. -->
# What the 2023 and 2024 leaderboards really say

Both editions asked which real CT slices a generator was trained on, and ranked the answers by F1 for the class
"used". F1 rewards saying "used": a constant answer, which looks at no picture, has F1 = 2π/(1 + π), or 0.6667
where half the pictures were used. This page puts accuracy, the Matthews correlation (MCC), the share answered
"used" and the evidence against chance beside the published figures, and says which figures cannot all be right.

Every number below is computed from the printed figures (`src/whorl/challenge/published/`, sources at the end) by
the functions behind `whorl challenge integrity`. A printed figure is an interval: 0.711 may stand for anything
from 0.711 up to 0.712 if truncated. MCC and shares are those of the whole-number counts that give all figures of
a row (the middle one where several do). p-values are exact one-sided binomials of the right answers; *q* is
adjusted over the whole table (Benjamini–Hochberg), and q ≤ 0.05 is called better than chance. Slices of one
patient are alike, so that the true p-values are larger than these. Nothing here says that anybody did
anything wrong: equal figures may have an innocent cause, and contradictory ones may be slips of the pen.
"""


def main(arguments: Sequence[str]) -> int:
    """Write the page, or with `--check` return 1 if it is not up to date."""
    text = page()
    if "--check" in arguments:
        if PAGE.is_file() and PAGE.read_text(encoding="utf-8") == text:
            return 0
        print(f"{PAGE} is not up to date: run python docs/leaderboards.py")
        return 1
    PAGE.write_text(text, encoding="utf-8")
    return 0


def page() -> str:
    """Return the whole page."""
    membership, attribution = (check_table(published(name)) for name in ("membership", "attribution"))
    parts = [
        INTRODUCTION,
        summary_2024(membership),
        runs_2024(membership),
        shared_outcomes(membership),
        constant_answers(membership),
        votes(membership),
        edition_2023(membership),
        cross_validation(membership),
        groupings(attribution),
        sources(),
    ]
    return "\n".join(parts)


def summary_2024(found: Integrity) -> str:
    """What the table of 2024 amounts to."""
    outcomes = found.of_table("2024", OVERVIEW_2024)
    runs = by_run(found, outcomes)
    reached = [reach for row, reach in found.runs if row in {each[0].row for each in runs}]
    best = max(figure(found, each[0].row, "mean_f1") for each in runs)
    beating = [each for each in outcomes if each.beats_chance]
    models = Counter(each.model for each in beating)
    margins = [each for each in outcomes if each.beats_chance_given_margins and not each.beats_chance]
    sizes = [each for each in found.sizes if each.origin.startswith(f"2024, {OVERVIEW_2024}")]
    digits = next(each for each in found.printed if OVERVIEW_2024 in each.origin)
    above = [each for each in outcomes if (each.f1 or 0) > (each.constant_f1 or 1)]
    both = [each for each in runs if all(one.beats_chance for one in each)]
    some = [each for each in runs if any(one.beats_chance for one in each)]
    return f"""## 2024: {len(runs)} runs, {len(outcomes)} outcomes

- **{sum(reached)} of {len(reached)} runs reach the mean F1 of the constant answer.** The best is {best}. Of the
  {len(outcomes)} outcomes {len(above)} exceed 0.6667: {names(found, above, "f1")}.
- **{len(beating)} of {len(outcomes)} outcomes are better than chance** ({by_model(models)}), in {len(some)} runs;
  on both models: {listed(where(found.table, each[0].row).partition(",")[0][5:] for each in both)}.
- Given how often a run says "used" (fixed margins) it is {len(beating) + len(margins)}, with
  {names(found, margins)} besides.
- Worse than chance, as with a signal of the wrong sign: {names(found, below(outcomes), "accuracy")}.
- Rank correlation of the mean F1, by which runs were ranked, over the {len(runs)} runs: with the share answered
  "used" {correlation(found, runs, "share")}, with the accuracy {correlation(found, runs, "accuracy")}.
- Best mean accuracy: {best_accuracy(found, runs)}.
- The organisers did not disclose how many pictures were used. Accuracy, precision and recall do:
  {"; ".join(f"model {each.origin[-1]} {each.used[0]:,} to {each.used[1]:,} of {each.total:,}" for each in sizes)}.
- The figures are truncated, not rounded: truncation explains {digits.truncated} of {digits.rows} rows, rounding
  {digits.rounded}.
"""


def runs_2024(found: Integrity) -> str:
    """The table of 2024 with the honest columns."""
    rows = []
    for each in by_run(found, found.of_table("2024", OVERVIEW_2024)):
        cells = found.table.rows[each[0].row]
        start = [cells["rank"], cells["team"], cells["run"], cells["mean_f1"]]
        rows.append(start + [cell for one in each for cell in honest(one)])
    header = ["rank", "team", "run", "mean F1"]
    for model in ("1", "2"):
        header += [f"accuracy {model}", f"MCC {model}", f"used {model}", f"p {model}", f"q {model}"]
    return "### Every run\n\nIn the published order; bold: better than chance.\n\n" + table(header, rows)


def shared_outcomes(found: Integrity) -> str:
    """Outcomes that several teams share."""
    across = found.by_check("identical outcomes across teams")
    rows = [[each.printed, each.who.partition("; ")[2], each.who.partition("; ")[0]] for each in across]
    pairs = Counter(tuple(sorted({teams(found, row) for row in each.rows})) for each in across)
    said = "; ".join(f"{' and '.join(pair)} share {count}" for pair, count in pairs.items())
    text = "### Outcomes that teams share\n\n"
    text += (
        f"Accuracy, precision, recall and F1 equal to the last digit: {said}. No other teams share one.\n\n"
    )
    return text + table(["accuracy/precision/recall/F1", "model", "runs"], rows)


def constant_answers(found: Integrity) -> str:
    """Answers that are nearly always the same, and answers with four equal figures."""
    rows_2024 = {each.row + 1 for each in found.of_table("2024", OVERVIEW_2024)}
    chosen = [each for each in found.by_check("nearly constant answers") if each.rows[0] in rows_2024]
    shares = {each.row + 1: each.share_used or 0 for each in found.outcomes}
    mostly = sum(shares[each.rows[0]] > 0.5 for each in chosen)
    equal = found.by_check("four equal figures")
    who = listed(sorted({each.who.partition(",")[0][5:] for each in equal}))
    return (
        f'### Nearly constant answers\n\n{mostly} outcomes say "used" of more than 90 % of the pictures, '
        f"{len(chosen) - mostly} of less than 10 %.\n\n"
        + table(
            ["run", "F1", "share used"], [[each.who[5:], each.printed[3:], each.implied] for each in chosen]
        )
        + f'\nAll four figures are equal in {len(equal)} outcomes ({who}): exactly half was answered "used", or the '
        "figures are averages over both classes.\n"
    )


def votes(found: Integrity) -> str:
    """Votes that their members' figures rule out."""
    checks = ("majority against its members", "unanimity against its members", "unanimity above majority")
    chosen = [each for check in checks for each in found.by_check(check)]
    text = "### Votes that cannot be\n\nA majority misses a used picture only if most members miss it; so its recall "
    text += (
        "is bounded by theirs. A run described as a vote that breaks the bound was made in another way.\n\n"
    )
    return text + contradictions(chosen)


def edition_2023(found: Integrity) -> str:
    """The first edition: only F1 was printed, which bounds everything else."""
    outcomes = found.of_table("2023", OVERVIEW_2023)
    reached = [each for each in outcomes if dict(found.runs).get(each.row)]
    best = outcomes[0]
    matrices = found.counts[best.row]
    beating = [each for each in outcomes if each.beats_chance]
    submitted = found.of_table("2023", "PicusLabMed 2023, table 2")
    constant = [each for each in submitted if figure(found, each.row, "f1") == f"{each.constant_f1:.4f}"]
    rows = [bounded(found, each) for each in outcomes]
    digits = next(each for each in found.printed if OVERVIEW_2023 in each.origin)
    return f"""## 2023: {len(outcomes)} runs

Only F1 was printed, for 100 used and 100 unused pictures. With these sizes it leaves few confusion matrices, hence
a range of accuracies: that of the best run leaves {0 if matrices is None else len(matrices.tp)}. The p-values take
the lowest accuracy. Truncation explains {digits.truncated} of {digits.rows} figures, rounding {digits.rounded}.

- {len(reached)} of {len(outcomes)} runs exceed the constant answer's F1: {names(found, reached, "f1")}.
- Certainly better than chance: {names(found, beating, "f1")}.
- PicusLabMed printed accuracy and recall of its {len(submitted)} runs:
  {sum(each.beats_chance for each in submitted)} of {len(submitted)} are better than chance (smallest p
  {min(each.p_above for each in submitted):.2f}). {names(found, constant, "f1")} has the F1 of the constant answer
  to all four digits.

{table(["rank", "team", "run", "F1", "matrices", "accuracy", "p", "q"], rows)}"""


def cross_validation(found: Integrity) -> str:
    """The cross-validation table of one team."""
    sizes = [each for each in found.denominators if CROSS_VALIDATION in each.origin]
    rows = {row + 1 for each in found.of_table("2023", CROSS_VALIDATION) for row in [each.row]}
    formula = [each for each in found.by_check("f1 from accuracy and recall") if each.rows[0] in rows]
    near = [
        each for each in found.by_check("granularity") if each.weight == "notable" and each.rows[0] in rows
    ]
    methods = [
        [f"{each.size} + {each.size}", str(len(each.rows)), families(found, each.rows)] for each in sizes
    ]
    return f"""### The cross-validation table of PicusLabMed

{len(rows)} rows of accuracy, recall and F1 on 80 used and 80 unused pictures. Their digits betray
{len(sizes)} different sets:

{table(["used + not used", "rows", "networks"], methods)}
{len(formula)} rows contradict themselves whatever the number of pictures (unless their F1 is a mean over the folds,
while that of all others is not); {len(near)} more are one unit of the last digit from any counts.

{contradictions(formula)}"""


def groupings(found: Integrity) -> str:
    """The attribution sub-task of 2024."""
    chosen = found.by_check("rand index bounds")
    return f"""## 2024: which generator made it?

The adjusted Rand index has a smallest value for given class sizes. {len(chosen)} printed figures fall below that of
equal classes, so the classes were of unequal size, or more was wrong than the grouping.

{contradictions(chosen)}"""


def sources() -> str:
    """Where the figures come from."""
    with published("sources").open(newline="", encoding="utf-8") as file:
        rows = list(csv.reader(file))
    return "## Sources\n\n" + table(rows[0], rows[1:])


def by_run(found: Integrity, outcomes: Iterable[Worth]) -> list[list[Worth]]:
    """Return the outcomes of each run, in the order of the table."""
    runs: dict[tuple[str, str], list[Worth]] = {}
    for each in outcomes:
        cells = found.table.rows[each.row]
        runs.setdefault((cells["team"], cells["run"]), []).append(each)
    return list(runs.values())


def honest(one: Worth) -> list[str]:
    """Accuracy, MCC, share used, p and q of one outcome."""
    accuracy = f"{one.accuracy:.3f}"
    share = "" if one.share_used is None else f"{100 * one.share_used:.0f} %"
    mcc = "" if one.mcc is None else f"{one.mcc:+.2f}".replace("-", "−").replace("+0.00", "0.00")
    q = small(one.adjusted_above)
    return [f"**{accuracy}**" if one.beats_chance else accuracy, mcc, share, small(one.p_above), q]


def bounded(found: Integrity, one: Worth) -> list[str]:
    """One row of 2023 with the accuracies that its F1 allows."""
    cells, counts = found.table.rows[one.row], found.counts[one.row]
    assert isinstance(counts, Counts)
    accuracy = counts.metric("accuracy")
    between = f"{accuracy.min():.3f} to {accuracy.max():.3f}"
    start = [cells["rank"], cells["team"], cells["run"].removeprefix("submission "), cells["f1"]]
    return [*start, str(len(counts.tp)), between, small(one.p_above), small(one.adjusted_above)]


def correlation(found: Integrity, runs: Sequence[Sequence[Worth]], what: str) -> str:
    """Spearman's correlation of the mean F1 with another mean over models."""
    from scipy.stats import spearmanr

    f1 = [float(figure(found, each[0].row, "mean_f1")) for each in runs]
    other = [
        np.mean([one.accuracy if what == "accuracy" else one.share_used for one in each]) for each in runs
    ]
    return f"{spearmanr(f1, other).statistic:+.2f}".replace("-", "−")


def best_accuracy(found: Integrity, runs: Sequence[Sequence[Worth]], most: int = 4) -> str:
    """The runs with the highest mean accuracy, and how they were ranked."""
    mean = {index: float(np.mean([one.accuracy for one in each])) for index, each in enumerate(runs)}
    chosen = [runs[index][0].row for index in sorted(mean, key=lambda index: -mean[index])[:most]]
    means = sorted(mean.values(), reverse=True)
    cells = [found.table.rows[row] for row in chosen]
    return listed(
        f"{each['team']} {each['run']} {value:.4f} (rank {each['rank']})"
        for each, value in zip(cells, means, strict=False)
    )


def below(outcomes: Iterable[Worth]) -> list[Worth]:
    """The outcomes significantly below chance."""
    return [each for each in outcomes if each.below_chance]


def families(found: Integrity, rows: Iterable[int]) -> str:
    """The networks of some rows of the cross-validation table."""
    counted = Counter(
        found.table.rows[row]["method"].partition(" REAL")[0].partition(" FULL")[0] for row in rows
    )
    return listed(f"{name} ({count})" for name, count in counted.items())


def names(found: Integrity, outcomes: Iterable[Worth], column: str = "") -> str:
    """Name outcomes, each with one printed figure."""
    said = []
    for each in outcomes:
        value = f" ({figure(found, each.row, column)})" if column else ""
        said.append(where(found.table, each.row)[5:].replace(", model", " model") + value)
    return listed(said)


def by_model(models: Counter[str]) -> str:
    """Counts by model in words."""
    return ", ".join(f"{models[model]} on model {model}" for model in sorted(models))


def contradictions(chosen: Sequence[Finding]) -> str:
    """Findings as a table."""
    return table(
        ["who", "printed", "implied", "rule"], [[e.who, e.printed, e.implied, e.rule] for e in chosen]
    )


def figure(found: Integrity, row: int, column: str) -> str:
    """One figure as printed."""
    return found.table.rows[row][column]


def teams(found: Integrity, number: int) -> str:
    """The team of a row; rows count from 1."""
    return found.table.rows[number - 1]["team"]


def listed(words: Iterable[str]) -> str:
    """Words in a row, or "none"."""
    return ", ".join(words) or "none"


def small(value: float) -> str:
    """A probability in few digits."""
    return f"{value:.2f}" if value >= 0.1 else f"{value:.3f}" if value >= 0.001 else f"{value:.0e}"


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [header, ["---"] * len(header), *rows]
    return (
        "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)
        + "\n"
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
