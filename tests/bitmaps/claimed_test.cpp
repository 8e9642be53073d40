// SPDX-License-Identifier: MIT
// Whose granules are, and a claimant that is killed at each access that it makes to the map: what
// it held or was claiming is found again, and nobody else loses anything.
#include <palloc/bitmaps/claimed.hpp>

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <atomic>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <unistd.h>
#include <vector>

#include <sys/mman.h>
#include <sys/wait.h>

#include "bitmaps/owned_bitmap.hpp"

namespace palloc::test {

/// How many accesses are left until the process dies; negative: it lives.
inline std::int64_t life = -1;

/// @brief As much of std::atomic as bitmaps use; the process dies before an access.
template <class T>
class deadly {
  public:
    T load() const noexcept { return access().load(); }
    void store(T value) noexcept { access().store(value); }
    T fetch_add(T value) noexcept { return access().fetch_add(value); }
    T fetch_sub(T value) noexcept { return access().fetch_sub(value); }
    T fetch_or(T value) noexcept { return access().fetch_or(value); }
    T fetch_and(T value) noexcept { return access().fetch_and(value); }
    bool compare_exchange_weak(T& seen, T wanted) noexcept {
        return access().compare_exchange_strong(seen, wanted);
    }
    bool compare_exchange_strong(T& seen, T wanted) noexcept {
        return access().compare_exchange_strong(seen, wanted);
    }

  private:
    std::atomic<T>& access() const noexcept {
        if (life == 0)
            ::raise(SIGKILL);
        if (life > 0)
            --life;
        return value_;
    }
    mutable std::atomic<T> value_;
};

} // namespace palloc::test

namespace {

using namespace palloc;
using namespace palloc::test;

using bitmap = basic_claimed<deadly>;
static_assert(sizeof(deadly<std::uint64_t>) == 8);

constexpr std::size_t size = 1100;
constexpr bitmap::claimant victim = 5;
constexpr bitmap::claimant other = 9;

/// A map in memory that children share.
class shared_map {
  public:
    shared_map()
        : memory_(mmap(nullptr, bitmap::storage_bytes(size), PROT_READ | PROT_WRITE,
                       MAP_SHARED | MAP_ANONYMOUS, -1, 0)) {
        BOOST_REQUIRE(memory_ != MAP_FAILED);
    }
    shared_map(const shared_map&) = delete;
    shared_map& operator=(const shared_map&) = delete;
    ~shared_map() { munmap(memory_, bitmap::storage_bytes(size)); }

    [[nodiscard]] bitmap as(bitmap::claimant who) const {
        bitmap::name_claimant(static_cast<std::byte*>(memory_), who);
        return {static_cast<std::byte*>(memory_), size};
    }

  private:
    void* memory_;
};

/// What was in use before: some of the other's, some kept, some the victim's.
constexpr granule_run others[] = {{0, 3}, {17, 60}, {200, 9}, {800, 130}};
constexpr granule_run keepsakes[] = {{100, 30}, {300, 5}};
constexpr granule_run victims[] = {{90, 7}, {140, 41}, {600, 150}};

void furnish(const shared_map& it) {
    bitmap theirs = it.as(other);
    for (const granule_run run : others)
        BOOST_REQUIRE(theirs.claim(run));
    for (const granule_run run : keepsakes)
        BOOST_REQUIRE((theirs.claim(run) && theirs.keep(run)));
    bitmap dying = it.as(victim);
    for (const granule_run run : victims)
        BOOST_REQUIRE(dying.claim(run));
}

/// Kills a child at the nth access of `story`. Answers whether it got that far.
template <class Story>
bool kill_at(std::int64_t n, Story&& story) {
    const pid_t child = ::fork();
    if (child == 0) {
        life = n;
        story();
        ::_exit(0);
    }
    int status = 0;
    BOOST_REQUIRE(::waitpid(child, &status, 0) == child);
    return WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
}

void check_others(const bitmap& map, const std::vector<granule_run>& kept) {
    std::vector<bitmap::claimant> wanted(size, bitmap::nobody);
    for (const granule_run run : others)
        std::fill_n(wanted.begin() + static_cast<std::ptrdiff_t>(run.first), run.count, other);
    for (const granule_run run : kept)
        std::fill_n(wanted.begin() + static_cast<std::ptrdiff_t>(run.first), run.count,
                    bitmap::kept);
    std::size_t wrong = 0;
    for (std::size_t i = 0; i != size; ++i)
        wrong += map.owner(i) != wanted[i];
    BOOST_TEST(wrong == 0u);
    BOOST_TEST(map.count_of(victim) == 0u);
    BOOST_TEST(map.settled().has_value());
    BOOST_TEST(finds_every_run(map));
}

/// Kills a claimant at each access of `story`, reclaims, and looks at what there is. `gone`: a
/// keepsake that the story gives back, which may be there or not.
template <class Story>
void die_everywhere(Story&& story, granule_run gone = {}, granule_run stays = {}) {
    bool died = true;
    std::int64_t n = 0;
    for (; died; ++n) {
        const shared_map it;
        furnish(it);
        bitmap dying = it.as(victim);
        died = kill_at(n, [&] { story(dying); });
        bitmap mine = it.as(other);
        BOOST_TEST_CONTEXT("killed at access " << n) {
            mine.reclaim(victim);
            std::vector<granule_run> kept;
            for (const granule_run run : keepsakes)
                if (run != gone || mine.owner(run.first) == bitmap::kept)
                    kept.push_back(run);
            if (stays.count != 0 && mine.owner(stays.first) == bitmap::kept)
                kept.push_back(stays);
            check_others(mine, kept);
        }
    }
    BOOST_TEST(n > 3);
}

} // namespace

