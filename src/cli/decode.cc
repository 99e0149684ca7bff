// hopscope decode: bytes from hex, base64, a file or standard input, told frame by frame with their offsets.
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <iostream>

#include "chain/reveal.h"
#include "cli/commands.h"
#include "cli/report_error.h"
#include "cli/reveal_options.h"
#include "core/untrusted.h"
#include "decode/detecting.h"
#include "decode/road.h"
#include "decode/stream/http1.h"
#include "decode/stream/upgraded.h"

namespace hopscope::cli {
namespace {

using decode::stream::Protocol;

constexpr std::size_t kInputBytesMax = 16 << 20;  // fed byte by byte: about a second

Unexpected<Error> bad_input(std::string why, std::string hint) {
    return unexpected(Error{
        .doing = "cannot decode", .subject = "", .why = std::move(why), .hint = std::move(hint), .code = "USE-01"});
}

int hex_value(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

bool is_separator(char c) {
    return c == ' ' || c == '\n' || c == '\r' || c == '\t' || c == ':' || c == ',' || c == '|';
}

Result<std::string> from_hex(std::string_view text) {
    std::string bytes;
    int high = -1;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (is_separator(text[i])) continue;
        if (text[i] == '0' && i + 1 < text.size() && (text[i + 1] | 0x20) == 'x' && high < 0) {
            ++i;  // 0x80
            continue;
        }
        const int digit = hex_value(text[i]);
        if (digit < 0)
            return bad_input(
                "'" + display(text.substr(i, 1)) + "' at position " + std::to_string(i) + " is no hexadecimal digit",
                "digits in pairs, with or without spaces: 80 03 00 06");
        if (high < 0) {
            high = digit;
        } else {
            bytes += static_cast<char>(high << 4 | digit);
            high = -1;
        }
    }
    if (high >= 0) return bad_input("an odd number of hexadecimal digits", "two digits for each byte");
    return bytes;
}

Result<std::string> from_base64(std::string_view text) {
    std::string bytes;
    std::uint32_t group = 0;
    int bits = 0;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const char c = text[i];
        if (is_separator(c) || c == '=') continue;
        int value = -1;
        if (c >= 'A' && c <= 'Z') value = c - 'A';
        if (c >= 'a' && c <= 'z') value = c - 'a' + 26;
        if (c >= '0' && c <= '9') value = c - '0' + 52;
        if (c == '+' || c == '-') value = 62;
        if (c == '/' || c == '_') value = 63;
        if (value < 0)
            return bad_input("'" + display(text.substr(i, 1)) + "' at position " + std::to_string(i) + " is not base64",
                             "");
        group = group << 6 | static_cast<std::uint32_t>(value);
        bits += 6;
        if (bits >= 8) {
            bits -= 8;
            bytes += static_cast<char>(group >> bits & 0xff);
        }
    }
    return bytes;
}

// Text that is nothing but pairs of hexadecimal digits is taken as such; everything else is taken as it is.
bool looks_like_hex(std::string_view text) {
    std::size_t digits = 0;
    for (char c : text) {
        if (hex_value(c) >= 0) {
            ++digits;
        } else if (!is_separator(c)) {
            return false;
        }
    }
    return digits >= 2 && digits % 2 == 0;
}

Result<std::string> read_input(const Invocation& invocation) {
    if (invocation.given("hex")) return from_hex(invocation.text("hex"));
    if (invocation.given("base64")) return from_base64(invocation.text("base64"));
    if (invocation.arguments.empty())
        return bad_input("no bytes are given", "hopscope decode FILE, or -, or --hex '80 03 …'");
    const std::string& name = invocation.arguments.front();
    std::ifstream file;
    if (name != "-") {
        file.open(name, std::ios::binary);
        if (!file)
            return unexpected(Error{.doing = "cannot read",
                                    .subject = name,
                                    .why = std::strerror(errno),
                                    .hint = "name a file, or - for standard input",
                                    .code = "CAP-10"});
    }
    std::istream& in = name == "-" ? std::cin : file;
    std::string bytes;
    char block[65536];
    while (in.read(block, sizeof block) || in.gcount() > 0) {
        bytes.append(block, static_cast<std::size_t>(in.gcount()));
        if (bytes.size() > kInputBytesMax)
            return bad_input("more than 16 MiB", "hopscope analyze reads capture files of any size");
    }
    const std::string form = invocation.text("input");
    if (form == "hex" || (form == "auto" && looks_like_hex(bytes))) return from_hex(bytes);
    if (form == "base64") return from_base64(bytes);
    return bytes;
}

std::string count(std::uint64_t n, std::string_view what) {
    return std::to_string(n) + " " + std::string(what) + (n == 1 ? "" : "s");
}

const char* spdy_type(std::uint16_t type) {
    static constexpr const char* kNames[] = {"DATA", "SYN_STREAM", "SYN_REPLY", "RST_STREAM",    "SETTINGS",  "NOOP",
                                             "PING", "GOAWAY",     "HEADERS",   "WINDOW_UPDATE", "CREDENTIAL"};
    return type < std::size(kNames) ? kNames[type] : "unknown type";
}

const char* rst_status(std::uint32_t status) {
    static constexpr const char* kNames[] = {"0",
                                             "PROTOCOL_ERROR",
                                             "INVALID_STREAM",
                                             "REFUSED_STREAM",
                                             "UNSUPPORTED_VERSION",
                                             "CANCEL",
                                             "INTERNAL_ERROR",
                                             "FLOW_CONTROL_ERROR",
                                             "STREAM_IN_USE",
                                             "STREAM_ALREADY_CLOSED",
                                             "INVALID_CREDENTIALS",
                                             "FRAME_TOO_LARGE"};
    return status < std::size(kNames) ? kNames[status] : "unknown";
}

const char* ws_opcode(std::uint8_t opcode) {
    switch (opcode) {
        case 0: return "continuation";
        case 1: return "text";
        case 2: return "binary";
        case 8: return "close";
        case 9: return "ping";
        case 10: return "pong";
        default: return "reserved opcode";
    }
}

// Prints one line per fact, with the offset at which its bytes begin. The bytes are fed one at a time, so whatever is
// told when `fed` bytes have come ends there, and begins where the line before it ended.
class Printer final : public EventSink {
public:
    Printer(const chain::Reveal& reveal, Glyphs glyphs, bool json) : reveal_(reveal), glyphs_(glyphs), json_(json) {}

