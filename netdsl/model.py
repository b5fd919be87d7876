"""The Python face of netdsl: `netdsl.load(path)` gives a `Model`.

    import netdsl
    model = netdsl.load("models/digits.net", classes=10)
    weights = model.initialize(seed=0)
    model.run({"image": images}, weights)["logits"]
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from netdsl.analysis.summary import Summary, summarize
from netdsl.backends.numpy.limits import NARROWER, bytes_of, check_memory
from netdsl.compiler import Built, build, choose, open_file, split_target
from netdsl.diagnostics import Refused, Report
from netdsl.diagnostics.commands import NoSuchValue, NotOnTheWay
from netdsl.diagnostics.training import FreeState
from netdsl.ir.graph import Graph
from netdsl.ir.tensor import TensorType
from netdsl.layers.initializers import initialize
from netdsl.rewrite.between import between, named_values
from netdsl.rewrite.phases import PHASES
from netdsl.rewrite.phases import phase as slice_of
from netdsl.rewrite.phases import train as train_slice
from netdsl.rewrite.rebuild import prune
from netdsl.rewrite.specialize import specialize

if TYPE_CHECKING:
    from netdsl.backends.numpy import Results, Runner
    from netdsl.backends.onnx import Exported
    from netdsl.training.history import History
    from netdsl.training.trainer import Trainer

Arrays = dict[str, np.ndarray]


def load(
    path: str | Path, model: str | None = None, *, root: str | Path | None = None, **attributes: Any
) -> Model:
    """The model of a `.net` file: the one called `model`, that of `FILE:MODEL`, or the last.

    `attributes` override the model's own, as `-D name=value` does on the command line; imports may
    also lead to `root` and below. Raises `netdsl.Refused`, whose text shows what is wrong and
    where.
    """
    report = Report()
    if model is None:
        path, model = split_target(str(path))
    module = open_file(path, report, None if root is None else Path(root))
    written = {name: as_text(value) for name, value in attributes.items()}
    return Model(build(module, choose(module, model), report, written, program=model))


def as_text(value: Any) -> str:
    """A Python value as an expression of the language. Raises TypeError for what has none."""
    if isinstance(value, bool) or value is None:
        return str(value).lower()
    if isinstance(value, (int, np.integer)):
        return str(int(value))
    if isinstance(value, Fraction):
        return f"{value.numerator} / {value.denominator}"
    if isinstance(value, (float, np.floating)):
        return repr(float(value))
    if isinstance(value, (list, tuple)):
        opening, closing = "[]" if isinstance(value, list) else "()"
        return opening + ", ".join(map(as_text, value)) + closing
    if isinstance(value, str):
        return value  # a name or an expression: block = "Bottleneck"
    raise TypeError(f"an attribute cannot be {value!r}")


def checked_seed(seed: Any) -> int:
    """The seed as an int. Raises ValueError for what is none."""
    if not isinstance(seed, (int, np.integer)) or not 0 <= seed < 2**63:
        raise ValueError(f"a seed is an integer from 0 to 2**63 - 1, not {seed!r}")
    return int(seed)


class Model:
    """A network, checked and ready to run, train and compile.

    `graph` is the whole of it; `program` its training program, or None. Weights are dicts of
    arrays by label path, parameters and buffers together. In a notebook it shows as a table.
    """

    def __init__(self, built: Built):
        self.graph: Graph = built.graph
        self.program = built.program
        self.name = built.definition.name
        self._runners: dict[tuple, Runner] = {}

    # -------------------------------------------------------------- what it is

    @property
    def inputs(self) -> dict[str, TensorType]:
        """Name to dtype and shape, in the file's order."""
        return {name: value.type for name, value in self.graph.inputs.items()}

    @property
    def outputs(self) -> dict[str, TensorType]:
        """Name to dtype and shape, in the file's order."""
        return {name: value.type for name, value in self.graph.outputs.items()}

    @property
    def parameters(self) -> dict[str, TensorType]:
        """Label path to dtype and shape of everything that is trained."""
        return {name: variable.type for name, variable in self.graph.parameters.items()}

    @property
    def buffers(self) -> dict[str, TensorType]:
        """Label path to dtype and shape of running statistics and other state."""
        return {name: variable.type for name, variable in self.graph.buffers.items()}

    def summary(self) -> Summary:
        """Layers, parameters and work, without running anything."""
        return summarize(self.graph)

    def __repr__(self) -> str:
        from netdsl.views.summary import summary_text

        return summary_text(self.summary())

    def _repr_html_(self) -> str:
        from netdsl.views.summary import summary_html

        return summary_html(self.summary())

    # -------------------------------------------------------------- running

    def initialize(self, seed: int = 0) -> Arrays:
        """Fresh weights: an array for every parameter and buffer, the same for the same seed.
        Raises ValueError for a seed that is no integer from 0 to 2⁶³ - 1, Refused where a state's
        size depends on the batch, or where there is not enough memory."""
        free = [v for v in self.graph.variables.values() if v.type.symbols]
        if free:
            raise Refused(*(FreeState(v.span, v.name, str(v.type)) for v in free))
        needed = bytes_of(variable.type for variable in self.graph.variables.values())
        check_memory(f"what `{self.name}` learns", needed, NARROWER)
        return initialize(self.graph, checked_seed(seed))

    def run(
        self,
        inputs: Mapping[str, Any],
        weights: Mapping[str, np.ndarray],
        phase: str = "infer",
        fetch: str | Sequence[str] | None = None,
        *,
        seed: int = 0,
        dtype: str = "f32",
    ) -> Arrays:
        """Outputs by name; in the phases "train" and "validate" the losses and metrics too.

        `fetch` asks for a named value, or several, instead: outputs, losses, metrics, or names
        bound in the model (`x`) and in its layers (`stage.0.main`). In the phase "train" dropout
        draws from `seed`, and batch norm uses the batch's statistics and leaves `weights` alone.
        `dtype` "f64" computes in double precision. Raises Refused for inputs or weights that do
        not fit, KeyError for an unknown name.
        """
        if phase not in PHASES:
            raise ValueError(f"phase is one of {', '.join(PHASES)}, not {phase!r}")
        names = (fetch,) if isinstance(fetch, str) else None if fetch is None else tuple(fetch)
        results = self._run(("run", phase, names, dtype), inputs, weights, seed)
        return {**results.outputs, **results.losses, **results.metrics}

    def gradients(
        self,
        inputs: Mapping[str, Any],
        weights: Mapping[str, np.ndarray],
        loss: str | Sequence[str] | None = None,
        *,
        seed: int = 0,
        dtype: str = "f32",
    ) -> tuple[dict[str, float], Arrays]:
        """Losses by name, and the gradient of their sum for every parameter, in training mode.

        `loss` names one or several; without it, those that the training program minimises, or
        the model's only one. Raises ValueError where that leaves a choice, KeyError for a loss
        that does not exist.
        """
        losses = (loss,) if isinstance(loss, str) else tuple(loss or self.minimized)
        for name in losses:
            if name not in self.graph.losses:
                raise KeyError(f"no loss {name!r}; there are {', '.join(self.graph.losses)}")
        results = self._run(("gradients", losses, dtype), inputs, weights, seed)
        return {n: float(x) for n, x in results.losses.items()}, results.gradients

    @property
    def minimized(self) -> tuple[str, ...]:
        """The losses that training minimises. Raises ValueError where the file leaves it open."""
        if self.program is not None:
            names = (m.loss for step in self.program.steps for m in step.minimize)
            return tuple(dict.fromkeys(names))
        if len(self.graph.losses) == 1:
            return tuple(self.graph.losses)
        raise ValueError(f"say which loss: {', '.join(self.graph.losses) or 'there is none'}")

    def _run(self, kind: tuple, inputs: Mapping[str, Any], weights, seed: int) -> Results:
        from netdsl.backends.numpy import Runner

        if kind not in self._runners:
            graph = self._slice(*kind)
            zeros = {n: np.zeros(v.type.shape, v.type.numpy_dtype)
                     for n, v in graph.variables.items()}
            self._runners[kind] = Runner(graph, zeros)
        runner = self._runners[kind]
        for name, array in self._fitting(weights).items():
            if name in runner.variables:
                np.copyto(runner.variables[name], array)
        arrays = {name: np.asarray(array) for name, array in inputs.items()}
        needed = {name: array for name, array in arrays.items()
                  if name in runner.graph.inputs or name not in self.graph.inputs}
        return runner.run(needed, key=(checked_seed(seed), 0))

    def _fitting(self, weights: Mapping[str, Any]) -> Arrays:
        """The weights as arrays, none missing and each of the declared shape; any float will do
        for a float. Raises Refused."""
        from netdsl.weights.fit import array_type, check_fit

        arrays = {name: np.asarray(array) for name, array in weights.items()}
        types = {}
        for name, array in arrays.items():
            type, known = array_type(array), self.graph.variables.get(name)
            alike = known is not None and type.is_float and known.type.is_float
            types[name] = type.with_dtype(known.type.dtype) if alike else type
        check_fit(types, self.graph.variables, "the weights").stop_on_errors()
        return arrays

    def _slice(self, purpose: str, *details: Any) -> Graph:
        """The graph behind a kind of run."""
        dtype = details[-1]
        if purpose == "gradients":
            from netdsl.autodiff import differentiate

            losses = details[0]
            graph = replace(train_slice(self.graph, losses), updates={})
            graph = differentiate(graph, losses, graph.trainable)
        else:
            graph = self._phase(*details[:-1])
        return specialize(graph, dtypes={"f32": dtype}) if dtype != "f32" else graph

    def _phase(self, phase: str, fetch: tuple[str, ...] | None) -> Graph:
        if phase == "train" and fetch is None:
            return prune(replace(self.graph, updates={}, metrics={}))
        if fetch is None:
            return slice_of(self.graph, phase)
        known = named_values(self.graph)
        for name in fetch:
            if name not in known:
                raise KeyError(f"nothing is called {name!r}; there are {', '.join(known)}")
        asked = between(self.graph, fetch)
        return asked if phase == "train" else slice_of(asked, phase)

    # -------------------------------------------------------------- training

    def trainer(
        self, weights: Mapping[str, np.ndarray] | None = None, seed: int = 0, **options: Any
    ) -> Trainer:
        """Steps by hand: `.step(batch)` gives the losses, `.weights` are where it stands.

        See `netdsl.training.trainer.Trainer` for the options; without `steps_per_epoch` the
        learning rate stays where its schedule begins.
        """
        from netdsl.training.trainer import Trainer

        return Trainer(self.graph, self._program(), weights, seed, **options)

    def train(self, **options: Any) -> History:
        """Run the training program: see `netdsl.training.loop.fit` for the options."""
        from netdsl.training.loop import fit

        return fit(self.graph, self._program(), **options)

    def _program(self):
        if self.program is None:
            raise ValueError(f"the file has no training program for {self.name}")
        return self.program

    # -------------------------------------------------------------- compiling

    def to_onnx(
        self, path: str | Path, weights: Mapping[str, np.ndarray],
        outputs: Sequence[str] | None = None, begin: Sequence[str] = (), **options: Any,
    ) -> Exported:
        """Write the inference graph as an ONNX file, checked and compared with NumPy.

        `outputs` asks for named values instead of the model's outputs; those named in `begin`
        become inputs. See `netdsl.backends.onnx.export` for the options. Raises Refused.
        """
        from netdsl.backends.onnx import export

        graph = self.graph
        if outputs is not None or begin:
            graph = self._between(outputs or tuple(graph.outputs), begin)

        arrays = self._fitting(weights)
        declared = {name: array.astype(self.graph.variables[name].type.numpy_dtype, copy=False)
                    for name, array in arrays.items()}
        return export(slice_of(graph, "infer"), declared, path, **options)

    def _between(self, outputs: Sequence[str], begin: Sequence[str]) -> Graph:
        """The slice between named values. Raises Refused for a name that does not exist."""
        known, report = named_values(self.graph), Report()
        for name in dict.fromkeys((*outputs, *begin)):
            if name not in known:
                report.add(NoSuchValue(name, self.name, tuple(known)))
        report.stop_on_errors()
        slice = between(self.graph, outputs, begin)
        for name in begin:
            if name not in slice.inputs:
                report.add(NotOnTheWay(name, tuple(outputs)))
        report.stop_on_errors()
        return slice


__all__ = ["Model", "Refused", "load"]
