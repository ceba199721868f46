/*
 * supervisor_ask.c - what others ask of a supervisor.
 *
 * What only looks is answered at once.  What changes the list is put off while
 * the group is being stopped or started, because then the list is what is being
 * walked; while it only waits for its backoff, children may be taken out of it.
 *
 * SPDX-License-Identifier: MIT
 */
#include "actors/supervisor_state.h"

#include "actors/isolated.h"
#include "actors/life.h"
#include "runtime/memory.h"
#include "runtime/oracle.h"

void
coact__sup_request_clear(struct coact__sup_request *request)
{
    coact_text_free(&request->id);
    coact__child_plan_unref(request->plan);
    request->plan = NULL;
}

void
coact__sup_answer_clear(struct coact__sup_answer *answer)
{
    coact__free(answer->list);
    answer->list = NULL;
}

/* ---- Answers ------------------------------------------------------------- */

/* A reply's storage is reserved in the call, so that it can fail only because
   nobody waits any more. */
static void
answer(struct coact__sup_request *request, int code, coact_ref ref,
       const struct coact_reason *why)
{
    struct coact_reason none = {0};
    (void)coact_reply_to(coact__sup_request, request, .code = code, .ref = ref,
                         .why = why != NULL ? *why : none);
}

/* False: the request is not kept. */
static bool
answer_code(struct coact__sup_request *request, int code)
{
    answer(request, code, (coact_ref){0}, NULL);
    return false;
}

void
coact__asks_add(struct coact__asks *asks, struct coact__sup_request *request)
{
    struct coact__sup_request *kept = coact_keep(request);
    kept->next = NULL;
    if (asks->first == NULL) {
        asks->first = kept;
    } else {
        asks->last->next = kept;
    }
    asks->last = kept;
}

static struct coact__sup_request *
pop(struct coact__asks *asks)
{
    struct coact__sup_request *request = asks->first;
    if (request != NULL) {
        asks->first = request->next;
    }
    return request;
}

void
coact__asks_answer(struct coact__asks *asks, int code, coact_ref ref,
                   const struct coact_reason *why)
{
    for (struct coact__sup_request *r = pop(asks); r != NULL; r = pop(asks)) {
        answer(r, code, ref, why);
        coact_release(r);
    }
}

/* Let go of those at the front that nobody waits for any more: one that asks
   again and again for a child that does not come must not fill the memory. */
static void
drop_expired(struct coact__asks *asks)
{
    int64_t now_ns = coact__oracle_now_ns();
    while (asks->first != NULL && coact_deadline_of(asks->first) <= now_ns) {
        coact_release(pop(asks));
    }
}

/* ---- Looking ------------------------------------------------------------- */

static struct coact__child *
named(const struct coact__sup *sup, const struct coact__sup_request *request)
{
    if (request->id.bytes > 0) {
        return coact__list_by_id(&sup->list, request->id.data);
    }
    return coact__list_by_ref(&sup->list,
                              coact__isolated_guardian(request->ref));
}

/* A supervisor's is not told: NULL. */
static bool
is_same_mailbox(const struct coact_mailbox *a, const struct coact_mailbox *b)
{
    return a == b || (a != NULL && b != NULL && coact__mailbox_equal(a, b));
}

static void
find(struct coact__sup *sup, struct coact__sup_request *request)
{
    struct coact__child *child = named(sup, request);
    if (child == NULL) {
        answer_code(request, -ENOENT);
    } else if (!is_same_mailbox(child->plan->spec.mailbox, request->mailbox)) {
        answer_code(request, -EINVAL);
    } else if (child->state == COACT_CHILD_RUNNING) {
        answer(request, 0, coact__sup_address(child), NULL);
    } else if (sup->mode >= COACT__SUP_ENDING) {
        answer_code(request, -ESHUTDOWN);
    } else if (child->state == COACT_CHILD_STOPPED && !child->is_turn_due) {
        answer_code(request, -ESRCH);
    } else {
        drop_expired(&child->finders);
        coact__asks_add(&child->finders, request);
    }
}

static void
list(struct coact__sup *sup, struct coact__sup_request *request)
{
    struct coact_child_info *rows = NULL;
    size_t count = 0;
    int rc = coact__sup_list(sup, &rows, &count);
    if (rc < 0) {
        answer_code(request, rc);
    } else {
        (void)coact_reply_to(coact__sup_request, request, .list = rows,
                             .count = count);
    }
}

static void
look(struct coact__sup *sup, struct coact__sup_request *request)
{
    struct coact_supervisor_info info;
    coact__sup_look(sup, &info);
    (void)coact_reply_to(coact__sup_request, request, .look = info);
}

/* ---- Changing ------------------------------------------------------------ */

/* Add a child to the list, or say why not. */
static int
admit(struct coact__sup *sup, struct coact__child_plan *plan,
      struct coact__child **out)
{
    const struct coact_supervisor *spec = &sup->plan->spec;
    const char *misfit = coact__child_plan_misfit(&plan->spec, spec);
    if (misfit != NULL) {
        coact__sup_log(sup, COACT_LOG_ERROR, "child %s: %s",
                       plan->spec.id != NULL ? plan->spec.id : "(no id)",
                       misfit);
        return -EINVAL;
    }
    if (spec->max_children > 0 && sup->list.count >= spec->max_children) {
        return -EAGAIN;
    }
    int rc = coact__list_add(&sup->list, plan, out);
    if (rc == 0) {
        sup->in_state[COACT_CHILD_STOPPED]++;
        sup->supervisors += plan->supervisor != NULL;
    }
    return rc;
}

