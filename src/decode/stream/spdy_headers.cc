#include "decode/stream/spdy_headers.h"

#include <algorithm>
#include <charconv>

#include "core/limits.h"
#include "decode/stream/raw_inflater.h"
#include "decode/stream/spdy_dictionary.h"

namespace hopscope::decode::stream::spdy {
namespace {

constexpr std::size_t kZlibHeadBytes = 2;      // CMF, FLG (RFC 1950)
constexpr std::size_t kDictionaryIdBytes = 4;  // after them when FDICT is set
constexpr std::size_t kDeflateWindowBytes = 32768;
constexpr std::size_t kGuessedPlainBytesMax =
    256;  // what Kubernetes sends has 72 bytes at most; guessing must stay cheap

// Plain text of the block in hand, one for all connections of this thread.
std::vector<std::uint8_t>& scratch() {
    static thread_local std::vector<std::uint8_t> plain;
    // One block in a million may need a mebibyte; the next ones do not.
    if (plain.capacity() > 64 * 1024) plain = {};
    return plain;
}

bool zlib_head(Bytes block) {
    return block.size() >= kZlibHeadBytes && (block[0] & 0x0f) == 8 && block[0] >> 4 <= 7 &&
           (block[0] << 8 | block[1]) % 31 == 0;
}

bool ends_on_sync_flush(Bytes block) {
    return block.size() >= 4 && read_be32(block.data() + block.size() - 4) == 0x0000ffff;
}

template <typename Number>
std::optional<Number> decimal(std::string_view text) {
    Number value{};
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || end != text.data() + text.size() || text.empty()) return std::nullopt;
    return value;
}

}  // namespace

HeaderContext::HeaderContext() = default;
HeaderContext::~HeaderContext() = default;
HeaderContext::HeaderContext(HeaderContext&&) noexcept = default;
HeaderContext& HeaderContext::operator=(HeaderContext&&) noexcept = default;

void HeaderContext::prime(RawInflater& inflater) const {
    inflater.reset();
    if (with_dictionary_) inflater.prime(dictionary());
    inflater.prime(history_);
}

void HeaderContext::lose() {
    if (own_) history_ = own_->history();
    own_.reset();
    state_ = State::lost;
}

std::vector<std::uint8_t> HeaderContext::history() const { return own_ ? own_->history() : history_; }

void HeaderContext::restart() {
    own_.reset();
    history_.clear();
    with_dictionary_ = true;
    state_ = State::fresh;
}

bool HeaderContext::take_head(Bytes& block) {
    if (!zlib_head(block)) return false;
    with_dictionary_ = (block[1] & 0x20) != 0;
    if (with_dictionary_ && !begins_stream(block)) return false;
    block = block.subspan(kZlibHeadBytes + (with_dictionary_ ? kDictionaryIdBytes : 0));
    state_ = State::going;
    return true;
}

std::optional<Bytes> HeaderContext::inflate(Bytes block) {
    if (state_ == State::lost) return std::nullopt;
    if (state_ == State::fresh && !take_head(block)) {
        lose();
        return std::nullopt;
    }
    if (!own_ && (history_.size() > limits::kSpdyHistoryBytesMax || !ends_on_sync_flush(block))) {
        own_ = std::make_unique<RawInflater>();
        prime(*own_);
        history_ = {};
    }
    RawInflater& inflater = own_ ? *own_ : RawInflater::shared();
    if (!own_) prime(inflater);
    std::vector<std::uint8_t>& plain = scratch();
    switch (inflater.inflate(block, limits::kSpdyHeaderPlainBytesMax, plain)) {
        case RawInflater::Result::ok: break;
        case RawInflater::Result::bad: lose(); return std::nullopt;
        case RawInflater::Result::last: lose(); return Bytes(plain);  // this one is whole; nothing can follow it
    }
    if (!own_) history_.insert(history_.end(), plain.begin(), plain.end());
    return Bytes(plain);
}

