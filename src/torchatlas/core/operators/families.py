"""Families of operations: what people mean by `Conv`, whatever its spelling.

A family has the modules whose class name says so (``Conv2d``, ``LazyConv2d``, ``StdConv2dSame``) and the functions and
operators of that name (``F.conv2d``, ``torch.conv2d``, ``aten.convolution.default``, ONNX's ``Conv``). One that is
more special is in the wider one too: every `BatchNorm` is a `Norm`.
"""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias, get_args

from torchatlas.core.operators.arithmetic import DRAWN_MOVEMENT
from torchatlas.core.operators.names import FUNCTIONS, joined, short_name

if TYPE_CHECKING:
    from torchatlas.core.graph import CallKind


Hue: TypeAlias = Literal[
    "attention",
    "recurrent",
    "embedding",
    "normalisation",
    "convolution",
    "pooling",
    "linear",
    "activation",
    "movement",
    "arithmetic",
    "saved",
    "module",
]
"""What families are drawn as: those of one hue look alike. Of what is in several, the first of these decides."""


class Family(NamedTuple):
    """How the members of a family are called, in lower case and without underscores, and what it is a part of.

    Attributes:
        hue: what its members are drawn as.
        functions: matches the whole name of a function.
        classes: is found in the name of a module's class.
        within: the wider family.
    """

    hue: Hue
    functions: str
    classes: str
    within: str = ""


DIMENSIONS = "[123]d"
BACKENDS = "mkldnn|cudnn|miopen|mps|slow|thnn|quantized|nnpackspatial|qlinear|fused|causal|miopendepthwise"
ANY_CONV = f"(?:{BACKENDS})?conv(?:olution)?(?:{DIMENSIONS})?"
# What is done beside the convolution, or how, in one kernel.
WITH = f"(?:tbc|overrideable|integer|depthwise.*|dilated{DIMENSIONS}|add|relu|dynamic|forward|withstate)*"

