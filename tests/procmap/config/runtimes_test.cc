#include <gmock/gmock.h>

#include "procmap/config/config_tree.h"

namespace hopscope::procmap::test {
namespace {

using ::testing::Test;

class Containerd : public Test {
protected:
    ComponentConfig read(std::vector<std::string> cmdline = {"containerd"}, std::string version = "1.6.20") {
        return read_config(HostRoot(tree_.directory()),
                           process_of(ProcessRole::containerd, cmdline, std::move(version)));
    }
    Tree tree_;
};

TEST_F(Containerd, without_a_file_has_defaults_and_no_trouble) {
    const auto config = read();
    EXPECT_EQ(told(config, "stream_server_address"), "127.0.0.1 @default");
    EXPECT_EQ(told(config, "stream_server_port"), "0 @default");
    EXPECT_EQ(told(config, "grpc.address"), "/run/containerd/containerd.sock @default");
    EXPECT_EQ(told(config, "ttrpc.address"), "/run/containerd/containerd.sock.ttrpc @default");
    EXPECT_TRUE(config.trouble.empty());
    EXPECT_EQ(told(read({"containerd"}, "1.1.8"), "stream_server_port"), "10010 @default");
}

TEST_F(Containerd, version_two_and_three) {
    for (const char* version : {"2", "3"}) {
        tree_.write("/etc/containerd/config.toml",
                    std::string("version = ") + version +
                        "\n"
                        "disabled_plugins = [\"io.containerd.internal.v1.opt\", 'x']\n"
                        "[grpc]\n"
                        "  address = \"/run/other.sock\"\n"
                        "[plugins.\"io.containerd.grpc.v1.cri\"]\n"
                        "  stream_server_address = \"127.0.0.1\"\n"
                        "  stream_server_port = \"10010\"\n"
                        "  enable_tls_streaming = true\n"
                        "  [plugins.\"io.containerd.grpc.v1.cri\".x509_key_pair_streaming]\n"
                        "    tls_cert_file = \"/c\"\n"
                        "  [plugins.\"io.containerd.grpc.v1.cri\".registry.configs.x.auth]\n"
                        "    password = \"secret\"\n");
        const auto config = read();
        EXPECT_EQ(told(config, "stream_server_port"), "10010 @/etc/containerd/config.toml:7");
        EXPECT_EQ(told(config, "enable_tls_streaming"), "true @/etc/containerd/config.toml:8");
        EXPECT_EQ(told(config, "x509_key_pair_streaming.tls_cert_file"), "/c @/etc/containerd/config.toml:10");
        EXPECT_EQ(told(config, "disabled_plugins"), "io.containerd.internal.v1.opt,x @/etc/containerd/config.toml:2");
        EXPECT_EQ(told(config, "grpc.address"), "/run/other.sock @/etc/containerd/config.toml:4");
        EXPECT_EQ(told(config, "ttrpc.address"), "/run/other.sock.ttrpc @default");
        EXPECT_EQ(told(config, "version"), std::string(version) + " @/etc/containerd/config.toml:1");
        EXPECT_TRUE(config.trouble.empty());
        for (const ConfigValue& value : config.values) EXPECT_EQ(value.value.raw().find("secret"), std::string::npos);
    }
}

TEST_F(Containerd, version_one_has_short_names) {
    tree_.write("/etc/containerd/config.toml",
                "[plugins.cri]\nstream_server_port = \"10011\"\n[plugins.\"io.containerd.grpc.v1.cri\"]\n"
                "stream_server_port = \"1\"\n");
    const auto config = read();
    EXPECT_EQ(told(config, "stream_server_port"), "10011 @/etc/containerd/config.toml:2");
    ASSERT_EQ(config.trouble.size(), 1u);
    EXPECT_NE(config.trouble[0].find("/etc/containerd/config.toml:3: plugins.io.containerd.grpc.v1.cri is not read"),
              std::string::npos);
}

// containerd.toml as dockerd 20.10 writes it for its private containerd.
TEST_F(Containerd, version_zero_is_one_and_empty_addresses_are_defaults) {
    tree_.write(
        "/etc/containerd/config.toml",
        "version = 0\ndisabled_plugins = [\"cri\"]\n[grpc]\n  address = \"/run/docker/containerd/containerd.sock\"\n"
        "[ttrpc]\n  address = \"\"\n[metrics]\n  address = \"\"\n[plugins.cri]\nstream_server_port = \"5\"\n");
    const auto config = read();
    EXPECT_EQ(told(config, "ttrpc.address"), "/run/docker/containerd/containerd.sock.ttrpc @default");
    EXPECT_EQ(told(config, "metrics.address"), " @/etc/containerd/config.toml:8");
    EXPECT_EQ(told(config, "stream_server_port"), "5 @/etc/containerd/config.toml:10");
    EXPECT_TRUE(config.trouble.empty());
}

TEST_F(Containerd, a_table_of_the_other_version_is_not_in_force) {
    tree_.write("/etc/containerd/config.toml", "version = 2\n[plugins.cri]\nstream_server_port = \"10011\"\n");
    const auto config = read();
    EXPECT_EQ(told(config, "stream_server_port"), "0 @default");
    EXPECT_EQ(config.trouble.size(), 1u);
}

TEST_F(Containerd, imports_are_followed_and_win) {
    tree_.write("/cfg/main.toml",
                "version = 2\nimports = [\"conf.d/*.toml\", \"/abs.toml\", \"main.toml\"]\ndisabled_plugins = [\"a\"]\n"
                "[debug]\naddress = \"/one\"\n[metrics]\naddress = \"127.0.0.1:1338\"\n");
    tree_.write("/cfg/conf.d/10.toml", "version = 2\n[debug]\naddress = \"/two\"\n");
    tree_.write(
        "/cfg/conf.d/20.toml",
        "version = 2\ndisabled_plugins = [\"b\"]\n[plugins.'io.containerd.grpc.v1.cri']\nstream_server_port='7'\n");
    tree_.write("/cfg/conf.d/30.conf", "version = 2\n[debug]\naddress = \"/no\"\n");
    tree_.write("/abs.toml", "version = 2\nimports = [\"/cfg/main.toml\"]\nroot = \"/data\"\n");
    for (const std::vector<std::string>& cmdline :
         std::vector<std::vector<std::string>>{{"containerd", "--config", "/cfg/main.toml"},
                                               {"containerd", "-c", "/cfg/main.toml"},
                                               {"containerd", "-c=/cfg/main.toml"},
                                               {"containerd", "--config=/cfg/main.toml", "--address", "/flag.sock"}}) {
        const auto config = read(cmdline);
        EXPECT_EQ(told(config, "debug.address"), "/two @/cfg/conf.d/10.toml:3");
        EXPECT_EQ(told(config, "stream_server_port"), "7 @/cfg/conf.d/20.toml:4");
        EXPECT_EQ(told(config, "disabled_plugins"), "a,b @/cfg/conf.d/20.toml:2");
        EXPECT_EQ(told(config, "root"), "/data @/abs.toml:3");
        EXPECT_EQ(told(config, "metrics.address"), "127.0.0.1:1338 @/cfg/main.toml:7");
        EXPECT_EQ(config.find("grpc.address")->value.raw(),
                  cmdline.size() > 3 ? "/flag.sock" : "/run/containerd/containerd.sock");
        EXPECT_TRUE(config.trouble.empty());
    }
}

TEST_F(Containerd, damage_is_told) {
    tree_.write("/etc/containerd/config.toml", "version = 2\n[plugins\n");
    const auto config = read();
    ASSERT_EQ(config.trouble.size(), 1u);
    EXPECT_EQ(config.trouble[0].find("/etc/containerd/config.toml:2 is not TOML"), 0u) << config.trouble[0];
    EXPECT_EQ(read({"containerd", "-c", "/none.toml"}).trouble.at(0),
              "cannot read /none.toml: No such file or directory");
}

TEST_F(Containerd, hostile_files_are_survived) {
    for (const std::string& text :
         {"a = " + std::string(100'000, '['), std::string("\0", 1), std::string("version = [[1]]\nplugins = 3\n"),
          std::string("imports = 5\ndisabled_plugins = {a=1}\n"), std::string("grpc = []\n"),
          std::string(300'000, '#')}) {
        tree_.write("/etc/containerd/config.toml", text);
        EXPECT_EQ(told(read(), "stream_server_port"), "0 @default");
    }
}

// What frees a table calls itself for each table in it: unbounded, each of these ends the whole program.
TEST_F(Containerd, keys_of_very_many_parts_are_refused) {
    std::string many = "a";
    while (many.size() < 200'000) many += ".a";
    for (const std::string& text : {many + " = 1", "[" + many + "]", "[[" + many + "]]", "x = {" + many + " = 1}"}) {
        tree_.write("/etc/containerd/config.toml", "version = 2\n" + text + "\n[grpc]\naddress = \"/x\"\n");
        const auto config = read();
        ASSERT_EQ(config.trouble.size(), 1u);
        EXPECT_EQ(config.trouble[0],
                  "/etc/containerd/config.toml:2 has a key of more than 64 parts: nothing of the file is read");
        EXPECT_EQ(told(config, "grpc.address"), "/run/containerd/containerd.sock @default");
    }
    tree_.write("/etc/crio/crio.conf", many + " = 1");
    EXPECT_EQ(read_config(HostRoot(tree_.directory()), process_of(ProcessRole::crio, {"crio"})).trouble.size(), 1u);
}

TEST_F(Containerd, many_dots_that_are_no_keys_are_read) {
    const std::string dots(1000, '.');
    tree_.write(
        "/etc/containerd/config.toml",
        "version = 2 # " + dots + "\n# " + dots + "\nroot = '/" + dots + "'\nstate = \"\"\"\n/" + dots +
            "\n\"\"\"\nnumbers = [1.5, 2.5]\n[plugins.\"io.containerd.grpc.v1.cri\"]\nstream_server_port = '1'\n");
    const auto config = read();
    EXPECT_TRUE(config.trouble.empty());
    EXPECT_EQ(told(config, "stream_server_port"), "1 @/etc/containerd/config.toml:9");
}

// Each file imports every other over and over: without a common measure some 16,000 listings of 5,000 names.
TEST_F(Containerd, imports_together_have_a_measure) {
    const auto imports = [](int count) {
        std::string text = "version = 2\nimports = [";
        for (int i = 0; i < count; ++i) text += "\"/big/*.t?ml\",";
        return text + "]\n";
    };
    tree_.write("/etc/containerd/config.toml", imports(300));
    for (int i = 0; i < 5000; ++i) tree_.write("/big/" + std::to_string(10'000 + i), "");
    for (int i = 0; i < 63; ++i) tree_.write("/big/" + std::to_string(10 + i) + ".toml", imports(250));
    std::vector<FileSeen> seen;
    const HostRoot root(tree_.directory());
    const auto config = read_config(root, process_of(ProcessRole::containerd, {"containerd"}), &seen);
    EXPECT_THAT(config.trouble,
                testing::Contains("cannot list /big: all directories together have more than 65536 names"));
    EXPECT_THAT(config.trouble, testing::Contains("cannot list /big: more than 256 directories"));
    EXPECT_THAT(config.trouble, testing::Contains("/etc/containerd/config.toml imports more than 256 patterns: the "
                                                  "rest is not read"));
    EXPECT_EQ(seen.size(), 65u) << "each file once, and the directory";
}

TEST_F(Containerd, more_files_than_are_read_are_told) {
    std::string imports = "version = 2\nimports = [";
    for (int i = 0; i < 70; ++i) {
        const std::string path = "/c/" + std::to_string(100 + i) + ".toml";
        tree_.write(path, "version = 2\n[debug]\naddress = \"/" + std::to_string(100 + i) + "\"\n");
        imports += "\"" + path + "\",";
    }
    tree_.write("/etc/containerd/config.toml", imports + "]\n");
    const auto config = read();
    EXPECT_EQ(told(config, "debug.address"), "/162 @/c/162.toml:3");
    EXPECT_THAT(config.trouble,
                testing::ElementsAre(
                    "cannot read /c/163.toml: more than 64 files", "cannot read /c/164.toml: more than 64 files",
                    "cannot read /c/165.toml: more than 64 files", "cannot read /c/166.toml: more than 64 files",
                    "cannot read /c/167.toml: more than 64 files", "cannot read /c/168.toml: more than 64 files",
                    "cannot read /c/169.toml: more than 64 files"));
}

TEST(CrioConfig, drop_ins_over_file_and_options_over_both) {
    const Tree tree;
    tree.write("/etc/crio/crio.conf",
               "[crio]\nroot = \"/r\"\n[crio.api]\nstream_address = \"0.0.0.0\"\nstream_port = \"1\"\n"
               "[crio.metrics]\nenable_metrics = true\nmetrics_port = 9537\n");
    tree.write("/etc/crio/crio.conf.d/00-a.conf", "[crio.api]\nstream_port = \"2\"\n");
    tree.write("/etc/crio/crio.conf.d/01-b.conf", "[crio.api]\n\nstream_port = \"3\"\nstream_enable_tls = true\n");
    const HostRoot root(tree.directory());
    const auto config = read_config(
        root, process_of(ProcessRole::crio, {"/usr/bin/crio", "--listen=/run/x.sock", "--enable-metrics"}, "1.26.4"));
    EXPECT_EQ(told(config, "stream_port"), "3 @/etc/crio/crio.conf.d/01-b.conf:3");
    EXPECT_EQ(told(config, "stream_enable_tls"), "true @/etc/crio/crio.conf.d/01-b.conf:4");
    EXPECT_EQ(told(config, "stream_address"), "0.0.0.0 @/etc/crio/crio.conf:4");
    EXPECT_EQ(told(config, "metrics_port"), "9537 @/etc/crio/crio.conf:8");
    EXPECT_EQ(told(config, "listen"), "/run/x.sock @/proc/4242/cmdline:0");
    EXPECT_EQ(told(config, "enable_metrics"), "true @/proc/4242/cmdline:0");
    EXPECT_EQ(told(config, "root"), "/r @/etc/crio/crio.conf:2");
    const auto bare = read_config(HostRoot("/nowhere"), process_of(ProcessRole::crio, {"crio"}, "1.26.4"));
    EXPECT_EQ(told(bare, "stream_address"), "127.0.0.1 @default");
    EXPECT_EQ(told(bare, "listen"), "/var/run/crio/crio.sock @default");
}

TEST(DockerdConfig, json_with_lines_and_options) {
    const Tree tree;
    tree.write(
        "/etc/docker/daemon.json",
        "{\n  \"exec-opts\": [\"native.cgroupdriver=systemd\"],\n  \"log-opts\": {\"hosts\": \"no\"},\n"
        "  \"metrics-addr\": \"127.0.0.1:9323\",\n  \"proxies\": {\"http-proxy\": \"http://user:secret@x\"}\n}\n");
    const HostRoot root(tree.directory());
    const auto config = read_config(
        root, process_of(ProcessRole::dockerd, {"dockerd", "-H", "fd://", "-Htcp://127.0.0.1:2375",
                                                "--host=unix:///x.sock", "--containerd=/run/c.sock", "-D"}));
    EXPECT_EQ(told(config, "hosts"), "fd://,tcp://127.0.0.1:2375,unix:///x.sock @/proc/4242/cmdline:0");
    EXPECT_EQ(told(config, "exec-opts"), "native.cgroupdriver=systemd @/etc/docker/daemon.json:2");
    EXPECT_EQ(told(config, "metrics-addr"), "127.0.0.1:9323 @/etc/docker/daemon.json:4");
    EXPECT_EQ(told(config, "containerd"), "/run/c.sock @/proc/4242/cmdline:0");
    EXPECT_EQ(told(config, "debug"), "true @/proc/4242/cmdline:0");
    for (const ConfigValue& value : config.values) EXPECT_EQ(value.value.raw().find("secret"), std::string::npos);
    EXPECT_EQ(told(read_config(HostRoot("/nowhere"), process_of(ProcessRole::dockerd, {"dockerd"})), "hosts"),
              "unix:///var/run/docker.sock @default");
}

// Whoever may read the answer of `ports` is not whoever may use the daemon.
TEST(DockerdConfig, users_and_passwords_of_urls_are_not_kept) {
    const Tree tree;
    tree.write("/etc/docker/daemon.json", "{\"metrics-addr\": \"http://user:PW@127.0.0.1:9323\"}");
    const auto config = read_config(
        HostRoot(tree.directory()),
        process_of(ProcessRole::dockerd, {"dockerd", "-H", "tcp://user:PW@127.0.0.1:2375", "-Hother:PW@[::1]:2375"}));
    EXPECT_EQ(told(config, "hosts"), "tcp://***@127.0.0.1:2375,***@[::1]:2375 @/proc/4242/cmdline:0");
    EXPECT_EQ(told(config, "metrics-addr"), "http://***@127.0.0.1:9323 @/etc/docker/daemon.json:1");
}

TEST(DockerdConfig, hostile_json_is_survived) {
    const Tree tree;
    const HostRoot root(tree.directory());
    for (const std::string& text :
         {std::string(200'000, '['), std::string("{\"hosts\":"), std::string("{\"hosts\":[[\"a\"]]}"), std::string("5"),
          std::string("{\"hosts\":{\"hosts\":\"b\"}}"), std::string()}) {
        tree.write("/etc/docker/daemon.json", text);
        const auto config = read_config(root, process_of(ProcessRole::dockerd, {"dockerd"}));
        EXPECT_NE(told(config, "hosts"), "none");
        EXPECT_NE(config.find("hosts")->value.raw(), "b");
    }
    tree.write("/etc/docker/daemon.json", "{\n\"x\":\n" + std::string(65, '['));
    EXPECT_EQ(read_config(root, process_of(ProcessRole::dockerd, {"dockerd"})).trouble.at(0),
              "/etc/docker/daemon.json:3 goes deeper than 64 levels: nothing after it is read");
    tree.write("/etc/docker/daemon.json", "{\n\"hosts\": [\n");
    EXPECT_EQ(
        read_config(root, process_of(ProcessRole::dockerd, {"dockerd"})).trouble.at(0).find("/etc/docker/daemon.json:"),
        0u);
}

TEST(CriDockerdConfig, an_unset_address_is_every_interface) {
    const HostRoot root("/nowhere");
    const auto bare = read_config(
        root, process_of(ProcessRole::cri_dockerd, {"cri-dockerd", "--container-runtime-endpoint", "fd://"}));
    ASSERT_NE(bare.find("streaming-bind-addr"), nullptr);
    EXPECT_EQ(told(bare, "streaming-bind-addr"), " @default");
    EXPECT_EQ(told(bare, "container-runtime-endpoint"), "fd:// @/proc/4242/cmdline:0");
    EXPECT_EQ(told(read_config(
                       root, process_of(ProcessRole::cri_dockerd, {"cri-dockerd", "--streaming-bind-addr=127.0.0.1"})),
                   "streaming-bind-addr"),
              "127.0.0.1 @/proc/4242/cmdline:0");
}

TEST(ControlPlaneConfig, ports_and_addresses) {
    const Tree tree;
    const HostRoot root(tree.directory());
    tree.write("/proc/4242/root/var/lib/kube-proxy/config.conf",
               "bindAddress: 0.0.0.0\nmetricsBindAddress: 0.0.0.0:10249\nhealthzBindAddress: \"\"\n");
    Process proxy = process_of(ProcessRole::kube_proxy, {"kube-proxy", "--config=/var/lib/kube-proxy/config.conf",
                                                         "--metrics-bind-address=1.2.3.4:5"});
    proxy.container_id = Untrusted(std::string(64, 'a'));
    const auto by_file = read_config(root, proxy);
    EXPECT_EQ(told(by_file, "metricsBindAddress"), "0.0.0.0:10249 @/var/lib/kube-proxy/config.conf:2");
    EXPECT_EQ(told(by_file, "healthzBindAddress"), "0.0.0.0:10256 @default");
    EXPECT_EQ(
        told(read_config(root, process_of(ProcessRole::kube_proxy, {"kube-proxy", "--metrics-bind-address=1.2.3.4:5"})),
             "metricsBindAddress"),
        "1.2.3.4:5 @/proc/4242/cmdline:0");
    const auto etcd = read_config(
        root,
        process_of(ProcessRole::etcd, {"etcd", "--listen-client-urls=https://127.0.0.1:2379,https://10.0.0.1:2379",
                                       "--listen-metrics-urls", "http://127.0.0.1:2381"}));
    EXPECT_EQ(told(etcd, "listen-client-urls"), "https://127.0.0.1:2379,https://10.0.0.1:2379 @/proc/4242/cmdline:0");
    EXPECT_EQ(told(etcd, "listen-metrics-urls"), "http://127.0.0.1:2381 @/proc/4242/cmdline:0");
    EXPECT_EQ(told(etcd, "listen-peer-urls"), "http://localhost:2380 @default");
    const auto api =
        read_config(root, process_of(ProcessRole::apiserver, {"kube-apiserver", "--secure-port=7443"}, "1.18.0"));
    EXPECT_EQ(told(api, "secure-port"), "7443 @/proc/4242/cmdline:0");
    EXPECT_EQ(told(api, "insecure-port"), "8080 @default");
    EXPECT_EQ(
        told(read_config(root, process_of(ProcessRole::scheduler, {"kube-scheduler", "--bind-address=127.0.0.1"})),
             "secure-port"),
        "10259 @default");
    EXPECT_EQ(told(read_config(root, process_of(ProcessRole::controller_manager, {"kube-controller-manager"})),
                   "bind-address"),
              "0.0.0.0 @default");
    EXPECT_TRUE(read_config(root, process_of(ProcessRole::runc, {"runc", "--root=/x"})).values.empty());
}

}  // namespace
}  // namespace hopscope::procmap::test
