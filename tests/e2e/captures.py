"""Capture files for tests, made here: damaged copies, planted secrets, many sessions. Standard library only."""
import struct


def split(raw):
    """(file header, [records]) of a little-endian pcap file."""
    assert raw[:4] in (b"\xd4\xc3\xb2\xa1", b"\x4d\x3c\xb2\xa1"), raw[:4]
    packets, at = [], 24
    while at + 16 <= len(raw):
        size = struct.unpack_from("<I", raw, at + 8)[0]
        packets.append(raw[at:at + 16 + size])
        at += 16 + size
    return raw[:24], packets


def damage(raw, rng):
    """One of: bits flipped, bytes overwritten, cut, a piece doubled or removed, packets shuffled or doubled."""
    kind = rng.randrange(6)
    data = bytearray(raw)
    if kind == 0:
        for _ in range(rng.randrange(1, 50)):
            data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    elif kind == 1:
        at = rng.randrange(len(data))
        data[at:at + 16] = rng.randbytes(16)
    elif kind == 2:
        del data[rng.randrange(len(data)):]
    elif kind == 3:
        at, size = rng.randrange(len(data)), rng.randrange(1, 2000)
        piece = data[at:at + size]
        data[at:at] = piece if rng.random() < 0.5 else b""
        if rng.random() < 0.5:
            del data[at:at + size]
    elif raw[:4] == b"\xd4\xc3\xb2\xa1":
        head, packets = split(raw)
        if kind == 4:
            rng.shuffle(packets)
        else:
            packets = [p for p in packets for _ in range(rng.choice((0, 1, 1, 1, 2)))]
        return head + b"".join(packets)
    return bytes(data)


class Capture:
    """Writes TCP conversations over loopback Ethernet into a pcap file."""

    def __init__(self, path):
        self.file = open(path, "wb")
        self.file.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262144, 1))
        self.now = 1_795_000_000.0

    def packet(self, source, destination, sequence, acknowledgement, flags, payload=b""):
        tcp = struct.pack(">HHIIBBHHH", source, destination, sequence & 0xFFFFFFFF, acknowledgement & 0xFFFFFFFF, 0x50, flags, 65535, 0, 0) + payload
        ip = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 20 + len(tcp), 0, 0, 64, 6, 0, bytes([127, 0, 0, 1]), bytes([127, 0, 0, 1]))
        frame = bytes(12) + b"\x08\x00" + ip + tcp
        self.now += 0.0001
        self.file.write(struct.pack("<IIII", int(self.now), int(self.now % 1 * 1e6), len(frame), len(frame)) + frame)

    def conversation(self, client, server, turns, close=True):
        """`turns`: [(from_client, bytes)]."""
        seq = {True: 1000, False: 5000}
        ports = {True: (client, server), False: (server, client)}
        self.packet(client, server, seq[True], 0, 0x02)
        seq[True] += 1
        self.packet(server, client, seq[False], seq[True], 0x12)
        seq[False] += 1
        self.packet(client, server, seq[True], seq[False], 0x10)
        for from_client, data in turns:
            self.packet(*ports[from_client], seq[from_client], seq[not from_client], 0x18, data)
            seq[from_client] += len(data)
        if close:
            for from_client in (False, True):
                self.packet(*ports[from_client], seq[from_client], seq[not from_client], 0x11)
                seq[from_client] += 1
            self.packet(server, client, seq[False], seq[True], 0x10)

    def close(self):
        self.file.close()


def syn_stream(stream, block):
    return bytes.fromhex("80030001") + struct.pack(">I", 10 + len(block)) + struct.pack(">II", stream, 0) + b"\0\0" + block


def data(stream, payload, fin=False):
    return struct.pack(">I", stream) + bytes([1 if fin else 0]) + struct.pack(">I", len(payload))[1:] + payload


# Header blocks of an exec with stdin, as a client's compressor made them: error 1, stdin 3, stdout 5, stderr 7.
BLOCKS = [bytes.fromhex(text) for text in ("78f9e3c6a7c26260606004a7b392a2d4c45c6851c29a0a0a6800000000ffff", "c22e555c92929907000000ffff",
                                           "c22ac5565c92925f5a02000000ffff", "c229975a5404000000ffff")]
SWITCHED = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\nX-Stream-Protocol-Version: v4.channel.k8s.io\r\n\r\n"


def exec_turns(target, stdin, stdout, message, extra=b""):
    request = (f"POST {target} HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: kubectl/v1.27\r\nContent-Length: 0\r\nConnection: Upgrade\r\n"
               f"Upgrade: SPDY/3.1\r\nX-Stream-Protocol-Version: v4.channel.k8s.io\r\n").encode() + extra + b"\r\n"
    return [(True, request), (False, SWITCHED),
            (True, b"".join(syn_stream(2 * i + 1, block) for i, block in enumerate(BLOCKS))),
            (True, data(3, stdin)), (True, data(3, b"", fin=True)),
            (False, data(5, stdout)), (False, data(5, b"", fin=True)), (False, data(7, b"", fin=True)), (False, data(1, message)),
            (False, bytes.fromhex("80030003000000080000000100000005") + bytes.fromhex("80030007000000080000000700000000"))]


def with_planted_secrets(path):
    """An exec with a bearer token, a password on stdin, a command in the URL and in the Status; and one by token."""
    secrets = {"bearer token": "eyJhbGciOiJSUzI1NiIsImtpZCI6InBsYW50ZWQifQ", "password on stdin": "hunter2-correct-horse", "output": "the-pod-said-opensesame",
               "command": "mysqlpw-s3cr3t", "token in the URL": "Pl4nt3dT", "cookie": "session-c00kie-planted"}
    status = ('{"metadata":{},"status":"Failure","message":"command terminated with non-zero exit code: error executing command [sh -c '
              + secrets["command"] + '], exit code 3","reason":"NonZeroExitCode","details":{"causes":[{"reason":"ExitCode","message":"3"}]}}').encode()
    headers = f"Authorization: Bearer {secrets['bearer token']}\r\nCookie: {secrets['cookie']}\r\n".encode()
    capture = Capture(path)
    capture.conversation(40001, 8001, exec_turns(f"/api/v1/namespaces/default/pods/web/exec?command=sh&command={secrets['command']}&stdin=true",
                                                 secrets["password on stdin"].encode(), secrets["output"].encode(), status, headers))
    capture.conversation(40002, 42313, exec_turns(f"/exec/{secrets['token in the URL']}", secrets["password on stdin"].encode(),
                                                  secrets["output"].encode(), status))
    capture.close()
    return path, secrets


def many_sessions(path, count):
    """`count` execs one after the other, from rotating client ports."""
    capture = Capture(path)
    for i in range(count):
        capture.conversation(20000 + i % 40000, 42313, exec_turns(f"/exec/T{i:07d}", b"in", b"out", b'{"metadata":{},"status":"Success"}'))
    capture.close()
