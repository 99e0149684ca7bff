#include "decode/grpc/cri_shapes.h"

#include <cri.pb.h>
#include <google/protobuf/arena.h>

#include <algorithm>

namespace hopscope::decode::grpc {
namespace {

constexpr std::size_t kIdHexDigits = 64;
constexpr std::size_t kTokenChars = 8;

bool is_id(std::string_view text) {
    return text.size() == kIdHexDigits && std::all_of(text.begin(), text.end(), [](char c) {
               return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
           });
}

bool is_token_char(char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' || c == '_';
}

template <typename Labels>
bool has_label(const Labels& labels, std::string_view key, std::string_view value) {
    return std::any_of(labels.begin(), labels.end(), [&](const cri::Label& each) {
        return each.key() == key && (value.empty() || each.value() == value);
    });
}

bool is_sandbox_metadata(const cri::PodSandboxMetadata& metadata) {
    return !metadata.name().empty() && !metadata.uid().empty() && !metadata.namespace_().empty();
}

// A message of type M, and whether it is one at all. Fields that M does not know are found in unknown_fields().
template <typename M, typename Accepts>
bool is(Bytes body, Accepts accepts) {
    google::protobuf::Arena arena;
    auto* message = google::protobuf::Arena::CreateMessage<M>(&arena);
    return message->ParseFromArray(body.data(), static_cast<int>(body.size())) && accepts(*message);
}

bool is_containers(Bytes body) {
    return is<cri::ListContainersResponse>(body, [](const auto& m) {
        const auto fits = [](const cri::Container& each) {
            return is_id(each.id()) && is_id(each.pod_sandbox_id()) && !each.metadata().name().empty() &&
                   has_label(each.labels(), "io.kubernetes.container.name", each.metadata().name()) &&
                   has_label(each.labels(), "io.kubernetes.pod.name", {});
        };
        return m.containers_size() > 0 && m.unknown_fields().empty() &&
               std::all_of(m.containers().begin(), m.containers().end(), fits);
    });
}

bool is_sandboxes(Bytes body) {
    return is<cri::ListPodSandboxResponse>(body, [](const auto& m) {
        const auto fits = [](const cri::PodSandbox& each) {
            return is_id(each.id()) && is_sandbox_metadata(each.metadata()) &&
                   has_label(each.labels(), "io.kubernetes.pod.name", each.metadata().name());
        };
        return m.items_size() > 0 && m.unknown_fields().empty() &&
               std::all_of(m.items().begin(), m.items().end(), fits);
    });
}

bool is_container_status(Bytes body) {
    return is<cri::ContainerStatusResponse>(body, [](const auto& m) {
        const cri::ContainerStatus& status = m.status();
        return is_id(status.id()) && !status.metadata().name().empty() &&
               has_label(status.labels(), "io.kubernetes.container.name", status.metadata().name());
    });
}

bool is_sandbox_status(Bytes body) {
    return is<cri::PodSandboxStatusResponse>(body, [](const auto& m) {
        const cri::PodSandboxStatus& status = m.status();
        return is_id(status.id()) && is_sandbox_metadata(status.metadata()) &&
               has_label(status.labels(), "io.kubernetes.pod.name", status.metadata().name());
    });
}

}  // namespace

std::string_view streaming_kind_of_url(std::string_view url) {
    if (const std::size_t colon = url.find("://"); colon != std::string_view::npos) {
        const std::string_view scheme = url.substr(0, colon);
        if (scheme != "http" && scheme != "https") return {};
        url.remove_prefix(colon + 1);
    }
    if (!url.starts_with("//")) return {};
    url.remove_prefix(2);
    const std::size_t slash = url.find('/');
    if (slash == 0 || slash == std::string_view::npos) return {};
    url.remove_prefix(slash);
    if (url.starts_with("/cri/")) url.remove_prefix(4);
    for (const std::string_view kind :
         {std::string_view("exec"), std::string_view("attach"), std::string_view("portforward")}) {
        if (url.size() != 1 + kind.size() + 1 + kTokenChars || url.substr(1, kind.size()) != kind) continue;
        const std::string_view token = url.substr(1 + kind.size());
        if (token[0] == '/' && std::all_of(token.begin() + 1, token.end(), is_token_char)) return kind;
    }
    return {};
}

const CriMethod* method_of_answer(Bytes body) {
    // Field 1, length-delimited: every one of them begins so.
    if (body.size() < 4 || body[0] != 0x0a) return nullptr;
    std::string_view name;
    const bool has_url = is<cri::StreamingUrl>(body, [&](const auto& m) {
        const std::string_view kind = streaming_kind_of_url(m.url());
        if (kind == "exec") name = "Exec";
        if (kind == "attach") name = "Attach";
        if (kind == "portforward") name = "PortForward";
        return !name.empty() && m.unknown_fields().empty();
    });
    if (!has_url) {
        name = is_containers(body)         ? "ListContainers"
               : is_sandboxes(body)        ? "ListPodSandbox"
               : is_container_status(body) ? "ContainerStatus"
               : is_sandbox_status(body)   ? "PodSandboxStatus"
                                           : std::string_view();
    }
    return name.empty() ? nullptr : find_cri_method(name);
}

bool may_ask_for_stream(Bytes body) {
    return body.size() >= 2 + kIdHexDigits && body[0] == 0x0a && body[1] == kIdHexDigits &&
           is_id(as_text(body.subspan(2, kIdHexDigits)));
}

bool fits_request(const CriMethod& method, Bytes body) {
    if (!may_ask_for_stream(body)) return false;
    switch (method.request) {
        case CriBody::exec:
            return is<cri::ExecRequest>(body,
                                        [](const auto& m) { return m.cmd_size() > 0 && m.unknown_fields().empty(); });
        case CriBody::attach:
            return is<cri::AttachRequest>(body, [](const auto& m) { return m.unknown_fields().empty(); });
        case CriBody::port_forward:
            return is<cri::PortForwardRequest>(body, [](const auto& m) { return m.unknown_fields().empty(); });
        default: return false;
    }
}

}  // namespace hopscope::decode::grpc
