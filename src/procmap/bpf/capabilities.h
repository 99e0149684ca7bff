// What this process may do on this node, each thing really tried: the rows of `hopscope doctor`.
//
// Nothing is changed and nothing stays: programs are unloaded, sockets closed, namespaces not left. Under 300 ms.
// The verdict is that of the running process: after dropping privileges ask again.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace hopscope::procmap {

struct Capability {
    enum class State : std::uint8_t { ok, limited, missing };
    std::string code;  // "CAP-01"; the same in every release
    std::string name;  // "packet capture"
    State state = State::ok;
    std::string detail;  // what was found: "CAP_NET_RAW, lo opens"
    std::string remedy;  // how to get it; empty when ok
    std::string lost;    // what hopscope cannot do without; empty when ok
};

// In this order: CAP-01 packet capture, CAP-03 process of a socket, CAP-04 network namespaces, CAP-05 socket tables by
// netlink, CAP-06 host pid namespace, CAP-07 control groups, BPF-01 eBPF programs, BPF-02 kernel types, BPF-03 tracefs,
// BPF-04 socket iterator, BPF-05 kprobes, BPF-06 ring buffer.
std::vector<Capability> check_capabilities();

}  // namespace hopscope::procmap
