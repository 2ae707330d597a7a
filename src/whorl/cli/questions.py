"""The commands that answer: audit, attribute, run."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from whorl.cli.options import (
    NETWORKING,
    OUTPUT,
    READING,
    Also,
    Networking,
    Output,
    Reading,
    Suited,
    check_out,
    counted,
    flag,
    running,
)

if TYPE_CHECKING:
    from whorl.deliverables import AttributionReport, AuditReport, RunReport
    from whorl.outcomes import Audit
    from whorl.records import Interval


FINE, NOT_RELEASED = 0, 4
Chosen = Annotated[
    tuple[str, ...],
    Parameter(help="Recipes to use instead; may be repeated.", negative="", show_default=False),
]


@Parameter(name="*")
@dataclass(frozen=True)
class Attacking:
    """Which attacks an audit tries, and when it calls a leak."""

    panel: Annotated[str, Parameter(help="Which attacks: fast, default or full.")] = "default"
    recipes: Chosen = ()
    alpha: Annotated[float, Parameter(help="Call a leak at this adjusted p-value or less.")] = 0.01
    permutations: Annotated[int, counted("How often whole patients are relabelled.")] = 9999
    executor: Annotated[
        Literal["here", "processes"], Parameter(help="Run the attacks here or in processes.")
    ] = "here"
    workers: Annotated[int, counted("Processes; 0 = one per core.")] = 0
    block_kib: Annotated[int, counted("Memory for one block of similarities; changes no result.")] = 131072


ATTACKING = Attacking()
Members = Annotated[Path, Parameter(help="Real pictures that trained the generator.")]
Holdout = Annotated[Path, Parameter(help="Real pictures of the same kind that certainly did not.")]
Patients = Annotated[Path | None, Parameter(help="CSV with columns file,patient for members and holdout.")]
PatientFrom = Annotated[
    str | None, Parameter(help="Regular expression that finds the patient in a file name: '^(P[0-9]+)_'.")
]
Reference = Annotated[
    Path | None, Parameter(help="More real pictures that were not used, for recipes that calibrate.")
]
Policy = Annotated[
    Path | None, Parameter(help="TOML file with the limits of a release; exit code 4 if they are not kept.")
]
Truth = Annotated[Path | None, Parameter(help="CSV with columns file,label to score the groups.")]


def audit(
    generated: Annotated[Path, Parameter(help="Folder, table (file[,patient]) or .npy of pictures.")],
    *,
    members: Members,
    holdout: Holdout,
    reference: Reference = None,
    patients: Patients = None,
    patient_from: PatientFrom = None,
    with_images: Annotated[bool, flag("Put patients' pictures into the report.")] = False,
    public: Annotated[bool, flag("Also write public.html: no pictures, no names, rounded counts.")] = False,
    policy: Policy = None,
    attacking: Attacking = ATTACKING,
    networking: Networking = NETWORKING,
    reading: Reading = READING,
    output: Output = OUTPUT,
) -> int:
    """Ask whether generated pictures remember the pictures their generator was trained on.

    With --policy the exit code is 4 unless the policy lets the pictures be released.

    Example: whorl audit synthetic/ --members train/ --holdout unused/ --patients patients.csv
    """
    from whorl import api
    from whorl.conclusions import Rules
    from whorl.display import Display, plain, print_json, say

    out = output.folder("audit")
    check_out(out, *(place for place in (generated, members, holdout, reference) if place is not None))
    how = {"executor": attacking.executor, "workers": attacking.workers, "strict": reading.strict}
    how |= {"block_bytes": attacking.block_kib * 1024}
    with Display(output.json) as display:
        report = api.audit(
            generated,
            members,
            holdout,
            reference=reference,
            patients=patients,
            patient_from=patient_from,
            size=reading.size,
            panel=attacking.panel,
            recipes=attacking.recipes,
            rules=Rules(attacking.alpha, attacking.permutations),
            policy=policy,
            running=running(output, out / ".store", display, networking, **how),
            exclude=out,
        )
        page = report.save(out, with_images=with_images, public=public)
    if output.json:
        print_json(report.to_dict())
    else:
        _tell_audit(report, page)
        if public:
            say(plain(f"public edition: {page.with_name('public.html').resolve()}"))
    decision = report.record.decision
    kept = policy is None or (decision is not None and decision.word.startswith("release"))
    return FINE if kept else NOT_RELEASED


def attribute(
    images: Annotated[Path, Parameter(help="Folder, table or .npy of generated pictures.")],
    *,
    generators: Annotated[
        int | None, counted("How many there are; estimated if not given.", name=["-k", "--generators"])
    ] = None,
    answers: Truth = None,
    recipe: Suited = None,
    also: Also = (),
    networking: Networking = NETWORKING,
    reading: Reading = READING,
    output: Output = OUTPUT,
) -> None:
    """Ask how many generators made a bag of pictures, and which made which.

    Example: whorl attribute pictures/ -k 3
    """
    from whorl import api
    from whorl.display import Display, print_json

    out = output.folder("attribute")
    check_out(out, images)
    with Display(output.json) as display:
        report = api.attribute(
            images,
            count=generators,
            answers=answers,
            size=reading.size,
            recipe=recipe,
            also=also,
            running=running(output, out / ".store", display, networking, strict=reading.strict),
            exclude=out,
        )
        page = report.save(out)
    if output.json:
        print_json(report.to_dict())
    else:
        _tell_attribution(report, page)


def run(
    recipe: Annotated[str, Parameter(help="Name as `whorl recipes` lists it, or FILE.toml:variant.")],
    edition: Annotated[Path, Parameter(help="Folder with test/ and perhaps dev/ and answers.csv.")],
    *,
    features: Annotated[
        str | None, Parameter(help="Step to take in place of the recipe's own features.")
    ] = None,
    answers: Annotated[
        Path | None, Parameter(help="Answers kept apart from the edition: file,label[,patient].")
    ] = None,
    folds: Annotated[int, counted("Also cross-validate dev by patient, nested and not; 0: do not.")] = 0,
    networking: Networking = NETWORKING,
    reading: Reading = READING,
    output: Output = OUTPUT,
) -> None:
    """Run one recipe on one edition: fitted on dev, scored on test, evaluated when answers are there.

    Example: whorl run m23-vcmi.ssim-max phantom/membership-leaking
    """
    from whorl import api
    from whorl.display import Display, print_json

    out = output.folder("run")
    check_out(out, edition)
    with Display(output.json) as display:
        how = running(output, out / ".store", display, networking, strict=reading.strict)
        report = api.run(
            recipe,
            edition,
            features=features,
            answers=answers,
            folds=folds,
            size=reading.size,
            running=how,
        )
        file = report.save(out)
    if output.json:
        print_json(report.to_dict())
    else:
        _tell_run(report, file)


def _tell_audit(report: AuditReport, page: Path) -> None:
    from whorl.conclusions import number
    from whorl.display import interval, print_table, report_files, say

    record = report.record
    say(f"{record.verdict.upper()}: {record.sentence}")
    rows = [
        [
            attack.recipe,
            interval(attack.auc),
            interval(attack.tpr) if attack.tpr else "too few patients",
            number(attack.p_value),
            number(attack.p_adjusted),
        ]
        for attack in (*record.attacks, *([record.combined] if record.combined else []))
    ]
    print_table(
        ["attack", "AUC (chance 0.5)", "found at 1 % false alarms (chance 0.01)", "p", "adjusted p"], rows
    )
    say(f"smallest AUC this audit could have noticed: {record.detectable_auc:.2f}")
    _tell_evidence(record)
    report_files(record.quarantined, record.notes, page)


def _tell_evidence(record: Audit) -> None:
    from whorl.display import interval, plain, say
    from whorl.exposure import too_few_for_copies

    if record.per_patient is not None:
        say(f"by patient, the mean of the pictures: AUC {interval(record.per_patient.auc)}")
    if record.planted:
        test = ", ".join(f"{one.found} of {one.planted} {one.altered}" for one in record.planted[:2])
        short = too_few_for_copies(record.roles)
        say(f"near copies: {len(record.near_copies)}; {short or f'planted to test the search, found {test}'}")
    if (kept := record.remembrance) is not None and kept.possible:
        said = f"{len(kept.pictures)} pictures, {len(kept.patients)} patients"
        say(f"remembered: {said}; at most {kept.q:.0%} of either list by mistake")
    if (loss := record.privacy_loss) is not None:
        say(f"privacy loss ε: at least {loss.epsilon:.2f}, with {loss.confidence:.0%} confidence")
    if (made := record.decision) is not None:
        say(plain(f"decision by '{made.policy}': {made.word} ({made.sentence})"))
    for finding in record.hygiene:
        if finding.severity != "note":
            say(plain(f"{finding.severity}: {finding.sentence}"))


def _tell_attribution(report: AttributionReport, page: Path) -> None:
    from whorl.display import chance, interval, plain, print_table, report_files, say
    from whorl.report.attribution_view import generators
    from whorl.report.confounder_view import headline

    record = report.record
    say(f"{generators(record)}. {record.why}")
    total = len(record.ids)
    rows = [[cluster.label, str(cluster.size), f"{cluster.size / total:.1%}"] for cluster in record.clusters]
    print_table(["generator", "pictures", "share"], rows)
    say(plain(headline(record.confounders, record.count)))
    for measure in record.measures:
        say(f"{measure.name.replace('_', ' ')}: {interval(measure.interval)}; {chance(measure.chance)}")
    report_files(record.quarantined, record.notes, page)


def _tell_run(report: RunReport, file: Path) -> None:
    from whorl.conclusions import number
    from whorl.display import chance, interval, print_table, report_files, say

    result = report.result
    notes = [*report.about["notes"], *(result.notes if result else ())]
    if result is not None:
        rows = [[m.name.replace("_", " "), interval(m.interval), chance(m.chance)] for m in result.measures]
        print_table(["metric", "value", "by chance"], rows)
        say(f"p {number(result.p_value if result.p_value is not None else 1.0)} on {result.count} pictures")
        if result.control is not None:
            say(f"control, {result.control.name}: {interval(result.control.interval)}")
    if report.about["development"]:
        rows = [
            [gap.protocol, gap.metric.replace("_", " "), *_intervals(gap.development, gap.test, gap.gap)]
            for gap in report.about["development"]
        ]
        print_table(["dev scored", "metric", "on dev", "on test", "lost"], rows)
    report_files(report.about["quarantined"], notes, file)


def _intervals(*found: Interval | None) -> list[str]:
    from whorl.display import interval

    return [interval(one) if one is not None else "" for one in found]
