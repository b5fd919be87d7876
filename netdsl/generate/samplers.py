"""Samplers: ways to draw from a trained model, bound to outputs and inputs of it by their names.

    sample LM { autoregressive(logits, tok, length = 500, temperature = 0.8) }

To add one, write a frozen dataclass after `Sampler` and enter it into `SAMPLERS`. Its fields of the
kinds `Output` and `Input` are its operands; `misfits` says what their types must be.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, ClassVar, TypeAlias

from netdsl.ir.program import Reference
from netdsl.ir.proof import equal
from netdsl.ir.tensor import INTEGERS, TensorType
from netdsl.layers.arguments import Kind
from netdsl.registry import (
    Count,
    NotNegative,
    Portion,
    Table,
    TwoBelowOne,
    Whole,
    instance,
    positive,
    real,
)

OUTPUT = Kind("an output of the model", instance(Reference))
INPUT = Kind("an input of the model", instance(Reference))
Output = Annotated[Reference, OUTPUT]
Input = Annotated[Reference, INPUT]
Share = Annotated[float, Kind("a number above 0 and at most 1", lambda x: positive(real(0, 1)(x)))]


@dataclass(frozen=True)
class Operand:
    """What a sampler's operand is bound to; `range` bounds an integer input, None where nothing
    does."""

    type: TensorType
    range: tuple[int, int] | None = None


Operands: TypeAlias = Mapping[str, Operand]
Misfit: TypeAlias = tuple[str, str]  # the argument, and what it must be


class Sampler:
    """Base of the rows. `pending`: bound and checked, not yet run."""

    pending: ClassVar[bool] = True

    def misfits(self, given: Operands) -> Iterator[Misfit]:
        """What of the operands does not fit; `given` has them by the sampler's names for them."""
        raise NotImplementedError


# ------------------------------------------------------------------ tokens


@dataclass(frozen=True)
class OfTokens(Sampler):
    """Base of those that lengthen rows of tokens. Further inputs of the model are given."""

    logits: Output
    tok: Input
    length: Count
    end: Whole | None = None

    def misfits(self, given: Operands) -> Iterator[Misfit]:
        logits, tok = given["logits"].type, given["tok"].type
        limits = given["tok"].range
        if tok.dtype not in INTEGERS or tok.rank != 2:
            yield "tok", "token numbers, `i64[B, L]`"
            return
        if limits is None or limits[0] != 0:
            yield "tok", "of a declared range, `in 0..V`"
            return
        if not logits.is_float or logits.rank != 3:
            yield "logits", "scores of the next token, `f32[B, L, V]`"
            return
        if equal(logits.shape[2], limits[1]) is not True:
            yield "logits", f"scores of {limits[1]} tokens, as many as `tok` has numbers"
        lengths = (tok.shape[1], tok.shape[1] - 1)
        if not any(equal(logits.shape[1], length) for length in lengths):
            yield "logits", f"as long as `tok`, {tok.shape[1]}"
        if self.end is not None and self.end >= limits[1]:
            yield "end", f"a token, in 0..{limits[1]}"


@dataclass(frozen=True)
class Autoregressive(OfTokens):
    """Tokens drawn one after the other, each from the scores of all before it.

    `logits` [B, L, V] scores the token that follows each place of `tok` [B, L] in 0..V. `length`
    tokens are added, fewer where a row reaches the token `end`. `temperature` divides the scores:
    below 1 the likely becomes likelier, 0 takes the likeliest. `top_k` keeps the k likeliest
    tokens, `top_p` the likeliest that make up that share together (Holtzman et al. 2020)."""

    temperature: NotNegative = 1.0
    top_k: Count | None = None
    top_p: Share | None = None

    def misfits(self, given: Operands) -> Iterator[Misfit]:
        yield from super().misfits(given)
        limits = given["tok"].range
        if self.top_k is not None and limits is not None and self.top_k > limits[1]:
            yield "top_k", f"at most {limits[1]}, the number of tokens"


@dataclass(frozen=True)
class Beam(OfTokens):
    """The likeliest rows of tokens found with `width` candidates side by side.

    `logits` [B, L, V] scores the token that follows each place of `tok` [B, L] in 0..V. `length`
    tokens are added, fewer where a row reaches the token `end`. `penalty` favours longer rows: the
    logarithm of a row's probability is divided by length ** `penalty`."""

    width: Count = 4
    penalty: NotNegative = 0.0


# ------------------------------------------------------------------ diffusion


@dataclass(frozen=True)
class OfNoise(Sampler):
    """Base of those that take noise away step by step."""

    eps: Output
    xt: Input
    t: Input
    betas: TwoBelowOne = (1e-4, 0.02)

    def misfits(self, given: Operands) -> Iterator[Misfit]:
        eps, xt, t = (given[name].type for name in ("eps", "xt", "t"))
        yield from drawn("xt", xt)
        if eps != xt:
            yield "eps", f"of the type of `xt`, {xt}"
        limits = given["t"].range
        if t.dtype not in INTEGERS or t.rank != 1:
            yield "t", "the number of a step for each row, `i64[B]`"
        elif limits is None or limits[0] != 0:
            yield "t", "of a declared range, `in 0..T`"


@dataclass(frozen=True)
class Ddpm(OfNoise):
    """Denoising diffusion (Ho et al. 2020): from pure noise through all T steps, each of which
    takes some noise away and adds fresh noise.

    `eps` is the noise that the model finds in `xt` at the steps `t` [B] in 0..T; `betas` are the
    variances of the first and the last step, in a straight line between, as in training."""


@dataclass(frozen=True)
class Ddim(OfNoise):
    """Implicit denoising diffusion (Song et al. 2021): from pure noise in `steps` of the T steps,
    spread evenly. `eta` is the share of fresh noise: 0 adds none.

    `eps` is the noise that the model finds in `xt` at the steps `t` [B] in 0..T; `betas` are the
    variances of the first and the last step, in a straight line between, as in training."""

    steps: Count = 50
    eta: Portion = 0.0

    def misfits(self, given: Operands) -> Iterator[Misfit]:
        yield from super().misfits(given)
        limits = given["t"].range
        if limits is not None and self.steps > limits[1]:
            yield "steps", f"at most {limits[1]}, the steps of `t`"


# ------------------------------------------------------------------ codes


@dataclass(frozen=True)
class Decode(Sampler):
    """What a generator or decoder makes of Gaussian noise: `code` is drawn with mean 0 and standard
    deviation `std`, `output` is the sample."""

    output: Output
    code: Input
    std: NotNegative = 1.0

    def misfits(self, given: Operands) -> Iterator[Misfit]:
        yield from drawn("code", given["code"].type)


def drawn(name: str, type: TensorType) -> Iterator[Misfit]:
    """What is wrong with an input whose rows are drawn."""
    if not type.is_float or not type.rank:
        yield name, "floats with a row for each sample, `f32[B, …]`"
    elif any(not isinstance(dim, int) for dim in type.shape[1:]):
        yield name, "of known size but for the batch"


SAMPLERS = Table("sampler", {
    "autoregressive": Autoregressive,
    "beam": Beam,
    "ddpm": Ddpm,
    "ddim": Ddim,
    "decode": Decode,
})
