"""The commands for participants and organisers: submit, check, score, leaderboard, export."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import App, Parameter

from whorl.cli.options import OUTPUT, READING, Output, Reading, check_out, flag, running
from whorl.cli.runs import RULES, Answers, Rules, ranking_metric, read_run, test_list, told, truths_of
from whorl.records import BadInput

if TYPE_CHECKING:
    from whorl.challenge.ranking import Board
    from whorl.challenge.scoring import Score

HELP = "Write, check and score run files; make leaderboards that say what each run is worth."


def check(
    file: Annotated[Path, Parameter(help="Run file.")],
    *,
    ids: Annotated[Path, Parameter(help="Test list: one id a line, a folder of pictures, or answers.csv.")],
    rules: Rules = RULES,
    json: Annotated[bool, flag("Print the result as JSON and nothing else.")] = False,
) -> None:
    """Check a run file against the test list; every fault is a line, the first 20 are shown.

    Example: whorl challenge check TEAM_run1.csv --ids test_list.txt
    """
    from whorl.challenge.lines import read_ids
    from whorl.challenge.submissions import Rejected
    from whorl.challenge.submissions import check as checked
    from whorl.display import print_json, say

    listed = read_ids(ids, extension=rules.form().extension)
    try:
        checked(file, listed, rules.form(), rules.task)
    except Rejected as error:
        if json:
            faults = [vars(fault) for fault in error.faults]
            print_json({"valid": False, "ids": len(listed), "count": error.count, "faults": faults})
        raise told(error, quiet=json) from None
    if json:
        print_json({"valid": True, "ids": len(listed), "count": 0, "faults": []})
    else:
        say(f"valid: {len(listed):,} ids, each answered once")


def submit(
    recipe: Annotated[str, Parameter(help="Name as `whorl recipes` lists it, or FILE.toml:variant.")],
    edition: Annotated[Path, Parameter(help="Folder with test/ and perhaps dev/.")],
    *,
    team: Annotated[str | None, Parameter(help="Name of the team; the recipe if not given.")] = None,
    run: Annotated[int, Parameter(help="Number of the run.")] = 1,
    model: Annotated[
        int | None, Parameter(help="Number of the model, where runs have a file for each.")
    ] = None,
    format: Annotated[Literal["2023", "2025"], Parameter(help="Format of the run file.")] = "2023",
    reading: Reading = READING,
    output: Output = OUTPUT,
) -> None:
    """Run a recipe on an edition, write the run file, and check it.

    Example: whorl challenge submit m24-cao.cosine phantom/membership-leaking --team us --out runs
    """
    from whorl import api, exports
    from whorl.challenge import entries, submissions
    from whorl.display import Display, print_json, report_files

    out = output.folder("submit")
    check_out(out, edition)
    form = submissions.FORMS[format]
    file = out / entries.file_name(team or recipe.rpartition("/")[2], run, model)
    with Display(output.json) as display:
        how = running(output, out / ".store", display, strict=reading.strict)
        report = api.run(recipe, edition, size=reading.size, running=how)
    task = report.about["task"]
    submissions.write(file, report.verdicts.ids, report.verdicts.labels, form, task)
    exports.write_json(
        file.with_suffix(".json"), {"schema": "whorl.submission/1", "file": file.name, **report.about}
    )
    read_run(file, test_list(edition, form), form, task)
    if output.json:
        print_json({"file": str(file), "valid": True, "ids": len(report.verdicts.ids)})
    else:
        report_files(report.about["quarantined"], report.about["notes"], file)


def score(
    *runs: Annotated[Path, Parameter(help="Run file of each model, in the order of the answers.")],
    answers: Answers = (),
    rules: Rules = RULES,
    output: Output = OUTPUT,
) -> None:
    """Score one run: five metrics a model, mean F1, kappa, or the adjusted Rand index.

    Example: whorl challenge score run_1.csv run_2.csv --answers answers_1.csv --answers answers_2.csv
    """
    from whorl import exports
    from whorl.challenge import scoring
    from whorl.display import print_json, print_table, say

    truths = truths_of(answers, rules)
    if len(runs) != len(truths):
        raise BadInput(
            f"{len(runs)} run files for {len(truths)} answers files; give one run file for each model"
        )
    pairs = zip(runs, truths, strict=True)
    scores = [
        scoring.score(truth, read_run(file, truth.ids, rules.form(), rules.task), str(place))
        for place, (file, truth) in enumerate(pairs, start=1)
    ]
    out = output.folder("score")
    content: dict[str, Any] = {
        "schema": "whorl.score/1",
        "scores": scoring.flat(rules.task, scores),
        "models": [_named_counts(one) for one in scores],
        "note": scoring.ERRATUM if rules.task == "membership" else "",
    }
    exports.write_json(out / "score.json", content)
    header = ["model", *scores[0].values]
    exports.write_csv(out / "score.csv", header, [[one.model, *one.values.values()] for one in scores])
    if output.json:
        print_json(content)
        return
    names = [scoring.title(name) for name in scores[0].values]
    print_table(
        ["model", *names], [[one.model, *(f"{v:.4f}" for v in one.values.values())] for one in scores]
    )
    for name in scoring.MEANS[rules.task]:
        say(f"mean {scoring.title(name)}: {content['scores'][f'mean_{name}']:.4f}")
    if content["note"]:
        say(f"note: {content['note']}")


def leaderboard(
    *sources: Annotated[Path, Parameter(help="Folders of TEAM_runN.csv, or manifests: run,team,file,model.")],
    answers: Answers = (),
    rank_by: Annotated[
        str | None, Parameter(help="Metric that ranks: f1, in the format of 2025 kappa; ARI for attribution.")
    ] = None,
    draws: Annotated[int, Parameter(help="How often patients are redrawn.")] = 1000,
    title: Annotated[str | None, Parameter(help="What the page calls itself.")] = None,
    rules: Rules = RULES,
    output: Output = OUTPUT,
) -> None:
    """Rank all runs as the challenge does, and show beside it what each is worth.

    Example: whorl challenge leaderboard runs/ --answers answers.csv
    """
    from whorl import api, exports
    from whorl.challenge import entries, ranking
    from whorl.challenge.panels import Redrawing
    from whorl.display import Display, print_json
    from whorl.report.leaderboard import leaderboard_page
    from whorl.store import write_text

    out = output.folder("leaderboard")
    truths = truths_of(answers, rules)
    redrawing = Redrawing(ranking_metric(rank_by, rules), draws, output.seed)
    if draws < 100:
        raise BadInput(f"--draws {draws}: at least 100 are needed for an interval")
    with Display(output.json) as display:
        how = running(output, None, display)
        board = ranking.leaderboard(
            entries.read(sources),
            truths,
            ranking.Settings(rules.form(), redrawing, display),
            {"name": title, "command": how.command, "versions": api.versions()},
        )
    header, rows = ranking.table(board)
    exports.write_csv(out / "leaderboard.csv", header, rows)
    exports.write_json(out / "leaderboard.json", ranking.content(board))
    write_text(out / "leaderboard.html", leaderboard_page(board))
    if output.json:
        print_json(ranking.content(board))
    else:
        _tell(board, out / "leaderboard.html")


def export(
    platform: Annotated[Literal["codabench", "evalai"], Parameter(help="Which platform.")],
    *,
    answers: Answers = (),
    title: Annotated[str, Parameter(help="Name of the challenge.")] = "Fingerprints of generators",
    start: Annotated[str | None, Parameter(help="First day, YYYY-MM-DD; today if not given.")] = None,
    end: Annotated[str | None, Parameter(help="Last day; a year later if not given.")] = None,
    most_runs: Annotated[int, Parameter(help="Runs allowed for each team.")] = 10,
    rules: Rules = RULES,
    output: Output = OUTPUT,
) -> None:
    """Write a bundle for a challenge platform; it holds the answers, so keep it to yourself.

    Example: whorl challenge export codabench --answers answers.csv --out bundle
    """
    from whorl.challenge import exporters
    from whorl.display import print_json, say

    first = start or date.today().isoformat()
    last = end or f"{int(first[:4]) + 1:04d}{first[4:8]}28" if first[:4].isdigit() else ""
    challenge = exporters.Challenge(title, first, last, most_runs)
    truths = truths_of(answers, rules)
    bundle = exporters.EXPORTERS[platform](output.folder("export"), truths, rules.form(), challenge)
    if output.json:
        print_json({"bundle": str(bundle)})
    else:
        say(f"upload {bundle.resolve()}")
        say("it holds the answers: keep it to yourself")


def _named_counts(score: Score) -> dict[str, Any]:
    counts = dict(zip(("tp", "fp", "fn", "tn"), score.counts or (), strict=False))
    return {"model": score.model, "metrics": score.values, "counts": counts}


app = App(name="challenge", help=HELP)
app.command(submit)
app.command(check)
app.command(score)
app.command(leaderboard)
app.command(export)


def _tell(board: Board, page: Path) -> None:
    from whorl.display import interval, plain, print_table, report_files, say
    from whorl.report.leaderboard import constant_sentence, headline, score_name
    from whorl.report.leaderboard_figures import deciding

    say(headline(board))
    say(constant_sentence(board))
    rows = [
        [
            f"{row.rank}{' =' if row.tied else ''}",
            row.entry.name,
            interval(row.score),
            f"{row.ranks[0]} to {row.ranks[1]}",
            ", ".join(f"{deciding(panel).adjusted:.3g}" for panel in row.panels),
        ]
        for row in board.rows[:20]
    ]
    print_table(["rank", "run", score_name(board), "rank, 95 %", "adjusted p, each model"], rows)
    for name, reason in board.invalid[:5]:
        say(plain(f"not valid: {name}: {reason}"))
    report_files((), (), page)
