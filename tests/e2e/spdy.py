"""SPDY/3.1 as Kubernetes speaks it, the client's side: streams with headers, data, half-close. Python 3.11, standard library.

The zlib dictionary is read from the sources of hopscope when the module is used, and proved by its Adler-32: these
clients and the decoder that they test share it, but not one line of code."""
import functools, os, re, struct, zlib

from wire import Wire

SYN_STREAM, SYN_REPLY, RST_STREAM, PING, GOAWAY = 1, 2, 3, 6, 7
FIN = 1
SOURCE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../src/decode/stream/spdy_dictionary.cc")


@functools.cache
def dictionary():
    with open(SOURCE, encoding="utf-8") as file:
        words, tail = file.read().split("kWords[] = {", 1)[1].split("kTail =", 1)
    words = re.findall(r'"([^"]*)"', words)
    tail = "".join(re.findall(r'^ *"([^"]*)"', tail.split(";\n", 1)[0] + ";", re.M))
    out = b"".join(struct.pack(">I", len(word)) + word.encode() for word in words if word) + tail.encode()
    assert len(out) == 1423 and zlib.adler32(out) == 0xE3C6A7C2, (len(out), hex(zlib.adler32(out)))
    return out


class Stream:
    def __init__(self, headers):
        self.headers, self.data = headers, b""
        self.replied = self.finished = self.reset = False


class Connection(Wire):
    """Frames over a connected socket. `unread` are bytes that came behind the 101 answer. pump() reads until a condition
    holds or the connection ends; it answers the server's pings."""

    def __init__(self, wire, unread=b""):
        super().__init__(wire, unread)
        self.streams, self.next_id = {}, 1
        self.deflate = zlib.compressobj(9, zlib.DEFLATED, zlib.MAX_WBITS, zdict=dictionary())
        self.inflate = zlib.decompressobj(zdict=dictionary())

    def _control(self, kind, flags, body):
        self.wire.sendall(struct.pack(">HHI", 0x8003, kind, flags << 24 | len(body)) + body)

    def open(self, **headers):
        """Opens a stream and waits for the answer, as Go's client does; gives its id."""
        block = struct.pack(">I", len(headers))
        for name, value in headers.items():
            block += struct.pack(">I", len(name)) + name.encode() + struct.pack(">I", len(value)) + value.encode()
        block = self.deflate.compress(block) + self.deflate.flush(zlib.Z_SYNC_FLUSH)
        number, self.next_id = self.next_id, self.next_id + 2
        self.streams[number] = Stream(headers)
        self._control(SYN_STREAM, 0, struct.pack(">IIBB", number, 0, 0, 0) + block)
        self.pump(lambda: self.streams[number].replied or self.streams[number].reset)
        assert self.streams[number].replied, f"stream {headers} was refused"
        return number

    def send(self, number, data, fin=False):
        pieces = [data[i:i + 32768] for i in range(0, len(data), 32768)] or [b""]
        for i, piece in enumerate(pieces):
            flags = FIN if fin and i == len(pieces) - 1 else 0
            self.wire.sendall(struct.pack(">II", number, flags << 24 | len(piece)) + piece)

    def goodbye(self):
        self._control(GOAWAY, 0, struct.pack(">II", 0, 0))

    def ping(self, number=1):
        self._control(PING, 0, struct.pack(">I", number))

    def _frame(self):
        if len(self.unread) < 8:
            return None
        first, second = struct.unpack_from(">II", self.unread)
        size = second & 0xFFFFFF
        if len(self.unread) < 8 + size:
            return None
        body, self.unread = self.unread[8:8 + size], self.unread[8 + size:]
        return first, second >> 24, body

    def _take(self, first, flags, body):
        if not first >> 31:
            stream = self.streams.get(first)
            if stream:
                stream.data += body
                stream.finished |= bool(flags & FIN)
            return
        assert first >> 16 == 0x8003, hex(first)
        kind = first & 0xFFFF
        if kind == SYN_REPLY:
            self.inflate.decompress(body[4:])
            self.streams[struct.unpack_from(">I", body)[0]].replied = True
        elif kind == RST_STREAM:
            self.streams[struct.unpack_from(">I", body)[0]].reset = True
        elif kind == PING:
            if struct.unpack(">I", body)[0] % 2 == 0:  # the server's own
                self._control(PING, 0, body)
            else:
                self.pong = body
        elif kind == GOAWAY:
            self.over = True
