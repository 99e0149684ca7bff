// Events as they happen, one JSON object per line: `hopscope.event/v1` (docs/ARCHITECTURE.md, "The JSON contract").
//
// Every line begins with schema, kind, ts, seq (ts is absent where a capture had no packet yet). `flow` is the number
// of the connection, `frame` the packet's number in its file, `session` the session that the connection carries at that
// moment, as far as it is known then. Payload is never written unless revealed; headers, targets and texts are masked.
// Lines of kind capture.start, capture.end and loss pass every filter.
//
// Frames and messages are the hot path: no allocation, one bounds check per line.
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "chain/observer.h"
#include "core/event.h"
#include "export/json_model.h"

namespace hopscope::exports {

// Decides whether rows about this session (null: none known) and this finding (null: the row is no finding) are wanted.
using RowFilter = std::function<bool(const chain::Session*, const chain::Finding*)>;

struct NdjsonOptions {
    JsonOptions json;
    RowFilter filter;              // empty: everything is wanted
    bool flush_each_line = false;  // live, or a terminal
};

// What capture.start says.
struct CaptureStart {
    std::optional<Timestamp> at;
    std::string node;                     // name of the node; empty: not known
    std::vector<chain::FileFact> files;   // offline; packet counts are not known yet and not told
    std::vector<std::string> interfaces;  // live
    std::string filter;                   // as the user wrote it
    std::vector<std::string> partial;     // what cannot be seen, and why: "unix sockets: not in a pcap"
};

// Headers (lower case) whose values are written without asking for a mask.
std::span<const std::string_view> harmless_headers();

// The cli hands it the pipeline's events (event, by an EventTap of its own) and registers it as the builder's observer.
class Ndjson final : public chain::Observer {
public:
    Ndjson(Output& out, NdjsonOptions options);

    void start(const CaptureStart& start);  // once, first
    void event(const Event& event, const chain::Place& place);
    // Compares with what was told before and writes what was added, at most once per second of capture time.
    void loss(const LossCounters& now, Timestamp at);
    // A user action whose sessions are all over. `sessions` of it that are still kept decide whether it is wanted.
    void chain(const chain::Chain& chain, std::span<const chain::Session* const> sessions);
    // A process of a session started a program or ended (live only).
    void process(const chain::Session& session, const chain::ProcessStep& step);
    void end(const chain::Model& model);  // once, last
    // For callers that flush by turns.
    void flush() { out_.flush(); }

    void session_opened(const chain::Session&, const chain::Place&) override;
    void stream_opened(const chain::Session&, const chain::Stream&, const chain::Place&) override;
    void stream_data(const chain::Session&, const chain::Stream&, Direction, Bytes, const chain::Place&) override;
    void stream_closed(const chain::Session&, const chain::Stream&, const chain::Place&) override;
    void resized(const chain::Session&, const chain::Stream&, const chain::Resize&, const chain::Place&) override;
    void session_ended(const chain::Session&, const chain::Place&) override;
    void finding(const chain::Finding&) override;

    [[nodiscard]] std::uint64_t lines() const { return lines_; }

private:
    // What is remembered of a connection, by slot: no pointer into the model is kept.
    struct Flow {
        FlowId id = 0;
        std::uint32_t session = 0;  // 0: none yet
        bool wanted = true;
    };
    void on(const HttpRequest&, const chain::Place&);
    void on(const HttpResponse&, const chain::Place&);
    void on(const SpdyFrame&, const chain::Place&);
    void on(const WsMessage&, const chain::Place&);
    void on(const Gap&, const chain::Place&);
    void on(const Problem&, const chain::Place&);
    void on(const CriMessage&, const chain::Place&);
    void on(const CriDone&, const chain::Place&);
    void on(const DockerCall&, const chain::Place&);
    void on(const TaskMessage&, const chain::Place&);
    void on(const TlsClientHello&, const chain::Place&);
    void on(const TlsServerHello&, const chain::Place&);
    void on(const TlsClosed&, const chain::Place&);

    [[nodiscard]] const Flow* known(const chain::Place& place) const;
    [[nodiscard]] bool wants(const chain::Place& place) const;
    bool wants(const chain::Session& session, const chain::Place& place);
    void header_array(std::span<const Header> headers);
    void command_array(std::span<const std::string_view> command);

    // Lines without a bound: opens the object and writes its first members; done() ends it.
    void begin(std::string_view kind, std::optional<Timestamp> at);
    void begin(std::string_view kind, const chain::Place& place);
    void begin(std::string_view kind, const chain::Session& session, const chain::Place& place);
    void done();

    // Lines with a bound are written in place: into kLineBytesMax bytes of room.
    char* line_begin(char* out, Timestamp at);  // the kind of which is "frame": most lines
    char* line_number(char* out);
    char* line_begin(char* out, std::string_view kind, std::optional<Timestamp> at);
    char* line_place(char* out, const chain::Place& place, std::uint32_t session);
    void line_done(char* out);
    [[nodiscard]] std::uint32_t session_at(const chain::Place& place) const;
    // RFC 3339 of `at`; neighbouring lines nearly always share the second.
    char* write_time(char* out, Timestamp at);

    Output& out_;
    NdjsonOptions options_;
    JsonWriter json_;
    std::vector<Flow> flows_;
    bool wants_unknown_ = true;  // rows of connections without a session
    std::uint64_t lines_ = 0;
    LossCounters told_loss_;
    std::optional<Timestamp> told_loss_at_;
    bool second_known_ = false;
    std::uint64_t second_ns_ = 0;  // the second whose text is in second_text_
    char second_text_[20];
};

}  // namespace hopscope::exports
