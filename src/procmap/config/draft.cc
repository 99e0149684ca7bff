#include "procmap/config/draft.h"

#include <algorithm>

#include "core/credentials.h"
#include "core/limits.h"

namespace hopscope::procmap {

Draft::Draft(const Process& process) {
    config_.process = process.id;
    config_.role = process.role;
}

void Draft::set(std::string_view key, std::string_view given, Origin origin) {
    const std::string cleaned = without_credentials(given);
    std::string_view value = cleaned;
    if (value.size() > limits::kSettingBytesMax) {
        trouble(std::string(key) + " is longer than " + std::to_string(limits::kSettingBytesMax) + " bytes: cut");
        value = value.substr(0, limits::kSettingBytesMax);
    }
    ConfigValue made{std::string(key), Untrusted(value), Untrusted(origin.path), origin.line, origin.path.empty()};
    const auto old = std::ranges::find(config_.values, key, &ConfigValue::key);
    if (old != config_.values.end())
        *old = std::move(made);
    else
        config_.values.push_back(std::move(made));
}

void Draft::set_default(std::string_view key, std::string_view value) {
    if (!has(key)) set(key, value, {});
}

void Draft::unset(std::string_view key) {
    std::erase_if(config_.values, [&](const ConfigValue& value) { return value.key == key; });
}

std::string_view Draft::value(std::string_view key) const {
    const ConfigValue* found = config_.find(key);
    return found ? std::string_view(found->value.raw()) : std::string_view();
}

void Draft::trouble(std::string sentence) {
    if (config_.trouble.size() >= limits::kSettingTroubleMax) return;
    if (std::ranges::find(config_.trouble, sentence) == config_.trouble.end())
        config_.trouble.push_back(std::move(sentence));
}

}  // namespace hopscope::procmap
