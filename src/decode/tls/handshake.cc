#include "decode/tls/handshake.h"

#include <algorithm>

namespace hopscope::decode::tls {
namespace {

// Reads from the front; after the first read beyond the end everything is empty and ok() is false.
class Cursor {
public:
    explicit Cursor(Bytes bytes) : rest_(bytes) {}
    [[nodiscard]] bool ok() const { return ok_; }
    [[nodiscard]] bool done() const { return rest_.empty(); }

    Bytes take(std::size_t count) {
        if (count > rest_.size()) {
            ok_ = false;
            rest_ = {};
            return {};
        }
        const Bytes taken = rest_.first(count);
        rest_ = rest_.subspan(count);
        return taken;
    }
    std::uint8_t u8() {
        const Bytes b = take(1);
        return b.empty() ? std::uint8_t{0} : b[0];
    }
    std::uint16_t u16() {
        const Bytes b = take(2);
        return b.empty() ? std::uint16_t{0} : read_be16(b.data());
    }
    std::uint32_t u24() {
        const Bytes b = take(3);
        return b.empty() ? 0 : read_be24(b.data());
    }

private:
    Bytes rest_;
    bool ok_ = true;
};

enum ExtensionType : std::uint16_t { kServerName = 0, kAlpn = 16, kEarlyData = 42, kSupportedVersions = 43 };

// RFC 8701: values that clients offer only so that servers learn to ignore them.
bool is_grease(std::uint16_t value) { return (value & 0x0f0f) == 0x0a0a && value >> 8 == (value & 0xff); }

std::string_view host_name(Bytes extension) {
    Cursor whole(extension);
    Cursor names(whole.take(whole.u16()));
    while (!names.done()) {
        const std::uint8_t type = names.u8();
        const Bytes name = names.take(names.u16());
        if (type == 0) return as_text(name);
    }
    return {};
}

template <typename Each>
void each_protocol(Bytes extension, Each each) {
    Cursor whole(extension);
    Cursor names(whole.take(whole.u16()));
    while (!names.done()) {
        const Bytes name = names.take(names.u8());
        if (!name.empty()) each(as_text(name));
    }
}

std::string_view chosen_protocol(Bytes extension) {
    std::string_view chosen;
    each_protocol(extension, [&](std::string_view name) {
        if (chosen.empty()) chosen = name;
    });
    return chosen;
}

// Calls each(type, content) for a list of extensions with its length in front. A missing list is an empty one.
template <typename Each>
bool each_extension(Cursor& message, Each each) {
    if (message.done()) return message.ok();
    Cursor list(message.take(message.u16()));
    while (!list.done()) {
        const std::uint16_t type = list.u16();
        const Bytes content = list.take(list.u16());
        if (list.ok()) each(type, content);
    }
    return list.ok() && message.ok();
}

std::uint16_t highest_version(Bytes extension) {
    Cursor whole(extension);
    Cursor versions(whole.take(whole.u8()));
    std::uint16_t highest = 0;
    while (!versions.done()) {
        const std::uint16_t version = versions.u16();
        if (!is_grease(version)) highest = std::max(highest, version);
    }
    return highest;
}

// RFC 8446 section 4.1.3: SHA-256 of "HelloRetryRequest".
constexpr std::uint8_t kRetryRandom[32] = {0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11, 0xbe, 0x1d, 0x8c,
                                           0x02, 0x1e, 0x65, 0xb8, 0x91, 0xc2, 0xa2, 0x11, 0x16, 0x7a, 0xbb,
                                           0x8c, 0x5e, 0x07, 0x9e, 0x09, 0xe2, 0xc8, 0xa8, 0x33, 0x9c};

bool matters(std::uint8_t type) {
    switch (type) {
        case kClientHello:
        case kServerHello:
        case kEncryptedExtensions:
        case kCertificate: return true;
        default: return false;
    }
}

}  // namespace

std::optional<Message> HandshakeReader::next(Bytes& rest) {
    if (left_ == 0 && head_bytes_ == head_.size()) reset();  // the last one was handed out
    while (head_bytes_ < head_.size()) {
        if (rest.empty()) return std::nullopt;
        head_[head_bytes_++] = rest.front();
        rest = rest.subspan(1);
        if (head_bytes_ == head_.size()) {
            left_ = read_be24(&head_[1]);
            keep_ = matters(head_[0]) && left_ <= limits::kTlsHandshakeBytesMax;
        }
    }
    const Bytes piece = rest.first(std::min<std::size_t>(left_, rest.size()));
    rest = rest.subspan(piece.size());
    left_ -= static_cast<std::uint32_t>(piece.size());
    const bool in_one_piece = held_.empty() && left_ == 0;
    if (keep_ && !in_one_piece) held_.insert(held_.end(), piece.begin(), piece.end());
    if (left_ > 0) return std::nullopt;
    if (!keep_) return Message{head_[0], {}, !matters(head_[0])};
    return Message{head_[0], in_one_piece ? piece : Bytes(held_), true};
}

void HandshakeReader::reset() {
    head_bytes_ = 0;
    left_ = 0;
    held_ = std::vector<std::uint8_t>();  // "= {}" would keep the memory
}

std::optional<ClientHello> parse_client_hello(Bytes body) {
    Cursor message(body);
    ClientHello hello;
    hello.version = message.u16();
    hello.random = message.take(32);
    message.take(message.u8());   // session id
    message.take(message.u16());  // cipher suites
    message.take(message.u8());   // compression methods
    std::uint16_t highest = 0;
    const bool ok = each_extension(message, [&](std::uint16_t type, Bytes content) {
        if (type == kServerName) hello.server_name = host_name(content);
        if (type == kEarlyData) hello.early_data = true;
        if (type == kSupportedVersions) highest = highest_version(content);
        if (type == kAlpn) {
            each_protocol(content, [&](std::string_view name) {
                if (hello.alpn_count < hello.alpn.size()) hello.alpn[hello.alpn_count++] = name;
            });
        }
    });
    if (highest != 0) hello.version = highest;
    return ok ? std::optional(hello) : std::nullopt;
}

std::optional<ServerHello> parse_server_hello(Bytes body) {
    Cursor message(body);
    ServerHello hello;
    hello.version = message.u16();
    hello.random = message.take(32);
    message.take(message.u8());  // session id
    hello.suite = message.u16();
    message.u8();  // compression method
    const bool ok = each_extension(message, [&](std::uint16_t type, Bytes content) {
        if (type == kSupportedVersions && content.size() == 2) hello.version = read_be16(content.data());
        if (type == kAlpn) hello.alpn = chosen_protocol(content);
    });
    hello.retry =
        std::equal(hello.random.begin(), hello.random.end(), std::begin(kRetryRandom), std::end(kRetryRandom));
    return ok ? std::optional(hello) : std::nullopt;
}

std::optional<EncryptedExtensions> parse_encrypted_extensions(Bytes body) {
    Cursor message(body);
    EncryptedExtensions said;
    const bool ok = each_extension(message, [&](std::uint16_t type, Bytes content) {
        if (type == kAlpn) said.alpn = chosen_protocol(content);
        if (type == kEarlyData) said.early_data = true;
    });
    return ok ? std::optional(said) : std::nullopt;
}

Bytes first_certificate(Bytes body, bool tls13) {
    Cursor message(body);
    if (tls13) message.take(message.u8());  // certificate_request_context
    Cursor list(message.take(message.u24()));
    const Bytes certificate = list.take(list.u24());
    return list.ok() && message.ok() ? certificate : Bytes{};
}

}  // namespace hopscope::decode::tls
