// Text of a stream that was gathered in pieces, and where each of them stood.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "record/mask_plan.h"

namespace hopscope::record {

struct Gathered {
    struct Piece {
        std::size_t at;  // in text
        std::uint64_t offset;
    };
    std::string text;
    std::vector<Piece> pieces;

    void add(std::uint64_t offset, std::string_view bytes) {
        if (pieces.empty() || pieces.back().offset + (text.size() - pieces.back().at) != offset)
            pieces.push_back({text.size(), offset});
        text += bytes;
    }
    void clear() {
        text.clear();
        pieces.clear();
    }
    // What stands from `begin` on.
    [[nodiscard]] Gathered after(std::size_t begin) const {
        Gathered rest;
        for (std::size_t i = 0; i < pieces.size(); ++i) {
            const std::size_t end = i + 1 < pieces.size() ? pieces[i + 1].at : text.size();
            const std::size_t from = std::max(pieces[i].at, begin);
            if (from < end)
                rest.add(pieces[i].offset + (from - pieces[i].at), std::string_view(text).substr(from, end - from));
        }
        return rest;
    }
    // Lets `masked` stand where the text stood, or its beginning where `masked` is shorter.
    void apply(MaskPlan& plan, std::string_view masked) const {
        for (std::size_t i = 0; i < pieces.size(); ++i) {
            const std::size_t end = std::min(i + 1 < pieces.size() ? pieces[i + 1].at : text.size(), masked.size());
            if (pieces[i].at >= end) return;
            plan.edit(pieces[i].offset, std::string(masked.substr(pieces[i].at, end - pieces[i].at)));
        }
    }
};

}  // namespace hopscope::record
