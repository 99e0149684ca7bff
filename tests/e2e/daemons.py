"""Real container runtimes with private configuration, run out of build/runtimes (unpacked there by ./dev test).

Nothing is installed and nothing outside the rig's folder is used, except what containerd fixes itself: its shims put their
sockets into /run/containerd/s, and runc makes control groups. Both are taken away again. Python 3.11, standard library."""
import ctypes, fcntl, hashlib, http.client, json, os, pty, re, shutil, signal, socket, struct, subprocess, sys, termios, threading, time

import cri, image
from http2 import GrpcError

HERE = os.path.dirname(os.path.abspath(__file__))
RUNTIMES = os.path.join(HERE, "../../build/runtimes/root")
SHIM_SOCKETS = "/run/containerd/s"
CGROUPS = "/sys/fs/cgroup"
PR_SET_NAME, PR_SET_CHILD_SUBREAPER = 15, 36


def why_not():
    """Why no runtime can run here; None where it can."""
    if os.geteuid() != 0:
        return "a container runtime needs root"
    if not os.path.exists(program("containerd")):
        return "build/runtimes is not there: ./dev test unpacks it, with a network"
    done = subprocess.run(["unshare", "--mount", "mount", "-t", "tmpfs", "none", "/mnt"], capture_output=True, text=True)
    if done.returncode:
        return f"no mounts are permitted here: {done.stderr.strip()}"
    controllers = [os.path.join(CGROUPS, name) for name in os.listdir(CGROUPS)] if os.path.isdir(CGROUPS) else []
    if not os.access(CGROUPS, os.W_OK) and not any(os.access(path, os.W_OK) for path in controllers):
        return "control groups are read-only here"
    return None


def program(name):
    for folder in ("usr/bin", "usr/sbin", "bin"):
        path = os.path.join(RUNTIMES, folder, name)
        if os.path.exists(path):
            return os.path.realpath(path)
    return os.path.join(RUNTIMES, "usr/bin", name)


def environment():
    folders = [os.path.realpath(os.path.join(RUNTIMES, name)) for name in ("usr/bin", "usr/sbin")]
    libraries = os.path.realpath(os.path.join(RUNTIMES, "usr/lib", os.uname().machine + "-linux-gnu"))
    return {"PATH": ":".join(folders + ["/usr/sbin", "/usr/bin", "/sbin", "/bin"]), "LD_LIBRARY_PATH": libraries, "HOME": "/root"}


def read(path, binary=False):
    """A file of /proc; empty where it is gone."""
    try:
        with open(path, "rb") as file:
            raw = file.read()
    except OSError:
        raw = b""
    return raw if binary else raw.decode(errors="replace")


def command_line(pid):
    return [word.decode(errors="replace") for word in read(f"/proc/{pid}/cmdline", binary=True).split(b"\0")[:-1]]


def pids():
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


def parent(pid):
    stat = read(f"/proc/{pid}/stat")
    return int(stat.rsplit(")", 1)[1].split()[1]) if stat else 0


def descendants(roots):
    children = {}
    for pid in pids():
        children.setdefault(parent(pid), []).append(pid)
    out, todo = [], list(roots)
    while todo:
        for child in children.get(todo.pop(), []):
            out.append(child)
            todo.append(child)
    return out


def sockets_of(pid):
    """{inode: fd}, read here from /proc, apart from what hopscope does."""
    out = {}
    try:
        for fd in os.listdir(f"/proc/{pid}/fd"):
            try:
                target = os.readlink(f"/proc/{pid}/fd/{fd}")
            except OSError:
                continue
            if target.startswith("socket:["):
                out[int(target[8:-1])] = int(fd)
    except OSError:
        pass
    return out


def listeners(pid):
    """{port: inode} of the IPv4 and IPv6 listeners that a process holds."""
    held, out = sockets_of(pid), {}
    for table in ("tcp", "tcp6"):
        for line in read(f"/proc/{pid}/net/{table}").splitlines()[1:]:
            words = line.split()
            if words[3] == "0A" and int(words[9]) in held:
                out[int(words[1].rsplit(":", 1)[1], 16)] = int(words[9])
    return out


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def wait_for(what, condition, timeout_s=15):
    begin = time.monotonic()
    while time.monotonic() < begin + timeout_s:
        value = condition()
        if value:
            return value
        time.sleep(0.02)
    raise TimeoutError(f"{what}: not within {timeout_s} s")


