#!/usr/bin/env python3
"""Tests of `ports`, `why`, `graph` and `doctor` against real container runtimes: node_test.py [--bin PATH] [--only WORD]

The runtimes run with private configuration (rig.py) and are taken down at the end. Every test is a function below; its
docstring is the sentence that it proves. Where no runtime can run, all are skipped and the reason is said. Ends with
'N passed, N failed, N skipped'. Python 3.11, standard library; ss (iproute2), tcpdump, lsof, setpriv (util-linux)."""
import datetime, itertools, json, os, re, shutil, signal, socket, stat, statistics, subprocess, sys, time, urllib.request
from pathlib import Path

import daemons, streaming, testbed
from each import Skip

TESTS = []
NOBODY = 65534


def test(function):
    TESTS.append(function)
    return function


def need(*tools):
    for tool in tools:
        if not shutil.which(tool):
            raise Skip(f"{tool} is not installed")


class World:
    """The program, the rig, and the runtimes that several tests only look at."""

    def __init__(self, binary, rig):
        self.rig, self.shared = rig, {}
        # A copy that every user may run, wherever the checkout lies.
        self.bin = os.path.join(rig.folder, "hopscope")
        shutil.copy(binary, self.bin)
        for path in (rig.folder, self.bin):
            os.chmod(path, 0o755)

    def runtime(self, name="random", **options):
        """(containerd, pod), started when first asked for."""
        if name not in self.shared:
            runtime = self.rig.containerd(name, **options)
            self.shared[name] = runtime, runtime.pod()
        return self.shared[name]

    def run(self, *argv, code=0, user=None, prefix=(), timeout=60):
        """Runs the program; fails when its exit status is not `code` (a number, a set, or None for any)."""
        argv = [*prefix, self.bin, *map(str, argv)]
        identity = {"user": user, "group": user, "extra_groups": []} if user else {}
        done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, timeout=timeout, cwd="/",
                              env={**os.environ, "HOPSCOPE_CONFIG": "/dev/null"}, **identity)
        allowed = {code} if isinstance(code, int) else code
        assert allowed is None or done.returncode in allowed, \
            f"{' '.join(argv)}: exit {done.returncode}, want {code}: {done.stderr.decode(errors='replace')[-600:]}"
        return done

    def document(self, command, *argv, **how):
        done = self.run(command, *argv, "-o", "json", **how)
        return json.loads(done.stdout) if done.stdout else {}

    def why(self, target, *options, **how):
        """The one port of `hopscope why`."""
        document = self.document("why", target, *options, **how)
        assert document["schema"] == "hopscope.ports/v1", document
        assert len(document["ports"]) == 1, f"{target}: {[brief(p) for p in document['ports']]}"
        return document["ports"][0]


def brief(port):
    local = port["local"]
    return (local.get("path") or f"{local['address']}:{local['port']}", port.get("process", {}).get("pid"), port["role"], port.get("component"), port.get("confidence"))


def evidence(port, name):
    return [item for item in port["evidence"] if item["id"] == name]


def is_streaming_server(port, runtime, number):
    """All that a right answer says about containerd's streaming server; the pid and the descriptor are read from /proc here."""
    inode = daemons.listeners(runtime.pid)[number]
    assert (port["role"], port["component"], port["confidence"]) == ("cri-streaming-server", "containerd", "certain"), (brief(port), port["evidence"])
    assert port["local"] == {"transport": "tcp", "address": "127.0.0.1", "port": number}, port["local"]
    assert port["process"]["pid"] == runtime.pid and port["process"]["comm"] == "containerd", port["process"]
    assert os.path.realpath(port["process"]["exe"]) == daemons.program("containerd"), port["process"]
    assert port["inode"] == inode and [(o["process"]["pid"], o["fd"]) for o in port["owners"]] == [(runtime.pid, daemons.sockets_of(runtime.pid)[inode])], port["owners"]
    assert port["reach"] == "loopback", port["reach"]
    assert evidence(port, "owner"), port["evidence"]
    config = evidence(port, "config")
    assert any(runtime.config in item.get("source", "") for item in config), f"no citation of {runtime.config}: {port['evidence']}"
    assert not evidence(port, "contradiction"), port["evidence"]


def cited_line(runtime, port, key):
    """The line of the configuration that the evidence cites holds the key that it speaks of."""
    lines = daemons.read(runtime.config).splitlines()
    for item in evidence(port, "config"):
        found = re.match(re.escape(runtime.config) + r":(\d+)$", item.get("source", ""))
        if found and key in lines[int(found[1]) - 1]:
            return
    raise AssertionError(f"no evidence cites the line of {key}: {evidence(port, 'config')}")


@test
def random_port_is_certain(world):
    """a real containerd's random streaming port: certain, with owner, descriptor, the line of the configuration, and reach"""
    runtime, pod = world.runtime()
    number = runtime.stream_port(pod)
    port = world.why(number)
    is_streaming_server(port, runtime, number)
    cited_line(runtime, port, "stream_server_port")
    assert "random" in (port.get("why", "") + port.get("why_this_port", "")).lower(), port
    text = world.run("why", number).stdout.decode()
    assert max(map(len, text.splitlines())) <= 100, "no terminal: lines are as wide as a page"
    for words in (f"127.0.0.1:{number}", "CRI streaming server", f"containerd[{runtime.pid}]", "certain", "404", "loopback", "owner", "config"):
        assert words in text, f"{words!r} is not in\n{text}"
    for target in (f"127.0.0.1:{number}", f":{number}"):
        assert brief(world.why(target)) == brief(port), target


@test
def ports_lists_it(world):
    """`ports` has the same answer in its table and document, the runtime's unix sockets with it, and filters by confidence"""
    runtime, pod = world.runtime()
    number = runtime.stream_port(pod)
    document = world.document("ports")
    mine = {brief(port)[0]: brief(port) for port in document["ports"] if port.get("process", {}).get("pid") == runtime.pid}
    assert mine[f"127.0.0.1:{number}"][2:] == ("cri-streaming-server", "containerd", "certain"), mine
    assert mine[runtime.socket][2] in ("cri-socket", "containerd-api") and mine[runtime.socket][4] == "certain", mine
    assert mine[runtime.socket + ".ttrpc"][2] == "containerd-ttrpc", mine
    shim = next(port for port in document["ports"] if port["local"].get("path") == pod.shim_socket())
    assert shim["role"] == "shim-socket" and shim["process"]["pid"] == pod.shim(), brief(shim)
    table = world.run("ports").stdout.decode()
    row = next(line for line in table.splitlines() if line.startswith(f"127.0.0.1:{number} "))
    assert f"containerd[{runtime.pid}]" in row and "certain" in row, row
    certain = world.document("ports", "--min-sure", "certain")["ports"]
    assert certain and all(port["confidence"] == "certain" for port in certain)
    without = world.document("ports", "--no-unix")["ports"]
    assert any(port["local"].get("port") == number for port in without) and not any("path" in port["local"] for port in without)


