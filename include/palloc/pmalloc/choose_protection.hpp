// SPDX-License-Identifier: MIT
/// @file
/// @brief The protection of a pmalloc pool, chosen when the pool is made.
#pragma once

#include <palloc/concepts/protection.hpp>
#include <palloc/core/error.hpp>
#include <palloc/pmalloc/options.hpp>
#include <palloc/protections/keyed.hpp>
#include <palloc/protections/one_of.hpp>
#include <palloc/protections/permanent.hpp>
#include <palloc/protections/read_only.hpp>
#include <palloc/protections/sealed.hpp>
#include <palloc/protections/write_rare.hpp>

#include <type_traits>

namespace palloc::inline v0 {

/// @brief Any of the protections that the system has, as `pmalloc_options` ask for them. Windows
/// knows no protection keys, and no mapping that stays.
#if defined(_WIN32)
using protection_choice = one_of<sealed, read_only, write_rare>;
#else
using protection_choice = one_of<sealed, read_only, permanent, write_rare, keyed>;
#endif

namespace detail {

template <class Wished, class Weaker>
[[nodiscard]] result<protection_choice> wished_or(demand insistence, Weaker weaker) noexcept {
    if constexpr (std::is_constructible_v<protection_choice, Wished>)
        return Wished(insistence);
    else if (insistence == demand::required)
        return fail(errc::not_supported);
    else
        return weaker;
}

} // namespace detail

/// @brief The protection that the options ask for. One that the system does not have is
/// `not_supported` where it is required, else the next weaker one.
///
/// Modes `ro`: what `wanted` says. Modes `wr`: `write_rare`, whatever is wanted; `guarded` together
/// with `required` then asks for windows of one thread only, which takes protection keys.
/// @par Errors  `bad_argument`: nothing gives a pool that strength; `not_supported`
[[nodiscard]] inline result<protection_choice>
choose_protection(const pmalloc_options& options) noexcept {
    if (is_write_rare(options.mode))
        return write_rare({.windows_of_one_thread = options.wanted == strength::guarded
                                                        ? options.insistence
                                                        : demand::best_effort,
                           .from_birth = options.mode == pmalloc_mode::start_wr});
    switch (options.wanted) {
    case strength::guarded:
        return detail::wished_or<keyed>(options.insistence, read_only{});
    case strength::read_only:
        return read_only{};
    case strength::sealed:
        return sealed(options.insistence);
    case strength::permanent:
        return detail::wished_or<permanent>(options.insistence, sealed(options.insistence));
    case strength::none:
    case strength::write_or_execute:
    case strength::write_xor_execute:
        break;
    }
    return fail(errc::bad_argument);
}

} // namespace palloc::inline v0
