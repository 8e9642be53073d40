// SPDX-License-Identifier: MIT
/// @file
/// @brief Proof by compiling that a concept asks for what its page says: a type with everything but
/// one thing is no model, and with that thing it is one.
#pragma once

namespace palloc::test {

/// @brief Everything that `Base` has, its constructors too.
template <class Base>
struct from : Base {
    using Base::Base;
};

struct something_else {};

} // namespace palloc::test

#define PALLOC_JOIN_AGAIN(a, b) a##b
#define PALLOC_JOIN(a, b) PALLOC_JOIN_AGAIN(a, b)

/// A model of the concept with `right` in place of its own, and what is none with `wrong`. Both are
/// members as they are declared.
#define PALLOC_BREAKS(concept_, base_, right, wrong)                                               \
    namespace PALLOC_JOIN(line_, __LINE__) {                                                       \
    struct repaired : test::from<base_> {                                                          \
        using test::from<base_>::from;                                                             \
        right;                                                                                     \
    };                                                                                             \
    struct broken : test::from<base_> {                                                            \
        using test::from<base_>::from;                                                             \
        wrong;                                                                                     \
    };                                                                                             \
    static_assert(concept_<repaired> && !concept_<broken>);                                        \
    }

/// The concept asks for a function of this type that is there, accessible and noexcept.
#define PALLOC_ASKS_FOR(concept_, base_, type, function)                                           \
    namespace PALLOC_JOIN(asks_, __LINE__) {                                                       \
    struct repaired : test::from<base_> {                                                          \
        using test::from<base_>::from;                                                             \
        type function noexcept;                                                                    \
    };                                                                                             \
    struct of_another_type : test::from<base_> {                                                   \
        using test::from<base_>::from;                                                             \
        test::something_else function noexcept;                                                    \
    };                                                                                             \
    struct that_may_throw : test::from<base_> {                                                    \
        using test::from<base_>::from;                                                             \
        type function;                                                                             \
    };                                                                                             \
    struct that_is_hidden : test::from<base_> {                                                    \
        using test::from<base_>::from;                                                             \
                                                                                                   \
      private:                                                                                     \
        type function noexcept;                                                                    \
    };                                                                                             \
    static_assert(concept_<repaired> && !concept_<of_another_type>);                               \
    static_assert(!concept_<that_may_throw> && !concept_<that_is_hidden>);                         \
    }

/// The same of a function that can be called on what is const.
#define PALLOC_ASKS_FOR_CONST(concept_, base_, type, function)                                     \
    PALLOC_ASKS_FOR(concept_, base_, type, function const)                                         \
    PALLOC_BREAKS(concept_, base_, type function const noexcept, type function noexcept)
