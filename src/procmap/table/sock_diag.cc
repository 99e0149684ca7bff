#include "procmap/table/sock_diag.h"

#include <arpa/inet.h>
#include <libmnl/libmnl.h>
#include <linux/inet_diag.h>
#include <linux/sock_diag.h>
#include <linux/unix_diag.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <span>
#include <unordered_map>
#include <utility>

#include "core/limits.h"
#include "procmap/kernel_numbers.h"

namespace hopscope::procmap {
namespace {

constexpr std::size_t kAnswerBytes = 32 * 1024;      // what the kernel fills of one read at most
constexpr std::size_t kSocketsReserved = 16 * 1024;  // only address space until used; spares copies while it grows
// All but TCP_BOUND_INACTIVE (Linux 6.8): the kernel would walk another table of 65,536 places, a fifth of the dump's
// cost.
constexpr std::uint32_t kStates = ~(1U << 13);
constexpr int kAttemptsMax = 3;  // of a dump that sockets changed under

struct Waiting {
    std::uint64_t client, listener;  // inodes
};

struct Taking {
    std::vector<Socket>* out;
    std::uint64_t net_namespace;
    Transport transport;
    std::vector<Waiting>* waiting;  // unix
};

template <typename T>
const T* payload(const nlmsghdr* message) {
    return mnl_nlmsg_get_payload_len(message) >= sizeof(T) ? static_cast<const T*>(mnl_nlmsg_get_payload(message))
                                                           : nullptr;
}

Endpoint endpoint(unsigned family, const __be32* address, __be16 port) {
    std::array<std::uint8_t, 16> bytes;
    std::memcpy(bytes.data(), address, bytes.size());
    return {family == AF_INET ? IpAddress::v4(bytes.data()) : IpAddress::v6(bytes.data()), ntohs(port)};
}

// mnl_attr_for_each, which C++ cannot compile.
template <typename Take>
void each_attribute(const nlmsghdr* header, std::size_t payload_bytes, Take take) {
    const auto* end = static_cast<const char*>(mnl_nlmsg_get_payload_tail(header));
    const auto* attribute = static_cast<const nlattr*>(mnl_nlmsg_get_payload_offset(header, payload_bytes));
    const auto left = [&] {
        return static_cast<int>(end - static_cast<const char*>(static_cast<const void*>(attribute)));
    };
    for (; mnl_attr_ok(attribute, left()); attribute = mnl_attr_next(attribute)) take(attribute);
}

int take_inet(const nlmsghdr* header, void* data) {
    Taking& taking = *static_cast<Taking*>(data);
    const auto* message = payload<inet_diag_msg>(header);
    if (message == nullptr || taking.out->size() >= limits::kSocketsMax) return MNL_CB_OK;
    Socket& socket = taking.out->emplace_back();
    socket.transport = taking.transport;
    socket.state = state_of_number(message->idiag_state);
    socket.inode = message->idiag_inode;
    socket.net_namespace = taking.net_namespace;
    socket.local = endpoint(message->idiag_family, message->id.idiag_src, message->id.idiag_sport);
    socket.remote = endpoint(message->idiag_family, message->id.idiag_dst, message->id.idiag_dport);
    socket.receive_queue_bytes = message->idiag_rqueue;
    socket.send_queue_bytes = message->idiag_wqueue;
    if (socket.state == SocketState::listen && message->idiag_family == AF_INET6)
        each_attribute(header, sizeof *message, [&](const nlattr* attribute) {
            if (mnl_attr_get_type(attribute) == INET_DIAG_SKV6ONLY && mnl_attr_get_payload_len(attribute) >= 1)
                socket.v6_only = mnl_attr_get_u8(attribute) != 0;
        });
    return MNL_CB_OK;
}

int take_unix(const nlmsghdr* header, void* data) {
    Taking& taking = *static_cast<Taking*>(data);
    const auto* message = payload<unix_diag_msg>(header);
    if (message == nullptr || taking.out->size() >= limits::kSocketsMax) return MNL_CB_OK;
    Socket& socket = taking.out->emplace_back();
    socket.transport = message->udiag_type == SOCK_DGRAM       ? Transport::unix_dgram
                       : message->udiag_type == SOCK_SEQPACKET ? Transport::unix_seqpacket
                                                               : Transport::unix_stream;
    socket.state = state_of_number(message->udiag_state);
    socket.inode = message->udiag_ino;
    socket.net_namespace = taking.net_namespace;
    socket.unix_local.inode = message->udiag_ino;
    each_attribute(header, sizeof *message, [&](const nlattr* attribute) {
        const std::size_t size = mnl_attr_get_payload_len(attribute);
        const auto* bytes = static_cast<const char*>(mnl_attr_get_payload(attribute));
        switch (mnl_attr_get_type(attribute)) {
            case UNIX_DIAG_NAME:
                if (size == 0) break;
                socket.unix_local.path.assign(bytes, size);
                if (bytes[0] == '\0')
                    socket.unix_local.path[0] = '@';
                else
                    socket.unix_local.path.resize(::strnlen(bytes, size));
                break;
            case UNIX_DIAG_VFS: {
                unix_diag_vfs file;
                if (size < sizeof file) break;
                std::memcpy(&file, bytes, sizeof file);
                socket.file_device = file_device_of(file.udiag_vfs_dev);
                socket.file_inode = file.udiag_vfs_ino;
                break;
            }
            case UNIX_DIAG_PEER:
                if (size >= sizeof(std::uint32_t)) socket.unix_peer_inode = mnl_attr_get_u32(attribute);
                break;
            case UNIX_DIAG_RQLEN: {
                unix_diag_rqlen queues;
                if (size < sizeof queues) break;
                std::memcpy(&queues, bytes, sizeof queues);
                socket.receive_queue_bytes = queues.udiag_rqueue;
                socket.send_queue_bytes = queues.udiag_wqueue;
                break;
            }
            case UNIX_DIAG_ICONS:
                // Of a listener: the inodes of the clients' ends that wait to be accepted, 0 for one that has gone.
                for (std::size_t at = 0; at + sizeof(std::uint32_t) <= size; at += sizeof(std::uint32_t)) {
                    std::uint32_t client = 0;
                    std::memcpy(&client, bytes + at, sizeof client);
                    if (client != 0 && taking.waiting->size() < limits::kSocketsMax)
                        taking.waiting->push_back({client, socket.inode});
                }
                break;
            default: break;
        }
    });
    return MNL_CB_OK;
}

// A client whose server's end has no inode yet names no peer: its listener names it.
void mark_waiting(const std::vector<Waiting>& waiting, std::span<Socket> sockets) {
    if (waiting.empty()) return;
    std::unordered_map<std::uint64_t, std::uint64_t> listeners;
    for (const Waiting& each : waiting) listeners.emplace(each.client, each.listener);
    for (Socket& socket : sockets)
        if (const auto found = listeners.find(socket.inode); found != listeners.end())
            socket.unix_waits_for = found->second;
}

}  // namespace

SockDiag::SockDiag() : socket_(mnl_socket_open2(NETLINK_SOCK_DIAG, SOCK_CLOEXEC)), buffer_(kAnswerBytes) {
    if (socket_ == nullptr || mnl_socket_bind(socket_, 0, MNL_SOCKET_AUTOPID) < 0) open_error_ = errno;
}

SockDiag::~SockDiag() {
    if (socket_ != nullptr) mnl_socket_close(socket_);
}

int SockDiag::dump(std::uint16_t type, Transport transport, const void* request, std::size_t size,
                   int (*take)(const nlmsghdr*, void*), std::vector<Socket>& out) {
    if (open_error_ != 0) return open_error_;
    alignas(nlmsghdr) std::array<char, 256> message{};
    nlmsghdr* header = mnl_nlmsg_put_header(message.data());
    header->nlmsg_type = type;
    header->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
    std::memcpy(mnl_nlmsg_put_extra_header(header, size), request, size);
    const std::size_t before = out.size();
    if (before == 0) out.reserve(kSocketsReserved);
    std::vector<Waiting> waiting;
    Taking taking{&out, net_namespace_, transport, &waiting};
    int error = 0;
    for (int attempt = 0; attempt < kAttemptsMax; ++attempt) {
        header->nlmsg_seq = ++sequence_;
        out.resize(before);
        waiting.clear();
        error = 0;
        if (mnl_socket_sendto(socket_, header, header->nlmsg_len) < 0) return errno;
        for (int more = MNL_CB_OK; more > MNL_CB_STOP;) {
            const ssize_t got = mnl_socket_recvfrom(socket_, buffer_.data(), buffer_.size());
            if (got < 0 && errno == EINTR) continue;
            more = got < 0 ? MNL_CB_ERROR
                           : mnl_cb_run(buffer_.data(), static_cast<std::size_t>(got), sequence_,
                                        mnl_socket_get_portid(socket_), take, &taking);
            if (more == MNL_CB_ERROR) error = errno;
        }
        if (error != EINTR) break;  // EINTR here: the kernel says that the dump is inconsistent
        // What is left of the interrupted dump carries an old sequence number: a fresh socket is the simplest.
        mnl_socket_close(std::exchange(socket_, mnl_socket_open2(NETLINK_SOCK_DIAG, SOCK_CLOEXEC)));
        if (socket_ == nullptr || mnl_socket_bind(socket_, 0, MNL_SOCKET_AUTOPID) < 0) return open_error_ = errno;
    }
    if (error != 0) out.resize(before);
    mark_waiting(waiting, std::span(out).subspan(before));
    return error;
}

int SockDiag::inet(int family, int protocol, std::vector<Socket>& out) {
    inet_diag_req_v2 request{};
    request.sdiag_family = static_cast<std::uint8_t>(family);
    request.sdiag_protocol = static_cast<std::uint8_t>(protocol);
    request.idiag_states = kStates;
    return dump(SOCK_DIAG_BY_FAMILY, protocol == IPPROTO_UDP ? Transport::udp : Transport::tcp, &request,
                sizeof request, take_inet, out);
}

int SockDiag::tcp(std::vector<Socket>& out) {
    inet_diag_req request{};  // its family is not looked at: all are told
    request.idiag_states = kStates;
    return dump(TCPDIAG_GETSOCK, Transport::tcp, &request, sizeof request, take_inet, out);
}

int SockDiag::unix_sockets(std::vector<Socket>& out) {
    unix_diag_req request{};
    request.sdiag_family = AF_UNIX;
    request.udiag_states = ~0U;
    request.udiag_show = UDIAG_SHOW_NAME | UDIAG_SHOW_VFS | UDIAG_SHOW_PEER | UDIAG_SHOW_ICONS | UDIAG_SHOW_RQLEN;
    return dump(SOCK_DIAG_BY_FAMILY, Transport::unix_stream, &request, sizeof request, take_unix, out);
}

}  // namespace hopscope::procmap
