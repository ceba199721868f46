/*
 * supervisor_list.c - the children of one supervisor, and four ways to them.
 *
 * The tables chain through the children, so that binding an address or setting
 * a time never allocates: what a child will need is reserved when it is added,
 * because a restart must not fail for want of a hash bucket.
 *
 * SPDX-License-Identifier: MIT
 */
#include "actors/supervisor_list.h"

#include "runtime/memory.h"

#include <string.h>

/* ---- Tables -------------------------------------------------------------- */

static uint64_t
hash_text(const char *text)
{
    uint64_t hash = UINT64_C(14695981039346656037);
    for (; *text != '\0'; text++) {
        hash = (hash ^ (unsigned char)*text) * UINT64_C(1099511628211);
    }
    return hash ^ (hash >> 29);
}

static uint64_t
hash_ref(coact_ref ref)
{
    uint64_t hash = ((uint64_t)ref.generation << 32 | ref.slot) *
                    UINT64_C(0x9e3779b97f4a7c15);
    return hash ^ (hash >> 32);
}

static struct coact__child **
ref_bucket(const struct coact__list *list, coact_ref ref)
{
    return &list->by_ref[hash_ref(ref) & (list->buckets - 1)];
}

static struct coact__child **
id_bucket(const struct coact__list *list, uint64_t hash)
{
    return &list->by_id[hash & (list->buckets - 1)];
}

static void
enter_ref(struct coact__list *list, struct coact__child *child)
{
    struct coact__child **bucket = ref_bucket(list, child->ref);
    child->next_by_ref = *bucket;
    *bucket = child;
}

static void
enter_id(struct coact__list *list, struct coact__child *child)
{
    struct coact__child **bucket = id_bucket(list, child->id_hash);
    child->next_by_id = *bucket;
    *bucket = child;
}

static void
enter_all_again(struct coact__list *list)
{
    for (struct coact__child *c = list->first; c != NULL; c = c->next) {
        if (!coact_ref_is_none(c->ref)) {
            enter_ref(list, c);
        }
        if (c->plan->spec.id != NULL) {
            enter_id(list, c);
        }
    }
}

static int
reserve_buckets(struct coact__list *list, size_t count)
{
    if (count <= list->buckets) {
        return 0;
    }
    size_t buckets = list->buckets == 0 ? 8 : list->buckets * 2;
    size_t bytes = buckets * sizeof(struct coact__child *);
    struct coact__child **by_ref = coact__alloc_zeroed(bytes);
    struct coact__child **by_id = coact__alloc_zeroed(bytes);
    if (by_ref == NULL || by_id == NULL) {
        coact__free(by_ref);
        coact__free(by_id);
        return -ENOMEM;
    }
    coact__free(list->by_ref);
    coact__free(list->by_id);
    list->by_ref = by_ref;
    list->by_id = by_id;
    list->buckets = buckets;
    enter_all_again(list);
    return 0;
}

static int
reserve_due(struct coact__list *list, size_t count)
{
    if (count <= list->due_room) {
        return 0;
    }
    size_t room = list->due_room == 0 ? 8 : list->due_room * 2;
    struct coact__child **due =
        coact__realloc(list->due, room * sizeof(struct coact__child *));
    if (due == NULL) {
        return -ENOMEM;
    }
    list->due = due;
    list->due_room = room;
    return 0;
}

struct coact__child *
coact__list_by_id(const struct coact__list *list, const char *id)
{
    if (list->buckets == 0) {
        return NULL;
    }
    uint64_t hash = hash_text(id);
    struct coact__child *c = *id_bucket(list, hash);
    while (c != NULL &&
           (c->id_hash != hash || strcmp(c->plan->spec.id, id) != 0)) {
        c = c->next_by_id;
    }
    return c;
}

struct coact__child *
coact__list_by_ref(const struct coact__list *list, coact_ref ref)
{
    if (list->buckets == 0) {
        return NULL;
    }
    struct coact__child *c = *ref_bucket(list, ref);
    while (c != NULL && !coact_ref_equal(c->ref, ref)) {
        c = c->next_by_ref;
    }
    return c;
}

void
coact__list_bind(struct coact__list *list, struct coact__child *child,
                 coact_ref ref)
{
    child->ref = ref;
    enter_ref(list, child);
}

