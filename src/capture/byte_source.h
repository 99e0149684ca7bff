// Where the bytes of a capture come from: a file descriptor, memory, or a decompressor around another source.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "core/bytes.h"

namespace hopscope::capture {

// Why a source gives no more bytes.
struct SourceEnd {
    enum class Kind {
        clean,    // everything was read
        failed,   // a system call failed; `why` says how
        cut,      // compressed data stops before its end
        damaged,  // compressed data makes no sense; `why` says how
    };
    Kind kind = Kind::clean;
    std::string why;
};

class ByteSource {
public:
    virtual ~ByteSource() = default;
    // Writes 1 to `size` (> 0) bytes to `out` and returns how many. Blocks until there is one. 0: nothing more comes,
    // and ending() says why. Bytes of `out` beyond those returned may have been overwritten, too.
    virtual std::size_t read(std::uint8_t* out, std::size_t size) = 0;
    [[nodiscard]] virtual const SourceEnd& ending() const = 0;
    // Bytes taken from the file itself so far (compressed where it is).
    [[nodiscard]] virtual std::uint64_t file_bytes() const = 0;
};

// Reads a file descriptor, which it owns unless it is standard input.
class FileSource final : public ByteSource {
public:
    explicit FileSource(int fd) : fd_(fd) {}
    ~FileSource() override;
    FileSource(const FileSource&) = delete;
    FileSource& operator=(const FileSource&) = delete;
    std::size_t read(std::uint8_t* out, std::size_t size) override;
    [[nodiscard]] const SourceEnd& ending() const override { return ending_; }
    [[nodiscard]] std::uint64_t file_bytes() const override { return file_bytes_; }

private:
    int fd_;
    std::uint64_t file_bytes_ = 0;
    SourceEnd ending_;
};

// Gives borrowed memory away in pieces of at most `piece_max` bytes.
class MemorySource final : public ByteSource {
public:
    explicit MemorySource(Bytes bytes, std::size_t piece_max = SIZE_MAX) : bytes_(bytes), piece_max_(piece_max) {}
    std::size_t read(std::uint8_t* out, std::size_t size) override;
    [[nodiscard]] const SourceEnd& ending() const override { return ending_; }
    [[nodiscard]] std::uint64_t file_bytes() const override { return taken_; }

private:
    Bytes bytes_;
    std::size_t piece_max_;
    std::size_t taken_ = 0;
    SourceEnd ending_;
};

// Undo gzip (RFC 1952, several members) or zstd (RFC 8878, several frames, window of at most 2^kZstdWindowLogMax).
// `head` are bytes that were already read from `inner`.
std::unique_ptr<ByteSource> make_gzip_source(std::unique_ptr<ByteSource> inner, std::vector<std::uint8_t> head);
std::unique_ptr<ByteSource> make_zstd_source(std::unique_ptr<ByteSource> inner, std::vector<std::uint8_t> head);

}  // namespace hopscope::capture
