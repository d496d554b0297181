//! What a terminal makes of keys: lines, with echo and the usual control characters.
//!
//! There is no kernel's terminal behind a guest, so that what people expect of one happens here.

const END_OF_TRANSMISSION: u8 = 4;
const INTERRUPT: u8 = 3;
const BACKSPACE: u8 = 8;
const DELETE: u8 = 127;
const KILL_LINE: u8 = 21;

/// The line that is being typed.
#[derive(Debug, Default)]
pub(crate) struct Terminal {
    line: Vec<u8>,
}

/// What some keys lead to.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Typed {
    /// What the person sees.
    pub(crate) echo: Vec<u8>,
    /// What the program reads.
    pub(crate) input: Vec<u8>,
    /// The program's input ends here (Ctrl-D).
    pub(crate) end: bool,
    /// The program is to be ended (Ctrl-C).
    pub(crate) interrupt: bool,
}

impl Terminal {
    /// Takes keys; what comes after the end or an interrupt is ignored.
    pub(crate) fn keys(&mut self, keys: &[u8]) -> Typed {
        let mut typed = Typed::default();
        for key in keys {
            match *key {
                b'\r' | b'\n' => {
                    self.line.push(b'\n');
                    typed.input.append(&mut self.line);
                    typed.echo.extend_from_slice(b"\r\n");
                }
                END_OF_TRANSMISSION if self.line.is_empty() => {
                    typed.end = true;
                    return typed;
                }
                END_OF_TRANSMISSION => typed.input.append(&mut self.line),
                INTERRUPT => {
                    typed.echo.extend_from_slice(b"^C\r\n");
                    typed.interrupt = true;
                    return typed;
                }
                BACKSPACE | DELETE => self.erase(&mut typed.echo),
                KILL_LINE => {
                    while !self.line.is_empty() {
                        self.erase(&mut typed.echo);
                    }
                }
                key => {
                    self.line.push(key);
                    typed.echo.push(key);
                }
            }
        }
        typed
    }

    /// Takes the last character back.
    fn erase(&mut self, echo: &mut Vec<u8>) {
        let is_inner = |byte: u8| byte & 0b1100_0000 == 0b1000_0000;
        while let Some(byte) = self.line.pop() {
            if !is_inner(byte) {
                echo.extend_from_slice(b"\x08 \x08");
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(keys: &str, input: &str, echo: &str) -> Typed {
        let typed = Terminal::default().keys(keys.as_bytes());
        assert_eq!(String::from_utf8_lossy(&typed.input), input, "input of {keys:?}");
        assert_eq!(String::from_utf8_lossy(&typed.echo), echo, "echo of {keys:?}");
        typed
    }

    #[test]
    fn a_line_is_read_when_it_is_finished() {
        check("ab\rc", "ab\n", "ab\r\nc");
        check("ab\u{4}", "ab", "ab");
        check("aü\u{7f}b\r", "ab\n", "aü\u{8} \u{8}b\r\n");
        check("ab\u{15}c\r", "c\n", "ab\u{8} \u{8}\u{8} \u{8}c\r\n");
    }

    #[test]
    fn control_characters_end_input_and_program() {
        assert!(check("\u{4}", "", "").end);
        assert!(check("a\r\u{3}b", "a\n", "a\r\n^C\r\n").interrupt);
    }
}
