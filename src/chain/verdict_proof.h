// How sure a verdict is: one fixed rule over the kinds of evidence, not a feeling.
// Pure; knows nothing of ports.
#pragma once

#include <cstdint>
#include <string_view>

namespace hopscope::chain {

enum class Sure : std::uint8_t { low, medium, high, certain };
std::string_view to_string(Sure sure);
// Of a word of to_string(); any other is low.
Sure sure_named(std::string_view word);
// Sure enough to raise an alarm about, or to rely on: high or certain.
inline bool is_sure(std::string_view word) { return sure_named(word) >= Sure::high; }

// Who holds the socket, as far as that bears on the role. Each kind has a ceiling, whatever else speaks for the role.
enum class Holder : std::uint8_t {
    invisible,  // not known who (privilege): medium with traffic, CRI or probe, else low
    doubtful,   // bears a component's name and is not it (Process::role_doubt): low
    stranger,   // some other program: medium
    named,      // a third party's program, known by the number and its own name only: medium
    claimed,    // the component by its first argument alone, which the process itself chose; its executable may not be
                // read (Process::role and role_doubt): high
    proven,     // the component itself, by executable, arguments or sockets (Process::role): no ceiling
};

struct Proof {
    Holder holder = Holder::invisible;
    bool config = false;          // a setting in force names this very port or path
    bool only_candidate = false;  // the process's only listener of that kind which nothing else explains
    bool cri = false;             // the runtime's own CRI answer names it, or it answered as one
    bool traffic = false;         // decoded on this endpoint
    bool probe = false;           // it answered --probe as only such a server does
    bool behaviour = false;       // it looks and acts like it: address, number, peers
    bool version = false;         // the program's version has such a listener
    bool contradiction = false;   // something speaks against it: lowers by one, once
};

// certain = holder + (config, only candidate, CRI, traffic or probe), no contradiction; high = holder + behaviour +
// version; medium = holder + behaviour; low = holder only.
Sure sure_of(const Proof& proof);

}  // namespace hopscope::chain
