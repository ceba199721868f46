/*
 * outbox.c - batches of short messages, and whose turn it is.
 *
 * A batch is taken as full as it is when the wire can take a frame.  So a quiet
 * link sends each message at once, and a busy one fills its frames, without a
 * timer to wait for more.
 *
 * SPDX-License-Identifier: MIT
 */
#include "runtime/transport/outbox.h"

#include "runtime/memory.h"

#include <string.h>

#define SPARES_MAX 4u

int
coact__outbox_init(struct coact__outbox *box,
                   const struct coact__outbox_limits *limits)
{
    memset(box, 0, sizeof(*box));
    box->limits = *limits;
    box->scratch = coact__alloc(sizeof(*box->scratch));
    return box->scratch != NULL ? 0 : -ENOMEM;
}

void
coact__outbox_fini(struct coact__outbox *box)
{
    coact__outbox_clear(box);
    coact__item_free_all(coact__outbox_bury(box));
    while (box->spare != NULL) {
        struct coact__parcel *batch = box->spare;
        box->spare = batch->next;
        coact__free(batch);
    }
    coact__free(box->scratch);
    box->scratch = NULL;
}

void
coact__outbox_begin(struct coact__outbox *box, uint64_t message_max,
                    uint32_t window)
{
    box->cutting_max = message_max;
    box->cutting_reserve = window / 4;
}

void
coact__outbox_clear(struct coact__outbox *box)
{
    while (box->head != NULL) {
        struct coact__parcel *batch = box->head;
        box->head = batch->next;
        coact__outbox_done(box, batch);
    }
    box->tail = NULL;
    coact__lane_clear(box);
    box->opened = box->taken = 0;
    box->short_bytes = box->long_bytes = 0;
    box->short_refused = false;
    box->long_refused = 0;
}

struct coact__item *
coact__outbox_bury(struct coact__outbox *box)
{
    struct coact__item *list = box->dead;
    box->dead = NULL;
    return list;
}

void
coact__item_free_all(struct coact__item *list)
{
    while (list != NULL) {
        struct coact__item *item = list;
        list = item->next;
        coact__free(item);
    }
}

static void
gather(uint8_t *to, const struct iovec *parts, int count)
{
    for (int i = 0; i < count; i++) {
        if (parts[i].iov_len > 0) {
            memcpy(to, parts[i].iov_base, parts[i].iov_len);
            to += parts[i].iov_len;
        }
    }
}

struct coact__item *
coact__item_new(const struct iovec *parts, int count, size_t len)
{
    struct coact__item *item = coact__alloc(sizeof(*item) + len);
    if (item != NULL) {
        item->next = NULL;
        item->len = len;
        gather(item->bytes, parts, count);
    }
    return item;
}

static struct coact__parcel *
open_batch(struct coact__outbox *box)
{
    struct coact__parcel *batch = box->spare;
    if (batch != NULL) {
        box->spare = batch->next;
        box->spares--;
    } else {
        batch = coact__alloc(sizeof(*batch));
        if (batch == NULL) {
            return NULL;
        }
    }
    batch->next = NULL;
    batch->used = COACT__DATA_PREFIX;
    if (box->tail != NULL) {
        box->tail->next = batch;
    } else {
        box->head = batch;
    }
    box->tail = batch;
    box->opened++;
    return batch;
}

int
coact__outbox_append(struct coact__outbox *box, const struct iovec *parts,
                     int count, size_t len)
{
    size_t cost = COACT__RECORD_HEADER + len;
    struct coact__parcel *batch = box->tail;
    if (batch == NULL || batch->used + cost > COACT__FRAME_PLAIN) {
        batch = open_batch(box);
        if (batch == NULL) {
            return -ENOMEM;
        }
    }
    uint8_t *at = batch->plain + batch->used;
    coact__record_write(at, COACT__RECORD_MESSAGE, len);
    gather(at + COACT__RECORD_HEADER, parts, count);
    batch->used += (uint32_t)cost;
    return 0;
}

