"""What an operator without a formula does, by its name: it moves data, computes element by element, or may contract.

Whatever no list knows is ``elementwise``, unless its name holds a word for a contraction: a kernel that torch adds
tomorrow is then ``unknown``, not silently free.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from torchatlas.core.operators.names import joined

if TYPE_CHECKING:
    from torchatlas.core.graph import Arithmetic

_VIEWS = """
adjoint alias as_strided broadcast_to chunk _conj conj detach diagonal dsplit expand expand_as hsplit imag
linalg_diagonal matrix_H mH moveaxis movedim mT narrow _neg_view numpy_T permute positive real _reshape_alias
resolve_conj resolve_neg select slice split split_with_sizes squeeze swapaxes swapdims t tensor_split transpose unbind
unflatten unfold unsqueeze view view_as view_as_complex view_as_real vsplit
"""
VIEWS = frozenset(_VIEWS.split())
"""Operators of torch that return the memory they were given; where torch is at hand, it says so itself."""

# Copies, fills, random draws, gathers, casts, changes of layout, sizes.
_MOVEMENT = """
alpha_dropout arange as_strided_scatter atleast_1d atleast_2d atleast_3d bernoulli bfloat16 block_diag bool
broadcast_tensors cat cauchy channel_shuffle _chunk_cat clone _coalesced complex concat concatenate constant_pad_nd
contiguous copy copy_slices cpu cuda data diag diag_embed diagonal_scatter double dropout embedding embedding_renorm
empty empty_like empty_permuted empty_strided exponential eye feature_dropout fill flatten flip float from_file full
full_like gather geometric getitem half hstack im2col index index_copy index_fill index_put index_select int item
_lazy_clone lift lift_fresh lift_fresh_copy linspace _local_scalar_dense log_normal logspace long masked_fill
masked_scatter masked_select max_unpool2d max_unpool3d meshgrid moveaxis new_empty new_empty_strided new_full new_ones
new_zeros normal normal_functional numel one_hot ones ones_like _pack_padded_sequence pad _pad_packed_sequence
_pin_memory pin_memory pixel_shuffle pixel_unshuffle put rand rand_like randint randint_like randn randn_like random
randperm range ravel reflection_pad1d reflection_pad2d reflection_pad3d repeat repeat_interleave replication_pad1d
replication_pad2d replication_pad3d reshape reshape_as resize resize_as resize_as_sparse roll rot90 scalar_tensor
scatter select_backward select_scatter set setitem shape short size slice_backward slice_scatter
sparse_compressed_tensor sparse_coo_tensor sparse_mask _stack stack swapdims take take_along_dim tensor tile to
_to_copy _to_cpu _to_dense to_mkldnn to_padded_tensor tril tril_indices triu triu_indices type type_as uniform
unsafe_chunk _unsafe_index _unsafe_index_put _unsafe_masked_index unsafe_split unsafe_split_with_sizes _unsafe_view
upsample_nearest1d upsample_nearest2d upsample_nearest3d vstack where zero zeros zeros_like
"""
# What is asked of a tensor or checked, and what torch's kernels do among themselves: no box of a drawing to speak of.
_INSIDE = """
_assert_async _assert_scalar _assert_tensor_metadata _convert_indices_from_coo_to_csr _convert_indices_from_csr_to_coo
_copy_from _copy_from_and_resize copy_sparse_to_sparse _cudnn_init_dropout_state _cudnn_rnn_flatten_weight dense_dim
device dim _dimI _dimV dtype _efficientzerotensor _empty_affine_quantized _empty_per_channel_affine_quantized
empty_quantized _functional_assert_async _functional_assert_scalar _fused_sdp_choice _has_same_storage_numel
_index_put_impl is_coalesced is_floating_point is_nonzero is_pinned is_same_size is_set_to
_jagged_to_padded_dense_forward len _linalg_check_errors lu_unpack mkldnn_reorder_conv2d_weight
mkldnn_reorder_conv3d_weight _mkldnn_reshape _mkldnn_transpose _new_zeros_with_same_feature_meta _nnz
_padded_dense_to_jagged_forward _print q_per_channel_axis q_per_channel_scales q_per_channel_zero_points q_scale
q_zero_point qscheme record_stream _resize_output _shape_as_tensor _sparse_compressed_tensor_with_dims
_sparse_coo_tensor_with_dims _sparse_coo_tensor_with_dims_and_tensors sparse_dim sparse_resize sparse_resize_and_clear
stride sym_constrain_range sym_constrain_range_for_size sym_numel sym_size sym_storage_offset sym_stride
_tensor_to_list _to_sparse _to_sparse_bsc _to_sparse_bsr _to_sparse_csc _to_sparse_csr
_validate_compressed_sparse_indices
"""
MOVEMENT = VIEWS.union(_MOVEMENT.split(), _INSIDE.split())
"""Operators of torch without arithmetic, as functions, as methods and in ATen."""

_ONNX_MOVEMENT = """
Cast CastLike Compress Concat ConcatFromSequence Constant ConstantOfShape DepthToSpace Dropout Expand EyeLike Flatten
Gather GatherElements GatherND Identity If Loop Multinomial NonZero OneHot Optional OptionalGetElement
OptionalHasElement Pad RandomNormal RandomNormalLike RandomUniform RandomUniformLike Range Reshape ReverseSequence
Scan Scatter ScatterElements ScatterND SequenceAt SequenceConstruct SequenceEmpty SequenceErase SequenceInsert
SequenceLength SequenceMap Shape Size Slice SpaceToDepth Split SplitToSequence Squeeze StringConcat StringSplit
Tile Transpose Trilu Unique Unsqueeze Upsample Where BitCast TensorScatter CenterCropPad Col2Im MaxUnpool
"""
ONNX_MOVEMENT = frozenset(_ONNX_MOVEMENT.split())
"""The operators of ONNX without arithmetic. ``Resize`` is none of them, as torch's is, which only takes memory."""

