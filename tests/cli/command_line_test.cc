#include "cli/command_line.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>

namespace hopscope::cli {
namespace {

class CommandLine : public testing::Test {
protected:
    void SetUp() override {
        setenv("HOPSCOPE_CONFIG", "/dev/null", 1);
        unsetenv("HOPSCOPE_OPTIONS");
    }
};

struct Slip {
    std::vector<std::string> words;
    std::string says;
};

TEST_F(CommandLine, names_the_slip) {
    const Slip slips[] = {
        {{"analyse", "x.pcap"}, "did you mean 'analyze'"},
        {{"frobnicate"}, "no command 'frobnicate'"},
        {{"analyze"}, "needs FILE"},
        {{"analyze", "x.pcap", "--outptu", "json"}, "did you mean '--output'"},
        {{"analyze", "x.pcap", "--stream", "stdout"}, "unknown option"},
        {{"analyze", "x.pcap", "-o", "yaml"}, "'yaml' is not valid for -o"},
        {{"analyze", "x.pcap", "--color", "maybe"}, "'maybe' is not valid for --color"},
        {{"analyze", "x.pcap", "--reveal", "token,comand"}, "did you mean 'command'"},
        {{"version", "stray"}, "takes no argument 'stray'"},
        {{"analyze", "x.pcap", "--mem", "1MiB", "--mem", "2MiB"}, "given 2 times"},
        {{"mask", "only-one"}, "needs IN OUT"},
        {{"doctor", "-f", "op == exec"}, "'doctor' does not take --filter"},
        {{"chain", "x.pcap", "--filter", "ws"}, "'chain' does not take --filter"},
        {{"record", "-w", "x", "-f", "ws"}, "'record' does not take --filter"},
        {{"graph", "--reveal", "token"}, "'graph' does not take --reveal"},
        {{"ports", "--show-payload"}, "'ports' does not take --show-payload"},
        {{"chain", "x.pcap", "--mem", "1MiB"}, "'chain' does not take --mem"},
        {{"analyze", "x.pcap", "--host-root", "/"}, "'analyze' does not take --host-root"},
        {{"doctor", "--netns", "all"}, "unknown option '--netns'"},
    };
    for (const Slip& slip : slips) {
        const auto parsed = parse_command_line(slip.words);
        ASSERT_FALSE(parsed) << slip.says;
        EXPECT_NE(parsed.error().why.find(slip.says), std::string::npos) << parsed.error().why;
        EXPECT_EQ(parsed.error().code, "USE-01");
    }
}

// What stands in the environment is written for all commands.
TEST_F(CommandLine, an_option_of_some_commands_is_refused_only_on_the_command_line) {
    setenv("HOPSCOPE_OPTIONS", "--mem 64MiB --filter ws", 1);
    EXPECT_TRUE(parse_command_line({"doctor"}));
    EXPECT_EQ(parse_command_line({"analyze", "x.pcap"})->text("mem"), "64MiB");
    unsetenv("HOPSCOPE_OPTIONS");
    EXPECT_EQ(commands_with(global_options()[1]), "ports why observe graph analyze");
    EXPECT_TRUE(parse_command_line({"help", "config", "--mem", "1MiB"}));  // it shows what would be in effect
}

TEST_F(CommandLine, an_abbreviation_is_no_option) {
    for (const char* word : {"--out", "--filt", "--sess"}) {
        const auto parsed = parse_command_line({"analyze", "x.pcap", word, "json"});
        EXPECT_FALSE(parsed) << word;
    }
}

TEST_F(CommandLine, global_options_stand_before_or_after_the_command) {
    for (const auto& words : {std::vector<std::string>{"-o", "json", "analyze", "x.pcap"},
                              {"analyze", "-o", "json", "x.pcap"},
                              {"analyze", "x.pcap", "--output=json"}}) {
        const auto parsed = parse_command_line(words);
        ASSERT_TRUE(parsed) << parsed.error().why;
        EXPECT_EQ(parsed->command->name, "analyze");
        EXPECT_EQ(parsed->format(), "json");
        EXPECT_EQ(parsed->arguments, std::vector<std::string>{"x.pcap"});
    }
}

TEST_F(CommandLine, a_dash_is_a_file_and_two_dashes_end_options) {
    const auto dash = parse_command_line({"analyze", "-"});
    ASSERT_TRUE(dash);
    EXPECT_EQ(dash->arguments, std::vector<std::string>{"-"});
    const auto ended = parse_command_line({"analyze", "--", "-strange-name.pcap"});
    ASSERT_TRUE(ended);
    EXPECT_EQ(ended->arguments, std::vector<std::string>{"-strange-name.pcap"});
}

TEST_F(CommandLine, the_stronger_source_wins) {
    const std::string file = testing::TempDir() + "hopscope-config.ini";
    std::ofstream(file) << "color = never\nmem = 1MiB\nprogress = never\n[analyze]\ntop = 50\n";
    setenv("HOPSCOPE_CONFIG", file.c_str(), 1);
    setenv("HOPSCOPE_OPTIONS", "--mem 2MiB --progress always", 1);
    const auto parsed = parse_command_line({"analyze", "x.pcap", "--progress", "auto"});
    ASSERT_TRUE(parsed) << parsed.error().why;
    EXPECT_EQ(parsed->text("progress"), "auto");
    EXPECT_EQ(parsed->text("mem"), "2MiB");
    EXPECT_EQ(parsed->text("color"), "never");
    EXPECT_EQ(parsed->text("top"), "50");
    EXPECT_EQ(parsed->text("fail-on"), "none");
    EXPECT_EQ(parsed->settings.find("mem")->second.origin, Origin::environment);
}

TEST_F(CommandLine, a_wrong_configuration_is_named) {
    const std::string file = testing::TempDir() + "hopscope-bad.ini";
    std::ofstream(file) << "colour = never\n";
    setenv("HOPSCOPE_CONFIG", file.c_str(), 1);
    const auto parsed = parse_command_line({"analyze", "x.pcap"});
    ASSERT_FALSE(parsed);
    EXPECT_EQ(parsed.error().code, "CFG-01");
    EXPECT_NE(parsed.error().why.find("colour"), std::string::npos);
}

TEST(Size, knows_its_units) {
    EXPECT_EQ(*parse_size("mem", "256MiB"), 268435456U);
    EXPECT_EQ(*parse_size("mem", "64k"), 64000U);
    EXPECT_EQ(*parse_size("mem", "1GB"), 1000000000U);
    for (const char* bad : {"", "MiB", "12 apples", "-5", "99999999999999999999", "20000000000GiB"})
        EXPECT_FALSE(parse_size("mem", bad)) << bad;
}

TEST(Nearest, needs_a_likely_slip) {
    const std::string_view names[] = {"analyze", "extract", "decode", "mask"};
    EXPECT_EQ(nearest("analyse", names), "analyze");
    EXPECT_EQ(nearest("extrat", names), "extract");
    EXPECT_EQ(nearest("zzz", names), "");
    EXPECT_EQ(nearest("m", names), "");
}

}  // namespace
}  // namespace hopscope::cli
