#include "decode/stream/status_text.h"

#include <gtest/gtest.h>

#include <string>

namespace hopscope::decode::stream {
namespace {

// The usual texts are recognised as they stand; with one space more they are read as any JSON is.
TEST(StatusText, the_usual_ones_mean_what_their_json_means) {
    const auto failure = [](const std::string& message, const std::string& code) {
        return R"({"metadata":{},"status":"Failure","message":")" + message +
               R"(","reason":"NonZeroExitCode","details":{"causes":[{"reason":"ExitCode","message":")" + code +
               R"("}]}})";
    };
    const std::string texts[] = {
        R"({"metadata":{},"status":"Success"})",
        failure("command terminated with non-zero exit code: exit status 3", "3"),
        failure("", "137"),
        failure("a \\\"quote\\\", a tab\\t and \\u00e9", "1"),
        failure("\xc3\xa9", "1"),
        failure("broken \xff", "1"),
        failure("control \x01", "1"),
        failure("x", ""),
        failure("x", "-1"),
        failure("x", "+1"),
        failure("x", "1 "),
        failure("x", "99999999999"),
        failure("x", "3").substr(0, 60),
        failure("x", "3") + "}",
        R"({"metadata":{},"status":"Failure","message":"m","reason":"InternalError","code":500})",
    };
    for (const std::string& text : texts) {
        const auto usual = parse_status(text), by_json = parse_status("{ " + text.substr(1));
        ASSERT_EQ(usual.has_value(), by_json.has_value()) << text;
        if (!usual) continue;
        EXPECT_EQ(usual->success, by_json->success) << text;
        EXPECT_EQ(usual->exit_code, by_json->exit_code) << text;
        EXPECT_EQ(usual->reason, by_json->reason) << text;
        EXPECT_EQ(usual->message, by_json->message) << text;
    }
    EXPECT_EQ(parse_status(texts[1])->exit_code, 3);
    EXPECT_EQ(parse_status(texts[2])->exit_code, 137);
}

}  // namespace
}  // namespace hopscope::decode::stream
