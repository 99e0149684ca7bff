#include "procmap/table/go_program.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "core/limits.h"
#include "procmap/table/elf_builder.h"
#include "procmap/table/tree.h"

namespace hopscope::procmap {
namespace {

using namespace std::string_literals;

using test::elf64;

constexpr std::uint64_t kPlenty = std::uint64_t{1} << 40;

Program read_bytes(const std::string& bytes, bool search_texts = false, std::uint64_t search_bytes = kPlenty) {
    const test::Tree tree;
    tree.write("/program", bytes);
    const int fd = ::open(tree.path("/program").c_str(), O_RDONLY | O_CLOEXEC);
    EXPECT_GE(fd, 0);
    Program program = read_program(fd, search_texts, search_bytes);
    ::close(fd);
    return program;
}

TEST(GoProgram, ModuleLinesOfGo118AndLater) {
    const Program program =
        read_bytes(elf64({{".text", "code"},
                          {".go.buildinfo", test::build_info("go1.21.3",
                                                             "path\tgithub.com/containerd/containerd/cmd/containerd\n"
                                                             "mod\tgithub.com/containerd/containerd\tv1.7.2\th1:abc=\n"
                                                             "dep\tgolang.org/x/sys\tv0.1.0\n"
                                                             "build\t-trimpath=true\n")}}));
    EXPECT_EQ(program.kind, Program::Kind::go);
    EXPECT_EQ(program.go_version, "go1.21.3");
    EXPECT_EQ(program.main_path, "github.com/containerd/containerd/cmd/containerd");
    EXPECT_EQ(program.module_version, "v1.7.2");
    EXPECT_EQ(program.linked_version, "");
}

TEST(GoProgram, VersionOfTheLinkersFlags) {
    const Program program = read_bytes(elf64(
        {{".go.buildinfo",
          test::build_info("go1.19.8",
                           "path\tgithub.com/docker/docker/cmd/dockerd\nmod\tgithub.com/docker/docker\t(devel)\t\n"
                           "build\t-ldflags=\" \\t-w \\t-X "
                           "\\\"github.com/docker/docker/dockerversion.Version=20.10.24+dfsg1\\\" \\t-X "
                           "\\\"x.y=z\\\"\"\n")}}));
    EXPECT_EQ(program.linked_version, "20.10.24+dfsg1");
    EXPECT_EQ(program.module_version, "");
}

// Go 1.13 to 1.17: pointers to Go strings instead of the strings.
TEST(GoProgram, ModuleLinesBehindPointers) {
    const std::string lines = test::between_sentinels(
                          "path\tk8s.io/kubernetes/cmd/kubelet\nmod\tk8s.io/kubernetes\t(devel)\t\n"),
                      version = "go1.15.15";
    constexpr std::uint64_t kAddress = 0x500000;
    std::string data(64, '\0');
    const auto put = [&](std::size_t at, std::uint64_t value) { std::memcpy(data.data() + at, &value, sizeof value); };
    put(0, kAddress + 32);
    put(8, version.size());
    put(16, kAddress + 64);
    put(24, lines.size());
    std::memcpy(data.data() + 32, version.data(), version.size());
    data += lines;
    std::string info("\xff Go buildinf:");
    info += '\x08';
    info += '\0';
    info.resize(32);
    const std::uint64_t first = kAddress, second = kAddress + 16;
    std::memcpy(info.data() + 16, &first, 8);
    std::memcpy(info.data() + 24, &second, 8);
    const Program program = read_bytes(elf64({{".data", data, kAddress}, {".go.buildinfo", info, 0x600000}}));
    EXPECT_EQ(program.go_version, version);
    EXPECT_EQ(program.main_path, "k8s.io/kubernetes/cmd/kubelet");
}

TEST(GoProgram, WithoutModuleLinesItsPackagesTell) {
    // Across the border of two pieces, and with a name that only looks alike further front.
    std::string table(256 * 1024 - 20, 'x');
    table += "k8s.io/kubernetes/cmd/kubelet/app.NewKubeletCommand";
    const Program program = read_bytes(elf64({{".gopclntab", "k8s.io/kubernetes/cmd/kubelet/appendix." + table}}));
    EXPECT_EQ(program.kind, Program::Kind::go);
    EXPECT_EQ(program.packages, std::vector<std::string>{"k8s.io/kubernetes/cmd/kubelet/app."});
    EXPECT_TRUE(read_bytes(elf64({{".gopclntab", table.substr(0, 1000)}})).packages.empty());
}

// Three holes of 64 MiB each: of all of them together no more is searched than of one.
TEST(GoProgram, NoMoreIsSearchedThanIsAllowed) {
    const std::string package = "github.com/docker/docker/daemon.(*Daemon)";
    const std::string small = elf64({{".gopclntab", package}});
    EXPECT_FALSE(read_bytes(small, false, package.size()).is_unfinished);
    EXPECT_EQ(read_bytes(small, false, package.size()).packages.size(), 1U);
    EXPECT_TRUE(read_bytes(small, false, package.size() - 1).is_unfinished);
    EXPECT_TRUE(read_bytes(small, false, 0).is_unfinished);
    EXPECT_FALSE(read_bytes(elf64({{".text", "code"}}), true, 0).is_unfinished) << "nothing in it is searched";
    const test::Tree tree;
    test::write_with_holes(tree, "/program", {".gopclntab", ".data.rel.ro.gopclntab", ".data.rel.ro"},
                           limits::kProgramScanBytesMax);
    const int fd = ::open(tree.path("/program").c_str(), O_RDONLY | O_CLOEXEC);
    std::uint64_t search_bytes = kPlenty;
    const Program program = read_program(fd, false, search_bytes);
    EXPECT_EQ(program.kind, Program::Kind::go);
    EXPECT_FALSE(program.is_unfinished);
    EXPECT_EQ(kPlenty - search_bytes, limits::kProgramScanBytesMax);
    search_bytes = 1'000'000;
    EXPECT_TRUE(read_program(fd, false, search_bytes).is_unfinished);
    EXPECT_EQ(search_bytes, 0U);
    ::close(fd);
}

TEST(GoProgram, Conmon) {
    const std::string file =
        elf64({{".rodata", std::string("conmon-pidfile\0exec-attach\0conmon version 2.1.6\ncommit: unknown\0"s)}});
    const Program program = read_bytes(file, true);
    EXPECT_EQ(program.kind, Program::Kind::other_elf);
    EXPECT_EQ(program.texts.size(), 3U);
    EXPECT_EQ(program.conmon_version, "2.1.6");
    EXPECT_TRUE(read_bytes(file, false).texts.empty());
}

TEST(GoProgram, NothingElseIsAProgram) {
    EXPECT_EQ(read_bytes("#!/usr/bin/python3\n\xff Go buildinf:").kind, Program::Kind::not_elf);
    EXPECT_EQ(read_bytes("").kind, Program::Kind::not_elf);
    EXPECT_EQ(read_bytes("\x7f"
                         "ELF")
                  .kind,
              Program::Kind::not_elf);
    EXPECT_EQ(read_bytes(elf64({{".text", "code"}})).kind, Program::Kind::other_elf);
}

// Every file that is cut off, and every single byte that is another, is read without harm.
TEST(GoProgram, DamagedFiles) {
    const std::string whole =
        elf64({{".go.buildinfo", test::build_info("go1.20", "path\tgo.etcd.io/etcd\n")}, {".gopclntab", "etcdmain."}});
    EXPECT_EQ(read_bytes(whole).main_path, "go.etcd.io/etcd");
    const test::Tree tree;
    std::size_t understood = 0;
    const auto look = [&](const std::string& bytes) {
        tree.write("/program", bytes);
        const int fd = ::open(tree.path("/program").c_str(), O_RDONLY | O_CLOEXEC);
        std::uint64_t search_bytes = kPlenty;
        understood += read_program(fd, true, search_bytes).main_path == "go.etcd.io/etcd" ? 1 : 0;
        ::close(fd);
    };
    for (std::size_t length = 0; length < whole.size(); ++length) look(whole.substr(0, length));
    EXPECT_EQ(understood, 0U) << "the section headers stand at the end";
    for (std::size_t at = 0; at < whole.size(); ++at) {
        std::string bytes = whole;
        bytes[at] = static_cast<char>(bytes[at] ^ 0xff);
        look(bytes);
    }
    EXPECT_GT(understood, whole.size() / 4);
}

TEST(GoProgram, TextInsteadOfAProgram) {
    const Program program = program_from_text(
        "/usr/bin/kubelet: go1.19.5\n\tpath\tk8s.io/kubernetes/cmd/kubelet\n\tmod\tk8s.io/kubernetes\tv1.26.1\t\n");
    EXPECT_EQ(program.kind, Program::Kind::go);
    EXPECT_EQ(program.go_version, "go1.19.5");
    EXPECT_EQ(program.main_path, "k8s.io/kubernetes/cmd/kubelet");
    EXPECT_EQ(program.module_version, "v1.26.1");
    EXPECT_EQ(program_from_text("conmon version 2.1.6\n").conmon_version, "2.1.6");
    EXPECT_EQ(program_from_text("#!/usr/bin/python3\n").kind, Program::Kind::not_elf);
}

}  // namespace
}  // namespace hopscope::procmap
