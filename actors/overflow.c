/*
 * overflow.c - off a stack that is full.
 *
 * Three places, one after another:
 *   the handler     on the signal stack: is it an overflow, and may the stack be
 *                   abandoned?  It takes no lock, allocates nothing, and changes
 *                   nothing but where the thread goes on
 *   leave_stack     on the worker's stack, below the frames of its loop, which
 *                   waits there for the actor: finds a stack for the end
 *   end             on that stack: what coact_fail does, with another reason
 *
 * The stack for the end is another one if there are clean-ups: their arguments
 * may be locals of the frames that are abandoned, and these stay as they are
 * until the last clean-up has run.  Without clean-ups nobody looks there again,
 * and it is the actor's own.
 *
 * What makes it safe is the walk: from the instruction that faulted down to the
 * body each frame must be the user's.  The fault's own place is not enough: a
 * comparison function below qsort is the user's code, with the C library's
 * beneath it.
 *
 * The survey is the process's, so it is static: written once, before there is a
 * handler to read it.
 *
 * SPDX-License-Identifier: MIT
 */
#include "actors/overflow.h"
#include "actors/ending.h"

#include "actors/life.h"
#include "runtime/here.h"
#include "runtime/land.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unwind.h>

/* Above the lowest byte of the stack: how far the stack pointer of an access
   below it can be.  x86-64 may use 128 bytes under the stack pointer; AArch64
   stores up to 512 under it and moves it with the store. */
#define NEAR_BYTES 512u

/* What the walk needs of the signal stack; a stranger's may be small. */
#define ROOM_BYTES 8192u

/* Between the worker's last frame and ours on its stack. */
#define APART_BYTES 512u

static struct coact__land land;

int
coact__overflow_prepare(void)
{
    return COACT__CAN_DIVERT ? coact__land_survey(&land) : -ENOTSUP;
}

/* Where the stack pointer can be when the guard is touched: a probe for a large
   frame moves it by a page, and touches the page's upper end. */
static uintptr_t
lowest_sp(const struct coact__actor *actor)
{
    return (uintptr_t)actor->task.stack.low -
           2 * coact__runtime_of(actor)->scheduler.stacks[0]->guards.page;
}

/* ---- The walk ------------------------------------------------------------ */

struct walk {
    const struct coact__actor *actor;
    uintptr_t fault_pc;
    uintptr_t least_sp; /* of the next frame */
    bool has_begun;     /* the handler's own frames are passed */
    bool in_cleanup;    /* in frames of coact that have called a clean-up */
    bool has_arrived;
    struct coact__overflow_refusal *refusal;
};

static _Unwind_Reason_Code
refuse(struct walk *walk, const char *why, uintptr_t pc)
{
    walk->refusal->why = why;
    walk->refusal->at = (void *)pc;
    return _URC_END_OF_STACK;
}

static _Unwind_Reason_Code
arrive(struct walk *walk)
{
    walk->has_arrived = true;
    return _URC_END_OF_STACK;
}

/* A frame of coact: the one below the body, or one that calls clean-ups; else
   something is half done. */
static _Unwind_Reason_Code
pass_ours(struct walk *walk, uintptr_t function, uintptr_t pc)
{
    if (function == (uintptr_t)coact__actor_run ||
        function == (uintptr_t)coact__server_turn ||
        function == (uintptr_t)coact__server_begin) {
        return arrive(walk);
    }
    if (function == (uintptr_t)coact__call_cleanup) {
        // What lies below an actor that is ending is abandoned anyway.
        walk->in_cleanup = true;
        return walk->actor->stage == COACT__STAGE_ENDING ? arrive(walk)
                                                         : _URC_NO_REASON;
    }
    return walk->in_cleanup
               ? _URC_NO_REASON
               : refuse(walk, "coact itself is in the middle of something", pc);
}

/* Stack pointers grow from frame to frame and stay on the stack; if not, the
   stack is in no state to be walked. */
