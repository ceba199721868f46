/*
 * supervisor_call.c - the public calls: each makes one request and waits.
 *
 * A request reaches the supervisor like any other message, so the calls work
 * from every actor and every attached thread, and end with their deadline
 * whatever the supervisor is doing.
 *
 * SPDX-License-Identifier: MIT
 */
#include "actors/supervisor_state.h"

#include "actors/isolated.h"
#include "actors/life.h"
#include "runtime/oracle.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

static void
tell(struct coact_reason *why, int code, const char *text)
{
    if (why == NULL) {
        return;
    }
    why->code = code;
    snprintf(why->text, sizeof(why->text), "%s", text);
}

/* Ask, and put the supervisor's own code in the place of success. */
static int
ask(coact_supervisor_ref supervisor, struct coact__sup_request request,
    struct coact__sup_answer *answer, int64_t deadline_ns)
{
    coact__supervisor_ref to = {.ref = supervisor.ref};
    int rc = coact__ask(to.ref, &coact_type_coact__sup_request,
                        COACT__NUMBER(to, coact__sup_request), &request, answer,
                        deadline_ns);
    return rc < 0 ? rc : answer->code;
}

/* ---- The tree ------------------------------------------------------------ */

static int
spawn(struct coact__plan *plan, struct coact_runtime *runtime,
      int64_t deadline_ns, coact_ref *out)
{
    struct coact__sup *sup = NULL;
    int rc = coact__sup_new(plan, runtime, &sup);
    if (rc < 0) {
        return rc;
    }
    sup->is_root = true;
    sup->starter = coact_self();
    sup->build_deadline_ns = deadline_ns;
    struct coact_options options = {
        .label = plan->spec.label,
        .name = plan->spec.name,
        .link = plan->spec.link,
        .trap_exit = true,
        .destroy_arg = coact__sup_free,
    };
    return coact__spawn(&coact__supervisor_coact_mailbox,
                        COACT__BODY(coact__supervisor, coact__sup_body), sup,
                        &options, out);
}

/* The supervisor answers by the deadline itself, naming who was late. */
static int
wait_until_built(coact_supervisor_ref top, struct coact_reason *why)
{
    struct coact__sup_answer answer = {0};
    int rc =
        ask(top, (struct coact__sup_request){.operation = COACT__SUP_DO_BUILD},
            &answer, COACT_FOREVER);
    if (rc == 0) {
        return 0;
    }
    if (rc == answer.code) {
        tell(why, answer.why.code, answer.why.text);
    } else {
        tell(why, rc, coact_strerror(rc));
    }
    // Whoever could not wait for the tree does not want it either.
    if (coact_signal_exit(top.ref, COACT_SHUTDOWN, "") < 0) {
        coact_kill(top.ref);
    }
    return rc;
}

int
coact_supervise(const struct coact_supervisor *spec, int64_t deadline_ns,
                coact_supervisor_ref *out, struct coact_reason *why)
{
    struct coact_runtime *runtime = coact_runtime_here();
    if (runtime == NULL) {
        return coact__misuse(NULL, -EPERM, "coact_supervise",
                             "the thread is neither an actor nor attached");
    }
    if (spec == NULL || out == NULL) {
        return coact__misuse(runtime, -EINVAL, "coact_supervise", "%s is NULL",
                             spec == NULL ? "spec" : "out");
    }
    struct coact__plan *plan = NULL;
    coact_supervisor_ref top;
    int rc = coact__plan_new(spec, runtime, &plan);
    if (rc == 0) {
        rc = spawn(plan, runtime, deadline_ns, &top.ref);
        coact__plan_unref(plan);
    }
    if (rc < 0) {
        tell(why, rc, coact_strerror(rc));
        return rc;
    }
    rc = wait_until_built(top, why);
    if (rc == 0) {
        *out = top;
    }
    return rc;
}

/* Longer than the supervisor takes to find out who was late. */
#define ANSWER_NS COACT_SECONDS(1)

static bool
is_gone(int rc)
{
    return rc == -ESRCH || rc == -EOWNERDEAD || rc == -EPIPE;
}

