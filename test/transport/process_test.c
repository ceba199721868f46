/*
 * process_test.c - links between real processes, over nanomsg.
 *
 * nanomsg does not survive a fork, so each test forks all its processes first;
 * those that are to start later wait for a byte in a pipe.
 *
 * SPDX-License-Identifier: MIT
 */
#include "test/support/suite.h"

#include "runtime/oracle.h"
#include "runtime/transport/transport.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define MS INT64_C(1000000)
#define NODES_MAX 10
#define PATIENCE_MS 8000

/* ThreadSanitizer clears its shadow of a large block while heartbeats wait. */
#ifdef __SANITIZE_THREAD__
#define LONG_BYTES ((size_t)4 << 20)
#else
#define LONG_BYTES ((size_t)64 << 20)
#endif

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
static struct {
    char dir[32];
    char address[NODES_MAX][64];
    pid_t pid[NODES_MAX];
    int go[NODES_MAX];
} town;

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

static void
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

static void
close_post(struct post *post)
{
    coact__transport_stop(post->transport, coact__oracle_now_ns() + 200 * MS);
}

static void
meet(struct post *post, uint32_t peer)
{
    int rc =
        coact__transport_add_peer(post->transport, peer, town.address[peer]);
    ck_assert_int_eq(rc, 0);
}

/* Until *number is at least `least`; under the lock while it looks. */
static void
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

static uint32_t
incarnation_of(struct post *post, uint32_t node)
{
    (void)pthread_mutex_lock(&post->lock);
    uint32_t incarnation = post->incarnation[node];
    (void)pthread_mutex_unlock(&post->lock);
    return incarnation;
}

static int
downs_of(struct post *post, uint32_t node)
{
    (void)pthread_mutex_lock(&post->lock);
    int downs = post->downs[node];
    (void)pthread_mutex_unlock(&post->lock);
    return downs;
}

static void
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

/* Addresses of ipc, in a folder that only we may enter. */
static void
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

static void
found_town_of_tcp(void)
{
    found_town();
    for (int i = 1; i <= 2; i++) {
        (void)snprintf(town.address[i], sizeof(town.address[i]),
                       "tcp://127.0.0.1:%u", free_port());
    }
}

/* A process that is node `id`, a peer of node 1, once it is told to go. */
static void
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

static void
go(int place)
{
    ck_assert_int_eq(write(town.go[place], "g", 1), 1);
}

static void
end(int place)
{
    (void)kill(town.pid[place], SIGKILL);
    (void)waitpid(town.pid[place], NULL, 0);
    (void)close(town.go[place]);
}

static void
leave_town(void)
{
    for (int i = 0; i < NODES_MAX; i++) {
        (void)unlink(town.address[i] + strlen("ipc://"));
    }
    ck_assert_int_eq(rmdir(town.dir), 0);
}

static int
by_value(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a;
    int64_t y = *(const int64_t *)b;
    return x < y ? -1 : x > y;
}

START_TEST(s56_sigkill_of_a_peer_is_told_within_50_ms)
{
    enum { PEERS = 7 };
    struct post post = {0};
    int64_t took[PEERS];
    found_town();
    for (int i = 0; i < PEERS; i++) {
        settle_in(i, (uint32_t)i + 2, false);
    }
    open_post(&post, 1, 0);
    for (int i = 0; i < PEERS; i++) {
        meet(&post, (uint32_t)i + 2);
        go(i);
        await(&post, &post.ups[i + 2], 1);
    }
    for (int i = 0; i < PEERS; i++) {
        int64_t before = coact__oracle_now_ns();
        (void)kill(town.pid[i], SIGKILL);
        await(&post, &post.downs[i + 2], 1);
        took[i] = post.down_ns[i + 2] - before;
        end(i);
    }
    qsort(took, PEERS, sizeof(took[0]), by_value);
    printf("     down after SIGKILL: median %.1f ms, worst %.1f ms\n",
           (double)took[PEERS / 2] / 1e6, (double)took[PEERS - 1] / 1e6);
    ck_assert_int_lt(took[PEERS / 2], 50 * MS);
    close_post(&post);
    leave_town();
}
END_TEST

START_TEST(s56_a_stopped_process_is_told_within_the_heartbeat_bound)
{
    struct post post = {0};
    found_town();
    settle_in(0, 2, false);
    open_post(&post, 1, 0);
    meet(&post, 2);
    go(0);
    await(&post, &post.ups[2], 1);
    int64_t before = coact__oracle_now_ns();
    (void)kill(town.pid[0], SIGSTOP);
    await(&post, &post.downs[2], 1);
    int64_t took = post.down_ns[2] - before;
    ck_assert_int_ge(took, 250 * MS);
    ck_assert_int_lt(took, 700 * MS);
    (void)kill(town.pid[0], SIGCONT);
    await(&post, &post.ups[2], 2);
    end(0);
    close_post(&post);
    leave_town();
}
END_TEST

