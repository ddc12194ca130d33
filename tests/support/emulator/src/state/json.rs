//! Reads a request body as Go's `encoding/json` does: duplicate keys kept in order, lone surrogates and bad UTF-8 turned into U+FFFD,
//! numbers as literals that must fit a double, at most 10,000 levels. Flat storage, no recursion: no body can overflow the stack.
//! It must not know what a body means.

use super::scan::{NotJson, Scanner};

/// Go's `encoding/json` gives up beyond this many open containers.
const MAX_DEPTH: usize = 10_000;

enum Node {
    Null,
    Bool(bool),
    Number(String),
    Text(String),
    Array(Vec<usize>),
    Object(Vec<(String, usize)>),
}

/// A parsed body; the nodes lie in one vector, so that dropping a deep one does not recurse either.
pub struct Document {
    nodes: Vec<Node>,
    root: usize,
}

/// One value of a [`Document`].
#[derive(Clone, Copy)]
pub struct Value<'a> {
    document: &'a Document,
    index: usize,
}

/// What a [`Value`] is.
pub enum Kind<'a> {
    /// `null`
    Null,
    /// `true` or `false`
    Bool(bool),
    /// The number's literal: it is finite as a double.
    Number(&'a str),
    /// A string.
    Text(&'a str),
    /// The items in order.
    Array(Vec<Value<'a>>),
    /// The members in order, duplicates too.
    Object(Vec<(&'a str, Value<'a>)>),
}

enum Open {
    Array(Vec<usize>),
    Object(Vec<(String, usize)>, String),
}

impl Document {
    /// Parses exactly one JSON value.
    pub fn parse(bytes: &[u8]) -> Result<Self, NotJson> {
        let mut scanner = Scanner::new(bytes);
        let mut nodes = Vec::new();
        let mut open: Vec<Open> = Vec::new();
        'value: loop {
            let mut done = match scanner.peek()? {
                b'{' => {
                    scanner.take(b'{')?;
                    if scanner.peek()? != b'}' {
                        descend(&mut open, Open::Object(Vec::new(), scanner.key()?))?;
                        continue 'value;
                    }
                    scanner.take(b'}')?;
                    within(open.len() + 1)?;
                    Node::Object(Vec::new())
                }
                b'[' => {
                    scanner.take(b'[')?;
                    if scanner.peek()? != b']' {
                        descend(&mut open, Open::Array(Vec::new()))?;
                        continue 'value;
                    }
                    scanner.take(b']')?;
                    within(open.len() + 1)?;
                    Node::Array(Vec::new())
                }
                b'"' => Node::Text(scanner.string()?),
                b't' => scanner.word("true").map(|()| Node::Bool(true))?,
                b'f' => scanner.word("false").map(|()| Node::Bool(false))?,
                b'n' => scanner.word("null").map(|()| Node::Null)?,
                _ => Node::Number(scanner.number()?),
            };
            // A finished value goes into the container around it, which may end right after, and so on outwards.
            loop {
                nodes.push(done);
                let index = nodes.len() - 1;
                done = match open.pop() {
                    None => {
                        scanner.end()?;
                        return Ok(Self { nodes, root: index });
                    }
                    Some(Open::Array(mut items)) => {
                        items.push(index);
                        if scanner.another(b']')? {
                            open.push(Open::Array(items));
                            continue 'value;
                        }
                        Node::Array(items)
                    }
                    Some(Open::Object(mut members, key)) => {
                        members.push((key, index));
                        if scanner.another(b'}')? {
                            open.push(Open::Object(members, scanner.key()?));
                            continue 'value;
                        }
                        Node::Object(members)
                    }
                };
            }
        }
    }

    /// The value the body is.
    pub fn root(&self) -> Value<'_> {
        Value { document: self, index: self.root }
    }
}

fn within(depth: usize) -> Result<(), NotJson> {
    if depth > MAX_DEPTH { Err(NotJson("exceeded max depth")) } else { Ok(()) }
}

fn descend(open: &mut Vec<Open>, container: Open) -> Result<(), NotJson> {
    within(open.len() + 1)?;
    open.push(container);
    Ok(())
}

impl<'a> Value<'a> {
    /// What it is.
    pub fn kind(self) -> Kind<'a> {
        let at = |index| Value { document: self.document, index };
        match &self.document.nodes[self.index] {
            Node::Null => Kind::Null,
            Node::Bool(value) => Kind::Bool(*value),
            Node::Number(literal) => Kind::Number(literal),
            Node::Text(text) => Kind::Text(text),
            Node::Array(items) => Kind::Array(items.iter().map(|i| at(*i)).collect()),
            Node::Object(members) => Kind::Object(members.iter().map(|(k, i)| (k.as_str(), at(*i))).collect()),
        }
    }

    /// The string it is.
    pub fn text(self) -> Option<&'a str> {
        match self.kind() {
            Kind::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The member of that exact name; the last one, as a Go map would hold.
    pub fn member(self, name: &str) -> Option<Value<'a>> {
        match self.kind() {
            Kind::Object(members) => members.into_iter().rev().find(|(key, _)| *key == name).map(|(_, value)| value),
            _ => None,
        }
    }
}
