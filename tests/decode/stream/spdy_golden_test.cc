// The golden vectors of the wire facts (made with spdystream's own framer), and the dictionary they need.
#include <gmock/gmock.h>
#include <zlib.h>

#include "decode/stream/spdy_dictionary.h"
#include "decode/stream/upgraded.h"
#include "support/cut_anywhere.h"
#include "support/spdy_writer.h"

namespace hopscope::tests {
namespace {

using ::testing::ElementsAre;
using namespace decode::stream;

MakeDecoder exec_v4() {
    return [] { return make_spdy("v4.channel.k8s.io", Purpose::remote_command); };
}
MakeDecoder forward() {
    return [] { return make_spdy("portforward.k8s.io", Purpose::port_forward); };
}

const std::string kSynError = from_hex(
    "80030001 00000029 00000001 00000000 00 00 78f9e3c6a7c26260606004a7b392a2d4c45c6851c29a0a0a6800000000ffff");
const std::string kSynStdin = from_hex("80030001 00000017 00000003 00000000 00 00 c22e555c92929907000000ffff");
const std::string kSynStdout = from_hex("80030001 00000019 00000005 00000000 00 00 c22ac5565c92925f5a02000000ffff");
const std::string kSynStderr = from_hex("80030001 00000015 00000007 00000000 00 00 c229975a5404000000ffff");
const std::string kSynResize = from_hex("80030001 00000018 00000009 00000000 00 00 c22e57945a9c59950a000000ffff");
const std::string kReply1 = from_hex("80030002 00000014 00000001 78f9e3c6a7c26260606000000000ffff");
const std::string kReply3 = from_hex("80030002 0000000c 00000003 026100000000ffff");
const std::string kForwardError = from_hex(
    "80030001 0000003d 00000001 00000000 0000 "
    "78f9e3c6a7c202253a703a2b294a4dcc851625aca9a0808614cb45a024cc6461c0c0c0c0590489c44c50e2663400000000ffff");
const std::string kForwardData = from_hex("80030001 00000018 00000003 00000000 0000 c2aa15540a2512d209000000ffff");

TEST(SpdyDictionary, HasTheSizeAndTheChecksumOfTheDraft) {
    const Bytes dictionary = spdy::dictionary();
    ASSERT_EQ(dictionary.size(), 1423U);
    EXPECT_EQ(adler32(1, dictionary.data(), 1423), spdy::kDictionaryAdler32);
    EXPECT_EQ(crc32(0, dictionary.data(), 1423), 0x04C8490EU);
}

TEST(SpdyGolden, AnExecWithAllItsStreams) {
    const Conversation talk = {client(kSynError),  server(kReply1),    client(kSynStdin), server(kReply3),
                               client(kSynStdout), client(kSynStderr), client(kSynResize)};
    const EventLog log = expect_cut_anywhere(exec_v4(), talk);
    EXPECT_THAT(log.lines(),
                ElementsAre("opened 1 error decoded", "spdy c>s type=1 flags=0 stream=1 length=41 status=0",
                            "spdy s>c type=2 flags=0 stream=1 length=20 status=0", "opened 3 stdin decoded",
                            "spdy c>s type=1 flags=0 stream=3 length=23 status=0",
                            "spdy s>c type=2 flags=0 stream=3 length=12 status=0", "opened 5 stdout decoded",
                            "spdy c>s type=1 flags=0 stream=5 length=25 status=0", "opened 7 stderr decoded",
                            "spdy c>s type=1 flags=0 stream=7 length=21 status=0", "opened 9 resize decoded",
                            "spdy c>s type=1 flags=0 stream=9 length=24 status=0"));
}

TEST(SpdyGolden, DataPingResetGoaway) {
    const Conversation talk = {client(kSynError + kSynStdin),
                               client(from_hex("00000003 00000008 6563686f2068690a")),
                               client(from_hex("00000003 01000000")),
                               client(from_hex("80030006 00000004 00000001")),
                               client(from_hex("80030003 00000008 00000001 00000005")),
                               client(from_hex("80030007 00000008 00000000 00000000"))};
    const EventLog log = expect_cut_anywhere(exec_v4(), talk);
    std::vector<std::string> lines = log.lines();
    lines.erase(lines.begin(), lines.begin() + 4);
    EXPECT_THAT(lines, ElementsAre("data 3 c>s 8 \"echo hi\\n\"", "spdy c>s type=0 flags=0 stream=3 length=8 status=0",
                                   "spdy c>s type=0 flags=1 stream=3 length=0 status=0", "closed 3 c>s fin status=0",
                                   "spdy c>s type=6 flags=0 stream=1 length=4 status=0",
                                   "spdy c>s type=3 flags=0 stream=1 length=8 status=5", "closed 1 c>s reset status=5",
                                   "spdy c>s type=7 flags=0 stream=0 length=8 status=0"));
}

TEST(SpdyGolden, ForwardedConnectionHasPortAndRequest) {
    const EventLog log = expect_cut_anywhere(forward(), {client(kForwardError), client(kForwardData)});
    EXPECT_THAT(log.lines("opened"),
                ElementsAre("opened 1 error decoded port=80 request=0", "opened 3 data decoded port=80 request=0"));
}

TEST(SpdyGolden, OurOwnWriterIsReadBack) {
    for (const int level : {1, 3, 6, 9}) {
        for (const int window_bits : {9, 12, 15}) {
            SpdyWriter writer(level, window_bits);
            const Conversation talk = {
                client(in_order({writer.stream(1, "error"), writer.stream(3, "stdin"), writer.stream(5, "stdout")}))};
            const EventLog log = expect_cut_anywhere(exec_v4(), talk, 6);
            EXPECT_THAT(log.lines("opened"),
                        ElementsAre("opened 1 error decoded", "opened 3 stdin decoded", "opened 5 stdout decoded"))
                << "level " << level << ", window " << window_bits;
        }
    }
}

}  // namespace
}  // namespace hopscope::tests
