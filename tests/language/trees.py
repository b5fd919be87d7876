"""Syntax trees for property tests: every tree that a file could have, without places."""

from __future__ import annotations

from hypothesis import strategies as st

from netdsl.language import ast
from netdsl.language.words import KEYWORDS
from netdsl.source import Source, Span

NOWHERE = Span(Source("generated", ""), 0, 0)
WORDS = sorted(word.lower() for word in KEYWORDS)
BEHIND_A_STATEMENT = ("and", "or", "in", "when", "else")


def node(kind: type, *parts: st.SearchStrategy) -> st.SearchStrategy:
    return st.builds(lambda *values: kind(*values, span=NOWHERE), *parts)


def several(items: st.SearchStrategy, least: int = 0, most: int = 3) -> st.SearchStrategy:
    return st.lists(items, min_size=least, max_size=most).map(tuple)


def maybe(item: st.SearchStrategy) -> st.SearchStrategy:
    return st.none() | item


LONG = "a_long_name_to_break_lines"
identifiers = st.sampled_from(["x", "y", "_", "conv", "f32", "sample", LONG])
labels = identifiers | st.sampled_from(WORDS)
statement_labels = identifiers | st.sampled_from([w for w in WORDS if w not in BEHIND_A_STATEMENT])
names = node(ast.Name, identifiers)
numbers = node(ast.Number, st.sampled_from(["0", "3", "224", "0.5", "1e-4", "2.5E+3"]))
texts = st.text(
    st.characters(exclude_categories=("Cc", "Cf", "Cs", "Zl", "Zp")) | st.sampled_from('"\\\n\t#'),
    max_size=8,
)
strings = node(ast.String, texts)
atoms = names | numbers | strings


def compound(inner: st.SearchStrategy) -> st.SearchStrategy:
    arguments = several(node(ast.Argument, maybe(identifiers), inner))
    chains = [
        node(ast.Chain, inner, several(st.tuples(st.sampled_from(operators), inner), 1))
        for operators in (["+", "-"], ["*", "/", "//", "%"], ["and"], ["or"])
    ]
    comparisons = st.sampled_from(["==", "!=", "<", "<=", ">", ">="])
    stage = node(ast.Stage, maybe(labels), inner, maybe(inner))
    return st.one_of(
        *chains,
        node(ast.ListOf, several(inner | node(ast.Hole))),
        node(ast.TupleOf, several(inner, 1)),
        node(ast.Prefix, st.sampled_from(["-", "not"]), inner),
        node(ast.Compare, comparisons, inner, inner),
        node(ast.Power, inner, inner),
        node(ast.Range, inner, inner),
        node(ast.Choose, inner, inner, inner),
        node(ast.Call, inner, arguments),
        node(ast.Construct, inner, arguments),
        node(ast.Index, inner, several(inner, 1)),
        node(ast.Member, inner, labels | st.sampled_from(["0", "12"])),
        node(ast.Labelled, labels, inner),
        node(ast.Pipeline, inner, several(stage, 1)),
    )


expressions = st.recursive(atoms, compound, max_leaves=12)
dims = expressions | node(ast.Hole) | node(ast.Rest)
types = node(ast.TypeOf, maybe(identifiers), several(dims))

begins = st.one_of(
    node(ast.Input, names, maybe(expressions), types, maybe(expressions)),
    node(ast.Declared, st.sampled_from(["state", "parameter"]), names, types, expressions),
    node(ast.Assert, expressions, strings),
)
simple = begins | st.one_of(
    node(ast.Bind, several(names, 1), several(expressions, 1)),
    node(ast.Return, several(expressions, 1)),
    node(ast.Result, st.just("output"), names, maybe(expressions)),
    node(ast.Result, st.sampled_from(["loss", "metric"]), names, expressions),
    node(ast.Update, several(node(ast.Next, names, expressions))),
)


def blocks(inner: st.SearchStrategy) -> st.SearchStrategy:
    label = maybe(statement_labels)
    body = several(inner, most=2)
    otherwise = maybe(body)
    for _ in range(2):  # else if … else if …
        otherwise |= several(node(ast.If, st.none(), expressions, body, otherwise), 1, 1)
    return st.one_of(
        node(ast.For, label, several(names, 1, 2), expressions, body),
        node(ast.If, label, expressions, body, otherwise),
    )


statements = st.recursive(simple, blocks, max_leaves=4)
bodies = several(statements)

segments = labels | st.sampled_from(["*", "0", "12"])
patterns = st.builds(lambda first, more: (first, *more), labels, several(segments))
patterns = node(ast.Pattern, patterns)
postfix = node(ast.Call, names, several(node(ast.Argument, maybe(identifiers), expressions)))
minimize = node(ast.Minimize, names, several(patterns), postfix)
let = node(ast.Let, names, expressions)
train_statements = st.one_of(
    let,
    minimize,
    node(ast.Setting, names, expressions),
    node(ast.Feed, several(names, 1), expressions),
    node(ast.Step, names, several(minimize, 1), maybe(expressions)),
    node(ast.Freeze, several(patterns, 1)),
)

attributes = several(node(ast.Attribute, names, maybe(expressions)))
operands = several(node(ast.Operand, names, maybe(types), maybe(expressions)))
model_bodies = st.builds(lambda first, more: (first, *more), begins, bodies)
declarations = st.one_of(
    let,
    node(ast.Use, maybe(strings), names),
    node(ast.LayerDeclaration, names, attributes, operands, several(types), bodies),
    node(ast.ModelDeclaration, names, attributes, model_bodies),
    node(ast.Preset, names, expressions),
    node(ast.TrainDeclaration, maybe(names), names, several(train_statements, most=6)),
    node(ast.SampleDeclaration, names, expressions),
)
files = node(ast.File, maybe(st.just(1)), several(declarations))
