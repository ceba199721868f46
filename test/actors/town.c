/*
 * town.c - forking, starting and ending the nodes of a test; the puppet.
 *
 * SPDX-License-Identifier: MIT
 */
#include "test/actors/town.h"

#include "test/support/valgrind.h"

#include <stdatomic.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>

static struct {
    char dir[64];
    char key[96], other_key[96];
    char address[TOWN_NODES][96];
    int places;
    pid_t pid[TOWN_NODES];
    int go[TOWN_NODES]; /* our end: a byte starts, its close ends */
    bool is_killed[TOWN_NODES];
    int end; /* a peer's end */
    uint32_t number, known;
    struct coact_runtime *runtime;
    void (*body)(boss_self self);
} town;

static struct {
    uint32_t number, known;
} peers[TOWN_NODES];

/* ---- The puppet ---------------------------------------------------------- */

struct puppet {
    puppet_self self;
    coact_monitor_id monitor;
    struct question *kept;
    uint32_t items;
    boss_ref boss;
};

static void
burst(struct order *m)
{
    boss_ref who = {.ref = m->who};
    for (uint32_t i = 0; i < m->n; i++) {
        size_t bytes = m->bytes > 0 && i % 16 == 15 ? m->bytes : 0;
        int rc = coact_send_wait(who, SOON, item, .from = coact_self().slot,
                                 .number = i, .load = coact_bytes_new(bytes));
        COACT_CHECK(rc == 0);
    }
}

static void
answer_kept(struct puppet *me)
{
    if (me->kept != NULL) {
        (void)coact_reply_to(question, me->kept, .n = me->kept->n);
        coact_release(me->kept);
        me->kept = NULL;
    }
}

static void
obey(struct puppet *me, struct order *m)
{
    coact_ref who = m->who;
    int32_t n = 0;
    puppet_ref other;
    answer_kept(me);
    switch ((enum town_order)m->what) {
    case TOWN_SPAWN:
        COACT_CHECK(coact_spawn_with(puppet, &other, puppet_body, NULL,
                                     .trap_exit = m->n != 0) == 0);
        who = other.ref;
        break;
    case TOWN_MONITOR:
        COACT_CHECK(coact_monitor(m->who, &me->monitor) == 0);
        break;
    case TOWN_DEMONITOR:
        n = coact_demonitor(me->monitor);
        break;
    case TOWN_LINK:
        COACT_CHECK(coact_link(m->who) == 0);
        break;
    case TOWN_UNLINK:
        COACT_CHECK(coact_unlink(m->who) == 0);
        break;
    case TOWN_FAIL:
        coact_fail((int)m->n, "told to");
    case TOWN_BURST:
        burst(m);
        break;
    case TOWN_COUNT:
        n = (int32_t)me->items;
        break;
    case TOWN_USE:
        n = coact_send((boss_ref){.ref = m->who}, item, .number = m->n);
        break;
    }
    (void)coact_send(me->boss, told, .what = m->what, .n = n, .who = who);
}

static void
answer(struct puppet *me, struct question *m)
{
    coact_bytes load = {0};
    puppet_ref who = {.ref = m->who};
    switch ((enum town_how)m->how) {
    case TOWN_ANSWER:
    case TOWN_LARGE:
        load = coact_bytes_new(m->how == TOWN_LARGE ? m->n : 0);
        (void)coact__reply(
            m, &(struct answer){.n = m->n, .by = coact_self(), .load = load},
            sizeof(struct answer));
        break;
    case TOWN_KEEP:
        (void)coact_keep(m);
        break;
    case TOWN_DIE:
        coact_fail(277, "asked to");
    case TOWN_DROP:
        break;
    case TOWN_FORWARD:
    case TOWN_ENTRUST:
        m->how = m->how == TOWN_FORWARD ? TOWN_ANSWER : TOWN_KEEP;
        (void)coact_forward(m, who, question);
        break;
    case TOWN_WHEN_TOLD:
        me->kept = coact_keep(m);
        break;
    }
}

