// Every event as one line of text, for tests that compare and print what a decoder told.
//
// Borrowed parts are copied into the line. Payload is escaped ("\n", "\x00"); more than 96 bytes of it are told as
// length and FNV-1a hash, so that lines stay readable and still differ when one byte differs.
#pragma once

#include <cstdint>
#include <cstdio>
#include <string>
#include <string_view>

#include "core/event.h"

namespace hopscope::tests {

inline std::string escaped(std::string_view bytes) {
    std::string out = "\"";
    for (const char c : bytes) {
        const auto u = static_cast<unsigned char>(c);
        if (c == '"' || c == '\\') {
            out += '\\';
            out += c;
        } else if (c == '\n') {
            out += "\\n";
        } else if (c == '\r') {
            out += "\\r";
        } else if (u < 0x20 || u > 0x7e) {
            char hex[5];
            std::snprintf(hex, sizeof hex, "\\x%02x", u);
            out += hex;
        } else {
            out += c;
        }
    }
    return out + '"';
}

inline std::string payload_text(std::string_view bytes) {
    if (bytes.size() <= 96) return std::to_string(bytes.size()) + ' ' + escaped(bytes);
    std::uint64_t hash = 0xcbf29ce484222325U;
    for (const char c : bytes) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3U;
    char hex[24];
    std::snprintf(hex, sizeof hex, "#%016llx", static_cast<unsigned long long>(hash));
    return std::to_string(bytes.size()) + ' ' + hex;
}

inline std::string_view arrow(Direction direction) { return direction == Direction::to_server ? "c>s" : "s>c"; }

inline std::string headers_text(std::span<const Header> headers) {
    std::string out;
    for (const Header& header : headers) {
        out += " | ";
        out += header.name;
        out += ": ";
        out += escaped(header.value);
    }
    return out;
}

template <typename T>
std::string optional_text(std::string_view name, const std::optional<T>& value) {
    return value ? ' ' + std::string(name) + '=' + std::to_string(*value) : std::string();
}

template <typename Range>
std::string list_text(std::string_view name, const Range& range) {
    std::string out;
    for (const auto& each : range) {
        out += ' ';
        out += name;
        out += '=';
        if constexpr (std::is_integral_v<std::decay_t<decltype(each)>>)
            out += std::to_string(each);
        else
            out += escaped(each);
    }
    return out;
}

inline std::string opened_text(const StreamOpened& e) {
    std::string out =
        std::to_string(e.id) + ' ' + std::string(to_string(e.kind)) + ' ' + std::string(to_string(e.grade));
    out += optional_text("port", e.port) + optional_text("request", e.request_id);
    if (!e.why.empty()) out += " why=" + escaped(e.why);
    return out;
}

inline std::string event_text(const Event& event) {
    const auto n = [](auto value) { return std::to_string(value); };
    const auto flag = [](bool on, std::string_view name) { return on ? ' ' + std::string(name) : std::string(); };
    return std::visit(
        Overloaded{
            [&](const HttpRequest& e) {
                return "request " + n(e.exchange) + ' ' + escaped(e.method) + ' ' + escaped(e.target) + ' ' +
                       escaped(e.version) + headers_text(e.headers);
            },
            [&](const HttpResponse& e) {
                return "response " + n(e.exchange) + ' ' + n(e.status) + ' ' + escaped(e.reason) + ' ' +
                       escaped(e.version) + headers_text(e.headers);
            },
            [&](const HttpBody& e) {
                return "body " + n(e.exchange) + ' ' + std::string(arrow(e.direction)) + ' ' +
                       payload_text(as_text(e.piece));
            },
            [&](const HttpEnd& e) {
                return "http-end " + n(e.exchange) + ' ' + std::string(arrow(e.direction)) + ' ' + n(e.body_bytes) +
                       flag(!e.complete, "incomplete");
            },
            [&](const Upgraded& e) {
                return "upgraded " + n(e.exchange) + " carrier=" + n(static_cast<int>(e.carrier)) + ' ' +
                       escaped(e.subprotocol);
            },
            [&](const SpdyFrame& e) {
                return "spdy " + std::string(arrow(e.direction)) + " type=" + n(e.type) + " flags=" + n(e.flags) +
                       " stream=" + n(e.stream) + " length=" + n(e.length) + " status=" + n(e.status) +
                       flag(!e.headers_known, "headers-unknown");
            },
            [&](const WsMessage& e) {
                return "ws " + std::string(arrow(e.direction)) + " opcode=" + n(e.opcode) + " length=" + n(e.length) +
                       " frames=" + n(e.frames) + " channel=" + n(e.channel) + " close=" + n(e.close_code);
            },
            [&](const StreamOpened& e) { return "opened " + opened_text(e); },
            [&](const StreamNamed& e) { return "named " + opened_text(e.stream); },
            [&](const StreamData& e) {
                return "data " + n(e.id) + ' ' + std::string(arrow(e.direction)) + ' ' + payload_text(as_text(e.piece));
            },
            [&](const StreamClosed& e) {
                constexpr std::string_view kinds[] = {"fin", "reset", "goaway", "channel_close"};
                return "closed " + n(e.id) + ' ' + std::string(arrow(e.direction)) + ' ' +
                       std::string(kinds[static_cast<std::size_t>(e.kind)]) + " status=" + n(e.status);
            },
            [&](const Resized& e) { return "resized " + n(e.id) + ' ' + n(e.width) + 'x' + n(e.height); },
            [&](const ExitStatus& e) {
                return "exit " + n(e.id) + (e.plain_text ? " text" : "") + (e.success ? " success" : " failure") +
                       optional_text("code", e.exit_code) + ' ' + escaped(e.reason) + ' ' + escaped(e.message);
            },
            [&](const ForwardError& e) { return "forward-error " + n(e.id) + ' ' + escaped(e.text); },
            [&](const FlowOpened& e) {
                return "flow-opened" + flag(e.handshake_seen, "handshake") + flag(!e.client_known, "client-unknown");
            },
            [&](const FlowClosing& e) {
                return "flow-closing " + std::string(arrow(e.direction)) + (e.kind == FinKind::fin ? " fin" : " rst");
            },
            [&](const FlowEnded& e) { return "flow-ended" + flag(e.capture_over, "capture-over"); },
            [&](const Gap& e) {
                return "gap " + std::string(arrow(e.direction)) + " at " + n(e.offset) + ' ' + n(e.missing_bytes);
            },
            [&](const NetNote& e) {
                return "note " + std::string(arrow(e.direction)) + " kind=" + n(static_cast<int>(e.kind)) + " at " +
                       n(e.offset) + ' ' + n(e.bytes);
            },
            [&](const TlsClientHello& e) {
                return "client-hello version=" + n(e.version) + " name=" + escaped(e.server_name) +
                       list_text("alpn", e.alpn) + " random=" + escaped(as_text(e.random));
            },
            [&](const TlsServerHello& e) {
                return "server-hello version=" + n(e.version) + " suite=" + n(e.cipher_suite) +
                       " alpn=" + escaped(e.alpn);
            },
            [&](const TlsCertificate& e) {
                return "certificate " + std::string(arrow(e.direction)) + ' ' + escaped(e.subject) + ' ' +
                       escaped(e.issuer);
            },
            [&](const TlsRecord& e) {
                return "record " + std::string(arrow(e.direction)) + " type=" + n(e.type) + " length=" + n(e.length) +
                       flag(e.decrypted, "decrypted");
            },
            [&](const TlsClosed& e) { return "tls-closed " + std::string(e.code) + ' ' + escaped(e.why); },
            [&](const CriMessage& e) {
                std::string out = "cri " + n(e.stream) + (e.response ? " response " : " request ") +
                                  escaped(e.version) + ' ' + escaped(e.method) + " bytes=" + n(e.message_bytes);
                out += flag(!e.method_known, "method-inferred") + flag(e.tty, "tty") + flag(e.stdin_on, "stdin") +
                       flag(e.stdout_on, "stdout") + flag(e.stderr_on, "stderr");
                out += " container=" + escaped(e.container_id) + " sandbox=" + escaped(e.sandbox_id) +
                       " url=" + escaped(e.url);
                out += list_text("arg", e.command) + list_text("port", e.ports) + optional_text("exit", e.exit_code);
                out += " runtime=" + escaped(e.runtime_name) + ' ' + escaped(e.runtime_version);
                for (const CriSandbox& s : e.sandboxes)
                    out += " {sandbox " + escaped(s.id) + ' ' + escaped(s.namespace_) + '/' + escaped(s.pod) + ' ' +
                           escaped(s.uid) + '}';
                for (const CriContainer& c : e.containers)
                    out += " {container " + escaped(c.id) + " in " + escaped(c.sandbox_id) + ' ' +
                           escaped(c.namespace_) + '/' + escaped(c.pod) + '/' + escaped(c.name) + ' ' + escaped(c.uid) +
                           '}';
                return out;
            },
            [&](const CriDone& e) {
                return "cri-done " + n(e.stream) + ' ' + escaped(e.method) + " status=" + n(e.grpc_status) + ' ' +
                       escaped(e.message);
            },
            [&](const DockerCall& e) {
                return "docker " + std::string(e.operation) + " container=" + escaped(e.container_id) +
                       " exec=" + escaped(e.exec_id) + list_text("arg", e.command) + flag(e.tty, "tty") +
                       " status=" + n(e.status) + optional_text("exit", e.exit_code) + optional_text("pid", e.pid) +
                       ' ' + escaped(e.namespace_) + '/' + escaped(e.pod) + '/' + escaped(e.container) + ' ' +
                       escaped(e.uid) + (e.named.empty() ? "" : " named=" + escaped(e.named)) +
                       (e.operation == "resize" ? ' ' + n(e.width) + 'x' + n(e.height) : "");
            },
            [&](const TaskMessage& e) {
                std::string out = "task " + n(e.stream) + (e.response ? " response " : " request ") +
                                  escaped(e.service) + '/' + escaped(e.method) +
                                  flag(!e.method_known, "method-unknown") + " in " + escaped(e.runtime_namespace) +
                                  " bytes=" + n(e.message_bytes);
                out += " container=" + escaped(e.container_id) + " exec=" + escaped(e.exec_id) +
                       list_text("arg", e.command) + flag(e.tty, "tty") + optional_text("pid", e.pid) +
                       optional_text("exit", e.exit_code);
                out += " size=" + n(e.width) + 'x' + n(e.height) + " signal=" + n(e.signal) +
                       " status=" + std::to_string(e.status) + ' ' + escaped(e.status_text);
                return out;
            },
            [&](const Problem& e) {
                return "problem " + std::string(e.code) + ' ' + std::string(arrow(e.direction)) + " at " + n(e.offset) +
                       " skipped=" + n(e.skipped_bytes) + ' ' + escaped(e.text);
            },
        },
        event);
}

}  // namespace hopscope::tests
