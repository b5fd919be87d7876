"""The engine: a graph becomes a flat list of NumPy calls over planned memory."""

from __future__ import annotations

from netdsl.backends.numpy.lower import compile_program
from netdsl.backends.numpy.program import Program
from netdsl.backends.numpy.runner import Results, Runner

__all__ = ["Program", "Results", "Runner", "compile_program"]
