// What lines of /proc/net/unix tell and another source contradicts: they may be the end of a name that somebody gave to
// a socket of his own (net_text.h).
//
// Not found out: a made-up line about a unix socket of a namespace that was not read.
#pragma once

#include <cstddef>
#include <vector>

#include "core/socket_table.h"
#include "procmap/host_root.h"

namespace hopscope::procmap {

// Of unix sockets that are told twice and differently one without name and state stays: that it is there is all that is
// known. A unix socket whose inode is that of a TCP or UDP socket goes. Returns how many claims were taken back.
std::size_t take_back_contradicted(std::vector<Socket>& sockets);

// On the live node the descriptor of an owner tells its protocol ("UNIX-STREAM", "TCP"): named unix sockets whose
// owners hold something else there go. One system call is spent on each that has a name and an owner.
std::size_t take_back_other_protocols(const HostRoot& root, std::vector<Socket>& sockets);

// Takes out the sockets at the places that are true in `is_gone`, as long as `sockets`. Returns how many.
std::size_t erase_places(std::vector<Socket>& sockets, const std::vector<bool>& is_gone);

}  // namespace hopscope::procmap
