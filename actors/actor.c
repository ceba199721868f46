/*
 * actor.c - the beginning of an actor.
 *
 * Nobody sees an actor half-born: its name, its monitor and its link are made
 * before it is first scheduled, or the spawn fails and nothing of it remains.
 *
 * SPDX-License-Identifier: MIT
 */
#include "actors/account_internal.h"
#include "actors/ending.h"
#include "actors/fair.h"
#include "actors/hibernate.h"
#include "actors/life.h"
#include "actors/limit_internal.h"
#include "actors/pinned.h"
#include "actors/role_internal.h"
#include "runtime/here.h"
#include "runtime/memory.h"

#include <coact/server.h>

#include <errno.h>
#include <string.h>

/* ---- What the scheduler calls ---- */

static void
begin_specially(struct coact__actor *actor)
{
    if ((actor->traits & COACT__ACCOUNTED) != 0) {
        coact__account_begin(actor);
    }
    coact__drain(actor);
    if ((actor->traits & COACT__LIMITED) != 0) {
        coact__limits_resume(actor);
    }
}

enum coact__after
coact__actor_run(struct coact__task *task)
{
    struct coact__actor *actor = (struct coact__actor *)task;
    if (COACT__UNLIKELY(actor->serves)) {
        return coact__server_run(actor);
    }
    if (COACT__UNLIKELY(actor->traits != 0)) {
        begin_specially(actor);
    }
    coact__drain(actor);
    if (actor->stage == COACT__STAGE_ALIVE) {
        coact__mailbox_of(actor)->enter(actor->body, coact__ref_of(actor),
                                        actor->arg);
    }
    if (coact__end_quickly(actor)) {
        return COACT__AFTER_END;
    }
    coact__drain(actor); // a kill that came while we worked is the reason
    coact__end_life(actor, COACT_NORMAL, "");
    return COACT__AFTER_END;
}

void
coact__actor_ended(struct coact__task *task)
{
    coact__slot_give((struct coact__actor *)task);
}

void
coact__actor_no_stack(struct coact__task *task)
{
    coact__finish_unborn((struct coact__actor *)task, -ENOMEM,
                         "no stack could be had for it");
    coact__actor_ended(task);
}

/* ---- Spawning ---- */

/* What is to be spawned, and what the spawn has made so far, to be undone in one
   place. */
struct birth {
    const struct coact_mailbox *mailbox;
    void (*body)(void); /* or its handler */
    void *arg;
    bool serves;
    coact_ref supervisor; /* nobody: none */
    int64_t shutdown_ns;
    struct coact_runtime *runtime;
    struct coact__actor *spawner;
    struct coact__actor *actor;
    struct coact__watch *watch;
    struct coact__bond *bond;
};

static size_t
most_stack_bytes(const struct coact_runtime *runtime)
{
    return runtime->options.stack_bytes << (2 * (COACT__STACK_CLASSES - 1));
}

static int
check_spawn(const struct coact_options *options, struct birth *birth)
{
    const char *call = birth->serves ? "coact_serve" : "coact_spawn";
    birth->spawner = coact__actor_here();
    birth->runtime =
        options->runtime != NULL ? options->runtime : coact__runtime_here();
    if (birth->runtime == NULL) {
        return coact__misuse(NULL, -EPERM, call,
                             "no runtime: attach the thread, or name one in "
                             "the options");
    }
    if (birth->mailbox == NULL || birth->body == NULL) {
        return coact__misuse(birth->runtime, -EINVAL, call, "%s is NULL",
                             birth->mailbox == NULL ? "mailbox"
                             : birth->serves        ? "handler"
                                                    : "body");
    }
    if (options->init != NULL && !birth->serves) {
        return coact__misuse(birth->runtime, -EINVAL, call,
                             "an init is for servers");
    }
    if (options->role.id != 0 &&
        !coact__role_exists(birth->runtime, options->role)) {
        return coact__misuse(birth->runtime, -EINVAL, call,
                             "there is no role %u", (unsigned)options->role.id);
    }
    if ((unsigned)options->hibernate > COACT_HIBERNATE_AT_ONCE) {
        return coact__misuse(birth->runtime, -EINVAL, "coact_spawn",
                             "hibernate is %d, which is none of "
                             "COACT_HIBERNATE_...",
                             (int)options->hibernate);
    }
    if (options->stack_bytes > most_stack_bytes(birth->runtime)) {
        return coact__misuse(birth->runtime, -EINVAL, call,
                             "stack_bytes is %zu, and the most is %zu",
                             options->stack_bytes,
                             most_stack_bytes(birth->runtime));
    }
    if (birth->spawner != NULL &&
        coact__runtime_of(birth->spawner) != birth->runtime) {
        birth->spawner = NULL;
    }
    if (birth->spawner == NULL && (options->link || options->monitor != NULL)) {
        return coact__misuse(birth->runtime, -EPERM, call,
                             "only an actor of that runtime can be linked to "
                             "or monitor what it spawns");
    }
    return atomic_load_explicit(&birth->runtime->stopping, memory_order_acquire)
               ? -ESHUTDOWN
               : 0;
}