@test
def fixed_port_is_certain(world):
    """a fixed streaming port: certain, the configuration names this very port"""
    number = daemons.free_port()
    runtime, pod = world.runtime("fixed", stream_port=number)
    assert runtime.stream_port(pod) == number
    port = world.why(number)
    is_streaming_server(port, runtime, number)
    cited_line(runtime, port, "stream_server_port")
    assert str(number) in " ".join(item["says"] for item in evidence(port, "config")), port["evidence"]


@test
def tls_port_is_certain(world):
    """a streaming server with TLS: certain, TLS is said, and a probe of it is no contradiction"""
    runtime, pod = world.runtime("tls", tls=True)
    number = runtime.stream_port(pod)
    port = world.why(number)
    is_streaming_server(port, runtime, number)
    assert "TLS" in json.dumps(port), port
    is_streaming_server(world.why(number, "--probe"), runtime, number)


@test
def two_runtimes_at_once(world):
    """three containerds at once: each port, socket and shim belongs to its own runtime"""
    everything = {name: world.runtime(name, **options) for name, options in
                  (("random", {}), ("fixed", {"stream_port": daemons.free_port()}), ("tls", {"tls": True}))}
    assert len(everything) == 3
    for runtime, pod in everything.values():
        number = runtime.stream_port(pod)
        is_streaming_server(world.why(number), runtime, number)
        socket = world.why(runtime.socket)
        assert socket["process"]["pid"] == runtime.pid, brief(socket)
        shim = world.why(pod.shim_socket())
        assert (shim["role"], shim["process"]["pid"]) == ("shim-socket", pod.shim()), brief(shim)
        assert {peer["process"]["pid"] for peer in shim["peers"]} == {runtime.pid}, shim["peers"]


@test
def shims_outlive_their_runtime(world):
    """a containerd that was killed and started again: the new port is certain, the old one is gone, and the shim, now another's child, is the new one's"""
    runtime, pod = world.runtime("again")
    old_port, old_pid, shim = runtime.stream_port(pod), runtime.pid, pod.shim()
    is_streaming_server(world.why(old_port), runtime, old_port)
    runtime.restart()
    number = runtime.stream_port(pod)
    is_streaming_server(world.why(number), runtime, number)
    assert runtime.pid != old_pid and pod.shim() == shim and daemons.parent(shim) not in (runtime.pid, old_pid)
    if number != old_port:
        world.run("why", old_port, code=3)
    port = daemons.wait_for("containerd is back at its shim", lambda: [p for p in [world.why(pod.shim_socket())] if p.get("peers")])[0]
    assert (port["role"], port["process"]["pid"]) == ("shim-socket", shim) and {peer["process"]["pid"] for peer in port["peers"]} == {runtime.pid}, port
    edges = [(edge["from"], edge["to"]) for edge in world.document("graph")["edges"] if edge["kind"] == "serves"]
    assert (f"p{runtime.pid}", f"p{shim}") in edges, edges


def who_may_open(world, path):
    """The mode of a socket's file is told as it is; open to everybody is a finding where the folders above are open, too."""
    ours = [folder for folder in Path(path).parents if folder.is_relative_to(world.rig.folder)]
    before = {each: stat.S_IMODE(os.stat(each).st_mode) for each in [path, *ours]}
    try:
        for file_mode, folder_mode, words, alarm in ((0o660, 0o755, "srw-rw----", False), (0o666, 0o700, "a directory above", False),
                                                     (0o666, 0o755, "every process of this node", True)):
            os.chmod(path, file_mode)
            for folder in ours:
                os.chmod(folder, folder_mode)
            port = world.why(path)
            assert words in port["who_can_reach"] and ("PRT-11" in port.get("findings", [])) == alarm, (oct(file_mode), brief(port), port["who_can_reach"])
    finally:
        for each, mode in before.items():
            os.chmod(each, mode)


@test
def docker_with_its_containerd(world):
    """dockerd's API socket is certain; its own containerd, which has no CRI, serves no streaming port"""
    docker = world.rig.dockerd()
    try:
        docker.container()
        port = world.why(docker.socket)
        assert (port["role"], port["process"]["pid"], port["confidence"]) == ("docker-api", docker.pid, "certain"), (brief(port), port["evidence"])
        who_may_open(world, docker.socket)
        inner = docker.containerd_pid()
        document = world.document("ports")
        theirs = [port for port in document["ports"] if port.get("process", {}).get("pid") in (docker.pid, inner)]
        assert any(port["process"]["pid"] == inner and port["role"] == "containerd-api" for port in theirs), [brief(p) for p in theirs]
        assert not any(port["role"] in ("cri-streaming-server", "cri-socket") for port in theirs), [brief(p) for p in theirs]
        shim = docker.shims()[0]
        theirs = [port for port in document["ports"] if port.get("process", {}).get("pid") == shim]
        assert [port["role"] for port in theirs] == ["shim-socket"], [brief(p) for p in theirs]
        assert {peer["process"]["pid"] for peer in theirs[0]["peers"]} == {inner}, theirs[0]["peers"]
    finally:
        world.rig.stop(docker)


@test
def decoys_are_never_certain(world):
    """an HTTP server of a process that is only named containerd is never called its streaming server for certain, even if it answers a probe alike"""
    for decoy in (world.rig.httpd(), world.rig.impostor()):
        for options in ((), ("--probe",)):
            port = world.why(decoy.port, *options)
            assert port["process"]["pid"] == decoy.pid and port["process"]["comm"] == "containerd", port["process"]
            assert not (port["role"] == "cri-streaming-server" and port["confidence"] in ("certain", "high")), (brief(port), port["evidence"])
            assert port.get("component") != "containerd" or port["confidence"] == "low", (brief(port), port["evidence"])
        mine = world.document("why", decoy.port)["findings"]  # not the other decoy's
        assert [(finding["code"], finding["local"]["port"]) for finding in mine] == [("PRT-05", decoy.port)], mine
        assert world.run("why", decoy.port).stdout.count(b"PRT-05") == 1
        sure = world.document("ports", "--min-sure", "certain")
        assert decoy.port not in [port["local"].get("port") for port in sure["ports"]]
        # Nobody's, but suspicious: it stands in the list that was not asked for everybody's, or is counted as left out.
        listed = world.document("ports")
        assert decoy.port in [port["local"].get("port") for port in listed["ports"]], [brief(port) for port in listed["ports"]]
        asked = [port for port in world.document("ports", "--probe")["ports"] if port["local"].get("port") == decoy.port]
        assert evidence(asked[0], "probe"), asked[0]["evidence"]
        about = [finding for finding in listed["findings"] if finding["code"] == "PRT-05" and f":{decoy.port}" in finding["says"]]
        assert len(about) == 1 and about[0]["remedy"], listed["findings"]
        assert sure["findings_hidden"] >= 1 and about[0] not in sure["findings"], sure


