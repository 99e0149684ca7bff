// The JSON contract: the report, the events, and the schema documents that describe both.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "chain/fields.h"
#include "export/fixture.h"
#include "export/golden.h"
#include "export/ndjson.h"
#include "export/report_json.h"
#include "export/schema.h"
#include "export/schema_check.h"
#include "export/schema_tables.h"

namespace hopscope::exports {
namespace {

using chain::Reveal;
using nlohmann::json;
using test::expect_golden;

std::string report(const chain::Model& model, const char* reveal = "") {
    StringOutput out;
    JsonOptions options;
    if (*reveal) options.reveal = *Reveal::parse(reveal);
    options.several_files = model.capture.files.size() > 1;
    write_report_json(out, model, options);
    return out.text();
}

std::string events(const chain::Model& model, const char* reveal = "", RowFilter filter = {}) {
    StringOutput out;
    NdjsonOptions options;
    if (*reveal) options.json.reveal = *Reveal::parse(reveal);
    options.json.several_files = model.capture.files.size() > 1;
    options.filter = std::move(filter);
    Ndjson ndjson(out, options);
    test::tell_everything(ndjson, model);
    return out.text();
}

std::vector<std::string> split(const std::string& text) {
    std::vector<std::string> lines;
    std::size_t begin = 0;
    for (std::size_t end = 0; (end = text.find('\n', begin)) != std::string::npos; begin = end + 1)
        lines.push_back(text.substr(begin, end - begin));
    EXPECT_EQ(begin, text.size()) << "the last line is not ended";
    return lines;
}

json schema(SchemaName name) {
    StringOutput out;
    write_schema(out, name);
    return json::parse(out.text());
}

// The version of the program is no part of what golden files pin down.
std::string without_version(std::string text) {
    const std::string version = "\"version\":\"" HOPSCOPE_VERSION "\"";
    for (std::size_t at = 0; (at = text.find(version, at)) != std::string::npos;)
        text.replace(at, version.size(), "\"version\":\"0\"");
    return text;
}

void expect_valid(test::SchemaCheck& check, const json& value) {
    for (const std::string& problem : check.problems(value)) ADD_FAILURE() << problem;
}

TEST(ReportJson, all_sections_are_there_even_when_nothing_was_seen) {
    const json document = json::parse(report(chain::Model{}));
    for (const char* name : {"capture", "ports", "sessions", "chains", "findings", "loss"})
        EXPECT_TRUE(document.contains(name)) << name;
    EXPECT_EQ(document.size(), 7U);
    EXPECT_EQ(document.at("loss").size(), kLossPlaces);
    EXPECT_TRUE(report(chain::Model{}).starts_with("{\"schema\":\"hopscope.report/v1\""));
}

TEST(ReportJson, golden) {
    expect_golden("node.report.json", without_version(report(test::node_model())));
    expect_golden("node.revealed.report.json", without_version(report(test::node_model(), "token,command")));
    expect_golden("hostile.report.json", without_version(report(test::hostile_model())));
}

TEST(ReportJson, is_valid_against_its_schema_and_shows_every_member_of_it) {
    test::SchemaCheck check(schema(SchemaName::report));
    for (const char* reveal : {"", "token,command", "all"}) {
        expect_valid(check, json::parse(report(test::node_model(), reveal)));
        expect_valid(check, json::parse(report(test::hostile_model(), reveal)));
        expect_valid(check, json::parse(report(test::docker_model(), reveal)));
    }
    expect_valid(check, json::parse(report(chain::Model{})));
    // Members that only other commands or hops of later versions fill; header and the base64 forms of rare members.
    const std::set<std::string> rare = {"local.path", "local.path_b64", "capture.sessions_evicted"};
    for (const std::string& name : check.never_seen())
        if (!name.ends_with("_b64") && !name.starts_with("header.") && !rare.contains(name))
            ADD_FAILURE() << name << " is in no document of this test";
}

TEST(ReportJson, the_contract_s_own_example) {
    const json document = json::parse(report(test::node_model(), "token"));
    const json& session = document.at("sessions").at(5);
    EXPECT_EQ(session.at("session"), "s6");
    EXPECT_EQ(session.at("op"), "exec");
    EXPECT_EQ(session.at("hop"), "runtime");
    EXPECT_EQ(session.at("state"), "closed");
    EXPECT_EQ(session.at("proto"), "spdy/3.1");
    EXPECT_EQ(session.at("subprotocol"), "v4.channel.k8s.io");
    EXPECT_EQ(session.at("start"), "2026-11-21T17:01:43.906400000Z");
    EXPECT_EQ(session.at("duration_s"), 0.42);
    EXPECT_EQ(session.at("client"), json::parse(R"({"address":"127.0.0.1","port":54766})"));
    EXPECT_EQ(session.at("request"), json::parse(R"({"method":"POST","path":"/exec/6NLIqZk9","status":101})"));
    EXPECT_EQ(session.at("token"), json::parse(R"({"prefix":"6NLI","id":"t2","value":"6NLIqZk9"})"));
    EXPECT_EQ(session.at("tty"), false);
    EXPECT_EQ(session.at("exit_code"), 3);
    EXPECT_EQ(session.at("status"), "Failure");
    EXPECT_EQ(session.at("streams").at(1).at("bytes"), json::parse(R"({"in":0,"out":1214})"));
    EXPECT_EQ(session.at("resizes").size(), 2U);
    EXPECT_EQ(session.at("complete"), true);
    EXPECT_FALSE(session.contains("command"));
    EXPECT_EQ(document.at("chains").at(0).at("hops").at(6).at("start_s"), 0.0258286);
}

TEST(ReportJson, masks_by_default_and_reveals_by_name) {
    const auto session = [](const char* reveal) {
        return json::parse(report(test::node_model(), reveal)).at("sessions").at(5);
    };
    EXPECT_EQ(session("").at("token"), json::parse(R"({"prefix":"6NLI","id":"t2"})"));
    EXPECT_NE(session("").at("request").at("path"), "/exec/6NLIqZk9");
    EXPECT_EQ(session("command").at("command"), json::parse(R"(["sh","-c","echo hunter2"])"));
    EXPECT_EQ(session("command").at("message"),
              "command terminated with non-zero exit code: error executing command [sh -c echo hunter2], exit code 3");
    EXPECT_NE(session("").at("message"), session("command").at("message"));
}

TEST(ReportJson, a_forward_error_keeps_its_exact_bytes) {
    const json streams = json::parse(report(test::node_model(), "token,command")).at("sessions").at(6).at("streams");
    EXPECT_EQ(streams.at(2).at("error"),
              "error forwarding port 9999 to pod 9109, uid : exit status 1: connection refused\n");
    EXPECT_EQ(streams.at(2).at("request_id"), 1);
    EXPECT_EQ(streams.at(2).at("port"), 9999);
}

TEST(ReportJson, a_short_token_has_no_prefix) {
    chain::Model model = test::node_model();
    model.sessions[5]->token = chain::Token{Untrusted("abc"), 0};
    model.sessions[5]->target = Untrusted("/exec/abc");
    EXPECT_EQ(json::parse(report(model)).at("sessions").at(5).at("token"), json::object());
}

TEST(Ndjson, golden) {
    expect_golden("node.events.ndjson", without_version(events(test::node_model())));
    expect_golden("hostile.events.ndjson", without_version(events(test::hostile_model())));
}

TEST(Ndjson, every_line_is_valid_and_every_kind_and_member_is_shown) {
    test::SchemaCheck check(schema(SchemaName::event));
    std::set<std::string> kinds;
    for (const char* reveal : {"", "all"}) {
        for (const chain::Model& model : {test::node_model(), test::docker_model(), test::hostile_model()}) {
            std::uint64_t seq = 0;
            for (const std::string& line : split(events(model, reveal))) {
                EXPECT_TRUE(line.starts_with("{\"schema\":\"hopscope.event/v1\",\"kind\":\"")) << line;
                const json event = json::parse(line);
                expect_valid(check, event);
                EXPECT_EQ(event.at("seq"), ++seq);
                kinds.insert(event.at("kind"));
            }
        }
    }
    for (const Definition& event : event_definitions())
        EXPECT_TRUE(kinds.contains(std::string(event.name))) << event.name;
    EXPECT_EQ(kinds.size(), event_definitions().size());
    for (const std::string& name : check.never_seen())
        if (name.starts_with("event.") && !name.ends_with("_b64") && name != "event.capture.end.sessions_evicted" &&
            name != "event.finding.ts")
            ADD_FAILURE() << name << " is in no line of this test";
}

TEST(Ndjson, begins_and_ends_as_promised) {
    const auto lines = split(events(test::node_model()));
    EXPECT_EQ(json::parse(lines.front()).at("kind"), "capture.start");
    const json last = json::parse(lines.back());
    EXPECT_EQ(last.at("kind"), "capture.end");
    EXPECT_EQ(last.at("lines"), lines.size());
    EXPECT_EQ(last.at("loss").at("kernel"), 212);
}

TEST(Ndjson, the_session_object_is_the_report_s) {
    const json document = json::parse(report(test::node_model()));
    std::size_t compared = 0;
    for (const std::string& line : split(events(test::node_model()))) {
        json event = json::parse(line);
        if (event.at("kind") != "session") continue;
        for (const char* envelope : {"schema", "kind", "ts", "seq"}) event.erase(envelope);
        EXPECT_EQ(event, document.at("sessions").at(compared++));
    }
    EXPECT_EQ(compared, document.at("sessions").size());
}

TEST(Ndjson, lines_of_a_connection_name_its_session_once_it_is_known) {
    const chain::Model model = test::node_model();
    StringOutput out;
    Ndjson ndjson(out, {});
    chain::Place place{.flow = 6, .slot = 0, .at = test::at(1), .frame = 1};
    const auto frame = [&] { ndjson.event(SpdyFrame{.type = 0, .stream = 5, .length = 1}, place); };
    frame();
    ndjson.session_opened(*model.sessions[5], place);
    frame();
    place.flow = 7;  // the slot serves another connection now
    frame();
    place.flow = 6;
    ndjson.session_ended(*model.sessions[5], place);
    frame();
    std::vector<std::string> sessions;
    for (const std::string& line : split(out.text())) {
        const json event = json::parse(line);
        if (event.at("kind") == "frame") sessions.push_back(event.value("session", "-"));
    }
    EXPECT_EQ(sessions, (std::vector<std::string>{"-", "s6", "-", "-"}));
}

TEST(Ndjson, a_filter_holds_back_rows_but_never_loss_and_the_ends) {
    const auto only_s6 = [](const chain::Session* session, const chain::Finding*) {
        return session && session->number == 6;
    };
    std::map<std::string, int> kinds;
    std::uint64_t seq = 0;
    for (const std::string& line : split(events(test::node_model(), "", only_s6))) {
        const json event = json::parse(line);
        ++kinds[event.at("kind")];
        EXPECT_EQ(event.at("seq"), ++seq) << "lines are counted without holes";
        if (event.contains("session")) {
            EXPECT_EQ(event.at("session"), "s6");
        }
    }
    EXPECT_EQ(kinds["session"], 1);
    EXPECT_EQ(kinds["session.open"], 1);
    EXPECT_EQ(kinds["stream.open"], 3);
    EXPECT_EQ(kinds["finding"], 0);
    EXPECT_EQ(kinds["frame"], 0);
    EXPECT_GE(kinds["loss"], 1);
    EXPECT_EQ(kinds["capture.start"] + kinds["capture.end"], 2);
}

TEST(Ndjson, payload_is_told_only_for_the_streams_named) {
    const auto types = [](const char* reveal) {
        std::set<std::string> seen;
        for (const std::string& line : split(events(test::node_model(), reveal))) {
            const json event = json::parse(line);
            if (event.at("kind") == "data")
                seen.insert(event.at("type").get<std::string>() + (event.contains("text") ? " text" : " b64"));
        }
        return seen;
    };
    using Set = std::set<std::string>;
    EXPECT_EQ(types(""), Set{});
    EXPECT_EQ(types("stdout"), (Set{"stdout text", "stdout b64"}));
    EXPECT_EQ(types("data"), (Set{"data text", "data b64"}));
    EXPECT_EQ(types("payload"),
              (Set{"stdout text", "stdout b64", "stderr text", "stderr b64", "data text", "data b64"}));
    EXPECT_EQ(types("token,command"), Set{});
}

TEST(Ndjson, headers_that_are_never_masked_are_those_that_the_mask_leaves_alone) {
    for (const std::string_view name : harmless_headers())
        for (const char* value :
             {"Bearer eyJh.eyJz", "token=hunter2", "/exec/6NLIqZk9", "base64url.bearer.authorization.k8s.io.aGk"})
            EXPECT_EQ(chain::shown_header(name, value, Reveal{}), value) << name;
}

TEST(Ndjson, typed_input_is_not_covered_by_payload) {
    StringOutput out;
    NdjsonOptions options;
    options.json.reveal = *Reveal::parse("payload");
    Ndjson ndjson(out, options);
    chain::Session session;
    session.number = 1;
    chain::Stream stream;
    stream.kind = StreamKind::in;
    ndjson.stream_data(session, stream, Direction::to_server, as_bytes("hunter2"), {});
    EXPECT_EQ(out.text(), "");
}

TEST(Ndjson, times_are_right_across_seconds_and_backwards) {
    StringOutput out;
    Ndjson ndjson(out, {});
    std::vector<Timestamp> times;
    for (const std::int64_t ns :
         {std::int64_t{1'795'280'503'999'999'999}, std::int64_t{1'795'280'503'000'000'001},
          std::int64_t{1'795'280'504'000'000'000}, std::int64_t{1'795'280'502'500'000'000}, std::int64_t{-1},
          std::int64_t{0}, std::int64_t{951'782'399'999'999'999}, std::int64_t{951'782'400'000'000'000}})
        times.push_back({ns});
    for (const Timestamp at : times) ndjson.event(Gap{}, {.at = at});
    const auto lines = split(out.text());
    ASSERT_EQ(lines.size(), times.size());
    for (std::size_t i = 0; i < times.size(); ++i) EXPECT_EQ(json::parse(lines[i]).at("ts"), rfc3339(times[i]));
}

TEST(Ndjson, loss_is_told_at_most_once_per_second_and_in_full_at_the_end) {
    StringOutput out;
    Ndjson ndjson(out, {});
    chain::Model model;
    for (int tenth = 0; tenth < 25; ++tenth) {
        model.loss.add(LossPlace::kernel, 10);
        ndjson.loss(model.loss, test::at(tenth / 10.0));
    }
    model.capture.last = test::at(2.4);
    ndjson.end(model);
    std::uint64_t total = 0;
    int loss_lines = 0;
    for (const std::string& line : split(out.text())) {
        const json event = json::parse(line);
        if (event.at("kind") != "loss") continue;
        ++loss_lines;
        total += event.at("lost").at("kernel").get<std::uint64_t>();
    }
    EXPECT_EQ(total, 250U);
    EXPECT_EQ(loss_lines, 4);
}

TEST(Ndjson, an_empty_capture_has_a_start_and_an_end_without_times) {
    StringOutput out;
    Ndjson ndjson(out, {});
    ndjson.start({});
    ndjson.end({});
    const auto lines = split(out.text());
    ASSERT_EQ(lines.size(), 2U);
    test::SchemaCheck check(schema(SchemaName::event));
    for (const std::string& line : lines) {
        expect_valid(check, json::parse(line));
        EXPECT_FALSE(json::parse(line).contains("ts"));
    }
}

TEST(Schema, golden) {
    for (const auto& [name, file] :
         {std::pair{SchemaName::report, "report.schema.json"}, std::pair{SchemaName::event, "event.schema.json"},
          std::pair{SchemaName::otel, "otel.json"}}) {
        StringOutput out;
        write_schema(out, name);
        expect_golden(file, out.text());
    }
}

TEST(Schema, every_reference_points_at_a_definition) {
    for (const SchemaName name : {SchemaName::report, SchemaName::event}) {
        const json document = schema(name);
        std::function<void(const json&)> walk = [&](const json& value) {
            if (value.is_object() && value.contains("$ref") && value.at("$ref").is_string()) {
                EXPECT_TRUE(document.contains(json::json_pointer(value.at("$ref").get<std::string>().substr(1))))
                    << value.dump();
            }
            if (value.is_structured()) {
                for (const json& child : value) walk(child);
            }
        };
        walk(document);
    }
}

// True if `path` ("streams[].bytes.in") leads through the schema to a member.
bool leads_somewhere(const json& document, const json& start, std::string path) {
    const json* here = &start;
    for (std::size_t dot = 0; dot != std::string::npos;) {
        dot = path.find('.');
        std::string name = path.substr(0, dot);
        if (dot != std::string::npos) path.erase(0, dot + 1);
        const bool list = name.ends_with("[]");
        if (list) name.erase(name.size() - 2);
        if (here->contains("$ref"))
            here = &document.at(json::json_pointer(here->at("$ref").get<std::string>().substr(1)));
        if (!here->contains("properties") || !here->at("properties").contains(name)) return false;
        here = &here->at("properties").at(name);
        if (list != here->contains("items")) return false;
        if (list) here = &here->at("items");
    }
    return true;
}

TEST(Schema, every_filter_field_s_path_is_in_the_documents) {
    const json document = schema(SchemaName::report);
    const json ports = schema(SchemaName::ports);
    const json table = schema(SchemaName::fields);
    EXPECT_EQ(table.at("fields").size(), chain::fields().size());
    const std::map<std::string, std::string> objects = {
        {"session", "session"}, {"stream", "stream"}, {"finding", "finding"}, {"port", "port"}, {"chain", "chain"}};
    for (const json& field : table.at("fields")) {
        if (!field.contains("json")) continue;
        // A row of a stream or a finding has the fields of its session, too: one object that has the path is enough.
        bool found = leads_somewhere(document, document, field.at("json"));
        for (const json& view : field.at("views"))
            found = found || leads_somewhere(document, document.at("$defs").at(objects.at(view)), field.at("json"));
        found = found || leads_somewhere(ports, ports.at("$defs").at("port"), field.at("json"));
        EXPECT_TRUE(found) << field.at("name") << " claims to be " << field.at("json");
    }
}

TEST(Schema, the_check_finds_what_is_wrong) {
    test::SchemaCheck check(schema(SchemaName::report));
    const json good = json::parse(report(test::node_model()));
    const auto broken = [&](const char* pointer, const json& value) {
        json copy = good;
        copy[json::json_pointer(pointer)] = value;
        return check.problems(copy).size();
    };
    EXPECT_TRUE(check.problems(good).empty());
    EXPECT_GT(broken("/sessions/0/state", "odd"), 0U);
    EXPECT_GT(broken("/sessions/0/gaps", "0"), 0U);
    EXPECT_GT(broken("/sessions/0/start", "2026-11-21T17:01:43Z"), 0U);
    EXPECT_GT(broken("/sessions/0/surprise", 1), 0U);
    EXPECT_GT(broken("/loss/kernel", -1), 0U);
    json missing = good;
    missing.at("sessions").at(0).erase("streams");
    EXPECT_EQ(check.problems(missing).size(), 1U);
    EXPECT_EQ(schema_named("event"), SchemaName::event);
    EXPECT_FALSE(schema_named("events"));
}

}  // namespace
}  // namespace hopscope::exports
