// The yardstick: reads a capture with libpcap and sums the lengths. Nothing else.
#include <pcap/pcap.h>

#include <cinttypes>
#include <cstdint>
#include <cstdio>

int main(int argc, char** argv) {
    if (argc != 2) {
        std::fputs("Usage: pcap_loop FILE\n", stderr);
        return 2;
    }
    char error[PCAP_ERRBUF_SIZE] = "";
    pcap_t* capture = pcap_open_offline(argv[1], error);
    if (capture == nullptr) {
        std::fprintf(stderr, "pcap_loop: cannot read '%s': %s\n", argv[1], error);
        return 1;
    }
    pcap_pkthdr* header = nullptr;
    const unsigned char* bytes = nullptr;
    std::uint64_t packets = 0, captured = 0, wire = 0;
    while (pcap_next_ex(capture, &header, &bytes) == 1) {
        ++packets;
        captured += header->caplen;
        wire += header->len;
    }
    pcap_close(capture);
    std::printf("{\"packets\":%" PRIu64 ",\"captured_bytes\":%" PRIu64 ",\"wire_bytes\":%" PRIu64 "}\n", packets,
                captured, wire);
    return 0;
}
