// Spans of time as bars below a common axis.
#pragma once

#include <string>
#include <vector>

#include "core/time.h"
#include "export/style.h"

namespace hopscope::exports {

struct Span {
    std::string label;  // printable
    Duration start;     // since the beginning of the chart; never negative
    Duration took;
};

// Lines of the chart: an axis with a few round times, then one bar per span. `columns`: width of the whole, 0: no
// limit. Empty when no span has a length.
std::vector<std::string> waterfall(const std::vector<Span>& spans, const Style& style, std::size_t columns);

}  // namespace hopscope::exports
