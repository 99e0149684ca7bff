// Builds a Node for tests, line by line.
#pragma once

#include <algorithm>
#include <initializer_list>
#include <random>
#include <string>
#include <vector>

#include "chain/verdict.h"
#include "core/node.h"

namespace hopscope::chain::test {

inline Endpoint ep(std::string_view text) {
    const std::size_t colon = text.rfind(':');
    std::string_view host = text.substr(0, colon);
    if (host.starts_with('[')) host = host.substr(1, host.size() - 2);
    if (host == "*") host = "::";
    return {.address = IpAddress::parse(host).value(),
            .port = static_cast<std::uint16_t>(std::stoi(std::string(text.substr(colon + 1))))};
}

class NodeStory {
public:
    static constexpr std::uint64_t kHost = 4026531840, kPod = 4026532451;

    NodeStory() { node.host_net_namespace = kHost; }

    hopscope::Process& process(std::uint32_t pid, ProcessRole role, std::string_view comm, std::string version = {},
                               std::vector<std::string> arguments = {}) {
        hopscope::Process process;
        process.id = {pid, pid * 100ULL};
        process.comm = Untrusted(comm.substr(0, 15));
        process.exe = Untrusted("/usr/bin/" + std::string(comm));
        process.role = role;
        if (role != ProcessRole::unknown) process.role_proof = {"its executable is that program"};
        process.version = std::move(version);
        process.net_namespace = kHost;
        for (const std::string& word : arguments) process.cmdline.emplace_back(word);
        auto& all = node.table.processes;
        const auto at = std::find_if(all.begin(), all.end(), [&](const auto& other) { return other.id.pid > pid; });
        return *all.insert(at, process);
    }

    // Of the pod default/web-0.
    void container(std::string id, std::string_view name, std::string sandbox_id = {}) {
        node.containers.push_back({.id = std::move(id),
                                   .sandbox_id = std::move(sandbox_id),
                                   .runtime = "containerd",
                                   .name = Untrusted(name),
                                   .pod = Untrusted("web-0"),
                                   .namespace_ = Untrusted("default"),
                                   .pod_uid = {},
                                   .source = {}});
    }

    ComponentConfig& config(std::uint32_t pid) {
        for (ComponentConfig& config : node.configs)
            if (config.process.pid == pid) return config;
        ComponentConfig& config = node.configs.emplace_back();
        const hopscope::Process* process = find_process(node.table, pid);
        config.process = process->id;
        config.role = process->role;
        return config;
    }
    // line 0 and no source: the default.
    void set(std::uint32_t pid, std::string key, std::string_view value, std::string_view source = {},
             std::uint32_t line = 0) {
        config(pid).values.push_back({.key = std::move(key),
                                      .value = Untrusted(value),
                                      .source = Untrusted(source),
                                      .line = line,
                                      .is_default = source.empty()});
    }

    std::uint64_t listen(std::string_view local, std::uint32_t pid, std::uint32_t fd = 7,
                         std::uint64_t net_namespace = kHost) {
        Socket socket;
        socket.state = SocketState::listen;
        socket.net_namespace = net_namespace;
        socket.local = ep(local);
        return add(std::move(socket), pid, fd);
    }
    std::uint64_t udp(std::string_view local, std::uint32_t pid) {
        Socket socket;
        socket.transport = Transport::udp;
        socket.net_namespace = kHost;
        socket.local = ep(local);
        return add(std::move(socket), pid, 5);
    }
    // One end of a TCP connection.
    std::uint64_t end(std::string_view local, std::string_view remote, std::uint32_t pid, std::uint32_t fd = 20,
                      SocketState state = SocketState::established) {
        Socket socket;
        socket.state = state;
        socket.net_namespace = kHost;
        socket.local = ep(local);
        socket.remote = ep(remote);
        return add(std::move(socket), pid, fd);
    }
    std::uint64_t listen_unix(std::string_view path, std::uint32_t pid, std::uint64_t device = 0,
                              std::uint64_t inode = 0, Transport transport = Transport::unix_stream) {
        Socket socket;
        socket.transport = transport;
        socket.state = SocketState::listen;
        socket.net_namespace = kHost;
        socket.unix_local.path = path;
        socket.file_device = device;
        socket.file_inode = inode;
        return add(std::move(socket), pid, 9);
    }
    // A connection to a listener at `path`; returns the inode of the client's end.
    std::uint64_t connect_unix(std::string_view path, std::uint32_t server, std::uint32_t client,
                               std::uint32_t client_fd, std::uint64_t device = 0, std::uint64_t inode = 0) {
        Socket from;
        from.transport = Transport::unix_stream;
        from.state = SocketState::established;
        from.net_namespace = kHost;
        Socket to = from;
        to.unix_local.path = path;
        to.file_device = device;
        to.file_inode = inode;
        const std::uint64_t from_inode = add(std::move(from), client, client_fd);
        const std::uint64_t to_inode = add(std::move(to), server, 30);
        socket(from_inode).unix_peer_inode = to_inode;
        socket(to_inode).unix_peer_inode = from_inode;
        return from_inode;
    }
    Socket& socket(std::uint64_t inode) {
        for (Socket& socket : node.table.sockets)
            if (socket.inode == inode) return socket;
        throw std::out_of_range("no such socket");
    }
    void own(std::uint64_t inode, std::uint32_t pid, std::uint32_t fd) {
        const hopscope::Process* process = find_process(node.table, pid);
        socket(inode).owners.push_back({process ? process->id : ProcessId{pid, 0}, fd});
    }
    // The answers of a CRI streaming server.
    void probe_streaming(std::string_view local, const std::string& prefix = {}) {
        ProbeAnswer answer;
        answer.endpoint = ep(local);
        answer.lines.push_back({.request = "PUT " + prefix + "/exec/x",
                                .status = 405,
                                .nosniff = false,
                                .allow = Untrusted("GET, POST"),
                                .body = Untrusted("405: Method Not Allowed")});
        answer.lines.push_back({.request = "GET /",
                                .status = 404,
                                .nosniff = false,
                                .allow = {},
                                .body = Untrusted("404: Page Not Found")});
        answer.lines.push_back({.request = "GET " + prefix + "/exec/x",
                                .status = 404,
                                .nosniff = true,
                                .allow = {},
                                .body = Untrusted("404 page not found\n")});
        node.probes.push_back(std::move(answer));
    }

