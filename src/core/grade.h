// How a claim is known. Every claim that hopscope makes carries one.
#pragma once

#include <cstdint>
#include <string_view>

namespace hopscope {

enum class Grade : std::uint8_t {
    decoded,   // ● the bytes say so
    seen,      // ◐ traffic was seen but not decoded (encrypted, cut); sizes and times only
    inferred,  // ○ follows from something else
};

inline std::string_view to_string(Grade grade) {
    switch (grade) {
        case Grade::decoded: return "decoded";
        case Grade::seen: return "seen";
        case Grade::inferred: return "inferred";
    }
    return "";
}

}  // namespace hopscope
