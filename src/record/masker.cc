#include "record/masker.h"

#include <sys/stat.h>

#include <set>

#include "capture/reader.h"
#include "capture/writer.h"
#include "core/untrusted.h"
#include "pipeline/pipeline.h"
#include "record/stream_masker.h"

namespace hopscope::record {
namespace {

class Masking {
public:
    Masking(std::string in, std::string out, const MaskOptions& options)
        : in_(std::move(in)), out_(std::move(out)), options_(options) {}

    Result<MaskSummary> run() {
        if (auto first = collect(); !first) return unexpected(first.error());
        if (auto second = rewrite(); !second) return unexpected(second.error());
        summary_.connections = masker_.connections();
        return std::move(summary_);
    }

private:
    Result<std::unique_ptr<capture::Reader>> open(bool first) {
        return capture::Reader::open({in_}, [this, first](const capture::FileNote& note) {
            if (!first) return;
            if (note.kind == capture::FileNote::Kind::secrets) ++summary_.secrets_left_out;
            if (note.kind == capture::FileNote::Kind::comment) ++summary_.comments_left_out;
            if (note.kind == capture::FileNote::Kind::trouble && summary_.trouble.size() < 100)
                summary_.trouble.push_back(display(note.text) + "  [" + note.code + "]");
        });
    }

    Status collect() {
        struct stat info {};
        if (in_ == "-" || (stat(in_.c_str(), &info) == 0 && !S_ISREG(info.st_mode)))
            return unexpected(Error{.doing = "cannot mask",
                                    .subject = in_,
                                    .why = "it can be read only once, and masking reads twice",
                                    .hint = "save it to a file first",
                                    .code = "CAP-23"});
        auto reader = open(true);
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
            pipeline.on(packet);
            masker_.collect(packet);
        }
        masker_.finish();
        return Done{};
    }

    Status rewrite() {
        auto reader = open(false);
        if (!reader) return unexpected(reader.error());
        const bool classic = out_.ends_with(".pcap") && link_types_.size() <= 1;
        capture::WriterOptions options;
        options.overwrite = options_.overwrite;
        options.application = std::string("hopscope ") + HOPSCOPE_VERSION;
        options.section_comment = "masked: payload auth token command";
        if (!link_types_.empty()) options.link_type = *link_types_.begin();
        std::unique_ptr<capture::Writer> writer;
        if (classic) {
            auto opened = capture::open_pcap_writer(out_, options);
            if (!opened) return unexpected(opened.error());
            writer = std::move(*opened);
        } else {
            auto opened = capture::open_pcapng_writer(out_, options);
            if (!opened) return unexpected(opened.error());
            writer = std::move(*opened);
        }
        Packet packet;
        std::vector<std::uint8_t> copy;
        while ((*reader)->next(packet)) {
            copy.assign(packet.bytes.begin(), packet.bytes.end());
            packet.bytes = copy;
            const std::size_t changed = masker_.mask(packet, copy);
            ++summary_.packets;
            summary_.packets_changed += changed > 0 ? 1 : 0;
            summary_.bytes_overwritten += changed;
            if (auto written = writer->write(packet); !written) return written;
        }
        return writer->close();
    }

    std::string in_, out_;
    MaskOptions options_;
    MaskSummary summary_;
    StreamMasker masker_{summary_.counts, {}};
    std::set<LinkType> link_types_;
};

}  // namespace

Result<MaskSummary> mask_capture(const std::string& in, const std::string& out, const MaskOptions& options) {
    return Masking(in, out, options).run();
}

}  // namespace hopscope::record
