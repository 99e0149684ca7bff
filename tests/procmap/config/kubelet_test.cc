#include "procmap/config/config_tree.h"

namespace hopscope::procmap::test {
namespace {

constexpr const char* kCommandLine = "/proc/4242/cmdline:0";

TEST(KubeletConfig, bare_options_get_the_old_open_defaults) {
    const Tree tree;
    const auto config =
        read_config(HostRoot(tree.directory()), process_of(ProcessRole::kubelet, {"kubelet"}, "1.26.15"));
    EXPECT_EQ(told(config, "readOnlyPort"), "10255 @default");
    EXPECT_EQ(told(config, "authentication.anonymous.enabled"), "true @default");
    EXPECT_EQ(told(config, "authentication.webhook.enabled"), "false @default");
    EXPECT_EQ(told(config, "authorization.mode"), "AlwaysAllow @default");
    EXPECT_EQ(told(config, "port"), "10250 @default");
    EXPECT_EQ(told(config, "healthzBindAddress"), "127.0.0.1 @default");
    EXPECT_EQ(told(config, "containerRuntimeEndpoint"), "unix:///run/containerd/containerd.sock @default");
    EXPECT_EQ(told(config, "container-runtime"), "none");
    EXPECT_TRUE(config.trouble.empty());
    EXPECT_EQ(config.process.pid, 4242u);
    EXPECT_EQ(config.role, ProcessRole::kubelet);
}

TEST(KubeletConfig, a_file_brings_the_safe_defaults_and_its_lines) {
    const Tree tree;
    tree.write("/var/lib/kubelet/config.yaml",
               "apiVersion: kubelet.config.k8s.io/v1beta1\n"
               "authentication:\n"
               "  anonymous:\n"
               "    enabled: false\n"
               "  x509:\n"
               "    clientCAFile: /etc/kubernetes/pki/ca.crt\n"
               "healthzPort: 10248\n"
               "bootstrapToken: 7ytgfd.secretsecret\n"
               "readOnlyPort: 0\n"
               "staticPodPath: /etc/kubernetes/manifests\n");
    const auto config =
        read_config(HostRoot(tree.directory()),
                    process_of(ProcessRole::kubelet, {"kubelet", "--config=/var/lib/kubelet/config.yaml"}, "1.26.15"));
    EXPECT_EQ(told(config, "authentication.anonymous.enabled"), "false @/var/lib/kubelet/config.yaml:4");
    EXPECT_EQ(told(config, "authentication.x509.clientCAFile"),
              "/etc/kubernetes/pki/ca.crt @/var/lib/kubelet/config.yaml:6");
    EXPECT_EQ(told(config, "healthzPort"), "10248 @/var/lib/kubelet/config.yaml:7");
    EXPECT_EQ(told(config, "readOnlyPort"), "0 @/var/lib/kubelet/config.yaml:9");
    EXPECT_EQ(told(config, "authorization.mode"), "Webhook @default");
    EXPECT_EQ(told(config, "authentication.webhook.enabled"), "true @default");
    EXPECT_EQ(told(config, "config"), std::string("/var/lib/kubelet/config.yaml @") + kCommandLine);
    for (const ConfigValue& value : config.values) EXPECT_EQ(value.value.raw().find("secret"), std::string::npos);
}

TEST(KubeletConfig, options_win_over_drop_ins_and_those_over_the_file) {
    const Tree tree;
    tree.write("/etc/k/config.yaml", "port: 1\nhealthzPort: 2\nreadOnlyPort: 3\naddress: 10.0.0.1\n");
    tree.write("/etc/k/d/10-a.conf", "healthzPort: 12\nreadOnlyPort: 13\n");
    tree.write("/etc/k/d/20-b.conf", "# later\nreadOnlyPort: 23\n");
    tree.write("/etc/k/d/30-not.yaml", "readOnlyPort: 99\n");
    const auto config = read_config(
        HostRoot(tree.directory()),
        process_of(ProcessRole::kubelet, {"kubelet", "--config", "/etc/k/config.yaml", "-config-dir=/etc/k/d", "--port",
                                          "4", "--anonymous_auth", "--healthz-port=22"}));
    EXPECT_EQ(told(config, "address"), "10.0.0.1 @/etc/k/config.yaml:4");
    EXPECT_EQ(told(config, "readOnlyPort"), "23 @/etc/k/d/20-b.conf:2");
    EXPECT_EQ(told(config, "port"), std::string("4 @") + kCommandLine);
    EXPECT_EQ(told(config, "healthzPort"), std::string("22 @") + kCommandLine);
    EXPECT_EQ(told(config, "authentication.anonymous.enabled"), std::string("true @") + kCommandLine);
}

TEST(KubeletConfig, a_boolean_option_never_takes_the_next_argument) {
    const Tree tree;
    const auto config = read_config(HostRoot(tree.directory()),
                                    process_of(ProcessRole::kubelet, {"kubelet", "--anonymous-auth", "false",
                                                                      "--enable-debugging-handlers=false"}));
    EXPECT_EQ(told(config, "authentication.anonymous.enabled"), std::string("true @") + kCommandLine);
    EXPECT_EQ(told(config, "enableDebuggingHandlers"), std::string("false @") + kCommandLine);
}

TEST(KubeletConfig, the_docker_shim_belongs_to_the_version) {
    const Tree tree;
    const HostRoot root(tree.directory());
    const auto old = read_config(root, process_of(ProcessRole::kubelet, {"kubelet"}, "1.11.10"));
    EXPECT_EQ(told(old, "container-runtime"), "docker @default");
    EXPECT_EQ(told(old, "redirect-container-streaming"), "false @default");
    EXPECT_EQ(told(old, "containerRuntimeEndpoint"), "unix:///var/run/dockershim.sock @default");
    EXPECT_EQ(told(old, "cadvisor-port"), "0 @default");
    const auto remote = read_config(root, process_of(ProcessRole::kubelet,
                                                     {"kubelet", "--container-runtime=remote",
                                                      "--container-runtime-endpoint=unix:///run/crio/crio.sock"},
                                                     "1.18.9"));
    EXPECT_EQ(told(remote, "docker-endpoint"), "none");
    EXPECT_EQ(told(remote, "redirect-container-streaming"), "none");
    const auto unknown = read_config(root, process_of(ProcessRole::kubelet, {"kubelet"}));
    EXPECT_EQ(told(unknown, "containerRuntimeEndpoint"), "none");
}

TEST(KubeletConfig, what_cannot_be_read_is_trouble_and_no_guess) {
    const Tree tree;
    const auto config = read_config(HostRoot(tree.directory()),
                                    process_of(ProcessRole::kubelet, {"kubelet", "--config=/etc/absent.yaml"}));
    ASSERT_EQ(config.trouble.size(), 1u);
    EXPECT_EQ(config.trouble[0], "cannot read /etc/absent.yaml: No such file or directory");
    EXPECT_EQ(told(config, "readOnlyPort"), "0 @default");  // of a kubelet with a file
}

TEST(KubeletConfig, damaged_yaml_is_told_with_its_line) {
    const Tree tree;
    tree.write("/c.yaml", "port: 10250\nhealthzPort: [1\nx: }\n");
    const auto config =
        read_config(HostRoot(tree.directory()), process_of(ProcessRole::kubelet, {"kubelet", "--config=/c.yaml"}));
    ASSERT_EQ(config.trouble.size(), 1u);
    EXPECT_EQ(config.trouble[0].find("/c.yaml:"), 0u);
    EXPECT_NE(config.trouble[0].find("is not YAML"), std::string::npos);
}

TEST(KubeletConfig, hostile_yaml_is_survived) {
    const Tree tree;
    const HostRoot root(tree.directory());
    const auto process = process_of(ProcessRole::kubelet, {"kubelet", "--config=/c.yaml"});
    for (const std::string& text :
         {std::string("[]"), std::string("- port: 1"), std::string("port: {a: b}"), std::string("port: ~"),
          std::string(), std::string("\0\0\0", 3), std::string(100'000, '['), std::string(100'000, '{'),
          std::string("? [a]\n: b\n"), std::string("authentication: 5\n"), std::string("authentication: &a [*a]\n"),
          "port: " + std::string(9000, '7')}) {
        tree.write("/c.yaml", text);
        const auto config = read_config(root, process);
        if (const ConfigValue* port = config.find("port")) EXPECT_LE(port->value.size(), 4096u);
    }
}

TEST(KubeletConfig, files_are_those_of_the_process) {
    const Tree tree;
    tree.write("/etc/k.yaml", "port: 1\n");
    tree.write("/proc/4242/root/etc/k.yaml", "port: 2\n");
    tree.link("/proc/4242/cwd", "/etc");
    const auto config =
        read_config(HostRoot(tree.directory()), process_of(ProcessRole::kubelet, {"kubelet", "--config=k.yaml"}));
    EXPECT_EQ(told(config, "port"), "2 @/etc/k.yaml:1");
}

TEST(KubeletConfig, a_container_is_not_mistaken_for_the_host) {
    const Tree tree;
    tree.write("/etc/k.yaml", "port: 1\n");
    Process process = process_of(ProcessRole::kubelet, {"kubelet", "--config=/etc/k.yaml"});
    process.container_id = Untrusted(std::string(64, 'a'));
    const auto config = read_config(HostRoot(tree.directory()), process);
    EXPECT_EQ(told(config, "port"), "10250 @default");
    ASSERT_EQ(config.trouble.size(), 1u);
    EXPECT_NE(config.trouble[0].find("container"), std::string::npos);
}

TEST(KubeletConfig, k3s_has_its_own_defaults_and_drop_ins) {
    const Tree tree;
    tree.write("/etc/rancher/k3s/config.yaml", "token: very-secret\nkubelet-arg:\n  - read-only-port=10255\n");
    tree.write("/etc/rancher/k3s/config.yaml.d/a.yaml", "kubelet-arg+:\n- --anonymous-auth=true\n");
    Process process = process_of(ProcessRole::kubelet, {"/usr/local/bin/k3s server"}, "1.28.5");
    process.exe = Untrusted("/usr/local/bin/k3s");
    const auto config = read_config(HostRoot(tree.directory()), process);
    EXPECT_EQ(told(config, "readOnlyPort"), "10255 @/etc/rancher/k3s/config.yaml:3");
    EXPECT_EQ(told(config, "authentication.anonymous.enabled"), "true @/etc/rancher/k3s/config.yaml.d/a.yaml:2");
    EXPECT_EQ(told(config, "containerRuntimeEndpoint"), "unix:///run/k3s/containerd/containerd.sock @default");
    EXPECT_EQ(told(config, "authorization.mode"), "Webhook @default");
    for (const ConfigValue& value : config.values) EXPECT_EQ(value.value.raw().find("secret"), std::string::npos);
}

// k3s: "kubelet-arg" of a later file takes the list back, "kubelet-arg+" goes on with it, whatever the file.
TEST(KubeletConfig, k3s_later_lists_replace_earlier_ones) {
    const Tree tree;
    const auto read = [&](const std::vector<std::string>& more = {}) {
        std::vector<std::string> cmdline{"/usr/local/bin/k3s server"};
        cmdline.insert(cmdline.end(), more.begin(), more.end());
        Process process = process_of(ProcessRole::kubelet, cmdline, "1.28.5");
        process.exe = Untrusted("/usr/local/bin/k3s");
        return read_config(HostRoot(tree.directory()), process);
    };
    const std::string directory = "/etc/rancher/k3s/config.yaml.d/";
    tree.write("/etc/rancher/k3s/config.yaml", "kubelet-arg:\n- anonymous-auth=true\n- read-only-port=10255\n");
    tree.write(directory + "10-more.yaml", "kubelet-arg+:\n- healthz-port=1\n");
    EXPECT_EQ(told(read(), "authentication.anonymous.enabled"), "true @/etc/rancher/k3s/config.yaml:2");
    EXPECT_EQ(told(read(), "healthzPort"), "1 @" + directory + "10-more.yaml:2");
    tree.write(directory + "20-over.yml",
               "kubelet-arg+:\n- port=7\nkubelet-arg: max-pods=5\nkubelet-arg+: address=::1\n");
    auto config = read();
    EXPECT_EQ(told(config, "authentication.anonymous.enabled"), "false @default");
    EXPECT_EQ(told(config, "readOnlyPort"), "0 @default");
    EXPECT_EQ(told(config, "healthzPort"), "10248 @default");
    EXPECT_EQ(told(config, "port"), "10250 @default");
    EXPECT_EQ(told(config, "address"), "::1 @" + directory + "20-over.yml:4");
    tree.write(directory + "30-none.YAML", "kubelet-arg:\n");
    tree.write(directory + "40-no.txt", "kubelet-arg: port=8\n");
    config = read({"--kubelet-arg=healthz-port=9"});
    EXPECT_EQ(told(config, "address"), "0.0.0.0 @default");
    EXPECT_EQ(told(config, "port"), "10250 @default");
    EXPECT_EQ(told(config, "healthzPort"), "9 @/proc/4242/cmdline:0") << "the command line adds to the files";
    EXPECT_TRUE(config.trouble.empty());
}

TEST(KubeletConfig, k3s_lists_have_a_measure_and_say_so) {
    const Tree tree;
    Process process = process_of(ProcessRole::kubelet, {"/usr/local/bin/k3s server"}, "1.28.5");
    process.exe = Untrusted("/usr/local/bin/k3s");
    std::string text = "kubelet-arg: &all\n";
    for (int i = 0; i < 257; ++i) text += "- port=" + std::to_string(i) + "\n";
    for (int i = 0; i < 10'000; ++i) text += "kubelet-arg: *all\nkubelet-arg+: *all\n";
    tree.write("/etc/rancher/k3s/config.yaml", text.substr(0, 250'000));
    const auto config = read_config(HostRoot(tree.directory()), process);
    EXPECT_EQ(told(config, "port"), "255 @/etc/rancher/k3s/config.yaml:257");
    ASSERT_EQ(config.trouble.size(), 1u);
    EXPECT_EQ(config.trouble[0], "kubelet-arg has more than 256 items: the rest is not read");
}

// Of several writings of one key the first one counts, wherever it stands among tens of thousands of others.
TEST(KubeletConfig, a_map_of_very_many_keys_is_gone_through_once) {
    const Tree tree;
    std::string text =
        "port: 7\nauthentication:\n  webhook: {enabled: false}\n  x: 1\n  anonymous:\n    enabled: true\n";
    while (text.size() < 250'000) text += "a: 1\n";
    tree.write("/c.yaml", text + "port: 8\ntlsCertFile: /c\nauthentication: {x509: {clientCAFile: /ca}}\n");
    const auto config =
        read_config(HostRoot(tree.directory()), process_of(ProcessRole::kubelet, {"kubelet", "--config=/c.yaml"}));
    EXPECT_EQ(told(config, "port"), "7 @/c.yaml:1");
    EXPECT_EQ(told(config, "authentication.webhook.enabled"), "false @/c.yaml:3");
    EXPECT_EQ(told(config, "authentication.anonymous.enabled"), "true @/c.yaml:6");
    EXPECT_EQ(told(config, "authentication.x509.clientCAFile"), "none") << "of the first authentication alone";
    EXPECT_EQ(config.find("tlsCertFile")->value.raw(), "/c");
}

TEST(KubeletConfig, files_together_have_a_measure) {
    const Tree tree;
    std::string filler;
    while (filler.size() < 250'000) filler += "#2345678901234567890123456789012345678901234567890\n";
    for (int i = 0; i < 63; ++i)
        tree.write("/d/" + std::to_string(10 + i) + ".conf", "port: " + std::to_string(i) + "\n" + filler);
    const auto config =
        read_config(HostRoot(tree.directory()), process_of(ProcessRole::kubelet, {"kubelet", "--config-dir=/d"}));
    EXPECT_EQ(told(config, "port"), "3 @/d/13.conf:1");
    ASSERT_FALSE(config.trouble.empty());
    EXPECT_EQ(config.trouble[0], "cannot read /d/14.conf: all files together are larger than 1048576 bytes");
}

TEST(KubeletConfig, what_it_depends_on_is_told) {
    const Tree tree;
    tree.write("/etc/k/config.yaml", "port: 1\n");
    tree.write("/etc/k/d/a.conf", "healthzPort: 12\n");
    const HostRoot root(tree.directory());
    const auto process =
        process_of(ProcessRole::kubelet, {"kubelet", "--config=/etc/k/config.yaml", "--config-dir=/etc/k/d"});
    std::vector<FileSeen> seen;
    read_config(root, process, &seen);
    ASSERT_EQ(seen.size(), 3u);
    for (const FileSeen& file : seen) EXPECT_TRUE(unchanged(root, file)) << file.on_host;
    tree.write("/etc/k/config.yaml", "port: 12345\n");
    tree.write("/etc/k/d/b.conf", "port: 1\n");
    int changed = 0;
    for (const FileSeen& file : seen) changed += !unchanged(root, file);
    EXPECT_EQ(changed, 2);
}

}  // namespace
}  // namespace hopscope::procmap::test
