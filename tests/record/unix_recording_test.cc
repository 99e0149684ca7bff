// What lies beside the packets of a recording: CRI calls as they were really said, masked and not, and processes.
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <random>

#include "capture/reader.h"
#include "capture/stream_source.h"
#include "chain/process_book.h"
#include "pipeline/pipeline.h"
#include "record/cri_masker.h"
#include "record/masker.h"
#include "record/recorder.h"
#include "record/sidecar.h"
#include "record/spec_masker.h"
#include "record/unix_masker.h"
#include "support/temporary_directory.h"

namespace hopscope::record {
namespace {

namespace fs = std::filesystem;

const std::string kCalls = HOPSCOPE_SOURCE_DIR "/testdata/captures/grpc/";

// What the model is made of: the calls, with their words.
class Calls final : public pipeline::EventTap {
public:
    void on(const Event& event, const chain::Place&) override {
        const auto* message = std::get_if<CriMessage>(&event);
        if (!message) return;
        std::string line = std::string(message->method) + (message->response ? " answer " : " ") +
                           std::string(message->container_id) + " " + std::string(message->sandbox_id);
        for (const CriContainer& each : message->containers)
            line += " " + std::string(each.name) + "/" + std::string(each.pod) + "/" + std::string(each.namespace_);
        for (const CriSandbox& each : message->sandboxes) line += " " + std::string(each.pod);
        line += message->tty ? " tty" : "";
        if (message->exit_code) line += " exit " + std::to_string(*message->exit_code);
        lines.push_back(line);
        for (const std::string_view word : message->command) words.emplace_back(word);
        if (!message->url.empty()) urls.emplace_back(message->url);
    }
    std::vector<std::string> lines, words, urls;
};

class UnixRecordingTest : public testing::Test {
protected:
    std::string path(const std::string& name) const { return folder_.file(name); }

    // Plays recorded sockets as if they were live. `late`: the first so many bytes of each direction were not seen.
    static RecorderCounts record(const std::string& calls, RecorderOptions options, std::uint64_t late = 0,
                                 const std::function<void(Recorder&)>& before = {}) {
        auto recorder = Recorder::open(std::move(options));
        EXPECT_TRUE(recorder);
        if (before) before(**recorder);
        auto source = capture::open_stream_index(kCalls + calls, 0);
        EXPECT_TRUE(source);
        StreamChunk chunk;
        while ((*source)->next(chunk)) {
            if (late > 0 && chunk.offset < late) continue;
            (*recorder)->on(chunk);
            (*recorder)->tick(chunk.at);
        }
        (*recorder)->finish();
        EXPECT_TRUE((*recorder)->status());
        const RecorderCounts counts = (*recorder)->counts();
        EXPECT_TRUE((*recorder)->close());
        return counts;
    }

    static Calls calls_of(capture::StreamSource& source) {
        Calls calls;
        pipeline::Pipeline pipeline({.tap = &calls});
        StreamChunk chunk;
        while (source.next(chunk)) pipeline.on(chunk);
        pipeline.finish();
        return calls;
    }
    static Calls calls_in(const std::string& file) {
        auto source = capture::open_unix_recording(file, 0, {}, [](const capture::FileNote& note) {
            EXPECT_NE(note.kind, capture::FileNote::Kind::trouble) << note.text;
        });
        EXPECT_TRUE(source);
        return calls_of(**source);
    }
    static Calls original(const std::string& calls) {
        auto source = capture::open_stream_index(kCalls + calls, 0);
        EXPECT_TRUE(source);
        return calls_of(**source);
    }
    RecorderOptions options(const std::string& name, RecordPayload payload) const {
        return {.files = {.name = path(name), .unix_sockets = RecordUnix::sidecar}, .payload = payload};
    }

