// Where captures come from: files, pipes, standard input, gzip and zstd; and what is told about things that are none.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

#include <thread>

#include "capture/capture_builder.h"
#include "support/temporary_directory.h"

namespace hopscope::capture::test {
namespace {

using hopscope::test::TemporaryDirectory;

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

std::string gzip(std::string_view bytes, int level = 6) {
    z_stream stream{};
    EXPECT_EQ(deflateInit2(&stream, level, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
    std::string out(deflateBound(&stream, static_cast<uLong>(bytes.size())) + 64, '\0');
    stream.next_in = const_cast<Bytef*>(as_bytes(bytes).data());
    stream.avail_in = static_cast<uInt>(bytes.size());
    stream.next_out = reinterpret_cast<Bytef*>(out.data());
    stream.avail_out = static_cast<uInt>(out.size());
    EXPECT_EQ(deflate(&stream, Z_FINISH), Z_STREAM_END);
    out.resize(out.size() - stream.avail_out);
    deflateEnd(&stream);
    return out;
}

std::string zstd(std::string_view bytes, int window_log = 0) {
    ZSTD_CCtx* context = ZSTD_createCCtx();
    if (window_log > 0) ZSTD_CCtx_setParameter(context, ZSTD_c_windowLog, window_log);
    std::string out(ZSTD_compressBound(bytes.size()), '\0');
    ZSTD_inBuffer in{bytes.data(), bytes.size(), 0};
    ZSTD_outBuffer made{out.data(), out.size(), 0};
    // Streaming, so that the frame's head does not tell the size: the window counts then.
    EXPECT_EQ(ZSTD_isError(ZSTD_compressStream2(context, &made, &in, ZSTD_e_continue)), 0U);
    EXPECT_EQ(ZSTD_compressStream2(context, &made, &in, ZSTD_e_end), 0U);
    ZSTD_freeCCtx(context);
    out.resize(made.pos);
    return out;
}

std::string some_packets(unsigned count = 400) {
    PcapFile file;
    for (unsigned i = 0; i < count; ++i) file.packet(1'795'000'000 + i, i, filled(1 + i * 13 % 1500, i));
    return file.bytes;
}

// ---- packed files

TEST(Packed, gzip_and_zstd_hold_the_same_packets) {
    const std::string plain = some_packets();
    const WholeRead expected = read_bytes(plain);
    ASSERT_THAT(expected.packets, SizeIs(400));
    struct Packing {
        const char* says;
        std::string bytes;
        const char* format;
    };
    const std::string_view whole = plain;
    const Packing packings[] = {
        {"gzip", gzip(plain), "pcap (gzip)"},
        {"gzip, stored", gzip(plain, 0), "pcap (gzip)"},
        {"gzip of two members", gzip(whole.substr(0, 1000)) + gzip(whole.substr(1000)), "pcap (gzip)"},
        {"gzip with an empty member first", gzip("") + gzip(plain), "pcap (gzip)"},
        {"gzip, padded with zeros", gzip(plain) + std::string(512, '\0'), "pcap (gzip)"},
        {"zstd", zstd(plain), "pcap (zstd)"},
        {"zstd of two frames", zstd(whole.substr(0, 77)) + zstd(whole.substr(77)), "pcap (zstd)"},
        {"zstd behind a skippable frame", std::string("\x50\x2a\x4d\x18\x04\0\0\0abcd", 12) + zstd(plain),
         "pcap (zstd)"},
        {"zstd with the largest window that is taken", zstd(plain, limits::kZstdWindowLogMax), "pcap (zstd)"},
    };
    for (const Packing& packing : packings) {
        for (const std::size_t piece : {std::size_t{1}, std::size_t{1000}, SIZE_MAX}) {
            SCOPED_TRACE(packing.says);
            const WholeRead read = read_bytes(packing.bytes, piece);
            ASSERT_EQ(read.error_code, "") << read.error_why;
            EXPECT_EQ(read.packets, expected.packets);
            EXPECT_THAT(read.notes, IsEmpty());
            EXPECT_EQ(read.files.at(0).format, packing.format);
            EXPECT_EQ(read.files.at(0).bytes_read, packing.bytes.size()) << "bytes of the file itself";
        }
    }
}

TEST(Packed, pcapng_too) {
    PcapngFile file;
    file.section().interface().packet(0, 1, "x");
    EXPECT_EQ(read_bytes(gzip(file.bytes)).files.at(0).format, "pcapng (gzip)");
    EXPECT_EQ(read_bytes(zstd(file.bytes)).files.at(0).format, "pcapng (zstd)");
}

TEST(Packed, what_is_cut_off_or_damaged_is_read_up_to_there) {
    const std::string plain = some_packets(), packed_gzip = gzip(plain), packed_zstd = zstd(plain);
    std::string damaged_gzip = packed_gzip, damaged_zstd = packed_zstd;
    damaged_gzip.replace(packed_gzip.size() / 2, 64, 64, '\xff');
    damaged_zstd.back() = static_cast<char>(~damaged_zstd.back());
    damaged_zstd.replace(packed_zstd.size() / 2, 64, 64, '\xff');
    struct Broken {
        std::string bytes;
        const char* why;
    };
    const Broken table[] = {
        {packed_gzip.substr(0, packed_gzip.size() / 2), "the gzip data stops before its end"},
        {packed_gzip.substr(0, packed_gzip.size() - 1), "the gzip data stops before its end"},
        {damaged_gzip, "the gzip data is damaged ("},
        {packed_gzip + "rubbish", "something that is not gzip follows"},
        {packed_zstd.substr(0, packed_zstd.size() - 1), "the zstd data stops before its end"},
        {damaged_zstd, "the zstd data is damaged ("},
        {packed_zstd + "rubbish", "the zstd data is damaged ("},
    };
    for (const Broken& broken : table) {
        SCOPED_TRACE(broken.why);
        const WholeRead read = read_bytes(broken.bytes);
        if (read.error_code == "CAP-12") {
            EXPECT_THAT(read.error_why, HasSubstr(broken.why)) << "zstd gives nothing before a whole block";
            continue;
        }
        ASSERT_THAT(read.codes(), testing::Contains("CAP-11"));
        EXPECT_THAT(read.notes.back().text, AllOf(HasSubstr("is cut off after frame"), HasSubstr(broken.why)));
        EXPECT_TRUE(read.files.at(0).cut_off);
    }
    EXPECT_GT(read_bytes(packed_gzip.substr(0, packed_gzip.size() / 2)).packets.size(), 100U);
    EXPECT_THAT(read_bytes(packed_gzip + "rubbish").packets, SizeIs(400));
}

TEST(Packed, a_zstd_window_that_would_take_too_much_memory_is_refused_with_a_way_out) {
    const WholeRead read = read_bytes(zstd(some_packets(), 27));
    EXPECT_EQ(read.error_code, "CAP-12");
    EXPECT_THAT(read.error_why, AllOf(HasSubstr("more than 8 MiB"), HasSubstr("--long")));
}

TEST(Packed, what_is_no_capture_inside_is_told) {
    EXPECT_THAT(read_bytes(gzip("hello, world\n")).error_why, HasSubstr("it holds, packed by (gzip), text"));
    EXPECT_THAT(read_bytes(zstd("\x7f"
                                "ELF and more"))
                    .error_why,
                HasSubstr("it holds, packed by (zstd), an ELF program"));
    EXPECT_THAT(read_bytes(gzip("")).error_why, HasSubstr("an empty file"));
    EXPECT_THAT(read_bytes(gzip(gzip(some_packets()))).error_why, HasSubstr("packed twice"));
    EXPECT_THAT(read_bytes(std::string("\x1f\x8b\x08rubbish that is no gzip")).error_why, HasSubstr("gzip data"));
    EXPECT_EQ(read_bytes(std::string("\x1f\x8b")).error_code, "CAP-12");
}

// ---- no capture

struct Stranger {
    std::string bytes;
    const char* like;
};

TEST(NotACapture, is_told_with_what_it_looks_like) {
    const Stranger table[] = {
        {"", "an empty file (0 bytes)"},
        {"hello\n", "text"},
        {"x", "text"},
        {"{\"a\": 1}", "JSON"},
        {"<html>", "XML or HTML"},
        {"17:01:43.880571 IP 127.0.0.1.54766 > 127.0.0.1.42313: Flags [S]\n", "text that tcpdump printed"},
        {"2026-11-21 17:01:43.880571 IP6 ::1.1 > ::1.2:", "text that tcpdump printed"},
        {std::string("\x7f"
                     "ELF\2\1\1\0\0",
                     9),
         "an ELF program or core file"},
        {std::string("\xfd"
                     "7zXZ\0\0\4",
                     8),
         "an xz file"},
        {"BZh91AY&SY", "a bzip2 file"},
        {"PK\x03\x04\x14", "a zip archive"},
        {std::string(257, 'a') + "ustar", "a tar archive"},
        {std::string("snoop\0\0\0\0\0\0\2", 12), "a Solaris snoop capture"},
        {"GMBU....", "a Microsoft Network Monitor capture"},
        {"\xa1\x2b\x3c\x4d....", "a pcap variant of Navtel"},
        {"CLIENT_RANDOM 0011 2233\n", "a TLS key log"},
        {std::string(4096, '\0'), "a file of zeros"},
        {"\x01\x02\x03\x04\x05\x06\x07\x08\x09",
         "no format that hopscope knows (it begins with 01 02 03 04 05 06 07 08)"},
    };
    for (const Stranger& stranger : table) {
        SCOPED_TRACE(stranger.like);
        std::vector<KeptNote> notes;
        const auto reader =
            open_source(std::make_unique<MemorySource>(as_bytes(stranger.bytes)), "some.file", note_keeper(notes));
        ASSERT_FALSE(reader);
        EXPECT_EQ(reader.error().code, "CAP-12");
        EXPECT_EQ(reader.error().subject, "some.file");
        EXPECT_THAT(reader.error().why,
                    AllOf(HasSubstr("not a capture file: it looks like "), HasSubstr(stranger.like)));
        EXPECT_NE(reader.error().hint, "");
    }
}

// ---- files and pipes

TEST(Open, names_that_cannot_be_read_are_told) {
    const TemporaryDirectory directory;
    const auto why = [](const std::string& name) {
        const auto reader = Reader::open({name}, {});
        EXPECT_FALSE(reader);
        if (reader) return std::string();
        EXPECT_EQ(reader.error().code, "CAP-10");
        EXPECT_EQ(reader.error().subject, name);
        EXPECT_NE(reader.error().hint, "");
        return reader.error().why;
    };
    EXPECT_THAT(why(directory.file("missing.pcap")), HasSubstr("No such file"));
    EXPECT_THAT(why(directory.file("")), HasSubstr("Is a directory"));
    if (::geteuid() != 0) {
        const std::string secret = directory.write("secret.pcap", some_packets(1));
        ::chmod(secret.c_str(), 0);
        EXPECT_THAT(why(secret), HasSubstr("Permission denied"));
    }
    EXPECT_EQ(read_files({}).error_code, "CAP-10");
    EXPECT_THAT(read_files({"-", "-"}).error_why, HasSubstr("only once"));
    EXPECT_EQ(read_files(std::vector<std::string>(limits::kFilesMax + 1, "x")).error_code, "CAP-10");
}

TEST(Open, a_file_tells_its_size_and_what_was_read) {
    const TemporaryDirectory directory;
    const std::string bytes = some_packets(), name = directory.write("a.pcap", bytes);
    auto reader = Reader::open({name}, {});
    ASSERT_TRUE(reader);
    EXPECT_EQ((*reader)->files().at(0).bytes_total, bytes.size());
    Packet packet;
    while ((*reader)->next(packet)) {
    }
    EXPECT_EQ((*reader)->files().at(0).bytes_read, bytes.size());
    EXPECT_EQ((*reader)->files().at(0).packets, 400U);
    EXPECT_EQ((*reader)->files().at(0).name, name);
    EXPECT_TRUE((*reader)->recent(0, 1).empty()) << "position 0 is nowhere";
    EXPECT_TRUE((*reader)->recent(packet.position | std::uint64_t{1} << 48, 1).empty()) << "there is no second file";
}

TEST(Open, an_empty_file_is_no_capture) {
    const TemporaryDirectory directory;
    const WholeRead read = read_files({directory.write("empty.pcap", "")});
    EXPECT_EQ(read.error_code, "CAP-12");
    EXPECT_THAT(read.error_why, HasSubstr("an empty file"));
}

// Each packet must come as soon as its last byte is there: `tcpdump -U -w - | hopscope`.
void expect_packets_as_they_come(Reader& reader, int into, const std::string& bytes,
                                 const std::vector<std::size_t>& ends) {
    std::size_t written = 24, frame = 0;
    Packet packet;
    for (const std::size_t end : ends) {
        ASSERT_EQ(::write(into, bytes.data() + written, end - written), static_cast<ssize_t>(end - written));
        written = end;
        ASSERT_TRUE(reader.next(packet));  // blocks for ever if it waits for more: the test's time limit tells
        EXPECT_EQ(packet.frame, ++frame);
    }
    ::close(into);
    EXPECT_FALSE(reader.next(packet));
}

TEST(Open, standard_input_may_be_a_pipe_and_packets_come_at_once) {
    PcapFile file;
    std::vector<std::size_t> ends;
    for (unsigned i = 0; i < 20; ++i) {
        file.packet(1'795'000'000, i, filled(1 + i * 10, i));
        ends.push_back(file.bytes.size());
    }
    int pipe_ends[2];
    ASSERT_EQ(::pipe(pipe_ends), 0);
    const int saved = ::dup(STDIN_FILENO);
    ASSERT_GE(::dup2(pipe_ends[0], STDIN_FILENO), 0);
    ::close(pipe_ends[0]);
    ASSERT_EQ(::write(pipe_ends[1], file.bytes.data(), 24), 24);
    {
        auto reader = Reader::open({"-"}, {});
        ASSERT_TRUE(reader) << reader.error().why;
        EXPECT_EQ((*reader)->files().at(0).bytes_total, std::nullopt);
        EXPECT_EQ((*reader)->files().at(0).name, "-");
        expect_packets_as_they_come(**reader, pipe_ends[1], file.bytes, ends);
    }
    EXPECT_NE(::fcntl(STDIN_FILENO, F_GETFD), -1) << "standard input is not ours to close";
    if (saved >= 0) {
        ::dup2(saved, STDIN_FILENO);
        ::close(saved);
    }
}

TEST(Open, a_pipe_that_does_not_block_is_waited_for) {
    const std::string bytes = some_packets(200);
    int pipe_ends[2];
    ASSERT_EQ(::pipe2(pipe_ends, O_NONBLOCK), 0);
    std::thread writer([&] {
        for (std::size_t at = 0; at < bytes.size(); at += 10'000) {
            std::this_thread::sleep_for(std::chrono::milliseconds(2));
            const std::string_view piece = std::string_view(bytes).substr(at, 10'000);
            EXPECT_EQ(::write(pipe_ends[1], piece.data(), piece.size()), static_cast<ssize_t>(piece.size()));
        }
        ::close(pipe_ends[1]);
    });
    auto reader = open_source(std::make_unique<FileSource>(pipe_ends[0]), "pipe", {});
    WholeRead read;
    if (reader) read_rest(**reader, read);
    writer.join();
    ASSERT_TRUE(reader);
    EXPECT_THAT(read.packets, SizeIs(200));
}

TEST(Open, a_fifo_is_read_also_between_other_files) {
    const TemporaryDirectory directory;
    const std::string fifo = directory.file("fifo");
    ASSERT_EQ(::mkfifo(fifo.c_str(), 0600), 0);
    PcapFile in_fifo, in_file;
    in_fifo.packet(100, 0, "fifo 1").packet(100, 20, "fifo 2");
    in_file.packet(100, 10, "file 1").packet(100, 30, "file 2");
    const std::string plain = directory.write("plain.pcap", in_file.bytes);
    std::thread writer([&] {
        const int fd = ::open(fifo.c_str(), O_WRONLY);
        const std::string packed = gzip(in_fifo.bytes);
        EXPECT_EQ(::write(fd, packed.data(), packed.size()), static_cast<ssize_t>(packed.size()));
        ::close(fd);
    });
    const WholeRead read = read_files({fifo, plain});
    writer.join();
    EXPECT_THAT(read.payloads(), ElementsAre("fifo 1", "file 1", "fifo 2", "file 2"));
    EXPECT_EQ(read.files.at(0).format, "pcap (gzip)");
}

TEST(Open, a_failing_read_is_told_and_what_came_before_is_kept) {
    class Failing final : public ByteSource {
    public:
        explicit Failing(std::string bytes) : bytes_(std::move(bytes)) {}
        std::size_t read(std::uint8_t* out, std::size_t size) override {
            const std::size_t n = std::min(size, bytes_.size() - at_);
            bytes_.copy(reinterpret_cast<char*>(out), n, at_);
            at_ += n;
            if (n == 0) ending_ = {SourceEnd::Kind::failed, "Input/output error"};
            return n;
        }
        [[nodiscard]] const SourceEnd& ending() const override { return ending_; }
        [[nodiscard]] std::uint64_t file_bytes() const override { return at_; }

    private:
        std::string bytes_;
        std::size_t at_ = 0;
        SourceEnd ending_;
    };
    for (const bool packed : {false, true}) {
        const std::string bytes = packed ? gzip(some_packets(5), 0) : some_packets(5);
        std::vector<KeptNote> notes;
        WholeRead read;
        auto reader =
            open_source(std::make_unique<Failing>(bytes.substr(0, bytes.size() - 20)), "disk.pcap", note_keeper(notes));
        ASSERT_TRUE(reader);
        read_rest(**reader, read);
        EXPECT_THAT(read.packets, SizeIs(4));
        ASSERT_THAT(notes, SizeIs(1));
        EXPECT_EQ(notes[0].code, "CAP-10");
        EXPECT_EQ(notes[0].text,
                  "disk.pcap cannot be read on after frame 4 (Input/output error): reporting on what is there");
        EXPECT_TRUE(read.files.at(0).cut_off);
    }
}

}  // namespace
}  // namespace hopscope::capture::test
