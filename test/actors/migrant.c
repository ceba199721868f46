/*
 * migrant.c - an actor that wakes on another thread after each of its waits.
 *
 * Two threads drive one runtime.  It is always the one on which the migrant is
 * not that pumps next, so that the migrant cannot but change threads.  Each
 * thread keeps an errno of its own, which nobody may touch while it stands
 * still: an actor that holds the address of the errno of a thread that it has
 * left would write there.  And many of them wander among the workers of another
 * runtime, where chance moves them.
 *
 * test/scripts/errno_test compiles this file as a program (MIGRANT_MAIN), with
 * public headers only, in the ways in which a compiler might keep an address.
 *
 * SPDX-License-Identifier: MIT
 */
#include "migrant.h"

#include <coact/actor.h>
#include <coact/io.h>
#include <coact/runtime.h>

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

enum how { YIELD, SLEEP, ASK, RECEIVE, WAIT_FD, JOIN, HOWS };

struct echo {
    unsigned n;
};
struct echoed {
    unsigned n;
};
struct nudge {
    coact_ref who;
    int fd; /* to write a byte to; negative: a message to who */
};
COACT_SIGNAL(nudged);
COACT_MESSAGE(echoed, (1, n));
COACT_REQUEST(echo, echoed, (1, n));
COACT_MESSAGE(nudge, (1, who, REF), (2, fd));
COACT_MAILBOX(mate, echo, nudge);
COACT_MAILBOX(migrant, nudged);
COACT_MAILBOX(brief, nudged);

/* No code of the system's. */
#define OWN_ERRNO(thread) (100000 + (thread))

/* One migrant's. */
struct travel {
    struct coact_runtime *runtime;
    struct migrant_report report;
    unsigned rounds;
    const struct wandering *wandering; /* NULL: it travels by turns */
    pid_t at;                          /* its thread, before a wait */
    mate_ref mate;
    int pipe[2];
};

/* Two threads take turns. */
struct turns {
    struct travel travel;
    pthread_mutex_t lock;
    pthread_cond_t turn;
    _Atomic bool over;
};

/* Many wander at once. */
struct wandering {
    _Atomic unsigned *moves;
    unsigned most_moves;
    int64_t deadline_ns;
};

/* The one way to a thread-local that may be used in an actor: never inlined,
   and the compiler knows nothing of the address. */
static _Thread_local pid_t id_of_thread;

__attribute__((noinline)) static pid_t *
id_of_this_thread(void)
{
    pid_t *p = &id_of_thread;
    __asm__ volatile("" : "+r"(p) : : "memory");
    if (*p == 0) {
        *p = (pid_t)syscall(SYS_gettid);
    }
    return p;
}

/* ---- Those who keep the migrant company ---------------------------------- */

static void
mate_body(mate_self self, void *arg)
{
    (void)arg;
    for (bool is_on = true; is_on;) {
        COACT_RECEIVE(self, COACT_FOREVER) {
        case COACT_ON(echo, m):
            coact_reply(m, .n = m->n + 1);
            break;
        case COACT_ON(nudge, m):
            if (m->fd < 0) {
                coact_send((migrant_ref){.ref = m->who}, nudged, 0);
            } else if (write(m->fd, "!", 1) != 1) {
                abort();
            }
            break;
        case COACT_ON_CANCELLED:
            is_on = false;
            break;
        }
    }
}

static void
brief_body(brief_self self, void *arg)
{
    (void)self, (void)arg;
}

/* ---- The migrant --------------------------------------------------------- */

static void
receive_nudge(migrant_self self, struct travel *t)
{
    coact_send(t->mate, nudge, .who = coact_self(), .fd = -1);
    COACT_RECEIVE(self, COACT_FOREVER) {
    case COACT_ON(nudged, m):
        (void)m;
        break;
    }
}

static int
wait_for_byte(struct travel *t)
{
    char byte;
    coact_send(t->mate, nudge, .who = coact_self(), .fd = t->pipe[1]);
    int rc = coact_wait_fd(t->pipe[0], POLLIN, COACT_FOREVER);
    return rc == 0 && read(t->pipe[0], &byte, 1) == 1 ? 0 : -EIO;
}

