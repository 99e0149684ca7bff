#include "export/node_fixture.h"

#include "core/untrusted.h"
#include "export/fixture.h"

namespace hopscope::exports::test {

using chain::Graph;
using chain::GraphEdge;
using chain::GraphNode;
using chain::Judgement;
using chain::Severity;
using chain::Verdict;

namespace {

chain::Process process(std::uint32_t pid, std::string_view comm, std::string_view exe) {
    // Started one after the other; the first process with the boot, of which it is not told.
    const Timestamp start = pid == 1 ? Timestamp() : at(static_cast<double>(pid) / 1000 - 600);
    return {.pid = pid, .comm = Untrusted(comm), .exe = Untrusted(exe), .start = start};
}

chain::Owner owner(chain::Process who, const char* role, std::uint32_t fd) {
    chain::Owner made;
    made.process = std::move(who);
    made.process_role = role;
    made.fd = fd;
    return made;
}

Verdict shim_server() {
    Verdict verdict;
    verdict.local = endpoint("127.0.0.1", 35751);
    verdict.inode = 52113;
    verdict.net_namespace = 4026531840;
    verdict.owners.push_back(owner(process(10107, "kubelet", "/usr/bin/kubelet"), "kubelet", 17));
    verdict.role = "cri-streaming-server";
    verdict.component = "dockershim";
    verdict.confidence = "certain";
    verdict.reach = "loopback";
    verdict.title = "the CRI streaming server of the Docker shim inside kubelet[10107]";
    verdict.short_why = "dockershim in kubelet; port 0 = random";
    verdict.what_it_does =
        "kubectl exec, attach and port-forward end here. kubelet asks the shim for a URL, gets "
        "http://127.0.0.1:35751/exec/<token>, and relays the API server's stream to it.";
    verdict.why_this_port =
        "No flag sets it: the shim listens on port 0 and the kernel picks a free one (net.ipv4.ip_local_port_range "
        "32768-60999). It changes with every kubelet start.";
    verdict.why_404 =
        "It knows only /exec/, /attach/ and /portforward/ plus a token that lives 60 s. /metrics and /healthz answer "
        "\"404: Page Not Found\", that is normal.";
    verdict.who_can_reach = "Loopback only. Any local process with a live token can use it: there is no other login.";
    verdict.evidence = {
        {.grade = Grade::decoded,
         .says = "LISTEN inode 52113 is fd 17 of kubelet[10107]",
         .source = "/proc/10107/fd/17",
         .id = "owner"},
        {.grade = Grade::decoded,
         .says = "kubelet v1.18.9, --container-runtime=docker: has the shim",
         .source = "/proc/10107/cmdline",
         .id = "version"},
        {.grade = Grade::seen,
         .says = "bound after start, loopback, in the ephemeral range",
         .source = "/proc/net/tcp",
         .id = "behaviour"},
        {.grade = Grade::decoded,
         .says = "12 × POST /exec/<token> → 101 SPDY/3.1 from kubelet itself",
         .frame = 88,
         .id = "traffic"},
        {.grade = Grade::inferred, .says = "not done", .id = "probe"},
    };
    verdict.ruled_out = {{"kubelet-healthz", "healthzPort is 10248"}, {"pprof", ""}};
    chain::Peer peer;
    peer.process = process(10107, "kubelet", "/usr/bin/kubelet");
    peer.process_role = "kubelet";
    peer.from = endpoint("127.0.0.1", 54766);
    peer.fd = 33;
    peer.state = "established";
    verdict.peers.push_back(peer);
    verdict.execs.push_back({.container_id = "34ad62f8a1b2c3d4e5f60718293a4b5c6d7e8f90a1b2c3d4e5f60718293a4b5c",
                             .exec_id = "f00d62f8a1b2c3d4e5f60718293a4b5c6d7e8f90a1b2c3d4e5f60718293a4b5c",
                             .k8s = {.namespace_ = Untrusted("default"),
                                     .pod = Untrusted("web-0"),
                                     .container = Untrusted("main"),
                                     .uid = {}}});
    verdict.seen = 12;
    return verdict;
}

Verdict read_only() {
    Verdict verdict;
    verdict.local = endpoint("::", 10255);
    verdict.owners.push_back(owner(process(10107, "kubelet", "/usr/bin/kubelet"), "kubelet", 19));
    verdict.role = "kubelet-read-only";
    verdict.component = "kubelet";
    verdict.confidence = "certain";
    verdict.reach = "world";
    verdict.title = "the kubelet's read-only API";
    verdict.short_why = "readOnlyPort";
    verdict.remedy = "readOnlyPort: 0 in the kubelet configuration, then restart kubelet";
    verdict.findings = {"KUB-03"};
    chain::Peer peer;
    peer.from = endpoint("10.4.0.7", 40110);
    peer.state = "established";
    verdict.peers.push_back(peer);
    return verdict;
}

Verdict docker_socket() {
    Verdict verdict;
    verdict.transport = Transport::unix_stream;
    verdict.unix_path = "/var/run/docker.sock";
    verdict.inode = 20111;
    verdict.owners.push_back(owner(process(1, "systemd", "/usr/lib/systemd/systemd"), "", 41));
    verdict.owners.push_back(owner(process(1186, "dockerd", "/usr/bin/dockerd"), "dockerd", 3));
    verdict.role = "docker-api";
    verdict.component = "docker";
    verdict.confidence = "high";
    verdict.reach = "node";
    verdict.title = "dockerd's API";
    verdict.short_why = "default socket; peer of kubelet[10107] fd 33";
    chain::Peer peer;
    peer.process = process(10107, "kubelet", "/usr/bin/kubelet");
    peer.process_role = "kubelet";
    peer.inode = 157937;
    peer.fd = 33;
    verdict.peers.push_back(peer);
    return verdict;
}

Verdict unknown_in_pod() {
    Verdict verdict;
    verdict.local = endpoint("127.0.0.1", 41555);
    chain::Owner in_pod = owner(process(20200, "python3", ""), "container", 3);
    in_pod.container_id = "34ad62f8a1b2c3d4e5f60718293a4b5c6d7e8f90a1b2c3d4e5f60718293a4b5c";
    in_pod.k8s = {.namespace_ = Untrusted("default"),
                  .pod = Untrusted("web-0"),
                  .container = Untrusted("main"),
                  .uid = Untrusted("5cf1cf1d")};
    verdict.owners.push_back(in_pod);
    verdict.role = "unknown";
    verdict.confidence = "low";
    verdict.reach = "pod-network";
    verdict.title = "a listener of unknown purpose";
    return verdict;
}

}  // namespace

Judgement node_judgement() {
    Judgement judgement;
    judgement.verdicts = {shim_server(), read_only(), docker_socket(), unknown_in_pod()};
    Verdict udp;
    udp.transport = Transport::udp;
    udp.local = endpoint("0.0.0.0", 8472);
    udp.role = "unknown";
    udp.confidence = "low";
    judgement.verdicts.push_back(udp);
    judgement.findings.push_back(
        {.code = "KUB-03",
         .severity = Severity::warning,
         .says = "kubelet serves pods, stats and metrics on *:10255 to anybody who can connect",
         .remedy = "readOnlyPort: 0 in the kubelet configuration, then restart kubelet",
         .listener = chain::id_of(judgement.verdicts[1])});
    return judgement;
}

Judgement hostile_judgement() {
    const std::string text(kHostile), utf8 = text.substr(0, text.size() - 1);  // our own words are never other bytes
    Judgement judgement;
    for (const Transport transport : {Transport::tcp, Transport::unix_seqpacket, Transport::unix_dgram}) {
        Verdict verdict;
        verdict.transport = transport;
        if (transport == Transport::tcp) {
            verdict.local = endpoint("127.0.0.1", 1);
        } else {
            verdict.unix_path = "/run/" + text;
        }
        chain::Owner held = owner(process(7, text, "/opt/" + text), "container", 3);
        held.container_id = text;
        held.k8s = {.namespace_ = Untrusted(text),
                    .pod = Untrusted(text),
                    .container = Untrusted(text),
                    .uid = Untrusted(text)};
        verdict.owners = {held, held};
        verdict.owners[1].process.pid = 8;
        verdict.role = utf8;
        verdict.component = text;
        verdict.confidence = "medium";
        verdict.reach = "node";
        verdict.title = text;
        verdict.short_why = verdict.what_it_does = verdict.why_this_port = verdict.why_404 = verdict.who_can_reach =
            verdict.remedy = text;
        verdict.evidence.push_back({.grade = Grade::seen, .says = text, .source = text, .id = "owner"});
        verdict.ruled_out.push_back({utf8, text});
        chain::Peer peer;
        peer.process = process(9, text, text);
        peer.inode = 5;
        peer.state = utf8;
        verdict.peers.push_back(peer);
        verdict.execs.push_back({.container_id = text, .exec_id = text, .k8s = held.k8s});
        verdict.findings.push_back("PRT-99");
        judgement.verdicts.push_back(verdict);
    }
    judgement.findings.push_back({.code = "PRT-99", .severity = Severity::error, .says = text, .remedy = text});
    return judgement;
}

Graph node_graph() {
    Graph graph;
    GraphNode kubelet{
        .kind = GraphNode::Kind::process, .id = "p10107", .process_role = "kubelet", .label = "kubelet[10107]"};
    kubelet.process = process(10107, "kubelet", "/usr/bin/kubelet");
    GraphNode docker{
        .kind = GraphNode::Kind::process, .id = "p1186", .process_role = "dockerd", .label = "dockerd[1186]"};
    docker.process = process(1186, "dockerd", "/usr/bin/dockerd");
    GraphNode shell{
        .kind = GraphNode::Kind::process, .id = "p17801", .process_role = "container", .label = "sh[17801]"};
    shell.process = process(17801, "sh", "/bin/sh");
    shell.container_id = "34ad62f8a1b2c3d4e5f60718293a4b5c6d7e8f90a1b2c3d4e5f60718293a4b5c";
    shell.k8s = {.namespace_ = Untrusted("default"),
                 .pod = Untrusted("web-0"),
                 .container = Untrusted("main"),
                 .uid = Untrusted("u1")};
    const GraphNode api{.kind = GraphNode::Kind::listener,
                        .id = "l*:10250",
                        .label = "*:10250",
                        .role = "kubelet-api",
                        .confidence = "certain"};
    const GraphNode socket{.kind = GraphNode::Kind::listener,
                           .id = "l/var/run/docker.sock",
                           .label = "/var/run/docker.sock",
                           .role = "docker-api",
                           .confidence = "high"};
    const GraphNode remote{.kind = GraphNode::Kind::remote, .id = "r10.0.0.2", .label = "10.0.0.2"};
    GraphNode exec{.kind = GraphNode::Kind::exec, .id = "xf00d62f8a1b2", .label = "exec f00d62f8a1b2"};
    exec.container_id = shell.container_id;
    exec.k8s = shell.k8s;
    graph.nodes = {api, socket, kubelet, docker, shell, remote, exec};
    graph.edges = {
        {.kind = GraphEdge::Kind::listens, .from = "p10107", .to = "l*:10250", .says = "fd 21"},
        {.kind = GraphEdge::Kind::listens, .from = "p1186", .to = "l/var/run/docker.sock", .says = "fd 3"},
        {.kind = GraphEdge::Kind::connected,
         .from = "p10107",
         .to = "l/var/run/docker.sock",
         .says = "unix, inode 157937 and 157387",
         .count = 3},
        {.kind = GraphEdge::Kind::connected,
         .from = "r10.0.0.2",
         .to = "l*:10250",
         .says = "10.0.0.2:37870 to :10250, established"},
        {.kind = GraphEdge::Kind::serves,
         .from = "p1186",
         .to = "p17801",
         .says = "container",
         .grade = Grade::inferred},
        {.kind = GraphEdge::Kind::serves, .from = "p1186", .to = "xf00d62f8a1b2", .says = "holds its FIFOs, fd 20"},
        {.kind = GraphEdge::Kind::parent, .from = "p1186", .to = "p17801"},
    };
    return graph;
}

Graph hostile_graph() {
    const std::string text(kHostile), utf8 = text.substr(0, text.size() - 1);
    Graph graph;
    GraphNode bad{.kind = GraphNode::Kind::process, .id = "p" + text, .process_role = utf8, .label = text};
    bad.process = process(7, text, text);
    bad.k8s = {
        .namespace_ = Untrusted(text), .pod = Untrusted(text), .container = Untrusted(text), .uid = Untrusted(text)};
    bad.container_id = text;
    const GraphNode socket{.kind = GraphNode::Kind::listener,
                           .id = "l" + text,
                           .label = "/run/" + text,
                           .role = utf8,
                           .confidence = "low"};
    GraphNode exec{.kind = GraphNode::Kind::exec, .id = "x" + text, .label = text};
    exec.container_id = text;
    exec.k8s = bad.k8s;
    graph.nodes = {bad, socket, exec};
    graph.edges = {{.kind = GraphEdge::Kind::listens, .from = bad.id, .to = socket.id, .says = text},
                   {.kind = GraphEdge::Kind::serves, .from = bad.id, .to = exec.id, .says = text},
                   {.kind = GraphEdge::Kind::connected, .from = bad.id, .to = "nowhere" + text, .says = text}};
    return graph;
}

bool only_printable(const std::string& text) {
    std::size_t begin = 0;
    while (begin < text.size()) {
        const std::size_t end = std::min(text.find('\n', begin), text.size());
        const std::string line = text.substr(begin, end - begin);
        if (display(line) != line) return false;
        begin = end + 1;
    }
    return true;
}

}  // namespace hopscope::exports::test
