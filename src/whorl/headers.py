"""What a picture's file says beside its pixels: format, size, depth, metadata, encoder, compression.

Nothing here decodes pixels or trusts a length in a file: all walks are bounded by the bytes that are
there, and a file that makes no sense has no header, which is never an error.
"""

from __future__ import annotations

import hashlib
import re
import warnings
import zlib
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from whorl import folders, tables
from whorl.decode import STANDARD, Limits, Unreadable, read_bytes, recognise

_PARTS = 10_000  # chunks or markers of one file that are looked at
_INFLATED = 2**20
_HEAD = 2**18
_PLAIN_CHUNKS = frozenset(("IHDR", "IDAT", "IEND", "PLTE", "tRNS"))
_PNG_COLOURS = {0: "grey", 2: "colour", 3: "palette", 4: "grey with alpha", 6: "colour with alpha"}
_LEVELS = ("fastest", "fast", "default", "best")
_SOFTWARE_TAGS = (305, 271, 272)
_TIFF_PLAIN = frozenset((254, 256, 257, 258, 259, 262, 266, 273, 277, 278, 279, 282, 283, 284, 296, 339))


@dataclass(frozen=True)
class Header:
    """The facts of one file in words; of PNG also the length of its data chunks and its row filters.

    `filters` are the shares of rows with each of the five filters; `bytes_per_pixel` is the size of the
    whole file over its pixels, 0 where the size is not known.
    """

    format: str
    size: str = ""
    depth: str = ""
    metadata: str = "none"
    software: str = "none"
    encoder: str = ""
    piece: int = 0
    pieces: int = 0
    filters: tuple[float, ...] = ()
    bytes_per_pixel: float = 0.0


def paths(source: object, exclude: Path | None = None) -> dict[str, Path]:
    """Return id → file of a source as `images.load` names them; empty where pictures are no files."""
    if isinstance(source, str | Path):
        path = Path(source)
        if path.is_dir():
            listing = folders.walk(path, exclude)
        elif path.suffix.lower() in (".csv", ".parquet"):
            listing = tables.listing(path)
        else:
            return {}
    elif isinstance(source, Collection) and not isinstance(source, np.ndarray):
        named = [one for one in source if isinstance(one, str | Path)]
        if not named or len(named) < len(source):
            return {}
        listing = folders.files(named)
    else:
        return {}
    return {one.id: one.path for one in listing.candidates}


def headers(
    ids: Collection[str], files: Mapping[str, Path], limits: Limits = STANDARD
) -> list[Header | None]:
    """Return the header of every picture, in order; nothing where there is no file or no sense in it."""
    return [header(files[name], limits) if name in files else None for name in ids]


def header(path: Path, limits: Limits = STANDARD) -> Header | None:
    """Return what one file says of itself, or nothing; never an error."""
    try:
        data = read_bytes(path, limits)
        kind = recognise(data, path.name)
    except Unreadable:
        return None
    readers = {"PNG": _png, "JPEG": _jpeg, "TIFF": _by_pillow, "BMP": _by_pillow, "DICOM": _dicom}
    try:
        found = readers.get(kind, lambda _: Header(kind))(data)
    except Exception:  # damaged files make libraries raise almost anything, and this is only a side look
        return Header(kind)
    sides = [int(side) for side in found.size.split("×") if side]
    pixels = sides[0] * sides[1] if len(sides) == 2 else 0
    return replace(found, bytes_per_pixel=len(data) / pixels if pixels else 0.0)


def _chunks(data: bytes) -> Iterator[tuple[str, bytes]]:
    place = 8
    for _ in range(_PARTS):
        length = int.from_bytes(data[place : place + 4], "big")
        name = data[place + 4 : place + 8]
        if len(name) < 4:
            return
        yield name.decode("ascii", "replace"), data[place + 8 : place + 8 + length]
        place += 12 + length


def _png(data: bytes) -> Header:
    names: set[str] = set()
    software, packed, lengths, start = [], bytearray(), [], b""
    for name, content in _chunks(data):
        if name == "IHDR":
            start = content
        elif name == "IDAT":
            lengths.append(len(content))
            if len(packed) < _INFLATED:
                packed += content
        elif name not in _PLAIN_CHUNKS:
            keyword = content[:80].partition(b"\0")[0] if name in ("tEXt", "zTXt", "iTXt") else b""
            names.add(f"{name} {_text(keyword)}".strip())
            if name == "tEXt" and keyword == b"Software":
                software.append(_text(content[9:]))
    width, height = int.from_bytes(start[:4], "big"), int.from_bytes(start[4:8], "big")
    bits, colour, interlaced = start[8], start[9], bool(start[12])
    channels = {2: 3, 4: 2, 6: 4}.get(colour, 1)
    stride = (width * bits * channels + 7) // 8 + 1
    return Header(
        "PNG",
        f"{width}×{height}",
        f"{bits} bits, {_PNG_COLOURS.get(colour, 'unknown colour')}",
        _listed(names),
        _listed(software),
        f"PNG: {_LEVELS[packed[1] >> 6]} compression{', interlaced' if interlaced else ''}",
        max(lengths),
        len(lengths),
        () if interlaced else _filters(bytes(packed), stride),
    )


