/*
 * process_test.c - links between real processes, over nanomsg: they break, come
 * again, and carry on beside each other.
 *
 * SPDX-License-Identifier: MIT
 */
#include "test/support/suite.h"
#include "test/transport/post.h"

#include "runtime/oracle.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

/* ThreadSanitizer clears its shadow of a large block while heartbeats wait. */
#ifdef __SANITIZE_THREAD__
#define LONG_BYTES ((size_t)4 << 20)
#else
#define LONG_BYTES ((size_t)64 << 20)
#endif

static int
by_value(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a;
    int64_t y = *(const int64_t *)b;
    return x < y ? -1 : x > y;
}

START_TEST(s56_sigkill_of_a_peer_is_told_within_50_ms)
{
    enum { PEERS = 7 };
    struct post post = {0};
    int64_t took[PEERS];
    found_town();
    for (int i = 0; i < PEERS; i++) {
        settle_in(i, (uint32_t)i + 2, false);
    }
    open_post(&post, 1, 0);
    for (int i = 0; i < PEERS; i++) {
        meet(&post, (uint32_t)i + 2);
        go(i);
        await(&post, &post.ups[i + 2], 1);
    }
    for (int i = 0; i < PEERS; i++) {
        int64_t before = coact__oracle_now_ns();
        (void)kill(town.pid[i], SIGKILL);
        await(&post, &post.downs[i + 2], 1);
        took[i] = post.down_ns[i + 2] - before;
        end(i);
    }
    qsort(took, PEERS, sizeof(took[0]), by_value);
    printf("     down after SIGKILL: median %.1f ms, worst %.1f ms\n",
           (double)took[PEERS / 2] / 1e6, (double)took[PEERS - 1] / 1e6);
    ck_assert_int_lt(took[PEERS / 2], 50 * MS);
    close_post(&post);
    leave_town();
}
END_TEST

START_TEST(s56_a_stopped_process_is_told_within_the_heartbeat_bound)
{
    struct post post = {0};
    found_town();
    settle_in(0, 2, false);
    open_post(&post, 1, 0);
    meet(&post, 2);
    go(0);
    await(&post, &post.ups[2], 1);
    int64_t before = coact__oracle_now_ns();
    (void)kill(town.pid[0], SIGSTOP);
    await(&post, &post.downs[2], 1);
    int64_t took = post.down_ns[2] - before;
    ck_assert_int_ge(took, 250 * MS);
    ck_assert_int_lt(took, 700 * MS);
    (void)kill(town.pid[0], SIGCONT);
    await(&post, &post.ups[2], 2);
    end(0);
    close_post(&post);
    leave_town();
}
END_TEST

START_TEST(s57_a_process_that_restarts_at_the_same_address_is_another)
{
    struct post post = {0};
    uint8_t byte = 0;
    struct iovec part = {&byte, 1};
    found_town();
    settle_in(0, 2, true);
    settle_in(1, 2, true);
    open_post(&post, 1, 0);
    meet(&post, 2);
    go(0);
    await(&post, &post.ups[2], 1);
    uint32_t old = incarnation_of(&post, 2);
    end(0);
    await(&post, &post.downs[2], 1);
    ck_assert_int_eq(
        coact__transport_send(post.transport, 2, old, 0, 0, &part, 1),
        -ENOTCONN);
    go(1);
    await(&post, &post.ups[2], 2);
    uint32_t new = incarnation_of(&post, 2);
    ck_assert_uint_ne(old, new);
    ck_assert_int_eq(
        coact__transport_send(post.transport, 2, old, 0, 0, &part, 1),
        -ENOTCONN);
    ck_assert_int_eq(
        coact__transport_send(post.transport, 2, new, 0, 0, &part, 1), 0);
    await_received(&post, 2, 1);
    end(1);
    close_post(&post);
    leave_town();
}
END_TEST

START_TEST(s59_pings_go_on_while_64_mib_cross_between_processes)
{
    struct post post = {0};
    size_t len = LONG_BYTES;
    found_town();
    settle_in(0, 2, true);
    open_post(&post, 1, 0);
    meet(&post, 2);
    go(0);
    await(&post, &post.ups[2], 1);
    uint8_t *huge = calloc(1, len);
    ck_assert_ptr_nonnull(huge);
    struct iovec part = {huge, len};
    ck_assert_int_eq(coact__transport_send(post.transport, 2,
                                           incarnation_of(&post, 2), 1, 0,
                                           &part, 1),
                     0);
    int64_t worst = worst_round_trip(&post, 2);
    await_received(&post, 2, 101);
    printf("     worst of 100 pings beside 64 MiB: %.1f ms\n",
           (double)worst / 1e6);
    ck_assert_int_lt(worst, 100 * MS);
    ck_assert_int_eq(downs_of(&post, 2), 0);
    free(huge);
    end(0);
    close_post(&post);
    leave_town();
}
END_TEST

START_TEST(s60_a_stopped_peer_costs_its_senders_no_more_than_the_backlog)
{
    struct post post = {0};
    uint8_t bytes[1000] = {0};
    struct iovec part = {bytes, sizeof(bytes)};
    found_town();
    settle_in(0, 2, false);
    settle_in(1, 3, true);
    open_post(&post, 1, 0);
    for (int i = 0; i < 2; i++) {
        meet(&post, (uint32_t)i + 2);
        go(i);
        await(&post, &post.ups[i + 2], 1);
    }
    (void)kill(town.pid[0], SIGSTOP);
    int rc = 0;
    uint64_t accepted = 0;
    for (; rc == 0; accepted++) {
        rc = coact__transport_send(post.transport, 2, incarnation_of(&post, 2),
                                   0, 0, &part, 1);
    }
    ck_assert(rc == -EAGAIN || rc == -ENOTCONN);
    // The backlog, the window, and what is in the kernel is in the window.
    ck_assert_uint_le(accepted * sizeof(bytes), (1024 + 256) * 1024);
    ck_assert_int_lt(worst_round_trip(&post, 3), 100 * MS);
    await(&post, &post.downs[2], 1);
    ck_assert_int_eq(downs_of(&post, 3), 0);
    end(0);
    end(1);
    close_post(&post);
    leave_town();
}
END_TEST

SUITE_MAIN("transport/process", s56_sigkill_of_a_peer_is_told_within_50_ms,
           s56_a_stopped_process_is_told_within_the_heartbeat_bound,
           s57_a_process_that_restarts_at_the_same_address_is_another,
           s59_pings_go_on_while_64_mib_cross_between_processes,
           s60_a_stopped_peer_costs_its_senders_no_more_than_the_backlog)
