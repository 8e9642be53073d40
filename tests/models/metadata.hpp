// SPDX-License-Identifier: MIT
/// @file
/// @brief All metadata providers, each with what it stands on.
#pragma once

#include <palloc/concepts/chunk_bitmap.hpp>
#include <palloc/metadata/guarded_metadata.hpp>
#include <palloc/metadata/mapped_metadata.hpp>
#include <palloc/metadata/metadata_arena.hpp>

#include <array>
#include <cstddef>
#include <tuple>

namespace palloc::test {

using metadata_models = std::tuple<mapped_metadata,  //
                                   guarded_metadata, //
                                   metadata_arena>;

/// @brief `metadata_rig<S>().provider` is an S with a megabyte or more to give.
template <class Provider>
struct metadata_rig {
    Provider provider{};
};
template <>
struct metadata_rig<metadata_arena> {
    alignas(storage_alignment) std::array<std::byte, (1 << 20)> storage{};
    metadata_arena provider{storage};
};

} // namespace palloc::test
