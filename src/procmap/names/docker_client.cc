#include "procmap/names/docker_client.h"

#include <array>

#include "core/limits.h"
#include "decode/grpc/json_pick.h"
#include "decode/road.h"
#include "decode/stream/http1.h"
#include "procmap/names/http_collector.h"

namespace hopscope::procmap {
namespace {

using namespace std::string_view_literals;
using nlohmann::json;

constexpr std::string_view kContainerLabel = "io.kubernetes.container.name", kPodLabel = "io.kubernetes.pod.name",
                           kNamespaceLabel = "io.kubernetes.pod.namespace", kUidLabel = "io.kubernetes.pod.uid",
                           kTypeLabel = "io.kubernetes.docker.type", kSandboxLabel = "io.kubernetes.sandbox.id";

// A daemon may be anybody's program: what is not asked for below is never held.
decode::grpc::PickedJson parse(std::string_view text) {
    static constexpr std::array kMembers{"Version"sv, "ApiVersion"sv,  "Id"sv,       "Names"sv,
                                         "Labels"sv,  kContainerLabel, kPodLabel,    kNamespaceLabel,
                                         kUidLabel,   kTypeLabel,      kSandboxLabel};
    return decode::grpc::pick_json(text, {kMembers, limits::kDockerJsonDepthMax, limits::kPickedJsonValuesMax});
}

std::string text_at(const json& object, std::string_view name) {
    if (!object.is_object()) return {};
    const auto found = object.find(name);
    if (found == object.end() || !found->is_string()) return {};
    return found->get_ref<const std::string&>().substr(0, limits::kTextBytesKept);
}

void take_version(RuntimeAnswer& answer, const std::string& body) {
    const json version = parse(body).value;
    answer.facts.version = Untrusted(text_at(version, "Version"));
    answer.facts.api_version = text_at(version, "ApiVersion").substr(0, 16);
    answer.facts.name = Untrusted("docker");
}

void take_containers(RuntimeAnswer& answer, const std::string& body, const std::string& source) {
    const auto [list, is_cut] = parse(body);
    if (is_cut) {
        answer.facts.why_not =
            "its list of containers has more than " + std::to_string(limits::kPickedJsonValuesMax) + " values";
        return;
    }
    if (!list.is_array()) return;
    for (const json& item : list) {
        ContainerNames names;
        names.id = text_at(item, "Id");
        if (!is_container_id(names.id) || answer.containers.size() >= limits::kCriNamesMax) continue;
        const auto labels = item.find("Labels");
        const json none;
        const json& of = labels == item.end() ? none : *labels;
        names.name = Untrusted(text_at(of, kContainerLabel));
        names.pod = Untrusted(text_at(of, kPodLabel));
        names.namespace_ = Untrusted(text_at(of, kNamespaceLabel));
        names.pod_uid = Untrusted(text_at(of, kUidLabel));
        // The shim marks a pod's infra container by its type, the others by the infra container's id.
        names.sandbox_id = text_at(of, kTypeLabel) == "podsandbox" ? names.id : text_at(of, kSandboxLabel);
        if (!is_container_id(names.sandbox_id)) names.sandbox_id.clear();
        if (names.sandbox_id == names.id) names.name = {};
        const auto own = item.find("Names");  // "/web", of a container that is in no pod
        if (names.pod.empty() && own != item.end() && own->is_array() && !own->empty() && (*own)[0].is_string()) {
            const std::string& name = (*own)[0].get_ref<const std::string&>();
            names.name =
                Untrusted(std::string_view(name).substr(name.starts_with('/') ? 1 : 0, limits::kTextBytesKept));
        }
        names.runtime = "docker";
        names.source = source;
        answer.containers.push_back(std::move(names));
    }
}

// A sentence when it came to nothing; `failure` where it was the call that failed.
std::string talk(Call& call, HttpCollector& answers, std::optional<Error>& failure) {
    static constexpr std::string_view kRequests =
        "GET /version HTTP/1.1\r\nHost: docker\r\nUser-Agent: hopscope\r\n\r\n"
        "GET /containers/json HTTP/1.1\r\nHost: docker\r\nUser-Agent: hopscope\r\nConnection: close\r\n\r\n";
    decode::Road road(decode::stream::make_http1());
    road.feed(Direction::to_server, as_bytes(kRequests), answers);
    const auto failed = [&](const Error& error) {
        failure = error;
        return error.doing + ": " + error.why;
    };
    if (const Status sent = call.send(kRequests); !sent) return failed(sent.error());
    std::size_t received = 0;
    while (!answers.over(0) || !answers.over(1)) {
        const Result<Bytes> got = call.receive();
        if (!got) return failed(got.error());
        if (got->empty()) {
            road.end(Direction::to_client, answers);
            return answers.over(0) && answers.over(1) ? "" : "it closed the connection";
        }
        received += got->size();
        if (received > limits::kDockerAnswerBytesMax)
            return "its answer is larger than " + std::to_string(limits::kDockerAnswerBytesMax) + " bytes";
        road.feed(Direction::to_client, *got, answers);
        if (answers.problem() || road.dead()) return "it does not speak HTTP";
    }
    return {};
}

}  // namespace

RuntimeAnswer ask_docker(const std::string& path, const std::string& shown, Call::Clock::time_point deadline) {
    RuntimeAnswer answer;
    RuntimeFacts& facts = answer.facts;
    facts.socket_path = Untrusted(shown);
    facts.component = "docker";
    const auto waits = std::chrono::round<std::chrono::milliseconds>(deadline - Call::Clock::now());
    Result<Call> call = Call::to_unix(path, deadline);
    if (!call) {
        give_up(facts, call.error(), waits);
        return answer;
    }
    HttpCollector answers(limits::kDockerAnswerBytesMax);
    std::optional<Error> failure;
    facts.why_not = talk(*call, answers, failure);
    if (failure) give_up(facts, *failure, waits);
    if (!facts.why_not.empty()) return answer;
    const HttpAnswer &version = answers.answers()[0], &containers = answers.answers()[1];
    if (version.status == 200) take_version(answer, version.body);
    if (facts.version.empty()) {
        facts.why_not = "it is no Docker daemon (status " + std::to_string(version.status) + ")";
        return answer;
    }
    facts.answered = true;
    if (containers.status == 200)
        take_containers(answer, containers.body, "Docker at " + display(shown));
    else
        facts.why_not = "it does not list its containers (status " + std::to_string(containers.status) + ")";
    return answer;
}

}  // namespace hopscope::procmap