std::optional<Bytes> HeaderContext::inflate_cut(Bytes block) {
    const bool possible = state_ == State::going || (state_ == State::fresh && take_head(block));
    if (possible && !own_) {
        prime(RawInflater::shared());
        std::vector<std::uint8_t>& plain = scratch();
        if (RawInflater::shared().inflate(block, limits::kSpdyHeaderPlainBytesMax, plain) == RawInflater::Result::ok &&
            parse_headers(plain)) {
            history_.insert(history_.end(), plain.begin(), plain.end());
            return Bytes(plain);
        }
    }
    lose();
    return std::nullopt;
}

bool begins_stream(Bytes block) {
    return zlib_head(block) && (block[1] & 0x20) != 0 && block.size() >= kZlibHeadBytes + kDictionaryIdBytes &&
           read_be32(block.data() + kZlibHeadBytes) == kDictionaryAdler32;
}

std::optional<Bytes> inflate_after(Bytes history, Bytes block) {
    RawInflater& inflater = RawInflater::shared();
    inflater.reset();
    inflater.prime(dictionary());
    inflater.prime(history);
    std::vector<std::uint8_t>& plain = scratch();
    if (inflater.inflate(block, kGuessedPlainBytesMax, plain) != RawInflater::Result::ok) return std::nullopt;
    return Bytes(plain);
}

std::optional<HalfKnown> inflate_without_history(Bytes block) {
    // Whatever differs when the history differs came from the history.
    HalfKnown out;
    std::vector<std::uint8_t> other;
    RawInflater& inflater = RawInflater::shared();
    for (const std::uint8_t filling : {std::uint8_t{0x00}, std::uint8_t{0xff}}) {
        const std::vector<std::uint8_t> unknown(kDeflateWindowBytes, filling);
        inflater.reset();
        inflater.prime(unknown);
        std::vector<std::uint8_t>& plain = filling == 0 ? out.plain : other;
        if (inflater.inflate(block, kGuessedPlainBytesMax, plain) != RawInflater::Result::ok) return std::nullopt;
    }
    out.known.resize(out.plain.size());
    for (std::size_t i = 0; i < out.plain.size(); ++i) out.known[i] = out.plain[i] == other[i];
    return out;
}

StreamKind kind_of(std::string_view streamtype) {
    for (const StreamKind kind :
         {StreamKind::error, StreamKind::in, StreamKind::out, StreamKind::err, StreamKind::resize, StreamKind::data}) {
        if (streamtype == to_string(kind)) return kind;
    }
    return StreamKind::unknown;
}

std::optional<StreamHeaders> parse_headers(Bytes plain) {
    StreamHeaders out;
    const auto take_text = [&](std::string_view& text) {
        if (plain.size() < 4) return false;
        const std::uint32_t size = read_be32(plain.data());
        if (size > plain.size() - 4) return false;
        text = as_text(plain.subspan(4, size));
        plain = plain.subspan(4 + size);
        return true;
    };
    if (plain.size() < 4) return std::nullopt;
    out.pairs = read_be32(plain.data());
    plain = plain.subspan(4);
    if (out.pairs > limits::kSpdyHeaderPairsMax) return std::nullopt;
    bool port_seen = false, request_seen = false, type_seen = false;
    for (std::uint32_t i = 0; i < out.pairs; ++i) {
        std::string_view name, value;
        if (!take_text(name) || !take_text(value)) return std::nullopt;
        if (std::any_of(name.begin(), name.end(), [](char c) { return c >= 'A' && c <= 'Z'; })) out.irregular = true;
        if (name == "streamtype") {
            out.irregular = out.irregular || type_seen;
            type_seen = true;
            out.type = value;
            out.kind = kind_of(value);
        } else if (name == "port") {
            out.port = decimal<std::uint16_t>(value);
            out.irregular = out.irregular || port_seen || !out.port || *out.port == 0;
            port_seen = true;
        } else if (name == "requestid") {
            out.request_id = decimal<std::uint32_t>(value);
            out.irregular = out.irregular || request_seen || !out.request_id;
            request_seen = true;
        }
    }
    if (!plain.empty()) return std::nullopt;
    return out;
}

}  // namespace hopscope::decode::stream::spdy
