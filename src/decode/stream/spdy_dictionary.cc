#include "decode/stream/spdy_dictionary.h"

#include <array>
#include <string_view>

namespace hopscope::decode::stream::spdy {
namespace {

// Every word stands in the dictionary behind its length as 32 bits.
constexpr std::string_view kWords[] = {
    "options",
    "head",
    "post",
    "put",
    "delete",
    "trace",
    "accept",
    "accept-charset",
    "accept-encoding",
    "accept-language",
    "accept-ranges",
    "age",
    "allow",
    "authorization",
    "cache-control",
    "connection",
    "content-base",
    "content-encoding",
    "content-language",
    "content-length",
    "content-location",
    "content-md5",
    "content-range",
    "content-type",
    "date",
    "etag",
    "expect",
    "expires",
    "from",
    "host",
    "if-match",
    "if-modified-since",
    "if-none-match",
    "if-range",
    "if-unmodified-since",
    "last-modified",
    "location",
    "max-forwards",
    "pragma",
    "proxy-authenticate",
    "proxy-authorization",
    "range",
    "referer",
    "retry-after",
    "server",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "user-agent",
    "vary",
    "via",
    "warning",
    "www-authenticate",
    "method",
    "get",
    "status",
    "200 OK",
    "version",
    "HTTP/1.1",
    "url",
    "public",
    "set-cookie",
    "keep-alive",
    "origin",
};

// Stands behind the words without a length.
constexpr std::string_view kTail =
    "1001012012022052063003023033043053063074024054064074084094104114124134144154164175"
    "02504505203 Non-Authoritative Information204 No Content301 Moved Permanently400 Ba"
    "d Request401 Unauthorized403 Forbidden404 Not Found500 Internal Server Error501 No"
    "t Implemented503 Service UnavailableJan Feb Mar Apr May Jun Jul Aug Sept Oct Nov D"
    "ec 00:00:00 Mon, Tue, Wed, Thu, Fri, Sat, Sun, GMTchunked,text/html,image/png,imag"
    "e/jpg,image/gif,application/xml,application/xhtml+xml,text/plain,text/javascript,p"
    "ublicprivatemax-age=gzip,deflate,sdchcharset=utf-8charset=iso-8859-1,utf-,*,enq=0.";

constexpr std::size_t dictionary_bytes() {
    std::size_t size = kTail.size();
    for (const std::string_view word : kWords) size += 4 + word.size();
    return size;
}

constexpr auto build() {
    std::array<std::uint8_t, dictionary_bytes()> out{};
    std::size_t at = 0;
    for (const std::string_view word : kWords) {
        at += 3;  // no word is longer than 255 bytes
        out[at++] = static_cast<std::uint8_t>(word.size());
        for (const char c : word) out[at++] = static_cast<std::uint8_t>(c);
    }
    for (const char c : kTail) out[at++] = static_cast<std::uint8_t>(c);
    return out;
}

constexpr auto kDictionary = build();
static_assert(kDictionary.size() == 1423);

}  // namespace

Bytes dictionary() { return kDictionary; }

}  // namespace hopscope::decode::stream::spdy
