"""N60x: files of weights that cannot be read or written, or do not fit the network."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar, Literal

from netdsl.diagnostics import Diagnostic, Problem, Severity

LISTED = 8  # names in one message; the rest is counted


def shown(name: str, longest: int = 80) -> str:
    """A foreign name as one line of a message: control characters escaped, the middle of a long
    one left out."""
    text = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in name)
    if len(text) <= longest:
        return f"`{text}`"
    half = longest // 2
    return f"`{text[:half]}…{text[-half:]}`"


def listed(lines: Iterable[str], count: int) -> tuple[str, ...]:
    """Notes, one a line, the last of them saying how many more there are."""
    lines = tuple(lines)
    return lines if len(lines) == count else (*lines, f"… and {count - len(lines)} more")


def tensors(count: int) -> str:
    return "1 tensor" if count == 1 else f"{count} tensors"


# ---------------------------------------------------------------- reading and writing files


@dataclass(frozen=True)
class UnknownFormat(Problem):
    """The end of a file's name does not say which format of weights it has.

    netdsl stores weights in two formats and tells them apart by the name: `.safetensors`, which
    other tools read too, and `.npz`, NumPy's own.

        netdsl compile digits.net -o digits.onnx --weights digits.safetensors

    Files of PyTorch (`.pt`, `.pth`, `.bin`) are Python pickles, which can run programs when they
    are opened; convert them where you trust them, with `safetensors.torch.save_file`.
    """

    code: ClassVar[str] = "N601"
    path: str
    known: tuple[str, ...]

    def describe(self) -> Diagnostic:
        return self.say(
            f"{shown(self.path)} is not named as a file of weights",
            suggestion=f"name it with {' or '.join(self.known)} at the end",
        )


DAMAGED = "copy or download it again and compare the sizes, or take another file of weights"
WAYS = {  # by the reason that a file cannot be read
    "it does not exist": "check the path; `netdsl train` names the files that it has saved",
    "it is no ordinary file": "name the file itself, such as `runs/MODEL/best.safetensors`",
    "Permission denied": "let yourself read it: `chmod u+r`",
}


@dataclass(frozen=True)
class UnreadableWeights(Problem):
    """A file of weights cannot be read.

    It is missing, is not an ordinary file, may not be read, or is damaged: cut off while it was
    copied, or never a file of this format. `reason` says what was found.

    Copy or download it again and compare the sizes. Files that netdsl writes itself are never
    half there: they appear under their name only when they are complete.
    """

    code: ClassVar[str] = "N602"
    path: str
    reason: str
    tensor: str | None = None

    def describe(self) -> Diagnostic:
        place = f"tensor {shown(self.tensor)} of " if self.tensor is not None else ""
        return self.say(f"cannot read {place}{shown(self.path)}: {shown(self.reason, 300)[1:-1]}",
                        suggestion=WAYS.get(self.reason, DAMAGED))


@dataclass(frozen=True)
class UnwritableFile(Problem):
    """A file cannot be written.

    netdsl writes a new file beside the one that is to be replaced and renames it when it is
    complete, so the folder must exist, be writable and have room for both. What stood there
    before is untouched.

    Make the folder (`mkdir -p runs`), free some space, or choose another place.
    """

    code: ClassVar[str] = "N603"
    path: str
    reason: str

    def describe(self) -> Diagnostic:
        return self.say(f"cannot write {shown(self.path)}: {shown(self.reason, 300)[1:-1]}")


@dataclass(frozen=True)
class UnsafeWeights(Problem):
    """A file of weights asks for something that no file of numbers needs.

    Refused before anything is unpacked: Python objects (they run programs when they are opened),
    two tensors of one name (which one counts depends on the reader), and archives that unpack to
    far more than their own size (a file of 2 MB can fill the memory).

    If you trust where the file comes from, open it there and store plain arrays:

        np.savez("weights.npz", **arrays)
    """

    code: ClassVar[str] = "N604"
    path: str
    reason: str
    tensor: str | None = None

    def describe(self) -> Diagnostic:
        place = f"tensor {shown(self.tensor)}: " if self.tensor is not None else ""
        return self.say(f"{shown(self.path)} is refused: {place}{self.reason}")


@dataclass(frozen=True)
class UnstorableTensor(Problem):
    """An array cannot be stored under this name or with this type.

    Weights are arrays of numbers or bools; names are text, and each format keeps some for itself
    (`__metadata__` in `.safetensors`, names with the character NUL in `.npz`).

    Rename or convert the array, or use the other format.
    """

    code: ClassVar[str] = "N605"
    path: str
    tensor: str
    reason: str

    def describe(self) -> Diagnostic:
        return self.say(f"cannot store {shown(self.tensor)} in {shown(self.path)}: {self.reason}")


# ---------------------------------------------------------------- weights against the network

AS_TRAINED = "give the file and the `-D` options that they were trained with"
AS_STORED = "load the weights in Python, `astype` them and save them again"


@dataclass(frozen=True)
class MissingTensors(Problem):
    """The weights lack tensors that the network has.

    A network is loaded whole or not at all: what is missing would stay at random values, and
    nobody would notice. Names are label paths (`stage.0.conv1.weight`), so a renamed label in
    the `.net` file, or another size of the network, moves them.

    Load the weights with the `.net` file and the `-D` options they were trained with.
    """

    code: ClassVar[str] = "N606"
    path: str
    count: int
    lines: tuple[str, ...]  # up to LISTED: name, expected type, what the file holds instead

    def describe(self) -> Diagnostic:
        return self.say(
            f"{shown(self.path)} lacks {tensors(self.count)} of the network",
            notes=listed(self.lines, self.count), suggestion=AS_TRAINED,
        )


@dataclass(frozen=True)
class UnexpectedTensors(Problem):
    """The weights hold tensors that the network does not have.

    They would be ignored, which hides mistakes: a layer that was dropped, a label that was
    renamed, weights of a larger network.

    Load them with the `.net` file they were trained with, or store only what is needed. Names
    with `@` are the memory of an optimiser: the file is the checkpoint of a training, beside which
    `weights.safetensors` and `best.safetensors` hold the weights alone.
    """

    code: ClassVar[str] = "N607"
    path: str
    count: int
    lines: tuple[str, ...]
    is_checkpoint: bool = False

    def describe(self) -> Diagnostic:
        return self.say(
            f"{shown(self.path)} holds {tensors(self.count)} that the network does not have",
            notes=listed(self.lines, self.count),
            suggestion="this is the checkpoint of a training: take `weights.safetensors` or "
                       "`best.safetensors` beside it" if self.is_checkpoint else AS_TRAINED,
        )


@dataclass(frozen=True)
class MisfitTensors(Problem):
    """Tensors have another shape, or another dtype, than the network's.

    Nothing is reshaped, cut or converted on loading. A last layer with other classes shows up
    here (`fc.weight: the network has f32[10, 512], the file f32[1000, 512]`), and so do weights
    stored in half precision.

    Build the network as it was trained (`-D classes=1000`). To convert a dtype, load the weights
    in Python, use `astype` and save them again.
    """

    code: ClassVar[str] = "N608"
    path: str
    what: Literal["shape", "dtype"]
    count: int
    lines: tuple[str, ...]

    def describe(self) -> Diagnostic:
        return self.say(
            f"{tensors(self.count)} of {shown(self.path)} "
            f"{'has' if self.count == 1 else 'have'} another {self.what} than the network's",
            notes=listed(self.lines, self.count),
            suggestion=AS_TRAINED if self.what == "shape" else AS_STORED,
        )


@dataclass(frozen=True)
class NotFinite(Problem):
    """Weights contain NaN or infinite numbers.

    One of them spreads through everything that is computed from it. The usual cause is training
    that diverged: the loss became NaN, and an optimiser step wrote it into every parameter.

    Go back to an earlier checkpoint and lower the learning rate.
    """

    code: ClassVar[str] = "N609"
    severity: ClassVar[Severity] = "warning"
    path: str
    count: int
    lines: tuple[str, ...]

    def describe(self) -> Diagnostic:
        return self.say(
            f"{tensors(self.count)} of {shown(self.path)} "
            f"{'holds' if self.count == 1 else 'hold'} NaN or infinite numbers",
            notes=listed(self.lines, self.count),
            suggestion="take the weights of an earlier epoch, or train anew with a lower rate",
        )
