// SPDX-License-Identifier: MIT
// Vectors and boxes that say when there is no memory, instead of throwing.
#include <palloc/kalloc.hpp>

#include <cstdio>
#include <string>
#include <utility>

using namespace palloc;

namespace {

struct sample {
    long time;
    double value;
};

/// Reads a million samples; what could not be kept comes back with the reason.
result<double> largest_of_many() {
    kvvec<sample> all; // small at first, from kmalloc; later its pages are moved, never copied
    for (long i = 0; i != 1'000'000; ++i)
        if (auto kept = all.push({i, static_cast<double>(i * 7919 % 1'000'003)}, flags::kernel);
            !kept)
            return tl::unexpected(kept.error().why);
    all.retain([](const sample& each) { return each.value >= 1000; });
    if (const auto less = all.shrink_to(0, flags::kernel); !less)
        return tl::unexpected(less.error());
    double largest = 0;
    for (const sample& each : all)
        largest = each.value > largest ? each.value : largest;
    return largest;
}

} // namespace

int main() {
    const auto largest = largest_of_many();
    if (!largest)
        return 1;
    std::printf("largest: %.0f\n", *largest);

    // A heap of its own, with a limit: the element that has no room comes back.
    kmalloc_heap small({.step_bytes = 1 << 16, .cap_bytes = 1 << 16});
    vec<std::string, allocator_ref<kmalloc_heap>> texts{allocator_ref(small)};
    for (int i = 0;; ++i)
        if (auto kept = texts.push("text " + std::to_string(i), flags::kernel); !kept) {
            std::printf("%s has no room: %s\n", kept.error().value.c_str(),
                        to_string(kept.error().why.code).data());
            break;
        }

    // The pages of what vmalloc gave.
    vvec<char> buffer;
    if (!buffer.extend_with(10'000, 'x', flags::kernel))
        return 1;
    for (const borrowed_page each : buffer.pages())
        if (!each.fill_zero(0, each.bytes()))
            return 1;
    return buffer[9'999] == 0 ? 0 : 1;
}
