#include "export/ports_text.h"

#include <algorithm>

#include "chain/verdict_proof.h"
#include "core/node_words.h"
#include "export/human.h"
#include "export/sheet.h"
#include "export/table.h"

namespace hopscope::exports {

using chain::Finding;
using chain::Peer;
using chain::Verdict;
using Align = Column::Align;

namespace {

// A process that several descriptors or connections lead to is told once.
template <typename Items, typename Words>
std::string first_and_more(const Items& items, Words words) {
    std::vector<std::string> told;
    for (const auto& item : items) {
        std::string text = words(item);
        if (std::find(told.begin(), told.end(), text) == told.end()) told.push_back(std::move(text));
    }
    if (told.empty()) return "-";
    return told.front() + (told.size() > 1 ? " +" + std::to_string(told.size() - 1) : "");
}

std::string peer_words(const Verdict& verdict, Glyphs glyphs) {
    return first_and_more(verdict.peers, [&](const Peer& peer) {
        if (peer.process.pid != 0) return process_words(peer.process, glyphs);
        return peer.from ? to_string(peer.from->address) : std::string("?");
    });
}

std::string exe_words(const Verdict& verdict, Glyphs glyphs) {
    return verdict.owners.empty() ? "-" : display(verdict.owners.front().process.exe, glyphs);
}

// How long after the boot the first owner was started: "12.4s"; with a '+' and the number of those started later.
std::string started_words(const Verdict& verdict, Timestamp booted) {
    if (booted.ns == 0) return "?";
    return first_and_more(verdict.owners, [&](const chain::Owner& owner) {
        return owner.process.start.ns == 0 ? std::string("?") : short_duration(owner.process.start - booted);
    });
}

Table ports_table(const chain::Judgement& shown, const PortsTextOptions& options) {
    const auto title = [&](const char* text) { return options.header ? std::string(text) : std::string(); };
    // Up to here roles lose their middle, so that how sure it is has room.
    constexpr std::size_t kNarrowColumns = 100;
    const bool narrow = options.style.columns != 0 && options.style.columns < kNarrowColumns;
    // Addresses and paths are never cut: a long one stands above its row, so that the rest of all rows has room.
    const std::size_t place_columns = narrow ? 22 : options.style.columns / 4;
    // What leaves first on a narrow terminal: the path of the program, the peers, the count, then the reason.
    Table table({{.title = title("LISTENS ON"), .when_empty = true, .own_line = place_columns},
                 {.title = title("PROCESS"), .when_empty = true},
                 {.title = title("ROLE"), .shortest = narrow ? 10U : 0U, .when_empty = true},
                 {.title = title("SURE"), .leaves = 5},
                 {.title = title("SINCE BOOT"), .align = Align::right, .when_empty = options.since_boot},
                 {.title = title("SEEN"), .align = Align::right, .leaves = 3},
                 {.title = title("WHY"), .shortest = 16, .leaves = 4},
                 {.title = title("PEERS"), .leaves = 2},
                 {.title = title("EXE"), .leaves = 1}});
    const Glyphs glyphs = options.style.glyphs;
    for (const Verdict& verdict : shown.verdicts) {
        const bool warned = !verdict.findings.empty();
        table.row({Cell(listens_on(verdict, glyphs), warned ? Tone::look : Tone::heading), owner_words(verdict, glyphs),
                   display(role_name(verdict.role), glyphs),
                   Cell(verdict.confidence, confidence_tone(verdict.confidence)),
                   options.since_boot ? started_words(verdict, options.booted) : std::string(), grouped(verdict.seen),
                   display(verdict.short_why, glyphs), peer_words(verdict, glyphs), exe_words(verdict, glyphs)});
    }
    return table;
}

void add_line(Output& out, std::string_view text) {
    out.append(text);
    out.append('\n');
}

void finding_lines(Output& out, const Finding& finding, const Style& style, std::size_t indent) {
    const std::string glyph(severity_glyph(finding.severity, style.glyphs));
    const std::string mark = style.paint(glyph + " " + finding.code, severity_tone(finding.severity)) + "  ";
    const std::size_t hanging = indent + 2 + finding.code.size() + 2;
    const std::size_t room =
        style.columns == 0 ? 0 : std::max<std::size_t>(20, style.columns - std::min(style.columns, hanging));
    std::string lead = std::string(indent, ' ') + mark;
    for (const std::string& piece : wrap(display(finding.says, style.glyphs), room)) {
        add_line(out, lead + piece);
        lead = std::string(hanging, ' ');
    }
    if (finding.remedy.empty()) return;
    lead = std::string(hanging, ' ') + "fix: ";
    const std::size_t fix_room = room == 0 ? 0 : std::max<std::size_t>(20, room - 5);
    for (const std::string& piece : wrap(display(finding.remedy, style.glyphs), fix_room)) {
        add_line(out, lead + piece);
        lead = std::string(hanging + 5, ' ');
    }
}

}  // namespace

std::string listens_on(const Verdict& verdict, Glyphs glyphs) {
    if (is_unix(verdict.transport)) {
        if (!verdict.unix_path.empty()) return display(verdict.unix_path, glyphs);
        return "unix inode " + std::to_string(verdict.inode);
    }
    const std::string text = listening_place(verdict.local, verdict.v6_only);
    return verdict.transport == Transport::udp ? text + "/udp" : text;
}

std::string process_words(const chain::Process& process, Glyphs glyphs) {
    if (process.pid == 0) return "-";
    return (process.comm.empty() ? "?" : display(process.comm, glyphs)) + "[" + std::to_string(process.pid) + "]";
}

std::string owner_words(const Verdict& verdict, Glyphs glyphs) {
    return first_and_more(verdict.owners,
                          [&](const chain::Owner& owner) { return process_words(owner.process, glyphs); });
}

Tone confidence_tone(std::string_view confidence) {
    if (chain::is_sure(confidence)) return Tone::good;
    return confidence == "low" ? Tone::faint : Tone::plain;
}

void write_ports_text(Output& out, const chain::Judgement& shown, const PortsTextOptions& options) {
    const Style& style = options.style;
    for (const std::string& line : ports_table(shown, options).lines(style, style.columns)) add_line(out, line);
    if (!options.header) return;
    std::string footer = grouped(shown.verdicts.size()) + " shown of " + grouped(options.listening) + " listening";
    if (shown.verdicts.size() < options.listening) footer += " (--all)";
    if (options.since_boot && options.booted.ns != 0) footer += ", booted " + date_time(options.booted) + " UTC";
    if (!shown.findings.empty()) footer += ". " + counted(shown.findings.size(), "finding") + ":";
    add_line(out, style.paint(footer, Tone::faint));
    for (const Finding& finding : shown.findings) finding_lines(out, finding, style, 1);
    if (options.findings_hidden != 0)
        add_line(out, style.paint(counted(options.findings_hidden, "finding") +
                                      " of listeners that the options leave out: hopscope ports --all --netns all",
                                  Tone::faint));
}

// ---- the page of one listener

namespace {

constexpr std::size_t kLabelColumns = 17;     // "  Who can reach  "
constexpr std::size_t kIdColumns = 11;        // "behaviour  "
constexpr std::size_t kPageColumnsMax = 120;  // longer lines are hard to read
constexpr std::size_t kPipeColumns = 100;     // no terminal: paragraphs are for people there, too
constexpr std::size_t kRowsMax = 12;          // owners, peers: more are counted
constexpr std::size_t kTitleColumnsMin = 30;  // for what a listener is, beside where it listens

class Page {
public:
    Page(Output& out, const Style& style)
        : out_(out),
          style_(style),
          columns_(style.columns == 0 ? kPipeColumns : std::min(style.columns, kPageColumnsMax)) {}

