"""Problems of `sample` declarations: codes N455, N456 and N458."""

from __future__ import annotations

from dataclasses import dataclass

from netdsl.diagnostics import Diagnostic, Problem
from netdsl.diagnostics.names import listed
from netdsl.diagnostics.suggest import did_you_mean
from netdsl.source import Span


@dataclass(frozen=True)
class UnknownOperand(Problem):
    """A sampler is bound to something that is no output or no input of the model.

    What a sampler reads are outputs, which exist where nothing is trained; what it feeds are
    inputs. A value that is only bound becomes an output by saying so:

        output logits                                    # in the model
        sample LM { autoregressive(logits, tok, length = 500) }
    """

    code = "N455"
    span: Span | None
    role: str
    name: str
    known: tuple[str, ...]
    is_value: bool = False

    def describe(self) -> Diagnostic:
        way = f"add `output {self.name}` to the model" if self.is_value else None
        has = f"it has no {self.role}"
        if self.known:
            has = f"its {self.role}s are {listed(self.known)}"
        return self.say(f"the model has no {self.role} `{self.name}`", self.span, notes=[has],
                        suggestion=way or did_you_mean(self.name, self.known))


@dataclass(frozen=True)
class OperandDoesNotFit(Problem):
    """An output, input or argument of a sampler is not of the type that it needs.

        input tok: i64[B, L] in 0..96                    # token numbers
        output logits: f32[B, L, 96]                     # a score for each of the 96
        sample LM { autoregressive(logits, tok, length = 500) }

    `netdsl explain autoregressive` says what each operand is.
    """

    code = "N456"
    span: Span | None
    sampler: str
    name: str
    given: str
    expected: str

    def describe(self) -> Diagnostic:
        return self.say(f"`{self.name}` of `{self.sampler}` must be {self.expected}, and this is "
                        f"`{self.given}`", self.span)


@dataclass(frozen=True)
class OperandUnneeded(Problem):
    """A sampler feeds an input that the output it reads does not depend on.

    Sampling feeds back what it draws, so that the next draw rests on it. Here the output would stay
    as it is: another input or output is meant.
    """

    code = "N458"
    span: Span | None
    input: str
    output: str

    def describe(self) -> Diagnostic:
        return self.say(f"`{self.output}` does not depend on the input `{self.input}`", self.span)
