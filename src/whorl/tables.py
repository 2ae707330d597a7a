"""Tables about pictures: CSV or Parquet with a column `file` and others, such as `patient` or `label`."""

from __future__ import annotations

import csv
import importlib
import io
import os
import re
from collections import Counter
from pathlib import Path
from typing import Any

from whorl.decode import Limits, Unreadable, read_bytes
from whorl.folders import Candidate, Listing, escapes, label, settle, shown, some, with_patients
from whorl.records import BadInput, Quarantined

Row = dict[str, str]
SUFFIXES = (".csv", ".parquet")


def listing(path: Path) -> Listing:
    """List the files a table names; they are relative to the table's folder and stay inside it."""
    root = Path(os.path.normpath(path.parent.absolute()))
    real_root = root.resolve()
    found: list[Candidate] = []
    refused: list[Quarantined] = []
    owners: dict[str, str | None] = {}
    for number, row in enumerate(read(path), start=1):
        where = f"{shown(path)}, row {number}"
        name, target = _place(row["file"], root, real_root, where)
        patient = _patient(row, where) if "patient" in row else None
        if owners.setdefault(name, patient) != patient:
            raise BadInput(f"{where}: {shown(name)} is listed for two patients; keep one of the rows")
        if escapes(target, real_root):
            refused.append(Quarantined(name, "a link that leads out of the folder"))
        else:
            found.append(Candidate(name, target, patient))
    return settle(found, refused, [], "listed twice")


def assign(source: Listing, path: Path) -> Listing:
    """Give each candidate the patient that a table names for its place, its id or its file name."""
    by_id: dict[str, str] = {}
    for number, row in enumerate(read(path), start=1):
        where = f"{shown(path)}, row {number}"
        if "patient" not in row:
            raise BadInput(f"{shown(path)}: a column `patient` is needed beside `file`")
        name = os.path.normpath(row["file"]).replace(os.sep, "/")
        if by_id.setdefault(name, _patient(row, where)) != row["patient"]:
            raise BadInput(f"{where}: {shown(name)} is listed for two patients")
    rows = Counter(_tail(name) for name in by_id)
    pictures = Counter(_tail(candidate.id) for candidate in source.candidates)
    by_tail = {_tail(name): patient for name, patient in by_id.items()}
    patients = []
    for candidate in source.candidates:
        tail = _tail(candidate.id)
        alone = rows[tail] == 1 and pictures[tail] == 1
        beside = os.path.relpath(candidate.path, path.parent).replace(os.sep, "/")
        named = by_id.get(beside, by_id.get(candidate.id))
        patients.append(named if named is not None else by_tail[tail] if alone else None)
    return with_patients(source, patients)


def attributes(*places: object) -> dict[str, dict[str, str]]:
    """Return what those of some places that are tables say of patients: column → patient → value.

    A patient with two values in a column has none there; a table without a column `patient` says nothing.
    """
    found: dict[str, dict[str, str]] = {}
    for place in places:
        path = Path(place) if isinstance(place, str | Path) else None
        if path is None or path.suffix.lower() not in SUFFIXES or not path.is_file():
            continue
        for row in read(path):
            for column, value in row.items() if "patient" in row else ():
                if column not in ("file", "patient", "label"):
                    told = found.setdefault(column, {})
                    told[row["patient"]] = value if told.get(row["patient"], value) == value else ""
    return found


def match(source: Listing, pattern: str) -> Listing:
    """Give each candidate the patient that a regular expression finds in its file name.

    The first group is the patient, or the whole match where there is no group.
    """
    try:
        compiled = re.compile(pattern)
    except re.error as error:
        raise BadInput(f"the patient pattern {shown(pattern)} is no regular expression: {error}") from None
    group = 1 if compiled.groups else 0
    found = [compiled.search(_tail(candidate.id)) for candidate in source.candidates]
    return with_patients(source, [one.group(group) or None if one else None for one in found])


def read(path: Path) -> list[Row]:
    """Return the rows of a table as column → text; every trouble is one clear line.

    Column names are in lower case; `file` is always there and never empty, other cells may be empty.
    """
    where = shown(path)
    try:
        data = read_bytes(path, Limits())
    except Unreadable as error:
        raise BadInput(f"{where}: {error}") from None
    rows = _parquet(data, where) if path.suffix.lower() == ".parquet" else _csv(data, where)
    if not rows:
        raise BadInput(f"{where}: the table has no rows")
    for number, row in enumerate(rows, start=1):
        if not row["file"] or "\0" in row["file"]:
            name = shown(row["file"]) or "nothing"
            raise BadInput(f"{where}, row {number}: {name} is not a possible file name")
    return rows


def _csv(data: bytes, where: str) -> list[Row]:
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise BadInput(f"{where}: the table is UTF-16; save it as UTF-8")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadInput(f"{where}: not UTF-8 at byte {error.start:,}; save it as UTF-8") from None
    lines = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        header = [word.strip().lower() for word in next(lines, [])]
        _check_header(header, where)
        rows: list[Row] = []
        for cells in lines:
            if not cells:
                continue
            if len(cells) != len(header):
                raise BadInput(f"{where}, line {lines.line_num}: {len(cells)} cells, not {len(header)}")
            # A file name may begin or end with a space; other cells may not.
            row = zip(header, cells, strict=True)
            rows.append({word: cell if word == "file" else cell.strip() for word, cell in row})
    except csv.Error as error:
        raise BadInput(f"{where}, line {lines.line_num}: {error}") from None
    return rows


def _check_header(header: list[str], where: str) -> None:
    for word in header:
        if header.count(word) > 1:
            raise BadInput(f"{where}: two columns are called `{shown(word)}`")
    if "file" not in header:
        hint = "; separate columns by commas" if len(header) == 1 and re.search("[;\t]", header[0]) else ""
        raise BadInput(f"{where}: no column `file` (found: {some(header) or 'nothing'}){hint}")


def _parquet(data: bytes, where: str) -> list[Row]:
    try:
        parquet = importlib.import_module("pyarrow.parquet")
    except ImportError:
        raise BadInput(f"{where}: Parquet needs the extra: pip install 'whorl[parquet]'") from None
    try:
        whole = parquet.ParquetFile(io.BytesIO(data))
        header = [word.strip().lower() for word in whole.schema_arrow.names]
        _check_header(header, where)
        columns = [[_cell(value) for value in column.to_pylist()] for column in whole.read().columns]
    except BadInput:
        raise
    except Exception as error:  # pyarrow has its own classes besides OSError and ValueError
        raise BadInput(f"{where}: damaged Parquet ({shown(error)})") from None
    return [dict(zip(header, cells, strict=True)) for cells in zip(*columns, strict=True)]


def _patient(row: Row, where: str) -> str:
    if not row["patient"]:
        raise BadInput(f"{where}: no patient for {shown(row['file'])}; fill in or drop the column")
    return row["patient"]


def _cell(value: Any) -> str:
    return "" if value is None or value != value else str(value).strip()


def _place(file: str, root: Path, real_root: Path, where: str) -> tuple[str, Path]:
    """Return id and path of a table's entry; refuse what leads out of the table's folder."""
    target = Path(os.path.normpath(root / file))
    for base in (root, real_root):
        if target != base and target.is_relative_to(base):
            return label(target, base), target
    raise BadInput(f"{where}: {shown(file)} leads out of the table's folder; give paths inside it")


def _tail(name: str) -> str:
    return name.rpartition("/")[2]
