#include "export/fixture.h"

#include <algorithm>
#include <cmath>

namespace hopscope::exports::test {

using namespace chain;

namespace {

constexpr std::int64_t kStart = 1'795'280'503'000'000'000;
// ESC, carriage return, bidi override, zero width space, a byte that is no UTF-8, markup of Markdown, HTML and Mermaid.
const std::string kHostile = "evil\x1b[2J\rspoof\u202e\u200b\xfe|`*_<b>#;%%\"\\";
const std::string kReadableHostile = "evil\x1b[2J\rspoof\u202e\u200b|`*_<b>#;%%\"\\";

std::string secret(std::string_view text) { return std::string(text); }

std::unique_ptr<Session> make_session(std::uint32_t number, Op op, HopKind hop, Proto proto, double start) {
    auto session = std::make_unique<Session>();
    session->number = number;
    session->flow = number;
    session->op = op;
    session->hop = hop;
    session->proto = proto;
    session->start = at(start);
    session->answered = at(start + 0.0021);
    session->end = at(start + 0.42);
    session->first_frame = number * 10;
    session->answer_frame = number * 10 + 2;
    session->last_frame = number * 10 + 7;
    session->method = Untrusted("POST");
    session->state = SessionState::closed;
    session->complete = true;
    session->evidence = {
        {.grade = Grade::decoded, .says = "the CRI call was answered with this token", .frame = number * 10 - 1}};
    return session;
}

Stream make_stream(std::uint32_t id, StreamKind kind, double start, ByteCounts bytes, std::uint32_t frames) {
    Stream stream;
    stream.id = id;
    stream.kind = kind;
    stream.start = at(start);
    stream.last = at(start + 0.4);
    stream.bytes = bytes;
    stream.frames = frames;
    stream.state = Stream::State::closed;
    return stream;
}

void refuse(Session& session, std::uint16_t status, std::string_view words) {
    session.state = SessionState::refused;
    session.status = status;
    session.refusal = Untrusted(words);
    session.method = Untrusted("GET");
    session.offered = {Untrusted("v5.channel.k8s.io")};
    session.end = session.answered;
}

const std::string kExecPath = "/api/v1/namespaces/default/pods/web-labnode/exec?command=sh&command=-c&command=echo+" +
                              secret(kPassword) + "&container=main&stdout=true";
const std::string kStatusText = "command terminated with non-zero exit code: error executing command [sh -c echo " +
                                secret(kPassword) + "], exit code 3";

void make_exec(Session& session) {
    session.status = 101;
    session.subprotocol = Untrusted("v4.channel.k8s.io");
    session.command = {Untrusted("sh"), Untrusted("-c"), Untrusted("echo " + secret(kPassword))};
    session.tty = false;
    session.exit_code = 3;
    session.outcome = Session::Outcome::failure;
    session.status_reason = Untrusted("NonZeroExitCode");
    session.status_message = Untrusted(kStatusText);
    const double start = (session.start - at(0)).seconds();
    session.streams.push_back(make_stream(1, StreamKind::error, start + 0.003, {0, 148}, 1));
    session.streams.push_back(make_stream(5, StreamKind::out, start + 0.004, {0, 1214}, 38));
    session.streams.push_back(make_stream(7, StreamKind::err, start + 0.004, {0, 4}, 1));
    session.resizes = {{at(start + 0.01), 120, 40}, {at(start + 0.2), 100, 30}};
    session.bytes = {0, 1218};
}

void name_pod(K8sNames& names) {
    names.uid = Untrusted("5cf1cf1d-0c52-4b0e-8a5c-53a0a08547b2");
    names.namespace_ = Untrusted("default");
    names.pod = Untrusted("web-labnode");
    names.container = Untrusted("main");
}

const char* const kContainerId = "34ad623a03561891bc1d4da8e0ac43b4181c4951e32f533acec66a810134c749";

Hop make_hop(const Session& session, const char* says) {
    Hop hop;
    hop.kind = session.hop;
    hop.session = session.number;
    hop.client = session.client;
    hop.server = session.server;
    hop.proto = std::string(to_string(session.proto));
    hop.start = session.start;
    hop.took = session.answered - session.start;
    hop.bytes = session.bytes;
    hop.evidence = {{.grade = Grade::decoded, .says = says, .frame = session.first_frame}};
    return hop;
}

void add_exec_sessions(Model& model) {
    struct Row {
        std::uint32_t number;
        HopKind hop;
        std::uint16_t client_port, server_port;
        double start;
        bool refused;
    };
    const Row rows[] = {
        {1, HopKind::apiserver, 56572, 8001, 0.8805714, true}, {2, HopKind::kubelet, 44434, 10250, 0.8826, true},
        {3, HopKind::runtime, 50112, 42313, 0.8861, true},     {4, HopKind::apiserver, 56580, 8001, 0.9012, false},
        {5, HopKind::kubelet, 44450, 10250, 0.9031, false},    {6, HopKind::runtime, 54766, 42313, 0.9064, false},
    };
    for (const Row& row : rows) {
        auto session =
            make_session(row.number, Op::exec, row.hop, row.refused ? Proto::websocket : Proto::spdy31, row.start);
        session->client = endpoint("127.0.0.1", row.client_port);
        session->server = endpoint("127.0.0.1", row.server_port);
        row.refused ? refuse(*session, 403,
                             "unable to upgrade: unable to negotiate protocol: client supports [v5.channel.k8s.io]")
                    : make_exec(*session);
        if (row.hop == HopKind::runtime) {
            const std::string_view token = row.refused ? kOtherToken : kToken;
            session->target = Untrusted("/exec/" + secret(token));
            session->token = Token{Untrusted(token), row.refused ? 1U : 2U};
            session->host = Untrusted("127.0.0.1:42313");
            session->container.id = Untrusted(kContainerId);
            session->container.sandbox_id =
                Untrusted("91095082287b57dd2ca038f249fe124238283cf63c56e2a923b194e69bc1bacb");
            session->container.name = Untrusted("main");
            session->container.runtime = "containerd";
        } else {
            session->target = Untrusted(row.hop == HopKind::kubelet
                                            ? "/exec/default/web-labnode/main?command=echo+" + secret(kPassword)
                                            : kExecPath);
            name_pod(session->k8s);
            session->tls = row.hop == HopKind::kubelet;
            session->kubectl_session = Untrusted("ba371b56-5fb2-4da6-a4fe-ef4785737274");
            session->kubectl_command = Untrusted("kubectl exec");
            session->user_agent = Untrusted("kubectl/v1.33.0 (linux/amd64) kubernetes/60a317e");
            session->forwarded_for = {Untrusted("1.2.3.4"), Untrusted("10.0.32.120")};
            if (row.refused)
                session->offered.push_back(Untrusted("base64url.bearer.authorization.k8s.io." + secret(kBearer)));
        }
        model.sessions.push_back(std::move(session));
    }
}

void add_portforward(Model& model) {
    auto session = make_session(7, Op::portforward, HopKind::runtime, Proto::spdy31, 11.25);
    session->client = endpoint("::1", 54900);
    session->server = endpoint("::1", 10010);
    session->status = 101;
    session->end = at(52.25);
    session->state = SessionState::reset;
    session->subprotocol = Untrusted("portforward.k8s.io");
    session->target = Untrusted("/portforward/6cBPriL6");
    session->token = Token{Untrusted("6cBPriL6"), 3};
    session->file = 1;
    std::uint32_t id = 1;
    for (const std::uint16_t port : {std::uint16_t{8080}, std::uint16_t{9999}}) {
        for (const StreamKind kind : {StreamKind::error, StreamKind::data}) {
            Stream stream = make_stream(
                id, kind, 11.3 + id, kind == StreamKind::data && port == 8080 ? ByteCounts{9011, 88'102} : ByteCounts{},
                kind == StreamKind::data ? 12 : 0);
            stream.has_port = stream.has_request_id = true;
            stream.port = port;
            stream.request_id = id / 4;
            if (kind == StreamKind::error && port == 9999)
                stream.error = std::make_unique<Untrusted>(
                    "error forwarding port 9999 to pod 9109, uid : exit status 1: connection refused\n");
            session->streams.push_back(std::move(stream));
            id += 2;
        }
    }
    session->streams.back().state = Stream::State::reset;
    session->streams.front().state = Stream::State::half_closed;
    session->streams[1].grade = Grade::inferred;
    session->streams_dropped = 2;
    session->bytes = {9011, 88'102};
    session->gaps = 2;
    session->missing_bytes = 1448;
    session->complete = false;
    model.sessions.push_back(std::move(session));

    auto cut = make_session(8, Op::unknown, HopKind::unknown, Proto::spdy31, 60);
    cut->client = endpoint("127.0.0.1", 40100);
    cut->server = endpoint("127.0.0.1", 42313);
    cut->method = Untrusted();
    cut->state = SessionState::cut;
    cut->grade = Grade::inferred;
    cut->answered = Timestamp{};
    cut->complete = false;
    model.sessions.push_back(std::move(cut));

    auto late = make_session(9, Op::attach, HopKind::runtime, Proto::http11, 70.5);
    late->client = endpoint("127.0.0.1", 40102);
    late->server = endpoint("127.0.0.1", 42313);
    late->target = Untrusted("/attach/Zq0xAAAA");
    late->token = Token{Untrusted("Zq0xAAAA"), 4};
    refuse(*late, 404, "404: Page Not Found");
    model.sessions.push_back(std::move(late));
}

Hop shim_hop() {
    Hop hop;
    hop.kind = HopKind::shim;
    hop.unix_socket = UnixEndpoint{"/run/containerd/s/53a0a08547b2", 157'501};
    hop.from = Process{23784, Untrusted("containerd"), Untrusted("/usr/bin/containerd")};
    hop.to = Process{17784, Untrusted("containerd-shim"), Untrusted("/usr/bin/containerd-shim-runc-v2")};
    hop.proto = "ttrpc";
    hop.start = at(0.911);
    hop.took = {11'200'000};
    hop.bytes = {1'100, 300};
    hop.evidence = {{.grade = Grade::decoded, .says = "Start was answered with pid 17801", .id = "pid"}};
    return hop;
}

Hop process_hop() {
    Hop hop;
    hop.kind = HopKind::process;
    hop.from = Process{17784, Untrusted("containerd-shim"), {}};
    hop.to = Process{17801, Untrusted("sh"), Untrusted("/bin/sh")};
    hop.start = at(0.92);
    hop.took = {400'000'000};
    hop.evidence = {{.grade = Grade::decoded, .says = "the shim answered Start with its pid", .id = "pid"}};
    const auto ran = [](std::uint32_t parent, std::uint32_t pid, const char* comm, double begin,
                        std::vector<Untrusted> command) {
        RanProcess process;
        process.parent = parent;
        process.process = {pid, Untrusted(comm), Untrusted("/bin/" + std::string(comm))};
        process.command = std::move(command);
        process.start = at(begin);
        return process;
    };
    hop.ran.push_back(
        ran(0, 17801, "sh", 0.92, {Untrusted("sh"), Untrusted("-c"), Untrusted("echo " + secret(kPassword))}));
    hop.ran.push_back(ran(0, 17802, "ls", 0.93, {Untrusted("ls"), Untrusted(secret(kPassword))}));
    hop.ran.push_back(ran(0, 17803, "env", 0.94, {Untrusted("env"), Untrusted("sleep"), Untrusted("9")}));
    hop.ran.push_back(ran(2, 17804, "sleep", 0.95, {}));
    hop.ran[1].end = at(0.935);
    hop.ran[1].exit_code = 0;
    hop.ran[2].programs = 2;
    hop.ran_dropped = 7;
    return hop;
}

void add_chains(Model& model) {
    // Live, the system tells who is at both ends.
    model.sessions[5]->ends = std::make_unique<chain::Ends>();
    model.sessions[5]->ends->from =
        chain::Process{.pid = 8483, .comm = Untrusted("kubelet"), .exe = Untrusted("/usr/bin/kubelet")};
    model.sessions[5]->ends->to = chain::Process{
        .pid = 23784, .comm = Untrusted("containerd"), .exe = Untrusted("/usr/bin/containerd"), .start = at(-3600.25)};
    Chain exec;
    exec.number = 1;
    exec.op = Op::exec;
    name_pod(exec.k8s);
    exec.container.id = Untrusted(kContainerId);
    exec.container.runtime = "containerd";
    exec.command = model.sessions[5]->command;
    exec.kubectl_session = model.sessions[3]->kubectl_session;
    exec.kubectl_command = model.sessions[3]->kubectl_command;
    exec.user_agent = model.sessions[3]->user_agent;
    exec.exit_code = 3;
    exec.sessions = {1, 2, 3, 4, 5, 6};
    exec.attempts = {{Proto::websocket, 403}, {Proto::websocket, 403}, {Proto::websocket, 403}};
    exec.start = at(0.8805714);
    exec.end = at(1.3264);
    for (const std::uint32_t number : {1U, 4U})
        exec.hops.push_back(make_hop(*model.sessions[number - 1], "Kubectl-Session is the same"));
    for (const std::uint32_t number : {2U, 5U})
        exec.hops.push_back(make_hop(*model.sessions[number - 1], "encrypted: sizes and times only"));
    exec.hops[2].grade = exec.hops[3].grade = Grade::seen;
    exec.hops[3].evidence[0].grade = Grade::inferred;
    Hop cri;
    cri.kind = HopKind::cri;
    cri.unix_socket = UnixEndpoint{"/run/containerd/containerd.sock", 157'387};
    cri.from = Process{8483, Untrusted("kubelet"), Untrusted("/usr/bin/kubelet")};
    cri.to = Process{23784, Untrusted("containerd"), Untrusted("/usr/bin/containerd")};
    cri.proto = "grpc";
    cri.start = at(0.9041);
    cri.took = {2'100'000};
    cri.bytes = {214, 61};
    cri.evidence = {{.grade = Grade::decoded,
                     .says = "Exec was answered with the URL of token t2",
                     .frame = 55,
                     .source = "#807",
                     .id = "token"}};
    exec.hops.push_back(cri);
    for (const std::uint32_t number : {3U, 6U})
        exec.hops.push_back(make_hop(*model.sessions[number - 1], "token t2 is in the CRI answer and in the URL"));
    exec.hops.push_back(shim_hop());
    exec.hops.push_back(process_hop());
    exec.candidates = {
        {.grade = Grade::inferred, .says = "s8 was open at that time, but nothing names it", .frame = 80}};
    exec.contradictions = {
        {.grade = Grade::seen, .says = "the kubelet's bytes end 3.1 s after the runtime's", .frame = 91}};
    model.chains.push_back(std::move(exec));

    Chain forward;
    forward.number = 2;
    forward.op = Op::portforward;
    forward.sessions = {7};
    forward.start = at(11.25);
    forward.end = at(52.25);
    forward.hops = {make_hop(*model.sessions[6], "the path of the streaming server")};
    Hop dial;
    dial.kind = HopKind::process;
    dial.net_namespace = 4'026'532'777;
    dial.packets = 12;
    dial.stream = 1;
    dial.start = at(11.26);
    forward.hops.push_back(dial);
    model.chains.push_back(std::move(forward));
}

void add_findings(Model& model) {
    model.findings = {
        {"UPG-01", Severity::info, 1, "the WebSocket attempt was refused, SPDY followed", "", 12, 0, at(0.89)},
        {"NET-02", Severity::notice, 0, "2 segments came twice on loopback: the node was overloaded", "", 31, 0, at(1)},
        {"PF-01", Severity::warning, 7, "nothing listens on port 9999 in the pod",
         "start the program in the pod, or forward another port", 88, 1, at(12)},
        {"TOK-01", Severity::error, 9, "token t4 was refused with 404: unknown, expired or used before",
         "tokens live 60 s and work once: look for a slow hop between the CRI answer and the request", 5120, 0,
         at(70.5)},
    };
    model.findings_seen = 4;
}

FileFact make_file(std::string_view name, const char* format, const char* links, std::uint64_t packets,
                   std::uint64_t size) {
    FileFact file;
    file.name = Untrusted(name);
    file.format = format;
    file.link_types = links;
    file.packets = packets;
    file.file_bytes = size;
    file.first = at(0.25);
    file.last = at(102.5);
    return file;
}

void add_capture(Model& model) {
    CaptureFacts& facts = model.capture;
    facts.files = {make_file("node.pcap", "pcap", "Ethernet", 5119, 1'258'291),
                   make_file("cri.pcapng", "pcapng (gzip)", "raw IP", 96, 9'870)};
    facts.files[0].cut_off = true;
    facts.packets = 5215;
    facts.bytes = 1'100'222;
    facts.tcp_connections = 14;
    facts.retransmissions = 2;
    facts.gaps = 2;
    facts.duplicates = 40;
    facts.http_requests = 11;
    facts.spdy_frames = 240;
    facts.ws_messages = 6;
    facts.tls_connections = 4;
    facts.first = at(0.25);
    facts.last = at(102.5);
    model.sessions_seen = model.sessions.size();
    for (const auto& session : model.sessions) {
        ++model.sessions_by_op[static_cast<std::size_t>(session->op)];
        ++model.sessions_by_proto[static_cast<std::size_t>(session->proto)];
    }
    model.loss.add(LossPlace::reassembly, 1448);
    model.loss.add(LossPlace::kernel, 212);
}

PortFact make_port(const char* address, std::uint16_t port, const char* role, const char* component,
                   const char* confidence) {
    PortFact fact;
    fact.local = endpoint(address, port);
    fact.role = role;
    fact.component = component;
    fact.confidence = confidence;
    fact.reach = fact.local.address.is_loopback() ? "loopback" : "world";
    return fact;
}

}  // namespace

Timestamp at(double seconds_after_start) { return {kStart + std::llround(seconds_after_start * 1e9)}; }
Endpoint endpoint(const char* address, std::uint16_t port) { return {*IpAddress::parse(address), port}; }

std::vector<std::string> planted_secrets() {
    std::vector<std::string> secrets = {std::string(kPassword),
                                        std::string(kBearer),
                                        std::string(kToken.substr(4)),
                                        std::string(kOtherToken.substr(4)),
                                        "riL6",
                                        "AAAA"};
    // The three ways in which the password's bytes fall into base64 groups.
    for (const char* pad : {"", "x", "xx"}) {
        std::string encoded;
        append_base64(encoded, pad + secret(kPassword) + "zzz");
        secrets.push_back(encoded.substr(4, 4));
    }
    return secrets;
}

Model node_model() {
    Model model;
    add_exec_sessions(model);
    add_portforward(model);
    add_chains(model);
    add_findings(model);
    add_capture(model);
    model.ports = {make_port("127.0.0.1", 42313, "cri-streaming-server", "containerd", "certain"),
                   make_port("0.0.0.0", 10250, "kubelet-api", "kubelet", "high"),
                   make_port("127.0.0.1", 8001, "", "", "low")};
    model.ports[0].seen = 4;
    model.ports[0].evidence = {
        {.grade = Grade::decoded,
         .says = "4 requests for /exec/{token} and /portforward/{token}",
         .frame = 30,
         .id = "traffic"},
        {.grade = Grade::inferred, .says = "listens on loopback only", .source = "/proc/net/tcp", .id = "behaviour"}};
    model.ports[0].findings = {"TOK-01"};
    return model;
}

Model docker_model() {
    Model model;
    auto session = make_session(1, Op::exec, HopKind::shim, Proto::http11, 0.5);
    make_exec(*session);
    session->client = session->server = {};
    session->unix_socket = std::make_unique<UnixEndpoint>(UnixEndpoint{"/run/docker.sock", 77});
    Chain chain;
    chain.number = 1;
    chain.op = Op::exec;
    chain.sessions = {1};
    chain.start = session->start;
    chain.end = session->end;
    chain.hops = {make_hop(*session, "docker")};
    chain.complete = false;
    chain.missing = {{HopKind::process, "no eBPF: processes are not seen when they start"}};
    model.chains.push_back(std::move(chain));
    model.sessions.push_back(std::move(session));
    model.capture.first = at(0);
    model.capture.last = at(2);
    return model;
}

Model hostile_model() {
    Model model;
    auto session = make_session(1, Op::exec, HopKind::runtime, Proto::websocket, 0.5);
    const auto hostile = [&](Untrusted& text) { text = Untrusted(kHostile); };
    make_exec(*session);
    session->client = endpoint("127.0.0.1", 54766);
    session->server = endpoint("127.0.0.1", 42313);
    for (Untrusted* text : {&session->subprotocol, &session->method, &session->refusal, &session->kubectl_session,
                            &session->kubectl_command, &session->user_agent, &session->host, &session->k8s.namespace_,
                            &session->k8s.pod, &session->k8s.container, &session->k8s.uid, &session->container.id,
                            &session->container.name, &session->container.sandbox_id, &session->status_reason})
        hostile(*text);
    session->target = Untrusted("/exec/" + secret(kToken) + kHostile);
    session->status_message = Untrusted(kStatusText + kHostile);
    session->token = Token{Untrusted(secret(kToken) + kHostile), 1};
    session->offered = {Untrusted(kReadableHostile),
                        Untrusted("base64url.bearer.authorization.k8s.io." + secret(kBearer))};
    session->forwarded_for = {Untrusted("10.0.0.1"), Untrusted(kHostile)};
    session->command.push_back(Untrusted(kHostile));
    session->streams[1].error = std::make_unique<Untrusted>(kStatusText + kHostile);
    session->evidence.push_back(
        {.grade = Grade::seen, .says = kReadableHostile, .frame = 3, .source = kHostile, .id = kReadableHostile});

    Chain chain;
    chain.number = 1;
    chain.op = Op::exec;
    hostile(chain.k8s.namespace_);
    hostile(chain.k8s.pod);
    hostile(chain.container.id);
    hostile(chain.user_agent);
    hostile(chain.kubectl_session);
    hostile(chain.kubectl_command);
    chain.command = session->command;
    chain.sessions = {1};
    chain.start = session->start;
    chain.end = session->end;
    chain.hops = {make_hop(*session, kReadableHostile.c_str())};
    chain.hops[0].proto = kReadableHostile;
    chain.hops.push_back(chain.hops[0]);
    chain.hops[1].kind = HopKind::process;
    chain.hops[1].unix_socket = UnixEndpoint{kHostile, 0};
    chain.hops[1].from = Process{1, Untrusted(kHostile), Untrusted(kHostile)};
    model.chains.push_back(std::move(chain));
    model.sessions.push_back(std::move(session));
    model.findings = {{"STR-01", Severity::warning, 1, kReadableHostile, kReadableHostile, 7, 0, at(1)}};
    model.capture.files = {make_file(kHostile, "pcap", "Ethernet", 10, 1000)};
    model.capture.packets = 10;
    model.capture.first = at(0);
    model.capture.last = at(2);
    model.sessions_seen = 1;
    model.findings_seen = 1;
    model.ports = {make_port("127.0.0.1", 42313, "cri-streaming-server", "containerd", "high")};
    model.ports[0].evidence = {{.grade = Grade::decoded, .says = kReadableHostile}};
    model.ports[0].role = kReadableHostile;
    return model;
}

namespace {

void tell_http(Ndjson& ndjson, Place place) {
    const std::string target = "/exec/" + secret(kToken) + "?access_token=" + secret(kPassword);
    const std::string bearer = "Bearer " + secret(kBearer), cookie = "session=" + secret(kPassword);
    const std::string protocols = "v4.channel.k8s.io, base64url.bearer.authorization.k8s.io." + secret(kBearer);
    const Header request[] = {
        {"Host", "127.0.0.1:42313"},           {"User-Agent", kHostile}, {"authorization", bearer}, {"Cookie", cookie},
        {"Sec-WebSocket-Protocol", protocols}, {"X-\x1b", "y"}};
    ndjson.event(
        HttpRequest{.exchange = 0, .method = "POST", .target = target, .version = "HTTP/1.1", .headers = request},
        place);
    const std::string location = "http://127.0.0.1:42313/exec/" + secret(kToken);
    const Header response[] = {{"Upgrade", "SPDY/3.1"}, {"Set-Cookie", cookie}, {"Location", location}};
    ndjson.event(
        HttpResponse{
            .exchange = 0, .status = 101, .reason = "Switching Protocols", .version = "HTTP/1.1", .headers = response},
        place);
}

void tell_frames(Ndjson& ndjson, Place place) {
    ndjson.event(SpdyFrame{.direction = Direction::to_server,
                           .type = 1,
                           .flags = 1,
                           .stream = 5,
                           .length = 31,
                           .headers_known = false},
                 place);
    ndjson.event(SpdyFrame{.direction = Direction::to_client, .type = 0, .stream = 5, .length = 1214}, place);
    ndjson.event(SpdyFrame{.direction = Direction::to_client, .type = 3, .stream = 5, .length = 8, .status = 5}, place);
    ndjson.event(SpdyFrame{.direction = Direction::to_server, .type = 6, .stream = 1, .length = 4}, place);
    ndjson.event(SpdyFrame{.direction = Direction::to_server, .type = 77, .stream = 0, .length = 4}, place);
    ndjson.event(WsMessage{.direction = Direction::to_client, .opcode = 2, .length = 11, .frames = 2, .channel = 1},
                 place);
    ndjson.event(WsMessage{.direction = Direction::to_client, .opcode = 8, .length = 2, .close_code = 1000}, place);
    ndjson.event(WsMessage{.direction = Direction::to_client, .opcode = 11, .length = 2}, place);
    ndjson.event(Gap{.direction = Direction::to_client, .offset = 1000, .missing_bytes = 1448}, place);
    ndjson.event(Problem{.code = "spdy.length",
                         .text = kReadableHostile,
                         .direction = Direction::to_client,
                         .offset = 9,
                         .skipped_bytes = 4},
                 place);
}

void tell_calls(Ndjson& ndjson, Place place) {
    const std::string url = "http://127.0.0.1:42313/exec/" + secret(kToken);
    const std::string bare_url = "//[::]:33733/exec/" + secret(kToken);
    const std::string words[] = {"sh", "-c", "echo " + secret(kPassword)};
    const std::string_view command[] = {words[0], words[1], words[2]};
    const std::uint16_t ports[] = {8080, 9999};
    const CriSandbox sandboxes[] = {{.id = "s"}};
    const CriContainer containers[] = {{.id = "c"}};
    ndjson.event(CriMessage{.stream = 3,
                            .response = false,
                            .method_known = false,
                            .version = "v1",
                            .method = "Exec",
                            .message_bytes = 90,
                            .container_id = kContainerId,
                            .sandbox_id = kReadableHostile,
                            .command = command,
                            .ports = ports,
                            .tty = true,
                            .exit_code = 0,
                            .runtime_name = "containerd",
                            .runtime_version = "1.6.20",
                            .sandboxes = sandboxes,
                            .containers = containers},
                 place);
    for (const std::string& answer : {url, bare_url})
        ndjson.event(
            CriMessage{
                .stream = 3, .response = true, .version = "v1", .method = "Exec", .message_bytes = 40, .url = answer},
            place);
    ndjson.event(CriDone{.stream = 3, .method = "Exec", .grpc_status = 2, .message = kStatusText}, place);
    ndjson.event(DockerCall{.operation = "exec-create",
                            .container_id = kContainerId,
                            .exec_id = "9be1",
                            .command = command,
                            .tty = true,
                            .status = 201,
                            .exit_code = 0,
                            .pid = 77},
                 place);
    // Of a shim, and of containerd's own API.
    for (const char* service : {"containerd.task.v2.Task", "containerd.services.tasks.v1.Tasks"}) {
        ndjson.event(TaskMessage{.stream = 7,
                                 .service = service,
                                 .method = kReadableHostile,
                                 .runtime_namespace = "k8s.io",
                                 .message_bytes = 200,
                                 .container_id = kContainerId,
                                 .exec_id = "9be1",
                                 .command = command,
                                 .tty = true},
                     place);
        ndjson.event(TaskMessage{.stream = 7,
                                 .response = true,
                                 .service = service,
                                 .method = "Wait",
                                 .message_bytes = 20,
                                 .container_id = kContainerId,
                                 .pid = 77,
                                 .exit_code = 3,
                                 .width = 80,
                                 .height = 24,
                                 .signal = 9,
                                 .status = 2,
                                 .status_text = kStatusText},
                     place);
    }
    const std::string_view alpn[] = {"h2", "http/1.1"};
    ndjson.event(TlsClientHello{.version = 0x0304, .server_name = kReadableHostile, .alpn = alpn}, place);
    ndjson.event(TlsServerHello{.version = 0x0303, .cipher_suite = 0x1301, .alpn = "h2"}, place);
    ndjson.event(TlsClosed{.code = "TLS-03", .why = "no key for this client random"}, place);
    ndjson.event(FlowEnded{}, place);
}

void tell_session(Ndjson& ndjson, const Session& session) {
    Place place{.flow = session.flow,
                .slot = session.flow % 4,
                .at = session.start,
                .frame = session.first_frame,
                .file = session.file};
    ndjson.session_opened(session, place);
    if (session.number == 1) {
        tell_http(ndjson, place);
        tell_frames(ndjson, place);
        tell_calls(ndjson, place);
    }
    const std::string payload = "password is " + secret(kPassword) + "\r\n";
    for (const Stream& stream : session.streams) {
        place.at = stream.start;
        ++place.frame;
        ndjson.stream_opened(session, stream, place);
        ndjson.stream_data(session, stream, Direction::to_client, as_bytes(payload), place);
        ndjson.stream_data(session, stream, Direction::to_client, as_bytes("\xfe" + payload), place);
    }
    for (const Resize& resize : session.resizes) ndjson.resized(session, session.streams.front(), resize, place);
    for (const Stream& stream : session.streams) ndjson.stream_closed(session, stream, place);
    place.at = session.end;
    place.frame = session.last_frame;
    ndjson.session_ended(session, place);
}

}  // namespace

void tell_everything(Ndjson& ndjson, const Model& model) {
    CaptureStart start;
    start.at = model.capture.first;
    start.files = model.capture.files;
    start.node = "worker-1";
    start.interfaces = {"lo"};
    start.filter = "op == exec";
    start.partial = {"unix sockets: not in a pcap"};
    ndjson.start(start);
    const Place place{.flow = 90, .slot = 9, .at = at(0.3), .frame = 3};
    tell_http(ndjson, place);
    tell_frames(ndjson, place);
    tell_calls(ndjson, place);
    LossCounters loss;
    loss.add(LossPlace::kernel, 200);
    ndjson.loss(loss, at(0.4));
    for (const auto& session : model.sessions) tell_session(ndjson, *session);
    for (const Finding& finding : model.findings) ndjson.finding(finding);
    for (const chain::Chain& each : model.chains) {
        std::vector<const chain::Session*> members;
        for (const auto& session : model.sessions)
            if (std::find(each.sessions.begin(), each.sessions.end(), session->number) != each.sessions.end())
                members.push_back(session.get());
        ndjson.chain(each, members);
    }
    const chain::Hop process = process_hop();
    for (const std::uint32_t index : {0U, 2U, 3U, 1U}) {
        const chain::RanProcess& ran = process.ran[index];
        const bool exit = ran.exit_code.has_value();
        ndjson.process(*model.sessions.front(), {.exit = exit,
                                                 .at = exit ? *ran.end : ran.start,
                                                 .process = &ran,
                                                 .parent_pid = index == 0 ? 0 : process.ran[ran.parent].process.pid,
                                                 .depth = index == 0   ? 0U
                                                          : index == 3 ? 2U
                                                                       : 1U});
    }
    ndjson.end(model);
}

}  // namespace hopscope::exports::test
