/*
 * pingpong.c - a message there and back: two actors alone, or 64 pairs at once.
 *
 * Alone, it is the price of the shortest conversation, and shows whether a
 * second worker does harm.  With pairs there is lasting work for all workers.
 * With the variant server both are servers, and each message finds one at rest.
 *
 * SPDX-License-Identifier: MIT
 */
#include "test/bench/bench.h"

#include <coact/server.h>

enum { PAIRS = 64 };

COACT_MAILBOX(echo, ping);

static void
echo_body(echo_self self, void *arg)
{
    boss_ref to = *(boss_ref *)arg;
    for (;;) {
        COACT_RECEIVE(self, COACT_FOREVER) {
        case COACT_ON(ping, m):
            bench_must(coact_send(to, pong, .value = m->value), "send a pong");
            break;
        }
    }
}

static void
play(boss_self self, echo_ref echo, int64_t rounds)
{
    for (int64_t i = 0; i < rounds; i++) {
        bench_must(coact_send(echo, ping, .value = i), "send a ping");
        COACT_RECEIVE(self, COACT_FOREVER) {
        case COACT_ON(pong, m):
            bench_check(m->value == i, "a pong has the value of its ping");
            break;
        }
    }
}

COACT_MAILBOX(player, pong);

struct player {
    echo_ref echo;
    boss_ref boss;
    int64_t rounds, played;
};

static void
echo_handle(echo_turn self, void *state)
{
    player_ref to = *(player_ref *)state;
    COACT_HANDLE(self) {
    case COACT_ON(ping, m):
        bench_must(coact_send(to, pong, .value = m->value), "send a pong");
        break;
    }
}

static void
player_handle(player_turn self, void *state)
{
    struct player *player = state;
    COACT_HANDLE(self) {
    case COACT_ON(pong, m): {
        bench_check(m->value == player->played,
                    "a pong has the value of its ping");
        if (++player->played < player->rounds) {
            bench_must(coact_send(player->echo, ping, .value = player->played),
                       "send a ping");
        } else {
            bench_must(coact_send(player->boss, done, .value = player->played),
                       "send");
        }
    } break;
    }
}

static void
play_as_servers(boss_self self, struct bench_run *run)
{
    player_ref one;
    struct player player = {.boss = {self.ref}, .rounds = run->n};
    bench_must(coact_serve(player, &one, player_handle, &player), "spawn");
    bench_must(coact_serve(echo, &player.echo, echo_handle, &one), "spawn");
    int64_t start = coact_now_ns();
    bench_must(coact_send(player.echo, ping, .value = 0), "send a ping");
    bench_check(bench_collect(self, 1) == run->n, "they played to the end");
    bench_finish(run, run->n, start);
}

void
bench_pingpong(boss_self self, void *arg)
{
    struct bench_run *run = arg;
    if (run->variant[0] != '\0') {
        play_as_servers(self, run);
        return;
    }
    boss_ref me = {self.ref};
    echo_ref echo;
    bench_must(coact_spawn(echo, &echo, echo_body, &me), "spawn");
    int64_t start = coact_now_ns();
    play(self, echo, run->n);
    bench_finish(run, run->n, start);
}

struct pair {
    int64_t rounds;
    boss_ref boss;
};

static void
pair_body(boss_self self, void *arg)
{
    const struct pair *pair = arg;
    boss_ref me = {self.ref};
    echo_ref echo;
    bench_must(coact_spawn(echo, &echo, echo_body, &me), "spawn");
    play(self, echo, pair->rounds);
    bench_must(coact_send(pair->boss, done, .value = pair->rounds), "send");
}

void
bench_pairs(boss_self self, void *arg)
{
    struct bench_run *run = arg;
    struct pair pair = {run->n, {self.ref}};
    int64_t start = coact_now_ns();
    for (int i = 0; i < PAIRS; i++) {
        boss_ref one;
        bench_must(coact_spawn(boss, &one, pair_body, &pair), "spawn");
    }
    int64_t rounds = bench_collect(self, PAIRS);
    bench_finish(run, rounds, start);
    bench_check(rounds == PAIRS * run->n, "all pairs played to the end");
}
