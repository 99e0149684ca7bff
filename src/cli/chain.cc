// hopscope chain FILE… [--session ID]: one user action hop by hop.
#include <unistd.h>

#include <algorithm>

#include "cli/commands.h"
#include "cli/offline.h"
#include "cli/report_error.h"
#include "cli/reveal_options.h"
#include "core/untrusted.h"
#include "export/chain_text.h"
#include "export/otlp.h"
#include "export/report_html.h"
#include "export/report_json.h"

namespace hopscope::cli {
namespace {

// "s7" or "c2" → the chain; without a name, all of them.
Result<std::vector<const chain::Chain*>> chosen(const chain::Model& model, const std::string& id) {
    std::vector<const chain::Chain*> chains;
    for (const chain::Chain& chain : model.chains) {
        const bool member = std::any_of(chain.sessions.begin(), chain.sessions.end(),
                                        [&](std::uint32_t n) { return "s" + std::to_string(n) == id; });
        if (id.empty() || id == chain.id() || member) chains.push_back(&chain);
    }
    if (!chains.empty()) return chains;
    const bool known =
        std::any_of(model.sessions.begin(), model.sessions.end(), [&](const auto& s) { return s->id() == id; });
    Error error{.doing = id.empty() ? "no chain" : "no chain with",
                .subject = id,
                .why = "",
                .hint = "hopscope analyze lists what was seen",
                .code = "CHN-01"};
    error.why = known                    ? "nothing that was captured joins this session with another hop"
                : model.sessions.empty() ? "the capture holds no exec, attach or port-forward"
                                         : "the sessions seen stand alone: only one hop was captured";
    if (!id.empty() && !known) error.why = "the capture holds no such session or chain";
    return unexpected(std::move(error));
}

}  // namespace

int run_chain(const Invocation& invocation) {
    const auto reveal = reveal_of(invocation);
    if (!reveal) {
        report_error(reveal.error());
        return kUsage;
    }
    auto offline = Offline::open(offline_options(invocation));
    if (!offline) {
        report_error(offline.error());
        return exit_code(offline.error());
    }
    (*offline)->run();
    chain::Model& model = (*offline)->model();
    const auto chains = chosen(model, invocation.text("session"));
    if (!chains) {
        report_error(chains.error());
        return kNothingMatched;
    }
    exports::FdOutput out(STDOUT_FILENO, "standard output");
    exports::ReportOptions options;
    options.reveal = *reveal;
    options.style = {.glyphs = glyphs_of(invocation), .colour = colour_of(invocation), .columns = terminal_columns()};
    const std::string format = invocation.format();
    if (format == "json" || format == "html") {
        std::vector<std::uint32_t> numbers;
        for (const chain::Chain* each : *chains) numbers.push_back(each->number);
        std::erase_if(model.chains, [&](const chain::Chain& c) {
            return std::find(numbers.begin(), numbers.end(), c.number) == numbers.end();
        });
        const auto member = [&](std::uint32_t session) {
            return std::any_of(model.chains.begin(), model.chains.end(), [&](const chain::Chain& c) {
                return std::find(c.sessions.begin(), c.sessions.end(), session) != c.sessions.end();
            });
        };
        std::erase_if(model.sessions, [&](const auto& s) { return !member(s->number); });
        std::erase_if(model.findings, [&](const chain::Finding& f) { return !member(f.session); });
        if (format == "html") {
            exports::write_report_html(out, model, options);
        } else {
            exports::write_report_json(out, model,
                                       {.reveal = *reveal, .several_files = (*offline)->files().size() > 1});
        }
    } else {
        for (std::size_t i = 0; i < chains->size(); ++i) {
            if (i > 0 && format != "otlp-json") out.append('\n');
            if (format == "otlp-json") {
                exports::write_chain_otlp(out, model, *(*chains)[i]);
            } else if (format == "mermaid") {
                exports::write_chain_mermaid(out, model, *(*chains)[i], options);
            } else {
                exports::write_chain_text(out, model, *(*chains)[i], options);
            }
        }
    }
    return finish(out, kDone);
}

}  // namespace hopscope::cli
