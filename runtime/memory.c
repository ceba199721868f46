/*
 * memory.c - malloc behind one failure point.
 *
 * The three words below are the only state in coact that belongs to the process
 * and not to a runtime: a test that makes the nth allocation fail means the nth
 * of the process, whoever makes it.  Nothing else writes them.
 *
 * All three are relaxed: they guard no data, and a test sets them while no
 * other thread of coact runs.
 *
 * SPDX-License-Identifier: MIT
 */
#include "runtime/memory.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static _Atomic unsigned long fail_at;
static _Atomic unsigned long passed;
static _Atomic bool fail_sticky;

void
coact__fail_nth(unsigned long n, bool sticky)
{
    atomic_store_explicit(&fail_at, 0, memory_order_relaxed);
    atomic_store_explicit(&passed, 0, memory_order_relaxed);
    atomic_store_explicit(&fail_sticky, sticky, memory_order_relaxed);
    atomic_store_explicit(&fail_at, n, memory_order_relaxed);
}

unsigned long
coact__fail_count(void)
{
    return atomic_load_explicit(&passed, memory_order_relaxed);
}

bool
coact__fails(void)
{
    unsigned long at = atomic_load_explicit(&fail_at, memory_order_relaxed);
    if (at == 0) {
        return false;
    }
    unsigned long now =
        atomic_fetch_add_explicit(&passed, 1, memory_order_relaxed) + 1;
    return now == at || (now > at && atomic_load_explicit(
                                         &fail_sticky, memory_order_relaxed));
}

void *
coact__alloc(size_t bytes)
{
    return coact__fails() ? NULL : malloc(bytes);
}

void *
coact__alloc_zeroed(size_t bytes)
{
    return coact__fails() ? NULL : calloc(1, bytes);
}

void *
coact__alloc_aligned(size_t align, size_t bytes)
{
    return coact__fails() ? NULL : aligned_alloc(align, bytes);
}

void *
coact__realloc(void *block, size_t bytes)
{
    return coact__fails() ? NULL : realloc(block, bytes);
}

char *
coact__strdup(const char *text)
{
    size_t bytes = strlen(text) + 1;
    char *copy = coact__alloc(bytes);
    if (copy != NULL) {
        memcpy(copy, text, bytes);
    }
    return copy;
}

void
coact__free(void *block)
{
    free(block);
}

/* Ourselves, to process_madvise; older kernels know neither that nor most advice
   there, and refuse it. */
#ifndef PIDFD_SELF
#define PIDFD_SELF (-10001)
#endif

int
coact__advise_many(const struct iovec *pieces, size_t count, size_t bytes,
                   int advice)
{
    long done =
        syscall(SYS_process_madvise, PIDFD_SELF, pieces, count, advice, 0);
    if (done < 0) {
        return -errno;
    }
    return done == (long)bytes ? 0 : -ENOMEM;
}
