/*
 * main.c - the life of a program that is all coact.
 *
 *   RUNNING | `main` runs; the thread that called coact_main waits
 *   ASKED   | a signal came, or an actor called exit: the actor of `main` is
 *           | asked to end, and has half of stop_ns for it
 *   STOP    | the rest of the actors is asked, and at last killed (coact_stop)
 *   LEFT    | if somebody is still there: _exit, named in the log
 *
 * What others bring about is written under one lock and waited for by the
 * thread that called coact_main.
 *
 * SPDX-License-Identifier: MIT
 */
#include "actors/main.h"
#include "actors/ending.h"

#include "actors/family.h"
#include "actors/isolated.h"
#include "actors/life.h"
#include "actors/signals.h"
#include "actors/stuck.h"
#include "runtime/memory.h"
#include "runtime/oracle.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define STOP_NS COACT_SECONDS(5)
#define STACK_BYTES ((size_t)1 << 20)
#define NAMED_MOST 10

COACT_SIGNAL(coact__main_nothing);
COACT_MAILBOX(coact__main, coact__main_nothing);

/* Lives as long as the process, since exit may be called at any time. */
struct play {
    const struct coact_program *program;
    const char *name;
    int argc;
    char **argv;
    struct coact_runtime *runtime;
    coact_ref actor;

    pthread_mutex_t lock;
    pthread_cond_t changed;
    // Under the lock.
    bool is_over;      /* coact_main has returned, or is about to leave */
    bool has_ended;    /* the actor of main */
    bool has_returned; /* main itself */
    int code;          /* then */
    int sig;           /* the signal that asks for the end, or 0 */
    bool has_exited;   /* an actor has called exit */
    int exit_code;     /* then */
};

static int
failed(const struct play *play, int rc, const char *what)
{
    fprintf(stderr, "%s: %s: %s\n", play->name, what, coact_strerror(rc));
    return EXIT_FAILURE;
}

/* ---- The actor of main --------------------------------------------------- */

static void
main_body(coact__main_self self, void *arg)
{
    (void)self;
    struct play *play = arg;
    int code = play->program->main(play->argc, play->argv);
    pthread_mutex_lock(&play->lock);
    play->has_returned = true;
    play->code = code;
    pthread_mutex_unlock(&play->lock);
}

static void
main_has_ended(void *arg)
{
    struct play *play = arg;
    pthread_mutex_lock(&play->lock);
    play->has_ended = true;
    pthread_cond_signal(&play->changed);
    pthread_mutex_unlock(&play->lock);
}

static int
start_main(struct play *play)
{
    const struct coact_program *program = play->program;
    coact__main_ref actor;
    const struct coact_options options = {.label = "main",
                                          .stack_bytes =
                                              program->main_stack_bytes != 0
                                                  ? program->main_stack_bytes
                                                  : STACK_BYTES,
                                          .runtime = play->runtime,
                                          .destroy_arg = main_has_ended};
    int rc = coact__spawn(&coact__main_coact_mailbox, (void (*)(void))main_body,
                          play, &options, &actor.ref);
    play->actor = actor.ref;
    return rc;
}

/* ---- Who asks for the end ------------------------------------------------ */

static void
signal_told(void *owner, int sig)
{
    struct play *play = owner;
    pthread_mutex_lock(&play->lock);
    play->sig = sig;
    pthread_cond_signal(&play->changed);
    pthread_mutex_unlock(&play->lock);
}

/* exit was called.  By an actor: the program stops in order, and that actor
   ends here, on its own stack, in the middle of exit. */
static void
exit_called(int code, void *arg)
{
    struct play *play = arg;
    const struct coact__actor *actor = coact__actor_here();
    pthread_mutex_lock(&play->lock);
    bool is_ours = !play->is_over && actor != NULL;
    if (is_ours && !play->has_exited) {
        play->has_exited = true;
        play->exit_code = code;
        pthread_cond_signal(&play->changed);
    }
    pthread_mutex_unlock(&play->lock);
    if (is_ours) {
        coact_exit(COACT_SHUTDOWN);
    }
}

