// SPDX-License-Identifier: MIT
/// @file
/// @brief Objects that know how many of them live, and that throw at a chosen copy or move.
#pragma once

#include <compare>
#include <stdexcept>
#include <utility>

namespace palloc::test {

/// @brief What all objects of one test have in common.
struct population {
    int live = 0;
    int copies = 0;
    int moves = 0;
    int throw_in = 0; ///< the nth construction or assignment from now on throws; 0: none

    void may_throw() {
        if (throw_in != 0 && --throw_in == 0)
            throw std::runtime_error("told to");
    }
    void born() {
        may_throw();
        ++live;
    }
};

/// @tparam MoveThrows  whether moving may throw, so that a careful container copies.
template <bool MoveThrows>
class tracked {
  public:
    tracked(population& all, int value) : all_(&all), value_(value) { all_->born(); }
    tracked(const tracked& other) : all_(other.all_), value_(other.value_) {
        all_->born();
        ++all_->copies;
    }
    tracked(tracked&& other) noexcept(!MoveThrows)
        : all_(other.all_), value_(std::exchange(other.value_, -1)) {
        if constexpr (MoveThrows)
            all_->born();
        else
            ++all_->live;
        ++all_->moves;
    }
    tracked& operator=(const tracked& other) {
        if (this != &other) {
            all_->may_throw();
            value_ = other.value_;
        }
        return *this;
    }
    tracked& operator=(tracked&& other) noexcept(!MoveThrows) {
        if constexpr (MoveThrows)
            all_->may_throw();
        value_ = std::exchange(other.value_, -1);
        return *this;
    }
    ~tracked() { --all_->live; }

    [[nodiscard]] int value() const { return value_; }
    friend bool operator==(const tracked& a, const tracked& b) { return a.value_ == b.value_; }
    friend bool operator==(const tracked& a, int b) { return a.value_ == b; }
    friend auto operator<=>(const tracked& a, const tracked& b) { return a.value_ <=> b.value_; }

  private:
    population* all_;
    int value_;
};

} // namespace palloc::test
