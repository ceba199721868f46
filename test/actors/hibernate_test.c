/*
 * hibernate_test.c - who is hibernated keeps all that is his, and costs little.
 *
 * SPDX-License-Identifier: MIT
 */
#include "test/actors/drowsy.h"
#include "test/support/death.h"

#include <fenv.h>
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#define NOINLINE __attribute__((noinline))

static bool
is_resident(uintptr_t at)
{
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    unsigned char state = 0;
    ck_assert_int_eq(mincore((void *)(at / page * page), page, &state), 0);
    return (state & 1) != 0;
}

/* ---- What is kept -------------------------------------------------------- */

#define FRAMES 4
#define WORDS 8

struct keeper {
    uint64_t seed;
    _Atomic uintptr_t frame; /* the innermost, for who looks from outside */
    _Atomic uint32_t woken;
    bool is_right;
};

static void
await_go(peer_self self)
{
    COACT_RECEIVE(self, COACT_FOREVER) {
    case COACT_ON(go, m):
        (void)m;
        break;
    }
}

/* Each frame has words, a pointer to them and a sum that it goes on with. */
NOINLINE static double
descend(peer_self self, struct keeper *keeper, uint32_t depth)
{
    volatile uint64_t words[WORDS];
    volatile uint64_t *volatile own = words;
    double share = (double)(keeper->seed + depth) / 3.0;
    for (uint32_t i = 0; i < WORDS; i++) {
        words[i] = keeper->seed * (depth * WORDS + i + 1);
    }
    double below = 0;
    if (depth == FRAMES) {
        keeper->frame = (uintptr_t)__builtin_frame_address(0);
        await_go(self);
    } else {
        below = descend(self, keeper, depth + 1);
    }
    for (uint32_t i = 0; i < WORDS; i++) {
        keeper->is_right = keeper->is_right &&
                           own[i] == keeper->seed * (depth * WORDS + i + 1);
    }
    keeper->is_right = keeper->is_right && own == words;
    return share + below;
}

static double
what_descend_returns(uint64_t seed)
{
    double sum = 0;
    for (uint32_t depth = FRAMES + 1; depth-- > 0;) {
        sum = (double)(seed + depth) / 3.0 + sum;
    }
    return sum;
}

#define WAKES 3

static void
keeper_body(peer_self self, void *arg)
{
    struct keeper *keeper = arg;
    bool is_odd = keeper->seed % 2 != 0;
    fesetround(is_odd ? FE_UPWARD : FE_TONEAREST);
    keeper->is_right = true;
    double expected = what_descend_returns(keeper->seed);
    for (int i = 0; i < WAKES; i++) {
        errno = (int)keeper->seed;
        double sum = descend(self, keeper, 0);
        keeper->is_right = keeper->is_right && sum == expected &&
                           errno == (int)keeper->seed &&
                           fegetround() == (is_odd ? FE_UPWARD : FE_TONEAREST);
        atomic_fetch_add_explicit(&keeper->woken, 1, memory_order_release);
    }
}

#define KEEPERS 300

/* All have been woken so often, and are hibernated again. */
static void
await_keepers(struct keeper *keepers, uint32_t woken)
{
    for (uint32_t i = 0; i < KEEPERS; i++) {
        while (atomic_load_explicit(&keepers[i].woken, memory_order_acquire) <
               woken) {
            ck_assert_int_eq(coact_sleep(coact_in_ms(1)), 0);
        }
    }
    await_hibernated(KEEPERS);
}

