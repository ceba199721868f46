/*
 * inbox_test.c - the arrivals and the sleep of a task under every interleaving.
 *
 * A task that sleeps waits for the event `scheduled`; whoever is told that he
 * woke it posts there.  A wake-up that is lost shows as a schedule in which
 * nobody can go on, one that comes twice as a second post.
 *
 * SPDX-License-Identifier: MIT
 */
#include "test/interleave/interleave.h"
#include "test/interleave/shim.h"
#include "test/support/suite.h"

#include "runtime/inbox.c"
#include "runtime/task.h"

enum { SENDERS = 4, EACH = 2 };

struct letter {
    _Alignas(16) struct coact__inbox_node node; /* first */
    int from;
    int number;
};

static struct coact__inbox inbox;
static struct letter letters[SENDERS][EACH];
static struct interleave_event scheduled;
static int context; /* stands for what a task leaves behind as it sleeps */
static _Atomic int news;
static int last[SENDERS]; /* number of the last letter of each, or -1 */
static int delivered;
static int refused;

static void
begin(void)
{
    coact__inbox_open(&inbox);
    scheduled = (struct interleave_event){0};
    atomic_init(&news, 0);
    delivered = refused = 0;
    for (int s = 0; s < SENDERS; s++) {
        last[s] = -1;
        for (int i = 0; i < EACH; i++) {
            letters[s][i].from = s;
            letters[s][i].number = i;
        }
    }
}

/* Whoever woke the task may go on with its context, alone. */
static void
schedule(void)
{
    INTERLEAVE_CHECK(scheduled.posts == 0);
    interleave_read(&context);
    interleave_wrote(&context);
    interleave_post(&scheduled);
}

/* True if it slept. */
static bool
sleep_once(enum coact__inbox_flag how)
{
    interleave_wrote(&context);
    if (!coact__inbox_sleep_by_owner(&inbox, how)) {
        return false;
    }
    interleave_wait(&scheduled);
    interleave_read(&context);
    return true;
}

static enum coact__inbox_result
send_letter(int from, int number)
{
    struct letter *l = &letters[from][number];
    interleave_wrote(l);
    // Every second one goes the short way, where that is open.
    enum coact__inbox_result result =
        number % 2 == 0 && coact__inbox_push_quickly(&inbox, &l->node)
            ? COACT__INBOX_PUSHED
            : coact__inbox_push(&inbox, &l->node);
    if (result == COACT__INBOX_WOKEN) {
        schedule();
    }
    if (result == COACT__INBOX_REFUSED) {
        interleave_wrote(l); /* it is still ours */
        refused++;
    }
    return result;
}

static struct coact__inbox_node *
take_in_order(void)
{
    return coact__inbox_turn_round(coact__inbox_take_by_owner(&inbox));
}

static void
read_letters(struct coact__inbox_node *node)
{
    while (node != NULL) {
        const struct letter *l = (const struct letter *)node;
        interleave_read(l);
        INTERLEAVE_CHECK(l->number == last[l->from] + 1);
        last[l->from] = l->number;
        delivered++;
        node = node->next;
    }
}

/* ---- messages wake a listening task ---- */

static void
send_two(int self)
{
    send_letter(self, 0);
    send_letter(self, 1);
}

static void
receive_four(int self)
{
    (void)self;
    while (delivered < 4) {
        struct coact__inbox_node *list = take_in_order();
        if (list != NULL) {
            read_letters(list);
        } else {
            sleep_once(COACT__INBOX_LISTENING);
        }
    }
    INTERLEAVE_CHECK(delivered == 4);
    INTERLEAVE_CHECK(coact__inbox_is_empty(&inbox));
}

START_TEST(inbox_loses_no_wake_up_and_keeps_each_senders_order)
{
    interleave_explore(&(struct interleave_case){
        .name = "inbox: two senders",
        .threads = {{"sender", send_two},
                    {"sender2", send_two},
                    {"receiver", receive_four}},
        .setup = begin,
    });
}
END_TEST

/* ---- a task ends while messages arrive ---- */

