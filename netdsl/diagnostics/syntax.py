"""N1xx: what is wrong with a source text before it means anything."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from netdsl.diagnostics import Diagnostic, Mark, Problem
from netdsl.source import Span

# ---------------------------------------------------------------- reading a file


@dataclass(frozen=True)
class UnreadableFile(Problem):
    """A file cannot be read.

    netdsl reads ordinary files that exist and that you may read. A folder, a pipe or a device
    is not one: `netdsl check models` fails, `netdsl check models/lenet.net` works.

    Check the spelling of the path. A path in `use` is relative to the file it stands in.
    """

    code: ClassVar[str] = "N101"
    path: str
    reason: str
    asked: Span | None = None  # the `use` that names the file

    def describe(self) -> Diagnostic:
        return self.say(f"cannot read `{self.path}`: {self.reason}", self.asked)


@dataclass(frozen=True)
class NotText(Problem):
    """A file is not text in UTF-8.

    `.net` files are UTF-8. Other encodings (UTF-16, Latin-1) and binary files (an ONNX file,
    an archive) are refused instead of being guessed at.

    Save the file as UTF-8 in your editor, or convert it:

        iconv -f latin1 -t utf-8 old.net > new.net
    """

    code: ClassVar[str] = "N102"
    span: Span
    byte: int

    def describe(self) -> Diagnostic:
        mark = Mark(self.span, f"byte 0x{self.byte:02x} is no part of UTF-8 here")
        return self.say("this file is not UTF-8 text", mark, suggestion="save it as UTF-8")


@dataclass(frozen=True)
class TooLong(Problem):
    """A source text is too long.

    The bound keeps checking a stranger's file cheap. A network of a thousand layers needs a few
    hundred lines, because loops and layers say it once.

    If a program wrote the file, let it write loops; split what is left with `use`.
    """

    code: ClassVar[str] = "N103"
    name: str
    limit: str  # "4 MiB", "1,000,000 words and signs"
    span: Span | None = None  # where it goes beyond, or the `use` that asked for it

    def describe(self) -> Diagnostic:
        message = f"`{self.name}` is longer than {self.limit}, the most netdsl reads"
        return self.say(message, self.span)


@dataclass(frozen=True)
class TooDeep(Problem):
    """Brackets, blocks or operators are nested too deeply.

    What a person writes stays below ten levels. The bound keeps every later step over the
    program within a known stack, whatever the file.

    Name the inner parts and use the names:

        inner = f(g(x))
        y = h(inner)
    """

    code: ClassVar[str] = "N104"
    span: Span
    limit: int

    def describe(self) -> Diagnostic:
        mark = Mark(self.span, f"this lies more than {self.limit} levels deep")
        return self.say("the nesting is too deep", mark, suggestion="name the inner parts")


@dataclass(frozen=True)
class StrangeCharacter(Problem):
    """A character that does not belong in a source text.

    Outside strings and comments the language is ASCII: a Greek `ο` in a name looks like an `o`
    and is another name. Control characters and those that change the direction of text are
    refused everywhere, because what you see would not be what is read. So is a carriage return
    that no line feed follows.

    Delete the character, or type the ASCII one that was meant. A tab or a line end inside a
    string is written `\\t` and `\\n`.
    """

    code: ClassVar[str] = "N105"
    span: Span
    name: str  # "U+03BF greek small letter omicron"
    reason: str
    meant: str | None = None

    def describe(self) -> Diagnostic:
        suggestion = f"write `{self.meant}`" if self.meant else None
        return self.say(self.reason, Mark(self.span, self.name), suggestion=suggestion)


# ---------------------------------------------------------------- numbers and strings


@dataclass(frozen=True)
class BadNumber(Problem):
    """A number is not written as numbers are.

    Digits, with digits on both sides of a point, and an exponent if you like: `12`, `0.5`,
    `1e-4`. There are no `.5`, `1.`, `1_000`, `0x10` and `10k`, and at most 400 digits when
    written out.
    """

    code: ClassVar[str] = "N106"
    span: Span
    reason: str
    meant: str | None = None

    def describe(self) -> Diagnostic:
        suggestion = f"write `{self.meant}`" if self.meant else None
        return self.say(self.reason, self.span, suggestion=suggestion)


@dataclass(frozen=True)
class LongName(Problem):
    """A name is too long.

    Names and labels become parts of the names of parameters, which nobody reads beyond a line,
    and every parameter below a label repeats it. Shorten the name; say the rest in a comment.
    """

    code: ClassVar[str] = "N109"
    span: Span
    limit: int

    def describe(self) -> Diagnostic:
        mark = Mark(self.span, f"{self.span.end - self.span.start:,} letters")
        return self.say(f"this name has more than {self.limit} letters", mark,
                        suggestion="shorten it; a comment can say the rest")


@dataclass(frozen=True)
class UnclosedString(Problem):
    """A string has no closing quote.

    A string begins and ends on one line: `"images/train"`. A line end inside it is written
    `\\n`. There are no strings over several lines; longer text goes into `#` comments.
    """

    code: ClassVar[str] = "N107"
    span: Span
    triple: bool = False

    def describe(self) -> Diagnostic:
        if self.triple:
            message = 'there are no `"""` strings'
            return self.say(message, self.span, suggestion="write documentation as `#` comments")
        message = "this string has no closing quote on its line"
        return self.say(message, self.span, suggestion='end it with `"`')


