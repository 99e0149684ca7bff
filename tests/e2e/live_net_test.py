#!/usr/bin/env python3
"""Tests of `observe` where it meets networks and other runtimes: live_net_test.py [--bin PATH] [--only WORD]

Pods with a network namespace of their own, Docker, rings that are too small, eBPF that is not there. The runtimes run
with private configuration (rig.py) and are taken down at the end. Every test is a function below; its docstring is the
sentence that it proves. Where no runtime can run, all are skipped and the reason is said. Ends with 'N passed, N failed,
N skipped'. Python 3.11, standard library."""
import glob, json, os, signal, subprocess, sys, threading, time

import daemons, record_test, streaming, testbed
from each import Skip
from live_test import Observe
from node_test import World

TESTS = []


def test(function):
    TESTS.append(function)
    return function


# --- pods with a network namespace of their own (CNI plugin ptp)

def apart(world):
    """(containerd in a network namespace of its own, its pod in another one, an `observe` that runs where containerd does)"""
    runtime, pod = world.runtime("apart", own_network=True)
    if "apart observe" not in world.shared:
        world.shared["apart observe"] = daemons.in_network_of(runtime.pid, lambda: Observe(world, "--ebpf", "require"))
    return runtime, pod, world.shared["apart observe"]


def forward(runtime, pod, protocol="spdy"):
    url = runtime.client.port_forward(pod.id, [pod.port])
    return daemons.in_network_of(runtime.pid, lambda: streaming.Forward(url, protocol, [pod.port]))


def server_of(pod):
    """(pid of the process in the pod that listens on its port, inode of its network namespace): read here, from /proc."""
    for pid in daemons.descendants([pod.shim()]):
        if pod.port in daemons.listeners(pid):
            return pid, os.stat(f"/proc/{pid}/ns/net").st_ino
    raise AssertionError(f"nobody in {pod.name} listens on {pod.port}")


def question(size):
    head = b"GET / HTTP/1.0\r\nX: "
    return head + b"x" * (size - len(head) - 4) + b"\r\n\r\n"


def ends_in_the_pod(observe, runtime, pod, client_port, wanted):
    """The last hops of the port-forward: for each (bytes in, bytes out) that is wanted one, from containerd to the pod's server."""
    session = observe.session(client_port)
    assert session["op"] == "portforward" and session["complete"], session
    chain = observe.chain(session)
    assert chain["complete"] and "missing" not in chain, chain
    assert chain["k8s"]["pod"] == pod.name, chain
    hops = [hop for hop in chain["hops"] if hop["hop"] == "process"]
    server, network = server_of(pod)
    streams = {stream["id"]: stream for stream in session["streams"] if stream["type"] == "data"}
    for hop in hops:
        assert hop["from"]["process"] == {**hop["from"]["process"], "pid": runtime.pid, "comm": "containerd"}, hop
        assert hop["to"]["process"]["pid"] == server, (hop, server)
        assert hop["netns"] == network and hop["server"]["port"] == pod.port and hop["proto"] == "tcp", (hop, network)
        assert hop["bytes"] == streams[hop["stream"]]["bytes"], (hop, streams)
        says = " · ".join(item["says"] for item in hop["evidence"])
        assert f"in network namespace {network}, the sandbox's" in says and "as many bytes as" in says, says
        assert "is in container" in says, says
    assert sorted((hop["bytes"]["in"], hop["bytes"]["out"]) for hop in hops) == sorted(wanted), (hops, wanted, chain.get("candidates"))
    assert len({hop["stream"] for hop in hops}) == len(hops), hops
    return session, chain


@test
def forward_into_a_network_of_its_own(world):
    """port-forward to a pod in a network namespace of its own: containerd's connections inside it are found and joined"""
    runtime, pod, observe = apart(world)
    for protocol in ("spdy", "ws"):
        wanted = []
        with forward(runtime, pod, protocol) as one:
            port = one.ports()[0]
            for size in (40, 90, 40) if protocol == "spdy" else (40,):  # a WebSocket carries one connection
                body, error = one.exchange(pod.port, question(size))
                assert body.endswith(b"hello from the pod\n") and not error, (body, error)
                wanted.append((size, len(body)))
        ends_in_the_pod(observe, runtime, pod, port, wanted)


