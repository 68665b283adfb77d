/* A consumer and a producer of queues, written from docs/ring-layout.md alone. It takes messages from the
   queue to which standard input leads, and sends each, every byte one more, to that of standard output. */
#include "ring.h"
#include <poll.h>
#define SEATS 64
enum { CONSUMER, PRODUCER };

struct peer { uint32_t number; int role, rope; };
struct member {
    byte *memory;
    uint64_t slots, slot_bytes, changes;
    uint32_t number;
    int role, seat, bell, mailbox, came[2];
    struct peer peers[SEATS];
};
static uint64_t *word(struct member *m, uint64_t at) { return (uint64_t *)(m->memory + at); }
static byte *slot_at(struct member *m, uint64_t number) {
    return m->memory + 4864 + number % m->slots * m->slot_bytes;
}
static int exchange(uint64_t *at, uint64_t from, uint64_t to) {
    return __atomic_compare_exchange_n(at, &from, to, 0, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED);
}

static void gone(struct member *m, int seat) {
    close(m->peers[seat].rope);
    m->peers[seat].number = 0;
}
static void open_mailbox(struct member *m) {
    byte note[8];
    int rope;
    while (m->mailbox >= 0) {
        long length = hear(m->mailbox, note, sizeof note, &rope, 1, MSG_DONTWAIT);
        if (length < 0) return;
        if (length == 0) {
            close(m->mailbox);
            m->mailbox = -1;
            return;
        }
        CHECK(length == 8 && note[0] < 2 && note[1] < SEATS);
        struct peer *peer = &m->peers[note[1]];
        if (peer->number) gone(m, note[1]);
        memcpy(&peer->number, note + 4, 4);
        peer->role = note[0];
        peer->rope = rope;
        m->came[peer->role] = 1;
    }
}
/* Who came, and who has left, where anybody has. */
static void refresh(struct member *m) {
    uint64_t changes = __atomic_load_n(word(m, 64), __ATOMIC_ACQUIRE);
    if (changes == m->changes) return;
    m->changes = changes;
    open_mailbox(m);
    for (int seat = 0; seat < SEATS; seat++)
        if (m->peers[seat].number && load(m->memory + 768 + seat * 64) == m->peers[seat].number * UINT64_C(2))
            gone(m, seat);
}
static int others(struct member *m) {
    int count = 0;
    refresh(m);
    for (int seat = 0; seat < SEATS; seat++) count += m->peers[seat].number && m->peers[seat].role != m->role;
    return count || !m->came[!m->role];
}
/* Wakes so many who sleep of the other role, and all who await a descriptor. */
static void wake(struct member *m, int most) {
    uint64_t at = m->role == PRODUCER ? 128 : 256;
    uint64_t armed = 0, *asleep = word(m, at);
    refresh(m);
    if (__atomic_load_n(word(m, at + 8), __ATOMIC_SEQ_CST)) armed = __atomic_exchange_n(word(m, at + 8), 0, __ATOMIC_SEQ_CST);
    for (int seat = 0; seat < SEATS; seat++) {
        uint64_t bit = UINT64_C(1) << seat;
        int due = (armed & bit) != 0;
        if (most > 0 && __atomic_load_n(asleep, __ATOMIC_SEQ_CST) & bit
            && __atomic_fetch_and(asleep, ~bit, __ATOMIC_SEQ_CST) & bit) due = 1, most--;
        if (due && m->peers[seat].number) CHECK(write(m->peers[seat].rope, "", 1) == 1 || errno == EPIPE);
    }
}
/* Sleeps unless `ready`. */
static void rest_at(struct member *m, int (*ready)(struct member *)) {
    struct pollfd fds[SEATS + 2];
    int seats[SEATS], count = 2;
    uint64_t bit = UINT64_C(1) << m->seat, *asleep = word(m, m->role == CONSUMER ? 128 : 256);
    byte rung[64];
    __atomic_fetch_or(asleep, bit, __ATOMIC_SEQ_CST);
    barrier();
    if (!ready(m) && others(m)) {
        fds[0] = (struct pollfd){ m->bell, POLLIN, 0 };
        fds[1] = (struct pollfd){ m->mailbox, POLLIN, 0 };
        for (int seat = 0; seat < SEATS; seat++)
            if (m->peers[seat].number) seats[count - 2] = seat, fds[count++] = (struct pollfd){ m->peers[seat].rope, 0, 0 };
        CHECK(poll(fds, count, -1) > 0);
        if (fds[0].revents & POLLIN) CHECK(read(m->bell, rung, sizeof rung) > 0);
        if (fds[1].revents) open_mailbox(m);
        for (int at = 2; at < count; at++) if (fds[at].revents) gone(m, seats[at - 2]);
    }
    __atomic_fetch_and(asleep, ~bit, __ATOMIC_SEQ_CST);
}