static void
receive_one_and_close(int self)
{
    (void)self;
    while (delivered < 1) {
        struct coact__inbox_node *list = take_in_order();
        if (list != NULL) {
            read_letters(list);
        } else {
            sleep_once(COACT__INBOX_LISTENING);
        }
    }
    read_letters(coact__inbox_close_by_owner(&inbox));
    INTERLEAVE_CHECK(coact__inbox_is_empty(&inbox));
}

static void
all_accounted_for(void)
{
    INTERLEAVE_CHECK(delivered + refused == 4);
    INTERLEAVE_CHECK(scheduled.posts == 0);
    INTERLEAVE_CHECK(!coact__inbox_wake_from_any(&inbox));
    INTERLEAVE_CHECK(coact__inbox_push(&inbox, &letters[0][0].node) ==
                     COACT__INBOX_REFUSED);
}

START_TEST(inbox_delivers_or_refuses_every_message_when_it_closes)
{
    interleave_explore(&(struct interleave_case){
        .name = "inbox: close",
        .threads = {{"sender", send_two},
                    {"sender2", send_two},
                    {"receiver", receive_one_and_close}},
        .setup = begin,
        .check = all_accounted_for,
    });
}
END_TEST

/* ---- wake without a node ---- */

static void
tell_and_wake(int self)
{
    (void)self;
    atomic_fetch_add_explicit(&news, 1, memory_order_relaxed);
    if (coact__inbox_wake_from_any(&inbox)) {
        schedule();
    }
}

/* One writer: a plain store is what a reply or a timer makes. */
static void
tell_by_store_and_wake(int self)
{
    (void)self;
    atomic_store_explicit(&news, 1, memory_order_relaxed);
    if (coact__inbox_wake_from_any(&inbox)) {
        schedule();
    }
}

static void
sleep_deaf_until(int enough)
{
    while (atomic_load_explicit(&news, memory_order_relaxed) < enough) {
        sleep_once(COACT__INBOX_DEAF);
    }
}

static void
await_one(int self)
{
    (void)self;
    sleep_deaf_until(1);
}

static void
await_two(int self)
{
    (void)self;
    sleep_deaf_until(2);
}

static void
look_and_await_one(int self)
{
    (void)self;
    for (;;) {
        coact__inbox_look_by_owner(&inbox);
        if (atomic_load_explicit(&news, memory_order_relaxed) > 0) {
            return;
        }
        sleep_once(COACT__INBOX_DEAF);
    }
}

START_TEST(inbox_wake_is_not_lost_when_it_meets_a_look)
{
    interleave_explore(&(struct interleave_case){
        .name = "inbox: look",
        .threads = {{"waker", tell_by_store_and_wake},
                    {"task", look_and_await_one}},
        .setup = begin,
    });
}
END_TEST

START_TEST(inbox_wake_is_not_lost_when_it_meets_the_sleep)
{
    interleave_explore(&(struct interleave_case){
        .name = "inbox: wake",
        .threads = {{"waker", tell_by_store_and_wake}, {"task", await_one}},
        .setup = begin,
    });
}
END_TEST

START_TEST(inbox_has_one_waker_for_each_sleep)
{
    interleave_explore(&(struct interleave_case){
        .name = "inbox: two wakers",
        .threads = {{"waker", tell_and_wake},
                    {"waker2", tell_and_wake},
                    {"task", await_two}},
        .setup = begin,
    });
}
END_TEST

/* ---- deaf: messages do not wake, signals do ---- */

static void
send_to_deaf(int self)
{
    INTERLEAVE_CHECK(send_letter(self, 0) == COACT__INBOX_PUSHED);
    INTERLEAVE_CHECK(send_letter(self, 1) == COACT__INBOX_PUSHED);
}

static void
signal_kill(int self)
{
    struct letter *l = &letters[self][0];
    interleave_wrote(l);
    enum coact__inbox_result result = coact__inbox_signal(&inbox, &l->node);
    INTERLEAVE_CHECK(result != COACT__INBOX_REFUSED);
    if (result == COACT__INBOX_WOKEN) {
        schedule();
    }
}

