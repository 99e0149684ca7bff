#!/usr/bin/env python3
"""Makes the .talk files of this folder: what the two ends of one TCP connection said, in order, without the packets.

    make_talks.py capture FILE.pcap PORT NAME [CLIENT_PORT]   one connection of a capture -> NAME.talk
    make_talks.py openssl [NAME…]                             connections made with the openssl command (root, loopback)

A talk is a row of entries: one byte kind, four bytes length (big-endian), bytes.
    '>' client bytes   '<' server bytes   ')' client bytes missing   '(' server bytes missing (length only)
    '}' client FIN     '{' server FIN
"""
import os, struct, subprocess, sys, tempfile, time


def packets(path):
    data = open(path, "rb").read()
    order = "<" if data[:4] in (b"\xd4\xc3\xb2\xa1", b"\x4d\x3c\xb2\xa1") else ">"
    link = struct.unpack(order + "I", data[20:24])[0]
    at = 24
    while at + 16 <= len(data):
        captured = struct.unpack(order + "I", data[at + 8:at + 12])[0]
        frame = data[at + 16:at + 16 + captured]
        at += 16 + captured
        skip = {1: 14, 101: 0, 113: 16, 276: 20}[link]
        ip = frame[skip:]
        if not ip:
            continue
        if ip[0] >> 4 == 4 and ip[9] == 6:
            total = struct.unpack(">H", ip[2:4])[0]
            tcp = ip[(ip[0] & 15) * 4:total] if total else ip[(ip[0] & 15) * 4:]
        elif ip[0] >> 4 == 6 and ip[6] == 6:
            tcp = ip[40:]
        else:
            continue
        source, target, sequence = struct.unpack(">HHI", tcp[:8])
        yield source, target, sequence, tcp[13], tcp[(tcp[12] >> 4) * 4:]


class Side:
    """Puts one direction in order; a hole is declared when the other end has acknowledged more or all is over."""

    def __init__(self, mark, gap, fin):
        self.mark, self.gap, self.fin = mark, gap, fin
        self.next, self.waiting, self.ended = None, {}, False

    def add(self, sequence, flags, payload, talk):
        if flags & 2:
            self.next = (sequence + 1) & 0xFFFFFFFF
            return
        if self.next is None:
            self.next = sequence
        if payload or flags & 1:
            self.waiting[sequence] = (payload, flags & 1)
        self.drain(talk)

    def drain(self, talk):
        moved = True
        while moved:
            moved = False
            for sequence in sorted(self.waiting, key=lambda s: (s - self.next + 2**31) % 2**32):
                behind = (self.next - sequence + 2**31) % 2**32 - 2**31
                payload, fin = self.waiting[sequence]
                if behind < 0:
                    continue
                del self.waiting[sequence]
                fresh = payload[behind:]
                if fresh:
                    talk.append((self.mark, len(fresh), fresh))
                    self.next = (self.next + len(fresh)) & 0xFFFFFFFF
                if fin and not self.ended:
                    self.ended = True
                    talk.append((self.fin, 0, b""))
                moved = True
                break

    def declare(self, talk):
        while self.waiting:
            first = min(self.waiting, key=lambda s: (s - self.next + 2**31) % 2**32)
            missing = (first - self.next) & 0xFFFFFFFF
            talk.append((self.gap, missing, b""))
            self.next = first
            self.drain(talk)


def convert(path, port, name, client_port=None):
    talk = []
    sides = {}
    for source, target, sequence, flags, payload in packets(path):
        if port not in (source, target):
            continue
        client = source if target == port else target
        if client_port is None:
            client_port = client
        if client != client_port:
            continue
        if not sides:
            sides = {True: Side(b">", b")", b"}"), False: Side(b"<", b"(", b"{")}
        side, other = sides[source == client], sides[source != client]
        side.add(sequence, flags, payload, talk)
        # Three segments wait behind the hole: it will not be filled any more.
        if len(side.waiting) > 3:
            side.declare(talk)
    for side in sides.values():
        side.declare(talk)
    with open(name + ".talk", "wb") as out:
        for mark, length, data in talk:
            out.write(mark + struct.pack(">I", length) + data)
    print(name, len(talk), "entries", sum(len(t[2]) for t in talk), "bytes")


PORT = 24433
ONLY = []  # names to make; empty: all
LINES = [b"first line\n", b"the second line, a little longer\n", b"x" * 3000 + b"\n"]


