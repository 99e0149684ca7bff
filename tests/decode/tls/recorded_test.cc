// Real connections: RFC 8448's trace, the openssl command against itself, and a kubelet (testdata/tls/README.md).
#include <gmock/gmock.h>

#include <algorithm>

#include "talk.h"

namespace hopscope::tests {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;

const std::string kLines = "first line\nthe second line, a little longer\n" + std::string(3000, 'x') + '\n';

// openssl s_server -rev sends every line back with its characters in reverse order.
std::string reversed(std::string_view lines) {
    std::string out;
    while (!lines.empty()) {
        const std::size_t end = lines.find('\n');
        std::string line(lines.substr(0, end));
        std::reverse(line.begin(), line.end());
        out += line + '\n';
        lines.remove_prefix(end + 1);
    }
    return out;
}

// Records of application data that were not opened.
std::vector<std::string> closed_data(const EventLog& log) {
    std::vector<std::string> out;
    for (std::string& line : log.lines("record ")) {
        if (line.find("type=23") == std::string::npos || line.ends_with(" decrypted")) continue;
        out.push_back(std::move(line));
    }
    return out;
}

EventLog decrypted(const std::string& name) {
    const decode::TlsKeys keys = read_keys(name);
    return expect_cut_anywhere(tls_with(&keys), read_talk(name));
}

TEST(TlsRecorded, Rfc8448SimpleHandshake) {
    // The talk leaves out the server's session ticket: its 227 bytes are a gap.
    const EventLog log = decrypted("rfc8448_simple");
    std::string fifty;
    for (int i = 0; i < 50; ++i) fifty += static_cast<char>(i);
    EXPECT_EQ(said(log, kClient), fifty);
    EXPECT_EQ(said(log, kServer), fifty);
    EXPECT_THAT(log.lines("client-hello"), ElementsAre(StartsWith("client-hello version=772 name=\"server\" random=")));
    EXPECT_THAT(facts(log),
                ElementsAre("server-hello version=772 suite=4865 alpn=\"\"", "certificate s>c \"CN=rsa\" \"CN=rsa\"",
                            "problem tls.gap s>c at 1001 skipped=0 \"missing records: 1; "
                            "decryption goes on behind them\"",
                            "gap s>c at 0 205", "http-end 0 c>s 0", "http-end 0 s>c 0"));
    // EncryptedExtensions to Finished, application data, close_notify.
    EXPECT_THAT(log.lines("record s>c"),
                ElementsAre("record s>c type=22 length=90", "record s>c type=23 length=674 decrypted",
                            "record s>c type=23 length=67 decrypted", "record s>c type=23 length=19 decrypted"));
}

struct Recorded {
    const char* name;
    int version, suite;
    const char* alpn = "http/1.1";
    const char* note = "";
};
void PrintTo(const Recorded& recorded, std::ostream* out) { *out << recorded.name; }

class TlsOpenssl : public ::testing::TestWithParam<Recorded> {};

TEST_P(TlsOpenssl, GivesWhatBothEndsWrote) {
    const Recorded& want = GetParam();
    const EventLog log = decrypted(want.name);
    EXPECT_EQ(said(log, kClient), kLines);
    EXPECT_EQ(said(log, kServer), reversed(kLines));
    EXPECT_THAT(log.lines("client-hello"), ElementsAre(HasSubstr("name=\"server.test\" alpn=\"http/1.1\"")));
    EXPECT_THAT(log.lines("server-hello"),
                ElementsAre("server-hello version=" + std::to_string(want.version) +
                            " suite=" + std::to_string(want.suite) + " alpn=\"" + want.alpn + '"'));
    EXPECT_THAT(log.lines("tls-closed"), IsEmpty());
    EXPECT_THAT(log.lines("problem"), IsEmpty());
    EXPECT_THAT(log.lines("http-end"), ::testing::SizeIs(2));
    // Every record of application data was opened.
    EXPECT_THAT(closed_data(log), IsEmpty());
}

INSTANTIATE_TEST_SUITE_P(
    , TlsOpenssl,
    ::testing::Values(Recorded{"tls12_ecdhe_aes128_gcm", 0x303, 0xc02f},
                      Recorded{"tls12_ecdhe_aes256_gcm", 0x303, 0xc02c}, Recorded{"tls12_dhe_aes256_gcm", 0x303, 0x9f},
                      Recorded{"tls12_rsa_aes128_gcm", 0x303, 0x9c}, Recorded{"tls12_chacha20", 0x303, 0xcca8},
                      Recorded{"tls12_ticket", 0x303, 0xc030}, Recorded{"tls12_session_id", 0x303, 0xc030},
                      Recorded{"tls12_client_certificate", 0x303, 0xc02f}, Recorded{"tls13_aes128_gcm", 0x304, 0x1301},
                      Recorded{"tls13_aes256_gcm", 0x304, 0x1302}, Recorded{"tls13_chacha20", 0x304, 0x1303},
                      Recorded{"tls13_hello_retry", 0x304, 0x1302}, Recorded{"tls13_psk", 0x304, 0x1302},
                      Recorded{"tls13_padding", 0x304, 0x1302}, Recorded{"tls13_small_records", 0x304, 0x1302},
                      Recorded{"tls13_client_certificate", 0x304, 0x1302}),
    [](const auto& param) { return std::string(param.param.name); });

TEST(TlsRecorded, NamesBothCertificates) {
    for (const char* name : {"tls13_client_certificate", "tls12_client_certificate"}) {
        const EventLog log = decrypted(name);
        EXPECT_THAT(
            log.lines("certificate"),
            ElementsAre("certificate s>c \"O=hopscope test, CN=server.test\" \"O=hopscope test, CN=server.test\"",
                        R"(certificate c>s "O=system:masters, CN=kube-apiserver\\, test" )"
                        R"("O=system:masters, CN=kube-apiserver\\, test")"))
            << name;
    }
}

TEST(TlsRecorded, CertificateOfTls12IsReadWithoutKeys) {
    const EventLog log = run_whole(tls_with(nullptr), read_talk("tls12_client_certificate"));
    EXPECT_THAT(log.lines("certificate"), ::testing::SizeIs(2));
    EXPECT_THAT(log.lines("tls-closed"), ElementsAre(HasSubstr("TLS-02")));
}

TEST(TlsRecorded, FollowsKeyUpdatesOfBothSides) {
    const EventLog log = decrypted("tls13_key_update");
    EXPECT_EQ(said(log, kClient), "one\ntwo\nthree\nfour\n");
    // The server updates its keys, too ('K' asks for it), and then answers "two"; it never came to the other lines.
    EXPECT_EQ(said(log, kServer), "eno\nowt\n");
    EXPECT_THAT(closed_data(log), IsEmpty());
    EXPECT_THAT(log.lines("tls-closed"), IsEmpty());
}

TEST(TlsRecorded, GivesAcceptedEarlyData) {
    const EventLog log = decrypted("tls13_early_accepted");
    EXPECT_EQ(said(log, kClient), "early line\n" + kLines);
    EXPECT_THAT(log.lines("problem"), IsEmpty());
}

TEST(TlsRecorded, PassesOverRefusedEarlyData) {
    const EventLog log = decrypted("tls13_early_refused");
    EXPECT_EQ(said(log, kClient), kLines);
    EXPECT_THAT(log.lines("problem"), ElementsAre(HasSubstr("tls.early-data")));
    EXPECT_THAT(log.lines("gap"), IsEmpty());
    EXPECT_THAT(log.lines("tls-closed"), IsEmpty());
}

TEST(TlsRecorded, SaysThatEarlyDataStaysClosedWithoutItsSecret) {
    std::string text = read_file("tls13_early_accepted.keys");
    const std::size_t at = text.find("CLIENT_EARLY_TRAFFIC_SECRET");
    text.erase(at, text.find('\n', at) - at);
    decode::TlsKeys keys;
    keys.add(text);
    const EventLog log = expect_cut_anywhere(tls_with(&keys), read_talk("tls13_early_accepted"));
    EXPECT_EQ(said(log, kClient), kLines);
    // The server took 11 bytes that are not here.
    EXPECT_THAT(log.lines("gap"), ElementsAre("gap c>s at 0 11"));
    EXPECT_THAT(log.lines("problem"), ElementsAre(HasSubstr("no CLIENT_EARLY_TRAFFIC_SECRET")));
}

TEST(TlsRecorded, StopsAtRenegotiationAndSaysSo) {
    const EventLog log = decrypted("tls12_renegotiation");
    EXPECT_EQ(said(log, kClient), "before\n");
    EXPECT_THAT(log.lines("tls-closed"), ElementsAre(HasSubstr("TLS-07")));
}

TEST(TlsRecorded, NamesTheSuiteThatItCannotDecrypt) {
    EXPECT_THAT(decrypted("tls12_cbc").lines("tls-closed"),
                ElementsAre(::testing::AllOf(HasSubstr("TLS-04"), HasSubstr("TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256"))));
    EXPECT_THAT(decrypted("tls13_ccm").lines("tls-closed"),
                ElementsAre(::testing::AllOf(HasSubstr("TLS-04"), HasSubstr("TLS_AES_128_CCM_SHA256"))));
}

TEST(TlsRecorded, TellsTheAlertOfAClientWithoutKeys) {
    const EventLog log = decrypted("tls13_alert");
    EXPECT_THAT(log.lines("problem"), ElementsAre(HasSubstr("fatal alert 48: unknown_ca")));
}

TEST(TlsRecorded, KubeletExec) {
    const EventLog log = decrypted("node_exec_v127_pass");
    EXPECT_THAT(said(log, kClient), StartsWith("POST /exec/default/web-labnode/main?"));
    EXPECT_THAT(said(log, kServer), StartsWith("HTTP/1.1 101 Switching Protocols\r\n"));
    EXPECT_THAT(log.lines("client-hello"), ElementsAre(HasSubstr("alpn=\"http/1.1\"")));
    EXPECT_THAT(log.lines("server-hello"), ElementsAre("server-hello version=772 suite=4865 alpn=\"http/1.1\""));
    EXPECT_THAT(log.lines("tls-closed"), IsEmpty());
}

TEST(TlsRecorded, KubeletAnswersInHttp) {
    const EventLog log = decrypted("node_curl_tls_exec");
    EXPECT_THAT(said(log, kServer), HasSubstr("Upgrade request required"));
}

TEST(TlsRecorded, KubeletStdin) {
    const EventLog log = decrypted("node_exec_stdin_v127_pass");
    EXPECT_THAT(said(log, kServer), HasSubstr("done\n"));
    EXPECT_THAT(log.lines("tls-closed"), IsEmpty());
}

TEST(TlsRecorded, GoesOnAfterPacketsThatTheKernelDropped) {
    const EventLog log = decrypted("node_attach_v127_pass_lossy");
    // One record of 37 bytes is missing: 42 on the wire, 20 of plaintext.
    EXPECT_THAT(log.lines("gap"), ElementsAre(StartsWith("gap s>c at ")));
    EXPECT_THAT(log.lines("gap"), ElementsAre(::testing::EndsWith(" 20")));
    EXPECT_THAT(log.lines("problem"), ElementsAre(HasSubstr("missing records: 1;")));
    EXPECT_THAT(log.lines("tls-closed"), IsEmpty());
    EXPECT_THAT(said(log, kClient), StartsWith("POST /attach/default/web-labnode/main"));
    EXPECT_THAT(log.lines("http-end"), ::testing::SizeIs(2));
    EXPECT_THAT(closed_data(log), IsEmpty());
}

}  // namespace
}  // namespace hopscope::tests
