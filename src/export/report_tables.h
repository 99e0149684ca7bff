// What a report for eyes says, section by section, before anybody lays it out: the text and the Markdown report
// show the same tables and sentences. Everything returned is printable and masked.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "chain/model.h"
#include "chain/reveal.h"
#include "export/style.h"
#include "export/table.h"

namespace hopscope::exports {

enum class Section : std::uint8_t { summary, ports, sessions, chains, streams, findings, loss };
inline constexpr std::size_t kSections = 7;
std::string_view to_string(Section section);  // "sessions": the names of --section
std::optional<Section> section_named(std::string_view name);

struct Sections {
    std::uint8_t bits = 0b1101111;  // all but streams
    static Sections none() { return {0}; }
    void add(Section section) { bits = static_cast<std::uint8_t>(bits | 1U << static_cast<unsigned>(section)); }
    [[nodiscard]] bool has(Section section) const { return (bits >> static_cast<unsigned>(section) & 1U) != 0; }
};

struct ReportOptions {
    Style style;
    chain::Reveal reveal;
    Sections sections;
    std::size_t top = 20;  // rows per table: the newest sessions, chains and streams, the worst findings; 0: all
};

// A table and, when rows were left out, a sentence that says so.
struct ShownTable {
    Table table;
    std::string more;  // "100 more: --top 0 shows all"
};

ShownTable ports_table(const chain::Model& model, const ReportOptions& options);
ShownTable sessions_table(const chain::Model& model, const ReportOptions& options);
ShownTable chains_table(const chain::Model& model, const ReportOptions& options);
ShownTable streams_table(const chain::Model& model, const ReportOptions& options);

// "node.pcap  pcap, Ethernet, 5,119 frames, 1.2 MiB, 2022-05-07 09:06:30…09:08:12 UTC (102s)".
std::string file_line(const chain::FileFact& file, const Style& style);
std::vector<std::string> summary_lines(const chain::Model& model, const Style& style);
// What an empty list of sessions means here, and what to do.
std::string no_sessions(const chain::Model& model);
// Worst first, then in order of time; at most `top`.
std::vector<const chain::Finding*> shown_findings(const chain::Model& model, std::size_t top);
std::string finding_sentence(const chain::Finding& finding, const chain::Model& model, const Style& style);
// One sentence per place where something was lost; empty when nothing was.
std::vector<std::string> loss_lines(const LossCounters& loss);
// Commands that go on from here, with ids that exist: "hopscope chain node.pcap --session s2".
std::vector<std::string> next_commands(const chain::Model& model);

}  // namespace hopscope::exports