static int is_ready(struct member *m) {
    for (;;) {
        uint64_t at = load(m->memory + 384), now = load(slot_at(m, at));
        if (now == 4 * at + 1) return 1;
        /* It awaits its message, or somebody writes it. */
        if (now == 4 * at || (now & 3) == 2) return 0;
        exchange(word(m, 384), at, at + 1);
    }
}
/* The length, or -1 at the end. */
static long take(struct member *m, byte *bytes, uint64_t most) {
    for (;;) {
        int lives = others(m);
        if (is_ready(m)) {
            uint64_t at = load(m->memory + 384), length;
            byte *slot = slot_at(m, at);
            if (load(slot) != 4 * at + 1) continue;
            length = load(slot + 8);
            CHECK(length <= m->slot_bytes - 16 && length <= most);
            memcpy(bytes, slot + 16, length);
            __atomic_thread_fence(__ATOMIC_ACQUIRE);
            if (!exchange((uint64_t *)slot, 4 * at + 1, 4 * (at + m->slots))) continue;
            exchange(word(m, 384), at, at + 1);
            if (at % (m->slots / 8) == 0) wake(m, SEATS);
            return (long)length;
        }
        if (!lives) return -1;
        wake(m, SEATS);
        rest_at(m, is_ready);
    }
}

static int has_room(struct member *m) {
    for (;;) {
        uint64_t at = load(m->memory + 512), now = load(slot_at(m, at));
        uint64_t number = (now & 3) == 2 ? now >> 2 & ((UINT64_C(1) << 38) - 1) : now >> 2;
        if (now == 4 * at) return 1;
        if (number < at) return 0;
        exchange(word(m, 512), at, at + 1);
    }
}
static int give(struct member *m, const byte *bytes, uint64_t length) {
    CHECK(length <= m->slot_bytes - 16);
    for (;;) {
        if (!others(m)) return 0;
        if (has_room(m)) {
            uint64_t at = load(m->memory + 512), claimed = (uint64_t)m->number << 40 | at << 2 | 2;
            byte *slot = slot_at(m, at);
            if (!exchange((uint64_t *)slot, 4 * at, claimed)) continue;
            exchange(word(m, 512), at, at + 1);
            memcpy(slot + 16, bytes, length);
            store(slot + 8, length);
            CHECK(exchange((uint64_t *)slot, claimed, 4 * at + 1));
            wake(m, 1);
            return 1;
        }
        rest_at(m, has_room);
    }
}

static void join(struct member *m, int socket, int role) {
    byte hello[13] = "ipc-many\x01\0\0\0", heard[64];
    int bell[2], theirs[2];
    CHECK(!pipe2(bell, O_CLOEXEC));
    hello[12] = role;
    say(socket, hello, sizeof hello, &bell[1], 1);
    CHECK(hear(socket, heard, sizeof heard, theirs, 2, 0) >= 20);
    greets(heard, "ipc-many");
    memcpy(&m->number, heard + 12, 4);
    m->role = role;
    m->seat = heard[16];
    m->came[CONSUMER] = heard[17];
    m->came[PRODUCER] = heard[18];
    m->bell = bell[0];
    m->mailbox = theirs[1];
    m->memory = attach_for(theirs[0], QUEUE, PROT_READ | PROT_WRITE);
    m->slots = load32(m->memory);
    m->slot_bytes = load32(m->memory + 4);
    refresh(m);
}
static void leave(struct member *m) {
    uint64_t bit = UINT64_C(1) << m->seat, at = m->role == CONSUMER ? 128 : 256;
    store(m->memory + 768 + m->seat * 64, m->number * UINT64_C(2));
    __atomic_fetch_and(word(m, at), ~bit, __ATOMIC_SEQ_CST);
    __atomic_fetch_add(word(m, 64), 1, __ATOMIC_SEQ_CST);
    wake(m, SEATS);
}

int main(void) {
    static struct member from, to;
    static byte message[1 << 16];
    long length;
    signal(SIGPIPE, SIG_IGN);
    join(&from, 0, CONSUMER);
    join(&to, 1, PRODUCER);
    while ((length = take(&from, message, sizeof message)) >= 0) {
        for (long at = 0; at < length; at++) message[at]++;
        CHECK(give(&to, message, length));
    }
    leave(&to);
    leave(&from);
    return 0;
}
