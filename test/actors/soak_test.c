/*
 * soak_test.c - memory does not grow with what has happened.
 *
 * Each test does the same over and over.  When a tenth of it is done all that is
 * kept for reuse has been made; from there on the resident memory stays where it
 * is.  COACT_LONG makes it many times longer.  With a sanitizer, which keeps
 * what was freed, it is short, and shows what such a one finds.
 *
 * SPDX-License-Identifier: MIT
 */
#include "test/actors/peers.h"

#include <coact/supervisor.h>

#include <unistd.h>

#if defined __SANITIZE_ADDRESS__ || defined __SANITIZE_THREAD__
#define IS_MEASURED false
#define SHORTER 50
#else
#define IS_MEASURED true
#define SHORTER 1
#endif

#define WORKERS 2
#define SLICES 10

static uint64_t
times(uint64_t usual, uint64_t in_a_long_run)
{
    return getenv("COACT_LONG") != NULL ? in_a_long_run : usual / SHORTER;
}

/* ---- The measure --------------------------------------------------------- */

static long
resident_pages(void)
{
    long all = 0, resident = 0;
    FILE *file = fopen("/proc/self/statm", "re");
    ck_assert_ptr_nonnull(file);
    ck_assert_int_eq(fscanf(file, "%ld %ld", &all, &resident), 2);
    fclose(file);
    return resident;
}

/* Five in a hundred, up or down; and a MiB, which a process as small as this
   needs for pages that it has not touched before.  A leak of the least block,
   16 bytes, each time would be more. */
#define FREE_PAGES 256

static void
check_level(const char *what, long pages, long base)
{
    ck_assert_msg(!IS_MEASURED || labs(pages - base) <= base / 20 + FREE_PAGES,
                  "%s: %ld pages were resident after a tenth, now %ld", what,
                  base, pages);
}

/* Do it `total` times, in slices; look after each. */
static void
soak(const char *what, uint64_t total, void (*some)(uint64_t n, void *arg),
     void *arg)
{
    long base = 0, most = 0;
    for (int slice = 0; slice < SLICES; slice++) {
        some(total / SLICES, arg);
        long pages = resident_pages();
        base = slice == 0 ? pages : base;
        most = pages > most ? pages : most;
        check_level(what, pages, base);
    }
    printf("# %s: %llu, resident %ld KiB after a tenth, %ld KiB at most\n",
           what, (unsigned long long)total, base * 4, most * 4);
}

struct plan {
    const char *what;
    uint64_t total;
    void (*some)(uint64_t n, void *self);
    void *more;
};

static void
soak_body(peer_self self, void *arg)
{
    const struct plan *plan = arg;
    soak(plan->what, plan->total, plan->some, &self);
}

static void
soak_in_an_actor(struct plan plan)
{
    struct coact_runtime *runtime = start_runtime(WORKERS);
    peer_ref p = spawn_peer(soak_body, &plan);
    int64_t deadline = coact_in_ms(7200000);
    struct coact_reason reason;
    ck_assert_int_eq(coact_join(p.ref, deadline, &reason), 0);
    ck_assert_msg(reason.code == COACT_NORMAL, "%s", reason.text);
    stop_runtime(runtime);
}

static void
await_go(peer_self self, uint64_t count)
{
    while (count > 0) {
        COACT_RECEIVE_ONLY(self, IN_TIME, go) {
        case COACT_ON(go, m):
            (void)m;
            count--;
            break;
        case COACT_ON_TIMEOUT:
            ck_abort_msg("no go came");
            break;
        }
    }
}

/* ---- Births and deaths --------------------------------------------------- */

#define AT_ONCE 500

static void
says_go(peer_self self, void *arg)
{
    (void)self;
    coact_send(*(peer_ref *)arg, go, 0);
}
static void
spawn_some(uint64_t n, void *self)
{
    peer_ref me = {.ref = ((peer_self *)self)->ref};
    for (uint64_t done = 0; done < n; done += AT_ONCE) {
        for (int i = 0; i < AT_ONCE; i++) {
            spawn_peer(says_go, &me);
        }
        await_go(*(peer_self *)self, AT_ONCE);
    }
}
START_TEST(memory_is_flat_over_a_million_births_and_deaths)
{
    soak_in_an_actor((struct plan){.what = "births",
                                   .total = times(1000000, 10000000),
                                   .some = spawn_some});
}
END_TEST

