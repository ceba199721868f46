/*
 * inmate.c - the inside of an isolated child's process.
 *
 * The process is there for one actor, the body.  Its supervisor is the warden,
 * which tells the guardian what happens to the body and the body what the
 * guardian wants.  When the body has ended, everything else in the process is
 * asked to end too, and the process ends with exit code 0: its reason has been
 * said, and a code would only contradict it.
 *
 * What goes wrong before there is a body is said as if it were the body's end.
 *
 * The warden's mailbox begins as a supervisor's does, so that coact_started in
 * the body finds its way.
 *
 * SPDX-License-Identifier: MIT
 */
#include "actors/family.h"
#include "actors/isolated.h"
#include "actors/isolated_sweeper.h"
#include "actors/node.h"
#include "actors/stuck.h"
#include "actors/supervisor_mail.h"
#include "mailbox/codec.h"
#include "runtime/memory.h"
#include "runtime/oracle.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct coact__warden_news {
    struct coact__packet packet;
};
COACT__DECLARE(coact__warden_news);
COACT__DESCRIPTOR(coact__warden_news, 0, 0, 0, 0, 1);
typedef struct coact_no_reply coact_reply_of_coact__warden_news;

COACT_MAILBOX(coact__warden, coact__sup_request, coact__sup_news,
              coact__warden_news);

_Static_assert(offsetof(struct coact__warden_accepts, coact__sup_news) ==
                   offsetof(struct coact__supervisor_accepts, coact__sup_news),
               "coact_started sends it under a supervisor's number");

/* When a stop is late, how long the rest of the process gets. */
#define CLOSE_NS COACT_SECONDS(1)

struct inmate {
    const struct coact_program *program;
    struct coact__process_child *line;
    struct coact__sentence sentence;
    const struct coact_body *body;
    void *arg; /* the body's; NULL: none */
    struct coact_runtime *runtime;
    coact_ref warden;

    // The warden's.
    coact_ref actor;
    coact_monitor_id monitor;
    bool has_told_start;
    int64_t busy_since_ns; /* 0: the body waited when we last looked */
    int64_t waited_ns;     /* when its last wait before that began */

    pthread_mutex_t lock;
    pthread_cond_t over;
    bool is_over; /* under lock: the warden has ended */
};

/* ---- Words to the guardian ----------------------------------------------- */

/* The queue has room for thousands; who does not read them is about to die. */
static void
tell(struct inmate *inmate, const struct coact__packet *packet)
{
    (void)!coact__process_child_send(inmate->line, packet, sizeof(*packet));
}

static void
tell_end(struct inmate *inmate, const struct coact_reason *reason)
{
    struct coact__packet packet = {.kind = COACT__PACKET_END,
                                   .reason = *reason};
    tell(inmate, &packet);
}

static void
tell_failure(struct inmate *inmate, int code, const char *what)
{
    struct coact_reason reason = {.code = code};
    snprintf(reason.text, sizeof(reason.text), "%s: %s", what,
             coact_strerror(code));
    tell_end(inmate, &reason);
}

static void
tell_start(struct inmate *inmate)
{
    struct coact__packet packet = {.kind = COACT__PACKET_STARTED,
                                   .ref = inmate->actor};
    if (!inmate->has_told_start) {
        inmate->has_told_start = true;
        tell(inmate, &packet);
    }
}

/* How long the body has been running without a wait; 0 if it waits.  Each wait
   leaves its time, so a time that stands still means that there was none. */
static int64_t
busy_ns(struct inmate *inmate)
{
    struct coact__actor *actor = coact__slot_of(inmate->runtime, inmate->actor);
    // Relaxed: how long is a measure, not a decision about data.
    if (!coact__is_current(actor, inmate->actor) ||
        atomic_load_explicit(&actor->doing, memory_order_relaxed) != NULL) {
        inmate->busy_since_ns = 0;
        return 0;
    }
    int64_t now_ns = coact__oracle_now_ns();
    int64_t waited_ns = coact__since_ns(actor);
    if (inmate->busy_since_ns == 0 || waited_ns != inmate->waited_ns) {
        inmate->busy_since_ns = now_ns;
        inmate->waited_ns = waited_ns;
    }
    return now_ns - inmate->busy_since_ns;
}

static void
tell_beat(struct inmate *inmate)
{
    struct coact__packet packet = {.kind = COACT__PACKET_BEAT,
                                   .ns = busy_ns(inmate)};
    tell(inmate, &packet);
}

/* ---- Words from the guardian --------------------------------------------- */

static void
heard(void *owner, const void *bytes, size_t len)
{
    struct inmate *inmate = owner;
    struct coact__warden_news news;
    if (!coact__packet_get(&news.packet, bytes, len)) {
        return;
    }
    // The channel's own thread, which may speak for this runtime.
    (void)!coact_attach(inmate->runtime);
    coact__warden_ref warden = {.ref = inmate->warden};
    int rc = coact__send(warden.ref, &coact_type_coact__warden_news,
                         COACT__NUMBER(warden, coact__warden_news), &news);
    if (rc == -ENOMEM && news.packet.kind == COACT__PACKET_STOP) {
        coact_kill(inmate->warden);
    }
}

