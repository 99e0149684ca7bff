#include "cli/tap_streams.h"

#include <algorithm>
#include <string_view>
#include <vector>

#include "core/limits.h"
#include "decode/grpc/ttrpc_frame.h"

namespace hopscope::cli {
namespace {

// A socket that was made after the table was read is not in it.
constexpr std::int64_t kSilentNs = 3 * kNanosecondsPerSecond;
// The pipeline takes a stream whose first offset is not 0 as one that is joined in the middle.
constexpr std::uint64_t kLateOffset = 1;

// The first bytes of a connection that speaks HTTP/2 or HTTP/1: nothing was before them.
bool begins_http2(Bytes bytes, bool by_server) {
    constexpr std::string_view kPreface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    constexpr std::size_t kFrameHead = 9;
    constexpr std::uint8_t kSettings = 4;
    if (by_server) {  // SETTINGS of stream 0, no answer to the other's
        if (bytes.size() < kFrameHead || bytes[3] != kSettings || bytes[4] != 0) return false;
        return bytes[5] == 0 && bytes[6] == 0 && bytes[7] == 0 && bytes[8] == 0;
    }
    const std::size_t compared = std::min(bytes.size(), kPreface.size());
    return compared > 0 &&
           std::equal(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(compared), kPreface.begin());
}

bool begins_http1(Bytes bytes, bool by_server) {
    if (by_server) return false;
    constexpr std::string_view kMethods[] = {"GET ", "POST ", "PUT ", "HEAD ", "DELETE ", "PATCH ", "OPTIONS "};
    return std::any_of(std::begin(kMethods), std::end(kMethods), [&](std::string_view method) {
        return bytes.size() >= method.size() && std::equal(method.begin(), method.end(), bytes.begin());
    });
}

bool begins_ttrpc(Bytes bytes, bool by_server) {
    return !by_server && decode::grpc::begins_ttrpc_request(bytes) == decode::grpc::TtrpcStart::yes;
}

}  // namespace

TapStreams::Connection& TapStreams::connection_of(const procmap::UnixWrite& write, const Tell& tell) {
    auto known = by_inode_.find(write.inode);
    if (known == by_inode_.end() && write.peer_inode != 0) {
        known = by_inode_.find(write.peer_inode);
        if (known != by_inode_.end()) {  // until now only the other end had written, and had no number of its peer
            Connection& connection = connections_[known->second];
            (write.by_server ? connection.server_inode : connection.client_inode) = write.inode;
            by_inode_[write.inode] = known->second;
            return connection;
        }
    }
    if (known != by_inode_.end()) return connections_[known->second];

    if (connections_.size() >= limits::kTapConnectionsMax) {
        const auto oldest =
            std::min_element(connections_.begin(), connections_.end(),
                             [](const auto& a, const auto& b) { return a.second.last < b.second.last; });
        end(oldest->second, write.at, tell);
        forget(oldest->first);
    }
    Connection fresh;
    fresh.number = ++opened_;
    fresh.client_inode = write.by_server ? write.peer_inode : write.inode;
    fresh.server_inode = write.by_server ? write.inode : write.peer_inode;
    const bool was_there =
        before_.contains(write.inode) || (write.peer_inode != 0 && before_.contains(write.peer_inode));
    // HTTP/2 begins with what no other place of it has; a request of the others may be any of many.
    const bool begins =
        write.offset == 0 &&
        (begins_http2(write.bytes, write.by_server) ||
         (!was_there && (begins_http1(write.bytes, write.by_server) || begins_ttrpc(write.bytes, write.by_server))));
    if (!begins) {
        ++late_;
        fresh.side[0].shift = fresh.side[1].shift = kLateOffset;
        fresh.side[0].next = fresh.side[1].next = kLateOffset;
    }
    for (const std::uint64_t inode : {fresh.client_inode, fresh.server_inode}) {
        if (inode != 0) by_inode_[inode] = fresh.number;
    }
    return connections_[fresh.number] = fresh;
}

void TapStreams::on(const procmap::UnixWrite& write, const Tell& tell) {
    Connection& connection = connection_of(write, tell);
    connection.last = write.at;
    if (write.peer_inode != 0) {
        std::uint64_t& peer = write.by_server ? connection.client_inode : connection.server_inode;
        if (peer == 0) by_inode_[peer = write.peer_inode] = connection.number;
    }
    (write.by_server ? connection.server_pid : connection.client_pid) = write.writer.pid;
    if (std::uint32_t& peer = write.by_server ? connection.client_pid : connection.server_pid; peer == 0)
        peer = write.peer_pid;

    const Direction direction = write.by_server ? Direction::to_client : Direction::to_server;
    Side& side = connection.side[index_of(direction)];
    // The kernel side forgets a stream that was silent for long and counts it from 0 again; nothing was lost by that.
    if (write.offset + side.shift < side.next && write.missing_before == 0) side.shift = side.next - write.offset;
    const std::uint64_t offset = write.offset + side.shift;
    StreamChunk chunk;
    chunk.connection = connection.number;
    chunk.direction = direction;
    chunk.at = write.at;
    chunk.offset = offset;
    chunk.bytes = write.bytes;
    chunk.server.inode = connection.server_inode;
    if (const auto path = paths_.find(connection.server_pid); path != paths_.end()) chunk.server.path = path->second;
    chunk.client_inode = connection.client_inode;
    chunk.client_pid = connection.client_pid;
    chunk.server_pid = connection.server_pid;
    tell(chunk);
    side.next = offset + write.bytes.size();
}

void TapStreams::end(const Connection& connection, Timestamp at, const Tell& tell) {
    for (const Direction direction : {Direction::to_server, Direction::to_client}) {
        StreamChunk last;
        last.connection = connection.number;
        last.direction = direction;
        last.at = at;
        const Side& side = connection.side[index_of(direction)];
        last.offset = side.next;
        // What was lost at the very end is followed by nothing that would tell.
        const std::uint64_t inode =
            direction == Direction::to_client ? connection.server_inode : connection.client_inode;
        if (const std::uint64_t written = written_ && inode != 0 ? written_(inode) : 0; written > 0)
            last.offset = std::max(last.offset, written + side.shift);
        last.end = true;
        tell(last);
    }
}

void TapStreams::forget(std::uint64_t number) {
    const auto found = connections_.find(number);
    if (found == connections_.end()) return;
    for (const std::uint64_t inode : {found->second.client_inode, found->second.server_inode}) {
        const auto known = by_inode_.find(inode);
        if (known != by_inode_.end() && known->second == number) by_inode_.erase(known);
    }
    connections_.erase(found);
}

void TapStreams::end(std::uint64_t inode, Timestamp at, const Tell& tell) {
    const auto known = by_inode_.find(inode);
    if (known == by_inode_.end()) return;
    const std::uint64_t number = known->second;
    end(connections_[number], at, tell);
    forget(number);
}

void TapStreams::end_gone(const std::unordered_set<std::uint64_t>& inodes, Timestamp now, const Tell& tell) {
    std::erase_if(before_, [&](std::uint64_t inode) { return !inodes.contains(inode); });
    std::vector<std::uint64_t> gone;
    for (const auto& [number, connection] : connections_) {
        if ((now - connection.last).ns < kSilentNs || inodes.contains(connection.client_inode) ||
            inodes.contains(connection.server_inode))
            continue;
        gone.push_back(number);
    }
    std::sort(gone.begin(), gone.end());
    for (const std::uint64_t number : gone) {
        end(connections_[number], now, tell);
        forget(number);
    }
}

}  // namespace hopscope::cli