    test::TemporaryDirectory folder_;
};

TEST_F(UnixRecordingTest, fullIsAsSaid) {
    for (const std::string calls : {"exec_exit3", "attach_stdin_stdout", "grpc_misc", "execsync"}) {
        record(calls + ".grpc.index.jsonl", options(calls + ".pcapng", RecordPayload::full));
        const Calls said = original(calls + ".grpc.index.jsonl"), read = calls_in(path(calls + ".unix.pcapng"));
        ASSERT_FALSE(said.lines.empty());
        EXPECT_EQ(read.lines, said.lines);
        EXPECT_EQ(read.words, said.words);
        EXPECT_EQ(read.urls, said.urls);
    }
}

TEST_F(UnixRecordingTest, maskedTheCallsStayAndTheirSecretsGo) {
    for (const std::string calls : {"exec_exit3", "attach_stdin_stdout", "grpc_misc", "execsync", "dk_exec_exit3"}) {
        record(calls + ".grpc.index.jsonl", options(calls + ".pcapng", RecordPayload::headers));
        const Calls said = original(calls + ".grpc.index.jsonl"), read = calls_in(path(calls + ".unix.pcapng"));
        EXPECT_EQ(read.lines, said.lines) << calls;
        ASSERT_EQ(read.words.size(), said.words.size());
        const std::string file = test::read_whole_file(path(calls + ".unix.pcapng"));
        for (std::size_t i = 0; i < said.words.size(); ++i) {
            EXPECT_EQ(read.words[i].size(), said.words[i].size());
            for (std::size_t j = 0; j < i; ++j)
                EXPECT_EQ(read.words[i] == read.words[j], said.words[i] == said.words[j]);
            if (said.words[i].size() > 4) {
                EXPECT_EQ(file.find(said.words[i]), std::string::npos) << said.words[i];
            }
        }
        ASSERT_EQ(read.urls.size(), said.urls.size());
        for (std::size_t i = 0; i < said.urls.size(); ++i) {
            const std::string token = said.urls[i].substr(said.urls[i].rfind('/') + 1);
            EXPECT_EQ(read.urls[i].size(), said.urls[i].size());
            EXPECT_EQ(read.urls[i].substr(0, read.urls[i].rfind('/')), said.urls[i].substr(0, said.urls[i].rfind('/')));
            EXPECT_EQ(file.find(token), std::string::npos) << token;
        }
    }
}

TEST_F(UnixRecordingTest, joinedLateACallIsFoundAndMaskedAllTheSame) {
    // The preface, SETTINGS and whatever came first are not there: the names of methods are not known.
    const std::string calls = "exec_exit3.grpc.index.jsonl";
    record(calls, options("late.pcapng", RecordPayload::headers), 40);
    const Calls said = original(calls), read = calls_in(path("late.unix.pcapng"));
    ASSERT_FALSE(said.urls.empty());
    ASSERT_EQ(read.urls.size(), said.urls.size());
    EXPECT_EQ(read.words.size(), said.words.size());
    const std::string file = test::read_whole_file(path("late.unix.pcapng"));
    for (const std::string& url : said.urls) EXPECT_EQ(file.find(url.substr(url.rfind('/') + 1)), std::string::npos);
    for (const std::string& word : said.words) {
        if (word.size() > 4) {
            EXPECT_EQ(file.find(word), std::string::npos) << word;
        }
    }
}

TEST_F(UnixRecordingTest, bothFilesNameTheRecordingAndAForeignOneIsNotTaken) {
    record("exec_exit3.grpc.index.jsonl", options("a.pcapng", RecordPayload::headers));
    record("exec_exit3.grpc.index.jsonl", options("b.pcapng", RecordPayload::headers));
    EXPECT_EQ(find_sidecar(path("a.pcapng")).state, SidecarState::found);
    EXPECT_EQ(find_sidecar(path("a.pcapng")).name, path("a.unix.pcapng"));
    for (const char* name : {"a.pcapng", "a.unix.pcapng"}) {
        struct stat info {};
        ASSERT_EQ(::stat(path(name).c_str(), &info), 0);
        EXPECT_EQ(info.st_mode & 0777, 0600U);
    }
    fs::rename(path("b.unix.pcapng"), path("a.unix.pcapng"));
    EXPECT_EQ(find_sidecar(path("a.pcapng")).state, SidecarState::foreign);
    fs::remove(path("a.unix.pcapng"));
    EXPECT_EQ(find_sidecar(path("a.pcapng")).state, SidecarState::missing);
    EXPECT_EQ(find_sidecar(HOPSCOPE_SOURCE_DIR "/testdata/captures/runtime/exec_tty_resize.pcap").state,
              SidecarState::none);
}

TEST_F(UnixRecordingTest, neitherFileIsMadeOverOneThatIsThere) {
    std::ofstream(path("c.unix.pcapng")) << "mine";
    const auto opened = Recorder::open(options("c.pcapng", RecordPayload::headers));
    ASSERT_FALSE(opened);
    EXPECT_EQ(opened.error().code, "CAP-21");
    EXPECT_FALSE(fs::exists(path("c.pcapng")));
    EXPECT_EQ(test::read_whole_file(path("c.unix.pcapng")), "mine");
}

TEST_F(UnixRecordingTest, aFullRecordingMaskedLaterIsMaskedInBothFiles) {
    const std::string calls = "exec_exit3.grpc.index.jsonl";
    ProcessEvent event;
    event.kind = ProcessEvent::Kind::exec;
    event.process = {17801, 5};
    event.comm = Untrusted("sh");
    event.cgroup_names = {Untrusted(std::string(64, 'a'))};
    const Calls said = original(calls);
    for (const std::string& word : said.words) event.cmdline.emplace_back(word);
    event.cmdline.emplace_back("planted-argument");
    record(calls, options("full.pcapng", RecordPayload::full), 0, [&](Recorder& recorder) { recorder.on(event); });
    EXPECT_NE(test::read_whole_file(path("full.unix.pcapng")).find("planted-argument"), std::string::npos);
    const auto summary = mask_capture(path("full.pcapng"), path("masked.pcapng"), {});
    ASSERT_TRUE(summary);
    EXPECT_EQ(summary->sidecar, path("masked.unix.pcapng"));
    EXPECT_EQ(test::read_whole_file(path("masked.unix.pcapng")).find("planted-argument"), std::string::npos);
    EXPECT_EQ(find_sidecar(path("masked.pcapng")).state, SidecarState::found);
    EXPECT_EQ(calls_in(path("masked.unix.pcapng")).lines, said.lines);
    // The words of the process are still those of the call.
    std::vector<std::string> arguments;
    auto source = capture::open_unix_recording(path("masked.unix.pcapng"), 0,
                                               [&](const capture::UnixRecord& told) {
                                                   if (const auto* started = std::get_if<ProcessEvent>(&told))
                                                       for (const Untrusted& word : started->cmdline)
                                                           arguments.push_back(word.raw());
                                               },
                                               {});
    ASSERT_TRUE(source);
    const std::vector<std::string> words = calls_of(**source).words;
    ASSERT_EQ(arguments.size(), words.size() + 1);
    EXPECT_TRUE(std::equal(words.begin(), words.end(), arguments.begin()));
    // Without it nothing is claimed about it.
    fs::remove(path("full.unix.pcapng"));
    const auto alone = mask_capture(path("full.pcapng"), path("alone.pcapng"), {});
    ASSERT_TRUE(alone);
    EXPECT_TRUE(alone->sidecar.empty());
    ASSERT_EQ(alone->trouble.size(), 1U);
    EXPECT_NE(alone->trouble[0].find("full.unix.pcapng"), std::string::npos);
}

TEST_F(UnixRecordingTest, embeddedItIsOneFile) {
    RecorderOptions one = options("one.pcapng", RecordPayload::full);
    one.files.unix_sockets = RecordUnix::embed;
    record("exec_exit3.grpc.index.jsonl", one);
    EXPECT_FALSE(fs::exists(path("one.unix.pcapng")));
    EXPECT_EQ(calls_in(path("one.pcapng")).lines, original("exec_exit3.grpc.index.jsonl").lines);
    EXPECT_EQ(find_sidecar(path("one.pcapng")).state, SidecarState::none);
}

TEST_F(UnixRecordingTest, whatIsThereIsToldInEachFileOfARing) {
    RecorderOptions ring = options("r.pcapng", RecordPayload::full);
    ring.files.file_bytes_max = 4096;
    Process process;
    process.id = {2685, 77};
    process.comm = Untrusted("containerd");
    const RecorderCounts counts = record("grpc_misc.grpc.index.jsonl", ring, 0, [&](Recorder& recorder) {
        recorder.know(process);
        recorder.know(ContainerNames{.id = std::string(64, 'b'), .sandbox_id = {}, .runtime = "containerd"});
    });
    ASSERT_GT(counts.files, 2U);
    for (std::uint64_t i = 1; i <= counts.files; ++i) {
        const std::string number = std::to_string(i);
        const std::string stem = path("r_" + std::string(5 - number.size(), '0') + number);
        ASSERT_EQ(find_sidecar(stem + ".pcapng").state, SidecarState::found) << i;
        std::size_t processes = 0, names = 0;
        auto source = capture::open_unix_recording(stem + ".unix.pcapng", 0,
                                                   [&](const capture::UnixRecord& told) {
                                                       processes += std::holds_alternative<Process>(told) ? 1 : 0;
                                                       names += std::holds_alternative<ContainerNames>(told) ? 1 : 0;
                                                   },
                                                   {});
        ASSERT_TRUE(source);
        StreamChunk chunk;
        bool ends = false;
        while ((*source)->next(chunk)) ends = ends || chunk.client_pid != 0;
        EXPECT_EQ(processes, 1U) << i;
        EXPECT_EQ(names, 1U) << i;
        EXPECT_TRUE(ends) << i;
    }
}

// Everything that was said, masked: by direction and connection.
std::string masked(const std::vector<std::pair<StreamChunk, std::string>>& pieces) {
    Pseudonyms pseudonyms;
    MaskCounts counts;
    UnixMasker masker(pseudonyms, counts, false);
    for (const auto& [piece, bytes] : pieces) {
        StreamChunk chunk = piece;
        chunk.bytes = as_bytes(bytes);
        masker.collect(chunk);
    }
    masker.finish();
    std::map<std::pair<std::uint64_t, Direction>, std::string> all;
    for (const auto& [piece, bytes] : pieces) {
        StreamChunk chunk = piece;
        chunk.bytes = as_bytes(bytes);
        std::vector<std::uint8_t> copy(chunk.bytes.begin(), chunk.bytes.end());
        masker.mask(chunk, copy);
        EXPECT_EQ(copy.size(), bytes.size());
        all[{chunk.connection, chunk.direction}] += as_text(copy);
    }
    std::string text;
    for (const auto& [key, bytes] : all) text += bytes;
    return text;
}

std::vector<std::pair<StreamChunk, std::string>> pieces_of(const std::string& calls) {
    std::vector<std::pair<StreamChunk, std::string>> pieces;
    auto source = capture::open_stream_index(kCalls + calls + ".grpc.index.jsonl", 0);
    EXPECT_TRUE(source);
    StreamChunk chunk;
    while ((*source)->next(chunk)) pieces.emplace_back(chunk, as_text(chunk.bytes));
    return pieces;
}

TEST(UnixMasker, aCutNeverChangesWhatIsMasked) {
    std::minstd_rand chance(7);
    for (const std::string calls : {"exec_exit3", "grpc_misc", "dk_exec_exit3", "dockerapi"}) {
        const auto whole = pieces_of(calls);
        const std::string expected = masked(whole);
        for (int round = 0; round < 20; ++round) {
            std::vector<std::pair<StreamChunk, std::string>> cut;
            for (const auto& [piece, bytes] : whole) {
                for (std::size_t at = 0; at < bytes.size();) {
                    const std::size_t n = std::min<std::size_t>(1 + chance() % 40, bytes.size() - at);
                    cut.emplace_back(piece, bytes.substr(at, n));
                    cut.back().first.offset += at;
                    cut.back().first.end = false;
                    at += n;
                }
                if (piece.end) cut.emplace_back(piece, "");
                if (piece.end) cut.back().first.offset += bytes.size();
            }
            ASSERT_EQ(masked(cut), expected) << calls << " round " << round;
        }
    }
}

TEST(UnixMasker, damagedBytesAreMaskedAndNothingBreaks) {
    std::minstd_rand chance(11);
    for (const std::string calls : {"exec_exit3", "grpc_misc", "dockerapi"}) {
        const auto whole = pieces_of(calls);
        for (int round = 0; round < 60; ++round) {
            auto damaged = whole;
            for (auto& [piece, bytes] : damaged) {
                if (bytes.empty() || chance() % 4 != 0) continue;
                bytes[chance() % bytes.size()] = static_cast<char>(chance());
                if (chance() % 8 == 0) piece.offset += chance() % 50;  // a hole, or bytes that were there already
            }
            EXPECT_FALSE(masked(damaged).empty());
        }
    }
}

// The process specification of an exec, as containerd hands it to a shim.
TEST(TtrpcWalker, aCallToAShimKeepsItsIdsAndLosesItsWords) {
    const auto field = [](int number, const std::string& bytes) {
        return std::string{static_cast<char>(number << 3 | 2), static_cast<char>(bytes.size())} + bytes;
    };
    const std::string spec = R"({"args":["planted","-x"],"env":["A=planted"]})";
    const std::string exec = field(1, "container-id") + field(2, "exec-id") + field(4, "/planted/fifo") +
                             field(7, field(1, "type") + field(2, spec));
    ASSERT_LT(exec.size(), 128U);
    const std::string request = field(1, "containerd.task.v2.Task") + field(2, "Exec") +
                                std::string{0x1a, static_cast<char>(exec.size())} + exec +
                                field(5, field(1, "containerd-namespace-ttrpc") + field(2, "k8s.io"));
    const std::string head{0, 0, static_cast<char>(request.size() >> 8), static_cast<char>(request.size()), 0, 0, 0, 1,
                           1, 0};
    StreamChunk chunk{.connection = 1};
    for (const std::uint64_t offset : {std::uint64_t{0}, std::uint64_t{1}}) {  // from the beginning, and joined late
        chunk.offset = offset;
        const std::string shown = masked({{chunk, head + request}});
        EXPECT_EQ(shown.size(), head.size() + request.size());
        EXPECT_EQ(shown.find("planted"), std::string::npos) << shown;
        for (const char* kept : {"containerd.task.v2.Task", "Exec", "container-id", "exec-id", "k8s.io", "\"args\":["})
            EXPECT_NE(shown.find(kept), std::string::npos) << kept;
        EXPECT_EQ(shown.substr(0, head.size()), head);
    }
}

TEST(SpecMasker, wordsAreStandInsAndTheRestIsGoneWithoutALengthChanged) {
    Pseudonyms pseudonyms;
    MaskCounts counts;
    std::string spec =
        R"({"terminal":true,"user":{"uid":0},"args":["sh","-c","echo \u003cplanted\u003e\n"],"env":["PASS=planted","args\""],"cwd":"/planted"})";
    const std::size_t size = spec.size();
    mask_process_spec(spec, pseudonyms, counts);
    EXPECT_EQ(spec.size(), size);
    EXPECT_EQ(spec.find("planted"), std::string::npos);
    EXPECT_EQ(spec.find("{\"terminal\":true,\"user\":{\"uid\":0},\"args\":[\"" + pseudonyms.of_word("sh", 'q')), 0U)
        << spec;
    const std::string word = pseudonyms.of_word("echo <planted>\n", 'q');
    EXPECT_NE(spec.find('"' + word + "\"           ],\"env\":[\"xxxxxxxxxxxx\",\"xxxxxx\"],\"cwd\":\"xxxxxxxx\"}"),
              std::string::npos)
        << spec;
    for (std::size_t cut = 0; cut < size; ++cut) {  // never beyond what is there
        std::string piece = R"({"args":["a\u003c","b)";
        mask_process_spec(std::span(piece).first(std::min(cut, piece.size())), pseudonyms, counts);
    }
}

TEST(Pseudonyms, ofWordsAreEqualWhereWordsAreAndNeverByChance) {
    Pseudonyms pseudonyms;
    std::vector<std::string> given;
    for (char c = 'a'; c <= 'z'; ++c) given.push_back(pseudonyms.of_word(std::string(1, c), 'x'));
    for (std::size_t i = 0; i < given.size(); ++i) {
        EXPECT_EQ(given[i], pseudonyms.of_word(std::string(1, static_cast<char>('a' + i)), 'y'));
        for (std::size_t j = 0; j < i; ++j) EXPECT_NE(given[i], given[j]);
    }
    for (char c = 'A'; c <= 'Z'; ++c) static_cast<void>(pseudonyms.of_word(std::string(1, c), 'x'));
    EXPECT_EQ(pseudonyms.of_word("!", 'x'), "x");  // no more of this length
    EXPECT_EQ(pseudonyms.of_word("!", 'y'), "y");
    EXPECT_EQ(pseudonyms.of_word("", 'x'), "");
    EXPECT_NE(pseudonyms.of_word("sh", 'x'), pseudonyms.of_word("ls", 'x'));
}

}  // namespace
}  // namespace hopscope::record
