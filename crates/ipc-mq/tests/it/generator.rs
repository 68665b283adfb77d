//! Numbers for generated inputs: the same in every run.

/// xorshift64*.
pub(crate) struct Generator(u64);

impl Generator {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.max(1))
    }

    pub(crate) fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) % bound as u64) as usize
    }

    pub(crate) fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())]
    }

    pub(crate) fn bytes(&mut self, length: usize) -> Vec<u8> {
        (0..length).map(|_| self.below(256) as u8).collect()
    }
}

/// A name that no other test uses.
pub(crate) fn name(what: &str) -> String {
    format!("/ipc-mq-test.{}.{what}", std::process::id())
}

/// Removes a queue's name when the test ends, however it ends.
pub(crate) struct Named(pub(crate) String);

impl Named {
    pub(crate) fn new(what: &str) -> Self {
        Self(name(what))
    }
}

impl Drop for Named {
    fn drop(&mut self) {
        let _ = ipc_mq::unlink(&self.0);
    }
}
