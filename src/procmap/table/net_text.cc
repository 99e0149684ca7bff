#include "procmap/table/net_text.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <optional>
#include <unordered_set>

#include "core/limits.h"
#include "procmap/kernel_numbers.h"
#include "procmap/table/text_doubts.h"

namespace hopscope::procmap {
namespace {

constexpr std::uint32_t kAcceptsConnections = 0x10000;  // __SO_ACCEPTCON, include/linux/net.h
constexpr unsigned kUnixConnected = 3;                  // SS_CONNECTED

class Words {
public:
    explicit Words(std::string_view line) : rest_(line) {}
    std::string_view next() {
        const std::size_t start = rest_.find_first_not_of(' ');
        if (start == std::string_view::npos) return rest_ = {};
        rest_.remove_prefix(start);
        const std::string_view word = rest_.substr(0, rest_.find(' '));
        rest_.remove_prefix(word.size());
        return word;
    }
    // What follows after one space: a path may hold spaces.
    [[nodiscard]] std::string_view rest() const { return rest_.empty() ? rest_ : rest_.substr(1); }
    [[nodiscard]] bool has_rest() const { return !rest_.empty(); }

private:
    std::string_view rest_;
};

template <typename T>
std::optional<T> number(std::string_view text, int base) {
    T value{};
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
    if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
    return value;
}

// "0100007F:1F90" and 32 digits for IPv6: four numbers of 32 bits in the machine's byte order.
std::optional<Endpoint> endpoint(std::string_view text) {
    const std::size_t colon = text.find(':');
    if (colon != 8 && colon != 32) return std::nullopt;
    std::array<std::uint8_t, 16> bytes{};
    for (std::size_t at = 0; at < colon; at += 8) {
        const auto part = number<std::uint32_t>(text.substr(at, 8), 16);
        if (!part) return std::nullopt;
        std::memcpy(bytes.data() + at / 2, &*part, sizeof *part);
    }
    const auto port = number<std::uint16_t>(text.substr(colon + 1), 16);
    if (!port) return std::nullopt;
    return Endpoint{colon == 8 ? IpAddress::v4(bytes.data()) : IpAddress::v6(bytes.data()), *port};
}

template <typename Take>
void for_each_line(std::string_view text, Take take) {
    while (!text.empty()) {
        const std::size_t end = std::min(text.find('\n'), text.size());
        take(text.substr(0, end));
        text.remove_prefix(std::min(end + 1, text.size()));
    }
}

}  // namespace

void take_inet_text(std::string_view text, Transport transport, std::uint64_t net_namespace, std::vector<Socket>& out) {
    for_each_line(text, [&](std::string_view line) {
        Words words(line);
        words.next();  // "0:", the place in the kernel's table
        const auto local = endpoint(words.next()), remote = endpoint(words.next());
        const auto state = number<unsigned>(words.next(), 16);
        const std::string_view queues = words.next();
        for (int skipped = 0; skipped < 4; ++skipped) words.next();  // timer, retransmits, uid, timeout
        const auto inode = number<std::uint64_t>(words.next(), 10);
        if (!local || !remote || !state || !inode || queues.size() != 17 || out.size() >= limits::kSocketsMax) return;
        Socket& socket = out.emplace_back();
        socket.transport = transport;
        socket.state = state_of_number(*state);
        socket.inode = *inode;
        socket.net_namespace = net_namespace;
        socket.local = *local;
        socket.remote = *remote;
        socket.send_queue_bytes = number<std::uint32_t>(queues.substr(0, 8), 16).value_or(0);
        socket.receive_queue_bytes = number<std::uint32_t>(queues.substr(9), 16).value_or(0);
    });
}

std::size_t take_unix_text(std::string_view text, std::uint64_t net_namespace, std::vector<Socket>& out) {
    const std::size_t first = out.size();
    std::vector<bool> is_sure;                 // of those from `first` on
    std::optional<std::size_t> bytes_of_name;  // printed since the name began that the line before may belong to
    for_each_line(text, [&](std::string_view line) {
        Words words(line);
        words.next();  // address, or a number for those without privilege
        words.next();  // references
        words.next();  // protocol
        const auto flags = number<std::uint32_t>(words.next(), 16);
        const auto type = number<unsigned>(words.next(), 16);
        const auto state = number<unsigned>(words.next(), 16);
        const auto inode = number<std::uint64_t>(words.next(), 10);
        if (bytes_of_name) *bytes_of_name += 1 + line.size();
        if (bytes_of_name > limits::kUnixNameBytesMax) bytes_of_name.reset();
        if (!flags || !type || !state || !inode || out.size() >= limits::kSocketsMax) return;
        is_sure.push_back(!bytes_of_name);
        if (words.has_rest()) bytes_of_name = words.rest().size();
        Socket& socket = out.emplace_back();
        socket.transport = *type == 2   ? Transport::unix_dgram
                           : *type == 5 ? Transport::unix_seqpacket
                                        : Transport::unix_stream;
        socket.state = (*flags & kAcceptsConnections) != 0 ? SocketState::listen
                       : *state == kUnixConnected          ? SocketState::established
                                                           : SocketState::close;
        socket.inode = *inode;
        socket.net_namespace = net_namespace;
        socket.unix_local = {std::string(words.rest()), *inode};
    });
    std::unordered_set<std::uint64_t> sure;
    for (std::size_t at = 0; at < is_sure.size(); ++at)
        if (is_sure[at]) sure.insert(out[first + at].inode);
    std::vector<bool> is_left_out(out.size());
    for (std::size_t at = 0; at < is_sure.size(); ++at)
        is_left_out[first + at] = !is_sure[at] && sure.contains(out[first + at].inode);
    return erase_places(out, is_left_out);
}

}  // namespace hopscope::procmap
