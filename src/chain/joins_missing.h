// What a chain that is told live should have and has not, with the reason: so that what is left after eBPF was refused,
// or a part was not captured, is not taken for the whole. Pure.
#pragma once

#include <memory>
#include <span>
#include <string>

#include "chain/model.h"

namespace hopscope::chain {

// Why a kind of fact cannot be seen in this run, as the end of a sentence ("not captured, --ebpf off"); empty: it can.
struct Sight {
    std::string calls;              // the bytes on the runtimes' unix sockets
    std::string processes;          // programs that are started and end
    std::uint64_t pieces_lost = 0;  // of the bytes on runtimes' sockets, for want of room
    std::string connections;        // who opens TCP connections, in all network namespaces
};

// Fills `missing` and `complete`: hops that this kind of action has on a node, the processes at their ends, bytes of
// its sessions. Call it last, when everything that can be joined is. `all`: its sessions among them.
void tell_missing(Chain& chain, std::span<const std::unique_ptr<Session>> all, const Sight& sight);

}  // namespace hopscope::chain
