#!/usr/bin/env python3
"""Tests of `observe` on a node with a real container runtime: live_test.py [--bin PATH] [--only WORD]

The runtime runs with private configuration (rig.py) and is taken down at the end. Every test is a function below; its
docstring is the sentence that it proves. Where no runtime can run, all are skipped and the reason is said. Ends with
'N passed, N failed, N skipped'. Python 3.11, standard library."""
import json, os, re, signal, subprocess, sys, threading, time

import daemons, streaming, testbed
from each import Skip
from node_test import World

TESTS = []
PROGRAMS = ("hopscope_tap", "hopscope_proc", "hopscope_life")


def test(function):
    TESTS.append(function)
    return function


class Observe:
    """A running `hopscope observe -o json`; use as a context manager."""

    def __init__(self, world, *options, prefix=()):
        self.events, self.errors, self.changed = [], b"", threading.Condition()
        self.process = subprocess.Popen([*prefix, world.bin, "observe", "-o", "json", *options], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, env={**os.environ, "HOPSCOPE_CONFIG": "/dev/null"})
        self.readers = [threading.Thread(target=reader, daemon=True) for reader in (self._read, self._read_errors)]
        for reader in self.readers:
            reader.start()
        self.begin = self.wait("capture.start")

    def _read(self):
        for line in self.process.stdout:
            event = json.loads(line)
            with self.changed:
                self.events.append(event)
                self.changed.notify_all()
        with self.changed:
            self.changed.notify_all()

    def _read_errors(self):
        self.errors = self.process.stderr.read()

    def of(self, kind):
        with self.changed:
            return [event for event in self.events if event["kind"] == kind]

    def wait(self, kind, wanted=lambda event: True, timeout_s=20):
        """The first event of the kind that is wanted."""
        stop, looked = time.monotonic() + timeout_s, 0
        with self.changed:
            while True:
                for event in self.events[looked:]:
                    if event["kind"] == kind and wanted(event):
                        return event
                looked = len(self.events)
                if self.process.poll() is not None and not self.readers[0].is_alive():
                    raise AssertionError(f"observe ended ({self.process.returncode}) without {kind}: {self.errors.decode(errors='replace')}")
                if time.monotonic() > stop:
                    raise AssertionError(f"no {kind} within {timeout_s} s: {[brief(e) for e in self.events][-40:]}")
                self.changed.wait(0.2)

    def session(self, client_port, stdout=None):
        """`stdout`: what the client got, where its port may have been another's before."""
        def wanted(event):
            if event.get("client", {}).get("port") != client_port:
                return False
            return stdout is None or any(s["type"] == "stdout" and s["bytes"]["out"] == len(stdout) for s in event["streams"])

        return self.wait("session", wanted)

    def saw_whole(self, client_port):
        """Did it see the session from its beginning, and the call before it? What is followed too late is seen in part, or not at all."""
        try:
            session = self.wait("session", lambda event: event.get("client", {}).get("port") == client_port, timeout_s=3)
        except AssertionError:
            return False
        return session["complete"] and "cri" in [hop["hop"] for hop in self.chain(session)["hops"]]

    def chain(self, session):
        return self.wait("chain", lambda event: session["session"] in event["sessions"])

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        for reader in self.readers:
            reader.join(5)
        if kind is None and self.process.returncode >= 0:
            assert self.process.returncode == 0, self.errors.decode(errors="replace")


def brief(event):
    return (event["kind"], event.get("session"), event.get("op"), event.get("state"), event.get("client", {}).get("port"))


def observed(world):
    """One `observe` that several tests share; what it sees is told apart by the client's port."""
    if "observe" not in world.shared:
        world.shared["observe"] = Observe(world, "--ebpf", "require")
    return world.shared["observe"]


