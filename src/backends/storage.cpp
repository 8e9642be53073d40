// SPDX-License-Identifier: MIT
#include "storage.hpp"

#include <sys/mman.h>

#include "os.hpp"
#include "protection.hpp"

namespace palloc::inline v0::os {

result<address> map_storage(std::uint64_t bytes) noexcept {
    return map(0, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE);
}

void keep_storage_sparse(range where) noexcept {
    (void)advise(where, MADV_NOHUGEPAGE);
}

result<void> unmap_storage(range where) noexcept {
    return unmap(where);
}

result<void> protect_storage(range where, permissions allowed) noexcept {
    return protect(where, protection_of(allowed));
}

} // namespace palloc::inline v0::os
