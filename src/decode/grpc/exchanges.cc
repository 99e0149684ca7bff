#include "decode/grpc/exchanges.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include "core/limits.h"

namespace hopscope::decode::grpc {
namespace {

constexpr std::size_t kSpareMax = 16;
constexpr std::size_t kUnknownMethodBytesMax = 128;

std::uint16_t status_number(std::string_view text) {
    std::uint16_t status = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), status);
    return error == std::errc() && end == text.data() + text.size() && status < 1000 ? status : std::uint16_t{0};
}

bool is_grpc_content(std::string_view type) { return type.starts_with("application/grpc"); }

}  // namespace

// --- the table of streams

Exchanges::Exchange* Exchanges::find(std::uint32_t id) {
    // The newest stream is asked for most often.
    if (!open_.empty() && open_.back()->id == id) return open_.back().get();
    const auto at =
        std::lower_bound(open_.begin(), open_.end(), id, [](const auto& e, std::uint32_t n) { return e->id < n; });
    return at != open_.end() && (*at)->id == id ? at->get() : nullptr;
}

Exchanges::Exchange* Exchanges::find_or_open(std::uint32_t id, Direction direction, EventSink& sink) {
    if (Exchange* known = find(id)) return known;
    const CriMethod* inferred = nullptr;
    for (Over& over : over_) {
        if (over.id != id) continue;
        if (direction == Direction::to_client || !over.inferred) return nullptr;
        inferred = over.inferred;
        over = {};
    }
    if (open_.size() >= limits::kStreamsPerConnectionMax) {
        Exchange& given_up = least_likely_open();
        abandon(given_up, sink);
        close(given_up.id);
    }
    std::unique_ptr<Exchange> fresh;
    if (spare_.empty()) {
        fresh = std::make_unique<Exchange>();
    } else {
        fresh = std::move(spare_.back());
        spare_.pop_back();
    }
    fresh->id = id;
    if (inferred) {
        fresh->kind = Kind::cri;
        fresh->known = inferred;
        fresh->inferred = true;
        fresh->done_told = true;
        fresh->side(Direction::to_client).ended = true;
    }
    const auto at =
        std::lower_bound(open_.begin(), open_.end(), id, [](const auto& e, std::uint32_t n) { return e->id < n; });
    return open_.insert(at, std::move(fresh))->get();
}

// One whose end may have been lost, else the oldest.
Exchanges::Exchange& Exchanges::least_likely_open() {
    const auto doubtful = [](const auto& e) { return e->sides[0].doubtful || e->sides[1].doubtful; };
    const auto at = std::find_if(open_.begin(), open_.end(), doubtful);
    return at == open_.end() ? *open_.front() : **at;
}

void Exchanges::recycle(std::unique_ptr<Exchange> exchange) {
    for (Side& side : exchange->sides) side.messages.reset(memory_);
    drop_undecided(*exchange);
    if (spare_.size() >= kSpareMax) return;
    Exchange& e = *exchange;
    e.id = 0;
    e.kind = Kind::unknown;
    e.done_told = e.inferred = false;
    e.version = {};
    e.known = nullptr;
    e.method.clear();
    e.task.reset();
    for (Side& side : e.sides) {
        side.body_bytes = 0;
        side.encoding = Encoding::unknown;
        side.begun = side.ended = side.doubtful = side.hole = false;
    }
    spare_.push_back(std::move(exchange));
}

void Exchanges::close(std::uint32_t id) {
    const auto at =
        std::lower_bound(open_.begin(), open_.end(), id, [](const auto& e, std::uint32_t n) { return e->id < n; });
    if (at == open_.end() || (*at)->id != id) return;
    for (Exchange*& each : in_hand_)
        if (each == at->get()) each = nullptr;
    const Exchange& e = **at;
    const bool request_missing = !e.sides[index_of(Direction::to_server)].begun;
    over_[next_over_] = {id, e.inferred && request_missing ? e.known : nullptr};
    next_over_ = (next_over_ + 1) % over_.size();
    recycle(std::move(*at));
    open_.erase(at);
}

void Exchanges::close_if_over(Exchange& exchange, EventSink& sink) {
    Side& request = exchange.side(Direction::to_server);
    if (!exchange.side(Direction::to_client).ended) return;
    // Where the request's end may have been lost, or its beginning was never seen, the answer's end is the end.
    if (!request.ended && !request.doubtful && request.begun) return;
    end_side(exchange, Direction::to_server, false, sink);
    close(exchange.id);
}

void Exchanges::abandon(Exchange& exchange, EventSink& sink) {
    end_side(exchange, Direction::to_server, false, sink);
    end_side(exchange, Direction::to_client, false, sink);
}

void Exchanges::end_side(Exchange& exchange, Direction direction, bool complete, EventSink& sink) {
    Side& side = exchange.side(direction);
    if (side.ended) return;
    side.ended = true;
    side.messages.lost(memory_);
    if (side.begun) sink.on(HttpEnd{exchange.id, direction, side.body_bytes, complete && !side.hole});
}

// --- header blocks

// RFC 9113 section 8.3.1: what HTTP/1.1 says in Host is said in :authority.
void Exchanges::collect(const HeaderList& fields, bool request) {
    fields_.clear();
    for (std::size_t i = 0; i < fields.size(); ++i) {
        const Header field = fields[i];
        if (request && field.name == ":authority") {
            fields_.push_back({"host", field.value});
        } else if (!field.name.starts_with(':')) {
            fields_.push_back(field);
        }
    }
}