static void
wake_keepers(peer_self self, void *arg)
{
    (void)self, (void)arg;
    static struct keeper keepers[KEEPERS];
    peer_ref refs[KEEPERS];
    for (uint32_t i = 0; i < KEEPERS; i++) {
        keepers[i] = (struct keeper){.seed = 1000 + i};
        refs[i] = spawn_drowsy(keeper_body, &keepers[i]);
    }
    for (uint32_t round = 0; round < WAKES; round++) {
        await_keepers(keepers, round);
        for (uint32_t i = 0; i < KEEPERS; i++) {
            ck_assert_msg(!is_resident(keepers[i].frame), "%u kept its page",
                          i);
            ck_assert_int_eq(coact_send(refs[i], go, 0), 0);
        }
    }
    for (uint32_t i = 0; i < KEEPERS; i++) {
        join_peer(refs[i]);
    }
    for (uint32_t i = 0; i < KEEPERS; i++) {
        ck_assert_uint_eq(keepers[i].woken, WAKES);
        ck_assert_msg(keepers[i].is_right, "%u lost something", i);
    }
    await_hibernated(0);
}

START_TEST(who_wakes_from_hibernation_finds_its_frames_its_fpu_and_its_errno)
{
    conduct(1, wake_keepers, NULL);
    conduct(3, wake_keepers, NULL);
}
END_TEST

/* ---- Larger stacks, and too much on them --------------------------------- */

#define DEEP_BYTES (100u << 10)

NOINLINE static uintptr_t
touch_much(void)
{
    volatile char much[DEEP_BYTES];
    for (size_t i = 0; i < DEEP_BYTES; i += 512) {
        much[i] = 1;
    }
    return (uintptr_t)&much[DEEP_BYTES / 2];
}

static void
deep_body(peer_self self, void *arg)
{
    struct keeper *keeper = arg;
    keeper->frame = touch_much();
    await_go(self);
}

/* Its 12 KB are most of their pages: there is little to gain. */
static void
full_body(peer_self self, void *arg)
{
    struct keeper *keeper = arg;
    volatile char full[12000];
    for (size_t i = 0; i < sizeof(full); i++) {
        full[i] = (char)i;
    }
    keeper->frame = (uintptr_t)full;
    await_go(self);
    keeper->is_right = true;
    for (size_t i = 0; i < sizeof(full); i++) {
        keeper->is_right = keeper->is_right && full[i] == (char)i;
    }
}

static void
hibernate_large_ones(peer_self self, void *arg)
{
    (void)self, (void)arg;
    struct keeper full = {0}, deep[2] = {0};
    peer_ref full_ref = spawn_drowsy(full_body, &full), deep_refs[2];
    for (int i = 0; i < 2; i++) {
        ck_assert_int_eq(coact_spawn_with(peer, &deep_refs[i], deep_body,
                                          &deep[i], .stack_bytes = 256 << 10,
                                          .hibernate = COACT_HIBERNATE_AT_ONCE),
                         0);
    }
    await_hibernated(2);
    ck_assert(!is_resident(deep[0].frame) && !is_resident(deep[1].frame));
    ck_assert(is_resident(full.frame));
    for (int i = 0; i < 2; i++) {
        ck_assert_int_eq(coact_send(deep_refs[i], go, 0), 0);
        join_peer(deep_refs[i]);
    }
    ck_assert_int_eq(coact_send(full_ref, go, 0), 0);
    join_peer(full_ref);
    ck_assert(full.is_right);
}

START_TEST(all_pages_of_a_large_stack_go_and_a_full_one_is_left_alone)
{
    conduct(1, hibernate_large_ones, NULL);
}
END_TEST

/* ---- What wakes ---------------------------------------------------------- */

struct mourner {
    peer_ref whom;
    bool links, has_watched;
    _Atomic bool has_cleaned;
    _Atomic int heard; /* the reason's code */
};

static void
clean(void *arg)
{
    struct mourner *mourner = *(struct mourner **)arg;
    mourner->has_cleaned = true;
}

