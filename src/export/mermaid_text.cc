#include "export/mermaid_text.h"

namespace hopscope::exports {

std::string mermaid_text(std::string_view printable) {
    std::string out;
    for (const char c : printable) {
        const auto byte = static_cast<unsigned char>(c);
        const bool word = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || byte >= 0x80;
        if (word || std::string_view(" ./:,()[]-_=+@?&'").find(c) != std::string_view::npos) {
            out += c;
        } else {
            out += "#" + std::to_string(byte) + ";";
        }
    }
    return out;
}

}  // namespace hopscope::exports
