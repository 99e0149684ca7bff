#include "pipeline/live_runner.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <ctime>
#include <system_error>
#include <vector>

#include "core/descriptor.h"
#include "core/limits.h"
#include "pipeline/pipeline.h"

namespace hopscope::pipeline {
namespace {

// Packets lie in the kernel's ring for up to 100 ms before we see them: by the clock, only what is older than this is
// surely complete, so the pipeline's time runs so far behind it where no packet tells the time.
constexpr std::int64_t kBehindClockNs = 500'000'000;
constexpr int kExitInterrupted = 130;

// --- signals: handlers may only touch these

std::atomic<int> wake_fd{-1};
std::atomic<unsigned> stops{0};
std::atomic<bool> status_wanted{false};
static_assert(std::atomic<int>::is_always_lock_free && std::atomic<unsigned>::is_always_lock_free);

void wake() {
    const int error = errno;
    const std::uint64_t one = 1;
    // A full counter has already woken the loop.
    [[maybe_unused]] const ssize_t written = ::write(wake_fd.load(), &one, sizeof one);
    errno = error;
}

void on_stop(int) {
    if (stops.fetch_add(1) > 0) ::_exit(kExitInterrupted);
    wake();
}

void on_status_signal(int) {
    status_wanted = true;
    wake();
}

// Stays until the runner is destroyed, so that a second signal also ends a finish() that takes long.
class Signals {
public:
    explicit Signals(int fd) {
        wake_fd = fd;
        stops = 0;
        status_wanted = false;
        set(SIGINT, on_stop, before_[0]);
        set(SIGTERM, on_stop, before_[1]);
        set(SIGUSR1, on_status_signal, before_[2]);
    }
    ~Signals() {
        ::sigaction(SIGINT, &before_[0], nullptr);
        ::sigaction(SIGTERM, &before_[1], nullptr);
        ::sigaction(SIGUSR1, &before_[2], nullptr);
        wake_fd = -1;
    }
    Signals(const Signals&) = delete;
    Signals& operator=(const Signals&) = delete;

private:
    static void set(int number, void (*handler)(int), struct sigaction& before) {
        struct sigaction action {};
        action.sa_handler = handler;
        action.sa_flags = SA_RESTART;
        ::sigaction(number, &action, &before);
    }
    std::array<struct sigaction, 3> before_{};
};

Unexpected<Error> system_error(const char* doing) {
    return unexpected(Error{.doing = doing,
                            .subject = {},
                            .why = std::generic_category().message(errno),
                            .errno_value = errno,
                            .hint = errno == EMFILE ? "ulimit -n 4096" : "",
                            .code = "LIV-01"});
}

itimerspec timer_spec(std::int64_t first_ns, std::int64_t interval_ns) {
    const auto split = [](std::int64_t ns) { return timespec{ns / kNanosecondsPerSecond, ns % kNanosecondsPerSecond}; };
    return {.it_interval = split(interval_ns), .it_value = split(std::max<std::int64_t>(first_ns, 1))};
}

}  // namespace

Timestamp wall_clock() {
    timespec t{};
    ::clock_gettime(CLOCK_REALTIME, &t);
    return {static_cast<std::int64_t>(t.tv_sec) * kNanosecondsPerSecond + t.tv_nsec};
}

struct LiveRunner::State {
    // What an epoll event's number means: 0 to 2 are ours, inputs follow.
    static constexpr std::uint64_t kWake = 0, kTick = 1, kDeadline = 2, kFirstInput = 3;

    struct Input {
        LiveInput input;
        bool over = false, more = false;
    };

    State(Pipeline& its_pipeline, LiveHooks its_hooks) : pipeline(its_pipeline), hooks(std::move(its_hooks)) {}

    Pipeline& pipeline;
    LiveHooks hooks;
    std::vector<Input> inputs;
    std::uint64_t packets = 0;
    Descriptor epoll, wake_up, ticker, deadline;
    std::unique_ptr<Signals> signals;
    bool over_time = false, ticked = false;

    Status watch(int fd, std::uint64_t number) const {
        epoll_event event{};
        event.events = EPOLLIN;
        event.data.u64 = number;
        if (::epoll_ctl(epoll.get(), EPOLL_CTL_ADD, fd, &event) != 0) return system_error("cannot wait for an input");
        return Done{};
    }

    Status start(std::optional<Duration> at_most) {
        epoll.reset(::epoll_create1(EPOLL_CLOEXEC));
        if (epoll.get() < 0) return system_error("cannot make an event loop");
        wake_up.reset(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
        ticker.reset(::timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK));
        if (wake_up.get() < 0 || ticker.get() < 0) return system_error("cannot make a timer");
        constexpr std::int64_t tick_ns = limits::kLiveTickMs * 1'000'000;
        const itimerspec ticks = timer_spec(tick_ns, tick_ns);
        if (::timerfd_settime(ticker.get(), 0, &ticks, nullptr) != 0) return system_error("cannot set a timer");
        if (const Status s = watch(wake_up.get(), kWake); !s) return s;
        if (const Status s = watch(ticker.get(), kTick); !s) return s;
        if (at_most) {
            deadline.reset(::timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK));
            if (deadline.get() < 0) return system_error("cannot make a timer");
            const itimerspec once = timer_spec(at_most->ns, 0);
            if (::timerfd_settime(deadline.get(), 0, &once, nullptr) != 0) return system_error("cannot set a timer");
            if (const Status s = watch(deadline.get(), kDeadline); !s) return s;
        }
        for (std::size_t i = 0; i < inputs.size(); ++i) {
            if (const Status s = watch(inputs[i].input.fd, kFirstInput + i); !s) return s;
        }
        signals = std::make_unique<Signals>(wake_up.get());
        return Done{};
    }

