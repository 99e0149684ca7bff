// What is wrong with a listener. What each code means: cli/codes.cc.
#include <algorithm>
#include <set>

#include "chain/verdict_parts.h"
#include "chain/verdict_rules.h"
#include "chain/verdict_settings.h"
#include "core/limits.h"

namespace hopscope::chain {
namespace {

constexpr std::string_view kCriNamespace = "k8s.io";  // containerd's, of what its CRI plugin makes

class Finder {
public:
    Finder(Verdict& verdict, const Listener& listener, const NodeIndex& index, std::vector<Finding>& findings)
        : verdict_(verdict),
          listener_(listener),
          findings_(findings),
          at_(index.node().table.at),
          config_(listener.owner ? index.config(*listener.owner) : nullptr),
          name_(listener.owner ? name_of(*listener.owner) : "somebody"),
          place_(is_unix(verdict.transport) ? elide_middle(display(verdict.unix_path), kShownColumns)
                                            : listening_place(verdict.local, verdict.v6_only)) {}

    void look() {
        decoy();
        if (verdict_.role == "unknown") return;
        if (!is_sure(verdict_.confidence)) return;  // no alarm about what may be something else
        exposed();
        open_to_all_users();
        if (verdict_.role == "kubelet-api") kubelet_access();
        if (verdict_.role == "docker-api" && verdict_.transport == Transport::tcp) docker_without_tls();
        if (verdict_.role == "etcd-client" && verdict_.reach == "world") etcd_without_tls();
        if (verdict_.role == kStreamingRole) lingering();
    }

private:
    void add(const char* code, Severity severity, std::string says, std::string remedy) {
        add_finding(verdict_, code, severity, std::move(says), std::move(remedy), at_, findings_);
    }

    void decoy() {
        if (!listener_.owner || listener_.owner->role_doubt.empty() || is_component(listener_.owner->role)) return;
        add("PRT-05", Severity::warning,
            name_ + " listens on " + place_ + " and " + display(listener_.owner->role_doubt),
            "look at what it is: ls -l /proc/" + std::to_string(listener_.owner->id.pid) + "/exe");
    }

    // Listeners that are meant for this node and can be reached from outside.
    void exposed() {
        struct Rule {
            std::string_view role, reach;
            const char* code;
            Severity severity;
            const char* says;
            const char* remedy;
        };
        static constexpr Rule kRules[] = {
            {"kubelet-read-only", "", "KUB-03", Severity::warning,
             "kubelet serves pods, stats and metrics on PLACE to anybody who can connect",
             "set readOnlyPort: 0 in the kubelet's configuration, or start it with --read-only-port=0"},
            {"kubelet-healthz", "world", "KUB-04", Severity::notice,
             "the kubelet's healthz answers on PLACE, not on loopback only",
             "set healthzBindAddress: 127.0.0.1 in the kubelet's configuration"},
            {"pprof", "world", "PRT-06", Severity::warning,
             "NAME serves diagnostics (profiles, stack traces) on PLACE to anybody who can connect",
             "let its debug address be a unix socket or 127.0.0.1"},
            {"metrics", "world", "PRT-06", Severity::notice, "NAME serves metrics on PLACE to anybody who can connect",
             "let its metrics address be 127.0.0.1, or have a firewall in front"},
            {"cadvisor", "world", "PRT-08", Severity::warning,
             "the kubelet shows cAdvisor's pages on PLACE to anybody who can connect",
             "start the kubelet with --cadvisor-port=0"},
            {"apiserver-insecure", "", "PRT-09", Severity::error,
             "the API server serves the whole cluster on PLACE without asking who it is",
             "start kube-apiserver with --insecure-port=0"},
            {"containerd-api", "world", "PRT-10", Severity::error,
             "containerd's API is on PLACE: whoever can connect is root on this node",
             "remove grpc.tcp_address from containerd's configuration"},
        };
        for (const Rule& rule : kRules) {
            if (rule.role != verdict_.role || (!rule.reach.empty() && rule.reach != verdict_.reach)) continue;
            // Unix sockets named "metrics" or "debug" are as private as their file.
            if (is_unix(verdict_.transport)) continue;
            if (rule.role == "metrics" && verdict_.component != "containerd") continue;  // of others it is the custom
            add(rule.code, rule.severity, filled(rule.says), rule.remedy);
        }
        if (verdict_.role != kStreamingRole || verdict_.reach != "world") return;
        const StreamingRule* rule = listener_.owner ? streaming_rule(listener_.owner->role) : nullptr;
        add("PRT-01", Severity::warning,
            filled("NAME serves exec, attach and port-forward on PLACE: whoever can connect needs only a live token"),
            rule && !rule->loopback_remedy.empty() ? std::string(rule->loopback_remedy) : "let it listen on 127.0.0.1");
    }

