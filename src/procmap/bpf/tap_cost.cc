#include "procmap/bpf/tap_cost.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>

#include "core/descriptor.h"
#include "procmap/bpf/clock.h"
#include "procmap/bpf/unix_tap.h"

namespace hopscope::procmap {
namespace {

constexpr int kRounds = 8, kCalls = 2500;

template <typename Call>
double best_ns(Call call) {
    double best = 1e9;
    for (int round = 0; round < kRounds; ++round) {
        const std::int64_t begun = clock_ns(CLOCK_THREAD_CPUTIME_ID);
        for (int i = 0; i < kCalls; ++i) call();
        best = std::min(best, static_cast<double>(clock_ns(CLOCK_THREAD_CPUTIME_ID) - begun) / kCalls);
    }
    return best;
}

}  // namespace

Result<TapCost> measure_tap_cost() {
    const Descriptor sink(::open("/dev/null", O_WRONLY | O_CLOEXEC)), source(::open("/dev/zero", O_RDONLY | O_CLOEXEC));
    if (!sink.ok() || !source.ok())
        return unexpected(Error{.doing = "cannot open",
                                .subject = sink.ok() ? "/dev/zero" : "/dev/null",
                                .why = std::generic_category().message(errno),
                                .errno_value = errno});
    char byte = 0;
    [[maybe_unused]] ssize_t done = 0;
    const auto write_one = [&] { done = ::write(sink.get(), &byte, 1); };
    const auto read_one = [&] { done = ::read(source.get(), &byte, 1); };
    TapCost cost;
    cost.write.plain_ns = best_ns(write_one);
    cost.read.plain_ns = best_ns(read_one);
    constexpr std::uint32_t kSmallRing = 64 * 1024;
    const auto tap = UnixTap::open({}, kSmallRing);
    if (!tap) return unexpected(tap.error());
    cost.write.tapped_ns = best_ns(write_one);
    cost.read.tapped_ns = best_ns(read_one);
    return cost;
}

}  // namespace hopscope::procmap
