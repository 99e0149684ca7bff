// Judged listeners and graphs with every feature that the exports of the node can meet.
#pragma once

#include <string>
#include <string_view>

#include "chain/node_graph.h"
#include "chain/verdict.h"

namespace hopscope::exports::test {

// A node with a kubelet, its Docker shim, dockerd, an exposed read-only port and a program of nobody's.
chain::Judgement node_judgement();
// One TCP and one unix listener in which every text from the node is hostile.
chain::Judgement hostile_judgement();
chain::Graph node_graph();
chain::Graph hostile_graph();

// ESC sequence, carriage return, bidi override, zero width space, DEL, C1, a quote, a tag, an invalid byte.
inline constexpr std::string_view kHostile =
    "\x1b[31mred\r\n\xe2\x80\xae"
    "evil\xe2\x80\x8b\x7f\xc2\x9b\"'<b>;%%#\\ \xfe";

// Every line is what display() would show of it: nothing can move the cursor, hide or reorder.
bool only_printable(const std::string& text);

}  // namespace hopscope::exports::test