static int
join_another(void)
{
    brief_ref other;
    int rc = coact_spawn(brief, &other, brief_body, NULL);
    return rc == 0 ? coact_join(other.ref, COACT_FOREVER, NULL) : rc;
}

/* On a busy machine the time may have passed before the sleep begins, and then
   there is none. */
static int
sleep_somewhere_else(struct travel *t)
{
    int rc = 0;
    for (int i = 0; rc == 0 && i < 10 && *id_of_this_thread() == t->at; i++) {
        rc = coact_sleep(coact_in_ns(20000 << i));
    }
    return rc;
}

static int
wait_as(migrant_self self, struct travel *t, enum how how)
{
    struct echoed reply;
    switch (how) {
    case YIELD:
        return coact_yield();
    case SLEEP:
        return sleep_somewhere_else(t);
    case ASK:
        return coact_ask(t->mate, echo, &reply, COACT_FOREVER, .n = 1);
    case RECEIVE:
        receive_nudge(self, t);
        return 0;
    case WAIT_FD:
        return wait_for_byte(t);
    case JOIN:
        return join_another();
    case HOWS:
        break;
    }
    return -EINVAL;
}

/* All in one function: what a compiler knows before the wait it may use after
   it. */
static void
go_and_look(migrant_self self, struct travel *t, enum how how, int code)
{
    struct migrant_report *report = &t->report;
    coact_ref me = coact_self();
    if (access("/nowhere", F_OK) == 0 || errno != ENOENT) {
        report->misread++;
    }
    errno = code;
    if (wait_as(self, t, how) != 0) {
        abort();
    }
    report->lost += errno != code;
    if (close(-1) == 0 || errno != EBADF) {
        report->misread++;
    }
    errno = code + 1;
    report->lost += errno != code + 1;
    report->waits++;
    report->moves += *id_of_this_thread() != t->at;
    report->confused += *id_of_this_thread() != (pid_t)syscall(SYS_gettid);
    report->confused += !coact_ref_equal(me, coact_self());
    report->confused += coact_runtime_here() != t->runtime;
}

static bool
is_over(struct travel *t, unsigned round)
{
    const struct wandering *w = t->wandering;
    if (w == NULL) {
        return round == t->rounds;
    }
    return atomic_load_explicit(w->moves, memory_order_relaxed) >=
               w->most_moves ||
           coact_now_ns() >= w->deadline_ns;
}

static void
see_the_world(migrant_self self, struct travel *t)
{
    for (unsigned round = 0; !is_over(t, round); round++) {
        unsigned moves = t->report.moves;
        for (int how = 0; how < HOWS; how++) {
            t->at = *id_of_this_thread();
            go_and_look(self, t, (enum how)how, 2000 + how);
        }
        if (t->wandering != NULL) {
            atomic_fetch_add_explicit(t->wandering->moves,
                                      t->report.moves - moves,
                                      memory_order_relaxed);
        }
    }
    t->at = *id_of_this_thread();
}

static void
migrant_body(migrant_self self, void *arg)
{
    struct travel *t = arg;
    if (pipe(t->pipe) != 0 ||
        coact_spawn(mate, &t->mate, mate_body, NULL) < 0) {
        abort();
    }
    see_the_world(self, t);
    coact_kill(t->mate.ref);
    close(t->pipe[0]);
    close(t->pipe[1]);
}

/* ---- By turns ------------------------------------------------------------ */

static void
pump_once(struct coact_runtime *runtime)
{
    if (coact_pump(runtime, COACT_NOW) == 0) {
        struct pollfd fd = {.fd = coact_fd(runtime), .events = POLLIN};
        poll(&fd, 1, 1); // for the one that sleeps
    }
}

static void *
take_turns(void *arg)
{
    struct turns *turns = arg;
    pid_t me = *id_of_this_thread();
    unsigned strayed = 0;
    errno = OWN_ERRNO(me);
    pthread_mutex_lock(&turns->lock);
    while (!atomic_load_explicit(&turns->over, memory_order_acquire)) {
        if (turns->travel.at == me) {
            pthread_cond_wait(&turns->turn, &turns->lock);
            continue;
        }
        strayed += errno != OWN_ERRNO(me);
        pump_once(turns->travel.runtime);
        errno = OWN_ERRNO(me);
        pthread_cond_broadcast(&turns->turn);
    }
    strayed += errno != OWN_ERRNO(me);
    turns->travel.report.strayed += strayed;
    pthread_mutex_unlock(&turns->lock);
    return NULL;
}