    // Sockets behind which somebody with root's rights does what he is told.
    void open_to_all_users() {
        static constexpr std::string_view kMighty[] = {"cri-socket", "containerd-api", "docker-api", "shim-socket",
                                                       "nri-socket"};
        if (!listener_.access || !is_open_to_all(*listener_.access)) return;
        if (std::find(std::begin(kMighty), std::end(kMighty), verdict_.role) == std::end(kMighty)) return;
        add("PRT-11", Severity::error,
            filled("every user of this node may open PLACE (") + mode_words(*listener_.access) +
                "): whoever does is root",
            "take the right from others, chmod o-w " + place_ + ", and look for what gave it");
    }

    std::string filled(std::string text) const {
        for (const auto& [word, value] : {std::pair<std::string, const std::string&>("PLACE", place_), {"NAME", name_}})
            if (const std::size_t at = text.find(word); at != std::string::npos) text.replace(at, word.size(), value);
        return text;
    }

    [[nodiscard]] const ConfigValue* setting(std::string_view key) const {
        return config_ ? config_->find(key) : nullptr;
    }

    void kubelet_access() {
        const ConfigValue* anonymous = setting("authentication.anonymous.enabled");
        const ConfigValue* mode = setting("authorization.mode");
        const bool open = mode && plain(*mode) == "AlwaysAllow";
        if (anonymous && is_true(*anonymous))
            add("KUB-01", open ? Severity::error : Severity::warning,
                "the kubelet's API on " + place_ + " takes requests without a certificate or token: " +
                    cite(*anonymous) + (open ? ", and whoever asks may do everything" : ""),
                "set authentication.anonymous.enabled: false in the kubelet's configuration, or start it with "
                "--anonymous-auth=false");
        if (open)
            add("KUB-02", Severity::warning,
                "the kubelet's API on " + place_ + " lets everybody who is let in do everything: " + cite(*mode),
                "set authorization.mode: Webhook in the kubelet's configuration, or start it with "
                "--authorization-mode=Webhook");
    }

    void docker_without_tls() {
        for (const char* key : {"tlsverify", "tls"})
            if (const ConfigValue* value = setting(key); value && is_true(*value)) {
                // --tls without --tlsverify encrypts and still lets everybody in.
                if (std::string_view(key) == "tlsverify") return;
                add("PRT-02", Severity::warning,
                    "the Docker API on " + place_ +
                        " is encrypted, but asks for no client certificate: whoever connects is root "
                        "on this node",
                    "set tlsverify with a tlscacert in dockerd's configuration");
                return;
            }
        add("PRT-02", verdict_.reach == "loopback" ? Severity::warning : Severity::error,
            "the Docker API is on " + place_ + " without TLS: whoever connects is root on this node",
            "remove the tcp:// host from dockerd's configuration, or set tlsverify with certificates");
    }

    void etcd_without_tls() {
        const ConfigValue* urls = setting("listen-client-urls");
        if (!urls) return;
        for (const ListenPlace& place : places_of(plain(*urls)))
            if (place.scheme == "http" && same_port(place, verdict_.local) &&
                same_address(place, verdict_.local.address)) {
                add("PRT-07", Severity::error,
                    "etcd serves clients on " + place_ +
                        " without TLS: whoever connects reads and writes the whole cluster's state (" + cite(*urls) +
                        ")",
                    "use https:// in --listen-client-urls, with --client-cert-auth");
                return;
            }
    }

    void lingering() {
        // Each side that does not let go is a finding of its own: the remedy is on that side.
        for (const bool client_closed : {true, false}) {
            std::size_t count = 0;
            const Peer* first = nullptr;
            for (const Peer& peer : verdict_.peers)
                if (peer.state == "close-wait" && peer.client_closed == client_closed && ++count == 1) first = &peer;
            if (!first) continue;
            const std::string who = first->process.pid != 0 ? name_of(first->process)
                                    : first->from           ? to_string(*first->from)
                                                            : "somebody";
            const std::string holder = client_closed ? name_ : first->process.pid != 0 ? who : "the client";
            std::string says = std::to_string(count) + (count == 1 ? " connection to " : " connections to ");
            says.append(place_).append(" (").append(who).append(") in CLOSE-WAIT: the ");
            says.append(client_closed ? "client" : "server").append(" has closed, ").append(holder);
            says.append(" does not let go");
            std::string remedy;
            if (client_closed)
                remedy.append("what was run in the container still runs: hopscope why ")
                    .append(std::to_string(verdict_.local.port))
                    .append(" lists the execs; end it there, or restart ")
                    .append(holder);
            else
                remedy.append("restart ").append(holder).append(", which holds the connection");
            add("PRT-03", Severity::warning, std::move(says), std::move(remedy));
        }
    }

