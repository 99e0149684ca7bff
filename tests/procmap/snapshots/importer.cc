#include "importer.h"

#include <algorithm>
#include <fstream>
#include <map>
#include <regex>
#include <sstream>
#include <stdexcept>
#include <utility>
#include <vector>

namespace hopscope::test {
namespace {

using Words = std::vector<std::string>;
using Descriptor = std::pair<std::uint32_t, std::uint32_t>;  // pid, fd

std::vector<std::string> lines_of(const std::string& folder, const std::string& name) {
    std::ifstream file(folder + "/" + name);
    std::vector<std::string> lines;
    for (std::string line; std::getline(file, line);)
        if (!line.empty() && line[0] != '#' && !line.starts_with("State") && !line.starts_with("Netid"))
            lines.push_back(line);
    return lines;
}

Words words_of(const std::string& line) {
    std::istringstream in(line);
    Words words;
    for (std::string word; in >> word;) words.push_back(word);
    return words;
}

std::uint32_t number(const std::string& text) { return static_cast<std::uint32_t>(std::stoul(text)); }

SocketState state_of(const std::string& word) {
    static const std::map<std::string, SocketState> states{
        {"LISTEN", SocketState::listen},         {"ESTAB", SocketState::established},
        {"CLOSE-WAIT", SocketState::close_wait}, {"TIME-WAIT", SocketState::time_wait},
        {"UNCONN", SocketState::close},
    };
    return states.at(word);
}

// "127.0.0.1:80", "[::1]:80", "*:80" (all addresses of both families).
Endpoint endpoint_of(const std::string& text) {
    const std::size_t colon = text.rfind(':');
    std::string address = text.substr(0, colon);
    if (address == "*") address = "::";
    if (address.front() == '[') address = address.substr(1, address.size() - 2);
    const auto parsed = IpAddress::parse(address);
    if (!parsed) throw std::runtime_error("no endpoint: " + text);
    const std::string port = text.substr(colon + 1);
    return {*parsed, port == "*" ? std::uint16_t{0} : static_cast<std::uint16_t>(number(port))};
}

class Importer {
public:
    explicit Importer(const std::string& folder) : folder_(folder) {}

    Node run() {
        read_descriptors();
        for (const char* file : {"xlp.txt", "xp.txt"})
            for (const std::string& line : lines_of(folder_, file)) add_unix(line);
        for (const char* file : {"tlnp.txt", "tnp.txt"})
            for (const std::string& line : lines_of(folder_, file)) add_tcp(line);
        number_listeners();
        add_processes();
        node_.table.method = "a snapshot of ss";
        node_.host_net_namespace = 1;
        return std::move(node_);
    }

private:
    void read_descriptors() {
        static const std::regex fd_line(R"((\d+) -> socket:\[(\d+)\])");
        std::uint32_t pid = 0;
        for (const std::string& line : lines_of(folder_, "fds.txt")) {
            std::smatch found;
            if (line.starts_with("== "))
                pid = number(words_of(line).at(1));
            else if (std::regex_match(line, found, fd_line))
                inodes_[{pid, number(found[1])}] = std::stoull(found[2]);
            else
                throw std::runtime_error("fds.txt: " + line);
        }
    }