    // --- usual parts
    void containerd(std::uint32_t pid = 2685, std::string port = "0", std::string version = "1.6.20") {
        process(pid, ProcessRole::containerd, "containerd", std::move(version));
        set(pid, "stream_server_address", "127.0.0.1");
        set(pid, "stream_server_port", port, "/etc/containerd/config.toml", 12);
        set(pid, "grpc.address", "/run/containerd/containerd.sock");
        set(pid, "ttrpc.address", "/run/containerd/containerd.sock.ttrpc");
    }
    void kubelet(std::uint32_t pid = 5714, std::string version = "1.26.3") {
        process(pid, ProcessRole::kubelet, "kubelet", std::move(version));
        set(pid, "address", "0.0.0.0");
        set(pid, "port", "10250");
        set(pid, "healthzPort", "10248", "/var/lib/kubelet/config.yaml", 12);
        set(pid, "healthzBindAddress", "127.0.0.1");
        set(pid, "readOnlyPort", "0");
        set(pid, "authentication.anonymous.enabled", "false");
        set(pid, "authorization.mode", "Webhook");
    }

    Judgement judge(const Model* traffic = nullptr) const { return chain::judge(node, traffic); }
    Node node;

private:
    std::uint64_t add(Socket socket, std::uint32_t pid, std::uint32_t fd) {
        socket.inode = next_inode_++;
        if (is_unix_socket(socket)) socket.unix_local.inode = socket.inode;
        node.table.sockets.push_back(std::move(socket));
        const std::uint64_t inode = node.table.sockets.back().inode;
        if (pid != 0) own(inode, pid, fd);
        return inode;
    }
    static bool is_unix_socket(const Socket& socket) {
        return socket.transport != Transport::tcp && socket.transport != Transport::udp;
    }
    std::uint64_t next_inode_ = 52113;
};

inline const Verdict& at(const Judgement& judgement, std::string_view where) {
    for (const Verdict& verdict : judgement.verdicts)
        if (where.find(':') != std::string_view::npos && where.front() != '/' && where.front() != '@'
                ? verdict.unix_path.empty() && verdict.local == ep(where)
                : verdict.unix_path == where)
            return verdict;
    throw std::out_of_range("no verdict at " + std::string(where));
}
inline std::string summary(const Verdict& verdict) {
    return verdict.role + " " + verdict.component + " " + verdict.confidence;
}

inline std::string words(const Verdict& verdict, std::string_view id) {
    std::string all;
    for (const Evidence& each : verdict.evidence)
        if (each.id == id) all += each.says + (each.source.empty() ? "" : " {" + each.source + "}") + "\n";
    return all;
}
inline std::string ruled_out(const Verdict& verdict, std::string_view role) {
    for (const RuledOut& each : verdict.ruled_out)
        if (each.role == role) return each.says;
    return {};
}
inline const Finding* finding(const Judgement& judgement, std::string_view code) {
    for (const Finding& each : judgement.findings)
        if (each.code == code) return &each;
    return nullptr;
}
// Everything that is said, for comparing and for looking for what must not be said.
inline std::string everything(const Judgement& judgement) {
    std::string all;
    for (const Verdict& v : judgement.verdicts) {
        all += to_string(v.local) + v.unix_path + "|" + std::to_string(v.inode) + "|" + summary(v) + "|" + v.reach +
               "|" + v.title + "|" + v.what_it_does + "|" + v.why_this_port + "|" + v.why_404 + "|" + v.who_can_reach +
               "|" + v.remedy + "|" + v.short_why + "\n";
        for (const Evidence& each : v.evidence)
            all +=
                "  " + each.id + " " + std::string(to_string(each.grade)) + " " + each.says + " " + each.source + "\n";
        for (const RuledOut& each : v.ruled_out) all += "  not " + each.role + ": " + each.says + "\n";
        for (const Owner& each : v.owners)
            all += "  owner " + std::to_string(each.process.pid) + " fd " + std::to_string(each.fd) + "\n";
        for (const Peer& each : v.peers)
            all += "  peer " + std::to_string(each.process.pid) + " fd " + std::to_string(each.fd) + " " +
                   each.process_role + " " + std::to_string(each.inode) +
                   (each.from ? " " + to_string(*each.from) : "") + " " + each.state + "\n";
        for (const std::string& code : v.findings) all += "  " + code + "\n";
    }
    for (const Finding& each : judgement.findings)
        all += each.code + " " + std::string(to_string(each.severity)) + " " + each.says + " -> " + each.remedy + "\n";
    return all;
}

}  // namespace hopscope::chain::test
