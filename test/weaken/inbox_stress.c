/*
 * inbox_stress.c - real threads on an inbox, for the race detector.
 *
 * In rounds.  First two senders and a receiver that listens, takes, and closes
 * early; then a waker and a sleeper that is deaf.  Within a round only the inbox
 * orders what one thread writes before what another reads; at the end of each
 * there is a barrier.
 *
 * SPDX-License-Identifier: MIT
 */
#include "runtime/inbox.c"

#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>

enum { ROUNDS = 1500, SENDERS = 2, EACH = 4, CLOSE_AFTER = 5 };

struct letter {
    _Alignas(16) struct coact__inbox_node node; /* first */
    int body;
};

static struct coact__inbox inbox;
static struct letter letters[SENDERS][EACH];
static pthread_barrier_t round_ends;
/* Apart, so that the detector forgets none for another. */
static _Alignas(64) int slot;    /* what the owner writes before it opens */
static _Alignas(64) int context; /* what a task leaves as it sleeps */
static _Alignas(64) int reply;   /* what a waker writes before it wakes */
static _Atomic int closed;       /* rounds closed so far: relaxed, no order */
static _Atomic bool scheduled;   /* stands for the run queue */
static _Atomic int refusals;

static void
must(bool claim, const char *what)
{
    if (!claim) {
        printf("not so: %s\n", what);
        exit(1);
    }
}

static void
schedule(void)
{
    context++;
    must(!atomic_exchange_explicit(&scheduled, true, memory_order_acq_rel),
         "one waker for each sleep");
}

static void
wait_until_scheduled(void)
{
    while (!atomic_exchange_explicit(&scheduled, false, memory_order_acq_rel)) {
        sched_yield();
    }
}

static bool
sleep_once(enum coact__inbox_flag how)
{
    context++;
    if (!coact__inbox_sleep_by_owner(&inbox, how)) {
        return false;
    }
    wait_until_scheduled();
    context++;
    return true;
}

/* Refused before the round has opened: try again.  After: it is over. */
static void
send_letter(struct letter *l, int round)
{
    l->body = round;
    for (;;) {
        bool is_over =
            atomic_load_explicit(&closed, memory_order_relaxed) > round;
        switch (coact__inbox_push(&inbox, &l->node)) {
        case COACT__INBOX_WOKEN:
            schedule();
            must(slot == round, "the slot's new owner is seen");
            return;
        case COACT__INBOX_PUSHED:
            must(slot == round, "the slot's new owner is seen");
            return;
        case COACT__INBOX_REFUSED:
            break;
        }
        if (is_over) {
            atomic_fetch_add_explicit(&refusals, 1, memory_order_relaxed);
            l->body = -1;
            return;
        }
        sched_yield();
    }
}

static void *
sender(void *arg)
{
    struct letter *mine = arg;
    for (int round = 0; round < ROUNDS; round++) {
        for (int i = 0; i < EACH; i++) {
            send_letter(&mine[i], round);
        }
        pthread_barrier_wait(&round_ends);
        pthread_barrier_wait(&round_ends);
    }
    return NULL;
}

static int
read_letters(const struct coact__inbox_node *node, int round)
{
    int n = 0;
    for (; node != NULL; node = node->next) {
        must(((const struct letter *)node)->body == round,
             "a letter is of this round");
        n++;
    }
    return n;
}

static void
receive_round(int round)
{
    int n = 0;
    slot = round;
    atomic_store_explicit(&refusals, 0, memory_order_relaxed);
    coact__inbox_open(&inbox);
    while (n < CLOSE_AFTER) {
        struct coact__inbox_node *list =
            coact__inbox_turn_round(coact__inbox_take_by_owner(&inbox));
        if (list != NULL) {
            n += read_letters(list, round);
        } else {
            sleep_once(COACT__INBOX_LISTENING);
        }
    }
    n += read_letters(coact__inbox_close_by_owner(&inbox), round);
    atomic_store_explicit(&closed, round + 1, memory_order_relaxed);
    pthread_barrier_wait(&round_ends);
    n += atomic_load_explicit(&refusals, memory_order_relaxed);
    must(n == SENDERS * EACH, "every letter is delivered or refused");
    pthread_barrier_wait(&round_ends);
}

static void *
waker(void *arg)
{
    (void)arg;
    for (int round = 0; round < ROUNDS; round++) {
        pthread_barrier_wait(&round_ends);
        reply = round;
        if (coact__inbox_wake_from_any(&inbox)) {
            schedule();
        }
        pthread_barrier_wait(&round_ends);
    }
    return NULL;
}

/* One wake a round: whichever way the sleep ends, the reply is there. */
static void
await_round(int round)
{
    pthread_barrier_wait(&round_ends);
    sleep_once(COACT__INBOX_DEAF);
    must(reply == round, "the waker's reply is seen");
    pthread_barrier_wait(&round_ends);
}

static void
with_senders(void)
{
    pthread_t threads[SENDERS];
    pthread_barrier_init(&round_ends, NULL, SENDERS + 1);
    coact__inbox_close_by_owner(&inbox);
    for (int i = 0; i < SENDERS; i++) {
        pthread_create(&threads[i], NULL, sender, letters[i]);
    }
    for (int round = 0; round < ROUNDS; round++) {
        receive_round(round);
    }
    for (int i = 0; i < SENDERS; i++) {
        pthread_join(threads[i], NULL);
    }
    pthread_barrier_destroy(&round_ends);
}

static void
with_waker(void)
{
    pthread_t thread;
    pthread_barrier_init(&round_ends, NULL, 2);
    coact__inbox_open(&inbox);
    pthread_create(&thread, NULL, waker, NULL);
    for (int round = 0; round < ROUNDS; round++) {
        await_round(round);
    }
    pthread_join(thread, NULL);
    pthread_barrier_destroy(&round_ends);
}

int
main(void)
{
    with_senders();
    with_waker();
    return 0;
}
