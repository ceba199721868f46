/*
 * life.h - what an actor is inside, for the files of this folder.
 *
 * An actor lives in a slot.  Slots are never freed before the runtime is, so
 * whoever holds an old address may read the slot, push to its inbox and wake
 * its task at any time; the generation, in the slot and in every item, tells
 * for whom it was meant.
 *
 * Who may touch what:
 *   the task's inbox, `word`, `call`, `bound`, `generation`   anyone
 *   `doing`, `since_ns`, `lists`                              read by anyone
 *   all else                                                  the actor itself
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef COACT_ACTORS_LIFE_H
#define COACT_ACTORS_LIFE_H

#include "actors/hibernate.h"
#include "actors/relations.h"
#include "mailbox/bound.h"
#include "mailbox/envelope.h"
#include "runtime/blocking.h"
#include "runtime/log_lines.h"
#include "runtime/scheduler.h"
#include "runtime/task.h"

#include <coact/actor.h>
#include <coact/runtime.h>

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct coact__account;
struct coact__bond;
struct coact__bond_side;
struct coact__watch;
struct coact__ticker;
struct coact__defer;
struct coact__fair;
struct coact__chunk;
struct coact__node;
struct coact__family;
struct coact__role_delays;
struct coact__mutexes;
struct coact_limit;
struct coact__stuck_record;
struct coact_no_switch;

/* How far its end has come.  It moves only down this list. */
enum coact__stage {
    COACT__STAGE_ALIVE,
    COACT__STAGE_ASKED,  /* to end; no wait has said so yet */
    COACT__STAGE_TOLD,   /* a wait has returned -ECANCELED; the next ends it */
    COACT__STAGE_ENDING, /* its clean-ups run */
    COACT__STAGE_GONE
};

/* What few actors need; made when first needed, gone with the actor. */
struct coact__extra {
    struct coact__defer *defers; /* newest first */
    struct coact__chunk *arena;
    struct coact__watch *watching; /* our monitors of others */
    struct coact__watch *watched;  /* monitors of us */
    struct coact__bond_side *links;
    uint32_t links_of_side[2]; /* how many of those are which side */
    struct coact__ticker *tickers;
    struct coact__fair *fair;       /* of an actor that is fair */
    struct coact__mutexes *mutexes; /* where those that are held were locked */
    bool has_given; /* a server's argument is not its state any more, */
    void *given;    /* and is to be destroyed: this */
    coact_ref supervisor;
    int64_t shutdown_ns; /* what our supervisor's exit grants us */
    coact_ref last_self; /* while its end is told */
    struct coact__answer {
        struct coact_type *type;
        struct coact__envelope *reply;
        int rc;
    } answer;                        /* of the call that is under way */
    struct coact_reason last_reason; /* of the last ask or join */
    struct coact_reason end_reason;  /* why we are asked to end */
    int64_t end_deadline_ns;         /* until when clean-ups may wait */
    struct coact__timer doom;        /* kills who outlives a shutdown */
    struct coact__actor *owner;      /* for doom */
    bool is_doomed;                  /* it was armed */
    struct coact__limit_hold {
        struct coact_limit *limit; /* NULL: none */
        bool has_slot;             /* we work; else we wait, or are to end */
    } of_role, entered;
    struct coact__account *account; /* NULL: it has none */
    uint8_t own_role; /* of one that lends; its task's is of the moment */
    /* Clean-ups may look into it; or low is NULL. */
    struct coact__stack overflowed;
};

/* Is it a server, and has its init been called? */
enum coact__serves {
    COACT__SERVES_NOT, /* it has a body */
    COACT__SERVES_SOON,
    COACT__SERVES
};

/* When a wait began is kept in units of a millisecond, about; they wrap after 50
   days. */
#define COACT__SINCE_SHIFT 20

/* What makes a receive take its long way, for a whole life. */
enum coact__trait {
    COACT__PINNED = 16,   /* has a thread of its own: pinned.h */
    COACT__ACCOUNTED = 8, /* has an account */
    COACT__LIMITED = 4,   /* is under a limit */
    COACT__LENDS = 2,     /* handles messages in the roles of their senders */
    COACT__FAIR = 1       /* its list is fair.c's */
};

/* In the order of their use: a message to an actor and its next wait touch the
   first three cache lines. */
struct coact__actor {
    _Alignas(64) struct coact__task task; /* first; its scheduler is first in
                                             our runtime */

