"""Weights of networks fetched by name: the only place of whorl that reaches out, and only when asked to.

A file is taken from its maker's address, held against the SHA-256 that is known of it, and is there whole
or not at all. Where no sum is known, the caller must give it: nothing is believed because of where it
comes from.
"""

from __future__ import annotations

import hashlib
import http.client
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from whorl.compare import Progress, silent
from whorl.networks import descriptions
from whorl.networks.descriptions import Weights
from whorl.networks.weightfiles import SUFFIXES
from whorl.records import BadInput
from whorl.store import whole

HUB = "https://huggingface.co"
SCHEMES = ("https", "http", "file")
PIECE = 2**20
MOST_BYTES = 8 * 2**30


@dataclass(frozen=True)
class Fetched:
    """A weight file that has arrived, with its whole SHA-256."""

    name: str
    path: Path
    sha256: str
    bytes: int
    licence: str


def fetch(
    name: str,
    folder: Path,
    *,
    url: str = "",
    sha256: str = "",
    revision: str = "",
    progress: Progress = silent,
) -> Fetched:
    """Fetch the weights NETWORK or NETWORK.TRAINING into a folder and check them.

    `url` is another address of the same file (also file://), `sha256` its sum where none is known, `revision`
    the commit of a model hub's repository.
    """
    network, label, weights = chosen(name)
    address = url or _address(name, weights, revision)
    wanted = _sum(name, weights, sha256)
    _check_scheme(address, wanted)
    path = folder / f"{network}.{label}{_suffix(address)}"
    with whole(path) as partial:
        digest, size = _copied(address, partial, name, progress)
        if not digest.startswith(wanted):
            said = wanted if len(wanted) == 64 else f"{wanted}..."
            raise BadInput(f"{address}: its SHA-256 is {digest}, not {said}: it was not kept")
    return Fetched(f"{network}.{label}", path, digest, size, weights.licence)


def chosen(name: str) -> tuple[str, str, Weights]:
    """Return the network, the training and what is known of the weights that a name stands for."""
    known = descriptions.table()
    fitting = [network for network in known if name == network or name.startswith(f"{network}.")]
    network = max(fitting, key=len, default=name)
    found = descriptions.find(network)
    label = name.removeprefix(network).removeprefix(".") or found.usual
    if label not in found.weights:
        known_ones = ", ".join(f"{network}.{one}" for one in found.weights) or "none: it is no file"
        raise BadInput(f"no weights are called '{name}'; of '{network}' there are {known_ones}")
    return network, label, found.weights[label]


def _address(name: str, weights: Weights, revision: str) -> str:
    if weights.url:
        return weights.url
    pinned = revision or weights.revision
    if weights.hub and pinned:
        return f"{HUB}/{weights.hub}/resolve/{urllib.parse.quote(pinned, safe='')}/model.safetensors"
    if weights.hub:
        raise BadInput(
            f"'{name}' lies at {HUB}/{weights.hub}: choose a commit of it and give "
            "--revision COMMIT --sha256 SUM, both of which its page shows"
        )
    raise BadInput(
        f"'{name}' has no address ({weights.source}): give --url, or --weights FILE where it is used"
    )


def _sum(name: str, weights: Weights, given: str) -> str:
    """The SHA-256 to hold the file against, or its published first digits."""
    stated = given.strip().lower()
    if stated and (len(stated) != 64 or set(stated) - set("0123456789abcdef")):
        raise BadInput("--sha256: give all 64 hexadecimal digits")
    known = weights.sha256 or weights.sha256_starts
    if stated and known and not stated.startswith(known):
        raise BadInput(f"--sha256: '{name}' is known to begin with {known[:16]}")
    if not (stated or known):
        raise BadInput(f"no SHA-256 of '{name}' is known: give --sha256, from the page of its maker")
    return stated or known


def _check_scheme(address: str, wanted: str) -> None:
    scheme = urllib.parse.urlsplit(address).scheme
    if scheme not in SCHEMES:
        raise BadInput(f"{address}: give an address that begins with https://, http:// or file://")
    if scheme == "http" and len(wanted) != 64:
        raise BadInput(f"{address}: anybody on the way can change it; give https://, or the whole --sha256")


def _suffix(address: str) -> str:
    path = urllib.parse.urlsplit(address).path
    return next((end for end in SUFFIXES if path.endswith(end)), ".safetensors")


def _copied(address: str, place: Path, name: str, progress: Progress) -> tuple[str, int]:
    """Write what an address gives to a file; its SHA-256 and size."""
    digest, size = hashlib.sha256(), 0
    try:
        # The scheme was checked; the host is the maker's or the caller's own choice.
        with urllib.request.urlopen(address, timeout=60) as answer, place.open("wb") as file:
            total = int(answer.headers.get("Content-Length") or 0)
            for piece in _pieces(answer):
                digest.update(piece)
                size += file.write(piece)
                if size > MOST_BYTES:
                    raise BadInput(f"{address}: more than {MOST_BYTES // 2**30} GiB; it was not kept")
                progress(f"fetching {name}", size, max(total, size))
    except urllib.error.HTTPError as error:
        raise BadInput(f"{address}: the server says {error.code} {error.reason}") from None
    except (urllib.error.URLError, http.client.HTTPException, TimeoutError) as error:
        raise BadInput(f"{address}: cannot be reached ({getattr(error, 'reason', error)})") from None
    if total and size != total:
        raise BadInput(f"{address}: {size:,} of {total:,} bytes came; try again")
    return digest.hexdigest(), size


def _pieces(answer: IO[bytes]) -> Iterator[bytes]:
    while piece := answer.read(PIECE):
        yield piece
