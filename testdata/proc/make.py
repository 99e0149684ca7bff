#!/usr/bin/env python3
"""Makes the fake nodes of this folder, each from its description below: make.py [ELSEWHERE] rewrites every tree."""
import hashlib
import json
import os
import sys

sys.dont_write_bytecode = True
from tree import Node  # noqa: E402


def go(path, module, version, flags=""):
    text = "go1.20.10\n\tpath\t%s\n\tmod\t%s\t%s\n" % (path, module, version)
    return text + ('\tbuild\t-ldflags="%s"\n' % flags if flags else "")


def kubernetes(name, version):
    return go("k8s.io/kubernetes/cmd/" + name, "k8s.io/kubernetes", "(devel)",
              "-X k8s.io/component-base/version.gitVersion=v%s -X k8s.io/client-go/pkg/version.gitVersion=v%s" % (version, version))


def container_id(word):
    return hashlib.sha256(word.encode()).hexdigest()


def shim_socket(grpc, namespace, identity):
    """containerd's SocketAddress: SHA-256 of the joined path."""
    return "/run/containerd/s/" + hashlib.sha256(("%s/%s/%s" % (grpc, namespace, identity)).encode()).hexdigest()


WEB = {"uid": "6b1f6c2e-0d5a-4c62-9d6a-2f0a7b8c9d01", "sandbox": container_id("web sandbox"), "container": container_id("web main")}
PROXY = {"uid": "a1d2c3b4-5e6f-4a7b-8c9d-0e1f2a3b4c5d", "sandbox": container_id("proxy sandbox"), "container": container_id("proxy main")}


def containerd_program(node, version="1.6.20"):
    node.program("/usr/bin/containerd", go("github.com/containerd/containerd/cmd/containerd", "github.com/containerd/containerd", "v" + version,
                                           "-X github.com/containerd/containerd/version.Version=" + version))
    node.program("/usr/bin/containerd-shim-runc-v2", go("github.com/containerd/containerd/cmd/containerd-shim-runc-v2",
                                                       "github.com/containerd/containerd", "v" + version))
    node.program("/usr/bin/runc", go("github.com/opencontainers/runc", "github.com/opencontainers/runc", "v1.1.4"))
    node.program("/pause", "a static C program\n")


def systemd_scope(pod, container, prefix="cri-containerd"):
    return "0::/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod%s.slice/%s-%s.scope" % (
        pod["uid"].replace("-", "_"), prefix, container)


