#!/usr/bin/env python3
"""Passes the tests: makes the environment if there is none, then runs pytest in it.

    python3 tools/test.py                 the fast suite
    python3 tools/test.py -m slow         the slow checks
    python3 tools/test.py tests/build     any arguments go to pytest
"""

from __future__ import annotations

import subprocess
import sys

from environment import PROJECT, ensure_environment


def main() -> int:
    python = ensure_environment("test")
    return subprocess.call([python, "-m", "pytest", "-q", *sys.argv[1:]], cwd=PROJECT)


if __name__ == "__main__":
    sys.exit(main())