int
coact_supervisor_stop(coact_supervisor_ref supervisor, int64_t deadline_ns,
                      struct coact_reason *why)
{
    struct coact__sup_answer answer = {0};
    int64_t patience_ns = coact__sup_after(
        deadline_ns > coact_now_ns() ? deadline_ns : coact_now_ns(), ANSWER_NS);
    int rc = ask(supervisor,
                 (struct coact__sup_request){.operation = COACT__SUP_DO_END,
                                             .deadline_ns = deadline_ns},
                 &answer, patience_ns);
    if (rc == 0) {
        rc = coact_join(supervisor.ref, patience_ns, NULL);
    }
    if (is_gone(rc)) {
        return 0;
    }
    if (rc < 0 && rc == answer.code) {
        tell(why, rc, answer.why.text);
    } else if (rc < 0) {
        tell(why, rc, coact_strerror(rc));
    }
    return rc;
}

int
coact_supervisor_whereis(const char *name, coact_supervisor_ref *out)
{
    return coact__whereis(&coact__supervisor_coact_mailbox, name, &out->ref);
}

coact_supervisor_ref
coact_supervisor_of_self(void)
{
    return (coact_supervisor_ref){coact__supervisor_of_self()};
}

int
coact_started(void)
{
    coact_ref self = coact_self();
    if (coact_ref_is_none(self)) {
        return -EPERM;
    }
    coact__supervisor_ref above = {.ref = coact__supervisor_of_self()};
    if (coact_ref_is_none(above.ref)) {
        return 0;
    }
    int rc = coact_send(above, coact__sup_news, .kind = COACT__SUP_NEWS_STARTED,
                        .who = self);
    // It has ended, and so shall we: that is not this call's to say.
    return rc == -ESRCH ? 0 : rc;
}

/* ---- Children ------------------------------------------------------------ */

/* A request about a child that is known by its id. */
static int
about(coact_supervisor_ref supervisor, const char *id,
      struct coact__sup_request request, struct coact__sup_answer *answer,
      int64_t deadline_ns)
{
    if (id == NULL || id[0] == '\0') {
        return -EINVAL;
    }
    request.id = coact_text_copy(id);
    if (request.id.data == NULL) {
        return -ENOMEM;
    }
    return ask(supervisor, request, answer, deadline_ns);
}

int
coact_child_add(coact_supervisor_ref supervisor,
                const struct coact_child *child, int64_t deadline_ns,
                coact_ref *out, struct coact_reason *why)
{
    struct coact_runtime *runtime = coact_runtime_here();
    struct coact__child_plan *plan = NULL;
    struct coact__sup_answer answer = {0};
    if (runtime == NULL) {
        return coact__misuse(NULL, -EPERM, "coact_child_add",
                             "the thread is neither an actor nor attached");
    }
    int rc = coact__child_plan_new(child, runtime, &plan);
    if (rc == 0) {
        rc = ask(supervisor,
                 (struct coact__sup_request){.operation = COACT__SUP_DO_ADD,
                                             .plan = plan},
                 &answer, deadline_ns);
    }
    if (rc == 0 && out != NULL) {
        *out = answer.ref;
    }
    if (rc < 0 && answer.code < 0 && answer.why.text[0] != '\0') {
        tell(why, answer.why.code, answer.why.text);
    } else if (rc < 0) {
        tell(why, rc, coact_strerror(rc));
    }
    return rc;
}

int
coact_child_terminate(coact_supervisor_ref supervisor, const char *id,
                      int64_t deadline_ns)
{
    struct coact__sup_answer answer = {0};
    return about(
        supervisor, id,
        (struct coact__sup_request){.operation = COACT__SUP_DO_TERMINATE},
        &answer, deadline_ns);
}

int
coact_child_terminate_ref(coact_supervisor_ref supervisor, coact_ref child,
                          int64_t deadline_ns)
{
    struct coact__sup_answer answer = {0};
    return ask(supervisor,
               (struct coact__sup_request){.operation = COACT__SUP_DO_TERMINATE,
                                           .ref = child},
               &answer, deadline_ns);
}

