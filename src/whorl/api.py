"""The Python surface: ask a question in one call, look at the answer, save it as files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from whorl import attribution as attributing
from whorl import (
    auditing,
    headers,
    identification,
    images,
    protocols,
    recipes,
    sources,
    trials,
    untrained,
)
from whorl import policy as policies
from whorl.challenge import editions
from whorl.conclusions import Rules
from whorl.deliverables import AttributionReport, AuditReport, RunReport
from whorl.executors import executor as executor_named
from whorl.identities import Identification
from whorl.installation import provenance
from whorl.installation import versions as versions
from whorl.library import Enrolled, Library
from whorl.records import BadInput, ImageSet, Recipe
from whorl.running import Running as Running
from whorl.tables import attributes

FINGERPRINT = identification.FINGERPRINT


class Stopped(BadInput):
    """A strict run that met files it could not read."""


def audit(
    generated: images.Source,
    members: images.Source,
    holdout: images.Source,
    *,
    reference: images.Source | None = None,
    patients: str | Path | None = None,
    patient_from: str | None = None,
    size: int | None = None,
    panel: str = "default",
    recipes: Sequence[str] = (),
    rules: Rules | None = None,
    policy: str | Path | None = None,
    running: Running | None = None,
    exclude: Path | None = None,
) -> AuditReport:
    """Ask whether generated pictures remember the members: folders, tables, lists or arrays of pictures.

    `holdout` are real pictures of the same kind that were certainly not used; `reference` are more such
    pictures, of other patients, for recipes that calibrate; `policy` a file with the limits of a release.
    """
    running = running or Running()
    chosen = [
        untrained.marked(recipe, running.networks, running.effort) for recipe in _recipes(panel, recipes)
    ]
    load = _Loader(size, running, exclude)
    made = load(generated, "generated")
    used = load(members, "members", patients, patient_from)
    unused = load(holdout, "holdout", patients, patient_from)
    beside = None if reference is None else load(reference, "reference")
    _stop_if_strict(running, *(found for found in (made, used, unused, beside) if found is not None))
    known = {"generated": generated, "members": members, "holdout": holdout}
    told = sources.told(
        {**known, "reference": reference},
        {"patients": patients, "patient_from": patient_from, "size": size},
        recipes or tuple(recipe.name for recipe in chosen),
    )
    record = auditing.audit(
        generated=made,
        members=used,
        holdout=unused,
        reference=beside,
        recipes=chosen,
        settings=running.settings(),
        rules=rules,
        executor=executor_named(running.executor, running.workers),
        provenance={**provenance(running.command), **told},
        files={role: headers.paths(source, exclude) for role, source in known.items()},
        policy=policies.read(Path(policy)) if policy is not None else None,
        attributes=attributes(patients, members, holdout),
    )
    notes = untrained.notes(chosen, running.networks)
    return AuditReport(replace(record, notes=(*notes, *record.notes)), (used, unused), made)


def attribute(
    images: images.Source,
    *,
    count: int | None = None,
    answers: str | Path | None = None,
    size: int | None = None,
    recipe: str | None = None,
    also: Sequence[str] = (),
    running: Running | None = None,
    exclude: Path | None = None,
) -> AttributionReport:
    """Ask how many generators made the pictures, which made which; `also` names further features steps.

    Without a recipe it is the one suited to how the pictures were saved.
    """
    running = running or Running()
    bag = _Loader(size, running, exclude)(images, "images")
    _stop_if_strict(running, bag)
    truth = editions.read_answers(Path(answers), "attribution") if answers is not None else None
    named = recipe or attributing.suited(bag)
    chosen = recipes.with_further(recipes.load(named), also)
    chosen = untrained.marked(chosen, running.networks, running.effort)
    record = attributing.attribute(
        images=bag,
        recipe=chosen,
        settings=running.settings(),
        count=count,
        answers=truth,
        files=headers.paths(images, exclude),
        provenance=provenance(running.command),
    )
    notes = untrained.notes([chosen], running.networks)
    return AttributionReport(replace(record, notes=(*notes, *record.notes)), bag)


def enroll(
    name: str,
    source: images.Source,
    library: str | Path,
    *,
    patients: str | Path | None = None,
    patient_from: str | None = None,
    size: int | None = None,
    recipe: str = FINGERPRINT,
    replace: bool = False,
    running: Running | None = None,
) -> Enrolled:
    """Store the fingerprint of a generator in a folder, so that `identify` knows it."""
    running = running or Running()
    shelf = Library(Path(library))
    shelf.check_free(name, replace=replace)
    found = _Loader(size, running, Path(library))(source, "images", patients, patient_from)
    _stop_if_strict(running, found)
    return identification.enroll(
        name=name,
        images=found,
        library=shelf,
        recipe=recipes.load(recipe),
        settings=running.settings(),
        replace=replace,
    )


def identify(
    source: images.Source,
    library: str | Path,
    *,
    alpha: float = identification.ALPHA,
    size: int | None = None,
    recipe: str = FINGERPRINT,
    running: Running | None = None,
    exclude: Path | None = None,
) -> Identification:
    """Ask which enrolled generator made each picture and the whole folder, or whether nobody enrolled it."""
    running = running or Running()
    identification.check_alpha(alpha)
    chosen = recipes.load(recipe)
    sources = Library(Path(library)).read_all(identification.version(chosen))
    bag = _Loader(size, running, exclude)(source, "images")
    _stop_if_strict(running, bag)
    return identification.identify(
        images=bag,
        sources=sources,
        recipe=chosen,
        settings=running.settings(),
        alpha=alpha,
        provenance=provenance(running.command),
    )


def run(
    recipe: str,
    edition: str | Path,
    *,
    features: str | None = None,
    answers: str | Path | None = None,
    folds: int = 0,
    size: int | None = None,
    running: Running | None = None,
) -> RunReport:
    """Run one recipe on one edition: fitted on its development part, scored on its test part.

    `features` names a step to take in place of the recipe's own, such as `texture.lbp`; `answers` a table
    kept apart from the edition; `folds` also cross-validates the development part by patient.
    """
    running = running or Running()
    chosen = recipes.load(recipe)
    ways = protocols.protocols(folds, chosen.task)
    if features is not None:
        chosen = recipes.with_features(chosen, features)
    chosen = untrained.marked(chosen, running.networks, running.effort)
    sealed = Path(answers) if answers is not None else None
    spill = running.spill_bytes()
    read = editions.read(
        Path(edition), size=size, progress=running.progress, answers=sealed, spill_bytes=spill
    )
    _stop_if_strict(running, read)
    facts = {
        **provenance(running.command),
        "seed": running.seed,
        "recipe_digest": chosen.digest,
        "problem_digest": read.problem.digest,
    }
    found = trials.trial(chosen, read, running.settings(), ways=ways, provenance=facts)
    about = {
        "recipe": chosen.name,
        "edition": read.name,
        "task": chosen.task,
        "fidelity": chosen.about["fidelity"],
        "run": chosen.run,
        "reported": dict(chosen.reported),
        "rule": found.verdicts.rule,
        "threshold": found.verdicts.threshold,
        "development": found.development,
        "quarantined": read.quarantined,
        "notes": [
            *untrained.notes([chosen], running.networks),
            *read.notes,
            *([] if found.result else ["no answers in the edition: not evaluated"]),
        ],
        "provenance": facts,
    }
    return RunReport(found.scores, found.verdicts, found.result, about)


@dataclass(frozen=True)
class _Loader:
    """Reads one source after another in the same way."""

    size: int | None
    running: Running
    exclude: Path | None

    def __call__(
        self,
        source: images.Source,
        name: str,
        patients: str | Path | None = None,
        patient_from: str | None = None,
    ) -> ImageSet:
        label = f"reading {name}"
        return images.load(
            source,
            name=name,
            size=self.size,
            patients=Path(patients) if patients is not None else None,
            patient_from=patient_from,
            progress=lambda done, total: self.running.progress(label, done, total),
            exclude=self.exclude,
            spill_bytes=self.running.spill_bytes(),
        )


def _recipes(panel: str, names: Sequence[str]) -> list[Recipe]:
    if names:
        wanted: Sequence[str] = list(dict.fromkeys(names))
    elif panel in recipes.panels():
        wanted = recipes.panels()[panel]
    else:
        raise BadInput(f"no panel is called '{panel}'; known: {', '.join(recipes.panels())}")
    return [recipes.load(name) for name in wanted]


def _stop_if_strict(running: Running, *sets: ImageSet | editions.Edition) -> None:
    bad = [f"{entry.file} ({entry.reason})" for found in sets for entry in found.quarantined]
    if running.strict and bad:
        more = f" and {len(bad) - 5} more" if len(bad) > 5 else ""
        said = "1 file cannot" if len(bad) == 1 else f"{len(bad)} files cannot"
        raise Stopped(f"--strict: {said} be read: {'; '.join(bad[:5])}{more}")
