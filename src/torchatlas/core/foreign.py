"""What a file looks like that is not the one that was wanted, told from its first bytes."""

from __future__ import annotations

ENOUGH = 512
"""Bytes from the front of a file that are enough to tell."""

SIGNATURES = (
    (b"PK\x03\x04", "a zip archive, as torch.save and torch.export write them"),
    (b"\x89PNG", "a PNG image"),
    (b"\xff\xd8\xff", "a JPEG image"),
    (b"GIF8", "a GIF image"),
    (b"%PDF", "a PDF document"),
    (b"\x1f\x8b", "gzip data"),
    (b"\xfd7zXZ", "xz data"),
    (b"BZh", "bzip2 data"),
    (b"\x28\xb5\x2f\xfd", "zstd data"),
    (b"\x93NUMPY", "a NumPy array"),
    (b"\x89HDF\r\n", "an HDF5 file"),
    (b"GGUF", "a GGUF model"),
    (b"\x7fELF", "a program"),
    (b"SQLite format 3", "an SQLite database"),
)
PICKLE_PROTOCOLS = (b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05")


def looks_like(head: bytes) -> str:
    """Name what begins with these bytes, as far as can be told."""
    for signature, what in SIGNATURES:
        if head.startswith(signature):
            return what
    if b"atlas" in head[:8]:
        return "an .atlas file whose first bytes were changed, as a transfer in text mode does"
    if head.startswith(PICKLE_PROTOCOLS):
        return "a pickle"
    if head[8:9] == b"{" and head[4:8] == bytes(4):
        return "a safetensors file"
    return _looks_like_text(head) or "unknown binary data"


def _looks_like_text(head: bytes) -> str:
    # The cut may fall inside a character, which takes up to four bytes.
    for cut in range(4):
        try:
            text = head[: len(head) - cut].decode("utf-8")
        except UnicodeDecodeError:
            continue
        if not all(character.isprintable() or character.isspace() for character in text):
            return ""
        start = text.lstrip("\ufeff \t\r\n")
        return "JSON" if start[:1] in ("{", "[") else "HTML or XML" if start[:1] == "<" else f"text ({text[:20]!r}…)"
    return ""
