"""Small hospitals with a known leak, damaged files, and a command line that is called and listened to."""

from __future__ import annotations

import csv
import io
import os
import signal
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
from PIL import Image
from scipy.ndimage import gaussian_filter

from whorl.cli import main

QUICK = ("--recipes", "whorl.thumbnail", "--permutations", "199")
PROGRAM = "import sys; from whorl.cli import main; sys.argv[0] = 'whorl'; sys.exit(main(sys.argv[1:]))"
SOURCE = Path(__file__).parents[2] / "src"
Pixels = np.ndarray


@dataclass(frozen=True)
class Said:
    """How a command ended and what it printed."""

    code: int
    out: str
    err: str


@dataclass(frozen=True)
class Hospital:
    """The folders of an audit."""

    root: Path

    @property
    def members(self) -> Path:
        return self.root / "members"

    @property
    def holdout(self) -> Path:
        return self.root / "holdout"

    @property
    def generated(self) -> Path:
        return self.root / "generated"

    @property
    def patients(self) -> Path:
        return self.root / "patients.csv"

    @property
    def out(self) -> Path:
        return self.root / "out"

    def audit(self, *more: object, **instead: object) -> list[str]:
        """Return the command that audits this hospital, some of its sources given another way or not."""
        given = {name: getattr(self, name) for name in ("generated", "members", "holdout", "patients", "out")}
        given |= instead
        command = ["audit", given.pop("generated")]
        command += [
            word for name, value in given.items() if value is not None for word in (f"--{name}", value)
        ]
        return [str(word) for word in (*command, *more)]

    def scores(self) -> list[dict[str, str]]:
        """Return the rows of scores.csv."""
        return table(self.out / "scores.csv")


def table(file: Path) -> list[dict[str, str]]:
    """Return the rows of a CSV file."""
    return list(csv.DictReader(io.StringIO(file.read_bytes().decode("utf-8"), newline="")))


def hospital(
    root: Path,
    *,
    leak: bool = True,
    patients: int = 16,
    slices: int = 2,
    generated: int = 24,
    side: int = 32,
    seed: int = 0,
) -> Hospital:
    """Draw patients of smooth random anatomy; a leaking generator copies members, a clean one nobody."""
    random = np.random.default_rng(seed)
    made = Hospital(root)
    real = people(random, patients, slices, side)
    names = [f"P{one:03d}_{cut}.png" for one in range(patients) for cut in range(slices)]
    half = len(real) // 2
    write_pictures(made.members, names[:half], real[:half])
    write_pictures(made.holdout, names[half:], real[half:])
    made.patients.write_text("file,patient\n" + "".join(f"{name},{name[:4]}\n" for name in names))
    source = real[np.arange(generated) % half] if leak else people(random, generated, 1, side)
    noisy = source + random.normal(0, 6, source.shape)
    write_pictures(made.generated, [f"g{place:03d}.png" for place in range(generated)], noisy)
    return made


def people(random: np.random.Generator, patients: int, slices: int, side: int) -> Pixels:
    """Return (patients * slices, side, side) pictures; those of one patient resemble one another."""
    whole = random.normal(size=(patients, 1, side, side))
    whole = whole + 0.7 * random.normal(size=(patients, slices, side, side))
    smooth = gaussian_filter(whole, [0, 0, side / 12, side / 12])
    return np.asarray(120 + 50 * smooth.reshape(-1, side, side) / smooth.std())


