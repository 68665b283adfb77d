#define rand	pan_rand
#define pthread_equal(a,b)	((a)==(b))
#if defined(HAS_CODE) && defined(VERBOSE)
	#ifdef BFS_PAR
		bfs_printf("Pr: %d Tr: %d\n", II, t->forw);
	#else
		cpu_printf("Pr: %d Tr: %d\n", II, t->forw);
	#endif
#endif
	switch (t->forw) {
	default: Uerror("bad forward move");
	case 0:	/* if without executable clauses */
		continue;
	case 1: /* generic 'goto' or 'skip' */
		IfNotBlocked
		_m = 3; goto P999;
	case 2: /* generic 'else' */
		IfNotBlocked
		if (trpt->o_pm&1) continue;
		_m = 3; goto P999;

		 /* PROC Claims */
	case 3: // STATE 1 - ring.pml:250 - [((((sender_gone&&receiver_gone)&&(sender_end!=none))&&(receiver_end!=none)))] (9:0:0 - 1)
		IfNotBlocked
		reached[2][1] = 1;
		if (!((((((int)now.sender_gone)&&((int)now.receiver_gone))&&(now.sender_end!=6))&&(now.receiver_end!=6))))
			continue;
		/* merge: assert((!(((receiver_end==closed)||(receiver_end==peer_died)))||(received==committed)))(9, 2, 9) */
		reached[2][2] = 1;
		spin_assert(( !(((now.receiver_end==4)||(now.receiver_end==3)))||(((int)now.received)==((int)now.committed))), "( !(((receiver_end==4)||(receiver_end==3)))||(received==committed))", II, tt, t);
		/* merge: assert((((receiver_end!=peer_died)||sender_died)||!(sender_met)))(9, 3, 9) */
		reached[2][3] = 1;
		spin_assert((((now.receiver_end!=3)||((int)now.sender_died))|| !(((int)now.sender_met))), "(((receiver_end!=3)||sender_died)|| !(sender_met))", II, tt, t);
		/* merge: assert((((sender_end!=peer_died)||receiver_died)||!(receiver_met)))(9, 4, 9) */
		reached[2][4] = 1;
		spin_assert((((now.sender_end!=3)||((int)now.receiver_died))|| !(((int)now.receiver_met))), "(((sender_end!=3)||receiver_died)|| !(receiver_met))", II, tt, t);
		/* merge: assert(((receiver_end!=closed)||sender_met))(9, 5, 9) */
		reached[2][5] = 1;
		spin_assert(((now.receiver_end!=4)||((int)now.sender_met)), "((receiver_end!=4)||sender_met)", II, tt, t);
		/* merge: assert(((sender_end!=all)||(committed==3)))(9, 6, 9) */
		reached[2][6] = 1;
		spin_assert(((now.sender_end!=5)||(((int)now.committed)==3)), "((sender_end!=5)||(committed==3))", II, tt, t);
		/* merge: assert(((((writers[0]==0)&&(writers[1]==0))&&!(to_sender))&&!(to_receiver)))(9, 7, 9) */
		reached[2][7] = 1;
		spin_assert(((((((int)now.writers[0])==0)&&(((int)now.writers[1])==0))&& !(((int)now.to_sender)))&& !(((int)now.to_receiver))), "((((writers[0]==0)&&(writers[1]==0))&& !(to_sender))&& !(to_receiver))", II, tt, t);
		_m = 3; goto P999; /* 6 */
	case 4: // STATE 9 - ring.pml:261 - [-end-] (0:0:0 - 1)
		IfNotBlocked
		reached[2][9] = 1;
		if (!delproc(1, II)) continue;
		_m = 3; goto P999; /* 0 */

		 /* PROC Receiver */
	case 5: // STATE 1 - ring.pml:147 - [(1)] (21:0:3 - 1)
		IfNotBlocked
		reached[1][1] = 1;
		if (!(1))
			continue;
		/* merge: .(goto)(21, 4, 21) */
		reached[1][4] = 1;
		;
		/* merge: writers[0] = 1(21, 5, 21) */
		reached[1][5] = 1;
		(trpt+1)->bup.ovals = grab_ints(3);
		(trpt+1)->bup.ovals[0] = ((int)now.writers[0]);
		now.writers[0] = 1;
#ifdef VAR_RANGES
		logval("writers[0]", ((int)now.writers[0]));
#endif
		;
		/* merge: heard[0] = 1(21, 6, 21) */
		reached[1][6] = 1;
		(trpt+1)->bup.ovals[1] = ((int)now.heard[0]);
		now.heard[0] = 1;
#ifdef VAR_RANGES
		logval("heard[0]", ((int)now.heard[0]));
#endif
		;
		/* merge: own_rope = 1(21, 7, 21) */
		reached[1][7] = 1;
		(trpt+1)->bup.ovals[2] = ((int)((P1 *)_this)->own_rope);
		((P1 *)_this)->own_rope = 1;
#ifdef VAR_RANGES
		logval("Receiver:own_rope", ((int)((P1 *)_this)->own_rope));
#endif
		;
		_m = 3; goto P999; /* 4 */
	case 6: // STATE 5 - ring.pml:147 - [writers[0] = 1] (0:21:3 - 2)
		IfNotBlocked
		reached[1][5] = 1;
		(trpt+1)->bup.ovals = grab_ints(3);
		(trpt+1)->bup.ovals[0] = ((int)now.writers[0]);
		now.writers[0] = 1;
#ifdef VAR_RANGES
		logval("writers[0]", ((int)now.writers[0]));
#endif
		;
		/* merge: heard[0] = 1(21, 6, 21) */
		reached[1][6] = 1;
		(trpt+1)->bup.ovals[1] = ((int)now.heard[0]);
		now.heard[0] = 1;
#ifdef VAR_RANGES
		logval("heard[0]", ((int)now.heard[0]));
#endif
		;
		/* merge: own_rope = 1(21, 7, 21) */
		reached[1][7] = 1;
		(trpt+1)->bup.ovals[2] = ((int)((P1 *)_this)->own_rope);
		((P1 *)_this)->own_rope = 1;
#ifdef VAR_RANGES
		logval("Receiver:own_rope", ((int)((P1 *)_this)->own_rope));
#endif
		;
		_m = 3; goto P999; /* 2 */
	case 7: // STATE 13 - ring.pml:148 - [(sender_gone)] (242:0:1 - 1)
		IfNotBlocked
		reached[1][13] = 1;
		if (!(((int)now.sender_gone)))
			continue;
		/* merge: receiver_end = not_met(242, 14, 242) */
		reached[1][14] = 1;
		(trpt+1)->bup.oval = now.receiver_end;
		now.receiver_end = 2;
#ifdef VAR_RANGES
		logval("receiver_end", now.receiver_end);
#endif
		;
		/* merge: goto leave(242, 15, 242) */
		reached[1][15] = 1;
		;
		_m = 3; goto P999; /* 2 */
	case 8: // STATE 20 - ring.pml:148 - [.(goto)] (0:28:0 - 1)
		IfNotBlocked
		reached[1][20] = 1;
		;
		_m = 3; goto P999; /* 0 */
	case 9: // STATE 17 - ring.pml:148 - [to_sender = 1] (0:28:2 - 1)
		IfNotBlocked
		reached[1][17] = 1;
		(trpt+1)->bup.ovals = grab_ints(2);
		(trpt+1)->bup.ovals[0] = ((int)now.to_sender);
		now.to_sender = 1;
#ifdef VAR_RANGES
		logval("to_sender", ((int)now.to_sender));
#endif
		;
		/* merge: writers[0] = (writers[0]+1)(28, 18, 28) */
		reached[1][18] = 1;
		(trpt+1)->bup.ovals[1] = ((int)now.writers[0]);
		now.writers[0] = (((int)now.writers[0])+1);
#ifdef VAR_RANGES
		logval("writers[0]", ((int)now.writers[0]));
#endif
		;
		/* merge: .(goto)(28, 20, 28) */
		reached[1][20] = 1;
		;
		_m = 3; goto P999; /* 2 */
	case 10: // STATE 22 - ring.pml:153 - [(1)] (38:0:2 - 1)
		IfNotBlocked
		reached[1][22] = 1;
		if (!(1))
			continue;
		/* merge: .(goto)(38, 25, 38) */
		reached[1][25] = 1;
		;
		/* merge: writers[0] = (writers[0]-1)(38, 26, 38) */
		reached[1][26] = 1;
		(trpt+1)->bup.ovals = grab_ints(2);
		(trpt+1)->bup.ovals[0] = ((int)now.writers[0]);
		now.writers[0] = (((int)now.writers[0])-1);
#ifdef VAR_RANGES
		logval("writers[0]", ((int)now.writers[0]));
#endif
		;
		/* merge: own_rope = 0(38, 27, 38) */
		reached[1][27] = 1;
		(trpt+1)->bup.ovals[1] = ((int)((P1 *)_this)->own_rope);
		((P1 *)_this)->own_rope = 0;
#ifdef VAR_RANGES
		logval("Receiver:own_rope", ((int)((P1 *)_this)->own_rope));
#endif
		;
		_m = 3; goto P999; /* 3 */
	case 11: // STATE 26 - ring.pml:153 - [writers[0] = (writers[0]-1)] (0:38:2 - 2)
		IfNotBlocked
		reached[1][26] = 1;
		(trpt+1)->bup.ovals = grab_ints(2);
		(trpt+1)->bup.ovals[0] = ((int)now.writers[0]);
		now.writers[0] = (((int)now.writers[0])-1);
#ifdef VAR_RANGES
		logval("writers[0]", ((int)now.writers[0]));
#endif
		;
		/* merge: own_rope = 0(38, 27, 38) */
		reached[1][27] = 1;
		(trpt+1)->bup.ovals[1] = ((int)((P1 *)_this)->own_rope);
		((P1 *)_this)->own_rope = 0;
#ifdef VAR_RANGES
		logval("Receiver:own_rope", ((int)((P1 *)_this)->own_rope));
#endif
		;
		_m = 3; goto P999; /* 1 */
	case 12: // STATE 30 - ring.pml:157 - [(to_receiver)] (40:0:2 - 1)
		IfNotBlocked
		reached[1][30] = 1;
		if (!(((int)now.to_receiver)))
			continue;
		/* merge: to_receiver = 0(40, 31, 40) */
		reached[1][31] = 1;
		(trpt+1)->bup.ovals = grab_ints(2);
		(trpt+1)->bup.ovals[0] = ((int)now.to_receiver);
		now.to_receiver = 0;
#ifdef VAR_RANGES
		logval("to_receiver", ((int)now.to_receiver));
#endif
		;
		/* merge: rope = 1(40, 32, 40) */
		reached[1][32] = 1;
		(trpt+1)->bup.ovals[1] = ((int)((P1 *)_this)->rope);
		((P1 *)_this)->rope = 1;
#ifdef VAR_RANGES
		logval("Receiver:rope", ((int)((P1 *)_this)->rope));
#endif
		;
		/* merge: .(goto)(0, 39, 40) */
		reached[1][39] = 1;
		;
		_m = 3; goto P999; /* 3 */
	case 13: // STATE 34 - ring.pml:158 - [((!(to_receiver)&&sender_gone))] (242:0:1 - 1)
		IfNotBlocked
		reached[1][34] = 1;
		if (!(( !(((int)now.to_receiver))&&((int)now.sender_gone))))
			continue;
		/* merge: receiver_end = not_met(242, 35, 242) */
		reached[1][35] = 1;
		(trpt+1)->bup.oval = now.receiver_end;
		now.receiver_end = 2;
#ifdef VAR_RANGES
		logval("receiver_end", now.receiver_end);
#endif
		;
		/* merge: goto leave(242, 36, 242) */
		reached[1][36] = 1;
		;
		_m = 3; goto P999; /* 2 */
	case 14: // STATE 40 - ring.pml:160 - [receiver_met = 1] (0:0:1 - 2)
		IfNotBlocked
		reached[1][40] = 1;
		(trpt+1)->bup.oval = ((int)now.receiver_met);
		now.receiver_met = 1;
#ifdef VAR_RANGES
		logval("receiver_met", ((int)now.receiver_met));
#endif
		;
		_m = 3; goto P999; /* 0 */
	case 15: // STATE 41 - ring.pml:163 - [(1)] (190:0:1 - 1)
		IfNotBlocked
		reached[1][41] = 1;
		if (!(1))
			continue;
		/* merge: .(goto)(190, 44, 190) */
		reached[1][44] = 1;
		;
		/* merge: seen = word[(taken%2)](190, 45, 190) */
		reached[1][45] = 1;
		(trpt+1)->bup.oval = ((int)((P1 *)_this)->seen);
		((P1 *)_this)->seen = ((int)now.word[ Index((((int)((P1 *)_this)->taken)%2), 2) ]);
#ifdef VAR_RANGES
		logval("Receiver:seen", ((int)((P1 *)_this)->seen));
#endif
		;
		_m = 3; goto P999; /* 2 */
	case 16: // STATE 47 - ring.pml:166 - [((seen==(taken+1)))] (0:0:1 - 1)
		IfNotBlocked
		reached[1][47] = 1;
		if (!((((int)((P1 *)_this)->seen)==(((int)((P1 *)_this)->taken)+1))))
			continue;
		if (TstOnly) return 1; /* TT */
		/* dead 1: seen */  (trpt+1)->bup.oval = ((P1 *)_this)->seen;
#ifdef HAS_CODE
		if (!readtrail)
#endif
			((P1 *)_this)->seen = 0;
		_m = 3; goto P999; /* 0 */
	case 17: // STATE 48 - ring.pml:167 - [(1)] (59:0:1 - 1)
		IfNotBlocked
		reached[1][48] = 1;
		if (!(1))
			continue;
		/* merge: .(goto)(59, 51, 59) */
		reached[1][51] = 1;
		;
		/* merge: one = first[(taken%2)](59, 52, 59) */
		reached[1][52] = 1;
		(trpt+1)->bup.oval = ((int)((P1 *)_this)->one);
		((P1 *)_this)->one = ((int)now.first[ Index((((int)((P1 *)_this)->taken)%2), 2) ]);
#ifdef VAR_RANGES
		logval("Receiver:one", ((int)((P1 *)_this)->one));
#endif
		;
		_m = 3; goto P999; /* 2 */
	case 18: // STATE 54 - ring.pml:168 - [(1)] (62:0:2 - 1)
		IfNotBlocked
		reached[1][54] = 1;
		if (!(1))
			continue;
		/* merge: .(goto)(62, 57, 62) */
		reached[1][57] = 1;
		;
		/* merge: seen = second[(taken%2)](62, 58, 62) */
		reached[1][58] = 1;
		(trpt+1)->bup.ovals = grab_ints(2);
		(trpt+1)->bup.ovals[0] = ((int)((P1 *)_this)->seen);
		((P1 *)_this)->seen = ((int)now.second[ Index((((int)((P1 *)_this)->taken)%2), 2) ]);
#ifdef VAR_RANGES
		logval("Receiver:seen", ((int)((P1 *)_this)->seen));
#endif
		;
		/* merge: assert(((one==(taken+1))&&(seen==(taken+1))))(62, 60, 62) */
		reached[1][60] = 1;
		spin_assert(((((int)((P1 *)_this)->one)==(((int)((P1 *)_this)->taken)+1))&&(((int)((P1 *)_this)->seen)==(((int)((P1 *)_this)->taken)+1))), "((one==(taken+1))&&(seen==(taken+1)))", II, tt, t);
		/* merge: taken = (taken+1)(62, 61, 62) */
		reached[1][61] = 1;
		(trpt+1)->bup.ovals[1] = ((int)((P1 *)_this)->taken);
		((P1 *)_this)->taken = (((int)((P1 *)_this)->taken)+1);
#ifdef VAR_RANGES
		logval("Receiver:taken", ((int)((P1 *)_this)->taken));
#endif
		;
		_m = 3; goto P999; /* 4 */
	case 19: // STATE 62 - ring.pml:171 - [received = taken] (0:0:1 - 1)
		IfNotBlocked
		reached[1][62] = 1;
		(trpt+1)->bup.oval = ((int)now.received);
		now.received = ((int)((P1 *)_this)->taken);
#ifdef VAR_RANGES
		logval("received", ((int)now.received));
#endif
		;
		_m = 3; goto P999; /* 0 */
	case 20: // STATE 63 - ring.pml:172 - [(1)] (74:0:1 - 1)
		IfNotBlocked
		reached[1][63] = 1;
		if (!(1))
			continue;
		/* merge: .(goto)(74, 66, 74) */
		reached[1][66] = 1;
		;
		/* merge: progress = taken(74, 67, 74) */
		reached[1][67] = 1;
		(trpt+1)->bup.oval = ((int)now.progress);
		now.progress = ((int)((P1 *)_this)->taken);
#ifdef VAR_RANGES
		logval("progress", ((int)now.progress));
#endif
		;
		_m = 3; goto P999; /* 2 */
	case 21: // STATE 69 - ring.pml:173 - [(1)] (88:0:1 - 1)
		IfNotBlocked
		reached[1][69] = 1;
		if (!(1))
			continue;
		/* merge: .(goto)(88, 72, 88) */
		reached[1][72] = 1;
		;
		/* merge: seen = sender_parked(88, 73, 88) */
		reached[1][73] = 1;
		(trpt+1)->bup.oval = ((int)((P1 *)_this)->seen);
		((P1 *)_this)->seen = ((int)now.sender_parked);
#ifdef VAR_RANGES
		logval("Receiver:seen", ((int)((P1 *)_this)->seen));
#endif
		;
		_m = 3; goto P999; /* 2 */
	case 22: // STATE 75 - ring.pml:175 - [((((seen%2)==1)&&(seen!=told)))] (86:0:2 - 1)
		IfNotBlocked
		reached[1][75] = 1;
		if (!((((((int)((P1 *)_this)->seen)%2)==1)&&(((int)((P1 *)_this)->seen)!=((int)((P1 *)_this)->told)))))
			continue;
		if (TstOnly) return 1; /* TT */
		/* dead 1: told */  (trpt+1)->bup.ovals = grab_ints(2);
		(trpt+1)->bup.ovals[0] = ((P1 *)_this)->told;
#ifdef HAS_CODE
		if (!readtrail)
#endif
			((P1 *)_this)->told = 0;
		/* merge: told = seen(0, 76, 86) */
		reached[1][76] = 1;
		(trpt+1)->bup.ovals[1] = ((int)((P1 *)_this)->told);
		((P1 *)_this)->told = ((int)((P1 *)_this)->seen);
#ifdef VAR_RANGES
		logval("Receiver:told", ((int)((P1 *)_this)->told));
#endif
		;
		_m = 3; goto P999; /* 1 */
	case 23: // STATE 81 - ring.pml:175 - [(heard[1])] (192:0:1 - 1)
		IfNotBlocked
		reached[1][81] = 1;
		if (!(((int)now.heard[1])))
			continue;
		/* merge: rung[1] = 1(192, 82, 192) */
		reached[1][82] = 1;
		(trpt+1)->bup.oval = ((int)now.rung[1]);
		now.rung[1] = 1;
#ifdef VAR_RANGES
		logval("rung[1]", ((int)now.rung[1]));
#endif
		;
		/* merge: .(goto)(192, 85, 192) */
		reached[1][85] = 1;
		;
		/* merge: .(goto)(0, 89, 192) */
		reached[1][89] = 1;
		;
		/* merge: .(goto)(0, 191, 192) */
		reached[1][191] = 1;
		;
		/* merge: .(goto)(0, 193, 192) */
		reached[1][193] = 1;
		;
		_m = 3; goto P999; /* 5 */
	case 24: // STATE 85 - ring.pml:175 - [.(goto)] (0:192:0 - 2)
		IfNotBlocked
		reached[1][85] = 1;
		;
		/* merge: .(goto)(0, 89, 192) */
		reached[1][89] = 1;
		;
		/* merge: .(goto)(0, 191, 192) */
		reached[1][191] = 1;
		;
		/* merge: .(goto)(0, 193, 192) */
		reached[1][193] = 1;
		;
		_m = 3; goto P999; /* 3 */
	case 25: // STATE 91 - ring.pml:179 - [(1)] (102:0:1 - 1)
		IfNotBlocked
		reached[1][91] = 1;
		if (!(1))
			continue;
		/* merge: .(goto)(102, 94, 102) */
		reached[1][94] = 1;
		;
		/* merge: receiver_parked = (receiver_parked+1)(102, 95, 102) */
		reached[1][95] = 1;
		(trpt+1)->bup.oval = ((int)now.receiver_parked);
		now.receiver_parked = (((int)now.receiver_parked)+1);
#ifdef VAR_RANGES
		logval("receiver_parked", ((int)now.receiver_parked));
#endif
		;
		_m = 3; goto P999; /* 2 */
	case 26: // STATE 97 - ring.pml:180 - [(1)] (112:0:1 - 1)
		IfNotBlocked
		reached[1][97] = 1;
		if (!(1))
			continue;
		/* merge: .(goto)(112, 100, 112) */
		reached[1][100] = 1;
		;
		/* merge: seen = word[(taken%2)](112, 101, 112) */
		reached[1][101] = 1;
		(trpt+1)->bup.oval = ((int)((P1 *)_this)->seen);
		((P1 *)_this)->seen = ((int)now.word[ Index((((int)((P1 *)_this)->taken)%2), 2) ]);
#ifdef VAR_RANGES
		logval("Receiver:seen", ((int)((P1 *)_this)->seen));
#endif
		;
		_m = 3; goto P999; /* 2 */
	case 27: // STATE 103 - ring.pml:182 - [((seen==(taken+1)))] (0:0:0 - 1)
		IfNotBlocked
		reached[1][103] = 1;
		if (!((((int)((P1 *)_this)->seen)==(((int)((P1 *)_this)->taken)+1))))
			continue;
		_m = 3; goto P999; /* 0 */
	case 28: // STATE 104 - ring.pml:182 - [(1)] (190:0:1 - 1)
		IfNotBlocked
		reached[1][104] = 1;
		if (!(1))
			continue;
		/* merge: .(goto)(190, 107, 190) */
		reached[1][107] = 1;
		;
		/* merge: receiver_parked = (receiver_parked+1)(190, 108, 190) */
		reached[1][108] = 1;
		(trpt+1)->bup.oval = ((int)now.receiver_parked);
		now.receiver_parked = (((int)now.receiver_parked)+1);
#ifdef VAR_RANGES
		logval("receiver_parked", ((int)now.receiver_parked));
#endif
		;
		/* merge: goto found(0, 110, 190) */
		reached[1][110] = 1;
		;
		_m = 3; goto P999; /* 3 */
	case 29: // STATE 118 - ring.pml:185 - [(sender_closed)] (146:0:1 - 1)
		IfNotBlocked
		reached[1][118] = 1;
		if (!(((int)now.sender_closed)))
			continue;
		/* merge: one = 1(146, 119, 146) */
		reached[1][119] = 1;
		(trpt+1)->bup.oval = ((int)((P1 *)_this)->one);
		((P1 *)_this)->one = 1;
#ifdef VAR_RANGES
		logval("Receiver:one", ((int)((P1 *)_this)->one));
#endif
		;
		/* merge: .(goto)(146, 123, 146) */
		reached[1][123] = 1;
		;
		_m = 3; goto P999; /* 2 */
	case 30: // STATE 123 - ring.pml:185 - [.(goto)] (0:146:0 - 2)
		IfNotBlocked
		reached[1][123] = 1;
		;
		_m = 3; goto P999; /* 0 */
	case 31: // STATE 121 - ring.pml:185 - [one = 0] (0:146:1 - 1)
		IfNotBlocked
		reached[1][121] = 1;
		(trpt+1)->bup.oval = ((int)((P1 *)_this)->one);
		((P1 *)_this)->one = 0;
#ifdef VAR_RANGES
		logval("Receiver:one", ((int)((P1 *)_this)->one));
#endif
		;
		/* merge: .(goto)(146, 123, 146) */
		reached[1][123] = 1;
		;
		_m = 3; goto P999; /* 1 */
	case 32: // STATE 125 - ring.pml:187 - [((one==1))] (0:0:1 - 1)
		IfNotBlocked
		reached[1][125] = 1;
		if (!((((int)((P1 *)_this)->one)==1)))
			continue;
		if (TstOnly) return 1; /* TT */
		/* dead 1: one */  (trpt+1)->bup.oval = ((P1 *)_this)->one;
#ifdef HAS_CODE
		if (!readtrail)
#endif
			((P1 *)_this)->one = 0;
		_m = 3; goto P999; /* 0 */
	case 33: // STATE 126 - ring.pml:190 - [(1)] (141:0:1 - 1)
		IfNotBlocked
		reached[1][126] = 1;
		if (!(1))
			continue;
		/* merge: .(goto)(141, 129, 141) */
		reached[1][129] = 1;
		;
		/* merge: seen = word[(taken%2)](141, 130, 141) */
		reached[1][130] = 1;
		(trpt+1)->bup.oval = ((int)((P1 *)_this)->seen);
		((P1 *)_this)->seen = ((int)now.word[ Index((((int)((P1 *)_this)->taken)%2), 2) ]);
#ifdef VAR_RANGES
		logval("Receiver:seen", ((int)((P1 *)_this)->seen));
#endif
		;
		_m = 3; goto P999; /* 2 */
	case 34: // STATE 132 - ring.pml:192 - [((seen==(taken+1)))] (0:0:0 - 1)
		IfNotBlocked
		reached[1][132] = 1;
		if (!((((int)((P1 *)_this)->seen)==(((int)((P1 *)_this)->taken)+1))))
			continue;
		_m = 3; goto P999; /* 0 */
	case 35: // STATE 133 - ring.pml:192 - [(1)] (190:0:1 - 1)
		IfNotBlocked
		reached[1][133] = 1;
		if (!(1))
			continue;
		/* merge: .(goto)(190, 136, 190) */
		reached[1][136] = 1;
		;
		/* merge: receiver_parked = (receiver_parked+1)(190, 137, 190) */
		reached[1][137] = 1;
		(trpt+1)->bup.oval = ((int)now.receiver_parked);
		now.receiver_parked = (((int)now.receiver_parked)+1);
#ifdef VAR_RANGES
		logval("receiver_parked", ((int)now.receiver_parked));
#endif
		;
		/* merge: goto found(0, 139, 190) */
		reached[1][139] = 1;
		;
		_m = 3; goto P999; /* 3 */
	case 36: // STATE 143 - ring.pml:196 - [receiver_end = closed] (0:0:1 - 2)
		IfNotBlocked
		reached[1][143] = 1;
		(trpt+1)->bup.oval = now.receiver_end;
		now.receiver_end = 4;
#ifdef VAR_RANGES
		logval("receiver_end", now.receiver_end);
#endif
		;
		_m = 3; goto P999; /* 0 */
	case 37: // STATE 149 - ring.pml:202 - [(rung[0])] (162:0:1 - 1)
		IfNotBlocked
		reached[1][149] = 1;
		if (!(((int)now.rung[0])))
			continue;
		/* merge: rung[0] = 0(0, 150, 162) */
		reached[1][150] = 1;
		(trpt+1)->bup.oval = ((int)now.rung[0]);
		now.rung[0] = 0;
#ifdef VAR_RANGES
		logval("rung[0]", ((int)now.rung[0]));
#endif
		;
		/* merge: .(goto)(0, 156, 162) */
		reached[1][156] = 1;
		;
		_m = 3; goto P999; /* 2 */
	case 38: // STATE 152 - ring.pml:203 - [((!(rung[0])&&(writers[0]==0)))] (162:0:1 - 1)
		IfNotBlocked
		reached[1][152] = 1;
		if (!(( !(((int)now.rung[0]))&&(((int)now.writers[0])==0))))
			continue;
		/* merge: alone = 1(0, 153, 162) */
		reached[1][153] = 1;
		(trpt+1)->bup.oval = ((int)((P1 *)_this)->alone);
		((P1 *)_this)->alone = 1;
#ifdef VAR_RANGES
		logval("Receiver:alone", ((int)((P1 *)_this)->alone));
#endif
		;
		/* merge: .(goto)(0, 156, 162) */
		reached[1][156] = 1;
		;
		_m = 3; goto P999; /* 2 */
	case 39: // STATE 157 - ring.pml:205 - [(1)] (188:0:1 - 1)
		IfNotBlocked
		reached[1][157] = 1;
		if (!(1))
			continue;
		/* merge: .(goto)(188, 160, 188) */
		reached[1][160] = 1;
		;
		/* merge: receiver_parked = (receiver_parked+1)(188, 161, 188) */
		reached[1][161] = 1;
		(trpt+1)->bup.oval = ((int)now.receiver_parked);
		now.receiver_parked = (((int)now.receiver_parked)+1);
#ifdef VAR_RANGES
		logval("receiver_parked", ((int)now.receiver_parked));
#endif
		;
		_m = 3; goto P999; /* 2 */
	case 40: // STATE 163 - ring.pml:207 - [(alone)] (0:0:0 - 1)
		IfNotBlocked
		reached[1][163] = 1;
		if (!(((int)((P1 *)_this)->alone)))
			continue;
		_m = 3; goto P999; /* 0 */
	case 41: // STATE 164 - ring.pml:209 - [(1)] (173:0:1 - 1)
		IfNotBlocked
		reached[1][164] = 1;
		if (!(1))
			continue;
		/* merge: .(goto)(173, 167, 173) */
		reached[1][167] = 1;
		;
		/* merge: seen = word[(taken%2)](173, 168, 173) */
		reached[1][168] = 1;
		(trpt+1)->bup.oval = ((int)((P1 *)_this)->seen);
		((P1 *)_this)->seen = ((int)now.word[ Index((((int)((P1 *)_this)->taken)%2), 2) ]);
#ifdef VAR_RANGES
		logval("Receiver:seen", ((int)((P1 *)_this)->seen));
#endif
		;
		_m = 3; goto P999; /* 2 */
	case 42: // STATE 170 - ring.pml:210 - [((seen==(taken+1)))] (0:0:0 - 1)
		IfNotBlocked
		reached[1][170] = 1;
		if (!((((int)((P1 *)_this)->seen)==(((int)((P1 *)_this)->taken)+1))))
			continue;
		_m = 3; goto P999; /* 0 */
	case 43: // STATE 179 - ring.pml:212 - [(sender_closed)] (200:0:1 - 1)
		IfNotBlocked
		reached[1][179] = 1;
		if (!(((int)now.sender_closed)))
			continue;
		/* merge: receiver_end = closed(200, 180, 200) */
		reached[1][180] = 1;
		(trpt+1)->bup.oval = now.receiver_end;
		now.receiver_end = 4;
#ifdef VAR_RANGES
		logval("receiver_end", now.receiver_end);
#endif
		;
		/* merge: .(goto)(200, 184, 200) */
		reached[1][184] = 1;
		;
		/* merge: goto close(0, 186, 200) */
		reached[1][186] = 1;
		;
		_m = 3; goto P999; /* 3 */
	case 44: // STATE 184 - ring.pml:212 - [.(goto)] (0:200:0 - 2)
		IfNotBlocked
		reached[1][184] = 1;
		;
		/* merge: goto close(0, 186, 200) */
		reached[1][186] = 1;
		;
		_m = 3; goto P999; /* 1 */
	case 45: // STATE 182 - ring.pml:212 - [receiver_end = peer_died] (0:200:1 - 1)
		IfNotBlocked
		reached[1][182] = 1;
		(trpt+1)->bup.oval = now.receiver_end;
		now.receiver_end = 3;
#ifdef VAR_RANGES
		logval("receiver_end", now.receiver_end);
#endif
		;
		/* merge: .(goto)(200, 184, 200) */
		reached[1][184] = 1;
		;
		/* merge: goto close(0, 186, 200) */
		reached[1][186] = 1;
		;
		_m = 3; goto P999; /* 2 */
	case 46: // STATE 195 - ring.pml:223 - [(1)] (206:0:1 - 1)
		IfNotBlocked
		reached[1][195] = 1;
		if (!(1))
			continue;
		/* merge: .(goto)(206, 198, 206) */
		reached[1][198] = 1;
		;
		/* merge: receiver_closed = 1(206, 199, 206) */
		reached[1][199] = 1;
		(trpt+1)->bup.oval = ((int)now.receiver_closed);
		now.receiver_closed = 1;
#ifdef VAR_RANGES
		logval("receiver_closed", ((int)now.receiver_closed));
#endif
		;
		_m = 3; goto P999; /* 2 */
	case 47: // STATE 201 - ring.pml:224 - [(1)] (219:0:1 - 1)
		IfNotBlocked
		reached[1][201] = 1;
		if (!(1))
			continue;
		/* merge: .(goto)(219, 204, 219) */
		reached[1][204] = 1;
		;
		/* merge: seen = sender_parked(219, 205, 219) */
		reached[1][205] = 1;
		(trpt+1)->bup.oval = ((int)((P1 *)_this)->seen);
		((P1 *)_this)->seen = ((int)now.sender_parked);
#ifdef VAR_RANGES
		logval("Receiver:seen", ((int)((P1 *)_this)->seen));
#endif
		;
		_m = 3; goto P999; /* 2 */
	case 48: // STATE 207 - ring.pml:227 - [((((seen%2)==1)&&(seen!=told)))] (0:0:2 - 1)
		IfNotBlocked
		reached[1][207] = 1;
		if (!((((((int)((P1 *)_this)->seen)%2)==1)&&(((int)((P1 *)_this)->seen)!=((int)((P1 *)_this)->told)))))
			continue;
		if (TstOnly) return 1; /* TT */
		/* dead 1: seen */  (trpt+1)->bup.ovals = grab_ints(2);
		(trpt+1)->bup.ovals[0] = ((P1 *)_this)->seen;
#ifdef HAS_CODE
		if (!readtrail)
#endif
			((P1 *)_this)->seen = 0;
		if (TstOnly) return 1; /* TT */
		/* dead 1: told */  (trpt+1)->bup.ovals[1] = ((P1 *)_this)->told;
#ifdef HAS_CODE
		if (!readtrail)
#endif
			((P1 *)_this)->told = 0;
		_m = 3; goto P999; /* 0 */
	case 49: // STATE 212 - ring.pml:227 - [(heard[1])] (242:0:1 - 1)
		IfNotBlocked
		reached[1][212] = 1;
		if (!(((int)now.heard[1])))
			continue;
		/* merge: rung[1] = 1(242, 213, 242) */
		reached[1][213] = 1;
		(trpt+1)->bup.oval = ((int)now.rung[1]);
		now.rung[1] = 1;
#ifdef VAR_RANGES
		logval("rung[1]", ((int)now.rung[1]));
#endif
		;
		/* merge: .(goto)(242, 216, 242) */
		reached[1][216] = 1;
		;
		/* merge: .(goto)(0, 220, 242) */
		reached[1][220] = 1;
		;
		/* merge: goto leave(0, 221, 242) */
		reached[1][221] = 1;
		;
		_m = 3; goto P999; /* 4 */
	case 50: // STATE 216 - ring.pml:227 - [.(goto)] (0:242:0 - 2)
		IfNotBlocked
		reached[1][216] = 1;
		;
		/* merge: .(goto)(0, 220, 242) */
		reached[1][220] = 1;
		;
		/* merge: goto leave(0, 221, 242) */
		reached[1][221] = 1;
		;
		_m = 3; goto P999; /* 2 */
	case 51: // STATE 222 - ring.pml:234 - [receiver_died = 1] (0:0:1 - 23)
		IfNotBlocked
		reached[1][222] = 1;
		(trpt+1)->bup.oval = ((int)now.receiver_died);
		now.receiver_died = 1;
#ifdef VAR_RANGES
		logval("receiver_died", ((int)now.receiver_died));
#endif
		;
		_m = 3; goto P999; /* 0 */
	case 52: // STATE 223 - ring.pml:235 - [receiver_end = dead] (0:0:1 - 1)
		IfNotBlocked
		reached[1][223] = 1;
		(trpt+1)->bup.oval = now.receiver_end;
		now.receiver_end = 1;
#ifdef VAR_RANGES
		logval("receiver_end", now.receiver_end);
#endif
		;
		_m = 3; goto P999; /* 0 */
	case 53: // STATE 224 - ring.pml:239 - [receiver_gone = 1] (0:230:2 - 1)
		IfNotBlocked
		reached[1][224] = 1;
		(trpt+1)->bup.ovals = grab_ints(2);
		(trpt+1)->bup.ovals[0] = ((int)now.receiver_gone);
		now.receiver_gone = 1;
#ifdef VAR_RANGES
		logval("receiver_gone", ((int)now.receiver_gone));
#endif
		;
		/* merge: heard[0] = 0(230, 225, 230) */
		reached[1][225] = 1;
		(trpt+1)->bup.ovals[1] = ((int)now.heard[0]);
		now.heard[0] = 0;
#ifdef VAR_RANGES
		logval("heard[0]", ((int)now.heard[0]));
#endif
		;
		_m = 3; goto P999; /* 1 */
	case 54: // STATE 226 - ring.pml:241 - [(to_receiver)] (235:0:2 - 1)
		IfNotBlocked
		reached[1][226] = 1;
		if (!(((int)now.to_receiver)))
			continue;
		/* merge: to_receiver = 0(235, 227, 235) */
		reached[1][227] = 1;
		(trpt+1)->bup.ovals = grab_ints(2);
		(trpt+1)->bup.ovals[0] = ((int)now.to_receiver);
		now.to_receiver = 0;
#ifdef VAR_RANGES
		logval("to_receiver", ((int)now.to_receiver));
#endif
		;
		/* merge: writers[1] = (writers[1]-1)(235, 228, 235) */
		reached[1][228] = 1;
		(trpt+1)->bup.ovals[1] = ((int)now.writers[1]);
		now.writers[1] = (((int)now.writers[1])-1);
#ifdef VAR_RANGES
		logval("writers[1]", ((int)now.writers[1]));
#endif
		;
		/* merge: .(goto)(0, 231, 235) */
		reached[1][231] = 1;
		;
		_m = 3; goto P999; /* 3 */
	case 55: // STATE 232 - ring.pml:242 - [(rope)] (240:0:2 - 1)
		IfNotBlocked
		reached[1][232] = 1;
		if (!(((int)((P1 *)_this)->rope)))
			continue;
		if (TstOnly) return 1; /* TT */
		/* dead 1: rope */  (trpt+1)->bup.ovals = grab_ints(2);
		(trpt+1)->bup.ovals[0] = ((P1 *)_this)->rope;
#ifdef HAS_CODE
		if (!readtrail)
#endif
			((P1 *)_this)->rope = 0;
		/* merge: writers[1] = (writers[1]-1)(0, 233, 240) */
		reached[1][233] = 1;
		(trpt+1)->bup.ovals[1] = ((int)now.writers[1]);
		now.writers[1] = (((int)now.writers[1])-1);
#ifdef VAR_RANGES
		logval("writers[1]", ((int)now.writers[1]));
#endif
		;
		/* merge: .(goto)(0, 236, 240) */
		reached[1][236] = 1;
		;
		_m = 3; goto P999; /* 2 */
	case 56: // STATE 237 - ring.pml:243 - [(own_rope)] (243:0:2 - 1)
		IfNotBlocked
		reached[1][237] = 1;
		if (!(((int)((P1 *)_this)->own_rope)))
			continue;
		if (TstOnly) return 1; /* TT */
		/* dead 1: own_rope */  (trpt+1)->bup.ovals = grab_ints(2);
		(trpt+1)->bup.ovals[0] = ((P1 *)_this)->own_rope;
#ifdef HAS_CODE
		if (!readtrail)
#endif
			((P1 *)_this)->own_rope = 0;
		/* merge: writers[0] = (writers[0]-1)(243, 238, 243) */
		reached[1][238] = 1;
		(trpt+1)->bup.ovals[1] = ((int)now.writers[0]);
		now.writers[0] = (((int)now.writers[0])-1);
#ifdef VAR_RANGES
		logval("writers[0]", ((int)now.writers[0]));
#endif
		;
		/* merge: .(goto)(243, 241, 243) */
		reached[1][241] = 1;
		;
		_m = 3; goto P999; /* 2 */
	case 57: // STATE 241 - ring.pml:244 - [.(goto)] (0:243:0 - 2)
		IfNotBlocked
		reached[1][241] = 1;
		;
		_m = 3; goto P999; /* 0 */
	case 58: // STATE 243 - ring.pml:245 - [-end-] (0:0:0 - 1)
		IfNotBlocked
		reached[1][243] = 1;
		if (!delproc(1, II)) continue;
		_m = 3; goto P999; /* 0 */

		 /* PROC Sender */
	case 59: // STATE 1 - ring.pml:48 - [(1)] (21:0:3 - 1)
		IfNotBlocked
		reached[0][1] = 1;
		if (!(1))
			continue;
		/* merge: .(goto)(21, 4, 21) */
		reached[0][4] = 1;
		;
		/* merge: writers[1] = 1(21, 5, 21) */
		reached[0][5] = 1;
		(trpt+1)->bup.ovals = grab_ints(3);
		(trpt+1)->bup.ovals[0] = ((int)now.writers[1]);
		now.writers[1] = 1;
#ifdef VAR_RANGES
		logval("writers[1]", ((int)now.writers[1]));
#endif
		;
		/* merge: heard[1] = 1(21, 6, 21) */
		reached[0][6] = 1;
		(trpt+1)->bup.ovals[1] = ((int)now.heard[1]);
		now.heard[1] = 1;
#ifdef VAR_RANGES
		logval("heard[1]", ((int)now.heard[1]));
#endif
		;
		/* merge: own_rope = 1(21, 7, 21) */
		reached[0][7] = 1;
		(trpt+1)->bup.ovals[2] = ((int)((P0 *)_this)->own_rope);
		((P0 *)_this)->own_rope = 1;
#ifdef VAR_RANGES
		logval("Sender:own_rope", ((int)((P0 *)_this)->own_rope));
#endif
		;
		_m = 3; goto P999; /* 4 */
	case 60: // STATE 5 - ring.pml:48 - [writers[1] = 1] (0:21:3 - 2)
		IfNotBlocked
		reached[0][5] = 1;
		(trpt+1)->bup.ovals = grab_ints(3);
		(trpt+1)->bup.ovals[0] = ((int)now.writers[1]);
		now.writers[1] = 1;
#ifdef VAR_RANGES
		logval("writers[1]", ((int)now.writers[1]));
#endif
		;
		/* merge: heard[1] = 1(21, 6, 21) */
		reached[0][6] = 1;
		(trpt+1)->bup.ovals[1] = ((int)now.heard[1]);
		now.heard[1] = 1;
#ifdef VAR_RANGES
		logval("heard[1]", ((int)now.heard[1]));
#endif
		;
		/* merge: own_rope = 1(21, 7, 21) */
		reached[0][7] = 1;
		(trpt+1)->bup.ovals[2] = ((int)((P0 *)_this)->own_rope);
		((P0 *)_this)->own_rope = 1;
#ifdef VAR_RANGES
		logval("Sender:own_rope", ((int)((P0 *)_this)->own_rope));
#endif
		;
		_m = 3; goto P999; /* 2 */
	case 61: // STATE 13 - ring.pml:49 - [(receiver_gone)] (236:0:1 - 1)
		IfNotBlocked
		reached[0][13] = 1;
		if (!(((int)now.receiver_gone)))
			continue;
		/* merge: sender_end = not_met(236, 14, 236) */
		reached[0][14] = 1;
		(trpt+1)->bup.oval = now.sender_end;
		now.sender_end = 2;
#ifdef VAR_RANGES
		logval("sender_end", now.sender_end);
#endif
		;
		/* merge: goto leave(236, 15, 236) */
		reached[0][15] = 1;
		;
		_m = 3; goto P999; /* 2 */
	case 62: // STATE 20 - ring.pml:49 - [.(goto)] (0:28:0 - 1)
		IfNotBlocked
		reached[0][20] = 1;
		;
		_m = 3; goto P999; /* 0 */
	case 63: // STATE 17 - ring.pml:49 - [to_receiver = 1] (0:28:2 - 1)
		IfNotBlocked
		reached[0][17] = 1;
		(trpt+1)->bup.ovals = grab_ints(2);
		(trpt+1)->bup.ovals[0] = ((int)now.to_receiver);
		now.to_receiver = 1;
#ifdef VAR_RANGES
		logval("to_receiver", ((int)now.to_receiver));
#endif
		;
		/* merge: writers[1] = (writers[1]+1)(28, 18, 28) */
		reached[0][18] = 1;
		(trpt+1)->bup.ovals[1] = ((int)now.writers[1]);
		now.writers[1] = (((int)now.writers[1])+1);
#ifdef VAR_RANGES
		logval("writers[1]", ((int)now.writers[1]));
#endif
		;
		/* merge: .(goto)(28, 20, 28) */
		reached[0][20] = 1;
		;
		_m = 3; goto P999; /* 2 */
	case 64: // STATE 22 - ring.pml:54 - [(1)] (38:0:2 - 1)
		IfNotBlocked
		reached[0][22] = 1;
		if (!(1))
			continue;
		/* merge: .(goto)(38, 25, 38) */
		reached[0][25] = 1;
		;
		/* merge: writers[1] = (writers[1]-1)(38, 26, 38) */
		reached[0][26] = 1;
		(trpt+1)->bup.ovals = grab_ints(2);
		(trpt+1)->bup.ovals[0] = ((int)now.writers[1]);
		now.writers[1] = (((int)now.writers[1])-1);
#ifdef VAR_RANGES
		logval("writers[1]", ((int)now.writers[1]));
#endif
		;
		/* merge: own_rope = 0(38, 27, 38) */
		reached[0][27] = 1;
		(trpt+1)->bup.ovals[1] = ((int)((P0 *)_this)->own_rope);
		((P0 *)_this)->own_rope = 0;
#ifdef VAR_RANGES
		logval("Sender:own_rope", ((int)((P0 *)_this)->own_rope));
#endif
		;
		_m = 3; goto P999; /* 3 */
	case 65: // STATE 26 - ring.pml:54 - [writers[1] = (writers[1]-1)] (0:38:2 - 2)
		IfNotBlocked
		reached[0][26] = 1;
		(trpt+1)->bup.ovals = grab_ints(2);
		(trpt+1)->bup.ovals[0] = ((int)now.writers[1]);
		now.writers[1] = (((int)now.writers[1])-1);
#ifdef VAR_RANGES
		logval("writers[1]", ((int)now.writers[1]));
#endif
		;
		/* merge: own_rope = 0(38, 27, 38) */
		reached[0][27] = 1;
		(trpt+1)->bup.ovals[1] = ((int)((P0 *)_this)->own_rope);
		((P0 *)_this)->own_rope = 0;
#ifdef VAR_RANGES
		logval("Sender:own_rope", ((int)((P0 *)_this)->own_rope));
#endif
		;
		_m = 3; goto P999; /* 1 */
	case 66: // STATE 30 - ring.pml:58 - [(to_sender)] (40:0:2 - 1)
		IfNotBlocked
		reached[0][30] = 1;
		if (!(((int)now.to_sender)))
			continue;
		/* merge: to_sender = 0(40, 31, 40) */
		reached[0][31] = 1;
		(trpt+1)->bup.ovals = grab_ints(2);
		(trpt+1)->bup.ovals[0] = ((int)now.to_sender);
		now.to_sender = 0;
#ifdef VAR_RANGES
		logval("to_sender", ((int)now.to_sender));
#endif
		;
		/* merge: rope = 1(40, 32, 40) */
		reached[0][32] = 1;
		(trpt+1)->bup.ovals[1] = ((int)((P0 *)_this)->rope);
		((P0 *)_this)->rope = 1;
#ifdef VAR_RANGES
		logval("Sender:rope", ((int)((P0 *)_this)->rope));
#endif
		;
		/* merge: .(goto)(0, 39, 40) */
		reached[0][39] = 1;
		;
		_m = 3; goto P999; /* 3 */
	case 67: // STATE 34 - ring.pml:59 - [((!(to_sender)&&receiver_gone))] (236:0:1 - 1)
		IfNotBlocked
		reached[0][34] = 1;
		if (!(( !(((int)now.to_sender))&&((int)now.receiver_gone))))
			continue;
		/* merge: sender_end = not_met(236, 35, 236) */
		reached[0][35] = 1;
		(trpt+1)->bup.oval = now.sender_end;
		now.sender_end = 2;
#ifdef VAR_RANGES
		logval("sender_end", now.sender_end);
#endif
		;
		/* merge: goto leave(236, 36, 236) */
		reached[0][36] = 1;
		;
		_m = 3; goto P999; /* 2 */
	case 68: // STATE 40 - ring.pml:61 - [sender_met = 1] (0:0:1 - 2)
		IfNotBlocked
		reached[0][40] = 1;
		(trpt+1)->bup.oval = ((int)now.sender_met);
		now.sender_met = 1;
#ifdef VAR_RANGES
		logval("sender_met", ((int)now.sender_met));
#endif
		;
		_m = 3; goto P999; /* 0 */
	case 69: // STATE 41 - ring.pml:64 - [((sent==3))] (0:0:1 - 1)
		IfNotBlocked
		reached[0][41] = 1;
		if (!((((int)((P0 *)_this)->sent)==3)))
			continue;
		if (TstOnly) return 1; /* TT */
		/* dead 1: sent */  (trpt+1)->bup.oval = ((P0 *)_this)->sent;
#ifdef HAS_CODE
		if (!readtrail)
#endif
			((P0 *)_this)->sent = 0;
		_m = 3; goto P999; /* 0 */
	case 70: // STATE 48 - ring.pml:66 - [(receiver_closed)] (194:0:1 - 1)
		IfNotBlocked
		reached[0][48] = 1;
		if (!(((int)now.receiver_closed)))
			continue;
		/* merge: sender_end = closed(194, 49, 194) */
		reached[0][49] = 1;
		(trpt+1)->bup.oval = now.sender_end;
		now.sender_end = 4;
#ifdef VAR_RANGES
		logval("sender_end", now.sender_end);
#endif
		;
		/* merge: goto close(194, 50, 194) */
		reached[0][50] = 1;
		;
		_m = 3; goto P999; /* 2 */
	case 71: // STATE 55 - ring.pml:68 - [(((sent-taken)<2))] (0:0:0 - 1)
		IfNotBlocked
		reached[0][55] = 1;
		if (!(((((int)((P0 *)_this)->sent)-((int)((P0 *)_this)->taken))<2)))
			continue;
		_m = 3; goto P999; /* 0 */
	case 72: // STATE 62 - ring.pml:70 - [(receiver_closed)] (194:0:1 - 1)
		IfNotBlocked
		reached[0][62] = 1;
		if (!(((int)now.receiver_closed)))
			continue;
		/* merge: sender_end = closed(194, 63, 194) */
		reached[0][63] = 1;
		(trpt+1)->bup.oval = now.sender_end;
		now.sender_end = 4;
#ifdef VAR_RANGES
		logval("sender_end", now.sender_end);
#endif
		;
		/* merge: goto close(194, 64, 194) */
		reached[0][64] = 1;
		;
		_m = 3; goto P999; /* 2 */
	case 73: // STATE 68 - ring.pml:70 - [.(goto)] (0:73:0 - 1)
		IfNotBlocked
		reached[0][68] = 1;
		;
		_m = 3; goto P999; /* 0 */
	case 74: // STATE 66 - ring.pml:70 - [taken = progress] (0:73:1 - 1)
		IfNotBlocked
		reached[0][66] = 1;
		(trpt+1)->bup.oval = ((int)((P0 *)_this)->taken);
		((P0 *)_this)->taken = ((int)now.progress);
#ifdef VAR_RANGES
		logval("Sender:taken", ((int)((P0 *)_this)->taken));
#endif
		;
		/* merge: .(goto)(73, 68, 73) */
		reached[0][68] = 1;
		;
		_m = 3; goto P999; /* 1 */
	case 75: // STATE 70 - ring.pml:71 - [(((sent-taken)<2))] (0:0:0 - 1)
		IfNotBlocked
		reached[0][70] = 1;
		if (!(((((int)((P0 *)_this)->sent)-((int)((P0 *)_this)->taken))<2)))
			continue;
		_m = 3; goto P999; /* 0 */
	case 76: // STATE 75 - ring.pml:73 - [(1)] (92:0:1 - 1)
		IfNotBlocked
		reached[0][75] = 1;
		if (!(1))
			continue;
		/* merge: .(goto)(92, 78, 92) */
		reached[0][78] = 1;
		;
		/* merge: sender_parked = (sender_parked+1)(92, 79, 92) */
		reached[0][79] = 1;
		(trpt+1)->bup.oval = ((int)now.sender_parked);
		now.sender_parked = (((int)now.sender_parked)+1);
#ifdef VAR_RANGES
		logval("sender_parked", ((int)now.sender_parked));
#endif
		;
		_m = 3; goto P999; /* 2 */
	case 77: // STATE 85 - ring.pml:74 - [(receiver_closed)] (194:0:1 - 1)
		IfNotBlocked
		reached[0][85] = 1;
		if (!(((int)now.receiver_closed)))
			continue;
		/* merge: sender_end = closed(194, 86, 194) */
		reached[0][86] = 1;
		(trpt+1)->bup.oval = now.sender_end;
		now.sender_end = 4;
#ifdef VAR_RANGES
		logval("sender_end", now.sender_end);
#endif
		;
		/* merge: goto close(194, 87, 194) */
		reached[0][87] = 1;
		;
		_m = 3; goto P999; /* 2 */
	case 78: // STATE 91 - ring.pml:74 - [.(goto)] (0:102:0 - 1)
		IfNotBlocked
		reached[0][91] = 1;
		;
		_m = 3; goto P999; /* 0 */
	case 79: // STATE 89 - ring.pml:74 - [taken = progress] (0:102:1 - 1)
		IfNotBlocked
		reached[0][89] = 1;
		(trpt+1)->bup.oval = ((int)((P0 *)_this)->taken);
		((P0 *)_this)->taken = ((int)now.progress);
#ifdef VAR_RANGES
		logval("Sender:taken", ((int)((P0 *)_this)->taken));
#endif
		;
		/* merge: .(goto)(102, 91, 102) */
		reached[0][91] = 1;
		;
		_m = 3; goto P999; /* 1 */
	case 80: // STATE 93 - ring.pml:83 - [(((sent-taken)<2))] (0:0:0 - 1)
		IfNotBlocked
		reached[0][93] = 1;
		if (!(((((int)((P0 *)_this)->sent)-((int)((P0 *)_this)->taken))<2)))
			continue;
		_m = 3; goto P999; /* 0 */
	case 81: // STATE 94 - ring.pml:83 - [(1)] (149:0:1 - 1)
		IfNotBlocked
		reached[0][94] = 1;
		if (!(1))
			continue;
		/* merge: .(goto)(149, 97, 149) */
		reached[0][97] = 1;
		;
		/* merge: sender_parked = (sender_parked+1)(149, 98, 149) */
		reached[0][98] = 1;
		(trpt+1)->bup.oval = ((int)now.sender_parked);
		now.sender_parked = (((int)now.sender_parked)+1);
#ifdef VAR_RANGES
		logval("sender_parked", ((int)now.sender_parked));
#endif
		;
		/* merge: goto :b1(0, 100, 149) */
		reached[0][100] = 1;
		;
		_m = 3; goto P999; /* 3 */
	case 82: // STATE 105 - ring.pml:88 - [(rung[1])] (118:0:1 - 1)
		IfNotBlocked
		reached[0][105] = 1;
		if (!(((int)now.rung[1])))
			continue;
		/* merge: rung[1] = 0(0, 106, 118) */
		reached[0][106] = 1;
		(trpt+1)->bup.oval = ((int)now.rung[1]);
		now.rung[1] = 0;
#ifdef VAR_RANGES
		logval("rung[1]", ((int)now.rung[1]));
#endif
		;
		/* merge: .(goto)(0, 112, 118) */
		reached[0][112] = 1;
		;
		_m = 3; goto P999; /* 2 */
	case 83: // STATE 108 - ring.pml:89 - [((!(rung[1])&&(writers[1]==0)))] (118:0:1 - 1)
		IfNotBlocked
		reached[0][108] = 1;
		if (!(( !(((int)now.rung[1]))&&(((int)now.writers[1])==0))))
			continue;
		/* merge: alone = 1(0, 109, 118) */
		reached[0][109] = 1;
		(trpt+1)->bup.oval = ((int)((P0 *)_this)->alone);
		((P0 *)_this)->alone = 1;
#ifdef VAR_RANGES
		logval("Sender:alone", ((int)((P0 *)_this)->alone));
#endif
		;
		/* merge: .(goto)(0, 112, 118) */
		reached[0][112] = 1;
		;
		_m = 3; goto P999; /* 2 */
	case 84: // STATE 113 - ring.pml:91 - [(1)] (124:0:1 - 1)
		IfNotBlocked
		reached[0][113] = 1;
		if (!(1))
			continue;
		/* merge: .(goto)(124, 116, 124) */
		reached[0][116] = 1;
		;
		/* merge: sender_parked = (sender_parked+1)(124, 117, 124) */
		reached[0][117] = 1;
		(trpt+1)->bup.oval = ((int)now.sender_parked);
		now.sender_parked = (((int)now.sender_parked)+1);
#ifdef VAR_RANGES
		logval("sender_parked", ((int)now.sender_parked));
#endif
		;
		_m = 3; goto P999; /* 2 */
	case 85: // STATE 119 - ring.pml:92 - [(1)] (139:0:1 - 1)
		IfNotBlocked
		reached[0][119] = 1;
		if (!(1))
			continue;
		/* merge: .(goto)(139, 122, 139) */
		reached[0][122] = 1;
		;
		/* merge: taken = progress(139, 123, 139) */
		reached[0][123] = 1;
		(trpt+1)->bup.oval = ((int)((P0 *)_this)->taken);
		((P0 *)_this)->taken = ((int)now.progress);
#ifdef VAR_RANGES
		logval("Sender:taken", ((int)((P0 *)_this)->taken));
#endif
		;
		_m = 3; goto P999; /* 2 */
	case 86: // STATE 125 - ring.pml:94 - [((((sent-taken)>=2)&&alone))] (0:0:3 - 1)
		IfNotBlocked
		reached[0][125] = 1;
		if (!((((((int)((P0 *)_this)->sent)-((int)((P0 *)_this)->taken))>=2)&&((int)((P0 *)_this)->alone))))
			continue;
		if (TstOnly) return 1; /* TT */
		/* dead 1: sent */  (trpt+1)->bup.ovals = grab_ints(3);
		(trpt+1)->bup.ovals[0] = ((P0 *)_this)->sent;
#ifdef HAS_CODE
		if (!readtrail)
#endif
			((P0 *)_this)->sent = 0;
		if (TstOnly) return 1; /* TT */
		/* dead 1: taken */  (trpt+1)->bup.ovals[1] = ((P0 *)_this)->taken;
#ifdef HAS_CODE
		if (!readtrail)
#endif
			((P0 *)_this)->taken = 0;
		if (TstOnly) return 1; /* TT */
		/* dead 1: alone */  (trpt+1)->bup.ovals[2] = ((P0 *)_this)->alone;
#ifdef HAS_CODE
		if (!readtrail)
#endif
			((P0 *)_this)->alone = 0;
		_m = 3; goto P999; /* 0 */
	case 87: // STATE 130 - ring.pml:95 - [(receiver_closed)] (194:0:1 - 1)
		IfNotBlocked
		reached[0][130] = 1;
		if (!(((int)now.receiver_closed)))
			continue;
		/* merge: sender_end = closed(194, 131, 194) */
		reached[0][131] = 1;
		(trpt+1)->bup.oval = now.sender_end;
		now.sender_end = 4;
#ifdef VAR_RANGES
		logval("sender_end", now.sender_end);
#endif
		;
		/* merge: .(goto)(194, 135, 194) */
		reached[0][135] = 1;
		;
		/* merge: goto close(0, 137, 194) */
		reached[0][137] = 1;
		;
		_m = 3; goto P999; /* 3 */
	case 88: // STATE 135 - ring.pml:95 - [.(goto)] (0:194:0 - 2)
		IfNotBlocked
		reached[0][135] = 1;
		;
		/* merge: goto close(0, 137, 194) */
		reached[0][137] = 1;
		;
		_m = 3; goto P999; /* 1 */
	case 89: // STATE 133 - ring.pml:95 - [sender_end = peer_died] (0:194:1 - 1)
		IfNotBlocked
		reached[0][133] = 1;
		(trpt+1)->bup.oval = now.sender_end;
		now.sender_end = 3;
#ifdef VAR_RANGES
		logval("sender_end", now.sender_end);
#endif
		;
		/* merge: .(goto)(194, 135, 194) */
		reached[0][135] = 1;
		;
		/* merge: goto close(0, 137, 194) */
		reached[0][137] = 1;
		;
		_m = 3; goto P999; /* 2 */
	case 90: // STATE 144 - ring.pml:103 - [(1)] (155:0:1 - 1)
		IfNotBlocked
		reached[0][144] = 1;
		if (!(1))
			continue;
		/* merge: .(goto)(155, 147, 155) */
		reached[0][147] = 1;
		;
		/* merge: first[(sent%2)] = (sent+1)(155, 148, 155) */
		reached[0][148] = 1;
		(trpt+1)->bup.oval = ((int)now.first[ Index((((int)((P0 *)_this)->sent)%2), 2) ]);
		now.first[ Index((((P0 *)_this)->sent%2), 2) ] = (((int)((P0 *)_this)->sent)+1);
#ifdef VAR_RANGES
		logval("first[(Sender:sent%2)]", ((int)now.first[ Index((((int)((P0 *)_this)->sent)%2), 2) ]));
#endif
		;
		_m = 3; goto P999; /* 2 */
	case 91: // STATE 150 - ring.pml:104 - [(1)] (162:0:1 - 1)
		IfNotBlocked
		reached[0][150] = 1;
		if (!(1))
			continue;
		/* merge: .(goto)(162, 153, 162) */
		reached[0][153] = 1;
		;
		/* merge: second[(sent%2)] = (sent+1)(162, 154, 162) */
		reached[0][154] = 1;
		(trpt+1)->bup.oval = ((int)now.second[ Index((((int)((P0 *)_this)->sent)%2), 2) ]);
		now.second[ Index((((P0 *)_this)->sent%2), 2) ] = (((int)((P0 *)_this)->sent)+1);
#ifdef VAR_RANGES
		logval("second[(Sender:sent%2)]", ((int)now.second[ Index((((int)((P0 *)_this)->sent)%2), 2) ]));
#endif
		;
		_m = 3; goto P999; /* 2 */
	case 92: // STATE 156 - ring.pml:106 - [(1)] (169:0:3 - 1)
		IfNotBlocked
		reached[0][156] = 1;
		if (!(1))
			continue;
		/* merge: .(goto)(169, 159, 169) */
		reached[0][159] = 1;
		;
		/* merge: word[(sent%2)] = (sent+1)(169, 160, 169) */
		reached[0][160] = 1;
		(trpt+1)->bup.ovals = grab_ints(3);
		(trpt+1)->bup.ovals[0] = ((int)now.word[ Index((((int)((P0 *)_this)->sent)%2), 2) ]);
		now.word[ Index((((P0 *)_this)->sent%2), 2) ] = (((int)((P0 *)_this)->sent)+1);
#ifdef VAR_RANGES
		logval("word[(Sender:sent%2)]", ((int)now.word[ Index((((int)((P0 *)_this)->sent)%2), 2) ]));
#endif
		;
		/* merge: committed = (committed+1)(169, 161, 169) */
		reached[0][161] = 1;
		(trpt+1)->bup.ovals[1] = ((int)now.committed);
		now.committed = (((int)now.committed)+1);
#ifdef VAR_RANGES
		logval("committed", ((int)now.committed));
#endif
		;
		/* merge: sent = (sent+1)(169, 163, 169) */
		reached[0][163] = 1;
		(trpt+1)->bup.ovals[2] = ((int)((P0 *)_this)->sent);
		((P0 *)_this)->sent = (((int)((P0 *)_this)->sent)+1);
#ifdef VAR_RANGES
		logval("Sender:sent", ((int)((P0 *)_this)->sent));
#endif
		;
		_m = 3; goto P999; /* 4 */
	case 93: // STATE 160 - ring.pml:106 - [word[(sent%2)] = (sent+1)] (0:169:3 - 2)
		IfNotBlocked
		reached[0][160] = 1;
		(trpt+1)->bup.ovals = grab_ints(3);
		(trpt+1)->bup.ovals[0] = ((int)now.word[ Index((((int)((P0 *)_this)->sent)%2), 2) ]);
		now.word[ Index((((P0 *)_this)->sent%2), 2) ] = (((int)((P0 *)_this)->sent)+1);
#ifdef VAR_RANGES
		logval("word[(Sender:sent%2)]", ((int)now.word[ Index((((int)((P0 *)_this)->sent)%2), 2) ]));
#endif
		;
		/* merge: committed = (committed+1)(169, 161, 169) */
		reached[0][161] = 1;
		(trpt+1)->bup.ovals[1] = ((int)now.committed);
		now.committed = (((int)now.committed)+1);
#ifdef VAR_RANGES
		logval("committed", ((int)now.committed));
#endif
		;
		/* merge: sent = (sent+1)(169, 163, 169) */
		reached[0][163] = 1;
		(trpt+1)->bup.ovals[2] = ((int)((P0 *)_this)->sent);
		((P0 *)_this)->sent = (((int)((P0 *)_this)->sent)+1);
#ifdef VAR_RANGES
		logval("Sender:sent", ((int)((P0 *)_this)->sent));
#endif
		;
		_m = 3; goto P999; /* 2 */
	case 94: // STATE 164 - ring.pml:109 - [(1)] (183:0:1 - 1)
		IfNotBlocked
		reached[0][164] = 1;
		if (!(1))
			continue;
		/* merge: .(goto)(183, 167, 183) */
		reached[0][167] = 1;
		;
		/* merge: seen = receiver_parked(183, 168, 183) */
		reached[0][168] = 1;
		(trpt+1)->bup.oval = ((int)((P0 *)_this)->seen);
		((P0 *)_this)->seen = ((int)now.receiver_parked);
#ifdef VAR_RANGES
		logval("Sender:seen", ((int)((P0 *)_this)->seen));
#endif
		;
		_m = 3; goto P999; /* 2 */
	case 95: // STATE 170 - ring.pml:112 - [((((seen%2)==1)&&(seen!=told)))] (181:0:2 - 1)
		IfNotBlocked
		reached[0][170] = 1;
		if (!((((((int)((P0 *)_this)->seen)%2)==1)&&(((int)((P0 *)_this)->seen)!=((int)((P0 *)_this)->told)))))
			continue;
		if (TstOnly) return 1; /* TT */
		/* dead 1: told */  (trpt+1)->bup.ovals = grab_ints(2);
		(trpt+1)->bup.ovals[0] = ((P0 *)_this)->told;
#ifdef HAS_CODE
		if (!readtrail)
#endif
			((P0 *)_this)->told = 0;
		/* merge: told = seen(0, 171, 181) */
		reached[0][171] = 1;
		(trpt+1)->bup.ovals[1] = ((int)((P0 *)_this)->told);
		((P0 *)_this)->told = ((int)((P0 *)_this)->seen);
#ifdef VAR_RANGES
		logval("Sender:told", ((int)((P0 *)_this)->told));
#endif
		;
		_m = 3; goto P999; /* 1 */
	case 96: // STATE 176 - ring.pml:112 - [(heard[0])] (185:0:1 - 1)
		IfNotBlocked
		reached[0][176] = 1;
		if (!(((int)now.heard[0])))
			continue;
		/* merge: rung[0] = 1(185, 177, 185) */
		reached[0][177] = 1;
		(trpt+1)->bup.oval = ((int)now.rung[0]);
		now.rung[0] = 1;
#ifdef VAR_RANGES
		logval("rung[0]", ((int)now.rung[0]));
#endif
		;
		/* merge: .(goto)(185, 180, 185) */
		reached[0][180] = 1;
		;
		/* merge: .(goto)(0, 184, 185) */
		reached[0][184] = 1;
		;
		/* merge: .(goto)(0, 186, 185) */
		reached[0][186] = 1;
		;
		_m = 3; goto P999; /* 4 */
	case 97: // STATE 180 - ring.pml:112 - [.(goto)] (0:185:0 - 2)
		IfNotBlocked
		reached[0][180] = 1;
		;
		/* merge: .(goto)(0, 184, 185) */
		reached[0][184] = 1;
		;
		/* merge: .(goto)(0, 186, 185) */
		reached[0][186] = 1;
		;
		_m = 3; goto P999; /* 2 */
	case 98: // STATE 188 - ring.pml:117 - [sender_end = all] (0:0:1 - 3)
		IfNotBlocked
		reached[0][188] = 1;
		(trpt+1)->bup.oval = now.sender_end;
		now.sender_end = 5;
#ifdef VAR_RANGES
		logval("sender_end", now.sender_end);
#endif
		;
		_m = 3; goto P999; /* 0 */
	case 99: // STATE 189 - ring.pml:120 - [(1)] (200:0:1 - 1)
		IfNotBlocked
		reached[0][189] = 1;
		if (!(1))
			continue;
		/* merge: .(goto)(200, 192, 200) */
		reached[0][192] = 1;
		;
		/* merge: sender_closed = 1(200, 193, 200) */
		reached[0][193] = 1;
		(trpt+1)->bup.oval = ((int)now.sender_closed);
		now.sender_closed = 1;
#ifdef VAR_RANGES
		logval("sender_closed", ((int)now.sender_closed));
#endif
		;
		_m = 3; goto P999; /* 2 */
	case 100: // STATE 195 - ring.pml:121 - [(1)] (213:0:1 - 1)
		IfNotBlocked
		reached[0][195] = 1;
		if (!(1))
			continue;
		/* merge: .(goto)(213, 198, 213) */
		reached[0][198] = 1;
		;
		/* merge: seen = receiver_parked(213, 199, 213) */
		reached[0][199] = 1;
		(trpt+1)->bup.oval = ((int)((P0 *)_this)->seen);
		((P0 *)_this)->seen = ((int)now.receiver_parked);
#ifdef VAR_RANGES
		logval("Sender:seen", ((int)((P0 *)_this)->seen));
#endif
		;
		_m = 3; goto P999; /* 2 */
	case 101: // STATE 201 - ring.pml:123 - [((((seen%2)==1)&&(seen!=told)))] (0:0:2 - 1)
		IfNotBlocked
		reached[0][201] = 1;
		if (!((((((int)((P0 *)_this)->seen)%2)==1)&&(((int)((P0 *)_this)->seen)!=((int)((P0 *)_this)->told)))))
			continue;
		if (TstOnly) return 1; /* TT */
		/* dead 1: seen */  (trpt+1)->bup.ovals = grab_ints(2);
		(trpt+1)->bup.ovals[0] = ((P0 *)_this)->seen;
#ifdef HAS_CODE
		if (!readtrail)
#endif
			((P0 *)_this)->seen = 0;
		if (TstOnly) return 1; /* TT */
		/* dead 1: told */  (trpt+1)->bup.ovals[1] = ((P0 *)_this)->told;
#ifdef HAS_CODE
		if (!readtrail)
#endif
			((P0 *)_this)->told = 0;
		_m = 3; goto P999; /* 0 */
	case 102: // STATE 206 - ring.pml:123 - [(heard[0])] (236:0:1 - 1)
		IfNotBlocked
		reached[0][206] = 1;
		if (!(((int)now.heard[0])))
			continue;
		/* merge: rung[0] = 1(236, 207, 236) */
		reached[0][207] = 1;
		(trpt+1)->bup.oval = ((int)now.rung[0]);
		now.rung[0] = 1;
#ifdef VAR_RANGES
		logval("rung[0]", ((int)now.rung[0]));
#endif
		;
		/* merge: .(goto)(236, 210, 236) */
		reached[0][210] = 1;
		;
		/* merge: .(goto)(0, 214, 236) */
		reached[0][214] = 1;
		;
		/* merge: goto leave(0, 215, 236) */
		reached[0][215] = 1;
		;
		_m = 3; goto P999; /* 4 */
	case 103: // STATE 210 - ring.pml:123 - [.(goto)] (0:236:0 - 2)
		IfNotBlocked
		reached[0][210] = 1;
		;
		/* merge: .(goto)(0, 214, 236) */
		reached[0][214] = 1;
		;
		/* merge: goto leave(0, 215, 236) */
		reached[0][215] = 1;
		;
		_m = 3; goto P999; /* 2 */
	case 104: // STATE 216 - ring.pml:129 - [sender_died = 1] (0:0:1 - 21)
		IfNotBlocked
		reached[0][216] = 1;
		(trpt+1)->bup.oval = ((int)now.sender_died);
		now.sender_died = 1;
#ifdef VAR_RANGES
		logval("sender_died", ((int)now.sender_died));
#endif
		;
		_m = 3; goto P999; /* 0 */
	case 105: // STATE 217 - ring.pml:130 - [sender_end = dead] (0:0:1 - 1)
		IfNotBlocked
		reached[0][217] = 1;
		(trpt+1)->bup.oval = now.sender_end;
		now.sender_end = 1;
#ifdef VAR_RANGES
		logval("sender_end", now.sender_end);
#endif
		;
		_m = 3; goto P999; /* 0 */
	case 106: // STATE 218 - ring.pml:135 - [sender_gone = 1] (0:224:2 - 1)
		IfNotBlocked
		reached[0][218] = 1;
		(trpt+1)->bup.ovals = grab_ints(2);
		(trpt+1)->bup.ovals[0] = ((int)now.sender_gone);
		now.sender_gone = 1;
#ifdef VAR_RANGES
		logval("sender_gone", ((int)now.sender_gone));
#endif
		;
		/* merge: heard[1] = 0(224, 219, 224) */
		reached[0][219] = 1;
		(trpt+1)->bup.ovals[1] = ((int)now.heard[1]);
		now.heard[1] = 0;
#ifdef VAR_RANGES
		logval("heard[1]", ((int)now.heard[1]));
#endif
		;
		_m = 3; goto P999; /* 1 */
	case 107: // STATE 220 - ring.pml:137 - [(to_sender)] (229:0:2 - 1)
		IfNotBlocked
		reached[0][220] = 1;
		if (!(((int)now.to_sender)))
			continue;
		/* merge: to_sender = 0(229, 221, 229) */
		reached[0][221] = 1;
		(trpt+1)->bup.ovals = grab_ints(2);
		(trpt+1)->bup.ovals[0] = ((int)now.to_sender);
		now.to_sender = 0;
#ifdef VAR_RANGES
		logval("to_sender", ((int)now.to_sender));
#endif
		;
		/* merge: writers[0] = (writers[0]-1)(229, 222, 229) */
		reached[0][222] = 1;
		(trpt+1)->bup.ovals[1] = ((int)now.writers[0]);
		now.writers[0] = (((int)now.writers[0])-1);
#ifdef VAR_RANGES
		logval("writers[0]", ((int)now.writers[0]));
#endif
		;
		/* merge: .(goto)(0, 225, 229) */
		reached[0][225] = 1;
		;
		_m = 3; goto P999; /* 3 */
	case 108: // STATE 226 - ring.pml:138 - [(rope)] (234:0:2 - 1)
		IfNotBlocked
		reached[0][226] = 1;
		if (!(((int)((P0 *)_this)->rope)))
			continue;
		if (TstOnly) return 1; /* TT */
		/* dead 1: rope */  (trpt+1)->bup.ovals = grab_ints(2);
		(trpt+1)->bup.ovals[0] = ((P0 *)_this)->rope;
#ifdef HAS_CODE
		if (!readtrail)
#endif
			((P0 *)_this)->rope = 0;
		/* merge: writers[0] = (writers[0]-1)(0, 227, 234) */
		reached[0][227] = 1;
		(trpt+1)->bup.ovals[1] = ((int)now.writers[0]);
		now.writers[0] = (((int)now.writers[0])-1);
#ifdef VAR_RANGES
		logval("writers[0]", ((int)now.writers[0]));
#endif
		;
		/* merge: .(goto)(0, 230, 234) */
		reached[0][230] = 1;
		;
		_m = 3; goto P999; /* 2 */
	case 109: // STATE 231 - ring.pml:139 - [(own_rope)] (237:0:2 - 1)
		IfNotBlocked
		reached[0][231] = 1;
		if (!(((int)((P0 *)_this)->own_rope)))
			continue;
		if (TstOnly) return 1; /* TT */
		/* dead 1: own_rope */  (trpt+1)->bup.ovals = grab_ints(2);
		(trpt+1)->bup.ovals[0] = ((P0 *)_this)->own_rope;
#ifdef HAS_CODE
		if (!readtrail)
#endif
			((P0 *)_this)->own_rope = 0;
		/* merge: writers[1] = (writers[1]-1)(237, 232, 237) */
		reached[0][232] = 1;
		(trpt+1)->bup.ovals[1] = ((int)now.writers[1]);
		now.writers[1] = (((int)now.writers[1])-1);
#ifdef VAR_RANGES
		logval("writers[1]", ((int)now.writers[1]));
#endif
		;
		/* merge: .(goto)(237, 235, 237) */
		reached[0][235] = 1;
		;
		_m = 3; goto P999; /* 2 */
	case 110: // STATE 235 - ring.pml:140 - [.(goto)] (0:237:0 - 2)
		IfNotBlocked
		reached[0][235] = 1;
		;
		_m = 3; goto P999; /* 0 */
	case 111: // STATE 237 - ring.pml:141 - [-end-] (0:0:0 - 1)
		IfNotBlocked
		reached[0][237] = 1;
		if (!delproc(1, II)) continue;
		_m = 3; goto P999; /* 0 */
	case  _T5:	/* np_ */
		if (!((!(trpt->o_pm&4) && !(trpt->tau&128))))
			continue;
		/* else fall through */
	case  _T2:	/* true */
		_m = 3; goto P999;
#undef rand
	}

