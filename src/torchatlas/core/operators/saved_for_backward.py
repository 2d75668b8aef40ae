"""What one operation needs beside its inputs and outputs: saved for its backward pass, and while it runs.

Operations are told by their plain names (`names.plain_name`), so ``torch.conv2d``, ``F.conv2d`` and
``aten.conv2d.default`` are one. What is saved follows torch's own ``derivatives.yaml``
(https://github.com/pytorch/pytorch/blob/main/tools/autograd/derivatives.yaml); what the CPU kernels take while they run
was read off the allocator. All sizes are bytes, and estimates.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, TypeAlias

from torchatlas.core.graph import Node, Slot
from torchatlas.core.instances import maker
from torchatlas.core.operators.names import plain_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from torchatlas.core.graph import Call, Graph, Tree, Value


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation and its tensors.

    Attributes:
        call: its id in the graph.
        name: the plain name of the operator: ``add`` for ``Tensor.__iadd__``.
        in_place: it wrote to a tensor that existed before.
        inputs: tensors read.
        outputs: tensors returned or written.
        arguments: of the call, by name.
        rule: what kind of operation it is.
    """

    call: int
    name: str
    in_place: bool
    inputs: tuple[Value, ...]
    outputs: tuple[Value, ...]
    arguments: Node
    rule: Rule

    @property
    def on_cpu(self) -> bool:
        """Whether it ran on the CPU, whose kernels' needs are known."""
        return bool(self.outputs) and self.outputs[0].device == "cpu"

    def number(self, key: str) -> float:
        """The constant of that name, 0 where it has none."""
        found = self.constant(key)
        return found if isinstance(found, (int, float)) else 0

    def constant(self, key: str, default: Tree = None) -> Tree:
        """The argument of that name that is no tensor and no container."""
        names = self.arguments.keys
        found = self.arguments.items[names.index(key)] if key in names else default
        return default if isinstance(found, (Slot, Node)) else found


_operation = maker(Operation)

Size: TypeAlias = "Callable[[Operation], int]"


def nothing(_: Operation) -> int:
    """No bytes."""
    return 0


@dataclass(frozen=True, slots=True)
class Rule:
    """What kind of operation it is to autograd.

    Attributes:
        saves: ``inputs`` and ``output`` as they are called; ``factors`` are inputs that a gradient of another input
            needs; ``all`` is both, for what is not known.
        of: the half-open range of inputs that ``saves`` speaks of.
        indices: whether it saves its integer and boolean inputs too: indices and masks.
        gradient: ``new`` memory for each input; ``passed`` on as it arrived, if the shape is the same; ``part`` of
            what arrived, or a view of it; ``none`` where the result does not depend on the input's content.
        kept: further bytes that stay until the backward pass.
        always: whether what is ``kept`` is made in inference too, and given back at once.
        forward: bytes taken only while it runs.
        backward: bytes taken only while its backward runs, the gradients themselves apart.
    """

    saves: Literal["nothing", "factors", "inputs", "output", "all"] = "nothing"
    of: tuple[int, int | None] = (0, None)
    indices: bool = True
    gradient: Literal["new", "passed", "part", "none"] = "new"
    kept: Size = nothing
    always: bool = False
    forward: Size = nothing
    backward: Size = nothing


UNKNOWN = Rule("all")


def rule_for(name: str, tensors: Iterable[Value], *, in_place: bool) -> Rule:
    """The rule of an operation; ``UNKNOWN`` where there is none. Of tensors without sizes it tells no further bytes."""
    written = RULES.get(f"{name}_") if in_place else None
    rule = written or RULES.get(name, UNKNOWN)
    # A file may say of a tensor that it is one, and no more; the total is called a lower bound then.
    for value in tensors:
        if value.nbytes is None and rule is not UNKNOWN:
            return replace(rule, kept=nothing, forward=nothing, backward=nothing)
    return rule


