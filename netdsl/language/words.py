"""The words and signs of the language, and how messages speak of them."""

from __future__ import annotations

from collections.abc import Iterable

from lark import Token

END = "$END"

SIGNS = {
    "LPAR": "(", "RPAR": ")", "LBRACE": "{", "RBRACE": "}", "LSQB": "[", "RSQB": "]",
    "COMMA": ",", "COLON": ":", "DOT": ".", "EQUAL": "=", "QMARK": "?", "REST": "...",
    "ARROW": "->", "RANGE": "..", "PLUS": "+", "MINUS": "-", "STAR": "*", "SLASH": "/",
    "FLOOR": "//", "PERCENT": "%", "POWER": "**", "SAME": "==", "DIFFERENT": "!=",
    "LESSTHAN": "<", "MORETHAN": ">", "AT_MOST": "<=", "AT_LEAST": ">=",
}  # fmt: skip

KINDS = {
    "NAME": "a name",
    "INT": "a whole number",
    "FLOAT": "a number",
    "STRING": "a string",
    END: "the end of the file",
}

CLOSED_BY = {"LPAR": "RPAR", "LBRACE": "RBRACE", "LSQB": "RSQB"}
CLOSING = frozenset(CLOSED_BY.values())

COMPARISONS = frozenset({"SAME", "DIFFERENT", "LESSTHAN", "MORETHAN", "AT_MOST", "AT_LEAST"})
ARITHMETIC = frozenset({"PLUS", "MINUS", "STAR", "SLASH", "FLOOR", "PERCENT", "POWER"})
# What needs an expression behind it.
DANGLING = frozenset({
    "EQUAL", "ARROW", "RANGE", "AND", "OR", "NOT", "IN", "WHEN", "IF", "THEN", "ELSE", "RETURN",
    "WITH", "EVERY", *ARITHMETIC, *COMPARISONS,
})  # fmt: skip

DECLARATIONS = {
    "USE": 'use "./blocks.net" as blk',
    "LET": "let width = 64",
    "LAYER": "layer Name{attribute = 1}(x) { … }",
    "MODEL": "model Name{attribute = 1} { input x: f32[B, 3, 32, 32] … }",
    "TRAIN": "train Name { … }",
    "SAMPLE": "sample Name { … }",
}
STATEMENTS = {
    "RETURN": "return x",
    "FOR": "for (i in 0..n) { … }",
    "IF": "if (condition) { … } else { … }",
    "INPUT": "input image: f32[B, 3, 32, 32]",
    "OUTPUT": "output logits = …",
    "LOSS": "loss ce = …",
    "METRIC": "metric top1 = …",
    "STATE": "state queue: f32[d, K] = …",
    "PARAMETER": "parameter pos: f32[1, L, d] = normal(std = 0.02)",
    "ASSERT": 'assert condition else "message"',
    "UPDATE": "update { next queue = … }",
}
TRAIN_STATEMENTS = {
    "FEED": "feed image = image -> random_flip()",
    "MINIMIZE": "minimize ce over fc with adam(lr = 1e-3)",
    "STEP": "step D { minimize … } every 2",
    "FREEZE": "freeze stem, stage.0",
    "LET": "let rate = 1e-3",
}
UPDATES = {"NEXT": "next queue = …"}
TRAIN_SETTINGS = frozenset({  # entries of a train program whose words are not keywords
    "DATA", "BATCH", "EPOCHS", "ACCUMULATE", "CLIP", "PRECISION", "RESET", "STOP", "WEIGHTS",
    "WORKERS",
})  # fmt: skip
FORMS = {**DECLARATIONS, **STATEMENTS, **TRAIN_STATEMENTS, **UPDATES}
_OF_MODELS = frozenset({"INPUT", "OUTPUT", "LOSS", "METRIC", "STATE", "UPDATE"})

