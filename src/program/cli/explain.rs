use clap::Args;

use super::{Globals, failure::Failure, output::table};
use clawpool_core::codes::{self, Code};

/// What an error code means and what to do about it
#[derive(Debug, Args)]
pub(super) struct Explain {
    /// CP-1203; without one, all of them are listed
    code: Option<String>,
}

impl Explain {
    pub(super) fn run(&self, globals: &Globals) -> Result<(), Failure> {
        let Some(text) = &self.code else {
            let codes: Vec<Code> = codes::all().collect();
            return globals.output().show(&codes, |codes| listing(codes));
        };
        let unknown =
            || Failure::failed(format!("{text:?} is no error code: `clawpool explain` lists them all"));
        globals.output().show(&codes::find(text).ok_or_else(unknown)?, details)
    }
}

fn listing(codes: &[Code]) -> String {
    table(["CODE", "TITLE"], codes.iter().map(|code| [code.code.to_owned(), code.title.to_owned()]))
}

fn details(code: &Code) -> String {
    format!("{}  {}\n\n{}\n\n{}\n", code.code, code.title, code.meaning, code.remedy)
}