static int
queue_in_lane(struct coact__lane *lane, const struct iovec *parts, int count,
              size_t len)
{
    struct coact__item *item = coact__item_new(parts, count, len);
    if (item == NULL) {
        return -ENOMEM;
    }
    coact__lane_queue_item(lane, item);
    return 0;
}

int
coact__outbox_put(struct coact__outbox *box, uint64_t key, bool is_urgent,
                  const struct iovec *parts, int count, size_t len)
{
    size_t cost = COACT__RECORD_HEADER + len;
    size_t room = box->limits.backlog_bytes;
    room += is_urgent ? box->limits.urgent_bytes : 0;
    if (box->short_bytes + cost > room) {
        box->short_refused = box->short_refused || !is_urgent;
        return -EAGAIN;
    }
    struct coact__lane *lane =
        box->lanes > 0 ? coact__lane_find(box, key) : NULL;
    int rc = lane != NULL ? queue_in_lane(lane, parts, count, len)
                          : coact__outbox_append(box, parts, count, len);
    if (rc == 0) {
        box->short_bytes += cost;
        box->messages++;
        box->bytes += len;
    }
    return rc;
}

bool
coact__outbox_has_room(struct coact__outbox *box, size_t len)
{
    if (box->long_bytes == 0 ||
        box->long_bytes + len <= box->limits.long_bytes) {
        return true;
    }
    if (box->long_refused == 0 || len < box->long_refused) {
        box->long_refused = len;
    }
    return false;
}

int
coact__outbox_put_long(struct coact__outbox *box, uint64_t key,
                       struct coact__item *item)
{
    size_t len = item->len; // an item is not ours to read once it is queued
    if (!coact__outbox_has_room(box, len)) {
        return -EAGAIN;
    }
    struct coact__lane *lane = coact__lane_find(box, key);
    if (lane != NULL) {
        coact__lane_queue_item(lane, item);
    } else {
        int rc = coact__lane_open(box, key, item);
        if (rc != 0) {
            return rc;
        }
    }
    box->long_bytes += len;
    box->messages++;
    box->bytes += len;
    return 0;
}

static struct coact__parcel *
take_batch(struct coact__outbox *box)
{
    struct coact__parcel *batch = box->head;
    box->head = batch->next;
    if (box->head == NULL) {
        box->tail = NULL;
    }
    box->taken++;
    box->short_bytes -= batch->used - COACT__DATA_PREFIX;
    return batch;
}

struct coact__parcel *
coact__outbox_take(struct coact__outbox *box, uint64_t credit)
{
    if (box->lanes > 0) {
        coact__lane_release_all(box);
        coact__lane_begin_all(box);
    }
    bool batch_can =
        box->head != NULL && box->head->used - COACT__DATA_PREFIX <= credit;
    bool part_can = box->lanes > 0 && coact__lane_can_cut(box, credit);
    if (part_can && (box->part_is_next || !batch_can)) {
        box->part_is_next = false;
        coact__lane_cut(box, box->scratch);
        return box->scratch;
    }
    box->part_is_next = true;
    return batch_can ? take_batch(box) : NULL;
}

void
coact__outbox_done(struct coact__outbox *box, struct coact__parcel *batch)
{
    if (batch == box->scratch) {
        return;
    }
    if (box->spares >= SPARES_MAX) {
        coact__free(batch);
        return;
    }
    batch->next = box->spare;
    box->spare = batch;
    box->spares++;
}

bool
coact__outbox_is_empty(const struct coact__outbox *box)
{
    return box->head == NULL && box->lanes == 0;
}

bool
coact__outbox_has_room_again(struct coact__outbox *box)
{
    bool again = false;
    if (box->short_refused &&
        box->short_bytes <= box->limits.backlog_bytes / 2) {
        box->short_refused = false;
        again = true;
    }
    if (box->long_refused != 0 &&
        (box->long_bytes == 0 ||
         box->long_bytes + box->long_refused <= box->limits.long_bytes)) {
        box->long_refused = 0;
        again = true;
    }
    return again;
}
