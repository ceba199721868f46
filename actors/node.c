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

/* ---- Opening ---- */

/* Moves while something runs or nothing waits to run. */
static uint64_t
progress(void *owner)
{
    struct coact__node *node = owner;
    struct coact__scheduler *scheduler = &node->runtime->scheduler;
    uint64_t sum = 0;
    bool has_queued = coact__globalq_length(&scheduler->global) > 0;
    uint32_t n = coact__scheduler_workers(scheduler);
    for (uint32_t i = 0; i < n; i++) {
        struct coact__worker *worker = &scheduler->workers[i];
        sum += atomic_load_explicit(&worker->dispatches, memory_order_relaxed);
        has_queued = has_queued || coact__worker_has_queued(worker);
    }
    return has_queued ? sum : sum + (uint64_t)coact__oracle_now_ns();
}

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
        .hooks = {.up = coact__peer_up,
                  .down = coact__peer_down,
                  .message = coact__node_receive,
                  .writable = coact__peer_writable,
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
    struct coact__node *node = coact__node_of(runtime) == NULL
                                   ? coact__alloc_zeroed(sizeof(*node))
                                   : NULL;
    if (node == NULL) {
        free_wire(wire);
        return coact__node_of(runtime) != NULL ? -EALREADY : -ENOMEM;
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
    atomic_store_explicit(&runtime->remote, node, memory_order_release);
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
    return coact__node_of(runtime) != NULL;
}

const char *
coact__node_listens(struct coact_runtime *runtime)
{
    return coact__node_of(runtime) != NULL ? coact__node_of(runtime)->listen
                                           : NULL;
}

const unsigned char *
coact__node_key(struct coact_runtime *runtime)
{
    return coact__node_of(runtime) != NULL ? coact__node_of(runtime)->key
                                           : NULL;
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
    struct coact__node *node = coact__node_of(runtime);
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
    struct coact__node *node = coact__node_of(runtime);
    if (node == NULL) {
        return;
    }
    coact__transport_stop(node->transport, coact__oracle_now_ns());
    while (node->peers != NULL) {
        struct coact__peer *next = node->peers->next;
        coact__ties_cut(
            node, node->peers,
            &(const struct coact_reason){.code = COACT_NOCONNECTION});
        coact__free(node->peers);
        node->peers = next;
    }
    pthread_cond_destroy(&node->all_down);
    pthread_mutex_destroy(&node->lock);
    explicit_bzero(node->key, sizeof(node->key));
    coact__free(node->listen);
    coact__free(node);
    atomic_store_explicit(&runtime->remote, NULL, memory_order_release);
}

/* ---- Host-driven ---- */

int64_t
coact__node_next_ns(struct coact_runtime *runtime)
{
    if (coact__node_of(runtime) == NULL) {
        return COACT_FOREVER;
    }
    int64_t next = coact__transport_next_ns(coact__node_of(runtime)->transport);
    return next > COACT_NOW ? next : COACT_NOW;
}

void
coact__node_step(struct coact_runtime *runtime)
{
    if (coact__node_of(runtime) != NULL) {
        coact__transport_step(coact__node_of(runtime)->transport,
                              coact__oracle_now_ns());
    }
}

void
coact__node_stats(struct coact_runtime *runtime,
                  struct coact_runtime_stats *out)
{
    if (coact__node_of(runtime) == NULL) {
        return;
    }
    struct coact__transport_stats stats;
    coact__transport_stats(coact__node_of(runtime)->transport, &stats);
    out->links_up = stats.links_up;
    out->frames_in = stats.frames_in;
    out->frames_out = stats.frames_out;
#define ADD(name, text) out->frames_rejected += stats.rejected.name;
    COACT__REJECT_TABLE(ADD)
#undef ADD
}
