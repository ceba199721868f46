/*
 * histogram.h - how often something took how long.
 *
 * Buckets are log-linear: each power of two of nanoseconds is cut into eight of
 * equal width.  So a value is known to an eighth of itself, from a nanosecond to
 * 2.4 hours, in 2.6 KiB; values below 16 ns are exact.  What is longer counts
 * in the last bucket.  What is negative counts as 0: two clocks were compared.
 *
 * One thread records, without a locked operation.  Any thread reads, at any
 * time, by adding the histogram to a snapshot of its own: several histograms
 * added to one snapshot are their union.  A snapshot minus an older one of the
 * same histograms is what happened in between.
 *
 * A quantile is the upper edge of its bucket, or the maximum if that is less:
 * it never says less than the truth, and never more than 9/8 of it.
 *
 * A snapshot is too large for an actor's stack.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef COACT_RUNTIME_HISTOGRAM_H
#define COACT_RUNTIME_HISTOGRAM_H

#include <stdatomic.h>
#include <stdint.h>

enum {
    COACT__HISTOGRAM_BITS = 3, /* an eighth */
    COACT__HISTOGRAM_PARTS = 1 << COACT__HISTOGRAM_BITS,
    COACT__HISTOGRAM_TOP_BIT = 43, /* the first power of two that is too long */
    COACT__HISTOGRAM_BUCKETS =
        (COACT__HISTOGRAM_TOP_BIT - COACT__HISTOGRAM_BITS + 1) *
            COACT__HISTOGRAM_PARTS +
        1 /* for all that is too long */
};

/* All zero is an empty one.  Its fields are written by its owner and read by
   all. */
struct coact__histogram {
    _Atomic uint64_t counts[COACT__HISTOGRAM_BUCKETS];
    _Atomic uint64_t sum_ns;
    _Atomic int64_t max_ns;
};

/* All zero is an empty one. */
struct coact__histogram_snapshot {
    uint64_t counts[COACT__HISTOGRAM_BUCKETS];
    uint64_t count;  /* of all buckets */
    uint64_t sum_ns; /* may be off by what was being recorded */
    int64_t max_ns;  /* never less than the truth; after a subtraction, to an
                        eighth */
};

/* Which bucket a value counts in. */
static inline unsigned
coact__histogram_bucket(int64_t ns)
{
    if (ns < COACT__HISTOGRAM_PARTS) {
        return ns < 0 ? 0 : (unsigned)ns;
    }
    unsigned top = 63U - (unsigned)__builtin_clzll((unsigned long long)ns);
    if (top >= COACT__HISTOGRAM_TOP_BIT) {
        return COACT__HISTOGRAM_BUCKETS - 1;
    }
    // The bits below the top one choose the part; the top one itself counts
    // the powers of two, from that whose parts are one nanosecond wide.
    unsigned shift = top - COACT__HISTOGRAM_BITS;
    return (shift << COACT__HISTOGRAM_BITS) + (unsigned)(ns >> shift);
}

/* The largest value that counts in a bucket; INT64_MAX for the last. */
int64_t coact__histogram_edge_ns(unsigned bucket);

/* Plain loads and stores: only the owner writes, so nothing can come between.
   The maximum is there before the count is (H1 with H2): a reader that counts a
   value knows a maximum that is not less. */
static inline void
coact__histogram_record(struct coact__histogram *histogram, int64_t ns)
{
    if (ns > atomic_load_explicit(&histogram->max_ns, memory_order_relaxed)) {
        atomic_store_explicit(&histogram->max_ns, ns, memory_order_relaxed);
    }
    uint64_t sum =
        atomic_load_explicit(&histogram->sum_ns, memory_order_relaxed);
    atomic_store_explicit(&histogram->sum_ns, sum + (ns > 0 ? (uint64_t)ns : 0),
                          memory_order_relaxed);
    _Atomic uint64_t *count = &histogram->counts[coact__histogram_bucket(ns)];
    uint64_t was = atomic_load_explicit(count, memory_order_relaxed);
    atomic_store_explicit(count, was + 1, memory_order_release); // H1
}

/* Add what a histogram holds now, or what another snapshot holds. */
void coact__histogram_add(struct coact__histogram_snapshot *to,
                          const struct coact__histogram *from);
void coact__histogram_merge(struct coact__histogram_snapshot *to,
                            const struct coact__histogram_snapshot *from);

/* Take an older snapshot of the same histograms away.  What is left is what was
   recorded after it. */
void coact__histogram_subtract(struct coact__histogram_snapshot *from,
                               const struct coact__histogram_snapshot *older);

/* The value that the part q (0 to 1) of all values does not exceed; 0 of an
   empty snapshot. */
int64_t
coact__histogram_quantile_ns(const struct coact__histogram_snapshot *snapshot,
                             double q);

/* 0 of an empty snapshot. */
int64_t
coact__histogram_mean_ns(const struct coact__histogram_snapshot *snapshot);

#endif
