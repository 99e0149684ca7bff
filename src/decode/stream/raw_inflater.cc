#include "decode/stream/raw_inflater.h"

#include <algorithm>

namespace hopscope::decode::stream {

RawInflater::RawInflater() { ready_ = inflateInit2(&zlib_, -15) == Z_OK; }

RawInflater::~RawInflater() {
    if (ready_) inflateEnd(&zlib_);
}

void RawInflater::reset() {
    if (ready_) inflateReset(&zlib_);
}

void RawInflater::prime(Bytes history) {
    if (history.size() > 32768) history = history.last(32768);
    if (ready_ && !history.empty()) inflateSetDictionary(&zlib_, history.data(), static_cast<uInt>(history.size()));
}

RawInflater::Result RawInflater::inflate(Bytes block, std::size_t plain_bytes_max, std::vector<std::uint8_t>& plain) {
    plain.clear();
    if (!ready_) return Result::bad;
    // zlib takes its input as non-const, but only reads it.
    zlib_.next_in = const_cast<Bytef*>(block.data());  // NOLINT(cppcoreguidelines-pro-type-const-cast)
    zlib_.avail_in = static_cast<uInt>(block.size());
    std::size_t size = 0;
    for (;;) {
        if (size == plain.size()) {
            if (size >= plain_bytes_max) return Result::bad;
            plain.resize(std::min(plain_bytes_max, std::max<std::size_t>(512, 2 * size)));
        }
        zlib_.next_out = plain.data() + size;
        zlib_.avail_out = static_cast<uInt>(plain.size() - size);
        const int result = ::inflate(&zlib_, Z_SYNC_FLUSH);
        size = plain.size() - zlib_.avail_out;
        if (result == Z_STREAM_END) {
            plain.resize(size);
            return zlib_.avail_in == 0 ? Result::last : Result::bad;
        }
        if (result != Z_OK && result != Z_BUF_ERROR) return Result::bad;
        // With room left over there is nothing more to come out of this block.
        if (zlib_.avail_out > 0) {
            plain.resize(size);
            return zlib_.avail_in == 0 ? Result::ok : Result::bad;
        }
    }
}

std::vector<std::uint8_t> RawInflater::history() {
    std::vector<std::uint8_t> out(32768);
    uInt size = static_cast<uInt>(out.size());
    if (!ready_ || inflateGetDictionary(&zlib_, out.data(), &size) != Z_OK) size = 0;
    out.resize(size);
    return out;
}

RawInflater& RawInflater::shared() {
    static thread_local RawInflater inflater;
    return inflater;
}

}  // namespace hopscope::decode::stream