def workspace(operation: Operation) -> int:
    """Bytes that inference takes only while the operation runs. What passes its input through does nothing."""
    if operation.outputs and operation.outputs[0].alias_of is not None:
        return 0
    rule = operation.rule
    return rule.forward(operation) + (rule.kept(operation) if rule.always else 0)


def is_known(name: str) -> bool:
    """Whether there is a rule for calls of that name."""
    return plain_name(name) in RULES


def operation_of(graph: Graph, call: Call) -> Operation:
    """One call, with its tensors looked up."""
    values, name = graph.values, plain_name(call.name)
    in_place = bool(call.writes) and not set(call.outputs).isdisjoint(call.writes)
    inputs = tuple([values[value] for value in call.inputs])
    outputs = tuple([values[value] for value in dict.fromkeys((*call.outputs, *call.writes))])
    rule = rule_for(name, (*inputs, *outputs), in_place=in_place)
    return _operation(call.id, name, in_place, inputs, outputs, call.arguments, rule)


def size_of(value: Value) -> int:
    """Bytes in this process, 0 where they are unknown."""
    return (value.local_nbytes if value.placements else value.nbytes) or 0


def _element(value: Value) -> int:
    return size_of(value) // max(value.local_numel, 1)


def _first(operation: Operation) -> int:
    return size_of(operation.inputs[0]) if operation.inputs else 0


def _output(operation: Operation) -> int:
    return size_of(operation.outputs[0]) if operation.outputs else 0


def _twice_first(operation: Operation) -> int:
    return 2 * _first(operation)


def _first_and_output(operation: Operation) -> int:
    return _first(operation) + _output(operation)


def _rows(operation: Operation) -> int:
    """Mean and deviation of every row, float32."""
    shape = operation.inputs[0].shape
    return 8 * math.prod(shape[:-1])


def _channels(operation: Operation) -> int:
    """Mean and deviation of every channel, float32."""
    shape = operation.inputs[0].shape
    return 8 * shape[1] if len(shape) > 1 else 0


def _indices(operation: Operation) -> int:
    """The place of every maximum, int64."""
    return 8 * operation.outputs[0].numel if len(operation.outputs) == 1 else 0


def _noise(operation: Operation) -> int:
    """The mask of dropout: as wide as the tensor on a CPU, a byte per element elsewhere."""
    if operation.constant("p", 0.5) == 0 or not operation.inputs:
        return 0
    return _first(operation) if operation.on_cpu else operation.inputs[0].numel


def _convolution(operation: Operation) -> int:
    """The copies in its own layout that oneDNN works on; an image of few channels is read as it is."""
    if not operation.on_cpu or len(operation.inputs) < 2:  # noqa: PLR2004 - image and weight
        return 0
    image, weight = operation.inputs[:2]
    if _is_unfolded(image, weight):
        window = math.prod(weight.shape[1:])
        pointwise = math.prod(weight.shape[2:]) == 1
        return 0 if pointwise else window * math.prod(operation.outputs[0].shape[2:]) * _element(image)
    few = 4
    copied = size_of(image) if len(image.shape) > 1 and image.shape[1] > few else 0
    return max(copied + size_of(weight), _output(operation))


def _is_unfolded(image: Value, weight: Value) -> bool:
    """Whether a convolution of one small image is a product of its unfolded windows: oneDNN is not asked then.

    Source: ``use_mkldnn`` in https://github.com/pytorch/pytorch/blob/main/aten/src/ATen/native/Convolution.cpp
    """
    if len(image.shape) != 4 or len(weight.shape) != 4:  # noqa: PLR2004 - two dimensions of space
        return False
    small, window = 20_480, 3
    single = image.shape[0] == 1 and image.numel <= small and image.shape[1] == weight.shape[1]
    return single and image.dtype == "float32" and min(weight.shape[2:]) <= window


