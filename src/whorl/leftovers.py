"""What files still say beside their pixels: which fields are filled in, never what stands in them."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from pathlib import Path

from whorl.decode import STANDARD, Limits, Unreadable, read_bytes, recognise
from whorl.headers import Header, header

_HEAD = 2**18
_INFLATED = 2**20
_ELEMENTS = 20_000
_LONG = frozenset((b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV"))
_PIXELS = 0x7FE00010
_BURNED_IN = 0x00280301
_IDENTITY = {
    0x00100010: "patient's name",
    0x00100020: "patient's ID",
    0x00100030: "patient's birth date",
    0x00101000: "patient's other IDs",
    0x00101001: "patient's other names",
    0x00101005: "patient's birth name",
    0x00101040: "patient's address",
    0x00101060: "patient's mother's birth name",
    0x00102154: "patient's telephone number",
    0x00080050: "accession number",
    0x00080090: "referring physician",
}
_CIRCUMSTANCES = {
    0x00080020: "study date",
    0x00080080: "institution",
    0x00080081: "institution's address",
    0x00081050: "performing physician",
    0x00081070: "operator",
    0x00104000: "comments on the patient",
}
_WIPED = frozenset((b"anonymous", b"anonymized", b"anonymised", b"anon", b"none", b"unknown", b"removed"))
IDENTITY = frozenset((*_IDENTITY.values(), "text burned into the pixels", "camera's place (GPS)"))
"""Names of fields that may point at a person; the others tell of circumstances."""
# Blocks that say how to show the pixels, and nothing else.
_HARMLESS = ("gAMA", "cHRM", "sRGB", "sBIT", "iCCP", "bKGD", "pHYs", "hIST", "sPLT", "cICP")
_HARMLESS_MARKERS = ("APP0 JFIF", "APP0 JFXX", "APP2 ICC_PROFILE", "APP14 Adobe")
_KEYWORDS = ("Title", "Author", "Description", "Copyright", "Creation Time", "Software", "Source", "Comment")
_TAGS = {
    "00269": "document name",
    "00270": "picture description",
    "00271": "maker",
    "00272": "model",
    "00285": "page name",
    "00305": "software",
    "00306": "date and time",
    "00315": "artist",
    "00316": "host computer",
    "33432": "copyright",
    "34665": "EXIF",
    "34853": "camera's place (GPS)",
}


def fields(path: Path, known: Header | None = None, limits: Limits = STANDARD) -> tuple[str, ...]:
    """Return the names of the filled-in fields of a file, sorted; none of a file that makes no sense.

    `known` is its header, if it was read before.
    """
    if known is None or known.format == "DICOM":
        try:
            data = read_bytes(path, limits)
            kind = recognise(data, path.name)
        except Unreadable:
            return ()
        if kind == "DICOM":
            return tuple(sorted(set(_of_dicom(data))))
        known = header(path, limits)
    if known is None or known.metadata == "none":
        return ()
    words = {_word(entry) for entry in known.metadata.split(", ")}
    return tuple(sorted(words - {""}))


def _word(entry: str) -> str:
    """Name one entry of a header's metadata in words of our own: keywords of a file could say anything."""
    kind, _, name = entry.partition(" ")
    if kind in _HARMLESS or entry in _HARMLESS_MARKERS:
        return ""
    if kind in ("tEXt", "zTXt", "iTXt"):
        if name in _KEYWORDS:
            return f"text '{name}'"
        return "XMP" if name.startswith("XML:com.adobe.xmp") else "text under another name"
    if kind == "tag":
        return _TAGS.get(name, "other tags")
    if kind == "eXIf" or entry.startswith("APP1 Exif"):
        return "EXIF"
    if entry.startswith("APP1 http"):
        return "XMP"
    return {"comment": "comment", "tIME": "date and time"}.get(kind, "other blocks")


def _of_dicom(data: bytes) -> Iterator[str]:
    for tag, value in _elements(data):
        content = value.strip(b" \0^").lower()
        if tag == _BURNED_IN and content == b"yes":
            yield "text burned into the pixels"
        elif not content or content in _WIPED:
            continue
        elif name := _IDENTITY.get(tag) or _CIRCUMSTANCES.get(tag):
            yield name
        elif (tag >> 16) % 2 and tag & 0xFFFF > 0xFF:
            yield "private elements"


def _elements(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Walk through the elements before the pixels, those inside sequences too; stop where sense ends."""
    start, syntax = 132, b""
    for tag, value, after in _walk(data[:_HEAD], start, "little", explicit=True, group=2):
        start = after
        if tag == 0x00020010:
            syntax = value.strip(b" \0")
    rest = data[start : start + _HEAD]
    if syntax == b"1.2.840.10008.1.2.1.99":
        try:
            rest = zlib.decompressobj(-15).decompress(rest, _INFLATED)
        except zlib.error:
            return
    order = "big" if syntax == b"1.2.840.10008.1.2.2" else "little"
    for tag, value, _ in _walk(rest, 0, order, explicit=syntax != b"1.2.840.10008.1.2"):
        yield tag, value


def _walk(
    data: bytes, place: int, order: str, *, explicit: bool, group: int | None = None
) -> Iterator[tuple[int, bytes, int]]:
    """Yield tag, value and the place after it; with `group` only while the elements belong to it."""

    def number(start: int, length: int) -> int:
        return int.from_bytes(data[start : start + length], "little" if order == "little" else "big")

    for _ in range(_ELEMENTS):
        tag = number(place, 2) << 16 | number(place + 2, 2)
        if place + 8 > len(data) or tag == _PIXELS or (group is not None and tag >> 16 != group):
            return
        kind = data[place + 4 : place + 6]
        if tag >> 16 == 0xFFFE or not explicit:
            length, start, nested = number(place + 4, 4), place + 8, tag >> 16 == 0xFFFE
        elif kind in _LONG:
            length, start, nested = number(place + 8, 4), place + 12, kind == b"SQ"
        else:
            length, start, nested = number(place + 6, 2), place + 8, False
        # What is inside a sequence follows as elements like all others.
        nested = nested or length == 0xFFFFFFFF
        place = start if nested else start + length
        yield tag, b"" if nested else data[start : start + length], place