static void
sleep_deaf_until_killed(int self)
{
    (void)self;
    while (last[1] < 0) {
        struct coact__inbox_node *list = take_in_order();
        if (list != NULL) {
            read_letters(list);
        } else {
            sleep_once(COACT__INBOX_DEAF);
        }
    }
    read_letters(take_in_order());
}

static void
three_arrived_in_the_end(void)
{
    read_letters(take_in_order());
    INTERLEAVE_CHECK(delivered == 3);
}

START_TEST(inbox_signal_wakes_the_deaf_and_a_message_does_not)
{
    interleave_explore(&(struct interleave_case){
        .name = "inbox: deaf",
        .threads = {{"sender", send_to_deaf},
                    {"killer", signal_kill},
                    {"task", sleep_deaf_until_killed}},
        .setup = begin,
        .check = three_arrived_in_the_end,
    });
}
END_TEST

/* ---- a slot is used again ---- */

static int slot; /* stands for what the new owner of a slot writes there */

static void
begin_closed(void)
{
    begin();
    coact__inbox_close_by_owner(&inbox);
}

static void
open_and_listen(int self)
{
    (void)self;
    interleave_wrote(&slot);
    coact__inbox_open(&inbox);
    if (sleep_once(COACT__INBOX_LISTENING)) {
        return;
    }
    INTERLEAVE_CHECK(coact__inbox_take_by_owner(&inbox) != NULL);
}

/* An old address: the slot may be in either of its lives. */
static void
send_to_either_life(int self)
{
    if (send_letter(self, 0) == COACT__INBOX_REFUSED) {
        interleave_post(&scheduled);
    } else {
        interleave_read(&slot);
    }
}

START_TEST(inbox_reopened_shows_a_late_sender_its_new_owner)
{
    interleave_explore(&(struct interleave_case){
        .name = "inbox: reopened",
        .threads = {{"sender", send_to_either_life},
                    {"owner", open_and_listen}},
        .setup = begin_closed,
    });
}
END_TEST

/* ---- a claim, and what is given with it (send.c, task.h) ---- */

static struct coact__task task;

static void
begin_task(void)
{
    begin();
    coact__inbox_open(&task.inbox);
    task.given = NULL;
}

/* As coact__deliver does: the task if it listens, else its inbox. */
static enum coact__inbox_result
deliver(int from, int number)
{
    struct letter *l = &letters[from][number];
    interleave_wrote(l);
    enum coact__inbox_result result = COACT__INBOX_WOKEN;
    if (coact__inbox_claim(&task.inbox)) {
        // The one before was taken, or it would not have listened.
        interleave_read(&task.given);
        INTERLEAVE_CHECK(task.given == NULL);
        l->node.next = NULL;
        interleave_wrote(&task.given);
        task.given = &l->node;
    } else {
        result = coact__inbox_push(&task.inbox, &l->node);
    }
    if (result == COACT__INBOX_WOKEN) {
        schedule();
    }
    return result;
}

static void
deliver_two(int self)
{
    for (int i = 0; i < EACH; i++) {
        INTERLEAVE_CHECK(deliver(self, i) != COACT__INBOX_REFUSED);
    }
}

static void
wake_task_once(int self)
{
    (void)self;
    if (coact__inbox_wake_from_any(&task.inbox)) {
        schedule();
    }
}

/* As coact__worker_settle does. */
static bool
is_asleep(enum coact__inbox_flag how)
{
    return (how == COACT__INBOX_LISTENING &&
            coact__inbox_listen_quickly(&task.inbox)) ||
           coact__inbox_sleep_by_owner(&task.inbox, how);
}

static void
sleep_as_task(enum coact__inbox_flag how)
{
    interleave_wrote(&context);
    if (is_asleep(how)) {
        interleave_wait(&scheduled);
        interleave_read(&context);
    }
}

/* What was given is taken before the next sleep, and comes first: the letters
   of each sender are in order (read_letters). */
static void
take_all(void)
{
    interleave_read(&task.given);
    if (task.given != NULL) {
        interleave_wrote(&task.given);
    }
    struct coact__inbox_node *given;
    struct coact__inbox_node *rest = coact__task_take(&task, &given);
    read_letters(given);
    read_letters(coact__inbox_turn_round(rest));
    INTERLEAVE_CHECK(task.given == NULL);
}

