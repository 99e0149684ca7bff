#include "decode/stream/raw_upgrade.h"

#include <algorithm>

#include "core/limits.h"
#include "decode/stream/ascii.h"

namespace hopscope::decode::stream::http {
namespace {

// Both directions as the two sides of stream 0.
class RawStream final : public Decoder {
public:
    Step decode(Direction direction, std::uint64_t, Bytes unread, EventSink& sink) override {
        if (!opened_) sink.on(StreamOpened{.id = 0});
        opened_ = true;
        sink.on(StreamData{0, direction, unread});
        return Step::took(unread.size());
    }
    bool gap(Direction, std::uint64_t, std::uint64_t, std::size_t, EventSink&) override { return true; }
    void end(Direction direction, EventSink& sink) override {
        if (opened_) sink.on(StreamClosed{0, direction, CloseKind::fin, 0});
    }
    [[nodiscard]] std::size_t unread_bytes_max() const override { return 0; }

private:
    bool opened_ = false;
};

std::unique_ptr<Decoder> make_stream(const Handover& handover, bool multiplexed) {
    if (handover.docker_stream) return handover.docker_stream(multiplexed);
    return std::make_unique<RawStream>();
}

// Waits for the server's first bytes: a multiplex header begins 00, 01, 02 or 03 and three zero bytes, which no
// terminal and no program's text does.
class PeekDockerStream final : public Decoder {
public:
    explicit PeekDockerStream(const Handover& handover) : handover_(handover) {}

    Step decode(Direction direction, std::uint64_t, Bytes unread, EventSink&) override {
        if (direction == Direction::to_server) return Step::more();
        const bool zeros =
            std::all_of(unread.begin() + 1, unread.begin() + std::min<std::ptrdiff_t>(4, std::ssize(unread)),
                        [](std::uint8_t byte) { return byte == 0; });
        const bool header = unread[0] <= 3 && zeros;
        if (header && unread.size() < 4) return Step::more();
        return Step::become(0, make_stream(handover_, header));
    }
    bool gap(Direction, std::uint64_t, std::uint64_t, std::size_t, EventSink&) override { return false; }
    void end(Direction, EventSink&) override {}
    [[nodiscard]] std::size_t unread_bytes_max() const override { return limits::kHeldBytesMax; }

private:
    Handover handover_;
};

}  // namespace

bool may_be_hijacked(std::string_view method, std::string_view target) {
    const std::string_view path = target.substr(0, target.find('?'));
    if (method != "POST") return false;
    return (path.ends_with("/start") && path.find("/exec/") != std::string_view::npos) ||
           (path.ends_with("/attach") && path.find("/containers/") != std::string_view::npos);
}

std::unique_ptr<Decoder> make_raw_upgrade(const Handover& handover, std::string_view content_type) {
    if (contains_ignoring_case(content_type, "docker.multiplexed-stream")) return make_stream(handover, true);
    if (contains_ignoring_case(content_type, "docker.raw-stream") && handover.docker_stream)
        return std::make_unique<PeekDockerStream>(handover);
    return make_stream(handover, false);
}

}  // namespace hopscope::decode::stream::http
