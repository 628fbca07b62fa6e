//! Every import of one file: `use` with its groups, paths in code, in types, in macros and in attributes.
//!
//! Guarantees: a path that names another module or a crate is found, wherever it stands. Never does: read
//! what is compiled for tests alone.

use std::collections::HashSet;

use proc_macro2::{Delimiter, Span, TokenStream, TokenTree};
use syn::{
    Attribute, ImplItem, Item, ItemMod, ItemUse, Macro, Meta, UseTree,
    visit::{self, Visit},
};

use super::attributes::{attributes, is_compiled, place};

/// A path as it is written.
#[derive(Debug)]
pub struct Written {
    /// Inline modules of the file around it.
    pub inside: Vec<String>,
    pub segments: Vec<String>,
    pub line: usize,
    /// In a `use`; in code a name alone is more often a variable.
    pub is_use: bool,
}

/// `mod name;`, whose text is in another file.
pub struct Child {
    pub inside: Vec<String>,
    pub name: String,
    /// Of `#[path = "…"]`.
    pub path: Option<String>,
    pub is_test: bool,
}

#[derive(Default)]
pub struct Imports {
    pub written: Vec<Written>,
    pub children: Vec<Child>,
    /// Every module that the file declares, with its inline modules.
    pub modules: HashSet<Vec<String>>,
    /// Names that a `use` brings; a path that begins with one says nothing new.
    pub names: HashSet<String>,
    inside: Vec<String>,
}

/// What `text`, a Rust file, imports.
pub fn imports(text: &str) -> syn::Result<Imports> {
    let mut imports = Imports::default();
    imports.visit_file(&syn::parse_file(text)?);
    Ok(imports)
}

impl Imports {
    fn add(&mut self, segments: Vec<String>, span: Span, is_use: bool) {
        let line = span.start().line;
        self.written.push(Written { inside: self.inside.clone(), segments, line, is_use });
    }

    fn tree(&mut self, before: &[String], tree: &UseTree) {
        let with = |ident: &syn::Ident| below(before, &ident.to_string());
        match tree {
            UseTree::Path(path) => self.tree(&with(&path.ident), &path.tree),
            UseTree::Group(group) => group.items.iter().for_each(|item| self.tree(before, item)),
            UseTree::Glob(glob) => self.add(before.to_vec(), glob.star_token.spans[0], true),
            UseTree::Name(name) if name.ident == "self" => {
                self.names.extend(before.last().cloned());
                self.add(before.to_vec(), name.ident.span(), true);
            }
            UseTree::Name(name) => {
                self.names.insert(name.ident.to_string());
                self.add(with(&name.ident), name.ident.span(), true);
            }
            UseTree::Rename(name) => {
                self.names.insert(name.rename.to_string());
                self.add(with(&name.ident), name.ident.span(), true);
            }
        }
    }

    /// Paths in the text of a macro or an attribute, `before` being what stands in front of its braces.
    fn tokens(&mut self, before: &[String], tokens: TokenStream) {
        let mut path = before.to_vec();
        let mut colons = 2;
        let mut at = Span::call_site();
        for token in tokens {
            match token {
                TokenTree::Punct(mark) if mark.as_char() == ':' => colons += 1,
                TokenTree::Ident(ident) => {
                    if colons != 2 {
                        self.path(std::mem::take(&mut path), at);
                    }
                    at = ident.span();
                    path.push(ident.to_string());
                    colons = 0;
                }
                TokenTree::Group(group) if group.delimiter() == Delimiter::Brace && colons == 2 => {
                    self.tokens(&path, group.stream());
                    path = Vec::new();
                    colons = 0;
                }
                other => {
                    self.path(std::mem::take(&mut path), at);
                    colons = 0;
                    match other {
                        TokenTree::Group(group) => self.tokens(&[], group.stream()),
                        TokenTree::Punct(mark) if mark.as_char() == ',' => {
                            path = before.to_vec();
                            colons = 2;
                        }
                        _ => {}
                    }
                }
            }
        }
        self.path(path, at);
    }

    fn path(&mut self, segments: Vec<String>, span: Span) {
        if segments.len() > 1 {
            self.add(segments, span, false);
        }
    }

    /// Paths in strings, as `#[serde(with = "crate::task::span")]` has them.
    fn strings(&mut self, tokens: TokenStream) {
        for token in tokens {
            match token {
                TokenTree::Group(group) => self.strings(group.stream()),
                TokenTree::Literal(literal) => {
                    let text = literal.to_string();
                    if let Ok(path) = syn::parse_str::<syn::Path>(text.trim_matches('"')) {
                        self.path(segments(&path), literal.span());
                    }
                }
                _ => {}
            }
        }
    }
}

/// The path of `name` in `module`.
pub fn below(module: &[String], name: &str) -> Vec<String> {
    [module, &[name.to_owned()]].concat()
}

fn segments(path: &syn::Path) -> Vec<String> {
    path.segments.iter().map(|segment| segment.ident.to_string()).collect()
}

impl<'ast> Visit<'ast> for Imports {
    fn visit_item(&mut self, item: &'ast Item) {
        if let Item::Mod(module) = item {
            self.module(module);
        } else if is_compiled(attributes(item)) {
            visit::visit_item(self, item);
        }
    }

    fn visit_impl_item(&mut self, item: &'ast ImplItem) {
        let attributes = match item {
            ImplItem::Const(item) => &item.attrs,
            ImplItem::Fn(item) => &item.attrs,
            ImplItem::Type(item) => &item.attrs,
            _ => &Vec::new(),
        };
        if is_compiled(attributes) {
            visit::visit_impl_item(self, item);
        }
    }

    fn visit_item_use(&mut self, item: &'ast ItemUse) {
        self.tree(&[], &item.tree);
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        if let Some(first) = path.segments.first() {
            self.path(segments(path), first.ident.span());
        }
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, call: &'ast Macro) {
        self.visit_path(&call.path);
        self.tokens(&[], call.tokens.clone());
    }

    fn visit_attribute(&mut self, attribute: &'ast Attribute) {
        if let Meta::List(list) = &attribute.meta {
            self.tokens(&[], list.tokens.clone());
            self.strings(list.tokens.clone());
        }
        visit::visit_attribute(self, attribute);
    }
}

impl Imports {
    fn module(&mut self, module: &ItemMod) {
        let name = module.ident.to_string();
        let is_test = !is_compiled(&module.attrs);
        let inside = self.inside.clone();
        self.modules.insert(below(&inside, &name));
        match &module.content {
            None => self.children.push(Child { inside, name, path: place(&module.attrs), is_test }),
            Some(_) if is_test => {}
            Some((_, items)) => {
                self.inside.push(name);
                items.iter().for_each(|item| self.visit_item(item));
                self.inside.pop();
            }
        }
    }
}