/* ---- The end ------------------------------------------------------------- */

static bool
is_asked(const struct play *play)
{
    return play->sig != 0 || play->has_exited;
}

static struct timespec
timespec_of(int64_t ns)
{
    return (struct timespec){ns / 1000000000, ns % 1000000000};
}

struct blame {
    struct coact_runtime *runtime;
    int named;
};

static bool
name_one(void *context, const struct coact_actor_info *info)
{
    struct blame *blame = context;
    if (blame->named++ < NAMED_MOST) {
        coact__log(blame->runtime, COACT_LOG_WARNING,
                   "stop: still there: %s (actor %u.%u), %s", info->label,
                   info->ref.slot, info->ref.generation, info->state);
    }
    return blame->named <= NAMED_MOST;
}

/* The actor of main first: it knows best in which order its own should go. */
static void
end_main(struct play *play, int64_t patience_ns)
{
    const struct coact_reason reason = {.code = COACT_SHUTDOWN};
    // It may call exit itself and be on its way out already.
    if (coact__signal_local(play->runtime, (coact_ref){0}, play->actor,
                            &reason) < 0) {
        coact__kill_local(coact__slot_of(play->runtime, play->actor),
                          play->actor.generation);
    }
    struct timespec at = timespec_of(patience_ns);
    pthread_mutex_lock(&play->lock);
    int rc = 0;
    while (!play->has_ended && rc != ETIMEDOUT) {
        rc = pthread_cond_timedwait(&play->changed, &play->lock, &at);
    }
    bool has_ended = play->has_ended;
    pthread_mutex_unlock(&play->lock);
    if (!has_ended) {
        struct blame blame = {.runtime = play->runtime};
        coact_each_actor(play->runtime, name_one, &blame);
    }
}

/* Until when all has to be over. */
static int64_t
await_end_of_main(struct play *play, int64_t stop_ns)
{
    pthread_mutex_lock(&play->lock);
    while (!play->has_ended && !is_asked(play)) {
        pthread_cond_wait(&play->changed, &play->lock);
    }
    bool has_ended = play->has_ended;
    int sig = play->sig;
    pthread_mutex_unlock(&play->lock);
    if (sig != 0) {
        coact__log(play->runtime, COACT_LOG_WARNING, "%s: stopping",
                   coact__signal_name(sig));
    }
    int64_t deadline_ns = coact_in_ns(stop_ns);
    if (!has_ended) {
        end_main(play, deadline_ns - stop_ns / 2);
    }
    return deadline_ns;
}

/* Under the lock, or when nobody else is left. */
static int
code_of(const struct play *play)
{
    if (play->has_exited) {
        return play->exit_code;
    }
    if (play->has_returned) {
        return play->code;
    }
    return play->sig != 0 ? 128 + play->sig : EXIT_FAILURE;
}

static _Noreturn void
leave(struct play *play)
{
    pthread_mutex_lock(&play->lock);
    int code = code_of(play);
    play->is_over = true;
    pthread_mutex_unlock(&play->lock);
    struct coact_runtime_stats stats;
    coact_stats(play->runtime, &stats);
    coact__log(play->runtime, COACT_LOG_ERROR,
               "stop: the process is left with %s in it",
               stats.actors_alive > 0 ? "actors" : "calls that block");
    coact__family_abandon(play->runtime);
    _exit(code);
}

static int
run(struct play *play, int64_t stop_ns)
{
    int rc = start_main(play);
    int64_t deadline_ns = coact_in_ns(stop_ns);
    if (rc < 0) {
        (void)failed(play, rc, "the actor of main");
        play->code = EXIT_FAILURE;
        play->has_returned = true;
    } else {
        deadline_ns = await_end_of_main(play, stop_ns);
    }
    if (coact_stop(play->runtime, deadline_ns) < 0) {
        leave(play);
    }
    coact_free(play->runtime);
    return code_of(play);
}

