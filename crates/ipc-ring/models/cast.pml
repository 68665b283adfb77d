// One writer and one or two readers of a broadcast that holds its writer back; the second comes late.
// Each may die at any step, the writer as it takes one in, waits for one or forgets one.
// variants: -DREADERS=1 -DMESSAGES=3; -DREADERS=1 -DMESSAGES=3 -DSLOTS=2; -DREADERS=2 -DMESSAGES=2 -DONE_DIES
// planted: -DEARLY_COMMIT; -DNO_WAKE; -DKEPT_ROPE; -DDEAD_COUNT; -DNO_LAST_LOOK; -DLATE_PARK
//
// As ring.pml; the steps are those of src/{join,broadcaster,audience,subscriber}.rs.

#ifndef SLOTS
#define SLOTS 1
#endif
#ifndef MESSAGES
#define MESSAGES 2
#endif
#ifndef READERS
#define READERS 1
#endif

// What the writer writes.
byte first[SLOTS], word[SLOTS], writer_parked;
bool writer_closed;
// What each reader writes.
byte progress[2], parked[2];
bool closed[2];

// The kernel: pipes 0 and 1 are the readers' bells, 2 and 3 those by which the writer hears them.
bool rung[4], heard[4];
byte writers[4];
// Greetings and answers under way, with a rope each; and whose sockets are shut.
bool hello[2], answer[2], reader_gone[2], writer_gone;
byte start[2];

bool writer_died, reader_died[2], writer_was_done;
byte committed, came[2];
bool one_is_mortal;
mtype = { none, all, told_closed, told_died, not_met, dead };
mtype reader_end[2] = none;

#define STEP(what) atomic { if :: skip :: mortal -> goto died fi; what }
#ifdef ONE_DIES
#define MORTAL atomic { if :: !one_is_mortal -> mortal = true; one_is_mortal = true :: skip fi }
#else
#define MORTAL if :: mortal = true :: skip fi
#endif
#define RING(pipe) if :: heard[pipe] -> rung[pipe] = true :: else fi
#define DROP(pipe) writers[pipe] = writers[pipe] - 1
// A reader is a reader no more: its rope is dropped, and its bell.
#define FORGET(i) is_in[i] = false; DROP(i); heard[2 + i] = false

// How far each reader is, and who has closed its end.
inline look_at(i) {
    if
    :: is_in[i] && closed[i] -> FORGET(i)
    :: is_in[i] && !closed[i] && progress[i] != 0 -> taken[i] = progress[i]
    :: else
    fi
}
inline look() {
    STEP(look_at(0));
    STEP(look_at(1))
}
#define ROOM(i) (!is_in[i] || sent - taken[i] < SLOTS)
// What has been rung is taken, and who is gone forgotten.
inline hear_one(i) {
    if
    :: is_in[i] && rung[2 + i] -> rung[2 + i] = false
#ifndef DEAD_COUNT
    :: is_in[i] && !rung[2 + i] && writers[2 + i] == 0 -> FORGET(i)
#endif
    :: else
    fi
}
inline hear() {
    STEP(hear_one(0));
    STEP(hear_one(1))
}
#ifndef DEAD_COUNT
#define TELLS(i) (is_in[i] && (rung[2 + i] || writers[2 + i] == 0))
#else
#define TELLS(i) (is_in[i] && rung[2 + i])
#endif
inline wake(i) {
    STEP(seen = parked[i];
        if
#ifndef NO_WAKE
        :: is_in[i] && seen % 2 == 1 && seen != told[i] -> told[i] = seen; due = true
#endif
        :: else
        fi;
        seen = 0);
    if
    :: due -> STEP(RING(i); due = false)
    :: else
    fi
}

active proctype Writer() {
    byte sent, seen, who;
    byte taken[2], told[2];
    bool is_in[2], own_rope[2], due, mortal;

    MORTAL;
    do
    :: sent == MESSAGES -> break
    :: else ->
        // One comes before the first message, the other before the second.
        if
        :: sent < READERS ->
            who = sent;
            if
            :: mortal -> goto died
            :: atomic { hello[who] ->
                hello[who] = false; is_in[who] = true; taken[who] = sent;
                writers[2 + who] = 1; heard[2 + who] = true; own_rope[who] = true }
            :: atomic { !hello[who] && reader_gone[who] -> skip }
            fi;
            if
            :: is_in[who] ->
                STEP(if
                    :: reader_gone[who] -> FORGET(who)
                    :: else -> answer[who] = true; start[who] = sent; writers[2 + who]++
                    fi);
#ifndef KEPT_ROPE
                STEP(DROP(2 + who); own_rope[who] = false)
#endif
            :: else
            fi
        :: else
        fi;
        look();
        if
        :: ROOM(0) && ROOM(1)
        :: else ->
            hear();
            look();
            do
            :: ROOM(0) && ROOM(1) -> break
            :: else ->
#ifndef LATE_PARK
                STEP(writer_parked++);
                look();
#else
                look();
                STEP(writer_parked++);
#endif
                if
                :: ROOM(0) && ROOM(1) -> STEP(writer_parked++); break
                :: else
                fi;
                if
                :: mortal -> goto died
                :: TELLS(0) || TELLS(1)
                fi;
                hear();
                STEP(writer_parked++);
                look()
            od
        fi;
#ifdef EARLY_COMMIT
        STEP(word[sent % SLOTS] = sent + 1; committed++);
#endif
        STEP(first[sent % SLOTS] = sent + 1);
#ifndef EARLY_COMMIT
        STEP(word[sent % SLOTS] = sent + 1; committed++);
#endif
        sent++;
        wake(0);
        wake(1)
    od;
    STEP(writer_closed = true);
    wake(0);
    wake(1);
    writer_was_done = true;
    goto leave;

died:
    writer_died = true;

leave:
    atomic {
        writer_gone = true;
        for (who : 0 .. 1) {
            heard[2 + who] = false;
            if :: hello[who] -> hello[who] = false; DROP(who) :: else fi;
            if :: is_in[who] -> DROP(who) :: else fi;
            if :: own_rope[who] -> DROP(2 + who) :: else fi
        }
    }
}

