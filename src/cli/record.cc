// hopscope record: packets of the node's streaming connections into a pcapng file, masked unless told otherwise.
#include <linux/capability.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstdlib>
#include <unordered_set>
#include <vector>

#include "cli/commands.h"
#include "cli/live_inputs.h"
#include "cli/live_options.h"
#include "cli/live_owners.h"
#include "cli/live_sources.h"
#include "cli/offline.h"
#include "cli/privileges.h"
#include "cli/report_error.h"
#include "cli/tls_key_files.h"
#include "core/limits.h"
#include "core/untrusted.h"
#include "decode/tls/tls.h"
#include "export/human.h"
#include "pipeline/live_runner.h"
#include "record/recorder.h"

namespace hopscope::cli {
namespace {

using record::Recorder;
using record::RecordPayload;

struct RecordOptions {
    LiveOptions live;
    record::RecorderOptions recorder;
    std::string user;
    bool until_session = false;
};

std::string_view level_text(RecordPayload payload) {
    switch (payload) {
        case RecordPayload::none: return "no payload";
        case RecordPayload::headers: return "payload masked";
        case RecordPayload::full: return "payload NOT masked";
    }
    return {};
}

Unexpected<Error> usage(std::string doing, std::string why, std::string hint) {
    return unexpected(Error{
        .doing = std::move(doing), .subject = {}, .why = std::move(why), .hint = std::move(hint), .code = "USE-01"});
}

Result<RecordOptions> record_options(const Invocation& invocation) {
    auto live = live_options(invocation);
    if (!live) return unexpected(live.error());
    RecordOptions options{.live = std::move(*live), .recorder = {}, .user = invocation.text("user")};
    record::RecordingFilesOptions& files = options.recorder.files;
    files.name = invocation.text("write");
    files.overwrite = invocation.on("force");
    if (files.name.empty()) return usage("record", "no file is named", "hopscope record -w FILE.pcapng");
    const std::string payload = invocation.text("payload");
    options.recorder.payload = payload == "none"   ? RecordPayload::none
                               : payload == "full" ? RecordPayload::full
                                                   : RecordPayload::headers;
    if (invocation.given("file-size")) {
        const auto size = parse_size("file-size", invocation.text("file-size"));
        if (!size) return unexpected(size.error());
        if (*size < 4096) return usage("--file-size", "less than 4 KiB", "at least 4KiB; 100MiB is usual");
        files.file_bytes_max = *size;
    }
    if (invocation.given("file-time")) {
        const auto span = parse_duration("file-time", invocation.text("file-time"));
        if (!span) return unexpected(span.error());
        if (span->ns < 1'000'000'000) return usage("--file-time", "less than a second", "60s, 10m, 1h");
        files.file_time = *span;
    }
    if (invocation.given("files")) {
        const auto count = parse_number("files", invocation.text("files"), 100'000);
        if (!count) return unexpected(count.error());
        files.files_max = *count;
    }
    const bool ring = files.file_bytes_max > 0 || files.file_time;
    if (files.files_max > 0 && !ring)
        return usage("--files", "there is one file only without a size or a time", "-C 100MiB or -G 10m");
    const std::string unix_sockets = invocation.text("unix");
    files.unix_sockets = unix_sockets == "embed" ? record::RecordUnix::embed
                         : unix_sockets == "off" ? record::RecordUnix::off
                                                 : record::RecordUnix::sidecar;
    if (files.name == "-" && files.unix_sockets == record::RecordUnix::sidecar) {
        if (invocation.given("unix"))
            return usage("--unix sidecar", "standard output is one file", "--unix embed, or a file's name for -w");
        files.unix_sockets = record::RecordUnix::off;
    }
    options.until_session = invocation.on("until-session");
    if (ring && files.name == "-") return usage("-w -", "standard output is one file", "name a file for -C and -G");
    return options;
}

// One run: everything that lives as long as the loop.
class Recording final : public chain::Observer {
public:
    Recording(const Invocation& invocation, RecordOptions options)
        : invocation_(invocation),
          options_(std::move(options)),
          owners_(options_.live.host_root),
          kernel_(owners_),
          pods_(owners_, kernel_) {}

    Status open();
    int run();

    void session_opened(const chain::Session& session, const chain::Place&) override {
        kernel_.watch_end(session);
        chain::Ends ends = owners_.ends_of(session);
        recorder_->name(session.client, session.server, ends);
        know(ends.from);
        know(ends.to);
        if (!ends.from || !ends.to) {
            if (waiting_.size() < limits::kLiveWaitingMax) waiting_.push_back(session.number);
        }
        if (ends.from || ends.to) pipeline_->builder().name_ends(session.number, std::move(ends));
    }
    void session_ended(const chain::Session& session, const chain::Place&) override {
        owners_.forget(session.number);
        ++sessions_over_;
    }

private:
    Status give_up_privileges() const;
    Status open_kernel();
    void know(const std::optional<chain::Process>& process);
    void know_table();
    void name_waiting();
    void on_tick(Timestamp now);
    void count_drops();
    [[nodiscard]] std::uint64_t lost() const;
    [[nodiscard]] std::string summary() const;
    void write_end();

    const Invocation& invocation_;
    RecordOptions options_;
    decode::TlsKeys keys_;
    LiveOwners owners_;
    LiveKernel kernel_;
    PodCaptures pods_;
    std::unique_ptr<Recorder> recorder_;
    std::unique_ptr<LiveSources> sources_;
    std::unique_ptr<pipeline::Pipeline> pipeline_;
    std::vector<std::uint32_t> waiting_;           // sessions with an end that is not known yet
    std::unordered_set<std::uint32_t> told_pids_;  // of ends of unix sockets
    std::uint64_t sessions_over_ = 0;
    std::size_t inputs_failed_ = 0;
};

Status Recording::open() {
    if (options_.live.pod_networks)
        pods_.start(options_.live.host_root);
    else
        pods_.off();
    if (Status read = add_tls_key_files(options_.live.tls_key_files, keys_); !read) return read;
    owners_.start(!options_.live.sources.net_namespaces.empty());
    if (options_.live.ebpf != "off") {
        Status watched = owners_.watch([this](const SocketLife& life) {
            kernel_.on(life);
            // Of all connections of the node those that a runtime makes: into pods, for port-forwards.
            if (recorder_ && kernel_.may_forward(life)) recorder_->on(life);
        });
        if (!watched && options_.live.ebpf == "require") return watched;
        if (!watched) report_note("processes of short connections: no eBPF, " + watched.error().why, "");
    }
    if (Status opened = open_kernel(); !opened) return opened;
    auto sources = LiveSources::open(options_.live.sources, owners_.component_ports(), owners_.kubelet_addresses(),
                                     [](const Error& error) { report_error(error); });
    if (!sources) return unexpected(sources.error());
    sources_ = std::move(*sources);
    options_.recorder.may_hold_copies = sources_->all().size() > 1;
    ::umask(077);
    auto recorder = Recorder::open(options_.recorder);
    if (!recorder) return unexpected(recorder.error());
    recorder_ = std::move(*recorder);
    for (const auto& source : sources_->all()) {
        if (Status added = recorder_->add_interface(source->info()); !added) return added;
    }
    know_table();
    pods_.pass_on_to(recorder_->tap(), *this);
    pods_.also_tell([this](const capture::InterfaceInfo& network) { recorder_->add_interface_later(network); },
                    [this](const Packet& packet) { recorder_->on_forwarded(packet); });
    pipeline_ = std::make_unique<pipeline::Pipeline>(pipeline::Options{
        .retention = live_retention(options_.live.memory_bytes_max),
        .tls_keys = &keys_,
        .tap = &pods_,
        .observer = &pods_,
        .first_is_client = [this](const Endpoint& first,
                                  const Endpoint& second) { return kernel_.first_is_client(first, second); },
        .may_hold_copies = options_.recorder.may_hold_copies});
    return give_up_privileges();
}

// Where nothing can be watched there is nothing to put beside the packets.
Status Recording::open_kernel() {
    record::RecordUnix& unix_sockets = options_.recorder.files.unix_sockets;
    if (unix_sockets == record::RecordUnix::off) return Done{};
    Status opened = kernel_.open({.ebpf = options_.live.ebpf != "off",
                                  .required = options_.live.ebpf == "require",
                                  .unix_payload = true,
                                  .tap_ring_bytes = options_.live.tap_ring_bytes,
                                  .also_chunk =
                                      [this](const StreamChunk& chunk) {
                                          recorder_->on(chunk);
                                          for (const std::uint32_t pid : {chunk.client_pid, chunk.server_pid}) {
                                              if (told_pids_.size() >= limits::kBookParentsMax) told_pids_.clear();
                                              if (pid != 0 && told_pids_.insert(pid).second)
                                                  know(kernel_.process_of(pid));
                                          }
                                      },
                                  .also_process =
                                      [this](const ProcessEvent& event) {
                                          if (event.kind == ProcessEvent::Kind::exit)
                                              told_pids_.erase(event.process.pid);
                                          recorder_->on(event);
                                      }});
    if (!kernel_.is_open()) unix_sockets = record::RecordUnix::off;
    return opened;
}

void Recording::know(const std::optional<chain::Process>& process) {
    if (!process) return;
    Process known;
    known.id.pid = process->pid;
    known.comm = process->comm;
    known.exe = process->exe;
    recorder_->know(known);
}

// Who may start programs in containers, or be an end of a connection.
void Recording::know_table() {
    for (const Process& process : owners_.table().processes) {
        if (process.role != ProcessRole::unknown || !process.container_id.empty()) recorder_->know(process);
    }
    for (const ContainerNames& names : owners_.containers()) recorder_->know(names);
}

Status Recording::give_up_privileges() const {
    const bool other_net_namespaces = !options_.live.sources.net_namespaces.empty();
    PrivilegeOptions privileges{.user = options_.user, .keep = capabilities_for_owners(other_net_namespaces)};
    const record::RecordingFilesOptions& files = options_.recorder.files;
    if (files.file_bytes_max > 0 || files.file_time) {
        // The next file may go into a directory of the person who called sudo, and is given to them.
        privileges.keep.push_back(CAP_DAC_OVERRIDE);
        if (std::getenv("SUDO_UID") != nullptr) privileges.keep.push_back(CAP_CHOWN);
    }
    return go_on_with_least(privileges);
}

// Owners that were found after the session had begun.
void Recording::name_waiting() {
    const auto& sessions = pipeline_->model().sessions;
    std::erase_if(waiting_, [&](std::uint32_t number) {
        const auto found = std::find_if(sessions.rbegin(), sessions.rend(),
                                        [number](const auto& each) { return each && each->number == number; });
        if (found == sessions.rend()) return true;
        const chain::Session& session = **found;
        if (session.ends) {
            recorder_->name(session.client, session.server, *session.ends);
            know(session.ends->from);
            know(session.ends->to);
        }
        return session.over || (session.ends && session.ends->from && session.ends->to);
    });
}

std::uint64_t Recording::lost() const {
    const chain::Model& model = pipeline_->model();
    return model.loss[LossPlace::kernel];
}

void Recording::count_drops() {
    if (const std::uint64_t lost_signs = owners_.newly_lost() + kernel_.newly_lost(); lost_signs > 0) {
        pipeline_->lost(LossPlace::ring, lost_signs);
        recorder_->on(UnixLoss{pipeline_->model().capture.last.value_or(Timestamp{}), lost_signs});
    }
    if (const std::uint64_t dropped = sources_->newly_dropped() + pods_.newly_dropped(); dropped > 0)
        pipeline_->lost(LossPlace::kernel, dropped);
}

void Recording::on_tick(Timestamp now) {
    count_drops();
    owners_.take_signs(pipeline_->builder());
    for (const auto& [client, server] : owners_.over(pipeline_->model(), now)) {
        pipeline_->ended_unseen(client, server, now);
        recorder_->ended_unseen(client, server);
    }
    kernel_.tick(*pipeline_, now);
    if (owners_.refresh(pipeline_->builder())) {
        const Result<bool> changed = sources_->follow(owners_.component_ports(), now);
        if (!changed) report_error(changed.error());
        if (const Status followed = kernel_.follow(*pipeline_, now); !followed) report_error(followed.error());
        know_table();
        pods_.follow();
    }
    pods_.tick(now);
    name_waiting();
    recorder_->tick(now);
}

std::string Recording::summary() const {
    const record::RecorderCounts counts = recorder_->counts();
    const std::string& name = options_.recorder.files.name;
    std::string text = exports::counted(counts.packets, "packet") + " in ";
    text += counts.files > 1 ? exports::counted(counts.files, "file") + ", the newest is " + display(recorder_->file())
                             : (name == "-" ? "standard output" : display(recorder_->file()));
    text += " (" + exports::file_size(counts.bytes) + ", " + std::string(level_text(options_.recorder.payload)) + "), ";
    if (counts.unix_pieces > 0) text += exports::counted(counts.unix_pieces, "piece") + " of unix sockets, ";
    if (counts.process_events > 0) text += exports::counted(counts.process_events, "process event") + ", ";
    text += exports::grouped(lost()) + " lost";
    if (lost() > 0)
        text += "; a larger ring helps: --buffer " + exports::file_size(options_.live.sources.ring_bytes * 2);
    return text;
}

void Recording::write_end() {
    recorder_->finish();
    const Timestamp at = pipeline_->model().capture.last.value_or(Timestamp{});
    for (const auto& source : sources_->all()) {
        const capture::LiveCounters counters = source->counters();
        if (const Status written =
                recorder_->write_statistics(source->info().number, at, counters.received, counters.dropped);
            !written)
            break;
    }
    for (const auto& [number, counters] : pods_.totals()) {
        if (!recorder_->write_statistics(number, at, counters.received, counters.dropped)) break;
    }
    if (const Status closed = recorder_->close(); !closed) report_error(closed.error());
}

int Recording::run() {
    std::string where;
    for (const std::string& name : sources_->names()) where += (where.empty() ? "" : ", ") + name;
    report_note("recording " + where + " (" + sources_->filter() + ") to " + display(options_.recorder.files.name) +
                    ", " + std::string(level_text(options_.recorder.payload)),
                "");
    for (const std::string& missing : owners_.limits()) report_note(missing, "");
    for (const std::string& missing : kernel_.missing()) report_note(missing, "");
    if (const std::string missing = pods_.missing(); !missing.empty()) report_note(missing, "");
    if (options_.recorder.files.unix_sockets == record::RecordUnix::off)
        report_note("unix sockets: not recorded" +
                        std::string(options_.recorder.files.name == "-" ? ", standard output is one file" : ""),
                    "");
    pipeline::LiveRunner runner(*pipeline_, {.after_turn = {},
                                             .on_tick = [this](Timestamp now) { on_tick(now); },
                                             .enough =
                                                 [this] {
                                                     return !recorder_->status() ||
                                                            inputs_failed_ == sources_->all().size() ||
                                                            (options_.until_session && sessions_over_ > 0);
                                                 },
                                             .on_status = [this] { report_note(summary(), ""); },
                                             .input_over =
                                                 [this](const std::string&, const Error& error) {
                                                     ++inputs_failed_;
                                                     report_error(error);
                                                 }});
    add_live_inputs(runner, {owners_, kernel_, *sources_, pods_, *pipeline_},
                    [this](const Packet& packet) { recorder_->on(packet); });
    const auto end = runner.run(options_.live.at_most);
    if (!end) report_error(end.error());
    kernel_.finish(*pipeline_);
    pods_.finish();
    count_drops();
    pipeline_->finish();
    name_waiting();
    write_end();
    report_note(summary(), "");
    if (const std::string trouble = pods_.trouble(); !trouble.empty()) report_note(trouble, "");
    if (!end || !recorder_->status() || inputs_failed_ > 0) return kFailed;
    return invocation_.on("strict") && lost() > 0 ? kDataLost : kDone;
}

}  // namespace

int run_record(const Invocation& invocation) {
    const auto fail = [](const Error& error) {
        report_error(error);
        return exit_code(error);
    };
    auto options = record_options(invocation);
    if (!options) return fail(options.error());
    Recording recording(invocation, std::move(*options));
    if (const Status opened = recording.open(); !opened) return fail(opened.error());
    return recording.run();
}

}  // namespace hopscope::cli
