/*
 * process_child.c - the child's end: who am I, what for, and is my parent alive?
 *
 * The parent may die at any moment, and this process must not outlive it.  Two
 * things see to that, since each has a gap.  The parent-death signal is there
 * from before the exec, but a change of credentials clears it.  The lifeline, a
 * thread that does nothing but watch the socket, calls _exit at the end of
 * file, whatever the other threads do; but it lives only from open on, and a
 * host that forks without exec keeps a copy of the parent's end.
 *
 * Until listen the thread asks epoll for the hang-up only, so messages wait in
 * the socket and press back on the parent.
 *
 * The child is never freed: its thread uses it until the process ends.
 *
 * SPDX-License-Identifier: MIT
 */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "runtime/invariant.h"
#include "runtime/lifeline.h"
#include "runtime/memory.h"
#include "runtime/oracle.h"

#define OPEN_NS INT64_C(5000000000)
#define NS_PER_S INT64_C(1000000000)
#define ORPHAN_EXIT 1 /* nobody is left to read it */

struct coact__process_child {
    struct coact__lifeline line; /* its lock guards the flags below */
    int epoll_fd;
    int idle_fd; /* eventfd: is_idle became true after the close */
    pthread_t thread;
    unsigned char *bootstrap;
    size_t bootstrap_bytes;
    void (*message)(void *owner, const void *bytes, size_t len);
    void *owner;
    bool is_closed;
    bool is_broken; /* the parent's end is closed */
    bool in_handler;
    unsigned char packet[COACT__LIFELINE_PACKET_MAX];
};

/* Who are we? */

static int
socket_option(int option)
{
    int value = -1;
    socklen_t bytes = sizeof(value);
    int rc = getsockopt(COACT__LIFELINE_FD, SOL_SOCKET, option, &value, &bytes);
    return rc == 0 ? value : -1;
}

static bool
is_lifeline(void)
{
    return socket_option(SO_DOMAIN) == AF_UNIX &&
           socket_option(SO_TYPE) == SOCK_SEQPACKET;
}

/* exec leaves descriptor 3 without close-on-exec, open sets it: so it tells
   whether open was here before, without a global. */
static bool
is_opened(void)
{
    int flags = fcntl(COACT__LIFELINE_FD, F_GETFD);
    return flags != -1 && (flags & FD_CLOEXEC) != 0;
}

/* An orphan is a child too: it must not run on as if it were the program. */
bool
coact__process_is_child(int argc, char *const *argv)
{
    return argc == 2 && strcmp(argv[1], COACT__PROCESS_MARK) == 0 &&
           is_lifeline() && !is_opened();
}

/* The socketpair's credentials are those of the process that made it. */
static int
check_parent(void)
{
    if (!is_lifeline()) {
        return -EPROTO;
    }
    if (is_opened()) {
        return -EALREADY;
    }
    struct ucred peer;
    socklen_t bytes = sizeof(peer);
    if (coact__fails() || getsockopt(COACT__LIFELINE_FD, SOL_SOCKET,
                                     SO_PEERCRED, &peer, &bytes) != 0) {
        return -EPROTO;
    }
    if (peer.uid != geteuid()) {
        return -EACCES;
    }
    // Again, since exec may have cleared it; and only then ask for the parent.
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    return getppid() == peer.pid ? 0 : -EOWNERDEAD;
}

/* The bootstrap. */

/* One packet, or a negative code.  Its end of file is the parent's. */
static int
receive_by(unsigned char *packet, int64_t deadline_ns)
{
    struct pollfd line = {.fd = COACT__LIFELINE_FD, .events = POLLIN};
    for (;;) {
        int got = coact__lifeline_receive(line.fd, packet);
        if (got != -EAGAIN) {
            return got == 0 ? -EOWNERDEAD : got;
        }
        int64_t left_ns = deadline_ns - coact__oracle_now_ns();
        if (left_ns <= 0) {
            return -ETIMEDOUT;
        }
        struct timespec left = {.tv_sec = (time_t)(left_ns / NS_PER_S),
                                .tv_nsec = (long)(left_ns % NS_PER_S)};
        (void)ppoll(&line, 1, &left, NULL);
    }
}

