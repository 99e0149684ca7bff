#!/usr/bin/env python3
"""Tests of the last leg of a port-forward, in the pod's own network namespace: live_pods_test.py [--bin PATH] [--only WORD]

`observe` and `record` capture there by themselves. The runtime runs with private configuration (rig.py), its pods have a
network of their own (CNI plugin ptp), and all is taken down at the end. Every test is a function below; its docstring is the
sentence that it proves. Ends with 'N passed, N failed, N skipped'. Python 3.11, standard library; tcpdump."""
import os, re, subprocess, sys, threading, time

import daemons, streaming, testbed
from live_net_test import at_end, forward, question, server_of
from live_test import Observe
from node_test import World, need
from record_test import Record, essence, recorded, same

TESTS = []
OPENS_S = 0.6  # from the call to the capture: what a person needs much longer for


def test(function):
    TESTS.append(function)
    return function


def pods(world):
    """(containerd, two pods that serve the same port number, each in a network of its own)"""
    runtime, one = world.runtime("apart", own_network=True)
    if "other pod" not in world.shared:
        world.shared["other pod"] = runtime.pod("other", port=one.port)
    return runtime, one, world.shared["other pod"]


def observing(world, *options, **how):
    """`observe` in the network namespace of the runtime that has such pods."""
    runtime, *_ = pods(world)
    return daemons.in_network_of(runtime.pid, lambda: Observe(world, *options, **how))


def recording(world, name, *options):
    runtime, pod, _ = pods(world)
    return daemons.in_network_of(runtime.pid, lambda: Record(world, name, *options, of=(runtime, pod)))


def forwarded(runtime, pod, sizes, ports=None, wait_s=OPENS_S, word=b"", url=None):
    """One port-forward with a connection for each size: (port of its client, [(bytes in, bytes out)])."""
    url = url or runtime.client.port_forward(pod.id, [pod.port] if ports is None else ports)
    time.sleep(wait_s)
    wanted = []
    with daemons.in_network_of(runtime.pid, lambda: streaming.Forward(url, "spdy", [pod.port])) as one:
        client_port = one.ports()[0]
        for size in sizes:
            sent = question(size).replace(b"xxxxx" * (len(word) > 0), word, 1) if word else question(size)
            body, error = one.exchange(pod.port, sent)
            assert body.endswith(b"hello from the pod\n") and not error, (body, error)
            wanted.append((len(sent), len(body)))
    return client_port, wanted


def legs(chain, pod, wanted):
    """The chain's hops in the pod, which carry what is wanted."""
    _, network = server_of(pod)
    hops = [hop for hop in chain["hops"] if hop["hop"] == "process"]
    assert [hop["netns"] for hop in hops] == [network] * len(wanted), (hops, network, chain.get("candidates"), chain.get("missing"))
    assert sorted((hop["bytes"]["in"], hop["bytes"]["out"]) for hop in hops) == sorted(wanted), (hops, wanted)
    return hops


def packets_of(hop):
    return next(item for item in hop["evidence"] if item.get("id") == "packets")


def has_packets(hop):
    """Beginning and end of the connection and all between were captured: at least three packets of its beginning, one each way, the ends."""
    told = packets_of(hop)
    assert told["grade"] == "decoded" and f"{hop['bytes']['in']} bytes in, {hop['bytes']['out']} out" in told["says"], told
    assert hop["packets"] >= 7 and "not" not in told["says"], told


@test
def packets_in_the_pod(world):
    """the packets of a forwarded connection are captured in the pod's network namespace, with as many bytes as the stream"""
    runtime, pod, _ = pods(world)
    with observing(world, "--ebpf", "require") as observe:
        for ports in ([pod.port], []):  # as a WebSocket client asks, and as kubectl over SPDY does
            client_port, wanted = forwarded(runtime, pod, (40, 90, 3000), ports)
            chain = observe.chain(observe.session(client_port))
            assert chain["complete"], chain["missing"]
            for hop in legs(chain, pod, wanted):
                has_packets(hop)
        return packets_of(hop)["says"]


