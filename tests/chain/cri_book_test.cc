// What is remembered of CRI calls in a run that does not end.
#include "chain/cri_book.h"

#include <gtest/gtest.h>

#include "core/limits.h"

namespace hopscope::chain {
namespace {

// The number that the call's token got.
std::uint32_t call(CriBook& book, std::uint32_t number) {
    // Eight letters, another one each time, as containerd makes tokens.
    std::string token = "AAAAAAAA";
    for (std::size_t i = 0; i < token.size(); ++i) token[i] = static_cast<char>('A' + (number >> (4 * i) & 15));
    Place place;
    place.at = {number};
    const std::string id = "container " + std::to_string(number), url = "http://127.0.0.1:40000/exec/" + token;
    CriMessage request;
    request.method = "Exec";
    request.method_known = true;
    request.stream = number;
    request.container_id = id;
    book.on(request, place, {});
    CriMessage answer = request;
    answer.response = true;
    answer.container_id = {};
    answer.url = url;
    const CriCall* made = book.on(answer, place, {});
    return made ? made->token : 0;
}

TEST(CriBook, forgets_the_oldest_calls_and_still_knows_the_newest) {
    TokenTable tokens;
    SharedTexts texts;
    CriBook book(tokens, texts);
    const std::uint32_t first = call(book, 0);
    ASSERT_NE(first, 0U);
    ASSERT_NE(book.call_of(first), nullptr);
    std::uint32_t last = 0;
    constexpr auto kMore = static_cast<std::uint32_t>(limits::kCriCallsMax) + 10;
    for (std::uint32_t i = 1; i <= kMore; ++i) last = call(book, i);
    EXPECT_EQ(book.calls().size(), limits::kCriCallsMax);
    EXPECT_EQ(book.call_of(first), nullptr);
    ASSERT_NE(book.call_of(last), nullptr);
    EXPECT_EQ(book.call_of(last)->container_id, Untrusted("container " + std::to_string(kMore)));
    const std::uint32_t oldest = book.calls().front().token;
    ASSERT_NE(book.call_of(oldest), nullptr);
    EXPECT_EQ(book.call_of(oldest), &book.calls().front());
}

}  // namespace
}  // namespace hopscope::chain
