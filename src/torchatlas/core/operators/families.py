"""Families of operations: what people mean by `Conv`, whatever its spelling.

A family has the modules whose class name says so (``Conv2d``, ``LazyConv2d``, ``StdConv2dSame``) and the functions and
operators of that name (``F.conv2d``, ``torch.conv2d``, ``aten.convolution.default``, ONNX's ``Conv``). One that is
more special is in the wider one too: every `BatchNorm` is a `Norm`.
"""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from torchatlas.core.graph import CallKind


class Family(NamedTuple):
    """How the members of a family are called, in lower case and without underscores, and what it is a part of.

    Attributes:
        functions: matches the whole name of a function.
        classes: is found in the name of a module's class.
        within: the wider family.
    """

    functions: str
    classes: str
    within: str = ""


NONE = "(?!)"
DIMENSIONS = "[123]d"
ANY_CONV = f"(?:mkldnn|cudnn|miopen|slow|thnn|quantized)?conv(?:olution)?(?:{DIMENSIONS})?"

FAMILIES: dict[str, Family] = {
    "Conv": Family(f"{ANY_CONV}(?:tbc|overrideable|integer|depthwise.*)?|deformconv2d", r"conv(?!ert|.*transpose)"),
    "Conv1d": Family("conv1d", "conv1d", "Conv"),
    "Conv2d": Family("conv2d", "conv2d(?!.*transpose)", "Conv"),
    "Conv3d": Family("conv3d", "conv3d", "Conv"),
    "ConvTranspose": Family(f"convtranspose(?:{DIMENSIONS})?(?:input)?", "conv.*transpose|transpose.*conv|deconv"),
    "Linear": Family("linear|addmm|gemm|quantizedlinear|bilinear", "linear|^dense$|^gemm$"),
    "MatMul": Family("matmul|mm|bmm|mv|dot|einsum|baddbmm|tensordot|inner|chainmatmul|scaledmm", "^matmul$"),
    "Norm": Family("(?:local)?responsenorm|lrn", r"norm(?!ali[sz]ed|al)|^lrn$|frn$"),
    "BatchNorm": Family(".*batchnorm(?!backward|stats|gather).*", "batchnorm", "Norm"),
    "LayerNorm": Family(".*layernorm(?:alization)?", "layernorm", "Norm"),
    "GroupNorm": Family(".*groupnorm(?:alization)?", "groupnorm", "Norm"),
    "InstanceNorm": Family(".*instancenorm(?:alization)?", "instancenorm", "Norm"),
    "RMSNorm": Family(".*rmsnorm(?:alization)?", "rmsnorm", "Norm"),
    "Activation": Family("hardtanh|hardsigmoid|logsigmoid|softsign|threshold|glu|swiglu|tanhshrink", "activation|glu$"),
    "Relu": Family("relu6?", r"^(?!.*(?:leaky|prelu|rrelu))(?:.*relu)", "Activation"),
    "LeakyRelu": Family("leakyrelu", "leakyrelu", "Activation"),
    "PRelu": Family("[pr]relu|rreluwithnoise", "^[pr]relu", "Activation"),
    "Elu": Family("elu|celu|selu", "^[cs]?elu", "Activation"),
    "Gelu": Family("gelu|quickgelu", "gelu", "Activation"),
    "Silu": Family("silu|swish", "silu|(?<!hard)swish", "Activation"),
    "HardSwish": Family("hardswish", "hardswish", "Activation"),
    "Mish": Family("mish", "mish", "Activation"),
    "Softplus": Family("softplus", "softplus", "Activation"),
    "Sigmoid": Family("sigmoid", "^(?!.*log).*sigmoid", "Activation"),
    "Tanh": Family("tanh", "tanh$", "Activation"),
    "Softmax": Family("(?:log|safe)?softmax", "softmax"),
    "Pool": Family("lppool[123]?d?", "pool"),
    "MaxPool": Family("(?:adaptive|fractional|global|quantized)?maxpool.*", "maxpool", "Pool"),
    "AvgPool": Family("(?:adaptive|global)?(?:avg|average)pool.*", "(?:avg|average)pool", "Pool"),
    "Add": Family("add", "^add$|^residualadd|^skipadd"),
    "Sub": Family("sub|subtract|rsub", "^sub$"),
    "Mul": Family("mul|multiply", "^mul(?:tiply)?$"),
    "Div": Family("div|truediv|divide|truedivide", "^div$"),
    "Concat": Family("cat|concat|concatenate", "^concat|^cat$"),
    "Split": Family("split|chunk|unbind|tensorsplit|splitwithsizes", "^split$|^chunk$"),
    "Dropout": Family(".*dropout.*|droppath|stochasticdepth", "dropout|droppath|dropblock|stochasticdepth"),
    "Attention": Family(".*attention.*(?<!backward)", r"attention|attn|^mha$|multihead"),
    "Embedding": Family("embedding|embeddingbag", "^(?!.*rotary).*embed"),
    "Recurrent": Family(NONE, "recurrent"),
    "LSTM": Family("(?:quantized|mkldnn)?lstm(?:cell)?|thnnfusedlstmcell", "lstm", "Recurrent"),
    "GRU": Family("(?:quantized)?gru(?:cell)?|thnnfusedgrucell", "gru(?:cell)?$", "Recurrent"),
    "RNN": Family("rnn(?:tanh|relu)?(?:cell)?", "rnn(?:cell)?$", "Recurrent"),
    "Reshape": Family("reshape|reshapeas|view|viewas|unsafeview|unflatten|squeeze|unsqueeze", "^reshape|^unflatten$"),
    "Flatten": Family("flatten|ravel", "^flatten$", "Reshape"),
    "Transpose": Family("permute|transpose|t|mt|swapaxes|swapdims|movedim|moveaxis", "^permute$|^transpose$"),
    "Pad": Family("pad|constantpadnd|reflectionpad[123]d|replicationpad[123]d|.*pad[123]d", r"pad(?:[123]d)?$"),
    "Upsample": Family("interpolate|upsample.*|resize|pixelshuffle", "upsampl|pixelshuffle|interpolat"),
    "Identity": Family("identity", "^identity$"),
}
"""By the name that patterns use, in any case of letters. Names come to be compared in lower case."""

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

