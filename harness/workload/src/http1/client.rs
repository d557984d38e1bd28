//! Onward calls over HTTP/1.1.

use super::{
    connection::{Connection, WireError},
    head::ResponseHead,
};
use crate::{Endpoint, REQUEST_ID, USER, onward::Ask, socket::Stream};
use squall_model::ServiceName;
use std::cell::RefCell;

/// So many connections at rest are kept.
const KEPT: usize = 32;

/// The connections to the proxy that leads to a service.
#[derive(Debug)]
pub(crate) struct Client {
    via: Endpoint,
    at_rest: RefCell<Vec<Connection>>,
}

impl Client {
    pub(crate) fn new(via: Endpoint) -> Client {
        Client { via, at_rest: RefCell::default() }
    }

    /// One request, one answer; the status. Nothing is sent twice: a retry is the proxy's business, and seen in its logs.
    pub(crate) async fn exchange(&self, service: &ServiceName, ask: &Ask<'_>) -> Result<u16, WireError> {
        let request = render(service, ask);
        let mut connection = match self.rested() {
            Some(connection) => connection,
            None => Connection::new(Stream::connect(&self.via).await?),
        };
        connection.send(request.as_bytes()).await?;
        let head = loop {
            let head = connection.head(ResponseHead::parse).await?.ok_or(WireError::Cut)?;
            // 1xx are not the answer yet.
            if head.status >= 200 {
                break head;
            }
        };
        connection.skip_body(head.framing).await?;
        let mut at_rest = self.at_rest.borrow_mut();
        if head.keep_alive && at_rest.len() < KEPT {
            at_rest.push(connection);
        }
        Ok(head.status)
    }

    /// The connection that was used last and is still good.
    fn rested(&self) -> Option<Connection> {
        let mut at_rest = self.at_rest.borrow_mut();
        while let Some(connection) = at_rest.pop() {
            if connection.is_at_rest() {
                return Some(connection);
            }
        }
        None
    }
}

fn render(service: &ServiceName, ask: &Ask<'_>) -> String {
    let mut request = format!("GET {} HTTP/1.1\r\nhost: {service}\r\n", ask.path);
    let mut field = |name: &str, value: &str| {
        for part in [name, ": ", value, "\r\n"] {
            request.push_str(part);
        }
    };
    if !ask.id.is_empty() {
        field(REQUEST_ID, ask.id);
    }
    if let Some(user) = ask.user {
        field(USER, user);
    }
    if let Some((name, value)) = ask.deadline.header() {
        field(name, &value);
    }
    request.push_str("\r\n");
    request
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::deadline::Deadline;

    #[test]
    fn requests_are_rendered() {
        let plain = Ask { id: "", path: "/", user: None, deadline: Deadline::default() };
        assert_eq!(render(&"ratings".into(), &plain), "GET / HTTP/1.1\r\nhost: ratings\r\n\r\n");
        let deadline = Deadline::read(|name| (name == "grpc-timeout").then_some(b"1S"));
        let whole = Ask { id: "run-7.ratings.1", path: "/5", user: Some("user-3"), deadline };
        assert_eq!(
            render(&"ratings".into(), &whole),
            "GET /5 HTTP/1.1\r\nhost: ratings\r\nx-request-id: run-7.ratings.1\r\nx-squall-user: user-3\r\n\
             grpc-timeout: 1000000u\r\n\r\n"
        );
    }
}
