#include "decode/grpc/task_service.h"

#include <google/protobuf/arena.h>
#include <ttrpc.pb.h>

#include <algorithm>
#include <array>

namespace hopscope::decode::grpc {
namespace {

using B = TaskBody;

constexpr std::size_t kIdHexDigits = 64;
constexpr std::int64_t kThisCentury = 946'684'800;  // 2000-01-01, in seconds
constexpr std::string_view kProcessSpec = "types.containerd.io/opencontainers/runtime-spec/1/Process";

// Sorted by name.
constexpr std::array kMethods = {
    TaskMethod{"Checkpoint", B::named, B::none},
    TaskMethod{"CloseIO", B::named, B::none},
    TaskMethod{"Create", B::service_create, B::service_created},
    TaskMethod{"Delete", B::named, B::service_deleted},
    TaskMethod{"DeleteProcess", B::named, B::service_deleted},
    TaskMethod{"Exec", B::service_exec, B::none},
    TaskMethod{"Get", B::named, B::none},
    TaskMethod{"Kill", B::kill, B::none},
    TaskMethod{"ListPids", B::named, B::none},
    TaskMethod{"Pause", B::named, B::none},
    TaskMethod{"ResizePty", B::resize, B::none},
    TaskMethod{"Resume", B::named, B::none},
    TaskMethod{"Start", B::named, B::pid},
    TaskMethod{"Update", B::named, B::none},
    TaskMethod{"Wait", B::named, B::waited},
};
static_assert(std::is_sorted(kMethods.begin(), kMethods.end(),
                             [](const TaskMethod& a, const TaskMethod& b) { return a.name < b.name; }));

const TaskMethod* find(std::string_view name) {
    const auto* at =
        std::find_if(kMethods.begin(), kMethods.end(), [&](const auto& each) { return each.name == name; });
    return at == kMethods.end() ? nullptr : at;
}

bool is_id(std::string_view text) {
    return text.size() == kIdHexDigits && std::all_of(text.begin(), text.end(), [](char c) {
               return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
           });
}

template <typename M, typename Accepts>
bool is(Bytes body, Accepts accepts) {
    google::protobuf::Arena arena;
    auto* message = google::protobuf::Arena::CreateMessage<M>(&arena);
    return message->ParseFromArray(body.data(), static_cast<int>(body.size())) && accepts(*message);
}

}  // namespace

TaskPath parse_task_path(std::string_view path) {
    if (!path.starts_with('/')) return {};
    path.remove_prefix(1);
    if (!path.starts_with(kTaskService)) return {};
    path.remove_prefix(kTaskService.size());
    if (path.size() < 2 || path[0] != '/') return {};
    path.remove_prefix(1);
    return {true, path, find(path)};
}

bool is_task_exec(Bytes body) {
    if (body.size() < 2 || body[0] != 0x0a) return false;  // field 1, as clients write it
    return is<ttrpc::ServiceExecRequest>(body, [](const auto& m) {
        return !m.container_id().empty() && !m.exec_id().empty() && m.spec().type_url() == kProcessSpec;
    });
}

bool may_name_exec(Bytes body) {
    if (body.size() < 2 * (2 + kIdHexDigits) || body[0] != 0x0a) return false;
    return is<ttrpc::Named>(body, [](const auto& m) { return is_id(m.id()) && is_id(m.exec_id()); });
}

const TaskMethod* task_method_of_answer(Bytes body) {
    if (body.empty()) return nullptr;
    const bool pid =
        is<ttrpc::PidResponse>(body, [](const auto& m) { return m.pid() > 0 && m.unknown_fields().empty(); });
    if (pid) return find("Start");
    const bool waited = is<ttrpc::ServiceWaitResponse>(body, [](const auto& m) {
        return m.has_exited_at() && m.exited_at().seconds() > kThisCentury && m.exit_status() <= 255 &&
               m.unknown_fields().empty();
    });
    return waited ? find("Wait") : nullptr;
}

}  // namespace hopscope::decode::grpc
