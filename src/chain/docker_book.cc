#include "chain/docker_book.h"

#include "core/limits.h"

namespace hopscope::chain {
namespace {

constexpr std::size_t kIdDigits = 64;

}  // namespace

template <typename Key, typename Value>
Value& DockerBook::Table<Key, Value>::entry(const Key& key, std::size_t at_most) {
    const auto [known, fresh] = by_key.try_emplace(key);
    if (!fresh) return known->second;
    order.push_back(key);
    if (order.size() > at_most) {
        by_key.erase(order.front());
        order.pop_front();
    }
    return known->second;
}

DockerExec& DockerBook::exec(std::string_view id) { return execs_.entry(std::string(id), limits::kDockerBookExecsMax); }

void DockerBook::carries(std::string_view exec_id, std::uint32_t session, std::uint32_t slot) {
    DockerExec& known = exec(exec_id);
    known.session = session;
    known.slot = slot;
    sessions_.entry(session, limits::kDockerBookExecsMax) = exec_id;
}

std::string DockerBook::exec_of(std::uint32_t session) const {
    const auto known = sessions_.by_key.find(session);
    return known == sessions_.by_key.end() ? std::string() : known->second;
}

DockerContainer& DockerBook::container(const std::string& id) {
    return containers_.entry(id, limits::kDockerBookContainersMax);
}

// A name may be given to another container later on.
void DockerBook::name(std::string_view name, std::string_view id) {
    if (!name.empty() && name != id) names_.entry(std::string(name), limits::kDockerBookContainersMax) = id;
}

std::string DockerBook::id_of(std::string_view written) const {
    if (written.size() == kIdDigits) return std::string(written);
    const auto known = names_.by_key.find(std::string(written));
    return known == names_.by_key.end() ? std::string(written) : known->second;
}

}  // namespace hopscope::chain
