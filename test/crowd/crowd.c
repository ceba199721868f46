/*
 * crowd.c - who goes on, and when.
 *
 * keys[i] is the clock of a thread that runs, the deadline of one that sleeps,
 * or FOREVER.  The one with the least key goes on.  As long as a thread's clock
 * is not ahead of the next one's by more than the quantum, it goes on without a
 * switch; so two clocks differ by no more than that, and one piece of work.
 *
 * oracle.c, poller.c and altstack.c are replaced here as a whole.
 *
 * SPDX-License-Identifier: MIT
 */
#include "test/crowd/crowd.h"

#include "runtime/altstack.h"
#include "runtime/context.h"
#include "runtime/here.h"
#include "runtime/oracle.h"
#include "runtime/poller.h"
#include "test/support/suite.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define THREADS 160
#define STACK_BYTES ((size_t)128 << 10)
#define FOREVER INT64_MAX
#define START_NS INT64_C(1000000000)
#define STEPS_MOST UINT64_C(400000000)

struct thread {
    struct coact__context context;
    struct coact__here here;
    int error_number;
    void *(*body)(void *arg);
    void *arg;
    const void *waits_for; /* NULL: it runs, or may go on */
    bool is_late;          /* its deadline has ended the sleep */
    bool has_ended;
};

static struct {
    bool runs;
    bool is_idle; /* in `idle`, which takes no time */
    uint32_t self, count;
    int64_t next_key; /* the least of the others */
    int64_t left_ns;  /* the clock of who was the last to wait, or to end */
    int64_t keys[THREADS];
    struct thread threads[THREADS];
    unsigned char *stacks; /* of all but the first; kept for the next run */
    uint64_t random, seed;
    int64_t quantum_ns;
    bool is_calm;
    uint32_t hiccup_mask; /* one in so many steps loses its processor */
    bool has_barrier;
    void (*idle)(void);
    struct crowd_counts counts;
} crowd;

static const char quiet; /* what crowd_wait_until_quiet waits for */

void
crowd_fail(const char *claim, const char *file, int line)
{
    ck_abort_msg("%s:%d: seed %" PRIu64 ", thread %" PRIu32 ", at %" PRId64
                 " ns, step %" PRIu64 ": %s",
                 file, line, crowd.seed, crowd.self, crowd_now_ns() - START_NS,
                 crowd.counts.steps, claim);
    abort();
}

/* xorshift64*: the low bits are poor, so the high ones are used. */
static uint32_t
draw(void)
{
    crowd.random ^= crowd.random >> 12;
    crowd.random ^= crowd.random << 25;
    crowd.random ^= crowd.random >> 27;
    return (uint32_t)((crowd.random * 0x2545f4914f6cdd1du) >> 32);
}

uint32_t
crowd_draw(uint32_t n)
{
    return (uint32_t)(((uint64_t)draw() * n) >> 32);
}

int64_t
crowd_now_ns(void)
{
    return crowd.runs ? crowd.keys[crowd.self] : START_NS;
}

const struct crowd_counts *
crowd_counted(void)
{
    return &crowd.counts;
}

/* ---- Who goes on ---- */

static uint32_t
first_but(uint32_t but)
{
    uint32_t first = but == 0;
    for (uint32_t i = first + 1; i < crowd.count; i++) {
        if (i != but && crowd.keys[i] < crowd.keys[first]) {
            first = i;
        }
    }
    return first;
}

static bool
does_anybody_run(void)
{
    for (uint32_t i = 0; i < crowd.count; i++) {
        if (!crowd.threads[i].has_ended && crowd.threads[i].waits_for == NULL) {
            return true;
        }
    }
    return false;
}

/* Nobody goes on by himself. */
static uint32_t
who_waited_for_quiet(void)
{
    for (uint32_t i = 0; i < crowd.count; i++) {
        if (crowd.threads[i].waits_for == &quiet) {
            crowd.keys[i] = crowd.left_ns;
            return i;
        }
    }
    crowd_fail("somebody can go on", __FILE__, __LINE__);
}

