#include "record/masker.h"

#include <sys/stat.h>

#include <algorithm>
#include <set>

#include "capture/reader.h"
#include "capture/stream_source.h"
#include "capture/writer.h"
#include "core/untrusted.h"
#include "pipeline/pipeline.h"
#include "record/recorder_comment.h"
#include "record/sidecar.h"
#include "record/stream_masker.h"
#include "record/unix_masker.h"

namespace hopscope::record {
namespace {

constexpr std::string_view kMasked = "masked: payload auth token command";

class Masking {
public:
    Masking(std::string in, std::string out, const MaskOptions& options)
        : in_(std::move(in)), out_(std::move(out)), options_(options) {}

    Result<MaskSummary> run() {
        if (auto first = collect(); !first) return unexpected(first.error());
        if (auto beside = collect_sidecar(); !beside) return unexpected(beside.error());
        unix_masker_.finish();
        if (auto second = rewrite(); !second) return unexpected(second.error());
        if (auto beside = rewrite_sidecar(); !beside) return unexpected(beside.error());
        summary_.connections = masker_.connections();
        return std::move(summary_);
    }

private:
    Result<std::unique_ptr<capture::Reader>> open(const std::string& name, bool first) {
        return capture::Reader::open({name}, [this, first](const capture::FileNote& note) {
            if (note.kind == capture::FileNote::Kind::comment) take_comment(note.text, first);
            if (!first) return;
            if (note.kind == capture::FileNote::Kind::secrets) ++summary_.secrets_left_out;
            if (note.kind == capture::FileNote::Kind::trouble && summary_.trouble.size() < 100)
                summary_.trouble.push_back(display(note.text) + "  [" + note.code + "]");
        });
    }

    // Who is at the ends of a connection stays: told anew, not copied.
    void take_comment(const std::string& text, bool first) {
        if (const auto ends = parse_comment(text)) {
            comment_ = to_comment(*ends);
        } else if (first) {
            if (!part_) part_ = parse_recording_part(text);
            ++summary_.comments_left_out;
        }
    }

    Status collect() {
        struct stat info {};
        if (in_ == "-" || (stat(in_.c_str(), &info) == 0 && !S_ISREG(info.st_mode)))
            return unexpected(Error{.doing = "cannot mask",
                                    .subject = in_,
                                    .why = "it can be read only once, and masking reads twice",
                                    .hint = "save it to a file first",
                                    .code = "CAP-23"});
        auto reader = open(in_, true);
        if (!reader) return unexpected(reader.error());
        chain::Retention retention;
        retention.sessions_max = 0;
        retention.findings_max = 0;
        pipeline::Pipeline pipeline({.retention = retention,
                                     .history = reader->get(),
                                     .tap = &masker_.tap(),
                                     .may_hold_copies = (*reader)->may_hold_copies()});
        if ((*reader)->may_hold_copies()) masker_.expect_copies();
        Packet packet;
        while ((*reader)->next(packet)) {
            link_types_.insert(packet.link_type);
            if (packet.link_type == LinkType::upper_pdu) {
                collect_record(packet);
                continue;
            }
            if (pod_network(**reader, packet.interface) != 0) continue;
            pipeline.on(packet);
            masker_.collect(packet);
        }
        masker_.finish();
        return Done{};
    }

    // Of an interface that was declared before its packet. What is forwarded into a pod is content whatever it is.
    std::uint64_t pod_network(const capture::Reader& reader, std::uint32_t interface) {
        if (interface >= pod_networks_.size()) {
            const std::vector<capture::InterfaceInfo> interfaces = reader.files().front().interfaces;
            pod_networks_.resize(std::max<std::size_t>(interfaces.size(), interface + 1));
            for (const capture::InterfaceInfo& info : interfaces) {
                if (info.number < pod_networks_.size())
                    pod_networks_[info.number] = capture::pod_network_of(info.description);
            }
        }
        return pod_networks_[interface];
    }

    void collect_record(const Packet& packet) {
        const capture::UnixRecord record = capture::decode_unix_record(packet);
        if (const auto* chunk = std::get_if<StreamChunk>(&record)) unix_masker_.collect(*chunk);
    }

    Status collect_sidecar() {
        if (!options_.sidecar) return Done{};
        Sidecar sidecar = find_sidecar(in_);
        if (const std::string trouble = trouble_of(sidecar); !trouble.empty()) summary_.trouble.push_back(trouble);
        if (sidecar.state != SidecarState::found) return Done{};
        if (is_classic()) {
            summary_.trouble.push_back(display(sidecar.name) +
                                       " is left out: a pcap file cannot name what lies beside it, a pcapng file can");
            return Done{};
        }
        auto reader = open(sidecar.name, true);
        if (!reader) return unexpected(reader.error());
        beside_ = sidecar.name;
        for (Packet packet; (*reader)->next(packet);) {
            packet.file = kBeside;
            collect_record(packet);
        }
        return Done{};
    }

    [[nodiscard]] bool is_classic() const { return out_.ends_with(".pcap") && link_types_.size() <= 1; }

    [[nodiscard]] capture::WriterOptions writer_options(std::string_view unix_sockets) const {
        capture::WriterOptions options;
        options.overwrite = options_.overwrite;
        options.application = std::string("hopscope ") + HOPSCOPE_VERSION;
        options.section_comment = kMasked;
        if (!beside_.empty() && part_)
            options.section_comment += "; " + std::string(unix_sockets) + ", " + to_text(*part_);
        if (!link_types_.empty()) options.link_type = *link_types_.begin();
        return options;
    }

