// Small questions about the sockets, processes and paths of a node that several rooms ask: answered once.
//
// Pure; borrows what it is given. A role is not told here (procmap/table/roles), nor is a path looked at.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "core/process.h"
#include "core/socket_table.h"

namespace hopscope {

constexpr bool is_unix(Transport transport) { return transport != Transport::tcp && transport != Transport::udp; }

// A program of a Kubernetes node by itself, not a workload's.
constexpr bool is_component(ProcessRole role) {
    return role != ProcessRole::unknown && role != ProcessRole::in_container;
}

// Where a socket listens: "127.0.0.1:33821"; "*:10250" for all addresses, "[::]:10250" for all of IPv6 alone.
inline std::string listening_place(const Endpoint& local, bool v6_only) {
    return local.address.is_unspecified() && !v6_only ? "*:" + std::to_string(local.port) : to_string(local);
}

inline std::string listening_place(const Socket& listener) { return listening_place(listener.local, listener.v6_only); }

// "k3s" of "/usr/local/bin/k3s".
constexpr std::string_view base_name(std::string_view path) {
    const std::size_t slash = path.rfind('/');
    return slash == std::string_view::npos ? path : path.substr(slash + 1);
}

// The value of "-name VALUE", "--name VALUE" or "-name=VALUE" among a program's arguments; empty: none. May be a
// secret: ask only for names whose values are none.
inline std::string_view argument_of(const Process& process, std::string_view name) {
    for (std::size_t i = 1; i < process.cmdline.size(); ++i) {
        std::string_view word = process.cmdline[i].raw();
        if (!word.starts_with('-')) continue;
        while (word.starts_with('-')) word.remove_prefix(1);
        if (word == name) return i + 1 < process.cmdline.size() ? std::string_view(process.cmdline[i + 1].raw()) : "";
        if (word.size() > name.size() && word.starts_with(name) && word[name.size()] == '=')
            return word.substr(name.size() + 1);
    }
    return {};
}

// Whether containerd's list of plugins that are off (`disabled_plugins`, in any spelling of a list) has its CRI plugin,
// or in 2.x the half of it that cannot be done without.
inline bool names_cri_plugin(std::string_view plugins) {
    while (!plugins.empty()) {
        const std::string_view name = plugins.substr(0, plugins.find_first_of(",[]\"' "));
        if (name == "cri" || name == "io.containerd.grpc.v1.cri" || name == "io.containerd.cri.v1.runtime") return true;
        plugins.remove_prefix(name.size() == plugins.size() ? name.size() : name.size() + 1);
    }
    return false;
}

// "/proc/812/cmdline": where arguments are quoted from.
inline std::string cmdline_path(const Process& process) {
    return "/proc/" + std::to_string(process.id.pid) + "/cmdline";
}

}  // namespace hopscope
