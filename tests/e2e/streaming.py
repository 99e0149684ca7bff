"""exec, attach and port-forward over the URLs that the CRI hands out, as kubectl and crictl do them: SPDY/3.1 or
WebSocket v4.channel.k8s.io. Python 3.11, standard library."""
import base64, hashlib, json, os, socket, ssl, urllib.parse

import spdy, websocket

VERSIONS = ("v4.channel.k8s.io", "v3.channel.k8s.io", "v2.channel.k8s.io", "channel.k8s.io")
CHANNEL = {"stdin": 0, "stdout": 1, "stderr": 2, "error": 3, "resize": 4}


class Refused(Exception):
    """The server answered, but not 101."""

    def __init__(self, status, headers, body):
        super().__init__(f"HTTP {status}: {body[:200]!r}")
        self.status, self.headers, self.body = status, headers, body


def connect(url, timeout=20):
    parts = urllib.parse.urlsplit(url)
    wire = socket.create_connection((parts.hostname, parts.port), timeout)
    wire.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if parts.scheme == "https":
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE  # the rig's own certificate
        wire = context.wrap_socket(wire)
    return wire


def request(url, method, headers, timeout=20):
    """(socket, status, headers, bytes behind the head)"""
    parts = urllib.parse.urlsplit(url)
    wire = connect(url, timeout)
    try:
        lines = [f"{method} {parts.path or '/'}{'?' + parts.query if parts.query else ''} HTTP/1.1", f"Host: {parts.netloc}"]
        wire.sendall("\r\n".join(lines + [f"{name}: {value}" for name, value in headers] + ["", ""]).encode())
        unread = b""
        while b"\r\n\r\n" not in unread:
            piece = wire.recv(65536)
            if not piece:
                raise ConnectionError(f"{method} {url}: closed after {unread!r}")
            unread += piece
        head, unread = unread.split(b"\r\n\r\n", 1)
        first, *rest = head.decode("latin-1").split("\r\n")
        return wire, int(first.split()[1]), {k.lower(): v.strip() for k, v in (line.split(":", 1) for line in rest)}, unread
    except BaseException:
        wire.close()
        raise


def _refuse(wire, status, headers, body):
    with wire:
        while len(body) < int(headers.get("content-length", 0)):
            piece = wire.recv(65536)
            if not piece:
                break
            body += piece
    raise Refused(status, headers, body)


def upgrade_spdy(url, versions=VERSIONS):
    wire, status, headers, unread = request(url, "POST", [
        ("User-Agent", "hopscope-rig"), ("Content-Length", "0"), ("Connection", "Upgrade"), ("Upgrade", "SPDY/3.1"),
        *(("X-Stream-Protocol-Version", version) for version in versions)])
    if status != 101:
        _refuse(wire, status, headers, unread)
    return spdy.Connection(wire, unread), headers.get("x-stream-protocol-version", "")


def upgrade_websocket(url, version="v4.channel.k8s.io"):
    key = base64.b64encode(os.urandom(16)).decode()
    wire, status, headers, unread = request(url, "GET", [
        ("User-Agent", "hopscope-rig"), ("Connection", "Upgrade"), ("Upgrade", "websocket"), ("Origin", "http://localhost"),
        ("Sec-WebSocket-Version", "13"), ("Sec-WebSocket-Key", key), ("Sec-WebSocket-Protocol", version)])
    if status != 101:
        _refuse(wire, status, headers, unread)
    proof = base64.b64encode(hashlib.sha1((key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").encode()).digest()).decode()
    assert headers.get("sec-websocket-accept") == proof, headers
    return websocket.Connection(wire, unread), headers.get("sec-websocket-protocol", "")


class Command:
    """One exec or attach. Streams as the CRI call named them: a tty has no stderr. Use as a context manager."""

    def __init__(self, url, stdin=False, tty=False, protocol="spdy", versions=None):
        names = ["error"] + ["stdin"] * stdin + ["stdout"] + (["resize"] if tty else ["stderr"])
        if protocol == "spdy":
            self.connection, self.version = upgrade_spdy(url, versions or VERSIONS)
            self.ids = {name: self.connection.open(streamtype=name) for name in names}
        else:
            self.connection, self.version = upgrade_websocket(url, *([versions] if versions else []))
            self.ids = {name: CHANNEL[name] for name in names}
        self.is_spdy = protocol == "spdy"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.connection.wire.close()

    def ports(self):
        """(client's port, server's port) of the connection."""
        return self.connection.wire.getsockname()[1], self.connection.wire.getpeername()[1]

    def data(self, name):
        if self.is_spdy:
            return self.connection.streams[self.ids[name]].data if name in self.ids else b""
        return self.connection.data.get(CHANNEL[name], b"")

    def write(self, data, end=False):
        """To stdin. WebSocket up to v4 cannot close stdin alone: `end` is SPDY's."""
        assert self.is_spdy or not end, "no half-close before v5"
        self.connection.send(self.ids["stdin"], data, *([end] if self.is_spdy else []))

    def resize(self, width, height):
        self.connection.send(self.ids["resize"], json.dumps({"Width": width, "Height": height}).encode() + b"\n")

    def read_until(self, needle, name="stdout"):
        """The stream's bytes so far, once they hold the needle."""
        assert self.connection.pump(lambda: needle in self.data(name)), f"ended without {needle!r}: {self.data(name)!r}"
        return self.data(name)

    def finish(self):
        """Reads to the end; {stdout, stderr, status, exit_code}. exit_code is None where no status came."""
        self.connection.pump(lambda: False)
        text = self.data("error")
        status = json.loads(text) if text.startswith(b"{") else {}
        code = 0 if status.get("status") == "Success" else None
        for cause in status.get("details", {}).get("causes", []):
            if cause.get("reason") == "ExitCode":
                code = int(cause["message"])
        return {"stdout": self.data("stdout"), "stderr": self.data("stderr"), "status": status, "exit_code": code}


class Forward:
    """One `kubectl port-forward`: get() is one connection to a port of the pod through it."""

    def __init__(self, url, protocol="spdy", ports=()):
        self.is_spdy, self.asked, self.channels = protocol == "spdy", 0, list(ports)
        if self.is_spdy:
            self.connection, self.version = upgrade_spdy(url, ("portforward.k8s.io",))
        else:
            self.connection, self.version = upgrade_websocket(url)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.connection.wire.close()

    def ports(self):
        return self.connection.wire.getsockname()[1], self.connection.wire.getpeername()[1]

    def exchange(self, port, data):
        """(answer to the end of the stream, text of the error stream)"""
        if not self.is_spdy:
            # The first message of each channel is its port, two bytes little-endian.
            channel, got = 2 * self.channels.index(port), self.connection.data
            self.connection.pump(lambda: len(got.get(channel, b"")) >= 2)
            assert got[channel][:2] == port.to_bytes(2, "little"), got
            self.connection.send(channel, data)
            self.connection.pump(lambda: False)
            return got[channel][2:], got.get(channel + 1, b"")[2:].decode()
        headers = {"port": str(port), "requestid": str(self.asked)}
        self.asked += 1
        error = self.connection.open(streamtype="error", **headers)
        self.connection.send(error, b"", fin=True)
        stream = self.connection.open(streamtype="data", **headers)
        self.connection.send(stream, data, fin=True)
        ended = lambda number: self.connection.streams[number].finished or self.connection.streams[number].reset
        self.connection.pump(lambda: ended(error) and ended(stream))
        return self.connection.streams[stream].data, self.connection.streams[error].data.decode()