void Exchanges::headers(FramePlace place, std::uint32_t stream, const HeaderList& fields, bool end_stream,
                        EventSink& sink) {
    Exchange* exchange = find_or_open(stream, place.direction, sink);
    if (!exchange) return;
    Side& side = exchange->side(place.direction);
    if (side.ended) return;
    if (place.direction == Direction::to_server) {
        if (!side.begun) begin_request(*exchange, fields, sink);
    } else {
        const auto status = fields.find(":status");
        const std::uint16_t number = status ? status_number(*status) : std::uint16_t{0};
        if (number >= 100 && number < 200) {
            collect(fields, false);
            sink.on(HttpResponse{stream, number, {}, "HTTP/2", fields_});
        } else if (status && !side.begun) {
            begin_response(*exchange, fields, number, sink);
        }
        if (end_stream) trailers(*exchange, fields, sink);
    }
    if (end_stream) {
        end_side(*exchange, place.direction, true, sink);
        close_if_over(*exchange, sink);
    }
}

void Exchanges::promise(FramePlace, std::uint32_t promised, const HeaderList& fields, EventSink& sink) {
    Exchange* exchange = find_or_open(promised, Direction::to_client, sink);
    if (!exchange || exchange->side(Direction::to_server).begun) return;
    begin_request(*exchange, fields, sink);
    end_side(*exchange, Direction::to_server, true, sink);
}

void Exchanges::begin_request(Exchange& exchange, const HeaderList& fields, EventSink& sink) {
    Side& side = exchange.side(Direction::to_server);
    side.begun = true;
    side.messages.start();
    const auto method = fields.find(":method");
    const auto path = fields.find(":path");
    const auto type = fields.find("content-type");
    note_encoding(side, fields);
    if (const CriPath cri = path ? parse_cri_path(*path) : CriPath{}; !cri.version.empty()) {
        exchange.kind = Kind::cri;
        exchange.inferred = false;
        exchange.version = cri.version;
        exchange.known = cri.known;
        if (!cri.known) exchange.method = cri.method.substr(0, kUnknownMethodBytesMax);
    } else if (const TaskPath task = path ? parse_task_path(*path) : TaskPath{}; task.tasks && task.known) {
        exchange.kind = Kind::tasks;
        exchange.task = std::make_unique<TaskCall>();
        exchange.task->known = task.known;
        exchange.task->runtime_namespace =
            fields.find("containerd-namespace").value_or(std::string_view()).substr(0, kUnknownMethodBytesMax);
    } else if (type && is_grpc_content(*type)) {
        if (path) exchange.kind = Kind::grpc;
    } else if (type || (method && *method != "POST") || fields.unknown() == 0) {
        exchange.kind = Kind::http;
    }
    collect(fields, true);
    sink.on(HttpRequest{exchange.id, method.value_or(std::string_view()), path.value_or(std::string_view()), "HTTP/2",
                        fields_});
}

void Exchanges::begin_response(Exchange& exchange, const HeaderList& fields, std::uint16_t status, EventSink& sink) {
    Side& side = exchange.side(Direction::to_client);
    side.begun = true;
    side.messages.start();
    note_encoding(side, fields);
    if (const auto type = fields.find("content-type");
        type && exchange.kind == Kind::unknown && !is_grpc_content(*type))
        exchange.kind = Kind::http;
    collect(fields, false);
    sink.on(HttpResponse{exchange.id, status, {}, "HTTP/2", fields_});
}

void Exchanges::note_encoding(Side& side, const HeaderList& fields) {
    const auto encoding = fields.find("grpc-encoding");
    if (!encoding) return;
    side.encoding = *encoding == "identity"                         ? Encoding::identity
                    : *encoding == "gzip" || *encoding == "deflate" ? Encoding::deflated
                                                                    : Encoding::other;
}

// --- bodies

void Exchanges::data_begin(FramePlace place, std::uint32_t stream, std::uint32_t bytes, EventSink& sink) {
    Exchange* exchange = find_or_open(stream, place.direction, sink);
    if (exchange && exchange->side(place.direction).ended) exchange = nullptr;
    in_hand_[index_of(place.direction)] = exchange;
    if (exchange) exchange->side(place.direction).messages.frame(bytes);
}

void Exchanges::data_hole(Direction direction, std::uint64_t missing) {
    Exchange* exchange = in_hand_[index_of(direction)];
    if (!exchange) return;
    Side& side = exchange->side(direction);
    side.hole = true;
    side.messages.hole(missing, memory_);
}

void Exchanges::data_end(FramePlace place, bool end_stream, EventSink& sink) {
    Exchange* exchange = std::exchange(in_hand_[index_of(place.direction)], nullptr);
    if (!exchange || !end_stream) return;
    end_side(*exchange, place.direction, true, sink);
    close_if_over(*exchange, sink);
}

// --- the connection

void Exchanges::lost(Direction direction) {
    in_hand_[index_of(direction)] = nullptr;
    for (const auto& exchange : open_) {
        Side& side = exchange->side(direction);
        if (side.ended) continue;
        side.doubtful = side.hole = true;
        side.messages.lost(memory_);
    }
}

void Exchanges::ended(Direction direction, EventSink& sink) {
    in_hand_[index_of(direction)] = nullptr;
    for (const auto& exchange : open_) end_side(*exchange, direction, false, sink);
    const auto over = [](const Exchange& e) { return e.sides[0].ended && e.sides[1].ended; };
    for (Exchange*& each : in_hand_)
        if (each && over(*each)) each = nullptr;
    std::erase_if(open_, [&](const auto& e) { return over(*e); });
    if (open_.empty()) spare_.clear();
}

}  // namespace hopscope::decode::grpc
