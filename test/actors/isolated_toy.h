/*
 * isolated_toy.h - a child that says who it is and dies as it is told to, and
 * the program whose isolated child it may be.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef COACT_TEST_ISOLATED_TOY_H
#define COACT_TEST_ISOLATED_TOY_H

#include "test/actors/isolated_world.h"

#include "runtime/process.h"

#include <limits.h>
#include <pthread.h>

/* ---- The bodies ---------------------------------------------------------- */

struct toy_config {
    coact_text title;
    int64_t number;
    COACT_REPEATED(int32_t) list;
};
COACT_MESSAGE(toy_config, (1, title), (2, number), (3, list, REPEATED));

struct toy_state {
    int32_t pid;
    coact_text title;
    int64_t number;
    int32_t sum;
    coact_ref self;
};
COACT_MESSAGE(toy_state, (1, pid), (2, title), (3, number), (4, sum),
              (5, self));
COACT_SIGNAL_REQUEST(who_are_you, toy_state);

enum blow {
    BY_SEGV = 1,
    BY_KILL,
    BY_EXIT_3,
    BY_EXIT_0,
    BY_HANG,
    BY_RETURN,
    BY_FAILURE,
    BY_OVERFLOW
};
struct blow_up {
    int32_t how;
};
COACT_MESSAGE(blow_up, (1, how));

/* Ask another toy who it is. */
struct meet {
    coact_ref other;
};
struct met {
    int32_t rc;
    int32_t pid;
};
COACT_MESSAGE(met, (1, rc), (2, pid));
COACT_REQUEST(meet, met, (1, other));

COACT_MAILBOX(toy, who_are_you, blow_up, meet);

static volatile int depth_left = INT_MAX;

static int
overflow(void)
{
    volatile char frame[512];
    frame[0] = (char)depth_left;
    return --depth_left > 0 ? overflow() + frame[0] : 0;
}

static void
blow(int32_t how)
{
    volatile uintptr_t nowhere = 64; // not NULL, which UBSan would catch
    switch (how) {
    case BY_SEGV:
        *(volatile int *)nowhere = 1;
        break;
    case BY_KILL:
        kill(getpid(), SIGKILL);
        break;
    case BY_EXIT_3:
        exit(3);
    case BY_EXIT_0:
        exit(0);
    case BY_HANG:
        for (volatile unsigned i = 0;; i++) {
        }
    case BY_FAILURE:
        coact_fail(-EIO, "blown");
    case BY_OVERFLOW:
        (void)overflow();
        break;
    default:
        break;
    }
}

static struct toy_state
state_of(toy_self self, const struct toy_config *config)
{
    struct toy_state state = {.pid = getpid(), .self = self.ref};
    if (config != NULL) {
        state.title = coact_text_copy(coact_text_cstr(config->title));
        state.number = config->number;
        for (size_t i = 0; i < config->list.count; i++) {
            state.sum += config->list.data[i];
        }
    }
    return state;
}

static void
toy_run(toy_self self, void *arg)
{
    for (;;) {
        int32_t how = 0;
        COACT_RECEIVE(self, COACT_FOREVER) {
        case COACT_ON(who_are_you, m): {
            struct toy_state s = state_of(self, arg);
            coact_reply(m, .pid = s.pid, .title = s.title, .number = s.number,
                        .sum = s.sum, .self = s.self);
        } break;
        case COACT_ON(blow_up, m): {
            how = m->how;
        } break;
        case COACT_ON(meet, m): {
            toy_ref other = {.ref = m->other};
            struct toy_state state = {.pid = 0};
            int rc = coact_ask(other, who_are_you, &state, SOON, 0);
            coact_reply(m, .rc = rc, .pid = state.pid);
            coact_message_destroy(COACT_TYPE(toy_state), &state);
        } break;
        }
        if (how == BY_RETURN) {
            return;
        }
        blow(how);
    }
}

/* Says that it has started only when it is told to be alive for 20 ms. */
static void
slow_run(toy_self self, void *arg)
{
    COACT_CHECK(coact_sleep(coact_in_ms(20)) == 0);
    COACT_CHECK(coact_started() == 0);
    toy_run(self, arg);
}

/* Starts only on a thread of its own. */
static void
alone_run(toy_self self, void *arg)
{
    char name[16] = "";
    COACT_CHECK(pthread_getname_np(pthread_self(), name, sizeof(name)) == 0);
    COACT_CHECK(strncmp(name, "coact-p", 7) == 0);
    COACT_CHECK(coact_started() == 0);
    toy_run(self, arg);
}

static void
never_run(toy_self self, void *arg)
{
    (void)self;
    (void)arg;
    (void)coact_sleep(COACT_FOREVER);
}

static void
broken_run(toy_self self, void *arg)
{
    (void)self;
    (void)arg;
    coact_fail(-EACCES, "no licence");
}

