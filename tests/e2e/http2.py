"""gRPC over HTTP/2 with prior knowledge on a unix socket: one unary call at a time (RFC 9113, RFC 7541, grpc PROTOCOL-HTTP2).

Headers are sent as literals without indexing and without Huffman; the peer is asked for a dynamic table of size 0, so
its headers need the static table and Huffman only. Python 3.11, standard library."""
import socket, struct, urllib.parse

DATA, HEADERS, RST_STREAM, SETTINGS, PING, GOAWAY, WINDOW_UPDATE = 0, 1, 3, 4, 6, 7, 8
END_STREAM = ACK = 1
END_HEADERS, PADDED, PRIORITY = 4, 8, 32

# The names of the static table that an answer of gRPC can use (RFC 7541, appendix A).
STATIC = {8: (":status", "200"), 31: ("content-type", ""), 33: ("date", ""), 54: ("server", "")}

# The Huffman code is canonical: symbols in order of (length, value), so lengths say it all (RFC 7541, appendix B). Symbols
# from 128 on and most control codes never occur in gRPC's headers (it percent-encodes them).
LENGTHS = {5: "012aceiost", 6: " %-./3456789=A_bdfghlmnpru", 7: ":BCDEFGHIJKLMNOPQRSTUVWYjkqvwxyz", 8: "&*,;XZ",
           10: "!\"()?", 11: "'+|", 12: "#>", 13: "\0$@[]~", 14: "^}", 15: "<`{", 19: "\\"}


def _huffman_codes():
    codes, code, previous = {}, 0, 5
    for length, symbols in LENGTHS.items():
        code <<= length - previous
        previous = length
        for symbol in symbols:
            codes[length, code] = symbol
            code += 1
    return codes


HUFFMAN = _huffman_codes()


def huffman_decode(data):
    out, code, length = [], 0, 0
    for byte in data:
        for bit in range(7, -1, -1):
            code, length = code << 1 | byte >> bit & 1, length + 1
            if (length, code) in HUFFMAN:
                out.append(HUFFMAN[length, code])
                code = length = 0
    return "".join(out)


def _integer(data, at, bits):
    value = data[at] & (1 << bits) - 1
    at += 1
    if value == (1 << bits) - 1:
        shift = 0
        while True:
            byte = data[at]
            at += 1
            value += (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                break
    return value, at


def hpack_decode(block):
    headers, at = [], 0

    def string(at):
        huffman = block[at] & 0x80
        size, at = _integer(block, at, 7)
        raw = block[at:at + size]
        return huffman_decode(raw) if huffman else raw.decode("latin-1"), at + size

    while at < len(block):
        first = block[at]
        if first & 0x80:
            index, at = _integer(block, at, 7)
            headers.append(STATIC.get(index, (f"#{index}", "")))
        elif first & 0xE0 == 0x20:  # the table's size changes
            _, at = _integer(block, at, 5)
        else:
            index, at = _integer(block, at, 6 if first & 0x40 else 4)
            if index:
                name = STATIC.get(index, (f"#{index}", ""))[0]
            else:
                name, at = string(at)
            value, at = string(at)
            headers.append((name, value))
    return headers


def hpack_encode(headers):
    out = bytearray()
    for name, value in headers:
        name, value = name.encode(), value.encode()
        assert len(name) < 127 and len(value) < 127, "longer strings need the multi-byte length"
        out += b"\0" + bytes([len(name)]) + name + bytes([len(value)]) + value
    return bytes(out)


class GrpcError(Exception):
    def __init__(self, method, status, message):
        super().__init__(f"{method}: gRPC status {status}: {message}")
        self.status, self.message = status, message


class Connection:
    """One connection; call() blocks until the answer is complete. `socket` may be asked for its inode."""

    def __init__(self, path, timeout=60):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(timeout)
        try:
            self.socket.connect(path)
        except OSError:
            self.socket.close()
            raise
        self.unread, self.stream = b"", -1
        settings = struct.pack(">HIHI", 1, 0, 2, 0)  # HEADER_TABLE_SIZE 0, ENABLE_PUSH 0
        self.socket.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + self._frame(SETTINGS, 0, 0, settings))

    def close(self):
        self.socket.close()

    @staticmethod
    def _frame(kind, flags, stream, payload=b""):
        return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload

    def _read(self, size):
        while len(self.unread) < size:
            piece = self.socket.recv(65536)
            if not piece:
                raise ConnectionError("the server closed the connection")
            self.unread += piece
        out, self.unread = self.unread[:size], self.unread[size:]
        return out

    def call(self, path, message):
        """Sends one unary gRPC call and gives the answer's message; GrpcError where the status is not 0."""
        self.stream += 2
        headers = hpack_encode([(":method", "POST"), (":scheme", "http"), (":path", path), (":authority", "localhost"),
                                ("content-type", "application/grpc"), ("te", "trailers"), ("user-agent", "hopscope-rig")])
        assert len(message) < 16000, "one DATA frame holds it"
        self.socket.sendall(self._frame(HEADERS, END_HEADERS, self.stream, headers)
                            + self._frame(DATA, END_STREAM, self.stream, b"\0" + struct.pack(">I", len(message)) + message))
        body, told = b"", {}
        while True:
            head = self._read(9)
            size, kind, flags = int.from_bytes(head[:3], "big"), head[3], head[4]
            stream = int.from_bytes(head[5:], "big") & 0x7FFFFFFF
            payload = self._read(size)
            if kind == SETTINGS and not flags & ACK:
                self.socket.sendall(self._frame(SETTINGS, ACK, 0))
            elif kind == PING and not flags & ACK:
                self.socket.sendall(self._frame(PING, ACK, 0, payload))
            elif kind == GOAWAY:
                raise ConnectionError(f"GOAWAY {payload[4:8].hex()} {payload[8:]!r}")
            elif stream != self.stream:
                continue
            elif kind == RST_STREAM:
                raise ConnectionError(f"RST_STREAM {payload.hex()}")
            elif kind == HEADERS:
                assert flags & END_HEADERS, "headers in one frame"
                if flags & PADDED:
                    payload = payload[1:len(payload) - payload[0]]
                told.update(hpack_decode(payload[5:] if flags & PRIORITY else payload))
            elif kind == DATA:
                body += payload
                if payload:
                    update = struct.pack(">I", size)
                    self.socket.sendall(self._frame(WINDOW_UPDATE, 0, 0, update) + self._frame(WINDOW_UPDATE, 0, stream, update))
            if kind in (HEADERS, DATA) and flags & END_STREAM:
                break
        status = told.get("grpc-status", "?")
        if status != "0":
            raise GrpcError(path, status, urllib.parse.unquote(told.get("grpc-message", "")))
        size = int.from_bytes(body[1:5], "big")
        assert body[0] == 0 and len(body) == 5 + size, "one uncompressed message"
        return body[5:]
