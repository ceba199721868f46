/*
 * node_names.c - finding an actor by its name on another node.
 *
 * A question is a request like any other, to an address that stands for the
 * node.  It is answered where it arrives, by the transport's thread: a look-up
 * under a lock, without an actor.
 *
 * SPDX-License-Identifier: MIT
 */
#include "actors/node_names.h"

#include "actors/cluster.h"
#include "actors/node.h"
#include "mailbox/type.h"

#include <errno.h>
#include <string.h>

struct coact_found {
    coact_ref who;
    int32_t rc;
    coact_text mailbox;
};
struct coact_find {
    coact_text name;
};
COACT_MESSAGE(coact_found, (1, who), (2, rc), (3, mailbox));
COACT_REQUEST(coact_find, coact_found, (1, name));
COACT_MAILBOX(coact_node, coact_find);

const struct coact_mailbox *
coact__node_mailbox(void)
{
    return &coact_node_coact_mailbox;
}

static struct coact_found
look_up(struct coact_runtime *runtime, const char *name)
{
    struct coact_found found = {0};
    char mailbox[128] = "";
    found.rc =
        coact__name_find(runtime, name, &found.who, mailbox, sizeof(mailbox));
    found.mailbox = coact_text_copy(mailbox);
    return found;
}

void
coact__node_question(struct coact_runtime *runtime,
                     struct coact__envelope *envelope)
{
    struct coact_find *question = coact__payload_of(envelope);
    struct coact__envelope *reply =
        envelope->item.kind == COACT__KIND_REQUEST
            ? coact__envelope_new(&runtime->scheduler, COACT__KIND_MESSAGE,
                                  &coact_type_coact_found)
            : NULL;
    if (reply != NULL) {
        struct coact_found found =
            look_up(runtime, coact_text_cstr(question->name));
        memcpy(coact__payload_of(reply), &found, sizeof(found));
        coact__call_answer(runtime, coact__request_of(envelope), reply, 0,
                           NULL);
    }
    coact__envelope_drop(runtime, envelope, -ENOMEM, NULL);
}

int
coact__whereis_at(const struct coact_mailbox *mailbox, uint32_t number,
                  const char *name, coact_ref *out, int64_t deadline_ns)
{
    struct coact_runtime *runtime = coact__runtime_here();
    if (runtime == NULL) {
        return coact__misuse(NULL, -EPERM, "coact_whereis_at",
                             "the thread is neither an actor nor attached");
    }
    if (number == runtime->node) {
        return coact__whereis(mailbox, name, out);
    }
    coact_node_ref there = {.ref = {.node = number, .slot = COACT__NODE_SLOT}};
    int rc =
        coact__node_await(runtime, number, deadline_ns, &there.ref.incarnation);
    if (rc < 0) {
        return rc;
    }
    struct coact_found found = {0};
    rc = coact_ask(there, coact_find, &found, deadline_ns,
                   .name = coact_text_copy(name));
    if (rc == 0) {
        rc = found.rc <= 0 ? found.rc : -EBADMSG;
    }
    if (rc == 0 && mailbox != NULL &&
        strcmp(coact_text_cstr(found.mailbox), mailbox->name) != 0) {
        rc = -EINVAL;
    }
    if (rc == 0) {
        *out = found.who;
    }
    coact_message_destroy(&coact_type_coact_found, &found);
    return rc;
}
