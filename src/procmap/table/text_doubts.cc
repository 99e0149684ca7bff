#include "procmap/table/text_doubts.h"

#include <sys/xattr.h>

#include <array>
#include <string>
#include <unordered_map>
#include <utility>

#include "core/node_words.h"

namespace hopscope::procmap {
namespace {

bool tell_the_same(const Socket& a, const Socket& b) {
    return a.transport == b.transport && a.state == b.state && a.unix_local.path == b.unix_local.path;
}

struct Told {
    std::size_t place = 0;  // of the first unix socket with this inode
    bool is_unix = false, is_inet = false, differs = false;
};

// False also where it is not told.
bool holds_another_protocol(const HostRoot& root, const SocketOwner& owner) {
    const std::string path =
        root.path("/proc/" + std::to_string(owner.process.pid) + "/fd/" + std::to_string(owner.fd));
    std::array<char, 32> name;
    const ssize_t size = ::getxattr(path.c_str(), "system.sockprotoname", name.data(), name.size());
    if (size <= 0) return false;
    const std::string_view protocol(name.data(), static_cast<std::size_t>(size));
    return protocol.front() != '\0' && !protocol.starts_with("UNIX");
}

}  // namespace

std::size_t take_back_contradicted(std::vector<Socket>& sockets) {
    std::unordered_map<std::uint64_t, Told> by_inode;
    for (std::size_t place = 0; place < sockets.size(); ++place) {
        const Socket& socket = sockets[place];
        if (socket.inode == 0) continue;
        Told& told = by_inode[socket.inode];
        if (!is_unix(socket.transport)) {
            told.is_inet = true;
        } else if (told.is_unix) {
            told.differs |= !tell_the_same(sockets[told.place], socket);
        } else {
            told.is_unix = true;
            told.place = place;
        }
    }
    std::vector<bool> is_gone(sockets.size());
    std::size_t taken_back = 0;
    for (std::size_t place = 0; place < sockets.size(); ++place) {
        Socket& socket = sockets[place];
        if (socket.inode == 0 || !is_unix(socket.transport)) continue;
        const Told& told = by_inode[socket.inode];
        if (told.is_inet || told.differs) ++taken_back;
        is_gone[place] = told.is_inet || told.place != place;
        if (!told.differs) continue;
        socket.state = SocketState::unknown;
        socket.unix_local.path.clear();
    }
    erase_places(sockets, is_gone);
    return taken_back;
}

std::size_t take_back_other_protocols(const HostRoot& root, std::vector<Socket>& sockets) {
    if (!root.is_live()) return 0;
    return std::erase_if(sockets, [&](const Socket& socket) {
        return is_unix(socket.transport) && !socket.unix_local.path.empty() && !socket.owners.empty() &&
               holds_another_protocol(root, socket.owners.front());
    });
}

std::size_t erase_places(std::vector<Socket>& sockets, const std::vector<bool>& is_gone) {
    std::size_t kept = 0;
    for (std::size_t place = 0; place < sockets.size(); ++place) {
        if (is_gone[place]) continue;
        if (kept != place) sockets[kept] = std::move(sockets[place]);
        ++kept;
    }
    const std::size_t gone = sockets.size() - kept;
    sockets.resize(kept);
    return gone;
}

}  // namespace hopscope::procmap
