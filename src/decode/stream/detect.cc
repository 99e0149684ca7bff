#include "decode/stream/detect.h"

#include <algorithm>

#include "core/limits.h"
#include "decode/grpc/ttrpc_frame.h"
#include "decode/stream/detect_late.h"
#include "decode/stream/http_head.h"

namespace hopscope::decode::stream {
namespace {

constexpr std::string_view kHttp2Preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

// Longest that a request line may be before its version must be there, for methods that are not well known.
constexpr std::size_t kRequestLineBytesMax = 8192;

enum class Answer : std::uint8_t { no, maybe, yes };

Answer is_http2_preface(std::string_view text) {
    const std::size_t size = std::min(text.size(), kHttp2Preface.size());
    if (text.substr(0, size) != kHttp2Preface.substr(0, size)) return Answer::no;
    return size == kHttp2Preface.size() ? Answer::yes : Answer::maybe;
}

// A TLS record with a ClientHello (RFC 8446 sections 4 and 5.1).
Answer is_client_hello(Bytes bytes) {
    const auto wrong = [&](std::size_t at, auto&& fits) { return bytes.size() > at && !fits(bytes[at]); };
    if (wrong(0, [](int b) { return b == 22; }) || wrong(1, [](int b) { return b == 3; }) ||
        wrong(2, [](int b) { return b <= 4; }) || wrong(5, [](int b) { return b == 1; }) ||
        wrong(6, [](int b) { return b == 0; }))
        return Answer::no;
    if (bytes.size() >= 5) {
        const std::uint16_t length = read_be16(bytes.data() + 3);
        if (length < 4 || length > limits::kTlsRecordBytesMax) return Answer::no;
    }
    return bytes.size() >= 7 ? Answer::yes : Answer::maybe;
}

// The first bytes of a client that speaks HTTP/1.x.
Answer is_request(std::string_view text) {
    const std::size_t skip = std::min(text.find_first_not_of("\r\n"), text.size());
    if (skip > 4) return Answer::no;
    text.remove_prefix(skip);
    const std::size_t space = text.find(' ');
    const std::string_view method = text.substr(0, space);
    const bool capitals = std::all_of(method.begin(), method.end(),
                                      [](char c) { return (c >= 'A' && c <= 'Z') || c == '-' || c == '_'; });
    if (!capitals || method.size() > 32) return Answer::no;
    if (space == std::string_view::npos) return Answer::maybe;
    if (method.empty()) return Answer::no;
    // With a well-known method and a path there is no need to see the end of what may be a very long line.
    static constexpr std::string_view kMethods[] = {"GET", "POST", "PUT", "HEAD", "DELETE", "PATCH"};
    if (text.size() > space + 1 && text[space + 1] == '/' &&
        std::find(std::begin(kMethods), std::end(kMethods), method) != std::end(kMethods))
        return Answer::yes;
    const std::size_t end = text.find('\n');
    if (end == std::string_view::npos) return text.size() > kRequestLineBytesMax ? Answer::no : Answer::maybe;
    const std::size_t version = text.substr(0, end).rfind(' ');
    return text.substr(version + 1, end - version).starts_with("HTTP/1.") ? Answer::yes : Answer::no;
}

Answer is_ttrpc(Bytes bytes) {
    switch (grpc::begins_ttrpc_request(bytes)) {
        case grpc::TtrpcStart::no: return Answer::no;
        case grpc::TtrpcStart::maybe: return Answer::maybe;
        case grpc::TtrpcStart::yes: break;
    }
    return Answer::yes;
}

Verdict verdict(Protocol protocol, bool first_is_client = true, bool late = false) {
    return {protocol, first_is_client, late};
}

Verdict detect_at_start(Bytes client, Bytes server, bool over) {
    if (client.empty()) {
        // Everything that is decoded begins with the client; HTTP/2's server may merely have been faster.
        const bool waits = !over && server.size() <= limits::kUndecidedBytesMax;
        return verdict(waits ? Protocol::undecided : Protocol::unknown);
    }
    const std::string_view text = as_text(client);
    bool maybe = false;
    const auto consider = [&](Answer answer) {
        maybe = maybe || answer == Answer::maybe;
        return answer == Answer::yes;
    };
    if (consider(is_http2_preface(text))) return verdict(Protocol::http2);
    if (consider(is_client_hello(client))) return verdict(Protocol::tls);
    if (consider(is_request(text))) return verdict(Protocol::http1);
    if (consider(is_ttrpc(client))) return verdict(Protocol::ttrpc);
    const bool waits = maybe && !over && client.size() <= limits::kUndecidedBytesMax;
    return verdict(waits ? Protocol::undecided : Protocol::unknown);
}

}  // namespace

Verdict detect(Bytes first, Bytes second, bool at_start, bool over) {
    if (at_start) return detect_at_start(first, second, over);
    // A capture may begin just with the first bytes although no handshake was seen.
    for (const bool first_is_client : {true, false}) {
        const Bytes client = first_is_client ? first : second;
        const Bytes server = first_is_client ? second : first;
        if (as_text(client).starts_with(kHttp2Preface)) return verdict(Protocol::http2, first_is_client);
        if (is_client_hello(client) == Answer::yes) return verdict(Protocol::tls, first_is_client);
        if (is_ttrpc(client) == Answer::yes) return verdict(Protocol::ttrpc, first_is_client, true);
        if (http::begins_request(as_text(client)) == http::Begins::yes ||
            http::begins_response(as_text(server)) == http::Begins::yes)
            return verdict(Protocol::http1, first_is_client, true);
    }
    return LateDetector().detect(first, second, over);
}

}  // namespace hopscope::decode::stream
