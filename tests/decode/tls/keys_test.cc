// Key logs: what is a line, what is kept, and what is not.
#include <gtest/gtest.h>

#include "core/limits.h"
#include "decode/tls/tls.h"
#include "sealer.h"

namespace hopscope::tests {
namespace {

const std::string kRandom(64, 'a'), kOther(64, 'b');
const std::string kSecret32(64, '1'), kSecret48(96, '2');

std::string found(const decode::TlsKeys& keys, std::string_view label, const std::string& random_hex = kRandom) {
    const std::string random = from_hex(random_hex);
    return hex_of(as_text(keys.find(label, as_bytes(random))));
}

TEST(TlsKeys, KeepsTheSecretsThatOpenRecords) {
    decode::TlsKeys keys;
    EXPECT_EQ(keys.add("# a comment\n\nCLIENT_RANDOM " + kRandom + ' ' + kSecret48 + "\nSERVER_TRAFFIC_SECRET_0 " +
                       kRandom + ' ' + kSecret32 + '\n'),
              2U);
    EXPECT_EQ(keys.size(), 2U);
    EXPECT_EQ(keys.bad_lines(), 0U);
    EXPECT_EQ(found(keys, "CLIENT_RANDOM"), kSecret48);
    EXPECT_EQ(found(keys, "SERVER_TRAFFIC_SECRET_0"), kSecret32);
    EXPECT_EQ(found(keys, "CLIENT_TRAFFIC_SECRET_0"), "");
    EXPECT_EQ(found(keys, "CLIENT_RANDOM", kOther), "");
    EXPECT_EQ(found(keys, "NO_SUCH_LABEL"), "");
    EXPECT_TRUE(keys.find("CLIENT_RANDOM", {}).empty());
}

TEST(TlsKeys, LetsTheLastLineWin) {
    decode::TlsKeys keys;
    const std::string line = "CLIENT_TRAFFIC_SECRET_0 " + kRandom + ' ';
    EXPECT_EQ(keys.add(line + kSecret32 + '\n' + line + std::string(64, '3')), 2U);
    EXPECT_EQ(keys.size(), 1U);
    EXPECT_EQ(found(keys, "CLIENT_TRAFFIC_SECRET_0"), std::string(64, '3'));
}

TEST(TlsKeys, ReadsAnyLineEndAndAnyCase) {
    decode::TlsKeys keys;
    EXPECT_EQ(keys.add("  CLIENT_RANDOM\t" + std::string(64, 'A') + "  " + std::string(96, 'F') + " \r\n"), 1U);
    EXPECT_EQ(found(keys, "CLIENT_RANDOM"), std::string(96, 'f'));
}

TEST(TlsKeys, PassesOverLabelsThatOpenNothing) {
    decode::TlsKeys keys;
    EXPECT_EQ(keys.add("EXPORTER_SECRET " + kRandom + ' ' + kSecret32 + "\nRSA 0123456789abcdef " + kSecret48 +
                       "\nCLIENT_TRAFFIC_SECRET_N " + kRandom + ' ' + kSecret32),
              0U);
    EXPECT_EQ(keys.bad_lines(), 0U);
    EXPECT_EQ(keys.size(), 0U);
}

TEST(TlsKeys, CountsLinesThatAreNone) {
    const std::string bad[] = {
        "hello",
        "CLIENT_RANDOM",
        "CLIENT_RANDOM " + kRandom,
        "CLIENT_RANDOM " + kRandom + ' ' + kSecret48 + " more",
        "CLIENT_RANDOM " + kRandom.substr(2) + ' ' + kSecret48,
        "CLIENT_RANDOM " + kRandom + "aa " + kSecret48,
        "CLIENT_RANDOM " + kRandom + ' ' + kSecret32,        // a master secret has 48 bytes
        "CLIENT_RANDOM " + kRandom + ' ' + kSecret48 + '2',  // half a byte
        "CLIENT_RANDOM " + kRandom + ' ' + std::string(95, '2') + 'x',
        "SERVER_TRAFFIC_SECRET_0 " + kRandom + ' ' + std::string(40, '2'),
        "SERVER_TRAFFIC_SECRET_0 " + kRandom + ' ' + std::string(4096, '2'),
        "client_random " + kRandom + ' ' + kSecret48,
        std::string("CLIENT\0RANDOM ", 14) + kRandom + ' ' + kSecret48,
    };
    for (const std::string& line : bad) {
        decode::TlsKeys keys;
        EXPECT_EQ(keys.add(line + '\n'), 0U) << line;
        EXPECT_EQ(keys.bad_lines(), 1U) << line;
        EXPECT_EQ(keys.size(), 0U) << line;
    }
}

TEST(TlsKeys, StopsAtItsLimitAndSaysSo) {
    decode::TlsKeys keys;
    std::string text;
    for (std::size_t i = 0; i < limits::kTlsKeyedConnectionsMax + 3; ++i) {
        char random[65];
        std::snprintf(random, sizeof random, "%064zx", i);
        text += "CLIENT_TRAFFIC_SECRET_0 " + std::string(random) + ' ' + kSecret32 + '\n';
        if (text.size() > 1 << 20) {
            keys.add(text);
            text.clear();
        }
    }
    keys.add(text);
    EXPECT_EQ(keys.size(), limits::kTlsKeyedConnectionsMax);
    EXPECT_EQ(keys.not_kept(), 3U);
    EXPECT_EQ(keys.bad_lines(), 0U);
}

}  // namespace
}  // namespace hopscope::tests
