// Settings of a component as the verdicts read them: which address and port a value names, and how it is cited.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/node.h"

namespace hopscope::chain {

// `stream_server_port = "0"`: key and value, without where it stands. Safe to show.
std::string words_of(const ConfigValue& value);
// "/etc/containerd/config.toml:12", "/proc/812/cmdline", "default". Safe to show.
std::string source_of(const ConfigValue& value);
// Both: `stream_server_port = "0" (/etc/containerd/config.toml:12)`.
std::string cite(const ConfigValue& value);

// Nothing sets it as far as could be read, and not all settings could be: another value may be in force. A guess, never
// proof.
bool is_assumed(const ConfigValue& value, const ComponentConfig* config);
// cite() with that said, and why: `port = 10250 (default, assumed: cannot read /x.yaml: Permission denied)`.
std::string cite(const ConfigValue& value, const ComponentConfig* config);
// How to come to know the settings that could not be read. Empty: all could.
std::string how_to_read(const ComponentConfig* config);

// The value without blanks and quotes around it.
std::string_view plain(const ConfigValue& value);
std::optional<std::uint16_t> number_of(const ConfigValue& value);
bool is_true(const ConfigValue& value);

// Where a value says that a component listens.
struct ListenPlace {
    std::string scheme;                // "tcp", "http", "unix" …; empty: none written
    std::string unix_path;             // then nothing below
    std::optional<IpAddress> address;  // none: all addresses, or a name that only DNS knows (`named_host`)
    bool named_host = false;
    std::uint16_t port = 0;  // 0: none written, or "any"
};
// Of "127.0.0.1:1338", ":0", "unix:///run/x.sock", "https://10.0.0.1:2379,https://127.0.0.1:2379",
// ["tcp://0.0.0.0:2375"].
std::vector<ListenPlace> places_of(std::string_view value);
// True if a listener on `endpoint` may be the one at `place`: same port, and the address does not differ.
bool same_port(const ListenPlace& place, const Endpoint& endpoint);
bool same_address(const ListenPlace& place, const IpAddress& address);

}  // namespace hopscope::chain
