// SPDX-License-Identifier: MIT
// Stores into the list of pools: what they cannot make of it.
#include <palloc/core/list_key.hpp>
#include <palloc/pmalloc.hpp>
#include <palloc/pmalloc/any_pmalloc.hpp>
#include <palloc/pmalloc/describe_fault.hpp>

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string_view>
#include <vector>

#include "backends/seam.hpp"
#include "pmalloc/made.hpp"
#include "support/in_child.hpp"

using namespace palloc;
using test::made;
using test::number;

namespace {

using list = registry<any_pmalloc, sealed_by_key>;

std::uint64_t word_at(address place) {
    std::uint64_t value = 0;
    std::memcpy(&value, reinterpret_cast<const void*>(place), sizeof value);
    return value;
}
void store(address place, std::uint64_t value) {
    std::memcpy(reinterpret_cast<void*>(place), &value, sizeof value);
}

/// The words of an object.
std::vector<address> words_of(address object, std::size_t bytes) {
    std::vector<address> words;
    for (std::size_t i = 0; i != bytes / sizeof(std::uint64_t); ++i)
        words.push_back(object + i * sizeof(std::uint64_t));
    return words;
}

/// The list as an attacker sees it: which of its words change with a new pool.
struct observed {
    std::vector<address> head;    ///< the link to the newest entry, and its tag
    std::vector<address> entries; ///< oldest first

    template <class Make>
    auto watch(Make&& make) {
        const auto all = words_of(number(&pmalloc_registry()), sizeof(list));
        std::vector<std::uint64_t> before;
        for (const address each : all)
            before.push_back(word_at(each));
        auto pool = make();
        head.clear();
        for (std::size_t i = 0; i != all.size(); ++i)
            if (word_at(all[i]) != before[i])
                head.push_back(all[i]);
        BOOST_TEST_REQUIRE(head.size() == 2u);
        entries.push_back(word_at(head.front()));
        return pool;
    }
    [[nodiscard]] std::vector<address> words() const {
        std::vector<address> all = head;
        for (const address each : entries)
            for (const address word : words_of(each, sizeof(list::listing)))
                all.push_back(word);
        return all;
    }
};

/// A pool of the attacker's: whatever is called of it was hijacked.
class hostile final : public any_pmalloc {
  public:
    std::string_view name() const noexcept override { return called("rules"); }
    bool owns(address) const noexcept override { return called(true); }
    ownership owns(range) const noexcept override { return called(ownership::yes); }
    std::optional<pmalloc_place> locate(address) const noexcept override {
        return called(std::nullopt);
    }
    mutable int calls = 0;

  private:
    template <class T>
    T called(T answer) const {
        ++calls;
        return answer;
    }
};

} // namespace

BOOST_AUTO_TEST_SUITE(the_list_of_pools)

/// The first case: the key is drawn once in a process.
BOOST_AUTO_TEST_CASE(has_a_key_or_no_pool) {
    BOOST_TEST_REQUIRE((detail::list_key() == nullptr));
    BOOST_TEST(any_pmalloc::find("test") == nullptr);
    BOOST_TEST(any_pmalloc::list_is_intact());
    const error failed{errc::os_failure, ENOTRECOVERABLE};
    for (const os::call each : {os::call::random, os::call::protect}) {
        os::fail_nth(each, 1, ENOTRECOVERABLE);
        test::check_fails(pmalloc::create({.name = "test"}).map([](auto&&) {}), failed);
        BOOST_TEST((detail::list_key() == nullptr));
    }
    os::fail_nth(os::call::protect, 2, ENOTRECOVERABLE); // it is drawn, and cannot be closed
    test::check_fails(pmalloc::create({.name = "test"}).map([](auto&&) {}), failed);
    BOOST_TEST((detail::list_key() == nullptr));
    const auto pool = made();
    BOOST_TEST_REQUIRE((detail::list_key() != nullptr));
    BOOST_TEST(!test::writable(detail::list_key()));
    const siphash_key key = *detail::list_key();
    BOOST_TEST((key[0] != 0 && key[1] != 0));
    BOOST_TEST(!detail::make_list_key().value());
    BOOST_TEST((*detail::list_key() == key));
    BOOST_TEST(any_pmalloc::find("test") == pool.get());
}

