	switch (t->back) {
	default: Uerror("bad return move");
	case  0: goto R999; /* nothing to undo */

		 /* PROC Claims */
;
		
	case 3: // STATE 1
		goto R999;

	case 4: // STATE 9
		;
		p_restor(II);
		;
		;
		goto R999;

		 /* PROC Receiver */

	case 5: // STATE 7
		;
		((P1 *)_this)->own_rope = trpt->bup.ovals[2];
		now.heard[0] = trpt->bup.ovals[1];
		now.writers[0] = trpt->bup.ovals[0];
		;
		ungrab_ints(trpt->bup.ovals, 3);
		goto R999;

	case 6: // STATE 7
		;
		((P1 *)_this)->own_rope = trpt->bup.ovals[2];
		now.heard[0] = trpt->bup.ovals[1];
		now.writers[0] = trpt->bup.ovals[0];
		;
		ungrab_ints(trpt->bup.ovals, 3);
		goto R999;

	case 7: // STATE 14
		;
		now.receiver_end = trpt->bup.oval;
		;
		goto R999;
;
		
	case 8: // STATE 20
		goto R999;

	case 9: // STATE 18
		;
		now.writers[0] = trpt->bup.ovals[1];
		now.to_sender = trpt->bup.ovals[0];
		;
		ungrab_ints(trpt->bup.ovals, 2);
		goto R999;

	case 10: // STATE 27
		;
		((P1 *)_this)->own_rope = trpt->bup.ovals[1];
		now.writers[0] = trpt->bup.ovals[0];
		;
		ungrab_ints(trpt->bup.ovals, 2);
		goto R999;

	case 11: // STATE 27
		;
		((P1 *)_this)->own_rope = trpt->bup.ovals[1];
		now.writers[0] = trpt->bup.ovals[0];
		;
		ungrab_ints(trpt->bup.ovals, 2);
		goto R999;

	case 12: // STATE 32
		;
		((P1 *)_this)->rope = trpt->bup.ovals[1];
		now.to_receiver = trpt->bup.ovals[0];
		;
		ungrab_ints(trpt->bup.ovals, 2);
		goto R999;

	case 13: // STATE 35
		;
		now.receiver_end = trpt->bup.oval;
		;
		goto R999;

	case 14: // STATE 40
		;
		now.receiver_met = trpt->bup.oval;
		;
		goto R999;

	case 15: // STATE 45
		;
		((P1 *)_this)->seen = trpt->bup.oval;
		;
		goto R999;

	case 16: // STATE 47
		;
	/* 0 */	((P1 *)_this)->seen = trpt->bup.oval;
		;
		;
		goto R999;

	case 17: // STATE 52
		;
		((P1 *)_this)->one = trpt->bup.oval;
		;
		goto R999;

	case 18: // STATE 61
		;
		((P1 *)_this)->taken = trpt->bup.ovals[1];
		((P1 *)_this)->seen = trpt->bup.ovals[0];
		;
		ungrab_ints(trpt->bup.ovals, 2);
		goto R999;

	case 19: // STATE 62
		;
		now.received = trpt->bup.oval;
		;
		goto R999;

	case 20: // STATE 67
		;
		now.progress = trpt->bup.oval;
		;
		goto R999;

	case 21: // STATE 73
		;
		((P1 *)_this)->seen = trpt->bup.oval;
		;
		goto R999;

	case 22: // STATE 76
		;
		((P1 *)_this)->told = trpt->bup.ovals[1];
	/* 0 */	((P1 *)_this)->told = trpt->bup.ovals[0];
		;
		;
		ungrab_ints(trpt->bup.ovals, 2);
		goto R999;

	case 23: // STATE 82
		;
		now.rung[1] = trpt->bup.oval;
		;
		goto R999;
;
		
	case 24: // STATE 85
		goto R999;

	case 25: // STATE 95
		;
		now.receiver_parked = trpt->bup.oval;
		;
		goto R999;

	case 26: // STATE 101
		;
		((P1 *)_this)->seen = trpt->bup.oval;
		;
		goto R999;
;
		;
		
	case 28: // STATE 108
		;
		now.receiver_parked = trpt->bup.oval;
		;
		goto R999;

	case 29: // STATE 119
		;
		((P1 *)_this)->one = trpt->bup.oval;
		;
		goto R999;
;
		
	case 30: // STATE 123
		goto R999;

	case 31: // STATE 121
		;
		((P1 *)_this)->one = trpt->bup.oval;
		;
		goto R999;

	case 32: // STATE 125
		;
	/* 0 */	((P1 *)_this)->one = trpt->bup.oval;
		;
		;
		goto R999;

	case 33: // STATE 130
		;
		((P1 *)_this)->seen = trpt->bup.oval;
		;
		goto R999;
;
		;
		
	case 35: // STATE 137
		;
		now.receiver_parked = trpt->bup.oval;
		;
		goto R999;

	case 36: // STATE 143
		;
		now.receiver_end = trpt->bup.oval;
		;
		goto R999;

	case 37: // STATE 150
		;
		now.rung[0] = trpt->bup.oval;
		;
		goto R999;

	case 38: // STATE 153
		;
		((P1 *)_this)->alone = trpt->bup.oval;
		;
		goto R999;

	case 39: // STATE 161
		;
		now.receiver_parked = trpt->bup.oval;
		;
		goto R999;
;
		;
		
	case 41: // STATE 168
		;
		((P1 *)_this)->seen = trpt->bup.oval;
		;
		goto R999;
;
		;
		
	case 43: // STATE 180
		;
		now.receiver_end = trpt->bup.oval;
		;
		goto R999;
;
		
	case 44: // STATE 184
		goto R999;

	case 45: // STATE 182
		;
		now.receiver_end = trpt->bup.oval;
		;
		goto R999;

	case 46: // STATE 199
		;
		now.receiver_closed = trpt->bup.oval;
		;
		goto R999;

	case 47: // STATE 205
		;
		((P1 *)_this)->seen = trpt->bup.oval;
		;
		goto R999;

	case 48: // STATE 207
		;
	/* 1 */	((P1 *)_this)->told = trpt->bup.ovals[1];
	/* 0 */	((P1 *)_this)->seen = trpt->bup.ovals[0];
		;
		;
		ungrab_ints(trpt->bup.ovals, 2);
		goto R999;

	case 49: // STATE 213
		;
		now.rung[1] = trpt->bup.oval;
		;
		goto R999;
;
		
	case 50: // STATE 216
		goto R999;

	case 51: // STATE 222
		;
		now.receiver_died = trpt->bup.oval;
		;
		goto R999;

	case 52: // STATE 223
		;
		now.receiver_end = trpt->bup.oval;
		;
		goto R999;

	case 53: // STATE 225
		;
		now.heard[0] = trpt->bup.ovals[1];
		now.receiver_gone = trpt->bup.ovals[0];
		;
		ungrab_ints(trpt->bup.ovals, 2);
		goto R999;

	case 54: // STATE 228
		;
		now.writers[1] = trpt->bup.ovals[1];
		now.to_receiver = trpt->bup.ovals[0];
		;
		ungrab_ints(trpt->bup.ovals, 2);
		goto R999;

	case 55: // STATE 233
		;
		now.writers[1] = trpt->bup.ovals[1];
	/* 0 */	((P1 *)_this)->rope = trpt->bup.ovals[0];
		;
		;
		ungrab_ints(trpt->bup.ovals, 2);
		goto R999;

	case 56: // STATE 238
		;
		now.writers[0] = trpt->bup.ovals[1];
	/* 0 */	((P1 *)_this)->own_rope = trpt->bup.ovals[0];
		;
		;
		ungrab_ints(trpt->bup.ovals, 2);
		goto R999;
;
		
	case 57: // STATE 241
		goto R999;

	case 58: // STATE 243
		;
		p_restor(II);
		;
		;
		goto R999;

		 /* PROC Sender */

	case 59: // STATE 7
		;
		((P0 *)_this)->own_rope = trpt->bup.ovals[2];
		now.heard[1] = trpt->bup.ovals[1];
		now.writers[1] = trpt->bup.ovals[0];
		;
		ungrab_ints(trpt->bup.ovals, 3);
		goto R999;

	case 60: // STATE 7
		;
		((P0 *)_this)->own_rope = trpt->bup.ovals[2];
		now.heard[1] = trpt->bup.ovals[1];
		now.writers[1] = trpt->bup.ovals[0];
		;
		ungrab_ints(trpt->bup.ovals, 3);
		goto R999;

	case 61: // STATE 14
		;
		now.sender_end = trpt->bup.oval;
		;
		goto R999;
;
		
	case 62: // STATE 20
		goto R999;

	case 63: // STATE 18
		;
		now.writers[1] = trpt->bup.ovals[1];
		now.to_receiver = trpt->bup.ovals[0];
		;
		ungrab_ints(trpt->bup.ovals, 2);
		goto R999;

	case 64: // STATE 27
		;
		((P0 *)_this)->own_rope = trpt->bup.ovals[1];
		now.writers[1] = trpt->bup.ovals[0];
		;
		ungrab_ints(trpt->bup.ovals, 2);
		goto R999;

	case 65: // STATE 27
		;
		((P0 *)_this)->own_rope = trpt->bup.ovals[1];
		now.writers[1] = trpt->bup.ovals[0];
		;
		ungrab_ints(trpt->bup.ovals, 2);
		goto R999;

	case 66: // STATE 32
		;
		((P0 *)_this)->rope = trpt->bup.ovals[1];
		now.to_sender = trpt->bup.ovals[0];
		;
		ungrab_ints(trpt->bup.ovals, 2);
		goto R999;

	case 67: // STATE 35
		;
		now.sender_end = trpt->bup.oval;
		;
		goto R999;

	case 68: // STATE 40
		;
		now.sender_met = trpt->bup.oval;
		;
		goto R999;

	case 69: // STATE 41
		;
	/* 0 */	((P0 *)_this)->sent = trpt->bup.oval;
		;
		;
		goto R999;

	case 70: // STATE 49
		;
		now.sender_end = trpt->bup.oval;
		;
		goto R999;
;
		;
		
	case 72: // STATE 63
		;
		now.sender_end = trpt->bup.oval;
		;
		goto R999;
;
		
	case 73: // STATE 68
		goto R999;

	case 74: // STATE 66
		;
		((P0 *)_this)->taken = trpt->bup.oval;
		;
		goto R999;
;
		;
		
	case 76: // STATE 79
		;
		now.sender_parked = trpt->bup.oval;
		;
		goto R999;

	case 77: // STATE 86
		;
		now.sender_end = trpt->bup.oval;
		;
		goto R999;
;
		
	case 78: // STATE 91
		goto R999;

	case 79: // STATE 89
		;
		((P0 *)_this)->taken = trpt->bup.oval;
		;
		goto R999;
;
		;
		
	case 81: // STATE 98
		;
		now.sender_parked = trpt->bup.oval;
		;
		goto R999;

	case 82: // STATE 106
		;
		now.rung[1] = trpt->bup.oval;
		;
		goto R999;

	case 83: // STATE 109
		;
		((P0 *)_this)->alone = trpt->bup.oval;
		;
		goto R999;

	case 84: // STATE 117
		;
		now.sender_parked = trpt->bup.oval;
		;
		goto R999;

	case 85: // STATE 123
		;
		((P0 *)_this)->taken = trpt->bup.oval;
		;
		goto R999;

	case 86: // STATE 125
		;
	/* 2 */	((P0 *)_this)->alone = trpt->bup.ovals[2];
	/* 1 */	((P0 *)_this)->taken = trpt->bup.ovals[1];
	/* 0 */	((P0 *)_this)->sent = trpt->bup.ovals[0];
		;
		;
		ungrab_ints(trpt->bup.ovals, 3);
		goto R999;

	case 87: // STATE 131
		;
		now.sender_end = trpt->bup.oval;
		;
		goto R999;
;
		
	case 88: // STATE 135
		goto R999;

	case 89: // STATE 133
		;
		now.sender_end = trpt->bup.oval;
		;
		goto R999;

	case 90: // STATE 148
		;
		now.first[ Index((((P0 *)_this)->sent%2), 2) ] = trpt->bup.oval;
		;
		goto R999;

	case 91: // STATE 154
		;
		now.second[ Index((((P0 *)_this)->sent%2), 2) ] = trpt->bup.oval;
		;
		goto R999;

	case 92: // STATE 163
		;
		((P0 *)_this)->sent = trpt->bup.ovals[2];
		now.committed = trpt->bup.ovals[1];
		now.word[ Index((((P0 *)_this)->sent%2), 2) ] = trpt->bup.ovals[0];
		;
		ungrab_ints(trpt->bup.ovals, 3);
		goto R999;

	case 93: // STATE 163
		;
		((P0 *)_this)->sent = trpt->bup.ovals[2];
		now.committed = trpt->bup.ovals[1];
		now.word[ Index((((P0 *)_this)->sent%2), 2) ] = trpt->bup.ovals[0];
		;
		ungrab_ints(trpt->bup.ovals, 3);
		goto R999;

	case 94: // STATE 168
		;
		((P0 *)_this)->seen = trpt->bup.oval;
		;
		goto R999;

	case 95: // STATE 171
		;
		((P0 *)_this)->told = trpt->bup.ovals[1];
	/* 0 */	((P0 *)_this)->told = trpt->bup.ovals[0];
		;
		;
		ungrab_ints(trpt->bup.ovals, 2);
		goto R999;

	case 96: // STATE 177
		;
		now.rung[0] = trpt->bup.oval;
		;
		goto R999;
;
		
	case 97: // STATE 180
		goto R999;

	case 98: // STATE 188
		;
		now.sender_end = trpt->bup.oval;
		;
		goto R999;

	case 99: // STATE 193
		;
		now.sender_closed = trpt->bup.oval;
		;
		goto R999;

	case 100: // STATE 199
		;
		((P0 *)_this)->seen = trpt->bup.oval;
		;
		goto R999;

	case 101: // STATE 201
		;
	/* 1 */	((P0 *)_this)->told = trpt->bup.ovals[1];
	/* 0 */	((P0 *)_this)->seen = trpt->bup.ovals[0];
		;
		;
		ungrab_ints(trpt->bup.ovals, 2);
		goto R999;

	case 102: // STATE 207
		;
		now.rung[0] = trpt->bup.oval;
		;
		goto R999;
;
		
	case 103: // STATE 210
		goto R999;

	case 104: // STATE 216
		;
		now.sender_died = trpt->bup.oval;
		;
		goto R999;

	case 105: // STATE 217
		;
		now.sender_end = trpt->bup.oval;
		;
		goto R999;

	case 106: // STATE 219
		;
		now.heard[1] = trpt->bup.ovals[1];
		now.sender_gone = trpt->bup.ovals[0];
		;
		ungrab_ints(trpt->bup.ovals, 2);
		goto R999;

	case 107: // STATE 222
		;
		now.writers[0] = trpt->bup.ovals[1];
		now.to_sender = trpt->bup.ovals[0];
		;
		ungrab_ints(trpt->bup.ovals, 2);
		goto R999;

	case 108: // STATE 227
		;
		now.writers[0] = trpt->bup.ovals[1];
	/* 0 */	((P0 *)_this)->rope = trpt->bup.ovals[0];
		;
		;
		ungrab_ints(trpt->bup.ovals, 2);
		goto R999;

	case 109: // STATE 232
		;
		now.writers[1] = trpt->bup.ovals[1];
	/* 0 */	((P0 *)_this)->own_rope = trpt->bup.ovals[0];
		;
		;
		ungrab_ints(trpt->bup.ovals, 2);
		goto R999;
;
		
	case 110: // STATE 235
		goto R999;

	case 111: // STATE 237
		;
		p_restor(II);
		;
		;
		goto R999;
	}

