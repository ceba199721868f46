/*
 * actor.h - start an actor, talk to it, learn of its death.
 *
 * An actor is a coroutine with a mailbox.  It runs on one worker at a time, may
 * wake on another, and shares nothing: all it knows came in its argument or in
 * a message.  It is plain straight-line C; the calls marked "waits yes" suspend
 * it, never its worker.
 *
 * How it ends.  It returns (normal), says so (coact_exit), fails (coact_fail),
 * or is asked to: killed, shut down by its supervisor, or hit by the exit
 * signal of a linked actor.  Who is asked finds out at the next call that
 * waits: that one returns -ECANCELED, so that the code can unwind.  The wait
 * after it does not return: the clean-ups given to coact_defer run there,
 * newest first, on the actor's own stack, and the actor is gone, with its
 * arena, its timers and its name.  Clean-ups may wait until the deadline of a
 * shutdown; after a kill every wait in them returns -ECANCELED at once.
 *
 * What one actor sends to another arrives in the order in which it was sent,
 * the news of its death included.  Nothing is delivered twice.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef COACT_ACTOR_H
#define COACT_ACTOR_H

#include <coact/error.h>
#include <coact/mailbox.h>
#include <coact/message.h>
#include <coact/reason.h>
#include <coact/ref.h>
#include <coact/role.h>
#include <coact/time.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

COACT_BEGIN_DECLS

struct coact_runtime;

/* ---- Starting ------------------------------------------------------------ */

enum coact_overflow {
    COACT_REJECT, /* a full mailbox refuses: the sender gets -ENOBUFS */
    COACT_BLOCK   /* the same for coact_send; coact_send_wait waits for room */
};

/* Whether an actor's stack may be put away while it waits in a receive without
   a deadline.  Its pages go back to the system, all but a copy of the few bytes
   in use, and it wakes at the same address: its own pointers stay good.  What
   others reach in its stack meanwhile is zeros.  So an actor that has lent a
   variable (to an actor as its argument, to a thread, to a library) must not. */
enum coact_hibernate {
    COACT_HIBERNATE_NEVER,
    COACT_HIBERNATE_LATER,  /* after the runtime's hibernate_after_ns of rest */
    COACT_HIBERNATE_AT_ONCE /* soon after it begins to wait */
};

/* One watch over another actor; names a monitor, and can be compared. */
typedef struct coact_monitor_id {
    uint64_t id; /* 0 names none */
} coact_monitor_id;

/* How to start an actor.  All zero is a good actor. */
struct coact_options {
    /* For logs and lists; copied.  NULL: the mailbox's name. */
    const char *label;
    const char *name;   /* registered before it runs; copied. NULL: none */
    size_t stack_bytes; /* 0: the runtime's; else rounded up to 1, 4, 16
                                    or 64 times that, and not more */
    uint32_t mailbox_messages; /* most messages queued by users; 0: no limit */
    enum coact_overflow overflow;
    bool link;      /* to the spawner, in the same step */
    bool trap_exit; /* from its first instruction on */
    /* Not NULL: watched by the spawner, in the same step. */
    coact_monitor_id *monitor;
    struct coact_runtime *runtime; /* NULL: that of the caller */
    void (*destroy_arg)(void *); /* not NULL: `arg` is taken, and destroyed with
                                    this when the actor has ended or could not start */
    coact_role role;             /* all zero: the spawner's */
    bool account;                /* open one for it: account.h */
    bool sender_role; /* each message is handled in the role of its sender */
    enum coact_hibernate hibernate;
    int (*init)(void **state); /* of a server; see server.h */
    /* Who has sent much does not make others wait: messages and news are
       received round robin over the senders, in order within each.  Threads
       that are not actors, and timers, count as one sender together; what is
       forwarded counts as its first sender's.  A receive takes a few times as
       long as that of another actor.  Where memory is short some senders are
       served as one. */
    bool fair;
    /* It has an OS thread of its own, from its first instruction to the end of
       its clean-ups, on which nothing else runs: see below. */
    bool pinned;
};

