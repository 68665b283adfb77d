#ifdef PEG
struct T_SRC {
	char *fl; int ln;
} T_SRC[NTRANS];

void
tr_2_src(int m, char *file, int ln)
{	T_SRC[m].fl = file;
	T_SRC[m].ln = ln;
}

void
putpeg(int n, int m)
{	printf("%5d	trans %4d ", m, n);
	printf("%s:%d\n",
		T_SRC[n].fl, T_SRC[n].ln);
}
#endif

void
settable(void)
{	Trans *T;
	Trans *settr(int, int, int, int, int, char *, int, int, int);

	trans = (Trans ***) emalloc(4*sizeof(Trans **));

	/* proctype 2: Claims */

	trans[2] = (Trans **) emalloc(10*sizeof(Trans *));

	T = trans[ 2][8] = settr(487,2,0,0,0,"ATOMIC", 1, 2, 0);
	T->nxt	= settr(487,2,1,0,0,"ATOMIC", 1, 2, 0);
	trans[2][1]	= settr(480,4,9,3,3,"((((sender_gone&&receiver_gone)&&(sender_end!=none))&&(receiver_end!=none)))", 1, 2, 0); /* m: 2 -> 9,0 */
	reached2[2] = 1;
	trans[2][2]	= settr(0,0,0,0,0,"assert((!(((receiver_end==closed)||(receiver_end==peer_died)))||(received==committed)))",0,0,0);
	trans[2][3]	= settr(0,0,0,0,0,"assert((((receiver_end!=peer_died)||sender_died)||!(sender_met)))",0,0,0);
	trans[2][4]	= settr(0,0,0,0,0,"assert((((sender_end!=peer_died)||receiver_died)||!(receiver_met)))",0,0,0);
	trans[2][5]	= settr(0,0,0,0,0,"assert(((receiver_end!=closed)||sender_met))",0,0,0);
	trans[2][6]	= settr(0,0,0,0,0,"assert(((sender_end!=all)||(committed==3)))",0,0,0);
	trans[2][7]	= settr(0,0,0,0,0,"assert(((((writers[0]==0)&&(writers[1]==0))&&!(to_sender))&&!(to_receiver)))",0,0,0);
	trans[2][9]	= settr(488,0,0,4,4,"-end-", 0, 3500, 0);

	/* proctype 1: Receiver */

	trans[1] = (Trans **) emalloc(244*sizeof(Trans *));

	T = trans[ 1][8] = settr(244,2,0,0,0,"ATOMIC", 1, 2, 0);
	T->nxt	= settr(244,2,3,0,0,"ATOMIC", 1, 2, 0);
	T = trans[1][3] = settr(239,2,0,0,0,"IF", 1, 2, 0);
	T = T->nxt	= settr(239,2,1,0,0,"IF", 1, 2, 0);
	    T->nxt	= settr(239,2,2,0,0,"IF", 1, 2, 0);
	trans[1][1]	= settr(237,4,21,5,5,"(1)", 1, 2, 0); /* m: 5 -> 21,0 */
	reached1[5] = 1;
	trans[1][4]	= settr(240,2,5,1,0,".(goto)", 1, 2, 0); /* m: 5 -> 0,21 */
	reached1[5] = 1;
	trans[1][2]	= settr(238,0,222,1,0,"goto died", 1, 2, 0);
	trans[1][5]	= settr(241,4,21,6,6,"writers[0] = 1", 1, 2, 0); /* m: 6 -> 0,21 */
	reached1[6] = 1;
	trans[1][6]	= settr(0,0,0,0,0,"heard[0] = 1",0,0,0);
	trans[1][7]	= settr(0,0,0,0,0,"own_rope = 1",0,0,0);
	T = trans[ 1][21] = settr(257,2,0,0,0,"ATOMIC", 1, 2, 0);
	T->nxt	= settr(257,2,11,0,0,"ATOMIC", 1, 2, 0);
	T = trans[1][11] = settr(247,2,0,0,0,"IF", 1, 2, 0);
	T = T->nxt	= settr(247,2,9,0,0,"IF", 1, 2, 0);
	    T->nxt	= settr(247,2,10,0,0,"IF", 1, 2, 0);
	trans[1][9]	= settr(245,2,19,1,0,"(1)", 1, 2, 0);
	trans[1][12]	= settr(248,2,19,1,0,".(goto)", 1, 2, 0);
	trans[1][10]	= settr(246,0,222,1,0,"goto died", 1, 2, 0);
	T = trans[1][19] = settr(255,2,0,0,0,"IF", 1, 2, 0);
	T = T->nxt	= settr(255,2,13,0,0,"IF", 1, 2, 0);
	    T->nxt	= settr(255,2,16,0,0,"IF", 1, 2, 0);
	trans[1][13]	= settr(249,4,242,7,7,"(sender_gone)", 1, 2, 0); /* m: 14 -> 242,0 */
	reached1[14] = 1;
	trans[1][14]	= settr(0,0,0,0,0,"receiver_end = not_met",0,0,0);
	trans[1][15]	= settr(251,0,242,1,0,"goto leave", 1, 2, 0);
	trans[1][20]	= settr(256,0,28,8,8,".(goto)", 1, 2, 0);
	trans[1][16]	= settr(252,2,17,2,0,"else", 1, 2, 0);
	trans[1][17]	= settr(253,4,28,9,9,"to_sender = 1", 1, 2, 0); /* m: 18 -> 0,28 */
	reached1[18] = 1;
	trans[1][18]	= settr(0,0,0,0,0,"writers[0] = (writers[0]+1)",0,0,0);
	T = trans[ 1][28] = settr(264,2,0,0,0,"ATOMIC", 1, 2, 0);
	T->nxt	= settr(264,2,24,0,0,"ATOMIC", 1, 2, 0);
	T = trans[1][24] = settr(260,2,0,0,0,"IF", 1, 2, 0);
	T = T->nxt	= settr(260,2,22,0,0,"IF", 1, 2, 0);
	    T->nxt	= settr(260,2,23,0,0,"IF", 1, 2, 0);
	trans[1][22]	= settr(258,4,38,10,10,"(1)", 1, 2, 0); /* m: 26 -> 38,0 */
	reached1[26] = 1;
	trans[1][25]	= settr(261,2,26,1,0,".(goto)", 1, 2, 0); /* m: 26 -> 0,38 */
	reached1[26] = 1;
	trans[1][23]	= settr(259,0,222,1,0,"goto died", 1, 2, 0);
	trans[1][26]	= settr(262,4,38,11,11,"writers[0] = (writers[0]-1)", 1, 2, 0); /* m: 27 -> 0,38 */
	reached1[27] = 1;
	trans[1][27]	= settr(0,0,0,0,0,"own_rope = 0",0,0,0);
	T = trans[1][38] = settr(274,0,0,0,0,"IF", 0, 2, 0);
	T = T->nxt	= settr(274,0,29,0,0,"IF", 0, 2, 0);
	T = T->nxt	= settr(274,0,33,0,0,"IF", 0, 2, 0);
	    T->nxt	= settr(274,0,37,0,0,"IF", 0, 2, 0);
	trans[1][29]	= settr(265,0,222,1,0,"goto died", 0, 2, 0);
	trans[1][39]	= settr(275,0,40,1,0,".(goto)", 0, 2, 0);
	T = trans[ 1][33] = settr(269,2,0,0,0,"ATOMIC", 1, 2, 0);
	T->nxt	= settr(269,2,30,0,0,"ATOMIC", 1, 2, 0);
	trans[1][30]	= settr(266,0,40,12,12,"(to_receiver)", 1, 2, 0); /* m: 31 -> 40,0 */
	reached1[31] = 1;
	trans[1][31]	= settr(0,0,0,0,0,"to_receiver = 0",0,0,0);
	trans[1][32]	= settr(0,0,0,0,0,"rope = 1",0,0,0);
	T = trans[ 1][37] = settr(273,2,0,0,0,"ATOMIC", 1, 2, 0);
	T->nxt	= settr(273,2,34,0,0,"ATOMIC", 1, 2, 0);
	trans[1][34]	= settr(270,4,242,13,13,"((!(to_receiver)&&sender_gone))", 1, 2, 0); /* m: 35 -> 242,0 */
	reached1[35] = 1;
	trans[1][35]	= settr(0,0,0,0,0,"receiver_end = not_met",0,0,0);
	trans[1][36]	= settr(272,0,242,1,0,"goto leave", 1, 2, 0);
	trans[1][40]	= settr(276,0,192,14,14,"receiver_met = 1", 1, 2, 0);
	trans[1][193]	= settr(429,0,192,1,0,".(goto)", 0, 2, 0);
	T = trans[1][192] = settr(428,0,0,0,0,"DO", 0, 2, 0);
	    T->nxt	= settr(428,0,46,0,0,"DO", 0, 2, 0);
	T = trans[ 1][46] = settr(282,2,0,0,0,"ATOMIC", 1, 2, 0);
	T->nxt	= settr(282,2,43,0,0,"ATOMIC", 1, 2, 0);
	T = trans[1][43] = settr(279,2,0,0,0,"IF", 1, 2, 0);
	T = T->nxt	= settr(279,2,41,0,0,"IF", 1, 2, 0);
	    T->nxt	= settr(279,2,42,0,0,"IF", 1, 2, 0);
	trans[1][41]	= settr(277,4,190,15,15,"(1)", 1, 2, 0); /* m: 44 -> 190,0 */
	reached1[44] = 1;
	trans[1][44]	= settr(280,2,45,1,0,".(goto)", 1, 2, 0); /* m: 45 -> 0,190 */
	reached1[45] = 1;
	trans[1][42]	= settr(278,0,222,1,0,"goto died", 1, 2, 0);
	trans[1][45]	= settr(0,0,0,0,0,"seen = word[(taken%2)]",0,0,0);
	T = trans[1][190] = settr(426,0,0,0,0,"IF", 0, 2, 0);
	T = T->nxt	= settr(426,0,47,0,0,"IF", 0, 2, 0);
	    T->nxt	= settr(426,0,90,0,0,"IF", 0, 2, 0);
	trans[1][47]	= settr(283,0,53,16,16,"((seen==(taken+1)))", 0, 2, 0);
	T = trans[ 1][53] = settr(289,2,0,0,0,"ATOMIC", 1, 2, 0);
	T->nxt	= settr(289,2,50,0,0,"ATOMIC", 1, 2, 0);
	T = trans[1][50] = settr(286,2,0,0,0,"IF", 1, 2, 0);
	T = T->nxt	= settr(286,2,48,0,0,"IF", 1, 2, 0);
	    T->nxt	= settr(286,2,49,0,0,"IF", 1, 2, 0);
	trans[1][48]	= settr(284,4,59,17,17,"(1)", 1, 2, 0); /* m: 51 -> 59,0 */
	reached1[51] = 1;
	trans[1][51]	= settr(287,2,52,1,0,".(goto)", 1, 2, 0); /* m: 52 -> 0,59 */
	reached1[52] = 1;
	trans[1][49]	= settr(285,0,222,1,0,"goto died", 1, 2, 0);
	trans[1][52]	= settr(0,0,0,0,0,"one = first[(taken%2)]",0,0,0);
	T = trans[ 1][59] = settr(295,2,0,0,0,"ATOMIC", 1, 2, 0);
	T->nxt	= settr(295,2,56,0,0,"ATOMIC", 1, 2, 0);
	T = trans[1][56] = settr(292,2,0,0,0,"IF", 1, 2, 0);
	T = T->nxt	= settr(292,2,54,0,0,"IF", 1, 2, 0);
	    T->nxt	= settr(292,2,55,0,0,"IF", 1, 2, 0);
	trans[1][54]	= settr(290,0,62,18,18,"(1)", 1, 2, 0); /* m: 57 -> 62,0 */
	reached1[57] = 1;
	trans[1][57]	= settr(293,2,58,1,0,".(goto)", 1, 2, 0); /* m: 58 -> 0,62 */
	reached1[58] = 1;
	trans[1][55]	= settr(291,0,222,1,0,"goto died", 1, 2, 0);
	trans[1][58]	= settr(0,0,0,0,0,"seen = second[(taken%2)]",0,0,0);
	trans[1][60]	= settr(0,0,0,0,0,"assert(((one==(taken+1))&&(seen==(taken+1))))",0,0,0);
	trans[1][61]	= settr(0,0,0,0,0,"taken = (taken+1)",0,0,0);
	trans[1][62]	= settr(298,0,68,19,19,"received = taken", 1, 2, 0);
	T = trans[ 1][68] = settr(304,2,0,0,0,"ATOMIC", 1, 2, 0);
	T->nxt	= settr(304,2,65,0,0,"ATOMIC", 1, 2, 0);
	T = trans[1][65] = settr(301,2,0,0,0,"IF", 1, 2, 0);
	T = T->nxt	= settr(301,2,63,0,0,"IF", 1, 2, 0);
	    T->nxt	= settr(301,2,64,0,0,"IF", 1, 2, 0);
	trans[1][63]	= settr(299,4,74,20,20,"(1)", 1, 2, 0); /* m: 66 -> 74,0 */
	reached1[66] = 1;
	trans[1][66]	= settr(302,2,67,1,0,".(goto)", 1, 2, 0); /* m: 67 -> 0,74 */
	reached1[67] = 1;
	trans[1][64]	= settr(300,0,222,1,0,"goto died", 1, 2, 0);
	trans[1][67]	= settr(0,0,0,0,0,"progress = taken",0,0,0);
	T = trans[ 1][74] = settr(310,2,0,0,0,"ATOMIC", 1, 2, 0);
	T->nxt	= settr(310,2,71,0,0,"ATOMIC", 1, 2, 0);
	T = trans[1][71] = settr(307,2,0,0,0,"IF", 1, 2, 0);
	T = T->nxt	= settr(307,2,69,0,0,"IF", 1, 2, 0);
	    T->nxt	= settr(307,2,70,0,0,"IF", 1, 2, 0);
	trans[1][69]	= settr(305,4,88,21,21,"(1)", 1, 2, 0); /* m: 72 -> 88,0 */
	reached1[72] = 1;
	trans[1][72]	= settr(308,2,73,1,0,".(goto)", 1, 2, 0); /* m: 73 -> 0,88 */
	reached1[73] = 1;
	trans[1][70]	= settr(306,0,222,1,0,"goto died", 1, 2, 0);
	trans[1][73]	= settr(0,0,0,0,0,"seen = sender_parked",0,0,0);
	T = trans[1][88] = settr(324,0,0,0,0,"IF", 0, 2, 0);
	T = T->nxt	= settr(324,0,75,0,0,"IF", 0, 2, 0);
	    T->nxt	= settr(324,0,87,0,0,"IF", 0, 2, 0);
	trans[1][75]	= settr(311,0,86,22,22,"((((seen%2)==1)&&(seen!=told)))", 0, 2, 0); /* m: 76 -> 86,0 */
	reached1[76] = 1;
	trans[1][76]	= settr(0,0,0,0,0,"told = seen",0,0,0);
	T = trans[ 1][86] = settr(322,2,0,0,0,"ATOMIC", 1, 2, 0);
	T->nxt	= settr(322,2,79,0,0,"ATOMIC", 1, 2, 0);
	T = trans[1][79] = settr(315,2,0,0,0,"IF", 1, 2, 0);
	T = T->nxt	= settr(315,2,77,0,0,"IF", 1, 2, 0);
	    T->nxt	= settr(315,2,78,0,0,"IF", 1, 2, 0);
	trans[1][77]	= settr(313,2,84,1,0,"(1)", 1, 2, 0);
	trans[1][80]	= settr(316,2,84,1,0,".(goto)", 1, 2, 0);
	trans[1][78]	= settr(314,0,222,1,0,"goto died", 1, 2, 0);
	T = trans[1][84] = settr(320,2,0,0,0,"IF", 1, 2, 0);
	T = T->nxt	= settr(320,2,81,0,0,"IF", 1, 2, 0);
	    T->nxt	= settr(320,2,83,0,0,"IF", 1, 2, 0);
	trans[1][81]	= settr(317,0,192,23,23,"(heard[1])", 1, 2, 0); /* m: 82 -> 192,0 */
	reached1[82] = 1;
	trans[1][82]	= settr(0,0,0,0,0,"rung[1] = 1",0,0,0);
	trans[1][85]	= settr(321,0,192,24,24,".(goto)", 1, 2, 0);
	trans[1][83]	= settr(319,2,85,2,0,"else", 1, 2, 0);
	trans[1][89]	= settr(325,0,192,1,0,".(goto)", 0, 2, 0);
	trans[1][87]	= settr(323,0,192,2,0,"else", 0, 2, 0);
	trans[1][191]	= settr(427,0,192,1,0,".(goto)", 0, 2, 0);
	trans[1][90]	= settr(326,0,96,2,0,"else", 0, 2, 0);
	T = trans[ 1][96] = settr(332,2,0,0,0,"ATOMIC", 1, 2, 0);
	T->nxt	= settr(332,2,93,0,0,"ATOMIC", 1, 2, 0);
	T = trans[1][93] = settr(329,2,0,0,0,"IF", 1, 2, 0);
	T = T->nxt	= settr(329,2,91,0,0,"IF", 1, 2, 0);
	    T->nxt	= settr(329,2,92,0,0,"IF", 1, 2, 0);
	trans[1][91]	= settr(327,4,102,25,25,"(1)", 1, 2, 0); /* m: 94 -> 102,0 */
	reached1[94] = 1;
	trans[1][94]	= settr(330,2,95,1,0,".(goto)", 1, 2, 0); /* m: 95 -> 0,102 */
	reached1[95] = 1;
	trans[1][92]	= settr(328,0,222,1,0,"goto died", 1, 2, 0);
	trans[1][95]	= settr(0,0,0,0,0,"receiver_parked = (receiver_parked+1)",0,0,0);
	T = trans[ 1][102] = settr(338,2,0,0,0,"ATOMIC", 1, 2, 0);
	T->nxt	= settr(338,2,99,0,0,"ATOMIC", 1, 2, 0);
	T = trans[1][99] = settr(335,2,0,0,0,"IF", 1, 2, 0);
	T = T->nxt	= settr(335,2,97,0,0,"IF", 1, 2, 0);
	    T->nxt	= settr(335,2,98,0,0,"IF", 1, 2, 0);
	trans[1][97]	= settr(333,4,112,26,26,"(1)", 1, 2, 0); /* m: 100 -> 112,0 */
	reached1[100] = 1;
	trans[1][100]	= settr(336,2,101,1,0,".(goto)", 1, 2, 0); /* m: 101 -> 0,112 */
	reached1[101] = 1;
	trans[1][98]	= settr(334,0,222,1,0,"goto died", 1, 2, 0);
	trans[1][101]	= settr(0,0,0,0,0,"seen = word[(taken%2)]",0,0,0);
	T = trans[1][112] = settr(348,0,0,0,0,"IF", 0, 2, 0);
	T = T->nxt	= settr(348,0,103,0,0,"IF", 0, 2, 0);
	    T->nxt	= settr(348,0,111,0,0,"IF", 0, 2, 0);
	trans[1][103]	= settr(339,0,109,27,0,"((seen==(taken+1)))", 0, 2, 0);
	T = trans[ 1][109] = settr(345,2,0,0,0,"ATOMIC", 1, 2, 0);
	T->nxt	= settr(345,2,106,0,0,"ATOMIC", 1, 2, 0);
	T = trans[1][106] = settr(342,2,0,0,0,"IF", 1, 2, 0);
	T = T->nxt	= settr(342,2,104,0,0,"IF", 1, 2, 0);
	    T->nxt	= settr(342,2,105,0,0,"IF", 1, 2, 0);
	trans[1][104]	= settr(340,0,190,28,28,"(1)", 1, 2, 0); /* m: 107 -> 190,0 */
	reached1[107] = 1;
	trans[1][107]	= settr(343,2,108,1,0,".(goto)", 1, 2, 0); /* m: 108 -> 0,190 */
	reached1[108] = 1;
	trans[1][105]	= settr(341,0,222,1,0,"goto died", 1, 2, 0);
	trans[1][108]	= settr(0,0,0,0,0,"receiver_parked = (receiver_parked+1)",0,0,0);
	trans[1][110]	= settr(346,0,190,1,0,"goto found", 0, 2, 0);
	trans[1][113]	= settr(349,0,124,1,0,".(goto)", 0, 2, 0);
	trans[1][111]	= settr(347,0,124,2,0,"else", 0, 2, 0);
	T = trans[ 1][124] = settr(360,2,0,0,0,"ATOMIC", 1, 2, 0);
	T->nxt	= settr(360,2,116,0,0,"ATOMIC", 1, 2, 0);
	T = trans[1][116] = settr(352,2,0,0,0,"IF", 1, 2, 0);
	T = T->nxt	= settr(352,2,114,0,0,"IF", 1, 2, 0);
	    T->nxt	= settr(352,2,115,0,0,"IF", 1, 2, 0);
	trans[1][114]	= settr(350,2,122,1,0,"(1)", 1, 2, 0);
	trans[1][117]	= settr(353,2,122,1,0,".(goto)", 1, 2, 0);
	trans[1][115]	= settr(351,0,222,1,0,"goto died", 1, 2, 0);
	T = trans[1][122] = settr(358,2,0,0,0,"IF", 1, 2, 0);
	T = T->nxt	= settr(358,2,118,0,0,"IF", 1, 2, 0);
	    T->nxt	= settr(358,2,120,0,0,"IF", 1, 2, 0);
	trans[1][118]	= settr(354,4,146,29,29,"(sender_closed)", 1, 2, 0); /* m: 119 -> 146,0 */
	reached1[119] = 1;
	trans[1][119]	= settr(0,0,0,0,0,"one = 1",0,0,0);
	trans[1][123]	= settr(359,0,146,30,30,".(goto)", 1, 2, 0);
	trans[1][120]	= settr(356,2,121,2,0,"else", 1, 2, 0);
	trans[1][121]	= settr(357,4,146,31,31,"one = 0", 1, 2, 0); /* m: 123 -> 0,146 */
	reached1[123] = 1;
	T = trans[1][146] = settr(382,0,0,0,0,"IF", 0, 2, 0);
	T = T->nxt	= settr(382,0,125,0,0,"IF", 0, 2, 0);
	    T->nxt	= settr(382,0,145,0,0,"IF", 0, 2, 0);
	trans[1][125]	= settr(361,0,131,32,32,"((one==1))", 0, 2, 0);
	T = trans[ 1][131] = settr(367,2,0,0,0,"ATOMIC", 1, 2, 0);
	T->nxt	= settr(367,2,128,0,0,"ATOMIC", 1, 2, 0);
	T = trans[1][128] = settr(364,2,0,0,0,"IF", 1, 2, 0);
	T = T->nxt	= settr(364,2,126,0,0,"IF", 1, 2, 0);
	    T->nxt	= settr(364,2,127,0,0,"IF", 1, 2, 0);
	trans[1][126]	= settr(362,4,141,33,33,"(1)", 1, 2, 0); /* m: 129 -> 141,0 */
	reached1[129] = 1;
	trans[1][129]	= settr(365,2,130,1,0,".(goto)", 1, 2, 0); /* m: 130 -> 0,141 */
	reached1[130] = 1;
	trans[1][127]	= settr(363,0,222,1,0,"goto died", 1, 2, 0);
	trans[1][130]	= settr(0,0,0,0,0,"seen = word[(taken%2)]",0,0,0);
	T = trans[1][141] = settr(377,0,0,0,0,"IF", 0, 2, 0);
	T = T->nxt	= settr(377,0,132,0,0,"IF", 0, 2, 0);
	    T->nxt	= settr(377,0,140,0,0,"IF", 0, 2, 0);
	trans[1][132]	= settr(368,0,138,34,0,"((seen==(taken+1)))", 0, 2, 0);
	T = trans[ 1][138] = settr(374,2,0,0,0,"ATOMIC", 1, 2, 0);
	T->nxt	= settr(374,2,135,0,0,"ATOMIC", 1, 2, 0);
	T = trans[1][135] = settr(371,2,0,0,0,"IF", 1, 2, 0);
	T = T->nxt	= settr(371,2,133,0,0,"IF", 1, 2, 0);
	    T->nxt	= settr(371,2,134,0,0,"IF", 1, 2, 0);
	trans[1][133]	= settr(369,0,190,35,35,"(1)", 1, 2, 0); /* m: 136 -> 190,0 */
	reached1[136] = 1;
	trans[1][136]	= settr(372,2,137,1,0,".(goto)", 1, 2, 0); /* m: 137 -> 0,190 */
	reached1[137] = 1;
	trans[1][134]	= settr(370,0,222,1,0,"goto died", 1, 2, 0);
	trans[1][137]	= settr(0,0,0,0,0,"receiver_parked = (receiver_parked+1)",0,0,0);
	trans[1][139]	= settr(375,0,190,1,0,"goto found", 0, 2, 0);
	trans[1][142]	= settr(378,0,143,1,0,".(goto)", 0, 2, 0);
	trans[1][140]	= settr(376,0,143,2,0,"else", 0, 2, 0);
	trans[1][143]	= settr(379,0,200,36,36,"receiver_end = closed", 1, 2, 0);
	trans[1][144]	= settr(380,0,200,1,0,"goto close", 0, 2, 0);
	trans[1][147]	= settr(383,0,155,1,0,".(goto)", 0, 2, 0);
	trans[1][145]	= settr(381,0,155,2,0,"else", 0, 2, 0);
	T = trans[1][155] = settr(391,0,0,0,0,"IF", 0, 2, 0);
	T = T->nxt	= settr(391,0,148,0,0,"IF", 0, 2, 0);
	T = T->nxt	= settr(391,0,151,0,0,"IF", 0, 2, 0);
	    T->nxt	= settr(391,0,154,0,0,"IF", 0, 2, 0);
	trans[1][148]	= settr(384,0,222,1,0,"goto died", 0, 2, 0);
	trans[1][156]	= settr(392,0,162,1,0,".(goto)", 0, 2, 0);
	T = trans[ 1][151] = settr(387,2,0,0,0,"ATOMIC", 1, 2, 0);
	T->nxt	= settr(387,2,149,0,0,"ATOMIC", 1, 2, 0);
	trans[1][149]	= settr(385,0,162,37,37,"(rung[0])", 1, 2, 0); /* m: 150 -> 162,0 */
	reached1[150] = 1;
	trans[1][150]	= settr(0,0,0,0,0,"rung[0] = 0",0,0,0);
	T = trans[ 1][154] = settr(390,2,0,0,0,"ATOMIC", 1, 2, 0);
	T->nxt	= settr(390,2,152,0,0,"ATOMIC", 1, 2, 0);
	trans[1][152]	= settr(388,0,162,38,38,"((!(rung[0])&&(writers[0]==0)))", 1, 2, 0); /* m: 153 -> 162,0 */
	reached1[153] = 1;
	trans[1][153]	= settr(0,0,0,0,0,"alone = 1",0,0,0);
	T = trans[ 1][162] = settr(398,2,0,0,0,"ATOMIC", 1, 2, 0);
	T->nxt	= settr(398,2,159,0,0,"ATOMIC", 1, 2, 0);
	T = trans[1][159] = settr(395,2,0,0,0,"IF", 1, 2, 0);
	T = T->nxt	= settr(395,2,157,0,0,"IF", 1, 2, 0);
	    T->nxt	= settr(395,2,158,0,0,"IF", 1, 2, 0);
	trans[1][157]	= settr(393,4,188,39,39,"(1)", 1, 2, 0); /* m: 160 -> 188,0 */
	reached1[160] = 1;
	trans[1][160]	= settr(396,2,161,1,0,".(goto)", 1, 2, 0); /* m: 161 -> 0,188 */
	reached1[161] = 1;
	trans[1][158]	= settr(394,0,222,1,0,"goto died", 1, 2, 0);
	trans[1][161]	= settr(0,0,0,0,0,"receiver_parked = (receiver_parked+1)",0,0,0);
	T = trans[1][188] = settr(424,0,0,0,0,"IF", 0, 2, 0);
	T = T->nxt	= settr(424,0,163,0,0,"IF", 0, 2, 0);
	    T->nxt	= settr(424,0,187,0,0,"IF", 0, 2, 0);
	trans[1][163]	= settr(399,0,169,40,0,"(alone)", 0, 2, 0);
	T = trans[ 1][169] = settr(405,2,0,0,0,"ATOMIC", 1, 2, 0);
	T->nxt	= settr(405,2,166,0,0,"ATOMIC", 1, 2, 0);
	T = trans[1][166] = settr(402,2,0,0,0,"IF", 1, 2, 0);
	T = T->nxt	= settr(402,2,164,0,0,"IF", 1, 2, 0);
	    T->nxt	= settr(402,2,165,0,0,"IF", 1, 2, 0);
	trans[1][164]	= settr(400,4,173,41,41,"(1)", 1, 2, 0); /* m: 167 -> 173,0 */
	reached1[167] = 1;
	trans[1][167]	= settr(403,2,168,1,0,".(goto)", 1, 2, 0); /* m: 168 -> 0,173 */
	reached1[168] = 1;
	trans[1][165]	= settr(401,0,222,1,0,"goto died", 1, 2, 0);
	trans[1][168]	= settr(0,0,0,0,0,"seen = word[(taken%2)]",0,0,0);
	T = trans[1][173] = settr(409,0,0,0,0,"IF", 0, 2, 0);
	T = T->nxt	= settr(409,0,170,0,0,"IF", 0, 2, 0);
	    T->nxt	= settr(409,0,172,0,0,"IF", 0, 2, 0);
	trans[1][170]	= settr(406,0,190,42,0,"((seen==(taken+1)))", 0, 2, 0);
	trans[1][171]	= settr(407,0,190,1,0,"goto found", 0, 2, 0);
	trans[1][174]	= settr(410,0,185,1,0,".(goto)", 0, 2, 0);
	trans[1][172]	= settr(408,0,185,2,0,"else", 0, 2, 0);
	T = trans[ 1][185] = settr(421,2,0,0,0,"ATOMIC", 1, 2, 0);
	T->nxt	= settr(421,2,177,0,0,"ATOMIC", 1, 2, 0);
	T = trans[1][177] = settr(413,2,0,0,0,"IF", 1, 2, 0);
	T = T->nxt	= settr(413,2,175,0,0,"IF", 1, 2, 0);
	    T->nxt	= settr(413,2,176,0,0,"IF", 1, 2, 0);
	trans[1][175]	= settr(411,2,183,1,0,"(1)", 1, 2, 0);
	trans[1][178]	= settr(414,2,183,1,0,".(goto)", 1, 2, 0);
	trans[1][176]	= settr(412,0,222,1,0,"goto died", 1, 2, 0);
	T = trans[1][183] = settr(419,2,0,0,0,"IF", 1, 2, 0);
	T = T->nxt	= settr(419,2,179,0,0,"IF", 1, 2, 0);
	    T->nxt	= settr(419,2,181,0,0,"IF", 1, 2, 0);
	trans[1][179]	= settr(415,0,200,43,43,"(sender_closed)", 1, 2, 0); /* m: 180 -> 200,0 */
	reached1[180] = 1;
	trans[1][180]	= settr(0,0,0,0,0,"receiver_end = closed",0,0,0);
	trans[1][184]	= settr(420,0,200,44,44,".(goto)", 1, 2, 0);
	trans[1][181]	= settr(417,2,182,2,0,"else", 1, 2, 0);
	trans[1][182]	= settr(418,0,200,45,45,"receiver_end = peer_died", 1, 2, 0); /* m: 184 -> 0,200 */
	reached1[184] = 1;
	trans[1][186]	= settr(422,0,200,1,0,"goto close", 0, 2, 0);
	trans[1][189]	= settr(425,0,192,1,0,".(goto)", 0, 2, 0);
	trans[1][187]	= settr(423,0,192,2,0,"else", 0, 2, 0);
	trans[1][194]	= settr(430,0,200,1,0,"break", 0, 2, 0);
	T = trans[ 1][200] = settr(436,2,0,0,0,"ATOMIC", 1, 2, 0);
	T->nxt	= settr(436,2,197,0,0,"ATOMIC", 1, 2, 0);
	T = trans[1][197] = settr(433,2,0,0,0,"IF", 1, 2, 0);
	T = T->nxt	= settr(433,2,195,0,0,"IF", 1, 2, 0);
	    T->nxt	= settr(433,2,196,0,0,"IF", 1, 2, 0);
	trans[1][195]	= settr(431,4,206,46,46,"(1)", 1, 2, 0); /* m: 198 -> 206,0 */
	reached1[198] = 1;
	trans[1][198]	= settr(434,2,199,1,0,".(goto)", 1, 2, 0); /* m: 199 -> 0,206 */
	reached1[199] = 1;
	trans[1][196]	= settr(432,0,222,1,0,"goto died", 1, 2, 0);
	trans[1][199]	= settr(0,0,0,0,0,"receiver_closed = 1",0,0,0);
	T = trans[ 1][206] = settr(442,2,0,0,0,"ATOMIC", 1, 2, 0);
	T->nxt	= settr(442,2,203,0,0,"ATOMIC", 1, 2, 0);
	T = trans[1][203] = settr(439,2,0,0,0,"IF", 1, 2, 0);
	T = T->nxt	= settr(439,2,201,0,0,"IF", 1, 2, 0);
	    T->nxt	= settr(439,2,202,0,0,"IF", 1, 2, 0);
	trans[1][201]	= settr(437,4,219,47,47,"(1)", 1, 2, 0); /* m: 204 -> 219,0 */
	reached1[204] = 1;
	trans[1][204]	= settr(440,2,205,1,0,".(goto)", 1, 2, 0); /* m: 205 -> 0,219 */
	reached1[205] = 1;
	trans[1][202]	= settr(438,0,222,1,0,"goto died", 1, 2, 0);
	trans[1][205]	= settr(0,0,0,0,0,"seen = sender_parked",0,0,0);
	T = trans[1][219] = settr(455,0,0,0,0,"IF", 0, 2, 0);
	T = T->nxt	= settr(455,0,207,0,0,"IF", 0, 2, 0);
	    T->nxt	= settr(455,0,218,0,0,"IF", 0, 2, 0);
	trans[1][207]	= settr(443,0,217,48,48,"((((seen%2)==1)&&(seen!=told)))", 0, 2, 0);
	T = trans[ 1][217] = settr(453,2,0,0,0,"ATOMIC", 1, 2, 0);
	T->nxt	= settr(453,2,210,0,0,"ATOMIC", 1, 2, 0);
	T = trans[1][210] = settr(446,2,0,0,0,"IF", 1, 2, 0);
	T = T->nxt	= settr(446,2,208,0,0,"IF", 1, 2, 0);
	    T->nxt	= settr(446,2,209,0,0,"IF", 1, 2, 0);
	trans[1][208]	= settr(444,2,215,1,0,"(1)", 1, 2, 0);
	trans[1][211]	= settr(447,2,215,1,0,".(goto)", 1, 2, 0);
	trans[1][209]	= settr(445,0,222,1,0,"goto died", 1, 2, 0);
	T = trans[1][215] = settr(451,2,0,0,0,"IF", 1, 2, 0);
	T = T->nxt	= settr(451,2,212,0,0,"IF", 1, 2, 0);
	    T->nxt	= settr(451,2,214,0,0,"IF", 1, 2, 0);
	trans[1][212]	= settr(448,0,242,49,49,"(heard[1])", 1, 2, 0); /* m: 213 -> 242,0 */
	reached1[213] = 1;
	trans[1][213]	= settr(0,0,0,0,0,"rung[1] = 1",0,0,0);
	trans[1][216]	= settr(452,0,242,50,50,".(goto)", 1, 2, 0);
	trans[1][214]	= settr(450,2,216,2,0,"else", 1, 2, 0);
	trans[1][220]	= settr(456,0,242,1,0,".(goto)", 0, 2, 0);
	trans[1][218]	= settr(454,0,242,2,0,"else", 0, 2, 0);
	trans[1][221]	= settr(457,0,242,1,0,"goto leave", 0, 2, 0);
	trans[1][222]	= settr(458,0,223,51,51,"receiver_died = 1", 1, 2, 0);
	trans[1][223]	= settr(459,0,242,52,52,"receiver_end = dead", 1, 2, 0);
	T = trans[ 1][242] = settr(478,2,0,0,0,"ATOMIC", 1, 2, 0);
	T->nxt	= settr(478,2,224,0,0,"ATOMIC", 1, 2, 0);
	trans[1][224]	= settr(460,2,230,53,53,"receiver_gone = 1", 1, 2, 0); /* m: 225 -> 0,230 */
	reached1[225] = 1;
	trans[1][225]	= settr(0,0,0,0,0,"heard[0] = 0",0,0,0);
	T = trans[1][230] = settr(466,2,0,0,0,"IF", 1, 2, 0);
	T = T->nxt	= settr(466,2,226,0,0,"IF", 1, 2, 0);
	    T->nxt	= settr(466,2,229,0,0,"IF", 1, 2, 0);
	trans[1][226]	= settr(462,2,235,54,54,"(to_receiver)", 1, 2, 0); /* m: 227 -> 235,0 */
	reached1[227] = 1;
	trans[1][227]	= settr(0,0,0,0,0,"to_receiver = 0",0,0,0);
	trans[1][228]	= settr(0,0,0,0,0,"writers[1] = (writers[1]-1)",0,0,0);
	trans[1][231]	= settr(467,2,235,1,0,".(goto)", 1, 2, 0);
	trans[1][229]	= settr(465,2,235,2,0,"else", 1, 2, 0);
	T = trans[1][235] = settr(471,2,0,0,0,"IF", 1, 2, 0);
	T = T->nxt	= settr(471,2,232,0,0,"IF", 1, 2, 0);
	    T->nxt	= settr(471,2,234,0,0,"IF", 1, 2, 0);
	trans[1][232]	= settr(468,2,240,55,55,"(rope)", 1, 2, 0); /* m: 233 -> 240,0 */
	reached1[233] = 1;
	trans[1][233]	= settr(0,0,0,0,0,"writers[1] = (writers[1]-1)",0,0,0);
	trans[1][236]	= settr(472,2,240,1,0,".(goto)", 1, 2, 0);
	trans[1][234]	= settr(470,2,240,2,0,"else", 1, 2, 0);
	T = trans[1][240] = settr(476,2,0,0,0,"IF", 1, 2, 0);
	T = T->nxt	= settr(476,2,237,0,0,"IF", 1, 2, 0);
	    T->nxt	= settr(476,2,239,0,0,"IF", 1, 2, 0);
	trans[1][237]	= settr(473,4,243,56,56,"(own_rope)", 1, 2, 0); /* m: 238 -> 243,0 */
	reached1[238] = 1;
	trans[1][238]	= settr(0,0,0,0,0,"writers[0] = (writers[0]-1)",0,0,0);
	trans[1][241]	= settr(477,0,243,57,57,".(goto)", 1, 2, 0);
	trans[1][239]	= settr(475,2,241,2,0,"else", 1, 2, 0);
	trans[1][243]	= settr(479,0,0,58,58,"-end-", 0, 3500, 0);

	/* proctype 0: Sender */

	trans[0] = (Trans **) emalloc(238*sizeof(Trans *));

	T = trans[ 0][8] = settr(7,2,0,0,0,"ATOMIC", 1, 2, 0);
	T->nxt	= settr(7,2,3,0,0,"ATOMIC", 1, 2, 0);
	T = trans[0][3] = settr(2,2,0,0,0,"IF", 1, 2, 0);
	T = T->nxt	= settr(2,2,1,0,0,"IF", 1, 2, 0);
	    T->nxt	= settr(2,2,2,0,0,"IF", 1, 2, 0);
	trans[0][1]	= settr(0,4,21,59,59,"(1)", 1, 2, 0); /* m: 5 -> 21,0 */
	reached0[5] = 1;
	trans[0][4]	= settr(3,2,5,1,0,".(goto)", 1, 2, 0); /* m: 5 -> 0,21 */
	reached0[5] = 1;
	trans[0][2]	= settr(1,0,216,1,0,"goto died", 1, 2, 0);
	trans[0][5]	= settr(4,4,21,60,60,"writers[1] = 1", 1, 2, 0); /* m: 6 -> 0,21 */
	reached0[6] = 1;
	trans[0][6]	= settr(0,0,0,0,0,"heard[1] = 1",0,0,0);
	trans[0][7]	= settr(0,0,0,0,0,"own_rope = 1",0,0,0);
	T = trans[ 0][21] = settr(20,2,0,0,0,"ATOMIC", 1, 2, 0);
	T->nxt	= settr(20,2,11,0,0,"ATOMIC", 1, 2, 0);
	T = trans[0][11] = settr(10,2,0,0,0,"IF", 1, 2, 0);
	T = T->nxt	= settr(10,2,9,0,0,"IF", 1, 2, 0);
	    T->nxt	= settr(10,2,10,0,0,"IF", 1, 2, 0);
	trans[0][9]	= settr(8,2,19,1,0,"(1)", 1, 2, 0);
	trans[0][12]	= settr(11,2,19,1,0,".(goto)", 1, 2, 0);
	trans[0][10]	= settr(9,0,216,1,0,"goto died", 1, 2, 0);
	T = trans[0][19] = settr(18,2,0,0,0,"IF", 1, 2, 0);
	T = T->nxt	= settr(18,2,13,0,0,"IF", 1, 2, 0);
	    T->nxt	= settr(18,2,16,0,0,"IF", 1, 2, 0);
	trans[0][13]	= settr(12,4,236,61,61,"(receiver_gone)", 1, 2, 0); /* m: 14 -> 236,0 */
	reached0[14] = 1;
	trans[0][14]	= settr(0,0,0,0,0,"sender_end = not_met",0,0,0);
	trans[0][15]	= settr(14,0,236,1,0,"goto leave", 1, 2, 0);
	trans[0][20]	= settr(19,0,28,62,62,".(goto)", 1, 2, 0);
	trans[0][16]	= settr(15,2,17,2,0,"else", 1, 2, 0);
	trans[0][17]	= settr(16,4,28,63,63,"to_receiver = 1", 1, 2, 0); /* m: 18 -> 0,28 */
	reached0[18] = 1;
	trans[0][18]	= settr(0,0,0,0,0,"writers[1] = (writers[1]+1)",0,0,0);
	T = trans[ 0][28] = settr(27,2,0,0,0,"ATOMIC", 1, 2, 0);
	T->nxt	= settr(27,2,24,0,0,"ATOMIC", 1, 2, 0);
	T = trans[0][24] = settr(23,2,0,0,0,"IF", 1, 2, 0);
	T = T->nxt	= settr(23,2,22,0,0,"IF", 1, 2, 0);
	    T->nxt	= settr(23,2,23,0,0,"IF", 1, 2, 0);
	trans[0][22]	= settr(21,4,38,64,64,"(1)", 1, 2, 0); /* m: 26 -> 38,0 */
	reached0[26] = 1;
	trans[0][25]	= settr(24,2,26,1,0,".(goto)", 1, 2, 0); /* m: 26 -> 0,38 */
	reached0[26] = 1;
	trans[0][23]	= settr(22,0,216,1,0,"goto died", 1, 2, 0);
	trans[0][26]	= settr(25,4,38,65,65,"writers[1] = (writers[1]-1)", 1, 2, 0); /* m: 27 -> 0,38 */
	reached0[27] = 1;
	trans[0][27]	= settr(0,0,0,0,0,"own_rope = 0",0,0,0);
	T = trans[0][38] = settr(37,0,0,0,0,"IF", 0, 2, 0);
	T = T->nxt	= settr(37,0,29,0,0,"IF", 0, 2, 0);
	T = T->nxt	= settr(37,0,33,0,0,"IF", 0, 2, 0);
	    T->nxt	= settr(37,0,37,0,0,"IF", 0, 2, 0);
	trans[0][29]	= settr(28,0,216,1,0,"goto died", 0, 2, 0);
	trans[0][39]	= settr(38,0,40,1,0,".(goto)", 0, 2, 0);
	T = trans[ 0][33] = settr(32,2,0,0,0,"ATOMIC", 1, 2, 0);
	T->nxt	= settr(32,2,30,0,0,"ATOMIC", 1, 2, 0);
	trans[0][30]	= settr(29,0,40,66,66,"(to_sender)", 1, 2, 0); /* m: 31 -> 40,0 */
	reached0[31] = 1;
	trans[0][31]	= settr(0,0,0,0,0,"to_sender = 0",0,0,0);
	trans[0][32]	= settr(0,0,0,0,0,"rope = 1",0,0,0);
	T = trans[ 0][37] = settr(36,2,0,0,0,"ATOMIC", 1, 2, 0);
	T->nxt	= settr(36,2,34,0,0,"ATOMIC", 1, 2, 0);
	trans[0][34]	= settr(33,4,236,67,67,"((!(to_sender)&&receiver_gone))", 1, 2, 0); /* m: 35 -> 236,0 */
	reached0[35] = 1;
	trans[0][35]	= settr(0,0,0,0,0,"sender_end = not_met",0,0,0);
	trans[0][36]	= settr(35,0,236,1,0,"goto leave", 1, 2, 0);
	trans[0][40]	= settr(39,0,185,68,68,"sender_met = 1", 1, 2, 0);
	trans[0][186]	= settr(185,0,185,1,0,".(goto)", 0, 2, 0);
	T = trans[0][185] = settr(184,0,0,0,0,"DO", 0, 2, 0);
	T = T->nxt	= settr(184,0,41,0,0,"DO", 0, 2, 0);
	    T->nxt	= settr(184,0,43,0,0,"DO", 0, 2, 0);
	trans[0][41]	= settr(40,0,188,69,69,"((sent==3))", 0, 2, 0);
	trans[0][42]	= settr(41,0,188,1,0,"goto :b0", 0, 2, 0);
	trans[0][43]	= settr(42,0,54,2,0,"else", 0, 2, 0);
	T = trans[ 0][54] = settr(53,2,0,0,0,"ATOMIC", 1, 2, 0);
	T->nxt	= settr(53,2,46,0,0,"ATOMIC", 1, 2, 0);
	T = trans[0][46] = settr(45,2,0,0,0,"IF", 1, 2, 0);
	T = T->nxt	= settr(45,2,44,0,0,"IF", 1, 2, 0);
	    T->nxt	= settr(45,2,45,0,0,"IF", 1, 2, 0);
	trans[0][44]	= settr(43,2,52,1,0,"(1)", 1, 2, 0);
	trans[0][47]	= settr(46,2,52,1,0,".(goto)", 1, 2, 0);
	trans[0][45]	= settr(44,0,216,1,0,"goto died", 1, 2, 0);
	T = trans[0][52] = settr(51,2,0,0,0,"IF", 1, 2, 0);
	T = T->nxt	= settr(51,2,48,0,0,"IF", 1, 2, 0);
	    T->nxt	= settr(51,2,51,0,0,"IF", 1, 2, 0);
	trans[0][48]	= settr(47,4,194,70,70,"(receiver_closed)", 1, 2, 0); /* m: 49 -> 194,0 */
	reached0[49] = 1;
	trans[0][49]	= settr(0,0,0,0,0,"sender_end = closed",0,0,0);
	trans[0][50]	= settr(49,0,194,1,0,"goto close", 1, 2, 0);
	trans[0][53]	= settr(52,0,141,1,0,".(goto)", 1, 2, 0);
	trans[0][51]	= settr(50,2,53,2,0,"else", 1, 2, 0);
	trans[0][142]	= settr(141,0,141,1,0,".(goto)", 0, 2, 0);
	T = trans[0][141] = settr(140,0,0,0,0,"DO", 0, 2, 0);
	T = T->nxt	= settr(140,0,55,0,0,"DO", 0, 2, 0);
	    T->nxt	= settr(140,0,57,0,0,"DO", 0, 2, 0);
	trans[0][55]	= settr(54,0,149,71,0,"(((sent-taken)<2))", 0, 2, 0);
	trans[0][56]	= settr(55,0,149,1,0,"goto :b1", 0, 2, 0);
	trans[0][57]	= settr(56,0,69,2,0,"else", 0, 2, 0);
	T = trans[ 0][69] = settr(68,2,0,0,0,"ATOMIC", 1, 2, 0);
	T->nxt	= settr(68,2,60,0,0,"ATOMIC", 1, 2, 0);
	T = trans[0][60] = settr(59,2,0,0,0,"IF", 1, 2, 0);
	T = T->nxt	= settr(59,2,58,0,0,"IF", 1, 2, 0);
	    T->nxt	= settr(59,2,59,0,0,"IF", 1, 2, 0);
	trans[0][58]	= settr(57,2,67,1,0,"(1)", 1, 2, 0);
	trans[0][61]	= settr(60,2,67,1,0,".(goto)", 1, 2, 0);
	trans[0][59]	= settr(58,0,216,1,0,"goto died", 1, 2, 0);
	T = trans[0][67] = settr(66,2,0,0,0,"IF", 1, 2, 0);
	T = T->nxt	= settr(66,2,62,0,0,"IF", 1, 2, 0);
	    T->nxt	= settr(66,2,65,0,0,"IF", 1, 2, 0);
	trans[0][62]	= settr(61,4,194,72,72,"(receiver_closed)", 1, 2, 0); /* m: 63 -> 194,0 */
	reached0[63] = 1;
	trans[0][63]	= settr(0,0,0,0,0,"sender_end = closed",0,0,0);
	trans[0][64]	= settr(63,0,194,1,0,"goto close", 1, 2, 0);
	trans[0][68]	= settr(67,0,73,73,73,".(goto)", 1, 2, 0);
	trans[0][65]	= settr(64,2,66,2,0,"else", 1, 2, 0);
	trans[0][66]	= settr(65,4,73,74,74,"taken = progress", 1, 2, 0); /* m: 68 -> 0,73 */
	reached0[68] = 1;
	T = trans[0][73] = settr(72,0,0,0,0,"IF", 0, 2, 0);
	T = T->nxt	= settr(72,0,70,0,0,"IF", 0, 2, 0);
	    T->nxt	= settr(72,0,72,0,0,"IF", 0, 2, 0);
	trans[0][70]	= settr(69,0,149,75,0,"(((sent-taken)<2))", 0, 2, 0);
	trans[0][71]	= settr(70,0,149,1,0,"goto :b1", 0, 2, 0);
	trans[0][74]	= settr(73,0,80,1,0,".(goto)", 0, 2, 0);
	trans[0][72]	= settr(71,0,80,2,0,"else", 0, 2, 0);
	T = trans[ 0][80] = settr(79,2,0,0,0,"ATOMIC", 1, 2, 0);
	T->nxt	= settr(79,2,77,0,0,"ATOMIC", 1, 2, 0);
	T = trans[0][77] = settr(76,2,0,0,0,"IF", 1, 2, 0);
	T = T->nxt	= settr(76,2,75,0,0,"IF", 1, 2, 0);
	    T->nxt	= settr(76,2,76,0,0,"IF", 1, 2, 0);
	trans[0][75]	= settr(74,4,92,76,76,"(1)", 1, 2, 0); /* m: 78 -> 92,0 */
	reached0[78] = 1;
	trans[0][78]	= settr(77,2,79,1,0,".(goto)", 1, 2, 0); /* m: 79 -> 0,92 */
	reached0[79] = 1;
	trans[0][76]	= settr(75,0,216,1,0,"goto died", 1, 2, 0);
	trans[0][79]	= settr(0,0,0,0,0,"sender_parked = (sender_parked+1)",0,0,0);
	T = trans[ 0][92] = settr(91,2,0,0,0,"ATOMIC", 1, 2, 0);
	T->nxt	= settr(91,2,83,0,0,"ATOMIC", 1, 2, 0);
	T = trans[0][83] = settr(82,2,0,0,0,"IF", 1, 2, 0);
	T = T->nxt	= settr(82,2,81,0,0,"IF", 1, 2, 0);
	    T->nxt	= settr(82,2,82,0,0,"IF", 1, 2, 0);
	trans[0][81]	= settr(80,2,90,1,0,"(1)", 1, 2, 0);
	trans[0][84]	= settr(83,2,90,1,0,".(goto)", 1, 2, 0);
	trans[0][82]	= settr(81,0,216,1,0,"goto died", 1, 2, 0);
	T = trans[0][90] = settr(89,2,0,0,0,"IF", 1, 2, 0);
	T = T->nxt	= settr(89,2,85,0,0,"IF", 1, 2, 0);
	    T->nxt	= settr(89,2,88,0,0,"IF", 1, 2, 0);
	trans[0][85]	= settr(84,4,194,77,77,"(receiver_closed)", 1, 2, 0); /* m: 86 -> 194,0 */
	reached0[86] = 1;
	trans[0][86]	= settr(0,0,0,0,0,"sender_end = closed",0,0,0);
	trans[0][87]	= settr(86,0,194,1,0,"goto close", 1, 2, 0);
	trans[0][91]	= settr(90,0,102,78,78,".(goto)", 1, 2, 0);
	trans[0][88]	= settr(87,2,89,2,0,"else", 1, 2, 0);
	trans[0][89]	= settr(88,4,102,79,79,"taken = progress", 1, 2, 0); /* m: 91 -> 0,102 */
	reached0[91] = 1;
	T = trans[0][102] = settr(101,0,0,0,0,"IF", 0, 2, 0);
	T = T->nxt	= settr(101,0,93,0,0,"IF", 0, 2, 0);
	    T->nxt	= settr(101,0,101,0,0,"IF", 0, 2, 0);
	trans[0][93]	= settr(92,0,99,80,0,"(((sent-taken)<2))", 0, 2, 0);
	T = trans[ 0][99] = settr(98,2,0,0,0,"ATOMIC", 1, 2, 0);
	T->nxt	= settr(98,2,96,0,0,"ATOMIC", 1, 2, 0);
	T = trans[0][96] = settr(95,2,0,0,0,"IF", 1, 2, 0);
	T = T->nxt	= settr(95,2,94,0,0,"IF", 1, 2, 0);
	    T->nxt	= settr(95,2,95,0,0,"IF", 1, 2, 0);
	trans[0][94]	= settr(93,0,149,81,81,"(1)", 1, 2, 0); /* m: 97 -> 149,0 */
	reached0[97] = 1;
	trans[0][97]	= settr(96,2,98,1,0,".(goto)", 1, 2, 0); /* m: 98 -> 0,149 */
	reached0[98] = 1;
	trans[0][95]	= settr(94,0,216,1,0,"goto died", 1, 2, 0);
	trans[0][98]	= settr(0,0,0,0,0,"sender_parked = (sender_parked+1)",0,0,0);
	trans[0][100]	= settr(99,0,149,1,0,"goto :b1", 0, 2, 0);
	trans[0][103]	= settr(102,0,111,1,0,".(goto)", 0, 2, 0);
	trans[0][101]	= settr(100,0,111,2,0,"else", 0, 2, 0);
	T = trans[0][111] = settr(110,0,0,0,0,"IF", 0, 2, 0);
	T = T->nxt	= settr(110,0,104,0,0,"IF", 0, 2, 0);
	T = T->nxt	= settr(110,0,107,0,0,"IF", 0, 2, 0);
	    T->nxt	= settr(110,0,110,0,0,"IF", 0, 2, 0);
	trans[0][104]	= settr(103,0,216,1,0,"goto died", 0, 2, 0);
	trans[0][112]	= settr(111,0,118,1,0,".(goto)", 0, 2, 0);
	T = trans[ 0][107] = settr(106,2,0,0,0,"ATOMIC", 1, 2, 0);
	T->nxt	= settr(106,2,105,0,0,"ATOMIC", 1, 2, 0);
	trans[0][105]	= settr(104,0,118,82,82,"(rung[1])", 1, 2, 0); /* m: 106 -> 118,0 */
	reached0[106] = 1;
	trans[0][106]	= settr(0,0,0,0,0,"rung[1] = 0",0,0,0);
	T = trans[ 0][110] = settr(109,2,0,0,0,"ATOMIC", 1, 2, 0);
	T->nxt	= settr(109,2,108,0,0,"ATOMIC", 1, 2, 0);
	trans[0][108]	= settr(107,0,118,83,83,"((!(rung[1])&&(writers[1]==0)))", 1, 2, 0); /* m: 109 -> 118,0 */
	reached0[109] = 1;
	trans[0][109]	= settr(0,0,0,0,0,"alone = 1",0,0,0);
	T = trans[ 0][118] = settr(117,2,0,0,0,"ATOMIC", 1, 2, 0);
	T->nxt	= settr(117,2,115,0,0,"ATOMIC", 1, 2, 0);
	T = trans[0][115] = settr(114,2,0,0,0,"IF", 1, 2, 0);
	T = T->nxt	= settr(114,2,113,0,0,"IF", 1, 2, 0);
	    T->nxt	= settr(114,2,114,0,0,"IF", 1, 2, 0);
	trans[0][113]	= settr(112,4,124,84,84,"(1)", 1, 2, 0); /* m: 116 -> 124,0 */
	reached0[116] = 1;
	trans[0][116]	= settr(115,2,117,1,0,".(goto)", 1, 2, 0); /* m: 117 -> 0,124 */
	reached0[117] = 1;
	trans[0][114]	= settr(113,0,216,1,0,"goto died", 1, 2, 0);
	trans[0][117]	= settr(0,0,0,0,0,"sender_parked = (sender_parked+1)",0,0,0);
	T = trans[ 0][124] = settr(123,2,0,0,0,"ATOMIC", 1, 2, 0);
	T->nxt	= settr(123,2,121,0,0,"ATOMIC", 1, 2, 0);
	T = trans[0][121] = settr(120,2,0,0,0,"IF", 1, 2, 0);
	T = T->nxt	= settr(120,2,119,0,0,"IF", 1, 2, 0);
	    T->nxt	= settr(120,2,120,0,0,"IF", 1, 2, 0);
	trans[0][119]	= settr(118,4,139,85,85,"(1)", 1, 2, 0); /* m: 122 -> 139,0 */
	reached0[122] = 1;
	trans[0][122]	= settr(121,2,123,1,0,".(goto)", 1, 2, 0); /* m: 123 -> 0,139 */
	reached0[123] = 1;
	trans[0][120]	= settr(119,0,216,1,0,"goto died", 1, 2, 0);
	trans[0][123]	= settr(0,0,0,0,0,"taken = progress",0,0,0);
	T = trans[0][139] = settr(138,0,0,0,0,"IF", 0, 2, 0);
	T = T->nxt	= settr(138,0,125,0,0,"IF", 0, 2, 0);
	    T->nxt	= settr(138,0,138,0,0,"IF", 0, 2, 0);
	trans[0][125]	= settr(124,0,136,86,86,"((((sent-taken)>=2)&&alone))", 0, 2, 0);
	T = trans[ 0][136] = settr(135,2,0,0,0,"ATOMIC", 1, 2, 0);
	T->nxt	= settr(135,2,128,0,0,"ATOMIC", 1, 2, 0);
	T = trans[0][128] = settr(127,2,0,0,0,"IF", 1, 2, 0);
	T = T->nxt	= settr(127,2,126,0,0,"IF", 1, 2, 0);
	    T->nxt	= settr(127,2,127,0,0,"IF", 1, 2, 0);
	trans[0][126]	= settr(125,2,134,1,0,"(1)", 1, 2, 0);
	trans[0][129]	= settr(128,2,134,1,0,".(goto)", 1, 2, 0);
	trans[0][127]	= settr(126,0,216,1,0,"goto died", 1, 2, 0);
	T = trans[0][134] = settr(133,2,0,0,0,"IF", 1, 2, 0);
	T = T->nxt	= settr(133,2,130,0,0,"IF", 1, 2, 0);
	    T->nxt	= settr(133,2,132,0,0,"IF", 1, 2, 0);
	trans[0][130]	= settr(129,0,194,87,87,"(receiver_closed)", 1, 2, 0); /* m: 131 -> 194,0 */
	reached0[131] = 1;
	trans[0][131]	= settr(0,0,0,0,0,"sender_end = closed",0,0,0);
	trans[0][135]	= settr(134,0,194,88,88,".(goto)", 1, 2, 0);
	trans[0][132]	= settr(131,2,133,2,0,"else", 1, 2, 0);
	trans[0][133]	= settr(132,0,194,89,89,"sender_end = peer_died", 1, 2, 0); /* m: 135 -> 0,194 */
	reached0[135] = 1;
	trans[0][137]	= settr(136,0,194,1,0,"goto close", 0, 2, 0);
	trans[0][140]	= settr(139,0,141,1,0,".(goto)", 0, 2, 0);
	trans[0][138]	= settr(137,0,141,2,0,"else", 0, 2, 0);
	trans[0][143]	= settr(142,0,149,1,0,"break", 0, 2, 0);
	T = trans[ 0][149] = settr(148,2,0,0,0,"ATOMIC", 1, 2, 0);
	T->nxt	= settr(148,2,146,0,0,"ATOMIC", 1, 2, 0);
	T = trans[0][146] = settr(145,2,0,0,0,"IF", 1, 2, 0);
	T = T->nxt	= settr(145,2,144,0,0,"IF", 1, 2, 0);
	    T->nxt	= settr(145,2,145,0,0,"IF", 1, 2, 0);
	trans[0][144]	= settr(143,4,155,90,90,"(1)", 1, 2, 0); /* m: 147 -> 155,0 */
	reached0[147] = 1;
	trans[0][147]	= settr(146,2,148,1,0,".(goto)", 1, 2, 0); /* m: 148 -> 0,155 */
	reached0[148] = 1;
	trans[0][145]	= settr(144,0,216,1,0,"goto died", 1, 2, 0);
	trans[0][148]	= settr(0,0,0,0,0,"first[(sent%2)] = (sent+1)",0,0,0);
	T = trans[ 0][155] = settr(154,2,0,0,0,"ATOMIC", 1, 2, 0);
	T->nxt	= settr(154,2,152,0,0,"ATOMIC", 1, 2, 0);
	T = trans[0][152] = settr(151,2,0,0,0,"IF", 1, 2, 0);
	T = T->nxt	= settr(151,2,150,0,0,"IF", 1, 2, 0);
	    T->nxt	= settr(151,2,151,0,0,"IF", 1, 2, 0);
	trans[0][150]	= settr(149,4,162,91,91,"(1)", 1, 2, 0); /* m: 153 -> 162,0 */
	reached0[153] = 1;
	trans[0][153]	= settr(152,2,154,1,0,".(goto)", 1, 2, 0); /* m: 154 -> 0,162 */
	reached0[154] = 1;
	trans[0][151]	= settr(150,0,216,1,0,"goto died", 1, 2, 0);
	trans[0][154]	= settr(0,0,0,0,0,"second[(sent%2)] = (sent+1)",0,0,0);
	T = trans[ 0][162] = settr(161,2,0,0,0,"ATOMIC", 1, 2, 0);
	T->nxt	= settr(161,2,158,0,0,"ATOMIC", 1, 2, 0);
	T = trans[0][158] = settr(157,2,0,0,0,"IF", 1, 2, 0);
	T = T->nxt	= settr(157,2,156,0,0,"IF", 1, 2, 0);
	    T->nxt	= settr(157,2,157,0,0,"IF", 1, 2, 0);
	trans[0][156]	= settr(155,0,169,92,92,"(1)", 1, 2, 0); /* m: 160 -> 169,0 */
	reached0[160] = 1;
	trans[0][159]	= settr(158,2,160,1,0,".(goto)", 1, 2, 0); /* m: 160 -> 0,169 */
	reached0[160] = 1;
	trans[0][157]	= settr(156,0,216,1,0,"goto died", 1, 2, 0);
	trans[0][160]	= settr(159,0,169,93,93,"word[(sent%2)] = (sent+1)", 1, 2, 0); /* m: 161 -> 0,169 */
	reached0[161] = 1;
	trans[0][161]	= settr(0,0,0,0,0,"committed = (committed+1)",0,0,0);
	trans[0][163]	= settr(0,0,0,0,0,"sent = (sent+1)",0,0,0);
	T = trans[ 0][169] = settr(168,2,0,0,0,"ATOMIC", 1, 2, 0);
	T->nxt	= settr(168,2,166,0,0,"ATOMIC", 1, 2, 0);
	T = trans[0][166] = settr(165,2,0,0,0,"IF", 1, 2, 0);
	T = T->nxt	= settr(165,2,164,0,0,"IF", 1, 2, 0);
	    T->nxt	= settr(165,2,165,0,0,"IF", 1, 2, 0);
	trans[0][164]	= settr(163,4,183,94,94,"(1)", 1, 2, 0); /* m: 167 -> 183,0 */
	reached0[167] = 1;
	trans[0][167]	= settr(166,2,168,1,0,".(goto)", 1, 2, 0); /* m: 168 -> 0,183 */
	reached0[168] = 1;
	trans[0][165]	= settr(164,0,216,1,0,"goto died", 1, 2, 0);
	trans[0][168]	= settr(0,0,0,0,0,"seen = receiver_parked",0,0,0);
	T = trans[0][183] = settr(182,0,0,0,0,"IF", 0, 2, 0);
	T = T->nxt	= settr(182,0,170,0,0,"IF", 0, 2, 0);
	    T->nxt	= settr(182,0,182,0,0,"IF", 0, 2, 0);
	trans[0][170]	= settr(169,0,181,95,95,"((((seen%2)==1)&&(seen!=told)))", 0, 2, 0); /* m: 171 -> 181,0 */
	reached0[171] = 1;
	trans[0][171]	= settr(0,0,0,0,0,"told = seen",0,0,0);
	T = trans[ 0][181] = settr(180,2,0,0,0,"ATOMIC", 1, 2, 0);
	T->nxt	= settr(180,2,174,0,0,"ATOMIC", 1, 2, 0);
	T = trans[0][174] = settr(173,2,0,0,0,"IF", 1, 2, 0);
	T = T->nxt	= settr(173,2,172,0,0,"IF", 1, 2, 0);
	    T->nxt	= settr(173,2,173,0,0,"IF", 1, 2, 0);
	trans[0][172]	= settr(171,2,179,1,0,"(1)", 1, 2, 0);
	trans[0][175]	= settr(174,2,179,1,0,".(goto)", 1, 2, 0);
	trans[0][173]	= settr(172,0,216,1,0,"goto died", 1, 2, 0);
	T = trans[0][179] = settr(178,2,0,0,0,"IF", 1, 2, 0);
	T = T->nxt	= settr(178,2,176,0,0,"IF", 1, 2, 0);
	    T->nxt	= settr(178,2,178,0,0,"IF", 1, 2, 0);
	trans[0][176]	= settr(175,0,185,96,96,"(heard[0])", 1, 2, 0); /* m: 177 -> 185,0 */
	reached0[177] = 1;
	trans[0][177]	= settr(0,0,0,0,0,"rung[0] = 1",0,0,0);
	trans[0][180]	= settr(179,0,185,97,97,".(goto)", 1, 2, 0);
	trans[0][178]	= settr(177,2,180,2,0,"else", 1, 2, 0);
	trans[0][184]	= settr(183,0,185,1,0,".(goto)", 0, 2, 0);
	trans[0][182]	= settr(181,0,185,2,0,"else", 0, 2, 0);
	trans[0][187]	= settr(186,0,188,1,0,"break", 0, 2, 0);
	trans[0][188]	= settr(187,0,194,98,98,"sender_end = all", 1, 2, 0);
	T = trans[ 0][194] = settr(193,2,0,0,0,"ATOMIC", 1, 2, 0);
	T->nxt	= settr(193,2,191,0,0,"ATOMIC", 1, 2, 0);
	T = trans[0][191] = settr(190,2,0,0,0,"IF", 1, 2, 0);
	T = T->nxt	= settr(190,2,189,0,0,"IF", 1, 2, 0);
	    T->nxt	= settr(190,2,190,0,0,"IF", 1, 2, 0);
	trans[0][189]	= settr(188,4,200,99,99,"(1)", 1, 2, 0); /* m: 192 -> 200,0 */
	reached0[192] = 1;
	trans[0][192]	= settr(191,2,193,1,0,".(goto)", 1, 2, 0); /* m: 193 -> 0,200 */
	reached0[193] = 1;
	trans[0][190]	= settr(189,0,216,1,0,"goto died", 1, 2, 0);
	trans[0][193]	= settr(0,0,0,0,0,"sender_closed = 1",0,0,0);
	T = trans[ 0][200] = settr(199,2,0,0,0,"ATOMIC", 1, 2, 0);
	T->nxt	= settr(199,2,197,0,0,"ATOMIC", 1, 2, 0);
	T = trans[0][197] = settr(196,2,0,0,0,"IF", 1, 2, 0);
	T = T->nxt	= settr(196,2,195,0,0,"IF", 1, 2, 0);
	    T->nxt	= settr(196,2,196,0,0,"IF", 1, 2, 0);
	trans[0][195]	= settr(194,4,213,100,100,"(1)", 1, 2, 0); /* m: 198 -> 213,0 */
	reached0[198] = 1;
	trans[0][198]	= settr(197,2,199,1,0,".(goto)", 1, 2, 0); /* m: 199 -> 0,213 */
	reached0[199] = 1;
	trans[0][196]	= settr(195,0,216,1,0,"goto died", 1, 2, 0);
	trans[0][199]	= settr(0,0,0,0,0,"seen = receiver_parked",0,0,0);
	T = trans[0][213] = settr(212,0,0,0,0,"IF", 0, 2, 0);
	T = T->nxt	= settr(212,0,201,0,0,"IF", 0, 2, 0);
	    T->nxt	= settr(212,0,212,0,0,"IF", 0, 2, 0);
	trans[0][201]	= settr(200,0,211,101,101,"((((seen%2)==1)&&(seen!=told)))", 0, 2, 0);
	T = trans[ 0][211] = settr(210,2,0,0,0,"ATOMIC", 1, 2, 0);
	T->nxt	= settr(210,2,204,0,0,"ATOMIC", 1, 2, 0);
	T = trans[0][204] = settr(203,2,0,0,0,"IF", 1, 2, 0);
	T = T->nxt	= settr(203,2,202,0,0,"IF", 1, 2, 0);
	    T->nxt	= settr(203,2,203,0,0,"IF", 1, 2, 0);
	trans[0][202]	= settr(201,2,209,1,0,"(1)", 1, 2, 0);
	trans[0][205]	= settr(204,2,209,1,0,".(goto)", 1, 2, 0);
	trans[0][203]	= settr(202,0,216,1,0,"goto died", 1, 2, 0);
	T = trans[0][209] = settr(208,2,0,0,0,"IF", 1, 2, 0);
	T = T->nxt	= settr(208,2,206,0,0,"IF", 1, 2, 0);
	    T->nxt	= settr(208,2,208,0,0,"IF", 1, 2, 0);
	trans[0][206]	= settr(205,0,236,102,102,"(heard[0])", 1, 2, 0); /* m: 207 -> 236,0 */
	reached0[207] = 1;
	trans[0][207]	= settr(0,0,0,0,0,"rung[0] = 1",0,0,0);
	trans[0][210]	= settr(209,0,236,103,103,".(goto)", 1, 2, 0);
	trans[0][208]	= settr(207,2,210,2,0,"else", 1, 2, 0);
	trans[0][214]	= settr(213,0,236,1,0,".(goto)", 0, 2, 0);
	trans[0][212]	= settr(211,0,236,2,0,"else", 0, 2, 0);
	trans[0][215]	= settr(214,0,236,1,0,"goto leave", 0, 2, 0);
	trans[0][216]	= settr(215,0,217,104,104,"sender_died = 1", 1, 2, 0);
	trans[0][217]	= settr(216,0,236,105,105,"sender_end = dead", 1, 2, 0);
	T = trans[ 0][236] = settr(235,2,0,0,0,"ATOMIC", 1, 2, 0);
	T->nxt	= settr(235,2,218,0,0,"ATOMIC", 1, 2, 0);
	trans[0][218]	= settr(217,2,224,106,106,"sender_gone = 1", 1, 2, 0); /* m: 219 -> 0,224 */
	reached0[219] = 1;
	trans[0][219]	= settr(0,0,0,0,0,"heard[1] = 0",0,0,0);
	T = trans[0][224] = settr(223,2,0,0,0,"IF", 1, 2, 0);
	T = T->nxt	= settr(223,2,220,0,0,"IF", 1, 2, 0);
	    T->nxt	= settr(223,2,223,0,0,"IF", 1, 2, 0);
	trans[0][220]	= settr(219,2,229,107,107,"(to_sender)", 1, 2, 0); /* m: 221 -> 229,0 */
	reached0[221] = 1;
	trans[0][221]	= settr(0,0,0,0,0,"to_sender = 0",0,0,0);
	trans[0][222]	= settr(0,0,0,0,0,"writers[0] = (writers[0]-1)",0,0,0);
	trans[0][225]	= settr(224,2,229,1,0,".(goto)", 1, 2, 0);
	trans[0][223]	= settr(222,2,229,2,0,"else", 1, 2, 0);
	T = trans[0][229] = settr(228,2,0,0,0,"IF", 1, 2, 0);
	T = T->nxt	= settr(228,2,226,0,0,"IF", 1, 2, 0);
	    T->nxt	= settr(228,2,228,0,0,"IF", 1, 2, 0);
	trans[0][226]	= settr(225,2,234,108,108,"(rope)", 1, 2, 0); /* m: 227 -> 234,0 */
	reached0[227] = 1;
	trans[0][227]	= settr(0,0,0,0,0,"writers[0] = (writers[0]-1)",0,0,0);
	trans[0][230]	= settr(229,2,234,1,0,".(goto)", 1, 2, 0);
	trans[0][228]	= settr(227,2,234,2,0,"else", 1, 2, 0);
	T = trans[0][234] = settr(233,2,0,0,0,"IF", 1, 2, 0);
	T = T->nxt	= settr(233,2,231,0,0,"IF", 1, 2, 0);
	    T->nxt	= settr(233,2,233,0,0,"IF", 1, 2, 0);
	trans[0][231]	= settr(230,4,237,109,109,"(own_rope)", 1, 2, 0); /* m: 232 -> 237,0 */
	reached0[232] = 1;
	trans[0][232]	= settr(0,0,0,0,0,"writers[1] = (writers[1]-1)",0,0,0);
	trans[0][235]	= settr(234,0,237,110,110,".(goto)", 1, 2, 0);
	trans[0][233]	= settr(232,2,235,2,0,"else", 1, 2, 0);
	trans[0][237]	= settr(236,0,0,111,111,"-end-", 0, 3500, 0);
	/* np_ demon: */
	trans[_NP_] = (Trans **) emalloc(3*sizeof(Trans *));
	T = trans[_NP_][0] = settr(9997,0,1,_T5,0,"(np_)", 1,2,0);
	    T->nxt	  = settr(9998,0,0,_T2,0,"(1)",   0,2,0);
	T = trans[_NP_][1] = settr(9999,0,1,_T5,0,"(np_)", 1,2,0);
}

