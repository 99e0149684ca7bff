// The lines of single events: what the decoders saw, connection by connection.
#include <algorithm>
#include <array>
#include <string>

#include "export/ndjson.h"
#include "export/ndjson_line.h"

namespace hopscope::exports {

using chain::Place;
using chain::Secret;

namespace {

// SPDY/3.1 section 2.6, the control frames.
std::string_view spdy_type(std::uint16_t type) {
    switch (type) {
        case 1: return "syn_stream";
        case 2: return "syn_reply";
        case 3: return "rst_stream";
        case 4: return "settings";
        case 6: return "ping";
        case 7: return "goaway";
        case 8: return "headers";
        case 9: return "window_update";
        case 10: return "credential";
        default: return "unknown";
    }
}

// RFC 6455 section 5.2.
std::string_view websocket_type(std::uint8_t opcode) {
    switch (opcode) {
        case 0: return "continuation";
        case 1: return "text";
        case 2: return "binary";
        case 8: return "close";
        case 9: return "ping";
        case 10: return "pong";
        default: return "unknown";
    }
}

std::string_view tls_version(std::uint16_t version) {
    switch (version) {
        case 0x0300: return "ssl3";
        case 0x0301: return "tls1.0";
        case 0x0302: return "tls1.1";
        case 0x0303: return "tls1.2";
        case 0x0304: return "tls1.3";
        default: return "unknown";
    }
}

char* put_direction(char* out, Direction direction) {
    return direction == Direction::to_server ? put(out, ",\"direction\":\"in\"") : put(out, ",\"direction\":\"out\"");
}

// Headers that chain::shown_header() never masks, whatever their value: no need to ask it. A test holds both together.
constexpr std::array<std::string_view, 18> kHarmlessHeaders = {"host",
                                                               "date",
                                                               "accept",
                                                               "upgrade",
                                                               "connection",
                                                               "user-agent",
                                                               "content-type",
                                                               "content-length",
                                                               "accept-encoding",
                                                               "transfer-encoding",
                                                               "kubectl-command",
                                                               "kubectl-session",
                                                               "x-forwarded-for",
                                                               "x-stream-protocol-version",
                                                               "sec-websocket-key",
                                                               "sec-websocket-accept",
                                                               "sec-websocket-version",
                                                               "audit-id"};

bool is_harmless(std::string_view name) {
    const auto same = [name](std::string_view known) {
        return known.size() == name.size() && std::equal(name.begin(), name.end(), known.begin(), [](char a, char b) {
                   return (a >= 'A' && a <= 'Z' ? a + ('a' - 'A') : a) == b;
               });
    };
    return std::any_of(kHarmlessHeaders.begin(), kHarmlessHeaders.end(), same);
}

void text_if(JsonWriter& json, std::string_view key, std::string_view value) {
    if (!value.empty()) json.text(key, value);
}

}  // namespace

std::span<const std::string_view> harmless_headers() { return kHarmlessHeaders; }

void Ndjson::event(const Event& event, const Place& place) {
    // The hot ones first; a filter that does not want this connection costs nothing more.
    if (std::holds_alternative<StreamData>(event) || !wants(place)) return;
    if (const auto* frame = std::get_if<SpdyFrame>(&event)) return on(*frame, place);
    std::visit(Overloaded{[&](const SpdyFrame& e) { on(e, place); }, [&](const WsMessage& e) { on(e, place); },
                          [&](const HttpRequest& e) { on(e, place); }, [&](const HttpResponse& e) { on(e, place); },
                          [&](const Gap& e) { on(e, place); }, [&](const Problem& e) { on(e, place); },
                          [&](const CriMessage& e) { on(e, place); }, [&](const CriDone& e) { on(e, place); },
                          [&](const DockerCall& e) { on(e, place); }, [&](const TaskMessage& e) { on(e, place); },
                          [&](const TlsClientHello& e) { on(e, place); },
                          [&](const TlsServerHello& e) { on(e, place); }, [&](const TlsClosed& e) { on(e, place); },
                          // Bodies and payload: told by stream_data where revealed, counted in the session.
                          [](const HttpBody&) {}, [](const HttpEnd&) {}, [](const StreamData&) {},
                          // Told by the observer's methods, with the session they belong to.
                          [](const Upgraded&) {}, [](const StreamOpened&) {}, [](const StreamNamed&) {},
                          [](const StreamClosed&) {}, [](const Resized&) {}, [](const ExitStatus&) {},
                          [](const ForwardError&) {},
                          // Of interest to the model only: a line for each would be as long as a packet dump.
                          [](const FlowOpened&) {}, [](const FlowClosing&) {}, [](const FlowEnded&) {},
                          [](const NetNote&) {}, [](const TlsRecord&) {}, [](const TlsCertificate&) {}},
               event);
}

void Ndjson::on(const SpdyFrame& frame, const Place& place) {
    constexpr std::uint16_t kData = 0, kPing = 6;
    char* out = line_begin(out_.room(kLineBytesMax), place.at);
    out = line_place(out, place, session_at(place));
    out = put_direction(out, frame.direction);
    if (frame.type == kData) {
        out = put(out, ",\"type\":\"data\"");
    } else {
        const std::string_view type = spdy_type(frame.type);
        out = put(put_text(put(out, ",\"type\":\""), type), "\"");
        if (type == "unknown") out = put_number(put(out, ",\"type_number\":"), frame.type);
    }
    if (frame.type == kPing) {
        out = put_number(put(out, ",\"ping\":"), frame.stream);
    } else if (frame.stream != 0) {
        out = put_number(put(out, ",\"stream\":"), frame.stream);
    }
    out = put_number(put(out, ",\"length\":"), frame.length);
    if (frame.flags != 0) out = put_number(put(out, ",\"flags\":"), frame.flags);
    if (frame.status != 0) out = put_number(put(out, ",\"status\":"), frame.status);
    if (!frame.headers_known) out = put(out, ",\"headers_known\":false");
    line_done(out);
}

void Ndjson::on(const WsMessage& message, const Place& place) {
    char* out = line_begin(out_.room(kLineBytesMax), "message", place.at);
    out = line_place(out, place, session_at(place));
    out = put_direction(out, message.direction);
    const std::string_view type = websocket_type(message.opcode);
    out = put(put_text(put(out, ",\"type\":\""), type), "\"");
    if (type == "unknown") out = put_number(put(out, ",\"type_number\":"), message.opcode);
    if (message.channel >= 0) out = put_number(put(out, ",\"channel\":"), static_cast<std::uint64_t>(message.channel));
    out = put_number(put(out, ",\"length\":"), message.length);
    if (message.frames != 1) out = put_number(put(out, ",\"frames\":"), message.frames);
    if (message.close_code != 0) out = put_number(put(out, ",\"close_code\":"), message.close_code);
    line_done(out);
}

void Ndjson::on(const Gap& gap, const Place& place) {
    char* out = line_begin(out_.room(kLineBytesMax), "gap", place.at);
    out = line_place(out, place, session_at(place));
    out = put_direction(out, gap.direction);
    out = put_number(put(out, ",\"offset\":"), gap.offset);
    out = put_number(put(out, ",\"missing_bytes\":"), gap.missing_bytes);
    line_done(out);
}

void Ndjson::header_array(std::span<const Header> headers) {
    if (headers.empty()) return;
    json_.begin_array("headers");
    for (const Header& header : headers) {
        json_.begin_object();
        json_.text("name", header.name);
        if (is_harmless(header.name)) {
            json_.text("value", header.value);
        } else {
            masked_text(json_, "value", header.value,
                        chain::shown_header(header.name, header.value, options_.json.reveal));
        }
        json_.end_object();
    }
    json_.end_array();
}

void Ndjson::on(const HttpRequest& request, const Place& place) {
    begin("http.request", place);
    json_.number("exchange", request.exchange);
    text_if(json_, "method", request.method);
    masked_text(json_, "path", request.target, chain::shown_target(Untrusted(request.target), options_.json.reveal));
    text_if(json_, "version", request.version);
    header_array(request.headers);
    done();
}

void Ndjson::on(const HttpResponse& response, const Place& place) {
    begin("http.response", place);
    json_.number("exchange", response.exchange);
    json_.number("status", response.status);
    text_if(json_, "reason", response.reason);
    text_if(json_, "version", response.version);
    header_array(response.headers);
    done();
}

void Ndjson::on(const Problem& problem, const Place& place) {
    begin("problem", place);
    json_.text("direction", direction_name(problem.direction));
    json_.text("code", problem.code);
    text_if(json_, "says", problem.text);
    json_.number("offset", problem.offset);
    json_.number_if("skipped_bytes", problem.skipped_bytes);
    done();
}

void Ndjson::command_array(std::span<const std::string_view> command) {
    if (command.empty()) return;
    if (!options_.json.reveal.shows(Secret::command)) {
        json_.number("command_words", command.size());
        return;
    }
    const std::vector<Untrusted> words(command.begin(), command.end());
    json_.texts("command", words);
}

void Ndjson::on(const CriMessage& message, const Place& place) {
    begin("cri.message", place);
    json_.text("direction", direction_name(message.response ? Direction::to_client : Direction::to_server));
    json_.number("stream", message.stream);
    text_if(json_, "method", message.method);
    if (!message.method_known) json_.text("grade", to_string(Grade::inferred));
    text_if(json_, "version", message.version);
    json_.number("length", message.message_bytes);
    text_if(json_, "container_id", message.container_id);
    text_if(json_, "sandbox_id", message.sandbox_id);
    if (!message.url.empty())
        masked_text(json_, "url", message.url, chain::shown_target(Untrusted(message.url), options_.json.reveal));
    command_array(message.command);
    if (!message.ports.empty()) {
        json_.begin_array("ports");
        for (const std::uint16_t port : message.ports) json_.number_item(port);
        json_.end_array();
    }
    if (message.tty) json_.boolean("tty", true);
    if (message.exit_code) json_.number("exit_code", *message.exit_code);
    text_if(json_, "runtime_name", message.runtime_name);
    text_if(json_, "runtime_version", message.runtime_version);
    json_.number_if("sandboxes", message.sandboxes.size());
    json_.number_if("containers", message.containers.size());
    done();
}

void Ndjson::on(const CriDone& call, const Place& place) {
    begin("cri.done", place);
    json_.number("stream", call.stream);
    text_if(json_, "method", call.method);
    json_.number("grpc_status", call.grpc_status);
    if (!call.message.empty())
        masked_text(json_, "message", call.message, chain::shown_status_text(call.message, options_.json.reveal));
    done();
}

void Ndjson::on(const DockerCall& call, const Place& place) {
    begin("docker.call", place);
    json_.text("operation", call.operation);
    text_if(json_, "container_id", call.container_id);
    text_if(json_, "exec_id", call.exec_id);
    command_array(call.command);
    if (call.tty) json_.boolean("tty", true);
    json_.number_if("status", call.status);
    if (call.exit_code) json_.number("exit_code", *call.exit_code);
    if (call.pid) json_.number("pid", *call.pid);
    done();
}

void Ndjson::on(const TaskMessage& message, const Place& place) {
    const bool by_api = message.service == "containerd.services.tasks.v1.Tasks";
    begin(by_api ? "task.message" : "ttrpc.message", place);
    json_.text("direction", direction_name(message.response ? Direction::to_client : Direction::to_server));
    json_.number("stream", message.stream);
    text_if(json_, "service", message.service);
    text_if(json_, "method", message.method);
    text_if(json_, "namespace", message.runtime_namespace);
    json_.number("length", message.message_bytes);
    text_if(json_, "container_id", message.container_id);
    text_if(json_, "exec_id", message.exec_id);
    command_array(message.command);
    if (message.tty) json_.boolean("tty", true);
    if (message.pid) json_.number("pid", *message.pid);
    if (message.exit_code) json_.number("exit_code", *message.exit_code);
    json_.number_if("width", message.width);
    json_.number_if("height", message.height);
    json_.number_if("signal", message.signal);
    if (message.status != 0) json_.number("status", message.status);
    if (!message.status_text.empty())
        masked_text(json_, "message", message.status_text,
                    chain::shown_status_text(message.status_text, options_.json.reveal));
    done();
}

void Ndjson::on(const TlsClientHello& hello, const Place& place) {
    begin("tls.client_hello", place);
    json_.text("version", tls_version(hello.version));
    text_if(json_, "server_name", hello.server_name);
    if (!hello.alpn.empty()) {
        const std::vector<Untrusted> names(hello.alpn.begin(), hello.alpn.end());
        json_.texts("alpn", names);
    }
    done();
}

void Ndjson::on(const TlsServerHello& hello, const Place& place) {
    begin("tls.server_hello", place);
    json_.text("version", tls_version(hello.version));
    json_.number("cipher_suite", hello.cipher_suite);
    text_if(json_, "alpn", hello.alpn);
    done();
}

void Ndjson::on(const TlsClosed& closed, const Place& place) {
    begin("tls.closed", place);
    text_if(json_, "code", closed.code);
    text_if(json_, "says", closed.why);
    done();
}

}  // namespace hopscope::exports
