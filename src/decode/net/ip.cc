#include "decode/net/ip.h"

#include "core/limits.h"

namespace hopscope::decode::net {
namespace {

constexpr std::size_t kIpv6Bytes = 40;
constexpr std::uint8_t kHopByHop = 0, kRouting = 43, kFragment = 44, kAuthentication = 51, kDestination = 60,
                       kMobility = 135;

bool is_extension(std::uint8_t protocol) {
    return protocol == kHopByHop || protocol == kRouting || protocol == kFragment || protocol == kAuthentication ||
           protocol == kDestination || protocol == kMobility;
}

// Steps over the first `size` bytes of the payload; false where they were not captured or do not exist.
bool skip(IpPacket& ip, std::size_t size) {
    if (ip.captured < size || ip.wire < size) return false;
    ip.payload += size;
    ip.captured -= size;
    ip.wire -= size;
    return true;
}

}  // namespace

Layer follow_extension_headers(IpPacket& ip) {
    for (std::size_t headers = 0; is_extension(ip.protocol); ++headers) {
        if (headers == limits::kIpv6ExtensionHeadersMax || ip.captured < 8) return Layer::broken;
        const std::uint8_t* p = ip.payload;
        const std::uint8_t here = ip.protocol;
        ip.protocol = p[0];
        if (here == kFragment) {
            const std::uint16_t place = read_be16(p + 2);
            ip.fragment_offset = place & 0xfff8;
            ip.more_fragments = (place & 1) != 0;
            ip.fragment = ip.more_fragments || ip.fragment_offset != 0;
            ip.id = read_be32(p + 4);
            ip.id_known = true;
            if (!skip(ip, 8)) return Layer::broken;
            if (ip.fragment) break;
            continue;
        }
        const std::size_t size = here == kAuthentication ? (std::size_t{p[1]} + 2) * 4 : (std::size_t{p[1]} + 1) * 8;
        if (!skip(ip, size)) return Layer::broken;
    }
    const bool may_be_tcp = ip.protocol == kProtocolTcp || (ip.fragment && is_extension(ip.protocol));
    return may_be_tcp ? Layer::found : Layer::other;
}

Layer read_ipv6(const NetworkLayer& network, IpPacket& ip) {
    if (network.captured < kIpv6Bytes) return Layer::broken;
    const std::uint8_t* p = network.data;
    const std::size_t said = read_be16(p + 4);
    std::size_t total = 0;
    if (!total_length(said == 0 ? 0 : said + kIpv6Bytes, network, total) || total < kIpv6Bytes) return Layer::broken;
    ip.source = p + 8;
    ip.destination = p + 24;
    ip.v4 = false;
    ip.protocol = p[6];
    ip.id = 0;
    ip.id_known = false;
    ip.fragment = ip.more_fragments = false;
    ip.fragment_offset = 0;
    set_payload(ip, network, kIpv6Bytes, total);
    return ip.protocol == kProtocolTcp ? Layer::found : follow_extension_headers(ip);
}

}  // namespace hopscope::decode::net
