// The small JSON texts of remote command: the Status on the error stream (metav1.Status) and terminal sizes.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace hopscope::decode::stream {

struct StatusText {
    bool success = false;
    std::optional<int> exit_code;  // 0 for success; else from details.causes[], where one has reason "ExitCode"
    std::string reason, message;
};
// Nothing unless `json` is one whole object whose "status" is "Success" or "Failure".
std::optional<StatusText> parse_status(std::string_view json);

// The same for the two texts that nearly all execs end with, as Go's encoding/json writes a metav1.Status with these
// fields; nothing for any other. A document built for them would cost more than the rest of the exec.
std::optional<StatusText> usual_status(std::string_view json);

struct TerminalSize {
    std::uint16_t width = 0, height = 0;
};
// Nothing unless `json` is one whole object with "Width" and "Height" of 16 bits.
std::optional<TerminalSize> parse_terminal_size(std::string_view json);

// Follows JSON objects in a stream of bytes, byte by byte: says where one begins and ends. Does not validate.
class JsonObjects {
public:
    enum class Place : std::uint8_t { between, inside, last };
    Place next(char c) {
        if (depth_ == 0) {
            if (c != '{') return Place::between;
            depth_ = 1;
            return Place::inside;
        }
        if (in_string_) {
            if (escaped_) {
                escaped_ = false;
            } else if (c == '\\') {
                escaped_ = true;
            } else if (c == '"') {
                in_string_ = false;
            }
            return Place::inside;
        }
        if (c == '"') in_string_ = true;
        if (c == '{' || c == '[') ++depth_;
        if ((c == '}' || c == ']') && --depth_ == 0) return Place::last;
        return Place::inside;
    }
    [[nodiscard]] bool inside() const { return depth_ > 0; }

private:
    std::uint32_t depth_ = 0;
    bool in_string_ = false, escaped_ = false;
};

}  // namespace hopscope::decode::stream
