// SPDX-License-Identifier: MIT
// What the loader example loads: code, constants and variables that refer to one another.

namespace {

const int table[4] = {1, 2, 3, 4};
int calls = 0;

[[gnu::noinline]] int sum(const int* values, int count) {
    int total = 0;
    for (int i = 0; i != count; ++i)
        total += values[i];
    return total;
}

} // namespace

extern "C" int loaded_function(int value) {
    return value + sum(table, 4) + ++calls;
}
