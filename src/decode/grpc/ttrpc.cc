#include "decode/grpc/ttrpc.h"

#include <google/protobuf/arena.h>
#include <ttrpc.pb.h>

#include <algorithm>
#include <utility>

#include "core/limits.h"
#include "decode/grpc/grpc.h"

namespace hopscope::decode::grpc {
namespace {

// A name of a service or method as code generators write it; what else a peer may send is not kept longer than this.
constexpr std::size_t kNameBytesMax = 127;
constexpr std::size_t kIdBytesMax = 256;  // containerd's own limit for identifiers is 76

// The namespace of containerd ("k8s.io", "moby") travels along with each request.
constexpr std::string_view kNamespaceKey = "containerd-namespace-ttrpc";

constexpr const char* kNoFrame = "these are no frames of ttrpc; the next one is looked for";
constexpr const char* kAfterHole = "bytes after a hole, before the next frame";

template <typename Message>
Message* parse(google::protobuf::Arena& arena, Bytes bytes) {
    auto* message = google::protobuf::Arena::CreateMessage<Message>(&arena);
    return message->ParseFromArray(bytes.data(), static_cast<int>(bytes.size())) ? message : nullptr;
}

// Is this a whole message of its type and nothing else? For a place that is only guessed to be a frame.
bool fits(const TtrpcHeader& header, Bytes payload) {
    google::protobuf::Arena arena;
    if (header.type == TtrpcHeader::kRequest) {
        const auto* request = parse<ttrpc::Request>(arena, payload);
        return request && request->unknown_fields().empty() && !request->service().empty() &&
               request->service().find('.') != std::string::npos && !request->method().empty();
    }
    const auto* response = parse<ttrpc::Response>(arena, payload);
    return header.type == TtrpcHeader::kResponse && response && response->unknown_fields().empty();
}

}  // namespace

std::unique_ptr<Decoder> make_ttrpc(bool late) { return std::make_unique<Ttrpc>(late); }

Ttrpc::Ttrpc(bool late) {
    if (!late) return;
    for (Side& side : sides_) side.state = State::seek;
}

std::size_t Ttrpc::unread_bytes_max() const { return TtrpcHeader::kBytes + limits::kTtrpcMessageBytesMax; }

void Ttrpc::lose_place(Side& side, std::uint64_t offset, const char* why) {
    side.state = State::seek;
    side.skipped = 0;
    side.skipped_at = offset;
    side.why = why;
}

void Ttrpc::tell_skipped(Direction direction, EventSink& sink) {
    Side& side = sides_[index_of(direction)];
    const char* why = std::exchange(side.why, nullptr);
    const std::uint64_t skipped = std::exchange(side.skipped, 0);
    if (why && skipped > 0) sink.on(Problem{"ttrpc.frame", why, direction, side.skipped_at, skipped});
}

Step Ttrpc::decode(Direction direction, std::uint64_t offset, Bytes unread, EventSink& sink) {
    std::size_t taken = 0;
    while (taken < unread.size()) {
        const State before = sides_[index_of(direction)].state;
        const std::size_t step = advance(direction, offset + taken, unread.subspan(taken), sink);
        taken += step;
        if (step == 0 && before == sides_[index_of(direction)].state) break;
    }
    return taken > 0 ? Step::took(taken) : Step::more();
}

std::size_t Ttrpc::advance(Direction direction, std::uint64_t offset, Bytes unread, EventSink& sink) {
    Side& side = sides_[index_of(direction)];
    switch (side.state) {
        case State::frame: return take_frame(direction, offset, unread, sink);
        case State::seek: return seek(direction, offset, unread, sink);
        case State::skip: break;
    }
    const std::uint64_t taken = std::min<std::uint64_t>(side.left, unread.size());
    side.left -= taken;
    if (side.left == 0) side.state = State::frame;
    return taken;
}

std::size_t Ttrpc::take_frame(Direction direction, std::uint64_t offset, Bytes unread, EventSink& sink) {
    if (unread.size() < TtrpcHeader::kBytes) return 0;
    Side& side = sides_[index_of(direction)];
    const TtrpcHeader header = TtrpcHeader::read(unread);
    const std::uint8_t unary = direction == Direction::to_server ? TtrpcHeader::kRequest : TtrpcHeader::kResponse;
    if (!header.possible() || (header.type != unary && header.type != TtrpcHeader::kData)) {
        lose_place(side, offset, kNoFrame);
        // Whatever this is, a frame does not begin here.
        side.skipped = 1;
        return 1;
    }
    const bool too_large = header.length > limits::kTtrpcMessageBytesMax;
    if (too_large || header.type == TtrpcHeader::kData) {
        if (too_large)
            sink.on(Problem{"ttrpc.size", "a message is larger than can be held; its fields are not read", direction,
                            offset, header.length});
        side.left = header.length;
        if (side.left > 0) side.state = State::skip;
        return TtrpcHeader::kBytes;
    }
    if (unread.size() < TtrpcHeader::kBytes + header.length) return 0;
    const Bytes payload = unread.subspan(TtrpcHeader::kBytes, header.length);
    if (direction == Direction::to_server)
        on_request(header, offset, payload, sink);
    else
        on_response(header, offset, payload, sink);
    return TtrpcHeader::kBytes + header.length;
}

std::size_t Ttrpc::seek(Direction direction, std::uint64_t offset, Bytes unread, EventSink& sink) {
    Side& side = sides_[index_of(direction)];
    const std::uint8_t unary = direction == Direction::to_server ? TtrpcHeader::kRequest : TtrpcHeader::kResponse;
    std::size_t at = 0;
    for (; unread.size() - at >= TtrpcHeader::kBytes; ++at) {
        const TtrpcHeader header = TtrpcHeader::read(unread.subspan(at));
        // An empty message proves nothing.
        if (!header.possible() || header.type != unary || header.length == 0 ||
            header.length > limits::kTtrpcSeekBytesMax)
            continue;
        const Bytes rest = unread.subspan(at + TtrpcHeader::kBytes);
        if (rest.size() < header.length) break;
        if (!fits(header, rest.first(header.length))) continue;
        side.state = State::frame;
        break;
    }
    if (side.skipped == 0) side.skipped_at = offset;
    side.skipped += at;
    if (side.state == State::frame) tell_skipped(direction, sink);
    return at;
}

void Ttrpc::remember(Call call) {
    std::erase_if(calls_, [&](const Call& each) { return each.stream == call.stream; });
    if (calls_.size() >= limits::kTtrpcCallsMax) calls_.pop_front();
    calls_.push_back(std::move(call));
}

void Ttrpc::on_request(const TtrpcHeader& header, std::uint64_t offset, Bytes payload, EventSink& sink) {
    google::protobuf::Arena arena;
    const auto* request = parse<ttrpc::Request>(arena, payload);
    if (!request) {
        sink.on(Problem{"ttrpc.message", "a request is not what its frame says", Direction::to_server, offset,
                        payload.size()});
        return;
    }
    const auto name = [](const std::string& text) { return std::string_view(text).substr(0, kNameBytesMax); };
    TaskMessage message;
    message.stream = header.stream;
    message.service = name(request->service());
    message.method = name(request->method());
    message.message_bytes = header.length;
    for (const auto& each : request->metadata())
        if (each.key() == kNamespaceKey) message.runtime_namespace = name(each.value());
    Call call;
    call.stream = header.stream;
    call.service = message.service;
    call.method = message.method;
    if (is_task_service(message.service)) call.known = find_task_method(message.method);
    // The ids are told with the answer, too.
    class Remember final : public EventSink {
    public:
        Remember(EventSink& to, Call& call) : to_(to), call_(call) {}
        void on(const Event& event) override {
            if (const auto* told = std::get_if<TaskMessage>(&event)) {
                call_.container_id = told->container_id.substr(0, kIdBytesMax);
                call_.exec_id = told->exec_id.substr(0, kIdBytesMax);
            }
            to_.on(event);
        }

    private:
        EventSink& to_;
        Call& call_;
    };
    Remember both(sink, call);
    if (!messages_.tell(message, call.known ? call.known->request : TaskBody::none, as_bytes(request->payload()), both))
        sink.on(Problem{"ttrpc.body", "a message of the task service is not what its method says", Direction::to_server,
                        offset, payload.size()});
    remember(std::move(call));
}

void Ttrpc::on_response(const TtrpcHeader& header, std::uint64_t offset, Bytes payload, EventSink& sink) {
    google::protobuf::Arena arena;
    const auto* response = parse<ttrpc::Response>(arena, payload);
    if (!response) {
        sink.on(Problem{"ttrpc.message", "an answer is not what its frame says", Direction::to_client, offset,
                        payload.size()});
        return;
    }
    const auto found =
        std::find_if(calls_.begin(), calls_.end(), [&](const Call& each) { return each.stream == header.stream; });
    Call call;
    if (found != calls_.end()) {
        call = std::move(*found);
        calls_.erase(found);
    }
    TaskMessage message;
    message.stream = header.stream;
    message.response = true;
    message.method_known = !call.method.empty();
    message.service = call.service;
    message.method = call.method;
    message.container_id = call.container_id;
    message.exec_id = call.exec_id;
    message.message_bytes = header.length;
    message.status = response->status().code();
    message.status_text = response->status().message();
    const TaskBody kind = call.known && message.status == 0 ? call.known->response : TaskBody::none;
    if (!messages_.tell(message, kind, as_bytes(response->payload()), sink))
        sink.on(Problem{"ttrpc.body", "a message of the task service is not what its method says", Direction::to_client,
                        offset, payload.size()});
}

void Ttrpc::cut_off(Direction direction, std::uint64_t, Bytes unread, EventSink&) {
    Side& side = sides_[index_of(direction)];
    side.whole = 0;
    if (side.state == State::frame && unread.size() >= TtrpcHeader::kBytes)
        side.whole = TtrpcHeader::kBytes + TtrpcHeader::read(unread).length;
}

bool Ttrpc::gap(Direction direction, std::uint64_t offset, std::uint64_t missing, std::size_t unread_lost,
                EventSink& sink) {
    Side& side = sides_[index_of(direction)];
    const std::uint64_t whole = std::exchange(side.whole, 0);
    if (side.state == State::skip && missing <= side.left) {
        side.left -= missing;
        if (side.left == 0) side.state = State::frame;
        return true;
    }
    // The hole lies inside one frame, whose end is known.
    if (side.state == State::frame && unread_lost > 0 && whole >= unread_lost + missing) {
        side.left = whole - unread_lost - missing;
        if (side.left > 0) side.state = State::skip;
        return true;
    }
    tell_skipped(direction, sink);
    lose_place(side, offset + missing, kAfterHole);
    return true;
}

void Ttrpc::end(Direction direction, EventSink& sink) {
    tell_skipped(direction, sink);
    if (direction == Direction::to_client) calls_.clear();
}

}  // namespace hopscope::decode::grpc
