/*
 * warden.c - the supervisor of an isolated child's body, in its process.
 *
 * It tells the guardian what happens to the body, and the body what the guardian
 * wants.
 *
 * The warden's mailbox begins as a supervisor's does, so that coact_started in
 * the body finds its way.
 *
 * SPDX-License-Identifier: MIT
 */
#include "actors/warden.h"

#include "actors/life.h"
#include "actors/node.h"
#include "actors/supervisor_mail.h"
#include "runtime/oracle.h"

#include <errno.h>
#include <stdio.h>

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

/* ---- Words to the guardian ----------------------------------------------- */

/* The queue has room for thousands; who does not read them is about to die. */
void
coact__warden_tell(struct coact__process_child *line,
                   const struct coact__packet *packet)
{
    (void)!coact__process_child_send(line, packet, sizeof(*packet));
}

static void
tell_end(struct coact__process_child *line, const struct coact_reason *reason)
{
    struct coact__packet packet = {.kind = COACT__PACKET_END,
                                   .reason = *reason};
    coact__warden_tell(line, &packet);
}

void
coact__warden_tell_failure(struct coact__process_child *line, int code,
                           const char *what)
{
    struct coact_reason reason = {.code = code};
    snprintf(reason.text, sizeof(reason.text), "%s: %s", what,
             coact_strerror(code));
    tell_end(line, &reason);
}

static void
tell_start(struct coact__ward *ward)
{
    struct coact__packet packet = {.kind = COACT__PACKET_STARTED,
                                   .ref = ward->actor};
    if (!ward->has_told_start) {
        ward->has_told_start = true;
        coact__warden_tell(ward->line, &packet);
    }
}

/* How long the body has been running without a wait; 0 if it waits.  Each wait
   leaves its time, so a time that stands still means that there was none. */
static int64_t
busy_ns(struct coact__ward *ward)
{
    struct coact__actor *actor = coact__slot_of(ward->runtime, ward->actor);
    // Relaxed: how long is a measure, not a decision about data.
    if (!coact__is_current(actor, ward->actor) ||
        atomic_load_explicit(&actor->doing, memory_order_relaxed) != NULL) {
        ward->busy_since_ns = 0;
        return 0;
    }
    int64_t now_ns = coact__oracle_now_ns();
    int64_t waited_ns = coact__since_ns(actor);
    if (ward->busy_since_ns == 0 || waited_ns != ward->waited_ns) {
        ward->busy_since_ns = now_ns;
        ward->waited_ns = waited_ns;
    }
    return now_ns - ward->busy_since_ns;
}

static void
tell_beat(struct coact__ward *ward)
{
    struct coact__packet packet = {.kind = COACT__PACKET_BEAT,
                                   .ns = busy_ns(ward)};
    coact__warden_tell(ward->line, &packet);
}

/* ---- Words from the guardian --------------------------------------------- */

static void
heard(void *owner, const void *bytes, size_t len)
{
    struct coact__ward *ward = owner;
    struct coact__warden_news news;
    if (!coact__packet_get(&news.packet, bytes, len)) {
        return;
    }
    // The channel's own thread, which may speak for this runtime.
    (void)!coact_attach(ward->runtime);
    coact__warden_ref warden = {.ref = ward->warden};
    int rc = coact__send(warden.ref, &coact_type_coact__warden_news,
                         COACT__NUMBER(warden, coact__warden_news), &news);
    if (rc == -ENOMEM && news.packet.kind == COACT__PACKET_STOP) {
        coact_kill(ward->warden);
    }
}

static void
obey(struct coact__ward *ward, const struct coact__packet *packet)
{
    switch (packet->kind) {
    case COACT__PACKET_STOP:
        // As the body's supervisor: trapping buys it its grace, not its life.
        if (coact_signal_exit(ward->actor,
                              packet->reason.code == COACT_NORMAL
                                  ? COACT_SHUTDOWN
                                  : packet->reason.code,
                              packet->reason.text) < 0) {
            coact_kill(ward->actor);
        }
        break;
    case COACT__PACKET_PEER:
        // Without it, messages to that sibling are refused, and say so.
        (void)!coact__node_add(ward->runtime, packet->node, packet->address);
        break;
    case COACT__PACKET_GONE:
        coact__node_remove(ward->runtime, packet->node);
        break;
    default:
        break;
    }
}

