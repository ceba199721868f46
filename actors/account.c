/*
 * account.c - the time of an actor, by what it was in.
 *
 * The actor alone writes its account, and anybody may read it while it does: the
 * version is odd in between, and who has read in between reads again.  The
 * account itself is found, and freed, under the runtime's lock.
 *
 * An actor that has one sleeps with a wish beside its role (runnable.h): so it is
 * written down when it was woken, and the delay is there when it runs again.
 *
 * Memory orders, by what the pair protects
 *   torn  A2 release -> A5 acquire.  Who has read a value of this writing sees
 *         its A1 at A6, and that the version is not the one of A4.
 *   old   A3 release -> A4 acquire.  With a version come all its values.
 *
 * SPDX-License-Identifier: MIT
 */
#include "actors/account_internal.h"

#include "runtime/here.h"
#include "runtime/memory.h"
#include "runtime/oracle.h"

#include <errno.h>
#include <sched.h>
#include <string.h>

enum state {
    RUNNING,
    READY,
    RECEIVE,
    ASK,
    SLEEP,
    IO,
    BLOCKING,
    SEND,
    JOIN,
    LIMIT,
    OTHER,
    STATES
};

/* What calls that wait say that they do. */
static const char *const names[STATES] = {
    [RECEIVE] = "receive", [ASK] = "ask",    [SLEEP] = "sleep",
    [IO] = "I/O",          [SEND] = "send",  [BLOCKING] = "blocking",
    [JOIN] = "join",       [LIMIT] = "limit"};

struct coact__account {
    struct coact__account *next, **link; /* under the runtime's lock */
    coact_ref owner;
    _Atomic uint32_t version; /* odd: it is being written */
    // Between two versions.
    _Atomic uint32_t state;
    _Atomic int64_t since_ns;
    _Atomic uint64_t waits;
    _Atomic int64_t ns[STATES];
};

static enum state
state_of(const char *doing)
{
    if (doing == NULL || strcmp(doing, "turn") == 0 ||
        strcmp(doing, "spawn") == 0) {
        return READY;
    }
    if (strcmp(doing, "rest") == 0) {
        return RECEIVE;
    }
    for (int i = RECEIVE; i < OTHER; i++) {
        if (strcmp(doing, names[i]) == 0) {
            return (enum state)i;
        }
    }
    return OTHER;
}

/* ---- By the actor ---- */

/* Its own values, which nobody else writes. */
static int64_t
own(_Atomic int64_t *value)
{
    return atomic_load_explicit(value, memory_order_relaxed);
}

static void
change_version(struct coact__account *account, memory_order order)
{
    uint32_t version =
        atomic_load_explicit(&account->version, memory_order_relaxed);
    atomic_store_explicit(&account->version, version + 1, order);
}

static void
add(struct coact__account *account, enum state state, int64_t ns)
{
    atomic_store_explicit(&account->ns[state], own(&account->ns[state]) + ns,
                          memory_order_release); // A2
}

/* It was in a state until now, and of that time `ready_ns` was ready; from now on
   it is in another. */
static void
turn_to(struct coact__account *account, enum state to, int64_t ready_ns)
{
    int64_t now = coact__oracle_now_ns();
    enum state from =
        (enum state)atomic_load_explicit(&account->state, memory_order_relaxed);
    int64_t took = now - own(&account->since_ns);
    // Stamps are rounded, and a deadline may have been over when it was set.
    ready_ns = ready_ns < took ? ready_ns : took;
    change_version(account, memory_order_relaxed); // A1
    add(account, from, took - ready_ns);
    add(account, READY, ready_ns);
    atomic_store_explicit(&account->state, to, memory_order_release);     // A2
    atomic_store_explicit(&account->since_ns, now, memory_order_release); // A2
    if (to != RUNNING) {
        uint64_t waits =
            atomic_load_explicit(&account->waits, memory_order_relaxed);
        atomic_store_explicit(&account->waits, waits + 1,
                              memory_order_release); // A2
    }
    change_version(account, memory_order_release); // A3
}

void
coact__account_begin(struct coact__actor *actor)
{
    turn_to(actor->extra->account, RUNNING, 0);
}

void
coact__account_suspend(struct coact__actor *actor, const char *doing)
{
    turn_to(actor->extra->account, state_of(doing), 0);
    actor->task.runnable.role |= COACT__ROLE_STAMPED;
}

void
coact__account_resume(struct coact__actor *actor)
{
    struct coact__account *account = actor->extra->account;
    enum state from =
        (enum state)atomic_load_explicit(&account->state, memory_order_relaxed);
    // Who was ready all the time may not have been stamped.
    turn_to(account, RUNNING,
            from == READY ? 0 : coact__here()->worker->delay_ns);
}

/* ---- Opening and closing ---- */

static struct coact__account **
bucket(struct coact_runtime *runtime, uint32_t slot)
{
    return &runtime->accounts[slot % COACT__ACCOUNT_BUCKETS];
}

