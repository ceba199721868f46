/*
 * post.c - see post.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "test/transport/post.h"

#include "runtime/oracle.h"
#include "test/support/suite.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

struct town town;

static void
on_up(void *owner, uint32_t node, uint32_t incarnation)
{
    struct post *post = owner;
    (void)pthread_mutex_lock(&post->lock);
    post->incarnation[node] = incarnation;
    post->ups[node]++;
    (void)pthread_cond_broadcast(&post->changed);
    (void)pthread_mutex_unlock(&post->lock);
}

static void
on_down(void *owner, uint32_t node, uint32_t incarnation, int why)
{
    struct post *post = owner;
    (void)incarnation;
    (void)pthread_mutex_lock(&post->lock);
    post->incarnation[node] = 0;
    post->downs[node]++;
    post->why[node] = why;
    post->down_ns[node] = coact__oracle_now_ns();
    (void)pthread_cond_broadcast(&post->changed);
    (void)pthread_mutex_unlock(&post->lock);
}

static bool
on_message(void *owner, uint32_t node, uint32_t incarnation,
           const uint8_t *bytes, size_t len)
{
    struct post *post = owner;
    if (post->echoes) {
        uint8_t copy[64];
        size_t some = len < sizeof(copy) ? len : sizeof(copy);
        memcpy(copy, bytes, some);
        struct iovec part = {copy, some};
        int rc = coact__transport_send(post->transport, node, incarnation, 0, 0,
                                       &part, 1);
        (void)rc; // whoever misses the echo fails
    }
    (void)pthread_mutex_lock(&post->lock);
    post->received[node]++;
    post->longest = len > post->longest ? len : post->longest;
    (void)pthread_cond_broadcast(&post->changed);
    (void)pthread_mutex_unlock(&post->lock);
    return true;
}

void
open_post(struct post *post, uint32_t id, uint32_t strangers)
{
    struct coact__transport_options o = {
        .node = id,
        .listen = town.address[id],
        .strangers_max = strangers,
        .owner = post,
        .hooks = {.up = on_up, .down = on_down, .message = on_message},
    };
    char error[200] = "";
    bool echoes = post->echoes;
    pthread_condattr_t monotonic;
    memset(post, 0, sizeof(*post));
    post->id = id;
    post->echoes = echoes;
    (void)pthread_mutex_init(&post->lock, NULL);
    (void)pthread_condattr_init(&monotonic);
    (void)pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&post->changed, &monotonic);
    int rc = coact__transport_start(&o, &post->transport, error, sizeof(error));
    ck_assert_msg(rc == 0, "%s", error);
}

void
close_post(struct post *post)
{
    coact__transport_stop(post->transport, coact__oracle_now_ns() + 200 * MS);
}

void
meet(struct post *post, uint32_t peer)
{
    int rc =
        coact__transport_add_peer(post->transport, peer, town.address[peer]);
    ck_assert_int_eq(rc, 0);
}

void
await(struct post *post, const int *number, int least)
{
    struct timespec until;
    int64_t ns = coact__oracle_now_ns() + PATIENCE_MS * MS;
    until.tv_sec = ns / 1000000000;
    until.tv_nsec = ns % 1000000000;
    (void)pthread_mutex_lock(&post->lock);
    int rc = 0;
    while (*number < least && rc == 0) {
        rc = pthread_cond_timedwait(&post->changed, &post->lock, &until);
    }
    (void)pthread_mutex_unlock(&post->lock);
    ck_assert_msg(rc == 0, "nothing happened for %d ms", PATIENCE_MS);
}

uint32_t
incarnation_of(struct post *post, uint32_t node)
{
    (void)pthread_mutex_lock(&post->lock);
    uint32_t incarnation = post->incarnation[node];
    (void)pthread_mutex_unlock(&post->lock);
    return incarnation;
}

int
downs_of(struct post *post, uint32_t node)
{
    (void)pthread_mutex_lock(&post->lock);
    int downs = post->downs[node];
    (void)pthread_mutex_unlock(&post->lock);
    return downs;
}

void
await_received(struct post *post, uint32_t from, uint64_t least)
{
    struct timespec until;
    int64_t ns = coact__oracle_now_ns() + PATIENCE_MS * MS;
    until.tv_sec = ns / 1000000000;
    until.tv_nsec = ns % 1000000000;
    (void)pthread_mutex_lock(&post->lock);
    int rc = 0;
    while (post->received[from] < least && rc == 0) {
        rc = pthread_cond_timedwait(&post->changed, &post->lock, &until);
    }
    (void)pthread_mutex_unlock(&post->lock);
    ck_assert_msg(rc == 0, "no message for %d ms", PATIENCE_MS);
}

void
found_town(void)
{
    memset(&town, 0, sizeof(town));
    char dir[] = "/tmp/coact-test-XXXXXX";
    ck_assert_ptr_nonnull(mkdtemp(dir)); // 0700
    memcpy(town.dir, dir, sizeof(dir));
    for (int i = 0; i < NODES_MAX; i++) {
        (void)snprintf(town.address[i], sizeof(town.address[i]), "ipc://%s/%d",
                       dir, i);
    }
}

static uint16_t
free_port(void)
{
    struct sockaddr_in in = {.sin_family = AF_INET,
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(in);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&in, sizeof(in)), 0);
    ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&in, &len), 0);
    (void)close(fd);
    return ntohs(in.sin_port);
}

void
found_town_of_tcp(void)
{
    found_town();
    for (int i = 1; i <= 2; i++) {
        (void)snprintf(town.address[i], sizeof(town.address[i]),
                       "tcp://127.0.0.1:%u", free_port());
    }
}

void
settle_in(int place, uint32_t id, bool echoes)
{
    int ends[2];
    ck_assert_int_eq(pipe(ends), 0);
    pid_t pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        struct post post = {.echoes = echoes};
        char byte;
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        (void)close(ends[1]);
        if (read(ends[0], &byte, 1) != 1) {
            _exit(0);
        }
        open_post(&post, id, 0);
        meet(&post, 1);
        for (;;) {
            (void)pause();
        }
    }
    (void)close(ends[0]);
    town.pid[place] = pid;
    town.go[place] = ends[1];
}

void
go(int place)
{
    ck_assert_int_eq(write(town.go[place], "g", 1), 1);
}

void
end(int place)
{
    (void)kill(town.pid[place], SIGKILL);
    (void)waitpid(town.pid[place], NULL, 0);
    (void)close(town.go[place]);
}

void
leave_town(void)
{
    for (int i = 0; i < NODES_MAX; i++) {
        (void)unlink(town.address[i] + strlen("ipc://"));
    }
    ck_assert_int_eq(rmdir(town.dir), 0);
}

int64_t
worst_round_trip(struct post *post, uint32_t peer)
{
    uint8_t bytes[64] = {0};
    struct iovec part = {bytes, sizeof(bytes)};
    int64_t worst = 0;
    for (uint64_t i = 1; i <= 100; i++) {
        int64_t before = coact__oracle_now_ns();
        ck_assert_int_eq(coact__transport_send(post->transport, peer,
                                               incarnation_of(post, peer), 2, 0,
                                               &part, 1),
                         0);
        await_received(post, peer, i);
        int64_t took = coact__oracle_now_ns() - before;
        worst = took > worst ? took : worst;
    }
    return worst;
}
