// Compressed gRPC messages ("grpc-encoding: gzip" or "deflate").
#pragma once

#include <cstdint>
#include <vector>

#include "core/bytes.h"

namespace hopscope::decode::grpc {

// Replaces `out` by the decompressed bytes; gzip and zlib wrappers are told apart by their headers. False: damaged, or
// larger than `bytes_max`.
bool inflate_message(Bytes in, std::size_t bytes_max, std::vector<std::uint8_t>& out);

}  // namespace hopscope::decode::grpc
