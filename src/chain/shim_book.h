// What containerd asked its shims to do, and what they answered: processes by container and exec id, with their pids
// and how they ended (containerd.task.v2, v3). The same of what dockerd and others ask containerd, in a book of its own
// (containerd.services.tasks.v1): there "shim" is containerd.
//
// A process that was started before its shim's connection was read is known as far as later calls tell. Bounded by
// limits::kShimTasksMax: the oldest are forgotten. Pure.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "chain/cri_book.h"
#include "chain/model.h"
#include "chain/observer.h"
#include "chain/shared_texts.h"

namespace hopscope::chain {

// One process of a container as its shim was told of it. `exec_id` empty: the container's main process.
struct ShimTask {
    std::string container_id, exec_id;
    Untrusted runtime_namespace;  // "k8s.io", "moby"
    std::vector<Untrusted> command;
    bool tty = false;
    bool asked = false;  // its Exec or Create was seen
    CriConnection connection;
    Timestamp begun;                   // of the first call that named it
    Timestamp started;                 // Start was answered; 0: not seen
    Timestamp ended;                   // Wait or Delete was answered; 0: not seen
    std::optional<std::uint32_t> pid;  // in the shim's pid namespace: the node's
    std::optional<int> exit_code;
    std::uint32_t calls = 0, resizes = 0;
    ByteCounts bytes;                     // in: of requests, out: of answers
    std::optional<std::int32_t> refused;  // code of Exec, Create or Start
    std::deque<Timestamp> state_asked;    // the last few times
};

class ShimBook {
public:
    explicit ShimBook(SharedTexts& texts) : texts_(texts) {}  // borrowed

    void on(const TaskMessage& message, const Place& place, const CriConnection& connection);

    [[nodiscard]] bool empty() const { return tasks_.empty(); }
    // Execs of this container that were asked for in [from, to], in order.
    [[nodiscard]] std::vector<const ShimTask*> execs(const std::string& container_id, Timestamp from,
                                                     Timestamp to) const;
    // By exec id; null: no call named it, or its Exec was not seen.
    [[nodiscard]] const ShimTask* exec(const std::string& container_id, const std::string& exec_id) const;
    // The container's main process; null: no call named it.
    [[nodiscard]] const ShimTask* main_process(const std::string& container_id) const;
    // How many answers of Start were seen: whoever waits for one need not look again before it has changed.
    [[nodiscard]] std::uint64_t starts() const { return starts_; }

private:
    ShimTask& task_of(const TaskMessage& message, const Place& place, const CriConnection& connection);

    SharedTexts& texts_;
    std::deque<ShimTask> tasks_;  // by `begun`
    std::uint64_t forgotten_ = 0;
    std::unordered_map<std::string, std::uint64_t> by_name_;  // container and exec id: place, from 0
    std::uint64_t starts_ = 0;
};

}  // namespace hopscope::chain