static bool
add(struct coact__sup *sup, struct coact__sup_request *request)
{
    struct coact__child *child = NULL;
    int rc = admit(sup, request->plan, &child);
    if (rc < 0) {
        return answer_code(request, rc);
    }
    child->is_new = true;
    coact__asks_add(&child->starters, request);
    coact__sup_start(sup, child);
    return true;
}

static bool
is_to_be_restarted(const struct coact__child *child)
{
    return child->state == COACT_CHILD_WAITING ||
           (child->state == COACT_CHILD_STOPPED && child->is_turn_due);
}

static bool
goes_when_it_stops(const struct coact__sup *sup,
                   const struct coact__child *child)
{
    return child->plan->spec.restart == COACT_TEMPORARY ||
           sup->plan->spec.strategy == COACT_DYNAMIC;
}

static bool
terminate(struct coact__sup *sup, struct coact__sup_request *request)
{
    struct coact__child *child = named(sup, request);
    if (child == NULL) {
        return answer_code(request, -ENOENT);
    }
    if (coact__sup_is_alive(child)) {
        coact__asks_add(&child->stoppers, request);
        // A start that took too long is no failure to cure any more.
        child->is_start_late = false;
        coact__sup_stop(sup, child);
        return true;
    }
    if (!is_to_be_restarted(child)) {
        return answer_code(request, 0);
    }
    child->is_turn_due = false;
    coact__sup_set_state(sup, child, COACT_CHILD_STOPPED,
                         coact__oracle_now_ns());
    coact__asks_answer(&child->finders, -ESRCH, (coact_ref){0}, NULL);
    if (goes_when_it_stops(sup, child)) {
        coact__sup_forget(sup, child);
    }
    return answer_code(request, -EALREADY);
}

/* Why a child can be neither started nor deleted; 0 if it can. */
static int
is_in_use(const struct coact__child *child)
{
    if (child == NULL) {
        return -ENOENT;
    }
    if (coact__sup_is_alive(child)) {
        return -EBUSY;
    }
    return is_to_be_restarted(child) ? -EALREADY : 0;
}

static bool
restart(struct coact__sup *sup, struct coact__sup_request *request)
{
    struct coact__child *child = named(sup, request);
    int rc = is_in_use(child);
    if (rc < 0) {
        return answer_code(request, rc);
    }
    coact__asks_add(&child->starters, request);
    coact__sup_start(sup, child);
    return true;
}

static bool delete (struct coact__sup *sup, struct coact__sup_request *request)
{
    struct coact__child *child = named(sup, request);
    int rc = is_in_use(child);
    if (rc == 0) {
        coact__sup_forget(sup, child);
    }
    return answer_code(request, rc);
}

/* ---- All of them --------------------------------------------------------- */

/* A child on its way back can be told apart even while the group is walked. */
static bool
has_to_wait(const struct coact__sup *sup,
            const struct coact__sup_request *request)
{
    if (sup->phase == COACT__SUP_NONE) {
        return false;
    }
    if (sup->phase != COACT__SUP_DELAY) {
        return true;
    }
    if (request->operation == COACT__SUP_DO_ADD) {
        return true;
    }
    const struct coact__child *child = named(sup, request);
    return request->operation == COACT__SUP_DO_RESTART && child != NULL &&
           child->state == COACT_CHILD_STOPPED && !child->is_turn_due;
}

/* True: the request is on a list, or has been answered and released. */
static bool
change(struct coact__sup *sup, struct coact__sup_request *request)
{
    if (sup->mode >= COACT__SUP_ENDING) {
        return answer_code(request, -ESHUTDOWN);
    }
    if (has_to_wait(sup, request)) {
        drop_expired(&sup->postponed);
        coact__asks_add(&sup->postponed, request);
        return true;
    }
    switch (request->operation) {
    case COACT__SUP_DO_ADD:
        return add(sup, request);
    case COACT__SUP_DO_TERMINATE:
        return terminate(sup, request);
    case COACT__SUP_DO_RESTART:
        return restart(sup, request);
    case COACT__SUP_DO_DELETE:
        return delete (sup, request);
    case COACT__SUP_DO_BUILD:
    case COACT__SUP_DO_END:
    case COACT__SUP_DO_FIND:
    case COACT__SUP_DO_LIST:
    case COACT__SUP_DO_LOOK:
        break;
    }
    return false;
}

void
coact__sup_resume(struct coact__sup *sup)
{
    while (sup->phase == COACT__SUP_NONE && sup->postponed.first != NULL) {
        struct coact__sup_request *request = pop(&sup->postponed);
        if (!change(sup, request)) {
            coact_release(request);
        }
    }
}

void
coact__sup_request(struct coact__sup *sup, struct coact__sup_request *request)
{
    struct coact_reason asked = {.code = COACT_SHUTDOWN};
    switch (request->operation) {
    case COACT__SUP_DO_BUILD:
        coact__asks_add(&sup->builders, request);
        if (sup->mode == COACT__SUP_BUILDING && sup->phase == COACT__SUP_NONE) {
            coact__sup_group_build(sup);
        }
        break;
    case COACT__SUP_DO_END:
        coact__asks_add(&sup->enders, request);
        coact__sup_end(sup, &asked, request->deadline_ns);
        break;
    case COACT__SUP_DO_FIND:
        find(sup, request);
        break;
    case COACT__SUP_DO_LIST:
        list(sup, request);
        break;
    case COACT__SUP_DO_LOOK:
        look(sup, request);
        break;
    case COACT__SUP_DO_ADD:
    case COACT__SUP_DO_TERMINATE:
    case COACT__SUP_DO_RESTART:
    case COACT__SUP_DO_DELETE:
        change(sup, request);
        break;
    }
}
