// containerd's own API for processes, which dockerd, nerdctl and ctr use: containerd.services.tasks.v1 over gRPC. What
// it is asked for it asks a shim for next.
//
// A client that was there before we looked names its methods by numbers of a table that was not seen: then Exec is told
// from its body, Start and Wait of an exec from their answers, everything else is left alone.
#pragma once

#include <string_view>

#include "core/bytes.h"
#include "decode/grpc/ttrpc_messages.h"

namespace hopscope::decode::grpc {

inline constexpr std::string_view kTaskService = "containerd.services.tasks.v1.Tasks";

struct TaskPath {
    bool tasks = false;                 // false: another service; the rest is empty
    std::string_view method;            // text of the path
    const TaskMethod* known = nullptr;  // null: a method that hopscope does not know
};
// "/containerd.services.tasks.v1.Tasks/Exec"
TaskPath parse_task_path(std::string_view path);

// Is it surely a request of Exec? It carries a process specification.
bool is_task_exec(Bytes body);
// A container and an exec of it, both identifiers of 64 hexadecimal digits, and perhaps more: which of several methods
// it is only the answer tells.
bool may_name_exec(Bytes body);
// The method of an answer to a request that named a container and an exec: Start (a pid and nothing else) or Wait (an
// exit status and when). Null: neither for sure.
const TaskMethod* task_method_of_answer(Bytes body);

}  // namespace hopscope::decode::grpc
