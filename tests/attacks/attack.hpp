// SPDX-License-Identifier: MIT
/// @file
/// @brief The 29 attacks, in the order of the table in docs/pmalloc.md.
#pragma once

#include <memory>
#include <type_traits>
#include <utility>
#include <vector>

#include "victim.hpp"

namespace palloc::test {

/// @brief A way to change protected memory.
///
/// The attacker knows the address, runs in the process, and makes any system call. `prime` is done
/// while the area can still be written, `strike` once it is protected.
class attack {
  public:
    explicit attack(const char* name) : name_(name) {}
    attack(const attack&) = delete;
    attack& operator=(const attack&) = delete;
    virtual ~attack() = default;

    [[nodiscard]] const char* name() const { return name_; }
    /// @brief Answers whether the attack can be made at all.
    virtual bool prime(const victim&) { return true; }
    virtual bool strike(const victim&) = 0;

  private:
    const char* name_;
};

using attacks = std::vector<std::unique_ptr<attack>>;

void add_attacks_by_instructions(attacks& all);    ///< stores, and the protection keys
void add_attacks_on_the_mapping(attacks& all);     ///< mprotect, munmap, mmap, mremap, madvise
void add_attacks_through_the_kernel(attacks& all); ///< /proc, ptrace, process_vm_writev, io_uring
void add_attacks_on_the_file(attacks& all);        ///< the descriptor, and what it leads to

[[nodiscard]] inline attacks all_attacks() {
    attacks all;
    add_attacks_by_instructions(all);
    add_attacks_on_the_mapping(all);
    add_attacks_through_the_kernel(all);
    add_attacks_on_the_file(all);
    return all;
}

/// @brief Where the same file is mapped once more, which /proc tells anybody; empty where nowhere.
[[nodiscard]] victim second_view_of(const victim& v);

/// @brief Duplicates the descriptor of the file that is mapped there, while the program still has
/// it. Answers whether there was one.
[[nodiscard]] bool keep_descriptor(const victim& v);

/// @brief An attack that needs no preparation.
template <class Strike>
class sudden : public attack {
  public:
    sudden(const char* name, Strike act) : attack(name), strike_(std::move(act)) {}
    bool strike(const victim& v) override {
        if constexpr (std::is_same_v<decltype(strike_(v)), bool>)
            return strike_(v);
        strike_(v);
        return true;
    }

  private:
    Strike strike_;
};
template <class Strike>
void add(attacks& all, const char* name, Strike strike) {
    all.push_back(std::make_unique<sudden<Strike>>(name, std::move(strike)));
}

} // namespace palloc::test
