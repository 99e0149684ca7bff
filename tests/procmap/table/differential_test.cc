// The same sockets, owners and peers as ss(8) and lsof(8) tell on this machine.
//
// Other programs come and go meanwhile: what is compared was the same in two looks of the one side around a look of the
// other. The sockets of the test itself are always among it.
#include <fcntl.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <iterator>
#include <map>
#include <optional>
#include <regex>
#include <set>
#include <sstream>

#include "procmap/table/live_sockets.h"
#include "procmap/table/namespaces.h"
#include "procmap/table/reader.h"
#include "procmap/table/tree.h"

namespace hopscope::procmap {
namespace {

using test::Fd;

using Lines = std::set<std::string>;

std::optional<std::string> output_of(const std::string& command) {
    std::string out;
    FILE* pipe = ::popen((command + " 2>/dev/null").c_str(), "re");
    if (pipe == nullptr) return std::nullopt;
    char buffer[4096];
    while (const std::size_t got = std::fread(buffer, 1, sizeof buffer, pipe)) out.append(buffer, got);
    const int status = ::pclose(pipe);
    if (status != 0 && out.empty()) return std::nullopt;
    return out;
}

Lines both(const Lines& one, const Lines& other) {
    Lines common;
    std::set_intersection(one.begin(), one.end(), other.begin(), other.end(), std::inserter(common, common.end()));
    return common;
}

void expect_holds(const Lines& all, const Lines& wanted, const char* what) {
    std::size_t missing = 0;
    for (const std::string& line : wanted)
        if (!all.contains(line) && ++missing <= 5) ADD_FAILURE() << what << " lacks: " << line;
    EXPECT_EQ(missing, 0U);
}

template <typename Ours, typename Theirs>
void compare(Ours ours, Theirs theirs, std::size_t at_least) {
    const Lines ours_before = ours(), theirs_before = theirs(), ours_after = ours(), theirs_after = theirs();
    const Lines ours_stable = both(ours_before, ours_after), theirs_stable = both(theirs_before, theirs_after);
    EXPECT_GE(ours_stable.size(), at_least);
    EXPECT_GE(theirs_stable.size(), at_least);
    expect_holds(theirs_before, ours_stable, "the other tool");
    expect_holds(ours_after, theirs_stable, "our table");
}

std::string owners_text(const std::vector<SocketOwner>& owners) {
    std::string text;
    for (const SocketOwner& owner : owners)
        text += " " + std::to_string(owner.process.pid) + "/" + std::to_string(owner.fd);
    return text;
}

// users:(("containerd",pid=9611,fd=12),…)
std::string users_text(const std::string& line) {
    static const std::regex user("pid=([0-9]+),fd=([0-9]+)");
    std::vector<SocketOwner> owners;
    for (std::sregex_iterator it(line.begin(), line.end(), user), end; it != end; ++it)
        owners.push_back(
            {{static_cast<std::uint32_t>(std::stoul((*it)[1])), 0}, static_cast<std::uint32_t>(std::stoul((*it)[2]))});
    std::sort(owners.begin(), owners.end());
    return owners_text(owners);
}

std::vector<std::string> words_of(const std::string& line) {
    std::istringstream in(line);
    return {std::istream_iterator<std::string>(in), {}};
}

template <typename Take>
Lines lines_of(const std::string& text, Take take) {
    Lines out;
    std::istringstream in(text);
    for (std::string line; std::getline(in, line);)
        if (auto told = take(line); !told.empty()) out.insert(std::move(told));
    return out;
}

template <typename Take>
Lines table_lines(Take take) {
    TableReader reader({.all_net_namespaces = false});
    const auto table = reader.read();
    Lines out;
    if (!table) return out;
    for (const Socket& socket : table->sockets)
        if (auto told = take(socket); !told.empty()) out.insert(std::move(told));
    return out;
}

std::string endpoint_of_ss(std::string text) {
    const std::size_t colon = text.rfind(':');
    std::string address = text.substr(0, colon);
    if (const std::size_t zone = address.find('%'); zone != std::string::npos)
        address.erase(zone, address.find(']', zone) == std::string::npos ? std::string::npos : 0);
    if (!address.empty() && address.front() == '[') address = address.substr(1, address.find_first_of("]%") - 1);
    if (address == "*") address = "::";
    const auto parsed = IpAddress::parse(address);
    return parsed ? to_string(Endpoint{*parsed, static_cast<std::uint16_t>(std::stoul(text.substr(colon + 1)))})
                  : "?" + text;
}

TEST(Differential, SsListeners) {
    if (!output_of("ss -V")) GTEST_SKIP() << "ss is not installed";
    const Fd one = test::bound(SOCK_STREAM, 4), copy(::fcntl(one.get(), F_DUPFD_CLOEXEC, 0)),
             two = test::bound(SOCK_STREAM, 4);
    compare(
        [] {
            return table_lines([](const Socket& socket) {
                return socket.transport == Transport::tcp && socket.state == SocketState::listen
                           ? to_string(socket.local) + owners_text(socket.owners)
                           : std::string();
            });
        },
        [] {
            return lines_of(*output_of("ss -tlnpH"), [](const std::string& line) {
                const auto words = words_of(line);
                return words.size() < 5 ? std::string() : endpoint_of_ss(words[3]) + users_text(line);
            });
        },
        2);
}

TEST(Differential, SsConnections) {
    if (!output_of("ss -V")) GTEST_SKIP() << "ss is not installed";
    const Fd listener = test::bound(SOCK_STREAM, 4), client = test::connected_to(test::port_of(listener)),
             server(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
    compare(
        [] {
            return table_lines([](const Socket& socket) {
                return socket.transport == Transport::tcp && socket.state == SocketState::established
                           ? to_string(socket.local) + " " + to_string(socket.remote) + owners_text(socket.owners)
                           : std::string();
            });
        },
        [] {
            return lines_of(*output_of("ss -tnpH state established"), [](const std::string& line) {
                const auto words = words_of(line);
                return words.size() < 4 ? std::string()
                                        : endpoint_of_ss(words[2]) + " " + endpoint_of_ss(words[3]) + users_text(line);
            });
        },
        2);
}

TEST(Differential, SsUnixPeers) {
    if (!output_of("ss -V")) GTEST_SKIP() << "ss is not installed";
    int pair[2];
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    const Fd one(pair[0]), other(pair[1]);
    const auto plain = [](const std::string& path) { return path.find_first_of(" \t\n\\") == std::string::npos; };
    compare(
        [&] {
            return table_lines([&](const Socket& socket) {
                if (socket.transport == Transport::tcp || socket.transport == Transport::udp ||
                    socket.state != SocketState::established)
                    return std::string();
                if (!plain(socket.unix_local.path)) return std::string();
                return (socket.unix_local.path.empty() ? "*" : socket.unix_local.path) + " " +
                       std::to_string(socket.inode) + " " + std::to_string(socket.unix_peer_inode) +
                       owners_text(socket.owners);
            });
        },
        [&] {
            return lines_of(*output_of("ss -xpH state established"), [](const std::string& line) {
                // u_str 0 0 PATH INODE PEER-PATH PEER-INODE users:(…)
                const auto words = words_of(line);
                return words.size() < 7 || (words.size() > 7 && words[7].find("users:") != 0)
                           ? std::string()
                           : words[3] + " " + words[4] + " " + words[6] + users_text(line);
            });
        },
        2);
}

// p9611 f12 i24881 n/run/containerd/containerd.sock type=STREAM ->INO=24990 8483,kubelet,9u (CONNECTED)
TEST(Differential, LsofUnixSocketsAndEndpoints) {
    if (!output_of("lsof -v 2>&1")) GTEST_SKIP() << "lsof is not installed";
    int pair[2];
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    const Fd one(pair[0]), other(pair[1]);
    // A connection that nobody has accepted yet: lsof tells it at the listener.
    const Fd listener(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const Fd waiting(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_un name{.sun_family = AF_UNIX, .sun_path = {}};
    const std::string abstract = "hopscope-waiting-" + std::to_string(::getpid());
    abstract.copy(name.sun_path + 1, sizeof name.sun_path - 1);
    const auto* address = reinterpret_cast<const sockaddr*>(&name);
    ASSERT_EQ(::bind(listener.get(), address, sizeof name), 0);
    ASSERT_EQ(::listen(listener.get(), 1), 0);
    ASSERT_EQ(::connect(waiting.get(), address, sizeof name), 0);
    const auto theirs = [] {
        Lines out;
        std::string pid, fd, inode;
        static const std::regex peer("->INO=([0-9]+)");
        std::istringstream in(output_of("lsof -nP -U -E -F pfin").value_or(""));
        for (std::string line; std::getline(in, line);) {
            if (line.empty()) continue;
            const std::string rest = line.substr(1);
            if (line[0] == 'p') pid = rest;
            if (line[0] == 'f') fd = rest;
            if (line[0] == 'i') inode = rest;
            std::smatch match;
            if (line[0] == 'n' && std::regex_search(rest, match, peer))
                out.insert(inode + " " + match[1].str() + " " + pid + "/" + fd);
        }
        return out;
    };
    // lsof tells peers of sockets that it found owners of on both sides.
    const auto ours = [] {
        Lines out;
        TableReader reader({.all_net_namespaces = false});
        const auto table = reader.read();
        std::set<std::uint64_t> owned;
        for (const Socket& socket : table->sockets)
            if (!socket.owners.empty()) owned.insert(socket.inode);
        for (const Socket& socket : table->sockets)
            if (socket.unix_peer_inode != 0 && owned.contains(socket.unix_peer_inode))
                for (const SocketOwner& owner : socket.owners)
                    out.insert(std::to_string(socket.inode) + " " + std::to_string(socket.unix_peer_inode) +
                               owners_text({owner}));
        for (const Socket& socket : table->sockets)
            for (const Socket& listens : table->sockets)
                if (socket.unix_waits_for != 0 && socket.unix_waits_for == listens.inode &&
                    owned.contains(socket.inode))
                    for (const SocketOwner& owner : listens.owners)
                        out.insert(std::to_string(listens.inode) + " " + std::to_string(socket.inode) +
                                   owners_text({owner}));
        return out;
    };
    if (theirs().empty()) GTEST_SKIP() << "this lsof tells no endpoints (-E)";
    compare(ours, theirs, 3);
}

}  // namespace
}  // namespace hopscope::procmap
