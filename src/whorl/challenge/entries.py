"""Which runs take part: folders of `TEAM_runN.csv`, or a manifest that names team, run, file and model."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from whorl import tables
from whorl.folders import escapes, shown
from whorl.records import BadInput

NAME = re.compile(
    r"(?i)(?P<team>.+?)[ _-]?(?:run|submission)[ _-]?(?P<run>\d{1,6})"
    r"(?:[ _-]?m(?:odel)?[ _-]?(?P<model>\d{1,2}))?\.csv"
)
MARKED = {"1", "true", "yes"}


@dataclass(frozen=True)
class Entry:
    """One run of one team: a file for each model, what is said about the method, whether it competes."""

    team: str
    run: str
    files: Mapping[str, Path]
    method: str = ""
    organiser: bool = False

    @property
    def name(self) -> str:
        """Team and run on one line."""
        return f"{self.team} {self.run}"


@dataclass(frozen=True)
class _Named:
    """One file of a run."""

    team: str
    run: str
    model: str
    file: Path
    method: str = ""
    organiser: bool = False


def file_name(team: str, run: int, model: int | None = None) -> str:
    """Return the name of a run file; what a team's name has besides letters and digits becomes a dash."""
    plain = re.sub(r"[^A-Za-z0-9._-]+", "-", team).strip("-._")
    if not plain:
        raise BadInput(f"--team {shown(team)}: a name with letters or digits is needed")
    if run < 0 or (model is not None and model < 1):
        raise BadInput("--run and --model count from 1")
    return f"{plain}_run{run}{'' if model is None else f'_model{model}'}.csv"


def read(sources: Sequence[Path]) -> list[Entry]:
    """Return the runs of folders and manifests, by team and run; files with other names are passed over."""
    found: list[_Named] = []
    for source in sources:
        if source.is_dir():
            found += _folder(source)
        elif not source.is_file():
            raise BadInput(f"{shown(source)}: no such folder, manifest or run file")
        elif source.suffix.lower() == ".toml":
            found += [_manifest_row(source, row) for row in _toml(source)]
        elif NAME.fullmatch(source.name):
            found += [_named(source)]
        else:
            found += [_manifest_row(source, row) for row in tables.read(source)]
    if not found:
        raise BadInput(
            "no run files found; they are called TEAM_runN.csv, with two models TEAM_runN_model1.csv"
        )
    return _joined(found)


def _folder(folder: Path) -> list[_Named]:
    root = folder.resolve()
    files = sorted(path for path in folder.iterdir() if NAME.fullmatch(path.name))
    outside = next((path for path in files if escapes(path, root)), None)
    if outside is not None:
        raise BadInput(f"{shown(outside)}: a link that leads out of the folder; put the file itself there")
    return [_named(path) for path in files]


def _named(path: Path) -> _Named:
    match = NAME.fullmatch(path.name)
    assert match is not None
    return _Named(match["team"], str(int(match["run"])), str(int(match["model"] or 1)), path)


def _toml(file: Path) -> list[dict[str, Any]]:
    try:
        rows = tomllib.loads(file.read_text(encoding="utf-8")).get("run")
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadInput(f"{shown(file)}: not a TOML file: {error}") from None
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise BadInput(
            f"{shown(file)}: needs one [[run]] for each file, with team, run, file and perhaps model"
        )
    return rows


def _manifest_row(manifest: Path, row: Mapping[str, Any]) -> _Named:
    cells = {key: str(value).strip() for key, value in row.items()}
    missing = [key for key in ("team", "run", "file") if not cells.get(key)]
    if missing:
        raise BadInput(
            f"{shown(manifest)}: a run without {' and '.join(missing)}; needs run,team,file[,model]"
        )
    path = Path(os.path.normpath(manifest.parent / cells["file"]))
    if Path(cells["file"]).is_absolute() or escapes(path, manifest.parent.resolve()):
        raise BadInput(f"{shown(manifest)}: {shown(cells['file'])} leads out of the manifest's folder")
    marked = cells.get("organiser", "").lower() in MARKED
    return _Named(
        cells["team"], cells["run"], cells.get("model") or "1", path, cells.get("method", ""), marked
    )


def _joined(found: Sequence[_Named]) -> list[Entry]:
    """Join the files of one run; two files for one model are refused."""
    runs: dict[tuple[str, str], dict[str, _Named]] = {}
    for one in found:
        files = runs.setdefault((one.team, one.run), {})
        if one.model in files:
            both = f"{shown(files[one.model].file)} and {shown(one.file)}"
            raise BadInput(
                f"{both} are both run {shown(one.run)} of {shown(one.team)}, model {shown(one.model)}"
            )
        files[one.model] = one
    order = sorted(runs, key=lambda key: (key[0].casefold(), key[0], len(key[1]), key[1]))
    return [
        Entry(
            team,
            run,
            {model: named.file for model, named in sorted(runs[team, run].items())},
            next((named.method for named in runs[team, run].values() if named.method), ""),
            any(named.organiser for named in runs[team, run].values()),
        )
        for team, run in order
    ]