START_TEST(s57_a_process_that_restarts_at_the_same_address_is_another)
{
    struct post post = {0};
    uint8_t byte = 0;
    struct iovec part = {&byte, 1};
    found_town();
    settle_in(0, 2, true);
    settle_in(1, 2, true);
    open_post(&post, 1, 0);
    meet(&post, 2);
    go(0);
    await(&post, &post.ups[2], 1);
    uint32_t old = incarnation_of(&post, 2);
    end(0);
    await(&post, &post.downs[2], 1);
    ck_assert_int_eq(
        coact__transport_send(post.transport, 2, old, 0, 0, &part, 1),
        -ENOTCONN);
    go(1);
    await(&post, &post.ups[2], 2);
    uint32_t new = incarnation_of(&post, 2);
    ck_assert_uint_ne(old, new);
    ck_assert_int_eq(
        coact__transport_send(post.transport, 2, old, 0, 0, &part, 1),
        -ENOTCONN);
    ck_assert_int_eq(
        coact__transport_send(post.transport, 2, new, 0, 0, &part, 1), 0);
    await_received(&post, 2, 1);
    end(1);
    close_post(&post);
    leave_town();
}
END_TEST

/* The longest of 100 round trips beside whatever else is under way. */
static int64_t
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

START_TEST(s59_pings_go_on_while_64_mib_cross_between_processes)
{
    struct post post = {0};
    size_t len = LONG_BYTES;
    found_town();
    settle_in(0, 2, true);
    open_post(&post, 1, 0);
    meet(&post, 2);
    go(0);
    await(&post, &post.ups[2], 1);
    uint8_t *huge = calloc(1, len);
    ck_assert_ptr_nonnull(huge);
    struct iovec part = {huge, len};
    ck_assert_int_eq(coact__transport_send(post.transport, 2,
                                           incarnation_of(&post, 2), 1, 0,
                                           &part, 1),
                     0);
    int64_t worst = worst_round_trip(&post, 2);
    await_received(&post, 2, 101);
    printf("     worst of 100 pings beside 64 MiB: %.1f ms\n",
           (double)worst / 1e6);
    ck_assert_int_lt(worst, 100 * MS);
    ck_assert_int_eq(downs_of(&post, 2), 0);
    free(huge);
    end(0);
    close_post(&post);
    leave_town();
}
END_TEST

START_TEST(s60_a_stopped_peer_costs_its_senders_no_more_than_the_backlog)
{
    struct post post = {0};
    uint8_t bytes[1000] = {0};
    struct iovec part = {bytes, sizeof(bytes)};
    found_town();
    settle_in(0, 2, false);
    settle_in(1, 3, true);
    open_post(&post, 1, 0);
    for (int i = 0; i < 2; i++) {
        meet(&post, (uint32_t)i + 2);
        go(i);
        await(&post, &post.ups[i + 2], 1);
    }
    (void)kill(town.pid[0], SIGSTOP);
    int rc = 0;
    uint64_t accepted = 0;
    for (; rc == 0; accepted++) {
        rc = coact__transport_send(post.transport, 2, incarnation_of(&post, 2),
                                   0, 0, &part, 1);
    }
    ck_assert(rc == -EAGAIN || rc == -ENOTCONN);
    // The backlog, the window, and what is in the kernel is in the window.
    ck_assert_uint_le(accepted * sizeof(bytes), (1024 + 256) * 1024);
    ck_assert_int_lt(worst_round_trip(&post, 3), 100 * MS);
    await(&post, &post.downs[2], 1);
    ck_assert_int_eq(downs_of(&post, 3), 0);
    end(0);
    end(1);
    close_post(&post);
    leave_town();
}
END_TEST

