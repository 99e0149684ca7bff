#include "export/report_text.h"

namespace hopscope::exports {
namespace {

void heading(Output& out, std::string_view title) {
    out.append("\n## ");
    out.append(title);
    out.append("\n\n");
}

void show(Output& out, std::string_view title, const ShownTable& shown) {
    if (shown.table.empty()) return;
    heading(out, title);
    out.append(shown.table.markdown());
    if (shown.more.empty()) return;
    out.append("\n");
    out.append(markdown_text(shown.more));
    out.append("\n");
}

void item(Output& out, const std::string& text) {
    out.append("- ");
    out.append(markdown_text(text));
    out.append("\n");
}

void show_findings(Output& out, const chain::Model& model, const ReportOptions& options) {
    if (model.findings.empty()) return;
    Table table({{.title = ""}, {.title = "CODE"}, {.title = "FINDING"}, {.title = "FIX"}});
    const auto findings = shown_findings(model, options.top);
    for (const chain::Finding* finding : findings)
        table.row({std::string(severity_glyph(finding->severity, options.style.glyphs)), finding->code,
                   finding_sentence(*finding, model, options.style), display(finding->remedy, options.style.glyphs)});
    const std::size_t more = model.findings.size() - findings.size();
    show(out, "Findings", {std::move(table), more == 0 ? "" : std::to_string(more) + " more: --top 0 shows all"});
}

}  // namespace

void write_report_markdown(Output& out, const chain::Model& model, const ReportOptions& options) {
    out.append("# hopscope report\n\n");
    for (const chain::FileFact& file : model.capture.files)
        item(out, file_line(file, options.style) + (file.cut_off ? ", cut off (CAP-11)" : ""));
    const Sections& sections = options.sections;
    if (sections.has(Section::summary)) {
        heading(out, "Summary");
        for (const std::string& line : summary_lines(model, options.style)) item(out, line);
    }
    if (sections.has(Section::ports)) show(out, "Ports", ports_table(model, options));
    if (sections.has(Section::sessions)) {
        if (model.sessions.empty()) {
            heading(out, "Sessions");
            item(out, no_sessions(model));
        }
        show(out, "Sessions", sessions_table(model, options));
    }
    if (sections.has(Section::chains)) show(out, "Chains", chains_table(model, options));
    if (sections.has(Section::streams)) show(out, "Streams", streams_table(model, options));
    if (sections.has(Section::findings)) show_findings(out, model, options);
    const std::vector<std::string> losses = loss_lines(model.loss);
    if (sections.has(Section::loss) && !losses.empty()) {
        heading(out, "Loss");
        for (const std::string& line : losses) item(out, line);
    }
}

}  // namespace hopscope::exports
