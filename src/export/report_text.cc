#include "export/report_text.h"

#include <algorithm>

#include "export/sheet.h"

namespace hopscope::exports {
namespace {

void show(Sheet& sheet, std::string_view title, const ShownTable& shown, const Style& style) {
    if (shown.table.empty()) return;
    sheet.section(title);
    sheet.lines(shown.table.lines(style, sheet.room()));
    if (!shown.more.empty()) sheet.line(style.paint(shown.more, Tone::faint));
}

void show_findings(Sheet& sheet, const chain::Model& model, const ReportOptions& options) {
    if (model.findings.empty()) return;
    const Style& style = options.style;
    sheet.section("FINDINGS");
    const auto findings = shown_findings(model, options.top);
    std::size_t code_columns = 0;
    for (const chain::Finding* finding : findings) code_columns = std::max(code_columns, finding->code.size());
    for (const chain::Finding* finding : findings) {
        const std::string glyph(severity_glyph(finding->severity, style.glyphs));
        const Tone tone = severity_tone(finding->severity);
        const std::string padding(code_columns - finding->code.size() + 2, ' ');
        const std::string mark = style.paint(glyph + " " + finding->code, tone) + padding;
        const std::size_t columns = 1 + 1 + code_columns + 2;
        sheet.sentence(finding_sentence(*finding, model, style), columns, mark, columns);
        if (!finding->remedy.empty())
            sheet.sentence("fix: " + display(finding->remedy, style.glyphs), columns + 5, std::string(columns, ' '),
                           columns + 5);
    }
    if (findings.size() < model.findings.size())
        sheet.line(style.paint(std::to_string(model.findings.size() - findings.size()) + " more: --top 0 shows all",
                               Tone::faint));
}

void show_next(Sheet& sheet, const chain::Model& model, const Style& style) {
    const std::vector<std::string> commands = next_commands(model);
    if (commands.empty()) return;
    std::string all;
    for (const std::string& command : commands) all += (all.empty() ? "" : std::string(style.dot())) + command;
    sheet.section("next:");
    const bool fits = sheet.room() == 0 || display_width(all) <= sheet.room();
    fits ? sheet.line(all) : sheet.lines(commands);
}

}  // namespace

void write_report_text(Output& out, const chain::Model& model, const ReportOptions& options) {
    const Style& style = options.style;
    const auto add = [&](const std::string& sentence) {
        for (const std::string& line : wrap(sentence, style.columns)) {
            out.append(line);
            out.append('\n');
        }
    };
    for (const chain::FileFact& file : model.capture.files) {
        add(file_line(file, style));
        if (file.cut_off) add("cut off after its last frame [CAP-11]: this report is about what is there");
    }
    if (!model.capture.files.empty()) out.append('\n');
    Sheet sheet(out, style);
    if (options.sections.has(Section::summary)) {
        sheet.section("SUMMARY");
        for (const std::string& line : summary_lines(model, style)) sheet.sentence(line);
    }
    if (options.sections.has(Section::ports)) show(sheet, "PORTS", ports_table(model, options), style);
    if (options.sections.has(Section::sessions)) {
        if (model.sessions.empty()) {
            sheet.section("SESSIONS");
            sheet.sentence(no_sessions(model));
        }
        show(sheet, "SESSIONS", sessions_table(model, options), style);
    }
    if (options.sections.has(Section::chains)) show(sheet, "CHAINS", chains_table(model, options), style);
    if (options.sections.has(Section::streams)) show(sheet, "STREAMS", streams_table(model, options), style);
    if (options.sections.has(Section::findings)) show_findings(sheet, model, options);
    const std::vector<std::string> losses = loss_lines(model.loss);
    if (options.sections.has(Section::loss) && !losses.empty()) {
        sheet.section("LOSS");
        for (const std::string& line : losses) sheet.sentence(line, 2);
    }
    show_next(sheet, model, style);
}

}  // namespace hopscope::exports
