//! A YAML document as a tree of values that know their lines.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_saphyr::{NonFiniteFloatPolicy, Spanned};

use crate::error::{Error, Result};

/// A value and the line it stands on, counted from 1.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::io) struct Node {
    pub value: Value,
    pub line: u64,
}

#[derive(Debug, Clone, PartialEq)]
pub(in crate::io) enum Value {
    Null,
    Bool(bool),
    Number(f64),
    Text(String),
    List(Vec<Node>),
    Map(Vec<(String, Node)>),
}

/// What a value is, for messages.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("nothing"),
            Self::Bool(b) => write!(f, "{b}"),
            Self::Number(v) => write!(f, "{v}"),
            Self::Text(t) => write!(f, "'{}'", t.chars().take(60).collect::<String>()),
            Self::List(_) => f.write_str("a list"),
            Self::Map(_) => f.write_str("a mapping"),
        }
    }
}

impl Node {
    /// Parses a document. Depth, nodes and expanded aliases are limited.
    pub fn parse(text: &str) -> Result<Self> {
        let options = serde_saphyr::options! {
            non_finite_float_policy: NonFiniteFloatPolicy::PassThrough,
            leading_zero_numbers_as_strings: true,
            underscored_numbers_as_strings: true,
            with_snippet: false,
        };
        serde_saphyr::from_str_with_options(text, options).map_err(|e| {
            let line = e.location().map_or(0, |l| l.line());
            // The parser repeats the place at the end of its message.
            let message = e.to_string();
            let message = message.lines().next().unwrap_or_default();
            Error::input(format!("line {line}"), format!("is not YAML that can be read: {message}"))
        })
    }

    /// An input error at this line.
    pub fn error(&self, problem: impl fmt::Display) -> Error {
        Error::input(format!("line {}", self.line), problem.to_string())
    }

    /// The entry of a mapping; `None` where there is none or it is null.
    pub fn get(&self, key: &str) -> Option<&Node> {
        let Value::Map(entries) = &self.value else { return None };
        entries.iter().find(|(k, _)| k == key).map(|(_, v)| v).filter(|v| v.value != Value::Null)
    }

    /// The entry of a mapping.
    pub fn require(&self, key: &str) -> Result<&Node> {
        if !matches!(self.value, Value::Map(_)) {
            return Err(self.error(format!("{} where a mapping with '{key}' is needed", self.value)));
        }
        self.get(key).ok_or_else(|| self.error(format!("'{key}' is missing")))
    }

    pub fn list(&self) -> Result<&[Node]> {
        match &self.value {
            Value::List(list) => Ok(list),
            other => Err(self.error(format!("{other} where a list is needed"))),
        }
    }

    /// Text; numbers and booleans as they would be written.
    pub fn text(&self) -> Result<String> {
        match &self.value {
            Value::Text(t) => Ok(t.clone()),
            Value::Number(v) => Ok(v.to_string()),
            Value::Bool(b) => Ok(b.to_string()),
            other => Err(self.error(format!("{other} where a text is needed"))),
        }
    }

    /// A number, also one that is quoted or lacks the point that YAML 1.1 wants (`1e-12`).
    pub fn number(&self) -> Result<f64> {
        match &self.value {
            Value::Number(v) => Ok(*v),
            Value::Text(t) => t.trim().parse().map_err(|_| self.error(format!("'{t}' is not a number"))),
            other => Err(self.error(format!("{other} where a number is needed"))),
        }
    }

    pub fn finite(&self) -> Result<f64> {
        let value = self.number()?;
        if value.is_finite() { Ok(value) } else { Err(self.error(format!("{value} is not a finite number"))) }
    }

    pub fn bool(&self) -> Result<bool> {
        match &self.value {
            Value::Bool(b) => Ok(*b),
            other => Err(self.error(format!("{other} where true or false is needed"))),
        }
    }

    /// A list of texts, or a single one.
    pub fn texts(&self) -> Result<Vec<String>> {
        match &self.value {
            Value::List(list) => list.iter().map(Node::text).collect(),
            _ => Ok(vec![self.text()?]),
        }
    }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        let spanned = Spanned::<Value>::deserialize(deserializer)?;
        Ok(Self { value: spanned.value, line: spanned.referenced.line() })
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        deserializer.deserialize_any(ValueVisitor)
    }
}

struct ValueVisitor;

impl<'de> Visitor<'de> for ValueVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a YAML value")
    }

    fn visit_unit<E>(self) -> std::result::Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_none<E>(self) -> std::result::Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> std::result::Result<Value, D::Error> {
        Value::deserialize(deserializer)
    }

    fn visit_bool<E>(self, v: bool) -> std::result::Result<Value, E> {
        Ok(Value::Bool(v))
    }

    fn visit_i64<E>(self, v: i64) -> std::result::Result<Value, E> {
        Ok(Value::Number(v as f64))
    }

    fn visit_u64<E>(self, v: u64) -> std::result::Result<Value, E> {
        Ok(Value::Number(v as f64))
    }

    fn visit_i128<E>(self, v: i128) -> std::result::Result<Value, E> {
        Ok(Value::Number(v as f64))
    }

    fn visit_u128<E>(self, v: u128) -> std::result::Result<Value, E> {
        Ok(Value::Number(v as f64))
    }

    fn visit_f64<E>(self, v: f64) -> std::result::Result<Value, E> {
        Ok(Value::Number(v))
    }

    fn visit_str<E>(self, v: &str) -> std::result::Result<Value, E> {
        Ok(Value::Text(v.to_string()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> std::result::Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(node) = seq.next_element()? {
            list.push(node);
        }
        Ok(Value::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> std::result::Result<Value, A::Error> {
        let mut entries = Vec::new();
        while let Some(key) = map.next_key::<Value>()? {
            let key = match key {
                Value::Text(t) => t,
                other => other.to_string(),
            };
            entries.push((key, map.next_value()?));
        }
        Ok(Value::Map(entries))
    }
}