    // The actor's own.
    struct coact__envelope *first; /* taken from the inbox, in order */
    struct coact__envelope *held;  /* received, by blocks that are open */
    union {
        struct {
            uint8_t stage;     /* enum coact__stage */
            uint8_t no_switch; /* 0, or why it may not wait: switch_check.h */
            bool is_killed;    /* clean-ups may not wait */
            uint8_t traits;    /* enum coact__trait */
        };
        uint32_t unusual; /* 0: a wait has nothing to see to but messages */
    };
    _Atomic uint32_t since_ms; /* as a number of 2^20 ns */
    const char *_Atomic doing;
    union {
        struct coact__envelope *last; /* meaningless while first is NULL */
        int (*init)(void **state);    /* of a server that has not run yet */
    };
    _Atomic uint32_t pending; /* written by the actor alone */
    uint16_t gives_after;     /* so many places of our bound; 0: no bound */
    uint16_t owed;            /* places that we have not given back yet */
    _Atomic uint64_t
        word; /* anyone's: generation << 32 | COACT__ACTOR_ flags */
    struct coact__extra *extra;
    const struct coact_mailbox *_Atomic mailbox; /* read by the node, too */
    void (*body)(void);                          /* of a server its handler */
    union {
        void *arg; /* of a server that has begun its state */
        struct coact__actor *next_free; /* of a slot that nobody has */
    };
    void (*destroy_arg)(void *);
    struct coact__call call;            /* anyone's */
    struct coact__envelope *kept;       /* received, beyond their blocks */
    struct coact_no_switch *region;     /* switch_check.h; NULL: none is open */
    struct coact__bound *_Atomic bound; /* anyone's; NULL: never had a limit */
    char *label, *name; /* changed under the runtime's lock; NULL: none */
    int end_code;       /* from ASKED on */
    uint16_t mutexes_held;
    bool traps;
    uint8_t serves; /* enum coact__serves */
};

_Static_assert(COACT__STAGE_ALIVE == 0,
               "the usual stage is that of most waits");

enum {
    COACT__ACTOR_KILL = 1,  /* asked for by coact_kill */
    COACT__ACTOR_ALIVE = 2, /* for who walks the slots */
    COACT__ACTOR_SUPERVISED = 4,
    COACT__ACTOR_FLAGS = 7
};

#define COACT__SLAB_SLOTS 8192
#define COACT__SLABS 2048
#define COACT__ACCOUNT_BUCKETS 256

/* Counters of one worker, or of all other threads (the last ones). */
struct coact__counts {
    _Atomic uint64_t sent, unhandled, refused, dead_letters, replies_late;
    _Atomic uint64_t spawned, ended, failed, misuses, unknown_fields;
    _Atomic uint64_t born, gone; /* slots that were taken, and given back */
    char apart[64];
};

/* Free slots of one worker, so that a spawn takes no lock. */
struct coact__slot_cache {
    struct coact__actor *first;
    uint32_t count;
    char apart[64 - sizeof(void *) - sizeof(uint32_t)];
};

struct coact_runtime {
    struct coact__scheduler scheduler;
    struct coact__blocking blocking;
    struct coact_runtime_options options;
    struct coact__log log;
    uint32_t node, incarnation;
    uint64_t where; /* the same as one number: node in the lower half */
    struct coact__node *_Atomic remote; /* NULL: not part of a cluster, yet */
    struct coact__family *family;       /* NULL: no isolated children */
    struct coact__role_delays *delays;  /* of each role */
    struct coact_limit *role_limits[COACT__ROLES]; /* NULL: it has none */
    struct coact__counts *counts; /* one for each worker slot, and one */
    struct coact__slot_cache *slot_caches; /* one for each worker slot */
    struct coact__log_limit dead_letter_limit, unhandled_limit;

    pthread_mutex_t pump_lock; /* host-driven: one thread drives at a time */
    pthread_mutex_t lock;      /* the slots' free list, names, and `gone` */
    pthread_cond_t gone;
    struct coact__actor *table; /* of the slots; slots.c */
    _Atomic uint32_t slots_end; /* those below it have memory */
    void *range;                /* what table lies in */
    size_t range_bytes;
    uint32_t slots; /* under lock: made so far */
    struct coact__actor *free_slots;
    void *names; /* under lock: a tsearch tree */
    struct coact__account *accounts[COACT__ACCOUNT_BUCKETS]; /* under lock */

    struct coact__hibernation hibernation;
    struct coact__stuck_record *stuck_records; /* one for each worker slot */
    struct coact__log_limit stuck_limit;
    _Atomic uint32_t pinned; /* actors that are */
    _Atomic uint32_t stuck_now;
    _Atomic uint64_t stuck_ever;