    Status rewrite() {
        auto reader = open(in_, false);
        if (!reader) return unexpected(reader.error());
        const capture::WriterOptions options = writer_options("unix sockets beside it");
        std::unique_ptr<capture::Writer> writer;
        capture::PcapngWriter* commented = nullptr;
        if (is_classic()) {
            auto opened = capture::open_pcap_writer(out_, options);
            if (!opened) return unexpected(opened.error());
            writer = std::move(*opened);
        } else {
            auto opened = capture::open_pcapng_writer(out_, options);
            if (!opened) return unexpected(opened.error());
            commented = opened->get();
            writer = std::move(*opened);
        }
        Packet packet;
        std::vector<std::uint8_t> copy;
        while ((*reader)->next(packet)) {
            const std::string comment = std::exchange(comment_, {});
            copy.assign(packet.bytes.begin(), packet.bytes.end());
            packet.bytes = copy;
            const std::uint64_t network = pod_network(**reader, packet.interface);
            if (network != 0 && commented && declared_.insert(packet.interface).second) {
                if (Status added = commented->add_interface({.number = packet.interface,
                                                             .link_type = packet.link_type,
                                                             .name = "lo",
                                                             .snaplen = 0,
                                                             .description = capture::pod_network_description(network)});
                    !added)
                    return added;
            }
            StreamMasker& masker = network != 0 ? forwarded_masker_ : masker_;
            const std::size_t changed =
                packet.link_type == LinkType::upper_pdu ? mask_record(packet, copy) : masker.mask(packet, copy);
            packet.bytes = copy;
            ++summary_.packets;
            summary_.packets_changed += changed > 0 ? 1 : 0;
            summary_.bytes_overwritten += changed;
            if (auto written = commented ? commented->write(packet, comment) : writer->write(packet); !written)
                return written;
        }
        return writer->close();
    }

    Status rewrite_sidecar() {
        if (beside_.empty()) return Done{};
        auto reader = open(beside_, false);
        if (!reader) return unexpected(reader.error());
        const std::string name = sidecar_name(out_);
        auto writer = capture::open_pcapng_writer(name, writer_options("what was said on unix sockets"));
        if (!writer) return unexpected(writer.error());
        std::size_t declared = 0;
        std::vector<std::uint8_t> copy;
        for (Packet packet; (*reader)->next(packet);) {
            const std::vector<capture::InterfaceInfo> interfaces = (*reader)->files().front().interfaces;
            for (; declared < interfaces.size(); ++declared) {
                if (Status added = (*writer)->add_interface(interfaces[declared]); !added) return added;
            }
            packet.file = kBeside;
            copy.assign(packet.bytes.begin(), packet.bytes.end());
            packet.bytes = copy;
            summary_.bytes_overwritten += mask_record(packet, copy);
            packet.bytes = copy;
            ++summary_.sidecar_records;
            if (auto written = (*writer)->write(packet); !written) return written;
        }
        summary_.sidecar = name;
        return (*writer)->close();
    }

    // `copy` holds packet.bytes. What is no record of ours is content.
    std::size_t mask_record(const Packet& packet, std::vector<std::uint8_t>& copy) {
        capture::UnixRecord record = capture::decode_unix_record(packet);
        if (const auto* chunk = std::get_if<StreamChunk>(&record)) {
            const auto at = static_cast<std::size_t>(chunk->bytes.data() - copy.data());
            return unix_masker_.mask(*chunk, std::span(copy).subspan(at, chunk->bytes.size()));
        }
        if (auto* event = std::get_if<ProcessEvent>(&record)) {
            unix_masker_.mask(*event);
            const std::string masked = capture::encode_unix_pdu(*event);
            const bool changed =
                !std::equal(copy.begin(), copy.end(), as_bytes(masked).begin(), as_bytes(masked).end());
            copy.assign(masked.begin(), masked.end());
            return changed ? copy.size() : 0;
        }
        if (!std::holds_alternative<std::monostate>(record)) return 0;
        std::fill(copy.begin(), copy.end(), std::uint8_t{'x'});
        return copy.size();
    }

    static constexpr std::uint16_t kBeside = 1;  // file number of the sidecar's connections

    std::string in_, out_;
    MaskOptions options_;
    MaskSummary summary_;
    Pseudonyms pseudonyms_;
    StreamMasker masker_{summary_.counts, pseudonyms_, {}};
    UnixMasker unix_masker_{pseudonyms_, summary_.counts, false};
    StreamMasker forwarded_masker_{summary_.counts, pseudonyms_, {}};  // is told nothing: lets no payload stay
    std::vector<std::uint64_t> pod_networks_;                          // by interface; 0: none
    std::set<std::uint32_t> declared_;                                 // of them, in the copy
    std::set<LinkType> link_types_;
    std::string beside_;                 // the recording's sidecar, where it is masked, too
    std::optional<RecordingPart> part_;  // what the recording calls itself
    std::string comment_;                // of the packet that comes next
};

}  // namespace

Result<MaskSummary> mask_capture(const std::string& in, const std::string& out, const MaskOptions& options) {
    return Masking(in, out, options).run();
}

}  // namespace hopscope::record
