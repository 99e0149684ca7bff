#include "chain/shim_book.h"

#include <algorithm>

#include "core/limits.h"

namespace hopscope::chain {
namespace {

constexpr std::size_t kStatesKept = 8;
constexpr std::int64_t kLateNs = kNanosecondsPerSecond;

std::string key_of(std::string_view container_id, std::string_view exec_id) {
    std::string key(container_id);
    key += '/';  // in no identifier of containerd
    return key += exec_id;
}

}  // namespace

ShimTask& ShimBook::task_of(const TaskMessage& message, const Place& place, const CriConnection& connection) {
    std::string key = key_of(message.container_id, message.exec_id);
    // An id that is used again (a container that was started again) is another process.
    const bool anew = !message.response && (message.method == "Exec" || message.method == "Create");
    if (const auto known = by_name_.find(key); known != by_name_.end() && !anew)
        return tasks_[known->second - forgotten_];
    if (tasks_.size() >= limits::kShimTasksMax) {
        const auto oldest = by_name_.find(key_of(tasks_.front().container_id, tasks_.front().exec_id));
        if (oldest != by_name_.end() && oldest->second == forgotten_) by_name_.erase(oldest);
        tasks_.pop_front();
        ++forgotten_;
    }
    by_name_[std::move(key)] = forgotten_ + tasks_.size();
    ShimTask& fresh = tasks_.emplace_back();
    fresh.container_id = message.container_id;
    fresh.exec_id = message.exec_id;
    fresh.begun = place.at;
    fresh.connection = connection;
    return fresh;
}

void ShimBook::on(const TaskMessage& message, const Place& place, const CriConnection& connection) {
    if (message.container_id.empty() || !message.method_known) return;
    ShimTask& task = task_of(message, place, connection);
    task.connection = connection;  // once the shim has written, it is known by its own number
    const std::string_view method = message.method;
    if (!message.response) {
        ++task.calls;
        task.bytes.in += message.message_bytes;
        if (task.runtime_namespace.empty()) task.runtime_namespace = texts_.get(message.runtime_namespace);
        if (method == "Exec" || method == "Create") {
            task.asked = true;
            task.tty = message.tty;
            for (const std::string_view word : message.command) task.command.push_back(texts_.get(word));
        }
        if (method == "ResizePty") ++task.resizes;
        if (method == "State") {
            task.state_asked.push_back(place.at);
            if (task.state_asked.size() > kStatesKept) task.state_asked.pop_front();
        }
        return;
    }
    task.bytes.out += message.message_bytes;
    const bool starts = method == "Start" || method == "Create" || method == "Exec";
    if (starts && message.status != 0) task.refused = message.status;
    if (message.status != 0) return;
    if (message.pid) task.pid = message.pid;
    if (method == "Start") {
        task.started = place.at;
        ++starts_;
    }
    if (!message.exit_code || task.exit_code) return;
    task.exit_code = message.exit_code;
    task.ended = place.at;
}

std::vector<const ShimTask*> ShimBook::execs(const std::string& container_id, Timestamp from, Timestamp to) const {
    std::vector<const ShimTask*> found;
    // Writes that blocked come a little late: the order is nearly that of time.
    const std::int64_t first = from.ns - kLateNs, last = to.ns + kLateNs;
    auto at = std::lower_bound(tasks_.begin(), tasks_.end(), first,
                               [](const ShimTask& task, std::int64_t ns) { return task.begun.ns < ns; });
    for (; at != tasks_.end() && at->begun.ns <= last; ++at) {
        if (at->begun < from || to < at->begun || !at->asked || at->exec_id.empty()) continue;
        if (at->container_id == container_id) found.push_back(&*at);
    }
    return found;
}

const ShimTask* ShimBook::exec(const std::string& container_id, const std::string& exec_id) const {
    const auto known = exec_id.empty() ? by_name_.end() : by_name_.find(key_of(container_id, exec_id));
    if (known == by_name_.end()) return nullptr;
    const ShimTask& task = tasks_[known->second - forgotten_];
    return task.asked ? &task : nullptr;
}

const ShimTask* ShimBook::main_process(const std::string& container_id) const {
    const auto known = by_name_.find(key_of(container_id, {}));
    return known == by_name_.end() ? nullptr : &tasks_[known->second - forgotten_];
}

}  // namespace hopscope::chain
