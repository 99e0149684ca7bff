// Holds the order of rooms (docs/ARCHITECTURE.md): an #include may only point at a room that this one may use.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <regex>
#include <set>

namespace {

const std::map<std::string, std::set<std::string>> kMayUse = {
    {"core", {}},
    {"decode", {"core"}},
    {"chain", {"core"}},
    {"pipeline", {"core", "decode", "chain"}},
    {"capture", {"core"}},
    {"export", {"core", "chain"}},
    {"tui", {"core", "chain"}},
    {"procmap", {"core", "decode"}},
    {"replay", {"core", "decode"}},
    {"record", {"core", "decode", "chain", "pipeline", "capture"}},
    {"cli", {"core", "decode", "chain", "pipeline", "capture", "export", "tui", "procmap", "replay", "record"}},
};

TEST(IncludeOrder, no_room_looks_back) {
    const std::filesystem::path root = std::filesystem::path(HOPSCOPE_SOURCE_DIR) / "src";
    const std::regex include(R"re(^\s*#include "([a-z_0-9]+)/)re");
    int files = 0;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(root)) {
        const std::string extension = entry.path().extension().string();
        if (extension != ".h" && extension != ".cc") continue;
        ++files;
        const std::string room = entry.path().lexically_relative(root).begin()->string();
        ASSERT_TRUE(kMayUse.contains(room))
            << room << " is no room of the house; add it here and in docs/ARCHITECTURE.md";
        std::ifstream in(entry.path());
        std::string line;
        for (int number = 1; std::getline(in, line); ++number) {
            std::smatch match;
            if (!std::regex_search(line, match, include)) continue;
            const std::string used = match[1];
            EXPECT_TRUE(used == room || kMayUse.at(room).contains(used))
                << entry.path().string() << ":" << number << ": " << room << " may not use " << used;
        }
    }
    EXPECT_GT(files, 20);
}

// Text from the wire is shown through display() or json_string only: nothing that prints may call raw().
TEST(Untrusted, is_never_printed_raw) {
    const std::filesystem::path root = std::filesystem::path(HOPSCOPE_SOURCE_DIR) / "src";
    for (const char* room : {"export", "tui", "cli"}) {
        if (!std::filesystem::exists(root / room)) continue;
        for (const auto& entry : std::filesystem::recursive_directory_iterator(root / room)) {
            std::ifstream in(entry.path());
            std::string line;
            for (int number = 1; std::getline(in, line); ++number) {
                if (line.find(".raw()") == std::string::npos) continue;
                EXPECT_NE(line.find("raw-ok:"), std::string::npos)
                    << entry.path().string() << ":" << number
                    << ": raw() here needs a comment 'raw-ok: why it is not printed'";
            }
        }
    }
}

}  // namespace