/* Supervisors and the like are known to behave before they have run. */
static bool
is_ours(const struct coact_mailbox *mailbox)
{
    // Most differ in the second letter at the latest, and that is no call.
    return mailbox->name[0] == 'c' && mailbox->name[1] == 'o' &&
           strncmp(mailbox->name, "coact_", 6) == 0;
}

static void
prepare_slot(struct birth *birth, uint8_t role)
{
    struct coact__actor *actor = birth->actor;
    coact__task_init(&actor->task, actor->task.scheduler, role);
    actor->task.runnable.rank =
        is_ours(birth->mailbox) ? COACT__RANK_PROMPT : COACT__RANK_PATIENT;
    atomic_store_explicit(&actor->mailbox, birth->mailbox,
                          memory_order_relaxed);
    actor->body = birth->body;
    actor->arg = birth->arg;
    actor->serves = birth->serves ? COACT__SERVES_SOON : COACT__SERVES_NOT;
    actor->init = NULL;
    actor->destroy_arg = NULL; // ours only when the spawn has succeeded
    actor->first = actor->held = actor->kept = NULL;
    actor->extra = NULL;
    atomic_store_explicit(&actor->pending, 0, memory_order_relaxed);
    actor->stage = COACT__STAGE_ALIVE;
    actor->traits = 0; // first of all: undo goes by them
    actor->traps = false;
    actor->is_killed = false;
    actor->end_code = COACT_NORMAL;
    atomic_store_explicit(&actor->doing, NULL, memory_order_relaxed);
}

static uint8_t
stack_class_for(const struct coact_runtime *runtime, size_t bytes)
{
    size_t smallest = runtime->options.stack_bytes;
    uint8_t class = 0;
    while (class + 1 < COACT__STACK_CLASSES &&
           smallest << (2 * class) < bytes) {
        class += 1;
    }
    return class;
}

/* A sixteenth of the bound, 64 at most; of a small one each by itself. */
static uint16_t
gives_after(uint32_t limit)
{
    uint32_t part = limit / 16 < 64 ? limit / 16 : 64;
    return limit == 0 ? 0 : part == 0 ? 1 : (uint16_t)part;
}

static int
prepare_bound(struct coact__actor *actor, const struct coact_options *options)
{
    struct coact__bound *bound = coact__bound_of(actor);
    if (bound == NULL && options->mailbox_messages > 0) {
        bound = coact__alloc_zeroed(sizeof(*bound));
        if (bound == NULL) {
            return -ENOMEM;
        }
        // Release pairs with the senders' acquire: a bound as it was made.
        atomic_store_explicit(&actor->bound, bound, memory_order_release);
    }
    actor->owed = 0;
    actor->gives_after = gives_after(options->mailbox_messages);
    atomic_store_explicit(&actor->task.is_gated, options->mailbox_messages > 0,
                          memory_order_relaxed);
    if (bound != NULL) {
        coact__bound_open(bound, coact__generation_of(actor),
                          options->mailbox_messages,
                          options->overflow == COACT_BLOCK);
    }
    return 0;
}

/* Acquire and release with coact_stop, which walks the words: either it sees
   us, or we see that it has begun. */
static void
set_alive(struct coact__actor *actor)
{
    uint64_t generation = coact__generation_of(actor);
    bool has_supervisor =
        actor->extra != NULL && !coact_ref_is_none(actor->extra->supervisor);
    atomic_exchange_explicit(&actor->word,
                             generation << 32 | COACT__ACTOR_ALIVE |
                                 (has_supervisor ? COACT__ACTOR_SUPERVISED : 0),
                             memory_order_acq_rel);
}

