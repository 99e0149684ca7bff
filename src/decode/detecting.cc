#include "decode/detecting.h"

#include "core/limits.h"
#include "decode/grpc/grpc.h"
#include "decode/stream/http1.h"
#include "decode/stream/upgraded.h"
#include "decode/tls/tls.h"

namespace hopscope::decode {
namespace {

class Detecting final : public Decoder {
public:
    explicit Detecting(const Protocols& protocols) : protocols_(protocols) {}

    Step decode(Direction direction, std::uint64_t, Bytes unread, EventSink&) override {
        // Everything that is decoded here begins with the client; a server that speaks first is something else, but
        // its bytes may merely have been read first.
        if (direction == Direction::to_client) return Step::more();
        const stream::Verdict verdict = stream::detect(unread, {}, !late_, over_);
        if (verdict.protocol == stream::Protocol::undecided) return Step::more();
        // TLS inside TLS is nobody's way to a kubelet, and a file that brings its own keys could nest it without end.
        if (verdict.protocol == stream::Protocol::tls) return Step::broken(0);
        auto next = make_decoder(verdict.protocol, late_, protocols_);
        return next ? Step::become(0, std::move(next)) : Step::broken(0);
    }

    bool gap(Direction, std::uint64_t, std::uint64_t, std::size_t, EventSink&) override {
        late_ = true;
        return true;
    }

    void end(Direction, EventSink&) override { over_ = true; }

    [[nodiscard]] std::size_t unread_bytes_max() const override { return limits::kHeldBytesMax; }

private:
    Protocols protocols_;
    bool late_ = false;
    bool over_ = false;
};

}  // namespace

std::unique_ptr<Decoder> make_detecting(const Protocols& protocols) { return std::make_unique<Detecting>(protocols); }

std::unique_ptr<Decoder> make_decoder(stream::Protocol protocol, bool late, const Protocols& protocols) {
    const auto http1 = [&] {
        stream::Handover handover{[](bool multiplexed) { return grpc::make_docker_stream(multiplexed); }};
        return late ? stream::make_http1_late(std::move(handover)) : stream::make_http1(std::move(handover));
    };
    switch (protocol) {
        case stream::Protocol::http1: return http1();
        case stream::Protocol::spdy: return stream::make_spdy_late();
        case stream::Protocol::websocket: return stream::make_websocket_late();
        case stream::Protocol::tls:
            return make_tls(
                protocols.tls_keys, [protocols] { return make_detecting(protocols); }, late);
        case stream::Protocol::http2: return grpc::make_http2(late);
        case stream::Protocol::ttrpc: return grpc::make_ttrpc(late);
        case stream::Protocol::unknown:
        case stream::Protocol::undecided: return nullptr;
    }
    return nullptr;
}

}  // namespace hopscope::decode
