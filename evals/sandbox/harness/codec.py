# Plain data as bytes, for the two confined processes of one sample: the one that runs a completion
# and the one that judges it. Only none, bool, int, float, str, bytes, list, tuple, dict and set
# cross; a subclass arrives as its base, anything else as an Opaque, which equals nothing. Nothing
# is ever executed while decoding, and depth, number of values and size are limited.
import struct

MAX_FRAME = 8 << 20
MAX_DEPTH = 64
MAX_VALUES = 1 << 20
_U32 = struct.Struct("<I")
_F64 = struct.Struct("<d")


class Malformed(Exception):
    """Bytes that no encoder of ours wrote."""


class TooLarge(Exception):
    """A value beyond the limits of depth, count or size."""


class Opaque:
    """Stands for a value that is no plain data: equal to nothing, usable for nothing."""

    __slots__ = ("kind",)

    def __init__(self, kind):
        self.kind = kind

    def __eq__(self, other):
        return False

    def __ne__(self, other):
        return True

    __hash__ = None

    def __bool__(self):
        raise TypeError("the program returned a value of type %s, which is no plain data" % self.kind)

    def __repr__(self):
        return "<value of type %s>" % self.kind


def _encode_opaque(value, out):
    name = type(value).__name__.encode("utf-8", "replace")[:80]
    out += (b"o", _U32.pack(len(name)), name)


def _encode_int(value, out):
    size = value.bit_length() // 8 + 1
    out += (b"i", _U32.pack(size), int.to_bytes(value, size, "little", signed=True))


def _encode_text(tag, data, out):
    if len(data) > MAX_FRAME:
        raise TooLarge("a text of %d bytes" % len(data))
    out += (tag, _U32.pack(len(data)), data)


def _encode(value, out, depth):
    if depth > MAX_DEPTH:
        raise TooLarge("nesting beyond %d" % MAX_DEPTH)
    if len(out) > 3 * MAX_VALUES:
        raise TooLarge("more than %d values" % MAX_VALUES)
    if value is None:
        out.append(b"N")
    elif value is True:
        out.append(b"T")
    elif value is False:
        out.append(b"F")
    elif isinstance(value, int):
        _encode_int(int.__int__(value), out)
    elif isinstance(value, float):
        out += (b"d", _F64.pack(float.__float__(value)))
    elif isinstance(value, str):
        _encode_text(b"s", str.encode(value, "utf-8", "surrogatepass"), out)
    elif isinstance(value, bytes):
        _encode_text(b"b", bytes.__getitem__(value, slice(None)), out)
    elif isinstance(value, (list, tuple, set)):
        _encode_sequence(value, out, depth)
    elif isinstance(value, dict):
        out += (b"m", _U32.pack(dict.__len__(value)))
        for key, item in dict.items(value):
            _encode(key, out, depth + 1)
            _encode(item, out, depth + 1)
    else:
        _encode_opaque(value, out)


def _encode_sequence(value, out, depth):
    for base, tag in ((list, b"l"), (tuple, b"t"), (set, b"e")):
        if isinstance(value, base):
            out += (tag, _U32.pack(base.__len__(value)))
            for item in base.__iter__(value):
                _encode(item, out, depth + 1)
            return


def encode(value):
    """Bytes of a value. Raises TooLarge beyond the limits."""
    out = []
    _encode(value, out, 0)
    data = b"".join(out)
    if len(data) > MAX_FRAME - 16:
        raise TooLarge("a value of %d bytes" % len(data))
    return data


class _Decoder:
    def __init__(self, data):
        self.data = data
        self.at = 0
        self.values = 0

    def take(self, size):
        end = self.at + size
        if end > len(self.data):
            raise Malformed("truncated")
        piece = self.data[self.at:end]
        self.at = end
        return piece

    def length(self):
        return _U32.unpack(self.take(4))[0]

    def items(self, depth, count):
        if count > len(self.data) - self.at:
            raise Malformed("a count beyond the data")
        return [self.value(depth + 1) for _ in range(count)]

    def value(self, depth):
        self.values += 1
        if depth > MAX_DEPTH or self.values > 2 * MAX_VALUES:
            raise Malformed("beyond the limits")
        tag = self.take(1)
        if tag in b"NTF":
            return {b"N": None, b"T": True, b"F": False}[tag]
        if tag == b"d":
            return _F64.unpack(self.take(8))[0]
        if tag not in b"isboltem":
            raise Malformed("an unknown tag")
        count = self.length()
        if tag in b"isbo":
            return self.scalar(tag, self.take(count))
        return self.container(tag, count, depth)

    def scalar(self, tag, piece):
        if tag == b"i":
            return int.from_bytes(piece, "little", signed=True)
        if tag == b"s":
            return piece.decode("utf-8", "surrogatepass")
        if tag == b"b":
            return piece
        return Opaque(piece.decode("utf-8", "replace"))

    def container(self, tag, count, depth):
        if tag == b"m":
            pairs = self.items(depth, 2 * count)
            return dict(zip(pairs[0::2], pairs[1::2]))
        items = self.items(depth, count)
        if tag == b"t":
            return tuple(items)
        return items if tag == b"l" else set(items)


def decode(data):
    """The value of bytes. Raises Malformed, whatever the bytes are."""
    decoder = _Decoder(data)
    try:
        value = decoder.value(0)
    except (TypeError, ValueError, UnicodeError) as error:
        raise Malformed(str(error)) from None
    if decoder.at != len(data):
        raise Malformed("trailing bytes")
    return value


def write_all(write, fd, data):
    view = memoryview(data)
    while len(view) > 0:
        view = view[write(fd, view):]


def read_exactly(read, fd, size):
    """`size` bytes, or None at the end of the stream."""
    pieces = []
    while size > 0:
        piece = read(fd, min(size, 1 << 20))
        if not piece:
            return None
        pieces.append(piece)
        size -= len(piece)
    return b"".join(pieces)


def write_frame(write, fd, data):
    write_all(write, fd, _U32.pack(len(data)) + data)


def read_frame(read, fd):
    """One frame, or None at the end of the stream. Raises Malformed beyond the size limit."""
    head = read_exactly(read, fd, 4)
    if head is None:
        return None
    size = _U32.unpack(head)[0]
    if size > MAX_FRAME:
        raise Malformed("a frame of %d bytes" % size)
    return read_exactly(read, fd, size)


def read_fields(read, fd):
    """All fields (length, bytes) of the descriptor that holds this process's own input."""
    fields = []
    while True:
        head = read_exactly(read, fd, 4)
        if head is None:
            return fields
        fields.append(read_exactly(read, fd, _U32.unpack(head)[0]) or b"")
