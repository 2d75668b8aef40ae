"""What ATen calls without a formula are told to be."""

from __future__ import annotations

import pytest
import torch

from torchatlas.capture.flops.arithmetic import kind_of
from torchatlas.capture.flops.aten import formula_of
from torchatlas.readers.aten import work

aten = torch.ops.aten
KINDS = {
    "movement": """
        view.default t_.default unsqueeze_.default _to_copy.default cat.default index.Tensor embedding.default
        zeros.default randn.default uniform_.default copy_.default _local_scalar_dense.default constant_pad_nd.default
        expand_copy.default slice_backward.default upsample_nearest2d.default
    """,
    "elementwise": """
        add.Tensor relu_.default _softmax.default native_layer_norm.default sum.dim_IntList sort.default
        max_pool2d_with_indices.default native_dropout.default upsample_bilinear2d.default cumsum.default
        _thnn_fused_lstm_cell.default linalg_vector_norm.default _embedding_bag.default grid_sampler_2d.default
        _foreach_addcmul.Scalar native_batch_norm.default gelu_backward.default
    """,
    "unknown": """
        linalg_inv_ex.default _linalg_svd.default linalg_qr.default cholesky_solve.default
        _sparse_sparse_matmul.default triangular_solve.default matmul_backward.default _cdist_backward.default
        linalg_matrix_exp.default
    """,
}


@pytest.mark.parametrize(("name", "kind"), [(name, kind) for kind, names in KINDS.items() for name in names.split()])
def test_kind_of_an_operator(name, kind):
    """One that only moves data, one that computes element by element, one that may contract."""
    packet, _, overload = name.partition(".")
    func = getattr(getattr(aten, packet), overload)
    assert formula_of(func) is None
    assert kind_of(func) == kind


def test_operators_of_others_are_unknown():
    """Only torch's own are told by name; a higher order operator calls what is not seen."""
    assert kind_of(torch.ops.prim.device.default) == "movement"
    assert kind_of(torch.ops.higher_order.cond) == "unknown"


def test_no_contraction_passes_for_free():
    """Every operator of torch whose name speaks of a product is counted or unknown."""
    names = {full.split("::")[1].split(".")[0] for full in torch._C._dispatch_get_all_op_names() if "aten::" in full}
    products = [name for name in names if set(name.split("_")) & {"mm", "bmm", "addmm", "mv", "matmul", "attention"}]
    assert len(products) > 30
    for name in products:
        packet = getattr(aten, name)
        func = getattr(packet, packet.overloads()[0])
        assert formula_of(func) is not None or kind_of(func) == "unknown", name


_BY_TORCH_ALONE = """
_autocast_to_full_precision _autocast_to_reduced_precision _fw_primal _grad_sum_to_size _make_dual _ncf_unsqueeze
_ncf_view _sparse_broadcast_to _test_autograd_multiple_dispatch_view _unpack_dual _unwrap_optional ccol_indices
coalesce col_indices crow_indices indices row_indices slice_inverse values
"""
BY_TORCH_ALONE = frozenset(_BY_TORCH_ALONE.split())
"""Views of sparse tensors and of autograd's own, which torch says are views, and no file holds."""


def test_files_say_of_every_operator_what_captures_say():
    """By the name alone, where captures ask torch too: nothing that contracts is free in a file."""
    differing = []
    for schema in torch._C._jit_get_all_schemas():
        namespace, name = schema.name.split("::")
        overload = getattr(getattr(aten, name, None), schema.overload_name or "default", None)
        # Operators of plain numbers and lists are none of the dispatcher's.
        if namespace != "aten" or overload is None or not torch._C._dispatch_has_kernel(overload.name()):
            continue
        wanted = "unknown" if formula_of(overload) is not None else kind_of(overload)
        plain = name.rstrip("_")
        # Of what torch takes apart, as `inner`, a file has the count of the whole.
        whole = torch._C._dispatch_has_kernel_for_dispatch_key(overload.name(), "CompositeImplicitAutograd")
        if plain not in BY_TORCH_ALONE and not whole and work(name, {}, ())[1] != wanted:
            differing.append((str(overload), work(name, {}, ())[1], wanted))
    assert differing == []
