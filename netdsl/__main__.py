"""`python -m netdsl`: the command line."""

from __future__ import annotations

from netdsl.cli import main

main()
