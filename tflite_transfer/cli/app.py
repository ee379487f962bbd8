"""Where both commands begin and end. Exit codes: 0 done, 1 the job failed, 2 usage, 130 interrupted.

All else is imported inside of the handler: Ctrl-C may come while that goes on.
"""

from __future__ import annotations

import io
import os
import sys
import warnings


def main() -> None:
    """``tflite-transfer``."""
    _run("app", "tflite-transfer")


def main_convert() -> None:
    """``tflite-transfer-convert``."""
    _run("convert_app", "tflite-transfer-convert")


def _run(application: str, name: str) -> None:
    try:
        if sys.stdout is None:  # it was closed
            sys.stdout = open(os.devnull, "w")  # noqa: SIM115, PTH123
        if isinstance(sys.stdout, io.TextIOWrapper):  # names that the terminal's encoding lacks are shown escaped
            sys.stdout.reconfigure(errors="backslashreplace")
        warnings.formatwarning = _one_line
        from tflite_transfer.cli import commands

        code = commands.run_command(getattr(commands, application), name)
    except KeyboardInterrupt:
        print("interrupted; nothing saved", file=sys.stderr)
        code = 130
    sys.exit(_flushed(code))


def _one_line(message: object, *_: object, **__: object) -> str:
    """A warning without the place in the source that it came from."""
    return f"warning: {message}\n"


def _flushed(code: int) -> int:
    """The exit code, with nothing left to write: the interpreter would complain if that failed when it leaves."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return code or 1
    return code
