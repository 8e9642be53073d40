// SPDX-License-Identifier: MIT
#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <chrono>
#include <map>
#include <mutex>
#include <new>
#include <palloc_bench/replayer.hpp>
#include <palloc_bench/trace_reader.hpp>
#include <set>
#include <thread>

#include "trace_file.hpp"

namespace bench = palloc::bench;
using namespace std::chrono_literals;
using palloc::test::temporary_file;

namespace {

constexpr auto plenty = 1h;

/// Knows every block; a wrong size, alignment or address in a deallocation is counted.
class checking_resource : public std::pmr::memory_resource {
  public:
    std::size_t limit_bytes = ~std::size_t{0};
    std::size_t live_bytes = 0;
    std::size_t refused = 0;
    std::size_t wrong = 0;
    std::set<std::thread::id> callers;
    [[nodiscard]] std::size_t live_blocks() const { return blocks_.size(); }

  private:
    void* do_allocate(std::size_t bytes, std::size_t alignment) override {
        const std::lock_guard lock(mutex_);
        callers.insert(std::this_thread::get_id());
        if (live_bytes + bytes > limit_bytes) {
            ++refused;
            throw std::bad_alloc();
        }
        void* const block = std::pmr::new_delete_resource()->allocate(bytes, alignment);
        blocks_[block] = {bytes, alignment};
        live_bytes += bytes;
        return block;
    }
    void do_deallocate(void* block, std::size_t bytes, std::size_t alignment) override {
        const std::lock_guard lock(mutex_);
        const auto found = blocks_.find(block);
        if (found == blocks_.end() || found->second != std::pair(bytes, alignment)) {
            ++wrong;
            return;
        }
        blocks_.erase(found);
        live_bytes -= bytes;
        std::pmr::new_delete_resource()->deallocate(block, bytes, alignment);
    }
    bool do_is_equal(const memory_resource& other) const noexcept override {
        return this == &other;
    }

    std::mutex mutex_;
    std::map<void*, std::pair<std::size_t, std::size_t>> blocks_;
};

/// Blocks one behind the other, each `overlap` bytes too early and `shift` bytes off.
class broken_resource final : public std::pmr::memory_resource {
  public:
    broken_resource(std::size_t overlap, std::size_t shift)
        : overlap_(overlap), shift_(shift), arena_(4 << 20) {}

    std::byte* last = nullptr;

  private:
    void* do_allocate(std::size_t bytes, std::size_t alignment) override {
        const auto place = reinterpret_cast<std::uintptr_t>(arena_.data() + used_);
        const std::size_t pad = (0 - place) & (alignment - 1);
        last = arena_.data() + used_ + pad + shift_;
        used_ += pad + bytes - overlap_;
        return last;
    }
    void do_deallocate(void*, std::size_t, std::size_t) override {}
    bool do_is_equal(const memory_resource& other) const noexcept override {
        return this == &other;
    }

    std::size_t overlap_;
    std::size_t shift_;
    std::size_t used_ = 0;
    std::vector<std::byte> arena_;
};

bench::trace read(std::string_view text) {
    const temporary_file file(text);
    return bench::read_trace(file.path());
}

palloc::test::random_trace random_trace(std::size_t threads, std::size_t operations) {
    std::mt19937_64 random(palloc::test::seed());
    return palloc::test::make_random_trace(random, threads, operations);
}

bench::replay_outcome replay(const bench::trace& program, std::pmr::memory_resource& resource,
                             std::chrono::nanoseconds budget = plenty,
                             const std::function<void()>& at_peak = {}) {
    return bench::replayer(program).run(resource, budget, at_peak);
}

/// Many blocks of one size that all stay live.
bench::trace piling_trace(std::size_t blocks, std::size_t bytes) {
    std::string text =
        "# palloc-heap-trace 1\n# program: pile   threads: 1   ops: " + std::to_string(blocks) +
        "   peak-live-bytes: " + std::to_string(blocks * bytes) +
        "   peak-live-blocks: " + std::to_string(blocks) + '\n';
    for (std::size_t id = 0; id != blocks; ++id)
        text += "a " + std::to_string(id) + ' ' + std::to_string(bytes) + " 16 0\n";
    return read(text);
}

} // namespace

BOOST_AUTO_TEST_CASE(one_thread_does_what_the_trace_says) {
    const auto expected = random_trace(1, 20000);
    const bench::trace program = read(expected.text);
    checking_resource resource;
    std::size_t looks = 0;
    const auto outcome = replay(program, resource, plenty, [&] {
        ++looks;
        BOOST_TEST(resource.live_bytes >= expected.peak_live_bytes);
    });
    BOOST_TEST(outcome.complete);
    BOOST_TEST(outcome.record.operations == 20000u);
    BOOST_TEST(outcome.record.refused == 0u);
    BOOST_TEST(outcome.record.faults == 0u);
    BOOST_TEST(looks == 1u);
    BOOST_TEST(resource.wrong == 0u);
    BOOST_TEST(resource.live_blocks() == 0u);
    BOOST_TEST(resource.callers.size() == 1u);
}

