// One capture interface, as a file or a device describes it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "core/packet.h"

namespace hopscope::capture {

struct InterfaceInfo {
    std::uint32_t number = 0;  // within this run (Packet::interface)
    LinkType link_type{};
    std::string name;              // "lo"; hostile bytes: show it through display(); may be empty
    std::uint32_t snaplen = 0;     // 0: no limit told
    std::string description = {};  // hostile bytes as well; pcapng only
};

// The loopback interface of a pod's network namespace, captured for the connections that a runtime forwards into it:
// its packets are counted and never decoded, and the same addresses are in use in every pod. A recording tells it by
// the interface's description.
std::string pod_network_description(std::uint64_t net_namespace);
// The inode of the namespace; 0: the description says nothing of the kind.
std::uint64_t pod_network_of(std::string_view description);

}  // namespace hopscope::capture
