// Several files as one: order, numbers, memory and descriptors; and bytes that History finds again.
#include <gmock/gmock.h>
#include <sys/resource.h>

#include <algorithm>
#include <deque>

#include "capture/capture_builder.h"
#include "support/sanitized.h"
#include "support/temporary_directory.h"

namespace hopscope::capture::test {
namespace {

using hopscope::test::TemporaryDirectory;

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

TEST(Merge, packets_of_all_files_come_by_time) {
    const TemporaryDirectory directory;
    PcapFile a, b({.big = true, .magic = kPcapMagicNanoseconds, .link_type = 101});
    a.packet(100, 0, "a1").packet(100, 2, "a2").packet(103, 0, "a3");
    b.packet(100, 1000, "b1").packet(100, 2000, "b2").packet(102, 0, "b3");
    PcapngFile c;
    c.section().interface(113).packet(0, 101'000'000, "c1").packet(0, 104'000'000, "c2");
    const WholeRead read = read_files(
        {directory.write("a.pcap", a.bytes), directory.write("b.pcap", b.bytes), directory.write("c.pcapng", c.bytes)});
    EXPECT_THAT(read.payloads(), ElementsAre("a1", "b1", "a2", "b2", "c1", "b3", "a3", "c2"))
        << "equal times: in the order of naming";
    ASSERT_THAT(read.packets, SizeIs(8));
    EXPECT_EQ(read.packets[1].file, 1);
    EXPECT_EQ(read.packets[1].frame, 1U);
    EXPECT_EQ(read.packets[5].frame, 3U);
    EXPECT_EQ(read.packets[4].file, 2);
    EXPECT_EQ(read.packets[4].position >> 48, 2U);
    EXPECT_EQ(c.bytes.substr((read.packets[4].position & 0xffffffffffff) - 1, 2), "c1");
    // Interfaces are numbered over the run.
    EXPECT_EQ(read.packets[0].interface, 0U);
    EXPECT_NE(read.packets[1].interface, read.packets[4].interface);
    EXPECT_TRUE(read.may_hold_copies_at_once);
    ASSERT_THAT(read.files, SizeIs(3));
    EXPECT_EQ(read.files[0].packets, 3U);
    EXPECT_EQ(read.files[2].format, "pcapng");
    EXPECT_EQ(read.files[1].bytes_read, b.bytes.size());
    EXPECT_THAT(read.files[1].interfaces, SizeIs(1));
}

TEST(Merge, a_clock_that_steps_back_inside_a_file_does_not_reorder_it) {
    const TemporaryDirectory directory;
    PcapFile a, b;
    a.packet(100, 0, "a1").packet(50, 0, "a2").packet(101, 0, "a3");
    b.packet(60, 0, "b1").packet(100, 500, "b2");
    const WholeRead read = read_files({directory.write("a", a.bytes), directory.write("b", b.bytes)});
    EXPECT_THAT(read.payloads(), ElementsAre("b1", "a1", "a2", "b2", "a3"));
}

TEST(Merge, notes_name_their_file_and_come_before_the_packet_they_precede) {
    const TemporaryDirectory directory;
    PcapngFile keys, late;
    keys.section().secrets(pcapng::kTlsKeyLog, "CLIENT_RANDOM 1 2\n");  // a file with secrets and no packet
    late.section(late.option(pcapng::kOptionComment, "late")).interface().packet(0, 200'000'000, "late");
    late.bytes.resize(late.bytes.size() - 1);
    PcapFile early;
    early.packet(100, 0, "early");
    std::vector<std::string> story;
    auto reader =
        Reader::open({directory.write("late", late.bytes), directory.write("early", early.bytes),
                      directory.write("keys", keys.bytes)},
                     [&](const FileNote& note) {
                         story.push_back(std::to_string(note.file) + " " + std::to_string(static_cast<int>(note.kind)));
                     });
    ASSERT_TRUE(reader);
    EXPECT_THAT(story, IsEmpty()) << "open() tells nothing";
    Packet packet;
    while ((*reader)->next(packet)) story.emplace_back(as_text(packet.bytes));
    EXPECT_THAT(story, ElementsAre("0 1", "0 3", "2 0", "early"));
    EXPECT_TRUE((*reader)->files().at(0).cut_off);
    EXPECT_EQ((*reader)->loss()[LossPlace::file], 32U + 4 - 1);
}

TEST(Merge, a_file_that_cannot_be_read_fails_the_run_by_name) {
    const TemporaryDirectory directory;
    const std::string good = directory.write("good", PcapFile().packet(1, 0, "x").bytes),
                      text = directory.write("text", "hello");
    auto reader = Reader::open({good, text}, {});
    ASSERT_FALSE(reader);
    EXPECT_EQ(reader.error().code, "CAP-12");
    EXPECT_EQ(reader.error().subject, text);
    EXPECT_EQ(read_files({directory.file("missing"), good}).error_code, "CAP-10");
}

TEST(Merge, a_file_that_vanishes_while_others_are_read_is_trouble) {
    const TemporaryDirectory directory;
    const std::string bytes = PcapFile().packet(200, 0, "gone").bytes;
    const std::string first = directory.write("first", PcapFile().packet(100, 0, "x").packet(300, 0, "y").bytes),
                      gone = directory.write("gone", bytes);
    std::vector<KeptNote> notes;
    auto reader = Reader::open({first, gone}, note_keeper(notes));
    ASSERT_TRUE(reader);
    std::filesystem::remove(gone);
    WholeRead read;
    read_rest(**reader, read);
    EXPECT_THAT(read.payloads(), ElementsAre("x", "y"));
    ASSERT_THAT(notes, SizeIs(1));
    EXPECT_EQ(notes[0].code, "CAP-10");
    EXPECT_EQ(notes[0].text, gone + " cannot be read any more (No such file or directory)");
    EXPECT_EQ(read.lost_bytes, bytes.size());
    EXPECT_TRUE(read.files.at(1).cut_off);
}

TEST(Merge, hundreds_of_files_one_after_the_other_take_few_descriptors) {
    const TemporaryDirectory directory;
    std::vector<std::string> names;
    std::vector<std::string> expected;
    for (std::uint32_t i = 0; i < 300; ++i) {
        PcapFile file;
        for (std::uint32_t k = 0; k < 3; ++k) {
            expected.push_back("packet " + std::to_string(i) + "." + std::to_string(k));
            file.packet(1000 + i * 10 + k * 4, 0, expected.back());
        }
        names.push_back(directory.write("ring" + std::to_string(i), file.bytes));
    }
    std::reverse(names.begin(), names.end());
    rlimit before{};
    ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
    const rlimit few{32, before.rlim_max};
    ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &few), 0);
    const WholeRead read = read_files(names);
    ::setrlimit(RLIMIT_NOFILE, &before);
    EXPECT_EQ(read.error_code, "") << read.error_why;
    EXPECT_THAT(read.notes, IsEmpty());
    EXPECT_EQ(read.payloads(), expected);
}

