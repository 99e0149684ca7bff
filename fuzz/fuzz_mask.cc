// Masking follows a connection whole and in crumbs, and must let the same bytes stay; see decode_twice.h for the form
// of the input, whose first byte says whether the connection is joined late.
#include <algorithm>
#include <utility>
#include <vector>

#include "core/untrusted.h"
#include "decode_twice.h"
#include "difference.h"
#include "record/mask_plan.h"

using namespace hopscope;

namespace {

// What fuzz::play() feeds.
class Masked {
public:
    explicit Masked(bool late) {
        if (late) walker_.joined_late();
    }
    void feed(Direction direction, Bytes bytes, EventSink&) {
        Side& side = sides_[index_of(direction)];
        walker_.bytes(direction, side.end, bytes);
        side.pieces.push_back({side.end, std::string(as_text(bytes))});
        side.end += bytes.size();
    }
    void gap(Direction direction, std::uint64_t size, EventSink&) {
        walker_.gap(direction);
        sides_[index_of(direction)].end += size;
    }
    void end(Direction, EventSink&) {}
    // What is written of one direction, in order.
    std::string written(Direction direction) {
        if (!std::exchange(over_, true)) walker_.end();
        std::string all;
        for (Piece& piece : sides_[index_of(direction)].pieces) {
            walker_.plan(direction).apply(piece.offset, reinterpret_cast<std::uint8_t*>(piece.bytes.data()),
                                          piece.bytes.size());
            all += piece.bytes;
        }
        return all;
    }

private:
    struct Piece {
        std::uint64_t offset = 0;
        std::string bytes;
    };
    struct Side {
        std::uint64_t end = 0;
        std::vector<Piece> pieces;
    };
    static StreamKind kind_of(std::uint32_t stream) {
        constexpr StreamKind kKinds[] = {StreamKind::error, StreamKind::out, StreamKind::resize, StreamKind::unknown};
        return kKinds[stream / 2 % std::size(kKinds)];
    }
    record::Pseudonyms names_;
    record::MaskCounts counts_;
    record::ConnectionWalker walker_{kind_of, names_, counts_};
    std::array<Side, 2> sides_;
    bool over_ = false;
};

struct Nobody final : EventSink {
    void on(const Event&) override {}
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    const Bytes input(data, size);
    const bool late = (input[0] & 1) != 0;
    Masked whole(late), cut(late);
    Nobody nobody;
    fuzz::play(input.subspan(1), whole, SIZE_MAX, nobody);
    fuzz::play(input.subspan(1), cut, 1 + size % 7, nobody);
    for (const Direction direction : {Direction::to_server, Direction::to_client}) {
        const std::string a = whole.written(direction), b = cut.written(direction);
        if (a == b) continue;
        const auto at = static_cast<std::size_t>(std::mismatch(a.begin(), a.end(), b.begin()).first - a.begin());
        const std::size_t from = at > 40 ? at - 40 : 0;
        fuzz::tell_difference(input, std::string(direction == Direction::to_server ? "client" : "server") + ", byte " +
                                         std::to_string(at) + ": whole " + display(a.substr(from, 80)) +
                                         ", in crumbs " + display(b.substr(from, 80)));
    }
    return 0;
}
