// SPDX-License-Identifier: MIT
/// @file
/// @brief Memory that processes share: what lies where, who is attached, and who has died.
///
///     offset 0     64 KiB            128 KiB
///     [ header ][ this process's own ][ lines, summary, owners ][ data ... ]
///                └──────────── storage of a `claimed` ─────────┘
///
/// Every process maps the file at a base of its own, and nothing in it is an address. An attached
/// process is a *claimant*: it has a number, and holds the kernel's lock on the byte of the file
/// with that number until it detaches or dies. Who gets such a lock without having attached knows
/// that the claimant is dead, and is the only one to reclaim for it; if he dies in it the next one
/// does it again. Nothing depends on process numbers or clocks.
#pragma once

#include <palloc/backings/detail/shared_file.hpp>
#include <palloc/bitmaps/claimed.hpp>
#include <palloc/core/error.hpp>
#include <palloc/core/process.hpp>
#include <palloc/core/range.hpp>
#include <palloc/core/spin_lock.hpp>
#include <palloc/shared/detail/segment_header.hpp>
#include <palloc/shared/segment_report.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <new>
#include <utility>

namespace palloc::inline v0 {

/// @brief A process's attachment to a segment: a claimant.
/// @par Thread safety  any thread, but for moving and the end. A child of fork has no part in it:
/// it finds no memory there and must attach itself.
class shared_segment {
    using header = detail::segment_header;

  public:
    using claimant = claimed::claimant;
    static constexpr std::size_t roots = header::roots;
    /// @brief Offsets that are multiples of powers of two up to this are addresses that are, too,
    /// in every process.
    static constexpr std::uint64_t base_alignment = detail::segment_alignment;

    /// @brief Makes a segment and attaches to it. `name` is one for shm_open.
    /// @par Errors  `zero_size`, `too_large`, `bad_argument` for granules of 0 bytes; `os_failure`:
    /// EEXIST where there is one, ENOSPC, …
    [[nodiscard]] static result<shared_segment> create(const char* name,
                                                       const segment_shape& shape) noexcept {
        return make(detail::shared_file::named(name, detail::existence::must_not), &shape,
                    shape.granule_bytes, nullptr);
    }
    /// @brief Attaches to a segment. What of its claimants has died is reclaimed first.
    /// @par Errors  `bad_argument`, `not_supported` for another version: `why` tells; `over_limit`
    /// where 126 processes are attached; `os_failure`: ENOENT …
    [[nodiscard]] static result<shared_segment> open(const char* name, std::uint32_t granule_bytes,
                                                     segment_report* why = nullptr) noexcept {
        return make(detail::shared_file::named(name, detail::existence::must), nullptr,
                    granule_bytes, why);
    }
    /// @brief Attaches to it, and makes it if it is not there or whoever made it died in it. Its
    /// size is that of whoever was first.
    [[nodiscard]] static result<shared_segment>
    open_or_create(const char* name, const segment_shape& shape,
                   segment_report* why = nullptr) noexcept {
        return make(detail::shared_file::named(name, detail::existence::may), &shape,
                    shape.granule_bytes, why);
    }
    /// @brief One without a name, for children and for those that get `descriptor()`.
    [[nodiscard]] static result<shared_segment> nameless(const segment_shape& shape) noexcept {
        auto made = make(detail::shared_file::nameless("palloc-shared"), &shape,
                         shape.granule_bytes, nullptr);
        if (made)
            made->file_.fix_size();
        return made;
    }
    /// @brief Attaches to the segment behind a descriptor, which stays the caller's.
    [[nodiscard]] static result<shared_segment> attach(int file, std::uint32_t granule_bytes,
                                                       segment_report* why = nullptr) noexcept {
        return make(detail::shared_file::reopened(file), nullptr, granule_bytes, why);
    }
    /// @brief Takes the name away. Who is attached stays so.
    [[nodiscard]] static result<void> unlink(const char* name) noexcept {
        return detail::shared_file::unlink(name);
    }

    shared_segment(shared_segment&& other) noexcept
        : file_(std::move(other.file_)), view_(std::exchange(other.view_, {})), me_(other.me_),
          process_(other.process_) {}
    shared_segment& operator=(shared_segment&& other) noexcept {
        shared_segment taken(std::move(other));
        std::swap(file_, taken.file_);
        std::swap(view_, taken.view_);
        std::swap(me_, taken.me_);
        std::swap(process_, taken.process_);
        return *this;
    }
    /// @brief Detaches: what this process still holds is given back, as if it had died.
    ~shared_segment() {
        if (view_.bytes == 0 || process_ != process_generation())
            return;
        (void)map().reclaim(me_);
        state(me_).store(0);
        file_.unlock(me_);
        detail::shared_file::unmap(view_);
    }

    /// @brief What it looks like behind the header; the same in every process.
    [[nodiscard]] std::size_t granules() const noexcept {
        return static_cast<std::size_t>(head().granules);
    }
    /// @brief The data, as offsets: the same in every process. Never contains 0.
    [[nodiscard]] range data() const noexcept {
        return {head().data_at, head().granules * head().granule_bytes};
    }
    /// @brief Where an offset is in this process, and the other way.
    [[nodiscard]] address at(std::uint64_t offset) const noexcept { return view_.base + offset; }
    [[nodiscard]] std::uint64_t offset_of(address place) const noexcept {
        return place - view_.base;
    }
    [[nodiscard]] address base() const noexcept { return view_.base; }
    [[nodiscard]] int descriptor() const noexcept { return file_.descriptor(); }
    [[nodiscard]] claimant self() const noexcept { return me_; }

