//! What is said of a route beside what its row and its handler's types tell.

use schemars::JsonSchema;
use utoipa::openapi::{
    Content, RefOr, Required,
    path::Parameter,
    request_body::{RequestBody, RequestBodyBuilder},
    response::{Response, ResponseBuilder},
    schema::Schema,
};

use super::Schemas;

type Shape = fn(&mut Schemas) -> RefOr<Schema>;

/// Made by a function of the handler's name in `about`.
pub(in crate::api) struct About {
    /// By it a generated client calls the route; it stays as it is.
    pub(super) id: &'static str,
    pub(super) summary: &'static str,
    pub(super) description: String,
    pub(super) parameters: Vec<Parameter>,
    body: Option<(Shape, bool)>,
    pub(super) answers: Vec<Told>,
    pub(super) refusals: Vec<u16>,
}

/// One answer that is none of the refusals.
pub(super) struct Told {
    pub(super) status: u16,
    about: &'static str,
    content: Option<(&'static str, Option<Shape>)>,
}

const JSON: &str = "application/json";
const MESSAGE_PACK: &str = "application/msgpack";

impl About {
    /// `summary`: in a few words what it does, "Lists all queues".
    pub(in crate::api) fn new(id: &'static str, summary: &'static str) -> Self {
        Self {
            id,
            summary,
            description: String::new(),
            parameters: Vec::new(),
            body: None,
            answers: Vec::new(),
            refusals: Vec::new(),
        }
    }

    /// More of it, a paragraph.
    pub(in crate::api) fn more(mut self, text: &str) -> Self {
        if !self.description.is_empty() {
            self.description += "\n\n";
        }
        self.description += text;
        self
    }

    /// Parts of the path, and keys of the query.
    pub(in crate::api) fn with(mut self, parameters: impl IntoIterator<Item = Parameter>) -> Self {
        self.parameters.extend(parameters);
        self
    }

    /// What the body holds, as JSON or MessagePack.
    pub(in crate::api) fn takes<T: JsonSchema>(mut self) -> Self {
        self.body = Some((Schemas::read::<T>, true));
        self
    }

    /// With this status, and with what the handler returns.
    pub(in crate::api) fn answers(self, status: u16, about: &'static str) -> Self {
        self.told(Told { status, about, content: None })
    }

    /// With this status, and with a `T`, where the handler's type does not tell.
    pub(in crate::api) fn answers_with<T: JsonSchema>(self, status: u16, about: &'static str) -> Self {
        self.told(Told { status, about, content: Some((JSON, Some(Schemas::written::<T>))) })
    }

    /// With this status, and with something that is no JSON document.
    pub(in crate::api) fn answers_as(self, status: u16, media: &'static str, about: &'static str) -> Self {
        self.told(Told { status, about, content: Some((media, None)) })
    }

    fn told(mut self, told: Told) -> Self {
        self.answers.push(told);
        self
    }

    /// Refuses with these statuses too, beside those that every such route has.
    pub(in crate::api) fn refuses(mut self, statuses: impl IntoIterator<Item = u16>) -> Self {
        self.refusals.extend(statuses);
        self
    }

    pub(super) const fn has_body(&self) -> bool {
        self.body.is_some()
    }

    pub(super) fn request_body(&self, schemas: &mut Schemas) -> Option<RequestBody> {
        let (shape, needed) = self.body?;
        let content = Content::new(Some(shape(schemas)));
        let needed = if needed { Required::True } else { Required::False };
        let body = RequestBodyBuilder::new().required(Some(needed));
        Some(body.content(JSON, content.clone()).content(MESSAGE_PACK, content).build())
    }
}

impl Told {
    /// `body`: what the handler returns.
    pub(super) fn response(&self, body: Option<RefOr<Schema>>, schemas: &mut Schemas) -> Response {
        let response = ResponseBuilder::new().description(self.about);
        let content = match self.content {
            Some((media, Some(shape))) => Some((media, Content::new(Some(shape(schemas))))),
            // Each event has a shape of its own, and all of them together have none.
            Some((media @ "text/event-stream", None)) => Some((media, Content::default())),
            Some((media, None)) => {
                let text = utoipa::openapi::schema::ObjectBuilder::new()
                    .schema_type(utoipa::openapi::schema::Type::String)
                    .build();
                Some((media, Content::new(Some(Schema::Object(text)))))
            }
            None => body.map(|body| (JSON, Content::new(Some(body)))),
        };
        match content {
            Some((media, content)) => response.content(media, content).build(),
            None => response.build(),
        }
    }
}
