/*
 * counters.h - what the transport counts.
 *
 * One thread, the transport's, writes; any may read.  Relaxed: a counter guards
 * nothing, and with one writer a load and a store need no read-modify-write.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef COACT_RUNTIME_TRANSPORT_COUNTERS_H
#define COACT_RUNTIME_TRANSPORT_COUNTERS_H

#include "runtime/transport/transport.h"

#include <stdatomic.h>

typedef _Atomic uint64_t coact__counter;

struct coact__counters {
    coact__counter frames_out, frames_in;
    coact__counter messages_in, bytes_in;
    coact__counter sessions_begun, sessions_ended;
    coact__counter ended[COACT__DOWN_STOPPED + 1];
#define COACT__COUNTER(name, text) coact__counter name;
    COACT__REJECT_TABLE(COACT__COUNTER)
#undef COACT__COUNTER
};

static inline void
coact__counter_add(coact__counter *counter, uint64_t n)
{
    uint64_t was = atomic_load_explicit(counter, memory_order_relaxed);
    atomic_store_explicit(counter, was + n, memory_order_relaxed);
}

static inline uint64_t
coact__counter_get(const coact__counter *counter)
{
    return atomic_load_explicit(counter, memory_order_relaxed);
}

#endif
