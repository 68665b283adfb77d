/* What the programs here share, written from docs/ring-layout.md alone: regions, messages of one writer, waking. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/membarrier.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>
#ifndef F_SEAL_FUTURE_WRITE
#define F_SEAL_FUTURE_WRITE 0x0010
#endif
#define SENDER UINT64_C(0xc181802cb168532f)
#define RECEIVER UINT64_C(0xdd4bc0541ad55717)
#define BROADCASTER UINT64_C(0xcec0f6aa21da9b6a)
#define QUEUE UINT64_C(0x68fa4f7bdb03b090)
#define SLOTS 8
#define BYTES 4096
#define CHECK(ok) do { if (!(ok)) { fprintf(stderr, "line %d: %s\n", __LINE__, strerror(errno)); exit(1); } } while (0)

typedef unsigned char byte;
static inline uint64_t load(const byte *at) { return __atomic_load_n((const uint64_t *)at, __ATOMIC_ACQUIRE); }
static inline uint32_t load32(const byte *at) { return __atomic_load_n((const uint32_t *)at, __ATOMIC_ACQUIRE); }
static inline void store(byte *at, uint64_t word) { __atomic_store_n((uint64_t *)at, word, __ATOMIC_RELEASE); }
static inline void barrier(void) { __atomic_thread_fence(__ATOMIC_SEQ_CST); }

static inline uint32_t crc32c(const byte *bytes, int count) {
    uint32_t sum = ~UINT32_C(0);
    while (count--) {
        sum ^= *bytes++;
        for (int bit = 0; bit < 8; bit++) sum = sum >> 1 ^ (sum & 1 ? UINT32_C(0x82f63b78) : 0);
    }
    return ~sum;
}
static inline void put(byte *at, uint64_t number, int size) {
    uint32_t half = (uint32_t)number;
    uint16_t quarter = (uint16_t)number;
    memcpy(at, size == 8 ? (void *)&number : size == 4 ? (void *)&half : (void *)&quarter, size);
}
/* A region of our own, and the descriptor for the other side. */
static inline byte *make(uint64_t layout, uint64_t size, int *given) {
    char path[64];
    byte *all;
    int fd = memfd_create("ring", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    CHECK(fd >= 0 && !fallocate(fd, 0, 0, 4096 + size));
    all = mmap(NULL, 4096 + size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    CHECK(all != MAP_FAILED);
    memcpy(all, "ipc-shm", 8);
    put(all + 8, 0x01020304, 4);
    put(all + 12, 2, 2);
    put(all + 16, size, 8);
    put(all + 24, size, 8);
    put(all + 32, layout, 8);
    put(all + 48, 4096, 4);
    put(all + 60, crc32c(all, 60), 4);
    if (layout != RECEIVER) {
        put(all + 4096 + 20, SLOTS, 4);
        put(all + 4096 + 24, BYTES, 8);
    }
    CHECK(!fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_FUTURE_WRITE));
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    *given = open(path, O_RDONLY | O_CLOEXEC);
    CHECK(*given >= 0);
    close(fd);
    return all + 4096;
}
static inline byte *attach_for(int fd, uint64_t layout, int protection) {
    byte header[64];
    uint64_t size, found;
    byte *all;
    CHECK((fcntl(fd, F_GET_SEALS) & (F_SEAL_SHRINK | F_SEAL_GROW)) == (F_SEAL_SHRINK | F_SEAL_GROW));
    CHECK(pread(fd, header, 64, 0) == 64 && !memcmp(header, "ipc-shm", 8));
    memcpy(&size, header + 16, 8);
    memcpy(&found, header + 32, 8);
    CHECK(found == layout && header[14] == 0);
    all = mmap(NULL, 4096 + size, protection, MAP_SHARED, fd, 0);
    CHECK(all != MAP_FAILED);
    close(fd);
    return all + 4096;
}
static inline const byte *attach(int fd, uint64_t layout) { return attach_for(fd, layout, PROT_READ); }

/* A packet with its descriptors, which are closed here. */
static inline void say(int socket, byte *bytes, size_t length, int *fds, int count) {
    union { struct cmsghdr align; byte bytes[CMSG_SPACE(4 * sizeof(int))]; } control;
    struct iovec part = { bytes, length };
    struct msghdr packet;
    struct cmsghdr *head;
    memset(&packet, 0, sizeof packet);
    packet.msg_iov = &part;
    packet.msg_iovlen = 1;
    packet.msg_control = control.bytes;
    packet.msg_controllen = CMSG_SPACE(count * sizeof(int));
    head = CMSG_FIRSTHDR(&packet);
    head->cmsg_level = SOL_SOCKET;
    head->cmsg_type = SCM_RIGHTS;
    head->cmsg_len = CMSG_LEN(count * sizeof(int));
    memcpy(CMSG_DATA(head), fds, count * sizeof(int));
    CHECK(sendmsg(socket, &packet, 0) == (ssize_t)length);
    for (int at = 0; at < count; at++) close(fds[at]);
}
/* The packet that comes, which has so many descriptors; its length, 0 at the end, -1 where there is none. */
static inline long hear(int socket, byte *bytes, size_t most, int *fds, int count, int flags) {
    union { struct cmsghdr align; byte bytes[CMSG_SPACE(4 * sizeof(int))]; } control;
    struct iovec part = { bytes, most };
    struct msghdr packet;
    struct cmsghdr *head;
    long length;
    memset(&packet, 0, sizeof packet);
    packet.msg_iov = &part;
    packet.msg_iovlen = 1;
    packet.msg_control = control.bytes;
    packet.msg_controllen = sizeof control.bytes;
    length = recvmsg(socket, &packet, MSG_CMSG_CLOEXEC | flags);
    if (length <= 0) return length;
    head = CMSG_FIRSTHDR(&packet);
    CHECK(head && head->cmsg_len == CMSG_LEN(count * sizeof(int)));
    memcpy(fds, CMSG_DATA(head), count * sizeof(int));
    return length;
}
static inline void greets(const byte *heard, const char *name) {
    CHECK(!memcmp(heard, name, 8) && !memcmp(heard + 8, "\x01\0\0\0", 4));
}

/* One side's link to the other: as ring-layout.md says under Waking. */
struct link { byte *own; const byte *theirs; int bell, rope; uint64_t parked, rung; };
static inline void published(struct link *link) {
    uint64_t parked;
    barrier();
    parked = load(link->theirs);
    if (parked % 2 && parked != link->rung) {
        link->rung = parked;
        CHECK(write(link->rope, "", 1) == 1 || errno == EPIPE);
    }
}
/* Sleeps unless `ready`; false at the end of the other side. */
static inline int rest(struct link *link, int (*ready)(void *), void *of) {
    byte rung[64];
    long count = 1;
    store(link->own, link->parked += 1);
    barrier();
    if (load32(link->theirs + 16)) syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL_EXPEDITED, 0, 0);
    if (!ready(of)) count = read(link->bell, rung, sizeof rung);
    store(link->own, link->parked += 1);
    return count > 0;
}

