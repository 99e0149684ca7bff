// System calls that a command never needs are refused with EPERM (seccomp, by libseccomp), so that a decoder that a
// hostile capture has tricked cannot start programs or reach the network.
//
// It does not narrow which files can be read or written: an offline command may read any capture and write where it is
// told. For the whole process and all threads to come; cannot be undone. Nothing happens in a build with sanitizers:
// LeakSanitizer needs ptrace(2).
#pragma once

#include <cstdint>

#include "core/result.h"

namespace hopscope::cli {

enum class Sandbox : std::uint8_t {
    offline,  // no programs, no sockets, no other processes, no namespaces, nothing that changes the system
    live,     // the same, but sockets, eBPF and network namespaces, by which a node is watched
    opener,   // nothing but what capture/namespace_opener.h does: each call that it makes is allowed by name
};

// False: a build with sanitizers.
bool sandbox_works();
// SBX-01: the kernel has no seccomp filters, or refused.
Status enter_sandbox(Sandbox kind);

}  // namespace hopscope::cli
