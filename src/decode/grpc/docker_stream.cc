// The stream of a Docker exec or attach after its connection was hijacked.
#include <algorithm>
#include <array>

#include "core/limits.h"
#include "decode/grpc/grpc.h"

namespace hopscope::decode::grpc {
namespace {

constexpr std::size_t kMuxHeaderBytes = 8;  // type, three zeros, size (big-endian)
constexpr std::size_t kMuxMarkBytes = 4;    // of it: what tells it from a terminal's output
constexpr std::uint8_t kMuxTypeMax = 3;
constexpr std::uint32_t kStdin = 0, kStdout = 1;
// dockerd copies in pieces of 32 KiB; a larger frame is not looked for when the place was lost.
constexpr std::size_t kResyncFrameBytesMax = 64 * 1024;

bool is_mux_mark(const std::uint8_t* p, std::size_t have) {
    if (have > 0 && p[0] > kMuxTypeMax) return false;
    for (std::size_t i = 1; i < have && i < kMuxMarkBytes; ++i)
        if (p[i] != 0) return false;
    return true;
}

StreamKind kind_of(std::uint32_t id) {
    switch (id) {
        case 0: return StreamKind::in;
        case 1: return StreamKind::out;
        case 2: return StreamKind::err;
        default: return StreamKind::error;  // "system error": dockerd's own words
    }
}

class DockerStream final : public Decoder {
public:
    explicit DockerStream(bool multiplexed) : state_(multiplexed ? State::header : State::first_bytes) {}

    Step decode(Direction direction, std::uint64_t offset, Bytes unread, EventSink& sink) override {
        if (direction == Direction::to_server) {
            tell(kStdin, direction, unread, sink);
            return Step::took(unread.size());
        }
        std::size_t taken = 0;
        while (taken < unread.size()) {
            const std::size_t n = advance(offset + taken, unread.subspan(taken), sink);
            if (n == 0) break;
            taken += n;
        }
        return taken > 0 ? Step::took(taken) : Step::more();
    }

    bool gap(Direction direction, std::uint64_t, std::uint64_t missing, std::size_t unread_lost, EventSink&) override {
        if (direction == Direction::to_server || state_ == State::raw) return true;
        if (state_ == State::first_bytes) {
            have_ = 0;
            return true;
        }
        const std::uint64_t lost = missing + unread_lost;
        if (state_ == State::payload && lost <= left_) {
            left_ -= static_cast<std::uint32_t>(lost);
            if (left_ == 0) state_ = State::header;
        } else {
            state_ = State::resync;
        }
        have_ = 0;
        return true;
    }

    void end(Direction direction, EventSink& sink) override {
        if (direction == Direction::to_client && state_ == State::first_bytes && have_ > 0) become_raw(sink);
        for (std::uint32_t id = 0; id < opened_.size(); ++id) {
            const bool own = direction == Direction::to_server ? id == kStdin : id != kStdin || echoed_stdin_;
            if (opened_[id] && own) sink.on(StreamClosed{id, direction, CloseKind::fin, 0});
        }
    }

    [[nodiscard]] std::size_t unread_bytes_max() const override { return kResyncFrameBytesMax + 2 * kMuxHeaderBytes; }

private:
    enum class State : std::uint8_t {
        first_bytes,  // terminal or multiplexed? Before API 1.42 the Content-Type does not say
        raw,
        header,
        payload,
        resync,  // the place of the next header is unknown
    };

    void tell(std::uint32_t id, Direction direction, Bytes piece, EventSink& sink) {
        if (!opened_[id]) {
            opened_[id] = true;
            const bool guessed = state_ == State::raw && id == kStdout;
            sink.on(StreamOpened{.id = id,
                                 .kind = kind_of(id),
                                 .grade = guessed ? Grade::inferred : Grade::decoded,
                                 .why = guessed ? "no multiplex headers: the output of a terminal" : ""});
        }
        if (id == kStdin && direction == Direction::to_client) echoed_stdin_ = true;
        if (!piece.empty()) sink.on(StreamData{id, direction, piece});
    }

    void become_raw(EventSink& sink) {
        state_ = State::raw;
        tell(kStdout, Direction::to_client, Bytes(header_).first(have_), sink);
        have_ = 0;
    }

    std::size_t advance(std::uint64_t offset, Bytes unread, EventSink& sink) {
        switch (state_) {
            case State::raw: tell(kStdout, Direction::to_client, unread, sink); return unread.size();
            case State::first_bytes:
                header_[have_++] = unread[0];
                if (!is_mux_mark(header_.data(), have_)) {
                    become_raw(sink);
                } else if (have_ == kMuxMarkBytes) {
                    state_ = State::header;
                }
                return 1;
            case State::header: return take_header(offset, unread, sink);
            case State::payload: {
                const auto n = static_cast<std::uint32_t>(std::min<std::size_t>(left_, unread.size()));
                left_ -= n;
                tell(header_[0], Direction::to_client, unread.first(n), sink);
                if (left_ == 0) state_ = State::header;
                return n;
            }
            case State::resync: return resync(unread);
        }
        return 0;
    }

    std::size_t take_header(std::uint64_t offset, Bytes unread, EventSink& sink) {
        const std::size_t n = std::min(unread.size(), kMuxHeaderBytes - have_);
        std::copy_n(unread.begin(), n, header_.begin() + static_cast<std::ptrdiff_t>(have_));
        have_ += n;
        if (have_ < kMuxHeaderBytes) return n;
        have_ = 0;
        if (!is_mux_mark(header_.data(), kMuxMarkBytes)) {
            sink.on(Problem{"docker.frame",
                            "no multiplex header where one is due; output is missing until the next one",
                            Direction::to_client, offset + n - kMuxHeaderBytes, 0});
            state_ = State::resync;
            return n;
        }
        left_ = read_be32(header_.data() + kMuxMarkBytes);
        if (left_ > 0) state_ = State::payload;
        return n;
    }

    // Two headers, one behind the other's payload, are believed.
    std::size_t resync(Bytes unread) {
        for (std::size_t at = 0; at < unread.size(); ++at) {
            const Bytes here = unread.subspan(at);
            if (!is_mux_mark(here.data(), here.size())) continue;
            if (here.size() < kMuxHeaderBytes) return at;
            const std::uint32_t size = read_be32(here.data() + kMuxMarkBytes);
            if (size == 0 || size > kResyncFrameBytesMax) continue;
            const Bytes next = here.subspan(std::min(here.size(), kMuxHeaderBytes + size));
            if (!is_mux_mark(next.data(), next.size())) continue;
            if (next.size() < kMuxMarkBytes) return at;
            if (at > 0) return at;
            state_ = State::header;
            return take_first(here);
        }
        return unread.size();
    }
    // A byte of the header that was found, so that the state moves on.
    std::size_t take_first(Bytes here) {
        header_[0] = here[0];
        have_ = 1;
        return 1;
    }

    State state_;
    std::array<std::uint8_t, kMuxHeaderBytes> header_{};
    std::size_t have_ = 0;
    std::uint32_t left_ = 0;  // payload bytes of the frame in hand
    std::array<bool, kMuxTypeMax + 1> opened_{};
    bool echoed_stdin_ = false;  // frames of type 0 came from the server
};

}  // namespace

std::unique_ptr<Decoder> make_docker_stream(bool multiplexed) { return std::make_unique<DockerStream>(multiplexed); }

}  // namespace hopscope::decode::grpc