def _convolution_backward(operation: Operation) -> int:
    """Copies of the arriving gradient and of the image; a depthwise kernel needs only one of them at a time."""
    if not operation.on_cpu or len(operation.inputs) < 2:  # noqa: PLR2004 - image and weight
        return 0
    image, weight = size_of(operation.inputs[0]), operation.inputs[1]
    depthwise = len(weight.shape) > 1 and weight.shape[1] == 1
    return max(image, _output(operation)) if depthwise else image + _output(operation)


def _attention(operation: Operation) -> int:
    """The log-sum-exp of every row, a boolean mask made a number, and all scores where no flash kernel serves."""
    if len(operation.inputs) < 3:  # noqa: PLR2004 - query, key and value
        return 0
    query, key = operation.inputs[:2]
    scores = math.prod(query.shape[:-1]) * math.prod(key.shape[-2:-1]) * _element(query)
    mask = sum(value.numel * _element(query) for value in operation.inputs[3:] if value.dtype == "bool")
    if operation.on_cpu and operation.number("dropout_p") > 0:
        return 3 * scores + 2 * size_of(query) + mask
    return 4 * math.prod(query.shape[:-1]) + mask


def _multi_head(operation: Operation) -> int:
    """Inside ``F.multi_head_attention_forward``: a copy of the input, three projections, and the heads' result.

    The weights of attention, where they are returned, are kept too.
    """
    returned = sum(size_of(value) for value in operation.outputs[1:])
    return 5 * _first(operation) + returned * int(operation.number("num_heads") or 1)


def _all_layers(gates: float, states: float) -> Size:
    """Per step and layer, ``gates`` numbers per hidden unit and ``states`` per the wider of input and hidden state."""
    return lambda operation: sum(_layer_sizes(operation, gates, states))


def _one_layer(gates: float, states: float) -> Size:
    """The same of the layer that takes most, a copy of the input, and what goes from layer to layer."""

    def size(operation: Operation) -> int:
        sizes = _layer_sizes(operation, gates, states)
        return max(sizes, default=0) + _first(operation) + (2 * _output(operation) if len(sizes) > 1 else 0)

    return size


def _layer_sizes(operation: Operation, gates: float, states: float) -> list[int]:
    return [
        int(steps * element * (gates * hidden + states * max(width, hidden)))
        for steps, width, hidden, element in _layers(operation)
    ]