static void
pass_on(struct puppet *me, struct parcel *m)
{
    // What a message owns can be sent on, when nothing is left in its place.
    struct parcel mine = *m;
    memset(m, 0, sizeof(*m));
    (void)coact__send(me->boss.ref, COACT_TYPE(parcel),
                      COACT__NUMBER(me->boss, parcel), &mine);
}

void
puppet_body(puppet_self self, void *arg)
{
    struct puppet me = {.self = self};
    (void)arg;
    for (;;) {
        COACT_RECEIVE(self, COACT_FOREVER) {
        case COACT_ON(order, m): {
            me.boss.ref = coact_sender_of(m);
            obey(&me, m);
        } break;
        case COACT_ON(question, m):
            answer(&me, m);
            break;
        case COACT_ON(item, m):
            me.items++;
            break;
        case COACT_ON(parcel, m): {
            me.boss.ref = coact_sender_of(m);
            pass_on(&me, m);
        } break;
        case COACT_ON_DOWN(d): {
            (void)coact_send(me.boss, told, .what = 0, .n = d->reason.code,
                             .who = d->who);
        } break;
        case COACT_ON_EXIT(e): {
            (void)coact_send(me.boss, told, .what = 0, .n = e->reason.code,
                             .who = e->from);
        } break;
        }
    }
}

/* ---- The town ------------------------------------------------------------ */

void
town_found(void)
{
    snprintf(town.dir, sizeof(town.dir), "/tmp/coact-town-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(town.dir)); // 0700
    snprintf(town.key, sizeof(town.key), "%s/key", town.dir);
    snprintf(town.other_key, sizeof(town.other_key), "%s/other", town.dir);
    ck_assert_int_eq(coact_key_create(town.key), 0);
    ck_assert_int_eq(coact_key_create(town.other_key), 0);
    for (uint32_t i = 1; i < TOWN_NODES; i++) {
        if (town.address[i][0] == '\0') {
            snprintf(town.address[i], sizeof(town.address[i]), "ipc://%s/%u",
                     town.dir, i);
        }
    }
}

const char *
town_address(uint32_t number)
{
    return town.address[number];
}

void
town_set_address(uint32_t number, const char *address)
{
    snprintf(town.address[number], sizeof(town.address[number]), "%s", address);
}

const char *
town_other_key(void)
{
    return town.other_key;
}

int
town_fork(void (*live)(int place))
{
    int ends[2];
    int place = town.places++;
    pid_t parent = getpid();
    ck_assert_int_eq(pipe(ends), 0);
    pid_t pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid > 0) {
        close(ends[0]);
        town.pid[place] = pid;
        town.go[place] = ends[1];
        return place;
    }
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) {
        _exit(1);
    }
    close(ends[1]);
    for (int i = 0; i < place; i++) {
        close(town.go[i]); // else its reader would never see the end
    }
    town.end = ends[0];
    char byte;
    if (read(town.end, &byte, 1) == 1) {
        live(place);
    }
    exit(0);
}

static void
live_as_peer(int place)
{
    struct coact_runtime *runtime =
        town_start(peers[place].number, NULL, peers[place].known);
    puppet_ref puppet;
    if (coact_spawn_with(puppet, &puppet, puppet_body, NULL, .name = "puppet",
                         .runtime = runtime) != 0) {
        abort();
    }
    town_await_end(place);
    town_stop(runtime);
}

int
town_fork_peer(uint32_t number, uint32_t known)
{
    peers[town.places].number = number;
    peers[town.places].known = known;
    return town_fork(live_as_peer);
}

void
town_go(int place)
{
    ck_assert_int_eq(write(town.go[place], "g", 1), 1);
}

