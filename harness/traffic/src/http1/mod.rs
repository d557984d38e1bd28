//! HTTP/1.1: how a request is written, and an answer is read.

mod redirect;
mod response;
mod template;

pub(crate) use redirect::{asked, onward};
pub(crate) use response::Answer;
pub(crate) use template::Template;
