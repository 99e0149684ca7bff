// The Huffman code of HPACK (RFC 7541 section 5.2 and appendix B), decoding only.
//
// nghttp2 does not offer its decoder for single strings; hopscope needs one for connections joined in the middle.
#pragma once

#include <cstddef>
#include <string>

#include "core/bytes.h"

namespace hopscope::decode::grpc {

// Replaces `out` by the decoded string. False: no valid code (EOS inside, padding longer than 7 bits or not all ones).
// The result is at most 8/5 of the input's size: the shortest code has five bits.
bool huffman_decode(Bytes in, std::string& out);

}  // namespace hopscope::decode::grpc
