#include "decode/stream/after_hole.h"

#include <algorithm>

namespace hopscope::decode::stream::http {

AfterHole::Result AfterHole::search(std::uint64_t offset, Bytes unread) {
    if (int{possible_.messages} + int{possible_.spdy} + int{possible_.websocket} < 2) return look(offset, unread).first;
    AfterHole grown = *this;
    const auto [result, found] = look(offset, unread);
    if (found < 2) return result;
    // What was certain first counts, as if the bytes had come one by one.
    for (std::size_t size = 1; size < unread.size(); ++size) {
        const Result early = grown.look(offset, unread.first(size)).first;
        if (early.found == Found::nothing) continue;
        *this = grown;
        return early;
    }
    return result;
}

std::pair<AfterHole::Result, int> AfterHole::look(std::uint64_t offset, Bytes unread) {
    if (origin_ == UINT64_MAX) origin_ = place_ = offset;
    Result best{Found::nothing, unread.size()};
    int count = 0;
    const auto consider = [&](Found found, bool yes, std::size_t skip) {
        if (yes) ++count;
        // The first boundary counts; without one everything that somebody still needs is kept.
        if (yes && (best.found == Found::nothing || skip < best.skip))
            best = {found, skip};
        else if (best.found == Found::nothing)
            best.skip = std::min(best.skip, skip);
    };
    if (possible_.messages) {
        const Result message = search_message(offset, unread);
        consider(Found::message, message.found == Found::message, message.skip);
    }
    if (possible_.spdy) {
        const spdy::Hunt::Result frame = spdy_.search(offset, unread);
        consider(Found::spdy, frame.found, frame.skip);
    }
    if (possible_.websocket) {
        const ws::Hunt::Result frame = websocket_.search(offset, unread);
        consider(Found::websocket, frame.found, frame.skip);
    }
    return {best, count};
}

AfterHole::Result AfterHole::search_message(std::uint64_t offset, Bytes unread) {
    const std::string_view text = as_text(unread);
    std::size_t at = static_cast<std::size_t>(place_ - offset);
    for (; at < text.size(); ++at) {
        // Requests begin with the letter of a method, responses with that of HTTP.
        const char c = text[at];
        if (c != 'H' && (!requests_ || (c != 'G' && c != 'P' && c != 'D' && c != 'O' && c != 'C' && c != 'T')))
            continue;
        const Begins begins = requests_ ? begins_request(text.substr(at)) : begins_response(text.substr(at));
        if (begins == Begins::no) continue;
        place_ = offset + at;
        return {begins == Begins::yes ? Found::message : Found::nothing, at};
    }
    place_ = offset + at;
    return {Found::nothing, at};
}

}  // namespace hopscope::decode::stream::http
