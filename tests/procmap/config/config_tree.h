// Processes and files for tests of configuration: a temporary root in which a test writes what it needs.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "procmap/config/config.h"
#include "procmap/table/tree.h"

namespace hopscope::procmap::test {

inline Process process_of(ProcessRole role, const std::vector<std::string>& cmdline, std::string version = {}) {
    Process process;
    process.id = {4242, 1000};
    process.role = role;
    process.version = std::move(version);
    for (const std::string& argument : cmdline) process.cmdline.emplace_back(argument);
    return process;
}

// "value @path:line", "value @default", "none".
inline std::string told(const ComponentConfig& config, std::string_view key) {
    const ConfigValue* value = config.find(key);
    if (!value) return "none";
    if (value->is_default) return value->value.raw() + " @default";
    return value->value.raw() + " @" + value->source.raw() + ":" + std::to_string(value->line);
}

}  // namespace hopscope::procmap::test
