/*
 * node_peer.c - the other ends: who they are, when their links come and go, and
 * who waits for that.
 *
 * The links' hooks run on the transport's thread.  A peer that was removed stays
 * until its link is down, for the ties that go with it.
 *
 * SPDX-License-Identifier: MIT
 */
#include "actors/cluster.h"
#include "actors/node.h"
#include "actors/node_state.h"
#include "actors/switch_check.h"
#include "runtime/memory.h"
#include "runtime/oracle.h"
#include "runtime/transport/wire.h"
#include <errno.h>
#include <search.h>
#include <string.h>

/* ---- Peers and waiters ---- */

struct coact__peer *
coact__peer_find(struct coact__node *node, uint32_t number)
{
    struct coact__peer *peer = node->peers;
    while (peer != NULL && peer->node != number) {
        peer = peer->next;
    }
    return peer;
}

/* Under the lock. */
static void
forget(struct coact__node *node, struct coact__peer *peer)
{
    struct coact__peer **link = &node->peers;
    while (*link != peer) {
        link = &(*link)->next;
    }
    *link = peer->next;
    coact__free(peer);
}

/* Under the lock. */
static void
wake_all(struct coact__node *node)
{
    for (struct coact__node_waiter *w = node->waiters; w != NULL; w = w->next) {
        coact__task_wake(w->task);
    }
}

void
coact__node_enlist(struct coact__node *node, struct coact__node_waiter *waiter)
{
    pthread_mutex_lock(&node->lock);
    waiter->next = node->waiters;
    node->waiters = waiter;
    pthread_mutex_unlock(&node->lock);
}

void
coact__node_delist(struct coact__node *node, struct coact__node_waiter *waiter)
{
    pthread_mutex_lock(&node->lock);
    struct coact__node_waiter **link = &node->waiters;
    while (*link != waiter) {
        link = &(*link)->next;
    }
    *link = waiter->next;
    pthread_mutex_unlock(&node->lock);
}

/* ---- The transport's hooks ---- */

static const struct coact_reason no_connection = {.code = COACT_NOCONNECTION};

/* Under the lock: all that went by this link is over. */
static void
cut_peer(struct coact__node *node, struct coact__peer *peer,
         const struct coact_reason *reason)
{
    peer->is_cut_due = false;
    coact__ties_cut(node, peer, reason);
    coact__calls_lost(node->runtime, peer->node, reason);
}

void
coact__peer_up(void *owner, uint32_t number, uint32_t incarnation)
{
    struct coact__node *node = owner;
    pthread_mutex_lock(&node->lock);
    struct coact__peer *peer = coact__peer_find(node, number);
    if (peer != NULL) {
        if (peer->is_cut_due) {
            cut_peer(node, peer, &no_connection); // only the link had broken
        }
        peer->incarnation = incarnation;
    }
    node->links_up++;
    wake_all(node);
    pthread_mutex_unlock(&node->lock);
    coact__log(node->runtime, COACT_LOG_INFO, "node %u is up (incarnation %u)",
               number, incarnation);
}

/* Under the lock.  Where a process of ours breaks the link it has most likely
   ended, and will soon be reaped: who watches is told once, and why. */
static void
lose_peer(struct coact__node *node, struct coact__peer *peer, int why)
{
    peer->incarnation = 0;
    if (peer->is_child && !peer->has_ended && why == COACT__DOWN_BROKEN) {
        peer->is_cut_due = true;
        return;
    }
    cut_peer(node, peer, peer->has_ended ? &peer->end : &no_connection);
    if (peer->is_removed) {
        forget(node, peer);
    }
}

void
coact__peer_down(void *owner, uint32_t number, uint32_t incarnation, int why)
{
    struct coact__node *node = owner;
    (void)incarnation;
    pthread_mutex_lock(&node->lock);
    struct coact__peer *peer = coact__peer_find(node, number);
    bool is_expected = why == COACT__DOWN_BYE || why == COACT__DOWN_STOPPED ||
                       why == COACT__DOWN_REMOVED ||
                       (peer != NULL && peer->is_child);
    if (peer != NULL) {
        lose_peer(node, peer, why);
    }
    node->links_up--;
    wake_all(node);
    if (node->links_up == 0) {
        pthread_cond_broadcast(&node->all_down);
    }
    pthread_mutex_unlock(&node->lock);
    coact__log(node->runtime, is_expected ? COACT_LOG_INFO : COACT_LOG_WARNING,
               "node %u is down: %s", number, coact__down_text(why));
}

void
coact__node_is_child(struct coact_runtime *runtime, uint32_t number)
{
    struct coact__node *node = coact__node_of(runtime);
    pthread_mutex_lock(&node->lock);
    struct coact__peer *peer = coact__peer_find(node, number);
    if (peer != NULL) {
        peer->is_child = true;
    }
    pthread_mutex_unlock(&node->lock);
}

void
coact__node_ended(struct coact_runtime *runtime, uint32_t number,
                  const struct coact_reason *reason)
{
    struct coact__node *node = coact__node_of(runtime);
    pthread_mutex_lock(&node->lock);
    struct coact__peer *peer = coact__peer_find(node, number);
    if (peer != NULL) {
        peer->has_ended = true;
        peer->end = *reason;
        if (peer->is_cut_due) {
            cut_peer(node, peer, reason);
        }
        // Else the link's end is still to come, behind what is on its way.
    }
    pthread_mutex_unlock(&node->lock);
}

