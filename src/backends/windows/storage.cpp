// SPDX-License-Identifier: MIT
#include "../storage.hpp"

#include "os.hpp"

namespace palloc::inline v0::os {

/// @brief The system promises the memory at once, but finds a page only when it is touched.
result<address> map_storage(std::uint64_t bytes) noexcept {
    return allocate(0, bytes, kind_of_pages::committed);
}

void keep_storage_sparse(range) noexcept {} // pages are never large unless that is asked for

result<void> unmap_storage(range where) noexcept {
    return release(where.base);
}

result<void> protect_storage(range where, permissions allowed) noexcept {
    return protect(where, allowed);
}

} // namespace palloc::inline v0::os
