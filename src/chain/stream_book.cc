#include "chain/stream_book.h"

#include <algorithm>

#include "core/limits.h"

namespace hopscope::chain {
namespace {

// Below this many streams a look at each is the fastest way.
constexpr std::size_t kFewStreams = 8;

std::uint32_t find_among_rising(const std::vector<Stream>& streams, std::uint32_t id) {
    // Clients number 1, 3, 5 …: mostly the place follows from the id.
    const std::size_t guess = id >> 1;
    if (guess < streams.size() && streams[guess].id == id) return static_cast<std::uint32_t>(guess);
    const auto at = std::lower_bound(streams.begin(), streams.end(), id,
                                     [](const Stream& s, std::uint32_t key) { return s.id < key; });
    return at != streams.end() && at->id == id ? static_cast<std::uint32_t>(at - streams.begin()) : IndexTable::kNone;
}

void index_all(const Session& session, FlowWork& work) {
    work.streams_by_id = std::make_unique<IndexTable>();
    for (std::uint32_t i = 0; i < session.streams.size(); ++i)
        work.streams_by_id->insert(i, [&](std::uint32_t at) { return std::uint64_t{session.streams[at].id}; });
}

}  // namespace

std::uint32_t find_stream(const Session& session, FlowState& flow, std::uint32_t id) {
    const std::vector<Stream>& streams = session.streams;
    if (flow.hint < streams.size() && streams[flow.hint].id == id) return flow.hint;
    std::uint32_t at = IndexTable::kNone;
    if (streams.size() <= kFewStreams) {
        for (std::uint32_t i = 0; i < streams.size(); ++i) {
            if (streams[i].id == id) at = i;
        }
    } else if (flow.work && flow.work->streams_by_id) {
        at = flow.work->streams_by_id->find(id, [&](std::uint32_t i) { return streams[i].id == id; });
    } else {
        at = find_among_rising(streams, id);
    }
    if (at != IndexTable::kNone) flow.hint = at;
    return at;
}

std::uint32_t add_stream(Session& session, FlowState& flow, const StreamOpened& opened, Timestamp at) {
    if (session.streams.size() >= limits::kStreamsPerSessionMax) return IndexTable::kNone;
    FlowWork& work = flow.need_work();
    if (!session.streams.empty() && session.streams.back().id >= opened.id) work.ids_rise = false;
    const auto position = static_cast<std::uint32_t>(session.streams.size());
    Stream& stream = session.streams.emplace_back();
    stream.id = opened.id;
    stream.start = stream.last = at;
    name_stream(session, stream, opened);
    if (work.streams_by_id)
        work.streams_by_id->insert(position, [&](std::uint32_t i) { return std::uint64_t{session.streams[i].id}; });
    else if (!work.ids_rise && session.streams.size() > kFewStreams)
        index_all(session, work);
    flow.hint = position;
    return position;
}

bool counts_for_session(StreamKind kind) {
    switch (kind) {
        case StreamKind::in:
        case StreamKind::out:
        case StreamKind::err:
        case StreamKind::data: return true;
        case StreamKind::unknown:
        case StreamKind::error:
        case StreamKind::resize: return false;
    }
    return false;
}

void name_stream(Session& session, Stream& stream, const StreamOpened& opened) {
    const bool counted = counts_for_session(stream.kind);
    stream.kind = opened.kind;
    stream.grade = opened.grade;
    if (opened.port) {
        stream.has_port = true;
        stream.port = *opened.port;
    }
    if (opened.request_id) {
        stream.has_request_id = true;
        stream.request_id = *opened.request_id;
    }
    if (counted == counts_for_session(stream.kind)) return;
    // What was counted under the old name belongs to the sum, or does not, under the new one.
    if (counted) {
        session.bytes.in -= stream.bytes.in;
        session.bytes.out -= stream.bytes.out;
    } else {
        session.bytes.in += stream.bytes.in;
        session.bytes.out += stream.bytes.out;
    }
}

bool close_stream(Stream& stream, Direction direction, CloseKind kind) {
    if (stream.state == Stream::State::closed || stream.state == Stream::State::reset) return false;
    switch (kind) {
        case CloseKind::reset: stream.state = Stream::State::reset; return true;
        case CloseKind::goaway: stream.state = Stream::State::closed; return true;
        case CloseKind::fin:
        case CloseKind::channel_close:
            (direction == Direction::to_server ? stream.fin_in : stream.fin_out) = true;
            stream.state = stream.fin_in && stream.fin_out ? Stream::State::closed : Stream::State::half_closed;
            return stream.state == Stream::State::closed;
    }
    return false;
}

}  // namespace hopscope::chain
