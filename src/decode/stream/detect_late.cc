#include "decode/stream/detect_late.h"

#include <algorithm>
#include <cstdlib>
#include <optional>
#include <utility>

#include "decode/stream/after_hole.h"
#include "decode/stream/late_sights.h"
#include "decode/stream/spdy_orientation.h"

namespace hopscope::decode::stream {
namespace {

// At the end of the capture less is enough: four DATA frames in a row, or one control frame.
constexpr std::uint32_t kSpdyBitsAtEnd = spdy::kControlBits;
// Who is the client of a SPDY connection is waited for so long, while only weak signs have come.
constexpr std::size_t kOrientationBytesMax = 4096;
constexpr int kOrientationSure = 20;

// A place where frames of one protocol follow each other.
template <typename Sight>
class Search {
public:
    Search(Sight sight, std::uint32_t bits, std::uint32_t bits_at_origin) : hunt_(sight, bits, bits_at_origin) {}
    void look(Bytes all) {
        if (start_) return;
        const auto result = hunt_.search(0, all);
        if (result.found) start_ = result.skip;
    }
    [[nodiscard]] bool found() const { return start_.has_value(); }
    [[nodiscard]] bool in_sight() const { return found() || hunt_.following(); }
    [[nodiscard]] std::optional<std::size_t> start() const { return start_; }

private:
    FrameHunt<Sight> hunt_;
    std::optional<std::size_t> start_;
};

// HTTP text inside a frame of something else is not HTTP/1.1 on this connection.
bool inside_a_frame(Bytes all, std::size_t message) {
    if (message < spdy::kHeaderBytes) return false;
    return spdy::Sight().look(all.subspan(message - spdy::kHeaderBytes)).kind == Look::Kind::frame;
}

}  // namespace

struct LateDetector::Side {
    Search<spdy::Sight> spdy{spdy::Sight(spdy::kOtherStreamGuessBits), spdy::kDetectBits, spdy::kOriginBits};
    Search<ws::Sight> masked{ws::Sight(true), ws::kDetectBits, ws::kOriginBits};
    Search<ws::Sight> unmasked{ws::Sight(false), ws::kDetectBits, ws::kOriginBits};
    Search<TlsSight> tls{TlsSight(), kTlsBits, kTlsOriginBits};
    Search<Http2Sight> http2{Http2Sight(), kHttp2Bits, kHttp2OriginBits};
    http::AfterHole request{Direction::to_server, {.messages = true}};
    http::AfterHole response{Direction::to_client, {.messages = true}};
    std::optional<std::size_t> request_at, response_at;

    void look(Bytes all) {
        spdy.look(all);
        masked.look(all);
        unmasked.look(all);
        tls.look(all);
        http2.look(all);
        const auto message = [&](http::AfterHole& search, std::optional<std::size_t>& at) {
            if (at) return;
            const auto result = search.search(0, all);
            if (result.found == http::AfterHole::Found::message) at = result.skip;
        };
        message(request, request_at);
        message(response, response_at);
    }
    [[nodiscard]] bool in_sight() const {
        return spdy.in_sight() || masked.in_sight() || unmasked.in_sight() || tls.in_sight() || http2.in_sight();
    }
};

LateDetector::LateDetector() : sides_{std::make_unique<Side>(), std::make_unique<Side>()} {}
LateDetector::~LateDetector() = default;
LateDetector::LateDetector(LateDetector&&) noexcept = default;
LateDetector& LateDetector::operator=(LateDetector&&) noexcept = default;

Verdict LateDetector::detect(Bytes first, Bytes second, bool over) {
    const std::array<Bytes, 2> bytes = {first, second};
    for (std::size_t i = 0; i < 2; ++i)
        if (!bytes[i].empty()) sides_[i]->look(bytes[i]);
    const Side& a = *sides_[0];
    const Side& b = *sides_[1];
    const auto verdict = [](Protocol protocol, bool first_is_client) {
        return Verdict{protocol, first_is_client, true};
    };
    const auto too_long = [&](std::size_t bytes_max) {
        return over || first.size() > bytes_max || second.size() > bytes_max;
    };

    std::array<std::optional<std::size_t>, 2> spdy = {a.spdy.start(), b.spdy.start()};
    if (over && !spdy[0] && !spdy[1]) {
        for (std::size_t i = 0; i < 2; ++i) {
            Search<spdy::Sight> last{spdy::Sight(spdy::kOtherStreamGuessBits), kSpdyBitsAtEnd, spdy::kOriginBits};
            if (!bytes[i].empty()) last.look(bytes[i]);
            spdy[i] = last.start();
        }
    }
    if (spdy[0] || spdy[1]) {
        const int first_is_client = spdy::orientation(first, spdy[0], second, spdy[1]);
        const bool sure = std::abs(first_is_client) >= kOrientationSure;
        if (sure || over || first.size() + second.size() > kOrientationBytesMax)
            return verdict(Protocol::spdy, first_is_client >= 0);
        return {};
    }
    for (const bool first_is_client : {true, false}) {
        const Side& client = first_is_client ? a : b;
        const Side& server = first_is_client ? b : a;
        const bool server_silent = bytes[first_is_client ? 1 : 0].empty();
        const bool client_silent = bytes[first_is_client ? 0 : 1].empty();
        if ((client.masked.found() && (server_silent || server.unmasked.in_sight())) ||
            (server.unmasked.found() && (client_silent || client.masked.in_sight())))
            return verdict(Protocol::websocket, first_is_client);
    }
    if (a.tls.found() || b.tls.found()) return verdict(Protocol::tls, tls_first_is_client(first, second));
    if (a.http2.found() || b.http2.found())
        return verdict(Protocol::http2, http2_first_is_client(first, a.http2.start(), second, b.http2.start()));
    for (const bool first_is_client : {true, false}) {
        const std::size_t client = first_is_client ? 0 : 1;
        const auto request = sides_[client]->request_at;
        const auto response = sides_[1 - client]->response_at;
        if ((request && !inside_a_frame(bytes[client], *request)) ||
            (response && !inside_a_frame(bytes[1 - client], *response)))
            return verdict(Protocol::http1, first_is_client);
    }
    // Frames of 32 KiB need room until three of them have been seen.
    const bool in_sight = a.in_sight() || b.in_sight();
    if (!too_long(in_sight ? limits::kHuntBytesMax : limits::kUndecidedBytesMax)) return {};
    return verdict(Protocol::unknown, true);
}

}  // namespace hopscope::decode::stream
