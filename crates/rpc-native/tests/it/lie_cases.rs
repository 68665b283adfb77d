//! The table of lies that a client could tell, each with other numbers each time.

use crate::raw::{
    BIND, BOUND, CALL, CANCEL, CREDIT, DEADLINE, END, LAST, MESSAGE, METADATA, ONEWAY, RETURN,
    bind, bind_as, call, call_of, frame, hello, metadata, text,
};
use rpc_core::Code;
use rpc_testkit::inventory::STOCK_SERVICE;

/// What must come.
pub(crate) enum Expect {
    /// The connection ends, with this reason.
    End(&'static str),
    /// These calls return, in any order, so; then another call does.
    Return(Vec<(u32, Code)>),
    /// The word on a service; then a call still returns.
    Word(u8),
}
pub(crate) use Expect::{End, Return, Word};

pub(crate) struct Random(pub(crate) u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }
    fn between(&mut self, low: u32, high: u32) -> u32 {
        low + self.below(u64::from(high - low) + 1) as u32
    }
    pub(crate) fn bytes(&mut self, length: usize) -> Vec<u8> {
        (0..length).map(|_| self.next() as u8).collect()
    }
}

pub(crate) type Case = (&'static str, fn(&mut Random) -> (Vec<u8>, Expect));

pub(crate) fn get(number: u32) -> Vec<u8> {
    call(number, "Get", LAST, &[&text("there")])
}

fn never(number: u32) -> Vec<u8> {
    call(number, "Get", LAST, &[&text("never")])
}

fn ok(number: u32) -> Expect {
    Return(vec![(number, Code::Ok)])
}

/// After the greeting and the name of the service. For both kinds of server.
pub(crate) const CASES: &[Case] = &[
    ("an unknown method", |r| {
        let method = std::iter::repeat_with(|| r.next() as u32);
        let unknown = method
            .into_iter()
            .find(|id| STOCK_SERVICE.method(*id).is_none());
        let bytes = call_of(1, unknown.expect("nearly all"), LAST, &[]);
        (bytes, Return(vec![(1, Code::Unimplemented)]))
    }),
    ("a service that was never named", |r| {
        let mut bytes = get(1);
        bytes[12..14].copy_from_slice(&(2 + r.below(65_534) as u16).to_le_bytes());
        (bytes, Return(vec![(1, Code::FailedPrecondition)]))
    }),
    ("an unknown service", |r| {
        let name = format!("inventory.v{}.Stock", 2 + r.below(1 << 40));
        (bind_as(2, 1, &name, [0; 16]), Word(1))
    }),
    ("another contract", |r| {
        let mut other = [0; 16];
        other.copy_from_slice(&r.bytes(16));
        (bind_as(2, 1, STOCK_SERVICE.name(), other), Word(2))
    }),
    ("an unknown codec", |r| {
        (bind(2, 3 + r.below(253) as u8, &STOCK_SERVICE), Word(3))
    }),
    ("a service's number twice", |r| {
        let codec = 1 + r.below(2) as u8;
        (
            bind(1, codec, &STOCK_SERVICE),
            End("a service's number is in use"),
        )
    }),
    ("a service's number out of bounds", |r| {
        let number = [0, 65 + r.below(65_470) as u16][r.below(2) as usize];
        let wrong = "a service's name or number is out of bounds";
        (bind(number, 1, &STOCK_SERVICE), End(wrong))
    }),
    ("a call's number in use", |r| {
        // A stream that has not ended is under way for sure.
        let many = r.between(1, 9) as usize;
        let bytes = [call(1, "Fill", 0, &[]), get(1).repeat(many)].concat();
        (bytes, End("a call's number is in use"))
    }),
    ("a captured call again", |r| {
        // Only when its number is free again is it another call, which its sender has made.
        let put = call(1, "Fill", 0, &[]);
        (
            put.repeat(r.between(2, 9) as usize),
            End("a call's number is in use"),
        )
    }),
    ("call 0", |_| {
        (get(0), End("a call that contradicts itself"))
    }),
    ("a number beyond the next", |r| {
        let number = [r.between(2, 200), u32::MAX, 1 << 31][r.below(3) as usize];
        (
            get(number.max(2)),
            End("a call's number is beyond the next free one"),
        )
    }),
    ("oneway with a number", |r| {
        let bytes = call(r.between(1, 9), "Note", LAST | ONEWAY, &[&text("x")]);
        (bytes, End("a call that contradicts itself"))
    }),
    ("a method of another kind", |r| {
        let method = ["Fill", "Look"][r.below(2) as usize];
        let bytes = call(1, method, LAST, &[&text("x")]);
        (bytes, Return(vec![(1, Code::InvalidArgument)]))
    }),
    ("frames of a server", |r| {
        let kind = [BOUND, RETURN, 12][r.below(3) as usize];
        let bytes = frame(kind, 0, r.between(0, 9), &r.bytes(9));
        (bytes, End("a client does not send this frame"))
    }),
    ("a frame for a call that never was", |r| {
        let kind = [MESSAGE, END, CANCEL, CREDIT][r.below(4) as usize];
        let bytes = frame(kind, 0, r.between(1, u32::MAX), &[9, 0, 0, 0]);
        (bytes, End("a frame for a call that never was"))
    }),
    ("no time left", |r| {
        let name = ["Get", "Put", "List"][r.below(3) as usize];
        let bytes = call(1, name, LAST | DEADLINE, &[&[0; 8], &text("there")]);
        (bytes, Return(vec![(1, Code::DeadlineExceeded)]))
    }),
    ("hardly time left", |r| {
        let micros = u64::from(r.between(1, 900)).to_le_bytes();
        let bytes = call(1, "Get", LAST | DEADLINE, &[&micros, &text("never")]);
        (bytes, Return(vec![(1, Code::DeadlineExceeded)]))
    }),
    ("time beyond all clocks", |r| {
        let micros = [1 << 63, u64::MAX, u64::MAX - r.below(1 << 40)][r.below(3) as usize];
        let time = micros.to_le_bytes();
        (
            call(1, "Get", LAST | DEADLINE, &[&time, &text("there")]),
            ok(1),
        )
    }),
    ("metadata at its limit", |r| {
        let size = [8 << 10, (8 << 10) + 1, 16 << 10][r.below(3) as usize];
        let values = [r.bytes(size - 1)];
        (
            call(
                1,
                "Get",
                LAST | METADATA,
                &[&metadata(&values), &text("there")],
            ),
            ok(1),
        )
    }),
    ("metadata above its limit", |r| {
        let size = (16 << 10) + r.between(0, 4000) as usize;
        let values = [r.bytes(size)];
        let bytes = call(
            1,
            "Get",
            LAST | METADATA,
            &[&metadata(&values), &text("there")],
        );
        (bytes, End("metadata has a strange name, or too much of it"))
    }),
    ("ten thousand entries", |r| {
        let values = vec![Vec::new(); r.between(101, 10_000) as usize];
        let bytes = call(
            1,
            "Get",
            LAST | METADATA,
            &[&metadata(&values), &text("there")],
        );
        (bytes, End("metadata has a strange name, or too much of it"))
    }),
    ("metadata cut short", |r| {
        let length = r.between(1, u32::from(u16::MAX)) as u16;
        let bytes = call(1, "Get", LAST | METADATA, &[&length.to_le_bytes()]);
        (bytes, End("metadata is cut short"))
    }),
    ("a head cut short", |r| {
        let bytes = frame(CALL, LAST | r.below(8) as u8, 1, &r.bytes(r.0 as usize % 8));
        (bytes, End("a call's head is cut short"))
    }),
    ("a stream that ends twice", |r| {
        let items = frame(MESSAGE, 0, 1, &text("a")).repeat(r.between(0, 5) as usize);
        let ends = frame(END, 0, 1, &[]).repeat(2);
        let bytes = [call(1, "Fill", 0, &[]), items, ends].concat();
        (bytes, End("a stream that ends twice"))
    }),
    ("an item after the end", |r| {
        let item = frame(MESSAGE, 0, 1, &r.bytes(20));
        let bytes = [call(1, "Fill", 0, &[]), frame(END, 0, 1, &[]), item].concat();
        (bytes, End("an item after the last one"))
    }),
    ("the wrong codec", |r| {
        let json = br#"{"sku":"there"}"#;
        let bytes = call(1, "Get", LAST, &[&json[..json.len() - r.below(3) as usize]]);
        (bytes, Return(vec![(1, Code::InvalidArgument)]))
    }),
    ("the wrong codec, the other way", |_| {
        let mut call = get(1);
        call[12] = 2;
        (
            [bind(2, 2, &STOCK_SERVICE), call].concat(),
            Return(vec![(1, Code::InvalidArgument)]),
        )
    }),
    ("flags that nobody knows, such as compressed", |r| {
        let mut bytes = [get(1), frame(BIND, 0, 0, &[])][r.below(2) as usize].clone();
        bytes[5] |= [32, 64, 128][r.below(3) as usize];
        (bytes, End("a frame with a flag that its kind has not"))
    }),
    ("kinds that nobody knows", |r| {
        let kind = [0, r.between(14, 255) as u8][r.below(2) as usize];
        (
            frame(kind, 0, 0, &r.bytes(9)),
            End("a frame of no known kind"),
        )
    }),
    ("bytes that are zero and are not", |r| {
        let mut bytes = get(1);
        bytes[6 + r.below(2) as usize] = r.between(1, 255) as u8;
        (bytes, End("a frame of no known kind"))
    }),
    ("credit for what was never sent", |r| {
        let bytes = r.between(1, u32::MAX).to_le_bytes();
        (
            frame(CREDIT, 0, 0, &bytes),
            End("a credit for what was never sent"),
        )
    }),
    ("a second greeting", |_| {
        (hello(), End("a connection begins with one greeting"))
    }),
    ("a length beyond the limit", |r| {
        let mut bytes = get(1);
        let length = [r.between(5 << 20, u32::MAX), u32::MAX, 1 << 31][r.below(3) as usize];
        bytes[..4].copy_from_slice(&length.to_le_bytes());
        (bytes, End("a frame is longer than the limit"))
    }),
];

/// What only a server that does many things at a time can carry.
pub(crate) const AWAITED: &[Case] = &[
    ("interleaved streams", |r| {
        let many = r.between(2, 9);
        let mut bytes: Vec<u8> = (1..=many).flat_map(|n| call(n, "Fill", 0, &[])).collect();
        for _ in 0..r.between(1, 40) {
            bytes.extend(frame(MESSAGE, 0, r.between(1, many), &text("a")));
        }
        bytes.extend((1..=many).flat_map(|n| frame(END, 0, n, &[])));
        (bytes, Return((1..=many).map(|n| (n, Code::Ok)).collect()))
    }),
    ("cancelled before its end", |r| {
        let many = r.between(1, 9) as usize;
        let bytes = [never(1), frame(CANCEL, 0, 1, &[]).repeat(many)].concat();
        (bytes, Return(vec![(1, Code::Cancelled)]))
    }),
    ("a stream half closed, and one that stays open", |r| {
        let item = frame(MESSAGE, 0, 1, &text("a")).repeat(r.between(0, 9) as usize);
        let open = call(2, "Fill", 0, &[]);
        let bytes = [call(1, "Fill", 0, &[]), open, item, frame(END, 0, 1, &[])].concat();
        (bytes, ok(1))
    }),
];
