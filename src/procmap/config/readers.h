// Configuration files → settings. A reader takes only the keys that it is asked for, each with the line it stands on.
// Damaged text is trouble with its line, never an exception.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "procmap/config/draft.h"

namespace hopscope::procmap {

// One key to look for. `place`: the tables on the way and the name, outermost first.
struct FileKey {
    std::vector<std::string_view> place;
    std::string_view key;  // the setting that it writes
};

// A list (or a single scalar) in the outermost map, which several files write one after another: a key "NAME" begins it
// anew, "NAME+" goes on with it.
struct YamlList {
    std::string_view name;
    struct Item {
        std::string text, path;
        std::uint32_t line = 0;
    };
    std::vector<Item> items = {};
    bool is_cut = false;  // there are more than limits::kSettingItemsMax
};

// Lists are joined by ','. Null and tables are passed over. `list` may be nullptr.
void read_yaml(Draft& draft, const std::string& text, const std::string& path, std::span<const FileKey> keys,
               YamlList* list = nullptr);
// Only the outermost object; `place` has one part.
void read_json(Draft& draft, const std::string& text, const std::string& path, std::span<const FileKey> keys);

}  // namespace hopscope::procmap