/* ---- The beginning ------------------------------------------------------- */

static int
start_runtime(struct play *play)
{
    coact__stuck_prepare_default(play->program->options.backtrace_signal);
    int rc = coact_start(&play->program->options, &play->runtime);
    if (rc < 0) {
        return failed(play, rc, "the runtime could not start");
    }
    rc = coact__family_new(play->runtime, play->program);
    if (rc == 0 && !play->program->without_crash_report) {
        rc = coact_install_crash_report(play->runtime, play->name);
        // A host that came before us has made its choice.
        rc = rc == -EALREADY ? 0 : rc;
    }
    if (rc < 0) {
        (void)!coact_stop(play->runtime, COACT_FOREVER);
        coact_free(play->runtime);
        return failed(play, rc, "the runtime could not start");
    }
    return 0;
}

static int
init_play(struct play *play)
{
    pthread_condattr_t attr;
    int rc = pthread_condattr_init(&attr);
    if (rc == 0) {
        pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
        rc = pthread_cond_init(&play->changed, &attr);
        pthread_condattr_destroy(&attr);
    }
    if (rc == 0) {
        rc = pthread_mutex_init(&play->lock, NULL);
    }
    if (rc == 0 && on_exit(exit_called, play) != 0) {
        rc = ENOMEM;
    }
    return -rc;
}

static const char *
name_of(const struct coact_program *program, int argc, char **argv)
{
    if (program->name != NULL) {
        return program->name;
    }
    if (argc < 1 || argv[0] == NULL) {
        return "coact";
    }
    const char *slash = strrchr(argv[0], '/');
    return slash != NULL ? slash + 1 : argv[0];
}

static bool
says(int argc, char **argv, const char *option, const char *text)
{
    if (text == NULL || argc != 2 || strcmp(argv[1], option) != 0) {
        return false;
    }
    size_t bytes = strlen(text);
    printf("%s%s", text, bytes > 0 && text[bytes - 1] == '\n' ? "" : "\n");
    return true;
}

static int
play_program(struct play *play)
{
    const struct coact_program *program = play->program;
    struct coact__signals *signals;
    int rc = coact__signals_start(&signals, signal_told, play);
    if (rc < 0) {
        return failed(play, rc, "its signals");
    }
    int code = start_runtime(play);
    if (code == 0) {
        code = run(play, program->stop_ns != 0 ? program->stop_ns : STOP_NS);
    }
    coact__signals_stop(signals);
    return code;
}

int
coact_main(int argc, char **argv, const struct coact_program *program)
{
    if (coact__process_is_child(argc, argv)) {
        return coact__inmate_main(program);
    }
    if (says(argc, argv, "--help", program->usage) ||
        says(argc, argv, "--version", program->version)) {
        return 0;
    }
    struct play *play = coact__alloc_zeroed(sizeof(*play));
    if (play == NULL) {
        fputs("coact_main: no memory\n", stderr);
        return EXIT_FAILURE;
    }
    play->program = program;
    play->name = name_of(program, argc, argv);
    play->argc = argc;
    play->argv = argv;
    if (program->main == NULL || program->options.host_driven) {
        int code = failed(play, -EINVAL,
                          "a program needs a main, and threads of its own");
        coact__free(play);
        return code;
    }
    int rc = init_play(play);
    int code = rc < 0 ? failed(play, rc, "no room for the program")
                      : play_program(play);
    pthread_mutex_lock(&play->lock);
    play->is_over = true;
    bool has_exited = play->has_exited;
    pthread_mutex_unlock(&play->lock);
    if (has_exited) {
        // exit is under way, on a stack that is gone: it cannot be run again.
        fflush(NULL);
        _exit(code);
    }
    return code;
}
