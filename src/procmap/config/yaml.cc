#include <yaml-cpp/yaml.h>

#include "core/limits.h"
#include "procmap/config/readers.h"

namespace hopscope::procmap {
namespace {

std::uint32_t line_of(const YAML::Node& node) {
    const YAML::Mark mark = node.Mark();
    return mark.line < 0 ? 0 : static_cast<std::uint32_t>(mark.line) + 1;
}

// Not operator[]: on a node that is no map it throws, and it makes keys in one that is.
YAML::Node child(const YAML::Node& map, std::string_view name) {
    if (!map.IsMap()) return YAML::Node(YAML::NodeType::Undefined);
    for (const auto& pair : map)
        if (pair.first.IsScalar() && pair.first.Scalar() == name) return pair.second;
    return YAML::Node(YAML::NodeType::Undefined);
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

void read_yaml(Draft& draft, const std::string& text, const std::string& path, std::span<const FileKey> keys) {
    try {
        const YAML::Node root = YAML::Load(text);
        for (const FileKey& wanted : keys) {
            YAML::Node node = root;
            for (std::string_view name : wanted.place) node.reset(child(node, name));
            std::string value;
            if (node.IsDefined() && text_of(node, value)) draft.set(wanted.key, value, {path, line_of(node)});
        }
    } catch (const YAML::Exception& e) {
        const std::uint32_t line = e.mark.line < 0 ? 0 : static_cast<std::uint32_t>(e.mark.line) + 1;
        draft.trouble(display(path) + ":" + std::to_string(line) + " is not YAML: " + display(e.msg));
    }
}

std::vector<YamlItem> yaml_items(const std::string& text, std::string_view name) {
    std::vector<YamlItem> items;
    try {
        const YAML::Node list = child(YAML::Load(text), name);
        if (list.IsDefined() && list.IsScalar()) items.push_back({list.Scalar(), line_of(list)});
        if (!list.IsDefined() || !list.IsSequence()) return items;
        for (const YAML::Node& item : list)
            if (item.IsScalar() && items.size() < limits::kSettingItemsMax)
                items.push_back({item.Scalar(), line_of(item)});
    } catch (const YAML::Exception&) {
        items.clear();  // read_yaml() of the same text tells
    }
    return items;
}

}  // namespace hopscope::procmap