static int
prepare_rest(struct birth *birth, const struct coact_options *options)
{
    struct coact__actor *actor = birth->actor;
    int rc = prepare_bound(actor, options);
    if (rc == 0) {
        rc = coact__role_prepare(actor, options->sender_role);
    }
    if (rc == 0 && (options->account || birth->runtime->options.account)) {
        rc = coact__account_open(actor, false);
    }
    if (rc == 0 && options->fair) {
        rc = coact__fair_begin(actor);
    }
    if (rc == 0 && options->label != NULL) {
        char *label = coact__strdup(options->label);
        coact__label_replace(actor, label);
        rc = label != NULL ? 0 : -ENOMEM;
    }
    if (rc == 0 && options->monitor != NULL) {
        birth->watch = coact__watch_new(birth->spawner);
        rc = birth->watch != NULL ? 0 : -ENOMEM;
    }
    if (rc == 0 && options->link) {
        birth->bond = coact__bond_new(birth->spawner);
        rc = birth->bond != NULL ? 0 : -ENOMEM;
    }
    if (rc == 0 && options->pinned) {
        rc = coact__actor_pin(actor);
    }
    // Who finds the name may kill at once, so the word comes first; nothing
    // fails after the name.
    set_alive(actor);
    if (rc == 0 && options->name != NULL) {
        rc = coact__name_add(actor, options->name);
    }
    return rc;
}

static void
undo(struct birth *birth)
{
    struct coact__actor *actor = birth->actor;
    coact__free(birth->watch);
    coact__free(birth->bond);
    coact__name_remove(actor);
    if (actor->label != NULL) {
        coact__label_replace(actor, NULL);
    }
    // Relaxed: nobody has learnt of this actor.
    atomic_store_explicit(&actor->word, 0, memory_order_relaxed);
    // What came late for those who had the slot before, or from coact_stop.
    struct coact__inbox_node *node = coact__task_close(&actor->task);
    while (node != NULL) {
        struct coact__item *item = (struct coact__item *)node;
        node = node->next;
        coact__bounce(coact__runtime_of(actor), item,
                      &(const struct coact_reason){.code = COACT_NOPROC});
    }
    if ((actor->traits & COACT__PINNED) != 0) {
        coact__actor_unpin(actor);
    }
    if ((actor->traits & COACT__LIMITED) != 0) {
        coact__limits_end(actor);
    }
    if ((actor->traits & COACT__ACCOUNTED) != 0) {
        coact__account_close(actor);
    }
    coact__fair_end(actor);
    coact__free(actor->extra);
    actor->extra = NULL;
    coact__slot_give(actor);
}

/* Everything is there: from here on the actor may run, and end. */
static void
set_free(struct birth *birth, coact_ref *out)
{
    struct coact__actor *actor = birth->actor;
    coact_ref ref = coact__ref_of(actor);
    if (atomic_load_explicit(&birth->runtime->stopping, memory_order_acquire)) {
        coact__shut_down(actor, ref.generation);
    }
    *out = ref;
    if (coact__task_start(&actor->task) && birth->spawner != NULL) {
        // So many have never run that more would only take memory: let them.
        coact__give_way(birth->spawner);
    }
}

static void
give_birth(struct birth *birth, const struct coact_options *options,
           coact_ref *out)
{
    struct coact__actor *actor = birth->actor;
    coact_ref ref = coact__ref_of(actor);
    actor->destroy_arg = options->destroy_arg;
    if (birth->watch != NULL) {
        *options->monitor =
            coact__watch_start(birth->spawner, birth->watch, ref);
    }
    if (birth->bond != NULL) {
        coact__bond_start(birth->spawner, birth->bond, ref);
    }
    COACT__COUNT_ONE(birth->runtime, spawned);
    set_free(birth, out);
}

/* The one that is asked for, else the spawner's. */
static uint8_t
role_of(const struct birth *birth, const struct coact_options *options)
{
    if (options->role.id != 0) {
        return (uint8_t)(options->role.id - 1);
    }
    return birth->spawner != NULL ? coact__role_own(birth->spawner) : 0;
}

static int
set_supervisor(struct coact__actor *actor, coact_ref supervisor,
               int64_t shutdown_ns)
{
    struct coact__extra *extra = coact__extra_of(actor);
    if (extra == NULL) {
        return -ENOMEM;
    }
    extra->supervisor = supervisor;
    extra->shutdown_ns = shutdown_ns;
    return 0;
}

static int
spawn(struct birth *birth, const struct coact_options *options, coact_ref *out)
{
    int rc = check_spawn(options, birth);
    if (rc == 0) {
        birth->actor = coact__slot_take(birth->runtime, &rc);
    }
    if (rc == 0) {
        prepare_slot(birth, role_of(birth, options));
        birth->actor->init = options->init;
        birth->actor->traps = options->trap_exit;
        birth->actor->task.stack_class =
            stack_class_for(birth->runtime, options->stack_bytes);
        coact__hibernate_allow(birth->actor, options->hibernate);
        rc = coact_ref_is_none(birth->supervisor)
                 ? 0
                 : set_supervisor(birth->actor, birth->supervisor,
                                  birth->shutdown_ns);
        if (rc == 0) {
            rc = prepare_rest(birth, options);
        }
        if (rc == 0) {
            give_birth(birth, options, out);
            return 0;
        }
        undo(birth);
    }
    if (options->destroy_arg != NULL) {
        options->destroy_arg(birth->arg);
    }
    return rc;
}

