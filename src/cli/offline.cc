#include "cli/offline.h"

#include <unistd.h>

#include <algorithm>
#include <map>

#include "capture/stream_source.h"
#include "cli/progress.h"
#include "cli/recorded_kernel.h"
#include "cli/report_error.h"
#include "cli/tls_key_files.h"
#include "core/limits.h"
#include "core/untrusted.h"
#include "pipeline/pod_legs.h"
#include "record/recorder_comment.h"
#include "record/sidecar.h"

namespace hopscope::cli {
namespace {

std::string link_name(LinkType type) {
    switch (type) {
        case LinkType::null: return "BSD loopback";
        case LinkType::ethernet: return "Ethernet";
        case LinkType::raw_bsd:
        case LinkType::raw_openbsd:
        case LinkType::raw: return "raw IP";
        case LinkType::loop: return "OpenBSD loopback";
        case LinkType::linux_sll: return "Linux cooked";
        case LinkType::ipv4: return "raw IPv4";
        case LinkType::ipv6: return "raw IPv6";
        case LinkType::upper_pdu: return "unix sockets";
        case LinkType::linux_sll2: return "Linux cooked v2";
    }
    return "link type " + std::to_string(static_cast<int>(type));
}

}  // namespace

struct Offline::State {
    OfflineOptions options;
    decode::TlsKeys keys;
    std::unique_ptr<capture::Reader> reader;                      // null: only recorded sockets were named
    std::vector<std::unique_ptr<capture::StreamSource>> sources;  // recorded unix sockets
    std::vector<std::string> capture_names, source_names;
    std::vector<std::string> source_formats;
    // Parts of one recording have their connections in common, by number: those of its first part. By file, of captures
    // and sources.
    std::map<std::uint64_t, std::uint16_t> recordings;  // by what they are called: file of the first part named
    std::map<std::uint16_t, std::uint16_t> first_part;
    std::map<std::uint16_t, record::RecordingPart> parts;  // of sources
    RecordedKernel kernel;
    bool has_sidecar = false;
    bool has_unix = false;  // among the packets
    std::unique_ptr<pipeline::Pipeline> pipeline;
    std::vector<std::pair<std::optional<Timestamp>, std::optional<Timestamp>>> spans;  // first and last packet, by file
    bool damaged = false;
    // Owners that a recording tells, by client and server, with the packet that they were told on.
    struct Told {
        std::uint16_t file = 0;
        std::uint64_t frame = 0;
        chain::Ends ends;
    };
    std::multimap<std::pair<Endpoint, Endpoint>, Told> owners;
    std::map<std::uint64_t, std::unique_ptr<pipeline::PodLegs>> legs_by_network;
    std::vector<pipeline::PodLegs*> pods;  // by interface; null: no pod's

    void learn_owners(const capture::FileNote& note) {
        auto comment = record::parse_comment(note.text);
        if (!comment || owners.size() >= limits::kRecordOwnersMax) return;
        owners.emplace(std::pair{comment->client, comment->server},
                       Told{note.file, note.frame, std::move(comment->ends)});
    }

    // Of a connection whose addresses were used again, the last that was told before the session's end.
    void name_owners() {
        if (owners.empty()) return;
        for (const auto& session : pipeline->model().sessions) {
            if (!session || session->ends) continue;
            const auto [begin, end] = owners.equal_range({session->client, session->server});
            const Told* told = nullptr;
            for (auto each = begin; each != end; ++each) {
                const Told& candidate = each->second;
                if (candidate.file == session->file && candidate.frame <= session->last_frame) told = &candidate;
            }
            if (told) pipeline->builder().name_ends(session->number, told->ends);
        }
    }

    void note(const capture::FileNote& note) {
        switch (note.kind) {
            case capture::FileNote::Kind::secrets: keys.add(note.text); break;
            case capture::FileNote::Kind::drops:
                if (pipeline) pipeline->lost(LossPlace::kernel, note.count);
                break;
            case capture::FileNote::Kind::trouble:
                damaged = true;
                if (options.announce_trouble) report_note(display(note.text), note.code);
                break;
            case capture::FileNote::Kind::comment: learn_owners(note); break;
        }
    }

