#include "export/json_writer.h"

#include <algorithm>
#include <cstring>

namespace hopscope::exports {
namespace {

// Of eight bytes at once: does one lie outside 0x20…0x7e, or is it a quote or a backslash?
// The usual borrow tricks: a byte can be marked wrongly only above one that is marked rightly, so the answer is exact.
bool needs_escape(std::uint64_t eight) {
    constexpr std::uint64_t kOnes = 0x0101010101010101U;
    constexpr std::uint64_t kHighs = kOnes * 0x80;
    const auto has_zero = [](std::uint64_t v) { return (v - kOnes) & ~v; };
    const std::uint64_t below_space = (eight - kOnes * 0x20) & ~eight;
    return ((eight | below_space | has_zero(eight ^ kOnes * '"') | has_zero(eight ^ kOnes * '\\') |
             has_zero(eight ^ kOnes * 0x7f)) &
            kHighs) != 0;
}

bool plain(std::uint8_t byte) { return byte >= 0x20 && byte < 0x7f && byte != '"' && byte != '\\'; }

}  // namespace

bool is_plain_json(std::string_view text) {
    std::size_t at = 0;
    for (; at + 8 <= text.size(); at += 8) {
        std::uint64_t eight = 0;
        std::memcpy(&eight, text.data() + at, 8);
        if (needs_escape(eight)) return false;
    }
    if (at == text.size()) return true;
    if (text.size() < 8)
        return std::all_of(text.begin(), text.end(), [](char c) { return plain(static_cast<std::uint8_t>(c)); });
    // The last eight once more, some of them for the second time.
    std::uint64_t eight = 0;
    std::memcpy(&eight, text.data() + text.size() - 8, 8);
    return !needs_escape(eight);
}

char* write_seconds(char* out, Duration span) {
    std::uint64_t ns = static_cast<std::uint64_t>(span.ns);
    if (span.ns < 0) {
        *out++ = '-';
        ns = ~ns + 1;
    }
    constexpr auto kSecond = static_cast<std::uint64_t>(kNanosecondsPerSecond);
    out = std::to_chars(out, out + 20, ns / kSecond).ptr;
    std::uint64_t rest = ns % kSecond;
    if (rest == 0) return out;
    *out++ = '.';
    for (std::uint64_t place = kSecond / 10; rest != 0; place /= 10) {
        *out++ = static_cast<char>('0' + rest / place);
        rest %= place;
    }
    return out;
}

void JsonWriter::comma() {
    if (comma_) out_.append(',');
    if (pending_newline_) out_.append('\n');
    pending_newline_ = false;
    comma_ = true;
}

void JsonWriter::open(char bracket) {
    comma();
    out_.append(bracket);
    comma_ = false;
}

void JsonWriter::open(char bracket, std::string_view key) {
    name(key);
    out_.append(bracket);
    comma_ = false;
}

void JsonWriter::close(char bracket) {
    pending_newline_ = false;
    out_.append(bracket);
    comma_ = true;
}

void JsonWriter::name_b64(std::string_view key) {
    scratch_.assign(key);
    scratch_ += "_b64";
    name(scratch_);
}

void JsonWriter::string(std::string_view utf8) {
    if (is_plain_json(utf8)) {
        out_.append('"');
        out_.append(utf8);
        out_.append('"');
        return;
    }
    scratch_.clear();
    append_json_string(scratch_, utf8);
    out_.append(scratch_);
}

void JsonWriter::base64(std::string_view bytes) {
    scratch_.assign(1, '"');
    append_base64(scratch_, bytes);
    scratch_ += '"';
    out_.append(scratch_);
}

void JsonWriter::text(std::string_view key, std::string_view value) {
    if (is_plain_json(value)) {
        name(key);
        out_.append('"');
        out_.append(value);
        out_.append('"');
    } else if (is_utf8(value)) {
        name(key);
        string(value);
    } else {
        name_b64(key);
        base64(value);
    }
}

void JsonWriter::payload(std::string_view bytes) {
    const bool readable = is_utf8(bytes);
    name(readable ? "text" : "b64");
    readable ? string(bytes) : base64(bytes);
}

void JsonWriter::time(std::string_view key, Timestamp at) {
    name(key);
    char* out = out_.room(40);
    *out++ = '"';
    out = write_rfc3339(out, at);
    *out++ = '"';
    out_.commit(out);
}

void JsonWriter::seconds(std::string_view key, Duration span) {
    name(key);
    out_.commit(write_seconds(out_.room(24), span));
}

void JsonWriter::texts(std::string_view key, std::span<const Untrusted> values) {
    const bool readable = std::all_of(values.begin(), values.end(),
                                      [](const Untrusted& v) { return is_utf8(v.raw()); });  // raw-ok: tested
    readable ? name(key) : name_b64(key);
    out_.append('[');
    comma_ = false;
    for (const Untrusted& value : values) {
        comma();
        readable ? string(value.raw()) : base64(value.raw());  // raw-ok: escaped
    }
    close(']');
}

void JsonWriter::texts(std::string_view key, std::span<const std::string> values) {
    begin_array(key);
    for (const std::string& value : values) item(value);
    end_array();
}

void JsonWriter::item(std::string_view text) {
    comma();
    string(text);
}

}  // namespace hopscope::exports
