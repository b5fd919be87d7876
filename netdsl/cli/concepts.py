"""What `netdsl explain` says of keywords, signs, dtypes and terms, which have no docstring."""

from __future__ import annotations

KEYWORDS = {  # what each is for, below where it stands
    "USE": "Takes layers and lets from another file, or from the library with `use std`. They are "
           "reached behind a dot: `blk.ConvBN{64}`.",
    "LET": "Names a value. In a train program `--set NAME=…` takes its place.",
    "LAYER": "Declares a layer: attributes in braces are known before anything runs, operands in "
             "parentheses are tensors. What `return` gives is its result.",
    "MODEL": "Declares a network with its inputs, outputs, losses and metrics. "
             "`model Wide = Net{width = 64}` makes a preset of one.",
    "TRAIN": "Says how a model is trained: data, batch, epochs, what is minimised and how. A model "
             "may have several, each with a name: `train probe: Name { … }`.",
    "SAMPLE": "Says how a model generates: a sampler bound to its outputs and inputs, as in "
              "`sample LM { autoregressive(logits, tok, length = 500) }`.",
    "RETURN": "The result of a layer; several, `return a, b`, are taken apart where it is applied.",
    "FOR": "Repeats statements while the network is built. A label before it names what is made: "
           "`block: for (i in 0..3) { x = x -> conv{8} }` makes `block.0`, `block.1`, `block.2`.",
    "IF": "Chooses while the network is built: the condition is of attributes and fixed sizes. "
          "Inside an expression it is `if condition then a else b`; tensors choose with "
          "`where(…)`.",
    "INPUT": "What is fed, with its type. A new name such as `B` is a free size, the leading "
             "one the batch; `in 0..10` says which whole numbers come.",
    "OUTPUT": "A result of the network, under the name it has in exported files. `output x` alone "
              "exports what `x` is bound to.",
    "LOSS": "One number that a train program may `minimize`. Weighted sums are plain arithmetic.",
    "METRIC": "A figure that is measured over the validation rows and never trained on. A train "
              "program reads it as `val.top1`.",
    "STATE": "A tensor that is kept from one step to the next and that no optimiser trains. It "
             "begins as what stands behind `=`, and `update { next … }` says what comes after.",
    "PARAMETER": "A trained tensor that belongs to no layer word, with what it begins as.",
    "ASSERT": "Stops with the message where the condition does not hold. Conditions on free sizes "
              "are kept and checked when data arrive.",
    "UPDATE": "Holds the `next` of states: what each becomes after a training step. Within the "
              "step every state still has its old value; all change together after it.",
    "NEXT": "What a state becomes after this step. A state has one `next` in a model.",
    "FEED": "What goes into an input: a field of the data with transforms, random draws or a "
            "schedule. Without one an input takes the field of its own name.",
    "MINIMIZE": "Trains the parameters that a loss depends on, or those that `over` names, with "
                "an optimiser. Each parameter is trained or frozen, never both.",
    "STEP": "Several `minimize` run in the order of their steps on one batch, each with the "
            "weights as they then are. `every 2` runs a step at every second batch.",
    "FREEZE": "Holds parameters as they are: those at and below the label paths it names. "
              "`freeze rest` holds all that no `minimize … over` takes.",
}

SIGNS = {
    "->": ("x -> f", (
        "Puts what stands before it first into what follows: `x -> relu` is "
        "`relu(x)`, `x -> conv: conv{8}` applies a new layer labelled `conv`. `when` guards "
        "one stage. Behind a layer's header it says the result's shape."
    )),
    "_": ("_", (
        "In a shape: any size. On the left of `=`: a result that is not wanted, "
        "`_, c = cell(x)`. In an index: the whole axis, `x[_, 0]`."
    )),
    "?": ("?", (
        "A hole: netdsl tells what belongs there, as in `x: [B, ?, H, W]`. In `reshape` "
        "one size may be `?`, which is worked out: `reshape(x, [B, ?])`."
    )),
    "...": ("...", (
        "In a shape: any number of axes, as in `x: [B, ..., d]`."
    )),
    "..": ("a..b", (
        "A range of whole numbers, from a up to and without b: `for (i in 0..3)`, "
        "`input label: i64[B] in 0..10`, `x[_, 1..4]`."
    )),
}

DTYPES = {
    "f32": "Floats of 32 bits: weights and plain numbers. `f32(x)` casts.",
    "f64": "Floats of 64 bits.",
    "f16": "Floats of 16 bits. `precision f16` computes in them and keeps weights in f32.",
    "bf16": "Floats of 16 bits with the range of f32. `precision bf16` computes in them and keeps "
            "weights in f32.",
    "i64": "Whole numbers of 64 bits: class labels, positions. `in 0..10` gives their range.",
    "i32": "Whole numbers of 32 bits.",
    "bool": "Truth values of tensors: what comparisons give and `where` takes.",
}

TERMS = {
    "same": "pad = same\n\nThe padding with which windows leave ⌈n / stride⌉ of n places; where it "
            "is odd, the larger half lies behind (ONNX's SAME_UPPER). With a stride above 1 it "
            "depends on the size, so that a free one needs an `assert H % 2 == 0`.",
    "same_lower": "pad = same_lower\n\nThe padding `same`, but where it is odd, the larger half "
                  "lies before (ONNX's SAME_LOWER).",
    "label": "label: f{…}\n\nNames an instance, and with it its parameters in checkpoints and ONNX "
             "files: `x -> fc: linear{10}` owns `fc.weight` and `fc.bias`. Before a `for` it "
             "names the turns. Without one, `name = f{…}` gives the name.",
    "frequencies": "data.frequencies\n\nWhich part of the training rows has each label: f32 "
                   "[classes], for an input, as in `feed often = data.frequencies`.",
    "val": "val.NAME\n\nA loss or metric of the model, measured over the validation rows after "
           "each epoch: what `stop early(val.top1)` and `plateau(0.1, val.ce)` go by. Larger is "
           "better for a share of rows such as an accuracy, smaller for a loss; of other "
           "metrics say it: `better = larger`.",
    "confusion": "confusion matrix\n\nHow many rows of each true class (down) got which predicted "
                 "class (across). `netdsl evaluate` shows it for a classifier: an output [B, C] "
                 "and an integer input [B] `in 0..C`; with `--json` it is `confusion`.",
    "lr": "lr\n\nThe learning rate, an argument of every optimiser: a number or a schedule, "
          "`sgd(lr = 0.1)`, `sgd(lr = warmup(5) -> cosine(0.1))`.",
    "rest": "rest\n\nThe parameters that no other pattern of the train program names: "
            "`freeze rest`, `minimize ce over rest with sgd(lr = 0.1)`.",
}
