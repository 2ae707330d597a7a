"""DICOM and NIfTI: what is shown, what is refused, and what happens when the decoder dies."""

import gzip
import importlib.util
import io
import struct
import sys
import time
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

pydicom = pytest.importorskip("pydicom")
nibabel = pytest.importorskip("nibabel")
from pydicom import uid  # noqa: E402
from pydicom.dataset import Dataset, FileMetaDataset  # noqa: E402

from whorl import dicom, isolation  # noqa: E402
from whorl.decode import Limits, Unreadable, decode_file  # noqa: E402
from whorl.images import load  # noqa: E402
from whorl.records import BadInput  # noqa: E402

RANDOM = np.random.default_rng(5)
TWELVE = RANDOM.integers(0, 4096, (64, 72), dtype=np.uint16)
EIGHT = RANDOM.integers(0, 256, (20, 30), dtype=np.uint8)


@pytest.fixture(scope="module", autouse=True)
def _no_worker_left():
    yield
    isolation.close()


def dataset(pixels, syntax=uid.ExplicitVRLittleEndian, **fields):
    found = Dataset()
    found.file_meta = FileMetaDataset()
    found.file_meta.TransferSyntaxUID = uid.ExplicitVRLittleEndian
    found.file_meta.MediaStorageSOPClassUID = found.SOPClassUID = uid.SecondaryCaptureImageStorage
    found.file_meta.MediaStorageSOPInstanceUID = found.SOPInstanceUID = "1.2.3"
    found.Rows, found.Columns = pixels.shape[:2]
    found.SamplesPerPixel, found.PhotometricInterpretation = 1, "MONOCHROME2"
    found.BitsAllocated = pixels.dtype.itemsize * 8
    found.BitsStored = 8 if pixels.dtype == np.uint8 else 12
    found.HighBit = found.BitsStored - 1
    found.PixelRepresentation = int(pixels.dtype.kind == "i")
    found.PixelData = pixels.tobytes()
    for word, value in fields.items():
        setattr(found, word, value)
    if syntax != uid.ExplicitVRLittleEndian:
        found.compress(syntax, generate_instance_uid=False)
    return found


def written(found):
    file = io.BytesIO()
    pydicom.dcmwrite(file, found, enforce_file_format=True)
    return file.getvalue()


def read(folder: Path, data, name="picture", **limits):
    path = folder / name
    path.write_bytes(data if isinstance(data, bytes) else written(data))
    return decode_file(path, Limits(**limits))


def refused(folder, data, name="picture", **limits):
    with pytest.raises(Unreadable) as caught:
        read(folder, data, name, **limits)
    return caught.value.reason


def test_without_a_window_the_pictures_own_range_is_shown(tmp_path):
    for syntax in (uid.ExplicitVRLittleEndian, uid.RLELossless, uid.JPEG2000Lossless):
        found = read(tmp_path, dataset(TWELVE, syntax))
        low, high = int(TWELVE.min()), int(TWELVE.max())
        assert found.dtype == np.float32
        np.testing.assert_allclose(found, (TWELVE - low) * (255 / (high - low)), atol=1e-3)


def test_plain_eight_bits_stay_and_monochrome1_is_inverted(tmp_path):
    plain = read(tmp_path, dataset(EIGHT))
    assert plain.dtype == np.uint8
    np.testing.assert_array_equal(plain, EIGHT)
    inverted = read(tmp_path, dataset(EIGHT, PhotometricInterpretation="MONOCHROME1"))
    np.testing.assert_array_equal(inverted, 255 - EIGHT)
    deep = read(tmp_path, dataset(TWELVE))
    deep_inverted = read(tmp_path, dataset(TWELVE, PhotometricInterpretation="MONOCHROME1"))
    np.testing.assert_allclose(deep_inverted, 255 - deep, atol=1e-3)


@pytest.mark.parametrize("slope", [1, 2.5, -1])
def test_rescale_and_window_follow_the_standard(slope, tmp_path):
    signed = (TWELVE.astype(np.int32) - 2048).astype(np.int16)
    center, width = 40.0, 400.0
    found = read(
        tmp_path,
        dataset(signed, RescaleSlope=slope, RescaleIntercept=-24, WindowCenter=center, WindowWidth=width),
    )
    values = signed * float(slope) - 24
    expected = np.clip((values - (center - 0.5)) / (width - 1) + 0.5, 0, 1) * 255  # PS3.3 C.11.2.1.2
    np.testing.assert_allclose(found, expected, atol=1e-2)
    assert (found == 0).any() and (found == 255).any()


def test_a_lookup_table_is_applied_and_clamped(tmp_path):
    item = Dataset()
    item.LUTDescriptor, item.LUTData = [256, 1000, 8], list(range(255, -1, -1))
    item["LUTDescriptor"].VR, item["LUTData"].VR = "US", "US"
    found = read(tmp_path, dataset(TWELVE, VOILUTSequence=[item]))
    expected = 255 - np.clip(TWELVE.astype(int) - 1000, 0, 255)
    np.testing.assert_allclose(found, expected, atol=1e-3)


