#include "record/cri_masker.h"

#include <algorithm>
#include <array>
#include <span>
#include <string_view>

#include "chain/url.h"
#include "decode/grpc/ttrpc_messages.h"
#include "record/spec_masker.h"

namespace hopscope::record {
namespace {

using decode::grpc::CriBody;

enum class Keep : std::uint8_t { text, command, url, label, message, process_spec };

// Fields that stay, of one message type; k8s.io/cri-api/pkg/apis/runtime/v1/api.proto has the numbers.
struct Field {
    std::uint32_t number;
    Keep keep;
    std::span<const Field> inner = {};
};

constexpr Field text(std::uint32_t number) { return {number, Keep::text}; }
constexpr Field labels(std::uint32_t number) { return {number, Keep::label}; }
constexpr Field message(std::uint32_t number, std::span<const Field> inner) { return {number, Keep::message, inner}; }

constexpr std::array kIdentified = {text(1)};
constexpr std::array kStreamingUrl = {Field{1, Keep::url}};
constexpr std::array kVersion = {text(1), text(2), text(3), text(4)};
constexpr std::array kCondition = {text(1)};
constexpr std::array kConditions = {message(1, kCondition)};
constexpr std::array kStatus = {message(1, kConditions)};
constexpr std::array kCommand = {text(1), Field{2, Keep::command}};
constexpr std::array kPortForward = {text(1), text(2)};  // the ports may be packed
constexpr std::array kSandboxMetadata = {text(1), text(2), text(3)};
constexpr std::array kContainerMetadata = {text(1)};
constexpr std::array kSandboxConfig = {message(1, kSandboxMetadata), labels(6)};
constexpr std::array kRunSandbox = {message(1, kSandboxConfig)};
constexpr std::array kContainerConfig = {message(1, kContainerMetadata), labels(9)};
constexpr std::array kCreateContainer = {text(1), message(2, kContainerConfig), message(3, kSandboxConfig)};
constexpr std::array kContainerFilter = {text(1), text(3)};
constexpr std::array kStatsFilter = {text(1), text(2)};
constexpr std::array kContainerFilters = {message(1, kContainerFilter)};
constexpr std::array kStatsFilters = {message(1, kStatsFilter)};
constexpr std::array kSandboxFilters = {message(1, kIdentified)};
constexpr std::array kSandbox = {text(1), message(2, kSandboxMetadata), labels(5)};
constexpr std::array kSandboxes = {message(1, kSandbox)};
constexpr std::array kContainer = {text(1), text(2), message(3, kContainerMetadata), labels(8)};
constexpr std::array kContainers = {message(1, kContainer)};
constexpr std::array kContainerStatus = {text(1), message(2, kContainerMetadata), labels(12)};
constexpr std::array kContainerStatusAnswer = {message(1, kContainerStatus)};
constexpr std::array kSandboxStatus = {text(1), message(2, kSandboxMetadata), labels(7)};
constexpr std::array kSandboxStatusAnswer = {message(1, kSandboxStatus), message(3, kContainerStatus)};
constexpr std::array kContainerEvent = {text(1), message(4, kSandboxStatus), message(5, kContainerStatus)};
constexpr std::array kContainerAttributes = {text(1), message(2, kContainerMetadata), labels(3)};
constexpr std::array kContainerStats = {message(1, kContainerAttributes)};
constexpr std::array kContainerStatsAnswer = {message(1, kContainerStats)};
constexpr std::array kSandboxAttributes = {text(1), message(2, kSandboxMetadata), labels(3)};
constexpr std::array kSandboxStats = {message(1, kSandboxAttributes)};
constexpr std::array kSandboxStatsAnswer = {message(1, kSandboxStats)};

// github.com/containerd/ttrpc, request.proto; containerd's api/runtime/task/v2/shim.proto.
constexpr std::array kNamed = {text(1), text(2)};
constexpr std::array kAnySpec = {text(1), Field{2, Keep::process_spec}};
constexpr std::array kExecTask = {text(1), text(2), message(7, kAnySpec)};
// containerd's api/services/tasks/v1/tasks.proto.
constexpr std::array kExecService = {text(1), message(6, kAnySpec), text(7)};
constexpr std::array kKeyValue = {text(1), text(2)};
constexpr std::array kOtherRequest = {text(1), text(2)};
constexpr std::array kNamedRequest = {text(1), text(2), message(3, kNamed), message(5, kKeyValue)};
constexpr std::array kCreateRequest = {text(1), text(2), message(3, kIdentified), message(5, kKeyValue)};
constexpr std::array kExecTaskRequest = {text(1), text(2), message(3, kExecTask), message(5, kKeyValue)};
constexpr std::array<Field, 0> kNumbers = {};
constexpr std::array kWaitService = {message(2, kNumbers)};
constexpr std::array kTaskAnswer = {message(1, kNumbers), message(2, kNumbers)};
constexpr std::array kOtherAnswer = {message(1, kNumbers)};

std::span<const Field> fields_of(CriBody kind) {
    switch (kind) {
        case CriBody::container_id:
        case CriBody::sandbox_id:
        case CriBody::attach: return kIdentified;
        case CriBody::streaming_url: return kStreamingUrl;
        case CriBody::version: return kVersion;
        case CriBody::status: return kStatus;
        case CriBody::exec:
        case CriBody::exec_sync: return kCommand;
        case CriBody::port_forward: return kPortForward;
        case CriBody::run_sandbox: return kRunSandbox;
        case CriBody::create_container: return kCreateContainer;
        case CriBody::container_filter: return kContainerFilters;
        case CriBody::container_stats_filter: return kStatsFilters;
        case CriBody::sandbox_filter: return kSandboxFilters;
        case CriBody::sandboxes: return kSandboxes;
        case CriBody::sandbox_status: return kSandboxStatusAnswer;
        case CriBody::containers: return kContainers;
        case CriBody::container_status: return kContainerStatusAnswer;
        case CriBody::container_event: return kContainerEvent;
        case CriBody::container_stats: return kContainerStatsAnswer;
        case CriBody::sandbox_stats: return kSandboxStatsAnswer;
        case CriBody::none:
        case CriBody::exec_sync_result: break;  // its output is a secret, its exit code a number
    }
    return {};
}

std::span<const Field> fields_of(decode::grpc::TaskBody kind) {
    using decode::grpc::TaskBody;
    switch (kind) {
        case TaskBody::named:
        case TaskBody::resize:
        case TaskBody::kill: return kNamed;
        case TaskBody::service_create:
        case TaskBody::service_created:
        case TaskBody::service_deleted: return kIdentified;
        case TaskBody::service_exec: return kExecService;
        case TaskBody::waited: return kWaitService;
        case TaskBody::create:
        case TaskBody::exec:
        case TaskBody::pid:
        case TaskBody::deleted:
        case TaskBody::state:
        case TaskBody::connected:
        case TaskBody::none: break;  // numbers only, or not of this service
    }
    return {};
}

class Walker {
public:
    Walker(std::string& body, Pseudonyms& pseudonyms, MaskCounts& counts)
        : body_(body), pseudonyms_(pseudonyms), counts_(counts) {}

