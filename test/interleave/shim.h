/*
 * shim.h - every atomic operation becomes a choice of the scheduler.
 *
 * To be included before the file under test.  It replaces the macros of
 * <stdatomic.h> that our code uses; what is not replaced below does not pass
 * through the scheduler, so a new kind of operation must be added here.
 *
 * Outside of a schedule's threads (in setup and check) the operations act at
 * once.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef COACT_TEST_INTERLEAVE_SHIM_H
#define COACT_TEST_INTERLEAVE_SHIM_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Where an operation stands, for the list of steps. */
struct shim_place {
    const char *what; /* the object, as spelled in the code */
    const char *function;
    int line;
};

enum shim_rmw { SHIM_SWAP, SHIM_ADD, SHIM_SUB, SHIM_OR, SHIM_AND };

uint64_t shim_load(const volatile void *object, size_t bytes,
                   memory_order order, struct shim_place place);
void shim_store(volatile void *object, size_t bytes, uint64_t value,
                memory_order order, struct shim_place place);
uint64_t shim_rmw(volatile void *object, size_t bytes, enum shim_rmw how,
                  uint64_t operand, memory_order order,
                  struct shim_place place);
bool shim_cas(volatile void *object, size_t bytes, void *expected,
              uint64_t desired, bool weak, memory_order success,
              memory_order failure, struct shim_place place);

/* The shim knows 1, 2, 4 and 8 bytes; the values are little-endian there. */
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
               "the first bytes of a uint64_t are its value, cut");

#define SHIM_PLACE(object) ((struct shim_place){#object, __func__, __LINE__})

/* The type of *object without _Atomic. */
#define SHIM_TYPE(object) __typeof__((void)0, *(object))

#undef atomic_load_explicit
#define atomic_load_explicit(object, order)                                    \
    ((SHIM_TYPE(object))shim_load((object), sizeof(*(object)), (order),        \
                                  SHIM_PLACE(object)))

#undef atomic_store_explicit
#define atomic_store_explicit(object, value, order)                            \
    shim_store((object), sizeof(*(object)), (uint64_t)(value), (order),        \
               SHIM_PLACE(object))

#undef atomic_init
#define atomic_init(object, value)                                             \
    atomic_store_explicit(object, value, memory_order_relaxed)

/* A block and not a cast: nobody complains when its value is not used. */
#define SHIM_RMW(object, how, value, order)                                    \
    __extension__({                                                            \
        uint64_t shim_was =                                                    \
            shim_rmw((object), sizeof(*(object)), (how), (uint64_t)(value),    \
                     (order), SHIM_PLACE(object));                             \
        (SHIM_TYPE(object)) shim_was;                                          \
    })
#undef atomic_exchange_explicit
#define atomic_exchange_explicit(object, value, order)                         \
    SHIM_RMW(object, SHIM_SWAP, value, order)
#undef atomic_fetch_add_explicit
#define atomic_fetch_add_explicit(object, value, order)                        \
    SHIM_RMW(object, SHIM_ADD, value, order)
#undef atomic_fetch_sub_explicit
#define atomic_fetch_sub_explicit(object, value, order)                        \
    SHIM_RMW(object, SHIM_SUB, value, order)
#undef atomic_fetch_or_explicit
#define atomic_fetch_or_explicit(object, value, order)                         \
    SHIM_RMW(object, SHIM_OR, value, order)
#undef atomic_fetch_and_explicit
#define atomic_fetch_and_explicit(object, value, order)                        \
    SHIM_RMW(object, SHIM_AND, value, order)

#define SHIM_CAS(object, expected, desired, weak, success, failure)            \
    shim_cas((object), sizeof(*(object)), (expected), (uint64_t)(desired),     \
             (weak), (success), (failure), SHIM_PLACE(object))
#undef atomic_compare_exchange_weak_explicit
#define atomic_compare_exchange_weak_explicit(object, expected, desired,       \
                                              success, failure)                \
    SHIM_CAS(object, expected, desired, true, success, failure)
#undef atomic_compare_exchange_strong_explicit
#define atomic_compare_exchange_strong_explicit(object, expected, desired,     \
                                                success, failure)              \
    SHIM_CAS(object, expected, desired, false, success, failure)

/* These would pass the scheduler by. */
#undef atomic_load
#undef atomic_store
#undef atomic_exchange
#undef atomic_compare_exchange_weak
#undef atomic_compare_exchange_strong
#undef atomic_fetch_add
#undef atomic_fetch_sub
#undef atomic_fetch_or
#undef atomic_fetch_and
#undef atomic_thread_fence

#endif
