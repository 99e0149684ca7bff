"""A small client of the Container Runtime Interface (runtime.v1), as the kubelet is one. Field numbers: api.proto of cri-api.
Python 3.11, standard library."""
import protobuf
from http2 import Connection
from protobuf import encode, number, text

POD, NODE = 0, 2             # NamespaceMode: the pod's own namespace, the host's
CREATED, RUNNING, EXITED = 0, 1, 2


class Client:
    """Keeps one connection to the socket open, as the kubelet does."""

    def __init__(self, path):
        self.connection = Connection(path)

    def close(self):
        self.connection.close()

    def call(self, method, *fields, service="RuntimeService"):
        return protobuf.decode(self.connection.call(f"/runtime.v1.{service}/{method}", encode(*fields)))

    def version(self):
        answer = self.call("Version", (1, "v1"))
        return {"name": text(answer, 2), "version": text(answer, 3), "api": text(answer, 4)}

    def images(self):
        """Names of the images that the CRI plugin knows."""
        found = [protobuf.decode(image) for image in self.call("ListImages", service="ImageService").get(1, [])]
        return [tag.decode() for image in found for tag in image.get(2, [])]

    @staticmethod
    def pod_config(name, uid, namespace, cgroup_parent, network=NODE):
        """A pod in the host's network (it needs no CNI), or in one of its own. Labels as the kubelet sets them."""
        labels = {"io.kubernetes.pod.name": name, "io.kubernetes.pod.namespace": namespace, "io.kubernetes.pod.uid": uid}
        options = encode((1, network))
        return encode((1, encode((1, name), (2, uid), (3, namespace))), (6, labels),
                      (8, encode((1, cgroup_parent), (2, encode((1, options))))))

    def run_pod(self, config):
        return text(self.call("RunPodSandbox", (1, config)), 1)

    def stop_pod(self, pod):
        self.call("StopPodSandbox", (1, pod))

    def remove_pod(self, pod):
        self.call("RemovePodSandbox", (1, pod))

    def create_container(self, pod, config, name, image, command, stdin=False, tty=False, labels=None, network=NODE):
        container = encode((1, encode((1, name))), (2, encode((1, image))), (3, command),
                           (9, {**(labels or {}), "io.kubernetes.container.name": name}), (12, stdin), (14, tty),
                           (15, encode((2, encode((3, encode((1, network))))))))
        return text(self.call("CreateContainer", (1, pod), (2, container), (3, config)), 1)

    def start_container(self, container):
        self.call("StartContainer", (1, container))

    def stop_container(self, container):
        self.call("StopContainer", (1, container))

    def containers(self):
        """[{id, pod, name, state, labels}]"""
        out = []
        for raw in self.call("ListContainers").get(1, []):
            one = protobuf.decode(raw)
            labels = dict((text(pair, 1), text(pair, 2)) for pair in map(protobuf.decode, one.get(8, [])))
            out.append({"id": text(one, 1), "pod": text(one, 2), "name": text(protobuf.decode(one[3][0]), 1),
                        "state": number(one, 6), "labels": labels})
        return out

    def exec_sync(self, container, command, timeout_s=10):
        answer = self.call("ExecSync", (1, container), (2, command), (3, timeout_s))
        return {"stdout": (answer.get(1) or [b""])[0], "stderr": (answer.get(2) or [b""])[0], "exit_code": number(answer, 3)}

    # The three calls that answer with the URL of a stream; its token lives for a minute.
    def exec(self, container, command, stdin=False, tty=False):
        return text(self.call("Exec", (1, container), (2, command), (3, tty), (4, stdin), (5, True), (6, not tty)), 1)

    def attach(self, container, stdin=False, tty=False):
        return text(self.call("Attach", (1, container), (2, stdin), (3, tty), (4, True), (5, not tty)), 1)

    def port_forward(self, pod, ports=()):
        return text(self.call("PortForward", (1, pod), (2, list(ports))), 1)
