// SPDX-License-Identifier: MIT
/// @file
/// @brief Errors as values: what was wrong, in eight bytes, without allocation.
#pragma once

#include <palloc/core/detail/result_storage.hpp>
#include <palloc/core/version.hpp>

#include <tl/expected.hpp>

#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <string_view>
#include <type_traits>
#include <utility>

namespace palloc::inline v0 {

/// @brief What was wrong. Stable: values are appended, never renumbered.
enum class errc : std::uint8_t {
    out_of_memory = 1, ///< no free run long enough, and the pool may not or can not grow
    zero_size,         ///< a request for, or a release of, nothing
    too_large,         ///< the size overflows, or no chunk could ever hold it
    bad_alignment,     ///< not a power of two, or more than the backing can give
    bad_argument,      ///< any other argument outside its stated domain
    over_limit,        ///< the cap of the pool or of a `limited` backing
    is_protected,      ///< the place is protected, or the pool protects once and has done so
    not_ours,          ///< no chunk of the pool contains the address
    not_a_block,       ///< inside a chunk, but no block begins there
    double_free,       ///< some of the granules are free already
    wrong_size,        ///< a block begins there, of another size
    past_the_end,      ///< the range begins in a chunk and runs out of it
    outstanding,       ///< blocks are still live
    overlap,           ///< the chunk would overlap one that the pool has
    bad_placement,     ///< the algorithm answered with a place that is busy, misaligned or outside
    no_room,           ///< the neighbour is busy, so the block cannot grow in place
    not_supported,     ///< this machine, kernel or backing cannot do it
    os_failure,        ///< a system call failed; `os_code` says how
    corrupted,         ///< a list in ordinary memory was overwritten; it is not followed
};

/// @brief The name of `code`, as it is spelled in the source.
[[nodiscard]] constexpr std::string_view to_string(errc code) noexcept {
    switch (code) {
    case errc::out_of_memory:
        return "out_of_memory";
    case errc::zero_size:
        return "zero_size";
    case errc::too_large:
        return "too_large";
    case errc::bad_alignment:
        return "bad_alignment";
    case errc::bad_argument:
        return "bad_argument";
    case errc::over_limit:
        return "over_limit";
    case errc::is_protected:
        return "is_protected";
    case errc::not_ours:
        return "not_ours";
    case errc::not_a_block:
        return "not_a_block";
    case errc::double_free:
        return "double_free";
    case errc::wrong_size:
        return "wrong_size";
    case errc::past_the_end:
        return "past_the_end";
    case errc::outstanding:
        return "outstanding";
    case errc::overlap:
        return "overlap";
    case errc::bad_placement:
        return "bad_placement";
    case errc::no_room:
        return "no_room";
    case errc::not_supported:
        return "not_supported";
    case errc::os_failure:
        return "os_failure";
    case errc::corrupted:
        return "corrupted";
    }
    return "unknown";
}

/// @brief An error: the code, and the operating system's own where a system call failed.
struct error {
    errc code;
    std::int32_t os_code = 0;

    friend constexpr bool operator==(error, error) = default;
};
static_assert(sizeof(error) == 8 && std::is_trivially_copyable_v<error>);

template <class T>
class result;

namespace detail {

// The mark tells any error from none.
constexpr std::uint64_t error_mark = 0x100;
[[nodiscard]] constexpr std::uint64_t word_of(error e) noexcept {
    return std::uint64_t{static_cast<std::uint32_t>(e.os_code)} << 32 | error_mark |
           static_cast<std::uint8_t>(e.code);
}
[[nodiscard]] constexpr error error_of(std::uint64_t word) noexcept {
    return {static_cast<errc>(word & 0xff), static_cast<std::int32_t>(word >> 32)};
}

template <class R>
inline constexpr bool is_result = false;
template <class T>
inline constexpr bool is_result<result<T>> = true;
template <class R>
inline constexpr bool is_unexpected = false;
template <class E>
inline constexpr bool is_unexpected<tl::unexpected<E>> = true;

} // namespace detail

/// @brief A `T`, or the error that stands in its place, with what `std::expected` offers for them.
/// In registers if the value is a word or less.
/// @tparam T  `void`, or what can be moved; assigned where that throws nothing.
/// @pre  `*`, `->`: there is a value; `error()`: there is none.
/// @par Errors `value()` throws `tl::bad_expected_access` where there is none, or ends the program
///   where there are no exceptions
template <class T>
class result {
    static constexpr bool is_void = std::is_void_v<T>;
    using reference = std::add_lvalue_reference_t<T>;
    using const_reference = std::add_lvalue_reference_t<const T>;

  public:
    using value_type = T;
    using error_type = palloc::error;
    using unexpected_type = tl::unexpected<palloc::error>;

    constexpr result() noexcept(is_void || std::is_nothrow_default_constructible_v<T>)
        requires(is_void || std::is_default_constructible_v<T>)
        : it_(std::in_place) {}
    template <class E>
        requires std::is_convertible_v<const E&, palloc::error>
    // NOLINTNEXTLINE(*-explicit-*): a failure is answered as it is
    constexpr result(const tl::unexpected<E>& wrong) noexcept
        : it_(detail::word_of(wrong.value())) {}
    template <class U = T>
        requires(!is_void && !detail::is_result<std::remove_cvref_t<U>> &&
                 !detail::is_unexpected<std::remove_cvref_t<U>> &&
                 !std::is_same_v<std::remove_cvref_t<U>, std::in_place_t> &&
                 std::is_constructible_v<T, U>)
    // NOLINTNEXTLINE(*-explicit-*): a value is answered as it is
    constexpr explicit(!std::is_convertible_v<U, T>) result(U&& value)
        : it_(std::in_place, static_cast<T>(std::forward<U>(value))) {}
    template <class U>
        requires(!is_void && !std::is_same_v<U, T> && std::is_constructible_v<T, U>)
    // NOLINTNEXTLINE(*-explicit-*): as its value is
    constexpr explicit(!std::is_convertible_v<U, T>) result(result<U> other)
        : it_(other ? detail::result_storage<T>(std::in_place, *std::move(other))
                    : detail::result_storage<T>(detail::word_of(other.error()))) {}
    template <class... Arguments>
    constexpr explicit result(std::in_place_t where, Arguments&&... arguments)
        : it_(where, std::forward<Arguments>(arguments)...) {}

