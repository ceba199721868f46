/*
 * lane.c - long messages, and those that must wait behind them.
 *
 * A lane's entry is in exactly one queue:
 *
 *   queue     | first is                    | leaves when
 *   waiting   | long, not begun             | the peer has room for all of it
 *   cutting   | long, in turn with others   | its last part is taken
 *   releasing | short, found no memory      | a batch has room again
 *
 * and is freed when nothing of the lane is left.  The peer collects parts in
 * memory of its own, so all that are being cut together are no more than the
 * longest message that it takes.
 *
 * SPDX-License-Identifier: MIT
 */
#include "runtime/transport/outbox.h"

#include "runtime/memory.h"

#include <string.h>

static size_t
bucket_of(uint64_t key)
{
    return (size_t)((key * 0x9e3779b97f4a7c15u) >> 58) % COACT__LANE_BUCKETS;
}

static void
push(struct coact__lane_queue *queue, struct coact__lane *lane)
{
    lane->next = NULL;
    if (queue->tail != NULL) {
        queue->tail->next = lane;
    } else {
        queue->head = lane;
    }
    queue->tail = lane;
}

static struct coact__lane *
pop(struct coact__lane_queue *queue)
{
    struct coact__lane *lane = queue->head;
    if (lane != NULL) {
        queue->head = lane->next;
        if (queue->head == NULL) {
            queue->tail = NULL;
        }
    }
    return lane;
}

struct coact__lane *
coact__lane_find(const struct coact__outbox *box, uint64_t key)
{
    struct coact__lane *lane = box->bucket[bucket_of(key)];
    while (lane != NULL && lane->key != key) {
        lane = lane->chain;
    }
    return lane;
}

void
coact__lane_queue_item(struct coact__lane *lane, struct coact__item *item)
{
    item->next = NULL;
    lane->last->next = item;
    lane->last = item;
}

static void
wait_to_begin(struct coact__outbox *box, struct coact__lane *lane)
{
    lane->is_long = true;
    lane->cut = 0;
    lane->after = box->opened; // O1
    push(&box->waiting, lane);
}

int
coact__lane_open(struct coact__outbox *box, uint64_t key,
                 struct coact__item *item)
{
    struct coact__lane *lane = coact__alloc_zeroed(sizeof(*lane));
    if (lane == NULL) {
        return -ENOMEM;
    }
    struct coact__lane **bucket = &box->bucket[bucket_of(key)];
    lane->key = key;
    lane->first = lane->last = item;
    lane->chain = *bucket;
    *bucket = lane;
    box->lanes++;
    wait_to_begin(box, lane);
    return 0;
}

static void
close_lane(struct coact__outbox *box, struct coact__lane *lane)
{
    struct coact__lane **at = &box->bucket[bucket_of(lane->key)];
    while (*at != lane) {
        at = &(*at)->chain;
    }
    *at = lane->chain;
    box->lanes--;
    coact__free(lane);
}

static void
drop_first(struct coact__outbox *box, struct coact__lane *lane)
{
    struct coact__item *item = lane->first;
    lane->first = item->next;
    item->next = box->dead;
    box->dead = item;
}

/* Let short messages into batches, up to the next long one. */
static void
release(struct coact__outbox *box, struct coact__lane *lane)
{
    while (lane->first != NULL) {
        struct coact__item *item = lane->first;
        if (item->len > COACT__WHOLE_MAX) {
            wait_to_begin(box, lane);
            return;
        }
        struct iovec part = {.iov_base = item->bytes, .iov_len = item->len};
        if (coact__outbox_append(box, &part, 1, item->len) != 0) {
            lane->is_long = false;
            push(&box->releasing, lane);
            return;
        }
        drop_first(box, lane);
    }
    close_lane(box, lane);
}

void
coact__lane_release_all(struct coact__outbox *box)
{
    struct coact__lane_queue stuck = box->releasing;
    box->releasing = (struct coact__lane_queue){NULL, NULL};
    for (struct coact__lane *lane; (lane = pop(&stuck)) != NULL;) {
        release(box, lane);
    }
}

void
coact__lane_begin_all(struct coact__outbox *box)
{
    while (box->waiting.head != NULL &&
           box->cutting_count < COACT__PARTIAL_MAX) {
        size_t len = box->waiting.head->first->len;
        if (box->cutting_count > 0 &&
            box->cutting_bytes + len > box->cutting_max) {
            return;
        }
        struct coact__lane *lane = pop(&box->waiting);
        lane->id = box->next_id++;
        box->cutting_count++;
        box->cutting_bytes += len;
        push(&box->cutting, lane);
    }
}

static size_t
part_header(const struct coact__lane *lane)
{
    return COACT__RECORD_HEADER +
           (lane->cut == 0 ? COACT__FIRST_HEADER : COACT__PART_HEADER);
}

/* The bytes of the next part, without headers. */
static size_t
part_len(const struct coact__lane *lane)
{
    size_t room = COACT__FRAME_PLAIN - COACT__DATA_PREFIX - part_header(lane);
    size_t left = lane->first->len - lane->cut;
    return left < room ? left : room;
}

bool
coact__lane_can_cut(const struct coact__outbox *box, uint64_t credit)
{
    // Only the head is asked.  If O1 holds it back, a batch is due first, and
    // taking that one lets it go on.
    const struct coact__lane *lane = box->cutting.head;
    return lane != NULL && box->taken >= lane->after &&
           part_header(lane) + part_len(lane) + box->cutting_reserve <= credit;
}

static void
end_long(struct coact__outbox *box, struct coact__lane *lane)
{
    box->cutting_count--;
    box->cutting_bytes -= lane->first->len;
    box->long_bytes -= lane->first->len;
    drop_first(box, lane);
    release(box, lane);
}

void
coact__lane_cut(struct coact__outbox *box, struct coact__parcel *into)
{
    struct coact__lane *lane = pop(&box->cutting);
    bool is_first = lane->cut == 0;
    size_t header = part_header(lane);
    size_t len = part_len(lane);
    uint8_t *at = into->plain + COACT__DATA_PREFIX;
    coact__record_write(at, is_first ? COACT__RECORD_FIRST : COACT__RECORD_PART,
                        header - COACT__RECORD_HEADER + len);
    coact__put_u32(at + COACT__RECORD_HEADER, lane->id);
    if (is_first) {
        coact__put_u64(at + COACT__RECORD_HEADER + 4, lane->first->len);
    }
    memcpy(at + header, lane->first->bytes + lane->cut, len);
    into->used = (uint32_t)(COACT__DATA_PREFIX + header + len);
    lane->cut += len;
    if (lane->cut == lane->first->len) {
        end_long(box, lane);
    } else {
        push(&box->cutting, lane);
    }
}

void
coact__lane_clear(struct coact__outbox *box)
{
    for (size_t i = 0; i < COACT__LANE_BUCKETS; i++) {
        while (box->bucket[i] != NULL) {
            struct coact__lane *lane = box->bucket[i];
            while (lane->first != NULL) {
                drop_first(box, lane);
            }
            close_lane(box, lane);
        }
    }
    struct coact__lane_queue none = {NULL, NULL};
    box->waiting = box->cutting = box->releasing = none;
    box->cutting_count = 0;
    box->cutting_bytes = 0;
    box->next_id = 0;
}