    // Goes through the fields of a message in body_[begin, end).
    bool walk(std::size_t begin, std::size_t end, std::span<const Field> known) {
        while (begin < end) {
            std::uint64_t key = 0;
            if (!varint(begin, end, key) || key >> 3 == 0 || key >> 3 > 0x1fffffff) return false;
            if (!value(begin, end, static_cast<std::uint32_t>(key >> 3), static_cast<unsigned>(key & 7), known))
                return false;
        }
        return true;
    }

    // The text of a field of the outermost message; empty: none.
    [[nodiscard]] std::string_view text_of(std::uint32_t number) const {
        std::size_t at = 0;
        std::uint64_t key = 0, size = 0;
        while (at < body_.size() && varint(at, body_.size(), key)) {
            if ((key & 7) == 0) {
                if (!varint(at, body_.size(), size)) return {};
                continue;
            }
            if ((key & 7) != 2 || !varint(at, body_.size(), size) || size > body_.size() - at) return {};
            if (key >> 3 == number) return std::string_view(body_).substr(at, size);
            at += size;
        }
        return {};
    }

private:
    bool varint(std::size_t& at, std::size_t end, std::uint64_t& value) const {
        value = 0;
        for (unsigned shift = 0; shift < 64 && at < end; shift += 7) {
            const auto byte = static_cast<std::uint8_t>(body_[at++]);
            value |= std::uint64_t{byte & 0x7fU} << shift;
            if ((byte & 0x80) == 0) return true;
        }
        return false;
    }

