//! What scripts share: a list of Lua definitions, of which each script gets those that it uses and no others.

use std::collections::{HashMap, HashSet};

use super::layout;

/// Lua text made of `local` definitions alone, each of which may speak of what is above it.
pub(crate) struct Library {
    definitions: Vec<Definition>,
}

struct Definition {
    names: Vec<String>,
    text: String,
}

impl Library {
    /// The layout, what all scripts of the store and of the broker share, and these parts.
    pub(crate) fn shared(parts: &[&str]) -> Self {
        let layout = layout::definitions();
        let shared = [
            &*layout,
            include_str!("parts/basics.lua"),
            include_str!("parts/names.lua"),
            include_str!("parts/unreadable.lua"),
            include_str!("parts/messages.lua"),
        ];
        Self::new(&[&shared, parts].concat())
    }

    fn new(parts: &[&str]) -> Self {
        Self { definitions: parts.iter().flat_map(|part| definitions(part)).collect() }
    }

    /// The script after the definitions that it speaks of, and those that these speak of.
    pub(crate) fn complete(&self, script: &str) -> String {
        let mut spoken: HashSet<&str> = words(script).collect();
        let mut chosen = vec![script];
        for definition in self.definitions.iter().rev() {
            if definition.names.iter().any(|name| spoken.contains(name.as_str())) {
                spoken.extend(words(&definition.text));
                chosen.push(&definition.text);
            }
        }
        chosen.reverse();
        with_values(&chosen.join("\n"))
    }
}

/// Puts the values of constants, which are definitions like `local WIDTH = 4`, where their names were. A
/// function that speaks of a local costs more the more of them there are, each time that the script runs.
fn with_values(script: &str) -> String {
    let (constants, rest): (Vec<_>, Vec<_>) =
        script.lines().map(|line| (constant(line), line)).partition(|(found, _)| found.is_some());
    let values: HashMap<&str, &str> = constants.into_iter().filter_map(|(found, _)| found).collect();
    let mut text = String::with_capacity(script.len());
    for (_, line) in rest {
        let mut at = 0;
        for word in words(line) {
            let Some(value) = values.get(word) else { continue };
            let start = word.as_ptr() as usize - line.as_ptr() as usize;
            text.push_str(&line[at..start]);
            at = start + word.len();
            // A text whose method is called wants parentheses.
            let value = if line[at..].starts_with(':') { format!("({value})") } else { (*value).to_owned() };
            text.push_str(&value);
        }
        text = text + &line[at..] + "\n";
    }
    text
}

/// The name and the value of a number or a text that is defined at the start of a line, with a name in
/// capitals.
fn constant(line: &str) -> Option<(&str, &str)> {
    let (name, value) = line.strip_prefix("local ")?.split_once(" = ")?;
    let is_named = name.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_');
    let text = value.strip_prefix('\'').and_then(|rest| rest.strip_suffix('\''));
    let is_value =
        value.bytes().all(|byte| byte.is_ascii_digit()) || text.is_some_and(|text| !text.contains('\''));
    (is_named && is_value).then_some((name, value))
}

/// A definition begins with `local` at the start of a line, and takes the comment right above along.
fn definitions(part: &str) -> Vec<Definition> {
    let mut all = Vec::<Definition>::new();
    let mut comment = String::new();
    for line in part.lines() {
        if let Some(names) = line.strip_prefix("local ") {
            let text = std::mem::take(&mut comment) + line;
            all.push(Definition { names: defined(names), text });
        } else if line.starts_with("--") {
            comment = comment + line + "\n";
        } else if line.is_empty() {
            comment.clear();
        } else if let Some(last) = all.last_mut() {
            last.text = format!("{}\n{line}", last.text);
        }
    }
    all
}

/// Of `function name(…)` the name, of `one, other = …` both.
fn defined(rest: &str) -> Vec<String> {
    let head = match rest.strip_prefix("function ") {
        Some(function) => function.split('(').next(),
        None => rest.split('=').next(),
    };
    head.unwrap_or_default().split(',').map(|name| name.trim().to_owned()).collect()
}

/// The names in a text, without its comments, its quoted texts and the fields of tables.
fn words(text: &str) -> impl Iterator<Item = &str> {
    let code = text.lines().map(|line| line.split("--").next().unwrap_or_default());
    code.flat_map(|line| {
        let spoken = line.split('\'').step_by(2);
        let parts = spoken.flat_map(|part| {
            part.split(|character: char| !character.is_ascii_alphanumeric() && character != '_')
        });
        let is_field = |word: &&str| {
            let before = &line[..word.as_ptr() as usize - line.as_ptr() as usize];
            before.ends_with(['.', ':']) && !before.ends_with("..")
        };
        parts.filter(move |word| !word.is_empty() && !is_field(word))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_gets_what_it_speaks_of_and_what_that_speaks_of() {
        let part = "-- The head of the file.

-- Twice as much as half.
local whole, half = 2, 1
local unused = whole
-- Adds, with a value of its own.
local function add(one, other)
  local sum = one + other

  return sum
end
local function twice(value) return add(value, value) end
local field = 1
";
        let completed =
            Library::new(&[part]).complete("-- unused\nreturn twice(half .. redis.field, 'unused')");
        let expected = "-- Twice as much as half.
local whole, half = 2, 1
-- Adds, with a value of its own.
local function add(one, other)
  local sum = one + other
  return sum
end
local function twice(value) return add(value, value) end
-- unused
return twice(half .. redis.field, 'unused')
";
        assert_eq!(completed, expected);
    }

    #[test]
    fn constants_are_put_where_they_are_spoken_of() {
        let part = "local WIDTH = 4\nlocal FORMAT = '>I4'\nlocal TABLE = {}\nlocal BOTH = WIDTH + 1";
        let script =
            "-- WIDTH\nlocal OWN = 7\nreturn f(WIDTH - 1, 'WIDTH', t.WIDTH, FORMAT:len(), OWN, TABLE, BOTH)";
        let expected = "local TABLE = {}\nlocal BOTH = 4 + 1\n-- WIDTH\n\
            return f(4 - 1, 'WIDTH', t.WIDTH, ('>I4'):len(), 7, TABLE, BOTH)\n";
        assert_eq!(Library::new(&[part]).complete(script), expected);
    }
}
