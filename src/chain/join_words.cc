#include "chain/join_words.h"

#include <cstdio>

namespace hopscope::chain {

std::string who(const Process& process) {
    return (process.comm.empty() ? std::string("pid ") : display(process.comm) + "[") + std::to_string(process.pid) +
           (process.comm.empty() ? "" : "]");
}

std::string milliseconds(Duration span) {
    char text[48];
    std::snprintf(text, sizeof text, "%.1f ms", static_cast<double>(span.ns) / 1e6);
    return text;
}

Evidence said(Grade grade, std::string says, const char* id) {
    return {.grade = grade, .says = std::move(says), .frame = 0, .source = {}, .id = id};
}

}  // namespace hopscope::chain
