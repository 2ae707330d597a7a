"""Facts of single pictures and files: levels, gaps, frames, grids, headers; hostile files say nothing."""

from __future__ import annotations

import io
import os

import numpy as np
import pytest
from PIL import Image

from whorl import compression, headers, images
from whorl.alterations import jpeg as as_jpeg
from whorl.headers import Header, header, paths
from whorl.traces import UNKNOWN, Trace, traces


def soft(count: int = 6, side: int = 96) -> np.ndarray:
    from scipy.ndimage import gaussian_filter

    random = np.random.default_rng(1)
    grey = gaussian_filter(random.normal(size=(count, side, side)), (0, 5, 5)) * 400
    return (grey + random.normal(0, 6, grey.shape) + 128).clip(1, 254).astype(np.uint8)


def numbers_of(stack: np.ndarray) -> dict[str, Trace]:
    return {one.name: one for one in traces(images.load(stack, name="bag"))}


@pytest.mark.parametrize(("quality", "step"), [(90, 2), (80, 4.5), (75, 6), (50, 12)])
def test_the_grid_and_the_steps_of_jpeg_are_read_from_pixels(quality, step):
    stack = as_jpeg(soft(), quality)
    corner, elsewhere, steps = compression.grid(stack)
    assert corner.min() > 0.15 and np.abs(elsewhere).max() < 0.1
    assert np.abs(steps - step).max() <= step / 4
    if quality == 90:
        return  # off the corner, so faint a grid drowns in this noise
    corner, elsewhere, steps = compression.grid(stack[:, 3:, 6:])
    assert elsewhere.min() > 0.15 and np.abs(corner).max() < 0.1
    assert np.abs(steps - step).max() <= step / 4


def test_no_jpeg_no_grid():
    corner, elsewhere, steps = compression.grid(soft())
    assert np.abs(corner).max() < 0.1 and np.abs(elsewhere).max() < 0.1 and (steps == 1).all()
    small = compression.grid(np.zeros((2, 20, 200), np.uint8))
    assert [part.tolist() for part in small] == [[0, 0], [0, 0], [1, 1]]


def test_facts_of_the_pixels_are_right():
    stack = np.full((3, 16, 20), 40, np.uint8)
    stack[0, 5:7, 3:6] = [44, 52, 60]
    stack[1, :, 8:] = 41
    found = numbers_of(stack)
    assert found["grey step"].words == ("step 4", "step 1", "one level only")
    assert found["intensity range"].numbers.tolist() == [[40, 60], [40, 41], [40, 40]]
    assert found["grey levels"].numbers.ravel().tolist() == [4, 2, 1]
    assert found["constant border"].numbers.tolist() == [[14, 17], [0, 20], [16, 20]]
    assert found["clipping"].numbers[0] == pytest.approx(np.sqrt([314 / 320, 2 / 320]))
    assert found["grey histogram"].numbers[1].tolist() == [40] * 4 + [41] * 5
    fractions = numbers_of(np.linspace(0, 255, 2 * 16 * 16, dtype=np.float32).reshape(2, 16, 16))
    assert fractions["grey step"].words == ("fractions of a level",) * 2
    assert fractions["grey levels"].numbers.ravel().tolist() == [256, 256]


def test_batches_do_not_change_the_facts(monkeypatch):
    stack = soft(7, 32)
    whole = numbers_of(stack)
    monkeypatch.setattr("whorl.traces.BATCH", 3)
    for name, one in numbers_of(stack).items():
        assert one.words == whole[name].words
        assert one.numbers is None or np.allclose(one.numbers, whole[name].numbers, atol=1e-5)


@pytest.mark.parametrize(
    ("kind", "suffix"), [("PNG", "png"), ("JPEG", "jpg"), ("TIFF", "tif"), ("BMP", "bmp")]
)
def test_headers_say_what_was_written(tmp_path, kind, suffix):
    file = tmp_path / f"one.{suffix}"
    Image.fromarray(soft(1, 32)[0][:24]).save(file)
    found = header(file)
    assert found is not None and (found.format, found.size, found.metadata.count("tag")) == (kind, "32×24", 0)
    assert found.bytes_per_pixel == pytest.approx(file.stat().st_size / 768)
    assert found.software == "none"


