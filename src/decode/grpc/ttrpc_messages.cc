#include "decode/grpc/ttrpc_messages.h"

#include <google/protobuf/arena.h>
#include <ttrpc.pb.h>

#include <algorithm>
#include <array>

#include "core/limits.h"
#include "decode/grpc/json_pick.h"

namespace hopscope::decode::grpc {
namespace {

using B = TaskBody;

// Sorted by name.
constexpr std::array kMethods = {
    TaskMethod{"Checkpoint", B::named, B::none},   TaskMethod{"CloseIO", B::named, B::none},
    TaskMethod{"Connect", B::named, B::connected}, TaskMethod{"Create", B::create, B::pid},
    TaskMethod{"Delete", B::named, B::deleted},    TaskMethod{"Exec", B::exec, B::none},
    TaskMethod{"Kill", B::kill, B::none},          TaskMethod{"Pause", B::named, B::none},
    TaskMethod{"Pids", B::named, B::none},         TaskMethod{"ResizePty", B::resize, B::none},
    TaskMethod{"Resume", B::named, B::none},       TaskMethod{"Shutdown", B::named, B::none},
    TaskMethod{"Start", B::named, B::pid},         TaskMethod{"State", B::named, B::state},
    TaskMethod{"Stats", B::named, B::none},        TaskMethod{"Update", B::named, B::none},
    TaskMethod{"Wait", B::named, B::waited},
};
static_assert(std::is_sorted(kMethods.begin(), kMethods.end(),
                             [](const TaskMethod& a, const TaskMethod& b) { return a.name < b.name; }));

// Of a process specification (OCI runtime-spec, "Process"): the array `args`, and nothing else is even kept in memory.
constexpr std::size_t kDepthOfArguments = 2;
constexpr std::array kMembers{std::string_view("args")};

std::uint16_t columns(std::uint32_t cells) { return static_cast<std::uint16_t>(std::min(cells, 65535U)); }

// What a process left behind; more than a byte is no exit status.
std::optional<int> exit_status(std::uint32_t status) {
    return status <= 255 ? std::optional<int>(static_cast<int>(status)) : std::nullopt;
}

}  // namespace

const TaskMethod* find_task_method(std::string_view name) {
    const auto* at =
        std::lower_bound(kMethods.begin(), kMethods.end(), name,
                         [](const TaskMethod& method, std::string_view text) { return method.name < text; });
    return at != kMethods.end() && at->name == name ? at : nullptr;
}

bool is_task_service(std::string_view service) {
    return service == "containerd.task.v2.Task" || service == "containerd.task.v3.Task";
}

void TaskMessages::read_arguments(std::string_view specification) {
    using Json = nlohmann::json;
    const Json json = pick_json(specification, {kMembers, kDepthOfArguments, limits::kPickedJsonValuesMax}).value;
    if (!json.is_object()) return;
    const auto arguments = json.find("args");
    if (arguments == json.end() || !arguments->is_array()) return;
    for (const Json& word : *arguments) {
        if (words_.size() >= limits::kCommandWordsMax) break;
        if (const auto* text = word.get_ptr<const std::string*>()) words_.push_back(*text);
    }
    command_.assign(words_.begin(), words_.end());
}

template <typename Message, typename Fill>
bool TaskMessages::parse_and_tell(TaskMessage& message, Bytes body, EventSink& sink, Fill fill) {
    google::protobuf::Arena arena;
    auto* parsed = google::protobuf::Arena::CreateMessage<Message>(&arena);
    const bool good = parsed->ParseFromArray(body.data(), static_cast<int>(body.size()));
    if (good) fill(*parsed);
    message.command = command_;
    sink.on(message);
    return good;
}

bool TaskMessages::tell(TaskMessage message, TaskBody kind, Bytes body, EventSink& sink) {
    words_.clear();
    command_.clear();
    const auto name = [&](const auto& m) {
        message.container_id = m.id();
        message.exec_id = m.exec_id();
    };
    const auto pid = [&](std::uint32_t number) {
        if (number != 0) message.pid = number;
    };
    switch (kind) {
        case TaskBody::none: sink.on(message); return true;
        case TaskBody::named: return parse_and_tell<ttrpc::Named>(message, body, sink, name);
        case TaskBody::create:
            return parse_and_tell<ttrpc::CreateRequest>(message, body, sink, [&](const auto& m) {
                message.container_id = m.id();
                message.tty = m.terminal();
            });
        case TaskBody::exec:
            return parse_and_tell<ttrpc::ExecRequest>(message, body, sink, [&](const auto& m) {
                name(m);
                message.tty = m.terminal();
                read_arguments(m.spec().value());
            });
        case TaskBody::resize:
            return parse_and_tell<ttrpc::ResizeRequest>(message, body, sink, [&](const auto& m) {
                name(m);
                message.width = columns(m.width());
                message.height = columns(m.height());
            });
        case TaskBody::kill:
            return parse_and_tell<ttrpc::KillRequest>(message, body, sink, [&](const auto& m) {
                name(m);
                message.signal = m.signal();
            });
        case TaskBody::pid:
            return parse_and_tell<ttrpc::PidResponse>(message, body, sink, [&](const auto& m) { pid(m.pid()); });
        case TaskBody::deleted:
            return parse_and_tell<ttrpc::DeleteResponse>(message, body, sink, [&](const auto& m) {
                pid(m.pid());
                message.exit_code = exit_status(m.exit_status());
            });
        case TaskBody::state:
            return parse_and_tell<ttrpc::StateResponse>(message, body, sink, [&](const auto& m) {
                constexpr std::uint32_t kStopped = 3;  // task.proto, enum Status
                pid(m.pid());
                message.tty = m.terminal();
                if (m.status() == kStopped) message.exit_code = exit_status(m.exit_status());
            });
        case TaskBody::waited:
            return parse_and_tell<ttrpc::WaitResponse>(
                message, body, sink, [&](const auto& m) { message.exit_code = exit_status(m.exit_status()); });
        case TaskBody::connected:
            return parse_and_tell<ttrpc::ConnectResponse>(message, body, sink,
                                                          [&](const auto& m) { pid(m.task_pid()); });
        case TaskBody::service_create:
            return parse_and_tell<ttrpc::ServiceCreateRequest>(message, body, sink, [&](const auto& m) {
                message.container_id = m.container_id();
                message.tty = m.terminal();
            });
        case TaskBody::service_created:
            return parse_and_tell<ttrpc::ServiceCreateResponse>(message, body, sink,
                                                                [&](const auto& m) { pid(m.pid()); });
        case TaskBody::service_exec:
            return parse_and_tell<ttrpc::ServiceExecRequest>(message, body, sink, [&](const auto& m) {
                message.container_id = m.container_id();
                message.exec_id = m.exec_id();
                message.tty = m.terminal();
                read_arguments(m.spec().value());
            });
        case TaskBody::service_deleted:
            return parse_and_tell<ttrpc::ServiceDeleteResponse>(message, body, sink, [&](const auto& m) {
                pid(m.pid());
                message.exit_code = exit_status(m.exit_status());
            });
    }
    return false;
}

}  // namespace hopscope::decode::grpc
