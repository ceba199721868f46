/*
 * stuck.c - who does not come back, what it does, and for whom.
 *
 * The lookout says which worker, for how long, and what its thread does.  The
 * rest is asked of the thread itself, by the signal of a snapshot: its frames,
 * and the message that its actor holds.  Only there can that be read: the actor
 * may drop the message and go on without a switch, so that from outside neither
 * the message's memory nor its type can be trusted.
 *
 * An actor cannot end while it is stuck, but it may come back at any moment.  So
 * everything is read first, and then it is asked whether the run is still the
 * one that it was; if not, nothing is said.
 *
 * A record is written before the report is open, and read when it is closed; the
 * lock of the parking orders the two.
 *
 * SPDX-License-Identifier: MIT
 */
#include "actors/stuck.h"

#include "actors/life.h"
#include "runtime/here.h"
#include "runtime/memory.h"
#include "runtime/snapshot.h"
#include "runtime/snapshot_cell.h"

#include <coact/time.h>

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#define FRAMES 32
#define LINE_BYTES 288
#define LABEL_BYTES 64
#define PATIENCE_NS INT64_C(2000000000)
#define SIGNAL_ABOVE_RTMIN 10

struct coact__stuck_record {
    coact_ref actor;
    char label[LABEL_BYTES];
    const char *mailbox, *role;
    int64_t since_ns;
    bool is_logged; /* it was not one of too many */
};

struct coact__stuck_record *
coact__stuck_records_new(uint32_t workers)
{
    return coact__alloc_zeroed(workers * sizeof(struct coact__stuck_record));
}

/* ---- On the thread itself, in the handler -------------------------------- */

enum { NOTE_ACTOR, NOTE_MESSAGE, NOTE_SENDER };

_Static_assert(sizeof(coact_ref) == 2 * sizeof(uint64_t),
               "an address is two notes");

COACT__UNSEEN static const char *
name_of(const struct coact__envelope *envelope)
{
    if (envelope->type != NULL) {
        return envelope->type->name;
    }
    return envelope->item.kind == COACT__KIND_DOWN        ? "coact_down"
           : envelope->item.kind == COACT__KIND_EXIT_NEWS ? "coact_exit"
                                                          : "coact_tick";
}

COACT__UNSEEN static void
note(uint64_t notes[COACT__SNAPSHOT_NOTES])
{
    const struct coact__worker *worker = coact__here()->worker;
    if (worker == NULL || worker->scheduler->options.run != coact__actor_run) {
        return;
    }
    const struct coact__actor *actor =
        (const struct coact__actor *)coact__worker_current(worker);
    if (actor == NULL) {
        return;
    }
    notes[NOTE_ACTOR] = (uintptr_t)actor;
    const struct coact__envelope *held = actor->held;
    if (held != NULL) {
        notes[NOTE_MESSAGE] = (uintptr_t)name_of(held);
        const coact_ref from = held->from;
        notes[NOTE_SENDER] = (uint64_t)from.incarnation << 32 | from.node;
        notes[NOTE_SENDER + 1] = (uint64_t)from.generation << 32 | from.slot;
    }
}

static coact_ref
sender_of(const uint64_t notes[COACT__SNAPSHOT_NOTES])
{
    return (coact_ref){.node = (uint32_t)notes[NOTE_SENDER],
                       .incarnation = (uint32_t)(notes[NOTE_SENDER] >> 32),
                       .slot = (uint32_t)notes[NOTE_SENDER + 1],
                       .generation = (uint32_t)(notes[NOTE_SENDER + 1] >> 32)};
}

int
coact__stuck_prepare(int signal)
{
    if (signal == 0) {
        return 0;
    }
    coact__snapshot_set_note(note);
    int rc = coact__snapshot_install(signal);
    // In simulation nobody is stuck; and one signal serves the whole process.
    return rc == -ENOTSUP || rc == -EALREADY ? 0 : rc;
}

void
coact__stuck_prepare_default(int signal)
{
    if (signal == 0) {
        // Without it reports have no backtrace, and say so.
        (void)!coact__stuck_prepare(SIGRTMIN + SIGNAL_ABOVE_RTMIN);
    }
}