def write_pictures(folder: Path, names: Sequence[str], pixels: Pixels) -> None:
    """Write grey pictures as PNG."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, picture in zip(names, pixels, strict=True):
        (folder / name).write_bytes(encoded(picture))


def encoded(picture: Pixels, kind: str = "PNG") -> bytes:
    """Return a picture as the bytes of a file."""
    buffer = io.BytesIO()
    Image.fromarray(np.clip(np.rint(picture), 0, 255).astype(np.uint8)).save(buffer, kind)
    return buffer.getvalue()


def _bomb() -> bytes:
    """A PNG of a few bytes that claims 3.6 thousand million pixels."""
    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 0, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(b"\0" * 100)), (b"IEND", b""))
    body = b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in chunks
    )
    return b"\x89PNG\r\n\x1a\n" + body


_ANY = people(np.random.default_rng(99), 1, 1, 32)[0]
# Name of the file: its content and what the reason for leaving it out has to say.
DAMAGED: Mapping[str, tuple[Callable[[], bytes], str]] = {
    "empty.png": (lambda: b"", "empty file"),
    "cut.png": (lambda: encoded(_ANY)[:200], "truncated"),
    "cut.jpg": (lambda: encoded(_ANY, "JPEG")[:-120], "truncated"),
    "page.png": (lambda: b"<!doctype html><html><body>Please log in</body></html>", "HTML"),
    "bomb.png": (_bomb, "too many pixels"),
    "dot.png": (lambda: encoded(_ANY[:1, :1]), "1×1"),
    "noise.png": (lambda: bytes(range(256)), "not a picture"),
    "film.png": (lambda: encoded(_ANY, "GIF"), "GIF"),
    "pointer.png": (lambda: b"version https://git-lfs.github.com/spec/v1\n", "Git LFS"),
}


def call(capsys, *words: object) -> Said:
    """Run a command in this process."""
    capsys.readouterr()
    code = main([str(word) for word in words])
    said = capsys.readouterr()
    return Said(code, said.out, said.err)


def fine(capsys, *words: object) -> str:
    """Run a command that has to work without a word on standard error; return what it printed."""
    said = call(capsys, *words)
    assert (said.code, said.err) == (0, "")
    return said.out


def refused(capsys, *words: object, code: int = 2) -> str:
    """Run a command that has to fail with one line, and return that line."""
    return one_line(call(capsys, *words), code)


def one_line(said: Said, code: int = 2) -> str:
    """Return the one printable line of a refusal; nothing else may have been printed."""
    assert (said.code, said.out) == (code, "")
    assert said.err.startswith("whorl: ") and said.err.endswith("\n")
    line = said.err[len("whorl: ") : -1]
    assert line.isprintable() and "Traceback" not in line, line
    return line


def start(*words: object, **options: object) -> subprocess.Popen[str]:
    """Start a command in a process of its own."""
    surroundings = {**os.environ, "PYTHONPATH": str(SOURCE), "PYTHONWARNINGS": "error"}
    command = [sys.executable, "-c", PROGRAM, *map(str, words)]
    # Tests that themselves run in the background ignore interrupts, and what they start would too.
    options.setdefault("preexec_fn", lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, "encoding": "utf-8"}
    return subprocess.Popen(command, env=surroundings, **{**streams, **options})


def spawn(*words: object, **options: object) -> Said:
    """Run a command in a process of its own."""
    with start(*words, **options) as process:
        out, err = process.communicate(timeout=100)
    return Said(process.returncode, out or "", err or "")


class Page(HTMLParser):
    """A report as a browser reads it: tags, attributes, text outside of the style."""

    def __init__(self, file: Path) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.text = ""
        self.feed(file.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]

    def handle_data(self, data: str) -> None:
        if self.tags[-1:] != ["style"]:
            self.text += data

    def check_inert(self) -> None:
        """Refuse scripts, handlers, frames and every address outside of the page itself."""
        assert not {"script", "iframe", "object", "embed", "form", "base", "link"} & set(self.tags)
        for name, value in self.attributes:
            assert not name.startswith("on"), name
            if name in ("src", "href", "action", "xlink:href", "srcset"):
                assert value.startswith(("data:image/", "#")), value

    @property
    def pictures(self) -> int:
        """How many pictures the page holds."""
        return sum(name == "src" and value.startswith("data:image/") for name, value in self.attributes)
