"""N12x: what was written as in another language."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from netdsl.diagnostics import Diagnostic, Mark, Problem
from netdsl.source import Span


@dataclass(frozen=True)
class ForeignSign(Problem):
    """A sign of another language.

    `and`, `or` and `not` are words; `**` is a power, `==` compares, `=` binds; statements need
    no `;`, because every statement begins with a name or a keyword; newlines mean nothing, so
    there is no `\\` at the end of a line; strings stand in double quotes.
    """

    code: ClassVar[str] = "N120"
    span: Span
    instead: str | None  # None: leave it out
    more: int = 0  # how often it stands further down

    def describe(self) -> Diagnostic:
        notes = (f"and {self.more} more below",) if self.more else ()
        suggestion = f"write `{self.instead}`" if self.instead else "leave it out"
        message = f"there is no `{self.span.text}` in this language"
        return self.say(message, self.span, notes=notes, suggestion=suggestion)


@dataclass(frozen=True)
class ForeignConditional(Problem):
    """A conditional is written as in Python.

    The condition comes first: `if training then a else b`.
    """

    code: ClassVar[str] = "N121"
    span: Span
    meant: str

    def describe(self) -> Diagnostic:
        message = "a conditional begins with its condition"
        return self.say(message, self.span, suggestion=f"write `{self.meant}`")


@dataclass(frozen=True)
class ColonBlock(Problem):
    """A block begins with `:` as in Python.

    Blocks stand in braces, and indentation is only for the eye:

        for (i in 0..3) {
            x = conv{8}(x)
        }
    """

    code: ClassVar[str] = "N122"
    span: Span
    meant: str

    def describe(self) -> Diagnostic:
        message = "blocks stand in braces, not behind `:`"
        return self.say(message, self.span, suggestion=f"write `{self.meant}`")


@dataclass(frozen=True)
class BareHeader(Problem):
    """The header of a `for` or `if` is not in parentheses.

        for (i in 0..3) { … }
        if (stride != 1) { … }
    """

    code: ClassVar[str] = "N123"
    span: Span
    meant: str

    def describe(self) -> Diagnostic:
        keyword = self.span.text.split()[0]
        message = f"`{keyword}` takes its header in parentheses"
        return self.say(message, self.span, suggestion=f"write `{self.meant}`")


@dataclass(frozen=True)
class EqualsInCondition(Problem):
    """`=` stands where a comparison is meant.

    `=` gives a name to a value; `==` asks whether two values are equal.
    """

    code: ClassVar[str] = "N124"
    span: Span

    def describe(self) -> Diagnostic:
        return self.say("`=` binds a name; it does not compare", self.span, suggestion="write `==`")


@dataclass(frozen=True)
class ForeignForm(Problem):
    """Something is said as in another language.

    A `.net` file declares layers and models instead of functions and classes:

        def block(c, x): …          layer Block{c}(x) { … }
        class Net: …                model Net { … }
        import blocks               use "./blocks.net" as blocks
        self.conv1(x)               conv1(x)
        while c: …                  for (i in 0..n) { … }
        assert c, "message"         assert c else "message"
    """

    code: ClassVar[str] = "N125"
    span: Span
    instead: str
    message: str | None = None

    def describe(self) -> Diagnostic:
        message = self.message or f"`{self.span.text}` means nothing here"
        return self.say(message, self.span, suggestion=self.instead)


@dataclass(frozen=True)
class SlashComment(Problem):
    """A comment begins with `//`.

    Comments begin with `#`. `//` is division that rounds down: `7 // 2` is 3.
    """

    code: ClassVar[str] = "N126"
    span: Span
    more: int = 0  # how often it stands further down

    def describe(self) -> Diagnostic:
        sign = self.span.text
        mark = Mark(self.span, "this is division" if sign == "//" else "")
        notes = (f"and {self.more} more below",) if self.more else ()
        suggestion = f"write `#` for `{sign}`"
        return self.say("comments begin with `#`", mark, notes=notes, suggestion=suggestion)


@dataclass(frozen=True)
class ModelParentheses(Problem):
    """A model's attributes stand in parentheses.

    What is known when the network is built stands in braces, and a model's data are declared
    in its body:

        model Net{classes = 10} {
            input image: f32[B, 3, 32, 32]
            …
        }
    """

    code: ClassVar[str] = "N127"
    span: Span
    meant: str

    def describe(self) -> Diagnostic:
        return self.say(
            "a model takes nothing in parentheses",
            self.span,
            notes=("data are declared in the body: `input image: f32[B, 3, 32, 32]`",),
            suggestion=f"attributes stand in braces: `model {self.meant} {{ … }}`",
        )
