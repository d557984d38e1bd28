//! Where an answer sends its caller on to, and whether the caller goes there (RFC 9110 section 15.4). Pure.
//!
//! A tool that sends load goes where it was told and nowhere else: what leads to another origin (scheme, host and port) is not
//! followed, whatever is there.

use crate::{line::Line, request::Request};
use squall_model::Astray;

/// How a line's calls follow.
#[derive(Debug)]
pub(crate) struct Follow {
    /// So often at most.
    most: u32,
    scheme: &'static str,
    /// Host and port, those of every request.
    authority: (String, u16),
}

/// What is asked next in place of what was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Next {
    /// With GET, and without a body.
    pub(crate) with_get: bool,
    /// With its query.
    pub(crate) path: String,
}

/// An answer, as far as it says where to go on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Said<'a> {
    pub(crate) status: u16,
    pub(crate) location: &'a [u8],
    /// What was asked.
    pub(crate) method: &'a str,
    pub(crate) path: &'a str,
}

impl Follow {
    /// `None` where the line follows none.
    pub(crate) fn of(line: &Line, request: &Request) -> Option<Follow> {
        let scheme = if line.tls.is_some() { "https" } else { "http" };
        (line.redirects > 0).then(|| Follow {
            most: line.redirects,
            scheme,
            authority: authority(&request.host, scheme).unwrap_or_else(|| (request.host.clone(), 0)),
        })
    }

    /// Where on to, for a call that has followed so often; `None`: that is no redirect, and the call's answer.
    pub(crate) fn next(&self, said: Said<'_>, followed: u32) -> Option<Result<Next, Astray>> {
        let with_get = match (said.status, said.method) {
            (303, method) => method != "HEAD",
            // Not as they were meant, and as everybody takes them.
            (301 | 302, method) => method == "POST",
            (307 | 308, _) => false,
            _ => return None,
        };
        let next = self.resolve(said.location, said.path).map(|path| Next { with_get, path });
        Some(next.and_then(|next| if followed < self.most { Ok(next) } else { Err(Astray::TooOften) }))
    }

    /// The path that a reference means, seen from another (RFC 3986 section 5.2).
    fn resolve(&self, location: &[u8], from: &str) -> Result<String, Astray> {
        if location.is_empty() || !location.iter().all(u8::is_ascii_graphic) {
            return Err(Astray::Nowhere);
        }
        let location = str::from_utf8(location).map_err(|_| Astray::Nowhere)?;
        let location = location.split_once('#').map_or(location, |(rest, _)| rest);
        let (scheme, rest) = match scheme_of(location) {
            Some((scheme, rest)) => (scheme, rest),
            None => (self.scheme, location),
        };
        if !scheme.eq_ignore_ascii_case(self.scheme) {
            return Err(Astray::Elsewhere);
        }
        let Some(rest) = rest.strip_prefix("//") else { return Ok(merged(rest, from)) };
        let (there, path) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
        match authority(there, self.scheme) {
            Some(there) if there == self.authority => Ok(merged(if path.is_empty() { "/" } else { path }, "/")),
            _ => Err(Astray::Elsewhere),
        }
    }
}

/// Scheme and rest of a reference that begins with one.
fn scheme_of(reference: &str) -> Option<(&str, &str)> {
    let (scheme, rest) = reference.split_once(':')?;
    let fits = |c: char| c.is_ascii_alphanumeric() || "+-.".contains(c);
    (scheme.starts_with(|c: char| c.is_ascii_alphabetic()) && scheme.chars().all(fits)).then_some((scheme, rest))
}

/// Host and port, so that what is the same is alike. `None` where somebody is named who is to be let in there.
fn authority(text: &str, scheme: &str) -> Option<(String, u16)> {
    let usual = if scheme == "https" { 443 } else { 80 };
    if text.is_empty() || text.contains('@') {
        return None;
    }
    let (host, port) = match text.rsplit_once(':') {
        // Behind the colons of an address stands its bracket.
        Some((host, port)) if !port.contains(']') => (host, port),
        _ => (text, ""),
    };
    let port = if port.is_empty() { usual } else { port.parse().ok()? };
    Some((host.to_ascii_lowercase(), port))
}

/// A reference without an authority, seen from a path.
fn merged(reference: &str, from: &str) -> String {
    let from_path = from.split_once('?').map_or(from, |(path, _)| path);
    let (path, query) = reference.split_at(reference.find('?').unwrap_or(reference.len()));
    match path {
        "" if query.is_empty() => from.to_owned(),
        "" => format!("{from_path}{query}"),
        _ if path.starts_with('/') => without_dots(path) + query,
        _ => {
            let folder = from_path.rfind('/').map_or("/", |end| &from_path[..=end]);
            without_dots(&format!("{folder}{path}")) + query
        }
    }
}

