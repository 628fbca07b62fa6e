//! The files that Windows wants of a program with counters: a manifest, which `lodctr` registers, and the
//! strings that the program must hold in it, for a resource compiler.

use std::fmt::Write;

use uuid::Uuid;

use super::{COUNTERS, Counter, PROVIDER, SET};

const NAME: &str = "Clawpool";
const HELP: &str = "A worker pool driven by message queues.";

/// The number of the first string; each name has one, and its help the second after it.
const FIRST: u32 = 100;

/// Of the strings of a counter.
const fn name_string(id: u32) -> u32 {
    FIRST + 4 * id
}

const fn help_string(id: u32) -> u32 {
    name_string(id) + 2
}

/// As the registry and the system's tools write it.
pub fn provider() -> String {
    braced(PROVIDER)
}

fn braced(guid: u128) -> String {
    Uuid::from_u128(guid).braced().to_string()
}

/// For `lodctr /m:`. `program`: the name of the file with the strings, which lies beside the manifest or in
/// the folder that `lodctr` is told.
pub fn manifest(program: &str) -> String {
    let program = escaped(program);
    let mut text = format!(
        r#"<?xml version="1.0" encoding="UTF-8"?>
<instrumentationManifest xmlns="http://schemas.microsoft.com/win/2004/08/events">
  <instrumentation>
    <counters xmlns="http://schemas.microsoft.com/win/2005/12/counters" schemaVersion="2.0">
      <provider applicationIdentity="{program}" providerName="{NAME}" symbol="CLAWPOOL"
          providerType="userMode" providerGuid="{}">
        <counterSet guid="{}" uri="Clawpool.Counters" symbol="CLAWPOOL_COUNTERS" instances="multiple"
            name="{NAME}" nameID="{}" description="{HELP}" descriptionID="{}">
"#,
        provider(),
        braced(SET),
        name_string(0),
        help_string(0),
    );
    for Counter { id, name, help, shape, .. } in COUNTERS {
        // Writing to a string does not fail.
        let _ = write!(
            text,
            r#"          <counter id="{id}" uri="Clawpool.Counters.{id}" type="{}" detailLevel="standard"
              name="{name}" nameID="{}"
              description="{help}" descriptionID="{}">
            <counterAttributes>
              <counterAttribute name="reference"/>
            </counterAttributes>
          </counter>
"#,
            shape.name(),
            name_string(id),
            help_string(id),
        );
    }
    text + "        </counterSet>\n      </provider>\n    </counters>\n  </instrumentation>\n\
            </instrumentationManifest>\n"
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    const REMEDY: &str = "run this test with CLAWPOOL_WRITE=1, which writes it anew";

    /// The strings as a resource compiler reads them.
    fn resources() -> String {
        let mut text =
            "// The names of the Windows performance counters, for a resource compiler. A test of\n\
                        // src/server/telemetry/counters holds this equal to the table there.\n\n\
                        LANGUAGE 9, 1\n\nSTRINGTABLE\nBEGIN\n"
                .to_owned();
        let set = [(name_string(0), NAME), (help_string(0), HELP)];
        let counters = COUNTERS.iter().flat_map(|counter| {
            [(name_string(counter.id), counter.name), (help_string(counter.id), counter.help)]
        });
        for (number, string) in set.into_iter().chain(counters) {
            writeln!(text, "    {number} \"{string}\"").unwrap();
        }
        text + "END\n"
    }

    #[test]
    fn the_files_are_those_of_the_table() {
        for (file, text) in [("clawpool.man", manifest("clawpool.exe")), ("clawpool.rc", resources())] {
            let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../config/windows/");
            let path = format!("{folder}{file}");
            if std::env::var_os("CLAWPOOL_WRITE").is_some() {
                std::fs::write(&path, &text).unwrap();
            }
            let there = std::fs::read_to_string(&path).unwrap_or_default().replace("\r\n", "\n");
            assert!(there == text, "config/windows/{file} is not what the table says: {REMEDY}");
        }
    }

    #[test]
    fn strings_are_plain_and_named_once() {
        let mut strings: Vec<&str> =
            COUNTERS.iter().flat_map(|counter| [counter.name, counter.help]).collect();
        strings.extend([NAME, HELP]);
        // A resource compiler reads a file in the code page of its machine, and XML has its own marks.
        let is_plain =
            |text: &&str| text.bytes().all(|byte| byte.is_ascii() && !b"\"\\<>&'%".contains(&byte));
        assert!(strings.iter().all(is_plain), "{strings:?}");
        let count = strings.len();
        strings.sort_unstable();
        strings.dedup();
        assert_eq!(strings.len(), count);
    }

    #[test]
    fn a_programs_name_stays_inside_its_quotes() {
        assert!(manifest("a&\"<b.exe").contains("applicationIdentity=\"a&amp;&quot;&lt;b.exe\" "));
    }
}
