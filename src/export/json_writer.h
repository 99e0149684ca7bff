// Writes JSON straight into an Output, without a tree and without allocating for ordinary text.
//
// The caller nests begin_… and end_… rightly; commas are put here. Keys are our own words (plain ASCII, no escape
// needed). Text from elsewhere may hold anything: JSON strings are written in pure ASCII, and text that is not UTF-8
// goes as base64 to the member "<key>_b64" instead of "<key>". Nothing is masked here: that is done before.
#pragma once

#include <charconv>
#include <concepts>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/time.h"
#include "core/untrusted.h"
#include "export/output.h"

namespace hopscope::exports {

class JsonWriter {
public:
    explicit JsonWriter(Output& out) : out_(out) {}

    void begin_object() { open('{'); }
    void begin_object(std::string_view key) { open('{', key); }
    void end_object() { close('}'); }
    void begin_array() { open('['); }
    void begin_array(std::string_view key) { open('[', key); }
    void end_array() { close(']'); }

    // Members. Absent rather than null: text_if, number_if and so on write nothing when there is nothing to say.
    void text(std::string_view key, std::string_view value);
    void text(std::string_view key, const Untrusted& value) {
        text(key, std::string_view{value.raw()});  // raw-ok: escaped
    }
    template <typename Text>
    void text_if(std::string_view key, const Text& value) {
        if (!value.empty()) text(key, value);
    }
    // The same for payload: "text" when it is UTF-8, "b64" when not.
    void payload(std::string_view bytes);
    void number(std::string_view key, std::integral auto value) {
        name(key);
        put_number(value);
    }
    void number_if(std::string_view key, std::integral auto value) {
        if (value != 0) number(key, value);
    }
    void boolean(std::string_view key, bool value) {
        name(key);
        out_.append(value ? std::string_view{"true"} : std::string_view{"false"});
    }
    void time(std::string_view key, Timestamp at);
    // Nothing for the zero timestamp, which means "never" in the model.
    void time_if(std::string_view key, Timestamp at) {
        if (at.ns != 0) time(key, at);
    }
    void seconds(std::string_view key, Duration span);
    // An array of strings; when one of them is not UTF-8, "<key>_b64" with all of them in base64.
    void texts(std::string_view key, std::span<const Untrusted> values);
    void texts(std::string_view key, std::span<const std::string> values);

    // Array items.
    void item(std::string_view text);
    void number_item(std::integral auto value) {
        comma();
        put_number(value);
    }

    // The caller has written "{" and some members into the Output by hand: more members follow.
    void resume_object() { comma_ = true; }

    // A line break between items, so that documents can be read, compared and searched line by line.
    void newline() { pending_newline_ = true; }

private:
    void open(char bracket);
    void open(char bracket, std::string_view key);
    void close(char bracket);
    void comma();
    void name(std::string_view key) {
        char* at = out_.room(key.size() + 5);
        if (comma_) *at++ = ',';
        if (pending_newline_) *at++ = '\n';
        *at++ = '"';
        std::memcpy(at, key.data(), key.size());
        at += key.size();
        *at++ = '"';
        *at++ = ':';
        out_.commit(at);
        comma_ = true;
        pending_newline_ = false;
    }
    void name_b64(std::string_view key);
    void string(std::string_view utf8);
    void base64(std::string_view bytes);
    void put_number(std::integral auto value) {
        char* at = out_.room(24);
        out_.commit(std::to_chars(at, at + 24, value).ptr);
    }

    Output& out_;
    std::string scratch_;  // for text that needs escapes
    bool comma_ = false;   // something precedes on this level
    bool pending_newline_ = false;
};

// Decimal seconds without trailing zeros, exact: "0.42", "41", "-0.000001". At most 22 bytes; returns the end.
char* write_seconds(char* out, Duration span);

// True if `text` stands in JSON as it is: printable ASCII without quote and backslash.
bool is_plain_json(std::string_view text);

}  // namespace hopscope::exports
