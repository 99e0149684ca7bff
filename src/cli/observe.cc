// hopscope observe: what happens on the node's streaming connections, event by event, until it is stopped.
#include <linux/capability.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>

#include "chain/filter.h"
#include "cli/commands.h"
#include "cli/live_inputs.h"
#include "cli/live_kernel.h"
#include "cli/live_options.h"
#include "cli/live_owners.h"
#include "cli/live_sources.h"
#include "cli/live_watch.h"
#include "cli/offline.h"
#include "cli/privileges.h"
#include "cli/report_error.h"
#include "cli/reveal_options.h"
#include "cli/tls_key_files.h"
#include "core/limits.h"
#include "decode/tls/tls.h"
#include "export/human.h"
#include "pipeline/live_runner.h"

namespace hopscope::cli {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t kLineColumnsMax = 120;  // on a terminal that is wider, too: one event is one glance

std::string node_name() {
    utsname names{};
    return ::uname(&names) == 0 ? names.nodename : "";
}

LiveFormat format_of(const Invocation& invocation) {
    const std::string format = invocation.format();
    if (format == "json" || format == "ndjson") return LiveFormat::json;
    return format == "otlp-json" ? LiveFormat::otlp : LiveFormat::text;
}

// One run: everything that lives as long as the loop.
class Observation {
public:
    Observation(const Invocation& invocation, LiveOptions options, chain::Reveal reveal,
                std::optional<chain::Filter> filter)
        : invocation_(invocation),
          options_(std::move(options)),
          filter_(std::move(filter)),
          out_(STDOUT_FILENO, "standard output"),
          owners_(options_.host_root),
          kernel_(owners_),
          pods_(owners_, kernel_),
          watch_(out_, {.format = format_of(invocation),
                        .reveal = reveal,
                        .style = {.glyphs = glyphs_of(invocation),
                                  .colour = colour_of(invocation),
                                  .columns = std::min(terminal_columns(), kLineColumnsMax)},
                        .filter = filter_ ? &*filter_ : nullptr,
                        .owners = &owners_,
                        .kernel = &kernel_}) {}

    Status open();
    int run();

private:
    void on_tick(Timestamp now);
    void count_drops();
    [[nodiscard]] std::vector<std::string> partial() const;
    [[nodiscard]] std::string summary() const;
    void tell_losses() const;
    [[nodiscard]] int exit_status();