/// Without the segments that mean where one is, or the folder above (RFC 3986 section 5.2.4).
fn without_dots(path: &str) -> String {
    let mut kept: Vec<&str> = Vec::new();
    let mut segments = path.split('/').skip(1).peekable();
    while let Some(segment) = segments.next() {
        let is_last = segments.peek().is_none();
        match segment {
            "." | ".." => {
                if segment == ".." {
                    kept.pop();
                }
                if is_last {
                    kept.push("");
                }
            }
            other => kept.push(other),
        }
    }
    format!("/{}", kept.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::line::Shape;

    fn follow(host: &str) -> Follow {
        let request = Request::new("GET", host, "/").unwrap();
        let line = Line { redirects: 2, ..Line::new(0, vec![], request.clone(), Shape::Serial { calls: 1 }) };
        Follow::of(&line, &request).unwrap()
    }

    fn said<'a>(status: u16, method: &'a str, location: &'a str) -> Said<'a> {
        Said { status, location: location.as_bytes(), method, path: "/b/c/d?q" }
    }

    /// RFC 3986 section 5.4, what of it can be asked here.
    #[test]
    fn references_are_resolved() {
        for (location, path) in [
            ("g", "/b/c/g"),
            ("./g", "/b/c/g"),
            ("g/", "/b/c/g/"),
            ("/g", "/g"),
            ("?y", "/b/c/d?y"),
            ("g?y", "/b/c/g?y"),
            ("#s", "/b/c/d?q"),
            ("g#s", "/b/c/g"),
            (".", "/b/c/"),
            ("./", "/b/c/"),
            ("..", "/b/"),
            ("../g", "/b/g"),
            ("../../g", "/g"),
            ("../../../../g", "/g"),
            ("/./g", "/g"),
            ("g.", "/b/c/g."),
            ("g;x=1/../y", "/b/c/y"),
            ("g?y/../x", "/b/c/g?y/../x"),
            ("//A:80", "/"),
            ("//a?x", "/?x"),
            ("http://a/x/../y", "/y"),
            ("HTTP://a:80/x?y", "/x?y"),
        ] {
            let path = |with_get| Next { with_get, path: path.into() };
            assert_eq!(follow("a").next(said(302, "GET", location), 0), Some(Ok(path(false))), "{location}");
        }
    }

    #[test]
    fn nobody_is_led_to_another_origin() {
        for location in [
            "https://a/",
            "http://b/",
            "//b/",
            "//a.b/",
            "http://a:8080/",
            "http://u@a/",
            "http://a@b/",
            "http:///x",
            "mailto:a",
            "//a:x/",
        ] {
            assert_eq!(follow("a").next(said(302, "GET", location), 0), Some(Err(Astray::Elsewhere)), "{location}");
        }
        for location in ["", "/a b", "/ä"] {
            assert_eq!(follow("a").next(said(302, "GET", location), 0), Some(Err(Astray::Nowhere)), "{location}");
        }
        for (host, location) in [("[::1]:8080", "http://[::1]:8080/"), ("[::1]", "http://[::1]:80/"), ("A:1", "//a:1/")]
        {
            assert!(follow(host).next(said(302, "GET", location), 0).unwrap().is_ok(), "{host} {location}");
        }
    }

    #[test]
    fn what_becomes_of_the_method() {
        let with_get =
            |status, method| follow("a").next(said(status, method, "/"), 0).map(|next| next.unwrap().with_get);
        for (status, get, post, put, head) in
            [(301, false, true, false, false), (302, false, true, false, false), (303, true, true, true, false)]
        {
            let all = ["GET", "POST", "PUT", "HEAD"].map(|method| with_get(status, method));
            assert_eq!(all, [get, post, put, head].map(Some), "{status}");
        }
        for status in [307, 308] {
            assert_eq!(with_get(status, "POST"), Some(false), "{status}");
        }
        for status in [200, 300, 304, 305, 306, 404] {
            assert_eq!(with_get(status, "GET"), None, "{status}");
        }
    }

    #[test]
    fn so_often_and_no_more() {
        let follow = follow("a");
        assert!(follow.next(said(302, "GET", "/"), 1).unwrap().is_ok());
        assert_eq!(follow.next(said(302, "GET", "/"), 2), Some(Err(Astray::TooOften)));
        assert_eq!(follow.next(said(200, "GET", "/"), 2), None);
    }
}
