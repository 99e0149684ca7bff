#!/usr/bin/env python3
"""A rig with real container runtimes for tests and for trying things out.

    rig.py up [--tls] [--port N] [--metrics] [--docker]   starts containerd and a pod, says how to reach them, ends with ^C
    rig.py selftest                                       exec, attach and port-forward through it, over SPDY and WebSocket

Needs root and build/runtimes (./dev test unpacks it). Everything is taken down at the end: processes by pid, mounts,
control groups, files. Exit status 77: it cannot run here. Python 3.11, standard library."""
import argparse, glob, os, shutil, signal, sys, tempfile, time

import daemons, image, streaming
from daemons import Containerd, Dockerd, Httpd, Impostor


class Rig:
    """A folder, and the daemons started in it; use as a context manager."""

    def __init__(self):
        daemons.adopt_orphans()
        # Short: the path of a unix socket holds 107 bytes.
        self.folder = tempfile.mkdtemp(prefix="hs-rig.", dir="/tmp")
        self.cgroup = f"hopscope-rig-{os.getpid()}-{os.path.basename(self.folder)[7:]}"
        self.made_run = [path for path in ("/run/containerd", daemons.SHIM_SOCKETS) if not os.path.exists(path)]
        self.running = []

    def _add(self, daemon):
        self.running.append(daemon)
        return daemon

    def containerd(self, *args, **kwargs):
        return self._add(Containerd(self, *args, **kwargs))

    def dockerd(self, *args):
        return self._add(Dockerd(self, *args))

    def impostor(self, *args):
        return self._add(Impostor(self, *args))

    def httpd(self):
        return self._add(Httpd(self))

    def stop(self, daemon):
        self.running.remove(daemon)
        daemon.stop()

    def _remove_run(self):
        """Takes the folders in /run away that were not there before; a shim removes its socket a moment after it ended."""
        for path in reversed(self.made_run):
            for folder in (os.path.join(path, "runc"), os.path.join(path, "fifo"), path):
                try:
                    os.rmdir(folder)
                except OSError:  # not there, or not empty yet
                    pass
        return not any(map(os.path.exists, self.made_run)) or self._is_not_alone()

    def _is_not_alone(self):
        """Whether another rig is up: its shims have their sockets in the same folder."""
        return any(path != self.folder for path in glob.glob("/tmp/hs-rig.*"))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        trouble = []
        while self.running:
            daemon = self.running.pop()
            try:
                daemon.stop()
            except Exception as error:  # the others must be ended all the same
                trouble.append(error)
        daemons.unmount_below(self.folder)
        try:
            daemons.wait_for("control groups are empty", lambda: daemons.remove_cgroups(self.cgroup), 5)
        except TimeoutError as error:
            trouble.append(error)
        shutil.rmtree(self.folder, ignore_errors=True)
        try:
            daemons.wait_for("/run/containerd is empty", self._remove_run, 3)
        except TimeoutError as error:
            trouble.append(error)
        if trouble:
            raise RuntimeError(f"the rig did not come down clean: {trouble}")


def traces(rig):
    """What a rig left behind: processes, mounts, control groups, files."""
    left = [f"process {pid} {daemons.command_line(pid)}" for pid in daemons.pids() if any(rig.folder in word for word in daemons.command_line(pid))]
    left += [f"mount {line.split()[4]}" for line in daemons.read("/proc/self/mountinfo").splitlines() if rig.folder in line]
    left += [f"control group {top}" for top, _, _ in os.walk(daemons.CGROUPS) if rig.cgroup in top]
    return left + [f"folder {path}" for path in [rig.folder, *rig.made_run] if os.path.exists(path)]


