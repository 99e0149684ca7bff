#include "procmap/names/cri_client.h"

#include <algorithm>
#include <array>
#include <optional>

#include "core/limits.h"
#include "decode/grpc/grpc.h"
#include "decode/road.h"
#include "procmap/names/http2_client.h"

namespace hopscope::procmap {
namespace {

constexpr std::uint32_t kUnimplemented = 12;  // gRPC status codes
constexpr std::array<std::string_view, 3> kMethods = {"Version", "ListPodSandbox", "ListContainers"};

// Takes the names out of the decoder's events, one round of three calls at a time.
class Answers final : public EventSink {
public:
    Answers(RuntimeAnswer& answer, std::string source) : answer_(answer), source_(std::move(source)) {}

    void begin(std::uint32_t first_stream) {
        first_stream_ = first_stream;
        done_ = {};
        status_ = {};
        messages_.clear();
    }
    [[nodiscard]] bool complete() const {
        return std::ranges::all_of(done_, [](bool done) { return done; });
    }
    [[nodiscard]] std::uint32_t status(std::size_t call) const { return status_[call]; }
    // The runtime's own word for what went wrong, cut short.
    [[nodiscard]] const std::string& message() const { return messages_; }
    [[nodiscard]] bool failed() const { return failed_; }
    [[nodiscard]] std::uint32_t first_unanswered() const {
        for (std::uint32_t i = 0; i < done_.size(); ++i)
            if (!done_[i]) return first_stream_ + 2 * i;
        return 0;
    }

    void on(const Event& event) override {
        if (const auto* message = std::get_if<CriMessage>(&event)) return take(*message);
        if (const auto* done = std::get_if<CriDone>(&event))
            return finish(done->stream, done->grpc_status, done->message);
        if (const auto* end = std::get_if<HttpEnd>(&event); end && end->direction == Direction::to_client)
            return finish(end->exchange, kUnimplemented, "");  // an answer, but none of gRPC
        if (std::get_if<Problem>(&event)) failed_ = true;
    }

private:
    void finish(std::uint32_t stream, std::uint32_t status, std::string_view message) {
        if (stream < first_stream_ || (stream - first_stream_) / 2 >= done_.size()) return;
        const std::size_t call = (stream - first_stream_) / 2;
        if (done_[call]) return;
        done_[call] = true;
        status_[call] = status;
        if (status != 0 && messages_.empty()) messages_ = message.substr(0, limits::kRefusalBytesKept);
    }

    void take(const CriMessage& message) {
        if (!message.response) return;
        if (!message.runtime_name.empty()) {
            answer_.facts.name = Untrusted(message.runtime_name.substr(0, limits::kRefusalBytesKept));
            answer_.facts.version = Untrusted(message.runtime_version.substr(0, limits::kRefusalBytesKept));
        }
        for (const CriSandbox& sandbox : message.sandboxes)
            add({std::string(sandbox.id),
                 std::string(sandbox.id),
                 {},
                 {},
                 text(sandbox.pod),
                 text(sandbox.namespace_),
                 text(sandbox.uid),
                 source_});
        for (const CriContainer& container : message.containers)
            add({std::string(container.id),
                 std::string(container.sandbox_id),
                 {},
                 text(container.name),
                 text(container.pod),
                 text(container.namespace_),
                 text(container.uid),
                 source_});
    }
    void add(ContainerNames names) {
        if (!is_container_id(names.id) || answer_.containers.size() >= limits::kCriNamesMax) return;
        if (!is_container_id(names.sandbox_id)) names.sandbox_id.clear();
        answer_.containers.push_back(std::move(names));
    }
    static Untrusted text(std::string_view wire) { return Untrusted(wire.substr(0, limits::kTextBytesKept)); }

    RuntimeAnswer& answer_;
    std::string source_;
    std::uint32_t first_stream_ = 1;
    std::array<bool, kMethods.size()> done_{};
    std::array<std::uint32_t, kMethods.size()> status_{};
    std::string messages_;
    bool failed_ = false;
};

class Client {
public:
    Client(Call call, Answers& answers, Call::Clock::time_point deadline)
        : call_(std::move(call)), answers_(answers), deadline_(deadline), road_(decode::grpc::make_http2(false)) {}

