// Bodies of containerd's task services (of its shims, and of its own API) → TaskMessage events. Only what ttrpc.proto
// has a field for is read.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/event.h"

namespace hopscope::decode::grpc {

// What a message's body is read as.
enum class TaskBody : std::uint8_t {
    none,  // nothing in it is told
    named,
    create,
    exec,
    resize,
    kill,
    pid,
    deleted,
    state,
    waited,
    connected,
    // containerd's own API, where it differs (task_service.h)
    service_create,
    service_created,
    service_exec,
    service_deleted,
};

struct TaskMethod {
    std::string_view name;
    TaskBody request = TaskBody::none;
    TaskBody response = TaskBody::none;
};

// Null: not a method of the task service that hopscope knows.
const TaskMethod* find_task_method(std::string_view name);
// "containerd.task.v2.Task", "containerd.task.v3.Task", "containerd.task.v1.Shim" is another one.
bool is_task_service(std::string_view service);

// Keeps the texts that an event borrows.
class TaskMessages {
public:
    // Tells `message` after filling in what `body` says, read as `kind`. False: the body is no such message; it was
    // told without its fields.
    bool tell(TaskMessage message, TaskBody kind, Bytes body, EventSink& sink);

private:
    template <typename Message, typename Fill>
    bool parse_and_tell(TaskMessage& message, Bytes body, EventSink& sink, Fill fill);
    void read_arguments(std::string_view specification);

    std::vector<std::string> words_;
    std::vector<std::string_view> command_;
};

}  // namespace hopscope::decode::grpc