class Lab:
    def __init__(self, folder):
        self.folder = folder
        run = lambda *a: subprocess.run(a, cwd=folder, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        run("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "rsa.key", "-out", "rsa.crt", "-days",
            "3650", "-subj", "/O=hopscope test/CN=server.test", "-addext", "subjectAltName=DNS:server.test")
        run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout",
            "ec.key", "-out", "ec.crt", "-days", "3650", "-subj", "/O=hopscope test/CN=server.test")
        run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout",
            "client.key", "-out", "client.crt", "-days", "3650", "-subj", "/O=system:masters/CN=kube-apiserver, test")

    def talk(self, name, server=(), client=(), lines=LINES, key="rsa", rev=True, before=(), alpn=True, pause=0.25):
        """One connection captured and stored; those of `before` come first and are not."""
        if ONLY and name not in ONLY:
            return
        here = os.getcwd()
        keys = os.path.join(here, name + ".keys")
        pcap = os.path.join(self.folder, name + ".pcap")
        if os.path.exists(keys):
            os.unlink(keys)
        serve = ["openssl", "s_server", "-accept", "127.0.0.1:%d" % PORT, "-cert", key + ".crt", "-key", key + ".key"]
        serve += ["-rev"] if rev else []
        serve += ["-alpn", "h2,http/1.1"] if alpn else []
        server_process = subprocess.Popen(serve + list(server), cwd=self.folder, stdin=subprocess.PIPE,
                                          stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(0.4)
        connect = ["openssl", "s_client", "-connect", "127.0.0.1:%d" % PORT, "-servername", "server.test"]
        connect += ["-alpn", "http/1.1"] if alpn else []
        for earlier in before:
            self.client(connect + earlier, [b"before\n"], pause)
        dump = subprocess.Popen(["tcpdump", "-i", "lo", "-s", "0", "-U", "-w", pcap, "tcp", "port", str(PORT)],
                                stderr=subprocess.DEVNULL)
        time.sleep(0.6)
        self.client(connect + ["-keylogfile", keys] + list(client), lines, pause)
        time.sleep(0.4)
        for process in (server_process, dump):
            process.terminate()
            process.wait()
        convert(pcap, PORT, name)

    def client(self, command, lines, pause):
        process = subprocess.Popen(command, cwd=self.folder, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
                                   stderr=subprocess.DEVNULL)
        time.sleep(2 * pause)
        for line in lines:
            try:
                process.stdin.write(line)
                process.stdin.flush()
            except BrokenPipeError:
                break
            time.sleep(pause)
        try:
            process.stdin.write(b"Q\n")
            process.stdin.close()
        except BrokenPipeError:
            pass
        try:
            process.wait(3)
        except subprocess.TimeoutExpired:
            process.terminate()
            process.wait()


def make_all():
    with tempfile.TemporaryDirectory() as folder:
        lab = Lab(folder)
        tls12 = lambda suite: ["-tls1_2", "-cipher", suite]
        lab.talk("tls12_ecdhe_aes128_gcm", client=tls12("ECDHE-RSA-AES128-GCM-SHA256"))
        lab.talk("tls12_ecdhe_aes256_gcm", client=tls12("ECDHE-ECDSA-AES256-GCM-SHA384"), key="ec")
        lab.talk("tls12_dhe_aes256_gcm", client=tls12("DHE-RSA-AES256-GCM-SHA384"))
        lab.talk("tls12_rsa_aes128_gcm", client=tls12("AES128-GCM-SHA256"))
        lab.talk("tls12_chacha20", client=tls12("ECDHE-RSA-CHACHA20-POLY1305"))
        lab.talk("tls12_cbc", client=tls12("ECDHE-RSA-AES128-SHA256"))
        lab.talk("tls12_ticket", client=["-tls1_2", "-sess_in", "s"], before=[["-tls1_2", "-sess_out", "s"]])
        lab.talk("tls12_session_id", server=["-no_ticket"], client=["-tls1_2", "-sess_in", "s"],
                 before=[["-tls1_2", "-sess_out", "s"]])
        lab.talk("tls12_renegotiation", server=["-client_renegotiation"], client=tls12("ECDHE-RSA-AES128-GCM-SHA256"),
                 lines=[b"before\n", b"R\n", b"after\n"])
        suite = lambda name: ["-tls1_3", "-ciphersuites", name]
        lab.talk("tls13_aes128_gcm", client=suite("TLS_AES_128_GCM_SHA256"))
        lab.talk("tls13_aes256_gcm", client=suite("TLS_AES_256_GCM_SHA384"), key="ec")
        lab.talk("tls13_chacha20", client=suite("TLS_CHACHA20_POLY1305_SHA256"))
        lab.talk("tls13_ccm", server=["-ciphersuites", "TLS_AES_128_CCM_SHA256"], client=suite("TLS_AES_128_CCM_SHA256"))
        lab.talk("tls13_key_update", client=suite("TLS_AES_128_GCM_SHA256"),
                 lines=[b"one\n", b"K\n", b"two\n", b"k\n", b"three\n", b"K\n", b"four\n"])
        lab.talk("tls13_hello_retry", server=["-groups", "P-256"], client=["-tls1_3", "-groups", "X25519:P-256"])
        lab.talk("tls13_psk", client=["-tls1_3", "-sess_in", "s"], before=[["-tls1_3", "-sess_out", "s"]])
        lab.talk("tls13_padding", server=["-record_padding", "512"], client=["-tls1_3", "-record_padding", "300"])
        lab.talk("tls13_small_records", server=["-max_send_frag", "512"], client=["-tls1_3"])
        lab.talk("tls13_client_certificate", server=["-Verify", "1"],
                 client=["-tls1_3", "-cert", "client.crt", "-key", "client.key"])
        lab.talk("tls12_client_certificate", server=["-Verify", "1"],
                 client=tls12("ECDHE-RSA-AES128-GCM-SHA256") + ["-cert", "client.crt", "-key", "client.key"])
        lab.talk("tls13_alert", client=["-tls1_3", "-verify_return_error", "-CAfile", "client.crt"])
        with open(os.path.join(folder, "early"), "wb") as out:
            out.write(b"early line\n")
        # The server reads, but never writes: its session tickets are all that it sends.
        early = ["-tls1_3", "-sess_in", "s", "-early_data", "early"]
        first = ["-tls1_3", "-sess_out", "s"]
        lab.talk("tls13_early_accepted", server=["-early_data"], rev=False, alpn=False, client=early, before=[first])
        # Anti-replay: early data of a session that was used before is refused.
        lab.talk("tls13_early_refused", server=["-early_data"], rev=False, alpn=False, client=early,
                 before=[first, early])


if __name__ == "__main__":
    if sys.argv[1:2] == ["capture"]:
        convert(sys.argv[2], int(sys.argv[3]), sys.argv[4], int(sys.argv[5]) if len(sys.argv) > 5 else None)
    elif sys.argv[1:2] == ["openssl"]:
        ONLY = sys.argv[2:]
        make_all()
    else:
        sys.exit(__doc__)
