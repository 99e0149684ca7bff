// One TOML file, parsed: values by place, with their lines. containerd and CRI-O each know what to ask of it.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "procmap/config/draft.h"

namespace hopscope::procmap {

class TomlFile {
public:
    // nullopt: damaged, or deeper than any configuration (toml_depth.h); the draft was told where.
    static std::optional<TomlFile> parse(Draft& draft, const std::string& text, const std::string& path);
    ~TomlFile();
    TomlFile(TomlFile&&) noexcept;
    TomlFile& operator=(TomlFile&&) noexcept;

    using Place = std::vector<std::string_view>;
    struct Value {
        std::string text;  // lists joined by ','
        std::uint32_t line = 0;
    };
    [[nodiscard]] std::optional<Value> value(const Place& place) const;
    // Strings of a list, or one string. `is_cut` may be nullptr; it is set where there are more than
    // limits::kSettingItemsMax.
    [[nodiscard]] std::vector<std::string> list(const Place& place, bool* is_cut = nullptr) const;
    // The line of a table; 0: there is none.
    [[nodiscard]] std::uint32_t table(const Place& place) const;
    // Writes the setting if the file has it.
    void into(Draft& draft, const Place& place, std::string_view key) const;

private:
    struct State;
    explicit TomlFile(std::unique_ptr<State> state);
    std::unique_ptr<State> state_;
};

}  // namespace hopscope::procmap
