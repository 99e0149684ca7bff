// "123/ns/net", relative to /proc, without allocating: the table is made of ten thousand such names.
#pragma once

#include <array>
#include <charconv>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace hopscope::procmap {

class ProcPath {
public:
    // `file` is at most 16 bytes long; empty: the directory of the process.
    ProcPath(std::uint32_t pid, std::string_view file) {
        char* end = std::to_chars(text_.data(), text_.data() + 10, pid).ptr;
        if (!file.empty()) {
            *end++ = '/';
            std::memcpy(end, file.data(), file.size());
            end += file.size();
        }
        *end = '\0';
    }
    [[nodiscard]] const char* text() const { return text_.data(); }

private:
    std::array<char, 32> text_;
};

}  // namespace hopscope::procmap
