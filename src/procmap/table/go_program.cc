#include "procmap/table/go_program.h"

#include <elf.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cerrno>
#include <cstring>
#include <optional>

#include "core/limits.h"

namespace hopscope::procmap {
namespace {

using namespace std::string_view_literals;

constexpr std::string_view kBuildInfoMagic = "\xff Go buildinf:"sv;
constexpr std::size_t kBuildInfoHeadBytes = 32;
constexpr std::size_t kSentinelBytes = 16;  // random bytes before and after the module lines
constexpr std::size_t kScanPieceBytes = 256 * 1024;

// Packages that are compiled into one program of a node only (roles.cc tells which).
constexpr std::array kPackages{
    "k8s.io/kubernetes/cmd/kubelet/app."sv,
    "k8s.io/kubernetes/cmd/kube-proxy/app."sv,
    "k8s.io/kubernetes/cmd/kube-apiserver/app."sv,
    "k8s.io/kubernetes/cmd/kube-controller-manager/app."sv,
    "k8s.io/kubernetes/cmd/kube-scheduler/app."sv,
    "k8s.io/kubernetes/plugin/cmd/kube-scheduler/app."sv,
    "github.com/containerd/containerd/cmd/containerd/command."sv,
    "github.com/containerd/containerd/runtime/v2/shim."sv,
    "github.com/containerd/containerd/linux/shim."sv,
    "github.com/containerd/containerd/runtime/v1/shim."sv,
    "github.com/docker/docker/daemon.(*Daemon)"sv,
    "github.com/Mirantis/cri-dockerd/core."sv,
    "github.com/cri-o/cri-o/server.(*Server)"sv,
    "github.com/kubernetes-sigs/cri-o/server.(*Server)"sv,
    "github.com/kubernetes-incubator/cri-o/server.(*Server)"sv,
    "github.com/coreos/etcd/etcdmain."sv,
    "go.etcd.io/etcd/etcdmain."sv,
    "go.etcd.io/etcd/server/v3/etcdmain."sv,
    "github.com/opencontainers/runc/libcontainer.(*linuxStandardInit)"sv,
};
constexpr std::array kConmonTexts{"conmon version "sv, "conmon-pidfile"sv, "exec-attach"sv};

struct Section {
    std::uint64_t address = 0, offset = 0, size = 0;
    std::string name;
};

class Elf {
public:
    explicit Elf(int fd) : fd_(fd) {}

    // False: not an ELF file (or one cut off).
    bool open() {
        std::array<unsigned char, sizeof(Elf64_Ehdr)> head{};
        if (!read(0, head.data(), sizeof(Elf32_Ehdr)) || std::memcmp(head.data(), ELFMAG, SELFMAG) != 0) return false;
        wide_ = head[EI_CLASS] == ELFCLASS64;
        swapped_ = (head[EI_DATA] == ELFDATA2MSB) != (std::endian::native == std::endian::big);
        if (wide_)
            return read(0, head.data(), sizeof(Elf64_Ehdr)) && take_sections<Elf64_Ehdr, Elf64_Shdr>(head.data());
        return take_sections<Elf32_Ehdr, Elf32_Shdr>(head.data());
    }
    [[nodiscard]] const Section* find(std::string_view name) const {
        const auto found =
            std::find_if(sections_.begin(), sections_.end(), [&](const Section& s) { return s.name == name; });
        return found == sections_.end() ? nullptr : &*found;
    }
    // File offset of an address of the loaded program.
    [[nodiscard]] std::optional<std::uint64_t> offset_of(std::uint64_t address) const {
        for (const Section& section : sections_)
            if (section.address != 0 && address >= section.address && address - section.address < section.size)
                return section.offset + (address - section.address);
        return std::nullopt;
    }
    bool read(std::uint64_t offset, void* out, std::size_t size) const { return read_some(offset, out, size) == size; }
    std::size_t read_some(std::uint64_t offset, void* out, std::size_t size) const {
        std::size_t used = 0;
        while (used < size) {
            const ssize_t got =
                ::pread(fd_, static_cast<char*>(out) + used, size - used, static_cast<off_t>(offset + used));
            if (got < 0 && errno == EINTR) continue;
            if (got <= 0) break;
            used += static_cast<std::size_t>(got);
        }
        return used;
    }

private:
    template <typename T>
    [[nodiscard]] T order(T value) const {
        if (!swapped_) return value;
        std::array<unsigned char, sizeof(T)> bytes;
        std::memcpy(bytes.data(), &value, sizeof value);
        std::reverse(bytes.begin(), bytes.end());
        std::memcpy(&value, bytes.data(), sizeof value);
        return value;
    }

