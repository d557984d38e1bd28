//! The incomplete beta function in log space: its tails reach far below what an `f64` can hold.

use statrs::function::beta::ln_beta;

/// Both parts of a beta integral cut at `x`, as logarithms.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tails {
    /// Of the part over `[0, x]`.
    pub(crate) lower: f64,
    /// Of the part over `[x, 1]`.
    pub(crate) upper: f64,
}

/// `ln ∫ t^(a-1) (1-t)^(b-1) dt - a ln x - b ln(1-x)` over `[0, x]` and over `[x, 1]`.
///
/// In this scale the smaller part comes straight from the continued fraction: nothing large is subtracted from
/// anything large. Needs `0 < x < 1` and `a, b > 0`.
pub(crate) fn scaled_tails(a: f64, b: f64, x: f64) -> Tails {
    let whole = || -ln_power(a, b, x);
    if x <= (a + 1.0) / (a + b + 2.0) {
        let lower = continued_fraction(a, b, x).ln() - a.ln();
        Tails { lower, upper: ln_difference(whole(), lower) }
    } else {
        let upper = continued_fraction(b, a, 1.0 - x).ln() - b.ln();
        Tails { lower: ln_difference(whole(), upper), upper }
    }
}

/// `ln I_x(a, b)` and `ln (1 - I_x(a, b))`, the regularised tails. Needs `0 < x < 1` and `a, b > 0`.
pub(crate) fn ln_beta_tails(a: f64, b: f64, x: f64) -> Tails {
    let power = ln_power(a, b, x);
    let Tails { lower, upper } = scaled_tails(a, b, x);
    Tails { lower: (lower + power).min(0.0), upper: (upper + power).min(0.0) }
}

/// `ln P(K <= k)` for `K ~ Binomial(n, p)`, any `p` in `[0, 1]`.
pub(crate) fn ln_binomial_at_most(k: u64, n: u64, p: f64) -> f64 {
    if k >= n || p <= 0.0 {
        0.0
    } else if p >= 1.0 {
        f64::NEG_INFINITY
    } else {
        ln_beta_tails(k as f64 + 1.0, (n - k) as f64, p).upper
    }
}

/// `ln P(K >= k)` for `K ~ Binomial(n, p)`, any `p` in `[0, 1]`.
pub(crate) fn ln_binomial_at_least(k: u64, n: u64, p: f64) -> f64 {
    if k == 0 || (p >= 1.0 && k <= n) {
        0.0
    } else if p <= 0.0 || k > n {
        f64::NEG_INFINITY
    } else {
        ln_beta_tails(k as f64, (n - k) as f64 + 1.0, p).lower
    }
}

/// `ln (e^a + e^b)`.
pub(crate) fn ln_sum(a: f64, b: f64) -> f64 {
    let (big, small) = if a >= b { (a, b) } else { (b, a) };
    if big == f64::NEG_INFINITY { big } else { big + (small - big).exp().ln_1p() }
}

/// `ln (e^whole - e^part)`; negative infinity when rounding has made the part as large as the whole.
fn ln_difference(whole: f64, part: f64) -> f64 {
    let gap = part - whole;
    if gap >= 0.0 {
        f64::NEG_INFINITY
    } else if gap > -std::f64::consts::LN_2 {
        whole + (-gap.exp_m1()).ln()
    } else {
        whole + (-gap.exp()).ln_1p()
    }
}

fn ln_power(a: f64, b: f64, x: f64) -> f64 {
    a * x.ln() + b * (-x).ln_1p() - ln_beta(a, b)
}

/// The continued fraction of the incomplete beta function (DLMF 8.17.22) by the modified Lentz method.
///
/// Converges within O(√(a+b)) terms for `x <= (a+1)/(a+b+2)`.
fn continued_fraction(a: f64, b: f64, x: f64) -> f64 {
    const TINY: f64 = 1e-300;
    const TERMS: u32 = 200_000;
    let away_from_zero = |v: f64| if v.abs() < TINY { TINY } else { v };
    let mut c = 1.0;
    let mut d = 1.0 / away_from_zero(1.0 - (a + b) * x / (a + 1.0));
    let mut value = d;
    for m in 1..TERMS {
        let m = f64::from(m);
        let even = m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m));
        d = 1.0 / away_from_zero(1.0 + even * d);
        c = away_from_zero(1.0 + even / c);
        value *= d * c;
        let odd = -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0));
        d = 1.0 / away_from_zero(1.0 + odd * d);
        c = away_from_zero(1.0 + odd / c);
        let factor = d * c;
        value *= factor;
        if (factor - 1.0).abs() < 1e-15 {
            break;
        }
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use statrs::function::beta::beta_reg;

    /// The sum itself, term by term, in log space.
    fn summed_at_least(k: u64, n: u64, p: f64) -> f64 {
        (k..=n).fold(f64::NEG_INFINITY, |sum, i| {
            let choose = statrs::function::factorial::ln_binomial(n, i);
            ln_sum(sum, choose + i as f64 * p.ln() + (n - i) as f64 * (-p).ln_1p())
        })
    }

    proptest! {
        #[test]
        fn agrees_with_statrs_where_it_can_reach(a in 0.5f64..300.0, b in 0.5f64..300.0, x in 0.001f64..0.999) {
            let ours = ln_beta_tails(a, b, x);
            let theirs = beta_reg(a, b, x);
            prop_assert!((ours.lower.exp() - theirs).abs() < 1e-9, "{} against {theirs}", ours.lower.exp());
            prop_assert!((ours.upper.exp() - (1.0 - theirs)).abs() < 1e-9);
        }

        #[test]
        fn binomial_tails_are_the_sums_they_stand_for(n in 1u64..400, share in 0.0f64..1.0, p in 0.0005f64..0.9995) {
            let k = (share * n as f64) as u64;
            let summed = summed_at_least(k, n, p);
            prop_assert!((ln_binomial_at_least(k, n, p) - summed).abs() < 1e-8 * summed.abs().max(1.0));
            if k > 0 {
                let both = ln_sum(ln_binomial_at_least(k, n, p), ln_binomial_at_most(k - 1, n, p));
                prop_assert!(both.abs() < 1e-12, "the two tails add up to e^{both}");
            }
        }
    }

    #[test]
    fn tails_below_the_range_of_a_double_keep_their_digits() {
        // P(K = n) = p^n: 500,000 heads in a row.
        let ln = ln_binomial_at_least(500_000, 500_000, 0.5);
        assert!((ln / (500_000.0 * 0.5f64.ln()) - 1.0).abs() < 1e-12, "{ln}");
        // Half of a million calls where a hundredth was expected; against the leading term and its geometric tail.
        let (k, n, p) = (500_000u64, 1_000_000u64, 0.01f64);
        let first = statrs::function::factorial::ln_binomial(n, k) + k as f64 * p.ln() + (n - k) as f64 * (-p).ln_1p();
        let ratio = p / (1.0 - p);
        let expected = first - (1.0 - ratio).ln();
        assert!((ln_binomial_at_least(k, n, p) - expected).abs() < 1e-4, "{expected}");
    }

    #[test]
    fn a_million_calls_at_the_mean_converge() {
        let tails = ln_beta_tails(500_000.5, 500_000.5, 0.5);
        assert!((tails.lower.exp() - 0.5).abs() < 1e-9 && (tails.upper.exp() - 0.5).abs() < 1e-9);
    }
}
