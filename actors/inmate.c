/*
 * inmate.c - the inside of an isolated child's process.
 *
 * The process is there for one actor, the body, whose supervisor is the warden.
 * When the body has ended, everything else in the process is asked to end too, and
 * the process ends with exit code 0: its reason has been said, and a code would
 * only contradict it.
 *
 * What goes wrong before there is a body is said as if it were the body's end.
 *
 * SPDX-License-Identifier: MIT
 */
#include "actors/family.h"
#include "actors/isolated.h"
#include "actors/isolated_sweeper.h"
#include "actors/node.h"
#include "actors/stuck.h"
#include "actors/warden.h"
#include "mailbox/codec.h"
#include "runtime/memory.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* When a stop is late, how long the rest of the process gets. */
#define CLOSE_NS COACT_SECONDS(1)

struct inmate {
    const struct coact_program *program;
    struct coact__process_child *line;
    struct coact__sentence sentence;
    const struct coact_body *body;
    void *arg; /* the body's; NULL: none */
    struct coact_runtime *runtime;
    struct coact__ward ward;
};

static int
find_body(struct inmate *inmate)
{
    const struct coact__sentence *sentence = &inmate->sentence;
    for (size_t i = 0; i < inmate->program->body_count; i++) {
        const struct coact_body *body = &inmate->program->bodies[i];
        if (strcmp(body->name, sentence->body) == 0 &&
            strcmp(body->mailbox->name, sentence->mailbox) == 0) {
            inmate->body = body;
            return 0;
        }
    }
    return -ENOENT;
}

static int
decode_argument(struct inmate *inmate)
{
    const struct coact__sentence *sentence = &inmate->sentence;
    struct coact_type *type = inmate->body->arg_type;
    if (!sentence->has_arg) {
        return 0;
    }
    if (type == NULL || coact_type_id(type) != sentence->arg_type) {
        return -EINVAL;
    }
    void *arg = coact__alloc_zeroed(type->size);
    if (arg == NULL) {
        return -ENOMEM;
    }
    int rc = coact__codec_decode(type, sentence->arg, sentence->arg_bytes, arg,
                                 NULL);
    if (rc < 0) {
        coact__free(arg);
        return rc;
    }
    inmate->arg = arg;
    return 0;
}

static void
free_argument(struct inmate *inmate)
{
    if (inmate->arg != NULL) {
        coact_message_destroy(inmate->body->arg_type, inmate->arg);
        coact__free(inmate->arg);
    }
}

static int
start_runtime(struct inmate *inmate)
{
    const struct coact__sentence *sentence = &inmate->sentence;
    struct coact_runtime_options options = inmate->program->options;
    options.workers = sentence->workers;
    options.stack_bytes = sentence->runtime_stack_bytes;
    options.log_level = (enum coact_log_level)sentence->log_level;
    options.abort_on_misuse = sentence->abort_on_misuse;
    options.unguarded_stacks = sentence->unguarded_stacks;
    options.host_driven = false;
    options.node =
        (struct coact_node_options){.heartbeat_ns = sentence->heartbeat_ns};
    coact__stuck_prepare_default(options.backtrace_signal);
    int rc = coact_start(&options, &inmate->runtime);
    if (rc < 0) {
        return rc;
    }
    rc = coact__family_new(inmate->runtime, inmate->program);
    if (rc == 0 && !sentence->without_crash_report) {
        rc = coact_install_crash_report(
            inmate->runtime,
            sentence->program != NULL ? sentence->program : sentence->body);
    }
    return rc;
}