def _layers(operation: Operation) -> list[tuple[int, int, int, int]]:
    """(steps of all sequences, input width, hidden size, bytes per element) per layer and direction."""
    if len(operation.outputs) < 2:  # noqa: PLR2004 - sequence and last hidden state
        return []
    sequence, last = operation.outputs[:2]
    if not operation.inputs or not all(value.shape for value in (sequence, last, operation.inputs[0])):
        return []
    given = operation.inputs[0]
    count, hidden = last.shape[0] if len(last.shape) >= len(sequence.shape) else 1, last.shape[-1]
    directions = max(sequence.shape[-1] // max(hidden, 1), 1)
    steps = math.prod(sequence.shape[:-1])
    widths = [given.shape[-1] if layer < directions else sequence.shape[-1] for layer in range(count)]
    return [(steps, width, hidden, _element(sequence)) for width in widths]


_TABLE: tuple[tuple[str, Rule], ...] = (
    ("linear", Rule("factors", (0, 2))),
    ("addmm addmv addbmm baddbmm", Rule("factors", (1, None))),
    ("matmul mm bmm mv dot inner outer einsum tensordot bilinear mul multiply prelu", Rule("factors")),
    ("div divide true_divide", Rule("inputs", backward=_twice_first)),
    ("atan2 cdist lerp maximum minimum fmod remainder", Rule("inputs")),
    (
        """conv1d conv2d conv3d conv_transpose1d conv_transpose2d conv_transpose3d convolution mkldnn_convolution
        _convolution conv_tbc""",
        Rule("inputs", (0, 2), forward=_convolution, backward=_convolution_backward),
    ),
    ("gelu silu hardswish hardtanh relu6 mish softplus logsigmoid softsign hardsigmoid", Rule("inputs", (0, 1))),
    ("leaky_relu elu celu selu", Rule("inputs", (0, 1))),
    ("leaky_relu_ elu_ celu_ selu_", Rule("output")),
    ("pow square log log1p log2 sin cos abs clamp clamp_min clamp_max erf", Rule("inputs", (0, 1), backward=_first)),
    (
        "avg_pool1d avg_pool2d avg_pool3d adaptive_avg_pool1d adaptive_avg_pool3d smooth_l1_loss",
        Rule("inputs", (0, 1)),
    ),
    ("adaptive_avg_pool2d mse_loss l1_loss huber_loss", Rule("inputs")),
    ("max_pool1d max_pool2d max_pool3d", Rule("inputs", (0, 1), kept=_indices, always=True)),
    ("adaptive_max_pool1d adaptive_max_pool2d", Rule("inputs", (0, 1), kept=_indices, always=True)),
    ("max_pool2d_with_indices", Rule("all")),
    ("batch_norm instance_norm native_batch_norm", Rule("inputs", (0, 1), kept=_channels, backward=_first)),
    ("layer_norm rms_norm native_layer_norm", Rule("inputs", (0, 1), kept=_rows)),
    ("group_norm native_group_norm", Rule("inputs", (0, 1))),
    ("relu sigmoid tanh exp sqrt rsqrt reciprocal threshold softmax _softmax", Rule("output")),
    ("log_softmax _log_softmax softmin cumprod", Rule("output")),
    ("norm vector_norm linalg_vector_norm logsumexp prod normalize", Rule("all")),
    ("cross_entropy", Rule("nothing", kept=_first, always=True, backward=_first)),
    ("nll_loss var std", Rule("inputs", (0, 1))),
    ("scaled_dot_product_attention", Rule("all", indices=False, kept=_attention, always=True)),
    ("multi_head_attention_forward", Rule("inputs", kept=_multi_head, always=True)),
    ("lstm mkldnn_rnn_layer", Rule("all", kept=_all_layers(9, 7), forward=_one_layer(2, 2), backward=_one_layer(2, 2))),
    ("gru", Rule("all", kept=_all_layers(8, 0), forward=_one_layer(3, 0))),
    ("rnn_tanh rnn_relu", Rule("all", kept=_all_layers(1, 0), forward=_one_layer(1, 0))),
    (
        "dropout dropout1d dropout2d dropout3d alpha_dropout feature_dropout",
        Rule("nothing", kept=_noise, always=True),
    ),
    (
        "interpolate upsample upsample_nearest2d upsample_bilinear2d upsample_bicubic2d grid_sample",
        Rule("nothing", forward=_first_and_output),
    ),
    (
        """add sub subtract rsub neg clone contiguous alias positive copy to float half bfloat16 double type
        type_as cpu cuda requires_grad""",
        Rule(gradient="passed"),
    ),
    (
        """view reshape view_as reshape_as flatten unflatten transpose t T mT H mH permute squeeze unsqueeze swapaxes
        swapdims movedim moveaxis ravel _unsafe_view real imag cat concat concatenate stack hstack vstack dstack sum""",
        Rule(gradient="part"),
    ),
    (
        """detach data zeros_like ones_like full_like empty_like rand_like randn_like randint_like new_zeros new_ones
        new_full new_empty new_tensor""",
        Rule(gradient="none"),
    ),
    (
        """mean expand expand_as broadcast_to repeat repeat_interleave tile unfold fold pad split chunk tensor_split
        split_with_sizes unbind select narrow slice index index_select gather scatter scatter_add
        index_put index_add index_copy masked_fill masked_select masked_scatter where roll flip rot90 cumsum tril triu
        diagonal diag embedding embedding_bag pixel_shuffle pixel_unshuffle channel_shuffle sort topk take_along_dim
        diff bernoulli max min amax amin argmax argmin fill zero scatter_reduce native_dropout meshgrid trace round
        sign floor ceil conj grad""",
        Rule("nothing"),
    ),
)

RULES = {name: rule for names, rule in _TABLE for name in names.split()}
