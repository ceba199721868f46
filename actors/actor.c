/*
 * actor.c - the beginning of an actor.
 *
 * Nobody sees an actor half-born: its name, its monitor and its link are made
 * before it is first scheduled, or the spawn fails and nothing of it remains.
 *
 * SPDX-License-Identifier: MIT
 */
#include "actors/fair.h"
#include "actors/life.h"
#include "runtime/here.h"
#include "runtime/memory.h"

#include <errno.h>
#include <string.h>

const char *
coact__label_of(const struct coact__actor *actor)
{
    return actor->label != NULL ? actor->label : coact__mailbox_of(actor)->name;
}

int
coact_set_label(const char *label)
{
    struct coact__actor *actor = coact__actor_or_misuse("coact_set_label");
    if (actor == NULL) {
        return -EPERM;
    }
    char *copy = label != NULL ? coact__strdup(label) : NULL;
    if (copy == NULL && label != NULL) {
        return -ENOMEM;
    }
    coact__label_replace(actor, copy);
    return 0;
}

void
coact__label_replace(struct coact__actor *actor, char *label)
{
    // The list of actors may be reading the old one.
    pthread_mutex_lock(&coact__runtime_of(actor)->lock);
    char *before = actor->label;
    actor->label = label;
    pthread_mutex_unlock(&coact__runtime_of(actor)->lock);
    coact__free(before);
}

/* ---- What the scheduler calls ---- */

enum coact__after
coact__actor_run(struct coact__task *task)
{
    struct coact__actor *actor = (struct coact__actor *)task;
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

/* What a spawn has made so far, to be undone in one place. */
struct birth {
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
check_spawn(const struct coact_mailbox *mailbox, void (*body)(void),
            const struct coact_options *options, struct birth *birth)
{
    birth->spawner = coact__actor_here();
    birth->runtime =
        options->runtime != NULL ? options->runtime : coact__runtime_here();
    if (birth->runtime == NULL) {
        return coact__misuse(NULL, -EPERM, "coact_spawn",
                             "no runtime: attach the thread, or name one in "
                             "the options");
    }
    if (mailbox == NULL || body == NULL) {
        return coact__misuse(birth->runtime, -EINVAL, "coact_spawn",
                             "%s is NULL", body == NULL ? "body" : "mailbox");
    }
    if (options->stack_bytes > most_stack_bytes(birth->runtime)) {
        return coact__misuse(birth->runtime, -EINVAL, "coact_spawn",
                             "stack_bytes is %zu, and the most is %zu",
                             options->stack_bytes,
                             most_stack_bytes(birth->runtime));
    }
    if (birth->spawner != NULL &&
        coact__runtime_of(birth->spawner) != birth->runtime) {
        birth->spawner = NULL;
    }
    if (birth->spawner == NULL && (options->link || options->monitor != NULL)) {
        return coact__misuse(birth->runtime, -EPERM, "coact_spawn",
                             "only an actor of that runtime can be linked to "
                             "or monitor what it spawns");
    }
    return atomic_load_explicit(&birth->runtime->stopping, memory_order_acquire)
               ? -ESHUTDOWN
               : 0;
}

static void
prepare_slot(struct coact__actor *actor, const struct coact_mailbox *mailbox,
             void (*body)(void), void *arg, const struct coact_options *options,
             uint8_t role)
{
    coact__task_init(&actor->task, actor->task.scheduler, role);
    atomic_store_explicit(&actor->mailbox, mailbox, memory_order_relaxed);
    actor->body = body;
    actor->arg = arg;
    actor->destroy_arg = NULL; // ours only when the spawn has succeeded
    actor->first = actor->last = actor->held = actor->kept = NULL;
    actor->extra = NULL;
    atomic_store_explicit(&actor->pending, 0, memory_order_relaxed);
    actor->stage = COACT__STAGE_ALIVE;
    actor->traps = options->trap_exit;
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
        atomic_store_explicit(&actor->task.gate, bound, memory_order_release);
    }
    actor->owed = 0;
    actor->gives_after = gives_after(options->mailbox_messages);
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
    return birth->spawner != NULL ? birth->spawner->task.runnable.role : 0;
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
spawn(const struct coact_mailbox *mailbox, void (*body)(void), void *arg,
      const struct coact_options *options, coact_ref supervisor,
      int64_t shutdown_ns, coact_ref *out)
{
    struct birth birth = {0};
    int rc = check_spawn(mailbox, body, options, &birth);
    if (rc == 0) {
        birth.actor = coact__slot_take(birth.runtime, &rc);
    }
    if (rc == 0) {
        prepare_slot(birth.actor, mailbox, body, arg, options,
                     role_of(&birth, options));
        birth.actor->task.stack_class =
            stack_class_for(birth.runtime, options->stack_bytes);
        rc = coact_ref_is_none(supervisor)
                 ? 0
                 : set_supervisor(birth.actor, supervisor, shutdown_ns);
        if (rc == 0) {
            rc = prepare_rest(&birth, options);
        }
        if (rc == 0) {
            give_birth(&birth, options, out);
            return 0;
        }
        undo(&birth);
    }
    if (options->destroy_arg != NULL) {
        options->destroy_arg(arg);
    }
    return rc;
}

/* Is there nothing to it but a body? */
static bool
is_plain(const struct coact_options *options)
{
    return options->label == NULL && options->name == NULL &&
           options->stack_bytes == 0 && options->mailbox_messages == 0 &&
           !(options->link | options->trap_exit | options->fair) &&
           options->monitor == NULL && options->runtime == NULL &&
           options->destroy_arg == NULL && options->role.id == 0;
}

/* A plain actor, by an actor whose worker has a slot to hand.  False: the long
   way tells. */
static bool
spawn_quickly(struct coact__worker *worker, const struct coact_mailbox *mailbox,
              void (*body)(void), void *arg,
              const struct coact_options *options, coact_ref *out)
{
    struct coact_runtime *runtime = coact__runtime_of_worker(worker);
    struct coact__task *self = coact__worker_current(worker);
    if (self == NULL || mailbox == NULL || body == NULL || !is_plain(options) ||
        atomic_load_explicit(&runtime->stopping, memory_order_acquire)) {
        return false;
    }
    struct coact__actor *actor = coact__slot_take_quickly(worker);
    if (actor == NULL) {
        return false;
    }
    prepare_slot(actor, mailbox, body, arg, options, self->runnable.role);
    actor->owed = actor->gives_after = 0;
    struct birth birth = {.runtime = runtime,
                          .spawner = (struct coact__actor *)self,
                          .actor = actor};
    set_alive(actor);
    COACT__COUNT_ONE_ON(worker, spawned);
    set_free(&birth, out);
    return true;
}

int
coact__spawn(const struct coact_mailbox *mailbox, void (*body)(void), void *arg,
             const struct coact_options *options, coact_ref *out)
{
    struct coact__worker *worker = coact__worker_here();
    if (worker != NULL &&
        spawn_quickly(worker, mailbox, body, arg, options, out)) {
        return 0;
    }
    return spawn(mailbox, body, arg, options, (coact_ref){0}, 0, out);
}

int
coact__spawn_child(const struct coact_mailbox *mailbox, void (*body)(void),
                   void *arg, const struct coact_options *options,
                   int64_t shutdown_ns, coact_ref *out)
{
    struct coact_options linked = *options;
    linked.link = true;
    return spawn(mailbox, body, arg, &linked, coact_self(), shutdown_ns, out);
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
