/*
 * delay.c - the delays of roles, and who is told of a missed target.
 *
 * Once a second a look of some worker marks what the histograms hold.  What was
 * recorded since the last mark but one is the last second, or up to two; what
 * was recorded between two marks is judged.
 *
 * The lock is held for the copying of some kilobytes, and while somebody is told.
 * A worker that finds it taken goes on: another does the same.
 *
 * SPDX-License-Identifier: MIT
 */
#include "actors/life.h"
#include "actors/role_internal.h"
#include "runtime/memory.h"
#include "runtime/oracle.h"

#include <errno.h>
#include <string.h>

#define SECOND_NS COACT_SECONDS(1)

struct mark {
    struct coact__histogram_snapshot at;
    int64_t ns;
};

/* Who is told of which role. */
struct told {
    const char *role;
    void (*missed)(void *context, const struct coact_missed *missed);
    void *context;
};

struct coact__role_delays {
    pthread_mutex_t lock;
    _Atomic int64_t next_ns; /* relaxed: a hint; under the lock it is so */
    int64_t start_ns;
    struct told told[COACT__ROLES];
    // Under the lock:
    struct coact__histogram_snapshot scratch;
    struct mark newer[COACT__ROLES], older[COACT__ROLES];
};

int
coact__delays_start(struct coact_runtime *runtime)
{
    struct coact__role_delays *delays = coact__alloc_zeroed(sizeof(*delays));
    if (delays == NULL) {
        return -ENOMEM;
    }
    int rc = coact__fails() ? EAGAIN : pthread_mutex_init(&delays->lock, NULL);
    if (rc != 0) {
        coact__free(delays);
        return -rc;
    }
    int64_t now = coact__oracle_now_ns();
    delays->start_ns = now;
    for (uint32_t i = 0; i < COACT__ROLES; i++) {
        delays->newer[i].ns = delays->older[i].ns = now;
    }
    atomic_init(&delays->next_ns, now + SECOND_NS);
    const struct coact_runtime_options *options = &runtime->options;
    for (uint32_t i = 0; i < options->role_count && i < COACT__ROLES; i++) {
        const struct coact_role_options *role = &options->roles[i];
        delays->told[i] =
            (struct told){role->name, role->missed, role->missed_context};
    }
    runtime->delays = delays;
    return 0;
}

void
coact__delays_free(struct coact_runtime *runtime)
{
    pthread_mutex_destroy(&runtime->delays->lock);
    coact__free(runtime->delays);
}

static struct coact_delay
told_by(const struct coact__histogram_snapshot *at, int64_t span_ns)
{
    return (struct coact_delay){.count = at->count,
                                .p50_ns = coact__histogram_quantile_ns(at, 0.5),
                                .p90_ns = coact__histogram_quantile_ns(at, 0.9),
                                .p99_ns =
                                    coact__histogram_quantile_ns(at, 0.99),
                                .max_ns = at->max_ns,
                                .mean_ns = coact__histogram_mean_ns(at),
                                .span_ns = span_ns};
}

/* Under the lock: into scratch. */
static void
take_picture(struct coact_runtime *runtime, uint32_t role)
{
    memset(&runtime->delays->scratch, 0, sizeof(runtime->delays->scratch));
    coact__delays_add(&runtime->scheduler, role, &runtime->delays->scratch);
}

static void
tell(const struct coact__role_delays *delays, const struct coact_missed *missed)
{
    for (uint32_t i = 0; i < COACT__ROLES; i++) {
        const struct told *told = &delays->told[i];
        if (told->missed != NULL && strcmp(told->role, missed->role) == 0) {
            told->missed(told->context, missed);
        }
    }
}

/* Under the lock: was the last second a good one?  The newer mark is its begin. */
static void
judge(struct coact_runtime *runtime, uint32_t role, int64_t now)
{
    struct coact__role_delays *delays = runtime->delays;
    const struct mark *begin = &delays->newer[role];
    const struct coact__role *what = &runtime->scheduler.roles.of[role];
    take_picture(runtime, role);
    coact__histogram_subtract(&delays->scratch, &begin->at);
    const struct coact_missed missed = {
        .role = what->name,
        .target_ns = what->target_ns,
        .delay = told_by(&delays->scratch, now - begin->ns)};
    if (missed.delay.p99_ns > what->target_ns && what->target_ns != 0) {
        tell(delays, &missed);
    }
}

/* Under the lock. */
static void
mark(struct coact_runtime *runtime, uint32_t role, int64_t now)
{
    struct coact__role_delays *delays = runtime->delays;
    take_picture(runtime, role);
    delays->older[role] = delays->newer[role];
    delays->newer[role].at = delays->scratch;
    delays->newer[role].ns = now;
}

/* Under the lock. */
static void
mark_all(struct coact_runtime *runtime, int64_t now)
{
    for (uint32_t role = 0; role < runtime->scheduler.roles.count; role++) {
        if (coact__roles_is_used(&runtime->scheduler.roles, role)) {
            judge(runtime, role, now);
            mark(runtime, role, now);
        }
    }
    atomic_store_explicit(&runtime->delays->next_ns, now + SECOND_NS,
                          memory_order_relaxed);
}

void
coact__delays_look(struct coact_runtime *runtime, int64_t now)
{
    struct coact__role_delays *delays = runtime->delays;
    if (now < atomic_load_explicit(&delays->next_ns, memory_order_relaxed) ||
        pthread_mutex_trylock(&delays->lock) != 0) {
        return;
    }
    if (now >= atomic_load_explicit(&delays->next_ns, memory_order_relaxed)) {
        mark_all(runtime, now);
    }
    pthread_mutex_unlock(&delays->lock);
}

/* ---- Asked --------------------------------------------------------------- */

int
coact_delay_ever(struct coact_runtime *runtime, coact_role role,
                 struct coact_delay *out)
{
    if (!coact__role_exists(runtime, role)) {
        return -EINVAL;
    }
    struct coact__role_delays *delays = runtime->delays;
    pthread_mutex_lock(&delays->lock);
    take_picture(runtime, role.id - 1U);
    *out = told_by(&delays->scratch, coact__oracle_now_ns() - delays->start_ns);
    pthread_mutex_unlock(&delays->lock);
    return 0;
}

int
coact_delay_recent(struct coact_runtime *runtime, coact_role role,
                   struct coact_delay *out)
{
    if (!coact__role_exists(runtime, role)) {
        return -EINVAL;
    }
    struct coact__role_delays *delays = runtime->delays;
    int64_t now = coact__oracle_now_ns();
    pthread_mutex_lock(&delays->lock);
    const struct mark *older = &delays->older[role.id - 1];
    take_picture(runtime, role.id - 1U);
    coact__histogram_subtract(&delays->scratch, &older->at);
    *out = told_by(&delays->scratch, now - older->ns);
    pthread_mutex_unlock(&delays->lock);
    return 0;
}