@dataclass(frozen=True)
class BadEscape(Problem):
    """A backslash in a string is followed by something unknown.

    The escapes are `\\"`, `\\\\`, `\\n` and `\\t`. In paths use `/`, which works on every
    system: `"data/train"`.
    """

    code: ClassVar[str] = "N108"
    span: Span

    def describe(self) -> Diagnostic:
        message = f"`{self.span.text}` is not an escape"
        return self.say(message, self.span, suggestion="write `\\\\` for a backslash")


# ---------------------------------------------------------------- structure


@dataclass(frozen=True)
class Unexpected(Problem):
    """Something stands where the grammar has no place for it.

    The message names what could stand there. Often a comma, a bracket or an operator is
    missing just before the marked place:

        x = concat(a b, axis = 1)      # a comma is missing between `a` and `b`
    """

    code: ClassVar[str] = "N110"
    span: Span
    found: str  # in words
    expected: tuple[str, ...]  # in words
    opened: Span | None = None  # the bracket around it
    notes: tuple[str, ...] = ()
    way: str | None = None

    def describe(self) -> Diagnostic:
        expected = alternatives(self.expected)
        message = f"expected {expected}, found {self.found}"
        opened = self.opened and Mark(self.opened, "opened here")
        return self.say(message, self.span, opened, notes=self.notes, suggestion=self.way)


@dataclass(frozen=True)
class MissingExpression(Problem):
    """An expression is missing.

    An operator, a `=`, a `->` or a keyword such as `return` has nothing behind it, and the next
    line begins something new:

        x =
        return x
    """

    code: ClassVar[str] = "N111"
    span: Span  # what needs an expression behind it

    def describe(self) -> Diagnostic:
        way = "leave the comma out" if self.span.text == "," else None
        return self.say(f"an expression is missing after `{self.span.text}`", self.span,
                        suggestion=way)


@dataclass(frozen=True)
class Unclosed(Problem):
    """A bracket is never closed.

    The mark is on the bracket that has no partner, as far as the indentation tells; the file
    ends, or the next declaration begins, before it is closed.
    """

    code: ClassVar[str] = "N112"
    span: Span
    closing: str
    before: Span | None = None  # where it should have been closed at the latest
    way: str | None = None

    def describe(self) -> Diagnostic:
        before = self.before and Mark(self.before, f"`{self.closing}` is missing before this")
        message = f"this `{self.span.text}` is never closed"
        way = f"`{self.way}`" if self.way else f"close it with `{self.closing}`"
        return self.say(message, self.span, before, suggestion=way)


