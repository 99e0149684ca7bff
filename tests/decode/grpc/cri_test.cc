// gRPC framing and CRI calls over HTTP/2.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <zlib.h>

#include "decode/grpc/cri_methods.h"
#include "decode/grpc/cri_shapes.h"
#include "decode/grpc/grpc.h"
#include "decode/grpc/http2.h"
#include "support/cut_anywhere.h"
#include "wire.h"

namespace hopscope::tests {
namespace {

using decode::grpc::make_http2;
using testing::AllOf;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;
using testing::StartsWith;

const std::string kBox = id_of('a');
const std::string kUrl = "http://127.0.0.1:42313/exec/6cBPriL6";
const std::string kExecRequest =
    pb(1, kBox) + pb(2, "sh") + pb(2, "-c") + pb(2, "echo hi") + pb(4, 1) + pb(5, 1) + pb(6, 1);

std::string runtime(std::string_view method) { return "/runtime.v1.RuntimeService/" + std::string(method); }

// One unary call from its beginning; `log.lines("cri")` are the messages and how it ended.
EventLog call(std::string_view path, std::string_view request, std::string_view response) {
    Deflater up, down;
    return expect_cut_anywhere(
        [] { return make_http2(false); },
        {client(preface() + up.call(1, path) + data(1, grpc_message(request), true)),
         server(seq({frame(4, 0, 0, ""), down.answer(1), data(1, grpc_message(response)), down.trailers(1)}))},
        9);
}

// The lines of `log` about CRI, "cri 1 request …" without what is empty.
std::vector<std::string> told(const EventLog& log) {
    std::vector<std::string> out;
    for (std::string line : log.lines("cri")) {
        for (const std::string_view empty : {R"( container="")", R"( sandbox="")", R"( url="")", R"( runtime="" "")"})
            if (const std::size_t at = line.find(empty); at != std::string::npos) line.erase(at, empty.size());
        out.push_back(line);
    }
    return out;
}

// --- calls

TEST(Cri, TellsAnExecWithItsTokenAndItsCommand) {
    const EventLog log = call(runtime("Exec"), kExecRequest, pb(1, kUrl));
    EXPECT_THAT(told(log), ElementsAre("cri 1 request \"v1\" \"Exec\" bytes=89 stdin stdout stderr container=\"" +
                                           kBox + R"(" arg="sh" arg="-c" arg="echo hi")",
                                       "cri 1 response \"v1\" \"Exec\" bytes=38 url=\"" + kUrl + '"',
                                       R"(cri-done 1 "Exec" status=0 "")"));
    EXPECT_THAT(log.lines("problem"), IsEmpty());
    EXPECT_THAT(log.lines("body"), IsEmpty());
    EXPECT_THAT(log.lines("http-end"), SizeIs(2));
}

TEST(Cri, KnowsThatAttachOrdersItsFlagsOtherwise) {
    const std::string flags = pb(1, kBox) + pb(2, 1) + pb(4, 1);  // stdin and stdout, no tty
    EXPECT_THAT(told(call(runtime("Attach"), flags, "")),
                Contains("cri 1 request \"v1\" \"Attach\" bytes=70 stdin stdout container=\"" + kBox + '"'));
    EXPECT_THAT(told(call(runtime("Exec"), pb(1, kBox) + pb(3, 1), "")), Contains(HasSubstr(" tty container")));
    EXPECT_THAT(told(call(runtime("Attach"), pb(1, kBox) + pb(3, 1), "")), Contains(HasSubstr(" tty container")));
}

TEST(Cri, ReadsPackedAndUnpackedPorts) {
    const std::string packed = pb(1, kBox) + pb(2, varint(8080) + varint(9999) + varint(70000));
    const std::string unpacked = pb(1, kBox) + pb(2, 8080) + pb(2, 9999);
    for (const std::string& body : {packed, unpacked})
        EXPECT_THAT(told(call("/runtime.v1alpha2.RuntimeService/PortForward", body, "")),
                    Contains(AllOf(StartsWith(R"(cri 1 request "v1alpha2" "PortForward")"),
                                   HasSubstr("sandbox=\"" + kBox + R"(" port=8080 port=9999)"))));
}

TEST(Cri, TellsTheExitCodeOfExecSync) {
    EXPECT_THAT(told(call(runtime("ExecSync"), pb(1, kBox) + pb(2, "true"), pb(1, "output"))),
                Contains(StartsWith(R"(cri 1 response "v1" "ExecSync" bytes=8 exit=0)")));
    EXPECT_THAT(told(call(runtime("ExecSync"), pb(1, kBox) + pb(2, "x"), pb(1, "out") + pb(3, 4))),
                Contains(HasSubstr("exit=4")));
}

TEST(Cri, TellsVersionAndNamesOfTheRuntime) {
    EXPECT_THAT(told(call(runtime("Version"), pb(1, "v1"), pb(1, "0.1.0") + pb(2, "containerd") + pb(3, "1.6.20"))),
                Contains(HasSubstr(R"(runtime="containerd" "1.6.20")")));
}

TEST(Cri, TellsWhetherTheRuntimeIsReady) {
    Deflater up, down;
    std::optional<bool> runtime_ready, network_ready;
    struct Watch final : EventSink {
        std::function<void(const CriMessage&)> then;
        void on(const Event& event) override {
            if (const auto* message = std::get_if<CriMessage>(&event)) then(*message);
        }
    } watch;
    watch.then = [&](const CriMessage& message) {
        if (!message.response) return;
        runtime_ready = message.runtime_ready;
        network_ready = message.network_ready;
    };
    const auto condition = [](std::string_view type, int status) { return pb(1, pb(1, type) + pb(2, status)); };
    decode::Road road(make_http2(false));
    road.feed(Direction::to_server,
              as_bytes(preface() + up.call(1, runtime("Status")) + data(1, grpc_message(""), true)), watch);
    road.feed(Direction::to_client,
              as_bytes(down.answer(1) +
                       data(1, grpc_message(pb(1, condition("RuntimeReady", 1) + condition("NetworkReady", 0))))),
              watch);
    EXPECT_EQ(runtime_ready, true);
    EXPECT_EQ(network_ready, false);
}

TEST(Cri, TellsSandboxesAndContainersWithTheirNames) {
    EXPECT_THAT(told(call(runtime("ListPodSandbox"), pb(1, pb(1, kBox)), pb(1, pb_sandbox(kBox, "web")))),
                ElementsAre(HasSubstr("sandbox=\"" + kBox),
                            HasSubstr("{sandbox \"" + kBox + R"(" "default"/"web" "uid-1"})"), StartsWith("cri-done")));
    for (const char* method : {"ListContainers", "StreamContainers"})
        EXPECT_THAT(told(call(runtime(method), pb(1, pb(1, id_of('c')) + pb(3, kBox)),
                              pb(1, pb_container(id_of('c'), kBox, "main", "web")))),
                    ElementsAre(AllOf(HasSubstr("container=\"" + id_of('c')), HasSubstr("sandbox=\"" + kBox)),
                                HasSubstr("{container \"" + id_of('c') + "\" in \"" + kBox +
                                          R"(" "default"/"web"/"main" "uid-1"})"),
                                StartsWith("cri-done")));
}

TEST(Cri, TellsNamesWhenSandboxesAndContainersAreMade) {
    const std::string config = pb(1, pb(1, "web") + pb(2, "uid-9") + pb(3, "prod"));
    EXPECT_THAT(told(call(runtime("RunPodSandbox"), pb(1, config), pb(1, kBox))),
                ElementsAre(HasSubstr(R"({sandbox "" "prod"/"web" "uid-9"})"), HasSubstr("sandbox=\"" + kBox),
                            StartsWith("cri-done")));
    const std::string container = pb(1, pb(1, "main")) + pb_label(9, "io.kubernetes.pod.name", "web") + pb(14, 1);
    EXPECT_THAT(
        told(call(runtime("CreateContainer"), pb(1, kBox) + pb(2, container) + pb(3, config), pb(1, id_of('c')))),
        ElementsAre(AllOf(HasSubstr(" tty "), HasSubstr("{container \"\" in \"" + kBox + R"(" ""/"web"/"main" ""})"),
                          HasSubstr("{sandbox \"" + kBox + R"(" "prod"/"web" "uid-9"})")),
                    HasSubstr("container=\"" + id_of('c')), StartsWith("cri-done")));
}

TEST(Cri, TellsStatusStatisticsAndEventsWithTheirNames) {
    const std::string labels = pb_label(12, "io.kubernetes.container.name", "main") +
                               pb_label(12, "io.kubernetes.pod.name", "web") +
                               pb_label(12, "io.kubernetes.pod.uid", "u");
    const std::string status = pb(1, id_of('c')) + pb(2, pb(1, "main")) + labels;
    EXPECT_THAT(told(call(runtime("ContainerStatus"), pb(1, id_of('c')) + pb(2, 1), pb(1, status))),
                Contains(HasSubstr("{container \"" + id_of('c') + R"(" in "" ""/"web"/"main" "u"})")));
    const std::string box = pb(1, kBox) + pb(2, pb(1, "web") + pb(2, "u") + pb(3, "default"));
    EXPECT_THAT(
        told(call(runtime("PodSandboxStatus"), pb(1, kBox), pb(1, box) + pb(3, status))),
        Contains(AllOf(HasSubstr("{sandbox \"" + kBox), HasSubstr("{container \"" + id_of('c') + "\" in \"" + kBox))));
    const std::string stats =
        pb(1, pb(1, id_of('c')) + pb(2, pb(1, "main")) + pb_label(3, "io.kubernetes.pod.name", "web"));
    EXPECT_THAT(told(call(runtime("ListContainerStats"), "", pb(1, stats) + pb(1, stats))),
                Contains(HasSubstr("{container \"" + id_of('c') + R"(" in "" ""/"web"/"main" ""})")));
    EXPECT_THAT(told(call(runtime("PodSandboxStats"), pb(1, kBox), pb(1, pb(1, box)))),
                Contains(HasSubstr("{sandbox \"" + kBox)));
    EXPECT_THAT(
        told(call(runtime("GetContainerEvents"), "", pb(1, id_of('c')) + pb(2, 2) + pb(4, box) + pb(5, status))),
        Contains(AllOf(HasSubstr("response"), HasSubstr("container=\"" + id_of('c')), HasSubstr("{sandbox \"" + kBox),
                       HasSubstr("{container"))));
}

TEST(Cri, KnowsEveryMethodOfBothServicesByName) {
    const std::vector<std::string> runtime_methods = {"Version",
                                                      "RunPodSandbox",
                                                      "StopPodSandbox",
                                                      "RemovePodSandbox",
                                                      "PodSandboxStatus",
                                                      "ListPodSandbox",
                                                      "CreateContainer",
                                                      "StartContainer",
                                                      "StopContainer",
                                                      "RemoveContainer",
                                                      "ListContainers",
                                                      "ContainerStatus",
                                                      "UpdateContainerResources",
                                                      "ReopenContainerLog",
                                                      "ExecSync",
                                                      "Exec",
                                                      "Attach",
                                                      "PortForward",
                                                      "ContainerStats",
                                                      "ListContainerStats",
                                                      "PodSandboxStats",
                                                      "ListPodSandboxStats",
                                                      "UpdateRuntimeConfig",
                                                      "Status",
                                                      "CheckpointContainer",
                                                      "GetContainerEvents",
                                                      "ListMetricDescriptors",
                                                      "ListPodSandboxMetrics",
                                                      "RuntimeConfig",
                                                      "UpdatePodSandboxResources",
                                                      "StreamPodSandboxes",
                                                      "StreamContainers",
                                                      "StreamContainerStats",
                                                      "StreamPodSandboxStats",
                                                      "StreamPodSandboxMetrics"};
    const std::vector<std::string> image_methods = {"ListImages",  "ImageStatus", "PullImage",
                                                    "RemoveImage", "ImageFsInfo", "StreamImages"};
    for (const std::string& name : runtime_methods) {
        const auto path = decode::grpc::parse_cri_path("/runtime.v1.RuntimeService/" + name);
        ASSERT_NE(path.known, nullptr) << name;
        EXPECT_EQ(path.known->name, name);
        EXPECT_EQ(path.version, "v1");
    }
    for (const std::string& name : image_methods) {
        const auto path = decode::grpc::parse_cri_path("/runtime.v1alpha2.ImageService/" + name);
        ASSERT_NE(path.known, nullptr) << name;
        EXPECT_EQ(path.version, "v1alpha2");
    }
    EXPECT_EQ(decode::grpc::parse_cri_path("/runtime.v1.RuntimeService/").version, "");
    EXPECT_EQ(decode::grpc::parse_cri_path("/runtime.v1x.RuntimeService/Exec").version, "");
    EXPECT_EQ(decode::grpc::parse_cri_path("/etcdserverpb.KV/Range").version, "");
}

TEST(Cri, TellsMethodsOfTheFutureByName) {
    const EventLog log = call(runtime("RestoreContainer"), "whatever", "else");
    EXPECT_THAT(told(log), ElementsAre(R"(cri 1 request "v1" "RestoreContainer" bytes=8)",
                                       R"(cri 1 response "v1" "RestoreContainer" bytes=4)",
                                       R"(cri-done 1 "RestoreContainer" status=0 "")"));
    EXPECT_THAT(log.lines("problem"), IsEmpty());
}

TEST(Cri, LeavesOtherGrpcServicesAlone) {
    const EventLog log = call("/etcdserverpb.KV/Range", kExecRequest, pb(1, kUrl));
    EXPECT_THAT(log.lines("cri"), IsEmpty());
    EXPECT_THAT(log.lines("body"), IsEmpty());
    EXPECT_THAT(log.lines("request"), ElementsAre(HasSubstr("/etcdserverpb.KV/Range")));
}

TEST(Cri, NeverTellsEnvironmentOrCredentials) {
    const std::string env = pb(6, pb(1, "PASSWORD") + pb(2, "hunter2"));
    EXPECT_THAT(
        testing::PrintToString(
            call(runtime("CreateContainer"), pb(1, kBox) + pb(2, pb(1, pb(1, "main")) + env), pb(1, kBox)).lines()),
        Not(HasSubstr("hunter2")));
    const std::string auth = pb(2, pb(1, "robot") + pb(2, "hunter2"));
    EXPECT_THAT(testing::PrintToString(
                    call("/runtime.v1.ImageService/PullImage", pb(1, pb(1, "registry/app:1")) + auth, pb(1, "sha256:0"))
                        .lines()),
                Not(HasSubstr("hunter2")));
}

TEST(Cri, SaysThatABodyIsNotWhatItsMethodSays) {
    EXPECT_THAT(call(runtime("Exec"), from_hex("0aff"), pb(1, kUrl)).lines("problem"),
                ElementsAre(AllOf(StartsWith("problem cri.message c>s at "), HasSubstr("skipped=2"))));
}

// --- gRPC framing

TEST(Grpc, PutsMessagesTogetherAcrossFrames) {
    Deflater up, down;
    const std::string request = grpc_message(kExecRequest);
    const EventLog log = expect_cut_anywhere(
        [] { return make_http2(false); },
        {client(preface() + up.call(1, runtime("Exec")) + data(1, request.substr(0, 3)) +
                data(1, request.substr(3, 50)) + ping() + data(1, "") + data(1, request.substr(53), true))});
    EXPECT_THAT(told(log), ElementsAre(HasSubstr(R"(arg="echo hi")")));
}

TEST(Grpc, TellsEveryMessageOfAStream) {
    Deflater up, down;
    const auto event = [](char id) { return grpc_message(pb(1, id_of(id)) + pb(2, 1)); };
    const std::string two = event('1') + event('2');
    const EventLog log = expect_cut_anywhere(
        [] { return make_http2(false); },
        {client(preface() + up.call(1, runtime("GetContainerEvents")) + data(1, grpc_message(""), true)),
         server(down.answer(1) + data(1, two) + data(1, event('3')) + data(1, two.substr(0, 80)) +
                data(1, two.substr(80)))});
    std::vector<std::string> ids;
    for (const std::string& line : log.lines("cri 1 response"))
        ids.push_back(line.substr(line.find("container=") + 11, 2));
    EXPECT_THAT(ids, ElementsAre("11", "22", "33", "11", "22"));
}

TEST(Grpc, DecodesAListOfManyContainersOverManyFrames) {
    Deflater up, down;
    std::string list;
    const std::string filler = pb_label(9, "annotation", std::string(2000, 'x'));
    for (int i = 0; i < 500; ++i)
        list += pb(1, pb_container(id_of('c'), kBox, "main-" + std::to_string(i), "web") + filler);
    const std::string message = grpc_message(list);
    ASSERT_GT(message.size(), 1'000'000U);
    std::string frames = down.answer(1);
    for (std::size_t at = 0; at < message.size(); at += 16384)
        frames += data(1, std::string_view(message).substr(at, 16384));
    EventLog log;
    auto owned = std::make_unique<decode::grpc::Http2>(false);
    const decode::grpc::Http2& decoder = *owned;
    decode::Road road(std::move(owned));
    road.feed(Direction::to_server,
              as_bytes(preface() + up.call(1, runtime("ListContainers")) + data(1, grpc_message(""), true)), log);
    std::size_t held = 0;
    for (std::size_t at = 0; at < frames.size(); at += 1448) {
        road.feed(Direction::to_client, as_bytes(frames).subspan(at, std::min<std::size_t>(1448, frames.size() - at)),
                  log);
        held = std::max(held, decoder.held_bytes());
    }
    EXPECT_THAT(log.lines("cri 1 response"), ElementsAre(AllOf(HasSubstr("\"main-0\""), HasSubstr("\"main-499\""))));
    EXPECT_LE(held, message.size());
    EXPECT_EQ(decoder.held_bytes(), 0U);
}

TEST(Grpc, TellsTrailersOnlyAnswersAndDecodesTheirText) {
    Deflater up, down;
    const EventLog log = expect_cut_anywhere(
        [] { return make_http2(false); },
        {client(preface() + up.call(1, runtime("Exec")) + data(1, grpc_message(kExecRequest), true)),
         server(down.headers(1,
                             {{":status", "200"},
                              {"content-type", "application/grpc"},
                              {"grpc-status", "5"},
                              {"grpc-message", "no such container: 100%25 gone%0Aq%zz%4"}},
                             true))});
    EXPECT_THAT(log.lines("cri-done"),
                ElementsAre(R"(cri-done 1 "Exec" status=5 "no such container: 100% gone\nq%zz%4")"));
}

TEST(Grpc, TellsACallThatIsCancelledAsCancelled) {
    Deflater up, down;
    const std::string begin = preface() + up.call(1, runtime("GetContainerEvents")) + data(1, grpc_message(""), true);
    const auto make = [] { return make_http2(false); };
    EXPECT_THAT(expect_cut_anywhere(make, {client(begin), client(reset_frame(1, 8))}).lines("cri-done"),
                ElementsAre(R"(cri-done 1 "GetContainerEvents" status=1 "the stream was reset: CANCEL")"));
    EXPECT_THAT(expect_cut_anywhere(make, {client(begin), server(reset_frame(1, 11))}).lines("cri-done"),
                ElementsAre(HasSubstr("status=8")));
    EXPECT_THAT(expect_cut_anywhere(make, {client(begin), server(reset_frame(1, 4711))}).lines("cri-done"),
                ElementsAre(HasSubstr("unknown error code")));
    EXPECT_THAT(expect_cut_anywhere(make, {client(begin), server(frame(7, 0, 0, be32(0) + be32(0)))}).lines("cri-done"),
                ElementsAre(HasSubstr("status=14")));
    // After the trailers a reset says nothing new.
    EXPECT_THAT(expect_cut_anywhere(make, {client(begin.substr(0, begin.size() - 14)),
                                           server(seq({down.answer(1), down.trailers(1)})), server(reset_frame(1, 0))})
                    .lines("cri-done"),
                ElementsAre(HasSubstr("status=0")));
}

std::string compressed(std::string_view text, int window_bits) {
    z_stream z{};
    deflateInit2(&z, 9, Z_DEFLATED, window_bits, 8, Z_DEFAULT_STRATEGY);
    std::string out(text.size() + 100, '\0');
    z.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
    z.avail_in = static_cast<uInt>(text.size());
    z.next_out = reinterpret_cast<Bytef*>(out.data());
    z.avail_out = static_cast<uInt>(out.size());
    deflate(&z, Z_FINISH);
    out.resize(z.total_out);
    deflateEnd(&z);
    return out;
}

Conversation compressed_call(std::string_view encoding, std::string_view body) {
    Deflater up;
    const std::string head = up.headers(1, {{":method", "POST"},
                                            {":path", runtime("Exec")},
                                            {"content-type", "application/grpc"},
                                            {"grpc-encoding", std::string(encoding)}});
    return {client(preface() + head + data(1, grpc_message(body, true), true))};
}

TEST(Grpc, DecompressesGzipAndDeflate) {
    const auto make = [] { return make_http2(false); };
    EXPECT_THAT(expect_cut_anywhere(make, compressed_call("gzip", compressed(kExecRequest, 15 + 16))).lines("cri"),
                ElementsAre(HasSubstr("echo hi")));
    EXPECT_THAT(expect_cut_anywhere(make, compressed_call("deflate", compressed(kExecRequest, 15))).lines("cri"),
                ElementsAre(HasSubstr("echo hi")));
}

TEST(Grpc, SaysThatItCannotDecompress) {
    const std::string cut = compressed(kExecRequest, 15 + 16).substr(0, 20);
    const std::string bomb = compressed(std::string(17 * 1024 * 1024, '\0'), 15 + 16);
    const std::pair<std::string, std::string> cases[] = {
        {"gzip", "no gzip"}, {"gzip", cut}, {"gzip", bomb}, {"snappy", compressed(kExecRequest, 15 + 16)}};
    for (const auto& [encoding, body] : cases) {
        const EventLog log = run_whole([] { return make_http2(false); }, compressed_call(encoding, body));
        EXPECT_THAT(log.lines("problem"), ElementsAre(StartsWith("problem grpc.compressed c>s at "))) << encoding;
        EXPECT_THAT(told(log), ElementsAre("cri 1 request \"v1\" \"Exec\" bytes=" + std::to_string(body.size())));
    }
}

TEST(Grpc, SkipsMessagesLargerThanTheLimitAndGoesOn) {
    Deflater up, down;
    decode::grpc::Http2 decoder(false);
    EventLog log;
    const std::string begin = preface() + up.call(1, runtime("GetContainerEvents")) + data(1, grpc_message(""), true);
    decoder.decode(Direction::to_server, 0, as_bytes(begin), log);
    const std::uint32_t large = limits::kGrpcMessageBytesMax + 1;
    const std::string answer = down.answer(1) + data(1, std::string(1, '\0') + be32(large));
    decoder.decode(Direction::to_client, 0, as_bytes(answer), log);
    const std::string filler(1 << 20, 'x');
    for (std::uint32_t left = large; left > 0;) {
        const auto size = std::min<std::uint32_t>(left, 1 << 20);
        const std::string bytes = data(1, filler.substr(0, size));
        decoder.decode(Direction::to_client, 0, as_bytes(bytes), log);
        EXPECT_EQ(decoder.held_bytes(), 0U);
        left -= size;
    }
    const std::string next = data(1, grpc_message(pb(1, id_of('7'))));
    decoder.decode(Direction::to_client, 0, as_bytes(next), log);
    EXPECT_THAT(log.lines("problem"), ElementsAre(StartsWith("problem grpc.size s>c ")));
    EXPECT_THAT(log.lines("cri 1 response"), ElementsAre(HasSubstr("bytes=16777217"), HasSubstr(id_of('7'))));
}

TEST(Grpc, HoldsABoundedNumberOfBytesOverAllStreams) {
    Deflater up;
    decode::grpc::Http2 decoder(false);
    EventLog log;
    std::string bytes = preface();
    for (std::uint32_t stream = 1; stream < 200; stream += 2)
        bytes += up.call(stream, runtime("Exec")) +
                 data(stream, std::string(1, '\0') + be32(1 << 20) + std::string(500'000, 'x'));
    decoder.decode(Direction::to_server, 0, as_bytes(bytes), log);
    EXPECT_LE(decoder.held_bytes(), limits::kGrpcHeldBytesMax);
    EXPECT_GT(decoder.held_bytes(), limits::kGrpcHeldBytesMax / 2);
    decoder.end(Direction::to_server, log);
    EXPECT_EQ(decoder.held_bytes(), 0U);
}

TEST(Grpc, GoesOnWithTheNextMessageAfterAHole) {
    Deflater up, down;
    const auto event = [](char id) { return data(1, grpc_message(pb(1, id_of(id)))); };
    const EventLog log = expect_cut_anywhere(
        [] { return make_http2(false); },
        {client(preface() + up.call(1, runtime("GetContainerEvents")) + data(1, grpc_message(""), true)),
         server(down.answer(1) + event('1') + event('2').substr(0, 30)), server_gap(20),
         server(event('2').substr(50) + event('3')), server_gap(event('4').size() + 3),
         server(event('5').substr(3) + event('6') + event('7'))});
    std::string ids;
    for (const std::string& line : log.lines("cri 1 response")) ids += line[line.find("container=") + 11];
    // 2 has a hole; 4 and the head of 5 are lost.
    EXPECT_EQ(ids.front(), '1');
    EXPECT_THAT(ids, HasSubstr("3"));
    EXPECT_THAT(ids, HasSubstr("67"));
    EXPECT_THAT(ids, Not(HasSubstr("5")));
    EXPECT_THAT(log.lines("problem"), IsEmpty());
}

// --- joined late: the method follows from the body

struct Late {
    IndexingDeflater up, down;
    Late() {
        // What was said before hopscope came: every name and value is in the tables now.
        up.call(1, runtime("Exec"));
        up.call(3, runtime("ListContainers"));
        down.answer(1);
        down.trailers(1);
    }
};

TEST(CriLate, PairsAStreamingUrlWithTheRequestOfItsStream) {
    Late late;
    const EventLog log = expect_cut_anywhere(
        [] { return make_http2(true); }, {client("rest of a frame" + ping() + late.up.call(5, runtime("Exec")) +
                                                 data(5, grpc_message(kExecRequest), true)),
                                          server(seq({"rest", ping(), late.down.answer(5),
                                                      data(5, grpc_message(pb(1, kUrl))), late.down.trailers(5)}))});
    EXPECT_THAT(told(log),
                ElementsAre("cri 5 request \"\" \"Exec\" bytes=89 method-inferred stdin stdout stderr container=\"" +
                                kBox + R"(" arg="sh" arg="-c" arg="echo hi")",
                            "cri 5 response \"\" \"Exec\" bytes=38 method-inferred url=\"" + kUrl + '"'));
    EXPECT_THAT(log.lines("problem"), IsEmpty());
}

TEST(CriLate, TellsTheAnswerAloneWhenTheRequestCameBefore) {
    Late late;
    const EventLog log =
        expect_cut_anywhere([] { return make_http2(true); },
                            {server(seq({late.down.answer(5), data(5, grpc_message(pb(1, "//h/cri/attach/6cBPriL6"))),
                                         late.down.trailers(5)}))});
    EXPECT_THAT(told(log),
                ElementsAre(HasSubstr(R"("Attach" bytes=25 method-inferred url="//h/cri/attach/6cBPriL6")")));
}

TEST(CriLate, TakesARequestThatIsFoundAfterItsAnswer) {
    Late late;
    const EventLog log = expect_cut_anywhere(
        [] { return make_http2(true); },
        {server(seq({ping(), late.down.answer(5), data(5, grpc_message(pb(1, kUrl))), late.down.trailers(5)})),
         client(ping() + late.up.call(5, runtime("Exec")) + data(5, grpc_message(kExecRequest), true))});
    EXPECT_THAT(told(log), ElementsAre(HasSubstr("response"), AllOf(HasSubstr("request"), HasSubstr("echo hi"))));
}

TEST(CriLate, DoesNotTakeARequestThatDoesNotFitTheAnswer) {
    Late late;
    // ContainerStatus: an id and "verbose"; its answer is a URL only by an odd chance.
    const EventLog log = expect_cut_anywhere(
        [] { return make_http2(true); },
        {client(ping() + late.up.call(5, runtime("Exec")) + data(5, grpc_message(pb(1, kBox) + pb(9, 1)), true)),
         server(ping() + late.down.answer(5) + data(5, grpc_message(pb(1, kUrl))))});
    EXPECT_THAT(told(log), ElementsAre(HasSubstr("response")));
}

TEST(CriLate, KnowsListsByTheirShape) {
    Late late;
    const std::string containers =
        pb(1, pb_container(id_of('c'), kBox, "main", "web")) + pb(1, pb_container(id_of('d'), kBox, "side", "web"));
    const EventLog log = expect_cut_anywhere(
        [] { return make_http2(true); },
        {server(
            seq({ping(), late.down.answer(5), data(5, grpc_message(containers)), late.down.trailers(5),
                 late.down.answer(7), data(7, grpc_message(pb(1, pb_sandbox(kBox, "web")))), late.down.trailers(7)}))});
    EXPECT_THAT(told(log),
                ElementsAre(AllOf(HasSubstr("\"ListContainers\""), HasSubstr("method-inferred"), HasSubstr("\"side\"")),
                            AllOf(HasSubstr("\"ListPodSandbox\""), HasSubstr("{sandbox \"" + kBox))));
}

TEST(CriLate, GivesNoNameToWhatItIsNotSureOf) {
    const auto method_of = [](const std::string& body) {
        const auto* method = decode::grpc::method_of_answer(as_bytes(body));
        return method ? std::string(method->name) : std::string();
    };
    EXPECT_EQ(method_of(pb(1, kUrl)), "Exec");
    EXPECT_EQ(method_of(pb(1, "https://[::1]:10010/portforward/ab-_12AZ")), "PortForward");
    EXPECT_EQ(method_of(pb(1, kUrl) + pb(2, "more")), "");
    EXPECT_EQ(method_of(pb(1, "http://127.0.0.1:1/exec/6cBPriL")), "");  // seven characters
    EXPECT_EQ(method_of(pb(1, "http://127.0.0.1:1/exec/6cBPri/6")), "");
    EXPECT_EQ(method_of(pb(1, "ftp://127.0.0.1/exec/6cBPriL6")), "");
    EXPECT_EQ(method_of(pb(1, "http:///exec/6cBPriL6")), "");
    EXPECT_EQ(method_of(pb(1, "//127.0.0.1/shell/6cBPriL6")), "");
    EXPECT_EQ(method_of(pb(1, kBox)), "");
    EXPECT_EQ(method_of(""), "");
    EXPECT_EQ(method_of(pb(1, pb_container(id_of('c'), kBox, "main", "web"))), "ListContainers");
    EXPECT_EQ(method_of(pb(1, pb_container("short", kBox, "main", "web"))), "");
    // One of two items does not fit: none is believed.
    EXPECT_EQ(method_of(pb(1, pb_container(id_of('c'), kBox, "main", "web")) + pb(1, pb(1, "x"))), "");
    EXPECT_EQ(method_of(pb(1, pb_sandbox(kBox, "web"))), "ListPodSandbox");
    EXPECT_EQ(method_of(pb(1, pb_sandbox(kBox, "web")) + pb(2, "token")), "");
}

TEST(CriLate, UsesAPathThatWasSentAgainAsALiteral) {
    Late late;
    const EventLog log = expect_cut_anywhere([] { return make_http2(true); },
                                             {client(ping() + late.up.call(5, runtime("PortForward")) +
                                                     data(5, grpc_message(pb(1, kBox) + pb(2, 80)), true))});
    EXPECT_THAT(told(log),
                ElementsAre("cri 5 request \"v1\" \"PortForward\" bytes=68 sandbox=\"" + kBox + "\" port=80"));
}

}  // namespace
}  // namespace hopscope::tests
