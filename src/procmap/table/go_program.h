// What a Go program says of itself: the path of its main package, its module's version, how it was linked.
//
// Read from the executable, in small pieces, and never by running it: ELF section headers, then .go.buildinfo (written
// by Go 1.13 and later; go/src/debug/buildinfo). Programs without module lines (older Go, bazel) are known by the
// package paths in their function table. Only ELF; packed executables (UPX) stay unknown.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace hopscope::procmap {

struct Program {
    enum class Kind : std::uint8_t { unreadable, not_elf, other_elf, go } kind = Kind::unreadable;
    std::string go_version;      // "go1.19.8"
    std::string main_path;       // "github.com/containerd/containerd/cmd/containerd"; empty: it has no module lines
    std::string module_version;  // "v1.7.2"; empty: none, or "(devel)"
    std::string linked_version;  // of a -X …version=…; empty: none
    std::vector<std::string> packages;  // without module lines: those of the searched package paths that it holds
    std::vector<std::string> texts;     // not Go: those of the searched texts that its read-only data holds
    std::string conmon_version;         // conmon keeps "conmon version 2.1.6" in its read-only data
    bool is_unfinished = false;         // the search ended with `search_bytes`: packages and texts may be missing
};

// `fd` is borrowed and read with pread(2). `search_texts`: also look for conmon's texts in a program that is not Go.
// `search_bytes`: how much may be searched for packages and texts; what was is taken off. Of one program never more
// than limits::kProgramScanBytesMax: anybody may make a file whose sections are holes of many gigabytes.
Program read_program(int fd, bool search_texts, std::uint64_t& search_bytes);

// For fake trees: the text that `go version -m` prints, instead of a program ("go1.20\n\tpath\tk8s.io/…").
Program program_from_text(std::string_view text);

// The module lines ("path\t…\nmod\t…\nbuild\t…") into `program`.
void take_module_lines(std::string_view lines, Program& program);

}  // namespace hopscope::procmap
