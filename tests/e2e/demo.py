#!/usr/bin/env python3
"""hopscope on a real containerd, for ./dev demo: demo.py [--bin PATH]

Starts the rig (rig.py), asks why its streaming port is open, and lets `observe` look on while three sessions run: an exec
over SPDY that fails, one over WebSocket, and a port-forward. Ends with the rig taken down; exit status 77: it cannot run here."""
import argparse, os, signal, subprocess, sys, time

import daemons, streaming
from rig import Rig
from testbed import ROOT


def show(binary, *words):
    print("\n$ hopscope", *words, flush=True)
    subprocess.run([binary, *words], check=False)


def sessions(runtime, pod):
    """What the three clients say they got."""
    with streaming.Command(runtime.client.exec(pod.container, ["sh", "-c", "ls / | head -n 3; sleep 0.2; exit 3"])) as command:
        yield f"client: exec over SPDY, exit code {command.finish()['exit_code']}"
    with streaming.Command(runtime.client.exec(pod.container, ["echo", "hello"]), protocol="ws") as command:
        yield f"client: exec over WebSocket, it printed {command.finish()['stdout'].decode().strip()!r}"
    with streaming.Forward(runtime.client.port_forward(pod.id, [pod.port]), "spdy", [pod.port]) as forward:
        body, _ = forward.exchange(pod.port, b"GET / HTTP/1.0\r\n\r\n")
        yield f"client: port-forward to {pod.port}, {len(body)} bytes came back"


def observe(binary, runtime, pod):
    print("\n$ hopscope observe      # and three sessions meanwhile", flush=True)
    looking = subprocess.Popen([binary, "observe"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        # Its first line says that it looks.
        print(looking.stdout.readline(), end="", flush=True)
        said = list(sessions(runtime, pod))
        time.sleep(1.5)
    finally:
        looking.send_signal(signal.SIGINT)
        rest, _ = looking.communicate(timeout=20)
    print(rest, *said, sep="\n", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bin", default=os.path.join(ROOT, "build/release/hopscope"))
    args = parser.parse_args()
    reason = daemons.why_not()
    if reason:
        print(f"left out: {reason}")
        sys.exit(77)
    with Rig() as rig:
        runtime = rig.containerd()
        pod = runtime.pod()
        port = runtime.stream_port(pod)
        print(f"containerd[{runtime.pid}] runs from build/runtimes with a pod {pod.namespace}/{pod.name}, and listens on {port}")
        show(args.bin, "why", str(port))
        observe(args.bin, runtime, pod)


if __name__ == "__main__":
    main()
