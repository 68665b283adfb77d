// One sender and one receiver: they meet, send and receive, close; each may die at any step.
// variants: -DSLOTS=1; -DSLOTS=2; -DSLOTS=2 -DMESSAGES=5
// planted: -DEARLY_COMMIT; -DNO_WAKE; -DLATE_PARK; -DKEPT_ROPE; -DNO_LAST_LOOK
//
// Memory is what the two processes write, each its own part; the kernel is two pipes (bells), of
// which it knows who could still write, and a socket by which their writing ends (ropes) travel.
// What a dead process had open, the kernel closes. Steps are those of src/{meet,sender,receiver,link}.rs;
// the machine shows stores in their order, which the models under tests/ do not take for granted.

#ifndef SLOTS
#define SLOTS 2
#endif
#ifndef MESSAGES
#define MESSAGES 3
#endif

// What the sender writes: slots of two words of payload and the word that commits them.
byte first[SLOTS], second[SLOTS], word[SLOTS];
byte sender_parked;
bool sender_closed;
// What the receiver writes.
byte progress, receiver_parked;
bool receiver_closed;

// The kernel: the receiver's bell is pipe 0, the sender's 1.
bool rung[2], heard[2];
byte writers[2];
// A greeting under way to each, with the rope of the other's bell in it; and whose socket is shut.
bool to_receiver, to_sender, sender_gone, receiver_gone;

// What happened, for the claims.
bool sender_died, receiver_died, sender_met, receiver_met;
byte committed, received;

mtype = { none, all, closed, peer_died, not_met, dead };
mtype sender_end = none, receiver_end = none;

// One step of a process that may die instead. Who may is chosen at the start: where one only could
// go on by dying, nobody goes on, and that is found.
#define STEP(what) atomic { if :: skip :: mortal -> goto died fi; what }
#define RING(pipe) if :: heard[pipe] -> rung[pipe] = true :: else fi
// The rope of a pipe is closed.
#define DROP(pipe) writers[pipe] = writers[pipe] - 1

active proctype Sender() {
    byte sent, taken, told, seen;
    bool own_rope, rope, alone, mortal;

    if :: mortal = true :: skip fi;
    STEP(writers[1] = 1; heard[1] = true; own_rope = true);
    STEP(if
        :: receiver_gone -> sender_end = not_met; goto leave
        :: else -> to_receiver = true; writers[1]++
        fi);
#ifndef KEPT_ROPE
    STEP(DROP(1); own_rope = false);
#endif
    if
    :: mortal -> goto died
    :: atomic { to_sender -> to_sender = false; rope = true }
    :: atomic { !to_sender && receiver_gone -> sender_end = not_met; goto leave }
    fi;
    sender_met = true;

    do
    :: sent == MESSAGES -> break
    :: else ->
        STEP(if :: receiver_closed -> sender_end = closed; goto close :: else fi);
        do
        :: sent - taken < SLOTS -> break
        :: else ->
            STEP(if :: receiver_closed -> sender_end = closed; goto close :: else taken = progress fi);
            if :: sent - taken < SLOTS -> break :: else fi;
#ifndef LATE_PARK
            STEP(sender_parked++);
            STEP(if
                :: receiver_closed -> sender_end = closed; goto close
                :: else -> taken = progress
                fi);
#else
            STEP(taken = progress);
            STEP(sender_parked++);
#endif
            if
            :: sent - taken < SLOTS -> STEP(sender_parked++); break
            :: else
            fi;
            if
            :: mortal -> goto died
            :: atomic { rung[1] -> rung[1] = false }
            :: atomic { !rung[1] && writers[1] == 0 -> alone = true }
            fi;
            STEP(sender_parked++);
            STEP(taken = progress);
            if
            :: sent - taken >= SLOTS && alone ->
                STEP(if :: receiver_closed -> sender_end = closed :: else -> sender_end = peer_died fi);
                goto close
            :: else
            fi
        od;
#ifdef EARLY_COMMIT
        STEP(word[sent % SLOTS] = sent + 1; committed++);
#endif
        STEP(first[sent % SLOTS] = sent + 1);
        STEP(second[sent % SLOTS] = sent + 1);
#ifndef EARLY_COMMIT
        STEP(word[sent % SLOTS] = sent + 1; committed++);
#endif
        sent++;
        STEP(seen = receiver_parked);
        if
#ifndef NO_WAKE
        :: seen % 2 == 1 && seen != told -> told = seen; STEP(RING(0))
#endif
        :: else
        fi
    od;
    sender_end = all;

close:
    STEP(sender_closed = true);
    STEP(seen = receiver_parked);
    if
    :: seen % 2 == 1 && seen != told -> STEP(RING(0))
    :: else
    fi;
    goto leave;

died:
    sender_died = true;
    sender_end = dead;

leave:
    // The kernel closes what was open; what was sent to a socket that is shut is closed, too.
    atomic {
        sender_gone = true;
        heard[1] = false;
        if :: to_sender -> to_sender = false; DROP(0) :: else fi;
        if :: rope -> DROP(0) :: else fi;
        if :: own_rope -> DROP(1) :: else fi
    }
}

