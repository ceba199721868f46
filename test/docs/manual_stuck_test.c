/*
 * manual_stuck_test.c - what the manual shows of actors that do not come back.
 *
 * SPDX-License-Identifier: MIT
 */
#include "test/actors/peers.h"

#include <signal.h>
#include <unistd.h>

static void
note_stuck(void *context, const struct coact_stuck *report)
{
    FILE *to = context;
    fprintf(to, "%s %s after %.3f s: %s\n", report->label,
            report->is_over ? "is back" : "is stuck",
            (double)report->for_ns / 1e9,
            report->call != NULL ? report->call : "it computes");
    for (size_t i = 0; i < report->frames; i++) {
        fprintf(to, "%s\n", report->backtrace[i]);
    }
}

struct thing {
    uint64_t weight;
};

static uint64_t
weigh(const struct thing *thing)
{
    return thing->weight;
}

/* How much all of it weighs, for an actor that was not asked to end. */
static void
weigh_all(peer_self self, void *arg)
{
    (void)self;
    const struct thing items[] = {{1}, {2}, {3}};
    size_t count = sizeof(items) / sizeof(items[0]);
    uint64_t sum = 0;
    int rc = 0;
    for (size_t i = 0; i < count && rc == 0; i++) {
        sum += weigh(&items[i]);
        rc = coact_checkpoint();
    }
    *(uint64_t *)arg = sum;
}

START_TEST(a_polite_loop_gets_through)
{
    uint64_t sum = 0;
    conduct(1, weigh_all, &sum);
    ck_assert_uint_eq(sum, 6);
}
END_TEST

static void
compute_for_long(peer_self self, void *arg)
{
    (void)self, (void)arg;
    int64_t end = coact_in_ms(400);
    while (coact_now_ns() < end) {
    }
}

START_TEST(the_hook_writes_who_is_stuck_and_where)
{
    char *text = NULL;
    size_t bytes = 0;
    FILE *to = open_memstream(&text, &bytes);
    ck_assert_ptr_nonnull(to);
    const struct coact_runtime_options options = {
        .workers = 1,
        .log = log_nothing,
        .hog_report_ns = COACT_MS(20),
        .stuck = note_stuck,
        .stuck_context = to,
        .backtrace_signal = SIGRTMIN + 3};
    struct coact_runtime *runtime = NULL;
    ck_assert_int_eq(coact_start(&options, &runtime), 0);
    ck_assert_int_eq(coact_attach(runtime), 0);
    (void)join_peer(spawn_peer(compute_for_long, NULL));
    int64_t deadline = IN_TIME;
    struct coact_runtime_stats stats;
    do {
        ck_assert_msg(coact_now_ns() < deadline, "it is never over");
        usleep(1000);
        coact_stats(runtime, &stats);
    } while (stats.actors_stuck_ever == 0 || stats.actors_stuck != 0);
    stop_runtime(runtime);
    fclose(to);
    ck_assert_msg(strstr(text, "peer is stuck after 0.") == text, "%s", text);
    ck_assert_msg(strstr(text, " compute_for_long+0x") != NULL, "%s", text);
    ck_assert_msg(strstr(text, "peer is back after 0.") != NULL, "%s", text);
    free(text);
}
END_TEST

SUITE_MAIN("manual stuck", a_polite_loop_gets_through,
           the_hook_writes_who_is_stuck_and_where)
