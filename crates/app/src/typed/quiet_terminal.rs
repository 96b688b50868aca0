//! A terminal that does not show what is typed, until this is dropped.

use std::io::{self, Stdin};

use rustix::termios::{LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcsetattr};

/// Keys arrive one by one, also Ctrl-C: so the terminal is put back however the question ends.
pub(super) struct QuietTerminal<'a> {
    stdin: &'a Stdin,
    before: Termios,
}

impl<'a> QuietTerminal<'a> {
    /// Makes the terminal quiet.
    ///
    /// # Errors
    /// When standard input is not a terminal.
    pub(super) fn new(stdin: &'a Stdin) -> io::Result<Self> {
        let before = tcgetattr(stdin)?;
        let mut quiet = before.clone();
        quiet
            .local_modes
            .remove(LocalModes::ECHO | LocalModes::ICANON | LocalModes::ISIG | LocalModes::IEXTEN);
        quiet.special_codes[SpecialCodeIndex::VMIN] = 1;
        quiet.special_codes[SpecialCodeIndex::VTIME] = 0;
        // What was typed ahead was shown already.
        tcsetattr(stdin, OptionalActions::Flush, &quiet)?;
        Ok(Self { stdin, before })
    }
}

impl Drop for QuietTerminal<'_> {
    fn drop(&mut self) {
        let _ = tcsetattr(self.stdin, OptionalActions::Flush, &self.before);
    }
}