BOOST_AUTO_TEST_CASE(edges_show_a_block_that_is_handed_out_twice) {
    for (std::size_t bytes = 16; bytes != 4096; bytes += 16) {
        broken_resource right(0, 0);
        BOOST_TEST(replay(piling_trace(8, bytes), right).record.faults == 0u);
        broken_resource twice(bytes, 0);
        BOOST_TEST(replay(piling_trace(8, bytes), twice).record.faults == 7u, bytes);
    }
}

BOOST_AUTO_TEST_CASE(misaligned_blocks_are_faults) {
    broken_resource shifted(0, 8);
    const auto record = replay(piling_trace(10, 64), shifted).record;
    BOOST_TEST(record.faults == 10u);
    BOOST_TEST(record.first_fault_at == 0u);
}

BOOST_AUTO_TEST_CASE(a_byte_changed_at_either_end_is_a_fault) {
    for (const std::size_t bytes : {1u, 7u, 8u, 9u, 15u, 16u, 100u, 5000u})
        for (const std::size_t at : {std::size_t{0}, bytes - 1}) {
            std::vector<std::byte> block(bytes);
            const std::uint64_t pattern = bench::edge_pattern(3, bytes);
            bench::write_edges(block.data(), bytes, pattern);
            BOOST_TEST(bench::edges_intact(block.data(), bytes, pattern));
            block[at] ^= std::byte{4};
            BOOST_TEST(!bench::edges_intact(block.data(), bytes, pattern), bytes << ' ' << at);
        }
}

BOOST_AUTO_TEST_CASE(refused_blocks_are_counted_and_never_freed) {
    const bench::trace program = read(random_trace(1, 20000).text);
    checking_resource resource;
    resource.limit_bytes = 8192;
    const auto outcome = replay(program, resource);
    BOOST_TEST(outcome.complete);
    BOOST_TEST(outcome.record.refused == resource.refused);
    BOOST_TEST(resource.refused > 100u);
    BOOST_TEST(outcome.record.faults == 0u);
    BOOST_TEST(resource.wrong == 0u);
    BOOST_TEST(resource.live_blocks() == 0u);
}

BOOST_AUTO_TEST_CASE(without_time_a_replay_is_cut_at_the_first_look_at_the_clock) {
    const bench::trace program = read(random_trace(1, 20000).text);
    checking_resource resource;
    std::size_t looks = 0;
    const auto outcome = replay(program, resource, 0ns, [&] { ++looks; });
    BOOST_TEST(!outcome.complete);
    BOOST_TEST(outcome.record.operations == 64u);
    BOOST_TEST(looks == 1u);
    BOOST_TEST(resource.live_blocks() == 0u);
}

BOOST_AUTO_TEST_CASE(threads_are_cut_as_well) {
    const bench::trace program = read(random_trace(4, 20000).text);
    checking_resource resource;
    const auto outcome = replay(program, resource, 0ns);
    BOOST_TEST(!outcome.complete);
    BOOST_TEST(outcome.record.operations < 20000u);
    BOOST_TEST(resource.wrong == 0u);
    BOOST_TEST(resource.live_blocks() == 0u);
}

BOOST_AUTO_TEST_CASE(threads_keep_the_order_of_each_block) {
    for (const std::size_t threads : {2u, 5u, 40u}) {
        const auto expected = random_trace(threads, 30000);
        const bench::trace program = read(expected.text);
        checking_resource resource;
        std::size_t left_over = 0;
        // A release that came before its block would find none, and leave it.
        const auto outcome =
            replay(program, resource, plenty, [&] { left_over = resource.live_blocks(); });
        BOOST_TEST(outcome.complete);
        BOOST_TEST(outcome.record.operations == 30000u);
        BOOST_TEST(outcome.record.faults == 0u);
        BOOST_TEST(left_over == expected.left_over);
        BOOST_TEST(resource.wrong == 0u);
        BOOST_TEST(resource.live_blocks() == 0u);
        BOOST_TEST(resource.callers.size() == threads);
    }
}

BOOST_AUTO_TEST_CASE(threads_that_never_run_are_ended) {
    const bench::trace program = read(random_trace(6, 9000).text);
    const bench::replayer unused(program);
    BOOST_TEST(program.threads() == 6u);
}

BOOST_AUTO_TEST_CASE(faults_of_all_threads_are_counted) {
    class shifting_resource final : public checking_resource {
        void* do_allocate(std::size_t bytes, std::size_t alignment) override {
            const std::lock_guard lock(mutex_);
            return static_cast<std::byte*>(arena_.allocate(bytes + 1, alignment)) + 1;
        }
        void do_deallocate(void*, std::size_t, std::size_t) override {}
        std::mutex mutex_;
        std::pmr::monotonic_buffer_resource arena_;
    } resource;
    const auto expected = random_trace(3, 9000);
    const auto blocks = std::count_if(expected.steps.begin(), expected.steps.end(),
                                      [](const auto& step) { return step.kind != 'f'; });
    BOOST_TEST(replay(read(expected.text), resource).record.faults ==
               static_cast<std::uint64_t>(blocks));
}
