"""The commands of the open set: enroll, identify."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from whorl.cli import options
from whorl.cli.options import OUTPUT, READING, Fingerprint, Output, Reading, check_out, flag
from whorl.records import BadInput

if TYPE_CHECKING:
    from whorl.identities import Identification

Shelf = Annotated[Path, Parameter(name="--library", help="Folder of enrolled generators.")]
SHOWN = 5


def enroll(
    name: Annotated[str, Parameter(help="Name of the generator: letters, digits, - _ and .")],
    images: Annotated[Path, Parameter(help="Folder, table or .npy of its pictures.")],
    *,
    library: Shelf,
    replace: Annotated[bool, flag("Replace what is enrolled under this name.")] = False,
    patients: Annotated[Path | None, Parameter(help="CSV with columns file,patient: kept together.")] = None,
    patient_from: Annotated[
        str | None, Parameter(help="Regular expression that finds the patient in a file name.")
    ] = None,
    recipe: Fingerprint = "whorl-fingerprint.ward",
    json: Annotated[bool, flag("Print the result as JSON and nothing else.")] = False,
    reading: Reading = READING,
) -> None:
    """Store the fingerprint of a generator, so that `whorl identify` knows it.

    Example: whorl enroll gan-a pictures-of-a/ --library known
    """
    from whorl import api, identification
    from whorl.display import Display, plain, print_json, say
    from whorl.evidence.conformal import least_count
    from whorl.library import Library

    _check_library(library, images)
    with Display(json) as display:
        enrolled = api.enroll(
            name,
            images,
            library,
            patients=patients,
            patient_from=patient_from,
            size=reading.size,
            recipe=recipe,
            replace=replace,
            running=api.Running(progress=display, strict=reading.strict),
        )
    known = Library(library).names()
    if json:
        facts = {"name": name, "pictures": len(enrolled), "fingerprint": enrolled.fingerprint}
        print_json({"schema": "whorl.enrolment/1", **facts, "library": known, "notes": enrolled.notes})
        return
    for note in enrolled.notes:
        say(plain(f"note: {note}"))
    least = least_count(identification.ALPHA)
    if len(enrolled) < least:
        say(f"note: 'unknown' at {identification.ALPHA:g} needs {least} pictures of a generator or more")
    say(plain(f"enrolled '{name}' with {len(enrolled)} pictures; {library} knows {', '.join(known)}"))


def identify(
    images: Annotated[Path, Parameter(help="Folder, table or .npy of pictures to name.")],
    *,
    library: Shelf,
    alpha: Annotated[
        float, Parameter(help="Share of a known generator's pictures that may be called unknown.")
    ] = 0.01,
    recipe: Fingerprint = "whorl-fingerprint.ward",
    reading: Reading = READING,
    output: Output = OUTPUT,
) -> None:
    """Ask which enrolled generator made each picture, and all of them, or whether it is an unknown one.

    Example: whorl identify pictures/ --library known
    """
    from whorl import api
    from whorl.display import Display, print_json

    out = output.folder("identify")
    check_out(out, images)
    with Display(output.json) as display:
        record = api.identify(
            images,
            library,
            alpha=alpha,
            size=reading.size,
            recipe=recipe,
            running=options.running(output, None, display, strict=reading.strict),
            exclude=out,
        )
        record.save(out)
    if output.json:
        print_json(record.to_dict())
    else:
        _tell(record, out / "identify.csv")


def _check_library(library: Path, images: Path) -> None:
    try:
        same = images.is_dir() and images.resolve() == library.resolve()
    except (OSError, RuntimeError, ValueError) as error:
        raise BadInput(f"--library {library}: cannot be a folder ({error})") from None
    if same:
        raise BadInput(f"--library {library}: that is the folder of pictures; choose another")


def _tell(record: Identification, table: Path) -> None:
    from whorl.conclusions import number
    from whorl.display import plain, print_table, report_files, say

    say(f"{record.folder_answer}: {record.why}")
    total = len(record.ids)
    rows = [[name, str(count), f"{count / total:.1%}"] for name, count in record.shares().items()]
    print_table(["answer", "pictures", "share"], rows)
    pairs = zip(record.sources, record.folder_p_values, strict=True)
    print_table(["enrolled", "p that it made all"], [[name, number(float(value))] for name, value in pairs])
    refused = [row for row, reason in enumerate(record.reasons) if reason]
    for row in refused[:SHOWN]:
        p_value = number(float(record.p_value[row]))
        say(plain(f"{record.ids[row]}: {record.answers[row]} (p {p_value}), {record.reasons[row]}"))
    if len(refused) > SHOWN:
        say(f"and {len(refused) - SHOWN} more, all in the table")
    report_files(record.quarantined, record.notes, table)
