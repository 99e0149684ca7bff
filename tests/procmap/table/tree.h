// A root directory of a test's own: a fake node with /proc, /usr/bin and /run as the test writes them; gone afterwards.
#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>

#include "support/temporary_directory.h"

namespace hopscope::procmap::test {

class Tree {
public:
    [[nodiscard]] std::string directory() const { return directory_.path(); }
    [[nodiscard]] std::string path(std::string_view on_host) const { return directory() + std::string(on_host); }

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

    hopscope::test::TemporaryDirectory directory_;
};

}  // namespace hopscope::procmap::test
