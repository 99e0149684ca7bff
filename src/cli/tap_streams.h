// Makes connections of the single writes that the tap tells: which two ends belong together, where each stream has got
// to, whether its beginning was seen, and when it is over.
//
// Pure: no clock and no kernel. It does not decode. `bytes` of a chunk are the write's own. A connection is late where
// it was open before we looked, or where its first bytes begin no protocol: what came before is then unknown, and the
// decoder is told so. The tap tells no end: those that the socket table no longer holds are ended by end_gone().
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "core/stream_chunk.h"
#include "procmap/bpf/unix_tap.h"

namespace hopscope::cli {

class TapStreams {
public:
    using Tell = std::function<void(const StreamChunk&)>;

    // Inodes of unix sockets that are connected before their path is watched.
    void open_before(std::unordered_set<std::uint64_t> inodes) { before_ = std::move(inodes); }
    // The path that a process listens on, where it listens on one only of those that are watched.
    void served_by(std::unordered_map<std::uint32_t, std::string> paths) { paths_ = std::move(paths); }
    // Asked when a stream ends: how many bytes the kernel has counted in what this end wrote; 0: not known.
    void ask_written(std::function<std::uint64_t(std::uint64_t inode)> written) { written_ = std::move(written); }
    [[nodiscard]] std::string path_of(std::uint32_t pid) const {
        const auto known = paths_.find(pid);
        return known == paths_.end() ? std::string() : known->second;
    }
    void on(const procmap::UnixWrite& write, const Tell& tell);
    // Ends the connection with this end; nothing where there is none.
    void end(std::uint64_t inode, Timestamp at, const Tell& tell);
    // Ends what has been silent for a while and has neither end among `inodes`, the unix sockets that there are now.
    void end_gone(const std::unordered_set<std::uint64_t>& inodes, Timestamp now, const Tell& tell);

    [[nodiscard]] std::size_t size() const { return connections_.size(); }
    [[nodiscard]] std::uint64_t late() const { return late_; }  // connections that were joined in the middle

private:
    struct Side {
        std::uint64_t next = 0;   // offset that the pipeline expects
        std::uint64_t shift = 0;  // what is added to the tap's offset
    };
    struct Connection {
        std::uint64_t number = 0, client_inode = 0, server_inode = 0;
        std::uint32_t client_pid = 0, server_pid = 0;
        Side side[2];
        Timestamp last;
    };

    Connection& connection_of(const procmap::UnixWrite& write, const Tell& tell);
    void end(const Connection& connection, Timestamp at, const Tell& tell);
    void forget(std::uint64_t number);

    std::function<std::uint64_t(std::uint64_t)> written_;
    std::unordered_set<std::uint64_t> before_;
    std::unordered_map<std::uint32_t, std::string> paths_;       // by process
    std::unordered_map<std::uint64_t, Connection> connections_;  // by number
    std::unordered_map<std::uint64_t, std::uint64_t> by_inode_;  // of either end: the number
    std::uint64_t opened_ = 0, late_ = 0;
};

}  // namespace hopscope::cli
