#include "procmap/table/connection_ends.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <linux/unix_diag.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <memory>
#include <string>

#include "core/descriptor.h"
#include "procmap/kernel_numbers.h"

namespace hopscope::procmap {
namespace {

struct Question {
    nlmsghdr header;
    inet_diag_req_v2 body;
};

// An address as sock_diag has it: IPv4 in the first word.
void put(const IpAddress& address, __be32 (&words)[4], bool v4) {
    if (v4)
        std::memcpy(&words[0], address.bytes.data() + 12, 4);
    else
        std::memcpy(&words[0], address.bytes.data(), 16);
}

struct CloseDirectory {
    void operator()(DIR* directory) const { ::closedir(directory); }
};

}  // namespace

ConnectionEnds::ConnectionEnds(HostRoot root)
    : root_(std::move(root)),
      netlink_(::socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_SOCK_DIAG)) {}

ConnectionEnds::~ConnectionEnds() {
    if (netlink_ >= 0) ::close(netlink_);
}

bool ConnectionEnds::ask(const void* question, std::size_t size) {
    if (netlink_ < 0 || ::send(netlink_, question, size, 0) != static_cast<ssize_t>(size)) return false;
    // The kernel has answered when send(2) returns.
    const ssize_t got = ::recv(netlink_, answer_, sizeof answer_, 0);
    if (got < static_cast<ssize_t>(NLMSG_LENGTH(std::min(sizeof(inet_diag_msg), sizeof(unix_diag_msg))))) return false;
    nlmsghdr header{};
    std::memcpy(&header, answer_, sizeof header);
    return header.nlmsg_type == SOCK_DIAG_BY_FAMILY;  // else an error message: ENOENT
}

bool ConnectionEnds::has_unix(std::uint64_t inode) {
    struct {
        nlmsghdr header;
        unix_diag_req body;
    } question{};
    question.header.nlmsg_len = sizeof question;
    question.header.nlmsg_type = SOCK_DIAG_BY_FAMILY;
    question.header.nlmsg_flags = NLM_F_REQUEST;
    question.body.sdiag_family = AF_UNIX;
    question.body.udiag_ino = static_cast<std::uint32_t>(inode);
    question.body.udiag_cookie[0] = question.body.udiag_cookie[1] = ~0U;  // any
    if (inode == 0 || inode > UINT32_MAX || !ask(&question, sizeof question)) return false;
    // Some servers keep what was shut down on both sides.
    constexpr std::uint8_t kBothShut = 3;
    nlmsghdr header{};
    std::memcpy(&header, answer_, sizeof header);
    const std::size_t end = std::min<std::size_t>(header.nlmsg_len, sizeof answer_);
    for (std::size_t at = NLMSG_HDRLEN + NLMSG_ALIGN(sizeof(unix_diag_msg)); at + sizeof(nlattr) < end;) {
        nlattr attribute{};
        std::memcpy(&attribute, answer_ + at, sizeof attribute);
        if (attribute.nla_type == UNIX_DIAG_SHUTDOWN) return answer_[at + sizeof attribute] != kBothShut;
        if (attribute.nla_len < sizeof attribute) break;
        at += NLMSG_ALIGN(attribute.nla_len);
    }
    return true;
}

std::uint64_t ConnectionEnds::socket(const Endpoint& local, const Endpoint& remote) {
    if (netlink_ < 0) return 0;
    const bool v4 = local.address.is_v4() && remote.address.is_v4();
    Question question{};
    question.header.nlmsg_len = sizeof question;
    question.header.nlmsg_type = SOCK_DIAG_BY_FAMILY;
    question.header.nlmsg_flags = NLM_F_REQUEST;
    question.body.sdiag_family = v4 ? AF_INET : AF_INET6;
    question.body.sdiag_protocol = IPPROTO_TCP;
    question.body.idiag_states = ~0U;
    question.body.id.idiag_sport = htons(local.port);
    question.body.id.idiag_dport = htons(remote.port);
    put(local.address, question.body.id.idiag_src, v4);
    put(remote.address, question.body.id.idiag_dst, v4);
    question.body.id.idiag_cookie[0] = question.body.id.idiag_cookie[1] = INET_DIAG_NOCOOKIE;
    if (!ask(&question, sizeof question)) return 0;
    inet_diag_msg message{};
    std::memcpy(&message, answer_ + NLMSG_HDRLEN, sizeof message);
    // Without a connection the kernel goes on to the listener.
    if (message.idiag_state == TCP_LISTEN || message.id.idiag_dport != htons(remote.port)) return 0;
    return message.idiag_inode;
}

std::optional<SocketOwner> ConnectionEnds::holder(std::uint64_t inode, std::span<const ProcessId> pids) const {
    if (inode == 0) return std::nullopt;
    for (const ProcessId& process : pids) {
        const auto opened = root_.open_directory("/proc/" + std::to_string(process.pid) + "/fd");
        if (!opened) continue;  // ended, or not ours to see
        Descriptor folder(*opened);
        const std::unique_ptr<DIR, CloseDirectory> directory(::fdopendir(folder.get()));
        if (!directory) continue;
        folder.release();
        while (const dirent* entry = ::readdir(directory.get())) {
            char link[64];
            const ssize_t size = ::readlinkat(::dirfd(directory.get()), entry->d_name, link, sizeof link);
            if (size <= 0 || socket_inode({link, static_cast<std::size_t>(size)}) != inode) continue;
            SocketOwner owner{.process = process, .fd = 0};
            std::from_chars(entry->d_name, entry->d_name + std::strlen(entry->d_name), owner.fd);
            return owner;
        }
    }
    return std::nullopt;
}

}  // namespace hopscope::procmap
