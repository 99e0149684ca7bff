#include "decode/grpc/cri_messages.h"

#include <cri.pb.h>
#include <google/protobuf/arena.h>

namespace hopscope::decode::grpc {
namespace {

// The kubelet's labels (k8s.io/kubernetes/pkg/kubelet/types/labels.go).
constexpr std::string_view kPodName = "io.kubernetes.pod.name";
constexpr std::string_view kPodNamespace = "io.kubernetes.pod.namespace";
constexpr std::string_view kPodUid = "io.kubernetes.pod.uid";
constexpr std::string_view kContainerName = "io.kubernetes.container.name";

template <typename Labels>
std::string_view label(const Labels& labels, std::string_view key) {
    for (const cri::Label& each : labels)
        if (each.key() == key) return each.value();
    return {};
}

std::string_view or_else(std::string_view first, std::string_view second) { return first.empty() ? second : first; }

}  // namespace

template <typename Labels, typename Metadata>
void CriMessages::add_sandbox(std::string_view id, const Metadata& metadata, const Labels& labels) {
    sandboxes_.push_back({.id = id,
                          .pod = or_else(metadata.name(), label(labels, kPodName)),
                          .namespace_ = or_else(metadata.namespace_(), label(labels, kPodNamespace)),
                          .uid = or_else(metadata.uid(), label(labels, kPodUid))});
}

template <typename Labels, typename Metadata>
void CriMessages::add_container(std::string_view id, std::string_view sandbox_id, const Metadata& metadata,
                                const Labels& labels) {
    containers_.push_back({.id = id,
                           .sandbox_id = sandbox_id,
                           .name = or_else(metadata.name(), label(labels, kContainerName)),
                           .pod = label(labels, kPodName),
                           .namespace_ = label(labels, kPodNamespace),
                           .uid = label(labels, kPodUid)});
}

template <typename Message>
void CriMessages::fill_command(CriMessage& message, const Message& body) {
    message.container_id = body.container_id();
    command_.assign(body.cmd().begin(), body.cmd().end());
    message.command = command_;
}

template <typename Message, typename Fill>
bool CriMessages::parse_and_tell(CriMessage& message, Bytes body, EventSink& sink, Fill fill) {
    google::protobuf::Arena arena;
    auto* parsed = google::protobuf::Arena::CreateMessage<Message>(&arena);
    const bool good = parsed->ParseFromArray(body.data(), static_cast<int>(body.size()));
    if (good) fill(*parsed);
    message.sandboxes = sandboxes_;
    message.containers = containers_;
    sink.on(message);
    return good;
}

bool CriMessages::tell(CriMessage message, CriBody kind, Bytes body, EventSink& sink) {
    sandboxes_.clear();
    containers_.clear();
    switch (kind) {
        case CriBody::none: sink.on(message); return true;
        case CriBody::container_id:
            return parse_and_tell<cri::Identified>(message, body, sink,
                                                   [&](const auto& m) { message.container_id = m.id(); });
        case CriBody::sandbox_id:
            return parse_and_tell<cri::Identified>(message, body, sink,
                                                   [&](const auto& m) { message.sandbox_id = m.id(); });
        case CriBody::streaming_url:
            return parse_and_tell<cri::StreamingUrl>(message, body, sink,
                                                     [&](const auto& m) { message.url = m.url(); });
        case CriBody::version:
            return parse_and_tell<cri::VersionResponse>(message, body, sink, [&](const auto& m) {
                message.runtime_name = m.runtime_name();
                message.runtime_version = m.runtime_version();
            });
        case CriBody::status:
            return parse_and_tell<cri::StatusResponse>(message, body, sink, [&](const auto& m) {
                for (const auto& condition : m.status().conditions()) {
                    if (condition.type() == "RuntimeReady") message.runtime_ready = condition.status();
                    if (condition.type() == "NetworkReady") message.network_ready = condition.status();
                }
            });
        case CriBody::exec:
            return parse_and_tell<cri::ExecRequest>(message, body, sink, [&](const auto& m) {
                fill_command(message, m);
                message.tty = m.tty();
                message.stdin_on = m.stdin();
                message.stdout_on = m.stdout();
                message.stderr_on = m.stderr();
            });
        case CriBody::attach:
            return parse_and_tell<cri::AttachRequest>(message, body, sink, [&](const auto& m) {
                message.container_id = m.container_id();
                message.tty = m.tty();
                message.stdin_on = m.stdin();
                message.stdout_on = m.stdout();
                message.stderr_on = m.stderr();
            });
        case CriBody::port_forward:
            return parse_and_tell<cri::PortForwardRequest>(message, body, sink, [&](const auto& m) {
                message.sandbox_id = m.pod_sandbox_id();
                ports_.clear();
                for (const std::int32_t port : m.port())
                    if (port > 0 && port <= 65535) ports_.push_back(static_cast<std::uint16_t>(port));
                message.ports = ports_;
            });
        case CriBody::exec_sync:
            return parse_and_tell<cri::ExecSyncRequest>(message, body, sink,
                                                        [&](const auto& m) { fill_command(message, m); });
        case CriBody::exec_sync_result:
            return parse_and_tell<cri::ExecSyncResponse>(message, body, sink,
                                                         [&](const auto& m) { message.exit_code = m.exit_code(); });
        case CriBody::run_sandbox:
            return parse_and_tell<cri::RunPodSandboxRequest>(message, body, sink, [&](const auto& m) {
                add_sandbox({}, m.config().metadata(), m.config().labels());
            });
        case CriBody::create_container:
            return parse_and_tell<cri::CreateContainerRequest>(message, body, sink, [&](const auto& m) {
                message.sandbox_id = m.pod_sandbox_id();
                message.tty = m.config().tty();
                message.stdin_on = m.config().stdin();
                add_sandbox(m.pod_sandbox_id(), m.sandbox_config().metadata(), m.sandbox_config().labels());
                add_container({}, m.pod_sandbox_id(), m.config().metadata(), m.config().labels());
            });
        case CriBody::container_filter:
            return parse_and_tell<cri::ListContainersRequest>(message, body, sink, [&](const auto& m) {
                message.container_id = m.filter().id();
                message.sandbox_id = m.filter().pod_sandbox_id();
            });
        case CriBody::container_stats_filter:
            return parse_and_tell<cri::ListContainerStatsRequest>(message, body, sink, [&](const auto& m) {
                message.container_id = m.filter().id();
                message.sandbox_id = m.filter().pod_sandbox_id();
            });
        case CriBody::sandbox_filter:
            return parse_and_tell<cri::ListPodSandboxRequest>(
                message, body, sink, [&](const auto& m) { message.sandbox_id = m.filter().id(); });
        case CriBody::sandboxes:
            return parse_and_tell<cri::ListPodSandboxResponse>(message, body, sink, [&](const auto& m) {
                for (const auto& each : m.items()) add_sandbox(each.id(), each.metadata(), each.labels());
            });
        case CriBody::sandbox_status:
            return parse_and_tell<cri::PodSandboxStatusResponse>(message, body, sink, [&](const auto& m) {
                message.sandbox_id = m.status().id();
                add_sandbox(m.status().id(), m.status().metadata(), m.status().labels());
                for (const auto& each : m.containers_statuses())
                    add_container(each.id(), m.status().id(), each.metadata(), each.labels());
            });
        case CriBody::containers:
            return parse_and_tell<cri::ListContainersResponse>(message, body, sink, [&](const auto& m) {
                for (const auto& each : m.containers())
                    add_container(each.id(), each.pod_sandbox_id(), each.metadata(), each.labels());
            });
        case CriBody::container_status:
            return parse_and_tell<cri::ContainerStatusResponse>(message, body, sink, [&](const auto& m) {
                message.container_id = m.status().id();
                add_container(m.status().id(), {}, m.status().metadata(), m.status().labels());
            });
        case CriBody::container_event:
            return parse_and_tell<cri::ContainerEventResponse>(message, body, sink, [&](const auto& m) {
                message.container_id = m.container_id();
                const std::string_view sandbox = m.pod_sandbox_status().id();
                message.sandbox_id = sandbox;
                if (m.has_pod_sandbox_status())
                    add_sandbox(sandbox, m.pod_sandbox_status().metadata(), m.pod_sandbox_status().labels());
                for (const auto& each : m.containers_statuses())
                    add_container(each.id(), sandbox, each.metadata(), each.labels());
            });
        case CriBody::container_stats:
            return parse_and_tell<cri::ContainerStatsResponse>(message, body, sink, [&](const auto& m) {
                for (const auto& each : m.stats())
                    add_container(each.attributes().id(), {}, each.attributes().metadata(), each.attributes().labels());
            });
        case CriBody::sandbox_stats:
            return parse_and_tell<cri::PodSandboxStatsResponse>(message, body, sink, [&](const auto& m) {
                for (const auto& each : m.stats())
                    add_sandbox(each.attributes().id(), each.attributes().metadata(), each.attributes().labels());
            });
    }
    return false;
}

}  // namespace hopscope::decode::grpc
