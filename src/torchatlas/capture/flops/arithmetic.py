"""What an ATen call without a FLOP formula does, told by its name.

Whatever no list knows is ``elementwise``, unless its name holds a word for a contraction: a kernel that torch adds
tomorrow is then ``unknown``, not silently free.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    from torchatlas.core.graph import Arithmetic

# Views apart (torch says itself what is one): copies, fills, random draws, gathers, layout changes, sizes.
_MOVEMENT = """
_assert_async _assert_scalar _assert_tensor_metadata _chunk_cat _coalesced _convert_indices_from_coo_to_csr
_convert_indices_from_csr_to_coo _copy_from _copy_from_and_resize _cudnn_init_dropout_state
_cudnn_rnn_flatten_weight _dimI _dimV _efficientzerotensor _empty_affine_quantized
_empty_per_channel_affine_quantized _functional_assert_async _functional_assert_scalar _fused_sdp_choice
_has_same_storage_numel _index_put_impl _jagged_to_padded_dense_forward _lazy_clone _linalg_check_errors
_local_scalar_dense _mkldnn_reshape _mkldnn_transpose _new_zeros_with_same_feature_meta _nnz _pack_padded_sequence
_pad_packed_sequence _padded_dense_to_jagged_forward _pin_memory _print _resize_output _shape_as_tensor
_sparse_compressed_tensor_with_dims _sparse_coo_tensor_with_dims _sparse_coo_tensor_with_dims_and_tensors _stack
_to_copy _to_cpu _to_dense _to_sparse _to_sparse_bsc _to_sparse_bsr _to_sparse_csc _to_sparse_csr _unsafe_index
_unsafe_index_put _unsafe_masked_index _unsafe_view _validate_compressed_sparse_indices arange as_strided
as_strided_scatter bernoulli block_diag cat cauchy channel_shuffle clone complex concat concatenate constant_pad_nd
copy copy_sparse_to_sparse dense_dim diag_embed diagonal_scatter embedding embedding_renorm empty empty_like
empty_permuted empty_quantized empty_strided exponential eye fill flip from_file full full_like gather geometric
hstack im2col index index_copy index_fill index_put index_select is_coalesced is_nonzero is_pinned is_same_size
is_set_to item lift lift_fresh linspace log_normal logspace lu_unpack masked_fill masked_scatter masked_select
max_unpool2d max_unpool3d mkldnn_reorder_conv2d_weight mkldnn_reorder_conv3d_weight narrow new_empty
new_empty_strided new_full new_ones new_zeros normal normal_functional ones ones_like pad pixel_shuffle
pixel_unshuffle put q_per_channel_axis q_per_channel_scales q_per_channel_zero_points q_scale q_zero_point qscheme
rand rand_like randint randint_like randn randn_like random randperm range record_stream reflection_pad1d
reflection_pad2d reflection_pad3d repeat replication_pad1d replication_pad2d replication_pad3d resize resize_as
resize_as_sparse roll rot90 scalar_tensor scatter select_backward select_scatter set size slice_backward
slice_scatter sparse_compressed_tensor sparse_coo_tensor sparse_dim sparse_mask sparse_resize
sparse_resize_and_clear split stack stride sym_constrain_range sym_constrain_range_for_size sym_numel sym_size
sym_storage_offset sym_stride take to_mkldnn to_padded_tensor tril tril_indices triu triu_indices unbind uniform
unsafe_chunk unsafe_split unsafe_split_with_sizes upsample_nearest1d upsample_nearest2d upsample_nearest3d vstack
where zero zeros zeros_like
"""
_moves = frozenset(_MOVEMENT.split())
_moves_by_pattern = re.compile(r"_copy$|^_nested_(get|tensor_(?!softmax)|view|from|compute)|^_indices|^_values")
_contraction = re.compile(
    r"(^|_)[a-z]*m[mv](_|$)|attention|conv(?!ert)|linalg|rnn|lstm|gru|cholesky|matmul|einsum|(^|_)fft|linear|geqrf|ormqr"
    r"|triangular_solve|spsolve|lstsq|svd|transformer|multi_head|dist_backward|linear_combination|kernel_wrapper"
)
# These hold such a word without being a contraction.
_no_contraction = re.compile(
    r"upsample|_thnn_fused_(lstm|gru)_cell|linalg_(vector_norm|cross|diagonal|_powsum)|fftfreq|fftshift|_foreach_(?!mm)"
)
# Data passed around, ranges of the profiler, questions about a tensor.
_without_arithmetic = frozenset({"prim", "profiler", "c10d", "_c10d_functional", "fsdp", "debugprims"})


def kind_of(func: Any) -> Arithmetic:
    """What an OpOverload without a formula does; an operator from outside torch's own is ``unknown``."""
    if not hasattr(func, "overloadpacket"):  # a higher order operator: what it calls cannot be seen
        return "unknown"
    namespace, _, name = func.name().partition("::")
    if namespace in _without_arithmetic:
        return "movement"
    if namespace not in {"aten", "prims", "quantized"}:
        return "unknown"
    plain = name.partition(".")[0].rstrip("_")
    moves = func.is_view or torch.Tag.inplace_view in func.tags or plain in _moves or _moves_by_pattern.search(plain)
    if moves:
        return "movement"
    if _contraction.search(plain) and not _no_contraction.search(plain):
        return "unknown"
    return "elementwise"