    std::size_t fed = 0;
    bool trouble = false;

    void on(const Event& event) override {
        std::visit(
            Overloaded{
                [&](const HttpRequest& e) {
                    line("HTTP request " + show(e.method) + " " +
                         chain::shown_target(Untrusted(e.target), reveal_, glyphs_) + " " + show(e.version));
                    headers(e.headers);
                },
                [&](const HttpResponse& e) {
                    line("HTTP response " + std::to_string(e.status) + " " + show(e.reason));
                    headers(e.headers);
                },
                [&](const HttpBody& e) { keep(e.piece); },
                [&](const HttpEnd& e) {
                    if (e.body_bytes > 0) line("HTTP body " + count(e.body_bytes, "byte") + payload());
                },
                [&](const Upgraded& e) {
                    detail(std::string("from here on ") +
                           (e.carrier == Carrier::spdy31      ? "SPDY/3.1"
                            : e.carrier == Carrier::websocket ? "WebSocket"
                                                              : "raw bytes") +
                           (e.subprotocol.empty() ? "" : ", " + show(e.subprotocol)));
                },
                [&](const SpdyFrame& e) { spdy(e); },
                [&](const WsMessage& e) {
                    std::string text = std::string("WebSocket ") + ws_opcode(e.opcode) + " length " +
                                       std::to_string(e.length) +
                                       (e.direction == Direction::to_server ? " masked" : " unmasked");
                    if (e.frames > 1) text += " in " + count(e.frames, "frame");
                    if (e.channel >= 0) text += "  channel " + std::to_string(e.channel) + stream_name_;
                    if (e.close_code) text += "  code " + std::to_string(e.close_code);
                    line(text + payload());
                    stream_name_.clear();
                },
                [&](const StreamOpened& e) { opened(e); },
                [&](const StreamNamed& e) {
                    detail("stream " + std::to_string(e.stream.id) + " is " + std::string(to_string(e.stream.kind)) +
                           ": " + show(e.stream.why));
                },
                [&](const StreamData& e) {
                    keep(e.piece);
                    for (const auto& [id, kind] : kinds_) {
                        if (id == e.id) stream_name_ = " " + std::string(to_string(kind));
                    }
                },
                [&](const StreamClosed&) {},
                [&](const Resized& e) {
                    detail("terminal size " + std::to_string(e.width) + "×" + std::to_string(e.height));
                },
                [&](const ExitStatus& e) {
                    detail(e.success ? "status: success"
                                     : "status: failure" +
                                           (e.exit_code ? ", exit code " + std::to_string(*e.exit_code) : "") +
                                           (e.reason.empty() ? "" : ", " + show(e.reason)));
                },
                [&](const ForwardError& e) { detail("error: " + show(e.text)); },
                [&](const FlowOpened&) {},
                [&](const FlowClosing&) {},
                [&](const FlowEnded&) {},
                [&](const Gap&) {},
                [&](const NetNote&) {},
                [&](const TlsClientHello& e) {
                    line("TLS ClientHello" + (e.server_name.empty() ? "" : " for " + show(e.server_name)) +
                         version(e.version));
                    for (std::string_view protocol : e.alpn) detail("ALPN " + show(protocol));
                },
                [&](const TlsServerHello& e) {
                    char suite[16];
                    std::snprintf(suite, sizeof suite, "0x%04x", e.cipher_suite);
                    line("TLS ServerHello" + version(e.version) + " suite " + suite);
                },
                [&](const TlsCertificate& e) { detail("certificate of " + show(e.subject)); },
                [&](const TlsRecord& e) {
                    line("TLS record type " + std::to_string(e.type) + " length " + std::to_string(e.length));
                },
                [&](const TlsClosed& e) { detail(show(e.why) + " [" + show(e.code) + "]"); },
                [&](const CriMessage& e) {
                    line("CRI " + show(e.method) + (e.response ? " answer" : " request") + " on stream " +
                         std::to_string(e.stream) + ", " + count(e.message_bytes, "byte"));
                    if (!e.container_id.empty()) detail("container " + show(e.container_id));
                    if (!e.sandbox_id.empty()) detail("sandbox " + show(e.sandbox_id));
                    if (!e.url.empty()) detail("url " + chain::shown_target(Untrusted(e.url), reveal_, glyphs_));
                },
                [&](const CriDone& e) {
                    line("gRPC status " + std::to_string(e.grpc_status) + " on stream " + std::to_string(e.stream));
                },
                [&](const DockerCall&) {},
                [&](const TaskMessage& e) {
                    line("ttrpc " + (e.method_known ? show(e.method) : std::string("(request not seen)")) +
                         (e.response ? " answer" : " request") + " on stream " + std::to_string(e.stream) + ", " +
                         count(e.message_bytes, "byte"));
                    if (!e.container_id.empty()) detail("container " + show(e.container_id));
                    if (!e.exec_id.empty()) detail("exec " + show(e.exec_id));
                    if (e.pid) detail("pid " + std::to_string(*e.pid));
                    if (e.exit_code) detail("exit code " + std::to_string(*e.exit_code));
                    if (e.status != 0) detail("status " + std::to_string(e.status));
                },
                [&](const Problem& e) {
                    trouble = true;
                    line(std::string(glyphs_ == Glyphs::unicode ? "✖ " : "x ") + show(e.text) + "  (" + show(e.code) +
                         ")");
                },
            },
            event);
    }

