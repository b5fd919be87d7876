"""ONNX files run on ONNX Runtime, on the CPU."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

import numpy as np
import onnxruntime

from netdsl.diagnostics import Refused
from netdsl.diagnostics.onnx import RuntimeRefuses

SILENT = 4  # severities of the runtime's log: 4 lets fatal messages through; we tell the others


class Session:
    """A loaded ONNX file, from a path or from its bytes. `inputs` and `outputs` are the names
    that it declares, in order. Raises Refused (N807) for a file that cannot be loaded."""

    def __init__(self, model: str | os.PathLike | bytes, *, threads: int | None = None):
        """`threads` of one operator; None: all cores that this process may use."""
        self._origin = "the model" if isinstance(model, bytes) else os.fspath(model)
        if not isinstance(model, bytes) and not os.path.isfile(model):
            raise Refused(RuntimeRefuses(self._origin, "it is no ordinary file"))
        onnxruntime.set_default_logger_severity(SILENT)
        options = onnxruntime.SessionOptions()
        options.log_severity_level = SILENT
        options.intra_op_num_threads = available_cores() if threads is None else threads
        options.inter_op_num_threads = 1  # one operator after the other, each on all threads
        try:
            self._session = onnxruntime.InferenceSession(
                model if isinstance(model, bytes) else self._origin,
                options,
                providers=["CPUExecutionProvider"],
            )
        except Exception as error:  # the runtime's exceptions have no base of their own
            raise Refused(RuntimeRefuses(self._origin, str(error))) from error
        self.inputs = tuple(entry.name for entry in self._session.get_inputs())
        self.outputs = tuple(entry.name for entry in self._session.get_outputs())

    def run(
        self, inputs: Mapping[str, np.ndarray], outputs: Sequence[str] | None = None
    ) -> dict[str, np.ndarray]:
        """The outputs by name, all of them when none is asked for. Raises Refused (N807) for
        inputs that do not fit and for whatever fails inside the runtime."""
        wanted = list(outputs or self.outputs)
        fed = {name: np.asarray(array) for name, array in inputs.items()}
        try:
            results = self._session.run(wanted, fed)
        except Exception as error:
            raise Refused(RuntimeRefuses(self._origin, str(error))) from error
        return dict(zip(wanted, results, strict=True))


def available_cores() -> int:
    """Cores that this process may run on, which in a container are fewer than the machine's."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