def test_colour_becomes_luma(tmp_path):
    colour = RANDOM.integers(0, 256, (16, 16, 3), dtype=np.uint8)
    source = dataset(colour, SamplesPerPixel=3, PhotometricInterpretation="RGB", PlanarConfiguration=0)
    expected = np.array(Image.fromarray(colour).convert("L"))
    np.testing.assert_array_equal(read(tmp_path, source), expected)


HEADERS = {
    "no PixelData": ({"PixelData": None}, "no pixel data"),
    "no Rows": ({"Rows": None}, "Rows is missing"),
    "many frames": ({"NumberOfFrames": 2**31 - 1}, "frames; one picture"),
    "negative frames": ({"NumberOfFrames": -1}, "-1 frames"),
    "65535²": ({"Rows": 65535, "Columns": 65535}, "too many pixels (4,294,836,225"),
    "BitsStored 0": ({"BitsStored": 0}, "damaged or unsupported"),
    "slope 0": ({"RescaleSlope": 0, "RescaleIntercept": 0}, "rescale slope is 0"),
    "window width 0": ({"WindowCenter": 10, "WindowWidth": 0}, "Window Width"),
    "too small": ({"Rows": 2, "PixelData": TWELVE[:2].tobytes()}, "too small (72×2"),
    "short pixels": ({"PixelData": TWELVE[:7].tobytes()}, "truncated"),
}


@pytest.mark.parametrize("case", HEADERS)
def test_bad_headers_are_refused_with_a_reason(case, tmp_path):
    fields, reason = HEADERS[case]
    source = dataset(TWELVE)
    for word, value in fields.items():
        if value is None:
            delattr(source, word)
        else:
            setattr(source, word, value)
    assert reason in refused(tmp_path, source)