    Status open_reader() {
        auto opened = capture::Reader::open(capture_names, [this](const capture::FileNote& told) { note(told); });
        if (!opened) return unexpected(opened.error());
        reader = std::move(*opened);
        return Done{};
    }

    void take(const Packet& packet) {
        auto& [first, last] = spans[packet.file];
        if (!first) first = packet.at;
        last = packet.at;
        if (packet.link_type == LinkType::upper_pdu) {
            has_unix = true;
            const capture::UnixRecord record = capture::decode_unix_record(packet);
            if (const auto* chunk = std::get_if<StreamChunk>(&record))
                take(*chunk);
            else
                take(record);
            return;
        }
        if (pipeline::PodLegs* legs = pod_legs(packet.interface))
            legs->on(packet);
        else
            pipeline->on(packet);
    }

    // Of the interface, where it is one of a pod's network: what was captured there for port-forwards.
    pipeline::PodLegs* pod_legs(std::uint32_t interface) {
        if (interface >= pods.size()) {
            std::size_t known = interface + std::size_t{1};
            std::map<std::uint32_t, std::uint64_t> networks;
            for (const capture::FileSummary& file : reader->files()) {
                for (const capture::InterfaceInfo& info : file.interfaces) {
                    known = std::max(known, info.number + std::size_t{1});
                    networks[info.number] = capture::pod_network_of(info.description);
                }
            }
            pods.resize(known, nullptr);
            for (const auto& [number, network] : networks) {
                if (network != 0) pods[number] = legs_in(network);
            }
        }
        return pods[interface];
    }

    // One for each namespace: a file may declare its interface anew, and so may the next of a ring.
    pipeline::PodLegs* legs_in(std::uint64_t network) {
        auto& legs = legs_by_network[network];
        if (!legs)
            legs =
                std::make_unique<pipeline::PodLegs>(network, [this](const chain::ForwardLeg& leg) { kernel.on(leg); });
        return legs.get();
    }

    void take(StreamChunk chunk) {
        if (const auto known = first_part.find(chunk.file); known != first_part.end()) chunk.file = known->second;
        pipeline->on(chunk);
    }

    void take(const capture::UnixRecord& record) {
        if (const auto* loss = std::get_if<UnixLoss>(&record))
            pipeline->lost(LossPlace::ring, loss->records);
        else
            kernel.on(record, pipeline->builder());
    }

    // Its connections have the numbers of the parts before it.
    void is_part(std::uint16_t file, const record::RecordingPart& part) {
        const auto [known, fresh] = recordings.emplace(part.recording, file);
        first_part[file] = known->second;
    }

    Status add_source(Result<std::unique_ptr<capture::StreamSource>> source, const std::string& name,
                      const std::string& format) {
        if (!source) return unexpected(source.error());
        sources.push_back(std::move(*source));
        source_names.push_back(name);
        source_formats.push_back(format);
        return Done{};
    }

    // Files are numbered captures first, recorded sockets after them.
    [[nodiscard]] std::uint16_t next_source() const {
        return static_cast<std::uint16_t>(capture_names.size() + sources.size());
    }

    // What lies beside the recordings among the captures, unless it was named itself.
    Status open_sidecars() {
        for (std::size_t i = 0; i < capture_names.size(); ++i) {
            const std::string& name = capture_names[i];
            const record::Sidecar sidecar = record::find_sidecar(name);
            // Of those that hold everything, here; of the others, the file beside them.
            if (sidecar.part && sidecar.state == record::SidecarState::none)
                is_part(static_cast<std::uint16_t>(i), *sidecar.part);
            const auto& named = options.files;
            if (std::find(named.begin(), named.end(), sidecar.name) != named.end()) continue;
            if (const std::string trouble = record::trouble_of(sidecar); !trouble.empty() && options.announce_trouble)
                report_note(trouble, "");
            if (sidecar.state != record::SidecarState::found) continue;
            parts[next_source()] = *sidecar.part;
            is_part(next_source(), *sidecar.part);
            Status added =
                add_source(capture::open_unix_recording(
                               sidecar.name, next_source(), [this](const capture::UnixRecord& told) { take(told); },
                               [this](const capture::FileNote& told) {
                                   if (told.kind == capture::FileNote::Kind::trouble) note(told);
                               }),
                           sidecar.name, "unix sockets of " + display(name));
            if (!added) return added;
            has_sidecar = true;
        }
        return Done{};
    }

