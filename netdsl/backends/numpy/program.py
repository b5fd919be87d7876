"""A lowered program: a flat list of calls on views, the plan of their memory, and its binding to
memory. The program itself is data, so that what runs is what can be printed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import chain
from typing import Any, TypeAlias

import numpy as np

from netdsl.backends.numpy.view import Buffer, View
from netdsl.backends.numpy.workers import together

ALIGNMENT = 64  # bytes: a cache line, and the widest vector


@dataclass(frozen=True, slots=True)
class Call:
    """`function(*arguments, **keywords)`; views among them stand for arrays. Arrays given by
    position are only read, those given by keyword may be written. `path` is the layer and `op`
    the operation that asked for it."""

    function: Callable[..., Any]
    arguments: tuple[Any, ...]
    keywords: Mapping[str, Any]
    path: str = ""
    op: str = ""

    def reads(self) -> Iterator[View]:
        return views_among(self.arguments)

    def writes(self) -> Iterator[View]:
        return views_among(self.keywords.values())

    def views(self) -> Iterator[View]:
        yield from self.reads()
        yield from self.writes()


def views_among(arguments: Iterable[Any]) -> Iterator[View]:
    for argument in arguments:
        if isinstance(argument, View):
            yield argument
        elif isinstance(argument, tuple):
            yield from views_among(argument)


@dataclass(frozen=True, slots=True)
class Together:
    """Lists of calls that run at the same time, each in order."""

    lanes: tuple[tuple[Call, ...], ...]

    def views(self) -> Iterator[View]:
        for lane in self.lanes:
            for call in lane:
                yield from call.views()


Step: TypeAlias = Call | Together


@dataclass(frozen=True, eq=False)
class Program:
    """One graph for one set of sizes, planned.

    A run copies the inputs into place, makes the steps in order, copies the results out and then
    makes the `commits`, which move the variables on. `offsets` are bytes into the arena;
    `constants` hold what a constant buffer is filled with.
    """

    steps: tuple[Step, ...]
    commits: tuple[Call, ...]
    inputs: dict[str, View]
    key: View | None
    variables: dict[str, View]
    results: dict[str, dict[str, View]]  # role, then name
    offsets: dict[Buffer, int]
    constants: dict[Buffer, np.ndarray | float]
    arena_bytes: int

    @property
    def calls(self) -> Iterator[Call]:
        """All calls; those of a section lane by lane."""
        for step in self.steps:
            yield from (step,) if isinstance(step, Call) else chain(*step.lanes)

    @property
    def peak_bytes(self) -> int:
        """Memory that a run needs beyond the variables: the arena and the constants."""
        return self.arena_bytes + sum(buffer.nbytes for buffer in self.constants)


class BoundProgram:
    """A program over real memory. `arena` is an aligned byte array of at least `arena_bytes`."""

    def __init__(
        self, program: Program, variables: Mapping[str, np.ndarray], arena: np.ndarray
    ):
        self.program = program
        memory: dict[Buffer, np.ndarray] = {
            view.buffer: variables[name].reshape(-1) for name, view in program.variables.items()
        }
        for buffer, start in program.offsets.items():
            memory[buffer] = arena[start : start + buffer.nbytes].view(buffer.dtype)
        for buffer, content in program.constants.items():
            memory[buffer] = aligned(buffer.nbytes).view(buffer.dtype)
            memory[buffer][:] = content
        arrays: dict[View, np.ndarray] = {}

        def array(view: View) -> np.ndarray:
            if view not in arrays:
                arrays[view] = over(memory[view.buffer], view)
            return arrays[view]

        def bound(argument: Any) -> Any:
            if isinstance(argument, View):
                return array(argument)
            if isinstance(argument, tuple):
                return tuple(map(bound, argument))
            return argument

        def ready(step: Step) -> Callable[[], Any]:
            if isinstance(step, Together):
                return partial(together, *([ready(call) for call in lane] for lane in step.lanes))
            keywords = {name: bound(value) for name, value in step.keywords.items()}
            return partial(step.function, *map(bound, step.arguments), **keywords)

        self.steps = [ready(step) for step in program.steps]
        self.commits = [ready(call) for call in program.commits]
        self.inputs = {name: array(view) for name, view in program.inputs.items()}
        self.key = None if program.key is None else array(program.key)
        self.results = {
            role: {name: array(view) for name, view in views.items()}
            for role, views in program.results.items()
        }


def aligned(nbytes: int) -> np.ndarray:
    """Bytes of memory that begin at a multiple of `ALIGNMENT`."""
    raw = np.empty(nbytes + ALIGNMENT, np.uint8)
    start = -raw.ctypes.data % ALIGNMENT
    return raw[start : start + nbytes]


def over(flat: np.ndarray, view: View) -> np.ndarray:
    """The array that a view is, over its buffer's elements."""
    if not view.size:
        return np.empty(view.shape, view.dtype)
    item = view.dtype.itemsize
    return np.ndarray(
        view.shape, view.dtype, flat, view.offset * item, tuple(s * item for s in view.strides)
    )
