"""The command line: parses, calls, prints. Heavy parts are imported by the command that needs them."""

from __future__ import annotations

import contextlib
import io
import os
import sys
from collections.abc import Sequence

from cyclopts import App, CycloptsError, MissingArgumentError

from whorl import __version__
from whorl.cli import (
    benching,
    challenge,
    checking,
    identifying,
    listing,
    making,
    options,
    organising,
    questions,
    scrubbing,
    weights,
)
from whorl.records import BadInput

FINE, BAD_INPUT, STOPPED, INTERRUPTED = 0, 2, 3, 130
HELP = """Whose pictures does this generator remember, and which generator made this picture?

Begin with `whorl demo`. Every command has --help with an example. Nothing is sent anywhere.
"""

app = App(name="whorl", version=__version__, help=HELP, suppress_keyboard_interrupt=False)
forge = App(name="forge", help="Make editions with known answers.")
app.command(making.demo)
app.command(questions.audit)
app.command(scrubbing.scrub)
app.command(questions.attribute)
app.command(questions.run)
app.command(identifying.enroll)
app.command(identifying.identify)
app.command(listing.recipes)
app.command(listing.steps)
app.command(listing.doctor)
forge.command(making.phantom)
forge.command(organising.edition)
forge.command(organising.editions)
app.command(forge)
challenge.app.command(checking.integrity)
challenge.app.command(checking.stress)
challenge.app.command(checking.inspect)
app.command(benching.bench)
app.command(challenge.app)
app.command(weights.app)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; every expected trouble is one line on standard error."""
    sys.stdout, sys.stderr = (stream or io.StringIO() for stream in (sys.stdout, sys.stderr))  # closed ones
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    options.given[:] = sys.argv[1:] if arguments is None else arguments
    try:
        done = app(arguments, exit_on_error=False, print_error=False, result_action="return_value")
        sys.stdout.flush()
    except BadInput as error:
        return _complain(str(error), STOPPED if type(error).__name__ == "Stopped" else BAD_INPUT)
    except MissingArgumentError as error:
        named = error.argument.name if error.argument else "an argument"
        return _complain(f"{' '.join(error.command_chain or ())} needs {named} (--help shows how)", BAD_INPUT)
    except CycloptsError as error:
        return _complain(f"{error} (--help shows how)", BAD_INPUT)
    except KeyboardInterrupt:
        return _complain("interrupted; the same command goes on where it was", INTERRUPTED)
    except BrokenPipeError:
        _stop_printing()
    except OSError as error:
        _stop_printing()
        return _complain(f"{error.filename or 'the system'}: {error.strerror or error}", BAD_INPUT)
    else:
        return done if isinstance(done, int) else FINE
    return FINE


def _complain(message: str, code: int) -> int:
    shown = "".join(sign if sign.isprintable() else ascii(sign)[1:-1] for sign in " ".join(message.split()))
    sys.stderr.write(f"whorl: {shown}\n")
    return code


def _stop_printing() -> None:
    """Point standard output at nothing, so that leaving does not try to print what could not be printed."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
