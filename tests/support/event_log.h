// Writes down what a decoder tells, so that two runs over the same bytes can be compared however they were cut.
//
// Adjacent StreamData or HttpBody pieces of one stream and direction count as one. Needs no test framework: fuzzers use
// it.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "event_text.h"

namespace hopscope::tests {

// Which events must keep their order among each other: those of one direction; directionless ones per stream.
inline std::string lane_of(const Event& event) {
    const auto by = [](Direction direction) { return std::string(arrow(direction)); };
    const auto stream = [](std::uint32_t id) { return "stream " + std::to_string(id); };
    return std::visit(
        Overloaded{
            [&](const HttpRequest&) { return by(Direction::to_server); },
            [&](const HttpResponse&) { return by(Direction::to_client); },
            [&](const HttpBody& e) { return by(e.direction); },
            [&](const HttpEnd& e) { return by(e.direction); },
            [&](const Upgraded&) { return by(Direction::to_client); },
            [&](const SpdyFrame& e) { return by(e.direction); },
            [&](const WsMessage& e) { return by(e.direction); },
            [&](const StreamOpened& e) { return stream(e.id); },
            [&](const StreamNamed& e) { return stream(e.stream.id); },
            [&](const StreamData& e) { return by(e.direction); },
            [&](const StreamClosed& e) { return by(e.direction); },
            [&](const Resized& e) { return "resized " + std::to_string(e.id); },
            [&](const ExitStatus& e) { return "exit " + std::to_string(e.id); },
            [&](const ForwardError& e) { return "exit " + std::to_string(e.id); },
            [&](const FlowOpened&) { return std::string("flow"); },
            [&](const FlowClosing&) { return std::string("flow"); },
            [&](const FlowEnded&) { return std::string("flow"); },
            [&](const Gap& e) { return by(e.direction); },
            [&](const NetNote& e) { return by(e.direction); },
            [&](const TlsClientHello&) { return by(Direction::to_server); },
            [&](const TlsServerHello&) { return by(Direction::to_client); },
            [&](const TlsCertificate& e) { return by(e.direction); },
            [&](const TlsRecord& e) { return by(e.direction); },
            [&](const TlsClosed&) { return std::string("tls"); },
            [&](const CriMessage& e) { return by(e.response ? Direction::to_client : Direction::to_server); },
            [&](const CriDone&) { return by(Direction::to_client); },
            [&](const DockerCall&) { return std::string("docker"); },
            [&](const TaskMessage& e) { return by(e.response ? Direction::to_client : Direction::to_server); },
            // A problem inside a payload says where by its offset, not by its place among the pieces.
            [&](const Problem& e) { return "problem " + by(e.direction); },
        },
        event);
}

// Writes down events, adjacent payload pieces put together.
class EventLog final : public EventSink {
public:
    struct Entry {
        std::string lane, line;
    };

    void on(const Event& event) override {
        if (const auto* data = std::get_if<StreamData>(&event)) {
            piece({true, data->id, data->direction}, data->piece, lane_of(event));
        } else if (const auto* body = std::get_if<HttpBody>(&event)) {
            piece({false, body->exchange, body->direction}, body->piece, lane_of(event));
        } else {
            // A piece goes on after events of other lanes, but never across one of its own.
            const std::string lane = lane_of(event);
            close_piece(lane);
            entries_.push_back({lane, event_text(event)});
        }
        ++events_;
    }

    // All lines in the order in which they were told.
    std::vector<std::string> lines() const {
        std::vector<std::string> out;
        for (const Entry& entry : entries_) out.push_back(entry.line.empty() ? open_line(entry.lane) : entry.line);
        return out;
    }
    // Only those that begin with `prefix`.
    std::vector<std::string> lines(std::string_view prefix) const {
        std::vector<std::string> out;
        for (std::string& line : lines())
            if (line.starts_with(prefix)) out.push_back(std::move(line));
        return out;
    }
    std::map<std::string, std::vector<std::string>> lanes() const {
        std::map<std::string, std::vector<std::string>> out;
        for (const Entry& entry : entries_)
            out[entry.lane].push_back(entry.line.empty() ? open_line(entry.lane) : entry.line);
        return out;
    }
    // All payload of a stream in one direction.
    std::string data(std::uint32_t id, Direction direction) const { return payload_at({true, id, direction}); }
    std::string body(std::uint32_t exchange, Direction direction) const {
        return payload_at({false, exchange, direction});
    }
    // How many events were told, pieces counted one by one.
    std::size_t events() const { return events_; }

private:
    struct Key {
        bool stream = false;
        std::uint32_t id = 0;
        Direction direction{};
        auto operator<=>(const Key&) const = default;
    };
    struct Open {
        Key key;
        std::string bytes;
        std::size_t entry = 0;
    };

    void piece(Key key, Bytes bytes, const std::string& lane) {
        payload_[key] += as_text(bytes);
        auto at = open_.find(lane);
        if (at != open_.end() && at->second.key != key) {
            close_piece(lane);
            at = open_.end();
        }
        if (at == open_.end()) {
            at = open_.emplace(lane, Open{key, {}, entries_.size()}).first;
            entries_.push_back({lane, {}});
        }
        at->second.bytes += as_text(bytes);
    }
    std::string text_of(const Open& open) const {
        const Bytes bytes = as_bytes(open.bytes);
        return open.key.stream ? event_text(StreamData{open.key.id, open.key.direction, bytes})
                               : event_text(HttpBody{open.key.id, open.key.direction, bytes});
    }
    std::string open_line(const std::string& lane) const { return text_of(open_.at(lane)); }
    void close_piece(const std::string& lane) {
        const auto at = open_.find(lane);
        if (at == open_.end()) return;
        entries_[at->second.entry].line = text_of(at->second);
        open_.erase(at);
    }
    std::string payload_at(Key key) const {
        const auto at = payload_.find(key);
        return at == payload_.end() ? std::string() : at->second;
    }

    std::vector<Entry> entries_;
    std::map<std::string, Open> open_;
    std::map<Key, std::string> payload_;
    std::size_t events_ = 0;
};

// Says where `got` differs from `want` first; empty when they are the same.
inline std::string first_difference(const EventLog& want, const EventLog& got) {
    const auto a = want.lanes(), b = got.lanes();
    for (const auto& [lane, lines] : a) {
        const auto other = b.find(lane);
        const std::vector<std::string> none;
        const std::vector<std::string>& lines_b = other == b.end() ? none : other->second;
        for (std::size_t i = 0; i < std::max(lines.size(), lines_b.size()); ++i) {
            const std::string want_line = i < lines.size() ? lines[i] : "(nothing)";
            const std::string got_line = i < lines_b.size() ? lines_b[i] : "(nothing)";
            if (want_line != got_line)
                return "in " + lane + ", line " + std::to_string(i) + ":\n  whole: " + want_line +
                       "\n  cut:   " + got_line;
        }
    }
    for (const auto& [lane, lines] : b)
        if (!a.contains(lane)) return "only when cut: " + lines.front();
    return {};
}

}  // namespace hopscope::tests