/* Connect to a node's port as anybody may. */
static int
stranger(int node)
{
    struct sockaddr_in in = {.sin_family = AF_INET,
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    const char *port = strrchr(town.address[node], ':') + 1;
    in.sin_port = htons((uint16_t)atoi(port));
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(connect(fd, (struct sockaddr *)&in, sizeof(in)), 0);
    return fd;
}

/* What a PUSH says first. */
static const uint8_t sp_header[8] = {0, 'S', 'P', 0, 0, 0x50, 0, 0};

static void
send_all(int fd, const void *bytes, size_t len)
{
    ssize_t sent = send(fd, bytes, len, MSG_NOSIGNAL);
    (void)sent; // being hung up on is as good
}

START_TEST(s61_strangers_on_the_port_disturb_no_link)
{
    struct post post = {0};
    struct linger reset = {1, 0};
    uint8_t framed[8 + 200] = {0};
    framed[7] = 200; // the length of what follows
    found_town_of_tcp();
    settle_in(0, 2, true);
    open_post(&post, 1, 0);
    meet(&post, 2);
    go(0);
    await(&post, &post.ups[2], 1);
    for (int i = 0; i < 300; i++) {
        int fd = stranger(1 + i % 2);
        switch (i % 6) {
        case 0:
            send_all(fd, "GET / HTTP/1.0\r\n\r\n", 18);
            break;
        case 1:
            send_all(fd, sp_header, sizeof(sp_header));
            break;
        case 2:
        case 3:
            framed[8] = (uint8_t)i;
            framed[9] = 1;
            send_all(fd, sp_header, sizeof(sp_header));
            send_all(fd, framed, sizeof(framed));
            break;
        case 4: // longer than any frame
            send_all(fd, sp_header, sizeof(sp_header));
            send_all(fd, "\xff\xff\xff\xff\xff\xff\xff\xff", 8);
            break;
        default:
            (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
        }
        (void)close(fd);
    }
    ck_assert_int_lt(worst_round_trip(&post, 2), 500 * MS);
    ck_assert_int_eq(downs_of(&post, 2), 0);
    end(0);
    close_post(&post);
    leave_town();
}
END_TEST

START_TEST(s61_too_many_silent_strangers_make_the_listener_bind_anew)
{
    enum { STRANGERS = 40 };
    struct post post = {0};
    int fd[STRANGERS];
    struct coact__transport_stats stats;
    found_town_of_tcp();
    settle_in(0, 2, true);
    open_post(&post, 1, 20);
    meet(&post, 2);
    go(0);
    await(&post, &post.ups[2], 1);
    for (int i = 0; i < STRANGERS; i++) {
        fd[i] = stranger(1);
        send_all(fd[i], sp_header, sizeof(sp_header));
    }
    // The peer's connection goes with the strangers', and comes again.
    await(&post, &post.downs[2], 1);
    await(&post, &post.ups[2], 2);
    coact__transport_stats(post.transport, &stats);
    ck_assert_uint_ge(stats.listener_bound_anew, 1);
    (void)worst_round_trip(&post, 2);
    for (int i = 0; i < STRANGERS; i++) {
        (void)close(fd[i]);
    }
    end(0);
    close_post(&post);
    leave_town();
}
END_TEST

START_TEST(a_taken_address_and_a_bad_one_are_told_in_words)
{
    struct post post = {0};
    struct coact__transport_options o = {.node = 2};
    struct coact__transport *t;
    char error[200] = "";
    found_town_of_tcp();
    open_post(&post, 1, 0);
    o.listen = town.address[1];
    ck_assert_int_eq(coact__transport_start(&o, &t, error, sizeof(error)),
                     -EADDRINUSE);
    ck_assert_ptr_nonnull(strstr(error, town.address[1]));
    const char *bad[] = {"",
                         "tcp://",
                         "tcp://localhost:80",
                         "tcp://1.2.3.4",
                         "tcp://1.2.3.4:",
                         "tcp://1.2.3.4:0",
                         "tcp://1.2.3.4:65536",
                         "tcp://1.2.3.4:80x",
                         "tcp://[::1:80",
                         "tcp://[1.2.3.4]:80",
                         "ipc://",
                         "udp://1.2.3.4:80"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        o.listen = bad[i];
        ck_assert_int_eq(coact__transport_start(&o, &t, NULL, 0), -EINVAL);
        ck_assert_int_eq(coact__transport_add_peer(post.transport, 2, bad[i]),
                         -EINVAL);
    }
    ck_assert_int_eq(
        coact__transport_add_peer(post.transport, 1, town.address[2]), -EINVAL);
    close_post(&post);
    leave_town();
}
END_TEST

SUITE_MAIN("transport/process", s56_sigkill_of_a_peer_is_told_within_50_ms,
           s56_a_stopped_process_is_told_within_the_heartbeat_bound,
           s57_a_process_that_restarts_at_the_same_address_is_another,
           s59_pings_go_on_while_64_mib_cross_between_processes,
           s60_a_stopped_peer_costs_its_senders_no_more_than_the_backlog,
           s61_strangers_on_the_port_disturb_no_link,
           s61_too_many_silent_strangers_make_the_listener_bind_anew,
           a_taken_address_and_a_bad_one_are_told_in_words)
