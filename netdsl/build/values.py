"""What a name can stand for at compile time, beside numbers, texts, lists and sizes."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property
from typing import Any

from netdsl.build.work import Work
from netdsl.ir.dim import Dim, Expr
from netdsl.ir.graph import Initializer, Value
from netdsl.ir.program import UNKNOWN, Unknown  # noqa: F401 - `build` takes both from here
from netdsl.language import ast
from netdsl.layers.arguments import DType, SamePadding, is_number
from netdsl.layers.initializers import InitializerRow
from netdsl.layers.words import REQUIRED, Word
from netdsl.source import Source, Span


@dataclass(eq=False)
class Module:
    """A file with its declarations by name. `names` holds lets, layers, models, imports."""

    source: Source
    file: ast.File
    names: dict[str, Any] = field(default_factory=dict)
    trains: list[ast.TrainDeclaration] = field(default_factory=list)
    samples: list[ast.SampleDeclaration] = field(default_factory=list)
    work: Work = field(default_factory=Work)
    heirs: dict[ModelDefinition, list[ast.TrainDeclaration]] | None = None  # see `training`
    clues: dict[int, Any] = field(default_factory=dict)  # see `unknown`

    @cached_property
    def models(self) -> dict[str, ModelDefinition]:
        return {n: d for n, d in self.names.items() if isinstance(d, ModelDefinition)}

    @cached_property
    def programs(self) -> dict[str, list[ast.TrainDeclaration]]:
        """The training programs by the names of their models, in the order of the file."""
        programs: dict[str, list[ast.TrainDeclaration]] = {}
        for train in self.trains:
            programs.setdefault(train.model.id, []).append(train)
        return programs


@dataclass(eq=False)
class LayerDefinition:
    """A `layer` of a file."""

    declaration: ast.LayerDeclaration
    module: Module

    @property
    def name(self) -> str:
        return self.declaration.name.id


@dataclass(eq=False)
class ModelDefinition:
    """A `model` of a file; a preset refers to the model it fills in through `base`."""

    name: str
    declaration: ast.ModelDeclaration | ast.Preset
    module: Module

    @property
    def span(self) -> Span:
        return self.declaration.name.span


@dataclass(eq=False)
class Instance:
    """A layer with its attributes, ready to be applied; owns its parameters by `path`.

    `creates` is False for an instance inside a layer that is being applied again: what it needs
    was made the first time. `applied` has the places of the first application and of the last,
    `variables` names what the first used; `failed` tells that it went wrong, so that later ones are
    silent. A copy has a `source`, which it follows with
    a `decay`, and says what becomes of its `buffers`. `given` has the arguments as written, by
    attribute, and `frame` is the body they were written in.
    """

    definition: LayerDefinition | Word
    attributes: dict[str, Any]
    path: str
    span: Span
    creates: bool = True
    uses: int = 0
    applied: tuple[Span, ...] = ()
    variables: frozenset[str] = frozenset()
    failed: bool = False
    source: Instance | None = None
    decay: Value | None = None
    buffers: str | None = None
    given: dict[str, Any] = field(default_factory=dict, repr=False)
    frame: Any = field(default=None, repr=False)

    @property
    def kind(self) -> str:
        return self.definition.name


@dataclass(frozen=True)
class InstanceFunction:
    """A function that takes instances: `ema`, `frozen`, `l2_penalty`. `doc` is its page."""

    name: str
    doc: str


@dataclass(frozen=True, slots=True)
class Place:
    """A label path that leads to instances and parameters and is neither: `encoder.stage`."""

    path: str


@dataclass(frozen=True, slots=True)
class Ratio:
    """A quotient of sizes that is not settled: `H / 2` before floor or ceil."""

    numerator: Dim
    denominator: Dim

    def __str__(self) -> str:
        sides = (f"({side})" if " " in side else side
                 for side in (str(self.numerator), str(self.denominator)))
        return " / ".join(sides)


def usable(value: Any) -> bool:
    """Whether a name may be bound to it: models, files and label paths are not values."""
    return not isinstance(value, (Module, ModelDefinition, Place))


MOST_SHOWN = 12  # items of a list in a message


def show(value: Any, depth: int = 3) -> str:
    """A compile-time value as the language writes it, long and deep lists cut short."""
    match value:
        case bool():
            return "true" if value else "false"
        case None:
            return "none"
        case Fraction():
            return _fraction(value)
        case list() | tuple():
            opening, closing = "[]" if isinstance(value, list) else "()"
            items = [show(item, depth - 1) for item in value[:MOST_SHOWN]] if depth else ["…"]
            items += ["…"] if depth and len(value) > MOST_SHOWN else []
            return opening + ", ".join(items) + closing
        case range():
            return f"{value.start}..{value.stop}"
        case str():
            return f'"{value}"'
        case Value():
            return str(value.type)
        case Word() | LayerDefinition() | ModelDefinition() | InitializerRow():
            return value.name
        case DType() | SamePadding():
            return value.name
        case Initializer():
            return f"{value.name}({', '.join(map(show, value.arguments))})"
        case Instance():
            return f"{value.kind}{{…}}"
        case Module():
            return "an imported file"
    return shortened(str(value))


MOST_WRITTEN = 60  # characters of the attributes of an instance


def construction(instance: Instance) -> str:
    """`Bottleneck{64, stride = 2}`: how an instance is made, without what equals a default."""
    shown, by_name = "", False
    for name, default in _defaults(instance.definition):
        value = instance.attributes[name]
        by_name |= default is not None
        if name not in instance.given or default == show(value):
            continue
        part = f"{name} = {show(value)}" if by_name else show(value)
        if len(shown) + len(part) > MOST_WRITTEN:
            shown += ", …" if shown else "…"
            break
        shown += f", {part}" if shown else part
    return f"{instance.kind}{{{shown}}}"


def _defaults(definition: LayerDefinition | Word) -> list[tuple[str, str | None]]:
    """The attributes with their defaults as written or shown, None where one must be given."""
    if isinstance(definition, Word):
        return [(a.name, None if a.default is REQUIRED else show(a.default))
                for a in definition.attributes]
    return [(a.name.id, a.default and a.default.span.text)
            for a in definition.declaration.attributes]


def shortened(digits: str) -> str:
    """A number as text, one of very many digits cut short."""
    return digits if len(digits) <= 40 else f"{digits[:12]}… ({len(digits)} digits)"


def _fraction(value: Fraction) -> str:
    """As a decimal where that is exact: 0.1, but 1/3."""
    try:
        decimal = repr(float(value))
    except OverflowError:
        return shortened(str(value))
    return decimal if Fraction(decimal) == value else shortened(str(value))


def described(value: Any) -> str:
    """What kind of thing a value is, for a message."""
    match value:
        case bool():
            return f"`{show(value)}`"
        case None:
            return "`none`"
        case Value():
            return f"a tensor {value.type}"
        case Word(owns=True) | LayerDefinition():
            return f"the layer `{value.name}`"
        case Word() | InitializerRow() | InstanceFunction():
            return f"the function `{value.name}`"
        case Instance():
            return f"an instance of `{value.kind}`"
        case ModelDefinition():
            return f"the model `{value.name}`"
        case Module():
            return "an imported file"
        case Place():
            return f"`{value.path}`"
        case DType():
            return f"the dtype `{value.name}`"
        case SamePadding():
            return f"the padding `{value.name}`"
        case str():
            return f"the text {show(value)}"
        case list():
            return f"a list of {len(value)}"
        case tuple():
            return f"a tuple of {len(value)}"
        case range():
            return f"the range {show(value)}"
        case Expr() | Ratio():
            return f"the size {value}"
        case Initializer():
            return f"the initialiser `{value.name}`"
    return f"the number {show(value)}" if is_number(value) else "this value"