/* It ends inside of a wait: the clean-up goes by a pointer on its stack. */
static void
mourner_body(peer_self self, void *arg)
{
    struct mourner *own = arg;
    COACT_CHECK(coact_defer(clean, &own) == 0);
    if (own->has_watched) {
        coact_monitor_id id;
        COACT_CHECK(coact_monitor(own->whom.ref, &id) == 0);
    }
    if (own->links) {
        COACT_CHECK(coact_link(own->whom.ref) == 0);
    }
    for (;;) {
        COACT_RECEIVE(self, COACT_FOREVER) {
        case COACT_ON_DOWN(d): {
            own->heard = d->reason.code;
            coact_exit(COACT_NORMAL);
        } break;
        }
    }
}

static void
wake_in_all_ways(peer_self self, void *arg)
{
    (void)self, (void)arg;
    peer_ref victim = spawn_drowsy(idle_body, NULL);
    struct mourner killed = {0}, told = {.whom = victim, .has_watched = true},
                   linked = {.whom = victim, .links = true};
    peer_ref k = spawn_drowsy(mourner_body, &killed);
    peer_ref t = spawn_drowsy(mourner_body, &told);
    peer_ref l = spawn_drowsy(mourner_body, &linked);
    await_hibernated(4);
    coact_monitor_id id;
    ck_assert_int_eq(coact_monitor(k.ref, &id), 0); // wakes it, for a moment
    await_hibernated(4);
    ck_assert_int_eq(coact_kill(k.ref), 0);
    ck_assert_int_eq(expect_down(self).reason.code, COACT_KILLED);
    await_hibernated(3);
    ck_assert_int_eq(coact_monitor(l.ref, &id), 0);
    ck_assert_int_eq(coact_signal_exit(victim.ref, -EIO, "for a test"), 0);
    ck_assert_int_eq(expect_down(self).reason.code, -EIO);
    join_peer(t);
    ck_assert_int_eq(told.heard, -EIO);
    ck_assert(killed.has_cleaned && told.has_cleaned && linked.has_cleaned);
    await_hibernated(0);
}

START_TEST(a_kill_an_exit_signal_and_a_monitors_news_wake_who_is_hibernated)
{
    conduct(1, wake_in_all_ways, NULL);
    conduct(2, wake_in_all_ways, NULL);
}
END_TEST

#define SLEEPERS 500

START_TEST(a_runtime_stops_with_all_of_its_actors_hibernated)
{
    struct coact_runtime *runtime = start_runtime(2);
    for (uint32_t i = 0; i < SLEEPERS; i++) {
        spawn_drowsy(idle_body, NULL);
    }
    await_hibernated(SLEEPERS);
    stop_runtime(runtime);
}
END_TEST

/* ---- Who is not hibernated ----------------------------------------------- */

static void
impatient_body(peer_self self, void *arg)
{
    (void)arg;
    COACT_RECEIVE(self, IN_TIME) {
    case COACT_ON(go, m):
        (void)m;
        break;
    }
}

static void
asker_body(peer_self self, void *arg)
{
    (void)self;
    peer_ref whom = *(peer_ref *)arg;
    struct answer answer;
    ck_assert_int_eq(coact_ask(whom, question, &answer, COACT_FOREVER, .n = 1),
                     -ECANCELED);
}

/* Receives nothing of what it is sent: so it is the last to fall asleep. */
static void
fickle_body(peer_self self, void *arg)
{
    (void)arg;
    ck_assert_int_eq(coact_set_hibernate(COACT_HIBERNATE_NEVER), 0);
    await_go(self);
    ck_assert_int_eq(coact_set_hibernate(COACT_HIBERNATE_AT_ONCE), 0);
    await_go(self);
}

