#include "procmap/names/ask.h"

#include <algorithm>
#include <cerrno>
#include <system_error>
#include <thread>

#include "core/limits.h"
#include "procmap/names/cri_client.h"
#include "procmap/names/docker_client.h"

namespace hopscope::procmap {

void give_up(RuntimeFacts& facts, const Error& error, std::chrono::milliseconds waited) {
    const bool late = error.errno_value == ETIMEDOUT;
    facts.waited_ms = late ? waited.count() : 0;
    facts.why_not =
        late ? "no answer within " + std::to_string(waited.count()) + " ms" : error.doing + ": " + error.why;
}

std::vector<RuntimeAnswer> ask_runtimes(std::span<const RuntimeSocket> sockets, std::chrono::milliseconds timeout) {
    const Call::Clock::time_point deadline = Call::Clock::now() + timeout;
    sockets = sockets.first(std::min(sockets.size(), limits::kRuntimesMax));
    std::vector<RuntimeAnswer> answers(sockets.size());
    std::vector<std::thread> threads;
    const auto ask = [&](std::size_t i) {
        const RuntimeSocket& socket = sockets[i];
        answers[i] = socket.docker_api ? ask_docker(socket.open_path, socket.path, deadline)
                                       : ask_cri(socket.open_path, socket.path, deadline);
        // cri-dockerd says "docker" of itself; who owns the socket knows better.
        if (!socket.component.empty() && (answers[i].facts.component.empty() || !socket.docker_api))
            answers[i].facts.component = socket.component;
    };
    for (std::size_t i = 1; i < sockets.size(); ++i) {
        try {
            threads.emplace_back(ask, i);
        } catch (const std::system_error&) {
            ask(i);  // no more threads here: one after the other
        }
    }
    if (!sockets.empty()) ask(0);
    for (std::thread& thread : threads) thread.join();
    return answers;
}

}  // namespace hopscope::procmap
