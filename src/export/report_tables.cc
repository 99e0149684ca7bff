#include "export/report_tables.h"

#include <algorithm>
#include <array>

#include "export/chain_text.h"
#include "export/human.h"

namespace hopscope::exports {

using chain::Chain;
using chain::Finding;
using chain::Hop;
using chain::Model;
using chain::Session;
using chain::SessionState;
using Align = Column::Align;

namespace {

constexpr std::array<std::string_view, kSections> kSectionNames = {"summary", "ports",    "sessions", "chains",
                                                                   "streams", "findings", "loss"};

std::string more_rows(std::size_t all, std::size_t shown) {
    return all > shown ? grouped(all - shown) + " more: --top 0 shows all" : "";
}

// Rows in order of time are cut at the old end: what just happened is asked for most.
std::string earlier_rows(std::size_t all, std::size_t shown) {
    return all > shown ? grouped(all - shown) + " before these: --top 0 shows all" : "";
}

std::size_t shown_rows(std::size_t all, std::size_t top) { return top == 0 ? all : std::min(all, top); }

Tone outcome_tone(const Session& session) {
    if (session.state == SessionState::refused) return Tone::bad;
    if (session.exit_code) return *session.exit_code == 0 ? Tone::plain : Tone::look;
    if (session.outcome == Session::Outcome::failure || session.state == SessionState::reset) return Tone::look;
    return Tone::plain;
}

// What of the session is not in the capture, in two words.
std::string missing(const Session& session) {
    std::string text;
    if (session.gaps > 0) text = short_count(session.missing_bytes) + " in " + counted(session.gaps, "gap");
    if (session.state == SessionState::cut) text += text.empty() ? "beginning" : ", beginning";
    return text;
}

std::string or_dash(std::string text) { return text.empty() ? "-" : text; }

std::string hops_of(const Chain& chain, const Style& style) {
    std::string text;
    std::string last;
    for (const Hop& hop : chain.hops) {
        const std::string id = hop.session != 0 ? " s" + std::to_string(hop.session) : "";
        const std::string name = hop.kind == chain::HopKind::unknown ? "?" : std::string(to_string(hop.kind));
        if (name == last && id.empty()) continue;  // one more CRI call: nothing to name
        if (!text.empty()) text += name == last ? "," : " " + std::string(style.arrow()) + " ";
        // Further connections of the same hop (attempts) are listed behind its name.
        if (name != last) text += name + " " + std::string(grade_glyph(hop.grade, style.glyphs));
        text += id;
        last = name;
    }
    return text;
}

std::string attempts_of(const Chain& chain) {
    std::vector<std::pair<std::string, std::size_t>> seen;
    for (const chain::Attempt& attempt : chain.attempts) {
        const std::string text = proto_name(attempt.proto) + " " + std::to_string(attempt.status);
        const auto same =
            std::find_if(seen.begin(), seen.end(), [&](const auto& entry) { return entry.first == text; });
        same == seen.end() ? void(seen.emplace_back(text, 1)) : void(++same->second);
    }
    std::string all;
    for (const auto& [text, count] : seen) all += (all.empty() ? "" : ", ") + text;
    return all;
}

std::string chain_outcome(const Chain& chain, const Model& model) {
    if (chain.exit_code) return "exit " + std::to_string(*chain.exit_code);
    // The hop nearest to the container that was not refused speaks for the chain.
    const Session* last = nullptr;
    for (const std::uint32_t number : chain.sessions) {
        const Session* session = find_session(model, number);
        if (session && (!last || session->state != SessionState::refused || last->state == SessionState::refused))
            last = session;
    }
    return last ? outcome(*last) : "-";
}

std::string stream_state_words(const chain::Stream& stream) {
    switch (stream.state) {
        case chain::Stream::State::open: return "open";
        case chain::Stream::State::half_closed: return "half closed";
        case chain::Stream::State::closed: return "closed";
        case chain::Stream::State::reset: return "reset";
    }
    return "";
}

std::string base_name(const std::string& path) {
    const std::size_t slash = path.rfind('/');
    return slash == std::string::npos || slash + 1 == path.size() ? path : path.substr(slash + 1);
}

// A file name as a word of a shell command; names that a shell or an eye could misread become a placeholder.
std::string shell_word(const Untrusted& name) {
    const std::string shown = display(name, Glyphs::ascii);
    const bool plain =
        !shown.empty() && name == shown && shown[0] != '-' && std::all_of(shown.begin(), shown.end(), [](char c) {
            return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                   std::string_view("._-/+=,@%").find(c) != std::string_view::npos;
        });
    if (plain) return shown;
    return name == shown && shown.find('\'') == std::string::npos && shown[0] != '-' ? "'" + shown + "'" : "FILE";
}

}  // namespace

std::string_view to_string(Section section) { return kSectionNames[static_cast<std::size_t>(section)]; }

std::optional<Section> section_named(std::string_view name) {
    for (std::size_t i = 0; i < kSections; ++i)
        if (kSectionNames[i] == name) return static_cast<Section>(i);
    return std::nullopt;
}

ShownTable ports_table(const Model& model, const ReportOptions& options) {
    Table table({{.title = "LISTENS ON", .when_empty = true},
                 {.title = "ROLE", .shortest = 12, .when_empty = true},
                 {.title = "OF", .shortest = 6, .leaves = 2},
                 {.title = "SURE"},
                 {.title = "SEEN", .align = Align::right, .leaves = 1},
                 {.title = "WHY", .shortest = 16, .leaves = 3}});
    const std::size_t rows = shown_rows(model.ports.size(), options.top);
    for (std::size_t i = 0; i < rows; ++i) {
        const chain::PortFact& port = model.ports[i];
        table.row({to_string(port.local), display(role_name(port.role), options.style.glyphs),
                   display(port.component, options.style.glyphs), port.confidence, grouped(port.seen),
                   port.evidence.empty() ? "" : display(port.evidence.front().says, options.style.glyphs)});
    }
    return {std::move(table), more_rows(model.ports.size(), rows)};
}

ShownTable sessions_table(const Model& model, const ReportOptions& options) {
    const Glyphs glyphs = options.style.glyphs;
    Table table({{.title = "ID", .when_empty = true},
                 {.title = "OP", .when_empty = true},
                 {.title = "HOP", .leaves = 5},
                 {.title = "POD", .shortest = 10, .leaves = 6},
                 {.title = "START", .leaves = 4},
                 {.title = "DUR", .align = Align::right, .leaves = 9},
                 {.title = "PROTO", .leaves = 3},
                 {.title = "SUBPROTOCOL", .shortest = 11, .leaves = 1},
                 {.title = "TOKEN", .leaves = 2},
                 {.title = "IN", .align = Align::right, .leaves = 7},
                 {.title = "OUT", .align = Align::right, .leaves = 8},
                 {.title = "RESULT"},
                 {.title = "MISSING", .shortest = 8, .leaves = 10}});
    const std::size_t rows = shown_rows(model.sessions.size(), options.top);
    for (std::size_t i = model.sessions.size() - rows; i < model.sessions.size(); ++i) {
        const Session& session = *model.sessions[i];
        const bool answered_well = session.state != SessionState::refused;
        table.row({Cell(session.id(), Tone::heading), op_name(session.op), or_dash(std::string(to_string(session.hop))),
                   or_dash(pod_name(session.k8s, glyphs)), clock_ms(session.start),
                   session.end.ns != 0 ? short_duration(session.end - session.start) : "-", proto_name(session.proto),
                   or_dash(display(session.subprotocol, glyphs)),
                   session.token ? chain::shown_token(*session.token, options.reveal, glyphs) : "-",
                   answered_well ? short_count(session.bytes.in) : "-",
                   answered_well ? short_count(session.bytes.out) : "-", Cell(outcome(session), outcome_tone(session)),
                   Cell(missing(session), Tone::look)});
    }
    return {std::move(table), earlier_rows(model.sessions.size() + model.sessions_evicted, rows)};
}

ShownTable chains_table(const Model& model, const ReportOptions& options) {
    Table table({{.title = "ID", .when_empty = true},
                 {.title = "OP", .when_empty = true},
                 {.title = "POD", .shortest = 10, .leaves = 4},
                 {.title = "START", .leaves = 1},
                 {.title = "DUR", .align = Align::right, .leaves = 2},
                 {.title = "RESULT", .leaves = 5},
                 {.title = "REFUSED FIRST", .shortest = 13, .leaves = 3},
                 {.title = "HOPS", .shortest = 20, .when_empty = true}});
    const std::size_t rows = shown_rows(model.chains.size(), options.top);
    for (std::size_t i = model.chains.size() - rows; i < model.chains.size(); ++i) {
        const Chain& chain = model.chains[i];
        table.row({Cell(chain.id(), Tone::heading), op_name(chain.op),
                   or_dash(pod_name(chain.k8s, options.style.glyphs)),
                   chain.start.ns != 0 ? clock_ms(chain.start) : "-",
                   chain.end.ns != 0 ? short_duration(chain.end - chain.start) : "-", chain_outcome(chain, model),
                   or_dash(attempts_of(chain)), hops_of(chain, options.style)});
    }
    return {std::move(table), earlier_rows(model.chains.size(), rows)};
}

ShownTable streams_table(const Model& model, const ReportOptions& options) {
    Table table({{.title = "OF", .when_empty = true},
                 {.title = "ID", .align = Align::right, .when_empty = true},
                 {.title = "TYPE", .when_empty = true},
                 {.title = "PORT", .align = Align::right, .leaves = 6},
                 {.title = "REQUEST", .align = Align::right, .leaves = 1},
                 {.title = "DUR", .align = Align::right, .leaves = 2},
                 {.title = "IN", .align = Align::right},
                 {.title = "OUT", .align = Align::right},
                 {.title = "FRAMES", .align = Align::right, .leaves = 3},
                 {.title = "STATE", .leaves = 4},
                 {.title = "ERROR", .shortest = 12, .leaves = 5}});
    std::size_t all = 0, at = 0;
    for (const auto& session : model.sessions) all += session->streams.size();
    const std::size_t rows = shown_rows(all, options.top);
    for (const auto& session : model.sessions) {
        for (const chain::Stream& stream : session->streams) {
            if (at++ < all - rows) continue;
            const std::string said = stream.error ? chain::shown_status_text(stream.error->raw(), options.reveal,
                                                                             options.style.glyphs)  // raw-ok: masked
                                                  : "";
            table.row({Cell(session->id(), Tone::heading), std::to_string(stream.id),
                       std::string(to_string(stream.kind)), stream.has_port ? std::to_string(stream.port) : "-",
                       stream.has_request_id ? std::to_string(stream.request_id) : "-",
                       stream.start.ns != 0 ? short_duration(stream.last - stream.start) : "-",
                       short_count(stream.bytes.in), short_count(stream.bytes.out), grouped(stream.frames),
                       stream_state_words(stream), Cell(said, Tone::look)});
        }
    }
    return {std::move(table), earlier_rows(all, rows)};
}

std::string file_line(const chain::FileFact& file, const Style& style) {
    std::string line = display(file.name, style.glyphs) + "  ";
    if (!file.format.empty()) line += file.format + ", ";
    if (!file.link_types.empty()) line += file.link_types + ", ";
    line += counted(file.packets, "frame");
    if (file.file_bytes != 0) line += ", " + file_size(file.file_bytes);
    if (file.first && file.last) {
        const std::string first = date_time(*file.first), last = date_time(*file.last);
        const bool same_day = first.substr(0, 10) == last.substr(0, 10);
        line += ", " + first + std::string(style.ellipsis()) + (same_day ? last.substr(11) : last) + " UTC (" +
                short_duration(*file.last - *file.first) + ")";
    }
    return line;
}

std::vector<std::string> summary_lines(const Model& model, const Style& style) {
    const std::string dot(style.dot());
    const chain::CaptureFacts& facts = model.capture;
    std::string sessions = counted(model.sessions_seen, "session");
    constexpr std::array<const char*, 4> kOps = {"unknown", "exec", "attach", "portforward"};
    std::string parts;
    for (const std::size_t op : {1U, 2U, 3U, 0U})
        if (model.sessions_by_op[op] != 0)
            parts += (parts.empty() ? "" : ", ") + grouped(model.sessions_by_op[op]) + " " + kOps[op];
    if (!parts.empty()) sessions += ": " + parts;
    const auto protocol = [&](chain::Proto proto) {
        const std::uint64_t count = model.sessions_by_proto[static_cast<std::size_t>(proto)];
        if (count != 0) sessions += dot + proto_name(proto) + " " + grouped(count);
    };
    protocol(chain::Proto::spdy31);
    protocol(chain::Proto::websocket);
    protocol(chain::Proto::http11);
    if (!model.chains.empty()) sessions += dot + counted(model.chains.size(), "chain");
    std::string network = counted(facts.tcp_connections, "TCP connection");
    if (facts.tls_connections != 0) network += " (" + grouped(facts.tls_connections) + " TLS)";
    network += dot + counted(facts.gaps, "gap") + dot + counted(facts.retransmissions, "retransmission");
    if (facts.duplicates != 0) network += dot + grouped(facts.duplicates) + " packets there twice, counted once";
    return {std::move(sessions), std::move(network)};
}

std::string no_sessions(const Model& model) {
    std::string text = "none: no request to /exec, /attach or /portforward was seen";
    if (model.capture.packets == 0) return text + "; the capture holds no packets";
    if (model.capture.tls_connections != 0)
        text += "; " + counted(model.capture.tls_connections, "connection") +
                " with TLS: --tls-keys FILE opens what it has keys for";
    return text;
}

std::vector<const Finding*> shown_findings(const Model& model, std::size_t top) {
    std::vector<const Finding*> all;
    all.reserve(model.findings.size());
    for (const Finding& finding : model.findings) all.push_back(&finding);
    std::stable_sort(all.begin(), all.end(), [](const Finding* a, const Finding* b) {
        return a->severity != b->severity ? a->severity > b->severity : a->at < b->at;
    });
    all.resize(shown_rows(all.size(), top));
    return all;
}

std::string finding_sentence(const Finding& finding, const Model& model, const Style& style) {
    std::string text = finding.session != 0 ? "s" + std::to_string(finding.session) + ": " : "";
    text += display(finding.says, style.glyphs);
    if (finding.frame != 0) {
        text += ", frame " + grouped(finding.frame);
        if (model.capture.files.size() > 1 && finding.file < model.capture.files.size())
            text += " of " + base_name(display(model.capture.files[finding.file].name, style.glyphs));
    }
    return text;
}

std::vector<std::string> loss_lines(const LossCounters& loss) {
    constexpr std::array<const char*, kLossPlaces> kWords = {
        "packets that the kernel dropped",
        "records that did not fit the ring buffer",
        "packets cut short: capture with a larger snaplen",
        "bytes missing in TCP streams: they are not in the capture",
        "bytes that could not be decoded",
        "IP fragments without their other parts",
        "connections given up: too many open at once",
        "bytes given up: a buffer was full",
        "streams not followed: too many on one connection",
        "sessions, streams or findings left out to stay within --mem",
        "retransmitted bytes not compared with their first copy",
        "bytes of the file that are no records",
    };
    std::vector<std::string> lines;
    for (std::size_t i = 0; i < kLossPlaces; ++i)
        if (loss.count[i] != 0)
            lines.push_back(grouped(loss.count[i]) + " " + kWords[i] + " (" +
                            std::string(to_string(static_cast<LossPlace>(i))) + ")");
    return lines;
}

std::vector<std::string> next_commands(const Model& model) {
    if (model.sessions.empty()) return {};
    std::string files;
    for (const chain::FileFact& file : model.capture.files) files += " " + shell_word(file.name);
    if (files.empty()) return {};
    // The last chain by a session of it that ran, and the bytes of the session that carried most.
    const Session* told = model.sessions.back().get();
    const Session* heavy = nullptr;
    for (const auto& session : model.sessions)
        if (session->state != SessionState::refused && session->bytes.out != 0 &&
            (!heavy || session->bytes.out > heavy->bytes.out))
            heavy = session.get();
    if (!model.chains.empty())
        for (const std::uint32_t number : model.chains.back().sessions)
            if (const Session* session = find_session(model, number);
                session && (told->state == SessionState::refused || session->state != SessionState::refused))
                told = session;
    std::vector<std::string> commands;
    if (!model.chains.empty()) commands.push_back("hopscope chain" + files + " --session " + told->id());
    if (heavy)
        commands.push_back("hopscope extract" + files + " --session " + heavy->id() + " --stream " +
                           (heavy->op == chain::Op::portforward ? "data" : "stdout") + " -O out.bin");
    return commands;
}

}  // namespace hopscope::exports
