// SPDX-License-Identifier: MIT
/// @file
/// @brief What tests have to know of sanitizers: whether one keeps books of its own in this
/// process's memory, so that what the kernel counts is not ours alone; and how to be left alone.
#pragma once

/// Where threads race on purpose, because what is tested is the kernel: TSan looks away.
#define PALLOC_RACES_ON_PURPOSE __attribute__((no_sanitize("thread")))

namespace palloc::test {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
inline constexpr bool is_sanitized = true;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
inline constexpr bool is_sanitized = true;
#else
inline constexpr bool is_sanitized = false;
#endif
#else
inline constexpr bool is_sanitized = false;
#endif

} // namespace palloc::test
