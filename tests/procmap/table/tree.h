// A root directory of a test's own: a fake node with /proc, /usr/bin and /run as the test writes them; gone afterwards.
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>

namespace hopscope::procmap::test {

class Tree {
public:
    Tree() {
        std::string pattern = (std::filesystem::temp_directory_path() / "hopscope-tree-XXXXXX").string();
        if (::mkdtemp(pattern.data()) == nullptr) ADD_FAILURE() << "no temporary directory";
        directory_ = pattern;
    }
    ~Tree() {
        std::error_code ignored;
        std::filesystem::remove_all(directory_, ignored);
    }
    Tree(const Tree&) = delete;
    Tree& operator=(const Tree&) = delete;

    [[nodiscard]] const std::string& directory() const { return directory_; }
    [[nodiscard]] std::string path(std::string_view on_host) const { return directory_ + std::string(on_host); }

    void write(std::string_view on_host, std::string_view bytes) const {
        make_parent(on_host);
        std::ofstream out(path(on_host), std::ios::binary);
        out.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
        EXPECT_TRUE(out.good()) << on_host;
    }
    void link(std::string_view on_host, std::string_view target) const {
        make_parent(on_host);
        std::error_code error;
        std::filesystem::remove(path(on_host), error);
        std::filesystem::create_symlink(target, path(on_host), error);
        EXPECT_FALSE(error) << on_host << ": " << error.message();
    }

private:
    void make_parent(std::string_view on_host) const {
        std::error_code error;
        std::filesystem::create_directories(std::filesystem::path(path(on_host)).parent_path(), error);
        EXPECT_FALSE(error) << on_host << ": " << error.message();
    }

    std::string directory_;
};

}  // namespace hopscope::procmap::test
