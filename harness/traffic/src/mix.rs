//! Which of a line's requests a call is.

use crate::{
    pattern::draw,
    request::{Request, RequestError},
};

use std::collections::BTreeSet;

/// Apart from every place of a pattern.
const PLACE: u64 = u64::MAX;

/// What a line sends: one request, or each of several with its weight, drawn by the number of the call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mix {
    requests: Vec<Request>,
    /// The weights up to and with each.
    until: Vec<u64>,
}

impl From<Request> for Mix {
    fn from(request: Request) -> Self {
        Mix { requests: vec![request], until: vec![1] }
    }
}

impl Mix {
    /// Of several requests, each as often as its weight among all says.
    ///
    /// # Errors
    /// Where there is none, a weight is zero, or there are too many.
    pub fn of(weighted: Vec<(u32, Request)>) -> Result<Mix, RequestError> {
        if weighted.is_empty() || weighted.len() > usize::from(u16::MAX) || weighted.iter().any(|(w, _)| *w == 0) {
            return Err(RequestError::Weights);
        }
        let mut sum = 0;
        let (requests, until) = weighted
            .into_iter()
            .map(|(weight, request)| {
                sum += u64::from(weight);
                (request, sum)
            })
            .unzip();
        Ok(Mix { requests, until })
    }

    /// The methods of its requests, each once.
    #[must_use]
    pub fn methods(&self) -> BTreeSet<&str> {
        self.requests.iter().map(|request| request.method.as_str()).collect()
    }

    /// All, in order.
    pub(crate) fn requests(&self) -> &[Request] {
        &self.requests
    }

    /// The place of the request that this call is.
    pub(crate) fn draw(&self, seed: u64, seq: u64) -> u16 {
        let [.., sum] = self.until[..] else { return 0 };
        if self.until.len() == 1 {
            return 0;
        }
        let drawn = ((u128::from(draw(seed, seq, PLACE)) * u128::from(sum)) >> 64) as u64;
        self.until.partition_point(|until| *until <= drawn) as u16
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn get(path: &str) -> Request {
        Request::new("GET", "a", path).unwrap()
    }

    /// Off by less than five standard deviations each.
    #[test]
    fn each_is_drawn_by_its_weight() {
        let mix = Mix::of(vec![(1, get("/a")), (7, get("/b")), (2, get("/c"))]).unwrap();
        let mut counts = [0.0; 3];
        (0..100_000).for_each(|seq| counts[usize::from(mix.draw(3, seq))] += 1.0);
        for (count, share) in counts.into_iter().zip([0.1, 0.7, 0.2]) {
            let deviation = (100_000.0 * share * (1.0f64 - share)).sqrt();
            assert!((count - 100_000.0 * share).abs() < 5.0 * deviation, "{counts:?}");
        }
        assert_eq!(mix.draw(3, 17), mix.draw(3, 17));
    }

    #[test]
    fn what_is_no_mix() {
        assert_eq!(Mix::of(vec![]), Err(RequestError::Weights));
        assert_eq!(Mix::of(vec![(0, get("/"))]), Err(RequestError::Weights));
        assert_eq!(Mix::from(get("/")).draw(1, 1), 0);
    }
}
