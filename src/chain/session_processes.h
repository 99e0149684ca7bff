// Live: what the processes of sessions have done since it was told last.
//
// A session's process is looked for whenever something was started or a shim has answered, until the session has been
// over for a while. Keeps session numbers and places in the book's lists, nothing else; bounded by
// limits::kLiveWaitingMax: the oldest are told no further (their chains have all of it).
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <optional>

#include "chain/builder.h"
#include "chain/observer.h"
#include "chain/process_book.h"

namespace hopscope::chain {

class SessionProcesses {
public:
    using Tell = std::function<void(const Session&, const ProcessStep&)>;

    void opened(const Session& session);
    // One whose process was there before is told from now on.
    void joined_late(std::uint32_t session, ProcessBook::Root root);
    // By now `now`. Cheap where nothing has happened.
    void look(Builder& builder, const ProcessBook& book, Timestamp now, const Tell& tell);

private:
    struct Watched {
        std::uint32_t session = 0;
        std::optional<ProcessBook::Root> root;
        std::size_t told = 0;
        std::uint64_t seen = 0;  // signs() when its process was looked for last
    };

    std::deque<Watched> watched_;
    Timestamp tidied_at_;  // those that are over for long were looked for
};

}  // namespace hopscope::chain