void
town_signal(int place, int signal_number)
{
    town.is_killed[place] |= signal_number == SIGKILL;
    ck_assert_int_eq(kill(town.pid[place], signal_number), 0);
    if (signal_number == SIGKILL) {
        ck_assert_int_eq(waitpid(town.pid[place], NULL, 0), town.pid[place]);
    }
}

/* For processes that are no test: a failure is an exit that the test sees. */
static void
must(int rc, const char *what)
{
    if (rc != 0) {
        fprintf(stderr, "%s: %s\n", what, coact_strerror(rc));
        abort();
    }
}

static void
quiet(void *context, enum coact_log_level level, const char *text)
{
    (void)context;
    (void)level;
    if (getenv("COACT_TEST_LOG") != NULL) {
        fprintf(stderr, "%d %s\n", (int)getpid(), text);
    }
}

static _Atomic unsigned refusals;

static void
note_refusal(void *context, const struct coact_refusal *refusal)
{
    (void)context;
    if (refusal->code == -ECONNREFUSED && refusal->type != 0) {
        atomic_fetch_add(&refusals, 1);
    }
}

unsigned
town_refusals(void)
{
    return atomic_load(&refusals);
}

struct coact_runtime *
town_start(uint32_t number, const char *key, uint32_t known)
{
    struct coact_runtime *runtime = NULL;
    struct coact_runtime_options options = {
        .workers = 2,
        .log = quiet,
        .refused = note_refusal,
        .node = {.number = number,
                 .listen = town.address[number],
                 .heartbeat_ns = unhurried_heartbeat_ns(),
                 .key_file = key != NULL ? key : town.key}};
    must(coact_start(&options, &runtime), "start");
    for (uint32_t i = 1; i <= known; i++) {
        if (i != number) {
            must(coact_node_add(runtime, i, town.address[i]), "add");
        }
    }
    return runtime;
}

void
town_await_end(int place)
{
    char byte;
    (void)place;
    while (read(town.end, &byte, 1) < 0 && errno == EINTR) {
    }
}

void
town_stop(struct coact_runtime *runtime)
{
    must(coact_stop(runtime, SOON), "stop");
    must(coact_free(runtime), "free");
}

static void
close_town(void)
{
    for (int i = 0; i < town.places; i++) {
        close(town.go[i]);
        int status = 0;
        if (!town.is_killed[i]) {
            ck_assert_int_eq(waitpid(town.pid[i], &status, 0), town.pid[i]);
            ck_assert_msg(status == 0, "peer %d ended with %x", i, status);
        }
    }
    unlink(town.key);
    unlink(town.other_key);
    for (uint32_t i = 1; i < TOWN_NODES; i++) {
        unlink(town.address[i] + strlen("ipc://"));
    }
    rmdir(town.dir);
}

static void
conduct_body(boss_self self, void *arg)
{
    (void)arg;
    town.body(self);
}

void
town_conduct(uint32_t known, void (*body)(boss_self self))
{
    boss_ref boss;
    struct coact_reason reason = {0};
    town.runtime = town_start(1, NULL, known);
    town.body = body;
    ck_assert_int_eq(coact_attach(town.runtime), 0);
    ck_assert_int_eq(coact_spawn_with(boss, &boss, conduct_body, NULL,
                                      .stack_bytes = 262144),
                     0);
    ck_assert_int_eq(coact_join(boss.ref, COACT_FOREVER, &reason), 0);
    ck_assert_msg(reason.code == COACT_NORMAL || reason.code == COACT_NOPROC,
                  "the body ended: %s: %s", coact_reason_name(reason.code),
                  reason.text);
    coact_detach();
    ck_assert_int_eq(coact_stop(town.runtime, SOON), 0);
    ck_assert_int_eq(coact_free(town.runtime), 0);
    close_town();
}

struct coact_runtime *
town_runtime(void)
{
    return town.runtime;
}

/* ---- For bodies ---------------------------------------------------------- */