    _Atomic bool stopping, stop_requested;
    _Atomic uint64_t next_id; /* of monitors, timers, links */
};

/* The generation of whoever has the slot, or will. */
static inline uint32_t
coact__generation_of(const struct coact__actor *actor)
{
    return (uint32_t)(atomic_load_explicit(&actor->task.whose,
                                           memory_order_acquire) >>
                      32);
}

/* The number of its slot, in any use.  Relaxed: it never changes. */
static inline uint32_t
coact__number_of(const struct coact__actor *actor)
{
    return (uint32_t)atomic_load_explicit(&actor->task.whose,
                                          memory_order_relaxed);
}

/* The half of an address that tells one actor of a runtime from the others. */
static inline uint64_t
coact__whose(uint32_t slot, uint32_t generation)
{
    return (uint64_t)generation << 32 | slot;
}

/* NULL: it has no limit, and nobody of its slot ever had one.  Acquire pairs with
   the release of who made it. */
static inline struct coact__bound *
coact__bound_of(struct coact__actor *actor)
{
    return atomic_load_explicit(&actor->bound, memory_order_acquire);
}

/* Must a sender ask its bound?  Relaxed: who knows the generation knows this. */
static inline bool
coact__is_bounded(const struct coact__actor *actor)
{
    return atomic_load_explicit(&actor->task.is_gated, memory_order_relaxed);
}

static inline int64_t
coact__since_ns(const struct coact__actor *actor)
{
    return (int64_t)atomic_load_explicit(&actor->since_ms, memory_order_relaxed)
           << COACT__SINCE_SHIFT;
}

static inline struct coact_runtime *
coact__runtime_of(const struct coact__actor *actor)
{
    return (struct coact_runtime *)actor->task.scheduler; // its first member
}

static inline struct coact_runtime *
coact__runtime_of_worker(const struct coact__worker *worker)
{
    return (struct coact_runtime *)worker->scheduler;
}

/* Acquire pairs with the release in coact__node_open: a node as it was made. */
static inline struct coact__node *
coact__node_of(const struct coact_runtime *runtime)
{
    return atomic_load_explicit(&runtime->remote, memory_order_acquire);
}

/* ---- Who is asking (here.c's questions, answered for actors) ---- */

/* The calling actor, or NULL. */
struct coact__actor *coact__actor_here(void);

/* The calling actor; NULL, and counted as a misuse of `call`, outside of one. */
struct coact__actor *coact__actor_or_misuse(const char *call);

/* The runtime of the caller, or NULL. */
struct coact_runtime *coact__runtime_here(void);

/* Add one to a counter of coact__counts_here. */
void coact__count(struct coact_runtime *runtime, size_t counter);
void coact__count_many(struct coact_runtime *runtime, size_t counter,
                       uint64_t n);
/* The same by a worker of that runtime. */
#define COACT__COUNT_ONE_ON(worker, member)                                    \
    coact__worker_count(                                                       \
        &coact__runtime_of_worker(worker)->counts[(worker)->index].member, 1)
#define COACT__COUNT_ONE(runtime, member)                                      \
    coact__count((runtime), offsetof(struct coact__counts, member))

/* A user's mistake: logged with the call and what is wrong, counted, and fatal
   where the runtime was told so.  Returns `code`. */
int coact__misuse(struct coact_runtime *runtime, int code, const char *call,
                  const char *format, ...)
    __attribute__((format(printf, 4, 5)));

static inline const struct coact_mailbox *
coact__mailbox_of(const struct coact__actor *actor)
{
    // Relaxed: who is not the actor itself checks the generation afterwards.
    return atomic_load_explicit(&actor->mailbox, memory_order_relaxed);
}

/* How an actor appears in logs: its label, or its mailbox's name. */
const char *coact__label_of(const struct coact__actor *actor);
void coact__label_replace(struct coact__actor *actor, char *label); /* taken */

void coact__log(struct coact_runtime *runtime, enum coact_log_level level,
                const char *format, ...) __attribute__((format(printf, 3, 4)));

/* Nothing is spawned from here on, and all are asked to end. */
void coact__begin_stop(struct coact_runtime *runtime);

/* ---- What the scheduler calls (actor.c) ---- */

enum coact__after coact__actor_run(struct coact__task *task);
void coact__actor_ended(struct coact__task *task);
void coact__actor_no_stack(struct coact__task *task);