def is_whole(observe, runtime, pod, client_port, op, exit_code=None, stdout=None):
    """What every session of a tapped runtime says: it is joined by its token, both processes are known, nothing is missing."""
    session = observe.session(client_port, stdout)
    assert session["op"] == op and session["state"] == "closed" and session["complete"] and session["gaps"] == 0, session
    chain = observe.chain(session)
    assert chain["op"] == op and chain["sessions"] == [session["session"]], chain
    assert chain["k8s"]["pod"] == pod.name and chain["k8s"]["namespace"] == pod.namespace, chain["k8s"]
    hops = {hop["hop"]: hop for hop in chain["hops"]}
    assert set(hops) >= {"cri", "runtime"}, hops
    cri, run = hops["cri"], hops["runtime"]
    assert cri["grade"] == "decoded" and run["grade"] == "decoded", chain
    assert any(item["id"] == "token" if "id" in item else re.search(r"token t\d+ is in the CRI answer and in the URL", item["says"]) for item in cri["evidence"]), cri
    for hop in (cri, run):
        assert hop["from"]["process"]["pid"] == os.getpid(), hop
        assert hop["to"]["process"]["pid"] == runtime.pid and hop["to"]["process"]["comm"] == "containerd", hop
    assert runtime.socket in json.dumps(cri), cri
    if op != "portforward":
        assert session["container"]["id"] == pod.container and session["k8s"]["container"] == "main", session
    if exit_code is not None:
        assert session["exit_code"] == exit_code and chain["exit_code"] == exit_code, (session.get("exit_code"), chain.get("exit_code"))
    if stdout is not None:
        streams = {stream["type"]: stream for stream in session["streams"]}
        assert streams["stdout"]["bytes"]["out"] == len(stdout), (streams, len(stdout))
    return session, chain, hops


def has_shim(runtime, pod, chain, hops, grade="decoded"):
    """The hop between containerd and the pod's shim, by the calls on its socket."""
    assert "shim" in hops, (list(hops), chain.get("candidates"))
    hop = hops["shim"]
    assert hop["grade"] == grade and hop["proto"] == "ttrpc", hop
    assert hop["from"]["process"]["pid"] == runtime.pid and hop["to"]["process"]["pid"] == pod.shim(), (hop, runtime.pid, pod.shim())
    assert hop["unix"]["path"] == pod.shim_socket(), (hop["unix"], pod.shim_socket())
    kinds = [h["hop"] for h in chain["hops"]]
    assert kinds.index("shim") == kinds.index("runtime") + 1 == ("cri" in kinds) + 1, kinds
    return " · ".join(item["says"] for item in hop["evidence"])


def has_process(pod, chain, hops, comm, exit_code):
    assert "process" in hops, (list(hops), chain.get("candidates"))
    hop = hops["process"]
    says = " · ".join(item["says"] for item in hop["evidence"])
    assert hop["grade"] == "decoded" and hop["to"]["process"]["comm"] == comm, hop
    assert hop["from"]["process"]["pid"] == pod.shim(), (hop, pod.shim())
    assert "arguments are the command" in says and f"ended with {exit_code}, as the session says" in says, says
    if "shim" in hops and hops["shim"]["grade"] == "decoded":
        shim = " · ".join(item["says"] for item in hops["shim"]["evidence"])
        assert f"Start was answered with pid {hop['to']['process']['pid']}" in shim, (shim, hop)
        assert f"the shim told exit code {exit_code}, as the session says" in shim and "answered Start with its pid" in says, (shim, says)
    assert hop["ran"][0]["pid"] == hop["to"]["process"]["pid"] and hop["ran"][0]["exit_code"] == exit_code, hop["ran"]
    # runc goes away as soon as the program runs: the program is then the shim's own child.
    assert re.search(rf"started by (runc\[\d+\], a child of )?containerd-shim\[{pod.shim()}\]", says), says
    assert not chain.get("contradictions"), chain["contradictions"]


