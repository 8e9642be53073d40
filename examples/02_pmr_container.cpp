// SPDX-License-Identifier: MIT
// Plug a pool into the containers of std::pmr.
#include <palloc/bridges/memory_resource.hpp>
#include <palloc/compositions/presets.hpp>

#include <memory_resource>
#include <string>
#include <unordered_map>

int main() {
    // [pmr]
    palloc::general_purpose pool; // small sizes from slabs, the rest from runs of pages
    palloc::pool_resource memory(pool);
    {
        std::pmr::unordered_map<std::pmr::string, int> stock(&memory);
        stock["a key that is too long to be kept in the string itself"] = 42;
        stock["another key that is too long to be kept in the string"] = 7;
        const auto& key = stock.begin()->first;
        if (stock.size() != 2 || !pool.owns(palloc::address_of(key.data())))
            return 1;
    }
    // [pmr]
    return 0;
}