    // What no line has told: the end of the input inside a frame.
    void finish(std::size_t total) {
        if (begin_ < total) {
            fed = total;
            line(count(total - begin_, "byte") + " of something that is not complete" + payload());
        }
    }

private:
    std::string show(std::string_view text) const { return display(text, glyphs_); }
    static std::string version(std::uint16_t v) { return v == 0x0304 ? " TLS 1.3" : v == 0x0303 ? " TLS 1.2" : ""; }

    void line(const std::string& text) {
        char offset[24];
        std::snprintf(offset, sizeof offset, "%04zx", begin_);
        if (json_) {
            std::string out =
                "{\"offset\":" + std::to_string(begin_) + ",\"length\":" + std::to_string(fed - begin_) + ",\"says\":";
            append_json_string(out, text);
            std::puts((out + "}").c_str());
        } else {
            std::printf("%s  %s\n", offset, text.c_str());
        }
        begin_ = fed;
    }
    void detail(const std::string& text) {
        if (json_) {
            line(text);
        } else {
            std::printf("        %s\n", text.c_str());
        }
    }
    void headers(std::span<const Header> headers) {
        for (const Header& header : headers)
            detail(show(header.name) + ": " + chain::shown_header(header.name, header.value, reveal_, glyphs_));
    }

    void opened(const StreamOpened& e) {
        kinds_.emplace_back(e.id, e.kind);
        pending_ = "  streamtype=" + std::string(to_string(e.kind));
        if (e.port) pending_ += " port=" + std::to_string(*e.port);
        if (e.request_id) pending_ += " requestid=" + std::to_string(*e.request_id);
        if (e.grade != Grade::decoded) pending_ += " (" + std::string(to_string(e.grade)) + ")";
    }

