#!/usr/bin/env python3
"""Tests of `observe` where it meets networks and other runtimes: live_net_test.py [--bin PATH] [--only WORD]

Pods with a network namespace of their own, Docker, rings that are too small, eBPF that is not there. The runtimes run
with private configuration (rig.py) and are taken down at the end. Every test is a function below; its docstring is the
sentence that it proves. Where no runtime can run, all are skipped and the reason is said. Ends with 'N passed, N failed,
N skipped'. Python 3.11, standard library."""
import argparse, os, sys, threading, time, traceback

import daemons, streaming
from live_test import Observe
from node_test import ROOT, Skip, World
from rig import Rig

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


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bin", default=os.path.join(ROOT, "build/release/hopscope"))
    parser.add_argument("--only", default="")
    parser.add_argument("-v", action="store_true", help="where a test fails, the trace")
    args = parser.parse_args()
    chosen = [function for function in TESTS if args.only in function.__name__]
    reason = daemons.why_not()
    if reason:
        for function in chosen:
            print(f"skipped {function.__name__}: {function.__doc__} ({reason})")
        print(f"0 passed, 0 failed, {len(chosen)} skipped")
        return 0
    passed = failed = skipped = 0
    with Rig() as rig:
        world = World(os.path.abspath(args.bin), rig)
        try:
            for function in chosen:
                begin = time.monotonic()
                try:
                    note = function(world)
                    passed += 1
                    word = "ok     "
                except Skip as why:
                    skipped += 1
                    word, note = "skipped", why
                except Exception as error:  # an assertion, or the program's answer had no such form
                    failed += 1
                    word, note = "FAIL   ", f"{type(error).__name__}: {error}"
                    if args.v:
                        traceback.print_exc()
                print(f"{word} {function.__name__}: {function.__doc__}{f' ({note})' if note else ''}  {time.monotonic() - begin:.1f} s", flush=True)
        finally:
            for running in [value for value in world.shared.values() if isinstance(value, Observe)]:
                running.process.kill()
                running.process.wait()
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
