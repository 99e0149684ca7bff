// The gRPC side of Exchanges: messages, CRI bodies, how a call ends.
#include <algorithm>
#include <array>
#include <charconv>

#include "core/limits.h"
#include "decode/grpc/cri_shapes.h"
#include "decode/grpc/exchanges.h"
#include "decode/grpc/inflate.h"

namespace hopscope::decode::grpc {
namespace {

constexpr std::uint32_t kGrpcUnavailable = 14;

int hex_digit(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

// grpc-message (gRPC over HTTP/2, "Status-Message"); what is no escape stays as it is.
void percent_decode(std::string_view in, std::string& out) {
    out.clear();
    for (std::size_t i = 0; i < in.size(); ++i) {
        if (in[i] == '%' && i + 2 < in.size() && hex_digit(in[i + 1]) >= 0 && hex_digit(in[i + 2]) >= 0) {
            out += static_cast<char>(hex_digit(in[i + 1]) << 4 | hex_digit(in[i + 2]));
            i += 2;
        } else {
            out += in[i];
        }
    }
}

// RFC 9113 section 7, and what gRPC makes of it ("HTTP2 Transport Mapping", "Errors").
struct ResetMeaning {
    std::string_view text;
    std::uint32_t grpc_status;
};
constexpr std::array<ResetMeaning, 14> kResets = {{{"the stream was reset: NO_ERROR", 13},
                                                   {"the stream was reset: PROTOCOL_ERROR", 13},
                                                   {"the stream was reset: INTERNAL_ERROR", 13},
                                                   {"the stream was reset: FLOW_CONTROL_ERROR", 13},
                                                   {"the stream was reset: SETTINGS_TIMEOUT", 13},
                                                   {"the stream was reset: STREAM_CLOSED", 2},
                                                   {"the stream was reset: FRAME_SIZE_ERROR", 13},
                                                   {"the stream was reset: REFUSED_STREAM", 14},
                                                   {"the stream was reset: CANCEL", 1},
                                                   {"the stream was reset: COMPRESSION_ERROR", 13},
                                                   {"the stream was reset: CONNECT_ERROR", 13},
                                                   {"the stream was reset: ENHANCE_YOUR_CALM", 8},
                                                   {"the stream was reset: INADEQUATE_SECURITY", 7},
                                                   {"the stream was reset: HTTP_1_1_REQUIRED", 2}}};
constexpr ResetMeaning kUnknownReset = {"the stream was reset: unknown error code", 2};

}  // namespace

// Carries a message from the reader to the exchange it belongs to.
class Exchanges::OneMessage final : public MessageReader::Listener {
public:
    OneMessage(Exchanges& exchanges, Exchange& exchange, FramePlace place, EventSink& sink)
        : exchanges_(exchanges), exchange_(exchange), place_(place), sink_(sink) {}
    void on_message(const GrpcMessage& message) override { exchanges_.on_message(exchange_, place_, message, sink_); }

private:
    Exchanges& exchanges_;
    Exchange& exchange_;
    FramePlace place_;
    EventSink& sink_;
};

void Exchanges::data(FramePlace place, Bytes piece, EventSink& sink) {
    Exchange* exchange = in_hand_[index_of(place.direction)];
    if (!exchange) return;
    Side& side = exchange->side(place.direction);
    side.body_bytes += piece.size();
    switch (exchange->kind) {
        case Kind::http: sink.on(HttpBody{exchange->id, place.direction, piece}); return;
        case Kind::grpc: return;
        case Kind::cri:
        case Kind::tasks:
        case Kind::unknown: {
            OneMessage listener(*this, *exchange, place, sink);
            side.messages.take(piece, wants_bodies(*exchange, place.direction), memory_, listener);
        }
    }
}

bool Exchanges::wants_bodies(const Exchange& exchange, Direction direction) const {
    if (exchange.kind == Kind::unknown) return true;
    // Of an answer the ids are told all the same.
    if (exchange.kind == Kind::tasks) return true;
    if (!exchange.known) return false;
    return (direction == Direction::to_server ? exchange.known->request : exchange.known->response) != CriBody::none;
}

void Exchanges::on_message(Exchange& exchange, FramePlace place, const GrpcMessage& message, EventSink& sink) {
    const bool named = exchange.kind == Kind::cri || exchange.kind == Kind::tasks;
    if (message.too_large && named)
        sink.on(Problem{"grpc.size", "a gRPC message is larger than can be held; its fields are not read",
                        place.direction, place.offset, message.length});
    Bytes body = message.body;
    bool whole = message.whole;
    if (message.compressed && whole) {
        whole = exchange.side(place.direction).encoding != Encoding::other &&
                inflate_message(message.body, limits::kGrpcMessageBytesMax, inflated_);
        body = whole ? Bytes(inflated_) : Bytes{};
        if (!whole && named)
            sink.on(Problem{"grpc.compressed", "a compressed gRPC message cannot be decompressed", place.direction,
                            place.offset, message.length});
    }
    if (!named) {
        if (whole) on_unnamed_message(exchange, place, message.length, body, sink);
        return;
    }
    if (exchange.kind == Kind::tasks) {
        const TaskMethod& method = *exchange.task->known;
        const bool request = place.direction == Direction::to_server;
        const TaskBody read_as = !whole ? TaskBody::none : request ? method.request : method.response;
        return tell_task(exchange, place, read_as, message.length, body, sink);
    }
    CriBody kind = CriBody::none;
    if (exchange.known && whole)
        kind = place.direction == Direction::to_server ? exchange.known->request : exchange.known->response;
    if (exchange.inferred && place.direction == Direction::to_server && !fits_request(*exchange.known, body)) return;
    tell_cri(exchange, place, kind, message.length, body, sink);
}

void Exchanges::tell_cri(const Exchange& exchange, FramePlace place, CriBody kind, std::uint32_t length, Bytes body,
                         EventSink& sink) {
    CriMessage event;
    event.stream = exchange.id;
    event.response = place.direction == Direction::to_client;
    event.method_known = !exchange.inferred;
    event.version = exchange.version;
    event.method = exchange.method_text();
    event.message_bytes = length;
    if (!cri_.tell(event, kind, body, sink))
        sink.on(Problem{"cri.message", "a message of the runtime service is not what its method says", place.direction,
                        place.offset, length});
}

void Exchanges::tell_task(Exchange& exchange, FramePlace place, TaskBody kind, std::uint32_t length, Bytes body,
                          EventSink& sink) {
    // The answer's ids are those of its request, which tells them by the way.
    class Remember final : public EventSink {
    public:
        Remember(TaskCall& call, EventSink& next) : call_(call), next_(next) {}
        void on(const Event& event) override {
            if (const auto* message = std::get_if<TaskMessage>(&event); message && !message->response) {
                call_.container_id = message->container_id.substr(0, limits::kTextBytesKept);
                call_.exec_id = message->exec_id.substr(0, limits::kTextBytesKept);
            }
            next_.on(event);
        }

    private:
        TaskCall& call_;
        EventSink& next_;
    };
    TaskCall& call = *exchange.task;
    TaskMessage event;
    event.stream = exchange.id;
    event.response = place.direction == Direction::to_client;
    event.service = kTaskService;
    event.method = call.known->name;
    event.runtime_namespace = event.response ? std::string_view() : call.runtime_namespace;
    event.message_bytes = length;
    if (event.response) {
        event.container_id = call.container_id;
        event.exec_id = call.exec_id;
        call.answered = true;
    }
    Remember remember(call, sink);
    if (!tasks_.tell(event, kind, body, remember))
        sink.on(Problem{"tasks.message", "a message of containerd's task service is not what its method says",
                        place.direction, place.offset, length});
}

// A call that was refused has no message for an answer.
void Exchanges::end_task(Exchange& exchange, std::uint32_t grpc_status, std::string_view message, EventSink& sink) {
    TaskCall& call = *exchange.task;
    if (grpc_status == 0 || call.answered) return;
    call.answered = true;
    TaskMessage event;
    event.stream = exchange.id;
    event.response = true;
    event.service = kTaskService;
    event.method = call.known->name;
    event.container_id = call.container_id;
    event.exec_id = call.exec_id;
    event.status = static_cast<std::int32_t>(grpc_status);
    event.status_text = message;
    sink.on(event);
}

void Exchanges::on_unnamed_message(Exchange& exchange, FramePlace place, std::uint32_t length, Bytes body,
                                   EventSink& sink) {
    if (place.direction == Direction::to_server) {
        if (is_task_exec(body)) {
            exchange.kind = Kind::tasks;
            exchange.task = std::make_unique<TaskCall>();
            exchange.task->known = parse_task_path("/containerd.services.tasks.v1.Tasks/Exec").known;
            return tell_task(exchange, place, exchange.task->known->request, length, body, sink);
        }
        if (may_ask_for_stream(body)) keep_undecided(exchange, body);
        return;
    }
    const CriMethod* method = method_of_answer(body);
    if (!method) {
        const TaskMethod* task = may_name_exec(exchange.undecided) ? task_method_of_answer(body) : nullptr;
        if (!task) return;
        exchange.kind = Kind::tasks;
        exchange.task = std::make_unique<TaskCall>();
        exchange.task->known = task;
        const std::vector<std::uint8_t> request = exchange.undecided;
        drop_undecided(exchange);
        tell_task(exchange, {Direction::to_server, place.offset}, task->request,
                  static_cast<std::uint32_t>(request.size()), request, sink);
        return tell_task(exchange, place, task->response, length, body, sink);
    }
    exchange.kind = Kind::cri;
    exchange.known = method;
    exchange.inferred = true;
    if (!exchange.undecided.empty() && fits_request(*method, exchange.undecided)) {
        const auto request_bytes = static_cast<std::uint32_t>(exchange.undecided.size());
        tell_cri(exchange, {Direction::to_server, place.offset}, method->request, request_bytes, exchange.undecided,
                 sink);
    }
    drop_undecided(exchange);
    tell_cri(exchange, place, method->response, length, body, sink);
}

void Exchanges::keep_undecided(Exchange& exchange, Bytes body) {
    drop_undecided(exchange);
    if (body.size() > limits::kGrpcUndecidedBytesMax || memory_.used + body.size() > limits::kGrpcHeldBytesMax) return;
    exchange.undecided.assign(body.begin(), body.end());
    memory_.used += body.size();
}

void Exchanges::drop_undecided(Exchange& exchange) {
    memory_.used -= std::min(memory_.used, exchange.undecided.size());
    exchange.undecided = {};
}

// --- how a call ends

void Exchanges::trailers(Exchange& exchange, const HeaderList& fields, EventSink& sink) {
    const auto status = fields.find("grpc-status");
    if (!status) return;
    std::uint32_t number = 0;
    const auto [end, error] = std::from_chars(status->data(), status->data() + status->size(), number);
    if (error != std::errc() || end != status->data() + status->size()) return;
    percent_decode(fields.find("grpc-message").value_or(std::string_view()), text_);
    tell_done(exchange, number, text_, sink);
}

void Exchanges::tell_done(Exchange& exchange, std::uint32_t grpc_status, std::string_view message, EventSink& sink) {
    if (exchange.done_told || (exchange.kind != Kind::cri && exchange.kind != Kind::tasks)) return;
    exchange.done_told = true;
    if (exchange.kind == Kind::tasks) return end_task(exchange, grpc_status, message, sink);
    sink.on(
        CriDone{exchange.id, exchange.inferred ? std::string_view() : exchange.method_text(), grpc_status, message});
}

void Exchanges::reset(std::uint32_t stream, std::uint32_t code, EventSink& sink) {
    Exchange* exchange = find(stream);
    if (!exchange) return;
    const ResetMeaning& meaning = code < kResets.size() ? kResets[code] : kUnknownReset;
    tell_done(*exchange, meaning.grpc_status, meaning.text, sink);
    abandon(*exchange, sink);
    close(stream);
}

void Exchanges::goaway(Direction direction, std::uint32_t last_stream, EventSink& sink) {
    // Streams of the one who receives it; servers open none that matter here.
    if (direction != Direction::to_client) return;
    while (!open_.empty() && open_.back()->id > last_stream) {
        Exchange& exchange = *open_.back();
        tell_done(exchange, kGrpcUnavailable, "the server went away before it saw this call (GOAWAY)", sink);
        abandon(exchange, sink);
        close(exchange.id);
    }
}

}  // namespace hopscope::decode::grpc