    void title(const Verdict& verdict) {
        const std::string where = listens_on(verdict, style_.glyphs);
        std::string says = "is " + (verdict.title.empty() ? "a listener whose purpose is not known"
                                                          : display(verdict.title, style_.glyphs));
        const std::string owner = owner_words(verdict, style_.glyphs);
        if (owner == "-") {
            says += verdict.title.empty() ? ". No process holds it, or none that may be seen." : ".";
        } else {
            says += says.find(owner) == std::string::npos ? ", held by " + owner + "." : ".";
        }
        const std::string sure = verdict.confidence;
        // A long path stands alone, whole, to be copied.
        std::size_t lead = display_width(where) + 2;
        std::string before = style_.paint(where, Tone::heading) + "  ";
        if (lead + sure.size() + 2 + kTitleColumnsMin > columns_) {
            add_line(out_, style_.paint(where, Tone::heading));
            lead = 2;
            before = "  ";
        }
        const std::vector<std::string> pieces = wrap(says, room_behind(lead + sure.size() + 2));
        for (std::size_t i = 0; i < pieces.size(); ++i) {
            std::string line = (i == 0 ? before : std::string(lead, ' ')) + pieces[i];
            if (i == 0) {
                const std::size_t used = lead + display_width(pieces[i]);
                const std::size_t end = columns_ > sure.size() ? columns_ - sure.size() : 0;
                line += std::string(end > used + 2 ? end - used : 2, ' ') + style_.paint(sure, confidence_tone(sure));
            }
            add_line(out_, line);
        }
        gap_ = true;
    }

