// Which interfaces there are, and which of them a capture should look at.
#include <ifaddrs.h>
#include <net/if.h>

#include <algorithm>
#include <cerrno>
#include <system_error>

#include "capture/live_namespace.h"
#include "capture/live_source.h"
#include "core/socket_address.h"

namespace hopscope::capture {
namespace {

// 169.254/16 (RFC 3927) and fe80::/10 (RFC 4291): every interface may have one, nobody serves on it.
bool is_link_local(const IpAddress& address) {
    const auto& b = address.bytes;
    if (address.is_v4()) return b[12] == 169 && b[13] == 254;
    return b[0] == 0xfe && (b[1] & 0xc0) == 0x80;
}

}  // namespace

Result<std::vector<InterfaceFacts>> list_interfaces(const std::string& net_namespace) {
    std::vector<InterfaceFacts> all;
    int error = 0;
    const Status entered = in_net_namespace(net_namespace, [&] {
        ifaddrs* list = nullptr;
        if (::getifaddrs(&list) != 0) {
            error = errno;
            return;
        }
        for (const ifaddrs* each = list; each; each = each->ifa_next) {
            // An alias is told as "eth0:1" and is no interface of its own.
            const std::string name = std::string(each->ifa_name).substr(0, std::string_view(each->ifa_name).find(':'));
            auto known = std::find_if(all.begin(), all.end(), [&](const InterfaceFacts& i) { return i.name == name; });
            if (known == all.end()) known = all.insert(all.end(), InterfaceFacts{.name = name, .addresses = {}});
            known->up = known->up || (each->ifa_flags & IFF_UP) != 0;
            known->loopback = known->loopback || (each->ifa_flags & IFF_LOOPBACK) != 0;
            if (const auto address = address_of(each->ifa_addr)) known->addresses.push_back(*address);
        }
        ::freeifaddrs(list);
    });
    if (!entered) return unexpected(entered.error());
    if (error != 0)
        return unexpected(Error{.doing = "cannot list the network interfaces",
                                .subject = {},
                                .why = std::generic_category().message(error),
                                .errno_value = error,
                                .hint = "name them: -i lo",
                                .code = "CAP-26"});
    return all;
}

std::vector<std::string> interfaces_for(const std::vector<InterfaceFacts>& all, std::span<const IpAddress> bound) {
    const bool everywhere =
        std::any_of(bound.begin(), bound.end(), [](const IpAddress& a) { return a.is_unspecified(); });
    std::vector<std::string> names;
    for (const InterfaceFacts& interface : all) {
        if (!interface.up) continue;
        const bool wanted =
            interface.loopback ||
            std::any_of(interface.addresses.begin(), interface.addresses.end(), [&](const IpAddress& address) {
                if (everywhere) return !is_link_local(address) && !address.is_loopback();
                return std::find(bound.begin(), bound.end(), address) != bound.end();
            });
        if (wanted) names.push_back(interface.name);
    }
    // The order of the hops that most people look at: loopback first.
    std::stable_partition(names.begin(), names.end(), [&](const std::string& name) {
        return std::any_of(all.begin(), all.end(),
                           [&](const InterfaceFacts& i) { return i.name == name && i.loopback; });
    });
    return names;
}

std::string net_namespace_path(std::string_view text) {
    if (text.empty()) return {};
    if (text.find_first_not_of("0123456789") == std::string_view::npos) return "/proc/" + std::string(text) + "/ns/net";
    if (text.find('/') == std::string_view::npos) return "/run/netns/" + std::string(text);
    return std::string(text);
}

}  // namespace hopscope::capture