static bool
is_on_stack(struct walk *walk, uintptr_t sp)
{
    const struct coact__stack *stack = &walk->actor->task.stack;
    bool is_good =
        sp >= walk->least_sp && sp <= (uintptr_t)stack->low + stack->bytes;
    walk->least_sp = sp;
    return is_good;
}

static _Unwind_Reason_Code
visit(struct _Unwind_Context *frame, void *arg)
{
    struct walk *walk = arg;
    int is_exact = 0;
    uintptr_t pc = _Unwind_GetIPInfo(frame, &is_exact);
    if (!walk->has_begun) {
        walk->has_begun = is_exact != 0 && pc == walk->fault_pc;
        if (!walk->has_begun) {
            return _URC_NO_REASON;
        }
    }
    if (!is_on_stack(walk, _Unwind_GetCFA(frame))) {
        return refuse(walk, "the stack cannot be read", pc);
    }
    // Elsewhere pc is where a call returns to, perhaps behind its function.
    uintptr_t at = is_exact != 0 ? pc : pc - 1;
    switch (coact__land_owner(&land, at, (uintptr_t)walk->actor->body)) {
    case COACT__OWNER_USER:
        walk->in_cleanup = false;
        return _URC_NO_REASON;
    case COACT__OWNER_COACT:
        return pass_ours(walk, _Unwind_GetRegionStart(frame), pc);
    case COACT__OWNER_OTHER:
        break;
    }
    return refuse(walk, "code that is not the program's has not finished", pc);
}

static bool
may_abandon(const struct coact__actor *actor, const ucontext_t *context,
            struct coact__overflow_refusal *refusal)
{
    struct walk walk = {.actor = actor,
                        .fault_pc = coact__fault_pc(context),
                        .least_sp = lowest_sp(actor),
                        .refusal = refusal};
    (void)_Unwind_Backtrace(visit, &walk);
    if (!walk.has_arrived && refusal->why == NULL) {
        (void)refuse(&walk, "the stack cannot be read", walk.fault_pc);
    }
    return walk.has_arrived;
}

/* ---- The handler --------------------------------------------------------- */

/* The address is in the guard below the actor's own stack. */
static bool
is_in_its_guard(const struct coact__actor *actor, const void *address)
{
    struct coact__stack stack;
    return actor->task.stack.low != NULL &&
           coact__stacks_owner(coact__runtime_of(actor)
                                   ->scheduler.stacks[actor->task.stack_class],
                               address, &stack) &&
           stack.low == actor->task.stack.low;
}

bool
coact__overflow_is_one(const struct coact__actor *actor,
                       const ucontext_t *context)
{
    uintptr_t sp = coact__fault_sp(context);
    return sp >= lowest_sp(actor) &&
           sp <= (uintptr_t)actor->task.stack.low + NEAR_BYTES;
}

static bool
has_room(const ucontext_t *context)
{
    const stack_t *stack = &context->uc_stack;
    uintptr_t here = (uintptr_t)__builtin_frame_address(0);
    uintptr_t low = (uintptr_t)stack->ss_sp;
    return here > low && here - low < stack->ss_size &&
           here - low >= ROOM_BYTES;
}

static bool
has_overflowed_before(const struct coact__actor *actor)
{
    return actor->extra != NULL && actor->extra->overflowed.low != NULL;
}

static const char *
why_not(const struct coact__actor *actor, const ucontext_t *context)
{
    if (!coact__overflow_is_one(actor, context)) {
        return "it is no overflow";
    }
    if (has_overflowed_before(actor)) {
        return "the actor was ending because of one already";
    }
    if (actor->stage == COACT__STAGE_GONE) {
        return "the actor's end could not be completed";
    }
    return has_room(context) ? NULL : "the signal stack is too small";
}

static void leave_stack(void *arg, uintptr_t pc);

