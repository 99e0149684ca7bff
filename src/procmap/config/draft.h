// The settings of one process while they are collected: later writings replace earlier ones, defaults fill what is
// left.
//
// Keeps only what it is given by name: whoever reads a file asks for the keys it knows, so nothing else of it (tokens,
// registry passwords) is ever held; of a URL its user and password are left out (core/credentials.h). Values and
// sentences are bounded (limits.h, "settings of components").
#pragma once

#include <string>
#include <string_view>

#include "core/node.h"

namespace hopscope::procmap {

// Where a setting stands. An empty path: nowhere (a default).
struct Origin {
    std::string_view path;
    std::uint32_t line = 0;  // 1 based, 0: not a file of lines
};

class Draft {
public:
    explicit Draft(const Process& process);

    void set(std::string_view key, std::string_view given, Origin origin);
    // Only where nothing set it.
    void set_default(std::string_view key, std::string_view value);
    // Forgets a setting that something later took back.
    void unset(std::string_view key);
    // The value so far; empty when there is none.
    [[nodiscard]] std::string_view value(std::string_view key) const;
    [[nodiscard]] bool has(std::string_view key) const { return config_.find(key) != nullptr; }
    void trouble(std::string sentence);

    ComponentConfig take() && { return std::move(config_); }

private:
    ComponentConfig config_;
};

}  // namespace hopscope::procmap
