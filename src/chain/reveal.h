// What the user asked to see, and how everything else is masked.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "chain/model.h"
#include "core/result.h"

namespace hopscope::chain {

// Classes of secrets; --reveal takes these names, comma-separated. `payload` covers stdout, stderr and data but not
// stdin that was not echoed; `all` covers everything.
enum class Secret : std::uint16_t {
    payload = 1,
    in = 2,
    out = 4,
    err = 8,
    data = 16,
    auth = 32,
    token = 64,
    command = 128,
    cri = 256
};

class Reveal {
public:
    static Result<Reveal> parse(std::string_view list);  // "token,command"; error SEC-01 names the valid ones
    [[nodiscard]] bool shows(Secret secret) const { return (bits_ & static_cast<std::uint16_t>(secret)) != 0; }
    // May pieces of such a stream be shown? Typed input needs its own name, because it holds passwords. Error streams
    // are told as status or error text, resize streams as resizes, never as data.
    [[nodiscard]] bool shows(StreamKind kind) const;
    void add(Secret secret) { bits_ |= static_cast<std::uint16_t>(secret); }

private:
    std::uint16_t bits_ = 0;
};

// "6NLI····" (first four characters), or the whole value when revealed. Printable.
std::string shown_token(const Token& token, const Reveal& reveal, Glyphs glyphs = Glyphs::unicode);
// Request target with token, query secrets (command=, token=, access_token= …) masked: "/exec/6NLI····". Printable.
std::string shown_target(const Untrusted& target, const Reveal& reveal, Glyphs glyphs = Glyphs::unicode);
// Header value as it may be shown: Authorization, Cookie, bearer subprotocols … masked. Printable.
std::string shown_header(std::string_view name, std::string_view value, const Reveal& reveal,
                         Glyphs glyphs = Glyphs::unicode);
// "▒▒▒ (3 args)", or the words when revealed. Printable.
std::string shown_command(const std::vector<Untrusted>& command, const Reveal& reveal, Glyphs glyphs = Glyphs::unicode);
// Text of a Status or an error stream: quoted commands in it are masked ("error executing command [▒▒▒], exit code 3")
// unless command is revealed. Printable.
std::string shown_status_text(std::string_view text, const Reveal& reveal, Glyphs glyphs = Glyphs::unicode);

}  // namespace hopscope::chain