/* With all that an actor can have. */
static void
lives_fully(peer_self self, void *arg)
{
    (void)self;
    ck_assert_ptr_nonnull(coact_arena(200));
    coact_timer_id timer;
    ck_assert_int_eq(coact_timer_start(&timer, coact_in_ms(100000), 0, NULL),
                     0);
    coact_send(*(peer_ref *)arg, note, .text = coact_text_copy("a last word"));
}
static void
spawn_some_fully(uint64_t n, void *arg)
{
    peer_self self = *(peer_self *)arg;
    peer_ref me = {.ref = self.ref};
    coact_trap_exit(true);
    for (uint64_t done = 0; done < n; done += 50) {
        coact_monitor_id monitor[50];
        peer_ref p[50];
        for (int i = 0; i < 50; i++) {
            ck_assert_int_eq(
                coact_spawn_with(peer, &p[i], lives_fully, &me, .link = true,
                                 .label = "full", .monitor = &monitor[i],
                                 .fair = i % 2 == 0, .mailbox_messages = 3),
                0);
        }
        for (int i = 0; i < 50; i++) {
            expect_down(self);
            expect_exit(self);
            COACT_RECEIVE_ONLY(self, IN_TIME, note) {
            case COACT_ON(note, m):
                ck_assert_uint_eq(m->text.bytes, 11);
                break;
            }
        }
    }
}
START_TEST(memory_is_flat_over_links_monitors_timers_labels_and_arenas)
{
    soak_in_an_actor((struct plan){.what = "full lives",
                                   .total = times(200000, 5000000),
                                   .some = spawn_some_fully});
}
END_TEST

/* ---- Messages ------------------------------------------------------------ */

#define WINDOW 100

static void
sends_windows(peer_self self, void *arg)
{
    peer_ref to = *(peer_ref *)arg;
    for (;;) {
        for (uint32_t i = 0; i < WINDOW; i++) {
            ck_assert_int_eq(coact_send(to, item, .number = i), 0);
        }
        await_go(self, 1);
    }
}
static void
receive_some(uint64_t n, void *arg)
{
    peer_self self = *(peer_self *)arg;
    peer_ref me = {.ref = self.ref};
    peer_ref sender[4];
    for (int i = 0; i < 4; i++) {
        sender[i] = spawn_peer(sends_windows, &me);
    }
    for (uint64_t i = 0; i < n; i++) {
        COACT_RECEIVE(self, COACT_FOREVER) {
        case COACT_ON(item, m): {
            peer_ref from = {.ref = coact_sender_of(m)};
            if (m->number == WINDOW - 1) {
                coact_send(from, go, 0);
            }
        } break;
        }
    }
    for (int i = 0; i < 4; i++) {
        coact_kill(sender[i].ref);
        join_peer(sender[i]);
    }
    while (coact_pending() > 0) {
        COACT_RECEIVE(self, 0) {
        case COACT_ON(item, m):
            (void)m;
            break;
        }
    }
}
START_TEST(memory_is_flat_over_ten_million_messages)
{
    soak_in_an_actor((struct plan){.what = "messages",
                                   .total = times(10000000, 100000000),
                                   .some = receive_some});
}
END_TEST

/* ---- Asks and timers ----------------------------------------------------- */