bool
coact__overflow_contain(const struct coact__actor *actor, const siginfo_t *info,
                        ucontext_t *context,
                        struct coact__overflow_refusal *refusal)
{
    *refusal = (struct coact__overflow_refusal){NULL, NULL};
    if (coact__runtime_of(actor)->options.on_stack_overflow !=
            COACT_OVERFLOW_KILL_ACTOR ||
        info->si_code <= 0 || !is_in_its_guard(actor, info->si_addr)) {
        return false;
    }
    refusal->why = why_not(actor, context);
    if (refusal->why != NULL || !may_abandon(actor, context, refusal)) {
        return false;
    }
    struct coact__worker *worker = coact__here()->worker;
    uintptr_t top = (uintptr_t)worker->context.fcontext - APART_BYTES;
    coact__fault_divert(context, top, leave_stack, worker->current,
                        coact__fault_pc(context));
    return true;
}

/* ---- On the worker's stack ----------------------------------------------- */

static void end(void *arg, void *pass);

/* Without a stack for its clean-ups the actor cannot be ended as it was
   promised. */
static void
take_another_stack(struct coact__actor *actor)
{
    struct coact__stack stack;
    const char *reason = "";
    if (coact__stacks_get(
            coact__runtime_of(actor)->scheduler.stacks[actor->task.stack_class],
            &stack, &reason) < 0) {
        coact__log(coact__runtime_of(actor), COACT_LOG_ERROR,
                   "stack overflow of %s, and no stack for its clean-ups: %s",
                   coact__label_of(actor), reason);
        abort();
    }
    actor->extra->overflowed = actor->task.stack;
    actor->task.stack = stack;
}

static void
leave_stack(void *arg, uintptr_t pc)
{
    coact__fault_begin();
    struct coact__actor *actor = arg;
    struct coact__task *task = &actor->task;
    if (actor->extra != NULL && actor->extra->defers != NULL) {
        take_another_stack(actor);
    }
    coact__context_fini(&task->context);
    coact__context_make(&task->context, task->stack.low, task->stack.bytes, end,
                        actor);
    struct coact__context here;
    coact__context_init_thread(&here);
    coact__context_switch_final(&here, &task->context, (void *)pc);
}

/* ---- On the stack for the end -------------------------------------------- */

/* Where it happened, as far as the dynamic symbols tell. */
static void
describe_place(void *pc, char *place, size_t bytes)
{
    Dl_info info;
    if (dladdr(pc, &info) == 0 || info.dli_fname == NULL) {
        snprintf(place, bytes, "%p", pc);
        return;
    }
    const char *slash = strrchr(info.dli_fname, '/');
    const char *module = slash != NULL ? slash + 1 : info.dli_fname;
    bool is_named = info.dli_sname != NULL;
    const void *base = is_named ? info.dli_saddr : info.dli_fbase;
    snprintf(place, bytes, "%s(%s+0x%zx)", module,
             is_named ? info.dli_sname : "",
             (size_t)((const char *)pc - (const char *)base));
}

static void
end(void *arg, void *pass)
{
    struct coact__actor *actor = arg;
    const struct coact__stack *full = has_overflowed_before(actor)
                                          ? &actor->extra->overflowed
                                          : &actor->task.stack;
    char place[96];
    describe_place(pass, place, sizeof(place));
    if (actor->stage != COACT__STAGE_ALIVE) {
        // It has a reason already, and the log of its end will have that one.
        coact__log(coact__runtime_of(actor), COACT_LOG_ERROR,
                   "stack overflow of actor %s, which is ending, stack %u "
                   "bytes, in %s",
                   coact__label_of(actor), full->bytes, place);
    }
    char text[COACT_REASON_TEXT];
    snprintf(text, sizeof(text), "stack %u bytes, in %s", full->bytes, place);
    coact__finish(actor, COACT_STACK_OVERFLOW, text);
}

void
coact__overflow_over(struct coact__actor *actor)
{
    if (has_overflowed_before(actor)) {
        coact__stacks_put(
            coact__runtime_of(actor)->scheduler.stacks[actor->task.stack_class],
            &actor->extra->overflowed);
        actor->extra->overflowed.low = NULL;
    }
}
