/* A reader and a writer of broadcasts, written from docs/ring-layout.md alone. It reads over standard
   input what it writes to one reader over standard output, every byte one more, until it is closed. */
#include "ring.h"

int main(void) {
    static struct sender tx;
    static struct receiver rx;
    static byte message[1 << 20];
    byte hello[20] = "ipc-cast\x01\0\0\0", heard[64];
    int given[2], theirs[2], bell[2];
    uint64_t start;
    long length;
    signal(SIGPIPE, SIG_IGN);
    /* Its part as a reader. */
    CHECK(!pipe2(bell, O_CLOEXEC));
    rx.link.own = make(RECEIVER, 128, &given[0]);
    given[1] = bell[1];
    say(0, hello, 12, given, 2);
    CHECK(hear(0, heard, sizeof heard, theirs, 2, 0) >= 20);
    greets(heard, "ipc-cast");
    memcpy(&start, heard + 12, 8);
    rx.casts = 1;
    rx.link.theirs = attach(theirs[0], BROADCASTER);
    rx.link.rope = theirs[1];
    rx.link.bell = bell[0];
    rx.taken = start;
    rx.slots = load32(rx.link.theirs + 20);
    rx.bytes = load(rx.link.theirs + 24);
    store(rx.link.own + 64, start);
    /* And as a writer. */
    CHECK(!pipe2(bell, O_CLOEXEC));
    tx.casts = 1;
    tx.link.own = make(BROADCASTER, 128 + SLOTS * 128 + BYTES, &given[0]);
    CHECK(hear(1, heard, sizeof heard, theirs, 2, 0) >= 12);
    greets(heard, "ipc-cast");
    tx.link.theirs = attach(theirs[0], RECEIVER);
    tx.link.rope = theirs[1];
    tx.link.bell = bell[0];
    given[1] = bell[1];
    say(1, hello, 20, given, 2);
    while ((length = take_message(&rx, message, sizeof message)) >= 0) {
        for (long at = 0; at < length; at++) message[at]++;
        CHECK(put_message(&tx, message, length));
    }
    close_end(&tx.link);
    close_end(&rx.link);
    return 0;
}
