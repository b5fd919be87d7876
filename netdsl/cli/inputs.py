"""Files given to `netdsl predict` as inputs of a network: images, arrays, archives of arrays.

The fields of a file go through the validating transforms of the training program's feeds, as the
rows of a data set do.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from netdsl.backends.numpy.feed import converts
from netdsl.data.dataset import Field
from netdsl.data.draws import MEASURING
from netdsl.data.feeds import bind_feeds, inputs_by_name, misfit
from netdsl.data.files import LARGEST, ordinary
from netdsl.data.npz import read_npz
from netdsl.data.pictures import COLOUR, GREY, SUFFIXES, decode
from netdsl.data.ways import Moment, Pipe
from netdsl.diagnostics import Refused, Report
from netdsl.diagnostics.commands import InputDoesNotFit, TakesSeveralInputs, UnreadableInput
from netdsl.diagnostics.feeding import WrongDtype
from netdsl.ir.graph import Graph
from netdsl.ir.program import TrainProgram
from netdsl.ir.tensor import TensorType

MOMENT = Moment("validating", MEASURING)
ENDINGS = f"{', '.join(SUFFIXES)}, .npy or .npz"


class Inputs:
    """What the inference graph `graph` of a model is fed with from files."""

    def __init__(self, graph: Graph, program: TrainProgram | None):
        report, known = Report(), inputs_by_name(graph)
        feeds = () if program is None else program.feeds
        needed = [
            replace(feed, inputs=own, spans=()) for feed in feeds
            if (own := tuple(name for name in feed.inputs if name in known))
        ]
        self._graph = graph
        ways = bind_feeds(graph, needed, report)
        report.stop_on_errors()
        self._pipes = [way if isinstance(way, Pipe) else Pipe(name, name)
                       for name, way in ways.items()]

    def read(self, file: str) -> dict[str, np.ndarray]:
        """The inputs by name, one row for each example in the file. Raises Refused."""
        fields = self._fields(file)
        made = {}
        for pipe in self._pipes:
            type = self._graph.inputs[pipe.input].type
            field = fields[pipe.input]
            if not type.shape or isinstance(type.shape[0], int):  # it has no rows
                whole = field.rows(slice(None), type.numpy_dtype) if type.shape else field.values
                made[pipe.input] = np.asarray(whole, type.numpy_dtype)
                continue
            try:
                reason = misfit(pipe, field.type, type, (MOMENT.phase,))
            except Refused as refused:  # a transform that cannot work on it
                reason = refused.problems[0].describe().message
            if reason is not None:
                raise Refused(InputDoesNotFit(file, pipe.input, str(type), reason))
            made[pipe.input] = pipe.make(field, slice(None), type.numpy_dtype, MOMENT)
        return made

    def _fields(self, file: str) -> Mapping[str, Field]:
        """The rows for each input. Raises Refused."""
        path = Path(file)
        suffix = path.suffix.lower()
        if suffix == ".npz":
            return self._from_archive(file, read_npz(path))
        if len(self._pipes) != 1:
            raise Refused(TakesSeveralInputs(file, tuple(pipe.input for pipe in self._pipes)))
        only = self._pipes[0].input
        type = self._graph.inputs[only].type
        if suffix in SUFFIXES:
            return {only: Field(read_image(path, type)[None], unit=255, origin=file)}
        if suffix == ".npy":
            return {only: field_of(file, only, type, read_npy(path))}
        raise Refused(UnreadableInput(file, f"its name ends in none of {ENDINGS}"))

    def _from_archive(
        self, file: str, arrays: Mapping[str, np.ndarray]
    ) -> Mapping[str, Field]:
        """By the name of the input, or of the field that feeds it."""
        found = {}
        for pipe in self._pipes:
            name = pipe.input if pipe.input in arrays else pipe.field
            type = self._graph.inputs[pipe.input].type
            if name not in arrays:
                reason = f"it has no array `{name}`, only {', '.join(arrays) or 'nothing'}"
                raise Refused(InputDoesNotFit(file, pipe.input, str(type), reason))
            found[pipe.input] = field_of(file, pipe.input, type, arrays[name])
        return found


def field_of(file: str, input: str, type: TensorType, array: np.ndarray) -> Field:
    """An array as rows: one example gets an axis for the batch, a grey image [H, W] one for its
    channel too. Numbers convert as in `Model.run` and must be finite; bytes (uint8) for floats with
    more axes than the rows' are images, 0 … 1, as in the data source `npz`. Raises Refused."""
    image = array.dtype == np.uint8 and type.is_float and type.rank > 1
    if not image and not converts(array.dtype, type.numpy_dtype):
        raise Refused(WrongDtype(input, str(array.dtype), str(type), file))
    if array.ndim == 2 and type.rank == 4 and type.shape[1] == GREY:
        array = array[None]
    if array.ndim == type.rank - 1:
        array = array[None]
    if array.ndim != type.rank or not array.size:
        reason = f"it has the shape {list(array.shape)}"
        raise Refused(InputDoesNotFit(file, input, str(type), reason))
    if array.dtype.kind != "f":
        return Field(array, unit=255 if image else 1, origin=file)
    with np.errstate(over="ignore"):
        held = np.isfinite(array.astype(type.numpy_dtype)).all()
    if not held:
        sound = np.isfinite(array).all()
        what = f"numbers too large for {type.dtype}" if sound else "NaN or infinite numbers"
        reason = f"it holds {what}"
        raise Refused(InputDoesNotFit(file, input, str(type), reason))
    return Field(array, origin=file)


def read_npy(path: Path) -> np.ndarray:
    """The numbers of a `.npy` file, mapped so that none is read before it is needed and none that
    the header only claims. Raises Refused."""
    try:
        array = np.load(ordinary(path), mmap_mode="r", allow_pickle=False)
    except OSError as error:
        raise Refused(UnreadableInput(str(path), error.strerror or str(error))) from None
    except (ValueError, EOFError):  # what NumPy says of a pickle is to run it all the same
        raise Refused(UnreadableInput(str(path), "it is no .npy file of numbers")) from None
    if not isinstance(array, np.ndarray) or array.dtype.kind not in "buif":
        raise Refused(UnreadableInput(str(path), "it is no .npy file of numbers"))
    if array.nbytes > LARGEST:
        raise Refused(UnreadableInput(str(path), f"it holds more than {LARGEST:,} bytes"))
    return array


def read_image(path: Path, type: TensorType) -> np.ndarray:
    """An image as uint8 [C, H, W], grey or colour as the input declares, upright, as the data
    source `images` reads it. Raises Refused for what is damaged, or larger than Pillow takes for
    safe."""
    channels = type.shape[1] if type.rank == 4 else None
    if channels not in (GREY, COLOUR):
        reason = "an image has 1 or 3 channels, as [B, 1, H, W] or [B, 3, H, W]"
        raise Refused(InputDoesNotFit(str(path), "image", str(type), reason))
    return decode(path, str(path), channels)
