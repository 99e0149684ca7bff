"""WebSocket (RFC 6455) with the channels of Kubernetes, the client's side. Python 3.11, standard library."""
import os, struct

from wire import Wire

TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10


class Connection(Wire):
    """Messages of channels over a connected socket: data[channel] grows as pump() reads."""

    def __init__(self, wire, unread=b""):
        super().__init__(wire, unread)
        self.data, self.pongs, self._message = {}, 0, b""

    def _send(self, opcode, payload):
        size = len(payload)
        head = bytes([0x80 | opcode])
        if size < 126:
            head += bytes([0x80 | size])
        elif size < 65536:
            head += struct.pack(">BH", 0x80 | 126, size)
        else:
            head += struct.pack(">BQ", 0x80 | 127, size)
        mask = os.urandom(4)
        repeated = (mask * (size // 4 + 1))[:size]
        masked = (int.from_bytes(payload, "big") ^ int.from_bytes(repeated, "big")).to_bytes(size, "big")
        self.wire.sendall(head + mask + masked)

    def send(self, channel, data):
        for i in range(0, len(data), 32768):
            self._send(BINARY, bytes([channel]) + data[i:i + 32768])

    def ping(self):
        self._send(PING, b"hopscope")

    def goodbye(self):
        self._send(CLOSE, struct.pack(">H", 1000))

    def _frame(self):
        data = self.unread
        if len(data) < 2:
            return None
        size, at = data[1] & 0x7F, 2
        assert not data[1] & 0x80, "a server does not mask"
        if size >= 126:
            width = 2 if size == 126 else 8
            if len(data) < 2 + width:
                return None
            size, at = int.from_bytes(data[2:2 + width], "big"), 2 + width
        if len(data) < at + size:
            return None
        self.unread = data[at + size:]
        return data[0], data[at:at + size]

    def _take(self, first, payload):
        opcode = first & 0xF
        if opcode == PING:
            self._send(PONG, payload)
        elif opcode == PONG:
            self.pongs += 1
        elif opcode == CLOSE:
            self.over = True
        else:
            self._message += payload
            if first & 0x80:
                if self._message:
                    channel = self._message[0]
                    self.data[channel] = self.data.get(channel, b"") + self._message[1:]
                self._message = b""
