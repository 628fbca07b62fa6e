//! The layout as Lua definitions, of which each script gets those that it uses. Offsets count from 1, as
//! Lua does.
//!
//! Of a field `started` of the record there are `STARTED_OFFSET`, `STARTED_WIDTH`, `STARTED_NONE` (it,
//! packed, where it is not set) and, for `struct`, `STARTED_FORMAT`; of a message's or an entry's field the
//! same after `MESSAGE_` or `ENTRY_`. Of a value `result` there is `RESULT_VALUE`, its number among the
//! record's values. `unpack_record` makes a table with the names of the head's fields, and `tail`;
//! `pack_record` makes the record of such a table; `unpack_tail` and `pack_tail` do the same with the
//! values.

use std::fmt::Write;

use super::{
    Head, Header, Name, RECENT_STEP, Tail, WANTED, code_of,
    field::{Field, LENGTH},
};
use clawpool_core::{
    figures::{MOST_COUNTERS, Step, WITHOUT_PLACE},
    task::{Priority, State},
};

pub(crate) fn definitions() -> String {
    let lowest = Priority::ALL.len() - 1;
    let parts = [
        format!("local RECENT_STEP = {}\n", RECENT_STEP.as_millis()),
        format!("local LOWEST_PRIORITY = {lowest}\nlocal WANTED = {WANTED}\nlocal YES = 1\nlocal NO = 0\n"),
        states(),
        constants("HEAD", "", &Head::fields()),
        format!("local TAIL_OFFSET = {}\n", Head::WIDTH + 1),
        values(),
        record(),
        tail(),
        constants("MESSAGE", "MESSAGE_", &Header::fields()),
        constants("ENTRY", "ENTRY_", &Name::fields()),
        queues(),
        figures(),
    ];
    parts.concat()
}

fn states() -> String {
    let mut text = String::new();
    for state in State::ALL {
        let _ = writeln!(text, "local {} = '{}'", state.name().to_uppercase(), code_of(state));
    }
    let set = |states: &mut dyn Iterator<Item = State>| {
        let codes: Vec<_> = states.map(|state| format!("{} = true", code_of(state))).collect();
        codes.join(", ")
    };
    let all = set(&mut State::ALL.into_iter());
    let ends = set(&mut State::ALL.into_iter().filter(|state| state.is_final()));
    let _ = writeln!(text, "local STATES = {{ {all} }}\nlocal FINAL = {{ {ends} }}");
    text
}

/// By the number of a priority: the name of its own queue, and the lane of that.
fn queues() -> String {
    let mut names = String::new();
    let mut lanes = String::new();
    for priority in Priority::ALL {
        let number = priority.index();
        let _ = write!(names, "[{number}] = '{}', ", priority.queue());
        let _ = write!(lanes, "[{number}] = '{}', ", priority.queue().lane());
    }
    format!("local QUEUE_NAMES = {{ {names}}}\nlocal LANE_NAMES = {{ {lanes}}}\n")
}

/// Counters of one attempt at most.
pub(crate) const PLACES: usize = 6;

/// The windows in which attempts are counted, in milliseconds, and the places of an attempt's counters.
fn figures() -> String {
    let step = Step::TenSeconds;
    let length = step.length().as_millis();
    let kept = step.kept().as_millis();
    format!(
        "local FIGURES_WINDOW = {length}\nlocal FIGURES_KEPT = {kept}\n\
         local MOST_COUNTERS = {MOST_COUNTERS}\n\
         local WITHOUT_PLACE = '{WITHOUT_PLACE}'\nlocal PLACES = {PLACES}\n\
         local PLACES_WIDTH = {}\nlocal PLACES_FORMAT = '>{}'\n",
        2 * PLACES,
        "I2".repeat(PLACES)
    )
}

fn constants(whole: &str, prefix: &str, fields: &[Field]) -> String {
    let mut text = String::new();
    let mut offset = 1;
    let mut format = String::from(">");
    for Field { name, width, lua, .. } in fields {
        let name = name.to_uppercase();
        let _ = writeln!(text, "local {prefix}{name}_OFFSET = {offset}");
        let _ = writeln!(text, "local {prefix}{name}_WIDTH = {width}");
        let _ = writeln!(text, "local {prefix}{name}_FORMAT = '>{lua}'");
        let _ = writeln!(text, "local {prefix}{name}_NONE = '{}'", "\\0".repeat(*width));
        offset += width;
        format.push_str(lua);
    }
    let _ = writeln!(text, "local {whole}_WIDTH = {}\nlocal {whole}_FORMAT = '{format}'", offset - 1);
    text
}

fn values() -> String {
    let mut text = format!("local LENGTH_WIDTH = {LENGTH}\nlocal LENGTH_FORMAT = '>I{LENGTH}'\n");
    for (number, name) in Tail::NAMES.iter().enumerate() {
        let _ = writeln!(text, "local {}_VALUE = {}", name.to_uppercase(), number + 1);
    }
    let format = format!("I{LENGTH}c0").repeat(Tail::NAMES.len());
    let _ = writeln!(text, "local TAIL_VALUES = {}\nlocal TAIL_FORMAT = '>{format}'", Tail::NAMES.len());
    text
}

fn record() -> String {
    let fields = Head::fields();
    let names: Vec<&str> = fields.iter().map(|field| field.name).collect();
    let mut read = String::new();
    let mut written = String::new();
    for Field { name, is_flag, .. } in &fields {
        let (from, to) = if *is_flag { (" == YES", " and YES or NO") } else { ("", "") };
        let _ = writeln!(read, "    {name} = {name}{from},");
        let _ = write!(written, ",\n    record.{name}{to}");
    }
    let names = names.join(", ");
    format!(
        "local function unpack_record(bytes)
  local {names} = struct.unpack(HEAD_FORMAT, bytes)
  return {{
{read}    tail = bytes:sub(TAIL_OFFSET),
  }}
end
local function pack_record(record)
  return struct.pack(HEAD_FORMAT{written}) .. record.tail
end
"
    )
}

fn tail() -> String {
    let names = Tail::NAMES.join(", ");
    let each = |of: &dyn Fn(&str) -> String| Tail::NAMES.iter().map(|name| of(name)).collect::<String>();
    let read = each(&|name| format!("    {name} = {name},\n"));
    let written = each(&|name| format!(",\n    #values.{name}, values.{name}"));
    format!(
        "local function unpack_tail(tail)
  local {names} = struct.unpack(TAIL_FORMAT, tail)
  return {{
{read}  }}
end
local function pack_tail(values)
  return struct.pack(TAIL_FORMAT{written})
end
"
    )
}
