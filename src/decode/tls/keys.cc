// TlsKeys: an NSS key log in memory.
#include <openssl/crypto.h>

#include <algorithm>
#include <array>
#include <map>
#include <optional>

#include "core/limits.h"
#include "decode/tls/crypto.h"
#include "decode/tls/tls.h"

namespace hopscope::decode {
namespace {

using tls::Secret;

constexpr std::size_t kRandomBytes = 32;
using Random = std::array<std::uint8_t, kRandomBytes>;

// The labels whose secrets open records. Others (EXPORTER_SECRET, …) are known but of no use here.
constexpr std::string_view kUsed[] = {
    "CLIENT_RANDOM",
    "CLIENT_EARLY_TRAFFIC_SECRET",
    "CLIENT_HANDSHAKE_TRAFFIC_SECRET",
    "SERVER_HANDSHAKE_TRAFFIC_SECRET",
    "CLIENT_TRAFFIC_SECRET_0",
    "SERVER_TRAFFIC_SECRET_0",
};
constexpr std::size_t kMasterSecretBytes = 48;

int hex_digit(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

// Writes the bytes of `hex` to `out`, which must be long enough; false if it is no hexadecimal text of whole bytes.
bool unhex(std::string_view hex, std::span<std::uint8_t> out) {
    if (hex.size() % 2 != 0 || hex.size() / 2 > out.size()) return false;
    for (std::size_t i = 0; i < hex.size(); i += 2) {
        const int high = hex_digit(hex[i]), low = hex_digit(hex[i + 1]);
        if (high < 0 || low < 0) return false;
        out[i / 2] = static_cast<std::uint8_t>(high << 4 | low);
    }
    return true;
}

bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\r'; }

std::string_view take_word(std::string_view& line) {
    std::size_t begin = 0;
    while (begin < line.size() && is_blank(line[begin])) ++begin;
    std::size_t end = begin;
    while (end < line.size() && !is_blank(line[end])) ++end;
    const std::string_view word = line.substr(begin, end - begin);
    line.remove_prefix(end);
    return word;
}

std::optional<std::size_t> place_of(std::string_view label) {
    const auto* at = std::find(std::begin(kUsed), std::end(kUsed), label);
    if (at == std::end(kUsed)) return std::nullopt;
    return static_cast<std::size_t>(at - std::begin(kUsed));
}

bool is_label(std::string_view word) {
    return !word.empty() && std::all_of(word.begin(), word.end(), [](char c) {
        return (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
    });
}

}  // namespace

struct TlsKeys::State {
    using Secrets = std::array<Secret, std::size(kUsed)>;
    // A tree, not a hash table: the randoms come from a file, and nobody shall choose them so that they collide.
    std::map<Random, Secrets> by_random;
    std::size_t secrets = 0;
    std::size_t bad_lines = 0;
    std::size_t not_kept = 0;

    enum class Line : std::uint8_t { added, useless, bad };
    Line add(std::string_view line);
};

TlsKeys::State::Line TlsKeys::State::add(std::string_view line) {
    const std::string_view label = take_word(line);
    if (label.empty() || label.front() == '#') return Line::useless;
    const std::string_view random_hex = take_word(line), secret_hex = take_word(line);
    std::array<std::uint8_t, 128> decoded;  // longer than any secret of TLS; wiped below
    if (!is_label(label) || secret_hex.empty() || !take_word(line).empty()) return Line::bad;
    // "RSA <first 8 bytes of the encrypted premaster secret> <premaster secret>": an old form that names no random.
    if (label == "RSA") return Line::useless;

    Random random;
    if (random_hex.size() != 2 * kRandomBytes || !unhex(random_hex, random) || !unhex(secret_hex, decoded))
        return Line::bad;
    const Bytes bytes = Bytes(decoded).first(secret_hex.size() / 2);
    const Secret secret(bytes);
    OPENSSL_cleanse(decoded.data(), decoded.size());

    const auto place = place_of(label);
    if (!place) return Line::useless;
    const bool fits =
        label == "CLIENT_RANDOM" ? bytes.size() == kMasterSecretBytes : bytes.size() == 32 || bytes.size() == 48;
    if (!fits) return Line::bad;
    auto at = by_random.find(random);
    if (at == by_random.end()) {
        if (by_random.size() >= limits::kTlsKeyedConnectionsMax) {
            ++not_kept;
            return Line::useless;
        }
        at = by_random.emplace(random, Secrets{}).first;
    }
    Secret& kept = at->second[*place];
    if (kept.empty()) ++secrets;
    kept = secret;
    return Line::added;
}

TlsKeys::TlsKeys() : state_(std::make_unique<State>()) {}
TlsKeys::~TlsKeys() = default;
TlsKeys::TlsKeys(TlsKeys&&) noexcept = default;
TlsKeys& TlsKeys::operator=(TlsKeys&&) noexcept = default;

std::size_t TlsKeys::add(std::string_view text) {
    std::size_t added = 0;
    while (!text.empty()) {
        const std::size_t end = std::min(text.find('\n'), text.size());
        const State::Line what = state_->add(text.substr(0, end));
        if (what == State::Line::added) ++added;
        if (what == State::Line::bad) ++state_->bad_lines;
        text.remove_prefix(std::min(end + 1, text.size()));
    }
    return added;
}

std::size_t TlsKeys::size() const { return state_->secrets; }
std::size_t TlsKeys::bad_lines() const { return state_->bad_lines; }
std::size_t TlsKeys::not_kept() const { return state_->not_kept; }

Bytes TlsKeys::find(std::string_view label, Bytes client_random) const {
    const auto place = place_of(label);
    if (!place || client_random.size() != kRandomBytes) return {};
    Random random;
    std::copy(client_random.begin(), client_random.end(), random.begin());
    const auto at = state_->by_random.find(random);
    return at == state_->by_random.end() ? Bytes{} : at->second[*place].bytes();
}

}  // namespace hopscope::decode