@test
def second_listener_needs_more(world):
    """of two random listeners of one containerd neither is certain; a probe makes the right one so, and the other not"""
    runtime, pod = world.runtime("metrics", metrics=True)
    number, other = runtime.stream_port(pod), runtime.metrics_port()
    assert sorted(daemons.listeners(runtime.pid)) == sorted((number, other))
    for each in (number, other):
        port = world.why(each)
        assert port["confidence"] != "certain" and port["process"]["pid"] == runtime.pid, (brief(port), port["evidence"])
    right = world.why(number, "--probe")
    assert (right["role"], right["confidence"]) == ("cri-streaming-server", "certain"), (brief(right), right["evidence"])
    assert evidence(right, "probe"), right["evidence"]
    wrong = world.why(other, "--probe")
    assert (wrong["role"], wrong["component"], wrong["confidence"]) == ("metrics", "containerd", "medium"), (brief(wrong), wrong["evidence"])
    assert "no CRI streaming server answers so" in evidence(wrong, "probe")[0]["says"], wrong["evidence"]
    both = {port["local"].get("port"): port for port in world.document("ports", "--probe")["ports"] if port.get("process", {}).get("pid") == runtime.pid}
    assert (both[number]["role"], both[number]["confidence"]) == ("cri-streaming-server", "certain"), brief(both[number])
    assert both[other]["role"] != "cri-streaming-server", brief(both[other])


@test
def traffic_decides(world):
    """of two random listeners a capture of one exec makes the right one certain, and counts it"""
    need("tcpdump")
    runtime, pod = world.runtime("metrics", metrics=True)
    url = runtime.client.exec(pod.container, ["echo", "hi"])
    number, other = runtime.stream_port(pod), runtime.metrics_port()
    path = os.path.join(world.rig.folder, "exec.pcap")
    dump = daemons.Tcpdump(world.rig, path, f"tcp port {number} or tcp port {other}")
    try:
        with dump:
            with streaming.Command(url) as command:
                assert command.finish()["stdout"] == b"hi\n"
    finally:
        dump.stop()
    port = world.why(number, "--with", path)
    is_certain = (port["role"], port["component"], port["confidence"])
    assert is_certain == ("cri-streaming-server", "containerd", "certain"), (brief(port), port["evidence"])
    assert evidence(port, "traffic") and port["seen"] >= 1, port
    wrong = world.why(other, "--with", path)
    assert wrong["confidence"] != "certain" or wrong["role"] != "cri-streaming-server", (brief(wrong), wrong["evidence"])
    assert wrong["seen"] == 0, wrong["seen"]


@test
def nothing_is_sent_without_probe(world):
    """without --probe not one packet goes to the port that is asked about; with it some do"""
    need("tcpdump")
    runtime, pod = world.runtime()
    number = runtime.stream_port(pod)

    def packets(*options):
        path = os.path.join(world.rig.folder, f"silent{len(options)}.pcap")
        dump = daemons.Tcpdump(world.rig, path, f"tcp port {number}")
        try:
            with dump:
                world.why(number, *options)
        finally:
            dump.stop()
        return (os.path.getsize(path) - 24) // 16  # not the number, but 0 only when there is none

    assert packets() == 0
    assert packets("--probe") > 0, "the capture would have noticed"


@test
def unix_peers_are_named(world):
    """a client of the CRI socket (this test, as a kubelet would be) is named as its peer: pid, descriptor, both inodes, as ss -xp tells"""
    need("ss")
    runtime, _ = world.runtime()
    mine = os.fstat(runtime.client.connection.socket.fileno()).st_ino
    port = world.why(runtime.socket)
    assert port["role"] in ("cri-socket", "containerd-api") and port["confidence"] == "certain", (brief(port), port["evidence"])
    peer = next((peer for peer in port["peers"] if peer.get("inode") == mine), None)
    assert peer, f"inode {mine} is not among {port['peers']}"
    assert (peer["process"]["pid"], peer["fd"]) == (os.getpid(), runtime.client.connection.socket.fileno()), peer
    table = ss_unix()
    theirs = table[mine]["peer"]
    assert table[theirs]["path"] == runtime.socket and table[theirs]["owners"] and table[theirs]["peer"] == mine, table[theirs]
    graph = world.document("graph", "--all")
    edges = [edge for edge in graph["edges"] if edge["from"] == f"p{os.getpid()}" or edge["to"] == f"p{os.getpid()}"]
    assert any(str(mine) in edge.get("says", "") and str(theirs) in edge.get("says", "") for edge in edges), f"{mine} and {theirs}: {edges}"


def ss_records(options, first):
    """What `ss` tells, a record each; names of processes and paths may hold spaces and line ends. `first`: how each record begins."""
    told = subprocess.run(["ss", options], capture_output=True, text=True, errors="replace", check=True).stdout
    return [record for record in re.split(rf"^(?={first}\s)", told, flags=re.MULTILINE) if re.match(rf"{first}\s", record)]


def ss_owners(record):
    return {(int(pid), int(fd)) for pid, fd in re.findall(r"pid=(\d+),fd=(\d+)", record)}


def ss_unix():
    """{inode: {path, peer, owners}} of `ss -xp`: connected unix sockets."""
    out = {}
    for record in ss_records("-xpH", r"u_\w+"):
        path, inode, peer = re.match(r"u_\w+\s+\S+\s+\d+\s+\d+\s+(\S.*?)\s+(\d+)\s+\S.*?\s+(\d+)\s", record, re.DOTALL).groups()
        out[int(inode)] = {"path": "" if path == "*" else path, "peer": int(peer), "owners": ss_owners(record)}
    return out


def unix_pairs(world, pids):
    """What hopscope says of the connected unix sockets of some listeners: {(path, inode of the peer, pid, fd)}"""
    out = set()
    for port in world.document("ports", "--all")["ports"]:
        if port["local"]["transport"] != "unix" or port.get("process", {}).get("pid") not in pids:
            continue
        for peer in port.get("peers", []):
            out.add((port["local"]["path"], peer.get("inode"), peer.get("process", {}).get("pid"), peer.get("fd")))
    return out


@test
def unix_peers_equal_ss(world):
    """every peer of every unix socket of the runtimes and their shims is the one that ss -xp tells, and none is missing"""
    need("ss")
    runtimes = [world.runtime(), world.runtime("tls", tls=True)]
    pids = {runtime.pid for runtime, _ in runtimes} | {pod.shim() for _, pod in runtimes}

    def theirs():
        table, out = ss_unix(), set()
        for inode, one in table.items():
            if one["path"] and {pid for pid, _ in one["owners"]} & pids and one["peer"] in table:
                for pid, fd in table[one["peer"]]["owners"] or {(None, None)}:
                    out.add((one["path"], one["peer"], pid, fd))
        return out

    # The runtime opens and closes connections of its own: what ss saw before and after must be there, nothing else may be.
    for _ in range(5):
        before, ours, after = theirs(), unix_pairs(world, pids), theirs()
        if before == after:
            break
    missing, wrong = (before & after) - ours, ours - (before | after)
    assert len(before) >= 6, before
    assert not missing and not wrong, f"missing {sorted(missing)[:4]}, not in ss {sorted(wrong, key=str)[:4]}"
    return f"{len(ours)} peers"


