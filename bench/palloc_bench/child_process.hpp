// SPDX-License-Identifier: MIT
/// @file
/// @brief Runs a function in a process of its own and brings back its answer.
#pragma once

#include <tl/expected.hpp>

#include <chrono>
#include <cstddef>
#include <cstring>
#include <functional>
#include <span>
#include <string>
#include <type_traits>

namespace palloc::bench {

namespace detail {
[[nodiscard]] tl::expected<void, std::string>
run_in_child(const std::function<void(std::span<std::byte>)>& body, std::span<std::byte> answer,
             std::chrono::milliseconds limit);
} // namespace detail

/// @brief What `body()` returns in a child process, or in words why there is no answer: it crashed,
///   threw, or took longer than `limit` and was killed. What it prints goes where ours goes.
/// @pre  The process has one thread.
template <class Body, class Answer = std::invoke_result_t<Body>>
    requires std::is_trivially_copyable_v<Answer> && std::is_default_constructible_v<Answer>
[[nodiscard]] tl::expected<Answer, std::string> run_in_child(Body body,
                                                             std::chrono::milliseconds limit) {
    Answer answer{};
    return detail::run_in_child(
               [&](std::span<std::byte> bytes) {
                   const Answer result = body();
                   std::memcpy(bytes.data(), &result, sizeof result);
               },
               std::as_writable_bytes(std::span(&answer, 1)), limit)
        .map([&] { return answer; });
}

} // namespace palloc::bench