static void
leave_others_alone(peer_self self, void *arg)
{
    (void)self, (void)arg;
    static struct keeper never;
    peer_ref silent = spawn_peer(sleep_until_killed, NULL);
    peer_ref refs[] = {spawn_drowsy(impatient_body, NULL),
                       spawn_drowsy(sleep_until_killed, NULL),
                       spawn_drowsy(asker_body, &silent),
                       spawn_peer(until_go_body, NULL)};
    peer_ref fickle = spawn_drowsy(fickle_body, &never);
    // One after another on one worker: when the last is hibernated, the others
    // would have been.
    peer_ref last = spawn_drowsy(idle_body, NULL);
    await_hibernated(1);
    ck_assert_int_eq(coact_send(fickle, go, 0), 0);
    await_hibernated(2);
    ck_assert_uint_eq(hibernations(coact_runtime_here()), 2);
    for (size_t i = 0; i < sizeof(refs) / sizeof(refs[0]); i++) {
        ck_assert_int_eq(coact_kill(refs[i].ref), 0);
        join_peer(refs[i]);
    }
    coact_kill(last.ref);
    coact_kill(silent.ref);
    coact_kill(fickle.ref);
}

START_TEST(who_waits_otherwise_or_does_not_allow_it_is_not_hibernated)
{
    conduct(1, leave_others_alone, NULL);
}
END_TEST

static bool
note_state(void *context, const struct coact_actor_info *info)
{
    if (strcmp(info->label, "dormouse") == 0) {
        strcpy(context, info->state);
    }
    return true;
}

START_TEST(the_list_of_actors_shows_who_is_hibernated)
{
    struct coact_runtime *runtime = start_runtime(1);
    peer_ref ref;
    char state[32] = "";
    ck_assert_int_eq(coact_spawn_with(peer, &ref, idle_body, NULL,
                                      .label = "dormouse",
                                      .hibernate = COACT_HIBERNATE_AT_ONCE),
                     0);
    await_hibernated(1);
    coact_each_actor(runtime, note_state, state);
    ck_assert_str_eq(state, "hibernated");
    stop_runtime(runtime);
}
END_TEST

START_TEST(an_unknown_word_or_a_negative_time_is_refused)
{
    struct coact_runtime_options options = {.hibernate_after_ns = -1};
    struct coact_runtime *runtime = NULL;
    ck_assert_int_eq(coact_start(&options, &runtime), -EINVAL);
    ck_assert_ptr_null(runtime);
    runtime = start_runtime(1);
    ck_assert_int_eq(coact_set_hibernate(COACT_HIBERNATE_LATER), -EPERM);
    peer_ref ref;
    ck_assert_int_eq(coact_spawn_with(peer, &ref, idle_body, NULL,
                                      .hibernate = (enum coact_hibernate)3),
                     -EINVAL);
    stop_runtime(runtime);
}
END_TEST

/* ---- The guard ----------------------------------------------------------- */

static void
write_below(void *arg)
{
    const struct coact__actor *actor = arg;
    ((volatile char *)actor->task.stack.low)[-1] = 1;
}

START_TEST(the_guard_is_there_during_hibernation_and_after_it)
{
    struct coact_runtime *runtime = start_runtime(1);
    peer_ref refs[3];
    for (int i = 0; i < 3; i++) {
        refs[i] = spawn_drowsy(until_go_body, NULL);
    }
    await_hibernated(3);
    struct coact__actor *middle = coact__slot_of(runtime, refs[1].ref);
    ck_assert_int_eq(death_of(write_below, middle), SIGSEGV);
    ck_assert_int_eq(coact_send(refs[1], item, 0), 0);
    await_hibernated(3);
    ck_assert_int_eq(death_of(write_below, middle), SIGSEGV);
    stop_runtime(runtime);
}
END_TEST

SUITE_MAIN("hibernate",
           who_wakes_from_hibernation_finds_its_frames_its_fpu_and_its_errno,
           all_pages_of_a_large_stack_go_and_a_full_one_is_left_alone,
           a_kill_an_exit_signal_and_a_monitors_news_wake_who_is_hibernated,
           a_runtime_stops_with_all_of_its_actors_hibernated,
           who_waits_otherwise_or_does_not_allow_it_is_not_hibernated,
           the_list_of_actors_shows_who_is_hibernated,
           an_unknown_word_or_a_negative_time_is_refused,
           the_guard_is_there_during_hibernation_and_after_it)
