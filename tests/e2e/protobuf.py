"""Protocol buffers by hand: just the wire format, no schema. encode() takes (field number, value) pairs, decode() gives
{field number: [values]}. Python 3.11, standard library."""


def _varint(value):
    value &= (1 << 64) - 1  # negative int32 and int64 are ten bytes long
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _read_varint(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return value, at


def encode(*fields):
    """A value is bool or int (varint), str or bytes (length-delimited), dict (map<string, string>), a list of str or bytes
    (repeated) or a list of int (packed). None, "", 0, False and [] are left out, as proto3 does."""
    out = bytearray()

    def delimited(number, value):
        raw = value.encode() if isinstance(value, str) else bytes(value)
        out.extend(_varint(number << 3 | 2) + _varint(len(raw)) + raw)

    for number, value in fields:
        if value is None or value == "" or value is False or value == [] or (isinstance(value, int) and value == 0):
            continue
        if isinstance(value, int):
            out.extend(_varint(number << 3) + _varint(value))
        elif isinstance(value, dict):
            for key in value:
                delimited(number, encode((1, key), (2, value[key])))
        elif isinstance(value, list) and isinstance(value[0], int):
            delimited(number, b"".join(map(_varint, value)))
        elif isinstance(value, list):
            for one in value:
                delimited(number, one)
        else:
            delimited(number, value)
    return bytes(out)


def decode(data):
    """{field number: [int or bytes, in order]}; ValueError where the bytes are no message."""
    fields, at = {}, 0
    try:
        while at < len(data):
            key, at = _read_varint(data, at)
            kind = key & 7
            if kind == 0:
                value, at = _read_varint(data, at)
            elif kind in (1, 5):
                size = 8 if kind == 1 else 4
                value, at = int.from_bytes(data[at:at + size], "little"), at + size
            elif kind == 2:
                size, at = _read_varint(data, at)
                value, at = data[at:at + size], at + size
            else:
                raise ValueError(f"wire type {kind}")
            if at > len(data):
                raise ValueError("cut off")
            fields.setdefault(key >> 3, []).append(value)
    except IndexError:
        raise ValueError("cut off") from None
    return fields


def text(message, number):
    """The last value of a string field; "" where it is absent."""
    return message[number][-1].decode() if message.get(number) else ""


def number(message, field):
    return message[field][-1] if message.get(field) else 0
