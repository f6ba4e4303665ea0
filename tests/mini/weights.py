"""Copies of a BF16 checkpoint with some weights changed, for tests; plain Python."""
import array
import json
import shutil
import struct


def to_float(bits):
    return struct.unpack("<f", struct.pack("<I", bits << 16))[0]


def to_bits(value):
    """The nearest BF16, ties to even."""
    bits = struct.unpack("<I", struct.pack("<f", value))[0]
    return (bits + 0x7fff + (bits >> 16 & 1)) >> 16


def scaled(bits, factor):
    return [to_bits(to_float(b) * factor) for b in bits]


def rounded(bits, width):
    """To integers of so many bits with one scale for the whole matrix."""
    top = 2 ** (width - 1) - 1
    floats = {b: to_float(b) for b in set(bits)}
    scale = max(abs(f) for f in floats.values()) / top
    table = {b: to_bits(max(-top, min(top, round(f / scale))) * scale) for b, f in floats.items()}
    return [table[b] for b in bits]


def copy_with(source, target, ending, change):
    """Applies `change` to the BF16 patterns of each tensor whose name ends so."""
    shutil.copytree(source, target)
    path = target / "model.safetensors"
    data = bytearray(path.read_bytes())
    size = struct.unpack("<Q", data[:8])[0]
    changed = 0
    for name, tensor in json.loads(data[8:8 + size]).items():
        if name.endswith(ending):
            begin, end = (8 + size + offset for offset in tensor["data_offsets"])
            data[begin:end] = array.array("H", change(array.array("H", bytes(data[begin:end])))).tobytes()
            changed += 1
    assert changed, ending
    path.write_bytes(data)
