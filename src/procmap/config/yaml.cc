#include <yaml-cpp/yaml.h>

#include <numeric>
#include <optional>

#include "core/limits.h"
#include "procmap/config/readers.h"

namespace hopscope::procmap {
namespace {

std::uint32_t line_of(const YAML::Node& node) {
    const YAML::Mark mark = node.Mark();
    return mark.line < 0 ? 0 : static_cast<std::uint32_t>(mark.line) + 1;
}

using Found = std::vector<std::optional<YAML::Node>>;  // one for each key

// Looks at each pair of a map once, however many keys are wanted: a map may hold tens of thousands of pairs, and any of
// them takes the way through the list. `open`: the keys whose first `depth` tables led here. Of several pairs of one
// name the first one counts. Not operator[]: on a node that is no map it throws, and it makes keys in one that is.
void find(const YAML::Node& map, std::size_t depth, std::span<const FileKey> keys, std::vector<std::size_t> open,
          Found& found) {
    if (!map.IsMap()) return;
    for (const auto& pair : map) {
        if (open.empty()) return;
        if (!pair.first.IsScalar()) continue;
        std::vector<std::size_t> below;
        std::erase_if(open, [&](std::size_t key) {
            const std::vector<std::string_view>& place = keys[key].place;
            if (place[depth] != pair.first.Scalar()) return false;
            if (place.size() == depth + 1)
                found[key].emplace(pair.second);
            else
                below.push_back(key);
            return true;
        });
        if (!below.empty()) find(pair.second, depth + 1, keys, std::move(below), found);
    }
}

// Only what follows the last beginning is copied: an alias may stand for a long list in each of thousands of writings.
void take_list(const YAML::Node& root, const std::string& path, YamlList& list) {
    if (!root.IsMap()) return;
    std::vector<YAML::Node> writings;
    for (const auto& pair : root) {
        if (!pair.first.IsScalar()) continue;
        const std::string& name = pair.first.Scalar();
        const bool begins = name == list.name;
        if (begins) {
            list.items.clear();
            list.is_cut = false;
            writings.clear();
        }
        if (begins || (name.size() == list.name.size() + 1 && name.starts_with(list.name) && name.ends_with('+')))
            writings.push_back(pair.second);
    }
    std::size_t taken = list.items.size();
    // False: it is full. What is no scalar counts, too: it costs as much to look at.
    const auto take = [&](const YAML::Node& item) {
        list.is_cut = taken++ >= limits::kSettingItemsMax;
        if (!list.is_cut && item.IsScalar())
            list.items.push_back({item.Scalar().substr(0, limits::kSettingBytesMax), path, line_of(item)});
        return !list.is_cut;
    };
    for (const YAML::Node& writing : writings) {
        if (writing.IsSequence()) {
            for (const YAML::Node& item : writing)
                if (!take(item)) return;
        } else if (writing.IsScalar() && !take(writing)) {
            return;
        }
    }
}

// A list is joined; false: neither a scalar nor a list of scalars.
bool text_of(const YAML::Node& node, std::string& text) {
    if (node.IsScalar()) {
        text = node.Scalar();
        return true;
    }
    if (!node.IsSequence()) return false;
    text.clear();
    for (const YAML::Node& item : node) {
        if (!item.IsScalar() || text.size() > limits::kSettingBytesMax) continue;
        if (!text.empty()) text += ',';
        text += item.Scalar();
    }
    return true;
}

}  // namespace

void read_yaml(Draft& draft, const std::string& text, const std::string& path, std::span<const FileKey> keys,
               YamlList* list) {
    try {
        const YAML::Node root = YAML::Load(text);
        Found found(keys.size());
        std::vector<std::size_t> all(keys.size());
        std::iota(all.begin(), all.end(), std::size_t{0});
        find(root, 0, keys, std::move(all), found);
        for (std::size_t i = 0; i < keys.size(); ++i) {
            std::string value;
            if (found[i] && text_of(*found[i], value)) draft.set(keys[i].key, value, {path, line_of(*found[i])});
        }
        if (list) take_list(root, path, *list);
    } catch (const YAML::Exception& e) {
        const std::uint32_t line = e.mark.line < 0 ? 0 : static_cast<std::uint32_t>(e.mark.line) + 1;
        draft.trouble(display(path) + ":" + std::to_string(line) + " is not YAML: " + display(e.msg));
    }
}

}  // namespace hopscope::procmap