def test_depth_and_colour_are_told(tmp_path):
    deep = Image.fromarray(soft(1, 16)[0].astype(np.uint16) * 257)
    for name, image in (
        ("deep", deep),
        ("colour", Image.new("RGB", (16, 16))),
        ("flat", Image.new("1", (16, 16))),
    ):
        image.save(tmp_path / f"{name}.png")
    said = {name: header(tmp_path / f"{name}.png").depth for name in ("deep", "colour", "flat")}
    assert said == {"deep": "16 bits, grey", "colour": "8 bits, colour", "flat": "1 bits, grey"}


def test_names_of_devices_in_exif_and_tiff_are_told(tmp_path):
    exif = Image.Exif()
    exif[271], exif[305] = "Maker", "Editor 3\n"
    Image.new("L", (16, 16)).save(tmp_path / "one.jpg", exif=exif)
    Image.new("L", (16, 16)).save(tmp_path / "one.tif", tiffinfo={305: "Editor 3"})
    assert header(tmp_path / "one.jpg").software == "Editor 3, Maker"
    assert "APP1 Exif" in header(tmp_path / "one.jpg").metadata
    assert header(tmp_path / "one.tif").software == "Editor 3"


def test_a_file_that_makes_no_sense_is_no_error(tmp_path):
    buffers = {}
    for kind in ("PNG", "JPEG", "TIFF", "BMP"):
        buffer = io.BytesIO()
        Image.fromarray(soft(1, 32)[0]).save(buffer, kind)
        buffers[kind] = buffer.getvalue()
    random = np.random.default_rng(2)
    file = tmp_path / "one"
    for kind, data in buffers.items():
        for trial in range(60):
            damaged = bytearray(data[: random.integers(4, len(data))] if trial % 2 else data)
            for place in random.integers(4, len(damaged), 8):
                damaged[place] = random.integers(256)
            file.write_bytes(damaged)
            found = header(file)
            assert found is None or found.format == kind
    file.write_bytes(b"\x89PNG\r\n\x1a\n" + b"\0\0\0\0tEXt\0\0\0\0" * 50_000)
    assert header(file) == Header("PNG")


def test_what_is_no_file_has_no_header(tmp_path):
    os.mkfifo(tmp_path / "pipe.png")
    (tmp_path / "text.png").write_text("no picture")
    (tmp_path / "folder.png").mkdir()
    names = ("pipe.png", "text.png", "folder.png", "missing.png")
    assert [header(tmp_path / name) for name in names] == [None] * 4
    assert headers.headers(("a",), {}) == [None]


def test_paths_are_those_that_load_reads(tmp_path):
    (tmp_path / "in").mkdir()
    for name in ("a.png", "in/b.png"):
        Image.new("L", (16, 16)).save(tmp_path / name)
    table = tmp_path / "list.csv"
    table.write_text("file\nin/b.png\n")
    named = [tmp_path / "a.png", str(tmp_path / "in" / "b.png")]
    for source in (tmp_path, str(tmp_path), table, named):
        assert tuple(paths(source)) == images.load(source, name="bag").ids
    for source in (np.zeros((1, 8, 8)), [np.zeros((8, 8))], tmp_path / "set.npy", []):
        assert paths(source) == {}


def test_pictures_whose_file_is_gone_are_not_known(tmp_path):
    for name in "ab":
        Image.fromarray(soft(1, 32)[0]).save(tmp_path / f"{name}.png")
    bag, files = images.load(tmp_path, name="bag"), paths(tmp_path)
    (tmp_path / "b.png").unlink()
    found = {one.name: one for one in traces(bag, files)}
    assert found["file format"].words == ("PNG", UNKNOWN) and found["size"].words == ("32×32", UNKNOWN)
    assert "bytes per pixel" not in found
    assert "file format" not in {one.name for one in traces(bag)}


def test_elements_of_dicom_are_read_from_its_first_bytes(tmp_path):
    def element(group: int, place: int, kind: bytes, value: bytes) -> bytes:
        mark = group.to_bytes(2, "little") + place.to_bytes(2, "little")
        return mark + kind + len(value).to_bytes(2, "little") + value

    data = bytes(128) + b"DICM" + element(2, 0x10, b"UI", b"1.2.840.10008.1.2.1\0")
    data += element(8, 0x70, b"LO", b"Maker ") + element(0x28, 0x10, b"US", b"\x20\0")
    data += element(0x28, 0x11, b"US", b"\x30\0") + element(0x28, 0x101, b"US", b"\x0c\0")
    (tmp_path / "one.dcm").write_bytes(data)
    found = header(tmp_path / "one.dcm")
    assert (found.format, found.size, found.depth, found.software) == ("DICOM", "48×32", "12 bits", "Maker")
    assert found.encoder == "DICOM: 1.2.840.10008.1.2.1"