struct sender { struct link link; int casts; uint64_t sent, end, ends[SLOTS], want; };
static inline int room(void *of) {
    struct sender *tx = of;
    uint64_t taken = load(tx->link.theirs + 64);
    CHECK(taken <= tx->sent && tx->sent - taken <= SLOTS);
    if (tx->sent == taken) return 1;
    return tx->sent - taken < SLOTS
        && tx->want - (taken ? tx->ends[(taken - 1) % SLOTS] : 0) <= BYTES;
}
static inline int put_message(struct sender *tx, const byte *bytes, uint64_t length) {
    byte *slot = tx->link.own + 128 + tx->sent % SLOTS * 128, *at = slot + 8;
    uint64_t start = (tx->end + 63) / 64 * 64;
    tx->want = tx->end;
    if (length > 120) {
        if (start % BYTES + length > BYTES) start = (start / BYTES + 1) * BYTES;
        at = tx->link.own + 128 + SLOTS * 128 + start % BYTES;
        tx->want = start + length;
    }
    while (!room(tx)) if (!rest(&tx->link, room, tx)) return 0;
    if (tx->casts && length > 120) put(slot + 8, start, 8);
    memcpy(at, bytes, length);
    tx->end = tx->ends[tx->sent % SLOTS] = tx->want;
    tx->sent++;
    store(slot, tx->sent << 32 | length);
    published(&tx->link);
    return 1;
}

struct receiver { struct link link; int casts; uint64_t taken, end, slots, bytes; };
static inline const byte *slot_of(struct receiver *rx) { return rx->link.theirs + 128 + rx->taken % rx->slots * 128; }
static inline int arrived(void *of) {
    struct receiver *rx = of;
    return load(slot_of(rx)) >> 32 == (uint32_t)(rx->taken + 1) || load32(rx->link.theirs + 8);
}
/* The length, or -1 behind the last message. */
static inline long take_message(struct receiver *rx, byte *bytes, uint64_t most) {
    const byte *slot = slot_of(rx), *at = slot + 8;
    uint64_t word, length, start = (rx->end + 63) / 64 * 64;
    int lives = 1;
    for (;;) {
        int closed = load32(rx->link.theirs + 8);
        word = load(slot);
        if (word >> 32 == (uint32_t)(rx->taken + 1)) break;
        if (closed || !lives) return -1;
        lives = rest(&rx->link, arrived, rx);
    }
    length = word & 0x7fffffff;
    CHECK(length <= most && (length <= 120 || length <= rx->bytes));
    if (length > 120 && rx->casts) start = load(slot + 8);
    if (length > 120) {
        CHECK(start % 64 == 0);
        if (start % rx->bytes + length > rx->bytes) start = (start / rx->bytes + 1) * rx->bytes;
        at = rx->link.theirs + 128 + rx->slots * 128 + start % rx->bytes;
        rx->end = start + length;
    }
    memcpy(bytes, at, length);
    if (rx->casts) {
        /* Nobody who holds the writer back misses anything. */
        __atomic_thread_fence(__ATOMIC_ACQUIRE);
        CHECK(load(rx->link.theirs + 64) <= rx->taken);
    }
    store(rx->link.own + 64, ++rx->taken);
    published(&rx->link);
    return (long)length;
}

/* The close of an end. */
static inline void close_end(struct link *link) {
    __atomic_store_n((uint32_t *)(link->own + 8), 1, __ATOMIC_RELEASE);
    published(link);
}
