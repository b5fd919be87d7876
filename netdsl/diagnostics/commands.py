"""Problems of the command line itself: codes N85x, and N999 for what should not happen."""

from __future__ import annotations

import platform
from dataclasses import dataclass
from traceback import extract_tb
from typing import ClassVar

import netdsl
from netdsl.diagnostics import Diagnostic, Problem
from netdsl.diagnostics.suggest import did_you_mean

MOST_NAMES = 12  # listed in a message


@dataclass(frozen=True)
class NoTrainingProgram(Problem):
    """A model that has no training program is to be trained.

    What is learned from which data, in which batches and how long, stands in the file beside the
    model:

        train Digits {
            data   digits()
            batch  32
            epochs 15
            minimize ce with adam(lr = cosine(2e-3))
        }

    A program holds for the model it names and for the presets of that model.
    """

    code: ClassVar[str] = "N851"
    file: str
    model: str

    def describe(self) -> Diagnostic:
        return self.say(f"{self.file} has no training program for {self.model}",
                        suggestion=f"add one: `train {self.model} {{ data … minimize … }}`")


@dataclass(frozen=True)
class UnreadableInput(Problem):
    """A file given to `netdsl predict` cannot be read as an input.

    Inputs are images (JPEG, PNG, WebP, GIF, BMP, TIFF, PPM) and arrays: one in a `.npy` file, or
    one for each input of the network in a `.npz` file. Bytes of an image, uint8 from 0 to 255, are
    taken as 0 to 1, as the data source `npz` takes them.

        netdsl predict digits.net --weights best.safetensors three.png
        netdsl predict digits.net --weights best.safetensors images.npy
    """

    code: ClassVar[str] = "N852"
    file: str
    reason: str

    def describe(self) -> Diagnostic:
        return self.say(f"cannot read {self.file}: {self.reason}")


@dataclass(frozen=True)
class InputDoesNotFit(Problem):
    """What a file holds does not fit the input of the network that it is for.

    Nothing is resized, cropped or padded behind your back: a network for images of 28×28 takes
    images of 28×28. Grey and colour are converted to what the input declares. An array holds one
    example, or several along its first axis.

    Bring the file to the size that the message names.
    """

    code: ClassVar[str] = "N853"
    file: str
    input: str
    type: str
    reason: str

    def describe(self) -> Diagnostic:
        return self.say(f"{self.file} does not fit the input `{self.input}: {self.type}`: "
                        f"{self.reason}")


@dataclass(frozen=True)
class TakesSeveralInputs(Problem):
    """One image or array is given to a network that takes several inputs.

    Which of them it is for is not known. A `.npz` file holds an array for each, by its name:

        np.savez("pair.npz", left=left, right=right)
    """

    code: ClassVar[str] = "N854"
    file: str
    inputs: tuple[str, ...]

    def describe(self) -> Diagnostic:
        names = ", ".join(f"`{name}`" for name in self.inputs)
        return self.say(f"{self.file} holds one array, and the network takes {names}",
                        suggestion="give a `.npz` file with an array for each")


@dataclass(frozen=True)
class OutputLost(Problem):
    """What a command prints cannot be written.

    The standard output goes to a file or device that takes no more, most often because the disk
    is full. Make room, or send the output elsewhere:

        netdsl summary digits.net > /another/disk/summary.txt
    """

    code: ClassVar[str] = "N855"
    reason: str

    @staticmethod
    def of(error: OSError) -> OutputLost:
        return OutputLost(error.strerror or str(error))

    def describe(self) -> Diagnostic:
        return self.say(f"cannot write to the standard output: {self.reason}")


@dataclass(frozen=True)
class NoSuchValue(Problem):
    """A slice begins or ends at a name that the model does not have.

    Any value with a name can be an end: outputs, losses, metrics, names bound in the model, and
    those bound in its layers by their label path.

        netdsl compile translate.net --weights W -o decoder.onnx --outputs logits --from memory
        netdsl compile resnet.net --weights W -o stage.onnx --outputs stage.0.block.1.main
    """

    code: ClassVar[str] = "N856"
    name: str
    model: str
    known: tuple[str, ...]

    def describe(self) -> Diagnostic:
        near = did_you_mean(self.name, self.known)
        shown = ", ".join(f"`{name}`" for name in self.known[:MOST_NAMES])
        more = ", …" if len(self.known) > MOST_NAMES else ""
        return self.say(f"`{self.model}` has no value named `{self.name}`",
                        notes=() if near else (f"there are {shown}{more}",), suggestion=near)


