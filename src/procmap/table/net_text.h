// The text files of /proc/net: tcp, tcp6, udp, udp6 and unix (proc(5)). The last resort, and what fake trees hold.
//
// Addresses are printed as numbers in the byte order of the machine that wrote the file; read here as of this machine.
// /proc/net/unix tells no peer and no file numbers. A line that is not of this form is passed over.
//
// The kernel prints the name of a unix socket as it is, line ends included: whoever names one can write a whole line
// that gives another process's socket a path. Such a line is known where it contradicts a surer one (take_unix_text) or
// another source (text_doubts.h), and not otherwise.
#pragma once

#include <string_view>
#include <vector>

#include "core/socket_table.h"

namespace hopscope::procmap {

void take_inet_text(std::string_view text, Transport transport, std::uint64_t net_namespace, std::vector<Socket>& out);
// Returns how many lines were left out: they may be the end of a name (which has at most 108 bytes), and a line that
// cannot be tells of the same socket.
std::size_t take_unix_text(std::string_view text, std::uint64_t net_namespace, std::vector<Socket>& out);

}  // namespace hopscope::procmap