OPERATORS = frozenset(("add", "sub", "mul", "truediv", "matmul", "div", "floordiv", "pow"))
DUNDER = re.compile(r"__([ir]?)(\w+)__")


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
    spelt = function_name(name) if kind in {"function", "aten"} else name.replace("_", "").lower()
    found = set()
    for family, (functions, classes) in _COMPILED.items():
        if (functions.fullmatch(spelt) if kind in {"function", "aten"} else classes.search(spelt)) is not None:
            found.add(family)
            wider = _BY_LOWER[family].within.lower()
            if wider:
                found.add(wider)
    return frozenset(found)


def special(wide: frozenset[str], inside: frozenset[str]) -> frozenset[str]:
    """Families met inside a module that say more exactly what it is: a ``Norm`` that runs ``F.batch_norm``."""
    return frozenset(name for name in inside if name in _BY_LOWER and _BY_LOWER[name].within.lower() in wide)


def function_name(name: str) -> str:
    """``F.max_pool2d`` is ``maxpool2d``; ``Tensor.__iadd__``, ``torch.add`` and ``aten.add_.Tensor`` are ``add``."""
    parts = name.split(".")
    bare = parts[1] if parts[0] == "aten" and len(parts) > 1 else parts[-1]
    dunder = DUNDER.fullmatch(bare)
    if dunder is not None:
        bare = dunder[2] if dunder[2] in OPERATORS else dunder[1] + dunder[2]
    return bare.replace("_", "").lower()


_BY_LOWER = {name.lower(): family for name, family in FAMILIES.items()}
_COMPILED = {name: (re.compile(family.functions), re.compile(family.classes)) for name, family in _BY_LOWER.items()}
