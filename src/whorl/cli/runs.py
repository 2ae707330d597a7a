"""What the challenge commands share: the format of run files, answers, and faults told line by line."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Parameter

from whorl.records import BadInput

if TYPE_CHECKING:
    from whorl.challenge.lines import Ids
    from whorl.challenge.scoring import Truth
    from whorl.challenge.submissions import Form, Rejected, Submission


@Parameter(name="*")
@dataclass(frozen=True)
class Rules:
    """What the run files look like and what they answer."""

    format: Annotated[
        Literal["2023", "2025"],
        Parameter(help="2023: ids without extension, no header; 2025: file names, header allowed."),
    ] = "2023"
    task: Annotated[
        Literal["membership", "attribution"],
        Parameter(help="Whose pictures were used, or which model made which."),
    ] = "membership"

    def form(self) -> Form:
        """Return the format of the run files."""
        from whorl.challenge.submissions import FORMS

        return FORMS[self.format]


RULES = Rules()
Answers = Annotated[
    tuple[Path, ...],
    Parameter(help="CSV with columns file,label[,patient]; repeat for a second model.", negative=""),
]


def truths_of(answers: tuple[Path, ...], rules: Rules) -> list[Truth]:
    """Read the answers of each model."""
    from whorl.challenge.scoring import read_truth

    if not answers:
        raise BadInput("--answers is missing; give the answers file of each model, in order")
    return [read_truth(file, rules.task, rules.form()) for file in answers]


def ranking_metric(rank_by: str | None, rules: Rules) -> str:
    """Return the metric that ranks, the usual one if none is named."""
    from whorl.metrics import VERDICT_METRICS

    usual = {"2023": "f1", "2025": "kappa"}[rules.format]
    known = list(VERDICT_METRICS) if rules.task == "membership" else ["adjusted_rand_index"]
    metric = rank_by or (usual if rules.task == "membership" else known[0])
    if metric not in known:
        raise BadInput(f"--rank-by {metric}: for {rules.task} that can be {', '.join(known)}")
    return metric


def read_run(file: Path, ids: Ids, form: Form, task: Any) -> Submission:
    """Check a run file, its faults told line by line."""
    from whorl.challenge.submissions import Rejected
    from whorl.challenge.submissions import check as checked

    try:
        return checked(file, ids, form, task)
    except Rejected as error:
        raise told(error) from None


def told(error: Rejected, *, quiet: bool = False) -> BadInput:
    """Print the faults of a run file, one a line, and return what is left to say."""
    for fault in () if quiet else error.faults:
        sys.stderr.write(f"{fault}\n")
    if not quiet and error.count > len(error.faults):
        sys.stderr.write(f"and {error.count - len(error.faults):,} more\n")
    what = "1 fault" if error.count == 1 else f"{error.count:,} faults"
    return BadInput(f"{error.file}: not valid, {what}; mend the file and check it again")


def test_list(edition: Path, form: Form) -> Ids:
    """Return what a run on an edition has to answer, pictures that could not be read included."""
    from whorl.challenge.editions import models
    from whorl.challenge.lines import read_ids

    return read_ids(models(edition)[0].queries.path, extension=form.extension)