    [[nodiscard]] constexpr bool has_value() const noexcept { return it_.wrong == 0; }
    constexpr explicit operator bool() const noexcept { return it_.wrong == 0; }
    [[nodiscard]] constexpr palloc::error error() const noexcept {
        return detail::error_of(it_.wrong);
    }

    constexpr reference operator*() & noexcept {
        if constexpr (!is_void)
            return it_.value;
    }
    constexpr const_reference operator*() const& noexcept {
        if constexpr (!is_void)
            return it_.value;
    }
    constexpr std::add_rvalue_reference_t<T> operator*() && noexcept {
        if constexpr (!is_void)
            return std::move(it_.value);
    }
    constexpr auto* operator->() noexcept
        requires(!is_void)
    {
        return std::addressof(it_.value);
    }
    constexpr const auto* operator->() const noexcept
        requires(!is_void)
    {
        return std::addressof(it_.value);
    }

    constexpr reference value() & {
        need();
        return **this;
    }
    // NOLINTNEXTLINE(modernize-use-nodiscard): of void there is nothing to look at
    constexpr const_reference value() const& {
        need();
        return **this;
    }
    constexpr std::add_rvalue_reference_t<T> value() && {
        need();
        return *std::move(*this);
    }
    template <class U>
    [[nodiscard]] constexpr T value_or(U&& instead) const&
        requires(!is_void)
    {
        return *this ? **this : static_cast<T>(std::forward<U>(instead));
    }
    template <class U>
        [[nodiscard]] constexpr T value_or(U&& instead) &&
        requires(!is_void) {
            return *this ? *std::move(*this) : static_cast<T>(std::forward<U>(instead));
        }

        /// @brief What `act` makes of the value; the error stays.
        template <class F>
        constexpr auto map(F&& act) & {
        return mapped(*this, std::forward<F>(act));
    }
    template <class F>
    constexpr auto map(F&& act) const& {
        return mapped(*this, std::forward<F>(act));
    }
    template <class F>
    constexpr auto map(F&& act) && {
        return mapped(std::move(*this), std::forward<F>(act));
    }
    /// @brief What `act`, which answers a result itself, makes of the value; the error stays.
    template <class F>
    constexpr auto and_then(F&& act) & {
        return followed(*this, std::forward<F>(act));
    }
    template <class F>
    constexpr auto and_then(F&& act) const& {
        return followed(*this, std::forward<F>(act));
    }
    template <class F>
    constexpr auto and_then(F&& act) && {
        return followed(std::move(*this), std::forward<F>(act));
    }

    template <class U>
    friend constexpr bool operator==(const result& one, const result<U>& other) {
        if (one.has_value() != other.has_value())
            return false;
        if (!one)
            return one.error() == other.error();
        if constexpr (is_void)
            return true;
        else
            return *one == *other;
    }
    template <class U>
        requires(!is_void && !detail::is_result<U> && !detail::is_unexpected<U>)
    friend constexpr bool operator==(const result& one, const U& value) {
        return one && *one == value;
    }
    friend constexpr bool operator==(const result& one, const unexpected_type& wrong) {
        return !one && one.error() == wrong.value();
    }

  private:
    constexpr void need() const {
        if (has_value()) [[likely]]
            return;
#ifdef __cpp_exceptions
        throw tl::bad_expected_access<palloc::error>(error());
#else
        std::terminate();
#endif
    }
    template <class Self, class F>
    static constexpr decltype(auto) applied(Self&& it, F&& act) {
        if constexpr (is_void)
            return std::invoke(std::forward<F>(act));
        else
            return std::invoke(std::forward<F>(act), *std::forward<Self>(it));
    }
    template <class Self, class F>
    static constexpr auto mapped(Self&& it, F&& act) {
        using made = std::remove_cvref_t<decltype(applied(std::forward<Self>(it), act))>;
        if (!it)
            return result<made>(unexpected_type(it.error()));
        if constexpr (std::is_void_v<made>) {
            applied(std::forward<Self>(it), std::forward<F>(act));
            return result<made>();
        } else {
            return result<made>(std::in_place,
                                applied(std::forward<Self>(it), std::forward<F>(act)));
        }
    }
    template <class Self, class F>
    static constexpr auto followed(Self&& it, F&& act) {
        using made = std::remove_cvref_t<decltype(applied(std::forward<Self>(it), act))>;
        if (!it)
            return made(unexpected_type(it.error()));
        return applied(std::forward<Self>(it), std::forward<F>(act));
    }

    detail::result_storage<T> it_;
};

/// @brief The one place that makes failures: set a breakpoint here to see them all.
[[nodiscard]] constexpr tl::unexpected<error> fail(errc code, std::int32_t os_code = 0) noexcept {
    return tl::unexpected<error>(error{code, os_code});
}

} // namespace palloc::inline v0