@dataclass(frozen=True)
class NotOnTheWay(Problem):
    """A slice is to begin at a value that its outputs do not depend on.

    `--from` names values behind which the outputs lie; the two ends are easily confused.

        netdsl compile translate.net --weights W -o encoder.onnx --outputs memory
        netdsl compile translate.net --weights W -o decoder.onnx --outputs logits --from memory
    """

    code: ClassVar[str] = "N857"
    name: str
    outputs: tuple[str, ...]

    def describe(self) -> Diagnostic:
        ends = ", ".join(f"`{name}`" for name in self.outputs[:MOST_NAMES])
        verb = "does not depend" if len(self.outputs) == 1 else "do not depend"
        return self.say(f"{ends} {verb} on `{self.name}`",
                        suggestion=f"leave `{self.name}` out of `--from`")


@dataclass(frozen=True)
class OutOfMemory(Problem):
    """The memory of this machine does not hold what is to be computed.

    `netdsl summary` tells how many parameters a network has, of 4 bytes each in f32, and training
    needs several times as much. A smaller batch or narrower layers help:

        netdsl train large.net --set batch=16
        netdsl check large.net -D width=64
    """

    code: ClassVar[str] = "N858"
    what: str
    needed: int | None = None  # bytes, as what the machine has
    have: int | None = None
    way: str | None = None

    def describe(self) -> Diagnostic:
        size = "" if self.needed is None else f": it needs {self.needed / 1e9:,.1f} GB"
        notes = [] if self.have is None else [f"there are {self.have / 1e9:,.1f} GB"]
        return self.say(f"{self.what} does not fit into the memory{size}", notes=notes,
                        suggestion=self.way)


@dataclass(frozen=True)
class UnknownPicture(Problem):
    """A picture is asked for under a name that tells no format.

    The end of the name says it: `.png` for pages and slides, `.svg` and `.pdf` for paper.
    """

    code = "N859"
    file: str
    known: tuple[str, ...]

    def describe(self) -> Diagnostic:
        return self.say(f"{self.file} does not say what kind of picture to draw",
                        suggestion=f"a name that ends in {', '.join(self.known)}")


@dataclass(frozen=True)
class NoPlots(Problem):
    """Pictures of curves need matplotlib, which netdsl does not install by itself.

        pip install 'netdsl[plots]'

    Without it the same numbers are in the table, and with `--json` for other programs to draw.
    """

    code = "N860"

    def describe(self) -> Diagnostic:
        return self.say("pictures need matplotlib, which is not installed",
                        suggestion="`pip install 'netdsl[plots]'`, or take the numbers with "
                                   "`--json`")


@dataclass(frozen=True)
class Fault(Problem):
    """Something went wrong inside netdsl itself.

    This is a mistake in netdsl, not in your file. Please report it, with the command, the file
    and what this prints:

        NETDSL_DEBUG=1 netdsl …

    Nothing was left half written.
    """

    code: ClassVar[str] = "N999"
    error: str
    place: str

    @staticmethod
    def of(error: BaseException) -> Fault:
        """The fault that an unexpected exception is."""
        text = " ".join(str(error).split())
        frames = extract_tb(error.__traceback__)
        place = f"{frames[-1].name}, line {frames[-1].lineno}" if frames else "unknown"
        return Fault(f"{type(error).__name__}: {text}" if text else type(error).__name__, place)

    def describe(self) -> Diagnostic:
        versions = f"netdsl {netdsl.__version__}, Python {platform.python_version()}"
        return self.say(
            f"netdsl failed: {self.error}",
            notes=(f"in {self.place}; {versions} on {platform.system()}",
                   "this is a mistake in netdsl, not in your file: please report it"),
            suggestion="add what `NETDSL_DEBUG=1 netdsl …` prints to the report",
        )
