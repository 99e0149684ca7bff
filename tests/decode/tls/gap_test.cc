// Missing bytes: decryption goes on behind them, and the plaintext knows how much is gone.
#include <gmock/gmock.h>

#include <random>

#include "core/limits.h"
#include "sealer.h"
#include "talk.h"

namespace hopscope::tests {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

decode::TlsKeys keys_of(const Peers& peers) {
    decode::TlsKeys keys;
    keys.add(peers.key_log());
    return keys;
}

// Bytes of one direction cut out: what comes before, the hole, what comes after.
Conversation with_hole(Conversation talk, const std::string& stream, std::size_t from, std::size_t to,
                       Turn (*bytes)(std::string_view), Turn (*gap)(std::uint64_t)) {
    if (from > 0) talk.push_back(bytes(std::string_view(stream).substr(0, from)));
    talk.push_back(gap(to - from));
    if (to < stream.size()) talk.push_back(bytes(std::string_view(stream).substr(to)));
    return talk;
}

std::string letters(std::size_t size, unsigned seed) {
    std::mt19937 random(seed);
    std::string out(size, ' ');
    for (char& c : out) c = static_cast<char>('a' + random() % 26);
    return out;
}

class TlsGap : public ::testing::TestWithParam<const TestSuite*> {};

// Records of many sizes, and holes of many sizes at all places.
TEST_P(TlsGap, IsMeasuredExactlyWhereverItLies) {
    const std::size_t sizes[] = {1, 20, 0, 300, 2, 16384, 7, 7, 7, 1000, 15, 33, 1};
    for (unsigned seed = 0; seed < 120; ++seed) {
        SCOPED_TRACE(seed);
        Peers peers(*GetParam());
        const decode::TlsKeys keys = keys_of(peers);
        const Conversation begin = peers.handshake();
        std::string stream;
        std::vector<std::string> plain;
        std::vector<std::size_t> ends;
        for (const std::size_t size : sizes) {
            plain.push_back(letters(size, seed));
            stream += peers.server_data.data(plain.back());
            ends.push_back(stream.size());
        }
        // The last record always stays, so that there is one to go on with.
        std::mt19937 random(seed);
        const std::size_t most = ends[ends.size() - 2];
        std::size_t from = random() % most, to = from + 1 + random() % (most - from);
        if (seed % 3 == 0) to = std::min(most, from + 1 + random() % 60);  // small ones, too
        if (seed % 5 == 0) from = *(std::lower_bound(ends.begin(), ends.end(), from)) % most;
        if (to <= from) to = from + 1;
        std::string before, after;
        std::size_t missing = 0;
        for (std::size_t i = 0; i < plain.size(); ++i) {
            const std::size_t first = i == 0 ? 0 : ends[i - 1];
            if (ends[i] <= from)
                before += plain[i];
            else if (first >= to)
                after += plain[i];
            else
                missing += plain[i].size();
        }
        const EventLog log = run_whole(tls_with(&keys), with_hole(begin, stream, from, to, server, server_gap));
        EXPECT_EQ(said(log, kServer), before + after);
        if (missing > 0) {
            EXPECT_THAT(log.lines("gap"),
                        ElementsAre("gap s>c at " + std::to_string(before.size()) + ' ' + std::to_string(missing)));
        } else {
            EXPECT_THAT(log.lines("gap"), IsEmpty());
        }
        EXPECT_THAT(log.lines("problem tls.gap"), ::testing::SizeIs(1));
        EXPECT_THAT(log.lines("tls-closed"), IsEmpty());
    }
}

TEST_P(TlsGap, DoesNotDependOnHowTheBytesAreCut) {
    Peers peers(*GetParam());
    const decode::TlsKeys keys = keys_of(peers);
    Conversation talk = peers.handshake();
    const std::string first = joined({peers.server_data.data("first "), peers.server_data.data("second ")});
    const std::string lost = peers.server_data.data("third, lost in part");
    const std::string rest = joined({peers.server_data.data("fourth "), peers.server_data.data("fifth")});
    talk.push_back(server(first + lost.substr(0, 9)));
    talk.push_back(server_gap(12));
    talk.push_back(server(lost.substr(21) + rest));
    talk.push_back(client(peers.client_data.data("and the other side goes on")));
    talk.push_back(server_end());
    const EventLog log = expect_cut_anywhere(tls_with(&keys), talk);
    EXPECT_EQ(said(log, kServer), "first second fourth fifth");
    EXPECT_EQ(said(log, kClient), "and the other side goes on");
    EXPECT_THAT(log.lines("gap"), ElementsAre("gap s>c at 13 19"));
}

TEST_P(TlsGap, InTheMiddleOfSeveralGaps) {
    Peers peers(*GetParam());
    const decode::TlsKeys keys = keys_of(peers);
    Conversation talk = peers.handshake();
    std::vector<std::string> records;
    for (int i = 0; i < 12; ++i) records.push_back(peers.client_data.data(std::string(10, static_cast<char>('a' + i))));
    // Two holes before anything opens again, then a third.
    talk.push_back(client(records[0] + records[1].substr(0, 20)));
    talk.push_back(client_gap(records[1].size() - 20 + records[2].size() + 3));
    talk.push_back(client(records[3].substr(3, 10)));
    talk.push_back(client_gap(records[3].size() - 13 + records[4].size()));
    talk.push_back(client(records[5] + records[6]));
    talk.push_back(client_gap(records[7].size()));
    talk.push_back(client(records[8]));
    const EventLog log = expect_cut_anywhere(tls_with(&keys), talk);
    EXPECT_EQ(said(log, kClient), "aaaaaaaaaaffffffffffggggggggggiiiiiiiiii");
    EXPECT_THAT(log.lines("gap"), ElementsAre("gap c>s at 10 40", "gap c>s at 70 10"));
}

// The client's Finished and its first request are gone: keys of two later parts are tried.
TEST_P(TlsGap, AcrossTheEndOfTheHandshake) {
    Peers peers(*GetParam());
    const decode::TlsKeys keys = keys_of(peers);
    const Conversation all = peers.handshake();
    Conversation talk = all;
    std::string lost;
    for (Turn& turn : talk) {
        if (turn.direction != kClient || &turn == &talk.front()) continue;
        turn = client_gap(turn.bytes.size());
    }
    talk.push_back(client(peers.client_data.data("first request ")));
    talk.push_back(client(peers.client_data.data("second request")));
    const EventLog log = expect_cut_anywhere(tls_with(&keys), talk);
    EXPECT_EQ(said(log, kClient), "first request second request");
    EXPECT_THAT(log.lines("tls-closed"), IsEmpty());
}

TEST_P(TlsGap, AtTheEndIsEstimated) {
    Peers peers(*GetParam());
    const decode::TlsKeys keys = keys_of(peers);
    Conversation talk = peers.handshake();
    talk.push_back(server(peers.server_data.data("kept")));
    talk.push_back(server_gap(peers.server_data.data("twenty bytes are gone").size()));
    talk.push_back(server_end());
    const EventLog log = run_whole(tls_with(&keys), talk);
    EXPECT_THAT(log.lines("gap"), ElementsAre("gap s>c at 4 21"));
    EXPECT_THAT(log.lines("http-end"), ElementsAre("http-end 0 s>c 0"));
}

TEST_P(TlsGap, ClosesWhenNothingOpensAnyMore) {
    Peers peers(*GetParam());
    const decode::TlsKeys keys = keys_of(peers);
    Conversation talk = peers.handshake();
    talk.push_back(server(peers.server_data.data("kept")));
    talk.push_back(server_gap(100));
    // Records that no missing 100 bytes can explain.
    peers.server_data.skip(1000);
    for (int i = 0; i < 40; ++i) talk.push_back(server(peers.server_data.data("never")));
    talk.push_back(client(peers.client_data.data("the other side is open")));
    const EventLog log = expect_cut_anywhere(tls_with(&keys), talk);
    EXPECT_THAT(log.lines("tls-closed"), ElementsAre(HasSubstr("TLS-05")));
    EXPECT_EQ(said(log, kServer), "kept");
    EXPECT_EQ(said(log, kClient), "the other side is open");
}

INSTANTIATE_TEST_SUITE_P(, TlsGap,
                         ::testing::Values(&kAes128, &kAes256, &kChaCha, &kAes128Old, &kAes256Old, &kChaChaOld),
                         [](const auto& param) {
                             std::string name = param.param->cipher;
                             std::erase(name, '-');
                             return name + (param.param->tls13 ? "in13" : "in12");
                         });

TEST(TlsGaps, AcrossAKeyUpdate) {
    Peers peers;
    const decode::TlsKeys keys = keys_of(peers);
    Conversation talk = peers.handshake();
    const std::string one = peers.server_data.data("one"), lost = peers.server_data.data("lost"),
                      update = peers.server_data.seal(22, message(24, std::string(1, '\0')));
    Sealer next = Sealer::tls13(kAes128, expand_label(kAes128, peers.secrets[3], "traffic upd", 32));
    const std::string more = next.data("more");
    talk.push_back(server(one));
    talk.push_back(server_gap(lost.size() + update.size() + more.size()));
    talk.push_back(server(next.data("last")));
    const EventLog log = expect_cut_anywhere(tls_with(&keys), talk);
    EXPECT_EQ(said(log, kServer), "onelast");
    // How many records the old keys had is not known: "lost" stood in a record of its own, 22 bytes more.
    EXPECT_THAT(log.lines("gap"), ElementsAre("gap s>c at 3 " + std::to_string(4 + 22 + 4)));
    EXPECT_THAT(log.lines("problem"), ElementsAre(HasSubstr("a change of keys among them")));
}

TEST(TlsGaps, InTheServersFlightCostsNoPlaintext) {
    Peers peers;
    const decode::TlsKeys keys = keys_of(peers);
    const std::string flight =
        joined({peers.server.seal(22, Peers::encrypted_extensions()),
                peers.server.seal(22, message(11, std::string(2000, 'c'))), peers.server.seal(22, Peers::finished())});
    Conversation talk = {client(peers.client_hello()),
                         server(peers.server_hello() + flight.substr(0, 100)),
                         server_gap(1000),
                         server(flight.substr(1100)),
                         client(peers.client.seal(22, Peers::finished()) + peers.client_data.data("request")),
                         server(peers.server_data.data("response"))};
    const EventLog log = expect_cut_anywhere(tls_with(&keys), talk);
    EXPECT_EQ(said(log, kClient), "request");
    EXPECT_EQ(said(log, kServer), "response");
    EXPECT_THAT(log.lines("gap"), IsEmpty());
    EXPECT_THAT(log.lines("server-hello"), ::testing::SizeIs(1));
}

TEST(TlsGaps, ASecondOneInTheRestOfARecordWhoseEndIsKnown) {
    Peers peers;
    const decode::TlsKeys keys = keys_of(peers);
    Conversation talk = peers.handshake();
    std::vector<std::string> records;
    for (int i = 0; i < 4; ++i) records.push_back(peers.server_data.data(std::string(100, static_cast<char>('a' + i))));
    // Inside record 0; then from its end into record 2.
    talk.push_back(server(records[0].substr(0, 30)));
    talk.push_back(server_gap(10));
    talk.push_back(server(records[0].substr(40, 20)));
    talk.push_back(server_gap(records[0].size() - 60 + records[1].size() + 7));
    talk.push_back(server(records[2].substr(7) + records[3]));
    const EventLog log = expect_cut_anywhere(tls_with(&keys), talk);
    EXPECT_EQ(said(log, kServer), std::string(100, 'd'));
    EXPECT_THAT(log.lines("gap"), ElementsAre("gap s>c at 0 300"));
}

TEST(TlsGaps, InTheClientsBytesBeforeTheServersHelloIsSeen) {
    Peers peers;
    const decode::TlsKeys keys = keys_of(peers);
    const std::string finished = peers.client.seal(22, Peers::finished());
    const Conversation talk = {
        client(peers.client_hello()), client_gap(finished.size()), client(peers.client_data.data("first ")),
        server(joined({peers.server_hello(), peers.server.seal(22, Peers::encrypted_extensions()),
                       peers.server.seal(22, Peers::finished())})),
        client(peers.client_data.data("second"))};
    const EventLog log = expect_cut_anywhere(tls_with(&keys), talk);
    EXPECT_EQ(said(log, kClient), "first second");
    EXPECT_THAT(log.lines("tls-closed"), IsEmpty());
}

TEST(TlsGaps, WithoutTheSecretsSayWhichAreMissing) {
    Peers peers;
    decode::TlsKeys keys;
    keys.add(peers.line("CLIENT_TRAFFIC_SECRET_0", peers.secrets[2]));
    const Conversation talk = {client(peers.client_hello()), server(peers.server_hello()), server_gap(10)};
    EXPECT_THAT(run_whole(tls_with(&keys), talk).lines("tls-closed"), ElementsAre(HasSubstr("TLS-01")));
    EXPECT_THAT(run_whole(tls_with(nullptr), talk).lines("tls-closed"), ElementsAre(HasSubstr("TLS-02")));
}

TEST(TlsGaps, OfTheHelloClose) {
    Peers peers;
    const decode::TlsKeys keys = keys_of(peers);
    const std::string hello = peers.client_hello();
    const std::string sealed = peers.client.seal(22, Peers::finished());
    {
        const EventLog log = run_whole(
            tls_with(&keys), {client(hello.substr(0, 20)), client_gap(30), client(hello.substr(50)), client(sealed)});
        EXPECT_THAT(log.lines("tls-closed"), ElementsAre(HasSubstr("TLS-03")));
        EXPECT_THAT(log.lines("record"), ::testing::SizeIs(2)) << "the hello's end is known from its header";
    }
    {
        const EventLog log = run_whole(tls_with(&keys), {client(hello), server_gap(500), client(sealed)});
        EXPECT_THAT(log.lines("tls-closed"), ElementsAre(HasSubstr("TLS-05")));
    }
}

TEST(TlsGaps, WithoutKeysFindRecordsByTheirHeaders) {
    Peers peers;
    Conversation talk = peers.handshake();
    std::vector<std::string> records;
    for (std::size_t i = 0; i < 8; ++i) records.push_back(peers.server_data.data(std::string(100 + i, 'x')));
    talk.push_back(server(records[0] + records[1].substr(0, 50)));
    talk.push_back(server_gap(10));
    talk.push_back(server(records[1].substr(60) + records[2]));
    talk.push_back(server_gap(records[3].size() + 30));
    talk.push_back(server(records[4].substr(30) + records[5] + records[6] + records[7]));
    const EventLog log = expect_cut_anywhere(tls_with(nullptr), talk);
    EXPECT_THAT(log.lines("tls-closed"), ElementsAre(HasSubstr("TLS-02")));
    const std::vector<std::string> lines = log.lines("record s>c type=23");
    // The handshake's; 0; 1 and 2 around a hole inside 1; then 5 and 6. Behind 7 comes nothing that would confirm it,
    // but the chain that began with 5 needs no confirmation any more.
    EXPECT_THAT(
        std::vector<std::string>(lines.begin() + 1, lines.end()),
        ElementsAre("record s>c type=23 length=117", "record s>c type=23 length=118", "record s>c type=23 length=119",
                    "record s>c type=23 length=122", "record s>c type=23 length=123", "record s>c type=23 length=124"));
}

// Bytes that look like record headers everywhere, after a gap: the work must stay in proportion.
TEST(TlsGaps, OfHostileBytesCostLittle) {
    Peers peers(kChaCha);
    const decode::TlsKeys keys = keys_of(peers);
    Conversation talk = peers.handshake();
    talk.push_back(server_gap(std::uint64_t{1} << 40));
    std::string headers;
    for (int i = 0; i < 40'000; ++i) headers += from_hex("1703030100");
    talk.push_back(server(headers));
    const EventLog log = run_whole(tls_with(&keys), talk);
    EXPECT_THAT(log.lines("tls-closed"), ElementsAre(HasSubstr("TLS-05")));
}

}  // namespace
}  // namespace hopscope::tests
