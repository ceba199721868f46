/*
 * oracle.c - time and chance as the kernel gives them.
 *
 * choose() is asked on hot paths, where a system call or a lock would cost more
 * than the work that it orders.  It hashes a counter: the answers look even,
 * differ from call to call, and are nobody's secret.  What must not be guessed
 * comes from random().
 *
 * The counter is relaxed: it guards no data, and two threads that draw the same
 * number are no worse off than two that draw different ones.
 *
 * SPDX-License-Identifier: MIT
 */
#include "runtime/oracle.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/random.h>
#include <time.h>

static _Atomic uint64_t drawn;

int64_t
coact__oracle_now_ns(void)
{
    struct timespec now;
    if (clock_gettime(CLOCK_MONOTONIC, &now) != 0) {
        abort(); // a kernel without a monotonic clock cannot run us
    }
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* The clock of a thread by its id, as the kernel spells it: pthread_t, which
   pthread_getcpuclockid wants, is a pointer that dangles when the thread ends. */
int
coact__oracle_cpu_ns(pid_t tid, int64_t *out)
{
    if (tid <= 0) {
        return -ESRCH; // 0 would be the caller itself
    }
    clockid_t clock = (clockid_t)((~(unsigned)tid << 3) | 6U);
    struct timespec used;
    if (clock_gettime(clock, &used) != 0) {
        return errno == EINVAL ? -ESRCH : -errno;
    }
    *out = (int64_t)used.tv_sec * 1000000000 + used.tv_nsec;
    return 0;
}

void
coact__oracle_random(void *buf, size_t bytes)
{
    unsigned char *to = buf;
    while (bytes > 0) {
        ssize_t got = getrandom(to, bytes, 0);
        if (got < 0) {
            if (errno == EINTR) {
                continue;
            }
            // Keys from a buffer that was not filled would be everybody's.
            abort();
        }
        to += got;
        bytes -= (size_t)got;
    }
}

uint32_t
coact__oracle_choose(uint32_t n)
{
    uint64_t x = atomic_fetch_add_explicit(&drawn, 0x9e3779b97f4a7c15u,
                                           memory_order_relaxed);
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return (uint32_t)(((x >> 32) * n) >> 32);
}

void
coact__oracle_skip_to(int64_t now_ns)
{
    (void)now_ns; // real time passes by itself
}

bool
coact__oracle_is_simulated(void)
{
    return false;
}