# 1. The mystery port: kubelet 1.11 with the Docker shim, as on an EKS node of its time.
def kubelet_1_11_dockershim():
    node = Node()
    node.program("/usr/bin/kubelet", kubernetes("kubelet", "1.11.10").replace("go1.20.10", "go1.13.4"))
    node.program("/usr/bin/dockerd", go("github.com/docker/docker/cmd/dockerd", "github.com/docker/docker", "v17.6.2"))
    node.program("/usr/bin/docker-containerd", go("github.com/containerd/containerd/cmd/containerd", "github.com/containerd/containerd", "v0.2.9"))
    node.program("/usr/bin/docker-containerd-shim", go("github.com/containerd/containerd/cmd/containerd-shim", "github.com/containerd/containerd", "v0.2.9"))
    node.link("/var/run", "/run")
    node.file("/etc/kubernetes/kubelet/kubelet-config.json", json.dumps({
        "kind": "KubeletConfiguration", "apiVersion": "kubelet.config.k8s.io/v1beta1", "address": "0.0.0.0",
        "authentication": {"anonymous": {"enabled": False}, "webhook": {"cacheTTL": "2m0s", "enabled": True},
                           "x509": {"clientCAFile": "/etc/kubernetes/pki/ca.crt"}},
        "authorization": {"mode": "Webhook"}, "readOnlyPort": 0, "clusterDomain": "cluster.local"}, indent=2) + "\n")
    node.file("/etc/docker/daemon.json", '{\n  "bridge": "none",\n  "log-driver": "json-file",\n  "live-restore": true\n}\n')
    kubelet = node.process(10107, "kubelet", ["/usr/bin/kubelet", "--cloud-provider", "aws", "--config", "/etc/kubernetes/kubelet/kubelet-config.json",
                           "--allow-privileged=true", "--kubeconfig", "/var/lib/kubelet/kubeconfig", "--container-runtime", "docker",
                           "--network-plugin", "cni", "--node-ip=10.0.16.4"], "/usr/bin/kubelet", cgroup="4:pids:/system.slice/kubelet.service\n1:name=systemd:/system.slice/kubelet.service")
    kubelet.listen("127.0.0.1:35751", 52113, 17).listen("127.0.0.1:10248", 52098, 21).listen("[::]:10250", 52097, 20)
    kubelet.listen_unix("/var/run/dockershim.sock", 52111, 15).listen_unix("/var/lib/kubelet/device-plugins/kubelet.sock", 52115, 18)
    kubelet.unix("", 157937, 33)
    kubelet.connected("[::ffff:10.0.16.4]:10250", "[::ffff:10.0.0.2]:44112", 157930, 30)
    kubelet.connected("127.0.0.1:48810", "127.0.0.1:35751", 157933, 31).connected("127.0.0.1:35751", "127.0.0.1:48810", 157934, 32)
    dockerd = node.process(1186, "dockerd", ["/usr/bin/dockerd", "--default-ulimit", "nofile=1024:4096"], "/usr/bin/dockerd",
                           cgroup="4:pids:/system.slice/docker.service\n1:name=systemd:/system.slice/docker.service")
    dockerd.listen_unix("/var/run/docker.sock", 14012, 4).unix("/var/run/docker.sock", 157387, 45)
    node.processes[1].open(14012, 41)  # socket activation: systemd keeps the listener open
    daemon = node.process(1203, "docker-containe", ["docker-containerd", "-l", "unix:///var/run/docker/libcontainerd/docker-containerd.sock", "--metrics-interval=0",
                          "--start-timeout", "2m", "--state-dir", "/var/run/docker/libcontainerd/containerd", "--shim", "docker-containerd-shim", "--runtime", "docker-runc"],
                          "/usr/bin/docker-containerd", parent=1186, cgroup="4:pids:/system.slice/docker.service\n1:name=systemd:/system.slice/docker.service")
    daemon.listen_unix("/var/run/docker/libcontainerd/docker-containerd.sock", 14100, 3)
    node.process(17784, "docker-containe", ["docker-containerd-shim", WEB["container"], "/var/run/docker/libcontainerd/" + WEB["container"], "docker-runc"],
                 "/usr/bin/docker-containerd-shim", parent=1203, cgroup="4:pids:/system.slice/docker.service\n1:name=systemd:/system.slice/docker.service")
    inside = "4:pids:/kubepods/burstable/pod%s/%s" % (WEB["uid"], WEB["container"])
    node.process(17802, "sh", ["sh"], "/bin/busybox", parent=17784, cgroup=inside, net=4026532401, pid_ns=4026532402)
    node.process(17850, "sleep", ["sleep", "5000"], "/bin/busybox", parent=17784, cgroup=inside, net=4026532401, pid_ns=4026532402, tty=34818)
    node.program("/bin/busybox", "a static C program\n")
    return node


def add_containerd(node, streaming="127.0.0.1:33821", config=None):
    containerd_program(node)
    grpc = "/run/containerd/containerd.sock"
    node.file("/etc/containerd/config.toml", config or (
        'version = 2\nroot = "/var/lib/containerd"\nstate = "/run/containerd"\n\n[grpc]\n  address = "%s"\n\n'
        '[plugins."io.containerd.grpc.v1.cri"]\n  sandbox_image = "registry.k8s.io/pause:3.9"\n'
        '  stream_server_address = "127.0.0.1"\n  stream_server_port = "0"\n' % grpc))
    containerd = node.process(2685, "containerd", ["/usr/bin/containerd"], "/usr/bin/containerd", cgroup="0::/system.slice/containerd.service")
    containerd.listen(streaming, 41877, 11).listen_unix(grpc, 41870, 8).listen_unix(grpc + ".ttrpc", 41869, 7)
    return containerd


