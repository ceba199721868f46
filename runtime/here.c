/*
 * here.c - the one thread-local.
 *
 * The empty assembly makes the returned pointer unknown to the compiler, and
 * the function impure: it can neither be merged with an earlier call nor moved
 * over a switch, also when everything is compiled at once.
 *
 * SPDX-License-Identifier: MIT
 */
#include "runtime/here.h"

#include <errno.h>

/* The model saves a call in the shared library, at the price of some bytes of
   the room that the C library keeps for such. */
#define HERE_MODEL                                                             \
    __attribute__((tls_model("initial-exec"), visibility("hidden")))
#if defined(__x86_64__) && !defined(__ILP32__)
extern HERE_MODEL _Thread_local struct coact__here coact__tls;
_Static_assert(sizeof(struct coact__here) <= 128, "its room in the assembly");
#else
extern _Thread_local struct coact__here coact__tls;
HERE_MODEL _Thread_local struct coact__here coact__tls;
#endif

__attribute__((noinline)) struct coact__here *
coact__here(void)
{
    struct coact__here *p = &coact__tls;
    __asm__ volatile("" : "+r"(p) : : "memory");
    return p;
}

__attribute__((noinline)) int *
coact__errno_here(void)
{
    int *p = &errno;
    __asm__ volatile("" : "+r"(p) : : "memory");
    return p;
}
