//! What attributes say of an item: whether it is there outside of tests, and in which file.

use syn::{Attribute, Item, Meta, punctuated::Punctuated};

/// Those of an item that may be left out of a build.
pub fn attributes(item: &Item) -> &[Attribute] {
    match item {
        Item::Const(item) => &item.attrs,
        Item::Enum(item) => &item.attrs,
        Item::Fn(item) => &item.attrs,
        Item::Impl(item) => &item.attrs,
        Item::Macro(item) => &item.attrs,
        Item::Static(item) => &item.attrs,
        Item::Struct(item) => &item.attrs,
        Item::Trait(item) => &item.attrs,
        Item::Type(item) => &item.attrs,
        Item::Use(item) => &item.attrs,
        _ => &[],
    }
}

/// Whether this is there outside of tests, on some system and with some features.
pub fn is_compiled(attributes: &[Attribute]) -> bool {
    let conditions = attributes.iter().filter(|attribute| attribute.path().is_ident("cfg"));
    conditions.flat_map(|attribute| inner(&attribute.meta)).all(|condition| may_hold(&condition))
}

fn may_hold(condition: &Meta) -> bool {
    let path = condition.path();
    if path.is_ident("any") {
        inner(condition).iter().any(may_hold)
    } else if path.is_ident("all") {
        inner(condition).iter().all(may_hold)
    } else {
        !path.is_ident("test") && !is_for_tests_elsewhere(condition)
    }
}

/// What tests of other crates build on.
fn is_for_tests_elsewhere(condition: &Meta) -> bool {
    let Meta::NameValue(pair) = condition else { return false };
    let syn::Expr::Lit(literal) = &pair.value else { return false };
    let syn::Lit::Str(feature) = &literal.lit else { return false };
    pair.path.is_ident("feature") && feature.value() == "conformance"
}

fn inner(meta: &Meta) -> Vec<Meta> {
    let Meta::List(list) = meta else { return Vec::new() };
    let parsed = list.parse_args_with(Punctuated::<Meta, syn::Token![,]>::parse_terminated);
    parsed.unwrap().into_iter().collect()
}

/// The file that `#[path = "…"]` names.
pub fn place(attributes: &[Attribute]) -> Option<String> {
    let attribute = attributes.iter().find(|attribute| attribute.path().is_ident("path"))?;
    let Meta::NameValue(pair) = &attribute.meta else { return None };
    let syn::Expr::Lit(syn::ExprLit { lit: syn::Lit::Str(text), .. }) = &pair.value else { return None };
    Some(text.value())
}
