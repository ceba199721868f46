/*
 * desk.c - the actor that hands out the work and puts the results together.
 *
 * A counter has up to two lots at a time: the second is there when the first is
 * done, and more would only wait in a process that may die.  The desk watches
 * every counter.  The news of an end comes behind all that the dead one had
 * sent, so what it had and has not finished is handed out again, as another
 * attempt; a result that names neither a lot that its sender has, nor the
 * attempt that this is, is not looked at.
 *
 *   lot: in the supply -> given -> entered in the ledger
 *             ^             |
 *             +--- lost ----+
 *
 * SPDX-License-Identifier: MIT
 */
#include "desk.h"

#include "chaos.h"
#include "crew.h"
#include "progress.h"

#include <coact/actor.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { LOTS_AT_A_TIME = 2, SHOW_MS = 100 };

/* Where a counter sits; the one that is started in its stead gets the same. */
struct seat {
    bool is_taken;
    bool is_doomed; /* we have killed it, and wait for the news */
    counter_ref who;
    coact_monitor_id watch;
    struct victim process;
    struct lot *lots[LOTS_AT_A_TIME];
};

struct desk {
    struct job *job;
    struct supply *supply;
    struct crew *crew;
    struct progress progress;
    struct seat *seats;
    coact_timer_id chaos; /* its ticks are those of nobody else */
    size_t given;         /* lots */
    bool is_dry;          /* the supply had nothing when it was last asked */
};

static struct seat *
end_of_seats(const struct desk *desk)
{
    return desk->seats + desk->job->options->workers;
}

/* ---- Its beginning and end ----------------------------------------------- */

static void
must(int rc, const char *what)
{
    if (rc < 0) {
        coact_fail(rc, "%s: %s", what, coact_strerror(rc));
    }
}

static void
complain(void *context, const char *path, int error)
{
    struct desk *desk = context;
    desk->job->troubles++;
    progress_complain(&desk->progress, path, error);
}

static void
desk_free(void *arg)
{
    struct desk *desk = arg;
    crew_stop(desk->crew);
    progress_end(&desk->progress);
    if (desk->seats != NULL) {
        for (struct seat *s = desk->seats; s < end_of_seats(desk); s++) {
            victim_close(&s->process);
            for (size_t i = 0; i < LOTS_AT_A_TIME; i++) {
                lot_free(s->lots[i]);
            }
        }
    }
    free(desk->seats);
    supply_free(desk->supply);
    free(desk);
}

static void
start_timers(struct desk *desk)
{
    int64_t chaos_ns = COACT_MS(desk->job->options->chaos_ms);
    coact_timer_id show;
    must(
        coact_timer_start(&show, coact_in_ms(SHOW_MS), COACT_MS(SHOW_MS), NULL),
        "timer");
    if (chaos_ns > 0) {
        must(coact_timer_start(&desk->chaos, coact_in_ns(chaos_ns), chaos_ns,
                               NULL),
             "timer");
    }
}

static struct desk *
desk_new(struct job *job)
{
    struct desk *desk = calloc(1, sizeof(*desk));
    must(desk != NULL ? 0 : -ENOMEM, "desk");
    desk->job = job;
    coact_defer(desk_free, desk);
    progress_begin(&desk->progress, job->options->is_quiet, coact_now_ns());
    desk->seats = calloc(job->options->workers, sizeof(*desk->seats));
    must(desk->seats != NULL ? 0 : -ENOMEM, "desk");
    for (struct seat *s = desk->seats; s < end_of_seats(desk); s++) {
        s->process.fd = -1;
    }
    must(supply_new(&desk->supply, job->options->root, complain, desk),
         job->options->root);
    start_timers(desk);
    return desk;
}

/* ---- Counters come and go ------------------------------------------------ */

static void
clear_seat(struct desk *desk, struct seat *seat)
{
    for (size_t i = 0; i < LOTS_AT_A_TIME; i++) {
        if (seat->lots[i] != NULL) {
            supply_return(desk->supply, seat->lots[i]);
            desk->given--;
            desk->is_dry = false;
        }
    }
    victim_close(&seat->process);
    *seat = (struct seat){.process.fd = -1};
}

static void
counter_came(struct desk *desk, const struct hello *hello)
{
    if (hello->number >= desk->job->options->workers) {
        return;
    }
    struct seat *seat = &desk->seats[hello->number];
    if (seat->is_taken) {
        // The one before it is dead, though we have not heard of it.
        (void)coact_demonitor(seat->watch);
        clear_seat(desk, seat);
    }
    seat->is_taken = true;
    seat->who = hello->me;
    seat->process = victim_of(hello->me.ref, hello->pid);
    must(coact_monitor(hello->me.ref, &seat->watch), "monitor");
}

static void
counter_went(struct desk *desk, const struct coact_down *down)
{
    for (struct seat *s = desk->seats; s < end_of_seats(desk); s++) {
        if (s->is_taken && s->watch.id == down->monitor.id) {
            clear_seat(desk, s);
        }
    }
}

static void
kill_one(struct desk *desk)
{
    struct seat *alive[WORKERS_MAX];
    size_t count = 0;
    for (struct seat *s = desk->seats; s < end_of_seats(desk); s++) {
        if (s->is_taken && !s->is_doomed && s->lots[0] != NULL) {
            alive[count++] = s;
        }
    }
    if (count > 0) {
        struct seat *seat = alive[chaos_choose(count)];
        seat->is_doomed = true;
        desk->job->kills += victim_kill(&seat->process);
    }
}

