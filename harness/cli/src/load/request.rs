//! What is sent: what was typed, as requests of the load engine.

use super::{
    args::LoadArgs,
    body::{Body, MAX_BODY},
    data,
    target::{Speaks, Target},
};
use crate::outcome::Failure;
use squall_traffic::{Context, Mix, Pattern, PatternError, Request, RequestError, Table};
use std::{convert::Infallible, path::PathBuf, str::FromStr};

/// One request of a mix, as it was typed: `WEIGHT METHOD PATH`, and where it has one, its body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Weighted {
    weight: u32,
    method: String,
    path: String,
    body: Option<Body>,
}

impl FromStr for Weighted {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let form = || format!("`{text}` is no request of a mix: write WEIGHT METHOD PATH, like `9 GET /item/{{seq}}`");
        // A place of a path may have a blank in it, the rest of the path has none.
        let mut words = text.trim().splitn(3, ' ');
        let (weight, method, rest) =
            (words.next().ok_or_else(form)?, words.next().ok_or_else(form)?, words.next().ok_or_else(form)?.trim());
        let weight = weight.parse().ok().filter(|weight| *weight > 0).ok_or_else(form)?;
        let mut depth = 0;
        let end = rest.find(|c| {
            depth += i32::from(c == '{') - i32::from(c == '}');
            c == ' ' && depth <= 0
        });
        let (path, body) = rest.split_at(end.unwrap_or(rest.len()));
        let body = Some(body.trim()).filter(|body| !body.is_empty());
        let body = body.map(|body| body.parse().unwrap_or_else(|never: Infallible| match never {}));
        Ok(Weighted { weight, method: method.to_owned(), path: path.to_owned(), body })
    }
}

impl Weighted {
    /// The file that its body is in.
    pub fn file_mut(&mut self) -> Option<&mut PathBuf> {
        self.body.as_mut().and_then(Body::file_mut)
    }
}

/// What is sent, and what each of it is called.
pub struct Sent {
    /// For the load engine.
    pub mix: Mix,
    /// One each, where there are several.
    pub names: Vec<String>,
    /// Something of it is drawn.
    pub drawn: bool,
}

/// The requests of a run.
///
/// # Errors
/// Exit 2 where a part of one cannot be sent, or a table cannot be read.
pub fn sent(args: &LoadArgs, target: &Target) -> Result<Sent, Failure> {
    let table = args.data.as_deref().map(data::table).transpose()?.unwrap_or_default();
    let making = Making { args, target, table };
    if args.mix.is_empty() {
        let posts = args.has_body() && target.speaks != Speaks::WebSocket;
        let method = args.method.as_deref().unwrap_or(if posts { "POST" } else { "GET" });
        let (request, drawn) = making.request(method, &target.path, args.body.as_ref())?;
        return Ok(Sent { mix: request.into(), names: Vec::new(), drawn });
    }
    if target.path != "/" {
        let message = format!("a mix has paths of its own, and `{}` has one, too", args.url);
        return Err(Failure::usage(message).help("give the address alone: http://host:port"));
    }
    let (mut weighted, mut names) = (Vec::new(), Vec::new());
    for one in &args.mix {
        let (request, _) = making.request(&one.method, &one.path, one.body.as_ref())?;
        weighted.push((one.weight, request));
        names.push(format!("{} {}", one.method, one.path));
    }
    Ok(Sent { mix: Mix::of(weighted).map_err(|e| wrong(&e))?, names, drawn: true })
}

struct Making<'a> {
    args: &'a LoadArgs,
    target: &'a Target,
    table: Table,
}

impl Making<'_> {
    /// A request, and whether anything in it is drawn.
    fn request(&self, method: &str, path: &str, body: Option<&Body>) -> Result<(Request, bool), Failure> {
        let headers = self.args.header.iter().map(|header| split(header)).collect::<Result<Vec<_>, _>>()?;
        let is_host = |name: &str| name.eq_ignore_ascii_case("host");
        let host = headers.iter().find(|(name, _)| is_host(name)).map_or(&*self.target.host, |(_, value)| value);
        let path = self.pattern(path, Context::Path)?;
        let mut drawn = path.is_drawn();
        let mut request = Request::new(method, host, path).map_err(|e| wrong(&e))?;
        for (name, value) in headers.iter().filter(|(name, _)| !is_host(name)) {
            let value = self.pattern(value, Context::Header)?;
            drawn |= value.is_drawn();
            request = request.with_header(name, value).map_err(|e| wrong(&e))?;
        }
        Ok(match (body, &self.args.body_template) {
            (None, Some(template)) => {
                let body = self.filled(template)?;
                drawn |= body.is_drawn();
                (request.with_filled_body(body), drawn)
            }
            (None, None) => (request, drawn),
            (Some(body), _) if self.args.grpc => (request.with_message(&self.message(body)?), drawn),
            (Some(body), _) => (request.with_body(body.read()?), drawn),
        })
    }

    /// One message, of which a call may have several.
    fn message(&self, body: &Body) -> Result<Vec<u8>, Failure> {
        let message = body.read()?;
        let all = message.len() as u64 * u64::from(self.args.messages().sent);
        if all > MAX_BODY {
            let words = format!("the messages of a call have {all} bytes, and it may have at most {MAX_BODY}");
            return Err(Failure::usage(words).help("fewer --messages, or a shorter --body"));
        }
        Ok(message)
    }

    fn filled(&self, template: &Body) -> Result<Pattern, Failure> {
        let text = String::from_utf8(template.read()?).map_err(|_| {
            Failure::usage("a body with places is a text in UTF-8").help("--body sends bytes as they are")
        })?;
        self.pattern(&text, Context::Body)
    }

    fn pattern(&self, text: &str, context: Context) -> Result<Pattern, Failure> {
        Pattern::parse(text, &self.table, context).map_err(|error| {
            let failure = Failure::usage(error.to_string());
            match (error, context) {
                (PatternError::Brace(_) | PatternError::Unknown(..), Context::Path) => {
                    failure.help("a brace itself is %7B or %7D")
                }
                (PatternError::Brace(_) | PatternError::Unknown(..), Context::Header) => {
                    failure.help("a brace itself is {{ or }}")
                }
                _ => failure,
            }
        })
    }
}

fn wrong(error: &RequestError) -> Failure {
    Failure::usage(error.to_string())
}

/// Name and value of a header.
fn split(header: &str) -> Result<(&str, &str), Failure> {
    let malformed = || Failure::usage(format!("`{header}` is no header")).help("--header 'name: value'");
    let (name, value) = header.split_once(':').ok_or_else(malformed)?;
    let name = name.trim();
    if name.is_empty() { Err(malformed()) } else { Ok((name, value.trim())) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers() {
        assert_eq!(split("a: b: c").unwrap(), ("a", "b: c"));
        assert!(split("a").is_err() && split(": b").is_err());
    }

    #[test]
    fn requests_of_a_mix() {
        let of = |weight, method: &str, path: &str, body: Option<&str>| Weighted {
            weight,
            method: method.into(),
            path: path.into(),
            body: body.map(|b| Body::Text(b.into())),
        };
        assert_eq!("9 GET /item/{rand 1..100}?a".parse(), Ok(of(9, "GET", "/item/{rand 1..100}?a", None)));
        assert_eq!("1 POST /cart two words".parse(), Ok(of(1, "POST", "/cart", Some("two words"))));
        for bad in ["GET /", "0 GET /", "-1 GET /", "1 GET", ""] {
            assert!(bad.parse::<Weighted>().is_err(), "{bad}");
        }
    }
}
