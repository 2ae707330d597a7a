"""Run files: one line a picture, `<id>,<answer>`, read by bytes in blocks; check and score both read here.

A run of ten million lines is never held as text: what stays is the sorted test list, the line on which
each id was first seen, and one small number for its answer.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from whorl.challenge.lines import EXTENSION, LONGEST_LINE, Ids, Lines, blocks, shortened, written_ids
from whorl.folders import shown
from whorl.records import Array, BadInput, Task
from whorl.store import write_bytes

LISTED = 20
MOST_GROUPS = 10_000
LABEL_WIDTH = 64
GROUP = re.compile(rb"[A-Za-z0-9_][A-Za-z0-9_.-]*")
NO_GROUP = re.compile(rb"(?i)nan|none|null|na|inf|infinity|[0-9]*\.[0-9]*")
DRIVE = re.compile(rb"[A-Za-z]:")
MARK = b"\xef\xbb\xbf"
USED = {"used": b"1", "not_used": b"0"}


@dataclass(frozen=True)
class Form:
    """What the run files of one edition look like: headers that may stand first, and how ids are written."""

    name: str
    headers: tuple[bytes, ...]
    extension: bool


FORMS = {
    "2023": Form("2023", (), extension=False),
    # No official text of 2025 is known: these are the headers of run files that were published.
    "2025": Form("2025", (b"original_image,label", b"image_path,predicted_class"), extension=True),
}


@dataclass(frozen=True)
class Fault:
    """One thing wrong with a run file: the line (0 where a line is missing), the text there, the rule."""

    line: int
    text: str
    rule: str

    def __str__(self) -> str:
        return f"{f'line {self.line:,}' if self.line else 'no line'}: '{self.text}': {self.rule}"


class Rejected(BadInput):
    """A run file that breaks the rules; `faults` are the first of `count`."""

    def __init__(self, file: Path, faults: Sequence[Fault], count: int) -> None:
        self.file, self.faults, self.count = file, tuple(faults), count
        more = f"; and {count - 1:,} more" if count > 1 else ""
        super().__init__(f"{shown(file)}: {self.faults[0]}{more}")


@dataclass(frozen=True, eq=False)
class Submission:
    """A valid run: for each id of the sorted test list the answer, (n,) numbers.

    Membership: 1 used, 0 not used. Attribution: the place of the group's name in `groups`.
    """

    values: NDArray[np.int16]
    groups: tuple[str, ...]


def check(file: Path, ids: Ids, form: Form, task: Task = "membership") -> Submission:
    """Read a run file; every id of the sorted list has to be there exactly once.

    What breaks a rule raises `Rejected` with the first faults and their number.
    """
    if not file.is_file():
        raise BadInput(f"{shown(file)}: {'not a file' if file.exists() else 'no such file'}")
    reading = _Reading(ids, form, task)
    try:
        with file.open("rb") as stream:
            start = stream.read(64)
            fatal = _unreadable(start)
            if fatal is None:
                marked = start.startswith(MARK)
                if marked:
                    reading.refuse_mark()
                stream.seek(len(MARK) if marked else 0)
                for data in blocks(stream):
                    reading.take(data)
    except OSError as error:
        raise BadInput(f"{shown(file)}: cannot be read ({error.strerror})") from None
    if fatal is not None:
        raise Rejected(file, [fatal], 1)
    reading.finish()
    if reading.count:
        raise Rejected(file, reading.faults, reading.count)
    return Submission(reading.values, tuple(name.decode() for name in reading.groups))


def write(file: Path, names: Sequence[str], labels: Sequence[str], form: Form, task: Task) -> None:
    """Write answers as a run file: membership as 1 and 0, groups of the 2023 format by number."""
    if task == "membership":
        words = [USED[label] for label in labels]
    elif form.extension:
        words = [label.encode() for label in labels]
    else:
        number = {label: place for place, label in enumerate(sorted(set(labels)), start=1)}
        words = [b"%d" % number[label] for label in labels]
    wrong = next((word for word in words if not is_group(word)), None)
    if wrong is not None:
        raise BadInput(f"the group '{shortened(wrong)}' cannot stand in a run file; name groups by letters")
    rows = zip(written_ids(names, form.extension), words, strict=True)
    write_bytes(file, b"".join(b"%s,%s\n" % row for row in rows))


def is_group(word: bytes) -> bool:
    """Say whether a word can name a group: letters, digits, `_`, `-`, `.`; no broken number."""
    fits = len(word) <= LABEL_WIDTH and GROUP.fullmatch(word) is not None
    return fits and NO_GROUP.fullmatch(word) is None


def _unreadable(start: bytes) -> Fault | None:
    """Return what makes a file no text of lines at all."""
    if not start:
        return Fault(1, "", "the file is empty; one line for each id is needed")
    halves = any(start[::2]), any(start[1::2])
    if start.startswith((b"\xff\xfe", b"\xfe\xff")) or (len(start) > 3 and halves.count(True) == 1):
        return Fault(1, shortened(start[:16]), "the file is UTF-16; save it as UTF-8")
    return None


class _Reading:
    """A run file as far as it has been read."""

    def __init__(self, ids: Ids, form: Form, task: Task) -> None:
        self.ids, self.form, self.task = ids, form, task
        self.seen = np.zeros(len(ids), np.uint32)
        self.values = np.zeros(len(ids), np.int16)
        self.groups: dict[bytes, int] = {}
        self.faults: list[Fault] = []
        self.count = 0
        self.line = 1
        self.expected = 0

    def refuse_mark(self) -> None:
        """Note that the file begins with a byte order mark, which would become part of the first id."""
        self.faults.append(Fault(1, "\\ufeff", "a byte order mark; save the file as UTF-8 without one"))
        self.count += 1

    def take(self, data: bytes) -> None:
        """Read one block of whole lines."""
        if self.line == 1 and self.form.headers:
            head, _, rest = data.partition(b"\n")
            if re.sub(rb"[ \t\r]", b"", head).lower() in self.form.headers:
                data, self.line = rest, 2
        if not data:
            return
        lines = Lines(data)
        name, answer, good = lines.fields()
        words, fits = lines.words(name, self.ids.dtype.itemsize)
        places, known = self._places(words, fits & good)
        answers = self._answers(lines, answer)
        numbers = np.arange(self.line, self.line + len(lines), dtype=np.uint32)
        # Written backwards, so that of two lines with one id the first stays.
        fresh = np.flatnonzero(known)[::-1]
        fresh = fresh[self.seen[places[fresh]] == 0]
        self.seen[places[fresh]] = numbers[fresh]
        self.values[places[fresh]] = answers[fresh]
        first = np.where(known, self.seen[places], 0)
        bad = np.flatnonzero(~known | (answers < 0) | (first != numbers))
        for row in bad[: LISTED - len(self.faults)]:
            line = lines.raw(row)
            rule = self._rule(line, int(numbers[row]), bool(known[row]), int(first[row]))
            self.faults.append(Fault(int(numbers[row]), shortened(line), rule))
        self.count += len(bad)
        self.line += len(lines)

    def finish(self) -> None:
        """Look for ids that no line answers."""
        missing = np.flatnonzero(self.seen == 0)
        rule = "this id of the test list is missing; every id is needed exactly once"
        for place in missing[: LISTED - len(self.faults)]:
            self.faults.append(Fault(0, shortened(bytes(self.ids[place])), rule))
        self.count += len(missing)

    def _places(self, words: Ids, possible: Array) -> tuple[Array, Array]:
        """Return the place of each word in the test list, and whether it is there."""
        # Runs mostly keep the order of the list: then no search is needed.
        places = np.minimum(self.expected + np.arange(len(words)), len(self.ids) - 1)
        if not (self.ids[places] == words).all():
            places = np.minimum(np.searchsorted(self.ids, words), len(self.ids) - 1)
        self.expected = int(places[-1]) + 1
        return places, possible & (self.ids[places] == words)

    def _answers(self, lines: Lines, places: Array) -> NDArray[np.int16]:
        """Return the answer of each line as a number, -1 where it is none."""
        if self.task == "membership":
            sign = lines.bytes[np.minimum(places[0], len(lines.bytes) - 1)].astype(np.int16) - ord("0")
            return np.where((places[1] - places[0] == 1) & ((sign == 0) | (sign == 1)), sign, -1)
        words, fits = lines.words(places, LABEL_WIDTH)
        different, row = np.unique(words, return_inverse=True)
        numbers = np.array([self._group(bytes(word)) for word in different], np.int16)
        return np.where(fits, numbers[row], -1)

    def _group(self, word: bytes) -> int:
        if not is_group(word) or (word not in self.groups and len(self.groups) >= MOST_GROUPS):
            return -1
        return self.groups.setdefault(word, len(self.groups))

    def _rule(self, line: bytes, number: int, known: bool, first: int) -> str:
        """Say which rule a line breaks."""
        if len(line) > LONGEST_LINE:
            return f"the line is longer than {LONGEST_LINE:,} bytes"
        if b"\0" in line:
            return "a NUL byte; only text is allowed"
        if not line.strip(b" \t"):
            return "an empty line; every line is <id>,<answer>"
        if line.count(b",") != 1:
            return _fields_rule(line)
        name, answer = (part.strip(b" \t") for part in line.split(b","))
        if not known:
            return self._header(number, answer) or self._name_rule(name)
        if first != number:
            return f"this id was answered already on line {first:,}; every id is needed exactly once"
        return self._answer_rule(answer)

    def _header(self, number: int, answer: bytes) -> str:
        if number > 1 or not re.fullmatch(rb"[A-Za-z_ ]+", answer):
            return ""
        if self.form.headers:
            return f"an unknown header; it is {self.form.headers[0].decode()} or none"
        return "a header; this format has none, line 1 is an answer already"

    def _name_rule(self, name: bytes) -> str:
        if not name:
            return "the id is empty"
        if b"/" in name or b"\\" in name or b".." in name or DRIVE.match(name):
            return "the id is a path; write the plain name as in the test list"
        if name[:1] in b"=+-@":
            return "the id begins like a formula; write it as in the test list"
        if not self.form.extension and self._listed(EXTENSION.sub(b"", name)):
            return "the id has an extension; write it without, as in the test list"
        return "the id is not in the test list"

    def _listed(self, name: bytes) -> bool:
        place = int(np.searchsorted(self.ids, np.bytes_(name)))
        return place < len(self.ids) and bytes(self.ids[place]) == name

    def _answer_rule(self, answer: bytes) -> str:
        if self.task == "membership":
            return (
                "the answer must be 0 or 1 exactly" if answer else "the answer is missing; it must be 0 or 1"
            )
        if len(self.groups) >= MOST_GROUPS and is_group(answer):
            return f"more than {MOST_GROUPS:,} different groups"
        return "the answer must be the name or number of a group: letters, digits, _, - and ."


def _fields_rule(line: bytes) -> str:
    if b"," in line:
        return "more than two fields; every line is <id>,<answer>"
    other = next(
        (word for sign, word in ((b";", "semicolon"), (b"\t", "tab"), (b"|", "bar")) if sign in line), ""
    )
    if other:
        return f"separated by a {other}; the delimiter is a comma"
    return "no comma; every line is <id>,<answer>"