def adopt_orphans():
    """Shims and containers whose parent ends become children of this process: so each of them can be found and ended."""
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def in_network_of(pid, function):
    """What function() gives when it runs in the network namespace of a process. Sockets that it makes stay there."""
    result = []

    def run():
        with open(f"/proc/{pid}/ns/net", "rb") as namespace:
            if ctypes.CDLL(None, use_errno=True).setns(namespace.fileno(), 0x40000000) != 0:
                result.append(OSError(ctypes.get_errno(), "setns"))
                return
        try:
            result.append(function())
        except BaseException as error:  # told to the caller
            result.append(error)

    thread = threading.Thread(target=run)  # setns holds for one thread
    thread.start()
    thread.join()
    if isinstance(result[0], BaseException):
        raise result[0]
    return result[0]


def end(all_pids, grace_s=5):
    """SIGTERM, then SIGKILL, by pid; waits until they are gone. Reaps those that became our children."""
    def alive():
        left = []
        for pid in all_pids:
            try:
                if os.waitpid(pid, os.WNOHANG)[0] == pid:
                    continue
            except ChildProcessError:
                pass
            if os.path.exists(f"/proc/{pid}") and ") Z " not in read(f"/proc/{pid}/stat"):
                left.append(pid)
        return left

    for number, seconds in ((signal.SIGTERM, grace_s), (signal.SIGKILL, 5)):
        for pid in alive():
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                pass
        begin = time.monotonic()
        while alive() and time.monotonic() < begin + seconds:
            time.sleep(0.01)
        if not alive():
            return
    raise RuntimeError(f"still there after SIGKILL: {alive()}")


def unmount_below(folder):
    points = [line.split()[4] for line in read("/proc/self/mountinfo").splitlines()]
    for point in reversed([p.replace("\\040", " ") for p in points]):
        if point.startswith(folder + "/"):
            subprocess.run(["umount", "--lazy", point], capture_output=True)


def remove_cgroups(name):
    """Takes the control groups `name` and below away, in every hierarchy; they hold no process any more."""
    for top, _, _ in list(os.walk(CGROUPS, topdown=False)):
        if f"/{name}" in top:
            try:
                os.rmdir(top)
            except OSError:
                pass  # busy for a moment after the last process went: tried again by the caller
    return not any(f"/{name}" in top for top, _, _ in os.walk(CGROUPS))


class Daemon:
    """One process with a log; comes up within 30 s or tells the end of its log."""

    def __init__(self, rig, name, argv, folder=None, env=None, executable=None):
        self.rig, self.folder = rig, folder or os.path.join(rig.folder, name)
        os.makedirs(self.folder, exist_ok=True)
        self.log = os.path.join(self.folder, "log")
        self._how = argv, executable, env or environment()
        self._start()

    def _start(self):
        argv, executable, env = self._how
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(argv, executable=executable, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.folder,
                                            env=env, start_new_session=True)
        self.pid = self.process.pid

    def wait_until(self, what, condition, timeout_s=30):
        def check():
            if self.process.poll() is not None:
                raise RuntimeError(f"it ended with {self.process.returncode}")
            return condition()
        try:
            return wait_for(what, check, timeout_s)
        except (TimeoutError, RuntimeError) as error:
            raise RuntimeError(f"{os.path.basename(self.folder)}: {error}\n{read(self.log)[-1500:]}") from None

    def stop(self):
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


class Pod:
    """A pod with one container `main`: an HTTP server on `port` of loopback (in a network of its own: of all addresses), a loop
    that answers lines of stdin."""

    def __init__(self, runtime, name, port=0):
        self.runtime, self.name, self.namespace, self.port = runtime, name, "hopscope", port or free_port()
        self.uid = "%s-%s-4%s-8%s-%s" % tuple(hashlib.sha256(f"{os.getpid()} {runtime.folder} {name}".encode()).hexdigest()[a:b]
                                              for a, b in ((0, 8), (8, 12), (12, 15), (15, 18), (18, 30)))
        network = cri.POD if runtime.own_network else cri.NODE
        config = runtime.client.pod_config(name, self.uid, self.namespace, f"/{runtime.rig.cgroup}/kubepods/besteffort/pod{self.uid}", network)
        self.id = runtime.client.run_pod(config)
        address = "127.0.0.1:" if network == cri.NODE else ""
        script = f"httpd -p {address}{self.port} -h /www; echo ready; while read line; do echo got:$line; echo err:$line >&2; done; sleep 1000000"
        self.container = runtime.client.create_container(self.id, config, "main", image.BUSYBOX, ["/bin/sh", "-c", script], stdin=True, network=network, labels={
            "io.kubernetes.pod.name": name, "io.kubernetes.pod.namespace": self.namespace, "io.kubernetes.pod.uid": self.uid})
        runtime.client.start_container(self.container)

    def shim(self):
        """The pid of the pod's shim: by its arguments."""
        return next(pid for pid in self.runtime.shims() if self.id in command_line(pid))

    def shim_socket(self):
        """Its name is the SHA-256 of the runtime's socket, the namespace and the sandbox."""
        return os.path.join(SHIM_SOCKETS, hashlib.sha256(f"{self.runtime.socket}/k8s.io/{self.id}".encode()).hexdigest())


