//! Events for the crate `tracing`, with the feature of that name.
//!
//! A subscriber can contain any code, and may acquire a pidfile itself. So no event is sent in a critical
//! section, while this thread has locked the table or the alarms, or from a signal handler or an exit
//! handler.

/// Sends an event with the fields `path`, `pid` and, if it is given, `reason`.
#[cfg(feature = "tracing")]
macro_rules! event {
    ($level:ident, $path:expr, $pid:expr, $message:literal $(, $reason:expr)?) => {
        tracing::event!(
            tracing::Level::$level,
            path = %$path.display(),
            pid = Option::<u32>::from($pid),
            $(reason = %$reason,)?
            $message
        )
    };
}

/// Evaluates nothing.
#[cfg(not(feature = "tracing"))]
macro_rules! event {
    ($level:ident, $path:expr, $pid:expr, $message:literal $(, $reason:expr)?) => {{
        let _ = || {
            let _ = (&$path, &$pid $(, &$reason)?);
        };
    }};
}

pub(crate) use event;
