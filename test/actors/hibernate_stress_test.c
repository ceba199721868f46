/*
 * hibernate_stress_test.c - many that are hibernated and woken, at once and for
 * long.
 *
 * SPDX-License-Identifier: MIT
 */
#include "test/actors/drowsy.h"
#include "test/support/valgrind.h"

#include <pthread.h>

/* ---- Wakes against sweeps ------------------------------------------------ */

#define RACERS 64
#define SENDERS 2
#define ROUNDS 300

struct racer {
    peer_ref ref;
    _Atomic uint64_t received;
    _Atomic uint32_t faults;
};

static void
racer_body(peer_self self, void *arg)
{
    struct racer *racer = arg;
    uint32_t last[SENDERS] = {0};
    bool is_over = false;
    while (!is_over) {
        COACT_RECEIVE(self, COACT_FOREVER) {
        case COACT_ON(item, m): {
            racer->faults += m->number != ++last[m->from];
            racer->received++;
        } break;
        case COACT_ON_CANCELLED:
            is_over = true;
            break;
        }
    }
}

struct sender {
    struct coact_runtime *runtime;
    struct racer *racers;
    uint32_t number;
};

static void *
sender_main(void *arg)
{
    const struct sender *s = arg;
    ck_assert_int_eq(coact_attach(s->runtime), 0);
    uint32_t pause = s->number * 7 + 1;
    for (uint32_t round = 1; round <= ROUNDS; round++) {
        for (uint32_t i = 0; i < RACERS; i++) {
            ck_assert_int_eq(coact_send(s->racers[i].ref, item,
                                        .from = s->number, .number = round),
                             0);
            pause = pause * 1103515245u + 12345u;
            if (pause % 64 == 0) {
                usleep(pause / 64 % 300);
            }
        }
    }
    coact_detach();
    return NULL;
}

START_TEST(no_message_is_lost_or_overtaken_when_wakes_and_sweeps_race)
{
    struct coact_runtime_options options = {
        .workers = 3, .log = log_nothing, .hibernate_after_ns = 1};
    struct coact_runtime *runtime = NULL;
    ck_assert_int_eq(coact_start(&options, &runtime), 0);
    ck_assert_int_eq(coact_attach(runtime), 0);
    static struct racer racers[RACERS];
    for (uint32_t i = 0; i < RACERS; i++) {
        ck_assert_int_eq(
            coact_spawn_with(peer, &racers[i].ref, racer_body, &racers[i],
                             .hibernate = i % 2 == 0 ? COACT_HIBERNATE_AT_ONCE
                                                     : COACT_HIBERNATE_LATER),
            0);
    }
    struct sender senders[SENDERS];
    pthread_t threads[SENDERS];
    for (uint32_t i = 0; i < SENDERS; i++) {
        senders[i] = (struct sender){runtime, racers, i};
        pthread_create(&threads[i], NULL, sender_main, &senders[i]);
    }
    for (uint32_t i = 0; i < SENDERS; i++) {
        pthread_join(threads[i], NULL);
    }
    await_hibernated(RACERS);
    for (uint32_t i = 0; i < RACERS; i++) {
        ck_assert_uint_eq(racers[i].received, SENDERS * ROUNDS);
        ck_assert_uint_eq(racers[i].faults, 0);
    }
    ck_assert_uint_gt(hibernations(runtime), 5 * RACERS);
    stop_runtime(runtime);
}
END_TEST

/* ---- Memory -------------------------------------------------------------- */

static size_t
resident_bytes(void)
{
    unsigned long pages = 0;
    FILE *statm = fopen("/proc/self/statm", "re");
    ck_assert_ptr_nonnull(statm);
    ck_assert_int_eq(fscanf(statm, "%*u %lu", &pages), 1);
    fclose(statm);
    return pages * (size_t)sysconf(_SC_PAGESIZE);
}

#define MANY 2000
#define CYCLES 12

static void
await_go(peer_self self)
{
    COACT_RECEIVE(self, COACT_FOREVER) {
    case COACT_ON(go, m):
        (void)m;
        break;
    }
}

static void
go_round(peer_self self, void *arg)
{
    (void)arg;
    for (int i = 0; i < CYCLES; i++) {
        await_go(self);
    }
}

START_TEST(memory_does_not_grow_from_one_hibernation_to_the_next)
{
    struct coact_runtime *runtime = start_runtime(2);
    static peer_ref refs[MANY];
    size_t first = 0;
    for (uint32_t i = 0; i < MANY; i++) {
        refs[i] = spawn_drowsy(go_round, NULL);
    }
    for (int cycle = 0; cycle < CYCLES; cycle++) {
        await_hibernated(MANY);
        if (cycle == 2) {
            first = resident_bytes();
        }
        for (uint32_t i = 0; cycle + 1 < CYCLES && i < MANY; i++) {
            ck_assert_int_eq(coact_send(refs[i], go, 0), 0);
        }
    }
    size_t last = resident_bytes();
    // A page for each would be four times as much.  ASan and Valgrind keep what
    // is freed.
    ck_assert_msg(last < first + MANY * 1024 || COACT__ASAN || COACT__TSAN ||
                      is_on_valgrind(),
                  "from %zu to %zu bytes", first, last);
    stop_runtime(runtime);
}
END_TEST

SUITE_MAIN("hibernate_stress",
           no_message_is_lost_or_overtaken_when_wakes_and_sweeps_race,
           memory_does_not_grow_from_one_hibernation_to_the_next)
