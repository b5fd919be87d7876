"""Ways out of mistakes in the user's own words: `where(x > 0, x, y)` for an `if` on a tensor,
`x -> relu` for `x.relu()`. None where there is no short one that is surely right."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from math import comb
from typing import Any

from netdsl.build.explain.translation import translated, word_meant
from netdsl.build.explain.unknown import clues_at
from netdsl.build.values import Instance, LayerDefinition, ModelDefinition, Module, Ratio
from netdsl.diagnostics import Mark
from netdsl.ir.dim import Expr
from netdsl.ir.graph import Value
from netdsl.ir.tensor import NUMPY_DTYPES
from netdsl.language import ast
from netdsl.layers import WORDS
from netdsl.layers.initializers import INITIALIZERS
from netdsl.layers.words import REQUIRED, Word, WordAttribute
from netdsl.source import Span

MOST_SHOWN = 70  # characters of one way out

SIGNATURE = "a layer's signature names sizes: `layer Head{}(x: [B, c, H, W])`"
METHODS = {  # of tensors elsewhere, for which no function of the same name stands
    "shape": SIGNATURE, "size": SIGNATURE, "dim": SIGNATURE, "ndim": SIGNATURE,
    "t": "`transpose({x})`", "T": "`transpose({x})`", "mT": "`transpose({x})`",
    "float": "`f32({x})`", "double": "`f64({x})`", "half": "`f16({x})`", "long": "`i64({x})`",
    "int": "`i32({x})`", "bool": "`{x} != 0`", "contiguous": "`{x}`", "clone": "`{x}`",
    "cuda": "`{x}`", "cpu": "`{x}`", "append": "`{x} + [{arguments}]`",
    "extend": "`{x} + {arguments}`", "permute": "`transpose({x}, [{arguments}])`",
    "unsqueeze": "`stack([{x}], axis = {arguments})`",
}


def shown(span: Span) -> str | None:
    """The user's text on one line; None for a long one."""
    text = " ".join(span.text.split())
    return text if len(text) <= MOST_SHOWN else None


def quoted(way: str | None) -> str | None:
    return None if way is None or len(way) > MOST_SHOWN or "\n" in way else f"`{way}`"


def of_method(node: ast.Member, call: ast.Call | None) -> str | None:
    """The function behind `x.relu()`, `x.view(B, -1)`, `x.shape`."""
    x = node.target.span.text
    arguments = () if call is None else call.arguments
    written = ", ".join(argument.span.text for argument in arguments)
    if node.name in ("view", "reshape"):
        if written.replace(" ", "").endswith(",-1") and len(arguments) == 2:
            return quoted(f"{x} -> flatten")
        return quoted(f"reshape({x}, [{written}])") if "-1" not in written else None
    if node.name in METHODS and (node.name not in WORDS):
        way = METHODS[node.name]
        return way if "{" not in way or way is SIGNATURE else way.format(x=x, arguments=written)
    word = word_meant(node.name)
    if word is None or word.owns:
        return None
    said = word.name if call is None or not arguments else translated(call, node.name, word)
    return None if said is None else quoted(f"{x} -> {said}")


def of_choice(node: ast.Choose | ast.If, is_bound: Callable[[str], bool]) -> str | None:
    """`where(…)` for what an `if` on a tensor is meant to do."""
    condition = node.condition.span.text.strip("()")
    if isinstance(node, ast.Choose):
        return quoted(f"where({condition}, {node.then.span.text}, {node.otherwise.span.text})")
    match node.body, node.otherwise:
        case ((ast.Bind(names=(name,), values=(then,)),),
              (ast.Bind(names=(other,), values=(otherwise,)),)) if name.id == other.id:
            return quoted(f"{name.id} = where({condition}, {then.span.text}, "
                          f"{otherwise.span.text})")
        case ((ast.Bind(names=(name,), values=(then,)),), None) if is_bound(name.id):
            return quoted(f"{name.id} = where({condition}, {then.span.text}, {name.id})")
    return None


def of_open(condition: Span) -> str:
    """What settles a condition on free dimensions."""
    fixed, text = "a fixed size in the input's declaration", shown(condition)
    return fixed if text is None else f"`assert {text} else \"…\"` above it, or {fixed}"


def of_fraction(text: str) -> str:
    """Whole numbers in place of fractions: `k // 2` for `k / 2`."""
    if re.search(r"(?<!/)/(?!/)", text):
        return f"`{re.sub(r'(?<!/)/(?!/)', '//', text)}`"
    return f"`floor({text})` or `ceil({text})`"


def of_argument(
    word: Word, attribute: WordAttribute, bound: Mapping[str, Any], value: Any
) -> str | None:
    """What to write in place of a value that an argument cannot take."""
    given = bound[attribute.name]
    if isinstance(value, Expr) and word.owns and "whole" in attribute.kind.expected:
        return "no parameter has a free size: fix it in the input's declaration"
    if isinstance(value, str) and value in NUMPY_DTYPES and "dtype" in attribute.kind.expected:
        return f"`{value}`"
    if attribute.name == "init":
        return of_initializer(value, given.span)
    if attribute.name == "shape" and given.span.text.count("-1") == 1:
        return quoted(given.span.text.replace("-1", "?"))
    if word.name == "blurpool" and attribute.name == "weights":
        return f"`weights = {of_window(value)}`"
    if isinstance(value, str) and value == "same" and attribute.name == "pad":
        return "`pad = same`"
    sizes = "whole" in attribute.kind.expected or "shape" in attribute.kind.expected
    if isinstance(value, (Fraction, Ratio)) and sizes:
        return of_fraction(given.span.text)
    return None


