"""A layer as PyTorch or Keras writes it, said in this language: `nn.Conv2d(1, 16, 3)` is
`conv{16, k = 3}`. For ways out of mistakes; what cannot be said surely is not said."""

from __future__ import annotations

from difflib import SequenceMatcher

from netdsl.diagnostics.suggest import meant, nearest
from netdsl.language import ast
from netdsl.layers import WORDS
from netdsl.layers.words import Word

# What their arguments by position are here; "" is one that the tensor tells.
POSITIONS = {
    "Conv1d": ("", "c", "k", "stride", "pad", "dilation", "groups", "bias"),
    "Conv2d": ("", "c", "k", "stride", "pad", "dilation", "groups", "bias"),
    "Conv3d": ("", "c", "k", "stride", "pad", "dilation", "groups", "bias"),
    "Conv1D": ("c", "k", "stride"),
    "Conv2D": ("c", "k", "stride"),
    "Conv3D": ("c", "k", "stride"),
    "Linear": ("", "c", "bias"),
    "Dense": ("c",),
    "BatchNorm1d": ("", "eps", "momentum"),
    "BatchNorm2d": ("", "eps", "momentum"),
    "BatchNorm3d": ("", "eps", "momentum"),
    "LayerNorm": ("", "eps"),
    "RMSNorm": ("", "eps"),
    "GroupNorm": ("groups", "", "eps"),
    "MaxPool2d": ("k", "stride", "pad"),
    "AvgPool2d": ("k", "stride", "pad"),
    "MaxPooling2D": ("k", "stride"),
    "AveragePooling2D": ("k", "stride"),
    "Embedding": (),
    "Dropout": ("p",),
}
TOLD_BY_THE_TENSOR = ("inchannels", "infeatures", "numfeatures", "numchannels", "normalizedshape",
                      "inputshape", "inputdim", "cin")
MOST_SHOWN = 70


def word_meant(name: str) -> Word | None:
    """The word that another library's name stands for."""
    ours = nearest(name, WORDS)
    alike = ours is not None and ours.replace("_", "") in name.lower().replace("_", "")
    known = name in POSITIONS or alike or ours is not None and meant(name, WORDS) == ours
    return WORDS[ours] if ours is not None and known else None


def translated(
    node: ast.Call | ast.Construct, name: str, word: Word, operands: bool = False,
    in_place: bool = False,
) -> str | None:
    """A call with the arguments of another library as this one writes it; `name` is what the layer
    is called there. With `operands`, tensors come first where it is a function; `in_place` says
    that what a function gets by position stands where it should. None where an argument has no
    counterpart."""
    places = tuple(attribute.name for attribute in word.attributes)
    if word.owns and not word.in_row:
        places = ("", *places)  # how many channels come in
    if sum(argument.name is None for argument in node.arguments) > 1:  # else it is told already
        places = POSITIONS.get(name, places)
    known = [attribute.name for attribute in word.attributes]
    given: dict[str, str] = {}
    row: list[str] = []
    if not word.owns and (in_place or operands):
        row = [a.value.span.text for a in node.arguments if a.name is None]
        if in_place:
            known += [operand.name for operand in word.operands]
        elif len(word.operands) > 1 and not word.operands[0].variadic:
            if row and not _as_many(word, row):
                return None
        elif not name[:1].islower():
            row = []
        elif len(word.operands) < 2 and not any(each.variadic for each in word.operands):
            row = row[: len(word.operands)]
    for position, argument in enumerate(node.arguments[len(row) :]):
        if argument.name is None:
            ours = places[position] if position < len(places) else None
        elif argument.name.lower().replace("_", "") in TOLD_BY_THE_TENSOR:
            ours = ""
        else:
            ours = meant(argument.name, known) or _misspelt(argument.name, known)
        if ours is None or ours in given or ours and ours not in known:
            return None
        if ours:
            given[ours] = _value(argument.value)
    return _written(word, given, row)


def _as_many(word: Word, row: list[str]) -> bool:
    """Whether these are the operands of a loss, `CrossEntropyLoss(y, label)`: its settings stand in
    another order elsewhere."""
    needed = sum(not operand.optional for operand in word.operands)
    return needed <= len(row) <= len(word.operands)


def _misspelt(name: str, known: list[str]) -> str | None:
    """The attribute that a name is one slip away from."""
    ours = nearest(name, known)
    return ours if ours and SequenceMatcher(None, name, ours).ratio() >= 0.75 else None


def _value(node: ast.Expr) -> str:
    if isinstance(node, ast.String) and node.value == "same":
        return "same"
    return {"True": "true", "False": "false", "None": "none"}.get(node.span.text, node.span.text)


def _written(word: Word, given: dict[str, str], row: list[str]) -> str | None:
    """The first attribute by position where it may stand so, the others by name."""
    first = word.attributes[0].name if word.in_row and not row else ""
    parts = [text if name == first else f"{name} = {text}" for name, text in
             sorted(given.items(), key=lambda item: item[0] != first)]
    text = ", ".join([*row, *parts])
    whole = f"{word.name}{{{text}}}" if word.owns else f"{word.name}({text})" if text else word.name
    return whole if len(whole) <= MOST_SHOWN and "\n" not in whole else None

