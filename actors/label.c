/*
 * label.c - what an actor is called in the log, which need not be unique.
 *
 * SPDX-License-Identifier: MIT
 */
#include "actors/life.h"
#include "runtime/memory.h"

#include <errno.h>

const char *
coact__label_of(const struct coact__actor *actor)
{
    return actor->label != NULL ? actor->label : coact__mailbox_of(actor)->name;
}

int
coact_set_label(const char *label)
{
    struct coact__actor *actor = coact__actor_or_misuse("coact_set_label");
    if (actor == NULL) {
        return -EPERM;
    }
    char *copy = label != NULL ? coact__strdup(label) : NULL;
    if (copy == NULL && label != NULL) {
        return -ENOMEM;
    }
    coact__label_replace(actor, copy);
    return 0;
}

void
coact__label_replace(struct coact__actor *actor, char *label)
{
    // The list of actors may be reading the old one.
    pthread_mutex_lock(&coact__runtime_of(actor)->lock);
    char *before = actor->label;
    actor->label = label;
    pthread_mutex_unlock(&coact__runtime_of(actor)->lock);
    coact__free(before);
}