@test
def exec_over_both_protocols(world):
    """exec: token, container, pod, both processes of each hop, the process in the container, exit code, bytes"""
    runtime, pod = world.runtime()
    observe = observed(world)
    for protocol in ("spdy", "ws"):
        with streaming.Command(runtime.client.exec(pod.container, ["sh", "-c", f"echo out {protocol}; echo err >&2; exit 3"]), protocol=protocol) as command:
            port, got = command.ports()[0], command.finish()
        assert got["exit_code"] == 3, got
        session, chain, hops = is_whole(observe, runtime, pod, port, "exec", 3, got["stdout"])
        assert session["proto"] == {"spdy": "spdy/3.1", "ws": "websocket"}[protocol], session
        assert "command" not in session and "command" not in chain, "the command is a secret"
        has_shim(runtime, pod, chain, hops)
        has_process(pod, chain, hops, "sh", 3)


@test
def exec_with_a_terminal(world):
    """exec with a terminal: every resize, and the shell in the container"""
    runtime, pod = world.runtime()
    observe = observed(world)
    with streaming.Command(runtime.client.exec(pod.container, ["sh"], stdin=True, tty=True), stdin=True, tty=True) as command:
        port = command.ports()[0]
        command.read_until(b"# ")
        for width, height in ((97, 31), (132, 50)):
            command.resize(width, height)
            time.sleep(0.2)  # the runtime passes it to the shim; nothing tells when it is there
            command.write(b"stty size\n")
            command.read_until(b"%d %d\r\n" % (height, width))
        command.write(b"exit 5\n")
        got = command.finish()
    session, chain, hops = is_whole(observe, runtime, pod, port, "exec", 5, got["stdout"])
    assert session["tty"] is True and [(r["width"], r["height"]) for r in session["resizes"]] == [(97, 31), (132, 50)], session
    assert "2 changes of the terminal's size" in has_shim(runtime, pod, chain, hops), hops["shim"]
    has_process(pod, chain, hops, "sh", 5)


@test
def what_the_shell_ran(world):
    """the tree below an exec: who made what, also when the one in between is gone; as events while it runs, and in the chain"""
    runtime, pod = world.runtime()
    observe = observed(world)
    script = "(sleep 0.4; echo deep) & (sleep 5 >/dev/null 2>&1 &) ; echo x | cat; wait; exit 9"
    with streaming.Command(runtime.client.exec(pod.container, ["sh", "-c", script])) as command:
        port, got = command.ports()[0], command.finish()
    assert got["exit_code"] == 9, got
    session, chain, hops = is_whole(observe, runtime, pod, port, "exec", 9, got["stdout"])
    has_shim(runtime, pod, chain, hops)
    has_process(pod, chain, hops, "sh", 9)
    ran = hops["process"]["ran"]
    assert all(item["parent"] == 0 for item in ran[1:]) and "ran_dropped" not in hops["process"], ran
    assert "command" not in json.dumps(ran).replace("command_words", ""), "commands are secrets"
    # cat, sleep, sleep, the shell: one sleep was orphaned before it ran, and goes on after its session. busybox's sh runs ls itself.
    assert sorted(item["command_words"] for item in ran) == [1, 2, 2, 3], ran
    assert sum("exit_code" not in item for item in ran) == 1, ran
    told = [event for event in observe.of("process") if event["session"] == session["session"]]
    assert [e["step"] for e in told].count("exec") >= 4 and told[0]["depth"] == 0, told
    assert {e["pid"] for e in told if e["depth"] == 1} == {item["pid"] for item in ran[1:]}, told
    assert all(e["parent_pid"] == ran[0]["pid"] for e in told if e["depth"] == 1), told
    assert min(observe.events.index(e) for e in told) < observe.events.index(session), "told while it ran"


@test
def not_started(world):
    """a command that does not exist: the shim's refusal is told, and no process is made up"""
    runtime, pod = world.runtime()
    observe = observed(world)
    with streaming.Command(runtime.client.exec(pod.container, ["/no/such/program"])) as command:
        port = command.ports()[0]
        command.finish()
    session = observe.session(port)
    chain = observe.chain(session)
    hops = {hop["hop"]: hop for hop in chain["hops"]}
    assert "the shim refused with status" in has_shim(runtime, pod, chain, hops), hops["shim"]
    assert "process" not in hops, hops