/// Any word of it, overwritten by whatever could be of use: a pool is found by its name and by its
/// addresses, or not at all, and nothing is called that is no pool.
BOOST_AUTO_TEST_CASE(shows_no_pool_for_another_after_any_one_store) {
    observed seen;
    const auto older = seen.watch([] { return made({.name = "older"}); });
    const auto rules = seen.watch([] { return made({.name = "rules"}); });
    const auto newer = seen.watch([] { return made({.name = "newer"}); });
    const void* const block = rules->alloc(8).value();
    BOOST_TEST(rules->protect().has_value());
    const hostile trap;
    const any_pmalloc& trapped = trap;

    // An entry that says what an intact one says, but for its pool, and one that says all of it.
    using copy = std::array<std::byte, sizeof(list::listing)>;
    alignas(list::listing) std::array<copy, 2> forged{};
    for (copy& each : forged)
        std::memcpy(each.data(), reinterpret_cast<const void*>(seen.entries[1]), each.size());
    const address in_rules = number(static_cast<const any_pmalloc*>(rules.get()));
    for (const address each : words_of(number(forged[0].data()), sizeof(copy)))
        if (word_at(each) == in_rules)
            store(each, number(&trapped));

    std::vector<std::uint64_t> useful{0, 1, ~std::uint64_t{0}, number(&trapped)};
    for (const copy& each : forged)
        useful.push_back(number(each.data()));
    for (const pmalloc* const each : {older.get(), rules.get(), newer.get()})
        useful.push_back(number(static_cast<const any_pmalloc*>(each)));
    for (const address each : seen.words())
        useful.push_back(word_at(each));

    int stores = 0;
    const auto is_or_null = [](const any_pmalloc* found, const any_pmalloc* right) {
        return found == nullptr || found == right;
    };
    for (const address place : seen.words()) {
        const std::uint64_t before = word_at(place);
        for (const std::uint64_t value : useful) {
            if (value == before)
                continue;
            store(place, value);
            ++stores;
            BOOST_TEST(!any_pmalloc::list_is_intact());
            BOOST_TEST(is_or_null(any_pmalloc::find("rules"), rules.get()));
            BOOST_TEST(is_or_null(any_pmalloc::find("older"), older.get()));
            BOOST_TEST(is_or_null(any_pmalloc::find("newer"), newer.get()));
            BOOST_TEST(is_or_null(any_pmalloc::find_containing(number(block)), rules.get()));
            (void)any_pmalloc::owned_by_any({number(&trap), 8});
            std::array<char, 200> text{};
            (void)describe_fault({.place = number(&trap)}, text);
            BOOST_TEST(!pmalloc::create({.name = "rules"}));
            store(place, before);
        }
    }
    BOOST_TEST(trap.calls == 0);
    BOOST_TEST(stores > 300);
    BOOST_TEST(any_pmalloc::list_is_intact());
    BOOST_TEST(any_pmalloc::find("rules") == rules.get());
}

BOOST_AUTO_TEST_CASE(minds_the_letters_of_a_name) {
    const auto rules = made({.name = "rules"});
    const auto other = made({.name = "other"}); // open, and so are its books
    char* const letters = const_cast<char*>(other->name().data());
    std::memcpy(letters, "rules", 5);
    BOOST_TEST(any_pmalloc::find("rules") != other.get());
    BOOST_TEST(!any_pmalloc::list_is_intact());
    std::memcpy(letters, "other", 5);
    BOOST_TEST(any_pmalloc::find("rules") == rules.get());
}

/// In a child, whose list it remains.
BOOST_AUTO_TEST_CASE(stays_cut_where_it_was_spoiled) {
    test::misuse_log log;
    const auto life = [&]() noexcept {
        observed seen;
        const auto make = [&](std::string_view name) {
            return seen.watch([&] {
                return std::move(*pmalloc::create({.name = name, .on_misuse = log.policy()}));
            });
        };
        auto oldest = make("oldest");
        auto spoiled = make("spoiled");
        auto newest = make("newest");
        const auto refused = [] {
            const auto fresh = pmalloc::create({.name = "oldest"});
            return !fresh && fresh.error() == error{errc::corrupted};
        };
        const address tag = words_of(seen.entries[1], sizeof(list::listing)).back();
        const std::uint64_t right = word_at(tag);
        store(tag, right ^ 1);
        if (any_pmalloc::find("spoiled") != nullptr || any_pmalloc::find("oldest") != nullptr ||
            any_pmalloc::find("newest") != newest.get() || !refused())
            return 1;
        oldest.reset();
        if (log.seen.size() != 1 || log.seen[0].what != errc::corrupted)
            return 2;
        store(tag, right); // too late: what is behind it may have ended
        if (any_pmalloc::find("spoiled") != nullptr || !refused())
            return 3;
        spoiled.reset();
        newest.reset();
        return log.seen.size() == 2 && !any_pmalloc::list_is_intact() && refused() ? 0 : 4;
    };
    BOOST_TEST(test::in_child(life) == 0);
}

BOOST_AUTO_TEST_SUITE_END()
