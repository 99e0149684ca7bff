#include "record/http2_walker.h"

#include <algorithm>

#include "core/limits.h"
#include "decode/grpc/cri_shapes.h"
#include "decode/grpc/task_service.h"

namespace hopscope::record {
namespace {

using namespace decode::grpc;

constexpr std::size_t kPrefixBytes = 5;   // of a gRPC message
constexpr std::size_t kUndecidedMax = 4;  // requests of one stream that wait for an answer; a call has one

// "/runtime.v1.RuntimeService/Exec": names of a service and a method, nothing else.
bool is_method_path(std::string_view path) {
    return path.starts_with('/') && std::count(path.begin(), path.end(), '/') == 2 &&
           std::all_of(path.begin(), path.end(), [](char c) {
               return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
                      c == '_' || c == '/';
           });
}

bool is_harmless(const HpackLiteral& field) {
    if (!field.name_known) return false;
    if (field.name == ":path") return is_method_path(field.value);
    static constexpr std::string_view kNames[] = {":authority",
                                                  ":method",
                                                  ":scheme",
                                                  ":status",
                                                  "accept-encoding",
                                                  "containerd-namespace",
                                                  "content-length",
                                                  "content-type",
                                                  "date",
                                                  "grpc-accept-encoding",
                                                  "grpc-encoding",
                                                  "grpc-status",
                                                  "grpc-timeout",
                                                  "server",
                                                  "te",
                                                  "user-agent"};
    return std::find(std::begin(kNames), std::end(kNames), field.name) != std::end(kNames);
}

}  // namespace

Http2Walker::Http2Walker(std::array<MaskPlan*, 2> plans, Pseudonyms& pseudonyms, MaskCounts& counts, bool late)
    : plans_(plans), pseudonyms_(pseudonyms), counts_(counts) {
    side(Direction::to_server).where = late ? Where::seek : Where::preface;
    side(Direction::to_client).where = late ? Where::seek : Where::head;
}

void Http2Walker::gap(Direction direction) { lose(direction); }

// Everything of this direction is unknown until a frame boundary is found.
void Http2Walker::lose(Direction direction) {
    Side& s = side(direction);
    s.where = Where::seek;
    s.pending.clear();
    s.block.clear();
    s.block_stream = 0;
    s.headers.forget();
    for (auto& [id, each] : streams_) {
        Messages& messages = each.messages[index_of(direction)];
        held_bytes_ -= messages.message.text.size();
        messages = {};
    }
}

void Http2Walker::bytes(Direction direction, std::uint64_t offset, Bytes bytes) {
    Side& s = side(direction);
    std::string_view rest = as_text(bytes);
    std::string again;  // what was gathered while a boundary was looked for, gone through from there on
    while (!rest.empty()) {
        if (s.where == Where::data || s.where == Where::gather || s.where == Where::keep || s.where == Where::skip) {
            const std::size_t taken = take(direction, offset, rest);
            offset += taken;
            rest.remove_prefix(taken);
            continue;
        }
        if (s.pending.empty()) s.pending_at = offset;
        const std::size_t whole = s.where == Where::preface ? kPreface.size() : kFrameHeaderBytes;
        const std::size_t n = s.where == Where::seek ? rest.size() : std::min(whole - s.pending.size(), rest.size());
        s.pending += rest.substr(0, n);
        offset += n;
        rest.remove_prefix(n);
        if (s.where != Where::seek) {
            if (s.pending.size() == whole) step(direction);
            continue;
        }
        const Boundary found = find_boundary(as_bytes(s.pending));
        s.pending.erase(0, found.skip);
        s.pending_at += found.skip;
        if (!found.found) {
            if (s.pending.size() > kBoundaryBytesMax) s.pending.clear();
            continue;
        }
        s.where = Where::head;
        again = std::move(s.pending);
        s.pending.clear();
        offset = s.pending_at;
        rest = again;
    }
}

// Reads a preface or a frame's head, which is whole in `pending`.
void Http2Walker::step(Direction direction) {
    Side& s = side(direction);
    if (s.where == Where::preface) {
        if (s.pending != kPreface) return lose(direction);
        plan(direction).keep(s.pending_at, s.pending_at + kPreface.size());
        s.pending.clear();
        s.where = Where::head;
        return;
    }
    s.frame = read_frame_header(as_bytes(s.pending).data());
    const bool goes_on = s.frame.type == frame_type::continuation;
    if (!fault_of(s.frame).empty() || goes_on != (s.block_stream != 0) || (goes_on && s.frame.stream != s.block_stream))
        return lose(direction);
    plan(direction).keep(s.pending_at, s.pending_at + kFrameHeaderBytes);
    s.pending.clear();
    begin_frame(direction);
}

void Http2Walker::begin_frame(Direction direction) {
    Side& s = side(direction);
    s.left = s.frame.length;
    s.padding = 0;
    s.pad_length_due = false;
    switch (s.frame.type) {
        case frame_type::data:
            s.where = Where::data;
            s.pad_length_due = s.frame.has(frame_flag::padded);
            break;
        case frame_type::headers:
        case frame_type::push_promise:
            s.block_stream = s.frame.stream;
            s.block_promises = s.frame.type == frame_type::push_promise;
            s.block_ends_stream = !s.block_promises && s.frame.has(frame_flag::end_stream);
            s.block.clear();
            s.where = Where::gather;
            break;
        case frame_type::continuation: s.where = Where::gather; break;
        case frame_type::priority:
        case frame_type::rst_stream:
        case frame_type::settings:
        case frame_type::ping:
        case frame_type::goaway:
        case frame_type::window_update: s.where = Where::keep; break;
        default: s.where = Where::skip; break;
    }
    if (s.left == 0) end_frame(direction);
}

// Takes what is inside of a frame's payload.
std::size_t Http2Walker::take(Direction direction, std::uint64_t offset, std::string_view bytes) {
    Side& s = side(direction);
    const std::size_t n = std::min<std::uint64_t>(s.left, bytes.size());
    std::string_view piece = bytes.substr(0, n);
    switch (s.where) {
        case Where::data:
            if (s.pad_length_due) {
                s.pad_length_due = false;
                s.padding = static_cast<std::uint8_t>(piece[0]);
                plan(direction).keep(offset, offset + 1);
                s.left -= 1;
                if (s.padding > s.left) {
                    lose(direction);
                    return 1;
                }
                if (s.left == 0) end_frame(direction);
                return 1;
            }
            data(direction, offset, piece.substr(0, std::min<std::uint64_t>(n, s.left - std::min(s.padding, s.left))));
            break;
        case Where::gather:
            if (s.block.text.size() <= limits::kHttp2HeaderBlockBytesMax) s.block.add(offset, piece);
            break;
        case Where::keep: {
            // The text after a GOAWAY's numbers may say anything.
            const std::uint64_t done = s.frame.length - s.left;
            const std::uint64_t kept = s.frame.type == frame_type::goaway ? 8 : s.frame.length;
            if (done < kept) plan(direction).keep(offset, offset + std::min<std::uint64_t>(n, kept - done));
            break;
        }
        default: break;
    }
    s.left -= n;
    if (s.left == 0) end_frame(direction);
    return n;
}

void Http2Walker::end_frame(Direction direction) {
    Side& s = side(direction);
    s.where = Where::head;
    switch (s.frame.type) {
        case frame_type::data: {
            Messages& messages = stream(s.frame.stream).messages[index_of(direction)];
            if (!messages.in_step) {  // it was no single message
                held_bytes_ -= messages.message.text.size();
                messages = {};
            }
            if (s.frame.has(frame_flag::end_stream)) close(s.frame.stream, direction, false);
            break;
        }
        case frame_type::headers:
        case frame_type::push_promise:
        case frame_type::continuation:
            if (s.frame.has(frame_flag::end_headers)) end_block(direction);
            break;
        case frame_type::rst_stream: close(s.frame.stream, direction, true); break;
        default: break;
    }
}

// --- header blocks

void Http2Walker::end_block(Direction direction) {
    Side& s = side(direction);
    const std::uint32_t id = s.block_stream;
    s.block_stream = 0;
    // The fields in front of the block: padding, priority, the promised stream. They belong to a block's first frame,
    // which clients and servers of gRPC send without them.
    std::vector<HpackLiteral> literals;
    fields_.clear();
    const bool plain = (s.frame.type == frame_type::continuation || !s.frame.has(frame_flag::padded)) &&
                       !s.block_promises && s.block.text.size() <= limits::kHttp2HeaderBlockBytesMax;
    const std::size_t skipped =
        s.frame.type == frame_type::headers && s.frame.has(frame_flag::priority) ? std::size_t{5} : 0;
    const Bytes block = as_bytes(s.block.text);
    if (!plain || block.size() < skipped || !s.headers.read(block.subspan(skipped), fields_, &literals)) {
        s.headers.forget();
        s.block.clear();
        return;
    }
    for (HpackLiteral& literal : literals) {
        literal.text_at += skipped;
        literal.bytes_at += skipped;
    }
    mask_block(direction, literals);
    s.block.clear();
    Stream& opened = stream(id);
    Messages& messages = opened.messages[index_of(direction)];
    if (!messages.in_step && messages.message.text.empty()) messages.in_step = true;
    if (direction == Direction::to_server) {
        if (const auto path = fields_.find(":path")) {
            opened.named = true;
            opened.method = parse_cri_path(*path).known;
            opened.task = parse_task_path(*path).known;
        }
    }
    if (s.block_ends_stream) close(id, direction, false);
}

void Http2Walker::mask_block(Direction direction, std::vector<HpackLiteral>& literals) {
    const Gathered& original = side(direction).block;
    std::string masked = original.text;
    for (const HpackLiteral& literal : literals) {
        if (literal.bytes == 0 || is_harmless(literal)) continue;
        // Any text of this length, not Huffman-coded: an entry of the table gets no larger by it.
        masked[literal.text_at] = static_cast<char>(static_cast<std::uint8_t>(masked[literal.text_at]) & 0x7f);
        std::fill_n(masked.begin() + static_cast<std::ptrdiff_t>(literal.bytes_at), literal.bytes, 'x');
        ++counts_.auth;
    }
    apply(direction, original, masked);
}

// --- streams and messages

Http2Walker::Stream& Http2Walker::stream(std::uint32_t id) {
    const auto found = streams_.find(id);
    if (found != streams_.end()) return found->second;
    // The lowest number is the oldest.
    if (streams_.size() >= limits::kStreamsPerConnectionMax) {
        for (const Messages& each : streams_.begin()->second.messages) held_bytes_ -= each.message.text.size();
        streams_.erase(streams_.begin());
    }
    return streams_[id];
}

void Http2Walker::close(std::uint32_t id, Direction direction, bool both) {
    const auto found = streams_.find(id);
    if (found == streams_.end()) return;
    found->second.ended[index_of(direction)] = true;
    if (!both && !(found->second.ended[0] && found->second.ended[1])) return;
    for (const Messages& each : found->second.messages) held_bytes_ -= each.message.text.size();
    streams_.erase(found);
}

void Http2Walker::data(Direction direction, std::uint64_t offset, std::string_view bytes) {
    Side& s = side(direction);
    Stream& of = stream(s.frame.stream);
    Messages& messages = of.messages[index_of(direction)];
    while (!bytes.empty()) {
        if (messages.left > 0 && messages.skipping) {
            const std::size_t n = std::min<std::uint64_t>(messages.left, bytes.size());
            messages.left -= n;
            offset += n;
            bytes.remove_prefix(n);
            continue;
        }
        const std::size_t had = messages.message.text.size();
        const std::uint64_t want = had < kPrefixBytes ? kPrefixBytes - had : messages.left;
        const std::size_t n = std::min<std::uint64_t>(want, bytes.size());
        messages.message.add(offset, bytes.substr(0, n));
        held_bytes_ += n;
        offset += n;
        bytes.remove_prefix(n);
        if (had >= kPrefixBytes) messages.left -= n;
        if (messages.message.text.size() < kPrefixBytes) return;
        if (had < kPrefixBytes) {
            const std::string& text = messages.message.text;
            const std::uint32_t length = read_be32(as_bytes(text).data() + 1);
            if (!messages.in_step) {
                // The whole frame is one message, or this is not its beginning.
                const std::uint64_t frame_bytes =
                    s.frame.length - s.padding - (s.frame.has(frame_flag::padded) ? 1 : 0);
                if (static_cast<std::uint8_t>(text[0]) > 1 || length + kPrefixBytes != frame_bytes) {
                    messages.skipping = true;
                    messages.left = ~std::uint64_t{0};
                    held_bytes_ -= text.size();
                    messages.message.clear();
                    continue;
                }
                messages.in_step = true;
            }
            messages.left = length;
            const bool wanted = text[0] == 0 && (!of.named || of.method || of.task) &&
                                length <= limits::kGrpcMessageBytesMax &&
                                held_bytes_ + length <= limits::kGrpcHeldBytesMax;
            messages.skipping = !wanted;
            if (!wanted) {
                apply(direction, messages.message, text);
                ++counts_.calls;
                held_bytes_ -= text.size();
                messages.message.clear();
                continue;
            }
        }
        if (messages.left > 0) continue;
        whole_message(direction, of, messages.message);
        held_bytes_ -= messages.message.text.size();
        messages.message.clear();
    }
}

void Http2Walker::whole_message(Direction direction, Stream& of, const Gathered& message) {
    const bool request = direction == Direction::to_server;
    apply(direction, message, std::string_view(message.text).substr(0, kPrefixBytes));
    const Gathered body = message.after(kPrefixBytes);
    ++counts_.calls;
    if (of.method) {
        mask_body(direction, request ? of.method->request : of.method->response, body);
    } else if (of.task) {
        mask_body(direction, request ? of.task->request : of.task->response, body);
    } else if (!of.named && request) {
        unnamed_request(of, body);
    } else if (!of.named) {
        unnamed_answer(of, body);
    }
}

// As exchanges_grpc tells what it is: what stays for it, and no more.
void Http2Walker::unnamed_request(Stream& of, const Gathered& body) {
    if (is_task_exec(as_bytes(body.text))) {
        mask_body(Direction::to_server, TaskBody::service_exec, body);
    } else if (may_ask_for_stream(as_bytes(body.text)) && body.text.size() <= limits::kGrpcUndecidedBytesMax &&
               of.undecided.size() < kUndecidedMax) {
        of.undecided.push_back(body);
    }
}

void Http2Walker::unnamed_answer(Stream& of, const Gathered& body) {
    const Bytes answer = as_bytes(body.text);
    if (const CriMethod* method = method_of_answer(answer)) {
        mask_body(Direction::to_client, method->response, body);
        for (const Gathered& each : of.undecided) {
            if (fits_request(*method, as_bytes(each.text))) mask_body(Direction::to_server, method->request, each);
        }
    } else if (of.undecided.size() == 1 && may_name_exec(as_bytes(of.undecided.front().text))) {
        const TaskMethod* task = task_method_of_answer(answer);
        if (!task) return;
        mask_body(Direction::to_server, task->request, of.undecided.front());
        mask_body(Direction::to_client, task->response, body);
    } else {
        return;
    }
    of.undecided.clear();
}

void Http2Walker::mask_body(Direction direction, CriBody kind, const Gathered& body) {
    std::string masked = body.text;
    if (mask_cri_body(kind, masked, pseudonyms_, counts_)) apply(direction, body, masked);
}

void Http2Walker::mask_body(Direction direction, TaskBody kind, const Gathered& body) {
    std::string masked = body.text;
    if (mask_task_body(kind, masked, pseudonyms_, counts_)) apply(direction, body, masked);
}

}  // namespace hopscope::record