/* Is there nothing to it but a body, or a handler? */
static bool
is_plain(const struct coact_options *options)
{
    return options->label == NULL && options->name == NULL &&
           options->stack_bytes == 0 && options->mailbox_messages == 0 &&
           !(options->link | options->trap_exit | options->fair |
             options->account | options->sender_role | options->pinned) &&
           options->monitor == NULL && options->runtime == NULL &&
           options->destroy_arg == NULL && options->role.id == 0 &&
           options->hibernate == COACT_HIBERNATE_NEVER && options->init == NULL;
}

/* A plain actor, by an actor whose worker has a slot to hand.  False: the long
   way tells.  Without options there is nothing to look at. */
static bool
spawn_quickly(struct birth *birth, const struct coact_options *options,
              coact_ref *out)
{
    struct coact__worker *worker = coact__worker_here();
    struct coact__task *self =
        worker != NULL ? coact__worker_current(worker) : NULL;
    if (self == NULL || birth->mailbox == NULL || birth->body == NULL ||
        (options != NULL && !is_plain(options))) {
        return false;
    }
    struct coact_runtime *runtime = coact__runtime_of_worker(worker);
    struct coact__actor *actor =
        atomic_load_explicit(&runtime->stopping, memory_order_acquire)
            ? NULL
            : coact__slot_take_quickly(worker);
    if (actor == NULL) {
        return false;
    }
    birth->runtime = runtime;
    birth->spawner = (struct coact__actor *)self;
    birth->actor = actor;
    prepare_slot(birth, self->runnable.role);
    actor->owed = actor->gives_after = 0;
    atomic_store_explicit(&actor->task.is_gated, false, memory_order_relaxed);
    set_alive(actor);
    COACT__COUNT_ONE_ON(worker, spawned);
    set_free(birth, out);
    return true;
}

static int
spawn_anyhow(struct birth *birth, const struct coact_options *options,
             coact_ref *out)
{
    static const struct coact_options none;
    return spawn_quickly(birth, options, out)
               ? 0
               : spawn(birth, options != NULL ? options : &none, out);
}

int
coact__spawn(const struct coact_mailbox *mailbox, void (*body)(void), void *arg,
             const struct coact_options *options, coact_ref *out)
{
    struct birth birth = {.mailbox = mailbox, .body = body, .arg = arg};
    return spawn_anyhow(&birth, options, out);
}

int
coact__serve(const struct coact_mailbox *mailbox, void (*handler)(void),
             void *state, const struct coact_options *options, coact_ref *out)
{
    struct birth birth = {
        .mailbox = mailbox, .body = handler, .arg = state, .serves = true};
    return spawn_anyhow(&birth, options, out);
}

/* By a supervisor. */
static int
spawn_below(struct birth *birth, const struct coact_options *options,
            int64_t shutdown_ns, coact_ref *out)
{
    struct coact_options linked = *options;
    linked.link = true;
    birth->supervisor = coact_self();
    birth->shutdown_ns = shutdown_ns;
    return spawn(birth, &linked, out);
}

int
coact__spawn_child(const struct coact_mailbox *mailbox, void (*body)(void),
                   void *arg, const struct coact_options *options,
                   int64_t shutdown_ns, coact_ref *out)
{
    struct birth birth = {.mailbox = mailbox, .body = body, .arg = arg};
    return spawn_below(&birth, options, shutdown_ns, out);
}

int
coact__serve_child(const struct coact_mailbox *mailbox, void (*handler)(void),
                   void *state, const struct coact_options *options,
                   int64_t shutdown_ns, coact_ref *out)
{
    struct birth birth = {
        .mailbox = mailbox, .body = handler, .arg = state, .serves = true};
    return spawn_below(&birth, options, shutdown_ns, out);
}

coact_ref
coact__supervisor_of_self(void)
{
    struct coact__actor *actor = coact__actor_here();
    return actor != NULL && actor->extra != NULL ? actor->extra->supervisor
                                                 : (coact_ref){0};
}

bool
coact_is_alive(coact_ref ref)
{
    struct coact_runtime *runtime = coact__runtime_here();
    if (runtime == NULL || !coact__is_local(runtime, ref)) {
        return false;
    }
    struct coact__actor *actor = coact__slot_of(runtime, ref);
    uint64_t word =
        actor != NULL ? atomic_load_explicit(&actor->word, memory_order_acquire)
                      : 0;
    return word >> 32 == ref.generation && (word & COACT__ACTOR_ALIVE) != 0;
}
