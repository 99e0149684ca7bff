#include "decode/grpc/header_decoder.h"

#include <nghttp2/nghttp2.h>

#include <algorithm>

#include "core/limits.h"

namespace hopscope::decode::grpc {

void HeaderDecoder::Free::operator()(nghttp2_hd_inflater* inflater) const { nghttp2_hd_inflate_del(inflater); }

bool HeaderDecoder::begin() {
    nghttp2_hd_inflater* fresh = nullptr;
    if (nghttp2_hd_inflate_new(&fresh) != 0) return false;
    inflater_.reset(fresh);
    return table_limit_ == 4096 || nghttp2_hd_inflate_change_table_size(fresh, table_limit_) == 0;
}

bool HeaderDecoder::inflate(Bytes block, HeaderList& out) {
    if (!inflater_ && !begin()) return false;
    while (true) {
        nghttp2_nv field;
        int flags = 0;
        const auto taken =
            nghttp2_hd_inflate_hd2(inflater_.get(), &field, &flags, block.data(), block.size(), /*in_final=*/1);
        if (taken < 0) return false;
        block = block.subspan(static_cast<std::size_t>(taken));
        if ((flags & NGHTTP2_HD_INFLATE_EMIT) != 0)
            out.add(as_text({field.name, field.namelen}), as_text({field.value, field.valuelen}));
        if ((flags & NGHTTP2_HD_INFLATE_FINAL) != 0) break;
        if ((flags & NGHTTP2_HD_INFLATE_EMIT) == 0 && block.empty()) return false;
    }
    return nghttp2_hd_inflate_end_headers(inflater_.get()) == 0;
}

bool HeaderDecoder::read(Bytes block, HeaderList& out) {
    out.clear();
    bool whole = true;
    if (!late_) {
        if (inflate(block, out)) return true;
        whole = false;
        lost();
        out.clear();
    }
    if (!reader_) reader_ = std::make_unique<HpackReader>();
    return reader_->read(block, out) && whole;
}

void HeaderDecoder::lost() {
    late_ = true;
    inflater_.reset();
    if (reader_) reader_->forget();
}

void HeaderDecoder::table_limit(std::uint32_t bytes) {
    table_limit_ = std::min(bytes, static_cast<std::uint32_t>(limits::kHpackTableBytesMax));
    if (inflater_ && nghttp2_hd_inflate_change_table_size(inflater_.get(), table_limit_) != 0) lost();
}

}  // namespace hopscope::decode::grpc