def add_pod(node, containerd, pod, first_pid, program, comm, net, name="k8s.io"):
    """Sandbox and container under one shim, with the shim's socket and containerd's connection to it."""
    path = shim_socket("/run/containerd/containerd.sock", name, pod["sandbox"])
    inode = 60000 + first_pid
    shim = node.process(first_pid, "containerd-shim", ["/usr/bin/containerd-shim-runc-v2", "-namespace", name, "-id", pod["sandbox"],
                        "-address", "/run/containerd/containerd.sock"], "/usr/bin/containerd-shim-runc-v2", cgroup="0::/system.slice/containerd.service")
    shim.listen_unix(path, inode, 10).unix(path, inode + 1, 11)
    containerd.unix("", inode + 2)
    pause = node.process(first_pid + 20, "pause", ["/pause"], "/pause", parent=first_pid, cgroup=systemd_scope(pod, pod["sandbox"]),
                         net=net, uid=65535, pid_ns=4026540000 + first_pid)
    main = node.process(first_pid + 40, comm, program, None, parent=first_pid, cgroup=systemd_scope(pod, pod["container"]), net=net,
                        pid_ns=4026540001 + first_pid)
    return shim, pause, main


def hold_exec(process, pod, exec_word, number, streams=("stdin", "stdout", "stderr")):
    for stream in streams:
        process.open("/run/containerd/io.containerd.grpc.v1.cri/containers/%s/io/%d/%s-%s" % (pod["container"], number, container_id(exec_word), stream))


KUBELET_YAML = """apiVersion: kubelet.config.k8s.io/v1beta1
authentication:
  anonymous:
    enabled: %s
  webhook:
    cacheTTL: 0s
    enabled: true
  x509:
    clientCAFile: /etc/kubernetes/pki/ca.crt
authorization:
  mode: Webhook
cgroupDriver: systemd
clusterDNS:
- 10.96.0.10
clusterDomain: cluster.local
healthzBindAddress: 127.0.0.1
healthzPort: 10248
kind: KubeletConfiguration
readOnlyPort: %d
"""


def add_kubelet(node, version, endpoint, anonymous="false", read_only=0):
    node.program("/usr/bin/kubelet", kubernetes("kubelet", version))
    node.file("/var/lib/kubelet/config.yaml", KUBELET_YAML % (anonymous, read_only))
    kubelet = node.process(5714, "kubelet", ["/usr/bin/kubelet", "--bootstrap-kubeconfig=/etc/kubernetes/bootstrap-kubelet.conf", "--kubeconfig=/etc/kubernetes/kubelet.conf",
                           "--config=/var/lib/kubelet/config.yaml", "--container-runtime-endpoint=" + endpoint], "/usr/bin/kubelet", cgroup="0::/system.slice/kubelet.service")
    kubelet.listen("127.0.0.1:10248", 45010, 22).listen("[::]:10250", 45011, 23)
    if read_only:
        kubelet.listen("[::]:%d" % read_only, 45012, 24)
    kubelet.listen_unix("/var/lib/kubelet/device-plugins/kubelet.sock", 45020, 18).listen_unix("/var/lib/kubelet/pod-resources/kubelet.sock", 45021, 19)
    kubelet.unix("", 45030, 12)
    return kubelet


