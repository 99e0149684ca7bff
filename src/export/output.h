// Where exported text goes: a growing string, or a file descriptor behind a 64 KiB buffer.
//
// Producers append and never check: the first write error is remembered, everything after it is thrown away, and
// whoever owns the Output asks for status() at the end (or failed() to stop early). Nothing here throws.
#pragma once

#include <cstddef>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>

#include "core/result.h"

namespace hopscope::exports {

inline constexpr std::size_t kOutputBufferBytes = 64 * 1024;  // one write(2); as large as a pipe

class Output {
public:
    Output();
    virtual ~Output() = default;
    Output(const Output&) = delete;
    Output& operator=(const Output&) = delete;

    // At least `bytes` (at most kOutputBufferBytes) writable bytes in one piece; valid until the next call.
    // Write some of them, then hand the end of what was written to commit().
    char* room(std::size_t bytes) {
        if (static_cast<std::size_t>(end_ - at_) < bytes) drain();
        return at_;
    }
    void commit(char* end) { at_ = end; }

    void append(std::string_view text) {
        if (text.size() > static_cast<std::size_t>(end_ - at_)) {
            append_large(text);
        } else if (!text.empty()) {
            std::memcpy(at_, text.data(), text.size());
            at_ += text.size();
        }
    }
    void append(char c) {
        *room(1) = c;
        ++at_;
    }

    // Hands everything appended so far to its destination.
    void flush() { drain(); }
    // True after the first failed write.
    [[nodiscard]] virtual bool failed() const { return false; }
    // The first write error, in words for the user. flush() first: what is still buffered was not tried.
    [[nodiscard]] virtual Status status() const { return Done{}; }

protected:
    // `bytes` is never empty.
    virtual void write(std::string_view bytes) = 0;

private:
    void drain();
    void append_large(std::string_view text);

    std::unique_ptr<char[]> buffer_;
    char* at_;
    char* end_;
};

// For tests, and for answers that are built in memory.
class StringOutput final : public Output {
public:
    // Everything appended so far; valid until the next append.
    const std::string& text() {
        flush();
        return text_;
    }

private:
    void write(std::string_view bytes) override { text_.append(bytes); }
    std::string text_;
};

// Writes to a descriptor that it does not own. `subject` names it in errors ("standard output", a file name).
// Short writes and EINTR are continued, EAGAIN waits. Codes: OUT-01 the reader is gone (EPIPE), OUT-02 no space left
// (ENOSPC, EDQUOT, EFBIG), OUT-03 anything else.
class FdOutput final : public Output {
public:
    FdOutput(int fd, std::string subject) : subject_(std::move(subject)), fd_(fd) {}
    ~FdOutput() override { flush(); }

    [[nodiscard]] bool failed() const override { return errno_value_ != 0; }
    [[nodiscard]] Status status() const override;

private:
    void write(std::string_view bytes) override;
    std::string subject_;
    int fd_;
    int errno_value_ = 0;
};

}  // namespace hopscope::exports
