// One capture interface, as a file or a device describes it.
#pragma once

#include <cstdint>
#include <string>

#include "core/packet.h"

namespace hopscope::capture {

struct InterfaceInfo {
    std::uint32_t number = 0;  // within this run (Packet::interface)
    LinkType link_type{};
    std::string name;           // "lo"; hostile bytes: show it through display(); may be empty
    std::uint32_t snaplen = 0;  // 0: no limit told
};

}  // namespace hopscope::capture