    void paragraph(std::string_view label, const std::string& text) {
        if (text.empty()) return;
        rows(label, wrap(display(text, style_.glyphs), room_behind(kLabelColumns)));
    }

    // Lines behind a label, which stands before the first of them.
    void rows(std::string_view label, const std::vector<std::string>& lines) {
        if (gap_) out_.append('\n');
        gap_ = false;
        for (std::size_t i = 0; i < lines.size(); ++i) {
            std::string begin = i == 0 ? "  " + std::string(label) : std::string();
            begin.resize(std::max(kLabelColumns, begin.size() + (i == 0 ? 2 : 0)), ' ');
            if (i == 0) begin = "  " + style_.paint(std::string(label), Tone::heading) + begin.substr(2 + label.size());
            add_line(out_, begin + lines[i]);
        }
    }

    void evidence(const std::vector<chain::Evidence>& list) {
        if (list.empty()) return;
        out_.append('\n');
        gap_ = false;
        add_line(out_, "  " + style_.paint("Evidence", Tone::heading));
        std::size_t widest = 0;  // of the sentences, so that the sources stand below each other where there is room
        std::size_t id_columns = kIdColumns;
        for (const chain::Evidence& each : list) {
            widest = std::max(widest, display_width(display(each.says, style_.glyphs)));
            id_columns = std::max(id_columns, display_width(display(each.id, style_.glyphs)) + 2);
        }
        const std::size_t lead_columns = 3 + 2 + id_columns;
        for (const chain::Evidence& each : list) {
            const std::string says = display(each.says, style_.glyphs);
            const std::string source = source_of(each);
            const std::size_t room = room_behind(lead_columns);
            std::string id = display(each.id, style_.glyphs);
            id.append(id_columns - std::min(id_columns, display_width(id)), ' ');
            std::string lead =
                "   " + style_.paint(std::string(grade_glyph(each.grade, style_.glyphs)), grade_tone(each.grade)) +
                " " + id;
            const std::vector<std::string> pieces = wrap(says, room);
            for (std::size_t i = 0; i < pieces.size(); ++i) {
                std::string line = lead + pieces[i];
                const std::size_t used = display_width(pieces[i]);
                const bool last = i + 1 == pieces.size();
                if (last && !source.empty()) {
                    const std::size_t wish =
                        pieces.size() == 1 && widest + 2 + display_width(source) <= room ? widest : used;
                    const bool fits = used + 2 + display_width(source) <= room;
                    if (fits) {
                        line += std::string(wish - used + 2, ' ') + style_.paint(source, Tone::faint);
                    } else {
                        add_line(out_, line);
                        line = std::string(lead_columns, ' ') + style_.paint(source, Tone::faint);
                    }
                }
                add_line(out_, line);
                lead = std::string(lead_columns, ' ');
            }
        }
    }

    void ruled_out(const std::vector<chain::RuledOut>& list) {
        std::string text;
        for (const chain::RuledOut& each : list) {
            text += (text.empty() ? "" : "; ") + role_name(each.role);
            if (!each.says.empty()) text += ": " + each.says;
        }
        paragraph("Ruled out", text);
    }

    void owners(const Verdict& verdict) {
        std::vector<std::string> lines;
        for (const chain::Owner& owner : verdict.owners) {
            std::string line = process_words(owner.process, style_.glyphs) + " fd " + std::to_string(owner.fd);
            const std::string pod = pod_name(owner.k8s, style_.glyphs);
            if (!owner.container_id.empty())
                line += ", container " + display(std::string_view(owner.container_id).substr(0, 12), style_.glyphs);
            if (!pod.empty()) line += ", " + pod;
            lines.push_back(std::move(line));
        }
        // One owner without anything special stands in the title.
        const bool special = lines.size() > 1 || (lines.size() == 1 && !verdict.owners.front().container_id.empty());
        if (special) limited("Held by", std::move(lines));
    }

