/*
 * wake_test.c - sleepers that threads of the host wake: no wake-up is lost.
 *
 * SPDX-License-Identifier: MIT
 */
#include "test/actors/peers.h"
#include "test/support/valgrind.h"

#include <pthread.h>
#include <sched.h>
#include <unistd.h>

#define SLEEPERS 4

/* Counts each message, which is all that its sender waits for. */
struct sleeper {
    _Atomic uint32_t received;
    peer_ref ref;
};

static void
sleeper_body(peer_self self, void *arg)
{
    struct sleeper *s = arg;
    bool is_over = false;
    while (!is_over) {
        COACT_RECEIVE(self, COACT_FOREVER) {
        case COACT_ON(item, m): {
            atomic_store_explicit(&s->received, m->number,
                                  memory_order_release);
        } break;
        case COACT_ON_CANCELLED:
            is_over = true;
            break;
        }
    }
}

struct sender {
    struct coact_runtime *runtime;
    struct sleeper *sleeper;
    uint32_t rounds;
    uint32_t lost_at; /* 0: none */
};

/* The next is sent when the last was seen: so the sleeper, and most of the time
   all workers, are about to sleep whenever we send. */
static void *
sender_main(void *arg)
{
    struct sender *s = arg;
    if (coact_attach(s->runtime) < 0) {
        s->lost_at = UINT32_MAX;
        return NULL;
    }
    for (uint32_t i = 1; i <= s->rounds && s->lost_at == 0; i++) {
        if (coact_send(s->sleeper->ref, item, .number = i) < 0) {
            s->lost_at = i;
        }
        int64_t deadline = coact_in_ms(LIMIT_MS);
        while (atomic_load_explicit(&s->sleeper->received,
                                    memory_order_acquire) != i) {
            if (i % 16 == 0) {
                usleep(1);
            } else if (is_on_valgrind()) {
                sched_yield(); // else no other thread runs for milliseconds
            }
            if (coact_now_ns() > deadline) {
                s->lost_at = i;
                break;
            }
        }
    }
    coact_detach();
    return NULL;
}

static void
wake_sleepers(uint32_t workers, uint32_t threads, uint32_t rounds)
{
    struct coact_runtime *runtime = start_runtime(workers);
    struct sleeper sleepers[SLEEPERS];
    struct sender senders[SLEEPERS];
    pthread_t ids[SLEEPERS];
    for (uint32_t i = 0; i < threads; i++) {
        atomic_init(&sleepers[i].received, 0);
        sleepers[i].ref = spawn_peer(sleeper_body, &sleepers[i]);
        senders[i] = (struct sender){runtime, &sleepers[i], rounds, 0};
        ck_assert_int_eq(
            pthread_create(&ids[i], NULL, sender_main, &senders[i]), 0);
    }
    for (uint32_t i = 0; i < threads; i++) {
        pthread_join(ids[i], NULL);
    }
    for (uint32_t i = 0; i < threads; i++) {
        ck_assert_msg(senders[i].lost_at == 0, "round %u was lost",
                      senders[i].lost_at);
    }
    stop_runtime(runtime);
}

START_TEST(no_wake_up_from_outside_is_lost_with_one_worker)
{
    wake_sleepers(1, 1, 20000);
}
END_TEST
START_TEST(no_wake_up_from_outside_is_lost_with_two_workers)
{
    wake_sleepers(2, 1, 20000);
}
END_TEST
START_TEST(no_wake_up_from_outside_is_lost_with_four_workers)
{
    wake_sleepers(4, 1, 20000);
}
END_TEST
START_TEST(no_wake_up_is_lost_between_several_senders)
{
    wake_sleepers(3, 3, 10000);
}
END_TEST

/* Sleeps that end by time, on workers that park between them. */
static void
naps(peer_self self, void *arg)
{
    (void)self;
    uint32_t seed = (uint32_t)(uintptr_t)arg;
    for (int i = 0; i < 300; i++) {
        seed = seed * 1664525 + 1013904223;
        int64_t deadline = coact_in_ns(seed >> 14);
        ck_assert_int_eq(coact_sleep(deadline), 0);
        ck_assert(coact_now_ns() >= deadline);
    }
}
static void
nap_conductor(peer_self self, void *arg)
{
    (void)arg;
    for (uintptr_t i = 0; i < 6; i++) {
        peer_ref p;
        coact_monitor_id monitor;
        ck_assert_int_eq(
            coact_spawn_with(peer, &p, naps, (void *)i, .monitor = &monitor),
            0);
    }
    for (int i = 0; i < 6; i++) {
        ck_assert_int_eq(expect_down(self).reason.code, COACT_NORMAL);
    }
}
START_TEST(every_sleep_ends_though_the_workers_park_between)
{
    conduct(4, nap_conductor, NULL);
}
END_TEST

SUITE_MAIN("wake", no_wake_up_from_outside_is_lost_with_one_worker,
           no_wake_up_from_outside_is_lost_with_two_workers,
           no_wake_up_from_outside_is_lost_with_four_workers,
           no_wake_up_is_lost_between_several_senders,
           every_sleep_ends_though_the_workers_park_between)
