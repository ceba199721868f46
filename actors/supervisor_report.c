/*
 * supervisor_report.c - what a supervisor says of itself: lists, counts, log.
 *
 * Restarts can come by the hundred thousand a second; lines cannot.  A
 * supervisor writes a few in a second, and with the first one after that says
 * how many it held back.  Errors are always written: each is said once.
 *
 * SPDX-License-Identifier: MIT
 */
#include "actors/supervisor_state.h"

#include "actors/life.h"
#include "runtime/memory.h"
#include "runtime/oracle.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define LINES_A_SECOND 20

/* ---- The log ------------------------------------------------------------- */

bool
coact__sup_would_log(struct coact__sup *sup, enum coact_log_level level)
{
    if (!coact__log_wants(&sup->runtime->log, level)) {
        return false;
    }
    if (level >= COACT_LOG_ERROR) {
        return true;
    }
    int64_t second = coact__oracle_now_ns() / 1000000000;
    if (second != sup->log_second) {
        sup->log_second = second;
        sup->log_lines = 0;
    }
    if (sup->log_lines >= LINES_A_SECOND) {
        sup->log_held++;
        return false;
    }
    return true;
}

void
coact__sup_log(struct coact__sup *sup, enum coact_log_level level,
               const char *format, ...)
{
    if (!coact__sup_would_log(sup, level)) {
        return;
    }
    sup->log_lines++;
    char text[400];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    char held[48] = "";
    if (sup->log_held > 0) {
        snprintf(held, sizeof(held), " (%u more lines held back)",
                 sup->log_held);
    }
    sup->log_held = 0;
    coact__log(sup->runtime, level, "supervisor %s: %s%s",
               sup->plan->spec.label, text, held);
}

struct coact__words
coact__sup_words(const struct coact_reason *reason)
{
    struct coact__words words;
    snprintf(words.text, sizeof(words.text), "%.30s%s%.119s",
             coact_reason_name(reason->code),
             reason->text[0] != '\0' ? ": " : "", reason->text);
    return words;
}

const char *
coact__sup_id(const struct coact__child *child)
{
    return child->plan->spec.id != NULL ? child->plan->spec.id : "(no id)";
}

/* ---- The past ------------------------------------------------------------ */

void
coact__sup_remember(struct coact__child *child,
                    const struct coact_reason *reason, int64_t now_ns)
{
    if (child->ends == NULL) {
        child->ends = coact__alloc(COACT_CHILD_ENDS * sizeof(child->ends[0]));
    }
    if (child->ends == NULL) {
        return;
    }
    memmove(&child->ends[1], &child->ends[0],
            (COACT_CHILD_ENDS - 1) * sizeof(child->ends[0]));
    child->ends[0] = (struct coact_child_end){
        .reason = *reason,
        .at_ns = now_ns,
        .lasted_ns = now_ns - child->started_ns,
    };
    if (child->end_count < COACT_CHILD_ENDS) {
        child->end_count++;
    }
}

/* ---- Counts -------------------------------------------------------------- */

void
coact__sup_look(struct coact__sup *sup, struct coact_supervisor_info *out)
{
    const struct coact_supervisor *spec = &sup->plan->spec;
    *out = (struct coact_supervisor_info){
        .strategy = spec->strategy,
        .specs = sup->list.count,
        .supervisors = sup->supervisors,
        .stopped = sup->in_state[COACT_CHILD_STOPPED],
        .starting = sup->in_state[COACT_CHILD_STARTING],
        .running = sup->in_state[COACT_CHILD_RUNNING],
        .stopping = sup->in_state[COACT_CHILD_STOPPING],
        .waiting = sup->in_state[COACT_CHILD_WAITING],
        .restarts = sup->restarts,
        .period_ns = spec->period_ns,
        .intensity = spec->intensity,
        .restarts_left =
            coact__window_left(&sup->window, coact__oracle_now_ns()),
        .is_stopping = sup->mode >= COACT__SUP_ENDING,
    };
    snprintf(out->label, sizeof(out->label), "%s", spec->label);
    if (sup->phase == COACT__SUP_NONE) {
        return;
    }
    for (struct coact__child *c = sup->list.first; c != NULL; c = c->next) {
        bool has_turn = c->state == COACT_CHILD_STOPPED && c->is_turn_due;
        out->stopped -= has_turn;
        out->waiting += has_turn;
    }
}

/* ---- The list ------------------------------------------------------------ */

static size_t
bytes_beside_row(const struct coact__child *child)
{
    const char *id = child->plan->spec.id;
    return child->end_count * sizeof(child->ends[0]) +
           (id != NULL ? strlen(id) + 1 : 0);
}

static struct coact_child_info
describe(const struct coact__sup *sup, const struct coact__child *child)
{
    const struct coact_child *spec = &child->plan->spec;
    struct coact_child_info info = {
        .ref = coact__sup_address(child),
        .state = child->state,
        .restart = spec->restart,
        .is_supervisor = child->plan->supervisor != NULL,
        .is_isolated = spec->isolated,
        .is_significant = spec->significant,
        .restarts = child->starts > 0 ? child->starts - 1 : 0,
        .since_ns = child->since_ns,
        .end_count = child->end_count,
    };
    if (child->state == COACT_CHILD_WAITING) {
        info.next_start_ns = child->due_ns;
    } else if (child->state == COACT_CHILD_STOPPED && child->is_turn_due) {
        info.state = COACT_CHILD_WAITING;
        info.next_start_ns = sup->start_at_ns;
    }
    return info;
}

/* One block: the rows, what has ended, the ids. */
int
coact__sup_list(struct coact__sup *sup, struct coact_child_info **out,
                size_t *count)
{
    size_t bytes = (sup->list.count + 1) * sizeof(struct coact_child_info);
    size_t end_count = 0;
    for (struct coact__child *c = sup->list.first; c != NULL; c = c->next) {
        bytes += bytes_beside_row(c);
        end_count += c->end_count;
    }
    struct coact_child_info *rows = coact__alloc(bytes);
    if (rows == NULL) {
        return -ENOMEM;
    }
    struct coact_child_end *ends = (void *)(rows + sup->list.count + 1);
    char *text = (char *)(ends + end_count);
    struct coact_child_info *row = rows;
    for (struct coact__child *c = sup->list.first; c != NULL; c = c->next) {
        *row = describe(sup, c);
        if (c->end_count > 0) {
            row->ends = memcpy(ends, c->ends, c->end_count * sizeof(*ends));
        }
        ends += c->end_count;
        if (c->plan->spec.id != NULL) {
            size_t id_bytes = strlen(c->plan->spec.id) + 1;
            row->id = memcpy(text, c->plan->spec.id, id_bytes);
            text += id_bytes;
        }
        row++;
    }
    *out = rows;
    *count = sup->list.count;
    return 0;
}
