// HTTP exchanges of the Docker Engine API → DockerCall.
#include <algorithm>
#include <array>
#include <deque>
#include <string>
#include <vector>

#include "core/limits.h"
#include "decode/grpc/docker_target.h"
#include "decode/grpc/grpc.h"
#include "decode/grpc/json_pick.h"

namespace hopscope::decode::grpc {
namespace {

using namespace std::string_view_literals;
using Json = nlohmann::json;

// A body that is kept for reading; what is larger than the limit is not read at all.
struct KeptBody {
    bool wanted = false;
    bool too_large = false;
    std::string text;

    void add(Bytes piece) {
        if (!wanted || too_large) return;
        too_large = text.size() + piece.size() > limits::kBodyBytesMax;
        if (too_large) {
            text = {};
        } else {
            text += as_text(piece);
        }
    }
};

struct Call {
    std::uint32_t exchange = 0;
    DockerOperation operation = DockerOperation::other;
    std::string container_id, exec_id;
    std::uint16_t width = 0, height = 0;
    std::uint16_t status = 0;
    KeptBody request, response;
};

constexpr std::string_view kPodLabel = "io.kubernetes.pod.name", kNamespaceLabel = "io.kubernetes.pod.namespace",
                           kUidLabel = "io.kubernetes.pod.uid", kContainerLabel = "io.kubernetes.container.name";

// Of a body: what the events below are made of.
Json parse(std::string_view text) {
    static constexpr std::array kMembers{
        "Id"sv,         "Cmd"sv,    "Entrypoint"sv, "Tty"sv,         "ProcessConfig"sv, "entrypoint"sv,  "arguments"sv,
        "tty"sv,        "Pid"sv,    "Running"sv,    "Config"sv,      "ContainerID"sv,   "ExitCode"sv,    "State"sv,
        "StatusCode"sv, "Labels"sv, kPodLabel,      kNamespaceLabel, kUidLabel,         kContainerLabel,
    };
    return pick_json(text, {kMembers, limits::kDockerJsonDepthMax, limits::kPickedJsonValuesMax}).value;
}
static_assert(limits::kBodyBytesMax / 2 < limits::kPickedJsonValuesMax, "no body of that size is ever cut");

const Json* member(const Json* object, std::string_view key) {
    if (!object || !object->is_object()) return nullptr;
    const auto at = object->find(key);
    return at == object->end() ? nullptr : &*at;
}
std::string_view text_of(const Json* value) {
    return value && value->is_string() ? std::string_view(value->get_ref<const std::string&>()) : std::string_view();
}
bool flag_of(const Json* value) { return value && value->is_boolean() && value->get<bool>(); }
std::optional<int> number_of(const Json* value) {
    if (!value || !value->is_number_integer()) return std::nullopt;
    const auto number = value->get<std::int64_t>();
    if (number < INT32_MIN || number > INT32_MAX) return std::nullopt;
    return static_cast<int>(number);
}
// Docker says 0 for a process that does not exist (any more).
std::optional<int> pid_of(const Json* value) {
    const std::optional<int> pid = number_of(value);
    return pid && *pid > 0 ? pid : std::nullopt;
}
// The id that the answer gives to what the client named.
void take_id(DockerCall& event, const Json& response) {
    const std::string_view id = text_of(member(&response, "Id"));
    if (id.empty()) return;
    event.named = event.container_id;
    event.container_id = id;
}
void append_texts(const Json* array, std::vector<std::string_view>& out) {
    if (!array || !array->is_array()) return;
    for (const Json& each : *array)
        if (each.is_string()) out.push_back(text_of(&each));
}

}  // namespace

struct DockerWatcher::State {
    struct Exec {
        std::string exec_id, container_id;
    };

    Call* find(std::uint32_t exchange) {
        const auto at = std::find_if(calls.begin(), calls.end(), [&](const Call& c) { return c.exchange == exchange; });
        return at == calls.end() ? nullptr : &*at;
    }
    void erase(std::uint32_t exchange) {
        std::erase_if(calls, [&](const Call& c) { return c.exchange == exchange; });
    }

    void on(const HttpRequest& request);
    void on(const HttpResponse& response, EventSink& sink);
    void on(const HttpBody& body);
    void on(const HttpEnd& end, EventSink& sink);

    void tell(Call& call, EventSink& sink);
    Json read(const KeptBody& body, Direction direction, EventSink& sink);
    void remember(std::string_view exec_id, std::string_view container_id);
    [[nodiscard]] std::string_view container_of(std::string_view exec_id) const;

