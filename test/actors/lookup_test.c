/*
 * lookup_test.c - names that need no network.
 *
 * SPDX-License-Identifier: MIT
 */
#include "test/actors/peers.h"

#include "runtime/memory.h"
#include "test/support/host.h"

#include <coact/io.h>
#include <coact/lookup.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <unistd.h>

static uint16_t
port_of(const struct coact_address *address)
{
    // Both families have it in the same place.
    return ntohs(
        ((const struct sockaddr_in *)(const void *)&address->room)->sin_port);
}

static const char *host;

static void
looks_up(peer_self self, void *arg)
{
    (void)self, (void)arg;
    struct coact_addresses found = {0};
    ck_assert_int_eq(coact_lookup("127.0.0.1", "80", IN_TIME, &found), 0);
    ck_assert_uint_eq(found.count, 1);
    ck_assert_int_eq(found.at[0].any.sa_family, AF_INET);
    ck_assert_uint_eq(found.at[0].bytes, sizeof(struct sockaddr_in));
    ck_assert_uint_eq(port_of(&found.at[0]), 80);
    coact_addresses_free(&found);
    ck_assert_uint_eq(found.count, 0);
    coact_addresses_free(&found);

    ck_assert_int_eq(coact_lookup("::1", NULL, IN_TIME, &found), 0);
    ck_assert_int_eq(found.at[0].any.sa_family, AF_INET6);
    ck_assert_uint_eq(port_of(&found.at[0]), 0);
    coact_addresses_free(&found);

    ck_assert_int_eq(coact_lookup(host, "7", IN_TIME, &found), 0);
    ck_assert_uint_ge(found.count, 1);
    coact_addresses_free(&found);

    ck_assert_int_eq(coact_lookup(NULL, "7001", IN_TIME, &found), 0);
    ck_assert_uint_ge(found.count, 1);
    ck_assert_uint_eq(port_of(&found.at[0]), 7001);
    coact_addresses_free(&found);
}

START_TEST(a_name_has_the_addresses_of_its_files)
{
    host = this_host();
    conduct(1, looks_up, NULL);
}
END_TEST

static void
finds_nothing(peer_self self, void *arg)
{
    (void)self, (void)arg;
    struct coact_address one;
    struct coact_addresses found = {&one, 77};
    ck_assert_int_eq(
        coact_lookup("127.0.0.1", "no-such-service", IN_TIME, &found), -ENOENT);
    ck_assert_int_eq(coact_lookup(NULL, NULL, IN_TIME, &found), -EINVAL);
    ck_assert_int_eq(coact_lookup("127.0.0.1", "80", COACT_NOW, &found),
                     -ETIMEDOUT);
    ck_assert_uint_eq(found.count, 77);
}

START_TEST(a_lookup_that_fails_says_why_and_leaves_the_result_alone)
{
    struct coact_addresses found = {0};
    ck_assert_int_eq(coact_lookup("127.0.0.1", "80", IN_TIME, &found), -EPERM);
    conduct(1, finds_nothing, NULL);
}
END_TEST

static void
is_killed_before(peer_self self, void *arg)
{
    (void)self, (void)arg;
    struct coact_addresses found = {0};
    coact_kill(coact_self());
    ck_assert_int_eq(coact_lookup("127.0.0.1", "80", IN_TIME, &found),
                     -ECANCELED);
    int rc = coact_lookup("127.0.0.1", "80", IN_TIME, &found);
    ck_abort_msg("it returned %d", rc);
}

static void
joins_the_killed(peer_self self, void *arg)
{
    (void)self, (void)arg;
    join_peer(spawn_peer(is_killed_before, NULL));
}

START_TEST(s13_a_kill_ends_a_lookup_with_canceled_once)
{
    conduct(1, joins_the_killed, NULL); // a leak checker sees the names
}
END_TEST

static void
connects(peer_self self, void *arg)
{
    (void)self;
    const struct sockaddr_in *address = arg;
    char port[8];
    snprintf(port, sizeof(port), "%u", (unsigned)ntohs(address->sin_port));
    struct coact_addresses found = {0};
    int fd = coact_lookup(host, port, IN_TIME, &found);
    for (size_t i = 0; i < found.count; i++) {
        fd = coact_connect(&found.at[i].any, found.at[i].bytes, IN_TIME);
        if (fd >= 0) {
            break;
        }
    }
    coact_addresses_free(&found);
    ck_assert_int_ge(fd, 0);
    close(fd);
}

START_TEST(what_was_found_can_be_connected_to)
{
    host = this_host();
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_addr = {.s_addr = htonl(INADDR_LOOPBACK)}};
    socklen_t bytes = sizeof(address);
    ck_assert_int_eq(bind(listener, (struct sockaddr *)&address, bytes), 0);
    ck_assert_int_eq(listen(listener, 4), 0);
    ck_assert_int_eq(getsockname(listener, (struct sockaddr *)&address, &bytes),
                     0);
    conduct(1, connects, &address);
    close(listener);
}
END_TEST

static void
fails_at_each_point(peer_self self, void *arg)
{
    (void)self, (void)arg;
    unsigned long nth = 1;
    for (bool is_through = false; !is_through; nth++) {
        ck_assert_uint_lt(nth, 100);
        struct coact_addresses found = {0};
        coact__fail_nth(nth, false);
        int rc = coact_lookup("127.0.0.1", "80", IN_TIME, &found);
        is_through = coact__fail_count() < nth;
        coact__fail_nth(0, false);
        ck_assert(rc == 0 || rc == -ENOMEM || rc == -EAGAIN);
        ck_assert_uint_eq(found.count, rc == 0 ? 1 : 0);
        coact_addresses_free(&found);
    }
    // Two names, the call, its thread, the system's call, the list.
    ck_assert_uint_ge(nth, 7);
}

START_TEST(no_failure_of_a_lookup_leaks)
{
    struct coact_runtime *runtime = start_runtime(1);
    spawn_peer(fails_at_each_point, NULL);
    // Not by a join: that takes memory, and would be the one to fail.
    struct coact_runtime_stats stats = {.actors_alive = 1};
    for (int64_t deadline_ns = IN_TIME; stats.actors_alive > 0;) {
        ck_assert_int_lt(coact_now_ns(), deadline_ns);
        usleep(1000);
        coact_stats(runtime, &stats);
    }
    ck_assert_uint_eq(stats.actors_failed, 0);
    stop_runtime(runtime);
}
END_TEST

SUITE_MAIN("lookup", a_name_has_the_addresses_of_its_files,
           a_lookup_that_fails_says_why_and_leaves_the_result_alone,
           s13_a_kill_ends_a_lookup_with_canceled_once,
           what_was_found_can_be_connected_to, no_failure_of_a_lookup_leaks)
