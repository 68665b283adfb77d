//! Whether every user of the host exists in our user namespace.

use std::sync::OnceLock;

/// Whether each user id of the host is the same id here, as in the host's own user namespace:
/// then the kernel never has to substitute the overflow user, and 65534 is a real one (`nobody`).
#[must_use]
pub fn every_user_exists_here() -> bool {
    static ANSWER: OnceLock<bool> = OnceLock::new();
    *ANSWER.get_or_init(|| {
        std::fs::read_to_string("/proc/self/uid_map").is_ok_and(|map| maps_everyone(&map))
    })
}

fn maps_everyone(map: &str) -> bool {
    let numbers: Vec<&str> = map.split_whitespace().collect();
    numbers == ["0", "0", "4294967295"]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_whole_identity_maps_everyone() {
        assert!(maps_everyone("         0          0 4294967295\n"));
        assert!(!maps_everyone("         0       1000          1\n"));
        assert!(!maps_everyone("0 0 65536\n65536 65536 1\n"));
        assert!(!maps_everyone(""));
    }
}
