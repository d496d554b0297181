//! Container logs on disk: lines in the CRI text format, `TIME STREAM TAG CONTENT`.

mod follow;
pub(crate) mod stream;
#[cfg(test)]
mod tests;

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::Path;

use jiff::Timestamp;

/// Which part of a log is wanted, and in which form.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct LogOptions {
    pub(crate) follow: bool,
    pub(crate) tail_lines: Option<u64>,
    pub(crate) limit_bytes: Option<u64>,
    pub(crate) since: Option<Timestamp>,
    pub(crate) timestamps: bool,
}

/// One line of a log file, without its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Line<'a> {
    pub(crate) time: &'a str,
    pub(crate) stream: &'a str,
    /// Whether more of the program's line follows.
    pub(crate) partial: bool,
    pub(crate) content: &'a [u8],
}

/// Reads one line; `None` if it is not in the CRI format.
pub(crate) fn parse_line(line: &[u8]) -> Option<Line<'_>> {
    let mut parts = line.splitn(4, |byte| *byte == b' ');
    let time = std::str::from_utf8(parts.next()?).ok()?;
    let stream = std::str::from_utf8(parts.next()?).ok()?;
    let tags = parts.next()?;
    let content = parts.next().unwrap_or_default();
    if !matches!(stream, "stdout" | "stderr") {
        return None;
    }
    let partial = tags.split(|byte| *byte == b':').next() == Some(b"P");
    Some(Line { time, stream, partial, content })
}

/// Turns lines of the file into what a client is sent.
#[derive(Debug)]
pub(crate) struct Renderer {
    options: LogOptions,
    sent: u64,
    /// Whether the next line continues one whose beginning was sent.
    continues: bool,
}

impl Renderer {
    pub(crate) fn new(options: LogOptions) -> Self {
        Self { options, sent: 0, continues: false }
    }

    /// Whether the byte limit is reached.
    pub(crate) fn is_full(&self) -> bool {
        self.options.limit_bytes.is_some_and(|limit| self.sent >= limit)
    }

    /// Appends what the line is to the client.
    pub(crate) fn render(&mut self, line: &[u8], out: &mut Vec<u8>) {
        let Some(parsed) = parse_line(line) else { return };
        if let Some(since) = self.options.since
            && parsed.time.parse::<Timestamp>().is_ok_and(|time| time < since)
        {
            return;
        }
        let from = out.len();
        if self.options.timestamps && !self.continues {
            out.extend_from_slice(parsed.time.as_bytes());
            out.push(b' ');
        }
        out.extend_from_slice(parsed.content);
        self.continues = parsed.partial;
        if !parsed.partial {
            out.push(b'\n');
        }
        if let Some(limit) = self.options.limit_bytes {
            let left = usize::try_from(limit - self.sent.min(limit)).unwrap_or(usize::MAX);
            out.truncate(out.len().min(from + left));
        }
        self.sent += (out.len() - from) as u64;
    }
}

/// Where the last `lines` lines of the file begin. Blocking.
pub(crate) fn tail_offset(file: &mut File, lines: u64) -> io::Result<u64> {
    const BLOCK: u64 = 16 << 10;
    let mut end = file.seek(SeekFrom::End(0))?;
    if lines == 0 {
        return Ok(end);
    }
    let mut seen = 0;
    let whole = end;
    let mut block = Vec::new();
    while end > 0 {
        let start = end.saturating_sub(BLOCK);
        file.seek(SeekFrom::Start(start))?;
        block.clear();
        file.by_ref().take(end - start).read_to_end(&mut block)?;
        for (index, byte) in block.iter().enumerate().rev() {
            let at = start + index as u64;
            // The end of the last line begins no line.
            if *byte == b'\n' && at + 1 < whole {
                seen += 1;
                if seen == lines {
                    return Ok(at + 1);
                }
            }
        }
        end = start;
    }
    Ok(0)
}

/// Removes the log of one run, with the files it was rotated to; none is fine. Blocking.
pub(crate) fn remove(path: &Path) -> io::Result<()> {
    let rotated = match wk_runtime::rotated_logs(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        rotated => rotated?,
    };
    for file in rotated.iter().map(|(_, file)| file.as_path()).chain([path]) {
        match std::fs::remove_file(file) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

/// The content of the last lines, at most `lines` and `bytes`. Blocking.
pub(crate) fn last_lines(path: &Path, lines: usize, bytes: usize) -> io::Result<String> {
    let mut file = File::open(path)?;
    let offset = tail_offset(&mut file, lines as u64)?;
    file.seek(SeekFrom::Start(offset))?;
    let mut raw = Vec::new();
    file.read_to_end(&mut raw)?;
    let mut renderer = Renderer::new(LogOptions::default());
    let mut out = Vec::new();
    for line in raw.split(|byte| *byte == b'\n') {
        renderer.render(line, &mut out);
    }
    let start = out.len().saturating_sub(bytes);
    Ok(String::from_utf8_lossy(&out[start..]).into_owned())
}
