/*
 * migrant.c - an actor that wakes on another thread after each of its waits.
 *
 * Two threads drive one runtime.  It is always the one on which the migrant is
 * not that pumps next, so that the migrant cannot but change threads.  Each
 * thread keeps an errno of its own, which nobody may touch while it stands
 * still: an actor that holds the address of the errno of a thread that it has
 * left would write there.
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
#include <stdio.h>
#include <stdlib.h>
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

#define OWN_ERRNO(thread) (1000000 + (thread))

struct travel {
    struct coact_runtime *runtime;
    struct migrant_report *report;
    unsigned rounds;
    pthread_mutex_t lock;
    pthread_cond_t turn;
    int at;    /* on which thread the migrant is: the other one pumps */
    bool over; /* the migrant has arrived */
    mate_ref mate;
    int pipe[2];
};

/* The one way to a thread-local that may be used in an actor: never inlined,
   and the compiler knows nothing of the address. */
static _Thread_local int thread_number;

__attribute__((noinline)) static int *
number_of_this_thread(void)
{
    int *p = &thread_number;
    __asm__ volatile("" : "+r"(p) : : "memory");
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

static int
wait_as(migrant_self self, struct travel *t, enum how how)
{
    struct echoed reply;
    switch (how) {
    case YIELD:
        return coact_yield();
    case SLEEP:
        return coact_sleep(coact_in_ns(10000));
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
    struct migrant_report *report = t->report;
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
    report->moves += *number_of_this_thread() != t->at;
    report->confused += *number_of_this_thread() != 1 - t->at;
    report->confused += !coact_ref_equal(me, coact_self());
    report->confused += coact_runtime_here() != t->runtime;
}

static void
migrant_body(migrant_self self, void *arg)
{
    struct travel *t = arg;
    t->at = *number_of_this_thread();
    for (unsigned round = 0; round < t->rounds; round++) {
        for (int how = 0; how < HOWS; how++) {
            go_and_look(self, t, (enum how)how, 2000 + how);
            t->at = *number_of_this_thread();
        }
    }
    coact_kill(t->mate.ref);
    t->over = true;
}

/* ---- The threads --------------------------------------------------------- */

static void
pump_once(struct travel *t)
{
    if (coact_pump(t->runtime, COACT_NOW) == 0) {
        struct pollfd fd = {.fd = coact_fd(t->runtime), .events = POLLIN};
        poll(&fd, 1, 1); // for the one that sleeps
    }
}

static void
take_turns(struct travel *t, int me)
{
    *number_of_this_thread() = me;
    errno = OWN_ERRNO(me);
    pthread_mutex_lock(&t->lock);
    while (!t->over) {
        if (t->at == me) {
            pthread_cond_wait(&t->turn, &t->lock);
            continue;
        }
        t->report->strayed += errno != OWN_ERRNO(me);
        pump_once(t);
        errno = OWN_ERRNO(me);
        pthread_cond_broadcast(&t->turn);
    }
    t->report->strayed += errno != OWN_ERRNO(me);
    pthread_mutex_unlock(&t->lock);
}

static void *
second_thread(void *arg)
{
    take_turns(arg, 1);
    return NULL;
}

static int
spawn_all(struct travel *t)
{
    migrant_ref migrant;
    int rc = coact_spawn_with(mate, &t->mate, mate_body, NULL,
                              .runtime = t->runtime);
    return rc == 0 ? coact_spawn_with(migrant, &migrant, migrant_body, t,
                                      .runtime = t->runtime)
                   : rc;
}

static int
travel(struct travel *t)
{
    pthread_t thread;
    int rc = spawn_all(t);
    if (rc == 0) {
        rc = -pthread_create(&thread, NULL, second_thread, t);
    }
    if (rc == 0) {
        take_turns(t, 0);
        pthread_join(thread, NULL);
    }
    int stopped = coact_stop(t->runtime, COACT_FOREVER);
    return rc == 0 ? stopped : rc;
}

int
migrant_travel(unsigned rounds, struct migrant_report *report)
{
    struct travel t = {.report = report,
                       .rounds = rounds,
                       .lock = PTHREAD_MUTEX_INITIALIZER,
                       .turn = PTHREAD_COND_INITIALIZER,
                       .at = 1};
    *report = (struct migrant_report){0};
    const struct coact_runtime_options options = {.host_driven = true};
    int rc = pipe(t.pipe) == 0 ? 0 : -EMFILE;
    if (rc == 0) {
        rc = coact_start(&options, &t.runtime);
    }
    if (rc == 0) {
        rc = travel(&t);
        int freed = coact_free(t.runtime);
        rc = rc == 0 ? freed : rc;
    }
    close(t.pipe[0]);
    close(t.pipe[1]);
    return rc;
}

#ifdef MIGRANT_MAIN
int
main(void)
{
    struct migrant_report r;
    int rc = migrant_travel(200, &r);
    printf("%s: %u waits, %u moves; errno: %u lost, %u misread, %u strayed; "
           "%u confused\n",
           coact_strerror(rc), r.waits, r.moves, r.lost, r.misread, r.strayed,
           r.confused);
    bool is_good = rc == 0 && r.waits > 0 && r.moves == r.waits;
    return !is_good ? 2 : r.lost + r.misread + r.strayed + r.confused > 0;
}
#endif