// ---- History

// Reads all packets, and looks back at those read shortly before.
std::size_t look_back(Reader& reader, std::size_t kept) {
    std::deque<KeptPacket> before;
    std::size_t found = 0;
    Packet packet;
    while (reader.next(packet)) {
        for (const KeptPacket& old : before) {
            const Bytes recent = reader.recent(old.position, old.bytes.size());
            if (recent.empty()) continue;
            ++found;
            EXPECT_EQ(as_text(recent), old.bytes);
            if (old.bytes.size() > 10) {
                EXPECT_EQ(as_text(reader.recent(old.position + 7, 3)), old.bytes.substr(7, 3)) << "part of it";
            }
        }
        const Bytes now = reader.recent(packet.position, packet.bytes.size());
        EXPECT_EQ(now.data(), packet.bytes.data()) << "the packet itself, without a copy";
        before.push_back(keep(packet));
        if (before.size() > kept) before.pop_front();
    }
    return found;
}

TEST(Recent, packets_read_shortly_before_are_found_in_any_format) {
    PcapFile pcap({.big = true});
    PcapngFile pcapng;
    pcapng.section().interface();
    const std::size_t packets = 4000;
    for (std::uint32_t i = 0; i < packets; ++i) {
        const std::string data = filled(1 + i * 37 % 1500, i);
        pcap.packet(1000, i, data);
        pcapng.packet(0, i, data);
    }
    for (const std::string& bytes : {pcap.bytes, pcapng.bytes}) {
        for (const std::size_t piece : {std::size_t{5000}, SIZE_MAX}) {
            auto reader = open_source(std::make_unique<MemorySource>(as_bytes(bytes), piece), "x", {});
            ASSERT_TRUE(reader);
            EXPECT_EQ(look_back(**reader, 20), packets * 20 - 20 * 21 / 2) << "all of the last twenty, every time";
        }
    }
}

