#include "export/chain_text.h"

#include <algorithm>
#include <map>
#include <tuple>

#include "chain/find_session.h"
#include "export/human.h"
#include "export/sheet.h"
#include "export/waterfall.h"

namespace hopscope::exports {

using chain::Chain;
using chain::Hop;
using chain::Model;
using chain::Session;

namespace {

std::string who(const std::optional<chain::Process>& process, const Style& style) {
    if (!process) return "?";
    std::string text = process->comm.empty() ? "?" : display(process->comm, style.glyphs);
    if (process->pid != 0) text += "[" + std::to_string(process->pid) + "]";
    return text;
}

std::string hop_processes(const Hop& hop, const Style& style) {
    if (!hop.from && !hop.to) return "-";
    return who(hop.from, style) + " " + std::string(style.arrow()) + " " + who(hop.to, style);
}

std::string proto_words(const Hop& hop, const Style& style) {
    if (hop.proto == "spdy/3.1") return "SPDY/3.1";
    if (hop.proto == "websocket") return "WebSocket";
    if (hop.proto == "http/1.1") return "HTTP/1.1";
    if (hop.proto == "grpc") return "gRPC";
    if (hop.proto == "tls") return "TLS";
    if (hop.proto == "ttrpc") return "ttrpc";
    return hop.proto.empty() ? "-" : display(hop.proto, style.glyphs);
}

Table hop_table(const Model& model, const Chain& chain, const Style& style) {
    Table table({{.title = "#", .align = Column::Align::right, .when_empty = true},
                 {.title = "HOP", .when_empty = true},
                 {.title = "LINK", .shortest = 22, .when_empty = true},
                 {.title = "WHO", .shortest = 12, .leaves = 4},
                 {.title = "PROTO", .leaves = 3},
                 {.title = "START", .align = Column::Align::right, .leaves = 5},
                 {.title = "TOOK", .align = Column::Align::right, .leaves = 7},
                 {.title = "IN", .align = Column::Align::right, .leaves = 1},
                 {.title = "OUT", .align = Column::Align::right, .leaves = 2},
                 {.title = "SESSION", .leaves = 8},
                 {.title = "RESULT", .leaves = 6}});
    for (std::size_t i = 0; i < chain.hops.size(); ++i) {
        const Hop& hop = chain.hops[i];
        const Session* session = find_session(model, hop.session);
        const bool timed = hop.start.ns != 0 && chain.start.ns != 0;
        const bool counted_bytes = hop.bytes.in != 0 || hop.bytes.out != 0;
        table.row({std::to_string(i + 1), hop_name(hop) + " " + std::string(grade_glyph(hop.grade, style.glyphs)),
                   hop_link(hop, style), hop_processes(hop, style), proto_words(hop, style),
                   timed ? short_duration(hop.start - chain.start) : "-",
                   hop.took.ns != 0 ? short_duration(hop.took) : "-", counted_bytes ? short_count(hop.bytes.in) : "-",
                   counted_bytes ? short_count(hop.bytes.out) : "-", session ? session->id() : "-",
                   session ? outcome(*session) : "-"});
    }
    return table;
}

// Container ids are told by their first twelve digits, as runtimes do; anything else stays as it is.
std::string short_id(const std::string& printable) {
    constexpr std::size_t kShortId = 12, kWholeId = 64;
    const bool usual =
        printable.size() == kWholeId && printable.find_first_not_of("0123456789abcdef") == std::string::npos;
    return usual ? printable.substr(0, kShortId) : printable;
}

std::string headline(const Chain& chain, const ReportOptions& options) {
    const Style& style = options.style;
    std::string line = chain.id() + "  " + op_name(chain.op);
    const auto add = [&](const std::string& text) {
        if (!text.empty()) line += "  " + text;
    };
    add(pod_name(chain.k8s, style.glyphs));
    if (!chain.container.id.empty()) add("container " + short_id(display(chain.container.id, style.glyphs)));
    if (!chain.command.empty()) add("command " + chain::shown_command(chain.command, options.reveal, style.glyphs));
    const std::string agent = display(chain.user_agent, style.glyphs);
    add(agent.substr(0, agent.find(' ')));
    if (chain.end.ns != 0 && chain.start.ns != 0) add(short_duration(chain.end - chain.start));
    if (chain.exit_code) add("exit " + std::to_string(*chain.exit_code));
    return line;
}

// The same claim, and everything that it is made of.
struct Claim {
    const chain::Evidence* evidence = nullptr;
    std::vector<std::size_t> hops;      // by number, from 1
    std::vector<std::uint64_t> frames;  // in order of hops, none twice
};

void claim_line(Sheet& sheet, const Claim& claim, const std::string& label, const Style& style) {
    constexpr std::size_t kFramesTold = 4;
    const chain::Evidence& evidence = *claim.evidence;
    std::string text = display(evidence.says, style.glyphs);
    if (!claim.frames.empty()) text += claim.frames.size() == 1 ? ", frame" : ", frames";
    for (std::size_t i = 0; i < std::min(claim.frames.size(), kFramesTold); ++i) text += " " + grouped(claim.frames[i]);
    if (claim.frames.size() > kFramesTold) text += " " + std::string(style.ellipsis());
    if (!evidence.source.empty()) text += ", " + display(evidence.source, style.glyphs);
    const std::string glyph =
        style.paint(std::string(grade_glyph(evidence.grade, style.glyphs)), grade_tone(evidence.grade));
    sheet.sentence(text, 2 + label.size(), glyph + " " + label, 2 + label.size());
}

void evidence_section(Sheet& sheet, std::string_view title, const std::vector<chain::Evidence>& list,
                      const Style& style) {
    if (list.empty()) return;
    sheet.section(title);
    for (const chain::Evidence& evidence : list) {
        Claim claim{.evidence = &evidence, .hops = {}, .frames = {}};
        if (evidence.frame != 0) claim.frames.push_back(evidence.frame);
        claim_line(sheet, claim, "", style);
    }
}

std::string hop_label(const Chain& chain, std::size_t index) {
    return std::to_string(index + 1) + " " + hop_name(chain.hops[index]);
}

// "7 runtime", or for several hops "1-4 7".
std::string hops_label(const Chain& chain, const std::vector<std::size_t>& hops) {
    if (hops.size() == 1) return hop_label(chain, hops.front() - 1);
    std::string text;
    for (std::size_t i = 0; i < hops.size(); ++i) {
        std::size_t last = i;
        while (last + 1 < hops.size() && hops[last + 1] == hops[last] + 1) ++last;
        text += (text.empty() ? "" : " ") + std::to_string(hops[i]);
        if (last > i) text += (last == i + 1 ? " " : "-") + std::to_string(hops[last]);
        i = last;
    }
    return text;
}

// A claim that several hops share is told once.
void hop_evidence(Sheet& sheet, const Chain& chain, const Style& style) {
    std::vector<Claim> claims;
    std::map<std::tuple<Grade, std::string_view, std::string_view>, std::size_t> known;
    for (std::size_t i = 0; i < chain.hops.size(); ++i) {
        for (const chain::Evidence& evidence : chain.hops[i].evidence) {
            const auto [place, fresh] =
                known.try_emplace({evidence.grade, evidence.says, evidence.source}, claims.size());
            if (fresh) claims.push_back({.evidence = &evidence, .hops = {}, .frames = {}});
            Claim& claim = claims[place->second];
            if (claim.hops.empty() || claim.hops.back() != i + 1) claim.hops.push_back(i + 1);
            const auto& frames = claim.frames;
            if (evidence.frame != 0 && std::find(frames.begin(), frames.end(), evidence.frame) == frames.end())
                claim.frames.push_back(evidence.frame);
        }
    }
    if (claims.empty()) return;
    sheet.section("EVIDENCE");
    constexpr std::size_t kLabelColumnsMax = 24;
    std::size_t widest = 0;
    for (const Claim& claim : claims) widest = std::max(widest, hops_label(chain, claim.hops).size());
    widest = std::min(widest, kLabelColumnsMax);
    for (const Claim& claim : claims) {
        std::string label = elide_end(hops_label(chain, claim.hops), widest, Glyphs::ascii);
        label.resize(widest + 2, ' ');
        claim_line(sheet, claim, label, style);
    }
}

// What a session's process ran, each below the one that made it.
void ran_section(Sheet& sheet, const Chain& chain, const ReportOptions& options) {
    constexpr std::size_t kDepthShown = 16;
    const Style& style = options.style;
    for (const Hop& hop : chain.hops) {
        if (hop.ran.empty() && hop.ran_dropped == 0) continue;
        sheet.section("RAN");
        std::vector<std::vector<std::size_t>> children(hop.ran.size());
        for (std::size_t i = 1; i < hop.ran.size(); ++i) children[hop.ran[i].parent].push_back(i);
        // Depth first, without recursion: how deep it goes is the container's choice.
        std::vector<std::pair<std::size_t, std::size_t>> next;  // place, depth
        if (!hop.ran.empty()) next.emplace_back(0, 0);
        while (!next.empty()) {
            const auto [place, depth] = next.back();
            next.pop_back();
            const chain::RanProcess& ran = hop.ran[place];
            std::string text(2 * std::min(depth, kDepthShown), ' ');
            text += who(ran.process, style);
            if (!ran.command.empty()) text += "  " + chain::shown_command(ran.command, options.reveal, style.glyphs);
            if (ran.start.ns != 0 && chain.start.ns != 0) text += "  at " + short_duration(ran.start - chain.start);
            text += ran.end ? "  took " + short_duration(*ran.end - ran.start) : "  still running";
            if (ran.exit_code) text += "  exit " + std::to_string(*ran.exit_code);
            sheet.sentence(text, 2 * std::min(depth, kDepthShown) + 4);
            for (std::size_t i = children[place].size(); i-- > 0;) next.emplace_back(children[place][i], depth + 1);
        }
        if (hop.ran_dropped > 0) sheet.sentence("and " + grouped(hop.ran_dropped) + " more that were not kept");
    }
}

std::vector<Span> spans_of(const Chain& chain) {
    std::vector<Span> spans;
    for (std::size_t i = 0; i < chain.hops.size(); ++i) {
        const Hop& hop = chain.hops[i];
        if (hop.start.ns == 0 || hop.start < chain.start || hop.took.ns <= 0) continue;
        spans.push_back({hop_label(chain, i), hop.start - chain.start, hop.took});
    }
    return spans;
}

}  // namespace

const Session* find_session(const Model& model, std::uint32_t number) {
    return chain::find_session(model.sessions, number);
}

const Chain* find_chain(const Model& model, std::uint32_t session) {
    const auto found = std::find_if(model.chains.begin(), model.chains.end(), [&](const Chain& chain) {
        return std::find(chain.sessions.begin(), chain.sessions.end(), session) != chain.sessions.end();
    });
    return found == model.chains.end() ? nullptr : &*found;
}

std::string hop_name(const Hop& hop) {
    return hop.kind == chain::HopKind::unknown ? "?" : std::string(to_string(hop.kind));
}

std::string hop_link(const Hop& hop, const Style& style) {
    if (hop.unix_socket) {
        const std::string& path = hop.unix_socket->path;
        return "unix " + (path.empty() ? "(unnamed)" : display(path, style.glyphs));
    }
    if (hop.server.port == 0 && hop.client.port == 0) return "-";
    const bool same = hop.client.address == hop.server.address;
    return to_string(hop.client) + " " + std::string(style.arrow()) + " " +
           (same ? ":" + std::to_string(hop.server.port) : to_string(hop.server));
}

void write_chain_text(Output& out, const Model& model, const Chain& chain, const ReportOptions& options) {
    const Style& style = options.style;
    for (const std::string& line : wrap(headline(chain, options), style.columns)) {
        out.append(style.paint(line, Tone::heading));
        out.append('\n');
    }
    out.append('\n');
    Sheet sheet(out, style);
    if (!chain.hops.empty()) {
        sheet.section("HOPS");
        sheet.lines(hop_table(model, chain, style).lines(style, sheet.room()));
    }
    const std::vector<std::string> bars = waterfall(spans_of(chain), style, sheet.room());
    if (!bars.empty()) {
        sheet.section("SETUP");
        sheet.lines(bars);
    }
    ran_section(sheet, chain, options);
    hop_evidence(sheet, chain, style);
    evidence_section(sheet, "AGAINST", chain.contradictions, style);
    evidence_section(sheet, "NOT TAKEN", chain.candidates, style);
}

}  // namespace hopscope::exports