/* Into the parent's cluster, so that the body can speak when it starts. */
static int
join_cluster(struct inmate *inmate)
{
    const struct coact__sentence *sentence = &inmate->sentence;
    struct coact_runtime *runtime = inmate->runtime;
    int64_t deadline_ns = coact_in_ns(sentence->start_ns);
    int rc = coact__node_open(runtime, sentence->listens, sentence->key,
                              sentence->heartbeat_ns, NULL);
    if (rc == 0) {
        rc = coact__node_add(runtime, sentence->parent_node,
                             sentence->parent_listens);
    }
    if (rc < 0) {
        return rc;
    }
    struct coact__packet hello = {.kind = COACT__PACKET_HELLO,
                                  .node = runtime->node};
    coact__warden_tell(inmate->line, &hello);
    uint32_t incarnation;
    return coact__node_await(runtime, sentence->parent_node, deadline_ns,
                             &incarnation);
}

static int
run_warden(struct inmate *inmate)
{
    inmate->ward = (struct coact__ward){.runtime = inmate->runtime,
                                        .line = inmate->line,
                                        .sentence = &inmate->sentence,
                                        .body = inmate->body,
                                        .arg = inmate->arg,
                                        .lock = PTHREAD_MUTEX_INITIALIZER,
                                        .over = PTHREAD_COND_INITIALIZER};
    return coact__warden_run(&inmate->ward);
}

/* What comes first, and what is told if it fails. */
static void
serve(struct inmate *inmate)
{
    static const struct {
        int (*step)(struct inmate *inmate);
        const char *what;
    } steps[] = {
        {find_body, "the program's table has no such body"},
        {decode_argument, "its argument cannot be read"},
        {start_runtime, "no runtime in its process"},
        {join_cluster, "its process cannot reach its parent"},
        {run_warden, "its process cannot hear its parent"},
    };
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        int rc = steps[i].step(inmate);
        if (rc < 0) {
            coact__warden_tell_failure(inmate->line, rc, steps[i].what);
            return;
        }
    }
}

/* Who is still there gets as long as the body would have. */
static bool
stop_runtime(struct inmate *inmate)
{
    if (inmate->runtime == NULL) {
        return true;
    }
    int64_t grace_ns = inmate->sentence.grace_ns;
    int64_t deadline_ns =
        coact_in_ns(grace_ns < CLOSE_NS ? CLOSE_NS : grace_ns);
    return coact_stop(inmate->runtime, deadline_ns) == 0;
}

static int
open_line(struct inmate *inmate)
{
    int rc = coact__process_child_open(&inmate->line);
    if (rc < 0) {
        fprintf(stderr, "coact: an isolated child's channel: %s\n",
                coact_strerror(rc));
        return rc;
    }
    size_t bytes;
    const void *bootstrap =
        coact__process_child_bootstrap(inmate->line, &bytes);
    if (!coact__sentence_get(&inmate->sentence, bootstrap, bytes)) {
        coact__warden_tell_failure(inmate->line, -EPROTO,
                                   "its bootstrap cannot be read");
        return -EPROTO;
    }
    return 0;
}

static int
close_line(struct inmate *inmate)
{
    return inmate->line != NULL
               ? coact__process_child_close(inmate->line, coact_in_ns(CLOSE_NS))
               : 0;
}

int
coact__inmate_main(const struct coact_program *program)
{
    struct coact__sweep sweep;
    if (coact__sweeper_is_this(&sweep)) {
        coact__sweeper_main(&sweep);
    }
    struct inmate inmate = {.program = program};
    // As in the parent; and a terminal that closes is the parent's business.
    signal(SIGPIPE, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
    bool is_stopped = true;
    if (open_line(&inmate) == 0) {
        serve(&inmate);
        is_stopped = stop_runtime(&inmate);
    }
    // The bootstrap goes with it: nothing may use the sentence from here on.
    int rc = close_line(&inmate);
    if (!is_stopped || inmate.line == NULL || rc == -ETIMEDOUT) {
        fflush(NULL);
        _exit(inmate.line != NULL ? 0 : 1);
    }
    free_argument(&inmate);
    if (inmate.runtime != NULL) {
        coact_free(inmate.runtime);
    }
    return 0;
}