@test
def tcp_listeners_equal_ss(world):
    """`ports --all --tcp` has every TCP listener and every owner that ss -tlnp tells, and no other, with and without eBPF"""
    need("ss")
    world.runtime()

    def theirs():
        out = set()
        for record in ss_records("-tlnpH", "LISTEN"):
            address, number = record.split()[3].rsplit(":", 1)
            address = "::" if address == "*" else address.strip("[]").split("%")[0]
            owners = ss_owners(record)
            out |= {(address, int(number), *owner) for owner in owners or {(None, None)}}
        return out

    def ours(*options):
        out = set()
        for port in world.document("ports", "--all", "--tcp", "--netns", os.getpid(), *options)["ports"]:
            owners = {(owner["process"]["pid"], owner["fd"]) for owner in port["owners"]}
            out |= {(port["local"]["address"], port["local"]["port"], *owner) for owner in owners or {(None, None)}}
        return out

    told = []
    for how in ("off", "require"):
        if how == "require" and world.run("ports", "--ebpf", how, code=None).returncode == 4:
            told.append("no eBPF here")
            continue
        for _ in range(8):  # others open and close theirs meanwhile
            before, mine, after = theirs(), ours("--ebpf", how), theirs()
            if before == after:
                break
        missing, wrong = (before & after) - mine, mine - (before | after)
        assert len(before) >= 1 and not missing and not wrong, f"--ebpf {how}: missing {sorted(missing, key=str)[:4]}, not in ss {sorted(wrong, key=str)[:4]}"
        told.append(f"{len(mine)} with --ebpf {how}")
    return ", ".join(told)


@test
def since_boot_is_when_it_started(world):
    """`ports --since-boot` and process.start are what /proc says of the runtime"""
    runtime, pod = world.runtime()
    number = runtime.stream_port(pod)
    document = world.document("why", number)
    with open("/proc/stat") as file:
        booted = next(int(line.split()[1]) for line in file if line.startswith("btime "))
    with open(f"/proc/{runtime.pid}/stat") as file:
        after_s = int(file.read().rsplit(")", 1)[1].split()[19]) / os.sysconf("SC_CLK_TCK")

    def seconds(text):
        whole = datetime.datetime.strptime(text[:19], "%Y-%m-%dT%H:%M:%S").replace(tzinfo=datetime.timezone.utc)
        return whole.timestamp() + float("0" + text[19:-1])

    assert abs(seconds(document["booted"]) - booted) < 1.5, document["booted"]
    since = seconds(document["ports"][0]["process"]["start"]) - seconds(document["booted"])
    assert abs(since - after_s) < 0.02, (since, after_s)
    rows = world.run("ports", "--tcp", "--since-boot").stdout.decode().splitlines()
    assert "SINCE BOOT" in rows[0] and any(f":{number} " in row for row in rows), rows
    assert "SINCE BOOT" not in world.run("ports", "--tcp").stdout.decode()
    return f"started {after_s:.2f} s after the boot"


@test
def lsof_agrees(world):
    """lsof -U -E tells the same processes at the other end of the CRI socket"""
    need("lsof")
    runtime, _ = world.runtime()
    mine = os.fstat(runtime.client.connection.socket.fileno()).st_ino
    done = subprocess.run(["lsof", "-n", "-P", "-U", "-E", "-a", "-p", str(runtime.pid)], capture_output=True, text=True, errors="replace")
    assert "ENDPOINTS" not in done.stderr, done.stderr
    theirs = set()
    for line in done.stdout.splitlines():
        # …  /run/x.sock type=STREAM ->INO=123 456,kubelet,7u (CONNECTED)
        found = re.search(rf"{re.escape(runtime.socket)} type=STREAM ->INO=(\d+) (\d+),[^,]*,(\d+)", line)
        if found:
            theirs.add((int(found[1]), int(found[2]), int(found[3])))
    assert any(inode == mine for inode, _, _ in theirs), done.stdout[:2000]
    ours = {(peer["inode"], peer["process"]["pid"], peer["fd"]) for peer in world.why(runtime.socket)["peers"]}
    assert ours == theirs, (ours, theirs)
    return f"{len(ours)} peers"


@test
def a_moved_socket_is_found(world):
    """a unix socket that was renamed after bind is found under the path where it lies now"""
    runtime, _ = world.runtime()
    moved = os.path.join(world.rig.folder, "moved.sock")
    os.rename(runtime.socket, moved)
    try:
        port = world.why(moved)
        assert port["process"]["pid"] == runtime.pid and port["role"] in ("cri-socket", "containerd-api"), brief(port)
    finally:
        os.rename(moved, runtime.socket)


def told(world, path, inode):
    """The port of `why PATH` that has this inode, and the codes of the findings that are about it; each names its listener."""
    document = world.document("why", path)
    port = next((port for port in document["ports"] if port["inode"] == inode), None)
    assert port, (path, [brief(p) for p in document["ports"]])
    shown = {port["inode"] for port in document["ports"]}
    assert all(finding["inode"] in shown for finding in document["findings"]), document["findings"]
    return port, [finding["code"] for finding in document["findings"] if finding["inode"] == inode]


@test
def a_socket_that_is_not_in_its_place_is_told(world):
    """a runtime's socket whose file was moved, is gone, or was replaced by a stranger's: where it lies, that its old path fails or whom it reaches"""
    runtime, _ = world.runtime("away")
    inode, other = world.why(runtime.socket)["inode"], None
    beside, hidden = runtime.socket + ".moved", os.path.join(world.rig.folder, "hidden")
    os.makedirs(hidden)
    hidden = os.path.join(hidden, "x.sock")
    assert told(world, runtime.socket, inode)[1] == []
    os.rename(runtime.socket, beside)
    try:
        for path in (beside, runtime.socket):
            port, codes = told(world, path, inode)
            assert port["local"]["path"] == beside and "moved away from" in port["title"] and codes == ["PRT-12"], (brief(port), port["title"], codes)
        page = world.run("why", beside).stdout.decode()
        assert f"no file lies at {runtime.socket}" in " ".join(page.split()) and "PRT-12" in page, page
        os.rename(beside, hidden)
        port, codes = told(world, runtime.socket, inode)
        assert "whose file is gone" in port["title"] and port["who_can_reach"].startswith("nobody anew") and codes == ["PRT-12"], (port["title"], codes)
        port, codes = told(world, hidden, inode)
        assert port["local"]["path"] == hidden and codes == ["PRT-12"], (brief(port), codes)
        other = socket.socket(socket.AF_UNIX)
        other.bind(runtime.socket)
        other.listen(8)
        stranger = os.fstat(other.fileno()).st_ino
        port, codes = told(world, runtime.socket, stranger)
        assert port["role"] == "unknown" and "where containerd's CRI socket belongs" in port["title"] and codes == ["PRT-13"], (brief(port), port["title"], codes)
        assert str(os.getpid()) in port["title"], port["title"]
        port, codes = told(world, runtime.socket, inode)
        assert "whose file was replaced" in port["title"] and codes == ["PRT-12"], (port["title"], codes)
    finally:
        if other:
            other.close()
        os.rename(beside if os.path.exists(beside) else hidden, runtime.socket)
    port, codes = told(world, runtime.socket, inode)
    assert port["confidence"] == "certain" and codes == [], (brief(port), codes)