active proctype Receiver() {
    byte taken, told, seen, one;
    bool own_rope, rope, alone, mortal;

    if :: mortal = true :: skip fi;
    STEP(writers[0] = 1; heard[0] = true; own_rope = true);
    STEP(if
        :: sender_gone -> receiver_end = not_met; goto leave
        :: else -> to_sender = true; writers[0]++
        fi);
#ifndef KEPT_ROPE
    STEP(DROP(0); own_rope = false);
#endif
    if
    :: mortal -> goto died
    :: atomic { to_receiver -> to_receiver = false; rope = true }
    :: atomic { !to_receiver && sender_gone -> receiver_end = not_met; goto leave }
    fi;
    receiver_met = true;

    do
    :: STEP(seen = word[taken % SLOTS]);
found:
        if
        :: seen == taken + 1 ->
            STEP(one = first[taken % SLOTS]);
            STEP(seen = second[taken % SLOTS]);
            assert(one == taken + 1 && seen == taken + 1);
            taken++;
            received = taken;
            STEP(progress = taken);
            STEP(seen = sender_parked);
            if
            :: seen % 2 == 1 && seen != told -> told = seen; STEP(RING(1))
            :: else
            fi
        :: else ->
            STEP(receiver_parked++);
            STEP(seen = word[taken % SLOTS]);
            if
            :: seen == taken + 1 -> STEP(receiver_parked++); goto found
            :: else
            fi;
            STEP(if :: sender_closed -> one = 1 :: else -> one = 0 fi);
            if
            :: one == 1 ->
                // What was sent before the end is looked for once more.
#ifndef NO_LAST_LOOK
                STEP(seen = word[taken % SLOTS]);
                if
                :: seen == taken + 1 -> STEP(receiver_parked++); goto found
                :: else
                fi;
#endif
                receiver_end = closed;
                goto close
            :: else
            fi;
            if
            :: mortal -> goto died
            :: atomic { rung[0] -> rung[0] = false }
            :: atomic { !rung[0] && writers[0] == 0 -> alone = true }
            fi;
            STEP(receiver_parked++);
            if
            :: alone ->
#ifndef NO_LAST_LOOK
                STEP(seen = word[taken % SLOTS]);
                if :: seen == taken + 1 -> goto found :: else fi;
#endif
                STEP(if
                    :: sender_closed -> receiver_end = closed
                    :: else -> receiver_end = peer_died
                    fi);
                goto close
            :: else
            fi
        fi
    od;

close:
    STEP(receiver_closed = true);
    STEP(seen = sender_parked);
    if
    :: seen % 2 == 1 && seen != told -> STEP(RING(1))
    :: else
    fi;
    goto leave;

died:
    receiver_died = true;
    receiver_end = dead;

leave:
    atomic {
        receiver_gone = true;
        heard[0] = false;
        if :: to_receiver -> to_receiver = false; DROP(1) :: else fi;
        if :: rope -> DROP(1) :: else fi;
        if :: own_rope -> DROP(0) :: else fi
    }
}

// When both have ended.
active proctype Claims() {
    atomic {
        sender_gone && receiver_gone && sender_end != none && receiver_end != none ->
        // Who lives has all that was committed, once and in order, if they had met.
        assert(!(receiver_end == closed || receiver_end == peer_died) || received == committed);
        // A death is told where one was, or where the other had never come to a channel.
        assert(receiver_end != peer_died || sender_died || !sender_met);
        assert(sender_end != peer_died || receiver_died || !receiver_met);
        assert(receiver_end != closed || sender_met);
        assert(sender_end != all || committed == MESSAGES);
        // Nothing is left open.
        assert(writers[0] == 0 && writers[1] == 0 && !to_sender && !to_receiver)
    }
}
