#include "chain/evidence.h"

namespace hopscope::chain {
namespace {

std::string request_words(const Session& session) {
    switch (session.hop) {
        case HopKind::runtime:
            if (session.token && session.token->number != 0)
                return "the request line names token t" + std::to_string(session.token->number);
            return "the request line names a token";
        case HopKind::kubelet:
        case HopKind::apiserver:
            return std::string("the request line names namespace") +
                   (session.k8s.container.empty() ? " and pod" : ", pod and container");
        case HopKind::shim:
            return session.op == Op::attach ? "the request attaches to a container by the Docker API"
                                            : "the request starts an exec by the Docker API";
        case HopKind::unknown:
        case HopKind::cri:
        case HopKind::process: break;
    }
    return "the request asks for a stream";
}

std::string answer_words(const Session& session) {
    std::string words = std::to_string(session.status) + " was answered";
    if (session.status != 101) return words;
    if (session.hop == HopKind::shim) return words + ": the connection was handed over to its streams";
    if (session.proto != Proto::unknown) words += ": " + std::string(to_string(session.proto));
    if (!session.subprotocol.empty()) words += ", " + display(session.subprotocol);
    return words;
}

}  // namespace

std::vector<Evidence> evidence_of(const Session& session) {
    std::vector<Evidence> all;
    const auto add = [&](Grade grade, std::string says, std::uint64_t frame, const char* id) {
        all.push_back({.grade = grade, .says = std::move(says), .frame = frame, .source = {}, .id = id});
    };
    if (session.tls) add(Grade::decoded, "the connection was read with its TLS keys", session.first_frame, "tls");
    if (session.state == SessionState::cut)
        add(Grade::seen, "frames of a stream were found, but not the request that opened it", session.first_frame,
            "frames");
    else
        add(Grade::decoded, request_words(session), session.first_frame, "request");
    if (!session.kubectl_session.empty())
        add(Grade::decoded, "the header Kubectl-Session names the run of kubectl", session.first_frame,
            "kubectl-session");
    if (session.status != 0) add(Grade::decoded, answer_words(session), session.answer_frame, "answer");
    all.insert(all.end(), session.evidence.begin(), session.evidence.end());
    if (session.outcome != Session::Outcome::none)
        add(Grade::decoded,
            session.exit_code ? "the error stream gave the exit code" : "the error stream gave the status",
            session.last_frame, "status");
    if (session.gaps > 0)
        add(Grade::seen, std::to_string(session.missing_bytes) + " bytes of it were not captured", 0, "gap");
    return all;
}

}  // namespace hopscope::chain
