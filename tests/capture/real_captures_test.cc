// Real captures: the same packets as libpcap finds; the same in every format; and whatever is broken in them, the rest.
#include <gmock/gmock.h>
#include <pcap/pcap.h>

#include <algorithm>
#include <random>

#include "capture/capture_builder.h"
#include "capture/writer.h"
#include "support/temporary_directory.h"

namespace hopscope::capture::test {
namespace {

using hopscope::test::read_whole_file;
using hopscope::test::TemporaryDirectory;

using testing::IsEmpty;

std::vector<std::string> captures() {
    std::vector<std::string> names;
    for (const auto& entry :
         std::filesystem::recursive_directory_iterator(std::string(HOPSCOPE_SOURCE_DIR) + "/testdata/captures")) {
        const std::string extension = entry.path().extension().string();
        if (extension == ".pcap" || extension == ".pcapng") names.push_back(entry.path().string());
    }
    std::sort(names.begin(), names.end());
    EXPECT_GT(names.size(), 40U);
    return names;
}

void expect_as_libpcap(const std::string& name, const WholeRead& read) {
    char error[PCAP_ERRBUF_SIZE] = "";
    pcap_t* pcap = pcap_open_offline_with_tstamp_precision(name.c_str(), PCAP_TSTAMP_PRECISION_NANO, error);
    ASSERT_NE(pcap, nullptr) << error;
    pcap_pkthdr* header = nullptr;
    const u_char* data = nullptr;
    std::size_t count = 0;
    while (pcap_next_ex(pcap, &header, &data) == 1) {
        ASSERT_LT(count, read.packets.size());
        const KeptPacket& packet = read.packets[count++];
        EXPECT_EQ(packet.bytes, std::string_view(reinterpret_cast<const char*>(data), header->caplen));
        EXPECT_EQ(packet.ns, header->ts.tv_sec * 1'000'000'000 + header->ts.tv_usec);
        EXPECT_EQ(packet.wire_length, header->len);
        EXPECT_EQ(packet.frame, count);
    }
    EXPECT_EQ(count, read.packets.size());
    pcap_close(pcap);
}

TEST(RealCaptures, are_read_as_libpcap_reads_them) {
    for (const std::string& name : captures()) {
        SCOPED_TRACE(name);
        const WholeRead read = read_files({name});
        EXPECT_EQ(read.error_code, "");
        EXPECT_THAT(read.codes(), IsEmpty());
        EXPECT_EQ(read.lost_bytes, 0U);
        // libpcap reads one link type per file, and stops at an interface with another.
        const auto& interfaces = read.files.at(0).interfaces;
        const bool alike = std::all_of(interfaces.begin(), interfaces.end(), [&](const InterfaceInfo& i) {
            return i.link_type == interfaces.front().link_type;
        });
        if (alike) expect_as_libpcap(name, read);
    }
}

std::string as_pcap(const std::vector<KeptPacket>& packets, bool big, std::uint32_t magic) {
    PcapFile file({.big = big, .magic = magic, .link_type = packets.at(0).link_type});
    const std::int64_t unit = magic == kPcapMagicNanoseconds ? 1 : 1000;
    for (const KeptPacket& p : packets)
        file.packet(static_cast<std::uint32_t>(p.ns / 1'000'000'000),
                    static_cast<std::uint32_t>(p.ns % 1'000'000'000 / unit), p.bytes, p.wire_length);
    return file.bytes;
}

std::string as_pcapng(const std::vector<KeptPacket>& packets, bool big) {
    PcapngFile file(big);
    file.section().interface(static_cast<std::uint16_t>(packets.at(0).link_type), 0,
                             file.option(pcapng::kOptionTimeResolution, "\x09"));
    for (const KeptPacket& p : packets)
        file.packet(0, static_cast<std::uint64_t>(p.ns), p.bytes,
                    p.frame % 5 == 0 ? file.option(1, "five") : std::string(), p.wire_length);
    return file.bytes;
}

TEST(RealCaptures, hold_the_same_packets_in_every_format) {
    for (const char* name : {"runtime/exec_tty_resize.pcap", "runtime/var_any_sll2.pcap", "node/cri_uds_small.pcap",
                             "runtime/var_snap96.pcap"}) {
        const WholeRead original = read_files({std::string(HOPSCOPE_SOURCE_DIR) + "/testdata/captures/" + name});
        ASSERT_FALSE(original.packets.empty()) << name;
        for (const bool big : {false, true}) {
            for (const std::string& bytes :
                 {as_pcap(original.packets, big, kPcapMagicNanoseconds), as_pcapng(original.packets, big)}) {
                const WholeRead read = read_bytes(bytes);
                ASSERT_EQ(read.packets.size(), original.packets.size());
                for (std::size_t i = 0; i < read.packets.size(); ++i) {
                    KeptPacket expected = original.packets[i];
                    expected.position = read.packets[i].position;
                    EXPECT_EQ(read.packets[i], expected);
                }
            }
            const WholeRead micro = read_bytes(as_pcap(original.packets, big, kPcapMagicMicroseconds));
            EXPECT_EQ(micro.payloads(), original.payloads());
        }
    }
}

// ---- damage

struct Damaged {
    std::string bytes;
    std::size_t first_wrong = 0;     // before it all is as it was
    std::size_t right_again = 0;     // in the damaged bytes: from here on all is as it was …
    std::size_t original_again = 0;  // … from here on in the original
};

Damaged damage(const std::string& original, std::mt19937& random, std::size_t from) {
    Damaged d{original, 0, 0, 0};
    const std::size_t at = from + random() % (original.size() - from);
    const std::size_t n =
        std::min<std::size_t>(1 + (random() % 4 == 0 ? random() % 3000 : random() % 24), original.size() - at);
    d.first_wrong = at;
    d.right_again = d.original_again = at + n;
    switch (random() % 7) {
        case 0: d.bytes[at] = static_cast<char>(d.bytes[at] ^ 1 << random() % 8); break;
        case 1:
            for (std::size_t i = 0; i < n; ++i) d.bytes[at + i] = static_cast<char>(random());
            break;
        case 2: d.bytes.replace(at, n, n, '\0'); break;
        case 3: d.bytes.replace(at, n, n, '\xff'); break;
        case 4:
            d.bytes.insert(at, filled(n, static_cast<unsigned>(random())));
            d.original_again = at;
            break;
        case 5:
            d.bytes.erase(at, n);
            d.right_again = at;
            break;
        case 6:
            d.bytes.resize(at);
            d.right_again = at;
            d.original_again = original.size();
            break;
        default: break;
    }
    return d;
}

// What a reader owes whatever happened to the file. `missing`: how many packets behind the damage were not read.
void expect_the_rest(const std::string& original, const WholeRead& before, const Damaged& d, bool pcapng,
                     std::size_t& missing) {
    const WholeRead read = read_bytes(d.bytes);
    ASSERT_EQ(read.error_code, "");
    // All packets before the damage are as they were.
    std::size_t untouched = 0;
    while (untouched < before.packets.size() &&
           before.packets[untouched].position + before.packets[untouched].bytes.size() + (pcapng ? 24 : 0) <=
               d.first_wrong)
        ++untouched;
    ASSERT_GE(read.packets.size(), untouched);
    for (std::size_t i = 0; i < untouched; ++i) ASSERT_EQ(read.packets[i], before.packets[i]);
    // Of those behind it at most a few are missing, and these are in a row: a damaged length may swallow neighbours.
    std::vector<std::string> behind;
    for (const KeptPacket& p : before.packets)
        if (p.position > d.original_again + 64) behind.push_back(p.bytes);
    std::size_t same = 0;
    while (same < behind.size() && same < read.packets.size() &&
           read.packets[read.packets.size() - 1 - same].bytes == behind[behind.size() - 1 - same])
        ++same;
    missing = behind.size() - same;
    std::size_t swallowed = 0;
    for (std::size_t i = 0; i + same < behind.size(); ++i) swallowed += behind[i].size();
    EXPECT_LE(swallowed, limits::kPlainRecordBytesMax)
        << "of " << behind.size() << " packets behind the damage " << same << " were read";
    // Each byte of a pcap is header, record or loss.
    if (!pcapng) {
        std::size_t sum = kPcapFileHeaderBytes + read.lost_bytes;
        for (const KeptPacket& p : read.packets) sum += kPcapRecordHeaderBytes + p.bytes.size();
        EXPECT_EQ(sum, d.bytes.size());
    }
    // Something is told unless only packet bytes or times were changed.
    if (read.lost_bytes > 0) {
        EXPECT_FALSE(read.codes().empty());
    }
    // And it does not depend on how the bytes come.
    const WholeRead pieces = read_bytes(d.bytes, 1 + d.first_wrong % 3000, {16384, 4096});
    EXPECT_EQ(pieces.packets, read.packets);
    EXPECT_EQ(pieces.notes, read.notes);
    EXPECT_EQ(pieces.lost_bytes, read.lost_bytes);
    EXPECT_EQ(original.size(), before.files.at(0).bytes_read);
}

TEST(RealCaptures, five_hundred_kinds_of_damage_cost_only_what_they_hit) {
    const std::vector<std::string> names = captures();
    std::mt19937 random(20261121);
    std::size_t complete = 0;
    for (int round = 0; round < 500; ++round) {
        const std::string& name = names[random() % names.size()];
        SCOPED_TRACE("round " + std::to_string(round) + " of " + name);
        const std::string whole = read_whole_file(name);
        const WholeRead as_is = read_bytes(whole);
        const bool pcapng = round % 3 == 0;
        const std::string original = pcapng
                                         ? as_pcapng(as_is.packets, random() % 2 == 0)
                                         : as_pcap(as_is.packets, random() % 2 == 0,
                                                   random() % 2 == 0 ? kPcapMagicMicroseconds : kPcapMagicNanoseconds);
        const WholeRead before = read_bytes(original);
        // The file's own head is left alone here: it is tried below.
        const std::size_t head = pcapng ? 28 + 28 : kPcapFileHeaderBytes;
        std::size_t missing = 0;
        expect_the_rest(original, before, damage(original, random, head), pcapng, missing);
        if (testing::Test::HasFailure()) return;
        if (missing <= 1) ++complete;
    }
    EXPECT_GT(complete, 480U)
        << "rounds in which all packets behind the damage were read, but for one that its header swallowed";
}

TEST(RealCaptures, damage_anywhere_also_in_heads_never_breaks_the_reader) {
    const std::vector<std::string> names = captures();
    std::mt19937 random(7);
    for (int round = 0; round < 500; ++round) {
        const std::string whole = read_whole_file(names[random() % names.size()]).substr(0, 20'000);
        std::string bytes = whole;
        for (std::size_t hits = 1 + random() % 8; hits > 0; --hits)
            bytes[random() % (random() % 2 == 0 ? bytes.size() : std::min<std::size_t>(bytes.size(), 200))] =
                static_cast<char>(random());
        const WholeRead read = read_bytes(bytes), pieces = read_bytes(bytes, 777, {16384, 4096});
        EXPECT_LE(read.packets.size(), bytes.size() / 16);
        EXPECT_LE(read.lost_bytes, bytes.size());
        EXPECT_EQ(pieces.packets, read.packets);
        EXPECT_EQ(pieces.notes, read.notes);
        EXPECT_EQ(pieces.error_code, read.error_code);
        if (!read.error_code.empty()) {
            EXPECT_EQ(read.error_code, "CAP-12");
        }
    }
}

}  // namespace
}  // namespace hopscope::capture::test
