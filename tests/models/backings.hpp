// SPDX-License-Identifier: MIT
/// @file
/// @brief All backings, and for each a rig: the backing together with what it stands on.
#pragma once

#include <palloc/backings/borrowed.hpp>
#include <palloc/backings/carved.hpp>
#include <palloc/backings/either.hpp>
#include <palloc/backings/failing.hpp>
#include <palloc/backings/fake.hpp>
#include <palloc/backings/limited.hpp>
#include <palloc/backings/on_node.hpp>
#include <palloc/compositions/native_memory.hpp>
#if defined(_WIN32)
#include <palloc/backings/section.hpp>
#include <palloc/backings/virtual_alloc.hpp>
#else
#include <palloc/backings/hugepage.hpp>
#include <palloc/backings/memfd.hpp>
#include <palloc/backings/mmap.hpp>
#include <palloc/backings/reserve.hpp>
#include <palloc/backings/secret.hpp>
#endif

#include <boost/mp11/algorithm.hpp>
#include <boost/mp11/list.hpp>

#include <cstdint>
#include <tuple>

#include "support/bump_parent.hpp"
#include "support/skip.hpp"

namespace palloc::test {

using views_or_memory = either<native_views, native_memory>;

#if defined(_WIN32)
using system_models = std::tuple<committed_alloc, virtual_alloc, section>;
#else
using system_models =
    std::tuple<mmap_backing, memfd, reserve, hugepage, secret, on_node<mmap_backing>>;
#endif

using backing_models = boost::mp11::mp_append<system_models,
                                              std::tuple<views_or_memory,        //
                                                         borrowed,               //
                                                         borrowed_touchable,     //
                                                         fake,                   //
                                                         fake_demand_paged,      //
                                                         carved<bump_parent>,    //
                                                         limited<native_memory>, //
                                                         limited<fake>,          //
                                                         failing<native_memory>, //
                                                         failing<borrowed>>>;

/// @brief `rig<B>().backing` is a B that works.
template <class Backing>
struct rig {
    Backing backing{};
};
#if !defined(_WIN32)
/// @brief Where there is not enough secret memory the case is skipped.
template <>
struct rig<secret> {
    rig() {
        constexpr std::uint64_t plenty = std::uint64_t{256} << 20;
        auto probe = backing.map({.bytes = 1});
        if (!probe || backing.lockable_bytes().value_or(0) < plenty)
            skip("no secret memory, or RLIMIT_MEMLOCK is too low");
        (void)backing.unmap(*probe);
    }
    secret backing{};
};
#endif
template <class Inner>
struct rig<on_node<Inner>> {
    rig<Inner> inner{};
    on_node<Inner> backing{inner.backing, numa_node{0}};
};
template <bool Commits>
struct rig<basic_fake<Commits>> {
    fake_space space{};
    basic_fake<Commits> backing{space};
};
template <>
struct rig<carved<bump_parent>> {
    bump_parent parent{};
    carved<bump_parent> backing{parent};
};
template <class Inner>
struct rig<limited<Inner>> {
    rig<Inner> inner{};
    limited<Inner> backing{inner.backing, std::uint64_t{1} << 46};
};
template <class Inner>
struct rig<failing<Inner>> {
    rig<Inner> inner{};
    fault_script script{};
    failing<Inner> backing{inner.backing, script};
};

} // namespace palloc::test