# Where words belong, for those found in a place that is not theirs.
BELONGS = {
    "NET": "`net 1` is the first line of a file",
    "AS": '`as` names what is used: `use "./blocks.net" as blk`',
    "IN": "`in` stands in `for (i in 0..n)` and `input label: i64[B] in 0..10`",
    "THEN": "`then` belongs to `if condition then a else b`",
    "ELSE": "`else` belongs to an `if` or an `assert`",
    "WHEN": "`when` guards one stage of a pipeline: `x -> dropout(p) when p > 0`",
    "OVER": "`over` says what is trained: `minimize ce over fc with sgd(lr = 0.1)`",
    "WITH": "`with` names the optimizer: `minimize ce with sgd(lr = 0.1)`",
    "EVERY": "`every` follows a step: `step D { … } every 2`",
    "NEXT": "`next` stands inside `update { … }`",
    "LET": "`let` stands at the top of a file and in train programs; elsewhere write `x = …`",
    **{word: f"`{word.lower()}` stands in models" + " and layers" * (word not in _OF_MODELS)
       for word in STATEMENTS},
    **{word: f"`{word.lower()}` stands in train programs" for word in TRAIN_STATEMENTS
       if word != "LET"},
    **{word: f"`{word.lower()}` stands outside of all braces" for word in DECLARATIONS
       if word != "LET"},
}  # fmt: skip

KEYWORDS = frozenset({*BELONGS, "AND", "OR", "NOT"}) - {"SAMPLE"}
NAMES = frozenset({"NAME", "SAMPLE"})
_EXPRESSION = frozenset({"INT", "FLOAT", "STRING", "NAME", "LPAR", "LSQB"})
_SEVERAL = (  # what begins with one of many words is called by one name
    ("a statement", frozenset(STATEMENTS)),
    ("a declaration", frozenset(DECLARATIONS)),
    ("a statement of a train program", frozenset(TRAIN_STATEMENTS)),
)
BEGINNINGS = tuple(phrase for phrase, _ in _SEVERAL)
_GOES_ON = frozenset({"ARROW", "RANGE", "AND", "OR", "WHEN", "DOT", *ARITHMETIC, *COMPARISONS})


def usage(type: str) -> str | None:
    """How a keyword is used, in a sentence."""
    if type in FORMS:
        return f"`{type.lower()}` is used like this: `{FORMS[type]}`"
    return BELONGS.get(type)


def is_word(token: Token) -> bool:
    return token.type in KEYWORDS or token.type in NAMES


def called(token: Token) -> str:
    """A token in words: "the keyword `input`", "`)`"."""
    value = token.value if len(token.value) <= 40 else token.value[:40] + "…"
    match token.type:
        case "$END":
            return KINDS[END]
        case "INT" | "FLOAT":
            return f"the number `{value}`"
        case "STRING":
            return f"the string {value}"
        case type if type in KEYWORDS:
            return f"the keyword `{value}`"
        case type if type in NAMES:
            return f"the name `{value}`"
    return f"`{value}`"


def terminal(type: str) -> str:
    """A kind of token in words: "a name", "`->`", "`else`"."""
    return KINDS.get(type) or f"`{SIGNS.get(type, type.lower())}`"


def expectations(types: Iterable[str]) -> tuple[str, ...]:
    """What could stand in a place, in few words: no operator that could always follow."""
    left = set(types)
    phrases = []
    if "DOT" in left or "PLUS" in left:  # behind a complete expression
        left -= _GOES_ON | {"LPAR", "LSQB", "LBRACE"}
    elif _EXPRESSION <= left:
        phrases.append("an expression")
        left -= _EXPRESSION | KEYWORDS | {"SAMPLE", "MINUS", "QMARK", "REST"}
    if KEYWORDS <= left:  # behind a dot
        phrases.append(KINDS["NAME"])
        left -= KEYWORDS | NAMES | {"INT", "STAR"}
    several = next((kind for kind in _SEVERAL if kind[1] <= left), None)
    if several:
        phrases.append(several[0])
        left -= KEYWORDS | NAMES | {"COMMA"}
    if left >= NAMES:
        phrases.append(KINDS["NAME"])
        left -= NAMES
    if phrases:
        left -= {END, "NET"}
    if left > {"COLON"}:  # a label is possible in most places, and seldom what is missing
        left -= {"COLON"}
    closing = sorted(left & CLOSING)
    signs = (terminal(type) for type in [*sorted(left - CLOSING), *closing])
    return (*phrases, *signs) or ("something else",)
