/*
 * fair_world.h - one noisy sender, many quiet ones, and a fair receiver.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef COACT_TEST_FAIR_WORLD_H
#define COACT_TEST_FAIR_WORLD_H

#include "test/actors/peers.h"

#include <unistd.h>

#define NOISY 0

/* What the senders of one crowd send, and to whom. */
struct crowd {
    peer_ref to;
    uint32_t senders;  /* quiet ones; their numbers begin at 1 */
    uint32_t noise;    /* messages of the noisy one */
    uint32_t messages; /* of each quiet one */
    bool is_deaf; /* who waits for them takes nothing from his inbox meanwhile;
                     needs a second worker */
    _Atomic uint32_t next, done;
};

__attribute__((unused)) static void
noisy_body(peer_self self, void *arg)
{
    (void)self;
    struct crowd *crowd = arg;
    for (uint32_t i = 0; i < crowd->noise; i++) {
        ck_assert_int_eq(
            coact_send(crowd->to, item, .from = NOISY, .number = i), 0);
    }
    crowd->done++;
}

__attribute__((unused)) static void
quiet_body(peer_self self, void *arg)
{
    (void)self;
    struct crowd *crowd = arg;
    uint32_t from = ++crowd->next;
    for (uint32_t i = 0; i < crowd->messages; i++) {
        ck_assert_int_eq(coact_send(crowd->to, item, .from = from, .number = i),
                         0);
    }
    crowd->done++;
}

__attribute__((unused)) static void
await_done(const struct crowd *crowd, uint32_t count)
{
    while (crowd->done < count) {
        if (crowd->is_deaf) {
            usleep(100); // a wait would look into the inbox
        } else {
            (void)coact_sleep(coact_in_ms(1));
        }
    }
}

/* All have sent, and look at the crowd no more. */
__attribute__((unused)) static void
await_senders(const struct crowd *crowd)
{
    await_done(crowd, 1 + crowd->senders);
}

/* Let all of them send, the noisy one first, and be done. */
__attribute__((unused)) static void
let_send(struct crowd *crowd)
{
    spawn_peer(noisy_body, crowd);
    await_done(crowd, 1);
    for (uint32_t i = 0; i < crowd->senders; i++) {
        spawn_peer(quiet_body, crowd);
    }
    await_senders(crowd);
}

/* How many were read until the last quiet one's was, and in which order. */
struct reading {
    uint32_t *next; /* of each sender: the number that is due */
    uint32_t senders, messages;
    uint32_t read, quiet_read, read_at_last_quiet;
};

__attribute__((unused)) static void
note_item(struct reading *reading, const struct item *m)
{
    ck_assert_uint_le(m->from, reading->senders);
    ck_assert_uint_eq(m->number, reading->next[m->from]++);
    reading->read++;
    if (m->from != NOISY) {
        reading->quiet_read++;
        reading->read_at_last_quiet = reading->read;
    }
}

__attribute__((unused)) static struct reading
read_crowd(peer_self self, const struct crowd *crowd)
{
    struct reading reading = {.senders = crowd->senders,
                              .messages = crowd->messages};
    reading.next = calloc(crowd->senders + 1, sizeof(uint32_t));
    ck_assert_ptr_nonnull(reading.next);
    uint32_t all = crowd->noise + crowd->senders * crowd->messages;
    while (reading.read < all) {
        COACT_RECEIVE(self, IN_TIME) {
        case COACT_ON(item, m):
            note_item(&reading, m);
            break;
        case COACT_ON_TIMEOUT:
            ck_abort_msg("%u of %u", reading.read, all);
            break;
        }
    }
    free(reading.next);
    reading.next = NULL;
    return reading;
}

/* conduct(), but the conductor is fair. */
__attribute__((unused)) static void
conduct_fairly(uint32_t workers, void (*body)(peer_self self, void *arg),
               void *arg)
{
    struct coact_runtime *runtime = start_runtime(workers);
    peer_ref conductor;
    struct coact_reason reason;
    ck_assert_int_eq(
        coact_spawn_with(peer, &conductor, body, arg, .fair = true), 0);
    ck_assert_int_eq(coact_join(conductor.ref, IN_TIME, &reason), 0);
    if (reason.code != COACT_NOPROC) {
        ck_assert_msg(reason.code == COACT_NORMAL, "the conductor ended: %s %s",
                      coact_reason_name(reason.code), reason.text);
    }
    stop_runtime(runtime);
}

#endif
