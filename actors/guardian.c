/*
 * guardian.c - the actor that stands for an isolated child's process.
 *
 * Invariants
 *   G1  The process is started by the guardian, after the clean-up that ends it
 *       is deferred: there is no process without a guardian.
 *   G2  The guardian is not gone before the process is reaped, not even when it
 *       is killed: its clean-up waits for that below the rules of actors, which
 *       would let no clean-up wait after a kill.  So whoever learns of the
 *       guardian's end may start the next process.
 *   G3  What the process says is kept in the cell by the spawner's thread; the
 *       message to the guardian only makes it look.  The one about the end is
 *       allocated beforehand, so that G2 does not depend on memory.
 *   G4  One reason, the process's: a signal or a code where there is one, and
 *       only after exit code 0 what the body has said of itself.
 *
 * SPDX-License-Identifier: MIT
 */
#include "actors/guardian.h"

#include "actors/node.h"
#include "runtime/memory.h"
#include "runtime/oracle.h"
#include "runtime/transport/crypto.h"

#include <coact/supervisor.h>

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

COACT_SIGNAL(coact__process_spoke);
COACT_SIGNAL(coact__process_ended);
COACT_MAILBOX(coact__guardian, coact__process_spoke, coact__process_ended);

void
coact__order_free(void *arg)
{
    struct coact__order *order = arg;
    coact__crypto_wipe(order->bytes, order->len); // the key is in it
    coact__free(order->bytes);
    coact__free(order);
}

/* ---- What the spawner's thread hears ------------------------------------- */

static void
nudge(struct coact__cell *cell, struct coact__envelope *envelope)
{
    struct coact_runtime *runtime = coact__family_runtime(cell->family);
    envelope->from = (coact_ref){0};
    if (!coact__deliver(runtime, cell->guardian, &envelope->item,
                        COACT__AS_MESSAGE)) {
        coact__envelope_free(&runtime->scheduler, envelope);
    }
}

static struct coact__envelope *
new_nudge(struct coact__family *family, struct coact_type *type,
          uint32_t number)
{
    struct coact_runtime *runtime = coact__family_runtime(family);
    struct coact__envelope *envelope =
        coact__envelope_new(&runtime->scheduler, COACT__KIND_MESSAGE, type);
    if (envelope != NULL) {
        envelope->item.number = (uint16_t)number;
    }
    return envelope;
}

#define NEW_NUDGE(family, message)                                             \
    new_nudge((family), &coact_type_##message,                                 \
              COACT__NUMBER((coact__guardian_ref){.accepts = NULL}, message))

/* True: the guardian has to look. */
static bool
take(struct coact__cell *cell, const struct coact__packet *packet)
{
    int64_t now_ns = coact__oracle_now_ns();
    switch (packet->kind) {
    case COACT__PACKET_HELLO:
        cell->node = packet->node;
        return true;
    case COACT__PACKET_STARTED:
        cell->body = packet->ref;
        cell->heard_ns = now_ns;
        return true;
    case COACT__PACKET_BEAT:
        cell->heard_ns = now_ns - packet->ns;
        return false;
    case COACT__PACKET_END:
        cell->has_said_end = true;
        cell->said = packet->reason;
        return false;
    default:
        return false;
    }
}

static void
on_message(void *owner, const void *bytes, size_t len)
{
    struct coact__cell *cell = owner;
    struct coact__packet packet;
    if (!coact__packet_get(&packet, bytes, len)) {
        return;
    }
    pthread_mutex_lock(&cell->lock);
    bool is_news = take(cell, &packet);
    pthread_mutex_unlock(&cell->lock);
    if (!is_news) {
        return;
    }
    struct coact__envelope *envelope =
        NEW_NUDGE(cell->family, coact__process_spoke);
    if (envelope != NULL) {
        nudge(cell, envelope);
    } else {
        // A start that nobody learns of is none; the end will be told.
        (void)!coact__process_signal(cell->process, SIGKILL);
    }
}

static void
on_ended(void *owner, const struct coact__process_end *end)
{
    struct coact__cell *cell = owner;
    pthread_mutex_lock(&cell->lock);
    cell->has_ended = true;
    cell->end = *end;
    struct coact__envelope *envelope = cell->last_news;
    cell->last_news = NULL;
    pthread_mutex_unlock(&cell->lock);
    nudge(cell, envelope);
    coact__cell_unhold(cell);
}

