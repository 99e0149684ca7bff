#include "export/report_html.h"

#include <algorithm>

#include "export/chain_text.h"
#include "export/human.h"

namespace hopscope::exports {

using chain::Chain;
using chain::Hop;
using chain::Model;
using chain::Session;

namespace {

constexpr std::string_view kHead = R"(<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>hopscope report</title>
<style>
:root { color-scheme: light dark; --ink: #1c2430; --soft: #5b6675; --line: #d5dbe3; --paper: #fff; --box: #f6f8fa; --blue: #0b62c4; --amber: #9a6300; --red: #b3261e; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6eaf0; --soft: #9aa5b4; --line: #39424e; --paper: #14181e; --box: #1d232b; --blue: #6cb0ff; --amber: #e0b050; --red: #ff8a80; } }
body { font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper); margin: 0 auto; padding: 24px; max-width: 1200px; }
h1 { font-size: 22px; margin: 0 0 4px; } h2 { font-size: 18px; margin: 36px 0 8px; border-bottom: 1px solid var(--line); padding-bottom: 4px; } h3 { font-size: 15px; margin: 20px 0 6px; }
p.soft, .soft { color: var(--soft); } code, td.n, .mono { font-family: ui-monospace, monospace; font-size: 13px; }
table { border-collapse: collapse; width: 100%; margin: 8px 0; display: block; overflow-x: auto; } th { text-align: left; font-weight: 600; color: var(--soft); font-size: 12px; text-transform: uppercase; letter-spacing: .04em; }
th, td { padding: 4px 14px 4px 0; border-bottom: 1px solid var(--line); vertical-align: top; white-space: nowrap; } td.w { white-space: normal; }
.hops { display: flex; flex-wrap: wrap; gap: 8px; align-items: stretch; margin: 10px 0; }
.hop { background: var(--box); border: 1px solid var(--line); border-radius: 8px; padding: 8px 12px; min-width: 150px; } .hop b { display: block; }
.arrow { align-self: center; color: var(--soft); font-size: 20px; }
.good { color: var(--blue); } .look { color: var(--amber); } .bad { color: var(--red); }
ul.evidence { list-style: none; padding: 0; margin: 6px 0; } ul.evidence li { margin: 2px 0; }
svg text { font: 12px ui-monospace, monospace; fill: var(--ink); } svg .bar { fill: var(--blue); } svg .axis { stroke: var(--line); } svg .soft { fill: var(--soft); }
</style>
</head>
<body>
)";

std::string escaped(std::string_view printable) {
    std::string out;
    for (char c : printable) {
        switch (c) {
            case '&': out += "&amp;"; break;
            case '<': out += "&lt;"; break;
            case '>': out += "&gt;"; break;
            case '"': out += "&quot;"; break;
            case '\'': out += "&#39;"; break;
            default: out += c;
        }
    }
    return out;
}

class Page {
public:
    Page(Output& out, const Model& model, const ReportOptions& options)
        : out_(out), model_(model), options_(options), style_(options.style) {
        // The page brings its own characters and its own colours.
        style_.glyphs = Glyphs::unicode;
        style_.colour = false;
        style_.columns = 0;
    }

    void write() {
        out_.append(kHead);
        line("<h1>hopscope report</h1>");
        for (const chain::FileFact& file : model_.capture.files)
            line("<p class=\"soft\">" + escaped(file_line(file, style_)) + "</p>");
        for (const std::string& each : summary_lines(model_, style_)) line("<p>" + escaped(each) + "</p>");
        for (const Chain& chain : model_.chains) one_chain(chain);
        sessions();
        findings();
        loss();
        line("<p class=\"soft\">Made by hopscope " HOPSCOPE_VERSION
             ". Payload, credentials, tokens and commands are masked unless they were revealed by name.<br>"
             "<span class=\"good\">●</span> decoded, <span class=\"look\">◐</span> seen but not decoded, ○ "
             "inferred</p>");
        line("</body>\n</html>");
    }

private:
    void line(std::string_view text) {
        out_.append(text);
        out_.append('\n');
    }
    [[nodiscard]] std::string show(const Untrusted& text) const { return escaped(display(text)); }

    static std::string_view tone_class(Tone tone) {
        switch (tone) {
            case Tone::good: return "good";
            case Tone::look: return "look";
            case Tone::bad: return "bad";
            case Tone::faint: return "soft";
            case Tone::plain:
            case Tone::heading: return "";
        }
        return "";
    }
    static std::string grade_mark(Grade grade) {
        return "<span class=\"" + std::string(tone_class(grade_tone(grade))) + "\" title=\"" +
               std::string(to_string(grade)) + "\">" + std::string(grade_glyph(grade, Glyphs::unicode)) + "</span>";
    }

