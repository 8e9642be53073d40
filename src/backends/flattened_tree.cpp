// SPDX-License-Identifier: MIT
#include <palloc/backings/detail/flattened_tree.hpp>

#ifdef PALLOC_HAS_LIBFDT

#include <libfdt.h>

namespace palloc::inline v0::detail {
namespace {

/// A number of one or two cells; more are no address of ours.
std::optional<std::uint64_t> number(const fdt32_t*& at, int cells) noexcept {
    std::uint64_t value = 0;
    for (int i = 0; i != cells; ++i) {
        if (value >> 32 != 0)
            return std::nullopt;
        value = value << 32 | fdt32_to_cpu(*at++);
    }
    return value;
}

struct cells {
    const fdt32_t* first;
    std::size_t count;
};
std::optional<cells> cells_of(const void* tree, int node, const char* property) noexcept {
    int bytes = 0;
    const void* const found = fdt_getprop(tree, node, property, &bytes);
    if (found == nullptr || bytes % 4 != 0)
        return std::nullopt;
    return cells{static_cast<const fdt32_t*>(found), static_cast<std::size_t>(bytes / 4)};
}

/// From what the children of `bus` see to what its parent sees.
result<range> translate(const void* tree, int bus, int above, range seen) noexcept {
    const auto windows = cells_of(tree, bus, "ranges");
    if (!windows)
        return fail(errc::not_ours);
    if (windows->count == 0)
        return seen;
    const int of_child = fdt_address_cells(tree, bus);
    const int of_parent = fdt_address_cells(tree, above);
    const int of_size = fdt_size_cells(tree, bus);
    if (of_child < 0 || of_parent < 0 || of_size < 0)
        return fail(errc::bad_argument);
    const auto each = static_cast<std::size_t>(of_child) + static_cast<std::size_t>(of_parent) +
                      static_cast<std::size_t>(of_size);
    for (std::size_t i = 0; (i + 1) * each <= windows->count; ++i) {
        const fdt32_t* cell = windows->first + i * each;
        const auto from = number(cell, of_child);
        const auto to = number(cell, of_parent);
        const auto bytes = number(cell, of_size);
        if (!from || !to || !bytes)
            continue;
        if (range{*from, *bytes}.contains(seen) && *to + (seen.base - *from) >= *to)
            return range{*to + (seen.base - *from), seen.bytes};
    }
    return fail(errc::not_ours);
}

} // namespace

result<flattened_tree> flattened_tree::over(std::span<const std::byte> bytes) noexcept {
    if (reinterpret_cast<std::uintptr_t>(bytes.data()) % 8 != 0)
        return fail(errc::bad_alignment);
    if (bytes.size() < sizeof(fdt_header) || fdt_check_header(bytes.data()) != 0)
        return fail(errc::bad_argument);
    if (fdt_totalsize(bytes.data()) > bytes.size())
        return fail(errc::past_the_end);
    if (fdt_check_full(bytes.data(), bytes.size()) != 0)
        return fail(errc::bad_argument);
    return flattened_tree(bytes.data());
}

result<int> flattened_tree::at(const char* path) const noexcept {
    const node found = fdt_path_offset(bytes_, path);
    return found >= 0 ? result<int>(found) : fail(errc::bad_argument);
}

result<int> flattened_tree::with_phandle(std::uint32_t phandle) const noexcept {
    const node found = fdt_node_offset_by_phandle(bytes_, phandle);
    return found >= 0 ? result<int>(found) : fail(errc::bad_argument);
}

result<int> flattened_tree::parent(node of) const noexcept {
    const node found = fdt_parent_offset(bytes_, of);
    return found >= 0 ? result<int>(found) : fail(errc::bad_argument);
}

std::string_view flattened_tree::name(node of) const noexcept {
    int length = 0;
    const char* const found = fdt_get_name(bytes_, of, &length);
    if (found == nullptr)
        return {};
    const std::string_view whole(found, static_cast<std::size_t>(length));
    return whole.substr(0, whole.find('@'));
}

std::optional<std::string_view> flattened_tree::text(node of, const char* property) const noexcept {
    int bytes = 0;
    const auto* const found = static_cast<const char*>(fdt_getprop(bytes_, of, property, &bytes));
    if (found == nullptr || bytes == 0 || found[bytes - 1] != '\0')
        return std::nullopt;
    return std::string_view(found);
}

bool flattened_tree::has(node of, const char* property) const noexcept {
    return fdt_getprop(bytes_, of, property, nullptr) != nullptr;
}

bool flattened_tree::is_compatible(node with, const char* what) const noexcept {
    return fdt_node_check_compatible(bytes_, with, what) == 0;
}

result<std::uint32_t> flattened_tree::cell(node of, const char* property,
                                           std::size_t index) const noexcept {
    const auto found = cells_of(bytes_, of, property);
    if (!found)
        return fail(errc::bad_argument);
    if (index >= found->count)
        return fail(errc::past_the_end);
    return fdt32_to_cpu(found->first[index]);
}

result<range> flattened_tree::reg(node of, std::size_t index) const noexcept {
    const auto found = cells_of(bytes_, of, "reg");
    auto bus = parent(of);
    if (!found || !bus)
        return fail(errc::bad_argument);
    const int of_address = fdt_address_cells(bytes_, *bus);
    const int of_size = fdt_size_cells(bytes_, *bus);
    if (of_address <= 0 || of_size < 0)
        return fail(errc::bad_argument);
    const auto each = static_cast<std::size_t>(of_address) + static_cast<std::size_t>(of_size);
    if (index >= found->count / each)
        return fail(errc::past_the_end);
    const fdt32_t* cell = found->first + index * each;
    const auto base = number(cell, of_address);
    const auto bytes = number(cell, of_size);
    if (!base || !bytes)
        return fail(errc::bad_argument);
    range seen{*base, *bytes};
    for (auto above = parent(*bus); above; bus = above, above = parent(*bus)) {
        const auto translated = translate(bytes_, *bus, *above, seen);
        if (!translated)
            return translated;
        seen = *translated;
    }
    return seen;
}

} // namespace palloc::inline v0::detail

#else

namespace palloc::inline v0::detail {

result<flattened_tree> flattened_tree::over(std::span<const std::byte>) noexcept {
    return fail(errc::not_supported);
}
// There is no tree to ask.
result<int> flattened_tree::at(const char*) const noexcept {
    return fail(errc::not_supported);
}
result<int> flattened_tree::with_phandle(std::uint32_t) const noexcept {
    return fail(errc::not_supported);
}
result<int> flattened_tree::parent(node) const noexcept {
    return fail(errc::not_supported);
}
std::string_view flattened_tree::name(node) const noexcept {
    return {};
}
std::optional<std::string_view> flattened_tree::text(node, const char*) const noexcept {
    return std::nullopt;
}
bool flattened_tree::has(node, const char*) const noexcept {
    return false;
}
bool flattened_tree::is_compatible(node, const char*) const noexcept {
    return false;
}
result<std::uint32_t> flattened_tree::cell(node, const char*, std::size_t) const noexcept {
    return fail(errc::not_supported);
}
result<range> flattened_tree::reg(node, std::size_t) const noexcept {
    return fail(errc::not_supported);
}

} // namespace palloc::inline v0::detail

#endif
