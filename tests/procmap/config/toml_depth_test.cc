#include "procmap/config/toml_depth.h"

#include <gtest/gtest.h>

#include <string>

#include "core/limits.h"

namespace hopscope::procmap::test {
namespace {

// "a.a.a", of so many parts.
std::string key(std::size_t parts) {
    std::string text = "a";
    while (parts-- > 1) text += ".a";
    return text;
}

constexpr std::size_t kMost = limits::kSettingDepthMax;

TEST(TomlDepth, keys_and_headers_of_too_many_parts) {
    const std::string good = key(kMost), bad = key(kMost + 1);
    for (const auto& [before, after] :
         {std::pair("", " = 1\n"), std::pair("[", "]\n"), std::pair("[[", "]]\n"), std::pair("x = 1.5\n", " = 1.5"),
          std::pair("x = {", " = 1}"), std::pair("x = [[1.5, {", " = 1}], 2.5]"), std::pair("# '\n", " = '#'")}) {
        const std::uint32_t line = std::string_view(before).find('\n') == std::string_view::npos ? 1 : 2;
        if (std::string_view(after) != " = 1.5") EXPECT_EQ(line_of_too_deep_key(before + good + after), 0U) << before;
        EXPECT_EQ(line_of_too_deep_key(before + bad + after), line) << before;
    }
    // Parts of quoted names are parts, spaces do not matter, dots in quotes do not count.
    std::string quoted = "\"x.y\"";
    for (std::size_t i = 1; i < kMost; ++i) quoted += i % 2 == 0 ? " . 'b\"..'" : ".\"\\\"..\"";
    EXPECT_EQ(line_of_too_deep_key(quoted + " = 1"), 0U);
    EXPECT_EQ(line_of_too_deep_key(quoted + ".c = 1"), 1U);
    EXPECT_EQ(line_of_too_deep_key(key(60'000)), 1U);
}

TEST(TomlDepth, parts_of_inline_tables_inside_each_other_add_up) {
    const std::string third = key(kMost / 3);
    EXPECT_EQ(line_of_too_deep_key(third + " = {" + third + " = {" + third + " = 1}}"), 0U);
    EXPECT_EQ(line_of_too_deep_key("\n" + third + " = {" + third + " = [1, {" + third + " = {" + third + " = 1}}]}"),
              2U);
    std::string beside = "x = {";
    for (int i = 0; i < 100; ++i) beside += third + std::to_string(i) + " = {" + third + " = 1}, ";
    EXPECT_EQ(line_of_too_deep_key(beside + "y.z = 1}"), 0U);
}

TEST(TomlDepth, strings_comments_and_numbers_are_no_keys) {
    const std::string dots(1000, '.');
    std::string numbers = "x = [";
    for (int i = 0; i < 1000; ++i) numbers += "1.5,\n";
    for (const std::string& text :
         {"# " + dots, "a = 1 # " + dots, "a = '" + dots + "'", "a = \"\\\"" + dots + "\"",
          "a = '\\'\nb = '" + dots + "'", "a = \"\"\"\n" + dots + "\n\\\"\"\"" + dots + "\n\"\"\"\nb = 1",
          "a = '''" + dots + "''\n" + dots + "'''''", "a = \"\"\"x\"\"\"\"\"\nb = '" + dots + "'",
          "a = \"\"\nb = ''\nc = \"" + dots + "\"", "a = [\"" + dots + "\", # " + dots + "\n'" + dots + "']",
          numbers + "]", std::string(), "]" + std::string("}")})
        EXPECT_EQ(line_of_too_deep_key(text), 0U) << text.substr(0, 40);
    // What follows a string is read again, with the right line.
    EXPECT_EQ(line_of_too_deep_key("a = '''\n\n'''\n" + key(kMost + 1)), 4U);
    EXPECT_EQ(line_of_too_deep_key("a = \"\"\"\n\"\"\"\"\"\n" + key(kMost + 1)), 3U);
    EXPECT_EQ(line_of_too_deep_key("a = 'x\n" + key(kMost + 1)), 2U);
    for (const char* cut : {"a = '", "a = \"\\", "a = '''", "a = \"\"\"\\", "#"})
        EXPECT_EQ(line_of_too_deep_key(cut), 0U);
}

}  // namespace
}  // namespace hopscope::procmap::test