    void spdy(const SpdyFrame& e) {
        std::string text = std::string("SPDY/3.1 ") + (e.type == 0 ? "" : "control ") + spdy_type(e.type);
        if (e.type == 6) {
            text += "  id " + std::to_string(e.stream) +
                    (e.stream % 2 ? " (odd: from the client)" : " (even: from the server)");
        } else if (e.type == 7) {
            text += "  last stream " + std::to_string(e.stream) + "  status " + std::to_string(e.status);
        } else if (e.stream) {
            text += "  stream " + std::to_string(e.stream);
        }
        if (e.type == 3) text += std::string("  status ") + rst_status(e.status);
        text += "  flags " + std::to_string(e.flags) + (e.flags & 1 && e.type < 3 ? " FIN" : "") + "  length " +
                std::to_string(e.length);
        text += pending_;
        pending_.clear();
        if (!e.headers_known) text += "  headers unknown: the compression began earlier";
        line(text + payload());
        stream_name_.clear();
    }

    void keep(Bytes piece) {
        payload_bytes_ += piece.size();
        if (payload_.size() < 4096) payload_ += as_text(piece);
    }
    // What was kept since the last line, masked unless revealed.
    std::string payload() {
        if (payload_bytes_ == 0) return "";
        std::string out = "   payload ";
        if (reveal_.shows(chain::Secret::payload)) {
            out += show(payload_);
        } else {
            const std::string_view block = glyphs_ == Glyphs::unicode ? "▒" : "#";
            for (std::uint64_t i = 0; i < std::min<std::uint64_t>(payload_bytes_, 40); ++i) out += block;
            out += " " + std::to_string(payload_bytes_) + " B " + (is_utf8(payload_) ? "text" : "binary");
        }
        payload_.clear();
        payload_bytes_ = 0;
        return out;
    }

