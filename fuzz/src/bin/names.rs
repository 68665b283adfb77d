//! Names: what is accepted keeps the grammar, whatever was asked for.
#![cfg_attr(feature = "libfuzzer", no_main)]

use ipc_core::{ErrorKind, Name};

ipc_fuzz::target!(check);

fn check(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    match Name::new(text) {
        Ok(name) => {
            let bare = name.as_str();
            assert_eq!(text.strip_prefix('/').unwrap_or(text), bare);
            assert!((1..=Name::MAX_BYTES).contains(&bare.len()));
            assert!(!bare.starts_with(['.', '-']));
            let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
            assert!(bare.bytes().all(plain));
            assert_eq!(Name::new(bare).expect("again"), name);
        }
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::InvalidInput);
            assert!(error.to_string().len() < 1000, "a clipped message");
        }
    }
}
