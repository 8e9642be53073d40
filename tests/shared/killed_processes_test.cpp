// SPDX-License-Identifier: MIT
// Four processes work on one pool and are killed at random moments: no block is ever two's, and
// what the dead had is there again. They allocate and free, hand over blocks to one another, and
// reclaim; so they are killed while they reclaim, too.
#include <palloc/shared.hpp>

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <array>
#include <atomic>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <iostream>
#include <unistd.h>
#include <utility>
#include <vector>

#include <sys/mman.h>
#include <sys/wait.h>

#include "support/random.hpp"

using namespace palloc;

namespace {

constexpr std::size_t workers = 4;
constexpr std::size_t letter_boxes = 32;
constexpr std::uint64_t largest = 3000;
constexpr segment_shape shape{.bytes = 1 << 18};

/// At the beginning of each block; what follows is made of the serial number, which no other block
/// ever has.
struct label {
    std::uint64_t serial;
    std::uint64_t bytes;
};

/// What workers and the one that kills them share beside the segment.
struct board {
    std::array<std::atomic<std::uint64_t>, letter_boxes> box; ///< tokens of blocks that are kept
    /// What each worker is posting or fetching: in the hands of nobody else, if it dies.
    std::atomic<std::uint64_t> in_hand[workers];
    std::atomic<std::uint64_t> steps[workers];
    std::atomic<std::uint64_t> serials;
    std::atomic<std::uint64_t> corrupt;
    std::atomic<std::uint64_t> misuses;
    std::atomic<std::uint64_t> reclaimed;
};

/// Names a block, and no other that was or will be at its place.
[[nodiscard]] constexpr std::uint64_t token(std::uint64_t offset, std::uint64_t serial) {
    return serial << 24 | offset;
}
[[nodiscard]] constexpr std::uint64_t offset_in(std::uint64_t token) {
    return token & 0xffffff;
}

void write_label(address block, label what) {
    std::memcpy(reinterpret_cast<void*>(block), &what, sizeof what);
    std::memset(reinterpret_cast<char*>(block) + sizeof what, static_cast<int>(what.serial % 251),
                static_cast<std::size_t>(what.bytes - sizeof what));
}
[[nodiscard]] label label_of(address block) {
    label what;
    std::memcpy(&what, reinterpret_cast<const void*>(block), sizeof what);
    return what;
}
[[nodiscard]] bool is_whole(address block) {
    const label what = label_of(block);
    const auto* const bytes = reinterpret_cast<const unsigned char*>(block);
    return what.bytes >= sizeof what && what.bytes <= largest &&
           std::all_of(bytes + sizeof what, bytes + what.bytes,
                       [&](unsigned char byte) { return byte == what.serial % 251; });
}

void count_into(void* counter, const misuse&) noexcept {
    ++*static_cast<std::atomic<std::uint64_t>*>(counter);
}

class worker {
  public:
    worker(board& shared, std::size_t number, int file, std::uint64_t seed)
        : board_(shared), number_(number), random_(seed),
          segment_(shared_segment::attach(file, 64).value()),
          pool_(segment_, {.on_misuse = {count_into, &shared.misuses}}) {}

    [[noreturn]] void run() {
        while (true) {
            step();
            ++board_.steps[number_];
        }
    }

  private:
    void step() {
        switch (random_.below(8)) {
        case 0:
            post();
            break;
        case 1:
            fetch();
            break;
        case 2:
            if (random_.below(8) == 0)
                board_.reclaimed += pool_.reclaim().claimants;
            break;
        default:
            if (held_.size() < random_.below(40))
                (void)make();
            else
                free_one();
        }
    }

    bool make() {
        const std::uint64_t bytes = sizeof(label) + random_.below(random_.chance(50) ? 200 : 2900);
        const auto block = pool_.allocate(bytes, std::uint64_t{1} << random_.below(9));
        if (!block)
            return false;
        write_label(*block, {++board_.serials, bytes});
        held_.push_back(*block);
        return true;
    }

    void free_one() {
        if (held_.empty())
            return;
        std::swap(held_.back(), held_[random_.below(held_.size())]);
        give_back(held_.back());
        held_.pop_back();
    }
    void give_back(address block) {
        if (!is_whole(block))
            ++board_.corrupt;
        else
            (void)pool_.deallocate(block, label_of(block).bytes);
    }

    void take_in_hand(std::uint64_t what) { board_.in_hand[number_] = what; }
    void let_go() { board_.in_hand[number_] = 0; }

    void post() {
        if (held_.empty() && !make())
            return;
        const address block = held_.back();
        const std::uint64_t name = token(segment_.offset_of(block), label_of(block).serial);
        take_in_hand(name);
        if (!pool_.keep(block, label_of(block).bytes))
            ++board_.corrupt;
        held_.pop_back();
        std::uint64_t empty = 0;
        if (board_.box[random_.below(letter_boxes)].compare_exchange_strong(empty, name))
            return let_go();
        if (!pool_.take_over(block, label_of(block).bytes))
            ++board_.corrupt;
        held_.push_back(block);
        let_go();
    }

    void fetch() {
        auto& box = board_.box[random_.below(letter_boxes)];
        std::uint64_t name = box.load();
        if (name == 0)
            return;
        take_in_hand(name);
        if (!box.compare_exchange_strong(name, 0))
            return let_go();
        const address block = segment_.at(offset_in(name));
        if (random_.chance(50)) {
            give_back(block);
        } else if (pool_.take_over(block, label_of(block).bytes)) {
            held_.push_back(block);
        } else {
            ++board_.corrupt;
        }
        let_go();
    }