static int
read_hello(struct coact__process_child *child, int64_t deadline_ns)
{
    int got = receive_by(child->packet, deadline_ns);
    if (got < 0) {
        return got;
    }
    struct coact__lifeline_hello hello;
    if (child->packet[0] != COACT__LIFELINE_HELLO ||
        (size_t)got != 1 + sizeof(hello)) {
        return -EPROTO;
    }
    memcpy(&hello, child->packet + 1, sizeof(hello));
    if (hello.magic != COACT__LIFELINE_MAGIC ||
        hello.bootstrap_bytes > COACT__PROCESS_BOOTSTRAP_MAX) {
        return -EPROTO;
    }
    child->bootstrap_bytes = (size_t)hello.bootstrap_bytes;
    child->bootstrap = coact__alloc_zeroed(child->bootstrap_bytes + 1);
    return child->bootstrap != NULL ? 0 : -ENOMEM;
}

static int
read_bootstrap(struct coact__process_child *child)
{
    int64_t deadline_ns = coact__oracle_now_ns() + OPEN_NS;
    int rc = read_hello(child, deadline_ns);
    for (size_t at = 0; rc == 0 && at < child->bootstrap_bytes;) {
        int got = receive_by(child->packet, deadline_ns);
        if (got < 0) {
            return got;
        }
        size_t bytes = (size_t)got - 1;
        if (child->packet[0] != COACT__LIFELINE_BOOTSTRAP ||
            bytes > child->bootstrap_bytes - at) {
            return -EPROTO;
        }
        memcpy(child->bootstrap + at, child->packet + 1, bytes);
        at += bytes;
    }
    explicit_bzero(child->packet, sizeof(child->packet));
    return rc;
}

static void
wipe_bootstrap(struct coact__process_child *child)
{
    if (child->bootstrap != NULL) {
        explicit_bzero(child->bootstrap, child->bootstrap_bytes);
        coact__free(child->bootstrap);
        child->bootstrap = NULL;
        child->bootstrap_bytes = 0;
    }
}

/* The lifeline. */

/* All is sent and no handler runs. */
static bool
is_idle(const struct coact__process_child *child)
{
    return child->line.first == NULL && !child->in_handler;
}

static void
tell_closer(struct coact__process_child *child)
{
    if (child->is_closed && is_idle(child)) {
        uint64_t one = 1;
        (void)!write(child->idle_fd, &one, sizeof(one));
    }
}

static void
flush(struct coact__process_child *child)
{
    pthread_mutex_lock(&child->line.lock);
    if (coact__lifeline_flush(&child->line) != 0) {
        child->is_broken = true;
    }
    tell_closer(child);
    pthread_mutex_unlock(&child->line.lock);
}

/* What comes after the close is dropped. */
static void
handle(struct coact__process_child *child, size_t bytes)
{
    if (child->packet[0] != COACT__LIFELINE_MESSAGE) {
        return;
    }
    pthread_mutex_lock(&child->line.lock);
    bool is_heard = !child->is_closed;
    child->in_handler = is_heard;
    pthread_mutex_unlock(&child->line.lock);
    if (!is_heard) {
        return;
    }
    child->message(child->owner, child->packet + 1, bytes - 1);
    pthread_mutex_lock(&child->line.lock);
    child->in_handler = false;
    tell_closer(child);
    pthread_mutex_unlock(&child->line.lock);
}

static void *
lifeline_main(void *arg)
{
    struct coact__process_child *child = arg;
    (void)pthread_setname_np(pthread_self(), "coact-lifeline");
    for (;;) {
        struct epoll_event event;
        int count = epoll_wait(child->epoll_fd, &event, 1, -1);
        // Anything else: somebody closed our descriptors, and we are blind.
        COACT__INVARIANT(count >= 0 || errno == EINTR);
        if (count <= 0) {
            continue;
        }
        if ((event.events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0) {
            _exit(ORPHAN_EXIT);
        }
        if ((event.events & EPOLLOUT) != 0) {
            flush(child);
        }
        if ((event.events & EPOLLIN) != 0) {
            int got =
                coact__lifeline_receive(COACT__LIFELINE_FD, child->packet);
            if (got > 0) {
                handle(child, (size_t)got);
            }
        }
    }
    return NULL;
}

static int
start_lifeline(struct coact__process_child *child)
{
    pthread_attr_t attr;
    if (coact__fails() || pthread_attr_init(&attr) != 0) {
        return -EAGAIN;
    }
    (void)pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int rc = pthread_create(&child->thread, &attr, lifeline_main, child);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attr);
    return -rc;
}

static int
watch_parent(struct coact__process_child *child)
{
    child->epoll_fd = coact__fails() ? -EMFILE : epoll_create1(EPOLL_CLOEXEC);
    if (child->epoll_fd < 0) {
        return child->epoll_fd == -1 ? -errno : child->epoll_fd;
    }
    child->idle_fd = coact__fails() ? -EMFILE : eventfd(0, EFD_CLOEXEC);
    if (child->idle_fd < 0) {
        return child->idle_fd == -1 ? -errno : child->idle_fd;
    }
    int rc = coact__lifeline_attach(&child->line, COACT__LIFELINE_FD,
                                    child->epoll_fd, EPOLLRDHUP, 0);
    return rc != 0 ? rc : start_lifeline(child);
}