    void read_counter(const Descriptor& from) const {
        std::uint64_t count = 0;
        [[maybe_unused]] const ssize_t got = ::read(from.get(), &count, sizeof count);  // EAGAIN: read before
    }

    void drain(std::size_t i) {
        const Result<bool> more = inputs[i].input.drain();
        inputs[i].more = more.has_value() && *more;
        if (more.has_value()) return;
        inputs[i].over = true;
        ::epoll_ctl(epoll.get(), EPOLL_CTL_DEL, inputs[i].input.fd, nullptr);
        if (hooks.input_over) hooks.input_over(inputs[i].input.name, more.error());
    }

    void note(const epoll_event& event) {
        switch (event.data.u64) {
            case kWake: read_counter(wake_up); break;
            case kTick:
                read_counter(ticker);
                ticked = true;
                break;
            case kDeadline:
                read_counter(deadline);
                over_time = true;
                break;
            default: inputs[event.data.u64 - kFirstInput].more = true;
        }
    }

    [[nodiscard]] bool any_more() const {
        return std::any_of(inputs.begin(), inputs.end(), [](const Input& i) { return i.more; });
    }

    void tick() {
        ticked = false;
        const Timestamp now = wall_clock();
        // With packets waiting the clock would run ahead of what we have seen.
        if (!any_more()) pipeline.tick({now.ns - kBehindClockNs});
        if (hooks.on_tick) hooks.on_tick(now);
    }

    // One round over all inputs that have something. True: something was drained.
    bool turn() {
        bool drained = false;
        for (std::size_t i = 0; i < inputs.size(); ++i) {
            if (!inputs[i].more || inputs[i].over) continue;
            drain(i);
            drained = true;
        }
        return drained;
    }

    [[nodiscard]] std::optional<LiveEnd> end() const {
        if (stops.load() > 0) return LiveEnd::signal;
        if (over_time) return LiveEnd::time_over;
        if (hooks.enough && hooks.enough()) return LiveEnd::enough;
        if (std::all_of(inputs.begin(), inputs.end(), [](const Input& i) { return i.over; })) return LiveEnd::no_input;
        return std::nullopt;
    }

    Result<LiveEnd> loop() {
        std::array<epoll_event, 32> events;
        for (;;) {
            const int ready =
                ::epoll_wait(epoll.get(), events.data(), static_cast<int>(events.size()), any_more() ? 0 : -1);
            if (ready < 0 && errno != EINTR) return system_error("cannot wait");
            for (int i = 0; i < ready; ++i) note(events[static_cast<std::size_t>(i)]);
            bool something = turn();
            if (ticked) {
                tick();
                something = true;
            }
            if (status_wanted.exchange(false) && hooks.on_status) hooks.on_status();
            if (something && hooks.after_turn) hooks.after_turn();
            if (const auto over = end()) return *over;
        }
    }

    // What had reached us when the end came still counts: each input once more, without waiting and without end.
    void drain_rest() {
        for (Input& input : inputs) input.more = !input.over;
        for (std::size_t round = 0; round < limits::kLiveLastRounds && any_more(); ++round) turn();
        if (hooks.after_turn) hooks.after_turn();
    }
};

LiveRunner::LiveRunner(Pipeline& pipeline, LiveHooks hooks)
    : state_(std::make_unique<State>(pipeline, std::move(hooks))) {}
LiveRunner::~LiveRunner() = default;

Status LiveRunner::add(LiveInput input) {
    State& s = *state_;
    if (s.inputs.size() >= limits::kLiveInputsMax)
        return unexpected(Error{.doing = "too many inputs at once, the last is",
                                .subject = input.name,
                                .why = "at most " + std::to_string(limits::kLiveInputsMax),
                                .hint = "name fewer interfaces with -i",
                                .code = "LIV-01"});
    s.inputs.push_back({std::move(input)});
    if (s.epoll.get() < 0) return Done{};  // run() watches it
    return s.watch(s.inputs.back().input.fd, State::kFirstInput + s.inputs.size() - 1);
}

void LiveRunner::packet(Packet packet) {
    packet.frame = ++state_->packets;
    state_->pipeline.on(packet);
}

std::uint64_t LiveRunner::packets() const { return state_->packets; }

Result<LiveEnd> LiveRunner::run(std::optional<Duration> at_most) {
    State& s = *state_;
    if (const Status started = s.start(at_most); !started) return unexpected(started.error());
    const Result<LiveEnd> end = s.loop();
    if (end.has_value() && *end != LiveEnd::enough) s.drain_rest();
    return end;
}

}  // namespace hopscope::pipeline
