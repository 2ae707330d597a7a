"""The commands about weights of networks: list what is known, fetch one by name."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from whorl.cli.listing import Json

app = App(name="weights", help="Weights of pretrained networks: listed, fetched by name, never unasked.")


@app.command(name="list")
def listed(*, json: Json = False) -> None:
    """List the networks that recipes can name, with their weights, licences and addresses.

    Example: whorl weights list
    """
    from whorl import listings

    listings.show(listings.weights(), json)


@app.command
def fetch(
    name: Annotated[str, Parameter(help="NETWORK, or NETWORK.TRAINING as `whorl weights list` shows it.")],
    *,
    out: Annotated[Path, Parameter(help="Folder for the file; give it to --weights.")] = Path("weights"),
    url: Annotated[str, Parameter(help="Another address of the same file.")] = "",
    sha256: Annotated[str, Parameter(help="Its SHA-256, where none is known.")] = "",
    revision: Annotated[str, Parameter(help="Commit of the model hub's repository.")] = "",
) -> None:
    """Fetch the weights of a network and check their SHA-256; the only command that uses the network.

    Example: whorl weights fetch resnet50 --out weights
    """
    from whorl import fetching
    from whorl.display import Display, plain, say

    with Display(False) as display:
        found = fetching.fetch(name, out, url=url, sha256=sha256, revision=revision, progress=display)
    say(plain(f"{found.path.resolve()}: {found.bytes:,} bytes, licence {found.licence}"))
    say(f"SHA-256 {found.sha256}")
    say(plain(f"use it with --weights {out}"))