    void one_chain(const Chain& chain) {
        std::string title = chain.id() + "  " + op_name(chain.op);
        if (const std::string pod = pod_name(chain.k8s, Glyphs::unicode); !pod.empty()) title += "  " + pod;
        line("<h2>" + escaped(title) + "</h2>");
        std::string facts;
        const auto fact = [&](std::string_view name, const std::string& value) {
            if (!value.empty())
                facts += std::string(facts.empty() ? "" : " · ") + "<span class=\"soft\">" + std::string(name) +
                         "</span> " + value;
        };
        fact("client", show(chain.user_agent));
        fact("session", show(chain.kubectl_session));
        fact("container", show(chain.container.id).substr(0, 12));
        if (!chain.command.empty()) fact("command", escaped(chain::shown_command(chain.command, options_.reveal)));
        if (chain.exit_code) fact("exit", std::to_string(*chain.exit_code));
        if (chain.end > chain.start) fact("took", short_duration(chain.end - chain.start));
        line("<p>" + facts + "</p>");
        boxes(chain);
        waterfall(chain);
        hop_table(chain);
        notes("Against it", chain.contradictions);
        notes("Not taken", chain.candidates);
        streams(chain);
    }

    void boxes(const Chain& chain) {
        line("<div class=\"hops\">");
        for (std::size_t i = 0; i < chain.hops.size(); ++i) {
            const Hop& hop = chain.hops[i];
            if (i > 0) line("<span class=\"arrow\">→</span>");
            std::string box = "<div class=\"hop\"><b>" + grade_mark(hop.grade) + " " + escaped(hop_name(hop)) + "</b>";
            box += "<span class=\"mono\">" + escaped(hop_link(hop, style_)) + "</span><br>" +
                   escaped(hop.proto.empty() ? "-" : display(hop.proto));
            if (const Session* session = find_session(model_, hop.session)) box += " · " + escaped(outcome(*session));
            line(box + "</div>");
        }
        line("</div>");
    }

    void waterfall(const Chain& chain) {
        std::int64_t longest = 0;
        std::size_t rows = 0;
        for (const Hop& hop : chain.hops) {
            if (hop.start.ns == 0 || hop.start < chain.start) continue;
            longest = std::max(longest, (hop.start - chain.start).ns + hop.took.ns);
            ++rows;
        }
        if (longest <= 0) return;
        constexpr int kLeft = 130, kWidth = 820, kRow = 24;
        const int height = static_cast<int>(rows) * kRow + 28;
        line("<h3>Setup: how long each hop took to answer</h3>");
        line("<svg width=\"100%\" viewBox=\"0 0 1060 " + std::to_string(height) +
             "\" role=\"img\" aria-label=\"waterfall of latencies\">");
        for (int tick = 0; tick <= 4; ++tick) {
            const int x = kLeft + kWidth * tick / 4;
            line("<line class=\"axis\" x1=\"" + std::to_string(x) + "\" y1=\"18\" x2=\"" + std::to_string(x) +
                 "\" y2=\"" + std::to_string(height) + "\"/><text class=\"soft\" x=\"" + std::to_string(x + 3) +
                 "\" y=\"12\">" + escaped(short_duration({longest * tick / 4})) + "</text>");
        }
        int y = 24;
        for (const Hop& hop : chain.hops) {
            if (hop.start.ns == 0 || hop.start < chain.start) continue;
            const auto x = [&](std::int64_t ns) {
                return kLeft + static_cast<int>(static_cast<double>(ns) / static_cast<double>(longest) * kWidth);
            };
            const int from = x((hop.start - chain.start).ns);
            const int to = std::max(from + 3, x((hop.start - chain.start).ns + hop.took.ns));
            line("<text x=\"0\" y=\"" + std::to_string(y + 12) + "\">" + escaped(hop_name(hop)) +
                 "</text><rect class=\"bar\" rx=\"2\" x=\"" + std::to_string(from) + "\" y=\"" + std::to_string(y + 2) +
                 "\" width=\"" + std::to_string(to - from) + "\" height=\"12\"/><text class=\"soft\" x=\"" +
                 std::to_string(to + 6) + "\" y=\"" + std::to_string(y + 12) + "\">" +
                 escaped(short_duration(hop.took)) + "</text>");
            y += kRow;
        }
        line("</svg>");
    }

    void hop_table(const Chain& chain) {
        line(
            "<table><tr><th>Hop</th><th>Link</th><th>Protocol</th><th>Start</th><th>Took</th><th>In</th><th>Out</"
            "th><th>Evidence</th></tr>");
        for (const Hop& hop : chain.hops) {
            const bool timed = hop.start.ns != 0 && hop.start >= chain.start;
            line("<tr><td>" + grade_mark(hop.grade) + " " + escaped(hop_name(hop)) + "</td><td class=\"n\">" +
                 escaped(hop_link(hop, style_)) + "</td><td>" + escaped(hop.proto.empty() ? "-" : display(hop.proto)) +
                 "</td><td class=\"n\">" + (timed ? short_duration(hop.start - chain.start) : "-") +
                 "</td><td class=\"n\">" + (hop.took.ns > 0 ? short_duration(hop.took) : "-") +
                 "</td><td class=\"n\">" + short_count(hop.bytes.in) + "</td><td class=\"n\">" +
                 short_count(hop.bytes.out) + "</td><td class=\"w\">" + evidence_list(hop.evidence) + "</td></tr>");
        }
        line("</table>");
    }

