//! A log whose files are bounded in age, size and number.
//!
//! Guarantees: no line, written with one call, is cut in two or lost at a change of files; any number of
//! processes may write to one log. Never does: rename a file, which another process may be writing to.

use std::{
    ffi::OsStr,
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
};

use super::logs::append_to;

/// `NAME.2026-01-31`, then `NAME.2026-01-31.1` and so on where one file is not enough for a day.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Part {
    day: String,
    number: u32,
}

/// Every process finds by itself that a file is full or its day is over, and goes on with the next one: the
/// same for all.
#[derive(Debug)]
pub(super) struct Rotating {
    log: PathBuf,
    limit: u64,
    keep: usize,
    part: Part,
    file: File,
}

impl Rotating {
    /// The newest `keep` files of the log stay.
    pub(super) fn open(log: &Path, limit: u64, keep: u16) -> io::Result<Self> {
        if log.file_name().is_none() {
            return Err(io::ErrorKind::InvalidFilename.into());
        }
        let today = today();
        let number =
            parts(log).filter(|part| part.day == today).map(|part| part.number).max().unwrap_or_default();
        let part = Part { day: today, number };
        let file = append_to(&part.path(log))?;
        let rotating = Self { log: log.to_owned(), limit, keep: keep.into(), part, file };
        rotating.prune();
        Ok(rotating)
    }

    fn full(&self) -> io::Result<bool> {
        Ok(self.file.metadata()?.len() >= self.limit)
    }

    /// To the first file of the day that has room.
    fn turn(&mut self) -> io::Result<()> {
        let today = today();
        let mut turned = false;
        while self.part.day != today || self.full()? {
            let number = if self.part.day == today { self.part.number + 1 } else { 0 };
            let part = Part { day: today.clone(), number };
            self.file = append_to(&part.path(&self.log))?;
            self.part = part;
            turned = true;
        }
        if turned {
            self.prune();
        }
        Ok(())
    }

    /// Another process may do the same at this moment, so what is gone already is no error.
    fn prune(&self) {
        let mut parts: Vec<Part> = parts(&self.log).collect();
        parts.sort();
        let surplus = parts.len().saturating_sub(self.keep);
        for part in &parts[..surplus] {
            let _ = fs::remove_file(part.path(&self.log));
        }
    }
}

impl Write for Rotating {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        // A next file that cannot be opened leaves this one to write to.
        let _ = self.turn();
        self.file.write(line)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Part {
    fn path(&self, log: &Path) -> PathBuf {
        let mut name = log.as_os_str().to_owned();
        name.push(format!(".{}", self.day));
        if self.number > 0 {
            name.push(format!(".{}", self.number));
        }
        name.into()
    }

    fn parse(log: &OsStr, file: &OsStr) -> Option<Self> {
        let rest = file.to_str()?.strip_prefix(log.to_str()?)?.strip_prefix('.')?;
        let (day, number) = match rest.split_once('.') {
            Some((day, number)) => (day, number.parse().ok()?),
            None => (rest, 0),
        };
        day.parse::<jiff::civil::Date>().ok()?;
        Some(Self { day: day.to_owned(), number })
    }
}

/// UTC, so that machines agree.
fn today() -> String {
    jiff::tz::TimeZone::UTC.to_datetime(jiff::Timestamp::now()).date().to_string()
}

/// The log's files that exist.
fn parts(log: &Path) -> impl Iterator<Item = Part> {
    let name = log.file_name().map(OsStr::to_owned).unwrap_or_default();
    let folder = log.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let files = fs::read_dir(folder).into_iter().flatten().flatten();
    files.filter_map(move |file| Part::parse(&name, &file.file_name()))
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeMap, thread};

    use super::*;

    fn files(log: &Path) -> BTreeMap<String, String> {
        let files = fs::read_dir(log.parent().unwrap()).unwrap().map(|file| file.unwrap().path());
        files
            .map(|path| {
                (path.file_name().unwrap().to_str().unwrap().to_owned(), fs::read_to_string(&path).unwrap())
            })
            .collect()
    }

    #[test]
    fn of_old_files_so_many_stay_and_others_are_not_touched() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("pool.log");
        for name in ["2020-01-01", "2020-01-02.2", "2020-01-02.10", "2020-01-03", "gz", "2020-01-01.gz"] {
            fs::write(folder.path().join(format!("pool.log.{name}")), name).unwrap();
        }
        writeln!(Rotating::open(&log, 1000, 3).unwrap(), "a line").unwrap();
        let names: Vec<String> = files(&log).into_keys().collect();
        let today = format!("pool.log.{}", today());
        let left = [
            "pool.log.2020-01-01.gz",
            "pool.log.2020-01-02.10",
            "pool.log.2020-01-03",
            today.as_str(),
            "pool.log.gz",
        ];
        assert_eq!(names, left);
    }

    #[test]
    fn a_full_file_is_followed_by_the_next_also_after_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("pool.log");
        for number in 0..5 {
            let mut rotating = Rotating::open(&log, 10, 3).unwrap();
            rotating.write_all(format!("line {number}\n").as_bytes()).unwrap();
        }
        let day = today();
        let expected = [("", "line 0\nline 1\n"), (".1", "line 2\nline 3\n"), (".2", "line 4\n")];
        let expected = expected.map(|(end, text)| (format!("pool.log.{day}{end}"), text.to_owned()));
        assert_eq!(files(&log), BTreeMap::from(expected));
    }

    #[test]
    fn yesterdays_file_is_left_for_todays() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("pool.log");
        let mut rotating = Rotating::open(&log, 1000, 3).unwrap();
        rotating.part = Part { day: "2020-01-01".into(), number: 4 };
        rotating.file = append_to(&rotating.part.path(&log)).unwrap();
        writeln!(rotating, "a line").unwrap();
        assert_eq!(files(&log)[&format!("pool.log.{}", today())], "a line\n");
    }

    #[test]
    fn many_writers_lose_and_cut_no_line() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("pool.log");
        thread::scope(|scope| {
            for writer in 0..4 {
                let mut rotating = Rotating::open(&log, 2000, 1000).unwrap();
                scope.spawn(move || {
                    (0..500).for_each(|line| {
                        let text = format!("line {line} of {writer}\n");
                        assert_eq!(rotating.write(text.as_bytes()).unwrap(), text.len());
                    });
                });
            }
        });
        let files = files(&log);
        // Each writer may be past its look when another one fills the file.
        assert!(files.len() > 10 && files.values().all(|text| text.len() < 2000 + 4 * 20), "{files:?}");
        let mut lines: Vec<&str> = files.values().flat_map(|text| text.lines()).collect();
        lines.sort_unstable();
        let mut expected: Vec<String> =
            (0..4).flat_map(|writer| (0..500).map(move |line| format!("line {line} of {writer}"))).collect();
        expected.sort_unstable();
        assert!(lines == expected, "{} lines of {}", lines.len(), expected.len());
    }
}
