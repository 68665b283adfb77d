/* A reader and a writer of a channel, written from docs/ring-layout.md alone. Standard input is the
   socket to meet over. Each message comes back, every byte one more, until the other side closes. */
#include "ring.h"

int main(void) {
    static struct sender tx;
    static struct receiver rx;
    static byte message[1 << 20];
    byte hello[12] = "ipc-ring\x01\0\0\0", heard[64];
    int given[4], theirs[4], receivers[2], senders[2];
    long length;
    signal(SIGPIPE, SIG_IGN);
    CHECK(!pipe2(receivers, O_CLOEXEC) && !pipe2(senders, O_CLOEXEC));
    tx.link.own = make(SENDER, 128 + SLOTS * 128 + BYTES, &given[0]);
    rx.link.own = make(RECEIVER, 128, &given[1]);
    given[2] = receivers[1];
    given[3] = senders[1];
    say(0, hello, sizeof hello, given, 4);
    CHECK(hear(0, heard, sizeof heard, theirs, 4, 0) >= 12);
    greets(heard, "ipc-ring");
    rx.link.theirs = attach(theirs[0], SENDER);
    tx.link.theirs = attach(theirs[1], RECEIVER);
    tx.link.rope = theirs[2];
    rx.link.rope = theirs[3];
    rx.link.bell = receivers[0];
    tx.link.bell = senders[0];
    rx.slots = load32(rx.link.theirs + 20);
    rx.bytes = load(rx.link.theirs + 24);
    while ((length = take_message(&rx, message, sizeof message)) >= 0) {
        for (long at = 0; at < length; at++) message[at]++;
        CHECK(put_message(&tx, message, length));
    }
    close_end(&tx.link);
    return 0;
}
