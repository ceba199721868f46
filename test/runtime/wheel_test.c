/*
 * wheel_test.c - the timer wheel against a list that knows no better.
 *
 * The model keeps every entry in an array and finds what is due by looking at
 * all of them.  It knows the order exactly: by the tick at which an entry can
 * fire, and then by the order of arming.
 *
 * SPDX-License-Identifier: MIT
 */
#include "runtime/wheel.h"

#include "runtime/memory.h"
#include "runtime/wheel_lists.h"
#include "test/support/seed.h"
#include "test/support/suite.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#define TICK COACT__WHEEL_TICK_NS
#define LAST_TICK (INT64_MAX >> COACT__WHEEL_TICK_BITS)
#define ENTRIES 60

/* One entry as the model sees it. */
struct known {
    bool on;       /* armed, or fired and not popped */
    int64_t fires; /* the tick at which it fires; above LAST_TICK: never */
    uint64_t turn; /* when it was armed, among all */
};

struct world {
    struct coact__wheel wheel;
    struct coact__wheel_entry entries[ENTRIES];
    struct known known[ENTRIES];
    int64_t now;
    uint64_t turns;
    uint64_t seed;
};

/* ck_assert reports to the parent at every call, failed or not; there are some
   ten million here. */
#define MUST(claim)                                                            \
    do {                                                                       \
        if (!(claim))                                                          \
            ck_abort_msg("not so: %s", #claim);                                \
    } while (0)

static uint64_t
draw(struct world *w)
{
    w->seed += 0x9E3779B97F4A7C15u;
    uint64_t z = w->seed;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
}

/* A length from 0 to centuries, every order of magnitude as likely. */
static int64_t
draw_span(struct world *w)
{
    uint64_t bits = draw(w) % 63;
    return (int64_t)(draw(w) & (((uint64_t)2 << bits) - 1) & INT64_MAX);
}

static int64_t
plus(int64_t a, int64_t b)
{
    return a > INT64_MAX - b ? INT64_MAX : a + b;
}

/* Mostly ahead, at any distance; sometimes past, on an edge, or for ever. */
static int64_t
draw_deadline(struct world *w)
{
    int64_t span = draw_span(w);
    switch (draw(w) % 16) {
    case 0:
        return w->now - span;
    case 1:
        return INT64_MAX - span % (3 * TICK);
    case 2:
        return -span;
    case 3: /* a whole number of ticks, or one more or less */
        return plus(w->now, span) / TICK * TICK + (int64_t)(draw(w) % 3) - 1;
    case 4: /* the edge of a slot of some level */
        return (int64_t)((uint64_t)plus(w->now, span) >>
                         (15 + 6 * (draw(w) % 8)) << (15 + 6 * (draw(w) % 3)));
    default:
        return plus(w->now, span);
    }
}

static int64_t
ticks_up(int64_t ns)
{
    if (ns <= 0) {
        return 0;
    }
    return ns / TICK + (ns % TICK != 0);
}

static void
arm(struct world *w, int i, int64_t deadline)
{
    coact__wheel_add(&w->wheel, &w->entries[i], deadline);
    int64_t fires = ticks_up(deadline);
    if (fires < w->now / TICK) {
        fires = w->now / TICK;
    }
    w->known[i] =
        (struct known){.on = true, .fires = fires, .turn = w->turns++};
}

static bool
goes_before(const struct known *a, const struct known *b)
{
    return a->fires != b->fires ? a->fires < b->fires : a->turn < b->turn;
}

/* The one that must be popped next, or -1. */
static int
expected(const struct world *w)
{
    int best = -1;
    for (int i = 0; i < ENTRIES; i++) {
        const struct known *k = &w->known[i];
        if (k->on && k->fires <= w->now / TICK &&
            (best < 0 || goes_before(k, &w->known[best]))) {
            best = i;
        }
    }
    return best;
}

static void
pop_and_compare(struct world *w)
{
    int i = expected(w);
    struct coact__wheel_entry *e = coact__wheel_pop(&w->wheel);
    if (i < 0) {
        MUST(!e);
        return;
    }
    MUST(e == &w->entries[i]);
    MUST(coact__wheel_is_idle(e));
    MUST(e->deadline_ns <= w->now);
    w->known[i].on = false;
}

/* next_ns is never late, and never asks for a look at a time that was. */
static void
compare_next(struct world *w)
{
    bool fired = false;
    int64_t first = INT64_MAX;
    for (int i = 0; i < ENTRIES; i++) {
        const struct known *k = &w->known[i];
        if (!k->on || k->fires > LAST_TICK) {
            continue;
        }
        if (k->fires <= w->now / TICK) {
            fired = true;
        } else if (k->fires * TICK < first) {
            first = k->fires * TICK;
        }
    }
    int64_t next = coact__wheel_next_ns(&w->wheel);
    if (fired) {
        MUST(next <= w->now);
    } else if (first == INT64_MAX) {
        MUST(next == INT64_MAX);
    } else {
        MUST(next > w->now && next <= first);
    }
}

static void
step_entry(struct world *w)
{
    int i = (int)(draw(w) % ENTRIES);
    if (draw(w) % 4 != 0) {
        arm(w, i, draw_deadline(w));
        return;
    }
    MUST(coact__wheel_remove(&w->wheel, &w->entries[i]) == w->known[i].on);
    MUST(coact__wheel_is_idle(&w->entries[i]));
    w->known[i].on = false;
}

static void
step_time(struct world *w)
{
    int64_t to = plus(w->now, draw_span(w) / 64);
    switch (draw(w) % 4) {
    case 0: { /* exactly when it says, or just before */
        int64_t next = coact__wheel_next_ns(&w->wheel);
        to = next - (int64_t)(draw(w) % 2);
        break;
    }
    case 1:
        to = plus(w->now, (int64_t)(draw(w) % (4 * (uint64_t)TICK)));
        break;
    default:
        break;
    }
    coact__wheel_advance(&w->wheel, to);
    w->now = to > w->now ? to : w->now;
}

static void
run_world(struct world *w, uint64_t seed)
{
    memset(w, 0, sizeof(*w));
    w->seed = seed;
    w->now = draw_span(w) / 4;
    coact__wheel_init(&w->wheel, w->now);
    for (int step = 0; step < 400; step++) {
        uint64_t what = draw(w) % 8;
        if (what < 4) {
            step_entry(w);
        } else if (what < 6) {
            pop_and_compare(w);
        } else {
            step_time(w);
        }
        compare_next(w);
    }
    while (expected(w) >= 0) {
        pop_and_compare(w);
    }
    pop_and_compare(w);
    coact__wheel_fini(&w->wheel);
}

START_TEST(a_wheel_does_what_a_naive_list_of_timers_does)
{
    struct world *w = malloc(sizeof(*w));
    ck_assert_ptr_nonnull(w);
    uint64_t asked;
    bool only_one = suite_seed_asked(&asked);
    for (uint64_t seed = 1; seed <= (only_one ? 1 : 5000); seed++) {
        suite_seed(only_one ? asked : seed);
        run_world(w, only_one ? asked : seed);
    }
    free(w);
}
END_TEST

START_TEST(a_timer_fires_when_the_tick_of_its_deadline_is_over)
{
    static struct coact__wheel wheel;
    coact__wheel_init(&wheel, 0);
    const int64_t deadlines[] = {
        1, TICK - 1, TICK, TICK + 1, 64 * TICK - 1, 64 * TICK, 64 * TICK + 1};
    for (size_t i = 0; i < sizeof(deadlines) / sizeof(deadlines[0]); i++) {
        struct coact__wheel_entry entry = {0};
        int64_t fires = ticks_up(deadlines[i]) * TICK;
        coact__wheel_fini(&wheel);
        memset(&wheel, 0, sizeof(wheel));
        coact__wheel_init(&wheel, 0);
        coact__wheel_add(&wheel, &entry, deadlines[i]);
        ck_assert_int_eq(coact__wheel_next_ns(&wheel), fires);
        coact__wheel_advance(&wheel, fires - 1);
        ck_assert_ptr_null(coact__wheel_pop(&wheel));
        coact__wheel_advance(&wheel, fires);
        ck_assert_ptr_eq(coact__wheel_pop(&wheel), &entry);
        ck_assert_ptr_null(coact__wheel_pop(&wheel));
    }
    coact__wheel_fini(&wheel);
}
END_TEST

START_TEST(a_deadline_in_the_past_fires_without_an_advance)
{
    static struct coact__wheel wheel;
    struct coact__wheel_entry past = {0};
    struct coact__wheel_entry ancient = {0};
    coact__wheel_init(&wheel, 1000 * TICK);
    coact__wheel_add(&wheel, &past, 999 * TICK);
    coact__wheel_add(&wheel, &ancient, INT64_MIN);
    ck_assert_int_le(coact__wheel_next_ns(&wheel), 1000 * TICK);
    ck_assert_ptr_eq(coact__wheel_pop(&wheel), &past);
    ck_assert_ptr_eq(coact__wheel_pop(&wheel), &ancient);
    ck_assert_int_eq(coact__wheel_next_ns(&wheel), INT64_MAX);
    coact__wheel_fini(&wheel);
}
END_TEST

START_TEST(a_timer_for_ever_is_armed_and_never_fires)
{
    static struct coact__wheel wheel;
    struct coact__wheel_entry entry = {0};
    coact__wheel_init(&wheel, 5);
    coact__wheel_add(&wheel, &entry, INT64_MAX);
    ck_assert(!coact__wheel_is_idle(&entry));
    ck_assert_int_eq(coact__wheel_next_ns(&wheel), INT64_MAX);
    coact__wheel_advance(&wheel, INT64_MAX);
    ck_assert_ptr_null(coact__wheel_pop(&wheel));
    ck_assert(coact__wheel_remove(&wheel, &entry));
    ck_assert(!coact__wheel_remove(&wheel, &entry));
    coact__wheel_fini(&wheel);
}
END_TEST

START_TEST(the_last_tick_of_time_can_be_reached)
{
    static struct coact__wheel wheel;
    struct coact__wheel_entry entry = {0};
    coact__wheel_init(&wheel, 0);
    coact__wheel_add(&wheel, &entry, LAST_TICK * TICK);
    ck_assert_int_eq(coact__wheel_next_ns(&wheel), LAST_TICK * TICK);
    coact__wheel_advance(&wheel, LAST_TICK * TICK - 1);
    ck_assert_ptr_null(coact__wheel_pop(&wheel));
    coact__wheel_advance(&wheel, INT64_MAX);
    ck_assert_ptr_eq(coact__wheel_pop(&wheel), &entry);
    coact__wheel_fini(&wheel);
}
END_TEST

START_TEST(a_timer_removed_after_it_fired_is_not_popped)
{
    static struct coact__wheel wheel;
    struct coact__wheel_entry entries[3];
    memset(entries, 0, sizeof(entries));
    coact__wheel_init(&wheel, 0);
    for (int i = 0; i < 3; i++) {
        coact__wheel_add(&wheel, &entries[i], TICK);
    }
    coact__wheel_advance(&wheel, TICK);
    ck_assert(coact__wheel_remove(&wheel, &entries[0]));
    ck_assert_ptr_eq(coact__wheel_pop(&wheel), &entries[1]);
    ck_assert(coact__wheel_remove(&wheel, &entries[2]));
    ck_assert_ptr_null(coact__wheel_pop(&wheel));
    coact__wheel_fini(&wheel);
}
END_TEST

START_TEST(arming_an_armed_timer_moves_it)
{
    static struct coact__wheel wheel;
    struct coact__wheel_entry entry = {0};
    coact__wheel_init(&wheel, 0);
    coact__wheel_add(&wheel, &entry, TICK);
    coact__wheel_add(&wheel, &entry, 9 * TICK);
    coact__wheel_advance(&wheel, 8 * TICK);
    ck_assert_ptr_null(coact__wheel_pop(&wheel));
    coact__wheel_advance(&wheel, 9 * TICK);
    ck_assert_ptr_eq(coact__wheel_pop(&wheel), &entry);
    coact__wheel_fini(&wheel);
}
END_TEST

/* A lone timer that is a year away must not wake its sleeper on the way. */
START_TEST(a_lone_timer_wakes_its_sleeper_once)
{
    static struct coact__wheel wheel;
    struct coact__wheel_entry entry = {0};
    int64_t year = (int64_t)365 * 86400 * 1000000000;
    coact__wheel_init(&wheel, 12345);
    coact__wheel_add(&wheel, &entry, year);
    coact__wheel_advance(&wheel, coact__wheel_next_ns(&wheel));
    ck_assert_ptr_eq(coact__wheel_pop(&wheel), &entry);
    coact__wheel_fini(&wheel);
}
END_TEST

/* Sleeping from one next_ns to the following one must come to an end soon: the
   wheel may ask for a look only where a slot of some level begins. */
START_TEST(a_sleeper_is_woken_at_most_eight_times_for_a_crowd)
{
    enum { CROWD = 50 };
    static struct coact__wheel wheel;
    static struct coact__wheel_entry crowd[CROWD];
    int64_t at = 0x123456789ABCDEF;
    coact__wheel_init(&wheel, 7);
    for (int i = 0; i < CROWD; i++) {
        coact__wheel_add(&wheel, &crowd[i], at);
    }
    int looks = 0;
    do {
        ck_assert_int_lt(looks++, 8);
        coact__wheel_advance(&wheel, coact__wheel_next_ns(&wheel));
    } while (coact__wheel_is_idle(&crowd[0]) || !coact__wheel_pop(&wheel));
    ck_assert_int_lt(coact__wheel_next_ns(&wheel), at + TICK);
    coact__wheel_fini(&wheel);
}
END_TEST

/* The loose bound is for Valgrind and busy machines; it still tells O(1)
   from a search. */
START_TEST(a_million_timers_are_cheap)
{
    enum { MILLION = 1000000 };
    struct coact__wheel *wheel = calloc(1, sizeof(*wheel));
    struct coact__wheel_entry *entries = calloc(MILLION, sizeof(*entries));
    ck_assert(wheel && entries);
    coact__wheel_init(wheel, 0);
    uint64_t x = 88172645463325252u;
    clock_t start = clock();
    for (int i = 0; i < MILLION; i++) {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        coact__wheel_add(wheel, &entries[i], (int64_t)(x % 60000000000u));
    }
    for (int i = 0; i < MILLION; i += 2) {
        MUST(coact__wheel_remove(wheel, &entries[i]));
    }
    int64_t now = 0;
    int64_t last = 0;
    int fired = 0;
    while ((now = coact__wheel_next_ns(wheel)) != INT64_MAX) {
        coact__wheel_advance(wheel, now);
        struct coact__wheel_entry *e;
        while ((e = coact__wheel_pop(wheel))) {
            MUST(ticks_up(last) <= ticks_up(e->deadline_ns));
            last = e->deadline_ns;
            fired++;
        }
    }
    clock_t took = clock() - start;
    ck_assert_int_eq(fired, MILLION / 2);
    ck_assert_int_lt(took, 30 * CLOCKS_PER_SEC);
    coact__wheel_fini(wheel);
    free(entries);
    free(wheel);
}
END_TEST

/* Of a turn of the broad level that comes next: some were there before, some come
   while those are on their way, and some go. */
START_TEST(a_turn_is_led_on_in_pieces_and_its_order_stays)
{
    enum { BEFORE = 1000, CROWD = 3000, TICKS = 300, A_STEP = 50 };
    static struct coact__wheel wheel;
    static struct coact__wheel_entry crowd[CROWD];
    static bool is_gone[CROWD];
    const int64_t turn = TICK << (3 * COACT__WHEEL_LEVEL_BITS);
    uint64_t seed = 7;
    int64_t now = 2 * turn;
    int armed = 0, pieces = 0, gone = 0;
    coact__wheel_init(&wheel, 0);
    while (armed < CROWD) {
        int more = armed == 0 ? BEFORE : A_STEP;
        for (int i = 0; i < more; i++) {
            seed = seed * 6364136223846793005u + 1442695040888963407u;
            int64_t nth = (int64_t)(seed >> 33) % TICKS;
            coact__wheel_add(&wheel, &crowd[armed++],
                             3 * turn + nth * (turn / TICKS));
        }
        int other = (int)(seed >> 40) % armed;
        if (coact__wheel_remove(&wheel, &crowd[other])) {
            is_gone[other] = true;
            gone++;
        }
        coact__wheel_advance(&wheel, now);
        pieces += wheel.lists[COACT__WHEEL_ON_WAY].count > 0;
        now += TICK;
    }
    MUST(pieces > 10 && gone > 10);
    const struct coact__wheel_entry *last = NULL;
    int fired = 0;
    while ((now = coact__wheel_next_ns(&wheel)) != INT64_MAX) {
        coact__wheel_advance(&wheel, now);
        const struct coact__wheel_entry *e;
        for (; (e = coact__wheel_pop(&wheel)) != NULL; fired++) {
            MUST(!is_gone[e - crowd]);
            int64_t later =
                last != NULL ? e->deadline_ns - last->deadline_ns : 1;
            MUST(later > 0 || (later == 0 && e > last));
            last = e;
        }
    }
    MUST(fired == CROWD - gone);
    coact__wheel_fini(&wheel);
}
END_TEST

/* What was removed leaves a cell behind: as many as there are entries armed, and
   no more, whoever comes and goes beside them. */
START_TEST(timers_that_are_cancelled_take_no_memory)
{
    enum { LASTING = 100, ROUNDS = 20000, AT_ONCE = 7 };
    static struct coact__wheel wheel;
    static struct coact__wheel_entry lasting[LASTING];
    static struct coact__wheel_entry passing[AT_ONCE];
    coact__wheel_init(&wheel, 0);
    for (int i = 0; i < ROUNDS; i++) {
        for (int k = 0; k < AT_ONCE; k++) {
            coact__wheel_add(&wheel, &passing[k], 1000 * TICK);
        }
        if (i % (ROUNDS / LASTING) == 0) {
            coact__wheel_add(&wheel, &lasting[i * LASTING / ROUNDS],
                             1000 * TICK);
        }
        for (int k = 0; k < AT_ONCE; k++) {
            MUST(coact__wheel_remove(&wheel, &passing[k]));
        }
        MUST(wheel.dead <= wheel.live + 64);
    }
    coact__wheel_advance(&wheel, 1000 * TICK);
    for (int i = 0; i < LASTING; i++) {
        MUST(coact__wheel_pop(&wheel) == &lasting[i]);
    }
    MUST(coact__wheel_pop(&wheel) == NULL);
    coact__wheel_fini(&wheel);
}
END_TEST

/* Each failure, and all from each on: every timer fires all the same, none early,
   and in the order of their ticks where one advance is one tick. */
START_TEST(without_memory_no_timer_is_lost)
{
    enum { CROWD = 200 };
    static struct coact__wheel_entry crowd[CROWD];
    for (unsigned long nth = 1; nth < 60; nth++) {
        for (int sticky = 0; sticky < 2; sticky++) {
            struct coact__wheel *wheel = calloc(1, sizeof(*wheel));
            ck_assert_ptr_nonnull(wheel);
            coact__wheel_init(wheel, 0);
            coact__fail_nth(nth, sticky != 0);
            for (int i = 0; i < CROWD; i++) {
                coact__wheel_add(wheel, &crowd[i], (1 + i * 37 % 400) * TICK);
            }
            MUST(coact__wheel_remove(wheel, &crowd[CROWD / 2]));
            int fired = 0;
            int64_t now;
            while ((now = coact__wheel_next_ns(wheel)) != INT64_MAX) {
                coact__wheel_advance(wheel, now);
                struct coact__wheel_entry *e;
                while ((e = coact__wheel_pop(wheel)) != NULL) {
                    MUST(e->deadline_ns == now && e != &crowd[CROWD / 2]);
                    fired++;
                }
            }
            coact__fail_nth(0, false);
            ck_assert_int_eq(fired, CROWD - 1);
            coact__wheel_fini(wheel);
            free(wheel);
        }
    }
}
END_TEST

SUITE_MAIN("wheel", a_wheel_does_what_a_naive_list_of_timers_does,
           a_timer_fires_when_the_tick_of_its_deadline_is_over,
           a_deadline_in_the_past_fires_without_an_advance,
           a_timer_for_ever_is_armed_and_never_fires,
           the_last_tick_of_time_can_be_reached,
           a_timer_removed_after_it_fired_is_not_popped,
           arming_an_armed_timer_moves_it, a_lone_timer_wakes_its_sleeper_once,
           a_sleeper_is_woken_at_most_eight_times_for_a_crowd,
           a_million_timers_are_cheap,
           a_turn_is_led_on_in_pieces_and_its_order_stays,
           timers_that_are_cancelled_take_no_memory,
           without_memory_no_timer_is_lost)
