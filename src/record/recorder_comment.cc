#include "record/recorder_comment.h"

#include <array>
#include <charconv>

namespace hopscope::record {
namespace {

constexpr std::string_view kBegin = "hopscope: ", kArrow = " \xe2\x86\x92 ";
constexpr std::string_view kHex = "0123456789ABCDEF";
constexpr std::size_t kNameBytesMax = 64;  // the kernel's names have 15

bool is_plain(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view("._:/-").find(c) != std::string_view::npos;
}

std::string process_text(const std::optional<chain::Process>& process) {
    if (!process) return "?";
    std::string text;
    for (const char c : process->comm.raw().substr(0, kNameBytesMax)) {
        const auto byte = static_cast<unsigned char>(c);
        if (is_plain(c))
            text += c;
        else
            text += {'%', kHex[byte >> 4], kHex[byte & 15]};
    }
    return text + "[" + std::to_string(process->pid) + "]";
}

template <typename Number>
bool read_number(std::string_view text, Number& number, int base = 10) {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number, base);
    return error == std::errc() && end == text.data() + text.size() && !text.empty();
}

bool read_process(std::string_view text, std::optional<chain::Process>& process) {
    if (text == "?") return true;
    const std::size_t bracket = text.find('[');
    if (bracket == std::string_view::npos || !text.ends_with(']')) return false;
    chain::Process found;
    if (!read_number(text.substr(bracket + 1, text.size() - bracket - 2), found.pid)) return false;
    std::string name;
    for (std::size_t i = 0; i < bracket; ++i) {
        unsigned char byte = 0;
        if (is_plain(text[i])) {
            name += text[i];
        } else if (text[i] == '%' && i + 2 < bracket && read_number(text.substr(i + 1, 2), byte, 16)) {
            name += static_cast<char>(byte);
            i += 2;
        } else {
            return false;
        }
    }
    if (name.size() > kNameBytesMax) return false;
    found.comm = Untrusted(name);
    process = std::move(found);
    return true;
}

bool read_endpoint(std::string_view text, Endpoint& endpoint) {
    const std::size_t colon = text.rfind(':');
    if (colon == std::string_view::npos || !read_number(text.substr(colon + 1), endpoint.port)) return false;
    std::string_view address = text.substr(0, colon);
    if (address.starts_with('[') && address.ends_with(']')) address = address.substr(1, address.size() - 2);
    const auto parsed = IpAddress::parse(address);
    if (parsed) endpoint.address = *parsed;
    return parsed.has_value();
}

bool read_end(std::string_view text, Endpoint& endpoint, std::optional<chain::Process>& process) {
    const std::size_t space = text.find(' ');
    return space != std::string_view::npos && read_endpoint(text.substr(0, space), endpoint) &&
           read_process(text.substr(space + 1), process);
}

}  // namespace

std::string to_comment(const ConnectionComment& comment) {
    return std::string(kBegin) + to_string(comment.client) + " " + process_text(comment.ends.from) +
           std::string(kArrow) + to_string(comment.server) + " " + process_text(comment.ends.to);
}

std::optional<ConnectionComment> parse_comment(std::string_view text) {
    if (!text.starts_with(kBegin)) return std::nullopt;
    text.remove_prefix(kBegin.size());
    const std::size_t arrow = text.find(kArrow);
    if (arrow == std::string_view::npos) return std::nullopt;
    ConnectionComment comment;
    if (!read_end(text.substr(0, arrow), comment.client, comment.ends.from) ||
        !read_end(text.substr(arrow + kArrow.size()), comment.server, comment.ends.to))
        return std::nullopt;
    return comment;
}

}  // namespace hopscope::record