@test
def attach(world):
    """attach: joined to its container, its shim and the container's main process"""
    runtime, pod = world.runtime()
    observe = observed(world)
    with streaming.Command(runtime.client.attach(pod.container, stdin=True), stdin=True) as command:
        port = command.ports()[0]
        command.write(b"hello\n")
        command.read_until(b"got:hello\n")
        command.read_until(b"err:hello\n", "stderr")
    session, chain, hops = is_whole(observe, runtime, pod, port, "attach")
    streams = {stream["type"]: stream["bytes"] for stream in session["streams"]}
    assert streams["stdin"]["in"] == 6 and streams["stdout"]["out"] >= 10, streams
    assert "FIFOs" in has_shim(runtime, pod, chain, hops, "seen"), hops["shim"]
    process = hops["process"]["to"]["process"]
    assert hops["process"]["grade"] == "decoded", hops["process"]
    assert pod.container in daemons.read(f"/proc/{process['pid']}/cgroup"), (process, daemons.read(f"/proc/{process['pid']}/cgroup"))
    parent = daemons.read(f"/proc/{process['pid']}/status").split("PPid:")[1].split()[0]
    assert parent == str(pod.shim()), (process, parent, pod.shim())


@test
def port_forward(world):
    """port-forward: joined to its pod over SPDY and WebSocket, with the port and the bytes of both directions"""
    runtime, pod = world.runtime()
    observe = observed(world)
    for protocol in ("spdy", "ws"):
        question = b"GET / HTTP/1.0\r\n\r\n"
        with streaming.Forward(runtime.client.port_forward(pod.id, [pod.port]), protocol, [pod.port]) as forward:
            port = forward.ports()[0]
            body, error = forward.exchange(pod.port, question)
        assert body.endswith(b"hello from the pod\n") and not error, (body, error)
        session, _, hops = is_whole(observe, runtime, pod, port, "portforward")
        assert "shim" not in hops, "containerd dials itself"
        stream = next(stream for stream in session["streams"] if stream["type"] == "data")
        assert stream["port"] == pod.port and stream["bytes"] == {"in": len(question), "out": len(body)}, stream


