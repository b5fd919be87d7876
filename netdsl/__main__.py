"""The process `netdsl`, or `python -m netdsl`: the command line, and how Ctrl-C ends it.

Hardly anything is loaded before Ctrl-C is taken care of here.
"""

from __future__ import annotations

import os
import signal
import sys
from typing import Any, NoReturn

INTERRUPTED = 130  # 128 + the number of the signal, as shells have it


def main() -> NoReturn:
    """Run the command line and exit with its code: 130 where Ctrl-C came, whatever was going on."""
    sys.unraisablehook = _unraisable
    try:
        try:
            from netdsl.cli import main as command_line

            command_line()
        except SystemExit as end:
            signal.signal(signal.SIGINT, signal.SIG_IGN)  # all is done and said
            if end.code == INTERRUPTED:
                # Python would end itself by the signal where it met it in an `exec`
                os._exit(INTERRUPTED)
            raise
    except KeyboardInterrupt:
        _stop()


def _unraisable(failed: Any) -> None:
    """Ctrl-C within a callback, from which no exception comes out, would be lost."""
    if issubclass(failed.exc_type, KeyboardInterrupt):
        _stop()
    sys.__unraisablehook__(failed)


def _stop() -> NoReturn:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.write(sys.stderr.fileno(), b"netdsl: stopped by Ctrl-C\n")
    os._exit(INTERRUPTED)


if __name__ == "__main__":
    main()
