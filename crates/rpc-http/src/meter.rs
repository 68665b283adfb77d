//! Watches the frames of an HTTP/2 connection pass by, without input or output: floods of frames
//! that do nothing, and frames that never end.

use crate::Limits;
use crate::cutter::{Cutter, Frame, WINDOW_UPDATE};
use std::time::Instant;

pub(crate) const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const PUSH_PROMISE: u8 = 5;
const GO_AWAY: u8 = 7;
const CONTINUATION: u8 = 9;
const ACK: u8 = 1;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;
const ENHANCE_YOUR_CALM: u32 = 0xb;
/// What gRPC clients look for beside it: they ask less often from then on.
const TOO_MANY_PINGS: &[u8] = b"too_many_pings";

/// A window update of less than this is not worth its frame.
const WORTH_BYTES: u32 = 1024;
/// How many frames a second any peer may send that do nothing.
const REFILL_PER_SECOND: f64 = 100.0;

/// What there is to say of a connection's frames.
#[derive(Debug)]
pub(crate) struct Meter {
    read: Cutter,
    written: Cutter,
    /// How much of the preface still has to come; none for a client.
    preface: usize,
    /// How much of the preface still has to go; none for a server.
    own_preface: usize,
    state: State,
    tokens: f64,
    /// The same for resets, which nothing that the peer itself sends makes good.
    resets: f64,
    refilled: Instant,
    began: Instant,
    /// Since when a frame, or a head of several frames, is not whole.
    partial_since: Option<Instant>,
    in_head: bool,
    last_stream: u32,
    /// How many of the idle frames, since the bucket was last full, were questions.
    pings: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Nothing whole has come yet.
    Greeting,
    /// HTTP/2.
    Frames,
    /// HTTP/1, which has frames of another kind.
    Plain,
}

/// Why a connection is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cut {
    Flood,
    Greeting,
    Frame,
}

impl Meter {
    pub(crate) fn server(now: Instant) -> Self {
        Self::new(now, PREFACE.len(), 0)
    }

    pub(crate) fn client(now: Instant) -> Self {
        Self::new(now, 0, PREFACE.len())
    }

    fn new(now: Instant, preface: usize, own_preface: usize) -> Self {
        Self {
            read: Cutter::default(),
            written: Cutter::default(),
            preface,
            own_preface,
            state: State::Greeting,
            tokens: f64::from(Limits::MAX_IDLE_FRAMES),
            resets: f64::from(Limits::MAX_IDLE_FRAMES),
            refilled: now,
            began: now,
            partial_since: None,
            in_head: false,
            last_stream: 0,
            pings: 0,
        }
    }

    /// Bytes that came.
    pub(crate) fn read(&mut self, mut bytes: &[u8], now: Instant) -> Result<(), Cut> {
        if self.state == State::Plain {
            return Ok(());
        }
        if self.preface > 0 {
            let expected = &PREFACE[PREFACE.len() - self.preface..];
            let take = bytes.len().min(expected.len());
            if bytes[..take] != expected[..take] {
                self.state = State::Plain;
                return Ok(());
            }
            self.preface -= take;
            bytes = &bytes[take..];
        }
        let (mut cost, mut resets, mut gain, mut greeted) = (0.0, 0.0, 0.0, false);
        let mut asked = 0;
        let before = self.last_stream;
        let Self {
            read,
            in_head,
            last_stream,
            ..
        } = self;
        read.pass(bytes, |frame, update| {
            greeted = true;
            if frame.kind == RST_STREAM {
                resets += 1.0;
            } else if is_idle(frame, update) {
                cost += 1.0;
                asked += u32::from(frame.kind == PING);
            } else if frame.kind == DATA {
                gain += 1.0;
            }
            if matches!(frame.kind, HEADERS | CONTINUATION | PUSH_PROMISE) {
                *in_head = frame.flags & END_HEADERS == 0;
                *last_stream = (*last_stream).max(frame.stream);
            }
        });
        if greeted && self.state == State::Greeting {
            self.state = State::Frames;
        }
        let partial = self.in_head || !self.read.between_frames();
        let progress = greeted && !self.in_head;
        self.partial_since = match self.partial_since {
            Some(since) if partial && !progress => Some(since),
            _ => partial.then_some(now),
        };
        self.gain(gain);
        let paid = self.pay(cost, resets, now);
        self.pings = self.pings.saturating_add(asked);
        if paid.is_err() {
            // What came with the last straw is handed to nobody.
            self.last_stream = before;
        }
        paid
    }