TEST(Recent, also_of_several_files) {
    const TemporaryDirectory directory;
    PcapFile a, b;
    for (std::uint32_t i = 0; i < 2000; ++i) {
        a.packet(1000, i, filled(1 + i * 37 % 1500, i));
        b.packet(1000, i, filled(1 + i * 41 % 1500, i + 9));
    }
    auto reader = Reader::open({directory.write("a", a.bytes), directory.write("b", b.bytes)}, {});
    ASSERT_TRUE(reader);
    EXPECT_EQ(look_back(**reader, 20), 4000U * 20 - 20 * 21 / 2);
}

TEST(Recent, what_is_long_gone_is_not_found) {
    PcapFile file;
    for (std::uint32_t i = 0; i < 4000; ++i) file.packet(1000, i, filled(1400, i));
    auto reader = open_source(std::make_unique<MemorySource>(as_bytes(file.bytes)), "x", {});
    ASSERT_TRUE(reader);
    Packet packet;
    ASSERT_TRUE((*reader)->next(packet));
    const std::uint64_t first = packet.position;
    while ((*reader)->next(packet)) {
    }
    EXPECT_TRUE((*reader)->recent(first, 1400).empty());
    EXPECT_TRUE((*reader)->recent(0, 1).empty()) << "position 0 is nowhere";
    EXPECT_TRUE((*reader)->recent(packet.position, 1401).empty()) << "beyond the end";
}

TEST(Recent, memory_does_not_grow_with_the_file) {
    // A file of 200 MiB that does not exist anywhere: a source that makes it up.
    class Endless final : public ByteSource {
    public:
        explicit Endless(std::string header, std::string record, std::size_t records)
            : bytes_(std::move(header)), record_(std::move(record)), left_(records) {}
        std::size_t read(std::uint8_t* out, std::size_t size) override {
            while (bytes_.size() < size && left_ > 0) {
                bytes_ += record_;
                --left_;
            }
            const std::size_t n = std::min(size, bytes_.size());
            bytes_.copy(reinterpret_cast<char*>(out), n);
            bytes_.erase(0, n);
            return n;
        }
        [[nodiscard]] const SourceEnd& ending() const override { return ending_; }
        [[nodiscard]] std::uint64_t file_bytes() const override { return 0; }

    private:
        std::string bytes_, record_;
        std::size_t left_;
        SourceEnd ending_;
    };
    const std::string header = PcapFile().bytes,
                      record = PcapFile().packet(1000, 0, filled(7000, 1)).bytes.substr(header.size());
    const std::size_t records = (200 << 20) / record.size();
    rusage before{}, after{};
    ::getrusage(RUSAGE_SELF, &before);
    auto reader = open_source(std::make_unique<Endless>(header, record, records), "x", {});
    ASSERT_TRUE(reader);
    Packet packet;
    std::size_t count = 0;
    while ((*reader)->next(packet)) ++count;
    ::getrusage(RUSAGE_SELF, &after);
    EXPECT_EQ(count, records);
    if (tests::kHeapIsCounted) EXPECT_LT(after.ru_maxrss - before.ru_maxrss, 4096) << "KiB";
}

}  // namespace
}  // namespace hopscope::capture::test
