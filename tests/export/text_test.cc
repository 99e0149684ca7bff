// What people read: the report as text and Markdown, the chain as text and Mermaid. And what nobody may read.
#include <gtest/gtest.h>

#include "export/asciicast.h"
#include "export/chain_text.h"
#include "export/fixture.h"
#include "export/golden.h"
#include "export/report_json.h"
#include "export/report_text.h"

namespace hopscope::exports {
namespace {

using chain::Reveal;
using test::expect_golden;
using testing::Test;

Style style_of(std::size_t columns, Glyphs glyphs = Glyphs::unicode, bool colour = false) {
    return {.glyphs = glyphs, .colour = colour, .columns = columns};
}

ReportOptions options_of(Style style) {
    ReportOptions options;
    options.style = style;
    return options;
}

using Writer = void (*)(Output&, const chain::Model&, const ReportOptions&);

void write_chains(Output& out, const chain::Model& model, const ReportOptions& options) {
    for (const chain::Chain& chain : model.chains) write_chain_text(out, model, chain, options);
}

void write_diagrams(Output& out, const chain::Model& model, const ReportOptions& options) {
    for (const chain::Chain& chain : model.chains) write_chain_mermaid(out, model, chain, options);
}

std::string text_of(Writer write, const chain::Model& model, const ReportOptions& options) {
    StringOutput out;
    write(out, model, options);
    return out.text();
}

std::vector<std::string> split(const std::string& text) {
    std::vector<std::string> lines;
    std::size_t begin = 0;
    for (std::size_t end = 0; (end = text.find('\n', begin)) != std::string::npos; begin = end + 1)
        lines.push_back(text.substr(begin, end - begin));
    return lines;
}

TEST(ReportText, golden) {
    ReportOptions options = options_of(style_of(0));
    expect_golden("node.report.txt", text_of(write_report_text, test::node_model(), options));
    expect_golden("hostile.report.txt", text_of(write_report_text, test::hostile_model(), options));
    expect_golden("empty.report.txt", text_of(write_report_text, chain::Model{}, options));
    options.sections.add(Section::streams);
    options.top = 3;
    expect_golden("node.top3.report.txt", text_of(write_report_text, test::node_model(), options));
    expect_golden("node.100.report.txt", text_of(write_report_text, test::node_model(), options_of(style_of(100))));
    expect_golden("node.60.ascii.report.txt",
                  text_of(write_report_text, test::node_model(), options_of(style_of(60, Glyphs::ascii))));
}

TEST(ReportText, markdown_golden) {
    ReportOptions options = options_of(style_of(0));
    options.sections.add(Section::streams);
    expect_golden("node.report.md", text_of(write_report_markdown, test::node_model(), options));
    expect_golden("hostile.report.md", text_of(write_report_markdown, test::hostile_model(), options));
}

TEST(ChainText, golden) {
    expect_golden("node.chain.txt", text_of(write_chains, test::node_model(), options_of(style_of(0))));
    expect_golden("node.80.ascii.chain.txt",
                  text_of(write_chains, test::node_model(), options_of(style_of(80, Glyphs::ascii))));
    expect_golden("hostile.chain.txt", text_of(write_chains, test::hostile_model(), options_of(style_of(0))));
    expect_golden("node.chain.mmd", text_of(write_diagrams, test::node_model(), options_of(style_of(0))));
    expect_golden("hostile.chain.mmd", text_of(write_diagrams, test::hostile_model(), options_of(style_of(0))));
}

TEST(ChainText, finds_the_chain_of_a_session) {
    const chain::Model model = test::node_model();
    ASSERT_NE(find_chain(model, 5), nullptr);
    EXPECT_EQ(find_chain(model, 5)->number, 1U);
    EXPECT_EQ(find_chain(model, 7)->number, 2U);
    EXPECT_EQ(find_chain(model, 8), nullptr);
}

TEST(ReportText, fits_every_terminal_from_40_columns_on) {
    for (const Glyphs glyphs : {Glyphs::unicode, Glyphs::ascii}) {
        for (std::size_t columns = 40; columns <= 200; ++columns) {
            ReportOptions options = options_of(style_of(columns, glyphs));
            options.sections.add(Section::streams);
            for (const Writer write : {&write_report_text, &write_chains}) {
                for (const std::string& line : split(text_of(write, test::node_model(), options))) {
                    // Commands are copied by hand or mouse: they are never shortened.
                    if (line.find("hopscope ") != std::string::npos) continue;
                    EXPECT_LE(display_width(line), columns) << line;
                }
            }
        }
    }
}

TEST(ReportText, a_pipe_gets_everything_and_no_spaces_at_line_ends) {
    for (const Writer write : {&write_report_text, &write_chains, &write_report_markdown}) {
        const std::string text = text_of(write, test::node_model(), options_of(style_of(0)));
        EXPECT_EQ(text.find("…nk"), std::string::npos);
        EXPECT_EQ(text.find(" \n"), std::string::npos) << text;
        EXPECT_TRUE(text.ends_with('\n'));
    }
}

TEST(ReportText, sections_are_chosen_by_name) {
    ReportOptions options = options_of(style_of(0));
    options.sections = Sections::none();
    for (const char* name : {"findings", "loss"}) options.sections.add(*section_named(name));
    const std::string text = text_of(write_report_text, test::node_model(), options);
    EXPECT_NE(text.find("FINDINGS"), std::string::npos);
    EXPECT_NE(text.find("LOSS"), std::string::npos);
    EXPECT_EQ(text.find("SESSIONS"), std::string::npos);
    EXPECT_EQ(text.find("SUMMARY"), std::string::npos);
    EXPECT_FALSE(section_named("session"));
    for (std::size_t i = 0; i < kSections; ++i) {
        const auto section = static_cast<Section>(i);
        EXPECT_EQ(section_named(to_string(section)), section);
        EXPECT_EQ(Sections{}.has(section), section != Section::streams);
    }
}

TEST(ReportText, top_says_how_many_are_left_out) {
    ReportOptions options = options_of(style_of(0));
    options.top = 4;
    const std::string text = text_of(write_report_text, test::node_model(), options);
    EXPECT_NE(text.find("5 before these: --top 0 shows all"), std::string::npos);
    options.top = 0;
    EXPECT_EQ(text_of(write_report_text, test::node_model(), options).find("--top"), std::string::npos);
}

TEST(ReportText, nothing_lost_means_no_loss_section) {
    chain::Model model = test::node_model();
    model.loss = {};
    EXPECT_EQ(text_of(write_report_text, model, options_of(style_of(0))).find("LOSS"), std::string::npos);
}

TEST(ReportText, next_names_sessions_and_files_that_exist) {
    chain::Model model = test::node_model();
    EXPECT_EQ(
        next_commands(model),
        (std::vector<std::string>{"hopscope chain node.pcap cri.pcapng --session s7",
                                  "hopscope extract node.pcap cri.pcapng --session s7 --stream data -O out.bin"}));
    model.capture.files[0].name = Untrusted("my node.pcap");
    model.capture.files[1].name = Untrusted("$(reboot)'.pcap");
    EXPECT_EQ(next_commands(model)[0], "hopscope chain 'my node.pcap' FILE --session s7");
    model.capture.files[1].name = Untrusted("-rf");
    EXPECT_EQ(next_commands(model)[0], "hopscope chain 'my node.pcap' FILE --session s7");
    model.sessions.clear();
    EXPECT_TRUE(next_commands(model).empty());
}

TEST(ReportText, only_the_style_brings_colour) {
    const std::string plain = text_of(write_report_text, test::node_model(), options_of(style_of(120)));
    std::string coloured =
        text_of(write_report_text, test::node_model(), options_of(style_of(120, Glyphs::unicode, true)));
    EXPECT_NE(coloured, plain);
    // Taking the sequences out gives the same text, so nothing is said by colour alone.
    for (std::size_t begin = 0; (begin = coloured.find('\x1b')) != std::string::npos;)
        coloured.erase(begin, coloured.find('m', begin) - begin + 1);
    EXPECT_EQ(coloured, plain);
}

// --- every format at once

std::map<std::string, std::string> all_default_outputs(const chain::Model& model, Glyphs glyphs) {
    std::map<std::string, std::string> outputs;
    ReportOptions options = options_of(style_of(0, glyphs));
    options.sections.add(Section::streams);
    outputs["text"] = text_of(write_report_text, model, options);
    outputs["markdown"] = text_of(write_report_markdown, model, options);
    outputs["chain"] = text_of(write_chains, model, options);
    outputs["mermaid"] = text_of(write_diagrams, model, options);
    StringOutput json, events, cast;
    write_report_json(json, model, {});
    outputs["json"] = json.text();
    Ndjson ndjson(events, {});
    test::tell_everything(ndjson, model);
    outputs["ndjson"] = events.text();
    const chain::Session& session = *model.sessions.front();
    CastWriter writer(cast, cast_header(session, Reveal{}), Reveal{});
    writer.data(StreamKind::in, as_bytes("hunter2"), session.start);
    writer.data(StreamKind::out, as_bytes("\x1b[1mout"), session.start);
    writer.finish(session);
    outputs["asciicast"] = cast.text();
    return outputs;
}

TEST(EveryFormat, holds_back_planted_secrets_unless_asked) {
    for (const chain::Model& model : {test::node_model(), test::hostile_model()}) {
        for (const Glyphs glyphs : {Glyphs::unicode, Glyphs::ascii}) {
            for (const auto& [format, text] : all_default_outputs(model, glyphs)) {
                ASSERT_FALSE(text.empty()) << format;
                for (const std::string& secret : test::planted_secrets()) {
                    const std::size_t found = text.find(secret);
                    EXPECT_EQ(found, std::string::npos)
                        << format << " shows " << secret << ": " << text.substr(found < 60 ? 0 : found - 60, 120);
                }
            }
        }
    }
}

TEST(EveryFormat, sends_no_control_code_and_only_printable_utf8) {
    for (const chain::Model& model : {test::node_model(), test::hostile_model()}) {
        for (const Glyphs glyphs : {Glyphs::unicode, Glyphs::ascii}) {
            for (const auto& [format, text] : all_default_outputs(model, glyphs)) {
                EXPECT_TRUE(is_utf8(text)) << format;
                for (const unsigned char c : text) {
                    EXPECT_TRUE(c == '\n' || (c >= 0x20 && c != 0x7f)) << format << " holds byte " << int{c};
                }
                for (const char* hidden : {"\u202e", "\u200b"})
                    EXPECT_EQ(text.find(hidden), std::string::npos) << format;
                if (glyphs == Glyphs::ascii && (format == "text" || format == "chain")) {
                    for (const unsigned char c : text) EXPECT_LT(c, 0x80) << format;
                }
            }
        }
    }
}

TEST(EveryFormat, golden_files_hold_no_planted_secret) {
    std::size_t files = 0;
    for (const auto& entry : std::filesystem::directory_iterator(test::golden_path(""))) {
        if (entry.path().string().find("revealed") != std::string::npos) continue;
        ++files;
        const std::string text = test::read_file(entry.path().string());
        EXPECT_EQ(text.find('\x1b'), std::string::npos) << entry.path();
        for (const std::string& secret : test::planted_secrets())
            EXPECT_EQ(text.find(secret), std::string::npos) << entry.path() << " holds " << secret;
    }
    EXPECT_GT(files, 10U);
}

}  // namespace
}  // namespace hopscope::exports
