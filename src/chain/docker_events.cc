// Calls of the Docker Engine API: an exec or attach whose connection was hijacked is a session.
#include <algorithm>

#include "chain/builder_state.h"
#include "core/limits.h"

namespace hopscope::chain {
namespace {

constexpr std::size_t kIdDigits = 64;
constexpr std::string_view kRuntime = "docker";

bool is_whole_id(const Untrusted& id) { return id.size() == kIdDigits; }

}  // namespace

void Builder::State::on(const DockerCall& event, const Place& place) {
    note_time(place);
    FlowState* flow = flow_of(place);
    const bool granted = event.status == 101 || (event.status >= 200 && event.status < 300);
    if (!granted) return;
    if (!event.pod.empty() && !event.container_id.empty())
        cri.remember(ContainerNames{.id = std::string(event.container_id),
                                    .sandbox_id = {},
                                    .runtime = std::string(kRuntime),
                                    .name = Untrusted(event.container),
                                    .pod = Untrusted(event.pod),
                                    .namespace_ = Untrusted(event.namespace_),
                                    .pod_uid = Untrusted(event.uid),
                                    .source = "Docker API"});
    if (event.operation == "create" || event.operation == "inspect") {
        docker.name(event.named, event.container_id);
        if (is_whole_id(Untrusted(event.container_id)))
            docker.container(std::string(event.container_id)).tty = event.tty;
        return;
    }
    if (event.operation == "resize" || event.operation == "wait")
        return on_attached(event, docker.container(docker.id_of(event.container_id)), place);
    const bool attach = event.operation == "attach";
    if (attach || event.operation == "exec-start") {
        if (!flow || flow->current) return;
        flow->docker = std::make_unique<DockerStart>(DockerStart{.attach = attach,
                                                                 .exec_id = std::string(event.exec_id),
                                                                 .container_id = std::string(event.container_id),
                                                                 .tty = event.tty,
                                                                 .status = event.status,
                                                                 .answer_frame = place.frame});
        return;
    }
    if (event.exec_id.empty()) return;
    DockerExec& exec = docker.exec(event.exec_id);
    Session* session = kept_session(exec.session);
    if (event.operation == "exec-create") {
        exec.known = true;
        exec.tty = event.tty;
        exec.container_id = texts.get(event.container_id);
        exec.command.clear();
        for (const std::string_view word : event.command) {
            if (exec.command.size() < limits::kCommandWordsMax) exec.command.push_back(texts.get(word));
        }
    } else if (event.operation == "exec-resize") {
        if (session && session->resizes.size() < limits::kResizesPerSessionMax)
            session->resizes.push_back({place.at, event.width, event.height});
    } else if (event.operation == "exec-inspect") {
        if (!is_whole_id(exec.container_id) && !event.container_id.empty())
            exec.container_id = texts.get(event.container_id);
        if (!session) return;
        if (!is_whole_id(session->container.id)) session->container.id = exec.container_id;
        cri.complete_names(*session);
        if (!event.exit_code || session->exit_code) return;
        session->exit_code = event.exit_code;
        if (session->evidence.size() < limits::kEvidencePerSessionMax)
            session->evidence.push_back({.grade = Grade::decoded,
                                         .says = "the Docker API told the exit code when it was asked for the exec",
                                         .frame = place.frame,
                                         .source = {},
                                         .id = "docker"});
        end_docker_session(exec, *session, place);
    }
}

// What is told of a container as a whole: its attaches are who it concerns.
void Builder::State::on_attached(const DockerCall& event, const DockerContainer& container, const Place& place) {
    const FlowState* asking = flow_of(place);
    const std::uint32_t asker = asking && asking->unix_info ? asking->unix_info->client_pid : 0;
    const auto is_asker = [&](const Session& session) {
        return asker != 0 && session.ends && session.ends->from && session.ends->from->pid == asker;
    };
    std::vector<Session*> attached;
    for (const std::uint32_t number : container.attached) {
        if (Session* session = kept_session(number); session && !session->over) attached.push_back(session);
    }
    // Of several clients each tells the size of its own terminal.
    if (event.operation == "resize" &&
        std::any_of(attached.begin(), attached.end(), [&](const Session* each) { return is_asker(*each); }))
        std::erase_if(attached, [&](const Session* each) { return !is_asker(*each); });
    for (Session* session : attached) {
        if (event.operation == "resize") {
            if (session->resizes.size() < limits::kResizesPerSessionMax)
                session->resizes.push_back({place.at, event.width, event.height});
        } else if (event.exit_code && !session->exit_code) {
            session->exit_code = event.exit_code;
            if (session->evidence.size() < limits::kEvidencePerSessionMax)
                session->evidence.push_back({.grade = Grade::decoded,
                                             .says = is_asker(*session)
                                                         ? "the Docker API told its client the container's exit code"
                                                         : "the Docker API told the container's exit code",
                                             .frame = place.frame,
                                             .source = {},
                                             .id = "docker"});
        }
    }
}

// A client asks for the exit code once the streams have ended; the end of a unix socket itself is seen much later.
void Builder::State::end_docker_session(const DockerExec& exec, Session& session, const Place& place) {
    if (session.over || exec.slot >= flows.size()) return;
    FlowState& flow = flows[exec.slot];
    if (!flow.live || flow.current != &session) return;
    Closing& closing = flow.need_work().closing[index_of(Direction::to_client)];
    if (!closing.seen()) {
        closing.fin = true;
        closing.at = place.at;
        closing.frame = place.frame;
    }
    session.state = SessionState::closed;
    touch(session, place);
    Place there = place;
    there.flow = flow.id;
    there.slot = flow.slot;
    end_session(flow, session, there, false);
    flow.foreign = true;  // nothing that may still come is another session
}

void Builder::State::open_docker_session(FlowState& flow, const Place& place) {
    const DockerStart start = std::move(*flow.docker);
    flow.docker.reset();
    Session& session = open_session(flow, place);
    session.op = start.attach ? Op::attach : Op::exec;
    session.hop = HopKind::shim;
    session.proto = Proto::http11;
    session.status = start.status;
    if (flow.request_at.ns != 0) session.start = flow.request_at;
    session.answered = place.at;
    session.answer_frame = start.answer_frame;
    session.container.id = texts.get(start.attach ? docker.id_of(start.container_id) : start.container_id);
    session.container.runtime = kRuntime;
    if (start.attach) {
        DockerContainer& container = docker.container(std::string(session.container.id.raw()));
        session.tty = container.tty;
        container.attached.push_back(session.number);
        if (container.attached.size() > limits::kDockerBookAttachedMax) container.attached.pop_front();
    }
    if (!start.exec_id.empty()) {
        docker.carries(start.exec_id, session.number, flow.slot);
        DockerExec& exec = docker.exec(start.exec_id);
        if (exec.container_id.empty()) exec.container_id = session.container.id;
        if (session.container.id.empty()) session.container.id = exec.container_id;
        session.command = exec.command;
        session.tty = exec.known ? exec.tty : start.tty;
    }
    if (const FlowInfo* info = flow.unix_info.get()) {
        session.unix_socket = std::make_unique<UnixEndpoint>(info->unix_server);
        session.ends = std::make_unique<Ends>();
        if (info->client_pid != 0) session.ends->from = Process{.pid = info->client_pid, .comm = {}, .exe = {}};
        if (info->server_pid != 0) session.ends->to = Process{.pid = info->server_pid, .comm = {}, .exe = {}};
    }
    cri.complete_names(session);
    flow.need_work();
    flow.current = &session;
    if (observer) observer->session_opened(session, place);
}

}  // namespace hopscope::chain
