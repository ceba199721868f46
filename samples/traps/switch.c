/*
 * switch.c - a wait that nobody saw, between two lines that belong together.
 *
 * SPDX-License-Identifier: MIT
 */
#include "samples/traps/traps.h"

#include <coact/mutex.h>
#include <coact/no_switch.h>

#include <stdio.h>
#include <string.h>

enum { TRANSFERS = 10, CENTS = 1000 };

/* All is on one worker: nobody else runs, unless somebody waits. */
static struct {
    int left, right; /* together CENTS */
    bool is_over;
    pthread_mutex_t lock;
    int torn; /* how often somebody else saw that they were not */
    char said[512];
} bank = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* Looks harmless, and lets others run. */
static void
note(void)
{
    must(coact_sleep(coact_in_ms(2)), "sleep");
}

static void
waits_between(void)
{
    bank.left--;
    note();
    bank.right++;
}

static void
waits_in_a_region(void)
{
    COACT_NO_SWITCH
    {
        waits_between();
    }
}

static void
waits_with_a_lock(void)
{
    must(coact_mutex_lock(&bank.lock), "lock");
    waits_between();
    must(coact_mutex_unlock(&bank.lock), "unlock");
}

static void
waits_behind(void)
{
    COACT_NO_SWITCH
    {
        bank.left--;
        bank.right++;
    }
    note();
}

static void
teller_body(worker_self self, void *arg)
{
    (void)self;
    void (*const *transfer)(void) = arg;
    for (int i = 0; i < TRANSFERS; i++) {
        (*transfer)();
    }
    bank.is_over = true;
}

/* Looks every millisecond, and knows of no lock. */
static void
auditor_body(worker_self self, void *arg)
{
    (void)self, (void)arg;
    while (!bank.is_over) {
        bank.torn += bank.left + bank.right != CENTS;
        must(coact_sleep(coact_in_ms(1)), "sleep");
    }
}

static void
keep_line(void *context, enum coact_log_level level, const char *text)
{
    (void)context, (void)level;
    if (strstr(text, "misuse of ") != NULL && bank.said[0] == '\0') {
        snprintf(bank.said, sizeof(bank.said), "%s", text);
    }
}

/* Whether it was seen half done, and told, as it should be. */
static bool
run(const char *what, void (*transfer)(void), bool is_torn, const char *told)
{
    const struct coact_runtime_options options = {
        .workers = 1, .hog_ns = TRAPS_ALONE, .log = keep_line};
    bank.left = CENTS, bank.right = 0, bank.torn = 0;
    bank.is_over = false, bank.said[0] = '\0';
    struct coact_runtime *runtime = begin(&options);
    worker_ref teller, auditor;
    must(coact_spawn_with(worker, &teller, teller_body, &transfer,
                          .label = "teller"),
         "spawn");
    must(coact_spawn(worker, &auditor, auditor_body, NULL), "spawn");
    must(coact_join(teller.ref, COACT_FOREVER, NULL), "join");
    must(coact_join(auditor.ref, COACT_FOREVER, NULL), "join");
    struct coact_runtime_stats stats;
    coact_stats(runtime, &stats);
    finish(runtime);
    printf("  %-44s %6d %8llu\n", what, bank.torn,
           (unsigned long long)stats.misuses);
    if (bank.said[0] != '\0') {
        printf("    %s\n", bank.said);
    }
    bool is_told = stats.misuses > 0 && strstr(bank.said, "sleep") != NULL;
    return (bank.torn > 0) == is_torn &&
           (told == NULL ? stats.misuses == 0
                         : is_told && strstr(bank.said, told) != NULL);
}

static bool
demonstrate(void)
{
    printf("  %-44s %6s %8s\n", "", "torn", "misuses");
    bool is_shown = run("a wait in between", waits_between, true, NULL);
    /* Where each misuse aborts, there would be no more to see. */
    if (!COACT_ABORT_ON_MISUSE) {
        is_shown &= run("the same in COACT_NO_SWITCH", waits_in_a_region, true,
                        "switch.c:");
        is_shown &= run("the same under coact_mutex_lock", waits_with_a_lock,
                        true, "switch.c:");
    }
    return run("the wait comes behind", waits_behind, false, NULL) && is_shown;
}

const struct trap trap_switch = {
    .name = "switch",
    .story = "an actor moves money, and another one counts it, on one worker",
    .demonstrate = demonstrate,
};
