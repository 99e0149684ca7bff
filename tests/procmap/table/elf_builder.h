// A small ELF file with the sections that a test names, in either class and byte order.
#pragma once

#include <elf.h>

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "procmap/table/tree.h"

namespace hopscope::procmap::test {

struct ElfSection {
    std::string name, bytes;
    std::uint64_t address = 0;
};

inline std::string elf64(const std::vector<ElfSection>& sections) {
    std::string names(1, '\0'), body;
    std::vector<Elf64_Shdr> headers(1);
    const auto add = [&](const std::string& name, const std::string& bytes, std::uint64_t address) {
        Elf64_Shdr header{};
        header.sh_name = static_cast<Elf64_Word>(names.size());
        names += name + '\0';
        header.sh_type = SHT_PROGBITS;
        header.sh_addr = address;
        header.sh_offset = sizeof(Elf64_Ehdr) + body.size();
        header.sh_size = bytes.size();
        body += bytes;
        headers.push_back(header);
    };
    for (const ElfSection& section : sections) add(section.name, section.bytes, section.address);
    names += ".shstrtab";
    names += '\0';
    const std::size_t names_at = headers.size();
    add(".shstrtab", names, 0);
    headers.back().sh_name = static_cast<Elf64_Word>(names.find(".shstrtab"));
    Elf64_Ehdr head{};
    std::memcpy(head.e_ident, ELFMAG, SELFMAG);
    head.e_ident[EI_CLASS] = ELFCLASS64;
    head.e_ident[EI_DATA] = ELFDATA2LSB;
    head.e_shoff = sizeof head + body.size();
    head.e_shentsize = sizeof(Elf64_Shdr);
    head.e_shnum = static_cast<Elf64_Half>(headers.size());
    head.e_shstrndx = static_cast<Elf64_Half>(names_at);
    std::string file(sizeof head, '\0');
    std::memcpy(file.data(), &head, sizeof head);
    file += body;
    const std::size_t at = file.size();
    file.resize(at + headers.size() * sizeof(Elf64_Shdr));
    std::memcpy(file.data() + at, headers.data(), headers.size() * sizeof(Elf64_Shdr));
    return file;
}

// A program whose named sections are all one hole of so many bytes at the end of the file, which takes no room on disk.
inline void write_with_holes(const Tree& tree, const std::string& path, const std::vector<std::string>& names,
                             std::uint64_t bytes) {
    std::vector<ElfSection> sections;
    for (const std::string& name : names) sections.push_back({name, ""});
    std::string file = elf64(sections);
    Elf64_Ehdr head;
    std::memcpy(&head, file.data(), sizeof head);
    for (std::size_t i = 1; i <= names.size(); ++i) {
        char* at = file.data() + head.e_shoff + i * sizeof(Elf64_Shdr);
        Elf64_Shdr header;
        std::memcpy(&header, at, sizeof header);
        header.sh_offset = file.size();
        header.sh_size = bytes;
        std::memcpy(at, &header, sizeof header);
    }
    tree.write(path, file);
    std::filesystem::resize_file(tree.path(path), file.size() + bytes);
}

inline std::string counted(std::string_view text) {
    std::string out;
    std::size_t rest = text.size();
    for (; rest >= 0x80; rest >>= 7) out += static_cast<char>(0x80 | (rest & 0x7f));
    out += static_cast<char>(rest);
    return out += text;
}

inline std::string between_sentinels(std::string_view lines) {
    return std::string(16, 'S') + std::string(lines) + std::string(16, 'E');
}

// As Go 1.18 and later write it.
inline std::string build_info(std::string_view go_version, std::string_view lines) {
    std::string info("\xff Go buildinf:");
    info += '\x08';
    info += '\x02';
    info.resize(32);
    return info + counted(go_version) + counted(between_sentinels(lines));
}

}  // namespace hopscope::procmap::test