static const struct coact__process_events events = {on_message, on_ended};

/* ---- The end ------------------------------------------------------------- */

static bool
has_ended(struct coact__cell *cell)
{
    pthread_mutex_lock(&cell->lock);
    bool ended = cell->has_ended;
    pthread_mutex_unlock(&cell->lock);
    return ended;
}

/* Wait in a clean-up, whatever the rules say about that (G2). */
static void
wait_for_reaping(struct coact__cell *cell)
{
    struct coact__actor *actor = coact__actor_here();
    while (!has_ended(cell)) {
        // Relaxed: for the list of actors, which is a picture in passing.
        atomic_store_explicit(&actor->doing, "the end of its process",
                              memory_order_relaxed);
        coact__task_wait(&actor->task, COACT__INBOX_LISTENING, COACT_FOREVER);
        coact__drain(actor);
    }
}

static const char *
signal_name(int sig)
{
    const char *name = sigabbrev_np(sig);
    return name != NULL ? name : "?";
}

static struct coact_reason
reason_of(const struct coact__order *order, const struct coact__cell *cell)
{
    const struct coact__process_end *end = &cell->end;
    struct coact_reason reason = {.code = COACT_PROCESS_EXIT};
    char *text = reason.text;
    size_t room = sizeof(reason.text);
    if (order->is_hung) {
        reason.code = COACT_UNRESPONSIVE;
        snprintf(text, room, "hang: nothing ran for %lld ms",
                 (long long)(order->hang_ns / 1000000));
    } else if (end->error == -ECHILD) {
        snprintf(text, room, "somebody else has taken its exit status");
    } else if (end->error != 0) {
        reason.code = end->error;
        snprintf(text, room, "its process could not be started: %s",
                 coact_strerror(end->error));
    } else if (!end->exited) {
        reason.code = COACT_PROCESS_SIGNAL;
        snprintf(text, room, "signal %d (SIG%s)%s", end->signal,
                 signal_name(end->signal), end->core ? ", core dumped" : "");
    } else if (end->exit_code != 0) {
        snprintf(text, room, "exit code %d", end->exit_code);
    } else if (cell->has_said_end) {
        reason = cell->said;
    } else {
        snprintf(text, room, "exited without saying why");
    }
    return reason;
}

static void
end_process(void *arg)
{
    struct coact__order *order = arg;
    struct coact__cell *cell = order->cell;
    if (cell == NULL) {
        return;
    }
    if (cell->process != NULL) {
        // One that has ended already is the better case.
        (void)!coact__process_signal(cell->process, SIGKILL);
        wait_for_reaping(cell);
    }
    if (order->is_known) {
        // Who watches the body there is told what its supervisor is told.
        struct coact_reason reason = reason_of(order, cell);
        coact__node_ended(coact__family_runtime(order->family), cell->node,
                          &reason);
        coact__node_remove(coact__family_runtime(order->family), cell->node);
    }
    coact__family_remove(cell);
    coact__cell_unhold(cell);
    order->cell = NULL;
}

/* ---- The guardian's life ------------------------------------------------- */

/* The sentence was made by the supervisor; where the child listens is ours. */
static int
start_process(struct coact__order *order)
{
    struct coact__cell *cell = order->cell;
    struct coact__sentence sentence;
    if (!coact__sentence_get(&sentence, order->bytes, order->len)) {
        return -EPROTO;
    }
    sentence.listens = cell->address;
    size_t bytes = coact__sentence_size(&sentence);
    uint8_t *bootstrap = coact__alloc(bytes);
    cell->last_news = NEW_NUDGE(order->family, coact__process_ended);
    if (bootstrap == NULL || cell->last_news == NULL) {
        coact__free(bootstrap);
        return -ENOMEM;
    }
    coact__sentence_put(&sentence, bootstrap);
    // For the spawner, until on_ended.  Relaxed: we hold one already.
    atomic_fetch_add_explicit(&cell->holds, 1, memory_order_relaxed);
    int rc =
        coact__process_start(coact__family_spawner(order->family), bootstrap,
                             bytes, &events, cell, &cell->process);
    if (rc < 0) {
        coact__cell_unhold(cell);
    }
    coact__crypto_wipe(bootstrap, bytes);
    coact__free(bootstrap);
    return rc;
}