@test
def a_stopped_runtime_is_told(world):
    """a runtime that is stopped and answers nothing: its page and the notes of ports and graph say that names are missing, and what to look at"""
    runtime, pod = world.runtime("away")
    number = runtime.stream_port(pod)
    os.kill(runtime.pid, signal.SIGSTOP)
    try:
        for target in (runtime.socket, number):
            port = world.why(target)
            assert any("did not answer within" in item["says"] for item in evidence(port, "cri")), port["evidence"]
            assert f"ps -o stat,wchan -p {runtime.pid}" in port.get("remedy", ""), port.get("remedy")
        row = next(row for row in world.document("doctor", code={0, 4})["rows"] if row["code"] == "K8S-02")
        assert row["state"] == "limited" and f"{runtime.socket} did not answer" in row["says"] and row["lost"] and f"kill -CONT {runtime.pid}" in row["fix"], row
        for command in ("ports", "graph"):
            assert any(runtime.socket in limit and "did not answer within" in limit for limit in world.document(command)["limits"]), command
    finally:
        os.kill(runtime.pid, signal.SIGCONT)
    daemons.wait_for("it answers again", lambda: any("it answered as" in item["says"] for item in evidence(world.why(runtime.socket), "cri")))


@test
def without_cri_it_is_no_cri_socket(world):
    """a containerd whose CRI plugin did not load: its socket is that of its own API, as it answers itself"""
    runtime = world.rig.containerd("nocri-socket", cri=False)
    try:
        document = world.document("why", runtime.socket)
        port = document["ports"][0]
        assert (port["role"], port["component"], port["confidence"]) == ("containerd-api", "containerd", "certain"), (brief(port), port["evidence"])
        assert any("has no CRI service" in item["says"] for item in evidence(port, "cri")), port["evidence"]
        assert "kubelet asks here" not in json.dumps(port), port
    finally:
        world.rig.stop(runtime)


@test
def settings_that_cannot_be_read(world):
    """a configuration that was damaged since: the port is no longer certain, and the page says which line cannot be read; a drop-in file that names another port is cited"""
    runtime, pod = world.runtime()
    number, before = runtime.stream_port(pod), daemons.read(runtime.config)
    folder = os.path.join(world.rig.folder, "drop-ins")
    os.makedirs(folder)
    try:
        with open(runtime.config, "a") as file:
            file.write("this is = = broken [\n")
        port = world.why(number)
        assert port["confidence"] in ("medium", "high") and port["role"] == "cri-streaming-server", (brief(port), port["evidence"])
        assert port["why_this_port"].startswith("assumed") and "(assumed)" in port["why"], (port["why_this_port"], port["why"])
        line = before.count("\n") + 1
        assert any(f"{runtime.config}:{line}" in item["says"] for item in evidence(port, "config")), port["evidence"]
        assert not any("is not set" in each["says"] for each in port.get("ruled_out", [])), port["ruled_out"]
        with open(os.path.join(folder, "10.toml"), "w") as file:
            file.write('version = 2\n[plugins."io.containerd.grpc.v1.cri"]\n  stream_server_port = "1"\n')
        with open(runtime.config, "w") as file:
            file.write(f'imports = ["{folder}/*.toml"]\n' + before)
        port = world.why(number)
        assert port["confidence"] == "low", brief(port)
        says = next(each["says"] for each in port["ruled_out"] if each["role"] == "cri-streaming-server")
        assert f"{folder}/10.toml:3" in says and "changed since it was started?" in says, says
    finally:
        with open(runtime.config, "w") as file:
            file.write(before)
    is_streaming_server(world.why(number), runtime, number)


@test
def a_port_in_a_pod(world):
    """a port of a container in the host's network is told with its container and its pod's name, and is no part of the node"""
    runtime, pod = world.runtime()
    port = world.why(pod.port)
    assert port["container"]["id"] == pod.container, port
    assert (port["k8s"]["namespace"], port["k8s"]["pod"], port["k8s"]["container"]) == (pod.namespace, pod.name, "main"), port["k8s"]
    assert port["role"] != "cri-streaming-server" and runtime.pid not in [owner["process"]["pid"] for owner in port["owners"]], brief(port)


def host_namespace_is_known():
    """Process 1 may be guarded even from root; the kernel's threads live in the same network namespace."""
    for pid in (1, 2):
        try:
            if os.readlink(f"/proc/{pid}/ns/net") and (pid == 1 or open("/proc/2/comm").read() == "kthreadd\n"):
                return True
        except OSError:
            pass
    return False


def may_read_first_process():
    """Some machines keep process 1 even from root."""
    try:
        return bool(os.readlink("/proc/1/ns/net"))
    except OSError:
        return False


@test
def other_network_namespaces(world):
    """a containerd in a network namespace of its own, and its pod's port in yet another one, are found with --netns, and only with it"""
    runtime, pod = world.runtime("apart", own_network=True)
    number = runtime.stream_port(pod)
    document = world.document("why", number, code={0, 3})  # another port of the same number may be there
    found = any(port.get("process", {}).get("pid") == runtime.pid for port in document.get("ports", []))
    if host_namespace_is_known():
        assert not found, [brief(p) for p in document["ports"]]
        if not document.get("ports"):
            told = world.run("why", number, code=3).stderr.decode()
            assert f"containerd[{runtime.pid}]" in told and f"hopscope why {number} --netns all" in told, told
    else:
        assert any("network namespace" in limit for limit in document["limits"]), document["limits"]
    namespace = lambda pid: os.stat(f"/proc/{pid}/ns/net").st_ino
    for where in ("all", runtime.pid, f"/proc/{runtime.pid}/ns/net"):
        document = world.document("why", number, "--netns", where)
        port = next(port for port in document["ports"] if port.get("process", {}).get("pid") == runtime.pid)
        assert (port["role"], port["component"], port["confidence"], port["reach"]) == ("cri-streaming-server", "containerd", "certain", "loopback"), (brief(port), port["evidence"])
        assert port["net_namespace"] == namespace(runtime.pid), port
    document = world.document("why", pod.port, "--netns", "all")
    port = next(port for port in document["ports"] if port.get("container", {}).get("id") == pod.container)
    assert (port["k8s"]["pod"], port["net_namespace"]) == (pod.name, namespace(port["process"]["pid"])), port
    assert port["reach"] == "pod-network" or not host_namespace_is_known(), port
    # A forwarded connection belongs to containerd but lives in the pod's namespace.
    url = runtime.client.port_forward(pod.id)
    with daemons.in_network_of(runtime.pid, lambda: streaming.Forward(url)) as forward:
        body, error = forward.exchange(pod.port, b"GET / HTTP/1.0\r\n\r\n")
        assert body.endswith(b"hello from the pod\n") and not error, (body, error)


