"""Writes fake nodes: what /proc, /etc and the executables of a node look like, as plain files and symbolic links.

A Node is described in words (processes, their descriptors, sockets) and written by Node.write().
"""
import ipaddress
import os
import shutil
import struct

HOST_NET = 4026531840
BOOT_PID_NS = 4026531836


def hex_address(text):
    """An address as /proc/net/tcp has it: 32-bit words in the byte order of a little-endian machine."""
    address = ipaddress.ip_address(text)
    words = struct.unpack(">%dI" % (len(address.packed) // 4), address.packed)
    return "".join("%08X" % struct.unpack("<I", struct.pack(">I", word))[0] for word in words)


def hex_endpoint(text):
    host, port = text.rsplit(":", 1)
    return "%s:%04X" % (hex_address(host.strip("[]")), int(port))


class Process:
    def __init__(self, node, pid, comm, cmdline, exe=None, parent=1, start=None, cgroup="0::/", uid=0, net=HOST_NET,
                 pid_ns=BOOT_PID_NS, tty=0):
        self.node, self.pid, self.comm, self.cmdline, self.exe = node, pid, comm, cmdline, exe
        self.parent, self.start, self.cgroup, self.uid = parent, start or 100 * pid, cgroup, uid
        self.net, self.pid_ns, self.tty, self.fds, self.next_fd = net, pid_ns, tty, {}, 3

    def open(self, what, fd=None):
        """Holds a socket (its inode) or a path open; returns the descriptor's number."""
        if fd is None:
            while self.next_fd in self.fds:
                self.next_fd += 1
            fd = self.next_fd
        self.fds[fd] = "socket:[%d]" % what if isinstance(what, int) else what
        return fd

    def listen(self, endpoint, inode, fd=None):
        self.node.tcp(endpoint, None, "0A", inode, self.net)
        self.open(inode, fd)
        return self

    def connected(self, local, remote, inode, fd=None, state="01"):
        self.node.tcp(local, remote, state, inode, self.net)
        self.open(inode, fd)
        return self

    def listen_unix(self, path, inode, fd=None):
        self.node.unix(path, inode, listening=True, net=self.net)
        self.open(inode, fd)
        return self

    def unix(self, path, inode, fd=None):
        """One end of a connection; the accepted end has the listener's path, the other one none ("")."""
        self.node.unix(path, inode, net=self.net)
        self.open(inode, fd)
        return self


class Node:
    def __init__(self):
        self.processes, self.files, self.links, self.nets = {}, {}, {}, {}
        self.file("/proc/sys/net/ipv4/ip_local_port_range", "32768\t60999\n")
        self.file("/proc/stat", "cpu  0 0 0 0 0 0 0 0 0 0\nbtime 1792000000\n")
        self.process(1, "systemd", ["/sbin/init"], "/usr/lib/systemd/systemd", parent=0, start=2, cgroup="0::/init.scope")
        self.program("/usr/lib/systemd/systemd", "systemd 247\n")

    def file(self, path, text):
        self.files[path] = text

    def link(self, path, target):
        self.links[path] = target

    def program(self, path, text):
        """What stands in the place of an executable: what `go version -m` prints of it, or anything for other programs."""
        self.file(path, text)

    def process(self, pid, *args, **kwargs):
        self.processes[pid] = Process(self, pid, *args, **kwargs)
        return self.processes[pid]

    def rows(self, net, kind):
        return self.nets.setdefault(net, {k: [] for k in ("tcp", "tcp6", "udp", "udp6", "unix")})[kind]

    def tcp(self, local, remote, state, inode, net=HOST_NET):
        six = local.startswith("[")
        rows = self.rows(net, "tcp6" if six else "tcp")
        remote = remote or ("[::]:0" if six else "0.0.0.0:0")
        rows.append("%4d: %s %s %s 00000000:00000000 00:00000000 00000000     0        0 %d 1 0000000000000000 100 0 0 10 0"
                    % (len(rows), hex_endpoint(local), hex_endpoint(remote), state, inode))

    def unix(self, path, inode, listening=False, net=HOST_NET):
        rows = self.rows(net, "unix")
        rows.append("0000000000000000: %08X 00000000 %08X 0001 %s %5d%s"
                    % (2 if listening else 3, 0x10000 if listening else 0, "01" if listening else "03", inode,
                       " " + path if path else ""))

    def write(self, directory):
        shutil.rmtree(directory, ignore_errors=True)
        self.directory = directory
        owner_of_net = {}
        for pid in sorted(self.processes):
            process = self.processes[pid]
            self.write_process(process, owner_of_net.setdefault(process.net, pid))
        self.link("/proc/net", "1/net")
        for path, text in self.files.items():
            self.put(path, text)
        for path, target in self.links.items():
            os.makedirs(os.path.dirname(directory + path), exist_ok=True)
            os.symlink(target, directory + path)

    def write_process(self, p, net_owner):
        base = "/proc/%d/" % p.pid
        self.put(base + "comm", p.comm[:15] + "\n")
        self.put(base + "cmdline", "".join(a + "\0" for a in p.cmdline))
        self.put(base + "cgroup", p.cgroup.rstrip("\n") + "\n")
        self.put(base + "stat", "%d (%s) S %d %d %d %d -1 4194560 0 0 0 0 0 0 0 0 20 0 1 0 %d 0 0 18446744073709551615 "
                 "0 0 0 0 0 0 0 0 0 0 0 0 17 0 0 0 0 0 0 0 0 0 0 0 0 0 0\n" % (p.pid, p.comm[:15], p.parent, p.pid, p.pid, p.tty, p.start))
        self.put(base + "status", "Name:\t%s\nState:\tS (sleeping)\nTgid:\t%d\nPid:\t%d\nPPid:\t%d\nUid:\t%d\t%d\t%d\t%d\n"
                 % (p.comm[:15], p.pid, p.pid, p.parent, p.uid, p.uid, p.uid, p.uid))
        if p.exe:
            self.link(base + "exe", p.exe)
        self.link(base + "ns/net", "net:[%d]" % p.net)
        self.link(base + "ns/pid", "pid:[%d]" % p.pid_ns)
        os.makedirs(self.directory + base + "fd", exist_ok=True)
        for fd, target in ({0: "/dev/null"} | p.fds).items():
            self.link(base + "fd/%d" % fd, target)
        if net_owner != p.pid:
            self.link(base + "net", "../%d/net" % net_owner)
            return
        heads = {
            "tcp": "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode",
            "tcp6": "  sl  local_address                         remote_address                        st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode",
            "udp": "   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops",
            "udp6": "  sl  local_address                         remote_address                        st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops",
            "unix": "Num       RefCount Protocol Flags    Type St Inode Path",
        }
        for kind, head in heads.items():
            self.put(base + "net/" + kind, "\n".join([head] + self.rows(p.net, kind)) + "\n")

    def put(self, path, text):
        path = self.directory + path
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w") as out:
            out.write(text)