void
coact__list_unbind(struct coact__list *list, struct coact__child *child)
{
    if (coact_ref_is_none(child->ref)) {
        return;
    }
    struct coact__child **at = ref_bucket(list, child->ref);
    while (*at != child) {
        at = &(*at)->next_by_ref;
    }
    *at = child->next_by_ref;
    child->ref = (coact_ref){0};
}

/* ---- The list ------------------------------------------------------------ */

int
coact__list_add(struct coact__list *list, struct coact__child_plan *plan,
                struct coact__child **out)
{
    const char *id = plan->spec.id;
    if (id != NULL && coact__list_by_id(list, id) != NULL) {
        return -EEXIST;
    }
    struct coact__child *child = coact__alloc_zeroed(sizeof(*child));
    if (child == NULL) {
        return -ENOMEM;
    }
    if (reserve_buckets(list, list->count + 1) < 0 ||
        reserve_due(list, list->count + 1) < 0) {
        coact__free(child);
        return -ENOMEM;
    }
    child->plan = coact__child_plan_ref(plan);
    child->order = ++list->next_order;
    child->due_at = COACT__NOT_DUE;
    child->prev = list->last;
    *(list->last != NULL ? &list->last->next : &list->first) = child;
    list->last = child;
    list->count++;
    if (id != NULL) {
        child->id_hash = hash_text(id);
        enter_id(list, child);
    }
    *out = child;
    return 0;
}

void
coact__list_remove(struct coact__list *list, struct coact__child *child)
{
    coact__list_unbind(list, child);
    coact__list_set_due(list, child, COACT_FOREVER);
    if (child->plan->spec.id != NULL) {
        struct coact__child **at = id_bucket(list, child->id_hash);
        while (*at != child) {
            at = &(*at)->next_by_id;
        }
        *at = child->next_by_id;
    }
    *(child->prev != NULL ? &child->prev->next : &list->first) = child->next;
    *(child->next != NULL ? &child->next->prev : &list->last) = child->prev;
    list->count--;
    coact__child_plan_unref(child->plan);
    coact__free(child->ends);
    coact__free(child);
}

void
coact__list_fini(struct coact__list *list)
{
    while (list->first != NULL) {
        coact__list_remove(list, list->first);
    }
    coact__free(list->by_ref);
    coact__free(list->by_id);
    coact__free(list->due);
    *list = (struct coact__list){0};
}

/* ---- What is due --------------------------------------------------------- */

/* Ties go by age, so that the order of what is due is never an accident. */
static bool
is_earlier(const struct coact__child *a, const struct coact__child *b)
{
    if (a->due_ns != b->due_ns) {
        return a->due_ns < b->due_ns;
    }
    return a->order < b->order;
}

static void
put(struct coact__list *list, size_t at, struct coact__child *child)
{
    list->due[at] = child;
    child->due_at = at;
}

static void
sift_up(struct coact__list *list, size_t at, struct coact__child *child)
{
    while (at > 0 && is_earlier(child, list->due[(at - 1) / 2])) {
        put(list, at, list->due[(at - 1) / 2]);
        at = (at - 1) / 2;
    }
    put(list, at, child);
}

static void
sift_down(struct coact__list *list, size_t at, struct coact__child *child)
{
    for (;;) {
        size_t below = 2 * at + 1;
        if (below >= list->due_count) {
            break;
        }
        if (below + 1 < list->due_count &&
            is_earlier(list->due[below + 1], list->due[below])) {
            below++;
        }
        if (!is_earlier(list->due[below], child)) {
            break;
        }
        put(list, at, list->due[below]);
        at = below;
    }
    put(list, at, child);
}

static void
take_out(struct coact__list *list, struct coact__child *child)
{
    size_t at = child->due_at;
    struct coact__child *last = list->due[--list->due_count];
    child->due_at = COACT__NOT_DUE;
    if (last == child) {
        return;
    }
    if (at > 0 && is_earlier(last, list->due[(at - 1) / 2])) {
        sift_up(list, at, last);
    } else {
        sift_down(list, at, last);
    }
}

void
coact__list_set_due(struct coact__list *list, struct coact__child *child,
                    int64_t due_ns)
{
    if (child->due_at != COACT__NOT_DUE) {
        take_out(list, child);
    }
    if (due_ns == COACT_FOREVER) {
        return;
    }
    child->due_ns = due_ns;
    sift_up(list, list->due_count++, child);
}

struct coact__child *
coact__list_first_due(const struct coact__list *list)
{
    return list->due_count > 0 ? list->due[0] : NULL;
}
