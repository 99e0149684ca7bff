// SPDY/3.1 connections of all protocol versions, from their beginning and joined late, with gaps; cut differently they
// tell the same.
#include "decode/stream/upgraded.h"
#include "decode_cut.h"

using namespace hopscope;
using decode::stream::Purpose;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    constexpr const char* kSubprotocols[] = {"v4.channel.k8s.io", "v2.channel.k8s.io", "channel.k8s.io",
                                             "portforward.k8s.io", ""};
    const std::uint8_t how = data[0];
    fuzz::decode_cut(Bytes(data, size), [how] {
        if ((how & 1) != 0) return decode::stream::make_spdy_late();
        const char* subprotocol = kSubprotocols[how / 2 % 5];
        return decode::stream::make_spdy(subprotocol,
                                         how / 2 % 5 == 3 ? Purpose::port_forward : Purpose::remote_command);
    });
    return 0;
}