# 2. kubelet 1.26 with containerd: the streaming port is random, the read-only port off; one exec runs in pod web.
def kubelet_1_26_containerd():
    node = Node()
    containerd = add_containerd(node)
    kubelet = add_kubelet(node, "1.26.15", "unix:///run/containerd/containerd.sock")
    containerd.unix("/run/containerd/containerd.sock", 45031, 14)
    kubelet.connected("127.0.0.1:54766", "127.0.0.1:33821", 45040, 30)
    containerd.connected("127.0.0.1:33821", "127.0.0.1:54766", 45041, 21)
    shim, _, main = add_pod(node, containerd, WEB, 3001, ["httpd", "-p", "8080"], "httpd", 4026532500)
    main.listen("[::]:8080", 46080, 3)
    hold_exec(containerd, WEB, "exec one", 3612524634)
    hold_exec(shim, WEB, "exec one", 3612524634)
    hold_exec(shim, WEB, "web main", 3753058077, ("stdout", "stderr"))  # the container's own streams are no exec
    proxy_shim, _, proxy = add_pod(node, containerd, PROXY, 3101, ["/usr/local/bin/kube-proxy", "--config=/var/lib/kube-proxy/config.conf", "--hostname-override=node1"], "kube-proxy", 4026531840)
    proxy.exe = "/usr/local/bin/kube-proxy"
    proxy.listen("127.0.0.1:10249", 47001, 8).listen("[::]:10256", 47002, 9)
    node.program("/usr/local/bin/kube-proxy", kubernetes("kube-proxy", "1.26.15"))
    # The container's own files.
    node.file("/proc/3141/root/var/lib/kube-proxy/config.conf", "apiVersion: kubeproxy.config.k8s.io/v1alpha1\nbindAddress: 0.0.0.0\n"
              "healthzBindAddress: \"\"\nkind: KubeProxyConfiguration\nmetricsBindAddress: \"\"\nmode: \"\"\n")
    node.file("/proc/3141/root/usr/local/bin/kube-proxy", node.files["/usr/local/bin/kube-proxy"])
    return node


# 3. CRI-O: settings in drop-ins, metrics on, conmon beside every container.
def crio():
    node = Node()
    node.link("/var/run", "/run")
    node.program("/usr/bin/crio", go("github.com/cri-o/cri-o/cmd/crio", "github.com/cri-o/cri-o", "v1.26.4"))
    node.program("/usr/bin/conmon", "conmon version 2.1.6\n")
    node.file("/etc/crio/crio.conf", "[crio]\n\n[crio.api]\nlisten = \"/var/run/crio/crio.sock\"\nstream_address = \"127.0.0.1\"\nstream_port = \"0\"\n\n[crio.metrics]\nenable_metrics = false\n")
    node.file("/etc/crio/crio.conf.d/10-metrics.conf", "[crio.metrics]\nenable_metrics = true\nmetrics_port = 9537\n")
    crio_process = node.process(900, "crio", ["/usr/bin/crio", "--log-level=info"], "/usr/bin/crio", cgroup="0::/system.slice/crio.service")
    crio_process.listen("127.0.0.1:43210", 30010, 12).listen("[::]:9537", 30011, 13).listen_unix("/var/run/crio/crio.sock", 30001, 8).unix("/var/run/crio/crio.sock", 45031, 15)
    add_kubelet(node, "1.26.5", "unix:///var/run/crio/crio.sock")
    for number, identity, comm in ((1501, WEB["sandbox"], "pause"), (1601, WEB["container"], "httpd")):
        conmon = node.process(number, "conmon", ["/usr/bin/conmon", "-b", "/run/containers/storage/overlay-containers/%s/userdata" % identity, "-c", identity,
                              "--exit-dir", "/var/run/crio/exits", "-n", "k8s_%s_web_default_%s_0" % ("POD" if comm == "pause" else "main", WEB["uid"]), "-r", "/usr/bin/runc", "-u", identity, "-s"],
                              "/usr/bin/conmon", cgroup="0::/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod%s.slice/crio-conmon-%s.scope" % (WEB["uid"].replace("-", "_"), identity))
        conmon.open("/dev/ptmx", 7)
        node.process(number + 20, comm, ["/" + comm], None, parent=number, cgroup=systemd_scope(WEB, identity, "crio"), net=4026532600, pid_ns=4026532601)
    return node