    chain::Reveal reveal_;
    Glyphs glyphs_;
    bool json_;
    std::size_t begin_ = 0;
    std::string payload_, pending_, stream_name_;
    std::uint64_t payload_bytes_ = 0;
    std::vector<std::pair<std::uint32_t, StreamKind>> kinds_;
};

struct Choice {
    std::unique_ptr<decode::Decoder> decoder;
    Direction direction = Direction::to_server;
    std::string says;  // how the protocol was chosen; empty when it was given
};

// SYN_REPLY and even ids come from the server, everything else from the client as far as one frame can tell.
Direction spdy_sender(Bytes bytes) {
    if (bytes.size() >= 8 && bytes[0] == 0x80 && bytes[3] == 2) return Direction::to_client;
    if (bytes.size() >= 12 && bytes[0] == 0x80 && bytes[3] == 6 && read_be32(bytes.data() + 8) % 2 == 0)
        return Direction::to_client;
    return Direction::to_server;
}

Choice choose(const Invocation& invocation, Bytes bytes) {
    std::string proto = invocation.text("proto");
    std::string subprotocol = invocation.text("subprotocol");
    Choice choice;
    bool late = false;
    if (proto == "auto") {
        decode::stream::Verdict verdict = decode::stream::detect(bytes, {}, true, true);
        if (verdict.protocol == Protocol::unknown || verdict.protocol == Protocol::undecided) {
            late = true;
            verdict = decode::stream::detect(bytes, {}, false, true);
        }
        switch (verdict.protocol) {
            case Protocol::http1: proto = "http"; break;
            case Protocol::spdy: proto = "spdy"; break;
            case Protocol::websocket: proto = "ws"; break;
            case Protocol::http2: proto = "http2"; break;
            case Protocol::ttrpc: proto = "ttrpc"; break;
            case Protocol::tls: proto = "tls"; break;
            case Protocol::unknown:
            case Protocol::undecided:
                // One frame alone is too little for detection in a capture, but here somebody says that it is one.
                if (bytes.size() >= 8 && bytes[0] == 0x80 && bytes[1] == 0x03 && bytes[2] == 0)
                    proto = "spdy";
                else if (bytes.size() >= 2 && (bytes[0] & 0x70) == 0 &&
                         ((bytes[0] & 15) <= 2 || ((bytes[0] & 15) >= 8 && (bytes[0] & 15) <= 10)))
                    proto = "ws";
                else
                    return choice;
        }
        choice.says =
            "taken as " + proto + (late ? " by its form (one side only, joined late)" : " by its first bytes");
        choice.direction = verdict.first_is_client ? Direction::to_server : Direction::to_client;
    }
    const decode::Protocols none{};
    if (proto == "http") {
        choice.decoder = decode::stream::make_http1();
        if (as_text(bytes).starts_with("HTTP/")) choice.direction = Direction::to_client;
    } else if (proto == "spdy") {
        choice.decoder = decode::stream::make_spdy(subprotocol, decode::stream::Purpose::unknown);
        choice.direction = spdy_sender(bytes);
    } else if (proto == "ws") {
        choice.decoder =
            decode::stream::make_websocket(subprotocol.empty() ? "v4.channel.k8s.io" : subprotocol, "/exec");
        choice.direction = bytes.size() >= 2 && (bytes[1] & 0x80) ? Direction::to_server : Direction::to_client;
    } else {
        choice.decoder = decode::make_decoder(proto == "tls"     ? Protocol::tls
                                              : proto == "ttrpc" ? Protocol::ttrpc
                                                                 : Protocol::http2,
                                              late, none);
    }
    const std::string from = invocation.text("from");
    if (from == "client") choice.direction = Direction::to_server;
    if (from == "server") choice.direction = Direction::to_client;
    return choice;
}

}  // namespace

int run_decode(const Invocation& invocation) {
    const auto input = read_input(invocation);
    if (!input) {
        report_error(input.error());
        return exit_code(input.error());
    }
    const auto reveal = reveal_of(invocation);
    if (!reveal) {
        report_error(reveal.error());
        return kUsage;
    }
    const Bytes bytes = as_bytes(*input);
    Choice choice = choose(invocation, bytes);
    if (!choice.decoder) {
        report_error(Error{.doing = "cannot decode",
                           .subject = "",
                           .why = "this is neither HTTP, SPDY, WebSocket, HTTP/2 nor TLS by its first bytes",
                           .hint = "say what it is: --proto spdy",
                           .code = "DEC-01"});
        return kFailed;
    }
    if (!choice.says.empty()) report_note(choice.says, "");
    Printer printer(*reveal, glyphs_of(invocation), invocation.format() == "json");
    decode::Road road(std::move(choice.decoder));
    for (std::size_t i = 0; i < bytes.size() && !road.dead(); ++i) {
        printer.fed = i + 1;
        road.feed(choice.direction, bytes.subspan(i, 1), printer);
    }
    road.end(choice.direction, printer);
    printer.finish(bytes.size());
    return printer.trouble ? kFailed : kDone;
}

}  // namespace hopscope::cli