int
coact__account_open(struct coact__actor *actor, bool is_running)
{
    struct coact_runtime *runtime = coact__runtime_of(actor);
    struct coact__extra *extra = coact__extra_of(actor);
    struct coact__account *account =
        extra != NULL ? coact__alloc_zeroed(sizeof(*account)) : NULL;
    if (account == NULL) {
        return -ENOMEM;
    }
    account->owner = coact__ref_of(actor);
    atomic_init(&account->state, is_running ? RUNNING : READY);
    atomic_init(&account->since_ns, coact__oracle_now_ns());
    extra->account = account;
    actor->traits |= COACT__ACCOUNTED;
    struct coact__account **link = bucket(runtime, coact__number_of(actor));
    pthread_mutex_lock(&runtime->lock);
    account->next = *link;
    account->link = link;
    if (*link != NULL) {
        (*link)->link = &account->next;
    }
    *link = account;
    pthread_mutex_unlock(&runtime->lock);
    return 0;
}

void
coact__account_close(struct coact__actor *actor)
{
    struct coact_runtime *runtime = coact__runtime_of(actor);
    struct coact__account *account = actor->extra->account;
    pthread_mutex_lock(&runtime->lock);
    *account->link = account->next;
    if (account->next != NULL) {
        account->next->link = account->link;
    }
    pthread_mutex_unlock(&runtime->lock);
    coact__free(account);
    actor->extra->account = NULL;
    actor->traits &= (uint8_t)~COACT__ACCOUNTED;
}

int
coact_set_account(bool on)
{
    struct coact__actor *actor = coact__actor_or_misuse("coact_set_account");
    if (actor == NULL) {
        return -EPERM;
    }
    bool is_on = (actor->traits & COACT__ACCOUNTED) != 0;
    if (on && !is_on) {
        return coact__account_open(actor, true);
    }
    if (is_on && !on) {
        coact__account_close(actor);
    }
    return 0;
}

/* ---- Reading ---- */

static void
copy(struct coact__account *account, int64_t ns[STATES], uint64_t *waits)
{
    for (int i = 0; i < STATES; i++) {
        ns[i] =
            atomic_load_explicit(&account->ns[i], memory_order_acquire); // A5
    }
    *waits = atomic_load_explicit(&account->waits, memory_order_acquire); // A5
    uint32_t state =
        atomic_load_explicit(&account->state, memory_order_acquire); // A5
    int64_t since =
        atomic_load_explicit(&account->since_ns, memory_order_acquire); // A5
    int64_t now = coact__oracle_now_ns();
    ns[state] += now > since ? now - since : 0;
}

/* False: it was being written. */
static bool
try_copy(struct coact__account *account, int64_t ns[STATES], uint64_t *waits)
{
    uint32_t before =
        atomic_load_explicit(&account->version, memory_order_acquire); // A4
    copy(account, ns, waits);
    return before % 2 == 0 &&
           atomic_load_explicit(&account->version, memory_order_relaxed) ==
               before; // A6
}

static void
tell(struct coact__account *account, struct coact_account *out)
{
    int64_t ns[STATES];
    uint64_t waits;
    while (!try_copy(account, ns, &waits)) {
        sched_yield(); // a few stores, but it may have lost its processor
    }
    *out = (struct coact_account){.running_ns = ns[RUNNING],
                                  .ready_ns = ns[READY],
                                  .receive_ns = ns[RECEIVE],
                                  .ask_ns = ns[ASK],
                                  .sleep_ns = ns[SLEEP],
                                  .io_ns = ns[IO],
                                  .blocking_ns = ns[BLOCKING],
                                  .send_ns = ns[SEND],
                                  .join_ns = ns[JOIN],
                                  .limit_ns = ns[LIMIT],
                                  .other_ns = ns[OTHER],
                                  .waits = waits};
    for (int i = 0; i < STATES; i++) {
        out->total_ns += ns[i];
    }
}

bool
coact__account_read(struct coact_runtime *runtime, coact_ref ref,
                    struct coact_account *out)
{
    struct coact__account *account = *bucket(runtime, ref.slot);
    while (account != NULL && !coact_ref_equal(account->owner, ref)) {
        account = account->next;
    }
    if (account != NULL) {
        tell(account, out);
    }
    return account != NULL;
}

int
coact_account_of(coact_ref ref, struct coact_account *out)
{
    struct coact_runtime *runtime = coact__runtime_here();
    if (runtime == NULL) {
        return coact__misuse(NULL, -EPERM, "coact_account_of",
                             "the thread is neither an actor nor attached");
    }
    pthread_mutex_lock(&runtime->lock);
    bool is_there = coact__account_read(runtime, ref, out);
    pthread_mutex_unlock(&runtime->lock);
    return is_there ? 0 : coact_is_alive(ref) ? -ENOENT : -ESRCH;
}
