// The compiled programs of bpf/, as bytes of an ELF object. Valid for the whole run.
#pragma once

#include <cstdint>
#include <span>

namespace hopscope::procmap {

std::span<const std::uint8_t> bpf_object_scan();      // iterator over all open sockets
std::span<const std::uint8_t> bpf_object_life();      // TCP connections from their first to their last sign
std::span<const std::uint8_t> bpf_object_process();   // programs started, processes ended
std::span<const std::uint8_t> bpf_object_unix_tap();  // bytes written on chosen unix sockets

}  // namespace hopscope::procmap
