#include "chain/docker_book.h"

#include "core/limits.h"

namespace hopscope::chain {

DockerExec& DockerBook::exec(std::string_view id) {
    const auto [known, fresh] = execs_.try_emplace(std::string(id));
    if (!fresh) return known->second;
    order_.push_back(known->first);
    if (order_.size() > limits::kDockerBookExecsMax) {
        execs_.erase(order_.front());
        order_.pop_front();
    }
    return known->second;
}

}  // namespace hopscope::chain