    std::string evidence_list(const std::vector<chain::Evidence>& list) const {
        std::string out = "<ul class=\"evidence\">";
        for (const chain::Evidence& evidence : list) {
            out += "<li>" + grade_mark(evidence.grade) + " " + escaped(display(evidence.says));
            if (evidence.frame != 0) out += " <span class=\"soft\">frame " + grouped(evidence.frame) + "</span>";
            out += "</li>";
        }
        return out + "</ul>";
    }

    void notes(std::string_view title, const std::vector<chain::Evidence>& list) {
        if (!list.empty()) line("<h3>" + std::string(title) + "</h3>" + evidence_list(list));
    }

    void streams(const Chain& chain) {
        bool any = false;
        for (std::uint32_t number : chain.sessions) {
            const Session* session = find_session(model_, number);
            if (!session || session->streams.empty()) continue;
            if (!any)
                line(
                    "<h3>Streams</h3><table><tr><th>Session</th><th>Hop</th><th>Stream</th><th>Id</th><th>Port</"
                    "th><th>In</th><th>Out</th><th>State</th></tr>");
            any = true;
            for (const chain::Stream& stream : session->streams) {
                line("<tr><td>" + session->id() + "</td><td>" + std::string(chain::to_string(session->hop)) +
                     "</td><td>" + std::string(to_string(stream.kind)) + "</td><td class=\"n\">" +
                     std::to_string(stream.id) + "</td><td class=\"n\">" +
                     (stream.has_port ? std::to_string(stream.port) : "") + "</td><td class=\"n\">" +
                     short_count(stream.bytes.in) + "</td><td class=\"n\">" + short_count(stream.bytes.out) +
                     "</td><td>" +
                     (stream.error                                 ? "<span class=\"bad\">refused</span>"
                      : stream.state == chain::Stream::State::open ? "open"
                                                                   : "closed") +
                     "</td></tr>");
            }
        }
        if (any) line("</table>");
    }

    void sessions() {
        line("<h2>Sessions</h2>");
        if (model_.sessions.empty()) {
            line("<p>" + escaped(no_sessions(model_)) + "</p>");
            return;
        }
        line(
            "<table><tr><th>Id</th><th>Hop</th><th>Operation</th><th>Start</th><th>Protocol</th><th>Client</"
            "th><th>Server</th><th>Token</th><th>In</th><th>Out</th><th>Result</th></tr>");
        std::size_t shown = 0;
        for (const auto& session : model_.sessions) {
            if (options_.top != 0 && shown++ >= options_.top) break;
            const Session& s = *session;
            line("<tr><td>" + s.id() + "</td><td>" + std::string(chain::to_string(s.hop)) + "</td><td>" +
                 escaped(op_name(s.op)) + "</td><td class=\"n\">" + clock_ms(s.start) + "</td><td>" +
                 escaped(proto_name(s.proto)) + "</td><td class=\"n\">" + to_string(s.client) +
                 "</td><td class=\"n\">" + to_string(s.server) + "</td><td class=\"n\">" +
                 (s.token ? escaped(chain::shown_token(*s.token, options_.reveal)) : "") + "</td><td class=\"n\">" +
                 short_count(s.bytes.in) + "</td><td class=\"n\">" + short_count(s.bytes.out) + "</td><td>" +
                 escaped(outcome(s)) + "</td></tr>");
        }
        line("</table>");
        if (options_.top != 0 && model_.sessions.size() > options_.top)
            line("<p class=\"soft\">" + grouped(model_.sessions.size() - options_.top) +
                 " more: --top 0 shows all</p>");
    }

    void findings() {
        const auto list = shown_findings(model_, options_.top);
        if (list.empty()) return;
        line("<h2>Findings</h2><ul class=\"evidence\">");
        for (const chain::Finding* finding : list) {
            line("<li><span class=\"" + std::string(tone_class(severity_tone(finding->severity))) + "\">" +
                 std::string(severity_glyph(finding->severity, Glyphs::unicode)) + " " + escaped(finding->code) +
                 "</span> " + escaped(finding_sentence(*finding, model_, style_)) +
                 (finding->remedy.empty()
                      ? ""
                      : "<br><span class=\"soft\">" + escaped(display(finding->remedy)) + "</span>") +
                 "</li>");
        }
        line("</ul>");
    }

    void loss() {
        const auto lines = loss_lines(model_.loss);
        if (lines.empty()) return;
        line("<h2>Lost</h2><ul>");
        for (const std::string& each : lines) line("<li>" + escaped(each) + "</li>");
        line("</ul>");
    }

    Output& out_;
    const Model& model_;
    const ReportOptions& options_;
    Style style_;
};

}  // namespace

void write_report_html(Output& out, const Model& model, const ReportOptions& options) {
    Page(out, model, options).write();
}

}  // namespace hopscope::exports