# 4. k3s: kubelet and API server in one process, its own containerd beside it with the streaming port fixed to 10010.
def k3s():
    node = Node()
    base = "/var/lib/rancher/k3s/data/0fd2c44b3e1a/bin/"
    node.program(base + "k3s", go("github.com/k3s-io/k3s/cmd/server", "github.com/k3s-io/k3s", "(devel)", "-X github.com/k3s-io/k3s/pkg/version.Version=v1.28.5+k3s1"))
    node.program(base + "containerd", go("github.com/containerd/containerd/cmd/containerd", "github.com/containerd/containerd", "v1.7.11"))
    node.program(base + "containerd-shim-runc-v2", go("github.com/containerd/containerd/cmd/containerd-shim-runc-v2", "github.com/containerd/containerd", "v1.7.11"))
    node.file("/etc/rancher/k3s/config.yaml", "token: not-for-anybody\nwrite-kubeconfig-mode: \"0644\"\nkubelet-arg:\n- max-pods=200\n")
    toml = "/var/lib/rancher/k3s/agent/etc/containerd/config.toml"
    node.file(toml, "\n# File generated by k3s. DO NOT EDIT.\nversion = 2\n\n[plugins.\"io.containerd.internal.v1.opt\"]\n  path = \"/var/lib/rancher/k3s/agent/containerd\"\n"
              "[plugins.\"io.containerd.grpc.v1.cri\"]\n  stream_server_address = \"127.0.0.1\"\n  stream_server_port = \"10010\"\n  enable_selinux = false\n")
    server = node.process(700, "k3s-server", ["/usr/local/bin/k3s server"], base + "k3s", cgroup="0::/system.slice/k3s.service")
    server.listen("127.0.0.1:10248", 20001, 200).listen("[::]:10250", 20002, 201).listen("[::]:6443", 20003, 14).listen("127.0.0.1:6444", 20004, 15)
    server.listen("127.0.0.1:10249", 20005, 202).listen("[::]:10256", 20006, 203).listen("127.0.0.1:10257", 20007, 204).listen("127.0.0.1:10259", 20008, 205)
    server.listen_unix("/var/lib/kubelet/device-plugins/kubelet.sock", 20020, 210).unix("", 20030, 211)
    daemon = node.process(760, "containerd", ["containerd", "-c", toml, "-a", "/run/k3s/containerd/containerd.sock", "--state", "/run/k3s/containerd", "--root", "/var/lib/rancher/k3s/agent/containerd"],
                          base + "containerd", parent=700, cgroup="0::/system.slice/k3s.service")
    daemon.listen("127.0.0.1:10010", 20110, 13).listen_unix("/run/k3s/containerd/containerd.sock", 20101, 9).listen_unix("/run/k3s/containerd/containerd.sock.ttrpc", 20100, 8)
    daemon.unix("/run/k3s/containerd/containerd.sock", 20031, 14)
    shim = node.process(1400, "containerd-shim", [base + "containerd-shim-runc-v2", "-namespace", "k8s.io", "-id", WEB["sandbox"], "-address", "/run/k3s/containerd/containerd.sock"],
                        base + "containerd-shim-runc-v2", cgroup="0::/system.slice/k3s.service")
    path = shim_socket("/run/k3s/containerd/containerd.sock", "k8s.io", WEB["sandbox"])
    shim.listen_unix(path, 20200, 10)
    node.process(1420, "pause", ["/pause"], None, parent=1400, cgroup="0::/kubepods/burstable/pod%s/%s" % (WEB["uid"], WEB["sandbox"]), net=4026532700, pid_ns=4026532701)
    return node


