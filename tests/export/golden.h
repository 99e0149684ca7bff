// Compares text with tests/golden/export/NAME; UPDATE_GOLDEN=1 in the environment rewrites the file instead.
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

namespace hopscope::exports::test {

inline std::string golden_path(const std::string& name) {
    return std::string(HOPSCOPE_SOURCE_DIR) + "/tests/golden/export/" + name;
}

inline std::string read_file(const std::string& path) {
    std::ifstream in(path, std::ios::binary);
    std::ostringstream text;
    text << in.rdbuf();
    return text.str();
}

inline void expect_golden(const std::string& name, const std::string& text) {
    const std::string path = golden_path(name);
    if (std::getenv("UPDATE_GOLDEN")) {
        std::filesystem::create_directories(std::filesystem::path(path).parent_path());
        std::ofstream(path, std::ios::binary) << text;
        return;
    }
    ASSERT_TRUE(std::filesystem::exists(path))
        << name << " is missing: run with UPDATE_GOLDEN=1 and read what it writes";
    EXPECT_EQ(text, read_file(path)) << name
                                     << ": if the change is meant, run with UPDATE_GOLDEN=1 and read the difference";
}

}  // namespace hopscope::exports::test
