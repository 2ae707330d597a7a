"""The command of the cure: scrub."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from whorl.cli import options
from whorl.cli.options import OUTPUT, Output, check_out, counted, flag

if TYPE_CHECKING:
    from whorl.outcomes import Audit
    from whorl.removals import ScrubReport


def scrub(
    audit: Annotated[Path, Parameter(help="Folder of a finished audit.")],
    *,
    with_names: Annotated[bool, flag("Name members in the table, in place of pseudonyms.")] = False,
    executor: Annotated[
        Literal["here", "processes"], Parameter(help="Run the attacks here or in processes.")
    ] = "here",
    workers: Annotated[int, counted("Processes; 0 = one per core.")] = 0,
    output: Output = OUTPUT,
) -> None:
    """Propose which generated pictures to remove so that no near copy of a member is left.

    Writes copies of the others, and audits patients that had no say in the choice before and after.

    Example: whorl scrub whorl-audit --out scrubbed
    """
    from whorl import cure
    from whorl.display import Display, print_json

    out = output.folder("scrub")
    check_out(out)
    with Display(output.json) as display:
        running = options.running(output, out / ".store", display, executor=executor, workers=workers)
        report = cure.scrub(audit, running=running, exclude=out)
        table = report.save(out, with_names=with_names)
    if output.json:
        print_json(report.to_dict())
    else:
        _tell(report, table)


def _tell(report: ScrubReport, table: Path) -> None:
    from whorl.display import plain, print_table, report_files, say

    record = report.record
    say(record.sentence)
    judged = "patients without a say: {} members', {} holdout".format(*record.judging)
    columns = [_figures(audit) for audit in (record.before, record.after) if audit is not None]
    header = [judged, "before", "after"][: 1 + len(columns)]
    print_table(header, [[name, *(column[name] for column in columns)] for name in columns[0]])
    if record.beside and record.after:
        say(f"the second audit is also without {record.beside} that lie as near to holdout; they are kept")
    kept = (
        f"kept {len(record.kept)} of {len(report.generated)} generated pictures: {report.kept(table.parent)}"
    )
    say(plain(kept))
    report_files(report.generated.quarantined, report.notes, table)


def _figures(audit: Audit) -> dict[str, str]:
    from whorl.conclusions import number
    from whorl.display import interval

    strongest = audit.combined or audit.attacks[0]
    return {
        "verdict": audit.verdict,
        "members with a near copy": str(len(audit.near_copies)),
        f"AUC, {strongest.recipe} (chance 0.5)": interval(strongest.auc),
        "adjusted p": number(strongest.p_adjusted),
        "smallest AUC it could have noticed": f"{audit.detectable_auc:.2f}",
        "generated pictures": str(len(audit.generated_ids)),
    }
