// SPDX-License-Identifier: MIT
// expect: protection_needs_a_backing_that_can_seal
#include <palloc/concepts/protection.hpp>

using namespace palloc;

struct plain_memory {
    struct region {};
    [[nodiscard]] std::size_t page_bytes() const noexcept;
    [[nodiscard]] range where(const region&) const noexcept;
    result<void> unmap(region&) noexcept;
};

struct sealing {
#ifdef PALLOC_LEGAL
    static constexpr auto needs = protection_needs::nothing;
#else
    static constexpr auto needs = protection_needs::seal;
#endif
    struct attributes {
        friend bool operator==(attributes, attributes) = default;
    };
    struct area_state {};
    result<void> open_area(plain_memory&, plain_memory::region&, area_state&, attributes) noexcept;
    result<void> close_area(plain_memory&, plain_memory::region&, area_state&) noexcept;
    [[nodiscard]] bool admits(const area_state&, attributes) const noexcept;
    [[nodiscard]] release_action on_release(const area_state&) const noexcept;
    [[nodiscard]] strength achieved(const area_state&) const noexcept;
};

template <protection_for<plain_memory> Protection>
void protect();

void use() {
    protect<sealing>();
}