    void peers(const Verdict& verdict) {
        std::vector<std::string> lines;
        for (const Peer& peer : verdict.peers) {
            std::string line =
                peer.process.pid == 0 ? std::string(unseen_peer(peer)) : process_words(peer.process, style_.glyphs);
            if (peer.fd != 0) line += " fd " + std::to_string(peer.fd);
            if (peer.from) line += ", from " + to_string(*peer.from);
            if (peer.inode != 0) line += ", inode " + std::to_string(peer.inode);
            if (!peer.state.empty()) line += ", " + display(peer.state, style_.glyphs);
            lines.push_back(std::move(line));
        }
        limited("Peers now", std::move(lines));
    }

    void execs(const Verdict& verdict) {
        std::vector<std::string> lines;
        for (const chain::OpenExec& exec : verdict.execs) {
            std::string line = "exec " + display(std::string_view(exec.exec_id).substr(0, 12), style_.glyphs) +
                               ", container " +
                               display(std::string_view(exec.container_id).substr(0, 12), style_.glyphs);
            const std::string pod = pod_name(exec.k8s, style_.glyphs);
            if (!pod.empty()) line += ", " + pod;
            lines.push_back(std::move(line));
        }
        limited("Execs now", std::move(lines));
    }

    void findings(const Verdict& verdict, const std::vector<Finding>& all) {
        bool begun = false;
        for (const Finding& finding : all) {
            if (!is_about(finding, verdict)) continue;
            if (!begun) {
                out_.append('\n');
                add_line(out_, "  " + style_.paint("Findings", Tone::heading));
            }
            begun = true;
            gap_ = true;
            Style limited_style = style_;
            limited_style.columns = columns_;
            finding_lines(out_, finding, limited_style, 3);
        }
    }

private:
    [[nodiscard]] std::size_t room_behind(std::size_t used) const {
        return std::max<std::size_t>(24, columns_ - std::min(columns_, used));
    }
    // The other end of a unix socket, and of a loopback connection, is on this node.
    static std::string_view unseen_peer(const Peer& peer) {
        if (peer.client_closed) return "a client that has closed its end";
        const bool here = !peer.from || peer.from->address.is_loopback();
        return here ? "a process that cannot be seen" : "not on this node, or not visible";
    }
    [[nodiscard]] std::string source_of(const chain::Evidence& evidence) const {
        std::string source = display(evidence.source, style_.glyphs);
        if (evidence.frame != 0)
            source += (source.empty() ? "" : ", ") + std::string("frame ") + grouped(evidence.frame);
        return source;
    }
    void limited(std::string_view label, std::vector<std::string> lines) {
        if (lines.size() > kRowsMax) {
            const std::size_t more = lines.size() - kRowsMax;
            lines.resize(kRowsMax);
            lines.push_back(grouped(more) + " more: -o json lists all");
        }
        std::vector<std::string> wrapped;
        for (const std::string& line : lines)
            for (std::string& piece : wrap(line, room_behind(kLabelColumns))) wrapped.push_back(std::move(piece));
        if (!wrapped.empty()) rows(label, wrapped);
    }

    Output& out_;
    const Style& style_;
    std::size_t columns_;
    bool gap_ = false;  // a blank line comes before the next rows
};

}  // namespace

void write_why_text(Output& out, const Verdict& verdict, const std::vector<Finding>& findings, const Style& style) {
    Page page(out, style);
    page.title(verdict);
    page.paragraph("What it does", verdict.what_it_does);
    page.paragraph("Why this port", verdict.why_this_port);
    page.paragraph("Why 404", verdict.why_404);
    page.paragraph("Who can reach", verdict.who_can_reach);
    if (!verdict.owners.empty() && verdict.owners.front().process.start.ns != 0)
        page.paragraph("Runs since", date_time(verdict.owners.front().process.start) + " UTC");
    page.owners(verdict);
    page.peers(verdict);
    page.execs(verdict);
    page.evidence(verdict.evidence);
    page.ruled_out(verdict.ruled_out);
    page.findings(verdict, findings);
    const bool told = std::any_of(findings.begin(), findings.end(), [&](const Finding& finding) {
        return finding.remedy == verdict.remedy && is_about(finding, verdict);
    });
    if (!told) page.paragraph("What to do", verdict.remedy);
}

}  // namespace hopscope::exports
