#include "chain/verdict.h"

#include <algorithm>

#include "chain/verdict_draft.h"
#include "chain/verdict_parts.h"
#include "chain/verdict_rules.h"
#include "chain/verdict_settings.h"

namespace hopscope::chain {
namespace {

// In the order in which `why` tells it.
int rank_of(const std::string& id) {
    static constexpr std::string_view kOrder[] = {"owner",   "config", "version", "behaviour",
                                                  "traffic", "cri",    "probe",   "contradiction"};
    return static_cast<int>(std::find(std::begin(kOrder), std::end(kOrder), id) - std::begin(kOrder));
}

std::vector<Evidence> owner_evidence(const Listener& listener) {
    std::vector<Evidence> all;
    const Socket& socket = *listener.socket;
    const std::string socket_words =
        (socket.transport == Transport::udp ? "UDP socket, inode " : "LISTEN inode ") + std::to_string(socket.inode);
    if (!listener.owner) {
        if (socket.owners.empty())
            all.push_back(evidence(
                Grade::inferred, "owner",
                socket.inode == 0
                    ? "no process owns it: it is the kernel's own"
                    : socket_words + " belongs to a process that cannot be seen (privilege), or to the kernel itself"));
        else
            all.push_back(evidence(Grade::inferred, "owner",
                                   socket_words + " belongs to process " +
                                       std::to_string(socket.owners.front().process.pid) +
                                       ", which has ended or cannot be seen"));
        return all;
    }
    const hopscope::Process& owner = *listener.owner;
    const std::string proc = "/proc/" + std::to_string(owner.id.pid);
    std::uint32_t fd = 0;
    for (const SocketOwner& each : socket.owners)
        if (each.process.pid == owner.id.pid && (fd == 0 || each.fd < fd)) fd = each.fd;
    all.push_back(evidence(Grade::decoded, "owner",
                           socket_words + " is fd " + std::to_string(fd) + " of " + name_of(owner),
                           proc + "/fd/" + std::to_string(fd)));
    if (is_component(owner.role) && !owner.role_proof.empty())
        all.push_back(evidence(
            owner.role_doubt.empty() ? Grade::decoded : Grade::inferred, "owner",
            name_of(owner) + " is " + std::string(to_string(owner.role)) + ": " + display(owner.role_proof.front()),
            proc + "/exe"));
    if (!owner.role_doubt.empty() && is_component(owner.role))
        all.push_back(
            evidence(Grade::inferred, "owner", name_of(owner) + ": " + display(owner.role_doubt), proc + "/exe"));
    else if (!owner.role_doubt.empty())
        all.push_back(
            evidence(Grade::decoded, "contradiction", name_of(owner) + " " + display(owner.role_doubt), proc + "/exe"));
    return all;
}

// What could not be read of the owner's settings: whatever is said of them may be wrong.
void add_trouble(std::vector<Evidence>& all, const Listener& listener, const NodeIndex& index) {
    const ComponentConfig* config = listener.owner ? index.config(*listener.owner) : nullptr;
    if (!config) return;
    constexpr std::size_t kTroubleTold = 3;
    for (std::size_t i = 0; i < std::min(config->trouble.size(), kTroubleTold); ++i)
        all.push_back(evidence(Grade::inferred, "config", "its settings are not all known: " + config->trouble[i]));
}

std::vector<Owner> owners_of(const Listener& listener, const NodeIndex& index) {
    std::vector<SocketOwner> sorted = listener.socket->owners;
    std::sort(sorted.begin(), sorted.end());
    // The one that tells the role first.
    std::stable_partition(sorted.begin(), sorted.end(), [&](const SocketOwner& each) {
        return listener.owner && each.process.pid == listener.owner->id.pid;
    });
    std::vector<Owner> owners;
    owners.reserve(sorted.size());
    for (const SocketOwner& each : sorted) owners.push_back(index.owner(each));
    return owners;
}

std::string title_of(const Draft& draft) {
    if (!draft.title.empty()) return draft.title;
    const RoleText* text = role_text(draft.role);
    const std::string noun = text ? std::string(text->noun) : draft.role;
    return draft.component.empty() ? "a " + noun : draft.component + "'s " + noun;
}

// Settings that are as sure of another role as the chosen one is: both cannot be right.
void add_conflicts(Draft& chosen, const std::vector<Draft>& drafts) {
    for (const Draft& other : drafts) {
        if (other.role == chosen.role || sure_of(other.proof) < Sure::high) continue;
        // Two settings may well name one port (etcd's client and metrics URLs); what was observed contradicts a
        // setting.
        if (!chosen.proof.traffic && !chosen.proof.cri && !chosen.proof.probe) continue;
        chosen.proof.contradiction = true;
        chosen.evidence.push_back(evidence(Grade::inferred, "contradiction",
                                           "by its settings it is " + title_of(other) +
                                               (other.short_why.empty() ? "" : " (" + other.short_why + ")")));
    }
}

void remove_repeated(std::vector<Evidence>& all) {
    std::vector<Evidence> kept;
    for (Evidence& each : all)
        if (std::none_of(kept.begin(), kept.end(),
                         [&](const Evidence& other) { return other.says == each.says && other.id == each.id; }))
            kept.push_back(std::move(each));
    all = std::move(kept);
}

void describe(Verdict& verdict, const Draft& draft) {
    const RoleText* text = role_text(draft.role);
    verdict.role = draft.role;
    verdict.component = draft.component;
    verdict.title = title_of(draft);
    verdict.short_why = draft.short_why;
    verdict.why_this_port = draft.why_this_port;
    verdict.what_it_does = draft.what;
    verdict.remedy = draft.remedy;
    if (!text) return;
    if (verdict.what_it_does.empty() || (draft.role != kStreamingRole && !text->what.empty())) {
        const std::string own = verdict.what_it_does;
        verdict.what_it_does = std::string(text->what);
        if (!own.empty()) verdict.what_it_does = own + (text->what.empty() ? "" : " " + std::string(text->what));
    }
    verdict.why_404 = draft.why_404.empty() ? std::string(text->why_404) : draft.why_404;
}

std::string how_to_tell(const Verdict& verdict, const Listener& listener) {
    // kubectl exec passes only where a streaming server may be: dockerd, etcd and the like have none.
    const bool may_stream = listener.owner && streaming_rule(listener.owner->role);
    const std::string capture = may_stream ? "a capture during kubectl exec" : "a capture while it is in use";
    if (listener.probed) return capture + " tells (--with FILE): the probe did not";
    return "hopscope why " + std::to_string(verdict.local.port) + " --probe asks it harmlessly (loopback only); " +
           capture + " tells as well (--with FILE)";
}

// Who may use a listener once connected: what its settings say where they are known, else what is usual.
std::string login_words(const Verdict& verdict, const Listener& listener, const NodeIndex& index) {
    const RoleText* text = role_text(verdict.role);
    if (!text) return "";
    const ComponentConfig* config = listener.owner ? index.config(*listener.owner) : nullptr;
    const ConfigValue* anonymous = config ? config->find("authentication.anonymous.enabled") : nullptr;
    if (verdict.role != "kubelet-api" || !anonymous) return std::string(text->login);
    if (is_assumed(*anonymous, config))
        return "Whether requests without a certificate or token are let in is not known: " + config->trouble.front() +
               ". By default they are" + (is_true(*anonymous) ? "" : " not") + "; that is only assumed.";
    if (!is_true(*anonymous))
        return "The kubelet asks for a client certificate or a bearer token: " + cite(*anonymous) + ".";
    const ConfigValue* mode = config->find("authorization.mode");
    return "Nobody must say who he is: " + cite(*anonymous) +
           (mode ? "; what he may do is decided by " + cite(*mode, config) : "") + ".";
}

// "container main of pod default/web-0"; of a container that no runtime names its id. Safe to show.
std::string container_words(const hopscope::Process& process, const NodeIndex& index) {
    const K8sNames names = index.names_of(process.container_id.raw());
    std::string text =
        "container " + display(names.container.empty() ? std::string_view(process.container_id.raw()).substr(0, 12)
                                                       : std::string_view(names.container.raw()));
    if (!names.pod.empty()) text += " of pod " + display(names.namespace_) + "/" + display(names.pod);
    return text;
}

void describe_unknown(Verdict& verdict, const Listener& listener, const NodeIndex& index) {
    verdict.role = "unknown";
    verdict.confidence = std::string(to_string(Sure::low));
    const std::string kind = is_unix(verdict.transport) ? "socket" : "listener";
    if (!listener.owner) {
        verdict.title = "a " + kind + " whose owner cannot be seen";
        verdict.short_why = "its owner cannot be seen";
        return;
    }
    const hopscope::Process& owner = *listener.owner;
    if (is_component(owner.role)) {
        verdict.title = "an unknown " + kind + " of " + name_of(owner);
        verdict.component = std::string(to_string(owner.role));
        verdict.short_why =
            std::string("no setting and no traffic explains it") + (listener.probed ? "" : "; try --probe");
        if (!is_unix(verdict.transport)) verdict.remedy = how_to_tell(verdict, listener);
        return;
    }
    verdict.title = "a " + kind + " of " + name_of(owner);
    verdict.short_why = "not a component of the node";
    if (!owner.role_doubt.empty()) {
        verdict.title += ", which " + display(owner.role_doubt);
    } else if (!owner.container_id.empty()) {
        verdict.short_why = container_words(owner, index);
        verdict.title += " in " + verdict.short_why;
    } else {
        verdict.title += ", which is not known as a component of a Kubernetes node";
    }
}

// A runtime that does not answer: it may be stopped, and names are missing. Told at its socket and where it streams.
void tell_silence(Verdict& verdict, const Listener& listener, const NodeIndex& index) {
    if (!listener.owner) return;
    for (const RuntimeFacts& runtime : index.node().runtimes) {
        if (runtime.waited_ms == 0) continue;
        const bool here = index.is_asked(*listener.socket, runtime);
        const hopscope::Process* asked = here || verdict.role != kStreamingRole ? nullptr : index.asked(runtime);
        if (!here && (!asked || asked->id != listener.owner->id)) continue;
        const std::string path = elide_middle(display(runtime.socket_path), kShownColumns);
        verdict.evidence.push_back(evidence(Grade::decoded, "cri",
                                            (here ? std::string("it") : name_of(*listener.owner)) +
                                                " was asked and did not answer within " +
                                                std::to_string(runtime.waited_ms) + " ms: names of pods are missing",
                                            path));
        if (verdict.remedy.empty())
            verdict.remedy =
                "see whether " + name_of(*listener.owner) + " is stopped or overloaded: ps -o stat,wchan -p " +
                std::to_string(listener.owner->id.pid) + " (T: stopped, kill -CONT lets it go on), its log";
    }
}

Verdict verdict_of(Listener& listener, const NodeIndex& index, std::vector<Finding>& findings) {
    const Socket& socket = *listener.socket;
    Verdict verdict;
    verdict.transport = socket.transport;
    verdict.local = socket.local;
    verdict.v6_only = socket.v6_only;
    verdict.unix_path = listener.unix_path;
    verdict.inode = socket.inode;
    verdict.net_namespace = socket.net_namespace;
    verdict.owners = owners_of(listener, index);
    verdict.seen = listener.seen;
    verdict.evidence = owner_evidence(listener);
    add_trouble(verdict.evidence, listener, index);
    verdict.evidence.insert(verdict.evidence.end(), listener.file_evidence.begin(), listener.file_evidence.end());
    if (listener.probed) verdict.evidence.push_back(*listener.probed);
    verdict.evidence.insert(verdict.evidence.end(), listener.traffic_notes.begin(), listener.traffic_notes.end());

    const Draft* best = best_draft(listener.drafts);
    const bool usurped = best && !best->proof.cri && is_usurped(*best, listener, index);
    const bool decoy = best && (best->proof.holder == Holder::doubtful || usurped);
    if (best && !decoy) {
        Draft chosen = *best;
        add_conflicts(chosen, listener.drafts);
        verdict.confidence = std::string(to_string(sure_of(chosen.proof)));
        describe(verdict, chosen);
        if (verdict.role == kStreamingRole && sure_of(chosen.proof) <= Sure::medium)
            verdict.remedy = how_to_tell(verdict, listener);
        verdict.evidence.insert(verdict.evidence.end(), chosen.evidence.begin(), chosen.evidence.end());
    } else {
        if (decoy) verdict.evidence.insert(verdict.evidence.end(), best->evidence.begin(), best->evidence.end());
        describe_unknown(verdict, listener, index);
    }
    tell_silence(verdict, listener, index);
    remove_repeated(verdict.evidence);
    std::stable_sort(verdict.evidence.begin(), verdict.evidence.end(),
                     [](const Evidence& a, const Evidence& b) { return rank_of(a.id) < rank_of(b.id); });
    for (const RuledOut& each : listener.ruled_out)
        if (each.role != verdict.role) verdict.ruled_out.push_back(each);

    const Reach reach = reach_of(listener, index.node());
    verdict.reach = reach.word;
    verdict.who_can_reach = reach.sentence;
    if (const std::string login = login_words(verdict, listener, index); !login.empty())
        verdict.who_can_reach += " " + login;
    verdict.peers = peers_of(socket, index);
    if (verdict.role == kStreamingRole || verdict.role == "docker-api") verdict.execs = execs_of(verdict.owners, index);
    // What could not be read matters where the verdict hangs on it.
    const ComponentConfig* config = listener.owner ? index.config(*listener.owner) : nullptr;
    if (verdict.remedy.empty() && verdict.confidence != to_string(Sure::certain)) verdict.remedy = how_to_read(config);
    if (is_unix(verdict.transport)) tell_place(verdict, listener, index, findings);
    find_trouble(verdict, listener, index, findings);
    return verdict;
}

// Components' first, TCP before unix before UDP, by port or path.
auto sort_key(const Verdict& verdict) {
    const int group = verdict.transport == Transport::tcp ? 0 : is_unix(verdict.transport) ? 1 : 2;
    return std::tuple(verdict.component.empty(), group, verdict.local.port, verdict.unix_path, verdict.local.address,
                      verdict.net_namespace, verdict.inode);
}

std::uint64_t calls_on(const Model& traffic, const Listener& listener) {
    std::uint64_t count = 0;
    for (const Chain& chain : traffic.chains)
        for (const Hop& hop : chain.hops)
            if (hop.unix_socket && !hop.unix_socket->path.empty() && !is_before_owner(listener, hop.start) &&
                normal_path(hop.unix_socket->path) == normal_path(listener.unix_path))
                ++count;
    return count;
}

}  // namespace

Judgement judge(const Node& node, const Model* traffic) {
    const NodeIndex index(node);
    std::vector<Listener> listeners;
    listeners.reserve(index.listeners().size());
    for (const Socket* socket : index.listeners()) {
        Listener& listener = listeners.emplace_back();
        listener.socket = socket;
        listener.owner = index.main_owner(*socket);
        listener.in_host_namespace = node.host_net_namespace == 0 || socket->net_namespace == 0 ||
                                     node.host_net_namespace == socket->net_namespace;
        if (is_unix(socket->transport)) {
            find_file(listener, index);
            draft_from_path(listener, index);
            if (traffic) listener.seen = calls_on(*traffic, listener);
            continue;
        }
        if (socket->transport == Transport::tcp) {
            draft_from_settings(listener, index);
            draft_from_probe(listener, index);
        }
        draft_from_number(listener);
    }
    if (traffic) draft_from_traffic(listeners, *traffic, node);
    draft_streaming(listeners, index);
    for (Listener& listener : listeners)
        if (listener.drafts.empty()) listener.drafts = std::move(listener.fallbacks);

    Judgement judgement;
    judgement.verdicts.reserve(listeners.size());
    for (Listener& listener : listeners) judgement.verdicts.push_back(verdict_of(listener, index, judgement.findings));
    std::sort(judgement.verdicts.begin(), judgement.verdicts.end(),
              [](const Verdict& a, const Verdict& b) { return sort_key(a) < sort_key(b); });
    find_left_behind(judgement.verdicts, index, judgement.findings);
    return judgement;
}

ListenerId id_of(const Verdict& verdict) {
    return {.transport = verdict.transport,
            .local = verdict.local,
            .unix_path = verdict.unix_path,
            .inode = verdict.inode,
            .net_namespace = verdict.net_namespace};
}

bool is_about(const Finding& finding, const Verdict& verdict) {
    return finding.listener && *finding.listener == id_of(verdict);
}

PortFact port_fact(const Verdict& verdict) {
    PortFact fact;
    fact.local = verdict.local;
    fact.role = verdict.role;
    fact.component = verdict.component;
    fact.confidence = verdict.confidence;
    fact.reach = verdict.reach;
    fact.seen = verdict.seen;
    fact.evidence = verdict.evidence;
    fact.findings = verdict.findings;
    fact.title = verdict.title;
    fact.ruled_out = verdict.ruled_out;
    if (!verdict.owners.empty()) fact.process = verdict.owners.front().process;
    if (is_unix(verdict.transport)) fact.unix_path = Untrusted(verdict.unix_path);
    return fact;
}

}  // namespace hopscope::chain