# 5. cri-dockerd as its package starts it: the streaming server listens on every address.
def cri_dockerd():
    node = Node()
    node.link("/var/run", "/run")
    containerd_program(node)
    node.program("/usr/bin/cri-dockerd", go("github.com/Mirantis/cri-dockerd", "github.com/Mirantis/cri-dockerd", "(devel)", "-X github.com/Mirantis/cri-dockerd/cmd/version.Version=0.3.4"))
    node.program("/usr/bin/dockerd", go("github.com/docker/docker/cmd/dockerd", "github.com/docker/docker", "(devel)", "-X github.com/docker/docker/dockerversion.Version=24.0.5"))
    node.file("/etc/docker/daemon.json", '{\n  "exec-opts": ["native.cgroupdriver=systemd"],\n  "metrics-addr": "127.0.0.1:9323"\n}\n')
    node.file("/etc/containerd/config.toml", 'disabled_plugins = ["cri"]\n')
    daemon = node.process(610, "containerd", ["/usr/bin/containerd"], "/usr/bin/containerd", cgroup="0::/system.slice/containerd.service")
    daemon.listen_unix("/run/containerd/containerd.sock", 25001, 8).listen_unix("/run/containerd/containerd.sock.ttrpc", 25002, 7).unix("/run/containerd/containerd.sock", 25004, 9)
    dockerd = node.process(640, "dockerd", ["/usr/bin/dockerd", "-H", "fd://", "--containerd=/run/containerd/containerd.sock"], "/usr/bin/dockerd", cgroup="0::/system.slice/docker.service")
    dockerd.listen_unix("/run/docker.sock", 25010, 3).unix("", 25003, 9).listen("127.0.0.1:9323", 25011, 12).unix("/run/docker.sock", 25021, 22)
    node.processes[1].open(25010, 40)
    shim = node.process(800, "cri-dockerd", ["/usr/bin/cri-dockerd", "--container-runtime-endpoint", "fd://"], "/usr/bin/cri-dockerd", cgroup="0::/system.slice/cri-docker.service")
    shim.listen("[::]:40431", 25030, 9).listen_unix("/run/cri-dockerd.sock", 25031, 3).unix("", 25020, 7).unix("/run/cri-dockerd.sock", 45031, 10)
    node.processes[1].open(25031, 42)
    add_kubelet(node, "1.26.15", "unix:///var/run/cri-dockerd.sock")
    return node


# 6. A decoy: a Python program that calls itself containerd and listens on a random loopback port, beside the real one.
def decoy():
    node = Node()
    containerd = add_containerd(node)
    add_kubelet(node, "1.26.15", "unix:///run/containerd/containerd.sock")
    containerd.unix("/run/containerd/containerd.sock", 45031, 14)
    node.program("/usr/bin/python3.11", "a C program\n")
    node.process(6666, "containerd", ["containerd", "/tmp/server.py"], "/usr/bin/python3.11", uid=1000, cgroup="0::/user.slice/user-1000.slice/session-3.scope").listen("127.0.0.1:41555", 66601, 3)
    # The real one has a second random listener, which its settings do not tell from the first.
    containerd.listen("127.0.0.1:36001", 41899, 19)
    return node


# 7. A kubelet that lets anybody in: read-only port open, anonymous access on.
def kubelet_open():
    node = Node()
    containerd = add_containerd(node, streaming="127.0.0.1:10010", config=(
        'version = 3\n\n[plugins."io.containerd.grpc.v1.cri"]\n  stream_server_port = "10010"\n  enable_tls_streaming = true\n'))
    add_kubelet(node, "1.29.3", "unix:///run/containerd/containerd.sock", anonymous="true", read_only=10255)
    containerd.unix("/run/containerd/containerd.sock", 45031, 14)
    return node


TREES = {
    "kubelet-1.11-dockershim": kubelet_1_11_dockershim,
    "kubelet-1.26-containerd": kubelet_1_26_containerd,
    "crio": crio,
    "k3s": k3s,
    "cri-dockerd": cri_dockerd,
    "decoy": decoy,
    "kubelet-open": kubelet_open,
}

if __name__ == "__main__":
    here = sys.argv[1] if len(sys.argv) > 1 else os.path.dirname(os.path.abspath(__file__))
    for name, make in TREES.items():
        make().write(os.path.join(here, name))