/* ---- The picture --------------------------------------------------------- */

struct picture {
    const char *lines[FRAMES];
    char text[FRAMES][LINE_BYTES];
    uint32_t count;
    uint64_t notes[COACT__SNAPSHOT_NOTES];
};

static void
add_line(void *arg, const char *line)
{
    struct picture *picture = arg;
    if (picture->count < FRAMES) {
        char *text = picture->text[picture->count];
        snprintf(text, LINE_BYTES, "%s", line);
        picture->lines[picture->count++] = text;
    }
}

/* Is it still in the run that the lookout saw? */
static bool
is_same(const struct coact__stuck_run *run)
{
    return atomic_load_explicit(&run->worker->dispatches,
                                memory_order_relaxed) == run->dispatches &&
           coact__worker_current(run->worker) == run->task;
}

/* 0, or why there is none. */
static int
take_picture(const struct coact__stuck_run *run, struct picture *picture)
{
    if (picture == NULL) {
        return -ENOMEM;
    }
    void *frames[FRAMES];
    int count = coact__snapshot_take_noted(
        atomic_load_explicit(&run->worker->tid, memory_order_relaxed), frames,
        FRAMES, picture->notes, PATIENCE_NS);
    if (count < 0) {
        return count;
    }
    if (picture->notes[NOTE_ACTOR] != (uintptr_t)run->task) {
        return -ESRCH;
    }
    coact__snapshot_print(frames, count, add_line, picture);
    return 0;
}

/* ---- Saying it ----------------------------------------------------------- */

static double
seconds(int64_t ns)
{
    return (double)ns / 1e9;
}

static void
put_doing(const struct coact_stuck *report, char *text, size_t bytes)
{
    if (report->call != NULL) {
        snprintf(text, bytes, "it sleeps in the system call %s", report->call);
    } else if (report->cpu_ns >= 0) {
        snprintf(text, bytes, "it computes, %.3f s of that",
                 seconds(report->cpu_ns));
    } else {
        snprintf(text, bytes, "it computes");
    }
}

static void
put_message(const struct coact_stuck *report, char *text, size_t bytes)
{
    text[0] = '\0';
    if (report->message == NULL) {
        return;
    }
    if (coact_ref_is_none(report->sender)) {
        snprintf(text, bytes, "; it handles %s, from outside of any actor",
                 report->message);
    } else {
        snprintf(text, bytes, "; it handles %s, from actor %u.%u",
                 report->message, report->sender.slot,
                 report->sender.generation);
    }
}

static void
log_held_back(struct coact_runtime *runtime, uint32_t count)
{
    if (count > 0) {
        coact__log(runtime, COACT_LOG_WARNING, "stuck: %u more were not shown",
                   count);
    }
}

static void
log_report(struct coact_runtime *runtime, const struct coact_stuck *report)
{
    char doing[80];
    char message[128];
    put_doing(report, doing, sizeof(doing));
    put_message(report, message, sizeof(message));
    coact__log(runtime, COACT_LOG_WARNING,
               "stuck: %s (actor %u.%u, mailbox %s, role %s) has not come back "
               "for %.3f s: %s%s",
               report->label, report->actor.slot, report->actor.generation,
               report->mailbox, report->role, seconds(report->for_ns), doing,
               message);
    for (size_t i = 0; i < report->frames; i++) {
        coact__log(runtime, COACT_LOG_WARNING, "stuck:   %s",
                   report->backtrace[i]);
    }
    if (report->backtrace_code < 0) {
        coact__log(runtime, COACT_LOG_WARNING, "stuck:   no backtrace: %s",
                   report->backtrace_code == -ENOTSUP
                       ? "the option backtrace_signal is not set"
                       : coact_strerror(report->backtrace_code));
    }
}

