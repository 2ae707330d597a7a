"""The command line: parses, calls, prints. Heavy parts are imported by the command that needs them."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from cyclopts import App, CycloptsError

from whorl import __version__
from whorl.cli import listing, making, questions
from whorl.records import BadInput

FINE, BAD_INPUT, STOPPED, INTERRUPTED = 0, 2, 3, 130
HELP = """Whose pictures does this generator remember, and which generator made this picture?

Begin with `whorl demo`. Every command has --help with an example. Nothing is sent anywhere.
"""

app = App(name="whorl", version=__version__, help=HELP)
forge = App(name="forge", help="Make editions with known answers.")
app.command(making.demo)
app.command(questions.audit)
app.command(questions.attribute)
app.command(questions.run)
app.command(listing.recipes)
app.command(listing.steps)
app.command(listing.doctor)
forge.command(making.phantom)
app.command(forge)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; every expected trouble is one line on standard error."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    try:
        app(arguments, exit_on_error=False, print_error=False, result_action="return_value")
    except BadInput as error:
        return _complain(str(error), STOPPED if type(error).__name__ == "Stopped" else BAD_INPUT)
    except CycloptsError as error:
        return _complain(f"{error} (--help shows how)", BAD_INPUT)
    except KeyboardInterrupt:
        return _complain("interrupted; the same command goes on where it was", INTERRUPTED)
    except BrokenPipeError:
        sys.stderr.close()
    return FINE


def _complain(message: str, code: int) -> int:
    line = " ".join(message.replace("\r", "␍").split("\n")).strip()
    sys.stderr.write(f"whorl: {' '.join(line.split())}\n")
    return code
