#include "decode/net/fragments.h"

#include <algorithm>

#include "core/limits.h"

namespace hopscope::decode::net {
namespace {
constexpr std::uint32_t kDatagramBytesMax = 65535;
}

void FragmentStore::give_up(std::size_t index) {
    loss_.add(LossPlace::fragments, waiting_[index].fragments);
    waiting_.erase(waiting_.begin() + static_cast<std::ptrdiff_t>(index));
}

void FragmentStore::forget_old(Timestamp at) {
    constexpr auto kAge = static_cast<std::uint64_t>(limits::kFragmentSeconds * kNanosecondsPerSecond);
    for (std::size_t i = waiting_.size(); i-- > 0;) {
        // Unsigned: the times of a file may be anything, and their difference need not fit in 63 bits.
        const std::int64_t first = waiting_[i].first_at.ns;
        if (first<at.ns&& static_cast<std::uint64_t>(at.ns) - static_cast<std::uint64_t>(first)> kAge) give_up(i);
    }
}

FragmentStore::Datagram& FragmentStore::datagram_of(const IpPacket& ip, Timestamp at) {
    const std::uint8_t key_protocol = ip.v4 ? ip.protocol : std::uint8_t{0};
    const IpAddress source = address_of(ip.source, ip.v4), destination = address_of(ip.destination, ip.v4);
    for (Datagram& datagram : waiting_) {
        if (datagram.id == ip.id && datagram.key_protocol == key_protocol && datagram.source == source &&
            datagram.destination == destination)
            return datagram;
    }
    forget_old(at);
    if (waiting_.size() == limits::kFragmentedDatagramsMax) give_up(0);  // the first one is the oldest
    Datagram& fresh = waiting_.emplace_back();
    fresh.source = source;
    fresh.destination = destination;
    fresh.id = ip.id;
    fresh.protocol = ip.protocol;
    fresh.key_protocol = key_protocol;
    fresh.first_at = at;
    fresh.captured_until = kDatagramBytesMax;
    return fresh;
}

bool FragmentStore::place(Datagram& datagram, std::uint32_t begin, std::uint32_t end, Bytes captured) {
    if (datagram.bytes.size() < end) datagram.bytes.resize(end);
    const auto copy = [&](std::uint32_t from, std::uint32_t to) {
        const std::size_t here = std::min<std::size_t>(to - begin, captured.size());
        if (from - begin < here)
            std::copy(captured.begin() + (from - begin), captured.begin() + static_cast<std::ptrdiff_t>(here),
                      datagram.bytes.begin() + from);
    };
    auto& ranges = datagram.ranges;
    // The ranges that [begin, end) touches become one with it.
    auto first = std::lower_bound(ranges.begin(), ranges.end(), begin,
                                  [](const Range& r, std::uint32_t b) { return r.end < b; });
    auto last = first;
    std::uint32_t cursor = begin;
    bool overlapped = false;
    Range merged{begin, end};
    for (; last != ranges.end() && last->begin <= end; ++last) {
        if (cursor < last->begin) copy(cursor, last->begin);
        overlapped |= last->begin < end && begin < last->end;
        cursor = std::max(cursor, last->end);
        merged.begin = std::min(merged.begin, last->begin);
        merged.end = std::max(merged.end, last->end);
    }
    if (cursor < end) copy(cursor, end);
    if (overlapped) ++overlaps_;
    first = ranges.erase(first, last);
    ranges.insert(first, merged);
    return ranges.size() <= limits::kFragmentPiecesMax;
}

Layer FragmentStore::add(IpPacket& ip, Timestamp at) {
    const std::size_t end_wide = ip.fragment_offset + ip.wire;
    const bool uneven = ip.more_fragments && ip.wire % 8 != 0;
    if (ip.wire == 0 || uneven || end_wide > kDatagramBytesMax) return Layer::broken;
    const std::uint32_t begin = ip.fragment_offset, end = static_cast<std::uint32_t>(end_wide);

    Datagram& datagram = datagram_of(ip, at);
    ++datagram.fragments;
    if (begin == 0) datagram.protocol = ip.protocol;
    if (!ip.more_fragments && datagram.total == 0) datagram.total = end;
    if (ip.captured < ip.wire)
        datagram.captured_until = std::min(datagram.captured_until, begin + static_cast<std::uint32_t>(ip.captured));
    const std::size_t index = static_cast<std::size_t>(&datagram - waiting_.data());
    if (!place(datagram, begin, end, {ip.payload, ip.captured})) {
        give_up(index);
        return Layer::broken;
    }
    const bool complete =
        datagram.total != 0 && datagram.ranges.front().begin == 0 && datagram.ranges.front().end >= datagram.total;
    if (!complete) return Layer::waits;

    whole_ = std::move(datagram.bytes);
    ip.protocol = datagram.protocol;
    ip.fragment = ip.more_fragments = false;
    ip.fragment_offset = 0;
    ip.payload = whole_.data();
    ip.wire = datagram.total;
    ip.captured = std::min(datagram.total, datagram.captured_until);
    waiting_.erase(waiting_.begin() + static_cast<std::ptrdiff_t>(index));
    return Layer::found;
}

void FragmentStore::finish() {
    for (const Datagram& datagram : waiting_) loss_.add(LossPlace::fragments, datagram.fragments);
    waiting_.clear();
}

}  // namespace hopscope::decode::net