static void
say(struct coact_runtime *runtime, struct coact__stuck_record *about,
    const struct coact_stuck *report)
{
    uint32_t held_back;
    if (report->is_over && about->is_logged) {
        coact__log(runtime, COACT_LOG_WARNING,
                   "stuck: %s (actor %u.%u) has come back after %.3f s",
                   report->label, report->actor.slot, report->actor.generation,
                   seconds(report->for_ns));
    } else if (!report->is_over) {
        about->is_logged = coact__log_admits(&runtime->stuck_limit,
                                             coact_now_ns(), &held_back);
        if (about->is_logged) {
            log_held_back(runtime, held_back);
            log_report(runtime, report);
        }
    }
    if (runtime->options.stuck != NULL) {
        runtime->options.stuck(runtime->options.stuck_context, report);
    }
}

/* ---- What the lookout calls ---------------------------------------------- */

/* A picture in passing: who is back may have his role changed by whoever wakes
   him, and either one is right.  Not for ThreadSanitizer, which cannot know. */
static __attribute__((noinline, no_sanitize("thread"))) const char *
role_of(const struct coact_runtime *runtime, const struct coact__actor *actor)
{
    const volatile uint8_t *role = &actor->task.runnable.role;
    unsigned number = *role & ~(unsigned)COACT__ROLE_WISHES;
    return runtime->scheduler.roles
        .of[number < runtime->scheduler.roles.count ? number : 0]
        .name;
}

static void
record(struct coact_runtime *runtime, const struct coact__stuck_run *run,
       struct coact__stuck_record *out)
{
    const struct coact__actor *actor = (const struct coact__actor *)run->task;
    // The lock keeps its label as it is.
    pthread_mutex_lock(&runtime->lock);
    snprintf(out->label, sizeof(out->label), "%s", coact__label_of(actor));
    pthread_mutex_unlock(&runtime->lock);
    out->actor = coact__ref_of(actor);
    out->mailbox = coact__mailbox_of(actor)->name;
    out->role = role_of(runtime, actor);
    out->since_ns = run->since_ns;
}

static const char *
call_of(const struct coact__stuck_run *run)
{
    if (!run->sleeps) {
        return NULL;
    }
    const char *name = coact__threadstate_call_name(run->call);
    return name != NULL ? name : "?";
}

static struct coact_stuck
report_of(const struct coact__stuck_record *about, int64_t now_ns)
{
    return (struct coact_stuck){.actor = about->actor,
                                .label = about->label,
                                .mailbox = about->mailbox,
                                .role = about->role,
                                .since_ns = about->since_ns,
                                .for_ns = now_ns - about->since_ns,
                                .cpu_ns = -1};
}

bool
coact__stuck_tell(void *owner, const struct coact__stuck_run *run)
{
    struct coact_runtime *runtime = owner;
    if (run->task == NULL || !is_same(run)) {
        return false;
    }
    struct coact__stuck_record *about =
        &runtime->stuck_records[run->worker->index];
    record(runtime, run, about);
    struct picture *picture = coact__alloc_zeroed(sizeof(*picture));
    int code = take_picture(run, picture);
    bool is_said = is_same(run);
    if (is_said) {
        struct coact_stuck report = report_of(about, run->now_ns);
        report.cpu_ns = run->computed_ns;
        report.call = call_of(run);
        report.backtrace_code = code;
        if (code == 0) {
            report.message =
                (const char *)(uintptr_t)picture->notes[NOTE_MESSAGE];
            report.sender = sender_of(picture->notes);
            report.backtrace = picture->lines;
            report.frames = picture->count;
        }
        atomic_fetch_add_explicit(&runtime->stuck_now, 1, memory_order_relaxed);
        atomic_fetch_add_explicit(&runtime->stuck_ever, 1,
                                  memory_order_relaxed);
        say(runtime, about, &report);
    }
    coact__free(picture);
    return is_said;
}

void
coact__stuck_over(void *owner, struct coact__worker *worker, int64_t now_ns)
{
    struct coact_runtime *runtime = owner;
    struct coact__stuck_record *about = &runtime->stuck_records[worker->index];
    struct coact_stuck report = report_of(about, now_ns);
    report.is_over = true;
    atomic_fetch_sub_explicit(&runtime->stuck_now, 1, memory_order_relaxed);
    say(runtime, about, &report);
}