@test
def connected_clients_are_peers(world):
    """a client of the streaming port during an exec is named as its peer, with its port and pid; a client that died without a word leaves a finding"""
    runtime, pod = world.runtime()
    number = runtime.stream_port(pod)
    marker = f"sleep 98{os.getpid()}"
    command = streaming.Command(runtime.client.exec(pod.container, ["sh", "-c", marker]))
    try:
        mine, _ = command.ports()
        sleeping = daemons.wait_for("the command runs", lambda: [pid for pid in daemons.pids() if daemons.command_line(pid) in (marker.split(), ["sh", "-c", marker])])
        port = world.why(number)
        peers = port["peers"]
        assert [(exec["container"]["id"], exec["k8s"]["pod"]) for exec in port["execs"]] == [(pod.container, pod.name)], port.get("execs")
        page = world.run("why", number).stdout.decode()
        assert "Execs now" in page and port["execs"][0]["exec_id"][:12] in page, page
        graph = world.document("graph")
        running = [node for node in graph["nodes"] if node["kind"] == "exec" and node["container"]["id"] == pod.container]
        holders = {(edge["from"], edge["kind"]) for edge in graph["edges"] if edge["to"] == running[0]["id"]}
        assert holders == {(f"p{pid}", "serves") for pid in (runtime.pid, pod.shim())}, holders
        assert f"exec {port['execs'][0]['exec_id'][:12]} in container {pod.container[:12]}" in world.run("graph").stdout.decode()
        assert [(peer["process"]["pid"], peer["state"]) for peer in peers if peer["from"]["port"] == mine] == [(os.getpid(), "established")], peers
        command.close()
        time.sleep(0.2)
        assert os.path.exists(f"/proc/{sleeping[0]}"), "containerd 1.6 lets it run on"
        document = world.document("why", number)
        states = [peer["state"] for peer in document["ports"][0].get("peers", []) if peer.get("from", {}).get("port") == mine]
        assert states == ["close-wait"], document["ports"][0].get("peers")
        codes = {finding["code"]: finding for finding in document["findings"]}
        assert any(code.startswith("PRT-") for code in document["ports"][0].get("findings", [])), document["findings"]
        assert any(f"the client has closed, containerd[{runtime.pid}] does not let go" in finding["says"] and finding.get("remedy") for finding in codes.values()), document["findings"]
    finally:
        command.close()
        daemons.end([pid for pid in daemons.pids() if daemons.command_line(pid) in (marker.split(), ["sh", "-c", marker])], grace_s=0)


@test
def metrics_alone_are_no_streaming_server(world):
    """a containerd whose CRI plugin did not load: its only listener, on a random port, is not called its streaming server, since it said itself that it has no CRI"""
    runtime = world.rig.containerd("nocri", metrics=True, cri=False)
    try:
        number = runtime.metrics_port()
        assert list(daemons.listeners(runtime.pid)) == [number]
        with urllib.request.urlopen(f"http://127.0.0.1:{number}/v1/metrics", timeout=10) as answer:
            assert b"go_goroutines" in answer.read()
        for options in ((), ("--probe",)):
            port = world.why(number, *options)
            assert (port["role"], port["confidence"]) == ("metrics", "medium"), (options, brief(port), port["evidence"])
            assert "metrics.address" in port["why_this_port"] and runtime.config in port["why_this_port"], port["why_this_port"]
            assert any("no CRI service" in item["says"] for item in evidence(port, "cri")), port["evidence"]
            not_streaming = next(other["says"] for other in port["ruled_out"] if other["role"] == "cri-streaming-server")
            assert ("as no streaming server does" if options else "no CRI service") in not_streaming, not_streaming
    finally:
        world.rig.stop(runtime)


@test
def traffic_of_an_earlier_process_is_no_evidence(world):
    """a fixed port that another containerd had before: a capture from that time is no evidence for the one of now, and that is said"""
    need("tcpdump")
    number = daemons.free_port()
    path = os.path.join(world.rig.folder, "earlier.pcap")
    runtime = world.rig.containerd("earlier", stream_port=number)
    try:
        pod = runtime.pod()
        dump = daemons.Tcpdump(world.rig, path, f"tcp port {number}")
        try:
            with dump:
                with streaming.Command(runtime.client.exec(pod.container, ["echo", "hi"])) as command:
                    assert command.finish()["stdout"] == b"hi\n"
        finally:
            dump.stop()
        port = world.why(number, "--with", path)
        assert port["seen"] == 1 and "101 was answered" in evidence(port, "traffic")[0]["says"], port
        time.sleep(1.5)  # a second is granted to clocks
        runtime.restart()
        port = world.why(number, "--with", path)
        assert port["seen"] == 0, port["seen"]
        says = [item["says"] for item in evidence(port, "traffic")]
        assert len(says) == 1 and f"is from before containerd[{runtime.pid}] started" in says[0], says
    finally:
        world.rig.stop(runtime)


@test
def only_execs_without_a_client_are_accused(world):
    """PRT-04: an exec whose client has gone is found though one of another runtime has a client; live ones of containerd and of Docker are not accused"""
    one, pod = world.runtime()
    other, other_pod = world.runtime("metrics", metrics=True)
    docker = world.rig.dockerd("dockerd-execs")
    marker = f"sleep 97{os.getpid()}"
    container = docker.container()
    mine = [f"container {each[:12]}" for each in (pod.container, other_pod.container, container)]  # another rig may be up
    asleep = lambda: [pid for pid in daemons.pids() if daemons.command_line(pid) == marker.split()]
    accused = lambda: [finding["says"] for finding in world.document("ports")["findings"] if finding["code"] == "PRT-04" and any(each in finding["says"] for each in mine)]
    try:
        # Of the other containerd's two listeners neither is sure.
        with docker.exec(container, marker.split()), streaming.Command(other.client.exec(other_pod.container, marker.split())):
            daemons.wait_for("both execs", lambda: len(asleep()) == 2)
            assert accused() == []
            command = streaming.Command(one.client.exec(pod.container, marker.split()))
            try:
                daemons.wait_for("the third", lambda: len(asleep()) == 3)
                assert accused() == []
            finally:
                command.close()
            found = daemons.wait_for("what was left behind", accused)
            assert len(found) == 1 and mine[0] in found[0] and f"containerd[{one.pid}]" in found[0], found
    finally:
        daemons.end(asleep(), grace_s=0)
        world.rig.stop(docker)


@test
def why_takes_a_process(world):
    """`why PROCESS` explains the listeners of that process; what does not listen is exit status 3; nonsense is 2"""
    runtime, pod = world.runtime()
    number = runtime.stream_port(pod)
    for target in (str(runtime.pid) if runtime.pid > 65535 else None, "containerd", f"containerd[{runtime.pid}]"):
        if target:
            ports = world.document("why", target)["ports"]
            assert number in [port["local"].get("port") for port in ports if port["process"]["pid"] == runtime.pid], (target, [brief(p) for p in ports])
    done = world.run("why", daemons.free_port(), code=3)
    assert b"not listening" in done.stderr or b"listen" in done.stderr, done.stderr
    world.run("why", "127.0.0.1:99999", code=2)
    world.run("why", "/no/such.sock", code=3)
    world.run("ports", "--min-sure", "quite", code=2)


@test
def documents_match_their_schemas(world):
    """what ports, why, graph and doctor print as JSON is valid against the schema that hopscope prints"""
    try:
        import jsonschema
    except ImportError:
        raise Skip("python3-jsonschema is not installed")
    runtime, pod = world.runtime()
    for schema, argv in (("ports", ("ports", "--all", "--probe")), ("ports", ("why", runtime.stream_port(pod))), ("graph", ("graph",)), ("graph", ("graph", "--all")),
                         ("doctor", ("doctor",))):
        validator = jsonschema.Draft202012Validator(json.loads(world.run("schema", schema).stdout))
        errors = list(validator.iter_errors(world.document(*argv, code={0, 4})))
        assert not errors, f"{argv}: {errors[0].message} at {list(errors[0].path)}"


