// The entries of a directory whose names are numbers: processes in /proc, descriptors in /proc/PID/fd.
#pragma once

#include <dirent.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace hopscope::procmap {

// Calls `take` with the number and the name of each, in the order of the directory, until it returns false. `directory`
// is open and at its beginning. 0, or errno. getdents64 itself: readdir(3) would allocate 32 KiB for each directory.
template <typename Take>
int each_numbered_entry(int directory, Take take) {
    alignas(dirent64) std::array<char, 32 * 1024> entries;
    while (true) {
        const long got = ::syscall(SYS_getdents64, directory, entries.data(), entries.size());
        if (got <= 0) return got == 0 ? 0 : errno;
        for (long at = 0; at < got;) {
            const char* entry = entries.data() + at;
            std::uint16_t length;
            std::memcpy(&length, entry + offsetof(dirent64, d_reclen), sizeof length);
            at += length;
            const char* name = entry + offsetof(dirent64, d_name);
            if (name[0] < '0' || name[0] > '9') continue;
            std::uint32_t number = 0;
            const auto [end, error] = std::from_chars(name, name + std::strlen(name), number);
            if (error == std::errc{} && *end == '\0' && !take(number, name)) return 0;
        }
    }
}

}  // namespace hopscope::procmap