@pytest.mark.parametrize("syntax", [uid.ExplicitVRLittleEndian, uid.RLELossless, uid.JPEG2000Lossless])
def test_a_cut_dicom_is_refused_or_complete(syntax, tmp_path):
    data = written(dataset(TWELVE, syntax))
    whole = read(tmp_path, data)
    refusals = 0
    for length in range(100, len(data), len(data) // 40):
        try:
            np.testing.assert_array_equal(read(tmp_path, data[:length], "cut.dcm"), whole)
        except Unreadable as error:
            refusals += 1
            assert "\n" not in error.reason and len(error.reason) <= 160
    assert refusals >= 38


def test_garbage_after_the_mark_and_a_missing_mark(tmp_path):
    garbage = bytes(128) + b"DICM" + np.random.default_rng(1).bytes(4000)
    assert refused(tmp_path, garbage)
    unknown = written(dataset(TWELVE)).replace(b"1.2.840.10008.1.2.1\0", b"1.2.840.10008.1.9.9\0")
    assert "unsupported DICOM" in refused(tmp_path, unknown)
    assert "DICM is missing" in refused(tmp_path, bytes(128) + b"\xffabc", "a.dcm")


def test_a_jpeg_2000_stream_of_another_size_is_refused_before_decoding(tmp_path):
    data = written(dataset(TWELVE, uid.JPEG2000Lossless))
    place = data.index(b"\xff\x4f\xff\x51") + 8
    liar = data[:place] + struct.pack(">II", 60_000, 60_000) + data[place + 8 :]
    assert "another size than the header" in refused(tmp_path, liar)


def test_a_deflate_bomb_meets_the_memory_limit_and_the_next_file_is_read(tmp_path):
    source = dataset(EIGHT)
    source.file_meta.TransferSyntaxUID = uid.DeflatedExplicitVRLittleEndian
    data = written(source)
    start = data.index(b"DICM")
    meta = start + 16 + struct.unpack("<I", data[start + 12 : start + 16])[0]
    engine = zlib.compressobj(1, wbits=-15)
    bomb = data[:meta] + engine.compress(bytes(400_000_000)) + engine.flush()
    assert len(bomb) < 2**21
    limits = {"memory_bytes": 700 * 2**20}
    assert refused(tmp_path, bomb, **limits) in (
        "needs more memory than the limit",
        "the decoder died twice on this file",
    )
    np.testing.assert_array_equal(read(tmp_path, dataset(EIGHT), **limits), EIGHT)


def sabotaged(monkeypatch, count: Path, action: str):
    """Make workers do something bad when the bytes of a file ask for it."""
    code = f"""
import os, sys, time; sys.path[:] = {sys.path!r}
from whorl import dicom
real = dicom.READERS["DICOM"]
def reader(data, pixels):
    if b"SABOTAGE" in data:
        open({str(count)!r}, "a").write("x")
        {action}
    return real(data, pixels)
dicom.READERS = {{"DICOM": reader}}
dicom.serve(2**31)
"""
    isolation.close()
    monkeypatch.setattr(isolation, "_command", lambda memory: [sys.executable, "-c", code])


def test_a_killed_worker_costs_one_file_after_one_more_try(tmp_path, monkeypatch):
    count = tmp_path / "count.txt"
    sabotaged(monkeypatch, count, "os.kill(os.getpid(), 9)")
    for name, label in (("a", "fine"), ("b", "SABOTAGE"), ("c", "fine")):
        (tmp_path / f"{name}.dcm").write_bytes(written(dataset(EIGHT, StudyDescription=label)))
    found = load(tmp_path, name="set", workers=2)
    assert found.ids == ("a.dcm", "c.dcm")
    assert [(one.file, one.reason) for one in found.quarantined] == [
        ("b.dcm", "the decoder died twice on this file")
    ]
    assert count.read_text() == "xx"
    np.testing.assert_array_equal(found.pixels[1], EIGHT)


def test_a_hanging_worker_is_killed_in_time_and_replaced(tmp_path, monkeypatch):
    sabotaged(monkeypatch, tmp_path / "count", "time.sleep(60)")
    start = time.monotonic()
    hanging = dataset(EIGHT, StudyDescription="SABOTAGE")
    assert refused(tmp_path, hanging, seconds=0.5) == "took longer than 0.5 s to decode"
    np.testing.assert_array_equal(read(tmp_path, dataset(EIGHT)), EIGHT)
    assert time.monotonic() - start < 20
    isolation.close()


@pytest.mark.parametrize("answer", ["numpy.zeros((2, 9, 9), 'u1')", "numpy.zeros((9, 9), 'f8')", "None"])
def test_a_worker_that_answers_nonsense_is_refused(answer, tmp_path, monkeypatch):
    sabotaged(monkeypatch, tmp_path / "count", f"import numpy; return {answer}")
    assert refused(tmp_path, dataset(EIGHT, StudyDescription="SABOTAGE"))
    isolation.close()


def test_a_missing_package_names_the_extra(tmp_path, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert refused(tmp_path, dataset(EIGHT)) == "DICOM needs the extra: pip install 'whorl[dicom]'"
    assert "NIfTI needs the extra" in refused(tmp_path, b"x" * 400, "a.nii")


def nifti(values, kind=nibabel.Nifti1Image):
    return kind(values, np.eye(4)).to_bytes()


def test_nifti_slices_are_read_with_rows_second(tmp_path):
    values = RANDOM.normal(size=(12, 20)).astype(np.float32)
    low, high = values.min(), values.max()
    expected = ((values.astype(float) - low) / (float(high) - low) * 255).T
    for shaped in (values, values[:, :, None], values[:, None, :]):
        for kind in (nibabel.Nifti1Image, nibabel.Nifti2Image):
            np.testing.assert_allclose(read(tmp_path, nifti(shaped, kind), "a.nii"), expected, atol=1e-3)
    np.testing.assert_allclose(read(tmp_path, gzip.compress(nifti(values)), "a.nii.gz"), expected, atol=1e-3)
    np.testing.assert_array_equal(read(tmp_path, nifti(EIGHT), "b.nii"), EIGHT.T)


def test_bad_nifti_is_refused_with_a_reason(tmp_path):
    whole = nifti(TWELVE.astype(np.int16))
    negative = bytearray(whole)
    negative[42:44] = struct.pack("<h", -5)
    cases = (
        (nifti(np.zeros((9, 9, 5), np.int16)), "a volume of 9×9×5"),
        (nifti(np.full((9, 9), np.nan, np.float32)), "NaN or infinite"),
        (nifti(np.zeros((9, 9), np.complex64)), "complex or colour"),
        (whole[:-100], "truncated"),
        (whole[:200], "not NIfTI"),
        (b"x" * 1000, "not NIfTI"),
        (bytes(negative), "NIfTI"),
        (gzip.compress(whole)[:-30], "truncated"),
    )
    for data, reason in cases:
        name = "a.nii.gz" if data[:2] == b"\x1f\x8b" else "a.nii"
        assert reason in refused(tmp_path, data, name), reason


def test_a_gzip_bomb_is_not_unpacked(monkeypatch):
    monkeypatch.setattr(dicom, "_INFLATED_BYTES", 10_000)
    with pytest.raises(BadInput, match="unpacks to more than 10,000 bytes"):
        dicom.read_nifti(gzip.compress(bytes(20_000)), 10**6)


def test_the_reader_itself_agrees_with_the_isolated_one(tmp_path):
    data = written(dataset(TWELVE, WindowCenter=2000, WindowWidth=900))
    np.testing.assert_array_equal(dicom.read_dicom(data, 10**6), read(tmp_path, data))