FAMILIES: dict[str, Family] = {
    "Conv": Family("convolution", f"{ANY_CONV}{WITH}|deformconv(?:2d)?", r"conv(?!ert|.*transpose)"),
    "Conv1d": Family("convolution", "conv1d", "conv1d", "Conv"),
    "Conv2d": Family("convolution", "conv2d", "conv2d(?!.*transpose)", "Conv"),
    "Conv3d": Family("convolution", "conv3d", "conv3d", "Conv"),
    "ConvTranspose": Family(
        "convolution",
        f"{ANY_CONV}transpose(?:{DIMENSIONS})?(?:input|dynamic)?",
        "conv.*transpose|transpose.*conv|deconv",
    ),
    "Linear": Family(
        "linear",
        "(?:mkldnn|quantized|mixeddtypes|sparsesemistructured)?linear(?:relu|leakyrelu|tanh|dynamic|fp16)*"
        "|fbgemmlinear(?!quantize).*weight.*|wrappedquantizedlinearprepacked|bilinear|trilinear|(?:fused)?gemm"
        "|(?:sparse|s|ss|sparsesampled|sparsesemistructured)?p?addmm(?:activation)?|linearcrossentropy",
        "(?<!upsamplingbi)linear|^dense$|^gemm$",
    ),
    "MatMul": Family(
        "linear",
        "(?:linalg|sparsesparse|dynquant|fused|transpose|qlinear)?matmul(?:4bit|integer|nbits)?"
        "|(?:int|sparse|weightint[48]pack|scaled|grouped|scaledgrouped)?mm(?:v2|forcpu|withscalesandzeros)?"
        "|bmm|mv|v?dot|addmv|addbmm|baddbmm|einsum|tensordot|inner|outer|ger|chainmatmul",
        "^matmul$",
    ),
    "Norm": Family(
        "normalisation",
        "(?:local)?responsenorm|lrn|weightnorm(?:interface)?|batchnorm(?:stats|gatherstats.*)"
        "|(?:lp|meanvariance)normalization",
        r"norm(?!ali[sz]ed|al)|^lrn$|frn$",
    ),
    "BatchNorm": Family("normalisation", ".*batchnorm(?!backward|stats|gather).*", "batchnorm", "Norm"),
    "LayerNorm": Family("normalisation", ".*layernorm(?:alization)?", "layernorm", "Norm"),
    "GroupNorm": Family("normalisation", ".*groupnorm(?:alization)?", "groupnorm", "Norm"),
    "InstanceNorm": Family("normalisation", ".*instancenorm(?:alization)?", "instancenorm", "Norm"),
    "RMSNorm": Family("normalisation", ".*rmsnorm(?:alization)?", "rmsnorm", "Norm"),
    "Activation": Family(
        "activation",
        "hardtanh|hardsigmoid|logsigmoid(?:forward)?|softsign|threshold|thresholdedrelu|glu|swiglu|tanhshrink"
        "|(?:hard|soft)shrink",
        "activation|glu$|logsigmoid|softsign|threshold|(?:tanh|hard|soft)shrink|starrelu|^hardtanh",
    ),
    "Relu": Family(
        "activation", "(?:(?:add|mul)(?:scalar)?|cat)?relu6?", r"^(?!.*(?:leaky|prelu|rrelu))(?:.*relu)", "Activation"
    ),
    "LeakyRelu": Family("activation", "leakyrelu", "leakyrelu", "Activation"),
    "PRelu": Family("activation", "[pr]relu|prelukernel|rreluwithnoise(?:functional)?", "^[pr]relu", "Activation"),
    "Elu": Family("activation", "elu|celu|selu", "^[cs]?elu", "Activation"),
    "Gelu": Family("activation", "(?:infinitelydifferentiable|quick|bias|fast)?gelu", "gelu", "Activation"),
    "Silu": Family("activation", "silu|swish", "silu|(?<!hard)swish", "Activation"),
    "HardSwish": Family("activation", "hardswish", "hardswish", "Activation"),
    "Mish": Family("activation", "mish", "mish", "Activation"),
    "Softplus": Family("activation", "softplus", "softplus", "Activation"),
    "Sigmoid": Family("activation", "sigmoid", "^(?!.*log).*sigmoid", "Activation"),
    "Tanh": Family("activation", "tanh", "tanh$", "Activation"),
    "Softmax": Family(
        "activation",
        "(?:special|sparse)?(?:log|safe|masked|gumbel)?softm(?:ax|in)|nestedtensorsoftmaxwithshape",
        "softmax|softmin",
    ),
    "Pool": Family("pooling", "(?:global)?lppool(?:[123]d)?|maxunpool.*|maxroipool|(?:ps)?roi(?:pool|align)", "pool"),
    "MaxPool": Family("pooling", "(?:adaptive|fractional|global|quantized|mkldnn)?maxpool.*", "maxpool", "Pool"),
    "AvgPool": Family("pooling", "(?:mkldnn)?(?:adaptive|global)?(?:avg|average)pool.*", "(?:avg|average)pool", "Pool"),
    "Add": Family("arithmetic", "add", "^add$|^residualadd|^skipadd"),
    "Sub": Family("arithmetic", "sub|subtract|rsub", "^sub$"),
    "Mul": Family("arithmetic", "mul|multiply", "^mul(?:tiply)?$"),
    "Div": Family("arithmetic", "div|truediv|divide|truedivide", "^div$"),
    "Concat": Family("movement", "cat|concat|concatenate", "^concat|^cat$"),
    "Split": Family("movement", "split|chunk|unbind|tensorsplit|splitwithsizes", "^split$|^chunk$"),
    "Dropout": Family(
        "activation", ".*dropout.*|droppath|stochasticdepth", "dropout|droppath|dropblock|stochasticdepth"
    ),
    "Attention": Family(
        "attention", ".*(?:attention|attn|sdpa).*(?<!backward)", r"attention|attn|sdpa|^mha$|multihead"
    ),
    "Embedding": Family(
        "embedding",
        "embedding(?:bag)?(?:dense|sparse|forwardonly|persampleweights|(?:byte|[24]bit)(?:rowwiseoffsets)?)?",
        "^(?!.*rotary).*embed",
    ),
    "RotaryEmbedding": Family("embedding", "rotaryembedding", "rotary.*embed"),
    "Recurrent": Family("recurrent", "(?:cudnn|miopen)rnn|mkldnnrnnlayer", "recurrent(?!gemma)"),
    "LSTM": Family(
        "recurrent",
        "(?:quantized|mkldnn)?lstm(?:cell)?(?:dynamic|mps)?|thnn(?:fused|differentiable)lstmcell",
        "lstm",
        "Recurrent",
    ),
    "GRU": Family(
        "recurrent",
        "(?:quantized)?gru(?:cell)?(?:dynamic)?|thnn(?:fused|differentiable)grucell",
        "gru(?:cell)?$",
        "Recurrent",
    ),
    "RNN": Family(
        "recurrent", "(?:quantized)?rnn(?:tanh|relu)?(?:cell)?(?:dynamic)?", "rnn(?:cell)?(?:base)?$", "Recurrent"
    ),
    "Reshape": Family(
        "movement",
        "reshape|reshapeas|view|viewas|unsafeview|unflatten|squeeze|unsqueeze",
        "^reshape|^unflatten$",
    ),
    "Flatten": Family("movement", "flatten|ravel", "^flatten$", "Reshape"),
    "Transpose": Family(
        "movement", "permute|transpose|t|mt|swapaxes|swapdims|movedim|moveaxis", "^permute$|^transpose$"
    ),
    "Pad": Family(
        "movement", "pad|constantpadnd|reflectionpad[123]d|replicationpad[123]d|.*pad[123]d", r"pad(?:[123]d)?$"
    ),
    "Upsample": Family("pooling", "interpolate|upsample.*|resize|pixelshuffle", "upsampl|pixelshuffle|interpolat"),
    "Fold": Family("pooling", "fold|col2im", "^fold$"),
    "Unfold": Family("pooling", "unfold|im2col", "^unfold$"),
    "GridSample": Family("pooling", "gridsample|(?:cudnn)?gridsampler(?:[23]d)?(?:cpufallback)?", "^gridsample"),
    "Identity": Family("movement", "identity", "^identity$"),
}
"""By the name that patterns use, in any case of letters. Names come to be compared in lower case.

Patterns and not lists, because names are an open set: classes of users, kernels of custom operators and of backends.
"""

