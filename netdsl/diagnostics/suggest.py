"""Did you mean …: the known word that another library's word stands for, or the nearest to a
mistyped one."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

MOST_KNOWN = 2000  # names compared, so that a file with very many mistakes is answered at once

# What other libraries call the language's words, without underscores; the first that is known in
# the place counts.
FOREIGN = {
    "lr": "learningrate stepsize rate",
    "k": "kernelsize kernel ksize filtersize poolsize windowsize",
    "pad": "padding paddings",
    "c": "outchannels outfeatures channels features filters units",
    "stride": "strides",
    "dilation": "dilationrate",
    "groups": "numgroups",
    "bias": "usebias",
    "classes": "numclasses nclasses numlabels nlabels",
    "heads": "numheads nheads nhead",
    "p": "rate prob probability dropprob dropoutrate keepprob",
    "eps": "epsilon",
    "axis": "dim",
    "keep": "keepdim keepdims",
    "init": "initializer kernelinitializer weightinitializer",
    "smooth": "labelsmoothing smoothing",
    "betas": "beta beta1 beta2",
    "alpha": "rho smoothingconstant",
    "weight_decay": "decay",
    "batch": "batchsize",
    "epochs": "numepochs nepochs maxepochs",
    "minimize": "optimizer optimiser optim",
    "clip": "clamp gradclip gradientclip clipnorm clipgradnorm maxnorm",
    "accumulate": "gradientaccumulation accumulationsteps",
    "stop": "earlystopping earlystop",
    "precision": "dtype amp mixedprecision",
    "weights": "checkpoint pretrained initialize",
    "workers": "numworkers threads",
    "data": "dataset traindata",
    "take": "limit maxrows subset",
    "training": "train fitting",
    "validating": "val valid validate validation eval evaluating test testing",
    "length": "maxlength maxnewtokens maxtokens numtokens",
    "temperature": "temp",
    "width": "beams numbeams beamwidth beamsize",
    "conv": "conv1d conv2d conv3d convolution",
    "deconv": "convtranspose convtranspose1d convtranspose2d conv2dtranspose",
    "linear": "dense fullyconnected",
    "batchnorm": "batchnorm1d batchnorm2d batchnormalization",
    "layernorm": "layernormalization",
    "maxpool": "maxpool1d maxpool2d maxpooling2d maxpool3d",
    "avgpool": "avgpool1d avgpool2d averagepooling2d",
    "global_avgpool": "globalaveragepooling2d",
    "cross_entropy": "crossentropyloss softmaxcrossentropy categoricalcrossentropy",
    "nll": "nllloss negativeloglikelihood",
    "bce": "bceloss binarycrossentropy",
    "bce_logits": "bcewithlogitsloss bcewithlogits binarycrossentropywithlogits",
    "mse": "mseloss meansquarederror",
    "l1": "l1loss mae maeloss meanabsoluteerror",
    "kl_div": "kldivloss kldivergence",
    "ignore": "ignoreindex",
    "reduce": "reduction",
    "silu": "swish",
    "var": "variance",
    "stddev": "std standarddeviation",
    "concat": "cat concatenate",
    "stop_grad": "detach stopgradient",
    "random_flip": "randomhorizontalflip horizontalflip",
    "random_vertical_flip": "randomverticalflip verticalflip",
    "random_rotate": "randomrotation rotate",
    "random_erase": "randomerasing",
    "blur": "gaussianblur randomblur",
    "noise": "gaussiannoise",
    "normal": "randn gaussian",
    "uniform": "rand",
    "he_normal": "kaimingnormal msranormal msra",
    "he_uniform": "kaiminguniform msrauniform",
    "xavier_normal": "glorotnormal",
    "xavier_uniform": "glorotuniform glorot",
    "cosine": "cosinesimilarity cosineannealing cosineannealinglr cosinedecay",
    "steps": "numsteps numinferencesteps multisteplr steplr",
}
_MEANT: dict[str, list[str]] = {}
for _ours, _theirs in FOREIGN.items():
    for _word in _theirs.split():
        _MEANT.setdefault(_word, []).append(_ours)

# What other languages have words for and this one says otherwise.
PHRASES = {
    "range": "count with `0..n`: `for (i in 0..n) { … }`",
    "enumerate": "`for (i, x in xs) { … }` gives the position and the item",
    "zip": "`for (i, x in xs) { … }`, and `ys[i]` inside",
    "sequential": "`->` puts layers one behind the other: `x -> conv1: conv{16, k = 3} -> relu`",
    "modulelist": "make the layers in a labelled loop: `block: for (i in 0..n) { … }`",
    "self": "write the name alone: a body sees what it binds, its attributes and operands",
    "this": "write the name alone: a body sees what it binds, its attributes and operands",
    "print": "nothing is printed while a network is built; `assert` checks",
    "int": "`floor(…)`, `ceil(…)` and `//` give whole numbers",
    "float": "`f32(…)` casts a tensor; numbers are exact as they are",
    "input": "declare it: `input image: f32[B, 3, 32, 32]`",
    "add": "`+` adds tensors: `x + y`",
    "pow": "`**` is the power: `x ** 2`",
    "logicaland": "`and` joins bool tensors: `x > 0 and x < 1`",
    "logicalor": "`or` joins bool tensors: `x < 0 or x > 1`",
    "logicalnot": "`not` turns a bool tensor round: `not mask`",
    "multiply": "`*` multiplies tensors: `x * y`",
    "training": "leave it out: `dropout` and `batchnorm` know whether a network is trained",
    "str": "a text stands in quotes: `\"…\"`",
    "l1": "`l1_penalty(body)` sums the absolute values of a layer's weights",
    "l2": "`l2_penalty(body)` sums the squares of a layer's weights",
    "regularizer": "add a penalty to the loss: `ce + 1e-4 * l2_penalty(body)`",
    "confusion": "`metric acc = accuracy(logits, label)`; `netdsl evaluate` prints which classes "
                 "are taken for which",
    "confusionmatrix": "`metric acc = accuracy(logits, label)`; `netdsl evaluate` prints which "
                       "classes are taken for which",
    "lambda": "declare a layer: `layer Name{attribute = 1}(x) { … }`",
}
ARGUMENT_PHRASES = {
    "activation": "an activation is a stage of its own: `-> relu`",
    "inplace": "leave it out: every operation gives a new tensor",
    "training": "leave it out: it is known where a network is trained",
    "name": "a label names a layer: `conv1: conv{16}`",
    "inputshape": "leave it out: the tensor tells",
    "indim": "leave it out: the tensor tells",
    "inchannels": "leave it out: the tensor tells",
    "infeatures": "leave it out: the tensor tells",
    "numfeatures": "leave it out: the tensor tells",
    "batchfirst": "leave it out: the batch is the first axis",
    "device": "leave it out: a network runs where it is told to",
    "maximize": "`minimize` takes a loss down: give it the negative, `loss cost = -gain`",
    "foreach": "leave it out: it changes no number",
    "fused": "leave it out: it changes no number",
}
FOREIGN_PREFIXES = ("nn", "torch", "F", "tf", "keras", "layers", "np", "jnp", "jax", "flax")


def phrased(word: str) -> str | None:
    """How this language says what another has a word for."""
    if word in FOREIGN_PREFIXES:
        return f"the words of the language stand alone, without `{word}.`"
    return PHRASES.get(word.lower().replace("_", ""))


def argument_phrased(name: str) -> str | None:
    """How this language says what an argument says elsewhere."""
    return ARGUMENT_PHRASES.get(name.lower().replace("_", ""))


def meant(word: str, known: Iterable[str]) -> str | None:
    """The known word that another library calls `word`, that differs from it in case alone, or
    that is short for it."""
    known = set(known)
    if word in known:
        return word
    foreign = _MEANT.get(word.lower().replace("_", ""), ())
    short = sorted(name for name in known if len(name) > 2 and word.lower().startswith(name))
    return next((ours for ours in (word.lower(), *foreign, *short) if ours in known), None)


def elsewhere(word: str, known: Iterable[str]) -> str | None:
    """The known word that other libraries call `word`."""
    known = set(known)
    return next((w for w in _MEANT.get(word.lower().replace("_", ""), ()) if w in known), None)


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known word that `word` most likely stands for, or None when none is close."""
    known = sorted(set(known))[:MOST_KNOWN]
    lowered = {name.lower(): name for name in known}
    if word.lower() in lowered:
        return lowered[word.lower()]
    for ours in _MEANT.get(word.lower().replace("_", ""), ()):
        if ours in known:
            return ours
    letters = sorted(word.lower())
    swapped = next((name for name in known if sorted(name.lower()) == letters), None)
    if swapped is not None:
        return swapped
    cutoff = 0.6 if len(word) > 5 else 0.7 if len(word) > 3 else 0.8  # alike by chance
    close = get_close_matches(word, known, n=1, cutoff=cutoff)
    return close[0] if close else None


def did_you_mean(word: str, known: Iterable[str]) -> str | None:
    """A ready suggestion, or None when nothing known is close to `word`."""
    match = nearest(word, known)
    return f"did you mean `{match}`?" if match else None
