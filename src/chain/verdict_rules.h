// What hopscope knows of the ports and sockets of a Kubernetes node, as tables: the defaults and options of each
// component's own documentation and source. Data only: the drafts (verdict_draft.h) weigh it against a node.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "core/process.h"
#include "core/release.h"
#include "core/socket_table.h"

namespace hopscope::chain {

// The role that most of the rest is about: it has no fixed port, and rules of its own (draft_streaming).
inline constexpr std::string_view kStreamingRole = "cri-streaming-server";

// A TCP listener whose place a setting of its component names.
struct TcpRule {
    ProcessRole owner{};
    std::string_view role;
    std::uint16_t default_port = 0;   // 0: listens only where it is told to
    std::string_view key;             // a number, or places ("127.0.0.1:10249", URLs)
    std::string_view address_key;     // where `key` is a number
    std::string_view enabled_key;     // "true": `key` is in force; empty: always
    Release until = {};               // removed in it; 0.0: still there
    std::string_view component = {};  // empty: the owner's own name
};
std::span<const TcpRule> tcp_rules();

// The CRI streaming server of a runtime.
struct StreamingRule {
    ProcessRole owner{};
    std::string_view component;
    std::string_view port_key;  // may hold an address as well (cri-dockerd)
    std::string_view address_key;
    std::string_view tls_key;
    std::string_view path_prefix;  // "/cri"
    std::string_view loopback_remedy;
};
const StreamingRule* streaming_rule(ProcessRole owner);

// A port of some other program, told by its number and that program's own name, which is no proof.
struct NumberRule {
    std::uint16_t first = 0, last = 0;
    Transport transport = Transport::tcp;
    std::string_view role, component, what;
    std::string_view names;  // words: comm or file name of the executable; none: it is the kernel's own socket
};
std::span<const NumberRule> number_rules();

// A unix socket, by its path and, where a setting names it, by that.
struct SocketRule {
    std::string_view path;  // in the form of normal_path(); '*' stands for any text
    std::string_view role, component;
    ProcessRole owner = ProcessRole::unknown;  // unknown: a third party's
    std::string_view protocol;                 // "gRPC"
    std::string_view what;
};
std::span<const SocketRule> socket_rules();

// Settings that name a unix socket.
struct SocketKey {
    ProcessRole owner{};
    std::string_view key, suffix;  // the socket is at the value + suffix
    std::string_view role, component;
};
std::span<const SocketKey> socket_keys();

// What a role means, in words.
struct RoleText {
    std::string_view role;
    std::string_view noun;  // "CRI streaming server"
    std::string_view what;
    std::string_view why_404;
    std::string_view login;  // who may use it once connected
};
const RoleText* role_text(std::string_view role);

// True if `text` is `pattern`, where '*' stands for any text, also none.
bool fits(std::string_view pattern, std::string_view text);

}  // namespace hopscope::chain
