"""The settings of a train program: a row for each word, whose one field is what follows it.

    batch 256  epochs 90  clip 1.0  stop early(val.top1, patience = 10)

To add one, write a frozen dataclass after `Entry` and enter it into `SETTINGS`. `form` is how it is
written; `misfits` tells what of it does not fit the model and the rest of the program.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from typing import Annotated, ClassVar, get_type_hints

from netdsl.data.source import Source
from netdsl.data.sources import SOURCES
from netdsl.diagnostics import Problem, Refused, Report
from netdsl.diagnostics.program import (
    BatchNotDivisible,
    MatchesNothing,
    UnknownRun,
    UnknownSetting,
    UnknownState,
    WrongSetting,
)
from netdsl.ir.graph import Graph
from netdsl.ir.program import Reference, TrainProgram
from netdsl.layers.arguments import BadArgument, Kind
from netdsl.registry import (
    MOST_PROBLEMS,
    Count,
    Paths,
    Positive,
    Table,
    Text,
    argument,
    instance,
    kind_of,
    list_of,
    misnamed,
    row_of,
    show,
    word_among,
)
from netdsl.rewrite.rebuild import prefixes
from netdsl.training.judge import Better, Figure, misfits
from netdsl.training.optimizers import Sgd

STATEMENTS = ("feed", "minimize", "step", "freeze", "let")  # the entries with a form of their own


Run = Annotated[
    Reference, Kind("the name of a train program, without quotes", instance(Reference))
]


class Fitting:
    """What can be wrong with a row besides its arguments; `pending`: checked, not yet executed."""

    pending: ClassVar[bool] = False

    def misfits(self, graph: Graph, program: TrainProgram) -> Iterator[Problem]:
        """What does not fit the model (the whole one) or the rest of the program."""
        return iter(())


# ------------------------------------------------------------------ when to stop


@dataclass(frozen=True)
class Early(Fitting):
    """Stops when `figure`, a loss or metric over the validation rows, has not become better for
    `patience` epochs, and gives the weights of its best epoch:
    `stop early(val.top1, patience = 10)`."""

    figure: Figure
    patience: Count = 10
    better: Better | None = None

    def misfits(self, graph: Graph, program: TrainProgram) -> Iterator[Problem]:
        return misfits(graph, self.figure, self.better)


STOPS = Table("way to stop", {"early": Early})


# ------------------------------------------------------------------ where weights come from


def _unmatched(paths: Paths, graph: Graph) -> Iterator[Problem]:
    for path in paths:
        if not any(map(path.covers, graph.variables)):
            known = {above for name in graph.variables for above in prefixes(name)}
            yield MatchesNothing(path.span, str(path), tuple(sorted(known)))


@dataclass(frozen=True)
class File(Fitting):
    """Begins with the weights of a file, .safetensors or .npz. `except` names label paths that
    begin anew; `rename` is a file with a line `foreign.name our.name` for each name that differs:
    `weights file("resnet50.safetensors", except = [fc])`."""

    path: Text
    rename: Text | None = None
    except_: Paths = ()

    def misfits(self, graph: Graph, program: TrainProgram) -> Iterator[Problem]:
        return _unmatched(self.except_, graph)


@dataclass(frozen=True)
class FromRun(Fitting):
    """Begins with the weights that another train program of the file, one above this, ended with:
    `weights from_run(probe)`. `except` names label paths that begin anew."""

    run: Run
    except_: Paths = ()

    def misfits(self, graph: Graph, program: TrainProgram) -> Iterator[Problem]:
        if str(self.run) not in program.runs:
            yield UnknownRun(self.run.span, str(self.run), program.runs)
        yield from _unmatched(self.except_, graph)


WEIGHTS = Table("origin of weights", {"file": File, "from_run": FromRun})


# ------------------------------------------------------------------ the settings

DataSource = Annotated[
    Source, Kind("a data source such as `digits()`", row_of(lambda: SOURCES))
]
WayToStop = Annotated[
    Early, Kind("a way to stop such as `early(val.top1)`", row_of(lambda: STOPS))
]
Origin = Annotated[
    File | FromRun,
    Kind('an origin of weights such as `file("a.safetensors")`', row_of(lambda: WEIGHTS)),
]
FloatWord = Annotated[str, Kind("f32, bf16 or f16", word_among("f32", "bf16", "f16"))]
States = Annotated[
    tuple[Reference, ...],
    Kind("a state of the model, or a list of such", list_of(instance(Reference), lone=True)),
]


class Entry(Fitting):
    """Base of the rows."""

    form: ClassVar[str]


@dataclass(frozen=True)
class Data(Entry):
    """Where the rows come from. Fields feed the inputs of the same name; `--data` takes another
    source."""

    form: ClassVar[str] = "data digits(take = 1000)"
    source: DataSource


@dataclass(frozen=True)
class Batch(Entry):
    """How many rows make a step; 32 where nothing is said."""

    form: ClassVar[str] = "batch 256"
    rows: Count


@dataclass(frozen=True)
class Epochs(Entry):
    """How often training goes over all rows; once where nothing is said."""

    form: ClassVar[str] = "epochs 90"
    count: Count


@dataclass(frozen=True)
class Accumulate(Entry):
    """A step in this many passes, each over an equal part of the batch, which costs time for
    memory. It equals one pass over the whole batch, also where the loss couples the rows; batch
    norm alone takes its statistics over the rows of a pass."""

    form: ClassVar[str] = "batch 64  accumulate 16"
    passes: Count

    def misfits(self, graph: Graph, program: TrainProgram) -> Iterator[Problem]:
        if program.batch % self.passes:
            spans = program.spans
            yield BatchNotDivisible(spans.get("accumulate"), program.batch, self.passes,
                                    spans.get("batch"))


@dataclass(frozen=True)
class Clip(Entry):
    """Scales the gradient of a step down to this norm where it is larger. The norm is that of all
    parameters of the step together (Pascanu et al. 2013), as PyTorch's clip_grad_norm_."""

    form: ClassVar[str] = "clip 1.0"
    norm: Positive


