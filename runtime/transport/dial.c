/*
 * dial.c - parse an address, try to connect to it.
 *
 * SPDX-License-Identifier: MIT
 */
#include "runtime/transport/dial.h"

#include "runtime/memory.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool
parse_port(const char *text, in_port_t *out)
{
    unsigned port = 0;
    size_t digits = strspn(text, "0123456789");
    if (digits == 0 || digits > 5 || text[digits] != '\0') {
        return false;
    }
    for (size_t i = 0; i < digits; i++) {
        port = port * 10 + (unsigned)(text[i] - '0');
    }
    if (port == 0 || port > UINT16_MAX) {
        return false;
    }
    *out = htons((uint16_t)port);
    return true;
}

static int
parse_tcp6(const char *host, size_t len, const char *port,
           struct coact__address *out)
{
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6};
    char text[INET6_ADDRSTRLEN];
    if (len >= sizeof(text)) {
        return -EINVAL;
    }
    memcpy(text, host, len);
    text[len] = '\0';
    if (inet_pton(AF_INET6, text, &in6.sin6_addr) != 1 ||
        !parse_port(port, &in6.sin6_port)) {
        return -EINVAL;
    }
    memcpy(&out->socket, &in6, sizeof(in6));
    out->len = sizeof(in6);
    return 0;
}

static int
parse_tcp4(const char *host, size_t len, const char *port,
           struct coact__address *out)
{
    struct sockaddr_in in = {.sin_family = AF_INET};
    char text[INET_ADDRSTRLEN];
    if (len >= sizeof(text)) {
        return -EINVAL;
    }
    memcpy(text, host, len);
    text[len] = '\0';
    if (inet_pton(AF_INET, text, &in.sin_addr) != 1 ||
        !parse_port(port, &in.sin_port)) {
        return -EINVAL;
    }
    memcpy(&out->socket, &in, sizeof(in));
    out->len = sizeof(in);
    return 0;
}

static int
parse_ipc(const char *path, struct coact__address *out)
{
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    size_t len = strlen(path);
    if (len == 0 || len >= sizeof(un.sun_path)) {
        return -EINVAL;
    }
    memcpy(un.sun_path, path, len + 1);
    memcpy(&out->socket, &un, sizeof(un));
    out->len = sizeof(un);
    return 0;
}

int
coact__address_parse(const char *text, struct coact__address *out)
{
    memset(out, 0, sizeof(*out));
    if (strncmp(text, "ipc://", 6) == 0) {
        return parse_ipc(text + 6, out);
    }
    if (strncmp(text, "tcp://", 6) != 0) {
        return -EINVAL;
    }
    const char *host = text + 6;
    if (host[0] == '[') {
        const char *end = strchr(host, ']');
        return end != NULL && end[1] == ':'
                   ? parse_tcp6(host + 1, (size_t)(end - host - 1), end + 2,
                                out)
                   : -EINVAL;
    }
    const char *colon = strchr(host, ':');
    return colon != NULL
               ? parse_tcp4(host, (size_t)(colon - host), colon + 1, out)
               : -EINVAL;
}

/* As nanomsg does it, for that is what must not fail. */
static int
bind_any(int fd, int family)
{
    struct sockaddr_in in = {.sin_family = AF_INET};
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6,
                               .sin6_addr = IN6ADDR_ANY_INIT};
    int on = 1;
    struct linger reset = {.l_onoff = 1, .l_linger = 0};
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
    int rc = family == AF_INET6 ? bind(fd, (struct sockaddr *)&in6, sizeof(in6))
                                : bind(fd, (struct sockaddr *)&in, sizeof(in));
    return rc == 0 ? 0 : -errno;
}

/* Ports that must be free before nanomsg may take one. */
#define SPARE_PORTS 16

bool
coact__dial_has_room(const struct coact__address *to)
{
    int family = to->socket.ss_family;
    int held[SPARE_PORTS];
    int count = 0;
    bool has_room = true;
    if (family == AF_UNIX) {
        return true;
    }
    while (has_room && count < SPARE_PORTS) {
        int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
        has_room = fd >= 0 && bind_any(fd, family) == 0;
        if (fd >= 0) {
            held[count++] = fd;
        }
    }
    while (count > 0) {
        (void)close(held[--count]);
    }
    return has_room;
}

int
coact__dial_start(const struct coact__address *to, int *fd)
{
    int family = to->socket.ss_family;
    int rc = 0;
    int made =
        coact__fails()
            ? -1
            : socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (made < 0) {
        return -EMFILE;
    }
    if (family != AF_UNIX) {
        rc = bind_any(made, family);
    }
    if (rc == 0 &&
        connect(made, (const struct sockaddr *)&to->socket, to->len) != 0 &&
        errno != EINPROGRESS) {
        rc = -errno;
    }
    if (rc != 0) {
        (void)close(made);
        return rc;
    }
    *fd = made;
    return 0;
}

int
coact__dial_result(int fd)
{
    struct pollfd poll_fd = {.fd = fd, .events = POLLOUT};
    int error = 0;
    socklen_t len = sizeof(error);
    if (poll(&poll_fd, 1, 0) <= 0) {
        return -EAGAIN;
    }
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) != 0) {
        return -errno;
    }
    return -error;
}
