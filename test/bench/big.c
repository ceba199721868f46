/*
 * big.c - 512 actors, each pinging random others, one ping at a time.
 *
 * While it waits for its pong a player answers the pings of others.
 *
 * SPDX-License-Identifier: MIT
 */
#include "test/bench/bench.h"

enum { PLAYERS = 512 };

COACT_SIGNAL(go);
COACT_MAILBOX(player, go, ping, pong);

struct big {
    boss_ref boss;
    int64_t pings; /* of each player */
    player_ref players[PLAYERS];
    struct seat {
        const struct big *big;
        int64_t number;
    } seats[PLAYERS];
};

/* Answer pings until a pong comes. */
static void
serve_until_pong(player_self self, const struct seat *me)
{
    for (bool answered = false; !answered;) {
        COACT_RECEIVE(self, COACT_FOREVER) {
        case COACT_ON(ping, m): {
            player_ref to = me->big->players[m->value];
            bench_must(coact_send(to, pong, .value = me->number),
                       "send a pong");
        } break;
        case COACT_ON(pong, m):
            answered = m->value >= 0;
            break;
        }
    }
}

static void
player_body(player_self self, void *arg)
{
    const struct seat *me = arg;
    const struct big *big = me->big;
    uint32_t seed = ((uint32_t)me->number + 1) * 2654435761U;
    // Others may be ahead of us and have sent pings; those wait.
    COACT_RECEIVE_ONLY(self, COACT_FOREVER, go) {
    case COACT_ON(go, m):
        (void)m;
        break;
    }
    for (int64_t i = 0; i < big->pings; i++) {
        seed = seed * 1103515245 + 12345;
        player_ref to = big->players[(seed >> 16) % PLAYERS];
        bench_must(coact_send(to, ping, .value = me->number), "send a ping");
        serve_until_pong(self, me);
    }
    bench_must(coact_send(big->boss, done, .value = big->pings), "send");
    for (;;) {
        serve_until_pong(self, me);
    }
}

void
bench_big(boss_self self, void *arg)
{
    struct bench_run *run = arg;
    // Too large for a stack.  Nobody reads it after the last pong.
    struct big *big = coact_arena(sizeof(*big));
    bench_must(big != NULL ? 0 : -ENOMEM, "arena");
    *big = (struct big){.boss = {self.ref}, .pings = run->n};
    for (int i = 0; i < PLAYERS; i++) {
        big->seats[i] = (struct seat){big, i};
        bench_must(
            coact_spawn(player, &big->players[i], player_body, &big->seats[i]),
            "spawn");
    }
    int64_t start = coact_now_ns();
    for (int i = 0; i < PLAYERS; i++) {
        bench_must(coact_send(big->players[i], go, 0), "send");
    }
    int64_t pings = bench_collect(self, PLAYERS);
    bench_finish(run, pings, start);
    bench_check(pings == PLAYERS * run->n, "every player had all its pongs");
}
