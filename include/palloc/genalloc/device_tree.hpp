// SPDX-License-Identifier: MIT
/// @file
/// @brief Pools found through a flattened device tree: by the node that a property of another node
/// names, and an index.
///
/// When to choose it: a program that reads the description of its hardware from a tree, as
/// /sys/firmware/fdt or a .dtb file is one. Costs: libfdt, where palloc was built with it; each
/// question walks the tree.
///
/// Source: the way of `of_gen_pool_get`, and of Linux' of_platform_default_populate to devices.
#pragma once

#include <palloc/backings/detail/flattened_tree.hpp>
#include <palloc/core/error.hpp>
#include <palloc/core/range.hpp>
#include <palloc/registry.hpp>

#include <cstddef>
#include <span>
#include <string_view>

namespace palloc::inline v0 {

/// @brief A view of a tree's bytes, which outlive it and the pools that its nodes own.
/// @par Thread safety  any thread
class device_tree {
  public:
    /// @par Errors  `bad_alignment`: not at a multiple of 8 bytes; `bad_argument`: no tree, or a
    /// damaged one; `past_the_end`: it is longer than the bytes; `not_supported`: palloc was built
    /// without libfdt
    [[nodiscard]] static result<device_tree> over(std::span<const std::byte> bytes) noexcept {
        return detail::flattened_tree::over(bytes).map(
            [](const detail::flattened_tree& tree) noexcept { return device_tree(tree); });
    }

    /// @brief What stands for a node as the owner of pools.
    /// @param path  from the root, or from an alias
    /// @par Errors  `bad_argument`: there is no such node
    [[nodiscard]] result<const void*> owner(const char* path) const noexcept {
        return tree_.at(path).map([this](int node) noexcept { return tree_.identity(node); });
    }

    /// @brief The index-th physical range of a node, as the processor sees it.
    /// @par Errors  `bad_argument`: no such node, or no `reg` that can be read; `past_the_end`;
    /// `not_ours`: a bus on the way does not translate it
    [[nodiscard]] result<range> physical_range(const char* path,
                                               std::size_t index = 0) const noexcept {
        return tree_.at(path).and_then([&](int node) noexcept { return tree_.reg(node, index); });
    }

    /// @brief What the index-th phandle of a node's property leads to: a device, or a part of what
    /// is above it, called by its label or its name.
    /// @par Errors  `bad_argument`: no such node or property, or no node has the phandle;
    /// `past_the_end`: fewer phandles
    [[nodiscard]] result<described_node> follow(const char* path, const char* property,
                                                std::size_t index) const noexcept {
        const auto from = tree_.at(path);
        if (!from)
            return tl::unexpected(from.error());
        const auto phandle = tree_.cell(*from, property, index);
        if (!phandle)
            return tl::unexpected(phandle.error());
        const auto to = tree_.with_phandle(*phandle);
        if (!to)
            return tl::unexpected(to.error());
        described_node found{.label = tree_.text(*to, "label"), .name = tree_.name(*to)};
        if (is_device(*to))
            found.device = tree_.identity(*to);
        if (const auto above = tree_.parent(*to))
            found.parent = tree_.identity(*above);
        return found;
    }

    /// @brief The pool that it leads to.
    /// @par Errors  those of `follow`; `not_ours`: no pool is listed there
    template <class Pool>
    [[nodiscard]] result<Pool*> find_pool(const char* path, const char* property, std::size_t index,
                                          registry<Pool>& in = process_registry<Pool>) const {
        const auto node = follow(path, property, index);
        if (!node)
            return tl::unexpected(node.error());
        Pool* const found = in.find(std::span(&*node, 1), 0);
        return found != nullptr ? result<Pool*>(found) : fail(errc::not_ours);
    }

  private:
    explicit device_tree(const detail::flattened_tree& tree) noexcept : tree_(tree) {}

    /// Said to be compatible with something, not switched off, and on a chain of buses.
    [[nodiscard]] bool is_device(int node) const noexcept {
        if (!tree_.has(node, "compatible") || !is_enabled(node))
            return false;
        for (auto bus = tree_.parent(node); bus; bus = tree_.parent(*bus)) {
            if (!tree_.parent(*bus))
                return true; // the root
            if (!is_bus(*bus) || !is_enabled(*bus))
                return false;
        }
        return false;
    }
    [[nodiscard]] bool is_enabled(int node) const noexcept {
        const auto status = tree_.text(node, "status");
        return !status || *status == "okay" || *status == "ok";
    }
    [[nodiscard]] bool is_bus(int node) const noexcept {
        for (const char* const kind : {"simple-bus", "simple-mfd", "isa", "arm,amba-bus"})
            if (tree_.is_compatible(node, kind))
                return true;
        return false;
    }

    detail::flattened_tree tree_;
};

} // namespace palloc::inline v0
