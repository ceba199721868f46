/*
 * post.h - a node in this process, and its peers in processes of their own.
 *
 * nanomsg does not survive a fork, so a test forks all its processes first
 * (settle_in); each is silent until it is told to go.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef COACT_TEST_POST_H
#define COACT_TEST_POST_H

#include "runtime/transport/transport.h"

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define MS INT64_C(1000000)
#define NODES_MAX 10
#define PATIENCE_MS 8000

/* A node, and what its hooks have told. */
struct post {
    struct coact__transport *transport;
    uint32_t id;
    bool echoes;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    uint32_t incarnation[NODES_MAX]; /* 0: down */
    int ups[NODES_MAX], downs[NODES_MAX], why[NODES_MAX];
    int64_t down_ns[NODES_MAX];
    uint64_t received[NODES_MAX];
    size_t longest;
};

/* Where the nodes listen, and the other processes. */
struct town {
    char dir[32];
    char address[NODES_MAX][64];
    pid_t pid[NODES_MAX];
    int go[NODES_MAX];
};
extern struct town town;

/* Addresses of ipc, in a folder that only we may enter; or of tcp for 1 and 2.
 */
void found_town(void);
void found_town_of_tcp(void);
void leave_town(void);

void open_post(struct post *post, uint32_t id, uint32_t strangers);
void close_post(struct post *post);
void meet(struct post *post, uint32_t peer);

/* A process that is node `id`, a peer of node 1, once it is told to go. */
void settle_in(int place, uint32_t id, bool echoes);
void go(int place);
void end(int place);

/* Until *number is at least `least`; under the lock while it looks. */
void await(struct post *post, const int *number, int least);
void await_received(struct post *post, uint32_t from, uint64_t least);

uint32_t incarnation_of(struct post *post, uint32_t node);
int downs_of(struct post *post, uint32_t node);

/* The longest of 100 round trips beside whatever else is under way. */
int64_t worst_round_trip(struct post *post, uint32_t peer);

#endif
