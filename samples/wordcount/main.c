/*
 * main.c - count the words of a tree, in processes that may die.
 *
 *   main - desk - crew (a supervisor) - counter, counter, counter, counter
 *            \                          each in a process of its own
 *             the supply of lots, the ledger, the progress bar
 *
 * The desk reads the tree and hands out lots; the counters count; what they
 * find is entered in the ledger, a lot at a time.  When a counter dies its
 * supervisor starts another, and its lots are handed out again: the result is
 * the same.
 *
 * Start with messages.h, then desk.c and counter.c: the rest is no actor's.
 *
 * SPDX-License-Identifier: MIT
 */
#include "counter.h"
#include "desk.h"
#include "options.h"
#include "report.h"
#include "scout.h"

#include <coact/main.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct play {
    struct options options;
    struct job job;
    struct scouting scouting;
    scout_ref scout;
};

static int
failed(const char *what, const char *why)
{
    fprintf(stderr, "wordcount: %s: %s\n", what, why);
    return EXIT_FAILED;
}

static void
end_actor(coact_ref actor)
{
    if (!coact_ref_is_none(actor)) {
        (void)coact_signal_exit(actor, COACT_SHUTDOWN, "the count is over");
        (void)!coact_join(actor, COACT_FOREVER, NULL);
    }
}

/* However we end: the others first, for what they work on is ours. */
static void
end_play(void *arg)
{
    struct play *play = arg;
    end_actor(play->scout.ref);
    end_actor(play->scouting.desk.ref);
    table_free(&play->job.ledger.table);
}

/* Start the desk and wait until it has counted all. */
static int
count(struct play *play)
{
    struct coact_reason reason = {.code = COACT_NORMAL};
    int rc = coact_spawn(desk, &play->scouting.desk, desk_body, &play->job);
    if (rc == 0 && !play->options.is_quiet && isatty(STDERR_FILENO) == 1) {
        rc = coact_spawn(scout, &play->scout, scout_body, &play->scouting);
    }
    if (rc == 0) {
        rc = coact_join(play->scouting.desk.ref, COACT_FOREVER, &reason);
    }
    if (rc == -ECANCELED) {
        coact_exit(COACT_SHUTDOWN); // a signal: it makes our exit code
    }
    if (rc < 0) {
        return failed("the job failed", coact_strerror(rc));
    }
    return reason.code == COACT_NORMAL
               ? 0
               : failed("the job failed", reason.text[0] != 0
                                              ? reason.text
                                              : coact_reason_name(reason.code));
}

static int
report(const struct job *job, int64_t elapsed_ns)
{
    const char *all = job->options->all;
    int rc = report_print(job, elapsed_ns);
    if (rc < 0) {
        return failed("standard output", strerrordesc_np(-rc));
    }
    rc = all != NULL ? report_write_all(job, all) : 0;
    if (rc < 0) {
        return failed(all, strerrordesc_np(-rc));
    }
    return job->troubles > 0 ? EXIT_NOT_ALL_READ : EXIT_ALL_IS_WELL;
}

static int
play_with(const struct options *options)
{
    // Not on our stack: it must be there when the clean-up runs.
    struct play *play = coact_arena(sizeof(*play));
    if (play == NULL || coact_defer(end_play, play) < 0) {
        return failed("the job", coact_strerror(-ENOMEM));
    }
    *play = (struct play){.options = *options};
    play->job.options = &play->options;
    play->scouting.root = options->root;
    int64_t started_ns = coact_now_ns();
    int code = count(play);
    return code != 0 ? code : report(&play->job, coact_now_ns() - started_ns);
}

static int
run(int argc, char **argv)
{
    struct options options;
    struct stat stat_of_root;
    if (!options_parse(&options, argc, argv)) {
        return EXIT_USAGE;
    }
    if (options.wants_help || options.wants_version) {
        fputs(options.wants_help ? options_usage : options_version, stdout);
        return EXIT_ALL_IS_WELL;
    }
    if (stat(options.root, &stat_of_root) < 0) {
        (void)failed(options.root, strerrordesc_np(errno));
        return EXIT_USAGE;
    }
    return play_with(&options);
}

int
main(int argc, char **argv)
{
    static const struct coact_body bodies[] = {
        COACT_BODY_ARG(counter, counter_body, post)};
    // What the supervisor has to say of each death would drown the rest.
    static const struct coact_program program = {
        .name = "wordcount",
        .options = {.log_level = COACT_LOG_ERROR},
        .main = run,
        .bodies = bodies,
        .body_count = 1,
        .usage = options_usage,
        .version = options_version};
    return coact_main(argc, argv, &program);
}
