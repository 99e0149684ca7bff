// hopscope analyze FILE…: one pass over the packets, then the report; NDJSON is written while reading.
#include <unistd.h>

#include <algorithm>

#include "chain/filter.h"
#include "cli/commands.h"
#include "cli/offline.h"
#include "cli/report_error.h"
#include "cli/reveal_options.h"
#include "export/ndjson.h"
#include "export/otlp.h"
#include "export/report_html.h"
#include "export/report_json.h"
#include "export/report_text.h"

namespace hopscope::cli {
namespace {

struct AnalyzeOptions {
    chain::Reveal reveal;
    std::optional<chain::Filter> filter;
    exports::ReportOptions report;
    std::uint64_t memory_bytes = 0;
    std::optional<chain::Severity> fail_on;
};

Result<AnalyzeOptions> options_of(const Invocation& invocation) {
    AnalyzeOptions options;
    const auto reveal = reveal_of(invocation);
    if (!reveal) return unexpected(reveal.error());
    options.reveal = *reveal;
    if (invocation.given("filter")) {
        auto filter = chain::Filter::parse(invocation.text("filter"));
        if (!filter) return unexpected(filter.error());
        options.filter = std::move(*filter);
    }
    const auto memory = parse_size("mem", invocation.text("mem"));
    if (!memory) return unexpected(memory.error());
    options.memory_bytes = *memory;
    const auto top = parse_number("top", invocation.text("top"), 1'000'000'000);
    if (!top) return unexpected(top.error());

    exports::ReportOptions& report = options.report;
    report.reveal = options.reveal;
    report.top = *top;
    report.style = {.glyphs = glyphs_of(invocation), .colour = colour_of(invocation), .columns = terminal_columns()};
    report.sections = exports::Sections::none();
    std::string_view sections =
        invocation.on("section") ? invocation.settings.find("section")->second.values.back() : std::string_view{};
    std::string fallback = invocation.text("section");
    if (sections.empty()) sections = fallback;
    while (!sections.empty()) {
        const std::size_t comma = sections.find(',');
        const std::string_view name = sections.substr(0, comma);
        for (std::size_t i = 0; i < exports::kSections; ++i) {
            const auto section = static_cast<exports::Section>(i);
            if (name == "all" || exports::to_string(section) == name) report.sections.add(section);
        }
        sections = comma == std::string_view::npos ? std::string_view{} : sections.substr(comma + 1);
    }
    const std::string level = invocation.text("fail-on");
    for (auto severity :
         {chain::Severity::info, chain::Severity::notice, chain::Severity::warning, chain::Severity::error}) {
        if (chain::to_string(severity) == level) options.fail_on = severity;
    }
    return options;
}

// Counts what --fail-on and the exit code need, and passes everything on to the NDJSON writer where there is one.
class Watch final : public chain::Observer, public pipeline::EventTap {
public:
    Watch(exports::Ndjson* ndjson, chain::Filter* filter) : ndjson_(ndjson), filter_(filter) {}

    void on(const Event& event, const chain::Place& place) override { ndjson_->event(event, place); }

    void session_opened(const chain::Session& s, const chain::Place& p) override {
        if (ndjson_) ndjson_->session_opened(s, p);
    }
    void stream_opened(const chain::Session& s, const chain::Stream& stream, const chain::Place& p) override {
        if (ndjson_) ndjson_->stream_opened(s, stream, p);
    }
    void stream_data(const chain::Session& s, const chain::Stream& stream, Direction d, Bytes bytes,
                     const chain::Place& p) override {
        if (ndjson_) ndjson_->stream_data(s, stream, d, bytes, p);
    }
    void stream_closed(const chain::Session& s, const chain::Stream& stream, const chain::Place& p) override {
        if (ndjson_) ndjson_->stream_closed(s, stream, p);
    }
    void resized(const chain::Session& s, const chain::Stream& stream, const chain::Resize& size,
                 const chain::Place& p) override {
        if (ndjson_) ndjson_->resized(s, stream, size, p);
    }
    void session_ended(const chain::Session& s, const chain::Place& p) override {
        if (!filter_ || filter_->matches(chain::row_of(s))) ++matches;
        if (ndjson_) ndjson_->session_ended(s, p);
    }
    void finding(const chain::Finding& finding) override {
        worst = std::max(worst.value_or(finding.severity), finding.severity);
        if (ndjson_) ndjson_->finding(finding);
    }

    std::uint64_t matches = 0;
    std::optional<chain::Severity> worst;

private:
    exports::Ndjson* ndjson_;
    chain::Filter* filter_;
};

// Leaves what matches: sessions, the findings and chains that belong to them, and rows that match by themselves.
void apply_filter(chain::Model& model, chain::Filter& filter) {
    std::vector<std::uint32_t> kept;
    std::erase_if(model.sessions, [&](const auto& session) {
        const bool wanted = filter.matches(chain::row_of(*session));
        if (wanted) kept.push_back(session->number);
        return !wanted;
    });
    const auto has = [&](std::uint32_t number) { return std::binary_search(kept.begin(), kept.end(), number); };
    std::sort(kept.begin(), kept.end());
    std::erase_if(model.findings, [&](const chain::Finding& finding) {
        return !has(finding.session) && !filter.matches(chain::row_of(finding));
    });
    std::erase_if(model.chains, [&](const chain::Chain& chain) {
        return std::none_of(chain.sessions.begin(), chain.sessions.end(), has) && !filter.matches(chain::row_of(chain));
    });
    std::erase_if(model.ports, [&](const chain::PortFact& port) { return !filter.matches(chain::row_of(port)); });
}

std::vector<chain::FileFact> start_facts(const std::vector<capture::FileSummary>& files) {
    std::vector<chain::FileFact> facts;
    for (const capture::FileSummary& file : files) {
        chain::FileFact fact;
        fact.name = Untrusted(file.name);
        fact.format = file.format;
        facts.push_back(std::move(fact));
    }
    return facts;
}

bool data_was_lost(const LossCounters& loss) {
    return std::any_of(loss.count.begin(), loss.count.end(), [](std::uint64_t n) { return n > 0; });
}

}  // namespace

int run_analyze(const Invocation& invocation) {
    auto options = options_of(invocation);
    if (!options) {
        report_error(options.error());
        return exit_code(options.error());
    }
    chain::Filter* filter = options->filter ? &*options->filter : nullptr;
    const std::string format = invocation.format();
    const bool ndjson = format == "ndjson";
    const bool text = format == "text" || format == "md";

    exports::FdOutput out(STDOUT_FILENO, "standard output");
    exports::NdjsonOptions line_options;
    line_options.json = {.reveal = options->reveal, .several_files = invocation.arguments.size() > 1};
    line_options.flush_each_line = isatty(STDOUT_FILENO) == 1;
    if (filter) {
        line_options.filter = [filter](const chain::Session* session, const chain::Finding* finding) {
            if (finding && filter->matches(chain::row_of(*finding))) return true;
            return session && filter->matches(chain::row_of(*session));
        };
    }
    exports::Ndjson lines(out, line_options);
    Watch watch(ndjson ? &lines : nullptr, filter);

    OfflineOptions run_options = offline_options(invocation);
    run_options.observer = &watch;
    run_options.tap = ndjson ? &watch : nullptr;
    run_options.output_failed = [&] { return out.failed(); };
    run_options.retention.memory_bytes_max = options->memory_bytes;
    // Text shows a page of sessions: what is not shown needs no memory. NDJSON has told every session when it ended.
    if (ndjson) run_options.retention.sessions_max = kJoinableSessions;
    if (text && !filter && options->report.top > 0)
        run_options.retention.sessions_max = std::max(options->report.top, kJoinableSessions);
    auto offline = Offline::open(run_options);
    if (!offline) {
        report_error(offline.error());
        return exit_code(offline.error());
    }
    Offline& run = **offline;
    if (ndjson)
        lines.start({.files = start_facts(run.files()),
                     .filter = invocation.text("filter"),
                     .partial = run.has_sidecar() ? std::vector<std::string>{}
                                                  : std::vector<std::string>{"processes: not in a capture file"}});
    run.run();
    chain::Model& model = run.model();
    const bool lost = data_was_lost(model.loss);
    if (ndjson) {
        lines.end(model);
    } else {
        line_options.json.several_files = run.files().size() > 1;
        if (filter) apply_filter(model, *filter);
        if (format == "json") exports::write_report_json(out, model, line_options.json);
        if (format == "text") exports::write_report_text(out, model, options->report);
        if (format == "html") exports::write_report_html(out, model, options->report);
        if (format == "otlp-json") {
            for (const chain::Chain& chain : model.chains) exports::write_chain_otlp(out, model, chain);
        }
        if (format == "md") exports::write_report_markdown(out, model, options->report);
    }
    out.flush();
    if (const Status written = out.status(); !written) {
        if (written.error().code == "OUT-01") return kDone;  // the reader has what it wanted
        report_error(written.error());
        return kFailed;
    }
    if (invocation.on("strict") && run.damaged()) return kUnreadable;
    if (invocation.on("strict") && lost) return kDataLost;
    if (options->fail_on && watch.worst && *watch.worst >= *options->fail_on) return kFindings;
    if (filter && watch.matches == 0) {
        report_note(filter->explain_no_match(), "");
        return kNothingMatched;
    }
    return kDone;
}

}  // namespace hopscope::cli