CONTAINERD_CONFIG = """# Written by tests/e2e/daemons.py: a containerd of its own.
version = 2
root = "{folder}/root"
state = "{folder}/state"

[grpc]
  address = "{socket}"
{metrics}
[plugins."io.containerd.internal.v1.opt"]
  path = "{folder}/opt"

[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{pause}"
  disable_apparmor = true
  restrict_oom_score_adj = true
  stream_server_address = "127.0.0.1"
  stream_server_port = "{port}"
  netns_mounts_under_state_dir = true
{tls}
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "{cni}"
    conf_dir = "{folder}/cni"
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "{snapshotter}"
    default_runtime_name = "runc"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
      [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
        BinaryName = "{runc}"
        Root = "{folder}/runc"
        SystemdCgroup = false
"""


# Pods get a pair of virtual interfaces, of which one end stays in containerd's network namespace.
CNI_CONFIG = """{{"cniVersion": "0.4.0", "name": "rig", "plugins": [{{"type": "ptp", "ipam": {{"type": "host-local", "dataDir": "{folder}/ipam",
 "ranges": [[{{"subnet": "10.199.0.0/24"}}]], "routes": [{{"dst": "0.0.0.0/0"}}]}}}}]}}
"""


class Containerd(Daemon):
    """stream_port 0: random. metrics: adds a second listener on a random port of loopback, which only the log names.
    own_network: containerd in a network namespace of its own, its pods in one each. cri False: its settings are those of
    others, but its CRI plugin does not load; then there are no client and no pods."""

    def __init__(self, rig, name="containerd", stream_port=0, tls=False, metrics=False, own_network=False, cri=True):
        folder = os.path.join(rig.folder, name)
        os.makedirs(folder)
        self.socket, self.tls, self.config = os.path.join(folder, "containerd.sock"), tls, os.path.join(folder, "config.toml")
        with open(self.config, "w", encoding="utf-8") as file:
            file.write(CONTAINERD_CONFIG.format(
                folder=folder, socket=self.socket, pause=image.PAUSE, port=stream_port, runc=program("runc"), snapshotter="native" if cri else "nosuch", tls="  enable_tls_streaming = true\n" if tls else "",
                cni=os.path.realpath(os.path.join(RUNTIMES, "usr/lib/cni")), metrics='\n[metrics]\n  address = "127.0.0.1:0"\n' if metrics else ""))
        argv, self.own_network = [program("containerd"), "--config", self.config], own_network
        if own_network:
            os.makedirs(f"{folder}/cni")
            with open(f"{folder}/cni/rig.conflist", "w", encoding="utf-8") as file:
                file.write(CNI_CONFIG.format(folder=folder))
            argv = ["unshare", "--net", "sh", "-c", 'ip link set lo up; exec "$@"', "sh", *argv]
        super().__init__(rig, name, argv, folder)
        self.client, self.pods = None, []
        try:
            self._wait_for_cri() if cri else self._wait_for_sockets()
        except BaseException:
            self.stop()
            raise

    def _wait_for_sockets(self):
        self.wait_until("its sockets", lambda: os.path.exists(self.socket) and "containerd successfully booted" in read(self.log))

    def _wait_for_cri(self):
        self._wait_for_sockets()
        self.client = cri.Client(self.socket)
        self.wait_until("its CRI answer", self._answers)

    def restart(self):
        """Kills it without a word and starts it again; its shims and containers go on."""
        self.client.close()
        self.process.kill()
        self.process.wait()
        self._start()
        self._wait_for_cri()

    def _answers(self):
        try:
            return self.client.version()
        except GrpcError as error:  # the socket is there before the plugin is
            if "Unimplemented" in str(error) or "not yet" in str(error) or "not initialized" in str(error):
                return None
            raise

    def metrics_port(self):
        return int(re.search(r'serving\.\.\.\S* +address="127\.0\.0\.1:(\d+)"', read(self.log))[1])

    def load_image(self):
        path = os.path.join(self.rig.folder, "image.tar")
        if not os.path.exists(path):
            image.write(path, program("busybox"))
        subprocess.run([program("ctr"), "--address", self.socket, "--namespace", "k8s.io", "images", "import", "--no-unpack", path],
                       check=True, capture_output=True, env=environment())
        wait_for("the CRI plugin knows the image", lambda: {image.BUSYBOX, image.PAUSE} <= set(self.client.images()))

    def pod(self, name="web", port=0):
        """A running Pod; port 0: one that is free on the node."""
        if not self.pods:
            self.load_image()
        pod = Pod(self, name, port)
        self.pods.append(pod)
        return pod

    def stream_port(self, pod):
        """As the runtime itself says it: in the URL that it gives for an exec."""
        return int(re.search(r":(\d+)/exec/", self.client.exec(pod.container, ["true"]))[1])

    def shims(self):
        return [pid for pid in pids() if self.socket in command_line(pid) and os.path.basename(command_line(pid)[0]).startswith("containerd-shim")]

    def stop(self):
        try:
            for pod in self.pods:
                self.client.stop_pod(pod.id)
                self.client.remove_pod(pod.id)
        except Exception as error:  # the runtime was killed by a test: what is left is taken away below
            print(f"rig: pods of {self.folder}: {error}", file=sys.stderr)
        if self.client:
            self.client.close()
        shims = self.shims()
        left = shims + descendants(shims)
        super().stop()
        end(left, grace_s=0.5)
        unmount_below(self.folder)
        for pod in self.pods:
            if os.path.exists(pod.shim_socket()):
                os.unlink(pod.shim_socket())


