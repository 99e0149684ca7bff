// What a connection tells without and with keys, in the order in which things may come.
#include <gmock/gmock.h>

#include "core/limits.h"
#include "sealer.h"
#include "talk.h"

namespace hopscope::tests {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

decode::TlsKeys keys_from(const std::string& log) {
    decode::TlsKeys keys;
    keys.add(log);
    return keys;
}

// Only the lines of the log that are not about `label`.
std::string without(const std::string& log, std::string_view label) {
    std::string out, rest = log;
    while (!rest.empty()) {
        const std::size_t end = rest.find('\n') + 1;
        if (!rest.starts_with(std::string(label) + ' ')) out += rest.substr(0, end);
        rest.erase(0, end);
    }
    return out;
}

Conversation with_data(Peers& peers) {
    Conversation talk = peers.handshake();
    talk.push_back(client(peers.client_data.data("ping")));
    talk.push_back(server(peers.server_data.data("pong")));
    talk.push_back(client(peers.client_data.seal(21, std::string("\x01\x00", 2))));
    talk.push_back(server(peers.server_data.seal(21, std::string("\x01\x00", 2))));
    return talk;
}

TEST(TlsConnection, TellsEveryRecordAndBothHellos) {
    Peers peers;
    const decode::TlsKeys keys = keys_from(peers.key_log());
    const EventLog log = expect_cut_anywhere(tls_with(&keys), with_data(peers));
    EXPECT_THAT(log.lines(),
                ElementsAre("record c>s type=22 length=87",
                            "client-hello version=772 name=\"node\" alpn=\"h2\" alpn=\"http/1.1\" random=\"" +
                                std::string(32, 'C') + '"',
                            "record s>c type=22 length=50", "record s>c type=20 length=1",
                            "record s>c type=23 length=74 decrypted",
                            "server-hello version=772 suite=4865 alpn=\"http/1.1\"", "record c>s type=20 length=1",
                            "record c>s type=23 length=53 decrypted", "record c>s type=23 length=21 decrypted",
                            "body 0 c>s 4 \"ping\"", "record s>c type=23 length=21 decrypted", "body 0 s>c 4 \"pong\"",
                            "record c>s type=23 length=19 decrypted", "http-end 0 c>s 0",
                            "record s>c type=23 length=19 decrypted", "http-end 0 s>c 0"));
}

TEST(TlsConnection, EndsTheInsideAtFinWithoutCloseNotify) {
    Peers peers;
    const decode::TlsKeys keys = keys_from(peers.key_log());
    Conversation talk = peers.handshake();
    talk.push_back(client(peers.client_data.data("ping")));
    talk.push_back(client_end());
    EXPECT_THAT(run_whole(tls_with(&keys), talk).lines("http-end"), ElementsAre("http-end 0 c>s 0"));
}

struct Closing {
    const char* name;
    const char* code;
    const char* says;
    std::string (*log)(const Peers&);
    const TestSuite* suite = &kAes128;
};
void PrintTo(const Closing& closing, std::ostream* out) { *out << closing.name; }

class TlsClosing : public ::testing::TestWithParam<Closing> {};

TEST_P(TlsClosing, IsToldOnceWithItsReason) {
    const Closing& want = GetParam();
    Peers peers(*want.suite);
    const decode::TlsKeys keys = keys_from(want.log(peers));
    const Conversation talk = with_data(peers);
    const EventLog log = expect_cut_anywhere(tls_with(&keys), talk);
    EXPECT_THAT(log.lines("tls-closed"), ElementsAre(AllOf(HasSubstr(want.code), HasSubstr(want.says))));
    EXPECT_THAT(log.lines("server-hello"), SizeIs(1));
    // Every record is told all the same.
    const EventLog open = [&] {
        const decode::TlsKeys all = keys_from(peers.key_log());
        return run_whole(tls_with(&all), talk);
    }();
    EXPECT_EQ(log.lines("record").size(), open.lines("record").size());
}

INSTANTIATE_TEST_SUITE_P(
    , TlsClosing,
    ::testing::Values(Closing{"NoLog", "TLS-02", "--tls-keys", [](const Peers&) { return std::string(); }},
                      Closing{"OtherConnection", "TLS-01", "client random 4343434343434343",
                              [](const Peers& peers) {
                                  Peers other = peers;
                                  other.client_random = std::string(32, 'O');
                                  return other.key_log();
                              }},
                      Closing{"OtherConnection12", "TLS-01", "no CLIENT_RANDOM",
                              [](const Peers& peers) {
                                  Peers other = peers;
                                  other.client_random = std::string(32, 'O');
                                  return other.key_log();
                              },
                              &kAes128Old},
                      Closing{"OnlyTheClients", "TLS-01", "no SERVER_HANDSHAKE_TRAFFIC_SECRET",
                              [](const Peers& peers) {
                                  return without(without(peers.key_log(), "SERVER_HANDSHAKE_TRAFFIC_SECRET"),
                                                 "SERVER_TRAFFIC_SECRET_0");
                              }},
                      Closing{"NoServerData", "TLS-01", "no SERVER_TRAFFIC_SECRET_0",
                              [](const Peers& peers) { return without(peers.key_log(), "SERVER_TRAFFIC_SECRET_0"); }},
                      Closing{"WrongSecret", "TLS-06", "does not open",
                              [](const Peers& peers) {
                                  return peers.key_log() +
                                         peers.line("SERVER_HANDSHAKE_TRAFFIC_SECRET", std::string(32, 'z'));
                              }},
                      Closing{"WrongMaster", "TLS-06", "does not open",
                              [](const Peers& peers) { return peers.line("CLIENT_RANDOM", std::string(48, 'z')); },
                              &kChaChaOld},
                      Closing{"SecretOfAnotherSuite", "TLS-06", "does not fit",
                              [](const Peers& peers) {
                                  return without(peers.key_log(), "SERVER_TRAFFIC_SECRET_0") +
                                         peers.line("SERVER_HANDSHAKE_TRAFFIC_SECRET", std::string(48, 'z'));
                              }}),
    [](const auto& param) { return std::string(param.param.name); });

TEST(TlsConnection, OpensTheSideWhoseSecretsAreKnown) {
    Peers peers;
    const decode::TlsKeys keys =
        keys_from(without(without(peers.key_log(), "SERVER_HANDSHAKE_TRAFFIC_SECRET"), "SERVER_TRAFFIC_SECRET_0"));
    const EventLog log = expect_cut_anywhere(tls_with(&keys), with_data(peers));
    EXPECT_EQ(said(log, kClient), "ping");
    EXPECT_EQ(said(log, kServer), "");
}

TEST(TlsConnection, NeedsNoHandshakeSecretsForTheData) {
    Peers peers;
    const decode::TlsKeys keys = keys_from(
        without(without(peers.key_log(), "SERVER_HANDSHAKE_TRAFFIC_SECRET"), "CLIENT_HANDSHAKE_TRAFFIC_SECRET"));
    const EventLog log = expect_cut_anywhere(tls_with(&keys), with_data(peers));
    EXPECT_EQ(said(log, kClient), "ping");
    EXPECT_EQ(said(log, kServer), "pong");
    EXPECT_THAT(log.lines("tls-closed"), IsEmpty());
    EXPECT_THAT(log.lines("gap"), IsEmpty());
    EXPECT_THAT(log.lines("server-hello"), ElementsAre("server-hello version=772 suite=4865 alpn=\"\""));
}

TEST(TlsConnection, GivesUpDataSecretsThatNeverFit) {
    Peers peers;
    const decode::TlsKeys keys = keys_from(peers.line("SERVER_TRAFFIC_SECRET_0", std::string(32, 'z')));
    Conversation talk = {client(peers.client_hello()), server(peers.server_hello())};
    for (std::uint32_t i = 0; i < limits::kTlsTrialRecordsMax + 2; ++i)
        talk.push_back(server(peers.server.seal(22, message(4, "ticket"))));
    const EventLog log = run_whole(tls_with(&keys), talk);
    EXPECT_THAT(log.lines("tls-closed"), ElementsAre(HasSubstr("TLS-06")));
}

TEST(TlsConnection, TakesSecretsThatComeJustInTime) {
    Peers peers;
    const Conversation talk = with_data(peers);
    decode::TlsKeys keys;
    EventLog log;
    decode::Road road(tls_with(&keys)());
    const Cutter whole = [](std::size_t left) { return left; };
    feed(road, {talk[0]}, whole, log);
    keys.add(peers.key_log());
    feed(road, Conversation(talk.begin() + 1, talk.end()), whole, log);
    EXPECT_EQ(said(log, kServer), "pong");
}

TEST(TlsConnection, WaitsForTheOtherSidesHello) {
    Peers peers;
    const decode::TlsKeys keys = keys_from(peers.key_log());
    const Conversation talk = with_data(peers);
    std::string from_client, from_server;
    for (const Turn& turn : talk) (turn.direction == kClient ? from_client : from_server) += turn.bytes;
    for (const bool client_first : {true, false}) {
        Conversation two = {client(from_client), server(from_server)};
        if (!client_first) std::swap(two[0], two[1]);
        const EventLog log = expect_cut_anywhere(tls_with(&keys), two);
        EXPECT_EQ(said(log, kClient), "ping");
        EXPECT_EQ(said(log, kServer), "pong");
    }
}

TEST(TlsConnection, DoesNotWaitForEver) {
    Peers peers;
    const decode::TlsKeys keys = keys_from(peers.key_log());
    Conversation talk = {client(peers.client_hello())};
    for (int i = 0; i < 20; ++i) talk.push_back(client(peers.client_data.data(std::string(16000, 'x'))));
    EventLog log;
    decode::Road road(tls_with(&keys)());
    feed(
        road, talk, [](std::size_t left) { return left; }, log);
    EXPECT_THAT(log.lines("tls-closed"), ElementsAre(HasSubstr("TLS-03")));
    EXPECT_THAT(log.lines("record c>s type=23"), SizeIs(20));
    EXPECT_THAT(log.lines("problem"), IsEmpty());
    EXPECT_LE(road.held_bytes(), limits::kHeldBytesMax);
}

TEST(TlsConnection, ClosedRecordsAreNotHeld) {
    Peers peers;
    Conversation talk = peers.handshake();
    EventLog log;
    decode::Road road(tls_with(nullptr)());
    feed(
        road, talk, [](std::size_t left) { return left; }, log);
    const std::string record = peers.server_data.data(std::string(16384, 'x'));
    feed(
        road, {server(record.substr(0, 16000))}, [](std::size_t) { return std::size_t{1000}; }, log);
    EXPECT_LE(road.held_bytes(), 8192U);
}

// --- joined late

TEST(TlsLate, IsToldAndRecordsAreFoundByTheirHeaders) {
    Peers peers;
    const decode::TlsKeys keys = keys_from(peers.key_log());
    peers.handshake();
    const std::string cut = peers.server_data.data(std::string(500, 'x')).substr(100);
    Conversation talk = {server(cut)};
    for (int i = 0; i < 4; ++i) talk.push_back(server(peers.server_data.data("pong")));
    for (int i = 0; i < 4; ++i) talk.push_back(client(peers.client_data.data("ping!")));
    const EventLog log = expect_cut_anywhere(tls_with(&keys, true), talk);
    EXPECT_THAT(log.lines("tls-closed"), ElementsAre(HasSubstr("TLS-03")));
    EXPECT_THAT(log.lines("record s>c"), SizeIs(4));
    EXPECT_THAT(log.lines("record c>s"), SizeIs(4));
}

TEST(TlsLate, AHelloAtTheBeginningIsTakenAllTheSame) {
    Peers peers;
    const decode::TlsKeys keys = keys_from(peers.key_log());
    const EventLog log = expect_cut_anywhere(tls_with(&keys, true), with_data(peers));
    EXPECT_EQ(said(log, kServer), "pong");
}

TEST(TlsLate, TheServersHelloMayBeSeenFirst) {
    Peers peers;
    const decode::TlsKeys keys = keys_from(peers.key_log());
    Conversation talk = with_data(peers);
    std::swap(talk[0], talk[1]);
    EXPECT_EQ(said(expect_cut_anywhere(tls_with(&keys, true), talk), kServer), "pong");
}

// --- hellos and other messages

TEST(TlsHandshake, HelloRetryTellsOneHelloAndPassesOverEarlyData) {
    Peers peers;
    const decode::TlsKeys keys = keys_from(peers.key_log());
    const std::string early = peers.early.data("refused");
    Conversation talk = {
        client(peers.client_hello(true) + Peers::change_cipher_spec() + early),
        server(peers.hello_retry() + Peers::change_cipher_spec()), client(peers.client_hello()),
        server(peers.server_hello() + peers.server.seal(22, Peers::encrypted_extensions() + Peers::finished())),
        client(peers.client.seal(22, Peers::finished()) + peers.client_data.data("again"))};
    const EventLog log = expect_cut_anywhere(tls_with(&keys), talk);
    EXPECT_THAT(log.lines("client-hello"), SizeIs(1));
    EXPECT_THAT(log.lines("server-hello"), SizeIs(1));
    EXPECT_EQ(said(log, kClient), "again");
    EXPECT_THAT(log.lines("tls-closed"), IsEmpty());
}

TEST(TlsHandshake, MessagesMayShareRecordsAndGoOverSeveral) {
    Peers peers;
    const decode::TlsKeys keys = keys_from(peers.key_log());
    const std::string hello = peers.client_hello_message();
    const std::string flight =
        Peers::encrypted_extensions() + message(25, std::string(20'000, 'z')) + Peers::finished();
    Conversation talk = {client(tls_record(22, hello.substr(0, 2)) + tls_record(22, hello.substr(2, 50)) +
                                tls_record(22, hello.substr(52))),
                         server(peers.server_hello())};
    for (std::size_t at = 0; at < flight.size(); at += 1000)
        talk.push_back(server(peers.server.seal(22, flight.substr(at, 1000), at % 7)));
    talk.push_back(server(peers.server_data.seal(22, message(4, "ticket") + message(4, "ticket"))));
    talk.push_back(server(peers.server_data.data("after two tickets")));
    const EventLog log = expect_cut_anywhere(tls_with(&keys), talk, 6);
    EXPECT_THAT(log.lines("client-hello"), SizeIs(1));
    EXPECT_EQ(said(log, kServer), "after two tickets");
}

TEST(TlsHandshake, AMessageBeyondTheLimitIsCountedPast) {
    Peers peers;
    const decode::TlsKeys keys = keys_from(peers.key_log());
    Conversation talk = {client(peers.client_hello()), server(peers.server_hello())};
    const std::string flight = Peers::encrypted_extensions() +
                               message(11, std::string(limits::kTlsHandshakeBytesMax + 1, 'c')) + Peers::finished();
    for (std::size_t at = 0; at < flight.size(); at += 16000)
        talk.push_back(server(peers.server.seal(22, flight.substr(at, 16000))));
    talk.push_back(server(peers.server_data.data("still here")));
    const EventLog log = run_whole(tls_with(&keys), talk);
    EXPECT_EQ(said(log, kServer), "still here");
    EXPECT_THAT(log.lines("certificate"), IsEmpty());
}

TEST(TlsHandshake, KeyUpdateChangesTheKeysOfItsSenderOnly) {
    Peers peers;
    const decode::TlsKeys keys = keys_from(peers.key_log());
    Conversation talk = peers.handshake();
    std::string secret = peers.secrets[2];
    Sealer now = peers.client_data;
    for (int i = 0; i < 3; ++i) {
        talk.push_back(client(joined({now.data("ping "), now.seal(22, message(24, std::string(1, '\x01')))})));
        talk.push_back(server(peers.server_data.data("pong ")));
        secret = expand_label(kAes128, secret, "traffic upd", 32);
        now = Sealer::tls13(kAes128, secret);
    }
    talk.push_back(client(now.data("end")));
    const EventLog log = expect_cut_anywhere(tls_with(&keys), talk);
    EXPECT_EQ(said(log, kClient), "ping ping ping end");
    EXPECT_EQ(said(log, kServer), "pong pong pong ");
}

TEST(TlsHandshake, OldVersionsAreNamed) {
    Peers peers(kAes128Old);
    const decode::TlsKeys keys = keys_from(peers.key_log());
    const EventLog log =
        run_whole(tls_with(&keys),
                  {client(peers.client_hello()), server(peers.server_hello_with(peers.server_random, 0x0301, 0xc013)),
                   server(Peers::change_cipher_spec()), server(tls_record(22, std::string(64, 'e'), 0x0301))});
    EXPECT_THAT(log.lines("server-hello"), ElementsAre(HasSubstr("version=769 suite=49171")));
    EXPECT_THAT(log.lines("tls-closed"), ElementsAre(AllOf(HasSubstr("TLS-04"), HasSubstr("below TLS 1.2"))));
}

TEST(TlsHandshake, ASuiteWithoutANameIsToldByItsNumber) {
    Peers peers;
    const decode::TlsKeys keys = keys_from(peers.key_log());
    const EventLog log =
        run_whole(tls_with(&keys),
                  {client(peers.client_hello()), server(peers.server_hello_with(peers.server_random, 0x0304, 0xabcd)),
                   server(peers.server.seal(22, "?"))});
    EXPECT_THAT(log.lines("tls-closed"), ElementsAre(AllOf(HasSubstr("TLS-04"), HasSubstr("suite 0xabcd"))));
}

TEST(TlsHandshake, AFatalAlertInTheClearIsTold) {
    Peers peers;
    const EventLog log =
        run_whole(tls_with(nullptr), {client(peers.client_hello()), server(tls_record(21, "\x02\x28"))});
    EXPECT_THAT(log.lines("problem"), ElementsAre(HasSubstr("tls.alert s>c at 0 skipped=0 \"fatal alert 40: "
                                                            "handshake_failure\"")));
    EXPECT_THAT(log.lines("tls-closed"), IsEmpty());
}

// --- what is no TLS

TEST(TlsHostile, APlainTextAnswerIsToldAndEndsIt) {
    Peers peers;
    const EventLog log = run_whole(
        tls_with(nullptr),
        {client(peers.client_hello()), server("HTTP/1.1 400 Bad Request\r\n\r\n"), client(peers.client_hello())});
    EXPECT_THAT(log.lines("problem"), ElementsAre(HasSubstr("does not answer in TLS")));
    EXPECT_THAT(log.lines("record"), SizeIs(1));
}

TEST(TlsHostile, HellosWhoseLengthsLieMakeNoSense) {
    Peers peers;
    const std::string good = peers.client_hello_message();
    // Every length byte inside the hello, too large; and every cut of the message that keeps the message's own length.
    for (std::size_t at : {38U, 40U, 43U, 45U, 49U}) {
        std::string bad = good;
        bad[at] = '\xff';
        const EventLog log = run_whole(tls_with(nullptr), {client(tls_record(22, bad))});
        EXPECT_THAT(log.lines("problem"), ElementsAre(HasSubstr("tls.handshake"))) << at;
        EXPECT_THAT(log.lines("client-hello"), IsEmpty());
    }
    // 41 bytes are a hello without extensions, which is one.
    for (std::size_t size = 0; size + 5 < good.size(); ++size) {
        const std::string body = good.substr(4, size);
        const EventLog log = expect_cut_anywhere(tls_with(nullptr), {client(tls_record(22, message(1, body)))}, 1);
        EXPECT_EQ(log.lines("client-hello").size(), size == 41 ? 1U : 0U) << size;
    }
}

TEST(TlsHostile, AServersHelloMustMakeSense) {
    Peers peers;
    const std::string body = be(0x0303, 2) + std::string(32, 'S') + be(0, 1) + be(0x1301, 2) + be(0, 1);
    const std::string lies[] = {body + be(9, 2) + "short", body.substr(0, 36), "",
                                body + be(6, 2) + be(43, 2) + be(9, 2)};
    for (const std::string& lie : lies) {
        const EventLog log =
            run_whole(tls_with(nullptr), {client(peers.client_hello()), server(tls_record(22, message(2, lie)))});
        EXPECT_THAT(log.lines("problem"), ElementsAre(HasSubstr("the server's hello makes no sense")));
        EXPECT_THAT(log.lines("server-hello"), IsEmpty());
    }
}

TEST(TlsHostile, DataWithoutAServersHelloStaysClosed) {
    Peers peers;
    const decode::TlsKeys keys = keys_from(peers.key_log());
    const EventLog log = expect_cut_anywhere(
        tls_with(&keys),
        {client(peers.client_hello()), server(peers.server_data.data("what?")), server(tls_record(23, "?"))});
    EXPECT_THAT(log.lines("tls-closed"), ElementsAre(HasSubstr("TLS-03")));
    EXPECT_THAT(log.lines("record s>c"), SizeIs(2));
}

TEST(TlsHostile, EarlyDataDoesNotWaitForEver) {
    Peers peers;
    const decode::TlsKeys keys = keys_from(peers.key_log());
    Conversation talk = {client(peers.client_hello(true)), server(peers.server_hello())};
    for (int i = 0; i < 20; ++i) talk.push_back(client(peers.early.data(std::string(16000, 'x'))));
    EventLog log;
    decode::Road road(tls_with(&keys)());
    feed(
        road, talk, [](std::size_t left) { return left; }, log);
    EXPECT_THAT(log.lines("record c>s type=23"), SizeIs(20));
    EXPECT_THAT(log.lines("problem"), ElementsAre(HasSubstr("tls.early-data")));
    EXPECT_LE(road.held_bytes(), limits::kHeldBytesMax);
}

TEST(TlsHostile, RecordsBeyondTheLimitEndIt) {
    Peers peers;
    Conversation talk = {client(peers.client_hello()), client(from_hex("170303ffff") + std::string(100, 'x'))};
    EXPECT_THAT(run_whole(tls_with(nullptr), talk).lines("problem"),
                ElementsAre(HasSubstr("no TLS record begins here")));
}

TEST(TlsHostile, ARecordOfNothingButPaddingCarriesNothing) {
    Peers peers;
    const decode::TlsKeys keys = keys_from(peers.key_log());
    Conversation talk = peers.handshake();
    talk.push_back(server(peers.server_data.seal(0, std::string(1000, '\0'), 1000)));
    talk.push_back(server(peers.server_data.data("next")));
    EXPECT_EQ(said(run_whole(tls_with(&keys), talk), kServer), "next");
}

TEST(TlsHostile, ADamagedRecordClosesItsDirectionOnly) {
    Peers peers;
    const decode::TlsKeys keys = keys_from(peers.key_log());
    Conversation talk = peers.handshake();
    std::string bad = peers.server_data.data("damaged");
    bad[10] = static_cast<char>(bad[10] ^ 1);
    talk.push_back(server(bad));
    talk.push_back(client(peers.client_data.data("ping")));
    const EventLog log = expect_cut_anywhere(tls_with(&keys), talk);
    EXPECT_THAT(log.lines("tls-closed"), ElementsAre(HasSubstr("TLS-06")));
    EXPECT_EQ(said(log, kClient), "ping");
    EXPECT_EQ(said(log, kServer), "");
}

}  // namespace
}  // namespace hopscope::tests
