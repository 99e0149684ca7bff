// Tells a builder what the pipeline would tell it, in the words of the story: who connects, asks, answers, sends,
// closes.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "chain/builder.h"

namespace hopscope::chain::test {

inline Endpoint endpoint(std::string_view text) {
    const auto colon = text.rfind(':');
    std::string host(text.substr(0, colon));
    if (!host.empty() && host.front() == '[') host = host.substr(1, host.size() - 2);
    return {IpAddress::parse(host).value_or(IpAddress{}),
            static_cast<std::uint16_t>(std::stoi(std::string(text.substr(colon + 1))))};
}

// Remembers what was told, as short words.
class Recorder final : public Observer {
public:
    void session_opened(const Session& s, const Place&) override { told.push_back("opened " + s.id()); }
    void stream_opened(const Session& s, const Stream& stream, const Place&) override {
        told.push_back("stream " + s.id() + " " + std::to_string(stream.id));
    }
    void stream_data(const Session& s, const Stream& stream, Direction d, Bytes piece, const Place&) override {
        told.push_back("data " + s.id() + " " + std::to_string(stream.id) +
                       (d == Direction::to_server ? " in " : " out ") + std::string(as_text(piece)));
    }
    void stream_closed(const Session& s, const Stream& stream, const Place&) override {
        told.push_back("stream closed " + s.id() + " " + std::to_string(stream.id));
    }
    void resized(const Session& s, const Stream&, const Resize& size, const Place&) override {
        told.push_back("resized " + s.id() + " " + std::to_string(size.width) + "x" + std::to_string(size.height));
    }
    void session_ended(const Session& s, const Place&) override {
        told.push_back("ended " + s.id() + " " + std::string(to_string(s.state)));
    }
    void finding(const Finding& f) override { told.push_back("finding " + f.code); }
    std::vector<std::string> told;
};

using HeaderList = std::vector<std::pair<std::string, std::string>>;

// Headers of kubectl's usual requests.
inline HeaderList spdy_upgrade(HeaderList more = {}) {
    HeaderList all{
        {"Connection", "Upgrade"}, {"Upgrade", "SPDY/3.1"}, {"X-Stream-Protocol-Version", "v4.channel.k8s.io"}};
    all.insert(all.end(), more.begin(), more.end());
    return all;
}
inline HeaderList ws_upgrade(HeaderList more = {}) {
    HeaderList all{
        {"Connection", "Upgrade"}, {"Upgrade", "websocket"}, {"Sec-WebSocket-Protocol", "v5.channel.k8s.io"}};
    all.insert(all.end(), more.begin(), more.end());
    return all;
}

class Story {
public:
    struct Connection {
        FlowId id = 0;
        std::uint32_t slot = 0;
        std::uint32_t exchanges = 0;
    };

    explicit Story(Retention retention = {}, Observer* observer = nullptr) : builder(retention, observer) {}

    // --- the clock: milliseconds since the story began; every event is a frame of its own unless same_frame()
    Story& at_ms(double ms) {
        now_.ns = kBegin + static_cast<std::int64_t>(ms * 1e6);
        return *this;
    }
    Story& later_ms(double ms) {
        now_.ns += static_cast<std::int64_t>(ms * 1e6);
        return *this;
    }
    [[nodiscard]] Timestamp now() const { return now_; }
    [[nodiscard]] std::uint64_t frame() const { return frame_; }
    void same_frame(bool same) { same_frame_ = same; }
    void file(std::uint16_t number) { file_ = number; }