BOOST_AUTO_TEST_SUITE(claimed_bitmap)

BOOST_AUTO_TEST_CASE(a_killed_claim_is_found) {
    die_everywhere([](bitmap& map) { map.claim({400, 100}); });
    die_everywhere([](bitmap& map) { map.claim_lowest({.count = 70, .limit = size}); });
    die_everywhere([](bitmap& map) { map.claim_lowest({.count = 1, .limit = size}); });
}

BOOST_AUTO_TEST_CASE(a_killed_claim_that_loses_is_found) {
    die_everywhere([](bitmap& map) { map.claim({195, 200}); });
    die_everywhere([](bitmap& map) { map.claim({750, 60}); });
}

BOOST_AUTO_TEST_CASE(a_killed_release_loses_nothing) {
    die_everywhere([](bitmap& map) { map.release(victims[0]); });
    die_everywhere([](bitmap& map) { map.release(victims[2]); });
}

BOOST_AUTO_TEST_CASE(a_killed_release_of_what_is_kept_is_all_or_nothing) {
    die_everywhere([](bitmap& map) { map.release(keepsakes[0]); }, keepsakes[0]);
    die_everywhere([](bitmap& map) { map.release(keepsakes[1]); }, keepsakes[1]);
}

BOOST_AUTO_TEST_CASE(a_killed_move_is_all_or_nothing) {
    die_everywhere([](bitmap& map) { map.keep(victims[2]); }, {}, victims[2]);
    die_everywhere([](bitmap& map) { map.keep(victims[0]); }, {}, victims[0]);
    die_everywhere([](bitmap& map) { map.take_over(keepsakes[0]); }, keepsakes[0]);
}

BOOST_AUTO_TEST_CASE(a_killed_reclaim_can_be_done_again) {
    for (const std::int64_t move_dies_at : {30, 45}) {
        bool died = true;
        std::int64_t n = 0;
        for (; died; n += 1 + n / 40) {
            const shared_map it;
            furnish(it);
            bitmap dying = it.as(victim);
            BOOST_REQUIRE(kill_at(move_dies_at, [&] { dying.release(keepsakes[0]); }));
            bitmap mine = it.as(other);
            died = kill_at(n, [&] { mine.reclaim(victim); });
            BOOST_TEST_CONTEXT("killed at access " << n) {
                mine.reclaim(victim);
                check_others(mine, mine.owner(keepsakes[0].first) == bitmap::kept
                                       ? std::vector{keepsakes[0], keepsakes[1]}
                                       : std::vector{keepsakes[1]});
            }
        }
        BOOST_TEST(n > 300);
    }
}

BOOST_AUTO_TEST_CASE(others_blocks_stay_where_they_are) {
    const shared_map it;
    furnish(it);
    bitmap mine = it.as(victim);
    BOOST_TEST(mine.self() == victim);
    BOOST_TEST(mine.release(others[1]) == others[1].count);
    BOOST_TEST(!mine.keep(others[1]));
    BOOST_TEST(!mine.keep({victims[0].first - 1, 3}));
    BOOST_TEST(!mine.take_over(others[0]));
    BOOST_TEST(mine.count_of(other) == 3u + 60 + 9 + 130);
    BOOST_TEST(mine.count_of(bitmap::kept) == 35u);
    BOOST_TEST(mine.count_of(victim) == 7u + 41 + 150);
    BOOST_TEST(mine.count_of(bitmap::nobody) == mine.free_count());
    BOOST_TEST(mine.take_over(keepsakes[0]));
    BOOST_TEST(mine.owner(keepsakes[0].first) == victim);
    bitmap theirs = it.as(other);
    BOOST_TEST(theirs.release(keepsakes[0]) == keepsakes[0].count);
    BOOST_TEST(theirs.release(keepsakes[1]) == 0u);
    BOOST_TEST(theirs.reclaim(victim) == 7u + 41 + 150 + 30);
    check_others(theirs, {});
}

BOOST_AUTO_TEST_CASE(words_are_looked_at_whole) {
    using namespace palloc::detail::owner_word;
    for (const std::uint64_t value :
         {std::uint64_t{0}, std::uint64_t{0x7f00010002000300}, std::uint64_t{0x0102030405067f7f}}) {
        std::uint64_t flags = 0;
        std::uint64_t sevens = 0;
        for (unsigned i = 0; i != 8; ++i) {
            flags |= std::uint64_t{(value >> 8 * i & 0xff) != 0} << i;
            sevens |= (value >> 8 * i & 0xff) == 0x7f ? std::uint64_t{0xff} << 8 * i : 0;
        }
        BOOST_TEST(used(value) == flags);
        BOOST_TEST(bytes_of(value, 0x7f) == sevens);
        BOOST_TEST(std::popcount(set_bytes(value)) == 8 * std::popcount(flags));
    }
    BOOST_TEST(mask(0, 8) == ~std::uint64_t{0});
    BOOST_TEST(mask(2, 3) == 0xff0000u);
}

BOOST_AUTO_TEST_SUITE_END()