void
coact__peer_writable(void *owner, uint32_t number)
{
    struct coact__node *node = owner;
    (void)number;
    pthread_mutex_lock(&node->lock);
    wake_all(node);
    pthread_mutex_unlock(&node->lock);
}

/* ---- Peers ---- */

int
coact__node_add(struct coact_runtime *runtime, uint32_t number,
                const char *address)
{
    struct coact__node *node = coact__node_of(runtime);
    if (node == NULL) {
        return -ENOTSUP;
    }
    struct coact__peer *peer = coact__alloc_zeroed(sizeof(*peer));
    if (peer == NULL) {
        return -ENOMEM;
    }
    peer->node = number;
    pthread_mutex_lock(&node->lock);
    // -EEXIST as long as the transport has it; so also while one that was
    // removed is here, waiting for its link's down.
    int rc = coact__transport_add_peer(node->transport, number, address);
    if (rc == 0) {
        peer->next = node->peers;
        node->peers = peer;
        peer = NULL;
    }
    pthread_mutex_unlock(&node->lock);
    coact__free(peer);
    return rc;
}

static int
remove_peer(struct coact__node *node, uint32_t number)
{
    pthread_mutex_lock(&node->lock);
    struct coact__peer *peer = coact__peer_find(node, number);
    int rc = coact__transport_remove_peer(node->transport, number);
    // A link that comes up after this has nothing here, and goes down again.
    if (peer != NULL && peer->incarnation == 0) {
        if (peer->is_cut_due) {
            cut_peer(node, peer, &no_connection);
        }
        forget(node, peer);
    } else if (peer != NULL) {
        peer->is_removed = true;
    }
    wake_all(node);
    pthread_mutex_unlock(&node->lock);
    return rc;
}

void
coact__node_remove(struct coact_runtime *runtime, uint32_t number)
{
    if (coact__node_of(runtime) != NULL) {
        (void)remove_peer(coact__node_of(runtime), number);
    }
}

int
coact_node_add(struct coact_runtime *runtime, uint32_t number,
               const char *address)
{
    if (runtime == NULL || address == NULL || number == 0) {
        return coact__misuse(runtime, -EINVAL, "coact_node_add", "%s",
                             runtime == NULL   ? "runtime is NULL"
                             : address == NULL ? "address is NULL"
                                               : "number is 0");
    }
    return coact__node_add(runtime, number, address);
}

int
coact_node_remove(struct coact_runtime *runtime, uint32_t number)
{
    return coact__node_of(runtime) != NULL
               ? remove_peer(coact__node_of(runtime), number)
               : -ENOENT;
}

/* 0 and the incarnation, or -EAGAIN, or -ENOENT. */
static int
look_at_link(struct coact__node *node, uint32_t number, uint32_t *incarnation)
{
    pthread_mutex_lock(&node->lock);
    struct coact__peer *peer = coact__peer_find(node, number);
    bool is_wanted = peer != NULL && !peer->is_removed;
    uint32_t found = is_wanted ? peer->incarnation : 0;
    pthread_mutex_unlock(&node->lock);
    if (!is_wanted) {
        return -ENOENT;
    }
    if (found == 0) {
        return -EAGAIN;
    }
    *incarnation = found;
    return 0;
}

static int
await_inside(struct coact__actor *actor, uint32_t number, int64_t deadline_ns,
             uint32_t *incarnation)
{
    struct coact__node *node = coact__node_of(coact__runtime_of(actor));
    struct coact__node_waiter waiter = {.task = &actor->task};
    coact__switch_check(actor, "node");
    int rc = coact__wait_begin(actor);
    if (rc < 0) {
        return rc;
    }
    coact__node_enlist(node, &waiter);
    while ((rc = look_at_link(node, number, incarnation)) == -EAGAIN) {
        if (deadline_ns != COACT_FOREVER &&
            coact__oracle_now_ns() >= deadline_ns) {
            rc = -ETIMEDOUT;
            break;
        }
        coact__wait(actor, "node", COACT__INBOX_DEAF, deadline_ns);
        rc = coact__interrupted(actor);
        if (rc < 0) {
            break;
        }
    }
    coact__node_delist(node, &waiter);
    return rc;
}

struct await_job {
    uint32_t number;
    int64_t deadline_ns;
    uint32_t *incarnation;
    int rc;
};

static void
await_job_run(void *arg)
{
    struct await_job *job = arg;
    job->rc = await_inside(coact__actor_here(), job->number, job->deadline_ns,
                           job->incarnation);
}

int
coact__node_await(struct coact_runtime *runtime, uint32_t number,
                  int64_t deadline_ns, uint32_t *incarnation)
{
    if (coact__node_of(runtime) == NULL) {
        return -ENOTSUP;
    }
    struct coact__actor *actor = coact__actor_here();
    if (actor != NULL) {
        return await_inside(actor, number, deadline_ns, incarnation);
    }
    // What stands here if the actor ends before it begins.
    struct await_job job = {number, deadline_ns, incarnation, -ECANCELED};
    int rc = coact__run_inside(runtime, await_job_run, &job);
    return rc < 0 ? rc : job.rc;
}

int
coact_node_await(uint32_t number, int64_t deadline_ns)
{
    struct coact_runtime *runtime = coact__runtime_here();
    if (runtime == NULL) {
        return coact__misuse(NULL, -EPERM, "coact_node_await",
                             "the thread is neither an actor nor attached");
    }
    uint32_t incarnation;
    return coact__node_await(runtime, number, deadline_ns, &incarnation);
}