int
coact_child_restart(coact_supervisor_ref supervisor, const char *id,
                    int64_t deadline_ns, struct coact_reason *why)
{
    struct coact__sup_answer answer = {0};
    int rc =
        about(supervisor, id,
              (struct coact__sup_request){.operation = COACT__SUP_DO_RESTART},
              &answer, deadline_ns);
    if (rc < 0 && answer.code < 0 && answer.why.text[0] != '\0') {
        tell(why, answer.why.code, answer.why.text);
    } else if (rc < 0) {
        tell(why, rc, coact_strerror(rc));
    }
    return rc;
}

int
coact_child_delete(coact_supervisor_ref supervisor, const char *id,
                   int64_t deadline_ns)
{
    struct coact__sup_answer answer = {0};
    return about(supervisor, id,
                 (struct coact__sup_request){.operation = COACT__SUP_DO_DELETE},
                 &answer, deadline_ns);
}

static int
find_once(coact_supervisor_ref supervisor, const struct coact_mailbox *mailbox,
          const char *id, coact_ref *out, int64_t deadline_ns)
{
    struct coact__sup_answer answer = {0};
    int rc = about(supervisor, id,
                   (struct coact__sup_request){.operation = COACT__SUP_DO_FIND,
                                               .mailbox = mailbox},
                   &answer, deadline_ns);
    *out = answer.ref;
    return rc;
}

/* Let that much time pass, but not more than there is. */
static int
let_pass(int64_t ns, int64_t deadline_ns)
{
    int64_t left_ns = deadline_ns - coact__oracle_now_ns();
    if (left_ns <= 0) {
        return -ETIMEDOUT;
    }
    ns = ns < left_ns ? ns : left_ns;
    if (coact__actor_here() != NULL) {
        return coact_sleep(coact_in_ns(ns));
    }
    const struct timespec time = {.tv_nsec = (long)ns};
    (void)nanosleep(&time, NULL);
    return 0;
}

#define LOOK_AGAIN_NS COACT_MS(1)
#define LOOK_AGAIN_MOST_NS COACT_MS(16)

/* A supervisor hears of the end of an isolated child's process later than who
   talks to that child.  So its answer is checked here, and asked for again
   while it is a body that is gone; not by the supervisor, which hears nothing
   when a link that was down comes up again. */
int
coact__child_find(coact_supervisor_ref supervisor,
                  const struct coact_mailbox *mailbox, const char *id,
                  coact_ref *out, int64_t deadline_ns)
{
    int64_t pause_ns = LOOK_AGAIN_NS;
    for (;;) {
        coact_ref found;
        int rc = find_once(supervisor, mailbox, id, &found, deadline_ns);
        if (rc < 0) {
            return rc;
        }
        rc = coact__isolated_check(found);
        if (rc == 0) {
            *out = found;
        }
        if (rc != -EAGAIN) {
            return rc;
        }
        rc = let_pass(pause_ns, deadline_ns);
        if (rc < 0) {
            return rc;
        }
        pause_ns *= pause_ns < LOOK_AGAIN_MOST_NS ? 2 : 1;
    }
}

int
coact_child_find_supervisor(coact_supervisor_ref supervisor, const char *id,
                            coact_supervisor_ref *out, int64_t deadline_ns)
{
    return coact__child_find(supervisor, NULL, id, &out->ref, deadline_ns);
}

/* ---- Looking ------------------------------------------------------------- */

int
coact_children(coact_supervisor_ref supervisor, int64_t deadline_ns,
               bool (*each)(void *context, const struct coact_child_info *),
               void *context)
{
    struct coact__sup_answer answer = {0};
    int rc = ask(supervisor,
                 (struct coact__sup_request){.operation = COACT__SUP_DO_LIST},
                 &answer, deadline_ns);
    for (size_t i = 0; rc == 0 && i < answer.count; i++) {
        if (!each(context, &answer.list[i])) {
            break;
        }
    }
    coact__sup_answer_clear(&answer);
    return rc;
}

int
coact_supervisor_look(coact_supervisor_ref supervisor, int64_t deadline_ns,
                      struct coact_supervisor_info *out)
{
    struct coact__sup_answer answer = {0};
    int rc = ask(supervisor,
                 (struct coact__sup_request){.operation = COACT__SUP_DO_LOOK},
                 &answer, deadline_ns);
    if (rc == 0) {
        *out = answer.look;
    }
    return rc;
}
