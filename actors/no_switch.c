/*
 * no_switch.c - regions, and what is said when somebody waits in one.
 *
 * A region's record stands in the frame that opened it, so a region needs no
 * memory and cannot fail.  The records form a list from the innermost outwards.
 * Whoever leaves a frame ends its regions first, as the compiler sees to; one
 * who leaves several at once, by a goto, ends them innermost first.
 *
 * SPDX-License-Identifier: MIT
 */
#include "actors/no_switch.h"

#include "actors/switch_check.h"

#include <stdio.h>
#include <string.h>

#define PATH_BYTES 48
#define FUNCTION_BYTES 32

const char *
coact__path_tail(const char *path)
{
    size_t bytes = strlen(path);
    return bytes > PATH_BYTES ? path + bytes - PATH_BYTES : path;
}

struct coact_no_switch *
coact__no_switch_begin(struct coact_no_switch *region)
{
    struct coact__actor *actor = coact__actor_here();
    region->actor = actor;
    if (actor != NULL) {
        region->outer = actor->region;
        actor->region = region;
        coact__no_switch_update(actor);
    }
    return region;
}

void
coact__no_switch_end(struct coact_no_switch *region)
{
    struct coact__actor *actor = region->actor;
    if (actor != NULL) {
        actor->region = region->outer;
        coact__no_switch_update(actor);
    }
}

void
coact__no_switch_leave_all(struct coact__actor *actor)
{
    actor->region = NULL;
    coact__no_switch_update(actor);
}

void
coact__switch_misused(struct coact__actor *actor, const char *doing)
{
    char region[PATH_BYTES + FUNCTION_BYTES + 64] = "";
    char mutexes[PATH_BYTES + 80] = "";
    if (actor->region != NULL) {
        snprintf(region, sizeof(region),
                 " inside COACT_NO_SWITCH of %s:%d (%.*s)",
                 coact__path_tail(actor->region->file), actor->region->line,
                 FUNCTION_BYTES, actor->region->function);
    }
    if (actor->mutexes_held > 0) {
        char place[PATH_BYTES + 16];
        coact__mutexes_place(actor, place, sizeof(place));
        snprintf(mutexes, sizeof(mutexes),
                 " with %u mutex%s held, locked last at %s",
                 actor->mutexes_held, actor->mutexes_held == 1 ? "" : "es",
                 place);
    }
    actor->no_switch |= COACT__NO_SWITCH_SAID;
    coact__misuse(coact__runtime_of(actor), 0, doing, "it may suspend%s%s",
                  region, mutexes);
}
