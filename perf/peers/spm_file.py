"""Writes SentencePiece model files: the pieces given, everything else as in a file that the trainer wrote.

The file is a message in the format of protocol buffers; this knows the little of it that is needed, so that no package
for it has to be there.
"""

import struct

PIECES, TRAINER, VOCAB_SIZE = 1, 2, 4  # numbers of fields
VARINT, BYTES, FOUR = 0, 2, 5  # how a field is stored


def varint(value):
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes(out) + bytes([value])


def field(number, kind, value):
    """`value` is an integer for VARINT, else bytes."""
    head = varint(number << 3 | kind)
    if kind == VARINT:
        return head + varint(value)
    return head + (varint(len(value)) if kind == BYTES else b"") + value


def fields(message):
    """(number, kind, value) of each, in their order."""
    def number():
        nonlocal at
        value = shift = 0
        while True:
            byte, at = message[at], at + 1
            value, shift = value | (byte & 127) << shift, shift + 7
            if byte < 128:
                return value

    at, out = 0, []
    while at < len(message):
        tag = number()
        size = {VARINT: 0, BYTES: None, FOUR: 4, 1: 8}[tag & 7]
        size = number() if size is None else size
        value = number() if tag & 7 == VARINT else message[at:at + size]
        at += size
        out.append((tag >> 3, tag & 7, value))
    return out


def with_pieces(model, pieces):
    """The model file's bytes with (text, score, kind) for each piece in place of its own."""
    out = bytearray()
    for text, score, kind in pieces:
        piece = field(1, BYTES, text.encode()) + field(2, FOUR, struct.pack("<f", score)) + field(3, VARINT, kind)
        out += field(PIECES, BYTES, piece)
    for number, kind, value in fields(model):
        if number == TRAINER:
            value = b"".join(field(n, k, len(pieces) if n == VOCAB_SIZE else v) for n, k, v in fields(value))
        if number != PIECES:
            out += field(number, kind, value)
    return bytes(out)