/* ---- The warden ---------------------------------------------------------- */

static int
spawn_body(struct coact__ward *ward)
{
    const struct coact__sentence *sentence = ward->sentence;
    const struct coact_options options = {
        .label = sentence->label,
        .name = sentence->name,
        .stack_bytes = sentence->stack_bytes,
        .mailbox_messages = sentence->mailbox_messages,
        .overflow = (enum coact_overflow)sentence->overflow,
        .trap_exit = sentence->trap_exit,
        .hibernate = (enum coact_hibernate)sentence->hibernate,
        .pinned = sentence->pinned,
        .monitor = &ward->monitor,
    };
    return coact__spawn_child(ward->body->mailbox, ward->body->body, ward->arg,
                              &options, sentence->grace_ns, &ward->actor);
}

static int64_t
next_beat_ns(const struct coact__ward *ward)
{
    return ward->sentence->hang_ns > 0
               ? coact_in_ns(ward->sentence->hang_ns / 4)
               : COACT_FOREVER;
}

/* Until something comes; false: there is nothing more to watch. */
static bool
watch_once(coact__warden_self self, struct coact__ward *ward, int64_t *beat_ns)
{
    bool goes_on = true;
    COACT_RECEIVE(self, *beat_ns) {
    case COACT_ON(coact__warden_news, m): {
        obey(ward, &m->packet);
    } break;
    case COACT_ON(coact__sup_news, m): {
        if (m->kind == COACT__SUP_NEWS_STARTED) {
            tell_start(ward);
        }
    } break;
    case COACT_ON(coact__sup_request, m): {
        // There is no list of children to be changed or looked at.
        (void)coact_reply(m, .code = -ENOTSUP);
    } break;
    case COACT_ON_DOWN(d): {
        if (d->monitor.id == ward->monitor.id) {
            tell_end(ward->line, &d->reason);
            goes_on = false;
        }
    } break;
    case COACT_ON_EXIT(e): {
        (void)e; // the body's end comes as a DOWN, too
    } break;
    case COACT_ON_TIMEOUT:
        tell_beat(ward);
        *beat_ns = next_beat_ns(ward);
        break;
    case COACT_ON_CANCELLED:
        goes_on = false;
        break;
    }
    return goes_on;
}

static void
watch_body(coact__warden_self self, struct coact__ward *ward)
{
    int64_t beat_ns = next_beat_ns(ward);
    while (watch_once(self, ward, &beat_ns)) {
    }
}

static void
warden_body(coact__warden_self self, void *arg)
{
    struct coact__ward *ward = arg;
    int rc = spawn_body(ward);
    if (rc < 0) {
        coact__warden_tell_failure(ward->line, rc,
                                   "the body cannot be spawned");
        return;
    }
    if (!ward->sentence->wait_init) {
        tell_start(ward);
    }
    watch_body(self, ward);
}

static void
warden_has_ended(void *arg)
{
    struct coact__ward *ward = arg;
    pthread_mutex_lock(&ward->lock);
    ward->is_over = true;
    // Under the lock: the waiter goes on as soon as it is released.
    pthread_cond_signal(&ward->over);
    pthread_mutex_unlock(&ward->lock);
}

int
coact__warden_run(struct coact__ward *ward)
{
    coact__warden_ref warden;
    const struct coact_options options = {.label = "warden",
                                          .trap_exit = true,
                                          .runtime = ward->runtime,
                                          .destroy_arg = warden_has_ended};
    int rc =
        coact__spawn(&coact__warden_coact_mailbox, (void (*)(void))warden_body,
                     ward, &options, &warden.ref);
    if (rc < 0) {
        return rc;
    }
    ward->warden = warden.ref;
    rc = coact__process_child_listen(ward->line, heard, ward);
    pthread_mutex_lock(&ward->lock);
    while (!ward->is_over) {
        pthread_cond_wait(&ward->over, &ward->lock);
    }
    pthread_mutex_unlock(&ward->lock);
    return rc;
}