    // --- connections
    Connection connect(std::string_view client, std::string_view server, bool handshake = true) {
        Connection c{next_flow_++, 0, 0};
        if (free_slots_.empty()) {
            c.slot = slots_++;
        } else {
            c.slot = free_slots_.back();
            free_slots_.pop_back();
        }
        builder.flow({.id = c.id,
                      .slot = c.slot,
                      .client = endpoint(client),
                      .server = endpoint(server),
                      .file = file_,
                      .handshake_seen = handshake});
        tell(c, FlowOpened{handshake, true});
        return c;
    }
    void tell(const Connection& c, const Event& event) {
        if (!same_frame_) ++frame_;
        builder.on(event, {.flow = c.id, .slot = c.slot, .at = now_, .frame = frame_, .file = file_});
    }
    void fin(const Connection& c, Direction d) { tell(c, FlowClosing{d, FinKind::fin}); }
    void rst(const Connection& c, Direction d) { tell(c, FlowClosing{d, FinKind::rst}); }
    void over(const Connection& c, bool capture_over = false) {
        tell(c, FlowEnded{capture_over});
        free_slots_.push_back(c.slot);
    }
    void close(const Connection& c) {
        fin(c, Direction::to_server);
        fin(c, Direction::to_client);
        over(c);
    }

    // --- HTTP
    void request(Connection& c, std::string_view method, std::string_view target, const HeaderList& list = {},
                 std::string_view version = "HTTP/1.1") {
        const auto headers = borrowed(list);
        tell(c, HttpRequest{c.exchanges++, method, target, version, headers});
    }
    void answer(const Connection& c, std::uint16_t status, std::string_view body = {}, const HeaderList& list = {}) {
        const auto headers = borrowed(list);
        const std::uint32_t exchange = c.exchanges - 1;
        tell(c, HttpResponse{exchange, status, "reason", "HTTP/1.1", headers});
        if (status == 101) return;
        if (!body.empty()) tell(c, HttpBody{exchange, Direction::to_client, as_bytes(body)});
        tell(c, HttpEnd{exchange, Direction::to_client, body.size(), true});
    }
    void upgrade(const Connection& c, Carrier carrier, std::string_view subprotocol) {
        answer(c, 101);
        tell(c, Upgraded{c.exchanges - 1, carrier, subprotocol});
    }

    // --- streams
    void stream(const Connection& c, std::uint32_t id, StreamKind kind, std::optional<std::uint16_t> port = {},
                std::optional<std::uint32_t> request_id = {}) {
        tell(c, StreamOpened{id, kind, Grade::decoded, port, request_id, {}});
        tell(c, SpdyFrame{Direction::to_server, 1, 0, id, 10, 0, true});
    }
    void data(const Connection& c, std::uint32_t id, Direction d, std::string_view text) {
        tell(c, StreamData{id, d, as_bytes(text)});
        tell(c, SpdyFrame{d, 0, 0, id, static_cast<std::uint32_t>(text.size()), 0, true});
    }
    void exit_status(const Connection& c, std::uint32_t id, int code) {
        ExitStatus status;
        status.id = id;
        status.success = code == 0;
        status.exit_code = code;
        if (code != 0) status.reason = "NonZeroExitCode";
        tell(c, status);
    }
    // error, stdout, stderr, some output, a status, both FINs.
    void run_exec(const Connection& c, int code = 0, std::string_view output = "out\n") {
        stream(c, 1, StreamKind::error);
        stream(c, 3, StreamKind::out);
        stream(c, 5, StreamKind::err);
        data(c, 3, Direction::to_client, output);
        exit_status(c, 1, code);
        close(c);
    }

    Model& finish() {
        builder.finish(now_);
        return builder.model();
    }
    const Session& session(std::size_t i) { return *builder.model().sessions.at(i); }
    std::vector<std::string> codes() {
        std::vector<std::string> all;
        for (const Finding& f : builder.model().findings) all.push_back(f.code);
        return all;
    }
    const Finding* finding(std::string_view code) {
        for (const Finding& f : builder.model().findings) {
            if (f.code == code) return &f;
        }
        return nullptr;
    }

    Builder builder;

private:
    static constexpr std::int64_t kBegin = 1'795'280'000'000'000'000;

    static std::vector<Header> borrowed(const HeaderList& list) {
        std::vector<Header> headers;
        for (const auto& [name, value] : list) headers.push_back({name, value});
        return headers;
    }

    Timestamp now_{kBegin};
    std::uint64_t frame_ = 0;
    bool same_frame_ = false;
    std::uint16_t file_ = 0;
    FlowId next_flow_ = 0;
    std::uint32_t slots_ = 0;
    std::vector<std::uint32_t> free_slots_;
};

}  // namespace hopscope::chain::test
