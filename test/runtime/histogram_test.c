/*
 * histogram_test.c - what a histogram says, against the sorted values.
 *
 * SPDX-License-Identifier: MIT
 */
#include "runtime/histogram.h"

#include "test/support/seed.h"
#include "test/support/suite.h"

#include <math.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { VALUES = 3000, SEEDS = 40 };

static struct coact__histogram histogram;
static struct coact__histogram other;
static struct coact__histogram_snapshot snapshot;
static struct coact__histogram_snapshot older;
static struct coact__histogram_snapshot expected;

static uint64_t state;

static uint64_t
draw(void)
{
    state += 0x9e3779b97f4a7c15u;
    uint64_t x = state;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

/* About evenly over the powers of two, and often at the edge of a bucket. */
static int64_t
draw_ns(void)
{
    unsigned bits = (unsigned)(draw() % 48);
    int64_t ns = (int64_t)(draw() & ((UINT64_C(1) << bits) - 1));
    if (draw() % 4 == 0) {
        ns = coact__histogram_edge_ns(
            (unsigned)(draw() % (COACT__HISTOGRAM_BUCKETS - 1)));
        ns += (int64_t)(draw() % 3) - 1;
    }
    return ns;
}

static int
compare(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a;
    int64_t y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

START_TEST(every_value_lies_between_the_edges_of_its_bucket)
{
    ck_assert_uint_le(sizeof(struct coact__histogram), 3072);
    unsigned last = 0;
    for (int64_t ns = 0; ns < 100000; ns++) {
        unsigned bucket = coact__histogram_bucket(ns);
        ck_assert(bucket == last || bucket == last + 1);
        ck_assert_int_ge(coact__histogram_edge_ns(bucket), ns);
        ck_assert(bucket == 0 || coact__histogram_edge_ns(bucket - 1) < ns);
        last = bucket;
    }
    for (unsigned i = 0; i < COACT__HISTOGRAM_BUCKETS - 1; i++) {
        int64_t edge = coact__histogram_edge_ns(i);
        ck_assert_uint_eq(coact__histogram_bucket(edge), i);
        ck_assert_uint_eq(coact__histogram_bucket(edge + 1), i + 1);
    }
    ck_assert_uint_eq(coact__histogram_bucket(INT64_C(1) << 43),
                      COACT__HISTOGRAM_BUCKETS - 1);
}
END_TEST

START_TEST(a_bucket_is_an_eighth_wide_at_most)
{
    for (unsigned i = 1; i < COACT__HISTOGRAM_BUCKETS - 1; i++) {
        int64_t low = coact__histogram_edge_ns(i - 1) + 1;
        int64_t high = coact__histogram_edge_ns(i);
        ck_assert_int_le((high - low) * 8, low);
    }
}
END_TEST

START_TEST(what_is_too_long_or_negative_is_counted_all_the_same)
{
    coact__histogram_record(&histogram, -5);
    coact__histogram_record(&histogram, INT64_MIN);
    coact__histogram_record(&histogram, INT64_C(1) << 43);
    coact__histogram_record(&histogram, INT64_MAX);
    coact__histogram_add(&snapshot, &histogram);
    ck_assert_uint_eq(snapshot.count, 4);
    ck_assert_int_eq(coact__histogram_quantile_ns(&snapshot, 0.5), 0);
    ck_assert_int_eq(coact__histogram_quantile_ns(&snapshot, 0.75), INT64_MAX);
    ck_assert_uint_eq(snapshot.sum_ns, (UINT64_C(1) << 43) + INT64_MAX);
}
END_TEST

START_TEST(an_empty_histogram_has_quantiles_of_zero)
{
    coact__histogram_add(&snapshot, &histogram);
    ck_assert_uint_eq(snapshot.count, 0);
    ck_assert_int_eq(snapshot.max_ns, 0);
    ck_assert_int_eq(coact__histogram_mean_ns(&snapshot), 0);
    const double some[] = {-1, 0, 0.5, 1, 2, NAN, INFINITY};
    for (size_t i = 0; i < sizeof(some) / sizeof(some[0]); i++) {
        ck_assert_int_eq(coact__histogram_quantile_ns(&snapshot, some[i]), 0);
    }
}
END_TEST

/* Of the sorted values: the smallest that a part q of all does not exceed. */
static int64_t
true_quantile(const int64_t *sorted, size_t count, double q)
{
    double exact = ceil((double)count * q);
    size_t rank = exact < 1 ? 1 : (size_t)exact;
    return sorted[rank - 1];
}

static void
must_hold(const int64_t *sorted, size_t count)
{
    int64_t sum = 0;
    for (size_t i = 0; i < count; i++) {
        sum += sorted[i];
    }
    ck_assert_uint_eq(snapshot.count, count);
    ck_assert_uint_eq(snapshot.sum_ns, (uint64_t)sum);
    ck_assert_int_eq(snapshot.max_ns, sorted[count - 1]);
    ck_assert_int_eq(coact__histogram_mean_ns(&snapshot), sum / (int64_t)count);
    for (int i = 0; i <= 1000; i++) {
        double q = i / 1000.0;
        int64_t truth = true_quantile(sorted, count, q);
        int64_t said = coact__histogram_quantile_ns(&snapshot, q);
        ck_assert_int_ge(said, truth);
        if (truth < INT64_C(1) << 43) {
            ck_assert_int_le(said - truth, truth / 8);
        }
    }
    ck_assert_int_eq(coact__histogram_quantile_ns(&snapshot, 1),
                     sorted[count - 1]);
    ck_assert_int_eq(coact__histogram_quantile_ns(&snapshot, NAN),
                     sorted[count - 1]);
}

static void
compare_with_sorted(uint64_t seed)
{
    static int64_t values[VALUES];
    state = seed;
    size_t count = 1 + draw() % VALUES;
    int64_t same = draw_ns();
    uint64_t kind = draw() % 3;
    memset(&histogram, 0, sizeof(histogram));
    memset(&snapshot, 0, sizeof(snapshot));
    for (size_t i = 0; i < count; i++) {
        int64_t ns = kind == 0 ? draw_ns() : kind == 1 ? same : same + (int)i;
        values[i] = ns < 0 ? 0 : ns;
        coact__histogram_record(&histogram, ns);
    }
    coact__histogram_add(&snapshot, &histogram);
    qsort(values, count, sizeof(values[0]), compare);
    must_hold(values, count);
}

START_TEST(a_quantile_is_never_less_than_the_truth_nor_an_eighth_more)
{
    uint64_t only;
    bool is_asked = suite_seed_asked(&only);
    for (uint64_t i = 0; i < (is_asked ? 1 : SEEDS); i++) {
        uint64_t seed = is_asked ? only : i;
        suite_seed(seed);
        compare_with_sorted(seed);
    }
}
END_TEST

static void
must_equal(const struct coact__histogram_snapshot *a,
           const struct coact__histogram_snapshot *b)
{
    ck_assert_mem_eq(a->counts, b->counts, sizeof(a->counts));
    ck_assert_uint_eq(a->count, b->count);
    ck_assert_uint_eq(a->sum_ns, b->sum_ns);
    ck_assert_int_eq(a->max_ns, b->max_ns);
}

START_TEST(merged_histograms_are_their_union)
{
    static struct coact__histogram both;
    state = 7;
    for (int i = 0; i < VALUES; i++) {
        int64_t ns = draw_ns();
        coact__histogram_record(i % 3 == 0 ? &other : &histogram, ns);
        coact__histogram_record(&both, ns);
    }
    coact__histogram_add(&expected, &both);
    // Two histograms in one snapshot, and two snapshots in one.
    coact__histogram_add(&snapshot, &histogram);
    coact__histogram_merge(&older, &snapshot);
    coact__histogram_add(&snapshot, &other);
    must_equal(&snapshot, &expected);
    memset(&snapshot, 0, sizeof(snapshot));
    coact__histogram_add(&snapshot, &other);
    coact__histogram_merge(&older, &snapshot);
    must_equal(&older, &expected);
}
END_TEST

START_TEST(a_difference_is_what_came_after_the_older_snapshot)
{
    static struct coact__histogram later;
    state = 9;
    coact__histogram_record(&histogram, 999);
    for (int i = 0; i < VALUES; i++) {
        coact__histogram_record(&histogram, draw_ns() % 1000);
    }
    coact__histogram_add(&older, &histogram);
    for (int i = 0; i < VALUES; i++) {
        int64_t ns = draw_ns();
        coact__histogram_record(&histogram, ns);
        coact__histogram_record(&later, ns);
    }
    coact__histogram_record(&histogram, INT64_C(1) << 50);
    coact__histogram_record(&later, INT64_C(1) << 50);
    coact__histogram_add(&snapshot, &histogram);
    coact__histogram_subtract(&snapshot, &older);
    coact__histogram_add(&expected, &later);
    must_equal(&snapshot, &expected);
}
END_TEST

START_TEST(the_maximum_of_a_difference_forgets_an_older_one)
{
    coact__histogram_record(&histogram, 1000000);
    coact__histogram_add(&older, &histogram);
    coact__histogram_record(&histogram, 1000);
    coact__histogram_record(&histogram, 10);
    coact__histogram_add(&snapshot, &histogram);
    coact__histogram_subtract(&snapshot, &older);
    ck_assert_uint_eq(snapshot.count, 2);
    ck_assert_uint_eq(snapshot.sum_ns, 1010);
    ck_assert_int_ge(snapshot.max_ns, 1000);
    ck_assert_int_le(snapshot.max_ns, 1000 + 1000 / 8);
    ck_assert_int_eq(coact__histogram_quantile_ns(&snapshot, 1),
                     snapshot.max_ns);
    ck_assert_int_eq(coact__histogram_quantile_ns(&snapshot, 0.5), 10);
}
END_TEST

START_TEST(a_difference_of_nothing_is_empty)
{
    coact__histogram_record(&histogram, 1000000);
    coact__histogram_add(&older, &histogram);
    coact__histogram_add(&snapshot, &histogram);
    coact__histogram_subtract(&snapshot, &older);
    ck_assert_uint_eq(snapshot.count, 0);
    ck_assert_uint_eq(snapshot.sum_ns, 0);
    ck_assert_int_eq(snapshot.max_ns, 0);
    ck_assert_int_eq(coact__histogram_quantile_ns(&snapshot, 0.99), 0);
    // Taken away the wrong way round, as two readers may, it is not less.
    coact__histogram_record(&histogram, 5);
    memset(&snapshot, 0, sizeof(snapshot));
    coact__histogram_add(&snapshot, &histogram);
    coact__histogram_subtract(&older, &snapshot);
    ck_assert_uint_eq(older.count, 0);
    ck_assert_uint_eq(older.sum_ns, 0);
}
END_TEST

/* A writer and two readers. */

enum { RECORDS = 300000 };

static atomic_bool is_over;

static void *
record_many(void *arg)
{
    (void)arg;
    for (int64_t i = 1; i <= RECORDS; i++) {
        coact__histogram_record(&histogram, i);
    }
    atomic_store_explicit(&is_over, true, memory_order_release);
    return NULL;
}

static void *
read_many(void *arg)
{
    struct coact__histogram_snapshot *now = arg;
    uint64_t count = 0;
    bool was_over;
    do {
        was_over = atomic_load_explicit(&is_over, memory_order_acquire);
        memset(now, 0, sizeof(*now));
        coact__histogram_add(now, &histogram);
        ck_assert_uint_ge(now->count, count);
        count = now->count;
        // The values grow: the maximum is in the highest bucket or above.
        if (count > 0) {
            int64_t most = coact__histogram_quantile_ns(now, 1);
            unsigned bucket = coact__histogram_bucket(most);
            for (unsigned i = bucket + 1; i < COACT__HISTOGRAM_BUCKETS; i++) {
                ck_assert_uint_eq(now->counts[i], 0);
            }
        }
    } while (!was_over);
    return NULL;
}

START_TEST(a_reader_sees_a_histogram_grow_and_never_shrink)
{
    pthread_t writer;
    pthread_t readers[2];
    static struct coact__histogram_snapshot views[2];
    for (size_t i = 0; i < 2; i++) {
        ck_assert_int_eq(
            pthread_create(&readers[i], NULL, read_many, &views[i]), 0);
    }
    ck_assert_int_eq(pthread_create(&writer, NULL, record_many, NULL), 0);
    pthread_join(writer, NULL);
    for (size_t i = 0; i < 2; i++) {
        pthread_join(readers[i], NULL);
        ck_assert_uint_eq(views[i].count, RECORDS);
        ck_assert_uint_eq(views[i].sum_ns,
                          UINT64_C(1) * RECORDS * (RECORDS + 1) / 2);
        ck_assert_int_eq(views[i].max_ns, RECORDS);
    }
}
END_TEST

SUITE_MAIN("histogram", every_value_lies_between_the_edges_of_its_bucket,
           a_bucket_is_an_eighth_wide_at_most,
           what_is_too_long_or_negative_is_counted_all_the_same,
           an_empty_histogram_has_quantiles_of_zero,
           a_quantile_is_never_less_than_the_truth_nor_an_eighth_more,
           merged_histograms_are_their_union,
           a_difference_is_what_came_after_the_older_snapshot,
           the_maximum_of_a_difference_forgets_an_older_one,
           a_difference_of_nothing_is_empty,
           a_reader_sees_a_histogram_grow_and_never_shrink)
