// SPDX-License-Identifier: MIT
#include "section_views.hpp"

#include <algorithm>

namespace palloc::inline v0 {
namespace {

bool goes_to_writer(bool is_writer, permissions allowed, bool may_stay) noexcept {
    if (writable(allowed))
        return true;
    return is_writer && may_stay && !executable(allowed);
}

} // namespace

/// @brief Calls `act` for the pieces of a part, from below, as long as it succeeds.
template <class Act>
result<void> section::changing::each_piece(range part, Act&& act) const noexcept {
    const std::uint64_t bytes = piece_bytes();
    for (address at = part.base; at != part.base + part.bytes; at += bytes)
        if (auto done = act(range{at, bytes}); !done)
            return done;
    return {};
}

/// @brief What the system says of a piece; while the view is one, it is known.
result<section::run> section::changing::piece_at(address at) const noexcept {
    const range piece{at, piece_bytes()};
    if (!it_.is_split_)
        return run{piece, it_.view_, it_.is_writer_};
    return os::query(at).map([&](const os::pages_there& there) noexcept {
        return run{piece, there.allowed, there.is_placed_writable};
    });
}

result<std::size_t> section::changing::runs_of(range part,
                                               std::array<run, most_runs>& runs) const noexcept {
    std::size_t count = 0;
    const auto done = each_piece(part, [&](range piece) noexcept -> result<void> {
        const auto now = piece_at(piece.base);
        if (!now)
            return tl::unexpected(now.error());
        if (count != 0)
            if (run& last = runs[count - 1];
                last.allowed == now->allowed && last.is_writer == now->is_writer) {
                last.where.bytes += piece.bytes;
                return {};
            }
        if (count == most_runs)
            return fail(errc::too_large);
        runs[count++] = *now;
        return {};
    });
    return done.map([&]() noexcept { return count; });
}

// ---------------------------------------------------------------- one piece

result<void> section::changing::place(range piece, bool is_writer) const noexcept {
    const auto kind = is_writer          ? os::view_kind::writer
                      : it_.may_execute_ ? os::view_kind::executer
                                         : os::view_kind::reader;
    const std::uint64_t offset = offset_of(piece.base);
    if (os::has_placeholders())
        return os::map_over(it_.handle_, offset, piece, kind);
    return os::map_view(it_.handle_, offset, piece.bytes, kind, piece.base).map([](address) {});
}

result<void> section::changing::remove(range piece) noexcept {
    return os::has_placeholders() ? os::unmap_to_placeholder(piece.base)
                                  : os::unmap_view(piece.base);
}

/// @brief Another view in the place of one; where that cannot be, one like the old.
result<void> section::changing::exchange(range piece, bool to_writer, const run& before) noexcept {
    if (auto gone = remove(piece); !gone)
        return gone;
    auto placed = place(piece, to_writer);
    if (!placed && !place(piece, before.is_writer)) {
        it_.lost_ = piece;
        it_.lost_view_ = before.allowed;
        it_.lost_writer_ = before.is_writer;
    }
    return placed;
}

// ---------------------------------------------------------------- changes

/// @brief Where a view has been lost, others are not risked as well: they stay as they have become.
void section::changing::take_back(range part, const run& before) noexcept {
    if (it_.lost_.bytes != 0)
        return;
    (void)each_piece(part, [&](range piece) noexcept -> result<void> {
        const auto there = os::query(piece.base);
        if (!there)
            return tl::unexpected(there.error());
        if (there->is_placed_writable != before.is_writer)
            if (auto swapped = exchange(piece, before.is_writer, before); !swapped)
                return swapped;
        return os::protect(piece, before.allowed);
    });
}

result<void> section::changing::show_run(const run& now, permissions allowed,
                                         bool to_writer) noexcept {
    if (now.is_writer == to_writer && now.allowed == allowed)
        return {};
    address reached = now.where.base;
    auto done = each_piece(now.where, [&](range piece) noexcept -> result<void> {
        reached = piece.base + piece.bytes;
        if (now.is_writer != to_writer)
            if (auto swapped = exchange(piece, to_writer, now); !swapped)
                return swapped;
        return os::protect(piece, allowed);
    });
    if (!done)
        take_back({now.where.base, reached - now.where.base}, now);
    return done;
}

result<void> section::changing::show(range part, permissions allowed, bool may_stay) noexcept {
    std::array<run, most_runs> runs;
    const auto count = runs_of(part, runs);
    if (!count)
        return tl::unexpected(count.error());
    for (std::size_t i = 0; i != *count; ++i) {
        const bool to_writer = goes_to_writer(runs[i].is_writer, allowed, may_stay);
        if (const auto done = show_run(runs[i], allowed, to_writer); !done) {
            while (i-- != 0)
                take_back(runs[i].where, runs[i]);
            return done;
        }
    }
    if (!it_.is_split_) {
        it_.is_writer_ = goes_to_writer(it_.is_writer_, allowed, may_stay);
        it_.view_ = allowed;
    }
    return {};
}

result<void> section::changing::allow(range part, permissions allowed) noexcept {
    if (!it_.is_split_)
        return os::protect(part, allowed);
    return each_piece(part, [&](range piece) noexcept { return os::protect(piece, allowed); });
}

result<void> section::changing::split() noexcept {
    if (it_.is_split_)
        return {};
    const run before{it_.where_, it_.view_, it_.is_writer_};
    if (it_.where_.bytes > os::granularity()) {
        if (auto gone = remove(it_.where_); !gone)
            return gone;
        it_.lost_ = it_.where_;
        it_.lost_view_ = before.allowed;
        it_.lost_writer_ = before.is_writer;
    }
    it_.is_split_ = true;
    auto done = find_lost();
    if (!done)
        (void)find_lost(); // what stood in the way may have been there for a moment
    return done;
}

result<void> section::changing::find_lost() noexcept {
    while (it_.lost_.bytes != 0) {
        const range piece{it_.lost_.base, std::min(piece_bytes(), it_.lost_.bytes)};
        const auto there = os::query(piece.base);
        if (!there)
            return tl::unexpected(there.error());
        // A placeholder that is longer than the piece is parted first.
        if (os::has_placeholders() && there->where.bytes > piece.bytes)
            if (const auto parted = os::split_placeholder(piece); !parted)
                return parted;
        if (const auto placed = place(piece, it_.lost_writer_); !placed)
            return placed;
        if (const auto allowed = os::protect(piece, it_.lost_view_); !allowed) {
            (void)remove(piece);
            return allowed;
        }
        it_.lost_ = {piece.base + piece.bytes, it_.lost_.bytes - piece.bytes};
    }
    return {};
}

result<bool> section::changing::has_writer() const noexcept {
    bool found = false;
    const auto done = each_piece(it_.where_, [&](range piece) noexcept {
        return piece_at(piece.base).map([&](const run& now) noexcept {
            found = found || now.is_writer;
        });
    });
    return done.map([&]() noexcept { return found; });
}

result<void> section::changing::end() noexcept {
    const std::uint64_t bytes = it_.where_.bytes == 0 ? 0 : piece_bytes();
    while (it_.where_.bytes != 0) {
        const range piece{it_.where_.base + it_.where_.bytes - bytes, bytes};
        if (!it_.lost_.contains(piece)) {
            if (auto gone = os::unmap_view(piece.base); !gone)
                return gone;
        } else if (os::has_placeholders()) {
            // Several may lie in one placeholder, which goes by its base.
            const auto there = os::query(piece.base);
            if (!there)
                return tl::unexpected(there.error());
            if (there->allocation == piece.base)
                if (auto gone = os::release(piece.base); !gone)
                    return gone;
        }
        it_.where_.bytes -= bytes;
    }
    it_.where_ = {};
    it_.lost_ = {};
    return {};
}

} // namespace palloc::inline v0
