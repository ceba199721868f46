/*
 * io_test.c - descriptors suspend the actor and nothing else.
 *
 * SPDX-License-Identifier: MIT
 */
#include "test/support/suite.h"

#include <coact/io.h>
#include <coact/runtime.h>

#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

COACT_SIGNAL(nothing);
COACT_MAILBOX(plain, nothing);

static struct coact_runtime *runtime;

/* One worker: an actor that blocked it would stop all others. */
static void
start(void)
{
    const struct coact_runtime_options options = {.workers = 1};
    ck_assert_int_eq(coact_start(&options, &runtime), 0);
    ck_assert_int_eq(coact_attach(runtime), 0);
}

static void
stop(void)
{
    ck_assert_int_eq(coact_stop(runtime, coact_in_ms(5000)), 0);
    // A join may come after the end, and then does not know the reason.
    struct coact_runtime_stats stats;
    coact_stats(runtime, &stats);
    ck_assert_uint_eq(stats.actors_failed, 0);
    coact_detach();
    ck_assert_int_eq(coact_free(runtime), 0);
}

static void
run(plain_coact_body *body, void *arg)
{
    plain_ref ref;
    ck_assert_int_eq(coact_spawn(plain, &ref, body, arg), 0);
    ck_assert_int_eq(coact_join(ref.ref, coact_in_ms(8000), NULL), 0);
}

static void
reader(plain_self self, void *arg)
{
    (void)self;
    int *fds = arg;
    char got[8];
    COACT_CHECK(coact_read(fds[0], got, sizeof(got), coact_in_ms(5000)) == 3);
    COACT_CHECK(memcmp(got, "abc", 3) == 0);
    COACT_CHECK(coact_write(fds[0], "d", 1, coact_in_ms(5000)) == 1);
}

static void
writer(plain_self self, void *arg)
{
    (void)self;
    int *fds = arg;
    char got;
    COACT_CHECK(coact_write(fds[1], "abc", 3, coact_in_ms(5000)) == 3);
    COACT_CHECK(coact_read(fds[1], &got, 1, coact_in_ms(5000)) == 1);
}

static void
both(plain_self self, void *arg)
{
    (void)self;
    plain_ref first;
    COACT_CHECK(coact_spawn(plain, &first, reader, arg) == 0);
    // The reader waits before anything is written.
    COACT_CHECK(coact_yield() == 0);
    plain_ref second;
    COACT_CHECK(coact_spawn(plain, &second, writer, arg) == 0);
    COACT_CHECK(coact_join(first.ref, coact_in_ms(5000), NULL) == 0);
    COACT_CHECK(coact_join(second.ref, coact_in_ms(5000), NULL) == 0);
}

START_TEST(a_read_that_waits_lets_the_writer_on_the_same_worker_run)
{
    int fds[2];
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds),
                     0);
    start();
    run(both, fds);
    stop();
    close(fds[0]);
    close(fds[1]);
}
END_TEST

static void
times_out(plain_self self, void *arg)
{
    (void)self;
    int *fds = arg;
    char got;
    COACT_CHECK(coact_read(fds[0], &got, 1, coact_in_ms(20)) == -ETIMEDOUT);
    COACT_CHECK(coact_wait_fd(fds[0], POLLIN, COACT_NOW) == -ETIMEDOUT);
    COACT_CHECK(coact_wait_fd(fds[0], POLLOUT, COACT_NOW) == 0);
    COACT_CHECK(coact_read(-1, &got, 1, coact_in_ms(20)) == -EBADF);
}

START_TEST(a_read_ends_at_its_deadline_and_says_what_is_wrong)
{
    int fds[2];
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds),
                     0);
    start();
    run(times_out, fds);
    stop();
    close(fds[0]);
    close(fds[1]);
}
END_TEST

static void
waits_for_ever(plain_self self, void *arg)
{
    (void)self;
    int *fds = arg;
    char got;
    COACT_CHECK(coact_read(fds[0], &got, 1, COACT_FOREVER) == -ECANCELED);
    coact_exit(COACT_NORMAL);
}

static void
canceller(plain_self self, void *arg)
{
    (void)self;
    plain_ref victim;
    COACT_CHECK(coact_spawn(plain, &victim, waits_for_ever, arg) == 0);
    COACT_CHECK(coact_yield() == 0);
    COACT_CHECK(coact_kill(victim.ref) == 0);
    struct coact_reason reason;
    COACT_CHECK(coact_join(victim.ref, coact_in_ms(5000), &reason) == 0);
    COACT_CHECK(reason.code == COACT_KILLED || reason.code == COACT_NOPROC);
}

START_TEST(s13_a_kill_ends_a_read_with_canceled_once)
{
    int fds[2];
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds),
                     0);
    start();
    run(canceller, fds);
    stop();
    close(fds[0]);
    close(fds[1]);
}
END_TEST

static void
client(plain_self self, void *arg)
{
    (void)self;
    int fd = coact_connect(arg, sizeof(struct sockaddr_in), coact_in_ms(5000));
    COACT_CHECK(fd >= 0);
    char got[5];
    COACT_CHECK(coact_write(fd, "hello", 5, coact_in_ms(5000)) == 5);
    COACT_CHECK(coact_read(fd, got, 5, coact_in_ms(5000)) == 5);
    close(fd);
}

static void
server(plain_self self, void *arg)
{
    (void)self;
    int listener = *(int *)arg;
    struct sockaddr_in address;
    socklen_t bytes = sizeof(address);
    COACT_CHECK(getsockname(listener, (struct sockaddr *)&address, &bytes) ==
                0);
    plain_ref peer;
    COACT_CHECK(coact_spawn(plain, &peer, client, &address) == 0);
    int fd = coact_accept(listener, coact_in_ms(5000));
    COACT_CHECK(fd >= 0);
    char got[5];
    COACT_CHECK(coact_read(fd, got, 5, coact_in_ms(5000)) == 5);
    COACT_CHECK(coact_write(fd, got, 5, coact_in_ms(5000)) == 5);
    COACT_CHECK(coact_join(peer.ref, coact_in_ms(5000), NULL) == 0);
    close(fd);
}

START_TEST(an_actor_accepts_what_another_connects)
{
    int listener =
        socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_addr = {.s_addr = htonl(INADDR_LOOPBACK)}};
    ck_assert_int_eq(
        bind(listener, (struct sockaddr *)&address, sizeof(address)), 0);
    ck_assert_int_eq(listen(listener, 4), 0);
    start();
    run(server, &listener);
    stop();
    close(listener);
}
END_TEST

SUITE_MAIN("io", a_read_that_waits_lets_the_writer_on_the_same_worker_run,
           a_read_ends_at_its_deadline_and_says_what_is_wrong,
           s13_a_kill_ends_a_read_with_canceled_once,
           an_actor_accepts_what_another_connects)