class UnixHTTP(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("localhost", timeout=30)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(30)
        self.sock.connect(self.path)


class Dockerd(Daemon):
    """dockerd, which starts a containerd of its own. No bridge, no iptables, no network for its containers."""

    def __init__(self, rig, name="dockerd"):
        folder = os.path.join(rig.folder, name)
        self.socket = os.path.join(folder, "docker.sock")
        self.containers = []
        os.makedirs(folder)
        self.config = os.path.join(folder, "daemon.json")
        with open(self.config, "w", encoding="utf-8") as file:
            json.dump({"hosts": [f"unix://{self.socket}"], "data-root": f"{folder}/data", "exec-root": f"{folder}/exec", "pidfile": f"{folder}/pid",
                       "iptables": False, "ip6tables": False, "bridge": "none", "storage-driver": "vfs",
                       "exec-opts": ["native.cgroupdriver=cgroupfs"], "cgroup-parent": f"/{rig.cgroup}/docker"}, file, indent=2)
        super().__init__(rig, name, [program("dockerd"), "--config-file", self.config], folder)
        try:
            self.wait_until("its API", lambda: os.path.exists(self.socket) and self.call("GET", "/_ping") == b"OK")
        except BaseException:
            self.stop()
            raise

    def call(self, method, path, body=None, kind="application/json"):
        connection = UnixHTTP(self.socket)
        try:
            connection.request(method, path, body, {"Content-Type": kind})
            answer = connection.getresponse()
            text = answer.read()
        except OSError:
            return None
        finally:
            connection.close()
        assert answer.status < 400, f"{method} {path}: {answer.status} {text!r}"
        return text

    def containerd_pid(self):
        return next(pid for pid in descendants([self.pid]) if os.path.basename(os.readlink(f"/proc/{pid}/exe")) == "containerd")

    def shims(self):
        return [pid for pid in pids() if any(word.startswith(self.folder + "/exec/") for word in command_line(pid)) and "shim" in command_line(pid)[0]]

    def container(self, argv=None, name=None, start=True, **config):
        """The id of a container that sleeps, or runs something else."""
        path = os.path.join(self.rig.folder, "image.tar")
        if not os.path.exists(path):
            image.write(path, program("busybox"))
        if not self.containers:
            with open(path, "rb") as file:
                self.call("POST", "/images/load", file.read(), "application/x-tar")
        config |= {"Image": image.BUSYBOX, "HostConfig": {"NetworkMode": "none"}} | ({"Cmd": argv} if argv else {})
        made = json.loads(self.call("POST", f"/containers/create{f'?name={name}' if name else ''}", json.dumps(config)))["Id"]
        self.containers.append(made)
        if start:
            self.call("POST", f"/containers/{made}/start")
        return made

    def shim(self, container):
        """The pid of the container's shim: by its arguments."""
        return next(pid for pid in self.shims() if container in command_line(pid))

    def client(self, *argv, tty=False):
        """A docker client that runs; with a terminal of its own where it is asked for: (process, descriptor of the terminal)."""
        if not os.path.exists(program("docker")):
            return None, None
        controller, terminal = pty.openpty() if tty else (None, subprocess.PIPE)
        process = subprocess.Popen([program("docker"), "-H", f"unix://{self.socket}", *argv], stdin=terminal, stdout=terminal,
                                   stderr=terminal, env={**environment(), "TERM": "xterm"}, start_new_session=True)
        if tty:
            os.close(terminal)
        return process, controller

    def exec(self, container, argv, tty=False):
        """A DockerExec; a context manager."""
        return DockerExec(self, container, argv, tty)

    def size(self, container):
        """What the container's terminal says of its size: "rows columns", as an exec's `stty` reads it from the main process' own."""
        with self.exec(container, ["sh", "-c", "stty size </proc/1/fd/0"]) as one:
            return one.finish()["stdout"]

    def attach(self, container, tty=False):
        """A DockerAttach; a context manager."""
        return DockerAttach(self, container, tty)

    def stop(self):
        for one in self.containers:
            try:
                self.call("DELETE", f"/containers/{one}?force=true")
            except AssertionError as error:
                print(f"rig: docker container {one}: {error}", file=sys.stderr)
        left = descendants([self.pid]) + self.shims()
        left += descendants(left)
        super().stop()
        end(left)
        unmount_below(self.folder)


class DockerStream:
    """A connection of the Engine API that is handed over to the streams of a process (Upgrade: tcp)."""

    def __init__(self, docker, path, body, tty):
        self.docker, self.tty, self.unread = docker, tty, b""
        self.wire = socket.socket(socket.AF_UNIX)
        self.wire.settimeout(30)
        self.wire.connect(docker.socket)
        self.wire.sendall((f"POST {path} HTTP/1.1\r\nHost: docker\r\nContent-Type: application/json\r\n"
                           f"Connection: Upgrade\r\nUpgrade: tcp\r\nContent-Length: {len(body)}\r\n\r\n").encode() + body)
        while b"\r\n\r\n" not in self.unread:
            self._read()
        head, self.unread = self.unread.split(b"\r\n\r\n", 1)
        assert head.startswith(b"HTTP/1.1 101 "), head

    def _read(self):
        piece = self.wire.recv(65536)
        self.unread += piece
        return piece

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.wire.close()

    def write(self, data):
        self.wire.sendall(data)

    def read_until(self, needle):
        while needle not in self.unread:
            assert self._read(), self.unread

    def _output(self):
        """(stdout, stderr), whole; with a terminal everything is stdout."""
        while self._read():
            pass
        out = {0: b"", 1: b"", 2: b""}
        rest = self.unread
        while rest and not self.tty:
            size = int.from_bytes(rest[4:8], "big")
            out[rest[0]] += rest[8:8 + size]
            rest = rest[8 + size:]
        return self.unread if self.tty else out[1], out[2]


class DockerExec(DockerStream):
    """One exec over the Engine API as the docker client does it: made, started on a connection of its own, asked for its exit
    code."""

    def __init__(self, docker, container, argv, tty):
        made = docker.call("POST", f"/v1.41/containers/{container}/exec", json.dumps(
            {"AttachStdin": True, "AttachStdout": True, "AttachStderr": True, "Tty": tty, "Cmd": argv}))
        self.id = json.loads(made)["Id"]
        super().__init__(docker, f"/v1.41/exec/{self.id}/start", json.dumps({"Detach": False, "Tty": tty}).encode(), tty)

    def resize(self, width, height):
        self.docker.call("POST", f"/v1.41/exec/{self.id}/resize?h={height}&w={width}")

    def finish(self):
        """{stdout, stderr, exit_code}"""
        out, errors = self._output()
        code = json.loads(self.docker.call("GET", f"/v1.41/exec/{self.id}/json"))["ExitCode"]
        return {"stdout": out, "stderr": errors, "exit_code": code}


class DockerAttach(DockerStream):
    """An attach as the docker client does it: the container is looked at and waited for on connections beside it."""

    def __init__(self, docker, container, tty):
        self.id = json.loads(docker.call("GET", f"/v1.41/containers/{container}/json"))["Id"]
        self.told = []
        self.waiter = threading.Thread(target=lambda: self.told.append(json.loads(docker.call("POST", f"/v1.41/containers/{container}/wait"))), daemon=True)
        self.waiter.start()
        super().__init__(docker, f"/v1.41/containers/{container}/attach?stream=1&stdin=1&stdout=1&stderr=1", b"", tty)

    def resize(self, width, height):
        self.docker.call("POST", f"/v1.41/containers/{self.id}/resize?h={height}&w={width}")

    def finish(self):
        """{stdout, stderr, exit_code}, once the container's main process has ended."""
        out, errors = self._output()
        self.waiter.join(30)
        return {"stdout": out, "stderr": errors, "exit_code": self.told[0]["StatusCode"]}


class Terminal:
    """The other end of a terminal that a program runs on."""

    def __init__(self, descriptor):
        self.descriptor, self.read = descriptor, b""

    def _more(self):
        try:
            piece = os.read(self.descriptor, 65536)
        except OSError:  # EIO: the program has ended
            piece = b""
        self.read += piece
        return piece

    def read_until(self, needle):
        while needle not in self.read:
            assert self._more(), self.read

    def write(self, data):
        os.write(self.descriptor, data)

    def resize(self, width, height):
        fcntl.ioctl(self.descriptor, termios.TIOCSWINSZ, struct.pack("HHHH", height, width, 0, 0))

    def close(self):
        """Everything that was shown, once the program has ended."""
        while self._more():
            pass
        os.close(self.descriptor)
        return self.read


# An HTTP server that answers the probes of the CRI streaming server as the real one does, word for word.
IMPOSTOR = r'''
import ctypes, http.server, sys
ctypes.CDLL(None).prctl(15, b"containerd", 0, 0, 0)
class Answer(http.server.BaseHTTPRequestHandler):
    def reply(self, status, body, *headers):
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def do_GET(self):
        if self.path.startswith(("/exec/", "/attach/", "/portforward/")):
            self.reply(404, b"404 page not found\n", ("X-Content-Type-Options", "nosniff"))
        else:
            self.reply(404, b"404: Page Not Found")
    def do_PUT(self):
        self.reply(405, b"405: Method Not Allowed", ("Allow", "GET, POST"))
    def log_message(self, *_):
        pass
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer)
print(server.server_port, flush=True)
server.serve_forever()
'''


class Impostor(Daemon):
    """A process named containerd (comm, executable's name and arguments) with an HTTP server on a random port. It is Python."""

    def __init__(self, rig, name="impostor", first_argument="/usr/bin/containerd"):
        folder = os.path.join(rig.folder, name)
        os.makedirs(folder)
        copy = os.path.join(folder, "containerd")
        shutil.copy(os.path.realpath(sys.executable), copy)
        script, config = os.path.join(folder, "serve"), os.path.join(folder, "config.toml")
        for path, text in ((script, IMPOSTOR), (config, '[plugins."io.containerd.grpc.v1.cri"]\n  stream_server_port = "0"\n')):
            with open(path, "w", encoding="utf-8") as file:
                file.write(text)
        super().__init__(rig, name, [first_argument, script, "--config", config], folder,
                         env={**os.environ, "PYTHONHOME": sys.prefix}, executable=copy)
        self.port = int(self.wait_until("its port", lambda: read(self.log).strip()))


class Httpd(Daemon):
    """busybox httpd, its executable named containerd, on a port of loopback."""

    def __init__(self, rig, name="httpd"):
        folder = os.path.join(rig.folder, name)
        os.makedirs(folder)
        copy, self.port = os.path.join(folder, "containerd"), free_port()
        shutil.copy(program("busybox"), copy)
        super().__init__(rig, name, ["httpd", "-f", "-p", f"127.0.0.1:{self.port}"], folder, executable=copy)
        self.wait_until("its port", lambda: self.port in listeners(self.pid))


class Tcpdump(Daemon):
    """A capture of loopback, for the time of a `with`."""

    def __init__(self, rig, path, expression):
        super().__init__(rig, "tcpdump", ["tcpdump", "-i", "lo", "--immediate-mode", "-U", "-Z", "root", "-s", "0", "-w", path, expression], env=dict(os.environ))
        self.wait_until("listening", lambda: "listening on lo" in read(self.log))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        time.sleep(0.3)  # the last packets are read
        self.process.send_signal(signal.SIGINT)
        self.process.wait(10)