/*
 * A pinned actor may do what others must not: call what blocks, for as long as
 * that takes; use thread-locals, pthread mutexes, stdio locks, and libraries
 * that want to be called by one thread alone; and suspend in between.  It delays
 * nobody, takes no worker away, is never reported as stuck, and is otherwise an
 * actor like any: it waits in the same calls, is killed, linked, watched and
 * supervised, and each restart gets a new thread.  While it waits the thread
 * sleeps.
 *
 * A message to or from it wakes a thread, which takes microseconds where others
 * take a fraction of one.  So a library's thread is pinned, and what can do
 * without is not.  The spawn makes the thread, and fails with -EAGAIN if there
 * is none to be had or as many are pinned as pinned_threads of the runtime's
 * options allows.
 *
 *   stack      as of others, not the thread's: give it what the library needs
 *   role       goes with its messages, and a limit of it holds; its time is
 *              the kernel's to share out, and counts to no role
 *   timers     ticks that come while it is in a call that blocks are there at
 *              its next receive
 *   hibernate  is ignored
 *   end        thread-locals are destroyed by the system when the thread ends,
 *              soon after the actor has
 *
 * In a runtime that the host drives it has a thread all the same.  In simulation
 * there is one thread for all: there a call that blocks blocks all, and a mutex
 * held over a wait must not be wanted by another actor.
 */

/* Start an actor: its mailbox, where to put its address, its body (a function
   `void body(NAME_self self, void *arg)`), and the body's argument, lent until
   the actor ends.  It may have run, and ended, before the call returns.  Its
   stack is taken when it first runs: if none can be had it ends with -ENOMEM.
   from any, waits no, fails EINVAL ENOMEM EEXIST EPERM ESHUTDOWN EAGAIN */
