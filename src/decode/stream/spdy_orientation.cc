#include "decode/stream/spdy_orientation.h"

#include <algorithm>
#include <string_view>

#include "decode/stream/spdy_sight.h"

namespace hopscope::decode::stream::spdy {
namespace {

constexpr int kCertain = 100;  // only one side can send this
constexpr int kLikely = 50;    // only one side does
constexpr int kHint = 20;
constexpr int kWeak = 10;

struct Signs {
    int client = 0;      // positive: a client's frames
    bool pings = false;  // a PING with a client's number
    bool data = false;
    std::uint32_t lowest_data = UINT32_MAX;
};

int payload_sign(std::uint32_t stream, std::string_view text) {
    if (stream == 1 && (text.starts_with("{\"metadata\":{}") || text.starts_with("{\"status\":\""))) return -kCertain;
    if (text.starts_with("error forwarding port ")) return -kCertain;
    if (text.starts_with("{\"Width\":")) return kLikely;
    if (text.starts_with("HTTP/1.")) return -kHint;
    if (text.starts_with("GET /") || text.starts_with("POST /")) return kHint;
    return 0;
}

Signs signs_of(Bytes bytes, std::optional<std::size_t> start) {
    Signs out;
    std::uint64_t at = start.value_or(bytes.size());
    while (at < bytes.size()) {
        const Look look = Sight().look(bytes.subspan(at));
        if (look.kind != Look::Kind::frame) break;
        const FrameHead head = read_head(bytes.data() + at);
        const Bytes body = bytes.subspan(at + kHeaderBytes);
        const std::uint32_t number = body.size() >= 4 ? read_be32(body.data()) : 0;
        switch (head.type) {                                 // kData without the control bit
            case kSynStream: out.client += kCertain; break;  // Sight takes odd ids only
            case kSynReply: out.client -= kCertain; break;
            // The last stream that the other side opened: a server names the client's, a client has none to name.
            case kGoaway: out.client += number % 2 == 1 ? -kLikely : kHint; break;
            case kPing: out.pings = out.pings || number % 2 == 1; break;
            case kData:
                if (head.length == 0) break;
                out.data = true;
                out.lowest_data = std::min(out.lowest_data, head.stream);
                out.client +=
                    payload_sign(head.stream, as_text(body.first(std::min<std::size_t>(body.size(), head.length))));
                break;
            default: break;
        }
        at += look.frame_bytes;
    }
    return out;
}

}  // namespace

int orientation(Bytes first, std::optional<std::size_t> first_start, Bytes second,
                std::optional<std::size_t> second_start) {
    const Signs a = signs_of(first, first_start), b = signs_of(second, second_start);
    int sum = a.client - b.client;
    // A PING is answered with the same frame: the side that alone has sent one asked.
    if (a.pings != b.pings) sum += a.pings ? kHint : -kHint;
    // Output is more common than input; where both write, stdin was opened before stdout.
    if (a.data != b.data) sum += a.data ? -kWeak : kWeak;
    if (a.data && b.data && a.lowest_data != b.lowest_data && std::min(a.lowest_data, b.lowest_data) > 1)
        sum += a.lowest_data < b.lowest_data ? kHint : -kHint;
    return sum;
}

}  // namespace hopscope::decode::stream::spdy