static void
ask_some(uint64_t n, void *arg)
{
    (void)arg;
    peer_ref oracle = spawn_peer(oracle_body, NULL);
    peer_ref deaf = spawn_peer(sleep_until_killed, NULL);
    for (uint64_t i = 0; i < n; i++) {
        struct answer a = {0};
        ck_assert_int_eq(coact_ask(oracle, question, &a, IN_TIME, .n = i), 0);
        ck_assert_uint_eq(a.n, i + 1);
        if (i % 16 == 0) {
            // One that runs out; the request goes with whom it waits for.
            ck_assert_int_eq(coact_ask(deaf, question, &a, COACT_NOW, .n = i),
                             -ETIMEDOUT);
        }
        if (i % 256 == 0) {
            coact_kill(deaf.ref);
            deaf = spawn_peer(sleep_until_killed, NULL);
        }
    }
    coact_kill(oracle.ref);
    coact_kill(deaf.ref);
    join_peer(oracle);
    join_peer(deaf);
}
START_TEST(memory_is_flat_over_asks_answered_or_not)
{
    soak_in_an_actor((struct plan){
        .what = "asks", .total = times(500000, 20000000), .some = ask_some});
}
END_TEST

static void
tick_some(uint64_t n, void *arg)
{
    peer_self self = *(peer_self *)arg;
    for (uint64_t i = 0; i < n; i += 4) {
        coact_timer_id timer[4];
        for (int k = 0; k < 4; k++) {
            ck_assert_int_eq(
                coact_timer_start(&timer[k],
                                  k < 2 ? COACT_NOW : coact_in_ms(60000),
                                  k == 1 ? 1000000000 : 0, NULL),
                0);
        }
        uint32_t ticks = 0;
        while (ticks < 2) {
            COACT_RECEIVE(self, IN_TIME) {
            case COACT_ON_TICK(t):
                ticks +=
                    t->timer.id == timer[0].id || t->timer.id == timer[1].id;
                break;
            case COACT_ON_TIMEOUT:
                ck_abort_msg("no tick came");
                break;
            }
        }
        for (int k = 1; k < 4; k++) {
            ck_assert_int_eq(coact_timer_cancel(timer[k]), 0);
        }
    }
}
START_TEST(memory_is_flat_over_timers_that_fire_or_are_cancelled)
{
    soak_in_an_actor((struct plan){
        .what = "timers", .total = times(400000, 20000000), .some = tick_some});
}
END_TEST

/* ---- Restarts ------------------------------------------------------------ */

static peer_ref conductor;

static void
fails_at_once(peer_self self, void *arg)
{
    (void)self, (void)arg;
    coact_send(conductor, go, 0);
    coact_fail(-EIO, "as it always does");
}
static void
restart_some(uint64_t n, void *arg)
{
    peer_self self = *(peer_self *)arg;
    conductor = (peer_ref){.ref = self.ref};
    const struct coact_child children[] = {
        COACT_CHILD(peer, "a", fails_at_once, NULL,
                    .backoff = {.first_ns = COACT_NO_BACKOFF}),
        COACT_CHILD(peer, "b", idle_body, NULL),
    };
    const struct coact_supervisor spec = {.strategy = COACT_ONE_FOR_ALL,
                                          .children = children,
                                          .child_count = 2,
                                          .intensity = COACT_RESTART_FOREVER};
    coact_supervisor_ref top;
    ck_assert_int_eq(coact_supervise(&spec, IN_TIME, &top, NULL), 0);
    await_go(self, n);
    ck_assert_int_eq(coact_supervisor_stop(top, IN_TIME, NULL), 0);
    while (coact_pending() > 0) {
        await_go(self, 1);
    }
}
START_TEST(memory_is_flat_over_restarts_of_a_group)
{
    soak_in_an_actor((struct plan){.what = "restarts",
                                   .total = times(100000, 2000000),
                                   .some = restart_some});
}
END_TEST

int
main(int argc, char **argv)
{
    const TTest *tests[] = {
        memory_is_flat_over_a_million_births_and_deaths,
        memory_is_flat_over_links_monitors_timers_labels_and_arenas,
        memory_is_flat_over_ten_million_messages,
        memory_is_flat_over_asks_answered_or_not,
        memory_is_flat_over_timers_that_fire_or_are_cancelled,
        memory_is_flat_over_restarts_of_a_group,
    };
    // Machines that are loaded take their time.
    setenv("COACT_TEST_TIMEOUT", getenv("COACT_LONG") != NULL ? "7200" : "120",
           1);
    return suite_main(argc, argv, "soak", tests,
                      sizeof(tests) / sizeof(tests[0]));
}