static void
listen_for_four(int self)
{
    (void)self;
    take_all();
    while (delivered < 4) {
        sleep_as_task(COACT__INBOX_LISTENING);
        take_all();
    }
}

static void
four_and_no_more(void)
{
    INTERLEAVE_CHECK(delivered == 4);
    INTERLEAVE_CHECK(task.given == NULL);
    INTERLEAVE_CHECK(coact__inbox_is_empty(&task.inbox));
    INTERLEAVE_CHECK(scheduled.posts == 0);
}

START_TEST(inbox_claim_has_one_winner_and_what_is_given_comes_first)
{
    interleave_explore(&(struct interleave_case){
        .name = "inbox: claim",
        .threads = {{"sender", deliver_two},
                    {"sender2", deliver_two},
                    {"waker", wake_task_once},
                    {"receiver", listen_for_four}},
        .setup = begin_task,
        .check = four_and_no_more,
    });
}
END_TEST

/* A task that is deaf is nobody's to claim: what comes waits in the inbox until
   it listens. */
static void
wake_with_news(int self)
{
    (void)self;
    atomic_store_explicit(&news, 1, memory_order_relaxed);
    if (coact__inbox_wake_from_any(&task.inbox)) {
        INTERLEAVE_CHECK(task.given == NULL);
        schedule();
    }
}

static void
be_deaf_then_listen(int self)
{
    while (atomic_load_explicit(&news, memory_order_relaxed) == 0) {
        sleep_as_task(COACT__INBOX_DEAF);
        INTERLEAVE_CHECK(task.given == NULL);
    }
    listen_for_four(self);
}

START_TEST(inbox_claim_leaves_the_deaf_alone)
{
    interleave_explore(&(struct interleave_case){
        .name = "inbox: claim of the deaf",
        .threads = {{"sender", deliver_two},
                    {"sender2", deliver_two},
                    {"waker", wake_with_news},
                    {"task", be_deaf_then_listen}},
        .setup = begin_task,
        .check = four_and_no_more,
    });
}
END_TEST

/* A task that ends takes what it was given along. */
static void
listen_for_one_and_close(int self)
{
    (void)self;
    while (delivered < 1) {
        take_all();
        if (delivered < 1) {
            sleep_as_task(COACT__INBOX_LISTENING);
        }
    }
    interleave_read(&task.given);
    struct coact__inbox_node *given = task.given;
    read_letters(given);
    task.given = NULL;
    read_letters(coact__inbox_close_by_owner(&task.inbox));
}

static void
deliver_or_keep(int self)
{
    for (int i = 0; i < EACH; i++) {
        refused += deliver(self, i) == COACT__INBOX_REFUSED;
    }
}

static void
four_delivered_or_refused(void)
{
    INTERLEAVE_CHECK(delivered + refused == 4);
    INTERLEAVE_CHECK(task.given == NULL);
    INTERLEAVE_CHECK(!coact__inbox_claim(&task.inbox));
}

START_TEST(inbox_claim_fails_from_the_close_on)
{
    interleave_explore(&(struct interleave_case){
        .name = "inbox: claim and close",
        .threads = {{"sender", deliver_or_keep},
                    {"sender2", deliver_or_keep},
                    {"task", listen_for_one_and_close}},
        .setup = begin_task,
        .check = four_delivered_or_refused,
    });
}
END_TEST

SUITE_MAIN("interleave/inbox",
           inbox_loses_no_wake_up_and_keeps_each_senders_order,
           inbox_delivers_or_refuses_every_message_when_it_closes,
           inbox_wake_is_not_lost_when_it_meets_a_look,
           inbox_wake_is_not_lost_when_it_meets_the_sleep,
           inbox_has_one_waker_for_each_sleep,
           inbox_signal_wakes_the_deaf_and_a_message_does_not,
           inbox_reopened_shows_a_late_sender_its_new_owner,
           inbox_claim_has_one_winner_and_what_is_given_comes_first,
           inbox_claim_leaves_the_deaf_alone,
           inbox_claim_fails_from_the_close_on)
