#include "spdy_blocks.h"

#include <zlib.h>

#include "decode/stream/spdy_dictionary.h"

namespace hopscope::gen {
namespace {

void append_text(std::vector<std::uint8_t>& out, std::string_view text) {
    for (int shift = 24; shift >= 0; shift -= 8) out.push_back(static_cast<std::uint8_t>(text.size() >> shift));
    out.insert(out.end(), text.begin(), text.end());
}

}  // namespace

struct BlockSequence::Deflater {
    Deflater() {
        const Bytes dictionary = decode::stream::spdy::dictionary();
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
