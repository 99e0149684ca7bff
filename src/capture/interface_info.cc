#include "capture/interface_info.h"

#include <charconv>

namespace hopscope::capture {
namespace {

constexpr std::string_view kBegin = "hopscope: network namespace ", kEnd = " of a pod, forwarded connections";

}  // namespace

std::string pod_network_description(std::uint64_t net_namespace) {
    return std::string(kBegin) + std::to_string(net_namespace) + std::string(kEnd);
}

std::uint64_t pod_network_of(std::string_view description) {
    if (!description.starts_with(kBegin) || !description.ends_with(kEnd)) return 0;
    description.remove_prefix(kBegin.size());
    if (description.size() <= kEnd.size()) return 0;
    description.remove_suffix(kEnd.size());
    std::uint64_t inode = 0;
    const auto [end, error] = std::from_chars(description.data(), description.data() + description.size(), inode);
    return error == std::errc() && end == description.data() + description.size() ? inode : 0;
}

}  // namespace hopscope::capture