static void
obey(struct inmate *inmate, const struct coact__packet *packet)
{
    switch (packet->kind) {
    case COACT__PACKET_STOP:
        // As the body's supervisor: trapping buys it its grace, not its life.
        if (coact_signal_exit(inmate->actor,
                              packet->reason.code == COACT_NORMAL
                                  ? COACT_SHUTDOWN
                                  : packet->reason.code,
                              packet->reason.text) < 0) {
            coact_kill(inmate->actor);
        }
        break;
    case COACT__PACKET_PEER:
        // Without it, messages to that sibling are refused, and say so.
        (void)!coact__node_add(inmate->runtime, packet->node, packet->address);
        break;
    case COACT__PACKET_GONE:
        coact__node_remove(inmate->runtime, packet->node);
        break;
    default:
        break;
    }
}

/* ---- The warden ---------------------------------------------------------- */

static int
spawn_body(struct inmate *inmate)
{
    const struct coact__sentence *sentence = &inmate->sentence;
    const struct coact_options options = {
        .label = sentence->label,
        .name = sentence->name,
        .stack_bytes = sentence->stack_bytes,
        .mailbox_messages = sentence->mailbox_messages,
        .overflow = (enum coact_overflow)sentence->overflow,
        .trap_exit = sentence->trap_exit,
        .hibernate = (enum coact_hibernate)sentence->hibernate,
        .pinned = sentence->pinned,
        .monitor = &inmate->monitor,
    };
    return coact__spawn_child(inmate->body->mailbox, inmate->body->body,
                              inmate->arg, &options, sentence->grace_ns,
                              &inmate->actor);
}

static int64_t
next_beat_ns(const struct inmate *inmate)
{
    return inmate->sentence.hang_ns > 0
               ? coact_in_ns(inmate->sentence.hang_ns / 4)
               : COACT_FOREVER;
}

/* Until something comes; false: there is nothing more to watch. */
static bool
watch_once(coact__warden_self self, struct inmate *inmate, int64_t *beat_ns)
{
    bool goes_on = true;
    COACT_RECEIVE(self, *beat_ns) {
    case COACT_ON(coact__warden_news, m): {
        obey(inmate, &m->packet);
    } break;
    case COACT_ON(coact__sup_news, m): {
        if (m->kind == COACT__SUP_NEWS_STARTED) {
            tell_start(inmate);
        }
    } break;
    case COACT_ON(coact__sup_request, m): {
        // There is no list of children to be changed or looked at.
        (void)coact_reply(m, .code = -ENOTSUP);
    } break;
    case COACT_ON_DOWN(d): {
        if (d->monitor.id == inmate->monitor.id) {
            tell_end(inmate, &d->reason);
            goes_on = false;
        }
    } break;
    case COACT_ON_EXIT(e): {
        (void)e; // the body's end comes as a DOWN, too
    } break;
    case COACT_ON_TIMEOUT:
        tell_beat(inmate);
        *beat_ns = next_beat_ns(inmate);
        break;
    case COACT_ON_CANCELLED:
        goes_on = false;
        break;
    }
    return goes_on;
}

static void
watch_body(coact__warden_self self, struct inmate *inmate)
{
    int64_t beat_ns = next_beat_ns(inmate);
    while (watch_once(self, inmate, &beat_ns)) {
    }
}

static void
warden_body(coact__warden_self self, void *arg)
{
    struct inmate *inmate = arg;
    int rc = spawn_body(inmate);
    if (rc < 0) {
        tell_failure(inmate, rc, "the body cannot be spawned");
        return;
    }
    if (!inmate->sentence.wait_init) {
        tell_start(inmate);
    }
    watch_body(self, inmate);
}

static void
warden_has_ended(void *arg)
{
    struct inmate *inmate = arg;
    pthread_mutex_lock(&inmate->lock);
    inmate->is_over = true;
    // Under the lock: the waiter goes on as soon as it is released.
    pthread_cond_signal(&inmate->over);
    pthread_mutex_unlock(&inmate->lock);
}

static int
run_warden(struct inmate *inmate)
{
    coact__warden_ref warden;
    const struct coact_options options = {.label = "warden",
                                          .trap_exit = true,
                                          .runtime = inmate->runtime,
                                          .destroy_arg = warden_has_ended};
    int rc =
        coact__spawn(&coact__warden_coact_mailbox, (void (*)(void))warden_body,
                     inmate, &options, &warden.ref);
    if (rc < 0) {
        return rc;
    }
    inmate->warden = warden.ref;
    rc = coact__process_child_listen(inmate->line, heard, inmate);
    pthread_mutex_lock(&inmate->lock);
    while (!inmate->is_over) {
        pthread_cond_wait(&inmate->over, &inmate->lock);
    }
    pthread_mutex_unlock(&inmate->lock);
    return rc;
}

/* ---- The process --------------------------------------------------------- */

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
    tell(inmate, &hello);
    uint32_t incarnation;
    return coact__node_await(runtime, sentence->parent_node, deadline_ns,
                             &incarnation);
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
            tell_failure(inmate, rc, steps[i].what);
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
        tell_failure(inmate, -EPROTO, "its bootstrap cannot be read");
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
    struct inmate inmate = {.program = program,
                            .lock = PTHREAD_MUTEX_INITIALIZER,
                            .over = PTHREAD_COND_INITIALIZER};
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
