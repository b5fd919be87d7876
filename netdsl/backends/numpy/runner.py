"""Runs a graph on arrays: checks what is fed, compiles once for each set of sizes, keeps the
variables."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from netdsl.backends.numpy.feed import refuse_outside, sizes_of
from netdsl.backends.numpy.limits import SMALLER, check_memory
from netdsl.backends.numpy.lower import compile_program
from netdsl.backends.numpy.program import BoundProgram, Program, aligned
from netdsl.backends.numpy.workers import available_lanes, single_threaded_blas
from netdsl.diagnostics import Refused
from netdsl.diagnostics.feeding import ElementsRefused, SizesDoNotFit
from netdsl.ir.graph import Graph
from netdsl.ir.op import ElementError, ShapeError
from netdsl.ir.tensor import TensorType
from netdsl.rewrite.specialize import specialize

Arrays = dict[str, np.ndarray]
MOST_SIZES = 64  # sets of sizes whose programs are kept


@dataclass(frozen=True)
class Results:
    """What a run gave, by name. The arrays belong to the caller."""

    outputs: Arrays
    losses: Arrays
    metrics: Arrays
    gradients: Arrays


class Runner:
    """A graph with its variables. Free dimensions take their sizes from the arrays fed.

    The arrays of `variables` are kept by reference and updated in place; one that is not
    C-contiguous or of another dtype than declared is replaced by a copy, so read `variables` of
    the runner. It works on `lanes` threads, as many as BLAS has been given when None, and is
    itself for one thread at a time. Raises KeyError for a variable that is missing, ValueError
    for one of another shape.
    """

    def __init__(
        self, graph: Graph, variables: Mapping[str, np.ndarray], lanes: int | None = None
    ):
        self.graph = graph
        self.lanes = available_lanes() if lanes is None else lanes
        self.variables: Arrays = {
            name: _fitting(name, variable.type, variables[name])
            for name, variable in graph.variables.items()
        }
        self._sizes: dict[tuple, dict[str, int]] = {}  # by the types of what was fed
        self._programs: dict[tuple, Program] = {}
        self._bound: dict[tuple, BoundProgram] = {}
        self._arena = aligned(0)  # one for all sizes: they never run at once

    def run(
        self, inputs: Mapping[str, np.ndarray], key: tuple[int, int] | None = None
    ) -> Results:
        """One pass over the graph, then the updates of its variables.

        `key` is (seed, step), needed when the graph draws random numbers. Raises Refused for
        inputs that do not fit the declared ones and for elements that an operation has no meaning
        for, ValueError without a needed key.
        """
        fed = {name: np.asarray(array) for name, array in inputs.items()}
        sizes = self._sizes_of(fed)
        if self.graph.key is not None and key is None:
            raise ValueError("this graph draws random numbers: run it with key=(seed, step)")
        return run_bound(self._program(sizes), fed, key)

    def _sizes_of(self, fed: Arrays) -> Mapping[str, int]:
        """The sizes of free dimensions. Where arrays of the same types have been fed before,
        only ranges are left to check."""
        types = tuple((name, array.dtype, array.shape) for name, array in fed.items())
        if types in self._sizes:
            refuse_outside(self.graph, fed)
            return self._sizes[types]
        sizes = sizes_of(self.graph, fed)
        _remember(self._sizes, types, sizes)
        return sizes

    def program(self, sizes: Mapping[str, int]) -> Program:
        """The program for these sizes of the free dimensions, compiled when first asked for.

        Raises Refused where the graph cannot have these sizes.
        """
        wanted = tuple(sorted(sizes.items()))
        if wanted not in self._programs:
            try:
                graph = specialize(self.graph, sizes) if sizes else self.graph
            except ShapeError as error:
                raise Refused(SizesDoNotFit(wanted, error.message)) from None
            except ZeroDivisionError:
                raise Refused(SizesDoNotFit(wanted, "a size is divided by 0")) from None
            _remember(self._programs, wanted, compile_program(graph, self.lanes))
        return self._programs[wanted]

    def _program(self, sizes: Mapping[str, int]) -> BoundProgram:
        wanted = tuple(sorted(sizes.items()))
        if wanted not in self._bound:
            program = self.program(sizes)
            if program.arena_bytes > self._arena.nbytes:
                held = sum(array.nbytes for array in self.variables.values())
                check_memory("what a pass computes", held + program.peak_bytes, SMALLER)
                self._bound.clear()  # they lie in the arena that is given up here
                self._arena = aligned(program.arena_bytes)
            _remember(self._bound, wanted, BoundProgram(program, self.variables, self._arena))
        return self._bound[wanted]


def _remember(kept: dict, key: tuple, value: object) -> None:
    """Keep `value`, and let go of the oldest when there are many."""
    if len(kept) >= MOST_SIZES:
        del kept[next(iter(kept))]
    kept[key] = value


def _fitting(name: str, type: TensorType, array: np.ndarray) -> np.ndarray:
    if array.shape != type.shape:
        raise ValueError(f"variable {name} has shape {array.shape}, declared {type}")
    fits = array.dtype == type.numpy_dtype and array.flags.c_contiguous and array.flags.writeable
    return array if fits else np.array(array, type.numpy_dtype, order="C")


def run_bound(
    bound: BoundProgram, fed: Mapping[str, np.ndarray], key: tuple[int, int] | None = None
) -> Results:
    """Inputs into place, the steps, results out, variables moved on. `fed` fits and may hold more
    than the inputs. Raises Refused for elements that an operation has no meaning for."""
    try:
        return _run(bound, fed, key)
    except ElementError as error:
        raise Refused(ElementsRefused(str(error))) from None


def _run(
    bound: BoundProgram, fed: Mapping[str, np.ndarray], key: tuple[int, int] | None
) -> Results:
    # a NaN is an answer, not a warning
    with np.errstate(all="ignore"), single_threaded_blas():
        for name, array in bound.inputs.items():
            np.copyto(array, fed[name], casting="same_kind")
        if bound.key is not None:
            bound.key[:] = key
        for step in bound.steps:
            step()
        results = {
            role: {name: array.copy() for name, array in arrays.items()}
            for role, arrays in bound.results.items()
        }
        for commit in bound.commits:
            commit()
    return Results(**results)
