#include "export/waterfall.h"

#include <algorithm>

#include "export/human.h"

namespace hopscope::exports {
namespace {

constexpr std::size_t kBarsWidest = 60, kBarsNarrowest = 16;
constexpr std::size_t kTookColumns = 9;  // "  12m03s"

// The smallest of 1, 2, 5 times a power of ten that covers `longest` in at most five steps.
std::int64_t step_for(std::int64_t longest) {
    std::int64_t power = 1000;  // a microsecond: shorter hops do not exist
    while (power <= INT64_MAX / 100) {
        for (const std::int64_t factor : {1, 2, 5})
            if (longest / (power * factor) < 5) return power * factor;
        power *= 10;
    }
    return power;
}

std::string spaces(std::size_t count) { return std::string(count, ' '); }

std::string axis(std::int64_t step, std::int64_t end, std::size_t width) {
    std::string line;
    for (std::int64_t at = 0; at <= end; at += step) {
        const auto column =
            static_cast<std::size_t>(static_cast<double>(at) / static_cast<double>(end) * static_cast<double>(width));
        const std::string label = at == 0 ? "0" : short_duration({at});
        if (column < line.size() + (line.empty() ? 0 : 2) || column + label.size() > width + kTookColumns) continue;
        line += spaces(column - line.size()) + label;
    }
    return line;
}

std::string bar(std::size_t length, const Style& style) {
    const bool ascii = style.glyphs == Glyphs::ascii;
    if (length <= 1) return ascii ? "|" : "│";
    std::string text = ascii ? "|" : "├";
    for (std::size_t i = 2; i < length; ++i) text += ascii ? "-" : "─";
    return text + (ascii ? "|" : "┤");
}

}  // namespace

std::vector<std::string> waterfall(const std::vector<Span>& spans, const Style& style, std::size_t columns) {
    std::int64_t longest = 0;
    std::size_t label_columns = 0;
    for (const Span& span : spans) {
        longest = std::max(longest, span.start.ns + std::max<std::int64_t>(span.took.ns, 0));
        label_columns = std::max(label_columns, display_width(span.label));
    }
    if (longest <= 0) return {};
    std::size_t width = kBarsWidest;
    if (columns != 0) {
        const std::size_t other = label_columns + 2 + kTookColumns;
        width = std::clamp(columns - std::min(columns, other), kBarsNarrowest, kBarsWidest);
    }
    const std::int64_t step = step_for(longest);
    const std::int64_t end = (longest / step + 1) * step;
    const double scale = static_cast<double>(width) / static_cast<double>(end);
    std::vector<std::string> lines = {spaces(label_columns + 2) + axis(step, end, width)};
    for (const Span& span : spans) {
        const auto begin = std::min(width - 1, static_cast<std::size_t>(static_cast<double>(span.start.ns) * scale));
        const auto stop = static_cast<std::size_t>(
            static_cast<double>(span.start.ns + std::max<std::int64_t>(span.took.ns, 0)) * scale + 0.5);
        const std::size_t length = std::clamp<std::size_t>(stop > begin ? stop - begin : 0, 1, width - begin);
        lines.push_back(span.label + spaces(label_columns - display_width(span.label) + 2 + begin) +
                        style.paint(bar(length, style), Tone::good) + "  " + short_duration(span.took));
    }
    return lines;
}

}  // namespace hopscope::exports
