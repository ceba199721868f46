/*
 * name.c - names of actors, unique in a runtime.
 *
 * The C library's search tree, under the runtime's lock.  An entry points into
 * its actor's slot; an actor has one name at most, and takes it out of the tree
 * before anyone learns of its end.
 *
 * SPDX-License-Identifier: MIT
 */
#include "actors/life.h"
#include "actors/node.h"
#include "runtime/memory.h"

#include <errno.h>
#include <search.h>
#include <stdio.h>
#include <string.h>

#define NAME_BYTES 255

static int
compare(const void *a, const void *b)
{
    return strcmp(((const struct coact__actor *)a)->name,
                  ((const struct coact__actor *)b)->name);
}

/* Under the lock.  A key is an actor of which only the name is read. */
static struct coact__actor *
// NOLINTNEXTLINE(readability-non-const-parameter): an actor's is not const
find(struct coact_runtime *runtime, char *name)
{
    const struct coact__actor key = {.name = name};
    void *found = tfind(&key, &runtime->names, compare);
    return found != NULL ? *(struct coact__actor *const *)found : NULL;
}

/* Under the lock; the name is taken if this succeeds. */
static int
add(struct coact__actor *actor, char *name)
{
    struct coact_runtime *runtime = coact__runtime_of(actor);
    if (actor->name != NULL || find(runtime, name) != NULL) {
        return -EEXIST;
    }
    actor->name = name;
    if (coact__fails() || tsearch(actor, &runtime->names, compare) == NULL) {
        actor->name = NULL;
        return -ENOMEM;
    }
    return 0;
}

int
coact__name_add(struct coact__actor *actor, const char *name)
{
    if (name[0] == '\0' || strlen(name) > NAME_BYTES) {
        return coact__misuse(coact__runtime_of(actor), -EINVAL, "a name",
                             "it is empty, or longer than %d bytes",
                             NAME_BYTES);
    }
    char *copy = coact__strdup(name);
    if (copy == NULL) {
        return -ENOMEM;
    }
    pthread_mutex_lock(&coact__runtime_of(actor)->lock);
    int rc = add(actor, copy);
    pthread_mutex_unlock(&coact__runtime_of(actor)->lock);
    if (rc < 0) {
        coact__free(copy);
    }
    return rc;
}

void
coact__name_remove(struct coact__actor *actor)
{
    if (actor->name == NULL) {
        return;
    }
    pthread_mutex_lock(&coact__runtime_of(actor)->lock);
    tdelete(actor, &coact__runtime_of(actor)->names, compare);
    char *name = actor->name;
    actor->name = NULL;
    pthread_mutex_unlock(&coact__runtime_of(actor)->lock);
    coact__free(name);
}

int
coact_register(const char *name)
{
    struct coact__actor *actor = coact__actor_or_misuse("coact_register");
    if (actor == NULL) {
        return -EPERM;
    }
    if (name == NULL || name[0] == '\0') {
        return coact__misuse(coact__runtime_of(actor), -EINVAL,
                             "coact_register", "name is empty");
    }
    return coact__name_add(actor, name);
}

int
coact_unregister(const char *name)
{
    struct coact__actor *actor = coact__actor_or_misuse("coact_unregister");
    if (actor == NULL) {
        return -EPERM;
    }
    if (name == NULL || actor->name == NULL || strcmp(name, actor->name) != 0) {
        return -ENOENT;
    }
    coact__name_remove(actor);
    return 0;
}

/* The same messages under the same numbers. */
bool
coact__mailbox_equal(const struct coact_mailbox *a,
                     const struct coact_mailbox *b)
{
    if (a == b) {
        return true;
    }
    if (strcmp(a->name, b->name) != 0 || a->type_count != b->type_count) {
        return false;
    }
    for (uint32_t i = 0; i < a->type_count; i++) {
        if (strcmp(a->types[i]->name, b->types[i]->name) != 0 ||
            a->types[i]->size != b->types[i]->size) {
            return false;
        }
    }
    return true;
}

int
coact__name_find(struct coact_runtime *runtime, const char *name,
                 coact_ref *out, char *mailbox, size_t bytes)
{
    char key[NAME_BYTES + 1];
    if (strlen(name) >= sizeof(key)) {
        return -ENOENT;
    }
    memcpy(key, name, strlen(name) + 1);
    pthread_mutex_lock(&runtime->lock);
    struct coact__actor *actor = find(runtime, key);
    if (actor != NULL) {
        *out = coact__ref_of(actor);
        snprintf(mailbox, bytes, "%s", coact__mailbox_of(actor)->name);
    }
    pthread_mutex_unlock(&runtime->lock);
    return actor != NULL ? 0 : -ENOENT;
}

int
coact__whereis(const struct coact_mailbox *mailbox, const char *name,
               coact_ref *out)
{
    struct coact_runtime *runtime = coact__runtime_here();
    if (runtime == NULL) {
        return coact__misuse(NULL, -EPERM, "coact_whereis",
                             "the thread is neither an actor nor attached");
    }
    char key[NAME_BYTES + 1];
    if (name == NULL || strlen(name) >= sizeof(key)) {
        return -ENOENT;
    }
    memcpy(key, name, strlen(name) + 1);
    pthread_mutex_lock(&runtime->lock);
    struct coact__actor *actor = find(runtime, key);
    int rc = actor == NULL ? -ENOENT : 0;
    if (rc == 0 && mailbox != NULL &&
        !coact__mailbox_equal(mailbox, coact__mailbox_of(actor))) {
        rc = -EINVAL;
    }
    if (rc == 0) {
        *out = coact__ref_of(actor);
    }
    pthread_mutex_unlock(&runtime->lock);
    return rc;
}
