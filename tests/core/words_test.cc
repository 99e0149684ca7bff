#include <gtest/gtest.h>

#include <set>

#include "core/endpoint.h"
#include "core/loss.h"
#include "core/result.h"
#include "core/time.h"

namespace hopscope {
namespace {

TEST(Time, prints_rfc_3339_with_nine_digits) {
    EXPECT_EQ(rfc3339({0}), "1970-01-01T00:00:00.000000000Z");
    EXPECT_EQ(rfc3339({1'795'280'503'880'571'400}), "2026-11-21T17:01:43.880571400Z");
    EXPECT_EQ(rfc3339({951'782'400'000'000'000}), "2000-02-29T00:00:00.000000000Z");
    EXPECT_EQ(rfc3339({-1}), "1969-12-31T23:59:59.999999999Z");
    EXPECT_EQ(clock_time({1'795'280'503'880'571'400}), "17:01:43.880571");
}

TEST(Address, a_mapped_address_is_the_ipv4_address) {
    EXPECT_EQ(IpAddress::parse("::ffff:127.0.0.1"), IpAddress::parse("127.0.0.1"));
    EXPECT_EQ(to_string(*IpAddress::parse("::ffff:10.0.0.1")), "10.0.0.1");
}

TEST(Address, knows_loopback_and_unspecified) {
    EXPECT_TRUE(IpAddress::parse("127.9.9.9")->is_loopback());
    EXPECT_TRUE(IpAddress::parse("::1")->is_loopback());
    EXPECT_FALSE(IpAddress::parse("10.0.0.1")->is_loopback());
    EXPECT_TRUE(IpAddress::parse("0.0.0.0")->is_unspecified());
    EXPECT_TRUE(IpAddress::parse("::")->is_unspecified());
    EXPECT_FALSE(IpAddress::parse("nonsense").has_value());
}

TEST(Address, prints_every_number_of_ipv4) {
    for (int byte = 0; byte < 256; ++byte) {
        const auto b = static_cast<std::uint8_t>(byte);
        const std::uint8_t four[] = {b, 255, 0, static_cast<std::uint8_t>(255 - byte)};
        const std::string number = std::to_string(byte);
        EXPECT_EQ(to_string(IpAddress::v4(four)), number + ".255.0." + std::to_string(255 - byte));
    }
}

TEST(Endpoint, brackets_ipv6) {
    EXPECT_EQ(to_string(Endpoint{*IpAddress::parse("::1"), 10010}), "[::1]:10010");
    EXPECT_EQ(to_string(Endpoint{*IpAddress::parse("127.0.0.1"), 42313}), "127.0.0.1:42313");
}

TEST(Loss, every_place_has_a_name_of_its_own) {
    std::set<std::string_view> names;
    for (std::size_t i = 0; i < kLossPlaces; ++i) names.insert(to_string(static_cast<LossPlace>(i)));
    EXPECT_EQ(names.size(), kLossPlaces);
    EXPECT_FALSE(names.contains(""));
}

TEST(Result, holds_a_value_or_an_error) {
    const Result<int> good = 7;
    EXPECT_EQ(*good, 7);
    const Result<int> bad = unexpected(Error{.doing = "cannot read", .subject = "x", .code = "CAP-10"});
    ASSERT_FALSE(bad);
    EXPECT_EQ(bad.error().code, "CAP-10");
}

}  // namespace
}  // namespace hopscope
