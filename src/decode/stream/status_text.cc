#include "decode/stream/status_text.h"

#include <charconv>
#include <nlohmann/json.hpp>

namespace hopscope::decode::stream {
namespace {

using nlohmann::json;

const json* member(const json& object, const char* name) {
    if (!object.is_object()) return nullptr;
    const auto at = object.find(name);
    return at == object.end() ? nullptr : &*at;
}

std::string_view text_of(const json& object, const char* name) {
    const json* value = member(object, name);
    return value && value->is_string() ? std::string_view(*value->get_ptr<const std::string*>()) : std::string_view();
}

std::optional<int> exit_code_of(std::string_view digits) {
    int code = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), code);
    if (error != std::errc{} || end != digits.data() + digits.size() || code < 0) return std::nullopt;
    return code;
}

std::optional<int> exit_code_of(const json& status) {
    const json* details = member(status, "details");
    const json* causes = details ? member(*details, "causes") : nullptr;
    if (!causes || !causes->is_array()) return std::nullopt;
    for (const json& cause : *causes) {
        if (text_of(cause, "reason") != "ExitCode") continue;
        if (const auto code = exit_code_of(text_of(cause, "message"))) return code;
    }
    return std::nullopt;
}

// Takes `word` from the front.
bool take(std::string_view& text, std::string_view word) {
    if (!text.starts_with(word)) return false;
    text.remove_prefix(word.size());
    return true;
}

// Takes a string's content and its closing quote, if JSON means just what stands there.
bool take_plain(std::string_view& text, std::string_view& content) {
    std::size_t end = 0;
    while (end < text.size() && text[end] >= 0x20 && text[end] < 0x7f && text[end] != '"' && text[end] != '\\') ++end;
    if (end == text.size() || text[end] != '"') return false;
    content = text.substr(0, end);
    text.remove_prefix(end + 1);
    return true;
}

std::optional<std::uint16_t> number_of_16_bits(const json& object, const char* name) {
    const json* value = member(object, name);
    if (!value || !value->is_number_unsigned()) return std::nullopt;
    const auto number = *value->get_ptr<const json::number_unsigned_t*>();
    if (number > UINT16_MAX) return std::nullopt;
    return static_cast<std::uint16_t>(number);
}

}  // namespace

std::optional<StatusText> usual_status(std::string_view text) {
    if (text == R"({"metadata":{},"status":"Success"})") return StatusText{.success = true, .exit_code = 0};
    std::string_view message, digits;
    if (!take(text, R"({"metadata":{},"status":"Failure","message":")") || !take_plain(text, message) ||
        !take(text, R"(,"reason":"NonZeroExitCode","details":{"causes":[{"reason":"ExitCode","message":")") ||
        !take_plain(text, digits) || text != "}]}}")
        return std::nullopt;
    return StatusText{.success = false,
                      .exit_code = exit_code_of(digits),
                      .reason = "NonZeroExitCode",
                      .message = std::string(message)};
}

std::optional<StatusText> parse_status(std::string_view text) {
    if (auto usual = usual_status(text)) return usual;
    const json status = json::parse(text, nullptr, /*allow_exceptions=*/false);
    const std::string_view outcome = text_of(status, "status");
    if (outcome != "Success" && outcome != "Failure") return std::nullopt;
    StatusText out;
    out.success = outcome == "Success";
    out.exit_code = out.success ? 0 : exit_code_of(status);
    out.reason = text_of(status, "reason");
    out.message = text_of(status, "message");
    return out;
}

std::optional<TerminalSize> parse_terminal_size(std::string_view text) {
    const json size = json::parse(text, nullptr, /*allow_exceptions=*/false);
    const auto width = number_of_16_bits(size, "Width"), height = number_of_16_bits(size, "Height");
    if (!width || !height) return std::nullopt;
    return TerminalSize{*width, *height};
}

}  // namespace hopscope::decode::stream
