"""Weights: what is known of them, fetched by name and checked, found by name; no PyTorch needed."""

from __future__ import annotations

import functools
import hashlib
import threading
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from whorl import fetching
from whorl.cli import main
from whorl.networks import descriptions, embedders, weightfiles
from whorl.networks.descriptions import find, owner_of, table
from whorl.networks.embedding import Networks
from whorl.records import BadInput

CONTENT = b"tensors" * 400_000
SUM = hashlib.sha256(CONTENT).hexdigest()
SHARED = Path("/work/shared/weights")


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    folder = tmp_path / "served"
    folder.mkdir()
    (folder / "model.safetensors").write_bytes(CONTENT)
    handler = functools.partial(Quiet, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{running.server_port}"
        running.shutdown()


def test_descriptions_say_where_weights_come_from() -> None:
    for name, network in table().items():
        assert network.library == "callable" or network.usual in network.weights, name
        assert network.library == "callable" or network.features > 0, name
        for weights in network.weights.values():
            assert weights.licence and weights.source
            assert weights.url.startswith("https://") or weights.hub or weights.sha256, name
            if weights.url:
                assert weights.sha256_starts and weights.sha256_starts in weights.url.rpartition("/")[2]
    assert find("squeezenet1_0").weights["songhan_in1k_compressed"].spread == (1.0, 1.0, 1.0)


def test_a_mistyped_network_is_answered_with_the_nearest() -> None:
    with pytest.raises(BadInput, match=r"no network is called 'resnet5'; did you mean 'resnet50'"):
        find("resnet5")


def test_a_file_is_known_again_by_its_sum() -> None:
    known = table()["mobilenetv2_100"].weights["coral_in1k_quant"]
    assert owner_of(known.sha256) == ("mobilenetv2_100", "coral_in1k_quant")
    assert owner_of("f37072fd" + "0" * 56) == ("resnet18", "tv_in1k")
    assert owner_of("0" * 64) is None
    folder = SHARED if SHARED.is_dir() else None
    for name in ("mobilenetv2_100", "squeezenet1_0") if folder else ():
        digest = weightfiles.digest_of_files(weightfiles.files_of(name, SHARED))
        assert owner_of(digest) == (name, next(label for label in table()[name].weights if "in1k_" in label))


def test_a_fetched_file_is_there_whole_and_its_sum_is_told(server: str, tmp_path: Path) -> None:
    seen: list[tuple[str, int, int]] = []
    found = fetching.fetch(
        "inception_v3.tf_in1k",
        tmp_path / "weights",
        url=f"{server}/model.safetensors",
        sha256=SUM,
        progress=lambda *told: seen.append(told),
    )
    assert found.path == tmp_path / "weights" / "inception_v3.tf_in1k.safetensors"
    assert found.path.read_bytes() == CONTENT
    assert (found.sha256, found.bytes, found.licence) == (SUM, len(CONTENT), "Apache-2.0")
    assert seen[-1] == ("fetching inception_v3.tf_in1k", len(CONTENT), len(CONTENT))
    assert weightfiles.files_of("inception_v3", tmp_path / "weights") == (found.path,)


def test_another_sum_leaves_nothing_behind(server: str, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=rf"its SHA-256 is {SUM}, not 0000.*it was not kept"):
        address = f"{server}/model.safetensors"
        fetching.fetch("inception_v3.tf_in1k", tmp_path / "w", url=address, sha256="0" * 64)
    assert not list((tmp_path / "w").iterdir())


def test_published_digits_of_a_sum_are_held_against_the_file(tmp_path: Path) -> None:
    (tmp_path / "any.pth").write_bytes(CONTENT)
    with pytest.raises(BadInput, match=r"not f37072fd\.\.\.: it was not kept"):
        fetching.fetch("resnet18", tmp_path / "w", url=(tmp_path / "any.pth").as_uri())
    with pytest.raises(BadInput, match="known to begin with f37072fd"):
        fetching.fetch("resnet18", tmp_path / "w", sha256=SUM)


@pytest.mark.parametrize(
    ("name", "how", "said"),
    [
        ("vit_base_patch16_224.mae", {}, r"choose a commit of it and give --revision COMMIT --sha256 SUM"),
        ("vit_base_patch16_224.mae", {"revision": "abc"}, r"no SHA-256 .* is known: give --sha256"),
        ("mobilenetv2_100.coral_in1k_quant", {}, r"has no address .*: give --url, or --weights FILE"),
        ("resnet18", {"url": "ftp://here/file"}, r"give an address that begins with https://"),
        ("resnet18", {"url": "http://localhost/file.pth"}, r"anybody on the way can change it"),
        ("resnet18", {"sha256": "12"}, r"give all 64 hexadecimal digits"),
        ("resnet18.nothing", {}, r"no weights are called .*; of 'resnet18' there are resnet18\.tv_in1k"),
        ("painters", {}, r"there are none: it is no file"),
        ("resnet18", {"url": "file:///nowhere/file.pth"}, r"cannot be reached"),
    ],
)
def test_what_cannot_be_fetched_is_said_in_one_line(name: str, how: dict, said: str, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=said) as caught:
        fetching.fetch(name, tmp_path, **how)
    assert "\n" not in str(caught.value) and not list(tmp_path.iterdir())


def test_a_missing_page_is_told(server: str, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="the server says 404"):
        fetching.fetch("resnet18", tmp_path, url=f"{server}/none.pth", sha256="f37072fd" + "0" * 56)


def test_the_commands_list_and_fetch(server: str, tmp_path: Path, capsys) -> None:
    assert main(["weights", "list"]) == 0
    listed = capsys.readouterr().out
    assert "resnet50.tv_in1k" in listed and "CC-BY-NC-4.0" in listed and "--embedder" in listed
    address = f"{server}/model.safetensors"
    words = ["weights", "fetch", "inception_v3.tf_in1k", "--url", address, "--sha256", SUM]
    assert main([*words, "--out", str(tmp_path / "w")]) == 0
    assert f"SHA-256 {SUM}" in capsys.readouterr().out
    assert main(["weights", "fetch", "inception_v3.tf_in1k"]) == 2
    assert capsys.readouterr().err.startswith("whorl: 'inception_v3.tf_in1k' lies at https://")


def test_files_are_found_by_the_network_s_name(tmp_path: Path) -> None:
    for name in ("resnet50.tv_in1k.safetensors", "resnet500.safetensors", "notes.txt"):
        (tmp_path / name).write_bytes(b"")
    assert [file.name for file in weightfiles.files_of("resnet50", tmp_path)] == [
        "resnet50.tv_in1k.safetensors"
    ]
    (tmp_path / "resnet50.a1_in1k.pth").write_bytes(b"")
    with pytest.raises(
        BadInput, match=r"several files for 'resnet50': resnet50\.a1_in1k\.pth, .*--weights FILE"
    ):
        weightfiles.files_of("resnet50", tmp_path)
    (tmp_path / "resnet50.pth").write_bytes(b"")
    assert weightfiles.files_of("resnet50", tmp_path)[0].name == "resnet50.pth"
    (tmp_path / "blip2").mkdir()
    (tmp_path / "blip2" / "part-1.safetensors").write_bytes(b"")
    assert [file.name for file in weightfiles.files_of("blip2", tmp_path)] == ["part-1.safetensors"]
    with pytest.raises(BadInput, match="no such file or folder of weights"):
        weightfiles.files_of("resnet50", tmp_path / "nowhere")


def test_a_function_takes_the_place_of_a_network(tmp_path: Path, monkeypatch) -> None:
    import numpy as np

    (tmp_path / "my_embedding.py").write_text(
        "def means(pictures):\n    return pictures.mean(axis=2)\n"
        "def wrong(pictures):\n    return pictures\n"
        "def endless(pictures):\n    return pictures.mean(axis=2) / 0.0\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    pictures = np.arange(2 * 4 * 6, dtype=np.uint8).reshape(2, 4, 6)
    networks = Networks(embedders=(embedders.read("painters=my_embedding:means"),))
    rows = networks.embed(pictures, "painters")
    np.testing.assert_allclose(rows, pictures.mean(axis=2))
    first = networks.identity("painters")
    assert not Networks(random=True, embedders=networks.embedders).untrained("painters")
    (tmp_path / "my_embedding.py").write_text("def means(pictures):\n    return 2 * pictures.mean(axis=2)\n")
    assert networks.identity("painters") != first, "another source is another network"
    for place, said in (
        ("my_embedding:wrong", "return one row"),
        ("my_embedding:none", "no function 'none'"),
    ):
        with pytest.raises(BadInput, match=said):
            embedders.embed(place, pictures)
    with np.errstate(divide="ignore", invalid="ignore"), pytest.raises(BadInput, match="not finite"):
        embedders.embed("my_embedding:endless", pictures)
    with pytest.raises(BadInput, match="put its folder into PYTHONPATH"):
        Networks(embedders=(("painters", "no_such_module:means"),)).identity("painters")
    with pytest.raises(BadInput, match="write NETWORK=MODULE:FUNCTION"):
        embedders.read("painters=means")


def test_descriptions_refuse_unknown_keys() -> None:
    with pytest.raises(ValueError, match="Extra inputs"):
        descriptions.Network.model_validate({"title": "a", "library": "timm", "reference": "b", "depth": 3})
