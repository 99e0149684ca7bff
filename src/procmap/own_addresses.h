// Addresses of the machine that we run on: which connections can end at a listener on all addresses.
#pragma once

#include <vector>

#include "core/endpoint.h"

namespace hopscope::procmap {

// Of all interfaces of our own network namespace, sorted, by getifaddrs(3) (some 0.1 ms); empty: the kernel did not
// tell.
std::vector<IpAddress> own_addresses();

}  // namespace hopscope::procmap
