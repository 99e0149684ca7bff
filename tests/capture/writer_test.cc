// Writers: what they write is what the readers (ours and libpcap) read; how files are created; what happens on full
// disks.
#include "capture/writer.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <pcap/pcap.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <random>

#include "capture/capture_builder.h"
#include "support/temporary_directory.h"

namespace hopscope::capture::test {
namespace {

using hopscope::test::read_whole_file;
using hopscope::test::TemporaryDirectory;

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

struct Given {
    KeptPacket packet;
    std::string comment;
};

Packet as_packet(const KeptPacket& kept) {
    Packet packet;
    packet.at = {kept.ns};
    packet.link_type = static_cast<LinkType>(kept.link_type);
    packet.interface = kept.interface;
    packet.wire_length = kept.wire_length;
    packet.bytes = as_bytes(kept.bytes);
    return packet;
}

std::vector<Given> random_packets(std::mt19937& random, std::size_t interfaces) {
    const unsigned link_types[] = {1, 252, 276, 101};
    std::vector<Given> all;
    const std::size_t count = random() % 40;
    std::int64_t ns = 1'795'000'000'000'000'000;
    for (std::size_t i = 0; i < count; ++i) {
        Given given;
        ns += static_cast<std::int64_t>(random() % 3'000'000'000U) - 1'000'000'000;
        given.packet.ns = ns;
        given.packet.interface = static_cast<std::uint32_t>(random() % interfaces);
        given.packet.link_type = link_types[given.packet.interface];
        const std::size_t size = random() % 10 == 0 ? random() % 200'000 : random() % 300;
        given.packet.bytes = filled(size, static_cast<unsigned>(random()));
        given.packet.wire_length = static_cast<std::uint32_t>(size + 1 + random() % 3 * 100);
        if (random() % 3 == 0) given.comment = "comment " + std::string(random() % 50, 'c');
        all.push_back(given);
    }
    return all;
}

void expect_same(const std::vector<Given>& given, const WholeRead& read, std::int64_t resolution_ns) {
    EXPECT_EQ(read.error_code, "") << read.error_why;
    EXPECT_THAT(read.codes(), IsEmpty());
    ASSERT_EQ(read.packets.size(), given.size());
    for (std::size_t i = 0; i < given.size(); ++i) {
        SCOPED_TRACE(i);
        EXPECT_EQ(read.packets[i].ns, given[i].packet.ns / resolution_ns * resolution_ns);
        EXPECT_EQ(read.packets[i].link_type, given[i].packet.link_type);
        EXPECT_EQ(read.packets[i].wire_length, given[i].packet.wire_length);
        EXPECT_EQ(read.packets[i].bytes, given[i].packet.bytes);
    }
}

TEST(Writer, what_is_written_as_pcap_is_read_again) {
    std::mt19937 random(1);
    const TemporaryDirectory directory;
    for (int round = 0; round < 60; ++round) {
        const bool nanoseconds = round % 2 == 0;
        const std::string name = directory.file(std::to_string(round));
        const std::vector<Given> given = random_packets(random, 1);
        auto writer = open_pcap_writer(name, {.nanoseconds = nanoseconds});
        ASSERT_TRUE(writer);
        for (const Given& g : given) ASSERT_TRUE((*writer)->write(as_packet(g.packet)));
        ASSERT_TRUE((*writer)->close());
        ASSERT_TRUE((*writer)->close()) << "closing twice does no harm";
        expect_same(given, read_files({name}), nanoseconds ? 1 : 1000);
    }
}

TEST(Writer, what_is_written_as_pcapng_is_read_again) {
    std::mt19937 random(2);
    const TemporaryDirectory directory;
    for (int round = 0; round < 60; ++round) {
        const bool nanoseconds = round % 2 == 0;
        const std::string name = directory.file(std::to_string(round));
        const std::vector<Given> given = random_packets(random, 1 + random() % 4);
        auto writer = open_pcapng_writer(
            name, {.nanoseconds = nanoseconds, .section_comment = "masked: payload", .application = "hopscope"});
        ASSERT_TRUE(writer);
        ASSERT_TRUE((*writer)->write_secrets("CLIENT_RANDOM 1 2\n"));
        for (const Given& g : given) ASSERT_TRUE((*writer)->write(as_packet(g.packet), g.comment));
        ASSERT_TRUE((*writer)->close());
        const WholeRead read = read_files({name});
        expect_same(given, read, nanoseconds ? 1 : 1000);
        std::vector<std::string> comments = {"masked: payload"};
        for (const Given& g : given)
            if (!g.comment.empty()) comments.push_back(g.comment);
        EXPECT_EQ(read.texts(FileNote::Kind::comment), comments);
        EXPECT_THAT(read.texts(FileNote::Kind::secrets), ElementsAre("CLIENT_RANDOM 1 2\n"));
    }
}

TEST(Writer, declared_interfaces_keep_name_number_and_statistics) {
    const TemporaryDirectory directory;
    const std::string name = directory.file("x.pcapng");
    auto writer = open_pcapng_writer(name, {});
    ASSERT_TRUE(writer);
    ASSERT_TRUE((*writer)->add_interface({7, LinkType::upper_pdu, "unix", 0}));
    ASSERT_TRUE((*writer)->add_interface({3, LinkType::ethernet, "lo", 96, pod_network_description(4'026'532'451)}));
    ASSERT_TRUE(
        (*writer)->write(as_packet({.link_type = 1, .interface = 3, .wire_length = 200, .bytes = filled(200, 1)})));
    ASSERT_TRUE((*writer)->write(as_packet({.link_type = 252, .interface = 7, .wire_length = 5, .bytes = "hello"}),
                                 "to the shim"));
    ASSERT_TRUE((*writer)->write_statistics(3, {}, 100, 4));
    EXPECT_EQ((*writer)->add_interface({3, LinkType::ethernet, "lo", 0}).error().code, "CAP-22") << "declared twice";
    EXPECT_EQ((*writer)->write(as_packet({.link_type = 113, .interface = 3})).error().code, "CAP-22")
        << "another link type";
    EXPECT_EQ((*writer)->write_statistics(9, {}, 1, 1).error().code, "CAP-22") << "never declared";
    ASSERT_TRUE((*writer)->close());
    const WholeRead read = read_files({name});
    ASSERT_THAT(read.files.at(0).interfaces, SizeIs(2));
    EXPECT_EQ(read.files[0].interfaces[0].name, "unix");
    EXPECT_EQ(read.files[0].interfaces[0].description, "");
    EXPECT_EQ(read.files[0].interfaces[1].snaplen, 96U);
    EXPECT_EQ(pod_network_of(read.files[0].interfaces[1].description), 4'026'532'451U);
    ASSERT_THAT(read.packets, SizeIs(2));
    EXPECT_EQ(read.packets[0].bytes, filled(200, 1).substr(0, 96)) << "cut to the snaplen";
    EXPECT_EQ(read.packets[0].wire_length, 200U) << "and the cut can be seen";
    EXPECT_EQ(read.packets[0].interface, 1U);
    EXPECT_EQ(read.packets[1].link_type, 252U);
    EXPECT_EQ(read.notes.back().kind, FileNote::Kind::drops);
    EXPECT_EQ(read.notes.back().count, 4U);
}

TEST(Writer, packets_that_do_not_fit_are_refused_and_the_file_stays_good) {
    const TemporaryDirectory directory;
    const std::string name = directory.file("x.pcap");
    auto writer = open_pcap_writer(name, {.link_type = LinkType::linux_sll});
    ASSERT_TRUE(writer);
    const Status other = (*writer)->write(as_packet({.link_type = 1, .bytes = "x"}));
    EXPECT_EQ(other.error().code, "CAP-22");
    EXPECT_THAT(other.error().why, HasSubstr("link type 1, the file 113"));
    EXPECT_EQ(
        (*writer)->write(as_packet({.ns = 5'000'000'000'000'000'000, .link_type = 113, .bytes = "x"})).error().code,
        "CAP-22")
        << "after 2106";
    EXPECT_TRUE((*writer)->write(as_packet({.ns = -5, .link_type = 113, .wire_length = 1, .bytes = "before 1970"})));
    EXPECT_TRUE((*writer)->close());
    const WholeRead read = read_files({name});
    EXPECT_THAT(read.payloads(), ElementsAre("before 1970"));
    EXPECT_EQ(read.packets.at(0).ns, 0);
    EXPECT_EQ(read.packets.at(0).wire_length, 11U) << "never below what was captured";
}

TEST(Writer, long_comments_are_cut_between_characters) {
    const TemporaryDirectory directory;
    const std::string name = directory.file("x.pcapng");
    std::string comment(65534, 'a');
    comment += "\xe2\x97\x8f and more";  // its first byte would still fit
    auto writer = open_pcapng_writer(name, {});
    ASSERT_TRUE(writer);
    ASSERT_TRUE((*writer)->write(as_packet({.link_type = 1, .bytes = "x"}), comment));
    ASSERT_TRUE((*writer)->close());
    EXPECT_THAT(read_files({name}).texts(FileNote::Kind::comment), ElementsAre(std::string(65534, 'a')));
}

TEST(Writer, libpcap_reads_what_we_write) {
    const TemporaryDirectory directory;
    std::mt19937 random(3);
    for (const bool pcapng : {false, true}) {
        const std::string name = directory.file(pcapng ? "x.pcapng" : "x.pcap");
        const std::vector<Given> given = random_packets(random, 1);
        Result<std::unique_ptr<Writer>> writer =
            open_pcap_writer(directory.file("unused" + std::to_string(pcapng)), {});
        if (pcapng) {
            auto opened = open_pcapng_writer(name, {.section_comment = "c", .application = "hopscope"});
            ASSERT_TRUE(opened);
            writer = std::unique_ptr<Writer>(std::move(*opened));
        } else {
            writer = open_pcap_writer(name, {});
        }
        ASSERT_TRUE(writer);
        for (const Given& g : given) ASSERT_TRUE((*writer)->write(as_packet(g.packet)));
        ASSERT_TRUE((*writer)->close());
        char error[PCAP_ERRBUF_SIZE] = "";
        pcap_t* pcap = pcap_open_offline_with_tstamp_precision(name.c_str(), PCAP_TSTAMP_PRECISION_NANO, error);
        ASSERT_NE(pcap, nullptr) << error;
        pcap_pkthdr* header = nullptr;
        const u_char* data = nullptr;
        for (const Given& g : given) {
            ASSERT_EQ(pcap_next_ex(pcap, &header, &data), 1) << pcap_geterr(pcap);
            EXPECT_EQ(std::string_view(reinterpret_cast<const char*>(data), header->caplen), g.packet.bytes);
            EXPECT_EQ(header->ts.tv_sec * 1'000'000'000 + header->ts.tv_usec, g.packet.ns);
            EXPECT_EQ(header->len, g.packet.wire_length);
        }
        EXPECT_EQ(pcap_next_ex(pcap, &header, &data), PCAP_ERROR_BREAK);
        pcap_close(pcap);
    }
}

TEST(Writer, files_without_packets_are_files_that_libpcap_opens) {
    const TemporaryDirectory directory;
    const std::string pcap_name = directory.file("a"), pcapng_name = directory.file("b");
    ASSERT_TRUE((*open_pcap_writer(pcap_name, {.link_type = LinkType::linux_sll2}))->close());
    ASSERT_TRUE((*open_pcapng_writer(pcapng_name, {.link_type = LinkType::linux_sll2}))->close());
    for (const std::string& name : {pcap_name, pcapng_name}) {
        char error[PCAP_ERRBUF_SIZE] = "";
        pcap_t* pcap = pcap_open_offline(name.c_str(), error);
        ASSERT_NE(pcap, nullptr) << error;
        EXPECT_EQ(pcap_datalink(pcap), DLT_LINUX_SLL2);
        pcap_close(pcap);
    }
}

// ---- the file itself

TEST(WriterFile, is_private_and_never_replaces_another_unless_told) {
    const TemporaryDirectory directory;
    const std::string name = directory.write("x.pcap", "precious");
    auto refused = open_pcap_writer(name, {});
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, "CAP-21");
    EXPECT_EQ(refused.error().subject, name);
    EXPECT_EQ(read_whole_file(name), "precious");
    ASSERT_EQ(::chmod(name.c_str(), 0666), 0);
    ASSERT_TRUE((*open_pcapng_writer(name, {.overwrite = true}))->close());
    EXPECT_EQ(read_files({name}).files.at(0).format, "pcapng");
    struct stat status {};
    ASSERT_EQ(::stat(name.c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 07777U, 0600U);
}

TEST(WriterFile, does_not_write_through_a_link) {
    const TemporaryDirectory directory;
    const std::string target = directory.write("target", "precious"), link = directory.file("link");
    std::filesystem::create_symlink(target, link);
    EXPECT_EQ(open_pcap_writer(link, {}).error().code, "CAP-21");
    ASSERT_TRUE((*open_pcap_writer(link, {.overwrite = true}))->close());
    EXPECT_EQ(read_whole_file(target), "precious");
    EXPECT_TRUE(std::filesystem::is_regular_file(std::filesystem::symlink_status(link)));
}

TEST(WriterFile, cannot_be_created_is_told) {
    const TemporaryDirectory directory;
    const auto writer = open_pcap_writer(directory.file("no/such/directory/x.pcap"), {});
    ASSERT_FALSE(writer);
    EXPECT_EQ(writer.error().code, "CAP-20");
    EXPECT_EQ(writer.error().errno_value, ENOENT);
    EXPECT_NE(writer.error().hint, "");
}

TEST(WriterFile, belongs_to_who_called_sudo) {
    if (::geteuid() != 0) GTEST_SKIP() << "only root can give files away";
    const TemporaryDirectory directory;
    ::setenv("SUDO_UID", "12345", 1);
    ::setenv("SUDO_GID", "23456", 1);
    ASSERT_TRUE((*open_pcap_writer(directory.file("given"), {}))->close());
    ::setenv("SUDO_UID", "12x", 1);
    ASSERT_TRUE((*open_pcap_writer(directory.file("kept"), {}))->close());
    ::unsetenv("SUDO_UID");
    ::unsetenv("SUDO_GID");
    struct stat status {};
    ASSERT_EQ(::stat(directory.file("given").c_str(), &status), 0);
    EXPECT_EQ(status.st_uid, 12345U);
    EXPECT_EQ(status.st_gid, 23456U);
    EXPECT_EQ(status.st_mode & 07777U, 0600U);
    ASSERT_EQ(::stat(directory.file("kept").c_str(), &status), 0);
    EXPECT_EQ(status.st_uid, 0U);
}

TEST(WriterFile, devices_and_pipes_are_written_to_as_they_are) {
    auto null = open_pcap_writer("/dev/null", {});
    ASSERT_TRUE(null);
    EXPECT_TRUE((*null)->write(as_packet({.link_type = 1, .bytes = "x"})));
    EXPECT_TRUE((*null)->close());
    EXPECT_TRUE(std::filesystem::is_character_file("/dev/null"));
    auto full = open_pcap_writer("/dev/full", {});
    ASSERT_FALSE(full);
    EXPECT_EQ(full.error().code, "CAP-20");
    EXPECT_EQ(full.error().errno_value, ENOSPC);
}

TEST(WriterFile, what_was_flushed_can_be_read_while_writing_goes_on) {
    const TemporaryDirectory directory;
    const std::string name = directory.file("x.pcapng");
    auto writer = open_pcapng_writer(name, {});
    ASSERT_TRUE(writer);
    EXPECT_EQ(read_files({name}).error_code, "") << "the header is there from the beginning";
    ASSERT_TRUE((*writer)->write(as_packet({.link_type = 1, .bytes = "one"})));
    ASSERT_TRUE((*writer)->flush());
    EXPECT_THAT(read_files({name}).payloads(), ElementsAre("one"));
    ASSERT_TRUE((*writer)->write(as_packet({.link_type = 1, .bytes = "two"})));
    writer->reset();
    EXPECT_THAT(read_files({name}).payloads(), ElementsAre("one", "two")) << "a writer that is dropped closes itself";
}

TEST(WriterFile, a_full_disk_leaves_whole_records_only) {
    const TemporaryDirectory directory;
    rlimit before{};
    ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
    auto* const old = ::signal(SIGXFSZ, SIG_IGN);  // then write(2) fails with EFBIG
    for (const std::size_t room : {200'001, 70'003, 130'000}) {
        for (const std::size_t size : {100, 90'000}) {
            const std::string name = directory.file(std::to_string(room) + "." + std::to_string(size));
            auto writer = open_pcap_writer(name, {});
            ASSERT_TRUE(writer);
            const rlimit limit{room, before.rlim_max};
            ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &limit), 0);
            std::size_t accepted = 0;
            Status status = Done{};
            while (status && accepted < 100'000) {
                status = (*writer)->write(
                    as_packet({.ns = 1'795'000'000'000'000'000, .link_type = 1, .bytes = filled(size, 1)}));
                if (status) ++accepted;
            }
            const Status again = (*writer)->write(as_packet({.link_type = 1, .bytes = "x"})),
                         closed = (*writer)->close();
            ::setrlimit(RLIMIT_FSIZE, &before);
            ASSERT_FALSE(status);
            EXPECT_EQ(status.error().code, "CAP-20");
            EXPECT_EQ(status.error().errno_value, EFBIG);
            EXPECT_FALSE(again);
            EXPECT_FALSE(closed);
            const WholeRead read = read_files({name});
            EXPECT_THAT(read.notes, IsEmpty()) << "not cut off";
            EXPECT_EQ(read.packets.size(), (room - 24) / (size + 16)) << "all that fit";
        }
    }
    ::signal(SIGXFSZ, old);
}

TEST(Interfaces, APodsNetworkIsToldByTheDescriptionAndReadBack) {
    EXPECT_EQ(pod_network_of(pod_network_description(4'026'532'451)), 4'026'532'451U);
    for (const char* other : {"", "lo", "hopscope: network namespace  of a pod, forwarded connections",
                              "hopscope: network namespace 12x of a pod, forwarded connections",
                              "hopscope: network namespace of a pod, forwarded connections"})
        EXPECT_EQ(pod_network_of(other), 0U) << other;
}

}  // namespace
}  // namespace hopscope::capture::test
