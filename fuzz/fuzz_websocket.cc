// WebSocket connections of all subprotocols, the SPDY tunnel too, from their beginning and joined late, with gaps; cut
// differently they tell the same.
#include "decode/stream/upgraded.h"
#include "decode_cut.h"

using namespace hopscope;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    constexpr const char* kSubprotocols[] = {
        "v4.channel.k8s.io",   "v5.channel.k8s.io", "base64.channel.k8s.io", "SPDY/3.1+portforward.k8s.io", "",
        "base64.binary.k8s.io"};
    constexpr const char* kTargets[] = {"/exec/token", "/portForward/default/web?port=80,443", "/portforward/token",
                                        "/"};
    const std::uint8_t how = data[0];
    fuzz::decode_cut(Bytes(data, size), [how] {
        if ((how & 1) != 0) return decode::stream::make_websocket_late();
        return decode::stream::make_websocket(kSubprotocols[how / 2 % 6], kTargets[how / 12 % 4]);
    });
    return 0;
}
