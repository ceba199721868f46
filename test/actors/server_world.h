/*
 * server_world.h - a server that tells what happened to it, for tests of
 * servers.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef COACT_TEST_SERVER_WORLD_H
#define COACT_TEST_SERVER_WORLD_H

#include "test/actors/peers.h"

#include <coact/server.h>

struct source {
    peer_ref to;
    uint32_t index;
};

/* What happened; written by the server, read when it rests or has ended. */
struct tally {
    uint32_t inits, clean_ups, cancels;
    uint32_t items, out_of_order, goes, questions, ticks, downs, exits;
    uint32_t items_seen_by_go;
    uint32_t next[8]; /* of each sender */
    peer_ref peer;    /* for LINK and MONITOR */
    coact_timer_id timer;
    bool fails_with_text;
};

/* The sender of an item may be an order. */
enum { COUNT = 0, LEAVE = 100, FAIL, LINK, MONITOR };
/* And so the number of a question. */
enum { HOW_MANY_ITEMS = 1000000, HOW_MANY_TICKS, HOW_MUCH_NEWS };

__attribute__((unused)) static void
tally_item(struct tally *tally, const struct item *m)
{
    coact_monitor_id monitor;
    switch (m->from) {
    case LEAVE:
        coact_exit((int)m->number);
    case FAIL:
        coact_fail(-(int)m->number, "failed on %u", (unsigned)m->number);
    case LINK:
        COACT_CHECK(coact_link(tally->peer.ref) == 0);
        break;
    case MONITOR:
        COACT_CHECK(coact_monitor(tally->peer.ref, &monitor) == 0);
        break;
    default:
        tally->out_of_order += m->number != tally->next[m->from % 8]++;
        tally->items++;
        break;
    }
}

__attribute__((unused)) static void
tally_handle(peer_turn self, void *state)
{
    struct tally *tally = state;
    COACT_HANDLE(self) {
    case COACT_ON(go, m):
        tally->goes++;
        break;
    case COACT_ON(item, m):
        tally_item(tally, m);
        break;
    case COACT_ON(question, m): {
        tally->questions++;
        coact_reply(m, .n = m->n == HOW_MANY_ITEMS   ? tally->items
                            : m->n == HOW_MANY_TICKS ? tally->ticks
                            : m->n == HOW_MUCH_NEWS
                                ? tally->downs + tally->exits
                                : m->n + 1);
    } break;
    case COACT_ON_TICK(t): {
        COACT_CHECK(t->timer.id == tally->timer.id && t->data == tally);
        if (++tally->ticks == 5) {
            COACT_CHECK(coact_timer_cancel(tally->timer) == 0);
        }
    } break;
    case COACT_ON_DOWN(d):
        tally->downs += coact_ref_equal(d->who, tally->peer.ref);
        break;
    case COACT_ON_EXIT(e):
        tally->exits += coact_ref_equal(e->from, tally->peer.ref);
        break;
    case COACT_ON_CANCELLED:
        tally->cancels++;
        break;
    }
}

__attribute__((unused)) static void
tally_clean(void *arg)
{
    ((struct tally *)arg)->clean_ups++;
}

__attribute__((unused)) static int
tally_init(void **state)
{
    struct tally *tally = *state;
    tally->inits++;
    return coact_defer(tally_clean, tally);
}

/* A server that always has one message more: each go sends the next. */
struct flood {
    _Atomic uint64_t turns;
};

__attribute__((unused)) static void
flooding_handle(peer_turn self, void *state)
{
    struct flood *flood = state;
    COACT_HANDLE(self) {
    case COACT_ON(go, m): {
        atomic_fetch_add_explicit(&flood->turns, 1, memory_order_relaxed);
        peer_ref me = {self.ref};
        COACT_CHECK(coact_send(me, go, 0) == 0);
    } break;
    }
}

__attribute__((unused)) static bool
is_at_rest(void *context, const struct coact_actor_info *info)
{
    *(uint32_t *)context += strcmp(info->state, "rest") == 0;
    return true;
}

__attribute__((unused)) static void
wait_until_at_rest(uint32_t count)
{
    uint32_t resting = 0;
    int64_t deadline_ns = IN_TIME;
    while (resting != count && coact_now_ns() < deadline_ns) {
        resting = 0;
        coact_each_actor(coact_runtime_here(), is_at_rest, &resting);
        coact_sleep(coact_in_ms(1));
    }
    ck_assert_uint_eq(resting, count);
}

#endif