    board& board_;
    std::size_t number_;
    test::random_source random_;
    shared_segment segment_;
    shared_pool<> pool_;
    std::vector<address> held_;
};

/// The one that kills.
class killer {
  public:
    killer() {
        void* const memory = ::mmap(nullptr, sizeof(board), PROT_READ | PROT_WRITE,
                                    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        BOOST_REQUIRE(memory != MAP_FAILED);
        board_ = ::new (memory) board{};
        for (std::size_t i = 0; i != workers; ++i)
            employ(i);
    }
    killer(const killer&) = delete;
    killer& operator=(const killer&) = delete;
    ~killer() {
        for (const pid_t child : child_) {
            ::kill(child, SIGKILL);
            ::waitpid(child, nullptr, 0);
        }
        ::munmap(board_, sizeof(board));
    }

    void kill_one() {
        const std::size_t who = random_.below(workers);
        const std::uint64_t seen = board_->steps[who];
        while (random_.chance(90) && board_->steps[who] == seen)
            rest(20'000); // most have done something
        rest(random_.below(800'000));
        dismiss(who);
        employ(who);
    }

    /// Kills all, and looks for what is lost.
    void take_stock() {
        for (std::size_t i = 0; i != workers; ++i)
            dismiss(i);
        board_->reclaimed += pool_.reclaim().claimants;
        std::uint64_t posted = 0;
        for (auto& box : board_->box)
            if (box != 0) {
                const address block = segment_.at(offset_in(box));
                board_->corrupt += !is_whole(block);
                posted += static_granule<64>::count(label_of(block).bytes) * 64;
            }
        BOOST_TEST(board_->corrupt == 0u);
        BOOST_TEST(board_->misuses == 0u);
        BOOST_TEST(pool_.kept_bytes() == posted);
        BOOST_TEST(pool_.free_bytes() == shape.bytes - posted);
        BOOST_TEST(segment_.map().settled().has_value());
        for (std::size_t i = 0; i != workers; ++i)
            employ(i);
    }

    [[nodiscard]] std::uint64_t reclaimed() const { return board_->reclaimed; }
    [[nodiscard]] std::uint64_t done() const { return done_; }
    [[nodiscard]] int kills() const { return kills_; }

  private:
    static void rest(std::uint64_t nanoseconds) {
        const timespec time{0, static_cast<long>(nanoseconds)};
        ::nanosleep(&time, nullptr);
    }

    void employ(std::size_t who) {
        const std::uint64_t seed = random_.below(1U << 30);
        done_ += board_->steps[who].exchange(0);
        child_[who] = ::fork();
        BOOST_REQUIRE(child_[who] >= 0);
        if (child_[who] == 0) {
            ::alarm(600);
            worker(*board_, who, segment_.descriptor(), seed).run();
        }
    }

    void dismiss(std::size_t who) {
        ::kill(child_[who], SIGKILL);
        int status = 0;
        BOOST_REQUIRE(::waitpid(child_[who], &status, 0) == child_[who]);
        BOOST_TEST((WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL));
        ++kills_;
        while (is_attached(child_[who])) // another may be reclaiming for it
            board_->reclaimed += pool_.reclaim().claimants;
        clear_hand(who);
    }

    [[nodiscard]] bool is_attached(pid_t process) const {
        bool found = false;
        segment_.for_each_claimant([&](auto, std::uint32_t each, auto) {
            found = found || each == static_cast<std::uint32_t>(process);
        });
        return found;
    }

    /// What the worker was just handing over is kept by the pool, and nobody knows of it.
    void clear_hand(std::size_t who) {
        const std::uint64_t name = board_->in_hand[who].exchange(0);
        if (name == 0)
            return;
        const std::uint64_t offset = offset_in(name);
        const auto granule = static_cast<std::size_t>((offset - segment_.data().base) / 64);
        const bool is_posted = std::any_of(board_->box.begin(), board_->box.end(),
                                           [&](const auto& box) { return box == name; });
        const address block = segment_.at(offset);
        if (!is_posted && segment_.map().owner(granule) == claimed::kept &&
            token(offset, label_of(block).serial) == name)
            BOOST_TEST(pool_.deallocate(block, label_of(block).bytes).has_value());
    }

    test::random_source random_{2026};
    shared_segment segment_ = shared_segment::nameless(shape).value();
    shared_pool<> pool_{segment_};
    board* board_ = nullptr;
    std::array<pid_t, workers> child_{};
    std::uint64_t done_ = 0;
    int kills_ = 0;
};

} // namespace

BOOST_AUTO_TEST_CASE(killed_at_random_moments_nothing_is_lost_or_corrupt) {
    killer it;
    const int wanted = std::getenv("PALLOC_FULL") == nullptr ? 1'000 : 10'000;
    while (it.kills() < wanted) {
        for (int i = 0; i != 50; ++i)
            it.kill_one();
        it.take_stock();
    }
    std::cout << "# " << it.kills() << " killed after " << it.done() << " steps, " << it.reclaimed()
              << " reclaimed\n";
    BOOST_TEST(it.done() > 1000u);
}
