// Bytes of a connection that is no TCP: a unix socket's, from a file or from eBPF.
#pragma once

#include <cstdint>

#include "core/bytes.h"
#include "core/endpoint.h"
#include "core/time.h"

namespace hopscope {

// One piece of one direction. `bytes` is borrowed until the source is asked for the next chunk.
struct StreamChunk {
    std::uint64_t connection = 0;  // the source's own number
    Direction direction{};
    Timestamp at;
    std::uint64_t frame = 0;   // record number in its file, from 1
    std::uint16_t file = 0;    // which file of this run, from 0
    std::uint64_t offset = 0;  // of bytes[0] in its direction; a jump is a gap
    Bytes bytes;
    bool end = false;                              // the sender closed after these bytes
    UnixEndpoint server;                           // path and inode of the listening end, as far as known
    std::uint64_t client_inode = 0;                // 0: unknown
    std::uint32_t client_pid = 0, server_pid = 0;  // 0: unknown
};

// Records of what eBPF tells that were lost for want of room in its rings, since this was told last.
struct UnixLoss {
    Timestamp at;
    std::uint64_t records = 0;
};

}  // namespace hopscope