    const Invocation& invocation_;
    LiveOptions options_;
    std::optional<chain::Filter> filter_;
    exports::FdOutput out_;
    decode::TlsKeys keys_;
    LiveOwners owners_;
    LiveKernel kernel_;
    PodCaptures pods_;
    LiveWatch watch_;
    std::unique_ptr<LiveSources> sources_;
    std::unique_ptr<pipeline::Pipeline> pipeline_;
    Clock::time_point begun_ = Clock::now();
    std::string without_ebpf_;  // why not; empty: not asked for, or there
    std::size_t inputs_failed_ = 0;
};

Status Observation::open() {
    if (options_.pod_networks)
        pods_.start(options_.host_root);
    else
        pods_.off();
    if (Status read = add_tls_key_files(options_.tls_key_files, keys_); !read) return read;
    owners_.start(!options_.sources.net_namespaces.empty());
    if (options_.ebpf != "off") {
        Status watched = owners_.watch([this](const SocketLife& life) { kernel_.on(life); });
        if (!watched && options_.ebpf == "require") return watched;
        if (!watched) without_ebpf_ = watched.error().why;
        if (!watched) kernel_.without_connections("not watched, no eBPF, " + without_ebpf_);
    } else {
        kernel_.without_connections("not watched, --ebpf off");
    }
    if (Status opened = kernel_.open({.ebpf = options_.ebpf != "off",
                                      .required = options_.ebpf == "require",
                                      .unix_payload = invocation_.text("unix-payload") == "on",
                                      .tap_ring_bytes = options_.tap_ring_bytes,
                                      .host_root = options_.host_root});
        !opened)
        return opened;
    auto sources = LiveSources::open(options_.sources, owners_.component_ports(), owners_.kubelet_addresses(),
                                     [](const Error& error) { report_error(error); });
    if (!sources) return unexpected(sources.error());
    sources_ = std::move(*sources);
    pipeline_ = std::make_unique<pipeline::Pipeline>(pipeline::Options{
        .retention = live_retention(options_.memory_bytes_max),
        .tls_keys = &keys_,
        .tap = &pods_,
        .observer = &pods_,
        .first_is_client = [this](const Endpoint& first,
                                  const Endpoint& second) { return kernel_.first_is_client(first, second); },
        .may_hold_copies = sources_->all().size() > 1});
    pipeline_->builder().chain_single_sessions();
    watch_.attach(*pipeline_);
    pods_.pass_on_to(watch_, watch_);
    owners_.name_containers(pipeline_->builder());
    PrivilegeOptions least{.user = invocation_.text("user"),
                           .keep = capabilities_for_owners(!options_.sources.net_namespaces.empty())};
    least.keep.push_back(CAP_NET_RAW);  // an interface that appears later is captured, too
    return go_on_with_least(least);
}

std::vector<std::string> Observation::partial() const {
    std::vector<std::string> missing = kernel_.missing();
    if (!without_ebpf_.empty()) missing.push_back("processes of short connections: no eBPF, " + without_ebpf_);
    if (owners_.component_ports().empty() && !options_.sources.all_ports)
        missing.emplace_back("streaming ports: no kubelet or container runtime was found; --port N names one");
    if (std::string pods = pods_.missing(); !pods.empty()) missing.push_back(std::move(pods));
    for (std::string& limit : owners_.limits()) missing.push_back(std::move(limit));
    return missing;
}

void Observation::count_drops() {
    if (const std::uint64_t lost = owners_.newly_lost() + kernel_.newly_lost(); lost > 0)
        pipeline_->lost(LossPlace::ring, lost);
    if (const std::uint64_t dropped = sources_->newly_dropped() + pods_.newly_dropped(); dropped > 0)
        pipeline_->lost(LossPlace::kernel, dropped);
}

void Observation::on_tick(Timestamp now) {
    count_drops();
    owners_.take_signs(pipeline_->builder());  // what only waits for time
    for (const auto& [client, server] : owners_.over(pipeline_->model(), now))
        pipeline_->ended_unseen(client, server, now);
    kernel_.tick(*pipeline_, now);
    if (owners_.refresh(pipeline_->builder())) {
        const Result<bool> changed = sources_->follow(owners_.component_ports(), now);
        if (!changed) report_error(changed.error());
        if (const Status followed = kernel_.follow(*pipeline_, now); !followed) report_error(followed.error());
        pods_.follow();
    }
    pods_.tick(now);
    watch_.tick(now);
}

std::string Observation::summary() const {
    const chain::Model& model = pipeline_->model();
    const double seconds = std::chrono::duration<double>(Clock::now() - begun_).count();
    const std::uint64_t lost = model.loss[LossPlace::kernel] + model.loss[LossPlace::ring];
    char time[32];
    std::snprintf(time, sizeof time, "%.1f s", seconds);
    std::string text = exports::counted(model.sessions_seen, "session");
    if (const std::uint64_t open = model.sessions_seen - watch_.sessions_over(); open > 0)
        text += " (" + exports::grouped(open) + " open)";
    text += ", " + exports::counted(watch_.lines(), "event") + ", " + exports::grouped(lost) + " lost";
    if (lost > 0) text += " of " + exports::counted(model.capture.packets + lost, "packet");
    return text + ", " + time;
}

// Every counter that is not zero, and the remedy of the most frequent one.
void Observation::tell_losses() const {
    const LossCounters loss = losses_of(pipeline_->model());
    std::string text;
    for (std::size_t i = 0; i < kLossPlaces; ++i) {
        if (loss.count[i] > 0)
            text += (text.empty() ? "" : ", ") + std::string(to_string(static_cast<LossPlace>(i))) + " " +
                    exports::grouped(loss.count[i]);
    }
    if (text.empty()) return;
    if (loss[LossPlace::kernel] > 0)
        text += "; a larger ring helps: --buffer " + exports::file_size(options_.sources.ring_bytes * 2);
    if (kernel_.tap_lost() > 0)
        text += "; a larger ring for sockets' bytes helps: --ebpf-ring " +
                exports::file_size(std::uint64_t{options_.tap_ring_bytes} * 2);
    report_note("lost: " + text, "");
}

int Observation::exit_status() {
    if (const int code = finish(out_, kDone); code != kDone) return code;
    if (inputs_failed_ > 0) return kFailed;
    const LossCounters loss = losses_of(pipeline_->model());
    const bool lost = std::any_of(loss.count.begin(), loss.count.end(), [](std::uint64_t n) { return n > 0; });
    return invocation_.on("strict") && lost ? kDataLost : kDone;
}

int Observation::run() {
    watch_.start({.at = pipeline::wall_clock(),
                  .node = node_name(),
                  .interfaces = sources_->names(),
                  .filter = invocation_.text("filter"),
                  .partial = partial()});
    if (format_of(invocation_) == LiveFormat::text) {
        std::string where;
        for (const std::string& name : sources_->names()) where += (where.empty() ? "" : ", ") + name;
        report_note("capturing on " + where + ": " + sources_->filter(), "");
        for (const std::string& missing : partial()) report_note(missing, "");
    }
    pipeline::LiveRunner runner(
        *pipeline_, {.after_turn = [this] { watch_.turn(pipeline_->model().capture.last.value_or(Timestamp{})); },
                     .on_tick = [this](Timestamp now) { on_tick(now); },
                     .enough =
                         [this] {
                             return out_.failed() || inputs_failed_ == sources_->all().size() ||
                                    (options_.lines_max > 0 && watch_.lines() >= options_.lines_max);
                         },
                     .on_status = [this] { report_note(summary(), ""); },
                     .input_over =
                         [this](const std::string&, const Error& error) {
                             ++inputs_failed_;
                             report_error(error);
                         }});
    add_live_inputs(runner, {owners_, kernel_, *sources_, pods_, *pipeline_});
    begun_ = Clock::now();
    const auto end = runner.run(options_.at_most);
    if (!end) report_error(end.error());
    kernel_.finish(*pipeline_);
    pods_.finish();
    count_drops();
    pipeline_->finish();
    watch_.finish();
    report_note(summary(), "");
    if (const std::string trouble = pods_.trouble(); !trouble.empty()) report_note(trouble, "");
    tell_losses();
    return end ? exit_status() : kFailed;
}

}  // namespace

int run_observe(const Invocation& invocation) {
    const auto fail = [](const Error& error) {
        report_error(error);
        return exit_code(error);
    };
    auto options = live_options(invocation);
    if (!options) return fail(options.error());
    const auto reveal = reveal_of(invocation);
    if (!reveal) return fail(reveal.error());
    std::optional<chain::Filter> filter;
    if (invocation.given("filter")) {
        auto parsed = chain::Filter::parse(invocation.text("filter"));
        if (!parsed) return fail(parsed.error());
        filter = std::move(*parsed);
    }
    Observation observation(invocation, std::move(*options), *reveal, std::move(filter));
    if (const Status opened = observation.open(); !opened) return fail(opened.error());
    return observation.run();
}

}  // namespace hopscope::cli
