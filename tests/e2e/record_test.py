#!/usr/bin/env python3
"""Tests of `record` on a node with a real container runtime: record_test.py [--bin PATH] [--only WORD]

What `observe` tells while it happens is compared with what `chain` reads from recordings of the same sessions, masked and
not. The runtime runs with private configuration (rig.py) and is taken down at the end. Every test is a function below; its
docstring is the sentence that it proves. Ends with 'N passed, N failed, N skipped'. Python 3.11, standard library; tcpdump,
tshark."""
import glob, json, os, re, signal, stat, subprocess, sys, time

import streaming, testbed
from live_test import Observe
from node_test import World, need

TESTS = []
# Words that may stand in no masked file: of a command, its environment, what it reads and what it writes.
WORDS = ("planted-in-the-command", "planted-in-the-output", "planted-in-the-input", "planted-on-stderr")


def test(function):
    TESTS.append(function)
    return function


class Record:
    """A running `hopscope record`; use as a context manager. Ends it in order. `of`: the (runtime, pod) that it is to find."""

    def __init__(self, world, name, *options, of=None):
        self.file = os.path.join(world.rig.folder, name)
        self.process = subprocess.Popen([world.bin, "record", "-w", self.file, *options], stdin=subprocess.DEVNULL,
                                        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env={**os.environ, "HOPSCOPE_CONFIG": "/dev/null"})
        self.errors = self.process.stderr.readline()
        assert self.errors.startswith(b"hopscope: recording"), self.errors + self.process.stderr.read()
        runtime, pod = of or world.runtime()
        if f"port {runtime.stream_port(pod)}".encode() not in self.errors:
            time.sleep(5)  # on a busy machine the first look at the node was cut short; the next one finds the port

    @property
    def sidecar(self):
        return self.file.removesuffix(".pcapng") + ".unix.pcapng"

    def end(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        self.errors += self.process.stderr.read()
        self.process.wait(20)
        assert self.process.returncode == 0, self.errors.decode(errors="replace")

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        if kind is None:
            return self.end()
        self.process.kill()
        self.process.wait()


def sessions(runtime, pod):
    """An exec, an exec with a terminal, an attach and a port-forward; the ports of their clients, by what they are."""
    ports = {}
    words = ["sh", "-c", f"cat; echo {WORDS[1]}; echo {WORDS[3]} >&2; exit 3", WORDS[0]]
    with streaming.Command(runtime.client.exec(pod.container, words, stdin=True), stdin=True) as command:
        ports["exec"] = command.ports()[0]
        command.write(WORDS[2].encode(), end=True)
        got = command.finish()
    assert got["exit_code"] == 3 and WORDS[1].encode() in got["stdout"], got
    with streaming.Command(runtime.client.exec(pod.container, ["sh"], stdin=True, tty=True), stdin=True, tty=True, protocol="ws") as command:
        ports["tty"] = command.ports()[0]
        command.read_until(b"# ")
        command.resize(97, 31)
        command.write(b"exit 5\n")
        assert command.finish()["exit_code"] == 5
    with streaming.Command(runtime.client.attach(pod.container, stdin=True), stdin=True) as command:
        ports["attach"] = command.ports()[0]
        command.write(b"hello\n")
        command.read_until(b"got:hello\n")
    with streaming.Forward(runtime.client.port_forward(pod.id, [pod.port]), "spdy", [pod.port]) as forward:
        ports["portforward"] = forward.ports()[0]
        body, error = forward.exchange(pod.port, b"GET / HTTP/1.0\r\n\r\n")
    assert body.endswith(b"hello from the pod\n") and not error, (body, error)
    return ports


def process(end):
    """Who is at an end of a hop."""
    told = (end or {}).get("process")
    return told and (told["pid"], told.get("comm"), told.get("exe"))


def essence(chain, sessions):
    """What a chain says whichever way it was seen: hop by hop, and its sum."""
    hops = [(hop["hop"], hop["grade"], process(hop.get("from")), process(hop.get("to")), hop.get("proto"), hop.get("bytes"),
             sorted((item.get("id", ""), item["grade"]) for item in hop["evidence"])) for hop in chain["hops"]]
    return {"op": chain["op"], "k8s": chain.get("k8s"), "container": chain.get("container"), "exit_code": chain.get("exit_code"),
            "complete": [sessions[number]["complete"] for number in chain["sessions"]],
            "state": [sessions[number]["state"] for number in chain["sessions"]],
            "contradictions": [item["says"] for item in chain.get("contradictions", [])],
            "candidates": len(chain.get("candidates", [])), "hops": hops}


def recorded(world, file, *options):
    """{port of the client: chain} of a recording, as `chain` reads it."""
    document = world.document("chain", file, *options)
    sessions = {session["session"]: session for session in document["sessions"]}
    return {sessions[number]["client"]["port"]: essence(chain, sessions) for chain in document["chains"] for number in chain["sessions"]}


def same(live, offline):
    for key in live:
        if key != "hops":
            assert live[key] == offline[key], f"{key}: live {live[key]}, recorded {offline[key]}"
    assert [hop[0] for hop in live["hops"]] == [hop[0] for hop in offline["hops"]], ([hop[0] for hop in live["hops"]], [hop[0] for hop in offline["hops"]])
    for a, b in zip(live["hops"], offline["hops"]):
        # What was read of the node a moment later is known at the end, but was not when the chain was told.
        assert a[:-1] == b[:-1] and set(a[-1]) <= set(b[-1]), f"live {a}, recorded {b}"


def recordings(world):
    """One full and one masked recording of the same sessions, and what `observe` told of them."""
    if "recordings" not in world.shared:
        runtime, pod = world.runtime()
        with Observe(world, "--ebpf", "require") as observe, \
                Record(world, "full.pcapng", "--payload", "full", "--ebpf", "require") as full, \
                Record(world, "masked.pcapng", "--ebpf", "require") as masked, \
                Record(world, "embedded.pcapng", "--ebpf", "require", "--unix", "embed") as embedded:
            time.sleep(0.3)
            runtime.client.version()  # what it says all four have seen: nobody's own question at the start counts
            ports = sessions(runtime, pod)
            live = {}
            for what, port in ports.items():
                session = observe.session(port)
                chain = observe.chain(session)
                live[what] = essence(chain, {session["session"]: session})
            time.sleep(0.3)
        world.shared["recordings"] = ports, live, full, masked, embedded
    return world.shared["recordings"]


def is_same_as_live(world, which):
    ports, live, *files = recordings(world)
    chains = recorded(world, files[which].file)
    for what, port in ports.items():
        same(live[what], chains[port])
    return ", ".join(f"{what} {'-'.join(hop[0] for hop in live[what]['hops'])}" for what in ports)


@test
def full_is_live(world):
    """a full recording gives the same chains as `observe`, hop by hop: who, how sure, exit code, bytes, complete"""
    return is_same_as_live(world, 0)


@test
def masked_is_live(world):
    """a masked recording gives the same chains, too: tokens and commands still join"""
    return is_same_as_live(world, 1)


@test
def embedded_is_live(world):
    """everything in one file gives the same chains, too"""
    return is_same_as_live(world, 2)


@test
def no_secret_in_masked_files(world):
    """no word of a command, of input or of output is in a masked recording; in the full one they are"""
    ports, live, full, masked, embedded = recordings(world)
    for path in (masked.file, masked.sidecar, embedded.file):
        data = open(path, "rb").read()
        for word in WORDS:
            assert word.encode() not in data, f"{word} is in {path}"
        assert stat.S_IMODE(os.stat(path).st_mode) == 0o600, path
    data = open(full.file, "rb").read() + open(full.sidecar, "rb").read()
    for word in WORDS:
        assert word.encode() in data, f"{word} is not in the full recording: this test proves nothing"


@test
def masked_later_is_masked(world):
    """`mask` of a full recording masks what lies beside it, too: no secret is left, and the chains are the same"""
    ports, live, full, *_ = recordings(world)
    out = os.path.join(world.rig.folder, "later.pcapng")
    done = world.run("mask", full.file, out)
    beside = out.removesuffix(".pcapng") + ".unix.pcapng"
    assert b"later.unix.pcapng" in done.stderr, done.stderr
    for path in (out, beside):
        data = open(path, "rb").read()
        for word in WORDS:
            assert word.encode() not in data, f"{word} is in {path}"
    chains = recorded(world, out)
    for what, port in ports.items():
        same(live[what], chains[port])


@test
def others_read_it(world):
    """tcpdump and tshark read the file of packets, tshark reads the one beside it: HTTP/2 and who was started"""
    need("tcpdump", "tshark")
    ports, live, full, masked, embedded = recordings(world)
    for record in (full, masked):
        done = subprocess.run(["tcpdump", "-nr", record.file], capture_output=True, text=True)
        assert done.returncode == 0 and f".{ports['exec']} >" in done.stdout, done.stderr
        done = subprocess.run(["tshark", "-nr", record.file, "-Y", "frame.comment"], capture_output=True, text=True)
        assert done.returncode == 0 and done.stdout, done.stderr
        done = subprocess.run(["tshark", "-nr", record.sidecar, "-T", "fields", "-e", "frame.interface_name", "-e", "frame.protocols", "-e", "frame.comment"],
                              capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        lines = done.stdout.splitlines()
        assert any(line.startswith("unix:containerd.sock\t") and "http2" in line for line in lines), lines[:20]
        assert any(re.search(r"hopscope: sh\[\d+\] started", line) for line in lines), lines[-20:]


@test
def without_what_lies_beside(world):
    """what lies beside it missing, of another recording, or not wanted: that is said, and the packets are read all the same"""
    ports, live, full, masked, _ = recordings(world)
    alone = os.path.join(world.rig.folder, "alone.pcapng")
    os.link(full.file, alone)
    done = world.run("chain", alone, "-o", "json", code=None)
    assert b"alone.unix.pcapng is not there" in done.stderr, done.stderr
    os.link(masked.sidecar, os.path.join(world.rig.folder, "alone.unix.pcapng"))
    done = world.run("analyze", alone, "-o", "json")
    assert b"belongs to another recording" in done.stderr, done.stderr
    assert ports["exec"] in [session["client"]["port"] for session in json.loads(done.stdout)["sessions"]]
    done = world.run("analyze", full.file, "-o", "json", "--no-sidecar")
    assert not done.stderr and len(json.loads(done.stdout)["capture"]["files"]) == 1
    assert [os.path.basename(each["name"]) for each in world.document("analyze", full.file)["capture"]["files"]] == ["full.pcapng", "full.unix.pcapng"]


@test
def a_ring(world):
    """ring files: each pair is readable alone, old pairs go, all are private"""
    runtime, pod = world.runtime()
    with Record(world, "ring.pcapng", "--payload", "full", "-C", "64KiB", "-W", "3") as record:
        for i in range(6):
            with streaming.Command(runtime.client.exec(pod.container, ["head", "-c", "100000", "/dev/zero"])) as command:
                assert len(command.finish()["stdout"]) == 100000
        time.sleep(1.5)
    names = sorted(os.path.basename(path) for path in glob.glob(os.path.join(world.rig.folder, "ring_*")))
    assert len(names) == 6 and len([name for name in names if name.endswith(".unix.pcapng")]) == 3, names
    for name in names:
        path = os.path.join(world.rig.folder, name)
        assert stat.S_IMODE(os.stat(path).st_mode) == 0o600, name
        done = world.run("analyze", path, "-o", "json")
        assert not done.stderr, done.stderr
    return ", ".join(names)


@test
def killed(world):
    """killed by SIGKILL while sessions run it leaves two files that read without damage"""
    runtime, pod = world.runtime()
    record = Record(world, "killed.pcapng")
    try:
        for i in range(3):
            with streaming.Command(runtime.client.exec(pod.container, ["sh", "-c", "echo a; sleep 0.4"])) as command:
                command.finish()
        time.sleep(1)
    finally:
        record.process.kill()
        record.process.wait()
    for path in (record.file, record.sidecar):
        done = world.run("analyze", path, "-o", "json", "--strict", "--no-sidecar")
        assert not done.stderr, done.stderr
    assert world.document("chain", record.file)["chains"], "nothing was written before"


@test
def until_session(world):
    """--until-session ends after the first session"""
    runtime, pod = world.runtime()
    with Record(world, "first.pcapng", "--until-session") as record:
        with streaming.Command(runtime.client.exec(pod.container, ["true"])) as command:
            command.finish()
        record.process.wait(20)
    assert len(world.document("chain", record.file)["chains"]) == 1


if __name__ == "__main__":
    sys.exit(testbed.run(TESTS, __doc__, World))
