// Classic pcap: variants, fields, odd and damaged records.
#include <gmock/gmock.h>

#include "capture/capture_builder.h"

namespace hopscope::capture::test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

constexpr std::uint32_t kNow = 1'795'000'000;  // in 2026

struct Variant {
    const char* says;
    bool big;
    std::uint32_t magic;
    std::uint32_t fraction;
    std::int64_t fraction_ns;
};
constexpr Variant kVariants[] = {
    {"little-endian, microseconds", false, kPcapMagicMicroseconds, 123'456, 123'456'000},
    {"big-endian, microseconds", true, kPcapMagicMicroseconds, 123'456, 123'456'000},
    {"little-endian, nanoseconds", false, kPcapMagicNanoseconds, 123'456'789, 123'456'789},
    {"big-endian, nanoseconds", true, kPcapMagicNanoseconds, 123'456'789, 123'456'789},
    {"little-endian, modified", false, kPcapMagicModified, 999'999, 999'999'000},
    {"big-endian, modified", true, kPcapMagicModified, 999'999, 999'999'000},
};

TEST(Pcap, every_variant_gives_the_same_packets) {
    for (const Variant& v : kVariants) {
        SCOPED_TRACE(v.says);
        PcapFile file({.big = v.big, .magic = v.magic, .snaplen = 96, .link_type = 113});
        file.packet(kNow, v.fraction, "first packet")
            .packet(kNow + 1, 0, "cut by its snaplen", 1500)
            .packet(kNow + 2, 1, "");
        file.packet(kNow + 3, 1, "x");
        const WholeRead read = read_bytes(file.bytes);
        ASSERT_EQ(read.error_code, "");
        ASSERT_THAT(read.payloads(), ElementsAre("first packet", "cut by its snaplen", "", "x"));
        EXPECT_EQ(read.packets[0].ns, std::int64_t{kNow} * 1'000'000'000 + v.fraction_ns);
        EXPECT_EQ(read.packets[0].link_type, 113U);
        EXPECT_EQ(read.packets[0].wire_length, 12U);
        EXPECT_EQ(read.packets[1].wire_length, 1500U);
        EXPECT_EQ(read.packets[1].frame, 2U);
        ASSERT_THAT(read.files, SizeIs(1));
        EXPECT_EQ(read.files[0].format, "pcap");
        EXPECT_EQ(read.files[0].packets, 4U);
        EXPECT_EQ(read.files[0].bytes_read, file.bytes.size());
        ASSERT_THAT(read.files[0].interfaces, SizeIs(1));
        EXPECT_EQ(read.files[0].interfaces[0].snaplen, 96U);
        EXPECT_TRUE(read.may_hold_copies_at_once) << "cooked: both directions of loopback";
        EXPECT_EQ(read.lost_bytes, 0U);
    }
}

TEST(Pcap, position_is_the_place_in_the_file_and_one) {
    PcapFile file;
    file.packet(kNow, 0, "abcd").packet(kNow, 1, "efgh");
    const WholeRead read = read_bytes(file.bytes);
    ASSERT_THAT(read.packets, SizeIs(2));
    EXPECT_EQ(read.packets[0].position, 24U + 16 + 1);
    EXPECT_EQ(file.bytes.substr(read.packets[1].position - 1, 4), "efgh");
}

TEST(Pcap, one_interface_that_is_not_cooked_holds_no_copies) {
    const WholeRead read = read_bytes(PcapFile().packet(kNow, 0, "x").bytes);
    EXPECT_FALSE(read.may_hold_copies_at_once);
    EXPECT_FALSE(read.may_hold_copies);
}

TEST(Pcap, a_header_without_packets_is_an_empty_capture) {
    const WholeRead read = read_bytes(PcapFile().bytes);
    EXPECT_EQ(read.error_code, "");
    EXPECT_THAT(read.packets, IsEmpty());
    EXPECT_THAT(read.notes, IsEmpty());
    EXPECT_FALSE(read.files.at(0).cut_off);
}

TEST(Pcap, frame_check_sequence_bits_are_not_the_link_type) {
    const WholeRead read = read_bytes(PcapFile({.link_type = 0x54000001}).packet(kNow, 0, "x").bytes);
    ASSERT_THAT(read.packets, SizeIs(1));
    EXPECT_EQ(read.packets[0].link_type, 1U);
}

TEST(Pcap, unknown_link_type_is_told_once_and_packets_still_come) {
    const WholeRead read = read_bytes(PcapFile({.link_type = 147}).packet(kNow, 0, "x").packet(kNow, 1, "y").bytes);
    EXPECT_THAT(read.packets, SizeIs(2));
    EXPECT_THAT(read.codes(), ElementsAre("CAP-14"));
    EXPECT_THAT(read.notes.at(0).text, HasSubstr("test.cap holds packets with link type 147"));
    EXPECT_EQ(read.lost_bytes, 0U);
    EXPECT_THAT(read_bytes(PcapFile({.link_type = 147}).bytes).notes, IsEmpty())
        << "nothing is said about an interface without packets";
}

TEST(Pcap, another_version_is_told_and_read) {
    const WholeRead read = read_bytes(PcapFile({.major = 9, .minor = 1}).packet(kNow, 0, "x").bytes);
    EXPECT_THAT(read.packets, SizeIs(1));
    EXPECT_THAT(read.codes(), ElementsAre("CAP-13"));
}

// ---- cut off

TEST(Pcap, cut_anywhere_in_a_record_is_told_with_the_frame_before) {
    PcapFile file;
    file.packet(kNow, 0, filled(60, 1)).packet(kNow, 1, filled(60, 2));
    const std::size_t first_ends = 24 + 16 + 60;
    for (std::size_t size = first_ends + 1; size < file.bytes.size(); ++size) {
        SCOPED_TRACE(size);
        const WholeRead read = read_bytes(std::string_view(file.bytes).substr(0, size));
        EXPECT_THAT(read.packets, SizeIs(1));
        ASSERT_THAT(read.codes(), ElementsAre("CAP-11"));
        EXPECT_EQ(read.notes[0].text, "test.cap is cut off after frame 1 (" + std::to_string(size) +
                                          " bytes read): reporting on what is there");
        EXPECT_EQ(read.notes[0].frame, 2U);
        EXPECT_EQ(read.lost_bytes, size - first_ends);
        EXPECT_TRUE(read.files.at(0).cut_off);
    }
}

TEST(Pcap, cut_between_records_cannot_be_seen) {
    PcapFile file;
    file.packet(kNow, 0, filled(60, 1));
    const WholeRead read = read_bytes(file.bytes);
    EXPECT_THAT(read.notes, IsEmpty());
    EXPECT_FALSE(read.files.at(0).cut_off);
}

TEST(Pcap, cut_inside_the_file_header_is_no_capture) {
    const std::string whole = PcapFile().bytes;
    for (std::size_t size = 4; size < whole.size(); ++size) {
        const WholeRead read = read_bytes(std::string_view(whole).substr(0, size));
        EXPECT_EQ(read.error_code, "CAP-12");
        EXPECT_THAT(read.error_why, HasSubstr("only " + std::to_string(size) + " of the 24 bytes"));
    }
}

// ---- damage

PcapFile five_around(const std::function<void(PcapFile&)>& middle) {
    PcapFile file;
    file.packet(kNow, 0, filled(80, 1)).packet(kNow, 100, filled(81, 2));
    middle(file);
    file.packet(kNow, 300, filled(83, 4)).packet(kNow, 400, filled(84, 5)).packet(kNow, 500, filled(85, 6));
    return file;
}

struct Damage {
    const char* says;
    std::function<void(PcapFile&)> middle;
    std::uint64_t lost;
};

TEST(Pcap, goes_on_behind_a_record_that_makes_no_sense) {
    const std::string data = filled(82, 3);
    const Damage damages[] = {
        {"captured length above all limits", [&](PcapFile& f) { f.record(kNow, 200, 0x7fffffff, 0x7fffffff, data); },
         16 + 82},
        {"captured length larger than the file", [&](PcapFile& f) { f.record(kNow, 200, 200'000, 200'000, data); },
         16 + 82},
        {"captured length above wire length, pointing nowhere",
         [&](PcapFile& f) { f.record(kNow, 200, 100, 82, data); }, 16 + 82},
        {"captured length below its bytes, pointing nowhere, above wire length",
         [&](PcapFile& f) { f.record(kNow, 200, 12, 4, data); }, 16 + 82},
        {"a fraction beyond a second, and a wrong length",
         [&](PcapFile& f) { f.record(kNow, 2'000'000, 70, 82, data); }, 16 + 82},
        {"zeros", [&](PcapFile& f) { f.bytes += std::string(1000, '\0'); }, 1000},
        {"ones", [&](PcapFile& f) { f.bytes += std::string(1001, '\xff'); }, 1001},
        {"text", [&](PcapFile& f) { f.bytes += "something that was printed in between\n"; }, 38},
        {"one byte too many", [&](PcapFile& f) { f.bytes += '\x07'; }, 1},
        {"nothing but a header", [&](PcapFile& f) { f.record(kNow, 200, 0xffffffff, 0xffffffff, ""); }, 16},
    };
    for (const Damage& damage : damages) {
        SCOPED_TRACE(damage.says);
        const WholeRead read = read_bytes(five_around(damage.middle).bytes);
        EXPECT_THAT(read.payloads(),
                    ElementsAre(filled(80, 1), filled(81, 2), filled(83, 4), filled(84, 5), filled(85, 6)));
        ASSERT_THAT(read.codes(), ElementsAre("CAP-13"));
        EXPECT_EQ(read.notes[0].frame, 3U);
        EXPECT_THAT(read.notes[0].text, HasSubstr("after frame 2 (at byte 217, "));
        EXPECT_THAT(read.notes[0].text, HasSubstr("reading goes on with frame 3"));
        EXPECT_EQ(read.lost_bytes, damage.lost);
        EXPECT_FALSE(read.files.at(0).cut_off);
    }
}

TEST(Pcap, a_length_that_swallows_neighbours_costs_them_but_not_the_rest) {
    // Nothing in the file tells that frame 3 lies: it is as long as it says, and 4 begins inside it.
    const WholeRead read =
        read_bytes(five_around([](PcapFile& f) { f.record(kNow, 200, 120, 1500, filled(82, 3)); }).bytes);
    EXPECT_THAT(read.packets, SizeIs(5));
    EXPECT_EQ(read.packets[2].bytes.substr(0, 82), filled(82, 3));
    EXPECT_EQ(read.packets[3].bytes, filled(84, 5));
    EXPECT_THAT(read.codes(), ElementsAre("CAP-13"));
}

TEST(Pcap, nothing_found_behind_damage_is_told_and_counted) {
    PcapFile file;
    file.packet(kNow, 0, filled(80, 1)).record(kNow, 1, 0xfffffff0, 4, filled(5000, 9));
    const WholeRead read = read_bytes(file.bytes);
    EXPECT_THAT(read.packets, SizeIs(1));
    ASSERT_THAT(read.codes(), ElementsAre("CAP-13"));
    EXPECT_THAT(read.notes[0].text, HasSubstr("nothing after it can be read"));
    EXPECT_EQ(read.lost_bytes, 5016U);
}

TEST(Pcap, a_tail_of_zeros_is_no_flood_of_empty_packets) {
    PcapFile file;
    file.packet(kNow, 0, filled(80, 1));
    file.bytes += std::string(100'000, '\0');
    const WholeRead read = read_bytes(file.bytes);
    EXPECT_THAT(read.packets, SizeIs(1));
    EXPECT_EQ(read.lost_bytes, 100'000U);
}

TEST(Pcap, odd_records_are_taken_when_they_lead_to_the_next_and_told_once) {
    PcapFile file;
    file.packet(kNow, 0, "a")
        .record(kNow, 1'500'000, 3, 3, "odd")
        .packet(kNow + 2, 0, "b")
        .record(kNow + 2, 5, 4, 2, "long")
        .record(kNow + 4, 6, 5, 0, "zero-");
    const WholeRead read = read_bytes(file.bytes);
    EXPECT_THAT(read.payloads(), ElementsAre("a", "odd", "b", "long", "zero-"));
    EXPECT_THAT(read.codes(), ElementsAre("CAP-13"));
    EXPECT_THAT(read.notes.at(0).text, HasSubstr("odd headers, the first is frame 2"));
    EXPECT_EQ(read.packets[1].ns, std::int64_t{kNow} * 1'000'000'000 + 1'500'000'000);
    EXPECT_EQ(read.packets[3].wire_length, 4U);
    EXPECT_EQ(read.lost_bytes, 0U);
}

TEST(Pcap, a_file_that_is_odd_all_through_is_read) {
    // Nanoseconds behind the magic for microseconds.
    PcapFile file;
    for (std::uint32_t i = 0; i < 20; ++i) file.packet(kNow + i, 900'000'000 + i, filled(40 + i, i));
    const WholeRead read = read_bytes(file.bytes);
    EXPECT_THAT(read.packets, SizeIs(20));
    EXPECT_THAT(read.codes(), ElementsAre("CAP-13"));
    EXPECT_EQ(read.lost_bytes, 0U);
}

TEST(Pcap, records_beyond_the_usual_limit_are_read_when_the_header_allows_them) {
    const std::string large = filled(5'000'000, 3);
    PcapFile file({.snaplen = 8'000'000});
    file.packet(kNow, 0, "before")
        .packet(kNow, 1, large)
        .packet(kNow, 2, "after")
        .packet(kNow, 3, filled(3'000'000, 8))
        .packet(kNow, 4, "end");
    const WholeRead read = read_bytes(file.bytes, 100'000);
    EXPECT_THAT(read.notes, IsEmpty());
    ASSERT_THAT(read.packets, SizeIs(5));
    EXPECT_EQ(read.packets[1].bytes, large);
    EXPECT_EQ(read.packets[2].bytes, "after");
    EXPECT_EQ(read.packets[4].bytes, "end");
}

TEST(Pcap, damage_is_listed_up_to_a_limit_and_counted_beyond) {
    PcapFile file;
    const std::size_t holes = limits::kTroubleNotesMax + 50;
    for (std::size_t i = 0; i < holes; ++i) {
        const auto time = static_cast<std::uint32_t>(i);
        file.packet(kNow + time, 0, "one").packet(kNow + time, 1, "two");
        file.bytes += std::string(20, '\xff');
    }
    const WholeRead read = read_bytes(file.bytes);
    EXPECT_THAT(read.packets, SizeIs(2 * holes));
    EXPECT_THAT(read.notes, SizeIs(limits::kTroubleNotesMax + 1));
    EXPECT_THAT(read.notes.back().text, HasSubstr("not listed"));
    EXPECT_EQ(read.lost_bytes, 20 * holes);
}

// ---- the cut never changes what is read

TEST(Pcap, bytes_that_come_in_any_pieces_give_the_same) {
    PcapFile file = five_around([](PcapFile& f) { f.record(kNow, 200, 0x7fffffff, 1, filled(82, 3)); });
    file.packet(kNow, 600, filled(200'000, 7)).packet(kNow, 700, filled(100'000, 8)).packet(kNow, 800, filled(64, 9));
    file.bytes.resize(file.bytes.size() - 5);
    const WholeRead whole = read_bytes(file.bytes);
    for (const std::size_t piece : {1, 7, 16, 4096, 65536, 262144}) {
        for (const WindowSize& size :
             {WindowSize{}, WindowSize{limits::kHistoryBytesMerged, limits::kMergedReadBlockBytes},
              WindowSize{8192, 4096}}) {
            SCOPED_TRACE(piece);
            const WholeRead cut = read_bytes(file.bytes, piece, size);
            EXPECT_EQ(cut.packets, whole.packets);
            EXPECT_EQ(cut.notes, whole.notes);
            EXPECT_EQ(cut.lost_bytes, whole.lost_bytes);
        }
    }
}

}  // namespace
}  // namespace hopscope::capture::test
