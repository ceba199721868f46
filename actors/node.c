/*
 * node.c - our part in a cluster: the transport, and who is on its other ends.
 *
 * A runtime without a cluster has a node number all the same, drawn at random
 * from the upper half, so that addresses of two runtimes never look alike, and
 * so that it can take part in the small cluster of a program and its isolated
 * children (family.c).
 *
 * SPDX-License-Identifier: MIT
 */
#include "actors/node.h"

#include "actors/cluster.h"
#include "actors/node_state.h"
#include "runtime/memory.h"
#include "runtime/oracle.h"
#include "runtime/transport/crypto.h"
#include "runtime/transport/wire.h"

#include <errno.h>
#include <search.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>

#define FAREWELL_NS COACT_MS(200)

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

static void
link_up(void *owner, uint32_t number, uint32_t incarnation)
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

static void
link_down(void *owner, uint32_t number, uint32_t incarnation, int why)
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
    coact__log(node->runtime,
               is_expected ? COACT_LOG_INFO : COACT_LOG_WARNING,
               "node %u is down: %s", number, coact__down_text(why));
}

void
coact__node_is_child(struct coact_runtime *runtime, uint32_t number)
{
    struct coact__node *node = runtime->remote;
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
    struct coact__node *node = runtime->remote;
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

static void
link_writable(void *owner, uint32_t number)
{
    struct coact__node *node = owner;
    (void)number;
    pthread_mutex_lock(&node->lock);
    wake_all(node);
    pthread_mutex_unlock(&node->lock);
}

/* Moves while something runs or nothing waits to run. */
static uint64_t
progress(void *owner)
{
    struct coact__node *node = owner;
    struct coact__scheduler *scheduler = &node->runtime->scheduler;
    uint64_t sum = 0;
    bool has_queued = coact__globalq_length(&scheduler->global) > 0;
    for (uint32_t i = 0; i < scheduler->worker_count; i++) {
        struct coact__worker *worker = &scheduler->workers[i];
        sum += atomic_load_explicit(&worker->dispatches, memory_order_relaxed);
        has_queued = has_queued || coact__worker_has_queued(worker);
    }
    return has_queued ? sum : sum + (uint64_t)coact__oracle_now_ns();
}

/* ---- Opening ---- */

static int
start_transport(struct coact__node *node, int64_t heartbeat_ns,
                struct coact__wire *wire)
{
    struct coact_runtime *runtime = node->runtime;
    uint32_t upper;
    coact__oracle_random(&upper, sizeof(upper));
    struct coact__transport_options options = {
        .node = runtime->node,
        .incarnation = (uint64_t)upper << 32 | runtime->incarnation,
        .listen = node->listen,
        .heartbeat_ns = heartbeat_ns,
        .no_thread = runtime->options.host_driven,
        .wire = wire,
        .owner = node,
        .hooks = {.up = link_up,
                  .down = link_down,
                  .message = coact__node_receive,
                  .writable = link_writable,
                  .progress = progress}};
    memcpy(options.key, node->key, sizeof(options.key));
    char error[160] = "";
    int rc = coact__transport_start(&options, &node->transport, error,
                                    sizeof(error));
    if (rc < 0) {
        coact__log(runtime, COACT_LOG_ERROR, "node %u cannot listen: %s",
                   runtime->node, error);
    }
    return rc;
}

/* Make the descriptor that the host polls tell of the transport, too. */
static void
show_to_host(struct coact__node *node)
{
    int fd = node->runtime->options.host_driven
                 ? coact__transport_fd(node->transport)
                 : -1;
    if (fd >= 0) {
        struct epoll_event event = {.events = EPOLLIN, .data = {.ptr = NULL}};
        epoll_ctl(node->runtime->scheduler.poller.epoll_fd, EPOLL_CTL_ADD, fd,
                  &event);
    }
}

static int
init_locks(struct coact__node *node)
{
    pthread_condattr_t attr;
    int rc = -pthread_mutex_init(&node->lock, NULL);
    if (rc < 0) {
        return rc;
    }
    rc = -pthread_condattr_init(&attr);
    if (rc == 0) {
        pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
        rc = -pthread_cond_init(&node->all_down, &attr);
        pthread_condattr_destroy(&attr);
    }
    if (rc < 0) {
        pthread_mutex_destroy(&node->lock);
    }
    return rc;
}

static void
free_wire(struct coact__wire *wire)
{
    if (wire != NULL) {
        wire->ops->free(wire);
    }
}

int
coact__node_open(struct coact_runtime *runtime, const char *listen,
                 const unsigned char key[32], int64_t heartbeat_ns,
                 struct coact__wire *wire)
{
    struct coact__node *node =
        runtime->remote == NULL ? coact__alloc_zeroed(sizeof(*node)) : NULL;
    if (node == NULL) {
        free_wire(wire);
        return runtime->remote != NULL ? -EALREADY : -ENOMEM;
    }
    node->runtime = runtime;
    memcpy(node->key, key, sizeof(node->key));
    node->listen = coact__strdup(listen);
    int rc = node->listen != NULL ? init_locks(node) : -ENOMEM;
    if (rc < 0) {
        free_wire(wire);
        goto free_node;
    }
    rc = start_transport(node, heartbeat_ns, wire);
    if (rc < 0) {
        pthread_cond_destroy(&node->all_down);
        pthread_mutex_destroy(&node->lock);
        goto free_node;
    }
    show_to_host(node);
    runtime->remote = node;
    return 0;

free_node:
    coact__free(node->listen);
    coact__free(node);
    return rc;
}

int
coact__node_start(struct coact_runtime *runtime)
{
    const struct coact_node_options *options = &runtime->options.node;
    if (options->listen == NULL) {
        return 0; // a number alone is only what our addresses say
    }
    if (options->number == 0 || options->number > INT32_MAX ||
        options->key_file == NULL) {
        coact__log(runtime, COACT_LOG_ERROR,
                   "a node needs a number from 1 to 2147483647 and a key file");
        return -EINVAL;
    }
    unsigned char key[32];
    char error[160] = "";
    int rc = coact__key_load(options->key_file, key, error, sizeof(error));
    if (rc < 0) {
        coact__log(runtime, COACT_LOG_ERROR, "%s", error);
        return rc;
    }
    rc = coact__node_open(runtime, options->listen, key, options->heartbeat_ns,
                          NULL);
    explicit_bzero(key, sizeof(key));
    return rc;
}

bool
coact__node_is_open(struct coact_runtime *runtime)
{
    return runtime->remote != NULL;
}

const char *
coact__node_listens(struct coact_runtime *runtime)
{
    return runtime->remote != NULL ? runtime->remote->listen : NULL;
}

const unsigned char *
coact__node_key(struct coact_runtime *runtime)
{
    return runtime->remote != NULL ? runtime->remote->key : NULL;
}

/* ---- Peers ---- */

int
coact__node_add(struct coact_runtime *runtime, uint32_t number,
                const char *address)
{
    struct coact__node *node = runtime->remote;
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
    if (runtime->remote != NULL) {
        (void)remove_peer(runtime->remote, number);
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
    return runtime->remote != NULL ? remove_peer(runtime->remote, number)
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
    struct coact__node *node = actor->runtime->remote;
    struct coact__node_waiter waiter = {.task = &actor->task};
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
    if (runtime->remote == NULL) {
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

int
coact_key_create(const char *path)
{
    char error[160]; // the code says what a caller can act on
    return coact__key_create(path, error, sizeof(error));
}

/* ---- Ending ---- */

static void
await_farewells(struct coact__node *node, int64_t deadline_ns)
{
    struct timespec at = {deadline_ns / 1000000000, deadline_ns % 1000000000};
    int rc = 0;
    pthread_mutex_lock(&node->lock);
    while (node->links_up > 0 && rc == 0) {
        rc = pthread_cond_timedwait(&node->all_down, &node->lock, &at);
    }
    pthread_mutex_unlock(&node->lock);
}

void
coact__node_stop(struct coact_runtime *runtime, int64_t deadline_ns)
{
    struct coact__node *node = runtime->remote;
    if (node == NULL) {
        return;
    }
    int64_t until = coact__oracle_now_ns() + FAREWELL_NS;
    until = until < deadline_ns ? until : deadline_ns;
    coact__transport_leave(node->transport, until);
    if (!runtime->options.host_driven) {
        await_farewells(node, until);
        return;
    }
    while (!coact__transport_has_left(node->transport) &&
           coact__oracle_now_ns() < until) {
        coact__drive(runtime, -1, until);
    }
}

void
coact__node_free(struct coact_runtime *runtime)
{
    struct coact__node *node = runtime->remote;
    if (node == NULL) {
        return;
    }
    coact__transport_stop(node->transport, coact__oracle_now_ns());
    while (node->peers != NULL) {
        struct coact__peer *next = node->peers->next;
        coact__ties_cut(node, node->peers, &no_connection);
        coact__free(node->peers);
        node->peers = next;
    }
    pthread_cond_destroy(&node->all_down);
    pthread_mutex_destroy(&node->lock);
    explicit_bzero(node->key, sizeof(node->key));
    coact__free(node->listen);
    coact__free(node);
    runtime->remote = NULL;
}

/* ---- Host-driven ---- */

int64_t
coact__node_next_ns(struct coact_runtime *runtime)
{
    if (runtime->remote == NULL) {
        return COACT_FOREVER;
    }
    int64_t next = coact__transport_next_ns(runtime->remote->transport);
    return next > COACT_NOW ? next : COACT_NOW;
}

void
coact__node_step(struct coact_runtime *runtime)
{
    if (runtime->remote != NULL) {
        coact__transport_step(runtime->remote->transport,
                              coact__oracle_now_ns());
    }
}

void
coact__node_stats(struct coact_runtime *runtime,
                  struct coact_runtime_stats *out)
{
    if (runtime->remote == NULL) {
        return;
    }
    struct coact__transport_stats stats;
    coact__transport_stats(runtime->remote->transport, &stats);
    out->links_up = stats.links_up;
    out->frames_in = stats.frames_in;
    out->frames_out = stats.frames_out;
#define ADD(name, text) out->frames_rejected += stats.rejected.name;
    COACT__REJECT_TABLE(ADD)
#undef ADD
}