ALIASES = {
    "cat": "concat",
    "averagepool": "avgpool",
    "concatenate": "concat",
    "bn": "batchnorm",
    "permute": "transpose",
}

PRINCIPAL = frozenset(
    map(
        str.lower,
        ("Conv", "ConvTranspose", "Linear", "Norm", "Activation", "Pool", "Attention", "Embedding", "Recurrent"),
    )
)
"""Families that are layers by themselves: a module of one of them that runs another one inside is a block, no layer."""


def is_family(name: str) -> bool:
    """Whether a pattern's name is that of a family."""
    return family_named(name) in _BY_LOWER


def family_named(name: str) -> str:
    """The family that a pattern's name means, in the form in which `families` gives it."""
    lower = name.lower()
    return ALIASES.get(lower, lower)


@cache
def families(kind: CallKind, name: str) -> frozenset[str]:
    """The families of a call by its kind and name, in lower case; a group has none: it goes by its name alone."""
    if kind in {"group", "backward", "saved"}:
        return frozenset()
    function = kind in FUNCTIONS
    spelt = joined(short_name(kind, name))
    found = set()
    for family, (functions, classes) in _COMPILED.items():
        if (functions.fullmatch(spelt) if function else classes.search(spelt)) is not None:
            found.add(family)
            wider = _BY_LOWER[family].within.lower()
            if wider:
                found.add(wider)
    return frozenset(found)


def special(wide: frozenset[str], inside: frozenset[str]) -> frozenset[str]:
    """Families met inside a module that say more exactly what it is: a ``Norm`` that runs ``F.batch_norm``."""
    return frozenset(name for name in inside if name in _BY_LOWER and _BY_LOWER[name].within.lower() in wide)


@cache
def hue(kind: CallKind, name: str) -> Hue:
    """What a call is drawn as, by its kind and name; a backward is drawn as its forward.

    The drawing engine decides the same way, by the table that it has of this file: `web/src/graph/family.ts`.

    >>> hue("module", "Conv2d"), hue("aten", "aten.convolution_backward.default"), hue("backward", "ViewBackward0")
    ('convolution', 'convolution', 'movement')
    """
    if kind == "saved":
        return "saved"
    spelt = joined(short_name(kind, name))
    function = kind in FUNCTIONS or kind == "backward"
    if function:
        spelt = spelt.partition("backward")[0]
    found = painted(spelt, function=function)
    if found is not None:
        return found
    if spelt in DRAWN_MOVEMENT:
        return "movement"
    return "module" if kind in {"module", "group"} else "arithmetic"


def painted(spelt: str, *, function: bool = True) -> Hue | None:
    """The first hue of which some family has this function, or class, as names are compared."""
    for one, (functions, classes) in _PAINTED.items():
        if (functions if function else classes).search(spelt):
            return one
    return None


def _painted() -> dict[Hue, tuple[str, str]]:
    """By hue, in the order in which they decide, what finds its functions and its classes in names."""
    patterns: dict[Hue, tuple[str, str]] = {}
    for one in get_args(Hue):
        of = [family for family in FAMILIES.values() if family.hue == one]
        if of:
            functions = "|".join(family.functions for family in of)
            patterns[one] = (f"^(?:{functions})$", "|".join(family.classes for family in of))
    return patterns


PAINTED = _painted()
_PAINTED = {one: (re.compile(functions), re.compile(classes)) for one, (functions, classes) in PAINTED.items()}
_BY_LOWER = {name.lower(): family for name, family in FAMILIES.items()}
_COMPILED = {name: (re.compile(family.functions), re.compile(family.classes)) for name, family in _BY_LOWER.items()}
