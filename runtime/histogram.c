/*
 * histogram.c - reading histograms.
 *
 * A reader meets a histogram while it grows.  Each bucket is read whole and
 * never goes back for one reader, so counts lack at most what was recorded
 * meanwhile; the count of a snapshot is made from its buckets, so that quantiles
 * add up.  Only the sum is another word, and may be some records ahead.
 *
 * Memory orders
 *   H1 release -> H2 acquire.  The maximum that was stored before the count.
 *           Otherwise a quantile, which is cut at the maximum, could be less
 *           than the truth.
 *   All else is relaxed: no word says anything about another.
 *
 * SPDX-License-Identifier: MIT
 */
#include "runtime/histogram.h"

int64_t
coact__histogram_edge_ns(unsigned bucket)
{
    if (bucket >= COACT__HISTOGRAM_BUCKETS - 1) {
        return INT64_MAX;
    }
    if (bucket < COACT__HISTOGRAM_PARTS) {
        return bucket;
    }
    unsigned shift = bucket / COACT__HISTOGRAM_PARTS - 1;
    int64_t part =
        COACT__HISTOGRAM_PARTS + (int64_t)(bucket % COACT__HISTOGRAM_PARTS);
    return ((part + 1) << shift) - 1;
}

void
coact__histogram_add(struct coact__histogram_snapshot *to,
                     const struct coact__histogram *from)
{
    for (unsigned i = 0; i < COACT__HISTOGRAM_BUCKETS; i++) {
        uint64_t count =
            atomic_load_explicit(&from->counts[i], memory_order_acquire); // H2
        to->counts[i] += count;
        to->count += count;
    }
    to->sum_ns += atomic_load_explicit(&from->sum_ns, memory_order_relaxed);
    int64_t max = atomic_load_explicit(&from->max_ns, memory_order_relaxed);
    to->max_ns = max > to->max_ns ? max : to->max_ns;
}

void
coact__histogram_merge(struct coact__histogram_snapshot *to,
                       const struct coact__histogram_snapshot *from)
{
    for (unsigned i = 0; i < COACT__HISTOGRAM_BUCKETS; i++) {
        to->counts[i] += from->counts[i];
    }
    to->count += from->count;
    to->sum_ns += from->sum_ns;
    to->max_ns = from->max_ns > to->max_ns ? from->max_ns : to->max_ns;
}

/* Two readers in two threads may have seen one bucket in the wrong order. */
static uint64_t
less(uint64_t from, uint64_t older)
{
    return from > older ? from - older : 0;
}

/* The last bucket that is not empty; the first one if all are. */
static unsigned
highest(const struct coact__histogram_snapshot *snapshot)
{
    unsigned i = COACT__HISTOGRAM_BUCKETS - 1;
    while (i > 0 && snapshot->counts[i] == 0) {
        i--;
    }
    return i;
}

void
coact__histogram_subtract(struct coact__histogram_snapshot *from,
                          const struct coact__histogram_snapshot *older)
{
    from->count = 0;
    for (unsigned i = 0; i < COACT__HISTOGRAM_BUCKETS; i++) {
        from->counts[i] = less(from->counts[i], older->counts[i]);
        from->count += from->counts[i];
    }
    from->sum_ns = less(from->sum_ns, older->sum_ns);
    if (from->max_ns == older->max_ns) {
        // The record is older; how high it went since then, the buckets know.
        int64_t edge = coact__histogram_edge_ns(highest(from));
        from->max_ns = edge < from->max_ns ? edge : from->max_ns;
    }
}

/* The rank of the value that is asked for, from 1. */
static uint64_t
rank_of(uint64_t count, double q)
{
    // Written so that what is no number means the maximum.
    if (!(q < 1)) {
        return count;
    }
    if (q <= 0) {
        return 1;
    }
    double exact = (double)count * q;
    uint64_t rank = (uint64_t)exact;
    rank += (double)rank < exact;
    return rank < 1 ? 1 : rank > count ? count : rank;
}

int64_t
coact__histogram_quantile_ns(const struct coact__histogram_snapshot *snapshot,
                             double q)
{
    if (snapshot->count == 0) {
        return 0;
    }
    uint64_t rank = rank_of(snapshot->count, q);
    unsigned i = 0;
    for (uint64_t seen = snapshot->counts[0];
         seen < rank && i < COACT__HISTOGRAM_BUCKETS - 1;) {
        seen += snapshot->counts[++i];
    }
    int64_t edge = coact__histogram_edge_ns(i);
    return edge < snapshot->max_ns ? edge : snapshot->max_ns;
}

int64_t
coact__histogram_mean_ns(const struct coact__histogram_snapshot *snapshot)
{
    return snapshot->count == 0 ? 0
                                : (int64_t)(snapshot->sum_ns / snapshot->count);
}