@dataclass(frozen=True)
class Precision(Entry):
    """What a pass computes in: f32, bf16 or f16. Weights and optimiser memory stay in f32."""

    form: ClassVar[str] = "precision bf16"
    pending: ClassVar[bool] = True
    dtype: FloatWord


@dataclass(frozen=True)
class Reset(Entry):
    """States of the model that begin anew with every epoch, such as what a recurrent network
    carries from batch to batch."""

    form: ClassVar[str] = "reset [hc]"
    pending: ClassVar[bool] = True
    states: States

    def misfits(self, graph: Graph, program: TrainProgram) -> Iterator[Problem]:
        known = tuple(n for n, v in graph.variables.items() if v.kind == "state")
        for state in self.states:
            if str(state) not in known:
                yield UnknownState(state.span, str(state), known)


@dataclass(frozen=True)
class Stop(Entry):
    """When to stop before the last epoch; `netdsl explain early` has the one way."""

    form: ClassVar[str] = "stop early(val.top1, patience = 10)"
    when: WayToStop

    def misfits(self, graph: Graph, program: TrainProgram) -> Iterator[Problem]:
        return self.when.misfits(graph, program)


@dataclass(frozen=True)
class Weights(Entry):
    """What training begins with in place of fresh weights: `file(…)` or `from_run(…)`."""

    form: ClassVar[str] = 'weights file("resnet50.safetensors", except = [fc])'
    pending: ClassVar[bool] = True
    origin: Origin

    def misfits(self, graph: Graph, program: TrainProgram) -> Iterator[Problem]:
        return self.origin.misfits(graph, program)


@dataclass(frozen=True)
class Workers(Entry):
    """How many processes share the rows of a batch."""

    form: ClassVar[str] = "workers 2"
    pending: ClassVar[bool] = True
    count: Count


SETTINGS = Table("setting", {
    "data": Data,
    "batch": Batch,
    "epochs": Epochs,
    "accumulate": Accumulate,
    "clip": Clip,
    "precision": Precision,
    "reset": Reset,
    "stop": Stop,
    "weights": Weights,
    "workers": Workers,
})


def bind_settings(program: TrainProgram, report: Report) -> Mapping[str, Entry]:
    """The rows of the settings, by word; what is wrong with one is reported."""
    rows: dict[str, Entry] = {}
    for name, setting in program.settings.items():
        if len(report.problems) >= MOST_PROBLEMS:
            break
        span, row = program.spans.get(name), SETTINGS.rows.get(name)
        if row is None:
            known = (*SETTINGS.rows, *STATEMENTS)
            arguments = tuple(argument(each) for each in fields(Sgd))
            report.add(UnknownSetting(span and span.beginning(len(name)), name, known, arguments))
            continue
        kind = kind_of(get_type_hints(row, include_extras=True)[fields(row)[0].name])
        try:
            rows[name] = row(kind.convert(setting))
        except BadArgument:
            told = None if kind is kind_of(FloatWord) else misnamed(setting, kind)
            report.add(told or WrongSetting(span, name, show(setting), kind.expected))
        except Refused as refused:
            for problem in refused.problems:
                report.add(problem)
    return rows

