// SPDX-License-Identifier: MIT
// The pool, instantiated with the least that its concepts promise. Compiled, never linked nor run:
// a member that the pool uses and no concept names does not compile here.
#include <palloc/concepts/archetypes.hpp>
#include <palloc/pool.hpp>

namespace palloc::inline v0 {

namespace a = archetypes;

template class pool<a::granularity, a::backing_provider, a::chunk_bitmap, a::algorithm,
                    a::protection>;
template class pool<a::granularity, a::mapping_backing, a::chunk_bitmap, a::algorithm,
                    a::protection, a::observer>;
template class pool<a::granularity, a::adopting_backing, a::bitmap_that_knows_blocks, a::algorithm,
                    a::closing_protection>;
template class pool<a::granularity, a::committing_backing, a::bitmap_that_finds_best, a::algorithm,
                    a::window_opening_protection>;
template class pool<a::granularity, a::page_moving_backing, a::bitmap_that_knows_longest,
                    a::algorithm, a::protection>;
template class pool<a::granularity, a::mapping_backing, a::bitmap_that_claims_lowest, a::algorithm,
                    a::protection>;
template class pool<a::granularity, a::discarding_backing, a::chunk_bitmap, a::algorithm,
                    a::protection>;
template class pool<a::granularity, a::discarding_backing, a::concurrent_bitmap,
                    a::concurrent_algorithm, a::stateless_protection>;
template class pool<a::granularity, a::concurrent_backing, a::concurrent_bitmap,
                    a::concurrent_algorithm, a::stateless_protection, a::concurrent_observer>;

// Member templates are not part of an explicit instantiation of the class.
template <class Pool, class Algorithm>
void use_member_templates(Pool& pool, Algorithm& algorithm, const typename Pool::request& wanted) {
    (void)pool.allocate_with(wanted, algorithm);
    pool.for_each_chunk([](const typename Pool::chunk&) {});
}
template void use_member_templates(
    pool<a::granularity, a::mapping_backing, a::chunk_bitmap, a::algorithm, a::protection>&,
    a::algorithm&,
    const pool<a::granularity, a::mapping_backing, a::chunk_bitmap, a::algorithm,
               a::protection>::request&);
template void
use_member_templates(pool<a::granularity, a::concurrent_backing, a::concurrent_bitmap,
                          a::concurrent_algorithm, a::stateless_protection>&,
                     const a::concurrent_algorithm&,
                     const pool<a::granularity, a::concurrent_backing, a::concurrent_bitmap,
                                a::concurrent_algorithm, a::stateless_protection>::request&);

} // namespace palloc::inline v0