    // Of the call that failed; null: what was answered made no sense.
    [[nodiscard]] const std::optional<Error>& failure() const { return failure_; }
    // One round of the three calls; a sentence when it came to nothing, empty when all three were answered.
    std::string round(std::string_view version, std::uint32_t first_stream, bool greet) {
        answers_.begin(first_stream);
        const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline_ - Call::Clock::now()).count();
        std::string out = greet ? http2::greeting(limits::kRuntimeAnswerBytesMax) : std::string();
        for (std::uint32_t i = 0; i < kMethods.size(); ++i)
            out += http2::empty_call(first_stream + 2 * i,
                                     "/runtime." + std::string(version) + ".RuntimeService/" + std::string(kMethods[i]),
                                     std::max<std::int64_t>(left, 1));
        if (std::string trouble = send(out); !trouble.empty()) return trouble;
        while (!answers_.complete())
            if (std::string trouble = receive(); !trouble.empty()) return trouble;
        return {};
    }

private:
    std::string send(const std::string& bytes) {
        road_.feed(Direction::to_server, as_bytes(bytes), answers_);
        const Status sent = call_.send(bytes);
        return sent ? std::string() : failed(sent.error());
    }
    std::string failed(const Error& error) {
        failure_ = error;
        return error.doing + ": " + error.why;
    }

    std::string receive() {
        const Result<Bytes> got = call_.receive();
        if (!got) return failed(got.error());
        if (got->empty()) return "it closed the connection";
        received_ += got->size();
        if (received_ > limits::kRuntimeAnswerBytesMax)
            return "its answer is larger than " + std::to_string(limits::kRuntimeAnswerBytesMax) + " bytes";
        std::string replies;
        if (!frames_.feed(*got, replies)) return "it does not speak HTTP/2";
        road_.feed(Direction::to_client, *got, answers_);
        if (answers_.failed() || road_.dead()) return "its answer makes no sense as gRPC";
        if (answers_.complete()) return {};
        if (frames_.going_away() && answers_.first_unanswered() > frames_.last_stream())
            return "it ended the connection (GOAWAY)";
        return replies.empty() ? std::string() : send(replies);
    }

    Call call_;
    Answers& answers_;
    Call::Clock::time_point deadline_;
    decode::Road road_;
    http2::ServerFrames frames_;
    std::size_t received_ = 0;
    std::optional<Error> failure_;
};

}  // namespace

bool is_container_id(std::string_view text) {
    return text.size() == 64 && text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

RuntimeAnswer ask_cri(const std::string& path, const std::string& shown, Call::Clock::time_point deadline) {
    RuntimeAnswer answer;
    answer.facts.socket_path = Untrusted(shown);
    const auto waits = std::chrono::round<std::chrono::milliseconds>(deadline - Call::Clock::now());
    Result<Call> call = Call::to_unix(path, deadline);
    if (!call) {
        give_up(answer.facts, call.error(), waits);
        return answer;
    }
    Answers answers(answer, "CRI at " + display(shown));
    Client client(std::move(*call), answers, deadline);
    const auto status_of_all = [&](std::uint32_t status) {
        return answers.status(0) == status && answers.status(1) == status && answers.status(2) == status;
    };
    std::string_view version = "v1";
    std::string trouble = client.round(version, 1, true);
    if (trouble.empty() && status_of_all(kUnimplemented)) {
        version = "v1alpha2";
        trouble = client.round(version, 1 + 2 * kMethods.size(), false);
    }
    RuntimeFacts& facts = answer.facts;
    facts.has_no_cri = trouble.empty() && status_of_all(kUnimplemented);
    if (facts.has_no_cri) trouble = "it has no CRI service";
    if (trouble.empty() && !status_of_all(0)) trouble = "it answered with an error: " + display(answers.message());
    facts.answered = trouble.empty() || !facts.name.empty();  // Version alone is an answer, too
    facts.why_not = std::move(trouble);
    if (client.failure()) give_up(facts, *client.failure(), waits);
    if (facts.answered) facts.api_version = version;
    if (facts.name == "containerd" || facts.name == "cri-o" || facts.name == "docker")
        facts.component = facts.name.raw();
    for (ContainerNames& names : answer.containers) names.runtime = facts.component;
    return answer;
}

}  // namespace hopscope::procmap