static uint32_t
choose(void)
{
    uint32_t to = first_but(UINT32_MAX);
    struct thread *thread = &crowd.threads[to];
    if (thread->waits_for == NULL && crowd.keys[to] != FOREVER) {
        return to;
    }
    if (crowd.idle != NULL && !does_anybody_run()) {
        crowd_look(crowd.idle);
    }
    if (crowd.keys[to] == FOREVER) {
        to = who_waited_for_quiet();
        thread = &crowd.threads[to];
    }
    thread->waits_for = NULL;
    thread->is_late = true;
    return to;
}

static void
go_on(void)
{
    uint32_t from = crowd.self;
    uint32_t to = choose();
    crowd.next_key = crowd.count > 1 ? crowd.keys[first_but(to)] : FOREVER;
    if (to == from) {
        return;
    }
    struct thread *left = &crowd.threads[from];
    left->here = *coact__here();
    left->error_number = errno;
    *coact__here() = (struct coact__here){0};
    crowd.self = to;
    (void)coact__context_switch(&left->context, &crowd.threads[to].context,
                                NULL);
    *coact__here() = crowd.threads[crowd.self].here;
    errno = crowd.threads[crowd.self].error_number;
}

static void
spend(int64_t ns)
{
    crowd.keys[crowd.self] += ns;
    if (crowd.keys[crowd.self] - crowd.quantum_ns > crowd.next_key) {
        go_on();
    }
}

/* The processor is taken away. */
static int64_t
hiccup_ns(void)
{
    uint32_t how = crowd_draw(256);
    return how < 8    ? (int64_t)crowd_draw(15000000)
           : how < 40 ? (int64_t)crowd_draw(100000)
                      : (int64_t)crowd_draw(3000);
}

void
crowd_step(void)
{
    if (!crowd.runs || crowd.is_idle) {
        return;
    }
    if (++crowd.counts.steps > STEPS_MOST) {
        crowd_fail("it comes to an end", __FILE__, __LINE__);
    }
    uint32_t drawn = draw();
    int64_t ns = 1 + (drawn & 7);
    if ((drawn >> 4 & crowd.hiccup_mask) == 0 && !crowd.is_calm) {
        ns += hiccup_ns();
    }
    spend(ns);
}

void
crowd_pause(void)
{
    crowd_work(20);
}

int
crowd_yield(void)
{
    crowd_work(1000);
    return 0;
}

void
crowd_work(int64_t ns)
{
    if (crowd.runs && !crowd.is_idle) {
        crowd.counts.steps++;
        spend(ns);
    }
}

/* True: the deadline has come. */
static bool
wait_for(const void *what, int64_t deadline_ns)
{
    struct thread *self = &crowd.threads[crowd.self];
    uint32_t number = crowd.self;
    int64_t began = crowd.keys[number];
    crowd.left_ns = began;
    self->waits_for = what;
    self->is_late = false;
    crowd.keys[number] = deadline_ns > began ? deadline_ns : began;
    go_on();
    return crowd.threads[number].is_late;
}

static void
wake(uint32_t number, int64_t after_ns)
{
    struct thread *thread = &crowd.threads[number];
    thread->waits_for = NULL;
    thread->is_late = false;
    int64_t at = crowd_now_ns() + after_ns;
    crowd.keys[number] = at;
    crowd.next_key = at < crowd.next_key ? at : crowd.next_key;
}

/* Wake those that wait for it, or one of them; how many. */
static uint32_t
wake_those(const void *what, bool all)
{
    uint32_t woken = 0;
    uint32_t start = crowd_draw(crowd.count);
    for (uint32_t i = 0; i < crowd.count && (all || woken == 0); i++) {
        uint32_t number = (start + i) % crowd.count;
        if (crowd.threads[number].waits_for == what) {
            wake(number, 1000 + (int64_t)crowd_draw(60000));
            woken++;
        }
    }
    return woken;
}

void
crowd_sleep(int64_t ns)
{
    static const char nothing;
    (void)wait_for(&nothing, crowd_now_ns() + ns);
}

void
crowd_wait_until_quiet(void)
{
    (void)wait_for(&quiet, FOREVER);
}

void
crowd_look(void (*check)(void))
{
    crowd.is_idle = true;
    check();
    crowd.is_idle = false;
}

/* ---- Threads ---- */