    bool value(std::size_t& at, std::size_t end, std::uint32_t number, unsigned wire_type,
               std::span<const Field> known) {
        constexpr unsigned kVarint = 0, kFixed64 = 1, kBytes = 2, kFixed32 = 5;
        std::uint64_t size = 0;
        switch (wire_type) {
            case kVarint: return varint(at, end, size);  // numbers and flags stay
            case kFixed64: size = 8; break;
            case kFixed32: size = 4; break;
            case kBytes:
                if (!varint(at, end, size)) return false;
                break;
            default: return false;  // groups: no CRI message has one
        }
        if (size > end - at) return false;
        const std::size_t begin = at;
        at += size;
        if (wire_type != kBytes) return true;
        const auto field =
            std::find_if(known.begin(), known.end(), [number](const Field& each) { return each.number == number; });
        if (field == known.end()) {
            fill(begin, at);
            return true;
        }
        switch (field->keep) {
            case Keep::text: return true;
            case Keep::command: {
                const std::string word = pseudonyms_.of_word(body_.substr(begin, size), 'x');
                body_.replace(begin, size, word);
                ++counts_.commands;
                return true;
            }
            case Keep::url: return url(begin, at);
            case Keep::label: return label(begin, at);
            case Keep::message: return walk(begin, at, field->inner);
            case Keep::process_spec:
                mask_process_spec(std::span(body_).subspan(begin, size), pseudonyms_, counts_);
                return true;
        }
        return false;
    }

    void fill(std::size_t begin, std::size_t end) {
        std::fill(body_.begin() + static_cast<std::ptrdiff_t>(begin), body_.begin() + static_cast<std::ptrdiff_t>(end),
                  'x');
    }

    // The token is the path's last part; a query would be none of the runtime's.
    bool url(std::size_t begin, std::size_t end) {
        const std::string text = body_.substr(begin, end - begin);
        const chain::UrlParts parts = chain::split_url(text);
        const std::size_t slash = parts.path.rfind('/');
        if (slash == std::string_view::npos || slash + 1 == parts.path.size()) {
            fill(begin, end);
            return true;
        }
        const std::string_view token = parts.path.substr(slash + 1);
        const auto at = static_cast<std::size_t>(token.data() - text.data());
        body_.replace(begin + at, token.size(), pseudonyms_.of(std::string(token)));
        fill(begin + at + token.size(), end);
        ++counts_.tokens;
        return true;
    }

    // An entry of a map: the value stays where its key is one of those that name pods and containers.
    bool label(std::size_t begin, std::size_t end) {
        static constexpr std::string_view kNames[] = {"io.kubernetes.pod.name", "io.kubernetes.pod.namespace",
                                                      "io.kubernetes.pod.uid", "io.kubernetes.container.name"};
        static constexpr std::array kKeyOnly = {text(1)};
        static constexpr std::array kBoth = {text(1), text(2)};
        std::size_t at = begin;
        std::uint64_t key = 0, size = 0;
        const bool key_first =
            varint(at, end, key) && key == (1U << 3 | 2U) && varint(at, end, size) && size <= end - at;
        const std::string_view name = key_first ? std::string_view(body_).substr(at, size) : std::string_view();
        const bool harmless = std::find(std::begin(kNames), std::end(kNames), name) != std::end(kNames);
        return walk(begin, end, harmless ? std::span<const Field>(kBoth) : std::span<const Field>(kKeyOnly));
    }

    std::string& body_;
    Pseudonyms& pseudonyms_;
    MaskCounts& counts_;
};

}  // namespace

bool mask_cri_body(CriBody kind, std::string& body, Pseudonyms& pseudonyms, MaskCounts& counts) {
    return kind != CriBody::none && Walker(body, pseudonyms, counts).walk(0, body.size(), fields_of(kind));
}

bool mask_task_body(decode::grpc::TaskBody kind, std::string& body, Pseudonyms& pseudonyms, MaskCounts& counts) {
    return kind != decode::grpc::TaskBody::none &&
           Walker(body, pseudonyms, counts).walk(0, body.size(), fields_of(kind));
}

bool mask_task_request(std::string& message, bool& is_task, Pseudonyms& pseudonyms, MaskCounts& counts) {
    Walker walker(message, pseudonyms, counts);
    is_task = decode::grpc::is_task_service(walker.text_of(1));
    const std::string_view method = walker.text_of(2);
    const std::span<const Field> fields = !is_task             ? std::span<const Field>(kOtherRequest)
                                          : method == "Exec"   ? std::span<const Field>(kExecTaskRequest)
                                          : method == "Create" ? std::span<const Field>(kCreateRequest)
                                                               : std::span<const Field>(kNamedRequest);
    return walker.walk(0, message.size(), fields);
}

bool mask_task_answer(std::string& message, bool is_task, Pseudonyms& pseudonyms, MaskCounts& counts) {
    const std::span<const Field> fields =
        is_task ? std::span<const Field>(kTaskAnswer) : std::span<const Field>(kOtherAnswer);
    return Walker(message, pseudonyms, counts).walk(0, message.size(), fields);
}

}  // namespace hopscope::record