@dataclass(frozen=True)
class Unopened(Problem):
    """A closing bracket has no partner.

    Nothing is open that this bracket could close: it is one too many, or of the wrong kind, or
    its opening bracket was lost. When a `}` too many ends a layer early, what follows stands
    outside every declaration.
    """

    code: ClassVar[str] = "N113"
    span: Span
    opened: Span | None = None  # what is open instead, or what it ends too early
    early: bool = False

    def describe(self) -> Diagnostic:
        bracket = self.span.text
        if self.early:
            opened = self.opened and Mark(self.opened, "what it ends begins here")
            message = f"this `{bracket}` ends more than it should"
            return self.say(message, self.span, opened, suggestion="delete one `}`")
        if self.opened:
            message = f"`{bracket}` does not close `{self.opened.text}`"
            return self.say(message, self.span, Mark(self.opened, "opened here"))
        return self.say(f"this `{bracket}` closes nothing", self.span, suggestion="delete it")


@dataclass(frozen=True)
class Misspelled(Problem):
    """A word looks like a misspelled keyword.

    A statement or declaration begins with a keyword, and this word is close to one:

        modle LeNet { … }              # model
    """

    code: ClassVar[str] = "N114"
    span: Span
    keyword: str

    def describe(self) -> Diagnostic:
        message = f"`{self.span.text}` is not a keyword"
        return self.say(message, self.span, suggestion=f"did you mean `{self.keyword}`?")


@dataclass(frozen=True)
class ReservedWord(Problem):
    """A keyword is used as a name.

    Keywords name nothing, so that a reader and the parser see at once what a line is. They may
    be labels (`input: conv{8}`) and stand after a dot (`net.loss`).

    Choose another name; `loss_` will do.
    """

    code: ClassVar[str] = "N115"
    span: Span
    usage: str | None = None  # a sentence
    way: str | None = None  # where no name of the user's can be meant

    def describe(self) -> Diagnostic:
        word = self.span.text
        notes = (self.usage,) if self.usage else ()
        message = f"`{word}` is a keyword and cannot be a name"
        way = self.way or f"call it `{word}_`"
        return self.say(message, self.span, notes=notes, suggestion=way)


@dataclass(frozen=True)
class BadEdition(Problem):
    """The language edition is unknown, or not the first thing in the file.

    `net 1` says which edition of the language a file is written in. It stands on the first line
    that is not a comment. This netdsl reads edition 1.
    """

    code: ClassVar[str] = "N116"
    span: Span
    late: bool = False

    def describe(self) -> Diagnostic:
        if self.late:
            return self.say("the edition is not the first thing in the file", self.span,
                            suggestion="move it to the first line")
        message = f"edition {self.span.text} is not known"
        return self.say(message, self.span, suggestion="write `net 1`")


@dataclass(frozen=True)
class BodyBegin(Problem):
    """A model's body does not begin with what the model holds.

    The first statement after `model Name {` is an `input`, `state`, `parameter` or `assert`.
    That is how a body is told from attributes, which stand in braces too:

        model Name{classes = 10} {
            input image: f32[B, 1, 28, 28]
            …
        }
    """

    code: ClassVar[str] = "N117"
    span: Span
    brace: Span

    def describe(self) -> Diagnostic:
        return self.say(
            "a model's body begins with `input`, `state`, `parameter` or `assert`",
            Mark(self.span, "what came first"),
            Mark(self.brace, "the body begins here"),
            suggestion="move the inputs to the top of the body",
        )


@dataclass(frozen=True)
class ChainedComparison(Problem):
    """Two comparisons follow each other.

    `a < b < c` has no meaning here; say which two comparisons must hold:

        a < b and b < c
    """

    code: ClassVar[str] = "N118"
    span: Span
    meant: str

    def describe(self) -> Diagnostic:
        message = "comparisons do not chain"
        return self.say(message, self.span, suggestion=f"write `{self.meant}`")


def alternatives(words: tuple[str, ...]) -> str:
    """`a`, `a or b`, `a, b or c`."""
    if len(words) == 1:
        return words[0]
    return f"{', '.join(words[:-1])} or {words[-1]}"
