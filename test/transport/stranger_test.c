/*
 * stranger_test.c - whoever else comes to a node's port disturbs no link; and
 * an address that cannot be had is told in words.
 *
 * SPDX-License-Identifier: MIT
 */
#include "test/support/suite.h"
#include "test/transport/post.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

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

SUITE_MAIN("transport/stranger", s61_strangers_on_the_port_disturb_no_link,
           s61_too_many_silent_strangers_make_the_listener_bind_anew,
           a_taken_address_and_a_bad_one_are_told_in_words)
