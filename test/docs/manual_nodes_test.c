/*
 * manual_nodes_test.c - the manual's chapters on nodes, descriptors and names, run.
 *
 * The two nodes are two runtimes of one process, which know each other only by
 * their addresses.
 *
 * SPDX-License-Identifier: MIT
 */
#include "test/support/host.h"
#include "test/support/suite.h"
#include "test/support/valgrind.h"

#include <coact/actor.h>
#include <coact/cluster.h>
#include <coact/io.h>
#include <coact/lookup.h>
#include <coact/runtime.h>

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define SOON coact_in_ms(8000)

/* ---- Nodes --------------------------------------------------------------- */

struct weather {
    coact_text text;
};
struct ask_weather {
    uint16_t day;
};
COACT_MESSAGE(weather, (1, text));
COACT_REQUEST(ask_weather, weather, (1, day));

COACT_MAILBOX(oracle, ask_weather);

static void
oracle_body(oracle_self self, void *arg)
{
    (void)arg;
    for (;;) {
        COACT_RECEIVE(self, COACT_FOREVER) {
        case COACT_ON(ask_weather, m):
            coact_reply(m, .text = coact_text_copy("sunny"));
            break;
        }
    }
}

static int
start_node(uint32_t number, const char *listen, const char *key_file,
           struct coact_runtime **out)
{
    const struct coact_runtime_options options = {
        .node = {.number = number, .listen = listen, .key_file = key_file},
    };
    return coact_start(&options, out);
}

static int
ask_node_2(char *text, size_t bytes)
{
    oracle_ref oracle;
    struct weather weather;
    int64_t deadline = coact_in_ms(8000);
    int rc = coact_whereis_at(oracle, 2, "oracle", &oracle, deadline);
    if (rc == 0) {
        rc = coact_ask(oracle, ask_weather, &weather, deadline, .day = 1);
    }
    if (rc == 0) {
        snprintf(text, bytes, "%s", coact_text_cstr(weather.text));
        coact_message_destroy(COACT_TYPE(weather), &weather);
    }
    return rc;
}

static void
stop(struct coact_runtime *runtime)
{
    ck_assert_int_eq(coact_stop(runtime, SOON), 0);
    ck_assert_int_eq(coact_free(runtime), 0);
}

START_TEST(an_actor_is_found_by_its_name_on_another_node)
{
    char folder[] = "/tmp/coact-manual-XXXXXX";
    char key[64], one[64], two[64];
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(key, sizeof(key), "%s/key", folder);
    snprintf(one, sizeof(one), "ipc://%s/1", folder);
    snprintf(two, sizeof(two), "ipc://%s/2", folder);
    ck_assert_int_eq(coact_key_create(key), 0);

    struct coact_runtime *first, *second;
    ck_assert_int_eq(start_node(1, one, key, &first), 0);
    ck_assert_int_eq(start_node(2, two, key, &second), 0);
    ck_assert_int_eq(coact_node_add(first, 2, two), 0);
    ck_assert_int_eq(coact_node_add(second, 1, one), 0);

    oracle_ref oracle;
    char text[16] = "";
    ck_assert_int_eq(coact_spawn_with(oracle, &oracle, oracle_body, NULL,
                                      .runtime = second, .name = "oracle"),
                     0);
    ck_assert_int_eq(coact_attach(first), 0);
    int rc;
    do {
        rc = ask_node_2(text, sizeof(text));
    } while (rc == -ENOTCONN && is_on_valgrind()); // silent for too long
    ck_assert_int_eq(rc, 0);
    ck_assert_str_eq(text, "sunny");
    coact_detach();

    stop(first);
    stop(second);
    remove(one + strlen("ipc://"));
    remove(two + strlen("ipc://"));
    remove(key);
    ck_assert_int_eq(rmdir(folder), 0);
}
END_TEST

/* ---- Descriptors --------------------------------------------------------- */

static void
echo_body(oracle_self self, void *arg)
{
    int fd = *(int *)arg;
    char buffer[64];
    (void)self;
    for (;;) {
        ssize_t got = coact_read(fd, buffer, sizeof(buffer), coact_in_ms(8000));
        if (got <= 0) {
            break; /* the end of it, -ETIMEDOUT, -ECANCELED, … */
        }
        if (coact_write(fd, buffer, (size_t)got, coact_in_ms(8000)) < got) {
            break;
        }
    }
    close(fd);
}

START_TEST(an_actor_reads_and_writes_a_descriptor)
{
    struct coact_runtime *runtime;
    const struct coact_runtime_options options = {.workers = 1};
    ck_assert_int_eq(coact_start(&options, &runtime), 0);
    ck_assert_int_eq(coact_attach(runtime), 0);
    int ends[2];
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends),
                     0);
    oracle_ref echo;
    ck_assert_int_eq(coact_spawn(oracle, &echo, echo_body, &ends[1]), 0);
    char text[8] = "";
    ck_assert_int_eq(write(ends[0], "hello", 5), 5);
    ck_assert_int_eq(shutdown(ends[0], SHUT_WR), 0);
    ck_assert_int_eq(coact_join(echo.ref, SOON, NULL), 0);
    ck_assert_int_eq(read(ends[0], text, sizeof(text) - 1), 5);
    ck_assert_str_eq(text, "hello");
    close(ends[0]);
    coact_detach();
    stop(runtime);
}
END_TEST

/* ---- Names --------------------------------------------------------------- */

static int
connect_by_name(const char *host, const char *port, int64_t deadline_ns)
{
    struct coact_addresses found = {0};
    int fd = coact_lookup(host, port, deadline_ns, &found);
    for (size_t i = 0; i < found.count; i++) {
        fd = coact_connect(&found.at[i].any, found.at[i].bytes, deadline_ns);
        if (fd >= 0) {
            break;
        }
    }
    coact_addresses_free(&found);
    return fd;
}

static const char *host;

static void
guest_body(oracle_self self, void *arg)
{
    (void)self;
    int fd = connect_by_name(host, arg, coact_in_ms(8000));
    COACT_CHECK(fd >= 0);
    COACT_CHECK(coact_write(fd, "hello", 5, coact_in_ms(8000)) == 5);
    close(fd);
}

START_TEST(an_actor_connects_to_a_name)
{
    host = this_host();
    int door = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in at = {.sin_family = AF_INET,
                             .sin_addr = {.s_addr = htonl(INADDR_LOOPBACK)}};
    socklen_t bytes = sizeof(at);
    ck_assert_int_eq(bind(door, (struct sockaddr *)&at, bytes), 0);
    ck_assert_int_eq(listen(door, 4), 0);
    ck_assert_int_eq(getsockname(door, (struct sockaddr *)&at, &bytes), 0);
    char port[8];
    snprintf(port, sizeof(port), "%u", (unsigned)ntohs(at.sin_port));

    struct coact_runtime *runtime;
    const struct coact_runtime_options options = {.workers = 1};
    ck_assert_int_eq(coact_start(&options, &runtime), 0);
    ck_assert_int_eq(coact_attach(runtime), 0);
    oracle_ref guest;
    ck_assert_int_eq(coact_spawn(oracle, &guest, guest_body, port), 0);
    int fd = accept(door, NULL, NULL);
    char text[8] = "";
    ck_assert_int_eq(recv(fd, text, 5, MSG_WAITALL), 5);
    ck_assert_str_eq(text, "hello");
    close(fd);
    close(door);
    coact_detach();
    stop(runtime);
}
END_TEST

SUITE_MAIN("manual_nodes", an_actor_is_found_by_its_name_on_another_node,
           an_actor_reads_and_writes_a_descriptor, an_actor_connects_to_a_name)
