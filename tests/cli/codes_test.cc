// Every code that the program can print has a page.
#include "cli/codes.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <regex>
#include <set>
#include <sstream>

namespace hopscope::cli {
namespace {

std::set<std::string> codes_in_source() {
    std::set<std::string> found;
    const std::regex literal("\"([A-Z][A-Z0-9]{1,2}-[0-9]{2})\"");
    for (const auto& entry : std::filesystem::recursive_directory_iterator(HOPSCOPE_SOURCE_DIR "/src")) {
        const std::string extension = entry.path().extension().string();
        if (extension != ".cc" && extension != ".h") continue;
        if (entry.path().filename() == "codes.cc") continue;
        std::ifstream in(entry.path());
        std::string line;
        while (std::getline(in, line)) {
            for (std::sregex_iterator it(line.begin(), line.end(), literal), end; it != end; ++it)
                found.insert((*it)[1]);
        }
    }
    return found;
}

TEST(Codes, every_code_of_the_source_is_explained) {
    const std::set<std::string> used = codes_in_source();
    EXPECT_GT(used.size(), 30U);
    for (const std::string& code : used)
        EXPECT_NE(find_code(code), nullptr) << code << " has no page in src/cli/codes.cc";
}

TEST(Codes, are_sorted_and_said_once) {
    const auto all = codes();
    EXPECT_TRUE(
        std::is_sorted(all.begin(), all.end(), [](const CodePage& a, const CodePage& b) { return a.code < b.code; }));
    std::set<std::string_view> names;
    for (const CodePage& page : all) {
        EXPECT_TRUE(names.insert(page.code).second) << page.code;
        EXPECT_FALSE(page.title.empty()) << page.code;
        EXPECT_TRUE(page.text.ends_with('.')) << page.code;
    }
}

TEST(Codes, are_found_in_any_case) {
    ASSERT_NE(find_code("cap-03"), nullptr);
    EXPECT_EQ(find_code("cap-03"), find_code("CAP-03"));
    EXPECT_EQ(find_code("CAP-0"), nullptr);
    EXPECT_EQ(find_code("CAP-033"), nullptr);
    EXPECT_EQ(find_code(""), nullptr);
    EXPECT_NE(code_page(*find_code("CAP-03")).find("fix: "), std::string::npos);
}

}  // namespace
}  // namespace hopscope::cli
