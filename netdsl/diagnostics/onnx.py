"""N80x: what keeps a network from becoming an ONNX file, or the file from being run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from netdsl.diagnostics import Diagnostic, Mark, Problem
from netdsl.diagnostics.weights import shown
from netdsl.source import Span

# ---------------------------------------------------------------- graphs that cannot be written


@dataclass(frozen=True)
class NoOnnxForm(Problem):
    """An operation has no form in ONNX.

    Only ONNX's standard operators are written, so that every runtime can read the file. Some
    operations exist for training alone, and a few combinations of options have no operator.

    Compile a slice that does without it (`--outputs`), or say it with other operations.
    """

    code: ClassVar[str] = "N801"
    op: str
    path: str
    reason: str
    span: Span | None

    def describe(self) -> Diagnostic:
        where = f" in {shown(self.path)}" if self.path else ""
        return self.say(f"`{self.op}`{where} has no form in ONNX: {self.reason}", self.span)


@dataclass(frozen=True)
class NothingToExport(Problem):
    """A model has no outputs.

    An ONNX file computes a model's outputs; losses and metrics are not part of it.

    Say what the network gives with `output`:

        output logits = fc(x)
    """

    code: ClassVar[str] = "N802"
    model: str

    def describe(self) -> Diagnostic:
        return self.say(
            f"{shown(self.model)} has no outputs to export",
            suggestion="add `output NAME` to the model",
        )


@dataclass(frozen=True)
class UnusableName(Problem):
    """A name cannot stand in an ONNX file, or stands for two tensors of it.

    Inputs, outputs and parameters share one space of names in ONNX, and an ONNX name means one
    tensor. `input x` with `output x = relu(x)` would be two tensors called `x`.

    Give the output a name of its own: `output y = relu(x)`.
    """

    code: ClassVar[str] = "N803"
    name: str
    reason: str

    def describe(self) -> Diagnostic:
        return self.say(f"{shown(self.name)} cannot be a name in ONNX: {self.reason}")


@dataclass(frozen=True)
class UnsupportedOpset(Problem):
    """This version of ONNX's operators is not supported.

    An opset is a version of ONNX's operators. netdsl writes opset 18 unless told otherwise: the
    oldest that has what it needs, and thus the most widely readable. Newer ones work up to what
    the installed `onnx` package knows.
    """

    code: ClassVar[str] = "N804"
    opset: int
    oldest: int
    newest: int

    def describe(self) -> Diagnostic:
        return self.say(
            f"opset {self.opset} is not supported",
            suggestion=f"choose one from {self.oldest} to {self.newest}",
        )


@dataclass(frozen=True)
class TooLargeForOneFile(Problem):
    """The weights do not fit into one ONNX file.

    An ONNX file can hold about 2 GB. Larger weights go into a second file beside it, which
    happens by itself unless external data was switched off.
    """

    code: ClassVar[str] = "N805"
    nbytes: int

    def describe(self) -> Diagnostic:
        return self.say(
            f"{self.nbytes:,} bytes of weights do not fit into one ONNX file",
            suggestion="allow external data",
        )


@dataclass(frozen=True)
class RejectedByChecker(Problem):
    """ONNX's own checker rejects the file that netdsl made.

    Every file passes the checker and strict shape inference before it is put in its place, so
    this is a mistake in netdsl. Please report it with the `.net` file. What stood at the path
    before is untouched.
    """

    code: ClassVar[str] = "N806"
    path: str
    reason: str

    def describe(self) -> Diagnostic:
        return self.say(
            f"onnx rejects {shown(self.path)}, which netdsl made: {shown(self.reason, 600)[1:-1]}",
            suggestion="this is a mistake in netdsl; please report it",
        )


# ---------------------------------------------------------------- running and comparing


@dataclass(frozen=True)
class RuntimeRefuses(Problem):
    """ONNX Runtime cannot load a file, or cannot run it on these inputs.

    The file may be damaged or missing, use operators or dtypes that this version of ONNX Runtime
    has no CPU code for (f64 convolutions, for instance), or the inputs may have other names or
    shapes than it declares. `reason` is what the runtime says.

    A newer onnxruntime often helps. `--no-verify` writes the file without running it.
    """

    code: ClassVar[str] = "N807"
    path: str
    reason: str

    def describe(self) -> Diagnostic:
        return self.say(
            f"ONNX Runtime refuses {shown(self.path)}: {shown(self.reason, 600)[1:-1]}"
        )


@dataclass(frozen=True)
class Disagreement(Problem):
    """The ONNX file computes something else than the network.

    Every file is run on random inputs and compared with NumPy before it is put in its place. The
    difference is the largest over an output, relative to that output's largest element. A few
    millionths are rounding; more is a mistake in netdsl or in the runtime, or weights so large
    that rounding grows.

    Please report it with the `.net` file. `--no-verify` writes the file unchecked.
    """

    code: ClassVar[str] = "N808"
    output: str
    difference: float
    tolerance: float
    sizes: str  # "B = 3"
    span: Span | None

    def describe(self) -> Diagnostic:
        at = f" at {self.sizes}" if self.sizes else ""
        return self.say(
            f"ONNX Runtime and NumPy differ on output {shown(self.output)}{at}: "
            f"{self.difference:.2g} relative to its largest element, {self.tolerance:.0e} allowed",
            None if self.span is None else Mark(self.span, "computed here"),
        )


@dataclass(frozen=True)
class OutputNotFinite(Problem):
    """Outputs of the network are NaN, so the ONNX file cannot be compared with it.

    On random inputs some outputs are not numbers. Usually the weights hold NaN because training
    diverged; a logarithm of negative inputs does it as well.

    Look at the weights first. If the network is meant to be so, write the file unchecked with
    `--no-verify`.
    """

    code: ClassVar[str] = "N809"
    outputs: tuple[str, ...]
    sizes: str

    def describe(self) -> Diagnostic:
        names = ", ".join(shown(name) for name in self.outputs)
        at = f" at {self.sizes}" if self.sizes else ""
        return self.say(f"NaN on random inputs{at} in output {names}")


@dataclass(frozen=True)
class NoSizesFit(Problem):
    """No sizes were found to run the network with.

    To compare the ONNX file with NumPy, its free dimensions need sizes. Those that were tried
    fail some shape rule of the network.

    Fix the sizes with `-D`, or write the file unchecked with `--no-verify`.
    """

    code: ClassVar[str] = "N810"
    model: str
    symbols: tuple[str, ...]
    reason: str

    def describe(self) -> Diagnostic:
        return self.say(
            f"found no sizes for {', '.join(self.symbols)} to run {shown(self.model)} with",
            notes=(self.reason,),
        )
