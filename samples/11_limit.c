/*
 * 11_limit.c - four desks, forty clerks, and who is asleep needs no desk.
 *
 * With a rigid limit a clerk keeps the desk while it sleeps, and the others wait
 * for it.  With an elastic one it does not: all forty sleep at the same time, and
 * four at a time work.
 *
 * SPDX-License-Identifier: MIT
 */
#include <coact/actor.h>
#include <coact/limit.h>
#include <coact/runtime.h>

#include <stdio.h>
#include <stdlib.h>

enum { CLERKS = 40, DESKS = 4 };

COACT_SIGNAL(nothing);
COACT_MAILBOX(clerk, nothing);

static void
must(int rc)
{
    if (rc < 0) {
        fprintf(stderr, "%s\n", coact_strerror(rc));
        _Exit(1);
    }
}

static void
clerk_body(clerk_self self, void *arg)
{
    struct coact_limit *desks = arg;
    (void)self;
    must(coact_limit_enter(desks, coact_in_ms(10000)));
    must(coact_sleep(coact_in_ms(20)));
    must(coact_limit_leave(desks));
}

static void
show(const char *what, const struct coact_limit_options *options)
{
    struct coact_limit *desks;
    must(coact_limit_new(options, &desks));
    clerk_ref clerks[CLERKS];
    int64_t start = coact_now_ns();
    for (int i = 0; i < CLERKS; i++) {
        must(coact_spawn(clerk, &clerks[i], clerk_body, desks));
    }
    for (int i = 0; i < CLERKS; i++) {
        must(coact_join(clerks[i].ref, COACT_FOREVER, NULL));
    }
    int64_t took_ns = coact_now_ns() - start;
    struct coact_limit_stats stats;
    coact_stats_of_limit(desks, &stats);
    printf("%s: %lld ms; the longest wait for a desk was %lld ms\n", what,
           (long long)took_ns / 1000000, (long long)stats.longest_ns / 1000000);
    must(coact_limit_free(desks));
}

int
main(void)
{
    struct coact_runtime *runtime;
    must(coact_start(NULL, &runtime));
    must(coact_attach(runtime));
    show("rigid",
         &(const struct coact_limit_options){.most = DESKS, .rigid = true});
    show("elastic", &(const struct coact_limit_options){.most = DESKS});
    coact_detach();
    must(coact_stop(runtime, COACT_FOREVER));
    must(coact_free(runtime));
    return 0;
}
