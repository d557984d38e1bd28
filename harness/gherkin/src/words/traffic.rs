//! Traffic lines as sentences.

use squall_model::{Arrivals, Shape, TrafficLine, duration};

/// A traffic line.
pub(crate) fn traffic(line: &TrafficLine) -> String {
    let TrafficLine { caller, to, with, users, shape, .. } = line;
    let user = with.user.as_ref().map_or(String::new(), |user| format!(" of user \"{user}\""));
    let users = users.map_or(String::new(), |users| format!(" as {users} users"));
    let with = format!("{to}{user}{with}{users}");
    match *shape {
        Shape::Open { rate, length, arrivals } => {
            let arrivals = if arrivals == Arrivals::Random { " at random moments" } else { "" };
            format!("\"{caller}\" makes {rate} to {with}{arrivals} for {}", duration(length))
        }
        Shape::Decide { .. } => format!("\"{caller}\" makes enough calls to {with} to decide"),
        Shape::Serial { calls } => format!("\"{caller}\" makes {calls} calls to {with}"),
        Shape::Closed { users, length, thinking } => {
            let (length, thinking) = (duration(length), duration(thinking));
            format!("{users} users of \"{caller}\" call {with} for {length}, thinking {thinking}")
        }
        Shape::Ramp { from, to, length } => {
            format!("\"{caller}\" raises its calls to {with} from {from} to {to} per second over {}", duration(length))
        }
    }
}
