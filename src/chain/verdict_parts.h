// The parts of a verdict beside its role: who can reach it, who is connected, what is wrong with it.
// Internal to the verdicts.
#pragma once

#include <string>
#include <vector>

#include "chain/verdict_draft.h"

namespace hopscope::chain {

// Verdict::reach and the sentence for it.
struct Reach {
    std::string word, sentence;
};
Reach reach_of(const Listener& listener, const Node& node);

// Whatever its user, a process may connect.
bool is_open_to_all(const SocketAccess& access);
// "srw-rw---- root:docker", as ls -l tells it; numbers where the host has no names.
std::string mode_words(const SocketAccess& access);

// At most limits::kVerdictPeersMax, sorted.
std::vector<Peer> peers_of(const Socket& listener, const NodeIndex& index);

// The execs whose FIFOs one of these owners holds open. At most limits::kVerdictPeersMax, sorted.
std::vector<OpenExec> execs_of(const std::vector<Owner>& owners, const NodeIndex& index);

// Adds what is wrong with one listener; its code to the verdict, with a remedy where the verdict has none.
void find_trouble(Verdict& verdict, const Listener& listener, const NodeIndex& index, std::vector<Finding>& findings);
// Of the whole node: execs whose client is gone.
void find_left_behind(const std::vector<Verdict>& verdicts, const NodeIndex& index, std::vector<Finding>& findings);

}  // namespace hopscope::chain