    /// Bytes that were written: answers make room for what belongs to them.
    pub(crate) fn wrote(&mut self, bytes: &[u8]) {
        if self.state == State::Plain {
            return;
        }
        let own = bytes.len().min(self.own_preface);
        self.own_preface -= own;
        let (mut gain, mut answers) = (0.0, 0.0);
        self.written
            .pass(&bytes[own..], |frame, _| match frame.kind {
                HEADERS => answers += 1.0,
                DATA => gain += 1.0,
                _ => {}
            });
        self.gain(gain + answers);
        self.resets = full(self.resets + answers);
    }

    /// When [`late`](Meter::late) may have something to say, if nothing comes before.
    pub(crate) fn wakes(&self, limits: &Limits) -> Option<Instant> {
        match (self.state, self.partial_since) {
            (State::Plain, _) => None,
            (State::Greeting, _) => self.began.checked_add(limits.greeting),
            (State::Frames, since) => since?.checked_add(limits.frame),
        }
    }

    /// What took too long.
    pub(crate) fn late(&self, limits: &Limits, now: Instant) -> Option<Cut> {
        (now >= self.wakes(limits)?).then_some(match self.state {
            State::Greeting => Cut::Greeting,
            _ => Cut::Frame,
        })
    }

    /// The GOAWAY that tells a flooding peer, where one can stand now.
    pub(crate) fn farewell(&self) -> Option<Vec<u8>> {
        if self.state != State::Frames || !self.written.between_frames() {
            return None;
        }
        let mostly_pings = self.pings > Limits::MAX_IDLE_FRAMES / 2;
        let why = if mostly_pings { TOO_MANY_PINGS } else { &[] };
        let length = u8::try_from(8 + why.len()).expect("a few words");
        let mut frame = vec![0, 0, length, GO_AWAY, 0, 0, 0, 0, 0];
        frame.extend(self.last_stream.to_be_bytes());
        frame.extend(ENHANCE_YOUR_CALM.to_be_bytes());
        frame.extend(why);
        Some(frame)
    }

    fn gain(&mut self, tokens: f64) {
        self.tokens = full(self.tokens + tokens);
        if self.tokens >= f64::from(Limits::MAX_IDLE_FRAMES) {
            self.pings = 0;
        }
    }

    fn pay(&mut self, tokens: f64, resets: f64, now: Instant) -> Result<(), Cut> {
        if tokens + resets == 0.0 {
            return Ok(());
        }
        let passed = now.saturating_duration_since(self.refilled).as_secs_f64();
        self.refilled = now;
        self.gain(passed * REFILL_PER_SECOND);
        self.tokens -= tokens;
        self.resets = full(self.resets + passed * REFILL_PER_SECOND) - resets;
        if self.tokens < 0.0 || self.resets < 0.0 {
            return Err(Cut::Flood);
        }
        Ok(())
    }
}

/// As many tokens, or as many as a bucket holds.
fn full(tokens: f64) -> f64 {
    tokens.min(f64::from(Limits::MAX_IDLE_FRAMES))
}

