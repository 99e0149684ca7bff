#include "procmap/bpf/scanner.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string_view>
#include <unordered_map>

#include "core/descriptor.h"
#include "core/limits.h"
#include "events.h"
#include "procmap/bpf/convert.h"
#include "procmap/bpf/embedded.h"
#include "procmap/bpf/object.h"
#include "procmap/kernel_numbers.h"

namespace hopscope::procmap {
namespace {

constexpr const char* kProgram = "scan_sockets";

SocketState unix_state(std::uint8_t state) {
    switch (state) {
        case 1: return SocketState::established;
        case 10: return SocketState::listen;
        // The kernel calls an unconnected unix socket closed; `ss` shows it as UNCONN.
        default: return SocketState::close;
    }
}

Transport transport_of(const hs_scanned_socket& raw) {
    if (raw.family != AF_UNIX) return raw.protocol == IPPROTO_UDP ? Transport::udp : Transport::tcp;
    if (raw.type == SOCK_DGRAM) return Transport::unix_dgram;
    return raw.type == SOCK_SEQPACKET ? Transport::unix_seqpacket : Transport::unix_stream;
}

Socket socket_of(const hs_scanned_socket& raw, std::string_view name) {
    Socket socket;
    socket.transport = transport_of(raw);
    socket.inode = raw.inode;
    socket.net_namespace = raw.net_namespace;
    socket.receive_queue_bytes = raw.receive_queue;
    socket.send_queue_bytes = raw.send_queue;
    if (raw.family == AF_UNIX) {
        socket.state = unix_state(raw.state);
        socket.unix_local = {unix_path(name), raw.inode};
        socket.unix_peer_inode = raw.peer_inode;
        if (raw.file_inode != 0) {
            socket.file_inode = raw.file_inode;
            socket.file_device = file_device_of(raw.file_device);
        }
    } else {
        socket.state = state_of_number(raw.state);
        socket.local = endpoint_of(raw.local, raw.local_port);
        socket.remote = endpoint_of(raw.remote, raw.remote_port);
        socket.v6_only = raw.v6_only != 0 && socket.state == SocketState::listen;
    }
    return socket;
}

}  // namespace

struct Scanner::State {
    BpfObject object;
    std::vector<std::uint8_t> buffer;   // of one read
    std::vector<std::uint8_t> pending;  // begin of a record whose end comes with the next read
    std::size_t last_count = 0;         // sockets of the last pass: about as many come again
};

Scanner::Scanner(std::unique_ptr<State> state) : state_(std::move(state)) {}
Scanner::~Scanner() = default;

Result<std::unique_ptr<Scanner>> Scanner::open() {
    auto object = BpfObject::load("hopscope_scan", bpf_object_scan());
    if (!object) return unexpected(std::move(object.error()));
    auto state = std::make_unique<State>(State{.object = std::move(*object)});
    if (Status attached = state->object.attach(kProgram); !attached) return unexpected(std::move(attached.error()));
    state->buffer.resize(limits::kScanReadBytes);
    return std::unique_ptr<Scanner>(new Scanner(std::move(state)));
}

Result<std::vector<Socket>> Scanner::scan() {
    const Descriptor pass(bpf_iter_create(bpf_link__fd(state_->object.link(kProgram))));
    if (pass.get() < 0) return unexpected(bpf_error("cannot read sockets", "iter/task_file", errno));
    std::vector<Socket> sockets;
    sockets.reserve(state_->last_count + state_->last_count / 8);
    std::unordered_map<std::uint64_t, std::size_t> known;  // kernel's object → index
    known.reserve(sockets.capacity());
    std::vector<std::uint8_t>& pending = state_->pending;
    pending.clear();
    while (true) {
        const ssize_t got = ::read(pass.get(), state_->buffer.data(), state_->buffer.size());
        if (got < 0 && (errno == EINTR || errno == EAGAIN)) continue;
        if (got < 0) return unexpected(bpf_error("cannot read sockets", "iter/task_file", errno));
        if (got == 0) break;
        pending.insert(pending.end(), state_->buffer.begin(), state_->buffer.begin() + got);
        std::size_t at = 0;
        while (pending.size() - at >= sizeof(hs_scanned_socket)) {
            hs_scanned_socket raw;
            std::memcpy(&raw, pending.data() + at, sizeof raw);
            if (pending.size() - at - sizeof raw < raw.path_bytes) break;
            const std::string_view name(reinterpret_cast<const char*>(pending.data()) + at + sizeof raw,
                                        raw.path_bytes);
            at += sizeof raw + raw.path_bytes;
            auto [place, is_new] = known.try_emplace(raw.sk, sockets.size());
            // An address is used again when a socket ends and another begins while we read.
            if (!is_new && sockets[place->second].inode != raw.inode) {
                place->second = sockets.size();
                is_new = true;
            }
            if (is_new) {
                if (sockets.size() >= limits::kScanSocketsMax) continue;
                sockets.push_back(socket_of(raw, name));
            }
            std::vector<SocketOwner>& owners = sockets[place->second].owners;
            if (owners.size() < limits::kOwnersPerSocketMax)
                owners.push_back({.process = {.pid = raw.pid, .start_ticks = 0}, .fd = raw.fd});
        }
        pending.erase(pending.begin(), pending.begin() + static_cast<std::ptrdiff_t>(at));
    }
    state_->last_count = sockets.size();
    return sockets;
}

}  // namespace hopscope::procmap
