// The settings of node components that explain a port, with file and line: kubelet flags and YAML (drop-ins too),
// containerd TOML (versions 1 to 3, imports), CRI-O conf and drop-ins, dockerd JSON and flags, cri-dockerd flags.
// Files are read as the process sees them (/proc/PID/root); a file that cannot be read is trouble, never a guess.
//
// Only these keys are ever kept; lists are joined by ',':
//   kubelet             address port readOnlyPort healthzPort healthzBindAddress enableDebuggingHandlers
//                       enableSystemLogHandler enableProfilingHandler streamingConnectionIdleTimeout
//                       containerRuntimeEndpoint imageServiceEndpoint tlsCertFile tlsPrivateKeyFile
//                       authentication.anonymous.enabled authentication.webhook.enabled
//                       authentication.x509.clientCAFile authorization.mode container-runtime docker-endpoint
//                       redirect-container-streaming cadvisor-port root-dir config config-dir
//   kubelet in k3s      the same, and https-listen-port docker
//   containerd          version root state config disabled_plugins grpc.address grpc.tcp_address ttrpc.address
//                       debug.address metrics.address stream_server_address stream_server_port stream_idle_timeout
//                       enable_tls_streaming x509_key_pair_streaming.tls_cert_file
//                       x509_key_pair_streaming.tls_key_file disable_tcp_service
//   crio                listen host_ip stream_address stream_port stream_enable_tls stream_tls_cert stream_tls_key
//                       stream_tls_ca stream_idle_timeout enable_metrics metrics_host metrics_port metrics_socket
//                       metrics_cert metrics_key profile profile_port root runroot
//   dockerd             hosts containerd metrics-addr exec-opts exec-root data-root tls tlsverify debug
//   cri-dockerd         streaming-bind-addr container-runtime-endpoint docker-endpoint
//                       streaming-connection-idle-timeout cri-dockerd-root-directory
//   kube-proxy          metricsBindAddress healthzBindAddress bindAddress mode enableProfiling
//   etcd                listen-client-urls listen-peer-urls listen-metrics-urls listen-client-http-urls
//                       client-cert-auth enable-pprof
//   kube-apiserver      secure-port bind-address profiling port address insecure-port insecure-bind-address
//                       anonymous-auth authorization-mode
//   controller-manager, scheduler   secure-port bind-address profiling port address
//
// Not known: settings given by environment variables (reading those of another process would show its secrets).
#pragma once

#include <vector>

#include "core/node.h"
#include "procmap/config/files.h"
#include "procmap/host_root.h"

namespace hopscope::procmap {

// True for the roles above.
bool has_config(const Process& process);

// For a process whose role has a configuration (kubelet, containerd, crio, dockerd, cri-dockerd, kube-proxy, etcd …);
// of any other: no values. Defaults that depend on the version are given with is_default, and not at all where the
// version is unknown and they differ.
ComponentConfig read_config(const HostRoot& root, const Process& process);
// Adds to `seen` what the answer depends on: it holds as long as all of it is unchanged().
ComponentConfig read_config(const HostRoot& root, const Process& process, std::vector<FileSeen>* seen);

}  // namespace hopscope::procmap