/// Whether a frame asks or tells nothing of a request. (A reset is counted by itself: the request
/// that it ends was for nothing.)
const fn is_idle(frame: Frame, update: u32) -> bool {
    match frame.kind {
        HEADERS | PUSH_PROMISE | GO_AWAY => false,
        DATA => frame.length == 0 && frame.flags & END_STREAM == 0,
        SETTINGS => frame.flags & ACK == 0,
        WINDOW_UPDATE => update < WORTH_BYTES,
        // CONTINUATION, PING, PRIORITY, and what nobody knows.
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
        let length = u32::try_from(payload.len()).expect("short").to_be_bytes();
        let mut frame = length[1..].to_vec();
        frame.extend([kind, flags]);
        frame.extend(stream.to_be_bytes());
        frame.extend(payload);
        frame
    }

    fn greeted(now: Instant) -> Meter {
        let mut meter = Meter::server(now);
        meter.read(PREFACE, now).expect("a preface");
        meter.read(&frame(SETTINGS, 0, 0, &[]), now).expect("one");
        meter
    }

    #[test]
    fn every_flood_is_cut_within_its_thousand() {
        let now = Instant::now();
        let floods = [
            (PING, 0, 0, vec![0; 8]),
            (SETTINGS, 0, 0, vec![]),
            (2, 0, 1, vec![0; 5]),
            (RST_STREAM, 0, 1, vec![0; 4]),
            (CONTINUATION, 0, 1, vec![0; 4]),
            (DATA, 0, 1, vec![]),
            (WINDOW_UPDATE, 0, 1, vec![0, 0, 0, 1]),
            (77, 0, 0, vec![]),
        ];
        for (kind, flags, stream, payload) in floods {
            let mut meter = greeted(now);
            let bytes = frame(kind, flags, stream, &payload);
            let cut = (0..2_000).position(|_| meter.read(&bytes, now).is_err());
            assert!(cut.is_some_and(|at| at <= 1_000), "{kind}: {cut:?}");
            let farewell = meter.farewell().expect("between frames");
            assert_eq!(farewell.ends_with(TOO_MANY_PINGS), kind == PING);
            assert_eq!(farewell[16], 0xb);
        }
    }

    #[test]
    fn requests_that_are_reset_make_up_for_nothing_and_answers_do() {
        let now = Instant::now();
        let reset = [
            frame(HEADERS, END_HEADERS, 1, &[0x83]),
            frame(DATA, 0, 1, &[0; 16]),
            frame(RST_STREAM, 0, 1, &[0, 0, 0, 8]),
        ]
        .concat();
        let mut meter = greeted(now);
        let cut = (0..2_000).position(|_| meter.read(&reset, now).is_err());
        assert_eq!(cut, Some(1_000));
        let mut meter = greeted(now);
        for _ in 0..100_000 {
            meter.read(&reset, now).expect("no flood");
            meter.wrote(&frame(HEADERS, END_HEADERS, 1, &[0x88]));
        }
    }

    #[test]
    fn what_belongs_to_answers_is_no_flood() {
        let now = Instant::now();
        let mut meter = greeted(now);
        for _ in 0..100_000 {
            meter.wrote(&frame(DATA, 0, 1, &[0; 16]));
            let came = [
                frame(PING, 0, 0, &[0; 8]),
                frame(WINDOW_UPDATE, 0, 1, &[0, 0, 64, 0]),
            ];
            meter.read(&came.concat(), now).expect("no flood");
        }
    }

    #[test]
    fn frames_are_seen_wherever_the_bytes_are_cut() {
        let now = Instant::now();
        let limits = Limits::new();
        let mut bytes = PREFACE.to_vec();
        bytes.extend(frame(SETTINGS, 0, 0, &[]));
        bytes.extend(frame(HEADERS, END_HEADERS, 7, &[0; 40]));
        let mut meter = Meter::server(now);
        for byte in &bytes[..bytes.len() - 1] {
            meter.read(&[*byte], now).expect("no flood");
        }
        let later = now + limits.frame;
        assert_eq!(meter.late(&limits, later), Some(Cut::Frame));
        meter.read(&[0], now).expect("no flood");
        assert_eq!(meter.late(&limits, later), None);
        assert_eq!(meter.last_stream, 7);
    }

    #[test]
    fn a_head_that_goes_on_and_on_is_late_though_frames_come() {
        let (mut now, limits) = (Instant::now(), Limits::new());
        let mut meter = greeted(now);
        meter.read(&frame(HEADERS, 0, 1, &[0]), now).expect("one");
        for _ in 0..11 {
            now += Duration::from_secs(1);
            meter
                .read(&frame(CONTINUATION, 0, 1, &[0]), now)
                .expect("few");
        }
        assert_eq!(meter.late(&limits, now), Some(Cut::Frame));
    }

    #[test]
    fn who_says_nothing_is_late_and_http_1_is_not_measured() {
        let (now, limits) = (Instant::now(), Limits::new());
        let meter = Meter::server(now);
        assert_eq!(
            meter.late(&limits, now + limits.greeting),
            Some(Cut::Greeting)
        );
        let mut meter = Meter::server(now);
        meter.read(b"GET / HTTP/1.1\r\n", now).expect("plain");
        assert_eq!(meter.wakes(&limits), None);
        assert!(meter.farewell().is_none());
    }
}