/* How many are alive, never too few: who was born before is counted.  Exact when
   nobody is born or ends. */
uint64_t coact__count_alive(struct coact_runtime *runtime);

/* coact_stop's word to one actor; those that are supervised are spared, their
   supervisors end them (runtime.c). */
void coact__shut_down(struct coact__actor *actor, uint32_t generation);

/* ---- slots.c ---- */

/* A free slot, its generation already that of the actor to come; it is counted
   alive until it is given back.  NULL: no memory, as many actors as allowed, or
   stopping (*rc tells). */
struct coact__actor *coact__slot_take(struct coact_runtime *runtime, int *rc);
void coact__slot_give(struct coact__actor *actor);

/* The same for an actor of this worker, if one is to hand; else NULL. */
struct coact__actor *coact__slot_take_quickly(struct coact__worker *worker);

/* Reserve room for all slots that the options allow, or fewer; give it back.
   fails ENOMEM */
COACT_CHECKED int coact__slots_init(struct coact_runtime *runtime);
void coact__slots_free(struct coact_runtime *runtime);

/* A slot by its number; NULL where there is none yet. */
static inline struct coact__actor *
coact__slot_at(struct coact_runtime *runtime, uint32_t slot)
{
    return slot < atomic_load_explicit(&runtime->slots_end,
                                       memory_order_acquire)
               ? &runtime->table[slot]
               : NULL;
}

/* The slot that an address of this runtime names, also if the actor is gone;
   NULL for one that never was in this runtime. */
static inline struct coact__actor *
coact__slot_of(struct coact_runtime *runtime, coact_ref ref)
{
    return ref.node == runtime->node && ref.incarnation == runtime->incarnation
               ? coact__slot_at(runtime, ref.slot)
               : NULL;
}

/* Is it for us to say what becomes of what is sent there? */
bool coact__is_local(const struct coact_runtime *runtime, coact_ref ref);
coact_ref coact__ref_of(const struct coact__actor *actor);
static inline bool
coact__is_current(struct coact__actor *actor, coact_ref ref)
{
    // Generation 0 is that of a slot which nobody has had.
    return actor != NULL && ref.generation != 0 &&
           coact__generation_of(actor) == ref.generation;
}

/* ---- Delivering ---- */

enum coact__how { COACT__AS_MESSAGE, COACT__AS_SIGNAL };

/* Put an item into a local actor's inbox and schedule it if that woke it.
   False: it is gone, the item is still the caller's. */
bool coact__deliver(struct coact_runtime *runtime, coact_ref to,
                    struct coact__item *item, enum coact__how how);

/* End a message that nobody will read: a dead letter of `whom`. */
void coact__dead_letter(struct coact_runtime *runtime,
                        struct coact__envelope *envelope, coact_ref whom);

/* Destroy a message: the payload, the duty to answer, the memory. */
void coact__envelope_drop(struct coact_runtime *runtime,
                          struct coact__envelope *envelope, int rc,
                          const struct coact_reason *reason);

/* Send an envelope that is ready, to a local actor or to another node; taken. */
int coact__dispatch(struct coact_runtime *runtime, coact_ref to,
                    struct coact__envelope *envelope);

/* ---- Waiting ---- */

bool coact__has_passed(int64_t deadline_ns);

/* Before each wait: 0, or -ECANCELED once; does not return when the actor has
   been told before.  Acts on what has arrived. */
int coact__wait_begin(struct coact__actor *actor);

/* The same for one that has a payload to send: destroyed if it does not return. */
int coact__wait_begin_with(struct coact__actor *actor, struct coact_type *type,
                           void *payload);

/* Is there nothing to see to before a wait: no end, no signal, no region?  A kill
   ends a sleep, or notifies. */
static inline bool
coact__is_undisturbed(const struct coact__actor *actor)
{
    return actor->unusual == 0 && !coact__inbox_is_notified(&actor->task.inbox);
}

/* Give back the places in our bound of what we have taken. */
void coact__give_places(struct coact__actor *actor);

/* Sleep once, under a name for the list of actors; then act on what arrived. */
void coact__wait(struct coact__actor *actor, const char *doing,
                 enum coact__inbox_flag how, int64_t deadline_ns);

