#include "export/ndjson_line.h"

#include <gtest/gtest.h>

#include <random>
#include <string>

namespace hopscope::exports {
namespace {

std::string number(std::uint64_t value) {
    char text[24];
    return {text, put_number(text, value)};
}

TEST(PutNumber, agrees_with_the_library) {
    for (std::uint64_t power = 1; power <= 1'000'000'000'000'000'000; power *= 10)
        for (const std::uint64_t value : {power - 1, power, power + 1, power * 5})
            EXPECT_EQ(number(value), std::to_string(value));
    EXPECT_EQ(number(UINT64_MAX), std::to_string(UINT64_MAX));
    std::mt19937_64 random(3);
    for (int i = 0; i < 100'000; ++i) {
        const std::uint64_t value = random() >> (random() % 64);
        ASSERT_EQ(number(value), std::to_string(value));
    }
}

TEST(PutNineDigits, keeps_leading_zeros) {
    for (const std::uint32_t value : {0U, 1U, 12'345'678U, 100'000'000U, 999'999'999U}) {
        char text[9];
        put_nine_digits(text, value);
        const std::string plain = std::to_string(value);
        EXPECT_EQ(std::string(text, 9), std::string(9 - plain.size(), '0') + plain);
    }
}

}  // namespace
}  // namespace hopscope::exports