@test
def graph_in_all_forms(world):
    """the graph joins the client, the runtime, its shim and its streaming port, and dot, mermaid and text tell the same processes"""
    runtime, pod = world.runtime()
    number = runtime.stream_port(pod)
    graph = world.document("graph")
    nodes = {node["id"]: node for node in graph["nodes"]}
    me, it, shim = (f"p{pid}" for pid in (os.getpid(), runtime.pid, pod.shim()))
    assert nodes[it]["process_role"] == "containerd" and nodes[shim]["process_role"] == "containerd-shim", (nodes.get(it), nodes.get(shim))
    listener = next(node for node in nodes.values() if node["kind"] == "listener" and node.get("role") == "cri-streaming-server" and str(number) in node["id"])
    assert listener["confidence"] == "certain", listener
    edges = [(edge["from"], edge["to"], edge["kind"]) for edge in graph["edges"]]
    assert all(end in nodes for edge in edges for end in edge[:2]), "an edge to nowhere"
    assert (it, listener["id"], "listens") in edges, [edge for edge in edges if it in edge]
    ends = {frozenset(edge[:2]) for edge in edges if edge[2] in ("connected", "serves")}
    reached = lambda a, b: frozenset((a, b)) in ends or any(frozenset((a, x)) in ends and (b, x, "listens") in edges for x in nodes)
    assert reached(me, it), "the client and the runtime"
    assert reached(it, shim), "the runtime and its shim"
    dot, mermaid, text = (world.run("graph", "-o", form).stdout.decode() for form in ("dot", "mermaid", "text"))
    assert dot.startswith("digraph") and dot.count("{") == dot.count("}") and ("graph " in mermaid or "flowchart " in mermaid), (dot[:80], mermaid[:80])
    for form in (dot, mermaid, text):
        assert str(runtime.pid) in form and str(pod.shim()) in form, form[:400]
    if shutil.which("dot"):
        assert subprocess.run(["dot", "-Tsvg"], input=dot.encode(), capture_output=True).returncode == 0


@test
def arguments_alone_never_make_certain(world):
    """a decoy whose arguments are those of the real containerd is not certain to one who may not read its executable, nor is the real one then"""
    need("setpriv")
    decoy = world.rig.impostor("liar", daemons.program("containerd"))
    runtime, pod = world.runtime()
    assert world.why(decoy.port)["role"] == "unknown", "root reads the executable"
    names = ("bpf", "perfmon")
    document = world.document("why", decoy.port, "--ebpf", "require", prefix=capabilities(names), code={0, 4})
    if not document:
        raise Skip("no socket iterator on this kernel: without it the owner is not seen either")
    port = document["ports"][0]
    assert port["process"]["pid"] == decoy.pid and port["confidence"] != "certain", (brief(port), port["evidence"])
    port = world.why(runtime.stream_port(pod), "--ebpf", "require", prefix=capabilities(names))
    assert (port["role"], port["confidence"], port["process"]["pid"]) == ("cri-streaming-server", "high", runtime.pid), (brief(port), port["evidence"])


def capabilities(names, user=0):
    """A prefix that leaves root, or an ordinary user, only these capabilities."""
    these = ",".join(["-all", *("+" + name for name in names)])
    if not user:
        return ["setpriv", "--inh-caps=-all", "--bounding-set=" + these]
    return ["setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups", "--inh-caps=" + these, "--ambient-caps=" + these, "--bounding-set=" + these]


def right_but_less(world, runtime, number, **how):
    """The answer of a process that may see less: never wrong; either as good as root's, or it says what is missing."""
    document = world.document("why", number, **how)
    assert len(document["ports"]) == 1, [brief(p) for p in document["ports"]]
    port = document["ports"][0]
    assert port["local"]["port"] == number and port["reach"] == "loopback", port["local"]
    assert [owner["process"]["pid"] for owner in port["owners"] if "process" in owner] in ([], [runtime.pid]), port["owners"]
    if "process" in port:
        assert port["process"]["pid"] == runtime.pid, port["process"]
    else:
        assert port["confidence"] != "certain" or evidence(port, "cri") or evidence(port, "traffic"), brief(port)
        assert document["limits"] and document["owners_unknown"] > 0, document["limits"]
        assert any("CAP_" in limit or "root" in limit for limit in document["limits"]), document["limits"]
    return port, document


@test
def an_ordinary_user_gets_what_he_may(world):
    """an ordinary user sees the listener, not its owner, is told what is missing, and sees his own processes in full"""
    need("setpriv")
    runtime, pod = world.runtime()
    number = runtime.stream_port(pod)
    port, document = right_but_less(world, runtime, number, user=NOBODY)
    assert "process" not in port and port["confidence"] != "certain", (brief(port), port["evidence"])
    done = world.run("why", number, user=NOBODY)
    assert b"CAP_SYS_PTRACE" in done.stdout + done.stderr or b"sudo" in done.stdout + done.stderr, (done.stdout + done.stderr).decode()
    # setpriv starts a program anew: a process that only changes its user hides its descriptors even from itself. The copy
    # of the program lies where every user may run it.
    folder, mine = os.path.join(world.rig.folder, "own"), daemons.free_port()
    os.mkdir(folder)
    copy = shutil.copy(daemons.program("busybox"), folder)
    own = daemons.Daemon(world.rig, "own", ["setpriv", "--reuid", str(NOBODY), "--regid", str(NOBODY), "--clear-groups", copy, "httpd", "-f", "-p", f"127.0.0.1:{mine}"])
    try:
        own.wait_until("its port", lambda: mine in daemons.listeners(own.pid))
        assert world.why(mine, user=NOBODY)["process"]["pid"] == own.pid
    finally:
        own.stop()
    assert world.document("doctor", user=NOBODY, code={0, 4})["uid"] == NOBODY


@test
def every_capability_set_is_right(world):
    """with every set of capabilities the answer is right or says what is missing, and doctor agrees with what was seen"""
    need("setpriv")
    runtime, pod = world.runtime()
    number = runtime.stream_port(pod)
    told = []
    sets = ((), ("net_raw",), ("sys_ptrace",), ("dac_read_search",), ("sys_ptrace", "dac_read_search"), ("bpf",), ("perfmon",), ("bpf", "perfmon"),
            ("bpf", "perfmon", "net_admin"), ("bpf", "perfmon", "sys_ptrace", "dac_read_search"), ("sys_admin",),
            ("sys_admin", "sys_ptrace", "dac_read_search", "net_raw"))
    for names, user in itertools.product(sets, (0, NOBODY)):
        prefix = capabilities(names, user)
        port, document = right_but_less(world, runtime, number, prefix=prefix)
        doctor = world.document("doctor", prefix=prefix, code={0, 4})
        rows = {row["code"]: row for row in doctor["rows"]}
        owner_known = "process" in port
        # With eBPF's iterator the owner is known even where /proc hides it: doctor may say less than was seen, never more.
        assert owner_known or rows["CAP-03"]["state"] != "ok", f"{names}: doctor says {rows['CAP-03']}, the owner was not seen by {document['method']}"
        assert (rows["CAP-01"]["state"] == "ok") == ("net_raw" in names), f"{names}: {rows['CAP-01']}"
        assert all(row["state"] == "ok" or row.get("fix") and row.get("lost") for row in doctor["rows"]), doctor["rows"]
        iterator = "iter/task_file" in document["method"]
        if {"bpf", "perfmon"} <= set(names) or "sys_admin" in names:
            assert owner_known or rows["BPF-04"]["state"] != "ok", f"{names}: doctor says {rows['BPF-04']}, yet the owner was not seen by {document['method']}"
        told.append(f"{user or 'root'} {'+'.join(names) or 'none'}: {'owner' if owner_known else 'no owner'}{', iterator' if iterator else ''}")
    return "; ".join(told)