    template <typename Head, typename Raw>
    bool take_sections(const unsigned char* bytes) {
        Head head;
        std::memcpy(&head, bytes, sizeof head);
        const std::size_t count = order(head.e_shnum), names_at = order(head.e_shstrndx);
        if (count == 0) return true;  // stripped of its sections: an ELF file all the same
        if (count > limits::kProgramSectionsMax || names_at >= count || order(head.e_shentsize) != sizeof(Raw))
            return true;
        std::vector<Raw> raw(count);
        if (!read(order(head.e_shoff), raw.data(), count * sizeof(Raw))) return true;
        std::string names(std::min<std::size_t>(order(raw[names_at].sh_size), 64 * 1024), '\0');
        names.resize(read_some(order(raw[names_at].sh_offset), names.data(), names.size()));
        for (const Raw& section : raw) {
            const std::size_t at = order(section.sh_name);
            if (order(section.sh_type) == SHT_NOBITS || at >= names.size()) continue;
            const std::size_t end = std::min(names.find('\0', at), names.size());
            sections_.push_back(
                {order(section.sh_addr), order(section.sh_offset), order(section.sh_size), names.substr(at, end - at)});
        }
        return true;
    }

    int fd_;
    bool wide_ = true, swapped_ = false;
    std::vector<Section> sections_;
};

// A length as binary.PutUvarint writes it, then so many bytes.
std::optional<std::string_view> take_counted(std::string_view& bytes) {
    std::uint64_t length = 0;
    for (unsigned shift = 0;; shift += 7) {
        if (bytes.empty() || shift > 28) return std::nullopt;
        const auto byte = static_cast<unsigned char>(bytes.front());
        bytes.remove_prefix(1);
        length |= std::uint64_t{byte & 0x7fU} << shift;
        if (byte < 0x80) break;
    }
    if (length > bytes.size()) return std::nullopt;
    const std::string_view text = bytes.substr(0, length);
    bytes.remove_prefix(length);
    return text;
}

std::uint64_t number(const char* bytes, std::size_t size, bool big_endian) {
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < size; ++i)
        value = value << 8 | static_cast<unsigned char>(bytes[big_endian ? i : size - 1 - i]);
    return value;
}

// Go 1.13 to 1.17: the header points to a Go string, which points to its bytes.
std::string pointed_string(const Elf& elf, std::uint64_t address, std::size_t pointer_bytes, bool big_endian) {
    std::array<char, 16> header{};
    const auto at = elf.offset_of(address);
    if (!at || !elf.read(*at, header.data(), 2 * pointer_bytes)) return {};
    const auto data = elf.offset_of(number(header.data(), pointer_bytes, big_endian));
    const std::uint64_t length = number(header.data() + pointer_bytes, pointer_bytes, big_endian);
    if (!data || length > limits::kBuildInfoBytesMax) return {};
    std::string text(length, '\0');
    text.resize(elf.read_some(*data, text.data(), text.size()));
    return text;
}

void take_build_info(const Elf& elf, const Section& section, Program& program) {
    std::string info(std::min<std::uint64_t>(section.size, limits::kBuildInfoBytesMax), '\0');
    info.resize(elf.read_some(section.offset, info.data(), info.size()));
    if (info.size() < kBuildInfoHeadBytes || info.compare(0, kBuildInfoMagic.size(), kBuildInfoMagic) != 0) return;
    program.kind = Program::Kind::go;
    const std::size_t pointer_bytes = static_cast<unsigned char>(info[14]);
    const auto flags = static_cast<unsigned char>(info[15]);
    std::string version, lines;
    if ((flags & 2) != 0) {  // Go 1.18 and later: the strings stand here
        std::string_view rest = std::string_view(info).substr(kBuildInfoHeadBytes);
        if (const auto text = take_counted(rest)) version = *text;
        if (const auto text = take_counted(rest)) lines = *text;
    } else if (pointer_bytes == 4 || pointer_bytes == 8) {
        const bool big = (flags & 1) != 0;
        version = pointed_string(elf, number(info.data() + 16, pointer_bytes, big), pointer_bytes, big);
        lines = pointed_string(elf, number(info.data() + 16 + pointer_bytes, pointer_bytes, big), pointer_bytes, big);
    }
    program.go_version = version;
    if (lines.size() >= 2 * kSentinelBytes + 1 && lines[lines.size() - kSentinelBytes - 1] == '\n')
        take_module_lines(std::string_view(lines).substr(kSentinelBytes, lines.size() - 2 * kSentinelBytes), program);
}

struct Allowance {
    std::uint64_t left = 0;  // bytes that may still be searched
    bool is_over = false;    // it ended before the sections did
};

// Which of `wanted` stand in the section, read piece by piece.
template <std::size_t N>
std::vector<std::string> search(const Elf& elf, const Section& section, const std::array<std::string_view, N>& wanted,
                                Allowance& allowed, std::string* around = nullptr) {
    std::vector<std::string> found;
    std::array<bool, N> seen{};
    std::size_t longest = 0;
    for (const std::string_view text : wanted) longest = std::max(longest, text.size());
    std::string piece;
    std::uint64_t at = 0;
    while (at < section.size && allowed.left > 0) {
        piece.resize(std::min({std::uint64_t{kScanPieceBytes}, section.size - at, allowed.left}));
        piece.resize(elf.read_some(section.offset + at, piece.data(), piece.size()));
        allowed.left -= piece.size();
        for (std::size_t i = 0; i < N; ++i) {
            if (seen[i]) continue;
            const void* place = ::memmem(piece.data(), piece.size(), wanted[i].data(), wanted[i].size());
            if (place == nullptr) continue;
            seen[i] = true;
            found.emplace_back(wanted[i]);
            const std::size_t where = static_cast<std::size_t>(static_cast<const char*>(place) - piece.data());
            if (around != nullptr && i == 0) *around = piece.substr(where + wanted[i].size(), 32);
        }
        at += piece.size();
        if (at >= section.size) break;
        if (piece.size() <= longest && allowed.left > 0) return found;  // the file ends before its section
        at -= std::min(piece.size(), longest);                          // a text may lie across two pieces
    }
    allowed.is_over = allowed.is_over || at < section.size;
    return found;
}

// "-X \"github.com/docker/docker/dockerversion.Version=20.10.24\"" among the flags of the linker.
std::string linked_version(std::string_view flags) {
    constexpr std::array kVariables{"dockerversion.Version="sv, "/version.Version="sv, "version.gitVersion="sv,
                                    "/version.version="sv,      "main.version="sv,     "main.Version="sv};
    for (const std::string_view variable : kVariables) {
        const std::size_t at = flags.find(variable);
        if (at == std::string_view::npos) continue;
        const std::string_view rest = flags.substr(at + variable.size());
        const std::string_view value = rest.substr(0, rest.find_first_of("\\\"' \t"));
        if (!value.empty()) return std::string(value.substr(0, 64));
    }
    return {};
}

}  // namespace

