// Text that came from the wire, from /proc or from another's file: hostile until proven otherwise.
//
// It cannot be printed by accident: there is no conversion to std::string. The only ways out are
// display() (terminals, text, file names), json_string() (JSON) and raw() for code that compares or parses.
// A test greps that nothing under src/export, src/tui and src/cli calls raw() to print.
#pragma once

#include <atomic>
#include <compare>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

namespace hopscope {

// Eight bytes: a model holds millions of these, most of them empty or equal to another. The text never changes and is
// shared by all copies (counted; copies may live in several threads).
class Untrusted {
public:
    Untrusted() = default;
    explicit Untrusted(std::string_view text) : shared_(text.empty() ? nullptr : new Shared{1, std::string(text)}) {}
    Untrusted(const Untrusted& other) noexcept : shared_(other.shared_) {
        if (shared_) shared_->users.fetch_add(1, std::memory_order_relaxed);
    }
    Untrusted(Untrusted&& other) noexcept : shared_(std::exchange(other.shared_, nullptr)) {}
    Untrusted& operator=(Untrusted other) noexcept {
        std::swap(shared_, other.shared_);
        return *this;
    }
    ~Untrusted() {
        if (shared_ && shared_->users.fetch_sub(1, std::memory_order_acq_rel) == 1)
            delete shared_;  // NOLINT(clang-analyzer-cplusplus.NewDelete): the analyzer does not follow the count
    }

    [[nodiscard]] bool empty() const { return shared_ == nullptr; }
    [[nodiscard]] std::size_t size() const { return raw().size(); }
    // The bytes as they came: for comparing and parsing, never for showing.
    [[nodiscard]] const std::string& raw() const { return shared_ ? shared_->text : nothing(); }
    bool operator==(const Untrusted& other) const { return shared_ == other.shared_ || raw() == other.raw(); }
    std::strong_ordering operator<=>(const Untrusted& other) const { return raw() <=> other.raw(); }
    bool operator==(std::string_view other) const { return raw() == other; }

private:
    struct Shared {
        std::atomic<std::uint32_t> users;
        std::string text;
    };
    static const std::string& nothing() {
        static const std::string empty;
        return empty;
    }

    Shared* shared_ = nullptr;
};

enum class Glyphs { unicode, ascii };

// Printable text on one line: control codes, bidi and zero-width characters, private use, invalid UTF-8 become visible
// symbols; at most two combining marks per character stay. Never longer than 12 bytes per byte.
std::string display(std::string_view hostile, Glyphs glyphs = Glyphs::unicode);
inline std::string display(const Untrusted& text, Glyphs glyphs = Glyphs::unicode) {
    return display(text.raw(), glyphs);
}

// True if `bytes` is well-formed UTF-8 (RFC 3629).
bool is_utf8(std::string_view bytes);

// Appends `text` as a JSON string with its quotes, pure ASCII (everything else as \u escapes, surrogate pairs
// included). `text` must be UTF-8: callers send other bytes to a "b64" member (is_utf8, append_base64).
void append_json_string(std::string& out, std::string_view text);
void append_base64(std::string& out, std::string_view bytes);

// Columns that `text` (already displayable) takes on a terminal; by our own table, not by the terminal's.
std::size_t display_width(std::string_view text);
// Cuts to at most `columns`, the middle replaced by '…' ("..." in ASCII), never inside a character.
std::string elide_middle(std::string_view text, std::size_t columns, Glyphs glyphs = Glyphs::unicode);
// Cuts at the end, same rules.
std::string elide_end(std::string_view text, std::size_t columns, Glyphs glyphs = Glyphs::unicode);

}  // namespace hopscope