#define coact_spawn(mailbox, out, body, arg)                                   \
    coact__spawn(&mailbox##_coact_mailbox, COACT__BODY(mailbox, body), (arg),  \
                 NULL, &(1 ? (out) : (mailbox##_ref *)0)->ref)

/* The same with options, as designated initialisers of struct coact_options.
   from any, waits no, fails EINVAL ENOMEM EEXIST EPERM ESHUTDOWN EAGAIN */
#define coact_spawn_with(mailbox, out, body, arg, ...)                         \
    coact__spawn(&mailbox##_coact_mailbox, COACT__BODY(mailbox, body), (arg),  \
                 &(const struct coact_options){__VA_ARGS__},                   \
                 &(1 ? (out) : (mailbox##_ref *)0)->ref)

/* ---- Who we are ---------------------------------------------------------- */

/* Our own address; nobody's outside of an actor.
   from any, waits no, fails never */
COACT_API coact_ref coact_self(void);

/* Change the label under which we appear in logs and lists; copied.
   from actor, waits no, fails ENOMEM EPERM */
COACT_API int coact_set_label(const char *label);

/* Say from when on our stack may be put away while we wait: the option, changed
   for the receives to come.
   from actor, waits no, fails EINVAL EPERM */
COACT_API int coact_set_hibernate(enum coact_hibernate when);

/* Let this thread, which is not an actor, call coact: spawn, send, ask.  Pair
   with coact_detach, before the runtime is freed.
   from host, waits no, fails EINVAL EBUSY ENOMEM */
COACT_API COACT_CHECKED int coact_attach(struct coact_runtime *runtime);
COACT_API void coact_detach(void);

/* ---- Sending ------------------------------------------------------------- */

/* Send a message: coact_send(bank, deposit, .account = 7, .cents = 500), or
   coact_send(bank, ping, 0) for one without fields.  The struct is copied; text
   and bytes in it are taken, also if the send fails.  0 means that it is in the
   mailbox, or on its way to another node; not that it was read.
   from any, waits no, fails ESRCH ENOBUFS ENOMEM ENOTCONN EAGAIN EOVERFLOW EPERM EINVAL ENOTSUP */
#define coact_send(to, message, ...)                                           \
    coact__send((to).ref, &coact_type_##message, COACT__NUMBER(to, message),   \
                &(struct message){__VA_ARGS__})

/* The same, but where the receiver's mailbox is full and its overflow is
   COACT_BLOCK, wait until the deadline for room.
   from any, waits yes, fails ESRCH ENOBUFS ENOMEM ENOTCONN EAGAIN EOVERFLOW ESHUTDOWN EPERM EINVAL ENOTSUP ETIMEDOUT ECANCELED */
#define coact_send_wait(to, deadline_ns, message, ...)                         \
    coact__send_wait((to).ref, (deadline_ns), &coact_type_##message,           \
                     COACT__NUMBER(to, message),                               \
                     &(struct message){__VA_ARGS__})

/* ---- Receiving ----------------------------------------------------------- */

/*
 * Take the oldest message and act on it:
 *
 *   COACT_RECEIVE(self, coact_in_ms(100)) {
 *   case COACT_ON(deposit, m): total += m->cents; break;
 *   case COACT_ON(balance, m): {
 *       audit(m->account);
 *       coact_reply(m, .cents = total);
 *   } break;
 *   case COACT_ON_DOWN(d): worker_lost(d->who); break;
 *   case COACT_ON_TIMEOUT: idle(); break;
 *   }
 *
 * An arm is one statement or one block, then `break`.  m points to the message,
 * which lives until the block ends, however it is left; see coact_keep.  The
 * arm may change it, and take a text out of it by leaving NULL in its place.
 * A message without an arm is counted and logged.  When the wait was cancelled
 * no arm runs but COACT_ON_CANCELLED, where there is one.
 * `continue` ends the block like `break`; it does not reach a loop around it.
 * from actor, waits yes, fails never
 */
#define COACT_RECEIVE(self, deadline_ns)                                       \
    COACT__RECEIVE(self, coact__receipt_of(coact__receive_until(deadline_ns)))

/* The same for the oldest message among those named, also coact_down,
   coact_exit and coact_tick; the others stay where they are, in order.
   from actor, waits yes, fails never */
#define COACT_RECEIVE_ONLY(self, deadline_ns, ...)                             \
    COACT__RECEIVE(self,                                                       \
                   coact__receipt_of(coact__receive(                           \
                       (deadline_ns),                                          \
                       (const uint32_t[]){COACT__NUMBERS(self, __VA_ARGS__)},  \
                       COACT__COUNT(__VA_ARGS__))))

// It would take the macro apart.
// clang-format off
#define COACT_ON(message, m)                                                   \
    COACT__CASE(message)                                                       \
        : for (coact_reply_of_##message *m##_coact_reply = 0,                  \
               **m##_coact_once = &m##_coact_reply;                            \
               m##_coact_once != 0; m##_coact_once = 0)                        \
            for (struct message *m = (struct message *)coact__take(            \
                     &coact__r, COACT__CASE(message));                         \
                 m != 0; m = 0)                                                \
                switch (0)                                                     \
                case 0
// clang-format on
#define COACT_ON_DOWN(d) COACT__ON(coact_down, struct coact_down, d)
#define COACT_ON_EXIT(e) COACT__ON(coact_exit, struct coact_exit_news, e)
#define COACT_ON_TICK(t) COACT__ON(coact_tick, struct coact_tick, t)
#define COACT_ON_TIMEOUT COACT__OUTCOME(coact_timeout)
#define COACT_ON_CANCELLED COACT__OUTCOME(coact_cancelled)

/* What a monitor says, once: the actor that it watched has ended. */
struct coact_down {
    coact_monitor_id monitor;
    coact_ref who;
    struct coact_reason reason;
};

/* What a link says to an actor that traps exits. */
struct coact_exit_news {
    coact_ref from;
    struct coact_reason reason;
};

/* Hold a received message beyond its block, until coact_release or our end.  A
   request that is kept can be answered later.
   from actor, waits no, fails never */
#define coact_keep(m) ((__typeof__(m))coact__keep(m))
COACT_API void coact_release(void *message);

/* How many messages wait for us, seen or not.
   from actor, waits no, fails never */
COACT_API size_t coact_pending(void);

/* ---- Asking -------------------------------------------------------------- */

/* Send a request and wait for its reply, which is put in *reply; its texts and
   bytes are given: free them with coact_message_destroy.  -EOWNERDEAD as soon as
   the other one dies, -EPIPE as soon as it drops the request; the deadline is
   only the last resort.  coact_last_reason() then tells more.
   from any, waits yes, fails ETIMEDOUT ECANCELED ESRCH EOWNERDEAD EPIPE ENOTCONN ENOBUFS ENOMEM EDEADLK EAGAIN EOVERFLOW ESHUTDOWN EPERM EINVAL ENOTSUP ECONNREFUSED EBADMSG EPROTO */
#define coact_ask(to, message, reply, deadline_ns, ...)                        \
    coact__ask((to).ref, &coact_type_##message, COACT__NUMBER(to, message),    \
               &(struct message){__VA_ARGS__},                                 \
               COACT__POINTER(coact_reply_of_##message, reply), (deadline_ns))

/* The reason behind the last -EOWNERDEAD, -EPIPE or -ENOTCONN of coact_ask in
   this actor.
   from actor, waits no, fails never */
COACT_API struct coact_reason coact_last_reason(void);

/* Answer a request that we hold: m is the name given to it in COACT_ON.  Once.
   -ESRCH: nobody waits for it any more, or the link to him is down.
   from actor, waits no, fails EALREADY ESRCH ENOMEM EINVAL EPERM */
#define coact_reply(m, ...)                                                    \
    coact__reply((m), &(__typeof__(*m##_coact_reply)){__VA_ARGS__},            \
                 sizeof(*m##_coact_reply))

/* The same for a request that was kept under another name: the request's type
   is named.
   from actor, waits no, fails EALREADY ESRCH ENOMEM EINVAL EPERM */
#define coact_reply_to(message, m, ...)                                        \
    coact__reply(COACT__POINTER(struct message, m),                            \
                 &(coact_reply_of_##message){__VA_ARGS__},                     \
                 sizeof(coact_reply_of_##message))

/* Hand a received message, and with a request the duty to answer it, on to
   another actor that takes it.  It is no longer ours, also if this fails.
   from actor, waits no, fails ESRCH ENOBUFS ENOMEM ENOTCONN EAGAIN EOVERFLOW EINVAL ENOTSUP EPERM */
#define coact_forward(m, to, message)                                          \
    coact__forward(COACT__POINTER(struct message, m), (to).ref,                \
                   COACT__NUMBER(to, message))

/* The deadline of whoever asked; COACT_FOREVER for a message that was sent.
   from actor, waits no, fails never */
COACT_API int64_t coact_deadline_of(const void *message);

/* Who sent a message; nobody if it came from outside of any actor.
   from actor, waits no, fails never */
COACT_API coact_ref coact_sender_of(const void *message);

/* ---- Ending -------------------------------------------------------------- */

/* End with an expected reason: COACT_NORMAL or COACT_SHUTDOWN.  Runs what was
   deferred, on this stack; does not return.  Outside of an actor it aborts.
   from actor, waits yes, fails never */
COACT_NORETURN COACT_API void coact_exit(int code);

/* End because something went wrong: a code (negative, or one of yours; 0 is
   taken as -EINVAL) and a text.  Does not return.  Outside of an actor it aborts.
   from actor, waits yes, fails never */
COACT_NORETURN COACT_API void coact_fail(int code, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Fail, saying file, line and expression, unless it is true.
   from actor, waits no, fails never */
#define COACT_CHECK(expression)                                                \
    ((expression)                                                              \
         ? (void)0                                                             \
         : coact_fail(-EINVAL, "%s:%d: %s", __FILE__, __LINE__, #expression))

/* End an actor, whatever it does; its reason will be COACT_KILLED.  One that
   never waits ends only when it does.  0 also if it is gone already.
   from any, waits no, fails ENOTCONN EAGAIN ENOMEM EPERM */
COACT_API int coact_kill(coact_ref actor);

/* Send an exit signal, as if we were linked and had ended so.  NORMAL does
   nothing to one that does not trap, but ends ourselves if it is us; KILL is
   the same as coact_kill.
   from any, waits no, fails ENOTCONN EAGAIN ENOMEM EPERM */
COACT_API int coact_signal_exit(coact_ref actor, int code, const char *text);

/* Run fn(arg) however this actor ends, newest first.
   from actor, waits no, fails ENOMEM EPERM */
COACT_API int coact_defer(void (*fn)(void *arg), void *arg);

/* Run the newest deferred clean-up now, and forget it.
   from actor, waits yes, fails ENOENT EPERM */
COACT_API int coact_undefer(void);

/* Memory that goes when this actor does; aligned for anything; NULL if there is
   none.
   from actor, waits no, fails never */
COACT_API void *coact_arena(size_t bytes);

/* ---- Watching ------------------------------------------------------------ */

/* Ask for one coact_down when the actor ends; at once, with COACT_NOPROC, if it
   has already.  Two monitors, two news.
   from actor, waits no, fails ENOMEM EPERM */
COACT_API COACT_CHECKED int coact_monitor(coact_ref actor,
                                          coact_monitor_id *out);

/* Take a monitor back.  No coact_down of it is received after this, also if the
   actor had ended.  -ENOENT if it had been received already.
   from actor, waits no, fails ENOENT EPERM */
COACT_API int coact_demonitor(coact_monitor_id monitor);

/* Link ourselves and another: whoever ends first, the other is told.  With
   trap_exit as a coact_exit_news message; else, if the reason is not normal, by
   ending too.  At most one link per pair.  An actor that is gone already ends
   us with COACT_NOPROC, or sends the news.  To link oneself does nothing.
   from actor, waits no, fails ENOMEM EPERM */
COACT_API COACT_CHECKED int coact_link(coact_ref actor);

/* No news of that link after this.
   from actor, waits no, fails EPERM */
COACT_API int coact_unlink(coact_ref actor);

/* From now on, exit signals of linked actors become messages.  Kill does not;
   nor does the exit of our own supervisor: trapping buys time, not life.
   from actor, waits no, fails EPERM */
COACT_API int coact_trap_exit(bool on);

/* Wait until an actor has ended; *reason, where not NULL, tells why, or says
   COACT_NOPROC if it had ended before we asked.
   from any, waits yes, fails ETIMEDOUT ECANCELED ENOMEM EDEADLK EPERM ESHUTDOWN EAGAIN */
COACT_API COACT_CHECKED int coact_join(coact_ref actor, int64_t deadline_ns,
                                       struct coact_reason *reason);

/* Is this actor of our runtime still there?  It may be gone when the answer
   arrives.  False for one of another node: only a monitor can tell.
   from any, waits no, fails never */
COACT_API bool coact_is_alive(coact_ref actor);

/* ---- Time ---------------------------------------------------------------- */

/* Sleep until the deadline.
   from actor, waits yes, fails ECANCELED EPERM */
COACT_API int coact_sleep(int64_t deadline_ns);

/* Let others run.
   from actor, waits yes, fails ECANCELED EPERM */
COACT_API int coact_yield(void);

/* For loops that compute for long: let others run if it is time for that, and
   find out whether we are asked to end.  It costs some nanoseconds where nothing
   asks, so it may stand in an inner loop.  Others run when we have had two
   milliseconds, when a role with a target has somebody ready on our worker, or
   when another works in its place already.
   from actor, waits yes, fails ECANCELED EPERM */
COACT_API int coact_checkpoint(void);

typedef struct coact_timer_id {
    uint64_t id; /* 0 names none */
} coact_timer_id;

/* What a timer says. */
struct coact_tick {
    coact_timer_id timer;
    void *data;
    uint64_t missed; /* periods that passed without a tick of their own */
};

/* Send ourselves a coact_tick at the deadline and, if period_ns > 0, again every
   period; at most one tick of a timer waits at a time.
   from actor, waits no, fails ENOMEM EPERM EINVAL */
COACT_API COACT_CHECKED int coact_timer_start(coact_timer_id *out,
                                              int64_t deadline_ns,
                                              int64_t period_ns, void *data);

/* No tick of it is received after this, also if one waits already.  -ENOENT if
   it had ended.
   from actor, waits no, fails ENOENT EPERM */
COACT_API int coact_timer_cancel(coact_timer_id timer);

/* ---- Names --------------------------------------------------------------- */

/* Be known under a name of up to 255 bytes in this runtime; it is free again
   before anyone learns of our end.  -EEXIST: it is taken, or we have one.
   from actor, waits no, fails EEXIST ENOMEM EINVAL EPERM */
COACT_API COACT_CHECKED int coact_register(const char *name);
COACT_API int coact_unregister(const char *name);

/* Find the actor of a name, which must have this mailbox (-EINVAL if not).
   from any, waits no, fails ENOENT EINVAL EPERM */
#define coact_whereis(mailbox, actor_name, out)                                \
    coact__whereis(&mailbox##_coact_mailbox, (actor_name),                     \
                   &(1 ? (out) : (mailbox##_ref *)0)->ref)

/* ---- Behind the macros --------------------------------------------------- */

/* x, which must be a pointer to such a thing, or it does not compile. */
#define COACT__POINTER(type, x) ((void)sizeof(*(x) = *(type *)0), (x))

/* As it is returned, in two registers. */
struct coact_received {
    void *message;
    uint64_t number; /* COACT__NO_NUMBER: not even an outcome */
};

#define COACT__NO_NUMBER UINT64_MAX

/* As the block has it. */
struct coact_receipt {
    void *message;   /* what was received; NULL: a time-out or a cancel */
    uint32_t number; /* in the accepts struct */
    bool open, taken;
};

#define COACT__RECEIVE(self, call)                                             \
    for (struct coact_receipt coact__r                                         \
         __attribute__((cleanup(coact__receipt_end))) = (call);                \
         coact__r.open;)                                                       \
        for (__typeof__((self).accepts) coact__accepts = 0;                    \
             coact__r.open && coact__accepts == 0; coact__r.open = false)      \
            switch (coact__r.number)

#define COACT__CASE(message)                                                   \
    (uint32_t) __builtin_offsetof(__typeof__(*coact__accepts), message)

/* Control runs on into the next arm where a `break` stood inside of a block, or
   alone behind a COACT_ON.  So each arm looks whether it is meant.  The second
   label, which nothing jumps to, takes the user's colon: thus his `break`
   leaves the block. */
#define COACT__OUTCOME(member)                                                 \
    COACT__CASE(member) : if (coact__r.number != COACT__CASE(member))          \
    {                                                                          \
        break;                                                                 \
    }                                                                          \
    __attribute__((fallthrough));                                              \
    case COACT__CASE(member) + 65536

// It would take the macro apart.
// clang-format off
#define COACT__ON(member, news_type, n)                                        \
    COACT__CASE(member)                                                        \
        : for (news_type *n = (news_type *)coact__take(&coact__r,              \
                                                       COACT__CASE(member));   \
               n != 0; n = 0)                                                  \
            switch (0)                                                         \
            case 0
// clang-format on

/* `options` NULL: all zero. */
COACT_API COACT_CHECKED int coact__spawn(const struct coact_mailbox *mailbox,
                                         void (*body)(void), void *arg,
                                         const struct coact_options *options,
                                         coact_ref *out);
COACT_API int coact__send(coact_ref to, struct coact_type *type,
                          uint32_t number, void *payload);
COACT_API COACT_CHECKED int coact__send_wait(coact_ref to, int64_t deadline_ns,
                                             struct coact_type *type,
                                             uint32_t number, void *payload);
COACT_API struct coact_received
coact__receive(int64_t deadline_ns, const uint32_t *numbers, size_t count);
COACT_API struct coact_received coact__receive_any(void);
COACT_API void coact__receipt_close(void *message, bool was_taken);
COACT_API void *coact__keep(void *message);

/* What most wait for has a function of its own, which need not ask. */
__attribute__((always_inline)) static inline struct coact_received
coact__receive_until(int64_t deadline_ns)
{
    return __builtin_constant_p(deadline_ns) && deadline_ns == COACT_FOREVER
               ? coact__receive_any()
               : coact__receive(deadline_ns, 0, 0);
}

static inline struct coact_receipt
coact__receipt_of(struct coact_received received)
{
    struct coact_receipt receipt = {received.message, (uint32_t)received.number,
                                    received.number != COACT__NO_NUMBER, false};
    return receipt;
}

/* The message, for the first arm that is meant. */
static inline void *
coact__take(struct coact_receipt *receipt, uint32_t number)
{
    if (receipt->message == NULL || receipt->taken ||
        receipt->number != number) {
        return NULL;
    }
    receipt->taken = true;
    return receipt->message;
}

static inline void
coact__receipt_end(struct coact_receipt *receipt)
{
    // By value, so that the receipt itself need not lie in memory.
    if (receipt->message != NULL) {
        coact__receipt_close(receipt->message, receipt->taken);
    }
}
COACT_API COACT_CHECKED int coact__ask(coact_ref to, struct coact_type *type,
                                       uint32_t number, void *payload,
                                       void *reply, int64_t deadline_ns);
COACT_API int coact__reply(void *message, void *payload, size_t bytes);
COACT_API int coact__forward(void *message, coact_ref to, uint32_t number);
COACT_API COACT_CHECKED int coact__whereis(const struct coact_mailbox *mailbox,
                                           const char *name, coact_ref *out);

COACT_END_DECLS

#endif
