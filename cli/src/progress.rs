//! Progress on standard error, where that is a terminal.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// A bar, or nothing where nobody would see it. It vanishes when it is dropped.
pub(crate) struct Progress(ProgressBar);

impl Progress {
    /// Bytes read, of a total that may be unknown.
    pub(crate) fn bytes(shown: bool, total: Option<u64>) -> Self {
        let template = match total {
            Some(_) => "{bar:30} {bytes} of {total_bytes}, {eta} left  {msg}",
            None => "{spinner} {bytes}  {msg}",
        };
        Self::new(shown, total, template)
    }

    /// Files done, of a total that may be unknown.
    pub(crate) fn files(shown: bool, total: Option<u64>) -> Self {
        let template = match total {
            Some(_) => "{bar:30} {human_pos} of {human_len} files  {msg}",
            None => "{spinner} {human_pos} files  {msg}",
        };
        Self::new(shown, total, template)
    }

    fn new(shown: bool, total: Option<u64>, template: &str) -> Self {
        // It hides itself where standard error is no terminal.
        let target = if shown {
            ProgressDrawTarget::stderr()
        } else {
            ProgressDrawTarget::hidden()
        };
        let bar = ProgressBar::with_draw_target(total, target);
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        if !bar.is_hidden() {
            bar.enable_steady_tick(Duration::from_millis(200));
        }
        Progress(bar)
    }

    pub(crate) fn set(&self, position: u64) {
        self.0.set_position(position);
    }

    pub(crate) fn advance(&self) {
        self.0.inc(1);
    }

    pub(crate) fn say(&self, message: &'static str) {
        self.0.set_message(message);
    }

    /// Lets something else write to the terminal.
    pub(crate) fn suspend(&self, write: impl FnOnce()) {
        self.0.suspend(write);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