/* What an actor is about to wait in, for the list of actors. */
void coact__note_wait(struct coact__actor *actor, const char *doing);
/* It is over. */
void coact__note_awake(struct coact__actor *actor);
static inline void
coact__note_wait_on(const struct coact__worker *worker,
                    struct coact__actor *actor, const char *doing)
{
    // Relaxed: for the list of actors, which is a picture in passing.
    atomic_store_explicit(
        &actor->since_ms,
        (uint32_t)(atomic_load_explicit(&worker->looked_ns,
                                        memory_order_relaxed) >>
                   COACT__SINCE_SHIFT),
        memory_order_relaxed);
    atomic_store_explicit(&actor->doing, doing, memory_order_relaxed);
}

/* Let others run, in a call that does not wait: no signal is acted upon.  Does
   nothing where the actor must not be switched away from. */
void coact__give_way(struct coact__actor *actor);

/* Has something happened that ends a wait?  0, or -ECANCELED. */
int coact__interrupted(struct coact__actor *actor);

/* Take everything from the inbox: messages to the end of the actor's own list,
   signals acted upon. */
void coact__drain_all(struct coact__actor *actor);

static inline void
coact__drain(struct coact__actor *actor)
{
    // Acquire pairs with a kill's release: its caller's writes before it.
    if (actor->task.given != NULL ||
        !coact__inbox_is_empty(&actor->task.inbox) ||
        (atomic_load_explicit(&actor->word, memory_order_acquire) &
         COACT__ACTOR_KILL) != 0) {
        coact__drain_all(actor);
    }
}

/* Something not meant for this actor, but for one that had its slot before, or
   that came when it was gone: answer as a dead actor does. */
void coact__bounce(struct coact_runtime *runtime, struct coact__item *item,
                   const struct coact_reason *reason);

/* Take the oldest message off the actor's own list, to be held.  False: there is
   none. */
bool coact__take_oldest(struct coact__actor *actor, struct coact_receipt *out);

/* Only the actor writes it; the list of actors reads it now and then. */
static inline void
coact__change_pending(struct coact__actor *actor, uint32_t change)
{
    atomic_store_explicit(
        &actor->pending,
        atomic_load_explicit(&actor->pending, memory_order_relaxed) + change,
        memory_order_relaxed);
}

/* Remove a message from the actor's own list, which is plain; `before` is NULL for
   the first. */
static inline void
coact__unqueue(struct coact__actor *actor, struct coact__envelope *before,
               struct coact__envelope *envelope)
{
    struct coact__envelope *after = coact__envelope_next(envelope);
    if (before == NULL) {
        actor->first = after;
    } else {
        before->item.node.next = envelope->item.node.next;
    }
    if (after == NULL) {
        actor->last = before;
    }
    coact__change_pending(actor, (uint32_t)-1);
}

/* Remove this one, if it is there, from a list of any kind: true. */
bool coact__unqueue_this(struct coact__actor *actor,
                         struct coact__envelope *envelope);

/* At the end of it, or of what its sender has there. */
void coact__enqueue(struct coact__actor *actor,
                    struct coact__envelope *envelope);

/* ---- Parts of one actor ---- */

struct coact__extra *coact__extra_of(struct coact__actor *actor);
void coact__arena_free(struct coact__extra *extra);

/* One run of a server (server.c). */
enum coact__after coact__server_run(struct coact__actor *actor);

/* Where it calls its handler, and its init: frames that overflow.c knows. */
void coact__server_turn(struct coact__actor *actor,
                        struct coact_receipt *at_hand);
int coact__server_begin(struct coact__actor *actor, int (*init)(void **state));

/* ---- For supervisors ---- */

/* Spawn a child linked to the calling supervisor, in one step.  An exit signal
   of that supervisor cannot be trapped into survival: a child that traps gets
   the news and shutdown_ns to end, then it is killed. */
COACT_CHECKED int coact__spawn_child(const struct coact_mailbox *mailbox,
                                     void (*body)(void), void *arg,
                                     const struct coact_options *options,
                                     int64_t shutdown_ns, coact_ref *out);
/* The same for a server. */
COACT_CHECKED int coact__serve_child(const struct coact_mailbox *mailbox,
                                     void (*handler)(void), void *state,
                                     const struct coact_options *options,
                                     int64_t shutdown_ns, coact_ref *out);
coact_ref coact__supervisor_of_self(void);

/* ---- For threads that are not actors (foreign.c) ---- */

/* Host-driven: pump once, or sleep until there is something to pump, or `bell`
   is readable (-1: none). */
void coact__drive(struct coact_runtime *runtime, int bell, int64_t deadline_ns);

/* Run fn in an actor made for it, and wait for its return.  A failure: fn has
   not been called. */
int coact__run_inside(struct coact_runtime *runtime, void (*fn)(void *arg),
                      void *arg);

#endif
