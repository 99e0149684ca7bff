// The page of the doctor.
#include "export/doctor.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "export/golden.h"
#include "export/node_fixture.h"
#include "export/schema.h"
#include "export/schema_check.h"

namespace hopscope::exports {
namespace {

using nlohmann::json;
using test::expect_golden;
using testing::HasSubstr;
using State = DoctorRow::State;

DoctorPage sample() {
    DoctorPage page{.version = "0.1.0", .kernel = "6.18", .system = "Debian 12", .uid = 0, .rows = {}, .features = {}};
    page.rows = {
        {.state = State::ok,
         .code = "CAP-01",
         .title = "packet capture",
         .says = "CAP_NET_RAW, libpcap 1.10.3, lo opens",
         .lost = "",
         .fix = "",
         .needed = true},
        {.state = State::limited,
         .code = "BPF-03",
         .title = "tracefs",
         .says = "not mounted",
         .lost = "",
         .fix = "mount -t tracefs nodev /sys/kernel/tracing"},
        {.state = State::missing,
         .code = "CAP-03",
         .title = "process of a socket",
         .says = "CAP_SYS_PTRACE is missing",
         .lost = "owners of other users' sockets, and with them the role of nearly every listener of a node",
         .fix = "sudo hopscope",
         .needed = true},
    };
    page.features = {{"ports", State::limited}, {"analyze", State::ok}, {"live", State::missing}};
    return page;
}

std::string text(const DoctorPage& page, const Style& style) {
    StringOutput out;
    write_doctor_text(out, page, style);
    return out.text();
}

std::string document(const DoctorPage& page) {
    StringOutput out;
    write_doctor_json(out, page);
    return out.text();
}

TEST(Doctor, golden) {
    expect_golden("doctor.txt", text(sample(), {.columns = 0}));
    expect_golden("doctor.80.ascii.txt", text(sample(), {.glyphs = Glyphs::ascii, .columns = 80}));
    expect_golden("doctor.json", document(sample()));
    StringOutput out;
    write_schema(out, SchemaName::doctor);
    expect_golden("doctor.schema.json", out.text());
}

TEST(Doctor, is_usable_when_nothing_needed_is_missing) {
    DoctorPage page = sample();
    EXPECT_FALSE(usable(page));
    page.rows[2].needed = false;
    EXPECT_TRUE(usable(page));
    page.rows[2].needed = true;
    page.rows[2].state = State::limited;
    EXPECT_TRUE(usable(page));
}

TEST(Doctor, json_is_valid) {
    StringOutput out;
    write_schema(out, SchemaName::doctor);
    test::SchemaCheck check(json::parse(out.text()));
    for (const DoctorPage& page : {sample(), DoctorPage{}})
        for (const std::string& problem : check.problems(json::parse(document(page)))) ADD_FAILURE() << problem;
}

TEST(Doctor, codes_are_valid_json) {
    const std::vector<CodePage> pages = {{"PRT-03", "two \"things\"", "what it means", "what to do"},
                                         {"PRT-04", "x", "y", ""}};
    StringOutput schema, out;
    write_schema(schema, SchemaName::codes);
    write_codes_json(out, pages);
    test::SchemaCheck check(json::parse(schema.text()));
    for (const std::string& problem : check.problems(json::parse(out.text()))) ADD_FAILURE() << problem;
    const json document = json::parse(out.text());
    EXPECT_EQ(document.at("codes").at(0).at("remedy"), "what to do");
    EXPECT_FALSE(document.at("codes").at(1).contains("remedy"));
}

TEST(Doctor, hostile_text_is_shown_harmlessly) {
    DoctorPage page = sample();
    page.kernel = page.system = page.rows[0].says = page.rows[1].fix = page.rows[2].lost = test::kHostile;
    EXPECT_TRUE(test::only_printable(text(page, {.columns = 0})));
    EXPECT_TRUE(test::only_printable(text(page, {.columns = 80})));
}

TEST(Doctor, lines_fit) {
    const std::string all = text(sample(), {.columns = 80});
    std::size_t begin = 0;
    for (std::size_t end = 0; (end = all.find('\n', begin)) != std::string::npos; begin = end + 1)
        EXPECT_LE(display_width(all.substr(begin, end - begin)), 80U) << all.substr(begin, end - begin);
    EXPECT_THAT(all, HasSubstr("2 of 3 usable now, 1 of them with limits."));
}

}  // namespace
}  // namespace hopscope::exports
