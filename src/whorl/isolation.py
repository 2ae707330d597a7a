"""Worker processes with hard limits on memory and time, for formats too risky to decode in this one.

A few kilobytes of crafted DICOM can cost ten gigabytes, a minute or a crash. So the bytes go to a
worker over a pipe, and pixels or a short reason come back. A worker that dies is replaced; the file that
killed it gets one more try. Nothing is pickled: a line of JSON, then raw bytes, in both directions.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import math
import os
import re
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from typing import IO, Any

import numpy as np

from whorl.records import Array, BadInput

_START_SECONDS = 60.0
_DTYPES = ("|u1", "<f4")
_SHORT = re.compile("less than expected|truncated|Expected [0-9]+ bytes, got")
Reader = Callable[[bytes, int], Array]


def decode(data: bytes, kind: str, pixels: int, memory: int, seconds: float) -> Array:
    """Return the picture in the bytes of a DICOM or NIfTI file; raise `BadInput` with a short reason.

    The result is (height, width), uint8 or float32 on 0 to 255.
    """
    for _ in range(2):
        worker = _borrow(memory)
        try:
            picture = worker.ask(data, kind, pixels, seconds)
        except BadInput:
            _give_back(worker)
            raise
        except (OSError, EOFError, ValueError, KeyError, TypeError):  # gone, or talking nonsense
            worker.close()
            if worker.late:
                raise BadInput(f"took longer than {seconds:g} s to decode") from None
        except BaseException:
            worker.close()  # an interruption leaves it half way through a file
            raise
        else:
            _give_back(worker)
            return picture
    raise BadInput("the decoder died twice on this file")


def close() -> None:
    """End the workers that wait for files."""
    with _lock:
        idle, _idle[:] = list(_idle), []
    for worker in idle:
        worker.close()


class _Worker:
    """A process that decodes one file at a time."""

    def __init__(self, memory: int) -> None:
        self.memory = memory
        self.late = False
        self.process = subprocess.Popen(
            _command(memory),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"},
        )
        assert self.process.stdin is not None and self.process.stdout is not None
        self.entry: IO[bytes] = self.process.stdin
        self.output: IO[bytes] = self.process.stdout
        try:
            with self._limited(_START_SECONDS):
                if self.output.readline() != b"ready\n":
                    raise BadInput("the decoding process does not start")
        except BaseException:
            self.close()
            raise

    @contextlib.contextmanager
    def _limited(self, seconds: float) -> Iterator[None]:
        """Kill the process when the time is over; reading from it then ends at once."""
        timer = threading.Timer(seconds, self._expire)
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()

    def _expire(self) -> None:
        self.late = True
        self.process.kill()

    def ask(self, data: bytes, kind: str, pixels: int, seconds: float) -> Array:
        """Return the decoded picture; EOFError or OSError says that the process is gone."""
        self.late = False
        head = {"bytes": len(data), "kind": kind, "pixels": pixels, "seconds": seconds}
        with self._limited(seconds):
            self.entry.write(json.dumps(head).encode() + b"\n")
            self.entry.write(data)
            self.entry.flush()
            line = self.output.readline()
            if not line.endswith(b"\n"):
                raise EOFError
            reply = json.loads(line)
            if "reason" in reply:
                raise BadInput(reason_in(reply))
            content = self.output.read(reply["bytes"])
        if len(content) != reply["bytes"] or reply["dtype"] not in _DTYPES:
            raise EOFError
        return np.frombuffer(content, dtype=reply["dtype"]).reshape(reply["shape"])

    def close(self) -> None:
        """Kill the process and take its remains away."""
        self.process.kill()
        for pipe in (self.entry, self.output):
            with contextlib.suppress(OSError):
                pipe.close()
        self.process.wait()


_lock = threading.Lock()
_idle: list[_Worker] = []
atexit.register(close)


def reason_in(reply: dict[str, Any]) -> str:
    """Return a worker's reason as one printable line of bounded length."""
    text = str(reply["reason"]).partition("\n")[0]
    return "".join(letter for letter in text if letter.isprintable())[:160]


def _borrow(memory: int) -> _Worker:
    with _lock:
        for worker in _idle:
            if worker.memory == memory and worker.process.poll() is None:
                _idle.remove(worker)
                return worker
    return _Worker(memory)


def _give_back(worker: _Worker) -> None:
    with _lock:
        _idle.append(worker)


def _command(memory: int) -> list[str]:
    code = f"import sys; sys.path[:] = {sys.path!r}; from whorl import dicom; dicom.serve({memory})"
    return [sys.executable, "-c", code]


def serve(memory: int, warm: Callable[[], None], readers: Mapping[str, Reader]) -> None:
    """Answer requests on standard input until it ends: a worker's whole life."""
    import signal

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _bound_memory(memory)
    # A library that prints would break the protocol: it gets the null device for standard output.
    output = os.fdopen(os.dup(1), "wb")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    warnings.simplefilter("ignore")
    warm()
    output.write(b"ready\n")
    output.flush()
    while line := sys.stdin.buffer.readline():
        request = json.loads(line)
        data = sys.stdin.buffer.read(request["bytes"])
        _bound_time(request["seconds"])
        reply, content = _answer(readers[request["kind"]], data, request)
        output.write(json.dumps(reply).encode() + b"\n" + content)
        output.flush()


def _answer(read: Reader, data: bytes, request: dict[str, Any]) -> tuple[dict[str, Any], bytes]:
    kind = request["kind"]
    try:
        picture = read(data, request["pixels"])
        if picture.ndim != 2:
            raise BadInput(f"damaged {kind}: not one grey picture")
    except BadInput as error:
        return {"reason": str(error)}, b""
    except MemoryError:
        return {"reason": "needs more memory than the limit"}, b""
    except RecursionError:
        return {"reason": f"damaged {kind}: nested too deeply"}, b""
    except Exception as error:  # the libraries raise almost any class on damaged files
        text = " ".join(str(error).split())[:110]
        short = isinstance(error, EOFError) or _SHORT.search(text)
        return {"reason": "truncated" if short else f"damaged or unsupported {kind} ({text})"}, b""
    content = np.ascontiguousarray(picture).tobytes()
    return {"bytes": len(content), "dtype": picture.dtype.str, "shape": picture.shape}, content


def _bound_memory(memory: int) -> None:
    """Limit this process's memory and leave no core dump; systems without such limits go without."""
    with contextlib.suppress(ImportError, OSError, ValueError):
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_AS, (memory, memory))


def _bound_time(seconds: float) -> None:
    """Let the processor time end this process even when nobody is left to kill it."""
    with contextlib.suppress(ImportError, OSError, ValueError):
        import resource

        hard = resource.getrlimit(resource.RLIMIT_CPU)[1]
        resource.setrlimit(resource.RLIMIT_CPU, (math.ceil(time.process_time() + seconds) + 1, hard))
