// What may stay of the head of an HTTP/1.1 message: who talks and how the bytes behind it are framed. Tokens and the
// words of commands become stand-ins of the same length; credentials and every header that is not known are
// overwritten.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "core/endpoint.h"
#include "record/mask_plan.h"

namespace hopscope::record {

// What whoever follows the connection must know of a head.
struct HttpHead {
    int status = 0;                       // of an answer
    bool is_head = false;                 // a HEAD request: its answer has no body, whatever it says
    bool chunked = false;                 // RFC 9112 section 7.1
    std::optional<std::uint64_t> length;  // Content-Length
    bool upgrade = false;
    std::string carrier;         // of Upgrade, in small letters
    std::string subprotocol;     // Sec-WebSocket-Protocol
    std::string path;            // of a request
    bool docker_bodies = false;  // of a request: its bodies are read (docker_masker.h)
};

// `text` is the whole head with its empty line, at stream offset `at`. Nothing: it is no such head; all of it stays
// overwritten.
std::optional<HttpHead> mask_http_head(MaskPlan& plan, std::uint64_t at, std::string_view text, Direction direction,
                                       Pseudonyms& pseudonyms, MaskCounts& counts);

}  // namespace hopscope::record
