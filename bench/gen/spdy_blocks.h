// SPDY/3 header blocks as real senders make them: one zlib stream per direction and connection, with the SPDY
// dictionary, each block ended by a sync flush.
//
// Connections of the same flavour open the same streams in the same order and so send the same blocks; each flavour is
// compressed once and its blocks are lent to all of them. Without that 10,000 connections would need 5 GB of zlib
// state.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "content.h"

namespace hopscope::gen {

using Pairs = std::vector<std::pair<std::string_view, std::string>>;

// The compressed blocks of one direction, block after block.
class BlockSequence {
public:
    // `pairs_of(n)` gives the name/value pairs of block n.
    explicit BlockSequence(std::function<Pairs(std::uint32_t)> pairs_of);
    ~BlockSequence();
    BlockSequence(BlockSequence&&) noexcept;

    // Block n; earlier ones are made first where they do not exist yet. Valid for the life of this object.
    Span block(std::uint32_t n);

private:
    struct Deflater;
    std::function<Pairs(std::uint32_t)> pairs_of_;
    std::unique_ptr<Deflater> deflater_;
    std::vector<std::vector<std::uint8_t>> blocks_;
};

}  // namespace hopscope::gen
