#include "procmap/own_addresses.h"

#include <ifaddrs.h>

#include <algorithm>

#include "core/socket_address.h"

namespace hopscope::procmap {

std::vector<IpAddress> own_addresses() {
    std::vector<IpAddress> addresses;
    ifaddrs* list = nullptr;
    if (::getifaddrs(&list) != 0) return addresses;
    for (const ifaddrs* each = list; each != nullptr; each = each->ifa_next) {
        if (const auto address = address_of(each->ifa_addr)) addresses.push_back(*address);
    }
    ::freeifaddrs(list);
    std::sort(addresses.begin(), addresses.end());
    addresses.erase(std::unique(addresses.begin(), addresses.end()), addresses.end());
    return addresses;
}

}  // namespace hopscope::procmap
