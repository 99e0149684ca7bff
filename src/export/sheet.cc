#include "export/sheet.h"

#include <algorithm>

namespace hopscope::exports {
namespace {

constexpr std::size_t kMarginColumns = 10;   // "SESSIONS  "
constexpr std::size_t kNarrowColumns = 110;  // below this the margin would push columns out of the tables
constexpr std::size_t kNarrowMargin = 2;
constexpr std::size_t kLeastRoom = 20;

}  // namespace

bool Sheet::narrow() const { return style_.columns != 0 && style_.columns < kNarrowColumns; }
std::size_t Sheet::margin() const { return narrow() ? kNarrowMargin : kMarginColumns; }

std::size_t Sheet::room() const {
    if (style_.columns == 0) return 0;
    return std::max(kLeastRoom, style_.columns - std::min(style_.columns, margin()));
}

void Sheet::section(std::string_view title) {
    if (begun_) out_.append('\n');
    begun_ = true;
    title_ = title;
}

void Sheet::line(std::string_view text) {
    if (!title_.empty() && narrow()) {
        out_.append(style_.paint(title_, Tone::heading));
        out_.append('\n');
        title_.clear();
    }
    const std::size_t used = title_.size();
    if (!title_.empty()) out_.append(style_.paint(title_, Tone::heading));
    title_.clear();
    if (!text.empty()) {
        out_.append(std::string(margin() > used ? margin() - used : 1, ' '));
        out_.append(text);
    }
    out_.append('\n');
}

void Sheet::lines(const std::vector<std::string>& all) {
    for (const std::string& text : all) line(text);
}

void Sheet::sentence(std::string_view text, std::size_t hanging, std::string_view first, std::size_t first_columns) {
    const std::size_t width =
        room() == 0 ? 0 : std::max(kLeastRoom, room() - std::min(room(), std::max(hanging, first_columns)));
    bool at_first = true;
    for (const std::string& piece : wrap(text, width)) {
        line(at_first ? std::string(first) + piece : std::string(hanging, ' ') + piece);
        at_first = false;
    }
}

std::vector<std::string> wrap(std::string_view text, std::size_t columns) {
    std::vector<std::string> pieces;
    if (columns == 0) return {std::string(text)};
    std::string piece;
    std::size_t used = 0;
    while (!text.empty()) {
        const std::size_t space = text.find(' ');
        const std::string_view word = text.substr(0, space);
        text = space == std::string_view::npos ? std::string_view{} : text.substr(space + 1);
        const std::size_t width = display_width(word);
        if (!piece.empty() && used + 1 + width > columns) {
            pieces.push_back(std::move(piece));
            piece.clear();
            used = 0;
        }
        if (!piece.empty()) {
            piece += ' ';
            ++used;
        }
        piece += word;
        used += width;
    }
    if (!piece.empty()) pieces.push_back(std::move(piece));
    return pieces;
}

}  // namespace hopscope::exports