ONNX_UNKNOWN = frozenset(
    ("Einsum", "DFT", "STFT", "Det", "DeformConv", "FlexAttention", "LinearAttention", "CausalConvWithState")
)
"""What contracts in ONNX, and has no formula here."""

_MOVES = re.compile(r"_copy$|^_nested_(get|tensor_(?!softmax)|view|from|compute)|^_indices|^_values")
_CONTRACTION = re.compile(
    r"(^|_)[a-z]*m[mv](_|$)|attention|conv(?!ert)|linalg|rnn|lstm|gru|cholesky|matmul|einsum|(^|_)fft|linear|geqrf|ormqr"
    r"|solve|lstsq|svd|transformer|multi_head|dist_backward|linear_combination|kernel_wrapper"
    r"|tensordot|kron|cdist|_pdist|euclidean_dist|affine_grid|matrix_power|^cov$|corrcoef|stft"
)
_NO_CONTRACTION = re.compile(
    r"upsample|_thnn_fused_(lstm|gru)_cell|linalg_(vector_norm|cross|diagonal|_powsum)|fftfreq|fftshift|_foreach_(?!mm)"
)
"""These hold such a word without being a contraction."""


def kind_of(op: str) -> Arithmetic:
    """What an operator of ATen does that has no formula, by its name without namespace, overload and mark of in-place.

    >>> kind_of("view"), kind_of("exp"), kind_of("linalg_svd")
    ('movement', 'elementwise', 'unknown')
    """
    if op in MOVEMENT or _MOVES.search(op):
        return "movement"
    return "unknown" if _CONTRACTION.search(op) and not _NO_CONTRACTION.search(op) else "elementwise"


def onnx_kind_of(op: str) -> Arithmetic:
    """The same of one of ONNX's own operators."""
    if op in ONNX_UNKNOWN:
        return "unknown"
    return "movement" if op in ONNX_MOVEMENT else "elementwise"


DRAWN_MOVEMENT = frozenset(map(joined, VIEWS.union(_MOVEMENT.split(), ONNX_MOVEMENT)))
"""What drawings show as moving data, as names are compared whatever their spelling."""