    void add_owners(Socket& socket, const std::string& line) {
        static const std::regex owner(R"re(\("([^"]*)",pid=(\d+),fd=(\d+)\))re");
        for (auto at = std::sregex_iterator(line.begin(), line.end(), owner); at != std::sregex_iterator(); ++at) {
            const std::uint32_t pid = number((*at)[2]), fd = number((*at)[3]);
            socket.owners.push_back({{pid, 1}, fd});
            names_[pid] = (*at)[1];
            if (const auto known = inodes_.find({pid, fd}); known != inodes_.end()) {
                if (socket.inode != 0 && socket.inode != known->second)
                    throw std::runtime_error("ss and the descriptor list differ: " + line);
                socket.inode = known->second;
            }
        }
        std::sort(socket.owners.begin(), socket.owners.end());
        node_.table.owners_unknown += socket.owners.empty() ? 1 : 0;
    }

    // Netid State Recv-Q Send-Q PATH INODE * PEER users:(…) <-> ino:N dev:A/B
    void add_unix(const std::string& line) {
        static const std::map<std::string, Transport> kinds{
            {"u_str", Transport::unix_stream}, {"u_dgr", Transport::unix_dgram}, {"u_seq", Transport::unix_seqpacket}};
        static const std::regex file_numbers(R"( ino:(\d+) dev:(\d+)/(\d+))");
        const Words words = words_of(line);
        Socket socket;
        socket.transport = kinds.at(words.at(0));
        socket.state = state_of(words.at(1));
        socket.net_namespace = 1;
        socket.inode = socket.unix_local.inode = std::stoull(words.at(5));
        socket.unix_peer_inode = std::stoull(words.at(7));
        if (words[4] != "*") socket.unix_local.path = words[4];
        std::smatch found;
        if (std::regex_search(line, found, file_numbers)) {
            socket.file_inode = std::stoull(found[1]);
            socket.file_device = std::stoull(found[2]) << 20 | std::stoull(found[3]);
        }
        add_owners(socket, line);
        node_.table.sockets.push_back(std::move(socket));
    }

    // State Recv-Q Send-Q LOCAL REMOTE users:(…) … ino:N
    void add_tcp(const std::string& line) {
        static const std::regex inode(R"( ino:(\d+))");
        const Words words = words_of(line);
        Socket socket;
        socket.state = state_of(words.at(0));
        socket.net_namespace = 1;
        socket.local = endpoint_of(words.at(3));
        if (socket.state != SocketState::listen) socket.remote = endpoint_of(words.at(4));
        socket.receive_queue_bytes = number(words[1]);
        socket.send_queue_bytes = number(words[2]);
        std::smatch found;
        if (std::regex_search(line, found, inode)) socket.inode = std::stoull(found[1]);
        add_owners(socket, line);
        // `ss -tnp` of one snapshot repeats the listeners of `ss -tlnp`.
        const bool again =
            std::any_of(node_.table.sockets.begin(), node_.table.sockets.end(), [&](const Socket& other) {
                return other.transport == Transport::tcp && other.local == socket.local &&
                       other.remote == socket.remote;
            });
        if (!again) node_.table.sockets.push_back(std::move(socket));
    }

    // `ss -xlp` does not tell the files of listeners; what they accepted, in `ss -xpe`, has the same name and file.
    void number_listeners() {
        for (Socket& listener : node_.table.sockets)
            for (const Socket& accepted : node_.table.sockets)
                if (listener.file_inode == 0 && !listener.unix_local.path.empty() && accepted.file_inode != 0 &&
                    accepted.unix_local.path == listener.unix_local.path) {
                    listener.file_inode = accepted.file_inode;
                    listener.file_device = accepted.file_device;
                }
    }

    void add_processes() {
        std::map<std::uint32_t, Process> processes;
        for (const std::string& line : lines_of(folder_, "cmdlines.txt")) {
            const Words words = words_of(line);
            Process& process = processes[number(words.at(0))];
            process.parent_pid = number(words.at(1));
            for (std::size_t i = 2; i < words.size(); ++i) process.cmdline.emplace_back(words[i]);
        }
        for (const auto& [pid, name] : names_) processes[pid].comm = Untrusted(name);
        static const std::map<std::string, ProcessRole> roles{
            {"kubelet", ProcessRole::kubelet},         {"containerd", ProcessRole::containerd},
            {"dockerd", ProcessRole::dockerd},         {"containerd-shim-runc-v2", ProcessRole::containerd_shim},
            {"cri-dockerd", ProcessRole::cri_dockerd},
        };
        for (auto& [pid, process] : processes) {
            process.id = {pid, 1};
            process.net_namespace = 1;
            if (!process.cmdline.empty()) {
                const std::string& program = process.cmdline.front().raw();
                process.exe = Untrusted(
                    program.starts_with('/') ? program : "/usr/bin/" + program.substr(program.rfind('/') + 1));
                if (const auto role = roles.find(program.substr(program.rfind('/') + 1)); role != roles.end()) {
                    process.role = role->second;
                    process.role_proof = {"a snapshot says so"};
                }
            }
            node_.table.processes.push_back(process);
        }
    }

    std::string folder_;
    Node node_;
    std::map<Descriptor, std::uint64_t> inodes_;
    std::map<std::uint32_t, std::string> names_;
};

}  // namespace

Node import_snapshot(const std::string& name) {
    return Importer(std::string(HOPSCOPE_SOURCE_DIR) + "/testdata/snapshots/" + name).run();
}

}  // namespace hopscope::test
