// SPDX-License-Identifier: MIT
/// @file
/// @brief The kernel's typed allocators in user space: kmalloc, vmalloc, kvmalloc, and the objects
/// that are owned through them. See docs/kalloc.md.
#pragma once

#include <palloc/concepts/typed_allocator.hpp>
#include <palloc/core/alloc_flags.hpp>
#include <palloc/core/numa_node.hpp>
#include <palloc/kalloc/array_layout.hpp>
#include <palloc/kalloc/box.hpp>
#include <palloc/kalloc/kmalloc.hpp>
#include <palloc/kalloc/kvmalloc.hpp>
#include <palloc/kalloc/page_range.hpp>
#include <palloc/kalloc/pinned_slice.hpp>
#include <palloc/kalloc/rejected.hpp>
#include <palloc/kalloc/vec.hpp>
#include <palloc/kalloc/vec_iterators.hpp>
#include <palloc/kalloc/vmalloc.hpp>

namespace palloc::inline v0 {

template <class T>
using kbox = box<T, kmalloc>;
template <class T>
using vbox = box<T, vmalloc>;
template <class T>
using kvbox = box<T, kvmalloc>;

template <class T>
using kvec = vec<T, kmalloc>;
template <class T>
using vvec = vec<T, vmalloc>;
template <class T>
using kvvec = vec<T, kvmalloc>;

} // namespace palloc::inline v0
