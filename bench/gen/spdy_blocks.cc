#include "spdy_blocks.h"

#include <zlib.h>

#include <array>
#include <cstdlib>

namespace hopscope::gen {
namespace {

constexpr std::array<std::string_view, 65> kWords = {"options",
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
                                                     "origin"};
constexpr std::string_view kTail =
    "1001012012022052063003023033043053063074024054064074084094104114124134144154164175"
    "02504505203 Non-Authoritative Information204 No Content301 Moved Permanently400 Ba"
    "d Request401 Unauthorized403 Forbidden404 Not Found500 Internal Server Error501 No"
    "t Implemented503 Service UnavailableJan Feb Mar Apr May Jun Jul Aug Sept Oct Nov D"
    "ec 00:00:00 Mon, Tue, Wed, Thu, Fri, Sat, Sun, GMTchunked,text/html,image/png,imag"
    "e/jpg,image/gif,application/xml,application/xhtml+xml,text/plain,text/javascript,p"
    "ublicprivatemax-age=gzip,deflate,sdchcharset=utf-8charset=iso-8859-1,utf-,*,enq=0.";
constexpr std::uint32_t kDictionaryAdler = 0xe3c6a7c2;

void append_text(std::vector<std::uint8_t>& out, std::string_view text) {
    for (int shift = 24; shift >= 0; shift -= 8) out.push_back(static_cast<std::uint8_t>(text.size() >> shift));
    out.insert(out.end(), text.begin(), text.end());
}

// The dictionary of SPDY/3: 65 words with their lengths, and a tail (PROTOCOLS A.5).
std::vector<std::uint8_t> make_dictionary() {
    std::vector<std::uint8_t> out;
    for (const std::string_view word : kWords) append_text(out, word);
    out.insert(out.end(), kTail.begin(), kTail.end());
    if (adler32(1, out.data(), static_cast<uInt>(out.size())) != kDictionaryAdler) std::abort();
    return out;
}

}  // namespace

struct BlockSequence::Deflater {
    Deflater() {
        static const std::vector<std::uint8_t> dictionary = make_dictionary();
        deflateInit(&stream, Z_BEST_COMPRESSION);
        deflateSetDictionary(&stream, dictionary.data(), static_cast<uInt>(dictionary.size()));
    }
    ~Deflater() { deflateEnd(&stream); }
    Deflater(const Deflater&) = delete;
    Deflater& operator=(const Deflater&) = delete;

    std::vector<std::uint8_t> block(const Pairs& pairs) {
        std::vector<std::uint8_t> plain;
        for (int shift = 24; shift >= 0; shift -= 8) plain.push_back(static_cast<std::uint8_t>(pairs.size() >> shift));
        for (const auto& [name, value] : pairs) {
            append_text(plain, name);
            append_text(plain, value);
        }
        std::vector<std::uint8_t> out(plain.size() + 64);
        stream.next_in = plain.data();
        stream.avail_in = static_cast<uInt>(plain.size());
        stream.next_out = out.data();
        stream.avail_out = static_cast<uInt>(out.size());
        deflate(&stream, Z_SYNC_FLUSH);
        return {out.data(), stream.next_out};
    }

    z_stream stream{};
};

BlockSequence::BlockSequence(std::function<Pairs(std::uint32_t)> pairs_of)
    : pairs_of_(std::move(pairs_of)), deflater_(std::make_unique<Deflater>()) {}
BlockSequence::~BlockSequence() = default;
BlockSequence::BlockSequence(BlockSequence&&) noexcept = default;

Span BlockSequence::block(std::uint32_t n) {
    while (blocks_.size() <= n)
        blocks_.push_back(deflater_->block(pairs_of_(static_cast<std::uint32_t>(blocks_.size()))));
    return blocks_[n];
}

}  // namespace hopscope::gen
