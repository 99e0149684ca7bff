// The head of an HTTP/1.1 message (RFC 9112 sections 2 to 5): start line and fields, and where such a head may begin.
//
// Tolerant like the receivers of the field: bare LF ends a line, folded fields are unfolded, whitespace around names
// and values is dropped. Decides nothing about bodies.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/bytes.h"
#include "core/event.h"
#include "core/limits.h"

namespace hopscope::decode::stream::http {

// Bytes of the head at the beginning of `unread`, its empty line included; 0: not all there yet. `searched` remembers
// how far earlier calls have looked (begin with 0, the same first byte each time).
std::size_t find_head_end(Bytes unread, std::size_t& searched);

struct Head {
    // Of a request; empty in a response.
    std::string_view method, target;
    std::string_view version;
    // Of a response; 0 in a request.
    std::uint16_t status = 0;
    std::string_view reason;
    bool too_many = false;   // lines beyond limits::kHttpHeadersMax were left out
    bool bad_lines = false;  // lines without a colon were left out

    std::vector<Header> fields;
    // The value of the first field of that name (in lower case), or empty.
    [[nodiscard]] std::string_view value(std::string_view name) const;
    [[nodiscard]] bool has(std::string_view name) const;
};

// Reads whole lines of `text`; what stands behind the last line end is ignored unless it is the cut status line of a
// response. `unfolded` holds the text where fields were folded. False: the start line is no such line.
bool parse_request(std::string_view text, std::string& unfolded, Head& head);
bool parse_response(std::string_view text, std::string& unfolded, Head& head);

enum class Begins : std::uint8_t { no, maybe, yes };
// Does a request (a response) begin here? `yes` needs the start line and the beginning of the line behind it.
Begins begins_request(std::string_view text);
Begins begins_response(std::string_view text);

}  // namespace hopscope::decode::stream::http