static void
thread_main(void *arg, void *pass)
{
    (void)pass;
    struct thread *self = arg;
    *coact__here() = (struct coact__here){0};
    self->body(self->arg);
    self->has_ended = true;
    (void)wake_those(self, true);
    crowd.left_ns = crowd_now_ns();
    crowd.keys[crowd.self] = FOREVER;
    self->waits_for = NULL;
    go_on();
    abort(); // nobody chooses one that has ended
}

/* A place of one that has ended and was joined is used again. */
static uint32_t
new_place(void)
{
    for (uint32_t i = 1; i < crowd.count; i++) {
        if (crowd.threads[i].has_ended && crowd.threads[i].body == NULL) {
            return i;
        }
    }
    CROWD_CHECK(crowd.count < THREADS);
    return crowd.count++;
}

pthread_t
crowd_start(void *(*body)(void *arg), void *arg)
{
    uint32_t number = new_place();
    struct thread *thread = &crowd.threads[number];
    *thread = (struct thread){.body = body, .arg = arg};
    coact__context_make(&thread->context,
                        crowd.stacks + (number - 1) * STACK_BYTES, STACK_BYTES,
                        thread_main, thread);
    crowd.counts.starts++;
    wake(number, 5000 + (int64_t)crowd_draw(80000));
    crowd_work(5000);
    return (pthread_t)number;
}

int
crowd_thread_create(pthread_t *out, void *(*body)(void *arg), void *arg)
{
    *out = crowd_start(body, arg);
    return 0;
}

void
crowd_join(pthread_t thread)
{
    struct thread *other = &crowd.threads[thread];
    crowd_step();
    while (!other->has_ended) {
        (void)wait_for(other, FOREVER);
    }
#if COACT__ASAN
    // Switches have written down the bounds of the stack that it was on.
    other->context.stack_low = crowd.stacks + (thread - 1) * STACK_BYTES;
    other->context.stack_bytes = STACK_BYTES;
#endif
    coact__context_fini(&other->context);
    other->body = NULL;
}

/* ---- Locks ---- */

struct mutex {
    bool is_held;
};
_Static_assert(sizeof(struct mutex) <= sizeof(pthread_mutex_t),
               "it lies in the memory of the real one");

int
crowd_mutex_init(pthread_mutex_t *mutex)
{
    ((struct mutex *)mutex)->is_held = false;
    return 0;
}

/* Between two things that others take for one: a good place to be stopped. */
static void
be_stopped_at_times(void)
{
    bool is_stopped =
        crowd.runs && !crowd.is_calm && !crowd.is_idle && crowd_draw(32) == 0;
    crowd_work(is_stopped ? (int64_t)crowd_draw(2000000) : 10);
}

int
crowd_mutex_lock(pthread_mutex_t *mutex)
{
    struct mutex *it = (struct mutex *)mutex;
    be_stopped_at_times();
    while (it->is_held) {
        (void)wait_for(it, FOREVER);
    }
    it->is_held = true;
    return 0;
}

static void
unlock(struct mutex *it)
{
    CROWD_CHECK(it->is_held);
    it->is_held = false;
    (void)wake_those(it, false);
}

int
crowd_mutex_unlock(pthread_mutex_t *mutex)
{
    unlock((struct mutex *)mutex);
    be_stopped_at_times();
    return 0;
}

int
crowd_cond_signal(pthread_cond_t *cond)
{
    crowd.counts.signals += wake_those(cond, false);
    crowd_work(1500);
    return 0;
}

static int
wait_on(pthread_cond_t *cond, pthread_mutex_t *mutex, int64_t deadline_ns)
{
    unlock((struct mutex *)mutex); // nobody goes on before we wait
    bool is_late = wait_for(cond, deadline_ns);
    (void)crowd_mutex_lock(mutex);
    return is_late ? ETIMEDOUT : 0;
}

int
crowd_cond_wait(pthread_cond_t *cond, pthread_mutex_t *mutex)
{
    return wait_on(cond, mutex, FOREVER);
}

int
crowd_cond_timedwait(pthread_cond_t *cond, pthread_mutex_t *mutex,
                     const struct timespec *until)
{
    return wait_on(cond, mutex,
                   (int64_t)until->tv_sec * 1000000000 + until->tv_nsec);
}

void
crowd_barrier(void)
{
    crowd.counts.barriers++;
    crowd_work(2000 + (int64_t)crowd_draw(8000));
}

int
crowd_has_barrier(void)
{
    return crowd.has_barrier ? 0 : -1;
}

