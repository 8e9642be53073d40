// SPDX-License-Identifier: MIT
/// @file
/// @brief Lists of models: those with a capability, and all pairs of two lists.
#pragma once

#include <tuple>
#include <type_traits>
#include <utility>

namespace palloc::test {

/// @brief The types of a tuple for which `Keeps<T>::value` holds: what a suite about a refinement
/// iterates over.
template <class List, template <class> class Keeps>
struct filter;
template <class... Types, template <class> class Keeps>
struct filter<std::tuple<Types...>, Keeps> {
    using type = decltype(std::tuple_cat(
        std::declval<
            std::conditional_t<Keeps<Types>::value, std::tuple<Types>, std::tuple<>>>()...));
};
template <class List, template <class> class Keeps>
using filtered = typename filter<List, Keeps>::type;

} // namespace palloc::test