Trans *
settr(	int t_id, int a, int b, int c, int d,
	char *t, int g, int tpe0, int tpe1)
{	Trans *tmp = (Trans *) emalloc(sizeof(Trans));

	tmp->atom  = a&(6|32);	/* only (2|8|32) have meaning */
	if (!g) tmp->atom |= 8;	/* no global references */
	tmp->st    = b;
	tmp->tpe[0] = tpe0;
	tmp->tpe[1] = tpe1;
	tmp->tp    = t;
	tmp->t_id  = t_id;
	tmp->forw  = c;
	tmp->back  = d;
	return tmp;
}

Trans *
cpytr(Trans *a)
{	Trans *tmp = (Trans *) emalloc(sizeof(Trans));

	int i;
	tmp->atom  = a->atom;
	tmp->st    = a->st;
#ifdef HAS_UNLESS
	tmp->e_trans = a->e_trans;
	for (i = 0; i < HAS_UNLESS; i++)
		tmp->escp[i] = a->escp[i];
#endif
	tmp->tpe[0] = a->tpe[0];
	tmp->tpe[1] = a->tpe[1];
	for (i = 0; i < 6; i++)
	{	tmp->qu[i] = a->qu[i];
		tmp->ty[i] = a->ty[i];
	}
	tmp->tp    = (char *) emalloc(strlen(a->tp)+1);
	strcpy(tmp->tp, a->tp);
	tmp->t_id  = a->t_id;
	tmp->forw  = a->forw;
	tmp->back  = a->back;
	return tmp;
}

