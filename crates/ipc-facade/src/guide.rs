//! The guide: which mechanism, what it costs, and what goes wrong with it.
//!
//! | chapter | the question it answers |
//! |---|---|
//! | [choosing] | which one do I take? |
//! | [names] | how do two processes find each other, and who cleans up? |
//! | [death] | what happens when the peer dies? |
//! | [security] | who can get in, and what can they do? |
//! | [messages_or_memory] | do I hand data over, or share it? |
//! | [blocking_or_awaited] | a thread, a wait set or a task? |
//! | [near_or_far] | is a call a function? |
//! | [coming_from] | what is it called here? |
//!
//! The chapters are Markdown files beside this one, for readers of the repository. Their links lead
//! to files there; here the same labels lead to items, since of two definitions the first counts.

/// One chapter: its own links first, then the text, whose labels are thereby items.
macro_rules! chapter {
    ($name:ident, $file:literal) => {
        #[doc = "[choosing]: crate::guide::choosing"]
        #[doc = "[names]: crate::guide::names"]
        #[doc = "[death]: crate::guide::death"]
        #[doc = "[security]: crate::guide::security"]
        #[doc = "[messages_or_memory]: crate::guide::messages_or_memory"]
        #[doc = "[blocking_or_awaited]: crate::guide::blocking_or_awaited"]
        #[doc = "[near_or_far]: crate::guide::near_or_far"]
        #[doc = "[coming_from]: crate::guide::coming_from"]
        #[doc = "[WaitSet]: crate::WaitSet"]
        #[cfg_attr(feature = "tokio", doc = "[Async]: crate::Async")]
        #[cfg_attr(feature = "event", doc = "[event]: crate::event")]
        #[cfg_attr(feature = "file", doc = "[file]: crate::file")]
        #[cfg_attr(feature = "mq", doc = "[mq]: crate::mq")]
        #[cfg_attr(feature = "net", doc = "[net]: crate::net")]
        #[cfg_attr(feature = "pipe", doc = "[pipe]: crate::pipe")]
        #[cfg_attr(feature = "ring", doc = "[ring]: crate::ring")]
        #[cfg_attr(feature = "sem", doc = "[sem]: crate::sem")]
        #[cfg_attr(feature = "shm", doc = "[shm]: crate::shm")]
        #[cfg_attr(feature = "signal", doc = "[signal]: crate::signal")]
        #[cfg_attr(feature = "uds", doc = "[uds]: crate::uds")]
        #[cfg_attr(feature = "rpc", doc = "[rpc-native]: crate::rpc_native")]
        #[doc = ""]
        #[doc = include_str!($file)]
        pub mod $name {}
    };
}

chapter!(choosing, "guide/choosing.md");
chapter!(names, "guide/names.md");
chapter!(death, "guide/death.md");
chapter!(security, "guide/security.md");
chapter!(messages_or_memory, "guide/messages_or_memory.md");
chapter!(blocking_or_awaited, "guide/blocking_or_awaited.md");
chapter!(near_or_far, "guide/near_or_far.md");
chapter!(coming_from, "guide/coming_from.md");
