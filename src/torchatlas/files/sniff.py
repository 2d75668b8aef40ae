"""The kind of a file or folder that is not the one wanted, from its first bytes or its content, for error messages.

What torchatlas reads is told by `readers.registry`; here stands what everything else is, and the first bytes that both
go by.

>>> looks_like(bytes([0x89]) + b"PNG")
'a PNG image'
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

ENOUGH = 512
"""Bytes from the front of a file that are enough to tell."""

ZIP, EMPTY_ZIP = b"PK\x03\x04", b"PK\x05\x06"
GZIP, BZIP2, XZ = b"\x1f\x8b", b"BZh", b"\xfd7zXZ"
TAR_AT, TAR = 257, b"ustar"
PICKLES = (b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05")
"""What pickles begin with, by their protocols."""

SIGNATURES = (
    (ZIP, "a zip archive, as torch.save and torch.export write them"),
    (EMPTY_ZIP, "an empty zip archive"),
    (b"\x89PNG", "a PNG image"),
    (b"\xff\xd8\xff", "a JPEG image"),
    (b"GIF8", "a GIF image"),
    (b"%PDF", "a PDF document"),
    (GZIP, "gzip data"),
    (XZ, "xz data"),
    (BZIP2, "bzip2 data"),
    (b"\x28\xb5\x2f\xfd", "zstd data"),
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive"),
    (b"Rar!", "a RAR archive"),
    (b"\x93NUMPY", "a NumPy array"),
    (b"\x89HDF\r\n", "an HDF5 file, as Keras writes its .h5 models"),
    (b"GGUF", "a GGUF model, as llama.cpp reads it"),
    (b"lmgg", "a GGML model, as old versions of llama.cpp read it"),
    (b"tjgg", "a GGML model, as old versions of llama.cpp read it"),
    (b"ptrt", "a TensorRT engine, compiled for one GPU"),
    (b"ftrt", "a TensorRT engine, compiled for one GPU"),
    (b"version https://git-lfs.github.com/", "a pointer of Git LFS: the file itself was not fetched (`git lfs pull`)"),
    (b"\x7fELF", "a program"),
    (b"SQLite format 3", "an SQLite database"),
    (b"7767517\n", "an ncnn model"),
)
INSIDE = (
    (4, b"TFL3", "a TensorFlow Lite model"),
    (4, b"PTMF", "a model for PyTorch Mobile as a flatbuffer (.ptl), which keeps no code to read"),
    (4, b"ORTM", "a model in the format of ONNX Runtime (.ort); the .onnx file that it was made of can be read"),
    (4, b"ET12", "an ExecuTorch program (.pte)"),
    (TAR_AT, TAR, "a tar archive; unpack it first"),
)
MEMBERS = (
    ("keras_metadata.pb", "a TensorFlow SavedModel in a zip archive"),
    ("saved_model.pb", "a TensorFlow SavedModel in a zip archive"),
    ("model.weights.h5", "a Keras model (.keras)"),
    ("data/aotinductor", "a package of compiled code (AOTInductor), which holds no graph"),
    ("word/document.xml", "a Word document"),
    ("META-INF/MANIFEST.MF", "a Java archive"),
    ("Data/com.apple.CoreML", "a CoreML package in a zip archive"),
    ("data.pkl", "a zip archive of torch.save"),
)
FOLDERS = (
    ("saved_model.pb", "the folder of a TensorFlow SavedModel"),
    ("Manifest.json", "the folder of a CoreML package (.mlpackage)"),
    ("metadata.json", "a folder, perhaps of a compiled CoreML model (.mlmodelc)"),
)


def is_tar(head: bytes) -> bool:
    """Whether a file that begins so is a tar archive."""
    return head[TAR_AT : TAR_AT + len(TAR)] == TAR


def looks_like(head: bytes) -> str:
    """Name what begins with these bytes, as far as can be told."""
    for signature, what in SIGNATURES:
        if head.startswith(signature):
            return what
    for offset, signature, what in INSIDE:
        if head[offset : offset + len(signature)] == signature:
            return what
    if b"atlas" in head[:8]:
        return "an .atlas file whose first bytes were changed, as a transfer in text mode does"
    if head.startswith(PICKLES):
        return "a pickle"
    if head[8:9] == b"{" and head[4:8] == bytes(4):
        return "a safetensors file"
    return _looks_like_text(head) or _looks_like_protobuf(head) or "unknown binary data"


def members_look_like(members: Iterable[str]) -> str:
    """Name a zip archive by the names of its members."""
    names = list(members)
    for start, what in MEMBERS:
        if any(name.startswith(start) or name.endswith("/" + start) for name in names):
            return what
    if names and all(name.endswith(".npy") for name in names):
        return "an archive of NumPy arrays (.npz)"
    shown = ", ".join(names[:3])
    return f"a zip archive that holds {shown or 'nothing'}"[:200] + (", …" if len(names) > 3 else "")  # noqa: PLR2004 - as many as are shown


def looks_like_folder(inside: Iterable[str]) -> str:
    """Name a folder by the names in it."""
    names = set(inside)
    return next((what for name, what in FOLDERS if name in names), "a folder")


def text_of(head: bytes) -> str | None:
    """The front of a file as text, where it is UTF-8; the cut may fall inside a character, which has up to four bytes.

    >>> text_of("naïve".encode()[:3])
    'na'
    """
    for cut in range(4):
        with suppress(UnicodeDecodeError):
            return head[: len(head) - cut].decode()
    return None


def _looks_like_text(head: bytes) -> str:
    text = text_of(head)
    if text is None or not all(character.isprintable() or character.isspace() for character in text):
        return ""
    start = text.lstrip("\ufeff \t\r\n")
    if start.startswith("<?xml") and "<net " in start:
        return "an OpenVINO model"
    if start.startswith("ir_version:"):
        return "an ONNX model written as text; onnx.load and onnx.save make a binary one of it"
    return "JSON" if start[:1] in ("{", "[") else "HTML or XML" if start[:1] == "<" else f"text ({text[:20]!r}…)"


def _looks_like_protobuf(head: bytes) -> str:
    """TensorFlow and CoreML write protocol buffers without a signature; their first fields tell them."""
    if head.startswith((b"\x08\x01\x12", b"\x08\x00\x12")) and b"serve" in head[:200]:
        return "a TensorFlow SavedModel (saved_model.pb)"
    if head[:1] == b"\x0a" and b"\x12" in head[:100] and any(word in head for word in (b"Placeholder", b"Const")):
        return "a TensorFlow graph (GraphDef, .pb)"
    if head[:1] == b"\x08" and head[2:3] == b"\x12" and b"\x0a" in head[3:8]:
        return "a CoreML model (.mlmodel), or another protocol buffer"
    if head[:1] == b"\x08" and head[2:3] in (b"\x12", b"\x3a"):
        return "an ONNX model that is damaged or cut short, or another protocol buffer"
    return ""
