// Header blocks of one direction: nghttp2's inflater where the connection was seen from its beginning, HpackReader
// from the moment on when that is no longer so.
#pragma once

#include <cstdint>
#include <memory>

#include "core/bytes.h"
#include "decode/grpc/header_list.h"
#include "decode/grpc/hpack_reader.h"

struct nghttp2_hd_inflater;

namespace hopscope::decode::grpc {

class HeaderDecoder {
public:
    // `late`: the table's beginning is unknown.
    explicit HeaderDecoder(bool late) : late_(late) {}

    // Reads a whole header block into `out`, which is cleared first. False: the block or the table is damaged; `out`
    // holds what could be read, and later blocks are read as if joined late.
    bool read(Bytes block, HeaderList& out);
    // A header block was lost: nothing in the table is known from here on.
    void lost();
    // The other side's SETTINGS_HEADER_TABLE_SIZE, acknowledged by this direction's sender.
    void table_limit(std::uint32_t bytes);

    [[nodiscard]] bool late() const { return late_; }

private:
    struct Free {
        void operator()(nghttp2_hd_inflater* inflater) const;
    };

    bool inflate(Bytes block, HeaderList& out);
    bool begin();

    std::unique_ptr<nghttp2_hd_inflater, Free> inflater_;  // made when the first block comes
    std::unique_ptr<HpackReader> reader_;                  // likewise, once late
    std::uint32_t table_limit_ = 4096;                     // RFC 9113 section 6.5.2
    bool late_;
};

}  // namespace hopscope::decode::grpc