@test
def two_pods_with_the_same_port(world):
    """two port-forwards at once into two pods, same port number: each has the packets of its own pod"""
    runtime, one, other = pods(world)
    assert one.port == other.port and server_of(one)[1] != server_of(other)[1]
    results = {}
    with observing(world, "--ebpf", "require") as observe:
        def run(pod, sizes, url):
            results[pod.name] = forwarded(runtime, pod, sizes, url=url)

        threads = [threading.Thread(target=run, args=(pod, sizes, runtime.client.port_forward(pod.id, [pod.port])))
                   for pod, sizes in ((one, (40, 60)), (other, (200, 300)))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
        for pod in (one, other):
            client_port, wanted = results[pod.name]
            chain = observe.chain(observe.session(client_port))
            assert chain["k8s"]["pod"] == pod.name, chain
            assert chain["complete"], (chain["missing"], chain.get("candidates"))
            for hop in legs(chain, pod, wanted):
                has_packets(hop)
                assert hop["to"]["process"]["pid"] == server_of(pod)[0], hop


@test
def too_late(world):
    """a connection that began before the capture could be open: the kernel's byte counts stay, and what is not captured is said"""
    runtime, pod, _ = pods(world)
    with observing(world, "--ebpf", "require") as observe:
        time.sleep(4)  # what was open before is closed
        client_port, wanted = forwarded(runtime, pod, (40,), wait_s=0)
        chain = observe.chain(observe.session(client_port))
        [hop] = legs(chain, pod, wanted)
        assert hop["from"]["process"]["pid"] == runtime.pid and chain["complete"], chain
        return packets_of(hop)["says"]  # on an idle machine it may be in time


@test
def switched_off(world):
    """--pod-netns off: no process beside, no packets, that is said, and the rest stays"""
    runtime, pod, _ = pods(world)
    with observing(world, "--ebpf", "require", "--pod-netns", "off") as observe:
        assert any("--pod-netns off" in part for part in observe.begin["partial"]), observe.begin
        assert not openers(observe.process.pid)
        client_port, wanted = forwarded(runtime, pod, (40,))
        [hop] = legs(observe.chain(observe.session(client_port)), pod, wanted)
        assert "packets" not in hop, hop


@test
def without_ebpf(world):
    """--ebpf off: the packets in the pod alone make the hop; which pod it is nobody told, so it is only inferred"""
    runtime, pod, other = pods(world)
    with observing(world, "--ebpf", "off") as observe:
        url = runtime.client.port_forward(pod.id)
        with daemons.in_network_of(runtime.pid, lambda: streaming.Forward(url, "spdy", [pod.port])) as one:
            client_port = one.ports()[0]
            time.sleep(OPENS_S)
            body, error = one.exchange(pod.port, question(70))
            assert body.endswith(b"hello from the pod\n") and not error, (body, error)
        chain = observe.chain(observe.session(client_port))
        [hop] = legs(chain, pod, [(70, len(body))])
        assert hop["grade"] == "inferred" and hop["packets"] >= 4, hop  # at least beginning and ends
        assert "netns" in [item["id"] for item in hop["evidence"] if item["grade"] == "inferred"], hop
        # On a busy node the table may be read too late for the client of the session; the last leg has nothing to do with it.
        lacks = {part["hop"] for part in chain["missing"]}
        assert "cri" in lacks and "process" not in lacks, chain["missing"]
        return packets_of(hop)["says"]


def openers(pid):
    """The processes that the program has started."""
    return [each for each in daemons.pids() if daemons.read(f"/proc/{each}/stat").rpartition(") ")[2].split()[1:2] == [str(pid)]]


def status(pid):
    return dict(line.split(":\t", 1) for line in daemons.read(f"/proc/{pid}/status").splitlines() if ":\t" in line)


@test
def privileges(world):
    """the program itself may enter no namespace; a process beside it may, and hardly anything else; it goes when the program is killed"""
    pods(world)
    observe = observing(world, "--ebpf", "require")
    [opener] = openers(observe.process.pid)
    main, beside = status(observe.process.pid), status(opener)
    admin, raw, trace = 1 << 21, 1 << 13, 1 << 19
    assert int(main["CapEff"], 16) & admin == 0 and int(main["CapBnd"], 16) == 0, main
    assert int(beside["CapEff"], 16) == admin | raw | trace and int(beside["CapBnd"], 16) == 0, beside
    assert beside["NoNewPrivs"] == "1" and beside["Seccomp"] == "2", beside
    assert sorted(os.listdir(f"/proc/{opener}/fd")) == ["0", "1"], os.listdir(f"/proc/{opener}/fd")
    assert "bpf-map" not in daemons.read(f"/proc/{opener}/maps"), "the process beside holds maps of eBPF"
    observe.process.kill()
    observe.process.wait()
    daemons.wait_for("it is gone, too", lambda: daemons.read(f"/proc/{opener}/stat").rpartition(") ")[2][:1] in ("", "Z"), 2)


@test
def without_the_right(world):
    """without CAP_SYS_ADMIN: said at the start, with what is lost"""
    without = ["setpriv", "--bounding-set", "-sys_admin", "--inh-caps", "-all"]
    with observing(world, prefix=without) as observe:
        assert any("pods' networks" in part and "CAP_SYS_ADMIN" in part for part in observe.begin["partial"]), observe.begin
        assert not openers(observe.process.pid)


@test
def recordings(world):
    """`record` writes the packets in the pods, masked and not; `chain` reads the same from the file as `observe` told"""
    need("tcpdump")
    runtime, one, other = pods(world)
    word, live = b"planted-in-the-forward", {}
    with observing(world, "--ebpf", "require") as observe, recording(world, "pods.pcapng", "--payload", "full", "--ebpf", "require") as full, \
            recording(world, "pods-masked.pcapng", "--ebpf", "require") as masked:
        time.sleep(0.3)
        runtime.client.version()  # all three have seen what it says
        for pod in (one, other):
            client_port, wanted = forwarded(runtime, pod, (100, 200), word=word)
            session = observe.session(client_port)
            chain = observe.chain(session)
            for hop in legs(chain, pod, wanted):
                has_packets(hop)
            live[client_port] = essence(chain, {session["session"]: session})
        time.sleep(1)
    later = os.path.join(world.rig.folder, "pods-later.pcapng")
    world.run("mask", full.file, later)
    for file in (full.file, masked.file, later):
        chains = recorded(world, file)
        for client_port, told in live.items():
            same(told, chains[client_port])
        document = world.document("chain", file)
        counts = [hop.get("packets", 0) for chain in document["chains"] for hop in chain["hops"] if hop["hop"] == "process"]
        assert len(counts) == 4 and min(counts) >= 7, counts
        for pod in (one, other):
            assert f"hopscope: network namespace {server_of(pod)[1]} of a pod".encode() in open(file, "rb").read(), file
        done = subprocess.run(["tcpdump", "-nr", file, "port", str(one.port)], capture_output=True, text=True)
        assert done.returncode == 0 and len(done.stdout.splitlines()) >= sum(counts), done
    assert word in open(full.file, "rb").read()
    for file in (masked.file, later):
        assert word not in open(file, "rb").read(), file
    assert not re.search(rb"hello from the pod", open(masked.file, "rb").read())


@test
def recorded_without_ebpf(world):
    """record --ebpf off: the packets in the pod are there, and `chain` finds the hop by them"""
    runtime, pod, _ = pods(world)
    with recording(world, "pods-plain.pcapng", "--ebpf", "off") as record:
        url = runtime.client.port_forward(pod.id)
        with daemons.in_network_of(runtime.pid, lambda: streaming.Forward(url, "spdy", [pod.port])) as one:
            time.sleep(OPENS_S)
            body, _ = one.exchange(pod.port, question(70))
            body, _ = one.exchange(pod.port, question(80))  # its port is known by now
            time.sleep(OPENS_S)
        time.sleep(1)
    [chain] = world.document("chain", record.file)["chains"]
    hops = [hop for hop in chain["hops"] if hop["hop"] == "process"]
    assert (80, len(body)) in [(hop["bytes"]["in"], hop["bytes"]["out"]) for hop in hops], (hops, chain.get("candidates"))


if __name__ == "__main__":
    sys.exit(testbed.run(TESTS, __doc__, World, at_end))
