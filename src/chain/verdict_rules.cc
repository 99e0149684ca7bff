#include "chain/verdict_rules.h"

#include "chain/verdict_settings.h"

namespace hopscope::chain {
namespace {

using R = ProcessRole;

constexpr TcpRule kTcp[] = {
    {R::kubelet, "kubelet-healthz", 10248, "healthzPort", "healthzBindAddress", ""},
    {R::kubelet, "kubelet-api", 10250, "port", "address", ""},
    {R::kubelet, "kubelet-read-only", 10255, "readOnlyPort", "address", ""},
    {R::kubelet, "cadvisor", 4194, "cadvisor-port", "", "", Release{1, 12}},
    // k3s and RKE2: all in one process.
    {R::kubelet, "apiserver", 0, "https-listen-port", "", "", {}, "kube-apiserver"},
    {R::containerd, "metrics", 0, "metrics.address", "", ""},
    {R::containerd, "pprof", 0, "debug.address", "", ""},
    {R::containerd, "containerd-api", 0, "grpc.tcp_address", "", ""},
    {R::crio, "metrics", 9090, "metrics_port", "metrics_host", "enable_metrics"},
    {R::crio, "pprof", 6060, "profile_port", "", "profile"},
    {R::dockerd, "docker-api", 0, "hosts", "", ""},
    {R::dockerd, "metrics", 0, "metrics-addr", "", ""},
    {R::kube_proxy, "kube-proxy-metrics", 10249, "metricsBindAddress", "", ""},
    {R::kube_proxy, "kube-proxy-healthz", 10256, "healthzBindAddress", "", ""},
    {R::apiserver, "apiserver", 6443, "secure-port", "bind-address", ""},
    {R::apiserver, "apiserver-insecure", 8080, "insecure-port", "insecure-bind-address", "", Release{1, 20}},
    {R::etcd, "etcd-client", 2379, "listen-client-urls", "", ""},
    {R::etcd, "etcd-peer", 2380, "listen-peer-urls", "", ""},
    {R::etcd, "metrics", 2381, "listen-metrics-urls", "", ""},
    {R::etcd, "etcd-client", 0, "listen-client-http-urls", "", ""},
    {R::controller_manager, "controller-manager", 10257, "secure-port", "bind-address", ""},
    {R::controller_manager, "controller-manager-insecure", 10252, "port", "address", "", Release{1, 24}},
    {R::scheduler, "scheduler", 10259, "secure-port", "bind-address", ""},
    {R::scheduler, "scheduler-insecure", 10251, "port", "address", "", Release{1, 23}},
};

constexpr StreamingRule kStreaming[] = {
    {R::kubelet, "kubelet", "", "", "", "", ""},
    {R::containerd, "containerd", "stream_server_port", "stream_server_address", "enable_tls_streaming", "",
     "set stream_server_address = \"127.0.0.1\" in containerd's CRI plugin and restart containerd"},
    {R::crio, "crio", "stream_port", "stream_address", "stream_enable_tls", "",
     "set stream_address = \"127.0.0.1\" in [crio.api] and restart crio"},
    {R::cri_dockerd, "cri-dockerd", "streaming-bind-addr", "", "", "/cri",
     "start cri-dockerd with --streaming-bind-addr=127.0.0.1:0"},
};

constexpr Transport kTcpT = Transport::tcp, kUdpT = Transport::udp;
constexpr NumberRule kNumbers[] = {
    {10258, 10258, kTcpT, "cloud-controller-manager", "cloud-controller-manager", "health and metrics over TLS",
     "cloud-controlle cloud-controller-manager aws-cloud-contr openstack-cloud"},
    {10253, 10253, kTcpT, "cloud-controller-manager", "cloud-controller-manager", "old health port without TLS",
     "cloud-controlle cloud-controller-manager"},
    {10260, 10260, kTcpT, "cloud-controller-webhook", "cloud-controller-manager", "webhook",
     "cloud-controlle cloud-controller-manager"},
    {8132, 8134, kTcpT, "konnectivity", "konnectivity",
     "tunnel between API server and nodes: its traffic to kubelets comes from the agent",
     "konnectivity proxy-server proxy-agent"},
    {8090, 8095, kTcpT, "konnectivity", "konnectivity", "health and administration of the tunnel",
     "konnectivity proxy-server proxy-agent"},
    {10350, 10350, kTcpT, "edged-api", "kubeedge", "an API like the kubelet's, on an edge node", "edgecore edged"},
    {10351, 10351, kTcpT, "edged-stream", "kubeedge", "streams of exec and logs to an edge node", "edgecore edged"},
    {9099, 9099, kTcpT, "calico-health", "calico", "liveness and readiness of felix", "calico-node calico-felix"},
    {9098, 9098, kTcpT, "calico-health", "calico", "liveness and readiness of typha", "calico-typha typha"},
    {9091, 9091, kTcpT, "metrics", "calico", "metrics of felix", "calico-node calico-felix"},
    {9093, 9093, kTcpT, "metrics", "calico", "metrics of typha", "calico-typha typha"},
    {5473, 5473, kTcpT, "calico-typha", "calico", "typha, which passes the cluster's state on to felix",
     "calico-typha typha"},
    {179, 179, kTcpT, "bgp", "calico", "BGP sessions with other nodes", "bird gobgpd bgpd calico-node"},
    {4240, 4240, kTcpT, "cilium-health", "cilium", "health probes between nodes",
     "cilium-agent cilium-health cilium-health-r"},
    {4244, 4244, kTcpT, "hubble", "cilium", "Hubble's flows over gRPC", "cilium-agent"},
    {4245, 4245, kTcpT, "hubble-relay", "cilium", "Hubble relay over gRPC", "hubble-relay"},
    {9879, 9879, kTcpT, "cilium-health", "cilium", "health of the agent", "cilium-agent"},
    {9890, 9890, kTcpT, "gops", "cilium", "Go diagnostics of the agent", "cilium-agent"},
    {9891, 9891, kTcpT, "gops", "cilium", "Go diagnostics of the operator", "cilium-operator"},
    {9234, 9234, kTcpT, "cilium-operator", "cilium", "API of the operator", "cilium-operator"},
    {9962, 9962, kTcpT, "metrics", "cilium", "metrics of the agent", "cilium-agent"},
    {9963, 9963, kTcpT, "metrics", "cilium", "metrics of the operator", "cilium-operator"},
    {9964, 9964, kTcpT, "metrics", "cilium", "metrics of Envoy", "cilium-envoy cilium-agent envoy"},
    {9965, 9965, kTcpT, "metrics", "cilium", "metrics of Hubble", "cilium-agent"},
    {9100, 9100, kTcpT, "metrics", "node-exporter", "metrics of the node",
     "node_exporter node-exporter prometheus-node"},
    {9153, 9153, kTcpT, "metrics", "coredns", "metrics of CoreDNS", "coredns"},
    {8080, 8081, kTcpT, "coredns-health", "coredns", "health of CoreDNS", "coredns node-cache"},
    {8181, 8181, kTcpT, "coredns-health", "coredns", "readiness of CoreDNS", "coredns"},
    {53, 53, kTcpT, "dns", "coredns", "names of services and pods", "coredns"},
    {53, 53, kUdpT, "dns", "coredns", "names of services and pods", "coredns"},
    {53, 53, kTcpT, "dns", "node-local-dns", "the node's cache of names", "node-cache"},
    {53, 53, kUdpT, "dns", "node-local-dns", "the node's cache of names", "node-cache"},
    {9253, 9253, kTcpT, "metrics", "node-local-dns", "metrics of the cache of names", "node-cache"},
    {9353, 9353, kTcpT, "metrics", "node-local-dns", "metrics of the cache's set-up", "node-cache"},
    {20256, 20256, kTcpT, "node-problem-detector", "node-problem-detector", "health",
     "node-problem-de node-problem-detector"},
    {20257, 20257, kTcpT, "metrics", "node-problem-detector", "metrics", "node-problem-de node-problem-detector"},
    {9345, 9345, kTcpT, "supervisor", "rke2", "where other nodes join", "rke2"},
    {6443, 6443, kTcpT, "apiserver", "k3s", "API server and where other nodes join", "k3s rke2"},
    {6444, 6444, kTcpT, "apiserver-proxy", "k3s", "the node's own way to the API servers", "k3s rke2"},
    {10248, 10248, kTcpT, "kubelet-healthz", "k3s", "health of the kubelet inside", "k3s rke2 kubelite"},
    {10250, 10250, kTcpT, "kubelet-api", "k3s", "API of the kubelet inside", "k3s rke2 kubelite"},
    {10249, 10249, kTcpT, "kube-proxy-metrics", "k3s", "metrics of the kube-proxy inside", "k3s rke2 kubelite"},
    {10256, 10256, kTcpT, "kube-proxy-healthz", "k3s", "health of the kube-proxy inside", "k3s rke2 kubelite"},
    {10257, 10257, kTcpT, "controller-manager", "k3s", "health and metrics of the controller manager inside",
     "k3s rke2 kubelite"},
    {10259, 10259, kTcpT, "scheduler", "k3s", "health and metrics of the scheduler inside", "k3s rke2 kubelite"},
    {2379, 2379, kTcpT, "etcd-client", "k3s", "clients of the etcd inside", "k3s"},
    {2380, 2380, kTcpT, "etcd-peer", "k3s", "peers of the etcd inside", "k3s"},
    {2381, 2382, kTcpT, "metrics", "k3s", "metrics of the etcd inside", "k3s"},
    {16443, 16443, kTcpT, "apiserver", "microk8s", "API server", "kubelite kube-apiserver"},
    {19001, 19001, kTcpT, "dqlite", "microk8s", "the cluster's database", "kubelite k8s-dqlite dqlite"},
    {25000, 25000, kTcpT, "cluster-agent", "microk8s", "where other nodes join", "cluster-agent gunicorn"},
    {2377, 2377, kTcpT, "docker-swarm", "dockerd", "Docker swarm management", "dockerd"},
    {7946, 7946, kTcpT, "docker-swarm", "dockerd", "Docker swarm gossip", "dockerd"},
    {8472, 8472, kUdpT, "overlay-network", "kernel", "VXLAN as flannel and cilium use it", ""},
    {4789, 4789, kUdpT, "overlay-network", "kernel", "VXLAN", ""},
    {6081, 6081, kUdpT, "overlay-network", "kernel", "GENEVE", ""},
    {51820, 51821, kUdpT, "overlay-network", "kernel", "WireGuard as flannel and calico use it", ""},
    {51871, 51871, kUdpT, "overlay-network", "kernel", "WireGuard as cilium uses it", ""},
};

constexpr std::string_view kCri =
    "kubelet asks here for pods and containers, and for the URL of each exec, attach and port-forward";
constexpr SocketRule kSockets[] = {
    {"/run/docker/containerd/containerd.sock", "containerd-api", "containerd", R::containerd, "gRPC",
     "dockerd's private containerd"},
    {"/run/docker/containerd/*containerd.sock.ttrpc", "containerd-ttrpc", "containerd", R::containerd, "ttrpc",
     "events of the shims"},
    {"/run/docker/containerd/*debug.sock", "pprof", "containerd", R::containerd, "gRPC",
     "diagnostics of dockerd's private containerd"},
    {"/run/docker/libcontainerd/*containerd.sock", "containerd-api", "containerd", R::containerd, "gRPC",
     "dockerd's private containerd"},
    {"/run/docker/metrics.sock", "metrics", "dockerd", R::dockerd, "HTTP", "metrics for plugins"},
    {"/run/docker/libnetwork/*.sock", "docker-network", "dockerd", R::dockerd, "", "dockerd's network helpers"},
    {"/run/docker/swarm/*.sock", "docker-swarm", "dockerd", R::dockerd, "gRPC", "control of the swarm"},
    {"/run/docker.sock", "docker-api", "dockerd", R::dockerd, "HTTP/1.1", "the Engine API"},
    {"/run/containerd/s/*", "shim-socket", "containerd-shim", R::containerd_shim, "ttrpc", ""},
    {"@/containerd-shim/*", "shim-socket", "containerd-shim", R::containerd_shim, "ttrpc", ""},
    {"/run/containerd/debug.sock", "pprof", "containerd", R::containerd, "gRPC", "diagnostics"},
    {"/run/containerd/containerd.sock", "cri-socket", "containerd", R::containerd, "gRPC", kCri},
    {"/run/k3s/containerd/containerd.sock", "cri-socket", "containerd", R::containerd, "gRPC", kCri},
    {"/var/snap/microk8s/common/run/containerd.sock", "cri-socket", "containerd", R::containerd, "gRPC", kCri},
    {"/run/k0s/containerd.sock", "cri-socket", "containerd", R::containerd, "gRPC", kCri},
    {"*/containerd.sock", "cri-socket", "containerd", R::containerd, "gRPC", kCri},
    {"*/containerd.sock.ttrpc", "containerd-ttrpc", "containerd", R::containerd, "ttrpc", "events of the shims"},
    {"/run/crio/crio.sock", "cri-socket", "crio", R::crio, "gRPC and HTTP", kCri},
    {"/run/crio/*/attach", "conmon-attach", "conmon", R::conmon, "", "standard streams of one container"},
    {"*/attach", "conmon-attach", "conmon", R::conmon, "", "standard streams of one container"},
    {"/run/dockershim.sock", "cri-socket", "kubelet", R::kubelet, "gRPC",
     "the Docker shim: the kubelet talks to itself here"},
    {"/run/cri-dockerd.sock", "cri-socket", "cri-dockerd", R::cri_dockerd, "gRPC", kCri},
    {"/run/k3s/cri-dockerd/cri-dockerd.sock", "cri-socket", "cri-dockerd", R::unknown, "gRPC", kCri},
    {"*/device-plugins/kubelet.sock", "device-plugin", "kubelet", R::kubelet, "gRPC", "device plugins register here"},
    {"*/device-plugins/*.sock", "device-plugin", "device plugin", R::unknown, "gRPC",
     "the kubelet asks a device plugin for its devices"},
    {"*/pod-resources/kubelet.sock", "pod-resources", "kubelet", R::kubelet, "gRPC", "which pod has which device"},
    {"*/plugins_registry/*-reg.sock", "plugin-registration", "plugin", R::unknown, "gRPC",
     "the kubelet learns here of a CSI or DRA driver"},
    {"*/plugins_registry/*.sock", "plugin-registration", "plugin", R::unknown, "gRPC",
     "the kubelet learns here of a CSI or DRA driver"},
    {"*/plugins/*/dra.sock", "dra-socket", "DRA driver", R::unknown, "gRPC",
     "the kubelet asks a driver to prepare devices"},
    {"*/plugins/*/csi.sock", "csi-socket", "CSI driver", R::unknown, "gRPC",
     "the kubelet asks a driver to mount volumes"},
    {"*/csi.sock", "csi-socket", "CSI driver", R::unknown, "gRPC", "side cars ask a driver for volumes"},
    {"*/plugins/*.sock", "plugin-socket", "plugin", R::unknown, "gRPC", "a plugin of the kubelet"},
    {"/run/nri/nri.sock", "nri-socket", "containerd", R::containerd, "ttrpc",
     "plugins that change containers as they start (NRI)"},
    {"/run/nri/nri.sock", "nri-socket", "crio", R::crio, "ttrpc", "plugins that change containers as they start (NRI)"},
    {"/run/cilium/*.sock", "cilium-socket", "cilium", R::unknown, "", "the CNI plugin and tools ask the agent here"},
    {"/run/calico/*", "calico-socket", "calico", R::unknown, "", "parts of calico talk to each other"},
    {"/run/flannel/*", "flannel-socket", "flannel", R::unknown, "", "flannel"},
    {"*/kine.sock", "etcd-client", "k3s", R::unknown, "gRPC", "the API server's database"},
};

constexpr SocketKey kSocketKeys[] = {
    {R::containerd, "grpc.address", "", "cri-socket", "containerd"},
    {R::containerd, "ttrpc.address", "", "containerd-ttrpc", "containerd"},
    {R::containerd, "grpc.address", ".ttrpc", "containerd-ttrpc", "containerd"},
    {R::containerd, "debug.address", "", "pprof", "containerd"},
    {R::containerd, "metrics.address", "", "metrics", "containerd"},
    {R::crio, "listen", "", "cri-socket", "crio"},
    {R::crio, "metrics_socket", "", "metrics", "crio"},
    {R::dockerd, "hosts", "", "docker-api", "dockerd"},
    {R::cri_dockerd, "container-runtime-endpoint", "", "cri-socket", "cri-dockerd"},
    {R::etcd, "listen-client-urls", "", "etcd-client", "etcd"},
};

constexpr std::string_view kPathsOnly =
    "it knows only /exec/, /attach/ and /portforward/ plus a token that lives 60 s. /metrics and /healthz answer "
    "\"404: Page Not Found\", that is normal.";
constexpr RoleText kTexts[] = {
    {"cri-streaming-server", "CRI streaming server", "", kPathsOnly,
     "Whoever has a live token can use it: there is no other login."},
    {"kubelet-api", "API",
     "The API server reaches the kubelet here: exec, attach, port-forward, logs, metrics, the list of pods. HTTPS.",
     "paths that are not the kubelet's answer 404; without a client certificate or token it is 401 or 403.",
     "The kubelet asks for a client certificate or a bearer token, unless anonymous access is on."},
    {"kubelet-read-only", "read-only API",
     "Pods with their specs, statistics and metrics over plain HTTP. No exec, no logs: these answer 405 \"Debug "
     "endpoints are disabled.\"",
     "", "Nobody is asked who he is."},
    {"kubelet-healthz", "healthz", "Answers /healthz with \"ok\" over plain HTTP, for systemd and scripts on the node.",
     "every path but /healthz answers 404.", "Nobody is asked who he is."},
    {"cadvisor", "cAdvisor UI", "Pages and statistics of all containers over plain HTTP. Gone in Kubernetes 1.12.", "",
     "Nobody is asked who he is."},
    {"metrics", "metrics", "Numbers for Prometheus.", "", "Nobody is asked who he is unless TLS is set up."},
    {"pprof", "diagnostics (pprof)", "Profiles and stack traces of the running program.", "",
     "Nobody is asked who he is."},
    {"containerd-api", "API", "Whoever can use it can start any container, hence is root on this node.", "",
     "Nobody is asked who he is."},
    {"containerd-ttrpc", "socket for its shims", "Shims report here what happens to their containers.", "", ""},
    {"cri-socket", "CRI socket", "", "",
     "There is no login: who can open it can start any container, hence is root on this node."},
    {"docker-api", "Engine API",
     "docker, the Docker shim and cri-dockerd talk to dockerd here; exec and attach turn into a raw stream on it.", "",
     "Who can use it can start any container, hence is root on this node."},
    {"shim-socket", "socket",
     "containerd tells this shim to start, exec, resize and stop; one shim serves one pod (or one container).", "", ""},
    {"kube-proxy-metrics", "metrics", "Metrics, /proxyMode and /healthz of kube-proxy over plain HTTP.", "",
     "Nobody is asked who he is."},
    {"kube-proxy-healthz", "health for load balancers",
     "Load balancers ask /healthz here whether this node takes traffic.", "", "Nobody is asked who he is."},
    {"apiserver", "API", "The Kubernetes API over HTTPS.", "", "Certificates, tokens and RBAC decide."},
    {"apiserver-insecure", "insecure API", "The whole Kubernetes API over plain HTTP, as administrator.", "",
     "Nobody is asked who he is."},
    {"etcd-client", "client API", "The API server keeps the cluster's state here.", "",
     "Without client certificates whoever connects reads and writes the whole cluster's state."},
    {"etcd-peer", "peer port", "The members of the etcd cluster talk to each other.", "", ""},
    {"controller-manager", "health and metrics", "/healthz and /metrics over HTTPS.", "", ""},
    {"controller-manager-insecure", "old health and metrics", "/healthz and /metrics over plain HTTP.", "",
     "Nobody is asked who he is."},
    {"scheduler", "health and metrics", "/healthz and /metrics over HTTPS.", "", ""},
    {"scheduler-insecure", "old health and metrics", "/healthz and /metrics over plain HTTP.", "",
     "Nobody is asked who he is."},
    {"device-plugin", "device plugin socket", "", "", ""},
    {"pod-resources", "pod resources socket", "", "", ""},
    {"plugin-registration", "registration socket", "", "", ""},
    {"csi-socket", "CSI socket", "", "", ""},
    {"dra-socket", "DRA socket", "", "", ""},
    {"nri-socket", "NRI socket", "", "", ""},
    {"plugin-socket", "socket", "", "", ""},
    {"conmon-attach", "attach socket", "", "", ""},
    {"published-port", "published port of a container", "docker-proxy passes connections on to a container.", "", ""},
    {"docker-network", "network helper", "", "", ""},
    {"docker-swarm", "swarm", "", "", ""},
    {"apiserver-proxy", "way to the API servers", "", "", ""},
    {"supervisor", "supervisor port", "", "", ""},
    {"cluster-agent", "cluster agent", "", "", ""},
    {"dqlite", "database", "", "", ""},
    {"cloud-controller-manager", "health and metrics", "", "", ""},
    {"cloud-controller-webhook", "webhook", "", "", ""},
    {"konnectivity", "tunnel", "", "", ""},
    {"edged-api", "API like the kubelet's", "", "", ""},
    {"edged-stream", "streams of exec and logs", "", "", ""},
    {"calico-health", "health", "", "", ""},
    {"calico-typha", "typha", "", "", ""},
    {"calico-socket", "socket", "", "", ""},
    {"bgp", "BGP port", "", "", ""},
    {"cilium-health", "health", "", "", ""},
    {"cilium-operator", "operator API", "", "", ""},
    {"cilium-socket", "socket", "", "", ""},
    {"flannel-socket", "socket", "", "", ""},
    {"hubble", "Hubble API", "", "", ""},
    {"hubble-relay", "Hubble relay", "", "", ""},
    {"gops", "Go diagnostics (gops)", "", "", ""},
    {"coredns-health", "health", "", "", ""},
    {"dns", "DNS", "", "", ""},
    {"node-problem-detector", "health", "", "", ""},
    {"overlay-network", "overlay network", "", "", ""},
};

}  // namespace

std::span<const TcpRule> tcp_rules() { return kTcp; }
std::span<const NumberRule> number_rules() { return kNumbers; }
std::span<const SocketRule> socket_rules() { return kSockets; }
std::span<const SocketKey> socket_keys() { return kSocketKeys; }

const StreamingRule* streaming_rule(ProcessRole owner) {
    for (const StreamingRule& rule : kStreaming)
        if (rule.owner == owner) return &rule;
    return nullptr;
}

const RoleText* role_text(std::string_view role) {
    for (const RoleText& text : kTexts)
        if (text.role == role) return &text;
    return nullptr;
}

bool fits(std::string_view pattern, std::string_view text) {
    // After a '*' the first place that fits the next piece is as good as any later one.
    std::size_t star = std::string_view::npos;
    std::size_t resume = 0;
    std::size_t p = 0;
    std::size_t t = 0;
    while (t < text.size()) {
        if (p < pattern.size() && pattern[p] == '*') {
            star = p++;
            resume = t;
        } else if (p < pattern.size() && pattern[p] == text[t]) {
            ++p;
            ++t;
        } else if (star != std::string_view::npos) {
            p = star + 1;
            t = ++resume;
        } else {
            return false;
        }
    }
    while (p < pattern.size() && pattern[p] == '*') ++p;
    return p == pattern.size();
}

}  // namespace hopscope::chain