#ifndef NOREDUCE
int
srinc_set(int n)
{	if (n <= 2) return LOCAL;
	if (n <= 2+  DELTA) return Q_FULL_F; /* 's' or nfull  */
	if (n <= 2+2*DELTA) return Q_EMPT_F; /* 'r' or nempty */
	if (n <= 2+3*DELTA) return Q_EMPT_T; /* empty */
	if (n <= 2+4*DELTA) return Q_FULL_T; /* full  */
	if (n ==   5*DELTA) return GLOBAL;
	if (n ==   6*DELTA) return TIMEOUT_F;
	if (n ==   7*DELTA) return ALPHA_F;
	Uerror("cannot happen srinc_class");
	return BAD;
}
int
srunc(int n, int m)
{	switch(m) {
	case Q_FULL_F: return n-2;
	case Q_EMPT_F: return n-2-DELTA;
	case Q_EMPT_T: return n-2-2*DELTA;
	case Q_FULL_T: return n-2-3*DELTA;
	case ALPHA_F:
	case TIMEOUT_F: return 257; /* non-zero, and > MAXQ */
	}
	Uerror("cannot happen srunc");
	return 0;
}
#endif
int cnt;
#ifdef HAS_UNLESS
int
isthere(Trans *a, int b)
{	Trans *t;
	for (t = a; t; t = t->nxt)
		if (t->t_id == b)
			return 1;
	return 0;
}
#endif
#ifndef NOREDUCE
int
mark_safety(Trans *t) /* for conditional safety */
{	int g = 0, i, j, k;

	if (!t) return 0;
	if (t->qu[0])
		return (t->qu[1])?2:1;	/* marked */

	for (i = 0; i < 2; i++)
	{	j = srinc_set(t->tpe[i]);
		if (j >= GLOBAL && j != ALPHA_F)
			return -1;
		if (j != LOCAL)
		{	k = srunc(t->tpe[i], j);
			if (g == 0
			||  t->qu[0] != k
			||  t->ty[0] != j)
			{	t->qu[g] = k;
				t->ty[g] = j;
				g++;
	}	}	}
	return g;
}
#endif
void
retrans(int n, int m, int is, short srcln[], uchar reach[], uchar lpstate[])
	/* process n, with m states, is=initial state */
{	Trans *T0, *T1, *T2, *T3;
	Trans *T4, *T5; /* t_reverse or has_unless */
	int i;
#if defined(HAS_UNLESS) || !defined(NOREDUCE)
	int k;
#endif
#ifndef NOREDUCE
	int g, h, j, aa;
#endif
#ifdef HAS_UNLESS
	int p;
#endif
	if (state_tables >= 4)
	{	printf("STEP 1 %s\n", 
			procname[n]);
		for (i = 1; i < m; i++)
		for (T0 = trans[n][i]; T0; T0 = T0->nxt)
			crack(n, i, T0, srcln);
		return;
	}
	do {
		for (i = 1, cnt = 0; i < m; i++)
		{	T2 = trans[n][i];
			T1 = T2?T2->nxt:(Trans *)0;
/* prescan: */		for (T0 = T1; T0; T0 = T0->nxt)
/* choice in choice */	{	if (T0->st && trans[n][T0->st]
				&&  trans[n][T0->st]->nxt)
					break;
			}
#if 0
		if (T0)
		printf("\tstate %d / %d: choice in choice\n",
		i, T0->st);
#endif
			if (T0)
			for (T0 = T1; T0; T0 = T0->nxt)
			{	T3 = trans[n][T0->st];
				if (!T3->nxt)
				{	T2->nxt = cpytr(T0);
					T2 = T2->nxt;
					imed(T2, T0->st, n, i);
					continue;
				}
				do {	T3 = T3->nxt;
					T2->nxt = cpytr(T3);
					T2 = T2->nxt;
					imed(T2, T0->st, n, i);
				} while (T3->nxt);
				cnt++;
			}
		}
	} while (cnt);
	if (state_tables >= 3)
	{	printf("STEP 2 %s\n", 
			procname[n]);
		for (i = 1; i < m; i++)
		for (T0 = trans[n][i]; T0; T0 = T0->nxt)
			crack(n, i, T0, srcln);
		return;
	}
	for (i = 1; i < m; i++)
	{	if (trans[n][i] && trans[n][i]->nxt) /* optimize */
		{	T1 = trans[n][i]->nxt;
#if 0
			printf("\t\tpull %d (%d) to %d\n",
			T1->st, T1->forw, i);
#endif
			srcln[i] = srcln[T1->st];	/* Oyvind Teig, 5.2.0 */

			if (!trans[n][T1->st]) continue;
			T0 = cpytr(trans[n][T1->st]);
			trans[n][i] = T0;
			reach[T1->st] = 1;
			imed(T0, T1->st, n, i);
			for (T1 = T1->nxt; T1; T1 = T1->nxt)
			{
#if 0
			printf("\t\tpull %d (%d) to %d\n",
				T1->st, T1->forw, i);
#endif
		/*		srcln[i] = srcln[T1->st];  gh: not useful */
				if (!trans[n][T1->st]) continue;
				T0->nxt = cpytr(trans[n][T1->st]);
				T0 = T0->nxt;
				reach[T1->st] = 1;
				imed(T0, T1->st, n, i);
	}	}	}
	if (state_tables >= 2)
	{	printf("STEP 3 %s\n", 
			procname[n]);
		for (i = 1; i < m; i++)
		for (T0 = trans[n][i]; T0; T0 = T0->nxt)
			crack(n, i, T0, srcln);
		return;
	}
#ifdef HAS_UNLESS
	for (i = 1; i < m; i++)
	{	if (!trans[n][i]) continue;
		/* check for each state i if an
		 * escape to some state p is defined
		 * if so, copy and mark p's transitions
		 * and prepend them to the transition-
		 * list of state i
		 */
	 if (!like_java) /* the default */
	 {	for (T0 = trans[n][i]; T0; T0 = T0->nxt)
		for (k = HAS_UNLESS-1; k >= 0; k--)
		{	if (p = T0->escp[k])
			for (T1 = trans[n][p]; T1; T1 = T1->nxt)
			{	if (isthere(trans[n][i], T1->t_id))
					continue;
				T2 = cpytr(T1);
				T2->e_trans = p;
				T2->nxt = trans[n][i];
				trans[n][i] = T2;
		}	}
	 } else /* outermost unless checked first */
	 {	T4 = T3 = (Trans *) 0;
		for (T0 = trans[n][i]; T0; T0 = T0->nxt)
		for (k = HAS_UNLESS-1; k >= 0; k--)
		{	if (p = T0->escp[k])
			for (T1 = trans[n][p]; T1; T1 = T1->nxt)
			{	if (isthere(trans[n][i], T1->t_id))
					continue;
				T2 = cpytr(T1);
				T2->nxt = (Trans *) 0;
				T2->e_trans = p;
				if (T3)	T3->nxt = T2;
				else	T4 = T2;
				T3 = T2;
		}	}
		if (T4)
		{	T3->nxt = trans[n][i];
			trans[n][i] = T4;
		}
	 }
	}
#endif
#ifndef NOREDUCE
	for (i = 1; i < m; i++)
	{	if (a_cycles)
		{ /* moves through these states are visible */
	#if PROG_LAB>0 && defined(HAS_NP)
			if (progstate[n][i])
				goto degrade;
			for (T1 = trans[n][i]; T1; T1 = T1->nxt)
				if (progstate[n][T1->st])
					goto degrade;
	#endif
			if (accpstate[n][i] || visstate[n][i])
				goto degrade;
			for (T1 = trans[n][i]; T1; T1 = T1->nxt)
				if (accpstate[n][T1->st])
					goto degrade;
		}
		T1 = trans[n][i];
		if (!T1) continue;
		g = mark_safety(T1);	/* V3.3.1 */
		if (g < 0) goto degrade; /* global */
		/* check if mixing of guards preserves reduction */
		if (T1->nxt)
		{	k = 0;
			for (T0 = T1; T0; T0 = T0->nxt)
			{	if (!(T0->atom&8))
					goto degrade;
				for (aa = 0; aa < 2; aa++)
				{	j = srinc_set(T0->tpe[aa]);
					if (j >= GLOBAL && j != ALPHA_F)
						goto degrade;
					if (T0->tpe[aa]
					&&  T0->tpe[aa]
					!=  T1->tpe[0])
						k = 1;
			}	}
			/* g = 0;	V3.3.1 */
			if (k)	/* non-uniform selection */
			for (T0 = T1; T0; T0 = T0->nxt)
			for (aa = 0; aa < 2; aa++)
			{	j = srinc_set(T0->tpe[aa]);
				if (j != LOCAL)
				{	k = srunc(T0->tpe[aa], j);
					for (h = 0; h < 6; h++)
						if (T1->qu[h] == k
						&&  T1->ty[h] == j)
							break;
					if (h >= 6)
					{	T1->qu[g%6] = k;
						T1->ty[g%6] = j;
						g++;
			}	}	}
			if (g > 6)
			{	T1->qu[0] = 0;	/* turn it off */
				printf("pan: warning, line %d, ",
					srcln[i]);
			 	printf("too many stmnt types (%d)",
					g);
			  	printf(" in selection\n");
			  goto degrade;
			}
		}
		/* mark all options global if >=1 is global */
		for (T1 = trans[n][i]; T1; T1 = T1->nxt)
			if (!(T1->atom&8)) break;
		if (T1)
degrade:	for (T1 = trans[n][i]; T1; T1 = T1->nxt)
			T1->atom &= ~8;	/* mark as unsafe */
		/* can only mix 'r's or 's's if on same chan */
		/* and not mixed with other local operations */
		T1 = trans[n][i];
		if (!T1 || T1->qu[0]) continue;
		j = T1->tpe[0];
		if (T1->nxt && T1->atom&8)
		{ if (j == 5*DELTA)
		  {	printf("warning: line %d ", srcln[i]);
			printf("mixed condition ");
			printf("(defeats reduction)\n");
			goto degrade;
		  }
		  for (T0 = T1; T0; T0 = T0->nxt)
		  for (aa = 0; aa < 2; aa++)
		  if  (T0->tpe[aa] && T0->tpe[aa] != j)
		  {	printf("warning: line %d ", srcln[i]);
			printf("[%d-%d] mixed %stion ",
				T0->tpe[aa], j, 
				(j==5*DELTA)?"condi":"selec");
			printf("(defeats reduction)\n");
			printf("	'%s' <-> '%s'\n",
				T1->tp, T0->tp);
			goto degrade;
		} }
	}
#endif
	for (i = 1; i < m; i++)
	{	T2 = trans[n][i];
		if (!T2
		||  T2->nxt
		||  strncmp(T2->tp, ".(goto)", 7)
		||  !stopstate[n][i])
			continue;
		stopstate[n][T2->st] = 1;
	}
	if (state_tables && !verbose)
	{	if (dodot)
		{	char buf[256], *q = buf, *p = procname[n];
			while (*p != '\0')
			{	if (*p != ':')
				{	*q++ = *p;
				}
				p++;
			}
			*q = '\0';
			printf("digraph ");
			switch (Btypes[n]) {
			case I_PROC:  printf("init {\n"); break;
			case N_CLAIM: printf("claim_%s {\n", buf); break;
			case E_TRACE: printf("notrace {\n"); break;
			case N_TRACE: printf("trace {\n"); break;
			default:      printf("p_%s {\n", buf); break;
			}
			printf("size=\"8,10\";\n");
			printf("  GT [shape=box,style=dotted,label=\"%s\"];\n", buf);
			printf("  GT -> S%d;\n", is);
		} else
		{	switch (Btypes[n]) {
			case I_PROC:  printf("init\n"); break;
			case N_CLAIM: printf("claim %s\n", procname[n]); break;
			case E_TRACE: printf("notrace assertion\n"); break;
			case N_TRACE: printf("trace assertion\n"); break;
			default:      printf("proctype %s\n", procname[n]); break;
		}	}
		for (i = 1; i < m; i++)
		{	reach[i] = 1;
		}
		tagtable(n, m, is, srcln, reach);
		if (dodot) printf("}\n");
	} else
	for (i = 1; i < m; i++)
	{	int nrelse;
		if (Btypes[n] != N_CLAIM)
		{	for (T0 = trans[n][i]; T0; T0 = T0->nxt)
			{	if (T0->st == i
				&& strcmp(T0->tp, "(1)") == 0)
				{	printf("error: proctype '%s' ",
						procname[n]);
		  			printf("line %d, state %d: has un",
						srcln[i], i);
					printf("conditional self-loop\n");
					pan_exit(1);
		}	}	}
		nrelse = 0;
		for (T0 = trans[n][i]; T0; T0 = T0->nxt)
		{	if (strcmp(T0->tp, "else") == 0)
				nrelse++;
		}
		if (nrelse > 1)
		{	printf("error: proctype '%s' state",
				procname[n]);
		  	printf(" %d, inherits %d", i, nrelse);
		  	printf(" 'else' stmnts\n");
			pan_exit(1);
	}	}
#if !defined(LOOPSTATE) && !defined(BFS_PAR)
	if (state_tables)
#endif
	do_dfs(n, m, is, srcln, reach, lpstate);

	if (!t_reverse)
	{	return;
	}
	/* process n, with m states, is=initial state -- reverse list */
	if (!state_tables && Btypes[n] != N_CLAIM)
	{	for (i = 1; i < m; i++)
		{	Trans *Tx = (Trans *) 0; /* list of escapes */
			Trans *Ty = (Trans *) 0; /* its tail element */
			T1 = (Trans *) 0; /* reversed list */
			T2 = (Trans *) 0; /* its tail */
			T3 = (Trans *) 0; /* remembers possible 'else' */

			/* find unless-escapes, they should go first */
			T4 = T5 = T0 = trans[n][i];
	#ifdef HAS_UNLESS
			while (T4 && T4->e_trans) /* escapes are first in orig list */
			{	T5 = T4;	  /* remember predecessor */
				T4 = T4->nxt;
			}
	#endif
			/* T4 points to first non-escape, T5 to its parent, T0 to original list */
			if (T4 != T0)		 /* there was at least one escape */
			{	T3 = T5->nxt;		 /* start of non-escapes */
				T5->nxt = (Trans *) 0;	 /* separate */
				Tx = T0;		 /* start of the escapes */
				Ty = T5;		 /* its tail */
				T0 = T3;		 /* the rest, to be reversed */
			}
			/* T0 points to first non-escape, Tx to the list of escapes, Ty to its tail */

			/* first tail-add non-escape transitions, reversed */
			T3 = (Trans *) 0;
			for (T5 = T0; T5; T5 = T4)
			{	T4 = T5->nxt;
	#ifdef HAS_UNLESS
				if (T5->e_trans)
				{	printf("error: cannot happen!\n");
					continue;
				}
	#endif
				if (strcmp(T5->tp, "else") == 0)
				{	T3 = T5;
					T5->nxt = (Trans *) 0;
				} else
				{	T5->nxt = T1;
					if (!T1) { T2 = T5; }
					T1 = T5;
			}	}
			/* T3 points to a possible else, which is removed from the list */
			/* T1 points to the reversed list so far (without escapes) */
			/* T2 points to the tail element -- where the else should go */
			if (T2 && T3)
			{	T2->nxt = T3;	/* add else */
			} else
			{	if (T3) /* there was an else, but there's no tail */
				{	if (!T1)	/* and no reversed list */
					{	T1 = T3; /* odd, but possible */
					} else		/* even stranger */
					{	T1->nxt = T3;
			}	}	}

			/* add in the escapes, to that they appear at the front */
			if (Tx && Ty) { Ty->nxt = T1; T1 = Tx; }

			trans[n][i] = T1;
			/* reversed, with escapes first and else last */
	}	}
	if (state_tables && verbose)
	{	printf("FINAL proctype %s\n", 
			procname[n]);
		for (i = 1; i < m; i++)
		for (T0 = trans[n][i]; T0; T0 = T0->nxt)
			crack(n, i, T0, srcln);
	}
}
void
imed(Trans *T, int v, int n, int j)	/* set intermediate state */
{	progstate[n][T->st] |= progstate[n][v];
	accpstate[n][T->st] |= accpstate[n][v];
	stopstate[n][T->st] |= stopstate[n][v];
	mapstate[n][j] = T->st;
}
void
tagtable(int n, int m, int is, short srcln[], uchar reach[])
{	Trans *z;

	if (is >= m || !trans[n][is]
	||  is <= 0 || reach[is] == 0)
		return;
	reach[is] = 0;
	if (state_tables)
	for (z = trans[n][is]; z; z = z->nxt)
	{	if (dodot)
			dot_crack(n, is, z);
		else
			crack(n, is, z, srcln);
	}

	for (z = trans[n][is]; z; z = z->nxt)
	{
#ifdef HAS_UNLESS
		int i, j;
#endif
		tagtable(n, m, z->st, srcln, reach);
#ifdef HAS_UNLESS
		for (i = 0; i < HAS_UNLESS; i++)
		{	j = trans[n][is]->escp[i];
			if (!j) break;
			tagtable(n, m, j, srcln, reach);
		}
#endif
	}
}