    void show_progress(Progress& progress) const {
        if (!reader) return;
        std::uint64_t done = 0, total = 0;
        bool known = true;
        for (const capture::FileSummary& file : reader->files()) {
            done += file.bytes_read;
            total += file.bytes_total.value_or(0);
            known = known && file.bytes_total.has_value();
        }
        progress.update(capture_names.front(), done, known ? std::optional(total) : std::nullopt);
    }
};

namespace {

// The next chunk of one recorded socket, waiting for its turn. Parts of one recording are read one after the other:
// what stands before the first chunk of a part is told when the parts before it are over.
struct Waiting {
    std::vector<capture::StreamSource*> parts;
    StreamChunk chunk;

    bool next() {
        for (; !parts.empty(); parts.erase(parts.begin())) {
            if (parts.front()->next(chunk)) return true;
        }
        return false;
    }
};

// The sources, parts of one recording together and in their order.
std::vector<Waiting> in_order(const std::vector<std::unique_ptr<capture::StreamSource>>& sources, std::size_t captures,
                              const std::map<std::uint16_t, record::RecordingPart>& parts) {
    std::vector<Waiting> waiting;
    std::map<std::uint64_t, std::map<std::uint64_t, capture::StreamSource*>> recordings;
    for (std::size_t i = 0; i < sources.size(); ++i) {
        const auto part = parts.find(static_cast<std::uint16_t>(captures + i));
        // One that is named twice is read twice, as everything is.
        if (part == parts.end() ||
            !recordings[part->second.recording].emplace(part->second.part, sources[i].get()).second)
            waiting.push_back({{sources[i].get()}, {}});
    }
    for (const auto& [recording, its_parts] : recordings) {
        Waiting& all = waiting.emplace_back();
        for (const auto& [number, source] : its_parts) all.parts.push_back(source);
    }
    return waiting;
}

}  // namespace

Offline::Offline() : state_(std::make_unique<State>()) {}
Offline::~Offline() = default;

Result<std::unique_ptr<Offline>> Offline::open(const OfflineOptions& options) {
    std::unique_ptr<Offline> offline(new Offline);
    State& s = *offline->state_;
    s.options = options;
    if (const Status read = add_tls_key_files(options.tls_key_files, s.keys); !read) return unexpected(read.error());
    std::vector<std::string> indexes;
    for (const std::string& name : options.files)
        (capture::is_stream_index(name) ? indexes : s.capture_names).push_back(name);
    for (const std::string& name : indexes) {
        if (const Status added =
                s.add_source(capture::open_stream_index(name, s.next_source()), name, "recorded socket");
            !added)
            return unexpected(added.error());
    }
    if (options.sidecars) {
        if (const Status added = s.open_sidecars(); !added) return unexpected(added.error());
    }
    if (!s.capture_names.empty()) {
        auto opened = s.open_reader();
        if (!opened) return unexpected(opened.error());
    }
    s.pipeline = std::make_unique<pipeline::Pipeline>(
        pipeline::Options{.retention = options.retention,
                          .tls_keys = &s.keys,
                          .history = s.reader.get(),
                          .tap = options.tap,
                          .observer = options.observer,
                          .may_hold_copies = s.reader && s.reader->may_hold_copies()});
    // Of a recording as they were told while it was made.
    if (!s.recordings.empty()) s.pipeline->builder().chain_single_sessions();
    return offline;
}

std::vector<capture::FileSummary> Offline::files() const {
    std::vector<capture::FileSummary> files;
    if (state_->reader) files = state_->reader->files();
    for (std::size_t i = 0; i < state_->source_names.size(); ++i)
        files.push_back({.name = state_->source_names[i], .format = state_->source_formats[i], .interfaces = {}});
    return files;
}
chain::Model& Offline::model() { return state_->pipeline->model(); }
const chain::Builder& Offline::builder() const { return state_->pipeline->builder(); }
bool Offline::has_sidecar() const { return state_->has_sidecar; }
bool Offline::damaged() const { return state_->damaged; }

void Offline::run() {
    State& s = *state_;
    Progress progress(s.options.progress, s.options.progress && isatty(STDERR_FILENO) != 1);
    bool copies = s.reader && s.reader->may_hold_copies();
    s.spans.resize(s.capture_names.size() + s.sources.size());
    std::vector<Waiting> waiting = in_order(s.sources, s.capture_names.size(), s.parts);
    std::erase_if(waiting, [](Waiting& each) { return !each.next(); });
    // Recorded sockets are merged with the packets by time.
    const auto take_chunks_before = [&](std::optional<Timestamp> at) {
        while (!waiting.empty()) {
            const auto first = std::min_element(waiting.begin(), waiting.end(), [](const Waiting& a, const Waiting& b) {
                return a.chunk.at < b.chunk.at;
            });
            if (at && *at < first->chunk.at) return;
            auto& [begin, end] = s.spans[first->chunk.file];
            if (!begin) begin = first->chunk.at;
            end = first->chunk.at;
            s.take(first->chunk);
            if (!first->next()) waiting.erase(first);
        }
    };
    Packet packet;
    for (std::uint64_t count = 1; s.reader && s.reader->next(packet); ++count) {
        if (packet.interface > 0 && !copies && packet.link_type != LinkType::upper_pdu &&
            !s.pod_legs(packet.interface)) {
            copies = true;
            s.pipeline->expect_copies();
        }
        if (!waiting.empty()) take_chunks_before(packet.at);
        s.take(packet);
        if (count % 4096 != 0) continue;
        if (s.options.output_failed && s.options.output_failed()) break;
        if (s.options.progress) s.show_progress(progress);
    }
    take_chunks_before(std::nullopt);
    s.name_owners();
    // Without recorded calls a connection in a pod is all there is beside its session.
    if (!s.legs_by_network.empty() && !s.has_sidecar && !s.has_unix) s.pipeline->builder().chain_single_sessions();
    s.pipeline->finish();
    for (const auto& [network, legs] : s.legs_by_network) legs->finish();
    s.kernel.complete(s.pipeline->builder());
    for (const auto& source : s.sources) {
        s.pipeline->model().loss.add(LossPlace::file, source->lost_bytes());
        if (source->trouble().empty()) continue;
        s.damaged = true;
        if (s.options.announce_trouble) report_note(source->trouble(), "CAP-16");
    }
    chain::Model& model = s.pipeline->model();
    if (s.reader) {
        for (std::size_t place = 0; place < kLossPlaces; ++place)
            model.loss.count[place] += s.reader->loss().count[place];
    }
    const auto summaries = files();
    for (std::size_t i = 0; i < summaries.size(); ++i) {
        chain::FileFact fact;
        fact.name = Untrusted(summaries[i].name);
        fact.format = summaries[i].format;
        for (const capture::InterfaceInfo& interface : summaries[i].interfaces) {
            const std::string name = link_name(interface.link_type);
            if (fact.link_types.find(name) == std::string::npos)
                fact.link_types += (fact.link_types.empty() ? "" : ", ") + name;
        }
        fact.packets = summaries[i].packets;
        fact.file_bytes = summaries[i].bytes_read;
        fact.first = s.spans[i].first;
        fact.last = s.spans[i].second;
        fact.cut_off = summaries[i].cut_off;
        model.capture.files.push_back(std::move(fact));
    }
}

OfflineOptions offline_options(const Invocation& invocation) {
    OfflineOptions options;
    options.files = invocation.arguments;
    options.tls_key_files = invocation.all("tls-keys");
    options.sidecars = !invocation.on("no-sidecar");
    const std::string when = invocation.text("progress");
    options.progress = when == "always" || (when == "auto" && isatty(STDERR_FILENO) == 1);
    return options;
}

}  // namespace hopscope::cli
