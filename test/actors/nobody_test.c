/*
 * nobody_test.c - addresses that name nobody: none at all, of a former life of
 * this node, of a slot that was never used.
 *
 * SPDX-License-Identifier: MIT
 */
#include "test/actors/peers.h"

static coact_ref addresses[3];

static void
make_addresses(void)
{
    coact_ref self = coact_self();
    addresses[0] = (coact_ref){0};
    addresses[1] = self;
    addresses[1].incarnation ^= 1;
    addresses[2] = self;
    addresses[2].slot += 1000; // in the same slab
    addresses[2].generation = 0;
}

static void
send_to_nobody(peer_self self, void *arg)
{
    (void)self, (void)arg;
    make_addresses();
    for (size_t i = 0; i < 3; i++) {
        peer_ref nobody = {.ref = addresses[i]};
        struct answer answer;
        ck_assert_int_eq(coact_send(nobody, go, 0), -ESRCH);
        ck_assert_int_eq(coact_ask(nobody, question, &answer, IN_TIME, .n = 1),
                         -ESRCH);
        ck_assert_int_eq(coact_kill(nobody.ref), 0);
        ck_assert(!coact_is_alive(nobody.ref));
    }
}

START_TEST(s25_an_address_that_names_nobody_is_a_dead_one)
{
    conduct(1, send_to_nobody, NULL);
}
END_TEST

static void
watch_nobody(peer_self self, void *arg)
{
    (void)arg;
    make_addresses();
    for (size_t i = 0; i < 3; i++) {
        coact_monitor_id id;
        ck_assert_int_eq(coact_monitor(addresses[i], &id), 0);
        COACT_RECEIVE(self, IN_TIME) {
        case COACT_ON_DOWN(d): {
            ck_assert_int_eq(d->reason.code, COACT_NOPROC);
            ck_assert_uint_eq(d->monitor.id, id.id);
        } break;
        case COACT_ON_TIMEOUT:
            ck_abort_msg("no news");
        }
    }
}

START_TEST(s05_a_monitor_of_nobody_says_noproc)
{
    conduct(1, watch_nobody, NULL);
}
END_TEST

SUITE_MAIN("nobody", s25_an_address_that_names_nobody_is_a_dead_one,
           s05_a_monitor_of_nobody_says_noproc)
