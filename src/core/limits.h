// Every bound of hopscope, by name, with unit and reason. Nothing that a peer can grow is unbounded.
#pragma once

#include <cstddef>
#include <cstdint>

namespace hopscope::limits {

// --- capture files
inline constexpr std::size_t kReadBlockBytes = 256 * 1024;        // one read(2); stays in a core's L2 cache
inline constexpr std::size_t kRecordBytesMax = 16 * 1024 * 1024;  // one record or block; beyond it the length is a lie
inline constexpr std::size_t kInterfacesMax = 1024;               // per file
inline constexpr std::size_t kHistoryBytes =
    11 * kReadBlockBytes / 2;  // ring: 1 MiB for History, one block being read, slack
inline constexpr std::size_t kHistoryBytesMerged =
    2 * kReadBlockBytes;                                         // the same for each of several files read at once
inline constexpr std::size_t kMergedReadBlockBytes = 64 * 1024;  // one read(2) of each of several files
inline constexpr std::size_t kCompressedBlockBytes = 64 * 1024;  // one read(2) of a gzip or zstd file
inline constexpr int kZstdWindowLogMax = 23;                     // 8 MiB, what zstd -19 uses; --long may take 2 GiB
inline constexpr std::size_t kPlainRecordBytesMax =
    256 * 1024;                                       // a packet, unless the file allows more (libpcap's limit)
inline constexpr std::size_t kTroubleNotesMax = 100;  // per file; a damaged file must not flood the terminal
inline constexpr std::size_t kFilesMax = 65535;       // per run; Packet::file has 16 bits

// --- TCP
inline constexpr std::uint32_t kFlowsMax = 65536;  // open at once; the longest idle one goes first
inline constexpr std::size_t kOutOfOrderBytesPerDirection = 1024 * 1024;  // beyond it the hole is declared
inline constexpr std::size_t kOutOfOrderBytesAll = 8 * 1024 * 1024;       // over all connections
inline constexpr std::uint32_t kCompareBytes = 64 * 1024;                 // retransmissions are compared this far back
inline constexpr std::uint32_t kHoleSegments = 64;  // an acknowledged hole is declared after so many further segments …
inline constexpr std::int64_t kHoleSeconds = 1;     // … or after so much capture time
inline constexpr std::uint32_t kLateStartSegments =
    8;  // held until it is clear where a direction begins, when its SYN was not seen
inline constexpr std::int64_t kPortReuseIdleSeconds = 60;  // a new SYN ends a connection that was silent for so long
inline constexpr std::int64_t kClosedSeconds = 2;    // late packets of an ended connection are recognised for so long
inline constexpr std::uint32_t kClosedMarks = 4096;  // ended connections that are remembered for that
inline constexpr std::uint32_t kAheadBytesMax =
    1U << 30;  // RFC 7323 section 2.3: no window is larger; data beyond it is not of this connection
inline constexpr std::uint32_t kBehindBytesMax =
    16 * 1024 * 1024;  // data further back, or an RST further off, is not of this connection
inline constexpr std::uint32_t kStrayedSegments = 8;         // in a row: a new connection whose SYN was not captured
inline constexpr std::size_t kDeadlinesMax = 2 * kFlowsMax;  // holes and ends that wait for their time; 16 bytes each
inline constexpr std::uint32_t kRecentSegments = 8192;  // places of payload kept for comparing, over all connections
inline constexpr std::uint32_t kRecentSegmentsLooked = 512;  // of them, looked at for one retransmission

// --- link and network layer
inline constexpr std::size_t kVlanTagsMax = 8;               // per packet
inline constexpr std::size_t kIpv6ExtensionHeadersMax = 16;  // per packet
inline constexpr std::size_t kSuperPacketBytesMax =
    1024 * 1024;                                            // IP length 0 (TSO, BIG TCP): twice what Linux ever builds
inline constexpr std::size_t kFragmentedDatagramsMax = 64;  // waiting for fragments at once, 64 KiB each at most
inline constexpr std::int64_t kFragmentSeconds = 30;        // Linux' net.ipv4.ipfrag_time
inline constexpr std::size_t kFragmentPiecesMax = 1024;     // separate parts of one datagram
inline constexpr std::size_t kCopiesKept = 32768;           // last packets among which copies are looked for
inline constexpr std::int64_t kCopySeconds = 2;             // capture time between a packet and its copy, at most

// --- decoders
inline constexpr std::size_t kHttpHeadBytesMax = 64 * 1024;           // request or status line and headers
inline constexpr std::size_t kHttpHeadersMax = 256;                   // header lines of one message
inline constexpr std::size_t kHeldBytesMax = 256 * 1024;              // unread bytes while an upgrade is undecided
inline constexpr std::size_t kUndecidedBytesMax = 64 * 1024;          // per direction, until the protocol is known
inline constexpr std::size_t kSpdyHeaderBlockBytesMax = 64 * 1024;    // compressed
inline constexpr std::size_t kSpdyHeaderPlainBytesMax = 1024 * 1024;  // inflated; spdystream's own limit
inline constexpr std::size_t kSpdyHeaderPairsMax = 1000;              // spdystream's own limit
inline constexpr std::size_t kSpdyHistoryBytesMax = 4096;  // header text kept instead of a zlib state of 40 KiB
inline constexpr std::size_t kSpdyLostBlocksMax =
    2;  // port-forward header blocks whose text is guessed at once (36 orders of 2)
inline constexpr std::size_t kHttpPendingMax = 1024;         // pipelined requests without an answer
inline constexpr std::size_t kHttpChunkLineBytesMax = 4096;  // chunk size with extensions; Go's net/http allows as much
inline constexpr std::size_t kHuntBytesMax =
    128 * 1024;  // from a possible frame boundary until it is proven: three frames of io.Copy's 32 KiB
inline constexpr std::size_t kHuntCandidatesMax = 64;          // places that may be a frame boundary, followed at once
inline constexpr std::size_t kResizeBytesMax = 256;            // one JSON object {"Width":…,"Height":…}
inline constexpr std::size_t kStreamsPerConnectionMax = 4096;  // open at once
inline constexpr std::size_t kStatusBytesMax = 64 * 1024;      // text of an error stream
inline constexpr std::size_t kWsControlBytesMax = 125;         // RFC 6455 section 5.5
inline constexpr std::size_t kBodyBytesMax = 64 * 1024;        // of an HTTP body that is parsed (refusals, JSON)
inline constexpr std::size_t kGrpcMessageBytesMax =
    16 * 1024 * 1024;                                               // grpc-go's own limit for CRI (kubelet, containerd)
inline constexpr std::size_t kGrpcHeldBytesMax = 32 * 1024 * 1024;  // incomplete messages of one connection together
inline constexpr std::size_t kGrpcUndecidedBytesMax = 64 * 1024;    // request kept until its answer tells what it is
inline constexpr std::size_t kHttp2FrameBytesMax = 64 * 1024;       // of a frame that is read as a whole (not DATA)
inline constexpr std::size_t kHttp2HeaderBlockBytesMax = 64 * 1024;  // compressed, with all its CONTINUATION frames
inline constexpr std::size_t kHpackTableBytesMax = 64 * 1024;  // as browsers and Envoy offer at most; default 4096
inline constexpr std::size_t kTtrpcMessageBytesMax =
    1024 * 1024;  // held of one message; an Exec holds the process's whole environment, ttrpc allows 4 MiB
inline constexpr std::size_t kTtrpcSeekBytesMax = 4096;  // of a frame that is believed without one before it
inline constexpr std::size_t kTtrpcCallsMax = 4096;      // unanswered on one connection: a Wait lives as its process
inline constexpr std::size_t kDockerCallsMax = 64;       // unanswered Engine API requests of one connection
inline constexpr std::size_t kDockerExecsMax = 256;      // exec ids whose container is remembered
inline constexpr std::size_t kDockerJsonDepthMax = 16;   // nesting that is kept of an Engine API body
inline constexpr std::size_t kPickedJsonValuesMax =
    256 * 1024;  // kept of one JSON text, 100 bytes each; Docker's list of 20,000 containers has a dozen of each
inline constexpr std::size_t kTlsRecordBytesMax = 16384 + 2048;  // RFC 5246 section 6.2.3
inline constexpr std::size_t kTlsHandshakeBytesMax =
    128 * 1024;                                       // one handshake message; TLS stacks take chains up to ~100 KiB
inline constexpr std::size_t kTlsAlpnMax = 16;        // protocol names told of a ClientHello; more are passed over
inline constexpr std::size_t kTlsNamePartsMax = 8;    // CN and O told of a certificate name
inline constexpr std::size_t kTlsNameBytesMax = 256;  // of one CN or O; RFC 5280 allows 64 characters
inline constexpr std::size_t kTlsKeyedConnectionsMax = 262'144;  // of a key log; about 400 bytes each
inline constexpr std::size_t kTlsWaitBytesMax = 128 * 1024;      // records that wait for the other side's hello
inline constexpr std::uint64_t kTlsSequenceSearchMax =
    65'536;                                                // sequence numbers tried for a record after missing bytes
inline constexpr std::uint32_t kTlsResyncRecordsMax = 16;  // places tried as a record's beginning after missing bytes
inline constexpr std::uint64_t kTlsTrialBytesFree = 4 * 1024 * 1024;  // deciphered in vain per direction (about 2 ms) …
inline constexpr std::uint64_t kTlsTrialBytesPerByte = 16;  // … and for each captured byte: the work stays linear
inline constexpr std::uint64_t kTlsTrialBytesFixed = 512;   // what starting a cipher costs, in bytes deciphered
inline constexpr std::uint32_t kTlsTrialRecordsMax = 1024;  // records without secret that are tried with the next one

// --- model
inline constexpr std::size_t kTokensMax = 100'000;    // distinct tokens that keep their number
inline constexpr std::size_t kOddTokensMax = 10'000;  // those of them that have not the form of a token
inline constexpr std::size_t kResizesPerSessionMax = 1000;
inline constexpr std::size_t kStreamsPerSessionMax = 16384;  // 1.2 MiB; 8192 forwarded connections in one port-forward
inline constexpr std::size_t kTargetBytesKept = 8 * 1024;    // of a request target; a command line of usual length fits
inline constexpr std::size_t kTextBytesKept = 4 * 1024;      // of any other text from the wire in the model
inline constexpr std::size_t kRefusalBytesKept = 512;        // of the first line of a refusal's body
inline constexpr std::size_t kCommandWordsMax = 256;         // words of one exec's command
inline constexpr std::size_t kOfferedMax = 16;               // protocols that one upgrade asked for
inline constexpr std::size_t kForwardedForMax = 16;          // proxies that one request went through
inline constexpr std::size_t kEvidencePerSessionMax = 16;
inline constexpr std::size_t kExchangesPerConnectionMax = 64;  // streaming requests of one connection without an end
inline constexpr std::size_t kRefusedPortsPerSessionMax = 16;  // each is told once
inline constexpr std::size_t kRefusalsWaitingMax = 1024;       // refused upgrades that may still be repeated
inline constexpr std::size_t kSharedTextsMax = 4096;           // texts that sessions have in common
inline constexpr std::size_t kCriCallsMax =
    20'000;  // answers with a streaming URL; 20 execs a second for a quarter of an hour
inline constexpr std::size_t kCriNamesMax =
    20'000;  // containers and sandboxes whose pod is known; a node has at most some hundred
inline constexpr std::size_t kPortFactsMax = 4096;  // servers that were seen streaming
inline constexpr std::size_t kPortFactFilesMax =
    64;  // files of each that are remembered; few captures are split into more
inline constexpr std::size_t kChainCandidatesMax = 32;  // inner connections that are weighed for one outer connection
inline constexpr std::size_t kFilterBytesMax = 16 * 1024;  // of a filter's text
inline constexpr std::size_t kFilterDepthMax = 64;         // parentheses and nots inside each other
inline constexpr std::size_t kFilterTestsMax = 1024;       // of one filter
inline constexpr std::size_t kFilterSetMax = 4096;         // values of one `in { … }`
inline constexpr std::size_t kFindingsMax = 10'000;

// --- settings of components (procmap/config)
inline constexpr std::size_t kSettingFileBytesMax = 256 * 1024;    // containerd's own full dump has 15 KiB
inline constexpr std::size_t kSettingFilesMax = 64;                // of one process: main file, imports, drop-ins
inline constexpr std::size_t kSettingFilesBytesMax = 1024 * 1024;  // of them together; as many full dumps fit
inline constexpr std::size_t kSettingListingsMax = 256;            // directories that one process's files name
inline constexpr std::size_t kSettingNamesMax = 64 * 1024;         // looked through in them together
inline constexpr std::size_t kSettingBytesMax = 4 * 1024;          // of one value
inline constexpr std::size_t kSettingItemsMax = 256;               // of one list
inline constexpr std::size_t kSettingDepthMax = 64;                // nesting of JSON, parts of a TOML key
inline constexpr std::size_t kSettingTroubleMax = 16;              // sentences of one process

// --- runtimes, names and probes (procmap/names, survey)
inline constexpr std::size_t kRuntimeAnswerBytesMax =
    16 * 1024 * 1024;  // of one runtime, all calls: 20,000 containers at 800 bytes
inline constexpr std::size_t kDockerAnswerBytesMax = 8 * 1024 * 1024;  // of Docker's Engine API, both calls
inline constexpr std::size_t kRuntimesMax = 16;                        // sockets that are asked at once
inline constexpr std::size_t kRunningExecsMax = 4096;                  // execs whose FIFOs are open
inline constexpr std::size_t kExecHoldersMax = 64;                     // descriptors told of one exec
inline constexpr std::size_t kSocketFilesMax = 4096;                   // paths looked at
inline constexpr std::size_t kAccountFileBytesMax = 256 * 1024;        // of /etc/passwd, /etc/group
inline constexpr int kSymbolicLinksMax = 40;               // of one path; the kernel's own (path_resolution(7))
inline constexpr std::size_t kPathDepthMax = 128;          // directories held open on the way to one file
inline constexpr std::size_t kUnixNameBytesMax = 108;      // sun_path, include/uapi/linux/un.h
inline constexpr std::size_t kProbesMax = 64;              // listeners in one survey …
inline constexpr std::size_t kProbesAtOnce = 16;           // … asked at once, each in a thread
inline constexpr std::size_t kProbeAnswerBytesMax = 4096;  // of one request
inline constexpr std::size_t kProbeBodyBytesKept = 80;

// --- live
inline constexpr std::int64_t kLiveTickMs =
    250;  // how often time is told without packets; 4 wake-ups a second when idle
inline constexpr std::size_t kLiveInputsMax = 64;  // interfaces and rings of one run
inline constexpr std::size_t kLivePacketsPerTurn =
    2048;  // taken of one input before output is flushed; some 10 ms of decoding
inline constexpr std::size_t kLiveSumsMax = 4096;     // streams whose payload is being summed up for lines of text
inline constexpr std::size_t kLiveWaitingMax = 1024;  // sessions whose processes are looked for again
inline constexpr std::size_t kLiveLivesMax =
    8192;                                          // connections whose processes the kernel told; 100 a second for 80 s
inline constexpr std::size_t kLivePortsMax = 200;  // in one capture filter; beyond it all of TCP is captured
inline constexpr std::int64_t kLiveNamesPauseMs =
    2000;  // between two questions to runtimes; a list of 500 containers takes some ms
inline constexpr std::int64_t kLiveNamesWaitMs = 200;  // for their answer: packets wait in the kernel's ring meanwhile
inline constexpr std::size_t kLiveLastRounds = 4096;   // turns after the end, for what lies in a ring of 1 GiB

// --- eBPF (procmap/bpf)
inline constexpr std::size_t kBpfLogBytesKept = 2048;      // the end of libbpf's log; a verifier's log has megabytes
inline constexpr std::size_t kScanReadBytes = 64 * 1024;   // one read of an iterator; the kernel fills 32 KiB at most
inline constexpr std::size_t kScanSocketsMax = 1'000'000;  // of one pass; 300 MB at 300 bytes
inline constexpr std::size_t kOwnersPerSocketMax =
    4096;  // descriptors told of one socket; prefork servers have hundreds
inline constexpr std::uint32_t kLifeRingBytes = 1024 * 1024;     // socket events: 8,000 of them
inline constexpr std::uint32_t kProcessRingBytes = 1024 * 1024;  // process events: 700 starts
inline constexpr std::size_t kLifeConnectionsMax =
    65'536;  // known at once in the book, 400 bytes each; the oldest goes first
inline constexpr std::size_t kLifeListenersMax = 4096;            // looked through one by one
inline constexpr std::uint32_t kTapRingBytes = 16 * 1024 * 1024;  // written bytes of unix sockets; a second at 16 MB/s
inline constexpr std::size_t kTapPathsMax = 1024;                 // watched at once: a shim per pod
inline constexpr std::uint32_t kTapHoldMs = 20;  // records wait so long for earlier writes that return later
inline constexpr std::size_t kTapHeldBytesMax = 64 * 1024 * 1024;  // that wait together
inline constexpr std::size_t kTapStreamsMax = 16'384;  // sockets whose place in the stream is known, 200 bytes each
inline constexpr std::uint32_t kLifeWaitMs = 200;      // an owner that is not known by then comes too late, or never

// --- verdicts on listeners, and the graph
inline constexpr std::size_t kVerdictPlacesMax = 64;      // addresses that one setting names
inline constexpr std::size_t kVerdictPeersMax = 256;      // processes at the other ends, shown of one listener
inline constexpr std::size_t kVerdictFindingsMax = 1024;  // of one look at the node
inline constexpr std::size_t kGraphEdgesMax = 20'000;     // of one graph; no screen shows more
inline constexpr std::size_t kWatchAcceptsMax = 1024;     // kept for listeners that are younger than the last look

// --- socket table of a node
inline constexpr std::size_t kProcessesMax =
    262'144;  // at once; pid_max of a large node is 4 million, but not its memory
inline constexpr std::size_t kSocketsMax = 1'000'000;                // of a table; about 250 bytes each
inline constexpr std::size_t kDescriptorsPerProcessMax = 1'048'576;  // looked at; fs.nr_open of Linux
inline constexpr std::size_t kNetNamespacesMax = 4096;               // entered for one table; a node has one per pod
inline constexpr std::size_t kNetNamespacePidsMax = 16;              // tried for each until one still lives
inline constexpr std::size_t kStatusFileBytesMax = 4096;  // of /proc/PID/status: "Uid:" is within the first hundreds
inline constexpr std::size_t kCommandLineBytesMax =
    32 * 1024;  // kept of /proc/PID/cmdline; the API server has 60 flags
inline constexpr std::size_t kCommandLineArgumentsMax = 1024;
inline constexpr std::size_t kCgroupFileBytesMax = 16 * 1024;       // of /proc/PID/cgroup: at most 14 lines
inline constexpr std::size_t kNetTextBytesMax = 256 * 1024 * 1024;  // of one file of /proc/net: 150 bytes per socket
inline constexpr std::size_t kBuildInfoBytesMax = 1024 * 1024;  // module lines of a Go program; Kubernetes has 30 KiB
inline constexpr std::size_t kProgramScanBytesMax =
    64 * 1024 * 1024;  // of a Go program without module lines, all sections together, once per program
inline constexpr std::size_t kProgramScanBytesPerLook =
    512 * 1024 * 1024;                                    // of all programs in one look at the node: about a second
inline constexpr std::size_t kProgramSectionsMax = 512;   // of an ELF file; a Go program has 30
inline constexpr std::size_t kProgramVerdictsMax = 4096;  // executables that are remembered

// --- recordings
inline constexpr std::int64_t kRecordHoldMs = 1000;                   // a packet waits for its owners and for its mask
inline constexpr std::size_t kRecordHeldBytesMax = 32 * 1024 * 1024;  // of waiting packets; 100 ms of 300 MB/s
inline constexpr std::size_t kRecordNamesMax = 8192;       // connections whose processes are told in the file
inline constexpr std::size_t kRecordOwnersMax = 65'536;    // of them that are read back from files
inline constexpr std::size_t kMaskPlanSpans = 512;         // of a live connection, for retransmissions
inline constexpr std::size_t kPseudonymsMax = 100'000;     // stand-ins for tokens that are remembered
inline constexpr std::size_t kEarlyStatusBytesMax = 4096;  // of a Status that is looked at before its connection ends
inline constexpr std::size_t kErrorTextsMax = 256;         // unfinished texts of error streams, per connection
inline constexpr std::size_t kMaskedKindsMax = 65'536;     // connections whose streams' kinds are remembered
inline constexpr std::size_t kMaskedStreamsMax = 16'384;   // kinds remembered per connection

// --- unix sockets and processes of a live command
inline constexpr std::size_t kTapConnectionsMax =
    4096;  // followed at once, beside a decoder each; the longest silent goes first
inline constexpr std::size_t kShimTasksMax =
    8192;  // processes that shims were asked to run, 1 KiB each; the oldest goes first
inline constexpr std::size_t kBookProgramsMax =
    8192;  // started in containers and remembered, 1 KiB each; the oldest goes first
inline constexpr std::size_t kBookRecordedProgramsMax = 65'536;  // the same of a recording, which is told at its end
inline constexpr std::size_t kBookParentsMax =
    32'768;  // processes that live, whose children are told by them; 150 bytes each
inline constexpr std::size_t kBookRanMax =
    32'768;  // processes that sessions' processes ran, over all of them, 500 bytes each; the oldest lists go first
inline constexpr std::size_t kBookRanPerProgramMax = 1024;    // of them below one; further ones are counted
inline constexpr std::size_t kBookStepsPerProgramMax = 4096;  // starts and ends below one that are told one by one
inline constexpr std::size_t kBookStartsMax =
    4;  // programs that one process became and that are compared with a command
inline constexpr std::size_t kBookCandidatesMax = 8;  // shown of one session
inline constexpr std::size_t kDockerBookContainersMax =
    1024;                                                  // that are made, looked at or attached to; and names of them
inline constexpr std::size_t kDockerBookAttachedMax = 64;  // sessions of one container; each is a client that waits
inline constexpr std::size_t kDockerBookExecsMax =
    4096;                                       // whose container and session are remembered; 20 a second for 3 minutes
inline constexpr std::size_t kMissingMax = 32;  // parts of one chain that are named as missing
inline constexpr std::size_t kForwardDialsMax =
    8192;  // connections of runtimes that are remembered, 400 bytes each; 100 a second for 80 s
inline constexpr std::size_t kForwardRuntimesMax = 1024;      // processes; a node has a handful
inline constexpr std::size_t kForwardContainersMax = 16'384;  // whose network is known, and as many processes in them
inline constexpr std::size_t kForwardStreamsMax = 2048;       // weighed for one chain
inline constexpr std::size_t kForwardHopsMax = 256;           // connections shown of one port-forward

// --- captures in pods' network namespaces, for port-forwards
inline constexpr std::size_t kPodCapturesMax = 16;  // at once, 2 MiB of kernel memory each
inline constexpr std::uint64_t kPodRingBytes = 2 * 1024 * 1024;
inline constexpr std::size_t kPodNetworksMax = 512;      // different ones in one run: half of a file's interfaces
inline constexpr std::size_t kPodLegsMax = 1024;         // connections followed at once in one of them, 250 bytes each
inline constexpr std::size_t kPodCallsWaitingMax = 64;   // calls about sandboxes that the table does not have yet
inline constexpr std::int64_t kPodPacketsWaitMs = 1000;  // until their port is known to be forwarded, or not
inline constexpr std::size_t kPodPacketsWaitBytesMax = 1024 * 1024;  // of one capture
inline constexpr std::uint64_t kPodPacketsPerTickMax =
    500;  // 2,000 a second on all ports: then beginnings and ends alone, until the port is known

}  // namespace hopscope::limits