    Verdict& verdict_;
    const Listener& listener_;
    std::vector<Finding>& findings_;
    Timestamp at_;
    const ComponentConfig* config_;
    std::string name_, place_;
};

}  // namespace

void add_finding(Verdict& verdict, const char* code, Severity severity, std::string says, std::string remedy,
                 Timestamp at, std::vector<Finding>& findings) {
    if (verdict.remedy.empty()) verdict.remedy = remedy;
    if (std::find(verdict.findings.begin(), verdict.findings.end(), code) == verdict.findings.end())
        verdict.findings.emplace_back(code);
    if (findings.size() >= limits::kVerdictFindingsMax) return;
    Finding finding;
    finding.code = code;
    finding.severity = severity;
    finding.says = std::move(says);
    finding.remedy = std::move(remedy);
    finding.at = at;
    finding.listener = id_of(verdict);
    findings.push_back(std::move(finding));
}

namespace {

// The runtime whose CRI made the exec: the containerd that holds its FIFOs, or where only the shim does, the one that
// the shim was started for. Null: not known, or Docker's: its clients are at its API, not at a streaming port.
const hopscope::Process* runtime_of(const RunningExec& exec, const NodeIndex& index) {
    const hopscope::Process* runtime = nullptr;
    const hopscope::Process* shim = nullptr;
    for (const SocketOwner& holder : exec.holders) {
        const hopscope::Process* process = index.process(holder.process.pid);
        if (!process) continue;
        if (process->role == ProcessRole::dockerd) return nullptr;
        if (process->role == ProcessRole::containerd_shim) shim = process;
        if (process->role != ProcessRole::containerd) continue;
        if (runtime && runtime != process) return nullptr;
        runtime = process;
    }
    if (runtime || !shim || argument_of(*shim, "namespace") != kCriNamespace) return runtime;
    const std::string address = normal_path(argument_of(*shim, "address"));
    for (const Socket* socket : index.listeners()) {
        if (address.empty() || !is_unix(socket->transport) || normal_path(socket->unix_local.path) != address) continue;
        const hopscope::Process* owner = index.main_owner(*socket);
        if (owner && owner->role == ProcessRole::containerd) return owner;
    }
    return nullptr;
}

// An exec that a client waits for has a connection to the streaming server of its runtime. Which one belongs to which
// exec is not known here, so only "none at all" tells something; and only where it is known which listener that is.
std::set<std::uint32_t> runtimes_without_client(const std::vector<Verdict>& verdicts) {
    std::set<std::uint32_t> known, doubtful;
    for (const Verdict& verdict : verdicts) {
        if (verdict.role != kStreamingRole) continue;
        const bool has_client = std::any_of(verdict.peers.begin(), verdict.peers.end(),
                                            [](const Peer& peer) { return peer.state == "established"; });
        const bool sure = is_sure(verdict.confidence) && verdict.peers.size() < limits::kVerdictPeersMax;
        for (const Owner& owner : verdict.owners) (sure && !has_client ? known : doubtful).insert(owner.process.pid);
    }
    for (const std::uint32_t pid : doubtful) known.erase(pid);
    return known;
}

}  // namespace

void find_trouble(Verdict& verdict, const Listener& listener, const NodeIndex& index, std::vector<Finding>& findings) {
    Finder(verdict, listener, index, findings).look();
}

void find_left_behind(const std::vector<Verdict>& verdicts, const NodeIndex& index, std::vector<Finding>& findings) {
    const std::set<std::uint32_t> without_client = runtimes_without_client(verdicts);
    if (without_client.empty()) return;
    std::vector<std::pair<const RunningExec*, const hopscope::Process*>> execs;
    for (const RunningExec& exec : index.node().execs)
        if (const hopscope::Process* runtime = runtime_of(exec, index);
            runtime && without_client.contains(runtime->id.pid))
            execs.emplace_back(&exec, runtime);
    std::sort(execs.begin(), execs.end(), [](const auto& a, const auto& b) {
        return std::tie(a.first->container_id, a.first->exec_id) < std::tie(b.first->container_id, b.first->exec_id);
    });
    for (const auto& [exec, runtime] : execs) {
        if (findings.size() >= limits::kVerdictFindingsMax) return;
        std::string says = "exec " + display(std::string_view(exec->exec_id.raw()).substr(0, 12)) + " in container " +
                           display(exec->container_id.substr(0, 12));
        if (const ContainerNames* names = index.container(exec->container_id); names && !names->pod.empty())
            says += " (" + display(names->namespace_) + "/" + display(names->pod) +
                    (names->name.empty() ? "" : " " + display(names->name)) + ")";
        const SocketOwner& holder = *std::min_element(exec->holders.begin(), exec->holders.end());
        const hopscope::Process* process = index.process(holder.process.pid);
        Finding finding;
        finding.code = "PRT-04";
        finding.severity = Severity::warning;
        says += " still runs though no streaming connection of " + name_of(*runtime) +
                " is open: its client is gone (inferred: " +
                (process ? name_of(*process) : "process " + std::to_string(holder.process.pid)) +
                " holds its FIFOs; an exec probe looks the same while it runs)";
        finding.says = std::move(says);
        finding.remedy =
            "if it is still there in a minute, end its process: hopscope graph lists those of the container below its "
            "shim";
        finding.at = index.node().table.at;
        findings.push_back(std::move(finding));
    }
}

}  // namespace hopscope::chain