@test
def doctor_is_right_as_root(world):
    """doctor as root finds the runtimes, exits 0 or 4 as its rows say, and explains each code"""
    runtime, _ = world.runtime()
    document = world.document("doctor", code={0, 4})
    status = world.run("doctor", code={0, 4}).returncode
    missing = [row["code"] for row in document["rows"] if row["needed"] and row["state"] == "missing"]
    assert (status == 4) == bool(missing) and document["usable"] == (not missing), (status, missing)
    rows = {row["code"]: row for row in document["rows"]}
    assert rows["CAP-03"]["state"] == "ok" or not may_read_first_process(), rows["CAP-03"]
    assert "containerd" in rows["K8S-02"]["says"], rows["K8S-02"]
    for row in document["rows"]:
        if row["state"] != "ok":
            assert row.get("fix") and row.get("lost"), row
        page = world.run("doctor", row["code"], code={0, 4}).stdout.decode()
        assert row["code"] in page and len(page.splitlines()) >= 2, page
    world.run("doctor", "XYZ-99", code={2, 3})


@test
def watch_follows(world):
    """`why PORT --watch` goes on, tells a new client within two seconds, and ends with 0 at ^C"""
    runtime, pod = world.runtime()
    number = runtime.stream_port(pod)
    log = os.path.join(world.rig.folder, "watch.log")
    with open(log, "wb") as out:
        child = subprocess.Popen([world.bin, "why", str(number), "--watch=1"], stdin=subprocess.DEVNULL, stdout=out, stderr=out, env={**os.environ, "HOPSCOPE_CONFIG": "/dev/null"})
    try:
        daemons.wait_for("a first answer", lambda: str(number) in daemons.read(log), 10)
        assert child.poll() is None, daemons.read(log)
        first = len(daemons.read(log))
        command = streaming.Command(runtime.client.exec(pod.container, ["sleep", "5"]))
        try:
            daemons.wait_for("a word about the new client", lambda: len(daemons.read(log)) > first, 5)
        finally:
            command.close()
        child.send_signal(signal.SIGINT)
        assert child.wait(10) == 0, daemons.read(log)
    finally:
        if child.poll() is None:
            child.kill()
            child.wait()


@test
def watch_says_what_it_misses(world):
    """the first line of a watch says what it misses of unix sockets, and without eBPF that all are polled"""
    runtime, _ = world.runtime()
    for options, wanted in (("--ebpf", "auto"), "unix sockets: "), (("--ebpf", "off"), "polling every 1 s"):
        child = subprocess.Popen([world.bin, "why", runtime.socket, "--watch=1", "-o", "ndjson", *options], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        try:
            start = json.loads(child.stdout.readline())
        finally:
            child.send_signal(signal.SIGINT)
            child.communicate(timeout=10)
        assert start["kind"] == "watch.start" and start["method"] == ("polling" if "off" in options else start["method"]), start
        wanted = wanted if start["method"] == "eBPF" else "polling every 1 s"
        assert wanted in start["limits"][0] and "missed" in start["limits"][0], start


@test
def watch_tells_short_unix_connections(world):
    """with eBPF `why SOCKET --watch` tells 300 connections of a millisecond to a unix socket once each, with both owners, though it looks every 2 s"""
    path, log, count = os.path.join(world.rig.folder, "short.sock"), os.path.join(world.rig.folder, "short.log"), 300

    def told(kind):
        return [line for line in map(json.loads, daemons.read(log).splitlines()) if line["kind"] == kind]

    with socket.socket(socket.AF_UNIX) as listener, open(log, "wb") as out:
        listener.bind(path)
        listener.listen(16)
        child = subprocess.Popen([world.bin, "why", path, "--watch=2", "-o", "ndjson"], stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.DEVNULL)
        try:
            daemons.wait_for("the listener", lambda: '"kind":"port"' in daemons.read(log), 10)
            if told("watch.start")[0]["method"] != "eBPF":
                raise Skip("no eBPF here")
            client = subprocess.Popen([sys.executable, "-c", "import socket, sys, time\n"
                                       "for _ in range(int(sys.argv[2])):\n with socket.socket(socket.AF_UNIX) as s: s.connect(sys.argv[1]); time.sleep(0.001)", path, str(count)])
            for _ in range(count):
                listener.accept()[0].close()
            assert client.wait(10) == 0
            daemons.wait_for("their ends", lambda: daemons.read(log).count("connection.close") >= count, 10)
        finally:
            child.send_signal(signal.SIGINT)
            assert child.wait(10) == 0
    opened, closed = told("connection.open"), told("connection.close")
    assert len(opened) == len(closed) == count, (len(opened), len(closed))
    for line in opened:
        assert (line["from"]["pid"], line["to"]["pid"]) == (client.pid, os.getpid()), line
    assert told("watch.end")[0]["lost"] == 0, told("watch.end")


@test
def a_runtime_that_ends_meanwhile(world):
    """runtimes that come and go while hopscope looks: never an error, never a wrong owner"""
    runtime, pod = world.runtime()
    number = runtime.stream_port(pod)
    stop = time.monotonic() + 4
    rounds = 0
    while time.monotonic() < stop:
        children = [subprocess.Popen([daemons.program("busybox"), "true"], stdout=subprocess.DEVNULL) for _ in range(20)]
        looker = subprocess.Popen([world.bin, "ports", "--all", "-o", "json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        children += [subprocess.Popen([daemons.program("busybox"), "true"], stdout=subprocess.DEVNULL) for _ in range(60)]
        out, err = looker.communicate(timeout=30)
        for child in children:
            child.wait()
        assert looker.returncode == 0, err[-400:]
        port = next(port for port in json.loads(out)["ports"] if port["local"].get("port") == number)
        assert port["process"]["pid"] == runtime.pid and port["confidence"] == "certain", brief(port)
        rounds += 1
    return f"{rounds} rounds"


@test
def how_long_why_takes(world):
    """`why PORT` answers (its time is told here, and measured by ./dev bench)"""
    runtime, pod = world.runtime()
    number, times = runtime.stream_port(pod), []
    for _ in range(9):
        begin = time.monotonic()
        world.run("why", number)
        times.append((time.monotonic() - begin) * 1000)
    return f"median of {len(times)}: {statistics.median(times):.0f} ms, best {min(times):.0f} ms; {len(daemons.pids())} processes"


if __name__ == "__main__":
    sys.exit(testbed.run(TESTS, __doc__, World))