extern Trans *t_id_lkup[];

void
dfs_table(int n, int m, int is, short srcln[], uchar reach[], uchar lpstate[])
{	Trans *z;

	if (is >= m || is <= 0 || !trans[n][is])
		return;
	if ((reach[is] & (4|8|16)) != 0)
	{	if ((reach[is] & (8|16)) == 16)	/* on stack, not yet recorded */
		{	lpstate[is] = 1;
			reach[is] |= 8; /* recorded */
			if (state_tables && verbose)
			{	printf("state %d line %d is a loopstate\n", is, srcln[is]);
		}	}
		return;
	}
	reach[is] |= (4|16);	/* visited | onstack */
	for (z = trans[n][is]; z; z = z->nxt)
	{	t_id_lkup[z->t_id] = z;
#ifdef HAS_UNLESS
		int i, j;
#endif
		dfs_table(n, m, z->st, srcln, reach, lpstate);
#ifdef HAS_UNLESS
		for (i = 0; i < HAS_UNLESS; i++)
		{	j = trans[n][is]->escp[i];
			if (!j) break;
			dfs_table(n, m, j, srcln, reach, lpstate);
		}
#endif
	}
	reach[is] &= ~16; /* no longer on stack */
}
void
do_dfs(int n, int m, int is, short srcln[], uchar reach[], uchar lpstate[])
{	int i;
	dfs_table(n, m, is, srcln, reach, lpstate);
	for (i = 0; i < m; i++)
		reach[i] &= ~(4|8|16);
}
void
crack(int n, int j, Trans *z, short srcln[])
{	int i;

	if (!z) return;
	printf("	state %3d -(tr %3d)-> state %3d  ",
		j, z->forw, z->st);
	printf("[id %3d tp %3d", z->t_id, z->tpe[0]);
	if (z->tpe[1]) printf(",%d", z->tpe[1]);
#ifdef HAS_UNLESS
	if (z->e_trans)
		printf(" org %3d", z->e_trans);
	else if (state_tables >= 2)
	for (i = 0; i < HAS_UNLESS; i++)
	{	if (!z->escp[i]) break;
		printf(" esc %d", z->escp[i]);
	}
#endif
	printf("]");
	printf(" [%s%s%s%s%s] %s:%d => ",
		z->atom&6?"A":z->atom&32?"D":"-",
		accpstate[n][j]?"a" :"-",
		stopstate[n][j]?"e" : "-",
		progstate[n][j]?"p" : "-",
		z->atom & 8 ?"L":"G",
		PanSource, srcln[j]);
	for (i = 0; z->tp[i]; i++)
		if (z->tp[i] == '\n')
			printf("\\n");
		else
			putchar(z->tp[i]);
	if (verbose && z->qu[0])
	{	printf("\t[");
		for (i = 0; i < 6; i++)
			if (z->qu[i])
				printf("(%d,%d)",
				z->qu[i], z->ty[i]);
		printf("]");
	}
	printf("\n");
	fflush(stdout);
}
/* spin -a m.pml; cc -o pan pan.c; ./pan -D | dot -Tps > foo.ps; ps2pdf foo.ps */
void
dot_crack(int n, int j, Trans *z)
{	int i;

	if (!z) return;
	printf("	S%d -> S%d  [color=black", j, z->st);

	if (z->atom&6) printf(",style=dashed");
	else if (z->atom&32) printf(",style=dotted");
	else if (z->atom&8) printf(",style=solid");
	else printf(",style=bold");

	printf(",label=\"");
	for (i = 0; z->tp[i]; i++)
	{	if (z->tp[i] == '\\'
		&&  z->tp[i+1] == 'n')
		{	i++; printf(" ");
		} else
		{	putchar(z->tp[i]);
	}	}
	printf("\"];\n");
	if (accpstate[n][j]) printf("  S%d [color=red,style=bold];\n", j);
	else if (progstate[n][j]) printf("  S%d [color=green,style=bold];\n", j);
	if (stopstate[n][j]) printf("  S%d [color=blue,style=bold,shape=box];\n", j);
}

