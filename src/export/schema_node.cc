#include "export/schema_node.h"

namespace hopscope::exports {
namespace {

constexpr std::string_view kGrades = "enum decoded|seen|inferred!";
constexpr std::string_view kSure = "enum certain|high|medium|low";

constexpr Property kProcess[] = {
    {"pid", "integer!", ""},
    {"comm", "text", ""},
    {"exe", "text", "absent: not permitted to read"},
    {"start", "time", "when it was started, to a hundredth of a second"},
};
constexpr Property kLocal[] = {
    {"transport", "enum tcp|udp|unix!", ""},
    {"type", "enum seqpacket|dgram", "unix; absent: stream"},
    {"address", "string", "tcp, udp; 0.0.0.0 and :: are all addresses"},
    {"port", "integer", ""},
    {"path", "text", "unix, where it lies now, else as it was bound; '@' in front: abstract"},
};
constexpr Property kOwnerContainer[] = {
    {"id", "text!", ""},
};
constexpr Property kOwner[] = {
    {"process", "ref process", "absent: it ended, or must not be seen"},
    {"role", "string", "kubelet, containerd …: which part of a node; absent: none"},
    {"fd", "integer!", ""},
    {"container", "ref owner_container", "where the process runs in one"},
    {"k8s", "ref k8s", ""},
};
constexpr Property kPeer[] = {
    {"process", "ref process", "absent: not on this node, or not visible"},
    {"role", "string", ""},
    {"from", "ref endpoint", "tcp"},
    {"inode", "integer", "unix: of the peer's end"},
    {"fd", "integer", "of the peer's end"},
    {"state", "string", "established, close-wait …"},
};
constexpr Property kExec[] = {
    {"exec_id", "text!", "as the runtime calls it"},
    {"container", "ref owner_container!", "in which it runs"},
    {"k8s", "ref k8s", ""},
};
constexpr Property kRuledOut[] = {
    {"role", "string!", ""},
    {"says", "text", ""},
};
constexpr Property kPort[] = {
    {"local", "ref local!", ""},
    {"process", "ref process", "the first of owners[]"},
    {"role", "string!", "cri-streaming-server, kubelet-api …; unknown"},
    {"component", "text", "containerd, kubelet …"},
    {"confidence", kSure, ""},
    {"reach", "enum loopback|node|pod-network|world", ""},
    {"title", "text", "what it is, in a few words"},
    {"why", "text", "the reason in a few words"},
    {"what_it_does", "text", ""},
    {"why_this_port", "text", ""},
    {"why_404", "text", ""},
    {"who_can_reach", "text", ""},
    {"remedy", "text", ""},
    {"seen", "integer!", "requests or upgrades in the traffic that was given"},
    {"inode", "integer", ""},
    {"net_namespace", "integer", "inode of the network namespace; absent: unknown"},
    {"owners", "[]ref owner!", ""},
    {"container", "ref owner_container", "of the first owner"},
    {"k8s", "ref k8s", "of the first owner"},
    {"peers", "[]ref peer", "who is connected now"},
    {"execs", "[]ref exec", "of a streaming server, whose FIFOs its process holds open; absent: none is seen"},
    {"evidence", "[]ref evidence", ""},
    {"ruled_out", "[]ref ruled_out", ""},
    {"findings", "[]string", "codes; the findings stand in the document's findings[]"},
};
constexpr Property kPortFinding[] = {
    {"code", "string!", "stable; hopscope doctor CODE explains it"},
    {"severity", "enum info|notice|warning|error!", ""},
    {"says", "text!", ""},
    {"remedy", "text", ""},
    {"local", "ref local", "the listener that it is about; absent: about none"},
    {"inode", "integer", "of that listener's socket, as in ports[]"},
};
constexpr Definition kPortsObjects[] = {
    {"port", kPort, "a listening port or unix socket"},
    {"finding", kPortFinding, "what is wrong with a listener, or on the node"},
    {"local", kLocal, ""},
    {"process", kProcess, ""},
    {"owner", kOwner, "a process that holds the socket, and its descriptor"},
    {"owner_container", kOwnerContainer, ""},
    {"peer", kPeer, ""},
    {"exec", kExec, "an exec that runs now"},
    {"ruled_out", kRuledOut, "what it is not, and why"},
};
constexpr std::string_view kPortsShared[] = {"endpoint", "evidence", "k8s"};
constexpr Property kPorts[] = {
    {"schema", "string!", ""},
    {"ts", "time", "when the node was looked at"},
    {"booted", "time", "when the node was booted"},
    {"ports", "[]ref port!", ""},
    {"findings", "[]ref finding!", ""},
    {"limits", "[]string!", "what could not be seen, and the remedy"},
    {"method", "string!", "how the sockets were read"},
    {"listening", "integer!", "listeners there are, shown or not"},
    {"owners_unknown", "integer!", "sockets whose owner could not be seen"},
    {"findings_hidden", "integer", "findings of listeners that the options leave out; absent: none"},
};

constexpr Property kWatchProcess[] = {
    {"pid", "integer!", ""},
    {"comm", "text", ""},
};
constexpr Definition kWatchObjects[] = {
    {"port", kPort, "a listening port or unix socket"},
    {"local", kLocal, ""},
    {"process", kProcess, ""},
    {"owner", kOwner, "a process that holds the socket, and its descriptor"},
    {"owner_container", kOwnerContainer, ""},
    {"peer", kPeer, ""},
    {"exec", kExec, "an exec that runs now"},
    {"ruled_out", kRuledOut, "what it is not, and why"},
    {"end", kWatchProcess, "the process at one end of a connection"},
};
constexpr std::string_view kWatchShared[] = {"endpoint", "evidence", "k8s"};
constexpr Property kWatch[] = {
    {"schema", "string!", ""},
    {"kind", "enum watch.start|port|port.open|port.close|connection.open|connection.close|watch.end!", ""},
    {"ts", "time", ""},
    {"seq", "integer!", "from 1, without holes"},
    {"version", "string", "watch.start"},
    {"method", "enum eBPF|polling", "watch.start: how connections are seen"},
    {"interval_s", "number", "watch.start: between two looks at the node"},
    {"limits", "[]string", "watch.start: what is missed or cannot be seen"},
    {"port", "ref port", "port, port.open, port.close"},
    {"client", "ref endpoint", "connection.open, connection.close"},
    {"server", "ref endpoint", ""},
    {"path", "text", "of the unix socket"},
    {"from", "ref end", "absent: not on this node, or not seen"},
    {"to", "ref end", ""},
    {"client_inode", "integer", ""},
    {"server_inode", "integer", ""},
    {"lived_s", "number", "connection.close: since it was opened, where that was seen"},
    {"lost", "integer", "watch.end: events that were lost"},
};

constexpr Property kGraphNode[] = {
    {"id", "text!", "stable within the document"},
    {"kind", "enum process|listener|remote|exec!", ""},
    {"label", "text", ""},
    {"process", "ref process", ""},
    {"process_role", "string", "kubelet, containerd …"},
    {"role", "string", "of a listener"},
    {"confidence", kSure, "of a listener's role"},
    {"container", "ref owner_container", ""},
    {"k8s", "ref k8s", ""},
};
constexpr Property kGraphEdge[] = {
    {"from", "text!", ""},  {"to", "text!", ""},  {"kind", "enum listens|connected|parent|serves!", ""},
    {"grade", kGrades, ""}, {"says", "text", ""}, {"count", "integer!", "equal connections are one edge"},
};
constexpr Definition kGraphObjects[] = {
    {"node", kGraphNode, "a process, a listener, another host, or an exec whose FIFOs a process holds open"},
    {"edge", kGraphEdge, ""},
    {"process", kProcess, ""},
    {"owner_container", kOwnerContainer, ""},
};
constexpr std::string_view kGraphShared[] = {"k8s"};
constexpr Property kGraph[] = {
    {"schema", "string!", ""},
    {"ts", "time", ""},
    {"nodes", "[]ref node!", ""},
    {"edges", "[]ref edge!", ""},
    {"limits", "[]string!", "what could not be seen, and the remedy"},
    {"method", "string!", ""},
};

constexpr Property kDoctorRow[] = {
    {"code", "string!", "hopscope doctor CODE explains it"},
    {"state", "enum ok|limited|missing!", ""},
    {"needed", "boolean!", "missing, it makes the exit code 4"},
    {"title", "string!", ""},
    {"says", "text", ""},
    {"lost", "text", "what does not work without it"},
    {"fix", "text", ""},
};
constexpr Property kFeature[] = {
    {"name", "string!", ""},
    {"state", "enum ok|limited|missing!", ""},
};
constexpr Definition kDoctorObjects[] = {
    {"row", kDoctorRow, ""},
    {"feature", kFeature, "what the user may want to do"},
};
constexpr Property kDoctor[] = {
    {"schema", "string!", ""},  {"version", "string!", ""},
    {"kernel", "string!", ""},  {"system", "text", ""},
    {"uid", "integer!", ""},    {"usable", "boolean!", "nothing that is needed is missing"},
    {"rows", "[]ref row!", ""}, {"features", "[]ref feature!", ""},
};

constexpr Property kCode[] = {
    {"code", "string!", ""},
    {"title", "string!", ""},
    {"text", "string!", "what it means"},
    {"remedy", "text", "what to do; absent: nothing"},
};
constexpr Definition kCodesObjects[] = {
    {"code", kCode, ""},
};
constexpr Property kCodes[] = {
    {"schema", "string!", ""},
    {"codes", "[]ref code!", "in the order in which they were asked for"},
};

}  // namespace

const Document& ports_document() {
    static const Document document{{"hopscope.ports/v1", kPorts, "what hopscope ports and hopscope why -o json print"},
                                   kPortsObjects,
                                   kPortsShared};
    return document;
}

const Document& watch_document() {
    static const Document document{
        {"hopscope.watch/v1", kWatch, "one line of hopscope ports --watch -o ndjson"}, kWatchObjects, kWatchShared};
    return document;
}

const Document& graph_document() {
    static const Document document{
        {"hopscope.graph/v1", kGraph, "what hopscope graph -o json prints"}, kGraphObjects, kGraphShared};
    return document;
}

const Document& doctor_document() {
    static const Document document{
        {"hopscope.doctor/v1", kDoctor, "what hopscope doctor -o json prints"}, kDoctorObjects, {}};
    return document;
}

const Document& codes_document() {
    static const Document document{
        {"hopscope.codes/v1", kCodes, "what hopscope doctor CODE -o json prints"}, kCodesObjects, {}};
    return document;
}

}  // namespace hopscope::exports