static void
migrant_by_turns(migrant_self self, void *arg)
{
    struct turns *turns = arg;
    migrant_body(self, &turns->travel);
    atomic_store_explicit(&turns->over, true, memory_order_release);
}

static int
travel_by_turns(struct turns *turns)
{
    pthread_t thread;
    migrant_ref migrant;
    int rc = coact_spawn_with(migrant, &migrant, migrant_by_turns, turns,
                              .runtime = turns->travel.runtime);
    if (rc == 0) {
        rc = -pthread_create(&thread, NULL, take_turns, turns);
    }
    if (rc == 0) {
        take_turns(turns);
        pthread_join(thread, NULL);
    }
    int stopped = coact_stop(turns->travel.runtime, COACT_FOREVER);
    return rc == 0 ? stopped : rc;
}

int
migrant_travel(unsigned rounds, struct migrant_report *report)
{
    const struct coact_runtime_options options = {.host_driven = true};
    struct turns turns = {.lock = PTHREAD_MUTEX_INITIALIZER,
                          .turn = PTHREAD_COND_INITIALIZER};
    turns.travel.rounds = rounds;
    int rc = coact_start(&options, &turns.travel.runtime);
    if (rc == 0) {
        rc = travel_by_turns(&turns);
        int freed = coact_free(turns.travel.runtime);
        rc = rc == 0 ? freed : rc;
    }
    *report = turns.travel.report;
    return rc;
}

/* ---- Among workers ------------------------------------------------------- */

static void
add(struct migrant_report *sum, const struct migrant_report *one)
{
    sum->waits += one->waits;
    sum->moves += one->moves;
    sum->lost += one->lost;
    sum->misread += one->misread;
    sum->confused += one->confused;
}

#define WANDERERS 16

int
migrant_wander(unsigned moves, int64_t deadline_ns,
               struct migrant_report *report)
{
    const struct coact_runtime_options options = {.workers = 4};
    struct coact_runtime *runtime;
    _Atomic unsigned moved = 0;
    const struct wandering wandering = {&moved, moves, deadline_ns};
    static struct travel travels[WANDERERS];
    migrant_ref migrants[WANDERERS];
    *report = (struct migrant_report){0};
    int rc = coact_start(&options, &runtime);
    if (rc < 0) {
        return rc;
    }
    rc = coact_attach(runtime);
    for (int i = 0; rc == 0 && i < WANDERERS; i++) {
        travels[i] =
            (struct travel){.runtime = runtime, .wandering = &wandering};
        rc = coact_spawn(migrant, &migrants[i], migrant_body, &travels[i]);
    }
    for (int i = 0; rc == 0 && i < WANDERERS; i++) {
        rc = coact_join(migrants[i].ref, COACT_FOREVER, NULL);
        add(report, &travels[i].report);
    }
    coact_detach();
    int stopped = coact_stop(runtime, COACT_FOREVER);
    int freed = coact_free(runtime);
    return rc < 0 ? rc : stopped < 0 ? stopped : freed;
}

#ifdef MIGRANT_MAIN
static bool
has_gone_well(const char *what, int rc, const struct migrant_report *r)
{
    printf("%s: %s: %u waits, %u moves; errno: %u lost, %u misread, "
           "%u strayed; %u confused\n",
           what, coact_strerror(rc), r->waits, r->moves, r->lost, r->misread,
           r->strayed, r->confused);
    return rc == 0 && r->lost + r->misread + r->strayed + r->confused == 0;
}

/* 0: all is well; 1: errno or a thread-local went wrong; 2: it did not move. */
int
main(void)
{
    struct migrant_report r;
    int rc = migrant_travel(200, &r);
    bool is_good = has_gone_well("by turns", rc, &r);
    if (rc < 0 || r.waits == 0 || r.moves != r.waits) {
        return 2;
    }
    rc = migrant_wander(100, coact_in_ms(10000), &r);
    is_good = has_gone_well("among workers", rc, &r) && is_good;
    return rc < 0 || r.moves == 0 ? 2 : !is_good;
}
#endif
