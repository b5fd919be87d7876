"""Batches: the rows of a data set, in order, as what a model is fed.

Training shuffles anew each epoch and drops the rows at the end that make no whole batch; which
rows those are changes with the order. Validation takes all rows in file order, so that its last
batch may be smaller.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from netdsl.data.dataset import Dataset, Split, check_labels, row_count
from netdsl.data.draws import shuffled
from netdsl.data.feeds import Pipe, bind_feeds, check_feeds
from netdsl.diagnostics import Refused, Report
from netdsl.diagnostics.data import BatchTooLarge
from netdsl.ir.graph import Graph
from netdsl.ir.program import TrainProgram


class Batches:
    """Feeds for the inputs of `graph` from the rows of a data set, by the feeds and the batch size
    of a program. Raises Refused when the data do not fit: fields, dtypes, shapes, label ranges."""

    def __init__(self, graph: Graph, program: TrainProgram, dataset: Dataset, seed: int = 0):
        report = Report()
        pipes = bind_feeds(graph, program.feeds, report)
        check_feeds(graph, pipes, dataset.types, report)
        if dataset.validate:
            types = {name: field.type for name, field in dataset.validate.items()}
            check_feeds(graph, pipes, types, report)
        report.stop_on_errors()
        self.dataset, self.seed, self.size = dataset, seed, program.batch
        self._batch_span = program.spans.get("batch")
        self._pipes: dict[str, Pipe] = {n: p for n, p in pipes.items() if p is not None}
        self._dtypes = {n: value.type.numpy_dtype for n, value in graph.inputs.items()}
        for name, (low, high) in graph.ranges.items():
            for split in (dataset.train, dataset.validate):
                if name in self._pipes and split:
                    check_labels(split[self._pipes[name].field], low, high)

    @property
    def steps_per_epoch(self) -> int:
        """Whole batches in the training rows. Raises Refused when there is none."""
        rows = row_count(self.dataset.train)
        if rows < self.size:
            raise Refused(BatchTooLarge(self.size, rows, self._batch_span))
        return rows // self.size

    def training(self, epoch: int) -> Iterator[dict[str, np.ndarray]]:
        """The batches of an epoch, counted from 0, in its random order. Raises Refused when there
        is not a single one."""
        steps = self.steps_per_epoch
        order = shuffled(row_count(self.dataset.train), self.seed, "order", epoch)
        for batch in range(steps):
            index = order[batch * self.size : (batch + 1) * self.size]
            yield self._made(self.dataset.train, index, "training", epoch, batch)

    def validation(self) -> Iterator[dict[str, np.ndarray]]:
        """All validation rows in order; the last batch may be smaller."""
        rows = row_count(self.dataset.validate)
        for batch, start in enumerate(range(0, rows, self.size)):
            index = slice(start, min(start + self.size, rows))
            yield self._made(self.dataset.validate, index, "validating", 0, batch)

    def _made(
        self, split: Split, index: np.ndarray | slice, phase: str, epoch: int, batch: int
    ) -> dict[str, np.ndarray]:
        made: Mapping[str, np.ndarray] = {
            name: pipe.make(
                split[pipe.field], index, self._dtypes[name], phase, self.seed, epoch, batch
            )
            for name, pipe in self._pipes.items()
        }
        return dict(made)