/* ---- Handing out --------------------------------------------------------- */

/* A copy of a lot's files, for a message; NULL if there is no memory. */
static struct portion *
portions_of(const struct lot *lot)
{
    struct portion *portions =
        coact_list_new(lot->file_count, sizeof(*portions));
    for (size_t i = 0; portions != NULL && i < lot->file_count; i++) {
        const struct lot_file *file = &lot->files[i];
        portions[i] = (struct portion){
            .path = coact_bytes_copy(file->path, strlen(file->path) + 1),
            .offset = file->offset,
            .bytes = file->bytes,
            .to_end = file->to_end};
    }
    return portions;
}

/* False: it cannot take it now, or not any more; the lot is back. */
static bool
give(struct desk *desk, struct seat *seat, size_t place, struct lot *lot)
{
    int rc = coact_send(seat->who, work, .lot = lot->number,
                        .attempt = lot->attempt, .is_range = lot->large != NULL,
                        .portions = {portions_of(lot), lot->file_count});
    if (rc < 0) {
        supply_return(desk->supply, lot);
        must(rc == -ENOMEM ? rc : 0, "work");
        return false;
    }
    seat->lots[place] = lot;
    desk->given++;
    return true;
}

/* One more lot for each counter that has room at this place. */
static void
hand_out_one_each(struct desk *desk, size_t place)
{
    for (struct seat *s = desk->seats; s < end_of_seats(desk); s++) {
        struct lot *lot = NULL;
        if (!s->is_taken || s->lots[place] != NULL) {
            continue;
        }
        must(supply_next(desk->supply, &lot), desk->job->options->root);
        desk->is_dry = lot == NULL;
        if (lot == NULL) {
            return;
        }
        (void)give(desk, s, place, lot);
    }
}

static void
hand_out(struct desk *desk)
{
    for (size_t place = 0; place < LOTS_AT_A_TIME; place++) {
        hand_out_one_each(desk, place);
    }
}

/* ---- Results ------------------------------------------------------------- */

/* Where a lot of that sender's is; NULL if it is another attempt's. */
static struct lot **
find_lot(struct desk *desk, coact_ref sender, uint64_t number, uint32_t attempt)
{
    for (struct seat *s = desk->seats; s < end_of_seats(desk); s++) {
        for (size_t i = 0; i < LOTS_AT_A_TIME; i++) {
            const struct lot *lot = s->lots[i];
            if (lot != NULL && coact_ref_equal(s->who.ref, sender) &&
                lot->number == number && lot->attempt == attempt) {
                return &s->lots[i];
            }
        }
    }
    return NULL;
}

static void
stage(struct desk *desk, struct tally *tally)
{
    struct lot **lot =
        find_lot(desk, coact_sender_of(tally), tally->lot, tally->attempt);
    if (lot != NULL) {
        must(ledger_stage(*lot, tally), "tally");
    }
}

static void
enter(struct desk *desk, struct finished *finished)
{
    struct lot **place = find_lot(desk, coact_sender_of(finished),
                                  finished->lot, finished->attempt);
    if (place != NULL) {
        struct lot *lot = *place;
        *place = NULL;
        desk->given--;
        int rc = ledger_enter(&desk->job->ledger, desk->supply, lot, finished,
                              complain, desk);
        supply_done(desk->supply, lot);
        must(rc, "result");
    }
}

/* ---- The loop ------------------------------------------------------------ */

static void
show(struct desk *desk)
{
    const struct ledger *ledger = &desk->job->ledger;
    const struct progress_now now = {ledger->files, ledger->bytes,
                                     desk->job->kills};
    progress_show(&desk->progress, &now, coact_now_ns());
}

static void
tick(struct desk *desk, const struct coact_tick *tick)
{
    if (tick->timer.id == desk->chaos.id) {
        kill_one(desk);
    } else {
        show(desk);
    }
}

static void
surveyed(struct desk *desk, const struct survey *survey)
{
    desk->progress.expected = survey->bytes;
    desk->progress.is_expected_all = survey->is_complete;
}

static void
hire(struct desk *desk, desk_ref self)
{
    struct coact_reason why = {0};
    int rc = crew_start(&desk->crew, desk->job->options, self, &why);
    if (rc == -ECANCELED) {
        coact_exit(COACT_SHUTDOWN);
    }
    if (rc < 0) {
        coact_fail(rc, "the workers do not start: %s: %s",
                   coact_reason_name(why.code), why.text);
    }
}

void
desk_body(desk_self self, void *arg)
{
    struct job *job = arg;
    struct desk *desk = desk_new(job);
    hire(desk, (desk_ref){self.ref});
    while (!desk->is_dry || desk->given > 0) {
        COACT_RECEIVE(self, COACT_FOREVER) {
        case COACT_ON(hello, m):
            counter_came(desk, m);
            break;
        case COACT_ON(finished, m):
            enter(desk, m);
            break;
        case COACT_ON(survey, m):
            surveyed(desk, m);
            break;
        case COACT_ON(tally, m): {
            stage(desk, m);
            coact_reply(m, 0);
        } break;
        case COACT_ON_DOWN(news):
            counter_went(desk, news);
            break;
        case COACT_ON_TICK(t):
            tick(desk, t);
            break;
        }
        hand_out(desk);
    }
    job->restarts = crew_restarts(desk->crew);
}