@test
def forwards_at_once(world):
    """ten port-forwards at once into one pod: none crossed, each with its own connection"""
    runtime, pod, observe = apart(world)
    forwards, sizes = [forward(runtime, pod) for _ in range(10)], [50 + i for i in range(10)]
    bodies = [None] * 10

    def run(i):
        bodies[i] = forwards[i].exchange(pod.port, question(sizes[i]))[0]

    threads = [threading.Thread(target=run, args=(i,)) for i in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    ports = [one.ports()[0] for one in forwards]
    for one in forwards:
        one.connection.wire.close()
    for i, port in enumerate(ports):
        ends_in_the_pod(observe, runtime, pod, port, [(sizes[i], len(bodies[i]))])


@test
def refused_port(world):
    """a port on which nobody listens: no connection in the pod is made up"""
    runtime, pod, observe = apart(world)
    with forward(runtime, pod) as one:
        port = one.ports()[0]
        _, error = one.exchange(daemons.free_port(), b"")
        assert "refused" in error, error
    chain = observe.chain(observe.session(port))
    assert "process" not in [hop["hop"] for hop in chain["hops"]] and "candidates" not in chain, chain


# --- without eBPF

@test
def without_ebpf(world):
    """--ebpf off: a lone session makes a chain of what is left, with both processes, and each part that is missing is named with its reason"""
    runtime, pod = world.runtime()
    with Observe(world, "--ebpf", "off") as observe:
        with streaming.Command(runtime.client.exec(pod.container, ["sh", "-c", "echo hello; sleep 2; exit 3"])) as command:
            port = command.ports()[0]
            command.finish()
        session = observe.session(port)
        assert session["exit_code"] == 3 and session["complete"], session
        chain = observe.chain(session)
        hops = {hop["hop"]: hop for hop in chain["hops"]}
        run = hops["runtime"]
        assert run["from"]["process"]["pid"] == os.getpid() and run["to"]["process"]["pid"] == runtime.pid, run
        assert chain["complete"] is False and chain["exit_code"] == 3, chain
        missing = {part["hop"]: part["says"] for part in chain["missing"]}
        assert set(missing) == {"cri", "process"} - set(hops) and "--ebpf off" in missing["cri"], (missing, list(hops))
        # The shell lives long enough to be there when the processes are read again. Where somebody else starts one in a
        # container at the same time, none is guessed.
        if "process" in hops:
            process = hops["process"]
            assert process["grade"] == "inferred" and process["to"]["process"]["comm"] == "sh", process
            assert process["from"]["process"]["pid"] == pod.shim() and chain["container"]["id"] == pod.container, process
            assert chain["k8s"]["pod"] == pod.name, chain
        else:
            assert len(chain["candidates"]) > 1 and "several could be it" in missing["process"], chain
        # One that is over before the table is read again: what could not be told of it is named, too.
        with streaming.Command(runtime.client.exec(pod.container, ["true"])) as command:
            port = command.ports()[0]
            command.finish()
        chain = observe.chain(observe.session(port))
        run = next(hop for hop in chain["hops"] if hop["hop"] == "runtime")
        named = [part["says"] for part in chain["missing"] if part["hop"] == "runtime"]
        assert ("from" in run) != any("process of the kubelet" in says and "--ebpf off" in says for says in named), chain


@test
def named_without_ebpf(world):
    """--ebpf off: the pod of a container that came after hopscope's start is asked of its runtime"""
    runtime, _ = world.runtime()
    with Observe(world, "--ebpf", "off") as observe:
        later = runtime.pod("later")
        time.sleep(3)  # one question in two seconds
        with streaming.Command(runtime.client.exec(later.container, ["sh", "-c", "sleep 2; exit 4"])) as command:
            port = command.ports()[0]
            command.finish()
        chain = observe.chain(observe.session(port))
        if not any(hop["hop"] == "process" for hop in chain["hops"]):
            raise Skip(f"which process it is could not be told: {chain.get('candidates')}")
        assert chain["container"]["id"] == later.container, chain["container"]
        assert chain["k8s"]["pod"] == "later" and chain["k8s"]["namespace"] == later.namespace and chain["k8s"]["container"] == "main", chain


@test
def forward_without_ebpf(world):
    """--ebpf off: which connection in the pod a port-forward became is named as missing"""
    runtime, pod = world.runtime()
    with Observe(world, "--ebpf", "off") as observe:
        with streaming.Forward(runtime.client.port_forward(pod.id, [pod.port])) as one:
            port = one.ports()[0]
            one.exchange(pod.port, question(40))
        chain = observe.chain(observe.session(port))
        named = [part["says"] for part in chain["missing"] if part["hop"] == "process"]
        assert len(named) == 1 and f"port {pod.port}" in named[0] and "--ebpf off" in named[0], chain["missing"]


@test
def ebpf_refused(world):
    """without the capabilities for eBPF: the same as --ebpf off, and the reason is the kernel's"""
    runtime, pod = world.runtime()
    without = ["setpriv", "--bounding-set", "-bpf,-perfmon,-sys_admin", "--inh-caps", "-all"]
    with Observe(world, prefix=without) as observe:
        reasons = " · ".join(observe.begin["partial"])
        assert "CRI calls: no eBPF" in reasons, reasons
        with streaming.Command(runtime.client.exec(pod.container, ["sh", "-c", "exit 3"])) as command:
            port = command.ports()[0]
            command.finish()
        chain = observe.chain(observe.session(port))
        assert chain["exit_code"] == 3 and chain["complete"] is False, chain
        missing = {part["hop"]: part["says"] for part in chain["missing"]}
        assert "no eBPF" in missing["cri"] and "no eBPF" in missing["process"], missing


# --- Docker

def docker_of(world):
    """(dockerd, a container, an `observe` that sees it)"""
    if "docker" not in world.shared:
        docker = world.rig.dockerd()
        world.shared["docker"] = docker, docker.container()
        world.shared["docker observe"] = Observe(world, "--ebpf", "require")
    return (*world.shared["docker"], world.shared["docker observe"])


def docker_chain(world, client_pid, exit_code, streams, tty, op="exec", container=None):
    """The session on docker.sock of this client, and its chain: both processes, the container, the process in it."""
    docker, own, observe = docker_of(world)
    container = container or own
    session = observe.wait("session", lambda event: event.get("hop") == "shim" and event.get("tty") is tty and event["op"] == op
                           and event.get("container", {}).get("id") == container and event.get("from", {}).get("process", {}).get("pid") == client_pid)
    assert session["op"] == op and session["hop"] == "shim" and session["state"] == "closed" and session["complete"], session
    assert session["container"]["id"] == container and session["container"]["runtime"] == "docker", session
    assert {stream["type"]: stream["bytes"]["out"] for stream in session["streams"] if stream["type"] != "stdin"} == streams, session["streams"]
    chain = observe.chain(session)
    assert chain["exit_code"] == exit_code and chain["container"]["id"] == container, chain
    hop = next(hop for hop in chain["hops"] if hop.get("unix", {}).get("path") == docker.socket)
    assert hop["from"]["process"]["pid"] == client_pid, hop
    assert hop["to"]["process"]["pid"] == docker.pid and hop["to"]["process"]["comm"] == "dockerd", hop
    process = next(hop for hop in chain["hops"] if hop["hop"] == "process")
    assert process["to"]["process"]["comm"] == "sh" and process["from"]["process"]["comm"] == "containerd-shim", process
    assert op == "attach" or process["from"]["process"]["pid"] in docker.shims(), process  # else it is gone with its container
    says = " · ".join(item["says"] for item in process["evidence"])
    assert ("arguments are the command" if op == "exec" else "container's main process") in says and f"ended with {exit_code}, as the session says" in says, says
    assert chain["complete"] and "missing" not in chain, chain["missing"]
    if op == "exec":
        has_every_hop(docker, container, chain, client_pid)
    return session, chain


def has_every_hop(docker, container, chain, client_pid):
    """client -> dockerd -> containerd -> shim -> process, by what each was asked."""
    pids = [client_pid, docker.pid, docker.containerd_pid(), docker.shim(container)]
    hops = chain["hops"]
    assert [hop.get("proto") for hop in hops][:3] == ["docker", "grpc", "ttrpc"] and hops[3]["hop"] == "process", hops
    for hop, client, server in zip(hops, pids, pids[1:]):
        assert (hop["from"]["process"]["pid"], hop["to"]["process"]["pid"], hop["grade"]) == (client, server, "decoded"), (hop, pids)
    for hop in hops[1:3]:
        assert "has the id of the Docker API's exec" in " · ".join(item["says"] for item in hop["evidence"]), hop
    assert hops[1]["unix"]["path"].endswith("/containerd.sock") and hops[1]["to"]["process"]["comm"] == "containerd", hops[1]
    assert hops[3]["from"]["process"]["pid"] == pids[3], hops[3]


@test
def docker_exec(world):
    """docker.sock without a terminal: streams, container, exit code as Docker's API tells it, both processes, the process in the container"""
    docker, container, _ = docker_of(world)
    with docker.exec(container, ["sh", "-c", "echo out; echo error >&2; exit 3"]) as one:
        got = one.finish()
    assert got == {"stdout": b"out\n", "stderr": b"error\n", "exit_code": 3}, got
    docker_chain(world, os.getpid(), 3, {"stdout": 4, "stderr": 6}, False)


@test
def docker_exec_with_a_terminal(world):
    """docker.sock with a terminal: every resize, and the rest as without"""
    docker, container, _ = docker_of(world)
    with docker.exec(container, ["sh"], tty=True) as one:
        one.read_until(b"# ")
        for width, height in ((97, 31), (132, 50)):
            one.resize(width, height)
            one.write(b"stty size\n")
            one.read_until(b"%d %d\r\n" % (height, width))
        one.write(b"exit 5\n")
        got = one.finish()
    assert got["exit_code"] == 5, got
    session, _ = docker_chain(world, os.getpid(), 5, {"stdout": len(got["stdout"])}, True)
    assert [(r["width"], r["height"]) for r in session["resizes"]] == [(97, 31), (132, 50)], session


@test
def docker_client(world):
    """the docker client itself: its process at the one end"""
    docker, container, _ = docker_of(world)
    if not os.path.exists(daemons.program("docker")):
        raise Skip("no docker client in build/runtimes")
    client = subprocess.Popen([daemons.program("docker"), "-H", f"unix://{docker.socket}", "exec", container, "sh", "-c", "echo hello; exit 6"],
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=daemons.environment())
    out, errors = client.communicate(timeout=30)
    assert client.returncode == 6 and out == b"hello\n", (client.returncode, out, errors)
    docker_chain(world, client.pid, 6, {"stdout": 6}, False)


def echoing(docker, code, tty=False, **how):
    """A container whose main process answers each line, and ends with `code` after "bye"."""
    script = f"while read line; do [ $line = bye ] && exit {code}; echo got:$line; echo err:$line >&2; done; exit 99"
    return docker.container(["sh", "-c", script], OpenStdin=True, StdinOnce=False, AttachStdin=True, AttachStdout=True, AttachStderr=True, Tty=tty, **how)


@test
def docker_attach(world):
    """an attach by docker.sock: streams, container, exit code as the API tells it to who waits, both processes, the main process"""
    docker, _, _ = docker_of(world)
    container = echoing(docker, 7)
    with docker.attach(container) as one:
        one.write(b"hello\n")
        one.read_until(b"got:hello\n")
        one.read_until(b"err:hello\n")
        one.write(b"bye\n")
        got = one.finish()
    assert got == {"stdout": b"got:hello\n", "stderr": b"err:hello\n", "exit_code": 7}, got
    session, _ = docker_chain(world, os.getpid(), 7, {"stdout": 10, "stderr": 10}, False, "attach", container)
    assert next(stream for stream in session["streams"] if stream["type"] == "stdin")["bytes"]["in"] == 10, session["streams"]
    assert any("told its client the container's exit code" in item["says"] for item in session["evidence"]), session["evidence"]


@test
def docker_attach_by_name(world):
    """the docker client attaches to a container by its name, with a terminal: the container, every size of the terminal"""
    docker, _, _ = docker_of(world)
    container = echoing(docker, 4, tty=True, name="by-name")
    client, terminal = docker.client("attach", "by-name", tty=True)
    if not client:
        raise Skip("no docker client in build/runtimes")
    out = daemons.Terminal(terminal)
    out.write(b"hello\n")
    out.read_until(b"got:hello\r\n")
    out.resize(97, 31)
    client.send_signal(signal.SIGWINCH)  # the terminal is nobody's own
    docker.wait_until("the new size", lambda: b"31 97" in docker.size(container))
    out.write(b"bye\n")
    assert client.wait(30) == 4, out.read
    out.close()
    session, _ = docker_chain(world, client.pid, 4, {"stdout": len(b"hello\r\ngot:hello\r\nerr:hello\r\nbye\r\n")}, True, "attach", container)
    assert session["resizes"][-1]["width"] == 97 and session["resizes"][-1]["height"] == 31, session["resizes"]


@test
def docker_run_with_a_terminal(world):
    """docker run -it: one session from the container's birth on, with its exit code; the shim, which is new, is in the chain"""
    docker, _, observe = docker_of(world)
    client, terminal = docker.client("run", "-it", "--network", "none", "--name", "run-it", daemons.image.BUSYBOX, "sh", tty=True)
    if not client:
        raise Skip("no docker client in build/runtimes")
    out = daemons.Terminal(terminal)
    out.read_until(b"# ")
    container = json.loads(docker.call("GET", "/containers/run-it/json"))["Id"]
    docker.containers.append(container)
    shim = docker.shim(container)
    out.write(b"echo he''llo\n")
    out.read_until(b"hello\r\n")
    out.write(b"exit 8\n")
    assert client.wait(30) == 8, out.read
    told = out.close()
    session, chain = docker_chain(world, client.pid, 8, {"stdout": len(told)}, True, "attach", container)
    hop = next(hop for hop in chain["hops"] if hop["proto"] == "ttrpc")
    assert hop["from"]["process"]["pid"] == docker.containerd_pid() and hop["to"]["process"]["pid"] == shim, (hop, shim)


@test
def docker_same_command_twice(world):
    """two equal execs of the Docker API at once are told apart by their ids, each with its own process"""
    docker, container, observe = docker_of(world)
    execs = [docker.exec(container, ["sh", "-c", "sleep 0.5; exit 7"]) for _ in range(2)]
    for one in execs:
        with one:
            assert one.finish()["exit_code"] == 7
    observe.wait("session", lambda event: sum(e.get("exit_code") == 7 and e["op"] == "exec" for e in observe.of("session")) >= 2)
    pids = set()
    for session in [event for event in observe.of("session") if event.get("exit_code") == 7 and event["op"] == "exec"][-2:]:
        chain = observe.chain(session)
        has_every_hop(docker, container, chain, os.getpid())
        pids.add(chain["hops"][3]["to"]["process"]["pid"])
    assert len(pids) == 2, pids


def docker_sessions(world):
    """An exec and an attach; (client, what the exec is) are this process."""
    docker, container, _ = docker_of(world)
    with docker.exec(container, ["sh", "-c", "echo planted-in-the-output; echo planted-on-stderr >&2; exit 3", "planted-in-the-command"]) as one:
        assert one.finish()["exit_code"] == 3
    other = echoing(docker, 5)
    with docker.attach(other) as one:
        one.write(b"planted-in-the-input\n")
        one.read_until(b"got:planted-in-the-input\n")
        one.read_until(b"err:planted-in-the-input\n")
        one.write(b"bye\n")
        one.finish()
    time.sleep(5)  # the end of a unix socket is seen when it is asked for
    return other


@test
def docker_recorded(world):
    """recordings of Docker sessions, masked and not, give the chains that `observe` tells; the masked one holds no secret"""
    docker, container, observe = docker_of(world)
    with record_test.Record(world, "docker-full.pcapng", "--payload", "full", "--ebpf", "require") as full, \
            record_test.Record(world, "docker-masked.pcapng", "--ebpf", "require") as masked:
        docker.call("GET", "/version")
        time.sleep(0.5)
        before = len(observe.of("chain"))
        other = docker_sessions(world)
        for op in ("exec", "attach"):
            observe.wait("chain", lambda event: event in observe.of("chain")[before:] and event["op"] == op)
    live = {event["op"]: event for event in observe.of("chain")[before:]}
    for record in (full, masked):
        document = world.document("chain", record.file)
        chains = {chain["op"]: chain for chain in document["chains"] if chain.get("container", {}).get("id") in (container, other)}
        sessions = {session["session"]: session for session in document["sessions"]}
        for op, seen in live.items():
            told = chains[op]
            assert told["container"]["id"] == seen["container"]["id"] and told.get("exit_code") == seen["exit_code"], (told, seen)
            # A shim that is gone with its container a moment later has no name in a recording, only its number.
            # Of dockerd's connection to containerd, which was there before, whoever has looked on for longer can name more calls:
            # those of an exec are known by their shape, that of an attach may be nameless.
            one = lambda hop: (hop["hop"], hop.get("proto"), hop["grade"], *(record_test.process(hop.get(end))[:1 if op == "attach" else 3] for end in ("from", "to")),
                               hop.get("bytes") if hop.get("proto") != "grpc" else None)
            told_hops, seen_hops = ([one(hop) for hop in chain["hops"] if op == "exec" or hop.get("proto") != "grpc"] for chain in (told, seen))
            assert told_hops == seen_hops, (told_hops, seen_hops)
            session = sessions[told["sessions"][0]]
            of = next(event for event in observe.of("session") if event["session"] == seen["sessions"][0])
            assert [(s["type"], s["bytes"]) for s in session["streams"]] == [(s["type"], s["bytes"]) for s in of["streams"]], (session, of)
            assert session.get("tty") == of.get("tty") and session["state"] == of["state"], (session, of)
    for path in (masked.file, masked.sidecar):
        data = open(path, "rb").read()
        for word in record_test.WORDS:
            assert word.encode() not in data, f"{word} is in {path}"
    data = open(full.sidecar, "rb").read()
    assert all(word.encode() in data for word in record_test.WORDS), "this test proves nothing"


@test
def docker_flood_and_a_small_ring(world):
    """a ring for sockets' bytes made too small and a flood: counted, located by offset, told of what it touched; nothing else is wrong"""
    docker, container, _ = docker_of(world)
    flood = 60_000_000
    with Observe(world, "--ebpf", "require", "--ebpf-ring", "64KiB") as observe, \
            record_test.Record(world, "flood.pcapng", "--ebpf", "require", "--ebpf-ring", "64KiB") as record:
        with docker.exec(container, ["head", "-c", str(flood), "/dev/zero"]) as one:
            while one.wire.recv(1 << 20):
                pass
        observe.wait("loss", lambda event: event["lost"].get("ring"))
        # Whoever asks for the exit code ends it; else its socket's end does.
        flooded = observe.wait("session", lambda event: event["op"] == "exec")
        assert not flooded["complete"] and flooded["gaps"] > 0, flooded
        # Of what is left a part may be frames' heads, 8 bytes each of 32 KiB at most.
        out, missing = flooded["bytes"]["out"], flooded["missing_bytes"]
        assert out < flood <= out + missing <= flood + 8 * (flood // 1024), (out, missing)
        chain = observe.chain(flooded)
        assert chain["complete"] is False and any("gap" in part["says"] for part in chain["missing"]), chain.get("missing")
        time.sleep(2)
        for code in (3, 4):
            with docker.exec(container, ["sh", "-c", f"echo hello; exit {code}"]) as one:
                assert one.finish()["exit_code"] == code
            session = observe.wait("session", lambda event: event.get("exit_code") == code)
            assert session["complete"] and session["bytes"]["out"] == 6, session
            assert observe.chain(session)["complete"], observe.chain(session)
    lost = observe.of("capture.end")[-1]["loss"]["ring"]
    summary = observe.errors.decode()
    assert lost > 0 and f"ring {lost:,}" in summary and "--ebpf-ring 128" in summary, (lost, summary)
    document = world.document("chain", record.file)
    assert document["loss"]["ring"] > 0, document["loss"]
    touched = next(session for session in document["sessions"] if session.get("missing_bytes"))
    assert touched["gaps"] > 0 and not touched["complete"], touched
    return f"{lost} pieces, {missing} of {flood} bytes of one session"


@test
def ring_files_together(world):
    """the files of a ring, read together: what goes on over their borders is one session with its whole chain"""
    runtime, pod = world.runtime()
    with record_test.Record(world, "border.pcapng", "--payload", "full", "--ebpf", "require", "-C", "64KiB") as record:
        runtime.client.version()
        ports = {}
        for code in range(1, 6):
            with streaming.Command(runtime.client.exec(pod.container, ["sh", "-c", f"head -c 150000 /dev/zero; exit {code}"])) as command:
                ports[command.ports()[0]] = code
                assert len(command.finish()["stdout"]) == 150000
        time.sleep(2)
    files = sorted(path for path in glob.glob(os.path.join(world.rig.folder, "border_*")) if not path.endswith(".unix.pcapng"))
    assert len(files) >= 6, files
    document = world.document("chain", *files)
    sessions = {session["session"]: session for session in document["sessions"]}
    found = {}
    for chain in document["chains"]:
        for number in chain["sessions"]:
            found[sessions[number]["client"]["port"]] = (chain, sessions[number])
    for port, code in ports.items():
        chain, session = found[port]
        assert session["complete"] and session["state"] == "closed" and session["exit_code"] == code, session
        hops = [hop["hop"] for hop in chain["hops"]]
        assert hops == ["cri", "runtime", "shim", "process"], hops
        assert chain["hops"][2]["grade"] == "decoded", chain["hops"][2]
    assert len({s["client"]["port"] for s in sessions.values()}) == len(sessions), "none is there twice"
    return f"{len(files)} files"


# --- rings that are too small

@test
def ring_too_small(world):
    """a ring made too small and a flood: the loss is counted and shown, what it touched says so, nothing else is wrong"""
    runtime, pod = world.runtime()
    stop, ordinary, observe = threading.Event(), [], Observe(world, "--ebpf", "require", "--buffer", "64KiB")

    def one(code):
        with streaming.Command(runtime.client.exec(pod.container, ["sh", "-c", f"echo hello; exit {code}"])) as command:
            port, got = command.ports()[0], command.finish()
        assert got["exit_code"] == code and got["stdout"] == b"hello\n", got
        return port, code

    def beside():
        while not stop.is_set():
            ordinary.append(one(3 + len(ordinary) % 50))

    with observe:
        thread = threading.Thread(target=beside)
        with streaming.Command(runtime.client.exec(pod.container, ["head", "-c", str(FLOOD_BYTES), "/dev/zero"])) as flood:
            port = flood.ports()[0]
            thread.start()
            drain(flood)
        stop.set()
        thread.join(60)
        observe.wait("loss", lambda event: event["lost"].get("kernel"))
        time.sleep(3)  # what was in the ring is read, ends that were dropped are told by the kernel
        flooded = observe.session(port)
        assert not flooded["complete"] and flooded["gaps"] > 0 and flooded["missing_bytes"] > 0, flooded
        assert flooded["bytes"]["out"] < FLOOD_BYTES, flooded["bytes"]
        chain = observe.chain(flooded)
        assert chain["complete"] is False and any("gap" in part["says"] for part in chain["missing"]), chain.get("missing")
        after = 0
        for code in range(101, 121):  # so small a ring can overflow without a flood, too, where the machine is busy
            client_port, _ = one(code)
            time.sleep(2)
            session = next((event for event in observe.of("session") if event.get("client", {}).get("port") == client_port), None)
            if not session or not session["complete"]:
                ordinary.append((client_port, code))
                continue
            assert session["exit_code"] == code and session["bytes"]["out"] == 6, session
            assert observe.chain(session)["complete"], observe.chain(session)
            after += 1
            if after == 3:
                break
        assert after == 3, "after the flood sessions are whole again"
    touched = whole = 0
    sessions = {event["client"]["port"]: event for event in observe.of("session") if "client" in event}
    for client_port, code in ordinary:
        session = sessions.get(client_port)
        if session and session["complete"]:
            assert session["exit_code"] == code and session["bytes"]["out"] == 6 and session["gaps"] == 0, session
            whole += 1
        else:  # the ring is one for all: what it lost of this one is said, and what is told is right
            assert not session or session["gaps"] > 0 or session["state"] in ("cut", "open"), session
            assert not session or session.get("exit_code", code) == code, (session, code)
            touched += 1
    end = observe.of("capture.end")[-1]
    assert end["loss"]["kernel"] > 0 and end["loss"]["reassembly"] >= flooded["missing_bytes"], end["loss"]
    summary = observe.errors.decode()
    assert f"kernel {end['loss']['kernel']:,}" in summary and "--buffer" in summary, summary
    return f"{end['loss']['kernel']} packets lost, {whole} of {len(ordinary)} sessions beside it whole, {touched} say that they are not"


FLOOD_BYTES = 400_000_000


def drain(command):
    """Reads all that comes, as fast as it goes, and forgets it."""
    wire = command.connection.wire
    while wire.recv(1 << 20):
        pass


def at_end(world):
    for value in world.shared.values():
        if isinstance(value, Observe) and value.process.poll() is None:
            value.process.kill()
            value.process.wait()


if __name__ == "__main__":
    sys.exit(testbed.run(TESTS, __doc__, World, at_end))