puppet_ref
town_puppet(uint32_t number)
{
    puppet_ref puppet = {.ref = {0}};
    int rc = coact_node_await(number, SOON);
    // It may be up before its puppet is.
    while (rc == 0 && (rc = coact_whereis_at(puppet, number, "puppet", &puppet,
                                             SOON)) == -ENOENT) {
        rc = coact_sleep(coact_in_ms(1));
    }
    ck_assert_msg(rc == 0, "node %u: %s", number, coact_strerror(rc));
    return puppet;
}

struct told
town_tell(boss_self self, puppet_ref puppet, struct order order)
{
    struct told told = {0};
    ck_assert_int_eq(coact__send(puppet.ref, COACT_TYPE(order),
                                 COACT__NUMBER(puppet, order), &order),
                     0);
    COACT_RECEIVE_ONLY(self, SOON, told) {
    case COACT_ON(told, m):
        told = *m;
        break;
    case COACT_ON_TIMEOUT:
        ck_abort_msg("order %u: no word", order.what);
    }
    ck_assert_uint_eq(told.what, order.what);
    return told;
}

puppet_ref
town_another(boss_self self, puppet_ref puppet, bool traps)
{
    struct order order = {.what = TOWN_SPAWN, .n = traps};
    return (puppet_ref){.ref = town_tell(self, puppet, order).who};
}

void
town_expect_down(boss_self self, coact_monitor_id id, int code)
{
    COACT_RECEIVE_ONLY(self, SOON, coact_down, coact_exit) {
    case COACT_ON_DOWN(d): {
        ck_assert_uint_eq(d->monitor.id, id.id);
        ck_assert_msg(d->reason.code == code, "DOWN says %s",
                      coact_reason_name(d->reason.code));
    } break;
    case COACT_ON_EXIT(e): {
        ck_abort_msg("an EXIT, not a DOWN");
    } break;
    case COACT_ON_TIMEOUT:
        ck_abort_msg("no DOWN");
    }
}

void
town_expect_exit(boss_self self, coact_ref from, int code)
{
    COACT_RECEIVE_ONLY(self, SOON, coact_down, coact_exit) {
    case COACT_ON_DOWN(d): {
        ck_abort_msg("a DOWN, not an EXIT");
    } break;
    case COACT_ON_EXIT(e): {
        ck_assert(coact_ref_equal(e->from, from));
        ck_assert_msg(e->reason.code == code, "EXIT says %s",
                      coact_reason_name(e->reason.code));
    } break;
    case COACT_ON_TIMEOUT:
        ck_abort_msg("no EXIT");
    }
}

void
town_expect_nothing(boss_self self, puppet_ref puppet)
{
    (void)town_tell(self, puppet, (struct order){.what = TOWN_COUNT});
    COACT_RECEIVE_ONLY(self, COACT_NOW, coact_down, coact_exit) {
    case COACT_ON_DOWN(d): {
        ck_abort_msg("a DOWN that is one too many");
    } break;
    case COACT_ON_EXIT(e): {
        ck_abort_msg("an EXIT that is one too many");
    } break;
    case COACT_ON_TIMEOUT:
        break;
    }
}

struct coact_runtime_stats
town_stats(void)
{
    struct coact_runtime_stats stats;
    coact_stats(town.runtime, &stats);
    return stats;
}

void
town_until(bool (*is_true)(void *context), void *context)
{
    for (int i = 0; !is_true(context); i++) {
        ck_assert_msg(i < 20000, "what was waited for has not come");
        ck_assert_int_eq(coact_sleep(coact_in_ms(1)), 0);
    }
}

static int
by_value(const void *a, const void *b)
{
    const int64_t *x = a;
    const int64_t *y = b;
    return (*x > *y) - (*x < *y);
}

int64_t
town_median(int64_t *values, size_t count)
{
    qsort(values, count, sizeof(*values), by_value);
    return values[count / 2];
}
