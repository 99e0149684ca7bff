#include "chain/streaming_plan.h"

#include "chain/verdict_draft.h"
#include "core/node_words.h"
#include "core/release.h"

namespace hopscope::chain {
namespace {

constexpr std::uint16_t kOldContainerdPort = 10010;  // of 1.0 and 1.1, where no setting tells another

// Options that Kubernetes 1.24 took away with the Docker shim; a kubelet of 1.24 that is given one does not start.
const char* shim_option(const hopscope::Process& process) {
    static constexpr const char* kOptions[] = {"--network-plugin",
                                               "--cni-bin-dir",
                                               "--docker-endpoint",
                                               "--container-runtime=docker",
                                               "--redirect-container-streaming",
                                               "--cadvisor-port"};
    for (const Untrusted& word : process.cmdline)
        for (const char* option : kOptions) {
            const std::string_view text = word.raw();
            const std::string_view name(option);
            if (text.starts_with(name) && (text.size() == name.size() || text[name.size()] == '=')) return option;
        }
    return nullptr;
}

void plan_kubelet(StreamingPlan& plan, const hopscope::Process& process, const ComponentConfig* config) {
    const auto none = [&](std::string says) {
        plan.state = StreamingPlan::State::none;
        plan.says = std::move(says);
    };
    const auto version = release_of(process.version);
    if (version && *version >= Release{1, 24})
        return none("the Docker shim was removed in 1.24, this is " + version_words(process));
    const ConfigValue* runtime = config ? config->find("container-runtime") : nullptr;
    if (runtime && plain(*runtime) != "docker") return none(cite(*runtime) + ": the Docker shim is off");
    if (version && *version < Release{1, 11})
        return none("before 1.11 the Docker shim streams on the kubelet's own API port under /cri/, this is " +
                    version_words(process));
    const ConfigValue* redirect = config ? config->find("redirect-container-streaming") : nullptr;
    if (redirect && is_true(*redirect))
        return none(cite(*redirect) + ": the Docker shim streams on the kubelet's own API port under /cri/");
    const char* option = version ? nullptr : shim_option(process);
    if (!version && !option && !(runtime && !runtime->is_default)) {
        const ConfigValue* endpoint = config ? config->find("containerRuntimeEndpoint") : nullptr;
        const std::string path = endpoint ? normal_path(plain(*endpoint)) : "";
        if (endpoint && !path.empty() && path.find("dockershim") == std::string::npos)
            return none(cite(*endpoint) + ": the runtime is a program of its own");
        plan.state = StreamingPlan::State::possible;  // version unknown
        return;
    }
    plan.state = StreamingPlan::State::random;
    plan.version = true;
    plan.place = ListenPlace{
        .scheme = {}, .unix_path = {}, .address = IpAddress::parse("127.0.0.1"), .named_host = false, .port = 0};
    std::string says = version_words(process);
    if (runtime) says += (version ? ", " : " with ") + words_of(*runtime);
    if (option) says += std::string(runtime ? ", " : " with ") + option;
    says += ": has the Docker shim, whose streaming server listens on 127.0.0.1, port 0 (1.11 to 1.23)";
    plan.evidence.push_back(evidence(Grade::decoded, "version", std::move(says),
                                     runtime && !runtime->is_default ? source_of(*runtime) : cmdline_path(process)));
}

void plan_place(StreamingPlan& plan, const StreamingRule& rule, const ComponentConfig& config,
                const ConfigValue& port) {
    if (const auto number = number_of(port)) {
        plan.port = *number;
        if (const ConfigValue* address = config.find(rule.address_key)) {
            const std::string_view host = plain(*address);
            ListenPlace place;
            place.address = IpAddress::parse(host == "localhost" ? "127.0.0.1" : host);
            // Without an address containerd and CRI-O take one of the node's, which is not written down anywhere.
            place.named_host = !place.address;
            plan.place = place;
        }
    } else if (rule.address_key.empty()) {
        const std::vector<ListenPlace> places = places_of(plain(port));
        plan.place = places.empty() ? ListenPlace{} : places.front();
        plan.port = plan.place->port;
    }
    plan.state = plan.port == 0 ? StreamingPlan::State::random : StreamingPlan::State::fixed;
}

void plan_runtime(StreamingPlan& plan, const StreamingRule& rule, const hopscope::Process& process,
                  const ComponentConfig* config) {
    if (rule.owner == ProcessRole::containerd && !has_cri(config, &plan.says)) {
        plan.state = StreamingPlan::State::none;
        return;
    }
    const auto version = release_of(process.version);
    plan.version = version.has_value() || rule.owner == ProcessRole::cri_dockerd;
    const ConfigValue* port = config ? config->find(rule.port_key) : nullptr;
    if (port) {
        plan.setting = port;
        plan_place(plan, rule, *config, *port);
        std::string says = words_of(*port);
        if (plan.state == StreamingPlan::State::random)
            says += rule.address_key.empty() && plain(*port).empty()
                        ? ": all addresses, and the kernel picks a new port at every start"
                        : ": the kernel picks a new port at every start";
        else
            says += " names this port";
        const bool guessed = is_assumed(*port, config);
        if (guessed) {
            plan.assumed = config->trouble.front();
            says += "; assumed, for not all of its settings could be read";
        }
        plan.evidence.push_back(
            evidence(guessed ? Grade::inferred : Grade::decoded, "config", std::move(says), source_of(*port)));
    } else if (version) {
        const bool old = rule.owner == ProcessRole::containerd && *version < Release{1, 2};
        plan.state = old ? StreamingPlan::State::fixed : StreamingPlan::State::random;
        if (old) plan.port = kOldContainerdPort;
    }
    if (version)
        plan.evidence.push_back(
            evidence(Grade::decoded, "version", version_words(process) + " has a CRI streaming server"));
    const ConfigValue* tls = config ? config->find(rule.tls_key) : nullptr;
    if (tls && is_true(*tls)) {
        plan.tls = true;
        plan.tls_words = cite(*tls);
    }
}

}  // namespace

bool has_cri(const ComponentConfig* config, std::string* says) {
    const ConfigValue* disabled = config ? config->find("disabled_plugins") : nullptr;
    if (!disabled || !names_cri_plugin(plain(*disabled))) return true;
    if (says) *says = "the CRI plugin is off: " + cite(*disabled);
    return false;
}

StreamingPlan streaming_plan(const hopscope::Process& process, const StreamingRule& rule, const NodeIndex& index) {
    const ComponentConfig* config = index.config(process);
    StreamingPlan plan;
    plan.settings_known = config && config->trouble.empty();
    if (rule.owner == ProcessRole::kubelet)
        plan_kubelet(plan, process, config);
    else
        plan_runtime(plan, rule, process, config);
    return plan;
}

}  // namespace hopscope::chain