    /// @brief The storage of the bitmap.
    [[nodiscard]] std::byte* books() const noexcept {
        return reinterpret_cast<std::byte*>(at(header::own_at));
    }
    /// @brief A view of the bitmap.
    [[nodiscard]] claimed map() const noexcept { return {books(), granules()}; }

    /// @brief Words, zero at first, through which processes find what they share: offsets, or
    /// whatever they agree on.
    /// @pre  i < `roots`.
    [[nodiscard]] std::atomic_ref<std::uint64_t> root(std::size_t i) const noexcept {
        return std::atomic_ref(head().root[i]);
    }

    /// @brief A word of this process's own that is found from the segment's memory: see `own_word`.
    [[nodiscard]] static std::atomic_ref<std::uintptr_t> own_word_of(address base) noexcept {
        return std::atomic_ref(own_of(base).word);
    }

    /// @brief What was reclaimed.
    struct reclaimed {
        std::size_t claimants = 0; ///< that had died
        std::uint64_t bytes = 0;   ///< that they held
    };
    /// @brief Gives back what dead claimants held, and were claiming or giving back. Those that
    /// another process is just reclaiming are left to it, and not counted.
    /// @par Complexity  a system call a claimant; O(granules / 8) for each that is dead
    reclaimed reclaim() noexcept {
        const detail::locked_if<true> alone(own_of(view_.base).reclaiming); // locks are a process's
        reclaimed all;
        for (claimant who = 1; who <= claimed::claimants; ++who) {
            if (who == me_ || state(who).load() == 0)
                continue;
            const auto locked = file_.try_lock(who);
            if (!locked || !*locked)
                continue;
            if (state(who).load() != 0) {
                all.bytes += std::uint64_t{map().reclaim(who)} * head().granule_bytes;
                ++all.claimants;
                state(who).store(0);
            }
            file_.unlock(who);
        }
        return all;
    }

    /// @brief Calls `f(number, process, bytes held)` for each that is attached, or dead and not yet
    /// reclaimed.
    /// @par Complexity  O(claimants * granules / 8)
    template <class F>
    void for_each_claimant(F&& f) const {
        for (claimant who = 1; who <= claimed::claimants; ++who)
            if (state(who).load() != 0)
                f(who, std::atomic_ref(head().claimant[who].process).load(),
                  std::uint64_t{map().count_of(who)} * head().granule_bytes);
    }

  private:
    /// In this process's own part, behind its number.
    struct own {
        alignas(storage_alignment) claimant who;
        alignas(storage_alignment) detail::spin_lock reclaiming;
        std::uintptr_t word;
    };

    shared_segment(detail::shared_file file, range view) noexcept
        : file_(std::move(file)), view_(view), process_(process_generation()) {
        ::new (books()) own{};
    }

    [[nodiscard]] static own& own_of(address base) noexcept {
        return *reinterpret_cast<own*>(base + header::own_at);
    }
    [[nodiscard]] header& head() const noexcept { return *reinterpret_cast<header*>(view_.base); }
    [[nodiscard]] std::atomic_ref<std::uint32_t> state(claimant who) const noexcept {
        return std::atomic_ref(head().claimant[who].attached);
    }

    /// Byte 0 is locked by whoever makes or examines the header.
    [[nodiscard]] static result<shared_segment> make(result<detail::shared_file> file,
                                                     const segment_shape* shape,
                                                     std::uint32_t granule_bytes,
                                                     segment_report* why) noexcept {
        if (!file)
            return tl::unexpected(file.error());
        if (const auto locked = file->lock(0); !locked)
            return tl::unexpected(locked.error());
        header found{};
        auto seen = detail::examine(*file, found, granule_bytes);
        if (seen && seen->what == segment_report::verdict::not_ready && shape != nullptr) {
            const auto made = detail::initialise(*file, *shape, found);
            if (!made)
                return tl::unexpected(made.error());
            seen->what = segment_report::verdict::good;
        }
        file->unlock(0);
        if (!seen)
            return tl::unexpected(seen.error());
        if (why != nullptr)
            *why = *seen;
        if (seen->what != segment_report::verdict::good)
            return fail(seen->what == segment_report::verdict::other_version ? errc::not_supported
                                                                             : errc::bad_argument);
        const auto view =
            file->map(found.file_bytes, base_alignment, {header::own_at, claimed::private_bytes});
        if (!view)
            return tl::unexpected(view.error());
        shared_segment attached(std::move(*file), *view);
        const auto number = attached.enrol();
        if (!number) {
            detail::shared_file::unmap(std::exchange(attached.view_, {}));
            return tl::unexpected(number.error());
        }
        return attached;
    }

    /// Finds a number that nobody has; those of the dead are reclaimed first.
    [[nodiscard]] result<void> enrol() noexcept {
        (void)reclaim();
        for (claimant who = 1; who <= claimed::claimants; ++who) {
            if (state(who).load() != 0)
                continue;
            const auto locked = file_.try_lock(who);
            if (!locked)
                return tl::unexpected(locked.error());
            if (!*locked)
                continue;
            if (state(who).load() != 0) { // it died since
                file_.unlock(who);
                continue;
            }
            std::atomic_ref(head().claimant[who].process).store(detail::process_number());
            state(who).store(1);
            me_ = who;
            claimed::name_claimant(books(), who);
            return {};
        }
        return fail(errc::over_limit);
    }

    detail::shared_file file_;
    range view_;
    claimant me_ = claimed::nobody;
    std::uint64_t process_;
};

} // namespace palloc::inline v0