#ifdef VAR_RANGES
#define BYTESIZE	32	/* 2^8 : 2^3 = 256:8 = 32 */

typedef struct Vr_Ptr {
	char	*nm;
	uchar	vals[BYTESIZE];
	struct Vr_Ptr *nxt;
} Vr_Ptr;
Vr_Ptr *ranges = (Vr_Ptr *) 0;

void
logval(char *s, int v)
{	Vr_Ptr *tmp;

	if (v<0 || v > 255) return;
	for (tmp = ranges; tmp; tmp = tmp->nxt)
		if (!strcmp(tmp->nm, s))
			goto found;
	tmp = (Vr_Ptr *) emalloc(sizeof(Vr_Ptr));
	tmp->nxt = ranges;
	ranges = tmp;
	tmp->nm = s;
found:
	tmp->vals[(v)/8] |= 1<<((v)%8);
}

void
dumpval(uchar X[], int range)
{	int w, x, i, j = -1;

	for (w = i = 0; w < range; w++)
	for (x = 0; x < 8; x++, i++)
	{
from:		if ((X[w] & (1<<x)))
		{	printf("%d", i);
			j = i;
			goto upto;
	}	}
	return;
	for (w = 0; w < range; w++)
	for (x = 0; x < 8; x++, i++)
	{
upto:		if (!(X[w] & (1<<x)))
		{	if (i-1 == j)
				printf(", ");
			else
				printf("-%d, ", i-1);
			goto from;
	}	}
	if (j >= 0 && j != 255)
		printf("-255");
}

void
dumpranges(void)
{	Vr_Ptr *tmp;
	printf("\nValues assigned within ");
	printf("interval [0..255]:\n");
	for (tmp = ranges; tmp; tmp = tmp->nxt)
	{	printf("\t%s\t: ", tmp->nm);
		dumpval(tmp->vals, BYTESIZE);
		printf("\n");
	}
}
#endif