/* Until the first message can go to it. */
static int
await_link(struct coact__order *order, uint32_t node)
{
    struct coact_runtime *runtime = coact__family_runtime(order->family);
    for (;;) {
        uint32_t incarnation;
        int rc =
            coact__node_await(runtime, node, coact_in_ms(50), &incarnation);
        if (rc != -ETIMEDOUT || has_ended(order->cell)) {
            return rc;
        }
    }
}

static void
has_started(struct coact__order *order, uint32_t node, coact_ref body)
{
    order->has_started = true;
    int rc = await_link(order, node);
    if (rc == 0) {
        coact__family_publish(order->cell, node, body);
        rc = coact_started();
    }
    if (rc < 0 && rc != -ETIMEDOUT) {
        coact_fail(rc, "its process cannot be reached");
    }
}

static void
look(struct coact__order *order)
{
    struct coact__cell *cell = order->cell;
    pthread_mutex_lock(&cell->lock);
    uint32_t node = cell->node;
    coact_ref body = cell->body;
    pthread_mutex_unlock(&cell->lock);
    if (node != 0 && !order->is_known) {
        int rc = coact__node_add(coact__family_runtime(order->family), node,
                                 cell->address);
        if (rc < 0) {
            coact_fail(rc, "its process cannot join the cluster");
        }
        coact__node_is_child(coact__family_runtime(order->family), node);
        order->is_known = true;
    }
    if (!coact_ref_is_none(body) && !order->has_started) {
        has_started(order, node, body);
    }
}

static int64_t
hangs_at_ns(struct coact__order *order)
{
    if (order->hang_ns == 0 || !order->has_started || order->is_hung) {
        return COACT_FOREVER;
    }
    pthread_mutex_lock(&order->cell->lock);
    int64_t heard_ns = order->cell->heard_ns;
    pthread_mutex_unlock(&order->cell->lock);
    return heard_ns > COACT_FOREVER - order->hang_ns
               ? COACT_FOREVER
               : heard_ns + order->hang_ns;
}

static void
check_hang(struct coact__order *order)
{
    if (coact__oracle_now_ns() >= hangs_at_ns(order)) {
        order->is_hung = true;
        (void)!coact__process_signal(order->cell->process, SIGKILL);
    }
}

/* Whoever wants us to end wants the body to. */
static void
forward_exit(struct coact__order *order, const struct coact_exit_news *news)
{
    struct coact__packet packet = {.kind = COACT__PACKET_STOP,
                                   .reason = news->reason};
    int rc = coact__process_send(order->cell->process, &packet, sizeof(packet));
    if (rc == -EAGAIN || rc == -ENOMEM) {
        // It cannot be asked: it is not reading, or we have no memory.
        (void)!coact__process_signal(order->cell->process, SIGKILL);
    }
}

static bool
guard(coact__guardian_self self, struct coact__order *order)
{
    while (!has_ended(order->cell)) {
        COACT_RECEIVE(self, hangs_at_ns(order)) {
        case COACT_ON(coact__process_spoke, m): {
            (void)m;
            look(order);
        } break;
        case COACT_ON(coact__process_ended, m): {
            (void)m;
        } break;
        case COACT_ON_EXIT(e): {
            forward_exit(order, e);
        } break;
        case COACT_ON_TIMEOUT:
            check_hang(order);
            break;
        case COACT_ON_CANCELLED:
            return false;
        }
    }
    return true;
}

static void
guardian_body(coact__guardian_self self, void *arg)
{
    struct coact__order *order = arg;
    COACT_CHECK(coact_defer(end_process, order) == 0);
    order->cell = coact__cell_new(order->family, self.ref);
    if (order->cell == NULL) {
        coact_fail(-ENOMEM, "no memory for its process");
    }
    int rc = start_process(order);
    if (rc < 0) {
        coact_fail(rc, "its process could not be started: %s",
                   coact_strerror(rc));
    }
    if (!guard(self, order)) {
        return;
    }
    struct coact_reason reason = reason_of(order, order->cell);
    if (coact_reason_is_expected(reason.code)) {
        coact_exit(reason.code);
    }
    coact_fail(reason.code, "%s", reason.text);
}

int
coact__guardian_spawn(struct coact__order *order, const char *label,
                      int64_t grace_ns, coact_ref *out)
{
    const struct coact_options options = {
        .label = label, .trap_exit = true, .destroy_arg = coact__order_free};
    return coact__spawn_child(&coact__guardian_coact_mailbox,
                              (void (*)(void))guardian_body, order, &options,
                              grace_ns, out);
}
