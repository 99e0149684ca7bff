// Makes one Untrusted of texts that many sessions have in common ("POST", "v4.channel.k8s.io", a user agent).
#pragma once

#include <string_view>
#include <unordered_set>

#include "core/limits.h"
#include "core/untrusted.h"

namespace hopscope::chain {

// `text` cut to the bytes that the model keeps.
inline std::string_view kept(std::string_view text, std::size_t bytes_max = limits::kTextBytesKept) {
    return text.substr(0, bytes_max);
}

class SharedTexts {
public:
    // Long texts are seldom equal and are not looked for.
    Untrusted get(std::string_view text) {
        if (text.empty()) return {};
        if (text.size() > kSharedBytesMax) return Untrusted(kept(text));
        if (const auto found = texts_.find(text); found != texts_.end()) return *found;
        // What is in use stays shared by its users; only the finding again is lost.
        if (texts_.size() >= limits::kSharedTextsMax) texts_.clear();
        return *texts_.emplace(text).first;
    }

private:
    static constexpr std::size_t kSharedBytesMax = 256;

    struct Hash {
        using is_transparent = void;
        std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>{}(text); }
        std::size_t operator()(const Untrusted& text) const { return std::hash<std::string_view>{}(text.raw()); }
    };
    struct Equal {
        using is_transparent = void;
        bool operator()(const Untrusted& a, const Untrusted& b) const { return a == b; }
        bool operator()(const Untrusted& a, std::string_view b) const { return a == b; }
        bool operator()(std::string_view a, const Untrusted& b) const { return b == a; }
    };
    std::unordered_set<Untrusted, Hash, Equal> texts_;
};

}  // namespace hopscope::chain