    std::deque<Call> calls;                 // not answered yet
    std::deque<Exec> execs;                 // newest last
    std::vector<std::string_view> command;  // scratch
};

void DockerWatcher::State::remember(std::string_view exec_id, std::string_view container_id) {
    if (exec_id.empty() || container_id.empty() || !container_of(exec_id).empty()) return;
    if (execs.size() >= limits::kDockerExecsMax) execs.pop_front();
    execs.push_back({std::string(exec_id), std::string(container_id)});
}

std::string_view DockerWatcher::State::container_of(std::string_view exec_id) const {
    const auto at = std::find_if(execs.begin(), execs.end(), [&](const Exec& e) { return e.exec_id == exec_id; });
    return at == execs.end() ? std::string_view() : at->container_id;
}

void DockerWatcher::State::on(const HttpRequest& request) {
    const DockerTarget target = parse_docker_target(request.method, request.target);
    if (!target.docker) return;
    if (calls.size() >= limits::kDockerCallsMax) calls.pop_front();
    Call& call = calls.emplace_back();
    call.exchange = request.exchange;
    call.operation = target.operation;
    call.container_id = target.container_id;
    call.exec_id = target.exec_id;
    call.width = target.width;
    call.height = target.height;
    const DockerOperation op = target.operation;
    call.request.wanted =
        op == DockerOperation::exec_create || op == DockerOperation::exec_start || op == DockerOperation::create;
    call.response.wanted = op == DockerOperation::exec_create || op == DockerOperation::exec_inspect ||
                           op == DockerOperation::inspect || op == DockerOperation::create ||
                           op == DockerOperation::wait;
}

void DockerWatcher::State::on(const HttpBody& body) {
    Call* call = find(body.exchange);
    if (!call) return;
    (body.direction == Direction::to_server ? call->request : call->response).add(body.piece);
}

void DockerWatcher::State::on(const HttpResponse& response, EventSink& sink) {
    Call* call = find(response.exchange);
    const bool interim = response.status >= 100 && response.status < 200 && response.status != 101;
    if (!call || interim) return;
    call->status = response.status;
    // After these the connection carries a stream and the answer may have no end of its own.
    if (call->operation == DockerOperation::exec_start || call->operation == DockerOperation::attach) {
        tell(*call, sink);
        erase(response.exchange);
    }
}

void DockerWatcher::State::on(const HttpEnd& end, EventSink& sink) {
    if (end.direction != Direction::to_client) return;
    Call* call = find(end.exchange);
    if (!call || call->status == 0) return;
    if (!end.complete) call->response.wanted = false;
    tell(*call, sink);
    erase(end.exchange);
}

Json DockerWatcher::State::read(const KeptBody& body, Direction direction, EventSink& sink) {
    if (!body.wanted || (body.text.empty() && !body.too_large)) return {};
    if (body.too_large) {
        sink.on(Problem{"docker.body", "a body of the Docker API is larger than hopscope reads", direction, 0, 0});
        return {};
    }
    Json json = parse(body.text);
    if (json.is_discarded()) {
        sink.on(Problem{"docker.json", "a body of the Docker API is not JSON", direction, 0, 0});
        return {};
    }
    return json;
}

void DockerWatcher::State::tell(Call& call, EventSink& sink) {
    const Json request = read(call.request, Direction::to_server, sink);
    const bool good = call.status == 101 || (call.status >= 200 && call.status < 300);
    const Json response = good ? read(call.response, Direction::to_client, sink) : Json();

    DockerCall event;
    event.operation = to_string(call.operation);
    event.container_id = call.container_id;
    event.exec_id = call.exec_id;
    event.status = call.status;
    event.width = call.width;
    event.height = call.height;
    command.clear();
    switch (call.operation) {
        case DockerOperation::exec_create:
            append_texts(member(&request, "Cmd"), command);
            event.tty = flag_of(member(&request, "Tty"));
            event.exec_id = text_of(member(&response, "Id"));
            remember(event.exec_id, event.container_id);
            break;
        case DockerOperation::exec_start:
            event.tty = flag_of(member(&request, "Tty"));
            event.container_id = container_of(event.exec_id);
            break;
        case DockerOperation::exec_resize: event.container_id = container_of(event.exec_id); break;
        case DockerOperation::exec_inspect: {
            const Json* process = member(&response, "ProcessConfig");
            if (const std::string_view entry = text_of(member(process, "entrypoint")); !entry.empty())
                command.push_back(entry);
            append_texts(member(process, "arguments"), command);
            event.tty = flag_of(member(process, "tty"));
            event.container_id = text_of(member(&response, "ContainerID"));
            event.pid = pid_of(member(&response, "Pid"));
            if (!flag_of(member(&response, "Running"))) event.exit_code = number_of(member(&response, "ExitCode"));
            remember(event.exec_id, event.container_id);
            break;
        }
        case DockerOperation::inspect: {
            const Json* labels = member(member(&response, "Config"), "Labels");
            event.pod = text_of(member(labels, kPodLabel));
            event.namespace_ = text_of(member(labels, kNamespaceLabel));
            event.uid = text_of(member(labels, kUidLabel));
            event.container = text_of(member(labels, kContainerLabel));
            event.tty = flag_of(member(member(&response, "Config"), "Tty"));
            event.pid = pid_of(member(member(&response, "State"), "Pid"));
            take_id(event, response);
            break;
        }
        case DockerOperation::create:
            append_texts(member(&request, "Entrypoint"), command);
            append_texts(member(&request, "Cmd"), command);
            event.tty = flag_of(member(&request, "Tty"));
            take_id(event, response);
            break;
        case DockerOperation::wait: event.exit_code = number_of(member(&response, "StatusCode")); break;
        case DockerOperation::start:
        case DockerOperation::resize:
        case DockerOperation::attach:
        case DockerOperation::other: break;
    }
    event.command = command;
    sink.on(event);
}

DockerWatcher::DockerWatcher() : state_(std::make_unique<State>()) {}
DockerWatcher::~DockerWatcher() = default;

void DockerWatcher::on(const Event& event, EventSink& sink) {
    sink.on(event);
    // The other facts are not about HTTP exchanges.
    if (const auto* request = std::get_if<HttpRequest>(&event)) state_->on(*request);
    if (const auto* response = std::get_if<HttpResponse>(&event)) state_->on(*response, sink);
    if (const auto* body = std::get_if<HttpBody>(&event)) state_->on(*body);
    if (const auto* end = std::get_if<HttpEnd>(&event)) state_->on(*end, sink);
}

}  // namespace hopscope::decode::grpc