MOST_TAPS = 9


def of_window(k: object) -> list[int]:
    """The weights of a blur over `k` places, binomial coefficients; [1, 2, 1] where k tells none.
    """
    size = k if isinstance(k, int) and 1 < k <= MOST_TAPS else 3
    return [comb(size - 1, i) for i in range(size)]


def of_one_too_many(of: str, names: tuple[str, ...], in_row: int, given: Sequence[Any]) -> str:
    """What to write where a layer gets more in a row than goes by position."""
    row = [each.span.text for each in given if each.name is None]
    if len(row) == in_row + 1 and names[:1] == ("c",):
        return f"`{of}{{{', '.join(row[1:])}}}`: how many come in is read from the tensor"
    values = [each.value for each in given if each.name is None]
    if names[in_row] == "eps" and isinstance(values[in_row], int):  # of channels
        kept = [*row[:in_row], *(f"eps = {eps}" for eps in row[in_row + 1:in_row + 2])]
        return f"`{of}{{{', '.join(kept)}}}`: how many come in is read from the tensor"
    return f"by name, such as `{names[in_row]} = {row[in_row]}`"


def of_one_behind_names(names: tuple[str, ...], given: Sequence[Any], argument: Any) -> str:
    """What to write for an argument by position where one by name has its place, as in
    `conv{8, k = 3, 2}`."""
    text = argument.span.text
    row = sum(each.name is None for each in given[: given.index(argument)])
    taken = {*names[:row], *(each.name for each in given)}
    left = [name for name in names if name not in taken]
    name = text if text in left else next(iter(left), None)
    if name is None:
        return "by position first, then by name"
    return f"by position first, then by name: `{name} = {text}`"


def of_row(word: Word, operands: Sequence[Any], row: Sequence[Any], span: Span) -> str | None:
    """The list that several arguments in a row are meant to be: `reshape(x, [B, 192])`. Two axes
    given to `transpose` are those to swap, as in PyTorch."""
    if word.name not in ("reshape", "expand", "transpose") or len(row) < 2 or None in operands:
        return None
    if any(each.name is not None for each in row):
        return None
    texts, x = [each.span.text for each in row], operands[0]
    axes = [each.value for each in row]
    rank = x.value.type.rank
    if word.name == "transpose" and len(axes) != rank:
        if len(axes) != 2 or not all(isinstance(a, int) and -rank <= a < rank for a in axes):
            return None
        order = list(range(rank))
        first, second = axes[0] % rank, axes[1] % rank
        order[first], order[second] = order[second], order[first]
        texts = [str(axis) for axis in order]
    if word.name == "reshape":
        texts = ["?" if text == "-1" else text for text in texts]
    before = "" if x.span.end <= span.start else f"{x.span.text}, "
    return quoted(f"{word.name}({before}[{', '.join(texts)}])")


def of_initializer(value: object, span: Span) -> str:
    """An initialiser with its parentheses, where it is named without them."""
    row = INITIALIZERS.get(span.text)
    if row is None or getattr(value, "name", None) != row.name:
        return "`zeros()` or `normal(std = 0.02)`"
    return f"`{row.name}()`"


def of_mean(span: Span, is_float: bool) -> str:
    """One number in place of many."""
    text = shown(span) or "…"
    return f"`mean({text if is_float else f'f32({text})'})`"


def as_output(node: ast.Return) -> str:
    """The `output` that a `return` in a model is meant to be."""
    if len(node.values) > 1:
        return "each result has an `output` of its own"
    value = node.values[0]
    text = shown(value.span) or "…"
    return f"`output {text}`" if isinstance(value, ast.Name) else f"`output y = {text}`"


def to_be_layer(value: object) -> str | None:
    """What to do with something that is no layer and is constructed."""
    if isinstance(value, ModelDefinition):
        return (f"a model has inputs of its own; what is applied is a layer: "
                f"`layer {value.name}(x) {{ … return y }}`")
    if isinstance(value, Instance):
        return "it is constructed already: apply it with `()`"
    return None


def braced(definition: object, called: str | None = None) -> str:
    """A layer constructed with what it needs: `Block{}`, `Block{c = …}`; `called` is its name
    where it is constructed."""
    if not isinstance(definition, LayerDefinition):
        needed = [a.name for a in definition.attributes if a.default is REQUIRED]
    else:
        declared = definition.declaration.attributes
        needed = [a.name.id for a in declared if a.default is None]
    return f"{called or definition.name}{{{', '.join(f'{name} = …' for name in needed)}}}"


def hidden_word(module: Module, callee: object, span: Span) -> tuple[Mark | None, str | None]:
    """Where the name that is applied at `span` was bound to a tensor, and the word of the language
    that it hides."""
    name = span.text.partition("(")[0].strip()
    clues = clues_at(module, span)
    if not isinstance(callee, Value) or clues is None or name not in clues.bound:
        return None, None
    hidden = name if name in WORDS else None
    return Mark(clues.bound[name], "bound here"), hidden


def moved_to_braces(instance: Instance, argument: Any) -> str:
    """An attribute that was given with the operands, where it belongs: `conv{16, k = 3}`."""
    made, written = shown(instance.span), (argument.place or argument.span).text
    brace = None if made is None else made.rfind("}")
    if made is None or brace < 0:
        return f"`{argument.name}` is an attribute: it goes in the braces"
    return f"`{made[:brace]}, {written}}}`: attributes go in the braces"
