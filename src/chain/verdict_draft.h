// One possible role of a listener, with what speaks for and against it. The best draft becomes the verdict.
// Internal to the verdicts.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "chain/node_index.h"
#include "chain/verdict.h"
#include "chain/verdict_proof.h"

namespace hopscope::chain {

struct Draft {
    std::string role, component;
    Proof proof;
    std::vector<Evidence> evidence;                              // without the owner's
    std::string short_why, why_this_port, why_404, what, title;  // empty: from the role's words
    std::string remedy;                                          // empty: nothing to do
    std::string cited;  // of a fallback: the setting that leaves the port to the kernel, and where it stands
    bool tls = false;
};

inline Evidence evidence(Grade grade, const char* id, std::string says, std::string source = {},
                         std::uint64_t frame = 0) {
    return {.grade = grade, .says = std::move(says), .frame = frame, .source = std::move(source), .id = id};
}

// Where the file of a unix socket is, seen from the path to which it was bound.
enum class FilePlace : std::uint8_t {
    unknown,     // not looked at, or its numbers are not known
    here,        // at the path
    moved,       // somewhere else (Listener::unix_path); at the path lies nothing, or another one
    gone,        // nowhere that was looked at; at the path lies nothing
    replaced,    // nowhere that was looked at; at the path lies another one
    own_mounts,  // at the path, as its process sees it: not a path of the host
};

// What is known of one listener before the choice.
struct Listener {
    const Socket* socket = nullptr;
    const hopscope::Process* owner = nullptr;  // the main one; null: not visible
    bool in_host_namespace = true;
    std::vector<Draft> drafts;
    std::vector<Draft> fallbacks;  // of settings that leave the port to the kernel: where nothing better is known
    std::vector<RuledOut> ruled_out;
    std::uint64_t seen = 0;
    std::string unix_path;                 // where it lies now
    std::vector<Evidence> file_evidence;   // unix: how the file was found
    FilePlace place = FilePlace::unknown;  // unix: of its file
    const SocketAccess* access = nullptr;  // unix: who may open the file, where it was found by its numbers
    std::optional<Evidence> probed;        // it was asked (--probe), and its answers fit no role
    bool answers_otherwise = false;        // … and no CRI streaming server answers so
    std::vector<Evidence> traffic_notes;   // what the time and place of a capture's traffic mean for it
};

// How far the owner may carry a role; `fits`: the role is one of that component.
Holder holder_of(const Listener& listener, bool fits);
// Adds to the draft of the same role, or a new one.
void add_draft(std::vector<Draft>& drafts, Draft draft);
const Draft* best_draft(const std::vector<Draft>& drafts);

// Each adds the drafts and the ruled out roles that it knows of.
void draft_from_settings(Listener& listener, const NodeIndex& index);  // TCP: tcp_rules()
void draft_from_number(Listener& listener);                            // TCP, UDP: number_rules(), docker-proxy
void draft_from_probe(Listener& listener, const NodeIndex& index);     // TCP
void draft_from_path(Listener& listener, const NodeIndex& index);      // unix; after find_file()
// Unix: where the file of the socket lies now.
void find_file(Listener& listener, const NodeIndex& index);
// Of all listeners: which one a capture speaks of depends on the others.
void draft_from_traffic(std::vector<Listener>& listeners, const Model& traffic, const Node& node);
// Of all listeners: which one streams depends on what explains the others. After all of the above.
void draft_streaming(std::vector<Listener>& listeners, const NodeIndex& index);

// What was seen then was another process's: the owner was started later. False also where one of the times is not
// known.
bool is_before_owner(const Listener& listener, Timestamp at);
// The kernel may have picked this port: it is in the range for that (net.ipv4.ip_local_port_range).
bool is_ephemeral(const Endpoint& local, const Node& node);
// "32768-60999".
std::string ephemeral_range(const Node& node);

}  // namespace hopscope::chain