/* The socket stays open: the parent would take its end for our death. */
static void
child_free(struct coact__process_child *child)
{
    wipe_bootstrap(child);
    child->line.fd = -1;
    coact__lifeline_fini(&child->line);
    if (child->idle_fd >= 0) {
        (void)close(child->idle_fd);
    }
    if (child->epoll_fd >= 0) {
        (void)close(child->epoll_fd);
    }
    coact__free(child);
}

int
coact__process_child_open(struct coact__process_child **out)
{
    int rc = check_parent();
    if (rc != 0) {
        return rc;
    }
    (void)fcntl(COACT__LIFELINE_FD, F_SETFD, FD_CLOEXEC);
    // An exec by descriptor may have named us after the descriptor.
    (void)prctl(PR_SET_NAME, program_invocation_short_name);

    struct coact__process_child *child = coact__alloc_zeroed(sizeof(*child));
    if (child == NULL) {
        return -ENOMEM;
    }
    child->epoll_fd = child->idle_fd = -1;
    rc = coact__lifeline_init(&child->line, COACT__PROCESS_QUEUE_BYTES);
    if (rc != 0) {
        coact__free(child);
        return rc;
    }
    rc = read_bootstrap(child);
    if (rc == 0) {
        rc = watch_parent(child);
    }
    if (rc != 0) {
        child_free(child);
        return rc;
    }
    *out = child;
    return 0;
}

/* What the child does afterwards. */

const void *
coact__process_child_bootstrap(struct coact__process_child *child,
                               size_t *bytes)
{
    *bytes = child->bootstrap_bytes;
    return child->bootstrap;
}

int
coact__process_child_listen(struct coact__process_child *child,
                            void (*message)(void *owner, const void *bytes,
                                            size_t len),
                            void *owner)
{
    if (message == NULL) {
        return -EINVAL;
    }
    pthread_mutex_lock(&child->line.lock);
    bool is_late = child->message != NULL || child->is_closed;
    if (!is_late) {
        child->message = message;
        child->owner = owner;
        coact__lifeline_watch(&child->line, EPOLLRDHUP | EPOLLIN);
    }
    pthread_mutex_unlock(&child->line.lock);
    return is_late ? -EALREADY : 0;
}

int
coact__process_child_send(struct coact__process_child *child, const void *bytes,
                          size_t len)
{
    pthread_mutex_lock(&child->line.lock);
    int rc = child->is_closed ? -ESHUTDOWN
                              : coact__lifeline_send(&child->line, bytes, len);
    if (rc == -EPIPE) {
        child->is_broken = true;
        rc = -EOWNERDEAD;
    }
    pthread_mutex_unlock(&child->line.lock);
    return rc;
}

/* Wait until the thread says that it is idle. */
static int
wait_for_idle(struct coact__process_child *child, int64_t deadline_ns)
{
    struct pollfd idle = {.fd = child->idle_fd, .events = POLLIN};
    for (;;) {
        int64_t left_ns = deadline_ns - coact__oracle_now_ns();
        left_ns = left_ns > 0 ? left_ns : 0;
        struct timespec left = {.tv_sec = (time_t)(left_ns / NS_PER_S),
                                .tv_nsec = (long)(left_ns % NS_PER_S)};
        bool is_endless = deadline_ns == INT64_MAX;
        int rc = ppoll(&idle, 1, is_endless ? NULL : &left, NULL);
        if (rc > 0) {
            return 0;
        }
        if (rc == 0 || errno != EINTR) {
            return -ETIMEDOUT;
        }
    }
}

int
coact__process_child_close(struct coact__process_child *child,
                           int64_t deadline_ns)
{
    if (pthread_equal(pthread_self(), child->thread)) {
        return -EPERM;
    }
    pthread_mutex_lock(&child->line.lock);
    child->is_closed = true;
    coact__lifeline_watch(&child->line, EPOLLRDHUP);
    bool must_wait = !is_idle(child);
    pthread_mutex_unlock(&child->line.lock);

    int rc = must_wait ? wait_for_idle(child, deadline_ns) : 0;
    pthread_mutex_lock(&child->line.lock);
    bool is_broken = child->is_broken;
    pthread_mutex_unlock(&child->line.lock);
    wipe_bootstrap(child);
    return is_broken ? -EOWNERDEAD : rc;
}