proctype Reader(byte me) {
    byte next, told, seen;
    bool own_rope, rope, alone, due, mortal;

    MORTAL;
    STEP(writers[me] = 1; heard[me] = true; own_rope = true);
    STEP(if
        :: writer_gone -> reader_end[me] = not_met; goto leave
        :: else -> hello[me] = true; writers[me]++
        fi);
#ifndef KEPT_ROPE
    STEP(DROP(me); own_rope = false);
#endif
    if
    :: mortal -> goto died
    :: atomic { answer[me] -> answer[me] = false; rope = true; next = start[me] }
    :: atomic { !answer[me] && writer_gone -> reader_end[me] = not_met; goto leave }
    fi;
    STEP(progress[me] = next);

    do
    :: STEP(seen = word[next % SLOTS]);
found:
        if
        :: seen == next + 1 ->
            STEP(seen = first[next % SLOTS]);
            assert(seen == next + 1);
            next++;
            came[me] = next;
            STEP(progress[me] = next);
            STEP(seen = writer_parked;
                if
                :: seen % 2 == 1 && seen != told -> told = seen; due = true
                :: else
                fi;
                seen = 0);
            if
            :: due -> STEP(RING(2 + me); due = false)
            :: else
            fi
        :: else ->
            STEP(parked[me]++);
            STEP(seen = word[next % SLOTS]);
            if
            :: seen == next + 1 -> STEP(parked[me]++); goto found
            :: else
            fi;
            if
            :: writer_closed ->
#ifndef NO_LAST_LOOK
                STEP(seen = word[next % SLOTS]);
                if
                :: seen == next + 1 -> STEP(parked[me]++); goto found
                :: else
                fi;
#endif
                reader_end[me] = told_closed;
                goto close
            :: else
            fi;
            if
            :: mortal -> goto died
            :: atomic { rung[me] -> rung[me] = false }
            :: atomic { !rung[me] && writers[me] == 0 -> alone = true }
            fi;
            STEP(parked[me]++);
            if
            :: alone ->
#ifndef NO_LAST_LOOK
                STEP(seen = word[next % SLOTS]);
                if :: seen == next + 1 -> goto found :: else fi;
#endif
                STEP(if
                    :: writer_closed -> reader_end[me] = told_closed
                    :: else -> reader_end[me] = told_died
                    fi);
                goto close
            :: else
            fi
        fi
    od;

close:
    STEP(closed[me] = true);
    STEP(seen = writer_parked);
    if
    :: seen % 2 == 1 && seen != told -> STEP(RING(2 + me))
    :: else
    fi;
    goto leave;

died:
    reader_died[me] = true;
    reader_end[me] = dead;

leave:
    atomic {
        reader_gone[me] = true;
        heard[me] = false;
        if :: answer[me] -> answer[me] = false; DROP(2 + me) :: else fi;
        if :: rope -> DROP(2 + me) :: else fi;
        if :: own_rope -> DROP(me) :: else fi
    }
}

#define SAID(i) \
    assert(!(reader_end[i] == told_closed || reader_end[i] == told_died) || came[i] == committed || start[i] == committed); \
    assert(reader_end[i] != told_died || writer_died); \
    assert(reader_end[i] != told_closed || writer_was_done || writer_died); \
    assert(writers[i] == 0 && writers[2 + i] == 0 && !hello[i] && !answer[i])

// When all have ended.
proctype Claims() {
    atomic {
        writer_gone && reader_gone[0] && reader_gone[1] ->
        assert(writer_died || committed == MESSAGES);
        SAID(0);
        SAID(1)
    }
}

init {
    atomic {
        run Reader(0);
#if READERS == 2
        run Reader(1);
#else
        reader_gone[1] = true;
#endif
        run Claims()
    }
}
