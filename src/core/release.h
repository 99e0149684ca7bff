// "1.18.9" and "v1.26.15+k3s1" as two numbers, for what came, changed or went with a release.
#pragma once

#include <charconv>
#include <compare>
#include <optional>
#include <string_view>

namespace hopscope {

struct Release {
    unsigned major = 0, minor = 0;
    constexpr auto operator<=>(const Release&) const = default;
};

// None where it is no version ("devel", "1."), or none that fits.
inline std::optional<Release> release_of(std::string_view version) {
    if (version.starts_with('v')) version.remove_prefix(1);
    Release release;
    const char* end = version.data() + version.size();
    const auto [dot, no_major] = std::from_chars(version.data(), end, release.major);
    if (no_major != std::errc() || dot == end || *dot != '.') return std::nullopt;
    const auto [after, no_minor] = std::from_chars(dot + 1, end, release.minor);
    if (no_minor != std::errc()) return std::nullopt;
    return release;
}

}  // namespace hopscope