/* Leaves a file's worth of proof that it has cleaned up: its last word goes to
   whoever gave it an address. */
struct last_word {
    coact_ref to;
    int64_t linger_ms;
};
COACT_MESSAGE(last_word, (1, to), (2, linger_ms));
struct cleaned_up {
    int32_t pid;
};
COACT_MESSAGE(cleaned_up, (1, pid));
COACT_MAILBOX(keeper, cleaned_up);

static void
say_last_word(void *arg)
{
    const struct last_word *config = arg;
    keeper_ref keeper = {.ref = config->to};
    (void)coact_sleep(coact_in_ms(config->linger_ms));
    coact_send(keeper, cleaned_up, .pid = getpid());
}

static void
tidy_run(toy_self self, void *arg)
{
    COACT_CHECK(coact_defer(say_last_word, arg) == 0);
    toy_run(self, NULL);
}

static const struct coact_body bodies[] = {
    COACT_BODY_ARG(toy, toy_run, toy_config),
    COACT_BODY(toy, slow_run),
    COACT_BODY(toy, alone_run),
    COACT_BODY(toy, never_run),
    COACT_BODY(toy, broken_run),
    COACT_BODY_ARG(toy, tidy_run, last_word),
};

/* A test may have said otherwise. */
#ifndef TOY_ON_STACK_OVERFLOW
#define TOY_ON_STACK_OVERFLOW COACT_OVERFLOW_ABORT
#endif

static const struct coact_program program = {
    .name = "isolated_test",
    .options = {.workers = 2,
                .node = {.heartbeat_ns = COACT_SECONDS(1)},
                .on_stack_overflow = TOY_ON_STACK_OVERFLOW},
    .bodies = bodies,
    .body_count = COUNT(bodies),
};

#define TOY(id, ...)                                                           \
    COACT_CHILD_ISOLATED(toy, id, toy_run, toy_config, NULL, __VA_ARGS__)

/* ---- Helpers ------------------------------------------------------------- */

__attribute__((unused)) static coact_supervisor_ref
supervise_one(const struct coact_child *child)
{
    const struct coact_supervisor spec = {.children = child, .child_count = 1};
    coact_supervisor_ref top;
    struct coact_reason why = {.code = 0};
    int rc = coact_supervise(&spec, SOON, &top, &why);
    ck_assert_msg(rc == 0, "supervise: %s: %s\n%.3000s", coact_strerror(rc),
                  why.text, world_log);
    return top;
}

__attribute__((unused)) static toy_ref
toy_of(coact_supervisor_ref top, const char *id)
{
    toy_ref toy;
    OK(coact_child_find(top, toy, id, &toy, SOON));
    return toy;
}

__attribute__((unused)) static int32_t
pid_of(toy_ref toy)
{
    struct toy_state state;
    OK(coact_ask(toy, who_are_you, &state, SOON, 0));
    ck_assert(coact_ref_equal(state.self, toy.ref));
    int32_t pid = state.pid;
    coact_message_destroy(COACT_TYPE(toy_state), &state);
    return pid;
}

struct looked {
    size_t ends;
    struct coact_reason reason;
    enum coact_child_state state;
    bool is_isolated;
    uint64_t restarts;
};

__attribute__((unused)) static bool
look_at(void *context, const struct coact_child_info *info)
{
    struct looked *looked = context;
    looked->ends = info->end_count;
    looked->state = info->state;
    looked->is_isolated = info->is_isolated;
    looked->restarts = info->restarts;
    if (info->end_count > 0) {
        looked->reason = info->ends[0].reason;
    }
    return false;
}

/* Wait until the child has ended `ends` times, and say how the last time. */
__attribute__((unused)) static struct looked
await_end(coact_supervisor_ref top, size_t ends)
{
    int64_t deadline_ns = SOON;
    for (;;) {
        struct looked looked = {.ends = 0};
        OK(coact_children(top, SOON, look_at, &looked));
        if (looked.ends >= ends) {
            return looked;
        }
        ck_assert_msg(coact_now_ns() < deadline_ns, "it does not end\n%.3000s",
                      world_log);
        OK(coact_sleep(coact_in_ms(2)));
    }
}

__attribute__((unused)) static void
stop(coact_supervisor_ref top)
{
    struct coact_reason why = {.code = 0};
    int rc = coact_supervisor_stop(top, SOON, &why);
    ck_assert_msg(rc == 0, "stop: %s: %s", coact_strerror(rc), why.text);
}

/* What a binary that is its own child has for main. */
static int
toy_main(int argc, char **argv, const char *name, const TTest *const *tests,
         size_t count)
{
    if (coact__process_is_child(argc, argv)) {
        return coact_main(argc, argv, &program);
    }
    return suite_main(argc, argv, name, tests, count);
}

#endif