bool
crowd_weak_fails(void)
{
    return crowd.runs && crowd_draw(64) == 0;
}

/* ---- A run ---- */

void
crowd_begin(uint64_t seed, bool is_calm, void (*idle)(void))
{
    unsigned char *stacks = crowd.stacks;
    if (stacks == NULL) {
        stacks = mmap(NULL, (THREADS - 1) * STACK_BYTES, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        ck_assert_ptr_ne(stacks, MAP_FAILED);
    }
    memset(&crowd, 0, sizeof(crowd));
    crowd.stacks = stacks;
    crowd.seed = seed;
    crowd.random = (seed + 1) * 0x9e3779b97f4a7c15u;
    crowd.count = 1;
    crowd.keys[0] = START_NS;
    crowd.next_key = FOREVER;
    for (int i = 0; i < 8; i++) {
        (void)draw();
    }
    static const int64_t quanta[] = {0, 0, 50, 500};
    static const uint32_t masks[] = {0xffff, 0xfff, 0x3ff, 0x3f};
    crowd.quantum_ns = quanta[crowd_draw(4)];
    crowd.hiccup_mask = masks[crowd_draw(4)];
    crowd.has_barrier = crowd_draw(4) != 0;
    crowd.is_calm = is_calm;
    crowd.idle = idle;
    coact__context_init_thread(&crowd.threads[0].context);
    crowd.runs = true;
}

void
crowd_end(struct crowd_counts *counts)
{
    for (uint32_t i = 1; i < crowd.count; i++) {
        CROWD_CHECK(crowd.threads[i].has_ended);
    }
    crowd.runs = false;
    *counts = crowd.counts;
}

/* ---- In place of oracle.c ---- */

int64_t
coact__oracle_now_ns(void)
{
    crowd_work(20);
    return crowd_now_ns();
}

int
// NOLINTNEXTLINE(readability-non-const-parameter): the real one writes to it
coact__oracle_cpu_ns(pid_t tid, int64_t *out)
{
    (void)tid, (void)out;
    return -ENOTSUP;
}

void
coact__oracle_random(void *buf, size_t bytes)
{
    unsigned char *to = buf;
    for (size_t i = 0; i < bytes; i++) {
        to[i] = (unsigned char)draw();
    }
}

uint32_t
coact__oracle_choose(uint32_t n)
{
    crowd_step();
    return crowd_draw(n);
}

void
coact__oracle_skip_to(int64_t now_ns)
{
    (void)now_ns;
}

/* The files under test are to do what they do on a real machine. */
bool
coact__oracle_is_simulated(void)
{
    return false;
}

/* ---- In place of poller.c: kick_fd counts the kicks ---- */

int
coact__poller_init(struct coact__poller *poller)
{
    *poller = (struct coact__poller){0};
    return 0;
}

void
coact__poller_fini(struct coact__poller *poller)
{
    (void)poller;
}

int
coact__poller_poll(struct coact__poller *poller, int64_t timeout_ns)
{
    crowd.counts.polls++;
    crowd_work(300);
    if (poller->kick_fd == 0 && timeout_ns != 0) {
        int64_t now = crowd_now_ns();
        int64_t until = timeout_ns < FOREVER - now ? now + timeout_ns : FOREVER;
        (void)wait_for(poller, until);
    }
    bool is_kicked = poller->kick_fd != 0;
    poller->kick_fd = 0;
    crowd_work(300);
    return is_kicked;
}

void
coact__poller_look(struct coact__poller *poller)
{
    (void)poller; // no task waits for a descriptor
}

void
coact__poller_kick(struct coact__poller *poller)
{
    crowd.counts.kicks++;
    poller->kick_fd++;
    (void)wake_those(poller, true);
    crowd_work(700);
}

int
coact__poller_wait_fd(struct coact__task *task, int fd, short events,
                      int64_t deadline_ns)
{
    (void)task, (void)fd, (void)events, (void)deadline_ns;
    return -ENOTSUP;
}

/* ---- In place of altstack.c ---- */

void
coact__altstack_open(struct coact__altstack *altstack)
{
    *altstack = (struct coact__altstack){0};
}

void
coact__altstack_close(struct coact__altstack *altstack)
{
    (void)altstack;
}