@test
def ten_at_once(world):
    """10 execs at once: none crossed, none lost, each with its own process"""
    runtime, pod = world.runtime()
    observe = observed(world)
    urls = [runtime.client.exec(pod.container, ["sh", "-c", f"sleep 0.3; echo {'x' * (10 + i)}; exit {i + 1}"]) for i in range(10)]
    got = [None] * 10

    def run(i):
        with streaming.Command(urls[i], protocol=("spdy", "ws")[i % 2]) as command:
            got[i] = command.ports()[0], command.finish()

    threads = [threading.Thread(target=run, args=(i,)) for i in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    pids = set()
    for i, (port, result) in enumerate(got):
        assert result["exit_code"] == i + 1 and result["stdout"] == b"x" * (10 + i) + b"\n", result
        _, chain, hops = is_whole(observe, runtime, pod, port, "exec", i + 1, result["stdout"])
        has_process(pod, chain, hops, "sh", i + 1)
        pids.add(hops["process"]["to"]["process"]["pid"])
    assert len(pids) == 10, pids


@test
def ten_a_second(world):
    """10 execs a second for 30 seconds: none crossed, none lost, each with its own process"""
    runtime, pod = world.runtime()
    observe = observed(world)
    got, threads, begin = [None] * 300, [], time.monotonic()

    def run(i):
        url = runtime.client.exec(pod.container, ["sh", "-c", f"echo {'x' * (1 + i)}; exit {i % 100 + 1}"])
        with streaming.Command(url, protocol=("spdy", "ws")[i % 2]) as command:
            got[i] = command.ports()[0], command.finish()

    for i in range(len(got)):
        time.sleep(max(0.0, begin + i / 10 - time.monotonic()))
        threads.append(threading.Thread(target=run, args=(i,)))
        threads[-1].start()
    for thread in threads:
        thread.join(30)
    took_s = time.monotonic() - begin
    pids = set()
    for i, (port, result) in enumerate(got):
        assert result["exit_code"] == i % 100 + 1 and result["stdout"] == b"x" * (1 + i) + b"\n", (i, result)
        _, chain, hops = is_whole(observe, runtime, pod, port, "exec", i % 100 + 1, result["stdout"])
        has_process(pod, chain, hops, "sh", i % 100 + 1)
        pids.add(hops["process"]["to"]["process"]["pid"])
    assert len(pids) == len(got), len(pids)
    return f"{len(got)} in {took_s:.1f} s"


@test
def same_command_twice(world):
    """two equal commands at once: which process is whose is not guessed, both are listed with both"""
    runtime, pod = world.runtime()
    observe = observed(world)
    urls = [runtime.client.exec(pod.container, ["sh", "-c", "sleep 0.5; exit 7"]) for _ in range(2)]
    commands = [streaming.Command(url) for url in urls]
    ports = []
    for command in commands:
        with command:
            ports.append(command.ports()[0])
            assert command.finish()["exit_code"] == 7
    for port in ports:
        _, chain, hops = is_whole(observe, runtime, pod, port, "exec", 7)
        assert "which of 2 equal Exec calls" in has_shim(runtime, pod, chain, hops, "seen"), hops["shim"]
        assert "process" not in hops, hops["process"]
        assert sum("was started in the container" in item["says"] for item in chain["candidates"]) == 2, chain.get("candidates")


class Shell(streaming.Command):
    """A shell in the pod's container that has answered once, so that it runs."""

    def __init__(self, runtime, pod, protocol="spdy"):
        super().__init__(runtime.client.exec(pod.container, ["sh"], stdin=True), stdin=True, protocol=protocol)
        self.ports_before = self.ports()
        self.pid_inside = int(self.say("echo $$", rb"(\d+)\n").group(1))

    def say(self, line, answer):
        """Types the line; the answer's match in all that came."""
        self.write(line.encode() + b"\n")
        assert self.connection.pump(lambda: re.search(answer, self.data("stdout"))), self.data("stdout")
        return re.search(answer, self.data("stdout"))

    def pid(self):
        """On the node."""
        for status in (daemons.read(f"/proc/{pid}/status") for pid in os.listdir("/proc") if pid.isdigit()):
            numbers = re.search(r"^NSpid:\t(.*)$", status, re.M)
            if numbers and re.search(r"^Name:\tsh$", status, re.M) and [*map(int, numbers.group(1).split())][-1] == self.pid_inside and len(numbers.group(1).split()) > 1:
                return int(numbers.group(1).split()[0])
        raise AssertionError(f"no sh with pid {self.pid_inside} in a container")


def late_chain(observe, pod, port, op="exec"):
    """(session, chain, its hops) of a session that was joined late and whose container is known."""
    session = observe.session(port)
    assert session["state"] == "cut" and not session["complete"], session
    chain = observe.chain(session)
    assert chain["op"] == op and chain["container"]["id"] == pod.container and chain["k8s"]["pod"] == pod.name, chain
    hops = {hop["hop"]: hop for hop in chain["hops"]}
    assert hops["runtime"]["grade"] == "seen" and any("before the capture began" in part["says"] for part in chain["missing"]), chain
    return session, chain, hops


def late_process(observe, pod, chain, hops, pid, exit_code):
    hop = hops["process"]
    says = " · ".join(item["says"] for item in hop["evidence"])
    assert hop["grade"] == "seen" and hop["to"]["process"]["pid"] == pid and hop["from"]["process"]["pid"] == pod.shim(), (hop, pid)
    assert "ran already when hopscope began to look" in says and "the shim's folder" in says, says
    if exit_code is not None:
        assert f"ended with {exit_code}, as the session says" in says, says
    assert not chain.get("contradictions"), chain["contradictions"]
    return says


@test
def late_join(world):
    """hopscope is started while a session runs: it says so; shim, process and what the shell runs from then on are there"""
    runtime, pod = world.runtime()
    for protocol, code in (("spdy", 3), ("ws", 0)):
        with Shell(runtime, pod, protocol) as shell:
            port, pid = shell.ports()[0], shell.pid()
            shell.say("sleep 20 >/dev/null 2>&1 & echo before", b"before\n")
            with Observe(world) as observe:
                for i in range(3):
                    shell.say(f"sleep 0.1; echo after {i}", b"after %d\n" % i)
                shell.write(b"exit %d\n" % code)
                assert shell.finish()["exit_code"] == code
                shell.close()
                session, chain, hops = late_chain(observe, pod, port)
                assert session["gaps"] == 0 and session["exit_code"] == code and session["bytes"]["out"] >= len("after 0\n") * 3, session
                assert "made before hopscope looked" in has_shim(runtime, pod, chain, hops, "seen"), hops["shim"]
                assert "the only exec" in late_process(observe, pod, chain, hops, pid, code)
                ran = hops["process"]["ran"]
                assert ran[0]["pid"] == pid and [item["command_words"] for item in ran] == [1, 2, 2, 2, 2], ran
                assert all(item["parent"] == 0 for item in ran[1:]) and [item.get("exit_code") for item in ran] == [code, None, 0, 0, 0], ran
                told = [(e["step"], e["pid"]) for e in observe.of("process") if e["session"] == session["session"]]
                assert told[:2] == [("running", pid), ("running", ran[1]["pid"])] and told[-1] == ("exit", pid), told
                assert ("exec", ran[2]["pid"]) in told and ("exit", ran[4]["pid"]) in told, told
                assert "command" not in json.dumps([e for e in observe.of("process")] + ran).replace("command_words", ""), "commands are secrets"
                # The connection to the CRI was open before, too: the next call on it is read all the same.
                with streaming.Command(runtime.client.exec(pod.container, ["sh", "-c", "exit 4"])) as second:
                    port = second.ports()[0]
                    second.finish()
                _, chain, hops = is_whole(observe, runtime, pod, port, "exec", 4)
                has_shim(runtime, pod, chain, hops)  # so was the shim's: ttrpc is read from the next message on
                has_process(pod, chain, hops, "sh", 4)


@test
def late_join_of_two(world):
    """two shells in one container when hopscope is started: told apart by how they end, or said to be unknown, never mixed up"""
    runtime, pod = world.runtime()
    for codes in ((3, 5), (4, 4)):
        with Shell(runtime, pod) as first, Shell(runtime, pod) as second, Observe(world) as observe:
            pids = [second.pid(), first.pid()]
            for shell, code in zip((second, first), codes):
                for i in range(3):
                    shell.say(f"echo after {i}", b"after %d\n" % i)
                shell.write(b"exit %d\n" % code)
                assert shell.finish()["exit_code"] == code
                shell.close()
            for shell, code, pid in zip((second, first), codes, pids):
                _, chain, hops = late_chain(observe, pod, shell.ports_before[0])
                has_shim(runtime, pod, chain, hops, "seen")
                if codes[0] != codes[1]:
                    late_process(observe, pod, chain, hops, pid, code)
                    continue
                assert "process" not in hops, hops
                assert sum("and so did 1 more that it could be" in item["says"] for item in chain["candidates"]) == 2, chain
                assert all(any(f"pid {each}," in item["says"] for item in chain["candidates"]) for each in pids), (pids, chain)


@test
def late_join_of_an_attach(world):
    """an attach that ran when hopscope was started: the only container that can be written to, its shim, its main process"""
    runtime, pod = world.runtime()
    with streaming.Command(runtime.client.attach(pod.container, stdin=True), stdin=True) as command:
        port = command.ports()[0]
        with Observe(world) as observe:
            for i in range(4):
                command.write(b"hello %d\n" % i)
                command.read_until(b"got:hello %d\n" % i)
                command.read_until(b"err:hello %d\n" % i, "stderr")
            command.close()
            _, chain, hops = late_chain(observe, pod, port, "attach")
            has_shim(runtime, pod, chain, hops, "seen")
            process = hops["process"]["to"]["process"]["pid"]
            assert "main process" in late_process(observe, pod, chain, hops, process, None)
            assert pod.container in daemons.read(f"/proc/{process}/cgroup"), process


@test
def late_join_without_ebpf(world):
    """--ebpf off: a session that ran before has its shim and its process all the same, as they were at the start"""
    runtime, pod = world.runtime()
    with Shell(runtime, pod) as shell:
        port, pid = shell.ports()[0], shell.pid()
        with Observe(world, "--ebpf", "off") as observe:
            for i in range(3):
                shell.say(f"echo after {i}", b"after %d\n" % i)
            shell.write(b"exit 3\n")
            assert shell.finish()["exit_code"] == 3
            shell.close()
            _, chain, hops = late_chain(observe, pod, port)
            assert "--ebpf off" in has_shim(runtime, pod, chain, hops, "seen"), hops["shim"]
            late_process(observe, pod, chain, hops, pid, None)


@test
def a_shell_that_became_its_client(world):
    """a process that was a shell when hopscope looked, and runs another program since, is called what it is"""
    runtime, pod = world.runtime()
    # It lives on for a moment: the kernel tells its name, but its executable can be looked up only while it is there.
    client = (f"import sys, time; sys.path.insert(0, {testbed.HERE!r}); import streaming\n"
              "with streaming.Command(sys.argv[1]) as c: print(c.ports()[0]); c.finish()\n"
              "time.sleep(0.5)")
    with subprocess.Popen(["sh", "-c", 'read url; exec "$0" -c "$1" "$url"', sys.executable, client], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as shell:
        with Observe(world) as observe:
            observe.wait("capture.start")
            port, _ = shell.communicate(runtime.client.exec(pod.container, ["true"]) + "\n", timeout=20)
            chain = observe.chain(observe.session(int(port)))
    process = next(hop for hop in chain["hops"] if hop["hop"] == "runtime")["from"]["process"]
    assert process["pid"] == shell.pid and process["comm"] == os.path.basename(sys.executable)[:15], process
    assert process["exe"] == os.path.realpath(sys.executable), process


def once_followed(observe, run):
    """The client's port of the first `run` that it saw from the beginning, and how many came too early: the filter follows the
    ports that the next look at the sockets finds, up to half a second after a runtime listens."""
    for early in range(9):
        port = run()
        if observe.saw_whole(port):
            return port, early
    raise AssertionError(f"none of {early + 1} sessions was seen from its beginning")


@test
def restart_in_the_middle(world):
    """containerd is killed and started again while hopscope looks: the new one's sockets and port are followed"""
    observe = observed(world)
    runtime, pod = world.runtime("again")
    all_early = 0

    def run():
        with streaming.Command(runtime.client.exec(pod.container, ["sh", "-c", "echo hello; exit 6"])) as command:
            port, got = command.ports()[0], command.finish()
        assert got["exit_code"] == 6, got
        return port

    for again in (False, True):
        if again:
            runtime.restart()
        port, early = once_followed(observe, run)
        all_early += early
        _, chain, hops = is_whole(observe, runtime, pod, port, "exec", 6, b"hello\n")
        has_shim(runtime, pod, chain, hops)
        has_process(pod, chain, hops, "sh", 6)
    return f"{all_early} too early for the new port" if all_early else None


@test
def a_pod_that_no_call_told(world):
    """a runtime and its pod come while hopscope cannot look, and nobody lists them later: their names are asked of the runtime"""
    with Observe(world, "--ebpf", "require") as observe:
        observe.process.send_signal(signal.SIGSTOP)
        runtime, pod = world.runtime("unheard")
        observe.process.send_signal(signal.SIGCONT)

        def forward():
            with streaming.Forward(runtime.client.port_forward(pod.id, [pod.port]), "spdy", [pod.port]) as forward:
                port = forward.ports()[0]
                forward.exchange(pod.port, b"GET / HTTP/1.0\r\n\r\n")
            return port

        is_whole(observe, runtime, pod, once_followed(observe, forward)[0], "portforward")
        with streaming.Command(runtime.client.exec(pod.container, ["sh", "-c", "exit 4"])) as command:
            port = command.ports()[0]
            command.finish()
        _, chain, hops = is_whole(observe, runtime, pod, port, "exec", 4)
        has_process(pod, chain, hops, "sh", 4)


@test
def without_ebpf(world):
    """--ebpf off: sessions are there with what is left, and what is missing is named"""
    runtime, pod = world.runtime()
    with Observe(world, "--ebpf", "off") as observe:
        missing = " · ".join(observe.begin["partial"])
        assert "CRI calls" in missing and "processes in containers" in missing, missing
        with streaming.Command(runtime.client.exec(pod.container, ["sh", "-c", "exit 3"])) as command:
            port = command.ports()[0]
            command.finish()
        session = observe.session(port)
        assert session["exit_code"] == 3 and session["state"] == "closed" and session["complete"], session
        assert "container" not in session, session


def programs(pid):
    """BPF programs that the process holds, by their descriptors."""
    links = []
    try:
        for fd in os.listdir(f"/proc/{pid}/fd"):
            links.append(os.readlink(f"/proc/{pid}/fd/{fd}"))
    except FileNotFoundError:
        pass
    return [link for link in links if "bpf" in link]


def program_ids(pid):
    found = set()
    for fd in os.listdir(f"/proc/{pid}/fdinfo"):
        for line in daemons.read(f"/proc/{pid}/fdinfo/{fd}").splitlines():
            if line.startswith("prog_id:"):
                found.add(int(line.split()[1]))
    return found


def is_loaded(number):
    """Whether the kernel has a BPF program of this number (bpf(BPF_PROG_GET_FD_BY_ID))."""
    import ctypes
    libc = ctypes.CDLL(None, use_errno=True)
    attributes = (ctypes.c_uint32 * 32)(number)
    fd = libc.syscall(321, 13, attributes, ctypes.sizeof(attributes))
    if fd < 0:
        return False
    os.close(fd)
    return True


@test
def killed_it_leaves_nothing(world):
    """killed by SIGKILL it leaves no BPF program in the kernel"""
    with Observe(world, "--ebpf", "require") as observe:
        numbers = program_ids(observe.process.pid)
        assert len(numbers) >= 4 and all(map(is_loaded, numbers)), (numbers, programs(observe.process.pid))
        observe.process.kill()
        observe.process.wait()
        daemons.wait_for("its programs are gone", lambda: not any(map(is_loaded, numbers)), 10)
        return f"{len(numbers)} programs"


@test
def nothing_was_lost(world):
    """the observer that saw all this lost nothing, and ends in order"""
    observe = observed(world)
    observe.__exit__(None)
    end = observe.of("capture.end")[-1]
    lost = {place: count for place, count in end.get("loss", {}).items() if count and place not in ("uncompared",)}
    assert not lost, lost
    del world.shared["observe"]
    world.shared["events"] = observe.events
    return f"{len(observe.of('session'))} sessions, {len(observe.of('chain'))} chains"


@test
def events_match_their_schema(world):
    """every event that all this made is valid against the schema that hopscope prints"""
    try:
        import jsonschema
    except ImportError:
        raise Skip("python3-jsonschema is not installed")
    validator = jsonschema.Draft202012Validator(json.loads(world.run("schema", "event").stdout))
    events = world.shared["events"]
    chosen = [event for event in events if event["kind"] in ("capture.start", "chain", "session", "capture.end")]
    chosen += {event["kind"]: event for event in events}.values()
    for event in chosen:
        error = next(validator.iter_errors(event), None)
        assert not error, f"{error.message[:300]} at {list(error.path)} in {event['kind']}"
    return f"{len(chosen)} events"


def end_observe(world):
    if "observe" in world.shared:
        world.shared["observe"].process.kill()
        world.shared["observe"].process.wait()


if __name__ == "__main__":
    sys.exit(testbed.run(TESTS, __doc__, World, end_observe))
