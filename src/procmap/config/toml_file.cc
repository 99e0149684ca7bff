#include "procmap/config/toml_file.h"

#include <toml++/toml.h>

#include "core/limits.h"
#include "procmap/config/toml_depth.h"

namespace hopscope::procmap {

struct TomlFile::State {
    toml::table root;
    std::string path;

    [[nodiscard]] const toml::node* find(const Place& place) const {
        const toml::node* at = &root;
        for (std::string_view name : place) {
            const toml::table* table = at->as_table();
            at = table ? table->get(name) : nullptr;
            if (!at) return nullptr;
        }
        return at;
    }
};

namespace {

std::optional<std::string> scalar_text(const toml::node& node) {
    if (const auto* text = node.as_string()) return text->get();
    if (const auto* number = node.as_integer()) return std::to_string(number->get());
    if (const auto* flag = node.as_boolean()) return std::string(flag->get() ? "true" : "false");
    return std::nullopt;
}

}  // namespace

TomlFile::TomlFile(std::unique_ptr<State> state) : state_(std::move(state)) {}
TomlFile::~TomlFile() = default;
TomlFile::TomlFile(TomlFile&&) noexcept = default;
TomlFile& TomlFile::operator=(TomlFile&&) noexcept = default;

std::optional<TomlFile> TomlFile::parse(Draft& draft, const std::string& text, const std::string& path) {
    if (const std::uint32_t line = line_of_too_deep_key(text)) {
        draft.trouble(display(path) + ":" + std::to_string(line) + " has a key of more than " +
                      std::to_string(limits::kSettingDepthMax) + " parts: nothing of the file is read");
        return std::nullopt;
    }
    try {
        auto state = std::make_unique<State>();
        state->root = toml::parse(std::string_view(text));
        state->path = path;
        return TomlFile(std::move(state));
    } catch (const toml::parse_error& e) {
        draft.trouble(display(path) + ":" + std::to_string(e.source().begin.line) +
                      " is not TOML: " + display(e.description()));
        return std::nullopt;
    }
}

std::optional<TomlFile::Value> TomlFile::value(const Place& place) const {
    const toml::node* node = state_->find(place);
    if (!node) return std::nullopt;
    if (node->is_array()) {
        std::string joined;
        for (const std::string& item : list(place)) joined += (joined.empty() ? "" : ",") + item;
        return Value{std::move(joined), node->source().begin.line};
    }
    std::optional<std::string> text = scalar_text(*node);
    if (!text) return std::nullopt;
    return Value{std::move(*text), node->source().begin.line};
}

std::vector<std::string> TomlFile::list(const Place& place, bool* is_cut) const {
    std::vector<std::string> items;
    const toml::node* node = state_->find(place);
    if (!node) return items;
    if (const toml::array* array = node->as_array()) {
        for (const toml::node& item : *array) {
            if (items.size() >= limits::kSettingItemsMax) {
                if (is_cut) *is_cut = true;
                break;
            }
            if (std::optional<std::string> text = scalar_text(item)) items.push_back(std::move(*text));
        }
    } else if (std::optional<std::string> text = scalar_text(*node)) {
        items.push_back(std::move(*text));
    }
    return items;
}

std::uint32_t TomlFile::table(const Place& place) const {
    const toml::node* node = state_->find(place);
    return node && node->is_table() ? std::max<std::uint32_t>(node->source().begin.line, 1) : 0;
}

void TomlFile::into(Draft& draft, const Place& place, std::string_view key) const {
    if (const std::optional<Value> found = value(place)) draft.set(key, found->text, {state_->path, found->line});
}

}  // namespace hopscope::procmap
