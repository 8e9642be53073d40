// SPDX-License-Identifier: MIT
/// @file
/// @brief What both halves of the library use that is loaded into foreign programs.
#pragma once

#include <cstring>
#include <dlfcn.h>

#define PALLOC_RECORD_EXPORT extern "C" __attribute__((visibility("default")))

namespace palloc::record {

/// @brief The function of that name behind this library; null: there is none.
template <class Function>
void look_up(Function& found, const char* name) noexcept {
    void* const symbol = dlsym(RTLD_NEXT, name);
    std::memcpy(&found, &symbol, sizeof symbol);
}

} // namespace palloc::record