void take_module_lines(std::string_view lines, Program& program) {
    while (!lines.empty()) {
        const std::size_t end = lines.find('\n');
        std::string_view line = lines.substr(0, end);
        lines.remove_prefix(end == std::string_view::npos ? lines.size() : end + 1);
        if (!line.empty() && line.front() == '\t') line.remove_prefix(1);
        const std::size_t tab = line.find('\t');
        if (tab == std::string_view::npos) continue;
        const std::string_view word = line.substr(0, tab), rest = line.substr(tab + 1);
        if (word == "path") program.main_path = rest;
        if (word == "mod") {
            const std::size_t next = rest.find('\t');
            const std::string_view version =
                next == std::string_view::npos ? ""sv : rest.substr(next + 1, rest.find('\t', next + 1) - next - 1);
            if (version != "(devel)") program.module_version = version;
        }
        if (word == "build" && rest.substr(0, 9) == "-ldflags=") program.linked_version = linked_version(rest);
    }
}

Program read_program(int fd, bool search_texts, std::uint64_t& search_bytes) {
    Program program;
    Elf elf(fd);
    if (!elf.open()) {
        program.kind = Program::Kind::not_elf;
        return program;
    }
    program.kind = Program::Kind::other_elf;
    if (const Section* info = elf.find(".go.buildinfo")) take_build_info(elf, *info, program);
    const std::uint64_t most = std::min<std::uint64_t>(search_bytes, limits::kProgramScanBytesMax);
    Allowance allowed{.left = most};
    const bool is_go = program.kind == Program::Kind::go || elf.find(".gopclntab") != nullptr ||
                       elf.find(".note.go.buildid") != nullptr;
    if (is_go) {
        program.kind = Program::Kind::go;
        if (!program.main_path.empty() && program.main_path != "command-line-arguments") return program;
        for (const char* name : {".gopclntab", ".data.rel.ro.gopclntab", ".data.rel.ro"}) {
            const Section* table = elf.find(name);
            if (table == nullptr) continue;
            program.packages = search(elf, *table, kPackages, allowed);
            if (!program.packages.empty()) break;
        }
    } else if (search_texts) {
        if (const Section* data = elf.find(".rodata")) {
            std::string after;
            program.texts = search(elf, *data, kConmonTexts, allowed, &after);
            program.conmon_version = after.substr(0, after.find_first_not_of("0123456789.-abcdefghijklmnopqrstuvwxyz"));
        }
    }
    program.is_unfinished = allowed.is_over && most < limits::kProgramScanBytesMax;
    search_bytes -= most - allowed.left;
    return program;
}

Program program_from_text(std::string_view text) {
    Program program;
    program.kind = Program::Kind::not_elf;
    if (text.substr(0, 3) == "go1" || text.find("\tgo1") != std::string_view::npos ||
        text.find(": go1") != std::string_view::npos) {
        program.kind = Program::Kind::go;
        const std::size_t at = text.find("go1");
        program.go_version = text.substr(at, text.find('\n', at) - at);
        take_module_lines(text, program);
    } else if (text.substr(0, 15) == "conmon version ") {
        program.kind = Program::Kind::other_elf;
        program.texts.assign(kConmonTexts.begin(), kConmonTexts.end());
        program.conmon_version = text.substr(15, text.find('\n') - 15);
    }
    return program;
}

}  // namespace hopscope::procmap
