// JSON of strangers: what is kept of it, and that its length alone decides what it costs.
#include "decode/grpc/json_pick.h"

#include <gtest/gtest.h>

#include <array>
#include <string>

namespace hopscope::decode::grpc {
namespace {

using namespace std::string_view_literals;
constexpr std::array kMembers{"a"sv, "b"sv};

std::string picked(std::string_view text, std::size_t depth = 3, std::size_t values = 1000) {
    const PickedJson json = pick_json(text, {kMembers, depth, values});
    return (json.value.is_discarded() ? "discarded" : json.value.dump()) + (json.is_cut ? " cut" : "");
}
std::string repeated(std::string_view text, std::size_t times) {
    std::string all;
    for (std::size_t i = 0; i < times; ++i) all += text;
    return all;
}

TEST(JsonPick, keeps_the_named_members_alone) {
    EXPECT_EQ(picked(R"({"a":1,"c":{"a":2},"b":[true,null,-1,1.5,"x",{"c":1,"a":3}]})"),
              R"({"a":1,"b":[true,null,-1,1.5,"x",{"a":3}]})");
    EXPECT_EQ(picked(R"([{"c":[{"a":1}]},{"a":1}])"), R"([{},{"a":1}])");
    EXPECT_EQ(picked("7"), "7");
    EXPECT_EQ(picked("\"x\""), "\"x\"");
}

TEST(JsonPick, of_members_of_one_name_the_last_one_counts) {
    EXPECT_EQ(picked(R"({"a":[1,2],"a":{"b":1},"a":"x"})"), R"({"a":"x"})");
    EXPECT_EQ(picked(R"({"a":"x","a":[[[1]]]})", 2), R"({"a":[]})");
    EXPECT_EQ(picked(R"({"a":"x","a":{}})", 1), R"({"a":null})");
}

TEST(JsonPick, passes_over_what_is_too_deep) {
    EXPECT_EQ(picked(R"([[[[1,[2]],3],4],5])"), R"([[[3],4],5])");
    EXPECT_EQ(picked(R"({"a":{"a":{"a":{"b":1}},"b":2}})"), R"({"a":{"a":{"a":null},"b":2}})");
    EXPECT_EQ(picked("[]", 0), "null");
}

TEST(JsonPick, what_is_no_json_is_discarded) {
    for (const char* text : {"", "[", "{\"a\":1", "[1]]", "{\"c\":[}", "\"\xff\"", "nul", "{\"a\":1,}"})
        EXPECT_EQ(picked(text), "discarded") << text;
}

TEST(JsonPick, says_when_it_kept_no_more) {
    EXPECT_EQ(picked("[1,2,3]", 3, 4), "[1,2,3]");
    EXPECT_EQ(picked("[1,2,3]", 3, 3), "[1,2] cut");
    EXPECT_EQ(picked(R"({"a":[1,2],"b":3})", 3, 3), R"({"a":[1]} cut)");
    EXPECT_EQ(picked(R"([{"c":1},{"c":[1,2,3]}])", 3, 3), "[{},{}]") << "what is not kept does not count";
}

// With a walk through the parent for every object that ends, each of these takes minutes.
TEST(JsonPick, a_mebibyte_of_empty_objects_is_read_at_once) {
    constexpr std::size_t kTimes = 350'000;
    const std::string objects = "[" + repeated("{},", kTimes) + "{}]";
    EXPECT_EQ(pick_json(objects, {kMembers, 3, kTimes * 2}).value.size(), kTimes + 1);
    EXPECT_EQ(pick_json(objects, {kMembers, 1, kTimes * 2}).value.size(), 0U);
    EXPECT_EQ(picked("{\"c\":" + objects + ",\"a\":1}"), R"({"a":1})");
    EXPECT_EQ(picked("[" + repeated(R"({"a":{}},)", 100'000) + "1", 3, 9), "discarded cut");
    EXPECT_EQ(picked(repeated("[", 500'000) + repeated("]", 500'000)), "[[[]]]");
    EXPECT_EQ(picked(repeated(R"({"a":)", 200'000) + "1" + repeated("}", 200'000)), R"({"a":{"a":{"a":null}}})");
}

}  // namespace
}  // namespace hopscope::decode::grpc
