/*
 * isolated.c - from a child's specification to a guardian.
 *
 * All that the process will know is put together here, in the supervisor's
 * actor: the specification is lent only as long as the supervisor lives, and a
 * guardian may have to outlive it.
 *
 * SPDX-License-Identifier: MIT
 */
#include "actors/isolated.h"

#include "actors/guardian.h"
#include "mailbox/codec.h"
#include "runtime/memory.h"
#include "runtime/transport/crypto.h"

#include <errno.h>
#include <string.h>

static const struct coact_body *
find_body(const struct coact_program *program, const struct coact_child *spec)
{
    for (size_t i = 0; i < program->body_count; i++) {
        if (program->bodies[i].body == spec->body &&
            coact__mailbox_equal(program->bodies[i].mailbox, spec->mailbox)) {
            return &program->bodies[i];
        }
    }
    return NULL;
}

static int
check(const struct coact_runtime *runtime, const struct coact_child *spec,
      const struct coact_body **out)
{
    struct coact_runtime *logs = coact__runtime_here();
    const char *id = spec->id != NULL ? spec->id : "(no id)";
    if (runtime->family == NULL) {
        coact__log(logs, COACT_LOG_ERROR,
                   "child %s: a child can be isolated only in a program that "
                   "is run by coact_main",
                   id);
        return -ENOTSUP;
    }
    *out = find_body(coact__family_program(runtime->family), spec);
    if (*out == NULL) {
        coact__log(logs, COACT_LOG_ERROR,
                   "child %s: its body is not in the program's table", id);
        return -ENOENT;
    }
    bool takes = (*out)->arg_type != NULL;
    if (spec->arg != NULL && (!takes || coact_type_id((*out)->arg_type) !=
                                            coact_type_id(spec->arg_type))) {
        coact__log(logs, COACT_LOG_ERROR,
                   "child %s: its argument is a %s, and the program's table "
                   "says %s",
                   id, spec->arg_type->name,
                   takes ? (*out)->arg_type->name : "that it takes none");
        return -EINVAL;
    }
    return 0;
}

static int64_t
grace_ns(const struct coact_child *spec)
{
    return spec->shutdown_ns == COACT_BRUTAL_KILL ? 0 : spec->shutdown_ns;
}

static void
put_spec(struct coact__sentence *sentence, const struct coact_child *spec,
         const struct coact_body *body)
{
    const struct coact_options *options = &spec->options;
    sentence->body = body->name;
    sentence->mailbox = body->mailbox->name;
    sentence->start_ns = spec->start_ns;
    sentence->grace_ns = grace_ns(spec);
    sentence->hang_ns = spec->hang_ns;
    sentence->label = options->label;
    sentence->name = options->name;
    sentence->stack_bytes = options->stack_bytes;
    sentence->mailbox_messages = options->mailbox_messages;
    sentence->overflow = (uint32_t)options->overflow;
    sentence->trap_exit = options->trap_exit;
    sentence->hibernate = (uint32_t)options->hibernate;
    sentence->pinned = options->pinned;
    sentence->wait_init = spec->wait_init;
}

static void
put_runtime(struct coact__sentence *sentence,
            const struct coact_runtime *runtime)
{
    const struct coact_runtime_options *options = &runtime->options;
    const struct coact_program *program =
        coact__family_program(runtime->family);
    sentence->version = COACT__INMATE_VERSION;
    sentence->parent_node = runtime->node;
    sentence->parent_listens = coact__family_listens(runtime->family);
    sentence->listens = "";
    memcpy(sentence->key, coact__family_key(runtime->family),
           sizeof(sentence->key));
    sentence->heartbeat_ns = options->node.heartbeat_ns;
    sentence->program = program->name;
    sentence->workers = options->workers;
    sentence->runtime_stack_bytes = options->stack_bytes;
    sentence->log_level = (uint32_t)options->log_level;
    sentence->abort_on_misuse = options->abort_on_misuse;
    sentence->unguarded_stacks = options->unguarded_stacks;
    sentence->without_crash_report = program->without_crash_report;
}

static int
put_argument(struct coact__sentence *sentence, const struct coact_child *spec,
             uint8_t **out)
{
    if (spec->arg == NULL) {
        return 0;
    }
    size_t room = coact__codec_size(spec->arg_type, spec->arg) + 1;
    uint8_t *bytes = coact__alloc(room);
    if (bytes == NULL) {
        return -ENOMEM;
    }
    ptrdiff_t len = coact__codec_encode(spec->arg_type, spec->arg, bytes, room);
    if (len < 0) {
        coact__free(bytes);
        return (int)len;
    }
    sentence->has_arg = true;
    sentence->arg_type = coact_type_id(spec->arg_type);
    sentence->arg = bytes;
    sentence->arg_bytes = (size_t)len;
    *out = bytes;
    return 0;
}

static int
order_new(struct coact_runtime *runtime, const struct coact_child *spec,
          const struct coact_body *body, struct coact__order **out)
{
    struct coact__sentence sentence = {0};
    uint8_t *argument = NULL;
    put_spec(&sentence, spec, body);
    put_runtime(&sentence, runtime);
    int rc = put_argument(&sentence, spec, &argument);
    if (rc < 0) {
        return rc;
    }
    struct coact__order *order = coact__alloc_zeroed(sizeof(*order));
    if (order != NULL) {
        order->family = runtime->family;
        order->hang_ns = spec->hang_ns;
        order->len = coact__sentence_size(&sentence);
        order->bytes = coact__alloc(order->len);
    }
    if (order != NULL && order->bytes != NULL) {
        coact__sentence_put(&sentence, order->bytes);
        *out = order;
    } else {
        coact__free(order);
        rc = -ENOMEM;
    }
    coact__free(argument);
    coact__crypto_wipe(sentence.key, sizeof(sentence.key));
    return rc;
}

int
coact__spawn_isolated(const struct coact_child *spec, coact_ref *guardian)
{
    struct coact_runtime *runtime = coact__runtime_here();
    const struct coact_body *body = NULL;
    struct coact__order *order = NULL;
    int rc = check(runtime, spec, &body);
    if (rc == 0) {
        rc = coact__family_open(runtime->family);
    }
    if (rc == 0) {
        rc = order_new(runtime, spec, body, &order);
    }
    if (rc < 0) {
        return rc;
    }
    return coact__guardian_spawn(order, spec->options.label, grace_ns(spec),
                                 guardian);
}