def selftest():
    def say(*words):
        print(f"{time.monotonic() - begin:6.2f} s ", *words, flush=True)

    begin = time.monotonic()
    rig = Rig()
    with rig:
        for name, options in (("plain", {"metrics": True}), ("fixed", {"stream_port": daemons.free_port()}), ("tls", {"tls": True})):
            runtime = rig.containerd(name, **options)
            say(name, runtime.client.version(), "listens on", sorted(daemons.listeners(runtime.pid)))
            pod = runtime.pod()
            assert [(c["id"], c["state"]) for c in runtime.client.containers()] == [(pod.container, 1)]
            port = runtime.stream_port(pod)
            assert port in daemons.listeners(runtime.pid)
            if "stream_port" in options:
                assert port == options["stream_port"]
            if "metrics" in options:
                assert sorted(daemons.listeners(runtime.pid)) == sorted([port, runtime.metrics_port()])
            assert os.path.exists(pod.shim_socket()) and pod.shim()
            assert runtime.client.exec_sync(pod.container, ["sh", "-c", "echo a; echo b >&2; exit 4"]) == {"stdout": b"a\n", "stderr": b"b\n", "exit_code": 4}
            say("pod", pod.name, "streaming port", port)
            for protocol in ("spdy", "ws"):
                with streaming.Command(runtime.client.exec(pod.container, ["sh", "-c", "echo out; echo err >&2; exit 3"]), protocol=protocol) as command:
                    assert command.version == "v4.channel.k8s.io", command.version
                    got = command.finish()
                assert (got["stdout"], got["stderr"], got["exit_code"]) == (b"out\n", b"err\n", 3), got
                with streaming.Command(runtime.client.exec(pod.container, ["head", "-c", "100000"], stdin=True), stdin=True, protocol=protocol) as command:
                    command.write(b"x" * 100000)
                    got = command.finish()
                assert got["stdout"] == b"x" * 100000 and got["exit_code"] == 0, (len(got["stdout"]), got["status"])
                with streaming.Command(runtime.client.exec(pod.container, ["sh"], stdin=True, tty=True), stdin=True, tty=True, protocol=protocol) as command:
                    command.read_until(b"# ")
                    for width, height in ((97, 31), (132, 50)):
                        command.resize(width, height)
                        time.sleep(0.2)  # the runtime passes it to the shim; nothing tells when it is there
                        command.write(b"stty size\n")
                        command.read_until(b"%d %d\r\n" % (height, width))
                    command.write(b"exit 5\n")
                    got = command.finish()
                assert got["exit_code"] == 5, got
                with streaming.Command(runtime.client.attach(pod.container, stdin=True), stdin=True, protocol=protocol) as command:
                    command.write(b"hello\n")
                    command.read_until(b"got:hello\n")
                    command.read_until(b"err:hello\n", "stderr")
                with streaming.Forward(runtime.client.port_forward(pod.id, [pod.port]), protocol, [pod.port]) as forward:
                    body, error = forward.exchange(pod.port, b"GET / HTTP/1.0\r\n\r\n")
                    assert body.endswith(b"hello from the pod\n") and not error, (body, error)
                say("exec, stdin, tty, attach, port-forward:", protocol)
            with streaming.Forward(runtime.client.port_forward(pod.id)) as forward:
                _, error = forward.exchange(daemons.free_port(), b"")
                assert "refused" in error, error
            try:
                streaming.Command(runtime.client.exec(pod.container, ["true"]), protocol="ws", versions="v5.channel.k8s.io").close()
                raise AssertionError("this containerd knows v5")
            except streaming.Refused as refused:
                assert refused.status == 403, refused
        runtime = rig.containerd("apart", own_network=True)
        pod, url = runtime.pod(), runtime.client.port_forward(runtime.pods[0].id)
        with daemons.in_network_of(runtime.pid, lambda: streaming.Forward(url)) as forward:
            body, error = forward.exchange(pod.port, b"GET / HTTP/1.0\r\n\r\n")
        assert body.endswith(b"hello from the pod\n") and not error, (body, error)
        say("port-forward to a pod in a network of its own")
        docker = rig.dockerd()
        say("dockerd", docker.pid, "with containerd", docker.containerd_pid(), "container", docker.container()[:12])
        say("impostor on", rig.impostor().port, "and httpd named containerd on", rig.httpd().port)
    say("down")
    assert not traces(rig), traces(rig)
    print("all round trips are right, nothing is left behind")


def up(args):
    for end in (signal.SIGTERM, signal.SIGHUP):  # a terminal that is closed ends it cleanly, too
        signal.signal(end, lambda *_: sys.exit(0))
    with Rig() as rig:
        runtime = rig.containerd(stream_port=args.port, tls=args.tls, metrics=args.metrics)
        pod = runtime.pod()
        print(f"containerd pid {runtime.pid}, CRI at {runtime.socket}, configuration {runtime.config}, log {runtime.log}")
        print(f"streaming port {runtime.stream_port(pod)}; all its listeners: {sorted(daemons.listeners(runtime.pid))}")
        print(f"pod {pod.namespace}/{pod.name} {pod.id[:13]}, container main {pod.container[:13]}, HTTP on 127.0.0.1:{pod.port}, shim pid {pod.shim()}")
        print(f"a URL for one exec of `sh -c 'echo hello; exit 3'`, good for a minute: {runtime.client.exec(pod.container, ['sh', '-c', 'echo hello; exit 3'])}")
        if args.docker:
            docker = rig.dockerd()
            print(f"dockerd pid {docker.pid} at {docker.socket}, container {docker.container()[:12]}")
        print("^C ends it", flush=True)
        try:
            signal.pause()
        except KeyboardInterrupt:
            print("\ngoing down")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("command", choices=("up", "selftest"))
    parser.add_argument("--port", type=int, default=0, help="streaming port (0: random)")
    for option in ("tls", "metrics", "docker"):
        parser.add_argument("--" + option, action="store_true")
    args = parser.parse_args()
    reason = daemons.why_not()
    if reason:
        print(f"rig: skipped: {reason}", file=sys.stderr)
        sys.exit(77)
    up(args) if args.command == "up" else selftest()


if __name__ == "__main__":
    main()