def _filters(packed: bytes, stride: int) -> tuple[float, ...]:
    """Return the share of rows with each filter; the first is left out: it has no row above it."""
    rows = zlib.decompressobj().decompress(packed, _INFLATED)
    counts = np.bincount(np.frombuffer(rows, np.uint8)[stride::stride], minlength=5)[:5]
    return tuple(float(count) for count in counts / max(1, counts.sum()))


def _jpeg(data: bytes) -> Header:
    names: set[str] = set()
    made, quantisation, frame, process = [], b"", b"", 0
    place = 2
    for _ in range(_PARTS):
        marker = data[place + 1 : place + 2]
        length = int.from_bytes(data[place + 2 : place + 4], "big")
        content = data[place + 4 : place + 2 + length]
        if data[place : place + 1] != b"\xff" or marker == b"\xda" or length < 2:
            break
        code = marker[0]
        if code == 0xDB:
            quantisation += content
        elif 0xC0 <= code <= 0xCF and code not in (0xC4, 0xC8, 0xCC):
            frame, process = content, code - 0xC0
        elif 0xE0 <= code <= 0xEF:
            names.add(f"APP{code - 0xE0} {_text(content[:12].partition(bytes(1))[0])}")
        elif code == 0xFE:
            names.add("comment")
            made.append(_text(content))
        place += 2 + length
    height, width = int.from_bytes(frame[1:3], "big"), int.from_bytes(frame[3:5], "big")
    sampling = " ".join(f"{one >> 4}:{one & 15}" for one in frame[7::3])
    seal = hashlib.sha256(quantisation).hexdigest()[:8]
    step = np.frombuffer(quantisation[1:65], np.uint8).mean()
    return Header(
        "JPEG",
        f"{width}×{height}",
        f"{frame[0]} bits, {'grey' if frame[5] == 1 else 'colour'}",
        _listed(names),
        _listed(made + _software(data, "JPEG")),
        f"JPEG: process {process}, tables {seal} (mean step {step:.1f}), sampling {sampling}",
    )


def _by_pillow(data: bytes) -> Header:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with Image.open(BytesIO(data), formats=["TIFF", "BMP"]) as image:
            tags = {int(tag) for tag in getattr(image, "tag_v2", {})} - _TIFF_PLAIN
            packing = image.info.get("compression", "none")
            kind, size, mode = str(image.format), image.size, image.mode
    return Header(
        kind,
        f"{size[0]}×{size[1]}",
        f"Pillow mode {mode}",
        _listed({f"tag {tag:05d}" for tag in tags}),
        _listed(_software(data, kind)),
        f"{kind}: compression {_text(str(packing).encode())}",
    )


def _software(data: bytes, kind: str) -> list[str]:
    """Return the names of software and device in the EXIF or TIFF tags."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            with Image.open(BytesIO(data), formats=[kind]) as image:
                tags: Mapping[int, Any] = image.getexif()
                return [_text(str(tags[tag]).encode()) for tag in _SOFTWARE_TAGS if tag in tags]
        except Exception:  # the rest of the header is still worth having
            return []


def _dicom(data: bytes) -> Header:
    """Look for a few elements as explicit little-endian DICOM writes them; others stay unknown."""
    head = data[:_HEAD]
    width, height, bits = (
        int.from_bytes(_element(head, 0x28, place, b"US"), "little") for place in (0x11, 0x10, 0x101)
    )
    made = [
        _element(head, 8, 0x70, b"LO"),
        _element(head, 8, 0x1090, b"LO"),
        _element(head, 0x18, 0x1020, b"LO"),
    ]
    encoder = _element(head, 2, 0x10, b"UI"), _element(head, 2, 0x13, b"SH")
    return Header(
        "DICOM",
        f"{width}×{height}" if width and height else "",
        f"{bits} bits" if bits else "",
        software=_listed(_text(one) for one in made if one),
        encoder="DICOM: " + _listed(_text(one) for one in encoder if one),
    )


def _element(head: bytes, group: int, place: int, kind: bytes) -> bytes:
    mark = group.to_bytes(2, "little") + place.to_bytes(2, "little") + kind
    found = re.search(re.escape(mark) + rb"(..)", head, re.DOTALL)
    if found is None:
        return b""
    return head[found.end() : found.end() + int.from_bytes(found[1], "little")]


def _text(raw: bytes) -> str:
    """Return bytes of unknown origin as a short line of text."""
    text = raw[:60].decode("utf-8", "replace").strip(" \0\r\n\t")
    return "".join(letter if letter.isprintable() else "?" for letter in text)


def _listed(names: Collection[str] | Iterator[str]) -> str:
    """Return names sorted and cut: a file may hold thousands of them."""
    every = sorted(set(names) - {""})
    return ", ".join(every[:12]) + (f" and {len(every) - 12} more" if len(every) > 12 else "") or "none"
