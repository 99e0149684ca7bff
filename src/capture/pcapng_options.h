// Options at the end of a pcapng block: u16 code, u16 length, value padded to four bytes; code 0 ends them.
#pragma once

#include <algorithm>

#include "capture/byte_order.h"
#include "capture/pcapng_format.h"

namespace hopscope::capture::pcapng {

class Options {
public:
    Options(Bytes bytes, ByteOrder order) : rest_(bytes), order_(order) {}

    // The next option; false at the end, also where a length runs beyond the block (then broken()).
    bool next(std::uint16_t& code, Bytes& value) {
        if (rest_.size() < 4) return false;
        code = order_.u16(rest_.data());
        const std::size_t size = order_.u16(rest_.data() + 2);
        if (code == kOptionEnd) return false;
        if (size > rest_.size() - 4) {
            broken_ = true;
            return false;
        }
        value = rest_.subspan(4, size);
        rest_ = rest_.subspan(std::min(rest_.size(), 4 + padded(size)));
        return true;
    }
    [[nodiscard]] bool broken() const { return broken_; }

private:
    Bytes rest_;
    ByteOrder order_;
    bool broken_ = false;
};

}  // namespace hopscope::capture::pcapng
